/* mist_firmware.c: firmware: which there is, how far an upgrade is, calling it off. Beginning one is in mist_upgrade.c. */
#include <string.h>
#include <strings.h>
#include "mist.h"

/* ---- firmware_versions: GET /orgs|sites/…/devices/versions */

static const struct mist_field version_fields[] = { { "model", "model", MIST_STR }, { "version", "version", MIST_STR }, { "tag", "tag", MIST_STR } };

static void versions_here(struct ft_call *call, json_t *items)
{
    const char *model = mist_text(call, "model"), *wanted = mist_text(call, "version");
    json_t *rows = mist_hold(call, MIST_ROWS(items, version_fields)), *taken = json_array(), *stable = json_object(), *row;
    bool there = false;
    size_t i;

    json_array_foreach(rows, i, row) {
        const char *has = mist_str(row, "version"), *of = mist_str(row, "model");

        if (!has || (model && (!of || strcasecmp(of, model) != 0)))
            continue;
        there = there || (wanted && strcmp(wanted, has) == 0);
        if (of && mist_str(row, "tag") && strcmp(mist_str(row, "tag"), "stable") == 0)
            json_object_set(stable, of, json_object_get(row, "version"));
        json_array_append(taken, row);
    }
    mist_done(call, json_pack("{s:o, s:i, s:o, s:o}", "versions", taken, "total", (int)json_array_size(taken), "stable", stable,
                              "compatible", wanted ? json_boolean(there) : json_null()));
}

static void versions_look(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    const char *model = mist_text(call, "model");

    mist_get_array(call, versions_here, "/%s/%s/devices/versions?type=%s%s%s", st->site_id ? "sites" : "orgs",
                   mist_escape(call, st->site_id ? st->site_id : mist_of(call)->org), mist_text(call, "type"), model ? "&model=" : "",
                   model ? mist_escape(call, model) : "");
}

static void versions_begin(struct ft_call *call)
{
    mist_find_site(call, versions_look);
}
MIST_BEGIN(MIST_LOOK, versions_begin, versions_start)

const struct ft_action mist_firmware_versions = {
    MIST_READ(versions_start),
    .name = "firmware_versions", .summary = "which firmware there is for a model, and whether a version fits it",
    .params_schema = MIST_PARAMS("", MIST_SITE ","
        JSON("type": {"type": "string", "enum": ["ap", "switch", "gateway"], "default": "ap", "description": "kind of device"},
             "model": {"type": "string", "minLength": 1, "description": "only this model, such as AP43"},
             "version": {"type": "string", "minLength": 1, "description": "tell whether this version is among them"})),
    .result_schema = MIST_OBJ(
        MIST_P_LIST("versions", MIST_OBJ(MIST_P_STR("model", "model") "," MIST_P_STR("version", "version") "," MIST_P_STR("tag", "stable, alpha … nil: none")), "versions") ","
        MIST_P("total", "\"integer\"", "versions in the answer") ","
        "\"stable\":{\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\"},\"description\":\"the stable version of each model\"},"
        MIST_P_BOOL("compatible", "`version` is among them; nil when none was asked for")),
    .about = "`GET /sites/{site_id}/devices/versions`, or that of the organisation without a site.",
    .example = "- id: fits\n  run: mist.firmware_versions\n  with: {site: HQ, type: ap, model: AP43, version: 0.14.29633}\n",
};

#define UPGRADE_ID JSON("upgrade_id": {"type": "string", "minLength": 1, "description": "id of the upgrade, as mist.firmware_upgrade gives it"})

/* ---- firmware_upgrade_status: GET /sites/{site_id}/devices/upgrade/{upgrade_id} */

static const char *const states[] = {
    "scheduled", "download_requested", "downloading", "downloaded", "reboot_in_progress", "rebooted", "upgraded", "skipped", "failed",
};

static json_t *macs_of(const json_t *list)
{
    json_t *out = json_array(), *item;
    size_t i;

    json_array_foreach(list, i, item)
        if (json_is_string(item))
            json_array_append(out, item);
    return out;
}

static bool is_over(const char *status)
{
    return status && (!strcmp(status, "completed") || !strcmp(status, "failed") || !strcmp(status, "cancelled"));
}

static json_t *upgrade_row(const json_t *item)
{
    static const struct mist_field head[] = {
        { "id", "id", MIST_STR }, { "status", "status", MIST_STR }, { "version", "target_version", MIST_STR }, { "strategy", "strategy", MIST_STR },
        { "start_time", "start_time", MIST_TIME }, { "reboot_at", "reboot_at", MIST_TIME }, { "phase", "current_phase", MIST_INT },
    };
    const json_t *targets = mist_at(item, "targets|counts");
    json_t *row = json_object();

    MIST_PICK(row, item, head);
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        const json_t *is = json_object_get(targets, states[i]);

        json_object_set_new(row, states[i], json_is_array(is) ? json_integer((json_int_t)json_array_size(is)) : json_integer((json_int_t)mist_num(targets, states[i], 0)));
    }
    json_object_set_new(row, "total", json_integer((json_int_t)mist_num(targets, "total", 0)));
    json_object_set_new(row, "finished", json_boolean(is_over(mist_str(item, "status"))));
    return row;
}

static void upgrade_status_here(struct ft_call *call, json_t *answer)
{
    json_t *row = upgrade_row(answer);

    json_object_set_new(row, "succeeded", json_boolean(mist_str(answer, "status") && strcmp(mist_str(answer, "status"), "completed") == 0 && mist_num(row, "failed", 0) == 0));
    json_object_set_new(row, "failed_devices", macs_of(mist_at(answer, "targets.failed")));
    json_object_set_new(row, "skipped_devices", macs_of(mist_at(answer, "targets.skipped")));
    host->progress(call, "%.0f of %.0f devices have the firmware, %.0f failed", mist_num(row, "upgraded", 0), mist_num(row, "total", 0), mist_num(row, "failed", 0));
    mist_done(call, row);
}

static void upgrade_status_look(struct ft_call *call)
{
    mist_get(call, upgrade_status_here, "/sites/%s/devices/upgrade/%s", mist_escape(call, mist_state(call)->site_id), mist_escape(call, mist_text(call, "upgrade_id")));
}

static void upgrade_status_begin(struct ft_call *call)
{
    mist_find_site(call, upgrade_status_look);
}
MIST_BEGIN(MIST_LOOK, upgrade_status_begin, upgrade_status_start)

#define UPGRADE_PROPERTIES MIST_P_STR("id", "id of the upgrade") "," \
    MIST_P_STR("status", "created, queued, downloading, downloaded, upgrading, completed, failed or cancelled") "," MIST_P_STR("version", "version to run") "," \
    MIST_P_STR("strategy", "big_bang, serial, canary or rrm") "," MIST_P_TIME("start_time", "when it begins") "," MIST_P_TIME("reboot_at", "when the devices restart") "," \
    MIST_P_INT("phase", "canary: phase now") "," MIST_P("scheduled", "\"integer\"", "devices that wait") "," \
    MIST_P("download_requested", "\"integer\"", "devices told to download") "," MIST_P("downloading", "\"integer\"", "devices that download") "," \
    MIST_P("downloaded", "\"integer\"", "devices that have it") "," MIST_P("reboot_in_progress", "\"integer\"", "devices that restart") "," \
    MIST_P("rebooted", "\"integer\"", "devices that restarted") "," MIST_P("upgraded", "\"integer\"", "devices that run it") "," \
    MIST_P("skipped", "\"integer\"", "devices left out") "," MIST_P("failed", "\"integer\"", "devices that did not take it") "," \
    MIST_P("total", "\"integer\"", "devices in all") "," MIST_P("finished", "\"boolean\"", "it is over: completed, failed or cancelled")

const struct ft_action mist_firmware_upgrade_status = {
    MIST_READ(upgrade_status_start),
    .name = "firmware_upgrade_status", .summary = "how far a firmware upgrade is, device by device in numbers",
    .params_schema = MIST_PARAMS("\"site\",\"upgrade_id\"", MIST_SITE "," UPGRADE_ID),
    .result_schema = MIST_OBJ(UPGRADE_PROPERTIES "," MIST_P("succeeded", "\"boolean\"", "it is completed, and no device failed") ","
        MIST_P_LIST("failed_devices", "{\"type\":\"string\"}", "MAC addresses of those that did not take it") ","
        MIST_P_LIST("skipped_devices", "{\"type\":\"string\"}", "MAC addresses of those left out")),
    .about = "`GET /sites/{site_id}/devices/upgrade/{upgrade_id}`. Look at `upgrade_status` of `mist.device_status` for one device's own word.",
    .example = "- id: how_far\n  run: mist.firmware_upgrade_status\n  with: {site: HQ, upgrade_id: \"${upgrade.upgrade_id}\"}\n",
};

/* ---- firmware_upgrades: GET /sites/{site_id}/devices/upgrade */

static const char *const list_filters[] = { "status", NULL };
static const struct mist_table list_table = { .name = "upgrades", .site = "/devices/upgrade", .filters = list_filters, .row = upgrade_row, .sort = "start_time", .whole = true };
MIST_TABLE(list_start, list_table)

const struct ft_action mist_firmware_upgrades = {
    MIST_READ(list_start),
    .name = "firmware_upgrades", .summary = "the firmware upgrades of a site: those to come, those under way, those over",
    .params_schema = MIST_PARAMS("\"site\"", MIST_SITE ","
        JSON("status": {"type": "string", "enum": ["created", "queued", "downloading", "downloaded", "upgrading", "completed", "failed", "cancelled"], "description": "only these"})),
    .result_schema = MIST_OBJ(MIST_P_LIST("upgrades", MIST_OBJ(UPGRADE_PROPERTIES), "newest first") "," MIST_P("total", "\"integer\"", "upgrades in the answer") "," MIST_COMPLETE),
    .about = "`GET /sites/{site_id}/devices/upgrade`.",
    .example = "- id: upgrades\n  run: mist.firmware_upgrades\n  with: {site: HQ}\n",
};

/* ---- firmware_upgrade_cancel: POST /sites/{site_id}/devices/upgrade/{upgrade_id}/cancel */

static void cancel_ready(struct ft_call *call, json_t *answer)
{
    struct mist_call *st = mist_state(call);
    struct mist_write *w = &st->write;
    const char *status = mist_str(answer, "status"), *id = mist_text(call, "upgrade_id");

    w->before = mist_hold(call, json_pack("{s:s?}", "status", status));
    w->nothing_to_do = is_over(status);
    w->summary = w->nothing_to_do ? host->printf(call, "the upgrade is over already (%s)", status) : host->printf(call, "call off the upgrade %s (%s)", id, status ? status : "?");
    w->method = "POST";
    w->path = host->printf(call, "/sites/%s/devices/upgrade/%s/cancel", mist_escape(call, st->site_id), mist_escape(call, id));
    w->result = mist_hold(call, json_pack("{s:s, s:s}", "site_id", st->site_id, "upgrade_id", id));
    mist_write_ready(call);
}

static void cancel_look(struct ft_call *call)
{
    mist_get(call, cancel_ready, "/sites/%s/devices/upgrade/%s", mist_escape(call, mist_state(call)->site_id), mist_escape(call, mist_text(call, "upgrade_id")));
}

static void cancel_begin(struct ft_call *call)
{
    mist_find_site(call, cancel_look);
}
MIST_BEGIN(MIST_RUN, cancel_begin, cancel_run)
MIST_BEGIN(MIST_PLAN, cancel_begin, cancel_plan)

const struct ft_action mist_firmware_upgrade_cancel = {
    MIST_WRITE(cancel_run, cancel_plan),
    .name = "firmware_upgrade_cancel", .summary = "call off a firmware upgrade, as far as it still can be",
    .effects = FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT,
    .params_schema = MIST_PARAMS("\"site\",\"upgrade_id\"", MIST_SITE "," UPGRADE_ID),
    .result_schema = MIST_OBJ(MIST_CHANGED "," MIST_P_STR("site_id", "site") "," MIST_P_STR("upgrade_id", "id of the upgrade")),
    .about = "`POST /sites/{site_id}/devices/upgrade/{upgrade_id}/cancel`. Mist does its best: devices that restart already go on, those that have the firmware keep it.",
    .example = "- id: stop\n  run: mist.firmware_upgrade_cancel\n  with: {site: HQ, upgrade_id: \"${upgrade.upgrade_id}\"}\n"
               "  verify:\n    run: mist.firmware_upgrade_status\n    with: {site: HQ, upgrade_id: \"${result.upgrade_id}\"}\n    until: result.finished\n"
               "    every: 15s\n    within: 10m\n  undo: none\n",
};
