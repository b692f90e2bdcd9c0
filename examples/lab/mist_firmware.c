/* mist_firmware.c: firmware of APs and switches: what there is, and upgrades that take their time. */
#include "lab.h"

enum { LAB_DOWNLOAD = 60, LAB_UPGRADE_BOOT = 120 };      /* s of lab time */

static const struct { const char *model, *version, *tag; } versions[] = {
    { "AP43", "0.14.29313", "stable" }, { "AP43", "0.14.29633", NULL }, { "AP45", "0.14.29313", "stable" }, { "AP45", "0.14.29633", NULL },
    { "AP33", "0.14.29313", "stable" }, { "EX4100-48MP", "22.4R3.25", "stable" }, { "EX4100-48MP", "23.4R2-S4.11", NULL },
    { "EX4100-F-12P", "22.4R3.25", "stable" }, { "EX4100-F-12P", "23.4R2-S4.11", NULL }, { "EX2300-24P", "22.4R3.25", "stable" },
};

static void versions_get(struct lab_req *req, struct lab_res *res)
{
    const char *type = lab_query(req, "type"), *model = lab_query(req, "model");
    bool ap = !type || strcmp(type, "ap") == 0;

    res->json = json_array();
    for (size_t i = 0; i < ARRAY_LEN(versions); i++)
        if ((strncmp(versions[i].model, "AP", 2) == 0) == ap && (!model || strcmp(model, versions[i].model) == 0))
            json_array_append_new(res->json, json_pack("{s:s, s:s, s:s*}", "model", versions[i].model, "version", versions[i].version, "tag", versions[i].tag));
}

/* An upgrade: {id, status, target_version, strategy, start_time, targets: {<state>: [macs]}}; every device is in one state at a time. */
static json_t *upgrade_at(struct lab *lab, int number)
{
    json_t *upgrade;
    const char *id;

    json_object_foreach(lab_mist_state(lab, "upgrades"), id, upgrade)
        if (json_integer_value(json_object_get(upgrade, "$number")) == number)
            return upgrade;
    return NULL;
}

static void move_all(json_t *targets, const char *from, const char *to)
{
    json_t *list = json_object_get(targets, from), *into = json_object_get(targets, to);

    json_array_extend(into, list);
    json_array_clear(list);
}

static void upgraded(struct lab *lab, int number, int unused)
{
    json_t *upgrade = upgrade_at(lab, number), *targets = json_object_get(upgrade, "targets"), *mac;
    size_t i;

    (void)unused;
    if (!upgrade || ft_streq(json_string_value(json_object_get(upgrade, "status")), "cancelled"))
        return;
    json_array_foreach(json_object_get(targets, "reboot_in_progress"), i, mac) {
        json_object_set(lab_mist_state(lab, "firmware"), json_string_value(mac), json_object_get(upgrade, "target_version"));
        lab_device_event(lab, lab_find_ap(lab, json_string_value(mac)) >= 0 ? "ap" : "switch", json_string_value(mac),
                         lab_find_ap(lab, json_string_value(mac)) >= 0 ? "AP_UPGRADED" : "SW_UPGRADED", NULL);
    }
    move_all(targets, "reboot_in_progress", "upgraded");
    json_object_set_new(upgrade, "status", json_string("completed"));
}

static void downloaded(struct lab *lab, int number, int unused)
{
    json_t *upgrade = upgrade_at(lab, number), *targets = json_object_get(upgrade, "targets"), *mac;
    size_t i;

    (void)unused;
    if (!upgrade || ft_streq(json_string_value(json_object_get(upgrade, "status")), "cancelled"))
        return;
    json_object_set_new(upgrade, "status", json_string("upgrading"));
    move_all(targets, "downloading", "reboot_in_progress");
    json_array_foreach(json_object_get(targets, "reboot_in_progress"), i, mac) {
        int ap = lab_find_ap(lab, json_string_value(mac)), sw = lab_find_switch(lab, json_string_value(mac));

        if (ap >= 0)
            lab_ap_restart(lab, ap, "AP_RESTARTED", "upgrade");
        else if (sw >= 0)
            lab_switch_restart(lab, sw);
    }
    lab_after(lab, LAB_UPGRADE_BOOT, upgraded, number, 0);
}

static void begun(struct lab *lab, int number, int unused)
{
    json_t *upgrade = upgrade_at(lab, number);

    (void)unused;
    if (!upgrade || ft_streq(json_string_value(json_object_get(upgrade, "status")), "cancelled"))
        return;
    json_object_set_new(upgrade, "status", json_string("downloading"));
    move_all(json_object_get(upgrade, "targets"), "scheduled", "downloading");
    lab_after(lab, LAB_DOWNLOAD, downloaded, number, 0);
}

static void upgrade_post(struct lab_req *req, struct lab_res *res)
{
    struct lab *lab = req->lab;
    int site = lab_mist_site(req, res), number;
    const char *version = json_string_value(json_object_get(req->json, "version"));
    json_t *ids = json_object_get(req->json, "device_ids"), *id, *upgrade, *scheduled, *skipped;
    double start = json_number_value(json_object_get(req->json, "start_time"));
    char uuid[37], seed[40];
    size_t i;

    if (site < 0)
        return;
    if (!version || !json_is_array(ids)) {
        lab_mist_bad(res, version ? "device_ids is required" : "version is required");
        return;
    }
    number = (int)++lab->serial;
    snprintf(seed, sizeof(seed), "upgrade %d", number);
    lab_uuid(lab, seed, uuid);
    scheduled = json_array();
    skipped = json_array();
    json_array_foreach(ids, i, id) {
        const char *text = json_string_value(id);
        int ap = text ? lab_find_ap(lab, text) : -1, sw = text ? lab_find_switch(lab, text) : -1;
        bool here = (ap >= 0 && lab->aps[ap].site == site && lab->aps[ap].state == AP_UP) || (sw >= 0 && lab->switches[sw].site == site && !lab->switches[sw].down);

        if (ap >= 0 || sw >= 0)
            json_array_append_new(here ? scheduled : skipped, json_string(ap >= 0 ? lab->aps[ap].mac : lab->switches[sw].mac));
    }
    upgrade = json_pack("{s:i, s:s, s:s, s:s, s:s, s:f, s:s, s:{s:i, s:o, s:o, s:[], s:[], s:[], s:[], s:[], s:[], s:[]}}", "$number", number, "id", uuid, "status", "created",
        "target_version", version, "strategy", json_string_value(json_object_get(req->json, "strategy")) ? json_string_value(json_object_get(req->json, "strategy")) : "big_bang",
        "start_time", start > 0 ? start : floor(lab->wall), "$site", lab->sites[site].id, "targets", "total", (int)json_array_size(ids), "scheduled", scheduled, "skipped", skipped,
        "download_requested", "downloading", "downloaded", "reboot_in_progress", "rebooted", "upgraded", "failed");
    json_object_set_new(lab_mist_state(lab, "upgrades"), uuid, upgrade);
    if (start > lab->wall)
        lab_after_wall(lab, start - lab->wall, begun, number, 0);
    else
        begun(lab, number, 0);
    lab_mist_audit(lab, site, "Upgrade Devices");
    req->done = true;
    res->json = json_pack("{s:s}", "upgrade_id", uuid);
}

static json_t *shown(const json_t *upgrade)
{
    json_t *copy = json_deep_copy(upgrade), *start = json_object_get(copy, "start_time");

    json_object_set_new(copy, "start_time", json_integer((json_int_t)json_number_value(start)));
    json_object_del(copy, "$number");
    json_object_del(copy, "$site");
    return copy;
}

static void upgrades_get(struct lab_req *req, struct lab_res *res)
{
    const char *wanted = lab_query(req, "status"), *id, *state;
    int site = lab_mist_site(req, res);
    json_t *upgrade, *list;

    if (site < 0)
        return;
    res->json = json_array();
    json_object_foreach(lab_mist_state(req->lab, "upgrades"), id, upgrade) {
        json_t *copy, *counts;

        if (!ft_streq(json_string_value(json_object_get(upgrade, "$site")), req->arg[0]) ||
            (wanted && !ft_streq(wanted, json_string_value(json_object_get(upgrade, "status")))))
            continue;
        copy = shown(upgrade);
        counts = json_object();
        json_object_foreach(json_object_get(copy, "targets"), state, list)
            json_object_set_new(counts, state, json_is_array(list) ? json_integer((json_int_t)json_array_size(list)) : json_incref(list));
        json_object_del(counts, "downloading");          /* the list has no such count */
        json_object_set_new(copy, "counts", counts);
        json_object_del(copy, "targets");
        json_array_append_new(res->json, copy);
    }
}

static json_t *upgrade_of(struct lab_req *req, struct lab_res *res)
{
    json_t *upgrade = lab_mist_site(req, res) >= 0 ? json_object_get(lab_mist_state(req->lab, "upgrades"), req->arg[1]) : NULL;

    if (!upgrade && res->status == 200)
        lab_mist_not_found(res);
    return upgrade;
}

static void upgrade_get(struct lab_req *req, struct lab_res *res)
{
    json_t *upgrade = upgrade_of(req, res);

    if (upgrade)
        res->json = shown(upgrade);
}

/* Those that restart go on. */
static void upgrade_cancel(struct lab_req *req, struct lab_res *res)
{
    json_t *upgrade = upgrade_of(req, res), *targets = json_object_get(upgrade, "targets");

    if (!upgrade)
        return;
    if (!ft_streq(json_string_value(json_object_get(upgrade, "status")), "completed") && !json_array_size(json_object_get(targets, "reboot_in_progress"))) {
        json_object_set_new(upgrade, "status", json_string("cancelled"));
        move_all(targets, "scheduled", "skipped");
        move_all(targets, "downloading", "skipped");
    }
    lab_mist_audit(req->lab, -1, "Cancel Upgrade");
    req->done = true;
}

const struct lab_route lab_mist_firmware_routes[] = {
    { "GET", "/api/v1/orgs/{}/devices/versions", versions_get },
    { "GET", "/api/v1/sites/{}/devices/versions", versions_get },
    { "POST", "/api/v1/sites/{}/devices/upgrade", upgrade_post },
    { "GET", "/api/v1/sites/{}/devices/upgrade", upgrades_get },
    { "GET", "/api/v1/sites/{}/devices/upgrade/{}", upgrade_get },
    { "POST", "/api/v1/sites/{}/devices/upgrade/{}/cancel", upgrade_cancel },
    { 0 },
};
