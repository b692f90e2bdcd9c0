/* cli_ios_show.c: what `show …` says on a switch that speaks as Cisco IOS (text) or Arista EOS (also `| json`). */
#include <time.h>
#include "cli_ios.h"

/* ---- the configuration in the vendor's words ---- */

static char *set_lines(const struct lab_ios *s, const struct lab_candidate *cand, const char *path)
{
    struct ft_buf text = FT_BUF_INIT(0);
    char *copy;

    lab_config_show(lab_ios_switch(s)->config, cand, path, true, &text);
    copy = ft_strdup(ft_buf_str(&text));
    ft_buf_done(&text);
    return copy;
}

bool lab_ios_vlan_name(const struct lab_ios *s, int id, char ret[64])
{
    char *all = set_lines(s, lab_ios_candidate(s), "vlans"), *at = all, *line, name[64];
    bool found = false;
    int its;

    while (!found && (line = strsep(&at, "\n")))
        if (sscanf(line, "set vlans %63s vlan-id %d", name, &its) == 2 && its == id) {
            snprintf(ret, 64, "%s", name);
            found = true;
        }
    free(all);
    return found;
}

static int vlan_id(const struct lab_ios *s, const struct lab_candidate *cand, const char *name)
{
    char *all = set_lines(s, cand, "vlans"), *at = all, *line, its[64];
    int id = atoi(name), n;

    while ((line = strsep(&at, "\n")))
        if (sscanf(line, "set vlans %63s vlan-id %d", its, &n) == 2 && strcmp(its, name) == 0)
            id = n;
    free(all);
    return id;
}

struct facts { bool off, poe_off, trunk; int vlan; char description[100]; };

static struct facts facts_of(const struct lab_ios *s, const struct lab_candidate *cand, int port)
{
    struct facts f = { .vlan = 1 };
    char path[64], *all, *at, *line;

    snprintf(path, sizeof(path), "interfaces %s", lab_ios_switch(s)->ports[port].name);
    all = at = set_lines(s, cand, path);
    while ((line = strsep(&at, "\n"))) {
        const char *rest = strlen(line) > strlen(path) + 5 ? line + strlen(path) + 5 : "", *members = strstr(line, " vlan members ");

        f.off |= strcmp(rest, "disable") == 0;
        f.trunk |= strstr(line, "interface-mode trunk") != NULL;
        if (members)
            f.vlan = vlan_id(s, cand, members + strlen(" vlan members "));
        if (sscanf(rest, "description \"%99[^\"]", f.description) != 1)
            sscanf(rest, "description %99s", f.description);
    }
    free(all);
    snprintf(path, sizeof(path), "poe interface %s disable", lab_ios_switch(s)->ports[port].name);
    all = set_lines(s, cand, path);
    f.poe_off = *all;
    free(all);
    return f;
}

static void port_config(const struct lab_ios *s, const struct lab_candidate *cand, int port, struct ft_buf *out)
{
    struct facts f = facts_of(s, cand, port);
    const char *in = s->eos ? "   " : " ";
    char name[48];

    lab_ios_port_name(s, port, false, name);
    ft_buf_addf(out, "interface %s\n", name);
    if (f.description[0])
        ft_buf_addf(out, "%sdescription %s\n", in, f.description);
    if (f.trunk)
        ft_buf_addf(out, "%sswitchport mode trunk\n", in);
    else if (f.vlan != 1)
        ft_buf_addf(out, "%sswitchport access vlan %d\n%s", in, f.vlan, s->eos ? "" : " switchport mode access\n");
    if (f.off)
        ft_buf_addf(out, "%sshutdown\n", in);
    if (f.poe_off)
        ft_buf_addf(out, "%s%s\n", in, s->eos ? "poe disabled" : "power inline never");
    ft_buf_adds(out, "!\n");
}

void lab_ios_config(const struct lab_ios *s, const struct lab_candidate *cand, int port, struct ft_buf *out)
{
    char *all = set_lines(s, cand, "vlans"), *at = all, *line, name[64];
    int id;

    if (port >= 0) {
        free(all);
        port_config(s, cand, port, out);
        return;
    }
    ft_buf_addf(out, "hostname %s\n!\n", lab_ios_switch(s)->name);
    while ((line = strsep(&at, "\n")))
        if (sscanf(line, "set vlans %63s vlan-id %d", name, &id) == 2)
            ft_buf_addf(out, "vlan %d\n%sname %s\n!\n", id, s->eos ? "   " : " ", name);
    free(all);
    for (int p = 0; p < lab_ios_switch(s)->n_ports; p++)
        port_config(s, cand, p, out);
}

/* With the line of the block in front where it was not said yet. */
void lab_ios_differ(const char *from, const char *other, char sign, struct ft_buf *out)
{
    char block[120] = "", last[120] = "", needle[260];

    while (*from) {
        size_t len = strcspn(from, "\n");

        if (*from != ' ')
            snprintf(block, sizeof(block), "%.*s", (int)len, from);
        snprintf(needle, sizeof(needle), "%s%.*s\n", *from == ' ' ? "\n" : "", (int)len, from);
        if (*from == ' ' && strstr(other, block)) {
            const char *there = strstr(other, block), *end = strstr(there, "\n!");

            snprintf(needle, sizeof(needle), "\n%.*s\n", (int)len, from);
            if (!end || !memmem(there, (size_t)(end - there) + 1, needle, strlen(needle))) {
                if (strcmp(last, block) != 0)
                    ft_buf_addf(out, " %s\n", block);
                snprintf(last, sizeof(last), "%s", block);
                ft_buf_addf(out, "%c%.*s\n", sign, (int)len, from);
            }
        } else if (*from != '!' && !strstr(other, needle)) {
            ft_buf_addf(out, "%c%.*s\n", sign, (int)len, from);
        }
        from += len + (from[len] == '\n');
    }
}

/* ---- what the other command line knows ---- */

static json_t *of_junos(const struct lab_ios *s, const char *what)
{
    struct ft_buf text = FT_BUF_INIT(0);
    json_t *tree = lab_cli_show(s->lab, s->sw, what, true, &text) == 0 ? json_loads(ft_buf_str(&text), JSON_DISABLE_EOF_CHECK, NULL) : NULL;

    ft_buf_done(&text);
    return tree;
}

static const char *text_in(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(json_array_get(json_object_get(object, key), 0), "data"));

    return text ? text : "";
}

static int port_of(const struct lab_ios *s, const char *junos)
{
    char name[40];

    snprintf(name, sizeof(name), "%.*s", (int)strcspn(junos, "."), junos);
    return lab_find_port(lab_ios_switch(s), name);
}

/* Calls `each` for every address learned; port -1: all. */
static void each_mac(const struct lab_ios *s, int port, void (*each)(const struct lab_ios *s, const char *mac, int vlan, int port, void *arg), void *arg)
{
    json_t *tree = of_junos(s, "ethernet-switching table"), *entry;
    const json_t *vlan = json_array_get(json_object_get(json_array_get(json_object_get(tree, "l2ng-l2ald-rtb-macdb"), 0), "l2ng-l2ald-mac-entry-vlan"), 0);
    size_t i;

    json_array_foreach(json_object_get(vlan, "l2ng-mac-entry"), i, entry) {
        int p = port_of(s, text_in(entry, "l2ng-l2-mac-logical-interface"));

        if (p >= 0 && (port < 0 || p == port))
            each(s, text_in(entry, "l2ng-l2-mac-address"), vlan_id(s, NULL, text_in(entry, "l2ng-l2-mac-vlan-name")), p, arg);
    }
    json_decref(tree);
}

static json_t *neighbor_on(const struct lab_ios *s, int port)
{
    char what[80];

    snprintf(what, sizeof(what), "lldp neighbors interface %s", lab_ios_switch(s)->ports[port].name);
    return of_junos(s, what);
}

static const json_t *first_neighbor(const json_t *tree)
{
    return json_array_get(json_object_get(json_array_get(json_object_get(tree, "lldp-neighbors-information"), 0), "lldp-neighbor-information"), 0);
}

/* ---- IOS ---- */

static void cisco_mac(const char *mac, char ret[15])
{
    snprintf(ret, 15, "%.2s%.2s.%.2s%.2s.%.2s%.2s", mac, mac + 3, mac + 6, mac + 9, mac + 12, mac + 15);
}

static void ios_mac_row(const struct lab_ios *s, const char *mac, int vlan, int port, void *arg)
{
    char name[48], dotted[15];

    lab_ios_port_name(s, port, true, name);
    cisco_mac(mac, dotted);
    ft_buf_addf(arg, "%4d    %s    DYNAMIC     %s\n", vlan, dotted, name);
}

static void ios_macs(const struct lab_ios *s, int port, struct ft_buf *out)
{
    ft_buf_adds(out, "          Mac Address Table\n-------------------------------------------\n\nVlan    Mac Address       Type        Ports\n----    -----------       --------    -----\n"
                " All    0100.0ccc.cccc    STATIC      CPU\n");
    each_mac(s, port, ios_mac_row, out);
    ft_buf_adds(out, "Total Mac Addresses for this criterion: 2\n");
}

static void ios_interface(const struct lab_ios *s, int port, struct ft_buf *out)
{
    struct facts f = facts_of(s, NULL, port);
    bool up = lab_port_up(s->lab, s->sw, port);
    char name[48];

    lab_ios_port_name(s, port, false, name);
    ft_buf_addf(out, "%s is %s, line protocol is %s (%s)\n  Hardware is Gigabit Ethernet, address is 7c21.0d00.00%02x (bia 7c21.0d00.00%02x)\n", name,
                f.off ? "administratively down" : up ? "up" : "down", up ? "up" : "down", f.off ? "disabled" : up ? "connected" : "notconnect", (unsigned)port & 255, (unsigned)port & 255);
    if (f.description[0])
        ft_buf_addf(out, "  Description: %s\n", f.description);
    ft_buf_addf(out, "  MTU 1500 bytes, BW 1000000 Kbit/sec, DLY 10 usec,\n     reliability 255/255, txload 1/255, rxload 1/255\n"
                "  %s, media type is 10/100/1000BaseTX\n  Last clearing of \"show interface\" counters never\n"
                "  Input queue: 0/2000/0/0 (size/max/drops/flushes); Total output drops: %d\n     12439 packets input, 1843920 bytes, 0 no buffer\n"
                "     %d input errors, %d CRC, 0 frame, 0 overrun, 0 ignored\n     25520 packets output, 4120332 bytes, 0 underruns\n"
                "     0 output errors, 0 collisions, 1 interface resets\n", up ? "Full-duplex, 1000Mb/s" : "Auto-duplex, Auto-speed", port == 3 ? 7 : 0, port == 3 ? 5 : 0,
                port == 3 ? 2 : 0);
}

static void ios_status(const struct lab_ios *s, struct ft_buf *out)
{
    ft_buf_adds(out, "\nPort      Name               Status       Vlan       Duplex  Speed Type\n");
    for (int p = 0; p < lab_ios_switch(s)->n_ports; p++) {
        struct facts f = facts_of(s, NULL, p);
        bool up = lab_port_up(s->lab, s->sw, p);
        char name[48], vlan[16];

        lab_ios_port_name(s, p, true, name);
        snprintf(vlan, sizeof(vlan), f.trunk ? "trunk" : "%d", f.vlan);
        ft_buf_addf(out, "%-9s %-18.18s %-12s %-10s %6s %6s 10/100/1000BaseTX\n", name, f.description, f.off ? "disabled" : up ? "connected" : "notconnect", vlan,
                    up ? "a-full" : "auto", up ? "a-1000" : "auto");
    }
}

static void ios_lldp(const struct lab_ios *s, struct ft_buf *out)
{
    ft_buf_adds(out, "Capability codes:\n    (R) Router, (B) Bridge, (T) Telephone, (C) DOCSIS Cable Device\n    (W) WLAN Access Point, (P) Repeater, (S) Station, (O) Other\n\n"
                "Device ID           Local Intf     Hold-time  Capability      Port ID\n");
    for (int p = 0; p < lab_ios_switch(s)->n_ports; p++) {
        json_t *tree = neighbor_on(s, p);
        const json_t *n = first_neighbor(tree);
        char name[48];

        lab_ios_port_name(s, p, true, name);
        if (n)
            ft_buf_addf(out, "%-20s%-15s%-11s%-16s%s\n", text_in(n, "lldp-remote-system-name"), name, "120",
                        strstr(text_in(n, "lldp-remote-system-capabilities-enabled"), "WLAN") ? "B,W" : "B,R", text_in(n, "lldp-remote-port-description"));
        json_decref(tree);
    }
    ft_buf_adds(out, "\nTotal entries displayed: 1\n");
}

static void ios_power(const struct lab_ios *s, int port, struct ft_buf *out)
{
    struct facts f = facts_of(s, NULL, port);
    bool on = lab_ios_switch(s)->ports[port].ap >= 0 && lab_port_powers(s->lab, s->sw, port);
    char name[48];

    lab_ios_port_name(s, port, true, name);
    ft_buf_addf(out, "Interface Admin  Oper       Power   Device              Class Max\n                            (Watts)\n--------- ------ ---------- ------- ------------------- ----- ----\n"
                "%-9s %-6s %-10s %-7s %-19s %-5s 30.0\n", name, f.poe_off ? "never" : "auto", on ? "on" : "off", on ? "11.2" : "0.0", on ? "Ieee PD" : "n/a", on ? "4" : "n/a");
}

static void clock_line(const struct lab_ios *s, struct ft_buf *out)
{
    time_t secs = (time_t)s->lab->wall;
    struct tm tm;
    char text[60];

    gmtime_r(&secs, &tm);
    strftime(text, sizeof(text), s->eos ? "%a %b %e %H:%M:%S %Y\nTimezone: UTC" : "*%H:%M:%S.000 UTC %a %b %e %Y", &tm);
    ft_buf_addf(out, "%s\n", text);
}

static void running(const struct lab_ios *s, int port, struct ft_buf *out)
{
    struct ft_buf config = FT_BUF_INIT(0);

    lab_ios_config(s, NULL, port, &config);
    if (!s->eos)
        ft_buf_addf(out, "Building configuration...\n\nCurrent configuration : %zu bytes\n!\n", config.len);
    else if (port < 0)
        ft_buf_addf(out, "! Command: show running-config\n! device: %s (%s, EOS-4.28.3M)\n!\n", lab_ios_switch(s)->name, lab_ios_switch(s)->model);
    ft_buf_add(out, config.data ? config.data : "", config.len);
    ft_buf_adds(out, "end\n");
    ft_buf_done(&config);
}

/* False: no such command; privileged ones need `enable`. */
static bool ios_show(struct lab_ios *s, const char *what, struct ft_buf *out)
{
    const char *rest;
    int port = -1;

    if (strcmp(what, "version") == 0) {
        ft_buf_addf(out, "Cisco IOS Software [Fuji], Catalyst L3 Switch Software (CAT9K_IOSXE), Version 16.9.4, RELEASE SOFTWARE (fc2)\n%s uptime is 2 weeks, 3 days\n"
                    "cisco C9300-24P (X86) processor with 1343703K/6147K bytes of memory.\n", lab_ios_switch(s)->name);
    } else if (strcmp(what, "interfaces status") == 0) {
        ios_status(s, out);
    } else if (strcmp(what, "interfaces") == 0) {
        for (int p = 0; p < lab_ios_switch(s)->n_ports; p++)
            ios_interface(s, p, out);
    } else if ((rest = lab_ios_word(what, "interfaces")) && (port = lab_ios_find_port(s, rest)) >= 0) {
        ios_interface(s, port, out);
    } else if (strcmp(what, "mac address-table") == 0) {
        ios_macs(s, -1, out);
    } else if ((rest = lab_ios_word(what, "mac address-table interface")) && (port = lab_ios_find_port(s, rest)) >= 0) {
        ios_macs(s, port, out);
    } else if (strcmp(what, "archive config rollback timer") == 0) {
        if (lab_config_unconfirmed(lab_ios_switch(s)->config))
            ft_buf_adds(out, "Time configured(or reconfigured): 02:13:05 UTC Thu Nov 26 2026\nTimer type: absolute timer\nTimer value: 5 min\nUser: lab\n");
        else
            ft_buf_adds(out, "%No Rollback Confirmed Change pending\n");
    } else if (strcmp(what, "lldp neighbors") == 0) {
        ios_lldp(s, out);
    } else if ((rest = lab_ios_word(what, "power inline")) && (port = lab_ios_find_port(s, rest)) >= 0) {
        ios_power(s, port, out);
    } else {
        return false;
    }
    return true;
}

/* ---- EOS ---- */

static void print(json_t *value, struct ft_buf *out)
{
    char *text = json_dumps(value, JSON_INDENT(4));

    ft_buf_addf(out, "%s\n", text);
    free(text);
    json_decref(value);
}

static void eos_status(const struct lab_ios *s, int only, struct ft_buf *out)
{
    json_t *all = json_object();

    for (int p = 0; p < lab_ios_switch(s)->n_ports; p++) {
        struct facts f = facts_of(s, NULL, p);
        bool up = lab_port_up(s->lab, s->sw, p);
        char name[48];

        lab_ios_port_name(s, p, false, name);
        if (only < 0 || only == p)
            json_object_set_new(all, name, json_pack("{s:s, s:s, s:i, s:{s:s, s:o*}}", "linkStatus", f.off ? "disabled" : up ? "connected" : "notconnect", "description",
                                f.description, "bandwidth", up ? 1000000000 : 0, "vlanInformation", "interfaceMode", f.trunk ? "trunk" : "bridged", "vlanId",
                                f.trunk ? NULL : json_integer(f.vlan)));
    }
    print(json_pack("{s:o}", "interfaceStatuses", all), out);
}

static void eos_mac_row(const struct lab_ios *s, const char *mac, int vlan, int port, void *arg)
{
    char name[48];

    lab_ios_port_name(s, port, false, name);
    json_array_append_new(arg, json_pack("{s:i, s:s, s:s, s:s}", "vlanId", vlan, "macAddress", mac, "interface", name, "entryType", "dynamic"));
}

static void eos_macs(const struct lab_ios *s, int port, struct ft_buf *out)
{
    json_t *rows = json_array();

    each_mac(s, port, eos_mac_row, rows);
    print(json_pack("{s:{s:o}}", "unicastTable", "tableEntries", rows), out);
}

static void eos_lldp(const struct lab_ios *s, struct ft_buf *out)
{
    json_t *all = json_object();

    for (int p = 0; p < lab_ios_switch(s)->n_ports; p++) {
        json_t *tree = neighbor_on(s, p);
        const json_t *n = first_neighbor(tree);
        bool ap = n && strstr(text_in(n, "lldp-remote-system-capabilities-enabled"), "WLAN");
        char name[48];

        lab_ios_port_name(s, p, false, name);
        if (n)
            json_object_set_new(all, name, json_pack("{s:[{s:s, s:s, s:{s:s}, s:{s:b, s:b, s:b}}]}", "lldpNeighborInfo", "systemName", text_in(n, "lldp-remote-system-name"),
                                "chassisId", text_in(n, "lldp-remote-chassis-id"), "neighborInterfaceInfo", "interfaceId_v2", text_in(n, "lldp-remote-port-description"),
                                "systemCapabilities", "bridge", 1, "router", !ap, "wlanAccessPoint", ap));
        json_decref(tree);
    }
    print(json_pack("{s:o}", "lldpNeighbors", all), out);
}

static void eos_errors(const struct lab_ios *s, struct ft_buf *out)
{
    json_t *all = json_object();

    for (int p = 0; p < lab_ios_switch(s)->n_ports; p++) {
        char name[48];

        lab_ios_port_name(s, p, false, name);
        json_object_set_new(all, name, json_pack("{s:i, s:i, s:i, s:i}", "inErrors", p == 3 ? 5 : 0, "outErrors", 0, "fcsErrors", p == 3 ? 2 : 0, "alignmentErrors", 0));
    }
    print(json_pack("{s:o}", "interfaceErrorCounters", all), out);
}

static bool eos_show(struct lab_ios *s, const char *what, struct ft_buf *out)
{
    char port_name[48];
    int port = -1;

    if (strcmp(what, "version | json") == 0)
        print(json_pack("{s:s, s:s, s:s, s:f}", "hostname", lab_ios_switch(s)->name, "modelName", "DCS-7050TX-24-R", "version", "4.28.3M", "uptime",
                        s->lab->now - lab_ios_switch(s)->boot), out);
    else if (strcmp(what, "interfaces status | json") == 0)
        eos_status(s, -1, out);
    else if (sscanf(what, "interfaces %47s status | json", port_name) == 1 && (port = lab_ios_find_port(s, port_name)) >= 0)
        eos_status(s, port, out);
    else if (strcmp(what, "mac address-table | json") == 0)
        eos_macs(s, -1, out);
    else if (sscanf(what, "mac address-table interface %47s | json", port_name) == 1 && (port = lab_ios_find_port(s, port_name)) >= 0)
        eos_macs(s, port, out);
    else if (strcmp(what, "lldp neighbors detail | json") == 0)
        eos_lldp(s, out);
    else if (strcmp(what, "interfaces counters errors | json") == 0)
        eos_errors(s, out);
    else if (strcmp(what, "configuration sessions") == 0)
        lab_ios_sessions(s, out);
    else
        return false;
    return true;
}

/* ---- */

void lab_ios_show(struct lab_ios *s, const char *what, struct ft_buf *out)
{
    const char *rest = lab_ios_word(what, "running-config"), *name;
    int port = -1;

    if (strcmp(what, "clock") == 0) {
        clock_line(s, out);
        return;
    }
    if (rest && s->mode != IOS_USER) {
        name = lab_ios_word(rest, s->eos ? "interfaces" : "interface");
        port = name ? lab_ios_find_port(s, name) : -1;
        if (!name || port >= 0) {
            running(s, port, out);
            return;
        }
    }
    if (!(s->eos ? eos_show(s, what, out) : ios_show(s, what, out)))
        ft_buf_adds(out, s->eos ? "% Invalid input\n" : "                 ^\n% Invalid input detected at '^' marker.\n\n");
}
