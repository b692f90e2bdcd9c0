/* fan.c: steps that have steps: parallel, for_each, call. */
#include "run/internal.h"

static void note_started(struct step_run *step, json_t *more)
{
    json_t *event;

    if (past_event(step, "step.started")) {
        json_decref(more);
        return;
    }
    event = ev("step.started", step->path);
    json_object_set_new(event, "id", json_string(step->step->id));
    json_object_set_new(event, "title", json_string(step->title));
    json_object_set_new(event, "verb", json_string(ft_verb_name(step->step->verb)));
    json_object_update(event, more);
    json_decref(more);
    run_ride(step->run, event);
}

/* ---- parallel */

void verb_parallel(struct step_run *step)
{
    const struct ft_list_of_steps *inner = &step->step->inner;

    note_started(step, json_object());
    step->state = STEP_CHILDREN;
    step->running = (unsigned)inner->count;
    for (size_t i = 0; i < inner->count; i++) {
        struct list_run *child = list_new(step->run, step->list->playbook, inner, step, ft_asprintf("%s/", step->path), json_copy(step->list->env));

        child->single = true;
        child->index = child->number = i;
        list_start(child);
    }
}

static void parallel_over(struct step_run *step)
{
    struct ft_list *pos, *tmp;
    json_t *result = json_object();
    const struct list_run *failed = NULL;

    ft_list_each(pos, tmp, &step->children) {
        const struct list_run *child = ft_container(pos, struct list_run, in_owner);
        const char *id = step->step->inner.steps[child->number].id;
        json_t *value = json_object_get(child->env, id);

        if (child->failed && !failed)
            failed = child;
        json_object_set_new(result, id, value ? json_incref(value) : json_null());
    }
    if (failed) {
        json_decref(result);
        step_fail(step, failed->class, failed->error);
    } else {
        step_done(step, result);
    }
}

/* ---- for_each */

size_t fan_batch_size(const struct ft_step *step, size_t batch, size_t total)
{
    const struct ft_batch *b;
    double n;

    if (batch >= step->batch_count)
        return total;                                    /* the rest */
    b = &step->batches[batch];
    n = b->percent ? (double)total * b->value / 100.0 : b->value;
    return n < 1 ? 1 : (size_t)(n + 0.999999);
}

unsigned fan_failures_allowed(const struct ft_step *step, size_t total)
{
    const struct ft_batch *max = &step->max_failures;

    if (step->verb != FT_VERB_FOR_EACH || !step->has_max_failures)
        return 0;
    return (unsigned)(max->percent ? (double)total * max->value / 100.0 : max->value);
}

static unsigned failures_allowed(const struct step_run *step, size_t of)
{
    return step->run->off_plan ? 0 : fan_failures_allowed(step->step, of);
}

/* ": Restart · AP-3F-12: it did not answer" of the first that failed; malloced. */
static char *first_failure(const struct step_run *step)
{
    json_t *one;
    size_t i;

    json_array_foreach(step->item_results, i, one)
        if (ft_json_str(one, "error"))
            return ft_asprintf(": %s", ft_json_str(one, "error"));
    return ft_strdup("");
}

/* Why no further item starts; malloced, NULL: they may. A share is of each batch as well as of all; in the first of several batches, the canary,
 * nothing may fail. */
static char *too_many(const struct step_run *step)
{
    size_t total = json_array_size(step->items), in_batch = step->batch_end - step->batch_from, left = total - step->next_item;

    if (step->failures > failures_allowed(step, total))
        return ft_asprintf("%zu of %zu failed, %u allowed; %zu were not started", step->failures, total, failures_allowed(step, total), left);
    if (step->batches < 2 || !step->batch_failures)
        return NULL;
    if (step->batch == 1)
        return ft_asprintf("the first batch is the canary, and %zu of its %zu failed; %zu were not started", step->batch_failures, in_batch, left);
    if (step->step->max_failures.percent && step->batch_failures > failures_allowed(step, in_batch))
        return ft_asprintf("%zu of %zu in batch %zu of %zu failed, %u (%g%%) allowed; %zu were not started", step->batch_failures, in_batch, step->batch, step->batches,
                           failures_allowed(step, in_batch), step->step->max_failures.value, left);
    return NULL;
}

static char *too_many_failed(const struct step_run *step)
{
    char *many = too_many(step), *first = many ? first_failure(step) : NULL, *text = many ? ft_asprintf("%s%s", many, first) : NULL;

    free(many);
    free(first);
    return text;
}

static void next_batch(struct step_run *step)
{
    const struct ft_step *def = step->step;
    size_t total = json_array_size(step->items);
    json_t *event;

    step->batch_from = step->next_item;
    step->batch_end = batch_next_end(def, total, step->batch, step->next_item);
    step->batch_failures = 0;
    step->batch++;
    if (!def->batch_count || ft_json_int(past_event(step, "each.batch"), "batch", 0) >= (int64_t)step->batch)
        return;
    event = ev("each.batch", step->path);
    json_object_set_new(event, "batch", json_integer((json_int_t)step->batch));
    json_object_set_new(event, "batches", json_integer((json_int_t)step->batches));
    json_object_set_new(event, "from", json_integer((json_int_t)step->next_item));
    json_object_set_new(event, "to", json_integer((json_int_t)step->batch_end));
    json_object_set_new(event, "of", json_integer((json_int_t)total));
    run_ride(step->run, event);
}

/* Whether the item that comes next was under way in an earlier life. */
static bool next_lived(const struct step_run *step)
{
    char *path = ft_asprintf("%s[%zu]/%s", step->path, step->next_item, step->step->inner.steps[0].id);
    bool yes = json_object_get(step->run->history, path) != NULL;

    free(path);
    return yes;
}

/* After a resume those that were under way come to their end before a new one starts: one of them may have failed. */
static bool may_start(struct step_run *step)
{
    if (step->draining && !next_lived(step))
        step->draining = step->running > 0;
    return !step->draining || next_lived(step);
}

static void start_item(struct step_run *step)
{
    size_t i = step->next_item++;
    json_t *env = json_copy(step->list->env);
    struct list_run *child;

    json_object_set(env, step->step->as, json_array_get(step->items, i));
    child = list_new(step->run, step->list->playbook, &step->step->inner, step, ft_asprintf("%s[%zu]/", step->path, i), env);
    child->number = i;
    step->running++;
    list_start(child);
}

static void for_each_over(struct step_run *step)
{
    size_t total = json_array_size(step->items), ok = 0;
    char *text = too_many_failed(step);
    json_t *item;
    size_t i;

    json_array_foreach(step->item_results, i, item)
        ok += json_is_true(json_object_get(item, "ok"));
    if (text) {
        step_fail(step, FT_REFUSED, text);
        free(text);
        return;
    }
    step_done(step, json_pack("{s:I, s:I, s:I, s:O}", "total", (json_int_t)total, "ok", (json_int_t)ok, "failed", (json_int_t)step->failures, "items", step->item_results));
}

static void start_items(struct step_run *step)
{
    unsigned at_once = step->step->at_once ? step->step->at_once : 1;

    while (step->run->state == RUN_GOING && step->running < at_once && step->next_item < step->batch_end && may_start(step))
        start_item(step);
}

/* Whether an earlier life had begun the batch behind this one. */
static bool next_batch_lived(const struct step_run *step)
{
    return !step->step->batch_count ? past_event(step, "step.started") != NULL : ft_json_int(past_event(step, "each.batch"), "batch", 0) > (int64_t)step->batch;
}

void for_each_next(struct step_run *step)
{
    step->state = STEP_CHILDREN;
    if (step->run->state != RUN_GOING || (run_ends(step->run) && !next_batch_lived(step))) {
        run_check_idle(step->run);
    } else if (step->next_item >= json_array_size(step->items)) {
        for_each_over(step);
    } else {
        next_batch(step);
        start_items(step);
    }
}

/* An item is over. */
static void for_each_go(struct step_run *step)
{
    char *stop = too_many_failed(step);
    bool going = step->run->state == RUN_GOING;

    if (step->running == 0 && !going)
        run_check_idle(step->run);
    else if (step->running == 0 && stop)
        for_each_over(step);
    else if (step->running == 0 && step->next_item >= step->batch_end)
        batch_over(step);
    else if (going && !stop)
        start_items(step);
    else
        run_check_idle(step->run);                       /* those under way end first; others may stand still between two steps */
    free(stop);
}

static void item_over(struct step_run *step, struct list_run *child)
{
    json_t *note = json_pack("{s:O, s:b}", "item", json_array_get(step->items, child->number), "ok", !child->failed);

    if (child->failed) {
        json_object_set_new(note, "error", json_string(child->error));
        json_object_set_new(note, "class", json_string(ft_class_name(child->class)));
        step->failures++;
        step->batch_failures++;
    }
    json_array_set_new(step->item_results, child->number, note);
}

void verb_for_each(struct step_run *step)
{
    json_t *past = past_event(step, "step.started");
    struct ft_err err = { 0 };

    if (past) {
        step->items = json_incref(json_object_get(past, "items"));
    } else if (step_fill(step, step->step->list, NULL, &step->items, &err) < 0) {
        step_fail(step, FT_INVALID, err.text);
        return;
    }
    if (!json_is_array(step->items)) {
        ft_err_set(&err, -EINVAL, "for_each needs a list, and '%s' gave something else", ft_tmpl_text(step->step->list));
        step_fail(step, FT_INVALID, err.text);
        return;
    }
    note_started(step, json_pack("{s:O}", "items", step->items));
    step->state = STEP_CHILDREN;
    step->item_results = json_array();
    for (size_t i = 0; i < json_array_size(step->items); i++)
        json_array_append_new(step->item_results, json_pack("{s:O, s:b}", "item", json_array_get(step->items, i), "ok", false));
    step->draining = past != NULL;
    for (size_t end = 0; end < json_array_size(step->items); step->batches++)
        end = batch_next_end(step->step, json_array_size(step->items), step->batches, end);
    for_each_next(step);
}

/* ---- call */

static json_t *callee_env(struct step_run *step, const json_t *params)
{
    json_t *env = json_copy((json_t *)ft_playbook_vars(step->step->callee));

    json_object_update(env, (json_t *)params);
    json_object_set(env, "run", json_object_get(step->list->env, "run"));
    json_object_set_new(env, "error", json_null());
    if (json_object_get(step->list->env, "event"))
        json_object_set(env, "event", json_object_get(step->list->env, "event"));
    return env;
}

void verb_call(struct step_run *step)
{
    json_t *past = past_event(step, "step.started");
    json_t *given = NULL, *params = NULL;
    struct list_run *child;
    struct ft_err err = { 0 };

    if (past) {
        params = json_incref(json_object_get(past, "params"));
    } else if (step_fill(step, step->step->call_with, NULL, &given, &err) < 0 || ft_playbook_bind(step->step->callee, given, &params, &err) < 0) {
        json_decref(given);
        step_fail(step, FT_INVALID, err.text);
        return;
    }
    json_decref(given);
    note_started(step, json_pack("{s:O, s:s}", "params", params, "playbook", ft_playbook_name(step->step->callee)));
    step->state = STEP_CHILDREN;
    step->running = 1;
    child = list_new(step->run, step->step->callee, ft_playbook_steps(step->step->callee), step, ft_asprintf("%s/", step->path), callee_env(step, params));
    json_decref(params);
    list_start(child);
}

static json_t *filled(const struct ft_tmpl *tmpl, const json_t *env, const char *otherwise)
{
    struct ft_eval_result r = { 0 };
    struct ft_err err = { 0 };
    json_t *value;

    if (!tmpl)
        return json_string(otherwise);
    value = ft_tmpl_eval(tmpl, env, &r, &err) == FT_EVAL_ERROR ? json_sprintf("%s (%s)", otherwise, err.text) : json_incref(r.value);
    ft_eval_result_done(&r);
    return value;
}

static void call_over(struct step_run *step, struct list_run *child)
{
    const struct ft_outcome *o = child->outcome;

    if (child->failed) {
        step_fail(step, child->class, child->error);
        return;
    }
    step_done(step, json_pack("{s:s, s:s, s:s, s:o}", "outcome", o->name, "status", ft_status_name(o->status), "title", o->title,
                              "diagnosis", filled(o->diagnosis, child->env, o->title)));
}

/* ---- a child has come to its end */

void fan_child_over(struct step_run *step, struct list_run *child)
{
    step->running--;
    if (step->run->state == RUN_ENDED)
        return;
    switch (step->step->verb) {
    case FT_VERB_FOR_EACH:
        item_over(step, child);
        list_free(child);
        run_check_idle(step->run);                       /* those still under way may all be waiting for somebody */
        for_each_go(step);
        break;
    case FT_VERB_CALL:
        call_over(step, child);
        break;
    default:
        if (step->running == 0)
            parallel_over(step);
        else
            run_check_idle(step->run);
        break;
    }
}
