/* schema_names.c: which names a value of a schema has, for checking expressions without a value. Works on the JSON, for
 * schemas that are only described (results of actions). */
#include "base/util.h"
#include "data/json.h"
#include "data/schema_parts.h"

enum { FOLLOW_MAX = 64, STEPS_MAX = 10000 };     /* a schema that goes beyond says nothing about names */

/* What all the parts of a schema say about one member. */
struct search {
    const json_t *root;
    const char *name;                 /* NULL: collect names instead */
    const json_t *found;
    bool several;                     /* found more than once, and not the same */
    bool listed;                      /* some part lists its properties */
    bool open;                        /* some part allows any others */
    bool no_map;                      /* it cannot be a map (a list, when items are looked for) */
    const char **names;
    size_t count;
    unsigned *steps;
};

static void find(struct search *s, const json_t *schema)
{
    if (s->found && s->found != schema && !ft_json_equal(s->found, schema))
        s->several = true;
    s->found = schema;
}

static bool allows_type(const json_t *schema, const char *name)
{
    json_t *type = json_object_get(schema, "type"), *item;
    size_t i;

    if (json_is_string(type))
        return strcmp(json_string_value(type), name) == 0;
    json_array_foreach(type, i, item)
        if (ft_streq(json_string_value(item), name))
            return true;
    return !type;
}

static void add_names(struct search *s, const json_t *properties)
{
    const char *key;
    json_t *member;

    json_object_foreach((json_t *)properties, key, member) {
        bool had = false;

        for (size_t i = 0; i < s->count; i++)
            had |= strcmp(s->names[i], key) == 0;
        if (had || json_is_false(member))
            continue;
        s->names = ft_realloc(s->names, (s->count + 2) * sizeof(*s->names));
        s->names[s->count++] = key;
    }
}

static void search_patterns(struct search *s, const json_t *patterns)
{
    struct ft_pattern *pattern;
    const char *text;
    json_t *member;

    json_object_foreach((json_t *)patterns, text, member) {
        if (ft_pattern_new(text, &pattern, /* reterr= */ NULL) < 0)
            continue;
        if (ft_pattern_match(pattern, s->name, strlen(s->name)))
            find(s, member);
        ft_pattern_free(pattern);
    }
}

static void search_own(struct search *s, const json_t *schema)
{
    const json_t *properties = json_object_get(schema, "properties"), *additional = json_object_get(schema, "additionalProperties");
    const json_t *patterns = json_object_get(schema, "patternProperties"), *member;

    if (!s->name) {
        add_names(s, properties);
        return;
    }
    member = json_object_get(properties, s->name);
    if (member && !json_is_false(member))
        find(s, member);
    search_patterns(s, patterns);
    if (json_is_object(additional) && json_object_size(additional) && !member)
        find(s, additional);
    else if (additional && !json_is_false(additional))
        s->open = true;
    if (properties || patterns || json_is_false(additional))
        s->listed = true;
}

static void search_schema(struct search *s, const json_t *schema, unsigned depth);

/* One of several schemas that the value may have; returns what it says. */
static struct search search_alternative(struct search *s, const json_t *schema, unsigned depth)
{
    struct search inner = { .root = s->root, .name = s->name, .names = s->names, .count = s->count, .steps = s->steps };

    search_schema(&inner, schema, depth);
    s->names = inner.names;
    s->count = inner.count;
    if (inner.found)
        find(s, inner.found);
    s->several |= inner.several;
    s->open |= inner.open;
    return inner;
}

/* Where nothing outside lists names, an alternative that lists none is open. */
static void search_alternatives(struct search *s, const json_t *schema, unsigned depth)
{
    static const char *const lists[] = { "anyOf", "oneOf" }, *const branches[] = { "then", "else" };
    bool listed_outside = s->listed;
    json_t *alternative;
    size_t i;

    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        json_array_foreach(json_object_get(schema, lists[l]), i, alternative) {
            struct search inner = search_alternative(s, alternative, depth);

            s->listed |= inner.listed;
            s->open |= !inner.listed && !inner.no_map && !listed_outside;
        }
    }
    for (i = 0; i < ARRAY_LEN(branches); i++)
        if (json_is_object(json_object_get(schema, branches[i])))
            search_alternative(s, json_object_get(schema, branches[i]), depth);
}

static void search_schema(struct search *s, const json_t *schema, unsigned depth)
{
    const char *ref = ft_json_str(schema, "$ref");
    json_t *part;
    size_t i;

    if (depth > FOLLOW_MAX || ++*s->steps > STEPS_MAX || json_is_true(schema) || !schema) {
        s->open = true;
        return;
    }
    if (!json_is_object(schema) || !allows_type(schema, "object")) {
        s->no_map = true;
        return;
    }
    search_own(s, schema);
    if (ref)
        search_schema(s, schema_resolve(s->root, ref), depth + 1);
    json_array_foreach(json_object_get(schema, "allOf"), i, part)
        search_schema(s, part, depth + 1);
    search_alternatives(s, schema, depth + 1);
}

const json_t *ft_schema_member(const json_t *root, const json_t *schema, const char *name, bool *ret_open)
{
    unsigned steps = 0;
    struct search s = { .root = root, .name = name, .steps = &steps };

    search_schema(&s, schema, 0);
    *ret_open = s.several || (!s.found && (s.open || (!s.listed && !s.no_map)));
    return s.several ? NULL : s.found;
}

const char **ft_schema_names(const json_t *root, const json_t *schema)
{
    unsigned steps = 0;
    struct search s = { .root = root, .names = ft_calloc(1, sizeof(*s.names)), .steps = &steps };

    search_schema(&s, schema, 0);
    s.names[s.count] = NULL;
    return s.names;
}

/* The first of the schema's parts that says something of its items. */
static const json_t *find_items(struct search *s, const json_t *schema, unsigned depth)
{
    const json_t *found = json_object_get(schema, "prefixItems") ? NULL : json_object_get(schema, "items"), *part;
    const char *ref = ft_json_str(schema, "$ref");
    size_t i;

    if (depth > FOLLOW_MAX || ++*s->steps > STEPS_MAX)
        return NULL;
    s->no_map |= !allows_type(schema, "array");
    if (!found && ref)
        found = find_items(s, schema_resolve(s->root, ref), depth + 1);
    json_array_foreach(json_object_get(schema, "allOf"), i, part)
        if (!found)
            found = find_items(s, part, depth + 1);
    return found;
}

const json_t *ft_schema_items(const json_t *root, const json_t *schema, bool *ret_open)
{
    unsigned steps = 0;
    struct search s = { .root = root, .steps = &steps };
    const json_t *found = find_items(&s, schema, 0);
    bool no_list = s.no_map || json_is_false(schema) || json_is_false(found);

    *ret_open = !found && !no_list;
    return no_list ? NULL : found;
}
