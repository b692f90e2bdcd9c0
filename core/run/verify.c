/* verify.c: is it proven? The step's verification looks until the network shows the change, or its time is over; a write that is not proven is taken back. */
#include "run/internal.h"

enum { DEFAULT_LOOK_MS = 30000, SHORTEST_LOOK_MS = 1000 };

static void look(void *arg);

static void unproven_undone(struct step_run *step, bool undone)
{
    char *text = ft_asprintf("%s%s", step->fail_text, undone ? "; it was taken back" : "");

    step_fail(step, step->fail_class, text);
    free(text);
}

static void take_back(struct step_run *step)
{
    json_t *event = ev("step.unproven", step->path);

    json_object_set_new(event, "error", json_string(step->fail_text));
    if (!json_object_get(json_object_get(step->run->intents, step->path), "undo"))
        json_object_set_new(event, step->pending_until_ms ? "lapses" : "stays", json_true());
    after_note(step, event);
    confirm_note(step, event);
    run_ride(step->run, event);
    step->state = STEP_UNDOING;
    if (step->run->state == RUN_ENDED || undo_one_for(step, unproven_undone) == 0)
        return;
    if (step->pending_until_ms)
        confirm_let_lapse(step);
    else
        unproven_undone(step, false);
}

/* A write that is not proven is taken back at once; what comes after is a failed step. */
void write_unproven(struct step_run *step)
{
    if (step->pending_until_ms)
        take_back(step);                         /* the device's timer runs */
    else
        after_look(step, take_back);
}

static void look_failed_for_good(struct step_run *step)
{
    char within[32];

    if (step->for_doubt) {
        write_doubt_person(step);
        return;
    }
    free(step->fail_text);
    step->fail_text = ft_asprintf("not proven within %s: %s", ft_duration_format(step->step->verify->within_ms, within, sizeof(within)),
                                  step->last_look ? step->last_look : "the check gave no answer");
    step->fail_class = FT_TIMEOUT;
    write_unproven(step);
}

static void look_again(struct step_run *step)
{
    const struct ft_verify *verify = step->step->verify;
    uint64_t now = run_now_us(step->run);

    if (now + verify->every_ms * 1000 > step->verify_until_us)
        look_failed_for_good(step);
    else
        step->timer = ft_timer_start(step->run->engine->o.loop, verify->every_ms, look, step);
}

void verify_saw(struct step_run *step, char *text)
{
    free(step->last_look);
    step->last_look = text;
}

static void note_look(struct step_run *step, bool ok, const json_t *reads)
{
    json_t *event = ev("verify.look", step->path);

    json_object_set_new(event, "ok", json_boolean(ok));
    json_object_set_new(event, "expr", json_string(ft_chunk_text(step->step->verify->until)));
    if (reads)
        json_object_set(event, "reads", (json_t *)reads);
    else
        json_object_set_new(event, "error", json_string(step->last_look ? step->last_look : ""));
    run_ride(step->run, event);
}

static void proven(struct step_run *step)
{
    if (step->for_doubt) {
        json_t *event = ev("doubt.answered", step->path);

        json_object_set_new(event, "happened", json_true());
        json_object_set_new(event, "by", json_string("verify"));
        confirm_note(step, event);
        run_ride(step->run, event);
        step->recovered = true;
    }
    if (step->run->state != RUN_ENDED)
        confirm_start(step);
}

static void looked(void *arg, json_t *result)
{
    struct step_run *step = arg;
    json_t *value = NULL, *why = NULL;
    struct ft_err err = { 0 };

    step->call = NULL;
    if (step_eval(step, step->step->verify->until, result, &value, &why, &err) < 0) {
        verify_saw(step, ft_strdup(err.text));
        if (step->for_doubt) {
            write_doubt_person(step);
            return;
        }
        free(step->fail_text);
        step->fail_text = ft_strdup(err.text);
        step->fail_class = FT_INVALID;
        write_unproven(step);
        return;
    }
    bool ok = truthy(value);
    char *seen = ft_json_brief(json_object_get(why, "reads"), 160);

    verify_saw(step, seen);
    note_look(step, ok, json_object_get(why, "reads"));
    json_decref(value);
    json_decref(why);
    if (step->run->state == RUN_ENDED)
        return;
    if (ok)
        proven(step);
    else
        look_again(step);
}

/* A device that comes back does not answer at first: a lost look is just a later look. */
static void look_failed(void *arg, enum ft_class class, const char *text)
{
    struct step_run *step = arg;

    step->call = NULL;
    verify_saw(step, ft_strdup(text));
    note_look(step, false, NULL);
    if (step->run->state == RUN_ENDED)
        return;
    if (class == FT_CANCELLED) {
        write_left_in_doubt(step);
        return;
    }
    look_again(step);
}

static const struct ft_call_handler look_handler = { .done = looked, .fail = look_failed };

static void look(void *arg)
{
    struct step_run *step = arg;
    const struct ft_verify *verify = step->step->verify;
    struct ft_err err = { 0 };
    json_t *params = NULL;
    int r;

    step->timer = NULL;
    r = step_fill(step, verify->call.with, step->result, &params, &err);
    if (r == 0) {
        uint64_t own = verify->call.action->action->timeout_ms ? verify->call.action->action->timeout_ms : DEFAULT_LOOK_MS, left = confirm_left_ms(step);
        struct ft_call_req req = {
            .info = verify->call.action, .entry = FT_ENTRY_RUN, .params = params, .run_id = step->run->id, .released = step->run->released, .read = true,
            .timeout_ms = left < own ? ft_max(left, (uint64_t)SHORTEST_LOOK_MS) : 0,
        };

        r = ft_call_start(step->run->engine->o.registry, &req, &look_handler, step, &step->call, &err);
    }
    json_decref(params);
    if (r < 0)
        look_failed(step, err.class ? err.class : FT_INVALID, err.text);
}

/* There is no time left to find out whether it worked. */
static void cut(struct step_run *step)
{
    free(step->fail_text);
    step->fail_text = ft_strdup(step->run->closing);
    step->fail_class = FT_REFUSED;
    write_unproven(step);
}

bool verify_cut(struct step_run *step)
{
    if (step->state != STEP_VERIFYING || step->for_doubt)
        return false;
    step_stop_ops(step);
    cut(step);
    return true;
}

void verify_start(struct step_run *step, bool for_doubt)
{
    step->for_doubt = for_doubt;
    step->state = STEP_VERIFYING;
    if (step->run->closing && !for_doubt) {
        cut(step);
        return;
    }
    step->verify_until_us = run_now_us(step->run) + (for_doubt ? step->step->verify->within_ms : ft_min(step->step->verify->within_ms, confirm_left_ms(step))) * 1000;
    look(step);
}

/* It was sent; whether it did what it should is for the verification to say, also where a person said that it happened. */
void write_verify(struct step_run *step)
{
    if (step->step->verify)
        verify_start(step, false);
    else
        confirm_start(step);
}

void write_verify_for_doubt(struct step_run *step)
{
    verify_start(step, true);
}

/* Resumed behind step.unproven. */
void verify_resume_unproven(struct step_run *step)
{
    step->fail_class = FT_TIMEOUT;
    step->fail_text = ft_strdup(ft_json_str(past_event(step, "step.unproven"), "error"));
    step->state = STEP_UNDOING;
    confirm_recall(step, past_event(step, "step.unproven"));
    if (undo_one_for(step, unproven_undone) == 0)
        return;
    if (json_object_get(past_event(step, "step.intended"), "undo"))
        unproven_undone(step, true);             /* taken back before the crash */
    else if (step->pending_until_ms)
        confirm_let_lapse(step);
    else
        unproven_undone(step, false);
}
