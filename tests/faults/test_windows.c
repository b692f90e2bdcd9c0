/* Change windows, through the real engine: a write waits for its window, a run that is not over before it closes is taken back while there is time,
 * and the same when the process dies at any event and is born again. The window is Sunday 02:00 to 04:00 in Zurich: 01:00 to 03:00 UTC. */
#include <criterion/criterion.h>
#include "base/util.h"
#include "data/json.h"
#include "rig.h"

#define HEAD "fettle: 1\nname: t\ntitle: T\ncategory: change\n"
#define RAILS "fettle: 1\ntimezone: Europe/Zurich\nwindows:\n  weekly: {rrule: \"FREQ=WEEKLY;BYDAY=SU\", from: \"02:00\", to: \"04:00\"}\n"
#define WEEKLY RAILS "policies:\n  - {name: sundays, windows: weekly}\n"
#define SET(id, key, value) "  - id: " id "\n    run: sim.set\n    with: {key: " key ", value: " value "}\n    undo: auto\n"
#define MIN 60000ull
#define DAY (24 * 60 * MIN)

static struct rig rig;

static void open_rig(void)
{
    rig_open(&rig);
    rig_state(&rig, "{\"a\":1,\"b\":1}");
    rig_trouble(&rig, "{}");
}

static void close_rig(void) { rig_done(&rig); }
TestSuite(windows, .init = open_rig, .fini = close_rig);

static void expect_way(const char *want)
{
    char *way = rig_way(&rig);

    cr_expect_str_eq(way, want, "%s, not %s", way, want);
    free(way);
}

static void expect_values(json_int_t a, json_int_t b)
{
    json_t *state = rig_read_state(&rig);

    cr_expect_eq(ft_json_int(state, "a", -1), a, "a is %lld", (long long)ft_json_int(state, "a", -1));
    cr_expect_eq(ft_json_int(state, "b", -1), b, "b is %lld", (long long)ft_json_int(state, "b", -1));
    json_decref(state);
}

static uint64_t at_of(const json_t *event)
{
    return (uint64_t)ft_json_int(event, "at", 0);
}

static uint64_t utc(const char *text)
{
    int64_t s = 0;

    cr_assert_eq(ft_local_parse(text, &s, NULL), 0);
    return (uint64_t)s * 1000;
}

#define TWO_WRITES HEAD "steps:\n" SET("a", "a", "2") SET("b", "b", "2") "    then: good\n"

Test(windows, a_write_waits_for_its_window)
{
    const json_t *question;
    json_t *questions;

    rig_rails(&rig, WEEKLY, "2026-11-26 10:00");
    rig_run(&rig, TWO_WRITES, NULL, false);
    cr_assert(rig.parked);
    questions = ft_run_questions(rig.run);
    question = json_array_get(questions, 0);
    cr_expect_str_eq(ft_json_str(question, "kind"), "wait");
    cr_expect_eq(ft_json_int(question, "until", 0), (int64_t)utc("2026-11-29 01:00"));
    cr_expect(strstr(ft_json_str(question, "why"), "policy 'sundays'"), "%s", ft_json_str(question, "why"));
    json_decref(questions);
    expect_values(1, 1);
    rig_pass(&rig, 2 * DAY);
    cr_assert(!rig.ended);
    cr_expect_eq(rig_records(&rig, NULL), 0, "it wrote outside of the window");
    rig_pass(&rig, 2 * DAY);
    cr_assert(rig.ended);
    expect_way("a:done b:done -> good");
    cr_expect_geq(at_of(rig_event(&rig, "step.intended", "a")), utc("2026-11-29 01:00"));
    cr_expect_lt(at_of(rig_event(&rig, "step.intended", "b")), utc("2026-11-29 01:01"));
    cr_expect_not_null(rig_event(&rig, "policy.passed", "a"));
    cr_expect_eq(ft_json_int(rig_event(&rig, "policy.passed", "a"), "closes", 0), (int64_t)utc("2026-11-29 03:00"));
    expect_values(2, 2);
}

Test(windows, the_wait_survives_the_process)
{
    rig_rails(&rig, WEEKLY, "2026-11-26 10:00");
    rig_run(&rig, TWO_WRITES, NULL, false);
    cr_assert(rig.parked);
    for (int life = 0; life < 3; life++) {
        rig_reborn(&rig);
        rig_resume(&rig);
        cr_assert(rig.parked && !rig.ended);
    }
    cr_expect_eq(rig_count(&rig, "hold.opened"), 1, "the same wait is journalled once, not %zu times", rig_count(&rig, "hold.opened"));
    rig_pass(&rig, 4 * DAY);
    cr_assert(rig.ended);
    expect_way("a:done b:done -> good");
    expect_values(2, 2);
}

/* It was parked for longer than its limit of runtime: waiting does not count. */
Test(windows, waiting_is_not_running)
{
    rig_rails(&rig, WEEKLY, "2026-11-26 10:00");
    rig_run(&rig, HEAD "limits: {runtime: 10m}\nsteps:\n" SET("a", "a", "2") "    then: good\n", NULL, false);
    rig_pass(&rig, 4 * DAY);
    cr_assert(rig.ended);
    expect_way("a:done -> good");
}

Test(windows, resumed_after_the_window_it_waits_for_the_next)
{
    rig_rails(&rig, WEEKLY, "2026-11-26 10:00");
    rig_run(&rig, TWO_WRITES, NULL, false);
    rig_rails(&rig, WEEKLY, "2026-11-29 03:30");
    rig_resume(&rig);
    cr_assert(rig.parked && !rig.ended);
    cr_expect_eq(ft_json_int(rig_event(&rig, "hold.opened", "a"), "until", 0), (int64_t)utc("2026-12-06 01:00"));
    expect_values(1, 1);
}

/* For days, perhaps: others may work on what it has not touched. */
Test(windows, what_waits_locks_nothing)
{
    rig_rails(&rig, WEEKLY, "2026-11-26 10:00");
    rig_run(&rig, HEAD "steps:\n  - {id: a, run: sim.set, with: {key: a, value: 2, device: x, site: hq}, undo: auto, then: good}\n", NULL, false);
    cr_assert(rig.parked);
    cr_expect_eq(rig_count(&rig, "lock.taken"), 0, "it holds a lock while it waits");
    rig_pass(&rig, 4 * DAY);
    cr_assert(rig.ended);
    expect_way("a:done -> good");
    cr_expect_eq(rig_count(&rig, "lock.taken"), 1, "it wrote without a lock");
    cr_expect_geq(at_of(rig_event(&rig, "lock.taken", "a")), utc("2026-11-29 01:00"));
}

Test(windows, cancelled_while_it_waits)
{
    rig_rails(&rig, WEEKLY, "2026-11-26 10:00");
    rig_run(&rig, TWO_WRITES, NULL, false);
    cr_assert(rig.parked);
    ft_run_cancel(rig.run, "tester", false, false);
    rig_pass(&rig, MIN);
    cr_assert(rig.ended);
    expect_way("-> cancelled");
    expect_values(1, 1);
}

/* ---- the margin */

/* The first write is done; then it waits, and the wait is longer than the window. */
#define SLOW HEAD "limits: {runtime: 10h}\nsteps:\n" SET("a", "a", "2") "  - {id: soak, wait: 3h}\n" SET("b", "b", "2") "    then: good\n"

static void expect_taken_back_in_time(void)
{
    const json_t *undone = rig_event(&rig, "undo.done", "a"), *closing = rig_event(&rig, "run.closing", NULL);

    cr_assert(rig.ended);
    cr_assert_not_null(undone);
    cr_expect_lt(at_of(undone), utc("2026-11-29 03:00"), "taken back after the window had closed");
    cr_expect_geq(at_of(undone), utc("2026-11-29 02:55"), "taken back long before it would have to be");
    cr_assert_not_null(closing);
    cr_expect(strstr(ft_json_str(closing, "why"), "over at Sun 2026-11-29 04:00 CET"), "%s", ft_json_str(closing, "why"));
    cr_expect_eq(rig.end, FT_RUN_ROLLED_BACK);
    expect_values(1, 1);
}

Test(windows, a_run_that_still_waits_is_taken_back_before_it_closes)
{
    rig_rails(&rig, WEEKLY, "2026-11-29 01:30");
    rig_run(&rig, SLOW, NULL, false);
    expect_way("a:done a:undone -> rolled_back");
    expect_taken_back_in_time();
}

/* A write whose proof does not come: the look under way ends, and it is taken back first. */
Test(windows, a_run_that_still_verifies_is_taken_back_before_it_closes)
{
    rig_rails(&rig, WEEKLY, "2026-11-29 01:30");
    rig_run(&rig, HEAD "limits: {runtime: 10h}\nsteps:\n" SET("a", "a", "2")
            "    verify: {run: sim.get, with: {key: a}, until: result.value == 3, every: 10s, within: 80m}\n    then: good\n", NULL, false);
    expect_way("a:undone a:failed -> rolled_back");
    cr_expect_lt(at_of(rig_event(&rig, "undo.done", "a")), utc("2026-11-29 03:00"));
    expect_values(1, 1);
}

Test(windows, what_would_not_fit_is_not_started_after_a_write)
{
    rig_rails(&rig, WEEKLY, "2026-11-29 01:30");
    rig_run(&rig, HEAD "limits: {runtime: 10h}\nsteps:\n" SET("a", "a", "2") SET("b", "b", "2")
            "    verify: {run: sim.get, with: {key: b}, until: result.value == 2, within: 2h}\n    then: good\n", NULL, false);
    expect_way("a:done b:failed a:undone -> rolled_back");
    cr_expect_str_eq(ft_json_str(rig_event(&rig, "step.failed", "b"), "class"), "refused");
    cr_expect(strstr(ft_json_str(rig_event(&rig, "step.failed", "b"), "error"), "does not fit any more"), "%s", ft_json_str(rig_event(&rig, "step.failed", "b"), "error"));
    expect_values(1, 1);
    cr_expect_eq(rig_records(&rig, "\"b\""), 0, "it was sent");
}

/* on_error does not lead out of it. */
Test(windows, nothing_new_starts_when_it_is_about_to_close)
{
    rig_rails(&rig, WEEKLY, "2026-11-29 01:30");
    rig_run(&rig, HEAD "limits: {runtime: 10h}\nsteps:\n" SET("a", "a", "2") "  - id: q\n    ask: which?\n    fields: {x: {type: string}}\n    within: 5h\n    on_error: b\n" SET("b", "b", "2") "    then: good\n", NULL,
            false);
    cr_assert(rig.parked);
    rig_pass(&rig, 3 * 60 * MIN);
    expect_taken_back_in_time();
}

/* It died while it waited. Whoever resumes it: before the margin it goes on and is taken back at the margin; after it, at once. */
static const struct { const char *name, *at; } lives[] = { { "before the margin", "2026-11-29 02:00" }, { "after the margin", "2026-11-29 02:59" }, { "after the window", "2026-11-29 05:00" } };

static struct { unsigned events, stop_at; } dying;

static void die_at(struct rig *r, const json_t *event)
{
    (void)event;
    if (++dying.events == dying.stop_at)
        ft_loop_stop(r->loop);
}

Test(windows, the_margin_holds_after_a_crash_at_any_event)
{
    unsigned tried = 0;

    for (size_t i = 0; i < ARRAY_LEN(lives); i++) {
        for (unsigned stop = 1; stop < 40; stop++) {
            dying.events = 0;
            dying.stop_at = stop;
            rig_state(&rig, "{\"a\":1,\"b\":1}");
            rig_rails(&rig, WEEKLY, "2026-11-29 01:30");
            rig.on_event = die_at;
            rig_run(&rig, SLOW, NULL, false);
            rig.on_event = NULL;
            bool over = rig.ended;
            bool wrote = rig_event(&rig, "step.intended", "a") != NULL, closed = rig_event(&rig, "run.closing", NULL) != NULL;

            if (!over) {
                rig_rails(&rig, WEEKLY, lives[i].at);
                rig_resume(&rig);
                rig_pass(&rig, 5 * 60 * MIN);
                tried++;
                cr_expect(rig.ended || (!wrote && rig.run), "%s, killed at event %u: it is not over", lives[i].name, stop);
                if (wrote || closed)
                    expect_values(1, 1);
                if (wrote && strcmp(lives[i].at, "2026-11-29 02:00") == 0 && rig_event(&rig, "undo.done", "a"))
                    cr_expect_lt(at_of(rig_event(&rig, "undo.done", "a")), utc("2026-11-29 03:00"), "killed at event %u: taken back too late", stop);
                json_t *state = rig_read_state(&rig);

                cr_expect_eq(ft_json_int(state, "b", -1), 1, "%s, killed at event %u: the second write happened", lives[i].name, stop);
                json_decref(state);
            }
            if (dying.events < stop)
                break;                             /* it has no more events than that */
        }
    }
    cr_expect_gt(tried, 20, "only %u points were tried", tried);
}

/* ---- wait: {window: …} */

#define WAITS HEAD "steps:\n  - {id: w, wait: {window: weekly}}\n" SET("a", "a", "2") "    then: good\n"

Test(windows, a_step_waits_for_a_window)
{
    const json_t *question;
    json_t *questions;

    rig_rails(&rig, RAILS, "2026-11-26 10:00");
    rig_run(&rig, WAITS, NULL, false);
    cr_assert(rig.parked);
    questions = ft_run_questions(rig.run);
    question = json_array_get(questions, 0);
    cr_expect_str_eq(ft_json_str(question, "kind"), "wait");
    cr_expect_eq(ft_json_int(question, "until", 0), (int64_t)utc("2026-11-29 01:00"));
    json_decref(questions);
    rig_pass(&rig, 2 * DAY);
    cr_assert(!rig.ended);
    expect_values(1, 1);
    rig_pass(&rig, 2 * DAY);
    cr_assert(rig.ended);
    expect_way("w:done a:done -> good");
    cr_expect_geq(at_of(rig_event(&rig, "step.intended", "a")), utc("2026-11-29 01:00"));
    cr_expect_lt(at_of(rig_event(&rig, "step.intended", "a")), utc("2026-11-29 01:01"));
    cr_expect_eq(ft_json_int(json_object_get(rig_event(&rig, "step.done", "w"), "result"), "closes", 0), (int64_t)utc("2026-11-29 03:00"));
}

Test(windows, a_step_does_not_wait_for_a_window_that_is_open)
{
    rig_rails(&rig, RAILS, "2026-11-29 01:30");
    rig_run(&rig, WAITS, NULL, false);
    cr_assert(rig.ended);
    expect_way("w:done a:done -> good");
    cr_expect_eq(rig_count(&rig, "wait.opened"), 0);
    cr_expect_eq(ft_json_int(json_object_get(rig_event(&rig, "step.done", "w"), "result"), "closes", 0), (int64_t)utc("2026-11-29 03:00"));
}

Test(windows, a_step_that_waits_for_a_window_is_cancelled)
{
    rig_rails(&rig, RAILS, "2026-11-26 10:00");
    rig_run(&rig, WAITS, NULL, false);
    cr_assert(rig.parked);
    ft_run_cancel(rig.run, "tester", false, false);
    rig_pass(&rig, MIN);
    cr_assert(rig.ended);
    expect_way("-> cancelled");
    expect_values(1, 1);
}

Test(windows, a_plan_does_not_wait_for_a_window)
{
    const json_t *plan;

    rig_rails(&rig, RAILS, "2026-11-26 10:00");
    rig_run(&rig, WAITS, NULL, true);
    cr_assert(rig.ended && !rig.parked);
    plan = json_object_get(rig_event(&rig, "run.planned", NULL), "plan");
    cr_expect_str_eq(ft_json_str(json_array_get(json_object_get(plan, "nodes"), 0), "window"), "weekly");
    cr_expect_eq(json_array_size(json_object_get(plan, "writes")), 1);
    cr_expect_not_null(json_object_get(json_object_get(plan, "outcomes"), "good"));
}

/* It passed, and its request failed; the window closed meanwhile. Nothing stands that would have to be taken back before that, so nothing wakes it before the next
 * window: a time in the past would have it resumed again and again. */
Test(windows, what_wrote_nothing_waits_for_the_next_window_only)
{
    rig_trouble(&rig, "{\"set a\": [\"unreachable\"]}");
    rig_rails(&rig, WEEKLY, "2026-11-29 02:58");
    rig_run(&rig, HEAD "steps:\n" SET("a", "a", "2") "    retry: {times: 3, every: 5m}\n    then: good\n", NULL, false);
    for (int life = 0; life < 2; life++) {
        cr_assert(rig.parked && !rig.ended);
        cr_expect_not_null(rig_event(&rig, "policy.passed", "a"));
        cr_expect_eq(ft_run_wake_ms(rig.run), utc("2026-12-06 01:00"), "life %d: it wakes at %llu", life, (unsigned long long)ft_run_wake_ms(rig.run));
        rig_reborn(&rig);
        rig_resume(&rig);
    }
    rig_pass(&rig, 8 * DAY);
    cr_assert(rig.ended);
    expect_way("a:done -> good");
    expect_values(2, 1);
}

/* The clock on the wall is set, or the machine slept: its own time stood still meanwhile. What waits for a time, or must be over by one, goes by the wall. */
Test(windows, a_wait_goes_by_the_clock_on_the_wall)
{
    static const char *const books[] = { TWO_WRITES, WAITS };

    for (size_t i = 0; i < ARRAY_LEN(books); i++) {
        rig_state(&rig, "{\"a\":1,\"b\":1}");
        rig_rails(&rig, i ? RAILS : WEEKLY, "2026-11-26 10:00");
        rig_run(&rig, books[i], NULL, false);
        cr_assert(rig.parked && !rig.ended);
        rig_pass(&rig, MIN);
        cr_assert(!rig.ended);
        ft_clock_set_wall(rig.clock, utc("2026-11-29 01:30"));
        rig_pass(&rig, 2 * MIN);
        cr_assert(rig.ended, "%zu: it sleeps on", i);
        cr_expect_eq(rig.end, FT_RUN_OK);
    }
}

static void sleep_in_the_pause(struct rig *r, const json_t *event)
{
    if (ft_streq(ft_json_str(event, "type"), "wait.opened"))
        ft_clock_set_wall(r->clock, utc("2026-11-29 02:59"));
}

Test(windows, the_margin_goes_by_the_clock_on_the_wall)
{
    rig_rails(&rig, WEEKLY, "2026-11-29 01:30");
    rig.on_event = sleep_in_the_pause;
    rig_run(&rig, SLOW, NULL, false);
    rig.on_event = NULL;
    cr_assert(rig.ended);
    expect_way("a:done a:undone -> rolled_back");
    cr_expect_lt(at_of(rig_event(&rig, "undo.done", "a")), utc("2026-11-29 03:01"), "it went on for as long as if the machine had not slept");
}

/* Another life has another configuration: the step says so, and nothing is written. */
Test(windows, the_window_that_a_step_waits_for_is_gone)
{
    rig_rails(&rig, RAILS, "2026-11-26 10:00");
    rig_run(&rig, WAITS, NULL, false);
    cr_assert(rig.parked);
    rig_rails(&rig, "fettle: 1\nwindows:\n  monthly: {rrule: \"FREQ=MONTHLY;BYDAY=1SA\", from: \"22:00\", to: \"02:00\"}\n", "2026-11-27 10:00");
    rig_resume(&rig);
    cr_assert(rig.ended);
    expect_way("w:failed -> failed");
    cr_expect(strstr(ft_json_str(rig_event(&rig, "step.failed", "w"), "error"), "weekly"), "%s", ft_json_str(rig_event(&rig, "step.failed", "w"), "error"));
    expect_values(1, 1);
}

static void stop_loop(void *arg) { ft_loop_stop(arg); }

/* Killed at any event, and back before, in or after the window: the write comes in a window (of this week or of the next), once. */
Test(windows, the_wait_for_a_window_holds_after_a_crash_at_any_event)
{
    static const char *const back[] = { "2026-11-27 12:00", "2026-11-29 02:10", "2026-11-29 12:00" };
    unsigned tried = 0;

    for (size_t i = 0; i < ARRAY_LEN(back); i++) {
        for (unsigned stop = 1; stop < 20; stop++) {
            dying.events = 0;
            dying.stop_at = stop;
            rig_state(&rig, "{\"a\":1,\"b\":1}");
            rig_rails(&rig, RAILS, "2026-11-26 10:00");
            rig.on_event = die_at;
            rig_run(&rig, WAITS, NULL, false);
            if (!rig.ended && dying.events < stop) {       /* it lives on, and dies in the window */
                ft_timer_start(rig.loop, 3 * DAY, stop_loop, rig.loop);
                ft_loop_run(rig.loop);
            }
            rig.on_event = NULL;
            if (dying.events < stop)
                break;                             /* it has no more events than that */
            if (rig.ended)
                continue;
            rig_rails(&rig, RAILS, back[i]);
            rig_resume(&rig);
            rig_pass(&rig, 8 * DAY);
            tried++;
            cr_assert(rig.ended, "killed at event %u, back at %s: it is not over", stop, back[i]);
            cr_expect_eq(rig.end, FT_RUN_OK, "killed at event %u, back at %s", stop, back[i]);
            expect_values(2, 1);
            cr_expect_eq(rig_records(&rig, NULL), 1, "killed at event %u, back at %s: written %zu times", stop, back[i], rig_records(&rig, NULL));
            uint64_t at = at_of(rig_event(&rig, "step.intended", "a"));

            cr_expect((at >= utc("2026-11-29 01:00") && at < utc("2026-11-29 03:00")) || (at >= utc("2026-12-06 01:00") && at < utc("2026-12-06 03:00")) ||
                      rig_event(&rig, "step.done", "w"), "killed at event %u, back at %s: written outside of the window", stop, back[i]);
        }
    }
    cr_expect_gt(tried, 15, "only %u points were tried", tried);
}

/* ---- budgets, and what does not help */

Test(windows, a_budget_paces_a_run)
{
    rig_rails(&rig, RAILS "policies:\n  - {name: pace, budget: {at_most: 2, in: 1h}}\n", "2026-11-26 10:00");
    rig_run(&rig, HEAD "limits: {runtime: 10m}\nsteps:\n  - id: each\n    for_each: \"${ {'a','b','c','d','e'} }\"\n    as: key\n    steps:\n      - id: put\n        run: sim.set\n        with: {key: \"${key}\", value: 7}\n"
                 "        undo: auto\n    then: good\n", NULL, false);
    cr_assert(rig.parked);
    cr_expect_eq(rig_records(&rig, NULL), 2);
    rig_pass(&rig, 59 * MIN);
    cr_expect_eq(rig_records(&rig, NULL), 2);
    rig_pass(&rig, 2 * MIN);
    cr_expect_eq(rig_records(&rig, NULL), 4);
    rig_pass(&rig, 61 * MIN);
    cr_assert(rig.ended);
    cr_expect_eq(rig_records(&rig, NULL), 5);
}

Test(windows, a_budget_that_stops)
{
    rig_rails(&rig, RAILS "policies:\n  - {name: few, budget: {at_most: 1, in: 1h, over: stop}}\n", "2026-11-26 10:00");
    rig_run(&rig, TWO_WRITES, NULL, false);
    expect_way("a:done b:failed a:undone -> rolled_back");
    cr_expect(strstr(ft_json_str(rig_event(&rig, "step.failed", "b"), "error"), "policy 'few'"));
}

/* A crash between what was taken of a budget and the write neither gives it back nor takes it twice. */
Test(windows, a_crash_does_not_count_twice)
{
    for (unsigned stop = 1; stop < 12; stop++) {
        rig_state(&rig, "{\"a\":1,\"b\":1}");
        char day[32];

        snprintf(day, sizeof(day), "2026-11-%02u 10:00", stop * 2);
        rig_rails(&rig, RAILS "policies:\n  - {name: two, budget: {at_most: 2, in: 1d, over: stop}}\n", day);
        dying.events = 0;
        dying.stop_at = stop;
        rig.on_event = die_at;
        rig_run(&rig, TWO_WRITES, NULL, false);
        rig.on_event = NULL;
        if (!rig.ended) {
            rig_reborn(&rig);
            rig_resume(&rig);
        }
        char *way = rig_way(&rig);

        cr_expect(rig.ended && rig.end == FT_RUN_OK, "killed at event %u: its two writes do not fit into a budget of two: %s", stop, way);
        free(way);
        rig_run(&rig, HEAD "steps:\n" SET("c", "a", "3") "    then: good\n", NULL, false);
        cr_expect(rig.ended && rig.end != FT_RUN_OK, "killed at event %u: a third write fits into a budget of two", stop);
    }
}

Test(windows, what_did_not_help_twice_is_for_a_person)
{
    rig_rails(&rig, RAILS "policies:\n  - {name: enough, match: {action: \"sim.*\"}, no_better: {times: 2, in: 1d}}\n", "2026-11-26 10:00");
    for (int i = 0; i < 3; i++) {
        rig_run(&rig, HEAD "steps:\n  - id: a\n    run: sim.set\n    with: {key: a, value: 2, site: HQ}\n    undo: auto\n    then: good\n", NULL, false);
        cr_assert(rig.ended);
        cr_expect_eq(rig.end, i < 2 ? FT_RUN_OK : FT_RUN_FAILED, "run %d", i);
        rig_state(&rig, "{\"a\":1,\"b\":1}");
    }
    cr_expect(strstr(ft_json_str(rig_event(&rig, "step.failed", "a"), "error"), "call a person (policy 'enough')"), "%s", ft_json_str(rig_event(&rig, "step.failed", "a"), "error"));
}
