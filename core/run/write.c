/* write.c: the verb `run`: reads, and the care that a write needs.
 *
 *   plan ──► checks (before.c) ──► intend (durable) ──► call ──► verify ──► [confirm (confirm.c)] ──► look after ──► done
 *                                  │          └─ not proven: take it back, fail
 *                                  └─ answer lost, or killed here: DOUBT: probe ──► verify ──► a person
 *
 * Nothing in doubt is sent again unless the probe or a person says that it did not happen.
 */
#include "run/internal.h"

static void call_write(struct step_run *step);
enum { MAX_RESENT = 2, DEFAULT_LOOK_MS = 30000, SHORTEST_LOOK_MS = 1000 };

static void verify_start(struct step_run *step, bool for_doubt);
static void doubt(struct step_run *step, const char *why);

static const char *effect_name(unsigned effects)
{
    switch (effects & FT_EFFECT_MASK) {
    case FT_EFFECT_READ: return "read";
    case FT_EFFECT_DISRUPTIVE: return "disruptive";
    default: return "write";
    }
}

static void note_started(struct step_run *step)
{
    json_t *event = ev("step.started", step->path);
    const struct ft_call_spec *call = &step->step->call;

    json_object_set_new(event, "id", json_string(step->step->id));
    json_object_set_new(event, "title", json_string(step->step->title));
    json_object_set_new(event, "verb", json_string("run"));
    json_object_set_new(event, "action", json_string(call->name));
    json_object_set_new(event, "effect", json_string(effect_name(call->effects)));
    json_object_set(event, "params", step->params);
    run_ride(step->run, event);
}

static void progress(void *arg, const char *text)
{
    struct step_run *step = arg;

    if (step->run->observer->progress)
        step->run->observer->progress(step->run->arg, step->run, step->path, text);
}

static void kept(void *arg, int code, const struct ft_err *err)
{
    struct step_run *step = arg;

    (void)err;
    if (step->call)
        ft_call_kept(step->call, code);
}

static void keep(void *arg, struct ft_call *call, const json_t *receipt)
{
    struct step_run *step = arg;
    json_t *event = ev("step.kept", step->path);
    struct ft_err err = { 0 };
    int r;

    json_object_set(event, "receipt", (json_t *)receipt);
    json_decref(step->receipt);
    step->receipt = json_incref((json_t *)receipt);
    r = run_journal(step->run, event, FT_DURABLE, kept, step, &err);
    if (r < 0)
        ft_call_kept(call, r);
}

static int start_call(struct step_run *step, const struct ft_call_spec *spec, enum ft_entry_kind entry, const json_t *params, const struct ft_call_handler *handler,
                      struct ft_err *reterr)
{
    struct ft_call_req req = {
        .info = spec->action, .entry = entry, .params = params, .receipt = step->receipt, .run_id = step->run->id, .released = step->run->released, .timeout_ms = step->step->timeout_ms,
        .read = (spec->effects & FT_EFFECT_MASK) == FT_EFFECT_READ,
    };

    return ft_call_start(step->run->engine->o.registry, &req, handler, step, &step->call, reterr);
}

static void fail_with(struct step_run *step, const struct ft_err *err)
{
    step_fail(step, err->class ? err->class : FT_INVALID, err->text);
}

/* ---- reads */

static void read_done(void *arg, json_t *result)
{
    struct step_run *step = arg;

    step->call = NULL;
    step_done(step, json_incref(result));
}

static void read_failed(void *arg, enum ft_class class, const char *text)
{
    struct step_run *step = arg;

    step->call = NULL;
    step_fail(step, class, text);
}

static const struct ft_call_handler read_handler = { .done = read_done, .fail = read_failed, .progress = progress };

void verb_run(struct step_run *step)
{
    json_t *past = past_event(step, "step.started");
    struct ft_err err = { 0 };

    if (past_event(step, "step.intended")) {
        write_resume(step);
        return;
    }
    json_decref(step->params);
    step->params = NULL;
    if (past)
        step->params = json_incref(json_object_get(past, "params"));
    else if (step_fill(step, step->step->call.with, NULL, &step->params, &err) < 0) {
        step_fail(step, FT_INVALID, err.text);
        return;
    }
    if (!past)
        note_started(step);
    if (step->run->state == RUN_ENDED)
        return;
    if (step->is_write) {
        step->again = false;
        write_begin(step);
        return;
    }
    step->state = STEP_CALLING;
    if (start_call(step, &step->step->call, FT_ENTRY_RUN, step->params, &read_handler, &err) < 0)
        fail_with(step, &err);
}

/* ---- plan and intent */

static bool has_entry(const struct step_run *step, enum ft_entry_kind entry)
{
    const struct ft_action *action = step->step->call.action->action;

    return ft_action_has(action, entry);
}

bool write_is_nothing(const json_t *plan)
{
    return json_is_true(json_object_get(plan, "nothing_to_do")) && json_object_get(plan, "result");
}

/* The state wanted is the state there is: nothing is sent. It is proven all the same. */
static void not_sent(struct step_run *step, json_t *result)
{
    step->nothing = true;
    json_decref(step->result);
    step->result = json_incref(result);
    if (step->step->verify)
        verify_start(step, false);
    else
        step_done(step, json_incref(result));
}

static void planned(void *arg, json_t *plan)
{
    struct step_run *step = arg;
    struct ft_err err = { 0 };

    step->call = NULL;
    if (confirm_check(step->step, plan, &err) < 0) {
        fail_with(step, &err);
        return;
    }
    step->plan = json_incref(plan);
    json_decref(step->receipt);
    step->receipt = json_incref(json_object_get(plan, "receipt"));
    if (write_is_nothing(plan))
        not_sent(step, json_object_get(plan, "result"));
    else
        write_checks(step, step->again);
}

static const struct ft_call_handler plan_handler = { .done = planned, .fail = read_failed, .progress = progress };

void write_begin(struct step_run *step)
{
    struct ft_run *run = step->run;
    struct ft_err err = { 0 };

    step->nothing = false;
    if (!step->again && run->writes >= ft_playbook_max_writes(run->playbook)) {
        ft_err_set(&err, -EDQUOT, "this would be write %u of the run, and the playbook allows %u (limits: writes)", run->writes + 1, ft_playbook_max_writes(run->playbook));
        step_fail(step, FT_REFUSED, err.text);
        return;
    }
    json_decref(step->plan);
    step->plan = NULL;
    if (!has_entry(step, FT_ENTRY_PLAN)) {
        write_checks(step, step->again);
        return;
    }
    step->state = STEP_INTENDING;
    if (start_call(step, &step->step->call, FT_ENTRY_PLAN, step->params, &plan_handler, &err) < 0)
        fail_with(step, &err);
}

int write_undo(struct step_run *step, json_t *intent, struct ft_err *reterr)
{
    const struct ft_step *def = step->step;
    json_t *undo, *with = NULL;
    int r;

    if (def->undo == FT_UNDO_AUTO) {
        json_object_set_new(intent, "undo", json_pack("{s:s, s:s}", "kind", "auto", "action", def->call.name));
    } else if (def->undo == FT_UNDO_CALL) {
        r = step_fill(step, def->undo_call.with, NULL, &with, reterr);
        if (r < 0)
            return ft_err_in(reterr, "the undo, which must be known before the write");
        undo = json_pack("{s:s, s:s, s:o}", "kind", "call", "action", def->undo_call.name, "params", with);
        json_object_set_new(intent, "undo", undo);
    }
    return 0;
}

static void intended(void *arg, int code, const struct ft_err *err)
{
    struct step_run *step = arg;

    if (code < 0)
        run_broken(step->run, err);
    else
        call_write(step);
}

void write_intend(struct step_run *step)
{
    struct ft_run *run = step->run;
    json_t *event = ev("step.intended", step->path);
    struct ft_err err = { 0 };

    after_forget(step);
    confirm_forget(step);

    json_object_set_new(event, "title", json_string(step->step->title));
    json_object_set_new(event, "action", json_string(step->step->call.name));
    json_object_set_new(event, "effect", json_string(effect_name(step->step->call.effects)));
    json_object_set(event, "params", step->params);
    if (step->plan)
        json_object_set(event, "plan", step->plan);
    json_object_set_new(event, "attempt", json_integer(step->attempt));
    if (step->again)
        json_object_set_new(event, "again", json_true());
    if (write_undo(step, event, &err) < 0) {
        json_decref(event);
        fail_with(step, &err);
        return;
    }
    step->state = STEP_INTENDING;
    if (run_journal(run, event, FT_DURABLE, intended, step, &err) < 0)
        run_broken(run, &err);
}

/* ---- the call */

static void done_as_known(struct step_run *step)
{
    step_done(step, step->result ? json_incref(step->result) : json_null());
}

/* It happened, and where it has to be proven it is: one look at what it left behind, then it is done. */
void write_settled(struct step_run *step)
{
    after_look(step, done_as_known);
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

void write_left_in_doubt(struct step_run *step)
{
    step->state = STEP_DOUBT;
    run_check_idle(step->run);
}

static void answered_written(void *arg, int code, const struct ft_err *err)
{
    struct step_run *step = arg;

    if (code < 0)
        run_broken(step->run, err);
    else
        write_verify(step);
}

static void write_done(void *arg, json_t *result)
{
    struct step_run *step = arg;
    struct ft_err err = { 0 };
    json_t *event;

    step->call = NULL;
    if (!step->step->verify && !step->pending_until_ms && !after_wanted(step)) {
        step_done(step, json_incref(result));
        return;
    }
    json_decref(step->result);                           /* of an attempt before this one */
    step->result = json_incref(result);
    event = ev("step.answered", step->path);
    json_object_set(event, "result", result);
    confirm_note(step, event);
    if (run_journal(step->run, event, FT_COMMIT, answered_written, step, &err) < 0)
        run_broken(step->run, &err);
}

static void write_failed(void *arg, enum ft_class class, const char *text)
{
    struct step_run *step = arg;

    step->call = NULL;
    /* Cancelled in the middle: the device may have done it. Left as intended in the journal, found out at the next resume. */
    if (class == FT_CANCELLED) {
        write_left_in_doubt(step);
    } else if (class == FT_AMBIGUOUS) {
        doubt(step, text);
    } else {
        step_fail(step, class, text);
    }
}

static void pends(void *arg, uint64_t ms)
{
    confirm_pends(arg, ms);
}

static const struct ft_call_handler write_handler = { .done = write_done, .fail = write_failed, .keep = keep, .progress = progress, .pending = pends };

static void call_write(struct step_run *step)
{
    struct ft_err err = { 0 };

    step->state = STEP_CALLING;
    if (start_call(step, &step->step->call, FT_ENTRY_RUN, step->params, &write_handler, &err) < 0)
        fail_with(step, &err);
}

/* ---- verification */

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

static void set_last(struct step_run *step, char *text)
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
        set_last(step, ft_strdup(err.text));
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

    set_last(step, seen);
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
    set_last(step, ft_strdup(text));
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

static void verify_start(struct step_run *step, bool for_doubt)
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

/* ---- doubt */

static void doubt_person_written(void *arg, int code, const struct ft_err *err)
{
    struct step_run *step = arg;

    if (code < 0)
        run_broken(step->run, err);
    else
        run_check_idle(step->run);
}

void write_doubt_person(struct step_run *step)
{
    json_t *event = ev("doubt.opened", step->path);
    struct ft_err err = { 0 };

    step->state = STEP_DOUBT;
    json_object_set_new(event, "action", json_string(step->step->call.name));
    json_object_set(event, "params", step->params);
    if (step->plan)
        json_object_set(event, "plan", step->plan);
    json_object_set_new(event, "why", json_string(step->fail_text ? step->fail_text : "fettle was stopped between sending the request and its answer"));
    if (step->last_look)
        json_object_set_new(event, "seen", json_string(step->last_look));
    json_object_set_new(event, "text", json_string("Did it happen? Neither the action nor its verification can tell."));
    json_decref(step->past);
    step->past = json_pack("{s:O}", "doubt.opened", event);
    if (run_journal(step->run, event, FT_COMMIT, doubt_person_written, step, &err) < 0)
        run_broken(step->run, &err);
}

/* What the probe knows of the result is the result: the steps behind this one may need it. */
static void happened(struct step_run *step, const char *by, const json_t *answer)
{
    const json_t *seen = json_object_get(answer, "seen"), *result = json_object_get(answer, "result");
    json_t *event = ev("doubt.answered", step->path);

    json_object_set_new(event, "happened", json_true());
    json_object_set_new(event, "by", json_string(by));
    if (seen)
        json_object_set(event, "seen", (json_t *)seen);
    if (result)
        json_object_set(event, "result", (json_t *)result);
    if (!json_is_true(json_object_get(answer, "pending")))
        step->pending_until_ms = 0;
    confirm_note(step, event);
    json_decref(step->result);
    step->result = json_incref((json_t *)result);
    run_ride(step->run, event);
    step->recovered = true;
    if (step->run->state != RUN_ENDED)
        write_verify(step);
}

/* A server that takes requests and never answers must not be sent one after the other for ever. */
static bool sent_often_enough(struct step_run *step)
{
    char *text;

    if (step->resent++ < MAX_RESENT)
        return false;
    step->resent = 0;
    text = ft_asprintf("it was sent %d times, its answer was lost each time, and each time it had not happened: %s", MAX_RESENT + 1, step->fail_text ? step->fail_text : "");
    step_fail(step, FT_REFUSED, text);
    free(text);
    return true;
}

static void did_not_happen(struct step_run *step, const char *by)
{
    json_t *event = ev("doubt.answered", step->path);

    json_object_set_new(event, "happened", json_false());
    json_object_set_new(event, "by", json_string(by));
    run_ride(step->run, event);
    json_decref(step->past);
    step->past = NULL;
    if (step->confirm_told) {                    /* it had been done, and verified */
        if (step->run->state != RUN_ENDED)
            confirm_lapsed(step);
        return;
    }
    /* A person may have it sent as often as they like. */
    if (step->run->state != RUN_ENDED && !(ft_streq(by, "probe") && sent_often_enough(step)))
        write_again(step);
}

static void probe_or_verify(struct step_run *step)
{
    if (step->step->verify)
        verify_start(step, true);
    else
        write_doubt_person(step);
}

static void probed(void *arg, json_t *answer)
{
    struct step_run *step = arg;

    step->call = NULL;
    if (json_is_true(json_object_get(answer, "happened")))
        happened(step, "probe", answer);
    else if (json_is_false(json_object_get(answer, "happened")))
        did_not_happen(step, "probe");
    else
        probe_or_verify(step);
}

static void probe_failed(void *arg, enum ft_class class, const char *text)
{
    struct step_run *step = arg;

    (void)class;
    step->call = NULL;
    set_last(step, ft_strdup(text));
    probe_or_verify(step);
}

static const struct ft_call_handler probe_handler = { .done = probed, .fail = probe_failed };

static void doubt(struct step_run *step, const char *why)
{
    struct ft_err err = { 0 };

    free(step->fail_text);
    step->fail_text = ft_strdup(why);
    step->state = STEP_PROBING;
    confirm_reckon(step, past_event(step, "step.intended"));
    if (!has_entry(step, FT_ENTRY_PROBE)) {
        probe_or_verify(step);
        return;
    }
    if (start_call(step, &step->step->call, FT_ENTRY_PROBE, step->params, &probe_handler, &err) < 0)
        probe_failed(step, err.class, err.text);
}

int write_answer_doubt(struct step_run *step, bool it_happened, const char *who, struct ft_err *reterr)
{
    if (!past_event(step, "doubt.opened"))
        return ft_err_set(reterr, -EINVAL, "step '%s' is being found out already", step->path);
    if (it_happened) {
        json_t *event = ev("doubt.answered", step->path);

        json_object_set_new(event, "happened", json_true());
        json_object_set_new(event, "by", json_string(who));
        confirm_note(step, event);
        run_ride(step->run, event);
        step->recovered = true;
        if (step->confirm_told || !confirm_left_ms(step))
            step->pending_until_ms = 0;          /* it is in force, they say, and the device will not wait for ever */
        if (step->run->state != RUN_ENDED)
            (step->confirm_told ? write_settled : write_verify)(step);
    } else {
        did_not_happen(step, who);
    }
    return 0;
}

/* ---- after a crash: the last intent has neither done nor failed behind it */

static void resume_unproven(struct step_run *step)
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

void write_resume(struct step_run *step)
{
    const json_t *intent = past_event(step, "step.intended");
    const json_t *answer;

    step->params = json_incref(json_object_get(intent, "params"));
    step->plan = json_incref(json_object_get(intent, "plan"));
    step->attempt = (unsigned)ft_json_int(intent, "attempt", 1);
    answer = past_event(step, "step.kept");
    step->receipt = json_incref(answer ? json_object_get(answer, "receipt") : json_object_get(step->plan, "receipt"));
    answer = past_event(step, "step.answered");
    if (answer)
        step->result = json_incref(json_object_get(answer, "result"));
    if (past_event(step, "step.unproven")) {
        resume_unproven(step);
    } else if (confirm_resume(step)) {
        return;
    } else if (answer && !step->confirm_told) {
        confirm_recall(step, answer);
        confirm_or_verify(step);
    } else if ((answer = past_event(step, "doubt.answered")) != NULL && json_is_true(json_object_get(answer, "happened"))) {
        step->recovered = true;
        if (!step->result)
            step->result = json_incref(json_object_get(answer, "result"));
        confirm_recall(step, answer);
        if (ft_streq(ft_json_str(answer, "by"), "verify") || step->confirm_told) {
            step->for_doubt = true;
            step->pending_until_ms = step->confirm_told ? 0 : step->pending_until_ms;
            confirm_start(step);
        } else {
            confirm_or_verify(step);
        }
    } else if (answer) {
        did_not_happen(step, ft_json_str(answer, "by"));
    } else if (past_event(step, "doubt.opened")) {
        step->state = STEP_DOUBT;
        run_check_idle(step->run);
    } else if (step->step->call.effects & FT_EFFECT_IDEMPOTENT) {
        write_again(step);
    } else {
        doubt(step, "fettle was stopped between sending the request and its answer");
    }
}
