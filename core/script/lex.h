/* lex.h: Lua 5.4's tokens, each with its place. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/arena.h"

/* Signs of one character are themselves. */
enum ft_token_kind {
    FT_TOKEN_END = 256, FT_TOKEN_WRONG, FT_TOKEN_NAME, FT_TOKEN_STRING, FT_TOKEN_NUMBER,
    FT_TOKEN_EQ, FT_TOKEN_NE, FT_TOKEN_LE, FT_TOKEN_GE, FT_TOKEN_CONCAT, FT_TOKEN_DOTS, FT_TOKEN_SHL, FT_TOKEN_SHR, FT_TOKEN_IDIV, FT_TOKEN_LABEL,
    FT_TOKEN_AND, FT_TOKEN_BREAK, FT_TOKEN_DO, FT_TOKEN_ELSE, FT_TOKEN_ELSEIF, FT_TOKEN_IF_END, FT_TOKEN_FALSE, FT_TOKEN_FOR, FT_TOKEN_FUNCTION,
    FT_TOKEN_GOTO, FT_TOKEN_IF, FT_TOKEN_IN, FT_TOKEN_LOCAL, FT_TOKEN_NIL, FT_TOKEN_NOT, FT_TOKEN_OR, FT_TOKEN_REPEAT, FT_TOKEN_RETURN,
    FT_TOKEN_THEN, FT_TOKEN_TRUE, FT_TOKEN_UNTIL, FT_TOKEN_WHILE,
};

struct ft_token {
    int kind;
    size_t at, len;               /* bytes of the text */
    const char *name;             /* NAME, STRING: what it says, NUL-terminated in the arena */
    size_t name_len;
};

struct ft_lexer {
    const char *text;
    size_t len, at;
    struct ft_arena *mem;
    const char *wrong;            /* after FT_TOKEN_WRONG: why */
};

struct ft_token ft_lex(struct ft_lexer *lexer);
