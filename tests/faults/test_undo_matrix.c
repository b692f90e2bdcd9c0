/* Where a run fails, is cancelled or dies, and what the device does meanwhile: afterwards the device holds what it held before, or all that was
 * wanted; or the run is an incident that says so, and once the device answers again a resume ends it. Never a part of a change, in silence.
 * FETTLE_MATRIX=all tries every point; otherwise the points are spread over the runs. */
#include <criterion/criterion.h>
#include "base/util.h"
#include "data/json.h"
#include "rig.h"

#define HEAD "fettle: 1\nname: t\ntitle: T\ncategory: change\nlocks: [device/x]\n"
#define LAST "  - id: z\n    run: sim.get\n    with: {key: END}\n    branch:\n      - if: result.found\n        then: back\n      - else: good\n"
#define PROOF(key) "verify: {run: sim.get, with: {key: " key "}, until: result.value == 1, every: 5s, within: 1m}"
#define CALLED(key) "undo: {run: sim.set, with: {key: " key ", value: 0}}"

/* The device holds a, b, c = 0; the run makes them 1. */
static const struct shape { const char *name, *yaml; } shapes[] = {
    { "one after the other", HEAD "steps:\n  - {id: a, run: sim.set, with: {key: a, value: 1}, undo: auto}\n"
      "  - {id: b, run: sim.set, with: {key: b, value: 1}, " PROOF("b") ", " CALLED("b") "}\n  - {id: c, run: sim.set, with: {key: c, value: 1}, undo: auto}\n" LAST },
    { "side by side", HEAD "steps:\n  - id: both\n    parallel:\n      a: {run: sim.set, with: {key: a, value: 1}, " PROOF("a") ", undo: auto}\n"
      "      b: {run: sim.set, with: {key: b, value: 1}, " CALLED("b") "}\n      c: {run: sim.set, with: {key: c, value: 1}, undo: auto}\n" LAST },
    { "each", HEAD "steps:\n  - id: each\n    for_each: \"${ {'a','b','c'} }\"\n    as: key\n    batches: [1, 100%]\n    at_once: 2\n    steps:\n"
      "      - {id: put, run: sim.set, with: {key: \"${key}\", value: 1}, undo: auto}\n" LAST },
    { "with pauses", HEAD "steps:\n  - {id: a, run: sim.set, with: {key: a, value: 1}, undo: auto}\n  - {id: w, wait: 5m}\n"
      "  - {id: b, run: sim.set, with: {key: b, value: 1}, retry: {times: 2, every: 1m}, undo: auto}\n"
      "  - id: gate\n    approve: May I?\n    within: 1h\n    branch:\n      - if: result.approved\n        then: c\n      - else: back\n"
      "  - {id: c, run: sim.set, with: {key: c, value: 1}, undo: auto}\n" LAST },
    { "not proven", HEAD "steps:\n  - {id: a, run: sim.set, with: {key: a, value: 1}, undo: auto}\n  - id: both\n    parallel:\n"
      "      b: {run: sim.set, with: {key: b, value: 1}, verify: {run: sim.get, with: {key: b}, until: result.value == 2, every: 5s, within: 10s}, undo: auto}\n"
      "      c: {run: sim.set, with: {key: c, value: 1}, verify: {run: sim.get, with: {key: c}, until: result.value == 2, every: 5s, within: 10s}, " CALLED("c") "}\n" LAST },
};
/* What goes wrong on the way. */
static const struct cause { const char *name, *trouble; bool end; } causes[] = {
    { "the outcome says so", "", true },
    { "the last step fails", "\"get END\":[\"refused\"]", false },
    { "the second write fails", "\"set b\":[\"refused\",\"refused\",\"refused\"]", false },
    { "the third write is lost", "\"set c\":[\"ambiguous_done\"],\"get END\":[\"refused\"]", false },
};
/* What the device does while things are taken back. */
static const struct meanwhile { const char *name, *trouble; bool incident; } meanwhiles[] = {
    { "all is well", "", false },
    { "it does not answer at first", "\"undo a\":[\"unreachable\",\"timeout\"],\"set b\":[\"ok\",\"unreachable\"]", false },
    { "it is away for good", "\"undo a\":[\"unreachable\",\"unreachable\",\"unreachable\",\"unreachable\",\"unreachable\",\"unreachable\"]", true },
    { "it refuses", "\"undo a\":[\"denied\"],\"set b\":[\"ok\",\"denied\"]", true },
    { "the answer is lost, it was done", "\"undo a\":[\"ambiguous_done\"],\"set b\":[\"ok\",\"ambiguous_done\"]", false },
    { "the answer is lost, it was not done", "\"undo a\":[\"ambiguous_not\"],\"set b\":[\"ok\",\"ambiguous_not\"]", false },
    { "even a look fails", "\"plan a\":[\"ok\",\"ok\",\"unreachable\",\"unreachable\",\"unreachable\",\"unreachable\",\"unreachable\",\"unreachable\"]", true },
};

static struct rig rig;
static unsigned die_at, cancel_at;       /* 0: never */
static bool cancel_now;
static size_t first_life;                 /* events of it */
static size_t cells, deaths, incidents, cancels;
static char what[400];

TestSuite(undo_matrix, .timeout = 280);

static void on_event(struct rig *r, const json_t *event)
{
    size_t n = json_array_size(r->events);

    (void)event;
    if (cancel_at && n == cancel_at) {
        cancels++;
        ft_run_cancel(r->run, "somebody", cancel_now, true);
    }
    if (die_at && n == die_at)
        ft_loop_stop(r->loop);
}

static void say_yes(struct rig *r)
{
    json_t *questions = ft_run_questions(r->run), *yes = json_pack("{s:b}", "approved", 1);
    const json_t *first = json_array_get(questions, 0);
    struct ft_err err = { 0 };

    if (ft_streq(ft_json_str(first, "kind"), "approve"))
        r->parked = ft_run_answer(r->run, ft_json_str(first, "path"), yes, "someone", "terminal", &err) < 0;
    else
        ft_loop_stop(r->loop);
    json_decref(yes);
    json_decref(questions);
}

static bool is_state(const char *want)
{
    json_t *state = rig_read_state(&rig), *wanted = json_loads(want, 0, NULL);
    bool same;

    json_object_del(state, "END");
    same = ft_json_equal(state, wanted);
    json_decref(state);
    json_decref(wanted);
    return same;
}

static void expect_whole(void)
{
    char *way = rig_way(&rig);
    json_t *state = rig_read_state(&rig);
    char *text = ft_json_text(state);
    bool kept = rig.end == FT_RUN_OK;

    cr_expect(rig.ended, "%s: it did not end; state %s, way %s", what, text, way);
    cr_expect(is_state(kept ? "{\"a\":1,\"b\":1,\"c\":1}" : "{\"a\":0,\"b\":0,\"c\":0}"), "%s: ended with %d, and the device holds %s; way %s", what, (int)rig.end, text, way);
    cr_expect_leq(rig_records(&rig, "\"undo\",\"params\":{\"key\":\"a\""), 1, "%s: the undo of a reached the device %zu times", what,
                  rig_records(&rig, "\"undo\",\"params\":{\"key\":\"a\""));
    free(text);
    json_decref(state);
    free(way);
}

/* It is said that something is left: the lock is held, and once the device answers, the next life ends it. */
static void incident(void)
{
    json_t *locks = NULL;
    struct ft_err err = { 0 };

    incidents++;
    cr_expect(json_is_true(json_object_get(rig_event(&rig, "run.parked", NULL), "incident")), "%s: parked, and not as an incident: %s", what,
              ft_json_str(rig_event(&rig, "run.parked", NULL), "why"));
    cr_assert_eq(ft_store_locks(rig.store, &locks, &err), 0);
    cr_expect_eq(json_array_size(locks), 1, "%s: the lock is gone", what);
    json_decref(locks);
    rig_trouble(&rig, "{}");
    rig_reborn(&rig);
    rig_resume(&rig);
}

static void one(const struct shape *shape, const struct cause *cause, const struct meanwhile *meanwhile)
{
    char *trouble = ft_asprintf("{%s%s%s}", cause->trouble, *cause->trouble && *meanwhile->trouble ? "," : "", meanwhile->trouble);

    snprintf(what, sizeof(what), "%s, %s, %s, cancelled at %u%s, died at %u", shape->name, cause->name, meanwhile->name, cancel_at, cancel_now ? " (now)" : "", die_at);
    cells++;
    rig_open(&rig);
    rig.on_event = on_event;
    rig.on_parked = say_yes;
    rig_state(&rig, cause->end ? "{\"a\":0,\"b\":0,\"c\":0,\"END\":1}" : "{\"a\":0,\"b\":0,\"c\":0}");
    rig_trouble(&rig, trouble);
    rig_run(&rig, shape->yaml, NULL, false);
    rig.on_event = NULL;
    first_life = json_array_size(rig.events);
    if (!rig.ended && !rig.parked) {
        deaths++;
        rig_reborn(&rig);
        rig_resume(&rig);
    }
    for (int i = 0; i < 3 && !(rig.ended && rig.end != FT_RUN_PARKED); i++) {
        if (rig.ended) {                                   /* cancelled at once, a write in doubt: the next life finds out */
            rig_reborn(&rig);
            rig_resume(&rig);
        } else {
            incident();
        }
    }
    expect_whole();
    rig_done(&rig);
    free(trouble);
}

static unsigned events_of(const struct shape *shape, const struct cause *cause, const struct meanwhile *meanwhile)
{
    die_at = cancel_at = 0;
    one(shape, cause, meanwhile);
    return (unsigned)first_life;
}

static unsigned stride(unsigned usual)
{
    return ft_streq(getenv("FETTLE_MATRIX"), "all") ? 1 : usual;
}

Test(undo_matrix, killed_while_it_takes_back)
{
    for (size_t s = 0; s < ARRAY_LEN(shapes); s++)
        for (size_t c = 0; c < ARRAY_LEN(causes); c++)
            for (size_t m = 0; m < ARRAY_LEN(meanwhiles); m++) {
                unsigned step = stride(11), n = events_of(&shapes[s], &causes[c], &meanwhiles[m]);
                for (unsigned at = 1 + (unsigned)(s + c + m) % step; at < n; at += step) {
                    die_at = at;
                    one(&shapes[s], &causes[c], &meanwhiles[m]);
                }
            }
    fprintf(stderr, "%zu cells, %zu deaths, %zu incidents\n", cells, deaths, incidents);
    cr_expect_gt(deaths, cells / 2);
    cr_expect_gt(incidents, 20);
}

Test(undo_matrix, cancelled_anywhere)
{
    for (size_t s = 0; s < ARRAY_LEN(shapes); s++)
        for (size_t m = 0; m < ARRAY_LEN(meanwhiles); m += 2) {
            /* The second only where it is tried again after a minute: the pause is one more place to be cancelled in. */
            static const struct cause none = { "nothing goes wrong", "", false }, once = { "a write is refused once", "\"set b\":[\"refused\"]", false };
            const struct cause *cause = strstr(shapes[s].yaml, "retry:") ? &once : &none;
            unsigned n, step = stride(5);

            n = events_of(&shapes[s], cause, &meanwhiles[0]);
            for (unsigned at = 1 + (unsigned)(s + m) % step; at < n; at += step)
                for (int now = 0; now < 2; now++) {
                    cancel_now = now;
                    cancel_at = at;
                    die_at = 0;
                    one(&shapes[s], cause, &meanwhiles[m]);
                    die_at = at + 1 + (at + m) % 5;
                    one(&shapes[s], cause, &meanwhiles[m]);
                }
        }
    fprintf(stderr, "%zu cells, %zu cancelled, %zu deaths, %zu incidents\n", cells, cancels, deaths, incidents);
    cr_expect_gt(cancels, cells / 2);
}
