/* seal.c: signed seals over what the store holds.
 *
 * A seal is one row: a text, its hash, and an Ed25519 signature over the text. The text is JSON:
 *   seal 1, n (from 1 on), at, before (the hash of seal n-1), key (who signs it),
 *   runs   [[id, number of its newest event, that event's hash, digest of its row in `runs`], …]
 *   plans  [[digest, hash of its text], …] of those that were written
 *   note   what was done to the record itself: {"begins": …}, {"key": …}, {"deleted": …}, {"forgot": …}
 * It lies packed in its row (pack.c). It is written in the transaction that it seals, so it costs no flush, and a crash leaves both or neither. A run's
 * row changes only together with a seal over it; events in between are sealed after EVERY_EVENTS or EVERY_MS, and when the store is closed. What it says
 * is read from the tables: a seal over a head that was not written by its chain shows in the chain. */
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "data/json.h"
#include "store/audit.h"
#include "store/internal.h"

#define EVERY_EVENTS 2000
#define EVERY_MS 60000
#define SEAL_MAX (256u << 20)

/* ---- the key, on the loop's thread */

/* The seal is durable before the files change; a crash in between leaves FILE.new, which the next process puts in its place. */
static int change_files(const char *file, const char *fresh, bool had, struct ft_err *reterr)
{
    char *public = key_public_path(file), *old = ft_asprintf("%s.old", file), *fresh_public = key_public_path(fresh);
    int r = 0;

    if ((had && rename(file, old) < 0) || rename(fresh, file) < 0 || rename(fresh_public, public) < 0 || db_sync_directory(file) < 0)
        r = ft_err_set(reterr, -errno, "cannot put the new key in the place of '%s': %s", file, strerror(errno));
    free(public);
    free(old);
    free(fresh_public);
    return r;
}

/* A change of keys that a crash cut in two: the seals name FILE.new already. */
static void finish_change(struct ft_store *store, const char *path)
{
    char *fresh = ft_asprintf("%s.new", path), hex[2 * KEY_LEN + 1], *like;
    struct seal_key key = { 0 };
    struct ft_err err = { 0 };
    sqlite3_stmt *stmt;

    if (access(fresh, F_OK) == 0 && key_load(fresh, &key, &err) == 0 &&
        db_prepare(store->db, store->path, "SELECT 1 FROM seals WHERE plain(text) LIKE ?1 LIMIT 1", &stmt, &err) == 0) {
        hex_of(key.public, KEY_LEN, hex);
        like = ft_asprintf("%%\"note\":{\"key\":\"%s\"%%", hex);
        sqlite3_bind_text(stmt, 1, like, -1, free);
        if (sqlite3_step(stmt) == SQLITE_ROW && change_files(path, fresh, access(path, F_OK) == 0, &err) < 0)
            ft_log(FT_LOG_WARN, "%s", err.text);
        sqlite3_finalize(stmt);
    }
    explicit_bzero(&key, sizeof(key));
    free(fresh);
}

/* A seal by a key that the one before does not name would be a finding of every proof from then on. */
static int check_key(const char *path, const struct seal_key *key, const char *text, size_t len, struct ft_err *reterr)
{
    char hex[2 * KEY_LEN + 1], is[20], was[20];
    json_t *seal = NULL;
    const char *wanted;
    int r = 0;

    if (ft_json_parse(text, len, SIZE_MAX, &seal, NULL) < 0)
        return 0;
    wanted = ft_json_str(json_object_get(seal, "note"), "key");
    wanted = wanted ? wanted : ft_json_str(seal, "key");
    hex_of(key->public, KEY_LEN, hex);
    if (wanted && strlen(wanted) == 2 * KEY_LEN && !ft_streq(wanted, hex)) {
        key_name(hex, is);
        key_name(wanted, was);
        r = ft_err_set(reterr, -EKEYREJECTED, "the key '%s' is %s, and the record is sealed by %s: put that one back, or begin a new one with"
                       " `fettle audit key --new`", path, is, was);
    }
    json_decref(seal);
    return r;
}

/* The key, and whether it is the one that goes on from the newest seal. *ret_any: there is a seal. */
static int load_key(sqlite3 *db, const char *store_path, const char *path, struct seal_key *ret, bool *ret_any, struct ft_err *reterr)
{
    int r = key_load(path, ret, reterr);
    sqlite3_stmt *stmt;

    *ret_any = true;                   /* a key is made only where there are certainly none */
    if (db_prepare(db, store_path, "SELECT plain(text) FROM seals ORDER BY n DESC LIMIT 1", &stmt, NULL) < 0)
        return r;
    *ret_any = sqlite3_step(stmt) != SQLITE_DONE;
    if (r == 0 && *ret_any && sqlite3_column_text(stmt, 0))
        r = check_key(path, ret, (const char *)sqlite3_column_text(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0), reterr);
    else if (r == -ENOENT && *ret_any)
        ft_err_set(reterr, r, "the key '%s' that sealed the record is gone: put it back, or begin a new one with `fettle audit key --new`", path);
    sqlite3_finalize(stmt);
    if (r < 0)
        explicit_bzero(ret, sizeof(*ret));
    return r;
}

/* A run at night goes on without seals rather than not at all; `fettle audit verify` says what has none. */
void seal_prepare(struct ft_store *store)
{
    char *path = key_path(store);
    struct ft_err err = { 0 };
    bool any;
    int r;

    finish_change(store, path);
    r = load_key(store->db, store->path, path, &store->key, &any, &err);
    if (r == -ENOENT && !any)
        r = key_make(path, &store->key, &err);
    if (r < 0)
        ft_log(FT_LOG_WARN, "runs are not sealed: %s", err.text);
    free(path);
}

int ft_store_sealing(struct ft_store *store, char ret_text[300])
{
    struct ft_err err = { 0 };
    char *path = key_path(store), hex[2 * KEY_LEN + 1], name[20];
    struct seal_key key = { 0 };
    sqlite3 *db = reader(store, &err);
    bool any = true;
    int r = db ? load_key(db, store->path, path, &key, &any, &err) : err.code;

    if (r == 0) {
        hex_of(key.public, KEY_LEN, hex);
        key_name(hex, name);
        snprintf(ret_text, 300, "runs are sealed by the key %s (%.200s)", name, path);
    } else if (r == -ENOENT && !any) {
        snprintf(ret_text, 300, "no run is sealed yet; the first one makes the key");
        r = 0;
    } else {
        snprintf(ret_text, 300, "runs are not sealed: %.270s", err.text);
    }
    explicit_bzero(&key, sizeof(key));
    free(path);
    return r;
}

/* ---- what is to be sealed */

static void rows_add(struct rows *rows, int64_t row)
{
    if (rows->count == rows->size) {
        rows->size = rows->size ? rows->size * 2 : 64;
        rows->items = ft_realloc(rows->items, rows->size * sizeof(*rows->items));
    }
    rows->items[rows->count++] = row;
}

static int by_row(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void rows_sort(struct rows *rows)
{
    size_t n = 0;

    if (rows->count)
        qsort(rows->items, rows->count, sizeof(*rows->items), by_row);
    for (size_t i = 0; i < rows->count; i++)
        if (!n || rows->items[n - 1] != rows->items[i])
            rows->items[n++] = rows->items[i];
    rows->count = n;
}

void seal_due(struct ft_store *store, struct chain *chain)
{
    rows_add(&store->due, chain->row);
}

void seal_plan(struct ft_store *store, const char *digest)
{
    if (!store->due_plans)
        store->due_plans = json_array();
    json_array_append_new(store->due_plans, json_string(digest));
}

void seal_dirty(struct ft_store *store, struct chain *chain)
{
    store->unsealed++;
    if (chain->dirty_since == store->seal_count + 1)
        return;
    chain->dirty_since = store->seal_count + 1;
    rows_add(&store->dirty, chain->row);
}

static void nothing_due(struct ft_store *store)
{
    store->due.count = 0;
    json_decref(store->due_plans);
    store->due_plans = NULL;
}

/* The rows may be another run's one day, whose seal then comes early. */
void seal_failed(struct ft_store *store)
{
    nothing_due(store);
    *store->sealing = '\0';
}

/* Only a seal that is in the file is one that runs may begin from. */
void seal_committed(struct ft_store *store)
{
    if (!*store->sealing)
        return;
    store->caught_up = true;
    store->seal_count++;
    pthread_mutex_lock(&store->lock);
    memcpy(store->sealed, store->sealing, sizeof(store->sealed));
    pthread_mutex_unlock(&store->lock);
    *store->sealing = '\0';
}

/* ---- the text */

struct last_seal { int64_t n; unsigned char hash[HASH_LEN]; };

static int read_last(struct ft_store *store, struct last_seal *ret, struct ft_err *reterr)
{
    sqlite3_stmt *stmt;
    int r = statement(store, ST_SEAL_LAST, &stmt, reterr), step;

    if (r < 0)
        return r;
    memset(ret, 0, sizeof(*ret));
    step = sqlite3_step(stmt);
    if (step == SQLITE_ROW) {
        ret->n = sqlite3_column_int64(stmt, 0);
        if (sqlite3_column_bytes(stmt, 1) == HASH_LEN)
            memcpy(ret->hash, sqlite3_column_blob(stmt, 1), HASH_LEN);
    } else if (step != SQLITE_DONE) {
        r = db_error(store->db, store->path, "write to", reterr);
    }
    sqlite3_reset(stmt);
    return r;
}

static void add_hex(struct ft_buf *text, const unsigned char hash[HASH_LEN])
{
    char hex[2 * HASH_LEN + 1];

    hex_of(hash, HASH_LEN, hex);
    ft_buf_adds(text, hex);
}

static void digest_row(sqlite3_stmt *stmt, unsigned char ret[HASH_LEN])
{
    const char *texts[RUN_COLUMN_COUNT];
    size_t lens[RUN_COLUMN_COUNT];

    for (int i = 0; i < RUN_COLUMN_COUNT; i++) {
        texts[i] = (const char *)sqlite3_column_text(stmt, i);
        texts[i] = texts[i] ? texts[i] : "";
        lens[i] = (size_t)sqlite3_column_bytes(stmt, i);
    }
    row_digest(texts, lens, RUN_COLUMN_COUNT, ret);
}

static int add_run(struct ft_store *store, struct ft_buf *text, int64_t row, unsigned *count, struct ft_err *reterr)
{
    unsigned char digest[HASH_LEN], head[HASH_LEN] = { 0 };
    sqlite3_stmt *stmt;
    int r = statement(store, ST_SEAL_RUN, &stmt, reterr), step;

    if (r < 0)
        return r;
    sqlite3_bind_int64(stmt, 1, row);
    step = sqlite3_step(stmt);
    if (step == SQLITE_ROW) {
        digest_row(stmt, digest);
        if (sqlite3_column_bytes(stmt, RUN_COLUMN_COUNT + 1) == HASH_LEN)
            memcpy(head, sqlite3_column_blob(stmt, RUN_COLUMN_COUNT + 1), HASH_LEN);
        ft_buf_addf(text, "%s[\"%s\",%lld,\"", (*count)++ ? "," : "", (const char *)sqlite3_column_text(stmt, 0),
                    (long long)sqlite3_column_int64(stmt, RUN_COLUMN_COUNT));
        add_hex(text, head);
        ft_buf_adds(text, "\",\"");
        add_hex(text, digest);
        ft_buf_adds(text, "\"]");
    } else if (step != SQLITE_DONE) {
        r = db_error(store->db, store->path, "write to", reterr);
    }
    sqlite3_reset(stmt);
    return r;
}

static int add_plan(struct ft_store *store, struct ft_buf *text, const char *digest, unsigned *count, struct ft_err *reterr)
{
    unsigned char hash[HASH_LEN] = { 0 };
    sqlite3_stmt *stmt;
    int r = statement(store, ST_SEAL_PLAN, &stmt, reterr), step;

    if (r < 0)
        return r;
    sqlite3_bind_text(stmt, 1, digest, -1, SQLITE_STATIC);
    step = sqlite3_step(stmt);
    if (step == SQLITE_ROW) {
        chain_hash(hash, (const char *)sqlite3_column_text(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0));
        ft_buf_addf(text, "%s[\"%.64s\",\"", (*count)++ ? "," : "", digest);
        add_hex(text, hash);
        ft_buf_adds(text, "\"]");
    } else if (step != SQLITE_DONE) {
        r = db_error(store->db, store->path, "write to", reterr);
    }
    sqlite3_reset(stmt);
    return r;
}

/* ---- writing it */

uint64_t seal_now(struct ft_store *store)
{
    uint64_t now;

    pthread_mutex_lock(&store->lock);
    now = store->now_ms;
    pthread_mutex_unlock(&store->lock);
    return now;
}

static int put(struct ft_store *store, int64_t n, uint64_t at, const struct ft_buf *text, struct ft_err *reterr)
{
    unsigned char hash[HASH_LEN] = { 0 }, signature[SIGNATURE_LEN];
    char hex[2 * HASH_LEN + 1];
    sqlite3_stmt *stmt;
    int r = statement(store, ST_SEAL_PUT, &stmt, reterr);

    if (r < 0)
        return r;
    chain_hash(hash, text->data, text->len);
    key_sign(&store->key, text->data, text->len, signature);
    sqlite3_bind_int64(stmt, 1, n);
    sqlite3_bind_int64(stmt, 2, (sqlite3_int64)at);
    sqlite3_bind_text(stmt, 3, text->data, (int)text->len, SQLITE_STATIC);
    sqlite3_bind_blob(stmt, 4, hash, HASH_LEN, SQLITE_STATIC);
    sqlite3_bind_blob(stmt, 5, signature, SIGNATURE_LEN, SQLITE_STATIC);
    r = sqlite3_step(stmt) == SQLITE_DONE ? 0 : db_error(store->db, store->path, "write to", reterr);
    sqlite3_reset(stmt);
    hex_of(hash, HASH_LEN, hex);
    snprintf(store->sealing, sizeof(store->sealing), "%lld %s", (long long)n, hex);
    return r;
}

int seal_write(struct ft_store *store, const struct rows *rows, const char *note, struct ft_err *reterr)
{
    struct ft_buf text = FT_BUF_INIT(SEAL_MAX);
    uint64_t at = seal_now(store);
    struct last_seal last;
    unsigned count = 0;
    json_t *digest;
    size_t i;
    int r = read_last(store, &last, reterr);

    if (r < 0)
        return r;
    ft_buf_addf(&text, "{\"seal\":1,\"n\":%lld,\"at\":%llu,\"before\":\"", (long long)last.n + 1, (unsigned long long)at);
    add_hex(&text, last.hash);
    ft_buf_adds(&text, "\",\"key\":\"");
    add_hex(&text, store->key.public);
    ft_buf_adds(&text, "\",\"runs\":[");
    for (i = 0; i < rows->count && r == 0; i++)
        r = add_run(store, &text, rows->items[i], &count, reterr);
    ft_buf_adds(&text, "],\"plans\":[");
    count = 0;
    json_array_foreach(store->due_plans, i, digest)
        if (r == 0)
            r = add_plan(store, &text, json_string_value(digest), &count, reterr);
    ft_buf_adds(&text, "]");
    if (note)
        ft_buf_addf(&text, ",\"note\":%s", note);
    ft_buf_adds(&text, "}");
    if (r == 0 && text.overflow)
        r = ft_err_set(reterr, -EFBIG, "a seal over %zu runs is over %u MiB", rows->count, SEAL_MAX >> 20);
    if (r == 0)
        r = put(store, last.n + 1, at, &text, reterr);
    ft_buf_done(&text);
    return r;
}

/* ---- when */

/* Of all runs or plans, or of runs that a process which died left running. */
static int add_rows(struct ft_store *store, enum stmt which, struct ft_err *reterr)
{
    sqlite3_stmt *stmt;
    int r = statement(store, which, &stmt, reterr), step;

    if (r < 0)
        return r;
    while ((step = sqlite3_step(stmt)) == SQLITE_ROW)
        if (which == ST_SEAL_ALL_PLANS)
            seal_plan(store, (const char *)sqlite3_column_text(stmt, 0));
        else if (which == ST_SEAL_ALL || !owner_alive((const char *)sqlite3_column_text(stmt, 1)))
            rows_add(&store->due, sqlite3_column_int64(stmt, 0));
    if (step != SQLITE_DONE)
        r = db_error(store->db, store->path, "write to", reterr);
    sqlite3_reset(stmt);
    return r;
}

/* The first seal of a store covers all that is there: runs of a time without seals are sealed from now on. */
static int catch_up(struct ft_store *store, const char **note, struct ft_err *reterr)
{
    struct last_seal last;
    int r = read_last(store, &last, reterr);

    if (r == 0 && last.n == 0) {
        *note = "{\"begins\":true}";
        r = add_rows(store, ST_SEAL_ALL, reterr);
        if (r == 0)
            r = add_rows(store, ST_SEAL_ALL_PLANS, reterr);
    } else if (r == 0) {
        r = add_rows(store, ST_SEAL_RUNNING, reterr);
    }
    return r;
}

/* Those sealed now are dirty no more; a run that is written to again comes back, as seal_count has moved on. */
static void leave_dirty(struct ft_store *store)
{
    struct rows *due = &store->due, *dirty = &store->dirty;
    size_t n = 0;

    rows_sort(dirty);
    for (size_t i = 0; i < dirty->count; i++)
        if (!due->count || !bsearch(&dirty->items[i], due->items, due->count, sizeof(*due->items), by_row))
            dirty->items[n++] = dirty->items[i];
    dirty->count = n;
}

int seal_batch(struct ft_store *store, bool all, struct ft_err *reterr)
{
    const char *note = NULL;
    uint64_t now;
    int r = 0;

    if (!store->dirty.count && !store->due.count && !store->due_plans)
        return 0;
    now = seal_now(store);
    store->sealed_ms = store->sealed_ms ? store->sealed_ms : now;
    all |= store->unsealed >= EVERY_EVENTS || (store->unsealed && now > store->sealed_ms && now - store->sealed_ms >= EVERY_MS);
    if (!store->key.there || (!all && !store->due.count && !store->due_plans)) {
        nothing_due(store);
        return 0;
    }
    if (!store->caught_up)
        r = catch_up(store, &note, reterr);
    for (size_t i = 0; all && i < store->dirty.count; i++)
        rows_add(&store->due, store->dirty.items[i]);
    rows_sort(&store->due);
    if (r == 0)
        r = seal_write(store, &store->due, note, reterr);
    if (r == 0)
        leave_dirty(store);
    nothing_due(store);
    if (r == 0 && all) {
        store->unsealed = 0;
        store->sealed_ms = now;
    }
    return r;
}

/* ---- a new key, on the writer's thread */

struct new_key { const char *file, *who; struct seal_key key; };

/* Where the old key is there, its seal names the new one; else the new one's says that the old one is lost. */
static int write_handover(struct ft_store *store, struct op *op, struct ft_err *reterr)
{
    static const struct rows none;
    struct new_key *job = op->arg;
    char hex[2 * KEY_LEN + 1], *note;
    json_t *told = json_object();
    int r;

    hex_of(job->key.public, KEY_LEN, hex);
    json_object_set_new(told, store->key.there ? "key" : "lost", store->key.there ? json_string(hex) : json_true());
    json_object_set_new(told, "who", json_string(job->who));
    if (!store->key.there)
        store->key = job->key;
    note = json_dumps(told, JSON_COMPACT);
    r = seal_write(store, &none, note, reterr);
    free(note);
    json_decref(told);
    return r;
}

int ft_store_new_key(struct ft_store *store, const char *who, struct ft_err *reterr)
{
    char *file = key_path(store), *fresh = ft_asprintf("%s.new", file);
    struct new_key job = { .file = file, .who = who };
    bool had = access(file, F_OK) == 0;
    struct op *op;
    int r;

    unlink(fresh);
    r = key_make(fresh, &job.key, reterr);
    if (r == 0) {
        store_flush(store);
        op = store_op(write_handover, NULL, 0, FT_DURABLE);
        op->arg = &job;
        r = store_stage_and_wait(store, op, NULL, reterr);      /* what loads the old key, if it was not yet */
    }
    if (r == 0)
        r = change_files(file, fresh, had, reterr);
    if (r == 0)
        store->key = job.key;             /* nothing is being written: what was queued was waited for */
    explicit_bzero(&job.key, sizeof(job.key));
    free(file);
    free(fresh);
    return r;
}
