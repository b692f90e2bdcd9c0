/* schema_check.c: holds values against a compiled schema, and fills in defaults. */
#include <inttypes.h>
#include <math.h>
#include "base/buf.h"
#include "base/text.h"
#include "base/util.h"
#include "data/json.h"
#include "data/schema_parts.h"

enum { DEPTH_MAX = 1000, STEPS_MAX = 5000000, FILLS_MAX = 500000, SHOWN_COLUMNS = 40, SHOWN_VALUES = 12 };

struct checker {
    ft_schema_report *report;
    void *arg;
    bool only_whether;                /* stop at the first mistake */
    bool has_unknown;                 /* somewhere in the whole value */
    int errors;
    struct ft_buf path;               /* JSON pointer of the value in hand */
    unsigned depth, *steps;
};

static void check(struct checker *c, const struct schema_node *node, json_t *value);

/* ---- Reporting --------------------------------------------------------------------------------------------------- */

__attribute__((format(printf, 4, 5)))
static void report(struct checker *c, int what, const char *key, const char *fmt, ...)
{
    struct ft_buf text = FT_BUF_INIT(0);
    va_list ap;

    c->errors++;
    if (!c->report)
        return;
    va_start(ap, fmt);
    ft_buf_vaddf(&text, fmt, ap);
    va_end(ap);
    c->report(c->arg, &(struct ft_schema_error){
        .pointer = ft_buf_str(&c->path), .key = key, .what = what, .text = ft_buf_str(&text) });
    ft_buf_done(&text);
}

#define fault(c, ...) report(c, FT_SCHEMA_VALUE, NULL, __VA_ARGS__)

/* A value as a message shows it: strings in quotes, secrets not at all. */
static void add_shown(struct ft_buf *out, const struct schema_node *node, const json_t *value)
{
    char *text = ft_json_brief(value, SHOWN_COLUMNS);
    const char *quote = json_is_string(value) ? "'" : "";

    if (node && node->secret)
        ft_buf_adds(out, "***");
    else
        ft_buf_addf(out, "%s%s%s", quote, text, quote);
    free(text);
}

/* "is 5" in front of what is wrong with it. */
__attribute__((format(printf, 4, 5)))
static void fault_is(struct checker *c, const struct schema_node *node, const json_t *value, const char *fmt, ...)
{
    struct ft_buf text = FT_BUF_INIT(0);
    va_list ap;

    c->errors++;
    if (!c->report)
        return;
    ft_buf_adds(&text, "is ");
    add_shown(&text, node, value);
    va_start(ap, fmt);
    ft_buf_vaddf(&text, fmt, ap);
    va_end(ap);
    c->errors--;
    fault(c, "%s", ft_buf_str(&text));
    ft_buf_done(&text);
}

static size_t enter(struct checker *c, const char *key)
{
    size_t before = c->path.len;

    ft_buf_addc(&c->path, '/');
    for (; *key; key++) {
        if (*key == '~' || *key == '/')
            ft_buf_adds(&c->path, *key == '~' ? "~0" : "~1");
        else
            ft_buf_addc(&c->path, *key);
    }
    return before;
}

static void leave(struct checker *c, size_t before)
{
    c->path.len = before;
    c->path.data[before] = '\0';
}

static void check_member(struct checker *c, const struct schema_node *node, const char *key, json_t *value)
{
    size_t before = enter(c, key);

    check(c, node, value);
    leave(c, before);
}

static void check_item(struct checker *c, const struct schema_node *node, size_t i, json_t *value)
{
    char key[24];

    snprintf(key, sizeof(key), "%zu", i);
    check_member(c, node, key, value);
}

/* Counts the mistakes without reporting them. */
static int mistakes(struct checker *c, const struct schema_node *node, json_t *value, bool only_whether)
{
    struct checker quiet = { .only_whether = only_whether, .has_unknown = c->has_unknown, .depth = c->depth, .steps = c->steps };

    check(&quiet, node, value);
    ft_buf_done(&quiet.path);
    return quiet.errors;
}

static bool fits(struct checker *c, const struct schema_node *node, json_t *value)
{
    return mistakes(c, node, value, /* only_whether= */ true) == 0;
}

/* ---- Types and values -------------------------------------------------------------------------------------------- */

static bool is_whole(const json_t *value)
{
    return json_is_integer(value) || (json_is_real(value) && json_real_value(value) == floor(json_real_value(value)));
}

static enum schema_type type_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_NULL: return SCHEMA_NULL;
    case JSON_TRUE:
    case JSON_FALSE: return SCHEMA_BOOLEAN;
    case JSON_INTEGER: return SCHEMA_INTEGER;
    case JSON_REAL: return SCHEMA_NUMBER;
    case JSON_STRING: return SCHEMA_STRING;
    case JSON_ARRAY: return SCHEMA_ARRAY;
    case JSON_OBJECT: return SCHEMA_OBJECT;
    }
    return SCHEMA_NULL;
}

static bool has_type(unsigned types, const json_t *value)
{
    enum schema_type type = type_of(value);

    return types & type || (types & SCHEMA_NUMBER && type == SCHEMA_INTEGER) || (types & SCHEMA_INTEGER && is_whole(value));
}

/* "a string, not an integer or null" */
static void fault_type(struct checker *c, unsigned types, const json_t *value)
{
    struct ft_buf wanted = FT_BUF_INIT(0);
    enum schema_type type = type_of(value);
    const char *is = type == SCHEMA_NUMBER && types & SCHEMA_INTEGER ? "a number with a fraction" : schema_type_about(type);

    if (types & SCHEMA_NUMBER)
        types &= ~(unsigned)SCHEMA_INTEGER;
    for (unsigned bit = 1; bit <= SCHEMA_OBJECT; bit <<= 1) {
        if (!(types & bit))
            continue;
        types &= ~bit;
        ft_buf_adds(&wanted, wanted.len == 0 ? "" : types ? ", " : " or ");
        ft_buf_adds(&wanted, schema_type_about(bit));
    }
    fault(c, "is %s, not %s", is, ft_buf_str(&wanted));
    ft_buf_done(&wanted);
}

static bool is_one_of(const json_t *value, const json_t *values)
{
    json_t *item;
    size_t i;

    json_array_foreach(values, i, item)
        if (ft_json_equal(item, value))
            return true;
    return false;
}

/* The value that was probably meant, when all the strings are at hand. */
static const char *near_value(const json_t *value, const json_t *values)
{
    const char **names = ft_calloc(json_array_size(values) + 1, sizeof(*names)), *near;
    json_t *item;
    size_t i, n = 0;

    json_array_foreach(values, i, item)
        if (json_is_string(item))
            names[n++] = json_string_value(item);
    near = json_is_string(value) ? ft_suggest(json_string_value(value), names) : NULL;
    free(names);
    return near;
}

static void fault_values(struct checker *c, const struct schema_node *node, json_t *value)
{
    const char *near = near_value(value, node->values);
    struct ft_buf list = FT_BUF_INIT(0);
    json_t *item;
    size_t i;

    json_array_foreach(node->values, i, item) {
        char *text = ft_json_brief(item, SHOWN_COLUMNS);

        if (i < SHOWN_VALUES)
            ft_buf_addf(&list, "%s%s", i ? ", " : "", text);
        free(text);
    }
    if (json_array_size(node->values) > SHOWN_VALUES)
        ft_buf_adds(&list, ", …");
    if (near && !node->secret)
        ft_buf_addf(&list, "; did you mean '%s'?", near);
    fault_is(c, node, value, ", not %s%s", json_array_size(node->values) > 1 ? "one of: " : "", ft_buf_str(&list));
    ft_buf_done(&list);
}

static void check_values(struct checker *c, const struct schema_node *node, json_t *value)
{
    struct ft_buf wanted = FT_BUF_INIT(0);

    if (c->has_unknown && ft_has_unknown(value))
        return;
    if (node->values && !is_one_of(value, node->values))
        fault_values(c, node, value);
    if (node->constant && !ft_json_equal(node->constant, value)) {
        add_shown(&wanted, node, node->constant);
        fault_is(c, node, value, ", not %s", ft_buf_str(&wanted));
        ft_buf_done(&wanted);
    }
}

/* ---- Numbers ----------------------------------------------------------------------------------------------------- */

static long double number(const json_t *value)
{
    return json_is_integer(value) ? (long double)json_integer_value(value) : (long double)json_real_value(value);
}

/* 0.0075 is a multiple of 0.0001 although neither is exact: an error that rounding explains is none. Where the quotient is too
 * large for that question, the remainder must be exactly 0. */
static bool is_multiple(const json_t *value, const json_t *of)
{
    double n = fabs(json_number_value(value)), unit = json_number_value(of), rest;

    if (json_is_integer(value) && json_is_integer(of))
        return json_integer_value(value) % json_integer_value(of) == 0;
    rest = fabs(remainder(n, unit));
    return rest == 0 || (n / unit < 9007199254740992.0 / 8 && rest <= n * 4.5e-16);
}

static void check_bound(struct checker *c, const struct schema_node *node, json_t *value, const json_t *bound, bool wrong, const char *how)
{
    char *text;

    if (!bound || !wrong)
        return;
    text = ft_json_brief(bound, SHOWN_COLUMNS);
    fault_is(c, node, value, ", %s %s", how, text);
    free(text);
}

static void check_number(struct checker *c, const struct schema_node *node, json_t *value)
{
    long double n = number(value);

    check_bound(c, node, value, node->minimum, n < number(node->minimum), "less than");
    check_bound(c, node, value, node->maximum, n > number(node->maximum), "more than");
    check_bound(c, node, value, node->above, n <= number(node->above), "not more than");
    check_bound(c, node, value, node->below, n >= number(node->below), "not less than");
    check_bound(c, node, value, node->multiple, node->multiple && !is_multiple(value, node->multiple), "not a multiple of");
}

/* ---- Strings ----------------------------------------------------------------------------------------------------- */

static int64_t characters(const json_t *value)
{
    const char *text = json_string_value(value);
    int64_t n = 0;

    for (size_t i = 0; i < json_string_length(value); i++)
        n += ((unsigned char)text[i] & 0xc0) != 0x80;
    return n;
}

static const char *plural(int64_t n)
{
    return n == 1 ? "" : "s";
}

static void check_length(struct checker *c, const struct schema_node *node, const json_t *value)
{
    int64_t n;

    if (node->min_length < 0 && node->max_length < 0)
        return;
    n = characters(value);
    if (n == 0 && node->min_length > 0)
        fault(c, "is empty");
    else if (n < node->min_length)
        fault(c, "is shorter than %" PRId64 " character%s", node->min_length, plural(node->min_length));
    if (node->max_length >= 0 && n > node->max_length)
        fault(c, "is longer than %" PRId64 " character%s", node->max_length, plural(node->max_length));
}

static void check_string(struct checker *c, const struct schema_node *node, json_t *value)
{
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);

    check_length(c, node, value);
    if (node->pattern && !ft_pattern_match(node->pattern, text, len))
        fault_is(c, node, value, ", which does not match %s", ft_pattern_text(node->pattern));
    if (node->format != FT_FORMAT_NONE && (strlen(text) != len || !ft_format_ok(node->format, text)))
        fault_is(c, node, value, ", not %s", ft_format_about(node->format));
}

/* ---- Lists ------------------------------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void check_unique(struct checker *c, const json_t *list)
{
    char **texts = ft_calloc(json_array_size(list), sizeof(*texts));
    const char *twice = NULL;
    size_t i, n = 0;
    json_t *item;

    json_array_foreach(list, i, item)
        if (!c->has_unknown || !ft_has_unknown(item))
            texts[n++] = ft_json_canonical(item);
    qsort(texts, n, sizeof(*texts), by_text);
    for (i = 1; i < n && !twice; i++)
        if (strcmp(texts[i - 1], texts[i]) == 0)
            twice = texts[i];
    if (twice)
        fault(c, "has the same item twice: %.60s", twice);
    for (i = 0; i < n; i++)
        free(texts[i]);
    free(texts);
}

static void check_contains(struct checker *c, const struct schema_node *node, const json_t *list)
{
    int64_t least = node->min_contains < 0 ? 1 : node->min_contains, found = 0, unsure = 0;
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item) {
        bool unknown = c->has_unknown && ft_has_unknown(item);

        unsure += unknown;
        found += !unknown && fits(c, node->contains, item);
    }
    if (found + unsure < least && least == 1)
        fault(c, "has no item of the kind that it must have");
    else if (found + unsure < least)
        fault(c, "has %" PRId64 " item%s of the kind of which it must have %" PRId64, found, plural(found), least);
    if (node->max_contains >= 0 && found > node->max_contains)
        fault(c, "has %" PRId64 " item%s of the kind of which it may have %" PRId64, found, plural(found), node->max_contains);
}

static void check_list(struct checker *c, const struct schema_node *node, json_t *list)
{
    int64_t n = (int64_t)json_array_size(list);
    json_t *item;
    size_t i;

    if (n < node->min_items)
        fault(c, "has %" PRId64 " item%s, fewer than %" PRId64, n, plural(n), node->min_items);
    if (node->max_items >= 0 && n > node->max_items)
        fault(c, "has %" PRId64 " item%s, more than %" PRId64, n, plural(n), node->max_items);
    json_array_foreach(list, i, item) {
        if (i < node->prefix.count)
            check_item(c, node->prefix.items[i], i, item);
        else if (node->items && node->items->nothing && node->prefix.count)
            fault(c, "has more than %zu item%s", node->prefix.count, plural((int64_t)node->prefix.count));
        else if (node->items)
            check_item(c, node->items, i, item);
        if ((c->only_whether && c->errors) || (node->items && node->items->nothing && i >= node->prefix.count))
            break;
    }
    if (node->unique)
        check_unique(c, list);
    if (node->contains)
        check_contains(c, node, list);
}

/* ---- Maps -------------------------------------------------------------------------------------------------------- */

static void check_required(struct checker *c, const json_t *names, const json_t *map, const char *because)
{
    json_t *name;
    size_t i;

    json_array_foreach(names, i, name) {
        const char *key = json_string_value(name);

        if (json_object_get(map, key))
            continue;
        if (because)
            report(c, FT_SCHEMA_MISSING, key, "lacks '%s', which goes with '%s'", key, because);
        else
            report(c, FT_SCHEMA_MISSING, key, "lacks '%s'", key);
    }
}

/* The name that was probably meant: one of the schema's that the map does not have yet. */
static const char *near_name(const struct schema_node *node, const json_t *map, const char *key)
{
    const char **names = ft_calloc(node->properties.count + 1, sizeof(*names)), *near;
    size_t n = 0;

    for (size_t i = 0; i < node->properties.count; i++)
        if (!json_object_get(map, node->properties.items[i].key))
            names[n++] = node->properties.items[i].key;
    near = ft_suggest(key, names);
    free(names);
    return near;
}

static void fault_unknown(struct checker *c, const struct schema_node *node, const json_t *map, const char *key)
{
    const char *near = near_name(node, map, key);

    if (near)
        report(c, FT_SCHEMA_UNKNOWN, key, "has an unknown key '%s'; did you mean '%s'?", key, near);
    else
        report(c, FT_SCHEMA_UNKNOWN, key, "has an unknown key '%s'", key);
}

static void check_known(struct checker *c, const struct schema_node *node, json_t *map, const char *key, json_t *value)
{
    const struct schema_node *property = schema_member_of(&node->properties, key);
    bool known = property != NULL;

    if (property)
        check_member(c, property, key, value);
    for (size_t i = 0; i < node->matchers.count; i++) {
        if (!ft_pattern_match(node->matchers.items[i].pattern, key, strlen(key)))
            continue;
        known = true;
        check_member(c, node->matchers.items[i].node, key, value);
    }
    if (known || !node->additional)
        return;
    if (node->additional->nothing)
        fault_unknown(c, node, map, key);
    else
        check_member(c, node->additional, key, value);
}

/* Keeps the first mistake, for a sentence that contains it. */
static void keep_first(void *arg, const struct ft_schema_error *error)
{
    char **kept = arg;

    if (!*kept)
        *kept = *error->pointer ? ft_asprintf("at '%s' %s", error->pointer, error->text) : ft_strdup(error->text);
}

/* malloced; NULL when there is no mistake. */
static char *first_mistake(struct checker *c, const struct schema_node *node, json_t *value)
{
    char *text = NULL;
    struct checker inner = { .report = keep_first, .arg = &text, .has_unknown = c->has_unknown, .depth = c->depth, .steps = c->steps };

    check(&inner, node, value);
    ft_buf_done(&inner.path);
    return text;
}

static void check_name(struct checker *c, const struct schema_node *names, const char *key)
{
    json_t *name = json_string(key);
    char *why;

    if (!fits(c, names, name)) {
        why = c->report ? first_mistake(c, names, name) : NULL;
        report(c, FT_SCHEMA_UNKNOWN, key, "has a key '%s' that %s", key, why ? why : "is not allowed");
        free(why);
    }
    json_decref(name);
}

static void check_map(struct checker *c, const struct schema_node *node, json_t *map)
{
    int64_t n = (int64_t)json_object_size(map);
    const char *key;
    json_t *value;

    check_required(c, node->required, map, NULL);
    if (n < node->min_members)
        fault(c, "has %" PRId64 " key%s, fewer than %" PRId64, n, plural(n), node->min_members);
    if (node->max_members >= 0 && n > node->max_members)
        fault(c, "has %" PRId64 " key%s, more than %" PRId64, n, plural(n), node->max_members);
    json_object_foreach(map, key, value) {
        if (c->only_whether && c->errors)
            return;
        if (node->names)
            check_name(c, node->names, key);
        check_known(c, node, map, key, value);
        if (node->dependent_required)
            check_required(c, json_object_get(node->dependent_required, key), map, key);
        if (node->dependent.count && schema_member_of(&node->dependent, key))
            check(c, schema_member_of(&node->dependent, key), map);
    }
}

/* ---- Combinations ------------------------------------------------------------------------------------------------ */

/* The types that a schema asks for, also through a reference; 0: any. */
static unsigned types_asked(const struct schema_node *node)
{
    while (!node->types && node->ref)
        node = node->ref;
    return node->types;
}

/* None fits. Where the value has the type of one alternative only, that is the one that was meant, and its mistakes are what
 * to tell; otherwise the first mistake of each. */
static void explain(struct checker *c, const struct schema_nodes *nodes, json_t *value)
{
    const struct schema_node *meant = NULL;
    struct ft_buf text = FT_BUF_INIT(0);
    unsigned types = 0, alike = 0;

    for (size_t i = 0; i < nodes->count; i++) {
        unsigned asked = types_asked(nodes->items[i]);

        types |= asked ? asked : ~0u;
        if (nodes->items[i]->nothing || (asked && !has_type(asked, value)))
            continue;
        alike++;
        meant = nodes->items[i];
    }
    if (alike == 1) {
        check(c, meant, value);
    } else if (alike == 0 && types != ~0u && types != 0) {
        fault_type(c, types, value);
    } else {
        for (size_t i = 0; i < ft_min(nodes->count, (size_t)4); i++) {
            char *why = first_mistake(c, nodes->items[i], value);

            ft_buf_addf(&text, "%s%s", i ? ", or " : "", why ? why : "fits");
            free(why);
        }
        fault(c, "fits none of the alternatives: %s%s", ft_buf_str(&text), nodes->count > 4 ? ", …" : "");
    }
    ft_buf_done(&text);
}

static void check_alternatives(struct checker *c, const struct schema_nodes *nodes, json_t *value, bool exactly_one)
{
    bool unsure = c->has_unknown && ft_has_unknown(value);
    size_t found = 0;

    for (size_t i = 0; i < nodes->count; i++) {
        found += fits(c, nodes->items[i], value);
        if (found && (!exactly_one || unsure))
            return;
    }
    if (found == 1)
        return;
    if (found > 1)
        fault(c, "fits %zu of the alternatives, and must fit one only", found);
    else if (c->report)
        explain(c, nodes, value);
    else
        c->errors++;
}

static void check_combinations(struct checker *c, const struct schema_node *node, json_t *value)
{
    bool unsure = c->has_unknown && ft_has_unknown(value);

    if (node->ref)
        check(c, node->ref, value);
    for (size_t i = 0; i < node->all.count; i++)
        check(c, node->all.items[i], value);
    if (node->any.count)
        check_alternatives(c, &node->any, value, /* exactly_one= */ false);
    if (node->one.count)
        check_alternatives(c, &node->one, value, /* exactly_one= */ true);
    if (unsure)
        return;                              /* what an unknown value does not fit cannot be said */
    if (node->not && fits(c, node->not, value))
        fault(c, "is not allowed here");
    if (node->condition && (node->then || node->otherwise)) {
        const struct schema_node *next = fits(c, node->condition, value) ? node->then : node->otherwise;

        if (next)
            check(c, next, value);
    }
}

/* ---- One value --------------------------------------------------------------------------------------------------- */

static void check_parts(struct checker *c, const struct schema_node *node, json_t *value)
{
    if (node->nothing) {
        fault(c, "is not allowed here");
        return;
    }
    if (node->types && !has_type(node->types, value)) {
        fault_type(c, node->types, value);
        return;                              /* what else is wrong with it follows from that */
    }
    if (node->values || node->constant)
        check_values(c, node, value);
    if (json_is_number(value))
        check_number(c, node, value);
    else if (json_is_string(value))
        check_string(c, node, value);
    else if (json_is_array(value))
        check_list(c, node, value);
    else if (json_is_object(value))
        check_map(c, node, value);
    check_combinations(c, node, value);
}

static void check(struct checker *c, const struct schema_node *node, json_t *value)
{
    if ((c->only_whether && c->errors) || ft_is_unknown(value))
        return;
    if (++*c->steps > STEPS_MAX || c->depth >= DEPTH_MAX) {
        if (c->errors == 0)
            fault(c, c->depth >= DEPTH_MAX ? "is nested too deeply to be checked" : "takes too long to be checked");
        return;
    }
    c->depth++;
    check_parts(c, node, value);
    c->depth--;
}

int ft_schema_check(const struct ft_schema *schema, const json_t *value, ft_schema_report *report_to, void *arg)
{
    unsigned steps = 0;
    struct checker c = { .report = report_to, .arg = arg, .has_unknown = ft_has_unknown(value), .steps = &steps };

    check(&c, schema->root, value ? (json_t *)value : json_null());
    ft_buf_done(&c.path);
    return c.errors;
}

struct first { const char *what; struct ft_err *reterr; bool had; };

static void set_first(void *arg, const struct ft_schema_error *error)
{
    struct first *first = arg;
    char *place;

    if (first->had)
        return;
    first->had = true;
    if (*error->pointer) {
        place = ft_strdup(error->pointer + 1);
        for (char *c = place; *c; c++)
            if (*c == '/')
                *c = '.';
        ft_err_class(first->reterr, FT_INVALID, -EINVAL, "%s: '%s' %s", first->what, place, error->text);
        free(place);
    } else {
        ft_err_class(first->reterr, FT_INVALID, -EINVAL, "%s: %s", first->what, error->text);
    }
}

int ft_schema_require(const struct ft_schema *schema, const json_t *value, const char *what, struct ft_err *reterr)
{
    struct first first = { .what = what, .reterr = reterr };

    return ft_schema_check(schema, value, set_first, &first) == 0 ? 0 : -EINVAL;
}

/* ---- Defaults ---------------------------------------------------------------------------------------------------- */

/* Bounds a schema that would fill the same value over and over. */
struct filler { unsigned depth, steps; };

static json_t *fill(struct filler *f, const struct schema_node *node, json_t *value);

/* Replaces *value by its filled copy. */
static void fill_with(struct filler *f, const struct schema_node *node, json_t **value)
{
    json_t *filled = fill(f, node, *value);

    json_decref(*value);
    *value = filled;
}

/* The default, also of a schema that is only referred to. */
static json_t *default_of(const struct schema_node *node)
{
    for (unsigned i = 0; node && i < 64; node = node->ref, i++)
        if (json_object_get(node->source, "default"))
            return json_object_get(node->source, "default");
    return NULL;
}

static void fill_member(struct filler *f, const struct schema_node *node, json_t *map, const char *key, json_t *value)
{
    const struct schema_node *property = schema_member_of(&node->properties, key);
    bool known = property != NULL;

    json_incref(value);
    if (property)
        fill_with(f, property, &value);
    for (size_t i = 0; i < node->matchers.count; i++) {
        if (!ft_pattern_match(node->matchers.items[i].pattern, key, strlen(key)))
            continue;
        known = true;
        fill_with(f, node->matchers.items[i].node, &value);
    }
    if (!known && node->additional)
        fill_with(f, node->additional, &value);
    json_object_set_new(map, key, value);
}

static json_t *fill_map(struct filler *f, const struct schema_node *node, json_t *map)
{
    json_t *copy = json_object(), *properties = json_object_get(node->source, "properties"), *value;
    const char *key;

    json_object_foreach(map, key, value)
        fill_member(f, node, copy, key, value);
    json_object_foreach(properties, key, value) {            /* the document's order, not the sorted one */
        const struct schema_node *property = schema_member_of(&node->properties, key);
        json_t *otherwise = json_object_get(copy, key) ? NULL : default_of(property);

        if (otherwise)
            json_object_set_new(copy, key, fill(f, property, otherwise));
    }
    return copy;
}

static json_t *fill_list(struct filler *f, const struct schema_node *node, json_t *list)
{
    json_t *copy = json_array(), *item;
    size_t i;

    json_array_foreach(list, i, item) {
        const struct schema_node *of = i < node->prefix.count ? node->prefix.items[i] : node->items;

        json_array_append_new(copy, of ? fill(f, of, item) : json_incref(item));
    }
    return copy;
}

static bool filler_fits(struct filler *f, const struct schema_node *node, json_t *value)
{
    struct checker c = { .only_whether = true, .has_unknown = ft_has_unknown(value), .steps = &f->steps };

    check(&c, node, value);
    ft_buf_done(&c.path);
    return c.errors == 0;
}

static void fill_alternative(struct filler *f, const struct schema_nodes *nodes, json_t **value)
{
    for (size_t i = 0; i < nodes->count; i++) {
        if (!filler_fits(f, nodes->items[i], *value))
            continue;
        fill_with(f, nodes->items[i], value);
        return;
    }
}

static void fill_combinations(struct filler *f, const struct schema_node *node, json_t **value)
{
    const struct schema_node *next;

    if (node->ref)
        fill_with(f, node->ref, value);
    for (size_t i = 0; i < node->all.count; i++)
        fill_with(f, node->all.items[i], value);
    fill_alternative(f, &node->any, value);
    fill_alternative(f, &node->one, value);
    next = !node->condition ? NULL : filler_fits(f, node->condition, *value) ? node->then : node->otherwise;
    if (next)
        fill_with(f, next, value);
}

static json_t *fill(struct filler *f, const struct schema_node *node, json_t *value)
{
    json_t *copy;

    if (f->depth >= DEPTH_MAX || ++f->steps > FILLS_MAX || ft_is_unknown(value) || (!json_is_object(value) && !json_is_array(value)))
        return json_incref(value);
    f->depth++;
    copy = json_is_object(value) ? fill_map(f, node, value) : fill_list(f, node, value);
    fill_combinations(f, node, &copy);
    f->depth--;
    return copy;
}

json_t *ft_schema_fill(const struct ft_schema *schema, const json_t *value)
{
    struct filler f = { 0 };
    json_t *otherwise = value ? (json_t *)value : default_of(schema->root);

    return fill(&f, schema->root, otherwise ? otherwise : json_null());
}
