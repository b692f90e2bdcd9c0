/* retain.h: deleting from the record without breaking it: what is personal in runs that are over, or such runs as a whole.
 *
 * What was deleted, by whom and why stands in a seal, so that the proof (audit.h) still holds. The bytes are gone from the database and its log. Runs of a
 * time before values were kept apart (schema 1) can only be deleted as a whole. */
#pragma once
#include "store/store.h"

struct ft_retain {
    const char *run;              /* only this one; NULL: all that are over */
    const char *value;            /* only this value: a MAC address in any notation, or a name; NULL: all */
    uint64_t before_ms;           /* runs that ended before; 0: whenever */
    bool whole;                   /* the runs themselves */
    const char *who, *why;        /* as the seal will say it */
};
struct ft_retained {
    unsigned runs, values, blobs;
    unsigned busy;                /* runs that are not over and have the value: they need it */
    unsigned old;                 /* runs from before values were kept apart */
    bool in_log;                  /* another process reads: the bytes go from the log when it has ended and this is done again */
};
int ft_store_retain(struct ft_store *store, const struct ft_retain *what, struct ft_retained *ret, struct ft_err *reterr);
/* Whether something that is done every `every_ms` is due; then it is noted as done now. */
bool ft_store_due(struct ft_store *store, const char *what, uint64_t every_ms);
/* How many personal values of a run were deleted: it cannot be gone on with. */
unsigned ft_store_forgotten(struct ft_store *store, const char *run_id);
