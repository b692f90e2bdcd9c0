/* undo.c: rollback: what was done is taken back, last first (undo_one.c does one). Each undo's needs were journalled before its write was sent.
 * An undo that fails for good stops the rollback, keeps the locks and parks the run for a person. */
#include "run/internal.h"

int undo_one_for(struct step_run *step, void (*over)(struct step_run *step, bool undone))
{
    json_t *undo = step->run->undo;

    for (size_t i = json_array_size(undo); i-- > 0;) {
        json_t *item = json_array_get(undo, i);

        if (!ft_streq(ft_json_str(item, "path"), step->path))
            continue;
        if (step->run->undoing)
            step->undo_waits = over;             /* one after the other, also in a parallel */
        else
            undo_begin(step->run, item, step, over);
        return 0;
    }
    return -ENOENT;
}

void undo_next_waiting(struct ft_run *run)
{
    struct ft_list *pos, *tmp;

    ft_list_each(pos, tmp, &run->steps) {
        struct step_run *step = ft_container(pos, struct step_run, in_run);
        void (*over)(struct step_run *step, bool undone) = step->undo_waits;

        if (!over)
            continue;
        step->undo_waits = NULL;
        if (undo_one_for(step, over) < 0)
            over(step, false);
        return;
    }
}

/* ---- the whole rollback */

static void stop_steps(struct ft_run *run)
{
    if (run->root) {
        list_free(run->root);
        run->root = NULL;
    }
}

bool undo_is_wanted(const struct ft_run *run, const json_t *item)
{
    json_t *path;
    size_t i;

    if (!run->undo_only)
        return true;
    json_array_foreach(run->undo_only, i, path)
        if (json_equal(path, json_object_get(item, "path")))
            return true;
    return false;
}

/* Last done first. NULL: nothing is left to take back. */
static json_t *next_item(const struct ft_run *run)
{
    for (size_t i = json_array_size(run->undo); i-- > 0;)
        if (undo_is_wanted(run, json_array_get(run->undo, i)))
            return json_array_get(run->undo, i);
    return NULL;
}

bool ft_run_rolls_back(const struct ft_run *run)
{
    return run->state == RUN_ROLLING_BACK || (run->state == RUN_ENDED && run->undoing);
}

void rollback_go_on(struct ft_run *run)
{
    json_t *item = next_item(run);

    if (item)
        undo_begin(run, item, NULL, NULL);
    else
        run_finish(run);
}

void rollback_start(struct ft_run *run, const char *why)
{
    json_t *event = ev("rollback.started", NULL);
    size_t count = 0;

    stop_steps(run);
    undo_cancel(run);
    run_goes_on(run);                            /* it may have been parked for an approval */
    run->state = RUN_ROLLING_BACK;
    for (size_t i = 0; i < json_array_size(run->undo); i++)
        count += undo_is_wanted(run, json_array_get(run->undo, i));
    json_object_set_new(event, "why", json_string(why));
    json_object_set_new(event, "count", json_integer((json_int_t)count));
    if (run->final)
        json_object_set(event, "final", run->final);
    if (json_array_size(run->plain) && !run->undo_only)
        json_object_set_new(event, "without", json_copy(run->plain));
    run_ride(run, event);
    if (run->state != RUN_ENDED)
        rollback_go_on(run);
}
