/* idle.c: is a run parked, stopped or still at it; and the people who answer and cancel it. */
#include "run/internal.h"

bool run_ends(const struct ft_run *run)
{
    return run->state != RUN_GOING || run->cancel || run->closing;
}

static bool step_busy(const struct ft_run *run, const struct step_run *step)
{
    switch (step->state) {
    case STEP_CALLING: case STEP_INTENDING: case STEP_VERIFYING: case STEP_PROBING: case STEP_CONFIRMING: case STEP_WRITING:
        return true;
    case STEP_UNDOING:
        return !undo_is_stuck(run);
    case STEP_PAUSED:
        return !run_ends(run);
    default:
        return false;
    }
}

static void stopped(struct ft_run *run)
{
    char limit[32];

    if (run->limit_hit) {
        char *text = ft_asprintf("the run took longer than its limit of %s", ft_duration_format(ft_playbook_runtime_ms(run->playbook), limit, sizeof(limit)));

        run_failed(run, FT_TIMEOUT, text);
        free(text);
        return;
    }
    if (run->closing) {
        run_failed(run, FT_REFUSED, run->closing);
        return;
    }
    json_decref(run->final);
    run->final = json_pack("{s:s, s:s, s:s, s:o}", "status", "cancelled", "outcome", "", "title", "Cancelled", "diagnosis",
                           json_sprintf("cancelled by %s", run->cancel_who ? run->cancel_who : "somebody"));
    if (run->cancel_rollback && json_array_size(run->undo))
        rollback_start(run, "the run was cancelled");
    else
        run_finish(run);
}

/* Also where it was left in doubt, and has ended already: whoever waits for it has not heard of that yet. */
static void not_parked(struct ft_run *run, const struct ft_err *err)
{
    if (run->state == RUN_ENDED)
        run->state = RUN_STOPPING;
    run_broken(run, err);
}

static void parked_written(void *arg, int code, const struct ft_err *err)
{
    struct ft_run *run = arg;

    if (code < 0) {
        not_parked(run, err);
        return;
    }
    if (run->state == RUN_ENDED)
        run_tell_end(run);
    else if (run->parked_told && run->observer->parked)    /* else it went on meanwhile */
        run->observer->parked(run->arg, run);
}

/* When it goes on although nobody answers: the first of what its questions say. */
static uint64_t wake_of(const json_t *questions)
{
    static const char *const times[] = { "until", "wake" };
    uint64_t first = UINT64_MAX;
    json_t *question;
    size_t i;

    json_array_foreach((json_t *)questions, i, question) {
        for (size_t k = 0; k < ARRAY_LEN(times); k++) {
            uint64_t at = (uint64_t)ft_json_int(question, times[k], 0);

            first = at && at < first ? at : first;
        }
    }
    return first;
}

uint64_t ft_run_wake_ms(const struct ft_run *run)
{
    json_t *questions = ft_run_questions(run);
    uint64_t at = wake_of(questions);

    if (run_margin_ms(run))                        /* awake at the margin, to be taken back */
        at = ft_min(at, run_margin_ms(run));
    json_decref(questions);
    return at;
}

/* For whoever looks at the run's last event; the whole question is in the event that opened it, and once is enough for thousands of runs. */
static json_t *in_short(const json_t *questions)
{
    static const char *const members[] = { "path", "kind", "title", "text", "why", "by", "until", "wake" };
    json_t *all = json_array(), *question;
    size_t i;

    json_array_foreach((json_t *)questions, i, question) {
        json_t *q = json_object();

        for (size_t k = 0; k < ARRAY_LEN(members); k++)
            json_object_set(q, members[k], json_object_get(question, members[k]));
        json_array_append_new(all, q);
    }
    return all;
}

/* Whether somebody who is not at this terminal can answer. */
static bool asks_people(const json_t *questions)
{
    json_t *question;
    size_t i;

    json_array_foreach((json_t *)questions, i, question)
        if (!ft_streq(ft_json_str(question, "kind"), "wait"))
            return true;
    return false;
}

static void park(struct ft_run *run, const char *why)
{
    json_t *event = ev("run.parked", NULL), *questions = ft_run_questions(run);
    struct ft_err err = { 0 };

    run->parked_told = true;
    run_hold_sessions(run, false);
    json_object_set_new(event, "why", json_string(why));
    json_object_set_new(event, "waiting", in_short(questions));
    if (asks_people(questions) && run->state != RUN_ENDED)
        people_ask(run);
    json_decref(questions);
    if (run_margin_ms(run))
        json_object_set_new(event, "until", json_integer((json_int_t)run_margin_ms(run)));
    if (undo_is_stuck(run))
        json_object_set_new(event, "incident", json_true());
    run_info(run, "parked", undo_is_stuck(run) ? "incident" : "", why);
    ft_store_wake_at(run->engine->o.store, run->id, ft_run_wake_ms(run));
    if (run_journal(run, event, FT_DURABLE, parked_written, run, &err) < 0)
        not_parked(run, &err);
}

static void park_incident(struct ft_run *run, const json_t *question)
{
    const char *title = ft_json_str(question, "title");
    char *why = ft_asprintf("undo of '%s': %s", title ? title : ft_json_str(question, "path"), ft_json_str(question, "text"));

    park(run, why);
    free(why);
}

/* Stopped at once with a write under way: whether it happened is found out by the next resume. */
static void leave_in_doubt(struct ft_run *run)
{
    run_end_with(run, FT_RUN_PARKED);
    park(run, "cancelled while a write was under way: resume it to find out whether it happened");
}

static bool is_asked(const struct ft_run *run)
{
    json_t *questions = ft_run_questions(run);
    bool asked = asks_people(questions);

    json_decref(questions);
    return asked;
}

static void look_idle(void *arg)
{
    struct ft_run *run = arg;
    struct ft_list *pos, *tmp;
    json_t *questions;

    run->idle_look = false;
    if (run->state == RUN_ENDED || (run->deferred_starts && run->state == RUN_GOING))
        return;
    ft_list_each(pos, tmp, &run->steps)
        if (step_busy(run, ft_container(pos, struct step_run, in_run)))
            return;
    /* A write that could not be taken back is not left behind by a cancel: only a rollback goes on with it. */
    bool incident = undo_is_stuck(run) && !run->limit_hit && !run->cancel_rollback;

    if (!run->parked_told && is_asked(run) && questions_take(run)) {       /* before it is asked: it may be answered */
        run_check_idle(run);
        return;
    }
    if (run->state == RUN_STOPPING && !incident) {
        if (run->cancel_now && json_object_size(run->intents))
            leave_in_doubt(run);
        else if (!json_object_size(run->intents))
            stopped(run);
        else
            park(run, "a write is in doubt");
        return;
    }
    if ((run->cancel || run->closing) && run->state == RUN_GOING && !json_object_size(run->intents)) {
        run->state = RUN_STOPPING;
        stopped(run);
        return;
    }
    questions = ft_run_questions(run);
    if (json_array_size(questions) && !run->parked_told) {
        const json_t *first = json_array_get(questions, 0);

        if (undo_is_stuck(run))
            park_incident(run, first);
        else
            park(run, ft_json_str(first, "title") ? ft_json_str(first, "title") : "waits for an answer");
    }
    json_decref(questions);
}

void run_goes_on(struct ft_run *run)
{
    if (run->state == RUN_ENDED)
        return;
    run_hold_sessions(run, true);
    if (run->parked_told)
        run_info(run, "running", "", "");
    run->parked_told = false;
}

void run_check_idle(struct ft_run *run)
{
    if (run->idle_look || run->state == RUN_ENDED)
        return;
    run->idle_look = true;
    ft_loop_defer(run->engine->o.loop, look_idle, run);
}

/* ---- people */

json_t *ft_run_questions(const struct ft_run *run)
{
    json_t *all = json_array(), *q = undo_question(run);
    struct ft_list *pos, *tmp;

    if (q)
        json_array_append_new(all, q);
    ft_list_each(pos, tmp, (struct ft_list *)&run->steps) {
        q = step_question(ft_container(pos, struct step_run, in_run));
        if (q)
            json_array_append_new(all, q);
    }
    return all;
}

/* Answers what waits at a path: the undo under way, or a step. */
static int answer_at(struct ft_run *run, const char *path, const json_t *answer, const char *who, const char *where, struct ft_err *reterr)
{
    json_t *undo = undo_question(run);
    bool for_undo = undo && ft_streq(ft_json_str(undo, "path"), path);
    struct ft_list *pos, *tmp;

    json_decref(undo);
    if (for_undo)
        return undo_answer(run, answer, who, where, reterr);
    ft_list_each(pos, tmp, &run->steps) {
        struct step_run *step = ft_container(pos, struct step_run, in_run);

        if (ft_streq(step->path, path))
            return step_answer(step, answer, who, where, reterr);
    }
    return ft_err_set(reterr, -ENOENT, "nothing waits at '%s'", path);
}

int ft_run_answer(struct ft_run *run, const char *path, const json_t *answer, const char *who, const char *where, struct ft_err *reterr)
{
    bool told = run->parked_told;
    int r;

    run->parked_told = false;
    r = answer_at(run, path, answer, who, where, reterr);
    if (r < 0) {
        run->parked_told = told;
    } else if (run->state != RUN_ENDED) {
        if (told)
            run_info(run, "running", "", "");
        run_hold_sessions(run, true);
    }
    return r;
}

static void cancel_turn(void *arg)
{
    struct ft_run *run = arg;
    struct ft_list *pos, *tmp;

    if (run->state == RUN_ENDED || run->state == RUN_ROLLING_BACK)
        return;
    if (run->dry) {
        run->dry = dry_free(run->dry);
        run->state = RUN_STOPPING;
    }
    if (run->cancel_now) {
        ft_list_each(pos, tmp, &run->steps) {
            struct step_run *step = ft_container(pos, struct step_run, in_run);

            if (step->call) {
                ft_call_cancel(step->call);
            } else if ((step->state == STEP_VERIFYING || step->state == STEP_CONFIRMING) && step->timer) {
                step_stop_ops(step);
                step->state = STEP_DOUBT;
            }
        }
    }
    run_check_idle(run);
}

/* A person was asked, and leaves: it stays parked. */
static void stop_parked(struct ft_run *run)
{
    if (!run->parked_told)
        return;
    run_end_with(run, FT_RUN_PARKED);
    ft_loop_defer(run->engine->o.loop, run_tell_end, run);
}

void ft_run_cancel(struct ft_run *run, const char *who, bool now, bool rollback)
{
    json_t *event;

    if (run->state == RUN_ENDED)
        return;
    if (run->state == RUN_ROLLING_BACK) {          /* it is the way out: asked for once it goes on, asked twice it parks as it stands */
        if (undo_is_stuck(run))
            stop_parked(run);
        else if (now)
            undo_stop(run, who);
        return;
    }
    run->cancel = true;
    run->cancel_now |= now;
    run->cancel_rollback |= rollback;
    free(run->cancel_who);
    run->cancel_who = ft_strdup(who);
    if (!run->reviving)
        run->state = RUN_STOPPING;                 /* else it first lives again through what it did: a write may be in doubt */
    event = ev("run.cancelling", NULL);
    json_object_set_new(event, "by", json_string(who));
    json_object_set_new(event, "now", json_boolean(now));
    json_object_set_new(event, "rollback", json_boolean(run->cancel_rollback));
    run_ride(run, event);
    ft_loop_defer(run->engine->o.loop, cancel_turn, run);       /* this may have been asked for in the middle of a step's own turn */
}

void idle_forget(struct ft_run *run)
{
    ft_loop_undefer(run->engine->o.loop, look_idle, run);
    ft_loop_undefer(run->engine->o.loop, cancel_turn, run);
}
