#include "script/types.h"
#include <stdio.h>
#include "base/util.h"
#include "data/json.h"

enum { REFERENCES_MAX = 16, NESTING_MAX = 4 };

static unsigned kind_named(const char *name)
{
    static const struct { const char *name; unsigned kinds; } names[] = {
        { "null", FT_KIND_NIL }, { "boolean", FT_KIND_BOOL }, { "number", FT_KIND_NUMBER }, { "integer", FT_KIND_NUMBER },
        { "string", FT_KIND_STRING }, { "array", FT_KIND_LIST }, { "object", FT_KIND_OBJECT },
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (ft_streq(name, names[i].name))
            return names[i].kinds;
    return FT_KIND_ANY;
}

static unsigned kind_of_value(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_NULL:    return FT_KIND_NIL;
    case JSON_STRING:  return FT_KIND_STRING;
    case JSON_INTEGER:
    case JSON_REAL:    return FT_KIND_NUMBER;
    case JSON_ARRAY:   return FT_KIND_LIST;
    case JSON_OBJECT:  return FT_KIND_OBJECT;
    default:           return FT_KIND_BOOL;
    }
}

/* "#/$defs/ap" within the document; other references say nothing. */
static const json_t *follow(const json_t *root, const json_t *schema)
{
    const char *ref;
    char path[256];
    size_t len = 0;

    for (int i = 0; i < REFERENCES_MAX && (ref = ft_json_str(schema, "$ref")); i++) {
        if (ref[0] != '#' || (ref[1] && ref[1] != '/') || strlen(ref) >= sizeof(path) || strpbrk(ref, "~%."))
            return NULL;
        for (len = 0, ref += ref[1] ? 2 : 1; *ref; ref++)
            path[len++] = *ref == '/' ? '.' : *ref;
        path[len] = '\0';
        schema = len ? ft_json_path(root, path) : root;
    }
    return schema;
}

static unsigned kinds_of(const json_t *root, const json_t *schema, unsigned depth);

static unsigned kinds_of_all(const json_t *root, const json_t *schemas, unsigned depth)
{
    unsigned kinds = FT_KIND_ANY;
    size_t i;
    json_t *one;

    json_array_foreach(schemas, i, one)
        kinds &= kinds_of(root, one, depth);
    return kinds;
}

static unsigned kinds_of_any(const json_t *root, const json_t *schemas, unsigned depth)
{
    unsigned kinds = 0;
    size_t i;
    json_t *one;

    json_array_foreach(schemas, i, one)
        kinds |= kinds_of(root, one, depth);
    return json_array_size(schemas) ? kinds : FT_KIND_ANY;
}

static unsigned kinds_by_type(const json_t *type)
{
    unsigned kinds = 0;
    size_t i;
    json_t *one;

    if (!json_is_array(type))
        return kind_named(json_string_value(type));
    json_array_foreach(type, i, one)
        kinds |= kind_named(json_string_value(one));
    return kinds;
}

static unsigned kinds_by_values(const json_t *schema)
{
    const json_t *values = json_object_get(schema, "enum"), *constant = json_object_get(schema, "const");
    unsigned kinds = constant ? kind_of_value(constant) : 0;
    size_t i;
    json_t *one;

    json_array_foreach(values, i, one)
        kinds |= kind_of_value(one);
    return kinds ? kinds : FT_KIND_ANY;
}

static unsigned kinds_of(const json_t *root, const json_t *schema, unsigned depth)
{
    unsigned kinds;

    schema = follow(root, schema);
    if (!json_is_object(schema) || depth == 0)
        return FT_KIND_ANY;
    kinds = json_object_get(schema, "type") ? kinds_by_type(json_object_get(schema, "type")) : FT_KIND_ANY;
    kinds &= kinds_by_values(schema);
    kinds &= kinds_of_all(root, json_object_get(schema, "allOf"), depth - 1);
    kinds &= kinds_of_any(root, json_object_get(schema, "anyOf"), depth - 1);
    kinds &= kinds_of_any(root, json_object_get(schema, "oneOf"), depth - 1);
    return kinds;
}

struct ft_type ft_type_of_schema(const json_t *root, const json_t *schema, const char *note)
{
    struct ft_type type = { .kinds = FT_KIND_ANY, .root = root, .schema = schema, .note = note };

    if (schema)
        type.kinds = kinds_of(root, schema, NESTING_MAX);
    if (type.kinds == 0)                     /* a schema that nothing fits is not for us to judge */
        type.kinds = FT_KIND_ANY;
    return type;
}

json_t *ft_type_strings(const struct ft_type *type)
{
    const json_t *schema = type->schema ? follow(type->root, type->schema) : NULL;
    const json_t *values = json_object_get(schema, "enum"), *constant = json_object_get(schema, "const");
    size_t i;
    json_t *one, *list;

    if (!values && !json_is_string(constant))
        return NULL;
    list = json_array();
    if (json_is_string(constant))
        json_array_append(list, (json_t *)constant);
    json_array_foreach(values, i, one)
        if (json_is_string(one))
            json_array_append(list, one);
    return list;
}

const char *ft_kinds_say(unsigned kinds, char *buf, size_t len)
{
    static const struct { unsigned kinds; const char *word; } words[] = {
        { FT_KIND_NUMBER, "a number" }, { FT_KIND_STRING, "a string" }, { FT_KIND_BOOL, "true or false" }, { FT_KIND_TABLE, "a table" },
        { FT_KIND_LIST, "a list" }, { FT_KIND_OBJECT, "an object" }, { FT_KIND_FUNCTION, "a function" }, { FT_KIND_NULL, "null" },
        { FT_KIND_NIL, "nil" },
    };
    unsigned rest = kinds == FT_KIND_NIL ? kinds : kinds & ~(unsigned)FT_KIND_NIL;
    size_t used = 0;

    buf[0] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if ((rest & words[i].kinds) != words[i].kinds)
            continue;
        rest &= ~words[i].kinds;
        used += (size_t)snprintf(buf + used, len - used, "%s%s", used ? " or " : "", words[i].word);
    }
    return buf;
}
