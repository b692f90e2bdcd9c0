/* audit_parts.h: the proof, fed row by row: by the store's tables (audit_store.c), or by an export (audit_export.c). Seals come first, then each run
 * with its events, then what lies beside. */
#pragma once
#include "store/audit.h"
#include "store/internal.h"

struct audit {
    json_t *findings;                 /* [{"text", …}] */
    const char *only;                 /* one run; NULL: all */
    bool must_seal;                   /* what is over or parked has a seal: not so only in a store from before there were seals */
    bool part;                        /* not all seals are there: an export */
    /* seals */
    int64_t seals, seal_n, keys_lost, since_ms, last_ms;
    char seal_hash[2 * HASH_LEN + 1], key[2 * KEY_LEN + 1];
    json_t *keys;                     /* all that signed, in order */
    json_t *seal_hashes;              /* number → hash */
    json_t *sealed;                   /* run → [[seq, hash, row digest, seal], …] */
    json_t *plan_digests;             /* digest → [hash of its text, seal] */
    json_t *deleted;                  /* run → [seq, hash, seal] */
    json_t *forgotten;                /* run → {number → seal} */
    json_t *forgotten_plans;          /* digest → seal */
    /* the run at hand */
    char run[16];
    const json_t *marks;              /* its seals */
    size_t mark;                      /* the next of them */
    uint64_t seq, bad_from;           /* bad_from: its chain is broken from there on, said once */
    unsigned char hash[HASH_LEN];
    bool open, runs_on;               /* runs_on: it is neither over nor parked, so its newest events may have no seal yet */
    /* what the events name */
    json_t *blobs_wanted;             /* digest → run */
    json_t *tokens;                   /* "run n" of a personal value that a text names → its commitment, or null */
    json_t *seen_runs;
    json_t *unsealed;
    uint64_t runs, events, blobs, plans, personal, personal_deleted;
};

struct audit_text { const char *text; size_t len; };

void audit_init(struct audit *a, const char *only);
void audit_done(struct audit *a);
/* run, event, seal: what it is about; NULL, 0, 0: nothing of it. */
__attribute__((format(printf, 5, 6)))
void audit_find(struct audit *a, const char *run, uint64_t event, int64_t seal, const char *fmt, ...);

void audit_seal(struct audit *a, int64_t n, int64_t at, struct audit_text text, struct audit_text hash, struct audit_text signature);
void audit_seals_end(struct audit *a, const char *key_file, const unsigned char *trusted);      /* trusted: KEY_LEN bytes, or NULL */
void audit_run(struct audit *a, const struct audit_text columns[RUN_COLUMN_COUNT]);
void audit_event(struct audit *a, int64_t seq, struct audit_text text, struct audit_text hash);
void audit_references(struct audit *a, uint64_t seq, struct audit_text text);      /* of one event: what lies beside it */
void audit_run_end(struct audit *a);
void audit_blob(struct audit *a, const char *digest, struct audit_text bytes);
void audit_plan(struct audit *a, const char *digest, struct audit_text text);
void audit_personal(struct audit *a, const char *run, int64_t n, struct audit_text salt, const char *value, size_t len);      /* value NULL: deleted */
json_t *audit_report(struct audit *a);       /* with what was missing altogether; new reference */
