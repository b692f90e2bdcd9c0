/* mist_upgrade.c: upgrading the firmware of devices: POST /sites/{site_id}/devices/upgrade.
 *
 * The devices are looked up first (the plan names them and counts who hangs on them), and the version is checked against what Mist offers for their
 * models. The answer is the id of the upgrade; the receipt has what a probe needs to find it again. */
#include <string.h>
#include <strings.h>
#include "mist.h"

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
