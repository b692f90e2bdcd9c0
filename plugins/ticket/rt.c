/* rt.c: Request Tracker 5 by REST2.
 *
 * It has no field for a correlation id: so a ticket refers to "fettle:<id>" (a link, which can be searched for), or a custom field takes it. A change is
 * answered with 200 and a mixture of success and failure in words: so the ticket is read back, and the words are shown when something is not there. A note's
 * mark is its subject, which the history tells without the texts. PUT is a compare-and-set by ETag. RT knows resolved, and no closed. */
#include <ctype.h>
#include <stdlib.h>
#include "ticket.h"

#define LIST_FIELDS "Subject,Status,Priority,Owner,Created,LastUpdated"

/* ---- Values ---- */

static const struct { const char *name, *value; } states[] = {
    { "new", "new" }, { "in_progress", "open" }, { "on_hold", "stalled" }, { "resolved", "resolved" }, { "closed", "resolved" }, { "canceled", "rejected" },
};

static const char *state_value(const struct ticket *st, const char *name)
{
    const char *mapped = ticket_mapped(st, "states", name);

    for (size_t i = 0; !mapped && i < sizeof(states) / sizeof(states[0]); i++) {
        if (ft_same(states[i].name, name))
            mapped = states[i].value;
    }
    return mapped;
}

static const char *state_name(const struct ticket *st, const char *value)
{
    const char *mapped = ticket_unmapped(st, "states", value);

    for (size_t i = 0; !mapped && i < sizeof(states) / sizeof(states[0]); i++) {
        if (ft_same(states[i].value, value))
            mapped = states[i].name;
    }
    return mapped ?: ft_same(value, "deleted") ? "canceled" : value;
}

static int severity_value(const struct ticket *st, const char *severity)
{
    static const int usual[] = { 100, 75, 50, 25 };
    const json_t *mapped = ft_get(ft_get(st->config, "severities"), severity);

    if (json_is_integer(mapped))
        return (int)json_integer_value(mapped);
    if (json_is_string(mapped))
        return atoi(json_string_value(mapped));
    return severity[0] == 'P' && severity[1] >= '1' && severity[1] <= '4' ? usual[severity[1] - '1'] : 0;
}

/* 1 to 4 by the nearest of the four values; 5 below them all. */
static json_t *priority_of(const struct ticket *st, const char *value)
{
    char name[3] = "P1";
    int number;

    if (!value || !isdigit((unsigned char)*value))
        return json_null();
    number = atoi(value);
    for (; name[1] <= '4'; name[1]++) {
        if (number >= severity_value(st, name))
            return json_integer(name[1] - '0');
    }
    return json_integer(5);
}

static const char *link_uri(struct ft_call *call) { return host->printf(call, "fettle:%s", host->url_escape(call, ticket_correlation(call))); }

/* ---- Addresses ---- */

static void rt_sign(struct ft_call *call, struct ticket *st, struct ft_http_req *req)
{
    const char *token = ft_str(st->config, "token");

    st->headers[0] = (struct ft_http_header){ "Accept", "application/json" };
    if (token) {
        st->headers[1] = (struct ft_http_header){ "Authorization", host->printf(call, "token %s", token) };
    } else {
        req->user = ft_str(st->config, "user");
        req->password = ft_str(st->config, "password");
    }
}

static const char *url_of(struct ft_call *call, const struct ticket *st, const char *id, const char *more)
{
    return host->printf(call, "%s/REST/2.0/ticket/%s%s", ticket_base(call, st), host->url_escape(call, id ?: ""), more);
}

static const char *in_query(struct ft_call *call, const char *text) { return ticket_quoted(call, text, "'\\", '\\'); }

static const char *find_url(struct ft_call *call, const struct ticket *st)
{
    const char *text, *query, *field = ft_str(st->config, "correlation_field");

    switch (ticket_ask(call, st, &text)) {
    case BY_NUMBER:
    case BY_ID:
        return url_of(call, st, text, "");
    case BY_ABOUT:
        query = host->printf(call, "Subject LIKE '%s' AND Status = '__Active__'", in_query(call, text));
        break;
    default:
        query = field ? host->printf(call, "CF.{%s} = '%s'", in_query(call, field), in_query(call, text))
                      : host->printf(call, "RefersTo = '%s'", link_uri(call));
    }
    return host->printf(call, "%s/REST/2.0/tickets?query=%s&fields=" LIST_FIELDS "&per_page=%d&orderby=Created&order=DESC", ticket_base(call, st),
                        host->url_escape(call, query), TICKET_MAX_FOUND);
}

static bool rt_look(struct ft_call *call, struct ticket *st, enum look kind, struct request *ret)
{
    const char *id = ft_str(st->record, "id");

    switch (kind) {
    case LOOK_FIND: ret->url = find_url(call, st); return true;
    case LOOK_ONE: ret->url = url_of(call, st, id, ""); return true;
    case LOOK_NOTES: ret->url = url_of(call, st, id, "/history?fields=Type,Created,Creator,Data&per_page=100&orderby=id&order=DESC"); return true;
    case LOOK_FILES: ret->url = url_of(call, st, id, "/attachments?fields=Filename,ContentType&per_page=100&orderby=id&order=DESC"); return true;
    default: return false;
    }
}

/* ---- Reading ---- */

/* An id is a number in one place and a string in another. */
static const char *id_of(struct ft_call *call, const json_t *record)
{
    const json_t *id = ft_get(record, "id");

    return json_is_integer(id) ? host->printf(call, "%lld", (long long)json_integer_value(id)) : json_string_value(id);
}

static bool is_active(const struct ticket *st, const char *status)
{
    const char *state = state_name(st, status);

    return !ft_same(state, "resolved") && !ft_same(state, "closed") && !ft_same(state, "canceled");
}

static json_t *ticket_of(struct ft_call *call, const struct ticket *st, const json_t *record, bool meant, bool correlated)
{
    const char *id = id_of(call, record), *status = ft_str(record, "Status"), *owner = ft_str(ft_get(record, "Owner"), "id") ?: ft_str(record, "Owner");

    return json_pack("{s:s?, s:s?, s:s?, s:s?, s:s?, s:o, s:s?, s:o, s:o, s:o, s:b, s:O, s:b, s:b}", "number", id, "id", id, "state", state_name(st, status),
                     "status", status, "title", ft_str(record, "Subject"), "priority", priority_of(st, ft_str(record, "Priority")), "assignee",
                     ft_same(owner, "Nobody") ? NULL : owner, "opened_at", ticket_time(ft_str(record, "Created")), "updated_at",
                     ticket_time(ft_str(record, "LastUpdated")), "url",
                     id ? json_sprintf("%s/Ticket/Display.html?id=%s", ticket_base(call, st), id) : json_null(), "active", is_active(st, status), "_native",
                     record, "_meant", meant, "_correlated", correlated);
}

static json_t *found_of(struct ft_call *call, struct ticket *st, const json_t *answer)
{
    json_t *list, *record, *items = json_object_get(answer, "items");
    const char *text;
    size_t i;

    if (ft_same(ft_str(answer, "type"), "ticket") || ft_str(answer, "Subject") || ft_str(answer, "Status"))
        return id_of(call, answer) ? json_pack("[o]", ticket_of(call, st, answer, true, false)) : NULL;
    if (!json_is_array(items))
        return NULL;
    list = json_array();
    json_array_foreach(items, i, record) {
        if (id_of(call, record))
            json_array_append_new(list, ticket_of(call, st, record, false, ticket_ask(call, st, &text) == BY_CORRELATION));
    }
    return list;
}

static json_t *notes_of(const json_t *items)
{
    json_t *notes = json_array(), *entry;
    size_t i;

    json_array_foreach(items, i, entry) {
        const char *type = ft_str(entry, "Type"), *text = ft_str(entry, "Data") ?: "";

        if (!ft_same(type, "Comment") && !ft_same(type, "Correspond"))
            continue;
        json_array_append_new(notes,
                              json_pack("{s:o, s:s?, s:s%, s:b}", "at", ticket_time(ft_str(entry, "Created")), "by", ft_str(ft_get(entry, "Creator"), "id"),
                                        "text", text, strcspn(text, "\r\n"), "visible", ft_same(type, "Correspond")));
    }
    return notes;
}

static json_t *rt_seen(struct ft_call *call, struct ticket *st, enum look kind, const struct ft_http_res *res)
{
    const json_t *items = ft_get(res->json, "items");
    json_t *files, *entry;
    size_t i;

    for (const struct ft_http_header *h = res->headers; (kind == LOOK_FIND || kind == LOOK_ONE) && h && h->name; h++) {
        if (strcasecmp(h->name, "etag") == 0)            /* a list has none */
            st->etag = host->printf(call, "%s", h->value);
    }
    switch (kind) {
    case LOOK_FIND: return found_of(call, st, res->json);
    case LOOK_ONE:
        return ft_str(res->json, "Status") && id_of(call, res->json) ? ticket_of(call, st, res->json, true, false) : NULL;
    case LOOK_NOTES: return json_is_array(items) ? notes_of(items) : NULL;
    default:
        files = json_is_array(items) ? json_array() : NULL;
        json_array_foreach(items, i, entry)
            json_array_append_new(files, json_pack("{s:s?, s:s?}", "id", id_of(call, entry), "name", ft_str(entry, "Filename")));
        return files;
    }
}

static bool rt_absent(struct ft_call *call, struct ticket *st, const struct ft_http_res *res)
{
    const char *text;
    enum ask by = ticket_ask(call, st, &text);

    return (by == BY_NUMBER || by == BY_ID) && ft_str(res->json, "message");
}

/* The links and the ETag are in the ticket itself, not in lists. */
static unsigned rt_needs(struct ft_call *call, struct ticket *st)
{
    (void)call;
    return st->stand_in || st->want.verb == VERB_OPEN || st->want.verb == VERB_ATTACH || ft_true(st->record, "_meant") ? 0 : LOOK_BIT(LOOK_ONE);
}

/* ---- Links ---- */

static const struct { const char *member, *ref;
} links[N_LINKS] = {
    [LINK_PARENT] = { "MemberOf", "parent" },
    [LINK_PROBLEM] = { "DependsOn", "depends-on" },
    [LINK_CHANGE] = { "DependsOn", "depends-on" },
    [LINK_RELATED] = { "RefersTo", "refers-to" },
};

static const json_t *native(const struct ticket *st) { return ft_get(st->record, "_native"); }

static bool has_link(struct ft_call *call, const json_t *record, const char *ref, const char *id, const char *url)
{
    const json_t *list = ft_get(record, "_hyperlinks");
    json_t *one;
    size_t i;

    json_array_foreach(list, i, one) {
        if (ft_same(ft_str(one, "ref"), ref) && ((id && ft_same(id_of(call, one), id)) || (url && ft_same(ft_str(one, "_url"), url))))
            return true;
    }
    return false;
}

static bool rt_linked(struct ft_call *call, struct ticket *st)
{
    return has_link(call, native(st), links[st->want.link].ref, st->want.other, NULL);
}

/* ---- Writing ---- */

static const json_t *custom_field(const json_t *record, const char *name)
{
    const json_t *list = ft_get(record, "CustomFields");
    json_t *one;
    size_t i;

    json_array_foreach(list, i, one) {
        if (ft_same(ft_str(one, "name"), name))
            return json_array_get(ft_get(one, "values"), 0);
    }
    return NULL;
}

static bool is_core_field(const char *name)
{
    static const char *const core[] = { "Subject", "Queue", "Owner", "Requestor", "Cc", "AdminCc", "Due", "Starts", "Started", "Told",
                                        "TimeEstimated", "TimeWorked", "TimeLeft",
                                        "InitialPriority", "FinalPriority", "Priority", "SLA", "CustomFields", "CustomRoles", NULL };

    for (size_t i = 0; core[i]; i++) {
        if (strcmp(core[i], name) == 0)
            return true;
    }
    return false;
}

static void put_custom(json_t *body, const char *name, json_t *value)
{
    json_t *custom = json_object_get(body, "CustomFields");

    if (!custom) {
        custom = json_object();
        json_object_set_new(body, "CustomFields", custom);
    }
    json_object_set_new(custom, name, value);
}

static void put_fields(json_t *body, const json_t *fields)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)fields, name, value) {
        if (is_core_field(name))
            json_object_set(body, name, value);
        else
            put_custom(body, name, json_incref(value));
    }
}

static int put_neutral(struct ft_call *call, struct ticket *st, json_t *body, struct ft_err *reterr)
{
    static const char *const names[] = { "ci", "category", "assignment_group" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = ticket_param(call, names[i]), *field = ticket_field_for(st, names[i]);

        if (value && !field)
            return ft_fault(reterr, FT_INVALID, "RT has no field for '%s': name one in field_names.%s of the ticket system '%s', or leave it out", names[i],
                            names[i], st->name);
        if (value && is_core_field(field))
            json_object_set_new(body, field, json_string(value));
        else if (value)
            put_custom(body, field, json_string(value));
    }
    return 0;
}

static struct request *add(struct ft_call *call, struct ticket *st, const char *method, const char *url, json_t *body)
{
    struct request *request = &st->writes[st->n_writes++];

    *request = (struct request){ .method = method, .url = url, .json = ticket_hold(call, body) };
    return request;
}

static int build_open(struct ft_call *call, struct ticket *st, struct ft_err *reterr)
{
    const char *caller = ticket_param(call, "caller") ?: ft_str(st->config, "caller"), *field = ft_str(st->config, "correlation_field");
    json_t *body = json_pack("{s:s, s:s, s:s, s:s}", "Queue", ft_str(st->config, "queue") ?: "General", "Subject", st->want.title,
                             "Content", *st->want.text ? st->want.text : st->want.title, "ContentType", "text/plain");

    if (caller)
        json_object_set_new(body, "Requestor", json_pack("[s]", caller));
    if (st->want.severity)
        json_object_set_new(body, "Priority", json_integer(severity_value(st, st->want.severity)));
    if (field)
        put_custom(body, field, json_string(ticket_correlation(call)));
    else
        json_object_set_new(body, "RefersTo", json_pack("[s]", link_uri(call)));
    if (put_neutral(call, st, body, reterr) < 0) {
        json_decref(body);
        return -EINVAL;
    }
    put_fields(body, st->want.fields);
    add(call, st, "POST", host->printf(call, "%s/REST/2.0/ticket", ticket_base(call, st)), body)->creates = true;
    return 0;
}

static void add_put(struct ft_call *call, struct ticket *st, json_t *body)
{
    add(call, st, "PUT", url_of(call, st, ft_str(st->record, "id"), ""), body)->if_match = st->etag;
}

/* The status goes with the note, in one request, where there is a note. */
static void add_note(struct ft_call *call, struct ticket *st, const char *text, const char *subject, const char *status)
{
    json_t *body = json_pack("{s:s, s:s, s:s*, s:s*}", "Content", text, "ContentType", "text/plain", "Subject", subject, "Status", status);

    add(call, st, "POST", url_of(call, st, ft_str(st->record, "id"), st->want.visible ? "/correspond" : "/comment"), body);
}

/* A note's subject is its mark; what the reporter is mailed begins with the ticket's own subject. */
static const char *subject_for(struct ft_call *call, const struct ticket *st)
{
    const char *mark = st->want.note ? strrchr(st->want.note, '(') : NULL, *title = ft_str(st->record, "title");

    return mark && st->want.visible && title ? host->printf(call, "%s %s", title, mark) : mark;
}

static void build_change(struct ft_call *call, struct ticket *st, const char *status, json_t *put)
{
    const struct intent *want = &st->want;
    const char *is = ft_str(native(st), "Status");
    const char *text = want->reason && want->note ? host->printf(call, "%s\n\n%s", want->reason, want->note) : want->reason ?: want->note;

    if (status && !ft_same(status, is)) {
        ticket_before(call, st, "Status", is, status);
        if (!text)
            json_object_set_new(put, "Status", json_string(status));
    } else {
        status = NULL;
    }
    if (json_object_size(put))
        add_put(call, st, put);
    else
        json_decref(put);
    if (text)
        add_note(call, st, text, subject_for(call, st), status);
}

static json_t *changed_fields(struct ft_call *call, struct ticket *st)
{
    json_t *put = json_object();
    const char *is = ft_str(native(st), "Priority");

    if (st->want.severity) {
        json_object_set_new(put, "Priority", json_integer(severity_value(st, st->want.severity)));
        ticket_before(call, st, "Priority", is, host->printf(call, "%d", severity_value(st, st->want.severity)));
    }
    put_fields(put, st->want.fields);
    return put;
}

static void build_restore(struct ft_call *call, struct ticket *st)
{
    const char *priority = ft_str(st->want.before, "Priority");
    json_t *put = json_object();

    if (priority)
        json_object_set_new(put, "Priority", json_integer(atoi(priority)));
    build_change(call, st, ft_str(st->want.before, "Status"), put);
}

static int build_attach(struct ft_call *call, struct ticket *st, struct ft_err *reterr)
{
    char *coded = ticket_base64(st->want.bytes, st->want.len);

    if (!coded)
        return ft_fault(reterr, FT_INVALID, "no memory for %zu bytes of attachment", st->want.len);
    add(call, st, "POST", url_of(call, st, ft_str(st->record, "id"), "/comment"),
        json_pack("{s:s, s:s, s:[{s:s, s:s, s:s}]}", "Content", host->printf(call, "%s, attached by fettle run %s", st->want.file_name, host->run_id(call)),
                  "ContentType", "text/plain", "Attachments", "FileName", st->want.file_name, "FileType", st->want.content_type, "FileContent", coded));
    free(coded);
    return 0;
}

static int rt_build(struct ft_call *call, struct ticket *st, struct ft_err *reterr)
{
    const char *member = links[st->want.link].member;

    switch (st->want.verb) {
    case VERB_OPEN: return build_open(call, st, reterr);
    case VERB_ATTACH: return build_attach(call, st, reterr);
    case VERB_RESTORE: build_restore(call, st); return 0;
    case VERB_LINK:
        if (rt_linked(call, st))
            return 0;
        ticket_before(call, st, member, NULL, st->want.other);
        add_put(call, st, json_pack("{s:s}", host->printf(call, "Add%s", member), st->want.other));
        return 0;
    case VERB_UNLINK:
        add_put(call, st, json_pack("{s:s}", host->printf(call, "Delete%s", member), st->want.other));
        return 0;
    default:
        build_change(call, st, st->want.state ? state_value(st, st->want.state) : NULL, changed_fields(call, st));
        return 0;
    }
}

static int rt_created(struct ft_call *call, struct ticket *st, const json_t *answer)
{
    const char *id = id_of(call, answer);

    if (!id)
        return -EINVAL;
    st->record = ticket_hold(call, json_pack("{s:s, s:s, s:s, s:b, s:{}}", "id", id, "number", id, "title", st->want.title, "active", 1, "_native"));
    return 0;
}

/* ---- What became of it ---- */

static bool field_is(const json_t *record, const char *name, const json_t *value)
{
    const json_t *have = is_core_field(name) ? ft_get(record, name) : custom_field(record, name);
    const char *text = json_string_value(value), *is = json_is_object(have) ? ft_str(have, "id") : json_string_value(have);

    if (is_core_field(name) && (!is || strcmp(name, "Queue") == 0 || strchr(text ?: "", ':')))
        return true;                                     /* lists of people, a queue's number, and dates are answered in another shape */
    return !text || ft_same(text, is);
}

static enum ft_class rt_left(struct ft_call *call, struct ticket *st, const char **ret_field)
{
    const struct intent *want = &st->want;
    const json_t *record = ft_get(st->back, "_native"), *before = want->verb == VERB_RESTORE ? want->before : NULL;
    const char *field = ft_str(st->config, "correlation_field"), *name;
    const char *status = before ? ft_str(before, "Status") : want->state ? state_value(st, want->state) : NULL;
    json_t *value;

    *ret_field = NULL;
    if (want->verb == VERB_OPEN
        && !(field ? ft_same(json_string_value(custom_field(record, field)), ticket_correlation(call))
                   : has_link(call, record, "refers-to", NULL, link_uri(call))))
        *ret_field = field ?: "RefersTo";
    if (status && !ft_same(status, ft_str(record, "Status")))
        *ret_field = "Status";
    if (want->severity && atoi(ft_str(record, "Priority") ?: "-1") != severity_value(st, want->severity))
        *ret_field = "Priority";
    if (want->verb == VERB_LINK && !has_link(call, record, links[want->link].ref, want->other, NULL))
        *ret_field = links[want->link].member;
    if (want->verb == VERB_UNLINK && has_link(call, record, links[want->link].ref, want->other, NULL))
        *ret_field = links[want->link].member;
    json_object_foreach((json_t *)want->fields, name, value) {
        if (!field_is(record, name, value))
            *ret_field = name;
    }
    return *ret_field ? FT_REFUSED : FT_CLASS_NONE;
}

static json_t *rt_file_kept(struct ft_call *call, struct ticket *st, const json_t *answer)
{
    (void)call;
    (void)answer;
    return json_pack("{s:n, s:s}", "id", "name", st->want.file_name);
}

static bool rt_detach(struct ft_call *call, struct ticket *st, const char *id, struct request *ret)
{
    (void)call;
    (void)st;
    (void)id;
    (void)ret;
    return false;
}

static bool rt_at(struct ft_call *call, struct ticket *st, const char *state)
{
    (void)call;
    return ft_same(ft_str(st->record, "status"), state_value(st, state));
}

static void rt_error(struct ft_call *call, const struct ft_http_res *res, const char **ret_said, enum ft_class *class)
{
    const char *message = ft_str(res->json, "message");

    (void)class;
    if (message)
        *ret_said = host->printf(call, "%.*s", (int)(strcspn(message, "\n") < 600 ? strcspn(message, "\n") : 600), message);
}

const struct system ticket_rt = {
    .kind = "rt", .label = "Request Tracker", .sign = rt_sign, .look = rt_look, .seen = rt_seen, .absent = rt_absent, .needs = rt_needs, .build = rt_build,
    .created = rt_created, .left = rt_left, .file_kept = rt_file_kept, .detach = rt_detach, .at = rt_at, .error = rt_error, .linked = rt_linked,
};
