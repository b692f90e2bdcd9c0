/* mist_device_config.c: the configuration of one device: reading it, changing keys of it, pinning a radio. */
#include <string.h>
#include <strings.h>
#include "mist.h"

static const char *device_path(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);

    return host->printf(call, "/sites/%s/devices/%s", mist_escape(call, st->site_id), mist_escape(call, st->device.id));
}

/* ---- device_config: GET /sites/{site_id}/devices/{device_id} */

static void config_here(struct ft_call *call, json_t *answer)
{
    static const struct mist_field head[] = {
        { "id", "id", MIST_STR }, { "name", "name", MIST_STR }, { "type", "type", MIST_STR }, { "model", "model", MIST_STR }, { "site_id", "site_id", MIST_STR },
        { "modified_time", "modified_time", MIST_TIME }, { "deviceprofile_id", "deviceprofile_id", MIST_STR }, { "notes", "notes", MIST_STR },
    };
    json_t *out = json_object();

    MIST_PICK(out, answer, head);
    json_object_set_new(out, "config", mist_without_secrets(answer));
    mist_done(call, out);
}

static void config_look(struct ft_call *call)
{
    mist_get(call, config_here, "%s", device_path(call));
}

static void config_begin(struct ft_call *call)
{
    mist_find_device(call, NULL, config_look);
}
MIST_BEGIN(MIST_LOOK, config_begin, config_start)

const struct ft_action mist_device_config = {
    MIST_READ(config_start),
    .name = "device_config", .summary = "the configuration that Mist holds for one device",
    .params_schema = MIST_PARAMS("\"device\"", MIST_SITE "," MIST_DEVICE),
    .result_schema = MIST_OBJ(MIST_P_STR("id", "id of the device") "," MIST_P_STR("name", "name") "," MIST_P_STR("type", "ap, switch or gateway") ","
        MIST_P_STR("model", "model") "," MIST_P_STR("site_id", "its site") "," MIST_P_TIME("modified_time", "when the object was changed last") ","
        MIST_P_STR("deviceprofile_id", "its profile") "," MIST_P_STR("notes", "notes") ","
        MIST_P("config", "\"object\"", "the object as Mist has it; keys and secrets are ***")),
    .about = "`GET /sites/{site_id}/devices/{device_id}`: what is set for this device alone, not what templates bring.",
    .example = "- id: config\n  run: mist.device_config\n  with: {device: ap-3f-12, site: HQ}\n",
};

/* ---- device_config_cmd: GET …/config_cmd: the commands that Mist would push to a switch */

static void cmd_here(struct ft_call *call, json_t *answer)
{
    json_t *lines = json_array(), *item;
    size_t i;

    json_array_foreach(mist_at(answer, "cli"), i, item)
        if (json_is_string(item))
            json_array_append(lines, item);
    json_array_foreach(lines, i, item) {
        const char *text = json_string_value(item);

        if (strstr(text, "secret ") || strstr(text, "password ") || strstr(text, "pre-shared-key") || strstr(text, "authentication-key") || strstr(text, "community "))
            json_array_set_new(lines, i, json_sprintf("%.*s ***", (int)(strrchr(text, ' ') ? strrchr(text, ' ') - text : 0), text));
    }
    mist_done(call, json_pack("{s:o, s:i}", "commands", lines, "total", (int)json_array_size(lines)));
}

static void cmd_look(struct ft_call *call)
{
    mist_get(call, cmd_here, "%s/config_cmd", device_path(call));
}

static void cmd_begin(struct ft_call *call)
{
    mist_find_device(call, "switch", cmd_look);
}
MIST_BEGIN(MIST_LOOK, cmd_begin, cmd_start)

const struct ft_action mist_device_config_cmd = {
    MIST_READ(cmd_start),
    .name = "device_config_cmd", .summary = "the commands that Mist would push to a switch",
    .params_schema = MIST_PARAMS("\"device\"", MIST_SITE "," MIST_DEVICE),
    .result_schema = MIST_OBJ(MIST_P_LIST("commands", "{\"type\":\"string\"}", "set commands; the last word of those with secrets is ***") ","
        MIST_P("total", "\"integer\"", "commands")),
    .about = "`GET /sites/{site_id}/devices/{device_id}/config_cmd`: to compare with what the switch has (`junos.config_get`), when somebody changed it by hand.",
    .example = "- id: wanted\n  run: mist.device_config_cmd\n  with: {device: sw-3, site: HQ}\n",
};

/* ---- device_config_update: PUT /sites/{site_id}/devices/{device_id} */

static void update_look(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);

    mist_edit(call, &(struct mist_edit){
        .path = device_path(call), .what = host->printf(call, "the configuration of %s", mist_device_name(st)),
        .changes = json_object_get(host->params(call), "changes"),
    });
}

static void update_counted(struct ft_call *call, json_t *stats)
{
    struct mist_call *st = mist_state(call);
    const json_t *count = mist_at(stats, "num_clients|clients_stats.total.num_wired_clients");

    st->write.users = json_is_integer(count) ? json_integer_value(count) : -1;
    update_look(call);
}

static void update_count(struct ft_call *call)
{
    if (mist_state(call)->mode == MIST_PLAN)
        mist_device_stats(call, update_counted);
    else
        update_look(call);
}

static void update_begin(struct ft_call *call)
{
    const json_t *changes = json_object_get(host->params(call), "changes");

    if (json_object_get(changes, "local_port_config"))
        mist_fail(call, FT_INVALID, "changes: local_port_config holds the overrides of all ports: change one with mist.switch_port_config");
    else if (mist_may_change(call, changes))
        mist_find_device(call, NULL, update_count);
}
MIST_BEGIN(MIST_RUN, update_begin, update_run)
MIST_BEGIN(MIST_PLAN, update_begin, update_plan)
MIST_BEGIN(MIST_UNDO, mist_edit_undo_begin, config_undo)

#define VERIFIED(id) "  verify:\n    run: mist.device_config_status\n    with: {device: " id ", site: HQ}\n    until: result.applied\n    every: 15s\n    within: 10m\n  undo: auto\n"

const struct ft_action mist_device_config_update = {
    MIST_WRITE(update_run, update_plan), .undo = { config_undo, mist_drop },
    .name = "device_config_update", .summary = "change keys of one device's configuration",
    .effects = FT_EFFECT_DISRUPTIVE | FT_EFFECT_IDEMPOTENT, .timeout_ms = 60000,
    .params_schema = MIST_PARAMS("\"device\",\"changes\"", MIST_SITE "," MIST_DEVICE "," MIST_CHANGES),
    .result_schema = MIST_EDIT_RESULT,
    .about = "`PUT /sites/{site_id}/devices/{device_id}` with just the keys given. What users notice depends on the keys; the plan counts who hangs on the device. Keys that\n"
             "hold secrets are refused. Undo puts back the former values, unless somebody changed them since. With `config_auto_revert` in the site's settings an AP\n"
             "that the change cuts off goes back by itself: `mist.device_config_status` then says `reverted`.",
    .example = "- id: led\n  run: mist.device_config_update\n  with: {device: ap-3f-12, site: HQ, changes: {led: {enabled: false}}}\n" VERIFIED("ap-3f-12"),
};

/* ---- ap_radio: the same for `radio_config`, of which one band changes */

static const char *const radio_keys[] = { "channel", "power", "bandwidth", "disabled" };

static void radio_ready(struct ft_call *call, json_t *object)
{
    struct mist_call *st = mist_state(call);
    const json_t *params = host->params(call);
    const char *key = host->printf(call, "band_%s", mist_text(call, "band"));
    const json_t *has = json_object_get(object, "radio_config");
    json_t *config = json_is_object(has) ? json_deep_copy(has) : json_object(), *band = json_object_get(config, key);
    size_t given = 0;

    if (!json_is_object(band)) {
        band = json_object();
        json_object_set_new(config, key, band);
    }
    for (size_t i = 0; i < ARRAY_LEN(radio_keys); i++) {
        json_t *value = json_object_get(params, radio_keys[i]);

        given += value != NULL;
        if (value)
            json_object_set(band, radio_keys[i], value);
    }
    config = mist_hold(call, json_pack("{s:o}", "radio_config", config));
    if (!given)
        mist_fail(call, FT_INVALID, "nothing to change: give channel, power, bandwidth or disabled; null lets RRM choose");
    else
        mist_edit(call, &(struct mist_edit){
            .path = device_path(call), .changes = config, .what = host->printf(call, "the %s radio of %s", key, mist_device_name(st)),
        });
}

static void radio_look(struct ft_call *call)
{
    mist_get(call, radio_ready, "%s", device_path(call));
}

static void radio_stats(struct ft_call *call, json_t *stats)
{
    const json_t *count = mist_at(stats, host->printf(call, "radio_stat.band_%s.num_clients", mist_text(call, "band")));

    mist_state(call)->write.users = json_is_integer(count) ? json_integer_value(count) : -1;
    radio_look(call);
}

static void radio_count(struct ft_call *call)
{
    mist_device_stats(call, radio_stats);
}

static void radio_begin(struct ft_call *call)
{
    mist_find_device(call, "ap", radio_count);
}
MIST_BEGIN(MIST_RUN, radio_begin, radio_run)
MIST_BEGIN(MIST_PLAN, radio_begin, radio_plan)

const struct ft_action mist_ap_radio = {
    MIST_WRITE(radio_run, radio_plan), .undo = { config_undo, mist_drop },
    .name = "ap_radio", .summary = "pin channel, transmit power or width of one radio of an AP, or switch it off; or give it back to RRM",
    .effects = FT_EFFECT_DISRUPTIVE | FT_EFFECT_IDEMPOTENT, .timeout_ms = 60000,
    .params_schema = MIST_PARAMS("\"device\",\"band\"", MIST_SITE "," MIST_DEVICE "," MIST_BAND ","
        JSON("channel": {"type": ["integer", "null"], "minimum": 1, "maximum": 233, "description": "channel number; null: RRM chooses"},
             "power": {"type": ["integer", "null"], "minimum": 1, "maximum": 30, "description": "transmit power, dBm; null: RRM chooses"},
             "bandwidth": {"type": ["integer", "null"], "enum": [20, 40, 80, 160, null], "description": "channel width, MHz; null: RRM chooses"},
             "disabled": {"type": "boolean", "description": "the radio is off"})),
    .result_schema = MIST_EDIT_RESULT,
    .about = "`PUT /sites/{site_id}/devices/{device_id}` with `radio_config`, of which only this band changes. A radio that changes its channel drops its clients for some\n"
             "seconds: the plan counts them. What is pinned here RRM leaves alone from then on. See `mist.ap_channels` for what the law allows. Undo puts the former\n"
             "radio settings back.",
    .example = "- id: pin\n  run: mist.ap_radio\n  with: {device: ap-3f-12, site: HQ, band: \"5\", channel: 44, power: 12}\n" VERIFIED("ap-3f-12"),
};

/* ---- device_config_history: GET /sites/{site_id}/devices/config_history/search */

static json_t *history_row(const json_t *item)
{
    static const struct mist_field head[] = {
        { "timestamp", "timestamp", MIST_TIME }, { "version", "version", MIST_STR }, { "channel_24", "channel_24", MIST_INT }, { "channel_5", "channel_5", MIST_INT },
        { "secpolicy_violated", "secpolicy_violated", MIST_BOOL }, { "mac", "mac", MIST_MAC },
    };
    json_t *row = json_object(), *ssids = json_array(), *ssid;
    size_t i;

    MIST_PICK(row, item, head);
    json_array_foreach(mist_at(item, "ssids"), i, ssid)
        if (json_is_string(ssid))
            json_array_append(ssids, ssid);
    json_object_set_new(row, "ssids", ssids);
    return row;
}

static void history_here(struct ft_call *call, json_t *items)
{
    json_t *rows = json_array(), *item;
    size_t i;

    json_array_foreach(items, i, item)
        if (json_is_object(item))
            json_array_append_new(rows, history_row(item));
    mist_sort_down(rows, "timestamp");
    mist_done(call, json_pack("{s:o, s:i, s:b}", "configurations", rows, "total", (int)json_array_size(rows), "complete", mist_state(call)->list.complete));
}

static void history_look(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);

    mist_list(call, (size_t)json_integer_value(json_object_get(host->params(call), "limit")), history_here, "/sites/%s/devices/config_history/search?duration=%s&mac=%s",
              mist_escape(call, st->site_id), mist_window(call), st->device.mac ? st->device.mac : "");
}

static void history_begin(struct ft_call *call)
{
    mist_find_device(call, NULL, history_look);
}
MIST_BEGIN(MIST_LOOK, history_begin, history_start)

const struct ft_action mist_device_config_history = {
    MIST_READ(history_start),
    .name = "device_config_history", .summary = "which configurations a device was given, and when",
    .params_schema = MIST_PARAMS("\"device\"", MIST_SITE "," MIST_DEVICE "," MIST_WINDOW("7d") "," MIST_LIMIT("100", "1000")),
    .result_schema = MIST_OBJ(MIST_LISTED("configurations", MIST_P_TIME("timestamp", "when it was") "," MIST_P_STR("version", "firmware then") ","
        MIST_P_MAC("mac", "MAC address of the device") "," MIST_P_INT("channel_24", "channel of 2.4 GHz") "," MIST_P_INT("channel_5", "channel of 5 GHz") ","
        MIST_P_BOOL("secpolicy_violated", "it broke the security policy") "," MIST_P_LIST("ssids", "{\"type\":\"string\"}", "networks"), "newest first")),
    .about = "`GET /sites/{site_id}/devices/config_history/search`. `mist.audit_log` says who changed what.",
    .example = "- id: given\n  run: mist.device_config_history\n  with: {device: ap-3f-12, site: HQ}\n",
};
