/* mist_switch.c: ports of switches: how one is, and bouncing it. */
#include <string.h>
#include "mist.h"
#include "mist_command.h"

#define LOOK_AGAIN_MS 10000u
#define STATS_ARE_NEW_S 90          /* a switch reports its ports about once a minute */

/* ---- one port: GET /sites/{site_id}/stats/ports/search */

#define PORT_FIELDS(F) \
    F(STR, port, "port_id", "name of the port, such as ge-0/0/1") \
    F(MAC, switch_mac, "mac", "MAC address of the switch") \
    F(BOOL, up, "up", "the link is up") \
    F(BOOL, disabled, "disabled", "switched off by configuration") \
    F(INT, speed, "speed", "Mbit/s") \
    F(BOOL, full_duplex, "full_duplex", "full duplex") \
    F(TIME, last_flapped, "last_flapped", "when the link changed last") \
    F(INT, mac_count, "mac_count", "MAC addresses learned") \
    F(INT, mac_limit, "mac_limit", "MAC addresses allowed; 0 is any number") \
    F(MAC, neighbor_mac, "neighbor_mac", "MAC address of the neighbour, by LLDP") \
    F(STR, neighbor_name, "neighbor_system_name", "name of the neighbour, by LLDP") \
    F(STR, neighbor_port, "neighbor_port_desc", "port of the neighbour, by LLDP") \
    F(BOOL, poe_on, "poe_on", "gives power") \
    F(BOOL, poe_disabled, "poe_disabled", "power is switched off by configuration") \
    F(STR, poe_mode, "poe_mode", "802.3af, 802.3at or 802.3bt") \
    F(NUM, power_draw, "power_draw", "power taken, W") \
    F(STR, stp_state, "stp_state", "forwarding, blocking …") \
    F(STR, stp_role, "stp_role", "designated, root …") \
    F(STR, auth_state, "auth_state", "802.1X: authenticated, authenticating, held, init") \
    F(STR, usage, "port_usage", "port profile") \
    F(INT, rx_errors, "rx_errors", "damaged frames received") \
    F(INT, tx_errors, "tx_errors", "frames that could not be sent") \
    F(NUM, rx_bps, "rx_bps", "traffic in, bit/s") \
    F(NUM, tx_bps, "tx_bps", "traffic out, bit/s")

static const struct mist_field port_fields[] = { PORT_FIELDS(MIST_ROW) };

static void port_here(struct ft_call *call, json_t *items)
{
    struct mist_call *st = mist_state(call);
    const char *port = mist_text(call, "port");
    json_t *item;
    size_t i;

    json_array_foreach(items, i, item) {
        if (mist_str(item, "port_id") && port && strcmp(mist_str(item, "port_id"), port) == 0) {
            st->record_then(call, item);
            return;
        }
    }
    st->record_then(call, NULL);
}

void mist_find_port(struct ft_call *call, mist_then *then)
{
    struct mist_call *st = mist_state(call);

    st->record_then = then;
    if (!st->device.mac) {
        mist_fail(call, FT_INVALID, "device: '%.60s' is an id that does not tell its MAC address: write the MAC address or the name", mist_text(call, "device"));
        return;
    }
    mist_list(call, 10, port_here, "/sites/%s/stats/ports/search?mac=%s&port_id=%s", mist_escape(call, st->site_id), st->device.mac,
              mist_escape(call, mist_text(call, "port")));
}

static json_t *port_row(const json_t *item)
{
    json_t *row = json_object();

    MIST_PICK(row, item, port_fields);
    return row;
}


static void port_shown(struct ft_call *call, json_t *item)
{
    json_t *out = port_row(item);

    json_object_set_new(out, "known", json_boolean(item));
    mist_done(call, out);
}

static void port_look(struct ft_call *call)
{
    mist_find_port(call, port_shown);
}

static void port_begin(struct ft_call *call)
{
    mist_find_device(call, "switch", port_look);
}
MIST_BEGIN(MIST_LOOK, port_begin, port_start)

#define PORT_PARAM JSON("port": {"type": "string", "minLength": 1, "description": "name of the port, such as ge-0/0/1"})

const struct ft_action mist_switch_port = {
    MIST_READ(port_start),
    .name = "switch_port", .summary = "how one port of a switch is: link, power, neighbour, errors, spanning tree",
    .params_schema = MIST_PARAMS("\"device\",\"port\"", MIST_SITE "," MIST_DEVICE "," PORT_PARAM),
    .result_schema = MIST_OBJ(PORT_FIELDS(MIST_PROPERTY) MIST_P("known", "\"boolean\"", "Mist has figures of this port")),
    .about = "`GET /sites/{site_id}/stats/ports/search`. A switch reports its ports about once a minute.",
    .example = "- id: port\n  run: mist.switch_port\n  with: {device: \"${ap.lldp_switch}\", port: \"${ap.lldp_port}\", site: \"${ap.site_id}\"}\n",
};

/* ---- port_bounce: POST /sites/{site_id}/devices/{device_id}/bounce_port */

static const char *switch_name(const struct mist_call *st)
{
    return st->device.name ? st->device.name : st->device.mac ? st->device.mac : st->device.id;
}

/* The switch's own word, where it comes: the port is bounced without it as well. */
static void bounce_over(struct ft_call *call, const struct mist_output *output)
{
    json_t *out = json_copy(mist_state(call)->write.result);

    json_object_set_new(out, "changed", json_true());
    json_object_set_new(out, "confirmed", json_boolean(output->how == MIST_ENDED));
    json_object_set_new(out, "lines", mist_lines(output->text));
    mist_done(call, out);
}

static const struct mist_command bounce_command = {
    .what = "port_bounce", .ended = mist_bounce_ended, .first_ms = 15000, .quiet_ms = 5000, .total_ms = 30000, .sent_is_done = true, .claims = "bounce", .over = bounce_over,
};

static void bounce_ready(struct ft_call *call, json_t *item)
{
    /* what moves by itself (counters, times) is nothing that a write rests on */
    static const struct mist_field still[] = {
        { "up", "up", MIST_BOOL }, { "disabled", "disabled", MIST_BOOL }, { "poe_on", "poe_on", MIST_BOOL }, { "usage", "port_usage", MIST_STR },
        { "neighbor_name", "neighbor_system_name", MIST_STR },
    };
    struct mist_call *st = mist_state(call);
    struct mist_write *w = &st->write;
    const char *port = mist_text(call, "port");

    if (!item) {
        mist_fail(call, FT_NOT_FOUND, "Mist has no figures of port %s of switch %s: check the name of the port", port, switch_name(st));
        return;
    }
    w->before = mist_hold(call, json_object());
    MIST_PICK(w->before, item, still);
    w->users = json_is_integer(mist_at(item, "mac_count")) ? json_integer_value(mist_at(item, "mac_count")) : -1;
    w->summary = host->printf(call, "bounce port %s of %s", port, switch_name(st));
    w->method = "POST";
    w->path = host->printf(call, "/sites/%s/devices/%s/bounce_port", mist_escape(call, st->site_id), mist_escape(call, st->device.id));
    w->body = mist_hold(call, json_pack("{s:[s]}", "ports", port));
    w->receipt = mist_hold(call, json_pack("{s:s, s:s, s:s, s:f, s:f}", "site_id", st->site_id, "device_id", st->device.id, "mac", st->device.mac,
                                           "at", (double)host->wall_ms(call) / 1000, "last_flapped", mist_num(item, "last_flapped", 0)));
    w->result = mist_hold(call, json_pack("{s:s, s:s, s:s}", "site_id", st->site_id, "device_id", st->device.id, "port", port));
    w->sent = mist_command_sent;
    if (st->mode == MIST_RUN)
        mist_command_listen(call, &bounce_command, mist_write_ready);
    else
        mist_write_ready(call);
}

static void bounce_look(struct ft_call *call)
{
    mist_find_port(call, bounce_ready);
}

static void bounce_begin(struct ft_call *call)
{
    mist_find_device(call, "switch", bounce_look);
}

/* The port's own record of its last change tells. The switch reports late, so "not yet" is no "no" before a report must have come. */
static void bounce_probe_look(struct ft_call *call);

static void bounce_probed(struct ft_call *call, json_t *item)
{
    const json_t *receipt = mist_receipt(call);
    double was = mist_num(receipt, "last_flapped", 0), is = mist_num(item, "last_flapped", 0);
    double since = (double)host->wall_ms(call) / 1000 - mist_num(receipt, "at", 0);

    if (!receipt)
        return;
    if (is > was || (is && since >= STATS_ARE_NEW_S))
        mist_done(call, json_pack("{s:b, s:{s:f, s:b}}", "happened", is > was, "seen", "last_flapped", is, "up", json_is_true(mist_at(item, "up"))));
    else if (!is || host->remaining_ms(call) <= 2 * LOOK_AGAIN_MS || !host->timer(call, LOOK_AGAIN_MS, bounce_probe_look))
        mist_fail(call, FT_INVALID, "Mist does not tell whether port %s changed since the request", mist_text(call, "port"));
}

static void bounce_probe_look(struct ft_call *call)
{
    mist_find_port(call, bounce_probed);
}

static void bounce_probe_begin(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    const json_t *receipt = mist_receipt(call);

    if (!receipt)
        return;
    st->site_id = mist_str(receipt, "site_id");
    st->device.mac = mist_str(receipt, "mac");
    if (!st->site_id || !st->device.mac)
        mist_fail(call, FT_INVALID, "the receipt names no site and switch");
    else
        bounce_probe_look(call);
}

MIST_BEGIN(MIST_RUN, bounce_begin, bounce_run)
MIST_BEGIN(MIST_PLAN, bounce_begin, bounce_plan)
MIST_BEGIN(MIST_PROBE, bounce_probe_begin, bounce_probe)

const struct ft_action mist_port_bounce = {
    MIST_WRITE(bounce_run, bounce_plan), .probe = { bounce_probe, mist_drop },
    .name = "port_bounce", .summary = "take a switch port down and up again",
    .effects = FT_EFFECT_DISRUPTIVE, .timeout_ms = 150000,
    .params_schema = MIST_PARAMS("\"device\",\"port\"", MIST_SITE "," MIST_DEVICE "," PORT_PARAM),
    .result_schema = MIST_OBJ(MIST_CHANGED "," MIST_P_STR("site_id", "site of the switch") "," MIST_P_STR("device_id", "id of the switch") ","
        MIST_P_STR("port", "name of the port") "," MIST_P("confirmed", "\"boolean\"", "the switch said that it is complete; false: it was told to, and said nothing") ","
        MIST_P_LIST("lines", "{\"type\":\"string\"}", "what the switch said, line by line")),
    .about = "`POST /sites/{site_id}/devices/{device_id}/bounce_port`. Whether the power is cut as well is not documented: to make an AP start anew,\n"
             "use `mist.port_poe_cycle`. The plan counts the MAC addresses behind the port. There is nothing to take back.\n"
             "The switch's own word (`confirmed`) comes over Mist's websocket; where that is shut, the port is bounced all the same.\n"
             "After a crash the probe compares the time of the port's last change with the one from before.",
    .example = "- id: bounce\n  run: mist.port_bounce\n  with: {device: \"${ap.lldp_switch}\", port: \"${ap.lldp_port}\", site: \"${ap.site_id}\"}\n  undo: none\n",
};
