/* Values with ${…} in them: what comes out for which names. */
#include <criterion/criterion.h>
#include "../../language/world.h"
#include "base/buf.h"
#include "data/json.h"

static struct world *world;

static void set_up(void) { world = world_new(NULL); }
static void tear_down(void) { world_free(world); }

TestSuite(tmpl, .init = set_up, .fini = tear_down);

/* A playbook whose second step sets `x` to the value; `v` is the result of the first, and may be anything. */
static struct ft_playbook *playbook_with(const char *value)
{
    char *text = ft_asprintf("fettle: 1\nname: t\ntitle: T\nsteps:\n  - id: v\n    lua: return {}\n  - set:\n      x: %s\n    then: done\noutcomes:\n  done: {title: Done}\n", value);
    struct ft_diags *diags = ft_diags_new();
    struct ft_playbook *pb = ft_playbook_parse("t.yaml", text, strlen(text), &world->world, diags);

    if (!pb)
        ft_diags_print(diags, stderr, false);
    cr_assert(pb, "%s", value);
    ft_diags_free(diags);
    free(text);
    return pb;
}

static enum ft_eval fill(const struct ft_playbook *pb, const char *v, json_t **ret, json_t **ret_reads, struct ft_err *err)
{
    char *env_text = ft_asprintf("{'v': %s}", v);
    json_t *env = world_json(env_text);
    struct ft_eval_result r = { 0 };
    enum ft_eval e = ft_tmpl_eval(ft_playbook_steps(pb)->steps[1].sets[0].value, env, &r, err);

    *ret = json_incref(r.value);
    *ret_reads = json_incref(r.reads);
    ft_eval_result_done(&r);
    json_decref(env);
    free(env_text);
    return e;
}

static const struct { const char *value, *v, *gives; } good[] = {
    { "plain", "{}", "'plain'" },
    { "5", "{}", "5" },
    { "[1, a, {b: null}]", "{}", "[1, 'a', {'b': null}]" },
    { "\"${v.n}\"", "{'n': 5}", "5" },                                             /* alone: keeps its type */
    { "\"${v.n}\"", "{'n': 9007199254740993}", "9007199254740993" },               /* 2^53 + 1 */
    { "\"${v.n}\"", "{'n': 1.5}", "1.5" },
    { "\"${v.n}\"", "{'n': [1, {}]}", "[1, {}]" },
    { "\"${v.n}\"", "{'n': []}", "[]" },
    { "\"${v.n}\"", "{'n': null}", "null" },
    { "\"${v.n}\"", "{}", "null" },
    { "\" ${v.n}\"", "{'n': 5}", "' 5'" },                                         /* in a text: written into it */
    { "\"${v.n}${v.m}\"", "{'n': 5, 'm': 'x'}", "'5x'" },
    { "\"a ${v.n} b\"", "{'n': true}", "'a true b'" },
    { "\"a ${v.n} b\"", "{'n': 1.5}", "'a 1.5 b'" },
    { "\"a ${v.n} b\"", "{'n': 0.1}", "'a 0.1 b'" },
    { "\"a ${v.n} b\"", "{'n': ''}", "'a  b'" },
    { "\"$${v.n} $5 $$ ${v.n}\"", "{'n': 5}", "'${v.n} $5 $$ 5'" },
    { "\"$${v.n}\"", "{}", "'${v.n}'" },
    { "{a: \"${v.n}\", b: 1}", "{}", "{'b': 1}" },                                 /* nil: the member is left out */
    { "{a: \"${v.n}\", b: \"${v.m}\"}", "{'m': []}", "{'b': []}" },
    { "{a: {b: [\"${v.n}\"]}}", "{'n': {'c': 1}}", "{'a': {'b': [{'c': 1}]}}" },
    { "\"${v.a and v.b or 'none'}\"", "{'a': 1}", "'none'" },
    { "\"${#v.l}\"", "{'l': [1, 2, 3]}", "3" },
    { "\"${v.s .. '}'}\"", "{'s': '{'}", "'{}'" },
    { "|\n        one ${v.n}\n        two\n", "{'n': 1}", "'one 1\\ntwo\\n'" },
};

Test(tmpl, values_are_filled_in)
{
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct ft_playbook *pb = playbook_with(good[i].value);
        char *wrapped = ft_asprintf("[%s]", good[i].gives);
        json_t *expected = world_json(wrapped), *value, *reads;
        struct ft_err err = { 0 };
        enum ft_eval e = fill(pb, good[i].v, &value, &reads, &err);
        char *got = value ? ft_json_text(value) : ft_strdup(err.text);

        cr_expect_eq(e, FT_EVAL_OK, "%s with v = %s: %s", good[i].value, good[i].v, err.text);
        cr_expect(value && json_equal(value, json_array_get(expected, 0)), "%s with v = %s gave %s", good[i].value, good[i].v, got);
        free(got);
        free(wrapped);
        json_decref(value);
        json_decref(reads);
        json_decref(expected);
        ft_playbook_unref(pb);
    }
}

static const struct { const char *value, *v, *says; } bad[] = {
    { "\"a ${v.n}\"", "{}", "the text \"a ${v.n}\" cannot be written: v.n is nil" },
    { "\"a ${v.n}\"", "{'n': null}", "v.n is nil" },
    { "\"a ${v.n}\"", "{'n': [1]}", "v.n is a list" },
    { "\"a ${v.n}\"", "{'n': {}}", "v.n is an object" },
    { "\"a ${v.n}\"", "{'n': {'$secret': {'env': 'TOKEN'}}}", "v.n is a secret" },
    { "[\"${v.n}\", 5]", "{}", "item 1 of the list is nil: ${v.n}" },
    { "\"${v.n.m}\"", "{}", "n" },
    { "{a: [\"${v.n + 1}\"]}", "{'n': 'x'}", "v.n + 1" },
};

Test(tmpl, what_cannot_be_written_is_an_error)
{
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct ft_playbook *pb = playbook_with(bad[i].value);
        struct ft_err err = { 0 };
        json_t *value, *reads;
        enum ft_eval e = fill(pb, bad[i].v, &value, &reads, &err);

        cr_expect_eq(e, FT_EVAL_ERROR, "%s with v = %s", bad[i].value, bad[i].v);
        cr_expect(strstr(err.text, bad[i].says), "%s with v = %s: %s", bad[i].value, bad[i].v, err.text);
        cr_expect(!strstr(err.text, "TOKEN"), "%s", err.text);
        cr_expect_null(value);
        cr_expect(reads != NULL);
        json_decref(reads);
        ft_playbook_unref(pb);
    }
}

#define UNKNOWN "{'$unknown': true}"
static const struct { const char *value, *v, *gives; } unknown[] = {
    { "\"${v.n}\"", "{'n': " UNKNOWN "}", UNKNOWN },
    { "\"a ${v.n}\"", "{'n': " UNKNOWN "}", UNKNOWN },
    { "{a: \"${v.n}\", b: \"${v.m}\"}", "{'n': " UNKNOWN ", 'm': 5}", "{'a': " UNKNOWN ", 'b': 5}" },       /* in just those places */
    { "[1, \"${v.n}\"]", "{'n': " UNKNOWN "}", "[1, " UNKNOWN "]" },
    { "\"${v.l}\"", "{'l': [1, " UNKNOWN "]}", "[1, " UNKNOWN "]" },
};

Test(tmpl, what_a_dry_run_cannot_know_stays_unknown)
{
    for (size_t i = 0; i < ARRAY_LEN(unknown); i++) {
        struct ft_playbook *pb = playbook_with(unknown[i].value);
        struct ft_err err = { 0 };
        json_t *value, *reads, *expected = world_json(unknown[i].gives), *member;
        enum ft_eval e = fill(pb, unknown[i].v, &value, &reads, &err);
        const char *key;

        cr_expect_eq(e, FT_EVAL_UNKNOWN, "%s with v = %s: %s", unknown[i].value, unknown[i].v, err.text);
        if (ft_is_unknown(value))
            json_object_del(value, "why");
        if (json_is_object(value))
            json_object_foreach(value, key, member)
                if (ft_is_unknown(member))
                    json_object_del(member, "why");
        for (size_t j = 0; j < json_array_size(value); j++)
            json_object_del(json_array_get(value, j), "why");
        cr_expect(json_equal(value, expected), "%s with v = %s", unknown[i].value, unknown[i].v);
        json_decref(value);
        json_decref(reads);
        json_decref(expected);
        ft_playbook_unref(pb);
    }
}

Test(tmpl, reads_of_all_expressions_are_kept)
{
    struct ft_playbook *pb = playbook_with("{a: \"${v.n}\", b: \"to ${v.m}\"}");
    struct ft_err err = { 0 };
    json_t *value, *reads;

    cr_assert_eq(fill(pb, "{'n': 5, 'm': 'x', 'o': 1}", &value, &reads, &err), FT_EVAL_OK);
    cr_expect_eq(json_integer_value(json_object_get(reads, "v.n")), 5);
    cr_expect_str_eq(json_string_value(json_object_get(reads, "v.m")), "x");
    cr_expect_eq(json_object_size(reads), 2);
    json_decref(value);
    json_decref(reads);
    ft_playbook_unref(pb);
}

Test(tmpl, a_text_that_grows_without_end_is_refused)
{
    struct ft_playbook *pb = playbook_with("\"${v.n}${v.n}${v.n}\"");
    struct ft_buf v = FT_BUF_INIT(0);
    struct ft_err err = { 0 };
    json_t *value, *reads;

    ft_buf_adds(&v, "{'n': '");
    for (int i = 0; i < 400000; i++)
        ft_buf_addc(&v, 'x');
    ft_buf_adds(&v, "'}");
    cr_expect_eq(fill(pb, ft_buf_str(&v), &value, &reads, &err), FT_EVAL_ERROR);
    cr_expect(strstr(err.text, "longer than 1 MiB"), "%s", err.text);
    json_decref(reads);
    ft_buf_done(&v);
    ft_playbook_unref(pb);
}

Test(tmpl, the_text_is_kept_as_written)
{
    struct ft_playbook *pb = playbook_with("\"a $${b} ${v.n}\"");

    cr_expect_str_eq(ft_tmpl_text(ft_playbook_steps(pb)->steps[1].sets[0].value), "a $${b} ${v.n}");
    ft_playbook_unref(pb);
}
