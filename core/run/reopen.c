/* reopen.c: a run that is over is taken back, hours later. undo_plan.c shows what that would do. */
#include "run/internal.h"

static const json_t *last_end(const json_t *events)
{
    for (size_t i = json_array_size(events); i-- > 0;) {
        const json_t *event = json_array_get(events, i);
        const char *type = ft_json_str(event, "type");

        if (ft_streq(type, "run.finished") || ft_streq(type, "run.reopened"))
            return event;
    }
    return NULL;
}

const json_t *run_over_event(const json_t *events)
{
    const json_t *end = last_end(events);

    return ft_streq(ft_json_str(end, "type"), "run.finished") ? end : NULL;
}

int undo_check_dry(const json_t *events, const char *id, struct ft_err *reterr)
{
    if (ft_streq(ft_json_str(json_array_get(events, 0), "mode"), "dry_run"))
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "run %s was a dry run: it changed nothing", id);
    return 0;
}

int undo_check_over(const json_t *events, const char *id, struct ft_err *reterr)
{
    int r = undo_check_dry(events, id, reterr);

    if (r < 0)
        return r;
    if (ft_streq(ft_json_str(last_end(events), "type"), "run.reopened"))
        return ft_err_class(reterr, FT_CONFLICT, -EBUSY, "run %s is being taken back already, asked for by %s; where it is parked, or its process died, `fettle resume %s` goes on with it, and "
                            "`fettle undo %s --dry-run` shows what is left", id, ft_json_str(last_end(events), "by"), id, id);
    if (!run_over_event(events))
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "run %s is not over: `fettle cancel %s --rollback` ends it and takes back what it did, `fettle resume %s` goes on with it, "
                            "`fettle undo %s --dry-run` shows what would be taken back", id, id, id, id);
    return 0;
}

/* ---- which of its writes */

static int nothing_left(const struct ft_run *run, struct ft_err *reterr)
{
    if (json_array_size(run->undone))
        return ft_err_class(reterr, FT_NOT_FOUND, -ENODATA, "there is nothing left to take back of run %s: %zu write%s taken back already%s", run->id, json_array_size(run->undone),
                            json_array_size(run->undone) == 1 ? " was" : "s were", json_array_size(run->kept) ? ", the others were left as they are" : "");
    if (json_array_size(run->kept))
        return ft_err_class(reterr, FT_NOT_FOUND, -ENODATA, "there is nothing left to take back of run %s: what it wrote was left as it is, by a person's word (`fettle show %s`)", run->id,
                            run->id);
    if (run->writes)
        return ft_err_class(reterr, FT_NOT_FOUND, -ENODATA, "there is nothing to take back of run %s: none of its writes has an undo (undo: none), or it did not happen", run->id);
    return ft_err_class(reterr, FT_NOT_FOUND, -ENODATA, "there is nothing to take back: run %s wrote nothing", run->id);
}

static size_t find_write(const struct ft_run *run, const char *path)
{
    size_t i = json_array_size(run->undo);

    while (i-- > 0)
        if (ft_streq(ft_json_str(json_array_get(run->undo, i), "path"), path))
            return i;
    return json_array_size(run->undo);
}

static bool has_path(const json_t *list, const char *path)
{
    json_t *one;
    size_t i;

    json_array_foreach((json_t *)list, i, one)
        if (ft_streq(json_is_string(one) ? json_string_value(one) : ft_json_str(one, "path"), path))
            return true;
    return false;
}

static int no_such_write(const struct ft_run *run, const char *path, struct ft_err *reterr)
{
    struct ft_buf names = FT_BUF_INIT(400);
    json_t *item;
    size_t i;

    if (has_path(run->undone, path))
        return ft_err_class(reterr, FT_NOT_FOUND, -ENODATA, "'%s' of run %s was taken back already", path, run->id);
    if (has_path(run->kept, path))
        return ft_err_class(reterr, FT_NOT_FOUND, -ENODATA, "'%s' of run %s was left as it is, by a person's word (`fettle show %s`)", path, run->id, run->id);
    if (has_path(run->plain, path))
        return ft_err_class(reterr, FT_NOT_FOUND, -ENOENT, "'%s' of run %s has no undo: it can only be taken back by hand", path, run->id);
    json_array_foreach(run->undo, i, item)
        ft_buf_addf(&names, "%s%s", i ? ", " : "", ft_json_str(item, "path"));
    ft_err_class(reterr, FT_NOT_FOUND, -ENOENT, "run %s has no write at '%s' that could be taken back; there %s%s", run->id, path, i ? "are: " : "is none", ft_buf_str(&names));
    ft_buf_done(&names);
    return -ENOENT;
}

/* What both writes are aimed at; "" where one does not say at what it is aimed. NULL: nothing in common. malloced */
static char *common_target(const json_t *a, const json_t *b)
{
    json_t *its = ft_lock_targets(json_object_get(a, "write_params")), *others = ft_lock_targets(json_object_get(b, "write_params"));
    char *found = json_array_size(its) && json_array_size(others) ? NULL : ft_strdup("");
    json_t *one, *two;
    size_t i, k;

    json_array_foreach(its, i, one)
        json_array_foreach(others, k, two)
            if (!found && json_equal(one, two))
                found = ft_strdup(json_string_value(one));
    json_decref(its);
    json_decref(others);
    return found;
}

/* Last in, first out: a later write to the same target may rest on this one. */
static int stands_alone(const struct ft_run *run, size_t at, struct ft_err *reterr)
{
    const json_t *item = json_array_get(run->undo, at);

    for (size_t i = json_array_size(run->undo); i-- > at + 1;) {
        const json_t *later = json_array_get(run->undo, i);
        char *target = common_target(item, later);

        if (!target)
            continue;
        ft_err_class(reterr, FT_CONFLICT, -EBUSY, "'%s' was written later and %s%s: take that back first, or say --and-later to take back both, last first",
                     ft_json_str(later, "path"), *target ? "touches the same " : "may rest on it", target);
        free(target);
        return -EBUSY;
    }
    return 0;
}

/* An undo is the way out: no window, freeze, budget or approval holds it. What is never touched is not touched by it either. */
static int is_untouchable(const struct ft_run *run, const json_t *item, const char *action, const json_t *params, struct ft_err *reterr)
{
    const struct ft_action_info *info = NULL;
    struct ft_write_facts facts = {
        .run_id = run->id, .path = ft_json_str(item, "path"), .requester = run->requester, .playbook = ft_playbook_name(run->playbook),
        .category = ft_playbook_category(run->playbook), .severity = ft_playbook_severity(run->playbook), .action = action, .site = ft_target_site(params),
        .params = params, .taking_back = true,
    };
    struct ft_guard_answer answer;
    json_t *targets;
    int r = ft_registry_action(run->engine->o.registry, action, &info, reterr);

    if (r < 0)
        return r;
    targets = ft_targets(params);
    facts.targets = targets;
    facts.effect = (info->action->effects & FT_EFFECT_MASK) == FT_EFFECT_DISRUPTIVE ? "disruptive" : "write";
    r = ft_guard_write(run->engine->o.guard, &facts, &answer, reterr);
    json_decref(targets);
    if (r < 0)
        return r;
    if (answer.verdict == FT_GUARD_STOP)
        r = ft_err_class(reterr, FT_REFUSED, -EPERM, "'%s' cannot be taken back: %s", facts.path, answer.text);
    ft_guard_answer_done(&answer);
    return r;
}

static int may_be_touched(const struct ft_run *run, struct ft_err *reterr)
{
    json_t *item;
    size_t i;
    int r = 0;

    if (!run->engine->o.guard)
        return 0;
    json_array_foreach(run->undo, i, item) {
        if (r < 0 || !undo_is_wanted(run, item))
            continue;
        r = is_untouchable(run, item, ft_json_str(item, "write"), json_object_get(item, "write_params"), reterr);
        if (r == 0 && ft_streq(ft_json_str(item, "kind"), "call"))
            r = is_untouchable(run, item, ft_json_str(item, "action"), json_object_get(item, "params"), reterr);
    }
    return r;
}

int undo_choose(struct ft_run *run, const struct ft_undo_opts *opts, struct ft_err *reterr)
{
    size_t at;
    int r;

    if (!json_array_size(run->undo) && !opts->step)
        return nothing_left(run, reterr);
    if (!opts->step)
        return may_be_touched(run, reterr);
    at = find_write(run, opts->step);
    if (at == json_array_size(run->undo))
        return no_such_write(run, opts->step, reterr);
    r = opts->and_later ? 0 : stands_alone(run, at, reterr);
    if (r < 0)
        return r;
    run->undo_only = json_array();
    for (size_t i = at; i < json_array_size(run->undo); i++)
        if (i == at || opts->and_later)
            json_array_append(run->undo_only, json_object_get(json_array_get(run->undo, i), "path"));
    return may_be_touched(run, reterr);
}

/* ---- the doing */

static bool takes_back_all(const struct ft_run *run)
{
    return !run->undo_only || json_array_size(run->undo_only) == json_array_size(run->undo);
}

/* What the run is afterwards: taken back; or, where only some of it is, what it was. */
static json_t *final_of(const struct ft_run *run, const json_t *over, const char *who)
{
    static const char *const kept[] = { "status", "outcome", "outcome_status", "title", "diagnosis", "evidence", "class" };
    json_t *final;

    if (takes_back_all(run))
        return json_pack("{s:s, s:s, s:s, s:o}", "status", "rolled_back", "outcome", "", "title", "Taken back", "diagnosis", json_sprintf("taken back by %s", who));
    final = json_object();
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        if (json_object_get(over, kept[i]))
            json_object_set(final, kept[i], json_object_get(over, kept[i]));
    return final;
}

static void note_reopened(struct ft_run *run, const struct ft_undo_opts *opts)
{
    json_t *event = ev("run.reopened", NULL);

    json_object_set_new(event, "run", json_string(run->id));
    json_object_set_new(event, "playbook", json_string(ft_playbook_name(run->playbook)));
    json_object_set_new(event, "by", json_string(opts->who));
    json_object_set_new(event, "why", json_string(opts->reason ? opts->reason : ""));
    json_object_set(event, "final", run->final);
    if (run->undo_only)
        json_object_set(event, "only", run->undo_only);
    run_ride(run, event);
}

/* Somebody took a lock in the moment between the question and the doing: it stays as it was. */
static void close_again(struct ft_run *run, const json_t *over)
{
    json_t *event = json_copy((json_t *)over);

    json_object_del(event, "seq");
    json_object_del(event, "at");
    run_info(run, ft_json_str(over, "status"), ft_json_str(over, "outcome"), ft_json_str(over, "diagnosis"));
    run_ride(run, event);
}

static void undo_turn(void *arg)
{
    struct ft_run *run = arg;
    char *why = ft_asprintf("asked for by %s", run->cancel_who);

    run->reviving = false;
    run_hold_sessions(run, true);
    rollback_start(run, why);
    free(why);
}

void reopen_forget(struct ft_run *run)
{
    ft_loop_undefer(run->engine->o.loop, undo_turn, run);
}

static int reopen(struct ft_run *run, const json_t *over, const struct ft_undo_opts *opts, struct ft_err *reterr)
{
    int r = undo_choose(run, opts, reterr);

    if (r == 0)
        r = run_lock_again(run, reterr);                   /* asked before anything is noted; what a run that is over holds counts for nothing */
    if (r < 0)
        return r;
    json_decref(run->final);
    run->final = final_of(run, over, opts->who);
    run->since_ms = run_now_ms(run);
    free(run->cancel_who);
    run->cancel_who = ft_strdup(opts->who);
    run_info(run, "running", "", "");
    note_reopened(run, opts);
    r = run_lock_again(run, reterr);                       /* now it counts: in the same breath as the event */
    if (r < 0)
        close_again(run, over);
    return r;
}

int ft_run_undo(struct ft_engine *engine, const char *id, const struct ft_undo_opts *opts, const struct ft_run_observer *observer, void *arg, struct ft_run **ret,
                struct ft_err *reterr)
{
    json_t *events = NULL;
    struct ft_run *run = NULL;
    int r = ft_store_claim(engine->o.store, id, reterr);

    if (r == 0)
        r = ft_store_events(engine->o.store, id, 0, &events, reterr);
    if (r == 0)
        r = undo_check_over(events, id, reterr);
    if (r == 0)
        r = run_from_events(engine, id, events, observer, arg, &run, reterr);
    if (r == 0)
        r = reopen(run, run_over_event(events), opts, reterr);
    json_decref(events);
    if (r < 0) {
        ft_run_free(run);
        return r;
    }
    run->state = RUN_ROLLING_BACK;
    run->reviving = true;
    ft_loop_defer(engine->o.loop, undo_turn, run);
    *ret = run;
    return 0;
}
