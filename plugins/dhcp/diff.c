/* diff.c: what differs between two JSON values. */
#include "diff.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

struct diff { json_t *list; size_t max; };

static void note(struct diff *d, const char *path, const json_t *from, const json_t *to)
{
    if (json_array_size(d->list) < d->max)
        json_array_append_new(d->list, json_pack("{s:s, s:o, s:o}", "path", path, "from", from ? json_deep_copy(from) : json_null(),
                                                 "to", to ? json_deep_copy(to) : json_null()));
}

/* What tells the members of a list apart. NULL: nothing does in this one. */
static const char *key_of(const json_t *list)
{
    static const char *const keys[] = { "id", "subnet", "pool", "hw-address", "name", "library", "code" };
    const json_t *item;
    size_t i;

    for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
        bool all = json_array_size(list) > 0;

        json_array_foreach(list, i, item)
            all = all && json_object_get(item, keys[k]) && !json_is_object(json_object_get(item, keys[k]));
        if (all)
            return keys[k];
    }
    return NULL;
}

static json_t *find(const json_t *list, const char *key, const json_t *value)
{
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item) {
        if (json_equal(json_object_get(item, key), value))
            return item;
    }
    return NULL;
}

json_t *json_counterpart(const json_t *list, const json_t *of_list, size_t i)
{
    const char *key = key_of(of_list);

    return key ? find(list, key, json_object_get(json_array_get(of_list, i), key)) : json_array_get(list, i);
}

static void compare(struct diff *d, const char *path, const json_t *from, const json_t *to);

static void name_item(char *out, size_t size, const char *path, const json_t *value)
{
    if (json_is_string(value))
        snprintf(out, size, "%s[%s]", path, json_string_value(value));
    else
        snprintf(out, size, "%s[%" JSON_INTEGER_FORMAT "]", path, json_integer_value(value));
}

static void compare_lists(struct diff *d, const char *path, const json_t *from, const json_t *to)
{
    const char *key = key_of(json_array_size(from) ? from : to), *other = key_of(json_array_size(to) ? to : from);
    char deeper[512];
    const json_t *item;
    size_t i;

    if (!key || !other || strcmp(key, other) != 0) {
        note(d, path, from, to);
        return;
    }
    json_array_foreach(from, i, item) {
        name_item(deeper, sizeof(deeper), path, json_object_get(item, key));
        compare(d, deeper, item, find(to, key, json_object_get(item, key)));
    }
    json_array_foreach(to, i, item) {
        if (find(from, key, json_object_get(item, key)))
            continue;
        name_item(deeper, sizeof(deeper), path, json_object_get(item, key));
        note(d, deeper, NULL, item);
    }
}

static void compare_objects(struct diff *d, const char *path, const json_t *from, const json_t *to)
{
    char deeper[512];
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)from, key, value) {
        snprintf(deeper, sizeof(deeper), "%s%s%s", path, *path ? "." : "", key);
        compare(d, deeper, value, json_object_get(to, key));
    }
    json_object_foreach((json_t *)to, key, value) {
        snprintf(deeper, sizeof(deeper), "%s%s%s", path, *path ? "." : "", key);
        if (!json_object_get(from, key))
            note(d, deeper, NULL, value);
    }
}

static void compare(struct diff *d, const char *path, const json_t *from, const json_t *to)
{
    if (json_equal(from, to))
        return;
    if (json_is_object(from) && json_is_object(to))
        compare_objects(d, path, from, to);
    else if (json_is_array(from) && json_is_array(to))
        compare_lists(d, path, from, to);
    else
        note(d, path, from, to);
}

json_t *json_diff(const json_t *from, const json_t *to, size_t max)
{
    struct diff d = { json_array(), max };

    compare(&d, "", from, to);
    return d.list;
}

static bool same_text(const char *a, const char *b)
{
    for (;; a++, b++) {
        while (isspace((unsigned char)*a)) a++;
        while (isspace((unsigned char)*b)) b++;
        if (*a != *b || !*a)
            return *a == *b;
    }
}

bool json_covers(const json_t *there, const json_t *wanted)
{
    const char *key;
    json_t *value;
    size_t i;

    if (json_is_string(there) && json_is_string(wanted))
        return same_text(json_string_value(there), json_string_value(wanted));
    if (json_is_object(there) && json_is_object(wanted)) {
        json_object_foreach((json_t *)wanted, key, value) {
            if (!json_covers(json_object_get(there, key), value))
                return false;
        }
        return true;
    }
    if (json_is_array(there) && json_is_array(wanted)) {
        json_array_foreach(wanted, i, value) {
            if (!json_covers(json_array_get(there, i), value))
                return false;
        }
        return json_array_size(there) == json_array_size(wanted);
    }
    return there && json_equal(there, wanted);
}
