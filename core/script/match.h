/* match.h: Lua's patterns (%d+, [^,]*, %b(), captures) matched with every step counted. Lua's own matcher may look at n bytes n^k times
 * within one instruction of its count hook; this one stops when its allowance is used up. Classes are ASCII whatever the locale is. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FT_LUA_PATTERN_MAX = 256, FT_CAPTURES_MAX = 32 };

struct ft_lua_item {
    enum { FT_ITEM_SET, FT_ITEM_OPEN, FT_ITEM_OPEN_POSITION, FT_ITEM_CLOSE, FT_ITEM_BACK, FT_ITEM_BALANCED, FT_ITEM_FRONTIER,
           FT_ITEM_AT_END, FT_ITEM_DONE } kind;
    char repeat;                  /* of a set: 0, '*', '+', '-', '?' */
    unsigned char from, to;       /* balanced: the two characters; open, close, back: the capture's number from 0 in `from` */
    uint64_t set[4];              /* which of the 256 bytes */
};

struct ft_lua_pattern {
    struct ft_lua_item items[FT_LUA_PATTERN_MAX + 1];
    unsigned captures;
    bool anchored;                /* began with ^ */
};

/* NULL, or one sentence that says what is wrong with the pattern. */
const char *ft_lua_pattern_read(struct ft_lua_pattern *pattern, const char *text, size_t len);

struct ft_match {
    const char *subject;
    size_t len;
    uint64_t *steps_left;
    bool out_of_steps;
    size_t start, end;
    struct { size_t start, end; bool position; } captures[FT_CAPTURES_MAX];
};

/* Whether the pattern matches at exactly `start`; sets match->start, end and captures. match->out_of_steps: no answer. */
bool ft_lua_pattern_match(const struct ft_lua_pattern *pattern, struct ft_match *match, size_t start);
