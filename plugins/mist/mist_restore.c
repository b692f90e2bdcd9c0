/* mist_restore.c: putting configuration objects back from a file that mist.config_export wrote.
 *
 *   plan   read the file ──► look at each object in Mist ──► the differences, key by key
 *   run    the same ──► a copy of what is there now, in a file ──► the receipt ──► one PUT for each object that differs
 *   undo   read the copy ──► look again ──► put back what this step changed, and nobody else since
 *
 * Only keys that differ are sent, each whole. Objects that are gone are named, not made anew: they would have another id. Secrets are in the
 * files and in the requests, never in a plan, a receipt or a result. */
#include <string.h>
#include <strings.h>
#include "mist_backup.h"

struct restore {
    json_t *objects;            /* held; those of the file that were chosen */
    json_t *work;               /* held; [{name, kind, path, live: keys, wanted: keys}] of those that differ */
    json_t *changes, *gone, *left;        /* held */
    json_t *before;             /* held; {path: what the write rests on, without secrets} */
    json_t *restored;           /* held; undo: objects of the file that was restored, by path */
    const char *sha256;
    size_t at, same;
    bool in_undo, goes_on;
    mist_next *looked;
};

static void file_failed(struct ft_call *call, const struct ft_file_res *res)
{
    mist_fail(call, res->class ? res->class : FT_REFUSED, "%s", res->error);
}

/* ---- reading a file; NULL: the call has failed */

static json_t *objects_of(struct ft_call *call, const struct ft_file_res *res, const char *sha256)
{
    json_error_t why;
    json_t *file, *objects;

    if (res->error) {
        file_failed(call, res);
        return NULL;
    }
    if (sha256 && strcasecmp(sha256, res->sha256) != 0) {
        mist_fail(call, FT_CONFLICT, "the file %s is not the one that is meant: its digest is %s, not %.64s", res->path, res->sha256, sha256);
        return NULL;
    }
    file = mist_hold(call, json_loadb(res->bytes, res->len, 0, &why));
    objects = json_object_get(file, "objects");
    if (!json_is_array(objects) || !mist_str(file, "format") || strcmp(mist_str(file, "format"), MIST_BACKUP_FORMAT) != 0) {
        mist_fail(call, FT_INVALID, "the file %s is no backup of mist.config_export", res->path);
        return NULL;
    }
    if (!mist_str(file, "org_id") || strcasecmp(mist_str(file, "org_id"), mist_of(call)->org) != 0) {
        mist_fail(call, FT_INVALID, "the file %s belongs to another organisation (%.40s)", res->path, mist_str(file, "org_id") ? mist_str(file, "org_id") : "none");
        return NULL;
    }
    mist_redact(call, objects);
    return objects;
}

/* An entry that can be trusted to name an object of ours: nothing else is ever asked for or written. */
static bool is_sound(struct ft_call *call, const json_t *entry)
{
    const char *path = mist_str(entry, "path"), *org = host->printf(call, "/orgs/%s/", mist_of(call)->org);

    return path && json_is_object(json_object_get(entry, "object")) && !strpbrk(path, "?#% \r\n") && !strstr(path, "..") &&
           (strncmp(path, "/sites/", 7) == 0 || strncmp(path, org, strlen(org)) == 0);
}

/* ---- looking at what is there */

static void look_next(struct ft_call *call);

static json_t *differing(const json_t *live, const json_t *object, bool from_live)
{
    json_t *out = json_object(), *value, *writable = mist_writable(object);
    const char *key;

    json_object_foreach(writable, key, value) {
        json_t *has = json_object_get(live, key);

        if (!json_equal(has ? has : json_null(), value))
            json_object_set(out, key, from_live ? (has ? has : json_null()) : value);
    }
    json_decref(writable);
    return out;
}

static void tell_changes(struct ft_call *call, const char *label, const json_t *from, const json_t *to)
{
    struct restore *own = mist_state(call)->own;
    json_t *hidden_from = mist_hold(call, mist_without_secrets(from)), *hidden_to = mist_hold(call, mist_without_secrets(to)), *value;
    const char *key;

    json_object_foreach(hidden_to, key, value)
        json_array_append_new(own->changes, json_pack("{s:s, s:O, s:O}", "path", host->printf(call, "%s.%s", label, key), "from", json_object_get(hidden_from, key), "to", value));
}

static void note_left(struct ft_call *call, const char *label, const json_t *live, const json_t *object)
{
    struct restore *own = mist_state(call)->own;
    json_t *writable = mist_writable(live), *value;
    const char *key;

    json_object_foreach(writable, key, value)
        if (!json_object_get(object, key) && !json_is_null(value))
            json_array_append_new(own->left, json_string(host->printf(call, "%s.%s", label, key)));
    json_decref(writable);
}

static void look_at(struct ft_call *call, const json_t *entry, json_t *live)
{
    struct restore *own = mist_state(call)->own;
    const json_t *object = json_object_get(entry, "object");
    const char *path = mist_str(entry, "path"), *kind = mist_str(entry, "kind"), *name = mist_str(entry, "name");
    const char *label = host->printf(call, "%s %s", kind ? kind : "object", name ? name : path);
    json_t *to = mist_hold(call, differing(live, object, false)), *from = mist_hold(call, differing(live, object, true));

    mist_redact(call, live);
    note_left(call, label, live, object);
    if (!json_object_size(to)) {
        own->same++;
        return;
    }
    tell_changes(call, label, from, to);
    json_object_set_new(own->before, path, mist_without_secrets(from));
    json_array_append_new(own->work, json_pack("{s:s?, s:s?, s:s, s:O, s:O}", "kind", kind, "name", name, "path", path, "live", from, "wanted", to));
}

static void live_here(struct ft_call *call, json_t *live)
{
    struct restore *own = mist_state(call)->own;
    const json_t *entry = json_array_get(own->objects, own->at++);

    if (live)
        look_at(call, entry, live);
    else
        json_array_append_new(own->gone, json_string(mist_str(entry, "path")));
    look_next(call);
}

static void look_next(struct ft_call *call)
{
    struct restore *own = mist_state(call)->own;

    if (own->at >= json_array_size(own->objects)) {
        own->looked(call);
        return;
    }
    host->progress(call, "looking at %zu of %zu", own->at + 1, json_array_size(own->objects));
    mist_get_if_there(call, live_here, "%s", mist_str(json_array_get(own->objects, own->at), "path"));
}

static void start_looking(struct ft_call *call, json_t *objects, mist_next *looked)
{
    struct restore *own = mist_state(call)->own;

    own->objects = objects;
    own->at = 0;
    own->looked = looked;
    own->work = mist_hold(call, json_array());
    own->changes = mist_hold(call, json_array());
    own->gone = mist_hold(call, json_array());
    own->left = mist_hold(call, json_array());
    own->before = mist_hold(call, json_object());
    look_next(call);
}

/* ---- sending */

static void send_next(struct ft_call *call);

static void sent(struct ft_call *call, json_t *answer)
{
    (void)answer;
    ((struct restore *)mist_state(call)->own)->at++;
    send_next(call);
}

static json_t *result_of(struct ft_call *call, bool changed)
{
    const struct restore *own = mist_state(call)->own;
    json_t *names = json_array(), *item;
    size_t i;

    json_array_foreach(own->work, i, item)
        json_array_append_new(names, json_sprintf("%s %s", mist_str(item, "kind") ? mist_str(item, "kind") : "object", mist_str(item, "name|path")));
    return json_pack("{s:b, s:o, s:i, s:O, s:O}", "changed", changed, "restored", names, "same", (int)own->same, "gone", own->gone, "left", own->left);
}

static void send_next(struct ft_call *call)
{
    struct restore *own = mist_state(call)->own;
    const json_t *item = json_array_get(own->work, own->at);

    if (!item) {
        mist_done(call, own->in_undo ? json_pack("{s:b}", "changed", json_array_size(own->work) > 0) : result_of(call, true));
        return;
    }
    host->progress(call, "writing %zu of %zu: %s", own->at + 1, json_array_size(own->work), mist_str(item, "name|path"));
    mist_send(call, "PUT", mist_url(call, "%s", mist_str(item, "path")), json_object_get(item, "wanted"), sent);
}

static void begin_sending(struct ft_call *call)
{
    ((struct restore *)mist_state(call)->own)->at = 0;
    send_next(call);
}

/* ---- the plan */

static json_t *receipt_of(struct ft_call *call, const char *copy, const char *copy_sha256)
{
    const struct restore *own = mist_state(call)->own;

    return json_pack("{s:s, s:s, s:O, s:s?, s:s?}", "file", mist_text(call, "file"), "sha256", own->sha256, "before", own->before, "copy", copy, "copy_sha256", copy_sha256);
}

static void end_plan(struct ft_call *call)
{
    struct restore *own = mist_state(call)->own;
    size_t i, count = json_array_size(own->work);
    json_t *requests = json_array(), *item, *plan;

    json_array_foreach(own->work, i, item) {
        struct ft_http_req req = mist_request(call, "PUT", mist_url(call, "%s", mist_str(item, "path")), json_object_get(item, "wanted"), FT_HTTP_WRITE);

        json_array_append_new(requests, host->http_render(call, &req));
    }
    plan = json_pack("{s:s, s:o, s:O, s:O, s:o}", "summary", count ?
        host->printf(call, "put %zu objects back as they are in %s%s", count, mist_text(call, "file"),
                     json_array_size(own->gone) ? host->printf(call, "; %zu are gone and stay gone", json_array_size(own->gone)) : "") :
        "all is as in the file", "requests", requests, "changes", own->changes, "before", own->before, "receipt", receipt_of(call, NULL, NULL));
    if (!count)
        json_object_set_new(plan, "nothing_to_do", json_true());
    mist_done(call, plan);
}

/* ---- the run: first a copy of what is there now */

static void copy_kept(struct ft_call *call)
{
    begin_sending(call);
}

static void copy_written(struct ft_call *call, const struct ft_file_res *res)
{
    struct ft_err err = { 0 };

    if (res->error)
        file_failed(call, res);
    else if (host->keep(call, receipt_of(call, res->path, res->sha256), copy_kept, &err) < 0)
        mist_fail(call, err.class ? err.class : FT_REFUSED, "%s", err.text);
}

static void write_copy(struct ft_call *call)
{
    struct restore *own = mist_state(call)->own;
    json_t *objects = json_array(), *file, *item;
    struct ft_err err = { 0 };
    char *text;
    size_t i;
    int r;

    json_array_foreach(own->work, i, item)
        json_array_append_new(objects, json_pack("{s:O?, s:O?, s:O, s:O}", "kind", json_object_get(item, "kind"), "name", json_object_get(item, "name"),
                                                 "path", json_object_get(item, "path"), "object", json_object_get(item, "live")));
    file = json_pack("{s:s, s:i, s:s, s:I, s:o}", "format", MIST_BACKUP_FORMAT, "version", 1, "org_id", mist_of(call)->org,
                     "taken_at", (json_int_t)(host->wall_ms(call) / 1000), "objects", objects);
    text = json_dumps(file, JSON_INDENT(1) | JSON_SORT_KEYS);
    r = text ? host->file_write(call, host->printf(call, "mist/undo/%s-%llu.json", host->run_id(call) ? host->run_id(call) : "run",
                                                   (unsigned long long)host->wall_ms(call)), text, strlen(text), copy_written, &err) : -ENOMEM;
    free(text);
    json_decref(file);
    if (r < 0)
        mist_fail(call, err.class ? err.class : FT_REFUSED, "%s", *err.text ? err.text : "out of memory");
}

static void looked(struct ft_call *call)
{
    struct restore *own = mist_state(call)->own;
    const json_t *planned = json_object_get(host->receipt(call), "before");

    if (mist_state(call)->mode == MIST_PLAN) {
        end_plan(call);
    } else if (!json_array_size(own->work)) {
        mist_done(call, result_of(call, false));
    } else if (mist_str(host->receipt(call), "copy")) {
        begin_sending(call);             /* after a crash in the middle: the copy is there, what differs still is to be done */
    } else if (planned && !json_equal(planned, own->before)) {
        mist_fail(call, FT_CONFLICT, "somebody changed the configuration since the plan: plan again");
    } else {
        write_copy(call);
    }
}

static bool is_chosen(struct ft_call *call, const json_t *entry)
{
    const json_t *kinds = json_object_get(host->params(call), "what");
    const char *name = mist_text(call, "name"), *kind = mist_str(entry, "kind");
    bool fits = !kinds;
    json_t *item;
    size_t i;

    json_array_foreach(kinds, i, item)
        fits = fits || (kind && json_is_string(item) && strcmp(json_string_value(item), kind) == 0);
    return fits && (!name || (mist_str(entry, "name") && strcmp(mist_str(entry, "name"), name) == 0));
}

static void file_here(struct ft_call *call, const struct ft_file_res *res)
{
    struct restore *own = mist_state(call)->own;
    json_t *objects = objects_of(call, res, mist_text(call, "sha256")), *chosen, *entry;
    size_t i;

    if (!objects)
        return;
    own->sha256 = host->printf(call, "%s", res->sha256);
    if (mist_str(host->receipt(call), "sha256") && strcmp(mist_str(host->receipt(call), "sha256"), own->sha256) != 0) {
        mist_fail(call, FT_CONFLICT, "the file %s changed since the plan: plan again", res->path);
        return;
    }
    chosen = mist_hold(call, json_array());
    json_array_foreach(objects, i, entry) {
        if (!is_sound(call, entry)) {
            mist_fail(call, FT_INVALID, "the file %s holds an entry that names no object of the organisation (number %zu)", res->path, i + 1);
            return;
        }
        if (is_chosen(call, entry))
            json_array_append(chosen, entry);
    }
    if (!json_array_size(chosen))
        mist_fail(call, FT_NOT_FOUND, "the file %s holds no such object", res->path);
    else
        start_looking(call, chosen, looked);
}

static bool read_file(struct ft_call *call, const char *path, ft_file_cb *then)
{
    struct ft_err err = { 0 };

    if (host->abi_minor < 1)
        mist_fail(call, FT_REFUSED, "this fettle cannot read files: it is older than the plugin");
    else if (host->file_read(call, path, MIST_BACKUP_MAX, then, &err) < 0)
        mist_fail(call, err.class ? err.class : FT_REFUSED, "%s", err.text);
    else
        return true;
    return false;
}

static void restore_begin(struct ft_call *call)
{
    struct restore *own = host->alloc(call, sizeof(*own));

    memset(own, 0, sizeof(*own));
    mist_state(call)->own = own;
    read_file(call, mist_text(call, "file"), file_here);
}

/* ---- undo */

static const json_t *entry_at(const json_t *objects, const char *path)
{
    json_t *entry;
    size_t i;

    json_array_foreach(objects, i, entry)
        if (mist_str(entry, "path") && strcmp(mist_str(entry, "path"), path) == 0)
            return json_object_get(entry, "object");
    return NULL;
}

/* What differs from the copy must be what this step wrote; else it is somebody else's. */
static void undo_looked(struct ft_call *call)
{
    struct restore *own = mist_state(call)->own;
    json_t *item;
    size_t i;

    json_array_foreach(own->work, i, item) {
        const json_t *ours = entry_at(own->restored, mist_str(item, "path"));
        json_t *live = json_object_get(item, "live"), *value;
        const char *key;

        json_object_foreach(live, key, value) {
            if (!mist_covers(value, json_object_get(ours, key))) {
                mist_fail(call, FT_CONFLICT, "somebody changed %s of %s after this step: put back by hand what is right", key, mist_str(item, "name|path"));
                return;
            }
        }
    }
    own->in_undo = true;
    begin_sending(call);
}

static void undo_copy_here(struct ft_call *call, const struct ft_file_res *res)
{
    json_t *objects = objects_of(call, res, mist_str(host->receipt(call), "copy_sha256")), *entry;
    size_t i;

    if (!objects)
        return;
    json_array_foreach(objects, i, entry) {
        if (!is_sound(call, entry)) {
            mist_fail(call, FT_INVALID, "the copy %s was changed: it names no object of the organisation", res->path);
            return;
        }
    }
    start_looking(call, objects, undo_looked);
}

static void undo_file_here(struct ft_call *call, const struct ft_file_res *res)
{
    json_t *objects = objects_of(call, res, mist_str(host->receipt(call), "sha256"));

    if (!objects)
        return;
    ((struct restore *)mist_state(call)->own)->restored = objects;
    read_file(call, mist_str(host->receipt(call), "copy"), undo_copy_here);
}

static void undo_begin(struct ft_call *call)
{
    const json_t *receipt = mist_receipt(call);
    struct restore *own = host->alloc(call, sizeof(*own));

    if (!receipt)
        return;
    memset(own, 0, sizeof(*own));
    mist_state(call)->own = own;
    if (!mist_str(receipt, "copy"))
        mist_done(call, json_pack("{s:b}", "changed", false));       /* it was never begun */
    else if (!mist_str(receipt, "file"))
        mist_fail(call, FT_INVALID, "the receipt does not say which file was restored");
    else
        read_file(call, mist_str(receipt, "file"), undo_file_here);
}
MIST_BEGIN(MIST_RUN, restore_begin, restore_run)
MIST_BEGIN(MIST_PLAN, restore_begin, restore_plan)
MIST_BEGIN(MIST_UNDO, undo_begin, restore_undo)

const struct ft_action mist_config_restore = {
    MIST_WRITE(restore_run, restore_plan), .undo = { restore_undo, mist_drop },
    .name = "config_restore", .summary = "put configuration back as it is in a file of mist.config_export",
    .effects = FT_EFFECT_DISRUPTIVE | FT_EFFECT_IDEMPOTENT, .timeout_ms = 600000,
    .params_schema = MIST_PARAMS("\"file\"",
        JSON("file": {"type": "string", "minLength": 1, "description": "file of mist.config_export"},
             "sha256": {"type": "string", "pattern": "^[0-9a-fA-F]{64}$", "description": "digest that the file must have"},
             "what": {"type": "array", "minItems": 1, "uniqueItems": true, "items": {"type": "string", "enum": ["site", "setting", "wlan", "device", "rftemplate", "networktemplate",
                 "aptemplate", "gatewaytemplate", "sitetemplate", "alarmtemplate", "wlantemplate", "deviceprofile"]}, "description": "only these kinds of objects; all when left out"},
             "name": {"type": "string", "minLength": 1, "description": "only the object of this name (of a WLAN: its network name)"})),
    .result_schema = MIST_OBJ(MIST_CHANGED "," MIST_P_LIST("restored", "{\"type\":\"string\"}", "objects that were put back") "," MIST_P("same", "\"integer\"", "objects that were as in the file") ","
        MIST_P_LIST("gone", "{\"type\":\"string\"}", "objects of the file that Mist has no more: they are not made anew") ","
        MIST_P_LIST("left", "{\"type\":\"string\"}", "keys that Mist has and the file has not: they are left as they are")),
    .about = "One `PUT` for each object that differs, with just the keys that differ; each key is replaced whole. The plan shows every difference, with secrets as ***. Before\n"
             "the first `PUT` a copy of what is there goes into a file of its own: undo puts that back, unless somebody changed it since. Refused when the configuration or\n"
             "the file is not what it was at the plan. A template concerns every site that uses it. Mist's 200 means stored: verify on a device.",
    .example = "- id: restore\n  run: mist.config_restore\n  with: {file: \"${backup.file}\", sha256: \"${backup.sha256}\", what: [wlan, setting]}\n"
               "  verify:\n    run: mist.device_config_status\n    with: {device: ap-3f-12, site: HQ}\n    until: result.applied\n    every: 15s\n    within: 10m\n  undo: auto\n",
};
