/* margin.c: a run that wrote inside a change window is over before the window closes; or else it is taken back while there is time for it.
 *
 * When the window closes is in the journal (policy.passed), and that the time is up is, too (run.closing): from then on the run starts nothing new, as
 * when it is cancelled, looks at nothing any more, and takes back what it did. A run that is resumed after that moment does the same at once. */
#include "run/internal.h"

enum { UNDO_MS = 30000, AGAIN_MS = 20 };

static void margin_reached(void *arg);
static void close_down(void *arg);

static uint64_t undo_ms(const struct ft_run *run, const char *action)
{
    const struct ft_action_info *info = NULL;

    if (!action || ft_registry_action(run->engine->o.registry, action, &info, NULL) < 0 || !info->action->timeout_ms)
        return UNDO_MS;
    return info->action->timeout_ms;
}

uint64_t run_undo_ms(const struct ft_run *run)
{
    uint64_t sum = 0;
    const char *path;
    json_t *item;
    size_t i;

    json_array_foreach(run->undo, i, item)
        sum += undo_ms(run, ft_json_str(item, "action"));
    json_object_foreach(run->intents, path, item)
        sum += undo_ms(run, ft_json_str(json_object_get(item, "undo"), "action"));
    return sum;
}

void margin_stop(struct ft_run *run)
{
    ft_timer_stop(run->margin);
    run->margin = NULL;
}

void margin_set(struct ft_run *run, uint64_t more_ms)
{
    uint64_t need = run_undo_ms(run) + more_ms;

    margin_stop(run);
    if (run->state != RUN_GOING || !run->closes_ms)
        return;
    if (run->closing)                              /* resumed behind it */
        run->margin = ft_timer_start_weak(run->engine->o.loop, 0, close_down, run);
    else
        run->margin = ft_timer_start_weak(run->engine->o.loop, run->closes_ms > need ? run_sleep_ms(run, run->closes_ms - need) : 0, margin_reached, run);
}

/* Whether something stands that would have to be taken back before that time is over. */
static bool something_stands(const struct ft_run *run)
{
    return json_array_size(run->undo) || json_object_size(run->intents);
}

uint64_t run_margin_ms(const struct ft_run *run)
{
    uint64_t need = run_undo_ms(run);

    if (run->state != RUN_GOING || !something_stands(run))
        return 0;
    return run->closes_ms > need ? run->closes_ms - need : run->closes_ms;
}

static bool has_step(const struct ft_run *run, const char *path)
{
    struct ft_list *pos, *tmp;

    ft_list_each(pos, tmp, (struct ft_list *)&run->steps)
        if (ft_streq(ft_container(pos, struct step_run, in_run)->path, path))
            return true;
    return false;
}

/* A run that was just resumed first lives again through what it did: a write of it may be in doubt. */
static bool is_all_there(const struct ft_run *run)
{
    const char *path;
    json_t *intent;

    json_object_foreach(run->intents, path, intent)
        if (!has_step(run, path))
            return false;
    return !run->reviving;
}

/* One at a time: what ends one may end others. */
static bool cut_one(struct ft_run *run)
{
    struct ft_list *pos, *tmp;

    ft_list_each(pos, tmp, &run->steps)
        if (verify_cut(ft_container(pos, struct step_run, in_run)))
            return true;
    return false;
}

static void close_down(void *arg)
{
    struct ft_run *run = arg;

    run->margin = NULL;
    if (run->state != RUN_GOING)
        return;
    if (!is_all_there(run)) {
        run->margin = ft_timer_start_weak(run->engine->o.loop, AGAIN_MS, close_down, run);
        return;
    }
    run->state = RUN_STOPPING;
    while (run->state == RUN_STOPPING && cut_one(run))
        ;
    run_check_idle(run);
}

static void margin_reached(void *arg)
{
    struct ft_run *run = arg;
    char when[40];
    json_t *event;

    run->margin = NULL;
    if (run->state == RUN_GOING && run_now_ms(run) + run_undo_ms(run) < run->closes_ms) {
        margin_set(run, 0);
        return;
    }
    if (run->state != RUN_GOING || !something_stands(run))
        return;                                    /* cancelled, or nothing that could be taken back */
    event = ev("run.closing", NULL);
    json_object_set_new(event, "closes", json_integer((json_int_t)run->closes_ms));
    if (run->engine->o.guard)
        ft_guard_time(run->engine->o.guard, run->closes_ms, when, sizeof(when));
    else
        ft_time_format(run->closes_ms, when, sizeof(when));
    json_object_set_new(event, "why", json_sprintf("the time for this change is over at %s, and taking it back takes up to %s", when,
                                                   ft_duration_format(run_undo_ms(run), (char[32]){ 0 }, 32)));
    run_ride(run, event);
    if (run->state != RUN_GOING)
        return;
    close_down(run);
}
