/* list.c: lists of steps: which step is next, and what an end means. */
#include "run/internal.h"

struct list_run *list_new(struct ft_run *run, const struct ft_playbook *playbook, const struct ft_list_of_steps *list, struct step_run *owner, char *prefix, json_t *env)
{
    struct list_run *l = ft_calloc(1, sizeof(*l));

    l->run = run;
    l->playbook = playbook;
    l->list = list;
    l->owner = owner;
    l->prefix = prefix;
    l->env = env;
    if (owner)
        ft_list_append(&owner->children, &l->in_owner);
    return l;
}

static void start_next(void *arg);

void list_free(struct list_run *list)
{
    if (!list)
        return;
    if (list->start_deferred) {
        ft_loop_undefer(list->run->engine->o.loop, start_next, list);
        list->run->deferred_starts--;
    }
    if (list->current)
        step_free(list->current);
    ft_list_remove(&list->in_owner);
    json_decref(list->env);
    free(list->prefix);
    free(list->error);
    free(list);
}

static void list_over(struct list_run *list)
{
    list->over = true;
    if (list->owner)
        fan_child_over(list->owner, list);
    else if (list->failed)
        run_failed(list->run, list->class, list->error);
    else if (list->run->cancel_rollback)
        run_check_idle(list->run);               /* its last step was under way, or done, when it was asked to take all of it back */
    else
        run_outcome(list->run, list->outcome, list->env);
}

static bool lived(const struct list_run *list, const struct ft_step *step)
{
    char *path = ft_asprintf("%s%s", list->prefix, step->id);
    bool yes = json_object_get(list->run->history, path) != NULL;

    free(path);
    return yes;
}

static void start_next(void *arg)
{
    struct list_run *list = arg;
    struct ft_run *run = list->run;
    const struct ft_step *step = &list->list->steps[list->index];

    list->start_deferred = false;
    run->deferred_starts--;
    if (run->state == RUN_GOING && run->off_plan && !lived(list, step)) {
        list->failed = true;
        list->class = FT_CONFLICT;
        list->error = ft_strdup("stopped: a step beside it is off the plan");
        list_over(list);
        return;
    }
    /* A run that is being ended and was resumed lives again through all that it did, and starts nothing new. */
    if (run->state != RUN_GOING || (run_ends(run) && !lived(list, step)))
        run_check_idle(run);
    else
        step_start(list, step);
}

/* Deferred, so that a long list of pure steps does not grow the C stack. */
void list_start(struct list_run *list)
{
    list->start_deferred = true;
    list->run->deferred_starts++;
    ft_loop_defer(list->run->engine->o.loop, start_next, list);
}

void list_go(struct list_run *list, const struct ft_target *to)
{
    size_t outcomes;

    if (list->current) {
        step_free(list->current);
        list->current = NULL;
    }
    if (list->single || to->kind == FT_TO_END) {
        list_over(list);
        return;
    }
    if (to->kind == FT_TO_OUTCOME) {
        list->outcome = &ft_playbook_outcomes(list->playbook, &outcomes)[to->index];
        list_over(list);
        return;
    }
    list->index = to->kind == FT_TO_STEP ? to->index : list->index + 1;
    if (list->index >= list->list->count)
        list_over(list);           /* only inner lists may end so: the loader saw to it */
    else
        list_start(list);
}

void list_step_failed(struct list_run *list, struct step_run *step, enum ft_class class, const char *text)
{
    list->failed = true;
    list->class = class;
    list->error = ft_asprintf("%s: %s", step->title, text);
    step_free(step);
    list->current = NULL;
    list_over(list);
}
