/* events.c: every kind of event that a run may journal (core/run/run.h), by number; a kind that is not here fails the campaign. */
#include <stddef.h>
#include <string.h>
#include "crash.h"

const char *const kind_names[KINDS_MAX] = {
    "nothing yet", "run.started", "run.resumed", "run.parked", "run.planned", "run.reopened", "run.closing", "run.cancelling", "run.finished",
    "step.started", "step.skipped", "step.intended", "step.kept", "step.answered", "step.attempt", "step.unproven", "step.done", "step.failed", "step.went",
    "confirm.intended", "confirm.done", "confirm.lapsed", "verify.look", "doubt.opened", "doubt.answered",
    "gate.opened", "gate.vote", "gate.answered", "gate.voided", "gate.reminded", "gate.escalated", "gate.noticed", "gate.refused",
    "ask.opened", "ask.answered", "question.answered", "question.refused", "wait.opened", "wait.over", "hold.opened", "hold.over", "policy.passed", "lock.waiting", "lock.taken",
    "each.batch", "each.soak", "each.checked", "rollback.started", "undo.intended", "undo.attempt", "undo.done", "undo.failed", "undo.conflict", "undo.kept",
};

unsigned kind_of(const char *type)
{
    for (unsigned i = 1; i < KINDS_MAX && kind_names[i]; i++)
        if (strcmp(kind_names[i], type) == 0)
            return i;
    return 0;
}

unsigned kind_count(void)
{
    unsigned n = 0;

    while (n < KINDS_MAX && kind_names[n])
        n++;
    return n;
}
