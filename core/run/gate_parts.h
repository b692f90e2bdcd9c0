/* gate_parts.h: what the files of gates share: gate.c (its life), gate_event.c (what it asks), gate_time.c (what is due), gate_kinds.c (whose it is). */
#pragma once
#include "run/internal.h"

#define DAY_MS (24ll * 3600 * 1000)

json_t *gate_of(const struct step_run *step);                        /* the newest at its path; borrowed; NULL */
void gate_open(struct step_run *step, json_t *requirement, const char *text);
void gate_wait(struct step_run *step);                               /* goes on to wait at one that is open */
void gate_close(struct step_run *step, bool yes, json_t *by, const char *where, const char *reason, const char *flag);      /* takes by */
void gate_approved(struct step_run *step);
void gate_not_approved(struct step_run *step);
json_t *gate_opened_event(struct step_run *step, const json_t *plan);
/* [{path, planned, now}] between what people saw and what would be done now; NULL: the same. */
json_t *gate_moved(struct step_run *step, const json_t *now);
void gate_set_timer(struct step_run *step);
