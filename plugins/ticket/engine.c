/* engine.c: the one way through a call (see ticket.h). */
#include <stdlib.h>
#include "ticket.h"

#define SETTLE_STEP_MS 2000
#define MAX_PAGES 5

/* ---- Begin and end ---- */

static const json_t *config_of(const json_t *config, const char *name)
{
    const json_t *systems = ft_get(config, "systems"), *one = ft_get(systems, name);

    if (one)
        return one;
    return ft_str(config, "url") && ft_same(name, ft_str(config, "system") ?: "servicenow") ? config : NULL;
}

static const char *default_name(const json_t *config)
{
    const json_t *systems = ft_get(config, "systems");

    if (ft_str(config, "default"))
        return ft_str(config, "default");
    if (ft_str(config, "url"))
        return ft_str(config, "system") ?: "servicenow";
    return json_object_size(systems) == 1 ? json_object_iter_key(json_object_iter((json_t *)systems)) : NULL;
}

static const struct system *system_of(const char *kind)
{
    static const struct system *const systems[] = { &ticket_servicenow, &ticket_jira, &ticket_rt };

    for (size_t i = 0; i < sizeof(systems) / sizeof(systems[0]); i++) {
        if (ft_same(systems[i]->kind, kind))
            return systems[i];
    }
    return NULL;
}

int ticket_begin(struct ft_call *call, enum phase phase, bool change, struct ft_err *reterr)
{
    struct ticket *st = host->state(call);
    const json_t *config = host->config(call), *receipt = host->receipt(call);

    st->phase = phase;
    st->change = change;
    st->name = (phase == PHASE_UNDO || phase == PHASE_PROBE ? ft_str(receipt, "system") : NULL) ?: ticket_param(call, "system") ?: default_name(config);
    if (!st->name && json_object_size(ft_get(config, "systems")))
        return ft_fault(reterr, FT_INVALID, "there are several ticket systems: name one in the step (system: …) or set plugins.ticket.default");
    if (!st->name)
        return ft_fault(reterr, FT_INVALID, "the configuration does not say where the ticket system is: set plugins.ticket.url");
    st->config = config_of(config, st->name);
    if (!st->config)
        return ft_fault(reterr, FT_NOT_FOUND, "no ticket system '%s' in the configuration: add it to plugins.ticket.systems", st->name);
    st->system = system_of(ft_str(st->config, "system") ?: "servicenow");
    if (!st->system || !ft_str(st->config, "url"))
        return ft_fault(reterr, FT_INVALID, "the ticket system '%s' lacks its kind (system) or its address (url) in plugins.ticket", st->name);
    if (change && !st->system->changes)
        return ft_fault(reterr, FT_INVALID, "%s has no change requests: the change actions are for ServiceNow; use ticket.open there", st->system->label);
    return st->system->check ? st->system->check(call, st, reterr) : 0;
}

json_t *ticket_hold(struct ft_call *call, json_t *value)
{
    struct ticket *st = host->state(call);

    if (!st->held)
        st->held = json_array();
    json_array_append_new(st->held, value);
    return value;
}

void ticket_release(struct ft_call *call)
{
    struct ticket *st = host->state(call);

    json_decref(st->held);
    free(st->file);
    free(st->buffer);
    st->held = NULL;
    st->file = st->buffer = NULL;
}

void ticket_done(struct ft_call *call, json_t *result)
{
    ticket_release(call);
    host->done(call, result);
}

void ticket_fail(struct ft_call *call, enum ft_class class, const char *fmt, ...)
{
    char text[1000];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    ticket_release(call);
    host->fail(call, class ? class : FT_INVALID, "%s", text);
}

/* ---- Requests ---- */

static struct ft_http_req built(struct ft_call *call, struct ticket *st, const struct request *request, unsigned flags)
{
    struct ft_http_req req = {
        .size = sizeof(req), .method = request->method, .url = request->url, .headers = st->headers, .json = request->raw ? NULL : request->json,
        .body = request->raw, .body_len = request->raw_len, .ca_file = ft_str(st->config, "ca_file"), .flags = flags | FT_HTTP_JSON,
    };
    size_t n = 0;

    memset(st->headers, 0, sizeof(st->headers));
    st->system->sign(call, st, &req);
    while (st->headers[n].name)
        n++;
    if (request->content_type)
        st->headers[n++] = (struct ft_http_header){ "Content-Type", request->content_type };
    if (request->if_match)
        st->headers[n] = (struct ft_http_header){ "If-Match", request->if_match };
    return req;
}

void ticket_request(struct ft_call *call, const struct request *request, unsigned flags, ft_http_cb *answered)
{
    struct ft_http_req req = built(call, host->state(call), request, flags);
    struct ft_err err = { 0 };

    if (host->http(call, &req, answered, NULL, &err) < 0)
        ticket_fail(call, err.class, "%s", err.text);
}

/* Ends the call with what went wrong, in the system's own words where it has any. */
static void fail_with(struct ft_call *call, const struct ft_http_res *res, const char *before)
{
    const struct ticket *st = host->state(call);
    enum ft_class class = res->status == 409 || res->status == 412 ? FT_CONFLICT : res->class;
    const char *said = NULL;

    st->system->error(call, res, &said, &class);
    if (st->n_sent && (class == FT_UNREACHABLE || class == FT_TIMEOUT || st->kind == LOOK_ONE))
        class = FT_AMBIGUOUS;                            /* what was sent before was taken */
    ticket_fail(call, class, "%s%s%s%s%s%s", before, res->error ?: "the request was refused", said ? " (" : "", said ? st->system->label : "",
                said ? ": " : "", said ? host->printf(call, "%s)", said) : "");
}

/* ---- Looking ---- */

static void look_next(struct ft_call *call, struct ticket *st);

enum ask ticket_ask(struct ft_call *call, const struct ticket *st, const char **ret_text)
{
    const char *text = st->phase == PHASE_UNDO || st->phase == PHASE_PROBE ? ft_str(host->receipt(call), "id") : NULL;

    if ((*ret_text = text))
        return BY_ID;
    if ((*ret_text = ticket_param(call, "number")))
        return BY_NUMBER;
    if ((*ret_text = ticket_param(call, "id")))
        return BY_ID;
    if ((*ret_text = ticket_param(call, "about")))
        return BY_ABOUT;
    *ret_text = ticket_correlation(call);
    return BY_CORRELATION;
}

/* Searches find too much (ServiceNow drops conditions that it does not understand), so what was found is checked again. */
static bool is_meant(struct ft_call *call, const struct ticket *st, const json_t *record)
{
    const char *text;

    if (ft_true(record, "_meant"))                       /* got by its own address */
        return true;
    switch (ticket_ask(call, st, &text)) {
    case BY_NUMBER: return ft_same(ft_str(record, "number"), text);
    case BY_ID: return ft_same(ft_str(record, "id"), text);
    case BY_ABOUT: return ft_true(record, "active") && strcasestr(ft_str(record, "title") ?: "", text);
    default: return ft_true(record, "_correlated");
    }
}

static void take_found(struct ft_call *call, struct ticket *st, const json_t *list)
{
    json_t *record;
    size_t i;

    json_array_foreach(list, i, record) {
        if (!is_meant(call, st, record) || json_array_size(st->all) == TICKET_MAX_FOUND)
            continue;
        json_array_append(st->all, record);
        if (!st->record || (ft_true(record, "active") && !ft_true(st->record, "active")))
            st->record = record;                         /* lives in st->all */
    }
}

static void find_again(struct ft_call *call)
{
    struct ticket *st = host->state(call);

    st->needs |= LOOK_BIT(LOOK_FIND);
    look_next(call, st);
}

/* A search engine that lags behind may not know yet what was written a moment ago. */
static bool may_come(struct ft_call *call, const struct ticket *st)
{
    const char *text;
    bool patient = st->phase == PHASE_PROBE || st->phase == PHASE_UNDO || (st->phase == PHASE_RUN && st->want.verb != VERB_NONE && st->want.verb != VERB_OPEN);

    return !st->record && patient && st->system->settle_ms && ticket_ask(call, st, &text) == BY_CORRELATION
           && st->tries * SETTLE_STEP_MS < st->system->settle_ms && host->remaining_ms(call) > 3 * SETTLE_STEP_MS;
}

static void found(struct ft_call *call, struct ticket *st)
{
    take_found(call, st, st->seen[LOOK_FIND]);
    if (st->cursor && json_array_size(st->all) < TICKET_MAX_FOUND && ++st->pages < MAX_PAGES) {
        st->needs |= LOOK_BIT(LOOK_FIND);
        look_next(call, st);
        return;
    }
    if (may_come(call, st)) {
        st->tries++;
        st->pages = 0;
        st->cursor = NULL;
        host->timer(call, SETTLE_STEP_MS, find_again);
        return;
    }
    st->located(call, st);
}

static void seen(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    struct ticket *st = host->state(call);
    enum ft_class class = res->class;
    const char *said = NULL;
    json_t *what;

    (void)arg;
    if (!res->error)
        st->system->error(call, res, &said, &class);     /* some refuse with a 200 */
    if (st->kind == LOOK_FIND && res->status == 404 && st->system->absent(call, st, res)) {
        what = json_array();
    } else if (res->error || class) {
        fail_with(call, res, st->kind == LOOK_ONE && st->n_sent ? "the request was taken, but what became of it could not be read: " : "");
        return;
    } else {
        what = st->system->seen(call, st, st->kind, res);
    }
    if (!what) {
        ticket_fail(call, st->kind == LOOK_ONE && st->n_sent ? FT_AMBIGUOUS : FT_INVALID, "%s answered, but not as %s does: is this its address?",
                    ticket_base(call, st), st->system->label);
        return;
    }
    st->seen[st->kind] = ticket_hold(call, what);
    look_next(call, st);
}

static void look_next(struct ft_call *call, struct ticket *st)
{
    struct request request = { 0 };
    bool finding = st->kind == LOOK_FIND && st->seen[LOOK_FIND];

    for (enum look kind = 0; kind < N_LOOKS; kind++) {
        if (!(st->needs & LOOK_BIT(kind)))
            continue;
        st->needs &= ~LOOK_BIT(kind);
        if (!st->system->look(call, st, kind, &request))
            continue;
        st->kind = kind;
        ticket_request(call, &request, 0, seen);
        return;
    }
    if (finding && st->located) {
        st->kind = N_LOOKS;
        found(call, st);
        return;
    }
    if (st->seen[LOOK_ONE] && st->n_sent == 0)
        st->record = st->seen[LOOK_ONE];                 /* newer, and whole */
    st->looked(call, st);
}

void ticket_locate(struct ft_call *call, next_fn *then)
{
    struct ticket *st = host->state(call);

    st->located = then;
    st->all = ticket_hold(call, json_array());
    st->kind = LOOK_FIND;
    st->needs = LOOK_BIT(LOOK_FIND);
    look_next(call, st);
}

void ticket_look(struct ft_call *call, unsigned looks, next_fn *then)
{
    struct ticket *st = host->state(call);

    st->looked = then;
    st->located = NULL;
    st->needs = looks;
    look_next(call, st);
}

#define STAND_IN "ticket-of-this-run"     /* until an earlier step has opened it */

bool ticket_needed(struct ft_call *call, struct ticket *st)
{
    const char *text;
    enum ask by = ticket_ask(call, st, &text);

    if (st->record)
        return true;
    if (st->phase == PHASE_PLAN && by == BY_CORRELATION) {
        st->stand_in = true;
        st->record = ticket_hold(call, json_pack("{s:s, s:s, s:b, s:{}}", "id", STAND_IN, "number", "the run's ticket", "active", 1, "_native"));
        return true;
    }
    ticket_fail(call, FT_NOT_FOUND, "%s has no %s %s%s", st->system->label, st->change ? "change request" : "ticket",
                by == BY_ID ? "with id " : by == BY_CORRELATION ? "with correlation id " : by == BY_ABOUT ? "about " : "", text);
    return false;
}

/* ---- What people see ---- */

json_t *ticket_facts(const json_t *record)
{
    static const char *const names[] = { "number", "id", "state", "status", "title", "priority", "assignee", "opened_at", "updated_at", "url" };
    json_t *facts = json_object(), *value;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        value = json_object_get(record, names[i]);
        json_object_set_new(facts, names[i], value ? json_incref(value) : json_null());
    }
    json_object_set_new(facts, "active", json_boolean(ft_true(record, "active")));
    return facts;
}

/* What a write rests on: what moves by itself or with every note is left out. */
static json_t *ticket_still(const json_t *record)
{
    json_t *facts = ticket_facts(record);

    json_object_del(facts, "updated_at");
    json_object_del(facts, "url");
    return facts;
}

json_t *ticket_receipt(struct ft_call *call, struct ticket *st)
{
    (void)call;
    return json_pack("{s:s, s:s?, s:s?, s:{}}", "system", st->name, "id", st->stand_in ? NULL : ft_str(st->record, "id"), "number",
                     st->stand_in ? NULL : ft_str(st->record, "number"), "before");
}

void ticket_before(struct ft_call *call, struct ticket *st, const char *key, const char *from, const char *to)
{
    if (!st->changes)
        st->changes = ticket_hold(call, json_array());
    json_array_append_new(st->changes, json_pack("{s:s, s:s?, s:s?}", "path", key, "from", from, "to", to));
    json_object_set_new(json_object_get(st->receipt, "before"), key, from ? json_string(from) : json_null());
}

/* Comments and times come and go; these are what a write of ours changes and an undo puts back. NULL: there is no ticket yet. */
json_t *ticket_watch(const struct ticket *st)
{
    static const char *const names[] = { "number", "state", "status", "title", "priority", "assignee" };
    json_t *watch;

    if (!st->record || st->stand_in)
        return NULL;
    watch = json_object();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        json_object_set_new(watch, names[i], json_incref(json_object_get(st->record, names[i])) ?: json_null());
    return watch;
}

/* ---- Writing ---- */

static void plan_done(struct ft_call *call, struct ticket *st)
{
    json_t *requests = json_array();

    for (size_t i = 0; i < st->n_writes; i++) {
        struct ft_http_req req = built(call, st, &st->writes[i], FT_HTTP_WRITE);

        json_array_append_new(requests, host->http_render(call, &req));
    }
    ticket_done(call, json_pack("{s:s, s:o, s:O*, s:o*, s:o*, s:O*, s:s*}", "summary", st->summary, "requests", requests, "changes", st->changes, "before",
                                st->record ? ticket_still(st->record) : NULL, "watch", ticket_watch(st), "receipt", st->receipt, "stand_in", st->stand_in ? STAND_IN : NULL));
}

static void check_back(struct ft_call *call, struct ticket *st)
{
    const char *field = NULL, *number = ft_str(st->back, "number") ?: "the ticket";
    enum ft_class class = st->system->left(call, st, &field);

    if (class)
        ticket_fail(call, class, "%s took the request and left '%s' of %s as it was%s%s", st->system->label, field, number,
                    st->said ? ": " : ": the account may not write that field", st->said ?: "");
    else
        st->finished(call, st);
}

static void read_back(struct ft_call *call, struct ticket *st)
{
    st->back = st->seen[LOOK_ONE];
    check_back(call, st);
}

static void send_next(struct ft_call *call, struct ticket *st);

static void all_sent(struct ft_call *call, struct ticket *st, const json_t *answer)
{
    if (st->want.verb == VERB_ATTACH) {
        st->back = ticket_hold(call, st->system->file_kept(call, st, answer));
        st->finished(call, st);
        return;
    }
    st->back = st->system->answered ? st->system->answered(call, st, answer) : NULL;
    if (st->back) {
        ticket_hold(call, st->back);
        check_back(call, st);
    } else if (st->system->answered) {
        ticket_fail(call, FT_AMBIGUOUS, "%s answered the %s without the record: whether it was taken is unknown", ticket_base(call, st),
                    st->writes[st->n_writes - 1].method);
    } else {
        ticket_look(call, LOOK_BIT(LOOK_ONE), read_back);
    }
}

static void created_kept(struct ft_call *call)
{
    struct ticket *st = host->state(call);

    if (st->n_sent < st->n_writes)
        send_next(call, st);
    else
        all_sent(call, st, st->seen[LOOK_FIND]);         /* the write's answer was put there */
}

/* The id of what was made is kept before anything else. */
static void created(struct ft_call *call, struct ticket *st, const json_t *answer)
{
    struct ft_err err = { 0 };

    if (st->system->created(call, st, answer) < 0) {
        ticket_fail(call, FT_AMBIGUOUS, "%s answered the %s without the record: whether it was taken is unknown", ticket_base(call, st), st->writes[0].method);
        return;
    }
    ft_put_str(st->receipt, "id", ft_str(st->record, "id"));
    ft_put_str(st->receipt, "number", ft_str(st->record, "number"));
    st->seen[LOOK_FIND] = answer ? ticket_hold(call, json_incref((json_t *)answer)) : NULL;
    if (host->keep(call, json_incref(st->receipt), created_kept, &err) < 0)
        ticket_fail(call, err.class, "%s", err.text);
}

static void sent(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    struct ticket *st = host->state(call);
    const struct request *request = &st->writes[st->n_sent];

    (void)arg;
    if (res->error) {
        fail_with(call, res, st->n_sent ? host->printf(call, "after %zu of %zu requests were taken: ", st->n_sent, st->n_writes) : "");
        return;
    }
    st->n_sent++;
    if (json_is_array(res->json) && json_is_string(json_array_get(res->json, 0))) {      /* Request Tracker says in words what it did */
        json_t *text;
        size_t i;

        json_array_foreach(res->json, i, text)
            st->said = host->printf(call, "%s%s%.200s", st->said ?: "", st->said ? "; " : "", json_string_value(text) ?: "");
    }
    if (request->creates)
        created(call, st, res->json);
    else if (st->n_sent < st->n_writes)
        send_next(call, st);
    else
        all_sent(call, st, res->json);
}

static void send_next(struct ft_call *call, struct ticket *st)
{
    ticket_request(call, &st->writes[st->n_sent], FT_HTTP_WRITE, sent);
}

static void write_kept(struct ft_call *call)
{
    send_next(call, host->state(call));
}

static void nothing_to_do(struct ft_call *call, struct ticket *st)
{
    if (st->phase == PHASE_PLAN) {
        ticket_done(call, json_pack("{s:s, s:[], s:b, s:o*, s:O*}", "summary", st->summary, "requests", "nothing_to_do", 1, "watch", ticket_watch(st), "receipt", st->receipt));
        return;
    }
    st->back = st->record;
    st->finished(call, st);
}

static void write_looked(struct ft_call *call, struct ticket *st)
{
    struct ft_err err = { 0 };

    if (st->system->build(call, st, &err) < 0) {
        ticket_fail(call, err.class, "%s", err.text);
        return;
    }
    if (st->n_writes == 0)
        nothing_to_do(call, st);
    else if (st->phase == PHASE_PLAN)
        plan_done(call, st);
    else if (st->phase == PHASE_UNDO)
        send_next(call, st);
    else if (host->keep(call, json_incref(st->receipt), write_kept, &err) < 0)
        ticket_fail(call, err.class, "%s", err.text);
}

void ticket_write(struct ft_call *call, next_fn *then)
{
    struct ticket *st = host->state(call);

    st->finished = then;
    if (!st->receipt)
        st->receipt = ticket_hold(call, ticket_receipt(call, st));
    ticket_look(call, st->system->needs(call, st), write_looked);
}
