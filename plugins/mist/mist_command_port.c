/* mist_command_port.c: commands to a switch that change something, or disturb it: testing a cable, forgetting 802.1X sessions and MAC addresses. */
#include <string.h>
#include "mist_command.h"

#define PORT_PARAM JSON("port": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[0-9A-Za-z_./:-]+$", \
                                 "description": "name of the port, such as ge-0/0/1"})

/* Subscribes and sends, or ends the plan. */
static void go(struct ft_call *call, const struct mist_command *command)
{
    struct mist_call *st = mist_state(call);

    st->write.sent = mist_command_sent;
    if (st->mode == MIST_RUN)
        mist_command_listen(call, command, mist_write_ready);
    else
        mist_write_ready(call);
}

static void finish(struct ft_call *call, const struct mist_output *output, json_t *out)
{
    const char *port = mist_text(call, "port");

    json_object_set_new(out, "changed", json_true());
    json_object_set_new(out, "port", port ? json_string(port) : json_null());
    mist_command_finish(call, output, output->how == MIST_ENDED, out);
}

/* What is at the port, for the plan. */
static void note_port(struct ft_call *call, const json_t *item)
{
    static const struct mist_field fields[] = {
        { "up", "up", MIST_BOOL }, { "poe_on", "poe_on", MIST_BOOL }, { "usage", "port_usage", MIST_STR }, { "auth_state", "auth_state", MIST_STR },
        { "neighbor_name", "neighbor_system_name", MIST_STR },
    };
    struct mist_write *w = &mist_state(call)->write;

    w->before = mist_hold(call, json_object());
    MIST_PICK(w->before, item, fields);
    w->users = json_is_integer(mist_at(item, "mac_count")) ? json_integer_value(mist_at(item, "mac_count")) : -1;
}

#define FIND_PORT_FIRST(name) \
    static void name##_port(struct ft_call *call) { mist_find_port(call, name##_ready); } \
    static void name##_look(struct ft_call *call) { mist_command_ask(call, name##_port); } \
    static void name##_begin(struct ft_call *call) { mist_find_device(call, "switch", name##_look); } \
    MIST_BEGIN(MIST_RUN, name##_begin, name##_run) \
    MIST_BEGIN(MIST_PLAN, name##_begin, name##_plan)

static bool known_port(struct ft_call *call, const json_t *item)
{
    if (!item)
        mist_fail(call, FT_NOT_FOUND, "Mist has no figures of port %s of switch %s: check the name of the port", mist_text(call, "port"),
                  mist_device_name(mist_state(call)));
    return item;
}

/* ---- cable_test: POST …/cable_test */

static void cable_over(struct ft_call *call, const struct mist_output *output)
{
    finish(call, output, mist_cable_read(output->text));
}

static const struct mist_command cable_command = {
    .what = "cable_test", .ended = mist_cable_ended, .first_ms = 60000, .quiet_ms = 15000, .total_ms = 120000, .over = cable_over,
};

static void cable_ready(struct ft_call *call, json_t *item)
{
    struct mist_call *st = mist_state(call);

    if (!known_port(call, item))
        return;
    note_port(call, item);
    mist_device_write(call, "POST", "cable_test", json_pack("{s:s}", "port", mist_text(call, "port")));
    st->write.summary = host->printf(call, "test the cable at port %s of %s; its link drops while that runs", mist_text(call, "port"), mist_device_name(st));
    go(call, &cable_command);
}
FIND_PORT_FIRST(cable)

#define PAIR MIST_OBJ(MIST_P_STR("pair", "wires: 1-2, 3-6, 4-5, 7-8") "," MIST_P_STR("status", "Normal, Open, Short …") "," \
                      MIST_P_NUM("fault_m", "how far away the fault is, m") "," \
    MIST_P_STR("polarity", "polarity") "," MIST_P_NUM("skew_ns", "skew, ns"))
#define PORT_RESULT MIST_CHANGED "," MIST_P_STR("port", "name of the port") "," MIST_COMMAND_RESULT

const struct ft_action mist_cable_test = {
    MIST_WRITE(cable_run, cable_plan),
    .name = "cable_test", .summary = "test the copper cable at a switch port (TDR); the link drops while the test runs",
    .effects = FT_EFFECT_DISRUPTIVE, .timeout_ms = 180000,
    .params_schema = MIST_PARAMS("\"device\",\"port\"", MIST_SITE "," MIST_DEVICE "," PORT_PARAM),
    .result_schema = MIST_OBJ(MIST_P_STR("test_status", "how the test went, in the switch's words") ","
                              MIST_P_BOOL("passed", "the test was carried out; the pairs tell how the cable is") ","
        MIST_P_STR("link", "the link, in the switch's words") "," MIST_P_INT("faults", "pairs with a fault; nil where the switch told no pairs") ","
        MIST_P_LIST("pairs", PAIR, "the pairs of wires") "," PORT_RESULT),
    .about = "`POST /sites/{site_id}/devices/{device_id}/cable_test`; the output comes over Mist's websocket. A time-domain reflectometer sends pulses into the cable: what hangs on\n"
             "the port loses its link for some seconds, an AP perhaps its power. The plan counts the MAC addresses behind the port. There is nothing to take back.\n"
             "Where the switch takes the command and its output does not come, the step ends as `ambiguous`: the test has probably run.",
    .example = "- id: cable\n  run: mist.cable_test\n  with: {device: sw-3, site: HQ, port: ge-0/0/12}\n  undo: none\n",
};

/* ---- port_clear_dot1x: POST …/clear_dot1x. Releases up to 2511 take `port_id`, those from 2602 `ports`: both are sent. */

static void sent_over(struct ft_call *call, const struct mist_output *output)
{
    finish(call, output, json_object());
}

static const struct mist_command dot1x_command = {
    .what = "port_clear_dot1x", .first_ms = 5000, .quiet_ms = 3000, .total_ms = 15000, .sent_is_done = true, .over = sent_over,
};

static void dot1x_ready(struct ft_call *call, json_t *item)
{
    struct mist_call *st = mist_state(call);
    const char *port = mist_text(call, "port");

    if (!known_port(call, item))
        return;
    note_port(call, item);
    mist_device_write(call, "POST", "clear_dot1x", json_pack("{s:s, s:[s]}", "port_id", port, "ports", port));
    st->write.summary = host->printf(call, "end the 802.1X sessions at port %s of %s", port, mist_device_name(st));
    go(call, &dot1x_command);
}
FIND_PORT_FIRST(dot1x)

const struct ft_action mist_port_clear_dot1x = {
    MIST_WRITE(dot1x_run, dot1x_plan),
    .name = "port_clear_dot1x", .summary = "end the 802.1X sessions at a switch port: who is there must log in again",
    .effects = FT_EFFECT_DISRUPTIVE, .timeout_ms = 60000,
    .params_schema = MIST_PARAMS("\"device\",\"port\"", MIST_SITE "," MIST_DEVICE "," PORT_PARAM),
    .result_schema = MIST_OBJ(PORT_RESULT),
    .about = "`POST /sites/{site_id}/devices/{device_id}/clear_dot1x`. Mist would clear all ports where none is named: this action always names one. What the switch says\n"
             "comes over Mist's websocket, and is in `lines`; many say nothing.",
    .example = "- id: again\n  run: mist.port_clear_dot1x\n  with: {device: sw-3, site: HQ, port: ge-0/0/12}\n  undo: none\n",
};

/* ---- mac_table_clear: POST …/clear_mac_table */

static const struct mist_command macs_command = {
    .what = "mac_table_clear", .first_ms = 5000, .quiet_ms = 3000, .total_ms = 15000, .sent_is_done = true, .over = sent_over,
};

static void macs_ready(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    const char *mac_text = mist_text(call, "mac"), *port = mist_text(call, "port"), *vlan = mist_text(call, "vlan");
    char mac[MIST_MAC_LEN + 1] = "";

    if (mac_text && !mist_mac(mac_text, mac)) {
        mist_fail(call, FT_INVALID, "mac: '%.60s' is no MAC address", mac_text);
        return;
    }
    mist_device_write(call, "POST", "clear_mac_table", json_pack("{s:s*, s:s*, s:s*}", "mac_address", *mac ? mac : NULL, "port_id", port, "vlan_id", vlan));
    st->write.summary = host->printf(call, "let %s forget the MAC addresses%s%s%s%s%s%s that it learned", mist_device_name(st), *mac ? " of " : "",
                                     mac, port ? " at port " : "",
                                     port ? port : "", vlan ? " in VLAN " : "", vlan ? vlan : "");
    go(call, &macs_command);
}

static void macs_look(struct ft_call *call)
{
    mist_command_ask(call, macs_ready);
}

static void macs_begin(struct ft_call *call)
{
    if (mist_text(call, "mac") || mist_text(call, "port") || mist_text(call, "vlan"))
        mist_find_device(call, "switch", macs_look);
    else
        mist_fail(call, FT_INVALID, "mac, port or vlan: which addresses shall be forgotten? one of them must be given");
}
MIST_BEGIN(MIST_RUN, macs_begin, macs_run)
MIST_BEGIN(MIST_PLAN, macs_begin, macs_plan)

const struct ft_action mist_mac_table_clear = {
    MIST_WRITE(macs_run, macs_plan),
    .name = "mac_table_clear", .summary = "let a switch forget MAC addresses that it learned: one, those of a port, those of a VLAN",
    .effects = FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT, .timeout_ms = 60000,
    .params_schema = MIST_PARAMS("\"device\"", MIST_SITE "," MIST_DEVICE ","
        JSON("port": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[0-9A-Za-z_./:-]+$",
                      "description": "those of this port, such as ge-0/0/1.0"},
             "vlan": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[0-9A-Za-z_.-]+$", "description": "those of this VLAN"},
             "mac": {"type": "string", "minLength": 12, "description": "this one, in any notation"})),
    .result_schema = MIST_OBJ(PORT_RESULT),
    .about = "`POST /sites/{site_id}/devices/{device_id}/clear_mac_table`. They are learned again with the next frame; until then the switch floods. Sticky addresses stay:\n"
             "`mist.port_clear_macs` forgets those as well.",
    .example = "- id: forget\n  run: mist.mac_table_clear\n  with: {device: sw-3, site: HQ, port: ge-0/0/12.0}\n  undo: none\n",
};
