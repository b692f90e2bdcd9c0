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

struct resolver { struct ft_secrets *secrets; bool params; struct ft_err *err; };

/* In a section stands a reference and nothing else; a parameter may be given as text, too. */
static int resolve_secret(const struct resolver *r, const json_t *value, const char *where, json_t **ret)
{
    char *text;
    int result;

    if (r->params && !json_object_get(value, "$secret")) {
        *ret = json_incref((json_t *)value);
        return 0;
    }
    if (!ft_secret_is_ref(value))
        return ft_err_set(r->err, -EINVAL, "%s is a secret, so the configuration names where it lies: {env: NAME} or {file: /path}", where);
    result = ft_secret_read(r->secrets, value, where, &text, r->err);
    if (result < 0)
        return result;
    *ret = json_string(text);
    explicit_bzero(text, strlen(text));
    free(text);
    return *ret ? 0 : ft_err_set(r->err, -EINVAL, "%s is not UTF-8 text", where);
}

static int resolve(const struct resolver *r, const json_t *schema, const json_t *value, const char *where, json_t **ret);

static int resolve_object(const struct resolver *r, const json_t *schema, const json_t *value, const char *where, json_t *into)
{
    const char *key;
    json_t *member;

    json_object_foreach((json_t *)value, key, member) {
        char *place = ft_asprintf("%s%s%s", where, *where ? "." : "", key);
        json_t *resolved = NULL;
        int result = resolve(r, schema_below(schema, key), member, place, &resolved);

        free(place);
        if (result < 0)
            return result;
        json_object_set_new(into, key, resolved);
    }
    return 0;
}

static int resolve_array(const struct resolver *r, const json_t *schema, const json_t *value, const char *where, json_t *into)
{
    json_t *member;
    size_t i;

    json_array_foreach(value, i, member) {
        char *place = ft_asprintf("%s[%zu]", where, i);
        json_t *resolved = NULL;
        int result = resolve(r, schema_below(schema, NULL), member, place, &resolved);

        free(place);
        if (result < 0)
            return result;
        json_array_append_new(into, resolved);
    }
    return 0;
}

/* schema NULL: the value is taken as it is. */
static int resolve(const struct resolver *r, const json_t *schema, const json_t *value, const char *where, json_t **ret)
{
    json_t *copy;
    int result;

    if (schema && is_secret(schema))
        return resolve_secret(r, value, where, ret);
    if (!schema || (!json_is_object(value) && !json_is_array(value))) {
        *ret = json_incref((json_t *)value);
        return 0;
    }
    copy = json_is_object(value) ? json_object() : json_array();
    result = json_is_object(value) ? resolve_object(r, schema, value, where, copy) : resolve_array(r, schema, value, where, copy);
    if (result < 0) {
        json_decref(copy);
        return result;
    }
    *ret = copy;
    return 0;
}

int ft_config_resolve(struct ft_secrets *secrets, const json_t *schema, const json_t *section, const char *where, json_t **ret, struct ft_err *reterr)
{
    return resolve(&(struct resolver){ .secrets = secrets, .err = reterr }, schema, section, where, ret);
}

int ft_params_resolve(struct ft_secrets *secrets, const json_t *schema, const json_t *params, json_t **ret, struct ft_err *reterr)
{
    return resolve(&(struct resolver){ .secrets = secrets, .params = true, .err = reterr }, schema, params, "", ret);
}

void ft_params_references(const json_t *schema, const json_t *params, json_t *to)
{
    const char *key;
    json_t *member;
    size_t i;

    if (!schema)
        return;
    if (is_secret(schema) && json_object_get(params, "$secret"))
        json_array_append(to, (json_t *)params);
    json_object_foreach((json_t *)params, key, member)
        ft_params_references(schema_below(schema, key), member, to);
    json_array_foreach(params, i, member)
        ft_params_references(schema_below(schema, NULL), member, to);
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
