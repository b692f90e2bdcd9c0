/* engine.c: how a run starts, resumes, parks and ends. */
#include "run/internal.h"
#include "store/retain.h"
#include "run/plan.h"

struct ft_engine *ft_engine_new(const struct ft_engine_opts *opts)
{
    struct ft_engine *engine = ft_calloc(1, sizeof(*engine));

    engine->o = *opts;
    return engine;
}

struct ft_engine *ft_engine_free(struct ft_engine *engine)
{
    if (engine)
        people_free(engine);
    for (size_t i = 0; engine && i < ARRAY_LEN(engine->loaded); i++)
        ft_playbook_unref(engine->loaded[i].playbook);
    free(engine);
    return NULL;
}

const char *ft_run_id(const struct ft_run *run)
{
    return run->id;
}

const struct ft_playbook *ft_run_playbook(const struct ft_run *run)
{
    return run->playbook;
}

/* ---- birth */

static struct ft_run *run_new(struct ft_engine *engine, const struct ft_playbook *playbook, const struct ft_run_observer *observer, void *arg)
{
    struct ft_run *run = ft_calloc(1, sizeof(*run));

    run->engine = engine;
    engine->runs++;
    run->playbook = ft_playbook_ref(playbook);
    run->observer = observer;
    run->arg = arg;
    run->history = json_object();
    run->undo = json_array();
    run->intents = json_object();
    run->undone = json_array();
    run->kept = json_array();
    run->asked = json_object();
    run->approved = json_array();
    run->plans = json_object();
    run->gates = json_array();
    ft_list_init(&run->notices);
    ft_list_init(&run->steps);
    run->segment_start_us = run_now_us(run);
    return run;
}

static json_t *root_env(const struct ft_run *run, const json_t *event)
{
    json_t *env = json_copy(run->vars);

    json_object_update(env, run->params);
    json_object_set_new(env, "run", json_pack("{s:s, s:s, s:I, s:s, s:s}", "id", run->id, "mode", "run",      /* in a dry run, too: it shows what the run will do */
                                              "started_at", (json_int_t)run->started_ms, "requester", run->requester, "playbook", ft_playbook_name(run->playbook)));
    json_object_set_new(env, "error", json_null());          /* until a step has failed */
    if (event)
        json_object_set(env, "event", (json_t *)event);
    return env;
}

static int merge_vars(struct ft_run *run, const json_t *overrides, struct ft_err *reterr)
{
    const char *name;
    json_t *value;

    run->vars = json_copy((json_t *)ft_playbook_vars(run->playbook));
    json_object_foreach((json_t *)overrides, name, value) {
        if (!json_object_get(run->vars, name))
            return ft_err_class(reterr, FT_INVALID, -EINVAL, "the playbook has no variable '%s' that could be overridden", name);
        json_object_set(run->vars, name, value);
    }
    return 0;
}

static int take_locks(struct ft_run *run, const json_t *env, struct ft_err *reterr)
{
    const struct ft_tmpl *tmpl = ft_playbook_locks(run->playbook);
    struct ft_eval_result r = { 0 };

    if (!tmpl)
        return 0;
    if (ft_tmpl_eval(tmpl, env, &r, reterr) != FT_EVAL_OK) {
        ft_eval_result_done(&r);
        return ft_err_in(reterr, "locks");
    }
    run->lock_keys = json_incref(r.value);
    ft_eval_result_done(&r);
    return run_lock_again(run, reterr);
}

int run_lock_again(struct ft_run *run, struct ft_err *reterr)
{
    char *holder = NULL, *reason;
    int code;

    if (!json_array_size(run->lock_keys))
        return 0;
    reason = ft_asprintf("%s, started by %s", ft_playbook_name(run->playbook), run->requester);
    code = ft_store_lock(run->engine->o.store, run->id, run->lock_keys, reason, &holder, reterr);
    if (code == -EBUSY && holder)
        code = lock_held_by(holder, reterr);
    free(reason);
    free(holder);
    return code;
}

static void limit_reached(void *arg)
{
    struct ft_run *run = arg;

    run->limit = NULL;
    if (run->state != RUN_GOING)
        return;
    run->limit_hit = true;
    run->state = RUN_STOPPING;
    run_check_idle(run);
}

static void set_limit(struct ft_run *run)
{
    uint64_t limit = ft_playbook_runtime_ms(run->playbook);
    uint64_t left = limit > run->active_ms ? limit - run->active_ms : 0;

    run->segment_start_us = run_now_us(run);
    run->limit = ft_timer_start_weak(run->engine->o.loop, left, limit_reached, run);
}

/* Waiting for people is no running. */
static void pause_limit(struct ft_run *run)
{
    if (!run->limit)
        return;
    run->active_ms += (run_now_us(run) - run->segment_start_us) / 1000;
    ft_timer_stop(run->limit);
    run->limit = NULL;
}

static void note_start(struct ft_run *run, const json_t *event)
{
    json_t *e = ev("run.started", NULL);
    json_t *sources = ft_playbook_sources(run->playbook);
    char *text = ft_json_text(sources);
    char digest[65];

    ft_store_blob_put(run->engine->o.store, text, strlen(text), digest);
    run->sources = ft_strdup(digest);
    free(text);
    json_decref(sources);
    json_object_set_new(e, "playbook", json_string(ft_playbook_name(run->playbook)));
    json_object_set_new(e, "title", json_string(ft_playbook_title(run->playbook)));
    json_object_set_new(e, "digest", json_string(ft_playbook_digest(run->playbook)));
    json_object_set_new(e, "sources", json_string(digest));
    json_object_set(e, "params", run->params);
    json_object_set(e, "vars", run->vars);
    json_object_set_new(e, "mode", json_string(run->dry_run ? "dry_run" : "run"));
    if (run->break_glass)
        json_object_set(e, "break_glass", run->break_glass);
    json_object_set_new(e, "requester", json_string(run->requester));
    json_object_set_new(e, "run", json_string(run->id));
    if (run->lock_keys)
        json_object_set_new(e, "locks", json_copy(run->lock_keys));
    if (run->change)
        json_object_set_new(e, "change", json_string(run->change));
    if (run->requested_ms != run->started_ms)
        json_object_set_new(e, "requested", json_integer((json_int_t)run->requested_ms));
    if (event)
        json_object_set(e, "event", (json_t *)event);
    if (run->plan)
        json_object_set_new(e, "plan", json_string(ft_plan_digest(run->plan)));
    if (run->accept_undetermined)
        json_object_set_new(e, "accept_undetermined", json_true());
    run_ride(run, e);
}

void run_hold_sessions(struct ft_run *run, bool hold)
{
    if (run->holding == hold)
        return;
    ft_registry_hold(run->engine->o.registry, hold ? 1 : -1);
    run->holding = hold;
    if (!hold)
        pause_limit(run);
    else if (!run->limit && run->state != RUN_ENDED)
        set_limit(run);
}

static void first_turn(void *arg)
{
    struct ft_run *run = arg;

    run_hold_sessions(run, true);
    if (run->dry_run)
        dry_start(run);
    else
        list_start(run->root);
}

static int set_change(struct ft_run *run, const char *asked, struct ft_err *reterr)
{
    const char *own = ft_playbook_change(run->playbook), *change = asked ? asked : own;
    int r = 0;

    if (run->engine->o.guard)
        r = ft_guard_change(run->engine->o.guard, own, asked, ft_playbook_category(run->playbook), &change, reterr);
    if (r == 0)
        run->change = ft_strdup(change);
    return r;
}

int ft_run_start(struct ft_engine *engine, const struct ft_playbook *playbook, const json_t *params, const struct ft_run_opts *opts,
                 const struct ft_run_observer *observer, void *arg, struct ft_run **ret, struct ft_err *reterr)
{
    struct ft_run *run;
    json_t *env;
    int r;

    if (opts->plan && (ft_plan_check(opts->plan, reterr) < 0 || ft_plan_plugins(opts->plan, playbook, reterr) < 0))
        return -ESTALE;
    run = run_new(engine, playbook, observer, arg);
    ft_store_new_id(engine->o.store, run->id);
    run->params = json_incref((json_t *)params);
    run->requester = ft_strdup(opts->requester ? opts->requester : "unknown");
    run->dry_run = opts->dry_run;
    run->keep_plan = opts->keep_plan;
    run->plan_valid_ms = opts->plan_valid_ms;
    run->plan = json_incref((json_t *)opts->plan);
    run->accept_undetermined = opts->accept_undetermined;
    if (opts->break_glass)
        run->break_glass = json_pack("{s:s, s:s}", "by", run->requester, "reason", opts->break_glass);
    run->started_ms = run_now_ms(run);
    run->requested_ms = opts->requested_ms ? opts->requested_ms : run->started_ms;
    r = merge_vars(run, opts->vars, reterr);
    if (r == 0)
        r = set_change(run, opts->change, reterr);
    if (r < 0) {
        ft_run_free(run);
        return r;
    }
    env = root_env(run, opts->event);
    run->root = list_new(run, run->playbook, ft_playbook_steps(run->playbook), NULL, ft_strdup(""), env);
    if (!run->dry_run)
        r = take_locks(run, env, reterr);
    if (r < 0) {
        ft_run_free(run);
        return r;
    }
    /* Taking locks commits: the run is noted after it, so that no run is ever in the store without its first event. */
    run_info(run, "running", "", "");
    note_start(run, opts->event);
    set_limit(run);
    ft_loop_defer(engine->o.loop, first_turn, run);
    *ret = run;
    return 0;
}

/* ---- resume */

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
        bool gap = ft_streq(type, "run.resumed") || ft_streq(type, "hold.over") || ft_streq(type, "wait.over") || (strncmp(type ? type : "", "gate.", 5) == 0 && !ft_streq(type, "gate.opened")) || ft_streq(type, "ask.answered") || ft_streq(type, "doubt.answered")
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
        run->root = list_new(run, run->playbook, ft_playbook_steps(run->playbook), NULL, ft_strdup(""), root_env(run, json_object_get(start, "event")));
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
    json_t *events = NULL, *event;
    struct ft_run *run = NULL;
    int r = ft_store_claim(engine->o.store, id, reterr);

    if (r == 0 && (r = ft_store_verify(engine->o.store, id, reterr)) < 0)      /* nothing is decided on a journal that is not what was written */
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
    set_limit(run);
    run->reviving = true;
    ft_loop_defer(engine->o.loop, resume_turn, run);
    *ret = run;
    return 0;
}

/* ---- death */

static void look_idle(void *arg);
static void cancel_turn(void *arg);
static void tell_end(void *arg);

void ft_run_free(struct ft_run *run)
{
    struct ft_loop *loop;

    if (!run)
        return;
    loop = run->engine->o.loop;
    ft_loop_undefer(loop, first_turn, run);
    ft_loop_undefer(loop, resume_turn, run);
    reopen_forget(run);
    ft_loop_undefer(loop, look_idle, run);
    ft_loop_undefer(loop, cancel_turn, run);
    ft_loop_undefer(loop, tell_end, run);
    ft_store_forget(run->engine->o.store, run);
    people_leave(run);
    notices_drop(run);
    ft_timer_stop(run->limit);
    run->limit = NULL;
    margin_stop(run);
    run_hold_sessions(run, false);
    undo_cancel(run);
    run->dry = dry_free(run->dry);
    list_free(run->root);
    ft_playbook_unref(run->playbook);
    json_decref(run->params);
    json_decref(run->vars);
    json_decref(run->history);
    json_decref(run->undo);
    json_decref(run->intents);
    json_decref(run->undone);
    json_decref(run->kept);
    json_decref(run->undo_only);
    json_decref(run->gates);
    json_decref(run->break_glass);
    json_decref(run->lock_keys);
    json_decref(run->plan);
    json_decref(run->asked);
    json_decref(run->approved);
    json_decref(run->plans);
    free(run->sources);
    json_decref(run->final);
    free(run->requester);
    free(run->cancel_who);
    free(run->change);
    free(run->closing);
    run->engine->runs--;
    free(run);
}

/* Who broke the glass is over soon: those who were passed over are told all the same, before the process may end. */
static void tell_end(void *arg)
{
    struct ft_run *run = arg;

    run->end_untold = notices_under_way(run);
    if (run->end_untold)
        return;
    run->observer->ended(run->arg, run, run->end);
}

void notices_maybe_last(struct ft_run *run)
{
    if (run->end_untold && !notices_under_way(run))
        ft_loop_defer(run->engine->o.loop, tell_end, run);
}

static void end_with(struct ft_run *run, enum ft_run_end end)
{
    run->state = RUN_ENDED;
    run->end = end;
    run_hold_sessions(run, false);
    people_leave(run);
    ft_timer_stop(run->limit);
    run->limit = NULL;
    margin_stop(run);
}

/* The journal is the run: without it nothing more may happen. What it has on disk is resumable. */
void run_broken(struct ft_run *run, const struct ft_err *err)
{
    if (run->state == RUN_ENDED)
        return;
    ft_log(FT_LOG_ERROR, "run %s stops here, because its journal cannot be written: %s. Mend that, then: fettle resume %s", run->id, err->text, run->id);
    end_with(run, FT_RUN_FAILED);
    ft_loop_defer(run->engine->o.loop, tell_end, run);
}

static void finished_written(void *arg, int code, const struct ft_err *err)
{
    struct ft_run *run = arg;

    if (code < 0)
        ft_log(FT_LOG_ERROR, "run %s has ended, but its end could not be written: %s", run->id, err->text);
    tell_end(run);
}

static enum ft_run_end end_of(const json_t *final)
{
    const char *status = ft_json_str(final, "status");

    if (ft_streq(status, "failed"))
        return FT_RUN_FAILED;
    if (ft_streq(status, "rolled_back"))
        return FT_RUN_ROLLED_BACK;
    if (ft_streq(status, "cancelled"))
        return FT_RUN_CANCELLED;
    if (ft_streq(ft_json_str(final, "outcome_status"), "attention"))
        return FT_RUN_ATTENTION;
    return ft_streq(ft_json_str(final, "outcome_status"), "failed") ? FT_RUN_FAILED : FT_RUN_OK;
}

void run_finish(struct ft_run *run)
{
    json_t *event = ev("run.finished", NULL);
    uint64_t now = run_now_ms(run), since = run->since_ms ? run->since_ms : run->started_ms;
    struct ft_err err = { 0 };
    const char *diagnosis;

    json_object_update(event, run->final);
    if (json_array_size(run->undone)) {
        json_object_set(event, "undone", run->undone);
        if (ft_streq(ft_json_str(event, "status"), "failed"))
            json_object_set_new(event, "status", json_string("rolled_back"));
    }
    if (json_array_size(run->kept)) {
        json_object_set(event, "kept", run->kept);
        if (!json_array_size(run->undone) && ft_streq(ft_json_str(event, "status"), "rolled_back"))
            json_object_set_new(event, "status", json_string("finished"));     /* a person had all of it left as it is */
    }
    json_object_set_new(event, "ms", json_integer(now > since ? (json_int_t)(now - since) : 0));     /* the clock may go back */
    json_object_set_new(event, "steps", json_integer(run->steps_done));
    if (run->since_ms)
        json_object_set_new(event, "reopened", json_true());
    end_with(run, run->since_ms ? FT_RUN_ROLLED_BACK : end_of(event));
    diagnosis = ft_json_str(event, "diagnosis");
    run_info(run, ft_json_str(event, "status"), ft_json_str(event, "outcome"), diagnosis ? diagnosis : ft_json_str(event, "title"));
    if (run_journal(run, event, FT_DURABLE, finished_written, run, &err) < 0) {
        ft_log(FT_LOG_ERROR, "run %s has ended, but its end could not be written: %s", run->id, err.text);
        ft_loop_defer(run->engine->o.loop, tell_end, run);
    }
    ft_store_unlock(run->engine->o.store, run->id);
}

static json_t *said(const struct ft_tmpl *tmpl, const json_t *env, json_t *otherwise)
{
    struct ft_eval_result r = { 0 };
    struct ft_err err = { 0 };

    if (!tmpl)
        return otherwise;
    if (ft_tmpl_eval(tmpl, env, &r, &err) == FT_EVAL_ERROR) {
        ft_log(FT_LOG_WARN, "the outcome's words could not be made: %s", err.text);
        ft_eval_result_done(&r);
        return otherwise;
    }
    json_decref(otherwise);
    otherwise = json_incref(r.value);
    ft_eval_result_done(&r);
    return otherwise;
}

void run_outcome(struct ft_run *run, const struct ft_outcome *outcome, const json_t *env)
{
    json_decref(run->final);
    run->final = json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "status", outcome->rollback ? "rolled_back" : "finished", "outcome", outcome->name,
                           "outcome_status", ft_status_name(outcome->status), "title", outcome->title,
                           "diagnosis", said(outcome->diagnosis, env, json_string(outcome->title)), "evidence", said(outcome->evidence, env, json_array()));
    if (outcome->rollback && json_array_size(run->undo))
        rollback_start(run, outcome->title);
    else
        run_finish(run);
}

void run_failed(struct ft_run *run, enum ft_class class, const char *text)
{
    char *why = ft_strdup(text);

    json_decref(run->final);
    run->final = json_pack("{s:s, s:s, s:s, s:s, s:s}", "status", "failed", "outcome", "", "title", "The run failed", "class", ft_class_name(class), "diagnosis", why);
    if (json_array_size(run->undo))
        rollback_start(run, why);
    else
        run_finish(run);
    free(why);
}

/* ---- idle: parked, stopped, or still at it */

static bool step_busy(const struct ft_run *run, const struct step_run *step)
{
    switch (step->state) {
    case STEP_CALLING: case STEP_INTENDING: case STEP_VERIFYING: case STEP_PROBING: case STEP_CONFIRMING: case STEP_WRITING:
        return true;
    case STEP_UNDOING:
        return !undo_is_stuck(run);
    case STEP_PAUSED:
        return run->state == RUN_GOING && !run->closing;
    default:
        return false;
    }
}

static void stopped(struct ft_run *run)
{
    char limit[32];

    if (run->limit_hit) {
        char *text = ft_asprintf("the run took longer than its limit of %s", ft_duration_format(ft_playbook_runtime_ms(run->playbook), limit, sizeof(limit)));

        run_failed(run, FT_TIMEOUT, text);
        free(text);
        return;
    }
    if (run->closing) {
        run_failed(run, FT_REFUSED, run->closing);
        return;
    }
    json_decref(run->final);
    run->final = json_pack("{s:s, s:s, s:s, s:o}", "status", "cancelled", "outcome", "", "title", "Cancelled", "diagnosis",
                           json_sprintf("cancelled by %s", run->cancel_who ? run->cancel_who : "somebody"));
    if (run->cancel_rollback && json_array_size(run->undo))
        rollback_start(run, "the run was cancelled");
    else
        run_finish(run);
}

static void parked_written(void *arg, int code, const struct ft_err *err)
{
    struct ft_run *run = arg;

    if (code < 0) {
        run_broken(run, err);
        return;
    }
    if (run->state == RUN_ENDED)
        tell_end(run);
    else if (run->parked_told && run->observer->parked)    /* else it went on meanwhile */
        run->observer->parked(run->arg, run);
}

/* When it goes on although nobody answers: the first of what its questions say. */
static uint64_t wake_of(const json_t *questions)
{
    static const char *const times[] = { "until", "wake" };
    uint64_t first = UINT64_MAX;
    json_t *question;
    size_t i;

    json_array_foreach((json_t *)questions, i, question) {
        for (size_t k = 0; k < ARRAY_LEN(times); k++) {
            uint64_t at = (uint64_t)ft_json_int(question, times[k], 0);

            first = at && at < first ? at : first;
        }
    }
    return first;
}

uint64_t ft_run_wake_ms(const struct ft_run *run)
{
    json_t *questions = ft_run_questions(run);
    uint64_t at = wake_of(questions);

    if (run->closes_ms && run->state == RUN_GOING)             /* awake at the margin, to be taken back */
        at = ft_min(at, run_margin_ms(run));
    json_decref(questions);
    return at;
}

/* For whoever looks at the run's last event; the whole question is in the event that opened it, and once is enough for thousands of runs. */
static json_t *in_short(const json_t *questions)
{
    static const char *const members[] = { "path", "kind", "title", "text", "why", "by", "until", "wake" };
    json_t *all = json_array(), *question;
    size_t i;

    json_array_foreach((json_t *)questions, i, question) {
        json_t *q = json_object();

        for (size_t k = 0; k < ARRAY_LEN(members); k++)
            json_object_set(q, members[k], json_object_get(question, members[k]));
        json_array_append_new(all, q);
    }
    return all;
}

static void park(struct ft_run *run, const char *why)
{
    json_t *event = ev("run.parked", NULL), *questions = ft_run_questions(run);
    struct ft_err err = { 0 };

    run->parked_told = true;
    run_hold_sessions(run, false);
    json_object_set_new(event, "why", json_string(why));
    json_object_set_new(event, "waiting", in_short(questions));
    json_decref(questions);
    if (run->closes_ms && run->state == RUN_GOING)
        json_object_set_new(event, "until", json_integer((json_int_t)run_margin_ms(run)));
    if (undo_is_stuck(run))
        json_object_set_new(event, "incident", json_true());
    run_info(run, "parked", undo_is_stuck(run) ? "incident" : "", why);
    ft_store_wake_at(run->engine->o.store, run->id, ft_run_wake_ms(run));
    if (run_journal(run, event, FT_DURABLE, parked_written, run, &err) < 0)
        run_broken(run, &err);
}

static void park_incident(struct ft_run *run, const json_t *question)
{
    const char *title = ft_json_str(question, "title");
    char *why = ft_asprintf("undo of '%s': %s", title ? title : ft_json_str(question, "path"), ft_json_str(question, "text"));

    park(run, why);
    free(why);
}

/* Stopped at once with a write under way: whether it happened is found out by the next resume. */
static void leave_in_doubt(struct ft_run *run)
{
    end_with(run, FT_RUN_PARKED);
    park(run, "cancelled while a write was under way: resume it to find out whether it happened");
}

static void look_idle(void *arg)
{
    struct ft_run *run = arg;
    struct ft_list *pos, *tmp;
    json_t *questions;

    run->idle_look = false;
    if (run->state == RUN_ENDED || (run->deferred_starts && run->state == RUN_GOING))
        return;
    ft_list_each(pos, tmp, &run->steps)
        if (step_busy(run, ft_container(pos, struct step_run, in_run)))
            return;
    /* A write that could not be taken back is not left behind by a cancel: only a rollback goes on with it. */
    bool incident = undo_is_stuck(run) && !run->limit_hit && !run->cancel_rollback;

    if (run->state == RUN_STOPPING && !incident) {
        if (run->cancel_now && json_object_size(run->intents))
            leave_in_doubt(run);
        else if (!json_object_size(run->intents))
            stopped(run);
        else
            park(run, "a write is in doubt");
        return;
    }
    if ((run->cancel || run->closing) && run->state == RUN_GOING && !json_object_size(run->intents)) {
        run->state = RUN_STOPPING;
        stopped(run);
        return;
    }
    questions = ft_run_questions(run);
    if (json_array_size(questions) && !run->parked_told) {
        const json_t *first = json_array_get(questions, 0);

        if (undo_is_stuck(run))
            park_incident(run, first);
        else
            park(run, ft_json_str(first, "title") ? ft_json_str(first, "title") : "waits for an answer");
    }
    json_decref(questions);
}

void run_goes_on(struct ft_run *run)
{
    if (run->state == RUN_ENDED)
        return;
    run_hold_sessions(run, true);
    if (run->parked_told)
        run_info(run, "running", "", "");
    run->parked_told = false;
}

void run_check_idle(struct ft_run *run)
{
    if (run->idle_look || run->state == RUN_ENDED)
        return;
    run->idle_look = true;
    ft_loop_defer(run->engine->o.loop, look_idle, run);
}

/* ---- people */

json_t *ft_run_questions(const struct ft_run *run)
{
    json_t *all = json_array(), *q = undo_question(run);
    struct ft_list *pos, *tmp;

    if (q)
        json_array_append_new(all, q);
    ft_list_each(pos, tmp, (struct ft_list *)&run->steps) {
        q = step_question(ft_container(pos, struct step_run, in_run));
        if (q)
            json_array_append_new(all, q);
    }
    return all;
}

int ft_run_answer(struct ft_run *run, const char *path, const json_t *answer, const char *who, const char *where, struct ft_err *reterr)
{
    json_t *undo = undo_question(run);
    bool for_undo = undo && ft_streq(ft_json_str(undo, "path"), path);
    struct ft_list *pos, *tmp;
    bool told = run->parked_told;
    int r;

    json_decref(undo);
    if (for_undo) {
        run->parked_told = false;
        r = undo_answer(run, answer, who, reterr);
        if (r < 0)
            run->parked_told = told;
        else if (told && run->state != RUN_ENDED)
            run_info(run, "running", "", "");
        if (r == 0 && run->state != RUN_ENDED)
            run_hold_sessions(run, true);
        return r;
    }
    ft_list_each(pos, tmp, &run->steps) {
        struct step_run *step = ft_container(pos, struct step_run, in_run);

        if (!ft_streq(step->path, path))
            continue;
        run->parked_told = false;
        r = step_answer(step, answer, who, where, reterr);
        if (r < 0)
            run->parked_told = told;
        else if (told && run->state != RUN_ENDED)
            run_info(run, "running", "", "");
        if (r == 0 && run->state != RUN_ENDED)
            run_hold_sessions(run, true);
        return r;
    }
    return ft_err_set(reterr, -ENOENT, "nothing waits at '%s'", path);
}

static void cancel_turn(void *arg)
{
    struct ft_run *run = arg;
    struct ft_list *pos, *tmp;

    if (run->state == RUN_ENDED || run->state == RUN_ROLLING_BACK)
        return;
    if (run->dry) {
        run->dry = dry_free(run->dry);
        run->state = RUN_STOPPING;
    }
    if (run->cancel_now) {
        ft_list_each(pos, tmp, &run->steps) {
            struct step_run *step = ft_container(pos, struct step_run, in_run);

            if (step->call) {
                ft_call_cancel(step->call);
            } else if ((step->state == STEP_VERIFYING || step->state == STEP_CONFIRMING) && step->timer) {
                step_stop_ops(step);
                step->state = STEP_DOUBT;
            }
        }
    }
    run_check_idle(run);
}

/* A person was asked, and leaves: it stays parked. */
static void stop_parked(struct ft_run *run)
{
    if (!run->parked_told)
        return;
    end_with(run, FT_RUN_PARKED);
    ft_loop_defer(run->engine->o.loop, tell_end, run);
}

void ft_run_cancel(struct ft_run *run, const char *who, bool now, bool rollback)
{
    json_t *event;

    if (run->state == RUN_ENDED)
        return;
    if (run->state == RUN_ROLLING_BACK) {          /* it is the way out: asked for once it goes on, asked twice it parks as it stands */
        if (undo_is_stuck(run))
            stop_parked(run);
        else if (now)
            undo_stop(run, who);
        return;
    }
    run->cancel = true;
    run->cancel_now |= now;
    run->cancel_rollback |= rollback;
    free(run->cancel_who);
    run->cancel_who = ft_strdup(who);
    if (!run->reviving)
        run->state = RUN_STOPPING;                 /* else it first lives again through what it did: a write may be in doubt */
    event = ev("run.cancelling", NULL);
    json_object_set_new(event, "by", json_string(who));
    json_object_set_new(event, "now", json_boolean(now));
    json_object_set_new(event, "rollback", json_boolean(run->cancel_rollback));
    run_ride(run, event);
    ft_loop_defer(run->engine->o.loop, cancel_turn, run);       /* this may have been asked for in the middle of a step's own turn */
}
