/* servicenow.c: the Table API of a ticket system: all values are strings, work notes are written and not read back, an unknown field
 * in a query or in a body is silently dropped, a resolved incident needs a close code. */
#include <time.h>
#include "lab.h"

static const char *const table_names[] = { "incident", "change_request", "sys_user", "sys_user_group", "cmdb_ci", "sys_journal_field",
                                           "sys_attachment", "sysapproval_approver", "problem", "task" };

static const char *const incident_fields[] = { "short_description", "description", "caller_id", "impact", "urgency", "priority", "category", "subcategory",
    "cmdb_ci", "assignment_group", "assigned_to", "correlation_id", "correlation_display", "work_notes", "comments", "state", "close_code",
    "close_notes", "hold_reason", "contact_type", "severity", "opened_by", "number", "sys_id", "active", "sys_created_on", "sys_updated_on",
    "sys_created_by", "incident_state", "opened_at", "resolved_at", "closed_at", "parent", "business_service", "location", "work_notes_list", "parent_incident",
    "problem_id", "rfc", NULL };

static const char *str(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));

    return text ? text : "";
}

static void new_id(struct lab *lab, char ret[33])
{
    char uuid[37], seed[32];
    int o = 0;

    snprintf(seed, sizeof(seed), "record %lu", ++lab->serial);
    lab_uuid(lab, seed, uuid);
    for (const char *p = uuid; *p; p++)
        if (*p != '-')
            ret[o++] = *p;
    ret[o] = '\0';
}

static void now_text(const struct lab *lab, char ret[24])
{
    time_t secs = (time_t)lab->wall;
    struct tm tm;

    gmtime_r(&secs, &tm);
    strftime(ret, 24, "%Y-%m-%d %H:%M:%S", &tm);
}

static json_t *add_record(struct lab *lab, const char *table, json_t *record)
{
    char id[33], when[24];

    new_id(lab, id);
    now_text(lab, when);
    json_object_set_new(record, "sys_id", json_string(id));
    json_object_set_new(record, "sys_created_on", json_string(when));
    json_object_set_new(record, "sys_updated_on", json_string(when));
    json_object_set_new(record, "sys_created_by", json_string("fettle"));
    json_array_append_new(json_object_get(lab->tables, table), record);
    return record;
}

void lab_snow_init(struct lab *lab)
{
    static const char *const users[] = { "fettle", "j.doe", "network.lead" }, *const groups[] = { "Network", "Service Desk", "Identity" };

    lab->tables = json_object();
    for (size_t i = 0; i < ARRAY_LEN(table_names); i++)
        json_object_set_new(lab->tables, table_names[i], json_array());
    for (size_t i = 0; i < ARRAY_LEN(users); i++)
        add_record(lab, "sys_user", json_pack("{s:s, s:s, s:o, s:s}", "user_name", users[i], "name", users[i], "email",
                                              json_sprintf("%s@corp.example", users[i]), "active", "true"));
    for (size_t i = 0; i < ARRAY_LEN(groups); i++)
        add_record(lab, "sys_user_group", json_pack("{s:s, s:s}", "name", groups[i], "active", "true"));
    for (int i = 0; i < lab->n_aps; i++)
        add_record(lab, "cmdb_ci", json_pack("{s:s, s:s}", "name", lab->aps[i].name, "sys_class_name", "cmdb_ci_wap_network"));
    for (int i = 0; i < lab->n_switches; i++)
        add_record(lab, "cmdb_ci", json_pack("{s:s, s:s}", "name", lab->switches[i].name, "sys_class_name", "cmdb_ci_ip_switch"));
}

static void failure(struct lab_res *res, int status, const char *message, const char *detail)
{
    res->status = status;
    json_decref(res->json);
    res->json = json_pack("{s:{s:s, s:s}, s:s}", "error", "message", message, "detail", detail, "status", "failure");
}

/* ---- queries: "correlation_id=x^active=true^ORshort_descriptionLIKEfoo^ORDERBYDESCsys_created_on" ---- */

static bool known_field(const char *table, const json_t *record, const char *field)
{
    for (int i = 0; strcmp(table, "incident") == 0 && incident_fields[i]; i++)
        if (strcmp(incident_fields[i], field) == 0)
            return true;
    return json_object_get(record, field) != NULL;
}

/* 1 true, 0 false, -1 the condition does not count (an unknown field, an order). */
static int condition(const char *table, const json_t *record, const char *text)
{
    static const char *const ops[] = { "STARTSWITH", "ENDSWITH", "NOT IN", "LIKE", "IN", "ISEMPTY", "ISNOTEMPTY", "!=", ">=", "<=", "=", ">", "<" };
    char field[64];
    size_t at = 0, op;
    const char *value, *have;

    if (strncmp(text, "ORDERBY", 7) == 0)
        return -1;
    while (text[at] && (text[at] == '_' || (text[at] >= 'a' && text[at] <= 'z') || text[at] == '.'))
        at++;
    snprintf(field, sizeof(field), "%.*s", (int)at, text);
    for (op = 0; op < ARRAY_LEN(ops) && strncmp(text + at, ops[op], strlen(ops[op])) != 0; op++)
        ;
    if (op == ARRAY_LEN(ops) || !known_field(table, record, field))
        return -1;
    value = text + at + strlen(ops[op]);
    have = str(record, field);
    switch (op) {
    case 0: return strncasecmp(have, value, strlen(value)) == 0;
    case 1: return strlen(have) >= strlen(value) && strcasecmp(have + strlen(have) - strlen(value), value) == 0;
    case 2: return strstr(value, have) == NULL;
    case 3: return strcasestr(have, value) != NULL;
    case 4: return have[0] && strstr(value, have) != NULL;
    case 5: return !have[0];
    case 6: return have[0] != '\0';
    case 7: return strcmp(have, value) != 0;
    case 8: return strcmp(have, value) >= 0;
    case 9: return strcmp(have, value) <= 0;
    case 10: return strcmp(have, value) == 0;
    case 11: return strcmp(have, value) > 0;
    default: return strcmp(have, value) < 0;
    }
}

static bool matches(const char *table, const json_t *record, const char *query)
{
    char *copy = ft_strdup(query ? query : ""), *rest = copy, *part;
    bool all = true, any = true;

    while ((part = strsep(&rest, "^"))) {
        bool or = strncmp(part, "OR", 2) == 0 && strncmp(part, "ORDERBY", 7) != 0;
        int c = *part ? condition(table, record, part + (or ? 2 : 0)) : -1;

        if (c < 0)
            continue;
        if (or) {
            any = any || c;
        } else {
            all = all && any;
            any = c;
        }
    }
    free(copy);
    return all && any;
}

static const char *order_key;
static int order_sign;

static int by_order(const void *a, const void *b)
{
    return order_sign * strcmp(str(*(json_t *const *)a, order_key), str(*(json_t *const *)b, order_key));
}

static void sort_records(json_t **list, size_t n, const char *query)
{
    const char *order = query ? strstr(query, "ORDERBY") : NULL;
    static char key[64];

    if (!order)
        return;
    order += 7;
    order_sign = strncmp(order, "DESC", 4) == 0 ? -1 : 1;
    snprintf(key, sizeof(key), "%.*s", (int)strcspn(order + (order_sign < 0 ? 4 : 0), "^"), order + (order_sign < 0 ? 4 : 0));
    order_key = key;
    qsort(list, n, sizeof(*list), by_order);
}

/* ---- reading ---- */

/* sysparm_display_value=all */
static json_t *with_display(struct lab *lab, json_t *record)
{
    const char *key;
    json_t *value, *user;
    void *tmp;
    size_t i;

    json_object_foreach_safe(record, tmp, key, value) {
        const char *text = json_string_value(value);

        json_array_foreach(json_object_get(lab->tables, "sys_user"), i, user) {
            if (strcmp(str(user, "sys_id"), json_string_value(value)) == 0)
                text = str(user, "name");
        }
        json_object_set_new(record, key, json_pack("{s:s, s:s}", "display_value", text, "value", json_string_value(value)));
    }
    return record;
}

static json_t *shown(struct lab_req *req, const json_t *record)
{
    const char *fields = lab_query(req, "sysparm_fields");
    json_t *copy = json_deep_copy(record), *picked, *value;
    char *list, *rest, *part;

    if (json_object_get(copy, "work_notes"))
        json_object_set_new(copy, "work_notes", json_string(""));
    if (json_object_get(copy, "comments"))
        json_object_set_new(copy, "comments", json_string(""));
    if (!fields)
        return copy;
    picked = json_object();
    list = rest = ft_strdup(fields);
    while ((part = strsep(&rest, ",")))
        if ((value = json_object_get(copy, part)))
            json_object_set(picked, part, value);
    free(list);
    json_decref(copy);
    return lab_query(req, "sysparm_display_value") && strcmp(lab_query(req, "sysparm_display_value"), "all") == 0 ? with_display(req->lab, picked) : picked;
}

static json_t *table_of(struct lab_req *req, struct lab_res *res)
{
    json_t *table = json_object_get(req->lab->tables, req->arg[0]);
    char message[128];

    if (table)
        return table;
    snprintf(message, sizeof(message), "Invalid table %s", req->arg[0]);
    failure(res, 400, message, "");
    return NULL;
}

static void list_get(struct lab_req *req, struct lab_res *res)
{
    json_t *table = table_of(req, res), *record, **found, *out;
    const char *query = lab_query(req, "sysparm_query"), *limit_text = lab_query(req, "sysparm_limit"), *offset_text = lab_query(req, "sysparm_offset");
    size_t limit = limit_text ? (size_t)atol(limit_text) : 10000, offset = offset_text ? (size_t)atol(offset_text) : 0, n = 0, i;

    if (!table)
        return;
    found = ft_calloc(json_array_size(table) + 1, sizeof(*found));
    json_array_foreach(table, i, record)
        if (matches(req->arg[0], record, query))
            found[n++] = record;
    sort_records(found, n, query);
    out = json_array();
    for (i = offset; i < n && i < offset + limit; i++)
        json_array_append_new(out, shown(req, found[i]));
    free(found);
    lab_add_header(res, "X-Total-Count", "%zu", n);
    res->json = json_pack("{s:o}", "result", out);
}

static json_t *record_of(struct lab_req *req, struct lab_res *res)
{
    json_t *table = table_of(req, res), *record;
    size_t i;

    if (!table)
        return NULL;
    json_array_foreach(table, i, record)
        if (strcmp(str(record, "sys_id"), req->arg[1]) == 0)
            return record;
    failure(res, 404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval");
    return NULL;
}

static void one_get(struct lab_req *req, struct lab_res *res)
{
    json_t *record = record_of(req, res);

    if (record)
        res->json = json_pack("{s:o}", "result", shown(req, record));
}

/* ---- writing ---- */

static json_t *as_text(const json_t *value)
{
    if (json_is_string(value))
        return json_string(json_string_value(value));
    if (json_is_integer(value))
        return json_sprintf("%lld", (long long)json_integer_value(value));
    if (json_is_boolean(value))
        return json_string(json_is_true(value) ? "true" : "false");
    return json_string("");
}

static void journal(struct lab *lab, const json_t *record, const char *element, const json_t *value)
{
    add_record(lab, "sys_journal_field", json_pack("{s:s, s:s, s:s, s:o}", "element_id", str(record, "sys_id"), "name", "incident", "element", element,
                                                   "value", as_text(value)));
}

static void take_fields(struct lab *lab, const char *table, json_t *record, const json_t *body)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)body, key, value) {
        if (strcmp(key, "sys_id") == 0 || strcmp(key, "number") == 0 || strcmp(key, "priority") == 0)
            continue;                                /* read-only: dropped without a word */
        if (strcmp(table, "incident") == 0 && !known_field(table, record, key))
            continue;
        if (strcmp(key, "work_notes") == 0 || strcmp(key, "comments") == 0)
            journal(lab, record, key, value);
        json_object_set_new(record, key, as_text(value));
    }
}

static void compute(struct lab *lab, json_t *record)
{
    static const char *const priority[3][3] = { { "1", "2", "3" }, { "2", "3", "4" }, { "3", "4", "5" } };
    int impact = atoi(str(record, "impact")), urgency = atoi(str(record, "urgency")), state = atoi(str(record, "state"));
    char when[24];

    impact = impact < 1 || impact > 3 ? 3 : impact;
    urgency = urgency < 1 || urgency > 3 ? 3 : urgency;
    json_object_set_new(record, "priority", json_string(priority[impact - 1][urgency - 1]));
    json_object_set_new(record, "incident_state", json_string(str(record, "state")));
    json_object_set_new(record, "active", json_string(state == 7 || state == 8 ? "false" : "true"));
    now_text(lab, when);
    json_object_set_new(record, "sys_updated_on", json_string(when));
    if (state == 6 && !str(record, "resolved_at")[0])
        json_object_set_new(record, "resolved_at", json_string(when));
}

/* A business rule of most installations. */
static bool may_close(const json_t *record, const json_t *body, struct lab_res *res)
{
    const json_t *state = json_object_get(body, "state");
    json_t *text = as_text(state);
    bool closing = state && (strcmp(json_string_value(text), "6") == 0 || strcmp(json_string_value(text), "7") == 0);
    bool explained = (str(record, "close_code")[0] || str(body, "close_code")[0]) && (str(record, "close_notes")[0] || str(body, "close_notes")[0]);

    json_decref(text);
    if (!closing || explained)
        return true;
    failure(res, 403, "Operation Failed", "Data Policy Exception: The following fields are mandatory: Resolution code, Resolution notes");
    return false;
}

/* Which state of a change may follow which; a normal change gets its approver when it is assessed. */
static bool change_moves(struct lab *lab, json_t *record, const json_t *body, struct lab_res *res)
{
    static const struct { int from, to; } allowed[] = { { -5, -4 }, { -4, -3 }, { -3, -2 }, { -2, -1 }, { -1, 0 }, { 0, 3 } };
    json_t *text = as_text(json_object_get(body, "state")), *user = json_array_get(json_object_get(lab->tables, "sys_user"), 2);
    int to = atoi(json_string_value(text)), from = atoi(str(record, "state"));
    bool ok = to == 4 || to == from, given = json_object_get(body, "state") != NULL;

    json_decref(text);
    for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
        ok = ok || (allowed[i].from == from && allowed[i].to == to);
    if (given && (!ok || (to == -1 && strcmp(str(record, "approval"), "approved") != 0))) {
        failure(res, 403, "Operation Failed", "Change model: this state cannot follow");
        return false;
    }
    if (given && to == -4 && from == -5) {
        json_object_set_new(record, "approval", json_string("requested"));
        add_record(lab, "sysapproval_approver", json_pack("{s:s, s:s, s:s}", "sysapproval", str(record, "sys_id"), "approver", str(user, "sys_id"), "state", "requested"));
    }
    return true;
}

/* What an approver says becomes of the change: approved ones are scheduled. */
static void approval_said(struct lab *lab, const json_t *row)
{
    json_t *change;
    size_t i;

    json_array_foreach(json_object_get(lab->tables, "change_request"), i, change) {
        if (strcmp(str(change, "sys_id"), str(row, "sysapproval")) != 0)
            continue;
        json_object_set_new(change, "approval", json_string(str(row, "state")));
        if (strcmp(str(row, "state"), "approved") == 0)
            json_object_set_new(change, "state", json_string("-2"));
    }
}

static void change_active(json_t *record)
{
    int state = atoi(str(record, "state"));

    json_object_set_new(record, "active", json_string(state == 3 || state == 4 ? "false" : "true"));
}

static void list_post(struct lab_req *req, struct lab_res *res)
{
    struct lab *lab = req->lab;
    json_t *table = table_of(req, res), *record;

    if (!table)
        return;
    if (!json_is_object(req->json)) {
        failure(res, 400, "Exception while reading request", "The payload is not valid JSON.");
        return;
    }
    if (strcmp(req->arg[0], "incident") == 0 && !may_close(req->json, req->json, res))
        return;
    record = add_record(lab, req->arg[0], json_object());
    if (strcmp(req->arg[0], "incident") == 0) {
        json_object_set_new(record, "number", json_sprintf("INC%07d", 10000 + (int)json_array_size(table)));
        json_object_set_new(record, "state", json_string("1"));
        json_object_set_new(record, "close_code", json_string(""));
        json_object_set_new(record, "close_notes", json_string(""));
        json_object_set_new(record, "correlation_id", json_string(""));
    } else if (strcmp(req->arg[0], "change_request") == 0) {
        json_object_update_new(record, json_pack("{s:o, s:s, s:s, s:s}", "number", json_sprintf("CHG%07d", 30000 + (int)json_array_size(table)),
                                                 "state", "-5", "approval", "not requested", "type", "normal"));
    }
    take_fields(lab, req->arg[0], record, req->json);
    if (strcmp(req->arg[0], "incident") == 0)
        compute(lab, record);
    if (strcmp(req->arg[0], "change_request") == 0)
        change_active(record);
    req->done = true;
    res->status = 201;
    lab_add_header(res, "Location", "%s/api/now/table/%s/%s", lab->url, req->arg[0], str(record, "sys_id"));
    res->json = json_pack("{s:o}", "result", shown(req, record));
}

static void one_patch(struct lab_req *req, struct lab_res *res)
{
    json_t *record = record_of(req, res);

    if (!record)
        return;
    if (!json_is_object(req->json)) {
        failure(res, 400, "Exception while reading request", "The payload is not valid JSON.");
        return;
    }
    if (strcmp(req->arg[0], "incident") == 0 && !may_close(record, req->json, res))
        return;
    if (strcmp(req->arg[0], "change_request") == 0 && !change_moves(req->lab, record, req->json, res))
        return;
    take_fields(req->lab, req->arg[0], record, req->json);
    if (strcmp(req->arg[0], "incident") == 0)
        compute(req->lab, record);
    if (strcmp(req->arg[0], "change_request") == 0)
        change_active(record);
    if (strcmp(req->arg[0], "sysapproval_approver") == 0)
        approval_said(req->lab, record);
    req->done = true;
    res->json = json_pack("{s:o}", "result", shown(req, record));
}

static void one_delete(struct lab_req *req, struct lab_res *res)
{
    json_t *record = record_of(req, res), *table = json_object_get(req->lab->tables, req->arg[0]);
    size_t i = 0;

    if (!record)
        return;
    while (json_array_get(table, i) != record)
        i++;
    json_array_remove(table, i);
    req->done = true;
    res->status = 204;
}

static void attachment(struct lab_req *req, struct lab_res *res)
{
    const char *table = lab_query(req, "table_name"), *id = lab_query(req, "table_sys_id"), *name = lab_query(req, "file_name"),
               *type = lab_header(req, "Content-Type");
    json_t *record;

    if (!table || !id || !name) {
        failure(res, 400, "Missing parameter", "table_name, table_sys_id and file_name are required");
        return;
    }
    record = add_record(req->lab, "sys_attachment", json_pack("{s:s, s:s, s:s, s:s, s:o}", "table_name", table, "table_sys_id", id, "file_name", name,
        "content_type", type ? type : "application/octet-stream", "size_bytes", json_sprintf("%zu", req->body_len)));
    req->done = true;
    res->status = 201;
    res->json = json_pack("{s:o}", "result", shown(req, record));
}

static void attachment_list(struct lab_req *req, struct lab_res *res)
{
    req->arg[0] = "sys_attachment";
    list_get(req, res);
}

static void attachment_delete(struct lab_req *req, struct lab_res *res)
{
    req->arg[1] = req->arg[0];
    req->arg[0] = "sys_attachment";
    one_delete(req, res);
}

static const struct lab_route routes[] = {
    { "GET", "/api/now/table/{}", list_get }, { "POST", "/api/now/table/{}", list_post },
    { "GET", "/api/now/table/{}/{}", one_get }, { "PATCH", "/api/now/table/{}/{}", one_patch },
    { "PUT", "/api/now/table/{}/{}", one_patch }, { "DELETE", "/api/now/table/{}/{}", one_delete },
    { "POST", "/api/now/attachment/file", attachment }, { "GET", "/api/now/attachment", attachment_list }, { "DELETE", "/api/now/attachment/{}", attachment_delete },
    { 0 },
};

void lab_snow(struct lab_req *req, struct lab_res *res)
{
    bool other_method;
    lab_handler *handle = lab_route(req, routes, &other_method);

    if (!lab_basic_auth(req, "fettle", req->lab->snow_password)) {
        failure(res, 401, "User Not Authenticated", "Required to provide Auth information");
        lab_add_header(res, "WWW-Authenticate", "BASIC realm=\"Service-now\"");
    } else if (handle) {
        handle(req, res);
    } else {
        failure(res, other_method ? 405 : 400, other_method ? "Method not supported" : "Requested URI does not represent any resource", req->path);
    }
}
