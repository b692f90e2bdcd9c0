/* mist_firmware.c: firmware: which there is, upgrading devices of a site, how far it is, calling it off. */
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

/* ---- firmware_upgrade: POST /sites/{site_id}/devices/upgrade
 *
 * The devices are looked up first (the plan names them and counts who hangs on them), and the version is checked against what Mist offers for their
 * models. The answer is the id of the upgrade; the receipt has what a probe needs to find it again. */

struct upgrade {
    json_t *devices;            /* held; statistics of those to upgrade */
    json_t *ids;                /* held */
    const char *type;
};

static bool is_named(struct ft_call *call, const json_t *stats)
{
    const json_t *names = json_object_get(host->params(call), "devices");
    json_t *item;
    size_t i;

    if (!names)
        return true;
    json_array_foreach(names, i, item) {
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

static bool model_fits(struct ft_call *call, const json_t *stats)
{
    const char *model = mist_text(call, "model");

    return !model || (mist_str(stats, "model") && strcasecmp(mist_str(stats, "model"), model) == 0);
}

static json_int_t clients_of(const json_t *stats)
{
    return (json_int_t)mist_num(stats, "num_clients|clients_stats.total.num_wired_clients", 0);
}

/* Models among the devices for which Mist does not offer the version; NULL: it fits all. */
static const char *misfit(struct ft_call *call, const json_t *versions, const char *version)
{
    const struct upgrade *own = mist_state(call)->own;
    json_t *device, *item;
    size_t i, j;

    json_array_foreach(own->devices, i, device) {
        const char *model = mist_str(device, "model");
        bool fits = !model;

        json_array_foreach(versions, j, item)
            fits = fits || (mist_str(item, "model") && mist_str(item, "version") && !strcasecmp(mist_str(item, "model"), model) &&
                            !strcmp(mist_str(item, "version"), version));
        if (!fits)
            return model;
    }
    return NULL;
}

static json_t *upgrade_body(struct ft_call *call)
{
    static const char *const passed_on[] = { "version", "strategy", "start_time", "reboot", "reboot_at", "max_failure_percentage", "force", "snapshot", "canary_phases" };
    const json_t *params = host->params(call);
    const struct upgrade *own = mist_state(call)->own;
    json_t *body = json_pack("{s:O}", "device_ids", own->ids);

    for (size_t i = 0; i < ARRAY_LEN(passed_on); i++)
        if (json_object_get(params, passed_on[i]))
            json_object_set(body, passed_on[i], json_object_get(params, passed_on[i]));
    if (strcmp(own->type, "switch") == 0 && !json_object_get(body, "reboot"))
        json_object_set_new(body, "reboot", json_true());      /* else a switch keeps running the old one */
    return body;
}

static void upgrade_sent(struct ft_call *call, json_t *answer)
{
    struct mist_call *st = mist_state(call);
    const struct upgrade *own = st->own;
    const char *id = mist_str(answer, "upgrade_id|id");

    if (!id)
        mist_fail(call, FT_AMBIGUOUS, "Mist took the upgrade but gave no id of it: look with mist.firmware_upgrades, and do not send it again before");
    else
        mist_done(call, json_pack("{s:b, s:s, s:s, s:O, s:O}", "changed", true, "site_id", st->site_id, "upgrade_id", id,
                                  "version", json_object_get(host->params(call), "version"), "device_ids", own->ids));
}

static void upgrade_ready(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    struct mist_write *w = &st->write;
    const struct upgrade *own = st->own;
    const char *version = mist_text(call, "version");
    bool later = json_object_get(host->params(call), "start_time");
    json_t *before = json_object(), *changes = json_array(), *device;
    json_int_t users = 0;
    size_t i;

    json_array_foreach(own->devices, i, device) {
        const char *name = mist_str(device, "name|hostname|mac"), *has = mist_str(device, "version");

        json_object_set_new(before, name ? name : "?", has ? json_string(has) : json_null());
        json_array_append_new(changes, json_pack("{s:s, s:s?, s:s}", "path", host->printf(call, "%s.version", name ? name : "?"), "from", has, "to", version));
        users += clients_of(device);
    }
    w->before = mist_hold(call, before);
    w->changes = mist_hold(call, changes);
    w->users = users;
    w->nothing_to_do = json_array_size(own->ids) == 0;
    w->summary = w->nothing_to_do ? host->printf(call, "all of them run %s already", version) :
        host->printf(call, "upgrade %zu %s of %s to %s%s", json_array_size(own->ids), strcmp(own->type, "ap") == 0 ? "APs" : "switches", mist_site_label(st), version,
                     later ? " at the time given" : " now");
    w->method = "POST";
    w->path = host->printf(call, "/sites/%s/devices/upgrade", mist_escape(call, st->site_id));
    w->body = mist_hold(call, upgrade_body(call));
    w->receipt = mist_hold(call, json_pack("{s:s, s:s, s:f, s:O}", "site_id", st->site_id, "version", version, "at", (double)host->wall_ms(call) / 1000, "device_ids", own->ids));
    w->result = mist_hold(call, json_pack("{s:s, s:s, s:[], s:n}", "site_id", st->site_id, "version", version, "device_ids", "upgrade_id"));
    w->sent = upgrade_sent;
    mist_write_ready(call);
}

static void upgrade_versions(struct ft_call *call, json_t *versions)
{
    const char *version = mist_text(call, "version"), *model = misfit(call, versions, version);

    if (model && !json_is_true(json_object_get(host->params(call), "force")))
        mist_fail(call, FT_INVALID, "version: Mist offers no %s for model %s: see mist.firmware_versions", version, model);
    else
        upgrade_ready(call);
}

static void take_devices(struct ft_call *call, const json_t *items)
{
    struct upgrade *own = mist_state(call)->own;
    const char *version = mist_text(call, "version");
    json_t *stats;
    size_t i;

    own->devices = mist_hold(call, json_array());
    own->ids = mist_hold(call, json_array());
    json_array_foreach(items, i, stats) {
        const char *has = mist_str(stats, "version");

        if (!mist_str(stats, "id") || !is_named(call, stats) || !model_fits(call, stats))
            continue;
        if (has && strcmp(has, version) == 0 && !json_is_true(json_object_get(host->params(call), "force")))
            continue;
        json_array_append(own->devices, stats);
        json_array_append(own->ids, json_object_get(stats, "id"));
    }
}

static void upgrade_devices(struct ft_call *call, json_t *items)
{
    struct mist_call *st = mist_state(call);
    struct upgrade *own = st->own;
    const json_t *planned = json_object_get(host->receipt(call), "device_ids");

    take_devices(call, items);
    if (!json_array_size(items)) {
        mist_fail(call, FT_NOT_FOUND, "site %s has no device of type '%s'", mist_site_label(st), own->type);
    } else if (planned && !json_equal(planned, own->ids)) {
        mist_fail(call, FT_CONFLICT, "the devices to upgrade are not those of the plan any more: plan again");
    } else if (json_array_size(own->ids)) {
        mist_get_array(call, upgrade_versions, "/sites/%s/devices/versions?type=%s", mist_escape(call, st->site_id), own->type);
    } else {
        upgrade_ready(call);
    }
}

static void upgrade_look(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);

    mist_list(call, 10000, upgrade_devices, "/sites/%s/stats/devices?type=%s&status=all", mist_escape(call, st->site_id), ((struct upgrade *)st->own)->type);
}

static void upgrade_begin(struct ft_call *call)
{
    struct upgrade *own = host->alloc(call, sizeof(*own));

    *own = (struct upgrade){ .type = mist_text(call, "type") };
    mist_state(call)->own = own;
    mist_find_site(call, upgrade_look);
}

/* An upgrade to this version that Mist knows, begun no earlier than the request: it happened. The list has no times of creation, so that is all there is. */
static void upgrade_probed(struct ft_call *call, json_t *items)
{
    const json_t *receipt = mist_receipt(call);
    const char *version = mist_str(receipt, "version");
    json_t *item;
    size_t i;

    if (!receipt)
        return;
    json_array_foreach(items, i, item) {
        const char *to = mist_str(item, "target_version");

        if (to && version && strcmp(to, version) == 0 && mist_num(item, "start_time", 0) >= mist_num(receipt, "at", 0) - 60) {
            mist_done(call, json_pack("{s:b, s:{s:O?, s:O?}, s:{s:b, s:O?, s:s, s:O?, s:O?}}", "happened", true, "seen", "id", json_object_get(item, "id"),
                "status", json_object_get(item, "status"), "result", "changed", true, "upgrade_id", json_object_get(item, "id"), "site_id",
                mist_str(receipt, "site_id") ? mist_str(receipt, "site_id") : "", "version", json_object_get(receipt, "version"),
                "device_ids", json_object_get(receipt, "device_ids")));
            return;
        }
    }
    mist_done(call, json_pack("{s:b, s:{s:i}}", "happened", false, "seen", "upgrades", (int)json_array_size(items)));
}

static void upgrade_probe_begin(struct ft_call *call)
{
    const json_t *receipt = mist_receipt(call);

    if (receipt && mist_str(receipt, "site_id"))
        mist_get_array(call, upgrade_probed, "/sites/%s/devices/upgrade", mist_escape(call, mist_str(receipt, "site_id")));
    else if (receipt)
        mist_fail(call, FT_INVALID, "the receipt names no site");
}
MIST_BEGIN(MIST_RUN, upgrade_begin, upgrade_run)
MIST_BEGIN(MIST_PLAN, upgrade_begin, upgrade_plan)
MIST_BEGIN(MIST_PROBE, upgrade_probe_begin, upgrade_probe)

#define UPGRADE_ID JSON("upgrade_id": {"type": "string", "minLength": 1, "description": "id of the upgrade, as mist.firmware_upgrade gives it"})

const struct ft_action mist_firmware_upgrade = {
    MIST_WRITE(upgrade_run, upgrade_plan), .probe = { upgrade_probe, mist_drop },
    .name = "firmware_upgrade", .summary = "upgrade the firmware of devices of a site, now or at a time; they restart",
    .effects = FT_EFFECT_DISRUPTIVE, .timeout_ms = 60000,
    .params_schema = MIST_PARAMS("\"site\",\"version\"", MIST_SITE ","
        JSON("version": {"type": "string", "minLength": 1, "description": "version to run; see mist.firmware_versions"},
             "type": {"type": "string", "enum": ["ap", "switch"], "default": "ap", "description": "kind of device"},
             "devices": {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}, "description": "names, MAC addresses or ids; all of the site when left out"},
             "model": {"type": "string", "minLength": 1, "description": "only this model"},
             "strategy": {"type": "string", "enum": ["big_bang", "serial", "canary", "rrm"], "default": "canary",
                          "description": "all at once, one by one, a few first, or so that neighbours cover each other"},
             "canary_phases": {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 100}, "description": "canary: % of the devices after each phase"},
             "max_failure_percentage": {"type": "integer", "minimum": 0, "maximum": 100, "description": "canary: stop when more fail, %"},
             "start_time": {"type": "integer", "minimum": 1, "description": "begin, s since 1970; now when left out"},
             "reboot": {"type": "boolean", "description": "switch: restart by itself; true when left out"},
             "reboot_at": {"type": "integer", "minimum": 1, "description": "restart at, s since 1970"},
             "snapshot": {"type": "boolean", "description": "switch: recovery snapshot first"},
             "force": {"type": "boolean", "default": false, "description": "also devices that run the version already, also when Mist does not list it"})),
    .result_schema = MIST_OBJ(MIST_CHANGED "," MIST_P_STR("site_id", "site") "," MIST_P_STR("upgrade_id", "id of the upgrade; nil when there was nothing to do") ","
        MIST_P_STR("version", "version to run") "," MIST_P_LIST("device_ids", "{\"type\":\"string\"}", "devices concerned")),
    .about = "`POST /sites/{site_id}/devices/upgrade` with the ids of the devices that do not run the version yet. The version must be one that Mist offers for their\n"
             "models. The plan names each device with its version, and counts the clients. APs restart by themselves. What Mist took is not done yet: verify with\n"
             "`mist.firmware_upgrade_status`. Calling it off is `mist.firmware_upgrade_cancel`; going back is an upgrade to the older version, where Mist still has it.",
    .example = "- id: upgrade\n  run: mist.firmware_upgrade\n  with: {site: HQ, type: ap, model: AP43, version: 0.14.29633, strategy: canary}\n"
               "  verify:\n    run: mist.firmware_upgrade_status\n    with: {site: HQ, upgrade_id: \"${result.upgrade_id}\"}\n    until: result.finished\n"
               "    every: 60s\n    within: 2h\n  undo: none\n",
};

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
