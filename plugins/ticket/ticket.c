/* ticket.c: ServiceNow incidents by the Table API.
 *
 * The table has no idempotency key, so every incident carries a correlation id (the run's, unless given), and `open` looks for it before it
 * creates one. Fields that the account may not write are dropped by ServiceNow with a 200: so what matters is read back. A wrong field name in a query
 * matches everything: so what was found is checked again here.
 *
 *   every action:  locate (GET by number, sys_id or correlation id) ─► build the request ─► (plan ends) ─► keep ─► send ─► read back */
#include <ctype.h>
#include <string.h>
#include <fettle/plugin.h>

#define JSON(...) #__VA_ARGS__
#define FIELDS "number,sys_id,state,active,short_description,priority,impact,urgency,correlation_id,assignment_group,assigned_to," \
               "close_code,sys_updated_on,opened_at,cmdb_ci,parent_incident,problem_id,rfc"
#define MAX_DESCRIPTION 3900       /* bytes; ServiceNow cuts at 4000 characters */

static const struct ft_host *host;

enum phase { PHASE_RUN, PHASE_PLAN, PHASE_UNDO, PHASE_PROBE };

struct ticket {
    enum phase phase;
    const json_t *config;
    json_t *held;                  /* owns what outlives a callback */
    json_t *record;                /* the incident that was found; NULL: none */
    json_t *all;                   /* every one that was found */
    json_t *body;                  /* of the request */
    json_t *receipt;
    const char *method, *url, *summary, *content_type;
    const char *raw; size_t raw_len;
    json_t *changes;
    struct ft_http_header headers[4];
};

typedef void located_fn(struct ft_call *call, struct ticket *st);

static const char *text_of(const json_t *object, const char *key) { return json_string_value(json_object_get(object, key)); }
static const char *param(struct ft_call *call, const char *key) { return text_of(host->params(call), key); }

__attribute__((format(printf, 3, 4)))
static int fault(struct ft_err *reterr, enum ft_class class, const char *fmt, ...)
{
    char text[sizeof(reterr->text)];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    ft_err_set(reterr, -EINVAL, "%s", text);
    if (reterr)
        reterr->class = class;
    return -EINVAL;
}

/* ---- Begin and end ---- */

static int begin(struct ft_call *call, enum phase phase, struct ft_err *reterr)
{
    struct ticket *st = host->state(call);

    st->phase = phase;
    st->config = host->config(call);
    if (!text_of(st->config, "url"))
        return fault(reterr, FT_INVALID, "the configuration does not say where the ticket system is: set plugins.ticket.url");
    return 0;
}

static json_t *hold(struct ft_call *call, json_t *value)
{
    struct ticket *st = host->state(call);

    if (!st->held)
        st->held = json_array();
    json_array_append_new(st->held, value);
    return value;
}

static void release(struct ft_call *call)
{
    struct ticket *st = host->state(call);

    json_decref(st->held);
    st->held = NULL;
}

static void end_done(struct ft_call *call, json_t *result)
{
    release(call);
    host->done(call, result);
}

__attribute__((format(printf, 3, 4)))
static void end_fail(struct ft_call *call, enum ft_class class, const char *fmt, ...)
{
    char text[1000];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    release(call);
    host->fail(call, class, "%s", text);
}

/* ---- Requests ---- */

static const char *base_url(struct ft_call *call)
{
    const char *url = text_of(host->config(call), "url");
    size_t len = strlen(url);

    while (len && url[len - 1] == '/')
        len--;
    return host->printf(call, "%.*s", (int)len, url);
}

static const char *table(struct ft_call *call)
{
    return text_of(host->config(call), "table") ?: "incident";
}

static const char *record_url(struct ft_call *call, const char *sys_id)
{
    return host->printf(call, "%s/api/now/table/%s%s%s?sysparm_exclude_reference_link=true", base_url(call), table(call), sys_id ? "/" : "", sys_id ? sys_id : "");
}

static struct ft_http_req request(struct ft_call *call, const char *method, const char *url, const json_t *body, unsigned flags)
{
    struct ticket *st = host->state(call);
    const char *token = text_of(st->config, "token");

    st->headers[0] = (struct ft_http_header){ "Accept", "application/json" };
    st->headers[1] = token ? (struct ft_http_header){ "Authorization", host->printf(call, "Bearer %s", token) } : (struct ft_http_header){ NULL, NULL };
    return (struct ft_http_req){
        .size = sizeof(struct ft_http_req), .method = method, .url = url, .headers = st->headers, .json = body,
        .user = token ? NULL : text_of(st->config, "user"), .password = token ? NULL : text_of(st->config, "password"),
        .ca_file = text_of(st->config, "ca_file"), .flags = flags,
    };
}

/* What ServiceNow says about an error, where it says it: {"error": {"message", "detail"}}. */
static void fail_with(struct ft_call *call, const struct ft_http_res *res)
{
    const json_t *error = json_object_get(res->json, "error");
    const char *message = text_of(error, "message"), *detail = text_of(error, "detail");

    if (message)
        end_fail(call, res->class, "%s (ServiceNow: %s%s%s)", res->error, message, detail && *detail ? ": " : "", detail ? detail : "");
    else
        end_fail(call, res->class, "%s", res->error);
}

static void get(struct ft_call *call, const char *url, ft_http_cb *answered, void *arg)
{
    struct ft_http_req req = request(call, "GET", url, NULL, FT_HTTP_JSON);
    struct ft_err err = { 0 };

    if (host->http(call, &req, answered, arg, &err) < 0)
        end_fail(call, err.class ? err.class : FT_INVALID, "%s", err.text);
}

/* ---- Locating an incident ---- */

/* A value within an encoded query: '^' parts conditions, and is doubled. */
static const char *query_value(struct ft_call *call, const char *text)
{
    char *safe = host->alloc(call, strlen(text) * 2 + 1), *to = safe;

    for (; *text; text++) {
        *to++ = *text;
        if (*text == '^')
            *to++ = '^';
    }
    *to = '\0';
    return safe;
}

static const char *correlation(struct ft_call *call)
{
    return param(call, "correlation_id") ?: host->printf(call, "fettle-%s", host->run_id(call));
}

static const char *list_url(struct ft_call *call, const char *query)
{
    return host->printf(call, "%s/api/now/table/%s?sysparm_query=%s&sysparm_fields=%s&sysparm_limit=20&sysparm_exclude_reference_link=true", base_url(call),
                        table(call), host->url_escape(call, query), FIELDS);
}

static bool is_active(const json_t *record)
{
    const json_t *active = json_object_get(record, "active");
    const char *text = json_string_value(active);

    return json_is_true(active) || (text && (strcmp(text, "true") == 0 || strcmp(text, "1") == 0));
}

/* ServiceNow drops conditions that it does not understand, and then finds too much. */
static bool is_meant(struct ft_call *call, const json_t *record)
{
    const char *number = param(call, "number"), *id = param(call, "sys_id"), *about = param(call, "about");

    if (number)
        return strcmp(text_of(record, "number") ?: "", number) == 0;
    if (id)
        return strcmp(text_of(record, "sys_id") ?: "", id) == 0;
    if (about)
        return strcasestr(text_of(record, "short_description") ?: "", about) && is_active(record);
    return strcmp(text_of(record, "correlation_id") ?: "", correlation(call)) == 0;
}

static void list_seen(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    struct ticket *st = host->state(call);
    const json_t *list = json_object_get(res->json, "result");
    located_fn *then = *(located_fn **)arg;
    json_t *record;
    size_t i;

    if (res->error) {
        fail_with(call, res);
        return;
    }
    if (!json_is_array(list)) {
        end_fail(call, FT_INVALID, "%s answered, but not as ServiceNow's Table API does: is this the instance's address?", base_url(call));
        return;
    }
    st->all = hold(call, json_array());
    json_array_foreach(list, i, record) {
        if (!is_meant(call, record))
            continue;
        json_array_append(st->all, record);
        if (!st->record || (is_active(record) && !is_active(st->record)))
            st->record = record;                     /* lives in st->all */
    }
    then(call, st);
}

/* Goes on with st->record set, or NULL. */
static void locate(struct ft_call *call, located_fn *then)
{
    const char *number = param(call, "number"), *id = param(call, "sys_id"), *about = param(call, "about"), *query;
    located_fn **arg = host->alloc(call, sizeof(*arg));

    *arg = then;
    if (number)
        query = host->printf(call, "number=%s", query_value(call, number));
    else if (id)
        query = host->printf(call, "sys_id=%s", query_value(call, id));
    else if (about)
        query = host->printf(call, "active=true^short_descriptionLIKE%s^ORDERBYDESCsys_created_on", query_value(call, about));
    else
        query = host->printf(call, "correlation_id=%s^ORDERBYDESCsys_created_on", query_value(call, correlation(call)));
    get(call, list_url(call, query), list_seen, arg);
}

/* ---- Values ---- */

static const struct { const char *name, *value; } states[] = {
    { "new", "1" }, { "in_progress", "2" }, { "on_hold", "3" }, { "resolved", "6" }, { "closed", "7" }, { "canceled", "8" },
};

static const char *state_value(struct ft_call *call, const char *name)
{
    const json_t *mapped = json_object_get(json_object_get(host->config(call), "states"), name);

    if (mapped)
        return host->printf(call, "%d", (int)json_integer_value(mapped));
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        if (strcmp(states[i].name, name) == 0)
            return states[i].value;
    }
    return NULL;
}

static const char *state_name(struct ft_call *call, const char *value)
{
    for (size_t i = 0; value && i < sizeof(states) / sizeof(states[0]); i++) {
        if (strcmp(state_value(call, states[i].name), value) == 0)
            return states[i].name;
    }
    return value;
}

/* Priority is computed by ServiceNow from these two; the table is that of an untouched instance. */
static void set_severity(struct ft_call *call, json_t *body, const char *severity)
{
    static const struct { const char *name; int impact, urgency; } usual[] = { { "P1", 1, 1 }, { "P2", 1, 2 }, { "P3", 2, 2 }, { "P4", 3, 2 } };
    const json_t *mapped = json_object_get(json_object_get(host->config(call), "severities"), severity);

    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
        if (strcmp(usual[i].name, severity) != 0)
            continue;
        json_object_set_new(body, "impact", json_sprintf("%d", mapped ? (int)json_integer_value(json_object_get(mapped, "impact")) : usual[i].impact));
        json_object_set_new(body, "urgency", json_sprintf("%d", mapped ? (int)json_integer_value(json_object_get(mapped, "urgency")) : usual[i].urgency));
    }
}

/* A note carries a mark by which a probe finds it again. */
static const char *note_mark(struct ft_call *call, const char *text)
{
    uint32_t hash = 2166136261u;

    for (const char *p = text; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 16777619u;
    return host->printf(call, "(fettle run %s, note %08x)", host->run_id(call), hash);
}

static const char *marked(struct ft_call *call, const char *text)
{
    return host->printf(call, "%s\n\n%s", text, note_mark(call, text));
}

static const char *clip(struct ft_call *call, const char *text)
{
    size_t n = MAX_DESCRIPTION;

    if (strlen(text) <= n)
        return text;
    while (n && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;                                          /* not in the middle of a character */
    return host->printf(call, "%.*s\n… (the whole text is in the work notes)", (int)n, text);
}

static void copy_fields(json_t *body, const json_t *fields)
{
    if (fields)
        json_object_update(body, (json_t *)fields);
}

static void set_if(json_t *body, const char *field, const char *value)
{
    if (value)
        json_object_set_new(body, field, json_string(value));
}

static bool is_resolved(struct ft_call *call, const json_t *record, const char *wanted)
{
    const char *state = state_name(call, text_of(record, "state"));

    return state && (strcmp(state, wanted) == 0 || strcmp(state, "closed") == 0);
}

static json_t *facts(struct ft_call *call, const json_t *record)
{
    const char *id = text_of(record, "sys_id");
    const char *priority = text_of(record, "priority");

    return json_pack("{s:s?, s:s?, s:s?, s:s?, s:o, s:s?, s:o, s:b}", "number", text_of(record, "number"), "sys_id", id,
                     "state", state_name(call, text_of(record, "state")), "title", text_of(record, "short_description"),
                     "priority", priority && isdigit((unsigned char)*priority) ? json_integer(*priority - '0') : json_null(),
                     "updated_at", text_of(record, "sys_updated_on"),
                     "url", id ? json_sprintf("%s/nav_to.do?uri=%s.do?sys_id=%s", base_url(call), table(call), id) : json_null(), "active", is_active(record));
}

/* ---- Planning and sending ---- */

static struct ft_http_req built_request(struct ft_call *call, struct ticket *st)
{
    struct ft_http_req req = request(call, st->method, st->url, st->raw ? NULL : st->body, FT_HTTP_JSON | FT_HTTP_WRITE);
    size_t n = st->headers[1].name ? 2 : 1;

    if (st->raw) {
        req.body = st->raw;
        req.body_len = st->raw_len;
        st->headers[n] = (struct ft_http_header){ "Content-Type", st->content_type };
        if (n == 1)
            st->headers[2] = (struct ft_http_header){ NULL, NULL };
    }
    return req;
}

static void plan_done(struct ft_call *call, struct ticket *st)
{
    struct ft_http_req req = built_request(call, st);

    end_done(call, json_pack("{s:s, s:[o], s:O*, s:o*, s:O*}", "summary", st->summary, "requests", host->http_render(call, &req), "changes", st->changes,
                             "before", st->record ? facts(call, st->record) : NULL, "receipt", st->receipt));
}

static void plan_nothing(struct ft_call *call, struct ticket *st, const char *summary)
{
    end_done(call, json_pack("{s:s, s:[], s:b, s:O*}", "summary", summary, "requests", "nothing_to_do", 1, "receipt", st->receipt));
}

/* Of what was sent, what matters must be there. (Texts may be trimmed, and references are answered as sys_ids, whatever was sent.) */
static const char *dropped_field(const json_t *body, const json_t *record, bool is_new)
{
    static const char *const checked[] = { "correlation_id", "state", "impact", "urgency", "parent_incident", "problem_id", "rfc" };
    size_t n = is_new ? 1 : sizeof(checked) / sizeof(checked[0]);      /* a new one without its correlation id would be opened again and again */

    for (size_t i = 0; i < n; i++) {
        const char *to = text_of(body, checked[i]), *have = text_of(record, checked[i]);

        if (to && have && strcmp(to, have) != 0)
            return checked[i];
    }
    return NULL;
}

static void sent(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    struct ticket *st = host->state(call);
    const json_t *record = json_object_get(res->json, "result");
    void (*then)(struct ft_call *, struct ticket *, const json_t *) = *(void (**)(struct ft_call *, struct ticket *, const json_t *))arg;
    const char *dropped;

    if (res->error) {
        fail_with(call, res);
        return;
    }
    if (!json_is_object(record)) {
        end_fail(call, FT_AMBIGUOUS, "%s answered the %s without the record: whether it was taken is unknown", base_url(call), st->method);
        return;
    }
    dropped = st->body ? dropped_field(st->body, record, strcmp(st->method, "POST") == 0) : NULL;
    if (dropped) {
        end_fail(call, FT_DENIED, "ServiceNow took the request and left '%s' of %s as it was: the account may not write that field", dropped,
                 text_of(record, "number") ?: "the incident");
        return;
    }
    then(call, st, record);
}

static void send_it(struct ft_call *call, struct ticket *st, void (*then)(struct ft_call *, struct ticket *, const json_t *))
{
    void (**arg)(struct ft_call *, struct ticket *, const json_t *) = host->alloc(call, sizeof(*arg));
    struct ft_http_req req = built_request(call, st);
    struct ft_err err = { 0 };

    *arg = then;
    if (host->http(call, &req, sent, arg, &err) < 0)
        end_fail(call, err.class ? err.class : FT_INVALID, "%s", err.text);
}

static void keep_then(struct ft_call *call, struct ticket *st, void (*kept)(struct ft_call *call))
{
    struct ft_err err = { 0 };

    if (host->keep(call, json_incref(st->receipt), kept, &err) < 0)
        end_fail(call, err.class, "%s", err.text);
}

/* The record that an action needs; in a plan it may not be there yet, because the run opens it. */
static bool need_record(struct ft_call *call, struct ticket *st)
{
    if (st->record)
        return true;
    if (st->phase == PHASE_PLAN && !param(call, "number") && !param(call, "sys_id")) {
        st->record = hold(call, json_pack("{s:s, s:s}", "sys_id", "(of the incident that this run opens)", "number", "the run's incident"));
        return true;
    }
    end_fail(call, FT_NOT_FOUND, "ServiceNow has no incident %s",
             param(call, "number") ?: param(call, "sys_id") ?: host->printf(call, "with correlation id %s", correlation(call)));
    return false;
}

/* ---- find ---- */

static void found(struct ft_call *call, struct ticket *st)
{
    json_t *result = st->record ? facts(call, st->record) : facts(call, NULL), *list = json_array(), *record;
    size_t i;

    json_array_foreach(st->all, i, record)
        json_array_append_new(list, facts(call, record));
    json_object_update_new(result, json_pack("{s:b, s:i, s:o}", "found", st->record != NULL, "count", (int)json_array_size(list), "tickets", list));
    end_done(call, result);
}

static int find_run(struct ft_call *call, struct ft_err *reterr)
{
    int r = begin(call, PHASE_RUN, reterr);

    if (r == 0)
        locate(call, found);
    return r;
}

/* ---- open ---- */

static void build_open(struct ft_call *call, struct ticket *st)
{
    const json_t *params = host->params(call), *config = st->config;
    const char *text = param(call, "text") ?: "";

    st->body = hold(call, json_pack("{s:s, s:s, s:s, s:s}", "short_description", param(call, "title"), "description", clip(call, text),
                                    "correlation_id", correlation(call), "correlation_display", "fettle"));
    set_severity(call, st->body, param(call, "severity"));
    set_if(st->body, "assignment_group", param(call, "assignment_group") ?: text_of(config, "assignment_group"));
    set_if(st->body, "caller_id", param(call, "caller") ?: text_of(config, "caller"));
    set_if(st->body, "category", param(call, "category") ?: text_of(config, "category"));
    set_if(st->body, "cmdb_ci", param(call, "ci"));
    if (strlen(text) > MAX_DESCRIPTION)
        set_if(st->body, "work_notes", text);
    copy_fields(st->body, json_object_get(params, "fields"));
    st->method = "POST";
    st->url = record_url(call, NULL);
    st->summary = host->printf(call, "open a %s incident: %s", param(call, "severity"), param(call, "title"));
}

static json_t *open_receipt(struct ft_call *call, const json_t *record, bool existed)
{
    return json_pack("{s:s, s:b, s:s?, s:s?}", "correlation_id", correlation(call), "existed", existed, "sys_id", text_of(record, "sys_id"),
                     "number", text_of(record, "number"));
}

static json_t *open_result(struct ft_call *call, const json_t *record, const json_t *receipt)
{
    json_t *result = facts(call, record);

    json_object_set_new(result, "created", json_boolean(!json_is_true(json_object_get(receipt, "existed"))));
    json_object_set_new(result, "correlation_id", json_string(correlation(call)));
    return result;
}

static void open_recorded(struct ft_call *call)
{
    const struct ticket *st = host->state(call);

    end_done(call, open_result(call, st->record, st->receipt));
}

static void opened(struct ft_call *call, struct ticket *st, const json_t *record)
{
    st->record = hold(call, json_incref((json_t *)record));
    st->receipt = hold(call, open_receipt(call, record, false));
    keep_then(call, st, open_recorded);
}

static void open_kept(struct ft_call *call)
{
    struct ticket *st = host->state(call);

    if (st->record)
        open_recorded(call);
    else
        send_it(call, st, opened);
}

static void open_located(struct ft_call *call, struct ticket *st)
{
    if (st->record && (!is_active(st->record) || is_resolved(call, st->record, "resolved")))
        st->record = NULL;                            /* of an earlier occurrence, resolved since */
    st->receipt = hold(call, open_receipt(call, st->record, st->record != NULL));
    if (st->phase == PHASE_PROBE) {
        end_done(call, json_pack("{s:b, s:o*, s:o*}", "happened", st->record != NULL, "seen", st->record ? facts(call, st->record) : NULL,
                                 "result", st->record ? open_result(call, st->record, host->receipt(call)) : NULL));
        return;
    }
    build_open(call, st);
    if (st->phase == PHASE_RUN)
        keep_then(call, st, open_kept);
    else if (st->record)
        plan_nothing(call, st, host->printf(call, "%s is open already", text_of(st->record, "number")));
    else
        plan_done(call, st);
}

static int open_start(struct ft_call *call, enum phase phase, struct ft_err *reterr)
{
    int r = begin(call, phase, reterr);

    if (r == 0)
        locate(call, open_located);
    return r;
}

static void undo_sent(struct ft_call *call, struct ticket *st, const json_t *record)
{
    (void)st;
    end_done(call, json_pack("{s:b, s:o}", "undone", 1, "ticket", facts(call, record)));
}

static void cancel_located(struct ft_call *call, struct ticket *st)
{
    if (!st->record || !is_active(st->record)) {
        end_done(call, json_pack("{s:b, s:n}", "undone", 0, "ticket"));
        return;
    }
    st->body = hold(call, json_pack("{s:s, s:s, s:s, s:s}", "state", state_value(call, "canceled"),
                                    "close_code", text_of(st->config, "close_code") ?: "Solution provided", "close_notes", "Taken back",
                                    "work_notes", marked(call, "The run that opened this incident was taken back, so it is cancelled.")));
    st->method = "PATCH";
    st->url = record_url(call, text_of(st->record, "sys_id"));
    send_it(call, st, undo_sent);
}

static int open_undo(struct ft_call *call, struct ft_err *reterr)
{
    int r = begin(call, PHASE_UNDO, reterr);

    if (r < 0)
        return r;
    if (json_is_true(json_object_get(host->receipt(call), "existed")))
        host->done(call, json_pack("{s:b, s:n}", "undone", 0, "ticket"));     /* it was somebody else's */
    else
        locate(call, cancel_located);
    return 0;
}

/* ---- update ---- */

static void patch_done(struct ft_call *call, struct ticket *st, const json_t *record)
{
    (void)st;
    end_done(call, facts(call, record));
}

static void patch_kept(struct ft_call *call)
{
    struct ticket *st = host->state(call);

    send_it(call, st, patch_done);
}

/* What undo would put back, and what people see. */
static void note_change(struct ft_call *call, struct ticket *st, const char *field)
{
    const char *to = text_of(st->body, field), *from = text_of(st->record, field);

    if (!to)
        return;
    if (!st->changes)
        st->changes = hold(call, json_array());
    json_array_append_new(st->changes, json_pack("{s:s, s:s?, s:s}", "path", field, "from", from, "to", to));
    json_object_set_new(json_object_get(st->receipt, "before"), field, from ? json_string(from) : json_null());
}

static void patch_ready(struct ft_call *call, struct ticket *st)
{
    st->method = "PATCH";
    st->url = record_url(call, text_of(st->record, "sys_id"));
    if (st->phase == PHASE_PLAN)
        plan_done(call, st);
    else
        keep_then(call, st, patch_kept);
}

static void patch_receipt(struct ft_call *call, struct ticket *st)
{
    st->receipt = hold(call, json_pack("{s:s?, s:s?, s:{}}", "sys_id", text_of(st->record, "sys_id"), "number", text_of(st->record, "number"), "before"));
}

static void update_located(struct ft_call *call, struct ticket *st)
{
    const char *note = param(call, "note"), *state = param(call, "state"), *severity = param(call, "severity");

    if (!need_record(call, st))
        return;
    patch_receipt(call, st);
    st->body = hold(call, json_object());
    if (note)
        set_if(st->body, json_is_true(json_object_get(host->params(call), "customer_visible")) ? "comments" : "work_notes", marked(call, note));
    if (state)
        set_if(st->body, "state", state_value(call, state));
    if (severity)
        set_severity(call, st->body, severity);
    copy_fields(st->body, json_object_get(host->params(call), "fields"));
    note_change(call, st, "state");
    note_change(call, st, "impact");
    note_change(call, st, "urgency");
    st->summary = host->printf(call, "update %s%s", text_of(st->record, "number"), note ? " with a note" : "");
    patch_ready(call, st);
}

static int update_start(struct ft_call *call, enum phase phase, struct ft_err *reterr)
{
    int r = begin(call, phase, reterr);

    if (r == 0)
        locate(call, update_located);
    return r;
}

static void journal_seen(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    const struct ticket *st = host->state(call);
    const json_t *list = json_object_get(res->json, "result");
    const char *mark = note_mark(call, param(call, "note"));
    bool there = false;
    json_t *entry;
    size_t i;

    (void)arg;
    if (res->error) {
        fail_with(call, res);
        return;
    }
    json_array_foreach(list, i, entry)
        there = there || strstr(text_of(entry, "value") ?: "", mark) != NULL;
    end_done(call, json_pack("{s:b, s:{s:i}, s:o}", "happened", there, "seen", "notes", (int)json_array_size(list), "result", facts(call, st->record)));
}

static void probe_located(struct ft_call *call, struct ticket *st)
{
    bool visible = json_is_true(json_object_get(host->params(call), "customer_visible"));
    const char *query;

    if (!need_record(call, st))
        return;
    if (!param(call, "note")) {
        end_fail(call, FT_INVALID, "an update without a note leaves no mark by which it could be found");
        return;
    }
    query = host->printf(call, "element_id=%s^element=%s^ORDERBYDESCsys_created_on", text_of(st->record, "sys_id"), visible ? "comments" : "work_notes");
    get(call, host->printf(call, "%s/api/now/table/sys_journal_field?sysparm_query=%s&sysparm_fields=value,element_id&sysparm_limit=100", base_url(call),
                           host->url_escape(call, query)), journal_seen, NULL);
}

static int update_probe(struct ft_call *call, struct ft_err *reterr)
{
    int r = begin(call, PHASE_PROBE, reterr);

    if (r == 0)
        locate(call, probe_located);
    return r;
}

/* ---- resolve and close ---- */

static void close_located(struct ft_call *call, struct ticket *st, const char *wanted)
{
    if (!need_record(call, st))
        return;
    patch_receipt(call, st);
    if (st->phase == PHASE_PROBE) {
        end_done(call, json_pack("{s:b, s:o, s:o}", "happened", is_resolved(call, st->record, wanted), "seen", facts(call, st->record),
                                 "result", facts(call, st->record)));
        return;
    }
    if (is_resolved(call, st->record, wanted)) {
        if (st->phase == PHASE_PLAN)
            plan_nothing(call, st, host->printf(call, "%s is %s already", text_of(st->record, "number"), wanted));
        else
            end_done(call, facts(call, st->record));
        return;
    }
    st->body = hold(call, json_pack("{s:s, s:s, s:s}", "state", state_value(call, wanted), "close_code",
                                    param(call, "close_code") ?: text_of(st->config, "close_code") ?: "Solution provided", "close_notes", param(call, "notes")));
    set_if(st->body, "work_notes", param(call, "note") ? marked(call, param(call, "note")) : NULL);
    copy_fields(st->body, json_object_get(host->params(call), "fields"));
    note_change(call, st, "state");
    st->summary = host->printf(call, "%s %s", strcmp(wanted, "closed") == 0 ? "close" : "resolve", text_of(st->record, "number"));
    patch_ready(call, st);
}

static void resolve_located(struct ft_call *call, struct ticket *st) { close_located(call, st, "resolved"); }
static void closing_located(struct ft_call *call, struct ticket *st) { close_located(call, st, "closed"); }

static int close_start(struct ft_call *call, enum phase phase, located_fn *then, struct ft_err *reterr)
{
    int r = begin(call, phase, reterr);

    if (r == 0)
        locate(call, then);
    return r;
}

static void reopen_located(struct ft_call *call, struct ticket *st)
{
    const json_t *before = json_object_get(host->receipt(call), "before");
    const char *field;
    json_t *value;

    if (!need_record(call, st))
        return;
    if (json_object_size(before) == 0) {
        end_done(call, json_pack("{s:b, s:o}", "undone", 0, "ticket", facts(call, st->record)));
        return;
    }
    st->body = hold(call, json_pack("{s:s}", "work_notes", marked(call, "The run that changed this incident was taken back: as it was before.")));
    json_object_foreach((json_t *)before, field, value)
        json_object_set_new(st->body, field, json_string(json_string_value(value) ?: ""));
    st->method = "PATCH";
    st->url = record_url(call, text_of(st->record, "sys_id"));
    send_it(call, st, undo_sent);
}

static int reopen_undo(struct ft_call *call, struct ft_err *e) { return close_start(call, PHASE_UNDO, reopen_located, e); }

/* ---- attach ---- */

static json_t *attachment_facts(struct ft_call *call, const struct ticket *st, const json_t *record)
{
    json_t *result = facts(call, st->record);

    json_object_update_new(result, json_pack("{s:s?, s:s?, s:I}", "attachment_id", text_of(record, "sys_id"), "file_name", text_of(record, "file_name"),
                                             "size_bytes", (json_int_t)strlen(param(call, "text"))));
    return result;
}

static void attachment_kept(struct ft_call *call)
{
    struct ticket *st = host->state(call);

    end_done(call, attachment_facts(call, st, st->changes));      /* the attachment's record */
}

static void attached(struct ft_call *call, struct ticket *st, const json_t *record)
{
    st->changes = hold(call, json_incref((json_t *)record));
    json_object_set_new(st->receipt, "attachment_id", json_string(text_of(record, "sys_id") ?: ""));
    keep_then(call, st, attachment_kept);
}

static void attach_kept(struct ft_call *call)
{
    send_it(call, host->state(call), attached);
}

static void attach_located(struct ft_call *call, struct ticket *st)
{
    const char *name = param(call, "file_name");

    if (!need_record(call, st))
        return;
    patch_receipt(call, st);
    st->raw = param(call, "text");
    st->raw_len = strlen(st->raw);
    st->content_type = param(call, "content_type");
    st->method = "POST";
    st->url = host->printf(call, "%s/api/now/attachment/file?table_name=%s&table_sys_id=%s&file_name=%s", base_url(call), table(call),
                           host->url_escape(call, text_of(st->record, "sys_id")), host->url_escape(call, name));
    st->summary = host->printf(call, "attach %s (%zu bytes) to %s", name, st->raw_len, text_of(st->record, "number"));
    if (st->phase == PHASE_PLAN)
        plan_done(call, st);
    else
        keep_then(call, st, attach_kept);
}

static int attach_run(struct ft_call *call, struct ft_err *e) { return close_start(call, PHASE_RUN, attach_located, e); }
static int attach_plan(struct ft_call *call, struct ft_err *e) { return close_start(call, PHASE_PLAN, attach_located, e); }

static void attachment_deleted(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    (void)arg;
    if (res->error && res->status != 404)
        fail_with(call, res);
    else
        end_done(call, json_pack("{s:b, s:n}", "undone", res->status != 404, "ticket"));
}

static int attach_undo(struct ft_call *call, struct ft_err *reterr)
{
    const char *id = text_of(host->receipt(call), "attachment_id");
    int r = begin(call, PHASE_UNDO, reterr);
    struct ft_http_req req;

    if (r < 0)
        return r;
    if (!id || !*id)
        return fault(reterr, FT_INVALID, "the attachment's id was not learned, so it cannot be deleted: delete it by hand");
    req = request(call, "DELETE", host->printf(call, "%s/api/now/attachment/%s", base_url(call), host->url_escape(call, id)), NULL, FT_HTTP_WRITE);
    return host->http(call, &req, attachment_deleted, NULL, reterr);
}

static void attachments_seen(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    const struct ticket *st = host->state(call);
    const json_t *list = json_object_get(res->json, "result"), *ours = NULL;
    json_t *item;
    size_t i;

    (void)arg;
    if (res->error) {
        fail_with(call, res);
        return;
    }
    json_array_foreach(list, i, item) {
        if (strcmp(text_of(item, "file_name") ?: "", param(call, "file_name")) == 0
            && strcmp(text_of(item, "table_sys_id") ?: "", text_of(st->record, "sys_id")) == 0)
            ours = item;
    }
    end_done(call, json_pack("{s:b, s:{s:i}, s:o}", "happened", ours != NULL, "seen", "attachments", (int)json_array_size(list), "result",
                             attachment_facts(call, st, ours)));
}

static void attachments_located(struct ft_call *call, struct ticket *st)
{
    const char *query;

    if (!need_record(call, st))
        return;
    query = host->printf(call, "table_sys_id=%s^file_name=%s", text_of(st->record, "sys_id"), query_value(call, param(call, "file_name")));
    get(call, host->printf(call, "%s/api/now/attachment?sysparm_query=%s&sysparm_limit=20", base_url(call), host->url_escape(call, query)), attachments_seen, NULL);
}

static int attach_probe(struct ft_call *call, struct ft_err *e) { return close_start(call, PHASE_PROBE, attachments_located, e); }

/* ---- link: to a parent incident, a problem or a change ---- */

static const struct { const char *param, *field, *table; } links[] = {
    { "parent", "parent_incident", "incident" }, { "problem", "problem_id", "problem" }, { "change", "rfc", "change_request" },
};

static size_t link_kind(struct ft_call *call)
{
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        if (param(call, links[i].param))
            return i;
    }
    return 0;
}

static void other_seen(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    struct ticket *st = host->state(call);
    size_t k = link_kind(call), i;
    const char *wanted = param(call, links[k].param), *id = NULL;
    json_t *item;

    (void)arg;
    if (res->error) {
        fail_with(call, res);
        return;
    }
    json_array_foreach(json_object_get(res->json, "result"), i, item) {
        if (strcmp(text_of(item, "number") ?: "", wanted) == 0)
            id = text_of(item, "sys_id");
    }
    if (!id) {
        end_fail(call, FT_NOT_FOUND, "ServiceNow has no %s %s", links[k].table, wanted);
        return;
    }
    patch_receipt(call, st);
    st->body = hold(call, json_pack("{s:s}", links[k].field, id));
    note_change(call, st, links[k].field);
    st->summary = host->printf(call, "link %s to %s", text_of(st->record, "number"), wanted);
    if (st->phase == PHASE_PROBE)
        end_done(call, json_pack("{s:b, s:o, s:o}", "happened", strcmp(text_of(st->record, links[k].field) ?: "", id) == 0, "seen", facts(call, st->record),
                                 "result", facts(call, st->record)));
    else
        patch_ready(call, st);
}

static void link_located(struct ft_call *call, struct ticket *st)
{
    size_t k = link_kind(call);
    const char *query;

    if (!need_record(call, st))
        return;
    query = host->printf(call, "number=%s", query_value(call, param(call, links[k].param)));
    get(call, host->printf(call, "%s/api/now/table/%s?sysparm_query=%s&sysparm_fields=number,sys_id&sysparm_limit=2", base_url(call), links[k].table,
                           host->url_escape(call, query)), other_seen, NULL);
}

static void unlink_located(struct ft_call *call, struct ticket *st)
{
    const json_t *before = json_object_get(host->receipt(call), "before");
    const char *field = links[link_kind(call)].field;

    if (!need_record(call, st))
        return;
    st->body = hold(call, json_pack("{s:s}", field, text_of(before, field) ?: ""));
    st->method = "PATCH";
    st->url = record_url(call, text_of(st->record, "sys_id"));
    send_it(call, st, undo_sent);
}

#define ENTRY(name, phase, then) static int name(struct ft_call *call, struct ft_err *e) { return close_start(call, phase, then, e); }
ENTRY(link_run, PHASE_RUN, link_located)
ENTRY(link_plan, PHASE_PLAN, link_located)
ENTRY(link_probe, PHASE_PROBE, link_located)
ENTRY(link_undo, PHASE_UNDO, unlink_located)
ENTRY(resolve_run, PHASE_RUN, resolve_located)
ENTRY(resolve_plan, PHASE_PLAN, resolve_located)
ENTRY(resolve_probe, PHASE_PROBE, resolve_located)
ENTRY(close_run, PHASE_RUN, closing_located)
ENTRY(close_plan, PHASE_PLAN, closing_located)
ENTRY(close_probe, PHASE_PROBE, closing_located)

static int open_run(struct ft_call *call, struct ft_err *e) { return open_start(call, PHASE_RUN, e); }
static int open_plan(struct ft_call *call, struct ft_err *e) { return open_start(call, PHASE_PLAN, e); }
static int open_probe(struct ft_call *call, struct ft_err *e) { return open_start(call, PHASE_PROBE, e); }
static int update_run(struct ft_call *call, struct ft_err *e) { return update_start(call, PHASE_RUN, e); }
static int update_plan(struct ft_call *call, struct ft_err *e) { return update_start(call, PHASE_PLAN, e); }

/* ---- Description ---- */

#define WHICH \
    JSON("number": {"type": "string", "pattern": "^[A-Z]{2,8}[0-9]+$", "description": "the incident's number, INC0012345"}, \
         "sys_id": {"type": "string", "pattern": "^[0-9a-f]{32}$", "description": "its sys_id"}, \
         "correlation_id": {"type": "string", "minLength": 1, "maxLength": 100, "description": "its correlation id; fettle-<run> when nothing else is given: the incident of this run"})
#define SEVERITY JSON({"enum": ["P1", "P2", "P3", "P4"], "description": "severity of the runbook; becomes impact and urgency"})
#define EXTRA JSON("fields": {"type": "object", "additionalProperties": {"type": "string"}, "description": "further fields of the table, by ServiceNow's names, as they are"})
#define OBJECT(required, properties) "{\"type\": \"object\", \"additionalProperties\": false" required ", \"properties\": {" properties "}}"

static const char find_params[] = OBJECT("", WHICH ", "
    JSON("about": {"type": "string", "minLength": 3, "description": "words in the title of an open incident: a client, an access point"}));
static const char open_params[] = OBJECT(", \"required\": [\"title\"]",
    JSON("title": {"type": "string", "minLength": 1, "maxLength": 160, "description": "one line: what is wrong, and where"},
         "text": {"type": "string", "maxLength": 60000, "default": "", "description": "the description; what is over 3900 bytes goes to the work notes as well"},
         "correlation_id": {"type": "string", "minLength": 1, "maxLength": 100, "description": "found by this again; fettle-<run> when left out"},
         "ci": {"type": "string", "description": "configuration item: its sys_id"}, "caller": {"type": "string", "description": "who reported it: user name or sys_id"},
         "category": {"type": "string", "description": "category of the table"}, "assignment_group": {"type": "string", "description": "group that gets it: its sys_id"})
    ", \"severity\": {\"enum\": [\"P1\", \"P2\", \"P3\", \"P4\"], \"default\": \"P3\", \"description\": \"severity of the runbook; becomes impact and urgency\"}, " EXTRA);
static const char update_params[] = OBJECT(", \"anyOf\": [{\"required\": [\"note\"]}, {\"required\": [\"state\"]}, {\"required\": [\"severity\"]}, {\"required\": [\"fields\"]}]",
    JSON("note": {"type": "string", "minLength": 1, "maxLength": 60000, "description": "work note"},
         "customer_visible": {"type": "boolean", "default": false, "description": "true: the note is a comment that the caller sees and is mailed"},
         "state": {"enum": ["new", "in_progress", "on_hold"], "description": "state to put it in"}) ", \"severity\": " SEVERITY ", " WHICH ", " EXTRA);
static const char close_params[] = OBJECT(", \"required\": [\"notes\"]",
    JSON("notes": {"type": "string", "minLength": 1, "maxLength": 4000, "description": "what was done (close_notes)"},
         "close_code": {"type": "string", "description": "resolution code; the configuration's when left out"},
         "note": {"type": "string", "minLength": 1, "maxLength": 60000, "description": "work note besides"}) ", " WHICH ", " EXTRA);
static const char attach_params[] = OBJECT(", \"required\": [\"file_name\", \"text\"]",
    JSON("file_name": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,98}$", "description": "name of the file: evidence.txt"},
         "text": {"type": "string", "minLength": 1, "maxLength": 4000000, "description": "what is in it"},
         "content_type": {"type": "string", "pattern": "^[a-z]+/[A-Za-z0-9.+-]+(; charset=[A-Za-z0-9-]+)?$", "default": "text/plain; charset=utf-8", "description": "its media type"}) ", " WHICH);
static const char link_params[] = OBJECT(", \"oneOf\": [{\"required\": [\"parent\"]}, {\"required\": [\"problem\"]}, {\"required\": [\"change\"]}]",
    JSON("parent": {"type": "string", "pattern": "^[A-Z]{2,8}[0-9]+$", "description": "number of the parent incident"},
         "problem": {"type": "string", "pattern": "^[A-Z]{2,8}[0-9]+$", "description": "number of the problem"},
         "change": {"type": "string", "pattern": "^[A-Z]{2,8}[0-9]+$", "description": "number of the change request that resolves it"}) ", " WHICH);

#define TICKET_PROPERTIES \
    JSON("number": {"type": ["string", "null"], "description": "the incident's number"}, "sys_id": {"type": ["string", "null"], "description": "its sys_id"}, \
         "state": {"type": ["string", "null"], "description": "new, in_progress, on_hold, resolved, closed, canceled; else ServiceNow's own value"}, \
         "title": {"type": ["string", "null"], "description": "short description"}, \
         "priority": {"type": ["integer", "null"], "description": "1 (critical) to 5, as ServiceNow computed it"}, \
         "updated_at": {"type": ["string", "null"], "description": "last change, UTC (YYYY-MM-DD HH:MM:SS)"}, \
         "url": {"type": ["string", "null"], "description": "where a browser shows it"}, "active": {"type": "boolean", "description": "not closed, not cancelled"})
#define RESULT(more) "{\"type\": \"object\", \"properties\": {" TICKET_PROPERTIES more "}}"

static const char find_result[] = RESULT(", " JSON("found": {"type": "boolean", "description": "there is one (the other fields are null when not)"},
    "count": {"type": "integer", "description": "how many were found, at most 20"},
    "tickets": {"type": "array", "items": {"type": "object", "additionalProperties": true}, "description": "all that were found; the fields above are of the newest active one"}));
static const char open_result_schema[] = RESULT(", " JSON("created": {"type": "boolean", "description": "false: it was open already"},
    "correlation_id": {"type": "string", "description": "by which it is found again"}));
static const char ticket_result[] = RESULT("");
static const char attach_result[] = RESULT(", " JSON("attachment_id": {"type": ["string", "null"], "description": "sys_id of the attachment"},
    "file_name": {"type": ["string", "null"], "description": "name of the file"}, "size_bytes": {"type": "integer", "description": "bytes sent"}));

static void cancelled(struct ft_call *call) { release(call); }

#define ACTION(c_name, a_name, what, effect, in, out) \
    static const struct ft_action c_name = { .size = sizeof(c_name), .name = a_name, .summary = what, .effects = effect, .params_schema = in, \
        .result_schema = out, .state_size = sizeof(struct ticket), .timeout_ms = 60000,

ACTION(a_find, "find", "find incidents", FT_EFFECT_READ, find_params, find_result)
    .run = { find_run, cancelled },
    .about = "By number, sys_id, correlation id, or words in the title of an open one. Finding none is a result.",
    .example = "run: ticket.find\nwith: {about: \"${client}\"}\n" };
ACTION(a_open, "open", "open an incident, once", FT_EFFECT_WRITE, open_params, open_result_schema)
    .run = { open_run, cancelled }, .plan = { open_plan, cancelled }, .undo = { open_undo, cancelled }, .probe = { open_probe, cancelled },
    .about = "Looks first for an active incident with the correlation id and gives that one. Undo cancels an incident that this step opened, with a note; "
             "one that was there before is left alone.",
    .example = "run: ticket.open\nwith:\n  title: \"Client ${client} gets no address\"\n  severity: P3\n  text: \"${evidence}\"\nundo: auto\n" };
ACTION(a_update, "update", "add a note, or change state or severity", FT_EFFECT_WRITE, update_params, ticket_result)
    .run = { update_run, cancelled }, .plan = { update_plan, cancelled }, .undo = { reopen_undo, cancelled }, .probe = { update_probe, cancelled },
    .about = "A note ends with a mark (fettle run …) by which it is found again after a crash. Undo puts state and severity back; a note stays, as ServiceNow keeps all notes.",
    .example = "run: ticket.update\nwith: {number: \"${ticket.number}\", note: \"Pool of VLAN 110 is full\", state: in_progress}\nundo: none\n" };
ACTION(a_attach, "attach", "attach a text file", FT_EFFECT_WRITE, attach_params, attach_result)
    .run = { attach_run, cancelled }, .plan = { attach_plan, cancelled }, .undo = { attach_undo, cancelled }, .probe = { attach_probe, cancelled },
    .about = "Undo deletes the attachment.", .example = "run: ticket.attach\nwith: {file_name: evidence.txt, text: \"${evidence}\"}\nundo: auto\n" };
ACTION(a_resolve, "resolve", "resolve an incident", FT_EFFECT_WRITE, close_params, ticket_result)
    .run = { resolve_run, cancelled }, .plan = { resolve_plan, cancelled }, .undo = { reopen_undo, cancelled }, .probe = { resolve_probe, cancelled },
    .about = "ServiceNow wants a resolution code and notes. Undo puts back the state that there was, with a note.",
    .example = "run: ticket.resolve\nwith: {number: \"${ticket.number}\", notes: \"38 stale leases freed; the client has an address\"}\nundo: none\n" };
ACTION(a_close, "close", "close an incident", FT_EFFECT_WRITE, close_params, ticket_result)
    .run = { close_run, cancelled }, .plan = { close_plan, cancelled }, .undo = { reopen_undo, cancelled }, .probe = { close_probe, cancelled },
    .about = "Many instances close resolved incidents by themselves after some days, and forbid it to others: then use ticket.resolve. "
             "Undo puts back the state that there was, where the instance lets it.",
    .example = "run: ticket.close\nwith: {number: \"${ticket.number}\", notes: \"No fault found\"}\nundo: none\n" };
ACTION(a_link, "link", "link an incident to its parent, a problem or a change", FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT, link_params, ticket_result)
    .run = { link_run, cancelled }, .plan = { link_plan, cancelled }, .undo = { link_undo, cancelled }, .probe = { link_probe, cancelled },
    .about = "Undo puts back the link that there was, or none.", .example = "run: ticket.link\nwith: {number: \"${ticket.number}\", parent: INC0010001}\nundo: auto\n" };

static const char config_schema[] = JSON({"type": "object", "additionalProperties": false, "properties": {
    "system": {"enum": ["servicenow"], "default": "servicenow", "description": "which ticket system it is"},
    "url": {"type": "string", "pattern": "^https?://", "description": "the instance, https://corp.service-now.com"},
    "user": {"type": "string", "description": "user of HTTP Basic"}, "password": {"type": "string", "x-secret": true, "description": "password of HTTP Basic"},
    "token": {"type": "string", "x-secret": true, "description": "OAuth access token, instead of user and password"},
    "ca_file": {"type": "string", "description": "PEM file of the authority that signed the server's certificate"},
    "table": {"type": "string", "pattern": "^[a-z0-9_]+$", "default": "incident", "description": "the table"},
    "assignment_group": {"type": "string", "description": "group that gets new incidents: its sys_id"},
    "caller": {"type": "string", "description": "who reports new incidents: user name or sys_id"},
    "category": {"type": "string", "description": "category of new incidents"},
    "close_code": {"type": "string", "default": "Solution provided", "description": "resolution code; older instances say Solved (Permanently)"},
    "states": {"type": "object", "additionalProperties": {"type": "integer"}, "description": "other values of states than ServiceNow's own: {on_hold: 5}"},
    "severities": {"type": "object", "description": "other impact and urgency of P1 to P4", "additionalProperties": {"type": "object", "required": ["impact", "urgency"],
        "additionalProperties": false, "properties": {"impact": {"type": "integer", "minimum": 1, "maximum": 3, "description": "1 high to 3 low"},
        "urgency": {"type": "integer", "minimum": 1, "maximum": 3, "description": "1 high to 3 low"}}}}}});

static int ticket_open(const struct ft_host *the_host, const json_t *config, void **ret_instance, struct ft_err *reterr)
{
    (void)config;
    (void)ret_instance;
    (void)reterr;
    host = the_host;
    return 0;
}

static const struct ft_action *const actions[] = { &a_find, &a_open, &a_update, &a_attach, &a_resolve, &a_close, &a_link, NULL };

FT_EXPORT const struct ft_plugin ft_plugin = {
    FT_PLUGIN_HEADER, .name = "ticket", .version = FETTLE_VERSION, .summary = "incidents of ServiceNow",
    .capabilities = "http", .config_schema = config_schema, .open = ticket_open, .actions = actions,
};
