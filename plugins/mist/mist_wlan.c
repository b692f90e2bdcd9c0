/* mist_wlan.c: making a WLAN, switching one on and off, and changing its pre-shared key.
 *
 * A key never stands in a plan, a receipt or a result. What undo needs of the former key goes into a file (mode 0600) with a digest first. */
#include <string.h>
#include <strings.h>
#include "mist_backup.h"
#include "mist_wlan.h"

/* ---- wlan_enable, wlan_disable */

static void switch_chosen(struct ft_call *call, json_t *wlan)
{
    bool on = mist_state(call)->own;

    mist_edit(call, &(struct mist_edit){
        .path = mist_wlan_path(call, wlan), .what = mist_wlan_label(call, wlan), .changes = mist_hold(call, json_pack("{s:b}", "enabled", on)),
    });
}

static void enable_begin(struct ft_call *call)
{
    mist_state(call)->own = (void *)1;
    mist_find_wlan(call, switch_chosen);
}

static void disable_begin(struct ft_call *call)
{
    mist_state(call)->own = NULL;
    mist_find_wlan(call, switch_chosen);
}
MIST_BEGIN(MIST_RUN, enable_begin, enable_run)
MIST_BEGIN(MIST_PLAN, enable_begin, enable_plan)
MIST_BEGIN(MIST_RUN, disable_begin, disable_run)
MIST_BEGIN(MIST_PLAN, disable_begin, disable_plan)
MIST_BEGIN(MIST_UNDO, mist_edit_undo_begin, switch_undo)

#define ARRIVED "  verify:\n    run: mist.device_config_status\n    with: {device: ap-3f-12, site: HQ}\n    until: result.applied\n    every: 15s\n    within: 10m\n  undo: auto\n"

const struct ft_action mist_wlan_enable = {
    MIST_WRITE(enable_run, enable_plan), .undo = { switch_undo, mist_drop },
    .name = "wlan_enable", .summary = "send a WLAN of a site",
    .effects = FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT, .timeout_ms = 60000,
    .params_schema = MIST_PARAMS("\"site\",\"wlan\"", MIST_SITE "," MIST_WLAN_PARAM),
    .result_schema = MIST_EDIT_RESULT,
    .about = "`PUT /sites/{site_id}/wlans/{wlan_id}` with `enabled: true`. WLANs of templates are refused. Undo switches it off again.",
    .example = "- id: on_air\n  run: mist.wlan_enable\n  with: {site: HQ, wlan: guest}\n" ARRIVED,
};

const struct ft_action mist_wlan_disable = {
    MIST_WRITE(disable_run, disable_plan), .undo = { switch_undo, mist_drop },
    .name = "wlan_disable", .summary = "send a WLAN of a site no more; its clients lose it",
    .effects = FT_EFFECT_DISRUPTIVE | FT_EFFECT_IDEMPOTENT, .timeout_ms = 60000,
    .params_schema = MIST_PARAMS("\"site\",\"wlan\"", MIST_SITE "," MIST_WLAN_PARAM),
    .result_schema = MIST_EDIT_RESULT,
    .about = "`PUT /sites/{site_id}/wlans/{wlan_id}` with `enabled: false`. The plan counts its clients. WLANs of templates are refused. Undo switches it on again.",
    .example = "- id: off_air\n  run: mist.wlan_disable\n  with: {site: HQ, wlan: guest}\n" ARRIVED,
};

/* ---- wlan_psk: PUT …/wlans/{wlan_id} {auth}, which is replaced whole */

struct psk {
    const char *path, *what;
    json_t *auth;               /* held; as it is */
    json_t *body;               /* held; {auth} with the new key */
    bool readable;              /* Mist showed the present key */
};

static bool is_masked(const char *key)
{
    return !key || strspn(key, "*") == strlen(key);
}

static void psk_receipt_kept(struct ft_call *call)
{
    struct psk *own = mist_state(call)->own;

    (void)own;
    mist_write_send(call);
}

static void psk_copy_written(struct ft_call *call, const struct ft_file_res *res)
{
    struct psk *own = mist_state(call)->own;
    struct ft_err err = { 0 };

    if (res->error)
        mist_fail(call, res->class ? res->class : FT_REFUSED, "%s", res->error);
    else if (host->keep(call, json_pack("{s:s, s:s, s:s, s:s}", "path", own->path, "what", own->what, "copy", res->path, "copy_sha256", res->sha256), psk_receipt_kept, &err) < 0)
        mist_fail(call, err.class ? err.class : FT_REFUSED, "%s", err.text);
}

static void psk_write_copy(struct ft_call *call)
{
    struct psk *own = mist_state(call)->own;
    json_t *file = json_pack("{s:s, s:s, s:O}", "format", "fettle-mist-auth", "path", own->path, "auth", own->auth);
    char *text = json_dumps(file, JSON_INDENT(1) | JSON_SORT_KEYS);
    struct ft_err err = { 0 };
    int r = text ? host->file_write(call, host->printf(call, "mist/undo/%s-%llu-wlan.json", host->run_id(call) ? host->run_id(call) : "run",
                                                       (unsigned long long)host->wall_ms(call)), text, strlen(text), psk_copy_written, &err) : -ENOMEM;

    free(text);
    json_decref(file);
    if (r < 0)
        mist_fail(call, err.class ? err.class : FT_REFUSED, "%s", *err.text ? err.text : "out of memory");
}

static void psk_ready(struct ft_call *call, json_t *object)
{
    struct mist_call *st = mist_state(call);
    struct mist_write *w = &st->write;
    struct psk *own = st->own;
    const char *key = mist_text(call, "psk"), *has = mist_str(object, "auth.psk"), *type = mist_str(object, "auth.type");

    if (!type || strncmp(type, "psk", 3) != 0) {
        mist_fail(call, FT_INVALID, "%s has no pre-shared key: its authentication is '%s'", own->what, type ? type : "?");
        return;
    }
    own->auth = mist_hold(call, json_deep_copy(json_object_get(object, "auth")));
    mist_redact(call, own->auth);
    own->readable = !is_masked(has);
    own->body = mist_hold(call, json_pack("{s:o}", "auth", json_deep_copy(own->auth)));
    json_object_set_new(json_object_get(own->body, "auth"), "psk", json_string(key));
    w->nothing_to_do = own->readable && strcmp(has, key) == 0;
    w->before = mist_hold(call, json_pack("{s:s}", "auth_type", type));
    w->changes = mist_hold(call, json_pack("[{s:s, s:s, s:s}]", "path", "auth.psk", "from", "***", "to", "***"));
    w->summary = w->nothing_to_do ? host->printf(call, "the key of %s is that already", own->what) :
        host->printf(call, "change the pre-shared key of %s%s", own->what, own->readable ? "" : " (Mist does not show the present one to this token: it could not be put back)");
    w->method = "PUT";
    w->path = own->path;
    w->body = own->body;
    w->result = mist_hold(call, json_pack("{s:s, s:b}", "site_id", st->site_id, "can_undo", own->readable));
    if (st->mode == MIST_PLAN || w->nothing_to_do || !own->readable || mist_str(host->receipt(call), "copy"))
        mist_write_ready(call);
    else
        psk_write_copy(call);
}

static void psk_chosen(struct ft_call *call, json_t *wlan)
{
    struct psk *own = host->alloc(call, sizeof(*own));

    *own = (struct psk){ .path = mist_wlan_path(call, wlan), .what = mist_wlan_label(call, wlan) };
    mist_state(call)->own = own;
    mist_get(call, psk_ready, "%s", own->path);
}

static void psk_begin(struct ft_call *call)
{
    host->redact(call, mist_text(call, "psk"));
    if (host->abi_minor < 1)
        mist_fail(call, FT_REFUSED, "this fettle cannot write files: it is older than the plugin");
    else
        mist_find_wlan(call, psk_chosen);
}

/* ---- its undo */

static void psk_undo_live(struct ft_call *call, json_t *object)
{
    struct mist_call *st = mist_state(call);
    struct psk *own = st->own;
    json_t *auth = json_object_get(object, "auth");
    const char *now = mist_str(auth, "psk"), *was = mist_str(own->auth, "psk"), *ours = mist_text(call, "psk");

    if (!is_masked(now) && was && strcmp(now, was) == 0) {
        mist_done(call, json_pack("{s:b}", "changed", false));
    } else if (!is_masked(now) && ours && strcmp(now, ours) != 0) {
        mist_fail(call, FT_CONFLICT, "somebody changed the key of %s after this step: put back by hand what is right", own->what);
    } else {
        st->write.method = "PUT";
        st->write.path = own->path;
        st->write.body = mist_hold(call, json_pack("{s:O}", "auth", own->auth));
        mist_write_ready(call);
    }
}

static void psk_undo_file(struct ft_call *call, const struct ft_file_res *res)
{
    struct psk *own = mist_state(call)->own;
    const char *sha256 = mist_str(host->receipt(call), "copy_sha256");
    json_t *file;

    if (res->error) {
        mist_fail(call, res->class ? res->class : FT_REFUSED, "%s", res->error);
        return;
    }
    file = mist_hold(call, json_loadb(res->bytes, res->len, 0, NULL));
    own->auth = json_object_get(file, "auth");
    if (!json_is_object(own->auth) || !sha256 || strcasecmp(sha256, res->sha256) != 0) {
        mist_fail(call, FT_CONFLICT, "the copy %s is not what this step kept", res->path);
        return;
    }
    mist_redact(call, own->auth);
    mist_get(call, psk_undo_live, "%s", own->path);
}

static void psk_undo_begin(struct ft_call *call)
{
    const json_t *receipt = mist_receipt(call);
    struct psk *own = host->alloc(call, sizeof(*own));
    struct ft_err err = { 0 };

    if (!receipt)
        return;
    *own = (struct psk){ .path = mist_str(receipt, "path"), .what = mist_str(receipt, "what") ? mist_str(receipt, "what") : "the WLAN" };
    mist_state(call)->own = own;
    if (!mist_str(receipt, "copy") || !own->path)
        mist_fail(call, FT_CONFLICT, "the former key was not to be seen, so it cannot be put back");
    else if (host->file_read(call, mist_str(receipt, "copy"), 1 << 20, psk_undo_file, &err) < 0)
        mist_fail(call, err.class ? err.class : FT_REFUSED, "%s", err.text);
}
MIST_BEGIN(MIST_RUN, psk_begin, psk_run)
MIST_BEGIN(MIST_PLAN, psk_begin, psk_plan)
MIST_BEGIN(MIST_UNDO, psk_undo_begin, psk_undo)

const struct ft_action mist_wlan_psk = {
    MIST_WRITE(psk_run, psk_plan), .undo = { psk_undo, mist_drop },
    .name = "wlan_psk", .summary = "change the pre-shared key of a site's WLAN; its clients must be given the new one",
    .effects = FT_EFFECT_DISRUPTIVE | FT_EFFECT_IDEMPOTENT, .timeout_ms = 60000,
    .params_schema = MIST_PARAMS("\"site\",\"wlan\",\"psk\"", MIST_SITE "," MIST_WLAN_PARAM ","
        JSON("psk": {"type": "string", "x-secret": true, "minLength": 8, "maxLength": 64, "description": "new key"})),
    .result_schema = MIST_OBJ(MIST_CHANGED "," MIST_P_STR("site_id", "site") "," MIST_P("can_undo", "\"boolean\"", "the former key was kept for undo")),
    .about = "`PUT /sites/{site_id}/wlans/{wlan_id}` with `auth`, of which only the key changes. The plan counts the clients: all of them lose the network until they have the\n"
             "new key. The former key goes into a file of its own (mode 0600) for undo, never into the journal; where Mist does not show it to the token's role, the plan\n"
             "says that there is no undo.",
    .example = "- id: new_key\n  run: mist.wlan_psk\n  with: {site: HQ, wlan: iot, psk: \"${new_psk}\"}\n" ARRIVED,
};

/* ---- wlan_create: POST /sites/{site_id}/wlans. Sent twice it makes two, so it is never repeated without a look. */

static const char *const types[][2] = { { "open", "open" }, { "psk", "psk" }, { "eap", "eap" } };

static json_t *create_body(struct ft_call *call)
{
    static const char *const passed_on[] = { "ssid", "vlan_id", "bands", "enabled", "hide_ssid", "isolation" };
    const json_t *params = host->params(call), *more = json_object_get(params, "config");
    const char *auth = mist_text(call, "auth"), *psk = mist_text(call, "psk");
    json_t *body = more ? json_deep_copy(more) : json_object();

    for (size_t i = 0; i < ARRAY_LEN(passed_on); i++)
        if (json_object_get(params, passed_on[i]))
            json_object_set(body, passed_on[i], json_object_get(params, passed_on[i]));
    if (json_object_get(params, "vlan_id"))
        json_object_set_new(body, "vlan_enabled", json_true());
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (strcmp(types[i][0], auth) == 0 && !json_object_get(body, "auth"))
            json_object_set_new(body, "auth", json_pack("{s:s, s:s*}", "type", types[i][1], "psk", strcmp(auth, "psk") == 0 ? psk : NULL));
    return body;
}

static json_t *ids_of(const json_t *items, const char *ssid)
{
    json_t *ids = json_array(), *item;
    size_t i;

    json_array_foreach(items, i, item)
        if (mist_str(item, "ssid") && strcmp(mist_str(item, "ssid"), ssid) == 0 && mist_str(item, "id"))
            json_array_append(ids, json_object_get(item, "id"));
    return ids;
}

static void created(struct ft_call *call, json_t *answer)
{
    struct mist_call *st = mist_state(call);
    const char *id = mist_str(answer, "id");

    mist_done(call, json_pack("{s:b, s:s, s:s?, s:s}", "changed", true, "site_id", st->site_id, "wlan_id", id, "ssid", mist_text(call, "ssid")));
}

static void create_ready(struct ft_call *call, json_t *items)
{
    struct mist_call *st = mist_state(call);
    struct mist_write *w = &st->write;
    const char *ssid = mist_text(call, "ssid");
    json_t *there = mist_hold(call, ids_of(items, ssid));

    if (json_array_size(there)) {
        mist_fail(call, FT_CONFLICT, "the site has a WLAN '%.64s' already: change it with mist.wlan_update", ssid);
        return;
    }
    w->before = mist_hold(call, json_pack("{s:[]}", "wlans"));
    w->summary = host->printf(call, "make the WLAN '%s' at site %s (%s%s)", ssid, mist_site_label(st), mist_text(call, "auth"),
                              json_is_false(json_object_get(host->params(call), "enabled")) ? ", switched off" : "");
    w->method = "POST";
    w->path = host->printf(call, "/sites/%s/wlans", mist_escape(call, st->site_id));
    w->body = mist_hold(call, create_body(call));
    w->users = 0;
    w->receipt = mist_hold(call, json_pack("{s:s, s:s}", "site_id", st->site_id, "ssid", ssid));
    w->sent = created;
    mist_write_ready(call);
}

static void create_look(struct ft_call *call)
{
    mist_get_array(call, create_ready, "/sites/%s/wlans/derived?resolve=true", mist_escape(call, mist_state(call)->site_id));
}

static void create_begin(struct ft_call *call)
{
    const char *auth = mist_text(call, "auth"), *psk = mist_text(call, "psk");

    if (psk)
        host->redact(call, psk);
    mist_redact(call, json_object_get(host->params(call), "config"));
    if ((strcmp(auth, "psk") == 0) != (psk != NULL) && !mist_at(host->params(call), "config.auth"))
        mist_fail(call, FT_INVALID, "psk: a WLAN with auth psk needs a key, and no other takes one");
    else
        mist_find_site(call, create_look);
}

static void create_probed(struct ft_call *call, json_t *items)
{
    const json_t *receipt = mist_receipt(call);
    const char *ssid = mist_str(receipt, "ssid");
    json_t *ids;

    if (!receipt || !ssid)
        return;
    ids = mist_hold(call, ids_of(items, ssid));
    if (json_array_size(ids))
        mist_done(call, json_pack("{s:b, s:{s:O}, s:{s:b, s:O?, s:O, s:s}}", "happened", true, "seen", "ids", ids, "result", "changed", true, "site_id",
                                  json_object_get(receipt, "site_id"), "wlan_id", json_array_get(ids, 0), "ssid", ssid));
    else
        mist_done(call, json_pack("{s:b}", "happened", false));
}

/* ---- its undo: DELETE, of the one WLAN of that name that the site has of its own */

static void delete_ready(struct ft_call *call, json_t *items)
{
    struct mist_call *st = mist_state(call);
    const char *ssid = mist_str(host->receipt(call), "ssid");
    json_t *ids = mist_hold(call, ids_of(items, ssid ? ssid : ""));

    if (!json_array_size(ids)) {
        mist_done(call, json_pack("{s:b}", "changed", false));
    } else if (json_array_size(ids) > 1) {
        mist_fail(call, FT_CONFLICT, "the site has %zu WLANs '%.64s' by now: delete by hand the one that is too many", json_array_size(ids), ssid);
    } else {
        st->write.method = "DELETE";
        st->write.path = host->printf(call, "/sites/%s/wlans/%s", mist_escape(call, st->site_id), mist_escape(call, json_string_value(json_array_get(ids, 0))));
        mist_write_ready(call);
    }
}

static void by_receipt(struct ft_call *call, mist_then *then)
{
    const json_t *receipt = mist_receipt(call);

    if (!receipt)
        return;
    mist_state(call)->site_id = mist_str(receipt, "site_id");
    if (mist_state(call)->site_id && mist_str(receipt, "ssid"))
        mist_get_array(call, then, "/sites/%s/wlans", mist_escape(call, mist_state(call)->site_id));
    else
        mist_fail(call, FT_INVALID, "the receipt names no site and network");
}

static void create_probe_begin(struct ft_call *call)
{
    by_receipt(call, create_probed);
}

static void create_undo_begin(struct ft_call *call)
{
    by_receipt(call, delete_ready);
}
MIST_BEGIN(MIST_RUN, create_begin, create_run)
MIST_BEGIN(MIST_PLAN, create_begin, create_plan)
MIST_BEGIN(MIST_UNDO, create_undo_begin, create_undo)
MIST_BEGIN(MIST_PROBE, create_probe_begin, create_probe)

const struct ft_action mist_wlan_create = {
    MIST_WRITE(create_run, create_plan), .undo = { create_undo, mist_drop }, .probe = { create_probe, mist_drop },
    .name = "wlan_create", .summary = "make a new WLAN at a site",
    .effects = FT_EFFECT_WRITE,
    .params_schema = MIST_PARAMS("\"site\",\"ssid\",\"auth\"", MIST_SITE ","
        JSON("ssid": {"type": "string", "minLength": 1, "maxLength": 32, "description": "network name"},
             "auth": {"type": "string", "enum": ["open", "psk", "eap"], "description": "open, a pre-shared key, or 802.1X (servers in config)"},
             "psk": {"type": "string", "x-secret": true, "minLength": 8, "maxLength": 64, "description": "the key"},
             "vlan_id": {"type": "integer", "minimum": 1, "maximum": 4094, "description": "VLAN; untagged when left out"},
             "bands": {"type": "array", "uniqueItems": true, "items": {"type": "string", "enum": ["24", "5", "6"]}, "description": "radio bands"},
             "enabled": {"type": "boolean", "default": true, "description": "send it at once"},
             "hide_ssid": {"type": "boolean", "description": "do not send the name"},
             "isolation": {"type": "boolean", "description": "clients cannot reach each other"},
             "config": {"type": "object", "description": "further keys, as Mist names them: auth_servers, roam_mode, portal …"})),
    .result_schema = MIST_OBJ(MIST_CHANGED "," MIST_P_STR("site_id", "site") "," MIST_P_STR("wlan_id", "id of the WLAN") "," MIST_P_STR("ssid", "network name")),
    .about = "`POST /sites/{site_id}/wlans`. Refused when the site has a network of that name already. Undo deletes it again. After a crash the probe looks whether the site has\n"
             "one of that name.",
    .example = "- id: event_wifi\n  run: mist.wlan_create\n  with: {site: HQ, ssid: event, auth: psk, psk: \"${event_psk}\", vlan_id: 120, bands: [\"5\"]}\n  undo: auto\n",
};
