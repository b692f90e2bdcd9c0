/* tables.c: Lua's table library, with the work of each call counted. table.move is left out: it can run for ever on nothing. */
#include <lualib.h>
#include "script/internal.h"
#include "base/util.h"

static size_t count_of(lua_State *L, int index)
{
    const struct ft_view *view = ft_view_to(L, index);

    return view ? json_array_size(view->value) : lua_rawlen(L, index);
}

/* upvalue: Lua's function, run in this very call so that its messages name it rightly */
static int lua_own(lua_State *L)
{
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

static int table_concat(lua_State *L)
{
    int results;

    ft_ceiling_spend(L, count_of(L, 1));
    results = lua_own(L);
    ft_ceiling_spend(L, lua_rawlen(L, -1) / 16);
    return results;
}

static int table_shift(lua_State *L)
{
    bool in_the_middle = lua_gettop(L) == 3 || (lua_gettop(L) == 2 && lua_toboolean(L, lua_upvalueindex(2)));

    ft_ceiling_spend(L, in_the_middle ? count_of(L, 1) : 1);
    return lua_own(L);
}

static int table_sort(lua_State *L)
{
    ft_ceiling_spend(L, count_of(L, 1) * 8);
    return lua_own(L);
}

static int table_unpack(lua_State *L)
{
    lua_Integer first = luaL_optinteger(L, 2, 1), last;

    if (lua_type(L, 1) != LUA_TTABLE && !ft_view_to(L, 1))
        ft_type_error(L, 1, "a list");
    last = luaL_optinteger(L, 3, (lua_Integer)count_of(L, 1));
    if (last >= first)
        ft_ceiling_spend(L, (uint64_t)last - (uint64_t)first);
    return lua_own(L);
}

void ft_tables_open(lua_State *L)
{
    static const struct { const char *name; lua_CFunction func; bool removes; } ours[] = {
        { "concat", table_concat }, { "insert", table_shift, false }, { "remove", table_shift, true },
        { "sort", table_sort }, { "unpack", table_unpack },
    };

    lua_pushcfunction(L, luaopen_table);
    lua_call(L, 0, 1);
    lua_getfield(L, -1, "sort");
    ft_script_of(L)->sort = luaL_ref(L, LUA_REGISTRYINDEX);
    for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
        lua_getfield(L, -1, ours[i].name);
        lua_pushboolean(L, ours[i].removes);
        lua_pushcclosure(L, ours[i].func, 2);
        lua_setfield(L, -2, ours[i].name);
    }
    lua_pushnil(L);
    lua_setfield(L, -2, "move");
}
