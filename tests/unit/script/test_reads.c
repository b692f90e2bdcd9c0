/* What an evaluation says that it read. */
#include "rig.h"

static const char env[] =
    "{\"association\": {\"associated\": false, \"rssi\": -71, \"ap\": {\"name\": \"AP-1\", \"radios\": [{\"util\": 81}, {\"util\": 3}]}, \"none\": []},"
    " \"floor\": -70, \"site\": \"hq\", \"odd\": {\"a b\": 1, \"x\\\"y\": 2}, \"long\": \""
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\"}";

static const struct { const char *text, *reads; } rows[] = {
    { "1 + 1", "{}" },
    { "association.associated", "{\"association.associated\":false}" },
    { "association.rssi < floor", "{\"association.rssi\":-71,\"floor\":-70}" },
    { "site == \"hq\" or association.associated", "{\"site\":\"hq\"}" },                 /* the short cut */
    { "association.missing == nil", "{\"association.missing\":null}" },
    { "missing == nil", "{\"missing\":null}" },
    { "association.ap.radios[1].util", "{\"association.ap.radios[1].util\":81}" },
    { "association.ap.radios[3] == nil", "{\"association.ap.radios[3]\":null}" },
    { "#association.ap.radios > 1", "{\"#association.ap.radios\":2}" },
    { "#association.none", "{\"#association.none\":0}" },
    { "association.ap", "{\"association.ap\":\"{name: AP-1, radios: [{util: 81}, {util: 3}]}\"}" },
    { "association.ap == nil", "{\"association.ap\":\"{name: AP-1, radios: [{util: 81}, {util: 3}]}\"}" },
    { "odd[\"a b\"] + odd['x\"y']", "{\"odd[\\\"a b\\\"]\":1,\"odd[\\\"x\\\"y\\\"]\":2}" },
    { "floor + floor + floor", "{\"floor\":-70}" },
    { "has(association, \"rssi\")", "{\"association.rssi\":-71}" },
    { "math.max(floor, 1)", "{\"floor\":-70}" },
    { "contains(association.none, floor)", "{\"association.none\":\"[]\",\"floor\":-70}" },
};

Test(reads, are_noted_by_path)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct answer answer = ask(FT_CHUNK_EXPRESSION, rows[i].text, env);

        cr_expect_eq(answer.eval, FT_EVAL_OK, "'%s': %s", rows[i].text, said(&answer));
        cr_expect_str_eq(answer.reads, rows[i].reads, "'%s' gave %s", rows[i].text, answer.reads);
        answer_done(&answer);
    }
}

Test(reads, are_there_after_an_error_too)
{
    struct answer answer = ask(FT_CHUNK_EXPRESSION, "floor < association.missing", env);

    cr_expect_eq(answer.eval, FT_EVAL_ERROR);
    cr_expect_str_eq(answer.reads, "{\"floor\":-70,\"association.missing\":null}");
    answer_done(&answer);
}

Test(reads, of_long_strings_are_brief)
{
    struct answer answer = ask(FT_CHUNK_EXPRESSION, "#long", env);

    cr_expect_str_eq(answer.value, "230");
    cr_expect_lt(strlen(answer.reads), 100, "%s", answer.reads);
    answer_done(&answer);
}

Test(reads, are_bounded)
{
    struct answer answer = ask(FT_CHUNK_BLOCK, "local n = 0\nfor i = 1, 1000 do n = n + (many[i] or 1) end\nreturn {n}", "{\"many\": [1, 2, 3]}");
    json_t *reads = from_json(answer.reads);

    cr_expect_str_eq(answer.value, "[1003]");
    cr_expect_leq(json_object_size(reads), 101);
    cr_expect_eq(ft_json_int(reads, "many[3]", 0), 3);
    cr_expect_str_eq(ft_json_str(reads, "…"), "more values were read");
    json_decref(reads);
    answer_done(&answer);
}

/* Nothing of one evaluation is found in the next. */
Test(reads, begin_anew)
{
    struct ft_script *script = ft_script_new(NULL);
    struct answer first = ask_in(script, FT_CHUNK_EXPRESSION, "a + b", "{\"a\": 1, \"b\": 2}");
    struct answer second = ask_in(script, FT_CHUNK_EXPRESSION, "b", "{\"b\": 3}");

    cr_expect_str_eq(first.reads, "{\"a\":1,\"b\":2}");
    cr_expect_str_eq(second.reads, "{\"b\":3}");
    answer_done(&first);
    answer_done(&second);
    ft_script_free(script);
}
