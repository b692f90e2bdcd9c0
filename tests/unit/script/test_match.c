/* Patterns: what Lua's own library says, our matcher says, on what people write and on thousands that nobody would. */
#include <lualib.h>
#include <lauxlib.h>
#include "rig.h"

/* Runs in both: all answers as one string. */
static const char text[] =
    "local out = {}\n"
    "local function add(...)\n"
    "  local t = table.pack(...)\n"
    "  for i = 1, t.n do out[#out + 1] = tostring(t[i]) end\n"
    "  out[#out + 1] = \";\"\n"
    "end\n"
    "add(s:find(p)) add(s:find(p, 3)) add(s:find(p, -2)) add(s:match(p)) add(s:match(p, 2)) add(s:find(p, 1, true))\n"
    "add(s:gsub(p, \"<%0>\")) add(s:gsub(p, \"%1\", 2)) add(s:gsub(p, {a = \"x\", b = false})) add(s:gsub(p, function(a, b) return b end))\n"
    "if p:sub(1, 1) ~= \"^\" then for a, b in s:gmatch(p) do add(a, b) end end\n"
    "return {answers = table.concat(out, \" \")}";

/* NULL: Lua refuses the pattern. */
static char *ask_lua(lua_State *L, const char *s, const char *p)
{
    char *answer = NULL;

    lua_pushstring(L, s);
    lua_setglobal(L, "s");
    lua_pushstring(L, p);
    lua_setglobal(L, "p");
    cr_assert_eq(luaL_loadstring(L, text), LUA_OK);
    if (lua_pcall(L, 0, 1, 0) == LUA_OK) {
        lua_getfield(L, -1, "answers");
        answer = ft_strdup(lua_tostring(L, -1));
    }
    lua_settop(L, 0);
    return answer;
}

static char *ask_ours(const struct ft_chunk *chunk, const char *s, const char *p, struct ft_err *err)
{
    json_t *env = json_pack("{s:s,s:s}", "s", s, "p", p);
    struct ft_eval_result result;
    char *answer = NULL;

    if (ft_chunk_eval(chunk, env, &result, err) == FT_EVAL_OK)
        answer = ft_strdup(ft_json_str(result.value, "answers"));
    ft_eval_result_done(&result);
    json_decref(env);
    return answer;
}

static struct ft_script *script;
static struct ft_chunk *chunk;
static lua_State *lua;

static void start(void)
{
    struct ft_diags *diags = ft_diags_new();

    script = ft_script_new(NULL);
    chunk = ft_chunk_compile(script, FT_CHUNK_BLOCK, text, strlen(text), NULL, NULL, diags);
    cr_assert_not_null(chunk, "%s", say_diags(diags));
    ft_diags_free(diags);
    lua = luaL_newstate();
    luaL_openlibs(lua);
}

static void stop(void)
{
    ft_chunk_free(chunk);
    ft_script_free(script);
    lua_close(lua);
}

static void compare(const char *s, const char *p)
{
    struct ft_err err = { 0 };
    char *want = ask_lua(lua, s, p), *have = ask_ours(chunk, s, p, &err);

    if (want)
        cr_expect(have && strcmp(have, want) == 0, "'%s' in '%s':\n%s\nnot\n%s", p, s, have ? have : err.text, want);
    else
        cr_expect(!have, "'%s' in '%s' gave %s, where Lua refuses it", p, s, have);
    free(want);
    free(have);
}

Test(match, says_what_lua_says, .init = start, .fini = stop)
{
    static const struct { const char *s, *p; } rows[] = {
        { "10.11.0.93", "(%d+)%.(%d+)%.(%d+)%.(%d+)" }, { "a4:83:e7", "^%x%x:" }, { "AP-3F-12", "^AP%-(%w+)%-(%d+)$" }, { "key = value",
        "^(%w+)%s*=%s*(%w+)$" },
        { "", "" }, { "", ".*" }, { "", "^$" }, { "abc", "" }, { "abc", "$" }, { "abc", "b*" }, { "aaa", "a-" }, { "aaa", "a-$" }, { "aaab", "a+b?" },
        { "hello world", "o w" }, { "hello world", "%f[%w]%w+%f[%W]" }, { "THE (quick) fox", "%((%a+)%)" }, { "x(a(b)c)y", "%b()" }, { "x(a(b", "%b()" },
        { "abcabc", "(a)(b)(c)%1" }, { "abab", "(ab)%1" }, { "aXbX", "(%u)(.)%1" }, { "abc", "()b()" }, { "abc", "^b" }, { "a.b", "a%.b" }, { "a]b", "[]]" },
        { "a^b", "[%^]" }, { "a-b", "[a-]" }, { "a-b", "[-a]+" }, { "a%b", "%%" }, { "abc", "[^b]" }, { "abc]", "[^]]+" }, { "a\tb", "%s" }, { "a$b", "a$b" },
        { "a*b", "a*b" }, { "*", "*" }, { "a*", "(*)" }, { "a+", "%b()+" }, { "-", "-" }, { "?x", "?x" }, { "ab12", "%a+%d" }, { "é", ".." },
        { "a,b,,c", "([^,]*)" }, { "abc", "a.-c" }, { "aaa", "(a*)(a*)" }, { "abc", "((a)(b))" }, { "abc", "(a(b)c)%2" }, { "  trim  ", "^%s*(.-)%s*$" },
        { "one;two;;four", ";*" }, { "abc", "[%a]" }, { "a1", "[%d%a]+" }, { "a-z", "[%a-z]+" }, { "x.y", "[.]" }, { "0xFF", "0[xX]%x+" }, { "%d", "%%d" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        compare(rows[i].s, rows[i].p);
}

/* The numbers are the same in every run. */
static unsigned dice(unsigned sides)
{
    static uint64_t state = 42;

    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % sides;
}

static void random_pattern(char *to, unsigned parts)
{
    static const char *const singles[] = { "a", "b", "c", ".", "%a", "%d", "[ab]", "[^a]", "[a-b]", "%W", "[%d_]", "%." };
    static const char *const repeats[] = { "", "", "", "*", "+", "-", "?" };
    static const char *const others[] = { "%b()", "%f[a]", "%f[^a]", "()", "(a*)", "(.)", "(", ")", "%1", "$", "%2" };

    to[0] = '\0';
    if (dice(6) == 0)
        strcat(to, "^");
    while (parts--) {
        if (dice(5) == 0) {
            strcat(to, others[dice(ARRAY_LEN(others))]);
            continue;
        }
        strcat(to, singles[dice(ARRAY_LEN(singles))]);
        strcat(to, repeats[dice(ARRAY_LEN(repeats))]);
    }
}

Test(match, says_what_lua_says_of_random_patterns, .init = start, .fini = stop)
{
    for (int i = 0; i < 20000; i++) {
        char s[16], p[128];
        unsigned len = dice(12);
        struct ft_err err = { 0 };
        char *want, *have;

        for (unsigned k = 0; k < len; k++)
            s[k] = "abcab()1."[dice(9)];
        s[len] = '\0';
        random_pattern(p, 1 + dice(5));
        want = ask_lua(lua, s, p);
        have = ask_ours(chunk, s, p, &err);
        /* Lua finds a mistake in a pattern only when it comes there; we say it at once. */
        if (have || !strstr(err.text, "the pattern "))
            cr_expect(have && want && strcmp(have, want) == 0, "'%s' in '%s':\n%s\nnot\n%s", p, s, have ? have : err.text, want);
        free(want);
        free(have);
    }
}

static const struct { const char *p, *why; } refused[] = {
    { "%", "the pattern ends with '%'" }, { "a%", "the pattern ends with '%'" }, { "[", "the pattern has a '[' without its ']'" }, { "[a",
    "the pattern has a '[' without its ']'" },
    { "[]", "the pattern has a '[' without its ']'" }, { "[^]", "the pattern has a '[' without its ']'" }, { "[%", "the pattern ends with '%'" },
    { "[%]", "the pattern has a '[' without its ']'" },
    { "[a-%d]", "the pattern has a range that ends with '%'" }, { "(", "the pattern has a '(' without its ')'" }, { "(()",
    "the pattern has a '(' without its ')'" },
    { ")", "the pattern has a ')' without its '('" }, { "%1", "the pattern refers to a capture that it does not have" }, { "(%1)",
    "the pattern refers to a capture inside that capture" },
    { "(a)%2", "the pattern refers to a capture that it does not have" }, { "%0", "the pattern refers to a capture that it does not have" },
    { "[%1]", "a reference such as %1 cannot stand in a set" },
    { "%b", "the pattern has a '%b' without its two characters" }, { "%bx", "the pattern has a '%b' without its two characters" }, { "%f",
    "the pattern has a '%f' without its '[set]'" },
    { "%fa", "the pattern has a '%f' without its '[set]'" }, { "%f[a", "the pattern has a '[' without its ']'" }, { "%y",
    "the pattern has a '%' before a letter that names no class" },
    { "()()()()()()()()()()()()()()()()()()()()()()()()()()()()()()()()()", "the pattern has more than 32 captures" },
};

Test(match, refuses_what_is_no_pattern, .init = start, .fini = stop)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct ft_err err = { 0 };
        char *have = ask_ours(chunk, "abc", refused[i].p, &err);

        cr_expect_null(have, "'%s' gave %s", refused[i].p, have);
        cr_expect(strstr(err.text, refused[i].why), "'%s': %s", refused[i].p, err.text);
        free(have);
    }
}
