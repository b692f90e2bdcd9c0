/* reservations.c: reserved addresses, in the server's configuration; hosts.c: in its host database, wapi_changes.c: Infoblox. */
#include "reservations.h"

#include <string.h>
#include "edits.h"
#include "hosts.h"
#include "subnets.h"
#include "wapi.h"
#include "wapi_changes.h"

struct wanted_host { const char *mac, *ip; };

static bool same_mac(const char *a, const char *b)
{
    if (!a || !b)
        return false;
    for (;; a++, b++) {
        while (*a && strchr(":-.", *a)) a++;
        while (*b && strchr(":-.", *b)) b++;
        if ((*a | 32) != (*b | 32))
            return false;
        if (!*a || !*b)
            return *a == *b;
    }
}

/* Index of the reservation with this MAC or this address in the list; json_array_size() when there is none. */
static size_t find_host(const json_t *list, const char *mac, const char *ip)
{
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item) {
        const char *its_ip = ft_str(item, "ip-address");

        if ((mac && same_mac(ft_str(item, "hw-address"), mac)) || (ip && its_ip && strcmp(its_ip, ip) == 0))
            return i;
    }
    return json_array_size(list);
}

static bool holds_host(const json_t *subnet, const void *arg)
{
    const struct wanted_host *w = arg;
    const json_t *list = json_object_get(subnet, "reservations");

    return find_host(list, w->mac, w->ip) < json_array_size(list);
}

static int reservation_apply_add(struct ft_call *call, struct dhcp *st, struct ft_err *reterr)
{
    const json_t *params = host->params(call);
    const char *mac = ft_str(params, "mac"), *ip = ft_str(params, "ip"), *name = ft_str(params, "hostname");
    json_t *subnet = subnet_chosen(call, st->after, reterr), *list, *entry, *had;
    size_t at;

    if (!subnet)
        return -EINVAL;
    st->summary = host->printf(call, "reserve %s for %s in subnet %s", ip, mac, ft_str(subnet, "subnet"));
    json_object_update_new(st->result, json_pack("{s:O, s:O, s:s, s:s}", "subnet_id", json_object_get(subnet, "id"),
                                                 "subnet", json_object_get(subnet, "subnet"), "mac", mac, "ip", ip));
    list = list_in(subnet, "reservations");
    at = find_host(list, mac, ip);
    had = json_array_get(list, at);
    if (had && same_mac(ft_str(had, "hw-address"), mac) && strcmp(ft_str(had, "ip-address") ?: "", ip) == 0)
        return 0;
    if (had)
        return ft_fault(reterr, FT_CONFLICT, "subnet %s has a reservation of %s for %s: delete that first", ft_str(subnet, "subnet"),
                          ft_str(had, "ip-address") ?: "no address", ft_str(had, "hw-address") ?: "another client");
    entry = json_pack("{s:s, s:s, s:s*}", "hw-address", mac, "ip-address", ip, "hostname", name);
    json_array_append_new(list, entry);
    change_note(st, subnet, "reservations", json_null(), json_deep_copy(entry));
    json_object_update_new(st->receipt, json_pack("{s:O, s:O}", "subnet_id", json_object_get(subnet, "id"), "added", entry));
    return 1;
}

static int take_out(json_t *list, const json_t *entry)
{
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item) {
        if (same_mac(ft_str(item, "hw-address"), ft_str(entry, "hw-address"))
            && strcmp(ft_str(item, "ip-address") ?: "", ft_str(entry, "ip-address") ?: "") == 0) {
            json_array_remove(list, i);
            return 1;
        }
    }
    return 0;
}

static int reservation_revert_add(struct ft_call *call, struct dhcp *st, struct ft_err *reterr)
{
    const json_t *receipt = host->receipt(call);

    (void)reterr;
    return take_out(json_object_get(subnet_by_id(st->after, ft_int(receipt, "subnet_id")), "reservations"), json_object_get(receipt, "added"));
}

static int reservation_apply_del(struct ft_call *call, struct dhcp *st, struct ft_err *reterr)
{
    const json_t *params = host->params(call);
    struct wanted_host w = { ft_str(params, "mac"), ft_str(params, "ip") };
    json_t *subnet = subnets_each(st->after, holds_host, &w), *list, *entry;
    size_t at;

    (void)reterr;
    st->summary = host->printf(call, "delete the reservation of %s", w.mac ? w.mac : w.ip);
    if (!subnet)
        return 0;
    list = json_object_get(subnet, "reservations");
    at = find_host(list, w.mac, w.ip);
    entry = dhcp_hold(call, json_incref(json_array_get(list, at)));
    json_array_remove(list, at);
    change_note(st, subnet, "reservations", json_deep_copy(entry), json_null());
    json_object_update_new(st->result, json_pack("{s:O, s:O, s:s?, s:s?}", "subnet_id", json_object_get(subnet, "id"), "subnet",
                                                 json_object_get(subnet, "subnet"), "mac", ft_str(entry, "hw-address"), "ip", ft_str(entry, "ip-address")));
    json_object_update_new(st->receipt, json_pack("{s:O, s:O}", "subnet_id", json_object_get(subnet, "id"), "removed", entry));
    return 1;
}

static int reservation_revert_del(struct ft_call *call, struct dhcp *st, struct ft_err *reterr)
{
    const json_t *receipt = host->receipt(call), *entry = json_object_get(receipt, "removed");
    json_t *subnet = subnet_by_id(st->after, ft_int(receipt, "subnet_id")), *list;

    if (!entry)
        return 0;
    if (!subnet)
        return ft_fault(reterr, FT_CONFLICT, "the subnet of the reservation is gone");
    list = list_in(subnet, "reservations");
    if (find_host(list, ft_str(entry, "hw-address"), ft_str(entry, "ip-address")) < json_array_size(list))
        return ft_fault(reterr, FT_CONFLICT, "somebody else has reserved %s since", ft_str(entry, "ip-address") ?: "for this client");
    json_array_append(list, (json_t *)entry);
    return 1;
}

/* Where it goes: what the parameter says, what the plan did, else into the host database where the server has one. */
static bool in_database(struct ft_call *call, const json_t *dhcp4)
{
    const char *store = ft_str(host->receipt(call), "store") ?: ft_str(host->params(call), "store");

    if (host->receipt(call) && !ft_str(host->receipt(call), "store"))
        return false;                        /* an edit of the configuration, as planned */
    return ft_same(store, "database") || (!ft_same(store, "config") && hosts_configured(dhcp4));
}

static bool add_elsewhere(struct ft_call *call, const json_t *dhcp4)
{
    struct dhcp *st = host->state(call);

    if (!in_database(call, dhcp4))
        return false;
    hosts_start(call, st->phase, HOSTS_ADD, dhcp4);
    return true;
}

static bool del_elsewhere(struct ft_call *call, const json_t *dhcp4)
{
    struct dhcp *st = host->state(call);
    const json_t *params = host->params(call);
    struct wanted_host w = { ft_str(params, "mac"), ft_str(params, "ip") };

    /* One that stands in the configuration is deleted there, unless the parameter says otherwise. */
    if (!in_database(call, dhcp4) || (!ft_str(params, "store") && !host->receipt(call) && subnets_each(dhcp4, holds_host, &w)))
        return false;
    hosts_start(call, st->phase, HOSTS_DEL, dhcp4);
    return true;
}

static const struct edit add_edit = { .apply = reservation_apply_add, .revert = reservation_revert_add, .wapi = WAPI_RESERVE, .elsewhere = add_elsewhere };
static const struct edit del_edit = { .apply = reservation_apply_del, .revert = reservation_revert_del, .wapi = WAPI_UNRESERVE, .elsewhere = del_elsewhere };

static int add_run(struct ft_call *call, struct ft_err *e) { return edit_start(call, PHASE_RUN, &add_edit, e); }
static int add_plan(struct ft_call *call, struct ft_err *e) { return edit_start(call, PHASE_PLAN, &add_edit, e); }
static int add_undo(struct ft_call *call, struct ft_err *e) { return edit_start(call, PHASE_UNDO, &add_edit, e); }
static int del_run(struct ft_call *call, struct ft_err *e) { return edit_start(call, PHASE_RUN, &del_edit, e); }
static int del_plan(struct ft_call *call, struct ft_err *e) { return edit_start(call, PHASE_PLAN, &del_edit, e); }
static int del_undo(struct ft_call *call, struct ft_err *e) { return edit_start(call, PHASE_UNDO, &del_edit, e); }

/* Where a client's reservation stands: in a subnet, or among the global ones. */
static void host_looked_for(struct ft_call *call, const struct kea_reply *reply)
{
    const struct dhcp *st = host->state(call);
    const json_t *params = host->params(call), *dhcp4 = json_object_get(reply->arguments, "Dhcp4");
    struct wanted_host w = { ft_str(params, "mac"), ft_str(params, "ip") };
    const json_t *subnet, *list, *entry;
    bool adds = st->edit == &add_edit;

    if (!kea_accept(call, reply))
        return;
    if (st->phase == PHASE_PROBE && ft_same(ft_str(host->receipt(call), "store"), "database")) {
        hosts_start(call, PHASE_PROBE, adds ? HOSTS_ADD : HOSTS_DEL, dhcp4);
        return;
    }
    subnet = subnets_each(dhcp4, holds_host, &w);
    list = json_object_get(subnet ? subnet : dhcp4, "reservations");
    entry = json_array_get(list, find_host(list, w.mac, w.ip));
    if (st->phase == PHASE_PROBE) {
        bool as_added = entry && same_mac(ft_str(entry, "hw-address"), w.mac) && strcmp(ft_str(entry, "ip-address") ?: "", w.ip ? w.ip : "") == 0;

        dhcp_done(call, json_pack("{s:b, s:O?, s:{s:b, s:s?, s:s?}}", "happened", adds ? as_added : !entry, "seen", entry,
                                  "result", "changed", adds ? as_added : !entry, "mac", w.mac, "ip", w.ip));
        return;
    }
    if (!entry && hosts_configured(dhcp4)) {
        hosts_start(call, PHASE_RUN, HOSTS_FIND, dhcp4);
        return;
    }
    dhcp_done(call, json_pack("{s:b, s:s?, s:s?, s:s?, s:O?, s:s?, s:b, s:s?}", "found", entry != NULL, "ip", ft_str(entry, "ip-address"),
                              "mac", ft_str(entry, "hw-address"), "hostname", ft_str(entry, "hostname"),
                              "subnet_id", json_object_get(subnet, "id"), "subnet", ft_str(subnet, "subnet"), "complete", 1, "store", entry ? "config" : NULL));
}

static int look_start(struct ft_call *call, enum phase phase, const struct edit *edit, struct ft_err *reterr)
{
    struct dhcp *st = host->state(call);
    int r = dhcp_begin(call, phase, reterr);

    if (r < 0)
        return r;
    if (is_wapi(st))
        return edit ? wapi_change(call, phase, edit->wapi, reterr) : wapi_reservation(call, reterr);
    st->edit = edit;
    kea_ask(call, "config-get", NULL, host_looked_for);
    return 0;
}

static int reservation_run(struct ft_call *call, struct ft_err *e) { return look_start(call, PHASE_RUN, NULL, e); }
static int add_probe(struct ft_call *call, struct ft_err *e) { return look_start(call, PHASE_PROBE, &add_edit, e); }
static int del_probe(struct ft_call *call, struct ft_err *e) { return look_start(call, PHASE_PROBE, &del_edit, e); }

#define STORE_PARAM \
    FT_JSON("store": {"enum": ["config", "database"], \
                      "description": "Kea: where. Left out: the host database where the server has one (deleting: where it is found), else the configuration"})

static const char del_params[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"oneOf\": [{\"required\": [\"mac\"]}, {\"required\": [\"ip\"]}], \"properties\": {"
    FT_JSON("mac": {"type": "string", "format": "mac", "description": "hardware address of the client, in any notation"},
         "ip": {"type": "string", "format": "ipv4", "description": "the reserved address"}) ", " STORE_PARAM ", " SERVER_PARAM "}}";

static const char who_params[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"oneOf\": [{\"required\": [\"mac\"]}, {\"required\": [\"ip\"]}], \"properties\": {"
    FT_JSON("mac": {"type": "string", "format": "mac", "description": "hardware address of the client, in any notation"},
         "ip": {"type": "string", "format": "ipv4", "description": "the reserved address"}) ", " SERVER_PARAM "}}";

static const char add_params[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"mac\", \"ip\"], \"properties\": {"
    FT_JSON("mac": {"type": "string", "format": "mac", "description": "hardware address of the client"},
         "ip": {"type": "string", "format": "ipv4", "description": "the address to reserve; its subnet is found by it"},
         "hostname": {"type": "string", "description": "host name to give to the client"}) ", " STORE_PARAM ", " SUBNET_PARAMS ", " SERVER_PARAM "}}";

static const char reservation_result[] = FT_JSON({"type": "object", "properties": {
    "found": {"type": "boolean", "description": "the configuration has such a reservation (the other fields are null when not)"},
    "ip": {"type": ["string", "null"], "description": "the reserved address"},
    "mac": {"type": ["string", "null"], "description": "hardware address of the client"},
    "hostname": {"type": ["string", "null"], "description": "host name that goes with it"},
    "subnet_id": {"type": ["integer", "null"], "description": "Kea's id of the subnet; null for a global reservation"},
    "subnet": {"type": ["string", "null"], "description": "the subnet, 10.0.0.0/24"},
    "store": {"type": ["string", "null"], "description": "config: in the server's configuration; database: in its host database; grid: Infoblox"},
    "complete": {"type": "boolean", "description": "false: the server also has a host database, which cannot be looked into (libdhcp_host_cmds is not loaded)"}}});

static const char host_changed_result[] =
    "{\"type\": \"object\", \"properties\": {" CHANGED_PROPERTIES ", "
    FT_JSON("mac": {"type": ["string", "null"], "description": "hardware address of the client"},
         "ip": {"type": ["string", "null"], "description": "the reserved address"}) "}}";

#define HOSTS_ABOUT \
    "In a host database (libdhcp_host_cmds) it is one command, which counts at once for every server that uses the database. In the configuration: "

const struct ft_action dhcp_reservation = {
    .size = sizeof(dhcp_reservation), .name = "reservation", .summary = "the reserved address of a client",
    .effects = FT_EFFECT_READ, .params_schema = who_params, .result_schema = reservation_result, .state_size = sizeof(struct dhcp),
    .run = { reservation_run, dhcp_cancel },
    .about = "Looks into the server's configuration, then into its host database where it has one and libdhcp_host_cmds is loaded; `complete` says "
             "whether that was all.",
    .example = "run: dhcp.reservation\nwith: {mac: \"${client}\"}\n",
};

const struct ft_action dhcp_reservation_add = {
    .size = sizeof(dhcp_reservation_add), .name = "reservation_add", .summary = "reserve an address for a client",
    .effects = FT_EFFECT_WRITE, .params_schema = add_params, .result_schema = host_changed_result, .state_size = sizeof(struct dhcp),
    .run = { add_run, dhcp_cancel }, .plan = { add_plan, dhcp_cancel }, .undo = { add_undo, dhcp_cancel }, .probe = { add_probe, dhcp_cancel },
    .timeout_ms = 60000, .about = HOSTS_ABOUT EDIT_ABOUT "Undo takes the reservation out again.",
    .example = "run: dhcp.reservation_add\nwith: {mac: \"${client}\", ip: 10.11.0.20, hostname: door-3}\nundo: auto\n",
};

const struct ft_action dhcp_reservation_del = {
    .size = sizeof(dhcp_reservation_del), .name = "reservation_del", .summary = "delete a client's reservation",
    .effects = FT_EFFECT_WRITE, .params_schema = del_params, .result_schema = host_changed_result, .state_size = sizeof(struct dhcp),
    .run = { del_run, dhcp_cancel }, .plan = { del_plan, dhcp_cancel }, .undo = { del_undo, dhcp_cancel }, .probe = { del_probe, dhcp_cancel },
    .timeout_ms = 60000, .about = HOSTS_ABOUT EDIT_ABOUT "Undo puts it back as it was.",
    .example = "run: dhcp.reservation_del\nwith: {mac: \"${client}\"}\nundo: auto\n",
};
