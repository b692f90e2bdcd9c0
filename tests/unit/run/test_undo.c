/* Taking back: the state is looked at first, an undo in doubt is found out, a stuck one is an incident, and nothing is left half-changed. */
#include <criterion/criterion.h>
#include "base/util.h"
#include "data/json.h"
#include "rig.h"

#define HEAD "fettle: 1\nname: t\ntitle: T\ncategory: incident\nlocks: [device/x]\n"
#define TWO HEAD "steps:\n  - {id: a, run: sim.set, with: {key: a, value: 1}, undo: auto}\n" \
    "  - {id: b, run: sim.set, with: {key: b, value: 1}, undo: auto}\n  - {id: z, run: sim.get, with: {key: z}, then: good}\n"

static struct rig rig;
static const char *drift;                /* the state that somebody makes of it */
static const char *at_type;

static void open_rig(void) { rig_open(&rig); }
static void close_rig(void) { rig_done(&rig); }
TestSuite(undo, .init = open_rig, .fini = close_rig, .timeout = 60);

static void expect_way(const char *want)
{
    char *way = rig_way(&rig);

    cr_expect_str_eq(way, want);
    free(way);
}

static void expect_state(const char *want)
{
    json_t *state = rig_read_state(&rig), *wanted = json_loads(want, 0, NULL);
    char *text = ft_json_text(state);

    cr_expect(ft_json_equal(state, wanted), "the state is %s, wanted %s", text, want);
    free(text);
    json_decref(state);
    json_decref(wanted);
}

static size_t locks(void)
{
    json_t *list = NULL;
    struct ft_err err = { 0 };
    size_t n;

    cr_assert_eq(ft_store_locks(rig.store, &list, &err), 0, "%s", err.text);
    n = json_array_size(list);
    json_decref(list);
    return n;
}

/* Somebody changes the device when the run is at that event. */
static void somebody(struct rig *r, const json_t *event)
{
    if (ft_streq(ft_json_str(event, "type"), at_type)) {
        r->on_event = NULL;
        rig_state(r, drift);
    }
}

static void fails_after(const char *state)
{
    rig_state(&rig, "{\"a\":0,\"b\":{\"vlan\":10,\"name\":\"x\"}}");
    rig_trouble(&rig, "{\"get z\":[\"refused\"]}");
    at_type = "step.failed";
    drift = state;
    rig.on_event = somebody;
    rig_run(&rig, TWO, NULL, false);
}

Test(undo, what_the_write_left_behind_is_in_the_journal)
{
    rig_state(&rig, "{\"a\":0}");
    rig_run(&rig, TWO, NULL, false);
    cr_expect_eq(json_integer_value(json_object_get(rig_event(&rig, "step.done", "a"), "after")), 1);
    cr_expect_eq(json_integer_value(json_object_get(rig_event(&rig, "step.done", "b"), "after")), 1);
}

Test(undo, a_look_that_fails_is_no_failure_of_the_write)
{
    rig_trouble(&rig, "{\"plan a\":[\"ok\",\"unreachable\"],\"get z\":[\"refused\"]}");
    rig_run(&rig, TWO, NULL, false);
    cr_expect_null(json_object_get(rig_event(&rig, "step.done", "a"), "after"));
    cr_expect_str_eq(ft_json_str(rig_event(&rig, "step.done", "a"), "after_unknown"), "the device said unreachable");
    expect_way("a:done b:done z:failed b:undone a:undone -> rolled_back");
    cr_expect(json_is_false(json_object_get(rig_event(&rig, "undo.intended", "a"), "checked")));
    cr_expect(json_is_true(json_object_get(rig_event(&rig, "undo.intended", "b"), "checked")));
    expect_state("{}");
}

/* ---- somebody changed it since */

Test(undo, what_somebody_changed_since_is_shown_three_ways)
{
    fails_after("{\"a\":1,\"b\":7}");
    cr_assert(rig.parked && !rig.ended);
    cr_expect_eq(locks(), 1, "an incident keeps its locks");
    const json_t *conflict = rig_event(&rig, "undo.conflict", "b"), *parked = rig_event(&rig, "run.parked", NULL);
    json_t *questions = ft_run_questions(rig.run), *one = json_array_get(json_object_get(conflict, "differences"), 0);

    cr_expect(json_is_true(json_object_get(parked, "incident")));
    cr_expect_eq(ft_json_int(conflict, "mine", 0), 1);
    cr_expect_eq(ft_json_int(conflict, "theirs", 0), 7);
    cr_expect_eq(json_integer_value(ft_json_path(conflict, "base.vlan")), 10);
    cr_expect_eq(ft_json_int(one, "wrote", 0), 1);
    cr_expect_eq(ft_json_int(one, "now", 0), 7);
    cr_expect_eq(json_array_size(json_object_get(json_array_get(questions, 0), "differences")), 1);
    cr_expect_eq(rig_records(&rig, "undo"), 0, "nothing may have been sent");
    json_decref(questions);
}

static const struct { const char *name, *answer, *way, *state; enum ft_run_end end; } answers[] = {
    { "overwrite", "{\"overwrite\":true}", "a:done b:done z:failed b:undone a:undone -> rolled_back", "{\"a\":0,\"b\":{\"vlan\":10,\"name\":\"x\"}}", FT_RUN_ROLLED_BACK },
    { "leave", "{\"leave\":true}", "a:done b:done z:failed a:undone -> rolled_back", "{\"a\":0,\"b\":7}", FT_RUN_ROLLED_BACK },
    { "by hand", "{\"done\":true}", "a:done b:done z:failed b:undone a:undone -> rolled_back", "{\"a\":0,\"b\":7}", FT_RUN_ROLLED_BACK },
};

Test(undo, a_person_says_what_becomes_of_a_conflict)
{
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        if (i) {
            rig_done(&rig);
            rig_open(&rig);
        }
        fails_after("{\"a\":1,\"b\":7}");
        rig_answer(&rig, "b", answers[i].answer);
        cr_expect(rig.ended && rig.end == answers[i].end, "%s", answers[i].name);
        expect_way(answers[i].way);
        expect_state(answers[i].state);
        cr_expect_eq(locks(), 0);
    }
    cr_expect_str_eq(ft_json_str(rig_event(&rig, "undo.done", "b"), "by"), "someone");
}

Test(undo, left_as_it_is_is_recorded_with_a_name)
{
    fails_after("{\"a\":1,\"b\":7}");
    rig_answer(&rig, "b", "{\"leave\":true}");
    cr_expect_str_eq(ft_json_str(rig_event(&rig, "undo.kept", "b"), "by"), "someone");
    cr_expect_str_eq(json_string_value(json_array_get(json_object_get(rig_event(&rig, "run.finished", NULL), "kept"), 0)), "b");
}

/* ---- answered from elsewhere: a row in the store, whoever has the run in hand, and whatever dies */

static void say(const char *answer)
{
    json_t *events = NULL, *open, *given = json_loads(answer, 0, NULL);
    struct ft_err err = { 0 };

    cr_assert_eq(ft_store_events(rig.store, rig_id(&rig), 0, &events, &err), 0, "%s", err.text);
    open = ft_questions_open(events);
    cr_assert_eq(json_array_size(open), 1);
    cr_assert_eq(ft_question_answer(rig.store, rig_id(&rig), json_array_get(open, 0), given, "bob", "elsewhere", "ticket 12", &err), 0, "%s", err.text);
    json_decref(given);
    json_decref(open);
    json_decref(events);
}

Test(undo, answered_elsewhere_while_nobody_has_it)
{
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        if (i) {
            rig_done(&rig);
            rig_open(&rig);
        }
        fails_after("{\"a\":1,\"b\":7}");
        rig_reborn(&rig);
        say(answers[i].answer);
        rig_resume(&rig);
        cr_expect(rig.ended && rig.end == answers[i].end, "%s", answers[i].name);
        expect_way(answers[i].way);
        expect_state(answers[i].state);
        cr_expect_eq(rig_count(&rig, "question.answered"), 1);
        cr_expect_str_eq(ft_json_str(rig_event(&rig, "question.answered", "b"), "by"), "bob");
        cr_expect_str_eq(ft_json_str(rig_event(&rig, "question.answered", "b"), "where"), "elsewhere");
        cr_expect_str_eq(ft_json_str(rig_event(&rig, "question.answered", "b"), "reason"), "ticket 12");
    }
}

static void say_leave(struct rig *r)
{
    (void)r;
    say("{\"leave\":true}");
    rig.on_parked = NULL;
}

Test(undo, answered_elsewhere_while_it_waits_here)
{
    rig.on_parked = say_leave;
    fails_after("{\"a\":1,\"b\":7}");
    rig_pass(&rig, 5000);
    cr_expect(rig.ended && rig.end == FT_RUN_ROLLED_BACK);
    expect_state("{\"a\":0,\"b\":7}");
}

Test(undo, an_overwrite_is_of_what_was_seen)
{
    fails_after("{\"a\":1,\"b\":7}");
    rig_reborn(&rig);
    say("{\"overwrite\":true}");
    rig_state(&rig, "{\"a\":1,\"b\":8}");
    rig_resume(&rig);
    cr_assert(!rig.ended && rig.parked, "somebody changed it once more: that nobody has seen");
    cr_expect_eq(rig_records(&rig, "\"undo\""), 0);
    cr_expect_eq(ft_json_int(rig_event(&rig, "undo.conflict", "b"), "theirs", 0), 8);
    rig_reborn(&rig);
    say("{\"overwrite\":true}");
    rig_resume(&rig);
    cr_expect(rig.ended && rig.end == FT_RUN_ROLLED_BACK);
    expect_state("{\"a\":0,\"b\":{\"vlan\":10,\"name\":\"x\"}}");
}

static unsigned die_after;

static void die_at_event(struct rig *r, const json_t *event)
{
    (void)event;
    if (json_array_size(r->events) == die_after)
        ft_loop_stop(r->loop);
}

Test(undo, an_answer_from_elsewhere_counts_once_whatever_dies, .timeout = 120)
{
    static const char *const said[] = { "{\"overwrite\":true}", "{\"leave\":true}", "{\"done\":true}" };
    static const char *const states[] = { "{\"a\":0,\"b\":{\"vlan\":10,\"name\":\"x\"}}", "{\"a\":0,\"b\":7}", "{\"a\":0,\"b\":7}" };

    for (size_t i = 0; i < ARRAY_LEN(said); i++) {
        for (unsigned more = 1; more < 12; more++) {
            rig_done(&rig);
            rig_open(&rig);
            fails_after("{\"a\":1,\"b\":7}");
            rig_reborn(&rig);
            say(said[i]);
            die_after = (unsigned)json_array_size(rig.events) + more;
            rig.on_event = die_at_event;
            rig_resume(&rig);
            rig.on_event = NULL;
            if (!rig.ended) {
                rig_reborn(&rig);
                rig_resume(&rig);
            }
            cr_assert(rig.ended, "%s, died %u events later: it is asked again", said[i], more);
            expect_state(states[i]);
            cr_expect_leq(rig_records(&rig, "\"key\":\"b\""), 2, "%s, died %u events later", said[i], more);
        }
    }
}

Test(undo, an_answer_to_what_is_not_asked_any_more_is_refused)
{
    fails_after("{\"a\":1,\"b\":7}");
    say("{\"leave\":true}");
    rig_answer(&rig, "b", "{\"done\":true}");
    cr_expect(rig.ended);
    cr_expect_eq(rig_count(&rig, "undo.kept"), 0, "it was answered at the terminal first");
}

Test(undo, what_can_be_compared_is_not_taken_back_unseen)
{
    rig_trouble(&rig, "{\"get z\":[\"refused\"],\"plan b\":[\"ok\",\"ok\",\"denied\",\"denied\"]}");
    rig_run(&rig, TWO, NULL, false);
    cr_assert(rig.parked && !rig.ended, "the look was denied, and it was sent all the same");
    cr_expect_eq(rig_records(&rig, "\"undo\""), 0);
    cr_expect(json_is_true(json_object_get(rig_event(&rig, "undo.failed", "b"), "unseen")));
    rig_reborn(&rig);
    say("{\"overwrite\":true}");                     /* a person who knows that */
    rig_resume(&rig);
    cr_expect(rig.ended && rig.end == FT_RUN_ROLLED_BACK);
    cr_expect(json_is_false(json_object_get(rig_event(&rig, "undo.intended", "b"), "checked")));
    cr_expect_str_eq(ft_json_str(rig_event(&rig, "undo.intended", "b"), "overwrite_by"), "bob");
    expect_state("{}");
}

Test(undo, again_looks_again)
{
    fails_after("{\"a\":1,\"b\":7}");
    rig_answer(&rig, "b", "{\"again\":true}");
    cr_expect(rig.parked && !rig.ended, "it is still something else");
    cr_expect_eq(rig_count(&rig, "undo.conflict"), 2);
    rig_state(&rig, "{\"a\":1,\"b\":1}");
    rig_answer(&rig, "b", "{\"again\":true}");
    cr_expect(rig.ended);
    expect_state("{\"a\":0,\"b\":{\"vlan\":10,\"name\":\"x\"}}");
}

Test(undo, what_is_back_already_is_not_sent)
{
    fails_after("{\"a\":1,\"b\":{\"vlan\":10,\"name\":\"x\"}}");
    cr_expect_eq(rig.end, FT_RUN_ROLLED_BACK);
    expect_way("a:done b:done z:failed b:undone a:undone -> rolled_back");
    cr_expect(json_is_true(json_object_get(rig_event(&rig, "undo.done", "b"), "already")));
    cr_expect_eq(rig_count(&rig, "undo.intended"), 1);
    expect_state("{\"a\":0,\"b\":{\"vlan\":10,\"name\":\"x\"}}");
}

Test(undo, drift_is_found_by_the_next_life_too)
{
    fails_after("{\"a\":1,\"b\":7}");
    rig_reborn(&rig);
    rig_resume(&rig);
    cr_expect(rig.parked && !rig.ended);
    rig_state(&rig, "{\"a\":1,\"b\":1}");
    rig_reborn(&rig);
    rig_resume(&rig);
    cr_expect(rig.ended);
    expect_state("{\"a\":0,\"b\":{\"vlan\":10,\"name\":\"x\"}}");
}

/* ---- an undo whose answer was lost */

static const struct { const char *mode; size_t sent; } lost[] = { { "ambiguous_done", 1 }, { "ambiguous_not", 1 } };

Test(undo, a_lost_answer_is_found_out_by_a_look)
{
    for (size_t i = 0; i < ARRAY_LEN(lost); i++) {
        char *trouble = ft_asprintf("{\"get z\":[\"refused\"],\"undo b\":[\"%s\"]}", lost[i].mode);

        rig_done(&rig);
        rig_open(&rig);
        rig_trouble(&rig, trouble);
        rig_run(&rig, TWO, NULL, false);
        cr_expect_eq(rig.end, FT_RUN_ROLLED_BACK, "%s", lost[i].mode);
        cr_expect_eq(rig_records(&rig, "\"undo\",\"params\":{\"key\":\"b\""), lost[i].sent, "%s: the device saw it %zu times", lost[i].mode,
                     rig_records(&rig, "\"undo\",\"params\":{\"key\":\"b\""));
        expect_state("{}");
        free(trouble);
    }
}

#define DIM HEAD "steps:\n  - {id: d, run: sim.dim, with: {key: d, value: 1}, undo: auto}\n  - {id: z, run: sim.get, with: {key: z}, then: good}\n"

Test(undo, what_nothing_can_tell_is_asked_and_not_sent_again)
{
    rig_trouble(&rig, "{\"get z\":[\"refused\"],\"undo d\":[\"ambiguous_done\"]}");
    rig_run(&rig, DIM, NULL, false);
    cr_assert(rig.parked && !rig.ended);
    json_t *questions = ft_run_questions(rig.run);

    cr_expect(json_is_true(json_object_get(json_array_get(questions, 0), "doubt")));
    json_decref(questions);
    cr_expect_eq(rig_records(&rig, "undo"), 1);
    rig_reborn(&rig);
    rig_resume(&rig);
    cr_assert(rig.parked && !rig.ended, "a new life knows no more");
    cr_expect_eq(rig_records(&rig, "undo"), 1);
    rig_answer(&rig, "d", "{\"again\":true}");
    cr_expect(rig.ended);
    cr_expect_eq(rig_records(&rig, "undo"), 2, "a person may have it sent");
}

#define CALLS HEAD "steps:\n  - {id: c, run: sim.blind, with: {key: c, value: 1}, undo: {run: %s, with: {key: c, value: 0}}}\n  - {id: z, run: sim.get, with: {key: z}, then: good}\n"

static const struct { const char *action, *mode; size_t sent; } calls[] = {
    { "sim.set", "ambiguous_done", 1 },              /* its probe says that it happened */
    { "sim.set", "ambiguous_not", 1 },
    { "sim.idem", "ambiguous_done", 2 },             /* safe to repeat */
};

Test(undo, a_call_in_doubt_is_probed_or_repeated_where_that_is_safe)
{
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        char *yaml = ft_asprintf(CALLS, calls[i].action), *trouble = ft_asprintf("{\"get z\":[\"refused\"],\"set c\":[\"ok\",\"%s\"]}", calls[i].mode);

        rig_done(&rig);
        rig_open(&rig);
        rig_trouble(&rig, trouble);
        rig_run(&rig, yaml, NULL, false);
        cr_expect_eq(rig.end, FT_RUN_ROLLED_BACK, "%s %s", calls[i].action, calls[i].mode);
        cr_expect_eq(rig_records(&rig, "\"value\":0"), calls[i].sent, "%s %s: sent %zu times", calls[i].action, calls[i].mode, rig_records(&rig, "\"value\":0"));
        expect_state("{\"c\":0}");
        free(yaml);
        free(trouble);
    }
}

Test(undo, a_call_in_doubt_that_nothing_can_tell_is_asked)
{
    char *yaml = ft_asprintf(CALLS, "sim.blind");

    rig_trouble(&rig, "{\"get z\":[\"refused\"],\"set c\":[\"ok\",\"ambiguous_done\"]}");
    rig_run(&rig, yaml, NULL, false);
    cr_assert(rig.parked && !rig.ended);
    rig_answer(&rig, "c", "{\"done\":true}");
    cr_expect_eq(rig.end, FT_RUN_ROLLED_BACK);
    cr_expect_eq(rig_records(&rig, "\"value\":0"), 1);
    free(yaml);
}

/* ---- the target is away */

Test(undo, a_target_that_comes_back_in_time_is_waited_for)
{
    rig_trouble(&rig, "{\"get z\":[\"refused\"],\"plan b\":[\"ok\",\"ok\",\"unreachable\",\"timeout\"],\"undo b\":[\"unreachable\",\"refused\"]}");
    rig_run(&rig, TWO, NULL, false);
    cr_expect_eq(rig.end, FT_RUN_ROLLED_BACK);
    cr_expect_eq(rig_count(&rig, "undo.attempt"), 4);
    expect_state("{}");
}

Test(undo, what_an_unproven_write_left_is_asked_for_too_and_a_stuck_one_parks)
{
    rig_state(&rig, "{\"a\":0}");
    rig_trouble(&rig, "{\"undo a\":[\"denied\"]}");
    rig_run(&rig, HEAD "steps:\n  - id: a\n    run: sim.set\n    with: {key: a, value: 1}\n    verify: {run: sim.get, with: {key: a}, until: result.value == 5, every: 5s, within: 10s}\n"
                       "    undo: auto\n    on_error: bad\n    then: good\n", NULL, false);
    cr_assert(rig.parked && !rig.ended);
    cr_expect_eq(ft_json_int(rig_event(&rig, "step.unproven", "a"), "after", 0), 1);
    cr_expect(!json_object_get(rig_event(&rig, "step.unproven", "a"), "stays"));
    rig_answer(&rig, "a", "{\"again\":true}");
    cr_expect(rig.ended);
    expect_way("a:undone a:failed -> bad");
    expect_state("{\"a\":0}");
}

/* The journal keeps no secrets: putting back what it has would write the asterisks. */
Test(undo, what_holds_a_secret_is_never_put_back_as_asterisks)
{
    ft_secret_learn(rig.secrets, "hush-hush-42");
    rig_state(&rig, "{\"a\":\"psk hush-hush-42\"}");
    rig_run(&rig, HEAD "steps:\n  - id: a\n    run: sim.set\n    with: {key: a, value: 1}\n    verify: {run: sim.get, with: {key: a}, until: result.value == 5, every: 5s, within: 10s}\n"
                       "    undo: auto\n    on_error: bad\n    then: good\n", NULL, false);
    cr_assert(rig.parked && !rig.ended);
    cr_expect(strstr(ft_json_str(rig_event(&rig, "undo.failed", "a"), "error"), "holds a secret"), "%s", ft_json_str(rig_event(&rig, "undo.failed", "a"), "error"));
    expect_state("{\"a\":1}");
    rig_answer(&rig, "a", "{\"done\":true}");
    cr_expect(rig.ended);
}

Test(undo, nobody_is_told_that_a_write_without_an_undo_is_taken_back)
{
    rig_state(&rig, "{\"a\":0}");
    rig_run(&rig, HEAD "steps:\n  - id: a\n    run: sim.set\n    with: {key: a, value: 1}\n    verify: {run: sim.get, with: {key: a}, until: result.value == 5, every: 5s, within: 10s}\n"
                       "    undo: none\n    on_error: bad\n    then: good\n", NULL, false);
    cr_expect(json_is_true(json_object_get(rig_event(&rig, "step.unproven", "a"), "stays")));
    expect_way("a:failed -> bad");
    expect_state("{\"a\":1}");
}

Test(undo, two_unproven_writes_side_by_side_are_both_taken_back)
{
    rig_trouble(&rig, "{\"undo x\":[\"unreachable\"]}");
    rig_run(&rig, HEAD "steps:\n  - id: both\n    parallel:\n"
                       "      x: {run: sim.set, with: {key: x, value: 1}, verify: {run: sim.get, with: {key: x}, until: result.value == 5, every: 5s, within: 10s}, undo: auto}\n"
                       "      yy: {run: sim.set, with: {key: yy, value: 1}, verify: {run: sim.get, with: {key: yy}, until: result.value == 5, every: 5s, within: 10s}, undo: auto}\n"
                       "    on_error: bad\n    then: good\n", NULL, false);
    cr_expect(rig.ended);
    expect_way("both/x:undone both/x:failed both/yy:undone both/yy:failed both:failed -> bad");
    expect_state("{}");
}

/* ---- hours later: a run that is over */

struct told { json_t *plan; };

static void plan_there(void *arg, json_t *plan)
{
    ((struct told *)arg)->plan = plan;
    ft_loop_stop(rig.loop);
}

static json_t *undo_plan(const struct ft_undo_opts *opts)
{
    struct told told = { 0 };
    struct ft_undo_plan *plan = NULL;
    struct ft_err err = { 0 };

    cr_assert_eq(ft_run_undo_plan(rig.engine, rig_id(&rig), opts, plan_there, &told, &plan, &err), 0, "%s", err.text);
    ft_loop_run(rig.loop);
    ft_undo_plan_free(plan);
    return told.plan;
}

#define THREE HEAD "steps:\n  - {id: a, run: sim.set, with: {key: a, value: 1}, undo: auto}\n  - id: both\n    parallel:\n" \
    "      x: {run: sim.set, with: {key: x, value: 1}, undo: {run: sim.set, with: {key: x, value: 0}}}\n" \
    "      yy: {run: sim.set, with: {key: yy, value: 1}, undo: auto}\n" \
    "  - id: each\n    for_each: \"${ {'p','q'} }\"\n    as: key\n    steps:\n      - {id: put, run: sim.set, with: {key: \"${key}\", value: 1}, undo: auto}\n    then: good\n"
#define BEFORE "{\"a\":0,\"x\":0,\"yy\":5,\"p\":6,\"q\":7}"

static const struct ft_undo_opts alice = { .who = "alice", .reason = "wrong ports" };

Test(undo, a_run_of_hours_ago_is_taken_back)
{
    rig_state(&rig, BEFORE);
    rig_run(&rig, THREE, NULL, false);
    cr_assert_eq(rig.end, FT_RUN_OK);
    rig_reborn(&rig);
    ft_clock_advance(rig.clock, 5ull * 3600 * 1000 * 1000);
    cr_assert_eq(rig_undo(&rig, &alice), 0);
    cr_expect_eq(rig.end, FT_RUN_ROLLED_BACK);
    expect_state(BEFORE);
    cr_expect_str_eq(ft_json_str(rig_event(&rig, "run.reopened", NULL), "by"), "alice");
    cr_expect_str_eq(ft_json_str(rig_event(&rig, "run.reopened", NULL), "why"), "wrong ports");
    cr_expect_str_eq(ft_json_str(rig_event(&rig, "run.finished", NULL), "status"), "rolled_back");
    cr_expect_lt(ft_json_int(rig_event(&rig, "run.finished", NULL), "ms", -1), 60000, "the hours between are not its own");
    expect_way("a:done both/x:done both/yy:done both:done each[0]/put:done each[1]/put:done each:done -> good"
               "each[1]/put:undone each[0]/put:undone both/yy:undone both/x:undone a:undone -> rolled_back");
    cr_expect_eq(locks(), 0);
}

Test(undo, what_would_be_done_is_shown_and_nothing_is_touched)
{
    rig_state(&rig, BEFORE);
    rig_run(&rig, THREE, NULL, false);
    rig_state(&rig, "{\"a\":9,\"x\":1,\"yy\":1,\"p\":1,\"q\":7}");
    json_t *plan = undo_plan(&alice), *writes = json_object_get(plan, "writes");

    cr_assert_eq(json_array_size(writes), 5);
    cr_expect_str_eq(ft_json_str(json_array_get(writes, 0), "path"), "each[1]/put");
    cr_expect_str_eq(ft_json_str(json_array_get(writes, 0), "state"), "back");
    cr_expect_str_eq(ft_json_str(json_array_get(writes, 1), "state"), "as_written");
    cr_expect_str_eq(json_string_value(ft_json_path(json_array_get(writes, 3), "plan.summary")), "set x", "the request of the undo's call");
    cr_expect_str_eq(ft_json_str(json_array_get(writes, 4), "state"), "changed");
    cr_expect_eq(ft_json_int(json_array_get(json_object_get(json_array_get(writes, 4), "differences"), 0), "now", 0), 9);
    cr_expect_eq(rig_records(&rig, NULL), 0);
    json_decref(plan);
    cr_expect_eq(rig_count(&rig, "run.reopened"), 0);
    expect_state("{\"a\":9,\"x\":1,\"yy\":1,\"p\":1,\"q\":7}");
}

#define PLAIN HEAD "steps:\n  - {id: a, title: Set a, run: sim.set, with: {key: a, value: 1}, undo: auto}\n  - {id: once, title: Restart, run: sim.blind, with: {key: once, value: 1}, undo: none}\n"

Test(undo, what_has_no_undo_and_stays_is_said)
{
    const json_t *stands;

    rig_trouble(&rig, "{\"get z\":[\"refused\"]}");
    rig_run(&rig, PLAIN "  - {id: z, run: sim.get, with: {key: z}, then: good}\n", NULL, false);
    cr_expect_eq(rig.end, FT_RUN_ROLLED_BACK);
    cr_expect_str_eq(ft_json_str(json_array_get(json_object_get(rig_event(&rig, "rollback.started", NULL), "without"), 0), "title"), "Restart");
    stands = json_object_get(rig_event(&rig, "run.finished", NULL), "stands");
    cr_assert_eq(json_array_size(stands), 1);
    cr_expect_str_eq(ft_json_str(json_array_get(stands, 0), "path"), "once");
    cr_expect(json_is_false(json_object_get(json_array_get(stands, 0), "undo")));
}

static void cancel_at_z(struct rig *r, const json_t *event)
{
    if (ft_streq(ft_json_str(event, "type"), "step.started") && ft_streq(ft_json_str(event, "path"), "z")) {
        r->on_event = NULL;
        ft_run_cancel(r->run, "somebody", false, false);
    }
}

Test(undo, what_a_cancelled_run_leaves_is_said)
{
    const json_t *stands;

    rig.on_event = cancel_at_z;
    rig_run(&rig, PLAIN "  - {id: z, run: sim.get, with: {key: z}}\n  - {id: y1, run: sim.get, with: {key: z}, then: good}\n", NULL, false);
    cr_expect_eq(rig.end, FT_RUN_CANCELLED);
    stands = json_object_get(rig_event(&rig, "run.finished", NULL), "stands");
    cr_assert_eq(json_array_size(stands), 2);
    cr_expect(json_is_true(json_object_get(json_array_get(stands, 0), "undo")));
    rig_run(&rig, PLAIN "  - {id: z, run: sim.get, with: {key: z}}\n  - {id: y1, run: sim.get, with: {key: z}, then: good}\n", NULL, false);
    cr_expect_null(json_object_get(rig_event(&rig, "run.finished", NULL), "stands"), "it ended as it should");
}

Test(undo, what_a_run_that_is_not_over_would_take_back_is_shown_too)
{
    struct ft_undo_opts now = { .who = "alice", .as_it_is = true };
    json_t *plan, *writes;

    rig_run(&rig, PLAIN "  - {id: gate, approve: May I?, then: good}\n", NULL, false);
    cr_assert(rig.parked);
    plan = undo_plan(&now);
    writes = json_object_get(plan, "writes");
    cr_assert_eq(json_array_size(writes), 1);
    cr_expect_str_eq(ft_json_str(json_array_get(writes, 0), "path"), "a");
    cr_expect(json_is_false(json_object_get(plan, "over")));
    cr_expect_str_eq(ft_json_str(json_array_get(json_object_get(plan, "without"), 0), "path"), "once");
    json_decref(plan);
    cr_expect_eq(rig_count(&rig, "run.reopened"), 0);
}

Test(undo, of_one_step_it_is_said_why_not)
{
    static const struct { const char *step, *words; } steps[] = { { "once", "has no undo" }, { "a", "was taken back already" }, { "nowhere", "has no write at 'nowhere'" } };
    struct ft_undo_plan *plan = NULL;
    struct ft_err err = { 0 };

    rig_run(&rig, PLAIN "  - {id: z, run: sim.get, with: {key: z}, then: good}\n", NULL, false);
    cr_assert_eq(rig_undo(&rig, &(struct ft_undo_opts){ .who = "alice", .step = "a" }), 0);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        cr_expect_lt(ft_run_undo_plan(rig.engine, rig_id(&rig), &(struct ft_undo_opts){ .who = "alice", .step = steps[i].step }, plan_there, NULL, &plan, &err), 0);
        cr_expect(strstr(err.text, steps[i].words), "%s: %s", steps[i].step, err.text);
    }
}

Test(undo, an_item_is_called_by_its_name)
{
    rig_trouble(&rig, "{\"set q\":[\"refused\"]}");
    rig_run(&rig, HEAD "steps:\n  - id: each\n    for_each: [p, q]\n    as: key\n    steps:\n      - {id: put, title: Put it, run: sim.set, with: {key: \"${key}\", value: 1}, undo: auto}\n"
                       "    then: good\n", NULL, false);
    cr_expect_str_eq(ft_json_str(rig_event(&rig, "undo.done", "each[0]/put"), "title"), "Put it · p");
    cr_expect(strstr(ft_json_str(rig_event(&rig, "step.failed", "each"), "error"), "Put it · q: the device said refused"), "%s", ft_json_str(rig_event(&rig, "step.failed", "each"), "error"));
}

Test(undo, twice_is_once)
{
    struct ft_err err = { 0 };
    struct ft_undo_plan *plan = NULL;

    rig_state(&rig, BEFORE);
    rig_run(&rig, THREE, NULL, false);
    cr_assert_eq(rig_undo(&rig, &alice), 0);
    size_t sent = rig_records(&rig, NULL);

    cr_expect_eq(rig_undo(&rig, &alice), -ENODATA);
    cr_expect_eq(ft_run_undo_plan(rig.engine, rig_id(&rig), &alice, plan_there, NULL, &plan, &err), -ENODATA);
    cr_expect(strstr(err.text, "5 writes were taken back already"), "%s", err.text);
    cr_expect_eq(rig_records(&rig, NULL), sent);
    expect_state(BEFORE);
}

Test(undo, one_step_of_a_run)
{
    struct ft_undo_opts one = alice;
    size_t at;

    rig_state(&rig, BEFORE);
    rig_run(&rig, THREE, NULL, false);
    one.step = "both/x";
    cr_expect_eq(rig_undo(&rig, &one), -EBUSY, "sim does not say at what it aims: a later write may rest on it");
    one.step = "nowhere";
    cr_expect_eq(rig_undo(&rig, &one), -ENOENT);
    one.step = "each[1]/put";
    cr_expect_eq(rig_undo(&rig, &one), 0);
    expect_state("{\"a\":1,\"x\":1,\"yy\":1,\"p\":1,\"q\":7}");
    cr_expect_str_eq(ft_json_str(rig_event(&rig, "run.finished", NULL), "status"), "finished", "the others stand");
    cr_expect_eq(rig.end, FT_RUN_ROLLED_BACK);
    one.step = "both/yy";
    one.and_later = true;
    cr_expect_eq(rig_undo(&rig, &one), 0);
    expect_state("{\"a\":1,\"x\":1,\"yy\":5,\"p\":6,\"q\":7}");
    at = json_array_size(rig.events);
    cr_expect_eq(rig_undo(&rig, &alice), 0);
    expect_state(BEFORE);
    cr_expect_gt(json_array_size(rig.events), at);
    cr_expect_str_eq(ft_json_str(rig_event(&rig, "run.finished", NULL), "status"), "rolled_back");
}

Test(undo, only_a_run_that_is_over)
{
    rig_run(&rig, HEAD "steps:\n  - {id: a, run: sim.set, with: {key: a, value: 1}, undo: auto}\n  - {id: gate, approve: May I?, then: good}\n", NULL, false);
    cr_assert(rig.parked);
    cr_expect_eq(rig_undo(&rig, &alice), -EINVAL);
    rig_done(&rig);
    rig_open(&rig);
    rig_run(&rig, TWO, NULL, true);
    cr_expect_eq(rig_undo(&rig, &alice), -EINVAL, "a dry run");
    rig_done(&rig);
    rig_open(&rig);
    rig_run(&rig, HEAD "steps:\n  - {id: a, run: sim.get, with: {key: a}, then: good}\n", NULL, false);
    cr_expect_eq(rig_undo(&rig, &alice), -ENODATA);
}

Test(undo, a_lock_that_another_run_holds_is_respected)
{
    static const char *const keys[] = { "device/x" };
    json_t *list = json_array();
    struct ft_err err = { 0 };
    char *holder = NULL, other[9];

    rig_state(&rig, BEFORE);
    rig_run(&rig, THREE, NULL, false);
    ft_store_new_id(rig.store, other);
    json_array_append_new(list, json_string(keys[0]));
    cr_assert_eq(ft_store_lock(rig.store, other, list, "another run", &holder, &err), 0);
    cr_expect_eq(rig_undo(&rig, &alice), -EBUSY);
    cr_expect_eq(rig_count(&rig, "run.reopened"), 0);
    ft_store_unlock(rig.store, other);
    cr_expect_eq(rig_undo(&rig, &alice), 0);
    expect_state(BEFORE);
    json_decref(list);
    free(holder);
}

/* ---- on the way out */

static void cancel_at_gate(struct rig *r)
{
    if (!r->on_parked)
        return;
    r->on_parked = NULL;
    r->parked = false;
    ft_run_cancel(r->run, "somebody", false, true);
}

Test(undo, a_run_cancelled_at_its_gate_says_that_the_undo_is_stuck)
{
    rig_trouble(&rig, "{\"undo a\":[\"denied\"]}");
    rig.on_parked = cancel_at_gate;
    rig_run(&rig, HEAD "steps:\n  - {id: a, run: sim.set, with: {key: a, value: 1}, undo: auto}\n  - {id: gate, approve: May I?, then: good}\n", NULL, false);
    cr_assert(rig.parked && !rig.ended);
    cr_expect(json_is_true(json_object_get(rig_event(&rig, "run.parked", NULL), "incident")));
    rig_answer(&rig, "a", "{\"again\":true}");
    cr_expect_eq(rig.end, FT_RUN_CANCELLED);
    expect_state("{}");
}

static void cancel_at_slow(struct rig *r, const json_t *event)
{
    if (ft_streq(ft_json_str(event, "type"), "step.done") && ft_streq(ft_json_str(event, "path"), "each[0]/put")) {
        r->on_event = NULL;
        ft_run_cancel(r->run, "somebody", false, true);
    }
}

Test(undo, items_side_by_side_that_end_at_different_times_can_be_cancelled)
{
    rig_trouble(&rig, "{\"get q\":[\"wait:60000\"]}");
    rig.on_event = cancel_at_slow;
    rig_run(&rig, HEAD "steps:\n  - id: each\n    for_each: \"${ {'p','q'} }\"\n    as: key\n    at_once: 2\n    steps:\n"
                       "      - {id: put, run: sim.set, with: {key: \"${key}\", value: 1}, undo: auto, when: \"key == 'p'\"}\n"
                       "      - {id: look, run: sim.get, with: {key: \"${key}\"}, timeout: 10m}\n    then: good\n", NULL, false);
    cr_assert(rig.ended, "it stood still for ever");
    cr_expect_eq(rig.end, FT_RUN_CANCELLED);
    expect_state("{}");
}

static void cancel_hard(struct rig *r, const json_t *event)
{
    if (ft_streq(ft_json_str(event, "type"), at_type)) {
        r->on_event = NULL;
        ft_run_cancel(r->run, "somebody", true, false);
    }
}

Test(undo, asked_twice_a_rollback_parks_as_it_stands)
{
    rig_trouble(&rig, "{\"get z\":[\"refused\"],\"undo b\":[\"unreachable\",\"unreachable\"]}");
    at_type = "undo.attempt";
    rig.on_event = cancel_hard;
    rig_run(&rig, TWO, NULL, false);
    cr_assert(rig.parked && !rig.ended);
    cr_expect(json_is_true(json_object_get(rig_event(&rig, "run.parked", NULL), "incident")));
    rig_trouble(&rig, "{}");
    rig_reborn(&rig);
    rig_resume(&rig);
    cr_expect_eq(rig.end, FT_RUN_ROLLED_BACK);
    expect_state("{}");
}
