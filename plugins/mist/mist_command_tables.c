/* mist_command_tables.c: tables that a device shows: ARP, MAC addresses, 802.1X, DHCP leases. */
#include <string.h>
#include "mist_command.h"

/* What stands in MIST_TABLE_COMMAND is all that differs from table to table. No table names its end but Junos' ARP: silence of QUIET_MS ends the others. */
enum { FIRST_MS = 30000, QUIET_MS = 4000, TOTAL_MS = 90000 };

static void table_over(struct ft_call *call, const struct mist_output *output, json_t *out)
{
    bool all = json_is_true(json_object_get(out, "complete")) && (output->how == MIST_ENDED || output->how == MIST_QUIET);

    json_object_set_new(out, "total", json_integer((json_int_t)json_array_size(json_object_get(out, "entries"))));
    mist_command_finish(call, output, all, out);
}

static void put(struct ft_call *call, json_t *body, const char *param, const char *key)
{
    if (mist_text(call, param))
        json_object_set_new(body, key, json_string(mist_text(call, param)));
}

#define TABLE_COMMAND(name, shown, read) \
    static void name##_over(struct ft_call *call, const struct mist_output *output) { table_over(call, output, read(output->text)); } \
    static const struct mist_command name##_command = { .what = shown, .ended = mist_table_ended, .first_ms = FIRST_MS, .quiet_ms = QUIET_MS, \
                                                        .total_ms = TOTAL_MS, \
                                                        .over = name##_over };
#define TABLE_START(name, type) \
    static void name##_look(struct ft_call *call) { mist_command_ask(call, name##_ready); } \
    static void name##_begin(struct ft_call *call) { mist_find_device(call, type, name##_look); } \
    MIST_BEGIN(MIST_LOOK, name##_begin, name##_start)

#define ENTRIES(properties, text) MIST_P_LIST("entries", MIST_OBJ(properties), text) "," MIST_P("total", "\"integer\"", "entries") "," MIST_COMMAND_RESULT
#define MAC_PARAM JSON("mac": {"type": "string", "minLength": 12, "description": "only this MAC address, in any notation"})
#define PORT_PARAM JSON("port": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[0-9A-Za-z_./:-]+$", \
                                 "description": "only this port, such as ge-0/0/1"})
#define VRF_PARAM JSON("vrf": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[0-9A-Za-z_.-]+$", \
                               "description": "routing instance; switches and gateways"})
#define NODE_PARAM JSON("node": {"type": "string", "enum": ["node0", "node1"], "description": "node of a pair of gateways"})

#define QUIET_END "Most devices do not mark the table's end: it is over when nothing has come for 4 s. `complete` is false where the device announced more entries than came."

/* ---- device_arp: POST …/arp of an AP, …/show_arp of a switch or a gateway */

TABLE_COMMAND(arp, "device_arp", mist_arp_read)

static void arp_ready(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    bool ap = st->device.type && strcmp(st->device.type, "ap") == 0;
    json_t *body = mist_hold(call, json_object());

    if (!st->device.type) {
        mist_fail(call, FT_INVALID, "device: Mist does not tell whether '%.100s' is an AP or a switch, and they show their tables by different commands",
                  mist_device_name(st));
        return;
    }
    if (ap && (mist_text(call, "ip") || mist_text(call, "port") || mist_text(call, "vrf"))) {
        mist_fail(call, FT_INVALID, "ip, port and vrf are for switches and gateways: an AP shows its whole table");
        return;
    }
    put(call, body, "ip", "ip");
    put(call, body, "port", "port_id");
    put(call, body, "vrf", "vrf");
    mist_command_post(call, &arp_command, ap ? "arp" : "show_arp", json_incref(body));
}
TABLE_START(arp, NULL)

const struct ft_action mist_device_arp = {
    MIST_READ(arp_start),
    .name = "device_arp", .summary = "the ARP table of a switch or a gateway; of an access point, the addresses that it bridges", .timeout_ms = 150000,
    .params_schema = MIST_PARAMS("\"device\"", MIST_SITE "," MIST_DEVICE "," VRF_PARAM "," PORT_PARAM ","
        JSON("ip": {"type": "string", "format": "ip", "description": "only this address; switches and gateways"})),
    .result_schema = MIST_OBJ(ENTRIES(MIST_P_MAC("mac", "MAC address") "," MIST_P_STR("ip", "address; nil: an AP shows none") ","
                                      MIST_P_STR("interface", "interface") ","
        MIST_P_STR("port", "port of the switch, where it is told") "," MIST_P_INT("vlan", "AP: VLAN") "," MIST_P_NUM("idle_s", "AP: s without traffic"),
            "the table")),
    .about = "`POST /sites/{site_id}/devices/{device_id}/show_arp`, of an AP `…/arp`; the output comes over Mist's websocket. " QUIET_END,
    .example = "- id: neighbours\n  run: mist.device_arp\n  with: {device: sw-3, site: HQ, ip: 10.1.20.50}\n",
};

/* ---- switch_mac_table: POST …/show_mac_table */

TABLE_COMMAND(macs, "switch_mac_table", mist_macs_read)

/* The address as Mist writes it into `body`; false: the call has failed. */
static bool put_mac(struct ft_call *call, json_t *body)
{
    char mac[MIST_MAC_LEN + 1];

    if (!mist_text(call, "mac"))
        return true;
    if (!mist_mac(mist_text(call, "mac"), mac)) {
        mist_fail(call, FT_INVALID, "mac: '%.60s' is no MAC address", mist_text(call, "mac"));
        return false;
    }
    json_object_set_new(body, "mac_address", json_string(mac));
    return true;
}

static void macs_ready(struct ft_call *call)
{
    json_t *body = mist_hold(call, json_object());

    put(call, body, "port", "port_id");
    put(call, body, "vlan", "vlan_id");
    if (put_mac(call, body))
        mist_command_post(call, &macs_command, "show_mac_table", json_incref(body));
}
TABLE_START(macs, "switch")

#define VLAN_PARAM JSON("vlan": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[0-9A-Za-z_.-]+$", "description": "only this VLAN"})

const struct ft_action mist_switch_mac_table = {
    MIST_READ(macs_start),
    .name = "switch_mac_table", .summary = "the MAC addresses that a switch has learned, and where", .timeout_ms = 150000,
    .params_schema = MIST_PARAMS("\"device\"", MIST_SITE "," MIST_DEVICE "," MAC_PARAM "," PORT_PARAM "," VLAN_PARAM),
    .result_schema = MIST_OBJ(ENTRIES(MIST_P_STR("vlan", "VLAN") "," MIST_P_MAC("mac", "MAC address") ","
                                      MIST_P_STR("flags", "how it was learned: D dynamic, S static, P persistent") ","
        MIST_P_INT("age_s", "s, where the switch tells") "," MIST_P_STR("interface", "where, such as ge-0/0/1.0"), "the table")),
    .about = "`POST /sites/{site_id}/devices/{device_id}/show_mac_table`; the output comes over Mist's websocket. " QUIET_END,
    .example = "- id: learned\n  run: mist.switch_mac_table\n  with: {device: sw-3, site: HQ, port: ge-0/0/12}\n",
};

/* ---- switch_dot1x: POST …/show_dot1x */

TABLE_COMMAND(dot1x, "switch_dot1x", mist_dot1x_read)

static void dot1x_ready(struct ft_call *call)
{
    json_t *body = mist_hold(call, json_object());

    put(call, body, "port", "port_id");
    mist_command_post(call, &dot1x_command, "show_dot1x", json_incref(body));
}
TABLE_START(dot1x, "switch")

const struct ft_action mist_switch_dot1x = {
    MIST_READ(dot1x_start),
    .name = "switch_dot1x", .summary = "802.1X at the ports of a switch: who is let in", .timeout_ms = 150000,
    .params_schema = MIST_PARAMS("\"device\"", MIST_SITE "," MIST_DEVICE "," PORT_PARAM),
    .result_schema = MIST_OBJ(ENTRIES(MIST_P_STR("port", "port") "," MIST_P_STR("role", "Authenticator …") ","
                                      MIST_P_STR("state", "Authenticated, Connecting, Held …") ","
        MIST_P_MAC("mac", "MAC address of the device there") "," MIST_P_STR("user", "who logged in"), "ports with 802.1X")),
    .about = "`POST /sites/{site_id}/devices/{device_id}/show_dot1x`; the output comes over Mist's websocket. " QUIET_END,
    .example = "- id: who\n  run: mist.switch_dot1x\n  with: {device: sw-3, site: HQ, port: ge-0/0/12}\n",
};

/* ---- device_dhcp_leases: POST …/show_dhcp_leases */

TABLE_COMMAND(leases, "device_dhcp_leases", mist_leases_read)

static void leases_ready(struct ft_call *call)
{
    json_t *body = mist_hold(call, json_object());

    put(call, body, "network", "network");
    put(call, body, "node", "node");
    mist_command_post(call, &leases_command, "show_dhcp_leases", json_incref(body));
}
TABLE_START(leases, NULL)

const struct ft_action mist_device_dhcp_leases = {
    MIST_READ(leases_start),
    .name = "device_dhcp_leases", .summary = "the leases of a switch or a gateway that is the DHCP server", .timeout_ms = 150000,
    .params_schema = MIST_PARAMS("\"device\",\"network\"", MIST_SITE "," MIST_DEVICE "," NODE_PARAM ","
        JSON("network": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[0-9A-Za-z_.-]+$",
                         "description": "network of the leases, as Mist calls it"})),
    .result_schema = MIST_OBJ(ENTRIES(MIST_P_STR("ip", "address") "," MIST_P_MAC("mac", "MAC address of its holder") ","
                                      MIST_P_INT("expires_s", "s until it ends") ","
        MIST_P_STR("state", "BOUND …") "," MIST_P_STR("interface", "interface"), "leases")),
    .about = "`POST /sites/{site_id}/devices/{device_id}/show_dhcp_leases`; the output comes over Mist's websocket. Junos' table is understood; of others read `lines`. " QUIET_END,
    .example = "- id: leases\n  run: mist.device_dhcp_leases\n  with: {device: sw-3, site: HQ, network: guest}\n",
};
