/* Batches of a for_each: the canary, the soak, the check between them, and death in any of these. */
#include <criterion/criterion.h>
#include "base/util.h"
#include "data/json.h"
#include "rig.h"

#define HEAD "fettle: 1\nname: t\ntitle: T\ncategory: change\n"
#define EACH(more) HEAD "steps:\n  - id: each\n    for_each: [a1, a2, a3, a4, a5]\n    as: key\n" more \
    "    steps:\n      - {id: put, run: sim.set, with: {key: \"${key}\", value: 1}, undo: auto}\n    then: good\n"
#define CHECK "    check: {run: sim.get, with: {key: health}, until: result.value == \"good\" and batch.failed == 0, every: 5s, within: 30s}\n"

static struct rig rig;

static void open_rig(void) { rig_open(&rig); }
static void close_rig(void) { rig_done(&rig); }
TestSuite(batches, .init = open_rig, .fini = close_rig, .timeout = 60);

static void go_on(struct rig *r) { (void)r; }       /* a soak: nobody answers, the loop goes on */

static uint64_t now_ms(void) { return ft_clock_wall_ms(rig.clock); }

/* "1/3:0-1 2/3:1-3 …" */
static void expect_batches(const char *expected)
{
    char text[256] = "";
    json_t *event;
    size_t i, n = 0;

    json_array_foreach(rig.events, i, event)
        if (ft_streq(ft_json_str(event, "type"), "each.batch"))
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%d/%d:%d-%d", n ? " " : "", (int)ft_json_int(event, "batch", 0), (int)ft_json_int(event, "batches", 0),
                                  (int)ft_json_int(event, "from", -1), (int)ft_json_int(event, "to", -1));
    cr_expect_str_eq(text, expected);
}

Test(batches, have_the_sizes_that_are_written)
{
    rig_run(&rig, EACH("    batches: [1, 40%, 100%]\n"), NULL, false);
    cr_expect(rig.ended && rig.end == FT_RUN_OK);
    expect_batches("1/3:0-1 2/3:1-3 3/3:3-5");
    rig_run(&rig, EACH("    batches: [2]\n"), NULL, false);
    expect_batches("1/2:0-2 2/2:2-5");
    rig_run(&rig, EACH("    batches: [10, 100%]\n"), NULL, false);
    expect_batches("1/1:0-5");
}

Test(batches, soak_by_the_clock_between_them_and_not_after_the_last)
{
    uint64_t begun = now_ms();

    rig.on_parked = go_on;
    rig_run(&rig, EACH("    batches: [1, 2, 100%]\n    soak: 10m\n"), NULL, false);
    cr_expect(rig.ended && rig.end == FT_RUN_OK);
    cr_expect_eq(rig_count(&rig, "each.soak"), 2);
    cr_expect(now_ms() - begun >= 1200000 && now_ms() - begun < 1210000, "%llu", (unsigned long long)(now_ms() - begun));
    cr_expect_eq(rig_count(&rig, "run.parked"), 2, "a long soak lets its sessions go");
}

Test(batches, a_short_soak_does_not_park)
{
    rig_run(&rig, EACH("    batches: [1, 100%]\n    soak: 30s\n"), NULL, false);
    cr_expect(rig.ended && rig.end == FT_RUN_OK && !rig.parked);
    cr_expect_eq(rig_count(&rig, "run.parked"), 0);
}

Test(batches, the_check_holds_before_the_next_begins)
{
    rig_state(&rig, "{\"health\":\"good\"}");
    rig_run(&rig, EACH("    batches: [1, 2, 100%]\n" CHECK), NULL, false);
    cr_expect(rig.ended && rig.end == FT_RUN_OK);
    cr_expect_eq(rig_count(&rig, "each.checked"), 3, "after the last, too");
    cr_expect_eq(rig_count(&rig, "verify.look"), 3);
}

Test(batches, a_check_that_does_not_hold_stops_all_and_takes_back)
{
    const json_t *failed;

    rig_state(&rig, "{\"health\":\"bad\"}");
    rig_run(&rig, EACH("    batches: [1, 2, 100%]\n" CHECK), NULL, false);
    cr_expect(rig.ended);
    cr_expect_eq(rig.end, FT_RUN_ROLLED_BACK, "%d", (int)rig.end);
    cr_expect_eq(rig_records(&rig, "\"set\""), 1, "the canary only");
    cr_expect_eq(rig_records(&rig, "\"undo\""), 1);
    cr_expect_gt(rig_count(&rig, "verify.look"), 3);
    failed = rig_event(&rig, "step.failed", "each");
    cr_expect_str_eq(ft_json_str(failed, "class"), "timeout");
    cr_expect(strstr(ft_json_str(failed, "error"), "batch 1 of 3") && strstr(ft_json_str(failed, "error"), "4 items were not started"), "%s", ft_json_str(failed, "error"));
}

Test(batches, a_lost_look_is_a_later_look)
{
    rig_state(&rig, "{\"health\":\"good\"}");
    rig_trouble(&rig, "{\"get health\":[\"unreachable\",\"timeout\"]}");
    rig_run(&rig, EACH("    batches: [1, 100%]\n" CHECK), NULL, false);
    cr_expect(rig.ended && rig.end == FT_RUN_OK);
    cr_expect_eq(rig_count(&rig, "verify.look"), 4);
}

Test(batches, the_check_sees_the_batch)
{
    rig_state(&rig, "{\"a2\":7}");
    rig_run(&rig, EACH("    batches: [1, 2, 100%]\n"
                       "    check:\n      run: sim.get\n      with: {key: \"${batch.items[1]}\"}\n"
                       "      until: result.found and batch.of == 3 and batch.total == 5 and batch.results[1].ok and batch.ok >= batch.number and batch.items[3] == nil\n"
                       "      within: 10s\n"), NULL, false);
    cr_expect(rig.ended && rig.end == FT_RUN_OK);
}

Test(batches, the_canary_may_not_fail)
{
    rig_trouble(&rig, "{\"set a1\":[\"refused\"]}");
    rig_run(&rig, EACH("    batches: [1, 100%]\n    max_failures: 3\n"), NULL, false);
    cr_expect(rig.ended && rig.end == FT_RUN_FAILED, "%d", (int)rig.end);
    cr_expect_eq(rig_records(&rig, "\"set\""), 0);
    cr_expect(strstr(ft_json_str(rig_event(&rig, "step.failed", "each"), "error"), "canary"), "%s", ft_json_str(rig_event(&rig, "step.failed", "each"), "error"));
}

Test(batches, failures_are_counted_over_all_and_a_share_over_the_batch_too)
{
    rig_trouble(&rig, "{\"set a2\":[\"refused\"],\"set a4\":[\"refused\"]}");
    rig_run(&rig, EACH("    batches: [1, 2, 100%]\n    max_failures: 2\n"), NULL, false);
    cr_expect(rig.ended && rig.end == FT_RUN_OK, "2 of 5 are allowed");
    cr_expect_eq(ft_json_int(json_object_get(rig_event(&rig, "step.done", "each"), "result"), "failed", 0), 2);
    rig_state(&rig, "{}");
    rig_trouble(&rig, "{\"set a2\":[\"refused\"],\"set a4\":[\"refused\"]}");
    rig_run(&rig, EACH("    batches: [1, 2, 100%]\n    max_failures: 1\n"), NULL, false);
    cr_expect(rig.ended && rig.end == FT_RUN_ROLLED_BACK);
    cr_expect_eq(rig_records(&rig, "a5"), 0, "the second failure stops it");
    rig_state(&rig, "{}");
    rig_trouble(&rig, "{\"set a2\":[\"refused\"]}");
    rig_run(&rig, EACH("    batches: [1, 2, 100%]\n    max_failures: 40%\n"), NULL, false);
    cr_expect(rig.ended && rig.end == FT_RUN_ROLLED_BACK, "40 %% of all would be 2, of a batch of 2 it is none");
    cr_expect(strstr(ft_json_str(rig_event(&rig, "step.failed", "each"), "error"), "batch 2 of 3"), "%s", ft_json_str(rig_event(&rig, "step.failed", "each"), "error"));
    cr_expect_eq(rig_records(&rig, "a4"), 0);
}

static void cancel_in_soak(struct rig *r, const json_t *event)
{
    if (ft_streq(ft_json_str(event, "type"), "run.parked"))
        ft_run_cancel(r->run, "someone", false, true);
}

Test(batches, a_soak_can_be_cancelled)
{
    uint64_t begun = now_ms();

    rig.on_parked = go_on;
    rig.on_event = cancel_in_soak;
    rig_run(&rig, EACH("    batches: [1, 100%]\n    soak: 2h\n"), NULL, false);
    rig.on_event = NULL;
    cr_expect(rig.ended && rig.end == FT_RUN_CANCELLED, "%d", (int)rig.end);
    cr_expect_lt(now_ms() - begun, 60000);
    cr_expect_eq(rig_records(&rig, "\"undo\""), 1);
}

static void sleep_now(void *arg)
{
    (void)arg;
    ft_clock_set_wall(rig.clock, now_ms() + 3 * 3600000);
}

static void sleep_in_soak(struct rig *r, const json_t *event)
{
    if (ft_streq(ft_json_str(event, "type"), "each.soak"))
        ft_timer_start(r->loop, 1000, sleep_now, NULL);
}

Test(batches, a_soak_goes_by_the_clock_on_the_wall)
{
    uint64_t begun = ft_clock_mono_us(rig.clock);

    rig.on_parked = go_on;
    rig.on_event = sleep_in_soak;
    rig_run(&rig, EACH("    batches: [1, 100%]\n    soak: 2h\n"), NULL, false);
    rig.on_event = NULL;
    cr_expect(rig.ended && rig.end == FT_RUN_OK);
    cr_expect_lt(ft_clock_mono_us(rig.clock) - begun, 120000000);
}

/* ---- death */

static unsigned die_at;

static void die(struct rig *r, const json_t *event)
{
    (void)event;
    if (json_array_size(r->events) == die_at)
        ft_loop_stop(r->loop);
}

static void stop_parked(struct rig *r)
{
    if (die_at && json_array_size(r->events) >= die_at)
        ft_loop_stop(r->loop);
}

/* Dies at every event in turn, comes back; then again one event later in its second life. */
static void at_every_event(const char *yaml, const char *trouble, enum ft_run_end end, size_t least, size_t most)
{
    unsigned events;

    rig.on_parked = go_on;
    rig_state(&rig, "{\"health\":\"good\"}");
    rig_trouble(&rig, trouble);
    rig_run(&rig, yaml, NULL, false);
    cr_assert(rig.ended && rig.end == end, "undisturbed: %d", (int)rig.end);
    events = (unsigned)json_array_size(rig.events);
    for (unsigned at = 1; at < events; at++) {
        size_t batches, sets;

        rig_done(&rig);
        rig_open(&rig);
        rig_state(&rig, "{\"health\":\"good\"}");
        rig_trouble(&rig, trouble);
        rig.on_event = die;
        rig.on_parked = stop_parked;
        die_at = at;
        rig_run(&rig, yaml, NULL, false);
        rig_reborn(&rig);
        die_at = (unsigned)json_array_size(rig.events) + 3;
        if (!rig.ended)
            rig_resume(&rig);
        rig_reborn(&rig);
        die_at = 0;
        rig.on_event = NULL;
        rig.on_parked = go_on;
        if (!rig.ended)
            rig_resume(&rig);
        cr_assert(rig.ended, "died at event %u: it did not end", at);
        cr_expect_eq(rig.end, end, "died at event %u: ended with %d", at, (int)rig.end);
        sets = rig_records(&rig, "\"set\"");
        cr_expect(sets >= least && sets <= most, "died at event %u: %zu writes", at, sets);
        batches = rig_count(&rig, "each.batch");
        cr_expect_leq(batches, 3, "died at event %u: %zu batches", at, batches);
        cr_expect_leq(rig_count(&rig, "each.soak"), 2, "died at event %u: it soaked anew", at);
    }
}

Test(batches, go_on_where_they_were, .timeout = 120)
{
    at_every_event(EACH("    batches: [1, 2, 100%]\n    at_once: 2\n    soak: 10m\n" CHECK), "{}", FT_RUN_OK, 5, 5);
}

Test(batches, a_failure_counts_in_the_next_life_too, .timeout = 120)
{
    at_every_event(EACH("    batches: [1, 3, 100%]\n    at_once: 2\n    soak: 30s\n"), "{\"set a3\":[\"refused\",\"refused\",\"refused\"]}", FT_RUN_ROLLED_BACK, 2, 3);
    cr_expect_eq(rig_records(&rig, "a5"), 0);
}

Test(batches, a_soak_goes_on_with_what_is_left)
{
    uint64_t until;

    rig_run(&rig, EACH("    batches: [1, 100%]\n    soak: 10m\n"), NULL, false);
    cr_assert(rig.parked && !rig.ended);
    until = (uint64_t)ft_json_int(rig_event(&rig, "each.soak", NULL), "until", 0);
    rig_reborn(&rig);
    rig.on_parked = go_on;
    rig_resume(&rig);
    cr_assert(rig.ended && rig.end == FT_RUN_OK);
    cr_expect(now_ms() >= until && now_ms() < until + 5000, "%lld", (long long)(now_ms() - until));
}
