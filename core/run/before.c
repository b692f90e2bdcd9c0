/* before.c: what stands between a write's plan and its intent, in this order: people who were asked, the plan that was approved, the rails of the configuration,
 * the lock on its target. Each may let it go, hold it for a while, or end the step. After every wait all of it is asked again, on a fresh plan.
 * The lock comes last: what waits for people or for a window, for days perhaps, must not keep others away from what it has not touched. */
#include "run/internal.h"

enum { DEFAULT_TIMEOUT_MS = 30000 };

void write_checks(struct step_run *step, bool again)
{
    static enum check (*const checks[])(struct step_run *step) = { gate_check, apply_check, policy_check, lock_check };

    step->again = again;
    if (run_ends(step->run)) {                 /* asked to end while it was planned: what has not gone out does not go out */
        step_halt(step);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(checks); i++)
        if (checks[i](step) != CHECK_GO)
            return;
    write_intend(step);
}

void write_again(struct step_run *step)
{
    if (step->veiled) {                        /* another life sent it: what it sent is not known here */
        step_fail(step, FT_REFUSED, "it did not happen, and is not sent again: a secret stands in its parameters, and the journal keeps none");
        return;
    }
    step->again = true;
    write_begin(step);
}

void write_look_again(struct step_run *step)
{
    run_goes_on(step->run);
    write_begin(step);
}

static uint64_t call_ms(const struct ft_action_info *info, uint64_t own)
{
    return own ? own : info && info->action->timeout_ms ? info->action->timeout_ms : DEFAULT_TIMEOUT_MS;
}

static uint64_t own_undo_ms(const struct ft_step *def)
{
    return def->undo == FT_UNDO_AUTO ? call_ms(def->call.action, 0) : def->undo == FT_UNDO_CALL ? call_ms(def->undo_call.action, 0) : 0;
}

uint64_t run_own_undo_ms(const struct step_run *step)
{
    return own_undo_ms(step->step);
}

/* plan: what it would send, where that is known. A device that takes the change back by itself has to be done with it, too. */
uint64_t write_step_ms(const struct ft_step *def, const json_t *plan)
{
    uint64_t call = call_ms(def->call.action, def->timeout_ms), proof = def->verify ? def->verify->within_ms : 0;

    return call + ft_max(proof, confirm_window_ms(plan)) + own_undo_ms(def);
}

uint64_t ft_run_write_ms(const struct ft_step *step)
{
    return write_step_ms(step, NULL);
}

uint64_t write_need_ms(const struct step_run *step)
{
    return write_step_ms(step->step, step->plan) + run_undo_ms(step->run);
}
