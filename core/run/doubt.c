/* doubt.c: a write that was sent and whose answer is not known: the action's probe, its verification or a person finds out; and the resume of a write. */
#include "run/internal.h"

enum { MAX_RESENT = 2 };

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
    json_object_set_new(event, "title", json_string(step->title));
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

    json_object_set_new(event, "title", json_string(step->title));
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

/* where: of a person; NULL: nobody was asked. */
static void did_not_happen(struct step_run *step, const char *by, const char *where)
{
    json_t *event = ev("doubt.answered", step->path);

    json_object_set_new(event, "title", json_string(step->title));
    json_object_set_new(event, "happened", json_false());
    json_object_set_new(event, "by", json_string(by));
    if (where)
        question_sign(step->run, event, where);
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
        did_not_happen(step, "probe", NULL);
    else
        probe_or_verify(step);
}

static void probe_failed(void *arg, enum ft_class class, const char *text)
{
    struct step_run *step = arg;

    (void)class;
    step->call = NULL;
    verify_saw(step, ft_strdup(text));
    probe_or_verify(step);
}

static const struct ft_call_handler probe_handler = { .done = probed, .fail = probe_failed };

void write_doubt(struct step_run *step, const char *why)
{
    struct ft_err err = { 0 };

    free(step->fail_text);
    step->fail_text = ft_strdup(why);
    step->state = STEP_PROBING;
    confirm_reckon(step, past_event(step, "step.intended"));
    if (!write_has(step, FT_ENTRY_PROBE)) {
        probe_or_verify(step);
        return;
    }
    if (write_call(step, FT_ENTRY_PROBE, &probe_handler, &err) < 0)
        probe_failed(step, err.class, err.text);
}

int write_answer_doubt(struct step_run *step, bool it_happened, const char *who, const char *where, struct ft_err *reterr)
{
    if (!past_event(step, "doubt.opened"))
        return ft_err_set(reterr, -EINVAL, "step '%s' is being found out already", step->path);
    if (it_happened) {
        json_t *event = ev("doubt.answered", step->path);

        json_object_set_new(event, "title", json_string(step->title));
        json_object_set_new(event, "happened", json_true());
        json_object_set_new(event, "by", json_string(who));
        question_sign(step->run, event, where);
        confirm_note(step, event);
        run_ride(step->run, event);
        step->recovered = true;
        if (step->confirm_told || !confirm_left_ms(step))
            step->pending_until_ms = 0;          /* it is in force, they say, and the device will not wait for ever */
        if (step->run->state != RUN_ENDED)
            (step->confirm_told ? write_settled : write_verify)(step);
    } else {
        did_not_happen(step, who, where);
    }
    return 0;
}

/* ---- after a crash: the last intent has neither done nor failed behind it */

static bool has_asterisks(const json_t *params)
{
    char *text = ft_json_text(params);
    bool has = strstr(text, "***") != NULL;

    free(text);
    return has;
}

void write_resume(struct step_run *step)
{
    const json_t *intent = past_event(step, "step.intended");
    const json_t *answer;

    step->params = json_incref(json_object_get(intent, "params"));
    step->veiled = json_object_get(intent, "veiled") && has_asterisks(step->params);
    step->plan = json_incref(json_object_get(intent, "plan"));
    step->attempt = (unsigned)ft_json_int(intent, "attempt", 1);
    answer = past_event(step, "step.kept");
    step->receipt = json_incref(answer ? json_object_get(answer, "receipt") : json_object_get(step->plan, "receipt"));
    answer = past_event(step, "step.answered");
    if (answer)
        step->result = json_incref(json_object_get(answer, "result"));
    if (past_event(step, "step.unproven")) {
        verify_resume_unproven(step);
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
        did_not_happen(step, ft_json_str(answer, "by"), NULL);
    } else if (past_event(step, "doubt.opened")) {
        if (!step->confirm_told)
            confirm_reckon(step, intent);        /* should a person say that it happened, the device still waits */
        step->state = STEP_DOUBT;
        run_check_idle(step->run);
    } else if (step->step->call.effects & FT_EFFECT_IDEMPOTENT && !run_ends(step->run)) {
        write_again(step);
    } else {
        write_doubt(step, "fettle was stopped between sending the request and its answer");
    }
}
