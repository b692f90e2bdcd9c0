/* status.c: is the server up, how full are its pools, what do its counters say. */
#include "status.h"

#include <string.h>
#include "edits.h"
#include "subnets.h"

/* ---- server_status: a server that is down is what the caller wants to know, so it is a result ---- */

static json_t *ha_facts(const json_t *arguments)
{
    const json_t *ha = json_array_get(json_object_get(arguments, "high-availability"), 0);
    const json_t *servers = json_object_get(ha, "ha-servers"), *local = json_object_get(servers, "local"), *remote = json_object_get(servers, "remote");

    if (!ha)
        return json_null();
    return json_pack("{s:s?, s:s?, s:s?, s:s?, s:O?, s:O?, s:O?}", "mode", text_of(ha, "ha-mode"), "role", text_of(local, "role"),
                     "state", text_of(local, "state"), "partner_state", text_of(remote, "last-state"),
                     "partner_in_touch", json_object_get(remote, "in-touch"),
                     "interrupted", json_object_get(remote, "communication-interrupted"),
                     "unacked_clients", json_object_get(remote, "unacked-clients"));
}

static bool ha_is_fine(const char *state)
{
    return !state || strcmp(state, "hot-standby") == 0 || strcmp(state, "load-balancing") == 0;
}

static void status_seen(struct ft_call *call, const struct kea_reply *reply)
{
    const json_t *arguments = reply->arguments;
    const char *sockets = text_of(json_object_get(arguments, "sockets"), "status");
    bool up = reply->result == KEA_OK;
    const char *state;
    json_t *ha;

    if (!up && reply->class != FT_UNREACHABLE && reply->class != FT_TIMEOUT) {
        (void)kea_accept(call, reply);                 /* a wrong password says nothing about the server */
        return;
    }
    ha = ha_facts(arguments);
    state = text_of(ha, "state");
    dhcp_done(call, json_pack("{s:b, s:b, s:o, s:o, s:b, s:s?, s:b, s:o, s:s?}", "up", up, "agent_up", up || reply->agent_answered,
                              "uptime_s", up ? json_integer(int_of(arguments, "uptime")) : json_null(),
                              "config_age_s", up ? json_integer(int_of(arguments, "reload")) : json_null(),
                              "listening", up && (!sockets || strcmp(sockets, "ready") == 0), "ha_state", state,
                              "ha_ok", ha_is_fine(state), "ha", ha, "error", up ? NULL : reply->text));
}

static int status_start(struct ft_call *call, struct ft_err *reterr)
{
    int r = dhcp_begin(call, PHASE_RUN, reterr);

    if (r == 0)
        kea_ask(call, "status-get", NULL, status_seen);
    return r;
}

static const char server_params[] = "{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {" SERVER_PARAM "}}";

static const char status_result[] = JSON({"type": "object", "properties": {
    "up": {"type": "boolean", "description": "the DHCP server answers"},
    "agent_up": {"type": "boolean", "description": "the control agent answers, whatever the server behind it does"},
    "uptime_s": {"type": ["integer", "null"], "description": "seconds since the server started"},
    "config_age_s": {"type": ["integer", "null"], "description": "seconds since its configuration was loaded"},
    "listening": {"type": "boolean", "description": "its sockets for clients are open"},
    "ha_state": {"type": ["string", "null"], "description": "state in the high-availability pair (hot-standby, load-balancing, partner-down …); null without HA"},
    "ha_ok": {"type": "boolean", "description": "no HA, or its state is hot-standby or load-balancing"},
    "ha": {"type": ["object", "null"], "description": "the pair as this server sees it", "properties": {
        "mode": {"type": ["string", "null"], "description": "hot-standby, load-balancing or passive-backup"},
        "role": {"type": ["string", "null"], "description": "primary, secondary, standby or backup"},
        "state": {"type": ["string", "null"], "description": "own state"},
        "partner_state": {"type": ["string", "null"], "description": "the partner's last known state"},
        "partner_in_touch": {"type": ["boolean", "null"], "description": "the partner answers"},
        "interrupted": {"type": ["boolean", "null"], "description": "communication with the partner is interrupted"},
        "unacked_clients": {"type": ["integer", "null"], "description": "clients that the partner does not serve"}}},
    "error": {"type": ["string", "null"], "description": "why it counts as down"}}});

const struct ft_action dhcp_server_status = {
    .size = sizeof(dhcp_server_status), .name = "server_status", .summary = "is the DHCP server up",
    .effects = FT_EFFECT_READ, .params_schema = server_params, .result_schema = status_result, .state_size = sizeof(struct dhcp),
    .run = { status_start, dhcp_cancel }, .timeout_ms = 10000,
    .about = "A server or control agent that does not answer is the result `up: false`; rejected credentials fail the step.",
    .example = "run: dhcp.server_status\n",
};

/* ---- pool_use ---- */

struct columns { size_t id, total, assigned, declined; };

static bool find_columns(const json_t *names, struct columns *ret)
{
    static const struct { const char *name; size_t at; } wanted[] = {
        { "subnet-id", offsetof(struct columns, id) }, { "total-addresses", offsetof(struct columns, total) },
        { "assigned-addresses", offsetof(struct columns, assigned) }, { "declined-addresses", offsetof(struct columns, declined) },
    };
    size_t found = 0;

    for (size_t w = 0; w < sizeof(wanted) / sizeof(wanted[0]); w++) {
        for (size_t i = 0; i < json_array_size(names); i++) {
            if (strcmp(json_string_value(json_array_get(names, i)) ?: "", wanted[w].name) != 0)
                continue;
            *(size_t *)((char *)ret + wanted[w].at) = i;
            found++;
            break;
        }
    }
    return found == sizeof(wanted) / sizeof(wanted[0]);
}

static json_t *pool_texts(const json_t *subnet)
{
    json_t *list = json_array(), *pool;
    size_t i;

    json_array_foreach(json_object_get(subnet, "pools"), i, pool)
        json_array_append(list, json_object_get(pool, "pool"));
    return list;
}

/* Kea's stat-lease4-get counts declined addresses beside the assigned ones; neither can be given out. (Its statistic of the same name counts them in.) */
static json_t *use_of(const json_t *row, const struct columns *at, const json_t *dhcp4)
{
    json_int_t id = json_integer_value(json_array_get(row, at->id)), total = json_integer_value(json_array_get(row, at->total));
    json_int_t assigned = json_integer_value(json_array_get(row, at->assigned)), declined = json_integer_value(json_array_get(row, at->declined));
    const json_t *subnet = subnet_by_id(dhcp4, id);
    json_int_t used = assigned + declined < total ? assigned + declined : total, tenths = total ? (used * 1000 + total / 2) / total : 0;

    return json_pack("{s:I, s:s?, s:o, s:I, s:I, s:I, s:I, s:f, s:b}", "subnet_id", id, "subnet", text_of(subnet, "subnet"),
                     "pools", pool_texts(subnet), "total", total, "assigned", assigned, "declined", declined,
                     "free", total - used, "utilisation_pct", (double)tenths / 10, "exhausted", used >= total);
}

static bool is_fuller(const json_t *use, const json_t *than)
{
    return !than || json_real_value(json_object_get(use, "utilisation_pct")) > json_real_value(json_object_get(than, "utilisation_pct"));
}

static void use_seen(struct ft_call *call, const struct kea_reply *reply)
{
    const struct dhcp *st = host->state(call);
    const json_t *set = json_object_get(reply->arguments, "result-set"), *fullest = NULL;
    json_t *subnets, *row, *use, *result;
    struct columns at;
    size_t i;

    if (!kea_accept(call, reply))
        return;
    if (!find_columns(json_object_get(set, "columns"), &at) && json_array_size(json_object_get(set, "rows"))) {
        dhcp_fail(call, FT_INVALID, "Kea's answer to stat-lease4-get lacks columns that it always had");
        return;
    }
    subnets = json_array();
    json_array_foreach(json_object_get(set, "rows"), i, row) {
        use = use_of(row, &at, st->before);
        json_array_append_new(subnets, use);
        if (is_fuller(use, fullest))
            fullest = use;
    }
    if (!fullest) {
        json_decref(subnets);
        dhcp_fail(call, FT_NOT_FOUND, "Kea has no statistics of such a subnet: has it pools?");
        return;
    }
    result = json_copy((json_t *)fullest);
    json_object_set_new(result, "subnets", subnets);
    dhcp_done(call, result);
}

static void use_config_seen(struct ft_call *call, const struct kea_reply *reply)
{
    struct dhcp *st = host->state(call);
    struct ft_err err = { 0 };
    const json_t *subnet = NULL;

    if (!kea_accept(call, reply))
        return;
    st->before = dhcp_hold(call, json_incref(json_object_get(reply->arguments, "Dhcp4")));
    if (subnet_is_chosen(call) && !(subnet = subnet_chosen(call, st->before, &err))) {
        dhcp_fail(call, err.class, "%s", err.text);
        return;
    }
    kea_ask(call, "stat-lease4-get", subnet ? json_pack("{s:O}", "subnet-id", json_object_get(subnet, "id")) : NULL, use_seen);
}

static int use_start(struct ft_call *call, struct ft_err *reterr)
{
    int r = dhcp_begin(call, PHASE_RUN, reterr);

    if (r == 0)
        kea_ask(call, "config-get", NULL, use_config_seen);
    return r;
}

static const char use_params[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {"
    JSON("ip": {"type": "string", "format": "ipv4", "description": "an address in the subnet that is meant"})
    ", " SUBNET_PARAMS ", " SERVER_PARAM "}}";

#define USE_PROPERTIES \
    JSON("subnet_id": {"type": "integer", "description": "Kea's id of the subnet"}, \
         "subnet": {"type": ["string", "null"], "description": "the subnet, 10.0.0.0/24"}, \
         "pools": {"type": "array", "items": {"type": "string"}, "description": "its address ranges"}, \
         "total": {"type": "integer", "description": "addresses in its pools"}, \
         "assigned": {"type": "integer", "description": "addresses that clients have"}, \
         "declined": {"type": "integer", "description": "addresses that clients found in use by somebody else"}, \
         "free": {"type": "integer", "description": "addresses that can still be given out"}, \
         "utilisation_pct": {"type": "number", "description": "assigned and declined of total, in per cent"}, \
         "exhausted": {"type": "boolean", "description": "no address is free: new clients get none"})

static const char use_result[] =
    "{\"type\": \"object\", \"properties\": {" USE_PROPERTIES
    ", \"subnets\": {\"type\": \"array\", \"description\": \"every subnet asked for; the fields beside it are those of the fullest\", "
    "\"items\": {\"type\": \"object\", \"properties\": {" USE_PROPERTIES "}}}}}";

const struct ft_action dhcp_pool_use = {
    .size = sizeof(dhcp_pool_use), .name = "pool_use", .summary = "how full the pools of a subnet are",
    .effects = FT_EFFECT_READ, .params_schema = use_params, .result_schema = use_result, .state_size = sizeof(struct dhcp),
    .run = { use_start, dhcp_cancel },
    .about = "Without a choice of subnet all are read, and the fields are those of the fullest one. Needs libdhcp_stat_cmds.",
    .example = "run: dhcp.pool_use\nwith: {vlan: 110}\n",
};

/* ---- statistics ---- */

static json_t *latest(const json_t *samples)
{
    return json_array_get(json_array_get(samples, 0), 0);      /* [[value, time], …], newest first */
}

static json_int_t count_of(const json_t *all, const char *name)
{
    return json_integer_value(latest(json_object_get(all, name)));
}

static void statistics_seen(struct ft_call *call, const struct kea_reply *reply)
{
    const json_t *params = host->params(call), *all = reply->arguments, *names = json_object_get(params, "names");
    const char *prefix = text_of(params, "prefix") ?: "", *name;
    json_t *samples, *values, *missing, *item;
    size_t i;

    if (!kea_accept(call, reply))
        return;
    values = json_object();
    missing = json_array();
    json_object_foreach((json_t *)all, name, samples) {
        if (!names && strncmp(name, prefix, strlen(prefix)) == 0 && latest(samples))
            json_object_set(values, name, latest(samples));
    }
    json_array_foreach(names, i, item) {
        json_t *value = latest(json_object_get(all, json_string_value(item)));

        if (value)
            json_object_set(values, json_string_value(item), value);
        else
            json_array_append(missing, item);
    }
    dhcp_done(call, json_pack("{s:o, s:o, s:I, s:I, s:I, s:I, s:I}", "values", values, "missing", missing,
                              "allocation_failures", count_of(all, "v4-allocation-fail"), "declined", count_of(all, "declined-addresses"),
                              "naks_sent", count_of(all, "pkt4-nak-sent"), "parse_failed", count_of(all, "pkt4-parse-failed"),
                              "dropped", count_of(all, "pkt4-receive-drop")));
}

static int statistics_start(struct ft_call *call, struct ft_err *reterr)
{
    int r = dhcp_begin(call, PHASE_RUN, reterr);

    if (r == 0)
        kea_ask(call, "statistic-get-all", NULL, statistics_seen);
    return r;
}

static const char statistics_params[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {"
    JSON("names": {"type": "array", "items": {"type": "string"}, "description": "only these statistics, by Kea's names (pkt4-ack-sent)"},
         "prefix": {"type": "string", "description": "only statistics whose name begins so (subnet[1].)"}) ", " SERVER_PARAM "}}";

static const char statistics_result[] = JSON({"type": "object", "properties": {
    "values": {"type": "object", "additionalProperties": true, "description": "newest value of each statistic, by Kea's name"},
    "missing": {"type": "array", "items": {"type": "string"}, "description": "names asked for that the server does not count (yet)"},
    "allocation_failures": {"type": "integer", "description": "times that a client got no address since the server started"},
    "declined": {"type": "integer", "description": "addresses declined at this moment"},
    "naks_sent": {"type": "integer", "description": "requests refused since the server started"},
    "parse_failed": {"type": "integer", "description": "packets that could not be read since the server started"},
    "dropped": {"type": "integer", "description": "packets dropped since the server started"}}});

const struct ft_action dhcp_statistics = {
    .size = sizeof(dhcp_statistics), .name = "statistics", .summary = "the server's counters",
    .effects = FT_EFFECT_READ, .params_schema = statistics_params, .result_schema = statistics_result, .state_size = sizeof(struct dhcp),
    .run = { statistics_start, dhcp_cancel },
    .about = "Kea answers success for a statistic that it does not know; such names are listed in `missing`.",
    .example = "run: dhcp.statistics\nwith: {names: [pkt4-discover-received, pkt4-offer-sent]}\n",
};

/* ---- config_get ---- */

static void config_seen(struct ft_call *call, const struct kea_reply *reply)
{
    json_t *config, *shown;

    if (!kea_accept(call, reply))
        return;
    config = json_object_get(reply->arguments, "Dhcp4");
    if (!json_is_object(config)) {
        dhcp_fail(call, FT_INVALID, "Kea's configuration has no Dhcp4 part: is the service a DHCPv4 server?");
        return;
    }
    hide_passwords(call, config);
    shown = json_deep_copy(config);
    kea_mask_passwords(shown);
    dhcp_done(call, json_pack("{s:o, s:s, s:i}", "config", shown, "digest", config_digest(call, config),
                              "subnets", (int)json_array_size(json_object_get(config, "subnet4"))));
}

static int config_start(struct ft_call *call, struct ft_err *reterr)
{
    int r = dhcp_begin(call, PHASE_RUN, reterr);

    if (r == 0)
        kea_ask(call, "config-get", NULL, config_seen);
    return r;
}

static const char config_result[] = JSON({"type": "object", "properties": {
    "config": {"type": "object", "additionalProperties": true, "description": "the running configuration, below Dhcp4; passwords in it are masked"},
    "digest": {"type": "string", "description": "changes when the configuration does"},
    "subnets": {"type": "integer", "description": "subnets outside shared networks"}}});

const struct ft_action dhcp_config_get = {
    .size = sizeof(dhcp_config_get), .name = "config_get", .summary = "the running configuration",
    .effects = FT_EFFECT_READ, .params_schema = server_params, .result_schema = config_result, .state_size = sizeof(struct dhcp),
    .run = { config_start, dhcp_cancel },
    .about = "To keep a copy before a change, or to compare servers. Passwords in it are replaced by ***.",
    .example = "run: dhcp.config_get\n",
};
