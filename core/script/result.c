/* result.c: what code returns, as JSON. Views pass as they are; tables are copied: keys 1..n make a list, names an object. */
#include <math.h>
#include "script/internal.h"
#include "base/util.h"

enum {
    DEPTH_MAX = 64,
    VALUES_MAX = 1 << 20,         /* in all, so that a table that holds itself many times over stays small */
    BYTES_MAX = 16 << 20,
};
static const char MADE_LIST[] = "made list";

struct building {
    size_t values_left, bytes_left;
    unsigned depth;
};

void ft_mark_list(lua_State *L)
{
    luaL_newmetatable(L, MADE_LIST);
    lua_setmetatable(L, -2);
}

static bool is_marked_list(lua_State *L, int index)
{
    bool marked;

    if (!lua_getmetatable(L, index))
        return false;
    luaL_getmetatable(L, MADE_LIST);
    marked = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return marked;
}

static void charge(lua_State *L, struct building *b, size_t values, size_t bytes)
{
    if (values > b->values_left || bytes > b->bytes_left)
        luaL_error(L, "the result is larger than a million values or 16 MiB");
    b->values_left -= values;
    b->bytes_left -= bytes;
}

/* A view inside a table may stand there a thousand times: it counts with all that is in it. */
static void charge_all(lua_State *L, struct building *b, const json_t *value)
{
    size_t bytes = json_string_length(value);
    const char *key;
    json_t *member;
    size_t i;

    json_object_foreach((json_t *)value, key, member) {
        bytes += strlen(key);
        charge_all(L, b, member);
    }
    json_array_foreach(value, i, member)
        charge_all(L, b, member);
    charge(L, b, 1, bytes);
}

/* ---- Tables ------------------------------------------------------------------------------------------------------ */

struct shape { lua_Integer count, most; bool names, numbers; };

static struct shape look_at_keys(lua_State *L, int table)
{
    struct shape shape = { 0 };

    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
        shape.count++;
        if (lua_type(L, -2) == LUA_TSTRING) {
            shape.names = true;
            continue;
        }
        if (!lua_isinteger(L, -2) || lua_tointeger(L, -2) < 1)
            luaL_error(L, "the result has a table with %s as a key: keys are names or 1, 2, 3 …", ft_value_word(L, -2));
        shape.numbers = true;
        shape.most = ft_max(shape.most, lua_tointeger(L, -2));
    }
    if (shape.names && shape.numbers)
        luaL_error(L, "the result has a table with both names and numbers as keys");
    if (shape.most > shape.count)
        luaL_error(L, "the result has a list with gaps: write null for a member that is empty");
    return shape;
}

/* ---- Values ------------------------------------------------------------------------------------------------------ */

static json_t *number_of(lua_State *L, int index)
{
    lua_Number number = lua_tonumber(L, index);

    if (lua_isinteger(L, index))
        return json_integer(lua_tointeger(L, index));
    if (!isfinite(number))
        luaL_error(L, "the result is not a number: %s", isnan(number) ? "0/0 or the like" : "it is infinite");
    return json_real(number);
}

static json_t *string_of(lua_State *L, struct building *b, int index)
{
    size_t len = lua_rawlen(L, index);
    json_t *string;

    charge(L, b, 0, len);
    string = json_stringn(lua_tostring(L, index), len);
    if (!string)
        luaL_error(L, "the result has a string that is not UTF-8");
    return string;
}

static json_t *view_of(lua_State *L, struct building *b, int index)
{
    const struct ft_view *view = ft_view_to(L, index);

    if (b->depth > 0)
        charge_all(L, b, view->value);
    return json_incref((json_t *)view->value);
}

/* New reference. A table's members are left to fill(): what is made hangs in the result first, so that an error on the way leaks nothing. */
static json_t *begin(lua_State *L, struct building *b, int index)
{
    charge(L, b, 1, 0);
    switch (lua_type(L, index)) {
    case LUA_TNIL:      return json_null();
    case LUA_TBOOLEAN:  return json_boolean(lua_toboolean(L, index));
    case LUA_TNUMBER:   return number_of(L, index);
    case LUA_TSTRING:   return string_of(L, b, index);
    case LUA_TUSERDATA: return view_of(L, b, index);
    case LUA_TTABLE:    return look_at_keys(L, index).numbers || is_marked_list(L, index) ? json_array() : json_object();
    case LUA_TLIGHTUSERDATA:
        if (ft_is_null(L, index))
            return json_null();
    }
    luaL_error(L, b->depth ? "the result has %s in it" : "the result is %s", ft_value_word(L, index));
    return NULL;
}

static void fill(lua_State *L, struct building *b, int table, json_t *into);

/* The member on top of the stack. */
static void fill_member(lua_State *L, struct building *b, json_t *member)
{
    if (lua_istable(L, -1))
        fill(L, b, lua_gettop(L), member);
    lua_pop(L, 1);
}

static void fill_list(lua_State *L, struct building *b, int table, json_t *list)
{
    size_t count = lua_rawlen(L, table);

    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, table, (lua_Integer)i);
        json_array_append_new(list, begin(L, b, lua_gettop(L)));
        fill_member(L, b, json_array_get(list, i - 1));
    }
}

/* Names in the order of their bytes: the same result is the same text, in every process. */
static void fill_object(lua_State *L, struct building *b, int table, json_t *object)
{
    ft_push_sorted_keys(L, table);
    for (lua_Integer i = 1; lua_rawgeti(L, -1, i) == LUA_TSTRING; i++) {
        size_t len;
        const char *name = lua_tolstring(L, -1, &len);
        json_t *member;

        charge(L, b, 0, len);
        lua_pushvalue(L, -1);
        lua_rawget(L, table);
        member = begin(L, b, lua_gettop(L));
        if (json_object_setn_new(object, name, len, member) < 0)
            luaL_error(L, "the result has a name that is not UTF-8");
        fill_member(L, b, member);
        lua_pop(L, 1);
    }
    lua_pop(L, 2);                                   /* the nil at the end, the keys */
}

static void fill(lua_State *L, struct building *b, int table, json_t *into)
{
    luaL_checkstack(L, 8, "the result is nested too deeply");
    if (++b->depth > DEPTH_MAX)
        luaL_error(L, "the result is nested more than %d deep", DEPTH_MAX);
    if (json_is_array(into))
        fill_list(L, b, table, into);
    else
        fill_object(L, b, table, into);
    b->depth--;
}

void ft_result_take(lua_State *L, int index)
{
    struct ft_script *script = ft_script_of(L);
    struct building b = { .values_left = VALUES_MAX, .bytes_left = BYTES_MAX };

    script->result = begin(L, &b, index);
    if (lua_istable(L, index))
        fill(L, &b, index, script->result);
}
