/* A run killed at any event: the next life goes on, and the device sees each write once. */
#include <criterion/criterion.h>
#include "base/util.h"
#include "data/json.h"
#include "rig.h"

#define HEAD "fettle: 1\nname: t\ntitle: T\ncategory: incident\n"

static struct rig rig;
static unsigned die_at;

static void open_rig(void) { rig_open(&rig); }
static void close_rig(void) { rig_done(&rig); }
TestSuite(resume, .init = open_rig, .fini = close_rig, .timeout = 60);

/* Stops the loop at event number die_at: what comes after it in the same breath does not happen. */
static void die(struct rig *r, const json_t *event)
{
    (void)event;
    if (json_array_size(r->events) == die_at)
        ft_loop_stop(r->loop);
}

static void say_yes(struct rig *r)
{
    json_t *questions = ft_run_questions(r->run);
    const char *kind = ft_json_str(json_array_get(questions, 0), "kind"), *path = ft_json_str(json_array_get(questions, 0), "path");
    json_t *yes = json_pack("{s:b}", ft_streq(kind, "approve") ? "approved" : "happened", 1);
    struct ft_err err = { 0 };

    cr_assert_str_eq(kind, "approve", "at event %u it asked about %s", die_at, path);
    cr_assert_eq(ft_run_answer(r->run, path, yes, "someone", "terminal", &err), 0, "%s", err.text);
    json_decref(yes);
    json_decref(questions);
}

static const char everything[] = HEAD
    "steps:\n"
    "  - {id: look, run: sim.get, with: {key: a}}\n"
    "  - id: gate\n    approve: May I?\n    branch:\n      - if: result.approved\n        then: first\n      - else: bad\n"
    "  - id: first\n    run: sim.set\n    with: {key: a, value: 1}\n    verify: {run: sim.get, with: {key: a}, until: result.value == 1, every: 5s, within: 1m}\n    undo: auto\n"
    "  - id: both\n    parallel:\n      x: {run: sim.set, with: {key: x, value: 1}, undo: auto}\n      yy: {run: sim.set, with: {key: yy, value: 1}, undo: auto}\n"
    "  - {id: pause, wait: 5m}\n"
    "  - id: each\n    for_each: \"${ {'p','q'} }\"\n    as: key\n    steps:\n      - {id: put, run: sim.set, with: {key: \"${key}\", value: 1}, undo: auto}\n"
    "  - id: last\n    run: sim.idem\n    with: {key: z, value: 1}\n    undo: none\n    branch:\n      - if: look.found\n        then: bad\n      - else: good\n";

static void expect_once(const char *record, unsigned at)
{
    cr_expect_eq(rig_records(&rig, record), 1, "died at event %u: %zu times %s", at, rig_records(&rig, record), record);
}

Test(resume, goes_on_after_death_at_every_event)
{
    unsigned events;

    rig.on_parked = say_yes;
    die_at = 0;
    rig_run(&rig, everything, NULL, false);
    cr_assert(rig.ended && rig.end == FT_RUN_OK);
    events = (unsigned)json_array_size(rig.events);
    cr_assert_gt(events, 30);
    for (unsigned at = 1; at < events; at++) {
        char *way;

        rig_done(&rig);
        rig_open(&rig);
        rig.on_parked = say_yes;
        rig.on_event = die;
        die_at = at;
        rig_run(&rig, everything, NULL, false);
        rig_reborn(&rig);
        rig.on_event = NULL;
        if (!rig.ended)
            rig_resume(&rig);
        cr_assert(rig.ended, "died at event %u: it did not end", at);
        cr_expect_eq(rig.end, FT_RUN_OK, "died at event %u: ended with %d", at, (int)rig.end);
        way = rig_way(&rig);
        cr_expect(strstr(way, "-> good"), "died at event %u: %s", at, way);
        free(way);
        expect_once("\"key\":\"a\"", at);
        expect_once("\"key\":\"x\"", at);
        expect_once("\"key\":\"yy\"", at);
        expect_once("\"key\":\"p\"", at);
        expect_once("\"key\":\"q\"", at);
    }
}

static const char failing[] = HEAD
    "steps:\n"
    "  - {id: a, run: sim.set, with: {key: a, value: 1}, undo: auto}\n"
    "  - {id: b, run: sim.set, with: {key: b, value: 1}, undo: auto}\n"
    "  - {id: z, run: sim.get, with: {key: z}, then: good}\n";

Test(resume, a_rollback_goes_on_as_a_rollback)
{
    unsigned events;

    rig_trouble(&rig, "{\"get z\":[\"refused\"]}");
    rig_run(&rig, failing, NULL, false);
    cr_assert_eq(rig.end, FT_RUN_ROLLED_BACK);
    events = (unsigned)json_array_size(rig.events);
    for (unsigned at = 1; at < events; at++) {
        json_t *state;

        rig_done(&rig);
        rig_open(&rig);
        rig_trouble(&rig, "{\"get z\":[\"refused\",\"refused\"]}");
        rig.on_event = die;
        die_at = at;
        rig_run(&rig, failing, NULL, false);
        rig_reborn(&rig);
        rig.on_event = NULL;
        if (!rig.ended)
            rig_resume(&rig);
        cr_expect(rig.ended && rig.end == FT_RUN_ROLLED_BACK, "died at event %u: ended %d with %d", at, (int)rig.ended, (int)rig.end);
        state = rig_read_state(&rig);
        cr_expect_eq(json_object_size(state), 0, "died at event %u: something is left", at);
        json_decref(state);
    }
}

Test(resume, a_write_that_nothing_can_find_out_is_never_sent_again)
{
    static const char yaml[] = HEAD "steps:\n  - {id: w, run: sim.add, with: {key: num}, undo: none, then: good}\n";
    unsigned parked = 0;

    for (unsigned at = 1; at < 12; at++) {
        rig_done(&rig);
        rig_open(&rig);
        rig.on_event = die;
        die_at = at;
        rig_run(&rig, yaml, NULL, false);
        rig_reborn(&rig);
        rig.on_event = NULL;
        if (!rig.ended)
            rig_resume(&rig);
        cr_expect(rig.ended || rig.parked, "died at event %u: neither over nor parked", at);
        cr_expect_leq(rig_records(&rig, NULL), 1, "died at event %u: sent twice", at);
        parked += rig.parked;
    }
    cr_expect_gt(parked, 0, "no death fell into the doubtful moment");
}

Test(resume, a_run_that_is_over_is_not_resumed)
{
    struct ft_run_observer observer = { 0 };
    struct ft_run *run = NULL;
    struct ft_err err = { 0 };
    char id[9];

    rig_run(&rig, HEAD "steps:\n  - {id: s, set: {v: 1}, then: good}\n", NULL, false);
    snprintf(id, sizeof(id), "%s", ft_run_id(rig.run));
    cr_expect_lt(ft_run_resume(rig.engine, id, "x", &observer, NULL, &run, &err), 0);
    cr_expect(strstr(err.text, "is over"), "%s", err.text);
}

static void die_at_wait(struct rig *r, const json_t *event)
{
    if (ft_streq(ft_json_str(event, "type"), "wait.opened"))
        ft_loop_stop(r->loop);
}

/* Seen in the crash campaign: a wait of half a minute became one of hours, and the run broke its limit. */
Test(resume, a_wait_does_not_grow_when_the_clock_is_set_back)
{
    const json_t *done;

    rig.on_event = die_at_wait;
    rig_run(&rig, HEAD "steps:\n  - {id: pause, wait: 30s, then: good}\n", NULL, false);
    cr_assert(!rig.ended);
    rig_reborn(&rig);
    rig.on_event = NULL;
    ft_clock_set_wall(rig.clock, 1790000000000 - 5 * 3600 * 1000);
    rig_resume(&rig);
    cr_assert(rig.ended);
    cr_expect_eq(rig.end, FT_RUN_OK);
    done = rig_event(&rig, "step.done", "pause");
    cr_expect_leq(ft_json_int(done, "ms", -1), 30000, "%lld ms", (long long)ft_json_int(done, "ms", -1));
    cr_expect_eq(ft_json_int(rig_event(&rig, "run.finished", NULL), "ms", -1), 0);
}
