/* types.c: whether a value that a playbook writes can be what a schema asks for: constants wholly, expressions as far as their type is known. */
#include "playbook/loader.h"
#include "base/buf.h"
#include "base/text.h"
#include "data/json.h"
#include "data/schema.h"

enum { T_NULL = 1, T_BOOL = 2, T_INT = 4, T_REAL = 8, T_STRING = 16, T_LIST = 32, T_OBJECT = 64, T_ANY = 127 };

static const struct { const char *name, *people; unsigned bits; } types[] = {
    { "string", "a string", T_STRING }, { "integer", "an integer", T_INT }, { "number", "a number", T_INT | T_REAL }, { "boolean", "a boolean", T_BOOL },
    { "array", "a list", T_LIST }, { "object", "an object", T_OBJECT }, { "null", "null", T_NULL },
};

static unsigned named(const json_t *type)
{
    for (size_t i = 0; json_is_string(type) && i < ARRAY_LEN(types); i++)
        if (strcmp(types[i].name, json_string_value(type)) == 0)
            return types[i].bits;
    return T_ANY;
}

static unsigned of_value(const json_t *value)
{
    static const unsigned bits[] = {
        [JSON_OBJECT] = T_OBJECT, [JSON_ARRAY] = T_LIST, [JSON_STRING] = T_STRING, [JSON_INTEGER] = T_INT, [JSON_REAL] = T_REAL,
        [JSON_TRUE] = T_BOOL, [JSON_FALSE] = T_BOOL, [JSON_NULL] = T_NULL,
    };

    return bits[json_typeof(value)];
}

static unsigned types_of(const json_t *schema)
{
    const json_t *type = json_object_get(schema, "type"), *values = json_object_get(schema, "enum"), *one = json_object_get(schema, "const");
    unsigned bits = 0;

    if (json_is_string(type))
        return named(type);
    for (size_t i = 0; i < json_array_size(type); i++)
        bits |= named(json_array_get(type, i));
    for (size_t i = 0; !type && i < json_array_size(values); i++)
        bits |= of_value(json_array_get(values, i));
    if (!type && !values && one)
        bits = of_value(one);
    return bits ? bits : T_ANY;
}

/* "a text or null" */
static const char *spoken(unsigned bits, char *buf, size_t len)
{
    struct ft_buf text = FT_BUF_INIT(200);

    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if ((bits & types[i].bits) != types[i].bits || (types[i].bits == T_INT && (bits & T_REAL)))
            continue;
        ft_buf_addf(&text, "%s%s", text.len ? " or " : "", types[i].people);
    }
    snprintf(buf, len, "%s", text.len ? ft_buf_str(&text) : "something else");
    ft_buf_done(&text);
    return buf;
}

static bool fit(unsigned have, unsigned want)
{
    have &= ~(unsigned)T_NULL;                    /* nil is left out, and then it is missing */
    if (have & (T_INT | T_REAL))
        have |= want & (T_INT | T_REAL);          /* 3.0 is a whole number too */
    return have == 0 || (have & want) != 0;
}

/* A schema with references only means something inside its own document. */
static bool has_reference(const json_t *schema)
{
    const char *key;
    json_t *member;
    size_t i;

    json_object_foreach((json_t *)schema, key, member)
        if (strcmp(key, "$ref") == 0 || has_reference(member))
            return true;
    json_array_foreach((json_t *)schema, i, member)
        if (has_reference(member))
            return true;
    return false;
}

json_t *pb_schema_inside(const struct ft_name_type *type)
{
    return type->schema && !has_reference(type->schema) ? json_incref((json_t *)type->schema) : json_object();
}

bool pb_may_be_list(const json_t *schema)
{
    return (types_of(schema) & T_LIST) != 0;
}

/* ---- constants: the schema's own words --------------------------------------------------------------------------- */

struct check {
    struct scope *scope;
    const struct ft_node *node;                   /* of the value; NULL: there is none */
    const json_t *root;
    const char *what;
    struct ft_mark where;                         /* for what has no place of its own */
};

/* What the pointer's end is called: 'dbm', item 2 of 'tagged', the value. */
static const char *called(const char *pointer, char *buf, size_t len)
{
    const char *slash = strrchr(pointer, '/'), *before = slash;

    if (!slash) {
        snprintf(buf, len, "the value");
    } else if (slash == pointer || !slash[1] || slash[1 + strspn(slash + 1, "0123456789")]) {
        snprintf(buf, len, "'%s'", slash + 1);
    } else {
        while (before > pointer && before[-1] != '/')
            before--;
        snprintf(buf, len, "item %ld of '%.*s'", strtol(slash + 1, NULL, 10) + 1, (int)(slash - before), before);
    }
    return buf;
}

static const json_t *schema_at(const json_t *root, const char *pointer)
{
    const json_t *schema = root;
    char *copy = ft_strdup(pointer), *save = NULL;
    bool open = false;

    for (char *part = strtok_r(copy, "/", &save); part && schema; part = strtok_r(NULL, "/", &save)) {
        const json_t *member = ft_schema_member(root, schema, part, &open);

        schema = member ? member : ft_schema_items(root, schema, &open);
    }
    free(copy);
    return schema;
}

/* The name that an unknown one was meant to be; NULL. */
static const char *meant(const json_t *root, const char *pointer, const char *key)
{
    const json_t *schema = schema_at(root, pointer);
    const char **names = schema ? ft_schema_names(root, schema) : NULL;
    const char *near = names ? ft_suggest(key, names) : NULL;

    free(names);
    return near;
}

static void say_unknown(const struct check *c, const struct ft_node *parent, const struct ft_schema_error *error)
{
    const struct ft_node *member = parent ? ft_node_get(parent, error->key) : NULL;
    char near[128];

    rd_error(&c->scope->ld->rd, member ? member->key_mark : c->where, NULL, "%s has no parameter '%s'%s", c->what, error->key,
             rd_did_you_mean(meant(c->root, error->pointer, error->key), near, sizeof(near)));
}

/* A misspelt name is one mistake, not two. */
static bool is_misspelt(const struct check *c, const struct ft_node *parent, const json_t *schema, const struct ft_schema_error *error)
{
    bool open = false;

    for (const struct ft_node *member = parent ? parent->first : NULL; member; member = member->next)
        if (member->key && !ft_schema_member(c->root, schema, member->key, &open) && ft_streq(meant(c->root, error->pointer, member->key), error->key))
            return true;
    return false;
}

static void say_missing(const struct check *c, const struct ft_node *parent, const struct ft_schema_error *error)
{
    const json_t *schema = schema_at(c->root, error->pointer), *member;
    bool open = false;

    if (!schema || is_misspelt(c, parent, schema, error))
        return;
    member = ft_schema_member(c->root, schema, error->key, &open);
    rd_error(&c->scope->ld->rd, parent && parent != c->node ? rd_mark(parent) : c->where, ft_json_str(member, "description"), "%s needs '%s'", c->what, error->key);
}

static void say(void *arg, const struct ft_schema_error *error)
{
    const struct check *c = arg;
    const struct ft_node *at = c->node ? ft_node_at(c->node, error->pointer) : NULL;
    char name[160];

    if (error->what == FT_SCHEMA_UNKNOWN && error->key)
        say_unknown(c, at, error);
    else if (error->what == FT_SCHEMA_MISSING && error->key)
        say_missing(c, at, error);
    else
        rd_error(&c->scope->ld->rd, at ? at->mark : c->where, NULL, "%s: %s %s", c->what, called(error->pointer, name, sizeof(name)), error->text);
}

/* ---- expressions: their type, where it is known ------------------------------------------------------------------ */

/* A secret goes only where the schema says that one belongs: such a place is left out of all that is written. */
static bool refuse_secret(const struct check *c, const struct ft_node *node, const struct ft_tmpl *tmpl, const json_t *schema)
{
    const char *expr = pb_tmpl_expression(tmpl);
    struct ft_name_type type;

    if (!expr || json_is_true(json_object_get(schema, "x-secret")) || !pb_scope_path_type(c->scope, expr, strlen(expr), &type) ||
        !json_is_true(json_object_get(type.schema, "x-secret")))
        return false;
    rd_error(&c->scope->ld->rd, node->mark, NULL, "%s: '%s' takes no secret, so '%s' cannot be given to it", c->what, node->key ? node->key : "the item", expr);
    return true;
}

static void check_types(const struct check *c, const struct ft_node *node, const struct ft_tmpl *tmpl, const json_t *schema)
{
    struct loader *ld = c->scope->ld;
    const char *expr = pb_tmpl_expression(tmpl), *name = node->key ? node->key : "the item";
    unsigned want = types_of(schema);
    struct ft_name_type type;
    char wanted[120], had[120];

    if (json_object_get(schema, "$ref") || json_object_get(schema, "anyOf") || json_object_get(schema, "oneOf") || json_object_get(schema, "allOf"))
        return;
    if (pb_tmpl_is_text(tmpl) && !(want & T_STRING))
        rd_error(&ld->rd, node->mark, NULL, "%s: '%s' takes %s, and a text with ${…} in it is always a text", c->what, name,
                 spoken(want, wanted, sizeof(wanted)));
    if (!expr || !pb_scope_path_type(c->scope, expr, strlen(expr), &type))
        return;
    if (!fit(types_of(type.schema), want))
        rd_error(&ld->rd, node->mark, NULL, "%s: '%s' takes %s, and %s is %s", c->what, name, spoken(want, wanted, sizeof(wanted)), expr,
                 spoken(types_of(type.schema), had, sizeof(had)));
}

static void check_inside(const struct check *c, const struct ft_node *node, const struct ft_tmpl *tmpl, const json_t *schema)
{
    bool open = false;
    size_t i = 0;

    if (pb_tmpl_is_constant(tmpl))
        return;
    if (!refuse_secret(c, node, tmpl, schema) && schema)
        check_types(c, node, tmpl, schema);
    for (const struct ft_node *child = node->first; child; child = child->next, i++) {
        const json_t *inner = !schema ? NULL : child->key ? ft_schema_member(c->root, schema, child->key, &open) : ft_schema_items(c->root, schema, &open);
        const struct ft_tmpl *part = pb_tmpl_part(tmpl, i);

        if (part)
            check_inside(c, child, part, inner);
    }
}

void pb_check_value(struct scope *scope, const struct ft_node *node, const struct ft_tmpl *tmpl, const json_t *root, const struct ft_schema *schema,
                    const char *what, struct ft_mark where)
{
    struct check c = { scope, node, root, what, where };
    json_t *sketch;

    if (!schema)
        return;
    sketch = pb_tmpl_sketch(tmpl);
    ft_schema_check(schema, sketch, say, &c);
    json_decref(sketch);
    if (node)
        check_inside(&c, node, tmpl, root);
}

void pb_check_names(const struct scope *scope, const struct ft_node *node, const json_t *root, const json_t *schema, const char *what)
{
    char near[128];

    for (const struct ft_node *child = node->first; child; child = child->next) {
        bool open = false;
        const json_t *inner = child->key ? ft_schema_member(root, schema, child->key, &open) : ft_schema_items(root, schema, &open);
        const char **names = child->key && !inner && !open ? ft_schema_names(root, schema) : NULL;

        if (names)
            rd_error(&scope->ld->rd, child->key_mark, NULL, "%s has no field '%s'%s", what, child->key,
                     rd_did_you_mean(ft_suggest(child->key, names), near, sizeof(near)));
        else if (inner)
            pb_check_names(scope, child, root, inner, what);
        free(names);
    }
}

/* ---- parameters of a called playbook ----------------------------------------------------------------------------- */

static unsigned bindable(const json_t *spec)
{
    enum ft_param_type type = FT_PARAM_STRING;

    pb_param_type(ft_json_str(spec, "type"), &type);
    switch (type) {
    case FT_PARAM_INT: case FT_PARAM_NUMBER: return T_STRING | T_INT | T_REAL;
    case FT_PARAM_DURATION: return T_STRING | T_INT;
    case FT_PARAM_BOOL: return T_STRING | T_BOOL;
    case FT_PARAM_LIST: return T_STRING | T_LIST;
    default: return T_STRING;
    }
}

static void check_argument(struct scope *scope, const struct ft_node *node, const struct ft_tmpl *tmpl, const json_t *spec, const char *what)
{
    const char *expr = pb_tmpl_expression(tmpl);
    struct ft_name_type type;
    struct ft_err err = { 0 };
    json_t *value, *bound = NULL;
    char wanted[120], had[120];
    bool takes_secret = ft_streq(ft_json_str(spec, "type"), "secret");

    /* text from elsewhere would say which file or variable of this machine is read */
    if (takes_secret && !pb_tmpl_is_constant(tmpl) && !(expr && pb_scope_path_type(scope, expr, strlen(expr), &type) && json_is_true(json_object_get(type.schema, "x-secret"))))
        rd_error(&scope->ld->rd, node->mark, NULL, "%s: '%s' is a secret: hand on a parameter of type secret, or write where it lies (env:NAME)", what, node->key);
    else if (expr && pb_scope_path_type(scope, expr, strlen(expr), &type) && json_is_true(json_object_get(type.schema, "x-secret")) && !takes_secret)
        rd_error(&scope->ld->rd, node->mark, NULL, "%s: '%s' takes no secret: '%s' cannot be given to it", what, node->key, expr);
    else if (expr && pb_scope_path_type(scope, expr, strlen(expr), &type) && !fit(types_of(type.schema), bindable(spec)))
        rd_error(&scope->ld->rd, node->mark, NULL, "%s: '%s' takes %s, and %s is %s", what, node->key, spoken(bindable(spec), wanted, sizeof(wanted)), expr,
                 spoken(types_of(type.schema), had, sizeof(had)));
    if (!pb_tmpl_is_constant(tmpl))
        return;
    value = pb_tmpl_sketch(tmpl);
    if (ft_streq(ft_json_str(spec, "type"), "duration") && json_is_number(value))
        rd_error(&scope->ld->rd, node->mark, NULL, "%s: '%s' is a duration, and %s has no unit: write %ss or %sm", what, node->key, node->text, node->text,
                 node->text);
    else if (pb_bind_value(spec, value, &bound, &err) < 0)
        rd_error(&scope->ld->rd, node->mark, NULL, "%s: '%s': %s", what, node->key, err.text);
    json_decref(bound);
    json_decref(value);
}

static const struct ft_param *find_param(const struct ft_playbook *pb, const char *name)
{
    for (size_t i = 0; i < pb->param_count; i++)
        if (strcmp(pb->params[i].name, name) == 0)
            return &pb->params[i];
    return NULL;
}

static const char *nearest_param(const struct ft_playbook *pb, const char *name)
{
    const char **names = ft_calloc(pb->param_count + 1, sizeof(*names)), *near;

    for (size_t i = 0; i < pb->param_count; i++)
        names[i] = pb->params[i].name;
    near = ft_suggest(name, names);
    free(names);
    return near;
}

/* Also by a name that was meant to be it. */
static bool is_given(const struct ft_playbook *pb, const struct ft_node *with, const char *name)
{
    for (const struct ft_node *member = with ? with->first : NULL; member; member = member->next)
        if (strcmp(member->key, name) == 0 || (!find_param(pb, member->key) && ft_streq(nearest_param(pb, member->key), name)))
            return true;
    return false;
}

void pb_check_arguments(struct scope *scope, const struct ft_node *with, const struct ft_tmpl *tmpl, const struct ft_playbook *pb, const char *what,
                        struct ft_mark where)
{
    struct loader *ld = scope->ld;
    char near[128];
    size_t i = 0;

    for (const struct ft_node *member = with ? with->first : NULL; member; member = member->next, i++) {
        const struct ft_param *param = find_param(pb, member->key);
        const struct ft_tmpl *part = pb_tmpl_part(tmpl, i);

        if (!param)
            rd_error(&ld->rd, member->key_mark, NULL, "%s has no parameter '%s'%s", what, member->key,
                     rd_did_you_mean(nearest_param(pb, member->key), near, sizeof(near)));
        else if (part)
            check_argument(scope, member, part, param->spec, what);
    }
    for (i = 0; i < pb->param_count; i++)
        if (pb->params[i].required && !is_given(pb, with, pb->params[i].name))
            rd_error(&ld->rd, where, *pb->params[i].help ? pb->params[i].help : NULL, "%s needs '%s'", what, pb->params[i].name);
}
