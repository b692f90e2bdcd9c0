#include "script/parse.h"
#include <string.h>
#include "base/util.h"
#include "script/lex.h"

enum { NESTING_MAX = 190, DEPTH_MAX = 1000, VISIBLE_MAX = 250 };

struct scope_entry { struct ft_lua_variable *variable; struct scope_entry *outer; unsigned visible; };

struct parser {
    struct ft_lexer lexer;
    struct ft_token now, ahead;
    bool has_ahead;
    size_t last_end;                        /* of the token before `now` */
    struct scope_entry *scope;
    unsigned nesting, loops;
    bool vararg;
    struct ft_lua_mistake *mistake;
    bool failed;
};

static struct ft_lua_node *expression(struct parser *p, int limit);
static struct ft_lua_node *block(struct parser *p);

/* ---- Tokens ------------------------------------------------------------------------------------------------------ */

static void fail_at(struct parser *p, size_t at, size_t len, const char *text, const char *hint)
{
    if (p->failed)
        return;
    p->failed = true;
    *p->mistake = (struct ft_lua_mistake){ .at = at, .len = len, .text = text, .hint = hint };
    p->now.kind = FT_TOKEN_END;             /* nothing more is read */
}

static bool stands_at(const struct parser *p, size_t at, const char *sign)
{
    size_t len = strlen(sign);

    return at + len <= p->lexer.len && memcmp(p->lexer.text + at, sign, len) == 0;
}

/* What people write who come from other languages. */
static const char *hint_for(const struct parser *p)
{
    static const struct { const char *sign, *hint; } others[] = {
        { "!=", "\"not equal\" is ~=" }, { "!", "write `not`" }, { "&&", "write `and`" }, { "||", "write `or`" },
    };
    size_t at = p->now.at;

    for (size_t i = 0; i < ARRAY_LEN(others); i++)       /* the second '&' is where Lua stops */
        if (stands_at(p, at, others[i].sign) || (at > 0 && i > 1 && stands_at(p, at - 1, others[i].sign)))
            return others[i].hint;
    return p->now.kind == '=' ? "to compare, write ==" : NULL;
}

static void fail(struct parser *p, const char *text)
{
    fail_at(p, p->now.at, p->now.len, p->now.kind == FT_TOKEN_WRONG ? p->lexer.wrong : text, hint_for(p));
}

static void advance(struct parser *p)
{
    p->last_end = p->now.at + p->now.len;
    if (p->failed)
        return;
    p->now = p->has_ahead ? p->ahead : ft_lex(&p->lexer);
    p->has_ahead = false;
    if (p->now.kind == FT_TOKEN_WRONG)
        fail(p, NULL);
}

static int look_ahead(struct parser *p)
{
    if (!p->has_ahead) {
        p->ahead = ft_lex(&p->lexer);
        p->has_ahead = true;
    }
    return p->ahead.kind;
}

static bool accept(struct parser *p, int kind)
{
    if (p->now.kind != kind)
        return false;
    advance(p);
    return true;
}

static void expect(struct parser *p, int kind, const char *text)
{
    if (p->now.kind == kind)
        advance(p);
    else
        fail(p, text);
}

/* ---- Nodes ------------------------------------------------------------------------------------------------------- */

static struct ft_lua_node *node(struct parser *p, enum ft_lua_kind kind, size_t at)
{
    struct ft_lua_node *n = ft_arena_alloc(p->lexer.mem, sizeof(*n));

    n->kind = kind;
    n->at = at;
    n->depth = 1;
    return n;
}

static void under(struct parser *p, struct ft_lua_node *n, const struct ft_lua_node *child)
{
    for (; child; child = child->next)
        n->depth = ft_max(n->depth, child->depth + 1);
    if (n->depth > DEPTH_MAX)
        fail_at(p, n->at, 1, "this is nested too deeply", NULL);
}

/* Once all children hang in it. */
static struct ft_lua_node *done(struct parser *p, struct ft_lua_node *n)
{
    n->end = ft_max(p->last_end, n->at);
    if (!n->said_end)
        n->said_end = n->end;
    under(p, n, n->a);
    under(p, n, n->b);
    under(p, n, n->first);
    under(p, n, n->second);
    return n;
}

static bool enter(struct parser *p)
{
    if (p->nesting++ < NESTING_MAX)
        return true;
    fail_at(p, p->now.at, p->now.len, "this is nested too deeply", NULL);
    return false;
}

/* ---- Scopes ------------------------------------------------------------------------------------------------------ */

static struct ft_lua_variable *variable(struct parser *p, const char *name)
{
    struct ft_lua_variable *v = ft_arena_alloc(p->lexer.mem, sizeof(*v));

    v->name = name;
    return v;
}

/* From here to the end of the block. */
static void declare(struct parser *p, struct ft_lua_variable *variables)
{
    for (; variables; variables = variables->next) {
        struct scope_entry *entry = ft_arena_alloc(p->lexer.mem, sizeof(*entry));

        *entry = (struct scope_entry){ .variable = variables, .outer = p->scope, .visible = p->scope ? p->scope->visible + 1 : 1 };
        p->scope = entry;
        if (entry->visible > VISIBLE_MAX)
            fail(p, "too many local variables");
    }
}

static struct ft_lua_variable *find(const struct parser *p, const char *name)
{
    const struct scope_entry *entry = p->scope;

    while (entry && strcmp(entry->variable->name, name) != 0)
        entry = entry->outer;
    return entry ? entry->variable : NULL;
}

static const char *take_name(struct parser *p)
{
    const char *name = p->now.name;

    if (p->now.kind != FT_TOKEN_NAME) {
        fail(p, "a name is missing here");
        return "";
    }
    if (strcmp(name, "_ENV") == 0) {
        fail_at(p, p->now.at, p->now.len, "the name _ENV cannot be used", NULL);
        return "";
    }
    advance(p);
    return name;
}

/* ---- Simple expressions ------------------------------------------------------------------------------------------ */

static struct ft_lua_node *expression_list(struct parser *p)
{
    struct ft_lua_node *first = expression(p, 0), *last = first;

    while (!p->failed && accept(p, ','))
        last = last->next = expression(p, 0);
    return first;
}

static struct ft_lua_node *leaf(struct parser *p, enum ft_lua_kind kind)
{
    struct ft_lua_node *n = node(p, kind, p->now.at);

    n->text = p->now.name;
    n->text_len = p->now.name_len;
    advance(p);
    return done(p, n);
}

static struct ft_lua_node *table_field(struct parser *p)
{
    struct ft_lua_node *n = node(p, FT_LUA_FIELD, p->now.at);

    if (accept(p, '[')) {
        n->a = expression(p, 0);
        expect(p, ']', "']' is missing here");
        expect(p, '=', "'=' is missing here");
    } else if (p->now.kind == FT_TOKEN_NAME && look_ahead(p) == '=') {
        n->a = leaf(p, FT_LUA_STRING);
        advance(p);
    }
    n->b = expression(p, 0);
    return done(p, n);
}

static struct ft_lua_node *table(struct parser *p)
{
    struct ft_lua_node *n = node(p, FT_LUA_TABLE, p->now.at), **last = &n->first;

    advance(p);
    while (!p->failed && p->now.kind != '}') {
        *last = table_field(p);
        last = &(*last)->next;
        if (!accept(p, ',') && !accept(p, ';'))
            break;
    }
    expect(p, '}', "'}' is missing here");
    return done(p, n);
}

/* Returns whether it ends with "...". */
static bool parameters(struct parser *p, struct ft_lua_variable **last)
{
    while (!p->failed && p->now.kind != ')') {
        if (accept(p, FT_TOKEN_DOTS))
            return true;
        *last = variable(p, take_name(p));
        last = &(*last)->next;
        if (!accept(p, ','))
            return false;
        if (p->now.kind == ')')
            fail(p, "a name is missing here");
    }
    return false;
}

/* Behind the word and the name. `self`: the first parameter of a method. */
static struct ft_lua_node *function_body(struct parser *p, size_t at, bool self)
{
    struct ft_lua_node *n = node(p, FT_LUA_FUNCTION, at);
    struct scope_entry *outside = p->scope;
    unsigned loops = p->loops;
    bool vararg = p->vararg;

    if (self)
        n->variables = variable(p, "self");
    expect(p, '(', "'(' is missing here");
    p->vararg = parameters(p, self ? &n->variables->next : &n->variables);
    expect(p, ')', "')' is missing here");
    p->loops = 0;
    declare(p, n->variables);
    n->first = block(p);
    expect(p, FT_TOKEN_IF_END, "'end' is missing here");
    p->scope = outside;
    p->loops = loops;
    p->vararg = vararg;
    return done(p, n);
}

static struct ft_lua_node *anonymous_function(struct parser *p)
{
    size_t at = p->now.at;

    advance(p);
    return function_body(p, at, false);
}

static struct ft_lua_node *dots(struct parser *p)
{
    if (!p->vararg)
        fail(p, "'...' outside of a function that takes it");
    return leaf(p, FT_LUA_DOTS);
}

/* ---- What can be called and indexed ------------------------------------------------------------------------------ */

static struct ft_lua_node *name(struct parser *p)
{
    struct ft_lua_node *n = node(p, FT_LUA_NAME, p->now.at);

    n->text = take_name(p);
    n->text_len = strlen(n->text);
    n->variables = find(p, n->text);
    if (n->variables)
        n->kind = FT_LUA_LOCAL;
    return done(p, n);
}

static struct ft_lua_node *primary(struct parser *p)
{
    struct ft_lua_node *n;

    if (p->now.kind == FT_TOKEN_NAME)
        return name(p);
    n = node(p, FT_LUA_PAREN, p->now.at);
    if (!accept(p, '(')) {
        fail(p, "a value is missing here");
        return n;
    }
    n->a = expression(p, 0);
    expect(p, ')', "')' is missing here");
    return done(p, n);
}

static bool starts_arguments(const struct parser *p)
{
    return p->now.kind == '(' || p->now.kind == '{' || p->now.kind == FT_TOKEN_STRING;
}

static struct ft_lua_node *arguments(struct parser *p)
{
    struct ft_lua_node *first = NULL;

    if (p->now.kind == FT_TOKEN_STRING)
        return leaf(p, FT_LUA_STRING);
    if (p->now.kind == '{')
        return table(p);
    if (!accept(p, '(')) {
        fail(p, "the arguments of the call are missing here");
        return NULL;
    }
    if (p->now.kind != ')')
        first = expression_list(p);
    expect(p, ')', "')' is missing here");
    return first;
}

static struct ft_lua_node *field(struct parser *p, struct ft_lua_node *of)
{
    struct ft_lua_node *n = node(p, FT_LUA_INDEX, of->at), *key;

    n->a = of;
    advance(p);
    key = node(p, FT_LUA_STRING, p->now.at);
    key->text = take_name(p);
    key->text_len = strlen(key->text);
    n->b = done(p, key);
    return done(p, n);
}

static struct ft_lua_node *subscript(struct parser *p, struct ft_lua_node *of)
{
    struct ft_lua_node *n = node(p, FT_LUA_INDEX, of->at);

    n->a = of;
    advance(p);
    n->b = expression(p, 0);
    expect(p, ']', "']' is missing here");
    return done(p, n);
}

static struct ft_lua_node *method(struct parser *p, struct ft_lua_node *of)
{
    struct ft_lua_node *n = node(p, FT_LUA_METHOD, of->at);

    n->a = of;
    advance(p);
    n->text = take_name(p);
    n->text_len = strlen(n->text);
    n->said_end = p->last_end;
    n->first = arguments(p);
    return done(p, n);
}

static struct ft_lua_node *call(struct parser *p, struct ft_lua_node *of)
{
    struct ft_lua_node *n = node(p, FT_LUA_CALL, of->at);

    n->a = of;
    n->said_end = of->end;
    n->first = arguments(p);
    return done(p, n);
}

static struct ft_lua_node *suffixed(struct parser *p)
{
    struct ft_lua_node *n = primary(p);

    while (!p->failed) {
        if (p->now.kind == '.')
            n = field(p, n);
        else if (p->now.kind == '[')
            n = subscript(p, n);
        else if (p->now.kind == ':')
            n = method(p, n);
        else if (starts_arguments(p))
            n = call(p, n);
        else
            break;
    }
    return n;
}

static struct ft_lua_node *simple(struct parser *p)
{
    switch (p->now.kind) {
    case FT_TOKEN_NIL:      return leaf(p, FT_LUA_NIL);
    case FT_TOKEN_TRUE:     return leaf(p, FT_LUA_TRUE);
    case FT_TOKEN_FALSE:    return leaf(p, FT_LUA_FALSE);
    case FT_TOKEN_NUMBER:   return leaf(p, FT_LUA_NUMBER);
    case FT_TOKEN_STRING:   return leaf(p, FT_LUA_STRING);
    case FT_TOKEN_DOTS:     return dots(p);
    case FT_TOKEN_FUNCTION: return anonymous_function(p);
    case '{':               return table(p);
    default:                return suffixed(p);
    }
}

/* ---- Operators --------------------------------------------------------------------------------------------------- */

/* How strongly an operator binds to its left and to its right; 0: no operator. */
static void binding(int op, int *left, int *right)
{
    static const struct { int op, left, right; } table[] = {
        { FT_TOKEN_OR, 1, 1 }, { FT_TOKEN_AND, 2, 2 },
        { '<', 3, 3 }, { '>', 3, 3 }, { FT_TOKEN_LE, 3, 3 }, { FT_TOKEN_GE, 3, 3 }, { FT_TOKEN_NE, 3, 3 }, { FT_TOKEN_EQ, 3, 3 },
        { '|', 4, 4 }, { '~', 5, 5 }, { '&', 6, 6 }, { FT_TOKEN_SHL, 7, 7 }, { FT_TOKEN_SHR, 7, 7 }, { FT_TOKEN_CONCAT, 9, 8 },
        { '+', 10, 10 }, { '-', 10, 10 }, { '*', 11, 11 }, { '/', 11, 11 }, { FT_TOKEN_IDIV, 11, 11 }, { '%', 11, 11 }, { '^', 14, 13 },
    };

    *left = *right = 0;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (table[i].op == op) {
            *left = table[i].left;
            *right = table[i].right;
        }
    }
}

enum { UNARY_BINDING = 12 };

static struct ft_lua_node *unary(struct parser *p)
{
    struct ft_lua_node *n = node(p, FT_LUA_UNARY, p->now.at);

    n->op = p->now.kind;
    advance(p);
    n->a = expression(p, UNARY_BINDING);
    return done(p, n);
}

static struct ft_lua_node *binary(struct parser *p, struct ft_lua_node *left, int right_binding)
{
    struct ft_lua_node *n = node(p, FT_LUA_BINARY, left->at);

    n->op = p->now.kind;
    n->a = left;
    advance(p);
    n->b = expression(p, right_binding);
    return done(p, n);
}

/* All that binds more strongly than `limit`. */
static struct ft_lua_node *expression(struct parser *p, int limit)
{
    struct ft_lua_node *n = NULL;
    int left, right;

    if (enter(p)) {
        if (p->now.kind == FT_TOKEN_NOT || p->now.kind == '-' || p->now.kind == '#' || p->now.kind == '~')
            n = unary(p);
        else
            n = simple(p);
        for (binding(p->now.kind, &left, &right); !p->failed && left > limit; binding(p->now.kind, &left, &right))
            n = binary(p, n, right);
    }
    p->nesting--;
    return n;
}

/* ---- Statements -------------------------------------------------------------------------------------------------- */

/* A block with a scope of its own, up to the word that ends it. */
static struct ft_lua_node *inner_block(struct parser *p, bool loop)
{
    struct scope_entry *outside = p->scope;
    struct ft_lua_node *first;

    p->loops += loop;
    first = block(p);
    p->loops -= loop;
    p->scope = outside;
    return first;
}

static struct ft_lua_node *do_statement(struct parser *p)
{
    struct ft_lua_node *n = node(p, FT_LUA_DO, p->now.at);

    advance(p);
    n->first = inner_block(p, false);
    expect(p, FT_TOKEN_IF_END, "'end' is missing here");
    return done(p, n);
}

static struct ft_lua_node *while_statement(struct parser *p)
{
    struct ft_lua_node *n = node(p, FT_LUA_WHILE, p->now.at);

    advance(p);
    n->a = expression(p, 0);
    expect(p, FT_TOKEN_DO, "'do' is missing here");
    n->first = inner_block(p, true);
    expect(p, FT_TOKEN_IF_END, "'end' is missing here");
    return done(p, n);
}

static struct ft_lua_node *repeat_statement(struct parser *p)
{
    struct ft_lua_node *n = node(p, FT_LUA_REPEAT, p->now.at);
    struct scope_entry *outside = p->scope;

    advance(p);
    p->loops++;
    n->first = block(p);
    p->loops--;
    expect(p, FT_TOKEN_UNTIL, "'until' is missing here");
    n->a = expression(p, 0);                /* sees the block's variables */
    p->scope = outside;
    return done(p, n);
}

/* Behind `if`, `elseif`; one `end` closes them all. */
static struct ft_lua_node *if_statement(struct parser *p)
{
    struct ft_lua_node *n = node(p, FT_LUA_IF, p->now.at);

    advance(p);
    n->a = expression(p, 0);
    expect(p, FT_TOKEN_THEN, "'then' is missing here");
    n->first = inner_block(p, false);
    if (p->now.kind == FT_TOKEN_ELSEIF && enter(p)) {
        n->second = if_statement(p);
        p->nesting--;
        return done(p, n);
    }
    if (p->now.kind == FT_TOKEN_ELSE) {
        n->second = node(p, FT_LUA_DO, p->now.at);
        advance(p);
        n->second->first = inner_block(p, false);
        done(p, n->second);
    }
    expect(p, FT_TOKEN_IF_END, "'end' is missing here");
    return done(p, n);
}

static struct ft_lua_variable *name_list(struct parser *p)
{
    struct ft_lua_variable *first = variable(p, take_name(p)), *last = first;

    while (!p->failed && accept(p, ','))
        last = last->next = variable(p, take_name(p));
    return first;
}

static void loop_body(struct parser *p, struct ft_lua_node *n)
{
    struct scope_entry *outside = p->scope;

    expect(p, FT_TOKEN_DO, "'do' is missing here");
    declare(p, n->variables);
    n->second = inner_block(p, true);
    p->scope = outside;
    expect(p, FT_TOKEN_IF_END, "'end' is missing here");
}

static struct ft_lua_node *for_statement(struct parser *p)
{
    struct ft_lua_node *n = node(p, FT_LUA_FOR_IN, p->now.at);

    advance(p);
    n->variables = name_list(p);
    if (p->now.kind == '=' && !n->variables->next) {
        n->kind = FT_LUA_FOR;
        advance(p);
        n->first = expression_list(p);
        if (!p->failed && (!n->first->next || (n->first->next->next && n->first->next->next->next)))
            fail(p, "a loop needs `for i = first, last` or `for i = first, last, step`");
    } else {
        expect(p, FT_TOKEN_IN, "'=' or 'in' is missing here");
        n->first = expression_list(p);
    }
    loop_body(p, n);
    return done(p, n);
}

static void attribute(struct parser *p, struct ft_lua_variable *v)
{
    const char *word;

    if (!accept(p, '<'))
        return;
    word = take_name(p);
    if (strcmp(word, "const") != 0 && strcmp(word, "close") != 0)
        fail(p, "an attribute is <const> or <close>");
    v->constant = true;
    expect(p, '>', "'>' is missing here");
}

static struct ft_lua_node *local_variables(struct parser *p, size_t at)
{
    struct ft_lua_node *n = node(p, FT_LUA_DECLARE, at);
    struct ft_lua_variable **last = &n->variables;

    do {
        *last = variable(p, take_name(p));
        attribute(p, *last);
        last = &(*last)->next;
    } while (!p->failed && accept(p, ','));
    if (accept(p, '='))
        n->first = expression_list(p);
    declare(p, n->variables);               /* not before: its own value sees the outer one */
    return done(p, n);
}

static struct ft_lua_node *local_function(struct parser *p, size_t at)
{
    struct ft_lua_node *n = node(p, FT_LUA_DECLARE, at);
    size_t start = p->now.at;

    advance(p);
    n->variables = variable(p, take_name(p));
    declare(p, n->variables);               /* before: it may call itself */
    n->first = function_body(p, start, false);
    return done(p, n);
}

static struct ft_lua_node *local_statement(struct parser *p)
{
    size_t at = p->now.at;

    advance(p);
    return p->now.kind == FT_TOKEN_FUNCTION ? local_function(p, at) : local_variables(p, at);
}

static void mark_assigned(struct parser *p, const struct ft_lua_node *target)
{
    if (target->kind != FT_LUA_LOCAL)
        return;
    target->variables->assigned = true;
    if (target->variables->constant)
        fail_at(p, target->at, target->end - target->at, "this variable is constant", NULL);
}

/* function a.b.c:d() … end is an assignment of a function. */
static struct ft_lua_node *function_statement(struct parser *p)
{
    struct ft_lua_node *n = node(p, FT_LUA_ASSIGN, p->now.at);
    size_t start = p->now.at;
    bool self = false;

    advance(p);
    n->first = name(p);
    while (!p->failed && !self && (p->now.kind == '.' || p->now.kind == ':')) {
        self = p->now.kind == ':';
        n->first = field(p, n->first);
    }
    mark_assigned(p, n->first);
    n->second = function_body(p, start, self);
    return done(p, n);
}

static struct ft_lua_node *return_statement(struct parser *p)
{
    struct ft_lua_node *n = node(p, FT_LUA_RETURN, p->now.at);

    advance(p);
    switch (p->now.kind) {
    case FT_TOKEN_END: case FT_TOKEN_IF_END: case FT_TOKEN_ELSE: case FT_TOKEN_ELSEIF: case FT_TOKEN_UNTIL: case ';':
        break;
    default:
        n->first = expression_list(p);
    }
    accept(p, ';');
    return done(p, n);
}

static struct ft_lua_node *break_statement(struct parser *p)
{
    if (p->loops == 0)
        fail(p, "'break' outside of a loop");
    return leaf(p, FT_LUA_BREAK);
}

static struct ft_lua_node *assignment(struct parser *p, struct ft_lua_node *first)
{
    struct ft_lua_node *n = node(p, FT_LUA_ASSIGN, first->at), *last = first;

    n->first = first;
    while (!p->failed && accept(p, ','))
        last = last->next = suffixed(p);
    for (struct ft_lua_node *target = first; target && !p->failed; target = target->next) {
        if (target->kind != FT_LUA_LOCAL && target->kind != FT_LUA_NAME && target->kind != FT_LUA_INDEX)
            fail(p, "only a variable or a table's member can be assigned");
        else
            mark_assigned(p, target);
    }
    expect(p, '=', "'=' is missing here");
    n->second = expression_list(p);
    return done(p, n);
}

static struct ft_lua_node *expression_statement(struct parser *p)
{
    struct ft_lua_node *n = suffixed(p);

    if (p->failed)
        return n;
    if (p->now.kind == '=' || p->now.kind == ',')
        return assignment(p, n);
    if (n->kind != FT_LUA_CALL && n->kind != FT_LUA_METHOD)
        fail(p, "a value alone does nothing: a statement is an assignment or a call");
    return n;
}

static struct ft_lua_node *goto_statement(struct parser *p)
{
    fail_at(p, p->now.at, p->now.len, "goto and labels are not allowed", NULL);
    return NULL;
}

static struct ft_lua_node *statement(struct parser *p)
{
    switch (p->now.kind) {
    case FT_TOKEN_IF:       return if_statement(p);
    case FT_TOKEN_WHILE:    return while_statement(p);
    case FT_TOKEN_DO:       return do_statement(p);
    case FT_TOKEN_FOR:      return for_statement(p);
    case FT_TOKEN_REPEAT:   return repeat_statement(p);
    case FT_TOKEN_FUNCTION: return function_statement(p);
    case FT_TOKEN_LOCAL:    return local_statement(p);
    case FT_TOKEN_RETURN:   return return_statement(p);
    case FT_TOKEN_BREAK:    return break_statement(p);
    case FT_TOKEN_GOTO:
    case FT_TOKEN_LABEL:    return goto_statement(p);
    default:                return expression_statement(p);
    }
}

static bool ends_block(const struct parser *p)
{
    switch (p->now.kind) {
    case FT_TOKEN_END: case FT_TOKEN_IF_END: case FT_TOKEN_ELSE: case FT_TOKEN_ELSEIF: case FT_TOKEN_UNTIL:
        return true;
    default:
        return p->failed;
    }
}

static struct ft_lua_node *block(struct parser *p)
{
    struct ft_lua_node *first = NULL, **last = &first;

    if (enter(p)) {
        while (!ends_block(p)) {
            if (accept(p, ';'))
                continue;
            *last = statement(p);
            if (!*last || (*last)->kind == FT_LUA_RETURN)
                break;
            last = &(*last)->next;
        }
    }
    p->nesting--;
    return first;
}

struct ft_lua_node *ft_lua_parse(struct ft_arena *mem, const char *text, size_t len, bool is_expression, struct ft_lua_mistake *mistake)
{
    struct parser p = { .lexer = { .text = text, .len = len, .mem = mem }, .vararg = true, .mistake = mistake };
    struct ft_lua_node *tree;

    advance(&p);
    tree = is_expression ? expression(&p, 0) : block(&p);
    if (!p.failed && p.now.kind != FT_TOKEN_END)
        fail(&p, is_expression ? "the expression ends before this" : "the block ends before this");
    if (p.failed)
        return NULL;
    return tree ? tree : done(&p, node(&p, FT_LUA_DO, 0));
}
