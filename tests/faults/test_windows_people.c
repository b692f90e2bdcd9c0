/* Change windows together with people who approve, and with changes that a device takes back by itself: each is asked again after each wait, and what
 * is about to close ends them all. The window is Sunday 02:00 to 04:00 in Zurich: 01:00 to 03:00 UTC. */
#include <unistd.h>
#include <criterion/criterion.h>
#include "base/util.h"
#include "data/json.h"
#include "guard/approval.h"
#include "rig.h"

#define HEAD "fettle: 1\nname: t\ntitle: T\ncategory: change\nlimits: {runtime: 10h}\n"
#define PEOPLE "fettle: 1\ntimezone: Europe/Zurich\nroles: {lead: }\npeople:\n  tester: {roles: [lead]}\n  bob: {roles: [lead]}\n" \
    "windows:\n  weekly: {rrule: \"FREQ=WEEKLY;BYDAY=SU\", from: \"02:00\", to: \"04:00\"}\n"
#define BOTH PEOPLE "policies:\n  - {name: both, approval: {role: lead, within: 7d}, windows: weekly}\n"
#define ONE HEAD "steps:\n  - {id: w, run: sim.set, with: {key: a, value: 2}, undo: auto, then: good}\n"
#define MIN 60000ull
#define DAY (24 * 60 * MIN)

static struct rig rig;
static struct ft_clock *wall;
static struct ft_loop *loop;
static struct ft_store *store;
static struct ft_err said;

static void open_all(void)
{
    char *path;

    rig_open(&rig);
    rig_state(&rig, "{\"a\":1,\"b\":1}");
    rig_trouble(&rig, "{}");
    path = ft_asprintf("%s/store.db", rig.dir);
    wall = ft_clock_manual_new(1790000000000);
    loop = ft_loop_new(wall);
    cr_assert_eq(ft_store_open(loop, path, &store, &said), 0, "%s", said.text);
    free(path);
}

static void close_all(void)
{
    ft_store_close(store);
    ft_loop_free(loop);
    ft_clock_free(wall);
    rig_done(&rig);
}
TestSuite(rails, .init = open_all, .fini = close_all, .timeout = 120);

/* Looks, and says yes; as from another terminal. */
static int approve(const char *who)
{
    struct ft_approvals approvals = { .store = store, .config = ft_config_json(rig.people), .clock = wall };
    struct ft_answer a = { .run = rig_id(&rig), .who = who, .where = "another terminal", .decision = "approve", .reason = "because" };
    json_t *v = NULL;
    int r;

    ft_clock_set_wall(wall, ft_clock_wall_ms(rig.clock));
    memset(&said, 0, sizeof(said));
    if (ft_approval_view(&approvals, rig_id(&rig), NULL, who, &v, &said) < 0)
        return said.code ? said.code : -1;
    a.digest = ft_json_str(v, "digest");
    a.token = ft_json_str(v, "token");
    r = ft_approval_answer(&approvals, &a, NULL, &said);
    json_decref(v);
    return r;
}

static void expect_way(const char *want)
{
    char *way = rig_way(&rig);

    cr_expect_str_eq(way, want, "%s, not %s", way, want);
    free(way);
}

static json_int_t value_of(const char *key)
{
    json_t *state = rig_read_state(&rig);
    json_int_t value = ft_json_int(state, key, -1);

    json_decref(state);
    return value;
}

static uint64_t utc(const char *text)
{
    int64_t s = 0;

    cr_assert_eq(ft_local_parse(text, &s, NULL), 0);
    return (uint64_t)s * 1000;
}

static uint64_t at_of(const char *type, const char *path)
{
    return (uint64_t)ft_json_int(rig_event(&rig, type, path), "at", 0);
}

/* ---- approvals */

Test(rails, approved_before_the_window_opens_it_goes_when_it_does)
{
    rig_rails(&rig, BOTH, "2026-11-26 10:00");
    rig_run(&rig, ONE, NULL, false);
    cr_assert(rig.parked && rig_event(&rig, "gate.opened", "w"), "people are asked before the window opens");
    cr_expect_eq(approve("bob"), 0, "%s", said.text);
    rig_pass(&rig, 60 * MIN);
    cr_assert(!rig.ended);
    cr_expect_eq(ft_json_int(rig_event(&rig, "hold.opened", "w"), "until", 0), (int64_t)utc("2026-11-29 01:00"));
    cr_expect_eq(rig_records(&rig, NULL), 0, "it wrote outside of the window");
    rig_reborn(&rig);
    rig_resume(&rig);
    rig_pass(&rig, 4 * DAY);
    cr_assert(rig.ended);
    expect_way("w:done -> good");
    cr_expect_eq(rig_count(&rig, "gate.opened"), 1, "they were asked %zu times", rig_count(&rig, "gate.opened"));
    cr_expect_geq(at_of("step.intended", "w"), utc("2026-11-29 01:00"));
    cr_expect_lt(at_of("step.intended", "w"), utc("2026-11-29 01:01"));
}

Test(rails, open_but_not_approved_it_does_not_go)
{
    rig_rails(&rig, BOTH, "2026-11-26 10:00");
    rig_run(&rig, ONE, NULL, false);
    rig_pass(&rig, 2 * DAY + 16 * 60 * MIN);           /* 02:00 UTC in the window */
    cr_assert(!rig.ended);
    cr_expect_eq(rig_records(&rig, NULL), 0, "nobody has approved it");
    cr_expect_eq(approve("bob"), 0, "%s", said.text);
    rig_pass(&rig, 5 * MIN);
    cr_assert(rig.ended);
    expect_way("w:done -> good");
    cr_expect_lt(at_of("step.intended", "w"), utc("2026-11-29 03:00"));
}

/* Approved on Thursday, moved by somebody on Friday: on Sunday they are asked again, and who says yes too late waits for the next Sunday. */
Test(rails, what_moved_while_it_waited_for_its_window_is_asked_again)
{
    rig_rails(&rig, BOTH, "2026-11-26 10:00");
    rig_run(&rig, ONE, NULL, false);
    cr_expect_eq(approve("bob"), 0, "%s", said.text);
    rig_pass(&rig, 60 * MIN);
    rig_state(&rig, "{\"a\":7,\"b\":1}");
    rig_pass(&rig, 2 * DAY + 15 * 60 * MIN);           /* 02:00 UTC in the window */
    cr_assert(!rig.ended);
    cr_expect_eq(rig_records(&rig, NULL), 0, "what was approved is not what would be done");
    cr_expect_eq(rig_count(&rig, "gate.voided"), 1);
    cr_expect_eq(rig_count(&rig, "gate.opened"), 2, "they were asked %zu times", rig_count(&rig, "gate.opened"));
    rig_pass(&rig, 2 * 60 * MIN);                      /* it has closed */
    cr_expect_eq(approve("bob"), 0, "%s", said.text);
    rig_pass(&rig, DAY);
    cr_assert(!rig.ended);
    cr_expect_eq(rig_records(&rig, NULL), 0, "it wrote outside of the window");
    rig_pass(&rig, 7 * DAY);
    cr_assert(rig.ended);
    expect_way("w:done -> good");
    cr_expect_geq(at_of("step.intended", "w"), utc("2026-12-06 01:00"));
    cr_expect_lt(at_of("step.intended", "w"), utc("2026-12-06 01:01"));
    cr_expect_eq(rig_count(&rig, "gate.opened"), 2, "they were asked %zu times", rig_count(&rig, "gate.opened"));
}

/* The first write is done, people are asked about the second, and nobody answers before there is just time to take back the first. */
Test(rails, a_gate_that_is_open_when_the_window_is_about_to_close)
{
    rig_rails(&rig, PEOPLE "policies:\n  - {name: sundays, windows: weekly}\n  - {name: b, match: {action: sim.put}, approval: {role: lead, within: 7d}}\n", "2026-11-29 01:30");
    rig_run(&rig, HEAD "steps:\n  - {id: a, run: sim.set, with: {key: a, value: 2}, undo: auto}\n  - {id: b, run: sim.put, with: {key: b, value: 2}, undo: none, then: good}\n", NULL,
            false);
    cr_assert(rig.parked && rig_event(&rig, "gate.opened", "b"));
    cr_expect_eq(value_of("a"), 2);
    rig_pass(&rig, 2 * 60 * MIN);
    cr_assert(rig.ended);
    cr_expect_eq(rig.end, FT_RUN_ROLLED_BACK);
    cr_expect_eq(value_of("a"), 1);
    cr_expect_lt(at_of("undo.done", "a"), utc("2026-11-29 03:00"));
    cr_expect_lt(approve("bob"), 0, "somebody could still approve it");
    cr_expect_eq(value_of("b"), 1);
}

/* Approved, and then fettle was away until it is about to close: nothing new starts. */
Test(rails, an_approval_that_comes_when_it_closes_starts_nothing)
{
    static const char config[] = PEOPLE "policies:\n  - {name: sundays, windows: weekly}\n  - {name: b, match: {action: sim.put}, approval: {role: lead, within: 7d}}\n";

    rig_rails(&rig, config, "2026-11-29 01:30");
    rig_run(&rig, HEAD "steps:\n  - {id: a, run: sim.set, with: {key: a, value: 2}, undo: auto}\n  - {id: c, run: sim.set, with: {key: c, value: 2}, undo: auto}\n"
            "  - {id: b, run: sim.put, with: {key: b, value: 2}, undo: none, then: good}\n", NULL, false);
    cr_assert(rig.parked);
    cr_expect_eq(approve("bob"), 0, "%s", said.text);
    rig_rails(&rig, config, "2026-11-29 02:59");
    rig_resume(&rig);
    rig_pass(&rig, 60 * MIN);
    cr_assert(rig.ended);
    cr_expect_eq(rig.end, FT_RUN_ROLLED_BACK);
    cr_expect_eq(value_of("a"), 1);
    cr_expect_eq(value_of("b"), 1, "it was sent");
}

/* ---- changes that the device takes back by itself */

#define SUNDAYS PEOPLE "policies:\n  - {name: sundays, windows: weekly}\n"
#define PUT(n) "      w" #n ": {run: sim.set, with: {key: k" #n ", value: 2}, undo: auto}\n"
/* Beside the change that pends others are made, so that taking all back takes longer, and the time is up while it still pends. */
#define BESIDE(verify) HEAD "steps:\n  - id: all\n    parallel:\n      d:\n        run: deadman.set\n        with: {value: new, within_s: 900}\n" \
    "        undo: auto\n        verify: {run: deadman.get, with: {}, until: \"result.value == '" verify "'\", every: 5s, within: 14m}\n" \
    PUT(1) PUT(2) PUT(3) PUT(4) PUT(5) PUT(6) PUT(7) PUT(8) PUT(9) PUT(10) PUT(11) PUT(12) "    then: good\n"

/* "set confirm undo = old": what happened to the device; "*": that waits for its confirmation. malloced */
static char *story(void)
{
    char *path = ft_asprintf("%s/deadman.json", rig.dir), *text = ft_strdup(""), *longer;
    json_t *device = json_load_file(path, 0, NULL), *line;
    size_t i;

    json_array_foreach(json_object_get(device, "log"), i, line) {
        longer = ft_asprintf("%s%s ", text, json_string_value(line));
        free(text);
        text = longer;
    }
    longer = ft_asprintf("%s= %s%s", text, ft_json_str(device, "value"), json_object_get(device, "until") ? "*" : "");
    free(text);
    free(path);
    json_decref(device);
    return longer;
}

static void expect_story(const char *wanted)
{
    char *seen = story();

    cr_expect_str_eq(seen, wanted, "%s, not %s", seen, wanted);
    free(seen);
}

static void expect_closed_in_time(void)
{
    cr_assert(rig.ended);
    cr_expect_eq(rig.end, FT_RUN_ROLLED_BACK);
    cr_expect_not_null(rig_event(&rig, "run.closing", NULL));
    cr_expect_lt(at_of("run.finished", NULL), utc("2026-11-29 03:00"));
    cr_expect_eq(value_of("k1"), -1);
    cr_expect_eq(value_of("k12"), -1);
}

Test(rails, what_still_pends_when_it_closes_is_never_confirmed)
{
    rig_rails(&rig, SUNDAYS, "2026-11-29 02:40");
    rig_run(&rig, BESIDE("other"), NULL, false);
    rig_pass(&rig, 60 * MIN);
    expect_closed_in_time();
    expect_story("set undo = old");
    cr_expect_eq(rig_count(&rig, "confirm.intended"), 0);
}

Test(rails, what_was_confirmed_is_undone_when_it_closes)
{
    rig_rails(&rig, SUNDAYS, "2026-11-29 01:30");
    rig_run(&rig, HEAD "steps:\n  - {id: d, run: deadman.set, with: {value: new}, undo: auto}\n  - {id: soak, wait: 3h, then: good}\n", NULL, false);
    rig_pass(&rig, 3 * 60 * MIN);
    cr_assert(rig.ended);
    expect_story("set confirm undo = old");
    cr_expect_lt(at_of("undo.done", "d"), utc("2026-11-29 03:00"));
}

/* It was told to confirm and did not hear it: when it closes, that is found out rather than told once more. */
Test(rails, what_may_be_confirmed_is_looked_into_when_it_closes)
{
    json_t *list = json_array(), *trouble = json_pack("{s:o}", "confirm", list);
    char *text;

    for (int i = 0; i < 1000; i++)
        json_array_append_new(list, json_string("unreachable"));
    text = json_dumps(trouble, 0);
    rig_trouble(&rig, text);
    free(text);
    json_decref(trouble);
    rig_rails(&rig, SUNDAYS, "2026-11-29 02:40");
    rig_run(&rig, BESIDE("new"), NULL, false);
    rig_pass(&rig, 60 * MIN);
    expect_closed_in_time();
    expect_story("set undo = old");
    cr_expect_eq(rig_count(&rig, "confirm.done"), 0);
}

/* A change whose device would take it back only after the window has closed is not begun. */
Test(rails, a_timer_that_outlasts_the_window_is_not_started)
{
    rig_rails(&rig, SUNDAYS, "2026-11-29 02:40");
    rig_run(&rig, HEAD "steps:\n  - {id: d, run: deadman.set, with: {value: new, within_s: 1800}, undo: none, then: good}\n", NULL, false);
    cr_assert(rig.parked && !rig.ended);
    cr_expect_eq(ft_json_int(rig_event(&rig, "hold.opened", "d"), "until", 0), (int64_t)utc("2026-12-06 01:00"));
    expect_story("= (null)");
}

/* ---- death in it */

static struct { unsigned events, stop_at; } dying;

static void die_at(struct rig *r, const json_t *event)
{
    (void)event;
    if (++dying.events == dying.stop_at)
        ft_loop_stop(r->loop);
}

#define LONG HEAD "steps:\n  - id: d\n    run: deadman.set\n    with: {value: new, within_s: 300}\n    undo: auto\n" \
    "    verify: {run: deadman.get, with: {}, until: \"result.value == 'new'\", every: 5s, within: 1m}\n  - {id: soak, wait: 3h, then: good}\n"

Test(rails, never_both_told_whenever_it_dies_and_comes_back)
{
    static const char *const back[] = { "2026-11-29 02:54", "2026-11-29 02:59", "2026-11-29 03:30" };
    unsigned tried = 0;

    for (size_t i = 0; i < ARRAY_LEN(back); i++) {
        for (unsigned stop = 1; stop < 30; stop++) {
            char *path = ft_asprintf("%s/deadman.json", rig.dir), *seen;

            unlink(path);
            free(path);
            dying.events = 0;
            dying.stop_at = stop;
            rig_rails(&rig, SUNDAYS, "2026-11-29 02:52");
            rig.on_event = die_at;
            rig_run(&rig, LONG, NULL, false);
            rig.on_event = NULL;
            if (dying.events < stop)
                break;                             /* it has no more events than that */
            if (rig.ended)
                continue;                          /* they came in one breath */
            seen = story();
            bool wrote = strstr(seen, "set") != NULL;

            free(seen);
            rig_rails(&rig, SUNDAYS, back[i]);
            rig_resume(&rig);
            rig_pass(&rig, 4 * 60 * MIN);
            tried++;
            seen = story();
            cr_expect(rig.ended || !wrote, "killed at event %u, back at %s: it is not over: %s", stop, back[i], seen);
            if (wrote || rig.ended)
                cr_expect((strstr(seen, "= old") || strstr(seen, "= (null)")) && !strchr(seen, '*'), "killed at event %u, back at %s: %s", stop, back[i], seen);
            cr_expect(!strstr(seen, "undo confirm") && !strstr(seen, "lapse confirm"), "killed at event %u, back at %s: %s", stop, back[i], seen);
            cr_expect(!strstr(seen, "confirm") || rig_event(&rig, "confirm.done", "d"), "killed at event %u, back at %s: %s", stop, back[i], seen);
            free(seen);
        }
    }
    cr_expect_gt(tried, 20, "only %u points were tried", tried);
}
