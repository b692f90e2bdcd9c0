/* What code must not reach, leave behind, or find out. Each row was a way out of some Lua sandbox. */
#include <dirent.h>
#include "rig.h"

static const char env[] = "{\"o\": {\"a\": 1}, \"l\": [1, 2, 3], \"s\": \"x\", \"n\": 1}";

/* Not there at all: each reads as nil. */
static const char *const absent[] = {
    "load", "loadstring", "loadfile", "dofile", "require", "package", "io", "os", "debug", "coroutine", "pcall", "xpcall", "getmetatable",
    "setmetatable", "rawget", "rawset", "rawequal", "rawlen", "collectgarbage", "print", "warn", "_G", "_VERSION", "module", "getfenv", "setfenv",
    "newproxy", "unpack", "string.dump", "string.pack", "string.unpack", "string.packsize", "math.random", "math.randomseed", "table.move",
    "(\"\").dump", "(\"\").__index", "(\"\").__add", "string.__index", "math.__metatable", "(\"x\").__name",
};

Test(sandbox, has_no_doors)
{
    for (size_t i = 0; i < ARRAY_LEN(absent); i++) {
        char *text = ft_asprintf("type((%s))", absent[i]);
        struct answer answer = ask(FT_CHUNK_EXPRESSION, text, "{}");

        if (answer.diags)            /* a library's member that is not there is a mistake already at load */
            cr_expect(strstr(answer.diags, "has no function") || strstr(answer.diags, "has no field"), "'%s': %s", text, answer.diags);
        else
            cr_expect_str_eq(said(&answer), "\"nil\"", "'%s' is %s", absent[i], said(&answer));
        answer_done(&answer);
        free(text);
    }
}

/* What code may call, by name: a new function must be thought about here. */
Test(sandbox, offers_just_this)
{
    static const struct { const char *library, *members; } all[] = {
        { "string", "byte char find format gmatch gsub len lower match rep reverse sub upper" },
        { "table", "concat insert pack remove sort unpack" },
        { "utf8", "char charpattern codepoint codes len offset" },
        { "math", "abs acos asin atan ceil cos deg exp floor fmod huge log max maxinteger min mininteger modf pi rad sin sqrt tan tointeger type ult" },
    };

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        char *members = ft_strdup(all[i].members), *save = NULL;

        for (char *name = strtok_r(members, " ", &save); name; name = strtok_r(NULL, " ", &save)) {
            char *text = ft_asprintf("type(%s.%s) ~= \"nil\"", all[i].library, name);
            struct answer answer = ask(FT_CHUNK_EXPRESSION, text, "{}");

            cr_expect_str_eq(said(&answer), "true", "'%s': %s", text, said(&answer));
            answer_done(&answer);
            free(text);
        }
        free(members);
    }
}

/* Refused when it is compiled. */
static const struct { const char *text, *why; } refused[] = {
    { "x = 1\nreturn {}", "1:1+1: 'x' cannot be set: names are read-only, `local x` makes a variable of your own" },
    { "o.a = 2\nreturn {}", "1:1+3: 'o.a' cannot be set: values are read-only, return a table of your own" },
    { "o[\"a\"] = 2\nreturn {}", "1:1+6: 'o[\"a\"]' cannot be set: values are read-only, return a table of your own" },
    { "(o).a = 2\nreturn {}", "1:1+5: '(o).a' cannot be set: values are read-only, return a table of your own" },
    { "function f() end\nreturn {}", "1:10+1: 'f' cannot be set: names are read-only, `local f` makes a variable of your own" },
    { "function string.f() end\nreturn {}",
      "1:10+8: 'string.f' cannot be set: values are read-only, return a table of your own" },
    { "local a, b = 1\na, math.floor, b = 1, 2, 3\nreturn {}",
      "2:4+10: 'math.floor' cannot be set: values are read-only, return a table of your own" },
    { "_ENV = {}\nreturn {}", "1:1+4: the name _ENV cannot be used" },
    { "local _ENV = {}\nreturn {}", "1:7+4: the name _ENV cannot be used" },
    { "return {_ENV.x}", "1:9+4: the name _ENV cannot be used" },
    { "local function f(_ENV) return x end\nreturn {f({x = 1})}", "1:18+4: the name _ENV cannot be used" },
    { "for _ENV in pairs({}) do end\nreturn {}", "1:5+4: the name _ENV cannot be used" },
    { "goto done\n::done::\nreturn {}", "1:1+4: goto and labels are not allowed" },
    { "::again::\nreturn {}", "1:1+2: goto and labels are not allowed" },
    { "return {string.dumb}", "1:9+11: string has no function 'dumb'" },
    { "\033Lua", "1:1+1: unexpected symbol near '<\\27>'" },
};

Test(sandbox, refuses_at_load)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct answer answer = ask(FT_CHUNK_BLOCK, refused[i].text, env);

        cr_expect_str_eq(said(&answer), refused[i].why, "'%s': %s", refused[i].text, said(&answer));
        answer_done(&answer);
    }
}

/* Fails when it runs, with these words somewhere in the sentence. */
static const struct { const char *text, *why; } fails[] = {
    { "local v = o\nv.a = 2\nreturn {}", "values are read-only: cannot set 'a'" },
    { "local v = l\nv[1] = 2\nreturn {}", "values are read-only" },
    { "local m = math\nm.floor = nil\nreturn {}", "math is read-only" },
    { "local m = string\nm.rep = m.upper\nreturn {}", "string is read-only" },
    { "table.insert(l, 4)\nreturn {}", "values are read-only" },
    { "table.sort(l, function(a, b) return a > b end)\nreturn {}", "values are read-only" },
    { "table.remove(l)\nreturn {}", "values are read-only" },
    { "table.insert(string, 4)\nreturn {}", "string is read-only" },
    { "local x = \"x\"\nx.y = 1\nreturn {}", "attempt to index a string value" },
    { "return {(s).__index.rep}", "attempt to index a nil value" },
    { "return {string.format(\"%p\", {})}", "string.format has no %p here" },
    { "return {string.format(\"%10.3p\", \"x\")}", "string.format has no %p here" },
    { "local t = {}\nfor i = 1, 10 do t[i] = i end\ntable.sort(t, function(a, b) return true end)\nreturn t", "invalid order function for sorting" },
    { "table.sort({1, \"x\", {}})\nreturn {}", "attempt to compare" },
    { "table.sort({3, 1, 2}, function(a, b) error(\"no order\") end)\nreturn {}", "no order" },
    { "local function f() return f() + 1 end\nreturn {f()}", "it needs more than 8 MiB of memory" },
    { "local function f(...) return select(\"#\", ...) end\nreturn {f(table.unpack({}, 1, 1e7))}", "it ran for more than 1000000 instructions" },
    { "local s = string.rep(\"(\", 300)\nreturn {s:find(s)}", "the pattern is longer than 256 bytes" },
    { "return {(\"x\"):gsub(\"x\", \"%2\")}", "the replacement of gsub has a '%'" },
    { "return {(\"x\"):gsub(\"x\", function() return {} end)}", "the replacement of gsub is a table" },
    { "return {(\"x\"):gsub(\"x\", true)}", "gsub needs a string, a table or a function, and was given true" },
    { "return {string.char(256)}", "value out of range" },
    { "return {utf8.char(-1)}", "value out of range" },
    { "return {tonumber(\"1\", 99)}", "base out of range" },
    { "return {next(1)}", "next needs an object or a list, and was given a number" },
    { "return {next({}, \"x\")}", "invalid key to 'next'" },
    { "for i = 1, 10, 0 do end\nreturn {}", "'for' step is zero" },
    { "local a <close> = {}\nreturn {}", "variable 'a' got a non-closable value" },
    { "return {setmetatable({}, {__index = 1})}", "attempt to call a nil value (name 'setmetatable')" },
};

Test(sandbox, refuses_at_run)
{
    for (size_t i = 0; i < ARRAY_LEN(fails); i++) {
        struct answer answer = ask(FT_CHUNK_BLOCK, fails[i].text, env);

        cr_expect_eq(answer.eval, FT_EVAL_ERROR, "'%s' gave %s", fails[i].text, said(&answer));
        cr_expect(answer.err.text[0] && strstr(answer.err.text, fails[i].why), "'%s': %s", fails[i].text, said(&answer));
        answer_done(&answer);
    }
}

/* No addresses, which differ from run to run. */
Test(sandbox, shows_no_addresses)
{
    static const char *const texts[] = {
        "tostring({})", "tostring(type)", "tostring(o)", "tostring(string)", "string.format(\"%s %q\", {}, \"x\")", "string.format(\"%s\", print or type)",
        "tostring(null)", "string.format(\"%s %s\", function() end, null)",
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct answer answer = ask(FT_CHUNK_EXPRESSION, texts[i], env);

        cr_expect_eq(answer.eval, FT_EVAL_OK, "'%s': %s", texts[i], said(&answer));
        cr_expect(!strstr(said(&answer), "0x"), "'%s' gave %s", texts[i], said(&answer));
        answer_done(&answer);
    }
}

/* One evaluation leaves nothing to the next, in the chunk's own tables or anywhere else. */
Test(sandbox, keeps_nothing)
{
    struct ft_script *script = ft_script_new(NULL);
    static const char text[] =
        "local kept = {n = 0}\nlocal function count() kept.n = kept.n + 1 return kept.n end\ncount()\nreturn {count(), o.a}";
    struct ft_diags *diags = ft_diags_new();
    struct ft_chunk *chunk = ft_chunk_compile(script, FT_CHUNK_BLOCK, text, strlen(text), NULL, NULL, diags);

    cr_assert_not_null(chunk);
    for (int i = 0; i < 3; i++) {
        json_t *env_value = json_pack("{s:{s:i}}", "o", "a", i);
        struct ft_eval_result result;
        char *value;

        cr_expect_eq(ft_chunk_eval(chunk, env_value, &result, NULL), FT_EVAL_OK);
        cr_expect_eq(json_integer_value(json_array_get(result.value, 0)), 2);
        cr_expect_eq(json_integer_value(json_array_get(result.value, 1)), i);
        value = ft_json_text(result.value);
        free(value);
        ft_eval_result_done(&result);
        json_decref(env_value);
    }
    ft_chunk_free(chunk);
    ft_diags_free(diags);
    ft_script_free(script);
}

/* The same text and the same values give the same bytes, in another process too: no order of a hash table shows. */
Test(sandbox, answers_the_same_every_time)
{
    static const char text[] =
        "local t, s = {}, {}\nfor i = 1, 50 do t[\"k\" .. (i * 7919) % 101] = i end\nfor k in pairs(t) do s[#s + 1] = k end\nreturn {t = t, "
        "s = table.concat(s, \" \")}";
    struct answer first = ask(FT_CHUNK_BLOCK, text, "{}");

    cr_assert_eq(first.eval, FT_EVAL_OK, "%s", said(&first));
    cr_expect(strncmp(first.value, "{\"s\":\"k100 k12 k15 k18 k2 k21 ", 29) == 0, "%s", first.value);
    for (int i = 0; i < 20; i++) {
        struct answer again = ask(FT_CHUNK_BLOCK, text, "{}");

        cr_expect_str_eq(again.value, first.value);
        answer_done(&again);
    }
    answer_done(&first);
}
