/* mist_edit.c: changing top-level keys of a configuration object. PUT replaces each key that is sent, whole, and leaves the others alone; there is no
 * lock and no version, so what a write rests on is compared before it, and what it left is compared before it is taken back. */
#include <string.h>
#include "mist.h"

/* The keys of `like`, as `object` has them; null: it has none. */
json_t *mist_keys_of(const json_t *object, const json_t *like)
{
    json_t *out = json_object(), *value;
    const char *name;

    json_object_foreach((json_t *)like, name, value) {
        json_t *has = json_object_get(object, name);

        json_object_set_new(out, name, has ? json_incref(has) : json_null());
    }
    return out;
}

json_t *mist_changes_of(const json_t *before, const json_t *after)
{
    json_t *changes = json_array(), *to;
    const char *name;

    json_object_foreach((json_t *)after, name, to)
        if (!json_equal(json_object_get(before, name), to))
            json_array_append_new(changes, json_pack("{s:s, s:O, s:O}", "path", name, "from", json_object_get(before, name), "to", to));
    return changes;
}

static bool is_read_only(const char *name)
{
    static const char *const names[] = { "id", "org_id", "site_id", "created_time", "modified_time", "for_site" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

json_t *mist_writable(const json_t *object)
{
    json_t *out = json_object(), *value;
    const char *name;

    json_object_foreach((json_t *)object, name, value)
        if (!is_read_only(name))
            json_object_set(out, name, value);
    return out;
}

bool mist_may_change(struct ft_call *call, const json_t *changes)
{
    json_t *value;
    const char *name;

    json_object_foreach((json_t *)changes, name, value) {
        if (is_read_only(name)) {
            mist_fail(call, FT_INVALID, "changes: '%s' is set by Mist and cannot be changed", name);
            return false;
        }
    }
    return true;
}

static const char *member_key(struct ft_call *call, const char *path, const char *name)
{
    return host->printf(call, "%s/%s", path, name);
}

/* The keys as they will be behind the writes that are planned before this one; and what this one leaves. */
static void edit_left(struct ft_call *call, const struct mist_edit *edit)
{
    struct mist_write *w = &mist_state(call)->write;
    json_t *value;
    const char *name;

    w->leaves = mist_hold(call, json_object());
    json_object_foreach(edit->changes, name, value) {
        const char *key = member_key(call, edit->path, name);
        const json_t *left = mist_left(call, key);

        if (left)
            json_object_set(w->before, name, (json_t *)left);
        json_object_set(w->leaves, key, value);
    }
}

static void edit_ready(struct ft_call *call, json_t *object)
{
    struct mist_call *st = mist_state(call);
    struct mist_write *w = &st->write;
    struct mist_edit *edit = st->own;
    json_t *changes = edit->changes;
    const json_t *planned = json_object_get(host->receipt(call), "before");

    w->before = mist_hold(call, mist_keys_of(object, changes));
    edit_left(call, edit);
    if (mist_has_secrets(w->before) || mist_has_secrets(changes)) {
        /* they would stand in the plan, and undo would have to keep the old ones in the journal */
        mist_fail(call, FT_INVALID, "changes: one of the keys of %s holds a secret (a PSK, a RADIUS secret …), and fettle keeps none in its journal: change it in the Mist portal",
                  edit->what);
        return;
    }
    w->nothing_to_do = json_equal(w->before, changes);      /* a member that is too many is a difference: the key is replaced whole */
    if (planned && !w->nothing_to_do && !json_equal(planned, w->before)) {
        mist_fail(call, FT_CONFLICT, "somebody changed %s since the plan: plan again", edit->what);
        return;
    }
    w->summary = w->nothing_to_do ? host->printf(call, "nothing to change: %s", edit->what) : host->printf(call, "change %s", edit->what);
    w->method = "PUT";
    w->path = edit->path;
    w->body = changes;
    w->changes = mist_hold(call, mist_changes_of(w->before, changes));
    w->receipt = mist_hold(call, json_pack("{s:s, s:s, s:O, s:O}", "path", edit->path, "what", edit->what, "before", w->before, "after", changes));
    w->result = mist_hold(call, json_pack("{s:s?, s:O}", "site_id", st->site_id, "former", w->before));
    mist_write_ready(call);
}

void mist_edit(struct ft_call *call, const struct mist_edit *edit)
{
    struct mist_edit *copy = host->alloc(call, sizeof(*copy));

    *copy = *edit;
    mist_state(call)->own = copy;
    mist_get(call, edit_ready, "%s", copy->path);
}

static void undo_ready(struct ft_call *call, json_t *object)
{
    struct mist_call *st = mist_state(call);
    const json_t *receipt = mist_receipt(call);
    json_t *before, *after, *now;

    if (!receipt)
        return;
    before = json_object_get(receipt, "before");
    after = json_object_get(receipt, "after");
    now = mist_hold(call, mist_keys_of(object, after));
    if (json_equal(now, before)) {
        mist_done(call, json_pack("{s:b}", "changed", false));
    } else if (!mist_covers(now, after)) {
        mist_fail(call, FT_CONFLICT, "somebody changed %s after this step: put back by hand what is right", mist_str(receipt, "what") ? mist_str(receipt, "what") : "it");
    } else {
        st->write.method = "PUT";
        st->write.path = mist_str(receipt, "path");
        st->write.body = before;
        mist_write_ready(call);
    }
}

void mist_edit_undo_begin(struct ft_call *call)
{
    const json_t *receipt = mist_receipt(call);

    if (!receipt)
        return;
    if (mist_str(receipt, "path") && json_is_object(json_object_get(receipt, "before")) && json_is_object(json_object_get(receipt, "after")))
        mist_get(call, undo_ready, "%s", mist_str(receipt, "path"));
    else
        mist_fail(call, FT_INVALID, "the receipt does not say what was there before");
}
