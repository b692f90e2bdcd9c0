/* mist_backup.c: keeping configuration objects in a file with a digest. Mist has no backup of its own: what was read is what can be put back.
 *
 * The file: {"format": "fettle-mist-config", "version": 1, "org_id", "site_id", "site_name", "taken_at", "objects": [{"kind", "name", "path", "object"}, …]}.
 * `path` is where the object is read and written. Objects are as Mist gave them, secrets included: the file is mode 0600, and nothing of it is shown. */
#include <math.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include "mist.h"
#include "mist_backup.h"

#define MAX_OBJECTS 20000

struct wish { const char *kind, *path; bool list; };

struct export {
    struct wish todo[24];
    size_t count, at;
    json_t *objects;            /* held */
    json_t *site;               /* held; the site's own object */
    json_t *missing;            /* held; paths that Mist does not have */
};

static bool is_wanted(struct ft_call *call, const char *kind)
{
    const json_t *kinds = json_object_get(host->params(call), "what");
    json_t *item;
    size_t i;

    json_array_foreach(kinds, i, item)
        if (json_is_string(item) && strcmp(json_string_value(item), kind) == 0)
            return true;
    return !kinds;
}

static void wish(struct ft_call *call, const char *kind, bool list, const char *path)
{
    struct export *own = mist_state(call)->own;

    if (is_wanted(call, kind) && own->count < ARRAY_LEN(own->todo))
        own->todo[own->count++] = (struct wish){ .kind = kind, .path = path, .list = list };
}

/* Templates that a site names, by the member that names them. */
static const struct { const char *kind, *member, *path; } templates[] = {
    { "rftemplate", "rftemplate_id", "rftemplates" }, { "networktemplate", "networktemplate_id", "networktemplates" },
    { "aptemplate", "aptemplate_id", "aptemplates" }, { "gatewaytemplate", "gatewaytemplate_id", "gatewaytemplates" },
    { "sitetemplate", "sitetemplate_id", "sitetemplates" }, { "alarmtemplate", "alarmtemplate_id", "alarmtemplates" },
};

static void wish_site(struct ft_call *call)
{
    struct export *own = mist_state(call)->own;
    const char *site = mist_escape(call, mist_state(call)->site_id), *org = mist_escape(call, mist_of(call)->org);

    wish(call, "setting", false, host->printf(call, "/sites/%s/setting", site));
    wish(call, "wlan", true, host->printf(call, "/sites/%s/wlans", site));
    wish(call, "device", true, host->printf(call, "/sites/%s/devices?type=all", site));
    for (size_t i = 0; i < ARRAY_LEN(templates); i++)
        if (mist_str(own->site, templates[i].member))
            wish(call, templates[i].kind, false, host->printf(call, "/orgs/%s/%s/%s", org, templates[i].path, mist_escape(call, mist_str(own->site, templates[i].member))));
}

static void wish_org(struct ft_call *call)
{
    const char *org = mist_escape(call, mist_of(call)->org);

    wish(call, "setting", false, host->printf(call, "/orgs/%s/setting", org));
    wish(call, "wlan", true, host->printf(call, "/orgs/%s/wlans", org));
    wish(call, "wlantemplate", true, host->printf(call, "/orgs/%s/templates", org));
    wish(call, "deviceprofile", true, host->printf(call, "/orgs/%s/deviceprofiles", org));
    for (size_t i = 0; i < ARRAY_LEN(templates); i++)
        wish(call, templates[i].kind, true, host->printf(call, "/orgs/%s/%s", org, templates[i].path));
}

/* ---- the file */

static const char *file_name(struct ft_call *call)
{
    const char *given = mist_text(call, "file"), *label = mist_state(call)->site_id ? mist_site_label(mist_state(call)) : "org";
    time_t now = (time_t)(host->wall_ms(call) / 1000);
    char stamp[32], safe[64];
    struct tm utc;
    size_t n = 0;

    if (given)
        return given;
    for (const char *p = label; *p && n + 1 < sizeof(safe); p++)
        safe[n++] = strchr("/\\:*?\"<>| .", *p) || (unsigned char)*p < ' ' ? '-' : *p;
    safe[n] = '\0';
    gmtime_r(&now, &utc);
    strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &utc);
    return host->printf(call, "mist/%s-%s.json", safe, stamp);
}

static void written(struct ft_call *call, const struct ft_file_res *res)
{
    struct mist_call *st = mist_state(call);
    const struct export *own = st->own;
    json_t *by_kind = json_object(), *item;
    size_t i;

    if (res->error) {
        json_decref(by_kind);
        mist_fail(call, res->class ? res->class : FT_REFUSED, "%s", res->error);
        return;
    }
    json_array_foreach(own->objects, i, item)
        mist_count_into(by_kind, mist_str(item, "kind"));
    mist_done(call, json_pack("{s:s, s:s, s:I, s:i, s:o, s:O, s:s?}", "file", res->path, "sha256", res->sha256, "bytes", (json_int_t)res->len,
                              "objects", (int)json_array_size(own->objects), "by_kind", by_kind, "missing", own->missing, "site_id", st->site_id));
}

static void write_file(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    const struct export *own = st->own;
    struct ft_err err = { 0 };
    json_t *file = json_pack("{s:s, s:i, s:s, s:s?, s:s?, s:I, s:O}", "format", MIST_BACKUP_FORMAT, "version", 1, "org_id", mist_of(call)->org, "site_id", st->site_id,
                             "site_name", st->site_name, "taken_at", (json_int_t)(host->wall_ms(call) / 1000), "objects", own->objects);
    char *text = json_dumps(file, JSON_INDENT(1) | JSON_SORT_KEYS);
    int r = text ? host->file_write(call, file_name(call), text, strlen(text), written, &err) : -ENOMEM;

    if (text)
        memset(text, 0, strlen(text));
    free(text);
    json_decref(file);
    if (r < 0)
        mist_fail(call, err.class ? err.class : FT_REFUSED, "%s", *err.text ? err.text : "out of memory");
}

/* ---- collecting */

static void next(struct ft_call *call);

static void keep_object(struct ft_call *call, const char *kind, const char *path, json_t *object)
{
    struct export *own = mist_state(call)->own;
    const char *name = mist_str(object, "ssid|name|id");

    json_array_append_new(own->objects, json_pack("{s:s, s:s?, s:s, s:O}", "kind", kind, "name", name, "path", path, "object", object));
}

static void one_here(struct ft_call *call, json_t *object)
{
    struct export *own = mist_state(call)->own;
    const struct wish *w = &own->todo[own->at++];

    if (object)
        keep_object(call, w->kind, w->path, object);
    else
        json_array_append_new(own->missing, json_string(w->path));
    next(call);
}

static void many_here(struct ft_call *call, json_t *items)
{
    struct mist_call *st = mist_state(call);
    struct export *own = st->own;
    const struct wish *w = &own->todo[own->at++];
    const char *stem = host->printf(call, "%.*s", (int)strcspn(w->path, "?"), w->path);
    json_t *item;
    size_t i;

    if (!items)
        json_array_append_new(own->missing, json_string(w->path));
    if (items && !st->list.complete) {
        mist_fail(call, FT_REFUSED, "Mist did not give all of %s: a backup with holes is none", w->path);
        return;
    }
    json_array_foreach(items, i, item)
        if (mist_str(item, "id"))
            keep_object(call, w->kind, host->printf(call, "%s/%s", stem, mist_escape(call, mist_str(item, "id"))), item);
    next(call);
}

static void next(struct ft_call *call)
{
    struct export *own = mist_state(call)->own;

    if (own->at >= own->count) {
        write_file(call);
        return;
    }
    host->progress(call, "%zu of %zu: %s", own->at + 1, own->count, own->todo[own->at].kind);
    if (own->todo[own->at].list)
        mist_list_if_there(call, MAX_OBJECTS, many_here, "%s", own->todo[own->at].path);
    else
        mist_get_if_there(call, one_here, "%s", own->todo[own->at].path);
}

static void site_here(struct ft_call *call, json_t *site)
{
    struct mist_call *st = mist_state(call);
    struct export *own = st->own;

    own->site = site;
    if (mist_str(site, "name"))
        st->site_name = mist_str(site, "name");
    if (is_wanted(call, "site"))
        keep_object(call, "site", host->printf(call, "/sites/%s", mist_escape(call, st->site_id)), site);
    wish_site(call);
    next(call);
}

static void export_look(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);

    if (st->site_id) {
        mist_get(call, site_here, "/sites/%s", mist_escape(call, st->site_id));
    } else {
        wish_org(call);
        next(call);
    }
}

static void export_begin(struct ft_call *call)
{
    struct export *own = host->alloc(call, sizeof(*own));

    if (host->abi_minor < 1) {
        mist_fail(call, FT_REFUSED, "this fettle cannot write files: it is older than the plugin");
        return;
    }
    *own = (struct export){ .objects = mist_hold(call, json_array()), .missing = mist_hold(call, json_array()) };
    mist_state(call)->own = own;
    mist_find_site(call, export_look);
}
MIST_BEGIN(MIST_LOOK, export_begin, export_start)

const struct ft_action mist_config_export = {
    MIST_READ(export_start),
    .name = "config_export", .summary = "keep the configuration of a site, or of the organisation, in a file with a digest",
    .timeout_ms = 300000,
    .params_schema = MIST_PARAMS("", MIST_SITE ","
        JSON("file": {"type": "string", "minLength": 1, "description": "where to; below the data folder's files/. mist/<site>-<time>.json when left out"},
             "what": {"type": "array", "minItems": 1, "uniqueItems": true, "items": {"type": "string", "enum": ["site", "setting", "wlan", "device", "rftemplate", "networktemplate",
                 "aptemplate", "gatewaytemplate", "sitetemplate", "alarmtemplate", "wlantemplate", "deviceprofile"]}, "description": "only these kinds of objects; all when left out"})),
    .result_schema = MIST_OBJ(MIST_P("file", "\"string\"", "the file, absolute") "," MIST_P("sha256", "\"string\"", "digest of its content, hex") ","
        MIST_P("bytes", "\"integer\"", "its size") "," MIST_P("objects", "\"integer\"", "objects in it") "," MIST_COUNTS("by_kind", "objects by kind") ","
        MIST_P_LIST("missing", "{\"type\":\"string\"}", "what was asked for and is not there") "," MIST_P_STR("site_id", "site; nil: the organisation")),
    .about = "Of a site: the site, its settings, WLANs, devices and the templates it uses; without one: the organisation's settings, WLANs, templates and profiles. Nothing in\n"
             "Mist changes. **The file holds secrets** (PSKs, RADIUS secrets), as far as the token's role may see them; it is readable by fettle's user alone. An\n"
             "existing file is never overwritten. `mist.config_restore` puts it back; keep the digest with the change.",
    .example = "- id: backup\n  run: mist.config_export\n  with: {site: HQ}\n",
};
