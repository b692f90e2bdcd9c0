/* junos.c: Junos: show commands as JSON, configuration as `set` lines. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "cli.h"
#include "facts.h"
#include "op.h"

/* ---- helpers ---- */

static bool is_port(const char *name, const char *port)
{
    size_t n = strlen(port);

    return name && strncmp(name, port, n) == 0 && (name[n] == '\0' || name[n] == '.' || name[n] == '*');
}

static void set_text(json_t *object, const char *key, const char *text)
{
    json_object_set_new(object, key, text ? cli_text(text, strlen(text)) : json_null());
}

static json_int_t number(const char *text)
{
    return text ? strtoll(text, NULL, 10) : 0;
}

/* The answer as structure, whichever way it came. New reference. */
static json_t *answer(const struct sw *st, size_t at, struct ft_err *reterr)
{
    return st->trees[at] ? json_incref(st->trees[at]) : junos_json(st->answers[at], reterr);
}

/* ---- a port's state: show interfaces … extensive | display json ---- */

static void read_errors(json_t *port, const json_t *physical)
{
    const json_t *in = json_array_get(json_object_get(physical, "input-error-list"), 0);
    const json_t *out = json_array_get(json_object_get(physical, "output-error-list"), 0);
    json_int_t errors_in = number(junos_text(in, "input-errors")), errors_out = number(junos_text(out, "output-errors"));

    if (!in && !out)
        return;
    json_object_set_new(port, "errors_in", json_integer(errors_in));
    json_object_set_new(port, "errors_out", json_integer(errors_out));
    json_object_set_new(port, "errors", json_integer(errors_in + errors_out));
}

static bool is_up(const char *text)
{
    return text && strcasecmp(text, "up") == 0;
}

static json_t *read_physical(const json_t *physical)
{
    const char *name = junos_text(physical, "name"), *seconds = junos_attribute(physical, "interface-flapped", "junos:seconds");
    json_t *port = port_blank(name ? name : "");
    json_int_t speed = cli_speed_mbps(junos_text(physical, "speed"));

    json_object_set_new(port, "admin_up", json_boolean(is_up(junos_text(physical, "admin-status"))));
    json_object_set_new(port, "oper_up", json_boolean(is_up(junos_text(physical, "oper-status"))));
    set_text(port, "description", junos_text(physical, "description"));
    if (speed)
        json_object_set_new(port, "speed_mbps", json_integer(speed));
    if (seconds)
        json_object_set_new(port, "flaps_s", json_integer(number(seconds)));
    read_errors(port, physical);
    return port;
}

/* ---- VLANs, from configuration ---- */

/* "set vlans staff vlan-id 110": by name, or by id. Returns the id, 0 when there is no such VLAN. */
static json_int_t find_vlan(const char *vlans, const char *wanted, char *name, size_t size)
{
    struct set_line line;
    char rest[256], its[128], id[16];

    while (set_next(&vlans, &line)) {
        if (!set_under(&line, "vlans", rest, sizeof(rest)) || sscanf(rest, "%127s vlan-id %15s", its, id) != 2)
            continue;
        if (strcmp(its, wanted) == 0 || strcmp(id, wanted) == 0) {
            snprintf(name, size, "%s", its);
            return number(id);
        }
    }
    return 0;
}

/* Before ELS a port is listed under its VLAN: "set vlans staff interface ge-0/0/7.0". */
static bool vlan_by_member(const char *vlans, const char *port, char *name, size_t size)
{
    struct set_line line;
    char rest[256], its[128], member[128];

    while (set_next(&vlans, &line)) {
        if (!set_under(&line, "vlans", rest, sizeof(rest)) || sscanf(rest, "%127s interface %127s", its, member) != 2 || !is_port(member, port))
            continue;
        snprintf(name, size, "%s", its);
        return true;
    }
    return false;
}

static const char *switching_path(struct ft_call *call, const char *port, const char *what)
{
    return host->printf(call, "interfaces %s unit 0 family ethernet-switching%s%s", port, *what ? " " : "", what);
}

static bool has_under(const char *config, const char *path)
{
    char rest[8];

    return set_value(config, path, rest, sizeof(rest));
}

/* config: of the port, vlans: all, both as set lines. Fills vlan, vlan_name, mode, lag, and description where it is not known. */
static void read_config(struct ft_call *call, json_t *port, const char *config, const char *vlans)
{
    const char *name = json_string_value(json_object_get(port, "name"));
    char mode[32] = "access", member[128] = "", value[256], vlan[128];
    bool switched = has_under(config, switching_path(call, name, "")), known;

    if (!set_value(config, switching_path(call, name, "interface-mode"), mode, sizeof(mode)))
        set_value(config, switching_path(call, name, "port-mode"), mode, sizeof(mode));
    known = set_value(config, switching_path(call, name, "vlan members"), member, sizeof(member))
         || vlan_by_member(vlans, name, member, sizeof(member));
    if (has_under(config, host->printf(call, "interfaces %s unit 0 family inet", name)))
        set_text(port, "mode", "routed");
    else if (switched || known)
        set_text(port, "mode", mode);
    if (known && strcmp(mode, "trunk") != 0) {
        json_int_t id = find_vlan(vlans, member, vlan, sizeof(vlan));

        json_object_set_new(port, "vlan", id ? json_integer(id) : number(member) ? json_integer(number(member)) : json_null());
        set_text(port, "vlan_name", id ? vlan : member);
    }
    if (set_value(config, host->printf(call, "interfaces %s ether-options 802.3ad", name), value, sizeof(value))
        || set_value(config, host->printf(call, "interfaces %s gigether-options 802.3ad", name), value, sizeof(value)))
        set_text(port, "lag", value);
    if (json_is_null(json_object_get(port, "description")) && set_value(config, host->printf(call, "interfaces %s description", name), value, sizeof(value)))
        set_text(port, "description", value);
}

/* ---- MAC table: ELS and the older form ---- */

static json_t *mac_entry(const char *mac, const char *vlan, const char *port, const char *type)
{
    char normal[18];
    size_t len = port ? strcspn(port, ".*") : 0;

    if (!mac || !cli_mac(mac, normal) || !port)
        return NULL;                               /* "*", a flood entry */
    return json_pack("{s:s, s:s?, s:s%, s:s?}", "mac", normal, "vlan", vlan, "port", port, len, "type", type);
}

static void add_entry(json_t *list, json_t *entry)
{
    if (entry)
        json_array_append_new(list, entry);
}

static json_t *read_mac_table(const json_t *root)
{
    json_t *list = json_array(), *els = junos_all(root, "l2ng-mac-entry"), *old = junos_all(root, "mac-table-entry"), *item;
    size_t i;

    json_array_foreach(els, i, item)
        add_entry(list, mac_entry(junos_text(item, "l2ng-l2-mac-address"), junos_text(item, "l2ng-l2-mac-vlan-name") ?: junos_text(item, "l2ng-l2-vlan-id"),
                                  junos_text(item, "l2ng-l2-mac-logical-interface"), junos_text(item, "l2ng-l2-mac-flags")));
    json_array_foreach(old, i, item) {
        const json_t *ports = json_array_get(json_object_get(item, "mac-interfaces-list"), 0);

        add_entry(list, mac_entry(junos_text(item, "mac-address"), junos_text(item, "mac-vlan"), junos_text(ports, "mac-interfaces"),
                                  junos_text(item, "mac-type")));
    }
    json_decref(els);
    json_decref(old);
    return list;
}

static json_t *macs_read(struct ft_call *call, struct sw *st, struct ft_err *reterr)
{
    json_t *root = answer(st, 0, reterr), *list;

    (void)call;
    if (!root)
        return NULL;
    list = read_mac_table(root);
    json_decref(root);
    return list;
}

static json_int_t macs_behind(const json_t *table, const char *port)
{
    json_t *entry;
    size_t i;
    json_int_t n = 0;

    json_array_foreach(table, i, entry)
        n += is_port(json_string_value(json_object_get(entry, "port")), port);
    return n;
}

/* ---- switch.interface ---- */

static json_t *only_physical(const struct sw *st, size_t at, const char *wanted, struct ft_err *reterr)
{
    json_t *root = answer(st, at, reterr), *all, *found = NULL, *item;
    size_t i;

    if (!root)
        return NULL;
    all = junos_all(root, "physical-interface");
    json_array_foreach(all, i, item) {
        if (!found && is_port(junos_text(item, "name"), wanted))
            found = read_physical(item);
    }
    json_decref(all);
    json_decref(root);
    if (!found) {
        ft_err_set(reterr, -ENOENT, "there is no port %s", wanted);
        if (reterr)
            reterr->class = FT_NOT_FOUND;
    }
    return found;
}

static json_t *interface_read(struct ft_call *call, struct sw *st, struct ft_err *reterr)
{
    json_t *port = only_physical(st, 0, st->port, reterr), *root, *table;

    if (!port)
        return NULL;
    read_config(call, port, st->answers[1], st->answers[2]);
    root = answer(st, 3, NULL);       /* a router has no such table */
    if (root) {
        table = read_mac_table(root);
        json_object_set_new(port, "mac_count", json_integer(macs_behind(table, st->port)));
        json_decref(table);
        json_decref(root);
    }
    return port;
}

static json_t *interfaces_read(struct ft_call *call, struct sw *st, struct ft_err *reterr)
{
    json_t *root = answer(st, 0, reterr), *all, *list, *item, *port;
    size_t i;

    if (!root)
        return NULL;
    list = json_array();
    all = junos_all(root, "physical-interface");
    json_array_foreach(all, i, item) {
        if (!junos_text(item, "name"))
            continue;
        port = read_physical(item);
        read_config(call, port, st->answers[1], st->answers[2]);
        json_array_append_new(list, port);
    }
    json_decref(all);
    json_decref(root);
    return list;
}

/* ---- LLDP ---- */

static json_t *neighbor_facts(const json_t *item)
{
    const char *local = junos_text(item, "lldp-local-port-id") ?: junos_text(item, "lldp-local-interface");

    if (!local)
        return NULL;
    return json_pack("{s:s%, s:s?, s:s?, s:s?, s:s?}", "port", local, strcspn(local, "."), "name", junos_text(item, "lldp-remote-system-name"),
                     "chassis", junos_text(item, "lldp-remote-chassis-id"),
                     "remote_port", junos_text(item, "lldp-remote-port-description") ?: junos_text(item, "lldp-remote-port-id"),
                     "capabilities", junos_text(item, "lldp-remote-system-capabilities-enabled") ?: junos_text(item, "lldp-remote-system-capabilities-supported"));
}

static json_t *lldp_read(struct ft_call *call, struct sw *st, struct ft_err *reterr)
{
    json_t *root = answer(st, 0, reterr), *all, *list, *item;
    size_t i;

    (void)call;
    if (!root)
        return NULL;
    list = json_array();
    all = junos_all(root, "lldp-neighbor-information");
    json_array_foreach(all, i, item)
        add_entry(list, neighbor_facts(item));
    json_decref(all);
    json_decref(root);
    return list;
}

/* ---- PoE ---- */

static const char *poe_text(const json_t *item, const char *key)
{
    char detail[64];

    snprintf(detail, sizeof(detail), "%s-detail", key);
    return junos_text(item, key) ?: junos_text(item, detail);
}

static json_t *read_poe(const json_t *item, const char *name)
{
    const char *enabled = poe_text(item, "interface-enabled"), *status = poe_text(item, "interface-status"), *power = poe_text(item, "interface-power");
    const char *limit = poe_text(item, "interface-power-limit");
    bool on = status && strcasecmp(status, "ON") == 0, off = !status || strcasecmp(status, "OFF") == 0 || strcasecmp(status, "Disabled") == 0;
    bool denied = status && (strcasestr(status, "deni") || strcasestr(status, "deny") || strcasestr(status, "overload"));

    return json_pack("{s:s, s:b, s:s, s:f, s:o, s:s?, s:s?}", "name", name, "enabled", enabled ? strcasecmp(enabled, "Enabled") == 0 : on,
                     "status", on ? "on" : off ? "off" : denied ? "denied" : "fault", "power_w", power ? strtod(power, NULL) : 0.0,
                     "limit_w", limit ? json_real(strtod(limit, NULL)) : json_null(), "class", poe_text(item, "interface-class"),
                     "priority", poe_text(item, "interface-priority"));
}

static json_t *poe_find(const struct sw *st, const char *wanted, struct ft_err *reterr)
{
    static const char *const keys[] = { "interface-information", "interface-information-detail" };
    json_t *root = answer(st, 0, reterr), *found = NULL, *item;
    size_t i;

    for (size_t k = 0; root && k < 2; k++) {
        json_t *all = junos_all(root, keys[k]);

        json_array_foreach(all, i, item) {
            if (!found && is_port(poe_text(item, "interface-name"), wanted))
                found = read_poe(item, wanted);
        }
        json_decref(all);
    }
    json_decref(root);
    return found;
}

static json_t *poe_read(struct ft_call *call, struct sw *st, struct ft_err *reterr)
{
    json_t *found = poe_find(st, st->port, reterr);

    (void)call;
    if (!found && (!reterr || !reterr->code)) {
        ft_err_set(reterr, -ENOENT, "port %s gives no power (PoE): it has no such hardware, or PoE is not configured on it", st->port);
        if (reterr)
            reterr->class = FT_NOT_FOUND;
    }
    return found;
}

/* ---- facts: show version ---- */

static json_t *uptime(const struct sw *st)
{
    json_t *root = answer(st, 1, NULL), *all = root ? junos_all(root, "system-booted-time") : json_array();
    const char *seconds = junos_attribute(json_array_get(all, 0), "time-length", "junos:seconds");
    json_t *value = seconds ? json_integer(number(seconds)) : json_null();

    json_decref(all);
    json_decref(root);
    return value;
}

static json_t *facts_read(struct ft_call *call, struct sw *st, struct ft_err *reterr)
{
    json_t *root = answer(st, 0, reterr), *all, *facts;
    const json_t *first, *package;

    (void)call;
    if (!root)
        return NULL;
    all = junos_all(root, "software-information");
    first = json_array_get(all, 0);
    package = json_array_get(json_object_get(first, "package-information"), 0);
    facts = json_pack("{s:s?, s:s?, s:s?, s:o, s:i}", "hostname", junos_text(first, "host-name"), "model", junos_text(first, "product-model"),
                      "version", junos_text(first, "junos-version") ?: junos_text(package, "comment"), "uptime_s", uptime(st),
                      "members", (int)json_array_size(all));
    json_decref(all);
    json_decref(root);
    return facts;
}

/* ---- Everything that a change of a port rests on ---- */

static void read_neighbor(json_t *port, const struct sw *st)
{
    json_t *root = answer(st, 4, NULL), *all = root ? junos_all(root, "lldp-neighbor-information") : json_array();
    const json_t *item = json_array_get(all, 0);

    port_judge(port, item != NULL, junos_text(item, "lldp-remote-system-name"),
               junos_text(item, "lldp-remote-system-capabilities-enabled") ?: junos_text(item, "lldp-remote-system-capabilities-supported"));
    json_decref(all);
    json_decref(root);
}

static json_t *port_read(struct ft_call *call, struct sw *st, struct ft_err *reterr)
{
    json_t *port = interface_read(call, st, reterr);

    if (!port)
        return NULL;
    read_neighbor(port, st);
    json_object_set_new(port, "config", json_string(st->answers[1]));
    json_object_set_new(port, "vlans", json_string(st->answers[2]));
    json_object_set_new(port, "poe_config", json_string(st->answers[5]));
    sw_note_commits(call, st->answers[6]);
    return port;
}

/* ---- The lines of a change ---- */

static json_t *line(struct ft_call *call, const char *verb, const char *path)
{
    const char *text = host->printf(call, "%s %s", verb, path);

    return cli_text(text, strlen(text));
}

/* Configured lines "set <path> <value>" become deletions; what there was goes to undo. */
static void replace_members(struct ft_call *call, struct sw *st, const char *config, const char *path, const char *wanted)
{
    struct change *c = &st->change;
    struct set_line l;
    char value[128];

    json_array_append_new(c->undo, line(call, "delete", host->printf(call, "%s %s", path, wanted)));
    while (set_next(&config, &l)) {
        if (!set_under(&l, path, value, sizeof(value)))
            continue;
        json_array_append_new(c->first, line(call, "delete", host->printf(call, "%s %s", path, value)));
        json_array_append_new(c->undo, line(call, "set", host->printf(call, "%s %s", path, value)));
    }
    json_array_append_new(c->first, line(call, "set", host->printf(call, "%s %s", path, wanted)));
}

static int vlan_lines(struct ft_call *call, struct sw *st, const json_t *port, struct ft_err *reterr)
{
    const json_t *param = json_object_get(host->params(call), "vlan");
    const char *config = json_string_value(json_object_get(port, "config")), *vlans = json_string_value(json_object_get(port, "vlans"));
    const char *wanted = json_is_integer(param) ? host->printf(call, "%d", (int)json_integer_value(param)) : json_string_value(param);
    const char *mode = json_string_value(json_object_get(port, "mode")), *was = json_string_value(json_object_get(port, "vlan_name"));
    struct change *c = &st->change;
    char name[128], member[128];

    if (!find_vlan(vlans, wanted, name, sizeof(name)))
        return sw_error(reterr, FT_NOT_FOUND, "%s has no VLAN %s: it is not among its configured VLANs", st->name, wanted);
    if (mode && strcmp(mode, "access") != 0 && !json_is_true(json_object_get(host->params(call), "force")))
        return sw_error(reterr, FT_REFUSED, "port %s is a %s port, not an access port: change it with switch.configure, or give force: true", st->port, mode);
    c->path = "VLAN";
    c->from = sw_hold(call, was ? json_string(was) : json_null());
    c->to = sw_hold(call, cli_text(name, strlen(name)));
    c->nothing = was && strcmp(was, name) == 0;
    if (vlan_by_member(vlans, st->port, member, sizeof(member))) {
        json_array_append_new(c->first, line(call, "delete", host->printf(call, "vlans %s interface %s.0", member, st->port)));
        json_array_append_new(c->first, line(call, "set", host->printf(call, "vlans %s interface %s.0", name, st->port)));
        json_array_append_new(c->undo, line(call, "delete", host->printf(call, "vlans %s interface %s.0", name, st->port)));
        json_array_append_new(c->undo, line(call, "set", host->printf(call, "vlans %s interface %s.0", member, st->port)));
        return 0;
    }
    replace_members(call, st, config, switching_path(call, st->port, "vlan members"), host->printf(call, "%s", name));
    return 0;
}

/* The path of a "… disable" statement to delete: the whole parent where it has no other line, so that nothing empty stays behind. */
static const char *deleted_path(struct ft_call *call, const char *config, const char *path)
{
    const char *parent = host->printf(call, "%.*s", (int)(strlen(path) - strlen(" disable")), path);
    struct set_line l;
    char rest[256];

    while (set_next(&config, &l)) {
        if (set_under(&l, parent, rest, sizeof(rest)) && strcmp(rest, "disable") != 0)
            return path;
    }
    return parent;
}

/* A statement "… disable" on or off; undo is the other way round. */
static void disable_lines(struct ft_call *call, struct sw *st, const char *config, const char *path, bool is_off, bool off)
{
    const char *gone = is_off ? path : deleted_path(call, config, path);
    struct change *c = &st->change;

    c->nothing = is_off == off;
    c->from = sw_hold(call, json_string(is_off ? "off" : "on"));
    c->to = sw_hold(call, json_string(off ? "off" : "on"));
    json_array_append_new(c->first, off ? line(call, "set", path) : line(call, "delete", gone));
    json_array_append_new(c->undo, off ? line(call, "delete", gone) : line(call, "set", path));
}

static int bounce_lines(struct ft_call *call, struct sw *st, const char *config, const char *path, bool is_off, struct ft_err *reterr)
{
    struct change *c = &st->change;

    if (is_off && st->op->kind == OP_PORT_BOUNCE && !st->continues)
        return sw_error(reterr, FT_REFUSED, "port %s is disabled in the configuration: use switch.port_enable", st->port);
    if (is_off) {                                   /* PoE that is off is turned on; a bounce that was cut off goes on */
        disable_lines(call, st, config, path, true, false);
        return 0;
    }
    c->from = sw_hold(call, json_string("on"));
    c->to = sw_hold(call, json_string("off and on again"));
    json_array_append_new(c->first, line(call, "set", path));
    c->second = sw_hold(call, json_array());
    json_array_append_new(c->second, line(call, "delete", deleted_path(call, config, path)));
    json_array_append_new(c->undo, line(call, "delete", deleted_path(call, config, path)));
    return 0;
}

static int junos_lines(struct ft_call *call, struct sw *st, const struct op *op, const json_t *port, struct ft_err *reterr)
{
    const char *config = json_string_value(json_object_get(port, "config")), *poe = json_string_value(json_object_get(port, "poe_config"));
    const char *port_path = host->printf(call, "interfaces %s disable", st->port), *poe_path = host->printf(call, "poe interface %s disable", st->port);
    char rest[8];
    bool port_off = set_value(config, port_path, rest, sizeof(rest)), poe_off = set_value(poe, poe_path, rest, sizeof(rest));

    st->change.path = op->kind == OP_POE_CYCLE || op->kind == OP_POE_ENABLE || op->kind == OP_POE_DISABLE ? "PoE" : "port";
    switch (op->kind) {
    case OP_SET_VLAN: return vlan_lines(call, st, port, reterr);
    case OP_PORT_BOUNCE: return bounce_lines(call, st, config, port_path, port_off, reterr);
    case OP_POE_CYCLE: return bounce_lines(call, st, poe, poe_path, poe_off, reterr);
    case OP_PORT_ENABLE: disable_lines(call, st, config, port_path, port_off, false); return 0;
    case OP_PORT_DISABLE: disable_lines(call, st, config, port_path, port_off, true); return 0;
    case OP_POE_ENABLE: disable_lines(call, st, poe, poe_path, poe_off, false); return 0;
    case OP_POE_DISABLE: disable_lines(call, st, poe, poe_path, poe_off, true); return 0;
    case OP_CONFIG: break;
    }
    return sw_error(reterr, FT_INVALID, "no such change");
}

#define PORT_COMMANDS \
    "show interfaces {port} extensive | display json | no-more", "show configuration interfaces {port} | display set | no-more", \
    "show configuration vlans | display set | no-more", "?show ethernet-switching table | display json | no-more"

const struct vendor vendor_junos = {
    .name = "junos", .exec = true, .commits = true, .rpcs = true, .json_filter = "| display json",
    .setup = { "set cli screen-length 0", "set cli screen-width 0", "set cli complete-on-space off", NULL },
    .alive = "show system uptime | no-more",
    .asks = {
        [ASK_INTERFACE] = { { PORT_COMMANDS, NULL }, interface_read },
        [ASK_INTERFACES] = { { "show interfaces terse | display json | no-more", "show configuration interfaces | display set | no-more",
                               "show configuration vlans | display set | no-more", NULL }, interfaces_read },
        [ASK_MACS] = { { "show ethernet-switching table | display json | no-more", NULL }, macs_read },
        [ASK_LLDP] = { { "show lldp neighbors | display json | no-more", NULL }, lldp_read },
        [ASK_POE] = { { "show poe interface {port} | display json | no-more", NULL }, poe_read },
        [ASK_FACTS] = { { "show version | display json | no-more", "?show system uptime | display json | no-more", NULL }, facts_read },
        [ASK_PORT] = { { PORT_COMMANDS, "?show lldp neighbors interface {port} | display json | no-more",
                         "?show configuration poe | display set | no-more", "?show system commit | no-more", NULL }, port_read },
    },
    .lines = junos_lines,
};
