/* end.c: how a run ends: its outcome, its failure, a journal that cannot be written; and who hears of it. */
#include "run/internal.h"

/* Who broke the glass is over soon: those who were passed over are told all the same, before the process may end. */
void run_tell_end(void *arg)
{
    struct ft_run *run = arg;

    run->end_untold = notices_under_way(run);
    if (run->end_untold || run->end_told)
        return;
    run->end_told = true;
    run->observer->ended(run->arg, run, run->end);
}

void notices_maybe_last(struct ft_run *run)
{
    if (run->end_untold && !notices_under_way(run))
        ft_loop_defer(run->engine->o.loop, run_tell_end, run);
}

/* What its steps still waited for (the next try, the end of a pause) would go on behind the end. */
static void stop_timers(struct ft_run *run)
{
    struct ft_list *pos, *tmp;

    ft_list_each(pos, tmp, &run->steps) {
        struct step_run *step = ft_container(pos, struct step_run, in_run);

        ft_timer_stop(step->timer);
        step->timer = NULL;
    }
}

void run_end_with(struct ft_run *run, enum ft_run_end end)
{
    run->state = RUN_ENDED;
    stop_timers(run);
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
    run_end_with(run, FT_RUN_FAILED);
    ft_loop_defer(run->engine->o.loop, run_tell_end, run);
}

/* Whoever waits for the run must not take it for good: what was promised to be in the store (a plan, say) may not be there. */
static void not_written(struct ft_run *run, const struct ft_err *err)
{
    ft_log(FT_LOG_ERROR, "run %s has ended, but its end could not be written: %s", run->id, err->text);
    run->end = FT_RUN_FAILED;
}

static void finished_written(void *arg, int code, const struct ft_err *err)
{
    struct ft_run *run = arg;

    if (code < 0)
        not_written(run, err);
    run_tell_end(run);
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

/* What it wrote and nobody took back, first done first: what has an undo, and what has none. */
static json_t *standing(const struct ft_run *run)
{
    json_t *all = json_array(), *item;
    size_t i;

    json_array_foreach(run->undo, i, item)
        json_array_append_new(all, json_pack("{s:O, s:O*, s:b}", "path", json_object_get(item, "path"), "title", json_object_get(item, "title"), "undo", 1));
    json_array_foreach(run->plain, i, item)
        json_array_append_new(all, json_pack("{s:O, s:O*, s:b}", "path", json_object_get(item, "path"), "title", json_object_get(item, "title"), "undo", 0));
    return all;
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
    if (!ft_streq(ft_json_str(event, "status"), "finished") && json_array_size(run->undo) + json_array_size(run->plain))
        json_object_set_new(event, "stands", standing(run));
    json_object_set_new(event, "ms", json_integer(now > since ? (json_int_t)(now - since) : 0));     /* the clock may go back */
    json_object_set_new(event, "steps", json_integer(run->steps_done));
    if (run->since_ms)
        json_object_set_new(event, "reopened", json_true());
    run_end_with(run, run->since_ms ? FT_RUN_ROLLED_BACK : end_of(event));
    diagnosis = ft_json_str(event, "diagnosis");
    run_info(run, ft_json_str(event, "status"), ft_json_str(event, "outcome"), diagnosis ? diagnosis : ft_json_str(event, "title"));
    if (run_journal(run, event, FT_DURABLE, finished_written, run, &err) < 0) {
        not_written(run, &err);
        ft_loop_defer(run->engine->o.loop, run_tell_end, run);
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

void end_forget(struct ft_run *run)
{
    ft_loop_undefer(run->engine->o.loop, run_tell_end, run);
}
