/* ise_sessions.c: sessions as MnT knows them: one, all of them, their number, and the record's deletion; attempts and reasons as lists. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include "ise.h"

static void set_str(json_t *out, const char *name, const json_t *from, const char *key)
{
    json_object_set_new(out, name, ise_str_or_null(from, key));
}

static void set_text(json_t *out, const char *name, const char *text)
{
    json_object_set_new(out, name, text && *text ? json_string(text) : json_null());
}

/* ---- session: GET /Session/MACAddress/{MAC} */

static void session_here(struct ft_call *call, json_t *answer)
{
    json_t *session = json_object_get(answer, "sessionParameters");

    if (answer && !json_is_object(session))
        ise_fail(call, FT_INVALID, "GET %s: the answer holds no sessionParameters", ise_state(call)->ask.url);
    else
        ise_state(call)->found(call, session);
}

void ise_session_of(struct ft_call *call, ise_then *then)
{
    ise_state(call)->found = then;
    ise_get(call, ISE_MNT, true, ise_url(call, ISE_MNT, "/Session/MACAddress/%s", ise_state(call)->mac), session_here);
}

/* Accounting tells of the end; without accounting a passed authentication is all there is to go by. */
static bool is_active(const json_t *session)
{
    const char *acct = ise_str(session, "acct_status_type");

    return session && ise_passed(session) && !(acct && strcasecmp(acct, "Stop") == 0) && !ise_true(session, "stopped");
}

static void session_shown(struct ft_call *call, json_t *session)
{
    const char *text = ise_str(session, "failure_reason");
    bool passed = ise_passed(session);
    char mac[ISE_MAC_LEN + 1];
    json_t *out = json_pack("{s:b, s:b, s:b}", "found", session != NULL, "active", is_active(session), "passed", session && passed);

    set_text(out, "failure_reason_code", passed ? NULL : ise_code_of(call, text));
    set_text(out, "failure_reason", passed ? NULL : ise_words_of(text));
    ise_set_auth(call, out, session);
    json_object_set_new(out, "mac", ise_mac(ise_str(session, "calling_station_id"), mac) ? json_string(mac) : json_null());
    set_str(out, "ip", session, "framed_ip_address");
    set_str(out, "session_id", session, "audit_session_id");
    set_str(out, "acct_session_id", session, "acct_session_id");
    set_str(out, "acct_status", session, "acct_status_type");
    json_object_set_new(out, "session_s", ise_int_or_null(session, "acct_session_time"));
    set_str(out, "terminate_cause", session, "acct_terminate_cause");
    set_str(out, "endpoint_profile", session, "endpoint_policy");
    set_str(out, "posture", session, "posture_status");
    set_str(out, "vlan", session, "vlan");
    ise_done(call, out);
}

/* Which call of MnT finds a session by what; "IPAddress" is the network device's. */
static const struct { const char *param, *path, *behind; } ways[] = {
    { "user", "UserName", "" }, { "ip", "EndPointIPAddress", "" }, { "nas_ip", "IPAddress", "" }, { "session_id", "Active/SessionID", "/0" },
};

/* By its id a list of one comes. */
static void any_session_here(struct ft_call *call, json_t *answer)
{
    json_t *list = json_object_get(answer, "activeSessionList") ? json_object_get(answer, "activeSessionList") : json_object_get(answer, "activeList");
    json_t *session = json_object_get(answer, "sessionParameters");

    if (!session && list) {
        json_t *all = ise_hold(call, ise_each(list, "activeSession"));

        session = json_array_get(all, 0);
    } else if (answer && !json_is_object(session)) {
        ise_fail(call, FT_INVALID, "GET %s: the answer holds no session", ise_state(call)->ask.url);
        return;
    }
    session_shown(call, json_is_object(session) ? session : NULL);
}

static void session_begin(struct ft_call *call)
{
    size_t given = json_object_size(host->params(call));

    if (given != 1) {
        ise_fail(call, FT_INVALID, "give one of mac, user, ip, nas_ip and session_id");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(ways); i++)
        if (ise_text(call, ways[i].param)) {
            ise_get(call, ISE_MNT, true, ise_url(call, ISE_MNT, "/Session/%s/%s%s", ways[i].path, ise_escape(call, ise_text(call, ways[i].param)), ways[i].behind),
                    any_session_here);
            return;
        }
    if (ise_find_mac(call))
        ise_session_of(call, session_shown);
}
ISE_BEGIN(ISE_LOOK, session_begin, session_start)

const struct ft_action ise_session = {
    ISE_READ(session_start),
    .name = "session", .summary = "the newest session of an endpoint, user, address or network device",
    .params_schema = ISE_PARAMS("", ISE_MAC ","
        JSON("user": {"type": "string", "minLength": 1, "description": "user name, as it was presented"},
             "ip": {"type": "string", "format": "ip", "description": "address of the endpoint"},
             "nas_ip": {"type": "string", "format": "ip", "description": "address of the network device: its newest session"},
             "session_id": {"type": "string", "minLength": 1, "description": "audit session id, of an active session"})),
    .result_schema = ISE_OBJ(
        ISE_P_BOOL("found", "ISE knows a session") "," ISE_P_BOOL("active", "it passed and has not ended, as far as accounting tells") ","
        ISE_P_BOOL("passed", "its authentication passed") ","
        ISE_P_STR("failure_reason_code", "number of the failure reason") "," ISE_P_STR("failure_reason", "the failure reason in words") ","
        ISE_AUTH_PROPERTIES "," ISE_P_STR("mac", "MAC address of the endpoint; nil where the station id is none, as with VPN") "," ISE_P_STR("ip", "address of the endpoint") "," ISE_P_STR("session_id", "audit session id") ","
        ISE_P_STR("acct_session_id", "accounting session id") "," ISE_P_STR("acct_status", "Start, Interim-Update or Stop") ","
        ISE_P_INT("session_s", "length of the session, s") "," ISE_P_STR("terminate_cause", "why it ended") ","
        ISE_P_STR("endpoint_profile", "what profiling thinks it is") "," ISE_P_STR("posture", "posture") "," ISE_P_STR("vlan", "VLAN that was given")),
    .about = "`GET /admin/API/mnt/Session/MACAddress/{mac}`, `/UserName/{user}`, `/EndPointIPAddress/{ip}`, `/IPAddress/{nas_ip}` or `/Active/SessionID/{id}/0`.",
    .example = "- id: session\n  run: ise.session\n  with: {mac: \"${client}\"}\n",
};

/* ---- sessions: GET /Session/ActiveList, or /Session/AuthList/{start}/null. The root has two names; everything comes in one piece. */

static bool wanted(struct ft_call *call, const json_t *session)
{
    static const struct { const char *param, *key; } filters[] = { { "user", "user_name" }, { "nas_ip", "nas_ip_address" }, { "server", "server" } };

    for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
        const char *want = ise_text(call, filters[i].param), *has = ise_str(session, filters[i].key);

        if (want && (!has || strcasecmp(want, has) != 0))
            return false;
    }
    return json_is_object(session);
}

static json_t *session_row(const json_t *session)
{
    json_t *out = json_object();
    char mac[ISE_MAC_LEN + 1];

    json_object_set_new(out, "mac", ise_mac(ise_str(session, "calling_station_id"), mac) ? json_string(mac) : json_null());
    set_str(out, "station", session, "calling_station_id");
    set_str(out, "user_name", session, "user_name");
    set_str(out, "ip", session, "framed_ip_address");
    set_str(out, "nas_ip", session, "nas_ip_address");
    set_str(out, "server", session, "server");
    set_str(out, "session_id", session, "audit_session_id");
    set_str(out, "acct_session_id", session, "acct_session_id");
    return out;
}

static void sessions_here(struct ft_call *call, json_t *answer)
{
    json_t *root = json_object_get(answer, "activeSessionList") ? json_object_get(answer, "activeSessionList") : json_object_get(answer, "activeList");
    json_int_t limit = json_integer_value(json_object_get(host->params(call), "limit")), offset = json_integer_value(json_object_get(host->params(call), "offset"));
    json_t *all, *rows = json_array(), *session;
    json_int_t matching = 0;
    size_t i;

    if (!root) {
        json_decref(rows);
        ise_fail(call, FT_INVALID, "GET %s: the answer is no list of sessions", ise_state(call)->ask.url);
        return;
    }
    all = ise_each(root, "activeSession");
    json_array_foreach(all, i, session)
        if (wanted(call, session) && matching++ >= offset && (json_int_t)json_array_size(rows) < limit)
            json_array_append_new(rows, session_row(session));
    json_decref(all);
    ise_done(call, json_pack("{s:I, s:I, s:b, s:o}", "total", (json_int_t)i, "matching", matching, "complete", matching <= offset + limit, "sessions", rows));
}

/* "2026-11-21 02:13:05.0", as MnT wants it in its path. */
static const char *mnt_time(struct ft_call *call, time_t when)
{
    struct tm tm;
    char text[32];

    gmtime_r(&when, &tm);
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S.0", &tm);
    return ise_escape(call, text);
}

static void sessions_begin(struct ft_call *call)
{
    if (json_object_get(host->params(call), "window"))
        ise_get(call, ISE_MNT, false, ise_url(call, ISE_MNT, "/Session/AuthList/%s/null",
                mnt_time(call, (time_t)(host->wall_ms(call) / 1000 - ise_window_s(call)))), sessions_here);
    else
        ise_get(call, ISE_MNT, false, ise_url(call, ISE_MNT, "/Session/ActiveList"), sessions_here);
}
ISE_BEGIN(ISE_LOOK, sessions_begin, sessions_start)

const struct ft_action ise_sessions = {
    ISE_READ(sessions_start), .timeout_ms = 120000,
    .name = "sessions", .summary = "the active sessions, or those that authenticated lately",
    .params_schema = ISE_PARAMS("",
        JSON("window": {"type": ["string", "number"], "pattern": "^[1-9][0-9]*[smhdw]$", "exclusiveMinimum": 0,
                        "description": "those that authenticated within it instead of the active ones; ISE must keep UTC, for it takes the time as its own"},
             "user": {"type": "string", "minLength": 1, "description": "of this user only"},
             "nas_ip": {"type": "string", "minLength": 1, "description": "of this network device only"},
             "server": {"type": "string", "minLength": 1, "description": "of this policy server only"},
             "offset": {"type": "integer", "minimum": 0, "default": 0, "description": "leave out so many of the matching ones: the next page"}) "," ISE_LIMIT("1000")),
    .result_schema = ISE_OBJ(
        ISE_P("total", "\"integer\"", "sessions that ISE told of") "," ISE_P("matching", "\"integer\"", "those that the parameters mean") ","
        ISE_P_BOOL("complete", "false: there are more behind these: ask with offset") ","
        ISE_P_LIST("sessions", ISE_OBJ(ISE_P_STR("mac", "MAC address of the endpoint; nil where the station id is none, as with VPN") ","
            ISE_P_STR("station", "Calling-Station-Id") "," ISE_P_STR("user_name", "identity") "," ISE_P_STR("ip", "address of the endpoint") ","
            ISE_P_STR("nas_ip", "address of the network device") "," ISE_P_STR("server", "policy server") "," ISE_P_STR("session_id", "audit session id") ","
            ISE_P_STR("acct_session_id", "accounting session id")), "sessions")),
    .about = "`GET /admin/API/mnt/Session/ActiveList`, or `/Session/AuthList/{start}/null` with `window`. MnT knows no pages: the whole list comes, at most 32 MiB,\n"
             "and `offset` and `limit` cut it here.",
    .example = "- id: sessions\n  run: ise.sessions\n  with: {nas_ip: 10.10.1.5, limit: 200}\n",
};

/* ---- session_counts: three calls */

struct counts { size_t at; json_t *out; };
static const struct { const char *path, *field; } counters[] = { { "ActiveCount", "active" }, { "PostureCount", "posture" }, { "ProfilerCount", "profiler" } };

static void ask_count(struct ft_call *call);

static void count_here(struct ft_call *call, json_t *answer)
{
    struct counts *counts = ise_state(call)->own;
    json_t *count = ise_int_or_null(json_object_get(answer, "sessionCount"), "count");

    if (!json_is_integer(count)) {
        json_decref(count);
        ise_fail(call, FT_INVALID, "GET %s: the answer holds no sessionCount", ise_state(call)->ask.url);
        return;
    }
    json_object_set_new(counts->out, counters[counts->at++].field, count);
    if (counts->at < ARRAY_LEN(counters))
        ask_count(call);
    else
        ise_done(call, json_incref(counts->out));
}

static void ask_count(struct ft_call *call)
{
    struct counts *counts = ise_state(call)->own;

    ise_get(call, ISE_MNT, false, ise_url(call, ISE_MNT, "/Session/%s", counters[counts->at].path), count_here);
}

static void counts_begin(struct ft_call *call)
{
    struct counts *counts = host->alloc(call, sizeof(*counts));

    *counts = (struct counts){ .out = ise_hold(call, json_object()) };
    ise_state(call)->own = counts;
    ask_count(call);
}
ISE_BEGIN(ISE_LOOK, counts_begin, counts_start)

const struct ft_action ise_session_counts = {
    ISE_READ(counts_start),
    .name = "session_counts", .summary = "how many sessions are active, have a posture, are profiled",
    .params_schema = ISE_PARAMS("", ""),
    .result_schema = ISE_OBJ(ISE_P("active", "\"integer\"", "active sessions") "," ISE_P("posture", "\"integer\"", "sessions with posture") ","
        ISE_P("profiler", "\"integer\"", "sessions with profiling")),
    .about = "`GET /admin/API/mnt/Session/ActiveCount`, `/PostureCount` and `/ProfilerCount`.",
    .example = "- id: load\n  run: ise.session_counts\n",
};

/* ---- session_delete: DELETE /Session/Delete/MACAddress/{MAC} */

static void delete_ready(struct ft_call *call, json_t *session)
{
    struct ise_call *st = ise_state(call);
    struct ise_write *w = &st->write;

    w->nothing_to_do = !session;
    w->summary = session ? host->printf(call, "delete the session record of %s", st->mac) : host->printf(call, "ISE knows no session of %s", st->mac);
    w->before = session ? ise_hold(call, json_pack("{s:o, s:o}", "user_name", ise_str_or_null(session, "user_name"), "session_id", ise_str_or_null(session, "audit_session_id"))) : NULL;
    w->users = 0;
    w->api = ISE_MNT;
    w->method = "DELETE";
    w->url = ise_url(call, ISE_MNT, "/Session/Delete/MACAddress/%s", st->mac);
    w->result = ise_hold(call, json_pack("{s:s}", "mac", st->mac));
    ise_write_ready(call);
}

static void delete_begin(struct ft_call *call)
{
    if (ise_find_mac(call))
        ise_session_of(call, delete_ready);
}
ISE_BEGIN(ISE_RUN, delete_begin, delete_run)
ISE_BEGIN(ISE_PLAN, delete_begin, delete_plan)

const struct ft_action ise_session_delete = {
    ISE_WRITE(delete_run, delete_plan),
    .name = "session_delete", .summary = "delete a stale session record; the endpoint does not notice",
    .effects = FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT,
    .params_schema = ISE_PARAMS("\"mac\"", ISE_MAC),
    .result_schema = ISE_OBJ(ISE_CHANGED "," ISE_P_STR("mac", "MAC address of the endpoint")),
    .about = "`DELETE /admin/API/mnt/Session/Delete/MACAddress/{mac}`. Only the record goes, which frees its licence: to end the session, use `ise.coa_disconnect`.\n"
             "It cannot be taken back; the next authentication makes a new one.",
    .example = "- id: forget\n  run: ise.session_delete\n  with: {mac: \"${client}\"}\n  undo: none\n",
};

/* ---- auth_attempts: the attempts of an endpoint, newest first */

static int newest_first(const void *a, const void *b)
{
    double first = ise_record_time(*(json_t *const *)a), second = ise_record_time(*(json_t *const *)b);

    return first < second ? 1 : first > second ? -1 : 0;
}

static json_t *attempt_row(struct ft_call *call, const json_t *record)
{
    const char *text = ise_str(record, "failure_reason");
    bool passed = ise_passed(record);
    json_t *out = json_pack("{s:b}", "passed", passed);

    ise_set_auth(call, out, record);
    set_text(out, "failure_reason_code", passed ? NULL : ise_code_of(call, text));
    set_text(out, "failure_reason", passed ? NULL : ise_words_of(text));
    set_str(out, "session_id", record, "audit_session_id");
    return out;
}

static void attempts_here(struct ft_call *call, json_t *answer)
{
    json_t *lists = ise_hold(call, ise_each(json_object_get(answer, "authStatusOutputList"), "authStatusList")), *list, *rows = json_array();
    size_t n = 0, i, limit = (size_t)json_integer_value(json_object_get(host->params(call), "limit"));
    json_t **all = host->alloc(call, (limit + 1) * sizeof(*all));

    json_array_foreach(lists, i, list) {
        json_t *elements = ise_hold(call, ise_each(list, "authStatusElements")), *element;
        size_t k;

        json_array_foreach(elements, k, element)
            if (json_is_object(element) && n < limit)
                all[n++] = element;
    }
    qsort(all, n, sizeof(*all), newest_first);
    for (i = 0; i < n; i++)
        json_array_append_new(rows, attempt_row(call, all[i]));
    if (answer && !json_object_get(answer, "authStatusOutputList")) {
        json_decref(rows);
        ise_fail(call, FT_INVALID, "GET %s: the answer is not an authStatusOutputList", ise_state(call)->ask.url);
        return;
    }
    ise_done(call, json_pack("{s:o}", "attempts", rows));
}

static void attempts_begin(struct ft_call *call)
{
    if (ise_find_mac(call))
        ise_get(call, ISE_MNT, true, ise_url(call, ISE_MNT, "/AuthStatus/MACAddress/%s/%lu/%lld/All", ise_state(call)->mac, ise_window_s(call),
                (long long)json_integer_value(json_object_get(host->params(call), "limit"))), attempts_here);
}
ISE_BEGIN(ISE_LOOK, attempts_begin, attempts_start)

const struct ft_action ise_auth_attempts = {
    ISE_READ(attempts_start),
    .name = "auth_attempts", .summary = "the authentications of an endpoint, newest first",
    .params_schema = ISE_PARAMS("\"mac\"", ISE_MAC "," ISE_WINDOW("1d") ","
        JSON("limit": {"type": "integer", "minimum": 1, "maximum": 500, "default": 50, "description": "at most so many"})),
    .result_schema = ISE_OBJ(ISE_P_LIST("attempts", ISE_OBJ(ISE_P_BOOL("passed", "it passed") ","
        ISE_P_STR("failure_reason_code", "number of the failure reason") "," ISE_P_STR("failure_reason", "the failure reason in words") ","
        ISE_P_STR("session_id", "audit session id") "," ISE_AUTH_PROPERTIES), "attempts")),
    .about = "`GET /admin/API/mnt/AuthStatus/MACAddress/{mac}/{seconds}/{limit}/All`. ISE does not order them; they are ordered here.",
    .example = "- id: attempts\n  run: ise.auth_attempts\n  with: {mac: \"${client}\", window: 1d}\n",
};

/* ---- failure_reasons: the catalogue */

static void reasons_here(struct ft_call *call, json_t *reasons)
{
    const char *contains = ise_text(call, "contains"), *code;
    json_t *rows = json_array(), *entry;

    json_object_foreach(reasons, code, entry) {
        const char *text = ise_str(entry, "text");

        if (*code && (!contains || (text && strcasestr(text, contains)) || strcmp(code, contains) == 0))
            json_array_append_new(rows, json_pack("{s:s, s:o, s:o, s:o}", "code", code, "text", ise_str_or_null(entry, "text"),
                                                  "cause", ise_str_or_null(entry, "cause"), "resolution", ise_str_or_null(entry, "resolution")));
    }
    ise_done(call, json_pack("{s:o}", "reasons", rows));
}

static void reasons_begin(struct ft_call *call)
{
    ise_reasons(call, reasons_here);
}
ISE_BEGIN(ISE_LOOK, reasons_begin, reasons_start)

const struct ft_action ise_failure_reasons = {
    ISE_READ(reasons_start),
    .name = "failure_reasons", .summary = "ISE's catalogue of failure reasons",
    .params_schema = ISE_PARAMS("", JSON("contains": {"type": "string", "minLength": 1, "description": "only reasons with these words, or this number"})),
    .result_schema = ISE_OBJ(ISE_P_LIST("reasons", ISE_OBJ(ISE_P_STR("code", "number") "," ISE_P_STR("text", "the reason in words") ","
        ISE_P_STR("cause", "its cause") "," ISE_P_STR("resolution", "what to do")), "reasons")),
    .about = "`GET /admin/API/mnt/FailureReasons`, asked for once a day.",
    .example = "- id: reasons\n  run: ise.failure_reasons\n  with: {contains: certificate}\n",
};
