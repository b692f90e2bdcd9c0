/* library.c: what code may call: a few of Lua's own functions, ours, and the helper modules of lua/. */
#include <dirent.h>
#include <lualib.h>
#include "script/internal.h"
#include "base/text.h"
#include "base/util.h"
#include "data/json.h"

enum { BRIEF = 200, MODULE_MAX_BYTES = 1 << 18 };

/* ---- Words ------------------------------------------------------------------------------------------------------- */

const char *ft_value_word(lua_State *L, int index)
{
    const struct ft_view *view = ft_view_to(L, index);

    if (view)
        return json_is_array(view->value) ? "a list" : "an object";
    switch (lua_type(L, index)) {
    case LUA_TNIL:           return "nil";
    case LUA_TBOOLEAN:       return lua_toboolean(L, index) ? "true" : "false";
    case LUA_TNUMBER:        return "a number";
    case LUA_TSTRING:        return "a string";
    case LUA_TTABLE:         return "a table";
    case LUA_TLIGHTUSERDATA: return "null";
    default:                 return "a function";
    }
}

void ft_type_error(lua_State *L, int arg, const char *wanted)
{
    lua_Debug ar;
    const char *name = "the function";

    if (lua_getstack(L, 0, &ar) && lua_getinfo(L, "n", &ar) && ar.name)
        name = ar.name;
    luaL_error(L, "%s needs %s, and was given %s", name, wanted, ft_value_word(L, arg));
    abort();
}

static size_t values_in(const json_t *value)
{
    size_t count = 1, i;
    const char *key;
    json_t *member;

    json_object_foreach((json_t *)value, key, member)
        count += values_in(member);
    json_array_foreach(value, i, member)
        count += values_in(member);
    return count;
}

static void push_brief(lua_State *L, const struct ft_view *view)
{
    char text[BRIEF * 8 + 128], *brief;

    ft_ceiling_spend(L, values_in(view->value));
    if (ft_has_unknown(view->value))
        ft_raise_unknown(L, view->value, view->read);
    brief = ft_json_brief(view->value, BRIEF);
    snprintf(text, sizeof(text), "%s", brief);
    free(brief);                                     /* before the push, which may raise */
    lua_pushstring(L, text);
}

void ft_push_text(lua_State *L, int index)
{
    const struct ft_view *view = ft_view_to(L, index);
    int type = lua_type(L, index);

    if (view)
        push_brief(L, view);
    else if (type == LUA_TTABLE || type == LUA_TFUNCTION || type == LUA_TLIGHTUSERDATA)
        lua_pushstring(L, ft_value_word(L, index));
    else
        luaL_tolstring(L, index, NULL);
}

/* ---- Functions --------------------------------------------------------------------------------------------------- */

static int base_tostring(lua_State *L)
{
    luaL_checkany(L, 1);
    ft_push_text(L, 1);
    return 1;
}

static int base_type(lua_State *L)
{
    luaL_checkany(L, 1);
    if (ft_view_to(L, 1))
        lua_pushliteral(L, "table");
    else if (ft_is_null(L, 1))
        lua_pushliteral(L, "null");
    else
        lua_pushstring(L, luaL_typename(L, 1));
    return 1;
}

/* has(object, "key"): also when its value is null. */
static int base_has(lua_State *L)
{
    const struct ft_view *view = ft_view_to(L, 1);
    size_t len;
    const char *key = luaL_checklstring(L, 2, &len);

    if (view && json_is_object(view->value)) {
        const json_t *value = json_object_getn(view->value, key, len);

        ft_reads_member(&ft_script_of(L)->reads, view->read, key, len, value);
        lua_pushboolean(L, value != NULL);
    } else if (lua_istable(L, 1)) {
        lua_pushvalue(L, 2);
        lua_pushboolean(L, lua_rawget(L, 1) != LUA_TNIL);
    } else {
        ft_type_error(L, 1, "an object");
    }
    return 1;
}

static int base_contains(lua_State *L)
{
    const struct ft_view *view = ft_view_to(L, 1);
    size_t count;
    bool found = false;

    luaL_checkany(L, 2);
    if (view ? !json_is_array(view->value) : !lua_istable(L, 1))
        ft_type_error(L, 1, "a list");
    count = view ? json_array_size(view->value) : lua_rawlen(L, 1);
    ft_ceiling_spend(L, count);
    for (size_t i = 0; i < count && !found; i++) {
        if (view)
            ft_push_json(L, json_array_get(view->value, i), view->read);
        else
            lua_rawgeti(L, 1, (lua_Integer)i + 1);
        found = lua_compare(L, -1, 2, LUA_OPEQ);
        lua_pop(L, 1);
    }
    lua_pushboolean(L, found);
    return 1;
}

static void copy_list(lua_State *L, const struct ft_view *view)
{
    size_t count = ft_view_count(L, view);

    ft_ceiling_spend(L, count);
    lua_createtable(L, (int)ft_min(count, (size_t)INT32_MAX), 0);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(view->value, i);

        if (json_is_null(item))
            ft_push_null(L);
        else
            ft_push_json(L, item, ft_reads_item(&ft_script_of(L)->reads, view->read, i + 1, item));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

/* list{…}: a table that is a list also when it is empty. list(view): a copy that can be sorted. */
static int base_list(lua_State *L)
{
    const struct ft_view *view;

    lua_settop(L, 1);
    if (lua_isnil(L, 1)) {
        lua_newtable(L);
        lua_replace(L, 1);
    }
    view = ft_view_to(L, 1);
    if (view ? !json_is_array(view->value) : !lua_istable(L, 1))
        ft_type_error(L, 1, "a list");
    if (view)
        copy_list(L, view);
    ft_mark_list(L);
    return 1;
}

/* A call whose time grows with its strings. upvalue: Lua's function, run in this very call so that its messages name it rightly */
static int spend_then_call(lua_State *L)
{
    for (int i = 1; i <= lua_gettop(L); i++)
        if (lua_type(L, i) == LUA_TSTRING)
            ft_ceiling_spend(L, lua_rawlen(L, i) / 16);
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

/* ---- Read-only libraries ----------------------------------------------------------------------------------------- */

static int refuse_assignment(lua_State *L)
{
    return luaL_error(L, "%s is read-only", lua_tostring(L, lua_upvalueindex(1)));
}

void ft_read_only(lua_State *L, const char *what)
{
    lua_newtable(L);                                 /* the proxy */
    lua_newtable(L);                                 /* its metatable */
    lua_rotate(L, -3, -1);
    lua_setfield(L, -2, "__index");
    lua_pushstring(L, what);
    lua_pushcclosure(L, refuse_assignment, 1);
    lua_setfield(L, -2, "__newindex");
    lua_setmetatable(L, -2);
}

/* Takes the table on top. */
static void add_library(lua_State *L, int libraries, const char *name)
{
    ft_read_only(L, name);
    lua_setfield(L, libraries, name);
}

static void open_math(lua_State *L)
{
    lua_pushcfunction(L, luaopen_math);
    lua_call(L, 0, 1);
    lua_pushnil(L);
    lua_setfield(L, -2, "random");                   /* the same question has the same answer */
    lua_pushnil(L);
    lua_setfield(L, -2, "randomseed");
}

static void open_utf8(lua_State *L)
{
    static const char *const slow[] = { "codepoint", "len", "offset" };

    lua_pushcfunction(L, luaopen_utf8);
    lua_call(L, 0, 1);
    for (size_t i = 0; i < ARRAY_LEN(slow); i++) {
        lua_getfield(L, -1, slow[i]);
        lua_pushcclosure(L, spend_then_call, 1);
        lua_setfield(L, -2, slow[i]);
    }
}

static void add_functions(lua_State *L, int libraries)
{
    static const luaL_Reg ours[] = {
        { "contains", base_contains }, { "has", base_has }, { "ipairs", ft_ipairs }, { "list", base_list }, { "next", ft_next },
        { "pairs", ft_pairs }, { "tostring", base_tostring }, { "type", base_type }, { NULL, NULL },
    };
    static const char *const plain[] = { "assert", "error", "select" };

    lua_pushvalue(L, libraries);
    luaL_setfuncs(L, ours, 0);
    lua_pop(L, 1);
    lua_pushcfunction(L, luaopen_base);              /* fills the state's globals, which code never sees */
    lua_call(L, 0, 1);
    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        lua_getfield(L, -1, plain[i]);
        lua_setfield(L, libraries, plain[i]);
    }
    lua_getfield(L, -1, "tonumber");
    lua_pushcclosure(L, spend_then_call, 1);
    lua_setfield(L, libraries, "tonumber");
    lua_pop(L, 1);
}

void ft_library_open(lua_State *L)
{
    int libraries;

    lua_newtable(L);
    libraries = lua_gettop(L);
    add_functions(L, libraries);
    ft_push_null(L);
    lua_setfield(L, libraries, "null");
    open_math(L);
    add_library(L, libraries, "math");
    open_utf8(L);
    add_library(L, libraries, "utf8");
    ft_tables_open(L);
    add_library(L, libraries, "table");
    ft_strings_open(L);
    add_library(L, libraries, "string");
}

/* ---- Helper modules ---------------------------------------------------------------------------------------------- */

static bool is_module_file(const char *file)
{
    size_t len = strlen(file);

    return len > 4 && strcmp(file + len - 4, ".lua") == 0;
}

/* The names of lua/'s files, read once: "rf" for rf.lua. */
static const char *const *modules(struct ft_script *script)
{
    DIR *dir;
    struct dirent *entry;
    size_t count = 0;

    if (script->modules)
        return (const char *const *)script->modules;
    script->modules = ft_calloc(1, sizeof(char *));
    dir = script->lua_dir ? opendir(script->lua_dir) : NULL;
    while (dir && (entry = readdir(dir))) {
        if (!is_module_file(entry->d_name))
            continue;
        script->modules = ft_realloc(script->modules, (count + 2) * sizeof(char *));
        script->modules[count++] = ft_strndup(entry->d_name, strlen(entry->d_name) - 4);
        script->modules[count] = NULL;
    }
    if (dir)
        closedir(dir);
    return (const char *const *)script->modules;
}

static bool is_module(struct ft_script *script, const char *name)
{
    const char *const *all = modules(script);

    while (*all && strcmp(*all, name) != 0)
        all++;
    return *all != NULL;
}

/* Pushes the module's function, not yet run, or raises. */
static void load_file(lua_State *L, const char *dir, const char *name)
{
    char path[4096], chunk[300];
    char *text = ft_calloc(1, MODULE_MAX_BYTES);
    size_t len;
    FILE *file;
    int r;

    snprintf(path, sizeof(path), "%s/%s.lua", dir, name);
    snprintf(chunk, sizeof(chunk), "=%s.lua", name);
    file = fopen(path, "re");
    len = file ? fread(text, 1, MODULE_MAX_BYTES, file) : MODULE_MAX_BYTES;
    if (file)
        fclose(file);
    r = len < MODULE_MAX_BYTES ? luaL_loadbufferx(L, text, len, chunk, "t") : LUA_ERRFILE;
    free(text);
    if (r == LUA_ERRFILE)
        luaL_error(L, "cannot read %s", path);
    if (r != LUA_OK)
        lua_error(L);
}

/* Nothing in a module may be written: what one evaluation leaves there the next would find. */
static void check_members(lua_State *L, const char *name)
{
    if (!lua_istable(L, -1))
        luaL_error(L, "%s.lua returns no table", name);
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "%s.lua returns a table with a member that has no name", name);
        if (lua_istable(L, -1))
            luaL_error(L, "%s.lua returns a table in which '%s' is a table; offer a function", name, lua_tostring(L, -2));
    }
}

static void load_module(lua_State *L, struct ft_script *script, const char *name)
{
    load_file(L, script->lua_dir, name);
    lua_rawgeti(L, LUA_REGISTRYINDEX, script->module_names);
    lua_setupvalue(L, -2, 1);
    lua_call(L, 0, 1);
    check_members(L, name);
    ft_read_only(L, name);
    lua_rawgeti(L, LUA_REGISTRYINDEX, script->libraries);
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

bool ft_library_push(struct ft_script *script, const char *name)
{
    lua_State *L = script->lua;

    lua_rawgeti(L, LUA_REGISTRYINDEX, script->libraries);
    if (lua_getfield(L, -1, name) != LUA_TNIL) {
        lua_remove(L, -2);
        return true;
    }
    lua_pop(L, 2);
    if (!is_module(script, name))
        return false;
    load_module(L, script, name);
    return true;
}

/* ---- For the check ----------------------------------------------------------------------------------------------- */

/* A library's table behind its proxy, or nil. */
static void push_inside(lua_State *L, int library)
{
    if (!lua_istable(L, library) || luaL_getmetafield(L, library, "__index") == LUA_TNIL)
        lua_pushnil(L);
}

static int find_protected(lua_State *L)
{
    enum ft_library_kind *ret_kind = lua_touserdata(L, 2);
    const char *member = lua_touserdata(L, 3);

    if (!ft_library_push(ft_script_of(L), lua_touserdata(L, 1)))
        return 0;
    if (member) {
        push_inside(L, lua_gettop(L));
        if (!lua_istable(L, -1) || lua_getfield(L, -1, member) == LUA_TNIL)
            return 0;
    }
    switch (lua_type(L, -1)) {
    case LUA_TFUNCTION: *ret_kind = FT_LIBRARY_FUNCTION; break;
    case LUA_TTABLE:    *ret_kind = FT_LIBRARY_TABLE; break;
    case LUA_TNUMBER:   *ret_kind = FT_LIBRARY_NUMBER; break;
    case LUA_TSTRING:   *ret_kind = FT_LIBRARY_STRING; break;
    default:            *ret_kind = FT_LIBRARY_OTHER; break;
    }
    return 0;
}

int ft_library_find(struct ft_script *script, const char *name, const char *member, enum ft_library_kind *ret_kind, struct ft_err *reterr)
{
    lua_State *L = script->lua;
    int r = 0;

    *ret_kind = FT_LIBRARY_NONE;
    lua_pushcfunction(L, find_protected);
    lua_pushlightuserdata(L, (void *)name);
    lua_pushlightuserdata(L, ret_kind);
    lua_pushlightuserdata(L, (void *)member);
    if (lua_pcall(L, 3, 0, 0) != LUA_OK)
        r = ft_err_set(reterr, -EINVAL, "helper module: %s", lua_tostring(L, -1));
    lua_settop(L, 0);
    return r;
}

struct names { const char **names; size_t count; };

static void add_name(struct names *list, const char *name)
{
    list->names = ft_realloc(list->names, (list->count + 2) * sizeof(char *));
    list->names[list->count++] = name;
    list->names[list->count] = NULL;
}

/* Of the table on top. The strings are keys of tables that live as long as the state does. */
static void add_keys(lua_State *L, struct names *list)
{
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
        add_name(list, lua_tostring(L, -2));
}

const char **ft_library_names(struct ft_script *script, const char *name)
{
    lua_State *L = script->lua;
    struct names list = { .names = ft_calloc(1, sizeof(char *)) };

    lua_rawgeti(L, LUA_REGISTRYINDEX, script->libraries);
    if (name) {
        lua_getfield(L, -1, name);
        push_inside(L, lua_gettop(L));
    }
    if (lua_istable(L, -1))
        add_keys(L, &list);
    for (const char *const *module = modules(script); !name && *module; module++)
        add_name(&list, *module);
    lua_settop(L, 0);
    return list.names;
}
