/* The check at load: every mistake in one pass, each at its place, with what was probably meant. */
#include "base/buf.h"
#include "rig.h"

static const char schemas[] =
    "{\"association\": {\"type\": \"object\", \"additionalProperties\": false, \"properties\": {"
    "   \"associated\": {\"type\": \"boolean\"}, \"known\": {\"type\": \"boolean\"}, \"rssi\": {\"type\": \"number\"}, \"snr\": {\"type\": "
    "[\"integer\", \"null\"]},"
    "   \"ap_id\": {\"type\": \"string\"}, \"band\": {\"enum\": [\"24\", \"5\", \"6\"]}, \"status\": {\"$ref\": \"#/$defs/status\"},"
    "   \"ap\": {\"type\": \"object\", \"additionalProperties\": false, \"properties\": {\"name\": {\"type\": \"string\"}, \"radios\": "
    "{\"type\": \"array\", \"items\":"
    "     {\"type\": \"object\", \"additionalProperties\": false, \"properties\": {\"util\": {\"type\": \"number\"}}}}}},"
    "   \"events\": {\"type\": \"array\", \"items\": {\"type\": \"string\"}}, \"extra\": {}, \"either\": {\"anyOf\": [{\"type\": "
    "\"string\"}, {\"type\": \"number\"}]}},"
    "   \"$defs\": {\"status\": {\"type\": \"string\", \"enum\": [\"connected\", \"disconnected\"]}}},"
    " \"open\": {\"type\": \"object\", \"additionalProperties\": true, \"properties\": {\"n\": {\"type\": \"integer\"}}},"
    " \"client\": {\"type\": \"string\"}, \"rssi_floor\": {\"type\": \"number\"}, \"any\": true, \"free\": null}";

static bool lookup(void *arg, const char *name, struct ft_name_type *ret, const char **ret_why)
{
    const json_t *schema = json_object_get(arg, name);

    if (strcmp(name, "fix") == 0) {
        *ret_why = "step 'fix' runs after this one: its result is not there yet";
        return false;
    }
    if (!schema)
        return false;
    *ret = (struct ft_name_type){ .root = schema, .schema = json_is_null(schema) ? NULL : schema };
    if (strcmp(name, "association") == 0)
        ret->note = "mist.client_status";
    if (strcmp(name, "client") == 0)
        ret->note = "parameter";
    return true;
}

static const char *const *all(void *arg)
{
    static const char *const names[] = { "association", "open", "client", "rssi_floor", "any", "free", NULL };

    (void)arg;
    return names;
}

/* What the check says of a text, "" when it is right; *ret_read: the names that it reads. */
static char *check(enum ft_chunk_kind kind, const char *text, char **ret_read)
{
    json_t *types = from_json(schemas);
    struct ft_script *script = ft_script_new(NULL);
    struct ft_names names = { .lookup = lookup, .all = all, .arg = types };
    struct ft_diags *diags = ft_diags_new();
    struct ft_chunk *chunk = ft_chunk_compile(script, kind, text, strlen(text), NULL, &names, diags);
    char *said = say_diags(diags);

    cr_expect_eq(chunk != NULL, ft_diags_count(diags) == 0, "'%s'", text);
    *ret_read = ft_strdup("");
    for (const char *const *name = chunk ? ft_chunk_names(chunk) : NULL; name && *name; name++) {
        char *more = ft_asprintf("%s%s ", *ret_read, *name);

        free(*ret_read);
        *ret_read = more;
    }
    ft_chunk_free(chunk);
    ft_diags_free(diags);
    ft_script_free(script);
    json_decref(types);
    return said;
}

/* Right, with the names that each reads. */
static const struct { const char *text, *names; } right[] = {
    { "association.associated", "association " },
    { "association.rssi < rssi_floor and not association.associated", "association rssi_floor " },
    { "association.rssi == nil or association.snr > 20", "association " },
    { "association.status == \"connected\"", "association " },
    { "\"disconnected\" ~= association.status", "association " },
    { "association.band == \"5\"", "association " },
    { "association.ap.radios[1].util > 80", "association " },
    { "#association.events > 0 and association.events[1] == \"x\"", "association " },
    { "association.extra.whatever.deeper", "association " },
    { "association.either == 1 or association.either == \"x\"", "association " },
    { "association[\"rssi\"]", "association " },
    { "open.n + 1 > 2 and open.anything.at.all", "open " },
    { "any.x.y.z < 3 and any == \"s\" and free[1]", "any free " },
    { "client:upper() .. \"x\" == \"Y\"", "client " },
    { "client:match(\"^%x%x:\") ~= nil", "client " },
    { "string.format(\"%s %d\", client, rssi_floor)", "client rssi_floor " },
    { "math.max(association.rssi, rssi_floor, math.pi) < 0", "association rssi_floor " },
    { "(association.ap or {}).name", "association " },
    { "has(association, \"rssi\") and contains(association.events, client)", "association client " },
    { "tostring(association) ~= client", "association client " },
    { "association.ap ~= nil", "association " },
    { "association.associated == true", "association " },
    { "association.known == association.associated", "association " },
    { "rssi_floor * -1 / 2 % 3 ^ 4 // 5", "rssi_floor " },
    { "type(any) == \"string\" and #any or #free", "any free " },
    { "-rssi_floor", "rssi_floor " },
    { "1 .. client", "client " },
    { "tonumber(client) == 1", "client " },
    { "tonumber(client) == nil", "client " },
};

Test(check, lets_through_what_is_right)
{
    for (size_t i = 0; i < ARRAY_LEN(right); i++) {
        char *names, *said_text = check(FT_CHUNK_EXPRESSION, right[i].text, &names);

        cr_expect_str_eq(said_text, "", "'%s': %s", right[i].text, said_text);
        cr_expect_str_eq(names, right[i].names, "'%s' reads %s", right[i].text, names);
        free(said_text);
        free(names);
    }
}

static const struct { const char *text, *said; } wrong[] = {
    /* names and fields */
    { "asociation.associated", "1:1+10: unknown name 'asociation'; did you mean 'association'?" },
    { "1 + rsi_floor", "1:5+9: unknown name 'rsi_floor'; did you mean 'rssi_floor'?" },
    { "something_else_entirely", "1:1+23: unknown name 'something_else_entirely'" },
    { "True", "1:1+4: unknown name 'True'; did you mean 'true'?" },
    { "tostrin(1)", "1:1+7: unknown name 'tostrin'; did you mean 'tostring'?" },
    { "fix.ok", "1:1+3: step 'fix' runs after this one: its result is not there yet" },
    { "association.asociated", "1:1+21: mist.client_status has no field 'asociated'; did you mean 'associated'?" },
    { "association[\"asociated\"]", "1:1+24: mist.client_status has no field 'asociated'; did you mean 'associated'?" },
    { "not association.ap.nam", "1:5+18: 'association.ap' (mist.client_status) has no field 'nam'; did you mean 'name'?" },
    { "association.ap.radios[1].utl > 3",
      "1:1+28: 'association.ap.radios[1]' (mist.client_status) has no field 'utl'; did you mean 'util'?" },
    { "association.zzzzzzzz", "1:1+20: mist.client_status has no field 'zzzzzzzz'" },
    { "has(association, \"asociated\")", "1:5+11: mist.client_status has no field 'asociated'; did you mean 'associated'?" },
    { "client.name", "1:1+11: 'client' is a string and has no field 'name'" },
    { "rssi_floor.x", "1:1+12: 'rssi_floor' is a number and has no field 'x'" },
    { "association.events.count", "1:1+24: 'association.events' is a list and has no field 'count' // its members are [1], [2] …, their number is #" },
    { "association.events[\"a\" .. 1]", "1:1+28: 'association.events' is a list: its members are numbered, and '\"a\" .. 1' is a string" },
    { "association[1]", "1:1+14: 'association' is an object: its members have names, and '1' is a number" },
    { "client[1]", "1:1+9: 'client' is a string and has no members" },
    { "(association.ap or {}).nam", "1:1+26: '(association.ap or {})' (mist.client_status) has no field 'nam'; did you mean 'name'?" },
    /* libraries and calls */
    { "string.uper(client)", "1:1+11: string has no function 'uper'; did you mean 'upper'?" },
    { "client:uper()", "1:1+11: string has no function 'uper'; did you mean 'upper'?" },
    { "math.random()", "1:1+11: math has no function 'random'" },
    { "math:floor(1)", "1:1+10: a function of a library is called with a dot: math.floor(…)" },
    { "math[1]", "1:1+7: 'math' is a library and has no members" },
    { "math(1)", "1:1+4: 'math' is a library, not a function" },
    { "math", "1:1+4: 'math' is a library, not a value" },
    { "math.floor", "1:1+10: 'math.floor' is a function, not a value: call it" },
    { "client(1)", "1:1+6: 'client' is a string, not a function" },
    { "association.ap()", "1:1+14: 'association.ap' is an object, not a function" },
    { "association:restart()", "1:1+19: 'association' is data and has no functions" },
    { "rssi_floor:abs()", "1:1+14: 'rssi_floor' is a number and has no functions" },
    { "client:find(\"[a-\")", "1:13+5: the pattern has a '[' without its ']'" },
    { "string.gsub(client, \"%\", \"\")", "1:21+3: the pattern ends with '%'" },
    /* what can never be right */
    { "association.rssi < \"-70\"", "1:1+24: 'association.rssi < \"-70\"' cannot be: it compares a number with a string" },
    { "association.associated > 1", "1:1+26: 'association.associated > 1' cannot be: it compares true or false with a number" },
    { "association.ap < association.ap", "1:1+31: 'association.ap < association.ap' cannot be: it compares an object with an object" },
    { "association.known < true", "1:1+24: 'association.known < true' cannot be: it compares true or false with true or false" },
    { "association.rssi == \"-70\"", "1:1+25: 'association.rssi == \"-70\"' is always false: it compares a number with a string" },
    { "association.associated ~= \"true\"", "1:1+32: 'association.associated ~= \"true\"' is always true: it compares true or false with a string" },
    { "not association.ap_id == \"x\"",
      "1:1+28: 'not association.ap_id == \"x\"' is always false: it compares true or false with a string // `not` binds first: write not (a == b), or a ~= b" },
    { "association.status == \"conected\"",
    "1:1+32: 'association.status == \"conected\"' is always false: it is never \"conected\"; did you mean 'connected'?" },
    { "\"7\" ~= association.band", "1:1+23: '\"7\" ~= association.band' is always true: it is never \"7\"" },
    { "association.ap == {}", "1:1+20: 'association.ap == {}' does not compare members: compare the fields that matter" },
    { "association.events == association.events",
      "1:1+40: 'association.events == association.events' does not compare members: compare the fields that matter" },
    { "association.ap == null", "1:1+22: 'association.ap == null' compares with null, which is only for writing: a value that is null or absent reads as nil" },
    { "association.ap_id + 1", "1:1+17: '+' needs numbers, and 'association.ap_id' is a string" },
    { "1 // client", "1:6+6: '//' needs numbers, and 'client' is a string" },
    { "-client", "1:2+6: '-' needs a number, and 'client' is a string" },
    { "\"x\" .. association.ap", "1:8+14: '..' needs strings or numbers, and 'association.ap' is an object" },
    { "\"x\" .. association.known", "1:8+17: '..' needs strings or numbers, and 'association.known' is true or false" },
    { "\"x\" .. nil", "1:8+3: '..' needs strings or numbers, and 'nil' is nil" },
    { "#rssi_floor", "1:2+10: '#' needs a list or a string, and 'rssi_floor' is a number" },
    { "#association", "1:2+11: '#' needs a list or a string, and 'association' is an object" },
    { "association.either > true", "1:1+25: 'association.either > true' cannot be: it compares a number or a string with true or false" },
    { "tostring(rssi_floor) == 3", "1:1+25: 'tostring(rssi_floor) == 3' is always false: it compares a string with a number" },
    /* all in one pass */
    { "asociation.x == 1 or association.rsi < 1 and\n  client > 3 or nosuch()",
      "1:1+10: unknown name 'asociation'; did you mean 'association'?\n1:22+15: mist.client_status has no field 'rsi'; did you mean 'rssi'?\n"
      "2:3+10: 'client > 3' cannot be: it compares a string with a number\n2:17+6: unknown name 'nosuch'" },
    /* not Lua */
    { "association.rssi =< 3", "1:18+1: <eof> expected near '=' // to compare, write ==" },
    { "association.rssi = 3", "1:18+1: <eof> expected near '=' // to compare, write ==" },
    { "association.known != true", "1:19+1: <eof> expected near '!' // \"not equal\" is ~=" },
    { "association.known && true", "1:20+1: unexpected symbol near '&' // write `and`" },
    { "association.known || true", "1:20+1: unexpected symbol near '|' // write `or`" },
    { "!association.known", "1:1+1: unexpected symbol near '!' // write `not`" },
    { "(1 + 2", "1:7+1: ')' expected near <eof>" },
    { "1 +", "1:4+1: unexpected symbol near <eof>" },
    { "", "1:1+1: a value is missing here" },
    { "-- nothing", "1:11+1: a value is missing here" },
    { "1, 2", "1:2+1: the expression ends before this" },
    { "1; ", "1:2+1: the expression ends before this" },
    { "return 1", "1:1+6: unexpected symbol near 'return'" },
    { "3x", "1:1+2: malformed number near '3x'" },
    { "\"abc", "1:1+4: unfinished string near <eof>" },
    { "'a\\q'", "1:1+4: invalid escape sequence near ''a\\q'" },
    { "[[abc", "1:1+5: unfinished long string (starting at line 1) near <eof>" },
    { "client $ 3", "1:8+1: <eof> expected near '$'" },
    { "client € 3", "1:8+3: <eof> expected near '<\\226>'" },
    { "f(\n\n", "3:1+1: unexpected symbol near <eof>" },
};

Test(check, finds_every_mistake_of_expressions)
{
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        char *names, *said_text = check(FT_CHUNK_EXPRESSION, wrong[i].text, &names);

        cr_expect_str_eq(said_text, wrong[i].said, "'%s':\n%s", wrong[i].text, said_text);
        free(said_text);
        free(names);
    }
}

static const struct { const char *text, *said; } blocks[] = {
    { "local a = association\nreturn {x = a.rssi, y = a.rsi}", "2:25+5: 'a' (mist.client_status) has no field 'rsi'; did you mean 'rssi'?" },
    { "local a = association\na = open\nreturn {x = a.rsi}", "" },                        /* assigned again: nothing is known */
    { "local a = 1\nlocal b = a .. a\nreturn {a < b}", "3:9+5: 'a < b' cannot be: it compares a number with a string" },
    { "for i, radio in ipairs(association.ap.radios) do\n  if radio.utl > i then return {radio} end\nend\nreturn {}",
      "2:6+9: 'radio' (mist.client_status) has no field 'utl'; did you mean 'util'?" },
    { "for name, value in pairs(association) do\n  if name > 3 then return {value.x} end\nend\nreturn {}",
      "2:6+8: 'name > 3' cannot be: it compares a string with a number" },
    { "for i, v in ipairs(client) do end\nreturn {}", "1:20+6: ipairs needs a list, and 'client' is a string" },
    { "for i, v in association.events do end\nreturn {}",
      "1:13+18: a loop needs what ipairs or pairs return, and 'association.events' is a list // write ipairs(…) or pairs(…)" },
    { "for i = 1, client do end\nreturn {}", "1:12+6: a loop runs over numbers, and 'client' is a string" },
    { "for i = 1 do end\nreturn {}", "1:11+2: ',' expected near 'do'" },
    { "local t = {}\nt.x = asociation\nreturn t", "2:7+10: unknown name 'asociation'; did you mean 'association'?" },
    { "x = 1\ny = 2\nreturn {}",
      "1:1+1: 'x' cannot be set: names are read-only, `local x` makes a variable of your own\n"
      "2:1+1: 'y' cannot be set: names are read-only, `local y` makes a variable of your own" },
    { "local a = association\na.rssi = 1\nreturn {}", "2:1+6: 'a.rssi' cannot be set: values are read-only, return a table of your own" },
    { "local x = 1", "1:1+11: the block returns nothing: end it with return {…}" },
    { "local function f() return 1 end", "1:1+31: the block returns nothing: end it with return {…}" },
    { "", "1:1+0: the block returns nothing: end it with return {…}" },
    { "return", "1:1+6: the block returns nothing: end it with return {…}" },
    { "if client then\n  return {}\n", "3:1+1: 'end' expected (to close 'if' at line 1) near <eof>" },
    { "local function f(x)\n  local y = x\n  return y.z + nosuch\nend\nreturn {f(1)}", "3:16+6: unknown name 'nosuch'" },
    { "local f = function(n) if n == 0 then return 1 end return f(n - 1) end\nreturn {f(3)}", "1:58+1: unknown name 'f'" },
    { "local function f(n) if n == 0 then return 1 end return f(n - 1) end\nreturn {f(3)}", "" },
    { "local x <const> = 1\nx = 2\nreturn {x}", "2:1+1: attempt to assign to const variable 'x'" },
    { "break\nreturn {}", "1:1+5: break outside loop at line 1" },
    { "return {} local x", "1:11+5: <eof> expected near 'local'" },
    { "local a, b = client:find(\"x\")\nreturn {a, b < \"x\"}", "" },
    { "local a, b = 1\nreturn {a, b.x}", "2:12+3: 'b' is nil and has no field 'x'" },
    { "client\nreturn {}", "2:1+6: syntax error near 'return'" },
    { "1 + 1\nreturn {}", "1:1+1: unexpected symbol near '1'" },
    { "f() = 1\nreturn {}", "1:5+1: syntax error near '=' // to compare, write ==" },
    { "local function f(...) return ... end\nlocal function g() return ... end\nreturn {f(g())}",
    "2:27+3: cannot use '...' outside a vararg function near '...'" },
    { "repeat local done = true until done\nreturn {done}", "2:9+4: unknown name 'done'" },
    { "while client do break end\ndo local z end\nreturn {z}", "3:9+1: unknown name 'z'" },
};

Test(check, finds_every_mistake_of_blocks)
{
    for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
        char *names, *said_text = check(FT_CHUNK_BLOCK, blocks[i].text, &names);

        cr_expect_str_eq(said_text, blocks[i].said, "'%s':\n%s", blocks[i].text, said_text);
        free(said_text);
        free(names);
    }
}

/* Deep and long texts are refused or answered, in time. */
Test(check, is_bounded)
{
    static const struct { const char *open, *middle, *close; int times; } shapes[] = {
        { "(", "1", ")", 20000 }, { "{", "", "}", 20000 }, { "not ", "1", "", 10000 }, { "- ", "1", "", 20000 }, { "1 + ", "1", "", 10000 },
        { "1 .. ", "1", "", 10000 }, { "", "any", ".x", 20000 }, { "", "any", "()", 20000 }, { "any[", "1", "]", 10000 },
        { "function() return ", "1", " end", 2000 }, { "1 or ", "1", "", 12000 }, { "{1, ", "1", "}", 10000 }, { "any and ", "1", "", 8000 },
        { "any.x, ", "1", "", 8000 }, { "[", "", "=", 30000 }, { "\"", "", "\\", 30000 }, { "--[[", "", "", 10000 },
    };

    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        struct ft_buf text = FT_BUF_INIT(0);
        char *names, *said_text;

        for (int n = 0; n < shapes[i].times; n++)
            ft_buf_adds(&text, shapes[i].open);
        ft_buf_adds(&text, shapes[i].middle);
        for (int n = 0; n < shapes[i].times; n++)
            ft_buf_adds(&text, shapes[i].close);
        said_text = check(FT_CHUNK_EXPRESSION, ft_buf_str(&text), &names);
        cr_expect(said_text[0], "'%s' … was accepted", shapes[i].open);
        cr_expect_lt(strlen(said_text), 20000, "'%s' … said %zu bytes", shapes[i].open, strlen(said_text));
        free(said_text);
        free(names);
        ft_buf_done(&text);
    }
}

Test(check, takes_no_more_than_64_kib)
{
    struct ft_buf text = FT_BUF_INIT(0);
    char *names, *said_text;

    for (int i = 0; i < 65537; i++)
        ft_buf_addc(&text, ' ');
    said_text = check(FT_CHUNK_EXPRESSION, ft_buf_str(&text), &names);
    cr_expect_str_eq(said_text, "1:1+1: the text is longer than 64 KiB");
    free(said_text);
    free(names);
    ft_buf_done(&text);
}

/* A name of the playbook comes before a library's. */
static bool lookup_shadowing(void *arg, const char *name, struct ft_name_type *ret, const char **ret_why)
{
    (void)ret_why;
    *ret = (struct ft_name_type){ .root = arg, .schema = arg };
    return strcmp(name, "list") == 0 || strcmp(name, "string") == 0;
}

Test(check, own_names_come_first)
{
    json_t *schema = json_pack("{s:s}", "type", "string"), *env = json_pack("{s:s,s:s}", "list", "a", "string", "b");
    struct ft_script *script = ft_script_new(NULL);
    struct ft_names names = { .lookup = lookup_shadowing, .arg = schema };
    struct ft_diags *diags = ft_diags_new();
    static const char text[] = "list .. string .. (\"c\"):upper()", bad[] = "string.upper(list)";
    struct ft_chunk *chunk = ft_chunk_compile(script, FT_CHUNK_EXPRESSION, text, strlen(text), NULL, &names, diags);
    struct ft_eval_result result;
    char *said_text;

    cr_assert_not_null(chunk, "%s", say_diags(diags));
    cr_expect_eq(ft_chunk_eval(chunk, env, &result, NULL), FT_EVAL_OK);
    cr_expect_str_eq(json_string_value(result.value), "abC");
    cr_expect_null(ft_chunk_compile(script, FT_CHUNK_EXPRESSION, bad, strlen(bad), NULL, &names, diags));
    said_text = say_diags(diags);
    cr_expect_str_eq(said_text, "1:1+12: 'string' is a string and has no field 'upper'", "%s", said_text);
    free(said_text);
    ft_eval_result_done(&result);
    ft_chunk_free(chunk);
    ft_diags_free(diags);
    ft_script_free(script);
    json_decref(schema);
    json_decref(env);
}
