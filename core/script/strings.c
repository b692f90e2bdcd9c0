/* strings.c: the string library of code: Lua's own where it is bounded by what it allocates, ours where one call could run for long. */
#include <lualib.h>
#include "script/internal.h"
#include "script/match.h"
#include "base/util.h"

enum { REPEAT_MAX = 1 << 20 };

/* upvalue: Lua's function, run in this very call so that its messages name it rightly */
static int lua_own(lua_State *L)
{
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

/* ---- Parts of a string ------------------------------------------------------------------------------------------- */

/* A position as Lua counts them (-1 is the last byte) as 1..len+1, or 0 when it is before the start. */
static size_t position(lua_Integer given, size_t len)
{
    if (given >= 0)
        return (size_t)ft_min((uint64_t)given, (uint64_t)len + 1);
    return (uint64_t)-given > len ? 0 : len + 1 - (size_t)-given;
}

static int string_byte(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    lua_Integer first = luaL_optinteger(L, 2, 1);
    size_t from = ft_max(position(first, len), (size_t)1);
    size_t to = ft_min(position(luaL_optinteger(L, 3, first), len), len);

    if (from > to)
        return 0;
    ft_ceiling_spend(L, to - from);
    luaL_checkstack(L, (int)ft_min(to - from + 1, (size_t)INT32_MAX), "too many bytes asked for");
    for (size_t i = from; i <= to; i++)
        lua_pushinteger(L, (unsigned char)text[i - 1]);
    return (int)(to - from + 1);
}

static int string_rep(lua_State *L)
{
    size_t len = 0, gap = 0;
    lua_Integer times = luaL_checkinteger(L, 2);

    luaL_checklstring(L, 1, &len);
    luaL_optlstring(L, 3, "", &gap);
    if (times > 0 && (len + gap) > REPEAT_MAX / (uint64_t)times)
        return luaL_error(L, "string.rep would make a string of more than 1 MiB");
    return lua_own(L);
}

/* %p would show an address; and so would %s of a table. */
static int string_format(lua_State *L)
{
    const char *format = luaL_checkstring(L, 1);

    while ((format = strchr(format, '%'))) {
        format += 1 + strspn(format + 1, "-+ #0123456789.");
        if (*format == 'p')
            return luaL_error(L, "string.format has no %%p here");
        format += *format != '\0';
    }
    for (int i = 2; i <= lua_gettop(L); i++) {
        int type = lua_type(L, i);

        if (type == LUA_TTABLE || type == LUA_TFUNCTION || type == LUA_TUSERDATA || type == LUA_TLIGHTUSERDATA) {
            ft_push_text(L, i);
            lua_replace(L, i);
        }
    }
    return lua_own(L);
}

/* ---- Patterns ---------------------------------------------------------------------------------------------------- */

struct search {
    struct ft_lua_pattern pattern;
    struct ft_match match;
};

/* Subject and pattern are arguments (or upvalues) at these indices. */
static void search_start(lua_State *L, struct search *search, int subject, int pattern)
{
    size_t len;
    const char *text = luaL_checklstring(L, pattern, &len);
    const char *wrong = ft_lua_pattern_read(&search->pattern, text, len);

    if (wrong)
        luaL_error(L, "%s: '%s'", wrong, text);
    ft_ceiling_spend(L, len);
    search->match.subject = luaL_checklstring(L, subject, &search->match.len);
    search->match.steps_left = &ft_script_of(L)->ceiling.steps_left;
}

static bool matches_at(lua_State *L, struct search *search, size_t at)
{
    bool found = ft_lua_pattern_match(&search->pattern, &search->match, at);

    if (search->match.out_of_steps)
        ft_ceiling_too_long(L);
    return found;
}

/* The first match at or after `from`. */
static bool matches_from(lua_State *L, struct search *search, size_t from)
{
    for (; from <= search->match.len; from++) {
        if (matches_at(L, search, from))
            return true;
        if (search->pattern.anchored)
            break;
    }
    return false;
}

static void push_capture(lua_State *L, const struct search *search, unsigned i)
{
    const struct ft_match *m = &search->match;

    if (i == 0 && search->pattern.captures == 0)
        lua_pushlstring(L, m->subject + m->start, m->end - m->start);
    else if (m->captures[i].position)
        lua_pushinteger(L, (lua_Integer)m->captures[i].start + 1);
    else
        lua_pushlstring(L, m->subject + m->captures[i].start, m->captures[i].end - m->captures[i].start);
}

/* All captures; the whole match when there are none. */
static int push_captures(lua_State *L, const struct search *search)
{
    unsigned count = ft_max(search->pattern.captures, 1u);

    luaL_checkstack(L, (int)count, "too many captures");
    for (unsigned i = 0; i < count; i++)
        push_capture(L, search, i);
    return (int)count;
}

/* The third argument of find and match, from 0; past the end there is nothing to find. */
static bool start_at(lua_State *L, size_t *from)
{
    size_t at = ft_max(position(luaL_optinteger(L, 3, 1), lua_rawlen(L, 1)), (size_t)1);

    *from = at - 1;
    return luaL_optinteger(L, 3, 1) <= (lua_Integer)lua_rawlen(L, 1) + 1;
}

static int find_plain(lua_State *L, size_t from)
{
    size_t len, wanted_len;
    const char *text = lua_tolstring(L, 1, &len), *wanted = lua_tolstring(L, 2, &wanted_len), *found;

    ft_ceiling_spend(L, (len - from) / 16);
    found = memmem(text + from, len - from, wanted, wanted_len);
    if (!found) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, found - text + 1);
    lua_pushinteger(L, found - text + (lua_Integer)wanted_len);
    return 2;
}

static int string_find(lua_State *L)
{
    struct search search;
    size_t from;

    luaL_checkstring(L, 1);
    luaL_checkstring(L, 2);
    if (!start_at(L, &from)) {
        lua_pushnil(L);
        return 1;
    }
    if (lua_toboolean(L, 4) || !strpbrk(lua_tostring(L, 2), "^$*+?.([%-"))
        return find_plain(L, from);
    search_start(L, &search, 1, 2);
    if (!matches_from(L, &search, from)) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, (lua_Integer)search.match.start + 1);
    lua_pushinteger(L, (lua_Integer)search.match.end);
    return 2 + (search.pattern.captures ? push_captures(L, &search) : 0);
}

static int string_match(lua_State *L)
{
    struct search search;
    size_t from;

    search_start(L, &search, 1, 2);
    if (start_at(L, &from) && matches_from(L, &search, from))
        return push_captures(L, &search);
    lua_pushnil(L);
    return 1;
}

/* upvalues: subject, pattern, where to go on, where the last match ended (an empty one there would be found twice) or -1 */
static int next_match(lua_State *L)
{
    struct search search;
    size_t at = (size_t)lua_tointeger(L, lua_upvalueindex(3));

    search_start(L, &search, lua_upvalueindex(1), lua_upvalueindex(2));
    for (; at <= search.match.len; at++) {
        if (!matches_at(L, &search, at) || (lua_Integer)search.match.end == lua_tointeger(L, lua_upvalueindex(4)))
            continue;
        lua_pushinteger(L, (lua_Integer)search.match.end);
        lua_copy(L, -1, lua_upvalueindex(3));
        lua_replace(L, lua_upvalueindex(4));
        return push_captures(L, &search);
    }
    return 0;
}

static int string_gmatch(lua_State *L)
{
    struct search search;

    lua_settop(L, 2);
    search_start(L, &search, 1, 2);
    if (search.pattern.anchored)
        return luaL_error(L, "'^' has no meaning in gmatch: every match but the first would be refused");
    lua_pushinteger(L, 0);
    lua_pushinteger(L, -1);
    lua_pushcclosure(L, next_match, 4);
    return 1;
}

/* ---- Replacing --------------------------------------------------------------------------------------------------- */

/* A replacement text: %0 the match, %1 … the captures, %% a percent sign. */
static void add_from_text(lua_State *L, luaL_Buffer *b, const struct search *search)
{
    size_t len;
    const char *text = lua_tolstring(L, 3, &len);

    for (size_t i = 0; i < len; i++) {
        unsigned char next = i + 1 < len ? (unsigned char)text[i + 1] : 0;

        if (text[i] != '%') {
            luaL_addchar(b, text[i]);
            continue;
        }
        if (next == '%') {
            luaL_addchar(b, '%');
        } else if (next == '0') {
            luaL_addlstring(b, search->match.subject + search->match.start, search->match.end - search->match.start);
        } else if (next > '0' && next <= '9' && next - '0' <= (int)ft_max(search->pattern.captures, 1u)) {
            push_capture(L, search, next - '1');
            luaL_addvalue(b);
        } else {
            luaL_error(L, "the replacement of gsub has a '%%' that is not before %%, 0 or the number of a capture");
        }
        i++;
    }
}

static void add_replacement(lua_State *L, luaL_Buffer *b, const struct search *search)
{
    int type = lua_type(L, 3);

    if (type == LUA_TSTRING || type == LUA_TNUMBER) {
        add_from_text(L, b, search);
        return;
    }
    if (type == LUA_TFUNCTION) {
        lua_pushvalue(L, 3);
        lua_call(L, push_captures(L, search), 1);
    } else {
        push_capture(L, search, 0);
        lua_gettable(L, 3);
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        luaL_addlstring(b, search->match.subject + search->match.start, search->match.end - search->match.start);
    } else if (lua_isstring(L, -1)) {
        luaL_addvalue(b);
    } else {
        luaL_error(L, "the replacement of gsub is %s", ft_value_word(L, -1));
    }
}

static int string_gsub(lua_State *L)
{
    struct search search;
    luaL_Buffer b;
    size_t at = 0;
    lua_Integer last_end = -1, count = 0, most;

    search_start(L, &search, 1, 2);
    if (!lua_isstring(L, 3) && !lua_isfunction(L, 3) && !lua_istable(L, 3) && !ft_view_to(L, 3))
        ft_type_error(L, 3, "a string, a table or a function");
    most = luaL_optinteger(L, 4, (lua_Integer)search.match.len + 1);
    lua_settop(L, 3);
    luaL_buffinit(L, &b);
    while (count < most) {
        if (matches_at(L, &search, at) && (lua_Integer)search.match.end != last_end) {
            count++;
            add_replacement(L, &b, &search);
            last_end = (lua_Integer)(at = search.match.end);
        } else if (at < search.match.len) {
            luaL_addchar(&b, search.match.subject[at++]);
        } else {
            break;
        }
        if (search.pattern.anchored)
            break;
    }
    luaL_addlstring(&b, search.match.subject + at, search.match.len - at);
    luaL_pushresult(&b);
    lua_pushinteger(L, count);
    return 2;
}

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

void ft_strings_open(lua_State *L)
{
    static const char *const plain[] = { "char", "len", "lower", "reverse", "sub", "upper" };
    static const luaL_Reg over_lua[] = { { "rep", string_rep }, { "format", string_format } };
    static const luaL_Reg ours[] = {
        { "byte", string_byte }, { "find", string_find }, { "gmatch", string_gmatch }, { "gsub", string_gsub }, { "match", string_match },
        { NULL, NULL },
    };

    lua_pushcfunction(L, luaopen_string);
    lua_call(L, 0, 1);
    luaL_newlib(L, ours);
    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        lua_getfield(L, -2, plain[i]);
        lua_setfield(L, -2, plain[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(over_lua); i++) {
        lua_getfield(L, -2, over_lua[i].name);
        lua_pushcclosure(L, over_lua[i].func, 1);
        lua_setfield(L, -2, over_lua[i].name);
    }
    lua_remove(L, -2);

    /* In the place of Lua's metatable of strings, whose arithmetic would take "10" + 1 for 11. */
    lua_pushliteral(L, "");
    lua_newtable(L);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
}
