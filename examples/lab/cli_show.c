/* cli_show.c: what `show …` says on a switch, as text and as `| display json`, in which Junos wraps every leaf: [{"data": "up"}]. */
#include <time.h>
#include "lab.h"

struct show { struct lab *lab; int sw; const struct lab_switch *s; const char *arg; bool json; struct ft_buf *out; };

/* ---- helpers ---- */

static void leaf(json_t *o, const char *key, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void leaf(json_t *o, const char *key, const char *fmt, ...)
{
    char text[300];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    json_object_set_new(o, key, json_pack("[{s:s}]", "data", text));
}

static void attribute(json_t *o, const char *key, const char *name, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
static void attribute(json_t *o, const char *key, const char *name, const char *fmt, ...)
{
    json_t *first = json_array_get(json_object_get(o, key), 0);
    char text[100];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    json_object_set_new(first, "attributes", json_pack("{s:s}", name, text));
}

/* {"outer": [{"attributes": {…}, "inner": list}]} */
static void print_json(const struct show *v, json_t *root)
{
    char *text = json_dumps(root, JSON_INDENT(4));

    ft_buf_addf(v->out, "%s\n", text);
    free(text);
    json_decref(root);
}

static void wrap(const struct show *v, const char *outer, const char *inner, json_t *list)
{
    print_json(v, json_pack("{s:[{s:{s:s}, s:o}]}", outer, "attributes", "xmlns", "http://xml.juniper.net/junos/22.4R0/junos", inner, list));
}

static void when_text(double wall, char *ret, size_t len)
{
    time_t secs = (time_t)wall;
    struct tm tm;

    gmtime_r(&secs, &tm);
    strftime(ret, len, "%Y-%m-%d %H:%M:%S UTC", &tm);
}

static void ago_text(double seconds, char *ret, size_t len)
{
    int s = (int)seconds, days = s / 86400;

    if (days >= 7)
        snprintf(ret, len, "%dw%dd %02d:%02d ago", days / 7, days % 7, s / 3600 % 24, s / 60 % 60);
    else if (days)
        snprintf(ret, len, "%dd %02d:%02d ago", days, s / 3600 % 24, s / 60 % 60);
    else
        snprintf(ret, len, "%02d:%02d:%02d ago", s / 3600, s / 60 % 60, s % 60);
}

static bool no_port(const struct show *v, const char *name)
{
    char port[40];

    snprintf(port, sizeof(port), "%.*s", (int)strcspn(name, ". "), name);
    if (lab_find_port(v->s, port) >= 0)
        return false;
    ft_buf_addf(v->out, "error: device %s not found\n", port);
    return true;
}

static bool is_wanted(const struct show *v, int port)
{
    size_t n = strlen(v->s->ports[port].name);

    return !*v->arg || (strncmp(v->arg, v->s->ports[port].name, n) == 0 && strchr(". ", v->arg[n]));
}

static bool port_off(const struct show *v, int port)
{
    return lab_config_has(v->s->config, "interfaces %s disable", v->s->ports[port].name);
}

static void port_mac(const struct show *v, int port, char ret[18])
{
    char mac[13];

    snprintf(mac, sizeof(mac), "%.10s%02x", v->s->mac, ((unsigned)port + 3) & 255);
    lab_colons(mac, ':', false, ret);
}

/* Operational output shows it without the quotes of the configuration. */
static const char *description(const struct show *v, int port)
{
    static char text[256];
    const char *value;
    char prefix[64];
    size_t len;

    snprintf(prefix, sizeof(prefix), "interfaces %s description", v->s->ports[port].name);
    value = lab_config_value(v->s->config, prefix);
    len = value ? strlen(value) : 0;
    if (len < 2 || value[0] != '"' || value[len - 1] != '"')
        return value;
    snprintf(text, sizeof(text), "%.*s", (int)len - 2, value + 1);
    return text;
}

/* ---- interfaces ---- */

static json_t *physical(const struct show *v, int port, bool extensive)
{
    const struct lab_port *p = &v->s->ports[port];
    bool up = lab_port_up(v->lab, v->sw, port);
    json_t *o = json_object(), *unit = json_object(), *errors = json_object();
    char mac[18], when[40], ago[40];

    leaf(o, "name", "%s", p->name);
    leaf(o, "admin-status", "%s", port_off(v, port) ? "down" : "up");
    leaf(o, "oper-status", "%s", up ? "up" : "down");
    if (description(v, port))
        leaf(o, "description", "%s", description(v, port));
    if (extensive) {
        port_mac(v, port, mac);
        when_text(p->flapped, when, sizeof(when));
        ago_text(v->lab->wall - p->flapped, ago, sizeof(ago));
        leaf(o, "mtu", "1514");
        leaf(o, "speed", "%s", up ? "1000mbps" : "Auto");
        leaf(o, "link-mode", "Full-duplex");
        leaf(o, "current-physical-address", "%s", mac);
        leaf(o, "hardware-physical-address", "%s", mac);
        leaf(o, "interface-flapped", "%s (%s)", when, ago);
        attribute(o, "interface-flapped", "junos:seconds", "%.0f", v->lab->wall - p->flapped);
        leaf(errors, "input-errors", "0");
        leaf(errors, "framing-errors", "0");
        json_object_set_new(o, "input-error-list", json_pack("[o]", errors));
        errors = json_object();
        leaf(errors, "output-errors", "0");
        leaf(errors, "carrier-transitions", "%d", up ? 3 : 4);
        json_object_set_new(o, "output-error-list", json_pack("[O]", errors));
    }
    leaf(unit, "name", "%s.0", p->name);
    leaf(unit, "admin-status", "up");
    leaf(unit, "oper-status", "%s", up ? "up" : "down");
    json_object_set_new(unit, "address-family", json_pack("[{s:[{s:s}]}]", "address-family-name", "data", "eth-switch"));
    json_object_set_new(o, "logical-interface", json_pack("[o]", unit));
    json_decref(errors);
    return o;
}

static void interfaces_json(const struct show *v, bool terse)
{
    json_t *list = json_array();

    for (int p = 0; p < v->s->n_ports; p++)
        if (is_wanted(v, p))
            json_array_append_new(list, physical(v, p, !terse));
    wrap(v, "interface-information", "physical-interface", list);
}

static void interface_text(const struct show *v, int port)
{
    const struct lab_port *p = &v->s->ports[port];
    bool up = lab_port_up(v->lab, v->sw, port), off = port_off(v, port);
    char mac[18], when[40], ago[40];

    port_mac(v, port, mac);
    when_text(p->flapped, when, sizeof(when));
    ago_text(v->lab->wall - p->flapped, ago, sizeof(ago));
    ft_buf_addf(v->out, "Physical interface: %s, %s, Physical link is %s\n  Interface index: %d, SNMP ifIndex: %d\n", p->name,
                off ? "Administratively down" : "Enabled", up ? "Up" : "Down", 640 + port, 510 + port);
    if (description(v, port))
        ft_buf_addf(v->out, "  Description: %s\n", description(v, port));
    ft_buf_addf(v->out, "  Link-level type: Ethernet, MTU: 1514, LAN-PHY mode, Speed: %s, BPDU Error: None, Loop Detect PDU Error: None,\n"
                "  Ethernet-Switching Error: None, MAC-REWRITE Error: None, Loopback: Disabled, Source filtering: Disabled,\n"
                "  Flow control: Disabled, Auto-negotiation: Enabled, Remote fault: Online, Media type: Copper\n"
                "  Device flags   : Present Running%s\n  Interface flags: SNMP-Traps Internal: 0x0\n  Link flags     : None\n"
                "  CoS queues     : 12 supported, 12 maximum usable queues\n", up ? "1000mbps" : "Auto", up ? "" : " Down");
    ft_buf_addf(v->out, "  Current address: %s, Hardware address: %s\n  Last flapped   : %s (%s)\n  Input rate     : %d bps (%d pps)\n"
                "  Output rate    : %d bps (%d pps)\n  Active alarms  : %s\n  Active defects : %s\n\n", mac, mac, when, ago, up ? 18400 : 0, up ? 9 : 0,
                up ? 41200 : 0, up ? 17 : 0, up ? "None" : "LINK", up ? "None" : "LINK");
    ft_buf_addf(v->out, "  Logical interface %s.0 (Index %d) (SNMP ifIndex %d)\n    Flags: %sSNMP-Traps 0x24024000 Encapsulation: Ethernet-Bridge\n"
                "    Input packets : %d\n    Output packets: %d\n    Protocol eth-switch, MTU: 1514\n", p->name, 330 + port, 530 + port,
                up ? "Up " : "Device-Down ", 12439 + port, 25520 + port);
}

static void interfaces_terse(const struct show *v)
{
    ft_buf_adds(v->out, "Interface               Admin Link Proto    Local                 Remote\n");
    for (int p = 0; p < v->s->n_ports; p++) {
        const char *admin = port_off(v, p) ? "down" : "up", *link = lab_port_up(v->lab, v->sw, p) ? "up" : "down";

        if (is_wanted(v, p))
            ft_buf_addf(v->out, "%-23s %-5s %s\n%s.0%*s %-5s %-4s eth-switch\n", v->s->ports[p].name, admin, link, v->s->ports[p].name,
                        21 - (int)strlen(v->s->ports[p].name), "", "up", link);
    }
}

static void interfaces_descriptions(const struct show *v)
{
    ft_buf_adds(v->out, "Interface       Admin Link Description\n");
    for (int p = 0; p < v->s->n_ports; p++)
        if (description(v, p))
            ft_buf_addf(v->out, "%-15s %-5s %-4s %s\n", v->s->ports[p].name, port_off(v, p) ? "down" : "up",
                        lab_port_up(v->lab, v->sw, p) ? "up" : "down", description(v, p));
}

static bool ends_in(const char *text, const char *word)
{
    size_t n = strlen(text), m = strlen(word);

    return n >= m && strcmp(text + n - m, word) == 0 && (n == m || text[n - m - 1] == ' ');
}

static int show_interfaces(struct show *v)
{
    static const char *const forms[] = { "terse", "extensive", "brief", "detail", "descriptions", "media" };
    static char arg[64];
    const char *form = "";

    snprintf(arg, sizeof(arg), "%s", v->arg);
    for (size_t i = 0; i < ARRAY_LEN(forms); i++)
        if (ends_in(arg, forms[i]) || strncmp(arg, forms[i], strlen(forms[i])) == 0) {
            form = forms[i];
            if (strcmp(arg, form) == 0)
                arg[0] = '\0';
            else if (ends_in(arg, form))
                arg[strlen(arg) - strlen(form) - 1] = '\0';
            else
                memmove(arg, arg + strlen(form) + 1, strlen(arg) - strlen(form));
        }
    v->arg = arg;
    if (*arg && no_port(v, arg))
        return -EINVAL;
    if (v->json)
        interfaces_json(v, strcmp(form, "terse") == 0);
    else if (strcmp(form, "terse") == 0)
        interfaces_terse(v);
    else if (strcmp(form, "descriptions") == 0)
        interfaces_descriptions(v);
    else
        for (int p = 0; p < v->s->n_ports; p++)
            if (is_wanted(v, p))
                interface_text(v, p);
    return 0;
}

/* ---- MAC table ---- */

struct macs { const struct show *v; json_t *list; int count; struct ft_buf text; };

static const char *vlan_name(int vlan)
{
    switch (vlan) {
    case 10: return "mgmt";
    case 110: return "staff";
    case 120: return "guest";
    case 210: return "branch";
    default: return "default";
    }
}

static void add_mac(struct macs *m, const char *mac12, int vlan, int port)
{
    char mac[18];
    json_t *o = json_object();

    lab_colons(mac12, ':', false, mac);
    leaf(o, "l2ng-l2-mac-vlan-name", "%s", vlan_name(vlan));
    leaf(o, "l2ng-l2-mac-address", "%s", mac);
    leaf(o, "l2ng-l2-mac-flags", "D");
    leaf(o, "l2ng-l2-mac-age", "-");
    leaf(o, "l2ng-l2-mac-logical-interface", "%s.0", m->v->s->ports[port].name);
    leaf(o, "l2ng-l2-mac-fwd-next-hop", "0");
    leaf(o, "l2ng-l2-mac-rtr-id", "0");
    json_array_append_new(m->list, o);
    ft_buf_addf(&m->text, "    %-19s %-19s %-12s %3s   %s.0%*s %d         %d\n", vlan_name(vlan), mac, "D", "-", m->v->s->ports[port].name,
                20 - (int)strlen(m->v->s->ports[port].name), "", 0, 0);
    m->count++;
}

static void collect_macs(struct macs *m)
{
    struct lab *lab = m->v->lab;

    for (int i = 0; i < lab->n_aps; i++) {
        const struct lab_ap *ap = &lab->aps[i];

        if (ap->sw != m->v->sw || ap->state != AP_UP)
            continue;
        add_mac(m, ap->mac, 10, ap->port);
        for (int c = 0; c < lab->n_clients; c++)
            if (lab_associated(&lab->clients[c]) && lab->clients[c].ap == i && lab_vlan_reaches(lab, i, lab->wlans[lab->clients[c].wlan].vlan))
                add_mac(m, lab->clients[c].mac, lab->wlans[lab->clients[c].wlan].vlan, ap->port);
    }
}

static int show_macs(struct show *v)
{
    struct macs m = { .v = v, .list = json_array(), .text = FT_BUF_INIT(0) };

    collect_macs(&m);
    if (v->json) {
        json_t *vlan = json_object();

        leaf(vlan, "mac-count-global", "%d", m.count);
        leaf(vlan, "learnt-mac-count", "%d", m.count);
        leaf(vlan, "l2ng-l2-mac-routing-instance", "default-switch");
        json_object_set_new(vlan, "l2ng-mac-entry", m.list);
        wrap(v, "l2ng-l2ald-rtb-macdb", "l2ng-l2ald-mac-entry-vlan", json_pack("[o]", vlan));
    } else {
        ft_buf_addf(v->out, "\nMAC flags (S - static MAC, D - dynamic MAC, L - locally learned, P - Persistent static\n"
                    "           SE - statistics enabled, NM - non configured MAC, R - remote PE MAC, O - ovsdb MAC)\n\n\n"
                    "Ethernet switching table : %d entries, %d learned\nRouting instance : default-switch\n"
                    "    Vlan                MAC                 MAC         Age    Logical                NH        RTR\n"
                    "    name                address             flags              interface              Index     ID\n%s", m.count, m.count,
                    ft_buf_str(&m.text));
        json_decref(m.list);
    }
    ft_buf_done(&m.text);
    return 0;
}

/* ---- LLDP ---- */

static json_t *neighbor(const struct show *v, int port, bool detail)
{
    const struct lab_port *p = &v->s->ports[port];
    const struct lab_ap *ap = p->ap >= 0 ? &v->lab->aps[p->ap] : NULL;
    const struct lab_switch *peer = p->peer >= 0 ? &v->lab->switches[p->peer] : NULL;
    char chassis[18];
    json_t *o;

    if (!lab_port_up(v->lab, v->sw, port) || (!ap && !peer && !p->gateway) || (ap && ap->state != AP_UP && ap->state != AP_CUT_OFF))
        return NULL;
    lab_colons(ap ? ap->mac : peer ? peer->mac : "4c734fa0ff01", ':', false, chassis);
    o = json_object();
    leaf(o, "lldp-local-port-id", "%s", p->name);
    leaf(o, "lldp-local-parent-interface-name", "-");
    leaf(o, "lldp-remote-chassis-id-subtype", "Mac address");
    leaf(o, "lldp-remote-chassis-id", "%s", chassis);
    leaf(o, "lldp-remote-port-description", "%s", ap ? "ETH0" : peer ? p->peer_port : "ge-0/0/1");
    leaf(o, "lldp-remote-system-name", "%s", ap ? ap->name : peer ? peer->name : "gw-1");
    if (detail) {
        leaf(o, "lldp-remote-port-id", "%s", ap ? "ETH0" : peer ? p->peer_port : "ge-0/0/1");
        leaf(o, "lldp-remote-system-capabilities-supported", "%s", ap ? "Bridge WLAN Access Point" : "Bridge Router");
        leaf(o, "lldp-remote-system-capabilities-enabled", "%s", ap ? "Bridge WLAN Access Point" : "Bridge Router");
        leaf(o, "lldp-remote-management-address", "%s", ap ? ap->ip : peer ? peer->ip : "10.10.0.1");
    }
    return o;
}

static const char *data_of(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(json_array_get(json_object_get(o, key), 0), "data"));
}

static int show_lldp(struct show *v)
{
    const char *interface = strncmp(v->arg, "interface ", 10) == 0 ? v->arg + 10 : NULL;
    json_t *list = json_array(), *o;
    size_t i;

    if (interface)
        v->arg = interface;
    if (interface && no_port(v, interface)) {
        json_decref(list);
        return -EINVAL;
    }
    for (int p = 0; p < v->s->n_ports; p++)
        if (is_wanted(v, p) && (o = neighbor(v, p, interface)))
            json_array_append_new(list, o);
    if (v->json) {
        wrap(v, "lldp-neighbors-information", "lldp-neighbor-information", list);
        return 0;
    }
    if (!interface)
        ft_buf_adds(v->out, "Local Interface    Parent Interface    Chassis Id          Port info          System Name\n");
    json_array_foreach(list, i, o) {
        if (!interface)
            ft_buf_addf(v->out, "%-18s %-19s %-19s %-18s %s\n", data_of(o, "lldp-local-port-id"), "-", data_of(o, "lldp-remote-chassis-id"),
                        data_of(o, "lldp-remote-port-description"), data_of(o, "lldp-remote-system-name"));
        else
            ft_buf_addf(v->out, "LLDP Neighbor Information:\nLocal Information:\nIndex: 1 Time to live: 120\nLocal Interface    : %s\nParent Interface   : -\n"
                        "Local Port ID      : %s\n\nNeighbour Information:\nChassis type       : Mac address\nChassis ID         : %s\nPort description   : %s\n"
                        "System name        : %s\n\nSystem capabilities\n        Supported: %s\n        Enabled  : %s\n", data_of(o, "lldp-local-port-id"),
                        data_of(o, "lldp-local-port-id"), data_of(o, "lldp-remote-chassis-id"), data_of(o, "lldp-remote-port-description"),
                        data_of(o, "lldp-remote-system-name"), data_of(o, "lldp-remote-system-capabilities-supported"),
                        data_of(o, "lldp-remote-system-capabilities-enabled"));
    }
    json_decref(list);
    return 0;
}

/* ---- PoE ---- */

static bool has_poe(const struct show *v, int port)
{
    return port < 24 && (lab_config_has(v->s->config, "poe interface all") || lab_config_has(v->s->config, "poe interface %s", v->s->ports[port].name));
}

static int show_poe(struct show *v)
{
    json_t *list = json_array();

    if (*v->arg && no_port(v, v->arg)) {
        json_decref(list);
        return -EINVAL;
    }
    if (!v->json && !*v->arg)
        ft_buf_adds(v->out, "Interface    Admin       Oper    Max        Priority       Power          Class\n"
                    "             status      status  power                     consumption\n");
    for (int p = 0; p < v->s->n_ports; p++) {
        bool off = lab_config_has(v->s->config, "poe interface %s disable", v->s->ports[p].name);
        bool on = v->s->ports[p].ap >= 0 && lab_port_powers(v->lab, v->sw, p);
        const char *detail = *v->arg ? "-detail" : "", *name = v->s->ports[p].name, *enabled = off ? "Disabled" : "Enabled", *status = on ? "ON" : off ? "Disabled" : "OFF";
        json_t *o;
        char key[64];

        if (!is_wanted(v, p) || !has_poe(v, p))
            continue;
        if (!v->json && *v->arg)
            ft_buf_addf(v->out, "PoE interface status:\nPoE interface                :  %s\nAdministrative status        :  %s\nOperational status           :  %s\n"
                        "Power limit on the interface :  25.5W\nPriority                     :  Low\nPower consumed               :  %s\n"
                        "Class of power device        :  %s\nPoE Mode                     :  802.3at\n", name, enabled, status, on ? "11.2W" : "0.0W",
                        on ? "4" : "not-applicable");
        else if (!v->json)
            ft_buf_addf(v->out, "%-12s %-11s %-7s %-10s %-14s %5s          %s\n", name, enabled, status, "25.5W", "Low", on ? "11.2W" : "0.0W", on ? "4" : "not-applicable");
        o = json_object();
#define POE(leaf_name, value) (snprintf(key, sizeof(key), "interface-%s%s", leaf_name, detail), leaf(o, key, "%s", value))
        POE("name", name);
        POE("enabled", enabled);
        POE("status", status);
        POE("power-limit", "25.5W");
        POE("priority", "Low");
        POE("power", on ? "11.2W" : "0.0W");
        POE("class", on ? "4" : "not-applicable");
#undef POE
        json_array_append_new(list, o);
    }
    if (v->json)
        print_json(v, json_pack("{s:[{s:o}]}", "poe", *v->arg ? "interface-information-detail" : "interface-information", list));
    else
        json_decref(list);
    return 0;
}

/* ---- VLANs ---- */

static void vlan_line(void *arg, const char *rest)
{
    struct show *v = arg;
    char name[64], id[16];

    if (sscanf(rest, "%63s vlan-id %15s", name, id) != 2)
        return;
    ft_buf_addf(v->out, "\ndefault-switch          %-16s%-8s\n", name, id);
    for (int p = 0; p < v->s->n_ports; p++)
        if (lab_config_has(v->s->config, "interfaces %s unit 0 family ethernet-switching vlan members %s", v->s->ports[p].name, name)
            || lab_config_has(v->s->config, "interfaces %s unit 0 family ethernet-switching vlan members %s", v->s->ports[p].name, id))
            ft_buf_addf(v->out, "%56s%s.0%s\n", "", v->s->ports[p].name, lab_port_up(v->lab, v->sw, p) ? "*" : "");
}

static void vlan_json(void *arg, const char *rest)
{
    json_t *list = arg, *o;
    char name[64], id[16];

    if (sscanf(rest, "%63s vlan-id %15s", name, id) != 2)
        return;
    o = json_object();
    leaf(o, "l2ng-l2rtb-name", "default-switch");
    leaf(o, "l2ng-l2rtb-vlan-name", "%s", name);
    leaf(o, "l2ng-l2rtb-vlan-tag", "%s", id);
    json_array_append_new(list, o);
}

static int show_vlans(struct show *v)
{
    json_t *list;

    if (v->json) {
        list = json_array();
        lab_config_each(v->s->config, "vlans", vlan_json, list);
        wrap(v, "l2ng-l2ald-vlan-instance-information", "l2ng-l2ald-vlan-instance-group", list);
        return 0;
    }
    ft_buf_adds(v->out, "\nRouting instance        VLAN name             Tag          Interfaces\n");
    lab_config_each(v->s->config, "vlans", vlan_line, v);
    return 0;
}

/* ---- the switch itself ---- */

static json_t *software(const struct show *v)
{
    json_t *o = json_object();
    char model[32];

    snprintf(model, sizeof(model), "%s", v->s->model);
    for (char *p = model; *p; p++)
        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
    leaf(o, "host-name", "%s", v->s->name);
    leaf(o, "product-model", "%s", model);
    leaf(o, "product-name", "%s", model);
    leaf(o, "junos-version", "22.4R3.25");
    json_object_set_new(o, "package-information", json_pack("[{s:[{s:s}], s:[{s:s}]}]", "name", "data", "os-kernel", "comment", "data",
                                                            "JUNOS OS Kernel 64-bit  [20240117.6e8ecd9_builder_stable_12_224]"));
    return o;
}

static int show_version(struct show *v)
{
    json_t *one = software(v);

    if (v->json && v->s->vc) {
        print_json(v, json_pack("{s:[{s:[{s:[{s:s}], s:[O]}, {s:[{s:s}], s:[O]}]}]}", "multi-routing-engine-results", "multi-routing-engine-item",
            "re-name", "data", "fpc0", "software-information", one, "re-name", "data", "fpc1", "software-information", one));
    } else if (v->json) {
        print_json(v, json_pack("{s:[O]}", "software-information", one));
    } else {
        for (int m = 0; m < (v->s->vc ? 2 : 1); m++) {
            if (v->s->vc)
                ft_buf_addf(v->out, "fpc%d:\n--------------------------------------------------------------------------\n", m);
            ft_buf_addf(v->out, "Hostname: %s\nModel: %s\nJunos: 22.4R3.25\nJUNOS OS Kernel 64-bit  [20240117.6e8ecd9_builder_stable_12_224]\n%s", v->s->name,
                        data_of(one, "product-model"), v->s->vc && m == 0 ? "\n" : "");
        }
    }
    json_decref(one);
    return 0;
}

static int show_uptime(struct show *v)
{
    double up = v->lab->now - v->s->boot;
    char now[40], booted[40], ago[40];
    json_t *o, *b;

    when_text(v->lab->wall, now, sizeof(now));
    when_text(v->lab->wall - up, booted, sizeof(booted));
    ago_text(up, ago, sizeof(ago));
    if (!v->json) {
        ft_buf_addf(v->out, "Current time: %s\nTime Source:  NTP CLOCK \nSystem booted: %s (%s)\nProtocols started: %s (%s)\n", now, booted, ago, booted, ago);
        return 0;
    }
    b = json_object();
    leaf(b, "date-time", "%s", booted);
    leaf(b, "time-length", "%s", ago);
    attribute(b, "time-length", "junos:seconds", "%.0f", up);
    o = json_pack("{s:[o]}", "system-booted-time", b);
    print_json(v, json_pack("{s:[o]}", "system-uptime-information", o));
    return 0;
}

static int show_alarms(struct show *v)
{
    ft_buf_adds(v->out, v->json ? "{\n    \"alarm-information\" : [{\"alarm-summary\" : [{\"no-active-alarms\" : [{\"data\" : [null]}]}]}]\n}\n" : "No alarms currently active\n");
    return 0;
}

static int show_virtual_chassis(struct show *v)
{
    if (!v->s->vc) {
        ft_buf_adds(v->out, "error: this platform is no member of a virtual chassis\n");
        return -EINVAL;
    }
    ft_buf_addf(v->out, "\nVirtual Chassis ID: 3a6c.1f2e.77d0\nVirtual Chassis Mode: Enabled\n%48sMstr\nMember ID  Status   Serial No    Model          prio  Role\n"
                "0 (FPC 0)  Prsnt    %s %-14s 128   Master*\n1 (FPC 1)  Prsnt    FJ0324AV1002 %-14s 128   Backup\n", "", v->s->serial, v->s->model, v->s->model);
    return 0;
}

static int show_log(struct show *v)
{
    json_t *event;
    size_t i;
    char when[32];

    json_array_foreach(v->lab->device_events, i, event) {
        time_t secs = (time_t)json_number_value(json_object_get(event, "timestamp"));
        const char *port = json_string_value(json_object_get(event, "port_id"));
        struct tm tm;

        if (!port || !ft_streq(json_string_value(json_object_get(event, "mac")), v->s->mac))
            continue;
        gmtime_r(&secs, &tm);
        strftime(when, sizeof(when), "%b %e %H:%M:%S", &tm);
        ft_buf_addf(v->out, "%s  %s mib2d[10234]: SNMP_TRAP_LINK_%s: ifIndex 512, ifAdminStatus up(1), ifOperStatus %s, ifName %s\n", when, v->s->name,
                    strstr(json_string_value(json_object_get(event, "type")), "UP") ? "UP" : "DOWN",
                    strstr(json_string_value(json_object_get(event, "type")), "UP") ? "up(1)" : "down(2)", port);
    }
    return 0;
}

static int show_cli(struct show *v)
{
    ft_buf_adds(v->out, "CLI complete-on-space set to on\nCLI idle-timeout disabled\nCLI restart-on-upgrade set to on\nCLI is operating in enhanced mode\n");
    return 0;
}

/* ---- */

static const struct { const char *name; bool takes_rest; int (*show)(struct show *v); } commands[] = {
    { "interfaces", true, show_interfaces }, { "ethernet-switching table", true, show_macs }, { "lldp neighbors", true, show_lldp },
    { "poe interface", true, show_poe }, { "vlans", true, show_vlans }, { "version", false, show_version }, { "system uptime", false, show_uptime },
    { "chassis alarms", false, show_alarms }, { "system alarms", false, show_alarms }, { "virtual-chassis", true, show_virtual_chassis },
    { "log messages", false, show_log }, { "cli", false, show_cli },
};

int lab_cli_show(struct lab *lab, int sw, const char *what, bool json, struct ft_buf *out)
{
    struct show v = { .lab = lab, .sw = sw, .s = &lab->switches[sw], .json = json, .out = out };

    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        size_t n = strlen(commands[i].name);

        if (strncmp(what, commands[i].name, n) != 0 || (what[n] && (what[n] != ' ' || !commands[i].takes_rest)))
            continue;
        v.arg = what[n] ? what + n + 1 : "";
        return commands[i].show(&v);
    }
    return -ENOENT;
}
