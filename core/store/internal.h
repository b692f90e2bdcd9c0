/* internal.h: how the store is built.
 *
 *   loop thread                                           writer thread
 *   append … → staged ──(a commit is asked for, or 20 ms)──► queue ──► one transaction for all that is there
 *   written() ◄── delivered ◄────────(ft_wake)───────────── done
 *
 * The loop thread turns JSON into text, so that the writer touches no JSON. Each run that was written to has a `chain`: its next
 * number is the loop thread's, its row and last hash are the writer's. A chain lives until its run is over and nothing of it is queued.
 * Reading happens on the loop thread after the queue was written (store_flush). */
#pragma once
#include <pthread.h>
#include <sqlite3.h>
#include "base/buf.h"
#include "base/util.h"
#include "store/store.h"

#define HASH_LEN 32
#define KEY_LEN 32
#define SIGNATURE_LEN 64
#define SALT_LEN 16
#define APPLICATION_ID 0x46746c31     /* "Ftl1": marks the file as ours */
#define INLINE_MAX (64 * 1024)        /* a field of an event beyond this lies in the blobs */
#define STATUS_OVER "('finished', 'failed', 'rolled_back', 'cancelled')"

struct chain {
    struct chain *next;               /* in its bucket */
    char id[9];
    /* the loop thread's */
    uint64_t seq, at_ms;              /* of the newest event appended */
    unsigned queued;                  /* operations on their way */
    bool known, over;                 /* it has a row, or one is queued; its status is final */
    struct ft_err *failed;            /* why nothing more is taken */
    bool told;                        /* somebody knows of it */
    bool rests;                       /* nobody in this process goes on with it: dropped like one that is over */
    /* the writer's */
    int64_t row;                      /* 0: not inserted yet */
    bool broken;                      /* an earlier event could not be written */
    bool stands;                      /* its row says that it is over or parked: what is added to it is sealed at once */
    struct personal *personal;        /* the loop thread's: values kept apart, see personal.c */
    uint64_t dirty_since;             /* the seal that comes next has to cover it, see seal.c */
    unsigned char hash[HASH_LEN];     /* of the newest event written */
};

enum op_kind { OP_EVENT, OP_RUN, OP_BLOB, OP_UNLOCK, OP_LOCK, OP_CLAIM, OP_OWN, OP_BARRIER };
enum run_field { RUN_PLAYBOOK, RUN_DIGEST, RUN_MODE, RUN_STATUS, RUN_OUTCOME, RUN_SUMMARY, RUN_OWNER, RUN_PARAMS, RUN_FIELDS };

/* Whether the log's name is certain to be found after a power cut, see sqlite_open.c. */
enum log_name { LOG_NAMED, LOG_NAMED_BY_SQLITE, LOG_UNNAMED };

/* The key that signs the seals, see key.c. */
struct seal_key { bool there; unsigned char public[KEY_LEN], secret[64]; };

/* What waits for its seal: rows of `runs`. */
struct rows { int64_t *items; size_t count, size; };

/* One thing to write. All texts lie behind it in the same block. */
struct op {
    struct op *next;
    enum op_kind kind;
    enum ft_durability durability;
    struct chain *chain;                       /* EVENT, RUN */
    void (*written)(void *arg, int code, const struct ft_err *err);
    void *arg;
    struct ft_err *err;                        /* why it was not written; owned; NULL: it was */
    bool held;                                 /* the loop is held for its answer */
    bool waited, finished;                     /* somebody waits for it (store_wait), and frees it */
    bool seals;                                /* BARRIER: with a seal over all that has none */
    bool scrubs;                               /* what was deleted shall be gone from the log, too */
    uint64_t seq, started_ms, ended_ms;        /* EVENT: seq; RUN; LOCK: started_ms is since when */
    const char *run, *digest, *reason;         /* UNLOCK (reason: the key, NULL: all), LOCK, CLAIM; BLOB */
    const char *within;                        /* LOCK: the key of the place that all keys lie in; "" */
    const char **texts;                        /* RUN: RUN_FIELDS of them; LOCK: keys, ending with NULL */
    char *holder;                              /* LOCK: who holds it; malloced */
    int (*own)(struct ft_store *store, struct op *op, struct ft_err *reterr);      /* OWN */
    size_t len;
    char text[];                               /* EVENT: as journalled; BLOB: the bytes */
};

struct op_list { struct op *first, **end; };

/* The statements that the writer runs again and again. */
enum stmt {
    ST_BEGIN, ST_COMMIT, ST_ROLLBACK, ST_EVENT, ST_RUN_NEW, ST_RUN_SET, ST_BLOB, ST_UNLOCK, ST_LOCK_GET, ST_LOCK_PUT, ST_CLAIM_GET, ST_CLAIM_PUT,
    ST_PERSONAL, ST_SEAL_LAST, ST_SEAL_RUN, ST_SEAL_PLAN, ST_SEAL_ALL_PLANS, ST_SEAL_ALL, ST_SEAL_RUNNING, ST_SEAL_PUT, STATEMENTS,
};

/* What comes again and again: readings on the loop thread's own connection, statements of write_own. Known by where its text lies. */
struct kept_query { const char *sql; sqlite3_stmt *stmt; bool busy; };
enum { KEPT_QUERIES = 12 };

struct ft_store {
    struct ft_loop *loop;
    char *path;
    sqlite3 *db;                      /* the loop thread's until the writer has started, then the writer's */
    sqlite3 *reader;                  /* the loop thread's; opened when first needed */
    struct kept_query kept[KEPT_QUERIES];

    /* the loop thread's */
    struct chain **buckets;
    size_t bucket_count, chain_count;
    struct op_list staged;
    bool kicking;                     /* a deferred kick is under way */
    unsigned waiting;                 /* staged operations that want a commit */
    struct ft_timer *ride;
    bool ride_awaited;
    struct op *delivering;            /* done, their callbacks not made yet */
    struct ft_wake *wake;
    struct ft_buf scratch;
    uint64_t events;
    bool started;                     /* the writer */
    bool unflushed;                   /* events were appended after the newest durable one */
    pthread_t thread;

    /* shared, under `lock` */
    pthread_mutex_t lock;
    pthread_cond_t work, progress;
    struct op_list queue, done;
    struct op *writing;               /* the batch under way */
    bool stop;
    uint64_t commits, flushes;
    uint64_t now_ms;                  /* when the newest operation was queued */
    char sealed[96];                  /* number and hash of the newest seal known: what a run's first event is bound to */

    /* the writer's */
    sqlite3_stmt *statements[STATEMENTS];
    struct kept_query own[KEPT_QUERIES];      /* of write_own */
    int synchronous;                  /* as the connection has it now */
    enum log_name log;
    bool note_name;                   /* the next transaction notes that the log is named */
    bool scrub_due, scrubbed;         /* the log holds what was deleted, also by a process before; it was emptied, which the next transaction notes */
    int wal_frames;                   /* pages in the write-ahead log */
    struct rows due, dirty;           /* runs that this transaction seals; that have events without a seal */
    json_t *due_plans;                /* digests of plans that this transaction seals; NULL: none */
    unsigned unsealed;                /* events since the last seal over all */
    uint64_t sealed_ms;               /* when that was */
    uint64_t seal_count;
    char sealing[96];                 /* as `sealed`, before the commit */
    bool caught_up;                   /* runs that a process left unsealed were sealed */

    json_t *personal_fields;          /* names of members that are personal besides those of personal.c */
    char *key_file;                   /* another than the one beside the store */
    struct seal_key key;              /* loaded before the writer starts */
};

/* ---- store.c */
/* Everything appended so far is in the database file (or has failed). */
void store_flush(struct ft_store *store);
void store_flush_run(struct ft_store *store, const char *id);      /* of this run */
bool store_is_over(const char *status);       /* of a run */

/* What a file with a table of its own writes (answers.c): `own` is called on the writer's thread, inside the transaction; negative: the whole batch
 * fails. The texts are copied; op->seq is a number that may go in or come back. */
struct op *store_op(int (*own)(struct ft_store *store, struct op *op, struct ft_err *reterr), const char *const *texts, size_t count,
                    enum ft_durability durability);
void store_stage(struct ft_store *store, struct op *op);           /* behind what was appended; nobody waits */
/* What only holds when the run's events do: not written once one of them could not be. */
void store_stage_behind(struct ft_store *store, struct op *op, const char *run_id);
/* Written when it returns; ret_seq may be NULL. */
int store_stage_and_wait(struct ft_store *store, struct op *op, uint64_t *ret_seq, struct ft_err *reterr);

void store_chain_rests(struct ft_store *store, const char *id);

/* ---- sqlite_open.c */
extern int db_busy_ms;                        /* how long to wait for another process's lock; tests wait less */
int db_open(const char *path, sqlite3 **ret, enum log_name *ret_log, struct ft_err *reterr);      /* creates and migrates */
int db_check_tail(const char *path, struct ft_err *reterr);      /* tail.c: -EBADMSG when the newest entries are not what was written */
int db_open_reader(const char *path, sqlite3 **ret, struct ft_err *reterr);
int db_error(sqlite3 *db, const char *path, const char *doing, struct ft_err *reterr);    /* what SQLite said, for people */
int db_prepare(sqlite3 *db, const char *path, const char *sql, sqlite3_stmt **ret, struct ft_err *reterr);
int db_set_synchronous(sqlite3 *db, const char *level);
int db_note_name(sqlite3 *db);                /* in the transaction under way: the log is named */
int db_sync_directory(const char *path);

/* ---- pack.c: packed(text) and plain(text) for SQL; what lies packed says that file */
int pack_functions(sqlite3 *db);              /* what SQLite says */
#define PACK_DAMAGED "what is kept here is damaged"      /* plain() of what cannot be unpacked: no text that was ever hashed */

/* ---- sqlite_write.c: on the writer's thread */
void writer_init(struct ft_store *store);
void write_batch(struct ft_store *store, struct op *first);
void writer_done(struct ft_store *store);
#define SCRUB_DUE "what was deleted is in the log"      /* in `kept` */
/* For `own`: runs one statement (sql: a literal) with the texts and numbers bound in this order; 0 or the error. */
int write_own(struct ft_store *store, const char *sql, const char *const *texts, const int64_t *numbers, struct ft_err *reterr);

/* ---- sqlite_read.c: on the loop thread */
sqlite3 *reader(struct ft_store *store, struct ft_err *reterr);
/* Row, newest number and hash of a run. -ENOENT when there is no such run. */
int read_chain(struct ft_store *store, struct chain *chain, struct ft_err *reterr);
int read_taken(struct ft_store *store, const char *id);        /* 1 when there is such a run */
int read_query(struct ft_store *store, const char *sql, sqlite3 **ret_db, sqlite3_stmt **ret, struct ft_err *reterr);
/* The same, of a statement that is kept for the next time (sql: a literal); ends with read_over or read_end, never sqlite3_finalize. */
int read_query_kept(struct ft_store *store, const char *sql, sqlite3 **ret_db, sqlite3_stmt **ret, struct ft_err *reterr);
void read_end(struct ft_store *store, sqlite3_stmt *stmt);
void read_close(struct ft_store *store);          /* the loop thread's connection */
int read_over(struct ft_store *store, sqlite3 *db, sqlite3_stmt *stmt, int step, struct ft_err *reterr);       /* the end of a loop over rows */
void read_sealed(struct ft_store *store, char *ret, size_t size);     /* "number hash" of the newest seal, or "" */

/* audit_store.c: what a seal says of a run that was deleted, for people; false: no seal does. */
bool told_deleted(struct ft_store *store, const char *id, char *ret, size_t size);

/* ---- chain.c */
void chain_hash(unsigned char hash[HASH_LEN], const char *text, size_t len);     /* from one event's hash to the next one's */
void chain_seed(const char *id, unsigned char hash[HASH_LEN]);

/* ---- key.c */
void hex_of(const unsigned char *bytes, size_t len, char *ret);        /* 2 * len + 1 */
bool hex_to(const char *hex, unsigned char *ret, size_t len);
char *key_path(const struct ft_store *store);                          /* malloced */
char *key_public_path(const char *key_file);                           /* malloced */
int key_load(const char *path, struct seal_key *ret, struct ft_err *reterr);
int key_load_public(const char *path, unsigned char ret[KEY_LEN], struct ft_err *reterr);
int key_make(const char *path, struct seal_key *ret, struct ft_err *reterr);     /* with its public part beside it */
void key_public_pem(const unsigned char public[KEY_LEN], char ret[1024]);
void key_sign(const struct seal_key *key, const char *text, size_t len, unsigned char ret[SIGNATURE_LEN]);
bool key_signed(const unsigned char public[KEY_LEN], const char *text, size_t len, const unsigned char signature[SIGNATURE_LEN]);
void key_name(const char *public_hex, char ret[20]);                   /* "1a2b 3c4d …": for people */

/* ---- seal.c: on the writer's thread, but for seal_prepare */
void seal_prepare(struct ft_store *store);                             /* before the writer starts: its key */
void seal_due(struct ft_store *store, struct chain *chain);            /* the run's row was changed: sealed in this transaction */
void seal_plan(struct ft_store *store, const char *digest);            /* a plan was written: the same */
void seal_dirty(struct ft_store *store, struct chain *chain);          /* an event was written */
uint64_t seal_now(struct ft_store *store);                             /* wall ms */
int seal_write(struct ft_store *store, const struct rows *rows, const char *note, struct ft_err *reterr);      /* note: JSON, or NULL */
int seal_batch(struct ft_store *store, bool all, struct ft_err *reterr);         /* in the transaction; writes a seal where one is due */
void seal_committed(struct ft_store *store);
void seal_failed(struct ft_store *store);                              /* the transaction was rolled back */
/* Digest of what a run's row says, of text as it lies in the store; columns in the order of RUN_COLUMNS. */
#define RUN_COLUMNS "runs.id, runs.playbook, runs.digest, runs.mode, runs.status, runs.outcome, runs.started, runs.ended, runs.summary, runs.params"
enum { RUN_COLUMN_COUNT = 10 };
void row_digest(const char *const texts[], const size_t lens[], size_t count, unsigned char ret[HASH_LEN]);
__attribute__((format(printf, 3, 4)))
int op_refuse(struct op *op, int code, const char *fmt, ...);          /* sqlite_write.c: only this operation fails; 0 */
int statement(struct ft_store *store, enum stmt which, sqlite3_stmt **ret, struct ft_err *reterr);      /* sqlite_write.c */

/* ---- encode.c */
void encode_json(struct ft_buf *to, const json_t *value);
void encode_piece(struct ft_buf *to, const char *text, size_t len);    /* of a string, without its quotes */
/* What is personal in it becomes tokens. */
struct encoding {
    struct ft_buf *to;
    struct chain *chain;
    bool whole;                       /* each token with its commitment: a text that stands alone */
    const json_t *fields;             /* further names of members that are personal */
    struct op *first, **end;          /* values that are new, to be staged before the text */
};
void encode_personal(struct encoding *e, const json_t *value);

/* ---- personal.c */
enum personal_field { FIELD_TEXT, FIELD_NAME, FIELD_RECORD };
struct token { const char *begin, *end; unsigned n; char commitment[2 * HASH_LEN + 1]; };      /* commitment: "" when told before */
struct personal *personal_free(struct personal *p);
void personal_load(struct chain *chain, unsigned n, const unsigned char *salt, size_t salt_len, const char *text, size_t len, bool is_name);
void personal_begin(struct encoding *e);
void personal_again(struct encoding *e);
void personal_learn(struct encoding *e, const json_t *value);
enum personal_field personal_field(const struct encoding *e, const char *key);
bool personal_add_text(struct encoding *e, const char *text, size_t len, bool names);
bool personal_add_name(struct encoding *e, const char *text, size_t len);
void personal_commit(const unsigned char *salt, size_t salt_len, const char *text, size_t len, unsigned char ret[HASH_LEN]);
/* Whether a text, JSON or not, has the value as a word, or an address that `same` takes for it. */
bool personal_mentions(const char *text, size_t len, const char *value, bool (*same)(const char *wanted, const char *value));
bool token_next(const char *text, size_t len, struct token *ret);
void personal_fill(const char *text, size_t len, const char *(*value)(void *arg, unsigned n), void *arg, bool is_json, struct ft_buf *to);

/* ---- owner.c: which process runs a run */
const char *owner_self(void);                 /* "pid:start:boot id" */
bool owner_alive(const char *owner);
