/* status.c: is the server up, how full are its pools, what do its counters say. */
#include "status.h"

#include <stdlib.h>
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
    return json_pack("{s:s?, s:s?, s:s?, s:s?, s:o, s:o, s:o}", "mode", ft_str(ha, "ha-mode"), "role", ft_str(local, "role"),
                     "state", ft_str(local, "state"), "partner_state", ft_str(remote, "last-state"),
                     "partner_in_touch", bool_or_null(remote, "in-touch"),
                     "interrupted", bool_or_null(remote, "communication-interrupted"),
                     "unacked_clients", int_or_null(remote, "unacked-clients"));
}

static bool ha_is_fine(const char *state)
{
    return !state || strcmp(state, "hot-standby") == 0 || strcmp(state, "load-balancing") == 0;
}

static void status_seen(struct ft_call *call, const struct kea_reply *reply)
{
    const json_t *arguments = reply->arguments;
    const char *sockets = ft_str(json_object_get(arguments, "sockets"), "status");
    bool up = reply->result == KEA_OK;
    const char *state;
    json_t *ha;

    if (!up && reply->class != FT_UNREACHABLE && reply->class != FT_TIMEOUT) {
        (void)kea_accept(call, reply);                 /* a wrong password says nothing about the server */
        return;
    }
    ha = ha_facts(arguments);
    state = ft_str(ha, "state");
    dhcp_done(call, json_pack("{s:b, s:b, s:o, s:o, s:b, s:s?, s:b, s:o, s:s?, s:o}", "up", up, "agent_up", up || reply->agent_answered,
                              "uptime_s", int_or_null(up ? arguments : NULL, "uptime"),
                              "config_age_s", int_or_null(up ? arguments : NULL, "reload"),
                              "listening", up && (!sockets || strcmp(sockets, "ready") == 0), "ha_state", state,
                              "ha_ok", ha_is_fine(state), "ha", ha, "error", up ? NULL : reply->text,
                              "members", json_is_array(ft_get(arguments, "members")) ? json_incref(json_object_get(arguments, "members")) : json_array()));
}

static int status_start(struct ft_call *call, struct ft_err *reterr)
{
    int r = dhcp_begin(call, PHASE_RUN, reterr);

    if (r == 0)
        kea_ask(call, "status-get", NULL, status_seen);
    return r;
}

static const char server_params[] = "{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {" SERVER_PARAM "}}";

static const char status_result[] = FT_JSON({"type": "object", "properties": {
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
    "members": {"type": "array",
            "description": "Infoblox only: the DHCP service of each member of the grid; one that failed makes `listening` false",
            "items": {"type": "object", "properties": {
        "member": {"type": ["string", "null"], "description": "host name"},
        "status": {"type": ["string", "null"], "description": "WORKING, WARNING, INACTIVE, FAILED, OFFLINE, UNKNOWN"},
        "description": {"type": ["string", "null"], "description": "the member's words"}}}},
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

    json_array_foreach(json_object_get(subnet, "pools"), i, pool) {
        if (ft_str(pool, "pool"))
            json_array_append_new(list, json_string(ft_str(pool, "pool")));
    }
    return list;
}

const char *pool_level(const json_t *params, double pct, bool exhausted)
{
    return exhausted ? "exhausted" : pct >= ft_num(params, "critical_pct") ? "critical" : pct >= ft_num(params, "warning_pct") ? "warning" : "ok";
}

/* Kea's stat-lease4-get counts declined addresses beside the assigned ones; neither can be given out. (Its statistic of the same name counts them in.) */
static json_t *use_of(const json_t *row, const struct columns *at, const json_t *dhcp4, const json_t *params)
{
    json_int_t id = json_integer_value(json_array_get(row, at->id)), total = json_integer_value(json_array_get(row, at->total));
    json_int_t assigned = json_integer_value(json_array_get(row, at->assigned)), declined = json_integer_value(json_array_get(row, at->declined));
    const json_t *subnet = subnet_by_id(dhcp4, id);
    json_int_t used = assigned + declined < total ? assigned + declined : total, tenths = total ? (used * 1000 + total / 2) / total : 0;

    return json_pack("{s:I, s:s?, s:o, s:I, s:I, s:I, s:I, s:f, s:b, s:s}", "subnet_id", id, "subnet", ft_str(subnet, "subnet"),
                     "pools", pool_texts(subnet), "total", total, "assigned", assigned, "declined", declined,
                     "free", total - used, "utilisation_pct", (double)tenths / 10, "exhausted", used >= total,
                     "level", pool_level(params, (double)tenths / 10, used >= total));
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
        use = use_of(row, &at, st->before, host->params(call));
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
    FT_JSON("ip": {"type": "string", "format": "ipv4", "description": "an address in the subnet that is meant"},
            "warning_pct": {"type": "number", "minimum": 0, "maximum": 100, "default": 80, "description": "level is warning from so many per cent"},
            "critical_pct": {"type": "number", "minimum": 0, "maximum": 100, "default": 95, "description": "level is critical from so many per cent"})
    ", " SUBNET_PARAMS ", " SERVER_PARAM "}}";

#define USE_PROPERTIES \
    FT_JSON("subnet_id": {"type": "integer", "description": "Kea's id of the subnet"}, \
         "subnet": {"type": ["string", "null"], "description": "the subnet, 10.0.0.0/24"}, \
         "pools": {"type": "array", "items": {"type": "string"}, "description": "its address ranges"}, \
         "total": {"type": "integer", "description": "addresses in its pools"}, \
         "assigned": {"type": "integer", "description": "addresses that clients have"}, \
         "declined": {"type": "integer", "description": "addresses that clients found in use by somebody else"}, \
         "free": {"type": "integer", "description": "addresses that can still be given out"}, \
         "utilisation_pct": {"type": "number", "description": "assigned and declined of total, in per cent"}, \
         "exhausted": {"type": "boolean", "description": "no address is free: new clients get none"}, \
         "level": {"type": "string", "enum": ["ok", "warning", "critical", "exhausted"], "description": "how bad that is, by warning_pct and critical_pct"})

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

/* ---- subnets ---- */

struct listing { json_t *list; const json_t *network; };

static json_t *option_data(const json_t *subnet, const char *name)
{
    const json_t *option;
    size_t i;

    json_array_foreach(ft_get(subnet, "option-data"), i, option) {
        if (ft_same(ft_str(option, "name"), name))
            return ft_str(option, "data") ? json_string(ft_str(option, "data")) : json_null();
    }
    return json_null();
}

static bool list_subnet(const json_t *subnet, const void *arg)
{
    const struct listing *l = *(struct listing *const *)arg;

    json_array_append_new(l->list, json_pack("{s:o, s:s?, s:s?, s:o, s:o, s:i, s:o, s:o, s:o, s:s?}", "subnet_id", int_or_null(subnet, "id"),
                                             "subnet", ft_str(subnet, "subnet"), "shared_network", ft_str(l->network, "name"),
                                             "vlan", int_or_null(ft_get(subnet, "user-context"), "vlan"), "pools", pool_texts(subnet),
                                             "reservations", (int)json_array_size(ft_get(subnet, "reservations")), "valid_s", int_or_null(subnet,
                                                 "valid-lifetime"),
                                             "routers", option_data(subnet, "routers"), "dns", option_data(subnet, "domain-name-servers"),
                                             "relay", json_string_value(json_array_get(ft_get(ft_get(subnet, "relay"), "ip-addresses"), 0))));
    return false;
}

/* A VLAN that the configuration of fettle maps goes before the one in Kea's user-context. */
static void name_vlans(const struct dhcp *st, json_t *list)
{
    json_t *subnet, *id;
    const char *vlan;
    size_t i;

    json_array_foreach(list, i, subnet) {
        json_object_foreach((json_t *)ft_get(st->server, "vlans"), vlan, id) {
            if (json_equal(id, ft_get(subnet, "subnet_id")))
                json_object_set_new(subnet, "vlan", json_integer(strtoll(vlan, NULL, 10)));
        }
    }
}

static void subnets_seen(struct ft_call *call, const struct kea_reply *reply)
{
    const json_t *dhcp4 = ft_get(reply->arguments, "Dhcp4");
    struct listing listing = { 0 }, *to = &listing;
    const json_t *network;
    size_t i;

    if (!kea_accept(call, reply))
        return;
    if (!json_is_object(dhcp4)) {
        dhcp_fail(call, FT_INVALID, "Kea's configuration has no Dhcp4 part: is the service a DHCPv4 server?");
        return;
    }
    listing.list = json_array();
    subnets_of(ft_get(dhcp4, "subnet4"), list_subnet, &to);
    json_array_foreach(ft_get(dhcp4, "shared-networks"), i, network) {
        listing.network = network;
        subnets_of(ft_get(network, "subnet4"), list_subnet, &to);
    }
    name_vlans(host->state(call), listing.list);
    dhcp_done(call, json_pack("{s:i, s:o}", "count", (int)json_array_size(listing.list), "subnets", listing.list));
}

static int subnets_start(struct ft_call *call, struct ft_err *reterr)
{
    int r = dhcp_begin(call, PHASE_RUN, reterr);

    if (r == 0)
        kea_ask(call, "config-get", NULL, subnets_seen);
    return r;
}

static const char subnets_result[] = FT_JSON({"type": "object", "properties": {
    "count": {"type": "integer", "description": "subnets in the list"},
    "subnets": {"type": "array", "description": "every subnet that the server has, those of shared networks included",
            "items": {"type": "object", "properties": {
        "subnet_id": {"type": ["integer", "null"], "description": "Kea's id of the subnet; null in other systems"},
        "subnet": {"type": ["string", "null"], "description": "the subnet, 10.0.0.0/24"},
        "shared_network": {"type": ["string", "null"], "description": "name of the shared network that it is in"},
        "vlan": {"type": ["integer", "null"], "description": "VLAN id, where known"},
        "pools": {"type": "array", "items": {"type": "string"}, "description": "its address ranges"},
        "reservations": {"type": "integer", "description": "reservations in the server's configuration"},
        "valid_s": {"type": ["integer", "null"], "description": "lease time, seconds"},
        "routers": {"type": ["string", "null"], "description": "default routers, separated by commas"},
        "dns": {"type": ["string", "null"], "description": "DNS servers, separated by commas; null: none of its own"},
        "relay": {"type": ["string", "null"], "description": "address of the relay that its clients come through"}}}}}});

const struct ft_action dhcp_subnets = {
    .size = sizeof(dhcp_subnets), .name = "subnets", .summary = "the subnets that the server has",
    .effects = FT_EFFECT_READ, .params_schema = server_params, .result_schema = subnets_result, .state_size = sizeof(struct dhcp),
    .run = { subnets_start, dhcp_cancel },
    .about = "Read from the server's configuration, so no hook library is needed. How full they are says dhcp.pool_use.",
    .example = "run: dhcp.subnets\n",
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
    const char *prefix = ft_str(params, "prefix") ?: "", *name;
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
        r = kea_only(call, "it has no such counters in its WAPI; dhcp.pool_use says how full its ranges are", reterr);
    if (r == 0)
        kea_ask(call, "statistic-get-all", NULL, statistics_seen);
    return r;
}

static const char statistics_params[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {"
    FT_JSON("names": {"type": "array", "items": {"type": "string"}, "description": "only these statistics, by Kea's names (pkt4-ack-sent)"},
         "prefix": {"type": "string", "description": "only statistics whose name begins so (subnet[1].)"}) ", " SERVER_PARAM "}}";

static const char statistics_result[] = FT_JSON({"type": "object", "properties": {
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
