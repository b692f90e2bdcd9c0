/* switch.c: switches by their command line over SSH, as actions.
 *
 * session.h talks to one switch, junos.c and ios.c know the vendors, change.c puts lines into force. Here are the actions: reads are one question;
 * every change of a port goes  look ─► refuse on an uplink ─► lines of the vendor ─► (plan ends) ─► keep what undo needs ─► apply. */
#include <string.h>
#include "cli.h"
#include "config.h"
#include "configure.h"
#include "dialect.h"
#include "left.h"
#include "op.h"

#define DEVICE_PARAM \
    JSON("device": {"type": "string", "minLength": 1, "description": "the switch: its name in the configuration, or its address or an alias there"})
#define PORT_PARAM \
    JSON("port": {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9/:._-]{0,62}$", "description": "the port as the switch calls it: ge-0/0/7, Gi1/0/7, Ethernet7"})
#define FORCE_PARAM \
    JSON("force": {"type": "boolean", "default": false, "description": "true: do it even where the port looks like an uplink"})

/* ---- Reads ---- */

static void object_read(struct ft_call *call)
{
    json_t *value = sw_read(call);

    if (value)
        sw_done(call, json_incref(value));
}

static int ask_start(struct ft_call *call, enum question what, void (*then)(struct ft_call *call), struct ft_err *reterr)
{
    int r = sw_begin(call, PHASE_RUN, reterr);

    return r < 0 ? r : sw_ask(call, what, then, reterr);
}

static int interface_start(struct ft_call *call, struct ft_err *reterr) { return ask_start(call, ASK_INTERFACE, object_read, reterr); }
static int poe_start(struct ft_call *call, struct ft_err *reterr) { return ask_start(call, ASK_POE, object_read, reterr); }
static int facts_start(struct ft_call *call, struct ft_err *reterr) { return ask_start(call, ASK_FACTS, object_read, reterr); }

static void vlan_read(struct ft_call *call)
{
    json_t *port = sw_read(call);

    if (port)
        sw_done(call, json_pack("{s:O, s:O, s:O, s:O}", "port", json_object_get(port, "name"), "vlan", json_object_get(port, "vlan"),
                                "vlan_name", json_object_get(port, "vlan_name"), "mode", json_object_get(port, "mode")));
}

static int vlan_start(struct ft_call *call, struct ft_err *reterr) { return ask_start(call, ASK_INTERFACE, vlan_read, reterr); }

static void list_done(struct ft_call *call, const char *key, json_t *list)
{
    sw_done(call, json_pack("{s:i, s:o}", "count", (int)json_array_size(list), key, list));
}

static void interfaces_read(struct ft_call *call)
{
    json_t *list = sw_read(call);

    if (list)
        list_done(call, "interfaces", json_incref(list));
}

static int interfaces_start(struct ft_call *call, struct ft_err *reterr) { return ask_start(call, ASK_INTERFACES, interfaces_read, reterr); }

static bool on_port(const json_t *entry, const char *port)
{
    const char *its = json_string_value(json_object_get(entry, "port"));

    return !port || (its && cli_same_port(its, port));
}

static void lldp_read(struct ft_call *call)
{
    const struct sw *st = host->state(call);
    json_t *all = sw_read(call), *list, *item;
    size_t i;

    if (!all)
        return;
    list = json_array();
    json_array_foreach(all, i, item) {
        if (on_port(item, st->port))
            json_array_append(list, item);
    }
    list_done(call, "neighbors", list);
}

static int lldp_start(struct ft_call *call, struct ft_err *reterr) { return ask_start(call, ASK_LLDP, lldp_read, reterr); }

static void macs_read(struct ft_call *call)
{
    const struct sw *st = host->state(call);
    const char *wanted = json_string_value(json_object_get(host->params(call), "mac"));
    json_t *all = sw_read(call), *list, *item, *result;
    const json_t *first;
    char mac[18] = "";
    size_t i;

    if (!all)
        return;
    if (wanted)
        cli_mac(wanted, mac);
    list = json_array();
    json_array_foreach(all, i, item) {
        if (on_port(item, st->port) && (!wanted || strcmp(json_string_value(json_object_get(item, "mac")), mac) == 0))
            json_array_append(list, item);
    }
    first = json_array_get(list, 0);
    result = json_pack("{s:b, s:O?, s:O?, s:i, s:o}", "found", first != NULL, "port", json_object_get(first, "port"),
                       "vlan", json_object_get(first, "vlan"), "count", (int)json_array_size(list), "entries", list);
    sw_done(call, result);
}

static int macs_start(struct ft_call *call, struct ft_err *reterr) { return ask_start(call, ASK_MACS, macs_read, reterr); }

/* ---- show ---- */

static void shown(struct ft_call *call)
{
    const struct sw *st = host->state(call);
    const char *answer = st->answers[0];
    char *text = host->printf(call, "%s", answer);
    json_t *json = text && strchr(answer, '{') && strstr(st->commands[0], "json") ? junos_json(answer, NULL) : NULL;

    if (text)
        cli_mask_secrets(text);
    sw_done(call, json_pack("{s:s, s:s?, s:o}", "command", st->commands[0], "text", text, "json", json ? json : json_null()));
}

static const char *as_json(struct ft_call *call, const struct sw *st, const char *command)
{
    const char *format = json_string_value(json_object_get(host->params(call), "format"));

    if (strchr(command, '|') || !st->vendor->json_filter || strcmp(format, "json") != 0)
        return host->printf(call, "%s%s", command, st->vendor->commits && !strstr(command, "no-more") ? " | no-more" : "");
    return host->printf(call, "%s %s%s", command, st->vendor->json_filter, st->vendor->commits ? " | no-more" : "");
}

static int show_start(struct ft_call *call, struct ft_err *reterr)
{
    const char *command = json_string_value(json_object_get(host->params(call), "command")), *why;
    struct sw *st = host->state(call);
    int r = sw_begin(call, PHASE_RUN, reterr);

    if (r < 0)
        return r;
    if (!cli_is_show(command, &why))
        return sw_error(reterr, FT_INVALID, "'%s' is not run as a show command: %s", command, why);
    if (strcmp(json_string_value(json_object_get(host->params(call), "format")), "json") == 0 && !st->vendor->json_filter)
        return sw_error(reterr, FT_INVALID, "structured output is not supported on %s ('%s'): use format: text", st->vendor->name, st->name);
    st->keep_logs = true;
    command = as_json(call, st, command);
    sw_commands(call, &command, 1, shown);
    return 0;
}

/* ---- Changes of a port ---- */

static const struct op op_set_vlan = { OP_SET_VLAN, "set_vlan", true, false };
static const struct op op_port_bounce = { OP_PORT_BOUNCE, "port_bounce", true, true };
static const struct op op_poe_cycle = { OP_POE_CYCLE, "poe_cycle", true, true };
static const struct op op_port_enable = { OP_PORT_ENABLE, "port_enable", false, false };
static const struct op op_port_disable = { OP_PORT_DISABLE, "port_disable", true, false };
static const struct op op_poe_enable = { OP_POE_ENABLE, "poe_enable", false, false };
static const struct op op_poe_disable = { OP_POE_DISABLE, "poe_disable", true, false };

static void change_begin(struct ft_call *call, struct sw *st, const struct op *op)
{
    const json_t *params = host->params(call);
    struct change *c = &st->change;

    c->first = sw_hold(call, json_array());
    c->undo = sw_hold(call, json_array());
    c->wait_s = (unsigned)json_integer_value(json_object_get(params, "off_s"));
    c->confirm_min = (unsigned)json_integer_value(json_object_get(params, "confirm_within"));
    if (op && op->bounces)
        c->confirm_min = c->wait_s / 60 + 2;
    if (!change_has_net(call))
        c->confirm_min = 0;
}

static json_t *facts_shown(const json_t *port)
{
    json_t *shown_facts = json_copy((json_t *)port);

    json_object_del(shown_facts, "config");        /* long, and of no use to people */
    json_object_del(shown_facts, "vlans");
    json_object_del(shown_facts, "poe_config");
    return shown_facts;
}

/* What a change rests on: how the port is configured, and nothing that moves by itself (link, speed, counters, learned addresses). */
static json_t *configured(const struct sw *st)
{
    static const char *const names[] = { "admin_up", "mode", "vlan", "vlan_name", "description", "lag" };
    json_t *state = json_object(), *value;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if ((value = json_object_get(st->facts, names[i])) != NULL)
            json_object_set(state, names[i], value);
    if (st->change.from)
        json_object_set(state, st->change.path, (json_t *)st->change.from);
    return state;
}

static json_t *receipt_of(struct ft_call *call, const struct sw *st)
{
    return json_pack("{s:s, s:s, s:O, s:O?, s:I, s:s*}", "device", st->name, "port", st->port, "undo", st->change.undo, "from", st->change.from,
                     "at_ms", (json_int_t)host->wall_ms(call), "session", st->vendor == &vendor_eos ? change_session(call) : NULL);
}

static json_t *change_result(const struct sw *st, bool changed, const json_t *from)
{
    return json_pack("{s:b, s:s, s:s, s:O?, s:O?, s:s}", "changed", changed, "device", st->name, "port", st->port, "from", from,
                     "to", st->change.to, "diff", st->diff ? st->diff : "");
}

static void plan_done(struct ft_call *call, struct sw *st)
{
    const struct change *c = &st->change;
    json_t *plan = json_pack("{s:o, s:o, s:[{s:o, s:O?, s:O?}], s:o, s:{s:O?}, s:O?, s:o}",
                             "summary", json_sprintf("%s of %s on %s: %s", c->path, st->port, st->name,
                                                     json_string_value(c->to) ?: host->printf(call, "%d", (int)json_integer_value(c->to))),
                             "requests", json_pack("[{s:s, s:o}]", "target", st->name, "commands", change_commands(call)),
                             "changes", "path", json_sprintf("%s %s %s", st->name, st->port, c->path), "from", c->from, "to", c->to,
                             "before", configured(st), "watch", c->path, c->from, "users", json_object_get(st->facts, "mac_count"), "receipt", receipt_of(call, st));

    if (json_is_null(json_object_get(plan, "users")))
        json_object_del(plan, "users");
    if (c->nothing) {
        json_object_set_new(plan, "nothing_to_do", json_true());
        json_object_set_new(plan, "requests", json_array());
        json_object_set_new(plan, "changes", json_array());
        json_object_set_new(plan, "result", change_result(st, false, c->from));
    }
    left_by_port(call, plan);
    change_plan_net(call, plan);
    sw_done(call, plan);
}

static void change_done(struct ft_call *call)
{
    const struct sw *st = host->state(call);
    bool changed = st->phase == PHASE_UNDO ? st->diff && *st->diff : !st->change.nothing;

    sw_done(call, change_result(st, changed, st->change.from));
}

/* What run would have given comes with it, as far as it is known: the switch's own account of the change is not. */
static void probe_done(struct ft_call *call, bool happened, json_t *seen)
{
    const struct sw *st = host->state(call);
    const json_t *from = json_object_get(host->receipt(call), "from");

    bool pending = happened && st->continues && !st->op->bounces;

    sw_done(call, json_pack("{s:b, s:b, s:o, s:o}", "happened", happened, "pending", pending, "seen", seen, "result", change_result(st, happened, from ? from : st->change.from)));
}

static void change_kept(struct ft_call *call)
{
    change_apply(call, change_done);
}

/* Is what undo would put back still what there was when the plan was made? */
static bool is_as_planned(struct ft_call *call, const struct sw *st)
{
    const json_t *planned = json_object_get(host->receipt(call), "from");

    return !planned || !st->change.from || json_equal(planned, st->change.from);
}

/* A call that goes on where an earlier one was cut off keeps what that one saved: what there is now is half the change. */
static void keep_receipt(struct ft_call *call, struct sw *st)
{
    const json_t *saved = st->continues ? host->receipt(call) : NULL;
    struct ft_err err = { 0 };

    if (host->keep(call, saved ? json_deep_copy(saved) : receipt_of(call, st), change_kept, &err) < 0)
        sw_fail(call, err.class, "%s", err.text);
}

static void change_ready(struct ft_call *call, struct sw *st)
{
    if (st->phase == PHASE_PLAN) {
        plan_done(call, st);
    } else if (st->continues) {
        st->change.nothing = false;                /* in force, but not for long: change_apply confirms it */
        keep_receipt(call, st);
    } else if (st->change.nothing) {
        change_done(call);
    } else if (!is_as_planned(call, st)) {
        sw_fail(call, FT_CONFLICT, "%s of port %s on %s has changed since the plan was made: plan again", st->change.path, st->port, st->name);
    } else {
        keep_receipt(call, st);
    }
}

static bool refuses(struct ft_call *call, const struct sw *st)
{
    const char *why = json_string_value(json_object_get(st->facts, "uplink_why"));

    if (!st->op->guarded || !why || json_is_true(json_object_get(host->params(call), "force")))
        return false;
    sw_fail(call, FT_REFUSED, "port %s of %s looks like an uplink: %s. If it is none, give force: true", st->port, st->name, why);
    return true;
}

static void commits_seen(struct ft_call *call)
{
    const struct sw *st = host->state(call);
    const char *comment = host->printf(call, "fettle run %s: %s %s", host->run_id(call), st->op->words, st->port);
    bool done = strstr(st->answers[0], comment) != NULL;

    probe_done(call, done, json_pack("{s:b}", "commit_with_our_comment", done));
}

static void timer_seen(struct ft_call *call)
{
    struct sw *st = host->state(call);

    st->continues = ios_timer_runs(st->answers[0]);
    probe_done(call, st->change.nothing, facts_shown(st->facts));
}

/* A bounce leaves no trace in the state of the port: the comment of its commit is the trace. */
static void probe_ready(struct ft_call *call, struct sw *st)
{
    static const char *const commits[] = { "show system commit | no-more" }, *const timer[] = { "?show archive config rollback timer" };

    if (!st->op->bounces && st->vendor == &vendor_ios && st->change.confirm_min)
        sw_commands(call, timer, 1, timer_seen);
    else if (!st->op->bounces)
        probe_done(call, st->change.nothing, facts_shown(st->facts));
    else if (!st->vendor->commits)
        sw_fail(call, FT_INVALID, "%s keeps no record that tells whether port %s was turned off and on", st->vendor->name, st->port);
    else if (!json_is_true(json_object_get(st->facts, "admin_up")))
        probe_done(call, false, facts_shown(st->facts));
    else
        sw_commands(call, commits, 1, commits_seen);
}

/* Junos: where in ASK_PORT the configurations stand that a change of the port is made from. */
enum { AT_INTERFACE = 1, AT_VLANS = 2, AT_POE = 5 };

/* What writes that are planned before this one will have done is worked into the answers. False: that cannot be told. */
static bool left_in_answers(struct ft_call *call, struct sw *st)
{
    const struct { size_t at; const char *part; } parts[] = {
        { AT_INTERFACE, host->printf(call, "interfaces %s", st->port) }, { AT_VLANS, "vlans" }, { AT_POE, "poe" },
    };

    for (size_t i = 0; st->vendor->commits && i < sizeof(parts) / sizeof(parts[0]); i++) {
        st->answers[parts[i].at] = left_config(call, parts[i].part, st->answers[parts[i].at]);
        if (!st->answers[parts[i].at])
            return false;
    }
    return true;
}

static void port_known(struct ft_call *call)
{
    struct sw *st = host->state(call);
    const char *config = st->answers[AT_INTERFACE];
    struct ft_err err = { 0 };

    if (st->phase == PHASE_PLAN && !left_in_answers(call, st))
        return;
    st->facts = sw_read(call);
    if (st->facts && st->phase == PHASE_PLAN)
        left_facts(call, st->facts, config, st->answers[AT_INTERFACE]);
    if (!st->facts || (st->phase != PHASE_PROBE && refuses(call, st)))
        return;
    if (st->phase != PHASE_PROBE && sw_refuses_foreign(call))
        return;
    change_begin(call, st, st->op);
    if (st->vendor->lines(call, st, st->op, st->facts, &err) < 0)
        sw_fail(call, err.class, "%s", err.text);
    else if (st->phase == PHASE_PROBE)
        probe_ready(call, st);
    else
        change_ready(call, st);
}

static int op_start(struct ft_call *call, enum phase phase, const struct op *op, struct ft_err *reterr)
{
    struct sw *st = host->state(call);
    int r;

    st->op = op;
    r = sw_begin(call, phase, reterr);
    return r < 0 ? r : sw_ask(call, ASK_PORT, port_known, reterr);
}

/* What waits of this step goes back at once, and for good: not to what was never proven. */
static void undo_known(struct ft_call *call)
{
    struct sw *st = host->state(call);

    if (st->vendor == &vendor_ios)
        st->continues = ios_timer_runs(st->answers[0]);
    else
        sw_note_commits(call, st->answers[0]);
    if (st->continues && st->vendor->commits)
        st->change.confirm_min = 0;
    if (st->continues && !st->vendor->commits) {
        st->diff = change_lines_text(call);
        change_take_back(call, change_done);
    } else {
        change_apply(call, change_done);
    }
}

/* NULL: nothing waits for a confirmation there. */
static const char *waits_command(struct ft_call *call, const struct op *op)
{
    const struct sw *st = host->state(call);

    if (op->bounces || !st->change.confirm_min)
        return NULL;
    return st->vendor->commits ? "?show system commit | no-more" : st->vendor == &vendor_eos ? "?show configuration sessions" : "?show archive config rollback timer";
}

static int op_undo(struct ft_call *call, const struct op *op, struct ft_err *reterr)
{
    const char *command;
    struct sw *st = host->state(call);
    const json_t *lines = json_object_get(host->receipt(call), "undo");
    int r = sw_begin(call, PHASE_UNDO, reterr);

    if (r < 0)
        return r;
    if (!json_is_array(lines))
        return sw_error(reterr, FT_INVALID, "nothing was saved that could be put back on port %s of %s", st->port, st->name);
    st->op = op;
    change_begin(call, st, NULL);
    st->change.first = (json_t *)lines;
    command = waits_command(call, op);
    if (command)
        sw_commands(call, &command, 1, undo_known);
    else
        change_apply(call, change_done);
    return 0;
}

#define OP_ENTRIES(op) \
    static int op##_confirm(struct ft_call *call, struct ft_err *e) { return change_confirm_left(call, &op, e); } \
    static int op##_run(struct ft_call *call, struct ft_err *e) { return op_start(call, PHASE_RUN, &op, e); } \
    static int op##_plan(struct ft_call *call, struct ft_err *e) { return op_start(call, PHASE_PLAN, &op, e); } \
    static int op##_probe(struct ft_call *call, struct ft_err *e) { return op_start(call, PHASE_PROBE, &op, e); } \
    static int op##_undo(struct ft_call *call, struct ft_err *e) { return op_undo(call, &op, e); }

OP_ENTRIES(op_set_vlan)
OP_ENTRIES(op_port_bounce)
OP_ENTRIES(op_poe_cycle)
OP_ENTRIES(op_port_enable)
OP_ENTRIES(op_port_disable)
OP_ENTRIES(op_poe_enable)
OP_ENTRIES(op_poe_disable)

/* ---- Description ---- */

static const char device_params[] = "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"device\"], \"properties\": {" DEVICE_PARAM "}}";
static const char port_params[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"device\", \"port\"], \"properties\": {" DEVICE_PARAM ", " PORT_PARAM "}}";
static const char device_port_params[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"device\"], \"properties\": {" DEVICE_PARAM ", " PORT_PARAM "}}";
static const char mac_params[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"device\"], \"properties\": {"
    DEVICE_PARAM ", " JSON("mac": {"type": "string", "format": "mac", "description": "only this hardware address, in any notation"}) ", " PORT_PARAM "}}";
static const char show_params[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"device\", \"command\"], \"properties\": {"
    DEVICE_PARAM ", " JSON("command": {"type": "string", "minLength": 6, "maxLength": 500, "description": "a show command, with filters behind | where wanted"},
         "format": {"enum": ["text", "json"], "default": "text", "description": "json: as structure, where the vendor gives it"}) "}}";

#define CONFIRM_PARAM \
    JSON("confirm_within": {"type": "integer", "minimum": 0, "maximum": 60, "default": 5, \
         "description": "minutes after which Junos takes the change back unless it is confirmed; it is confirmed once the switch answered on a new channel; 0: commit at once; elsewhere without meaning"})

static const char change_params[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"device\", \"port\"], \"properties\": {"
    DEVICE_PARAM ", " PORT_PARAM ", " FORCE_PARAM ", " CONFIRM_PARAM "}}";
static const char vlan_params[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"device\", \"port\", \"vlan\"], \"properties\": {"
    DEVICE_PARAM ", " PORT_PARAM ", "
    JSON("vlan": {"type": ["integer", "string"], "minimum": 1, "maximum": 4094, "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$",
                  "description": "the VLAN, by id or by its name on the switch"}) ", " FORCE_PARAM ", " CONFIRM_PARAM "}}";
static const char bounce_params[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"device\", \"port\"], \"properties\": {"
    DEVICE_PARAM ", " PORT_PARAM ", " JSON("off_s": {"type": "integer", "minimum": 1, "maximum": 120, "default": 5, "description": "seconds that it stays off"})
    ", " FORCE_PARAM "}}";

#define PORT_PROPERTIES \
    JSON("name": {"type": "string", "description": "the port, as the switch calls it"}, \
         "admin_up": {"type": ["boolean", "null"], "description": "turned on in the configuration"}, \
         "oper_up": {"type": ["boolean", "null"], "description": "the link is up"}, \
         "speed_mbps": {"type": ["integer", "null"], "description": "speed in Mbit/s; null: no link or unknown"}, \
         "vlan": {"type": ["integer", "null"], "description": "access VLAN id as configured; null on trunks and routed ports"}, \
         "vlan_name": {"type": ["string", "null"], "description": "its name on the switch"}, \
         "mode": {"type": ["string", "null"], "description": "access, trunk or routed"}, \
         "description": {"type": ["string", "null"], "description": "the description in the configuration"}, \
         "errors": {"type": ["integer", "null"], "description": "errors in and out since the counters were cleared"}, \
         "errors_in": {"type": ["integer", "null"], "description": "input errors"}, \
         "errors_out": {"type": ["integer", "null"], "description": "output errors"}, \
         "flaps_s": {"type": ["integer", "null"], "description": "seconds since the link last went up or down"}, \
         "mac_count": {"type": ["integer", "null"], "description": "hardware addresses learned on the port"}, \
         "lag": {"type": ["string", "null"], "description": "the aggregate that the port is a member of"})

static const char interface_result[] = "{\"type\": \"object\", \"properties\": {" PORT_PROPERTIES "}}";
static const char interfaces_result[] =
    "{\"type\": \"object\", \"properties\": {\"count\": {\"type\": \"integer\", \"description\": \"ports in the list\"}, \"interfaces\": {\"type\": \"array\", "
    "\"description\": \"the ports; counters are null here\", \"items\": {\"type\": \"object\", \"properties\": {" PORT_PROPERTIES "}}}}}";
static const char vlan_result[] = JSON({"type": "object", "properties": {
    "port": {"type": "string", "description": "the port"},
    "vlan": {"type": ["integer", "null"], "description": "access VLAN id as configured; null on trunks and routed ports"},
    "vlan_name": {"type": ["string", "null"], "description": "its name on the switch"},
    "mode": {"type": ["string", "null"], "description": "access, trunk or routed"}}});
static const char macs_result[] = JSON({"type": "object", "properties": {
    "found": {"type": "boolean", "description": "there is at least one entry"},
    "port": {"type": ["string", "null"], "description": "port of the first entry"},
    "vlan": {"type": ["string", "null"], "description": "VLAN of the first entry: its name (Junos) or id"},
    "count": {"type": "integer", "description": "entries in the list"},
    "entries": {"type": "array", "description": "the entries", "items": {"type": "object", "properties": {
        "mac": {"type": "string", "description": "lower case with colons"}, "vlan": {"type": ["string", "null"], "description": "name or id"},
        "port": {"type": "string", "description": "port or aggregate"}, "type": {"type": ["string", "null"], "description": "dynamic, static, as the switch says it"}}}}}});
static const char lldp_result[] = JSON({"type": "object", "properties": {
    "count": {"type": "integer", "description": "neighbours in the list"},
    "neighbors": {"type": "array", "description": "the neighbours", "items": {"type": "object", "properties": {
        "port": {"type": "string", "description": "own port"}, "name": {"type": ["string", "null"], "description": "the neighbour's system name"},
        "chassis": {"type": ["string", "null"], "description": "its chassis id, mostly a MAC address"},
        "remote_port": {"type": ["string", "null"], "description": "its port"},
        "capabilities": {"type": ["string", "null"], "description": "what it says it is: Bridge, Router, WLAN Access Point, Telephone"}}}}}});
static const char poe_result[] = JSON({"type": "object", "properties": {
    "name": {"type": "string", "description": "the port"},
    "enabled": {"type": "boolean", "description": "PoE is turned on for the port"},
    "status": {"enum": ["on", "off", "denied", "fault"], "description": "on: power flows; denied: the switch has no power left for it"},
    "power_w": {"type": "number", "description": "power drawn, in W"},
    "limit_w": {"type": ["number", "null"], "description": "most that the port may draw, in W"},
    "class": {"type": ["string", "null"], "description": "PoE class of the device"},
    "priority": {"type": ["string", "null"], "description": "priority when power is short"}}});
static const char facts_result[] = JSON({"type": "object", "properties": {
    "hostname": {"type": ["string", "null"], "description": "its own name"}, "model": {"type": ["string", "null"], "description": "hardware model"},
    "version": {"type": ["string", "null"], "description": "software version"}, "uptime_s": {"type": ["integer", "null"], "description": "seconds since it started"},
    "members": {"type": "integer", "description": "members of the virtual chassis, 1 without"}}});
static const char show_result[] = JSON({"type": "object", "properties": {
    "command": {"type": "string", "description": "the command as it was sent"},
    "text": {"type": "string", "description": "the answer; secrets of a configuration are masked"},
    "json": {"description": "the answer as structure, null where it is text"}}});
static const char changed_result[] = JSON({"type": "object", "properties": {
    "changed": {"type": "boolean", "description": "false: it was so already"},
    "device": {"type": "string", "description": "the switch"}, "port": {"type": "string", "description": "the port"},
    "from": {"description": "what there was"}, "to": {"description": "what there is now"},
    "diff": {"type": "string", "description": "the switch's own account of the change (Junos), else the lines sent"}}});

#define READ(c_name, a_name, what, schema_in, schema_out, begin, text, yaml) \
    static const struct ft_action c_name = { .size = sizeof(c_name), .name = a_name, .summary = what, .effects = FT_EFFECT_READ, \
        .params_schema = schema_in, .result_schema = schema_out, .state_size = sizeof(struct sw), .run = { begin, sw_cancel }, \
        .timeout_ms = 60000, .about = text, .example = yaml }

READ(a_interface, "interface", "the state of one port", port_params, interface_result, interface_start,
     "VLAN and mode are those of the configuration. On FRR there are no VLANs and no MAC addresses.",
     "run: switch.interface\nwith: {device: sw-3, port: ge-0/0/7}\n");
READ(a_interfaces, "interfaces", "all ports, in short", device_params, interfaces_result, interfaces_start,
     NULL, "run: switch.interfaces\nwith: {device: sw-3}\n");
READ(a_vlan_of_port, "vlan_of_port", "the access VLAN of a port", port_params, vlan_result, vlan_start,
     NULL, "run: switch.vlan_of_port\nwith: {device: sw-3, port: ge-0/0/7}\n");
READ(a_mac_table, "mac_table", "where a hardware address is", mac_params, macs_result, macs_start,
     "Without `mac` the whole table, or that of `port`. Not on FRR.", "run: switch.mac_table\nwith: {device: sw-3, mac: \"${client}\"}\n");
READ(a_lldp, "lldp_neighbors", "what is plugged in, by LLDP", device_port_params, lldp_result, lldp_start,
     "The short list of Junos has no capabilities. Not on FRR.", "run: switch.lldp_neighbors\nwith: {device: sw-3}\n");
READ(a_poe, "poe", "power over Ethernet of a port", port_params, poe_result, poe_start,
     "On junos and ios.", "run: switch.poe\nwith: {device: sw-3, port: ge-0/0/7}\n");
READ(a_facts, "facts", "model, software, uptime", device_params, facts_result, facts_start, NULL, "run: switch.facts\nwith: {device: sw-3}\n");
READ(a_show, "show", "any show command", show_params, show_result, show_start,
     "Only commands that begin with `show` and pipe into nothing but filters are sent. Structured output on junos, eos and frr.",
     "run: switch.show\nwith: {device: sw-3, command: show chassis alarms, format: json}\n");

#define CHANGE_ABOUT \
    "On Junos the change is loaded into an exclusive candidate, committed for `confirm_within` minutes, and confirmed once the switch answers on a new channel: " \
    "a change that cuts us off takes itself back. On the other vendors it is in force line by line, without such a net. "
#define GUARD_ABOUT \
    "Refused on what looks like an uplink (member of an aggregate, a neighbour that says it is a switch or router, more than 8 MAC addresses and no neighbour), " \
    "unless `force: true`. "

#define WRITE(c_name, a_name, what, effect, schema_in, op, text, yaml) \
    static const struct ft_action c_name = { .size = sizeof(c_name), .name = a_name, .summary = what, .effects = effect, \
        .params_schema = schema_in, .result_schema = changed_result, .state_size = sizeof(struct sw), .run = { op##_run, sw_cancel }, \
        .plan = { op##_plan, sw_cancel }, .undo = { op##_undo, sw_cancel }, .probe = { op##_probe, sw_cancel }, \
        .confirm = { op##_confirm, sw_cancel }, .timeout_ms = 240000, \
        .about = text, .example = yaml }

WRITE(a_set_vlan, "set_vlan", "put a port into another access VLAN", FT_EFFECT_DISRUPTIVE, vlan_params, op_set_vlan,
      CHANGE_ABOUT GUARD_ABOUT "Not on trunks. Undo puts the VLAN back that there was. Not on FRR.",
      "run: switch.set_vlan\nwith: {device: sw-3, port: ge-0/0/7, vlan: 110}\nundo: auto\n");
WRITE(a_port_bounce, "port_bounce", "turn a port off and on again", FT_EFFECT_DISRUPTIVE, bounce_params, op_port_bounce,
      "The link goes down for `off_s` seconds; PoE stays. On Junos the port comes back by itself if we are cut off in between. " GUARD_ABOUT
      "Undo turns the port on, should it be off.",
      "run: switch.port_bounce\nwith: {device: sw-3, port: ge-0/0/7}\nundo: none\n");
WRITE(a_poe_cycle, "poe_cycle", "take the power from a port for a moment", FT_EFFECT_DISRUPTIVE, bounce_params, op_poe_cycle,
      "What is powered by the port restarts (an access point needs 2 to 3 minutes). PoE that was off is turned on. On Junos the power comes back by itself if we are "
      "cut off in between. " GUARD_ABOUT "Undo puts back what the configuration said. On junos, ios and eos.",
      "run: switch.poe_cycle\nwith: {device: sw-3, port: ge-0/0/7, off_s: 10}\nundo: none\n");
WRITE(a_port_enable, "port_enable", "turn a port on", FT_EFFECT_WRITE, change_params, op_port_enable,
      CHANGE_ABOUT "Undo turns it off again.", "run: switch.port_enable\nwith: {device: sw-3, port: ge-0/0/7}\nundo: auto\n");
WRITE(a_port_disable, "port_disable", "turn a port off", FT_EFFECT_DISRUPTIVE, change_params, op_port_disable,
      CHANGE_ABOUT GUARD_ABOUT "Undo turns it on again.", "run: switch.port_disable\nwith: {device: sw-3, port: ge-0/0/7}\nundo: auto\n");
WRITE(a_poe_enable, "poe_enable", "turn PoE on for a port", FT_EFFECT_WRITE, change_params, op_poe_enable,
      CHANGE_ABOUT "Undo turns it off again.", "run: switch.poe_enable\nwith: {device: sw-3, port: ge-0/0/7}\nundo: auto\n");
WRITE(a_poe_disable, "poe_disable", "turn PoE off for a port", FT_EFFECT_DISRUPTIVE, change_params, op_poe_disable,
      CHANGE_ABOUT GUARD_ABOUT "Undo turns it on again.", "run: switch.poe_disable\nwith: {device: sw-3, port: ge-0/0/7}\nundo: auto\n");

#define LOGIN_PROPERTIES \
    JSON("vendor": {"enum": ["junos", "ios", "eos", "frr", "netconf"], \
                    "description": "which command line it speaks; junos when left out. netconf: any server of RFC 6241, for configurations only"}, \
         "transport": {"enum": ["cli", "netconf"], "description": "Junos: by its command line (when left out), or by NETCONF; the actions are the same"}, \
         "port": {"type": "integer", "minimum": 1, "maximum": 65535, "description": "SSH port; when left out 22, with NETCONF 830"}, \
         "user": {"type": "string", "description": "login name"}, \
         "password": {"type": "string", "x-secret": true, "description": "login password"}, \
         "key_file": {"type": "string", "description": "private key, a file"}, \
         "passphrase": {"type": "string", "x-secret": true, "description": "passphrase of the key"}, \
         "agent": {"type": "boolean", "description": "the SSH agent may be asked for keys"}, \
         "enable_password": {"type": "string", "x-secret": true, "description": "password of enable (ios, eos)"}, \
         "known_hosts": {"type": "string", "description": "file with the host keys; unknown and changed keys are refused"}, \
         "jump": {"type": "object", "additionalProperties": false, "required": ["host"], "description": "log in there first and go on through it (ssh -J); login and known_hosts are the switch's where left out", \
                  "properties": {"host": {"type": "string", "minLength": 1, "description": "address or name of the jump host"}, \
                      "port": {"type": "integer", "minimum": 1, "maximum": 65535, "description": "its SSH port; 22 when left out"}, \
                      "user": {"type": "string", "description": "login name"}, "password": {"type": "string", "x-secret": true, "description": "login password"}, \
                      "key_file": {"type": "string", "description": "private key, a file"}, \
                      "passphrase": {"type": "string", "x-secret": true, "description": "passphrase of the key"}, \
                      "agent": {"type": "boolean", "description": "the SSH agent may be asked for keys"}, \
                      "known_hosts": {"type": "string", "description": "file with its host key"}}}, \
         "keepalive_s": {"type": "integer", "minimum": 1, "maximum": 3600, "description": "an idle connection is asked so often whether it lives; 15 when left out, three silences end it"}, \
         "revert_timer": {"type": "boolean", "description": "ios: changes go under `configure terminal revert timer`, which needs an archive on the switch"}, \
         "library": {"enum": ["libssh", "libssh2"], "description": "SSH library; chosen by itself when left out"})

static const char config_schema[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {"
    "\"defaults\": {\"type\": \"object\", \"description\": \"what holds for every switch unless the switch says otherwise\", \"additionalProperties\": false, "
    "\"properties\": {" LOGIN_PROPERTIES "}}, "
    "\"devices\": {\"type\": \"object\", \"description\": \"the switches by name\", \"additionalProperties\": {\"type\": \"object\", \"additionalProperties\": false, "
    "\"properties\": {" LOGIN_PROPERTIES ", "
    JSON("host": {"type": "string", "description": "address or name to connect to; the switch's name when left out"},
         "aliases": {"type": "array", "items": {"type": "string"}, "description": "other names by which playbooks may find it: addresses, MAC addresses"})
    "}}}}}";

static int switch_open(const struct ft_host *the_host, const json_t *config, void **ret_instance, struct ft_err *reterr)
{
    (void)config;
    (void)ret_instance;
    (void)reterr;
    host = the_host;
    return 0;
}

static const struct ft_action *const actions[] = {
    &a_facts, &a_interface, &a_interfaces, &a_vlan_of_port, &a_mac_table, &a_lldp, &a_poe, &a_show,
    &a_set_vlan, &a_port_bounce, &a_poe_cycle, &a_port_enable, &a_port_disable, &a_poe_enable, &a_poe_disable, &switch_configure,
    &switch_errors, &switch_config_backup, &switch_config_diff, &switch_config_load, &switch_config_rollback, &switch_config_confirm, &switch_netconf_get, NULL,
};

FT_EXPORT const struct ft_plugin ft_plugin = {
    FT_PLUGIN_HEADER, .name = "switch", .version = FETTLE_VERSION, .summary = "switches over SSH: by their command line, or by NETCONF",
    .capabilities = "ssh file", .config_schema = config_schema, .open = switch_open, .actions = actions,
};
