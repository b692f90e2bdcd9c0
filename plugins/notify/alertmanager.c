/* alertmanager.c: alerts and silences of Prometheus Alertmanager (API v2). A silence carries a mark in its comment, by which a probe and undo find it again. */
#include "notify.h"
#include <stdlib.h>
#include <time.h>

#define MAX_SHOWN 100

/* ---- Requests ---- */

static int address(struct ft_call *call, struct post *post, const char *method, const char *path, struct ft_err *reterr)
{
    const json_t *config = ft_get(host->config(call), "alertmanager");

    if (!config)
        return ft_fault(reterr, FT_INVALID, "the configuration names no Alertmanager: set plugins.notify.alertmanager.url");
    post->req.method = method;
    post->req.url = host->printf(call, "%s/api/v2/%s", notify_base(call, ft_str(config, "url")), path);
    post->req.ca_file = ft_str(config, "ca_file");
    if (ft_str(config, "token")) {
        post->headers[0] = (struct ft_http_header){ "Authorization", host->printf(call, "Bearer %s", ft_str(config, "token")) };
    } else {
        post->req.user = ft_str(config, "user");
        post->req.password = ft_str(config, "password");
    }
    return 0;
}

static int read_list(struct ft_call *call, const char *path, ft_http_cb *seen, struct ft_err *reterr)
{
    struct post *post = host->state(call);
    int r;

    post->req = (struct ft_http_req){ .size = sizeof(post->req), .headers = post->headers, .flags = FT_HTTP_JSON };
    r = address(call, post, "GET", path, reterr);
    return r < 0 ? r : host->http(call, &post->req, seen, NULL, reterr);
}

/* An error is a JSON text, or {"code", "message"}. */
static void fail_with(struct ft_call *call, const struct ft_http_res *res)
{
    json_t *json = json_loadb(res->body ?: "", res->body_len, JSON_DECODE_ANY, NULL);
    const char *said = json_string_value(json) ?: ft_str(json, "message");

    host->fail(call, res->class, "%s%s%.400s%s", res->error, said ? " (Alertmanager: " : "", said ?: "", said ? ")" : "");
    json_decref(json);
}

static json_t *stamp(uint64_t wall_ms)
{
    time_t t = (time_t)(wall_ms / 1000);
    struct tm tm = { 0 };
    char text[40];

    gmtime_r(&t, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    return json_sprintf("%s.%03uZ", text, (unsigned)(wall_ms % 1000));
}

/* ---- alerts ---- */

static const char *text_at(const json_t *object, const char *outer, const char *key) { return ft_str(ft_get(object, outer), key); }

static json_t *alert_of(const json_t *alert)
{
    json_t *labels = json_object_get(alert, "labels"), *annotations = json_object_get(alert, "annotations"),
           *silenced = json_object_get(ft_get(alert, "status"), "silencedBy");

    return json_pack("{s:s?, s:s?, s:O, s:O, s:s?, s:s?, s:O}", "name", text_at(alert, "labels", "alertname"), "state", text_at(alert, "status", "state"),
                     "labels", labels ?: json_null(), "annotations", annotations ?: json_null(), "starts_at", ft_str(alert, "startsAt"), "fingerprint", ft_str(alert, "fingerprint"),
                     "silenced_by", silenced ?: json_null());
}

static void alerts_seen(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    json_t *list = json_array(), *alert;
    size_t i;

    (void)arg;
    if (res->error) {
        json_decref(list);
        fail_with(call, res);
        return;
    }
    if (!json_is_array(res->json)) {
        json_decref(list);
        host->fail(call, FT_INVALID, "the address of plugins.notify.alertmanager answered, but not as Alertmanager does");
        return;
    }
    json_array_foreach(res->json, i, alert) {
        if (json_is_object(alert) && json_array_size(list) < MAX_SHOWN)
            json_array_append_new(list, alert_of(alert));
    }
    host->done(call, json_pack("{s:i, s:o}", "count", (int)json_array_size(res->json), "alerts", list));
}

/* A matcher's value stands between quotes. */
static const char *in_quotes(struct ft_call *call, const char *text)
{
    char *safe = host->alloc(call, strlen(text) * 2 + 1), *to = safe;

    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            *to++ = '\\';
        *to++ = *text;
    }
    *to = '\0';
    return safe;
}

static int alerts_run(struct ft_call *call, struct ft_err *reterr)
{
    const char *path = "alerts?", *name;
    json_t *value;

    json_object_foreach((json_t *)ft_get(host->params(call), "labels"), name, value) path = host->printf(
        call, "%sfilter=%s&", path, host->url_escape(call, host->printf(call, "%s=\"%s\"", name, in_quotes(call, json_string_value(value)))));
    return read_list(call, path, alerts_seen, reterr);
}

/* ---- alert ---- */

static int build_alert(struct ft_call *call, struct post *post, uint64_t end_ms, struct ft_err *reterr)
{
    json_t *labels = json_deep_copy(ft_get(host->params(call), "labels")), *annotations = json_object_get(host->params(call), "annotations"), *alert;

    if (!labels)
        labels = json_object();
    json_object_set_new(labels, "alertname", json_string(notify_param(call, "name")));
    alert = json_pack("{s:o, s:O*}", "labels", labels, "annotations", annotations);
    if (end_ms)
        json_object_set_new(alert, "endsAt", stamp(end_ms));
    post->body = json_pack("[o]", alert);
    post->summary = host->printf(call, "raise the alert %s", notify_param(call, "name"));
    return address(call, post, "POST", "alerts", reterr);
}

static int build_raise(struct ft_call *call, struct post *post, struct ft_err *reterr)
{
    json_int_t minutes = ft_int(host->params(call), "minutes");

    return build_alert(call, post, minutes ? host->wall_ms(call) + (uint64_t)minutes * 60000 : 0, reterr);
}

static int build_end(struct ft_call *call, struct post *post, struct ft_err *reterr) { return build_alert(call, post, host->wall_ms(call), reterr); }

static void raised(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    (void)arg;
    if (res->error)
        fail_with(call, res);
    else
        host->done(call, json_pack("{s:s}", "name", notify_param(call, "name")));
}

static void ended(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    (void)arg;
    if (res->error)
        fail_with(call, res);
    else
        host->done(call, json_pack("{s:b}", "undone", 1));
}

static int alert_run(struct ft_call *call, struct ft_err *e) { return post_run(call, build_raise, raised, e); }
static int alert_plan(struct ft_call *call, struct ft_err *e) { return post_plan(call, build_raise, e); }
static int alert_undo(struct ft_call *call, struct ft_err *e) { return post_run(call, build_end, ended, e); }

/* ---- silence ---- */

static json_t *matchers_of(struct ft_call *call)
{
    const json_t *params = host->params(call);
    json_t *matchers = json_array(), *value;
    const char *name;

    json_object_foreach((json_t *)ft_get(params, "labels"), name, value)
        json_array_append_new(matchers, json_pack("{s:s, s:s, s:b, s:b}", "name", name, "value", json_string_value(value), "isRegex", 0, "isEqual", 1));
    json_object_foreach((json_t *)ft_get(params, "patterns"), name, value)
        json_array_append_new(matchers, json_pack("{s:s, s:s, s:b, s:b}", "name", name, "value", json_string_value(value), "isRegex", 1, "isEqual", 1));
    return matchers;
}

static const char *mark(struct ft_call *call)
{
    json_t *matchers = matchers_of(call);
    char *text = json_dumps(matchers, JSON_COMPACT);
    const char *mark = host->printf(call, "(fettle run %s, silence %08x)", host->run_id(call),
                                    (unsigned)notify_hash((const char *const[]){ text, notify_param(call, "comment") }, 2));

    free(text);
    json_decref(matchers);
    return mark;
}

static int build_silence(struct ft_call *call, struct post *post, struct ft_err *reterr)
{
    uint64_t now = host->wall_ms(call), end = now + (uint64_t)ft_int(host->params(call), "minutes") * 60000;
    json_t *matchers = matchers_of(call);
    size_t n = json_array_size(matchers);

    post->body = json_pack("{s:o, s:o, s:o, s:s, s:o}", "matchers", matchers, "startsAt", stamp(now), "endsAt", stamp(end), "createdBy", "fettle",
                           "comment", json_sprintf("%s %s", notify_param(call, "comment"), mark(call)));
    post->summary = host->printf(call, "silence alerts for %d minutes", (int)ft_int(host->params(call), "minutes"));
    if (n == 0)
        return ft_fault(reterr, FT_INVALID, "a silence without a label would silence everything: give labels or patterns");
    return address(call, post, "POST", "silences", reterr);
}

static void silence_kept(struct ft_call *call)
{
    const struct post *post = host->state(call);

    host->done(call, json_pack("{s:s}", "silence_id", post->kept[0]));
}

static void silenced(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    struct post *post = host->state(call);
    struct ft_err err = { 0 };
    json_t *json;

    (void)arg;
    if (res->error) {
        fail_with(call, res);
        return;
    }
    json = json_loadb(res->body ?: "", res->body_len, 0, NULL);
    post->kept[0] = ft_str(json, "silenceID") ? host->printf(call, "%s", ft_str(json, "silenceID")) : NULL;
    json_decref(json);
    if (!post->kept[0])
        host->fail(call, FT_AMBIGUOUS, "Alertmanager's address answered without the silence's id: whether it was made is unknown");
    else if (host->keep(call, json_pack("{s:s}", "silence_id", post->kept[0]), silence_kept, &err) < 0)
        host->fail(call, err.class ?: FT_INVALID, "%s", err.text);
}

static int silence_run(struct ft_call *call, struct ft_err *e) { return post_run(call, build_silence, silenced, e); }
static int silence_plan(struct ft_call *call, struct ft_err *e) { return post_plan(call, build_silence, e); }

/* ---- silence: undo, probe, expire ---- */

/* Alertmanager 0.25 says so with a 500, later ones with a 404. */
static bool is_gone(const struct ft_http_res *res)
{
    return res->status == 404 || (res->status == 500 && res->body && (strstr(res->body, "silence not found") || strstr(res->body, "already expired")));
}

static void expired(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    (void)arg;
    if (res->error && !is_gone(res))
        fail_with(call, res);
    else
        host->done(call, json_pack("{s:b}", "undone", !res->error));
}

static int build_expire(struct ft_call *call, struct post *post, struct ft_err *reterr)
{
    const char *id = post->kept[0] ?: notify_param(call, "silence_id");

    post->summary = host->printf(call, "end the silence %s", id);
    return address(call, post, "DELETE", host->printf(call, "silence/%s", host->url_escape(call, id)), reterr);
}

/* Ours among the silences that hold or will hold. */
static const char *our_silence(struct ft_call *call, const json_t *list)
{
    const char *wanted = mark(call);
    json_t *silence;
    size_t i;

    json_array_foreach(list, i, silence) {
        if (strstr(ft_str(silence, "comment") ?: "", wanted) && !ft_same(text_at(silence, "status", "state"), "expired"))
            return ft_str(silence, "id");
    }
    return NULL;
}

static void silences_probed(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    const char *id = our_silence(call, res->json);

    (void)arg;
    if (res->error)
        fail_with(call, res);
    else
        host->done(call, json_pack("{s:b, s:{s:i}, s:o*}", "happened", id != NULL, "seen", "silences", (int)json_array_size(res->json), "result",
                                   id ? json_pack("{s:s}", "silence_id", id) : NULL));
}

static int silence_probe(struct ft_call *call, struct ft_err *reterr) { return read_list(call, "silences", silences_probed, reterr); }

static void silences_seen(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    struct post *post = host->state(call);
    const char *id = our_silence(call, res->json);
    struct ft_err err = { 0 };

    (void)arg;
    if (res->error) {
        fail_with(call, res);
        return;
    }
    if (!id) {
        host->done(call, json_pack("{s:b}", "undone", 0));
        return;
    }
    post->kept[0] = host->printf(call, "%s", id);
    if (post_run(call, build_expire, expired, &err) < 0)
        host->fail(call, err.class ?: FT_INVALID, "%s", err.text);
}

static int silence_undo(struct ft_call *call, struct ft_err *reterr)
{
    struct post *post = host->state(call);

    post->kept[0] = ft_str(host->receipt(call), "silence_id");
    return post->kept[0] ? post_run(call, build_expire, expired, reterr) : read_list(call, "silences", silences_seen, reterr);
}

static void expire_answered(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    (void)arg;
    if (res->error && is_gone(res))
        host->fail(call, FT_NOT_FOUND, "Alertmanager has no silence %s that could be ended", notify_param(call, "silence_id"));
    else if (res->error)
        fail_with(call, res);
    else
        host->done(call, json_pack("{s:s}", "silence_id", notify_param(call, "silence_id")));
}

static int expire_run(struct ft_call *call, struct ft_err *e) { return post_run(call, build_expire, expire_answered, e); }
static int expire_plan(struct ft_call *call, struct ft_err *e) { return post_plan(call, build_expire, e); }

/* ---- Description ---- */

#define LABELS(what) "\"labels\": {\"type\": \"object\", \"maxProperties\": 30, \"additionalProperties\": {\"type\": \"string\"}, \"description\": \"" what "\"}"

static const char alerts_params[] = NOTIFY_OBJECT("", LABELS("only alerts with all of these: {site: HQ}"));
static const char alert_params[] = NOTIFY_OBJECT(", \"required\": [\"name\"]", LABELS("further labels: they are what tells one alert from another") ", "
    FT_JSON("name": {"type": "string", "minLength": 1, "description": "alertname"},
            "annotations": {"type": "object", "maxProperties": 30, "additionalProperties": {"type": "string"}, "description": "summary, description, runbook_url"},
            "minutes": {"type": "integer", "minimum": 1, "maximum": 10080, "description": "ends by itself after so many minutes; by Alertmanager's resolve_timeout when left out"}));
static const char silence_params[] = NOTIFY_OBJECT(", \"required\": [\"minutes\", \"comment\"]", LABELS("alerts with exactly these labels: {site: HQ}") ", "
    FT_JSON("patterns": {"type": "object", "maxProperties": 30, "additionalProperties": {"type": "string"}, "description": "and whose labels match these regular expressions: {instance: sw-3f-.*}"},
            "minutes": {"type": "integer", "minimum": 1, "maximum": 10080, "description": "for how long"},
            "comment": {"type": "string", "minLength": 1, "maxLength": 500, "description": "why"}));
static const char expire_params[] = NOTIFY_OBJECT(", \"required\": [\"silence_id\"]",
    FT_JSON("silence_id": {"type": "string", "pattern": "^[0-9a-fA-F-]{36}$", "description": "id that notify.alertmanager_silence gave"}));
static const char alerts_result[] = FT_JSON({"type": "object", "properties": {"count": {"type": "integer", "description": "how many there are"},
    "alerts": {"type": "array", "description": "the first 100", "items": {"type": "object", "properties": {
        "name": {"type": ["string", "null"], "description": "alertname"}, "state": {"type": ["string", "null"], "description": "active, suppressed, unprocessed"},
        "labels": {"type": ["object", "null"], "additionalProperties": true, "description": "labels"}, "annotations": {"type": ["object", "null"], "additionalProperties": true, "description": "annotations"},
        "starts_at": {"type": ["string", "null"], "description": "since when, RFC 3339"}, "fingerprint": {"type": ["string", "null"], "description": "its identity"},
        "silenced_by": {"type": ["array", "null"], "description": "ids of silences"}}}}}});
static const char alert_result[] = FT_JSON({"type": "object", "properties": {"name": {"type": "string", "description": "alertname"}}});
static const char silence_result[] = FT_JSON({"type": "object", "properties": {"silence_id": {"type": "string", "description": "id of the silence"}}});

#define ALERT_ACTION(c_name, a_name, what, effect, in, out) \
    const struct ft_action c_name = { .size = sizeof(c_name), .name = a_name, .summary = what, .effects = effect, .params_schema = in, .result_schema = out, .state_size = sizeof(struct post),

ALERT_ACTION(notify_alertmanager_alerts, "alertmanager_alerts", "alerts that Alertmanager holds", FT_EFFECT_READ, alerts_params, alerts_result)
    .run = { .start = alerts_run }, .about = "Firing ones, silenced or not.", .example = "run: notify.alertmanager_alerts\nwith: {labels: {site: HQ}}\n" };
ALERT_ACTION(notify_alertmanager_alert, "alertmanager_alert", "raise an alert at Alertmanager", FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT, alert_params, alert_result)
    .run = { .start = alert_run }, .plan = { .start = alert_plan }, .undo = { .start = alert_undo },
    .about = "The same labels again are the same alert. Undo ends it. It must be raised again before Alertmanager's resolve_timeout, or say in minutes how long it holds.",
    .example = "run: notify.alertmanager_alert\nwith: {name: PoolFull, labels: {site: HQ, vlan: \"110\"}, annotations: {summary: The pool is full}, minutes: 60}\nundo: auto\n" };
ALERT_ACTION(notify_silence, "alertmanager_silence", "silence alerts for a while", FT_EFFECT_WRITE, silence_params, silence_result)
    .run = { .start = silence_run }, .plan = { .start = silence_plan }, .undo = { .start = silence_undo }, .probe = { .start = silence_probe },
    .about = "For the time of a change. Undo ends the silence; otherwise it ends by itself. The comment ends with a mark (fettle run …) by which it is found again.",
    .example = "run: notify.alertmanager_silence\nwith: {labels: {site: HQ}, minutes: 30, comment: Firmware of the access points}\nundo: auto\n" };
ALERT_ACTION(notify_silence_expire, "alertmanager_silence_expire", "end a silence", FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT, expire_params, silence_result)
    .run = { .start = expire_run }, .plan = { .start = expire_plan }, .about = "Before its time.",
    .example = "run: notify.alertmanager_silence_expire\nwith: {silence_id: \"${silence.silence_id}\"}\nundo: none\n" };
