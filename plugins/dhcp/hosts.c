/* hosts.c: reservations in Kea's host database.
 *
 *   reservation-get, -get-by-id ─► decide ─► (plan ends here) ─► keep ─► reservation-add or -del
 *
 * No configuration is set: the change counts at once, for every server that uses the database. */
#include "hosts.h"

#include <string.h>
#include "leases.h"
#include "subnets.h"

bool hosts_configured(const json_t *dhcp4)
{
    return json_object_size(ft_get(dhcp4, "hosts-database")) > 0 || json_array_size(ft_get(dhcp4, "hosts-databases")) > 0;
}

static const char *mac_param(struct ft_call *call)
{
    const char *mac = ft_str(host->params(call), "mac");

    return mac ? lease_mac(call, mac) : NULL;
}

static bool is_for(const json_t *entry, const char *mac)
{
    return mac && ft_str(entry, "hw-address") && strcasecmp(ft_str(entry, "hw-address"), mac) == 0;
}

static json_t *facts(const json_t *entry)
{
    return json_pack("{s:s?, s:s?, s:s?}", "hw-address", ft_str(entry, "hw-address"), "ip-address", ft_str(entry, "ip-address"), "hostname",
        ft_str(entry, "hostname"));
}

/* ---- The change ---- */

static void changed(struct ft_call *call, const struct kea_reply *reply)
{
    struct dhcp *st = host->state(call);

    if (!kea_accept(call, reply))
        return;
    if (reply->result == KEA_EMPTY) {
        dhcp_fail(call, FT_CONFLICT, "the reservation went away at this moment: look again");
        return;
    }
    dhcp_done(call, json_incref(st->result));
}

static json_t *change_arguments(const struct dhcp *st)
{
    if (st->adds)
        return json_pack("{s:O}", "reservation", st->entry);
    return json_pack("{s:O, s:O}", "subnet-id", json_object_get(st->entry, "subnet-id"), "ip-address", json_object_get(st->entry, "ip-address"));
}

static const char *change_command(const struct dhcp *st)
{
    return st->adds ? "reservation-add" : "reservation-del";
}

static void send_change(struct ft_call *call)
{
    const struct dhcp *st = host->state(call);

    kea_change(call, change_command(st), change_arguments(st), changed);
}

static void unchanged(struct ft_call *call, const char *summary)
{
    struct dhcp *st = host->state(call);

    json_object_set_new(st->result, "changed", json_false());
    if (st->phase == PHASE_PLAN)
        dhcp_done(call, json_pack("{s:o, s:[], s:b, s:{s:s}, s:O}", "summary", json_sprintf("%s: it is so already", summary), "requests", "nothing_to_do", 1,
                                  "receipt", "store", "database", "result", st->result));
    else
        dhcp_done(call, json_incref(st->result));
}

/* st->entry is what is added or deleted. */
static void go(struct ft_call *call, const char *summary)
{
    struct dhcp *st = host->state(call);
    json_t *receipt, *change;
    struct ft_err err = { 0 };

    json_object_update_new(st->result, json_pack("{s:b, s:O?, s:s?, s:s?, s:s?}", "changed", 1, "subnet_id", ft_get(st->entry, "subnet-id"),
                                                 "subnet", ft_str(subnet_by_id(st->before, ft_int(st->entry, "subnet-id")), "subnet"),
                                                 "mac", ft_str(st->entry, "hw-address"), "ip", ft_str(st->entry, "ip-address")));
    if (st->phase == PHASE_UNDO) {
        send_change(call);
        return;
    }
    receipt = json_pack("{s:s, s:O}", "store", "database", st->adds ? "added" : "removed", st->entry);
    change = json_pack("[{s:o, s:o, s:o}]", "path", json_sprintf("host database, subnet %" JSON_INTEGER_FORMAT, ft_int(st->entry, "subnet-id")),
                       "from", st->adds ? json_null() : facts(st->entry), "to", st->adds ? facts(st->entry) : json_null());
    if (st->phase == PHASE_PLAN) {
        dhcp_done(call, json_pack("{s:s, s:[o], s:o, s:i, s:o}", "summary", summary, "requests", kea_render(call, change_command(st), change_arguments(st)),
                                  "changes", change, "users", 0, "receipt", receipt));
        return;
    }
    json_object_set_new(st->result, "changes", change);
    if (host->keep(call, receipt, send_change, &err) < 0)
        dhcp_fail(call, err.class, "%s", err.text);
}

/* ---- What was found ---- */

static void decide_add(struct ft_call *call, struct dhcp *st)
{
    const char *mac = mac_param(call), *ip = ft_str(host->params(call), "ip");
    const char *summary = host->printf(call, "reserve %s for %s in the host database", ip, mac);

    st->adds = true;
    if (st->found && is_for(st->found, mac) && ft_same(ft_str(st->found, "ip-address"), ip)) {
        unchanged(call, summary);
    } else if (st->found) {
        dhcp_fail(call, FT_CONFLICT, "the host database has a reservation of %s for %s in this subnet: delete that first",
                  ft_str(st->found, "ip-address") ?: "no address", ft_str(st->found, "hw-address") ?: "another client");
    } else {
        st->entry = dhcp_hold(call, json_pack("{s:I, s:s, s:s, s:s*}", "subnet-id", st->subnet_id, "hw-address", mac, "ip-address", ip,
                                              "hostname", ft_str(host->params(call), "hostname")));
        go(call, summary);
    }
}

static void decide_del(struct ft_call *call, struct dhcp *st)
{
    const char *summary = host->printf(call, "delete the reservation of %s from the host database", mac_param(call) ?: ft_str(host->params(call), "ip"));

    st->entry = st->found;
    if (!st->found)
        unchanged(call, summary);
    else if (!ft_str(st->found, "ip-address") || !json_is_integer(ft_get(st->found, "subnet-id")))
        dhcp_fail(call, FT_REFUSED, "the reservation of this client has no address or no subnet, so it is left alone: it is not one that "
                  "dhcp.reservation_add makes");
    else
        go(call, summary);
}

static void decide_undo(struct ft_call *call, struct dhcp *st)
{
    const json_t *receipt = host->receipt(call), *added = ft_get(receipt, "added");

    st->adds = !added;
    st->entry = (json_t *)(added ? added : ft_get(receipt, "removed"));
    if (!st->entry || (added && !is_for(st->found, ft_str(added, "hw-address"))))
        unchanged(call, "");
    else if (!added && st->found)
        dhcp_fail(call, FT_CONFLICT, "somebody else has reserved %s since", ft_str(st->entry, "ip-address") ?: "for this client");
    else
        go(call, "");
}

static void tell(struct ft_call *call, struct dhcp *st)
{
    const json_t *entry = st->found, *subnet = subnet_by_id(st->before, ft_int(entry, "subnet-id"));
    bool happened = st->what == HOSTS_DEL ? !entry : is_for(entry, mac_param(call)) && ft_same(ft_str(entry, "ip-address"), ft_str(host->params(call), "ip"));

    if (st->phase == PHASE_PROBE)
        dhcp_done(call, json_pack("{s:b, s:O?, s:{s:b, s:s?, s:s?}}", "happened", happened, "seen", entry, "result", "changed", happened,
                                  "mac", mac_param(call), "ip", ft_str(host->params(call), "ip")));
    else
        dhcp_done(call, json_pack("{s:b, s:s?, s:s?, s:s?, s:o, s:s?, s:b, s:s?}", "found", entry != NULL, "ip", ft_str(entry, "ip-address"),
                                  "mac", ft_str(entry, "hw-address"), "hostname", ft_str(entry, "hostname"), "subnet_id", int_or_null(entry, "subnet-id"),
                                  "subnet", ft_str(subnet, "subnet"), "complete", st->complete, "store", entry ? "database" : NULL));
}

static void decide(struct ft_call *call)
{
    struct dhcp *st = host->state(call);

    if (st->phase == PHASE_PROBE || st->what == HOSTS_FIND)
        tell(call, st);
    else if (st->phase == PHASE_UNDO)
        decide_undo(call, st);
    else if (st->what == HOSTS_ADD)
        decide_add(call, st);
    else
        decide_del(call, st);
}

/* ---- Looking ---- */

/* One object (reservation-get), or a list of hosts (-get-by-id). False: the call has ended. */
static bool take_found(struct ft_call *call, const struct kea_reply *reply)
{
    struct dhcp *st = host->state(call);
    const json_t *hosts = ft_get(reply->arguments, "hosts");

    if (reply->result == KEA_UNSUPPORTED && st->what == HOSTS_FIND) {
        st->complete = false;                    /* a look into the configuration alone is still an answer, and says that it is not all */
        return true;
    }
    if (!kea_accept(call, reply))
        return false;
    if (json_array_size(hosts) > 1 && st->what == HOSTS_DEL) {
        dhcp_fail(call, FT_CONFLICT, "this client has %zu reservations in the host database: say which by `ip`", json_array_size(hosts));
        return false;
    }
    if (reply->result == KEA_OK && !st->found) {
        st->found = dhcp_hold(call, json_copy(hosts ? json_array_get(hosts, 0) : reply->arguments));
        if (st->subnet_id && !json_is_integer(ft_get(st->found, "subnet-id")))
            json_object_set_new(st->found, "subnet-id", json_integer(st->subnet_id));
    }
    return true;
}

static void found_last(struct ft_call *call, const struct kea_reply *reply)
{
    if (take_found(call, reply))
        decide(call);
}

/* An address that is free may still be wanted for a client that has another one in this subnet. */
static void found_by_address(struct ft_call *call, const struct kea_reply *reply)
{
    struct dhcp *st = host->state(call);
    const char *mac = mac_param(call);

    if (!take_found(call, reply))
        return;
    if (st->found || !mac || st->what != HOSTS_ADD)
        decide(call);
    else
        kea_ask(call, "reservation-get", json_pack("{s:I, s:s, s:s}", "subnet-id", st->subnet_id, "identifier-type", "hw-address", "identifier",
            mac), found_last);
}

void hosts_start(struct ft_call *call, enum phase phase, enum hosts_what what, const json_t *dhcp4)
{
    struct dhcp *st = host->state(call);
    const json_t *receipt = host->receipt(call), *entry = ft_get(receipt, "added") ? ft_get(receipt, "added") : ft_get(receipt, "removed");
    const char *ip = entry && phase == PHASE_UNDO ? ft_str(entry, "ip-address") : ft_str(host->params(call), "ip"), *mac = mac_param(call);
    const json_t *subnet;
    struct ft_err err = { 0 };

    st->phase = phase;
    st->what = what;
    st->complete = true;
    st->before = dhcp_hold(call, json_incref((json_t *)dhcp4));
    st->result = dhcp_hold(call, json_object());
    if (ft_str(host->params(call), "mac") && !mac) {
        dhcp_fail(call, FT_INVALID, "'%s' is not a MAC address", ft_str(host->params(call), "mac"));
        return;
    }
    if (!ip) {
        kea_ask(call, "reservation-get-by-id", json_pack("{s:s, s:s}", "identifier-type", "hw-address", "identifier", mac ? mac : ""), found_last);
        return;
    }
    subnet = what == HOSTS_ADD && phase != PHASE_UNDO ? subnet_chosen(call, dhcp4, &err) : subnet_with(dhcp4, ip);
    if (!subnet && what == HOSTS_FIND) {
        decide(call);
        return;
    }
    if (!subnet) {
        dhcp_fail(call, err.class ? err.class : FT_NOT_FOUND, "%s", err.text[0] ? err.text : "the DHCP server has no subnet for this address");
        return;
    }
    st->subnet_id = ft_int(subnet, "id");
    st->subnet = host->printf(call, "%s", ft_str(subnet, "subnet"));
    kea_ask(call, "reservation-get", json_pack("{s:I, s:s}", "subnet-id", st->subnet_id, "ip-address", ip), found_by_address);
}
