/* mist_command_tools.c: ping and traceroute from where a device is. */
#include "mist_command.h"

#define HOST_PARAM JSON("host": {"type": "string", "minLength": 1, "maxLength": 253, "pattern": "^[0-9A-Za-z_][0-9A-Za-z_.:%-]*$", \
                                 "description": "name or address to reach"})
#define NODE_PARAM JSON("node": {"type": "string", "enum": ["node0", "node1"], "description": "node of a pair of gateways"})
#define VRF_PARAM JSON("vrf": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[0-9A-Za-z_.-]+$", \
                               "description": "routing instance to send from; switches and gateways"})

/* The parameters of these names, under the names that Mist has for them. New. */
static json_t *body_of(struct ft_call *call, const char *const names[][2])
{
    json_t *body = json_object();

    for (; (*names)[0]; names++)
        if (json_object_get(host->params(call), (*names)[0]))
            json_object_set(body, (*names)[1], json_object_get(host->params(call), (*names)[0]));
    return body;
}

/* ---- device_ping: POST /sites/{site_id}/devices/{device_id}/ping */

static void ping_over(struct ft_call *call, const struct mist_output *output)
{
    mist_command_finish(call, output, output->how == MIST_ENDED, mist_ping_read(output->text));
}

/* A host that does not answer is silence of as many seconds as there are packets. */
static void ping_ready(struct ft_call *call)
{
    static const char *const names[][2] = { { "host", "host" }, { "count", "count" }, { "size", "size" }, { "vrf", "vrf" },
                                            { "egress_interface", "egress_interface" },
                                            { "node", "node" }, { NULL, NULL } };
    unsigned count = (unsigned)json_integer_value(json_object_get(host->params(call), "count"));
    struct mist_command command = { .what = "device_ping", .ended = mist_ping_ended, .first_ms = 20000 + 1000 * count, .quiet_ms = 15000 + 1000 * count,
                                    .total_ms = 30000 + 2000 * count, .over = ping_over };

    mist_command_post(call, &command, "ping", body_of(call, names));
}

static void ping_look(struct ft_call *call)
{
    mist_command_ask(call, ping_ready);
}

static void ping_begin(struct ft_call *call)
{
    mist_find_device(call, NULL, ping_look);
}
MIST_BEGIN(MIST_LOOK, ping_begin, ping_start)

const struct ft_action mist_device_ping = {
    MIST_READ(ping_start),
    .name = "device_ping", .summary = "ping a host from where an access point, a switch or a gateway is", .timeout_ms = 270000,
    .params_schema = MIST_PARAMS("\"device\",\"host\"", MIST_SITE "," MIST_DEVICE "," HOST_PARAM "," VRF_PARAM "," NODE_PARAM ","
        JSON("count": {"type": "integer", "minimum": 1, "maximum": 100, "default": 5, "description": "packets to send, one a second"},
             "size": {"type": "integer", "minimum": 56, "maximum": 65535, "description": "bytes of data in each; 56 when left out"},
             "egress_interface": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[0-9A-Za-z_./:-]+$",
                                  "description": "interface to send from"})),
    .result_schema = MIST_OBJ(MIST_P("reachable", "\"boolean\"", "at least one answer came") "," MIST_P_STR("address", "who answered") ","
        MIST_P_INT("sent", "packets sent; nil where the device gave no statistics") "," MIST_P("received", "\"integer\"", "answers") ","
        MIST_P_NUM("loss_pct", "packets lost, %; nil where the device gave no statistics") "," MIST_P_NUM("rtt_min_ms", "shortest round trip, ms") ","
        MIST_P_NUM("rtt_avg_ms", "mean round trip, ms") "," MIST_P_NUM("rtt_max_ms", "longest round trip, ms") ","
        MIST_P_STR("error", "what ping complained about: a name that is not known, no route") "," MIST_COMMAND_RESULT),
    .about = "`POST /sites/{site_id}/devices/{device_id}/ping`; the output comes over Mist's websocket. A host that does not answer is no failure of the step: read\n"
             "`reachable` and `loss_pct`. The step fails with `unreachable` where the device is not connected to Mist, and with `timeout` where it says nothing at all.\n"
             "The output ends with ping's statistics; without them `complete` is false, `sent` and `loss_pct` are nil, and `received` counts the answers seen.",
    .example = "- id: gateway_from_ap\n  run: mist.device_ping\n  with: {device: ap-3f-12, site: HQ, host: 10.1.20.1, count: 5}\n",
};

/* ---- device_traceroute: POST …/traceroute */

static void route_over(struct ft_call *call, const struct mist_output *output)
{
    mist_command_finish(call, output, output->how == MIST_ENDED, mist_traceroute_read(output->text));
}

static void route_ready(struct ft_call *call)
{
    static const char *const names[][2] = { { "host", "host" }, { "protocol", "protocol" }, { "port", "port" }, { "timeout_s", "timeout" }, { "vrf", "vrf" },
                                            { "network", "network" }, { "node", "node" }, { NULL, NULL } };
    /* a hop that is silent takes three times five seconds */
    static const struct mist_command command = { .what = "device_traceroute", .ended = mist_traceroute_ended, .first_ms = 30000, .quiet_ms = 20000,
                                                 .total_ms = 240000,
                                                 .over = route_over };

    mist_command_post(call, &command, "traceroute", body_of(call, names));
}

static void route_look(struct ft_call *call)
{
    mist_command_ask(call, route_ready);
}

static void route_begin(struct ft_call *call)
{
    mist_find_device(call, NULL, route_look);
}
MIST_BEGIN(MIST_LOOK, route_begin, route_start)

#define HOP MIST_OBJ(MIST_P("hop", "\"integer\"", "number, as the device counts: some begin with 0") "," \
                     MIST_P_STR("address", "who answered first; nil: nobody") "," \
    MIST_P_STR("name", "its name, where the device gives one") "," MIST_P_LIST("addresses", "{\"type\":\"string\"}", "all who answered") "," \
    MIST_P_LIST("rtts_ms", "{\"type\":[\"number\",\"null\"]}", "round trips, ms") "," MIST_P("lost", "\"integer\"", "probes without an answer") "," \
    MIST_P_STR("answer", "!H, !N … where the way ends there"))

const struct ft_action mist_device_traceroute = {
    MIST_READ(route_start),
    .name = "device_traceroute", .summary = "the way to a host from where an access point, a switch or a gateway is", .timeout_ms = 300000,
    .params_schema = MIST_PARAMS("\"device\",\"host\"", MIST_SITE "," MIST_DEVICE "," HOST_PARAM "," VRF_PARAM "," NODE_PARAM ","
        JSON("protocol": {"type": "string", "enum": ["udp", "icmp"], "default": "udp", "description": "what to send; icmp: access points only"},
             "port": {"type": "integer", "minimum": 1, "maximum": 65535, "description": "udp: first port; 33434 when left out"},
             "timeout_s": {"type": "integer", "minimum": 1, "maximum": 180, "description": "how long the device may take, s; 60 when left out"},
             "network": {"type": "string", "minLength": 1, "description": "session smart router: network to send from"})),
    .result_schema = MIST_OBJ(MIST_P_STR("target", "address that the device looks for") ","
                              MIST_P_BOOL("reached", "the last hop is the target; nil where the device does not name it") ","
        MIST_P_LIST("hops", HOP, "the way") "," MIST_P_STR("error", "what traceroute complained about") "," MIST_COMMAND_RESULT),
    .about = "`POST /sites/{site_id}/devices/{device_id}/traceroute`; the output comes over Mist's websocket. It ends when the target answers, with the last hop allowed, or\n"
             "after 20 s of silence; then `complete` is false.",
    .example = "- id: way_out\n  run: mist.device_traceroute\n  with: {device: ap-3f-12, site: HQ, host: 8.8.8.8}\n",
};
