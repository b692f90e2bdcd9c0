/* gate_event.c: what a gate asks, written down when it opens; and whether what it asked about is still what would be done. */
#include "base/digest.h"
#include "run/gate_parts.h"
#include "run/plan.h"

enum { NONCE_HEX = 32 };

/* The shortest that any of the requirements says; `otherwise` where none does. */
static uint64_t shortest(const json_t *requirement, const char *key, uint64_t otherwise)
{
    uint64_t least = (uint64_t)ft_json_int(requirement, key, 0);
    json_t *one;
    size_t i;

    json_array_foreach(json_object_get(requirement, "all"), i, one) {
        uint64_t ms = (uint64_t)ft_json_int(one, key, 0);

        least = ms && (!least || ms < least) ? ms : least;
    }
    return least ? least : otherwise;
}

static json_t *escalations(const json_t *requirement, uint64_t now)
{
    json_t *steps = json_array(), *one, *step;
    size_t i, k, at;

    json_array_foreach(json_object_get(requirement, "all"), i, one) {
        json_array_foreach(json_object_get(one, "escalate"), k, step) {
            json_int_t due = (json_int_t)(now + (uint64_t)ft_json_int(step, "after_ms", 0));

            for (at = 0; at < json_array_size(steps) && ft_json_int(json_array_get(steps, at), "at", 0) <= due; at++)
                ;
            json_array_insert_new(steps, at, json_pack("{s:I, s:O}", "at", due, "role", json_object_get(step, "role")));
        }
    }
    json_array_foreach(steps, i, step)
        json_object_set_new(step, "level", json_integer((json_int_t)i + 2));
    return steps;
}

static void add_times(const struct step_run *step, const struct ft_people *people, const json_t *requirement, uint64_t now, json_t *event)
{
    json_t *times = ft_gate_times(people->config, ft_playbook_severity(step->run->playbook), now), *own = escalations(requirement, now);

    json_object_set_new(times, "remind_ms", json_integer((json_int_t)shortest(requirement, "remind_ms", (uint64_t)ft_json_int(times, "remind_ms", 0))));
    if (json_array_size(own))
        json_object_set(times, "escalate", own);
    json_object_update(event, times);
    json_decref(own);
    json_decref(times);
}

/* Whose role may break the glass: named in the configuration, else whoever has the role that is asked for. NULL: nobody may. */
static json_t *glass_of(const struct ft_people *people, const json_t *requirement)
{
    json_t *all = json_object_get(requirement, "all"), *named = json_object_get(json_object_get(people->config, "approvals"), "break_glass"), *one;
    size_t i;

    if (!all)
        return json_incref(json_object_get(requirement, "break_glass"));
    json_array_foreach(all, i, one)
        if (!json_is_true(json_object_get(one, "break_glass")))
            return NULL;
    return named ? json_incref(named) : json_pack("{s:O}", "role", json_object_get(json_array_get(all, 0), "role"));
}

json_t *gate_opened_event(struct step_run *step, const json_t *plan)
{
    struct ft_people people = people_now(step->run->engine);
    json_t *event = ev("gate.opened", step->path), *requirement = json_object_get(step->asking, "requirement"), *glass = glass_of(&people, requirement);
    uint64_t now = run_now_ms(step->run), within = shortest(requirement, "within_ms", DAY_MS);
    char nonce[NONCE_HEX + 1];

    ft_random_hex(NONCE_HEX, nonce);
    json_object_set_new(event, "title", json_string(step->title));
    json_object_set(event, "text", json_object_get(step->asking, "text"));
    json_object_set(event, "by", json_object_get(step->asking, "by"));
    json_object_set(event, "requirement", requirement);              /* what a gate in its place asks for, should it be void */
    json_object_set_new(event, "people", json_boolean(ft_people_configured(&people)));
    json_object_set_new(event, "opened", json_integer((json_int_t)now));
    json_object_set_new(event, "until", json_integer((json_int_t)(now + within)));
    json_object_set_new(event, "digest", json_string(ft_plan_digest(plan)));
    json_object_set_new(event, "writes", json_integer((json_int_t)ft_plan_writes(plan)));
    json_object_set(event, "score", json_object_get(plan, "score"));
    json_object_set_new(event, "nonce", json_string(nonce));
    json_object_set_new(event, "requester", json_string(step->run->requester));
    if (ft_people_configured(&people)) {
        json_object_set_new(event, "asked", ft_gate_asked(&people, event, now));
        add_times(step, &people, requirement, now, event);
    }
    if (glass)
        json_object_set_new(event, "break_glass", glass);
    if (step->is_write) {
        json_object_set_new(event, "action", json_string(step->step->call.name));
        json_object_set(event, "with", step->params);
        if (step->plan)
            json_object_set(event, "plan", step->plan);
    }
    return event;
}

/* ---- is it still that? */

/* What a write does, without what is only shown, and without a state that moves by itself. */
static json_t *writes_of(const json_t *plan)
{
    static const char *const keys[] = { "path", "action", "params", "requests", "changes", "before", "undo", "nothing_to_do" };
    json_t *all = json_array(), *w;
    size_t i, k;

    json_array_foreach(json_object_get(plan, "writes"), i, w) {
        bool moves = json_is_true(json_object_get(w, "moves")) || json_object_get(w, "stand_in");
        json_t *one = json_object();

        for (k = 0; k < ARRAY_LEN(keys); k++)
            if (json_object_get(w, keys[k]) && !(moves && ft_streq(keys[k], "before")))
                json_object_set(one, keys[k], json_object_get(w, keys[k]));
        json_array_append_new(all, one);
    }
    return all;
}

/* [{path, planned, now}] between what people saw and what would be done now; NULL: the same. What cannot be known just now is compared when it is
 * sent: a device that does not answer for a moment makes no approval void. */
json_t *gate_moved(struct step_run *step, const json_t *now)
{
    const char *digest = ft_json_str(gate_of(step), "digest");
    json_t *was_writes, *now_writes, *differs = json_array(), *diff, *one;
    const json_t *was = NULL;
    struct ft_err err = { 0 };
    size_t i;

    if (ft_streq(digest, ft_plan_digest(now)))
        return json_decref(differs), NULL;
    if (plan_get(step->run, digest, &was, &err) < 0) {
        json_array_append_new(differs, json_pack("{s:s, s:s}", "path", "plan", "now", err.text));
        return differs;
    }
    was_writes = writes_of(was);
    now_writes = writes_of(now);
    if (ft_json_int(json_object_get(now, "score"), "undetermined", 0) <= ft_json_int(json_object_get(was, "score"), "undetermined", 0)) {
        diff = ft_json_diff(was_writes, now_writes);
        json_array_foreach(diff, i, one)
            json_array_append_new(differs, json_pack("{s:o, s:O*, s:O*}", "path", json_sprintf("writes.%s", ft_json_str(one, "path")), "planned", json_object_get(one, "from"),
                                                     "now", json_object_get(one, "to")));
        json_decref(diff);
    }
    if (!ft_json_equal(json_object_get(was, "plugins"), json_object_get(now, "plugins")))
        json_array_append_new(differs, json_pack("{s:s, s:O, s:O}", "path", "plugins", "planned", json_object_get(was, "plugins"), "now", json_object_get(now, "plugins")));
    json_decref(was_writes);
    json_decref(now_writes);
    if (json_array_size(differs))
        return differs;
    json_decref(differs);
    return NULL;
}
