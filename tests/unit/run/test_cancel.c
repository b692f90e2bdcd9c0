/* Cancelled, nothing is sent any more that was not sent before, and nothing is waited for: neither in the life that is cancelled, nor in the next one. */
#include <criterion/criterion.h>
#include "base/util.h"
#include "data/json.h"
#include "rig.h"

#define HEAD "fettle: 1\nname: t\ntitle: T\ncategory: change\n"
#define SET(id) "{id: " id ", run: sim.set, with: {key: " id ", value: 1}, undo: auto}"

static struct rig rig;
static unsigned die_at;
static const char *at_type, *at_path;

static void open_rig(void) { rig_open(&rig); }
static void close_rig(void) { rig_done(&rig); }
TestSuite(cancel, .init = open_rig, .fini = close_rig, .timeout = 60);

static uint64_t now_ms(void) { return ft_clock_wall_ms(rig.clock); }

static void die(struct rig *r, const json_t *event)
{
    (void)event;
    if (json_array_size(r->events) == die_at)
        ft_loop_stop(r->loop);
}

static void say_yes(struct rig *r)
{
    struct ft_err err = { 0 };
    json_t *yes = json_pack("{s:b}", "approved", 1);

    if (!r->run || ft_run_answer(r->run, "gate", yes, "someone", "terminal", &err) < 0)
        ft_loop_stop(r->loop);
    json_decref(yes);
}

static const char everything[] = HEAD
    "steps:\n"
    "  - {id: look, run: sim.get, with: {key: a}}\n"
    "  - id: gate\n    approve: May I?\n    branch:\n      - if: result.approved\n        then: first\n      - else: bad\n"
    "  - id: first\n    run: sim.set\n    with: {key: a, value: 1}\n    verify: {run: sim.get, with: {key: a}, until: result.value == 1, every: 5s, within: 1m}\n    undo: auto\n"
    "  - id: both\n    parallel:\n      x: {run: sim.set, with: {key: x, value: 1}, undo: auto}\n      yy: {run: sim.set, with: {key: yy, value: 1}, undo: auto}\n"
    "  - {id: pause, wait: 30m}\n"
    "  - id: each\n    for_each: [p, q, r]\n    as: key\n    at_once: 2\n    batches: [1, 100%]\n    soak: 50s\n"
    "    check: {run: sim.get, with: {key: p}, until: result.value == 1, every: 5s, within: 30s}\n"
    "    steps:\n      - {id: put, run: sim.set, with: {key: \"${key}\", value: 1}, undo: auto}\n      - {id: see, run: sim.get, with: {key: \"${key}\"}}\n"
    "  - {id: last, run: sim.idem, with: {key: z, value: 1}, undo: {run: sim.idem, with: {key: z, value: 0}}, then: good}\n";

/* Killed behind its event number `at`, and cancelled by whoever comes next. */
static void killed_and_cancelled(unsigned at)
{
    uint64_t then;
    size_t sent;
    json_t *state;

    die_at = at;
    rig.on_parked = say_yes;
    rig.on_event = die;
    rig_run(&rig, everything, NULL, false);
    rig_reborn(&rig);
    if (rig.ended)
        return;
    rig.on_event = NULL;
    rig.on_parked = NULL;
    rig.cancel_resumed = true;
    sent = rig_records(&rig, "\"value\":1}}") - rig_records(&rig, "\"undo\"");
    then = now_ms();
    rig_resume(&rig);
    cr_expect_eq(rig_records(&rig, "\"value\":1}}") - rig_records(&rig, "\"undo\""), sent, "died at event %u: cancelled, it sent a write", at);
    cr_expect_lt(now_ms() - then, 10000, "died at event %u: cancelled, it waited %llu ms", at, (unsigned long long)(now_ms() - then));
    if (!rig.ended) {                          /* sim.idem can be neither probed nor verified: only a person can tell */
        cr_expect_str_eq(ft_json_str(json_array_get(json_object_get(rig_event(&rig, "run.parked", NULL), "waiting"), 0), "path"), "last", "died at event %u", at);
        return;
    }
    cr_expect_eq(rig.end, FT_RUN_CANCELLED, "died at event %u: ended with %d", at, (int)rig.end);
    state = rig_read_state(&rig);
    json_object_del(state, "$record");
    if (ft_json_int(state, "z", 0) == 0)
        json_object_del(state, "z");
    cr_expect_eq(json_object_size(state), 0, "died at event %u: something is left", at);
    json_decref(state);
}

Test(cancel, a_killed_run_sends_nothing_more_and_waits_for_nothing, .timeout = 120)
{
    unsigned events;

    rig.on_parked = say_yes;
    rig_run(&rig, everything, NULL, false);
    cr_assert(rig.ended && rig.end == FT_RUN_OK);
    events = (unsigned)json_array_size(rig.events);
    cr_assert_gt(events, 40);
    for (unsigned at = 1; at < events; at++) {
        rig_done(&rig);
        rig_open(&rig);
        killed_and_cancelled(at);
    }
}

/* ---- in the life that is cancelled */

static void cancel_there(struct rig *r, const json_t *event)
{
    if (ft_streq(ft_json_str(event, "type"), at_type) && ft_streq(ft_json_str(event, "path"), at_path)) {
        r->on_event = NULL;
        ft_run_cancel(r->run, "somebody", false, false);
    }
}

Test(cancel, a_write_that_is_still_planned_is_not_sent)
{
    at_type = "step.started";
    at_path = "b";
    rig.on_event = cancel_there;
    rig_run(&rig, HEAD "steps:\n  - " SET("a") "\n  - " SET("b") "\n  - {id: z, run: sim.get, with: {key: z}, then: good}\n", NULL, false);
    cr_expect_eq(rig.end, FT_RUN_CANCELLED);
    cr_expect_eq(rig_records(&rig, "\"key\":\"a\""), 1, "it was done, and stays without --rollback");
    cr_expect_eq(rig_records(&rig, "\"key\":\"b\""), 0, "it was sent although the run had been told to stop");
}

Test(cancel, nor_one_whose_intent_is_being_written)
{
    at_type = "step.intended";
    at_path = "b";
    rig.on_event = cancel_there;
    rig_run(&rig, HEAD "steps:\n  - " SET("a") "\n  - " SET("b") "\n  - {id: z, run: sim.get, with: {key: z}, then: good}\n", NULL, false);
    cr_expect_eq(rig.end, FT_RUN_CANCELLED);
    cr_expect_eq(rig_records(&rig, "\"key\":\"b\""), 0);
    cr_expect_str_eq(ft_json_str(rig_event(&rig, "doubt.answered", "b"), "by"), "not sent");
}

static void cancel_with_rollback(struct rig *r, const json_t *event)
{
    if (ft_streq(ft_json_str(event, "type"), "step.done")) {
        r->on_event = NULL;
        ft_run_cancel(r->run, "somebody", false, true);
    }
}

Test(cancel, the_last_step_is_taken_back_too)
{
    rig.on_event = cancel_with_rollback;
    rig_run(&rig, HEAD "steps:\n  - {id: a, run: sim.set, with: {key: a, value: 1}, undo: auto, then: good}\n", NULL, false);
    cr_expect_eq(rig.end, FT_RUN_CANCELLED, "%d", (int)rig.end);
    cr_expect_eq(rig_records(&rig, "\"undo\""), 1);
}

/* Stopped at once: it did not happen, as the probe finds out. Then it does not happen. */
static void cancel_now(struct rig *r, const json_t *event)
{
    if (ft_streq(ft_json_str(event, "type"), "step.done") && ft_streq(ft_json_str(event, "path"), "both/y1")) {
        r->on_event = NULL;
        ft_run_cancel(r->run, "somebody", true, false);
    }
}

Test(cancel, a_write_in_doubt_that_did_not_happen_is_not_sent_again)
{
    rig_trouble(&rig, "{\"set b\":[\"wait:60000\"],\"set y1\":[\"wait:1000\"]}");
    rig.on_event = cancel_now;
    rig_run(&rig, HEAD "steps:\n  - " SET("a") "\n  - id: both\n    parallel:\n      b: {run: sim.set, with: {key: b, value: 1}, undo: auto, timeout: 5m}\n"
                       "      y1: {run: sim.set, with: {key: y1, value: 1}, undo: auto}\n    then: good\n", NULL, false);
    cr_assert(rig.ended && rig.end == FT_RUN_PARKED);
    rig_reborn(&rig);
    rig.cancel_resumed = true;
    rig_resume(&rig);
    cr_expect_eq(rig.end, FT_RUN_CANCELLED);
    cr_expect_eq(rig_records(&rig, "\"key\":\"b\""), 0, "it was sent in a run that was cancelled");
    cr_expect_eq(rig_records(&rig, "\"undo\""), 2, "a and y1");
}
