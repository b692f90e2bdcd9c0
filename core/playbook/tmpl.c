/* tmpl.c: values with ${…} in them: taken apart and compiled at load, filled in at the step. */
#include "playbook/loader.h"
#include <ctype.h>
#include "base/buf.h"
#include "base/err.h"
#include "data/json.h"

enum kind { TMPL_CONSTANT, TMPL_EXPRESSION, TMPL_TEXT, TMPL_LIST, TMPL_OBJECT };

struct part { const char *literal; const struct ft_chunk *chunk; };       /* one of the two */

struct ft_tmpl {
    enum kind kind;
    const char *text;                     /* of a string, as written; else "" */
    json_t *value;                        /* CONSTANT */
    const struct ft_chunk *chunk;         /* EXPRESSION; NULL when it does not compile: the load has failed then */
    const char *expression;
    struct part *parts;                   /* TEXT */
    const struct ft_tmpl **items;         /* LIST, OBJECT, and what was one before it turned out to be constant */
    const char **keys;                    /* OBJECT */
    size_t count;
};

/* ---- taking a text apart ----------------------------------------------------------------------------------------- */

/* Behind a long bracket that opens at text[i] ([[ or [=[), else i. */
static size_t skip_long_bracket(const char *text, size_t len, size_t i)
{
    size_t level = 0, at = i + 1;

    while (at < len && text[at] == '=') {
        level++;
        at++;
    }
    if (at >= len || text[at] != '[')
        return i;
    for (at++; at < len; at++) {
        size_t equals = 0;

        if (text[at] != ']')
            continue;
        while (at + 1 + equals < len && text[at + 1 + equals] == '=')
            equals++;
        if (equals == level && at + 1 + equals < len && text[at + 1 + equals] == ']')
            return at + equals + 2;
    }
    return len;
}

static size_t skip_quotes(const char *text, size_t len, size_t i)
{
    char quote = text[i];

    for (i++; i < len && text[i] != quote; i++)
        if (text[i] == '\\')
            i++;
    return ft_min(i + 1, len);
}

/* Where the } is that closes the expression which begins at `i`; len when there is none. */
static size_t find_close(const char *text, size_t len, size_t i)
{
    unsigned open = 0;

    while (i < len) {
        size_t behind = text[i] == '[' ? skip_long_bracket(text, len, i) : i;

        if (behind > i) {
            i = behind;
        } else if (text[i] == '"' || text[i] == '\'') {
            i = skip_quotes(text, len, i);
        } else if (text[i] == '}' && open == 0) {
            return i;
        } else {
            open += text[i] == '{';
            open -= text[i] == '}';
            i++;
        }
    }
    return len;
}

bool pb_has_expression(const char *text)
{
    for (const char *dollar = strstr(text, "${"); dollar; dollar = strstr(dollar + 2, "${"))
        if (dollar == text || dollar[-1] != '$')
            return true;
    return false;
}

/* ---- compiling --------------------------------------------------------------------------------------------------- */

struct place { const struct ft_doc *doc; const struct ft_node *node; size_t base; };

static struct ft_mark place_mark(const void *arg, size_t offset, size_t len)
{
    const struct place *place = arg;

    return ft_node_mark_at(place->doc, place->node, place->base + offset, len);
}

static const struct ft_chunk *compile(struct scope *scope, const struct ft_node *node, enum ft_chunk_kind kind, size_t from, size_t len)
{
    struct loader *ld = scope->ld;
    struct place *place = ft_arena_alloc(ld->mem, sizeof(*place));
    const struct ft_text_place where = { .source = ld->rd.source, .mark = place_mark, .arg = place };
    const struct ft_names names = { .lookup = pb_scope_lookup, .all = pb_scope_all, .arg = scope };
    const struct ft_chunk *chunk;

    *place = (struct place){ ld->rd.doc, node, from };
    scope->reads = !scope->alone;
    chunk = pb_own_chunk(ld, ft_chunk_compile(ld->world->script, kind, node->text + from, len, &where, &names, ld->rd.diags));
    scope->reads = false;
    return chunk;
}

static size_t trim(const char *text, size_t *from, size_t to)
{
    while (*from < to && strchr(" \t\r\n", text[*from]))
        (*from)++;
    while (to > *from && strchr(" \t\r\n", text[to - 1]))
        to--;
    return to;
}

/* {{ name }}: the hand that writes another system's templates. */
static void refuse_other_templates(struct loader *ld, const struct ft_node *node)
{
    for (const char *open = strstr(node->text, "{{"); open; open = strstr(open + 2, "{{")) {
        const char *name = open + 2 + strspn(open + 2, " "), *end = name + strspn(name, "abcdefghijklmnopqrstuvwxyz_.0123456789");
        const char *close = end + strspn(end, " ");

        if (end == name || strncmp(close, "}}", 2) != 0)
            continue;
        rd_error(&ld->rd, ft_node_mark_at(ld->rd.doc, node, (size_t)(open - node->text), (size_t)(close + 2 - open)), NULL,
                 "{{…}} means nothing here: write ${%.*s}", (int)(end - name), name);
    }
}

static const char *literal(struct loader *ld, const char *text, size_t len)
{
    char *copy = ft_arena_alloc(ld->mem, len + 1);
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        copy[n++] = text[i];
        if (text[i] == '$' && i + 2 < len && text[i + 1] == '$' && text[i + 2] == '{')
            i++;                              /* $${ writes ${ */
    }
    return copy;
}

static size_t next_expression(const char *text, size_t len, size_t i)
{
    for (; i + 1 < len; i++) {
        if (text[i] == '$' && text[i + 1] == '$' && i + 2 < len && text[i + 2] == '{')
            i += 2;
        else if (text[i] == '$' && text[i + 1] == '{')
            return i;
    }
    return len;
}

static size_t count_expressions(const char *text, size_t len)
{
    size_t n = 0;

    for (size_t i = next_expression(text, len, 0); i < len; i = next_expression(text, len, find_close(text, len, i + 2)))
        n++;
    return n;
}

/* A parameter or variable alone means the same everywhere, and most expressions are one: each is compiled once. */
static const struct ft_chunk *compile_expression(struct scope *scope, const struct ft_node *node, size_t from, size_t len, const char *text)
{
    struct loader *ld = scope->ld;
    const struct name *name = scope->only_event ? NULL : pb_name_find(ld, text);
    bool same = name && (name->kind == NAME_PARAM || name->kind == NAME_VAR);
    json_t *known = same ? json_object_get(ld->simple, text) : NULL;
    const struct ft_chunk *chunk;

    if (known)
        return ld->pb->chunks[json_integer_value(known)];
    chunk = compile(scope, node, FT_CHUNK_EXPRESSION, from, len);
    if (same && chunk)
        json_object_set_new(ld->simple, text, json_integer((json_int_t)ld->pb->chunk_count - 1));
    return chunk;
}

static bool is_secret(struct scope *scope, const char *expr)
{
    struct ft_name_type type;

    return pb_scope_path_type(scope, expr, strlen(expr), &type) && json_is_true(json_object_get(type.schema, "x-secret"));
}

/* The expression at `open` ("${"); returns where it closes. */
static size_t one_expression(struct scope *scope, const struct ft_node *node, size_t open, const struct ft_chunk **ret, const char **ret_text)
{
    struct loader *ld = scope->ld;
    size_t close = find_close(node->text, node->len, open + 2), from = open + 2, to;

    *ret = NULL;
    *ret_text = "";
    if (close >= node->len) {
        rd_error(&ld->rd, ft_node_mark_at(ld->rd.doc, node, open, 2), NULL, "this ${ has no closing }");
        return node->len;
    }
    to = trim(node->text, &from, close);
    if (from == to) {
        rd_error(&ld->rd, ft_node_mark_at(ld->rd.doc, node, open, close + 1 - open), NULL, "${} is empty: write an expression in it");
    } else {
        *ret_text = ft_arena_strndup(ld->mem, node->text + from, to - from);
        scope->alone = is_secret(scope, *ret_text);          /* what it may be is said by whoever asked */
        *ret = compile_expression(scope, node, from, to - from, *ret_text);
        scope->alone = false;
    }
    return close + 1;
}

/* A secret is only a reference here: it becomes its text in the call, and nowhere else. */
static void refuse_secret(struct scope *scope, const struct ft_node *node, size_t open, const char *expr)
{
    if (is_secret(scope, expr))
        rd_error(&scope->ld->rd, ft_node_mark_at(scope->ld->rd.doc, node, open, 2), NULL,
                 "'%s' is a secret, which is only ever passed on alone: \"${%s}\"", expr, expr);
}

static void compile_parts(struct scope *scope, const struct ft_node *node, struct ft_tmpl *tmpl, size_t expressions)
{
    size_t at = 0;

    tmpl->parts = ft_arena_alloc(scope->ld->mem, (2 * expressions + 1) * sizeof(*tmpl->parts));
    while (at < node->len) {
        size_t open = next_expression(node->text, node->len, at);
        const char *expr;

        if (open > at)
            tmpl->parts[tmpl->count++].literal = literal(scope->ld, node->text + at, open - at);
        at = open;
        if (open < node->len) {
            at = one_expression(scope, node, open, &tmpl->parts[tmpl->count].chunk, &expr);
            refuse_secret(scope, node, open, expr);
            tmpl->count++;
        }
    }
}

static void compile_string(struct scope *scope, const struct ft_node *node, struct ft_tmpl *tmpl)
{
    size_t expressions = count_expressions(node->text, node->len);
    bool alone = expressions == 1 && strncmp(node->text, "${", 2) == 0 && find_close(node->text, node->len, 2) + 1 == node->len;

    tmpl->text = node->text;
    refuse_other_templates(scope->ld, node);
    if (alone) {
        tmpl->kind = TMPL_EXPRESSION;
        one_expression(scope, node, 0, &tmpl->chunk, &tmpl->expression);
        if (!scope->passes_on && is_secret(scope, tmpl->expression))
            rd_error(&scope->ld->rd, ft_node_mark_at(scope->ld->rd.doc, node, 0, 2), NULL,
                     "'%s' is a secret: it can only be passed on in the `with` of an action or a playbook that takes a secret", tmpl->expression);
    } else if (expressions > 0) {
        tmpl->kind = TMPL_TEXT;
        compile_parts(scope, node, tmpl, expressions);
    } else {
        tmpl->value = pb_own(scope->ld, json_string(literal(scope->ld, node->text, node->len)));
    }
}

static void compile_members(struct scope *scope, const struct ft_node *node, struct ft_tmpl *tmpl)
{
    bool constant = true;

    tmpl->kind = node->kind == FT_NODE_LIST ? TMPL_LIST : TMPL_OBJECT;
    tmpl->items = ft_arena_alloc(scope->ld->mem, (node->count + 1) * sizeof(*tmpl->items));
    tmpl->keys = ft_arena_alloc(scope->ld->mem, (node->count + 1) * sizeof(*tmpl->keys));
    for (const struct ft_node *child = node->first; child; child = child->next) {
        const struct ft_tmpl *part = pb_tmpl(scope, child);

        tmpl->keys[tmpl->count] = child->key;
        tmpl->items[tmpl->count++] = part;
        constant = constant && part->kind == TMPL_CONSTANT;
    }
    if (constant) {
        tmpl->value = pb_own(scope->ld, pb_tmpl_sketch(tmpl));
        tmpl->kind = TMPL_CONSTANT;
    }
}

const struct ft_tmpl *pb_tmpl(struct scope *scope, const struct ft_node *node)
{
    struct ft_tmpl *tmpl;

    if (!node)
        return NULL;
    tmpl = ft_arena_alloc(scope->ld->mem, sizeof(*tmpl));
    tmpl->kind = TMPL_CONSTANT;
    tmpl->text = "";
    if (node->kind == FT_NODE_STRING)
        compile_string(scope, node, tmpl);
    else if (node->kind == FT_NODE_LIST || node->kind == FT_NODE_MAP)
        compile_members(scope, node, tmpl);
    else
        tmpl->value = pb_own(scope->ld, ft_node_json(node));
    return tmpl;
}

const struct ft_tmpl *pb_tmpl_empty(struct loader *ld)
{
    struct ft_tmpl *tmpl = ft_arena_alloc(ld->mem, sizeof(*tmpl));

    tmpl->kind = TMPL_CONSTANT;
    tmpl->text = "";
    tmpl->value = pb_own(ld, json_object());
    return tmpl;
}

static bool ends_open(const char *text, size_t len)
{
    static const char *const words[] = { "and", "or", "not" };

    if (len == 0 || strchr("<>=+-*/%,(.~", text[len - 1]))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        size_t n = strlen(words[i]);

        if (len >= n && strncmp(text + len - n, words[i], n) == 0 && (len == n || strchr(" \t", text[len - n - 1])))
            return true;
    }
    return false;
}

/* `when: #aps > 3`: the length of a list to Lua, a comment to YAML. */
static bool is_cut_by_comment(const struct loader *ld, const struct ft_node *node, struct ft_mark *ret)
{
    size_t len, at = node->mark.offset + (node->kind == FT_NODE_NULL ? 0 : node->mark.len);
    const char *text = ft_doc_text(ld->rd.doc, &len);

    if (node->quoted || node->block || !ends_open(node->text ? node->text : "", node->kind == FT_NODE_NULL ? 0 : node->len))
        return false;
    if (node->kind == FT_NODE_NULL && node->key)
        at = node->key_mark.offset + node->key_mark.len;
    while (at < len && strchr(" \t:", text[at]))
        at++;
    if (at + 1 >= len || text[at] != '#' || !(isalpha((unsigned char)text[at + 1]) || strchr("_(", text[at + 1])))
        return false;
    *ret = rd_mark(node);
    ret->column += (unsigned)(at - ret->offset);
    ret->offset = at;
    ret->len = 1;
    return true;
}

static const struct ft_chunk *compile_code(struct scope *scope, const struct ft_node *node, const char *what, enum ft_chunk_kind kind)
{
    struct loader *ld = scope->ld;
    const char *dollar = node->kind == FT_NODE_STRING ? strstr(node->text, "${") : NULL;
    size_t from = 0, to = node->len;
    struct ft_mark comment;

    if (is_cut_by_comment(ld, node, &comment)) {
        rd_error(&ld->rd, comment, "quote the whole expression", "to YAML this # begins a comment, so %s ends here", what);
        return NULL;
    }
    if (node->kind == FT_NODE_NULL) {
        rd_error(&ld->rd, rd_mark(node), NULL, "%s is empty", what);
        return NULL;
    }
    if (node->kind != FT_NODE_STRING && node->kind != FT_NODE_BOOL) {
        rd_error(&ld->rd, node->mark, NULL, "%s takes an expression, not %s", what, rd_kind(node));
        return NULL;
    }
    if (kind == FT_CHUNK_EXPRESSION)
        to = trim(node->text, &from, to);
    if (dollar)
        rd_error(&ld->rd, ft_node_mark_at(ld->rd.doc, node, (size_t)(dollar - node->text), 2), NULL, "%s is Lua already: write it without ${ and }", what);
    else if (from == to)
        rd_error(&ld->rd, node->mark, NULL, "%s is an empty text", what);
    else
        return compile(scope, node, kind, from, to - from);
    return NULL;
}

const struct ft_chunk *pb_condition(struct scope *scope, const struct ft_node *node, const char *what)
{
    return node ? compile_code(scope, node, what, FT_CHUNK_EXPRESSION) : NULL;
}

const struct ft_chunk *pb_block(struct scope *scope, const struct ft_node *node, const char *what)
{
    return node ? compile_code(scope, node, what, FT_CHUNK_BLOCK) : NULL;
}

/* ---- looking at one ---------------------------------------------------------------------------------------------- */

json_t *pb_tmpl_sketch(const struct ft_tmpl *tmpl)
{
    json_t *value;

    switch (tmpl->kind) {
    case TMPL_CONSTANT:
        return json_incref(tmpl->value);
    case TMPL_LIST:
        value = json_array();
        for (size_t i = 0; i < tmpl->count; i++)
            json_array_append_new(value, pb_tmpl_sketch(tmpl->items[i]));
        return value;
    case TMPL_OBJECT:
        value = json_object();
        for (size_t i = 0; i < tmpl->count; i++)
            json_object_set_new(value, tmpl->keys[i], pb_tmpl_sketch(tmpl->items[i]));
        return value;
    default:
        return ft_unknown(NULL);
    }
}

json_t *pb_tmpl_schema(struct scope *scope, const struct ft_tmpl *tmpl)
{
    struct ft_name_type type;
    json_t *properties;

    switch (tmpl->kind) {
    case TMPL_CONSTANT:
        return pb_schema_of(tmpl->value);
    case TMPL_TEXT:
        return json_pack("{s:s}", "type", "string");
    case TMPL_LIST:
        return json_pack("{s:s}", "type", "array");
    case TMPL_OBJECT:
        properties = json_object();
        for (size_t i = 0; i < tmpl->count; i++)
            json_object_set_new(properties, tmpl->keys[i], pb_tmpl_schema(scope, tmpl->items[i]));
        return json_pack("{s:s, s:o, s:b}", "type", "object", "properties", properties, "additionalProperties", 0);
    case TMPL_EXPRESSION:
        if (pb_scope_path_type(scope, tmpl->expression, strlen(tmpl->expression), &type))
            return pb_schema_inside(&type);
        break;
    }
    return json_object();
}

bool pb_tmpl_is_constant(const struct ft_tmpl *tmpl)
{
    return tmpl->kind == TMPL_CONSTANT;
}

const char *pb_tmpl_expression(const struct ft_tmpl *tmpl)
{
    return tmpl->kind == TMPL_EXPRESSION ? tmpl->expression : NULL;
}

bool pb_tmpl_is_text(const struct ft_tmpl *tmpl)
{
    return tmpl->kind == TMPL_TEXT;
}

const struct ft_tmpl *pb_tmpl_part(const struct ft_tmpl *tmpl, size_t i)
{
    return tmpl->items && i < tmpl->count ? tmpl->items[i] : NULL;
}

const char *ft_tmpl_text(const struct ft_tmpl *tmpl)
{
    return tmpl->text;
}

/* ---- filling in -------------------------------------------------------------------------------------------------- */

struct fill {
    const json_t *env;
    json_t *reads;                        /* of all expressions so far */
    bool unknown;
    struct ft_err *reterr;
};

static json_t *fill(struct fill *f, const struct ft_tmpl *tmpl, bool *ret_nothing);

/* New reference; NULL: an error, said. */
static json_t *evaluate(struct fill *f, const struct ft_chunk *chunk)
{
    struct ft_eval_result r = { 0 };
    enum ft_eval e = ft_chunk_eval(chunk, f->env, &r, f->reterr);
    json_t *value = e == FT_EVAL_ERROR ? NULL : json_incref(r.value);

    if (r.reads)
        json_object_update_missing(f->reads, r.reads);
    f->unknown = f->unknown || e == FT_EVAL_UNKNOWN || (value && ft_has_unknown(value));
    ft_eval_result_done(&r);
    return value;
}

/* An empty text where a value is missing is how a script deletes the wrong thing: only what has one plain notation is written. */
static int write_value(struct fill *f, const struct ft_tmpl *tmpl, const struct ft_chunk *chunk, const json_t *value, struct ft_buf *buf)
{
    const char *why = NULL;

    if (json_is_string(value))
        ft_buf_add(buf, json_string_value(value), json_string_length(value));
    else if (json_is_integer(value))
        ft_buf_addf(buf, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        ft_buf_addf(buf, "%.14g", json_real_value(value));
    else if (json_is_boolean(value))
        ft_buf_adds(buf, json_is_true(value) ? "true" : "false");
    else if (json_is_null(value))
        why = "is nil";
    else if (json_object_get(value, "$secret"))
        why = "is a secret, which is only ever passed on alone";
    else
        why = json_is_array(value) ? "is a list" : "is an object";
    if (!why)
        return 0;
    return ft_err_class(f->reterr, FT_INVALID, -EINVAL, "the text \"%.200s\" cannot be written: %.200s %s", tmpl->text, ft_chunk_text(chunk), why);
}

static json_t *fill_text(struct fill *f, const struct ft_tmpl *tmpl)
{
    struct ft_buf buf = FT_BUF_INIT(1 << 20);
    json_t *value = NULL, *unknown = NULL;
    int r = 0;

    for (size_t i = 0; r == 0 && i < tmpl->count; i++) {
        if (tmpl->parts[i].literal) {
            ft_buf_adds(&buf, tmpl->parts[i].literal);
            continue;
        }
        value = evaluate(f, tmpl->parts[i].chunk);
        if (!value)
            r = -EINVAL;
        else if (ft_is_unknown(value))
            unknown = unknown ? unknown : json_incref(value);
        else
            r = write_value(f, tmpl, tmpl->parts[i].chunk, value, &buf);
        json_decref(value);
    }
    value = NULL;
    if (r == 0 && buf.overflow)
        ft_err_class(f->reterr, FT_INVALID, -EFBIG, "the text \"%.200s\" became longer than 1 MiB", tmpl->text);
    else if (r == 0)
        value = unknown ? json_incref(unknown) : json_stringn(ft_buf_str(&buf), buf.len);
    json_decref(unknown);
    ft_buf_done(&buf);
    return value;
}

static json_t *fill_list(struct fill *f, const struct ft_tmpl *tmpl)
{
    json_t *list = json_array();
    bool nothing;

    for (size_t i = 0; i < tmpl->count; i++) {
        json_t *item = fill(f, tmpl->items[i], &nothing);

        if (item && nothing) {
            ft_err_class(f->reterr, FT_INVALID, -EINVAL, "item %zu of the list is nil: %.200s", i + 1, tmpl->items[i]->text);
            json_decref(item);
            item = NULL;
        }
        if (!item) {
            json_decref(list);
            return NULL;
        }
        json_array_append_new(list, item);
    }
    return list;
}

/* A member whose expression is nil is left out: so an optional parameter is handed on as it came. */
static json_t *fill_object(struct fill *f, const struct ft_tmpl *tmpl)
{
    json_t *object = json_object();
    bool nothing;

    for (size_t i = 0; i < tmpl->count; i++) {
        json_t *member = fill(f, tmpl->items[i], &nothing);

        if (!member) {
            json_decref(object);
            return NULL;
        }
        if (nothing)
            json_decref(member);
        else
            json_object_set_new(object, tmpl->keys[i], member);
    }
    return object;
}

static json_t *fill(struct fill *f, const struct ft_tmpl *tmpl, bool *ret_nothing)
{
    json_t *value;

    *ret_nothing = false;
    switch (tmpl->kind) {
    case TMPL_CONSTANT: return json_incref(tmpl->value);
    case TMPL_TEXT: return fill_text(f, tmpl);
    case TMPL_LIST: return fill_list(f, tmpl);
    case TMPL_OBJECT: return fill_object(f, tmpl);
    case TMPL_EXPRESSION:
        value = evaluate(f, tmpl->chunk);
        *ret_nothing = value && json_is_null(value);
        return value;
    }
    return NULL;
}

enum ft_eval ft_tmpl_eval(const struct ft_tmpl *tmpl, const json_t *env, struct ft_eval_result *ret, struct ft_err *reterr)
{
    struct fill f = { .env = env, .reads = json_object(), .reterr = reterr };
    bool nothing;

    ret->value = fill(&f, tmpl, &nothing);
    ret->reads = f.reads;
    if (!ret->value)
        return FT_EVAL_ERROR;
    return f.unknown ? FT_EVAL_UNKNOWN : FT_EVAL_OK;
}
