/* The world moves between a plan, its approval and each of its writes, a thousand times: no write is sent on a state that was not the planned one, and
 * what is applied undisturbed is what was planned, byte for byte. The device itself keeps the record that is compared (sim.put).
 *
 * FETTLE_DRIFT_RUNS: how many (1000). FETTLE_DRIFT_SEED: the first (1). */
#include <criterion/criterion.h>
#include "base/util.h"
#include "data/json.h"
#include "rig.h"
#include "run/plan.h"

static const char yaml[] =
    "fettle: 1\nname: t\ntitle: T\ncategory: change\n"
    "params: {v0: {type: string, required: true}, v1: {type: string, required: true}, v3: {type: string, required: true}}\n"
    "steps:\n"
    "  - {id: look, run: sim.get, with: {key: k0}}\n"
    "  - id: gate\n    approve: Go?\n    branch:\n      - if: not result.approved\n        then: bad\n"
    "  - {id: w0, run: sim.put, with: {key: k0, value: \"${v0}\"}, undo: auto}\n"
    "  - id: all\n    for_each: [k1, k2]\n    as: key\n    batches: [1, 100%]\n    steps:\n"
    "      - {id: w, run: sim.put, with: {key: \"${key}\", value: \"${v1}\"}, undo: auto, on_error: end}\n"
    "  - {id: w3, run: sim.put, with: {key: k3, value: \"${v3}\"}, undo: auto, on_error: other, then: good}\n"
    "  - {id: other, run: sim.put, with: {key: k5, value: never}, undo: auto, then: bad}\n";

static const struct { const char *key, *path; } writes[] = { { "k0", "w0" }, { "k1", "all[0]/w" }, { "k2", "all[1]/w" }, { "k3", "w3" } };
static const char *const values[] = { "red", "green", "blue" };

static uint64_t chance_state;

static unsigned below(unsigned n)
{
    chance_state = chance_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(chance_state >> 33) % n;
}

enum moment { NEVER, BEFORE_APPLY, AT_GATE, AT_EVENT };

static struct {
    enum moment moment;
    const char *event, *path;          /* AT_EVENT */
    const char *key, *value;
    bool there_and_back, happened, over_before;        /* over_before: the write on that key had come to its end, sent or not */
} drift;

static struct rig rig;

static json_t *whole_state(void)
{
    char *path = ft_asprintf("%s/state.json", rig.dir);
    json_t *state = json_load_file(path, 0, NULL);

    free(path);
    return state ? state : json_object();
}

static const char *path_of(const char *key)
{
    for (size_t i = 0; i < ARRAY_LEN(writes); i++)
        if (ft_streq(writes[i].key, key))
            return writes[i].path;
    return NULL;
}

static bool is_sent(const json_t *state, const char *key)
{
    char *part = ft_asprintf("\"key\":\"%s\"", key);
    json_t *one;
    size_t i;
    bool sent = false;

    json_array_foreach(json_object_get(state, "$record"), i, one)
        sent |= strstr(json_string_value(one), "\"put\"") && strstr(json_string_value(one), part);
    free(part);
    return sent;
}

static void move_world(void)
{
    json_t *state = whole_state();
    char *text;

    drift.happened = true;
    drift.over_before = is_sent(state, drift.key) || (drift.moment == AT_EVENT && path_of(drift.key) && rig_event(&rig, "step.done", path_of(drift.key)));
    if (!drift.there_and_back)
        json_object_set_new(state, drift.key, json_string(drift.value));
    text = json_dumps(state, JSON_SORT_KEYS);
    rig_state(&rig, text);
    free(text);
    json_decref(state);
}

static void on_event(struct rig *r, const json_t *event)
{
    (void)r;
    if (drift.moment == AT_EVENT && !drift.happened && ft_streq(ft_json_str(event, "type"), drift.event) && ft_streq(ft_json_str(event, "path"), drift.path))
        move_world();
}

static void on_parked(struct rig *r)
{
    json_t *yes = json_pack("{s:b}", "approved", 1);
    struct ft_err err = { 0 };

    if (drift.moment == AT_GATE)
        move_world();
    if (ft_run_answer(r->run, "gate", yes, "someone", "terminal", &err) < 0)
        ft_loop_stop(r->loop);
    json_decref(yes);
}

static void choose(void)
{
    static const char *const events[] = { "step.started", "step.intended", "step.done" };

    memset(&drift, 0, sizeof(drift));
    drift.moment = (enum moment)below(8);
    if (drift.moment > AT_EVENT)
        drift.moment = AT_EVENT;
    drift.event = events[below(ARRAY_LEN(events))];
    drift.path = writes[below(ARRAY_LEN(writes))].path;
    drift.key = below(6) == 0 ? "k4" : writes[below(ARRAY_LEN(writes))].key;
    drift.value = values[below(ARRAY_LEN(values))];
    drift.there_and_back = below(10) == 0;
}

static json_t *first_state(void)
{
    json_t *state = json_object();
    char key[3] = "k0";

    for (; key[1] < '5'; key[1]++)
        if (below(6))
            json_object_set_new(state, key, json_string(values[below(ARRAY_LEN(values))]));
    return state;
}

/* The planned write of which this is the record, on the state that was there; NULL: there is none. */
static const json_t *planned(const json_t *plan, const char *record, const json_t *was)
{
    json_t *w;
    size_t i;

    json_array_foreach(json_object_get(plan, "writes"), i, w) {
        const json_t *before = ft_json_path(w, "before.value");

        if (ft_streq(json_string_value(ft_json_path(w, "requests.0.commands.0")), record) && (before ? json_equal((json_t *)before, (json_t *)was) : json_is_null(was)))
            return w;
    }
    return NULL;
}

struct tally { unsigned runs, drifts, disturbed, refused, writes, undisturbed; };

static unsigned unplanned(const json_t *plan, const json_t *state, struct tally *tally)
{
    const json_t *was = json_object_get(state, "$was");
    unsigned bad = 0, n = 0;
    json_t *record;
    size_t i;

    json_array_foreach(json_object_get(state, "$record"), i, record) {
        if (!strstr(json_string_value(record), "\"action\":\"put\""))
            continue;
        bad += !planned(plan, json_string_value(record), json_array_get(was, n++));
        tally->writes++;
    }
    return bad;
}

/* Undisturbed: all that was planned, in that order. */
static bool all_sent(const json_t *plan, const json_t *state)
{
    const json_t *record = json_object_get(state, "$record");
    json_t *w;
    size_t i, n = 0;

    json_array_foreach(json_object_get(plan, "writes"), i, w) {
        if (ft_streq(ft_json_str(w, "path"), "other") || json_is_true(json_object_get(w, "nothing_to_do")))
            continue;
        if (!ft_streq(json_string_value(ft_json_path(w, "requests.0.commands.0")), json_string_value(json_array_get(record, n++))))
            return false;
    }
    return n == json_array_size(record);
}

static bool one(uint64_t seed, struct tally *tally)
{
    json_t *before, *plan, *after, *params;
    const char *wanted = NULL, *old;
    char *text, *given;
    bool disturbs, ok = true;

    chance_state = seed * 7919 + 3;
    below(2);
    before = first_state();
    text = json_dumps(before, JSON_SORT_KEYS);
    params = json_pack("{s:s, s:s, s:s}", "v0", values[below(3)], "v1", values[below(3)], "v3", values[below(3)]);
    given = json_dumps(params, 0);
    choose();
    rig_state(&rig, text);
    rig.keep_plan = true;
    rig.apply = NULL;
    rig.on_event = NULL;
    rig_run(&rig, yaml, given, true);
    plan = json_incref((json_t *)ft_run_plan(rig.events));
    if (drift.moment == BEFORE_APPLY)
        move_world();
    rig.apply = plan;
    rig.on_event = on_event;
    rig_run(&rig, yaml, NULL, false);
    after = whole_state();
    old = ft_json_str(before, drift.key);
    for (size_t i = 0; i < ARRAY_LEN(writes); i++)
        if (ft_streq(writes[i].key, drift.key))
            wanted = ft_json_str(params, i == 0 ? "v0" : i == 3 ? "v3" : "v1");
    disturbs = drift.happened && !drift.there_and_back && wanted && !drift.over_before && !ft_streq(old, drift.value);
    tally->runs++;
    tally->drifts += drift.happened;
    if (unplanned(plan, after, tally)) {
        fprintf(stderr, "seed %llu: a write that was not planned, or not on that state\n", (unsigned long long)seed);
        ok = false;
    }
    if (disturbs) {
        tally->disturbed++;
        tally->refused += rig.end != FT_RUN_OK;
        /* Behind the last look only the device itself can refuse; that is a failure like any other, which on_error may handle. */
        bool late = drift.moment == AT_EVENT && ft_streq(drift.event, "step.intended");

        if (is_sent(after, drift.key) || (rig.end == FT_RUN_OK && !late && !ft_streq(drift.value, wanted))) {
            fprintf(stderr, "seed %llu: '%s' was moved to '%s' at %d %s %s, and the run went on\n", (unsigned long long)seed, drift.key, drift.value, drift.moment, drift.event, drift.path);
            ok = false;
        }
    } else {
        tally->undisturbed++;
        if (rig.end != FT_RUN_OK || !all_sent(plan, after)) {
            fprintf(stderr, "seed %llu: undisturbed, and it ended with %d: %s\n", (unsigned long long)seed, rig.end,
                    ft_json_str(rig_event(&rig, "run.finished", NULL), "diagnosis") ? ft_json_str(rig_event(&rig, "run.finished", NULL), "diagnosis") : "");
            ok = false;
        }
    }
    rig.apply = NULL;
    json_decref(before);
    json_decref(params);
    json_decref(plan);
    json_decref(after);
    free(text);
    free(given);
    return ok;
}

/* ---- three writes of one run on one object, and the world may change between any two of them, also to what it was before one of them */

static const char chain_yaml[] =
    "fettle: 1\nname: t\ntitle: T\ncategory: change\n"
    "params: {v0: {type: string, required: true}, v1: {type: string, required: true}, v2: {type: string, required: true}}\n"
    "steps:\n"
    "  - {id: c0, run: sim.put, with: {key: k, value: \"${v0}\"}, undo: none, on_error: c1}\n"
    "  - {id: c1, run: sim.put, with: {key: k, value: \"${v1}\"}, undo: none, on_error: c2}\n"
    "  - {id: gate, approve: Go on?}\n"
    "  - {id: c2, run: sim.put, with: {key: k, value: \"${v2}\"}, undo: none, on_error: bad, then: good}\n";

static struct {
    const char *first, *values[3];
    int moved_behind;                  /* the world moves behind this write, to `to`; -1: it does not */
    const char *to;
    bool failed[3];                    /* the device refuses it */
} chain;

static void chain_event(struct rig *r, const json_t *event)
{
    const char *type = ft_json_str(event, "type"), *path = ft_json_str(event, "path");
    bool over = ft_streq(type, "step.done") || ft_streq(type, "step.failed");

    (void)r;
    if (over && path && path[0] == 'c' && path[1] - '0' == chain.moved_behind && !drift.happened) {
        drift.happened = true;
        drift.key = "k";
        drift.value = chain.to;
        move_world();
    }
}

/* What the device holds before write n of a run that nobody disturbs, and what it was told: the record of it. */
static json_t *chain_expected(void)
{
    json_t *list = json_array();
    const char *now = chain.first;

    for (int i = 0; i < 3; i++) {
        bool moved = chain.moved_behind >= 0 && i == chain.moved_behind + 1 && !ft_streq(chain.to, now);

        if (moved && !ft_streq(chain.to, chain.values[i]))
            return list;                              /* planned was another state here, so nothing goes on */
        if (moved) {                                  /* it is as wanted already: nothing is said of what follows */
            json_decref(list);
            return NULL;
        }
        if (ft_streq(now, chain.values[i]))
            continue;
        if (chain.failed[i])
            continue;
        json_array_append_new(list, json_pack("[s, s]", now, chain.values[i]));
        now = chain.values[i];
    }
    return list;
}

static bool one_chain(uint64_t seed, unsigned *stopped, unsigned *whole)
{
    static const char *const troubles[] = { "ok", "refused" };
    json_t *plan, *state, *expected, *got = json_array(), *record, *trouble = json_object(), *list;
    char *text, *params;
    size_t i, n = 0;
    bool ok;

    chance_state = seed * 104729 + 7;
    below(2);
    memset(&drift, 0, sizeof(drift));
    chain.first = values[below(3)];
    for (int k = 0; k < 3; k++) {
        chain.values[k] = values[below(3)];
        chain.failed[k] = below(4) == 0;
    }
    chain.moved_behind = (int)below(3) - 1;
    chain.to = values[below(3)];
    text = ft_asprintf("{\"k\":\"%s\"}", chain.first);
    params = ft_asprintf("{\"v0\":\"%s\",\"v1\":\"%s\",\"v2\":\"%s\"}", chain.values[0], chain.values[1], chain.values[2]);
    rig_state(&rig, text);
    rig.apply = NULL;
    rig.keep_plan = true;
    rig.on_event = NULL;
    rig_trouble(&rig, "{}");
    rig_run(&rig, chain_yaml, params, true);
    plan = json_incref((json_t *)ft_run_plan(rig.events));
    /* The device refuses in the order of what is sent: what has nothing to do is not sent. */
    list = json_array();
    state = json_string(chain.first);
    for (int k = 0; k < 3; k++) {
        if (ft_streq(json_string_value(state), chain.values[k]))
            continue;
        json_array_append_new(list, json_string(troubles[chain.failed[k]]));
        if (!chain.failed[k])
            json_string_set(state, chain.values[k]);
    }
    json_decref(state);
    json_object_set_new(trouble, "put k", list);
    free(text);
    text = json_dumps(trouble, 0);
    rig_trouble(&rig, text);
    rig.apply = plan;
    rig.on_event = chain_event;
    rig_run(&rig, chain_yaml, NULL, false);
    state = whole_state();
    json_array_foreach(json_object_get(state, "$record"), i, record)
        if (strstr(json_string_value(record), "\"put\"")) {
            json_t *line = json_loads(json_string_value(record), 0, NULL);

            json_array_append_new(got, json_pack("[O, O]", json_array_get(json_object_get(state, "$was"), n++), ft_json_path(line, "params.value")));
            json_decref(line);
        }
    expected = chain_expected();
    ok = !expected || json_equal(got, expected);
    *whole += rig.end == FT_RUN_OK && expected && chain.moved_behind < 0;
    *stopped += rig_event(&rig, "step.failed", NULL) && json_object_get(rig_event(&rig, "step.failed", NULL), "off_plan");
    if (!ok) {
        char *is = json_dumps(got, 0), *was = json_dumps(expected, 0), *planned_text = json_dumps(json_object_get(plan, "writes"), JSON_INDENT(1));

        fprintf(stderr, "seed %llu: %s, %s, refused %d%d%d, moved behind %d to %s: sent %s, not %s: %s\n%s\n", (unsigned long long)seed, chain.first, params, chain.failed[0],
                chain.failed[1], chain.failed[2], chain.moved_behind, chain.to, is, was, ft_json_str(rig_event(&rig, "step.failed", NULL), "error"), planned_text);
        free(is);
        free(was);
        free(planned_text);
    }
    rig.apply = NULL;
    json_decref(plan);
    json_decref(state);
    json_decref(got);
    json_decref(expected);
    json_decref(trouble);
    free(text);
    free(params);
    return ok;
}

static uint64_t number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

Test(drift, nothing_is_sent_on_a_state_that_was_not_planned)
{
    uint64_t seed = number("FETTLE_DRIFT_SEED", 1), runs = number("FETTLE_DRIFT_RUNS", 1000);
    struct tally tally = { 0 };
    unsigned bad = 0;

    rig_open(&rig);
    rig.on_parked = on_parked;
    for (uint64_t i = 0; i < runs && bad < 5; i++)
        bad += !one(seed + i, &tally);
    rig_done(&rig);
    fprintf(stderr, "%u plans applied, %u changes of the world, %u of what a write to come rests on: %u of them ended the run; %u writes sent, %u runs undisturbed\n", tally.runs,
            tally.drifts, tally.disturbed, tally.refused, tally.writes, tally.undisturbed);
    cr_expect_eq(bad, 0, "%u seeds are wrong", bad);
    if (runs >= 1000) {
        cr_expect_gt(tally.disturbed, 200);
        cr_expect_gt(tally.undisturbed, 200);
        cr_expect_gt(tally.refused, 150);
    }
}

static void approve_chain(struct rig *r)
{
    json_t *yes = json_pack("{s:b}", "approved", 1);
    struct ft_err err = { 0 };

    if (ft_run_answer(r->run, "gate", yes, "someone", "terminal", &err) < 0)
        ft_loop_stop(r->loop);
    json_decref(yes);
}

Test(drift, a_second_write_on_the_same_object_goes_on_what_the_first_left_only)
{
    uint64_t seed = number("FETTLE_DRIFT_SEED", 1), runs = number("FETTLE_DRIFT_RUNS", 1000) / 2;
    unsigned bad = 0, stopped = 0, whole = 0;

    rig_open(&rig);
    rig.on_parked = approve_chain;
    for (uint64_t i = 0; i < runs && bad < 3; i++)
        bad += !one_chain(seed + i, &stopped, &whole);
    rig_done(&rig);
    fprintf(stderr, "%llu chains of three writes on one object, %u stopped by a change between, %u undisturbed to their end\n", (unsigned long long)runs, stopped, whole);
    cr_expect_eq(bad, 0, "%u seeds are wrong", bad);
    if (runs >= 500) {
        cr_expect_gt(stopped, 80);
        cr_expect_gt(whole, 60);
    }
}
