/* leases.c: looking at leases, and giving addresses back.
 *
 * What frees many leases (stale_leases_free, declined_clear) goes: find the subnet, page through its leases, choose, keep() all
 * that were chosen, delete one after the other. A lease that changed since the plan is left alone: its client came back. */
#include "leases.h"

#include <string.h>
#include "subnets.h"

#define PAGE 500
#define FOREVER 4294967295LL

/* ---- One lease ---- */

static const char *state_name(json_int_t state)
{
    static const char *const names[] = { "active", "declined", "reclaimed" };

    return state >= 0 && state < 3 ? names[state] : "unknown";
}

/* Kea wants lower case and colons. Any vendor's notation comes in. */
const char *lease_mac(struct ft_call *call, const char *text)
{
    char *mac = host->alloc(call, 18);
    unsigned n = 0;

    for (; *text; text++) {
        if (!strchr("0123456789abcdefABCDEF", *text))
            continue;
        if (n == 12)
            return NULL;
        mac[n / 2 * 3 + n % 2] = (char)(*text >= 'A' && *text <= 'F' ? *text + 32 : *text);
        n++;
        if (n % 2 == 0 && n < 12)
            mac[n / 2 * 3 - 1] = ':';
    }
    return n == 12 ? mac : NULL;
}

static bool is_expired(struct ft_call *call, const json_t *lease)
{
    json_int_t valid = ft_int(lease, "valid-lft");

    return valid != FOREVER && ft_int(lease, "cltt") + valid <= dhcp_now_s(call);
}

static json_t *lease_facts(struct ft_call *call, const json_t *lease)
{
    json_int_t cltt = ft_int(lease, "cltt"), valid = ft_int(lease, "valid-lft"), now = dhcp_now_s(call);
    bool endless = valid == FOREVER;

    return json_pack("{s:s?, s:s?, s:s?, s:I, s:s, s:o, s:o, s:I, s:o, s:b, s:s?}", "ip", ft_str(lease, "ip-address"),
                     "mac", ft_str(lease, "hw-address"), "hostname", ft_str(lease, "hostname"), "subnet_id", ft_int(lease, "subnet-id"),
                     "state", state_name(ft_int(lease, "state")), "cltt", kea_time(cltt),
                     "expires", endless ? json_null() : kea_time(cltt + valid), "age_s", now - cltt,
                     "expires_in_s", endless ? json_null() : json_integer(cltt + valid - now), "expired", is_expired(call, lease),
                     "binding_state", ft_str(lease, "binding-state"));
}

/* ---- lease: by MAC or address ---- */

static bool is_better(struct ft_call *call, const json_t *lease, const json_t *than)
{
    bool good = ft_int(lease, "state") == 0 && !is_expired(call, lease);
    bool had = than && ft_int(than, "state") == 0 && !is_expired(call, than);

    return !than || (good && !had) || (good == had && ft_int(lease, "cltt") > ft_int(than, "cltt"));
}

static void lease_found(struct ft_call *call, const struct kea_reply *reply)
{
    const json_t *all, *best = NULL;
    json_t *lease, *result, *list;
    size_t i;

    if (!kea_accept(call, reply))
        return;
    list = json_array();
    all = json_object_get(reply->arguments, "leases");
    if (!all && json_object_get(reply->arguments, "ip-address"))
        best = reply->arguments;
    json_array_foreach(all, i, lease) {
        if (is_better(call, lease, best))
            best = lease;
        json_array_append_new(list, lease_facts(call, lease));
    }
    if (best && !all)
        json_array_append_new(list, lease_facts(call, best));
    result = best ? lease_facts(call, best)
                  : json_pack("{s:n, s:n, s:n, s:n, s:n, s:n, s:n, s:n, s:n, s:b, s:n}", "ip", "mac", "hostname", "subnet_id", "state", "cltt",
                              "expires", "age_s", "expires_in_s", "expired", 0, "binding_state");
    json_object_set_new(result, "found", json_boolean(best));
    json_object_set_new(result, "leases", list);
    dhcp_done(call, result);
}

static int lease_start(struct ft_call *call, struct ft_err *reterr)
{
    const json_t *params = host->params(call);
    const char *ip = ft_str(params, "ip"), *mac = ft_str(params, "mac"), *name = ft_str(params, "hostname");
    int r = dhcp_begin(call, PHASE_RUN, reterr);

    if (r < 0)
        return r;
    if (mac && !(mac = lease_mac(call, mac)))
        return ft_fault(reterr, FT_INVALID, "'%s' is not a MAC address", ft_str(params, "mac"));
    if (mac)
        kea_ask(call, "lease4-get-by-hw-address", json_pack("{s:s}", "hw-address", mac), lease_found);
    else if (ip)
        kea_ask(call, "lease4-get", json_pack("{s:s}", "ip-address", ip), lease_found);
    else
        kea_ask(call, "lease4-get-by-hostname", json_pack("{s:s}", "hostname", name), lease_found);
    return 0;
}

#define LEASE_PROPERTIES \
    FT_JSON("ip": {"type": ["string", "null"], "description": "IPv4 address"}, \
         "mac": {"type": ["string", "null"], "description": "hardware address of the client, lower case with colons"}, \
         "hostname": {"type": ["string", "null"], "description": "host name that the client gave, or that Kea made"}, \
         "subnet_id": {"type": ["integer", "null"], "description": "Kea's id of the subnet"}, \
         "state": {"type": ["string", "null"], "enum": ["active", "declined", "reclaimed", "unknown", null], \
                   "description": "active; declined: a client found the address in use by somebody else; reclaimed: expired and taken back"}, \
         "cltt": {"type": ["string", "null"], "description": "time of the client's last transaction (RFC 3339, UTC)"}, \
         "expires": {"type": ["string", "null"], "description": "when the lease ends (RFC 3339, UTC); null: never"}, \
         "age_s": {"type": ["integer", "null"], "description": "seconds since the last transaction"}, \
         "expires_in_s": {"type": ["integer", "null"], "description": "seconds until it ends; negative when it has"}, \
         "expired": {"type": "boolean", "description": "the lease has ended"}, \
         "binding_state": {"type": ["string", "null"], "description": "Infoblox' own word for the state; null with Kea"})

static const char lease_params[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"minProperties\": 1, "
    "\"oneOf\": [{\"required\": [\"mac\"]}, {\"required\": [\"ip\"]}, {\"required\": [\"hostname\"]}], \"properties\": {"
    FT_JSON("mac": {"type": "string", "format": "mac", "description": "hardware address of the client, in any notation"},
         "ip": {"type": "string", "format": "ipv4", "description": "the address whose lease is wanted"},
         "hostname": {"type": "string", "description": "host name of the client"}) ", " SERVER_PARAM "}}";

static const char lease_result[] =
    "{\"type\": \"object\", \"properties\": {"
    FT_JSON("found": {"type": "boolean", "description": "there is a lease (the other fields are null when not)"},
         "leases": {"type": "array", "description": "all leases that were found; the fields above are of the active and newest one",
                    "items": {"type": "object", "additionalProperties": true}}) ", " LEASE_PROPERTIES "}}";

const struct ft_action dhcp_lease = {
    .size = sizeof(dhcp_lease), .name = "lease", .summary = "the lease of a client or of an address",
    .effects = FT_EFFECT_READ, .params_schema = lease_params, .result_schema = lease_result, .state_size = sizeof(struct dhcp),
    .run = { lease_start, dhcp_cancel },
    .about = "Needs the hook library libdhcp_lease_cmds. A client without a lease is a result (`found: false`), no error. "
             "With several leases for one MAC the active and newest is shown, and all are in `leases`.",
    .example = "run: dhcp.lease\nwith: {mac: \"${client}\"}\n",
};

/* ---- Paging through leases ---- */

static void page_arrived(struct ft_call *call, const struct kea_reply *reply);

static void ask_page(struct ft_call *call, const char *from)
{
    kea_ask(call, "lease4-get-page", json_pack("{s:s, s:i}", "from", from, "limit", PAGE), page_arrived);
}

static void page_arrived(struct ft_call *call, const struct kea_reply *reply)
{
    struct dhcp *st = host->state(call);
    size_t i, max = (size_t)ft_int(host->params(call), "max");
    const json_t *page = json_object_get(reply->arguments, "leases");
    const char *last = NULL;
    json_t *lease;

    if (!kea_accept(call, reply))
        return;
    json_array_foreach(page, i, lease) {
        last = ft_str(lease, "ip-address");
        if (st->subnet_id && ft_int(lease, "subnet-id") != st->subnet_id)
            continue;
        if (st->wanted && !st->wanted(call, lease))
            continue;
        st->truncated = json_array_size(st->leases) == max;
        if (st->truncated)
            break;
        json_array_append(st->leases, lease);
    }
    if (!st->truncated && last && json_array_size(page) == PAGE)
        ask_page(call, last);
    else
        st->then(call);
}

/* Goes on with st->leases: those of st->subnet_id that `wanted` says yes to, at most params.max. */
static void collect(struct ft_call *call, void (*then)(struct ft_call *call))
{
    struct dhcp *st = host->state(call);

    st->then = then;
    st->leases = dhcp_hold(call, json_array());
    ask_page(call, "start");
}

static void leases_collected(struct ft_call *call)
{
    struct dhcp *st = host->state(call);
    json_t *list = json_array(), *lease;
    size_t i;

    json_array_foreach(st->leases, i, lease)
        json_array_append_new(list, lease_facts(call, lease));
    dhcp_done(call, json_pack("{s:i, s:b, s:o}", "count", (int)json_array_size(list), "truncated", st->truncated, "leases", list));
}

static bool has_state(struct ft_call *call, const json_t *lease)
{
    const char *state = ft_str(host->params(call), "state");

    return !state || strcmp(state, state_name(ft_int(lease, "state"))) == 0;
}

static void leases_subnet_known(struct ft_call *call)
{
    struct dhcp *st = host->state(call);

    st->wanted = has_state;
    collect(call, leases_collected);
}

static int leases_start(struct ft_call *call, struct ft_err *reterr)
{
    int r = dhcp_begin(call, PHASE_RUN, reterr);

    if (r == 0)
        with_subnet_id(call, leases_subnet_known);
    return r;
}

static const char leases_params[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {"
    FT_JSON("state": {"enum": ["active", "declined", "reclaimed"], "description": "only leases in this state"},
         "max": {"type": "integer", "minimum": 1, "maximum": 20000, "default": 1000, "description": "stop after so many leases"})
    ", " SUBNET_PARAMS ", " SERVER_PARAM "}}";

static const char leases_result[] =
    "{\"type\": \"object\", \"properties\": {"
    FT_JSON("count": {"type": "integer", "description": "leases in the list"},
         "truncated": {"type": "boolean", "description": "there are more than `max`"})
    ", \"leases\": {\"type\": \"array\", \"description\": \"the leases, in the order of their addresses\", "
    "\"items\": {\"type\": \"object\", \"properties\": {" LEASE_PROPERTIES "}}}}}";

const struct ft_action dhcp_leases = {
    .size = sizeof(dhcp_leases), .name = "leases", .summary = "the leases of a subnet, or of all",
    .effects = FT_EFFECT_READ, .params_schema = leases_params, .result_schema = leases_result, .state_size = sizeof(struct dhcp),
    .run = { leases_start, dhcp_cancel },
    .about = "Read page by page (500 leases each). Needs libdhcp_lease_cmds.",
    .example = "run: dhcp.leases\nwith: {vlan: 110, state: declined}\n",
};

/* ---- Putting leases back: the undo of everything that deletes them ---- */

static json_t *add_arguments(const json_t *lease)
{
    static const char *const same[] = { "ip-address", "hw-address", "client-id", "subnet-id", "hostname", "valid-lft", "state",
                                        "fqdn-fwd", "fqdn-rev", "user-context" };
    json_t *arguments = json_object();

    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        json_t *value = json_object_get(lease, same[i]);

        if (value)
            json_object_set(arguments, same[i], value);
    }
    if (ft_int(lease, "valid-lft") != FOREVER)
        json_object_set_new(arguments, "expire", json_integer(ft_int(lease, "cltt") + ft_int(lease, "valid-lft")));
    return arguments;
}

static void restore_next(struct ft_call *call);

static void holder_seen(struct ft_call *call, const struct kea_reply *reply)
{
    struct dhcp *st = host->state(call);
    const json_t *mine = json_array_get(st->leases, st->at);
    const char *holder = ft_str(reply->arguments, "hw-address");

    if (!kea_accept(call, reply))
        return;
    if (holder && ft_str(mine, "hw-address") && strcmp(holder, ft_str(mine, "hw-address")) != 0 && json_array_size(st->leases) == 1) {
        dhcp_fail(call, FT_CONFLICT, "%s cannot go back to %s: Kea has given it to %s since", ft_str(mine, "ip-address"),
                  ft_str(mine, "hw-address"), holder);
        return;
    }
    st->skipped++;
    st->at++;
    restore_next(call);
}

static void lease_added(struct ft_call *call, const struct kea_reply *reply)
{
    struct dhcp *st = host->state(call);
    const json_t *lease = json_array_get(st->leases, st->at);

    if (reply->class != FT_CLASS_NONE && reply->text && strstr(reply->text, "already exists")) {
        kea_ask(call, "lease4-get", json_pack("{s:O}", "ip-address", json_object_get(lease, "ip-address")), holder_seen);
        return;
    }
    if (!kea_accept(call, reply))
        return;
    st->done++;
    st->at++;
    restore_next(call);
}

static void restore_next(struct ft_call *call)
{
    struct dhcp *st = host->state(call);

    if (st->at == json_array_size(st->leases))
        dhcp_done(call, json_pack("{s:i, s:i}", "restored", (int)st->done, "skipped", (int)st->skipped));
    else
        kea_change(call, "lease4-add", add_arguments(json_array_get(st->leases, st->at)), lease_added);
}

static int restore_start(struct ft_call *call, struct ft_err *reterr)
{
    struct dhcp *st = host->state(call);
    const json_t *leases = json_object_get(host->receipt(call), "leases");
    int r = dhcp_begin(call, PHASE_UNDO, reterr);

    if (r < 0)
        return r;
    if (!json_is_array(leases))
        return ft_fault(reterr, FT_INVALID, "no leases were saved when they were deleted, so none can be put back");
    st->leases = (json_t *)leases;
    restore_next(call);
    return 0;
}

/* ---- Deleting a list of leases ---- */

static bool is_same(const json_t *a, const json_t *b)
{
    const json_t *mine = ft_get(a, "hw-address"), *its = ft_get(b, "hw-address");

    return b && (mine ? json_equal(mine, its) : !its)                /* a declined lease may have none */
        && ft_int(a, "cltt") == ft_int(b, "cltt") && ft_int(a, "state") == ft_int(b, "state");
}

static json_t *freed(const json_t *leases, size_t done, size_t skipped, bool truncated)
{
    json_t *ips = json_array(), *lease;
    size_t i;

    json_array_foreach(leases, i, lease)
        json_array_append(ips, json_object_get(lease, "ip-address"));
    return json_pack("{s:i, s:i, s:b, s:o}", "freed", (int)done, "skipped", (int)skipped, "truncated", truncated, "addresses", ips);
}

/* Kea deletes by address, Infoblox by reference. */
static json_t *delete_arguments(const json_t *lease)
{
    return json_pack("{s:O, s:O*}", "ip-address", json_object_get(lease, "ip-address"), "_ref", json_object_get(lease, "_ref"));
}

static void delete_next(struct ft_call *call);

static void lease_deleted(struct ft_call *call, const struct kea_reply *reply)
{
    struct dhcp *st = host->state(call);
    size_t all = json_array_size(st->leases);

    if (reply->class != FT_CLASS_NONE && st->done > 0) {
        dhcp_fail(call, reply->class, "%zu of %zu leases were deleted, then Kea answered: %s", st->done, all, reply->text);
        return;
    }
    if (!kea_accept(call, reply))
        return;
    if (reply->result == KEA_EMPTY)
        st->skipped++;                               /* it went away by itself */
    else
        st->done++;
    st->at++;
    if (st->at % 50 == 0)
        host->progress(call, "%zu of %zu leases deleted", st->at, all);
    delete_next(call);
}

static void lease_checked(struct ft_call *call, const struct kea_reply *reply)
{
    struct dhcp *st = host->state(call);
    const json_t *lease = json_array_get(st->leases, st->at);

    if (!kea_accept(call, reply))
        return;
    if (is_same(lease, reply->arguments)) {
        kea_change(call, "lease4-del", delete_arguments(lease), lease_deleted);
        return;
    }
    st->skipped++;
    st->at++;
    delete_next(call);
}

static void delete_next(struct ft_call *call)
{
    struct dhcp *st = host->state(call);

    if (st->at < json_array_size(st->leases)) {
        const json_t *lease = json_array_get(st->leases, st->at);

        kea_ask(call, "lease4-get", json_pack("{s:O}", "ip-address", json_object_get(lease, "ip-address")), lease_checked);
        return;
    }
    dhcp_done(call, freed(st->leases, st->done, st->skipped, st->truncated));
}

/* What was chosen is in st->leases: show it, or delete it. */
static void chosen(struct ft_call *call)
{
    struct dhcp *st = host->state(call);
    json_t *requests, *lease, *plan, *receipt;
    size_t i, n = json_array_size(st->leases);

    if (st->phase == PHASE_PROBE) {
        const json_t *was = json_object_get(host->receipt(call), "leases");

        dhcp_done(call, json_pack("{s:b, s:{s:i}, s:o}", "happened", n == 0, "seen", "leases_left", (int)n, "result",
                                  freed(was, json_array_size(was) - n, 0, json_is_true(json_object_get(host->receipt(call), "truncated")))));
        return;
    }
    receipt = json_pack("{s:O, s:b}", "leases", st->leases, "truncated", st->truncated);
    if (st->phase == PHASE_RUN) {
        struct ft_err err = { 0 };

        if (host->keep(call, receipt, delete_next, &err) < 0)
            dhcp_fail(call, err.class, "%s", err.text);
        return;
    }
    requests = json_array();
    json_array_foreach(st->leases, i, lease)
        json_array_append_new(requests, kea_render(call, "lease4-del", delete_arguments(lease)));
    /* Other leases grow stale meanwhile: the undo looks at each of these by itself. */
    plan = json_pack("{s:o, s:o, s:i, s:o, s:O, s:b}", "summary", json_sprintf("%s: delete %zu lease%s%s", st->summary, n, n == 1 ? "" : "s",
                     st->truncated ? " (there are more)" : ""), "requests", requests, "users", 0, "receipt", receipt, "before", st->leases, "watch", 0);
    if (n == 0) {
        json_object_set_new(plan, "nothing_to_do", json_true());
        json_object_set_new(plan, "result", freed(st->leases, 0, 0, st->truncated));
    }
    dhcp_done(call, plan);
}

static void free_subnet_known(struct ft_call *call)
{
    collect(call, chosen);
}

/* The leases come from the plan where there was one, else from the server as it is now. */
static int free_start(struct ft_call *call, enum phase phase, bool (*wanted)(struct ft_call *, const json_t *), const char *summary,
                      struct ft_err *reterr)
{
    struct dhcp *st = host->state(call);
    const json_t *planned = json_object_get(host->receipt(call), "leases");
    int r = dhcp_begin(call, phase, reterr);

    if (r < 0)
        return r;
    st->wanted = wanted;
    st->summary = summary;
    if (phase == PHASE_RUN && planned) {
        st->leases = (json_t *)planned;
        st->truncated = json_is_true(json_object_get(host->receipt(call), "truncated"));
        chosen(call);
    } else {
        with_subnet_id(call, free_subnet_known);
    }
    return 0;
}

/* A client renews at half its lease time: older than that and older than asked for means that nobody is there. */
static bool is_stale(struct ft_call *call, const json_t *lease)
{
    double hours = json_number_value(json_object_get(host->params(call), "older_than_h"));
    json_int_t age = dhcp_now_s(call) - ft_int(lease, "cltt"), valid = ft_int(lease, "valid-lft");

    return ft_int(lease, "state") == 0 && (double)age > hours * 3600 && (valid == FOREVER || age > valid / 2);
}

/* Of what the receipt says was to be deleted, what is still there as it was? */
static bool is_left(struct ft_call *call, const json_t *lease)
{
    json_t *was;
    size_t i;

    json_array_foreach(json_object_get(host->receipt(call), "leases"), i, was) {
        if (json_equal(json_object_get(was, "ip-address"), json_object_get(lease, "ip-address")) && is_same(was, lease))
            return true;
    }
    return false;
}

static bool is_declined(struct ft_call *call, const json_t *lease)
{
    (void)call;
    return ft_int(lease, "state") == 1;
}

static int stale_run(struct ft_call *call, struct ft_err *e) { return free_start(call, PHASE_RUN, is_stale, "free stale leases", e); }
static int stale_plan(struct ft_call *call, struct ft_err *e) { return free_start(call, PHASE_PLAN, is_stale, "free stale leases", e); }
static int declined_run(struct ft_call *call, struct ft_err *e) { return free_start(call, PHASE_RUN, is_declined, "take declined leases back", e); }
static int declined_plan(struct ft_call *call, struct ft_err *e) { return free_start(call, PHASE_PLAN, is_declined, "take declined leases back", e); }
static int free_probe(struct ft_call *call, struct ft_err *e) { return free_start(call, PHASE_PROBE, is_left, "", e); }

static const char stale_params[] =
    "{\"type\": \"object\", \"additionalProperties\": false, "
    "\"anyOf\": [{\"required\": [\"subnet_id\"]}, {\"required\": [\"vlan\"]}, {\"required\": [\"subnet\"]}], \"properties\": {"
    SUBNET_PARAMS ", "
    FT_JSON("older_than_h": {"type": "number", "minimum": 0.01, "default": 8,
                          "description": "hours since the client's last transaction; a lease is only taken when it also missed its renewal (half its lifetime)"},
         "max": {"type": "integer", "minimum": 1, "maximum": 5000, "default": 200, "description": "free at most so many leases"}) ", " SERVER_PARAM "}}";

static const char declined_params[] =
    "{\"type\": \"object\", \"additionalProperties\": false, "
    "\"anyOf\": [{\"required\": [\"subnet_id\"]}, {\"required\": [\"vlan\"]}, {\"required\": [\"subnet\"]}], \"properties\": {"
    FT_JSON("max": {"type": "integer", "minimum": 1, "maximum": 5000, "default": 200, "description": "take back at most so many addresses"})
    ", " SUBNET_PARAMS ", " SERVER_PARAM "}}";

static const char freed_result[] = FT_JSON({"type": "object", "properties": {
    "freed": {"type": "integer", "description": "leases deleted"},
    "skipped": {"type": "integer", "description": "leases left alone, because they had changed since they were chosen"},
    "truncated": {"type": "boolean", "description": "there are more such leases than `max`"},
    "addresses": {"type": "array", "items": {"type": "string"}, "description": "the addresses that were chosen"}}});

const struct ft_action dhcp_stale_leases_free = {
    .size = sizeof(dhcp_stale_leases_free), .name = "stale_leases_free", .summary = "delete leases of clients that have gone",
    .effects = FT_EFFECT_WRITE, .params_schema = stale_params, .result_schema = freed_result, .state_size = sizeof(struct dhcp),
    .run = { stale_run, dhcp_cancel }, .plan = { stale_plan, dhcp_cancel }, .undo = { restore_start, dhcp_cancel },
    .probe = { free_probe, dhcp_cancel }, .timeout_ms = 120000,
    .about = "Chooses active leases whose client was last heard of more than `older_than_h` hours ago and has missed its renewal. "
             "Each is looked at again right before it is deleted; one that changed is left alone. All chosen leases are in the journal, and undo adds them again "
             "(an address that Kea has given away since is left with its new holder). Needs libdhcp_lease_cmds.",
    .example = "run: dhcp.stale_leases_free\nwith: {vlan: 110, older_than_h: 8}\nundo: auto\n",
};

const struct ft_action dhcp_declined_clear = {
    .size = sizeof(dhcp_declined_clear), .name = "declined_clear", .summary = "take declined addresses back into the pool",
    .effects = FT_EFFECT_WRITE, .params_schema = declined_params, .result_schema = freed_result, .state_size = sizeof(struct dhcp),
    .run = { declined_run, dhcp_cancel }, .plan = { declined_plan, dhcp_cancel }, .undo = { restore_start, dhcp_cancel },
    .probe = { free_probe, dhcp_cancel }, .timeout_ms = 120000,
    .about = "A declined address is one that a client found in use by somebody else. Find that somebody first: Kea offers the address again after this. "
             "Undo marks the addresses as declined again. Needs libdhcp_lease_cmds.",
    .example = "run: dhcp.declined_clear\nwith: {vlan: 110}\nundo: auto\n",
};

/* ---- lease_delete: one lease by address ---- */

static void single_seen(struct ft_call *call, const struct kea_reply *reply)
{
    struct dhcp *st = host->state(call);
    const char *mac = ft_str(host->params(call), "mac");

    if (!kea_accept(call, reply))
        return;
    st->leases = dhcp_hold(call, json_array());
    if (st->phase == PHASE_PROBE) {
        bool gone = !is_left(call, reply->arguments);

        dhcp_done(call, json_pack("{s:b, s:{s:b}, s:o}", "happened", gone, "seen", "lease_found", reply->result == KEA_OK,
                                  "result", freed(json_object_get(host->receipt(call), "leases"), gone, 0, false)));
        return;
    }
    if (reply->result == KEA_OK) {
        mac = mac ? lease_mac(call, mac) : NULL;
        if (mac && ft_str(reply->arguments, "hw-address") && strcmp(mac, ft_str(reply->arguments, "hw-address")) != 0) {
            dhcp_fail(call, FT_CONFLICT, "the lease of %s belongs to %s, not to %s: it is left alone", ft_str(reply->arguments, "ip-address"),
                      ft_str(reply->arguments, "hw-address"), mac);
            return;
        }
        json_array_append(st->leases, reply->arguments);
    }
    st->summary = host->printf(call, "give %s back", ft_str(host->params(call), "ip"));
    chosen(call);
}

static int delete_start(struct ft_call *call, enum phase phase, struct ft_err *reterr)
{
    struct dhcp *st = host->state(call);
    const json_t *planned = json_object_get(host->receipt(call), "leases");
    int r = dhcp_begin(call, phase, reterr);

    if (r < 0)
        return r;
    if (phase == PHASE_RUN && planned) {
        st->leases = (json_t *)planned;
        st->truncated = json_is_true(json_object_get(host->receipt(call), "truncated"));
        chosen(call);
    } else {
        kea_ask(call, "lease4-get", json_pack("{s:s}", "ip-address", ft_str(host->params(call), "ip")), single_seen);
    }
    return 0;
}

static int delete_run(struct ft_call *call, struct ft_err *reterr) { return delete_start(call, PHASE_RUN, reterr); }
static int delete_plan(struct ft_call *call, struct ft_err *reterr) { return delete_start(call, PHASE_PLAN, reterr); }
static int delete_probe(struct ft_call *call, struct ft_err *reterr) { return delete_start(call, PHASE_PROBE, reterr); }

static const char delete_params[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"ip\"], \"properties\": {"
    FT_JSON("ip": {"type": "string", "format": "ipv4", "description": "the address whose lease is deleted"},
         "mac": {"type": "string", "format": "mac", "description": "delete it only if this client holds it"}) ", " SERVER_PARAM "}}";

const struct ft_action dhcp_lease_delete = {
    .size = sizeof(dhcp_lease_delete), .name = "lease_delete", .summary = "delete the lease of one address",
    .effects = FT_EFFECT_WRITE, .params_schema = delete_params, .result_schema = freed_result, .state_size = sizeof(struct dhcp),
    .run = { delete_run, dhcp_cancel }, .plan = { delete_plan, dhcp_cancel }, .undo = { restore_start, dhcp_cancel },
    .probe = { delete_probe, dhcp_cancel },
    .about = "The client is not told: it keeps the address until it asks again. Undo adds the same lease again, and fails as `conflict` when another client has "
             "the address by then. Needs libdhcp_lease_cmds.",
    .example = "run: dhcp.lease_delete\nwith: {ip: \"${lease.ip}\", mac: \"${client}\"}\nundo: auto\n",
};

/* ---- leases_reclaim ---- */

#define RECLAIMS_ITSELF "it takes expired leases back by itself; dhcp.stale_leases_free clears leases of clients that have gone"

static void reclaimed(struct ft_call *call, const struct kea_reply *reply)
{
    if (kea_accept(call, reply))
        dhcp_done(call, json_pack("{s:b, s:s}", "reclaimed", 1, "text", reply->text));
}

static json_t *reclaim_arguments(struct ft_call *call)
{
    return json_pack("{s:O}", "remove", json_object_get(host->params(call), "remove"));
}

static int reclaim_run(struct ft_call *call, struct ft_err *reterr)
{
    int r = dhcp_begin(call, PHASE_RUN, reterr);

    if (r == 0)
        r = kea_only(call, RECLAIMS_ITSELF, reterr);
    if (r == 0)
        kea_change(call, "leases-reclaim", reclaim_arguments(call), reclaimed);
    return r;
}

static int reclaim_plan(struct ft_call *call, struct ft_err *reterr)
{
    int r = dhcp_begin(call, PHASE_PLAN, reterr);

    if (r == 0)
        r = kea_only(call, RECLAIMS_ITSELF, reterr);
    if (r == 0)
        dhcp_done(call, json_pack("{s:s, s:[o], s:i}", "summary", "take back every lease that has expired",
                                  "requests", kea_render(call, "leases-reclaim", reclaim_arguments(call)), "users", 0));
    return r;
}

static const char reclaim_params[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {"
    FT_JSON("remove": {"type": "boolean", "default": true,
            "description": "true: forget expired leases; false: keep them marked as reclaimed, so that a client may get its old address"})
    ", " SERVER_PARAM "}}";

static const char reclaim_result[] = FT_JSON({"type": "object", "properties": {
    "reclaimed": {"type": "boolean", "description": "the server has done it"},
    "text": {"type": "string", "description": "what the server said"}}});

const struct ft_action dhcp_leases_reclaim = {
    .size = sizeof(dhcp_leases_reclaim), .name = "leases_reclaim", .summary = "take back all expired leases at once",
    .effects = FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT, .params_schema = reclaim_params, .result_schema = reclaim_result,
    .state_size = sizeof(struct dhcp), .run = { reclaim_run, dhcp_cancel }, .plan = { reclaim_plan, dhcp_cancel }, .timeout_ms = 120000,
    .about = "Does for all subnets what Kea does by itself every few seconds, or not at all where `expired-leases-processing` is turned off. "
             "Only leases that have ended are touched, so nobody notices; there is nothing to undo. The server answers when it is done.",
    .example = "run: dhcp.leases_reclaim\nundo: none\n",
};
