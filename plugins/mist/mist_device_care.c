/* mist_device_care.c: commands to one or many devices that bring no output: restarting many, provisioning anew, support data, snapshots, clearing ports. */
#include <string.h>
#include <strings.h>
#include "mist.h"

/* ---- plain commands: POST /sites/{site_id}/devices/{device_id}/<command>, without a receipt and without undo */

struct command {
    const char *path, *type;             /* type: of the device; NULL: any */
    const char *doing;                   /* "provision %s anew" */
    json_int_t users;                    /* -1: not known */
    json_t *(*body)(struct ft_call *call);       /* NULL: none */
};

static void command_ready(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    const struct command *command = st->own;

    mist_device_write(call, "POST", command->path, command->body ? command->body(call) : NULL);
    st->write.summary = host->printf(call, "%s %s", command->doing, mist_device_name(st));
    st->write.users = command->users;
    mist_write_ready(call);
}

static void run_command(struct ft_call *call, const struct command *command)
{
    mist_state(call)->own = (void *)command;
    mist_find_device(call, command->type, command_ready);
}

#define COMMAND(name, ...) \
    static const struct command name##_command = { __VA_ARGS__ }; \
    static void name##_begin(struct ft_call *call) { run_command(call, &name##_command); } \
    MIST_BEGIN(MIST_RUN, name##_begin, name##_run) \
    MIST_BEGIN(MIST_PLAN, name##_begin, name##_plan)

#define DEVICE_TOUCHED MIST_OBJ(MIST_CHANGED "," MIST_P_STR("site_id", "site of the device") "," MIST_P_STR("device_id", "id of the device"))

COMMAND(reprovision, .path = "reprovision", .doing = "push the whole configuration anew to", .users = -1)
COMMAND(snapshot, .path = "snapshot", .type = "switch", .doing = "take a recovery snapshot of", .users = 0)
COMMAND(poll, .path = "poll_stats", .type = "switch", .doing = "ask for fresh statistics of", .users = 0)

const struct ft_action mist_device_reprovision = {
    MIST_WRITE(reprovision_run, reprovision_plan),
    .name = "device_reprovision", .summary = "push the whole configuration anew to a device",
    .effects = FT_EFFECT_DISRUPTIVE | FT_EFFECT_IDEMPOTENT,
    .params_schema = MIST_PARAMS("\"device\"", MIST_SITE "," MIST_DEVICE),
    .result_schema = DEVICE_TOUCHED,
    .about = "`POST /sites/{site_id}/devices/{device_id}/reprovision`. For switches that drifted from what Mist holds: what somebody changed there by hand goes. Whether APs\n"
             "take it is not documented.",
    .example = "- id: anew\n  run: mist.device_reprovision\n  with: {device: sw-3, site: HQ}\n"
               "  verify:\n    run: mist.device_config_status\n    with: {device: sw-3, site: HQ}\n    until: result.applied\n    every: 15s\n    within: 10m\n  undo: none\n",
};

const struct ft_action mist_switch_snapshot = {
    MIST_WRITE(snapshot_run, snapshot_plan),
    .name = "switch_snapshot", .summary = "let a switch keep a copy of its system to recover from",
    .effects = FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT,
    .params_schema = MIST_PARAMS("\"device\"", MIST_SITE "," MIST_DEVICE),
    .result_schema = DEVICE_TOUCHED,
    .about = "`POST /sites/{site_id}/devices/{device_id}/snapshot`: EX2300, EX3400, EX4400. Before a firmware upgrade.",
    .example = "- id: snapshot\n  run: mist.switch_snapshot\n  with: {device: sw-3, site: HQ}\n  undo: none\n",
};

const struct ft_action mist_stats_poll = {
    MIST_WRITE(poll_run, poll_plan),
    .name = "stats_poll", .summary = "let a switch report its statistics at once",
    .effects = FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT,
    .params_schema = MIST_PARAMS("\"device\"", MIST_SITE "," MIST_DEVICE),
    .result_schema = DEVICE_TOUCHED,
    .about = "`POST /sites/{site_id}/devices/{device_id}/poll_stats`. Switches report about once a minute: this saves the wait before `mist.switch_port`.",
    .example = "- id: fresh\n  run: mist.stats_poll\n  with: {device: sw-3, site: HQ}\n  undo: none\n",
};

/* ---- device_support: POST …/support: the device uploads what Juniper's support will ask for */

static json_t *support_body(struct ft_call *call)
{
    return json_pack("{s:s}", "info", mist_text(call, "info"));
}
COMMAND(support, .path = "support", .doing = "upload support data of", .users = 0, .body = support_body)

const struct ft_action mist_device_support = {
    MIST_WRITE(support_run, support_plan),
    .name = "device_support", .summary = "let a device upload the data that a case with Juniper needs",
    .effects = FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT,
    .params_schema = MIST_PARAMS("\"device\"", MIST_SITE "," MIST_DEVICE ","
        JSON("info": {"type": "string", "enum": ["full", "process", "outbound-ssh", "messages", "code-dumps", "var-logs"], "default": "full", "description": "what to upload"})),
    .result_schema = DEVICE_TOUCHED,
    .about = "`POST /sites/{site_id}/devices/{device_id}/support`. The data goes from the device to Mist, where support finds it: name the device and the time in the case.",
    .example = "- id: for_the_case\n  run: mist.device_support\n  with: {device: sw-3, site: HQ, info: full}\n  undo: none\n",
};

/* ---- port_clear_bpdu: POST …/clear_bpdu_error. Releases up to 2511 take `port`, those from 2602 `ports`: both are sent. */

static json_t *bpdu_body(struct ft_call *call)
{
    const char *port = mist_text(call, "port");

    return json_pack("{s:s, s:[s]}", "port", port, "ports", port);
}
COMMAND(bpdu, .path = "clear_bpdu_error", .type = "switch", .doing = "clear the spanning tree block of a port of", .users = 0, .body = bpdu_body)

#define PORT(text) "\"port\":{\"type\":\"string\",\"minLength\":1,\"description\":\"" text "\"}"

const struct ft_action mist_port_clear_bpdu = {
    MIST_WRITE(bpdu_run, bpdu_plan),
    .name = "port_clear_bpdu", .summary = "let a port live again that was blocked because it got BPDUs",
    .effects = FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT,
    .params_schema = MIST_PARAMS("\"device\",\"port\"", MIST_SITE "," MIST_DEVICE "," PORT("name of the port, such as ge-0/0/1, or all")),
    .result_schema = DEVICE_TOUCHED,
    .about = "`POST /sites/{site_id}/devices/{device_id}/clear_bpdu_error`. Find out first who sent the BPDUs: a loop comes back at once.",
    .example = "- id: unblock\n  run: mist.port_clear_bpdu\n  with: {device: sw-3, site: HQ, port: ge-0/0/12}\n  undo: none\n",
};

/* ---- port_clear_macs: POST …/clear_macs, with the logical unit */

static json_t *macs_body(struct ft_call *call)
{
    const char *port = mist_text(call, "port");

    return json_pack("{s:[s]}", "ports", strchr(port, '.') ? port : host->printf(call, "%s.0", port));
}
COMMAND(macs, .path = "clear_macs", .type = "switch", .doing = "forget the MAC addresses of a port of", .users = 0, .body = macs_body)

const struct ft_action mist_port_clear_macs = {
    MIST_WRITE(macs_run, macs_plan),
    .name = "port_clear_macs", .summary = "let a switch forget the MAC addresses that it learned on a port, also the sticky ones",
    .effects = FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT,
    .params_schema = MIST_PARAMS("\"device\",\"port\"", MIST_SITE "," MIST_DEVICE "," PORT("name of the port, such as ge-0/0/1")),
    .result_schema = DEVICE_TOUCHED,
    .about = "`POST /sites/{site_id}/devices/{device_id}/clear_macs`: after a port's limit of MAC addresses was reached, or a device with a sticky address was replaced.",
    .example = "- id: forget\n  run: mist.port_clear_macs\n  with: {device: sw-3, site: HQ, port: ge-0/0/12}\n  undo: none\n",
};

/* ---- ap_restart_many: POST /sites/{site_id}/devices/restart {device_ids} */

static bool is_named(struct ft_call *call, const json_t *stats)
{
    json_t *item;
    size_t i;

    json_array_foreach(json_object_get(host->params(call), "devices"), i, item) {
        const char *text = json_string_value(item), *has = mist_str(stats, "mac");
        char mac[MIST_MAC_LEN + 1];

        if (!text)
            continue;
        if ((mist_str(stats, "name") && strcmp(mist_str(stats, "name"), text) == 0) || (mist_str(stats, "id") && strcasecmp(mist_str(stats, "id"), text) == 0) ||
            (has && mist_mac(text, mac) && strcmp(mac, has) == 0))
            return true;
    }
    return false;
}

static void restart_ready(struct ft_call *call, json_t *items)
{
    struct mist_call *st = mist_state(call);
    struct mist_write *w = &st->write;
    json_t *ids = mist_hold(call, json_array()), *before = mist_hold(call, json_object()), *stats;
    size_t i, named = json_array_size(json_object_get(host->params(call), "devices")), away = 0;
    json_int_t users = 0;

    json_array_foreach(items, i, stats) {
        bool up = mist_str(stats, "status") && strcmp(mist_str(stats, "status"), "connected") == 0;

        if (!mist_str(stats, "id") || !is_named(call, stats))
            continue;
        away += !up;
        if (!up)
            continue;
        json_array_append(ids, json_object_get(stats, "id"));
        json_object_set_new(before, mist_str(stats, "name|mac") ? mist_str(stats, "name|mac") : "?", json_string("connected"));
        users += (json_int_t)mist_num(stats, "num_clients", 0);
    }
    if (json_array_size(ids) + away != named) {
        mist_fail(call, FT_NOT_FOUND, "devices: %zu of the %zu named are APs of site %s", json_array_size(ids) + away, named, mist_site_label(st));
        return;
    }
    if (!json_array_size(ids)) {
        mist_fail(call, FT_CONFLICT, "none of the %zu APs is connected, and Mist restarts only those that are", named);
        return;
    }
    w->before = before;
    w->users = users;
    w->summary = host->printf(call, "restart %zu APs of site %s", json_array_size(ids), mist_site_label(st));
    w->method = "POST";
    w->path = host->printf(call, "/sites/%s/devices/restart", mist_escape(call, st->site_id));
    w->body = mist_hold(call, json_pack("{s:O}", "device_ids", ids));
    w->result = mist_hold(call, json_pack("{s:s, s:O, s:i}", "site_id", st->site_id, "device_ids", ids, "not_connected", (int)away));
    mist_write_ready(call);
}

static void restart_look(struct ft_call *call)
{
    mist_list(call, 10000, restart_ready, "/sites/%s/stats/devices?type=ap&status=all", mist_escape(call, mist_state(call)->site_id));
}

static void restart_begin(struct ft_call *call)
{
    mist_find_site(call, restart_look);
}
MIST_BEGIN(MIST_RUN, restart_begin, restart_run)
MIST_BEGIN(MIST_PLAN, restart_begin, restart_plan)

const struct ft_action mist_ap_restart_many = {
    MIST_WRITE(restart_run, restart_plan),
    .name = "ap_restart_many", .summary = "restart several access points of a site at once; their clients lose Wi-Fi for some minutes",
    .effects = FT_EFFECT_DISRUPTIVE, .timeout_ms = 60000,
    .params_schema = MIST_PARAMS("\"site\",\"devices\"", MIST_SITE ","
        JSON("devices": {"type": "array", "minItems": 1, "maxItems": 1000, "uniqueItems": true, "items": {"type": "string", "minLength": 1}, "description": "names, MAC addresses or ids"})),
    .result_schema = MIST_OBJ(MIST_CHANGED "," MIST_P_STR("site_id", "site") "," MIST_P_LIST("device_ids", "{\"type\":\"string\"}", "ids of those restarted") ","
        MIST_P("not_connected", "\"integer\"", "those named that are not connected, and so are not restarted")),
    .about = "`POST /sites/{site_id}/devices/restart`. Mist restarts only those that are connected. The plan counts the clients of all of them: neighbours that restart\n"
             "together leave a hole, so prefer a loop over `mist.ap_restart`, each verified, where time allows.",
    .example = "- id: restart_floor\n  run: mist.ap_restart_many\n  with: {site: HQ, devices: [ap-3f-12, ap-3f-13]}\n  undo: none\n",
};
