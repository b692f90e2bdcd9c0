/* mist_device.c: access points and switches: how they are, and restarting them. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "mist.h"

#define LOOK_AGAIN_MS 10000u

/* ---- statistics: GET /sites/{site_id}/stats/devices/{device_id} */

static void stats_here(struct ft_call *call, json_t *stats)
{
    struct mist_call *st = mist_state(call);
    const char *type = mist_str(stats, "type");

    if (st->wanted_type && type && strcmp(type, st->wanted_type) != 0) {
        mist_fail(call, FT_INVALID, "device: '%.100s' is of type '%s', not '%s'", mist_text(call, "device"), type, st->wanted_type);
        return;
    }
    if (st->wanted_type && !type && st->mode != MIST_LOOK) {
        mist_fail(call, FT_INVALID, "device: Mist does not tell whether '%.100s' is of type '%s', so it is left alone", mist_text(call, "device"), st->wanted_type);
        return;
    }
    if (mist_str(stats, "name|hostname"))
        st->device.name = mist_str(stats, "name|hostname");
    if (mist_str(stats, "mac"))
        st->device.mac = mist_str(stats, "mac");
    st->device.type = type;
    st->device.model = mist_str(stats, "model");
    st->record_then(call, stats);
}

void mist_device_stats(struct ft_call *call, mist_then *then)
{
    struct mist_call *st = mist_state(call);

    st->record_then = then;
    mist_get(call, stats_here, "/sites/%s/stats/devices/%s", mist_escape(call, st->site_id), mist_escape(call, st->device.id));
}

/* ---- device_status */

#define RADIO_FIELDS(F) \
    F(INT, channel, "channel", "channel number") \
    F(INT, bandwidth, "bandwidth", "channel width, MHz") \
    F(NUM, power, "power", "transmit power, dBm") \
    F(NUM, noise_floor, "noise_floor", "noise, dBm") \
    F(NUM, util_all, "util_all", "air time in use, %") \
    F(NUM, util_tx, "util_tx", "air time of its own sending, %") \
    F(NUM, util_rx_in_bss, "util_rx_in_bss", "air time of its own clients, %") \
    F(NUM, util_rx_other_bss, "util_rx_other_bss", "air time of other Wi-Fi networks, %") \
    F(NUM, util_unknown_wifi, "util_unknown_wifi", "air time of Wi-Fi that is not understood, %") \
    F(NUM, util_non_wifi, "util_non_wifi", "air time of what is not Wi-Fi, %") \
    F(STR, usage, "usage", "band that the radio serves now: 24, 5 or 6")

static const struct mist_field device_fields[] = { MIST_DEVICE_FIELDS(MIST_ROW) };
#define RADIO_CLIENTS MIST_P_INT("num_clients", "clients on this radio")
static const struct mist_field radio_fields[] = { RADIO_FIELDS(MIST_ROW) { "num_clients", "num_clients", MIST_INT } };
static const char *const bands[] = { "band_24", "band_5", "band_6" };

static json_t *percent_used(const json_t *stats)
{
    double total = mist_num(stats, "mem_total_kb", 0), usage = mist_num(stats, "memory_stat.usage", -1);

    if (total > 0)
        return json_real(100 * mist_num(stats, "mem_used_kb", 0) / total);
    return usage >= 0 ? json_real(usage) : json_null();
}

static json_t *cpu_used(const json_t *stats)
{
    double util = mist_num(stats, "cpu_util", -1), idle = mist_num(stats, "cpu_stat.idle", -1);

    if (util >= 0)
        return json_real(util);
    return idle >= 0 ? json_real(100 - idle) : json_null();
}

/* APs count wireless clients, switches wired ones. NULL where nothing tells. */
static json_t *clients_of(const json_t *stats)
{
    const json_t *count = mist_at(stats, "num_clients|clients_stats.total.num_wired_clients");

    return json_is_integer(count) ? json_integer(json_integer_value(count)) : json_null();
}

/* VLAN numbers come as numbers or as texts. */
static json_t *vlans_of(const json_t *list)
{
    json_t *vlans = json_array(), *item;
    size_t i;

    json_array_foreach(list, i, item)
        json_array_append_new(vlans, json_is_string(item) ? json_integer(strtol(json_string_value(item), NULL, 10)) : json_incref(item));
    return vlans;
}

static json_t *radios_of(const json_t *stats)
{
    json_t *radios = json_object();

    for (size_t i = 0; i < ARRAY_LEN(bands); i++) {
        const json_t *radio = json_object_get(mist_at(stats, "radio_stat"), bands[i]);

        if (json_is_object(radio)) {
            json_t *row = json_object();

            MIST_PICK(row, radio, radio_fields);
            json_object_set_new(radios, bands[i], row);
        }
    }
    return radios;
}

static json_t *pools_of(const json_t *stats)
{
    json_t *pools = json_array(), *pool;
    const char *name;

    json_object_foreach(mist_at(stats, "dhcpd_stat"), name, pool)
        if (json_is_object(pool))
            json_array_append_new(pools, json_pack("{s:s, s:f, s:f}", "network", name, "addresses", mist_num(pool, "num_ips", 0),
                                                   "leased", mist_num(pool, "num_leased", 0)));
    return pools;
}

json_t *mist_device_summary(const json_t *stats)
{
    json_t *out = json_object();

    MIST_PICK(out, stats, device_fields);
    json_object_set_new(out, "status", json_string(mist_str(stats, "status") ? mist_str(stats, "status") : "unknown"));
    json_object_set_new(out, "num_clients", clients_of(stats));
    json_object_set_new(out, "cpu_util", cpu_used(stats));
    json_object_set_new(out, "mem_pct", percent_used(stats));
    return out;
}

static void status_here(struct ft_call *call, json_t *stats)
{
    static const struct mist_field code = { "code", "last_trouble.code", MIST_STR }, at = { "timestamp", "last_trouble.timestamp", MIST_TIME };
    json_t *out = mist_device_summary(stats);

    json_object_set_new(out, "inactive_wired_vlans", vlans_of(mist_at(stats, "inactive_wired_vlans")));
    json_object_set_new(out, "last_trouble", json_pack("{s:o, s:o}", "code", mist_value(stats, &code), "timestamp", mist_value(stats, &at)));
    json_object_set_new(out, "radios", radios_of(stats));
    json_object_set_new(out, "dhcp_pools", pools_of(stats));
    mist_done(call, out);
}

static void status_look(struct ft_call *call)
{
    mist_device_stats(call, status_here);
}

static void status_begin(struct ft_call *call)
{
    mist_find_device(call, NULL, status_look);
}
MIST_BEGIN(MIST_LOOK, status_begin, status_start)

const struct ft_action mist_device_status = {
    MIST_READ(status_start),
    .name = "device_status", .summary = "how an access point or a switch is: reachability, load, power, uplink, radios",
    .params_schema = MIST_PARAMS("\"device\"", MIST_SITE "," MIST_DEVICE),
    .result_schema = MIST_OBJ(
        MIST_SUMMARY_PROPERTIES ","
        MIST_P_LIST("inactive_wired_vlans", "{\"type\":[\"integer\",\"null\"]}", "AP: VLANs without traffic on its wire, a hint at a VLAN that the switch port lacks") ","
        MIST_P_OBJ("last_trouble", MIST_P_STR("code", "code of the trouble") "," MIST_P_TIME("timestamp", "when it was"), "the last trouble that Mist saw") ","
        MIST_P_OBJ("radios",
            MIST_P_OBJ("band_24", RADIO_FIELDS(MIST_PROPERTY) RADIO_CLIENTS, "2.4 GHz") ","
            MIST_P_OBJ("band_5", RADIO_FIELDS(MIST_PROPERTY) RADIO_CLIENTS, "5 GHz") ","
            MIST_P_OBJ("band_6", RADIO_FIELDS(MIST_PROPERTY) RADIO_CLIENTS, "6 GHz"),
            "the radios of an AP that are on") ","
        MIST_P_LIST("dhcp_pools", MIST_OBJ(MIST_P_STR("network", "name of the network") "," MIST_P_NUM("addresses", "addresses in the pool") ","
            MIST_P_NUM("leased", "addresses in use")), "switch: pools of its own DHCP server")),
    .about = "`GET /sites/{site_id}/stats/devices/{device_id}`: what the device reported last, every minute or so.",
    .example = "- id: ap\n  run: mist.device_status\n  with: {device: \"${association.last_ap_id}\", site: \"${association.site_id}\"}\n",
};

/* ---- ap_restart and switch_restart: POST /sites/{site_id}/devices/{device_id}/restart */

static const char *device_name(const struct mist_call *st)
{
    return st->device.name ? st->device.name : st->device.mac ? st->device.mac : st->device.id;
}

static void restart_ready(struct ft_call *call, json_t *stats)
{
    /* what the write rests on keeps still; what moves by itself goes into the receipt, for the probe */
    static const struct mist_field still[] = { { "name", "name|hostname", MIST_STR }, { "status", "status", MIST_STR }, { "version", "version", MIST_STR } };
    static const struct mist_field moving[] = { { "uptime", "uptime", MIST_INT }, { "last_seen", "last_seen", MIST_TIME } };
    struct mist_call *st = mist_state(call);
    struct mist_write *w = &st->write;
    const json_t *member = json_object_get(host->params(call), "member");
    json_t *users = mist_hold(call, clients_of(stats)), *seen = mist_hold(call, json_object());

    w->before = mist_hold(call, json_object());
    MIST_PICK(w->before, stats, still);
    MIST_PICK(seen, stats, moving);
    w->users = json_is_integer(users) ? json_integer_value(users) : -1;
    w->summary = host->printf(call, "restart %s%s", device_name(st), member ? host->printf(call, ", member %d", (int)json_integer_value(member)) : "");
    w->method = "POST";
    w->path = host->printf(call, "/sites/%s/devices/%s/restart", mist_escape(call, st->site_id), mist_escape(call, st->device.id));
    w->body = member ? mist_hold(call, json_pack("{s:O}", "member", member)) : NULL;
    w->receipt = mist_hold(call, json_pack("{s:s, s:s, s:f, s:O}", "site_id", st->site_id, "device_id", st->device.id,
                                           "at", (double)host->wall_ms(call) / 1000, "seen", seen));
    w->result = mist_hold(call, json_pack("{s:s, s:s, s:s?}", "site_id", st->site_id, "device_id", st->device.id, "name", st->device.name));
    if (mist_str(stats, "status") && strcmp(mist_str(stats, "status"), "connected") != 0) {
        w->note = host->printf(call, "%s is %s: Mist can restart only what is connected to it", device_name(st), mist_str(stats, "status"));
        if (st->mode == MIST_RUN)
            host->log(call, FT_LOG_WARN, "%s", w->note);
    }
    mist_write_ready(call);
}

static void restart_look(struct ft_call *call)
{
    mist_device_stats(call, restart_ready);
}

static void ap_restart_begin(struct ft_call *call)
{
    mist_find_device(call, "ap", restart_look);
}

static void switch_restart_begin(struct ft_call *call)
{
    mist_find_device(call, "switch", restart_look);
}

/* ---- did it restart? An uptime shorter than before tells it without any clock; so does one shorter than the time since. A device that
 * is away may be restarting just now, and one that was asked a moment ago may not have begun: the probe looks again as long as it may. */

static void restart_probe_look(struct ft_call *call);

static bool restarted(const json_t *stats, const json_t *receipt, double since)
{
    double uptime = mist_num(stats, "uptime", -1);

    return uptime >= 0 && (uptime < mist_num(receipt, "seen.uptime", -1) || uptime < since);
}

static void restart_probed(struct ft_call *call, json_t *stats)
{
    const json_t *receipt = mist_receipt(call);
    const char *status = mist_str(stats, "status");
    double since = (double)host->wall_ms(call) / 1000 - mist_num(receipt, "at", 0);
    double last_seen = mist_num(stats, "last_seen", 0);
    bool here = status && strcmp(status, "connected") == 0, happened;

    if (!receipt)
        return;
    here = here && (!last_seen || last_seen > mist_num(receipt, "seen.last_seen", 0));
    happened = here && restarted(stats, receipt, since);
    if (happened || (here && since * 1000 >= LOOK_AGAIN_MS))
        mist_done(call, json_pack("{s:b, s:{s:s, s:f}}", "happened", happened, "seen", "status", status, "uptime", mist_num(stats, "uptime", -1)));
    else if (host->remaining_ms(call) <= 2 * LOOK_AGAIN_MS || !host->timer(call, LOOK_AGAIN_MS, restart_probe_look))
        mist_fail(call, FT_INVALID, "%s is %s and Mist has no newer figures of it than those from before the request: nobody can see yet whether it restarted",
                  device_name(mist_state(call)), status ? status : "unknown");
}

static void restart_probe_look(struct ft_call *call)
{
    mist_device_stats(call, restart_probed);
}

static void restart_probe_begin(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    const json_t *receipt = mist_receipt(call);

    if (!receipt)
        return;
    st->site_id = mist_str(receipt, "site_id");
    st->device.id = mist_str(receipt, "device_id");
    if (!st->site_id || !st->device.id)
        mist_fail(call, FT_INVALID, "the receipt names no site and device");
    else
        restart_probe_look(call);
}

MIST_BEGIN(MIST_RUN, ap_restart_begin, ap_restart_run)
MIST_BEGIN(MIST_PLAN, ap_restart_begin, ap_restart_plan)
MIST_BEGIN(MIST_RUN, switch_restart_begin, switch_restart_run)
MIST_BEGIN(MIST_PLAN, switch_restart_begin, switch_restart_plan)
MIST_BEGIN(MIST_PROBE, restart_probe_begin, restart_probe)

#define RESTARTED MIST_OBJ(MIST_CHANGED "," MIST_P_STR("site_id", "site of the device") "," \
    MIST_P_STR("device_id", "id of the device") "," MIST_P_STR("name", "name of the device"))

const struct ft_action mist_ap_restart = {
    MIST_WRITE(ap_restart_run, ap_restart_plan), .probe = { restart_probe, mist_drop },
    .name = "ap_restart", .summary = "restart an access point; its clients lose Wi-Fi for some minutes",
    .effects = FT_EFFECT_DISRUPTIVE, .timeout_ms = 120000,
    .params_schema = MIST_PARAMS("\"device\"", MIST_SITE "," MIST_DEVICE),
    .result_schema = RESTARTED,
    .about = "`POST /sites/{site_id}/devices/{device_id}/restart`. The plan counts the clients of the AP. There is nothing to take back.\n"
             "Mist's 200 means that the request was accepted: verify with `mist.device_status` that `uptime` starts anew.\n"
             "After a crash the probe compares the uptime with the one from before.",
    .example = "- id: restart_ap\n  run: mist.ap_restart\n  with: {device: \"${ap.id}\", site: \"${association.site_id}\"}\n"
               "  verify:\n    run: mist.device_status\n    with: {device: \"${ap.id}\", site: \"${association.site_id}\"}\n"
               "    until: result.status == \"connected\" and result.uptime < 600\n    every: 15s\n    within: 8m\n  undo: none\n",
};

const struct ft_action mist_switch_restart = {
    MIST_WRITE(switch_restart_run, switch_restart_plan), .probe = { restart_probe, mist_drop },
    .name = "switch_restart", .summary = "restart a switch; everything behind it is away for many minutes",
    .effects = FT_EFFECT_DISRUPTIVE, .timeout_ms = 120000,
    .params_schema = MIST_PARAMS("\"device\"", MIST_SITE "," MIST_DEVICE ","
        JSON("member": {"type": "integer", "minimum": 0, "maximum": 9, "description": "only this member of a virtual chassis"})),
    .result_schema = RESTARTED,
    .about = "`POST /sites/{site_id}/devices/{device_id}/restart`. The plan counts the wired clients of the switch. There is nothing to take back.",
    .example = "- id: restart_switch\n  run: mist.switch_restart\n  with: {device: sw-3, site: HQ}\n  undo: none\n",
};
