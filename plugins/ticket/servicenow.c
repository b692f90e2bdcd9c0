/* servicenow.c: incidents and change requests of ServiceNow by the Table API.
 *
 * All values are strings. The table has no idempotency key: the correlation id is one that we look for first. Fields that the account may not write are dropped
 * with a 200, so what matters is read back; a condition of a query that is not understood is dropped too, so what was found is checked again (engine.c). */
#include <ctype.h>
#include <time.h>
#include "ticket.h"

#define INCIDENT_FIELDS "number,sys_id,state,active,short_description,priority,impact,urgency,correlation_id,assignment_group,assigned_to," \
                        "close_code,sys_updated_on,opened_at,cmdb_ci,parent_incident,problem_id,rfc"
#define CHANGE_FIELDS "number,sys_id,state,active,short_description,priority,correlation_id,assigned_to,sys_updated_on,opened_at,type,approval,start_date," \
                      "end_date,risk,close_code,on_hold"
#define MAX_DESCRIPTION 3900       /* bytes; ServiceNow cuts at 4000 characters */

/* ---- Values ---- */

static const struct { const char *name, *value; } incident_states[] = {
    { "new", "1" }, { "in_progress", "2" }, { "on_hold", "3" }, { "resolved", "6" }, { "closed", "7" }, { "canceled", "8" }, { NULL, NULL },
}, change_states[] = {
    { "new", "-5" }, { "assess", "-4" }, { "authorize", "-3" }, { "scheduled", "-2" }, { "implement", "-1" }, { "review", "0" }, { "closed", "3" },
    { "canceled", "4" }, { NULL, NULL },
};

/* A field's value: a string, or with display values asked for (the change API always does) an object. */
static const char *value_of(const json_t *record, const char *key)
{
    const json_t *value = ft_get(record, key);

    return json_is_object(value) ? ft_str(value, "value") : json_string_value(value);
}

static const char *state_value(struct ft_call *call, const struct ticket *st, const char *name)
{
    const json_t *mapped = ft_get(ft_get(st->config, st->change ? "change_states" : "states"), name);

    if (json_is_integer(mapped))
        return host->printf(call, "%lld", (long long)json_integer_value(mapped));
    if (json_is_string(mapped))
        return json_string_value(mapped);
    for (size_t i = 0; (st->change ? change_states : incident_states)[i].name; i++) {
        if (ft_same((st->change ? change_states : incident_states)[i].name, name))
            return (st->change ? change_states : incident_states)[i].value;
    }
    return NULL;
}

static const char *state_name(struct ft_call *call, const struct ticket *st, const char *value)
{
    for (size_t i = 0; value && (st->change ? change_states : incident_states)[i].name; i++) {
        const char *name = (st->change ? change_states : incident_states)[i].name;

        if (ft_same(state_value(call, st, name), value))
            return name;
    }
    return value;
}

/* Priority is computed by ServiceNow from these two; the table is that of an untouched instance. */
static void put_severity(const struct ticket *st, json_t *body, const char *severity)
{
    static const struct { const char *name; int impact, urgency; } usual[] = { { "P1", 1, 1 }, { "P2", 1, 2 }, { "P3", 2, 2 }, { "P4", 3, 2 } };
    const json_t *mapped = ft_get(ft_get(st->config, "severities"), severity);

    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
        if (strcmp(usual[i].name, severity) != 0)
            continue;
        json_object_set_new(body, "impact", json_sprintf("%d", json_is_object(mapped) ? (int)ft_int(mapped, "impact") : usual[i].impact));
        json_object_set_new(body, "urgency", json_sprintf("%d", json_is_object(mapped) ? (int)ft_int(mapped, "urgency") : usual[i].urgency));
    }
}

static const char *close_code(const struct ticket *st) { return st->want.code ?: ft_str(st->config, "close_code") ?: "Solution provided"; }

static bool is_active(const json_t *record)
{
    const char *text = value_of(record, "active");

    return ft_true(record, "active") || ft_same(text, "true") || ft_same(text, "1");
}

/* ---- Addresses ---- */

static const char *table(const struct ticket *st)
{
    return st->change ? ft_str(st->config, "change_table") ?: "change_request" : ft_str(st->config, "table") ?: "incident";
}

static const char *fields(const struct ticket *st) { return st->change ? CHANGE_FIELDS : INCIDENT_FIELDS; }

static const char *record_url(struct ft_call *call, const struct ticket *st, const char *sys_id)
{
    return host->printf(call, "%s/api/now/table/%s%s%s?sysparm_exclude_reference_link=true", ticket_base(call, st), table(st), sys_id ? "/" : "",
                        sys_id ? host->url_escape(call, sys_id) : "");
}

static const char *list_url(struct ft_call *call, const struct ticket *st, const char *from, const char *query, const char *of, unsigned limit)
{
    return host->printf(call, "%s/api/now/table/%s?sysparm_query=%s&sysparm_fields=%s&sysparm_limit=%u&sysparm_exclude_reference_link=true",
                        ticket_base(call, st), from, host->url_escape(call, query), of, limit);
}

static void snow_sign(struct ft_call *call, struct ticket *st, struct ft_http_req *req)
{
    const char *token = ft_str(st->config, "token");

    st->headers[0] = (struct ft_http_header){ "Accept", "application/json" };
    if (token) {
        st->headers[1] = (struct ft_http_header){ "Authorization", host->printf(call, "Bearer %s", token) };
    } else {
        req->user = ft_str(st->config, "user");
        req->password = ft_str(st->config, "password");
    }
}

/* ---- Looking ---- */

static const struct { const char *field, *table; } links[N_LINKS] = {
    [LINK_PARENT] = { "parent_incident", "incident" }, [LINK_PROBLEM] = { "problem_id", "problem" }, [LINK_CHANGE] = { "rfc", "change_request" },
};

/* A value within an encoded query: '^' parts conditions, and is doubled. */
static const char *in_query(struct ft_call *call, const char *text) { return ticket_quoted(call, text, "^", '^'); }

static const char *find_query(struct ft_call *call, const struct ticket *st)
{
    const char *text;

    switch (ticket_ask(call, st, &text)) {
    case BY_NUMBER: return host->printf(call, "number=%s", in_query(call, text));
    case BY_ID: return host->printf(call, "sys_id=%s", in_query(call, text));
    case BY_ABOUT: return host->printf(call, "active=true^short_descriptionLIKE%s^ORDERBYDESCsys_created_on", in_query(call, text));
    default: return host->printf(call, "correlation_id=%s^ORDERBYDESCsys_created_on", in_query(call, text));
    }
}

static bool snow_look(struct ft_call *call, struct ticket *st, enum look kind, struct request *ret)
{
    const char *id = ft_str(st->record, "id") ?: "", *name = st->want.file_name ?: "";

    switch (kind) {
    case LOOK_FIND:
        ret->url = list_url(call, st, table(st), find_query(call, st), fields(st), TICKET_MAX_FOUND);
        return true;
    case LOOK_ONE:
        ret->url = record_url(call, st, id);
        return true;
    case LOOK_NOTES:
        ret->url = list_url(call, st, "sys_journal_field",
                            host->printf(call, "element_id=%s^elementINwork_notes,comments^ORDERBYDESCsys_created_on", in_query(call, id)),
                            "value,element,element_id,sys_created_on,sys_created_by", 100);
        return true;
    case LOOK_FILES:
        ret->url = host->printf(call, "%s/api/now/attachment?sysparm_query=%s&sysparm_limit=20", ticket_base(call, st),
                                host->url_escape(call, host->printf(call, "table_sys_id=%s^file_name=%s", in_query(call, id), in_query(call, name))));
        return true;
    case LOOK_OTHER:
        ret->url = list_url(call, st, links[st->want.link].table, host->printf(call, "number=%s", in_query(call, st->want.other)), "number,sys_id", 2);
        return true;
    case LOOK_APPROVERS:
        ret->url = host->printf(call, "%s&sysparm_display_value=all",
                                list_url(call, st, "sysapproval_approver", host->printf(call, "sysapproval=%s", in_query(call, id)),
                                         "approver,state,sysapproval,sys_updated_on", 100));
        return true;
    default:
        return false;
    }
}

static json_t *ticket_of(struct ft_call *call, const struct ticket *st, const json_t *record)
{
    const char *id = value_of(record, "sys_id"), *priority = value_of(record, "priority"), *state = value_of(record, "state"),
               *who = value_of(record, "assigned_to");
    const char *tbl = table(st);
    json_t *ticket;

    ticket = json_pack("{s:s?, s:s?, s:s?, s:s?, s:s?, s:o, s:s?, s:o, s:o, s:o, s:b, s:O, s:b}", "number", value_of(record, "number"), "id", id,
                     "state", state_name(call, st, state), "status", state, "title", value_of(record, "short_description"),
                     "priority", priority && isdigit((unsigned char)*priority) ? json_integer(*priority - '0') : json_null(),
                     "assignee", who && *who ? who : NULL, "opened_at", ticket_time(value_of(record, "opened_at")), "updated_at", ticket_time(value_of(record, "sys_updated_on")),
                     "url", id ? json_sprintf("%s/nav_to.do?uri=%s.do?sys_id=%s", ticket_base(call, st), tbl, id) : json_null(), "active", is_active(record),
                     "_native", record, "_correlated", ft_same(value_of(record, "correlation_id"), ticket_correlation(call)));
    if (st->change)
        json_object_update_new(ticket, json_pack("{s:s?, s:s?, s:s?, s:o, s:o}", "type", value_of(record, "type"), "approval", value_of(record, "approval"),
                                                 "risk", value_of(record, "risk"), "start", ticket_time(value_of(record, "start_date")), "end",
                                                 ticket_time(value_of(record, "end_date"))));
    return ticket;
}

static json_t *notes_of(const struct ticket *st, const json_t *list)
{
    json_t *notes = json_array(), *entry;
    size_t i;

    json_array_foreach(list, i, entry) {
        if (value_of(entry, "element_id") && !ft_same(value_of(entry, "element_id"), ft_str(st->record, "id")))
            continue;
        json_array_append_new(notes, json_pack("{s:o, s:s?, s:s?, s:b}", "at", ticket_time(value_of(entry, "sys_created_on")), "by",
                                               value_of(entry, "sys_created_by"), "text", value_of(entry, "value"), "visible",
                                               ft_same(value_of(entry, "element"), "comments")));
    }
    return notes;
}

static json_t *files_of(const struct ticket *st, const json_t *list)
{
    json_t *files = json_array(), *entry;
    size_t i;

    json_array_foreach(list, i, entry) {
        if (ft_same(value_of(entry, "table_sys_id"), ft_str(st->record, "id")))
            json_array_append_new(files, json_pack("{s:s?, s:s?}", "id", value_of(entry, "sys_id"), "name", value_of(entry, "file_name")));
    }
    return files;
}

static json_t *approvers_of(const struct ticket *st, const json_t *list)
{
    json_t *approvers = json_array(), *entry;
    size_t i;

    json_array_foreach(list, i, entry) {
        const json_t *who = ft_get(entry, "approver");
        const char *shown = ft_str(who, "display_value");

        if (value_of(entry, "sysapproval") && !ft_same(value_of(entry, "sysapproval"), ft_str(st->record, "id")))
            continue;
        json_array_append_new(approvers, json_pack("{s:s?, s:s?, s:o}", "who", shown && *shown ? shown : value_of(entry, "approver"), "state",
                                                   value_of(entry, "state"), "at", ticket_time(value_of(entry, "sys_updated_on"))));
    }
    return approvers;
}

static json_t *snow_seen(struct ft_call *call, struct ticket *st, enum look kind, const struct ft_http_res *res)
{
    const json_t *result = ft_get(res->json, "result");
    json_t *list, *record;
    size_t i;

    if (kind == LOOK_ONE)
        return json_is_object(result) ? ticket_of(call, st, result) : NULL;
    if (!json_is_array(result))
        return NULL;
    switch (kind) {
    case LOOK_FIND:
        list = json_array();
        json_array_foreach(result, i, record)
            json_array_append_new(list, ticket_of(call, st, record));
        return list;
    case LOOK_NOTES: return notes_of(st, result);
    case LOOK_FILES: return files_of(st, result);
    case LOOK_APPROVERS: return approvers_of(st, result);
    default:                                             /* LOOK_OTHER: an object, empty when there is none */
        list = json_object();
        json_array_foreach(result, i, record) {
            if (ft_same(value_of(record, "number"), st->want.other))
                ft_put_str(list, "id", value_of(record, "sys_id"));
        }
        return list;
    }
}

static bool snow_absent(struct ft_call *call, struct ticket *st, const struct ft_http_res *res)
{
    (void)call;
    (void)st;
    return ft_same(ft_str(ft_get(res->json, "error"), "message"), "No Record found");
}

static unsigned snow_needs(struct ft_call *call, struct ticket *st)
{
    (void)call;
    return st->want.verb == VERB_LINK ? LOOK_BIT(LOOK_OTHER) : 0;
}

/* ---- Writing ---- */

static void put_fields(json_t *body, const json_t *extra)
{
    if (extra)
        json_object_update(body, (json_t *)extra);
}

/* What undo would put back, and what people see. */
static void note_change(struct ft_call *call, struct ticket *st, const json_t *body, const char *field)
{
    const char *to = ft_str(body, field);

    if (to)
        ticket_before(call, st, field, value_of(ft_get(st->record, "_native"), field), to);
}

static void write_json(struct ft_call *call, struct ticket *st, const char *method, const char *url, json_t *body)
{
    st->writes[st->n_writes++] = (struct request){ .method = method, .url = url, .json = ticket_hold(call, body) };
}

static void patch(struct ft_call *call, struct ticket *st, json_t *body)
{
    write_json(call, st, "PATCH", record_url(call, st, ft_str(st->record, "id")), body);
}

/* "2026-11-21T02:13:05Z", or milliseconds since 1970, as ServiceNow writes times: UTC without a word about it. */
static const char *time_value(struct ft_call *call, const json_t *value)
{
    char *text;
    json_t *stamp;

    if (json_is_integer(value)) {
        time_t t = (time_t)(json_integer_value(value) / 1000);
        struct tm tm;

        gmtime_r(&t, &tm);
        text = host->alloc(call, 32);
        strftime(text, 32, "%Y-%m-%d %H:%M:%S", &tm);
        return text;
    }
    stamp = ticket_time(json_string_value(value));
    text = json_is_string(stamp) ? host->printf(call, "%.10s %.8s", json_string_value(stamp), json_string_value(stamp) + 11) : NULL;
    json_decref(stamp);
    return text;
}

static int put_change(struct ft_call *call, json_t *body, struct ft_err *reterr)
{
    static const char *const same[] = { "type", "risk", "justification", "implementation_plan", "backout_plan", "test_plan" };
    static const struct { const char *param, *field; } times[] = { { "start", "start_date" }, { "end", "end_date" } };
    const json_t *params = host->params(call);

    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
        ft_put_str(body, same[i], ft_str(params, same[i]));
    for (size_t i = 0; i < 2; i++) {
        const json_t *given = ft_get(params, times[i].param);
        const char *value = given ? time_value(call, given) : NULL;

        if (given && !value)
            return ft_fault(reterr, FT_INVALID, "'%.60s' is no time for %s: give it as 2026-11-21T22:00:00Z or in milliseconds since 1970",
                            json_string_value(given) ?: "(a number)", times[i].param);
        ft_put_str(body, times[i].field, value);
    }
    return 0;
}

static int build_open(struct ft_call *call, struct ticket *st, struct ft_err *reterr)
{
    const struct intent *want = &st->want;
    const char *template = ticket_param(call, "template");
    json_t *body = json_pack("{s:s, s:s, s:s, s:s}", "short_description", want->title, "description", ticket_clip(call, want->text, MAX_DESCRIPTION, "… (the whole text is in the work notes)"),
                             "correlation_id", ticket_correlation(call), "correlation_display", "fettle");

    if (want->severity)
        put_severity(st, body, want->severity);
    ft_put_str(body, "assignment_group", ticket_param(call, "assignment_group") ?: ft_str(st->config, "assignment_group"));
    ft_put_str(body, st->change ? "requested_by" : "caller_id", ticket_param(call, "caller") ?: ft_str(st->config, "caller"));
    ft_put_str(body, "category", ticket_param(call, "category") ?: (st->change ? NULL : ft_str(st->config, "category")));
    ft_put_str(body, "cmdb_ci", ticket_param(call, "ci"));
    if (strlen(want->text) > MAX_DESCRIPTION)
        ft_put_str(body, "work_notes", want->text);
    if (st->change && put_change(call, body, reterr) < 0) {
        json_decref(body);
        return -EINVAL;
    }
    put_fields(body, want->fields);
    write_json(call, st, "POST",
               template ? host->printf(call, "%s/api/sn_chg_rest/v1/change/standard/%s", ticket_base(call, st), host->url_escape(call, template))
                        : record_url(call, st, NULL),
               body);
    st->writes[0].creates = true;
    return 0;
}

static int build_change(struct ft_call *call, struct ticket *st, struct ft_err *reterr)
{
    const struct intent *want = &st->want;
    json_t *body = json_object();

    if (st->change && want->verb == VERB_CHANGE && put_change(call, body, reterr) < 0) {
        json_decref(body);
        return -EINVAL;
    }
    ft_put_str(body, want->visible ? "comments" : "work_notes", want->note);
    ft_put_str(body, "state", want->state ? state_value(call, st, want->state) : NULL);
    if (want->severity)
        put_severity(st, body, want->severity);
    if (want->verb == VERB_FINISH || want->verb == VERB_CANCEL) {
        ft_put_str(body, "close_code", st->change ? want->code : close_code(st));
        ft_put_str(body, "close_notes", want->reason);
    }
    put_fields(body, want->fields);
    for (size_t i = 0; want->verb != VERB_CANCEL && i < 5; i++)
        note_change(call, st, body, (const char *const[]){ "state", "impact", "urgency", "start_date", "end_date" }[i]);
    /* A change goes from Implement to Closed by way of Review. */
    if (st->change && want->verb == VERB_FINISH && ft_same(ft_str(st->record, "state"), "implement"))
        patch(call, st, json_pack("{s:s}", "state", state_value(call, st, "review")));
    patch(call, st, body);
    return 0;
}

static int build_restore(struct ft_call *call, struct ticket *st)
{
    json_t *body = json_object(), *value;
    const char *field;

    ft_put_str(body, "work_notes", st->want.note);
    json_object_foreach((json_t *)st->want.before, field, value)
        json_object_set_new(body, field, json_string(json_string_value(value) ?: ""));
    patch(call, st, body);
    return 0;
}

static int build_link(struct ft_call *call, struct ticket *st, struct ft_err *reterr)
{
    const char *field = links[st->want.link].field, *id = ft_str(st->seen[LOOK_OTHER], "id");
    json_t *body;

    if (!id)
        return ft_fault(reterr, FT_NOT_FOUND, "ServiceNow has no %s %s", links[st->want.link].table, st->want.other);
    body = json_pack("{s:s}", field, id);
    note_change(call, st, body, field);
    if (ft_same(value_of(ft_get(st->record, "_native"), field), id)) {
        json_decref(body);
        return 0;                                        /* linked already: nothing to do */
    }
    patch(call, st, body);
    return 0;
}

static int snow_build(struct ft_call *call, struct ticket *st, struct ft_err *reterr)
{
    const char *field = links[st->want.link].field;

    switch (st->want.verb) {
    case VERB_OPEN: return build_open(call, st, reterr);
    case VERB_LINK: return build_link(call, st, reterr);
    case VERB_UNLINK:
        patch(call, st, json_pack("{s:s}", field, ft_str(st->want.before, field) ?: ""));
        return 0;
    case VERB_RESTORE: return build_restore(call, st);
    case VERB_ATTACH:
        st->writes[st->n_writes++] = (struct request){ .method = "POST", .content_type = st->want.content_type, .raw = st->want.bytes, .raw_len = st->want.len,
            .url = host->printf(call, "%s/api/now/attachment/file?table_name=%s&table_sys_id=%s&file_name=%s", ticket_base(call, st), table(st),
                                host->url_escape(call, ft_str(st->record, "id")), host->url_escape(call, st->want.file_name)) };
        return 0;
    default: return build_change(call, st, reterr);
    }
}

static int snow_created(struct ft_call *call, struct ticket *st, const json_t *answer)
{
    const json_t *record = ft_get(answer, "result");

    if (!json_is_object(record) || !value_of(record, "sys_id"))
        return -EINVAL;
    st->record = ticket_hold(call, ticket_of(call, st, record));
    return 0;
}

static json_t *snow_answered(struct ft_call *call, struct ticket *st, const json_t *answer)
{
    const json_t *record = ft_get(answer, "result");

    return json_is_object(record) ? ticket_of(call, st, record) : NULL;
}

/* What must be there afterwards. (Texts may be trimmed, and references are answered as sys_ids, whatever was sent.) New. */
static json_t *expected(struct ft_call *call, struct ticket *st)
{
    const struct intent *want = &st->want;
    json_t *body = json_object();

    switch (want->verb) {
    case VERB_OPEN:                                      /* a new one without its correlation id would be opened again and again */
        ft_put_str(body, "correlation_id", ticket_correlation(call));
        break;
    case VERB_LINK:
        ft_put_str(body, links[want->link].field, ft_str(st->seen[LOOK_OTHER], "id"));
        break;
    case VERB_UNLINK:
        ft_put_str(body, links[want->link].field, ft_str(want->before, links[want->link].field) ?: "");
        break;
    case VERB_RESTORE:
        json_object_update(body, (json_t *)want->before);
        break;
    default:
        ft_put_str(body, "state", want->state ? state_value(call, st, want->state) : NULL);
        if (want->severity)
            put_severity(st, body, want->severity);
        if (st->change && want->verb == VERB_CHANGE)
            put_change(call, body, NULL);
        put_fields(body, want->fields);
    }
    return body;
}

static enum ft_class snow_left(struct ft_call *call, struct ticket *st, const char **ret_field)
{
    static const char *const checked[] = { "correlation_id", "state", "impact", "urgency", "parent_incident", "problem_id", "rfc", "start_date", "end_date" };
    const json_t *body = ticket_hold(call, expected(call, st)), *native = ft_get(st->back, "_native");

    for (size_t i = 0; i < sizeof(checked) / sizeof(checked[0]); i++) {
        const char *to = ft_str(body, checked[i]), *have = value_of(native, checked[i]);

        if (to && have && strcmp(to, have) != 0) {
            *ret_field = checked[i];
            return FT_DENIED;
        }
    }
    return FT_CLASS_NONE;
}

static json_t *snow_file_kept(struct ft_call *call, struct ticket *st, const json_t *answer)
{
    const json_t *record = ft_get(answer, "result");

    (void)call;
    (void)st;
    return json_pack("{s:s?, s:s?}", "id", value_of(record, "sys_id"), "name", value_of(record, "file_name"));
}

static bool snow_detach(struct ft_call *call, struct ticket *st, const char *id, struct request *ret)
{
    *ret = (struct request){ .method = "DELETE", .url = host->printf(call, "%s/api/now/attachment/%s", ticket_base(call, st), host->url_escape(call, id)) };
    return true;
}

static bool snow_at(struct ft_call *call, struct ticket *st, const char *state)
{
    const char *is = ft_str(st->record, "state");

    (void)call;
    return ft_same(is, state) || (ft_same(state, "resolved") && ft_same(is, "closed"));
}

/* {"error": {"message", "detail"}} */
static void snow_error(struct ft_call *call, const struct ft_http_res *res, const char **ret_said, enum ft_class *class)
{
    const json_t *error = ft_get(res->json, "error");
    const char *message = ft_str(error, "message"), *detail = ft_str(error, "detail");

    (void)class;
    if (message)
        *ret_said = host->printf(call, "%.400s%s%.400s", message, detail && *detail ? ": " : "", detail ? detail : "");
}

static bool snow_linked(struct ft_call *call, struct ticket *st)
{
    const char *id = ft_str(st->seen[LOOK_OTHER], "id");

    (void)call;
    return ft_same(value_of(ft_get(st->record, "_native"), links[st->want.link].field), id);
}

static int snow_check(struct ft_call *call, struct ticket *st, struct ft_err *reterr)
{
    (void)call;
    if (st->want.verb == VERB_LINK && !links[st->want.link].field)
        return ft_fault(reterr, FT_INVALID,
                        "ServiceNow links an incident to a parent, a problem or a change, not to just any other ticket: say parent, problem or change");
    return 0;
}

const struct system ticket_servicenow = {
    .kind = "servicenow",
    .label = "ServiceNow",
    .changes = true,
    .check = snow_check,
    .sign = snow_sign,
    .look = snow_look,
    .seen = snow_seen,
    .absent = snow_absent,
    .needs = snow_needs,
    .build = snow_build,
    .created = snow_created,
    .answered = snow_answered,
    .left = snow_left,
    .file_kept = snow_file_kept,
    .detach = snow_detach,
    .at = snow_at,
    .error = snow_error,
    .linked = snow_linked,
};
