/* mist_config.c: configuration objects: WLANs and a site's settings. PUT replaces each top-level key that is sent, whole, and leaves the others alone;
 * there is no lock and no version, so what a write rests on is compared before it, and what it left is compared before it is taken back. */
#include <string.h>
#include <strings.h>
#include "mist_wlan.h"

/* ---- the WLANs that a site has, its own and those of the organisation's templates: GET /sites/{site_id}/wlans/derived?resolve=true */

#define WLAN_FIELDS(F) \
    F(STR, id, "id", "id of the WLAN") \
    F(STR, ssid, "ssid", "network name") \
    F(BOOL, enabled, "enabled", "it is sent") \
    F(STR, auth_type, "auth.type", "open, psk, eap …") \
    F(INT, vlan_id, "vlan_id", "VLAN") \
    F(BOOL, vlan_enabled, "vlan_enabled", "a VLAN tag is used") \
    F(BOOL, dynamic_vlan, "dynamic_vlan.enabled", "RADIUS gives the VLAN") \
    F(STR, roam_mode, "roam_mode", "NONE, OKC or 11r") \
    F(BOOL, hidden, "hide_ssid", "the network name is not sent") \
    F(BOOL, isolation, "isolation", "clients cannot reach each other") \
    F(BOOL, portal, "portal.enabled", "guests meet a portal") \
    F(INT, max_idletime, "max_idletime", "an idle client is dropped after so long, s") \
    F(STR, apply_to, "apply_to", "site, aps or wxtags: where it is sent")
static const struct mist_field wlan_fields[] = { WLAN_FIELDS(MIST_ROW) { "template_id", "template_id", MIST_STR } };

/* One that comes from a template belongs to the organisation, and a change there concerns other sites. */
static bool is_of_org(const json_t *wlan)
{
    return mist_str(wlan, "template_id") || json_is_false(json_object_get(wlan, "for_site"));
}

static json_t *wlan_row(const json_t *item)
{
    json_t *row = json_object(), *bands = json_array(), *band;
    size_t i;

    MIST_PICK(row, item, wlan_fields);
    json_array_foreach(json_object_get(item, "bands"), i, band)
        if (json_is_string(band))
            json_array_append(bands, band);
    if (mist_str(item, "band"))
        json_array_append(bands, json_object_get(item, "band"));
    json_object_set_new(row, "bands", bands);
    json_object_set_new(row, "of_org", json_boolean(is_of_org(item)));
    return row;
}

#define WLAN_PROPERTIES WLAN_FIELDS(MIST_PROPERTY) MIST_P_STR("template_id", "WLAN template that it comes from") "," \
    MIST_P_LIST("bands", "{\"type\":\"string\"}", "radio bands: 24, 5, 6") "," MIST_P("of_org", "\"boolean\"", "it belongs to the organisation, not to the site")

static void wlans_here(struct ft_call *call, json_t *items)
{
    json_t *rows = json_array(), *item;
    size_t i;

    json_array_foreach(items, i, item)
        if (json_is_object(item))
            json_array_append_new(rows, wlan_row(item));
    mist_done(call, json_pack("{s:o, s:i}", "wlans", rows, "total", (int)json_array_size(rows)));
}

static void ask_wlans(struct ft_call *call, mist_then *then)
{
    mist_get_array(call, then, "/sites/%s/wlans/derived?resolve=true", mist_escape(call, mist_state(call)->site_id));
}

static void wlans_look(struct ft_call *call)
{
    ask_wlans(call, wlans_here);
}

static void wlans_begin(struct ft_call *call)
{
    mist_find_site(call, wlans_look);
}
MIST_BEGIN(MIST_LOOK, wlans_begin, wlans_start)

const struct ft_action mist_wlan_list = {
    MIST_READ(wlans_start),
    .name = "wlan_list", .summary = "the WLANs of a site, its own and those of templates",
    .params_schema = MIST_PARAMS("\"site\"", MIST_SITE),
    .result_schema = MIST_OBJ(MIST_P_LIST("wlans", MIST_OBJ(WLAN_PROPERTIES), "WLANs") "," MIST_P("total", "\"integer\"", "WLANs in the answer")),
    .about = "`GET /sites/{site_id}/wlans/derived?resolve=true`.",
    .example = "- id: wlans\n  run: mist.wlan_list\n  with: {site: HQ}\n",
};

/* One WLAN, by the parameter `wlan`: its id or its network name. */
static json_t *pick_wlan(struct ft_call *call, json_t *items)
{
    const char *wanted = mist_text(call, "wlan"), *names = "";
    json_t *found = NULL, *item;
    size_t i, count = 0;

    json_array_foreach(items, i, item) {
        const char *ssid = mist_str(item, "ssid"), *id = mist_str(item, "id");

        if (id && strcasecmp(id, wanted) == 0)
            return item;
        if (ssid && strcmp(ssid, wanted) == 0 && count++ == 0)
            found = item;
        if (ssid && strlen(names) < 300)
            names = host->printf(call, "%s%s'%s'", names, *names ? ", " : "", ssid);
    }
    if (count == 1)
        return found;
    if (count > 1)
        mist_fail(call, FT_INVALID, "%zu WLANs of the site are called '%.64s': write the id of the one that is meant", count, wanted);
    else
        mist_fail(call, FT_NOT_FOUND, "the site has no WLAN '%.64s'; it has %s", wanted, *names ? names : "none");
    return NULL;
}

static void wlan_shown(struct ft_call *call, json_t *items)
{
    json_t *wlan = pick_wlan(call, items), *row;

    if (!wlan)
        return;
    row = wlan_row(wlan);
    json_object_set_new(row, "config", mist_without_secrets(wlan));
    mist_done(call, row);
}

static void wlan_look(struct ft_call *call)
{
    ask_wlans(call, wlan_shown);
}

static void wlan_begin(struct ft_call *call)
{
    mist_find_site(call, wlan_look);
}
MIST_BEGIN(MIST_LOOK, wlan_begin, wlan_start)


const struct ft_action mist_wlan = {
    MIST_READ(wlan_start),
    .name = "wlan", .summary = "one WLAN of a site, with its whole configuration but the secrets",
    .params_schema = MIST_PARAMS("\"site\",\"wlan\"", MIST_SITE "," MIST_WLAN_PARAM),
    .result_schema = MIST_OBJ(WLAN_PROPERTIES "," MIST_P("config", "\"object\"", "the object as Mist has it; keys and secrets are ***")),
    .about = "`GET /sites/{site_id}/wlans/derived?resolve=true`.",
    .example = "- id: staff\n  run: mist.wlan\n  with: {site: HQ, wlan: staff}\n",
};

/* ---- the one to change */

const char *mist_wlan_path(struct ft_call *call, const json_t *wlan)
{
    return host->printf(call, "/sites/%s/wlans/%s", mist_escape(call, mist_state(call)->site_id), mist_escape(call, mist_str(wlan, "id")));
}

const char *mist_wlan_label(struct ft_call *call, const json_t *wlan)
{
    return host->printf(call, "WLAN '%s'", mist_str(wlan, "ssid") ? mist_str(wlan, "ssid") : mist_str(wlan, "id"));
}

static void count_users(struct ft_call *call, json_t *clients)
{
    struct mist_call *st = mist_state(call);
    const char *id = mist_str(st->wlan, "id");
    json_int_t users = 0;
    json_t *item;
    size_t i;

    json_array_foreach(clients, i, item)
        users += mist_str(item, "wlan_id") && strcasecmp(mist_str(item, "wlan_id"), id) == 0;
    st->write.users = users;
    st->wlan_then(call, st->wlan);
}

static void wlan_chosen(struct ft_call *call, json_t *items)
{
    struct mist_call *st = mist_state(call);
    json_t *wlan = pick_wlan(call, items);

    if (!wlan)
        return;
    if (is_of_org(wlan) || !mist_str(wlan, "id")) {
        mist_fail(call, FT_INVALID, "WLAN '%.64s' comes from a template of the organisation: a change there concerns other sites, make it with mist.template_update",
                  mist_text(call, "wlan"));
        return;
    }
    st->wlan = wlan;
    if (st->mode == MIST_PLAN)
        mist_get_array(call, count_users, "/sites/%s/stats/clients?limit=1000", mist_escape(call, st->site_id));
    else
        st->wlan_then(call, wlan);
}

static void find_wlan_look(struct ft_call *call)
{
    ask_wlans(call, wlan_chosen);
}

void mist_find_wlan(struct ft_call *call, mist_then *found)
{
    mist_state(call)->wlan_then = found;
    mist_find_site(call, find_wlan_look);
}

/* ---- wlan_update */

static void update_chosen(struct ft_call *call, json_t *wlan)
{
    mist_edit(call, &(struct mist_edit){
        .path = mist_wlan_path(call, wlan), .what = mist_wlan_label(call, wlan), .changes = json_object_get(host->params(call), "changes"),
    });
}

static void update_begin(struct ft_call *call)
{
    if (mist_may_change(call, json_object_get(host->params(call), "changes")))
        mist_find_wlan(call, update_chosen);
}
MIST_BEGIN(MIST_RUN, update_begin, update_run)
MIST_BEGIN(MIST_PLAN, update_begin, update_plan)
MIST_BEGIN(MIST_UNDO, mist_edit_undo_begin, edit_undo)

const struct ft_action mist_wlan_update = {
    MIST_WRITE(update_run, update_plan), .undo = { edit_undo, mist_drop },
    .name = "wlan_update", .summary = "change keys of a site's WLAN",
    .effects = FT_EFFECT_DISRUPTIVE | FT_EFFECT_IDEMPOTENT,
    .params_schema = MIST_PARAMS("\"site\",\"wlan\",\"changes\"", MIST_SITE "," MIST_WLAN_PARAM "," MIST_CHANGES),
    .result_schema = MIST_EDIT_RESULT,
    .about = "`PUT /sites/{site_id}/wlans/{wlan_id}` with just the keys given. Many keys make the APs send the network anew, which drops its clients: the plan\n"
             "counts them. WLANs of templates are refused, and so are keys that hold secrets. Undo puts back the former values, unless somebody changed\n"
             "them since. Mist's 200 means that the change was stored: `config_push_policy` may hold it back from the devices.",
    .example = "- id: steer\n  run: mist.wlan_update\n  with: {site: HQ, wlan: staff, changes: {band_steer: true}}\n  undo: auto\n",
};

/* ---- site_setting_update: PUT /sites/{site_id}/setting */

static void setting_look(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);

    mist_edit(call, &(struct mist_edit){
        .path = host->printf(call, "/sites/%s/setting", mist_escape(call, st->site_id)),
        .what = host->printf(call, "the settings of site %s", st->site_name ? st->site_name : st->site_id),
        .changes = json_object_get(host->params(call), "changes"),
    });
}

static void setting_begin(struct ft_call *call)
{
    if (mist_may_change(call, json_object_get(host->params(call), "changes")))
        mist_find_site(call, setting_look);
}
MIST_BEGIN(MIST_RUN, setting_begin, setting_run)
MIST_BEGIN(MIST_PLAN, setting_begin, setting_plan)

const struct ft_action mist_site_setting_update = {
    MIST_WRITE(setting_run, setting_plan), .undo = { edit_undo, mist_drop },
    .name = "site_setting_update", .summary = "change keys of a site's settings",
    .effects = FT_EFFECT_DISRUPTIVE | FT_EFFECT_IDEMPOTENT,
    .params_schema = MIST_PARAMS("\"site\",\"changes\"", MIST_SITE "," MIST_CHANGES),
    .result_schema = MIST_EDIT_RESULT,
    .about = "`PUT /sites/{site_id}/setting` with just the keys given. What users notice depends on the keys: radio and switch settings drop clients. Keys that\n"
             "hold secrets are refused. Undo puts back the former values, unless somebody changed them since.",
    .example = "- id: revert\n  run: mist.site_setting_update\n  with: {site: HQ, changes: {config_auto_revert: true}}\n  undo: auto\n",
};
