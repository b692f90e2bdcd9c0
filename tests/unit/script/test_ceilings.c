/* Whatever code does, it ends, and soon. */
#include <time.h>
#include "rig.h"

static const char env[] =
    "{\"s\": \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\", \"l\": [1, 2, 3]}";

#define INSTRUCTIONS "it ran for more than 1000000 instructions"
#define MEMORY "it needs more than 8 MiB of memory"
#define COPIES "it copies more than 256 MiB in all"
#define STRING "it makes a string of more than 1 MiB"

static const struct { const char *text, *why; } rows[] = {
    { "while true do end", INSTRUCTIONS },
    { "repeat until false", INSTRUCTIONS },
    { "for i = 1, 1e15 do end", INSTRUCTIONS },
    { "local function f() return f() end\nf()\nreturn {}", INSTRUCTIONS },
    { "for k in pairs({}) do end\nlocal t = {}\nwhile true do t[1] = {} end", INSTRUCTIONS },
    { "local t = {}\nfor i = 1, 1e9 do t[i] = i end", INSTRUCTIONS },
    { "local t = {}\nfor i = 1, 1e9 do t[i] = {} end", MEMORY },
    { "local t = {}\nfor i = 1, 1e9 do t[i] = {} t[i - 20000] = nil end", INSTRUCTIONS },
    { "local s = \"x\"\nwhile true do s = s .. s end", STRING },
    { "local t, s = {}, (\"x\"):rep(1e6)\nfor i = 1, 1e6 do t[i] = s .. i end", MEMORY },
    { "local s = (\"x\"):rep(1e6)\nwhile true do local t = s .. \"y\" end", COPIES },
    { "local x = (\"x\"):rep(1e9)", "string.rep would make a string of more than 1 MiB" },
    { "local x = (\"x\"):rep(math.maxinteger)", "string.rep would make a string of more than 1 MiB" },
    { "local x = (\"x\"):rep(2, (\"y\"):rep(1e6))", "string.rep would make a string of more than 1 MiB" },
    { "local x = string.format(\"%99999d\", 1)", "invalid conversion" },
    { "local x = string.format((\"%99d\"):rep(1e4), table.unpack({}, 1, 1e4))", "number expected, got nil" },
    { "local t = {}\nfor i = 1, 100000 do t[i] = \"0123456789\" end\nwhile true do table.concat(t) end", INSTRUCTIONS },
    { "local t = {}\nfor i = 1, 20 do t[i] = (\"x\"):rep(1e5) end\ntable.concat(t)", STRING },
    { "table.unpack({}, 1, 1e8)", INSTRUCTIONS },
    { "table.unpack({}, math.mininteger, math.maxinteger)", INSTRUCTIONS },
    { "local x = (\"x\"):rep(1e6)\nwhile true do x:byte(1, -1) end", "string slice too long|too many bytes|" INSTRUCTIONS "|" MEMORY },
    { "local t = {}\nfor i = 1, 50000 do t[i] = 50000 - i end\nwhile true do table.insert(t, 1, 0) end", INSTRUCTIONS },
    { "local t = {}\nfor i = 1, 50000 do t[i] = 50000 - i end\nwhile true do table.remove(t, 1) table.insert(t, 1) end", INSTRUCTIONS },
    { "local t = {}\nfor i = 1, 50000 do t[i] = i * 7919 % 50021 end\nwhile true do table.sort(t) end", INSTRUCTIONS },
    { "local t = {}\nfor i = 1, 20000 do t[\"k\" .. i] = i end\nwhile true do pairs(t) end", INSTRUCTIONS },
    { "local x = (\"a\"):rep(1e5)\nwhile true do utf8.len(x) end", INSTRUCTIONS },
    { "local x = (\"1\"):rep(1e5)\nwhile true do tonumber(x) end", INSTRUCTIONS },
    { "local x = (\"1\"):rep(1e5)\nwhile true do x:find(\"2\", 1, true) end", INSTRUCTIONS },
    { "local x = (\"1\"):rep(1e5)\nwhile true do x:find(\"2\") end", INSTRUCTIONS },
    { "while true do contains(l, 9) end", INSTRUCTIONS },
    { "while true do tostring(l) end", INSTRUCTIONS },
    { "while true do list(l) end", INSTRUCTIONS },
    /* patterns, each one instruction to Lua's own count */
    { "s:find(\"a*a*a*a*a*a*a*a*c\")", INSTRUCTIONS },
    { "s:match(\"(.-)(.-)(.-)(.-)(.-)(.-)x\")", INSTRUCTIONS },
    { "s:gsub(\"a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?c\", \"\")", INSTRUCTIONS },
    { "for x in s:gmatch(\"a*a*a*a*a*c\") do end", INSTRUCTIONS },
    { "local x = (\"(\"):rep(1e5)\nx:find(\"%b()\")", INSTRUCTIONS },
    { "local x = (\"a\"):rep(1e4)\nx:find(\"(a*)%1b\")", INSTRUCTIONS },
    { "local x = (\"a\"):rep(1e6)\nwhile true do x:gsub(\"a\", \"bb\") end", INSTRUCTIONS "|" STRING },
    /* results */
    { "local t = {}\nfor i = 1, 30 do t = {t, t} end\nreturn t", "the result is larger than a million values or 16 MiB" },
    { "local t, s = {}, (\"x\"):rep(1e6)\nfor i = 1, 100 do t[i] = s end\nreturn t", "the result is larger than a million values or 16 MiB" },
    { "local t = {}\nfor i = 1, 100 do t = {t} end\nreturn t", "the result is nested more than 64 deep" },
};

static bool is_one_of(const char *text, const char *wanted)
{
    char *all = ft_strdup(wanted), *save = NULL;
    bool found = false;

    for (char *one = strtok_r(all, "|", &save); one; one = strtok_r(NULL, "|", &save))
        found = found || strstr(text, one);
    free(all);
    return found;
}

static double cpu_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

Test(ceilings, end_what_would_not)
{
    struct ft_script *script = ft_script_new(NULL);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *text = strstr(rows[i].text, "return") ? ft_strdup(rows[i].text) : ft_asprintf("%s\nreturn {}", rows[i].text);
        double before = cpu_seconds();
        struct answer answer = ask_in(script, FT_CHUNK_BLOCK, text, env);
        double took = cpu_seconds() - before;

        cr_expect_eq(answer.eval, FT_EVAL_ERROR, "'%s' gave %s", text, said(&answer));
        cr_expect(is_one_of(said(&answer), rows[i].why), "'%s': %s", text, said(&answer));
        cr_expect_lt(took, 3.0, "'%s' took %g s", text, took);         /* far below without sanitizers */
        answer_done(&answer);
        free(text);
    }

    /* and the engine is as good as new */
    struct answer answer = ask_in(script, FT_CHUNK_EXPRESSION, "#l + 1", env);

    cr_expect_str_eq(said(&answer), "4");
    answer_done(&answer);
    ft_script_free(script);
}

/* Enough for honest work: a list of 5,000 access points, each looked at. */
Test(ceilings, leave_room_for_honest_work)
{
    struct ft_script *script = ft_script_new(NULL);
    static const char text[] =
        "local busy, names = 0, {}\nfor _, ap in ipairs(aps) do\n  if ap.util > 80 and ap.status == \"connected\" then\n    busy = busy + 1\n"
        "    names[#names + 1] = ap.name:upper()\n  end\nend\ntable.sort(names)\nreturn {busy = busy, first = names[1]}";
    struct ft_diags *diags = ft_diags_new();
    struct ft_chunk *chunk = ft_chunk_compile(script, FT_CHUNK_BLOCK, text, strlen(text), NULL, NULL, diags);
    json_t *aps = json_array(), *env_value = json_pack("{s:o}", "aps", aps);
    struct ft_eval_result result;
    struct ft_err err = { 0 };

    for (int i = 0; i < 5000; i++) {
        char name[16];

        snprintf(name, sizeof(name), "ap-%04d", i);
        json_array_append_new(aps, json_pack("{s:s,s:s,s:i}", "name", name, "status", "connected", "util", i % 100));
    }
    cr_assert_not_null(chunk, "%s", say_diags(diags));
    cr_expect_eq(ft_chunk_eval(chunk, env_value, &result, &err), FT_EVAL_OK, "%s", err.text);
    cr_expect_eq(ft_json_int(result.value, "busy", 0), 950);
    cr_expect_str_eq(ft_json_str(result.value, "first"), "AP-0081");
    ft_eval_result_done(&result);
    json_decref(env_value);
    ft_chunk_free(chunk);
    ft_diags_free(diags);
    ft_script_free(script);
}

/* The data may be larger than what code may make. */
Test(ceilings, long_values_can_be_read)
{
    char *body = ft_calloc(1, (3 << 20) + 1);
    json_t *env_value;
    struct ft_script *script = ft_script_new(NULL);
    struct ft_diags *diags = ft_diags_new();
    static const char text[] = "#body + (body:find(\"needle\", 1, true) or 0)";
    struct ft_chunk *chunk = ft_chunk_compile(script, FT_CHUNK_EXPRESSION, text, strlen(text), NULL, NULL, diags);
    struct ft_eval_result result;
    struct ft_err err = { 0 };

    memset(body, 'x', 3 << 20);
    memcpy(body + 100, "needle", 6);
    env_value = json_pack("{s:s}", "body", body);
    cr_assert_eq(ft_chunk_eval(chunk, env_value, &result, &err), FT_EVAL_OK, "%s", err.text);
    cr_expect_eq(json_integer_value(result.value), (3 << 20) + 101);
    ft_eval_result_done(&result);
    json_decref(env_value);
    free(body);
    ft_chunk_free(chunk);
    ft_diags_free(diags);
    ft_script_free(script);
}

Test(ceilings, can_be_set)
{
    struct ft_script *script = ft_script_new(NULL);
    struct answer answer;

    ft_script_limits(script, 5000, 64 << 10);
    answer = ask_in(script, FT_CHUNK_BLOCK, "for i = 1, 100 do end return {}", env);
    cr_expect_eq(answer.eval, FT_EVAL_OK, "%s", said(&answer));
    answer_done(&answer);
    answer = ask_in(script, FT_CHUNK_BLOCK, "for i = 1, 1e6 do end return {}", env);
    cr_expect(strstr(said(&answer), "it ran for more than 5000 instructions"), "%s", said(&answer));
    answer_done(&answer);
    answer = ask_in(script, FT_CHUNK_BLOCK, "return {(\"x\"):rep(70000)}", env);
    cr_expect(strstr(said(&answer), "it needs more than 0.0625 MiB of memory"), "%s", said(&answer));
    answer_done(&answer);
    ft_script_limits(script, 0, 0);
    answer = ask_in(script, FT_CHUNK_EXPRESSION, "1", env);          /* nothing at all is allowed: it fails, and does not crash */
    cr_expect(said(&answer)[0], "an answer");
    answer_done(&answer);
    ft_script_free(script);
}

/* Ten thousand evaluations that fail in every way leave the engine no larger. */
Test(ceilings, hold_no_memory_back)
{
    struct ft_script *script = ft_script_new(NULL);

    ft_script_limits(script, 1000000, 256 << 10);
    for (int i = 0; i < 300; i++) {
        struct answer full = ask_in(script, FT_CHUNK_BLOCK, "local t = {}\nfor i = 1, 1e6 do t[i] = {} end\nreturn t", env);
        struct answer fits = ask_in(script, FT_CHUNK_BLOCK, "local t = {}\nfor i = 1, 2000 do t[i] = {} end\nreturn {#t}", env);

        cr_expect(strstr(said(&full), "of memory"), "%s", said(&full));
        cr_expect_str_eq(said(&fits), "[2000]", "%d: %s", i, said(&fits));
        answer_done(&full);
        answer_done(&fits);
    }
    ft_script_free(script);
}
