/* dry_left.c: the state that the writes planned so far leave behind, as far as their plans tell: key → {"by": path of the write, "value"}. An entry without a
 * value cannot be told. It goes along the ways as names do, and the plan of a later write is rendered on it (host->left). */
#include "run/dry_internal.h"

static json_t *blurred(const json_t *entry)
{
    return json_pack("{s:O}", "by", json_object_get(entry, "by"));
}

json_t *dry_left_blur(const json_t *left, const json_t *keys)
{
    json_t *copy = left ? json_copy((json_t *)left) : json_object(), *entry;
    const char *key;

    json_object_foreach((json_t *)keys, key, entry)
        json_object_set_new(copy, key, blurred(entry));
    return copy;
}

json_t *dry_left_join(const json_t *a, const json_t *b)
{
    const json_t *sides[] = { a, b };
    json_t *joined = json_object(), *entry;
    const char *key;

    for (size_t i = 0; i < ARRAY_LEN(sides); i++) {
        json_object_foreach((json_t *)sides[i], key, entry) {
            json_t *other = json_object_get(sides[!i], key);

            json_object_set_new(joined, key, other && json_equal(other, entry) ? json_incref(entry) : blurred(entry));
        }
    }
    return joined;
}

/* Behind this write. What it says of a key takes the place of what was said of it before. */
void dry_left_write(struct dry_list *l, const json_t *plan)
{
    json_t *path = json_object_get(l->node, "path"), *own = json_object(), *value;
    const char *key;
    size_t i;

    json_object_foreach(json_object_get(plan, "leaves"), key, value)
        json_object_set_new(own, key, json_pack("{s:O, s:O}", "by", path, "value", value));
    json_array_foreach(json_object_get(plan, "blurs"), i, value)
        if (json_string_value(value))
            json_object_set_new(own, json_string_value(value), json_pack("{s:O}", "by", path));
    if (json_object_size(own)) {
        json_t *left = l->left ? json_copy(l->left) : json_object();

        json_object_update(left, own);
        json_decref(l->left);
        l->left = left;
        for (struct dry_list *up = l; up; up = up->parent) {
            if (!up->left_keys)
                up->left_keys = json_object();
            json_object_update(up->left_keys, own);
        }
    }
    json_decref(own);
}

/* A child is over. In turn: the next one finds what it left, or, where it may fail and the next one comes all the same, cannot tell. Beside others: nobody
 * can tell what is there while another one changes it, and afterwards only where one of them alone did. */
void dry_left_child(struct dry_list *l, const struct dry_list *child, bool beside, bool goes_on_failed)
{
    json_t *next, *entry;
    const char *key;

    if (!child->left_keys)
        return;
    if (!l->child_keys)
        l->child_keys = json_object();
    json_object_update(l->child_keys, child->left_keys);
    if (beside) {
        next = dry_left_blur(l->left, child->left_keys);
        if (!l->beside)
            l->beside = json_object();
        json_object_foreach(child->left_keys, key, entry) {
            const json_t *now = json_object_get(child->end_left, key);

            json_object_set_new(l->beside, key, json_object_get(l->beside, key) || !now || (goes_on_failed && child->may_fail) ? blurred(entry) : json_incref((json_t *)now));
        }
    } else if (!child->end || (goes_on_failed && child->may_fail)) {
        next = dry_left_blur(l->left, child->left_keys);
    } else {
        next = json_incref(child->end_left);
    }
    json_decref(l->left);
    l->left = next;
}

/* All are over: this is what is there for the steps behind them. */
void dry_left_children(struct dry_list *l)
{
    if (l->beside) {
        json_t *left = json_copy(l->left);

        json_object_update(left, l->beside);
        json_decref(l->left);
        l->left = left;
        json_decref(l->beside);
        l->beside = NULL;
    }
}

/* The answer among these that was given to the same question on the same state. */
json_t *dry_left_same(const json_t *answers, const json_t *left)
{
    json_t *answer, *told;
    const char *key;
    size_t i;

    json_array_foreach(answers, i, answer) {
        bool same = true;

        json_object_foreach(json_object_get(answer, "asked"), key, told) {
            const json_t *now = ft_left_find(left, key);

            same &= now ? json_equal(told, (json_t *)now) : json_is_null(told);
        }
        if (same)
            return answer;
    }
    return NULL;
}

/* What it rests on: key → path of the write that left it, or null: none before it on this way. *ret_blur: the write behind which nothing can be told.
 * *ret_any: some write before it. Paths are borrowed; new reference, NULL where it does not ask. */
json_t *dry_left_rests(const json_t *asked, const char **ret_blur, bool *ret_any)
{
    json_t *rests, *told;
    const char *key;

    *ret_blur = NULL;
    *ret_any = false;
    if (!json_object_size(asked))
        return NULL;
    rests = json_object();
    json_object_foreach((json_t *)asked, key, told) {
        *ret_any |= !json_is_null(told);
        if (!json_is_null(told) && !json_object_get(told, "value"))
            *ret_blur = ft_json_str(told, "by");
        json_object_set(rests, key, json_is_null(told) ? told : json_object_get(told, "by"));
    }
    return rests;
}

static bool covers(const char *blur, const char *key)
{
    size_t len = blur ? strlen(blur) : 0;

    return len && strncmp(key, blur, len) == 0 && (key[len] == '\0' || key[len] == '/');
}

/* Whether this write may leave another state there. `leaves`: as the plugin says it, or in a plan, the keys alone. */
bool plan_leaves(const json_t *write, const char *key)
{
    const json_t *leaves = json_object_get(write, "leaves");
    json_t *one;
    size_t i;

    if (json_object_get(leaves, key))
        return true;
    json_array_foreach(leaves, i, one)
        if (ft_streq(json_string_value(one), key))
            return true;
    json_array_foreach(json_object_get(write, "blurs"), i, one)
        if (covers(json_string_value(one), key))
            return true;
    return false;
}

/* What no write before it changes, on whatever way, need not be said. */
static void forget(const json_t *writes, json_t *write)
{
    json_t *rests = json_object_get(write, "rests_after"), *by, *other;
    const char *key;
    void *next;
    size_t i;

    json_object_foreach_safe(rests, next, key, by) {
        bool changed = !json_is_null(by);

        json_array_foreach(writes, i, other)
            changed |= ft_json_int(other, "n", 0) < ft_json_int(write, "n", 0) && !json_equal(json_object_get(other, "path"), json_object_get(write, "path")) && plan_leaves(other, key);
        if (!changed)
            json_object_del(rests, key);
    }
    if (rests && !json_object_size(rests))
        json_object_del(write, "rests_after");
}

/* Of what it leaves only the keys on which others rest: the values stand there, in `before`. */
static void keep_keys(json_t *write, const json_t *asked)
{
    json_t *leaves = json_object_get(write, "leaves"), *blurs = json_object_get(write, "blurs"), *keys = json_array(), *kept = json_array(), *one, *any;
    const char *key, *name;
    size_t i;

    json_object_foreach(leaves, key, one)
        if (json_object_get(asked, key))
            json_array_append_new(keys, json_string(key));
    json_array_foreach(blurs, i, one) {
        bool covered = false;

        json_object_foreach((json_t *)asked, name, any)
            covered |= covers(json_string_value(one), name);
        if (covered)
            json_array_append(kept, one);
    }
    json_object_del(write, "leaves");
    json_object_del(write, "blurs");
    if (json_array_size(keys))
        json_object_set(write, "leaves", keys);
    if (json_array_size(kept))
        json_object_set(write, "blurs", kept);
    json_decref(keys);
    json_decref(kept);
}

void dry_left_end(json_t *writes)
{
    json_t *write, *asked = json_object();
    size_t i;

    json_array_foreach(writes, i, write) {
        forget(writes, write);
        json_object_update(asked, json_object_get(write, "rests_after"));
    }
    json_array_foreach(writes, i, write)
        keep_keys(write, asked);
    json_decref(asked);
}
