/* A dry run: nothing is written, and the way of the real run is always in the plan. */
#include <criterion/criterion.h>
#include "base/buf.h"
#include "base/util.h"
#include "data/json.h"
#include "rig.h"

#define HEAD "fettle: 1\nname: t\ntitle: T\ncategory: incident\n"

static struct rig rig;

static void open_rig(void) { rig_open(&rig); }
static void close_rig(void) { rig_done(&rig); }
TestSuite(dry, .init = open_rig, .fini = close_rig);

static const json_t *node(const json_t *plan, const char *path)
{
    json_t *n;
    size_t i;

    json_array_foreach(json_object_get(plan, "nodes"), i, n)
        if (ft_streq(ft_json_str(n, "path"), path))
            return n;
    return NULL;
}

static const json_t *plan_of(const char *yaml)
{
    rig_run(&rig, yaml, NULL, true);
    cr_assert(rig.ended && rig.end == FT_RUN_OK);
    cr_expect_eq(rig_records(&rig, NULL), 0, "a dry run wrote");
    const json_t *plan = ft_run_plan(rig.events);

    cr_assert_not_null(plan);
    return plan;
}

static const char restart[] = HEAD
    "steps:\n"
    "  - id: look\n    run: sim.get\n    with: {key: led}\n    branch:\n      - if: result.value == \"lit\"\n        then: good\n      - else: mend\n"
    "  - {id: mend, run: sim.set, with: {key: led, value: lit}, undo: auto}\n"
    "  - id: check\n    run: sim.get\n    with: {key: \"${mend.ok and 'led'}\"}\n    branch:\n      - if: result.value == \"lit\"\n        then: good\n      - else: bad\n";

Test(dry, shows_the_request_and_both_ways_behind_it)
{
    rig_state(&rig, "{\"led\":\"off\"}");
    const json_t *plan = plan_of(restart), *mend = node(plan, "mend"), *check = node(plan, "check");

    cr_assert(mend && check);
    cr_expect_eq(ft_json_int(mend, "write", 0), 1);
    cr_expect_str_eq(json_string_value(ft_json_path(plan, "writes.0.exactness")), "exact");
    cr_expect_str_eq(json_string_value(ft_json_path(plan, "writes.0.requests.0.commands.0")), "set led");
    cr_expect_str_eq(json_string_value(ft_json_path(plan, "writes.0.undo.kind")), "auto");
    cr_expect_eq(json_array_size(json_object_get(check, "ways")), 2);
    cr_expect_str_eq(ft_json_str(json_object_get(plan, "outcomes"), "good"), "possible");
    cr_expect_str_eq(ft_json_str(json_object_get(plan, "outcomes"), "bad"), "possible");
}

Test(dry, knows_what_it_can_know)
{
    rig_state(&rig, "{\"led\":\"lit\"}");
    const json_t *plan = plan_of(restart);

    cr_expect_null(node(plan, "mend"));
    cr_expect_str_eq(ft_json_str(json_object_get(plan, "outcomes"), "good"), "certain");
    cr_expect_eq(json_object_size(json_object_get(plan, "outcomes")), 1);
}

Test(dry, does_not_read_behind_a_write)
{
    rig_state(&rig, "{\"led\":\"off\"}");
    const json_t *plan = plan_of(HEAD "steps:\n  - {id: mend, run: sim.set, with: {key: led, value: lit}, undo: auto}\n"
                                      "  - id: check\n    run: sim.get\n    with: {key: led}\n    branch:\n      - if: result.value == \"lit\"\n        then: good\n      - else: bad\n");

    cr_expect_eq(json_array_size(json_object_get(node(plan, "check"), "ways")), 2, "what the device says now is not what it will say then");
    cr_expect_str_eq(ft_json_str(json_object_get(plan, "outcomes"), "good"), "possible");
    cr_expect_not_null(ft_json_str(node(plan, "check"), "note"));
}

Test(dry, takes_what_a_step_assumes)
{
    const json_t *plan = plan_of(HEAD "steps:\n  - id: w\n    run: sim.set\n    with: {key: a, value: 1}\n    assume: {ok: true}\n    undo: auto\n    branch:\n      - if: result.ok\n        then: good\n      - else: bad\n");

    cr_expect_str_eq(ft_json_str(json_object_get(plan, "outcomes"), "good"), "certain");
    cr_expect_null(json_object_get(json_object_get(plan, "outcomes"), "bad"));
}

Test(dry, explores_a_gate_both_ways_unless_its_answer_is_assumed)
{
    const char *gate = HEAD "steps:\n  - id: gate\n    approve: Go?\n", *rest = "    branch:\n      - if: result.approved\n        then: w\n      - else: bad\n"
                                    "  - {id: w, run: sim.set, with: {key: a, value: 1}, undo: auto, then: good}\n";
    char *yaml = ft_asprintf("%s%s", gate, rest);
    const json_t *plan = plan_of(yaml);

    cr_expect_str_eq(ft_json_str(json_object_get(plan, "outcomes"), "bad"), "possible");
    cr_expect_str_eq(ft_json_str(json_object_get(plan, "outcomes"), "good"), "possible");
    cr_expect_str_eq(json_string_value(ft_json_path(plan, "writes.0.exactness")), "exact", "what it sends does not depend on who answers");
    free(yaml);
    yaml = ft_asprintf("%s    assume: {approved: true}\n%s", gate, rest);
    plan = plan_of(yaml);
    cr_expect_str_eq(ft_json_str(json_object_get(plan, "outcomes"), "good"), "certain");
    cr_expect_null(json_object_get(json_object_get(plan, "outcomes"), "bad"));
    free(yaml);
}

Test(dry, the_way_around_a_step_knows_nothing_of_what_it_sets)
{
    const json_t *plan = plan_of(HEAD "steps:\n  - {id: w, run: sim.set, with: {key: a, value: 1}, undo: auto}\n  - {id: look, run: sim.get, with: {key: b}}\n"
                                      "  - {id: mark, when: look.found, set: {colour: red}}\n"
                                      "  - id: end_here\n    set: {over: 1}\n    branch:\n      - if: 'tostring(colour) == \"red\"'\n        then: good\n      - else: bad\n");

    cr_expect_str_eq(ft_json_str(json_object_get(plan, "outcomes"), "good"), "possible");
    cr_expect_str_eq(ft_json_str(json_object_get(plan, "outcomes"), "bad"), "possible", "mark may be skipped");
}

Test(dry, says_undetermined_when_a_write_cannot_be_rendered)
{
    const json_t *plan = plan_of(HEAD "steps:\n  - {id: w, run: sim.blind, with: {key: a, value: 1}, undo: none}\n  - {id: v, run: sim.set, with: {key: \"${w.ok and 'x'}\", value: 1}, undo: auto, then: good}\n");

    cr_expect_str_eq(json_string_value(ft_json_path(plan, "writes.0.exactness")), "undetermined");
    cr_expect_str_eq(json_string_value(ft_json_path(plan, "writes.1.exactness")), "undetermined");
    cr_expect_eq(ft_json_int(json_object_get(plan, "score"), "undetermined", 0), 2);
}

Test(dry, short_cuts_need_not_know)
{
    const json_t *plan = plan_of(HEAD "vars: {site: hq}\nsteps:\n  - id: w\n    run: sim.set\n    with: {key: a, value: 1}\n    undo: auto\n    branch:\n      - if: site == \"hq\" or result.ok\n        then: good\n      - else: bad\n");

    cr_expect_str_eq(ft_json_str(json_object_get(plan, "outcomes"), "good"), "certain");
}

/* 2^20 ways through twenty unknown conditions: the work stays bounded, and the end is reached. */
Test(dry, many_unknown_branches_do_not_explode)
{
    struct ft_buf yaml = FT_BUF_INIT(0);

    ft_buf_adds(&yaml, HEAD "steps:\n  - {id: w, run: sim.set, with: {key: a, value: 1}, undo: auto}\n");
    for (int i = 0; i < 20; i++)
        ft_buf_addf(&yaml, "  - id: c%d\n    set: {v%d: 1}\n    branch:\n      - if: w.ok\n        then: c%d\n      - else: s%d\n  - id: s%d\n    set: {u%d: 1}\n", i, i, i + 1, i, i, i);
    ft_buf_adds(&yaml, "  - {id: c20, set: {done: 1}, then: good}\n");
    const json_t *plan = plan_of(ft_buf_str(&yaml));

    cr_expect_not_null(json_object_get(json_object_get(plan, "outcomes"), "good"));
    cr_expect(json_is_true(json_object_get(plan, "cut")));
    cr_expect_lt(json_array_size(json_object_get(plan, "nodes")), 501);
    ft_buf_done(&yaml);
}
