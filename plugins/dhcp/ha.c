/* ha.c: the high-availability pair: how it is, and giving one of the two a rest.
 *
 * ha-maintenance-start goes to the server that stays: it takes over all clients (partner-in-maintenance), and its partner stops serving
 * (in-maintenance) and may be shut down. ha-maintenance-cancel goes to the same server, and is what undoes it. */
#include "ha.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "subnets.h"

#define INSTEAD "its failover associations are not changed by this plugin"

static const char server_params[] = "{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {" SERVER_PARAM "}}";

/* ---- ha_status ---- */

static const json_t *pair_of(const json_t *arguments)
{
    return json_array_get(json_object_get(arguments, "high-availability"), 0);
}

static bool is_whole(const char *state, const json_t *remote)
{
    return (ft_same(state, "hot-standby") || ft_same(state, "load-balancing")) && !ft_true(remote, "communication-interrupted")
        && !json_is_false(ft_get(remote, "in-touch"));
}

/* "Wed, 25 Nov 2026 23:03:45 GMT" */
static json_t *skew_of(struct ft_call *call, const char *date)
{
    struct tm tm = { 0 };

    if (!date || !strptime(date, "%a, %d %b %Y %H:%M:%S GMT", &tm))
        return json_null();
    return json_integer((json_int_t)timegm(&tm) - dhcp_now_s(call));
}

static json_t *partner_json(const json_t *remote)
{
    return json_pack("{s:s?, s:s?, s:o, s:o, s:o, s:o, s:o}", "role", ft_str(remote, "role"), "state", ft_str(remote, "last-state"),
                     "in_touch", bool_or_null(remote, "in-touch"), "interrupted", bool_or_null(remote, "communication-interrupted"),
                     "age_s", int_or_null(remote, "age"), "unacked_clients", int_or_null(remote, "unacked-clients"), "scopes", texts_or_null(remote,
                         "last-scopes"));
}

static void beat_seen(struct ft_call *call, const struct kea_reply *reply)
{
    const struct dhcp *st = host->state(call);
    const json_t *pair = st->before, *servers = ft_get(pair, "ha-servers"), *local = ft_get(servers, "local"), *remote = ft_get(servers, "remote");
    const char *state = ft_str(reply->arguments, "state") ?: ft_str(local, "state");

    if (!kea_accept(call, reply))
        return;
    dhcp_done(call, json_pack("{s:b, s:b, s:s?, s:s?, s:s?, s:o, s:o, s:s?, s:o, s:o}", "configured", 1, "ok", is_whole(state, remote),
                              "mode", ft_str(pair, "ha-mode"), "role", ft_str(local, "role"), "state", state,
                              "scopes", texts_or_null(reply->arguments, "scopes"), "unsent_updates", int_or_null(reply->arguments, "unsent-update-count"),
                              "server_time", ft_str(reply->arguments, "date-time"), "clock_skew_s", skew_of(call, ft_str(reply->arguments, "date-time")),
                              "partner", remote ? partner_json(remote) : json_null()));
}

static void ha_status_seen(struct ft_call *call, const struct kea_reply *reply)
{
    struct dhcp *st = host->state(call);
    const json_t *pair = pair_of(reply->arguments);

    if (!kea_accept(call, reply))
        return;
    if (!pair) {
        dhcp_done(call, json_pack("{s:b, s:b, s:n, s:n, s:n, s:n, s:n, s:n, s:n, s:n}", "configured", 0, "ok", 1, "mode", "role", "state", "scopes",
                                  "unsent_updates", "server_time", "clock_skew_s", "partner"));
        return;
    }
    st->before = dhcp_hold(call, json_incref((json_t *)pair));
    kea_ask(call, "ha-heartbeat", NULL, beat_seen);
}

static int ha_status_run(struct ft_call *call, struct ft_err *reterr)
{
    int r = dhcp_begin(call, PHASE_RUN, reterr);

    if (r == 0)
        r = kea_only(call, INSTEAD, reterr);
    if (r == 0)
        kea_ask(call, "status-get", NULL, ha_status_seen);
    return r;
}

static const char ha_result[] = FT_JSON({"type": "object", "properties": {
    "configured": {"type": "boolean", "description": "the server is in a pair (the fields below are null when not)"},
    "ok": {"type": "boolean", "description": "no pair, or both servers are in hot-standby or load-balancing and hear each other"},
    "mode": {"type": ["string", "null"], "description": "hot-standby, load-balancing or passive-backup"},
    "role": {"type": ["string", "null"], "description": "primary, secondary, standby or backup"},
    "state": {"type": ["string", "null"], "description": "own state"},
    "scopes": {"type": ["array", "null"], "items": {"type": "string"}, "description": "whose clients this server serves: names of servers of the pair"},
    "unsent_updates": {"type": ["integer", "null"], "description": "lease updates that the partner has not been told"},
    "server_time": {"type": ["string", "null"], "description": "the server's clock"},
    "clock_skew_s": {"type": ["integer", "null"], "description": "seconds that the server's clock is ahead of ours"},
    "partner": {"type": ["object", "null"], "description": "the partner as this server sees it", "properties": {
        "role": {"type": ["string", "null"], "description": "primary, secondary, standby or backup"},
        "state": {"type": ["string", "null"], "description": "last known state"},
        "in_touch": {"type": ["boolean", "null"], "description": "it has answered since this server started"},
        "interrupted": {"type": ["boolean", "null"], "description": "communication with it is interrupted"},
        "age_s": {"type": ["integer", "null"], "description": "seconds since it last answered"},
        "unacked_clients": {"type": ["integer", "null"], "description": "clients that it does not serve"},
        "scopes": {"type": ["array", "null"], "items": {"type": "string"}, "description": "whose clients it serves"}}}}});

const struct ft_action dhcp_ha_status = {
    .size = sizeof(dhcp_ha_status), .name = "ha_status", .summary = "the high-availability pair, as this server sees it",
    .effects = FT_EFFECT_READ, .params_schema = server_params, .result_schema = ha_result, .state_size = sizeof(struct dhcp),
    .run = { ha_status_run, dhcp_cancel },
    .about = "A server without a pair is `configured: false, ok: true`. States that need somebody: `partner-down`, `communication-recovery`, "
             "`terminated` (the clocks "
             "are too far apart), `waiting` for longer than some seconds, and `partner-in-maintenance` when nobody maintains it.",
    .example = "run: dhcp.ha_status\n",
};

/* ---- maintenance ---- */

#define RESTS "partner-in-maintenance"

static void maintenance_done(struct ft_call *call, const struct kea_reply *reply);

static void maintenance_again(struct ft_call *call)
{
    const struct dhcp *st = host->state(call);

    kea_change(call, st->goal, NULL, maintenance_done);
}

/* Kea 2.2 sometimes says that a maintenance is cancelled, and goes back into it when the last that it heard of its partner is from before: the two
 * hold each other there. Asked again, at uneven intervals since both of them tick, it ends. */
static const unsigned again_ms[] = { 100, 250, 400, 700, 1000, 1500, 2000, 3000, 4000, 5000 };

static void maintenance_checked(struct ft_call *call, const struct kea_reply *reply)
{
    struct dhcp *st = host->state(call);
    const char *state = ft_str(ft_get(ft_get(pair_of(reply->arguments), "ha-servers"), "local"), "state");
    bool start = ft_same(st->goal, "ha-maintenance-start");

    if (!kea_accept(call, reply))
        return;
    if (ft_same(state, RESTS) == start)
        dhcp_done(call, json_pack("{s:b, s:s, s:s}", "changed", 1, "state_before", st->summary, "text", st->said));
    else if (start || st->at == sizeof(again_ms) / sizeof(again_ms[0]) || !host->timer(call, again_ms[st->at++], maintenance_again))
        dhcp_fail(call, FT_REFUSED, "Kea answered '%s' with success (%s), and is in state %s all the same", st->goal, st->said, state ?: "unknown");
}

static void maintenance_done(struct ft_call *call, const struct kea_reply *reply)
{
    struct dhcp *st = host->state(call);

    if (!kea_accept(call, reply))
        return;
    st->said = host->printf(call, "%s", reply->text);
    kea_ask(call, "status-get", NULL, maintenance_checked);
}

static void maintenance_kept(struct ft_call *call)
{
    const struct dhcp *st = host->state(call);

    kea_change(call, st->goal, NULL, maintenance_done);
}

static void maintenance_plan(struct ft_call *call, const struct dhcp *st, bool start, bool done)
{
    json_t *plan;

    if (done)
        plan = json_pack("{s:s, s:[], s:b, s:{s:s}}", "summary", start ? "the partner is in maintenance already" : "no maintenance to end", "requests",
                         "nothing_to_do", 1, "receipt", "state", st->summary);
    else
        plan = json_pack("{s:s, s:[o], s:[{s:s, s:s, s:s}], s:{s:s}, s:i}", "summary", start ? "this server takes over all clients, its partner may "
             "be shut down"
                         : "end the maintenance: both servers serve again", "requests", kea_render(call, st->goal, NULL), "changes", "path", "HA state",
                         "from", st->summary, "to", start ? RESTS : "as before", "receipt", "state", st->summary, "users", 0);
    dhcp_done(call, plan);
}

static void maintenance_state(struct ft_call *call, const struct kea_reply *reply)
{
    struct dhcp *st = host->state(call);
    const json_t *servers = ft_get(pair_of(reply->arguments), "ha-servers");
    const char *state = ft_str(ft_get(servers, "local"), "state");
    bool start = ft_same(st->goal, "ha-maintenance-start"), done;
    struct ft_err err = { 0 };

    if (!kea_accept(call, reply))
        return;
    if (!state) {
        dhcp_fail(call, FT_INVALID, "this server is not in a high-availability pair");
        return;
    }
    done = ft_same(state, RESTS) == start;
    st->summary = host->printf(call, "%s", state);
    if (st->phase == PHASE_PROBE)
        dhcp_done(call, json_pack("{s:b, s:{s:s}, s:{s:b, s:s}}", "happened", done, "seen", "state", state, "result", "changed", done, "text", ""));
    else if (start && !done && st->phase != PHASE_UNDO && !is_whole(state, ft_get(servers, "remote")))
        dhcp_fail(call, FT_REFUSED, "the pair is not whole (state %s, partner %s): only a server of a whole pair can take over for its partner", state,
                  ft_str(ft_get(servers, "remote"), "last-state") ?: "unknown");
    else if (st->phase == PHASE_PLAN)
        maintenance_plan(call, st, start, done);
    else if (done)
        dhcp_done(call, json_pack("{s:b, s:s, s:s}", "changed", 0, "state_before", state, "text", ""));
    else if (st->phase == PHASE_UNDO)
        maintenance_kept(call);
    else if (host->keep(call, json_pack("{s:s}", "state", state), maintenance_kept, &err) < 0)
        dhcp_fail(call, err.class, "%s", err.text);
}

static int maintenance(struct ft_call *call, enum phase phase, const char *command, struct ft_err *reterr)
{
    struct dhcp *st = host->state(call);
    int r = dhcp_begin(call, phase, reterr);

    st->goal = command;
    if (r == 0)
        r = kea_only(call, INSTEAD, reterr);
    if (r == 0)
        kea_ask(call, "status-get", NULL, maintenance_state);
    return r;
}

#define START "ha-maintenance-start"
#define CANCEL "ha-maintenance-cancel"

static int start_run(struct ft_call *call, struct ft_err *e) { return maintenance(call, PHASE_RUN, START, e); }
static int start_plan(struct ft_call *call, struct ft_err *e) { return maintenance(call, PHASE_PLAN, START, e); }
static int start_undo(struct ft_call *call, struct ft_err *e) { return maintenance(call, PHASE_UNDO, CANCEL, e); }
static int start_probe(struct ft_call *call, struct ft_err *e) { return maintenance(call, PHASE_PROBE, START, e); }
static int cancel_run(struct ft_call *call, struct ft_err *e) { return maintenance(call, PHASE_RUN, CANCEL, e); }
static int cancel_plan(struct ft_call *call, struct ft_err *e) { return maintenance(call, PHASE_PLAN, CANCEL, e); }
static int cancel_probe(struct ft_call *call, struct ft_err *e) { return maintenance(call, PHASE_PROBE, CANCEL, e); }

/* What was not in maintenance before does not get there by an undo. */
static int cancel_undo(struct ft_call *call, struct ft_err *reterr)
{
    if (ft_same(ft_str(host->receipt(call), "state"), RESTS))
        return maintenance(call, PHASE_UNDO, START, reterr);
    host->done(call, json_pack("{s:b}", "changed", 0));
    return 0;
}

static const char maintenance_result[] = FT_JSON({"type": "object", "properties": {
    "changed": {"type": "boolean", "description": "false: it was so already"},
    "state_before": {"type": ["string", "null"], "description": "the server's HA state before"},
    "text": {"type": "string", "description": "what the server said"}}});

const struct ft_action dhcp_ha_maintenance_start = {
    .size = sizeof(dhcp_ha_maintenance_start), .name = "ha_maintenance_start", .summary = "this server takes over, so that its partner may be shut down",
    .effects = FT_EFFECT_WRITE, .params_schema = server_params, .result_schema = maintenance_result, .state_size = sizeof(struct dhcp),
    .run = { start_run, dhcp_cancel }, .plan = { start_plan, dhcp_cancel }, .undo = { start_undo, dhcp_cancel }, .probe = { start_probe, dhcp_cancel },
    .timeout_ms = 60000, .about = "Say it to the server that stays. Only a whole pair can do it. When the partner is shut down after that, this "
             "server goes to partner-down at once; undo ends "
             "the maintenance as long as the partner runs.",
    .example = "run: dhcp.ha_maintenance_start\nwith: {server: east}\nundo: auto\n",
};

const struct ft_action dhcp_ha_maintenance_cancel = {
    .size = sizeof(dhcp_ha_maintenance_cancel), .name = "ha_maintenance_cancel", .summary = "end the partner's maintenance",
    .effects = FT_EFFECT_WRITE, .params_schema = server_params, .result_schema = maintenance_result, .state_size = sizeof(struct dhcp),
    .run = { cancel_run, dhcp_cancel }, .plan = { cancel_plan, dhcp_cancel }, .undo = { cancel_undo, dhcp_cancel }, .probe = { cancel_probe, dhcp_cancel },
    .timeout_ms = 60000, .about = "Say it to the server that dhcp.ha_maintenance_start was said to, while the partner still runs.",
    .example = "run: dhcp.ha_maintenance_cancel\nwith: {server: east}\nundo: auto\n",
};
