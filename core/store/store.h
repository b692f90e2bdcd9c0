/* store.h: where runs live. A small interface; SQLite below it (store/sqlite_*.c). SQL stays in here.
 *
 * A run is the sequence of its events (numbered from 1, chained by hash). Events are queued on the loop thread and written by one
 * writer thread, many runs in one transaction (group commit). How durable an event must be is said when it is appended:
 *
 *   FT_RIDE     goes with the next commit of anybody, at the latest after 20 ms
 *   FT_COMMIT   in the database file before `written` is called: survives kill -9, not a power cut (no flush)
 *   FT_DURABLE  flushed (fsync) before `written` is called, with everything appended before it
 *
 * A failed commit (full disk, read-only file) is told to every waiting caller; nothing is lost in silence, and later appends of the run fail too.
 *
 * N durable appends of a process flush at most N + 1 times, wherever the log stands: give the run's final ft_store_run_put (with ended_ms) in the
 * same turn as its last durable event, as that is when the log is moved into the database. (Once in a store's life its key is made, with two more.)
 */
#pragma once
#include <jansson.h>
#include "loop/loop.h"

struct ft_store;
enum ft_durability { FT_RIDE, FT_COMMIT, FT_DURABLE };

struct ft_store_stats { uint64_t events, commits, flushes; };

/* Names of further members whose values are personal: hostname, ip … A list of texts; NULL: none. */
void ft_store_set_personal(struct ft_store *store, const json_t *fields);

/* Creates or migrates the file (mode 0600, its directory 0700). A newer schema, or a file that is not ours, is an error that says so. */
int ft_store_open(struct ft_loop *loop, const char *path, struct ft_store **ret, struct ft_err *reterr);
/* Writes what is queued, durable, then closes. */
struct ft_store *ft_store_close(struct ft_store *store);
void ft_store_stats(const struct ft_store *store, struct ft_store_stats *ret);
const char *ft_store_path(const struct ft_store *store);
/* Where the key lies that signs the seals (audit.h); before anything is written. Without: beside the store, made when it is first needed. */
void ft_store_set_key(struct ft_store *store, const char *path);

/* ---- runs */
struct ft_run_info {
    const char *id;               /* 8 lower-case hex digits; people may use any unambiguous prefix of at least 4 */
    const char *playbook;         /* name */
    const char *digest;           /* of the playbook (its source, and the sources it calls) */
    const char *mode;             /* "run" or "dry_run" */
    const char *status;           /* running, parked, finished, failed, rolled_back, cancelled */
    const char *outcome;          /* its name, "" before the end */
    uint64_t started_ms, ended_ms;
    const char *summary;          /* one line: the diagnosis, or what it waits for */
    const char *owner;            /* the process that runs it now: "pid:start:boot id"; "" for none. Put as NULL: this one until the run is over */
    bool alive;                   /* that process lives; not put */
    const json_t *params;
};
/* Reserves an id that is not taken. ret of at least 9 bytes. */
void ft_store_new_id(struct ft_store *store, char ret[9]);
/* Queued in front of the run's first event, same commit. Strings are copied. */
void ft_store_run_put(struct ft_store *store, const struct ft_run_info *info);
/* Newest first; at most `limit` (0: 100); status NULL: any. fn gets a borrowed info. Sees what is queued, too. */
int ft_store_runs(struct ft_store *store, const char *status, unsigned limit, void (*fn)(void *arg, const struct ft_run_info *info), void *arg,
                  struct ft_err *reterr);
/* By id or unambiguous prefix. -ENOENT, -EEXIST (ambiguous: the sentence lists them). id of at least 9 bytes. */
int ft_store_find(struct ft_store *store, const char *prefix, char ret_id[9], struct ft_err *reterr);
/* Unfinished runs whose owner is gone, for resume: status running or parked. */
int ft_store_claim(struct ft_store *store, const char *id, struct ft_err *reterr);      /* this process is its owner now; -EBUSY with who holds it */
/* Many of them in one commit. ret[i]: it is this process's now; why not says ft_store_claim. */
void ft_store_claim_all(struct ft_store *store, const char (*ids)[9], size_t count, bool *ret);

bool ft_store_owner_alive(struct ft_store *store, const char *id);                      /* another process has it in its hands */
/* ---- runs that wait (parked.c): many thousands of them, so each is a row and nothing more */
/* When a parked run wants to be looked at although nobody answered: ms since 1970; UINT64_MAX: never. Rides with the run's row. */
void ft_store_wake_at(struct ft_store *store, const char *id, uint64_t wake_ms);
/* This process is done with a run that is not over: whoever comes first may claim it. Queued behind its events. */
void ft_store_rest(struct ft_store *store, const char *id);
struct ft_open_run {
    char id[9];
    bool parked;                  /* else it runs, or ran when its process died */
    bool held, ours;              /* a living process owns it; it is this one */
    uint64_t wake_ms;             /* 0: not known */
};
/* Every run that is not over, dry runs left out. Sees what is queued, too. */
int ft_store_open_runs(struct ft_store *store, void (*fn)(void *arg, const struct ft_open_run *run), void *arg, struct ft_err *reterr);

/* ---- events */
/* event: object with "type" (and what belongs to it); "seq", "at" are set here. Taken over. written may be NULL; called from the loop, code 0 or
 * negative. */
int ft_store_append(struct ft_store *store, const char *run_id, json_t *event, enum ft_durability durability,
                    void (*written)(void *arg, int code, const struct ft_err *err), void *arg, struct ft_err *reterr);
/* Forget the callback (the run goes away); the event is written all the same. */
void ft_store_forget(struct ft_store *store, void *arg);
/* All events in order, results referenced by "$blob" already filled in. New reference to an array. */
int ft_store_events(struct ft_store *store, const char *run_id, uint64_t from_seq, json_t **ret, struct ft_err *reterr);
/* Recompute the chain of one run (NULL: all). -EBADMSG with the first event that is wrong. */
int ft_store_verify(struct ft_store *store, const char *run_id, struct ft_err *reterr);

/* ---- things by digest: playbook sources, large results. Riding; the digest is SHA-256 of the bytes. */
void ft_store_blob_put(struct ft_store *store, const char *bytes, size_t len, char ret_digest[65]);
int ft_store_blob_get(struct ft_store *store, const char *digest, char **ret_bytes, size_t *ret_len, struct ft_err *reterr);   /* malloced */

/* ---- plans, by digest (run/plan.h). text: the plan; put is riding. get: by digest or at least 4 of its digits; text malloced */
void ft_store_plan_put(struct ft_store *store, const char *digest, const char *run_id, const char *text);
int ft_store_plan_get(struct ft_store *store, const char *prefix, uint64_t *ret_at, char **ret_text, struct ft_err *reterr);

/* ---- locks: all of one run together, or none. Durable with the run's first event. */
/* keys: array of strings, taken in sorted order. -EBUSY: *ret_holder (malloced) says who and why. */
int ft_store_lock(struct ft_store *store, const char *run_id, const json_t *keys, const char *reason, char **ret_holder, struct ft_err *reterr);
/* As ft_store_lock, of things that lie in one place ("site/hq"; NULL: none is known). Whoever has locked the place holds the things in it, and the
 * place cannot be locked while another run holds one of them. */
int ft_store_lock_within(struct ft_store *store, const char *run_id, const json_t *keys, const char *within, const char *reason, char **ret_holder,
                         struct ft_err *reterr);
/* All of them; queued behind the run's last event, and kept where that could not be written. */
void ft_store_unlock(struct ft_store *store, const char *run_id);
void ft_store_unlock_key(struct ft_store *store, const char *run_id, const char *key);
/* [{"key","run","within","reason","since","playbook","status","summary","alive"}]: "status" is the run's ("": it has not begun), "alive" whether a
 * process runs it. _all: also those that hold nothing any more (their run is over, or its process died before it began), with "stale": true. */
int ft_store_locks(struct ft_store *store, json_t **ret, struct ft_err *reterr);
int ft_store_locks_all(struct ft_store *store, json_t **ret, struct ft_err *reterr);

/* ---- what people answered (answers.c): a row is written by whoever asks them, and taken by the process that runs the run. It lies behind no
 * run's journal: whoever takes it journals it with the number of the row, and so takes it once, whatever dies in between. */
/* Durable when it returns. run_id "": of no run. */
int ft_answer_put(struct ft_store *store, const char *run_id, const char *gate, const json_t *answer, uint64_t *ret_row, struct ft_err *reterr);
void ft_answer_note(struct ft_store *store, const char *run_id, const char *gate, const json_t *answer);     /* rides with what was appended */
/* Likewise. Where the run's events could not be written, neither is this, though there be space again: whoever goes on with the run takes the row. */
void ft_answer_taken(struct ft_store *store, const char *run_id, uint64_t row);
/* [{"row","run","gate","at","answer"}], oldest first. run_id, gate NULL: of all. New reference. */
int ft_answers(struct ft_store *store, const char *run_id, const char *gate, bool taken_too, json_t **ret, struct ft_err *reterr);
/* Whether anything was written since the call before with this *since (0 at first). Costs next to nothing. */
bool ft_store_changed(struct ft_store *store, int64_t *since);

/* ---- budgets (budgets.c): how often something was done in the time behind us. Atomic over all processes that use the store. */
struct ft_spend {
    const char *budget, *group;   /* what is counted: "policy name", "site/HQ" */
    unsigned at_most;
    uint64_t in_ms;
    unsigned n;                   /* how many it takes at once; 0 is 1 */
    bool runs;                    /* counts the other runs that did it, instead of how often it was done */
    unsigned used;                /* given back: by others than this write, in the time behind us */
    uint64_t room_ms;             /* given back: when there is room (wall clock); 0: now */
};
/* Takes one of each, or none: -EDQUOT when one of them is used up. A write is known by run, path and attempt: taken again it is not counted twice, but
 * counts from now on. In the database file when it returns, so before whatever is appended afterwards. take false: only looks. */
int ft_store_spend(struct ft_store *store, const char *run_id, const char *path, unsigned attempt, uint64_t now_ms, struct ft_spend *spends,
                   size_t count, bool take, struct ft_err *reterr);
