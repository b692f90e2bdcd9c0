/* What a run does: the way through the steps, writes, undo, doubt, questions, limits, cancel. */
#include <criterion/criterion.h>
#include <sqlite3.h>
#include "base/util.h"
#include "data/json.h"
#include "rig.h"
#include "store/internal.h"

#define HEAD "fettle: 1\nname: t\ntitle: T\ncategory: incident\n"

static struct rig rig;

static void open_rig(void) { rig_open(&rig); }
static void close_rig(void) { rig_done(&rig); }
TestSuite(run, .init = open_rig, .fini = close_rig);

static void expect_way(const char *want)
{
    char *way = rig_way(&rig);

    cr_expect_str_eq(way, want);
    free(way);
}

static void do_nothing(void *unused)
{
    (void)unused;
}

static void expect_state(const char *want)
{
    json_t *state = rig_read_state(&rig), *expected = json_loads(want, 0, NULL);
    char *text = ft_json_text(state);

    cr_assert_not_null(expected, "the test's own JSON is wrong: %s", want);
    cr_expect(json_equal(state, expected), "the device holds %s, not %s", text, want);
    free(text);
    json_decref(state);
    json_decref(expected);
}

/* ---- the way through the steps */

static const struct { const char *name, *state, *trouble, *yaml, *way; enum ft_run_end end; } ways[] = {
    { "a branch that is taken", "{\"door\":\"open\"}", "{}",
      HEAD "steps:\n  - id: look\n    run: sim.get\n    with: {key: door}\n    branch:\n      - if: result.value == \"open\"\n        then: bad\n      - else: good\n",
      "look:done -> bad", FT_RUN_ATTENTION },
    { "else", "{\"door\":\"shut\"}", "{}",
      HEAD "steps:\n  - id: look\n    run: sim.get\n    with: {key: door}\n    branch:\n      - if: result.value == \"open\"\n        then: bad\n      - else: good\n",
      "look:done -> good", FT_RUN_OK },
    { "when false skips", "{}", "{}",
      HEAD "steps:\n  - id: a\n    when: 1 > 2\n    run: sim.get\n    with: {key: x}\n  - id: b\n    set: {v: 1}\n    then: good\n",
      "a:skipped b:done -> good", FT_RUN_OK },
    { "set, lua and their names", "{}", "{}",
      HEAD "vars: {floor: -70}\nsteps:\n  - id: s\n    set: {twice: \"${floor * 2}\"}\n  - id: l\n    lua: |\n      local t = {}\n      for i = 1, 3 do t[i] = i * twice end\n      return {sum = t[1] + t[2] + t[3]}\n"
           "    branch:\n      - if: result.sum == -840\n        then: good\n      - else: bad\n",
      "s:done l:done -> good", FT_RUN_OK },
    { "a failing read without on_error fails the run", "{}", "{\"get x\":[\"denied\"]}",
      HEAD "steps:\n  - id: a\n    run: sim.get\n    with: {key: x}\n    then: good\n", "a:failed -> failed", FT_RUN_FAILED },
    { "on_error is reached when the target is unreachable", "{}", "{\"get x\":[\"unreachable\"]}",
      HEAD "steps:\n  - id: a\n    run: sim.get\n    with: {key: x}\n    on_error: b\n    then: good\n  - id: b\n    set: {why: \"${error.class}\"}\n    branch:\n      - if: why == \"unreachable\"\n        then: bad\n      - else: good\n",
      "a:failed b:done -> bad", FT_RUN_ATTENTION },
    { "retry until it answers", "{}", "{\"get x\":[\"timeout\",\"timeout\"]}",
      HEAD "steps:\n  - id: a\n    run: sim.get\n    with: {key: x}\n    retry: {times: 3, every: 5s, backoff: 2, if: 'error.class == \"timeout\"'}\n    then: good\n", "a:done -> good", FT_RUN_OK },
    { "retry only what the condition wants", "{}", "{\"get x\":[\"denied\",\"denied\"]}",
      HEAD "steps:\n  - id: a\n    run: sim.get\n    with: {key: x}\n    retry: {times: 3, every: 5s, if: 'error.class == \"timeout\"'}\n    then: good\n", "a:failed -> failed", FT_RUN_FAILED },
    { "a condition that cannot be evaluated fails the step", "{}", "{}",
      HEAD "steps:\n  - id: a\n    run: sim.get\n    with: {key: x}\n    branch:\n      - if: result.value > 3\n        then: good\n      - else: bad\n", "a:done a:failed -> failed", FT_RUN_FAILED },
    { "parallel", "{\"x\":1}", "{}",
      HEAD "steps:\n  - id: both\n    parallel:\n      x: {run: sim.get, with: {key: x}}\n      yy: {run: sim.get, with: {key: yy}}\n    branch:\n      - if: result.x.found and not result.yy.found\n        then: good\n      - else: bad\n",
      "both/x:done both/yy:done both:done -> good", FT_RUN_OK },
    { "parallel with a failure", "{}", "{\"get yy\":[\"refused\"]}",
      HEAD "steps:\n  - id: both\n    parallel:\n      x: {run: sim.get, with: {key: x}}\n      yy: {run: sim.get, with: {key: yy}}\n    on_error: bad\n    then: good\n",
      "both/x:done both/yy:failed both:failed -> bad", FT_RUN_ATTENTION },
    { "for_each in batches", "{}", "{}",
      HEAD "steps:\n  - id: each\n    for_each: \"${ {'a','b','c'} }\"\n    as: key\n    batches: [1, 100%]\n    at_once: 2\n    steps:\n      - id: put\n        run: sim.set\n        with: {key: \"${key}\", value: 1}\n        undo: auto\n    branch:\n      - if: result.ok == 3\n        then: good\n      - else: bad\n",
      "each[0]/put:done each[1]/put:done each[2]/put:done each:done -> good", FT_RUN_OK },
    { "for_each stops at the first failure and takes back", "{}", "{\"set b\":[\"refused\"]}",
      HEAD "steps:\n  - id: each\n    for_each: \"${ {'a','b','c'} }\"\n    as: key\n    steps:\n      - id: put\n        run: sim.set\n        with: {key: \"${key}\", value: 1}\n        undo: auto\n    then: good\n",
      "each[0]/put:done each[1]/put:failed each:failed each[0]/put:undone -> rolled_back", FT_RUN_ROLLED_BACK },
    { "for_each with failures allowed", "{}", "{\"set b\":[\"refused\"]}",
      HEAD "steps:\n  - id: each\n    for_each: \"${ {'a','b','c'} }\"\n    as: key\n    max_failures: 1\n    steps:\n      - id: put\n        run: sim.set\n        with: {key: \"${key}\", value: 1}\n        undo: auto\n    branch:\n      - if: result.failed == 1\n        then: bad\n      - else: good\n",
      "each[0]/put:done each[1]/put:failed each[2]/put:done each:done -> bad", FT_RUN_ATTENTION },
};

Test(run, finds_its_way)
{
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        char *way;

        rig_state(&rig, ways[i].state);
        rig_trouble(&rig, ways[i].trouble);
        rig_run(&rig, ways[i].yaml, NULL, false);
        way = rig_way(&rig);
        cr_expect(rig.ended, "%s: it did not end", ways[i].name);
        cr_expect_str_eq(way, ways[i].way, "%s: went '%s', not '%s'", ways[i].name, way, ways[i].way);
        cr_expect_eq(rig.end, ways[i].end, "%s: ended with %d", ways[i].name, (int)rig.end);
        free(way);
    }
}

Test(run, waits_without_waiting)
{
    uint64_t before = ft_clock_wall_ms(rig.clock);

    rig_run(&rig, HEAD "steps:\n  - id: w\n    wait: 30m\n    then: good\n", NULL, false);
    expect_way("w:done -> good");
    cr_expect_eq(ft_clock_wall_ms(rig.clock) - before, 30 * 60 * 1000);
}

Test(run, stops_at_its_limits)
{
    rig_run(&rig, HEAD "limits: {runtime: 10m}\nsteps:\n  - id: w\n    wait: 30m\n    then: good\n", NULL, false);
    cr_expect_eq(rig.end, FT_RUN_FAILED);
    cr_expect(strstr(ft_json_str(rig_event(&rig, "run.finished", NULL), "diagnosis"), "limit of 10 min"));
    rig_run(&rig, HEAD "limits: {writes: 1}\nsteps:\n  - {id: a, run: sim.set, with: {key: a, value: 1}, undo: auto}\n  - {id: b, run: sim.set, with: {key: b, value: 1}, undo: auto, then: good}\n", NULL, false);
    expect_way("a:done b:failed a:undone -> rolled_back");
    expect_state("{}");
}

/* ---- writes */

#define WRITE_AND_VERIFY HEAD \
    "steps:\n  - id: w\n    run: sim.set\n    with: {key: led, value: lit}\n    verify: {run: sim.get, with: {key: led}, until: 'result.value == \"lit\"', every: 5s, within: 1m}\n    undo: auto\n    then: good\n"

Test(run, intends_before_it_writes)
{
    const json_t *intent;

    rig_state(&rig, "{\"led\":\"off\"}");
    rig_run(&rig, WRITE_AND_VERIFY, NULL, false);
    expect_way("w:done -> good");
    intent = rig_event(&rig, "step.intended", "w");
    cr_assert_not_null(intent);
    cr_expect_str_eq(ft_json_str(json_object_get(intent, "undo"), "kind"), "auto");
    cr_expect_str_eq(json_string_value(ft_json_path(intent, "plan.receipt.value")), "off");
    cr_expect_lt(ft_json_int(intent, "seq", 0), ft_json_int(rig_event(&rig, "step.done", "w"), "seq", 0));
    expect_state("{\"led\":\"lit\"}");
    cr_expect_eq(rig_records(&rig, NULL), 1);
}

Test(run, flushes_at_most_writes_and_two)
{
    struct ft_store_stats before, after;

    ft_store_stats(rig.store, &before);
    rig_run(&rig, HEAD "steps:\n  - {id: a, run: sim.set, with: {key: a, value: 1}, undo: auto}\n  - {id: r, run: sim.get, with: {key: a}}\n  - {id: b, run: sim.set, with: {key: b, value: 1}, undo: auto}\n"
                       "  - {id: c, run: sim.set, with: {key: c, value: 1}, undo: auto, then: good}\n", NULL, false);
    ft_store_stats(rig.store, &after);
    cr_expect_leq(after.flushes - before.flushes, 3 + 2, "%d flushes", (int)(after.flushes - before.flushes));
    cr_expect_geq(after.flushes - before.flushes, 3);
}

Test(run, takes_back_a_write_that_is_not_proven)
{
    rig_state(&rig, "{\"led\":\"off\"}");
    rig_run(&rig, HEAD "steps:\n  - id: w\n    run: sim.set\n    with: {key: led, value: lit}\n    verify: {run: sim.get, with: {key: led}, until: 'result.value == \"blinking\"', every: 5s, within: 1m}\n    undo: auto\n    then: good\n",
            NULL, false);
    expect_way("w:undone w:failed -> rolled_back");
    expect_state("{\"led\":\"off\"}");
    cr_expect(strstr(ft_json_str(rig_event(&rig, "step.failed", "w"), "error"), "not proven within 1 min"));
}

Test(run, a_lost_look_is_just_a_later_look)
{
    rig_trouble(&rig, "{\"get led\":[\"unreachable\",\"timeout\"]}");
    rig_run(&rig, WRITE_AND_VERIFY, NULL, false);
    expect_way("w:done -> good");
    cr_expect_eq(rig_count(&rig, "verify.look"), 3);
}

Test(run, rolls_back_in_reverse_when_a_later_step_fails)
{
    rig_state(&rig, "{\"a\":0,\"b\":0}");
    rig_trouble(&rig, "{\"get z\":[\"refused\"]}");
    rig_run(&rig, HEAD "steps:\n  - {id: a, run: sim.set, with: {key: a, value: 1}, undo: auto}\n  - id: b\n    run: sim.set\n    with: {key: b, value: 1}\n    undo: {run: sim.set, with: {key: b, value: 0}}\n"
                       "  - {id: c, run: sim.blind, with: {key: c, value: 1}, undo: none}\n  - {id: z, run: sim.get, with: {key: z}, then: good}\n", NULL, false);
    expect_way("a:done b:done c:done z:failed b:undone a:undone -> rolled_back");
    expect_state("{\"a\":0,\"b\":0,\"c\":1}");
    cr_expect_eq(rig.end, FT_RUN_ROLLED_BACK);
}

Test(run, an_outcome_may_roll_back)
{
    rig_state(&rig, "{\"a\":0}");
    rig_run(&rig, HEAD "steps:\n  - {id: a, run: sim.set, with: {key: a, value: 1}, undo: auto, then: back}\n", NULL, false);
    expect_way("a:done a:undone -> back");
    expect_state("{\"a\":0}");
    cr_expect_eq(rig.end, FT_RUN_ROLLED_BACK);
}

Test(run, an_undo_that_fails_stops_and_calls_a_person)
{
    rig_state(&rig, "{\"a\":0,\"b\":0}");
    rig_trouble(&rig, "{\"get z\":[\"refused\"],\"undo b\":[\"unreachable\",\"unreachable\",\"unreachable\",\"unreachable\",\"unreachable\",\"unreachable\"]}");
    rig_run(&rig, HEAD "locks: [device/x]\nsteps:\n  - {id: a, run: sim.set, with: {key: a, value: 1}, undo: auto}\n  - {id: b, run: sim.set, with: {key: b, value: 1}, undo: auto}\n"
                       "  - {id: z, run: sim.get, with: {key: z}, then: good}\n", NULL, false);
    json_t *locks = NULL;
    struct ft_err err;

    cr_expect(rig.parked && !rig.ended);
    cr_expect_not_null(rig_event(&rig, "undo.failed", "b"));
    cr_assert_eq(ft_store_locks(rig.store, &locks, &err), 0);
    cr_expect_eq(json_array_size(locks), 1, "the lock must be kept");
    json_decref(locks);
    rig_answer(&rig, "b", "{\"again\": true}");
    cr_expect(rig.ended);
    expect_way("a:done b:done z:failed b:undone a:undone -> rolled_back");
    expect_state("{\"a\":0,\"b\":0}");
    cr_assert_eq(ft_store_locks(rig.store, &locks, &err), 0);
    cr_expect_eq(json_array_size(locks), 0);
    json_decref(locks);
}

/* ---- doubt */

Test(run, a_lost_answer_is_found_out_by_the_probe)
{
    rig_trouble(&rig, "{\"set led\":[\"ambiguous_done\"]}");
    rig_run(&rig, WRITE_AND_VERIFY, NULL, false);
    expect_way("w:done -> good");
    cr_expect_eq(rig_records(&rig, NULL), 1, "it was sent twice");
    rig_state(&rig, "{}");
    rig_trouble(&rig, "{\"set led\":[\"ambiguous_not\"]}");
    rig_run(&rig, WRITE_AND_VERIFY, NULL, false);
    expect_way("w:done -> good");
    cr_expect_eq(rig_records(&rig, NULL), 1, "the probe said that it did not happen: once more, and once only");
}

Test(run, a_write_that_never_arrives_is_not_sent_for_ever)
{
    rig_trouble(&rig, "{\"set led\":[\"ambiguous_not\",\"ambiguous_not\",\"ambiguous_not\",\"ambiguous_not\",\"ambiguous_not\",\"ambiguous_not\"]}");
    rig_run(&rig, HEAD "steps:\n  - {id: w, run: sim.set, with: {key: led, value: lit}, undo: auto, on_error: bad, then: good}\n", NULL, false);
    expect_way("w:failed -> bad");
    cr_expect_eq(rig_records(&rig, NULL), 0);
    cr_expect(strstr(ft_json_str(rig_event(&rig, "step.failed", "w"), "error"), "sent 3 times"), "%s", ft_json_str(rig_event(&rig, "step.failed", "w"), "error"));
    cr_expect_str_eq(ft_json_str(rig_event(&rig, "step.failed", "w"), "class"), "refused");
}

Test(run, a_person_may_have_it_sent_as_often_as_they_like)
{
    rig_trouble(&rig, "{\"add num\":[\"ambiguous_not\",\"ambiguous_not\",\"ambiguous_not\",\"ambiguous_not\"]}");
    rig_run(&rig, HEAD "steps:\n  - {id: w, run: sim.add, with: {key: num}, undo: none, then: good}\n", NULL, false);
    for (int i = 0; i < 4; i++) {
        cr_expect(rig.parked && !rig.ended, "answer %d", i);
        rig_answer(&rig, "w", "{\"happened\": false}");
    }
    expect_way("w:done -> good");
    expect_state("{\"num\":1}");
}

Test(run, a_lost_answer_without_probe_is_found_out_by_the_verification)
{
    rig_trouble(&rig, "{\"set led\":[\"ambiguous_done\"]}");
    rig_run(&rig, HEAD "steps:\n  - id: w\n    run: sim.blind\n    with: {key: led, value: lit}\n    verify: {run: sim.get, with: {key: led}, until: 'result.value == \"lit\"', every: 5s, within: 1m}\n    undo: none\n    then: good\n", NULL, false);
    expect_way("w:done -> good");
    cr_expect_eq(rig_records(&rig, NULL), 1);
}

/* Seen in the crash campaign: the step was done on a person's word, though its verification did not hold. */
Test(run, a_person_who_saw_it_happen_does_not_prove_it)
{
    rig_trouble(&rig, "{\"set led\":[\"ambiguous_done\"]}");
    rig_run(&rig, HEAD "steps:\n  - id: w\n    run: sim.blind\n    with: {key: led, value: lit}\n    verify: {run: sim.get, with: {key: led}, until: 'result.value == \"dark\"', every: 5s, within: 10s}\n    undo: none\n    on_error: bad\n    then: good\n", NULL, false);
    cr_assert(rig.parked && !rig.ended);
    rig_answer(&rig, "w", "{\"happened\": true}");
    expect_way("w:failed -> bad");
    cr_expect_eq(rig_records(&rig, NULL), 1);
}

Test(run, a_lost_answer_that_nothing_can_find_out_waits_for_a_person)
{
    static const char yaml[] = HEAD "steps:\n  - {id: w, run: sim.add, with: {key: num}, undo: none, then: good}\n";

    rig_trouble(&rig, "{\"add num\":[\"ambiguous_done\"]}");
    rig_run(&rig, yaml, NULL, false);
    cr_expect(rig.parked && !rig.ended);
    rig_answer(&rig, "w", "{\"happened\": true}");
    expect_way("w:done -> good");
    expect_state("{\"num\":1}");
    rig_trouble(&rig, "{\"add num\":[\"ambiguous_not\"]}");
    rig_run(&rig, yaml, NULL, false);
    cr_expect(rig.parked);
    rig_answer(&rig, "w", "{\"happened\": false}");
    expect_way("w:done -> good");
    expect_state("{\"num\":2}");
}

/* ---- people */

#define GATE HEAD "steps:\n  - id: gate\n    approve: May I?\n    within: 30m\n    branch:\n      - if: result.approved\n        then: w\n      - else: bad\n  - {id: w, run: sim.set, with: {key: a, value: 1}, undo: auto, then: good}\n"

Test(run, parks_at_a_gate_and_goes_on_in_another_life)
{
    rig_run(&rig, GATE, NULL, false);
    cr_expect(rig.parked && !rig.ended);
    cr_expect_eq(rig_records(&rig, NULL), 0);
    rig_reborn(&rig);
    rig_resume(&rig);
    cr_expect(rig.parked && !rig.ended);
    rig_answer(&rig, "gate", "{\"approved\": true}");
    expect_way("gate:done w:done -> good");
    cr_expect_eq(rig_records(&rig, NULL), 1);
    cr_expect_str_eq(ft_json_str(rig_event(&rig, "gate.answered", "gate"), "by"), "someone");
}

Test(run, a_gate_after_one_that_nobody_answered_in_time_is_told_too)
{
    rig_run(&rig, HEAD "steps:\n  - {id: first, approve: May I?, within: 10m}\n  - {id: second, approve: And now?, within: 5h}\n  - {id: w, set: {a: 1}, then: good}\n", NULL, false);
    cr_expect(rig.parked && !rig.ended);
    rig.parked = false;
    ft_timer_start(rig.loop, 11 * 60 * 1000, do_nothing, NULL);
    ft_loop_run(rig.loop);
    cr_expect(rig.parked, "nobody was asked the second question");
    rig_answer(&rig, "second", "{\"approved\": true}");
    expect_way("first:done second:done w:done -> good");
}

Test(run, a_gate_that_is_refused_or_not_answered)
{
    rig_run(&rig, GATE, NULL, false);
    rig_answer(&rig, "gate", "{\"approved\": false, \"reason\": \"not now\"}");
    expect_way("gate:done -> bad");
    rig_run(&rig, GATE, NULL, false);
    rig_reborn(&rig);
    ft_clock_set_wall(rig.clock, 1790000000000 + 31 * 60 * 1000);
    rig_resume(&rig);
    expect_way("gate:done -> bad");
    cr_expect(json_is_true(json_object_get(rig_event(&rig, "gate.answered", "gate"), "expired")));
    cr_expect_eq(rig_records(&rig, NULL), 0);
}

Test(run, asks_a_form)
{
    struct ft_err err = { 0 };
    json_t *wrong = json_pack("{s:{s:s}}", "values", "mac", "not a mac");

    rig_run(&rig, HEAD "steps:\n  - id: label\n    ask: What does the label say?\n    fields:\n      mac: {type: mac, required: true}\n    branch:\n      - if: result.mac == \"a4:83:e7:12:34:56\"\n        then: good\n      - else: bad\n", NULL, false);
    cr_expect(rig.parked);
    cr_expect_lt(ft_run_answer(rig.run, "label", wrong, "x", "terminal", &err), 0);
    cr_expect(strstr(err.text, "mac"), "'%s'", err.text);
    json_decref(wrong);
    rig_answer(&rig, "label", "{\"values\": {\"mac\": \"A483.E712.3456\"}}");
    expect_way("label:done -> good");
}

/* ---- cancel */

static void cancel_at_first_done(struct rig *r, const json_t *event)
{
    if (ft_streq(ft_json_str(event, "type"), "step.done"))
        ft_run_cancel(r->run, "somebody", false, r->on_parked != NULL);
}

static void never(struct rig *r) { ft_loop_stop(r->loop); }

#define TWO_WRITES HEAD "steps:\n  - {id: a, run: sim.set, with: {key: a, value: 1}, undo: auto}\n  - {id: b, run: sim.set, with: {key: b, value: 1}, undo: auto, then: good}\n"

Test(run, cancel_stops_after_the_step)
{
    rig.on_event = cancel_at_first_done;
    rig_run(&rig, TWO_WRITES, NULL, false);
    expect_way("a:done -> cancelled");
    cr_expect_eq(rig.end, FT_RUN_CANCELLED);
    expect_state("{\"a\":1}");
}

Test(run, cancel_with_rollback_takes_back)
{
    rig.on_event = cancel_at_first_done;
    rig.on_parked = never;
    rig_run(&rig, TWO_WRITES, NULL, false);
    expect_way("a:done a:undone -> cancelled");
    expect_state("{}");
}

static sqlite3 *in_the_way;

static void cancel_while_nothing_is_written(void *arg)
{
    char *path = ft_asprintf("%s/store.db", rig.dir);

    (void)arg;
    db_busy_ms = 20;
    cr_assert_eq(sqlite3_open(path, &in_the_way), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(in_the_way, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    free(path);
    ft_run_cancel(rig.run, "somebody", true, false);
}

/* Cancelled in the middle of a write, and that cannot be written down: whoever waits for the run hears of it all the same. */
Test(run, cancelled_now_with_a_journal_that_cannot_be_written)
{
    rig_reborn(&rig);
    rig_trouble(&rig, "{\"set a\": [\"wait:5000\"]}");
    ft_timer_start(rig.loop, 1000, cancel_while_nothing_is_written, NULL);
    rig_run(&rig, HEAD "steps:\n  - {id: a, run: sim.set, with: {key: a, value: 1}, undo: auto, then: good}\n", NULL, false);
    sqlite3_close(in_the_way);
    cr_assert(rig.ended, "nobody was told");
    cr_expect_eq(rig.end, FT_RUN_FAILED);
    rig_reborn(&rig);
    rig_resume(&rig);
    cr_expect(rig.ended && rig.end == FT_RUN_OK, "ended %d with %d", rig.ended, (int)rig.end);
    expect_state("{\"a\":1}");
}

/* `limits: {writes}` counts what is written, not how often it is tried; and also what was sent with its second try, because the first look failed. */
Test(run, a_write_counts_once)
{
    static const char two[] = HEAD "limits: {writes: 2}\nsteps:\n"
        "  - {id: a, run: sim.set, with: {key: a, value: 1}, undo: auto, retry: {times: 3, every: 1s}}\n"
        "  - {id: b, run: sim.set, with: {key: b, value: 1}, undo: auto, retry: {times: 3, every: 1s}, then: good}\n";
    static const char one[] = HEAD "limits: {writes: 1}\nsteps:\n"
        "  - {id: a, run: sim.set, with: {key: a, value: 1}, undo: auto, retry: {times: 3, every: 1s}}\n"
        "  - {id: b, run: sim.set, with: {key: b, value: 1}, undo: auto, retry: {times: 3, every: 1s}, then: good}\n";

    rig_trouble(&rig, "{\"set a\": [\"refused\"], \"plan b\": [\"refused\"], \"set b\": [\"refused\"]}");
    rig_run(&rig, two, NULL, false);
    expect_way("a:done b:done -> good");
    cr_expect_eq(ft_json_int(rig_event(&rig, "run.finished", NULL), "writes", 0), 2);
    rig_state(&rig, "{}");
    rig_trouble(&rig, "{\"plan a\": [\"refused\"]}");
    rig_run(&rig, one, NULL, false);
    expect_way("a:done b:failed a:undone -> rolled_back");
    cr_expect(strstr(ft_json_str(rig_event(&rig, "step.failed", "b"), "error"), "would be write 2"), "%s", ft_json_str(rig_event(&rig, "step.failed", "b"), "error"));
}

static void cancel_at_wait(struct rig *r, const json_t *event)
{
    const char *type = ft_json_str(event, "type");

    if (ft_streq(type, "step.attempt") || ft_streq(type, "wait.opened"))
        ft_run_cancel(r->run, "somebody", false, false);
}

/* What was to come later does not come: neither another try nor the step behind a pause. */
Test(run, nothing_happens_behind_the_end)
{
    static const char *const books[] = {
        "steps:\n  - {id: a, run: sim.set, with: {key: k, value: 1}, undo: auto, retry: {times: 5, every: 10s}, then: good}\n",
        "steps:\n  - {id: a, wait: 10m}\n  - {id: b, run: sim.set, with: {key: k, value: 1}, undo: auto, then: good}\n",
    };

    for (size_t i = 0; i < ARRAY_LEN(books); i++) {
        char *text = ft_asprintf("%s%s", HEAD, books[i]);
        json_t *events = NULL;

        rig_trouble(&rig, "{\"set k\": [\"unreachable\"]}");
        rig.on_event = cancel_at_wait;
        rig_run(&rig, text, NULL, false);
        rig.on_event = NULL;
        free(text);
        cr_assert(rig.ended && rig.end == FT_RUN_CANCELLED, "%zu: ended %d with %d", i, rig.ended, (int)rig.end);
        ft_timer_start(rig.loop, 3600000, do_nothing, NULL);
        ft_loop_run(rig.loop);
        cr_assert_eq(ft_store_events(rig.store, rig_id(&rig), 0, &events, NULL), 0);
        cr_expect_str_eq(ft_json_str(json_array_get(events, json_array_size(events) - 1), "type"), "run.finished", "%zu", i);
        json_decref(events);
        expect_state("{}");
    }
}

static void cancel_now_at_intent(struct rig *r, const json_t *event)
{
    if (ft_streq(ft_json_str(event, "type"), "step.started") && ft_streq(ft_json_str(event, "path"), "slow")) {
        r->on_event = NULL;
        ft_run_cancel(r->run, "somebody", true, false);
    }
}

Test(run, cancel_now_drops_a_read)
{
    rig_trouble(&rig, "{\"get x\":[\"wait:600000\"]}");
    rig.on_event = cancel_now_at_intent;
    rig_run(&rig, HEAD "steps:\n  - {id: slow, run: sim.get, with: {key: x}, timeout: 1h, then: good}\n", NULL, false);
    cr_expect(rig.ended);
    cr_expect_eq(rig.end, FT_RUN_CANCELLED);
}

/* ---- locks */

Test(run, a_second_run_on_the_same_client_is_refused)
{
    static const char yaml[] = HEAD "params: {client: {type: mac, required: true}}\nlocks: [\"client/${client}\"]\nsteps:\n  - id: gate\n    approve: May I?\n    then: good\n";
    struct ft_diags *diags = ft_diags_new();
    char *text = rig_ends(yaml);
    struct ft_playbook *playbook = ft_playbook_parse("t.yaml", text, strlen(text), &rig.world, diags);
    json_t *params = json_pack("{s:s}", "client", "a4:83:e7:12:34:56");
    struct ft_run_opts opts = { .requester = "other" };
    struct ft_run_observer observer = { 0 };
    struct ft_run *second = NULL;
    struct ft_err err = { 0 };

    rig_run(&rig, yaml, "{\"client\": \"A4-83-E7-12-34-56\"}", false);
    cr_assert(rig.parked);
    cr_expect_eq(ft_run_start(rig.engine, playbook, params, &opts, &observer, NULL, &second, &err), -EBUSY);
    cr_expect(strstr(err.text, ft_run_id(rig.run)), "'%s' must say which run holds it", err.text);
    json_decref(params);
    ft_playbook_unref(playbook);
    ft_diags_free(diags);
    free(text);
}

/* ---- call */

Test(run, calls_a_playbook)
{
    char *path = ft_asprintf("%s/callee.yaml", rig.dir);
    FILE *f = fopen(path, "w");

    cr_assert_not_null(f);
    fputs("fettle: 1\nname: callee\ntitle: C\ncategory: check\nparams: {key: {type: string, required: true}}\nsteps:\n  - id: look\n    run: sim.get\n    with: {key: \"${key}\"}\n    branch:\n      - if: result.found\n        then: there\n      - else: gone\n"
          "outcomes:\n  there: {title: There}\n  gone: {title: Gone, status: attention}\n", f);
    fclose(f);
    free(path);
    rig_state(&rig, "{\"x\":1}");
    rig_run(&rig, HEAD "steps:\n  - id: sub\n    call: callee\n    with: {key: x}\n    branch:\n      - if: result.outcome == \"there\"\n        then: good\n      - else: bad\n", NULL, false);
    expect_way("sub/look:done sub:done -> good");
}

/* ---- why */

Test(run, journals_what_a_condition_read)
{
    const json_t *went;

    rig_state(&rig, "{\"num\":3}");
    rig_run(&rig, HEAD "vars: {most: 5}\nsteps:\n  - id: a\n    run: sim.get\n    with: {key: num}\n    branch:\n      - if: result.value > most\n        then: bad\n      - else: good\n", NULL, false);
    went = rig_event(&rig, "step.went", "a");
    cr_assert_not_null(went);
    cr_expect_str_eq(ft_json_str(went, "to"), "good");
    const json_t *reads = json_object_get(json_array_get(json_object_get(went, "tried"), 0), "reads");

    cr_expect_eq(ft_json_int(reads, "result.value", 0), 3);
    cr_expect_eq(ft_json_int(reads, "most", 0), 5);
}
