/* pagerduty.c: events of PagerDuty (Events API v2). The dedup_key makes them idempotent, and undo of a trigger is a resolve. */
#include "notify.h"

static const char *key(struct ft_call *call) { return notify_param(call, "dedup_key") ?: host->printf(call, "fettle-%s", host->run_id(call)); }

static int build_event(struct ft_call *call, struct post *post, const char *action, json_t *payload, struct ft_err *reterr)
{
    const json_t *pager = ft_get(host->config(call), "pagerduty");
    const char *link = notify_param(call, "link");

    if (!pager) {
        json_decref(payload);
        return ft_fault(reterr, FT_INVALID, "the configuration names no PagerDuty service: set plugins.notify.pagerduty.routing_key");
    }
    post->body = json_pack("{s:s, s:s, s:s, s:o*}", "routing_key", ft_str(pager, "routing_key"), "event_action", action, "dedup_key", key(call), "payload",
                           payload);
    if (payload)
        json_object_update_new(post->body, json_pack("{s:s}", "client", "fettle"));
    if (link && payload)
        json_object_set_new(post->body, "links", json_pack("[{s:s, s:s}]", "href", link, "text", "Open"));
    post->req.url = host->printf(call, "%s/v2/enqueue", notify_base(call, ft_str(pager, "url") ?: "https://events.pagerduty.com"));
    post->req.ca_file = ft_str(pager, "ca_file");
    post->req.flags |= FT_HTTP_JSON;
    post->summary = host->printf(call, "%s %s at PagerDuty", action, key(call));
    return 0;
}

static int build_trigger(struct ft_call *call, struct post *post, struct ft_err *reterr)
{
    static const struct { const char *ours, *theirs; } severities[] = { { "P1", "critical" }, { "P2", "error" }, { "P3", "warning" }, { "P4", "info" } };
    const char *severity = notify_param(call, "severity"), *as = "warning";
    json_t *details = json_object_get(host->params(call), "details");

    for (size_t i = 0; i < 4; i++) {
        if (ft_same(severities[i].ours, severity))
            as = severities[i].theirs;
    }
    return build_event(call, post, "trigger",
                       json_pack("{s:s, s:s, s:s, s:s*, s:s*, s:O*}", "summary", notify_param(call, "summary"), "source", notify_param(call, "source"),
                                 "severity", as, "component", notify_param(call, "component"), "group", notify_param(call, "group"), "custom_details",
                                 details),
                       reterr);
}

static int build_acknowledge(struct ft_call *call, struct post *post, struct ft_err *reterr) { return build_event(call, post, "acknowledge", NULL, reterr); }
static int build_resolve(struct ft_call *call, struct post *post, struct ft_err *reterr) { return build_event(call, post, "resolve", NULL, reterr); }

/* {"status": "invalid event", "message": "…", "errors": ["…"]} */
static void fail_with(struct ft_call *call, const struct ft_http_res *res)
{
    const char *message = ft_str(res->json, "message"), *first = json_string_value(json_array_get(ft_get(res->json, "errors"), 0));

    host->fail(call, res->class, "%s%s%s%s%s%s", res->error, message ? " (PagerDuty: " : "", message ?: "", first ? ": " : "", first ?: "", message ? ")" : "");
}

static void answered(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    const char *got = ft_str(res->json, "dedup_key");

    (void)arg;
    if (res->error)
        fail_with(call, res);
    else if (!ft_same(ft_str(res->json, "status"), "success"))
        host->fail(call, FT_AMBIGUOUS, "PagerDuty's address answered, but not as PagerDuty does: whether the event was taken is unknown");
    else
        host->done(call, json_pack("{s:s}", "dedup_key", got ?: key(call)));
}

static void undone(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    (void)arg;
    if (res->error)
        fail_with(call, res);
    else
        host->done(call, json_pack("{s:b}", "undone", 1));
}

static int trigger_run(struct ft_call *call, struct ft_err *e) { return post_run(call, build_trigger, answered, e); }
static int trigger_plan(struct ft_call *call, struct ft_err *e) { return post_plan(call, build_trigger, e); }
static int trigger_undo(struct ft_call *call, struct ft_err *e) { return post_run(call, build_resolve, undone, e); }
static int acknowledge_run(struct ft_call *call, struct ft_err *e) { return post_run(call, build_acknowledge, answered, e); }
static int acknowledge_plan(struct ft_call *call, struct ft_err *e) { return post_plan(call, build_acknowledge, e); }
static int resolve_run(struct ft_call *call, struct ft_err *e) { return post_run(call, build_resolve, answered, e); }
static int resolve_plan(struct ft_call *call, struct ft_err *e) { return post_plan(call, build_resolve, e); }

#define KEY FT_JSON("dedup_key": {"type": "string", "minLength": 1, "maxLength": 255, "description": "which incident it is: site/fault; fettle-<run> when left out"})

static const char trigger_params[] = NOTIFY_OBJECT(", \"required\": [\"summary\", \"source\"]", KEY ", "
    FT_JSON("summary": {"type": "string", "minLength": 1, "maxLength": 1024, "description": "what is wrong, in one line"},
            "source": {"type": "string", "minLength": 1, "maxLength": 255, "description": "what it is about: a device, a site"},
            "severity": {"enum": ["P1", "P2", "P3", "P4"], "default": "P3", "description": "severity of the runbook: critical, error, warning, info"},
            "component": {"type": "string", "description": "part of the source: a port, a radio"}, "group": {"type": "string", "description": "what it belongs to: a site"},
            "details": {"type": "object", "additionalProperties": true, "description": "whatever else the engineer should see"},
            "link": {"type": "string", "pattern": "^https?://", "description": "the ticket, the report"}));
static const char key_params[] = NOTIFY_OBJECT("", KEY);
static const char result[] = FT_JSON({"type": "object", "properties": {"dedup_key": {"type": "string", "description": "by which it is acknowledged and resolved"}}});

#define EVENT(c_name, a_name, what, in) \
    const struct ft_action c_name = { .size = sizeof(c_name), .name = a_name, .summary = what, .effects = FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT, .params_schema = in, \
        .result_schema = result, .state_size = sizeof(struct post),

EVENT(notify_pagerduty_trigger, "pagerduty_trigger", "open an incident at PagerDuty", trigger_params)
    .run = { .start = trigger_run }, .plan = { .start = trigger_plan }, .undo = { .start = trigger_undo },
    .about = "The same dedup_key again is the same incident. Undo resolves it: who was paged was paged.",
    .example = "run: notify.pagerduty_trigger\nwith: {summary: \"HQ: no uplink\", source: HQ, severity: P1, dedup_key: HQ/uplink}\nundo: auto\n" };
EVENT(notify_pagerduty_acknowledge, "pagerduty_acknowledge", "acknowledge an incident at PagerDuty", key_params)
    .run = { .start = acknowledge_run }, .plan = { .start = acknowledge_plan },
    .about = "Says that somebody, or something, works on it.", .example = "run: notify.pagerduty_acknowledge\nwith: {dedup_key: HQ/uplink}\nundo: none\n" };
EVENT(notify_pagerduty_resolve, "pagerduty_resolve", "resolve an incident at PagerDuty", key_params)
    .run = { .start = resolve_run }, .plan = { .start = resolve_plan },
    .about = "One that is not open stays as it is.", .example = "run: notify.pagerduty_resolve\nwith: {dedup_key: HQ/uplink}\nundo: none\n" };
