/* wapi_changes.c: changes of an Infoblox grid.
 *
 *   look up ─► decide ─► (plan ends here) ─► keep ─► POST or DELETE
 *
 * What is looked up is what the change rests on: the fixed addresses of the client or address, or the network with its ranges. Undo and probe look
 * up the same again. The grid takes the change at once; its members serve it after their DHCP service was restarted (dhcp.services_restart). */
#include "wapi_changes.h"

#include <string.h>
#include "edits.h"
#include "leases.h"
#include "subnets.h"
#include "wapi.h"

#define FIXED_FIELDS "fixedaddress?_return_fields=ipv4addr,mac,name,comment,network,network_view,match_client,disable"

struct decision {
    const char *method, *path;
    json_t *body;                            /* owned; NULL: none */
    const char *summary, *change;            /* what the change is called in a plan */
    json_t *from, *to, *receipt, *result;    /* owned */
    bool nothing;                            /* it is so already */
};

static const char *mac_param(struct ft_call *call)
{
    const char *mac = ft_str(host->params(call), "mac");

    return mac ? lease_mac(call, mac) : NULL;
}

static bool is_for(const json_t *fixed, const char *mac)
{
    const char *its = ft_str(fixed, "mac");

    return mac && its && strcasecmp(its, mac) == 0;
}

static json_t *fixed_facts(const json_t *fixed)
{
    return json_pack("{s:s?, s:s?, s:s?}", "mac", ft_str(fixed, "mac"), "ip", ft_str(fixed, "ipv4addr"), "hostname", ft_str(fixed, "name"));
}

/* ---- What to send, out of what was found. Negative with a sentence. ---- */

static int decide_reserve(struct ft_call *call, struct decision *d, struct ft_err *reterr)
{
    const struct dhcp *st = host->state(call);
    const char *mac = mac_param(call), *ip = ft_str(host->params(call), "ip"), *name = ft_str(host->params(call), "hostname");
    const json_t *fixed;
    size_t i;

    d->summary = host->printf(call, "reserve %s for %s", ip, mac);
    json_array_foreach(st->rows, i, fixed) {
        if (!is_for(fixed, mac))
            return ft_fault(reterr, FT_CONFLICT, "%s is reserved for %s: delete that first", ip, ft_str(fixed, "mac") ?: "another client");
        d->nothing = true;
    }
    d->method = "POST";
    d->path = "fixedaddress";
    d->body = json_pack("{s:s, s:s, s:s*, s:s*, s:o}", "ipv4addr", ip, "mac", mac, "name", name, "network_view", ft_str(st->server, "network_view"),
                        "comment", json_sprintf("fettle run %s", host->run_id(call)));
    d->change = host->printf(call, "fixed address %s", ip);
    d->to = json_pack("{s:s, s:s, s:s?}", "mac", mac, "ip", ip, "hostname", name);
    d->receipt = json_pack("{s:s, s:s}", "mac", mac, "ip", ip);
    d->result = json_pack("{s:s, s:s}", "mac", mac, "ip", ip);
    return 0;
}

static int decide_unreserve(struct ft_call *call, struct decision *d, struct ft_err *reterr)
{
    const struct dhcp *st = host->state(call);
    const json_t *fixed = json_array_get(st->rows, 0);
    const char *who = mac_param(call) ?: ft_str(host->params(call), "ip");

    d->summary = host->printf(call, "delete the reservation of %s", who);
    d->nothing = !fixed;
    if (!fixed)
        return 0;
    if (json_array_size(st->rows) > 1)
        return ft_fault(reterr, FT_CONFLICT, "%s has %zu reservations: say which by `ip`", who, json_array_size(st->rows));
    d->method = "DELETE";
    d->path = wapi_ref(fixed, "fixedaddress");
    if (!d->path)
        return ft_fault(reterr, FT_INVALID, "Infoblox gave no reference of the fixed address of %s", who);
    d->change = host->printf(call, "fixed address %s", ft_str(fixed, "ipv4addr"));
    d->from = fixed_facts(fixed);
    d->receipt = json_pack("{s:O}", "removed", fixed);
    d->result = json_pack("{s:s?, s:s?, s:s?, s:o}", "mac", ft_str(fixed, "mac"), "ip", ft_str(fixed, "ipv4addr"), "subnet", ft_str(fixed, "network"),
                          "subnet_id", wapi_network_id(ft_str(fixed, "network")));
    return 0;
}

/* A new range is served by whom the network's other ranges are served. */
static void same_servers(json_t *body, const json_t *subnet)
{
    static const char *const keys[] = { "server_association_type", "member", "failover_association" };
    const json_t *range = ft_get(json_array_get(ft_get(subnet, "pools"), 0), "_range");

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        json_t *value = json_object_get(range, keys[i]);

        if (value && !json_is_null(value))
            json_object_set(body, keys[i], value);
    }
}

static int decide_extend(struct ft_call *call, struct decision *d, struct ft_err *reterr)
{
    const struct dhcp *st = host->state(call);
    const json_t *subnet = subnet_chosen(call, st->before, reterr);
    struct range wanted;
    int r = subnet ? pool_fits(subnet, ft_str(host->params(call), "pool"), &wanted, reterr) : -EINVAL;
    const char *text;

    if (r < 0)
        return r;
    text = host->printf(call, "%s-%s", ip_text(call, wanted.first), ip_text(call, wanted.last));
    d->summary = host->printf(call, "add %u addresses (%s) to network %s", wanted.last - wanted.first + 1, text, ft_str(subnet, "subnet"));
    d->nothing = r == 0;
    d->method = "POST";
    d->path = "range";
    d->body = json_pack("{s:s, s:s, s:s, s:s*, s:o}", "start_addr", ip_text(call, wanted.first), "end_addr", ip_text(call, wanted.last), "network",
                        ft_str(subnet, "subnet"), "network_view", ft_str(subnet, "_view"), "comment", json_sprintf("fettle run %s", host->run_id(call)));
    same_servers(d->body, subnet);
    d->change = host->printf(call, "network %s ranges", ft_str(subnet, "subnet"));
    d->to = json_string(text);
    d->receipt = json_pack("{s:s, s:s, s:s}", "start", ip_text(call, wanted.first), "end", ip_text(call, wanted.last), "network", ft_str(subnet, "subnet"));
    d->result = json_pack("{s:O, s:s, s:s, s:I}", "subnet_id", ft_get(subnet, "id"), "subnet", ft_str(subnet, "subnet"), "pool", text,
                          "added", r ? (json_int_t)(wanted.last - wanted.first + 1) : 0);
    return 0;
}

static int decide_restart(struct ft_call *call, struct decision *d, struct ft_err *reterr)
{
    const struct dhcp *st = host->state(call);
    const char *ref = wapi_ref(json_array_get(st->rows, 0), "grid");

    d->summary = "restart the DHCP service of the members that need it";
    if (!ref)
        return ft_fault(reterr, FT_INVALID, "Infoblox shows no grid to this user, so its services cannot be restarted");
    d->method = "POST";
    d->path = host->printf(call, "%s?_function=restartservices", ref);
    d->body = json_pack("{s:s, s:[s], s:s}", "restart_option", "RESTART_IF_NEEDED", "services", "DHCP", "member_order", "SEQUENTIALLY");
    d->receipt = json_object();
    d->result = json_object();
    return 0;
}

/* The opposite, for undo: what was found is the same lookup. */
static int decide_undo(struct ft_call *call, struct decision *d, struct ft_err *reterr)
{
    const struct dhcp *st = host->state(call);
    const json_t *receipt = host->receipt(call), *removed = ft_get(receipt, "removed"), *found = json_array_get(st->rows, 0);

    d->result = json_object();
    if (st->what == WAPI_UNRESERVE) {
        static const char *const keys[] = { "ipv4addr", "mac", "name", "comment", "network_view", "match_client", "disable" };

        if (!removed) {
            d->nothing = true;
            return 0;
        }
        if (found)
            return ft_fault(reterr, FT_CONFLICT, "somebody else has reserved %s since", ft_str(removed, "ipv4addr") ?: "for this client");
        d->method = "POST";
        d->path = "fixedaddress";
        d->body = json_object();
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
            if (ft_get(removed, keys[i]))
                json_object_set(d->body, keys[i], json_object_get(removed, keys[i]));
        }
        return 0;
    }
    d->nothing = !found || (st->what == WAPI_RESERVE && !is_for(found, ft_str(receipt, "mac")));
    d->method = "DELETE";
    d->path = wapi_ref(found, st->what == WAPI_RESERVE ? "fixedaddress" : "range");
    if (!d->nothing && !d->path)
        return ft_fault(reterr, FT_INVALID, "Infoblox gave no reference of what is to be taken back");
    return 0;
}

/* ---- The machine ---- */

static void sent(struct ft_call *call, json_t *json)
{
    struct dhcp *st = host->state(call);

    (void)json;
    json_object_set_new(st->result, "changed", json_true());
    if (st->what != WAPI_RESTART)
        json_object_set_new(st->result, "restart_needed", json_true());
    dhcp_done(call, json_incref(st->result));
}

static void decision_kept(struct ft_call *call)
{
    struct dhcp *st = host->state(call);

    wapi_send(call, st->send_method, st->send_path, st->send_body ? json_incref(st->send_body) : NULL, true, sent);
}

static void drop(struct decision *d)
{
    json_decref(d->body);
    json_decref(d->from);
    json_decref(d->to);
    json_decref(d->receipt);
    json_decref(d->result);
}

static void show(struct ft_call *call, struct decision *d)
{
    json_t *plan = json_pack("{s:s, s:[], s:i, s:O*}", "summary", d->nothing ? host->printf(call, "%s: it is so already", d->summary) : d->summary, "requests",
                             "users", 0, "receipt", d->receipt);

    if (d->nothing) {
        json_t *result = d->result ? json_copy(d->result) : json_object();

        json_object_set_new(result, "changed", json_false());
        json_object_set_new(plan, "nothing_to_do", json_true());
        json_object_set_new(plan, "result", result);
    } else {
        json_array_append_new(json_object_get(plan, "requests"), wapi_show(call, d->method, d->path, json_incref(d->body)));
        if (d->change)
            json_object_set_new(plan, "changes", json_pack("[{s:s, s:O?, s:O?}]", "path", d->change, "from", d->from, "to", d->to));
    }
    dhcp_done(call, plan);
}

static void carry_out(struct ft_call *call, struct decision *d)
{
    struct dhcp *st = host->state(call);
    struct ft_err err = { 0 };

    st->result = dhcp_hold(call, d->result ? json_incref(d->result) : json_object());
    if (d->nothing) {
        json_object_set_new(st->result, "changed", json_false());
        dhcp_done(call, json_incref(st->result));
        return;
    }
    if (d->change)
        json_object_set_new(st->result, "changes", json_pack("[{s:s, s:O?, s:O?}]", "path", d->change, "from", d->from, "to", d->to));
    st->send_method = d->method;
    st->send_path = d->path;
    st->send_body = d->body ? dhcp_hold(call, json_incref(d->body)) : NULL;
    if (st->phase == PHASE_UNDO)
        decision_kept(call);
    else if (host->keep(call, json_incref(d->receipt), decision_kept, &err) < 0)
        dhcp_fail(call, err.class, "%s", err.text);
}

static void found(struct ft_call *call)
{
    static int (*const decide[])(struct ft_call *call, struct decision *d, struct ft_err *reterr) = {
        [WAPI_RESERVE] = decide_reserve, [WAPI_UNRESERVE] = decide_unreserve, [WAPI_EXTEND] = decide_extend, [WAPI_RESTART] = decide_restart,
    };
    const struct dhcp *st = host->state(call);
    struct decision d = { 0 };
    struct ft_err err = { 0 };
    int r = st->phase == PHASE_UNDO ? decide_undo(call, &d, &err) : decide[st->what](call, &d, &err);

    if (r < 0)
        dhcp_fail(call, err.class, "%s", err.text);
    else if (st->phase == PHASE_PLAN)
        show(call, &d);
    else
        carry_out(call, &d);
    drop(&d);
}

static void probed(struct ft_call *call)
{
    const struct dhcp *st = host->state(call);
    const json_t *params = host->params(call), *first = json_array_get(st->rows, 0);
    bool happened = st->what == WAPI_UNRESERVE ? !first : st->what == WAPI_RESERVE ? is_for(first, mac_param(call)) : first != NULL;
    json_t *result = json_pack("{s:b}", "changed", happened);

    if (st->what == WAPI_EXTEND)
        json_object_set_new(result, "pool", json_string(ft_str(params, "pool")));
    else
        json_object_update_new(result, json_pack("{s:s?, s:s?}", "mac", mac_param(call), "ip", ft_str(params, "ip")));
    dhcp_done(call, json_pack("{s:b, s:i, s:o}", "happened", happened, "seen", (int)json_array_size(st->rows), "result", result));
}

/* ---- Looking up ---- */

static const char *fixed_query(struct ft_call *call, const char *ip, const char *mac)
{
    if (ip)
        return host->printf(call, FIXED_FIELDS "&ipv4addr=%s%s", host->url_escape(call, ip), wapi_view(call));
    return host->printf(call, FIXED_FIELDS "&mac=%s%s", host->url_escape(call, mac), wapi_view(call));
}

static const char *range_query(struct ft_call *call)
{
    const json_t *receipt = host->receipt(call);
    struct range wanted;

    if (!range_parse(ft_str(host->params(call), "pool"), &wanted))
        return NULL;
    return host->printf(call, "range?_return_fields=start_addr,end_addr,network&start_addr=%s&end_addr=%s%s", ft_str(receipt,
        "start") ?: ip_text(call, wanted.first),
                        ft_str(receipt, "end") ?: ip_text(call, wanted.last), wapi_view(call));
}

/* The DHCP service of every member that needs no restart has nothing to do: the grid itself decides that. */
int wapi_change(struct ft_call *call, enum phase phase, enum wapi_what what, struct ft_err *reterr)
{
    struct dhcp *st = host->state(call);
    const json_t *params = host->params(call), *removed = ft_get(host->receipt(call), "removed");
    const char *ip = removed ? ft_str(removed, "ipv4addr") : ft_str(params, "ip"), *query;
    void (*then)(struct ft_call *call) = phase == PHASE_PROBE ? probed : found;

    st->phase = phase;
    st->what = what;
    if (ft_str(params, "mac") && !mac_param(call))
        return ft_fault(reterr, FT_INVALID, "'%s' is not a MAC address", ft_str(params, "mac"));
    if (what == WAPI_RESTART) {
        wapi_list(call, "grid?_return_fields=name", then);
    } else if (what != WAPI_EXTEND) {
        wapi_list(call, fixed_query(call, ip, mac_param(call)), then);
    } else if (phase == PHASE_RUN || phase == PHASE_PLAN) {
        wapi_networks(call, then);
    } else {
        query = range_query(call);
        if (!query)
            return ft_fault(reterr, FT_INVALID, "pool '%s' is no range of addresses", ft_str(params, "pool") ?: "");
        wapi_list(call, query, then);
    }
    return 0;
}

/* ---- dhcp.reservation ---- */

static void reservation_found(struct ft_call *call)
{
    const struct dhcp *st = host->state(call);
    const json_t *fixed = json_array_get(st->rows, 0);

    dhcp_done(call, json_pack("{s:b, s:s?, s:s?, s:s?, s:o, s:s?, s:b, s:s?}", "found", fixed != NULL, "ip", ft_str(fixed, "ipv4addr"), "mac",
        ft_str(fixed, "mac"),
                              "hostname", ft_str(fixed, "name"), "subnet_id", wapi_network_id(ft_str(fixed, "network")), "subnet", ft_str(fixed, "network"),
                              "complete", 1, "store", fixed ? "grid" : NULL));
}

int wapi_reservation(struct ft_call *call, struct ft_err *reterr)
{
    const char *mac = mac_param(call);

    if (ft_str(host->params(call), "mac") && !mac)
        return ft_fault(reterr, FT_INVALID, "'%s' is not a MAC address", ft_str(host->params(call), "mac"));
    wapi_list(call, fixed_query(call, ft_str(host->params(call), "ip"), mac), reservation_found);
    return 0;
}

/* ---- dhcp.services_restart ---- */

static int restart_start(struct ft_call *call, enum phase phase, struct ft_err *reterr)
{
    const struct dhcp *st = host->state(call);
    int r = dhcp_begin(call, phase, reterr);

    if (r < 0)
        return r;
    if (!is_wapi(st))
        return ft_fault(reterr, FT_INVALID, "this action is for Infoblox: Kea takes every change of its configuration at once, and needs no restart");
    return wapi_change(call, phase, WAPI_RESTART, reterr);
}

static int restart_run(struct ft_call *call, struct ft_err *e) { return restart_start(call, PHASE_RUN, e); }
static int restart_plan(struct ft_call *call, struct ft_err *e) { return restart_start(call, PHASE_PLAN, e); }

static const char restart_params[] = "{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {" SERVER_PARAM "}}";
static const char restart_result[] = FT_JSON({"type": "object", "properties": {
    "changed": {"type": "boolean", "description": "the grid was told to restart what needs it"}}});

const struct ft_action dhcp_services_restart = {
    .size = sizeof(dhcp_services_restart), .name = "services_restart", .summary = "Infoblox: serve what was changed",
    .effects = FT_EFFECT_DISRUPTIVE | FT_EFFECT_IDEMPOTENT, .params_schema = restart_params, .result_schema = restart_result, .state_size = sizeof(struct dhcp),
    .run = { restart_run, dhcp_cancel }, .plan = { restart_plan, dhcp_cancel },
    .about = "Ranges and fixed addresses are served after this. The grid restarts the DHCP service of the members that need it (RESTART_IF_NEEDED), "
             "one after the other; a "
             "member answers no client for some seconds. There is nothing to undo. For Kea it is refused: it needs no restart.",
    .example = "run: dhcp.services_restart\nwith: {server: grid}\nundo: none\n",
};
