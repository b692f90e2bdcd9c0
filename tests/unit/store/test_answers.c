/* What people answered: there for another process at once, taken once, and there after a death. */
#include "fixture.h"

static struct fixture fx;
static void setup(void) { fixture_new(&fx); }
static void teardown(void) { fixture_free(&fx); }
TestSuite(store_answers, .init = setup, .fini = teardown);

static uint64_t put(struct ft_store *store, const char *run, const char *gate, const char *by)
{
    json_t *answer = json_pack("{s:s}", "by", by);
    struct ft_err err = { 0 };
    uint64_t row = 0;

    cr_assert_eq(ft_answer_put(store, run, gate, answer, &row, &err), 0, "%s", err.text);
    cr_assert_gt(row, 0);
    json_decref(answer);
    return row;
}

static const char *by_whom(struct ft_store *store, const char *run, const char *gate, bool taken_too)
{
    static char all[256];
    struct ft_err err = { 0 };
    json_t *list = NULL, *row;
    size_t i;

    all[0] = '\0';
    cr_assert_eq(ft_answers(store, run, gate, taken_too, &list, &err), 0, "%s", err.text);
    json_array_foreach(list, i, row)
        snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s ", ft_json_str(json_object_get(row, "answer"), "by"));
    json_decref(list);
    return all;
}

Test(store_answers, are_seen_by_another_process_and_taken_once)
{
    struct ft_loop *loop = ft_loop_new(NULL);
    struct ft_store *other = NULL;
    struct ft_err err = { 0 };
    int64_t since = 0;
    uint64_t row;

    cr_assert_eq(ft_store_open(loop, fx.path, &other, &err), 0, "%s", err.text);
    ft_store_changed(fx.store, &since);
    cr_expect_not(ft_store_changed(fx.store, &since), "nothing was written");
    row = put(other, "0000000a", "gate", "alice");
    put(other, "0000000a", "gate", "bob");
    put(other, "0000000b", "gate", "carol");
    cr_expect(ft_store_changed(fx.store, &since));
    cr_expect_not(ft_store_changed(fx.store, &since));
    cr_expect_str_eq(by_whom(fx.store, "0000000a", "gate", false), "alice bob ");
    cr_expect_str_eq(by_whom(fx.store, NULL, NULL, false), "alice bob carol ");
    cr_expect_str_eq(by_whom(fx.store, "0000000a", "another", false), "");
    ft_answer_taken(fx.store, "0000000a", row);
    fixture_reopen(&fx);
    cr_expect_str_eq(by_whom(fx.store, "0000000a", NULL, false), "bob ");
    cr_expect_str_eq(by_whom(other, "0000000a", NULL, true), "alice bob ");
    ft_store_close(other);
    ft_loop_free(loop);
}

Test(store_answers, a_note_lies_behind_what_was_appended_before_it)
{
    json_t *due = json_pack("{s:s}", "by", "dora");
    char id[9];

    new_run(fx.store, id);
    append_now(&fx, id, event_of("gate.broken"), FT_COMMIT);
    ft_answer_note(fx.store, id, "review", due);
    json_decref(due);
    fixture_reopen(&fx);
    cr_expect_str_eq(by_whom(fx.store, id, "review", false), "dora ");
}

Test(store_answers, one_that_is_too_long_is_refused)
{
    char *long_text = ft_calloc(1, 300 << 10);
    struct ft_err err = { 0 };
    json_t *answer;

    memset(long_text, 'x', (300 << 10) - 1);
    answer = json_pack("{s:s}", "reason", long_text);
    cr_expect_eq(ft_answer_put(fx.store, "0000000a", "gate", answer, NULL, &err), -EFBIG);
    cr_expect_str_eq(by_whom(fx.store, NULL, NULL, true), "");
    json_decref(answer);
    free(long_text);
}
