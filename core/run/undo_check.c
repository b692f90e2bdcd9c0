/* undo_check.c: is the state still the one that fettle wrote? Only then is it fettle's to take back. */
#include "data/json.h"
#include "run/internal.h"

enum { MAX_DIFFERENCES = 100 };

enum undo_state undo_compare(const json_t *item, const json_t *now)
{
    const json_t *before = json_object_get(item, "before"), *after = json_object_get(item, "after");
    bool sent = json_is_true(json_object_get(item, "sent")) || json_object_get(item, "lapses");      /* by us, or by the device */

    if (!before || !now || (after && ft_json_equal(before, after)))        /* a state that does not show the write tells nothing of its undo either */
        return UNDO_UNKNOWN;
    if (!after)                                            /* only an undo that may be out can be told by it */
        return sent && ft_json_equal(now, before) ? UNDO_BACK : UNDO_UNKNOWN;
    if (ft_json_equal(now, before))
        return UNDO_BACK;
    return ft_json_equal(now, after) ? UNDO_AS_WRITTEN : UNDO_MOVED;
}

static void add(json_t *list, const char *path, const json_t *was, const json_t *wrote, const json_t *now)
{
    if (json_array_size(list) < MAX_DIFFERENCES)
        json_array_append_new(list, json_pack("{s:s, s:O*, s:O*, s:O*}", "path", path, "was", was, "wrote", wrote, "now", now));
}

static void walk(json_t *list, const char *path, const json_t *was, const json_t *wrote, const json_t *now);

static void walk_into(json_t *list, const char *path, const char *key, const json_t *was, const json_t *wrote, const json_t *now)
{
    char *deeper = ft_asprintf("%s%s%s", path, *path ? "." : "", key);

    walk(list, deeper, was, wrote, now);
    free(deeper);
}

static bool same(const json_t *a, const json_t *b)
{
    return a == b || (a && b && ft_json_equal(a, b));
}

/* Depth is bounded by what JSON may have (256 levels). */
static void walk(json_t *list, const char *path, const json_t *was, const json_t *wrote, const json_t *now)
{
    const char *key;
    json_t *value;
    size_t i;

    if (same(wrote, now))
        return;
    if (json_is_object(wrote) && json_is_object(now)) {
        json_object_foreach((json_t *)wrote, key, value)
            walk_into(list, path, key, json_object_get(was, key), value, json_object_get(now, key));
        json_object_foreach((json_t *)now, key, value)
            if (!json_object_get(wrote, key))
                walk_into(list, path, key, json_object_get(was, key), NULL, value);
    } else if (json_is_array(wrote) && json_is_array(now) && json_array_size(wrote) == json_array_size(now)) {
        json_array_foreach((json_t *)wrote, i, value) {
            char number[24];

            snprintf(number, sizeof(number), "%zu", i);
            walk_into(list, path, number, json_array_get(was, i), value, json_array_get(now, i));
        }
    } else {
        add(list, path, was, wrote, now);
    }
}

json_t *undo_differences(const json_t *before, const json_t *after, const json_t *now)
{
    json_t *list = json_array();

    walk(list, "", before, after, now);
    return list;
}
