#include <criterion/criterion.h>
#include <math.h>
#include "base/buf.h"
#include "base/util.h"
#include "data/json.h"

static json_t *parsed(const char *text)
{
    struct ft_err err;
    json_t *value = NULL;

    cr_assert_eq(ft_json_parse(text, strlen(text), 0, &value, &err), 0, "%s: %s", text, err.text);
    return value;
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

/* What is refused, and a piece of the reason. */
static const struct { const char *text, *why; } refused[] = {
    { "",                       "empty" },
    { " ",                      "line 1" },
    { "nul",                    "line 1, column 3" },
    { "{\"a\": 1,\n \"a\": 2}", "duplicate object key near '\"a\"'" },
    { "[1, 2",                  "line 1" },
    { "{} {}",                  "end of file expected" },
    { "{a: 1}",                 "string or '}' expected" },
    { "[1,]",                   "line 1" },
    { "[01]",                   "line 1" },
    { "[9223372036854775808]",  "too big integer" },
    { "[-9223372036854775809]", "too big" },
    { "[1e999]",                "real number overflow" },
    { "\"\xff\"",               "unable to decode byte 0xff" },
    { "\"\\ud800\"",            "line 1" },
    { "\"a\nb\"",               "line 1" },
    { "<html><body>Bad gateway", "invalid token near '<'" },
    { "{\"a\\u0000b\": 1}",     "NUL byte" },
    { "NaN",                    "line 1" },
};

Test(json, refusals_say_where_and_why)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct ft_err err = { 0 };
        json_t *value = NULL;
        int r = ft_json_parse(refused[i].text, strlen(refused[i].text), 0, &value, &err);

        cr_expect_eq(r, -EINVAL, "'%s' gave %d", refused[i].text, r);
        cr_expect_null(value, "'%s'", refused[i].text);
        cr_expect_eq(err.class, FT_INVALID, "'%s'", refused[i].text);
        cr_expect(strstr(err.text, refused[i].why), "'%s': %s", refused[i].text, err.text);
        cr_expect_eq(strncmp(err.text, "not JSON: ", 10), 0, "'%s': %s", refused[i].text, err.text);
        json_decref(value);
    }
}

Test(json, a_refusal_does_not_carry_control_characters)
{
    static const char text[] = "{\"a\": \x1b[2J}";
    struct ft_err err = { 0 };
    json_t *value;

    cr_assert_eq(ft_json_parse(text, strlen(text), 0, &value, &err), -EINVAL);
    for (const char *c = err.text; *c; c++)
        cr_expect((unsigned char)*c >= ' ', "%s", err.text);
}

Test(json, accepts_any_value_a_byte_order_mark_and_the_largest_integers)
{
    static const struct { const char *in, *out; } accepted[] = {
        { "null", "null" }, { " 7 ", "7" }, { "\"x\"", "\"x\"" }, { "\xef\xbb\xbf{}", "{}" },
        { "[9223372036854775807,-9223372036854775808]", "[9223372036854775807,-9223372036854775808]" },
    };

    for (size_t i = 0; i < ARRAY_LEN(accepted); i++) {
        json_auto_t *value = parsed(accepted[i].in);
        char *text = ft_json_text(value);

        cr_expect_str_eq(text, accepted[i].out);
        free(text);
    }
}

static char *nested(char open, char close, size_t depth, const char *inside)
{
    struct ft_buf text = FT_BUF_INIT(0);

    for (size_t i = 0; i < depth; i++)
        ft_buf_addf(&text, open == '{' ? "{\"k\":" : "%c", open);
    ft_buf_adds(&text, inside);
    for (size_t i = 0; i < depth; i++)
        ft_buf_addc(&text, close);
    return ft_buf_take(&text);
}

static int try_nested(char open, char close, size_t depth, const char *inside, struct ft_err *err)
{
    char *text = nested(open, close, depth, inside);
    json_t *value = NULL;
    int r = ft_json_parse(text, strlen(text), 0, &value, err);

    free(text);
    json_decref(value);
    return r;
}

Test(json, depth_is_bounded_and_brackets_in_strings_do_not_count)
{
    struct ft_err err;

    cr_expect_eq(try_nested('[', ']', 256, "1", &err), 0, "%s", err.text);
    cr_expect_eq(try_nested('[', ']', 257, "1", &err), -EINVAL);
    cr_expect_str_eq(err.text, "the JSON text is nested more than 256 levels deep");
    cr_expect_eq(try_nested('{', '}', 256, "1", &err), 0, "%s", err.text);
    cr_expect_eq(try_nested('{', '}', 257, "1", &err), -EINVAL);
    cr_expect_eq(try_nested('[', ']', 256, "\"[[[{{{\\\"[[\\\\\"", &err), 0, "%s", err.text);
    cr_expect_eq(try_nested('[', ']', 255, "\"\\\\\",[[1]]", &err), -EINVAL, "a quote after an escaped backslash ends the string");
}

Test(json, size_is_bounded)
{
    struct ft_err err;
    json_t *value = NULL;

    cr_expect_eq(ft_json_parse("[1,2]", 5, 5, &value, &err), 0);
    json_decref(value);
    cr_expect_eq(ft_json_parse("[1,2]", 5, 4, &value, &err), -EFBIG);
    cr_expect_str_eq(err.text, "the JSON text is larger than 4 bytes");
}

Test(json, a_nul_inside_a_string_survives_and_never_cuts_it)
{
    json_auto_t *value = parsed("{\"host\": \"ap\\u0000x\", \"name\": \"ap\"}");
    char *text = ft_json_text(value);

    cr_expect_str_eq(text, "{\"host\":\"ap\\u0000x\",\"name\":\"ap\"}");
    cr_expect_null(ft_json_str(value, "host"), "half of a name is not the name");
    cr_expect_str_eq(ft_json_str(value, "name"), "ap");
    free(text);
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

static const struct { const char *in, *text, *canonical; } written[] = {
    { "{\"b\":1,\"a\":[true,false,null]}", "{\"b\":1,\"a\":[true,false,null]}", "{\"a\":[true,false,null],\"b\":1}" },
    { "{\"b\":{\"d\":1,\"c\":2},\"B\":0}", "{\"b\":{\"d\":1,\"c\":2},\"B\":0}", "{\"B\":0,\"b\":{\"c\":2,\"d\":1}}" },
    { "0.1",                   "0.1",                   "0.1" },
    { "-70.5",                 "-70.5",                 "-70.5" },
    { "0.30000000000000004",   "0.30000000000000004",   "0.30000000000000004" },
    { "1.0",                   "1.0",                   "1" },
    { "-0.0",                  "-0.0",                  "0" },
    { "1e2",                   "100.0",                 "100" },
    { "1e300",                 "1e+300",                "1e+300" },
    { "-9223372036854775808.0", "-9.223372036854776e+18", "-9223372036854775808" },
    { "9007199254740993",      "9007199254740993",      "9007199254740993" },
    { "\"q\\\"b\\\\n\\nt\\tf\\fr\\rb\\b\"", "\"q\\\"b\\\\n\\nt\\tf\\fr\\rb\\b\"", "\"q\\\"b\\\\n\\nt\\tf\\fr\\rb\\b\"" },
    { "\"\\u0001\\u007f/\"",   "\"\\u0001\\u007f/\"",   "\"\\u0001\\u007f/\"" },
    { "\"gr\\u00f6\\u00dfe \\ud83d\\ude00\"", "\"größe 😀\"", "\"größe 😀\"" },
    { "[[],{}]",               "[[],{}]",               "[[],{}]" },
};

Test(json, text_keeps_order_and_canonical_sorts)
{
    for (size_t i = 0; i < ARRAY_LEN(written); i++) {
        json_auto_t *value = parsed(written[i].in), *again;
        char *text = ft_json_text(value), *canonical = ft_json_canonical(value);

        cr_expect_str_eq(text, written[i].text, "%s gave %s", written[i].in, text);
        cr_expect_str_eq(canonical, written[i].canonical, "%s gave %s", written[i].in, canonical);
        again = parsed(text);
        cr_expect(json_equal(again, value), "%s does not read back as it was", text);
        free(text);
        free(canonical);
    }
}

Test(json, every_double_reads_back_as_it_was)
{
    double numbers[] = { 0.1, 1 / 3.0, 2 / 3.0, 1e-320, 5e-324, 1.7976931348623157e308, 123456789.123456789, -9223372036854775808.0, 4503599627370497.5 };

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        json_auto_t *value = json_real(numbers[i]), *again;
        char *text = ft_json_text(value);

        again = parsed(text);
        cr_expect(json_is_real(again), "%s", text);
        cr_expect_eq(json_real_value(again), numbers[i], "%s", text);
        free(text);
    }
}

Test(json, text_that_is_not_utf_8_does_not_break_the_rest)
{
    json_auto_t *value = json_pack("{s:o, s:i}", "banner", json_string_nocheck("caf\xe9"), "port", 22);
    char *text = ft_json_text(value);

    cr_expect_str_eq(text, "{\"banner\":\"caf\xef\xbf\xbd\",\"port\":22}");
    free(text);
    text = ft_json_text(NULL);
    cr_expect_str_eq(text, "null");
    free(text);
}

Test(json, digests_do_not_depend_on_order_or_notation)
{
    json_auto_t *a = parsed("{\"site\":\"hq\",\"vlan\":10}"), *b = parsed("{ \"vlan\": 10.0, \"site\": \"\\u0068q\" }");
    json_auto_t *c = parsed("{\"site\":\"hq\",\"vlan\":11}");
    char first[65], second[65], third[65];

    ft_json_digest(a, first);
    ft_json_digest(b, second);
    ft_json_digest(c, third);
    cr_expect_str_eq(first, second);
    cr_expect_str_neq(first, third);
}

static const struct { const char *in; size_t max; const char *out; } briefs[] = {
    { "\"connected\"",               40, "connected" },
    { "\"two\\nlines\\t\\u001b[2J\"", 40, "two lines \\x1b[2J" },
    { "-70",                         40, "-70" },
    { "0.1",                         40, "0.1" },
    { "true",                        40, "true" },
    { "null",                        40, "null" },
    { "[1,\"a\",[]]",                40, "[1, a, []]" },
    { "{\"known\":true,\"rssi\":-71}", 40, "{known: true, rssi: -71}" },
    { "{\"known\":true,\"rssi\":-71}", 12, "{known: tru…" },
    { "\"connected\"",               9,  "connected" },
    { "\"connected\"",               8,  "connect…" },
    { "\"größer\"",                  4,  "grö…" },
    { "\"漢字漢字\"",                5,  "漢字…" },
    { "\"漢字漢字\"",                4,  "漢…" },
    { "\"ab\"",                      1,  "…" },
    { "\"ab\"",                      0,  "" },
    { "{\"$unknown\":true,\"why\":\"x\"}", 40, "unknown" },
    { "[{\"$unknown\":true}]",       40, "[unknown]" },
    { "{\"$secret\":{\"env\":\"TOKEN\"}}", 40, "env:TOKEN" },
    { "[{\"$secret\":{\"release\":\"approved\",\"sealed\":\"psk\"}}]", 40, "[sealed:psk]" },
    { "{\"$secret\":{\"env\":\"A\",\"file\":\"b\"}}", 60, "{$secret: {env: A, file: b}}" },
    { "{\"$secret\":1}", 40, "{$secret: 1}" },
};

Test(json, brief_is_one_short_line)
{
    for (size_t i = 0; i < ARRAY_LEN(briefs); i++) {
        json_auto_t *value = parsed(briefs[i].in);
        char *text = ft_json_brief(value, briefs[i].max);

        cr_expect_str_eq(text, briefs[i].out, "%s in %zu: '%s'", briefs[i].in, briefs[i].max, text);
        free(text);
    }
}

/* ---- Looking inside ---------------------------------------------------------------------------------------------- */

Test(json, paths_lead_through_maps_and_lists)
{
    static const struct { const char *path, *found; } paths[] = {
        { "", "{\"ap\":{\"radios\":[{\"band\":5},{\"band\":24}],\"0\":\"zero\"},\"n\":1}" },
        { "n", "1" }, { "ap.radios.1.band", "24" }, { "ap.0", "\"zero\"" }, { "ap.radios.0", "{\"band\":5}" },
        { "ap.radios.2", NULL }, { "ap.radios.-1", NULL }, { "ap.radios.1x", NULL }, { "ap.radios.", NULL }, { "n.x", NULL },
        { "ap.radios.18446744073709551616", NULL }, { "ap.radios.00000000000000000000000001", NULL }, { "missing", NULL },
        { "ap..radios", NULL },
    };
    json_auto_t *value = parsed(paths[0].found);

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        json_t *found = ft_json_path(value, paths[i].path);
        char *text = found ? ft_json_text(found) : NULL;

        cr_expect(ft_streq(text, paths[i].found), "'%s' gave %s", paths[i].path, text ? text : "nothing");
        free(text);
    }
    cr_expect_null(ft_json_path(NULL, "a"));
}

Test(json, members_have_types_and_defaults)
{
    json_auto_t *value = parsed("{\"s\":\"x\",\"i\":7,\"r\":1.5,\"w\":3.0,\"huge\":1e300,\"t\":true,\"n\":null}");

    cr_expect_str_eq(ft_json_str(value, "s"), "x");
    cr_expect_null(ft_json_str(value, "i"));
    cr_expect_null(ft_json_str(value, "missing"));
    cr_expect_null(ft_json_str(NULL, "s"));
    cr_expect_eq(ft_json_int(value, "i", -1), 7);
    cr_expect_eq(ft_json_int(value, "w", -1), 3);
    cr_expect_eq(ft_json_int(value, "r", -1), -1, "1.5 is no integer");
    cr_expect_eq(ft_json_int(value, "huge", -1), -1);
    cr_expect_eq(ft_json_int(value, "s", -1), -1);
    cr_expect_eq(ft_json_int(value, "n", -1), -1);
    cr_expect_eq(ft_json_num(value, "r", -1), 1.5);
    cr_expect_eq(ft_json_num(value, "i", -1), 7);
    cr_expect_eq(ft_json_num(value, "t", -1), -1);
    cr_expect_eq(ft_json_bool(value, "t", false), true);
    cr_expect_eq(ft_json_bool(value, "i", false), false);
    cr_expect_eq(ft_json_bool(value, "missing", true), true);
}

/* ---- Comparing --------------------------------------------------------------------------------------------------- */

static const struct { const char *a, *b; bool equal; } pairs[] = {
    { "1", "1.0", true }, { "0", "-0.0", true }, { "1", "true", false }, { "0", "false", false }, { "\"1\"", "1", false },
    { "9007199254740993", "9007199254740992.0", false },       /* equal once both are doubles */
    { "9223372036854775807", "9223372036854775808.0", false },
    { "-9223372036854775808", "-9223372036854775808.0", true },
    { "[1,2]", "[1.0,2]", true }, { "[1,2]", "[2,1]", false }, { "[1]", "[1,1]", false },
    { "{\"a\":1,\"b\":2}", "{\"b\":2.0,\"a\":1}", true }, { "{\"a\":1}", "{\"a\":1,\"b\":null}", false },
    { "{\"a\":null}", "{\"b\":null}", false }, { "null", "null", true }, { "null", "false", false },
    { "\"a\\u0000b\"", "\"a\\u0000c\"", false }, { "[]", "{}", false },
};

Test(json, numbers_are_equal_by_value_as_in_the_canonical_text)
{
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        json_auto_t *a = parsed(pairs[i].a), *b = parsed(pairs[i].b);
        char *x = ft_json_canonical(a), *y = ft_json_canonical(b);

        cr_expect_eq(ft_json_equal(a, b), pairs[i].equal, "%s and %s", pairs[i].a, pairs[i].b);
        cr_expect_eq(ft_json_equal(b, a), pairs[i].equal, "%s and %s", pairs[i].b, pairs[i].a);
        cr_expect_eq(strcmp(x, y) == 0, pairs[i].equal, "%s and %s", x, y);
        free(x);
        free(y);
    }
}

static const struct { const char *from, *to, *changes; } diffs[] = {
    { "{\"a\":1}", "{\"a\":1.0}", "[]" },
    { "{\"vlan\":10}", "{\"vlan\":20}", "[{\"path\":\"vlan\",\"from\":10,\"to\":20}]" },
    { "{\"a\":{\"b\":[1,2]}}", "{\"a\":{\"b\":[1,3,4]}}",
      "[{\"path\":\"a.b.1\",\"from\":2,\"to\":3},{\"path\":\"a.b.2\",\"to\":4}]" },
    { "{\"a\":1,\"b\":2}", "{\"c\":3,\"a\":1}", "[{\"path\":\"b\",\"from\":2},{\"path\":\"c\",\"to\":3}]" },
    { "{\"a\":null}", "{}", "[{\"path\":\"a\",\"from\":null}]" },
    { "1", "2", "[{\"path\":\"\",\"from\":1,\"to\":2}]" },
    { "{\"a\":[]}", "{\"a\":{}}", "[{\"path\":\"a\",\"from\":[],\"to\":{}}]" },
    { "{\"a\":1}", "{\"a\":{\"$unknown\":true}}", "[{\"path\":\"a\",\"from\":1,\"to\":{\"$unknown\":true}}]" },
    { "{\"a\":{\"x\":1}}", "{\"a\":{\"$unknown\":true}}", "[{\"path\":\"a\",\"from\":{\"x\":1},\"to\":{\"$unknown\":true}}]" },
    { "{\"\":1}", "{\"\":2}", "[{\"path\":\"\",\"from\":1,\"to\":2}]" },
};

Test(json, diff_names_what_differs_and_nothing_else)
{
    for (size_t i = 0; i < ARRAY_LEN(diffs); i++) {
        json_auto_t *from = parsed(diffs[i].from), *to = parsed(diffs[i].to), *changes = ft_json_diff(from, to);
        char *text = ft_json_text(changes);

        cr_expect_str_eq(text, diffs[i].changes, "%s to %s: %s", diffs[i].from, diffs[i].to, text);
        free(text);
    }
}

/* ---- Unknown ----------------------------------------------------------------------------------------------------- */

static const struct { const char *text; bool is, has; } unknowns[] = {
    { "{\"$unknown\":true}", true, true },
    { "{\"$unknown\":true,\"why\":\"restarts\"}", true, true },
    { "{\"$unknown\":false}", false, false },
    { "{\"a\":[1,{\"b\":{\"$unknown\":true}}]}", false, true },
    { "[{\"$unknown\":true}]", false, true },
    { "\"$unknown\"", false, false },
    { "{\"unknown\":true}", false, false },
    { "null", false, false },
};

Test(json, unknown_is_found_at_any_depth)
{
    json_auto_t *made = ft_unknown("it restarts"), *bare = ft_unknown(NULL);

    cr_expect(ft_is_unknown(made));
    cr_expect_str_eq(ft_json_str(made, "why"), "it restarts");
    cr_expect(ft_is_unknown(bare));
    cr_expect_eq(json_object_size(bare), 1);
    for (size_t i = 0; i < ARRAY_LEN(unknowns); i++) {
        json_auto_t *value = parsed(unknowns[i].text);

        cr_expect_eq(ft_is_unknown(value), unknowns[i].is, "%s", unknowns[i].text);
        cr_expect_eq(ft_has_unknown(value), unknowns[i].has, "%s", unknowns[i].text);
    }
    cr_expect_not(ft_has_unknown(NULL));
}
