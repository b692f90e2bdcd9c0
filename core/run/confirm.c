/* confirm.c: dead-man commits. The device holds a change for a while, and takes it back by itself unless it is confirmed.
 *
 *   answered ─► verified ─► intend (durable) ─► confirm ─► done
 *                  │             ▲    └ failed, or its answer is lost: probe ─► in force for good: done
 *                  │             └────── pending, and there is time ────┤
 *                  │                                                    ├─► pending, and the timer is nearly over: never confirmed, taken back
 *                  └─► not proven: never confirmed, taken back          └─► gone: the device took it back by itself: the step fails
 *
 * `step.unproven` is the point behind which nothing is confirmed any more; `confirm.intended` the one behind which nobody knows without asking.
 * A change is never both confirmed and taken back by us: a confirmation that may have arrived is found out first. */
#include "run/internal.h"
#include "base/text.h"
#include "data/json.h"

enum { MARGIN_MS = 10000, AGAIN_MS = 2000, LATE_TRIES = 5, PENDING_TRIES = 60, CALL_MS = 60000 };

static const json_t *reverts_of(const json_t *plan)
{
    const json_t *reverts = json_object_get(plan, "reverts");

    return json_is_true(json_object_get(reverts, "later")) ? NULL : reverts;
}

uint64_t confirm_window_ms(const json_t *plan)
{
    return (uint64_t)ft_json_int(reverts_of(plan), "after_s", 0) * 1000;
}

static bool has_confirm(const struct step_run *step)
{
    return ft_action_has(step->step->call.action->action, FT_ENTRY_CONFIRM);
}

/* As an earlier life of the run had it. */
void confirm_recall(struct step_run *step, const json_t *event)
{
    step->pending_until_ms = (uint64_t)ft_json_int(event, "pending_until", 0);
}

/* What is left for a confirmation to arrive in before the device takes it back. */
static uint64_t margin_ms(uint64_t window)
{
    return ft_min(window / 5, (uint64_t)MARGIN_MS);
}

int confirm_check(const struct ft_step *def, const json_t *plan, struct ft_err *reterr)
{
    uint64_t window = confirm_window_ms(plan), need = def->verify ? def->verify->within_ms + margin_ms(window) : 0;
    char has[32], wants[32];

    if (!window || window >= need)
        return 0;
    return ft_err_class(reterr, FT_INVALID, -ERANGE, "its verify may take %s, but the device takes the change back by itself after %s: give the change more time to be "
                        "confirmed (confirm_within), or verify less (within)", ft_duration_format(def->verify->within_ms, wants, sizeof(wants)),
                        ft_duration_format(window, has, sizeof(has)));
}

void confirm_forget(struct step_run *step)
{
    step->pending_until_ms = 0;
    step->confirm_told = false;
    step->late_tries = 0;
}

void confirm_pends(struct step_run *step, uint64_t ms)
{
    step->pending_until_ms = ms ? run_now_ms(step->run) + ms : 0;
}

/* Of a write whose answer is lost: it pends from its intent on at the earliest. */
void confirm_reckon(struct step_run *step, const json_t *intent)
{
    uint64_t window = confirm_window_ms(step->plan);

    if (window && !step->pending_until_ms && has_confirm(step))
        step->pending_until_ms = (uint64_t)ft_json_int(intent, "at", (json_int_t)run_now_ms(step->run)) + window;
}

void confirm_note(const struct step_run *step, json_t *event)
{
    if (step->pending_until_ms)
        json_object_set_new(event, "pending_until", json_integer((json_int_t)step->pending_until_ms));
}

/* How long a verification may take from now on. */
uint64_t confirm_left_ms(const struct step_run *step)
{
    uint64_t now = run_now_ms(step->run), margin = margin_ms(confirm_window_ms(step->plan) ? confirm_window_ms(step->plan) : 5 * MARGIN_MS);

    if (!step->pending_until_ms)
        return UINT64_MAX;
    return step->pending_until_ms > now + margin ? step->pending_until_ms - margin - now : 0;
}

static bool is_over(const struct step_run *step)
{
    return run_now_ms(step->run) >= step->pending_until_ms;
}

static int start(struct step_run *step, enum ft_entry_kind entry, uint64_t most_ms, const struct ft_call_handler *handler, struct ft_err *reterr)
{
    struct ft_call_req req = {
        .info = step->step->call.action, .entry = entry, .params = step->params, .receipt = step->receipt, .result = step->result, .run_id = step->run->id,
        .released = step->run->released,
        .timeout_ms = ft_min(most_ms, (uint64_t)CALL_MS),
    };

    return ft_call_start(step->run->engine->o.registry, &req, handler, step, &step->call, reterr);
}

/* ---- the ends */

static void settle(struct step_run *step)
{
    step->pending_until_ms = 0;
    write_settled(step);
}

void confirm_lapsed(struct step_run *step)
{
    char *text = ft_asprintf("nobody confirmed it in time%s%s, and the device took it back by itself", step->fail_text ? ": " : "", step->fail_text ? step->fail_text : "");

    step->pending_until_ms = 0;
    step_fail(step, FT_TIMEOUT, text);
    free(text);
}

static void done_written(void *arg, int code, const struct ft_err *err)
{
    struct step_run *step = arg;

    if (code < 0)
        run_broken(step->run, err);
    else
        settle(step);
}

static void confirmed(struct step_run *step, const char *by, json_t *result)
{
    json_t *event = ev("confirm.done", step->path);
    struct ft_err err = { 0 };

    if (json_object_size(result)) {
        json_decref(step->result);
        step->result = json_incref(result);
        json_object_set(event, "result", result);
    }
    if (by)
        json_object_set_new(event, "by", json_string(by));
    if (by && step->fail_text)
        json_object_set_new(event, "error", json_string(step->fail_text));
    step->state = STEP_CONFIRMING;
    if (run_journal(step->run, event, FT_COMMIT, done_written, step, &err) < 0)
        run_broken(step->run, &err);
}

static void give_up(struct step_run *step)
{
    const char *why = step->run->closing ? step->run->closing : step->fail_text;
    char *text = ft_asprintf("it could not be confirmed in time%s%s", why ? ": " : "", why ? why : "");

    free(step->fail_text);
    step->fail_text = text;
    step->fail_class = FT_TIMEOUT;
    write_unproven(step);
}

/* ---- finding out */

static void confirm_call(void *arg);
static void confirm_ask(void *arg);

static void later(struct step_run *step, void (*what)(void *arg))
{
    step->state = STEP_CONFIRMING;
    step->timer = ft_timer_start(step->run->engine->o.loop, AGAIN_MS, what, step);
}

static void probed(void *arg, json_t *answer)
{
    struct step_run *step = arg;
    bool pending = json_is_true(json_object_get(answer, "pending"));

    step->call = NULL;
    if (!json_is_true(json_object_get(answer, "happened"))) {
        confirm_lapsed(step);
    } else if (!pending && step->confirm_told) {
        confirmed(step, "probe", NULL);
    } else if (!pending || !step->confirm_told) {      /* not verified yet */
        step->pending_until_ms = pending ? step->pending_until_ms : 0;
        write_verify(step);
    } else if (confirm_left_ms(step) && !step->run->closing) {
        later(step, confirm_call);
    } else {
        give_up(step);
    }
}

/* Neither the device nor its plugin can tell. While the timer runs, a confirmation may be sent again; behind it what is there is what counts. */
static void cannot_tell(struct step_run *step, enum ft_class class)
{
    bool passes = class == FT_UNREACHABLE || class == FT_TIMEOUT || class == FT_CONFLICT || class == FT_REFUSED;

    if (!is_over(step) && step->confirm_told)
        later(step, confirm_call);
    else if (!is_over(step))
        write_verify(step);
    else if (passes && step->late_tries++ < LATE_TRIES)
        later(step, confirm_ask);
    else if (step->step->verify)
        write_verify_for_doubt(step);
    else
        write_doubt_person(step);
}

static void probe_failed(void *arg, enum ft_class class, const char *text)
{
    struct step_run *step = arg;

    (void)text;
    step->call = NULL;
    if (class == FT_CANCELLED)
        write_left_in_doubt(step);
    else
        cannot_tell(step, class);
}

static const struct ft_call_handler probe_handler = { .done = probed, .fail = probe_failed };

static void confirm_ask(void *arg)
{
    struct step_run *step = arg;
    struct ft_err err = { 0 };

    step->timer = NULL;
    step->state = STEP_CONFIRMING;
    if (!ft_action_has(step->step->call.action->action, FT_ENTRY_PROBE))
        cannot_tell(step, FT_INVALID);
    else if (start(step, FT_ENTRY_PROBE, CALL_MS, &probe_handler, &err) < 0)
        probe_failed(step, err.class ? err.class : FT_INVALID, err.text);
}

/* ---- the call */

static void called(void *arg, json_t *result)
{
    struct step_run *step = arg;

    step->call = NULL;
    confirmed(step, NULL, result);
}

static void call_failed(void *arg, enum ft_class class, const char *text)
{
    struct step_run *step = arg;

    step->call = NULL;
    if (class == FT_CANCELLED) {
        write_left_in_doubt(step);
        return;
    }
    free(step->fail_text);
    step->fail_text = ft_strdup(text);
    confirm_ask(step);
}

static const struct ft_call_handler confirm_handler = { .done = called, .fail = call_failed };

static void confirm_call(void *arg)
{
    struct step_run *step = arg;
    uint64_t now = run_now_ms(step->run);
    struct ft_err err = { 0 };

    step->timer = NULL;
    step->state = STEP_CONFIRMING;
    if (!confirm_left_ms(step) || step->run->closing)
        confirm_ask(step);
    else if (start(step, FT_ENTRY_CONFIRM, step->pending_until_ms - now, &confirm_handler, &err) < 0)
        call_failed(step, err.class ? err.class : FT_INVALID, err.text);
}

static void intended(void *arg, int code, const struct ft_err *err)
{
    struct step_run *step = arg;

    if (code < 0)
        run_broken(step->run, err);
    else
        confirm_call(step);
}

void confirm_start(struct step_run *step)
{
    json_t *event;
    struct ft_err err = { 0 };

    if (!step->pending_until_ms) {
        write_settled(step);
        return;
    }
    if ((step->confirm_told || step->for_doubt) && is_over(step)) {       /* it was seen behind the end of the timer: it stays */
        confirmed(step, "what is there", NULL);
        return;
    }
    if (step->run->closing && !step->confirm_told && !step->for_doubt) {   /* all is being taken back */
        give_up(step);
        return;
    }
    step->confirm_told = true;
    event = ev("confirm.intended", step->path);
    confirm_note(step, event);
    step->state = STEP_CONFIRMING;
    if (run_journal(step->run, event, FT_DURABLE, intended, step, &err) < 0)
        run_broken(step->run, &err);
}

/* ---- without an undo: the device does it */

enum lapsed { LAPSED_GONE, LAPSED_THERE, LAPSED_UNSEEN };

static void lapse_end(struct step_run *step, enum lapsed how)
{
    static const char *const words[] = {
        [LAPSED_GONE] = "it was not confirmed, and the device took it back by itself",
        [LAPSED_THERE] = "it was not confirmed, but it is still in force, though the device should have taken it back by now",
        [LAPSED_UNSEEN] = "it was not confirmed, so the device takes it back by itself; whether it has done so could not be seen",
    };
    json_t *event = ev("confirm.lapsed", step->path);
    char *text = ft_asprintf("%s; %s", step->fail_text, words[how]);

    json_object_set_new(event, "title", json_string(step->title));
    json_object_set_new(event, "action", json_string(step->step->call.name));
    if (how != LAPSED_UNSEEN)
        json_object_set_new(event, "gone", json_boolean(how == LAPSED_GONE));
    step->pending_until_ms = 0;
    run_ride(step->run, event);
    if (step->run->state != RUN_ENDED)
        step_fail(step, step->fail_class, text);
    free(text);
}

static void lapse_look(void *arg);

static void lapse_known(void *arg, json_t *answer)
{
    struct step_run *step = arg;

    step->call = NULL;
    if (!json_is_true(json_object_get(answer, "happened")))
        lapse_end(step, LAPSED_GONE);
    else if (json_is_true(json_object_get(answer, "pending")) && step->late_tries++ < PENDING_TRIES)       /* its commit took a while, too */
        later(step, lapse_look);
    else
        lapse_end(step, LAPSED_THERE);
}

static void lapse_unknown(void *arg, enum ft_class class, const char *text)
{
    struct step_run *step = arg;

    (void)text;
    step->call = NULL;
    if (class == FT_CANCELLED)
        write_left_in_doubt(step);
    else if ((class == FT_UNREACHABLE || class == FT_TIMEOUT) && step->late_tries++ < LATE_TRIES)
        later(step, lapse_look);
    else
        lapse_end(step, LAPSED_UNSEEN);
}

static const struct ft_call_handler lapse_handler = { .done = lapse_known, .fail = lapse_unknown };

static void lapse_look(void *arg)
{
    struct step_run *step = arg;
    struct ft_err err = { 0 };

    step->timer = NULL;
    if (!ft_action_has(step->step->call.action->action, FT_ENTRY_PROBE))
        lapse_unknown(step, FT_INVALID, "");
    else if (start(step, FT_ENTRY_PROBE, CALL_MS, &lapse_handler, &err) < 0)
        lapse_unknown(step, err.class ? err.class : FT_INVALID, err.text);
}

void confirm_let_lapse(struct step_run *step)
{
    uint64_t now = run_now_ms(step->run), end = step->pending_until_ms + AGAIN_MS;

    step->state = STEP_CONFIRMING;
    step->timer = ft_timer_start(step->run->engine->o.loop, end > now ? end - now : 0, lapse_look, step);
}

/* ---- after a crash */

/* False: nothing of it happened yet, or a person has the word. */
bool confirm_resume(struct step_run *step)
{
    const json_t *event = past_event(step, "confirm.done");

    if (event) {
        if (json_object_get(event, "result")) {
            json_decref(step->result);
            step->result = json_incref(json_object_get(event, "result"));
        }
        write_settled(step);
        return true;
    }
    event = past_event(step, "confirm.intended");
    if (!event)
        return false;
    step->confirm_told = true;
    confirm_recall(step, event);
    event = past_event(step, "doubt.answered");
    if (event || past_event(step, "doubt.opened"))
        return false;
    confirm_ask(step);
    return true;
}

/* Answered, and fettle was away: is it still there? Otherwise it is verified as ever. */
void confirm_or_verify(struct step_run *step)
{
    if (step->pending_until_ms && !confirm_left_ms(step))
        confirm_ask(step);
    else
        write_verify(step);
}
