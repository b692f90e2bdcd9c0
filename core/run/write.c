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
    json_object_set_new(event, "title", json_string(step->title));
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
    if (run_veils(step->run, receipt))
        json_object_set_new(event, "veiled", json_true());
    json_decref(step->receipt);
    step->receipt = json_incref((json_t *)receipt);
    r = run_journal(step->run, event, FT_DURABLE, kept, step, &err);
    if (r < 0)
        ft_call_kept(call, r);
}

int write_call(struct step_run *step, enum ft_entry_kind entry, const struct ft_call_handler *handler, struct ft_err *reterr)
{
    const struct ft_call_spec *spec = &step->step->call;
    struct ft_call_req req = {
        .info = spec->action, .entry = entry, .params = step->params, .receipt = step->receipt, .run_id = step->run->id, .released = step->run->released, .timeout_ms = step->step->timeout_ms,
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
    if (run_ends(step->run)) {                           /* begun by an earlier life, and not sent */
        step_halt(step);
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
    if (write_call(step, FT_ENTRY_RUN, &read_handler, &err) < 0)
        fail_with(step, &err);
}

/* ---- plan and intent */

bool write_has(const struct step_run *step, enum ft_entry_kind entry)
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
    step->result = ft_secret_redact_json(step->run->engine->o.secrets, result);
    if (step->step->verify)
        verify_start(step, false);
    else
        step_done(step, json_incref(step->result));
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
    step->plan = json_copy(plan);
    json_object_del(step->plan, "leaves");           /* for plans of what follows, not for the journal */
    json_object_del(step->plan, "blurs");
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

    if (run_ends(run)) {
        step_halt(step);
        return;
    }
    step->nothing = false;
    if (!run_has_counted(run, step->path) && run->writes >= ft_playbook_max_writes(run->playbook)) {
        ft_err_set(&err, -EDQUOT, "this would be write %u of the run, and the playbook allows %u (limits: writes)", run->writes + 1, ft_playbook_max_writes(run->playbook));
        step_fail(step, FT_REFUSED, err.text);
        return;
    }
    json_decref(step->plan);
    step->plan = NULL;
    if (!write_has(step, FT_ENTRY_PLAN)) {
        write_checks(step, step->again);
        return;
    }
    step->state = STEP_INTENDING;
    if (write_call(step, FT_ENTRY_PLAN, &plan_handler, &err) < 0)
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

/* Asked to end while its intent was being written: the journal says that it never went out. */
static void withdraw(struct step_run *step)
{
    json_t *event = ev("doubt.answered", step->path);

    json_object_set_new(event, "happened", json_false());
    json_object_set_new(event, "by", json_string("not sent"));
    run_ride(step->run, event);
    if (step->run->state != RUN_ENDED)
        step_halt(step);
}

static void intended(void *arg, int code, const struct ft_err *err)
{
    struct step_run *step = arg;

    if (code < 0)
        run_broken(step->run, err);
    else if (run_ends(step->run))
        withdraw(step);
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

    json_object_set_new(event, "title", json_string(step->title));
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
    if (run_veils(run, step->params) || run_veils(run, json_object_get(event, "undo")) || run_veils(run, json_object_get(step->plan, "receipt")))
        json_object_set_new(event, "veiled", json_true());
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
        write_doubt(step, text);
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
    if (write_call(step, FT_ENTRY_RUN, &write_handler, &err) < 0)
        fail_with(step, &err);
}
