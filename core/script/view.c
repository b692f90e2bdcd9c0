/* view.c: JSON values as Lua sees them. Objects and lists are userdata that point into the environment; nothing is copied, nothing can be
 * written, and every read is noted with its path. */
#include "script/internal.h"
#include "base/util.h"
#include "data/json.h"

static const char OBJECT[] = "object", LIST[] = "list";

/* The constant null: a light userdata that nothing else can be. */
static const char null_value;

bool ft_is_null(lua_State *L, int index)
{
    return lua_touserdata(L, index) == &null_value;
}

void ft_push_null(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&null_value);
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

void ft_raise_unknown(lua_State *L, const json_t *value, uint32_t read)
{
    struct ft_script *script = ft_script_of(L);

    script->unknown.value = value;
    script->unknown.read = read;
    lua_pushlightuserdata(L, &script->unknown);
    lua_error(L);
    abort();
}

static void push_string(lua_State *L, const json_t *value)
{
    struct ft_ceiling *ceiling = &ft_script_of(L)->ceiling;

    ceiling->from_data = true;
    lua_pushlstring(L, json_string_value(value), json_string_length(value));
    ceiling->from_data = false;
}

static void push_view(lua_State *L, const json_t *value, uint32_t read)
{
    struct ft_view *view;

    if (ft_is_unknown(value))
        ft_raise_unknown(L, value, read);
    view = lua_newuserdatauv(L, sizeof(*view), 0);
    *view = (struct ft_view){ .value = value, .evaluation = ft_script_of(L)->evaluation, .read = read };
    luaL_setmetatable(L, json_is_object(value) ? OBJECT : LIST);
}

void ft_push_json(lua_State *L, const json_t *value, uint32_t read)
{
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_NULL:    lua_pushnil(L); return;
    case JSON_TRUE:    lua_pushboolean(L, true); return;
    case JSON_FALSE:   lua_pushboolean(L, false); return;
    case JSON_INTEGER: lua_pushinteger(L, json_integer_value(value)); return;
    case JSON_REAL:    lua_pushnumber(L, json_real_value(value)); return;
    case JSON_STRING:  push_string(L, value); return;
    case JSON_OBJECT:
    case JSON_ARRAY:   push_view(L, value, read); return;
    }
}

struct ft_view *ft_view_to(lua_State *L, int index)
{
    struct ft_view *view;

    if (lua_type(L, index) != LUA_TUSERDATA)
        return NULL;
    view = lua_touserdata(L, index);
    if (view->evaluation != ft_script_of(L)->evaluation)
        luaL_error(L, "a value of an earlier evaluation was kept");
    return view;
}

static void push_member(lua_State *L, const struct ft_view *view, const char *key, size_t len)
{
    const json_t *value = json_object_getn(view->value, key, len);

    ft_push_json(L, value, ft_reads_member(&ft_script_of(L)->reads, view->read, key, len, value));
}

/* number: from 1; one past the end and further is nil, as in any Lua list. */
static void push_item(lua_State *L, const struct ft_view *view, lua_Integer number)
{
    const json_t *value = json_array_get(view->value, (size_t)number - 1);

    ft_push_json(L, value, ft_reads_item(&ft_script_of(L)->reads, view->read, (size_t)number, value));
}

void ft_view_field(lua_State *L, const struct ft_view *view, int key)
{
    size_t len;
    int is_integer;
    lua_Integer number;

    if (json_is_object(view->value)) {
        if (lua_type(L, key) != LUA_TSTRING)
            luaL_error(L, "an object has named members, and was indexed with %s", ft_value_word(L, key));
        key = lua_absindex(L, key);
        push_member(L, view, lua_tolstring(L, key, NULL), lua_rawlen(L, key));
        return;
    }
    if (lua_type(L, key) == LUA_TSTRING)
        luaL_error(L, "a list has numbered members, and was asked for '%s'", lua_tolstring(L, key, &len));
    number = lua_type(L, key) == LUA_TNUMBER ? lua_tointegerx(L, key, &is_integer) : (is_integer = 0);
    if (!is_integer || number < 1)
        luaL_error(L, "a list has members from 1 on, and was indexed with %s",
                   is_integer ? lua_tolstring(L, key, NULL) : ft_value_word(L, key));
    push_item(L, view, number);
}

size_t ft_view_count(lua_State *L, const struct ft_view *view)
{
    size_t count = json_array_size(view->value);

    ft_reads_count(&ft_script_of(L)->reads, view->read, count);
    return count;
}

/* ---- What Lua calls ---------------------------------------------------------------------------------------------- */

static int view_index(lua_State *L)
{
    ft_view_field(L, ft_view_to(L, 1), 2);
    return 1;
}

static int view_assign(lua_State *L)
{
    if (lua_type(L, 2) == LUA_TSTRING)
        return luaL_error(L, "values are read-only: cannot set '%s'", lua_tostring(L, 2));
    return luaL_error(L, "values are read-only");
}

static int view_length(lua_State *L)
{
    const struct ft_view *view = ft_view_to(L, 1);

    if (!json_is_array(view->value))
        return luaL_error(L, "an object has no length");
    lua_pushinteger(L, (lua_Integer)ft_view_count(L, view));
    return 1;
}

/* Two views of one value: Lua would compare the userdata, of which every read makes a new one. */
static int view_equal(lua_State *L)
{
    const struct ft_view *a = ft_view_to(L, 1), *b = ft_view_to(L, 2);

    lua_pushboolean(L, a && b && a->value == b->value);
    return 1;
}

static int library_index(lua_State *L)
{
    if (!ft_library_push(ft_script_of(L), luaL_checkstring(L, 2)))
        lua_pushnil(L);
    return 1;
}

/* The environment: the code's names first, then libraries and helper modules. */
static int name_index(lua_State *L)
{
    struct ft_script *script = ft_script_of(L);
    size_t len;
    const char *name = luaL_checklstring(L, 2, &len);
    const json_t *value = json_object_getn(script->env, name, len);

    if (value) {
        ft_push_json(L, value, ft_reads_name(&script->reads, name, len, value));
        return 1;
    }
    if (ft_library_push(script, name))
        return 1;
    ft_reads_name(&script->reads, name, len, NULL);
    lua_pushnil(L);
    return 1;
}

static int name_assign(lua_State *L)
{
    return luaL_error(L, "names are read-only: cannot set '%s'", luaL_checkstring(L, 2));
}

/* ---- Iterating --------------------------------------------------------------------------------------------------- */

static int next_of_list(lua_State *L, const struct ft_view *view)
{
    lua_Integer number = lua_isnil(L, 2) ? 1 : luaL_checkinteger(L, 2) + 1;

    if (number < 1 || (size_t)number > json_array_size(view->value)) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, number);
    push_item(L, view, number);
    return 2;
}

static int next_of_object(lua_State *L, const struct ft_view *view)
{
    json_t *object = (json_t *)view->value;          /* jansson's iterators take no const */
    void *at;

    if (lua_isnil(L, 2))
        at = json_object_iter(object);
    else
        at = json_object_iter_next(object, json_object_iter_at(object, luaL_checkstring(L, 2)));
    if (!at) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushlstring(L, json_object_iter_key(at), json_object_iter_key_len(at));
    push_member(L, view, json_object_iter_key(at), json_object_iter_key_len(at));
    return 2;
}

int ft_next(lua_State *L)
{
    const struct ft_view *view = ft_view_to(L, 1);

    lua_settop(L, 2);
    if (view)
        return json_is_array(view->value) ? next_of_list(L, view) : next_of_object(L, view);
    if (!lua_istable(L, 1))
        ft_type_error(L, 1, "an object or a list");
    if (lua_next(L, 1))
        return 2;
    lua_pushnil(L);
    return 1;
}

static int compare_bytes(lua_State *L, int a, int b)
{
    size_t a_len, b_len;
    const char *a_text = lua_tolstring(L, a, &a_len), *b_text = lua_tolstring(L, b, &b_len);
    int order = memcmp(a_text, b_text, ft_min(a_len, b_len));

    return order ? order : (a_len > b_len) - (a_len < b_len);
}

/* Numbers, then strings by their bytes; the rest as it comes. */
static int sort_keys(lua_State *L)
{
    int a = lua_type(L, 1), b = lua_type(L, 2);

    if (a == LUA_TNUMBER && b == LUA_TNUMBER)
        lua_pushboolean(L, lua_compare(L, 1, 2, LUA_OPLT));
    else if (a == LUA_TSTRING && b == LUA_TSTRING)
        lua_pushboolean(L, compare_bytes(L, 1, 2) < 0);
    else
        lua_pushboolean(L, (a == LUA_TNUMBER) > (b == LUA_TNUMBER) || (a == LUA_TSTRING && b != LUA_TNUMBER && b != LUA_TSTRING));
    return 1;
}

/* upvalues: the table, its sorted keys, how many were given */
static int next_sorted(lua_State *L)
{
    lua_Integer at = lua_tointeger(L, lua_upvalueindex(3));

    for (;;) {
        if (lua_rawgeti(L, lua_upvalueindex(2), ++at) == LUA_TNIL)
            return 1;
        lua_pushvalue(L, -1);
        if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
            break;
        lua_pop(L, 2);                               /* taken out on the way */
    }
    lua_pushinteger(L, at);
    lua_replace(L, lua_upvalueindex(3));
    return 2;
}

static int next_item(lua_State *L)
{
    const struct ft_view *view = ft_view_to(L, 1);

    if (view)
        return next_of_list(L, view);                /* null members do not end it */
    lua_pushinteger(L, luaL_checkinteger(L, 2) + 1);
    return lua_geti(L, 1, lua_tointeger(L, -1)) == LUA_TNIL ? 1 : 2;
}

static int iterate_items(lua_State *L)
{
    lua_pushcfunction(L, next_item);
    lua_pushvalue(L, 1);
    if (lua_istable(L, 1))
        lua_pushinteger(L, 0);
    else
        lua_pushnil(L);
    return 3;
}

/* Pushes a list of the table's keys. Whether they are 1..n. */
static bool push_keys(lua_State *L, int table)
{
    lua_Integer count = 0, most = 0;
    bool numbers = true;

    lua_newtable(L);
    for (lua_pushnil(L); lua_next(L, table); ) {
        lua_pop(L, 1);
        numbers = numbers && lua_isinteger(L, -1) && lua_tointeger(L, -1) > 0;
        most = numbers ? ft_max(most, lua_tointeger(L, -1)) : 0;
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, ++count);
    }
    ft_ceiling_spend(L, (uint64_t)count);
    return numbers && most == count;
}

static void sort_list(lua_State *L)
{
    ft_ceiling_spend(L, lua_rawlen(L, -1) * 8);
    lua_rawgeti(L, LUA_REGISTRYINDEX, ft_script_of(L)->sort);
    lua_pushvalue(L, -2);
    lua_pushcfunction(L, sort_keys);
    lua_call(L, 2, 0);
}

void ft_push_sorted_keys(lua_State *L, int table)
{
    push_keys(L, table);
    sort_list(L);
}

/* Lua's own order of a table's names changes from process to process; a playbook's must not. */
static int pairs_of_table(lua_State *L)
{
    if (push_keys(L, 1))
        return iterate_items(L);
    sort_list(L);
    lua_pushvalue(L, 1);
    lua_insert(L, -2);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, next_sorted, 3);
    return 1;
}

int ft_pairs(lua_State *L)
{
    lua_settop(L, 1);
    if (lua_istable(L, 1))
        return pairs_of_table(L);
    if (!ft_view_to(L, 1))
        ft_type_error(L, 1, "an object or a list");
    lua_pushcfunction(L, ft_next);
    lua_insert(L, 1);
    return 2;
}

int ft_ipairs(lua_State *L)
{
    const struct ft_view *view = ft_view_to(L, 1);

    if (view ? !json_is_array(view->value) : !lua_istable(L, 1))
        ft_type_error(L, 1, "a list");
    return iterate_items(L);
}

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

/* An environment: a table that stays empty. */
static void push_names(lua_State *L, lua_CFunction index)
{
    lua_newtable(L);
    lua_newtable(L);
    lua_pushcfunction(L, index);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, name_assign);
    lua_setfield(L, -2, "__newindex");
    lua_setmetatable(L, -2);
}

void ft_views_open(lua_State *L)
{
    static const luaL_Reg view[] = {
        { "__index", view_index }, { "__newindex", view_assign }, { "__len", view_length }, { "__eq", view_equal }, { NULL, NULL },
    };
    const char *const kinds[] = { OBJECT, LIST };

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        luaL_newmetatable(L, kinds[i]);              /* its name is what Lua's own messages call such a value */
        luaL_setfuncs(L, view, 0);
        lua_pop(L, 1);
    }
    push_names(L, library_index);
    ft_script_of(L)->module_names = luaL_ref(L, LUA_REGISTRYINDEX);
    push_names(L, name_index);
    lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);       /* what lua_load gives to new code */
}
