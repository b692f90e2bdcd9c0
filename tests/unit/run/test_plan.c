/* A plan: the same world gives the same digest, and what is applied is what was planned, on the state that was planned, or nothing. */
#include <criterion/criterion.h>
#include <unistd.h>
#include "base/util.h"
#include "data/json.h"
#include "rig.h"
#include "run/plan.h"

#define HEAD "fettle: 1\nname: t\ntitle: T\ncategory: incident\n"

void plan_seal(json_t *plan);             /* run/internal.h: as one who can write to the store might */

static struct rig rig;

static void open_rig(void) { rig_open(&rig); }
static void close_rig(void) { rig_done(&rig); }
TestSuite(plan, .init = open_rig, .fini = close_rig);

static const char two[] = HEAD
    "params: {want: {type: string, default: lit}}\n"
    "steps:\n"
    "  - {id: look, run: sim.get, with: {key: led}}\n"
    "  - {id: a, run: sim.put, with: {key: led, value: \"${want}\"}, undo: auto}\n"
    "  - {id: b, run: sim.put, with: {key: fan, value: {by: \"run ${run.id}\", n: 3}}, undo: {run: sim.put, with: {key: fan, value: idle}}, then: good}\n";

/* New reference. */
static json_t *plan_of(const char *yaml, const char *params)
{
    rig.keep_plan = true;
    rig.apply = NULL;
    rig_run(&rig, yaml, params, true);
    cr_assert(rig.ended && rig.end == FT_RUN_OK);
    return json_incref((json_t *)ft_run_plan(rig.events));
}

static void apply(const char *yaml, const json_t *plan)
{
    rig.apply = plan;
    rig_run(&rig, yaml, NULL, false);
}

Test(plan, the_same_world_gives_the_same_digest)
{
    rig_state(&rig, "{\"led\":\"off\"}");
    json_t *one = plan_of(two, NULL), *again = plan_of(two, NULL), *other = plan_of(two, "{\"want\":\"red\"}");
    struct ft_err err = { 0 };

    cr_expect_str_eq(ft_plan_digest(one), ft_plan_digest(again));
    cr_expect_str_eq(ft_json_str(one, "whole"), ft_json_str(again, "whole"), "nothing of a run's id or time is in a plan");
    cr_expect_str_neq(ft_plan_digest(one), ft_plan_digest(other));
    cr_expect_eq(ft_plan_check(one, &err), 0, "%s", err.text);
    rig_state(&rig, "{\"led\":\"dim\"}");
    json_t *moved = plan_of(two, NULL);

    cr_expect_str_neq(ft_plan_digest(one), ft_plan_digest(moved), "the state that it rests on is part of it");
    json_decref(one);
    json_decref(again);
    json_decref(other);
    json_decref(moved);
}

Test(plan, its_form_does_not_depend_on_the_order_of_keys)
{
    json_t *one = plan_of(two, NULL), *turned = json_object();
    struct ft_err err = { 0 };
    const char *keys[64], *key;
    json_t *value;
    size_t n = 0;

    json_object_foreach(one, key, value)
        keys[n++] = key;
    while (n--)
        json_object_set(turned, keys[n], json_object_get(one, keys[n]));
    cr_expect_eq(ft_plan_check(turned, &err), 0, "%s", err.text);
    json_decref(one);
    json_decref(turned);
}

Test(plan, any_change_of_it_is_found)
{
    rig_state(&rig, "{\"led\":\"off\"}");
    json_t *plan = plan_of(two, NULL);
    char *text = ft_json_canonical(plan);
    size_t len = strlen(text), tried = 0;
    struct ft_err err;

    for (size_t i = 0; i < len; i += 7) {
        char was = text[i];
        json_t *altered = NULL;

        text[i] = (char)(was == 'x' ? 'y' : 'x');
        if (ft_json_parse(text, len, 0, &altered, &err) == 0) {
            tried++;
            cr_expect_lt(ft_plan_check(altered, &err), 0, "byte %zu of the plan was changed, and it was taken: %.60s", i, text + (i > 30 ? i - 30 : 0));
        }
        json_decref(altered);
        text[i] = was;
    }
    cr_expect_gt(tried, 50);
    free(text);
    json_decref(plan);
}

Test(plan, applied_it_sends_just_that)
{
    rig_state(&rig, "{\"led\":\"off\"}");
    json_t *plan = plan_of(two, NULL), *w;
    size_t i;

    apply(two, plan);
    cr_expect(rig.ended && rig.end == FT_RUN_OK);
    cr_expect_eq(rig_records(&rig, NULL), 2);
    json_array_foreach(json_object_get(plan, "writes"), i, w) {
        const json_t *intent = rig_event(&rig, "step.intended", ft_json_str(w, "path"));

        cr_expect_str_eq(ft_json_str(w, "exactness"), "exact", "each says what it leaves, and they do not meet");
        cr_expect(json_equal(ft_json_path(w, "before"), ft_json_path(intent, "plan.before")));
    }
    cr_expect_str_eq(ft_json_str(json_array_get(rig.events, 0), "plan"), ft_plan_digest(plan));
    json_decref(plan);
    plan = plan_of(two, NULL);
    cr_expect_eq(ft_plan_writes(plan), 1, "the second write names its run, so that each run's is another one");
    json_decref(plan);
}

Test(plan, right_after_an_apply_it_is_empty)
{
    static const char yaml[] = HEAD "steps:\n  - {id: a, run: sim.put, with: {key: led, value: lit}, undo: auto}\n"
                                    "  - id: b\n    run: sim.put\n    with: {key: fan, value: fast}\n    undo: auto\n    branch:\n      - if: result.ok\n        then: good\n      - else: bad\n";
    json_t *plan = plan_of(yaml, NULL);

    cr_expect_eq(ft_plan_writes(plan), 2);
    apply(yaml, plan);
    cr_expect_eq(rig_records(&rig, NULL), 2);
    json_decref(plan);
    plan = plan_of(yaml, NULL);
    cr_expect_eq(ft_plan_writes(plan), 0);
    cr_expect_eq(json_array_size(json_object_get(plan, "writes")), 0);
    cr_expect_str_eq(json_string_value(ft_json_path(plan, "outcomes.good")), "certain", "the result of what is not sent is known");
    apply(yaml, plan);
    cr_expect(rig.ended && rig.end == FT_RUN_OK);
    cr_expect_eq(rig_records(&rig, NULL), 2, "nothing is sent where nothing is to do");
    cr_expect_eq(ft_json_int(rig_event(&rig, "run.finished", NULL), "writes", -1), 0);
    cr_expect(json_is_true(json_object_get(rig_event(&rig, "step.done", "a"), "nothing_to_do")));
    json_decref(plan);
}

static void expect_off(const json_t *plan, const char *why, enum ft_run_end end, size_t records)
{
    const json_t *failed;

    apply(two, plan);
    failed = rig_event(&rig, "step.failed", NULL);
    cr_assert(rig.ended);
    cr_expect_eq(rig.end, end);
    cr_expect(failed && strstr(ft_json_str(failed, "error"), why), "%s", ft_json_str(failed, "error"));
    cr_expect_str_eq(ft_json_str(failed, "class"), "conflict");
    cr_expect_not_null(ft_json_path(failed, "off_plan.now"));
    cr_expect_eq(rig_records(&rig, "\"put\""), records);
}

Test(plan, on_another_state_nothing_is_sent)
{
    rig_state(&rig, "{\"led\":\"off\"}");
    json_t *plan = plan_of(two, NULL);

    rig_state(&rig, "{\"led\":\"dim\"}");
    expect_off(plan, "before.value was off, and is dim now", FT_RUN_FAILED, 0);
    cr_expect_str_eq(json_string_value(ft_json_path(rig_event(&rig, "step.failed", "a"), "off_plan.differs.0.now")), "dim");
    json_decref(plan);
}

static void move_fan(struct rig *r, const json_t *event)
{
    if (ft_streq(ft_json_str(event, "type"), "step.done") && ft_streq(ft_json_str(event, "path"), "a")) {
        json_t *state = rig_read_state(r);
        char *text;

        json_object_set_new(state, "fan", json_string("broken"));
        json_object_set_new(state, "$record", json_pack("[s]", "{\"action\":\"put\"}"));
        text = json_dumps(state, 0);
        rig_state(r, text);
        free(text);
        json_decref(state);
    }
}

Test(plan, what_was_done_before_is_taken_back)
{
    rig_state(&rig, "{\"led\":\"off\"}");
    json_t *plan = plan_of(two, NULL), *now;

    rig.on_event = move_fan;
    expect_off(plan, "before.value was", FT_RUN_ROLLED_BACK, 1);
    now = rig_read_state(&rig);
    cr_expect_str_eq(ft_json_str(now, "led"), "off");
    cr_expect_str_eq(ft_json_str(now, "fan"), "broken");
    json_decref(now);
    json_decref(plan);
}

Test(plan, on_error_does_not_go_around_it)
{
    static const char yaml[] = HEAD "steps:\n  - {id: a, run: sim.put, with: {key: led, value: lit}, undo: auto, on_error: b, then: good, retry: {times: 2, every: 1s}}\n"
                                    "  - {id: b, run: sim.put, with: {key: fan, value: fast}, undo: auto, then: bad}\n";
    json_t *plan = plan_of(yaml, NULL);

    rig_state(&rig, "{\"led\":\"dim\"}");
    apply(yaml, plan);
    cr_expect_eq(rig.end, FT_RUN_FAILED);
    cr_expect_eq(rig_records(&rig, NULL), 0);
    cr_expect_eq(rig_count(&rig, "step.attempt"), 0);
    json_decref(plan);
}

Test(plan, a_write_that_is_not_in_it_does_not_start)
{
    static const char yaml[] = HEAD "steps:\n  - id: look\n    run: sim.get\n    with: {key: led}\n    branch:\n      - if: result.value == \"off\"\n        then: a\n      - else: b\n"
                                    "  - {id: a, run: sim.put, with: {key: led, value: lit}, undo: auto, then: good}\n  - {id: b, run: sim.put, with: {key: fan, value: fast}, undo: auto, then: good}\n";
    rig_state(&rig, "{\"led\":\"off\"}");
    json_t *plan = plan_of(yaml, NULL);

    rig_state(&rig, "{\"led\":\"dim\"}");
    apply(yaml, plan);
    cr_expect_eq(rig.end, FT_RUN_FAILED);
    cr_expect(strstr(ft_json_str(rig_event(&rig, "step.failed", "b"), "error"), "not in plan"));
    cr_expect_eq(rig_records(&rig, NULL), 0);
    json_decref(plan);
}

Test(plan, what_it_does_not_determine_needs_a_word)
{
    static const char yaml[] = HEAD "steps:\n  - {id: a, run: sim.blind, with: {key: led, value: lit}, undo: none, then: good}\n";
    json_t *plan = plan_of(yaml, NULL);

    apply(yaml, plan);
    cr_expect_eq(rig.end, FT_RUN_FAILED);
    cr_expect(strstr(ft_json_str(rig_event(&rig, "step.failed", "a"), "error"), "--accept-undetermined"));
    cr_expect_eq(rig_records(&rig, NULL), 0);
    rig.accept_undetermined = true;
    apply(yaml, plan);
    cr_expect_eq(rig.end, FT_RUN_OK);
    cr_expect_eq(rig_records(&rig, NULL), 1);
    cr_expect(json_is_true(json_object_get(json_array_get(rig.events, 0), "accept_undetermined")));
    json_decref(plan);
}

Test(plan, other_versions_of_plugins_are_refused)
{
    json_t *plan = plan_of(two, NULL), *other = json_deep_copy(plan);

    cr_expect_str_eq(json_string_value(ft_json_path(plan, "plugins.sim")), "1.0");
    json_object_set_new(json_object_get(other, "plugins"), "sim", json_string("0.9"));
    apply(two, other);
    cr_expect(strstr(rig.refused.text, "altered"), "%s", rig.refused.text);
    cr_expect_null(rig.run);
    plan_seal(other);
    apply(two, other);
    cr_expect(strstr(rig.refused.text, "was made with plugin sim 0.9, and 1.0 is installed now"), "%s", rig.refused.text);
    cr_expect_null(rig.run);
    cr_expect_eq(rig_records(&rig, NULL), 0);
    json_decref(plan);
    json_decref(other);
}

/* It dies at the second write, and is born again: what binds it is what bound it. */
static void die_at_b(struct rig *r, const json_t *event)
{
    if (ft_streq(ft_json_str(event, "type"), "step.done") && ft_streq(ft_json_str(event, "path"), "a"))
        ft_loop_stop(r->loop);
}

Test(plan, a_resumed_run_follows_it_too)
{
    rig_state(&rig, "{\"led\":\"off\"}");
    json_t *plan = plan_of(two, NULL), *state;

    rig.on_event = die_at_b;
    apply(two, plan);
    cr_assert_not(rig.ended);
    rig.on_event = NULL;
    rig_reborn(&rig);
    state = rig_read_state(&rig);
    json_object_set_new(state, "fan", json_string("broken"));
    char *text = json_dumps(state, 0);

    rig_state(&rig, text);
    free(text);
    json_decref(state);
    rig_resume(&rig);
    cr_expect(rig.ended && rig.end == FT_RUN_ROLLED_BACK);
    cr_expect_eq(rig_records(&rig, "\"put\""), 0, "written %zu times behind the change", rig_records(&rig, "\"put\""));
    json_decref(plan);
}

Test(plan, kept_it_is_found_by_its_first_digits)
{
    json_t *plan = plan_of(two, NULL), *kept = NULL;
    struct ft_err err = { 0 };
    char prefix[5];
    uint64_t at = 0;

    snprintf(prefix, sizeof(prefix), "%.4s", ft_plan_digest(plan));
    cr_assert_eq(ft_plan_load(rig.store, prefix, &kept, &at, &err), 0, "%s", err.text);
    cr_expect(json_equal(plan, kept));
    cr_expect_gt(at, 0);
    cr_expect_eq(ft_plan_load(rig.store, "0000", &kept, &at, &err), -ENOENT);
    cr_expect_eq(ft_plan_load(rig.store, "xyz1", &kept, &at, &err), -EINVAL);
    json_decref(plan);
    json_decref(kept);
}

/* ---- several writes of one run on the same object */

static const char thrice[] = HEAD
    "steps:\n"
    "  - {id: a, title: First, run: sim.put, with: {key: led, value: lit}, undo: auto}\n"
    "  - {id: b, title: Second, run: sim.put, with: {key: led, value: red}, undo: auto}\n"
    "  - {id: c, title: Third, run: sim.put, with: {key: led, value: dark}, undo: auto, then: good}\n";

static const json_t *write_of(const json_t *plan, size_t i)
{
    return json_array_get(json_object_get(plan, "writes"), i);
}

static void put_world(struct rig *r, const char *key, const char *value)
{
    json_t *state = rig_read_state(r);
    char *text;

    json_object_set_new(state, key, json_string(value));
    text = json_dumps(state, 0);
    rig_state(r, text);
    free(text);
    json_decref(state);
}

Test(plan, a_second_write_rests_on_what_the_first_leaves)
{
    rig_state(&rig, "{\"led\":\"dark\"}");
    json_t *plan = plan_of(thrice, NULL);

    cr_assert_eq(json_array_size(json_object_get(plan, "writes")), 3, "the third is something to do, though it is so now");
    cr_expect_str_eq(json_string_value(ft_json_path(write_of(plan, 1), "before.value")), "lit");
    cr_expect_str_eq(json_string_value(ft_json_path(write_of(plan, 1), "changes.0.from")), "lit");
    cr_expect_str_eq(json_string_value(ft_json_path(write_of(plan, 1), "rests_after.led")), "a");
    cr_expect_str_eq(json_string_value(ft_json_path(write_of(plan, 2), "rests_after.led")), "b");
    cr_expect_str_eq(ft_json_str(write_of(plan, 1), "exactness"), "predicted");
    apply(thrice, plan);
    cr_expect_eq(rig.end, FT_RUN_OK, "%s", ft_json_str(rig_event(&rig, "step.failed", NULL), "error"));
    cr_expect_eq(rig_records(&rig, "\"put\""), 3);
    json_decref(plan);
    plan = plan_of(HEAD "steps:\n  - {id: a, run: sim.put, with: {key: led, value: dark}, undo: auto}\n  - {id: b, run: sim.put, with: {key: led, value: dark}, undo: auto, then: good}\n", NULL);
    cr_expect_eq(json_array_size(json_object_get(plan, "writes")), 0, "both find it so");
    json_decref(plan);
    plan = plan_of(HEAD "steps:\n  - {id: a, run: sim.put, with: {key: led, value: lit}, undo: auto}\n  - {id: b, run: sim.put, with: {key: led, value: lit}, undo: auto, then: good}\n", NULL);
    cr_expect_eq(json_array_size(json_object_get(plan, "writes")), 1, "the second will find it so");
    json_decref(plan);
}

static const char *moved_to;

static void move_led(struct rig *r, const json_t *event)
{
    if (ft_streq(ft_json_str(event, "type"), "step.done") && ft_streq(ft_json_str(event, "path"), "a"))
        put_world(r, "led", moved_to);
}

/* Also back to what it was before the first write: that is no state that the second was planned on. */
Test(plan, a_change_between_two_writes_on_one_object_stops_the_second)
{
    static const char *const to[] = { "dark", "broken" };

    for (size_t i = 0; i < ARRAY_LEN(to); i++) {
        rig_state(&rig, "{\"led\":\"dark\"}");
        json_t *plan = plan_of(thrice, NULL), *now;

        moved_to = to[i];
        rig.on_event = move_led;
        apply(thrice, plan);
        rig.on_event = NULL;
        cr_expect(rig.parked || rig.end != FT_RUN_OK);
        cr_expect(strstr(ft_json_str(rig_event(&rig, "step.failed", "b"), "error"), "before.value was lit, and is"), "%s", ft_json_str(rig_event(&rig, "step.failed", "b"), "error"));
        cr_expect_eq(rig_records(&rig, NULL), 0, "nothing is written behind that");
        now = rig_read_state(&rig);
        cr_expect_str_eq(ft_json_str(now, "led"), to[i], "what somebody did is theirs");
        json_decref(now);
        json_decref(plan);
    }
}

/* On one way the first write came, on the other it did not: each state is planned, and only the one of the way that was gone is taken. */
static const char perhaps[] = HEAD
    "steps:\n"
    "  - {id: a, run: sim.put, with: {key: led, value: lit}, undo: none, on_error: b}\n"
    "  - {id: b, run: sim.put, with: {key: led, value: red}, undo: none, then: good}\n";

Test(plan, each_way_rests_on_what_was_done_on_it)
{
    rig_state(&rig, "{\"led\":\"dark\"}");
    json_t *plan = plan_of(perhaps, NULL);

    cr_assert_eq(json_array_size(json_object_get(plan, "writes")), 3, "b is planned behind a, and without it");
    apply(perhaps, plan);
    cr_expect_eq(rig.end, FT_RUN_OK);
    rig_state(&rig, "{\"led\":\"dark\"}");
    rig_trouble(&rig, "{\"put led\":[\"refused\"]}");
    apply(perhaps, plan);
    cr_expect_eq(rig.end, FT_RUN_OK, "a failed, so what is there now counts: %s", ft_json_str(rig_event(&rig, "step.failed", "b"), "error"));
    rig_state(&rig, "{\"led\":\"dark\"}");
    moved_to = "dark";
    rig.on_event = move_led;
    apply(perhaps, plan);
    rig.on_event = NULL;
    cr_expect_eq(rig.end, FT_RUN_FAILED, "a was done: what was there before it is not what b rests on");
    cr_expect_eq(rig_records(&rig, "\"red\""), 0);
    json_decref(plan);
}

static void die_behind_a(struct rig *r, const json_t *event)
{
    if (ft_streq(ft_json_str(event, "type"), "step.done") && ft_streq(ft_json_str(event, "path"), "a"))
        ft_loop_stop(r->loop);
}

Test(plan, a_resumed_run_knows_behind_what_it_goes_on)
{
    static const char *const to[] = { "lit", "dark" };

    for (size_t i = 0; i < ARRAY_LEN(to); i++) {
        rig_state(&rig, "{\"led\":\"dark\"}");
        json_t *plan = plan_of(perhaps, NULL);

        rig.on_event = die_behind_a;
        apply(perhaps, plan);
        cr_assert_not(rig.ended);
        rig.on_event = NULL;
        rig_reborn(&rig);
        put_world(&rig, "led", to[i]);
        rig_resume(&rig);
        cr_expect_eq(rig.end, i == 0 ? FT_RUN_OK : FT_RUN_FAILED);
        json_decref(plan);
    }
}

Test(plan, what_cannot_be_predicted_is_undetermined)
{
    static const char yaml[] = HEAD "steps:\n  - {id: a, title: Ask the sphinx, run: sim.put, with: {key: led, value: {riddle: 1}}, undo: none}\n"
                                    "  - {id: b, run: sim.put, with: {key: led, value: red}, undo: none}\n  - {id: c, run: sim.put, with: {key: led, value: blue}, undo: none, then: good}\n";
    json_t *plan = plan_of(yaml, NULL);

    cr_expect_str_eq(ft_json_str(write_of(plan, 1), "exactness"), "undetermined");
    cr_expect(strstr(ft_json_str(write_of(plan, 1), "why"), "what step 'Ask the sphinx' leaves behind cannot be predicted"));
    cr_expect_str_eq(ft_json_str(write_of(plan, 2), "exactness"), "undetermined", "what b leaves where it knows nothing is not known either");
    apply(yaml, plan);
    cr_expect_eq(rig.end, FT_RUN_FAILED);
    cr_expect_eq(rig_records(&rig, NULL), 1);
    rig_state(&rig, "{}");
    rig.accept_undetermined = true;
    apply(yaml, plan);
    cr_expect_eq(rig.end, FT_RUN_OK);
    cr_expect_eq(rig_records(&rig, NULL), 3);
    json_decref(plan);
}

Test(plan, in_a_loop_each_item_finds_what_the_one_before_left)
{
    static const char yaml[] = HEAD "steps:\n  - id: all\n    for_each: [red, green, blue]\n    as: colour\n    steps:\n"
                                    "      - {id: w, run: sim.put, with: {key: led, value: \"${colour}\"}, undo: auto}\n"
                                    "  - {id: last, run: sim.put, with: {key: led, value: dark}, undo: auto, then: good}\n";
    rig_state(&rig, "{\"led\":\"dark\"}");
    json_t *plan = plan_of(yaml, NULL);

    cr_assert_eq(json_array_size(json_object_get(plan, "writes")), 4);
    cr_expect_str_eq(json_string_value(ft_json_path(write_of(plan, 2), "rests_after.led")), "all[1]/w");
    cr_expect_str_eq(json_string_value(ft_json_path(write_of(plan, 3), "before.value")), "blue");
    apply(yaml, plan);
    cr_expect_eq(rig.end, FT_RUN_OK);
    cr_expect_eq(rig_records(&rig, NULL), 4);
    json_decref(plan);
}

Test(plan, side_by_side_nobody_can_tell)
{
    static const char yaml[] = HEAD "steps:\n  - id: both\n    parallel:\n      x: {run: sim.put, with: {key: led, value: red}, undo: none}\n"
                                    "      y: {run: sim.put, with: {key: led, value: blue}, undo: none}\n      z: {run: sim.put, with: {key: fan, value: fast}, undo: none}\n"
                                    "  - {id: led, run: sim.put, with: {key: led, value: dark}, undo: none}\n  - {id: fan, run: sim.put, with: {key: fan, value: idle}, undo: none, then: good}\n";
    json_t *plan = plan_of(yaml, NULL);

    cr_expect_str_eq(ft_json_str(write_of(plan, 1), "exactness"), "undetermined");
    cr_expect_str_eq(ft_json_str(write_of(plan, 3), "exactness"), "undetermined", "one of two was last");
    cr_expect_str_eq(ft_json_str(write_of(plan, 4), "exactness"), "predicted");
    cr_expect_str_eq(json_string_value(ft_json_path(write_of(plan, 4), "before.value")), "fast");
    json_decref(plan);
}

/* A write whose plan is refused, with nothing before it that could change that, fails: it is not open what it would send. */
Test(plan, what_is_refused_already_fails)
{
    static const char yaml[] = HEAD "steps:\n  - {id: a, run: sim.set, with: {key: led, value: lit}, undo: none, on_error: b, then: good}\n"
                                    "  - {id: b, run: sim.put, with: {key: led, value: red}, undo: none, then: bad}\n";
    json_t *plan;

    rig_trouble(&rig, "{\"plan led\":[\"refused\"]}");
    plan = plan_of(yaml, NULL);
    cr_assert_eq(json_array_size(json_object_get(plan, "writes")), 1);
    cr_expect_str_eq(ft_json_str(write_of(plan, 0), "path"), "b");
    cr_expect(json_is_true(json_object_get(write_of(plan, 0), "certain")), "that is where on_error leads");
    cr_expect(strstr(json_string_value(ft_json_path(plan, "nodes.0.error")), "the device said refused"));
    cr_expect_null(json_object_get(json_object_get(plan, "outcomes"), "good"));
    json_decref(plan);
    rig_trouble(&rig, "{\"plan led\":[\"unreachable\"]}");
    plan = plan_of(yaml, NULL);
    cr_expect_str_eq(ft_json_str(write_of(plan, 0), "exactness"), "undetermined", "it may be reached then");
    json_decref(plan);
}
