/* ceiling.h: how much one evaluation may do. Counted work rather than time, so that the answer does not depend on the machine's load. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <lua.h>

struct ft_ceiling {
    uint64_t instructions;            /* allowed to one evaluation */
    size_t bytes;
    bool on;                          /* an evaluation is going on */
    uint64_t steps_left;
    size_t used, limit;               /* bytes: now, and most */
    uint64_t moved;                   /* bytes allocated since the start, freed or not: copying is work too */
    unsigned refusals;
    bool from_data;                   /* a string that the environment holds is being pushed */
    enum { FT_WITHIN, FT_TOO_MUCH_MEMORY, FT_TOO_MUCH_COPYING, FT_TOO_LONG_STRING } hit;
    uint64_t cpu_ns;                  /* of this thread when the first instructions were counted */
};

void *ft_ceiling_alloc(void *ud, void *ptr, size_t osize, size_t nsize);     /* a lua_Alloc; ud: the ceiling */
void ft_ceiling_start(lua_State *L, struct ft_ceiling *ceiling);
void ft_ceiling_stop(lua_State *L, struct ft_ceiling *ceiling);
/* Work that one instruction does outside of Lua's count; raises when there was too much. */
void ft_ceiling_spend(lua_State *L, uint64_t steps);
void ft_ceiling_too_long(lua_State *L) __attribute__((noreturn));
/* Why Lua said "not enough memory". */
const char *ft_ceiling_reason(const struct ft_ceiling *ceiling, char *buf, size_t len);
