/* mist_template.c: templates and other objects of the organisation. A change to one concerns every site that uses it: the plan says how many. */
#include <string.h>
#include <strings.h>
#include "mist.h"

/* The collection below /orgs/{org_id}, and the member of a site that names one of it. */
static const struct { const char *kind, *path, *member; } kinds[] = {
    { "rf", "rftemplates", "rftemplate_id" }, { "network", "networktemplates", "networktemplate_id" }, { "ap", "aptemplates", "aptemplate_id" },
    { "gateway", "gatewaytemplates", "gatewaytemplate_id" }, { "site", "sitetemplates", "sitetemplate_id" }, { "alarm", "alarmtemplates", "alarmtemplate_id" },
    { "wlan", "templates", NULL }, { "org_wlan", "wlans", NULL }, { "deviceprofile", "deviceprofiles", NULL },
};

static size_t kind_of(struct ft_call *call)
{
    const char *kind = mist_text(call, "kind");

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (kind && strcmp(kinds[i].kind, kind) == 0)
            return i;
    return 0;
}

static const char *collection(struct ft_call *call)
{
    return host->printf(call, "/orgs/%s/%s", mist_escape(call, mist_of(call)->org), kinds[kind_of(call)].path);
}

#define KIND JSON("kind": {"type": "string", "enum": ["rf", "network", "ap", "gateway", "site", "alarm", "wlan", "org_wlan", "deviceprofile"], \
    "description": "what kind of object: RF, switch (network), AP, gateway, site, alarm or WLAN template, WLAN of the organisation, device profile"})

/* ---- templates */

static const struct mist_field template_fields[] = {
    { "id", "id", MIST_STR }, { "name", "name|ssid", MIST_STR }, { "modified_time", "modified_time", MIST_TIME }, { "template_id", "template_id", MIST_STR },
    { "enabled", "enabled", MIST_BOOL },
};

static void templates_here(struct ft_call *call, json_t *items)
{
    json_t *rows = MIST_ROWS(items, template_fields);

    mist_done(call, json_pack("{s:s, s:o, s:i, s:b}", "kind", mist_text(call, "kind"), "templates", rows, "total", (int)json_array_size(rows),
                              "complete", !items || mist_state(call)->list.complete));
}

static void templates_begin(struct ft_call *call)
{
    mist_list_if_there(call, (size_t)json_integer_value(json_object_get(host->params(call), "limit")), templates_here, "%s", collection(call));
}
MIST_BEGIN(MIST_LOOK, templates_begin, templates_start)

const struct ft_action mist_templates = {
    MIST_READ(templates_start),
    .name = "templates", .summary = "the templates, WLANs or profiles of the organisation",
    .params_schema = MIST_PARAMS("\"kind\"", KIND "," MIST_LIMIT("500", "5000")),
    .result_schema = MIST_OBJ(MIST_P("kind", "\"string\"", "kind of object") ","
        MIST_LISTED("templates", MIST_P_STR("id", "id") "," MIST_P_STR("name", "name, of a WLAN its network name") "," MIST_P_TIME("modified_time", "when it was changed last") ","
            MIST_P_STR("template_id", "WLAN template that it belongs to") "," MIST_P_BOOL("enabled", "WLAN: it is sent"), "objects")),
    .about = "`GET /orgs/{org_id}/rftemplates` and the like.",
    .example = "- id: rf\n  run: mist.templates\n  with: {kind: rf}\n",
};

/* ---- one of them, by the parameter `template` */

static json_t *pick(struct ft_call *call, json_t *items)
{
    const char *wanted = mist_text(call, "template"), *names = "";
    json_t *found = NULL, *item;
    size_t i, count = 0;

    json_array_foreach(items, i, item) {
        const char *id = mist_str(item, "id"), *name = mist_str(item, "name|ssid");

        if (id && strcasecmp(id, wanted) == 0)
            return item;
        if (id && name && strcmp(name, wanted) == 0 && count++ == 0)
            found = item;
        if (name && strlen(names) < 300)
            names = host->printf(call, "%s%s'%s'", names, *names ? ", " : "", name);
    }
    if (count == 1)
        return found;
    if (count > 1)
        mist_fail(call, FT_INVALID, "%zu objects are called '%.100s': write the id of the one that is meant", count, wanted);
    else
        mist_fail(call, FT_NOT_FOUND, "the organisation has no %s '%.100s'; it has %s", kinds[kind_of(call)].path, wanted, *names ? names : "none");
    return NULL;
}

static void template_shown(struct ft_call *call, json_t *items)
{
    json_t *item = pick(call, items), *out;

    if (!item)
        return;
    out = json_object();
    MIST_PICK(out, item, template_fields);
    json_object_set_new(out, "kind", json_string(mist_text(call, "kind")));
    json_object_set_new(out, "config", mist_without_secrets(item));
    mist_done(call, out);
}

static void template_begin(struct ft_call *call)
{
    mist_list(call, 5000, template_shown, "%s", collection(call));
}
MIST_BEGIN(MIST_LOOK, template_begin, template_start)

#define TEMPLATE JSON("template": {"type": "string", "minLength": 1, "description": "name or id of it"})

const struct ft_action mist_template = {
    MIST_READ(template_start),
    .name = "template", .summary = "one template, WLAN or profile of the organisation, with its whole configuration but the secrets",
    .params_schema = MIST_PARAMS("\"kind\",\"template\"", KIND "," TEMPLATE),
    .result_schema = MIST_OBJ(MIST_P("kind", "\"string\"", "kind of object") "," MIST_P_STR("id", "id") "," MIST_P_STR("name", "name, of a WLAN its network name") ","
        MIST_P_TIME("modified_time", "when it was changed last") "," MIST_P_STR("template_id", "WLAN template that it belongs to") "," MIST_P_BOOL("enabled", "WLAN: it is sent") ","
        MIST_P("config", "\"object\"", "the object as Mist has it; keys and secrets are ***")),
    .about = "`GET /orgs/{org_id}/rftemplates` and the like.",
    .example = "- id: offices\n  run: mist.template\n  with: {kind: rf, template: offices}\n",
};

/* ---- template_update */

static void update_sites(struct ft_call *call, json_t *sites)
{
    struct mist_call *st = mist_state(call);
    const json_t *object = st->own;
    const char *member = kinds[kind_of(call)].member, *id = mist_str(object, "id"), *name = mist_str(object, "name|ssid"), *used = "";
    size_t i, count = 0;
    json_t *site;

    json_array_foreach(sites, i, site)
        count += member && mist_str(site, member) && strcasecmp(mist_str(site, member), id) == 0;
    used = member ? host->printf(call, ", used by %zu site%s", count, count == 1 ? "" : "s") : ", of the whole organisation";
    mist_edit(call, &(struct mist_edit){
        .path = host->printf(call, "%s/%s", collection(call), mist_escape(call, id)),
        .what = host->printf(call, "%s '%s'%s", kinds[kind_of(call)].path, name ? name : id, used),
        .changes = json_object_get(host->params(call), "changes"),
    });
}

static void update_found(struct ft_call *call, json_t *items)
{
    json_t *object = pick(call, items);

    if (!object)
        return;
    mist_state(call)->own = object;
    mist_list(call, 50000, update_sites, "/orgs/%s/sites", mist_escape(call, mist_of(call)->org));
}

static void update_begin(struct ft_call *call)
{
    if (mist_may_change(call, json_object_get(host->params(call), "changes")))
        mist_list(call, 5000, update_found, "%s", collection(call));
}
MIST_BEGIN(MIST_RUN, update_begin, update_run)
MIST_BEGIN(MIST_PLAN, update_begin, update_plan)
MIST_BEGIN(MIST_UNDO, mist_edit_undo_begin, update_undo)

const struct ft_action mist_template_update = {
    MIST_WRITE(update_run, update_plan), .undo = { update_undo, mist_drop },
    .name = "template_update", .summary = "change keys of a template, WLAN or profile of the organisation: every site that uses it changes",
    .effects = FT_EFFECT_DISRUPTIVE | FT_EFFECT_IDEMPOTENT, .timeout_ms = 60000,
    .params_schema = MIST_PARAMS("\"kind\",\"template\",\"changes\"", KIND "," TEMPLATE "," MIST_CHANGES),
    .result_schema = MIST_EDIT_RESULT,
    .about = "`PUT /orgs/{org_id}/rftemplates/{id}` and the like, with just the keys given. The plan says how many sites use it. Keys that hold secrets are refused. Undo puts back\n"
             "the former values, unless somebody changed them since.",
    .example = "- id: narrower\n  run: mist.template_update\n  with: {kind: rf, template: offices, changes: {band_5: {bandwidth: 40}}}\n"
               "  verify:\n    run: mist.device_config_status\n    with: {device: ap-3f-12, site: HQ}\n    until: result.applied\n    every: 15s\n    within: 10m\n  undo: auto\n",
};
