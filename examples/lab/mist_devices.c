/* mist_devices.c: access points, switches, the router; their statistics, ports, events, configuration and commands. */
#include "lab.h"

/* The router is shown, but does nothing: its WAN port carries the round trip to the internet. */
static const char gateway_mac[] = "4c734fa0ff01";

static const char *const states[] = {
    [AP_UP] = "connected", [AP_BOOTING] = "disconnected", [AP_OFF] = "disconnected", [AP_HUNG] = "disconnected",
    [AP_CUT_OFF] = "disconnected",
};

static json_t *radio_stat(const struct lab *lab, int ap, int radio)
{
    const struct lab_radio *r = &lab->aps[ap].radios[radio];
    int use[6];
    char mac[13];

    lab_use(lab, ap, radio, use);
    snprintf(mac, sizeof(mac), "%.10s%02x", lab->aps[ap].mac, (unsigned)radio * 16);
    return json_pack("{s:i, s:i, s:s, s:i, s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "bandwidth", r->bandwidth,
        "channel", r->channel, "mac", mac, "noise_floor", (int)lab_noise(r), "num_clients", lab_ap_clients(lab, ap, radio), "num_wlans", 2,
        "power", r->power, "rx_bytes", (json_int_t)578362619, "rx_pkts", (json_int_t)2687577, "tx_bytes", (json_int_t)1199571353, "tx_pkts",
        (json_int_t)2479302, "usage", r->band, "util_all", use[0], "util_tx", use[1], "util_rx_in_bss", use[2], "util_rx_other_bss", use[3],
        "util_unknown_wifi", use[4], "util_non_wifi", use[5], "util_undecodable_wifi", 0);
}

/* WLANs' VLANs that bring nothing over the wire. */
static json_t *inactive_vlans(const struct lab *lab, int ap)
{
    json_t *list = json_array();

    for (int i = 0; i < lab->n_wlans; i++)
        if (lab->wlans[i].site == lab->aps[ap].site && !lab_vlan_reaches(lab, ap, lab->wlans[i].vlan))
            json_array_append_new(list, json_integer(lab->wlans[i].vlan));
    return list;
}

static void ap_live(const struct lab *lab, int n, json_t *o)
{
    const struct lab_ap *ap = &lab->aps[n];
    int busy = lab_ap_clients(lab, n, -1);

    json_object_update_new(o, json_pack("{s:I, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:b, s:s, s:n, s:s, s:o, s:I, s:I}",
        "uptime", (json_int_t)(lab->now - ap->boot), "num_clients", busy, "num_wlans", 2, "cpu_util", 5 + busy / 2, "cpu_user", 7496631,
        "cpu_system", 21921854, "mem_total_kb", 505468, "mem_used_kb", 202096 + busy * 900, "power_budget", 8400, "power_constrained", 0,
        "power_src", "PoE 802.3at", "power_opmode", "ext_ip", "203.0.113.7", "inactive_wired_vlans", inactive_vlans(lab, n),
        "tx_bps", (json_int_t)(8067 + busy * 41000), "rx_bps", (json_int_t)(9276 + busy * 18000)));
    json_object_set_new(o, "radio_stat", json_pack("{s:o, s:o}", "band_24", radio_stat(lab, n, 0), "band_5", radio_stat(lab, n, 1)));
    if (strcmp(ap->model, "AP45") == 0)
        json_object_set_new(json_object_get(o, "radio_stat"), "band_6", radio_stat(lab, n, 2));
    json_object_set_new(o, "port_stat", json_pack("{s:{s:b, s:b, s:i, s:i, s:I, s:I, s:I, s:I}}", "eth0", "up", 1, "full_duplex", 1, "speed", 1000,
        "rx_errors", 0, "rx_bytes", (json_int_t)1284143195, "rx_pkts", (json_int_t)5199816, "tx_bytes", (json_int_t)1283744961, "tx_pkts",
        (json_int_t)3990463));
    json_object_set_new(o, "ip_stat", json_pack("{s:s, s:s, s:s, s:[s], s:{s:o}}", "ip", ap->ip, "netmask", "255.255.255.0", "gateway", "10.10.0.1",
        "dns", "10.10.0.53", "ips", "vlan10", json_sprintf("%s/24", ap->ip)));
    json_object_set_new(o, "env_stat", json_pack("{s:i, s:i}", "cpu_temp", 53, "ambient_temp", 43));
}

/* What LLDP said last stays known while the AP is away. */
static void ap_uplink(const struct lab *lab, const struct lab_ap *ap, json_t *o)
{
    const struct lab_switch *sw = &lab->switches[ap->sw];
    char chassis[18];

    lab_colons(sw->mac, ':', false, chassis);
    json_object_set_new(o, "lldp_stat", json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:i, s:i, s:i}", "chassis_id", chassis, "system_name", sw->name,
        "port_id", sw->ports[ap->port].name, "port_desc", sw->ports[ap->port].name, "mgmt_addr", sw->ip, "lldp_med_supported", 1,
        "power_allocated", 25500, "power_requested", 25500, "power_draw", 11200));
}

static const char *firmware(const struct lab *lab, const char *mac, const char *first)
{
    const char *version = json_string_value(json_object_get(json_object_get(lab->mist, "firmware"), mac));

    return version ? version : first;
}

static json_t *ap_stats(const struct lab *lab, int n)
{
    const struct lab_ap *ap = &lab->aps[n];
    bool up = ap->state == AP_UP;
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:f, s:f, s:b, s:s, s:{s:s, s:I}, s:b, s:f, s:f, s:s}", "id", ap->id,
        "mac", ap->mac, "name", ap->name, "type", "ap", "model", ap->model, "serial", ap->serial, "org_id", LAB_ORG, "site_id",
        lab->sites[ap->site].id, "status", states[ap->state], "version", firmware(lab, ap->mac, "0.14.29313"), "ip", ap->ip, "last_seen", up ? floor(lab->wall) - 4 : floor(ap->last_seen),
        "created_time", floor(lab->wall - 6e7), "config_reverted", ap->reverted, "notes", "", "last_trouble", "code", "07", "timestamp",
        (json_int_t)(lab->wall - 4e6), "locating", ap->locating, "x_m", ap->x, "y_m", ap->y, "hw_rev", "C02");

    ap_uplink(lab, ap, o);
    if (up)
        ap_live(lab, n, o);
    return o;
}

static json_t *switch_stats(const struct lab *lab, int n)
{
    const struct lab_switch *s = &lab->switches[n];
    int aps = 0, ports_up = 0;
    json_t *o, *ifs = json_object();

    for (int i = 0; i < lab->n_aps; i++)
        aps += lab->aps[i].sw == n && lab->aps[i].state == AP_UP;
    for (int p = 0; p < s->n_ports; p++) {
        bool up = lab_port_up(lab, n, p);
        char unit[32];

        ports_up += up;
        snprintf(unit, sizeof(unit), "%s.0", s->ports[p].name);
        json_object_set_new(ifs, unit, json_pack("{s:s, s:b}", "port_id", s->ports[p].name, "up", up));
    }
    o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:f, s:s, s:o, s:i}", "id", s->id, "mac", s->mac, "name", s->name,
        "hostname", s->name, "type", "switch", "model", s->model, "serial", s->serial, "org_id", LAB_ORG, "site_id", lab->sites[s->site].id,
        "status", s->down ? "disconnected" : "connected", "ip", s->ip, "version", firmware(lab, s->mac, "22.4R3.25"), "last_seen", s->down ? floor(s->last_seen) : floor(lab->wall) - 6,
        "config_status", "COMMITED", "if_stat", ifs, "num_ports_up", ports_up);
    if (s->down)
        return o;
    json_object_update_new(o, json_pack("{s:I, s:{s:i, s:i, s:i, s:i, s:[f,f,f]}, s:{s:i}, s:{s:{s:[i], s:i}}, s:{s:i}, s:{s:i}, s:{}, s:s}",
        "uptime", (json_int_t)(lab->now - s->boot), "cpu_stat", "idle", 74, "interrupt", 0, "system", 13, "user", 13, "load_avg", 0.8, 0.75, 0.78,
        "memory_stat", "usage", 16, "clients_stats", "total", "num_aps", aps, "num_wired_clients", ports_up * 3, "arp_table_stats", "arp_table_count", 16,
        "mac_table_stats", "mac_table_count", 58, "dhcpd_stat", "ext_ip", "203.0.113.7"));
    json_object_set_new(o, "module_stat", json_pack("[{s:s, s:i, s:s, s:s, s:s, s:s, s:{s:f, s:f}, s:s, s:s, s:s, s:[{s:s, s:s}], s:I}]", "type", "fpc",
        "fpc_idx", 0, "mac", s->mac, "model", s->model, "serial", s->serial, "version", "22.4R3.25", "poe", "max_power", 180.0, "power_draw",
        7.3 + aps * 11.2, "vc_role", "master", "vc_state", "present", "vc_mode", "HiGiG", "psus", "name", "Power Supply 0", "status", "ok",
        "uptime", (json_int_t)(lab->now - s->boot)));
    if (s->vc)
        json_object_set_new(o, "vc_mac", json_string(s->mac));
    return o;
}

static json_t *gateway_stats(const struct lab *lab)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:f, s:I}", "id", "00000000-0000-0000-1000-4c734fa0ff01", "mac", gateway_mac,
        "name", "gw-1", "type", "gateway", "model", "SRX345", "org_id", LAB_ORG, "site_id", lab->sites[0].id, "status", "connected", "ip", "10.10.0.1",
        "version", "22.4R3.25", "last_seen", floor(lab->wall) - 5, "uptime", (json_int_t)(lab->now + 40 * 86400));
}

/* All devices of the type (default ap) at the site (-1: all). */
static json_t *devices(struct lab_req *req, int site)
{
    static const char *const keys[] = { "mac", "model", "site_id", "version", "ip", "name", "hostname", NULL };
    struct lab *lab = req->lab;
    const char *type = lab_query(req, "type"), *status = lab_query(req, "status");
    json_t *all = json_array(), *list = json_array(), *d;
    bool every = type && strcmp(type, "all") == 0;
    size_t k;

    type = type ? type : "ap";
    for (int i = 0; i < lab->n_aps && (every || strcmp(type, "ap") == 0); i++)
        if (site < 0 || lab->aps[i].site == site)
            json_array_append_new(all, ap_stats(lab, i));
    for (int i = 0; i < lab->n_switches && (every || strcmp(type, "switch") == 0); i++)
        if (site < 0 || lab->switches[i].site == site)
            json_array_append_new(all, switch_stats(lab, i));
    if ((every || strcmp(type, "gateway") == 0) && site <= 0)
        json_array_append_new(all, gateway_stats(lab));
    json_array_foreach(all, k, d)
        if (lab_mist_matches(req, d, keys)
            && (!status || strcmp(status, "all") == 0 || ft_streq(status, json_string_value(json_object_get(d, "status")))))
            json_array_append(list, d);
    json_decref(all);
    return list;
}

static void org_stats_devices(struct lab_req *req, struct lab_res *res)
{
    lab_mist_page(req, res, devices(req, -1));
}

static void site_stats_devices(struct lab_req *req, struct lab_res *res)
{
    int site = lab_mist_site(req, res);

    if (site >= 0)
        lab_mist_page(req, res, devices(req, site));
}

static void stats_device(struct lab_req *req, struct lab_res *res)
{
    int site = lab_mist_site(req, res), ap = lab_find_ap(req->lab, req->arg[1]), sw = lab_find_switch(req->lab, req->arg[1]);

    if (site < 0)
        return;
    if (ap >= 0 && req->lab->aps[ap].site == site)
        res->json = ap_stats(req->lab, ap);
    else if (sw >= 0 && req->lab->switches[sw].site == site)
        res->json = switch_stats(req->lab, sw);
    else if (site == 0 && strstr(req->arg[1], gateway_mac))
        res->json = gateway_stats(req->lab);
    else
        lab_mist_not_found(res);
}

static json_t *search_form(json_t *list)
{
    static const char *const keys[] = { "mac", "org_id", "site_id", "model", "type", "version", "ip", "last_seen", "uptime", "power_constrained", NULL };
    json_t *out = json_array(), *d;
    size_t i;

    json_array_foreach(list, i, d) {
        json_t *o = json_object(), *lldp = json_object_get(d, "lldp_stat");

        for (int k = 0; keys[k]; k++)
            if (json_object_get(d, keys[k]))
                json_object_set(o, keys[k], json_object_get(d, keys[k]));
        json_object_set_new(o, "hostname", json_pack("[O]", json_object_get(d, "name")));
        json_object_set(o, "timestamp", json_object_get(d, "last_seen"));
        json_object_set_new(o, "last_config_status", json_string("COMMITED"));
        if (lldp) {
            json_object_set(o, "lldp_system_name", json_object_get(lldp, "system_name"));
            json_object_set(o, "lldp_port_id", json_object_get(lldp, "port_id"));
            json_object_set(o, "lldp_mgmt_addr", json_object_get(lldp, "mgmt_addr"));
        }
        json_array_append_new(out, o);
    }
    json_decref(list);
    return out;
}

static void org_devices_search(struct lab_req *req, struct lab_res *res)
{
    lab_mist_cursor(req, res, search_form(devices(req, -1)));
}

static void site_devices_search(struct lab_req *req, struct lab_res *res)
{
    int site = lab_mist_site(req, res);

    if (site >= 0)
        lab_mist_cursor(req, res, search_form(devices(req, site)));
}

static void org_devices(struct lab_req *req, struct lab_res *res)
{
    json_t *list = json_array();

    for (int i = 0; i < req->lab->n_aps; i++)
        json_array_append_new(list, json_pack("{s:s, s:s}", "mac", req->lab->aps[i].mac, "name", req->lab->aps[i].name));
    for (int i = 0; i < req->lab->n_switches; i++)
        json_array_append_new(list, json_pack("{s:s, s:s}", "mac", req->lab->switches[i].mac, "name", req->lab->switches[i].name));
    res->json = json_pack("{s:o}", "results", list);
}

static json_t *inventory_item(const struct lab *lab, const char *type, const char *id, const char *mac, const char *name, const char *model,
                              const char *serial, int site, bool connected)
{
    return json_pack("{s:b, s:f, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:f}", "connected", connected, "created_time", floor(lab->wall - 6e7),
        "id", id, "mac", mac, "model", model, "name", name, "serial", serial, "site_id", lab->sites[site].id, "type", type, "org_id", LAB_ORG,
        "modified_time", floor(lab->wall - 4e6));
}

static void inventory(struct lab_req *req, struct lab_res *res)
{
    static const char *const keys[] = { "type", "mac", "serial", "model", "site_id", "name", NULL };
    const struct lab *lab = req->lab;
    json_t *all = json_array(), *list = json_array(), *item;
    const char *mac;
    size_t k;

    for (int i = 0; i < lab->n_aps; i++)
        json_array_append_new(all, inventory_item(lab, "ap", lab->aps[i].id, lab->aps[i].mac, lab->aps[i].name, lab->aps[i].model,
                                                  lab->aps[i].serial, lab->aps[i].site, lab->aps[i].state == AP_UP));
    for (int i = 0; i < lab->n_switches; i++)
        json_array_append_new(all, inventory_item(lab, "switch", lab->switches[i].id, lab->switches[i].mac, lab->switches[i].name,
                                                  lab->switches[i].model, lab->switches[i].serial, lab->switches[i].site, !lab->switches[i].down));
    json_object_foreach(json_object_get(lab->mist, "spares"), mac, item)
        json_array_append(all, item);
    json_array_foreach(all, k, item)
        if (lab_mist_matches(req, item, keys))
            json_array_append(list, item);
    json_decref(all);
    lab_mist_page(req, res, list);
}

/* ---- ports ---- */

static json_t *port_item(const struct lab *lab, int n, int p)
{
    const struct lab_switch *s = &lab->switches[n];
    const struct lab_port *port = &s->ports[p];
    bool up = lab_port_up(lab, n, p), poe = port->ap >= 0 && lab_port_powers(lab, n, p);
    bool heard = up && port->ap >= 0 && (lab->aps[port->ap].state == AP_UP || lab->aps[port->ap].state == AP_CUT_OFF);
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:b, s:i, s:b, s:s, s:f, s:i, s:i, s:s, s:s, s:s, s:f, s:I, s:I, s:I, s:I, s:i, s:i, s:b, s:s}",
        "mac", s->mac, "port_id", port->name, "port_mac", s->mac, "org_id", LAB_ORG, "site_id", lab->sites[s->site].id, "up", up, "active", up,
        "disabled", lab_config_has(s->config, "interfaces %s disable", port->name), "speed", up ? 1000 : 0, "full_duplex", up,
        "port_usage", port->ap >= 0 ? "ap" : port->peer >= 0 || port->gateway ? "uplink" : "access", "last_flapped", floor(port->flapped),
        "mac_count", !up ? 0 : port->ap >= 0 ? 1 + lab_ap_clients(lab, port->ap, -1) : 4, "mac_limit", 0, "auth_state", "authenticated",
        "stp_state", up ? "forwarding" : "disabled", "stp_role", up ? "designated" : "disabled", "power_draw", poe && up ? 11.2 : 0.0,
        "rx_bytes", (json_int_t)4563443626, "tx_bytes", (json_int_t)11299516780, "rx_pkts", (json_int_t)8823, "tx_pkts", (json_int_t)492176,
        "rx_errors", 0, "tx_errors", 0, "for_site", 1, "type", "switch");

    json_object_set_new(o, "poe_on", json_boolean(poe && up));
    json_object_set_new(o, "poe_disabled", json_boolean(lab_config_has(s->config, "poe interface %s disable", port->name)));
    json_object_set_new(o, "poe_mode", json_string("802.3at"));
    if (heard) {
        json_object_set_new(o, "neighbor_mac", json_string(lab->aps[port->ap].mac));
        json_object_set_new(o, "neighbor_system_name", json_string(lab->aps[port->ap].name));
        json_object_set_new(o, "neighbor_port_desc", json_string("ETH0"));
    } else if (up && port->peer >= 0) {
        json_object_set_new(o, "neighbor_mac", json_string(lab->switches[port->peer].mac));
        json_object_set_new(o, "neighbor_system_name", json_string(lab->switches[port->peer].name));
        json_object_set_new(o, "neighbor_port_desc", json_string(port->peer_port));
    }
    return o;
}

static json_t *wan_port(const struct lab *lab)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:i, s:b, s:f, s:f, s:f, s:s, s:s}", "mac", gateway_mac, "port_id", "ge-0/0/0", "port_mac",
        gateway_mac, "org_id", LAB_ORG, "site_id", lab->sites[0].id, "up", 1, "active", 1, "speed", 1000, "full_duplex", 1,
        "latency", lab->wan_ms, "jitter", lab->wan_ms / 9, "loss", lab->wan_ms > 200 ? 1.5 : 0.0, "port_usage", "wan", "type", "gateway");
}

static void ports_in(struct lab_req *req, struct lab_res *res, int site)
{
    static const char *const keys[] = { "mac", "port_id", "port_mac", "neighbor_mac", "neighbor_system_name", "up", "poe_on", "poe_disabled",
                                        "poe_mode", "stp_state", "auth_state", "site_id", "type", NULL };
    struct lab *lab = req->lab;
    json_t *all = json_array(), *list = json_array(), *item;
    size_t k;

    for (int n = 0; n < lab->n_switches; n++)
        for (int p = 0; p < lab->switches[n].n_ports && (site < 0 || lab->switches[n].site == site); p++)
            json_array_append_new(all, port_item(lab, n, p));
    if (site <= 0)
        json_array_append_new(all, wan_port(lab));
    json_array_foreach(all, k, item)
        if (lab_mist_matches(req, item, keys)) {
            json_object_set_new(item, "timestamp", json_real(lab->wall - 30 - (double)k / 1000));
            json_array_append(list, item);
        }
    json_decref(all);
    lab_mist_cursor(req, res, list);
}

static void org_ports(struct lab_req *req, struct lab_res *res)
{
    ports_in(req, res, -1);
}

static void site_ports(struct lab_req *req, struct lab_res *res)
{
    int site = lab_mist_site(req, res);

    if (site >= 0)
        ports_in(req, res, site);
}

/* ---- events ---- */

static bool device_event_kept(struct lab_req *req, const json_t *event)
{
    static const char *const keys[] = { "mac", "type", "model", "device_type", "site_id", "port_id", NULL };

    return lab_mist_matches(req, event, keys);
}

static void org_device_events(struct lab_req *req, struct lab_res *res)
{
    lab_mist_cursor(req, res, lab_mist_in_range(req, req->lab->device_events, -1, device_event_kept));
}

static void site_device_events(struct lab_req *req, struct lab_res *res)
{
    int site = lab_mist_site(req, res);

    if (site >= 0)
        lab_mist_cursor(req, res, lab_mist_in_range(req, req->lab->device_events, site, device_event_kept));
}

/* ---- configuration ---- */

static json_t *radio_config(const struct lab_ap *ap)
{
    json_t *o = json_object();
    char key[8];

    for (int i = 0; i < 2; i++) {
        const struct lab_radio *r = &ap->radios[i];

        snprintf(key, sizeof(key), "band_%s", r->band);
        json_object_set_new(o, key, json_pack("{s:o, s:o, s:i, s:b}", "channel", r->pin_channel ? json_integer(r->pin_channel) : json_null(),
            "power", r->pin_power ? json_integer(r->pin_power) : json_null(), "bandwidth", r->bandwidth, "disabled", 0));
    }
    return o;
}

static json_t *device_config(const struct lab *lab, int ap, int sw)
{
    const struct lab_ap *a = ap >= 0 ? &lab->aps[ap] : NULL;
    const struct lab_switch *s = sw >= 0 ? &lab->switches[sw] : NULL;
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:f, s:f}", "id", a ? a->id : s->id, "mac", a ? a->mac : s->mac, "name",
        a ? a->name : s->name, "type", a ? "ap" : "switch", "model", a ? a->model : s->model, "org_id", LAB_ORG, "site_id",
        lab->sites[a ? a->site : s->site].id, "created_time", floor(lab->wall - 6e7), "modified_time", floor(lab->wall - 1e6));

    if (a) {
        json_object_set_new(o, "radio_config", radio_config(a));
        json_object_update(o, a->config);
    } else {
        json_object_set_new(o, "managed", json_true());
        json_object_set_new(o, "networks", json_pack("{s:{s:i}, s:{s:i}, s:{s:i}}", "mgmt", "vlan_id", 10, "staff", "vlan_id", 110, "guest", "vlan_id", 120));
        json_object_set_new(o, "local_port_config", json_deep_copy(s->overrides));
    }
    return o;
}

static void site_devices(struct lab_req *req, struct lab_res *res)
{
    struct lab *lab = req->lab;
    int site = lab_mist_site(req, res);
    const char *type = lab_query(req, "type"), *name = lab_query(req, "name");
    json_t *list = json_array();

    type = type ? type : "ap";
    for (int i = 0; i < lab->n_aps && (strcmp(type, "ap") == 0 || strcmp(type, "all") == 0); i++)
        if (lab->aps[i].site == site && (!name || strcasecmp(name, lab->aps[i].name) == 0))
            json_array_append_new(list, device_config(lab, i, -1));
    for (int i = 0; i < lab->n_switches && (strcmp(type, "switch") == 0 || strcmp(type, "all") == 0); i++)
        if (lab->switches[i].site == site && (!name || strcasecmp(name, lab->switches[i].name) == 0))
            json_array_append_new(list, device_config(lab, -1, i));
    if (site >= 0)
        lab_mist_page(req, res, json_incref(list));
    json_decref(list);
}

/* Finds the device of arg[1] at the site of arg[0]; false: answered 404. */
bool lab_mist_device_of(struct lab_req *req, struct lab_res *res, int *ret_site, int *ret_ap, int *ret_sw)
{
    *ret_site = lab_mist_site(req, res);
    *ret_ap = lab_find_ap(req->lab, req->arg[1]);
    *ret_sw = lab_find_switch(req->lab, req->arg[1]);
    if (*ret_site < 0)
        return false;
    if ((*ret_ap >= 0 && req->lab->aps[*ret_ap].site == *ret_site) || (*ret_sw >= 0 && req->lab->switches[*ret_sw].site == *ret_site))
        return true;
    lab_mist_not_found(res);
    return false;
}

static void device_get(struct lab_req *req, struct lab_res *res)
{
    int site, ap, sw;

    if (lab_mist_device_of(req, res, &site, &ap, &sw))
        res->json = device_config(req->lab, ap, sw);
}

static void take_radio_config(struct lab *lab, int ap, const json_t *config)
{
    for (int i = 0; i < 3; i++) {
        struct lab_radio *r = &lab->aps[ap].radios[i];
        char key[8];
        json_t *band, *channel, *power;

        snprintf(key, sizeof(key), "band_%s", r->band);
        if (!(band = json_object_get(config, key)))
            continue;
        channel = json_object_get(band, "channel");
        power = json_object_get(band, "power");
        r->pin_channel = json_is_integer(channel) ? (int)json_integer_value(channel) : 0;
        r->pin_power = json_is_integer(power) ? (int)json_integer_value(power) : 0;
        if (r->pin_power)
            r->power = r->pin_power;
        if (!r->pin_channel || r->pin_channel == r->channel)
            continue;
        r->channel = r->pin_channel;
        for (int c = 0; c < lab->n_clients; c++)
            if (lab_associated(&lab->clients[c]) && lab->clients[c].ap == ap && lab->clients[c].band == i)
                lab_client_leave(lab, c, "CLIENT_DEAUTHENTICATION", "AP changes channel", 3 + c % 3);
    }
}

static void take_port_config(struct lab *lab, int sw, const json_t *wanted);

void lab_mist_apply_ap(struct lab *lab, int ap)
{
    if (json_object_get(lab->aps[ap].config, "radio_config"))
        take_radio_config(lab, ap, json_object_get(lab->aps[ap].config, "radio_config"));
}

static void device_put(struct lab_req *req, struct lab_res *res)
{
    int site, ap, sw;

    if (!lab_mist_device_of(req, res, &site, &ap, &sw))
        return;
    if (!json_is_object(req->json)) {
        lab_mist_bad(res, "JSON parse error - expected an object");
        return;
    }
    if (ap >= 0) {
        json_object_update(req->lab->aps[ap].config, req->json);
        lab_device_event(req->lab, "ap", req->lab->aps[ap].mac, "AP_CONFIG_CHANGED_BY_USER", NULL);
        lab_mist_push(req->lab, LAB_PUSH_AP, ap);
    } else if (json_object_get(req->json, "local_port_config")) {
        take_port_config(req->lab, sw, json_object_get(req->json, "local_port_config"));
    }
    lab_mist_audit(req->lab, site, ap >= 0 ? "Update Access Point" : "Update Switch");
    req->done = true;
    res->json = device_config(req->lab, ap, sw);
}

/* ---- local_port_config: the cloud writes it into the switch's own configuration ---- */

struct lines { char text[16][160]; const char *at[17]; int n; };

static void add_line(struct lines *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add_line(struct lines *l, const char *fmt, ...)
{
    va_list ap;

    if (l->n == 16)
        return;
    va_start(ap, fmt);
    vsnprintf(l->text[l->n], sizeof(l->text[0]), fmt, ap);
    va_end(ap);
    l->at[l->n] = l->text[l->n];
    l->n++;
}

static void push_port(struct lab *lab, int sw, const char *port, const json_t *override)
{
    struct lines set = { 0 }, del = { 0 };
    const char *network = json_string_value(json_object_get(override, "port_network"));

    if (json_is_true(json_object_get(override, "poe_disabled")))
        add_line(&set, "poe interface %s disable", port);
    else
        add_line(&del, "poe interface %s disable", port);
    if (json_is_true(json_object_get(override, "disabled")))
        add_line(&set, "interfaces %s disable", port);
    else
        add_line(&del, "interfaces %s disable", port);
    if (network) {
        add_line(&del, "interfaces %s unit 0 family ethernet-switching vlan members", port);
        add_line(&set, "interfaces %s unit 0 family ethernet-switching interface-mode access", port);
        add_line(&set, "interfaces %s unit 0 family ethernet-switching vlan members %s", port, network);
    }
    lab_config_push(lab, sw, set.at, del.at, "mist");
}

static void take_port_config(struct lab *lab, int sw, const json_t *wanted)
{
    json_decref(lab->switches[sw].overrides);
    lab->switches[sw].overrides = json_deep_copy(wanted);
    lab_mist_push(lab, LAB_PUSH_SWITCH, sw);
}

/* What is in neither map any more goes back to how it was. */
void lab_mist_apply_switch(struct lab *lab, int sw)
{
    struct lab_switch *s = &lab->switches[sw];
    json_t *override;
    const char *port;

    if (json_equal(s->pushed, s->overrides))
        return;
    json_object_foreach(s->pushed, port, override)
        if (!json_object_get(s->overrides, port))
            push_port(lab, sw, port, NULL);
    json_object_foreach(s->overrides, port, override)
        push_port(lab, sw, port, override);
    json_decref(s->pushed);
    s->pushed = json_deep_copy(s->overrides);
}

static void local_ports_put(struct lab_req *req, struct lab_res *res)
{
    int site, ap, sw;
    json_t *wanted = json_object_get(req->json, "local_port_config") ? json_object_get(req->json, "local_port_config") : req->json, *override;
    const char *port;

    if (!lab_mist_device_of(req, res, &site, &ap, &sw))
        return;
    if (sw < 0 || !json_is_object(wanted)) {
        lab_mist_bad(res, sw < 0 ? "not a switch" : "JSON parse error - expected an object");
        return;
    }
    json_object_foreach(wanted, port, override)
        if (lab_find_port(&req->lab->switches[sw], port) < 0 || !json_object_get(override, "usage")) {
            lab_mist_bad(res, "local_port_config: unknown port, or usage is missing");
            return;
        }
    take_port_config(req->lab, sw, wanted);
    lab_mist_audit(req->lab, site, "Update Local Port Config");
    req->done = true;
    res->json = json_deep_copy(req->lab->switches[sw].overrides);
}

static void local_ports_delete(struct lab_req *req, struct lab_res *res)
{
    int site, ap, sw;
    json_t *empty;

    if (!lab_mist_device_of(req, res, &site, &ap, &sw) || sw < 0)
        return;
    empty = json_object();
    take_port_config(req->lab, sw, empty);
    json_decref(empty);
    lab_mist_audit(req->lab, site, "Delete Local Port Config");
    req->done = true;
}

/* ---- commands ---- */

static void restart(struct lab_req *req, struct lab_res *res)
{
    int site, ap, sw;

    if (!lab_mist_device_of(req, res, &site, &ap, &sw))
        return;
    if (ap >= 0)
        lab_ap_restart(req->lab, ap, "AP_RESTART_BY_USER", "user");
    else
        lab_switch_restart(req->lab, sw);
    lab_mist_audit(req->lab, site, ap >= 0 ? "Restart Access Point" : "Restart Switch");
    req->done = true;
}

static void restart_many(struct lab_req *req, struct lab_res *res)
{
    int site = lab_mist_site(req, res);
    json_t *ids = json_object_get(req->json, "device_ids"), *id;
    size_t i;

    if (site < 0)
        return;
    if (!json_is_array(ids)) {
        lab_mist_bad(res, "device_ids is required");
        return;
    }
    json_array_foreach(ids, i, id) {
        int ap = json_is_string(id) ? lab_find_ap(req->lab, json_string_value(id)) : -1;

        if (ap >= 0 && req->lab->aps[ap].site == site)
            lab_ap_restart(req->lab, ap, "AP_RESTART_BY_USER", "user");
    }
    req->done = true;
}

static void bounce_port(struct lab_req *req, struct lab_res *res)
{
    int site, ap, sw, ports[LAB_MAX_PORTS];
    json_t *list = json_object_get(req->json, "ports"), *name;
    size_t i;

    if (!lab_mist_device_of(req, res, &site, &ap, &sw))
        return;
    if (sw < 0 || !json_is_array(list) || json_array_size(list) == 0 || json_array_size(list) > LAB_MAX_PORTS) {
        lab_mist_bad(res, sw < 0 ? "not a switch" : "ports is required");
        return;
    }
    json_array_foreach(list, i, name) {
        ports[i] = json_is_string(name) ? lab_find_port(&req->lab->switches[sw], json_string_value(name)) : -1;
        if (ports[i] < 0) {
            lab_mist_bad(res, "unknown port");
            return;
        }
    }
    for (i = 0; i < json_array_size(list) && !req->lab->switches[sw].down; i++)
        lab_port_bounce(req->lab, sw, ports[i]);
    lab_mist_audit(req->lab, site, "Bounce Port");
    lab_mist_bounced(req->lab, site, sw);
    req->done = true;
}

static void locate(struct lab_req *req, struct lab_res *res)
{
    int site, ap, sw;

    if (!lab_mist_device_of(req, res, &site, &ap, &sw))
        return;
    if (ap >= 0)
        req->lab->aps[ap].locating = strcmp(req->seg[6], "locate") == 0;
    req->done = true;
}

static void accept_command(struct lab_req *req, struct lab_res *res)
{
    int site, ap, sw;

    req->done = lab_mist_device_of(req, res, &site, &ap, &sw);
}

/* ---- synthetic tests: the AP tries DHCP, DNS, … on a VLAN for 20 s ---- */

static json_t *test_result(struct lab *lab, int ap, const json_t *test)
{
    const char *type = json_string_value(json_object_get(test, "type"));
    int vlan = (int)json_integer_value(json_object_get(test, "vlan_id"));
    bool reach = lab_vlan_reaches(lab, ap, vlan);
    struct lab_subnet *s = lab_subnet_of_vlan(lab, vlan);
    const char *why = "";

    if (!reach)
        why = "no answer on the VLAN";
    else if (strcmp(type, "dhcp") == 0)
        why = lab->dhcp_down ? "no DHCP server answered" : s && !lab_free_address(lab, s) ? "no DHCPOFFER received" : "";
    else if (strcmp(type, "dns") == 0)
        why = lab->dns_down ? lab->dns_silent ? "no answer from 10.10.0.53" : "SERVFAIL from 10.10.0.53" : "";
    else if (strcmp(type, "radius") == 0)
        why = lab->radius_down ? "no answer from 10.10.0.21:1812" : "";
    return json_pack("{s:s, s:b, s:f, s:s}", "status", why[0] ? "failed" : "success", "passed", !why[0], "latency",
                     strcmp(type, "curl") == 0 ? lab->wan_ms : 3.0, "reason", why);
}

static void test_over(struct lab *lab, int ap, int unused)
{
    json_t *test = json_object_get(lab->synthetic, lab->aps[ap].mac);

    (void)unused;
    if (test)
        json_object_update_new(test, test_result(lab, ap, test));
}

static void synthetic_post(struct lab_req *req, struct lab_res *res)
{
    int site, ap, sw;
    const char *type = json_string_value(json_object_get(req->json, "type"));
    json_t *vlan = json_object_get(req->json, "vlan_id");

    if (!lab_mist_device_of(req, res, &site, &ap, &sw))
        return;
    if (!type || (ap >= 0 && !vlan)) {
        lab_mist_bad(res, type ? "vlan_id is required" : "type is required");
        return;
    }
    req->done = true;
    res->json = json_pack("{s:s}", "status", "scheduled");
    if (ap < 0 || req->lab->aps[ap].state != AP_UP)
        return;
    json_object_set_new(req->lab->synthetic, req->lab->aps[ap].mac, json_pack("{s:s, s:s, s:f, s:s, s:s, s:i}", "device_type", "ap", "mac",
        req->lab->aps[ap].mac, "start_time", floor(req->lab->wall), "status", "inprogress", "type", type, "vlan_id",
        json_is_string(vlan) ? atoi(json_string_value(vlan)) : (int)json_integer_value(vlan)));
    lab_after(req->lab, 20, test_over, ap, 0);
}

static void synthetic_get(struct lab_req *req, struct lab_res *res)
{
    int site, ap, sw;
    json_t *test;

    if (!lab_mist_device_of(req, res, &site, &ap, &sw))
        return;
    test = ap >= 0 ? json_object_get(req->lab->synthetic, req->lab->aps[ap].mac) : NULL;
    if (test)
        res->json = json_deep_copy(test);
    else
        lab_mist_not_found(res);
}

const struct lab_route lab_mist_device_routes[] = {
    { "GET", "/api/v1/orgs/{}/devices", org_devices },
    { "GET", "/api/v1/orgs/{}/inventory", inventory },
    { "GET", "/api/v1/orgs/{}/devices/search", org_devices_search },
    { "GET", "/api/v1/sites/{}/devices/search", site_devices_search },
    { "GET", "/api/v1/orgs/{}/stats/devices", org_stats_devices },
    { "GET", "/api/v1/sites/{}/stats/devices", site_stats_devices },
    { "GET", "/api/v1/sites/{}/stats/devices/{}", stats_device },
    { "GET", "/api/v1/orgs/{}/devices/events/search", org_device_events },
    { "GET", "/api/v1/sites/{}/devices/events/search", site_device_events },
    { "GET", "/api/v1/orgs/{}/stats/ports/search", org_ports },
    { "GET", "/api/v1/sites/{}/stats/ports/search", site_ports },
    { "GET", "/api/v1/sites/{}/devices", site_devices },
    { "GET", "/api/v1/sites/{}/devices/{}", device_get },
    { "PUT", "/api/v1/sites/{}/devices/{}", device_put },
    { "PUT", "/api/v1/sites/{}/devices/{}/local_port_config", local_ports_put },
    { "DELETE", "/api/v1/sites/{}/devices/{}/local_port_config", local_ports_delete },
    { "POST", "/api/v1/sites/{}/devices/restart", restart_many },
    { "POST", "/api/v1/sites/{}/devices/{}/restart", restart },
    { "POST", "/api/v1/sites/{}/devices/{}/bounce_port", bounce_port },
    { "POST", "/api/v1/sites/{}/devices/{}/locate", locate },
    { "POST", "/api/v1/sites/{}/devices/{}/unlocate", locate },
    { "POST", "/api/v1/sites/{}/devices/{}/poll_stats", accept_command },
    { "POST", "/api/v1/sites/{}/devices/{}/clear_bpdu_error", accept_command },
    { "POST", "/api/v1/sites/{}/devices/{}/clear_macs", accept_command },
    { "POST", "/api/v1/sites/{}/devices/{}/synthetic_test", synthetic_post },
    { "GET", "/api/v1/sites/{}/devices/{}/synthetic_test", synthetic_get },
    { 0 },
};
