/* v6.c: leases and pools of a Kea DHCPv6 server. It is a daemon of its own: behind the same agent under the name of service6, or at socket6. */
#include "v6.h"

#include <string.h>
#include "status.h"
#include "subnets.h"

#define PAGE 500
#define FOREVER 4294967295LL
#define INSTEAD "only its DHCPv4 leases and ranges are read"

static int begin6(struct ft_call *call, struct ft_err *reterr)
{
    struct dhcp *st = host->state(call);
    int r = dhcp_begin(call, PHASE_RUN, reterr);

    st->v6 = true;
    if (r == 0)
        r = kea_only(call, INSTEAD, reterr);
    if (r == 0 && !ft_str(st->server, "url") && !ft_str(st->server, "socket6"))
        r = ft_fault(reterr, FT_INVALID, "the configuration does not say where the DHCPv6 server is: set its socket6");
    return r;
}

/* ---- leases6 ---- */

static json_t *lease6_facts(struct ft_call *call, const json_t *lease)
{
    static const char *const states[] = { "active", "declined", "reclaimed" };
    json_int_t cltt = ft_int(lease, "cltt"), valid = ft_int(lease, "valid-lft"), now = dhcp_now_s(call), state = ft_int(lease, "state");
    bool endless = valid == FOREVER;

    return json_pack("{s:s?, s:s?, s:o, s:s?, s:o, s:s?, s:s?, s:o, s:s, s:o, s:o, s:o, s:b}", "ip", ft_str(lease, "ip-address"), "type", ft_str(lease, "type"),
                     "prefix", int_or_null(lease, "prefix-len"), "duid", ft_str(lease, "duid"), "iaid", int_or_null(lease, "iaid"),
                     "mac", ft_str(lease, "hw-address"), "hostname", ft_str(lease, "hostname"), "subnet_id", int_or_null(lease, "subnet-id"),
                     "state", state >= 0 && state < 3 ? states[state] : "unknown", "cltt", kea_time(cltt),
                     "expires", endless ? json_null() : kea_time(cltt + valid), "expires_in_s", endless ? json_null() : json_integer(cltt + valid - now),
                     "expired", !endless && cltt + valid <= now);
}

static void tell_leases(struct ft_call *call)
{
    const struct dhcp *st = host->state(call);
    json_t *list = json_array(), *lease;
    size_t i;

    json_array_foreach(st->leases, i, lease)
        json_array_append_new(list, lease6_facts(call, lease));
    dhcp_done(call, json_pack("{s:i, s:b, s:o}", "count", (int)json_array_size(list), "truncated", st->truncated, "leases", list));
}

/* Takes what fits; false: there are more than `max`. */
static bool take(struct ft_call *call, const json_t *leases)
{
    struct dhcp *st = host->state(call);
    json_int_t subnet = ft_int(host->params(call), "subnet_id");
    json_t *lease;
    size_t i;

    json_array_foreach(leases, i, lease) {
        if (!json_is_object(lease) || (subnet && ft_int(lease, "subnet-id") != subnet))
            continue;
        st->truncated = (json_int_t)json_array_size(st->leases) == ft_int(host->params(call), "max");
        if (st->truncated)
            return false;
        json_array_append(st->leases, lease);
    }
    return true;
}

static void some_seen(struct ft_call *call, const struct kea_reply *reply)
{
    if (!kea_accept(call, reply))
        return;
    (void)take(call, ft_get(reply->arguments, "leases"));
    tell_leases(call);
}

static void one_seen(struct ft_call *call, const struct kea_reply *reply)
{
    struct dhcp *st = host->state(call);

    if (!kea_accept(call, reply))
        return;
    if (reply->result == KEA_OK && json_is_object(reply->arguments))
        json_array_append(st->leases, reply->arguments);
    tell_leases(call);
}

static void page_seen(struct ft_call *call, const struct kea_reply *reply)
{
    const json_t *page = ft_get(reply->arguments, "leases");
    const char *last = ft_str(json_array_get(page, json_array_size(page) - 1), "ip-address");

    if (!kea_accept(call, reply))
        return;
    if (take(call, page) && last && json_array_size(page) == PAGE)
        kea_ask(call, "lease6-get-page", json_pack("{s:s, s:i}", "from", last, "limit", PAGE), page_seen);
    else
        tell_leases(call);
}

static int leases6_run(struct ft_call *call, struct ft_err *reterr)
{
    struct dhcp *st = host->state(call);
    const json_t *params = host->params(call);
    int r = begin6(call, reterr);

    if (r < 0)
        return r;
    st->leases = dhcp_hold(call, json_array());
    if (ft_str(params, "ip"))
        kea_ask(call, "lease6-get", json_pack("{s:s, s:s}", "ip-address", ft_str(params, "ip"), "type", ft_true(params, "delegated") ? "IA_PD" : "IA_NA"), one_seen);
    else if (ft_str(params, "duid"))
        kea_ask(call, "lease6-get-by-duid", json_pack("{s:s}", "duid", ft_str(params, "duid")), some_seen);
    else if (ft_str(params, "hostname"))
        kea_ask(call, "lease6-get-by-hostname", json_pack("{s:s}", "hostname", ft_str(params, "hostname")), some_seen);
    else
        kea_ask(call, "lease6-get-page", json_pack("{s:s, s:i}", "from", "start", "limit", PAGE), page_seen);
    return 0;
}

static const char leases6_params[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {"
    FT_JSON("ip": {"type": "string", "format": "ipv6", "description": "only the lease of this address"},
         "delegated": {"type": "boolean", "default": false, "description": "with ip: it is a delegated prefix"},
         "duid": {"type": "string", "pattern": "^[0-9A-Fa-f:]+$", "description": "only leases of this client (DUID, hexadecimal with colons)"},
         "hostname": {"type": "string", "minLength": 1, "description": "only leases with this host name"},
         "subnet_id": {"type": "integer", "minimum": 1, "description": "only leases of this subnet (Kea's id)"},
         "max": {"type": "integer", "minimum": 1, "maximum": 20000, "default": 1000, "description": "stop after so many leases"})
    ", " SERVER_PARAM "}}";

static const char leases6_result[] = FT_JSON({"type": "object", "properties": {
    "count": {"type": "integer", "description": "leases in the list"},
    "truncated": {"type": "boolean", "description": "there are more than `max`"},
    "leases": {"type": "array", "description": "the leases, in the order of their addresses", "items": {"type": "object", "properties": {
        "ip": {"type": ["string", "null"], "description": "IPv6 address, or the first one of the prefix"},
        "type": {"type": ["string", "null"], "description": "IA_NA: an address; IA_PD: a delegated prefix"},
        "prefix": {"type": ["integer", "null"], "description": "length of the prefix; null or 128 with an address"},
        "duid": {"type": ["string", "null"], "description": "the client's DUID"},
        "iaid": {"type": ["integer", "null"], "description": "the client's identity association"},
        "mac": {"type": ["string", "null"], "description": "hardware address, where Kea could find it"},
        "hostname": {"type": ["string", "null"], "description": "host name"},
        "subnet_id": {"type": ["integer", "null"], "description": "Kea's id of the subnet"},
        "state": {"type": "string", "enum": ["active", "declined", "reclaimed", "unknown"], "description": "as with DHCPv4"},
        "cltt": {"type": ["string", "null"], "description": "time of the client's last transaction (RFC 3339, UTC)"},
        "expires": {"type": ["string", "null"], "description": "when it ends (RFC 3339, UTC); null: never"},
        "expires_in_s": {"type": ["integer", "null"], "description": "seconds until it ends; negative when it has"},
        "expired": {"type": "boolean", "description": "the lease has ended"}}}}}});

const struct ft_action dhcp_leases6 = {
    .size = sizeof(dhcp_leases6), .name = "leases6", .summary = "leases of a DHCPv6 server",
    .effects = FT_EFFECT_READ, .params_schema = leases6_params, .result_schema = leases6_result, .state_size = sizeof(struct dhcp),
    .run = { leases6_run, dhcp_cancel },
    .about = "Addresses and delegated prefixes. Without a choice all are read, page by page. Needs libdhcp_lease_cmds in kea-dhcp6; Kea only.",
    .example = "run: dhcp.leases6\nwith: {duid: \"00:03:00:01:02:00:00:00:00:01\"}\n",
};

/* ---- pool_use6 ---- */

static json_int_t column(const json_t *names, const json_t *row, const char *name)
{
    for (size_t i = 0; i < json_array_size(names); i++) {
        if (ft_same(json_string_value(json_array_get(names, i)), name))
            return json_integer_value(json_array_get(row, i));
    }
    return 0;
}

static double percent(json_int_t used, json_int_t total)
{
    return total > 0 ? (double)(json_int_t)((double)used * 1000 / (double)total + 0.5) / 10 : 0;
}

static json_t *use6_of(struct ft_call *call, const json_t *names, const json_t *row)
{
    const struct dhcp *st = host->state(call);
    json_int_t id = column(names, row, "subnet-id"), total = column(names, row, "total-nas"), used = column(names, row, "assigned-nas"),
               declined = column(names, row, "declined-nas"), prefixes = column(names, row, "total-pds"), given = column(names, row, "assigned-pds");
    const json_t *subnet = NULL, *item;
    bool full = (total > 0 && used >= total) || (prefixes > 0 && given >= prefixes);
    double most = percent(used, total) > percent(given, prefixes) ? percent(used, total) : percent(given, prefixes);
    size_t i;

    json_array_foreach(ft_get(st->before, "subnet6"), i, item) {
        if (ft_int(item, "id") == id)
            subnet = item;
    }
    return json_pack("{s:I, s:s?, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:b, s:s}", "subnet_id", id, "subnet", ft_str(subnet, "subnet"), "total", total,
                     "assigned", used, "declined", declined, "prefixes", prefixes, "prefixes_assigned", given, "utilisation_pct", percent(used, total),
                     "prefixes_pct", percent(given, prefixes), "exhausted", full, "level", pool_level(host->params(call), most, full));
}

static void stat6_seen(struct ft_call *call, const struct kea_reply *reply)
{
    const json_t *set = ft_get(reply->arguments, "result-set"), *row;
    json_t *subnets;
    size_t i;

    if (!kea_accept(call, reply))
        return;
    subnets = json_array();
    json_array_foreach(ft_get(set, "rows"), i, row)
        json_array_append_new(subnets, use6_of(call, ft_get(set, "columns"), row));
    dhcp_done(call, json_pack("{s:i, s:o}", "count", (int)json_array_size(subnets), "subnets", subnets));
}

static void config6_seen(struct ft_call *call, const struct kea_reply *reply)
{
    struct dhcp *st = host->state(call);
    const json_t *config = ft_get(reply->arguments, "Dhcp6"), *id = ft_get(host->params(call), "subnet_id");

    if (!kea_accept(call, reply))
        return;
    if (!json_is_object(config)) {
        dhcp_fail(call, FT_INVALID, "Kea's configuration has no Dhcp6 part: is service6 (or socket6) a DHCPv6 server?");
        return;
    }
    st->before = dhcp_hold(call, json_incref((json_t *)config));
    kea_ask(call, "stat-lease6-get", id ? json_pack("{s:O}", "subnet-id", id) : NULL, stat6_seen);
}

static int use6_run(struct ft_call *call, struct ft_err *reterr)
{
    int r = begin6(call, reterr);

    if (r == 0)
        kea_ask(call, "config-get", NULL, config6_seen);
    return r;
}

static const char use6_params[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {"
    FT_JSON("subnet_id": {"type": "integer", "minimum": 1, "description": "Kea's id of the subnet; all when left out"},
         "warning_pct": {"type": "number", "minimum": 0, "maximum": 100, "default": 80, "description": "level is warning from so many per cent"},
         "critical_pct": {"type": "number", "minimum": 0, "maximum": 100, "default": 95, "description": "level is critical from so many per cent"})
    ", " SERVER_PARAM "}}";

static const char use6_result[] = FT_JSON({"type": "object", "properties": {
    "count": {"type": "integer", "description": "subnets in the list"},
    "subnets": {"type": "array", "description": "every subnet asked for", "items": {"type": "object", "properties": {
        "subnet_id": {"type": "integer", "description": "Kea's id of the subnet"},
        "subnet": {"type": ["string", "null"], "description": "the subnet, 2001:db8::/64; null in a shared network"},
        "total": {"type": "integer", "description": "addresses in its pools"},
        "assigned": {"type": "integer", "description": "addresses that clients have"},
        "declined": {"type": "integer", "description": "addresses that clients found in use by somebody else"},
        "prefixes": {"type": "integer", "description": "prefixes in its pools that can be delegated"},
        "prefixes_assigned": {"type": "integer", "description": "prefixes that clients have"},
        "utilisation_pct": {"type": "number", "description": "assigned of total, in per cent"},
        "prefixes_pct": {"type": "number", "description": "prefixes_assigned of prefixes, in per cent"},
        "exhausted": {"type": "boolean", "description": "no address, or no prefix, is left"},
        "level": {"type": "string", "enum": ["ok", "warning", "critical", "exhausted"],
                "description": "how bad that is: the fuller one of the two, by warning_pct and critical_pct"}}}}}});

const struct ft_action dhcp_pool_use6 = {
    .size = sizeof(dhcp_pool_use6), .name = "pool_use6", .summary = "how full the pools of a DHCPv6 server are",
    .effects = FT_EFFECT_READ, .params_schema = use6_params, .result_schema = use6_result, .state_size = sizeof(struct dhcp),
    .run = { use6_run, dhcp_cancel },
    .about = "Addresses and prefixes to delegate. Needs libdhcp_stat_cmds in kea-dhcp6; Kea only.",
    .example = "run: dhcp.pool_use6\n",
};
