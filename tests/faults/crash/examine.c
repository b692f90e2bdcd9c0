/* examine.c: what two runs of a playbook left behind when they are over: the journals, the store, the device, and that these say the same. */
#include <stdlib.h>
#include <string.h>
#include "base/util.h"
#include "crash.h"
#include "data/json.h"
#include "store/store.h"

const char *const end_names[] = { "finished", "rolled_back", "cancelled", "failed", NULL };

static struct world *world;

/* Each write that was under way when a life ended must have been found out. */
static void examine_doubts(const json_t *events)
{
    json_t *under = json_object(), *waiting = json_object(), *event;
    const char *path;
    void *tmp;
    size_t i;

    json_array_foreach((json_t *)events, i, event) {
        const char *type = ft_json_str(event, "type"), *at = ft_json_str(event, "path");

        if (ft_streq(type, "step.intended")) {
            if (json_object_get(waiting, at))
                wrong(world, "'%s' was in doubt, and was sent again without being found out (event %zu)", at, i + 1);
            json_object_set_new(under, at, json_true());
        } else if (ft_streq(type, "step.done") || ft_streq(type, "step.failed") || ft_streq(type, "step.attempt") || ft_streq(type, "step.answered")) {
            json_object_del(under, at);
        } else if (ft_streq(type, "doubt.answered")) {
            json_object_del(waiting, at);
            json_object_del(under, at);        /* it is sent anew, or not at all: another intent says so */
        } else if (ft_streq(type, "run.resumed")) {
            world->doubts += (unsigned)json_object_size(under);
            json_object_foreach_safe(under, tmp, path, event)
                json_object_set_new(waiting, path, json_true());
        }
    }
    json_object_foreach(waiting, path, event)
        wrong(world, "'%s' was in doubt, and was never found out", path);
    json_decref(under);
    json_decref(waiting);
}

/* Two people, each once, at the last gate that was opened; and the write only behind it. */
static void examine_votes(const json_t *events)
{
    bool alice = false, bob = false, approved = false;
    unsigned votes = 0;
    json_t *event;
    size_t i;

    json_array_foreach((json_t *)events, i, event) {
        const char *type = ft_json_str(event, "type"), *by = ft_json_str(event, "by");

        if (ft_streq(type, "gate.opened")) {
            alice = bob = approved = false;
            votes = 0;
        } else if (ft_streq(type, "gate.vote")) {
            votes++;
            alice |= ft_streq(by, "alice");
            bob |= ft_streq(by, "bob");
        } else if (ft_streq(type, "gate.answered")) {
            approved = json_is_true(json_object_get(event, "approved"));
        } else if (ft_streq(type, "step.intended") && !(approved && alice && bob && votes == 2)) {
            wrong(world, "a write began with %u votes (event %zu)", votes, i + 1);
        }
    }
}

/* ---- the device */

static const struct slot *slot_of(const char *key)
{
    for (unsigned i = 0; i < world->slot_count; i++)
        if (ft_streq(world->slots[i].key, key))
            return &world->slots[i];
    return NULL;
}

static void expect_value(const char *key, const json_t *wanted)
{
    const struct slot *slot = slot_of(key);
    bool there = json_is_integer(wanted), is = slot && slot->there;

    if (is != there || (there && slot->value != (int)json_integer_value(wanted)))
        wrong(world, "the journal leaves '%s' at %s, and the device has %d%s", key, there ? "what was written" : "what it was", slot ? slot->value : 0, is ? "" : " (nothing)");
}

/* What the journal says was done and was not taken back is what the device holds, and nothing else. */
static void examine_story(const json_t *events)
{
    json_t *intents = json_object(), *story = json_object(), *event, *value;
    const char *key;
    size_t i;

    json_array_foreach((json_t *)events, i, event) {
        const char *type = ft_json_str(event, "type"), *at = ft_json_str(event, "path");
        const json_t *params;

        if (ft_streq(type, "step.intended"))
            json_object_set(intents, at, json_object_get(event, "params"));
        params = at ? json_object_get(intents, at) : NULL;
        key = ft_json_str(params, "key");
        if (!key)
            continue;
        if (ft_streq(type, "step.done"))
            json_object_set(story, key, json_object_get(params, "value"));
        else if (ft_streq(type, "undo.done"))
            json_object_set_new(story, key, key[0] == 'z' ? json_integer(0) : json_null());       /* its undo is another set */
        else if (!json_object_get(story, key))
            json_object_set_new(story, key, json_null());
    }
    json_object_foreach(story, key, value)
        expect_value(key, value);
    json_decref(intents);
    json_decref(story);
}

static void check_slot(const struct slot *slot)
{
    if (slot->until_ms)
        wrong(world, "a change of '%s' still waits to be confirmed", slot->key);
    if (slot->sets > 1 + (slot->key[0] == 'z' ? 0 : slot->backs + slot->lapses))
        wrong(world, "'%s' was written %u times, taken back %u times, and lapsed %u times; it is %d", slot->key, slot->sets, slot->backs, slot->lapses, slot->value);
}

static bool is_of(const struct slot *slot, size_t run)
{
    return strtoul(slot->key + 1, NULL, 10) == run + 1;
}

static const struct slot *key_of(const char *key, size_t run)
{
    for (unsigned i = 0; i < world->slot_count; i++)
        if (world->slots[i].key[0] == *key && is_of(&world->slots[i], run))
            return &world->slots[i];
    return NULL;
}

static void check_keys(size_t run)
{
    const struct scenario *scenario = &scenarios[world->scenario];

    for (const char *const *key = scenario->once; key && *key; key++)
        if (!key_of(*key, run) || !key_of(*key, run)->sets)
            wrong(world, "'%s' was not written in run %zu", *key, run + 1);
    for (const char *const *key = scenario->never; key && *key; key++)
        if (key_of(*key, run) && key_of(*key, run)->sets)
            wrong(world, "'%s' was written in run %zu", *key, run + 1);
    for (const char *const *key = scenario->away; key && *key; key++)
        if (key_of(*key, run) && (key_of(*key, run)->there || key_of(*key, run)->confirms))
            wrong(world, "'%s' was confirmed in run %zu, or is still there", *key, run + 1);
}

/* All that the run wrote is as it was. */
static void check_taken_back(size_t run)
{
    for (unsigned i = 0; i < world->slot_count; i++) {
        const struct slot *slot = &world->slots[i];

        if (is_of(slot, run) && slot->sets && (slot->key[0] == 'z' ? slot->value != 0 : slot->there))
            wrong(world, "run %zu was taken back, and '%s' is %d", run + 1, slot->key, slot->value);
    }
}

static void check_not_taken_back(size_t run)
{
    for (unsigned i = 0; i < world->slot_count; i++)
        if (is_of(&world->slots[i], run) && world->slots[i].undos)
            wrong(world, "'%s' was taken back %u times", world->slots[i].key, world->slots[i].undos);
}

static bool wanted_back(const json_t *events)
{
    for (size_t i = json_array_size(events); i-- > 0;)
        if (ft_streq(ft_json_str(json_array_get(events, i), "type"), "run.cancelling"))
            return json_is_true(json_object_get(json_array_get(events, i), "rollback"));
    return false;
}

static void check_end(size_t run, const char *status, const json_t *events)
{
    const struct scenario *scenario = &scenarios[world->scenario];

    for (unsigned i = 0; end_names[i]; i++)
        if (ft_streq(end_names[i], status))
            world->ends[run] = i;
    if (scenario->undone && !ft_streq(status, run ? "finished" : "rolled_back"))
        wrong(world, "run %zu was to be taken back %s, and is %s", run + 1, run ? "in part" : "whole", status);
    if (scenario->undone && run && (!key_of("z", run) || key_of("z", run)->value))
        wrong(world, "the write of run %zu that was to be taken back is there", run + 1);
    if (ft_streq(status, "rolled_back") || ft_streq(status, "failed") || (ft_streq(status, "cancelled") && wanted_back(events)))
        check_taken_back(run);
    else if (!scenario->undone && !scenario->timed)
        check_not_taken_back(run);
}

/* ---- all of it */

static void examine_run(struct ft_store *store, size_t run)
{
    const struct scenario *scenario = &scenarios[world->scenario];
    const char *id = world->ids[run], *status;
    struct ft_err err = { 0 };
    json_t *events = NULL;
    const json_t *last;

    if (ft_store_verify(store, id, &err) < 0 || ft_store_events(store, id, 0, &events, &err) < 0) {
        wrong(world, "the journal: %s", err.text);
        return;
    }
    last = json_array_get(events, json_array_size(events) - 1);
    status = ft_json_str(last, "status");
    if (!ft_streq(ft_json_str(last, "type"), "run.finished"))
        wrong(world, "run %s is over, and its last event is %s", id, ft_json_str(last, "type"));
    else if (!strstr(scenario->status, status))
        wrong(world, "run %s ended as %s: %s", id, status, ft_json_str(last, "diagnosis"));
    else
        check_end(run, status, events);
    world->events += (unsigned)json_array_size(events);
    examine_doubts(events);
    examine_story(events);
    if (scenario->people)
        examine_votes(events);
    check_keys(run);
    json_decref(events);
}

static void is_listed(void *arg, const struct ft_run_info *info)
{
    unsigned *open = arg;

    *open += !ft_streq(info->mode, "dry_run") && (ft_streq(info->status, "running") || ft_streq(info->status, "parked"));
}

void examine(struct world *w, struct ft_store *store)
{
    struct ft_err err = { 0 };
    json_t *locks = NULL;
    unsigned open = 0;

    world = w;
    for (unsigned i = 0; i < world->slot_count; i++)
        check_slot(&world->slots[i]);
    for (size_t i = 0; i < RUNS; i++)
        examine_run(store, i);
    ft_store_runs(store, NULL, 10 * RUNS, is_listed, &open, &err);
    if (open)
        wrong(world, "all is over, and %u runs are listed as running or parked", open);
    if (ft_store_locks(store, &locks, &err) < 0 || json_array_size(locks))
        wrong(world, "locks are left: %s", locks ? ft_json_text(locks) : err.text);
    json_decref(locks);
    world->examined = true;
}
