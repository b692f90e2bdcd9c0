/* parse.h: the text of a condition or a block as a tree, with every name resolved to the local variable it means or to the environment. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/arena.h"

enum ft_lua_kind {
    /* expressions */
    FT_LUA_NIL, FT_LUA_TRUE, FT_LUA_FALSE, FT_LUA_NUMBER, FT_LUA_STRING, FT_LUA_DOTS,
    FT_LUA_FUNCTION,       /* first: the body's statements */
    FT_LUA_LOCAL,          /* variable */
    FT_LUA_NAME,           /* text: a name of the environment */
    FT_LUA_INDEX,          /* a[b]; b is a STRING for a.field */
    FT_LUA_CALL,           /* a(first …) */
    FT_LUA_METHOD,         /* a:text(first …) */
    FT_LUA_TABLE,          /* first: FIELDs */
    FT_LUA_FIELD,          /* a: the key, or NULL in a list; b: the value */
    FT_LUA_UNARY,          /* op a */
    FT_LUA_BINARY,         /* a op b */
    FT_LUA_PAREN,          /* (a) */
    /* statements */
    FT_LUA_DECLARE,        /* local: variables; first: the values */
    FT_LUA_ASSIGN,         /* targets: first …; values: second … */
    FT_LUA_DO,             /* first: statements */
    FT_LUA_WHILE,          /* a: condition; first */
    FT_LUA_REPEAT,         /* first; a: condition */
    FT_LUA_IF,             /* a: condition; first; second: what else holds, an IF or a DO */
    FT_LUA_FOR,            /* variables; first: start, limit, step; second: the body */
    FT_LUA_FOR_IN,         /* variables; first: the explist; second: the body */
    FT_LUA_RETURN,         /* first … */
    FT_LUA_BREAK,
};

struct ft_lua_variable {
    const char *name;
    bool assigned;                          /* somewhere after its declaration: its type is not that of its first value */
    bool constant;                          /* <const>, <close> */
    struct ft_lua_variable *next;           /* of the same declaration */
    const void *type;                       /* the check's */
};

struct ft_lua_node {
    enum ft_lua_kind kind;
    int op;                                 /* of UNARY, BINARY: the token's kind */
    size_t at, end;                         /* bytes of the text */
    size_t said_end;                        /* a call without its arguments: what a caret shows */
    unsigned depth;
    const char *text;
    size_t text_len;
    struct ft_lua_node *a, *b, *first, *second, *next;
    struct ft_lua_variable *variables;      /* LOCAL: the one */
};

struct ft_lua_mistake { size_t at, len; const char *text, *hint; };

/* The tree: one expression, or the statements of a block (linked by next). NULL: *mistake says the first thing that is wrong.
 * Memory is the arena's. Time and depth are bounded whatever the text is. */
struct ft_lua_node *ft_lua_parse(struct ft_arena *mem, const char *text, size_t len, bool expression, struct ft_lua_mistake *mistake);
