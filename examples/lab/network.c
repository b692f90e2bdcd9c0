/* network.c: the network as it is when nothing is wrong.
 *
 *   gw-1 ── sw-1 (virtual chassis) ── sw-2 ── AP-3F-11, AP-3F-12, AP-3F-13      site HQ
 *             └── AP-2F-01
 *   sw-3 ── AP-BR-1, AP-BR-2                                                     site Lake Street
 */
#include <arpa/inet.h>
#include "base/digest.h"
#include "lab.h"

uint32_t lab_hash(const char *text)
{
    uint32_t h = 2166136261u;

    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 16777619u;
    return h ^ h >> 15;
}

void lab_uuid(struct lab *lab, const char *seed, char ret[37])
{
    char hex[FT_DIGEST_HEX];

    (void)lab;
    ft_sha256_hex(seed, strlen(seed), hex);
    snprintf(ret, 37, "%.8s-%.4s-4%.3s-a%.3s-%.12s", hex, hex + 8, hex + 12, hex + 15, hex + 18);
}

const char *lab_ip(uint32_t ip, char ret[16])
{
    snprintf(ret, 16, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
    return ret;
}

bool lab_ip_parse(const char *text, uint32_t *ret)
{
    struct in_addr addr;

    if (!text || inet_pton(AF_INET, text, &addr) != 1)
        return false;
    *ret = ntohl(addr.s_addr);
    return true;
}

void lab_colons(const char *mac12, char sep, bool upper, char ret[18])
{
    for (int i = 0, o = 0; i < 12; i++) {
        if (i && i % 2 == 0)
            ret[o++] = sep;
        ret[o++] = upper && mac12[i] >= 'a' ? (char)(mac12[i] - 32) : mac12[i];
    }
    ret[17] = '\0';
}

/* ---- finding ---- */

static bool mac_is(const char *mac12, const char *text)
{
    char norm[18], mine[18];

    if (ft_mac_normalise(text, norm) < 0)
        return false;
    lab_colons(mac12, ':', false, mine);
    return strcmp(norm, mine) == 0;
}

int lab_find_ap(const struct lab *lab, const char *what)
{
    for (int i = 0; i < lab->n_aps; i++)
        if (strcmp(lab->aps[i].id, what) == 0 || strcmp(lab->aps[i].name, what) == 0 || mac_is(lab->aps[i].mac, what))
            return i;
    return -1;
}

int lab_find_switch(const struct lab *lab, const char *what)
{
    for (int i = 0; i < lab->n_switches; i++)
        if (strcmp(lab->switches[i].id, what) == 0 || strcmp(lab->switches[i].name, what) == 0 || mac_is(lab->switches[i].mac, what))
            return i;
    return -1;
}

int lab_find_client(const struct lab *lab, const char *mac)
{
    for (int i = 0; i < lab->n_clients; i++)
        if (mac_is(lab->clients[i].mac, mac))
            return i;
    return -1;
}

int lab_find_port(const struct lab_switch *sw, const char *name)
{
    for (int i = 0; i < sw->n_ports; i++)
        if (strcmp(sw->ports[i].name, name) == 0)
            return i;
    return -1;
}

struct lab_subnet *lab_subnet_of_vlan(struct lab *lab, int vlan)
{
    for (int i = 0; i < lab->n_subnets; i++)
        if (lab->subnets[i].vlan == vlan)
            return &lab->subnets[i];
    return NULL;
}

/* ---- sites, switches, access points ---- */

static void add_site(struct lab *lab, const char *name, const char *address, const char *zone, double lat, double lng)
{
    struct lab_site *site = &lab->sites[lab->n_sites++];

    site->name = name;
    site->address = address;
    site->timezone = zone;
    site->country = "DE";
    site->lat = lat;
    site->lng = lng;
    site->rrm_at = lab->wall - 7200;
    lab_uuid(lab, name, site->id);
    site->setting = json_pack("{s:s, s:s, s:s, s:f, s:f, s:b, s:b, s:b, s:i, s:[s], s:{}, s:{s:b, s:s, s:s}, s:{s:b}, s:{s:b, s:b}}",
        "id", site->id, "org_id", LAB_ORG, "site_id", site->id, "created_time", lab->wall - 8e7, "modified_time", lab->wall - 9e5,
        "for_site", 1, "config_auto_revert", 1, "persist_config_on_device", 0, "device_updown_threshold", 0,
        "dns_servers", "10.10.0.53", "vars", "auto_upgrade", "enabled", 0, "version", "stable", "day_of_week", "sun",
        "analytic", "enabled", 0, "rogue", "enabled", 1, "honeypot_enabled", 1);
}

static int add_switch(struct lab *lab, const char *name, int site, const char *mac, const char *model, const char *ip, int ports, bool vc)
{
    struct lab_switch *sw = &lab->switches[lab->n_switches];

    sw->name = name;
    sw->model = model;
    sw->ip = ip;
    sw->site = site;
    sw->serial = vc ? "FJ0324AV1001" : "HV3621AV2002";
    sw->vc = vc;
    sw->boot = -40.0 * 86400;
    sw->overrides = json_object();
    sw->n_ports = ports;
    snprintf(sw->mac, sizeof(sw->mac), "%s", mac);
    snprintf(sw->id, sizeof(sw->id), "00000000-0000-0000-1000-%s", mac);
    for (int i = 0; i < ports; i++) {
        snprintf(sw->ports[i].name, sizeof(sw->ports[i].name), "ge-0/0/%d", i);
        sw->ports[i].ap = sw->ports[i].peer = -1;
        sw->ports[i].flapped = lab->wall - 30.0 * 86400 - i * 3600;
    }
    sw->config = lab_config_new();
    return lab->n_switches++;
}

static void base_config(struct lab_switch *sw, const char *name)
{
    static const char *const lines[] = {
        "system services ssh", "system services netconf ssh", "system ntp server 10.10.0.1",
        "vlans mgmt vlan-id 10", "vlans staff vlan-id 110", "vlans guest vlan-id 120", "vlans voice vlan-id 130",
        "vlans branch vlan-id 210", "vlans parking vlan-id 999", "protocols lldp interface all", "protocols rstp interface all",
        "poe interface all",
    };
    char line[128];

    snprintf(line, sizeof(line), "system host-name %s", name);
    lab_config_line(sw->config, line);
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        lab_config_line(sw->config, lines[i]);
    snprintf(line, sizeof(line), "interfaces irb unit 10 family inet address %s/24", sw->ip);
    lab_config_line(sw->config, line);
    lab_config_line(sw->config, "vlans mgmt l3-interface irb.10");
}

static void port_line(struct lab_switch *sw, int port, const char *rest)
{
    char line[160];

    snprintf(line, sizeof(line), "interfaces %s %s", sw->ports[port].name, rest);
    lab_config_line(sw->config, line);
}

/* Trunks carry every VLAN of the site; access ports the one given. */
static void trunk_port(struct lab_switch *sw, int port, const char *description, const char *const *vlans)
{
    char text[120];

    snprintf(text, sizeof(text), "description %s", description);
    port_line(sw, port, text);
    port_line(sw, port, "native-vlan-id 10");
    port_line(sw, port, "unit 0 family ethernet-switching interface-mode trunk");
    for (; *vlans; vlans++) {
        snprintf(text, sizeof(text), "unit 0 family ethernet-switching vlan members %s", *vlans);
        port_line(sw, port, text);
    }
}

static void access_port(struct lab_switch *sw, int port, const char *vlan)
{
    char text[120];

    port_line(sw, port, "unit 0 family ethernet-switching interface-mode access");
    snprintf(text, sizeof(text), "unit 0 family ethernet-switching vlan members %s", vlan);
    port_line(sw, port, text);
}

static const char *const hq_vlans[] = { "guest", "mgmt", "staff", "voice", NULL };
static const char *const branch_vlans[] = { "branch", "mgmt", NULL };

static void link_switches(struct lab *lab, int a, int pa, int b, int pb, const char *const *vlans)
{
    struct lab_switch *x = &lab->switches[a], *y = &lab->switches[b];
    char text[64];

    x->ports[pa].peer = b;
    x->ports[pa].peer_port = y->ports[pb].name;
    y->ports[pb].peer = a;
    y->ports[pb].peer_port = x->ports[pa].name;
    snprintf(text, sizeof(text), "uplink-%s", y->name);
    trunk_port(x, pa, text, vlans);
    snprintf(text, sizeof(text), "uplink-%s", x->name);
    trunk_port(y, pb, text, vlans);
}

static void add_switches(struct lab *lab)
{
    int one = add_switch(lab, "sw-1", 0, "4c734fa00101", "EX4100-48MP", "10.10.0.2", 24, true);
    int two = add_switch(lab, "sw-2", 0, "4c734fa00202", "EX4100-F-12P", "10.10.0.3", 26, false);
    int three = add_switch(lab, "sw-3", 1, "4c734fa00303", "EX2300-24P", "10.20.0.2", 24, false);

    for (int i = 0; i < lab->n_switches; i++)
        base_config(&lab->switches[i], lab->switches[i].name);
    link_switches(lab, one, 23, two, 25, hq_vlans);
    lab->switches[one].ports[0].gateway = true;
    trunk_port(&lab->switches[one], 0, "gw-1", hq_vlans);
    lab->switches[three].ports[0].gateway = true;
    trunk_port(&lab->switches[three], 0, "gw-2", branch_vlans);
    for (int p = 2; p < 8; p++) {
        access_port(&lab->switches[one], p, "staff");
        access_port(&lab->switches[two], p, "staff");
        access_port(&lab->switches[three], p, "branch");
    }
}

static void add_ap(struct lab *lab, const char *name, const char *mac, const char *model, const char *ip, int sw, int port, int floor,
                   double x, double y)
{
    static const int channels_24[] = { 1, 6, 11 }, channels_5[] = { 36, 44, 149, 100, 60, 157 };
    int n = lab->n_aps++;
    struct lab_ap *ap = &lab->aps[n];
    struct lab_switch *s = &lab->switches[sw];
    char text[64];

    ap->name = name;
    ap->model = model;
    ap->ip = ip;
    ap->serial = "A070320071234";
    ap->site = s->site;
    ap->floor = floor;
    ap->sw = sw;
    ap->port = port;
    ap->x = x;
    ap->y = y;
    ap->boot = -21.0 * 86400 - n * 7000;
    ap->due = INFINITY;
    ap->config = json_object();
    snprintf(ap->mac, sizeof(ap->mac), "%s", mac);
    snprintf(ap->id, sizeof(ap->id), "00000000-0000-0000-1000-%s", mac);
    ap->radios[0] = (struct lab_radio){ .band = "24", .channel = channels_24[n % 3], .bandwidth = 20, .power = 11, .own_use = 4, .other_use = 14 };
    ap->radios[1] = (struct lab_radio){ .band = "5", .channel = channels_5[n % 6], .bandwidth = 40, .power = 17, .own_use = 5, .other_use = 8 };
    ap->radios[2] = (struct lab_radio){ .band = "6", .channel = 37, .bandwidth = 80, .power = 17, .own_use = 1, .other_use = 1 };
    s->ports[port].ap = n;
    snprintf(text, sizeof(text), "ap-%s", name);
    trunk_port(s, port, text, ap->site == 0 ? hq_vlans : branch_vlans);
}

static void add_wlan(struct lab *lab, const char *ssid, int site, int vlan, bool dot1x)
{
    struct lab_wlan *wlan = &lab->wlans[lab->n_wlans++];
    char vlan_text[8];

    wlan->ssid = ssid;
    wlan->site = site;
    wlan->vlan = vlan;
    wlan->dot1x = dot1x;
    lab_uuid(lab, ssid, wlan->id);
    snprintf(vlan_text, sizeof(vlan_text), "%d", vlan);
    wlan->object = json_pack("{s:s, s:s, s:b, s:b, s:s, s:i, s:[ss], s:s, s:s, s:s, s:b, s:b, s:i, s:f, s:f}",
        "id", wlan->id, "ssid", ssid, "enabled", 1, "vlan_enabled", 1, "interface", "all", "vlan_id", vlan, "bands", "24", "5",
        "org_id", LAB_ORG, "site_id", lab->sites[site].id, "roam_mode", "11r", "hide_ssid", 0, "isolation", 0, "max_idletime", 1800,
        "created_time", lab->wall - 7e7, "modified_time", lab->wall - 2e6);
    json_object_set_new(wlan->object, "auth", dot1x
        ? json_pack("{s:s, s:b}", "type", "eap", "enable_mac_auth", 0)
        : json_pack("{s:s, s:s, s:[s]}", "type", "psk", "psk", "lab-guest-key", "pairwise", "wpa2-ccmp"));
    if (dot1x)
        json_object_set_new(wlan->object, "auth_servers",
                            json_pack("[{s:s, s:i, s:s}]", "host", "10.10.0.21", "port", 1812, "secret", "********"));
}

/* ---- clients ---- */

static const struct { const char *family, *model, *os, *vendor, *proto; } kinds[] = {
    { "MacBook", "MBP 14\" 2023", "Sonoma", "Apple", "ax" },
    { "ThinkPad", "T14 Gen 4", "Windows 11", "Intel", "ax" },
    { "iPhone", "iPhone 15", "iOS 17.5", "Apple", "ax" },
    { "Galaxy", "Galaxy S23", "Android 14", "Samsung", "ac" },
    { "Latitude", "Latitude 5440", "Windows 10", "Intel", "ac" },
};

int lab_add_client(struct lab *lab, const char *mac, const char *hostname, int wlan, int ap)
{
    int n = lab->n_clients++;
    struct lab_client *c = &lab->clients[n];
    uint32_t h = lab_hash(mac);
    size_t kind = h % ARRAY_LEN(kinds);

    *c = (struct lab_client){ .family = kinds[kind].family, .model = kinds[kind].model, .os = kinds[kind].os, .vendor = kinds[kind].vendor,
        .proto = kinds[kind].proto, .site = lab->wlans[wlan].site, .wlan = wlan, .own_ap = ap, .stuck = -1, .ap = -1, .band = 1,
        .due = INFINITY, .floor = lab->aps[ap].floor };
    snprintf(c->mac, sizeof(c->mac), "%s", mac);
    snprintf(c->hostname, sizeof(c->hostname), "%s", hostname);
    if (lab->wlans[wlan].dot1x)
        snprintf(c->user, sizeof(c->user), "user%02d@corp.example", n);
    c->x = lab->aps[ap].x + (double)(h >> 8 & 15) - 7.5;
    c->y = lab->aps[ap].y + (double)(h >> 12 & 7) - 3.5;
    return n;
}

static void add_clients(struct lab *lab)
{
    static const struct { int wlan, ap, count; } groups[] = { { 0, 0, 5 }, { 0, 1, 8 }, { 0, 2, 6 }, { 0, 3, 5 }, { 1, 1, 3 }, { 1, 3, 4 }, { 2, 4, 5 }, { 2, 5, 4 } };
    char mac[13], name[32];
    int n = lab_add_client(lab, LAB_TROUBLED, "lt-0412", 0, 1);
    struct lab_client *c = &lab->clients[n];

    c->family = "MacBook", c->model = "MBP 14\" 2023", c->os = "Sonoma", c->vendor = "Apple", c->proto = "ax";
    c->x = 38, c->y = 14;
    snprintf(c->user, sizeof(c->user), "j.doe@corp.example");
    lab->troubled = n;
    for (size_t g = 0; g < ARRAY_LEN(groups); g++)
        for (int i = 0; i < groups[g].count; i++) {
            snprintf(mac, sizeof(mac), "3c22fb%02x%02x%02x", (unsigned)g & 255, ((unsigned)i * 7 + 16) & 255, (0x5au ^ (unsigned)i) & 255);
            snprintf(name, sizeof(name), "%s-%02d%02d", groups[g].wlan == 1 ? "phone" : "lt", (int)g + 10, i);
            lab_add_client(lab, mac, name, groups[g].wlan, groups[g].ap);
        }
}

/* ---- addresses ---- */

static void add_subnet(struct lab *lab, int vlan, int site, const char *net, int prefix, const char *first, const char *last)
{
    struct lab_subnet *s = &lab->subnets[lab->n_subnets++];

    s->id = lab->n_subnets;
    s->vlan = vlan;
    s->site = site;
    s->prefix = prefix;
    lab_ip_parse(net, &s->net);
    lab_ip_parse(first, &s->first);
    lab_ip_parse(last, &s->last);
}

/* Wired machines and phones, which renew their leases like everybody; and a few that went away lately. */
static void add_wired_leases(struct lab *lab, struct lab_subnet *s, int live, int gone)
{
    char hw[18], name[40];

    for (int i = 0; i < live + gone; i++) {
        uint32_t ip = s->first + 20 + (uint32_t)i;

        snprintf(hw, sizeof(hw), "00:1b:21:%02x:%02x:%02x", s->id & 255, (i >> 4) & 255, (i * 29) & 255);
        snprintf(name, sizeof(name), "pc-%d%03d", s->id, i);
        lab_lease_add(lab, s, ip, hw, name, i < live ? 600 : 9 * 3600 + i * 977.0)->live = i < live;
    }
}

/* Everybody is at work already: no events, an association some time ago, an address. */
static void settle_client(struct lab *lab, int n)
{
    struct lab_client *c = &lab->clients[n];
    double ago = 1800 + (double)(lab_hash(c->mac) % 14000);
    struct lab_subnet *s = lab_subnet_of_vlan(lab, lab->wlans[c->wlan].vlan);
    char hw[18];

    c->ap = c->own_ap;
    c->state = CLIENT_UP;
    c->joins = 1;
    c->joined = lab->now - ago;
    c->joined_wall = c->seen = lab->wall - ago;
    c->ip = lab_free_address(lab, s);
    lab_colons(c->mac, ':', false, hw);
    lab_lease_add(lab, s, c->ip, hw, c->hostname, 600)->live = true;
    if (lab->wlans[c->wlan].dot1x) {
        double wall = lab->wall;

        lab->wall = c->joined_wall;                  /* ISE's record says when it was */
        lab_ise_authenticate(lab, c);
        lab->wall = wall;
    }
}

void lab_network_build(struct lab *lab)
{
    lab->wan_ms = 14;
    lab->bounce_cuts_poe = true;
    lab->client_events = json_array();
    lab->device_events = json_array();
    lab->rrm_events = json_array();
    lab->sessions = json_array();
    lab->alarms = json_array();
    lab->audit = json_array();
    lab->synthetic = json_object();
    lab->mist = json_object();
    lab->hooks = json_array();
    lab->faults = json_array();
    add_site(lab, "HQ", "Marktplatz 1, Hamburg", "Europe/Berlin", 53.5511, 9.9937);
    add_site(lab, "Lake Street", "Seestrasse 12, Kiel", "Europe/Berlin", 54.3233, 10.1228);
    add_switches(lab);
    add_ap(lab, "AP-3F-11", "d420b0a01101", "AP43", "10.10.0.111", 1, 11, 3, 10, 10);
    add_ap(lab, "AP-3F-12", "d420b0a01202", "AP43", "10.10.0.112", 1, 12, 3, 34, 10);
    add_ap(lab, "AP-3F-13", "d420b0a01303", "AP43", "10.10.0.113", 1, 13, 3, 58, 10);
    add_ap(lab, "AP-2F-01", "d420b0a02104", "AP45", "10.10.0.101", 0, 1, 2, 34, 10);
    add_ap(lab, "AP-BR-1", "d420b0a03105", "AP33", "10.20.0.101", 2, 10, 0, 10, 10);
    add_ap(lab, "AP-BR-2", "d420b0a03206", "AP33", "10.20.0.102", 2, 11, 0, 34, 10);
    add_wlan(lab, "Staff", 0, 110, true);
    add_wlan(lab, "Guest", 0, 120, false);
    add_wlan(lab, "Branch", 1, 210, true);
    add_subnet(lab, 110, 0, "10.11.0.0", 24, "10.11.0.10", "10.11.0.250");
    add_subnet(lab, 120, 0, "10.12.0.0", 23, "10.12.0.10", "10.12.1.250");
    add_subnet(lab, 10, 0, "10.10.0.0", 24, "10.10.0.100", "10.10.0.199");
    add_subnet(lab, 210, 1, "10.21.0.0", 24, "10.21.0.10", "10.21.0.200");
    add_clients(lab);
    lab_kea_init(lab);
    lab_ise_init(lab);
    lab_snow_init(lab);
    lab_jira_init(lab);
    lab_mist_config_init(lab);
    lab_mist_tools_init(lab);
    add_wired_leases(lab, &lab->subnets[0], 80, 4);
    add_wired_leases(lab, &lab->subnets[3], 20, 2);
    for (int i = 0; i < lab->n_clients; i++)
        settle_client(lab, i);
    for (int i = 0; i < lab->n_switches; i++)
        for (int p = 0; p < lab->switches[i].n_ports; p++)
            lab->switches[i].ports[p].was_up = lab_port_up(lab, i, p);
}

void lab_network_free(struct lab *lab)
{
    json_t *all[] = { lab->client_events, lab->device_events, lab->rrm_events, lab->sessions, lab->alarms, lab->audit, lab->auths,
        lab->endpoints, lab->groups, lab->anc, lab->ise, lab->tables, lab->kea_config, lab->kea_reservations, lab->kea_stats, lab->wapi_ranges, lab->wapi_pages,
        lab->synthetic, lab->mist, lab->hooks, lab->faults, lab->writes };

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        json_decref(all[i]);
    for (int i = 0; i < lab->n_sites; i++)
        json_decref(lab->sites[i].setting);
    for (int i = 0; i < lab->n_switches; i++) {
        json_decref(lab->switches[i].overrides);
        json_decref(lab->switches[i].pushed);
        lab_config_free(lab->switches[i].config);
    }
    for (int i = 0; i < lab->n_aps; i++)
        json_decref(lab->aps[i].config);
    for (int i = 0; i < lab->n_wlans; i++)
        json_decref(lab->wlans[i].object);
    for (int i = 0; i < lab->n_subnets; i++)
        free(lab->subnets[i].leases);
}
