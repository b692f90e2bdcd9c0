/* status.c: radius.status: Status-Server (RFC 5997) to every server, so that it is known which of them answer. */
#include <string.h>
#include "radius.h"

enum { STATISTICS_TYPE = 127, STATISTICS_ALL = 31, STATUS_TRIES = 2 };

struct status {
    struct rad_exchange x;            /* first */
    json_t *servers;
    size_t up;
};

static int build(struct ft_call *call, const struct rad_peer *peer, struct rad_packet *ret, struct ft_err *reterr)
{
    static const uint8_t all[4] = { 0, 0, 0, STATISTICS_ALL };

    if (!rad_begin(ret, RAD_STATUS_SERVER))
        return ft_fault(reterr, FT_INVALID, "the system gives no random numbers");
    rad_add_nas(ret, peer);
    if (ft_true(host->params(call), "statistics"))
        rad_add_vendor(ret, RAD_V_FREERADIUS, STATISTICS_TYPE, all, sizeof(all));
    return 0;
}

static void drop(struct ft_call *call)
{
    struct status *status = host->state(call);

    json_decref(status->servers);
    status->servers = NULL;
}

static void next(struct ft_call *call)
{
    struct status *status = host->state(call);
    struct ft_err err = { 0 };

    if (status->x.at < status->x.count) {
        if (rad_ask(call, &status->x, &err) < 0) {
            drop(call);
            host->fail(call, err.class ? err.class : FT_INVALID, "%s", err.text);
        }
        return;
    }
    json_t *servers = status->servers;

    status->servers = NULL;
    host->done(call, json_pack("{s:b, s:b, s:I, s:I, s:o}", "up", status->up > 0, "all_up", status->up == status->x.count,
                               "asked", (json_int_t)status->x.count, "answered", (json_int_t)status->up, "servers", servers));
}

static json_t *statistics(const struct rad_packet *answer)
{
    json_t *all = rad_attributes(answer), *out = json_object(), *one;
    size_t i;

    json_array_foreach(all, i, one)
        if (ft_str(one, "name") && strncmp(ft_str(one, "name"), "FreeRADIUS-", 11) == 0)
            json_object_set(out, ft_str(one, "name") + 11, json_object_get(one, "value"));
    json_decref(all);
    return out;
}

static void answered(struct ft_call *call, const struct rad_packet *answer)
{
    struct status *status = host->state(call);
    const struct rad_peer *peer = &status->x.peers[status->x.at];
    struct rad_attr attr;

    json_array_append_new(status->servers, json_pack("{s:s, s:s, s:b, s:I, s:i, s:b, s:n, s:o}", "server", peer->name,
        "address", host->printf(call, "%s port %u", peer->host, peer->port), "up", 1, "ms", (json_int_t)rad_elapsed(call, &status->x),
        "tries", (int)status->x.sent, "message_authenticator", rad_find(answer, 0, RAD_A_MESSAGE_AUTHENTICATOR, &attr), "error",
        "statistics", statistics(answer)));
    status->up++;
    status->x.at++;
    next(call);
}

static void lost(struct ft_call *call, bool unreachable, const char *why)
{
    struct status *status = host->state(call);
    const struct rad_peer *peer = &status->x.peers[status->x.at - 1];
    (void)unreachable;

    json_array_append_new(status->servers, json_pack("{s:s, s:s, s:b, s:n, s:i, s:n, s:s, s:{}}", "server", peer->name,
        "address", host->printf(call, "%s port %u", peer->host, peer->port), "up", 0, "ms", "tries", (int)status->x.sent,
        "message_authenticator", "error", why, "statistics"));
    next(call);
}

static int start(struct ft_call *call, struct ft_err *reterr)
{
    struct status *status = host->state(call);
    bool acct = ft_same(ft_str(host->params(call), "port"), "accounting");
    int r;

    status->x.build = build;
    status->x.then = answered;
    status->x.lost = lost;
    r = rad_servers(call, acct ? RAD_ACCT_PORT : RAD_AUTH_PORT, &status->x, reterr);
    if (r < 0)
        return r;
    for (size_t i = 0; i < status->x.count; i++)
        if (status->x.peers[i].tries > STATUS_TRIES)
            status->x.peers[i].tries = STATUS_TRIES;
    status->servers = json_array();
    r = rad_ask(call, &status->x, reterr);
    if (r < 0)
        drop(call);
    return r;
}

const struct ft_action radius_status = {
    .size = sizeof(struct ft_action), .name = "status", .summary = "which RADIUS servers answer, without a login",
    .effects = FT_EFFECT_READ, .state_size = sizeof(struct status), .timeout_ms = 60000,
    .run = { start, drop },
    .params_schema = RAD_PARAMS("", RAD_SERVER_P ","
        FT_JSON("port": {"type": "string", "enum": ["authentication", "accounting"], "default": "authentication", "description": "which of the server's ports"},
                "statistics": {"type": "boolean", "default": false, "description": "ask FreeRADIUS for its counters; the port must be a listener of type status"})),
    .result_schema = RAD_OBJ(
        RAD_BOOL("up", "at least one server answered") "," RAD_BOOL("all_up", "all of them answered") ","
        RAD_P("asked", "\"integer\"", "servers that were asked") "," RAD_P("answered", "\"integer\"", "those that answered") ","
        "\"servers\":{\"type\":\"array\",\"description\":\"each server, in the order of the configuration\",\"items\":" RAD_OBJ(
            RAD_P("server", "\"string\"", "its name") "," RAD_P("address", "\"string\"", "its address and port") "," RAD_BOOL("up", "it answered") ","
            RAD_INT("ms", "how long that took, ms") "," RAD_P("tries", "\"integer\"", "packets that were sent") ","
            RAD_P("message_authenticator", "[\"boolean\",\"null\"]", "the answer carried a Message-Authenticator") "," RAD_STR("error", "why it counts as down") ","
            RAD_P("statistics", "\"object\"", "counters of FreeRADIUS, such as Total-Access-Rejects")) "}"),
    .about = "Status-Server (RFC 5997), two packets at most to each server, one server after the other. A server that does not answer is a result, no error.\n\n"
             "Down, an unknown client and a wrong shared secret look the same: servers are silent about all three.\n"
             "ISE and some others do not know Status-Server: use `radius.auth` with a test account there.",
    .example = "- id: radius\n  run: radius.status\n  branch:\n    - if: not result.up\n      then: radius_down\n    - else: login\n",
};
