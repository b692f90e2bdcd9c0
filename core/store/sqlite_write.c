/* sqlite_write.c: the writer's thread: one transaction for each batch. */
#include <stdio.h>
#include <sys/stat.h>

#include "store/internal.h"

#define FRAME 4120                    /* bytes of a page in the log */
/* From so many pages in the log on they are moved to the database. The first write after that costs one flush more, so that a run which ends is the
 * time for it: most processes run one. */
#define SWEEP_LAST 256                /* 1 MiB: what the next process reads when it opens the store */
#define SWEEP_ANY 1000                /* 4 MiB, the size of the file that SQLite keeps for the log to be written over */

enum { NORMAL = 1, FULL = 2 };
enum { LEFT_BEHIND_MS = 600000 };     /* a lock of a run that has been over for so long was left behind by a crash */

static const char *const sql[STATEMENTS] = {
    [ST_BEGIN] = "BEGIN IMMEDIATE",
    [ST_COMMIT] = "COMMIT",
    [ST_ROLLBACK] = "ROLLBACK",
    [ST_EVENT] = "INSERT INTO events (run, seq, hash, text) VALUES (?1, ?2, ?3, ?4)",
    [ST_RUN_NEW] = "INSERT INTO runs (id, playbook, digest, mode, status, outcome, summary, owner, params, started, ended)"
                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    [ST_RUN_SET] = "UPDATE runs SET playbook = ?2, digest = ?3, mode = ?4, status = ?5, outcome = ?6, summary = ?7, owner = ?8, params = ?9,"
                   " started = ?10, ended = ?11 WHERE row = ?12",
    [ST_BLOB] = "INSERT INTO blobs (digest, bytes, used) VALUES (?1, ?2, ?3)"
                " ON CONFLICT (digest) DO UPDATE SET used = excluded.used WHERE used < excluded.used - 3600000",
    /* And what a crash between a run's end and its unlocking left behind. */
    [ST_UNLOCK] = "DELETE FROM locks WHERE (run = ?1 AND coalesce(?2, key) = key)"
                  " OR run IN (SELECT id FROM runs WHERE status IN " STATUS_OVER " AND ended BETWEEN 1 AND ?3)",
    /* A lock of a run that is over, or of a process that died before its run had begun, holds nothing. */
    [ST_LOCK_GET] = "SELECT locks.run, locks.reason, locks.owner, runs.playbook, runs.status, locks.key FROM locks"
                    " LEFT JOIN runs ON runs.id = locks.run"
                    " WHERE (locks.key IN (?1, ?3) OR locks.within = ?1) AND locks.run <> ?2 AND coalesce(runs.status, '') NOT IN " STATUS_OVER,
    [ST_LOCK_PUT] = "INSERT OR REPLACE INTO locks (key, run, reason, since, owner, within) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [ST_CLAIM_GET] = "SELECT owner FROM runs WHERE id = ?1",
    [ST_CLAIM_PUT] = "UPDATE runs SET owner = ?2 WHERE id = ?1",
    [ST_PERSONAL] = "INSERT INTO personal (run, n, salt, value, is_name) VALUES (?1, ?2, ?3, ?4, ?5)",
    [ST_SEAL_LAST] = "SELECT n, hash FROM seals ORDER BY n DESC LIMIT 1",
    [ST_SEAL_RUN] = "SELECT " RUN_COLUMNS ", events.seq, events.hash FROM runs LEFT JOIN events ON events.run = runs.row WHERE runs.row = ?1"
                    " ORDER BY events.seq DESC LIMIT 1",
    [ST_SEAL_PLAN] = "SELECT plain(text) FROM plans WHERE digest = ?1",
    [ST_SEAL_ALL_PLANS] = "SELECT digest FROM plans ORDER BY row",
    [ST_SEAL_ALL] = "SELECT row, owner FROM runs ORDER BY row",
    [ST_SEAL_RUNNING] = "SELECT row, owner FROM runs WHERE status = 'running'",
    [ST_SEAL_PUT] = "INSERT INTO seals (n, at, text, hash, signature) VALUES (?1, ?2, packed(?3), ?4, ?5)",
};

static int log_grew(void *arg, sqlite3 *db, const char *name, int frames)
{
    struct ft_store *store = arg;

    (void)db;
    (void)name;
    store->wal_frames = frames;
    return SQLITE_OK;
}

/* A process that deleted something may have died before it emptied the log, or another was reading from it. */
static bool scrub_is_due(struct ft_store *store)
{
    sqlite3_stmt *stmt = NULL;
    bool due = sqlite3_prepare_v2(store->db, "SELECT 1 FROM kept WHERE name = '" SCRUB_DUE "'", -1, &stmt, NULL) == SQLITE_OK &&
               sqlite3_step(stmt) == SQLITE_ROW;

    sqlite3_finalize(stmt);
    return due;
}

void writer_init(struct ft_store *store)
{
    char *log = ft_asprintf("%s-wal", store->path);
    struct stat st;

    /* How much of the file is in use SQLite says at the first commit; more than it keeps is all in use. */
    store->wal_frames = stat(log, &st) == 0 && st.st_size > 2 * SWEEP_ANY * FRAME ? (int)(st.st_size / FRAME) : 0;
    store->synchronous = NORMAL;
    store->scrub_due = scrub_is_due(store);
    sqlite3_wal_hook(store->db, log_grew, store);
    free(log);
}

void writer_done(struct ft_store *store)
{
    for (size_t i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(store->statements[i]);
    for (size_t i = 0; i < KEPT_QUERIES; i++)
        sqlite3_finalize(store->own[i].stmt);
    free(store->due.items);
    free(store->dirty.items);
    json_decref(store->due_plans);
}

static int fail(struct ft_store *store, struct ft_err *reterr)
{
    return db_error(store->db, store->path, "write to", reterr);
}

int statement(struct ft_store *store, enum stmt which, sqlite3_stmt **ret, struct ft_err *reterr)
{
    int r = 0;

    if (!store->statements[which])
        r = db_prepare(store->db, store->path, sql[which], &store->statements[which], reterr);
    *ret = store->statements[which];
    return r;
}

static void bind_text(sqlite3_stmt *stmt, int at, const char *text)
{
    sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
}

/* Steps to the end, and is ready for the next time. */
static int finish(struct ft_store *store, sqlite3_stmt *stmt, struct ft_err *reterr)
{
    int r = sqlite3_step(stmt) == SQLITE_DONE ? 0 : fail(store, reterr);

    sqlite3_reset(stmt);
    return r;
}

static int simple(struct ft_store *store, enum stmt which, struct ft_err *reterr)
{
    sqlite3_stmt *stmt;
    int r = statement(store, which, &stmt, reterr);

    return r < 0 ? r : finish(store, stmt, reterr);
}

/* ---- one operation. Negative: the batch cannot go on. What concerns only the operation is left in op->err. */

__attribute__((format(printf, 3, 4)))
int op_refuse(struct op *op, int code, const char *fmt, ...)
{
    va_list ap;

    op->err = ft_calloc(1, sizeof(*op->err));
    op->err->code = code;
    va_start(ap, fmt);
    vsnprintf(op->err->text, sizeof(op->err->text), fmt, ap);
    va_end(ap);
    if (op->chain)
        op->chain->broken = true;
    return 0;
}

static int write_event(struct ft_store *store, struct op *op, struct ft_err *reterr)
{
    struct chain *chain = op->chain;
    sqlite3_stmt *stmt;
    int r = statement(store, ST_EVENT, &stmt, reterr);

    if (r < 0)
        return r;
    chain_hash(chain->hash, op->text, op->len);
    sqlite3_bind_int64(stmt, 1, chain->row);
    sqlite3_bind_int64(stmt, 2, (sqlite3_int64)op->seq);
    sqlite3_bind_blob(stmt, 3, chain->hash, HASH_LEN, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 4, op->text, (int)op->len, SQLITE_STATIC);
    r = sqlite3_step(stmt);
    sqlite3_reset(stmt);
    if (r == SQLITE_DONE) {
        if (chain->stands)
            seal_due(store, chain);
        seal_dirty(store, chain);
        return 0;
    }
    if ((r & 0xff) == SQLITE_CONSTRAINT)
        return op_refuse(op, -ESTALE, "event %llu of run %s is in the store already: another process has gone on with the run",
                      (unsigned long long)op->seq, chain->id);
    return fail(store, reterr);
}

static int write_run(struct ft_store *store, struct op *op, struct ft_err *reterr)
{
    static const enum run_field order[] = { RUN_PLAYBOOK, RUN_DIGEST, RUN_MODE, RUN_STATUS, RUN_OUTCOME, RUN_SUMMARY, RUN_OWNER, RUN_PARAMS };
    struct chain *chain = op->chain;
    bool is_new = chain->row == 0;
    sqlite3_stmt *stmt;
    int r = statement(store, is_new ? ST_RUN_NEW : ST_RUN_SET, &stmt, reterr);

    if (r < 0)
        return r;
    if (is_new)
        bind_text(stmt, 1, chain->id);
    else
        sqlite3_bind_int64(stmt, 12, chain->row);
    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        bind_text(stmt, (int)i + 2, op->texts[order[i]]);
    sqlite3_bind_int64(stmt, 10, (sqlite3_int64)op->started_ms);
    sqlite3_bind_int64(stmt, 11, (sqlite3_int64)op->ended_ms);
    r = sqlite3_step(stmt);
    sqlite3_reset(stmt);
    if (r == SQLITE_DONE && is_new)
        chain->row = sqlite3_last_insert_rowid(store->db);
    if (r == SQLITE_DONE) {
        chain->stands = !ft_streq(op->texts[RUN_STATUS], "running");
        if (!is_new || chain->stands)
            seal_due(store, chain);
        return 0;
    }
    if ((r & 0xff) == SQLITE_CONSTRAINT)
        return op_refuse(op, -EEXIST, "run %s is in the store already, begun by another process", chain->id);
    return fail(store, reterr);
}

static int write_blob(struct ft_store *store, struct op *op, struct ft_err *reterr)
{
    sqlite3_stmt *stmt;
    int r = statement(store, ST_BLOB, &stmt, reterr);

    if (r < 0)
        return r;
    bind_text(stmt, 1, op->digest);
    sqlite3_bind_blob64(stmt, 2, op->text, op->len, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 3, (sqlite3_int64)seal_now(store));
    return finish(store, stmt, reterr);
}

static int write_unlock(struct ft_store *store, struct op *op, struct ft_err *reterr)
{
    sqlite3_stmt *stmt;
    int r = statement(store, ST_UNLOCK, &stmt, reterr);

    if (r < 0)
        return r;
    bind_text(stmt, 1, op->run);
    bind_text(stmt, 2, op->reason);
    sqlite3_bind_int64(stmt, 3, (sqlite3_int64)op->started_ms - LEFT_BEHIND_MS);
    return finish(store, stmt, reterr);
}

static const char *column(sqlite3_stmt *stmt, int at)
{
    const char *text = (const char *)sqlite3_column_text(stmt, at);

    return text ? text : "";
}

/* 1 when another run holds the key; then op says who. */
static int is_held(struct ft_store *store, struct op *op, const char *key, struct ft_err *reterr)
{
    sqlite3_stmt *stmt;
    int r = statement(store, ST_LOCK_GET, &stmt, reterr), held = 0;

    if (r < 0)
        return r;
    bind_text(stmt, 1, key);
    bind_text(stmt, 2, op->run);
    bind_text(stmt, 3, *op->within ? op->within : key);
    while ((r = sqlite3_step(stmt)) == SQLITE_ROW && !*column(stmt, 4) && !owner_alive(column(stmt, 2)))
        ;
    if (r == SQLITE_ROW) {
        const char *reason = column(stmt, 1), *playbook = column(stmt, 3), *status = column(stmt, 4), *by = column(stmt, 5);

        held = 1;
        op->holder = ft_asprintf("run %s (%s%s%s)%s%s", column(stmt, 0), *playbook ? playbook : "starting", *status ? ", " : "", status,
                                 *reason ? ": " : "", reason);
        if (ft_streq(by, key))
            op_refuse(op, -EBUSY, "'%s' is locked by %s", key, op->holder);
        else
            op_refuse(op, -EBUSY, "'%s' is held with '%s', which is locked by %s", key, by, op->holder);
    }
    if (r != SQLITE_ROW && r != SQLITE_DONE)
        held = fail(store, reterr);
    sqlite3_reset(stmt);
    return held;
}

static int write_lock(struct ft_store *store, struct op *op, struct ft_err *reterr)
{
    sqlite3_stmt *stmt;
    int r = statement(store, ST_LOCK_PUT, &stmt, reterr);

    for (const char **key = op->texts; *key && r == 0; key++)
        r = is_held(store, op, *key, reterr);
    if (r != 0)
        return r < 0 ? r : 0;
    for (const char **key = op->texts; *key && r == 0; key++) {
        bind_text(stmt, 1, *key);
        bind_text(stmt, 2, op->run);
        bind_text(stmt, 3, op->reason);
        sqlite3_bind_int64(stmt, 4, (sqlite3_int64)op->started_ms);
        bind_text(stmt, 5, owner_self());
        bind_text(stmt, 6, ft_streq(*key, op->within) ? "" : op->within);
        r = finish(store, stmt, reterr);
    }
    return r;
}

static int write_claim(struct ft_store *store, struct op *op, struct ft_err *reterr)
{
    sqlite3_stmt *get, *put = NULL;
    int r = statement(store, ST_CLAIM_GET, &get, reterr);

    if (r == 0)
        r = statement(store, ST_CLAIM_PUT, &put, reterr);
    if (r < 0)
        return r;
    bind_text(get, 1, op->run);
    r = sqlite3_step(get);
    if (r == SQLITE_DONE)
        op_refuse(op, -ENOENT, "there is no run %s in the store", op->run);
    else if (r != SQLITE_ROW)
        fail(store, reterr);
    else if (!ft_streq(column(get, 0), owner_self()) && owner_alive(column(get, 0)))
        op_refuse(op, -EBUSY, "run %s belongs to process %.*s, which is alive", op->run, (int)strcspn(column(get, 0), ":"), column(get, 0));
    sqlite3_reset(get);
    if (r != SQLITE_ROW)
        return r == SQLITE_DONE ? 0 : reterr->code;
    if (op->err)
        return 0;
    bind_text(put, 1, op->run);
    bind_text(put, 2, owner_self());
    return finish(store, put, reterr);
}

/* SQLite flushes nothing for a transaction that wrote nothing. */
static int write_something(struct ft_store *store, struct ft_err *reterr)
{
    char text[64];

    snprintf(text, sizeof(text), "PRAGMA application_id=%d", APPLICATION_ID);
    return sqlite3_exec(store->db, text, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(store, reterr);
}

/* Prepared once; while all places are taken, *ret_kept is false and it is the caller's. */
static int own_statement(struct ft_store *store, const char *text, sqlite3_stmt **ret, bool *ret_kept, struct ft_err *reterr)
{
    size_t i = 0;
    int r;

    while (i < KEPT_QUERIES && store->own[i].sql && store->own[i].sql != text)
        i++;
    *ret_kept = i < KEPT_QUERIES;
    if (*ret_kept && store->own[i].sql) {
        *ret = store->own[i].stmt;
        return 0;
    }
    r = db_prepare(store->db, store->path, text, ret, reterr);
    if (r == 0 && *ret_kept)
        store->own[i] = (struct kept_query){ .sql = text, .stmt = *ret };
    return r;
}

int write_own(struct ft_store *store, const char *text, const char *const *texts, const int64_t *numbers, struct ft_err *reterr)
{
    sqlite3_stmt *stmt = NULL;
    bool kept;
    int r = own_statement(store, text, &stmt, &kept, reterr), at = 1;

    if (r < 0)
        return r;
    for (; texts && *texts; texts++)
        bind_text(stmt, at++, *texts);
    for (int last = sqlite3_bind_parameter_count(stmt); at <= last; at++)
        sqlite3_bind_int64(stmt, at, *numbers++);
    r = finish(store, stmt, reterr);
    if (kept)
        sqlite3_clear_bindings(stmt);
    else
        sqlite3_finalize(stmt);
    return r;
}

static int write_op(struct ft_store *store, struct op *op, struct ft_err *reterr)
{
    if (op->chain && op->chain->broken)
        return op_refuse(op, -EIO, "an earlier event of run %s could not be written", op->chain->id);
    switch (op->kind) {
    case OP_EVENT: return write_event(store, op, reterr);
    case OP_RUN: return write_run(store, op, reterr);
    case OP_BLOB: return write_blob(store, op, reterr);
    case OP_UNLOCK: return write_unlock(store, op, reterr);
    case OP_LOCK: return write_lock(store, op, reterr);
    case OP_CLAIM: return write_claim(store, op, reterr);
    case OP_OWN: return op->own(store, op, reterr);
    case OP_BARRIER: return op->durability == FT_DURABLE ? write_something(store, reterr) : 0;
    }
    return 0;
}

/* ---- the transaction */

static int be_synchronous(struct ft_store *store, int level, struct ft_err *reterr)
{
    if (store->synchronous == level)
        return 0;
    if (db_set_synchronous(store->db, level == FULL ? "FULL" : "NORMAL") != SQLITE_OK)
        return fail(store, reterr);
    store->synchronous = level;
    return 0;
}

static void count(struct ft_store *store, unsigned commits, unsigned flushes)
{
    pthread_mutex_lock(&store->lock);
    store->commits += commits;
    store->flushes += flushes;
    pthread_mutex_unlock(&store->lock);
}

/* Moving the log into the database flushes the log first, which makes the commit before it durable: so it costs one flush more than that commit
 * alone would have. Where not all of it can be moved (a reader, another process at it), a commit with a flush follows. A process that goes on
 * writes over the log; one that ends must empty it, or the next one would take it for new. */
static int sweep(struct ft_store *store, bool last, int wait_ms, struct ft_err *reterr)
{
    int frames = 0, moved = 0, r;

    sqlite3_busy_timeout(store->db, wait_ms);
    r = sqlite3_wal_checkpoint_v2(store->db, NULL, last ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE, &frames, &moved);
    sqlite3_busy_timeout(store->db, db_busy_ms);
    count(store, 0, 2);
    if ((r == SQLITE_OK || r == SQLITE_BUSY) && frames >= 0 && frames == moved) {
        store->wal_frames = 0;
        return 0;
    }
    r = be_synchronous(store, FULL, reterr);
    if (r == 0)
        r = write_something(store, reterr);        /* a transaction of its own */
    count(store, 1, 1);
    return r;
}

/* After the first flush of the log: its name has to last as long as what it holds. The note of it goes with the next transaction. */
static int name_log(struct ft_store *store, struct ft_err *reterr)
{
    int r = store->log == LOG_UNNAMED ? db_sync_directory(store->path) : 0;

    if (r < 0)
        return ft_err_set(reterr, r, "cannot flush the directory of the store '%s': %s", store->path, strerror(-r));
    count(store, 0, 1);
    store->log = LOG_NAMED;
    store->note_name = true;
    return 0;
}

static bool log_is_empty(const struct ft_store *store)
{
    char *log = ft_asprintf("%s-wal", store->path);
    struct stat st;
    bool empty = stat(log, &st) < 0 || st.st_size == 0;

    free(log);
    return empty;
}

static int begin(struct ft_store *store, struct ft_err *reterr)
{
    int r = simple(store, ST_BEGIN, reterr);

    if (r == 0 && store->scrubbed && sqlite3_exec(store->db, "DELETE FROM kept WHERE name = '" SCRUB_DUE "'", NULL, NULL, NULL) != SQLITE_OK)
        return fail(store, reterr);
    if (r < 0 || !store->note_name)
        return r;
    store->note_name = false;
    return db_note_name(store->db) == SQLITE_OK ? 0 : fail(store, reterr);
}

static int write_all(struct ft_store *store, struct op *first, bool durable, bool last, struct ft_err *reterr)
{
    bool seals = false, scrubs = false;
    bool sweeps = durable && store->wal_frames >= (last ? SWEEP_LAST : SWEEP_ANY);
    int r = be_synchronous(store, durable && !sweeps ? FULL : NORMAL, reterr);

    if (r == 0)
        r = begin(store, reterr);
    for (struct op *op = first; op && r == 0; op = op->next) {
        r = write_op(store, op, reterr);
        seals |= op->seals;
        scrubs |= op->scrubs;
    }
    if (r == 0)
        r = seal_batch(store, seals, reterr);
    if (r == 0)
        r = simple(store, ST_COMMIT, reterr);
    if (r < 0) {
        struct ft_err ignored;

        seal_failed(store);
        if (!sqlite3_get_autocommit(store->db))
            simple(store, ST_ROLLBACK, &ignored);
        return r;
    }
    seal_committed(store);
    store->scrubbed = false;
    count(store, 1, durable && !sweeps);
    if (sweeps || scrubs || store->scrub_due)
        r = sweep(store, last || scrubs || store->scrub_due, scrubs ? db_busy_ms : 0, reterr);
    if (r == 0 && store->scrub_due && log_is_empty(store)) {
        store->scrub_due = false;
        store->scrubbed = true;
    }
    return r == 0 && durable && store->log != LOG_NAMED ? name_log(store, reterr) : r;
}

void write_batch(struct ft_store *store, struct op *first)
{
    struct ft_err err = { 0 };
    bool durable = false, any = false, last = false;

    for (struct op *op = first; op; op = op->next) {
        durable |= op->durability == FT_DURABLE;
        last |= op->kind == OP_RUN && op->ended_ms;
        any |= op->kind != OP_BARRIER || op->durability == FT_DURABLE || (op->seals && store->dirty.count);
    }
    if (!any || write_all(store, first, durable, last, &err) == 0)
        return;
    for (struct op *op = first; op; op = op->next) {
        free(op->err);
        op->err = NULL;
        op_refuse(op, err.code, "%s", err.text);
    }
}
