/* engine.c: how a run starts, and what it frees. */
#include "run/internal.h"
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

struct ft_run *run_new(struct ft_engine *engine, const struct ft_playbook *playbook, const struct ft_run_observer *observer, void *arg)
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
    run->wrote = json_object();
    run->plain = json_array();
    run->kept = json_array();
    run->answered = json_array();
    run->counted = json_object();
    run->asked = json_object();
    run->approved = json_array();
    run->plans = json_object();
    run->gates = json_array();
    ft_list_init(&run->notices);
    ft_list_init(&run->steps);
    run->segment_start_us = run_now_us(run);
    return run;
}

json_t *run_root_env(const struct ft_run *run, const json_t *event)
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

void run_set_limit(struct ft_run *run)
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
        run_set_limit(run);
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
    if (r == 0)
        r = policy_reads(run, reterr);
    if (r < 0) {
        ft_run_free(run);
        return r;
    }
    env = run_root_env(run, opts->event);
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
    run_set_limit(run);
    ft_loop_defer(engine->o.loop, first_turn, run);
    *ret = run;
    return 0;
}

/* ---- death */

void ft_run_free(struct ft_run *run)
{
    if (!run)
        return;
    ft_loop_undefer(run->engine->o.loop, first_turn, run);
    resume_forget(run);
    reopen_forget(run);
    idle_forget(run);
    end_forget(run);
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
    json_decref(run->wrote);
    json_decref(run->plain);
    json_decref(run->kept);
    json_decref(run->answered);
    json_decref(run->counted);
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
