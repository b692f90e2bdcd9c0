/* mist_alarm.c: alarms, the audit log, and how much of the token's budget is used. */
#include <string.h>
#include <strings.h>
#include "mist.h"

/* ---- alarms: GET /orgs|sites/…/alarms/search. The two scopes filter by different things, so all filters are applied here as well. */

#define ALARM_FIELDS(F) \
    F(STR, id, "id", "id of the alarm") \
    F(STR, type, "type", "name of the alarm, such as device_down") \
    F(STR, group, "group", "infrastructure, marvis or security") \
    F(STR, severity, "severity", "critical, warn or info") \
    F(INT, count, "count", "times it was raised") \
    F(TIME, timestamp, "timestamp", "when it was raised") \
    F(TIME, last_seen, "last_seen", "when it was seen last") \
    F(STR, site_id, "site_id", "id of the site") \
    F(STR, status, "status", "open or resolved") \
    F(TIME, resolved_time, "resolved_time", "when it was resolved") \
    F(BOOL, acked, "acked", "somebody has acknowledged it") \
    F(STR, acked_by, "ack_admin_name", "who") \
    F(STR, note, "note", "what that person wrote") \
    F(STR, category, "category|details.category", "Marvis: what it is about") \
    F(STR, cause, "root_cause", "Marvis: what it thinks the cause is") \
    F(STR, suggestion, "suggestion", "Marvis: what it proposes") \
    F(STR, display, "display", "name for people, where Mist's catalogue has been asked for one")
static const struct mist_field alarm_fields[] = { ALARM_FIELDS(MIST_ROW) { "event_id", "event_id", MIST_STR } };
static const char *const alarm_lists[] = { "aps", "switches", "gateways", "hostnames", "ssids", "bssids", "reasons" };

static json_t *alarm_row(const json_t *item)
{
    json_t *row = json_object();

    MIST_PICK(row, item, alarm_fields);
    for (size_t i = 0; i < ARRAY_LEN(alarm_lists); i++) {
        json_t *list = json_array(), *text;
        size_t j;

        json_array_foreach(json_object_get(item, alarm_lists[i]), j, text)
            if (json_is_string(text))
                json_array_append(list, text);
        json_object_set_new(row, alarm_lists[i], list);
    }
    return row;
}

static bool fits(struct ft_call *call, const json_t *row)
{
    static const char *const filters[] = { "type", "group", "severity", "status" };

    for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
        const char *wanted = mist_text(call, filters[i]), *has = mist_str(row, filters[i]);

        if (wanted && has && strcmp(has, wanted) != 0)
            return false;
    }
    return !json_is_true(json_object_get(host->params(call), "unacked")) || !json_is_true(json_object_get(row, "acked"));
}

static void name_alarm(struct ft_call *call, json_t *row)
{
    const char *type = mist_str(row, "type");
    const json_t *item = type ? json_object_get(mist_catalogue_kept(call, "alarm_defs"), type) : NULL;

    if (mist_str(item, "display"))
        json_object_set(row, "display", json_object_get(item, "display"));
    if (mist_str(item, "severity") && json_is_null(json_object_get(row, "severity")))
        json_object_set(row, "severity", json_object_get(item, "severity"));
    if (mist_str(item, "group") && json_is_null(json_object_get(row, "group")))
        json_object_set(row, "group", json_object_get(item, "group"));
}

static void alarms_here(struct ft_call *call, json_t *items)
{
    static const char *const severities[] = { "critical", "warn", "info" };
    json_t *taken = json_array(), *by_type = json_object(), *out = json_object(), *item;
    size_t i, j;

    for (j = 0; j < ARRAY_LEN(severities); j++)
        json_object_set_new(out, severities[j], json_integer(0));
    json_array_foreach(items, i, item) {
        json_t *row = mist_hold(call, alarm_row(item));

        name_alarm(call, row);
        if (!json_is_object(item) || !fits(call, row))
            continue;
        for (j = 0; j < ARRAY_LEN(severities); j++)
            if (mist_str(row, "severity") && strcmp(mist_str(row, "severity"), severities[j]) == 0)
                mist_count_into(out, severities[j]);
        if (mist_str(row, "type"))
            mist_count_into(by_type, mist_str(row, "type"));
        json_array_append(taken, row);
    }
    mist_sort_down(taken, "timestamp");
    json_object_set_new(out, "alarms", taken);
    json_object_set_new(out, "total", json_integer((json_int_t)json_array_size(taken)));
    json_object_set_new(out, "by_type", by_type);
    json_object_set_new(out, "complete", json_boolean(mist_state(call)->list.complete));
    mist_done(call, out);
}

static const char *with_filter(struct ft_call *call, const char *query, const char *name)
{
    const char *value = mist_text(call, name);

    return value ? host->printf(call, "%s&%s=%s", query, name, mist_escape(call, value)) : query;
}

static void alarms_look(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    size_t limit = (size_t)json_integer_value(json_object_get(host->params(call), "limit"));
    const char *query = with_filter(call, host->printf(call, "duration=%s", mist_window(call)), "type");

    if (st->site_id)
        mist_list(call, limit, alarms_here, "/sites/%s/alarms/search?%s", mist_escape(call, st->site_id),
                  with_filter(call, with_filter(call, query, "severity"), "group"));
    else
        mist_list(call, limit, alarms_here, "/orgs/%s/alarms/search?%s", mist_escape(call, mist_of(call)->org), with_filter(call, query, "status"));
}

static void alarms_named(struct ft_call *call, json_t *catalogue)
{
    (void)catalogue;             /* kept; without it the alarms have their own names only */
    alarms_look(call);
}

static void alarms_words(struct ft_call *call)
{
    if (json_is_true(json_object_get(host->params(call), "names")))
        mist_catalogue(call, "alarm_defs", alarms_named);
    else
        alarms_look(call);
}

static void alarms_begin(struct ft_call *call)
{
    mist_find_site(call, alarms_words);
}
MIST_BEGIN(MIST_LOOK, alarms_begin, alarms_start)

#define TEXTS "{\"type\":\"string\"}"

const struct ft_action mist_alarms = {
    MIST_READ(alarms_start),
    .name = "alarms", .summary = "the alarms of a site or of the organisation",
    .params_schema = MIST_PARAMS("", MIST_SITE "," MIST_WINDOW("1d") "," MIST_LIMIT("500", "5000") ","
        JSON("status": {"type": "string", "enum": ["open", "resolved"], "description": "only these"},
             "severity": {"type": "string", "enum": ["critical", "warn", "info"], "description": "only these"},
             "group": {"type": "string", "enum": ["infrastructure", "marvis", "security"], "description": "only these"},
             "type": {"type": "string", "minLength": 1, "description": "only alarms of this name"},
             "unacked": {"type": "boolean", "default": false, "description": "only alarms that nobody has acknowledged"},
             "names": {"type": "boolean", "default": false, "description": "ask Mist's catalogue for names for people, once a day"})),
    .result_schema = MIST_OBJ(
        MIST_P_LIST("alarms", MIST_OBJ(ALARM_FIELDS(MIST_PROPERTY) MIST_P_STR("event_id", "id that is the same when it is raised again") ","
            MIST_P_LIST("aps", TEXTS, "MAC addresses of APs") "," MIST_P_LIST("switches", TEXTS, "MAC addresses of switches") ","
            MIST_P_LIST("gateways", TEXTS, "MAC addresses of gateways") "," MIST_P_LIST("hostnames", TEXTS, "names of devices") ","
            MIST_P_LIST("ssids", TEXTS, "networks") "," MIST_P_LIST("bssids", TEXTS, "BSSIDs") "," MIST_P_LIST("reasons", TEXTS, "reasons")), "newest first") ","
        MIST_P("total", "\"integer\"", "alarms in the answer") "," MIST_P("critical", "\"integer\"", "critical ones") ","
        MIST_P("warn", "\"integer\"", "warnings") "," MIST_P("info", "\"integer\"", "pieces of information") ","
        "\"by_type\":{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"},\"description\":\"alarms by name\"}," MIST_COMPLETE),
    .about = "`GET /sites/{site_id}/alarms/search`, or that of the organisation without a site.",
    .example = "- id: alarms\n  run: mist.alarms\n  with: {site: HQ, status: open}\n",
};

/* ---- alarm_ack: POST /sites/{site_id}/alarms/{alarm_id}/ack; undo: …/unack */

static void set_alarm_write(struct ft_call *call, const char *command)
{
    struct mist_call *st = mist_state(call);
    const char *note = mist_text(call, "note");

    st->write.method = "POST";
    st->write.path = host->printf(call, "/sites/%s/alarms/%s/%s", mist_escape(call, st->site_id), mist_escape(call, mist_text(call, "alarm")), command);
    st->write.body = mist_hold(call, note ? json_pack("{s:s}", "note", note) : json_object());
    st->write.result = mist_hold(call, json_pack("{s:s, s:s}", "site_id", st->site_id, "alarm", mist_text(call, "alarm")));
    st->write.users = 0;
}

static void ack_ready(struct ft_call *call, json_t *items)
{
    struct mist_call *st = mist_state(call);
    const char *id = mist_text(call, "alarm");
    json_t *found = NULL, *item;
    size_t i;

    json_array_foreach(items, i, item)
        if (mist_str(item, "id") && strcmp(mist_str(item, "id"), id) == 0)
            found = item;
    if (!found) {
        mist_fail(call, FT_NOT_FOUND, "the site has had no alarm %.80s within 30 days", id);
        return;
    }
    set_alarm_write(call, "ack");
    st->write.nothing_to_do = json_is_true(mist_at(found, "acked"));
    st->write.summary = host->printf(call, st->write.nothing_to_do ? "alarm %s is acknowledged already" : "acknowledge alarm %s",
                                     mist_str(found, "type") ? mist_str(found, "type") : id);
    st->write.receipt = mist_hold(call, json_pack("{s:s, s:b}", "site_id", st->site_id, "acked", st->write.nothing_to_do));
    mist_write_ready(call);
}

static void ack_look(struct ft_call *call)
{
    mist_list(call, 10000, ack_ready, "/sites/%s/alarms/search?duration=30d", mist_escape(call, mist_state(call)->site_id));
}

static void ack_begin(struct ft_call *call)
{
    mist_find_site(call, ack_look);
}

static void unack_begin(struct ft_call *call)
{
    const json_t *receipt = mist_receipt(call);

    if (!receipt)
        return;
    mist_state(call)->site_id = mist_str(receipt, "site_id");
    if (!mist_state(call)->site_id) {
        mist_fail(call, FT_INVALID, "the receipt names no site");
    } else if (json_is_true(json_object_get(receipt, "acked"))) {
        mist_done(call, json_pack("{s:b}", "changed", false));       /* it was before this step */
    } else {
        set_alarm_write(call, "unack");
        mist_write_ready(call);
    }
}

MIST_BEGIN(MIST_RUN, ack_begin, ack_run)
MIST_BEGIN(MIST_PLAN, ack_begin, ack_plan)
MIST_BEGIN(MIST_UNDO, unack_begin, ack_undo)

const struct ft_action mist_alarm_ack = {
    MIST_WRITE(ack_run, ack_plan), .undo = { ack_undo, mist_drop },
    .name = "alarm_ack", .summary = "acknowledge an alarm",
    .effects = FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT,
    .params_schema = MIST_PARAMS("\"site\",\"alarm\"", MIST_SITE ","
        JSON("alarm": {"type": "string", "minLength": 1, "description": "id of the alarm"},
             "note": {"type": "string", "minLength": 1, "description": "what to write beside it"})),
    .result_schema = MIST_OBJ(MIST_CHANGED "," MIST_P_STR("site_id", "site of the alarm") "," MIST_P_STR("alarm", "id of the alarm")),
    .about = "`POST /sites/{site_id}/alarms/{alarm_id}/ack`. Undo takes the acknowledgement back, unless the alarm had one before.",
    .example = "- id: ack\n  run: mist.alarm_ack\n  with: {site: \"${event.site_id}\", alarm: \"${event.id}\", note: \"fettle is on it\"}\n  undo: auto\n",
};

/* ---- audit_log: GET /orgs/{org_id}/logs, later /orgs/{org_id}/logs/search. `before` and `after` may hold keys and are left out. */

#define AUDIT_FIELDS(F) \
    F(TIME, timestamp, "timestamp", "when it was") \
    F(STR, id, "id", "id of the entry") \
    F(STR, admin_name, "admin_name", "who") \
    F(STR, message, "message", "what was done") \
    F(STR, site_id, "site_id", "id of the site")
static const struct mist_field audit_fields[] = { AUDIT_FIELDS(MIST_ROW) { "src_ip", "src_ip", MIST_STR } };

static void audit_here(struct ft_call *call, json_t *items)
{
    const char *has = mist_text(call, "message_has");
    json_t *rows = mist_hold(call, MIST_ROWS(items, audit_fields)), *taken = json_array(), *row;
    size_t i;

    mist_sort_down(rows, "timestamp");
    json_array_foreach(rows, i, row)
        if (!has || (mist_str(row, "message") && strcasestr(mist_str(row, "message"), has)))
            json_array_append(taken, row);
    mist_done(call, json_pack("{s:o, s:i, s:b}", "entries", taken, "total", (int)json_array_size(taken), "complete", mist_state(call)->list.complete));
}

static const char *audit_query(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    const char *query = host->printf(call, "duration=%s", mist_window(call));

    if (st->site_id)
        query = host->printf(call, "%s&site_id=%s", query, mist_escape(call, st->site_id));
    return with_filter(call, query, "admin_name");
}

static void audit_or_search(struct ft_call *call, json_t *items)
{
    if (items)
        audit_here(call, items);
    else
        mist_list(call, (size_t)json_integer_value(json_object_get(host->params(call), "limit")), audit_here, "/orgs/%s/logs/search?%s",
                  mist_escape(call, mist_of(call)->org), audit_query(call));
}

static void audit_look(struct ft_call *call)
{
    mist_list_if_there(call, (size_t)json_integer_value(json_object_get(host->params(call), "limit")), audit_or_search, "/orgs/%s/logs?%s",
                       mist_escape(call, mist_of(call)->org), audit_query(call));
}

static void audit_begin(struct ft_call *call)
{
    mist_find_site(call, audit_look);
}
MIST_BEGIN(MIST_LOOK, audit_begin, audit_start)

const struct ft_action mist_audit_log = {
    MIST_READ(audit_start),
    .name = "audit_log", .summary = "who changed what in Mist",
    .params_schema = MIST_PARAMS("", MIST_SITE "," MIST_WINDOW("1d") "," MIST_LIMIT("200", "5000") ","
        JSON("admin_name": {"type": "string", "minLength": 1, "description": "only by this administrator"},
             "message_has": {"type": "string", "minLength": 1, "description": "only entries with this in their message, in any case"})),
    .result_schema = MIST_OBJ(
        MIST_P_LIST("entries", MIST_OBJ(AUDIT_FIELDS(MIST_PROPERTY) MIST_P_STR("src_ip", "from where")), "newest first") ","
        MIST_P("total", "\"integer\"", "entries in the answer") "," MIST_COMPLETE),
    .about = "`GET /orgs/{org_id}/logs`, on newer releases `/logs/search`. What changed from what to what is left out: it may hold keys.",
    .example = "- id: changes\n  run: mist.audit_log\n  with: {site: HQ, window: 4h}\n",
};

/* ---- usage: GET /self/usage */

static void usage_here(struct ft_call *call, json_t *answer)
{
    double limit = mist_num(answer, "request_limit", 0), used = mist_num(answer, "requests", 0);

    if (limit <= 0) {
        mist_fail(call, FT_INVALID, "GET %s: the answer has no request_limit", mist_state(call)->ask.url);
        return;
    }
    mist_of(call)->usage_at = host->wall_ms(call);
    mist_of(call)->usage_limit = limit;
    mist_of(call)->usage_left = limit - used;
    mist_done(call, json_pack("{s:I, s:I, s:I, s:f, s:i, s:i, s:i}", "requests", (json_int_t)used, "limit", (json_int_t)limit, "left", (json_int_t)(limit - used),
                              "used_ratio", used / limit, "own_requests", (int)mist_of(call)->own_requests, "own_limit", (int)mist_of(call)->per_hour,
                              "own_limit_now", (int)mist_per_hour(call)));
}

static void usage_begin(struct ft_call *call)
{
    mist_get(call, usage_here, "/self/usage");
}
MIST_BEGIN(MIST_LOOK, usage_begin, usage_start)

const struct ft_action mist_usage = {
    MIST_READ(usage_start),
    .name = "usage", .summary = "how much of the token's hourly budget is used",
    .params_schema = MIST_PARAMS("", ""),
    .result_schema = MIST_OBJ(
        MIST_P("requests", "\"integer\"", "requests in this hour") "," MIST_P("limit", "\"integer\"", "requests allowed an hour") ","
        MIST_P("left", "\"integer\"", "requests left") "," MIST_P("used_ratio", "\"number\"", "part that is used, 0..1") ","
        MIST_P("own_requests", "\"integer\"", "requests of this process in this hour") "," MIST_P("own_limit", "\"integer\"", "requests_per_hour of the configuration") ","
        MIST_P("own_limit_now", "\"integer\"", "what of it others have left, so what fettle keeps to now")),
    .about = "`GET /self/usage`. The count starts anew on the hour, and is of all who use the token. fettle looks at it by itself (`watch_usage`): at its first request, once an\n"
             "hour and after a 429, and slows down to what is left.",
    .example = "- id: budget\n  run: mist.usage\n",
};
