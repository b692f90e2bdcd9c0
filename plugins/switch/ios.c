/* ios.c: Cisco IOS and IOS-XE (text), Arista EOS and FRR (JSON): show commands, and configuration line by line. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "cli.h"
#include "facts.h"
#include "op.h"

/* ---- Lines of text ---- */

struct line { const char *text; size_t len; };

static bool next_line(const char **at, struct line *ret)
{
    if (!*at || !**at)
        return false;
    *ret = (struct line){ *at, strcspn(*at, "\n") };
    *at += ret->len + ((*at)[ret->len] == '\n');
    return true;
}

static json_t *column(const struct line *l, size_t from, size_t to)
{
    if (to > l->len)
        to = l->len;
    while (from < to && isspace((unsigned char)l->text[from]))
        from++;
    while (to > from && isspace((unsigned char)l->text[to - 1]))
        to--;
    return from < to ? cli_text(l->text + from, to - from) : json_null();
}

static bool all_digits(const char *word)
{
    return *word && strspn(word, "0123456789") == strlen(word);
}

static json_int_t number_before(const char *text, const char *what)
{
    const char *at = strstr(text, what);

    if (!at)
        return 0;
    while (at > text && isspace((unsigned char)at[-1]))
        at--;
    while (at > text && isdigit((unsigned char)at[-1]))
        at--;
    return strtoll(at, NULL, 10);
}

static int not_found(struct ft_err *reterr, const char *port)
{
    return sw_error(reterr, FT_NOT_FOUND, "there is no port %s", port);
}

/* ---- IOS: show interfaces status ---- */

static bool is_status(const char *word)
{
    static const char *const known[] = { "connected", "notconnect", "disabled", "err-disabled", "errdisabled", "suspended", "monitoring",
                                         "inactive", "sfpAbsent", "noOperMem" };
    size_t len = strcspn(word, ":");

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strlen(known[i]) == len && strncmp(word, known[i], len) == 0)
            return true;
    }
    return false;
}

/* Names may hold blanks and even status words, so the status is the last one that is followed by something like a VLAN. */
static size_t find_status(const char *const *words, size_t n)
{
    for (size_t i = n; i-- > 1;) {
        if (is_status(words[i]))
            return i;
    }
    return 0;
}

static json_t *status_row(const struct line *l)
{
    const char *words[24];
    char buffer[256];
    size_t n = cli_words(l->text, l->len, buffer, sizeof(buffer), words, 24), at = find_status(words, n), v;
    json_t *port;
    bool trunk, routed, up;

    if (n < 3 || !at || !strpbrk(words[0], "0123456789"))
        return NULL;
    v = at + 1;
    while (v < n && !all_digits(words[v]) && strcmp(words[v], "trunk") != 0 && strcmp(words[v], "routed") != 0 && strcmp(words[v], "unassigned") != 0)
        v++;
    port = port_blank(words[0]);
    up = strncmp(words[at], "connected", 9) == 0;
    trunk = v < n && strcmp(words[v], "trunk") == 0;
    routed = v < n && strcmp(words[v], "routed") == 0;
    json_object_set_new(port, "admin_up", json_boolean(strncmp(words[at], "disabled", 8) != 0));
    json_object_set_new(port, "oper_up", json_boolean(up));
    json_object_set_new(port, "mode", v == n ? json_null() : json_string(trunk ? "trunk" : routed ? "routed" : "access"));
    if (v < n && all_digits(words[v]))
        json_object_set_new(port, "vlan", json_integer(atoll(words[v])));
    if (v + 2 < n && cli_speed_mbps(words[v + 2]))
        json_object_set_new(port, "speed_mbps", json_integer(cli_speed_mbps(words[v + 2])));
    if (at > 1)
        json_object_set_new(port, "description", column(l, strlen(words[0]), (size_t)((const char *)memmem(l->text, l->len, words[at], strlen(words[at])) - l->text)));
    return port;
}

static json_t *ios_interfaces_read(struct ft_call *call, struct sw *st, struct ft_err *reterr)
{
    const char *at = st->answers[0];
    json_t *list = json_array(), *port;
    struct line l;

    (void)call;
    (void)reterr;
    while (next_line(&at, &l)) {
        port = status_row(&l);
        if (port)
            json_array_append_new(list, port);
    }
    return list;
}

/* ---- IOS: MAC table, LLDP, PoE ---- */

static json_t *mac_row(const struct line *l)
{
    const char *words[8], *vlan = NULL, *type = "";
    char buffer[160], mac[18];
    size_t n = cli_words(l->text, l->len, buffer, sizeof(buffer), words, 8), at;

    for (at = 0; at < n && !(strlen(words[at]) == 14 && cli_mac(words[at], mac)); at++)
        ;
    if (n < 3 || at == n || at == n - 1 || strcmp(words[n - 1], "CPU") == 0)
        return NULL;
    for (size_t i = 0; i < n - 1; i++) {
        if (i != at && all_digits(words[i]) && !vlan)
            vlan = words[i];
        if (strcasecmp(words[i], "dynamic") == 0 || strcasecmp(words[i], "static") == 0)
            type = words[i];
    }
    return json_pack("{s:s, s:s?, s:s, s:s}", "mac", mac, "vlan", vlan, "port", words[n - 1], "type", type);
}

static json_t *read_ios_macs(const char *answer)
{
    json_t *list = json_array(), *entry;
    struct line l;

    while (next_line(&answer, &l)) {
        entry = mac_row(&l);
        if (entry)
            json_array_append_new(list, entry);
    }
    return list;
}

static json_t *ios_macs_read(struct ft_call *call, struct sw *st, struct ft_err *reterr)
{
    (void)call;
    (void)reterr;
    return read_ios_macs(st->answers[0]);
}

static json_t *capability_words(const char *letters)
{
    static const struct { char letter; const char *word; } known[] = {
        { 'R', "Router" }, { 'B', "Bridge" }, { 'T', "Telephone" }, { 'W', "WLAN Access Point" }, { 'P', "Repeater" }, { 'S', "Station" },
        { 'C', "DOCSIS" }, { 'O', "Other" },
    };
    char text[128] = "";

    for (size_t i = 0; letters && i < sizeof(known) / sizeof(known[0]); i++) {
        if (!strchr(letters, known[i].letter))
            continue;
        if (text[0])
            strcat(text, ", ");
        strcat(text, known[i].word);
    }
    return text[0] ? json_string(text) : json_null();
}

static size_t header_at(const struct line *l, const char *what)
{
    const char *p = memmem(l->text, l->len, what, strlen(what));

    return p ? (size_t)(p - l->text) : 0;
}

static json_t *read_ios_lldp(const char *answer)
{
    json_t *list = json_array();
    size_t local = 0, hold = 0, caps = 0, remote = 0;
    struct line l;

    while (next_line(&answer, &l)) {
        json_t *letters;

        if (header_at(&l, "Local Intf") && header_at(&l, "Hold-time")) {
            local = header_at(&l, "Local Intf");
            hold = header_at(&l, "Hold-time");
            caps = header_at(&l, "Capability");
            remote = header_at(&l, "Port ID");
            continue;
        }
        if (!local || l.len <= hold || l.text[0] == ' ' || strncmp(l.text, "Total", 5) == 0)
            continue;
        letters = column(&l, caps, remote);
        json_array_append_new(list, json_pack("{s:o, s:o, s:n, s:o, s:o}", "port", column(&l, local, hold), "name", column(&l, 0, local), "chassis",
                                              "remote_port", column(&l, remote, l.len), "capabilities", capability_words(json_string_value(letters))));
        json_decref(letters);
    }
    return list;
}

static json_t *ios_lldp_read(struct ft_call *call, struct sw *st, struct ft_err *reterr)
{
    (void)call;
    (void)reterr;
    return read_ios_lldp(st->answers[0]);
}

static json_t *ios_poe_read(struct ft_call *call, struct sw *st, struct ft_err *reterr)
{
    const char *at = st->answers[0], *words[10];
    char buffer[256];
    struct line l;

    (void)call;
    while (next_line(&at, &l)) {
        size_t n = cli_words(l.text, l.len, buffer, sizeof(buffer), words, 10);
        const char *oper = n > 2 ? words[2] : "";

        if (n < 4 || !cli_same_port(words[0], st->port))
            continue;
        return json_pack("{s:s, s:b, s:s, s:f, s:o, s:o, s:n}", "name", words[0], "enabled", strcmp(words[1], "never") != 0 && strcmp(words[1], "off") != 0,
                         "status", strcmp(oper, "on") == 0 ? "on" : strcmp(oper, "off") == 0 ? "off" : strstr(oper, "den") ? "denied" : "fault",
                         "power_w", strtod(words[3], NULL), "limit_w", n > 4 ? json_real(strtod(words[n - 1], NULL)) : json_null(),
                         "class", n > 5 ? json_string(words[n - 2]) : json_null(), "priority");
    }
    sw_error(reterr, FT_NOT_FOUND, "port %s gives no power (PoE)", st->port);
    return NULL;
}

/* ---- IOS: one port ---- */

static void read_running(json_t *port, const char *config)
{
    const char *at = config;
    struct line l;

    while (next_line(&at, &l)) {
        const char *words[8];
        char buffer[256];
        size_t n = cli_words(l.text, l.len, buffer, sizeof(buffer), words, 8);

        if (n >= 4 && strcmp(words[0], "switchport") == 0 && strcmp(words[1], "access") == 0 && strcmp(words[2], "vlan") == 0)
            json_object_set_new(port, "vlan", json_integer(atoll(words[3])));
        else if (n >= 3 && strcmp(words[0], "switchport") == 0 && strcmp(words[1], "mode") == 0)
            json_object_set_new(port, "mode", json_string(words[2]));
        else if (n >= 2 && strcmp(words[0], "channel-group") == 0)
            json_object_set_new(port, "lag", json_sprintf("Port-channel%s", words[1]));
        else if (n >= 2 && strcmp(words[0], "description") == 0)
            json_object_set_new(port, "description", column(&l, header_at(&l, "description") + strlen("description"), l.len));
    }
}

static json_t *ios_interface_read(struct ft_call *call, struct sw *st, struct ft_err *reterr)
{
    const char *text = st->answers[0], *speed = strstr(text, "Mb/s"), *gig = strstr(text, "Gb/s");
    json_t *port, *macs;

    (void)call;
    if (!strstr(text, "line protocol is")) {
        not_found(reterr, st->port);
        return NULL;
    }
    port = port_blank(st->port);
    json_object_set_new(port, "admin_up", json_boolean(!strstr(text, "administratively down")));
    json_object_set_new(port, "oper_up", json_boolean(strstr(text, "line protocol is up")));
    if (speed)
        json_object_set_new(port, "speed_mbps", json_integer(number_before(text, "Mb/s")));
    else if (gig)
        json_object_set_new(port, "speed_mbps", json_integer(number_before(text, "Gb/s") * 1000));
    if (strstr(text, "input errors")) {
        json_int_t in = number_before(text, "input errors"), out = number_before(text, "output errors");

        json_object_update_new(port, json_pack("{s:I, s:I, s:I}", "errors_in", in, "errors_out", out, "errors", in + out));
    }
    read_running(port, st->answers[1]);
    if (json_is_null(json_object_get(port, "mode")))
        json_object_set_new(port, "mode", json_string("access"));
    if (json_is_null(json_object_get(port, "vlan")) && strcmp(json_string_value(json_object_get(port, "mode")), "access") == 0)
        json_object_set_new(port, "vlan", json_integer(1));
    macs = read_ios_macs(st->answers[2]);
    json_object_set_new(port, "mac_count", json_integer((json_int_t)json_array_size(macs)));
    json_decref(macs);
    return port;
}

static void judge_by_lldp(json_t *port, json_t *neighbors)
{
    const char *name = json_string_value(json_object_get(port, "name"));
    const json_t *found = NULL;
    json_t *n;
    size_t i;

    json_array_foreach(neighbors, i, n) {
        const char *its = json_string_value(json_object_get(n, "port"));

        if (its && cli_same_port(its, name))
            found = n;
    }
    port_judge(port, found != NULL, json_string_value(json_object_get(found, "name")), json_string_value(json_object_get(found, "capabilities")));
    json_decref(neighbors);
}

static json_t *ios_port_read(struct ft_call *call, struct sw *st, struct ft_err *reterr)
{
    json_t *port = ios_interface_read(call, st, reterr);

    if (!port)
        return NULL;
    judge_by_lldp(port, read_ios_lldp(st->answers[3]));
    json_object_set_new(port, "config", json_string(st->answers[1]));
    return port;
}

static json_t *word_or_null(const char *word)
{
    return *word ? cli_text(word, strlen(word)) : json_null();
}

static json_t *ios_facts_read(struct ft_call *call, struct sw *st, struct ft_err *reterr)
{
    char host_name[128] = "", version[64] = "", model[64] = "";
    const char *at = st->answers[0], *p;
    struct line l;

    (void)call;
    (void)reterr;
    while (next_line(&at, &l)) {
        char *text = host->printf(call, "%.*s", (int)l.len, l.text);

        if (!host_name[0] && strstr(text, " uptime is "))
            sscanf(text, "%127s uptime is", host_name);
        if (!version[0] && (p = strstr(text, "Version ")))
            sscanf(p, "Version %63[^, \r\n]", version);
        if (!model[0] && strncasecmp(text, "cisco ", 6) == 0 && strstr(text, "memory"))
            sscanf(text + 6, "%63s", model);
    }
    return json_pack("{s:o, s:o, s:o, s:n, s:i}", "hostname", word_or_null(host_name), "model", word_or_null(model), "version", word_or_null(version),
                     "uptime_s", "members", 1);
}

/* ---- Lines of a change: IOS, EOS and FRR differ in PoE only ---- */

static void both(struct ft_call *call, struct sw *st, const char *now, const char *back)
{
    struct change *c = &st->change;

    (void)call;
    json_array_append_new(c->first, json_sprintf("interface %s", st->port));
    json_array_append_new(c->first, json_string(now));
    json_array_append_new(c->undo, json_sprintf("interface %s", st->port));
    json_array_append_new(c->undo, json_string(back));
}

static void then_back(struct ft_call *call, struct sw *st, const char *back)
{
    st->change.second = sw_hold(call, json_array());
    json_array_append_new(st->change.second, json_sprintf("interface %s", st->port));
    json_array_append_new(st->change.second, json_string(back));
}

static int vlan_change(struct ft_call *call, struct sw *st, const json_t *port, struct ft_err *reterr)
{
    const json_t *wanted = json_object_get(host->params(call), "vlan"), *was = json_object_get(port, "vlan");
    const char *mode = json_string_value(json_object_get(port, "mode")) ?: "access";
    json_int_t id = json_is_integer(wanted) ? json_integer_value(wanted) : strtoll(json_string_value(wanted), NULL, 10);

    if (id < 1 || id > 4094)
        return sw_error(reterr, FT_INVALID, "vlan must be a number from 1 to 4094 on %s", st->vendor->name);
    if (strcmp(mode, "trunk") == 0 && !json_is_true(json_object_get(host->params(call), "force")))
        return sw_error(reterr, FT_REFUSED, "port %s is a trunk, not an access port: change it with switch.configure, or give force: true", st->port);
    st->change.from = sw_hold(call, json_incref((json_t *)was));
    st->change.to = sw_hold(call, json_integer(id));
    st->change.nothing = json_integer_value(was) == id;
    both(call, st, host->printf(call, "switchport access vlan %d", (int)id),
         json_is_integer(was) ? host->printf(call, "switchport access vlan %d", (int)json_integer_value(was)) : "no switchport access vlan");
    return 0;
}

static void on_off_change(struct ft_call *call, struct sw *st, bool is_on, bool on, const char *on_line, const char *off_line)
{
    st->change.nothing = is_on == on;
    st->change.from = sw_hold(call, json_string(is_on ? "on" : "off"));
    st->change.to = sw_hold(call, json_string(on ? "on" : "off"));
    both(call, st, on ? on_line : off_line, on ? off_line : on_line);
}

static int bounce_change(struct ft_call *call, struct sw *st, bool is_on, const char *on_line, const char *off_line, struct ft_err *reterr)
{
    if (!is_on && st->op->kind == OP_PORT_BOUNCE)
        return sw_error(reterr, FT_REFUSED, "port %s is disabled in the configuration: use switch.port_enable", st->port);
    if (!is_on) {
        on_off_change(call, st, false, true, on_line, off_line);
        return 0;
    }
    st->change.from = sw_hold(call, json_string("on"));
    st->change.to = sw_hold(call, json_string("off and on again"));
    both(call, st, off_line, on_line);
    then_back(call, st, on_line);
    return 0;
}

static int plain_lines(struct ft_call *call, struct sw *st, const struct op *op, const json_t *port, struct ft_err *reterr)
{
    bool ios = strcmp(st->vendor->name, "ios") == 0, eos = strcmp(st->vendor->name, "eos") == 0;
    const char *config = json_string_value(json_object_get(port, "config")) ?: "";
    const char *poe_on = ios ? "power inline auto" : "no poe disabled", *poe_off = ios ? "power inline never" : "poe disabled";
    bool up = json_is_true(json_object_get(port, "admin_up")), poe_up = !strstr(config, poe_off);

    if (!ios && !eos && op->kind != OP_PORT_BOUNCE && op->kind != OP_PORT_ENABLE && op->kind != OP_PORT_DISABLE)
        return sw_error(reterr, FT_INVALID, "%s is not supported on %s ('%s')", op->words, st->vendor->name, st->name);
    st->change.path = op->kind == OP_SET_VLAN ? "VLAN" : strncmp(op->words, "poe", 3) == 0 ? "PoE" : "port";
    switch (op->kind) {
    case OP_SET_VLAN: return vlan_change(call, st, port, reterr);
    case OP_PORT_BOUNCE: return bounce_change(call, st, up, "no shutdown", "shutdown", reterr);
    case OP_POE_CYCLE: return bounce_change(call, st, poe_up, poe_on, poe_off, reterr);
    case OP_PORT_ENABLE: on_off_change(call, st, up, true, "no shutdown", "shutdown"); return 0;
    case OP_PORT_DISABLE: on_off_change(call, st, up, false, "no shutdown", "shutdown"); return 0;
    case OP_POE_ENABLE: on_off_change(call, st, poe_up, true, poe_on, poe_off); return 0;
    case OP_POE_DISABLE: on_off_change(call, st, poe_up, false, poe_on, poe_off); return 0;
    case OP_CONFIG: break;
    }
    return sw_error(reterr, FT_INVALID, "no such change");
}

const struct vendor vendor_ios = {
    .name = "ios", .exec = false,
    .setup = { "terminal length 0", "terminal width 512", NULL },
    .configure = "configure terminal", .leave = "end", .save = "write memory", .alive = "show clock",
    .asks = {
        [ASK_INTERFACE] = { { "show interfaces {port}", "?show running-config interface {port}", "?show mac address-table interface {port}", NULL }, ios_interface_read },
        [ASK_INTERFACES] = { { "show interfaces status", NULL }, ios_interfaces_read },
        [ASK_MACS] = { { "show mac address-table", NULL }, ios_macs_read },
        [ASK_LLDP] = { { "show lldp neighbors", NULL }, ios_lldp_read },
        [ASK_POE] = { { "show power inline {port}", NULL }, ios_poe_read },
        [ASK_FACTS] = { { "show version", NULL }, ios_facts_read },
        [ASK_PORT] = { { "show interfaces {port}", "show running-config interface {port}", "?show mac address-table interface {port}", "?show lldp neighbors", NULL }, ios_port_read },
    },
    .lines = plain_lines,
};

/* ---- EOS ---- */

static void copy_speed(json_t *port, const json_t *bandwidth)
{
    double bits = json_number_value(bandwidth);

    if (bits >= 1e6)
        json_object_set_new(port, "speed_mbps", json_integer((json_int_t)(bits / 1e6)));
}

static json_t *eos_status(const char *name, const json_t *row)
{
    const char *link = json_string_value(json_object_get(row, "linkStatus")) ?: "";
    const json_t *vlan = json_object_get(row, "vlanInformation"), *description = json_object_get(row, "description");
    const char *mode = json_string_value(json_object_get(vlan, "interfaceMode"));
    json_t *port = port_blank(name);

    json_object_set_new(port, "oper_up", json_boolean(strcmp(link, "connected") == 0));
    json_object_set_new(port, "admin_up", json_boolean(strcmp(link, "disabled") != 0));
    json_object_set_new(port, "mode", !mode ? json_null() : json_string(strcmp(mode, "bridged") == 0 ? "access" : mode));
    if (json_is_integer(json_object_get(vlan, "vlanId")))
        json_object_set(port, "vlan", json_object_get(vlan, "vlanId"));
    if (json_is_string(description))
        json_object_set(port, "description", (json_t *)description);
    copy_speed(port, json_object_get(row, "bandwidth"));
    return port;
}

static json_t *eos_interfaces_read(struct ft_call *call, struct sw *st, struct ft_err *reterr)
{
    json_t *root = junos_json(st->answers[0], reterr), *list, *row;
    const char *name;

    (void)call;
    if (!root)
        return NULL;
    list = json_array();
    json_object_foreach(json_object_get(root, "interfaceStatuses"), name, row)
        json_array_append_new(list, eos_status(name, row));
    json_decref(root);
    return list;
}

static json_t *read_eos_macs(const char *answer, struct ft_err *reterr)
{
    json_t *root = junos_json(answer, reterr), *list, *row;
    size_t i;
    char mac[18];

    if (!root)
        return NULL;
    list = json_array();
    json_array_foreach(json_object_get(json_object_get(root, "unicastTable"), "tableEntries"), i, row) {
        const char *port = json_string_value(json_object_get(row, "interface"));

        if (port && cli_mac(json_string_value(json_object_get(row, "macAddress")), mac))
            json_array_append_new(list, json_pack("{s:s, s:o, s:s, s:O?}", "mac", mac, "vlan",
                                                  json_sprintf("%d", (int)json_integer_value(json_object_get(row, "vlanId"))), "port", port,
                                                  "type", json_object_get(row, "entryType")));
    }
    json_decref(root);
    return list;
}

static json_t *eos_macs_read(struct ft_call *call, struct sw *st, struct ft_err *reterr)
{
    (void)call;
    return read_eos_macs(st->answers[0], reterr);
}

static json_t *eos_capabilities(const json_t *info)
{
    static const struct { const char *key, *word; } known[] = { { "router", "Router" }, { "bridge", "Bridge" }, { "wlanAccessPoint", "WLAN Access Point" },
                                                                { "telephone", "Telephone" } };
    const json_t *caps = json_object_get(info, "systemCapabilities");
    char text[80] = "";

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (!json_is_true(json_object_get(caps, known[i].key)))
            continue;
        if (text[0])
            strcat(text, ", ");
        strcat(text, known[i].word);
    }
    return text[0] ? json_string(text) : json_null();
}

static json_t *read_eos_lldp(const char *answer, struct ft_err *reterr)
{
    json_t *root = junos_json(answer, reterr), *list, *per_port, *info;
    const char *port;
    size_t i;

    if (!root)
        return NULL;
    list = json_array();
    json_object_foreach(json_object_get(root, "lldpNeighbors"), port, per_port) {
        json_array_foreach(json_object_get(per_port, "lldpNeighborInfo"), i, info)
            json_array_append_new(list, json_pack("{s:s, s:O?, s:O?, s:O?, s:o}", "port", port, "name", json_object_get(info, "systemName"),
                                                  "chassis", json_object_get(info, "chassisId"), "remote_port",
                                                  json_object_get(json_object_get(info, "neighborInterfaceInfo"), "interfaceId_v2"),
                                                  "capabilities", eos_capabilities(info)));
    }
    json_decref(root);
    return list;
}

static json_t *eos_lldp_read(struct ft_call *call, struct sw *st, struct ft_err *reterr)
{
    (void)call;
    return read_eos_lldp(st->answers[0], reterr);
}

static json_t *eos_interface_read(struct ft_call *call, struct sw *st, struct ft_err *reterr)
{
    json_t *root = junos_json(st->answers[0], reterr), *port = NULL, *row, *macs;
    const char *name;

    (void)call;
    if (!root)
        return NULL;
    json_object_foreach(json_object_get(root, "interfaceStatuses"), name, row) {
        if (!port && cli_same_port(name, st->port))
            port = eos_status(name, row);
    }
    json_decref(root);
    if (!port) {
        not_found(reterr, st->port);
        return NULL;
    }
    read_running(port, st->answers[1]);
    macs = read_eos_macs(st->answers[2], NULL);
    if (macs)
        json_object_set_new(port, "mac_count", json_integer((json_int_t)json_array_size(macs)));
    json_decref(macs);
    return port;
}

static json_t *eos_port_read(struct ft_call *call, struct sw *st, struct ft_err *reterr)
{
    json_t *port = eos_interface_read(call, st, reterr), *neighbors;

    if (!port)
        return NULL;
    neighbors = read_eos_lldp(st->answers[3], NULL);
    judge_by_lldp(port, neighbors ? neighbors : json_array());
    json_object_set_new(port, "config", json_string(st->answers[1]));
    sw_note_commits(call, st->answers[4]);
    return port;
}

static json_t *eos_facts_read(struct ft_call *call, struct sw *st, struct ft_err *reterr)
{
    json_t *root = junos_json(st->answers[0], reterr), *facts;

    (void)call;
    if (!root)
        return NULL;
    facts = json_pack("{s:O?, s:O?, s:O?, s:I, s:i}", "hostname", json_object_get(root, "hostname"), "model", json_object_get(root, "modelName"),
                      "version", json_object_get(root, "version"), "uptime_s", (json_int_t)json_number_value(json_object_get(root, "uptime")), "members", 1);
    json_decref(root);
    return facts;
}

const struct vendor vendor_eos = {
    .name = "eos", .exec = true, .json_filter = "| json",
    .setup = { "terminal length 0", "terminal width 512", NULL },
    .configure = "configure terminal", .leave = "end", .save = "write memory", .alive = "show clock",
    .asks = {
        [ASK_INTERFACE] = { { "show interfaces {port} status | json", "?show running-config interfaces {port}", "?show mac address-table interface {port} | json", NULL }, eos_interface_read },
        [ASK_INTERFACES] = { { "show interfaces status | json", NULL }, eos_interfaces_read },
        [ASK_MACS] = { { "show mac address-table | json", NULL }, eos_macs_read },
        [ASK_LLDP] = { { "show lldp neighbors detail | json", NULL }, eos_lldp_read },
        [ASK_FACTS] = { { "show version | json", NULL }, eos_facts_read },
        [ASK_PORT] = { { "show interfaces {port} status | json", "show running-config interfaces {port}", "?show mac address-table interface {port} | json",
                         "?show lldp neighbors detail | json", "?show configuration sessions", NULL }, eos_port_read },
    },
    .lines = plain_lines,
};

/* ---- FRR ---- */

static json_t *frr_port(const char *name, const json_t *row)
{
    const json_t *description = json_object_get(row, "description"), *speed = json_object_get(row, "speed");
    json_t *port = port_blank(name);
    const char *admin = json_string_value(json_object_get(row, "administrativeStatus")), *oper = json_string_value(json_object_get(row, "operationalStatus"));

    json_object_set_new(port, "admin_up", json_boolean(admin && strcmp(admin, "up") == 0));
    json_object_set_new(port, "oper_up", json_boolean(oper && strcmp(oper, "up") == 0));
    json_object_set_new(port, "mode", json_string("routed"));
    if (json_integer_value(speed) > 0 && json_integer_value(speed) < 10000000)
        json_object_set(port, "speed_mbps", (json_t *)speed);
    if (json_is_string(description))
        json_object_set(port, "description", (json_t *)description);
    return port;
}

static json_t *frr_interface_read(struct ft_call *call, struct sw *st, struct ft_err *reterr)
{
    json_t *root = junos_json(st->answers[0], reterr), *port = NULL, *row;
    const char *name;

    (void)call;
    if (!root)
        return NULL;
    json_object_foreach(root, name, row) {
        if (!port && strcmp(name, st->port) == 0)
            port = frr_port(name, row);
    }
    json_decref(root);
    if (!port)
        not_found(reterr, st->port);
    return port;
}

static json_t *frr_interfaces_read(struct ft_call *call, struct sw *st, struct ft_err *reterr)
{
    json_t *root = junos_json(st->answers[0], reterr), *list, *row;
    const char *name;

    (void)call;
    if (!root)
        return NULL;
    list = json_array();
    json_object_foreach(root, name, row)
        json_array_append_new(list, frr_port(name, row));
    json_decref(root);
    return list;
}

static json_t *frr_port_read(struct ft_call *call, struct sw *st, struct ft_err *reterr)
{
    json_t *port = frr_interface_read(call, st, reterr);

    if (port)
        json_object_update_new(port, json_pack("{s:b, s:s, s:n}", "uplink", 1, "uplink_why", "FRR tells neither neighbours nor MAC addresses, so nobody knows",
                                               "neighbor"));
    return port;
}

static json_t *frr_facts_read(struct ft_call *call, struct sw *st, struct ft_err *reterr)
{
    char version[64] = "", name[128] = "";

    (void)call;
    (void)reterr;
    sscanf(st->answers[0], "FRRouting %63s (%127[^)])", version, name);
    return json_pack("{s:o, s:s, s:o, s:n, s:i}", "hostname", word_or_null(name), "model", "FRRouting", "version", word_or_null(version), "uptime_s", "members", 1);
}

const struct vendor vendor_frr = {
    .name = "frr", .exec = true, .json_filter = "json",
    .setup = { "terminal length 0", NULL },
    .configure = "configure terminal", .leave = "end", .save = "write memory", .saved = "onfiguration saved to ", .alive = "show version",
    .asks = {
        [ASK_INTERFACE] = { { "show interface {port} json", NULL }, frr_interface_read },
        [ASK_INTERFACES] = { { "show interface json", NULL }, frr_interfaces_read },
        [ASK_FACTS] = { { "show version", NULL }, frr_facts_read },
        [ASK_PORT] = { { "show interface {port} json", NULL }, frr_port_read },
    },
    .lines = plain_lines,
};
