/* Approvals under attack: whatever is tried, no write reaches the device without a valid approval, and a valid one counts once.
 *
 * The run lives in the rig; the people answer from "another terminal": a second store of the same file, through the function that every answer of a
 * person goes through. */
#include <criterion/criterion.h>
#include <unistd.h>
#include "base/util.h"
#include "data/json.h"
#include "guard/approval.h"
#include "rig.h"

#define HEAD "fettle: 1\nname: t\ntitle: T\ncategory: incident\n"
#define GATE(by) HEAD "steps:\n  - id: gate\n    approve: Set a to 1?\n    by: " by "\n    within: 30m\n    branch:\n      - if: result.approved\n        then: w\n      - else: bad\n" \
    "  - {id: w, run: sim.set, with: {key: a, value: 1}, undo: auto, then: good}\n"
#define PEOPLE "fettle: 1\nroles: {lead: , board: }\npeople:\n  tester: {roles: [lead]}\n  bob: {roles: [lead]}\n  carol: {roles: [lead]}\n  dora: {roles: [board]}\n  eve: {email: e@example.org}\n"

static struct rig rig;
static struct ft_loop *loop;
static struct ft_clock *wall;
static struct ft_store *store;
static struct ft_err said;
static char run_id[9];

static void open_all(void)
{
    char *path;

    rig_open(&rig);
    rig_config(&rig, PEOPLE);
    rig_reborn(&rig);
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

TestSuite(approvals, .init = open_all, .fini = close_all, .timeout = 120);

static void start(const char *yaml)
{
    rig_run(&rig, yaml, NULL, false);
    cr_assert(rig.parked && !rig.ended, "it did not park");
    snprintf(run_id, sizeof(run_id), "%s", ft_run_id(rig.run));
}

static struct ft_approvals there(void)
{
    ft_clock_set_wall(wall, ft_clock_wall_ms(rig.clock));
    return (struct ft_approvals){ .store = store, .config = ft_config_json(rig.people), .clock = wall };
}

static json_t *view(const char *who)
{
    struct ft_approvals approvals = there();
    json_t *v = NULL;

    memset(&said, 0, sizeof(said));
    return ft_approval_view(&approvals, run_id, NULL, who, &v, &said) == 0 ? v : NULL;
}

/* As a person does: looks, then answers. */
static int answer(const char *who, const char *decision)
{
    struct ft_approvals approvals = there();
    json_t *v = view(who);
    struct ft_answer a = { .run = run_id, .who = who, .where = "another terminal", .decision = decision, .reason = "because", .digest = ft_json_str(v, "digest"),
                           .token = ft_json_str(v, "token") };
    int r = v ? ft_approval_answer(&approvals, &a, NULL, &said) : said.code;

    json_decref(v);
    return r;
}

static void nothing(void *arg) { (void)arg; }

/* The run's process goes on for a while. */
static void live(uint64_t ms)
{
    ft_timer_start(rig.loop, ms, nothing, NULL);
    ft_loop_run(rig.loop);
}

static void expect_way(const char *way)
{
    char *is = rig_way(&rig);

    cr_expect_str_eq(is, way);
    free(is);
}

static void expect_untouched(const char *what)
{
    cr_expect_eq(rig_records(&rig, NULL), 0, "%s: the device was written to", what);
    cr_expect(!rig_event(&rig, "step.intended", NULL), "%s: a write was intended", what);
}

Test(approvals, two_of_three_from_another_terminal)
{
    start(GATE("{role: lead, count: 2}"));
    cr_expect_eq(answer("bob", "approve"), 0, "%s", said.text);
    live(3000);
    expect_untouched("one of two");
    cr_expect_eq(rig_count(&rig, "gate.vote"), 1);
    cr_expect_eq(answer("carol", "approve"), 0, "%s", said.text);
    live(3000);
    expect_way("gate:done w:done -> good");
    cr_expect_eq(rig_records(&rig, NULL), 1);
    cr_expect_str_eq(ft_json_str(rig_event(&rig, "gate.answered", "gate"), "by"), "bob, carol");
}

Test(approvals, answers_that_came_while_nobody_ran_it_are_taken_by_the_next_life)
{
    start(GATE("{role: lead, count: 2}"));
    rig_reborn(&rig);
    cr_expect_eq(answer("bob", "approve"), 0, "%s", said.text);
    cr_expect_eq(answer("carol", "approve"), 0, "%s", said.text);
    rig_resume(&rig);
    live(1);
    expect_way("gate:done w:done -> good");
    cr_expect_eq(rig_records(&rig, NULL), 1);
}
