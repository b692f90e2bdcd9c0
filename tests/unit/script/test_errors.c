/* A condition that cannot be answered fails with a sentence: place, what is wrong, the expression, and what it read. */
#include "base/buf.h"
#include "rig.h"

static const char env[] =
    "{\"result\": {\"rssi\": null, \"name\": \"AP-1\", \"list\": [1, 2], \"sub\": {}, \"huge\": 1e308}, \"rssi_floor\": -70, \"client\": \"a4:83\"}";

static const struct { const char *text, *sentence; } rows[] = {
    { "result.rssi < rssi_floor",
      "expression:1:1: attempt to compare nil with number: result.rssi < rssi_floor (result.rssi = nil, rssi_floor = -70)" },
    { "rssi_floor > result.name",
      "expression:1:1: attempt to compare string with number: rssi_floor > result.name (rssi_floor = -70, result.name = \"AP-1\")" },
    { "result.missing.deeper == 1",
      "expression:1:1: attempt to index a nil value (field 'missing'): result.missing.deeper == 1 (result.missing = nil)" },
    { "absent.field", "expression:1:1: attempt to index a nil value (name 'absent'): absent.field (absent = nil)" },
    { "result.sub + 1", "expression:1:1: attempt to perform arithmetic on an object (field 'sub'): result.sub + 1 (result.sub = {})" },
    { "client + 1", "expression:1:1: attempt to perform arithmetic on a string value (name 'client'): client + 1 (client = \"a4:83\")" },
    { "result.list .. \"x\"", "expression:1:1: attempt to concatenate a list (field 'list'): result.list .. \"x\" (result.list = [1, 2])" },
    { "#result", "expression:1:1: an object has no length: #result (result = {rssi: null, name: AP-1, list: [1, 2], sub: {}, huge: 1e+30…)" },
    { "result.list.count", "expression:1:1: a list has numbered members, and was asked for 'count': result.list.count (result.list = [1, 2])" },
    { "result.list[0]", "expression:1:1: a list has members from 1 on, and was indexed with 0: result.list[0] (result.list = [1, 2])" },
    { "result.list[1.5]", "expression:1:1: a list has members from 1 on, and was indexed with a number: result.list[1.5] (result.list = [1, 2])" },
    { "result[1]", "expression:1:1: an object has named members, and was indexed with a number: result[1] "
      "(result = {rssi: null, name: AP-1, list: [1, 2], sub: {}, huge: 1e+30…)" },
    { "result.name()", "expression:1:1: attempt to call a string value (field 'name'): result.name() (result.name = \"AP-1\")" },
    { "client:nosuch()", "expression:1:1: attempt to call a nil value (method 'nosuch'): client:nosuch() (client = \"a4:83\")" },
    { "error(\"no \" .. client)", "expression:1:1: no a4:83: error(\"no \" .. client) (client = \"a4:83\")" },
    { "error({})", "expression:1:1: the code raised an error that is a table: error({})" },
    { "error()", "expression:1:1: the code raised an error that is nil: error()" },
    { "assert(result.rssi, \"no signal\")", "expression:1:1: no signal: assert(result.rssi, \"no signal\") (result.rssi = nil)" },
    { "assert(false)", "expression:1:1: assertion failed!: assert(false)" },
    { "result.huge * 10", "expression:1:1: the result is not a number: it is infinite: result.huge * 10 (result.huge = 1e+308)" },
    { "0/0", "expression:1:1: the result is not a number: 0/0 or the like: 0/0" },
    { "{1/0}", "expression:1:1: the result is not a number: it is infinite: {1/0}" },
    { "1//0", "expression:1:1: attempt to divide by zero: 1//0" },
    { "{string.upper}", "expression:1:1: the result has a function in it: {string.upper}" },
    { "{1, nil, 3}", "expression:1:1: the result has a list with gaps: write null for a member that is empty: {1, nil, 3}" },
    { "{1, a = 2}", "expression:1:1: the result has a table with both names and numbers as keys: {1, a = 2}" },
    { "{[1.5] = 2}", "expression:1:1: the result has a table with a number as a key: keys are names or 1, 2, 3 …: {[1.5] = 2}" },
    { "{[true] = 2}", "expression:1:1: the result has a table with true as a key: keys are names or 1, 2, 3 …: {[true] = 2}" },
    { "\"\\xff\"", "expression:1:1: the result has a string that is not UTF-8: \"\\xff\"" },
    { "{[\"\\xff\"] = 1}", "expression:1:1: the result has a name that is not UTF-8: {[\"\\xff\"] = 1}" },
    { "has(client, \"x\")", "expression:1:1: has needs an object, and was given a string: has(client, \"x\") (client = \"a4:83\")" },
    { "contains(absent, 1)", "expression:1:1: contains needs a list, and was given nil: contains(absent, 1) (absent = nil)" },
    { "list(result)", "expression:1:1: list needs a list, and was given an object: list(result) "
      "(result = {rssi: null, name: AP-1, list: [1, 2], sub: {}, huge: 1e+30…)" },
    { "client:rep(-1, 2, 3) .. client:rep(\"x\")",
      "expression:1:1: bad argument #1 to 'rep' (number expected, got string): client:rep(-1, 2, 3) .. client:rep(\"x\") (client = \"a4:83\")" },
    { "client:find(absent)", "expression:1:1: bad argument #1 to 'find' (string expected, got nil): client:find(absent) (client = \"a4:83\", absent = nil)" },
    { "client:find(result.name .. \"(\")",
      "expression:1:1: the pattern has a '(' without its ')': 'AP-1(': client:find(result.name .. \"(\") (client = \"a4:83\", result.name = \"AP-1\")" },
    { "{a = {b = {c = function() end}}}", "expression:1:1: the result has a function in it: {a = {b = {c = function() end}}}" },
    { "absent\n  + 1", "expression:1:1: attempt to perform arithmetic on a nil value (name 'absent'): absent   + 1 (absent = nil)" },
};

Test(errors, are_sentences)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct answer answer = ask(FT_CHUNK_EXPRESSION, rows[i].text, env);

        cr_expect_eq(answer.eval, FT_EVAL_ERROR, "'%s' gave %s", rows[i].text, said(&answer));
        cr_expect_str_eq(said(&answer), rows[i].sentence, "'%s': %s", rows[i].text, said(&answer));
        cr_expect_null(answer.value, "'%s'", rows[i].text);
        answer_done(&answer);
    }
}

static struct ft_mark mark_in_file(const void *arg, size_t offset, size_t len)
{
    const char *text = arg;
    struct ft_mark mark = { .line = 31, .column = 7, .len = (unsigned)len };

    for (size_t i = 0; i < offset; i++) {
        mark.line += text[i] == '\n';
        mark.column = text[i] == '\n' ? 7 : mark.column + 1;
    }
    return mark;
}

static const struct { const char *text, *sentence; } blocks[] = {
    { "local a = result.name\nlocal b = result.rssi\nreturn {a = b + rssi_floor}",
      "p.yaml:33:7: attempt to perform arithmetic on a nil value (local 'b'): return {a = b + rssi_floor} (rssi_floor = -70)" },
    { "local r = result\nif r.rssi < 0 then return {} end\nreturn {1}",
      "p.yaml:32:7: attempt to compare nil with number: if r.rssi < 0 then return {} end (result.rssi = nil)" },
    { "local function f(x)\n  return x.y\nend\nreturn {f(1),\n f(nil)}",
      "p.yaml:32:7: attempt to index a number value (local 'x'): return x.y" },
    { "local t = {}\nfor i = 1, 3 do\n  t[i] = string.rep(\"x\", nil)\nend\nreturn t",
      "p.yaml:33:7: bad argument #2 to 'rep' (number expected, got nil): t[i] = string.rep(\"x\", nil)" },
    { "return 5", "p.yaml:31:7: the block returned a number, not a table: return 5" },
    { "if false then return {} end", "p.yaml:31:7: the block returned nil, not a table: if false then return {} end" },
    { "local t = {}\nt.t = t\nreturn t", "p.yaml:31:7: the result is nested more than 64 deep: local t = {}" },
};

Test(errors, of_blocks_have_the_line_in_the_file)
{
    struct ft_script *script = ft_script_new(NULL);

    for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
        struct ft_text_place place = { .source = "p.yaml", .mark = mark_in_file, .arg = blocks[i].text };
        struct ft_diags *diags = ft_diags_new();
        struct ft_chunk *chunk = ft_chunk_compile(script, FT_CHUNK_BLOCK, blocks[i].text, strlen(blocks[i].text), &place, NULL, diags);
        json_t *values = from_json(env);
        struct ft_eval_result result;
        struct ft_err err = { 0 };

        cr_assert_not_null(chunk, "'%s': %s", blocks[i].text, say_diags(diags));
        cr_expect_eq(ft_chunk_eval(chunk, values, &result, &err), FT_EVAL_ERROR, "'%s'", blocks[i].text);
        cr_expect_str_eq(err.text, blocks[i].sentence, "'%s': %s", blocks[i].text, err.text);
        cr_expect_eq(err.class, FT_INVALID);
        cr_expect_eq(err.code, -EINVAL);
        ft_eval_result_done(&result);
        ft_chunk_free(chunk);
        ft_diags_free(diags);
        json_decref(values);
    }
    ft_script_free(script);
}

/* Long texts and values are cut between characters, and the sentence fits. */
Test(errors, stay_short)
{
    struct ft_buf text = FT_BUF_INIT(0);
    struct answer answer;

    ft_buf_adds(&text, "a + \"");
    for (int i = 0; i < 2000; i++)
        ft_buf_adds(&text, "é");
    ft_buf_adds(&text, "\"");
    answer = ask(FT_CHUNK_EXPRESSION, ft_buf_str(&text), "{\"a\": null}");
    cr_expect(answer.diags != NULL, "%s", said(&answer));        /* a number and a string: seen at load */
    answer_done(&answer);

    ft_buf_clear(&text);
    ft_buf_adds(&text, "a.b == \"");
    for (int i = 0; i < 2000; i++)
        ft_buf_adds(&text, "é");
    ft_buf_adds(&text, "\"");
    answer = ask(FT_CHUNK_EXPRESSION, ft_buf_str(&text), "{\"a\": null}");
    cr_expect_eq(answer.eval, FT_EVAL_ERROR);
    cr_expect_lt(strlen(answer.err.text), 300, "%s", answer.err.text);
    cr_expect_not_null(strstr(answer.err.text, "é… (a = nil)"), "%s", answer.err.text);
    answer_done(&answer);
    ft_buf_done(&text);
}
