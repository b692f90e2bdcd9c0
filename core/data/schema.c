/* schema.c: compiles a schema. Every subschema becomes one node, references point at nodes, and what is wrong with a schema
 * is found here, not when the first value comes by. */
#include "data/schema.h"
#include <math.h>
#include "base/buf.h"
#include "base/text.h"
#include "base/util.h"
#include "data/json.h"
#include "data/schema_parts.h"

enum { NODES_MAX = 20000, IN_PLACE_MAX = 200 };

struct compiler {
    struct ft_schema *schema;
    struct schema_node **nodes;       /* in the order of their finding; owned */
    size_t count, done;
    size_t *table, table_size;        /* hash of nodes by source, index + 1; owned */
    struct schema_node *at;           /* being filled in */
    const char *keyword;
    struct ft_err *reterr;
};

struct keyword {
    const char *name;
    int (*set)(struct compiler *c, const struct keyword *keyword, json_t *value);
    size_t field;                     /* of struct schema_node */
};

__attribute__((format(printf, 2, 3)))
static int refuse(struct compiler *c, const char *fmt, ...)
{
    char said[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(said, sizeof(said), fmt, ap);
    va_end(ap);
    if (c->keyword)
        return ft_err_class(c->reterr, FT_INVALID, -EINVAL, "schema at '%s/%s': %s", c->at->path, c->keyword, said);
    return ft_err_class(c->reterr, FT_INVALID, -EINVAL, "schema at '%s': %s", c->at->path, said);
}

/* ---- Types ------------------------------------------------------------------------------------------------------- */

static const struct { const char *name, *about; unsigned type; } types[] = {
    { "null", "null", SCHEMA_NULL }, { "boolean", "a boolean", SCHEMA_BOOLEAN }, { "integer", "an integer", SCHEMA_INTEGER },
    { "number", "a number", SCHEMA_NUMBER }, { "string", "a string", SCHEMA_STRING }, { "array", "a list", SCHEMA_ARRAY },
    { "object", "a map", SCHEMA_OBJECT },
};

unsigned schema_type_from_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (ft_streq(types[i].name, name))
            return types[i].type;
    return 0;
}

const char *schema_type_about(enum schema_type type)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (types[i].type == type)
            return types[i].about;
    return "nothing";
}

/* ---- Nodes ------------------------------------------------------------------------------------------------------- */

static size_t *slot(struct compiler *c, const json_t *source)
{
    size_t at = ((uintptr_t)source >> 4) * 0x9e3779b97f4a7c15u % c->table_size;

    while (c->table[at] && c->nodes[c->table[at] - 1]->source != source)
        at = (at + 1) % c->table_size;
    return &c->table[at];
}

static void grow_table(struct compiler *c)
{
    free(c->table);
    c->table_size = ft_max(c->table_size * 2, (size_t)127);
    c->table = ft_calloc(c->table_size, sizeof(*c->table));
    for (size_t i = 0; i < c->count; i++)
        *slot(c, c->nodes[i]->source) = i + 1;
}

/* The node of a subschema, to be filled in later. NULL and an error when it is none. */
static struct schema_node *node_of(struct compiler *c, const json_t *source, const char *path)
{
    struct schema_node *node;
    size_t *place;

    if (!json_is_object(source) && !json_is_boolean(source)) {
        ft_err_class(c->reterr, FT_INVALID, -EINVAL, "schema at '%s': a schema must be an object or a boolean", path);
        return NULL;
    }
    if (c->count * 2 >= c->table_size)
        grow_table(c);
    place = slot(c, source);
    if (*place)
        return c->nodes[*place - 1];
    if (c->count >= NODES_MAX) {
        ft_err_class(c->reterr, FT_INVALID, -EINVAL, "the schema has more than %d parts", NODES_MAX);
        return NULL;
    }
    node = ft_arena_alloc(c->schema->mem, sizeof(*node));
    node->source = source;
    node->path = ft_arena_strdup(c->schema->mem, path);
    node->nothing = json_is_false(source);
    node->min_length = node->max_length = node->min_items = node->max_items = node->min_contains = node->max_contains =
        node->min_members = node->max_members = -1;
    c->nodes = ft_realloc(c->nodes, (c->count + 1) * sizeof(*c->nodes));
    c->nodes[c->count++] = node;
    *place = c->count;
    return node;
}

/* The path of what is inside the keyword; the key escaped as JSON pointers want it. */
static char *path_below(struct compiler *c, const char *key)
{
    struct ft_buf path = FT_BUF_INIT(0);
    char *kept;

    ft_buf_addf(&path, "%s/%s%s", c->at->path, c->keyword, key ? "/" : "");
    for (; key && *key; key++) {
        if (*key == '~' || *key == '/')
            ft_buf_adds(&path, *key == '~' ? "~0" : "~1");
        else
            ft_buf_addc(&path, *key);
    }
    kept = ft_arena_strdup(c->schema->mem, ft_buf_str(&path));
    ft_buf_done(&path);
    return kept;
}

static int child(struct compiler *c, json_t *value, const char *key, struct schema_node **ret)
{
    *ret = node_of(c, value, path_below(c, key));
    return *ret ? 0 : -EINVAL;
}

/* ---- Setters of keywords ----------------------------------------------------------------------------------------- */

#define field(c, keyword, type) ((type *)(void *)((char *)(c)->at + (keyword)->field))

static int set_anything(struct compiler *c, const struct keyword *keyword, json_t *value)
{
    (void)c, (void)keyword, (void)value;
    return 0;
}

static int set_text(struct compiler *c, const struct keyword *keyword, json_t *value)
{
    (void)keyword;
    return json_is_string(value) ? 0 : refuse(c, "must be a string");
}

static int set_root_id(struct compiler *c, const struct keyword *keyword, json_t *value)
{
    (void)keyword;
    if (c->at != c->schema->root)
        return refuse(c, "only the whole document may have an $id");
    return json_is_string(value) ? 0 : refuse(c, "must be a string");
}

static int set_flag(struct compiler *c, const struct keyword *keyword, json_t *value)
{
    if (!json_is_boolean(value))
        return refuse(c, "must be true or false");
    *field(c, keyword, bool) = json_is_true(value);
    return 0;
}

static int set_boolean_note(struct compiler *c, const struct keyword *keyword, json_t *value)
{
    (void)keyword;
    return json_is_boolean(value) ? 0 : refuse(c, "must be true or false");
}

static int set_list_note(struct compiler *c, const struct keyword *keyword, json_t *value)
{
    (void)keyword;
    return json_is_array(value) ? 0 : refuse(c, "must be an array");
}

static int set_value(struct compiler *c, const struct keyword *keyword, json_t *value)
{
    *field(c, keyword, json_t *) = value;
    return 0;
}

static int set_values(struct compiler *c, const struct keyword *keyword, json_t *value)
{
    if (!json_is_array(value) || json_array_size(value) == 0)
        return refuse(c, "must be an array with something in it");
    return set_value(c, keyword, value);
}

static int set_number(struct compiler *c, const struct keyword *keyword, json_t *value)
{
    return json_is_number(value) ? set_value(c, keyword, value) : refuse(c, "must be a number");
}

static int set_multiple(struct compiler *c, const struct keyword *keyword, json_t *value)
{
    return json_is_number(value) && json_number_value(value) > 0 ? set_value(c, keyword, value)
        : refuse(c, "must be a number greater than 0");
}

static int set_count(struct compiler *c, const struct keyword *keyword, json_t *value)
{
    double real = json_number_value(value);

    if (!json_is_number(value) || real < 0 || real != floor(real) || real > 9e15)
        return refuse(c, "must be a whole number, 0 or more");
    *field(c, keyword, int64_t) = (int64_t)real;
    return 0;
}

static bool is_list_of_names(const json_t *value)
{
    const json_t *item;
    size_t i;

    json_array_foreach(value, i, item)
        if (!json_is_string(item))
            return false;
    return json_is_array(value);
}

static int set_required(struct compiler *c, const struct keyword *keyword, json_t *value)
{
    return is_list_of_names(value) ? set_value(c, keyword, value) : refuse(c, "must be an array of strings");
}

static int set_dependent_required(struct compiler *c, const struct keyword *keyword, json_t *value)
{
    const char *key;
    json_t *names;

    if (!json_is_object(value))
        return refuse(c, "must be an object");
    json_object_foreach(value, key, names)
        if (!is_list_of_names(names))
            return refuse(c, "'%s' must be an array of strings", key);
    return set_value(c, keyword, value);
}

static int add_type(struct compiler *c, const json_t *name)
{
    const char *names[ARRAY_LEN(types) + 1] = { NULL }, *near;
    unsigned type = schema_type_from_name(json_string_value(name));

    if (!json_is_string(name))
        return refuse(c, "must be the name of a type or an array of them");
    c->at->types |= type;
    if (type)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        names[i] = types[i].name;
    near = ft_suggest(json_string_value(name), names);
    return refuse(c, "there is no type '%s'%s%s%s", json_string_value(name), near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static int set_type(struct compiler *c, const struct keyword *keyword, json_t *value)
{
    json_t *name;
    size_t i;
    int r = 0;

    (void)keyword;
    if (!json_is_array(value))
        return add_type(c, value);
    if (json_array_size(value) == 0)
        return refuse(c, "must be the name of a type or an array of them");
    json_array_foreach(value, i, name)
        if (r == 0)
            r = add_type(c, name);
    return r;
}

static int set_format(struct compiler *c, const struct keyword *keyword, json_t *value)
{
    const char *name = json_string_value(value), *near;

    (void)keyword;
    if (!name)
        return refuse(c, "must be a string");
    c->at->format = ft_format_from_name(name);
    if (c->at->format != FT_FORMAT_NONE)
        return 0;
    near = ft_suggest(name, ft_format_names());
    return refuse(c, "there is no format '%s'%s%s%s", name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static int compile_pattern(struct compiler *c, const char *text, struct ft_pattern **ret)
{
    struct ft_schema *schema = c->schema;
    struct ft_err error;

    if (ft_pattern_new(text, ret, &error) < 0)
        return refuse(c, "%s", error.text);
    schema->patterns = ft_realloc(schema->patterns, (schema->pattern_count + 1) * sizeof(struct ft_pattern *));
    schema->patterns[schema->pattern_count++] = *ret;
    return 0;
}

static int set_pattern(struct compiler *c, const struct keyword *keyword, json_t *value)
{
    (void)keyword;
    return json_is_string(value) ? compile_pattern(c, json_string_value(value), &c->at->pattern) : refuse(c, "must be a string");
}

static int set_schema(struct compiler *c, const struct keyword *keyword, json_t *value)
{
    return child(c, value, NULL, field(c, keyword, struct schema_node *));
}

static int set_schemas(struct compiler *c, const struct keyword *keyword, json_t *value)
{
    struct schema_nodes *nodes = field(c, keyword, struct schema_nodes);
    char number[24];
    json_t *item;
    size_t i;

    if (!json_is_array(value) || json_array_size(value) == 0)
        return refuse(c, "must be an array with something in it");
    nodes->items = ft_arena_alloc(c->schema->mem, json_array_size(value) * sizeof(*nodes->items));
    json_array_foreach(value, i, item) {
        snprintf(number, sizeof(number), "%zu", i);
        if (child(c, item, number, &nodes->items[nodes->count++]) < 0)
            return -EINVAL;
    }
    return 0;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct schema_member *)a)->key, ((const struct schema_member *)b)->key);
}

static int set_members(struct compiler *c, const struct keyword *keyword, json_t *value)
{
    struct schema_members *members = field(c, keyword, struct schema_members);
    struct schema_member *member;
    const char *key;
    json_t *item;

    if (!json_is_object(value))
        return refuse(c, "must be an object");
    members->items = ft_arena_alloc(c->schema->mem, json_object_size(value) * sizeof(*members->items));
    json_object_foreach(value, key, item) {
        member = &members->items[members->count++];
        member->key = key;
        if (child(c, item, key, &member->node) < 0)
            return -EINVAL;
    }
    qsort(members->items, members->count, sizeof(*members->items), by_key);
    return 0;
}

static int set_definitions(struct compiler *c, const struct keyword *keyword, json_t *value)
{
    struct schema_node *node;
    const char *key;
    json_t *item;

    (void)keyword;
    if (!json_is_object(value))
        return refuse(c, "must be an object");
    json_object_foreach(value, key, item)
        if (child(c, item, key, &node) < 0)
            return -EINVAL;
    return 0;
}

static int set_matchers(struct compiler *c, const struct keyword *keyword, json_t *value)
{
    struct schema_matchers *matchers = field(c, keyword, struct schema_matchers);
    struct schema_matcher *matcher;
    const char *key;
    json_t *item;

    if (!json_is_object(value))
        return refuse(c, "must be an object");
    matchers->items = ft_arena_alloc(c->schema->mem, json_object_size(value) * sizeof(*matchers->items));
    json_object_foreach(value, key, item) {
        matcher = &matchers->items[matchers->count++];
        if (compile_pattern(c, key, &matcher->pattern) < 0 || child(c, item, key, &matcher->node) < 0)
            return -EINVAL;
    }
    return 0;
}

static int set_ref(struct compiler *c, const struct keyword *keyword, json_t *value)
{
    const char *ref = json_string_value(value);
    json_t *target;

    (void)keyword;
    if (!ref)
        return refuse(c, "must be a string");
    if (*ref != '#')
        return refuse(c, "'%s' is not in this document: a reference begins with '#'", ref);
    target = schema_resolve(c->schema->document, ref);
    if (!target)
        return refuse(c, "there is nothing at '%s'", ref);
    c->at->ref = node_of(c, target, ref + 1);
    return c->at->ref ? 0 : -EINVAL;
}

/* ---- Keywords ---------------------------------------------------------------------------------------------------- */

#define AT(member) offsetof(struct schema_node, member)

/* In the order in which mistakes are reported. */
static const struct keyword keywords[] = {
    { "$schema", set_text, 0 }, { "$id", set_root_id, 0 }, { "$comment", set_text, 0 }, { "$anchor", set_text, 0 },
    { "title", set_text, 0 }, { "description", set_text, 0 }, { "default", set_anything, 0 }, { "examples", set_list_note, 0 },
    { "deprecated", set_boolean_note, 0 },
    { "$defs", set_definitions, 0 }, { "$ref", set_ref, 0 },
    { "type", set_type, 0 }, { "enum", set_values, AT(values) }, { "const", set_value, AT(constant) }, { "x-secret", set_flag, AT(secret) },
    { "minimum", set_number, AT(minimum) }, { "maximum", set_number, AT(maximum) },
    { "exclusiveMinimum", set_number, AT(above) }, { "exclusiveMaximum", set_number, AT(below) }, { "multipleOf", set_multiple, AT(multiple) },
    { "minLength", set_count, AT(min_length) }, { "maxLength", set_count, AT(max_length) }, { "pattern", set_pattern, 0 },
    { "format", set_format, 0 },
    { "properties", set_members, AT(properties) }, { "patternProperties", set_matchers, AT(matchers) },
    { "additionalProperties", set_schema, AT(additional) }, { "propertyNames", set_schema, AT(names) },
    { "required", set_required, AT(required) }, { "dependentRequired", set_dependent_required, AT(dependent_required) },
    { "dependentSchemas", set_members, AT(dependent) },
    { "minProperties", set_count, AT(min_members) }, { "maxProperties", set_count, AT(max_members) },
    { "prefixItems", set_schemas, AT(prefix) }, { "items", set_schema, AT(items) }, { "contains", set_schema, AT(contains) },
    { "minContains", set_count, AT(min_contains) }, { "maxContains", set_count, AT(max_contains) },
    { "minItems", set_count, AT(min_items) }, { "maxItems", set_count, AT(max_items) }, { "uniqueItems", set_flag, AT(unique) },
    { "allOf", set_schemas, AT(all) }, { "anyOf", set_schemas, AT(any) }, { "oneOf", set_schemas, AT(one) }, { "not", set_schema, AT(not) },
    { "if", set_schema, AT(condition) }, { "then", set_schema, AT(then) }, { "else", set_schema, AT(otherwise) },
};

static const struct keyword *find_keyword(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(keywords); i++)
        if (strcmp(keywords[i].name, name) == 0)
            return &keywords[i];
    return NULL;
}

static int unknown_keyword(struct compiler *c, const char *name)
{
    const char *names[ARRAY_LEN(keywords) + 1] = { NULL }, *near;

    for (size_t i = 0; i < ARRAY_LEN(keywords); i++)
        names[i] = keywords[i].name;
    near = ft_suggest(name, names);
    c->keyword = NULL;
    return refuse(c, "the keyword '%s' is not supported%s%s%s", name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static int fill_in(struct compiler *c, struct schema_node *node)
{
    const char *name;
    json_t *value;
    int r = 0;

    c->at = node;
    json_object_foreach((json_t *)node->source, name, value) {
        const struct keyword *keyword = find_keyword(name);

        c->keyword = name;
        if (keyword)
            r = keyword->set(c, keyword, value);
        else if (strncmp(name, "x-", 2) != 0)
            r = unknown_keyword(c, name);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- References -------------------------------------------------------------------------------------------------- */

/* %25 and the like, in place. */
static void unescape_percent(char *text)
{
    char *to = text;

    for (; *text; text++) {
        unsigned value;

        if (*text == '%' && text[1] && text[2] && sscanf(text + 1, "%2x", &value) == 1 && value) {
            *to++ = (char)value;
            text += 2;
        } else {
            *to++ = *text;
        }
    }
    *to = '\0';
}

static void unescape_pointer(char *text)
{
    char *to = text;

    for (; *text; text++) {
        if (*text == '~' && (text[1] == '0' || text[1] == '1'))
            *to++ = *++text == '0' ? '~' : '/';
        else
            *to++ = *text;
    }
    *to = '\0';
}

static json_t *step(const json_t *value, const char *name)
{
    if (json_is_object(value))
        return json_object_get(value, name);
    if (json_is_array(value) && *name && !name[strspn(name, "0123456789")] && strlen(name) < 10)
        return json_array_get(value, strtoul(name, NULL, 10));
    return NULL;
}

static json_t *follow_pointer(const json_t *value, char *pointer)
{
    while (value && *pointer == '/') {
        char *name = pointer + 1, *end = name + strcspn(name, "/"), kept = *end;

        *end = '\0';
        pointer = ft_strdup(name);
        unescape_pointer(pointer);
        value = step(value, pointer);
        free(pointer);
        *end = kept;
        pointer = end;
    }
    return value && !*pointer ? (json_t *)value : NULL;
}

/* Only where schemas can stand: "$anchor" inside an enum or a default is just data. */
static json_t *find_anchor(const json_t *schema, const char *name)
{
    json_t *value, *item, *found = NULL;
    const char *key, *inner;
    size_t i;

    if (ft_streq(ft_json_str(schema, "$anchor"), name))
        return (json_t *)schema;
    json_object_foreach((json_t *)schema, key, value) {
        const struct keyword *keyword = find_keyword(key);
        bool map = keyword && (keyword->set == set_members || keyword->set == set_definitions || keyword->set == set_matchers);

        if (keyword && keyword->set == set_schema)
            found = found ? found : find_anchor(value, name);
        if (map)
            json_object_foreach(value, inner, item)
                found = found ? found : find_anchor(item, name);
        if (keyword && keyword->set == set_schemas)
            json_array_foreach(value, i, item)
                found = found ? found : find_anchor(item, name);
    }
    return found;
}

json_t *schema_resolve(const json_t *document, const char *ref)
{
    char *fragment;
    json_t *found;

    if (*ref != '#')
        return NULL;
    fragment = ft_strdup(ref + 1);
    unescape_percent(fragment);
    if (*fragment == '\0' || *fragment == '/')
        found = follow_pointer(document, fragment);
    else
        found = find_anchor(document, fragment);
    free(fragment);
    return found;
}

/* ---- Endless references ------------------------------------------------------------------------------------------ */

static int visit(struct compiler *c, struct schema_node *node, unsigned depth);

static int visit_all(struct compiler *c, const struct schema_nodes *nodes, unsigned depth)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < nodes->count; i++)
        r = visit(c, nodes->items[i], depth);
    return r;
}

/* Follows what is applied to the same value: a way back to where it came from would never end. */
static int visit(struct compiler *c, struct schema_node *node, unsigned depth)
{
    struct schema_node *single[5];
    int r = 0;

    if (!node || node->visit == VISITED)
        return 0;
    c->at = node;
    c->keyword = NULL;
    if (node->visit == VISITING)
        return refuse(c, "refers to itself without end");
    if (depth > IN_PLACE_MAX)
        return refuse(c, "more than %d schemas apply to one value through one another", IN_PLACE_MAX);
    node->visit = VISITING;
    single[0] = node->ref, single[1] = node->not, single[2] = node->condition, single[3] = node->then, single[4] = node->otherwise;
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(single); i++)
        r = visit(c, single[i], depth + 1);
    for (size_t i = 0; r == 0 && i < node->dependent.count; i++)
        r = visit(c, node->dependent.items[i].node, depth + 1);
    r = r ? r : visit_all(c, &node->all, depth + 1);
    r = r ? r : visit_all(c, &node->any, depth + 1);
    r = r ? r : visit_all(c, &node->one, depth + 1);
    node->visit = VISITED;
    return r;
}

/* ---- All of it --------------------------------------------------------------------------------------------------- */

static int compile(struct compiler *c)
{
    int r = 0;

    c->schema->root = node_of(c, c->schema->document, "");
    if (!c->schema->root)
        return -EINVAL;
    for (; r == 0 && c->done < c->count; c->done++)       /* filling one in may find more */
        r = fill_in(c, c->nodes[c->done]);
    for (size_t i = 0; r == 0 && i < c->count; i++)
        r = visit(c, c->nodes[i], 0);
    return r;
}

int ft_schema_compile(const json_t *schema, struct ft_schema **ret, struct ft_err *reterr)
{
    struct ft_arena *mem = ft_arena_new();
    struct compiler c = { .schema = ft_arena_alloc(mem, sizeof(*c.schema)), .reterr = reterr };
    int r;

    c.schema->mem = mem;
    c.schema->document = json_incref((json_t *)schema);
    r = compile(&c);
    free(c.nodes);
    free(c.table);
    *ret = r < 0 ? ft_schema_free(c.schema) : c.schema;
    return r;
}

struct ft_schema *ft_schema_free(struct ft_schema *schema)
{
    if (!schema)
        return NULL;
    for (size_t i = 0; i < schema->pattern_count; i++)
        ft_pattern_free(schema->patterns[i]);
    free(schema->patterns);
    json_decref(schema->document);
    ft_arena_free(schema->mem);
    return NULL;
}

struct schema_node *schema_member_of(const struct schema_members *members, const char *key)
{
    struct schema_member wanted = { .key = key };
    struct schema_member *found = members->count ? bsearch(&wanted, members->items, members->count, sizeof(wanted), by_key) : NULL;

    return found ? found->node : NULL;
}
