/* mist_shape.c: from what Mist says to what playbooks read: numbers that come as texts, times in three units, names that changed. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "mist.h"

/* One path "a.b", of length len. */
static json_t *walk(const json_t *value, const char *path, size_t len)
{
    char key[64];

    for (size_t at = 0; value && at <= len;) {
        size_t n = strcspn(path + at, ".|");

        if (n >= sizeof(key))
            return NULL;
        memcpy(key, path + at, n);
        key[n] = '\0';
        value = json_object_get(value, key);
        at += n + 1;
    }
    return json_is_null(value) ? NULL : (json_t *)value;
}

json_t *mist_at(const json_t *value, const char *path)
{
    for (;;) {
        size_t len = strcspn(path, "|");
        json_t *found = walk(value, path, len);

        if (found || !path[len])
            return found;
        path += len + 1;
    }
}

const char *mist_str(const json_t *value, const char *path)
{
    const char *text = json_string_value(mist_at(value, path));

    return text && *text ? text : NULL;
}

/* Numbers come as numbers or as texts ("vlan_id": "10"). */
static bool number_of(const json_t *value, double *ret)
{
    const char *text = json_string_value(value);
    char *end;

    if (json_is_number(value)) {
        *ret = json_number_value(value);
        return true;
    }
    if (!text || !*text)
        return false;
    *ret = strtod(text, &end);
    return !*end && isfinite(*ret);
}

double mist_num(const json_t *value, const char *path, double otherwise)
{
    double number;

    return number_of(mist_at(value, path), &number) ? number : otherwise;
}

static json_t *integer_of(const json_t *value)
{
    double number;

    if (json_is_integer(value))
        return json_integer(json_integer_value(value));
    if (!number_of(value, &number) || fabs(number) > 9e15)
        return json_null();
    return json_integer((json_int_t)llround(number));
}

/* Seconds since 1970; Mist writes milliseconds (last_trouble of switches) and microseconds (fast_roam) here and there. */
static json_t *time_of(const json_t *value)
{
    double number;

    if (!number_of(value, &number) || number <= 0)
        return json_null();
    while (number > 1e11)
        number /= 1000;
    return json_real(number);
}

static json_t *text_of(const json_t *value)
{
    const char *text = json_string_value(value);

    if (json_is_array(value))
        return text_of(json_array_get(value, 0));
    if (json_is_integer(value))
        return json_sprintf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    return text && *text ? json_string(text) : json_null();
}

static json_t *mac_of(const json_t *value)
{
    const char *text = json_string_value(value);
    char mac[MIST_MAC_LEN + 1];

    return text && mist_mac(text, mac) ? json_string(mac) : json_null();
}

static json_t *bool_of(const json_t *value)
{
    const char *text = json_string_value(value);

    if (json_is_boolean(value))
        return json_boolean(json_is_true(value));
    if (text && (!strcasecmp(text, "true") || !strcasecmp(text, "false")))
        return json_boolean(!strcasecmp(text, "true"));
    return json_null();
}

static json_t *converted(const json_t *value, enum mist_kind kind)
{
    double number;

    switch (kind) {
    case MIST_INT: return integer_of(value);
    case MIST_NUM: return number_of(value, &number) && isfinite(number) ? json_real(number) : json_null();
    case MIST_STR: return text_of(value);
    case MIST_BOOL: return bool_of(value);
    case MIST_TIME: return time_of(value);
    case MIST_MAC: return mac_of(value);
    }
    return json_null();
}

json_t *mist_value(const json_t *from, const struct mist_field *field)
{
    return converted(mist_at(from, field->from), field->kind);
}

void mist_pick(json_t *out, const json_t *from, const struct mist_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        json_t *value = mist_value(from, &fields[i]);

        if (json_is_null(value) && json_object_get(out, fields[i].name))
            continue;
        json_object_set_new(out, fields[i].name, value);
    }
}

json_t *mist_rows(const json_t *list, const struct mist_field *fields, size_t count)
{
    json_t *rows = json_array(), *item;
    size_t i;

    json_array_foreach(list, i, item) {
        json_t *row;

        if (!json_is_object(item))
            continue;
        row = json_object();
        mist_pick(row, item, fields, count);
        json_array_append_new(rows, row);
    }
    return rows;
}

static int compare_down(const void *a, const void *b, void *key)
{
    double x = mist_num(*(json_t *const *)a, key, 0), y = mist_num(*(json_t *const *)b, key, 0);

    return x < y ? 1 : x > y ? -1 : 0;
}

void mist_sort_down(json_t *rows, const char *key)
{
    size_t n = json_array_size(rows);
    json_t **sorted = n ? malloc(n * sizeof(*sorted)) : NULL;

    if (!sorted)
        return;
    for (size_t i = 0; i < n; i++)
        sorted[i] = json_incref(json_array_get(rows, i));
    qsort_r(sorted, n, sizeof(*sorted), compare_down, (void *)key);
    for (size_t i = 0; i < n; i++)
        json_array_set_new(rows, i, sorted[i]);
    free(sorted);
}

bool mist_covers(const json_t *has, const json_t *wanted)
{
    const char *name;
    json_t *member;

    if (json_is_null(wanted))
        return !has || json_is_null(has);
    if (!json_is_object(wanted) || !json_is_object(has))
        return json_equal(has, wanted);
    json_object_foreach((json_t *)wanted, name, member)
        if (!mist_covers(json_object_get(has, name), member))
            return false;
    return true;
}

void mist_count_into(json_t *counts, const char *key)
{
    json_object_set_new(counts, key, json_integer(json_integer_value(json_object_get(counts, key)) + 1));
}

/* ---- secrets inside configuration objects: WLAN keys, RADIUS secrets, portal keys, claim codes */

static bool is_secret_name(const char *name)
{
    static const char *const parts[] = { "psk", "secret", "passw", "passphrase", "private_key", "privkey", "token", "api_key", "apikey", "auth_key", "magic" };
    static const char *const harmless[] = { "psk_id", "psk_name", "multi_psk_only", "dynamic_psk", "ppsk_" };

    for (size_t i = 0; i < ARRAY_LEN(harmless); i++)
        if (strcasestr(name, harmless[i]))
            return false;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (strcasestr(name, parts[i]))
            return true;
    return false;
}

static bool is_secret(const char *name, const json_t *value)
{
    return is_secret_name(name) && json_is_string(value) && json_string_length(value);
}

bool mist_has_secrets(const json_t *value)
{
    const char *name;
    json_t *member;
    size_t i;

    json_object_foreach((json_t *)value, name, member)
        if (is_secret(name, member) || mist_has_secrets(member))
            return true;
    json_array_foreach(value, i, member)
        if (mist_has_secrets(member))
            return true;
    return false;
}

json_t *mist_without_secrets(const json_t *value)
{
    json_t *copy = json_deep_copy(value), *member;
    const char *name;
    size_t i;

    json_object_foreach(copy, name, member) {
        if (is_secret(name, member))
            json_object_set_new(copy, name, json_string("***"));
        else if (json_is_object(member) || json_is_array(member))
            json_object_set_new(copy, name, mist_without_secrets(member));
    }
    json_array_foreach(copy, i, member)
        if (json_is_object(member) || json_is_array(member))
            json_array_set_new(copy, i, mist_without_secrets(member));
    return copy;
}

void mist_redact(struct ft_call *call, const json_t *value)
{
    const char *name;
    json_t *member;
    size_t i;

    json_object_foreach((json_t *)value, name, member) {
        if (is_secret(name, member))
            host->redact(call, json_string_value(member));
        else
            mist_redact(call, member);
    }
    json_array_foreach(value, i, member)
        mist_redact(call, member);
}
