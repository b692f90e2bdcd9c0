/* batch.c: between two batches of a for_each: the soak, then the check. After the last batch only the check.
 *
 *   items ──► each.soak (until: wall clock) ──► verify.look … ──► each.checked ──► the next batch
 *                                                                     └─ it does not hold: the step fails
 *
 * A resumed run goes on at the last of these events; a soak that is over by the clock is over. */
#include "run/internal.h"

enum { SHORT_SOAK_MS = 60000 };       /* through a longer one the run is parked: its sessions are let go */

static void check_start(struct step_run *step);
static void look(void *arg);

/* ---- how many items */

size_t batch_next_end(const struct ft_step *step, size_t total, size_t batch, size_t from)
{
    return ft_min(total, from + fan_batch_size(step, batch, total));
}

void batch_plan(const struct ft_step *step, json_t *into)
{
    if (step->soak_ms)
        json_object_set_new(into, "soak_ms", json_integer((json_int_t)step->soak_ms));
    if (step->check)
        json_object_set_new(into, "check", json_pack("{s:s, s:s}", "action", step->check->call.name, "until", ft_chunk_text(step->check->until)));
}

static bool is_last(const struct step_run *step)
{
    return step->next_item >= json_array_size(step->items);
}

static bool lived(const struct step_run *step, const char *type)
{
    return ft_json_int(past_event(step, type), "batch", 0) == (int64_t)step->batch;
}

static json_t *batch_event(const struct step_run *step, const char *type)
{
    json_t *event = ev(type, step->path);

    json_object_set_new(event, "batch", json_integer((json_int_t)step->batch));
    json_object_set_new(event, "batches", json_integer((json_int_t)step->batches));
    return event;
}

/* ---- soak */

static void soak_over(void *arg)
{
    struct step_run *step = arg;
    uint64_t left = run_sleep_ms(step->run, (uint64_t)ft_json_int(past_event(step, "each.soak"), "until", 0));

    step->timer = left ? ft_timer_start(step->run->engine->o.loop, left, soak_over, step) : NULL;
    if (left || step->run->state != RUN_GOING)
        return;
    run_goes_on(step->run);
    step->state = STEP_CHILDREN;
    check_start(step);
}

static void soak_wait(struct step_run *step, uint64_t until)
{
    uint64_t now = run_now_ms(step->run), left = until > now ? until - now : 0;

    step_pause(step, run_sleep_ms(step->run, until), soak_over);
    if (left > SHORT_SOAK_MS) {
        step->state = STEP_WAITING;
        run_check_idle(step->run);
    }
}

static void soak_written(void *arg, int code, const struct ft_err *err)
{
    struct step_run *step = arg;

    if (code < 0)
        run_broken(step->run, err);
    else
        soak_wait(step, (uint64_t)ft_json_int(past_event(step, "each.soak"), "until", 0));
}

static void soak_start(struct step_run *step)
{
    json_t *event = batch_event(step, "each.soak"), *past = step->past ? json_copy(step->past) : json_object();
    struct ft_err err = { 0 };

    json_object_set_new(event, "title", json_string(step->title));
    json_object_set_new(event, "text", json_sprintf("batch %zu of %zu is done, soaking before the next", step->batch, step->batches));
    json_object_set_new(event, "until", json_integer((json_int_t)(run_now_ms(step->run) + step->step->soak_ms)));
    json_object_set_new(event, "ms", json_integer((json_int_t)step->step->soak_ms));
    json_object_set_new(event, "stays", json_true());
    json_object_set(past, "each.soak", event);
    json_decref(step->past);
    step->past = past;
    step->state = STEP_WRITING;
    if (run_journal(step->run, event, FT_COMMIT, soak_written, step, &err) < 0)
        run_broken(step->run, &err);
}

void batch_over(struct step_run *step)
{
    if (!step->step->batch_count || ft_json_int(past_event(step, "each.batch"), "batch", 0) > (int64_t)step->batch)
        for_each_next(step);                             /* a resumed run that was further already */
    else if (step->step->soak_ms && !is_last(step) && lived(step, "each.soak"))
        soak_wait(step, (uint64_t)ft_json_int(past_event(step, "each.soak"), "until", 0));
    else if (step->step->soak_ms && !is_last(step))
        soak_start(step);
    else
        check_start(step);
}

/* ---- check */

/* The check's texts know `batch`, for the moment of one evaluation. Returns what had its name before. */
static json_t *know_batch(struct step_run *step)
{
    json_t *env = step->list->env, *before = json_incref(json_object_get(env, "batch")), *items = json_array(), *results = json_array();
    size_t ok = 0;

    for (size_t i = 0; i < step->next_item; i++)
        ok += json_is_true(json_object_get(json_array_get(step->item_results, i), "ok"));
    for (size_t i = step->batch_from; i < step->batch_end; i++) {
        json_array_append(items, json_array_get(step->items, i));
        json_array_append(results, json_array_get(step->item_results, i));
    }
    json_object_set_new(env, "batch", json_pack("{s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "number", (json_int_t)step->batch, "of", (json_int_t)step->batches,
                                                "ok", (json_int_t)ok, "failed", (json_int_t)step->failures, "total", (json_int_t)json_array_size(step->items),
                                                "items", items, "results", results));
    return before;
}

static void forget_batch(struct step_run *step, json_t *before)
{
    if (before)
        json_object_set_new(step->list->env, "batch", before);
    else
        json_object_del(step->list->env, "batch");
}

static void checked(struct step_run *step, enum ft_class class, const char *error)
{
    json_t *event = batch_event(step, "each.checked");
    size_t left = json_array_size(step->items) - step->next_item;
    char *text;

    json_object_set_new(event, "title", json_string(step->title));
    json_object_set_new(event, "ok", json_boolean(!class));
    json_object_set_new(event, "expr", json_string(ft_chunk_text(step->step->check->until)));
    if (class) {
        json_object_set_new(event, "class", json_string(ft_class_name(class)));
        json_object_set_new(event, "error", json_string(error));
    }
    run_ride(step->run, event);
    if (step->run->state == RUN_ENDED)
        return;
    if (!class) {
        for_each_next(step);
        return;
    }
    text = ft_asprintf("the check after batch %zu of %zu: %s; %zu item%s not started", step->batch, step->batches, error, left, left == 1 ? " was" : "s were");
    step->state = STEP_CHILDREN;
    step_fail(step, class, text);
    free(text);
}

static void does_not_hold(struct step_run *step)
{
    char within[32];
    char *text = ft_asprintf("'%s' does not hold within %s: %s", ft_chunk_text(step->step->check->until),
                             ft_duration_format(step->step->check->within_ms, within, sizeof(within)), step->last_look ? step->last_look : "no answer");

    checked(step, FT_TIMEOUT, text);
    free(text);
}

static void note_look(struct step_run *step, bool ok, const json_t *reads)
{
    json_t *event = batch_event(step, "verify.look");

    json_object_set_new(event, "ok", json_boolean(ok));
    json_object_set_new(event, "expr", json_string(ft_chunk_text(step->step->check->until)));
    if (reads)
        json_object_set(event, "reads", (json_t *)reads);
    else
        json_object_set_new(event, "error", json_string(step->last_look ? step->last_look : ""));
    run_ride(step->run, event);
}

static void look_later(struct step_run *step)
{
    const struct ft_verify *check = step->step->check;

    if (step->run->state == RUN_ENDED)
        return;
    if (run_ends(step->run))
        step_halt(step);
    else if (run_now_us(step->run) + check->every_ms * 1000 > step->verify_until_us)
        does_not_hold(step);
    else
        step->timer = ft_timer_start(step->run->engine->o.loop, check->every_ms, look, step);
}

static void set_last(struct step_run *step, char *text)
{
    free(step->last_look);
    step->last_look = text;
}

static void looked(void *arg, json_t *result)
{
    struct step_run *step = arg;
    json_t *value = NULL, *why = NULL, *before = know_batch(step);
    struct ft_err err = { 0 };
    int r = step_eval(step, step->step->check->until, result, &value, &why, &err);
    bool ok = r == 0 && truthy(value);

    step->call = NULL;
    forget_batch(step, before);
    if (r == 0) {
        set_last(step, ft_json_brief(json_object_get(why, "reads"), 160));
        note_look(step, ok, json_object_get(why, "reads"));
    }
    json_decref(value);
    json_decref(why);
    if (step->run->state == RUN_ENDED)
        return;
    if (r < 0)
        checked(step, FT_INVALID, err.text);
    else if (ok)
        checked(step, FT_CLASS_NONE, NULL);
    else
        look_later(step);
}

/* What is looked at may be away for a moment: a lost look is just a later look. */
static void look_failed(void *arg, enum ft_class class, const char *text)
{
    struct step_run *step = arg;

    step->call = NULL;
    set_last(step, ft_strdup(text));
    if (class == FT_CANCELLED) {
        step_halt(step);
        return;
    }
    note_look(step, false, NULL);
    look_later(step);
}

static const struct ft_call_handler look_handler = { .done = looked, .fail = look_failed };

static void look(void *arg)
{
    struct step_run *step = arg;
    const struct ft_verify *check = step->step->check;
    json_t *params = NULL, *before = know_batch(step);
    struct ft_err err = { 0 };
    int r;

    step->timer = NULL;
    r = step_fill(step, check->call.with, NULL, &params, &err);
    forget_batch(step, before);
    if (r < 0) {
        checked(step, FT_INVALID, err.text);
        return;
    }
    struct ft_call_req req = { .info = check->call.action, .entry = FT_ENTRY_RUN, .params = params, .run_id = step->run->id, .released = step->run->released, .read = true };

    r = ft_call_start(step->run->engine->o.registry, &req, &look_handler, step, &step->call, &err);
    json_decref(params);
    if (r < 0)
        look_failed(step, err.class ? err.class : FT_INVALID, err.text);
}

static void check_start(struct step_run *step)
{
    const json_t *past = past_event(step, "each.checked");

    if (!step->step->check || (lived(step, "each.checked") && json_is_true(json_object_get(past, "ok")))) {
        for_each_next(step);
        return;
    }
    if (lived(step, "each.checked")) {
        checked(step, ft_class_from_name(ft_json_str(past, "class")), ft_json_str(past, "error"));
        return;
    }
    if (run_ends(step->run)) {
        step_halt(step);
        return;
    }
    step->state = STEP_VERIFYING;
    step->verify_until_us = run_now_us(step->run) + step->step->check->within_ms * 1000;
    look(step);
}
