#include "script/check.h"
#include "base/text.h"
#include "base/util.h"
#include "data/schema.h"
#include "script/internal.h"
#include "script/lex.h"
#include "script/match.h"
#include "script/types.h"

enum { SAID_MAX = 60, KINDS = 128 };
#define SAY(kinds) ft_kinds_say((kinds), (char[KINDS]){ 0 }, KINDS)
#define QUOTE(node) quote(c, (node), (char[SAID_MAX + 8]){ 0 })

static const struct ft_type anything = { .kinds = FT_KIND_ANY };

static struct ft_type check_value(struct ft_check *c, const struct ft_lua_node *n);
static void check_statements(struct ft_check *c, const struct ft_lua_node *n);

/* ---- Saying ------------------------------------------------------------------------------------------------------ */

struct ft_mark ft_place_mark(const struct ft_text_place *place, const char *text, size_t offset, size_t len)
{
    struct ft_mark mark = { .line = 1, .column = 1, .len = (unsigned)len, .offset = offset };

    if (place)
        return place->mark(place->arg, offset, len);
    for (size_t i = 0; i < offset; i++) {
        mark.line += text[i] == '\n';
        mark.column = text[i] == '\n' ? 1 : mark.column + 1;
    }
    return mark;
}

/* The text of a node, cut to one short line. */
static const char *quote(const struct ft_check *c, const struct ft_lua_node *n, char *buf)
{
    size_t len = n->end - n->at, line = strcspn(c->text + n->at, "\r\n");
    size_t cut = ft_min(ft_min(len, line), (size_t)SAID_MAX);

    while (cut < len && cut > 0 && ((unsigned char)c->text[n->at + cut] & 0xc0) == 0x80)
        cut--;
    memcpy(buf, c->text + n->at, cut);
    strcpy(buf + cut, cut < len ? "…" : "");
    return buf;
}

__attribute__((format(printf, 4, 5)))
static void report(struct ft_check *c, const struct ft_lua_node *n, const char *hint, const char *fmt, ...)
{
    struct ft_mark mark = ft_place_mark(c->place, c->text, n->at, n->said_end - n->at);
    struct ft_buf text = FT_BUF_INIT(4096);
    va_list ap;

    va_start(ap, fmt);
    ft_buf_vaddf(&text, fmt, ap);
    va_end(ap);
    ft_diags_add(c->diags, c->place ? c->place->source : "expression", mark, hint, "%s", ft_buf_str(&text));
    ft_buf_done(&text);
}

/* "; did you mean 'x'?", or nothing. */
static const char *did_you_mean(const char *name, const char *const *names, char *buf, size_t len)
{
    const char *near = names ? ft_suggest(name, names) : NULL;

    buf[0] = '\0';
    if (near)
        snprintf(buf, len, "; did you mean '%s'?", near);
    return buf;
}
#define NEAR(name, names) did_you_mean((name), (names), (char[160]){ 0 }, 160)

/* ---- Names ------------------------------------------------------------------------------------------------------- */

static void note_read(struct ft_check *c, const char *name)
{
    for (size_t i = 0; i < c->read_count; i++)
        if (strcmp(c->read[i], name) == 0)
            return;
    c->read = ft_realloc(c->read, (c->read_count + 2) * sizeof(char *));
    c->read[c->read_count++] = name;
    c->read[c->read_count] = NULL;
}

/* Every name that could have been meant; malloced. */
static const char **all_names(struct ft_check *c)
{
    static const char *const words[] = { "true", "false", "nil", "not", "and", "or", NULL };
    const char *const *lists[] = { c->names->all ? c->names->all(c->names->arg) : NULL, words };
    const char **all = ft_library_names(c->script, NULL);
    size_t count = 0;

    while (all[count])
        count++;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        for (size_t j = 0; lists[i] && lists[i][j]; j++) {
            all = ft_realloc(all, (count + 2) * sizeof(char *));
            all[count++] = lists[i][j];
        }
    }
    all[count] = NULL;
    return all;
}

static void report_unknown_name(struct ft_check *c, const struct ft_lua_node *n, const char *why)
{
    const char **all;

    if (why) {
        report(c, n, NULL, "%s", why);
        return;
    }
    all = all_names(c);
    report(c, n, NULL, "unknown name '%.80s'%s", n->text, NEAR(n->text, all));
    free(all);
}

static struct ft_type type_of_library(const char *name, enum ft_library_kind kind)
{
    struct ft_type type = { .kinds = FT_KIND_ANY };

    switch (kind) {
    case FT_LIBRARY_FUNCTION: type.kinds = FT_KIND_FUNCTION; break;
    case FT_LIBRARY_NUMBER:   type.kinds = FT_KIND_NUMBER; break;
    case FT_LIBRARY_STRING:   type.kinds = FT_KIND_STRING; break;
    case FT_LIBRARY_TABLE:    type.kinds = FT_KIND_OBJECT; type.library = name; break;
    case FT_LIBRARY_OTHER:    type.kinds = ft_streq(name, "null") ? FT_KIND_NULL : FT_KIND_ANY; break;
    case FT_LIBRARY_NONE:     break;
    }
    return type;
}

/* Whether the name is the environment's, and not a library's. */
static bool is_own_name(struct ft_check *c, const char *name, struct ft_type *type, const char **why)
{
    struct ft_name_type known = { 0 };

    if (!c->names || !c->names->lookup(c->names->arg, name, &known, why))
        return false;
    *type = ft_type_of_schema(known.root, known.schema, known.note);
    return true;
}

static struct ft_type check_name(struct ft_check *c, const struct ft_lua_node *n)
{
    struct ft_type type = anything;
    enum ft_library_kind kind;
    struct ft_err err;
    const char *why = NULL;

    if (is_own_name(c, n->text, &type, &why)) {
        note_read(c, n->text);
        return type;
    }
    if (ft_library_find(c->script, n->text, NULL, &kind, &err) < 0)
        report(c, n, NULL, "%s", err.text);
    else if (kind != FT_LIBRARY_NONE)
        return type_of_library(n->text, kind);
    else if (c->names)
        report_unknown_name(c, n, why);
    else
        note_read(c, n->text);
    return anything;
}

/* ---- Fields ------------------------------------------------------------------------------------------------------ */

static struct ft_type library_member(struct ft_check *c, const struct ft_lua_node *n, const char *library, const char *member)
{
    enum ft_library_kind kind = FT_LIBRARY_NONE;
    const char **all;

    if (ft_library_find(c->script, library, member, &kind, NULL) == 0 && kind != FT_LIBRARY_NONE)
        return type_of_library(NULL, kind);
    all = ft_library_names(c->script, library);
    report(c, n, NULL, "%s has no function '%.80s'%s", library, member, NEAR(member, all));
    free(all);
    return anything;
}

static void report_missing_field(struct ft_check *c, const struct ft_lua_node *n, const struct ft_lua_node *of,
                                 const struct ft_type *type, const char *field)
{
    const char **all = ft_schema_names(type->root, type->schema);
    const char *near = NEAR(field, all);

    if (type->note && of->kind == FT_LUA_NAME)
        report(c, n, NULL, "%s has no field '%.80s'%s", type->note, field, near);
    else if (type->note)
        report(c, n, NULL, "'%s' (%s) has no field '%.80s'%s", QUOTE(of), type->note, field, near);
    else
        report(c, n, NULL, "'%s' has no field '%.80s'%s", QUOTE(of), field, near);
    free(all);
}

/* `error.text` where there is no error: not Lua's function of that name was meant. */
static bool meant_own_name(struct ft_check *c, const struct ft_lua_node *of)
{
    struct ft_type type;
    const char *why = NULL;

    if (of->kind != FT_LUA_NAME || is_own_name(c, of->text, &type, &why) || !why)
        return false;
    report(c, of, NULL, "%s", why);
    return true;
}

/* of.field, where `of` has that type. */
static struct ft_type check_field(struct ft_check *c, const struct ft_lua_node *n, const struct ft_lua_node *of, struct ft_type type,
                                  const char *field)
{
    unsigned kinds = type.kinds & ~(unsigned)FT_KIND_NIL;
    const json_t *member;
    bool open = false;

    if (type.library)
        return library_member(c, n, type.library, field);
    if (!(kinds & FT_KIND_OBJECT)) {
        const char *hint = kinds == FT_KIND_LIST ? "its members are [1], [2] …, their number is #" : NULL;

        if (meant_own_name(c, of))
            return anything;
        report(c, n, hint, "'%s' is %s and has no field '%.80s'", QUOTE(of), SAY(type.kinds), field);
        return anything;
    }
    if (!type.schema)
        return anything;
    member = ft_schema_member(type.root, type.schema, field, &open);
    if (!member && !open) {
        report_missing_field(c, n, of, &type, field);
        return anything;
    }
    return member ? ft_type_of_schema(type.root, member, type.note) : anything;
}

static struct ft_type items_of(const struct ft_type *list)
{
    const json_t *items;
    bool open = false;

    if (!list->schema || !(list->kinds & FT_KIND_LIST))
        return anything;
    items = ft_schema_items(list->root, list->schema, &open);
    return items ? ft_type_of_schema(list->root, items, list->note) : anything;
}

static struct ft_type check_index(struct ft_check *c, const struct ft_lua_node *n)
{
    struct ft_type of = check_value(c, n->a), key;
    unsigned kinds = of.kinds & ~(unsigned)FT_KIND_NIL;

    if (n->b->kind == FT_LUA_STRING)
        return check_field(c, n, n->a, of, n->b->text);
    key = check_value(c, n->b);
    if (!(kinds & FT_KIND_TABLE) || of.library)
        report(c, n, NULL, "'%s' is %s and has no members", QUOTE(n->a), of.library ? "a library" : SAY(of.kinds));
    else if (kinds == FT_KIND_LIST && !(key.kinds & FT_KIND_NUMBER))
        report(c, n, NULL, "'%s' is a list: its members are numbered, and '%s' is %s", QUOTE(n->a), QUOTE(n->b), SAY(key.kinds));
    else if (kinds == FT_KIND_OBJECT && !(key.kinds & FT_KIND_STRING))
        report(c, n, NULL, "'%s' is an object: its members have names, and '%s' is %s", QUOTE(n->a), QUOTE(n->b), SAY(key.kinds));
    return items_of(&of);
}

/* ---- Calls ------------------------------------------------------------------------------------------------------- */

static void check_values(struct ft_check *c, const struct ft_lua_node *n)
{
    for (; n; n = n->next)
        check_value(c, n);
}

static bool is_word_of(const char *words, const char *word)
{
    char padded[40];

    snprintf(padded, sizeof(padded), " %s ", word);
    return strstr(words, padded) != NULL;
}

/* What well-known functions return. */
static struct ft_type result_of(const char *library, const char *function)
{
    static const struct { const char *library, *functions; unsigned kinds; } known[] = {
        { NULL, " tostring type ", FT_KIND_STRING }, { NULL, " has contains ", FT_KIND_BOOL }, { NULL, " list ", FT_KIND_LIST },
        { NULL, " tonumber ", FT_KIND_NUMBER | FT_KIND_NIL },
        { "string", " char format gsub lower rep reverse sub upper ", FT_KIND_STRING }, { "string", " len ", FT_KIND_NUMBER },
        { "string", " byte find ", FT_KIND_NUMBER | FT_KIND_NIL }, { "table", " concat ", FT_KIND_STRING },
        { "math", " abs ceil cos exp floor fmod log max min modf sin sqrt tan ", FT_KIND_NUMBER },
        { "math", " tointeger ", FT_KIND_NUMBER | FT_KIND_NIL },
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (ft_streq(library, known[i].library) && is_word_of(known[i].functions, function))
            return (struct ft_type){ .kinds = known[i].kinds };
    return anything;
}

/* A pattern that is written out is read here and now; not where find is told that it is none. */
static void check_pattern(struct ft_check *c, const char *function, const struct ft_lua_node *pattern)
{
    struct ft_lua_pattern read;
    const char *wrong;

    if (!pattern || pattern->kind != FT_LUA_STRING || !is_word_of(" find match gmatch gsub ", function))
        return;
    if (strcmp(function, "find") == 0 && pattern->next && pattern->next->next)
        return;
    wrong = ft_lua_pattern_read(&read, pattern->text, pattern->text_len);
    if (wrong)
        report(c, pattern, NULL, "%s", wrong);
}

/* Whether `n` is the global of that name, and not the playbook's. */
static bool is_global(struct ft_check *c, const struct ft_lua_node *n, const char *name)
{
    struct ft_type type;
    const char *why;

    return n->kind == FT_LUA_NAME && strcmp(n->text, name) == 0 && !is_own_name(c, name, &type, &why);
}

static struct ft_type check_library_call(struct ft_check *c, const struct ft_lua_node *n, const char *library)
{
    const char *function = n->a->b->text;

    check_values(c, n->first);
    if (strcmp(library, "string") == 0)
        check_pattern(c, function, n->first ? n->first->next : NULL);
    return result_of(library, function);
}

static struct ft_type check_call(struct ft_check *c, const struct ft_lua_node *n)
{
    struct ft_type callee;

    if (is_global(c, n->a, "has") && n->first && n->first->next && n->first->next->kind == FT_LUA_STRING) {
        check_field(c, n->first, n->first, check_value(c, n->first), n->first->next->text);
        return result_of(NULL, "has");
    }
    callee = check_value(c, n->a);
    if (!(callee.kinds & FT_KIND_FUNCTION)) {
        if (callee.library)
            report(c, n, NULL, "'%s' is a library, not a function", QUOTE(n->a));
        else
            report(c, n, NULL, "'%s' is %s, not a function", QUOTE(n->a), SAY(callee.kinds));
    }
    if (callee.kinds == FT_KIND_FUNCTION && n->a->kind == FT_LUA_INDEX && n->a->b->kind == FT_LUA_STRING && n->a->a->kind == FT_LUA_NAME)
        return check_library_call(c, n, n->a->a->text);
    check_values(c, n->first);
    if (callee.kinds == FT_KIND_FUNCTION && n->a->kind == FT_LUA_NAME)
        return result_of(NULL, n->a->text);
    return anything;
}

static struct ft_type check_method(struct ft_check *c, const struct ft_lua_node *n)
{
    struct ft_type of = check_value(c, n->a);
    unsigned kinds = of.kinds & ~(unsigned)FT_KIND_NIL;

    check_values(c, n->first);
    if (of.library) {
        report(c, n, NULL, "a function of a library is called with a dot: %s.%.80s(…)", of.library, n->text);
    } else if (kinds == FT_KIND_STRING) {
        library_member(c, n, "string", n->text);
        check_pattern(c, n->text, n->first);
        return result_of("string", n->text);
    } else if (!(kinds & (FT_KIND_STRING | FT_KIND_OBJECT))) {
        report(c, n, NULL, "'%s' is %s and has no functions", QUOTE(n->a), SAY(of.kinds));
    } else if (of.schema && !(kinds & FT_KIND_STRING)) {
        report(c, n, NULL, "'%s' is data and has no functions", QUOTE(n->a));
    }
    return anything;
}

/* ---- Operators --------------------------------------------------------------------------------------------------- */

/* What is written as "null" where nil is meant. */
static bool report_null(struct ft_check *c, const struct ft_lua_node *n, struct ft_type a, struct ft_type b)
{
    if (a.kinds != FT_KIND_NULL && b.kinds != FT_KIND_NULL)
        return false;
    report(c, n, NULL, "'%s' compares with null, which is only for writing: a value that is null or absent reads as nil", QUOTE(n));
    return true;
}

static void check_one_of(struct ft_check *c, const struct ft_lua_node *n, const struct ft_lua_node *literal, const struct ft_type *other)
{
    json_t *strings = literal->kind == FT_LUA_STRING ? ft_type_strings(other) : NULL, *one;
    const char **all;
    size_t i;
    bool found = false;

    if (!strings)
        return;
    all = ft_calloc(json_array_size(strings) + 1, sizeof(char *));
    json_array_foreach(strings, i, one) {
        all[i] = json_string_value(one);
        found = found || strcmp(all[i], literal->text) == 0;
    }
    if (!found)
        report(c, n, NULL, "'%s' is always %s: it is never \"%.80s\"%s", QUOTE(n), n->op == FT_TOKEN_EQ ? "false" : "true",
               literal->text, NEAR(literal->text, all));
    free(all);
    json_decref(strings);
}

static bool is_table(const struct ft_lua_node *n, const struct ft_type *type)
{
    return n->kind == FT_LUA_TABLE || (type->schema && !(type->kinds & ~(unsigned)(FT_KIND_TABLE | FT_KIND_NIL)));
}

static void check_equality(struct ft_check *c, const struct ft_lua_node *n, struct ft_type a, struct ft_type b)
{
    const char *answer = n->op == FT_TOKEN_EQ ? "false" : "true";
    const char *hint = n->a->kind == FT_LUA_UNARY && n->a->op == FT_TOKEN_NOT ? "`not` binds first: write not (a == b), or a ~= b" : NULL;

    if (report_null(c, n, a, b) || a.kinds == FT_KIND_NIL || b.kinds == FT_KIND_NIL)
        return;
    if (!(a.kinds & b.kinds & ~(unsigned)FT_KIND_NIL)) {
        report(c, n, hint, "'%s' is always %s: it compares %s with %s", QUOTE(n), answer, SAY(a.kinds), SAY(b.kinds));
    } else if (is_table(n->a, &a) && is_table(n->b, &b)) {
        report(c, n, NULL, "'%s' does not compare members: compare the fields that matter", QUOTE(n));
    } else {
        check_one_of(c, n, n->a, &b);
        check_one_of(c, n, n->b, &a);
    }
}

static void check_order(struct ft_check *c, const struct ft_lua_node *n, struct ft_type a, struct ft_type b)
{
    if (report_null(c, n, a, b))
        return;
    if (!(a.kinds & b.kinds & (FT_KIND_NUMBER | FT_KIND_STRING)))
        report(c, n, NULL, "'%s' cannot be: it compares %s with %s", QUOTE(n), SAY(a.kinds), SAY(b.kinds));
}

static void check_operand(struct ft_check *c, const struct ft_lua_node *n, const struct ft_lua_node *operand, struct ft_type type,
                          unsigned wanted, const char *what)
{
    char op[3] = { 0 };
    static const struct { int op; const char *sign; } long_ones[] = {
        { FT_TOKEN_CONCAT, ".." }, { FT_TOKEN_IDIV, "//" }, { FT_TOKEN_SHL, "<<" }, { FT_TOKEN_SHR, ">>" },
    };

    if (type.kinds & wanted)
        return;
    op[0] = n->op < 256 ? (char)n->op : 0;
    for (size_t i = 0; i < ARRAY_LEN(long_ones); i++)
        if (long_ones[i].op == n->op)
            memcpy(op, long_ones[i].sign, 2);
    report(c, operand, NULL, "'%s' needs %s, and '%s' is %s", op, what, QUOTE(operand), SAY(type.kinds));
}

static struct ft_type check_logic(const struct ft_lua_node *n, struct ft_type a, struct ft_type b)
{
    if (n->op == FT_TOKEN_AND) {
        b.kinds |= a.kinds & (FT_KIND_NIL | FT_KIND_BOOL);
        b.library = NULL;
        return b;
    }
    if (n->b->kind != FT_LUA_TABLE || n->b->first)          /* (list or {}) keeps what is known of list */
        a.schema = NULL;
    a.library = NULL;
    a.kinds = (a.kinds & ~(unsigned)FT_KIND_NIL) | (a.schema ? 0 : b.kinds);
    return a;
}

static struct ft_type check_binary(struct ft_check *c, const struct ft_lua_node *n)
{
    struct ft_type a = check_value(c, n->a), b = check_value(c, n->b);

    switch (n->op) {
    case FT_TOKEN_AND: case FT_TOKEN_OR:
        return check_logic(n, a, b);
    case FT_TOKEN_EQ: case FT_TOKEN_NE:
        check_equality(c, n, a, b);
        return (struct ft_type){ .kinds = FT_KIND_BOOL };
    case '<': case '>': case FT_TOKEN_LE: case FT_TOKEN_GE:
        check_order(c, n, a, b);
        return (struct ft_type){ .kinds = FT_KIND_BOOL };
    case FT_TOKEN_CONCAT:
        check_operand(c, n, n->a, a, FT_KIND_STRING | FT_KIND_NUMBER, "strings or numbers");
        check_operand(c, n, n->b, b, FT_KIND_STRING | FT_KIND_NUMBER, "strings or numbers");
        return (struct ft_type){ .kinds = FT_KIND_STRING };
    default:
        check_operand(c, n, n->a, a, FT_KIND_NUMBER, "numbers");
        check_operand(c, n, n->b, b, FT_KIND_NUMBER, "numbers");
        return (struct ft_type){ .kinds = FT_KIND_NUMBER };
    }
}

static struct ft_type check_unary(struct ft_check *c, const struct ft_lua_node *n)
{
    struct ft_type a = check_value(c, n->a);

    if (n->op == FT_TOKEN_NOT)
        return (struct ft_type){ .kinds = FT_KIND_BOOL };
    if (n->op == '#')
        check_operand(c, n, n->a, a, FT_KIND_LIST | FT_KIND_STRING, "a list or a string");
    else
        check_operand(c, n, n->a, a, FT_KIND_NUMBER, "a number");
    return (struct ft_type){ .kinds = FT_KIND_NUMBER };
}

/* ---- Values ------------------------------------------------------------------------------------------------------ */

static void set_type(struct ft_check *c, struct ft_lua_variable *v, struct ft_type type)
{
    struct ft_type *kept = ft_arena_alloc(c->mem, sizeof(*kept));

    *kept = v->assigned ? anything : type;
    v->type = kept;
}

static struct ft_type check_function(struct ft_check *c, const struct ft_lua_node *n)
{
    for (struct ft_lua_variable *v = n->variables; v; v = v->next)
        set_type(c, v, anything);
    c->functions++;
    check_statements(c, n->first);
    c->functions--;
    return (struct ft_type){ .kinds = FT_KIND_FUNCTION };
}

static struct ft_type check_table(struct ft_check *c, const struct ft_lua_node *n)
{
    for (const struct ft_lua_node *field = n->first; field; field = field->next) {
        if (field->a)
            check_value(c, field->a);
        check_value(c, field->b);
    }
    return (struct ft_type){ .kinds = FT_KIND_TABLE };
}

static struct ft_type check_value(struct ft_check *c, const struct ft_lua_node *n)
{
    switch (n->kind) {
    case FT_LUA_NIL:      return (struct ft_type){ .kinds = FT_KIND_NIL };
    case FT_LUA_TRUE:
    case FT_LUA_FALSE:    return (struct ft_type){ .kinds = FT_KIND_BOOL };
    case FT_LUA_NUMBER:   return (struct ft_type){ .kinds = FT_KIND_NUMBER };
    case FT_LUA_STRING:   return (struct ft_type){ .kinds = FT_KIND_STRING };
    case FT_LUA_LOCAL:    return n->variables->type ? *(const struct ft_type *)n->variables->type : anything;
    case FT_LUA_NAME:     return check_name(c, n);
    case FT_LUA_INDEX:    return check_index(c, n);
    case FT_LUA_CALL:     return check_call(c, n);
    case FT_LUA_METHOD:   return check_method(c, n);
    case FT_LUA_FUNCTION: return check_function(c, n);
    case FT_LUA_TABLE:    return check_table(c, n);
    case FT_LUA_UNARY:    return check_unary(c, n);
    case FT_LUA_BINARY:   return check_binary(c, n);
    case FT_LUA_PAREN:    return check_value(c, n->a);
    default:              return anything;
    }
}

/* ---- Statements -------------------------------------------------------------------------------------------------- */

/* A last value of these gives as many as are asked for. */
static bool gives_many(const struct ft_lua_node *n)
{
    return !n->next && (n->kind == FT_LUA_CALL || n->kind == FT_LUA_METHOD || n->kind == FT_LUA_DOTS);
}

static void check_declaration(struct ft_check *c, const struct ft_lua_node *n)
{
    const struct ft_lua_node *value = n->first;
    struct ft_type rest = { .kinds = FT_KIND_NIL };

    for (struct ft_lua_variable *v = n->variables; v; v = v->next) {
        if (!value) {
            set_type(c, v, rest);
            continue;
        }
        if (value->kind == FT_LUA_FUNCTION)
            set_type(c, v, (struct ft_type){ .kinds = FT_KIND_FUNCTION });    /* it may call itself */
        set_type(c, v, check_value(c, value));
        if (gives_many(value))
            rest = anything;
        value = value->next;
    }
    check_values(c, value);
}

static bool belongs_to_names(const struct ft_lua_node *n)
{
    while (n->kind == FT_LUA_INDEX || n->kind == FT_LUA_PAREN)
        n = n->a;
    return n->kind == FT_LUA_NAME;
}

static void check_target(struct ft_check *c, const struct ft_lua_node *n)
{
    struct ft_type of;

    if (n->kind == FT_LUA_NAME) {
        report(c, n, NULL, "'%s' cannot be set: names are read-only, `local %s` makes a variable of your own", QUOTE(n), QUOTE(n));
        return;
    }
    if (n->kind != FT_LUA_INDEX)
        return;
    of = check_value(c, n->a);
    if (n->b->kind != FT_LUA_STRING)
        check_value(c, n->b);
    if (belongs_to_names(n->a) || of.schema)
        report(c, n, NULL, "'%s' cannot be set: values are read-only, return a table of your own", QUOTE(n));
}

static void check_assignment(struct ft_check *c, const struct ft_lua_node *n)
{
    for (const struct ft_lua_node *target = n->first; target; target = target->next)
        check_target(c, target);
    check_values(c, n->second);
}

static void check_numeric_for(struct ft_check *c, const struct ft_lua_node *n)
{
    for (const struct ft_lua_node *bound = n->first; bound; bound = bound->next) {
        struct ft_type type = check_value(c, bound);

        if (!(type.kinds & FT_KIND_NUMBER))
            report(c, bound, NULL, "a loop runs over numbers, and '%s' is %s", QUOTE(bound), SAY(type.kinds));
    }
    set_type(c, n->variables, (struct ft_type){ .kinds = FT_KIND_NUMBER });
    check_statements(c, n->second);
}

/* The list of `ipairs(list)` or `pairs(value)`, or NULL. */
static const struct ft_lua_node *iterated(struct ft_check *c, const struct ft_lua_node *n, bool *ret_items)
{
    if (n->first->kind != FT_LUA_CALL || !n->first->first || n->first->first->next)
        return NULL;
    *ret_items = is_global(c, n->first->a, "ipairs");
    return *ret_items || is_global(c, n->first->a, "pairs") ? n->first->first : NULL;
}

static void check_for_in(struct ft_check *c, const struct ft_lua_node *n)
{
    bool items = false;
    const struct ft_lua_node *over = iterated(c, n, &items);
    struct ft_type type, key = anything, value = anything;

    type = check_value(c, over ? over : n->first);
    if (over) {
        if (!(type.kinds & (items ? FT_KIND_LIST : FT_KIND_TABLE)))
            report(c, over, NULL, "%s needs %s, and '%s' is %s", items ? "ipairs" : "pairs", items ? "a list" : "a list or an object",
                   QUOTE(over), SAY(type.kinds));
        else if (items || !(type.kinds & FT_KIND_OBJECT))
            key.kinds = FT_KIND_NUMBER, value = items_of(&type);
        else if (!(type.kinds & FT_KIND_LIST))
            key.kinds = FT_KIND_STRING;
    } else if (!(type.kinds & FT_KIND_FUNCTION)) {
        report(c, n->first, "write ipairs(…) or pairs(…)", "a loop needs what ipairs or pairs return, and '%s' is %s",
               QUOTE(n->first), SAY(type.kinds));
    }
    check_values(c, n->first->next);
    for (struct ft_lua_variable *v = n->variables; v; v = v->next)
        set_type(c, v, v == n->variables ? key : v == n->variables->next ? value : anything);
    check_statements(c, n->second);
}

static void check_return(struct ft_check *c, const struct ft_lua_node *n)
{
    check_values(c, n->first);
    c->returns = c->returns || (n->first && c->functions == 0);
}

static void check_statement(struct ft_check *c, const struct ft_lua_node *n)
{
    switch (n->kind) {
    case FT_LUA_DECLARE: check_declaration(c, n); return;
    case FT_LUA_ASSIGN:  check_assignment(c, n); return;
    case FT_LUA_FOR:     check_numeric_for(c, n); return;
    case FT_LUA_FOR_IN:  check_for_in(c, n); return;
    case FT_LUA_RETURN:  check_return(c, n); return;
    case FT_LUA_DO:      check_statements(c, n->first); return;
    case FT_LUA_REPEAT:  check_statements(c, n->first); check_value(c, n->a); return;
    case FT_LUA_WHILE:   check_value(c, n->a); check_statements(c, n->first); return;
    case FT_LUA_IF:
        check_value(c, n->a);
        check_statements(c, n->first);
        check_statements(c, n->second);
        return;
    case FT_LUA_BREAK:   return;
    default:             check_value(c, n); return;
    }
}

static void check_statements(struct ft_check *c, const struct ft_lua_node *n)
{
    for (; n; n = n->next)
        check_statement(c, n);
}

void ft_check_tree(struct ft_check *c, const struct ft_lua_node *tree, bool expression)
{
    if (expression) {
        struct ft_type type = check_value(c, tree);

        if (type.library)
            report(c, tree, NULL, "'%s' is a library, not a value", QUOTE(tree));
        else if (type.kinds == FT_KIND_FUNCTION)
            report(c, tree, NULL, "'%s' is a function, not a value: call it", QUOTE(tree));
        return;
    }
    check_statements(c, tree);
    if (!c->returns)
        report(c, tree, NULL, "the block returns nothing: end it with return {…}");
}
