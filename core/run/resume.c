/* resume.c: a run out of its events, and how it goes on. */
#include "run/internal.h"
#include "run/plan.h"
#include "store/retain.h"

struct ft_playbook *run_stored_playbook(const char *digest, struct ft_store *store, const struct ft_playbook_world *world, struct ft_err *reterr)
{
    struct ft_playbook_world now = *world;
    struct ft_diags *diags;
    struct ft_playbook *playbook = NULL;
    json_t *sources = NULL;
    char *text = NULL;
    size_t len;

    if (ft_store_blob_get(store, digest, &text, &len, reterr) < 0 || ft_json_parse(text, len, 0, &sources, reterr) < 0) {
        free(text);
        ft_err_in(reterr, "the stored playbook");
        return NULL;
    }
    free(text);
    diags = ft_diags_new();
    now.window = NULL;                             /* one that is gone since fails the step that waits for it, not the run */
    playbook = ft_playbook_from_sources(sources, &now, diags);
    if (!playbook)
        ft_err_set(reterr, -EINVAL, "the stored playbook does not load any more: %s (was a plugin removed or changed?)",
                   ft_diags_count(diags) ? ft_diags_get(diags, 0)->text : "no reason given");
    ft_diags_free(diags);
    json_decref(sources);
    return playbook;
}

struct ft_playbook *ft_run_stored_playbook(const json_t *events, struct ft_store *store, const struct ft_playbook_world *world, struct ft_err *reterr)
{
    const json_t *start = json_array_get(events, 0);

    if (ft_streq(ft_json_str(start, "type"), "run.started") && ft_json_str(start, "sources"))
        return run_stored_playbook(ft_json_str(start, "sources"), store, world, reterr);
    ft_err_set(reterr, -EBADMSG, "the journal does not begin with run.started");
    return NULL;
}

/* Of thousands of runs that are resumed most began with the same playbook: the last few stay loaded. */
static struct ft_playbook *loaded_playbook(struct ft_engine *engine, const json_t *events, struct ft_err *reterr)
{
    const char *sources = ft_json_str(json_array_get(events, 0), "sources");
    struct ft_playbook *playbook;
    struct loaded *l = engine->loaded;

    for (size_t i = 0; sources && i < ARRAY_LEN(engine->loaded); i++)
        if (l[i].playbook && ft_streq(l[i].sources, sources))
            return ft_playbook_ref(l[i].playbook);
    playbook = ft_run_stored_playbook(events, engine->o.store, engine->o.world, reterr);
    if (!playbook)
        return NULL;
    l += engine->next_loaded++ % ARRAY_LEN(engine->loaded);
    ft_playbook_unref(l->playbook);
    l->playbook = ft_playbook_ref(playbook);
    snprintf(l->sources, sizeof(l->sources), "%s", sources);
    return playbook;
}

/* Time spent in earlier lives, without the time parked or dead. */
static uint64_t active_before(const json_t *events)
{
    uint64_t sum = 0, last = 0;
    size_t i;
    json_t *event;

    json_array_foreach((json_t *)events, i, event) {
        uint64_t at = (uint64_t)ft_json_int(event, "at", 0);
        const char *type = ft_json_str(event, "type");
        bool gap = ft_streq(type, "run.resumed") || ft_streq(type, "hold.over") || ft_streq(type, "wait.over") || (strncmp(type ? type : "", "gate.", 5) == 0 && !ft_streq(type, "gate.opened")) || ft_streq(type, "ask.answered") || ft_streq(type, "question.answered") || ft_streq(type, "doubt.answered")
                   || (ft_streq(type, "lock.taken") && json_object_get(event, "waited_ms"));

        if (last && at > last && !gap)
            sum += at - last;
        last = at;
    }
    return sum;
}

static const json_t *last_of(const json_t *events, const char *type)
{
    for (size_t i = json_array_size(events); i-- > 0;)
        if (ft_streq(ft_json_str(json_array_get(events, i), "type"), type))
            return json_array_get(events, i);
    return NULL;
}

static void resume_turn(void *arg)
{
    struct ft_run *run = arg;

    run->reviving = false;
    run_hold_sessions(run, true);
    margin_set(run, 0);
    if (run->state == RUN_ROLLING_BACK)
        rollback_go_on(run);
    else
        list_start(run->root);
}

/* What it applies: without it nothing can be compared, so nothing may go on. */
static int resume_plan(struct ft_run *run, const json_t *start, struct ft_err *reterr)
{
    const char *digest = ft_json_str(start, "plan");
    int r;

    run->sources = ft_strdup(ft_json_str(start, "sources"));
    run->accept_undetermined = json_is_true(json_object_get(start, "accept_undetermined"));
    if (!digest)
        return 0;
    r = ft_plan_load(run->engine->o.store, digest, &run->plan, NULL, reterr);
    return r < 0 ? ft_err_in(reterr, "run %s applies a plan", run->id) : 0;
}

static int check_resumable(const json_t *events, const char *id, struct ft_err *reterr)
{
    const json_t *over = run_over_event(events);

    if (over)
        return ft_err_class(reterr, FT_INVALID, -EALREADY, "run %s is over (%s); there is nothing to resume", id, ft_json_str(over, "status"));
    if (ft_streq(ft_json_str(json_array_get(events, 0), "mode"), "dry_run"))
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "run %s was a dry run; start it again instead", id);
    return 0;
}

static void resume_state(struct ft_run *run, const json_t *events)
{
    const json_t *start = json_array_get(events, 0), *rollback = last_of(events, "rollback.started"), *cancelling = last_of(events, "run.cancelling");
    const json_t *reopened = run_over_event(events) ? NULL : last_of(events, "run.reopened");

    run->params = json_incref(json_object_get(start, "params"));
    run->vars = json_incref(json_object_get(start, "vars"));
    run->requester = ft_strdup(ft_json_str(start, "requester"));
    run->break_glass = json_incref(json_object_get(start, "break_glass"));
    run->started_ms = (uint64_t)ft_json_int(start, "at", 0);
    run->change = ft_strdup(ft_json_str(start, "change"));
    run->requested_ms = (uint64_t)ft_json_int(start, "requested", (int64_t)run->started_ms);
    run->lock_keys = json_copy(json_object_get(start, "locks"));
    run->active_ms = active_before(events);
    run_history(run, events);
    if (cancelling) {
        run->cancel = true;
        run->cancel_rollback = json_is_true(json_object_get(cancelling, "rollback"));
        run->cancel_who = ft_strdup(ft_json_str(cancelling, "by"));
    }
    if (reopened) {
        rollback = reopened;
        run->since_ms = (uint64_t)ft_json_int(reopened, "at", 0);
        run->undo_only = json_incref(json_object_get(reopened, "only"));
    }
    if (rollback) {
        run->state = RUN_ROLLING_BACK;
        run->final = json_incref(json_object_get(rollback, "final"));
    } else {
        run->root = list_new(run, run->playbook, ft_playbook_steps(run->playbook), NULL, ft_strdup(""), run_root_env(run, json_object_get(start, "event")));
    }
}

int run_from_events(struct ft_engine *engine, const char *id, const json_t *events, const struct ft_run_observer *observer, void *arg, struct ft_run **ret, struct ft_err *reterr)
{
    struct ft_playbook *playbook = loaded_playbook(engine, events, reterr);
    struct ft_run *run;
    int r;

    if (!playbook)
        return -EINVAL;
    if (ft_store_forgotten(engine->o.store, id)) {
        ft_playbook_unref(playbook);
        return ft_err_set(reterr, -ENODATA, "what is personal in run %s was deleted (`fettle audit verify` says so): it cannot be gone on with or undone", id);
    }
    run = run_new(engine, playbook, observer, arg);
    ft_playbook_unref(playbook);
    snprintf(run->id, sizeof(run->id), "%s", id);
    r = resume_plan(run, json_array_get(events, 0), reterr);
    if (r < 0) {
        ft_run_free(run);
        return r;
    }
    resume_state(run, events);
    *ret = run;
    return 0;
}

/* One that died between its reopening and its locks has none: nothing may be sent before it has them. */
static int has_its_locks(struct ft_run *run, struct ft_err *reterr)
{
    return run->since_ms ? run_lock_again(run, reterr) : 0;
}

int ft_run_resume(struct ft_engine *engine, const char *id, const char *who, const struct ft_run_observer *observer, void *arg, struct ft_run **ret, struct ft_err *reterr)
{
    int r = ft_store_claim(engine->o.store, id, reterr);

    return r < 0 ? r : ft_run_resume_claimed(engine, id, who, observer, arg, ret, reterr);
}

int ft_run_resume_claimed(struct ft_engine *engine, const char *id, const char *who, const struct ft_run_observer *observer, void *arg, struct ft_run **ret,
                          struct ft_err *reterr)
{
    json_t *events = NULL, *event;
    struct ft_run *run = NULL;
    int r = ft_store_verify(engine->o.store, id, reterr);

    if (r < 0)                                     /* nothing is decided on a journal that is not what was written */
        ft_err_in(reterr, "it does not go on, because its journal is damaged");
    if (r == 0)
        r = ft_store_events(engine->o.store, id, 0, &events, reterr);
    if (r == 0)
        r = check_resumable(events, id, reterr);
    if (r == 0)
        r = run_from_events(engine, id, events, observer, arg, &run, reterr);
    json_decref(events);
    if (r == 0)
        r = has_its_locks(run, reterr);
    if (r < 0) {
        ft_run_free(run);
        return r;
    }
    run_info(run, "running", "", "");
    event = ev("run.resumed", NULL);
    json_object_set_new(event, "by", json_string(who ? who : ""));
    json_object_set_new(event, "run", json_string(run->id));
    json_object_set_new(event, "playbook", json_string(ft_playbook_name(run->playbook)));
    run_ride(run, event);
    run_set_limit(run);
    run->reviving = true;
    ft_loop_defer(engine->o.loop, resume_turn, run);
    ft_run_asked_to_end(run);                      /* by somebody whom its last process did not hear any more */
    *ret = run;
    return 0;
}

void resume_forget(struct ft_run *run)
{
    ft_loop_undefer(run->engine->o.loop, resume_turn, run);
}
