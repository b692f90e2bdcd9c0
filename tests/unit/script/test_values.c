/* What code sees of JSON values, and what becomes of what it returns. */
#include "rig.h"

static const char env[] =
    "{\"n\": 3, \"x\": 2.5, \"s\": \"text\", \"yes\": true, \"no\": false, \"nothing\": null, \"big\": 9007199254740993,"
    " \"least\": -9223372036854775808, \"o\": {\"a\": 1, \"b\": null, \"c\": {\"d\": [10, 20, 30]}}, \"empty\": {}, \"none\": [],"
    " \"items\": [\"a\", null, \"c\"], \"objects\": [{\"k\": 1}, {\"k\": 2}], \"odd key\": 1, \"keys\": {\"a b\": 5, \"end\": 6}}";

struct row { const char *text, *want; };

static void check_rows(enum ft_chunk_kind kind, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct answer answer = ask(kind, rows[i].text, env);

        cr_expect_eq(answer.eval, FT_EVAL_OK, "'%s': %s", rows[i].text, said(&answer));
        cr_expect_str_eq(said(&answer), rows[i].want, "'%s' gave %s, not %s", rows[i].text, said(&answer), rows[i].want);
        answer_done(&answer);
    }
}

Test(values, expressions)
{
    static const struct row rows[] = {
        { "n", "3" }, { "n + 1", "4" }, { "x", "2.5" }, { "n / 2", "1.5" }, { "4 / 2", "2.0" }, { "n // 2", "1" }, { "2^3", "8.0" },
        { "s", "\"text\"" }, { "s .. n", "\"text3\"" }, { "#s", "4" }, { "yes", "true" }, { "not yes", "false" },
        { "nothing", "null" }, { "absent", "null" }, { "nil", "null" }, { "null", "null" }, { "nothing == nil", "true" },
        { "absent == nil", "true" },
        { "big", "9007199254740993" }, { "big + 1", "9007199254740994" }, { "least", "-9223372036854775808" }, { "big == 9007199254740992", "false" },
        { "o.a", "1" }, { "o.b", "null" }, { "o.z", "null" }, { "o.c.d[2]", "20" }, { "#o.c.d", "3" }, { "o.c.d[4]", "null" },
        { "o[\"a\"]", "1" }, { "keys[\"a b\"]", "5" }, { "keys[\"end\"]", "6" },
        { "o", "{\"a\":1,\"b\":null,\"c\":{\"d\":[10,20,30]}}" }, { "empty", "{}" }, { "none", "[]" }, { "items", "[\"a\",null,\"c\"]" },
        { "{a = o, b = none, c = empty}", "{\"a\":{\"a\":1,\"b\":null,\"c\":{\"d\":[10,20,30]}},\"b\":[],\"c\":{}}" },
        { "{1, 2, 3}", "[1,2,3]" }, { "{b = 1, a = 2}", "{\"a\":2,\"b\":1}" }, { "{}", "{}" }, { "list{}", "[]" }, { "list{1}", "[1]" },
        { "list()", "[]" }, { "{null, 2}", "[null,2]" }, { "{a = null}", "{\"a\":null}" }, { "{a = nil}", "{}" }, { "{x = {y = {z = list{}}}}",
        "{\"x\":{\"y\":{\"z\":[]}}}" },
        { "items[2] == nil", "true" }, { "#items", "3" }, { "items[3]", "\"c\"" }, { "n == 3 and s or x", "\"text\"" }, { "no and s", "false" },
        { "o == o", "true" }, { "o.c == o.c", "true" }, { "o.c == o", "false" }, { "3 == 3.0", "true" }, { "s == n", "false" },
        { "has(o, \"b\")", "true" }, { "has(o, \"z\")", "false" }, { "has({a = 1}, \"a\")", "true" }, { "contains(items, \"c\")", "true" },
        { "contains(items, \"d\")", "false" }, { "contains({1, 2}, 2)", "true" }, { "contains(none, 1)", "false" }, { "contains(o.c.d, 20.0)", "true" },
        { "type(o)", "\"table\"" }, { "type(items)", "\"table\"" }, { "type(nil)", "\"nil\"" }, { "type(null)", "\"null\"" }, { "type(type)", "\"function\"" },
        { "tostring(o)", "\"{a: 1, b: null, c: {d: [10, 20, 30]}}\"" }, { "tostring({})", "\"a table\"" }, { "tostring(2.0)", "\"2.0\"" },
        { "tonumber(\"12\")", "12" }, { "tonumber(\"1x\")", "null" }, { "tonumber(\"ff\", 16)", "255" }, { "select(\"#\", 1, 2)", "2" },
        { "math.max(1, n)", "3" }, { "math.floor(x)", "2" }, { "math.type(n)", "\"integer\"" }, { "math.pi > 3", "true" }, { "utf8.len(\"äö\")", "2" },
        { "(s):upper()", "\"TEXT\"" }, { "s:sub(2, -2)", "\"ex\"" }, { "string.format(\"%5.1f dB\", x)", "\"  2.5 dB\"" },
        { "(\"ab\"):rep(3, \"-\")", "\"ab-ab-ab\"" },
        { "string.format(\"%s %s\", o.c, {})", "\"{d: [10, 20, 30]} a table\"" },
        { "next(empty) == nil", "true" }, { "next({}) == nil", "true" }, { "table.concat({1, 2, 3}, \"+\")", "\"1+2+3\"" },
        { "table.concat(o.c.d, \",\")", "\"10,20,30\"" },
        { "table.unpack(o.c.d, 2, 2)", "20" }, { "select(3, table.unpack(o.c.d))", "30" }, { "-- a comment\n  n -- another\n", "3" }, { "...", "null" },
        { "(function(a, ...) return a + select(\"#\", ...) end)(1, 2, 3)", "3" }, { "0x10", "16" }, { "1e3", "1000.0" },
        { "'\\u{20AC}\\65\\x42\\z   c'", "\"€ABc\"" },
        { "[==[a]]b]==]", "\"a]]b\"" }, { "\"a\" < \"b\"", "true" }, { "1 < 1.5", "true" }, { "7 & 3 | 8 ~ 1 << 2", "15" }, { "~0", "-1" },
    };

    check_rows(FT_CHUNK_EXPRESSION, rows, ARRAY_LEN(rows));
}

Test(values, blocks)
{
    static const struct row rows[] = {
        { "return {n = n}", "{\"n\":3}" },
        { "local t = list{}\nfor i, v in ipairs(o.c.d) do t[i] = v * 2 end\nreturn t", "[20,40,60]" },
        { "local t = {}\nfor i, v in ipairs(items) do t[i] = v or \"null\" end\nreturn t", "[\"a\",\"null\",\"c\"]" },      /* null does not end it */
        { "local t = {}\nfor k, v in pairs(o) do t[#t + 1] = k end\nreturn t", "[\"a\",\"b\",\"c\"]" },
        { "local t = {}\nfor k, v in pairs({z = 1, a = 2, m = 3, 7, 8}) do t[#t + 1] = tostring(k) end\nreturn t", "[\"1\",\"2\",\"a\",\"m\",\"z\"]" },
        { "local t = {}\nfor k, v in pairs({5, 6}) do t[k] = v end\nreturn t", "[5,6]" },
        { "local t = {a = 1, b = 2, c = 3}\nlocal n = 0\nfor k in pairs(t) do t.b = nil n = n + 1 end\nreturn {n}", "[2]" },
        { "local t = {}\nfor k, v in next, o do t[k] = v end\nreturn {t.a, #t.c.d}", "[1,3]" },
        { "local l = list(objects)\ntable.sort(l, function(a, b) return a.k > b.k end)\nreturn l", "[{\"k\":2},{\"k\":1}]" },
        { "return list(items)", "[\"a\",null,\"c\"]" },
        { "local a <const> = 1\nlocal function f(x) if x == 0 then return 0 end return a + f(x - 1) end\nreturn {f(5)}", "[5]" },
        { "local t = {f = function(self, x) return x + self.n end, n = 1}\nreturn {t:f(2)}", "[3]" },
        { "local i = 0\nrepeat local last = i == 3 i = i + 1 until last\nwhile true do i = i + 1 if i > 9 then break end end\nreturn {i}", "[10]" },
        { "for i = 10, 1, -3 do if i == 4 then return {i} end end\nreturn {}", "[4]" },
        { "return o.c", "{\"d\":[10,20,30]}" },
        { "local t = {}\nt.a, t.b = 1, 2\nfunction t.f() end\nt.f = nil\nreturn t;", "{\"a\":1,\"b\":2}" },
        { "local t = table.pack(table.unpack({1, 2, 3}))\ntable.insert(t, 4) table.insert(t, 1, 0) table.remove(t, 2)\nt.n = nil\nreturn t", "[0,2,3,4]" },
        { "return {(s:gsub(\"t\", \"T\")), s:find(\"x\"), (s:match(\"(e)(x)\"))}", "[\"TexT\",3,\"e\"]" },      /* find gives two, cut to one */
        { "do local x = 1 end\nreturn {x = x}", "{\"x\":2.5}" },
        { "local x = x\nreturn {x}", "[2.5]" },
    };

    check_rows(FT_CHUNK_BLOCK, rows, ARRAY_LEN(rows));
}

/* A value that passes through keeps what a Lua table would lose. */
Test(values, what_passes_through_is_the_same)
{
    static const char *const texts[] = {
        "{}", "[]", "null", "[null]", "{\"a\":null}", "[[],{},null,\"\",0,-0.0,1e300,9223372036854775807]", "{\"z\":1,\"a\":{\"z\":[],\"b\":null}}",
        "\"\\u0001ü\"",
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        char *env_text = ft_asprintf("{\"v\": {\"w\": %s}}", texts[i]);
        struct answer direct = ask(FT_CHUNK_EXPRESSION, "v.w", env_text);
        struct answer nested = ask(FT_CHUNK_EXPRESSION, "{v.w, {k = v.w}}", env_text);
        json_t *want = from_json(texts[i]), *want_nested = json_pack("[O,{s:O}]", want, "k", want);
        char *text = ft_json_text(want), *nested_text = ft_json_text(want_nested);

        cr_expect_str_eq(said(&direct), text);
        if (!json_is_null(want))                     /* a nil in a table is no member */
            cr_expect_str_eq(said(&nested), nested_text);
        free(text);
        free(nested_text);
        json_decref(want);
        json_decref(want_nested);
        answer_done(&direct);
        answer_done(&nested);
        free(env_text);
    }
}
