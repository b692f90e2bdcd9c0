/* journal.c: events out, and what follows from them; history in. */
#include "run/internal.h"

json_t *ev(const char *type, const char *path)
{
    json_t *event = json_object();

    json_object_set_new(event, "type", json_string(type));
    if (path)
        json_object_set_new(event, "path", json_string(path));
    return event;
}

uint64_t run_now_ms(const struct ft_run *run)
{
    return ft_clock_wall_ms(ft_loop_clock(run->engine->o.loop));
}

uint64_t run_sleep_ms(const struct ft_run *run, uint64_t wall_ms)
{
    uint64_t now = run_now_ms(run);

    return wall_ms > now ? ft_min(wall_ms - now, (uint64_t)60000) : 0;
}

uint64_t run_now_us(const struct ft_run *run)
{
    return ft_clock_mono_us(ft_loop_clock(run->engine->o.loop));
}

static void plain_push(struct ft_run *run, const char *path, const json_t *of)
{
    json_array_append_new(run->plain, json_pack("{s:s, s:O*, s:O*}", "path", path, "title", json_object_get(of, "title"), "action", json_object_get(of, "action")));
}

static void undo_push(struct ft_run *run, const char *path, const json_t *intent, const json_t *after)
{
    const json_t *undo = json_object_get(intent, "undo");
    const json_t *kept, *before = plan_state(json_object_get(intent, "plan"));

    if (!undo) {
        plain_push(run, path, intent);
        return;
    }
    json_t *item = json_object();

    json_object_set_new(item, "path", json_string(path));
    json_object_update(item, (json_t *)undo);
    json_object_set(item, "write", json_object_get(intent, "action"));
    json_object_set(item, "write_params", json_object_get(intent, "params"));
    json_object_set(item, "title", json_object_get(intent, "title"));
    kept = json_object_get(intent, "kept");
    json_object_set(item, "receipt", kept ? (json_t *)kept : json_object_get(json_object_get(intent, "plan"), "receipt"));
    if (json_object_get(json_object_get(intent, "plan"), "no_undo"))
        json_object_set(item, "no_undo", json_object_get(json_object_get(intent, "plan"), "no_undo"));
    if (json_object_get(intent, "veiled"))
        json_object_set_new(item, "veiled", json_true());
    if (before)
        json_object_set(item, "before", (json_t *)before);
    if (after)
        json_object_set(item, "after", (json_t *)after);
    json_array_append_new(run->undo, item);
}

/* The last write at this path that stands. */
static size_t undo_find(const struct ft_run *run, const char *path)
{
    for (size_t i = json_array_size(run->undo); i-- > 0;)
        if (ft_streq(ft_json_str(json_array_get(run->undo, i), "path"), path))
            return i;
    return json_array_size(run->undo);
}

/* `sent`: an undo went out and its end is not known. An attempt that failed for sure takes that back, one whose answer was lost does not. */
static void undo_sent(struct ft_run *run, const char *path, bool sent)
{
    json_t *item = json_array_get(run->undo, undo_find(run, path));

    if (item)
        json_object_set_new(item, "sent", json_boolean(sent));
}

/* What a person said of a stuck undo holds until it is stuck anew: also in the next life. Sent by their word, it is not in doubt any more. */
static void undo_told(struct ft_run *run, const char *path, json_t *event)
{
    json_t *item = json_array_get(run->undo, undo_find(run, path));

    if (!item)
        return;
    json_object_set(item, "told", event);
    json_object_del(item, "asked");
    if (json_is_true(json_object_get(event, "send")))
        undo_sent(run, path, false);
}

static void undo_asked(struct ft_run *run, const char *path)
{
    json_t *item = json_array_get(run->undo, undo_find(run, path));

    if (!item)
        return;
    json_object_set_new(item, "asked", json_true());
    json_object_del(item, "told");
}

static bool undo_may_have_happened(const json_t *event)
{
    enum ft_class class = ft_class_from_name(ft_json_str(event, "class"));

    return class == FT_AMBIGUOUS || class == FT_CANCELLED;
}

bool run_has_counted(const struct ft_run *run, const char *path)
{
    return json_object_get(run->counted, path) != NULL;
}

/* The undo stack is derived from events alone, so that it is the same in a run that lived on and in one that was resumed. */
void run_note(struct ft_run *run, json_t *event)
{
    const char *type = ft_json_str(event, "type");
    const char *path = ft_json_str(event, "path");

    if (json_object_get(event, "row"))
        json_array_append(run->answered, json_object_get(event, "row"));
    if (ft_streq(type, "step.done") || ft_streq(type, "step.failed"))
        json_object_del(run->counted, path);           /* it may come again: its own write then */
    apply_note(run, event);
    ft_gates_note(run->gates, event, run->requester);
    if (ft_streq(type, "step.intended")) {
        json_object_set_new(run->intents, path, json_copy(event));
        run->writes += !run_has_counted(run, path);      /* once a step, however often it is tried */
        json_object_set_new(run->counted, path, json_true());
    } else if (ft_streq(type, "step.kept")) {
        json_t *intent = json_object_get(run->intents, path);

        if (intent)
            json_object_set(intent, "kept", json_object_get(event, "receipt"));
        if (intent && json_object_get(event, "veiled"))
            json_object_set_new(intent, "veiled", json_true());
    } else if (ft_streq(type, "step.done")) {
        json_t *intent = json_object_get(run->intents, path);

        run->steps_done++;
        if (intent) {
            undo_push(run, path, intent, json_object_get(event, "after"));
            json_object_del(run->intents, path);
        }
    } else if (ft_streq(type, "step.unproven")) {
        json_t *intent = json_object_get(run->intents, path);

        if (intent && (json_object_get(intent, "undo") || !json_object_get(event, "pending_until")))       /* else the device is waited for: confirm.lapsed */
            undo_push(run, path, intent, json_object_get(event, "after"));
        if (intent && json_object_get(event, "pending_until") && json_object_get(intent, "undo"))
            json_object_set(json_array_get(run->undo, undo_find(run, path)), "lapses", json_object_get(event, "pending_until"));
        json_object_del(run->intents, path);
    } else if (ft_streq(type, "confirm.lapsed")) {
        if (!json_is_true(json_object_get(event, "gone")))
            plain_push(run, path, event);
    } else if (ft_streq(type, "step.failed") || ft_streq(type, "step.attempt")) {
        json_object_del(run->intents, path);
    } else if (ft_streq(type, "gate.answered")) {
        run->released |= json_is_true(json_object_get(event, "approved"));
    } else if (ft_streq(type, "lock.taken")) {
        lock_note(run, json_object_get(event, "keys"));
    } else if (ft_streq(type, "undo.intended")) {
        undo_sent(run, path, true);
    } else if (ft_streq(type, "undo.attempt") || ft_streq(type, "undo.failed")) {
        if (!undo_may_have_happened(event))
            undo_sent(run, path, false);
        if (ft_streq(type, "undo.failed"))
            undo_asked(run, path);
    } else if (ft_streq(type, "undo.conflict")) {
        undo_asked(run, path);
    } else if (ft_streq(type, "question.answered")) {
        undo_told(run, path, event);
    } else if (ft_streq(type, "undo.done") || ft_streq(type, "undo.kept")) {
        json_array_remove(run->undo, undo_find(run, path));
        json_array_append_new(ft_streq(type, "undo.done") ? run->undone : run->kept, json_string(path));
    } else if (ft_streq(type, "doubt.answered") && json_is_false(json_object_get(event, "happened"))) {
        json_object_del(run->intents, path);       /* it is sent anew, or not at all */
    } else if (ft_streq(type, "policy.passed")) {
        uint64_t closes = (uint64_t)ft_json_int(event, "closes", 0);

        bool first = !json_array_size(run->undo) && !json_object_size(run->intents);      /* nothing stands yet that an earlier time bound */

        if (closes && (first || !run->closes_ms || closes < run->closes_ms))
            run->closes_ms = closes;
    } else if (ft_streq(type, "run.closing")) {
        free(run->closing);
        run->closing = ft_strdup(ft_json_str(event, "why"));
    } else if (ft_streq(type, "run.finished")) {
        json_object_set_new(event, "writes", json_integer(run->writes));
    }
}

bool run_veils(const struct ft_run *run, const json_t *value)
{
    json_t *clean = value ? ft_secret_redact_json(run->engine->o.secrets, (json_t *)value) : NULL;
    bool veils = clean != value;

    json_decref(clean);
    return veils;
}

int run_journal(struct ft_run *run, json_t *event, enum ft_durability durability, void (*written)(void *arg, int code, const struct ft_err *err), void *arg,
                struct ft_err *reterr)
{
    json_t *clean = ft_secret_redact_json(run->engine->o.secrets, event);
    int r;

    json_decref(event);
    run_note(run, clean);
    json_incref(clean);
    r = ft_store_append(run->engine->o.store, run->id, clean, durability, written, arg, reterr);
    if (r < 0)
        ft_err_in(reterr, "the run's journal");
    else if (run->observer->event)
        run->observer->event(run->arg, run, clean);
    json_decref(clean);
    return r;
}

void run_ride(struct ft_run *run, json_t *event)
{
    struct ft_err err = { 0 };

    if (run_journal(run, event, FT_RIDE, NULL, NULL, &err) < 0)
        run_broken(run, &err);
}

/* What is over once a newer event of the same step says so. */
static void forget(json_t *record, const char *const *types)
{
    for (; *types; types++)
        json_object_del(record, *types);
}

void run_history(struct ft_run *run, const json_t *events)
{
    static const char *const after_intent[] = { "step.answered", "step.kept", "step.attempt", "doubt.opened", "doubt.answered", "step.unproven", "confirm.intended", "confirm.done", "lock.waiting", NULL };
    static const char *const after_confirm[] = { "doubt.opened", "doubt.answered", NULL };
    size_t i;
    json_t *event;

    json_array_foreach((json_t *)events, i, event) {
        const char *type = ft_json_str(event, "type");
        const char *path = ft_json_str(event, "path");

        run_note(run, event);
        if (!path || !type)
            continue;
        json_t *record = json_object_get(run->history, path);

        if (!record) {
            record = json_object();
            json_object_set_new(run->history, path, record);
        }
        if (ft_streq(type, "step.intended"))
            forget(record, after_intent);
        if (ft_streq(type, "confirm.intended"))
            forget(record, after_confirm);
        if (ft_streq(type, "step.attempt")) {
            json_object_del(record, "step.intended");
            json_object_del(record, "lock.waiting");
        }
        if (ft_streq(type, "step.intended") || ft_streq(type, "hold.over"))
            json_object_del(record, "hold.opened");
        json_object_set(record, type, event);
    }
}

json_t *past_event(const struct step_run *step, const char *type)
{
    return json_object_get(step->past, type);
}

void run_info(struct ft_run *run, const char *status, const char *outcome, const char *summary)
{
    uint64_t now = run_now_ms(run);
    bool over = !ft_streq(status, "running") && !ft_streq(status, "parked");
    char *clean = summary ? ft_secret_redact(run->engine->o.secrets, summary) : NULL;
    struct ft_run_info info = {
        .id = run->id, .playbook = ft_playbook_name(run->playbook), .digest = ft_playbook_digest(run->playbook),
        .mode = run->dry_run ? "dry_run" : "run", .status = status, .outcome = outcome ? outcome : "",
        .started_ms = run->started_ms, .ended_ms = over ? now : 0, .summary = clean ? clean : summary ? summary : "", .owner = NULL, .params = run->params,
    };

    ft_store_run_put(run->engine->o.store, &info);
    free(clean);
}
