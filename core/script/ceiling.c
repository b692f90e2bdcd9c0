#include "script/ceiling.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <lauxlib.h>
#include "base/util.h"
#include "script/internal.h"

enum {
    STRING_MAX = 1 << 20,     /* of strings that code makes: comparing two is one instruction */
    COPIES_MAX = 32,          /* times the memory allowed: what may be allocated in all */
    REFUSALS_MAX = 8,         /* each makes Lua collect its garbage, all of it, and try again */
    TICK = 1000,              /* instructions between two looks */
};
static const uint64_t CPU_MAX_NS = 2000000000;     /* for what no count foresaw, such as comparing long strings for ever */

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

static bool refuse(struct ft_ceiling *ceiling, int why)
{
    ceiling->hit = why;
    return false;
}

static bool may_grow(struct ft_ceiling *ceiling, size_t had, size_t wanted, bool new_string)
{
    if (ceiling->hit)
        return false;
    if (new_string && wanted > STRING_MAX && !ceiling->from_data)
        return refuse(ceiling, FT_TOO_LONG_STRING);
    if (wanted - had > ceiling->limit - ft_min(ceiling->used, ceiling->limit))
        return ++ceiling->refusals < REFUSALS_MAX ? false : refuse(ceiling, FT_TOO_MUCH_MEMORY);
    ceiling->moved += wanted;
    if (ceiling->moved / COPIES_MAX > ceiling->bytes)
        return refuse(ceiling, FT_TOO_MUCH_COPYING);
    return true;
}

void *ft_ceiling_alloc(void *ud, void *ptr, size_t osize, size_t nsize)
{
    struct ft_ceiling *ceiling = ud;
    size_t had = ptr ? osize : 0;           /* for a new block osize is a type, not a size */
    void *p;

    if (nsize == 0) {
        free(ptr);
        ceiling->used -= had;
        return NULL;
    }
    if (ceiling->on && nsize > had && !may_grow(ceiling, had, nsize, !ptr && osize == LUA_TSTRING))
        return NULL;
    p = realloc(ptr, nsize);
    if (p)
        ceiling->used = ceiling->used - had + nsize;
    return p;
}

const char *ft_ceiling_reason(const struct ft_ceiling *ceiling, char *buf, size_t len)
{
    double mib = (double)ceiling->bytes / (1 << 20);

    if (ceiling->hit == FT_TOO_LONG_STRING)
        snprintf(buf, len, "it makes a string of more than 1 MiB");
    else if (ceiling->hit == FT_TOO_MUCH_COPYING)
        snprintf(buf, len, "it copies more than %.4g MiB in all", mib * COPIES_MAX);
    else
        snprintf(buf, len, "it needs more than %.4g MiB of memory", mib);
    return buf;
}

/* ---- Instructions ------------------------------------------------------------------------------------------------ */

void ft_ceiling_too_long(lua_State *L)
{
    struct ft_ceiling *ceiling = &ft_script_of(L)->ceiling;

    ceiling->steps_left = 0;
    luaL_error(L, "it ran for more than %I instructions", (LUAI_UACINT)ceiling->instructions);
    abort();
}

void ft_ceiling_spend(lua_State *L, uint64_t steps)
{
    struct ft_ceiling *ceiling = &ft_script_of(L)->ceiling;

    if (steps > ceiling->steps_left)
        ft_ceiling_too_long(L);
    ceiling->steps_left -= steps;
}

static uint64_t thread_cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void tick(lua_State *L, lua_Debug *ar)
{
    struct ft_ceiling *ceiling = &ft_script_of(L)->ceiling;
    uint64_t now = thread_cpu_ns();

    (void)ar;
    if (!ceiling->cpu_ns)
        ceiling->cpu_ns = now;
    else if (now - ceiling->cpu_ns > CPU_MAX_NS)
        luaL_error(L, "it ran for more than 2 seconds");
    ft_ceiling_spend(L, ft_min((uint64_t)TICK, ceiling->instructions));
}

void ft_ceiling_start(lua_State *L, struct ft_ceiling *ceiling)
{
    ceiling->steps_left = ceiling->instructions;
    ceiling->limit = ceiling->used + ceiling->bytes;
    ceiling->moved = ceiling->cpu_ns = 0;
    ceiling->refusals = 0;
    ceiling->from_data = false;
    ceiling->hit = FT_WITHIN;
    lua_sethook(L, tick, LUA_MASKCOUNT, (int)ft_min((uint64_t)TICK, ceiling->instructions));
    ceiling->on = true;
}

void ft_ceiling_stop(lua_State *L, struct ft_ceiling *ceiling)
{
    ceiling->on = false;
    ceiling->steps_left = UINT64_MAX;
    if (ceiling->moved > ceiling->bytes / 4)       /* leave no large heap behind for the next one to start from */
        lua_gc(L, LUA_GCCOLLECT);
}
