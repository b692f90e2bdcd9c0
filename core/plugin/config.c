#include "plugin/config.h"

#include "base/util.h"

static bool is_secret(const json_t *schema)
{
    return json_is_true(json_object_get(schema, "x-secret"));
}

/* The schema of a member or (key NULL) of an item; NULL when the schema does not say. */
static const json_t *schema_below(const json_t *schema, const char *key)
{
    const json_t *found = key ? json_object_get(json_object_get(schema, "properties"), key) : json_object_get(schema, "items");

    if (!found && key)
        found = json_object_get(schema, "additionalProperties");
    return json_is_object(found) ? found : NULL;
}

static json_t *opened(const json_t *value)
{
    const char *key;
    json_t *member, *copy;
    size_t i;

    if (json_is_object(value)) {
        copy = json_object();
        if (is_secret(value))
            return copy;
        json_object_foreach((json_t *)value, key, member)
            json_object_set_new(copy, key, opened(member));
        return copy;
    }
    if (json_is_array(value)) {
        copy = json_array();
        json_array_foreach(value, i, member)
            json_array_append_new(copy, opened(member));
        return copy;
    }
    return json_incref((json_t *)value);
}

json_t *ft_config_schema(const json_t *schema)
{
    return opened(schema);
}

static int resolve_secret(struct ft_secrets *secrets, const json_t *value, const char *where, json_t **ret, struct ft_err *reterr)
{
    char *text;
    int r;

    if (!ft_secret_is_ref(value))
        return ft_err_set(reterr, -EINVAL, "%s is a secret, so the configuration names where it lies: {env: NAME} or {file: /path}", where);
    r = ft_secret_read(secrets, value, where, &text, reterr);
    if (r < 0)
        return r;
    *ret = json_string(text);
    free(text);
    return *ret ? 0 : ft_err_set(reterr, -EINVAL, "%s is not UTF-8 text", where);
}

static int resolve(struct ft_secrets *secrets, const json_t *schema, const json_t *value, const char *where, json_t **ret,
                   struct ft_err *reterr);

static int resolve_object(struct ft_secrets *secrets, const json_t *schema, const json_t *value, const char *where, json_t *into,
                          struct ft_err *reterr)
{
    const char *key;
    json_t *member;

    json_object_foreach((json_t *)value, key, member) {
        char *place = ft_asprintf("%s.%s", where, key);
        json_t *resolved = NULL;
        int r = resolve(secrets, schema_below(schema, key), member, place, &resolved, reterr);

        free(place);
        if (r < 0)
            return r;
        json_object_set_new(into, key, resolved);
    }
    return 0;
}

static int resolve_array(struct ft_secrets *secrets, const json_t *schema, const json_t *value, const char *where, json_t *into,
                         struct ft_err *reterr)
{
    json_t *member;
    size_t i;

    json_array_foreach(value, i, member) {
        char *place = ft_asprintf("%s[%zu]", where, i);
        json_t *resolved = NULL;
        int r = resolve(secrets, schema_below(schema, NULL), member, place, &resolved, reterr);

        free(place);
        if (r < 0)
            return r;
        json_array_append_new(into, resolved);
    }
    return 0;
}

/* schema NULL: the value is taken as it is. */
static int resolve(struct ft_secrets *secrets, const json_t *schema, const json_t *value, const char *where, json_t **ret,
                   struct ft_err *reterr)
{
    json_t *copy;
    int r;

    if (schema && is_secret(schema))
        return resolve_secret(secrets, value, where, ret, reterr);
    if (!schema || (!json_is_object(value) && !json_is_array(value))) {
        *ret = json_incref((json_t *)value);
        return 0;
    }
    copy = json_is_object(value) ? json_object() : json_array();
    r = json_is_object(value) ? resolve_object(secrets, schema, value, where, copy, reterr)
                              : resolve_array(secrets, schema, value, where, copy, reterr);
    if (r < 0) {
        json_decref(copy);
        return r;
    }
    *ret = copy;
    return 0;
}

int ft_config_resolve(struct ft_secrets *secrets, const json_t *schema, const json_t *section, const char *where, json_t **ret, struct ft_err *reterr)
{
    return resolve(secrets, schema, section, where, ret, reterr);
}

void ft_config_each_secret(const json_t *schema, const json_t *section, void (*fn)(void *arg, const char *text), void *arg)
{
    const char *key;
    json_t *member;
    size_t i;

    if (!schema)
        return;
    if (is_secret(schema) && json_is_string(section))
        fn(arg, json_string_value(section));
    json_object_foreach((json_t *)section, key, member)
        ft_config_each_secret(schema_below(schema, key), member, fn, arg);
    json_array_foreach(section, i, member)
        ft_config_each_secret(schema_below(schema, NULL), member, fn, arg);
}
