/* faults.c: what each fault changes. All of them change causes; see lab.h. */
#include "lab.h"

typedef int apply_fault(struct lab *lab, const json_t *params, struct ft_err *reterr);

/* ---- helpers ---- */

/* The client in trouble comes back to the network and finds out. */
static void arrive(struct lab *lab)
{
    if (lab->troubled >= 0)
        lab_client_leave(lab, lab->troubled, "CLIENT_DEAUTHENTICATION", "Client left", LAB_REJOIN);
}

static struct lab_client *troubled(struct lab *lab)
{
    static struct lab_client nobody;                 /* after unknown_client there is none to change */

    return lab->troubled >= 0 ? &lab->clients[lab->troubled] : &nobody;
}

static int own_ap(struct lab *lab)
{
    return lab->troubled >= 0 ? troubled(lab)->own_ap : 1;
}

static void drop_lease(struct lab *lab, const struct lab_client *c)
{
    struct lab_subnet *s = lab_subnet_of_vlan(lab, lab->wlans[c->wlan].vlan);
    char hw[18];

    lab_colons(c->mac, ':', false, hw);
    for (size_t i = s->n_leases; i-- > 0;)
        if (strcmp(s->leases[i].hw, hw) == 0)
            lab_lease_remove(s, &s->leases[i]);
}

static int vlan_param(const json_t *params)
{
    json_t *vlan = json_object_get(params, "vlan");

    return json_is_integer(vlan) ? (int)json_integer_value(vlan) : 110;
}

/* Which AP: by parameter, else the client's. -1: no such one. */
static int ap_param(struct lab *lab, const json_t *params, struct ft_err *reterr)
{
    const char *name = json_string_value(json_object_get(params, "ap"));
    int ap = name ? lab_find_ap(lab, name) : own_ap(lab);

    if (ap < 0)
        ft_err_set(reterr, -EINVAL, "there is no access point '%s'", name);
    return ap;
}

static void rrm_note(struct lab *lab, int ap, const char *event)
{
    const struct lab_ap *a = &lab->aps[ap];
    const struct lab_radio *r = &a->radios[1];

    json_array_append_new(lab->rrm_events, json_pack("{s:s, s:s, s:s, s:i, s:i, s:s, s:i, s:i, s:i, s:i, s:s, s:f, s:s, s:s}", "ap_id", a->id, "ap", a->mac,
        "band", r->band, "bandwidth", r->bandwidth, "channel", r->channel, "event", event, "power", r->power, "pre_bandwidth", r->bandwidth,
        "pre_channel", r->channel, "pre_power", r->power, "pre_usage", r->band, "timestamp", lab->wall, "usage", r->band, "site_id",
        lab->sites[a->site].id));
}

/* ---- the client ---- */

static void forget(json_t *list, const char *mac)
{
    for (size_t i = json_array_size(list); i-- > 0;)
        if (ft_streq(json_string_value(json_object_get(json_array_get(list, i), "mac")), mac))
            json_array_remove(list, i);
}

static int unknown_client(struct lab *lab, const json_t *params, struct ft_err *reterr)
{
    struct lab_client *c = troubled(lab);
    char upper[18];

    (void)params;
    (void)reterr;
    if (lab->troubled < 0)
        return 0;
    lab_colons(c->mac, ':', true, upper);
    drop_lease(lab, c);
    forget(lab->client_events, c->mac);
    forget(lab->sessions, c->mac);
    forget(lab->auths, upper);
    forget(lab->endpoints, upper);
    memmove(c, c + 1, sizeof(*c) * (size_t)(lab->n_clients - lab->troubled - 1));
    lab->n_clients--;
    lab->troubled = -1;
    return 0;
}

static int client_asleep(struct lab *lab, const json_t *params, struct ft_err *reterr)
{
    (void)params;
    (void)reterr;
    if (lab->troubled >= 0)
        lab_client_leave(lab, lab->troubled, "CLIENT_DEAUTHENTICATION", "Reason code 4 \"Disassociated due to inactivity\"", INFINITY);
    return 0;
}

static int wrong_psk(struct lab *lab, const json_t *params, struct ft_err *reterr)
{
    struct lab_client *c = troubled(lab);

    (void)params;
    (void)reterr;
    if (lab->troubled < 0)
        return 0;
    drop_lease(lab, c);
    arrive(lab);
    c->wlan = 1;                                     /* the guest WLAN */
    c->user[0] = '\0';
    c->wrong_key = true;
    return 0;
}

static int unknown_user(struct lab *lab, const json_t *params, struct ft_err *reterr)
{
    (void)params;
    (void)reterr;
    troubled(lab)->unlisted = true;
    arrive(lab);
    return 0;
}

static int cert_expired(struct lab *lab, const json_t *params, struct ft_err *reterr)
{
    (void)params;
    (void)reterr;
    troubled(lab)->old_certificate = true;
    arrive(lab);
    return 0;
}

/* Somebody put the endpoint into a group whose rule denies access. */
static int wrong_policy(struct lab *lab, const json_t *params, struct ft_err *reterr)
{
    char upper[18];
    const char *group = NULL;
    json_t *item;
    size_t i;

    (void)params;
    (void)reterr;
    if (lab->troubled < 0)
        return 0;
    lab_colons(troubled(lab)->mac, ':', true, upper);
    json_array_foreach(lab->groups, i, item)
        if (ft_streq(json_string_value(json_object_get(item, "name")), "Blocked List"))
            group = json_string_value(json_object_get(item, "id"));
    json_array_foreach(lab->endpoints, i, item)
        if (ft_streq(json_string_value(json_object_get(item, "mac")), upper)) {
            json_object_set_new(item, "groupId", json_string(group));
            json_object_set_new(item, "staticGroupAssignment", json_true());
        }
    arrive(lab);
    return 0;
}

/* ---- access points and switches ---- */

/* Where the client sits, no other AP is heard. */
static void in_a_corner(struct lab *lab)
{
    troubled(lab)->alone = true;
}

static int ap_poe_off(struct lab *lab, const json_t *params, struct ft_err *reterr)
{
    int ap = ap_param(lab, params, reterr);
    char line[64];
    const char *set[2] = { line, NULL };

    if (ap < 0)
        return -EINVAL;
    in_a_corner(lab);
    snprintf(line, sizeof(line), "poe interface %s disable", lab->switches[lab->aps[ap].sw].ports[lab->aps[ap].port].name);
    lab_config_push(lab, lab->aps[ap].sw, set, NULL, "netops");
    return 0;
}

static int ap_hung(struct lab *lab, const json_t *params, struct ft_err *reterr)
{
    int ap = ap_param(lab, params, reterr);

    if (ap < 0)
        return -EINVAL;
    in_a_corner(lab);
    lab_ap_freeze(lab, ap);
    return 0;
}

static int switch_down(struct lab *lab, const json_t *params, struct ft_err *reterr)
{
    const char *name = json_string_value(json_object_get(params, "switch"));
    int sw = name ? lab_find_switch(lab, name) : lab->aps[own_ap(lab)].sw;

    if (sw < 0)
        return ft_err_set(reterr, -EINVAL, "there is no switch '%s'", name);
    in_a_corner(lab);
    lab_switch_set_down(lab, sw, true);
    return 0;
}

/* The AP's port was configured like one for management only: the AP stays in the cloud, its WLANs' VLANs end at the port. */
static int wrong_vlan(struct lab *lab, const json_t *params, struct ft_err *reterr)
{
    int ap = ap_param(lab, params, reterr);
    const char *port;
    char members[96], mode[120], member[120];
    const char *set[3] = { mode, member, NULL }, *del[2] = { members, NULL };

    if (ap < 0)
        return -EINVAL;
    port = lab->switches[lab->aps[ap].sw].ports[lab->aps[ap].port].name;
    snprintf(members, sizeof(members), "interfaces %s unit 0 family ethernet-switching vlan members", port);
    snprintf(mode, sizeof(mode), "interfaces %s unit 0 family ethernet-switching interface-mode access", port);
    snprintf(member, sizeof(member), "interfaces %s unit 0 family ethernet-switching vlan members mgmt", port);
    lab_config_push(lab, lab->aps[ap].sw, set, del, "netops");
    in_a_corner(lab);
    arrive(lab);
    return 0;
}

/* ---- services ---- */

static int radius_down(struct lab *lab, const json_t *params, struct ft_err *reterr)
{
    (void)reterr;
    lab->radius_down = true;
    lab->ise_api_down = !ft_streq(json_string_value(json_object_get(params, "api")), "up");
    arrive(lab);
    return 0;
}

/* All addresses taken: most by machines that are there, `stale` of them by some that have not been seen for long. */
static int dhcp_pool_exhausted(struct lab *lab, const json_t *params, struct ft_err *reterr)
{
    struct lab_subnet *s = lab_subnet_of_vlan(lab, vlan_param(params));
    json_t *count = json_object_get(params, "stale");
    long stale = json_is_integer(count) ? json_integer_value(count) : 38, n = 0;
    char hw[18], name[40];
    uint32_t ip;

    if (!s)
        return ft_err_set(reterr, -EINVAL, "no DHCP pool serves VLAN %d", vlan_param(params));
    drop_lease(lab, troubled(lab));
    for (size_t i = s->n_leases; i-- > 0;)
        if (!s->leases[i].live)
            lab_lease_remove(s, &s->leases[i]);
    for (; (ip = lab_free_address(lab, s)); n++) {
        snprintf(hw, sizeof(hw), "00:1b:21:%02x:%02x:%02x", n < stale ? 0xf0 : 0xe0 + (int)(n >> 8), (int)n & 255, 0x21);
        snprintf(name, sizeof(name), "%s-%03ld", n < stale ? "visitor" : "pc-b", n);
        lab_lease_add(lab, s, ip, hw, name, n < stale ? 9 * 3600 + (double)n * 9000 : 900)->live = n >= stale;
    }
    arrive(lab);
    return 0;
}

static int dhcp_down(struct lab *lab, const json_t *params, struct ft_err *reterr)
{
    (void)params;
    (void)reterr;
    lab->dhcp_down = true;
    arrive(lab);
    return 0;
}

/* Somebody answered on the client's address, the server declined it, and the client keeps asking for it. */
static int dhcp_nak_conflict(struct lab *lab, const json_t *params, struct ft_err *reterr)
{
    struct lab_client *c = troubled(lab);
    struct lab_subnet *s = lab_subnet_of_vlan(lab, lab->wlans[c->wlan].vlan);
    struct lab_lease *lease;
    char name[48];

    (void)params;
    (void)reterr;
    if (lab->troubled < 0)
        return 0;
    drop_lease(lab, c);
    c->clings_to = c->ip ? c->ip : s->first + 67;
    lease = lab_lease_find(s, c->clings_to);
    if (!lease)
        lease = lab_lease_add(lab, s, c->clings_to, "", "", 0);
    lease->hw[0] = lease->hostname[0] = '\0';
    lease->state = 1;
    lease->live = false;
    lease->cltt = lab->wall;
    lease->valid = 86400;
    snprintf(name, sizeof(name), "subnet[%d].declined-addresses", s->id);
    lab_kea_count(lab, name, 1);
    lab_kea_count(lab, "declined-addresses", 1);
    lab_kea_count(lab, "pkt4-decline-received", 1);
    arrive(lab);
    return 0;
}

static int dns_broken(struct lab *lab, const json_t *params, struct ft_err *reterr)
{
    (void)reterr;
    lab->dns_down = true;
    lab->dns_silent = ft_streq(json_string_value(json_object_get(params, "how")), "silent");
    arrive(lab);
    return 0;
}

static int wan_latency(struct lab *lab, const json_t *params, struct ft_err *reterr)
{
    json_t *ms = json_object_get(params, "ms");

    (void)reterr;
    lab->wan_ms = json_is_number(ms) ? json_number_value(ms) : 480;
    lab_alarm(lab, "bad_wan_uplink", "gw-1", 0, json_pack("{s:s, s:s, s:{s:s, s:s, s:s, s:s}, s:[{s:s, s:s, s:s, s:s}]}", "category", "gateway",
        "suggestion", "check_wan", "details", "action", "check_wan", "category", "gateway", "status", "open", "symptom", "bad_wan_uplink",
        "impacted_entities", "entity_type", "gateway", "entity_mac", "4c734fa0ff01", "entity_name", "gw-1", "port_id", "ge-0/0/0"));
    return 0;
}

/* ---- radio ---- */

/* Far from an AP whose power is set low. */
static int weak_signal(struct lab *lab, const json_t *params, struct ft_err *reterr)
{
    struct lab_client *c = troubled(lab);
    struct lab_radio *r = &lab->aps[own_ap(lab)].radios[1];
    bool fixable = !json_is_false(json_object_get(params, "fixable"));

    (void)reterr;
    in_a_corner(lab);
    c->x = lab->aps[own_ap(lab)].x + 11;
    c->y = lab->aps[own_ap(lab)].y + 4;
    c->fade = fixable ? 6 : 20;
    if (fixable)
        r->power = 8;
    lab_alarm(lab, "insufficient_coverage", lab->aps[own_ap(lab)].mac, 0, json_pack("{s:[s], s:[s], s:s, s:s}", "aps", lab->aps[own_ap(lab)].mac,
        "hostnames", lab->aps[own_ap(lab)].name, "category", "wireless", "suggestion", "check_coverage"));
    return 0;
}

/* Something that is no Wi-Fi (a camera link, a microwave oven) on the AP's channel. */
static int interference(struct lab *lab, const json_t *params, struct ft_err *reterr)
{
    int ap = ap_param(lab, params, reterr);
    struct lab_radio *r;

    if (ap < 0)
        return -EINVAL;
    in_a_corner(lab);
    r = &lab->aps[ap].radios[1];
    r->foul_channel = r->channel;
    r->foul_noise = -66;
    r->foul_non_wifi = 38;
    r->foul_other = 0;
    rrm_note(lab, ap, "interference-ap-non-wifi");
    return 0;
}

/* Other people's networks fill the channel. */
static int busy_channel(struct lab *lab, const json_t *params, struct ft_err *reterr)
{
    int ap = ap_param(lab, params, reterr);
    struct lab_radio *r;

    if (ap < 0)
        return -EINVAL;
    in_a_corner(lab);
    r = &lab->aps[ap].radios[1];
    r->foul_channel = r->channel;
    r->foul_noise = 0;
    r->foul_non_wifi = 0;
    r->foul_other = 78;
    rrm_note(lab, ap, "interference-ap-co-channel");
    return 0;
}

/* The client walked to the other end of the floor and kept its AP. */
static int sticky_client(struct lab *lab, const json_t *params, struct ft_err *reterr)
{
    struct lab_client *c = troubled(lab);

    (void)params;
    (void)reterr;
    if (lab->troubled < 0)
        return 0;
    c->ap = c->stuck = 0;
    c->own_ap = 2;
    c->x = 56;
    c->y = 13;
    lab_client_event(lab, c, "CLIENT_REASSOCIATION", 0, "Status code 0 \"Successful\"");
    return 0;
}

/* An event in the room: far more clients than one AP should have. */
static int ap_overloaded(struct lab *lab, const json_t *params, struct ft_err *reterr)
{
    int ap = ap_param(lab, params, reterr);
    json_t *wanted = json_object_get(params, "clients");
    long n = json_is_integer(wanted) ? json_integer_value(wanted) : 52;
    char mac[13], name[32], hw[18];

    if (ap < 0)
        return -EINVAL;
    for (long i = 0; i < n && lab->n_clients < LAB_MAX_CLIENTS; i++) {
        struct lab_client *c;

        snprintf(mac, sizeof(mac), "5e10%02x00%02x11", (unsigned)ap & 255, (unsigned)i & 255);
        snprintf(name, sizeof(name), "visitor-%02ld", i);
        c = &lab->clients[lab_add_client(lab, mac, name, 1, ap)];
        c->ap = ap;
        c->alone = true;                             /* they all want to be in this room */
        c->state = CLIENT_UP;
        c->joined = lab->now;
        c->joined_wall = c->seen = lab->wall;
        c->ip = lab_free_address(lab, lab_subnet_of_vlan(lab, 120));
        lab_colons(mac, ':', false, hw);
        lab_lease_add(lab, lab_subnet_of_vlan(lab, 120), c->ip, hw, name, 0)->live = true;
    }
    lab->aps[ap].radios[1].own_use = 42;
    lab_alarm(lab, "insufficient_capacity", lab->aps[ap].mac, lab->aps[ap].site, json_pack("{s:[s], s:[s], s:s, s:s}", "aps", lab->aps[ap].mac,
        "hostnames", lab->aps[ap].name, "category", "wireless", "suggestion", "add_ap"));
    return 0;
}

static int api(struct lab *lab, const json_t *params, struct ft_err *reterr)
{
    return lab_api_fault_add(lab, params, reterr);
}

/* ---- */

static const struct { const char *name; apply_fault *apply; const char *params[4]; } faults[] = {
    { "unknown_client", unknown_client, { NULL } }, { "client_asleep", client_asleep, { NULL } },
    { "ap_poe_off", ap_poe_off, { "ap" } }, { "ap_hung", ap_hung, { "ap" } }, { "switch_down", switch_down, { "switch" } },
    { "wrong_psk", wrong_psk, { NULL } }, { "dot1x_unknown_user", unknown_user, { NULL } }, { "dot1x_cert_expired", cert_expired, { NULL } },
    { "dot1x_wrong_policy", wrong_policy, { NULL } }, { "radius_down", radius_down, { "api" } },
    { "dhcp_pool_exhausted", dhcp_pool_exhausted, { "vlan", "stale" } }, { "dhcp_down", dhcp_down, { NULL } },
    { "dhcp_nak_conflict", dhcp_nak_conflict, { NULL } }, { "wrong_vlan", wrong_vlan, { "ap" } }, { "weak_signal", weak_signal, { "fixable" } },
    { "interference", interference, { "ap" } }, { "busy_channel", busy_channel, { "ap" } }, { "sticky_client", sticky_client, { NULL } },
    { "ap_overloaded", ap_overloaded, { "ap", "clients" } }, { "dns_broken", dns_broken, { "how" } }, { "wan_latency", wan_latency, { "ms" } },
    { "api", api, { "*" } },
};

const char *const *lab_fault_names(void)
{
    static const char *names[ARRAY_LEN(faults) + 1];

    for (size_t i = 0; i < ARRAY_LEN(faults); i++)
        names[i] = faults[i].name;
    return names;
}

static int check_params(size_t i, const json_t *params, struct ft_err *reterr)
{
    const char *key;
    json_t *value;

    if (params && !json_is_object(params) && !json_is_null(params))
        return ft_err_set(reterr, -EINVAL, "the parameters of fault '%s' are a map", faults[i].name);
    json_object_foreach((json_t *)params, key, value) {
        bool known = false;

        for (int k = 0; k < 4 && faults[i].params[k]; k++)
            known = known || strcmp(faults[i].params[k], key) == 0 || faults[i].params[k][0] == '*';
        if (!known)
            return ft_err_set(reterr, -EINVAL, "fault '%s' has no parameter '%s'", faults[i].name, key);
    }
    return 0;
}

int lab_fault(struct lab *lab, const json_t *entry, struct ft_err *reterr)
{
    const char *name = json_string_value(entry), *near;
    const json_t *params = NULL;
    int r;

    if (json_is_object(entry) && json_object_size(entry) == 1) {
        name = json_object_iter_key(json_object_iter((json_t *)entry));
        params = json_object_get(entry, name);
    }
    if (!name)
        return ft_err_set(reterr, -EINVAL, "a fault is a name, or one name with parameters");
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        if (strcmp(faults[i].name, name) != 0)
            continue;
        r = check_params(i, params, reterr);
        if (r == 0)
            r = faults[i].apply(lab, params, reterr);
        if (r == 0)
            json_array_append(lab->faults, (json_t *)entry);
        return r;
    }
    near = ft_suggest(name, lab_fault_names());
    return ft_err_set(reterr, -EINVAL, "there is no fault '%s'%s%s%s", name, near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
}
