/* params.c: what a playbook, or the form of an `ask`, may be given; and the constants of `vars`. */
#include "playbook/loader.h"
#include "base/text.h"
#include "data/json.h"
#include "data/pattern.h"

const char *const pb_param_types[] = {
    [FT_PARAM_STRING] = "string", [FT_PARAM_INT] = "int", [FT_PARAM_NUMBER] = "number", [FT_PARAM_BOOL] = "bool", [FT_PARAM_DURATION] = "duration",
    [FT_PARAM_TIME] = "time", [FT_PARAM_MAC] = "mac", [FT_PARAM_IP] = "ip", [FT_PARAM_CIDR] = "cidr", [FT_PARAM_SITE] = "site",
    [FT_PARAM_DEVICE] = "device", [FT_PARAM_ENUM] = "enum", [FT_PARAM_LIST] = "list", [FT_PARAM_SECRET] = "secret", NULL,
};

bool pb_param_type(const char *name, enum ft_param_type *ret)
{
    for (unsigned i = 0; name && pb_param_types[i]; i++)
        if (strcmp(pb_param_types[i], name) == 0) {
            *ret = (enum ft_param_type)i;
            return true;
        }
    return false;
}

/* ---- one spec ---------------------------------------------------------------------------------------------------- */

static const struct rd_key spec_keys[] = {
    { "type", true }, { "required" }, { "help" }, { "default" }, { "pattern" }, { "min" }, { "max" }, { "one_of" }, { "of" }, { "release" }, { NULL },
};

/* What the spec's node says, checked key by key into the JSON that binding goes by. */
struct spec {
    struct loader *ld;
    const struct ft_node *node;
    const char *name;
    enum ft_param_type type, item;        /* item: of a list's items; else the same as type */
    json_t *json;
    bool bad;                             /* something in it is wrong: say nothing about its default */
};

static void refuse_key(struct spec *s, const char *key, const char *where)
{
    const struct ft_node *node = ft_node_get(s->node, key);

    if (!node)
        return;
    rd_error(&s->ld->rd, node->key_mark, NULL, "`%s` goes with %s, not with %s", key, where, pb_param_types[s->type]);
    s->bad = true;
}

static void read_type(struct spec *s)
{
    static const char *const items[] = { "string", "int", "number", "bool", "duration", "time", "mac", "ip", "cidr", "site", "device", "enum", NULL };
    const struct ft_node *type = ft_node_get(s->node, "type"), *of = ft_node_get(s->node, "of");
    unsigned n;

    s->type = s->item = FT_PARAM_STRING;
    if (!rd_one_of(&s->ld->rd, type, "`type`", pb_param_types, &n)) {
        s->bad = true;
        return;
    }
    s->type = s->item = (enum ft_param_type)n;
    json_object_set_new(s->json, "type", json_string(type->text));
    if (s->type != FT_PARAM_LIST) {
        refuse_key(s, "of", "list");
    } else if (!of) {
        rd_error(&s->ld->rd, rd_mark(s->node), NULL, "the list '%s' has no `of:`, the type of its items", s->name);
        s->bad = true;
    } else if (rd_one_of(&s->ld->rd, of, "`of`", items, &n)) {
        pb_param_type(of->text, &s->item);
        json_object_set_new(s->json, "of", json_string(of->text));
    } else {
        s->bad = true;
    }
}

static void read_one_of(struct spec *s)
{
    const struct ft_node *node = ft_node_get(s->node, "one_of");
    const struct reader *rd = &s->ld->rd;
    json_t *values = json_array(), *seen = json_object();

    if (s->item != FT_PARAM_ENUM) {
        refuse_key(s, "one_of", "enum");
    } else if (!node) {
        rd_error(rd, rd_mark(s->node), NULL, "the enum '%s' has no `one_of:`, the list of its values", s->name);
        s->bad = true;
    } else if (!rd_list(rd, node, "`one_of`")) {
        s->bad = true;
    } else {
        for (const struct ft_node *item = node->first; item; item = item->next) {
            const char *text = rd_constant(rd, item, "a value of `one_of`");

            if (text && json_object_get(seen, text))
                rd_error(rd, item->mark, NULL, "'%s' is in `one_of` twice", text);
            if (!text || json_object_get(seen, text)) {
                s->bad = true;
                continue;
            }
            json_object_set_new(seen, text, json_true());
            json_array_append_new(values, json_string(text));
        }
        json_object_set(s->json, "one_of", values);
    }
    json_decref(seen);
    json_decref(values);
}

static void read_pattern(struct spec *s)
{
    const struct ft_node *node = ft_node_get(s->node, "pattern");
    const char *text;
    struct ft_pattern *compiled = NULL;
    struct ft_err err = { 0 };

    if (!node)
        return;
    if (s->item != FT_PARAM_STRING && s->item != FT_PARAM_SITE && s->item != FT_PARAM_DEVICE) {
        refuse_key(s, "pattern", "string, site and device");
        return;
    }
    text = rd_text(&s->ld->rd, node, "`pattern`");
    if (!text) {
        s->bad = true;
    } else if (ft_pattern_new(text, &compiled, &err) < 0) {
        rd_error(&s->ld->rd, node->mark, NULL, "`pattern` is no regular expression that fettle knows: %s", err.text);
        s->bad = true;
    } else {
        json_object_set_new(s->json, "pattern", json_string(text));
    }
    ft_pattern_free(compiled);
}

/* What min and max of a type are: a number, a whole number, a duration, or a length. */
static bool read_bound(struct spec *s, const char *key, double *ret)
{
    const struct ft_node *node = ft_node_get(s->node, key);
    const struct reader *rd = &s->ld->rd;
    char what[16];
    uint64_t ms;
    unsigned n;
    bool ok;

    if (!node)
        return false;
    snprintf(what, sizeof(what), "`%s`", key);
    switch (s->type) {
    case FT_PARAM_INT: case FT_PARAM_NUMBER:
        ok = rd_real(rd, node, what, -1e15, 1e15, ret);
        break;
    case FT_PARAM_DURATION:
        ok = rd_duration(rd, node, what, &ms);
        *ret = ok ? (double)ms : 0;
        break;
    case FT_PARAM_STRING: case FT_PARAM_LIST:
        ok = rd_uint(rd, node, what, 0, 1000000, &n);
        *ret = ok ? n : 0;
        break;
    default:
        refuse_key(s, key, "int, number, duration, string (its length) and list (how many)");
        return false;
    }
    if (ok)
        json_object_set_new(s->json, key, ft_node_json(node));
    else
        s->bad = true;
    return ok;
}

static void read_bounds(struct spec *s)
{
    double min = 0, max = 0;
    bool has_min = read_bound(s, "min", &min), has_max = read_bound(s, "max", &max);

    if (has_min && has_max && min > max) {
        rd_error(&s->ld->rd, ft_node_get(s->node, "max")->mark, NULL, "`max` is less than `min`");
        s->bad = true;
    }
}

static void read_default(struct spec *s)
{
    const struct ft_node *node = ft_node_get(s->node, "default"), *must = ft_node_get(s->node, "required");
    json_t *given, *bound = NULL;
    struct ft_err err = { 0 };
    bool required = false;

    if (rd_bool(&s->ld->rd, must, "`required`", &required) && required)
        json_object_set_new(s->json, "required", json_true());
    if (!node)
        return;
    if (required)
        rd_error(&s->ld->rd, must->key_mark, NULL, "'%s' has a default, so it is never missing: leave out `required`", s->name);
    if (node->kind == FT_NODE_NULL) {
        rd_error(&s->ld->rd, node->key_mark, NULL, "`default` is empty; leave it out for none");
        return;
    }
    if (s->bad)
        return;
    if (s->type == FT_PARAM_DURATION && (node->kind == FT_NODE_INT || node->kind == FT_NODE_REAL)) {
        rd_error(&s->ld->rd, node->mark, NULL, "`default` is a duration, and %s has no unit: write %ss or %sm", node->text, node->text, node->text);
        return;
    }
    given = ft_node_json(node);
    if (pb_bind_value(s->json, given, &bound, &err) < 0)
        rd_error(&s->ld->rd, node->mark, NULL, "the default of '%s': %s", s->name, err.text);
    json_object_set_new(s->json, "default", given);
    json_decref(bound);
}

/* A secret that is read only once the run has been approved. */
static void read_release(struct spec *s)
{
    static const char *const words[] = { "approved", NULL };
    const struct ft_node *node = ft_node_get(s->node, "release");
    unsigned n;

    if (!node)
        return;
    if (s->type != FT_PARAM_SECRET)
        refuse_key(s, "release", "secret");
    else if (rd_one_of(&s->ld->rd, node, "`release`", words, &n))
        json_object_set_new(s->json, "release", json_string(words[n]));
}

/* New reference. */
static json_t *read_spec(struct loader *ld, const struct ft_node *node, const char *name)
{
    struct spec s = { .ld = ld, .node = node, .name = name, .json = json_object() };
    char what[160];

    snprintf(what, sizeof(what), "'%s'", name);
    s.bad = !rd_keys(&ld->rd, node, what, spec_keys);
    if (node->kind != FT_NODE_MAP) {
        json_object_set_new(s.json, "type", json_string("string"));
        return s.json;
    }
    read_type(&s);
    read_one_of(&s);
    read_pattern(&s);
    read_release(&s);
    read_bounds(&s);
    read_default(&s);
    if (ft_node_get(node, "help")) {
        const char *help = rd_constant(&ld->rd, ft_node_get(node, "help"), "`help`");

        if (help)
            json_object_set_new(s.json, "help", json_string(help));
    }
    return s.json;
}

json_t *pb_specs(struct loader *ld, const struct ft_node *node, const char *what, bool fields)
{
    json_t *specs = pb_own(ld, json_object());

    if (!node || !rd_map(&ld->rd, node, what))
        return specs;
    for (const struct ft_node *member = node->first; member; member = member->next) {
        const struct ft_node *type = ft_node_get(member, "type");

        if (fields && !rd_name(&ld->rd, member->key, member->key_mark, "a field's name"))
            continue;
        if (fields && type && ft_streq(type->text, "secret"))
            rd_error(&ld->rd, type->mark, NULL, "an answer is journalled, so a form cannot ask for a secret");
        json_object_set_new(specs, member->key, read_spec(ld, member, member->key));
    }
    return specs;
}

/* ---- as names ---------------------------------------------------------------------------------------------------- */

static json_t *simple_schema(enum ft_param_type type)
{
    switch (type) {
    case FT_PARAM_INT: case FT_PARAM_DURATION: return json_pack("{s:s}", "type", "integer");
    case FT_PARAM_NUMBER: return json_pack("{s:s}", "type", "number");
    case FT_PARAM_BOOL: return json_pack("{s:s}", "type", "boolean");
    case FT_PARAM_SECRET: return json_pack("{s:s, s:b}", "type", "string", "x-secret", 1);
    default: return json_pack("{s:s}", "type", "string");
    }
}

json_t *pb_spec_schema(const json_t *spec)
{
    enum ft_param_type type = FT_PARAM_STRING, item = FT_PARAM_STRING;
    json_t *schema;

    pb_param_type(ft_json_str(spec, "type"), &type);
    pb_param_type(ft_json_str(spec, "of"), &item);
    schema = type == FT_PARAM_LIST ? json_pack("{s:s, s:o}", "type", "array", "items", simple_schema(item)) : simple_schema(type);
    if (type == FT_PARAM_ENUM && json_object_get(spec, "one_of"))
        json_object_set(schema, "enum", json_object_get(spec, "one_of"));
    return schema;
}

void pb_read_params(struct loader *ld, const struct ft_node *node)
{
    json_t *specs = pb_specs(ld, node, "`params`", false);
    struct ft_playbook *pb = ld->pb;

    if (json_object_size(specs) == 0)
        return;
    pb->params = ft_arena_alloc(ld->mem, node->count * sizeof(*pb->params));
    for (const struct ft_node *at = node->first; at; at = at->next) {
        json_t *spec = json_object_get(specs, at->key);
        struct name *name = pb_name_add(ld, NAME_PARAM, at->key, at->key_mark);
        struct ft_param *param = &pb->params[pb->param_count++];

        param->name = at->key;
        param->help = ft_json_str(spec, "help") ? ft_json_str(spec, "help") : "";
        pb_param_type(ft_json_str(spec, "type"), &param->type);
        param->required = ft_json_bool(spec, "required", false);
        param->spec = spec;
        param->mark = at->key_mark;
        if (name) {
            json_t *schema = pb_own(ld, pb_spec_schema(spec));

            name->type = (struct ft_name_type){ schema, schema, "a parameter" };
        }
    }
}

json_t *pb_schema_of(const json_t *value)
{
    const char *key;
    json_t *member, *properties;

    switch (json_typeof(value)) {
    case JSON_OBJECT:
        properties = json_object();
        json_object_foreach((json_t *)value, key, member)
            json_object_set_new(properties, key, pb_schema_of(member));
        return json_pack("{s:s, s:o, s:b}", "type", "object", "properties", properties, "additionalProperties", 0);
    case JSON_ARRAY: return json_pack("{s:s}", "type", "array");
    case JSON_STRING: return json_pack("{s:s}", "type", "string");
    case JSON_INTEGER: case JSON_REAL: return json_pack("{s:s}", "type", "number");
    case JSON_TRUE: case JSON_FALSE: return json_pack("{s:s}", "type", "boolean");
    default: return json_object();
    }
}

static void refuse_expressions(struct loader *ld, const struct ft_node *node)
{
    const char *dollar = node->kind == FT_NODE_STRING ? strstr(node->text, "${") : NULL;

    if (dollar)
        rd_error(&ld->rd, ft_node_mark_at(ld->rd.doc, node, (size_t)(dollar - node->text), 2), NULL,
                 "`vars` are constants: ${…} is not read here; use `set` in a step");
    for (const struct ft_node *child = node->first; child; child = child->next)
        refuse_expressions(ld, child);
}

void pb_read_vars(struct loader *ld, const struct ft_node *node)
{
    if (!node || !rd_map(&ld->rd, node, "`vars`"))
        return;
    for (const struct ft_node *member = node->first; member; member = member->next) {
        struct name *name = pb_name_add(ld, NAME_VAR, member->key, member->key_mark);
        json_t *value = ft_node_json(member), *schema;

        refuse_expressions(ld, member);
        if (member->kind == FT_NODE_NULL)
            rd_error(&ld->rd, member->key_mark, NULL, "the variable '%s' has no value", member->key);
        json_object_set_new(ld->pb->vars, member->key, value);
        schema = pb_own(ld, pb_schema_of(value));
        if (name)
            name->type = (struct ft_name_type){ schema, schema, "a variable" };
    }
}
