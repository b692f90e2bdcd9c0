/* step.c: the life of one step: when → verb → done → branch, or failed → retry → on_error. */
#include "run/internal.h"

static void step_begin(struct step_run *step);
static void step_verb(struct step_run *step);
static void step_went(struct step_run *step);

static void (*const verbs[])(struct step_run *step) = {
    [FT_VERB_RUN] = verb_run, [FT_VERB_SET] = verb_set, [FT_VERB_LUA] = verb_lua, [FT_VERB_APPROVE] = verb_approve, [FT_VERB_ASK] = verb_ask,
    [FT_VERB_WAIT] = verb_wait, [FT_VERB_PARALLEL] = verb_parallel, [FT_VERB_FOR_EACH] = verb_for_each, [FT_VERB_CALL] = verb_call,
};

/* What people call an item of a for_each; malloced. */
static char *item_name(const json_t *item)
{
    static const char *const names[] = { "name", "hostname", "device", "id", "mac", "ip", "title" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *name = ft_json_str(item, names[i]);

        if (name && *name)
            return ft_json_brief(json_object_get(item, names[i]), 40);
    }
    return ft_json_brief(item, 40);
}

static char *title_in(const struct list_run *list, const struct ft_step *step)
{
    struct ft_buf text = FT_BUF_INIT(400);
    char *items[8];
    size_t n = 0;

    for (; list->owner && n < ARRAY_LEN(items); list = list->owner->list)
        if (list->owner->step->verb == FT_VERB_FOR_EACH)
            items[n++] = item_name(json_array_get(list->owner->items, list->number));
    ft_buf_adds(&text, step->title);
    while (n-- > 0) {
        ft_buf_addf(&text, " · %s", items[n]);
        free(items[n]);
    }
    return ft_buf_take(&text);
}

void step_start(struct list_run *list, const struct ft_step *step)
{
    struct ft_run *run = list->run;
    struct step_run *s = ft_calloc(1, sizeof(*s));

    s->run = run;
    s->list = list;
    s->step = step;
    s->path = ft_asprintf("%s%s", list->prefix, step->id);
    s->title = title_in(list, step);
    s->start_us = run_now_us(run);
    s->attempt = 1;
    s->is_write = step->verb == FT_VERB_RUN && (step->call.effects & FT_EFFECT_MASK) != FT_EFFECT_READ;
    ft_list_init(&s->children);
    ft_list_append(&run->steps, &s->in_run);
    list->current = s;
    s->past = json_incref(json_object_get(run->history, s->path));
    step_begin(s);
}

void step_stop_ops(struct step_run *step)
{
    if (step->call) {
        ft_call_drop(step->call);
        step->call = NULL;
    }
    ft_timer_stop(step->timer);
    step->timer = NULL;
    step->ahead = dry_free(step->ahead);
    ft_store_forget(step->run->engine->o.store, step);
}

void step_pause(struct step_run *step, uint64_t ms, void (*over)(void *arg))
{
    step->state = STEP_PAUSED;
    step->timer = ft_timer_start(step->run->engine->o.loop, ms, over, step);
    if (run_ends(step->run))
        run_check_idle(step->run);
}

void step_halt(struct step_run *step)
{
    step->state = STEP_STOPPED;
    run_check_idle(step->run);
}

void step_free(struct step_run *step)
{
    struct ft_list *pos, *tmp;

    if (!step)
        return;
    step_stop_ops(step);
    ft_list_each(pos, tmp, &step->children)
        list_free(ft_container(pos, struct list_run, in_owner));
    ft_list_remove(&step->in_run);
    if (step->list->current == step)
        step->list->current = NULL;
    json_decref(step->past);
    json_decref(step->params);
    json_decref(step->plan);
    json_decref(step->asking);
    json_decref(step->undo_params);
    json_decref(step->receipt);
    json_decref(step->result);
    json_decref(step->items);
    json_decref(step->item_results);
    json_decref(step->after);
    free(step->after_why);
    json_decref(step->off_plan);
    free(step->last_look);
    free(step->lock_holder);
    free(step->fail_text);
    free(step->path);
    free(step->title);
    free(step);
}

/* ---- evaluation */

bool truthy(const json_t *value)
{
    return value && !json_is_null(value) && !json_is_false(value);
}

json_t *because(const char *expr, const json_t *value, json_t *reads)
{
    json_t *b = json_pack("{s:s}", "expr", expr);

    json_object_set(b, "value", (json_t *)value);
    json_object_set_new(b, "reads", reads ? reads : json_object());
    return b;
}

enum ft_eval eval_chunk(const void *chunk, const json_t *env, struct ft_eval_result *ret, struct ft_err *reterr)
{
    return ft_chunk_eval(chunk, env, ret, reterr);
}

enum ft_eval eval_tmpl(const void *tmpl, const json_t *env, struct ft_eval_result *ret, struct ft_err *reterr)
{
    return ft_tmpl_eval(tmpl, env, ret, reterr);
}

/* `result` and `error` exist only for the moment of one evaluation. */
enum ft_eval eval_with(const json_t *env, const json_t *result, const json_t *error, enum ft_eval (*eval)(const void *what, const json_t *env, struct ft_eval_result *ret, struct ft_err *reterr),
                       const void *what, struct ft_eval_result *ret, struct ft_err *reterr)
{
    json_t *scope = (json_t *)env;
    json_t *old_error = error ? json_incref(json_object_get(scope, "error")) : NULL;
    enum ft_eval e;

    if (result)
        json_object_set(scope, "result", (json_t *)result);
    if (error)
        json_object_set(scope, "error", (json_t *)error);
    e = eval(what, scope, ret, reterr);
    if (result)
        json_object_del(scope, "result");
    if (error) {
        json_object_del(scope, "error");
        if (old_error)
            json_object_set_new(scope, "error", old_error);
    }
    return e;
}

static int unknown_error(const char *text, struct ft_err *reterr)
{
    return ft_err_class(reterr, FT_INVALID, -EINVAL, "'%s' depends on a result that was lost and could not be found out again", text);
}

int step_eval(struct step_run *step, const struct ft_chunk *chunk, const json_t *result, json_t **ret_value, json_t **ret_because, struct ft_err *reterr)
{
    struct ft_eval_result r = { 0 };
    enum ft_eval e = eval_with(step->list->env, result, NULL, eval_chunk, chunk, &r, reterr);

    if (e == FT_EVAL_OK) {
        *ret_value = json_incref(r.value);
        if (ret_because)
            *ret_because = because(ft_chunk_text(chunk), r.value, json_incref(r.reads));
    } else if (e == FT_EVAL_UNKNOWN) {
        unknown_error(ft_chunk_text(chunk), reterr);
    }
    ft_eval_result_done(&r);
    return e == FT_EVAL_OK ? 0 : -EINVAL;
}

int step_fill(struct step_run *step, const struct ft_tmpl *tmpl, const json_t *result, json_t **ret, struct ft_err *reterr)
{
    struct ft_eval_result r = { 0 };
    enum ft_eval e = eval_with(step->list->env, result, NULL, eval_tmpl, tmpl, &r, reterr);

    if (e == FT_EVAL_OK)
        *ret = json_incref(r.value);
    else if (e == FT_EVAL_UNKNOWN)
        unknown_error(ft_tmpl_text(tmpl), reterr);
    ft_eval_result_done(&r);
    return e == FT_EVAL_OK ? 0 : -EINVAL;
}

/* ---- begin */

static void step_skip(struct step_run *step, json_t *why)
{
    static const struct ft_target next = { .kind = FT_TO_NEXT };

    if (why) {
        json_t *event = ev("step.skipped", step->path);

        json_object_set_new(event, "title", json_string(step->title));
        json_object_set_new(event, "because", why);
        run_ride(step->run, event);
    }
    list_go(step->list, &next);
}

static void step_again(void *arg)
{
    struct step_run *step = arg;

    step->timer = NULL;
    step_verb(step);
}

/* What a resumed step had come to. */
static bool step_relive(struct step_run *step)
{
    json_t *event;

    if (past_event(step, "step.skipped")) {
        step_skip(step, NULL);
        return true;
    }
    if ((event = past_event(step, "step.done")) != NULL) {
        step->result = json_incref(json_object_get(event, "result"));
        step_went(step);
        return true;
    }
    if ((event = past_event(step, "step.failed")) != NULL) {
        step_fail(step, ft_class_from_name(ft_json_str(event, "class")), ft_json_str(event, "error"));
        return true;
    }
    if ((event = past_event(step, "step.attempt")) != NULL)
        step->attempt = (unsigned)ft_json_int(event, "attempt", 1) + 1;
    return false;
}

static void step_begin(struct step_run *step)
{
    struct ft_err err = { 0 };

    if (step->past && step_relive(step))
        return;
    if (step->step->when && !past_event(step, "step.started")) {
        json_t *value = NULL, *why = NULL;

        if (step_eval(step, step->step->when, NULL, &value, &why, &err) < 0) {
            step->attempt = step->step->retry.times + 1;       /* no retry: it would go past the condition */
            step_fail(step, FT_INVALID, err.text);
            return;
        }
        bool go = truthy(value);

        json_decref(value);
        if (!go) {
            step_skip(step, why);
            return;
        }
        json_decref(why);
    }
    step_verb(step);
}

static void step_verb(struct step_run *step)
{
    verbs[step->step->verb](step);
}

/* ---- the good end */

static char *step_seen(struct step_run *step)
{
    struct ft_err err = { 0 };
    json_t *text = NULL;
    char *seen;

    if (!step->step->say)
        return NULL;
    if (step_fill(step, step->step->say, step->result, &text, &err) < 0)
        return ft_asprintf("(what was seen cannot be said: %s)", err.text);      /* never worth failing a write for */
    seen = json_is_string(text) ? ft_strdup(json_string_value(text)) : ft_json_brief(text, 200);
    json_decref(text);
    return seen;
}

static void done_written(void *arg, int code, const struct ft_err *err)
{
    struct step_run *step = arg;

    if (code < 0)
        run_broken(step->run, err);
    else
        step_went(step);
}

void step_done(struct step_run *step, json_t *result)
{
    json_t *event = ev("step.done", step->path);
    struct ft_err err = { 0 };
    char *seen;
    int r;

    step_stop_ops(step);
    json_decref(step->result);
    step->result = result;
    step->state = STEP_WRITING;
    json_object_set(event, "result", result);
    seen = step_seen(step);
    if (seen)
        json_object_set_new(event, "seen", json_string(seen));
    free(seen);
    json_object_set_new(event, "ms", json_integer((json_int_t)((run_now_us(step->run) - step->start_us) / 1000)));
    if (step->recovered)
        json_object_set_new(event, "recovered", json_true());
    if (step->nothing)
        json_object_set_new(event, "nothing_to_do", json_true());
    if (!step->is_write || (step->nothing && !json_object_get(step->run->intents, step->path))) {
        run_ride(step->run, event);
        if (step->run->state != RUN_ENDED)
            step_went(step);
        return;
    }
    json_object_set_new(event, "write", json_true());
    after_note(step, event);
    /* In the file before the next step starts, so that kill -9 never puts a finished write in doubt; the flush rides with the next intent. */
    r = run_journal(step->run, event, FT_COMMIT, done_written, step, &err);
    if (r < 0)
        run_broken(step->run, &err);
}

/* ---- where to next */

static void step_leave(struct step_run *step, const struct ft_target *to)
{
    list_go(step->list, to);
}

static void publish(struct step_run *step)
{
    if (step->step->verb == FT_VERB_SET)
        json_object_update(step->list->env, step->result);
    else
        json_object_set(step->list->env, step->step->id, step->result);
}

static const struct ft_target *target_named(const struct step_run *step, const char *name)
{
    for (size_t i = 0; i < step->step->branch_count; i++)
        if (ft_streq(step->step->branches[i].to.name, name))
            return &step->step->branches[i].to;
    return NULL;
}

static void note_went(struct step_run *step, const struct ft_branch *branch, json_t *why, json_t *tried)
{
    json_t *event = ev("step.went", step->path);

    json_object_set_new(event, "to", json_string(branch ? branch->to.name : "next"));
    if (why)
        json_object_set_new(event, "because", why);
    json_object_set_new(event, "tried", tried);
    run_ride(step->run, event);
}

static void step_branch(struct step_run *step)
{
    json_t *tried = json_array();

    for (size_t i = 0; i < step->step->branch_count; i++) {
        const struct ft_branch *branch = &step->step->branches[i];
        json_t *value = NULL, *why = NULL;
        struct ft_err err = { 0 };

        if (!branch->cond) {
            note_went(step, branch, json_pack("{s:s}", "expr", "else"), tried);
            step_leave(step, &branch->to);
            return;
        }
        if (step_eval(step, branch->cond, step->result, &value, &why, &err) < 0) {
            json_decref(tried);
            step_fail(step, FT_INVALID, err.text);
            return;
        }
        bool yes = truthy(value);

        json_decref(value);
        if (yes) {
            note_went(step, branch, why, tried);
            step_leave(step, &branch->to);
            return;
        }
        json_array_append_new(tried, why);
    }
    note_went(step, NULL, NULL, tried);
    step_leave(step, &step->step->then);
}

static void step_went(struct step_run *step)
{
    const json_t *went = past_event(step, "step.went");
    const struct ft_target *to;

    publish(step);
    if (!step->step->branch_count) {
        step_leave(step, &step->step->then);
        return;
    }
    if (went) {
        to = target_named(step, ft_json_str(went, "to"));
        step_leave(step, to ? to : &step->step->then);
        return;
    }
    step_branch(step);
}

/* ---- the bad end */

static json_t *error_value(const struct step_run *step, enum ft_class class, const char *text)
{
    return json_pack("{s:s, s:s, s:s, s:s?}", "class", ft_class_name(class), "text", text, "step", step->step->id,
                     "action", step->step->verb == FT_VERB_RUN ? step->step->call.name : NULL);
}

/* Whether the step is tried again; a write only when it certainly did not happen. */
static bool step_retry(struct step_run *step, enum ft_class class, const char *text)
{
    const struct ft_retry *retry = &step->step->retry;
    uint64_t wait = retry->every_ms;
    json_t *event;

    if (step->attempt > retry->times || step->run->off_plan || step->off_plan || class == FT_CANCELLED || class == FT_AMBIGUOUS || step->run->state != RUN_GOING)
        return false;
    if (retry->cond) {
        struct ft_eval_result r = { 0 };
        struct ft_err err = { 0 };
        json_t *error = error_value(step, class, text);
        bool yes = eval_with(step->list->env, NULL, error, eval_chunk, retry->cond, &r, &err) == FT_EVAL_OK && truthy(r.value);

        json_decref(error);
        ft_eval_result_done(&r);
        if (!yes)
            return false;
    }
    for (unsigned i = 1; i < step->attempt; i++)
        wait = (uint64_t)((double)wait * retry->backoff);
    event = ev("step.attempt", step->path);
    json_object_set_new(event, "attempt", json_integer(step->attempt));
    json_object_set_new(event, "class", json_string(ft_class_name(class)));
    json_object_set_new(event, "error", json_string(text));
    json_object_set_new(event, "again_in_ms", json_integer((json_int_t)wait));
    run_ride(step->run, event);
    step->attempt++;
    json_decref(step->past);
    step->past = NULL;
    step_pause(step, wait, step_again);
    return true;
}

void step_fail(struct step_run *step, enum ft_class class, const char *text)
{
    const struct ft_step *def = step->step;
    const json_t *past = past_event(step, "step.failed");
    bool lived = past != NULL, handled = def->has_on_error && (lived ? json_object_get(past, "to") != NULL : !step->run->off_plan && !step->off_plan);
    char *keep = ft_strdup(text ? text : "failed");

    step_stop_ops(step);
    if (step->run->state == RUN_ENDED) {
        free(keep);
        return;
    }
    if (class == FT_CANCELLED && step->run->state == RUN_STOPPING) {
        step_halt(step);                         /* no failure: the run ends here because somebody asked for it */
        free(keep);
        return;
    }
    if (!lived && step_retry(step, class, keep)) {
        free(keep);
        return;
    }
    if (!lived) {
        json_t *event = ev("step.failed", step->path);

        json_object_set_new(event, "title", json_string(step->title));
        json_object_set_new(event, "class", json_string(ft_class_name(class)));
        json_object_set_new(event, "error", json_string(keep));
        json_object_set_new(event, "ms", json_integer((json_int_t)((run_now_us(step->run) - step->start_us) / 1000)));
        if (handled)
            json_object_set_new(event, "to", json_string(def->on_error.name));
        if (step->off_plan)
            json_object_set(event, "off_plan", step->off_plan);
        run_ride(step->run, event);
    }
    if (step->run->state != RUN_ENDED) {
        /* on_error is reached whatever went wrong, also when the target could not be reached; not when the run is being ended, nor when it is off its plan. */
        if (handled && class != FT_CANCELLED) {
            json_object_set_new(step->list->env, "error", error_value(step, class, keep));
            step_leave(step, &def->on_error);
        } else {
            list_step_failed(step->list, step, class, keep);
        }
    }
    free(keep);
}
