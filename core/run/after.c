/* after.c: the state that a write left behind, for its undo: "is it still what I wrote?" is asked of it before anything is taken back.
 * It is what the action's plan says is there (`before`), looked at once more when the write is done. */
#include "run/internal.h"

/* Null: there is nothing of it. NULL: the plan does not say, or it moves by itself. Borrowed. */
const json_t *plan_state(const json_t *plan)
{
    const json_t *watch = json_object_get(plan, "watch");

    if (watch)
        return json_is_false(watch) ? NULL : watch;
    return json_is_true(json_object_get(plan, "moves")) ? NULL : json_object_get(plan, "before");
}

bool after_wanted(const struct step_run *step)
{
    return step->is_write && !step->nothing && !step->after_then && step->step->undo != FT_UNDO_NONE && step->step->call.action->action->plan.start && plan_state(step->plan);
}

void after_note(const struct step_run *step, json_t *event)
{
    if (step->after)
        json_object_set(event, "after", step->after);
    else if (step->after_why)
        json_object_set_new(event, "after_unknown", json_string(step->after_why));
}

static void seen(void *arg, json_t *plan)
{
    struct step_run *step = arg;

    step->call = NULL;
    json_decref(step->after);
    step->after = json_incref((json_t *)plan_state(plan));
    step->after_then(step);
}

/* No failure of the write: its undo will go without the question. */
static void unseen(void *arg, enum ft_class class, const char *text)
{
    struct step_run *step = arg;

    step->call = NULL;
    if (class == FT_NOT_FOUND)
        step->after = json_null();
    else
        step->after_why = ft_strdup(text);
    step->after_then(step);
}

static const struct ft_call_handler after_handler = { .done = seen, .fail = unseen };

void after_forget(struct step_run *step)
{
    json_decref(step->after);
    free(step->after_why);
    step->after = NULL;
    step->after_why = NULL;
    step->after_then = NULL;
}

void after_look(struct step_run *step, void (*then)(struct step_run *step))
{
    struct ft_err err = { 0 };
    struct ft_call_req req = { .info = step->step->call.action, .entry = FT_ENTRY_PLAN, .params = step->params, .run_id = step->run->id, .released = step->run->released };

    if (!after_wanted(step)) {
        then(step);
        return;
    }
    step->after_then = then;
    step->state = STEP_CALLING;
    if (ft_call_start(step->run->engine->o.registry, &req, &after_handler, step, &step->call, &err) < 0)
        unseen(step, err.class ? err.class : FT_INVALID, err.text);
}
