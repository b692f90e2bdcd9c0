/* A condition that reads what a dry run cannot know is itself unknown; what it does not read does not matter. */
#include "rig.h"

static const char env[] =
    "{\"site\": \"hq\", \"restart\": {\"ok\": {\"$unknown\": true, \"why\": \"restart has not run\"}, \"id\": 7, \"list\": [1, {\"$unknown\": true}, 3]},"
    " \"later\": {\"$unknown\": true}}";

static const struct { const char *text; enum ft_eval eval; const char *value; } rows[] = {
    { "restart.id == 7", FT_EVAL_OK, "true" },
    { "restart.ok", FT_EVAL_UNKNOWN, "restart.ok is not known: restart has not run" },
    { "restart.ok == \"yes\"", FT_EVAL_UNKNOWN, "restart.ok is not known: restart has not run" },     /* not silently false */
    { "restart.ok ~= nil", FT_EVAL_UNKNOWN, "restart.ok is not known: restart has not run" },
    { "not restart.ok", FT_EVAL_UNKNOWN, "restart.ok is not known: restart has not run" },
    { "site == \"hq\" or restart.ok", FT_EVAL_OK, "true" },
    { "site == \"lab\" or restart.ok", FT_EVAL_UNKNOWN, "restart.ok is not known: restart has not run" },
    { "site == \"lab\" and restart.ok", FT_EVAL_OK, "false" },
    { "later", FT_EVAL_UNKNOWN, "later is not known" },
    { "later.field.deeper", FT_EVAL_UNKNOWN, "later is not known" },
    { "restart.list[1]", FT_EVAL_OK, "1" },
    { "restart.list[2]", FT_EVAL_UNKNOWN, "restart.list[2] is not known" },
    { "#restart.list", FT_EVAL_OK, "3" },
    { "contains(restart.list, 1)", FT_EVAL_OK, "true" },
    { "contains(restart.list, 3)", FT_EVAL_UNKNOWN, "restart.list is not known" },
    { "has(restart, \"ok\")", FT_EVAL_OK, "true" },
    { "tostring(restart)", FT_EVAL_UNKNOWN, "restart is not known" },
    { "restart.list", FT_EVAL_OK, "[1,{\"$unknown\":true},3]" },          /* passes through unread */
    { "{a = restart.list}", FT_EVAL_OK, "{\"a\":[1,{\"$unknown\":true},3]}" },
    { "(\"x\"):gsub(\"x\", function() return restart.ok end)", FT_EVAL_UNKNOWN, "restart.ok is not known: restart has not run" },
    { "error(restart.ok)", FT_EVAL_UNKNOWN, "restart.ok is not known: restart has not run" },
};

Test(unknown, ends_the_evaluation)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct answer answer = ask(FT_CHUNK_EXPRESSION, rows[i].text, env);

        cr_expect_eq(answer.eval, rows[i].eval, "'%s' gave %d: %s", rows[i].text, answer.eval, said(&answer));
        if (answer.eval == FT_EVAL_UNKNOWN) {
            json_t *value = from_json(answer.value);

            cr_expect(ft_is_unknown(value));
            cr_expect_str_eq(ft_json_str(value, "why"), rows[i].value, "'%s': %s", rows[i].text, answer.value);
            json_decref(value);
        } else {
            cr_expect_str_eq(said(&answer), rows[i].value, "'%s'", rows[i].text);
        }
        cr_expect(!strstr(answer.reads ? answer.reads : "", "$unknown"), "'%s': %s", rows[i].text, answer.reads);
        answer_done(&answer);
    }
}

Test(unknown, loops_end_where_they_meet_it)
{
    struct answer answer = ask(FT_CHUNK_BLOCK, "local n = 0\nfor _, v in ipairs(restart.list) do n = n + v end\nreturn {n}", env);

    cr_expect_eq(answer.eval, FT_EVAL_UNKNOWN, "%s", said(&answer));
    cr_expect_str_eq(answer.reads, "{\"restart.list[1]\":1}");
    answer_done(&answer);
}
