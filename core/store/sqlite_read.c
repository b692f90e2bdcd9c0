/* sqlite_read.c: reading, on the loop thread, after what is queued was written. */
#include <stdio.h>

#include "base/digest.h"
#include "data/json.h"
#include "store/internal.h"

#define MAX_FILLED ((size_t)64 << 20)

/* Until the writer has started its connection serves for reading too: most short runs never need a second one. */
sqlite3 *reader(struct ft_store *store, struct ft_err *reterr)
{
    if (!store->started)
        return store->db;
    if (!store->reader && db_open_reader(store->path, &store->reader, reterr) < 0)
        return NULL;
    return store->reader;
}

static int fail(struct ft_store *store, sqlite3 *db, struct ft_err *reterr)
{
    return db_error(db, store->path, "read", reterr);
}

int read_query(struct ft_store *store, const char *sql, sqlite3 **ret_db, sqlite3_stmt **ret, struct ft_err *reterr)
{
    *ret = NULL;
    *ret_db = reader(store, reterr);
    return *ret_db ? db_prepare(*ret_db, store->path, sql, ret, reterr) : reterr ? reterr->code : -EIO;
}

/* Preparing was a quarter of what taking a parked run back costs. */
int read_query_kept(struct ft_store *store, const char *sql, sqlite3 **ret_db, sqlite3_stmt **ret, struct ft_err *reterr)
{
    struct kept_query *place = NULL;
    int r;

    for (size_t i = 0; i < KEPT_QUERIES; i++) {
        struct kept_query *kept = &store->kept[i];

        if (kept->sql == sql && !kept->busy) {
            *ret_db = store->reader;
            *ret = kept->stmt;
            kept->busy = true;
            return 0;
        }
        if (!kept->sql && !place)
            place = kept;
    }
    r = read_query(store, sql, ret_db, ret, reterr);
    if (r == 0 && place && *ret_db == store->reader)
        *place = (struct kept_query){ .sql = sql, .stmt = *ret, .busy = true };
    return r;
}

void read_end(struct ft_store *store, sqlite3_stmt *stmt)
{
    for (size_t i = 0; i < KEPT_QUERIES; i++) {
        if (store->kept[i].stmt != stmt)
            continue;
        sqlite3_reset(stmt);
        sqlite3_clear_bindings(stmt);
        store->kept[i].busy = false;
        return;
    }
    sqlite3_finalize(stmt);
}

void read_close(struct ft_store *store)
{
    for (size_t i = 0; i < KEPT_QUERIES; i++)
        sqlite3_finalize(store->kept[i].stmt);
    memset(store->kept, 0, sizeof(store->kept));
    sqlite3_close(store->reader);
    store->reader = NULL;
}

static const char *column(sqlite3_stmt *stmt, int at)
{
    const char *text = (const char *)sqlite3_column_text(stmt, at);

    return text ? text : "";
}

int read_over(struct ft_store *store, sqlite3 *db, sqlite3_stmt *stmt, int step, struct ft_err *reterr)
{
    int r = step == SQLITE_DONE || step == SQLITE_ROW ? 0 : fail(store, db, reterr);

    read_end(store, stmt);
    return r;
}

/* ---- one run's place */

int read_taken(struct ft_store *store, const char *id)
{
    sqlite3_stmt *stmt;
    sqlite3 *db;
    int taken;

    if (read_query(store, "SELECT 1 FROM runs WHERE id = ?1", &db, &stmt, NULL) < 0)
        return 0;                            /* the first append will say what is wrong with the file */
    sqlite3_bind_text(stmt, 1, id, -1, SQLITE_STATIC);
    taken = sqlite3_step(stmt) == SQLITE_ROW;
    sqlite3_finalize(stmt);
    return taken;
}

static int read_row(struct ft_store *store, const char *id, int64_t *ret, struct ft_err *reterr)
{
    sqlite3_stmt *stmt;
    sqlite3 *db;
    int r = read_query_kept(store, "SELECT row FROM runs WHERE id = ?1", &db, &stmt, reterr), step;

    if (r < 0)
        return r;
    sqlite3_bind_text(stmt, 1, id, -1, SQLITE_STATIC);
    step = sqlite3_step(stmt);
    *ret = step == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
    r = read_over(store, db, stmt, step, reterr);
    return r == 0 && !*ret ? ft_err_set(reterr, -ENOENT, "there is no run %s in the store '%s'", id, store->path) : r;
}

/* What was kept apart of the run by earlier processes. */
static int read_personal(struct ft_store *store, struct chain *chain, struct ft_err *reterr)
{
    sqlite3_stmt *stmt;
    sqlite3 *db;
    int r = read_query_kept(store, "SELECT n, salt, value, is_name FROM personal WHERE run = ?1 ORDER BY n", &db, &stmt, reterr), step;

    if (r < 0)
        return r;
    sqlite3_bind_int64(stmt, 1, chain->row);
    while ((step = sqlite3_step(stmt)) == SQLITE_ROW)
        personal_load(chain, (unsigned)sqlite3_column_int(stmt, 0), sqlite3_column_blob(stmt, 1), (size_t)sqlite3_column_bytes(stmt, 1), column(stmt, 2),
                      (size_t)sqlite3_column_bytes(stmt, 2), sqlite3_column_int(stmt, 3));
    return read_over(store, db, stmt, step, reterr);
}

static uint64_t time_of(const char *text, size_t len)
{
    json_t *event = NULL;
    uint64_t at = 0;

    if (ft_json_parse(text, len, 0, &event, NULL) == 0)
        at = (uint64_t)ft_json_int(event, "at", 0);
    json_decref(event);
    return at;
}

int read_chain(struct ft_store *store, struct chain *chain, struct ft_err *reterr)
{
    sqlite3_stmt *stmt;
    sqlite3 *db;
    int r = read_row(store, chain->id, &chain->row, reterr), step;

    if (r == 0)
        r = read_personal(store, chain, reterr);
    if (r == 0)
        r = read_query_kept(store, "SELECT seq, hash, text, (SELECT status <> 'running' FROM runs WHERE row = ?1) FROM events WHERE run = ?1"
                            " ORDER BY seq DESC LIMIT 1", &db, &stmt, reterr);
    if (r < 0)
        return r;
    sqlite3_bind_int64(stmt, 1, chain->row);
    step = sqlite3_step(stmt);
    if (step == SQLITE_ROW && sqlite3_column_bytes(stmt, 1) == HASH_LEN) {
        chain->seq = (uint64_t)sqlite3_column_int64(stmt, 0);
        memcpy(chain->hash, sqlite3_column_blob(stmt, 1), HASH_LEN);
        chain->at_ms = time_of(column(stmt, 2), (size_t)sqlite3_column_bytes(stmt, 2));
        chain->stands = sqlite3_column_int(stmt, 3);
    }
    return read_over(store, db, stmt, step, reterr);
}

void read_sealed(struct ft_store *store, char *ret, size_t size)
{
    sqlite3_stmt *stmt;
    sqlite3 *db;

    *ret = '\0';
    if (read_query(store, "SELECT n || ' ' || lower(hex(hash)) FROM seals ORDER BY n DESC LIMIT 1", &db, &stmt, NULL) < 0)
        return;
    if (sqlite3_step(stmt) == SQLITE_ROW)
        snprintf(ret, size, "%s", column(stmt, 0));
    sqlite3_finalize(stmt);
}

/* ---- personal values, read when first needed */

struct filling { struct ft_store *store; int64_t row; json_t *values; };

static const char *value_of(void *arg, unsigned n)
{
    struct filling *f = arg;
    sqlite3_stmt *stmt;
    sqlite3 *db;
    char key[16];

    if (!f->values) {
        f->values = json_object();
        if (read_query_kept(f->store, "SELECT n, value FROM personal WHERE run = ?1 AND value IS NOT NULL", &db, &stmt, NULL) < 0)
            return NULL;
        sqlite3_bind_int64(stmt, 1, f->row);
        while (sqlite3_step(stmt) == SQLITE_ROW)
            json_object_set_new(f->values, column(stmt, 0), json_stringn_nocheck(column(stmt, 1), (size_t)sqlite3_column_bytes(stmt, 1)));
        read_end(f->store, stmt);
    }
    snprintf(key, sizeof(key), "%u", n);
    return json_string_value(json_object_get(f->values, key));
}

/* The text with its values; `to` is used where there are any. */
static const char *filled(struct filling *f, const char *text, size_t *len, bool is_json, struct ft_buf *to)
{
    struct token token;

    ft_buf_clear(to);
    if (!token_next(text, *len, &token))
        return text;
    personal_fill(text, *len, value_of, f, is_json, to);
    *len = to->len;
    return ft_buf_str(to);
}

static int parse_filled(struct filling *f, const char *text, size_t len, json_t **ret, struct ft_err *reterr)
{
    struct ft_buf to = FT_BUF_INIT(2 * MAX_FILLED);
    int r;

    text = filled(f, text, &len, true, &to);
    r = ft_json_parse(text, len, 2 * MAX_FILLED, ret, reterr);
    ft_buf_done(&to);
    return r;
}

/* ---- runs */

static void info_of(struct filling *f, sqlite3_stmt *stmt, struct ft_buf *summary, struct ft_run_info *ret, json_t **ret_params)
{
    size_t len = (size_t)sqlite3_column_bytes(stmt, 8);
    struct ft_err ignored;

    *ret_params = NULL;
    f->row = sqlite3_column_int64(stmt, 11);
    json_decref(f->values);
    f->values = NULL;
    parse_filled(f, column(stmt, 10), (size_t)sqlite3_column_bytes(stmt, 10), ret_params, &ignored);
    *ret = (struct ft_run_info){
        .id = column(stmt, 0), .playbook = column(stmt, 1), .digest = column(stmt, 2), .mode = column(stmt, 3), .status = column(stmt, 4),
        .outcome = column(stmt, 5), .started_ms = (uint64_t)sqlite3_column_int64(stmt, 6), .ended_ms = (uint64_t)sqlite3_column_int64(stmt, 7),
        .summary = filled(f, column(stmt, 8), &len, false, summary), .owner = column(stmt, 9), .alive = owner_alive(column(stmt, 9)), .params = *ret_params,
    };
}

#define INFO "SELECT id, playbook, digest, mode, status, outcome, started, ended, summary, owner, params, row FROM runs"

int ft_store_runs(struct ft_store *store, const char *status, unsigned limit, void (*fn)(void *arg, const struct ft_run_info *info), void *arg,
                  struct ft_err *reterr)
{
    struct ft_buf summary = FT_BUF_INIT(0);
    struct filling filling = { .store = store };
    sqlite3_stmt *stmt;
    sqlite3 *db;
    int r, step;

    store_flush(store);
    r = read_query(store, status ? INFO " WHERE status = ?1 ORDER BY row DESC LIMIT ?2" : INFO " ORDER BY row DESC LIMIT ?2", &db, &stmt, reterr);
    if (r < 0)
        return r;
    if (status)
        sqlite3_bind_text(stmt, 1, status, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, limit ? limit : 100);
    while ((step = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct ft_run_info info;
        json_t *params;

        info_of(&filling, stmt, &summary, &info, &params);
        fn(arg, &info);
        json_decref(params);
    }
    json_decref(filling.values);
    ft_buf_done(&summary);
    return read_over(store, db, stmt, step, reterr);
}

bool ft_store_owner_alive(struct ft_store *store, const char *id)
{
    sqlite3_stmt *stmt;
    sqlite3 *db;
    bool alive;

    store_flush(store);
    if (read_query_kept(store, "SELECT owner FROM runs WHERE id = ?1", &db, &stmt, NULL) < 0)
        return false;
    sqlite3_bind_text(stmt, 1, id, -1, SQLITE_STATIC);
    alive = sqlite3_step(stmt) == SQLITE_ROW && !ft_streq(column(stmt, 0), owner_self()) && owner_alive(column(stmt, 0));
    read_end(store, stmt);
    return alive;
}

/* "7f3c0a12, 7f3c91de, …" behind what was found. */
static int ambiguous(const char *prefix, sqlite3_stmt *stmt, const char *first, struct ft_err *reterr)
{
    struct ft_buf ids = FT_BUF_INIT(0);
    int r;

    ft_buf_addf(&ids, "%s, %s", first, column(stmt, 0));
    for (int i = 0; sqlite3_step(stmt) == SQLITE_ROW; i++) {
        if (i == 6) {
            ft_buf_adds(&ids, ", …");
            break;
        }
        ft_buf_addf(&ids, ", %s", column(stmt, 0));
    }
    r = ft_err_set(reterr, -EEXIST, "'%s' may be any of these runs: %s; say more of it", prefix, ft_buf_str(&ids));
    ft_buf_done(&ids);
    return r;
}

int ft_store_find(struct ft_store *store, const char *prefix, char ret_id[9], struct ft_err *reterr)
{
    size_t len = strlen(prefix);
    sqlite3_stmt *stmt;
    sqlite3 *db;
    char id[9], told[400];
    int r, step;

    if (len < 4 || len > 8 || strspn(prefix, "0123456789abcdef") != len)
        return ft_err_set(reterr, -EINVAL, "'%s' names no run: at least 4 of the 8 digits of its id, as `fettle runs` shows them", prefix);
    store_flush(store);
    r = read_query(store, "SELECT id FROM runs WHERE id >= ?1 AND id < ?1 || 'g' ORDER BY id", &db, &stmt, reterr);
    if (r < 0)
        return r;
    sqlite3_bind_text(stmt, 1, prefix, -1, SQLITE_STATIC);
    step = sqlite3_step(stmt);
    if (step == SQLITE_DONE && len == 8 && told_deleted(store, prefix, told, sizeof(told)))
        r = ft_err_set(reterr, -ENOENT, "%s", told);
    else if (step == SQLITE_DONE)
        r = ft_err_set(reterr, -ENOENT, "there is no run '%s' in the store '%s'; `fettle runs` lists them", prefix, store->path);
    if (step == SQLITE_ROW) {
        snprintf(id, sizeof(id), "%s", column(stmt, 0));
        step = sqlite3_step(stmt);
        if (step == SQLITE_ROW)
            r = ambiguous(prefix, stmt, id, reterr);
    }
    if (r < 0) {
        sqlite3_finalize(stmt);
        return r;
    }
    memcpy(ret_id, id, sizeof(id));
    return read_over(store, db, stmt, step, reterr);
}

/* ---- events and what lies beside them */

static int check_digest(const struct ft_store *store, const char *digest, char **bytes, size_t len, struct ft_err *reterr)
{
    char is[FT_DIGEST_HEX];

    ft_sha256_hex(*bytes, len, is);
    if (ft_streq(is, digest))
        return 0;
    free(*bytes);
    *bytes = NULL;
    return ft_err_set(reterr, -EBADMSG, "what lies in the store '%s' under the digest %s is not what was written", store->path, digest);
}

static int blob_get(struct ft_store *store, const char *digest, char **ret_bytes, size_t *ret_len, struct ft_err *reterr)
{
    sqlite3_stmt *stmt;
    sqlite3 *db;
    int r = read_query_kept(store, "SELECT bytes FROM blobs WHERE digest = ?1", &db, &stmt, reterr), step;

    if (r < 0)
        return r;
    sqlite3_bind_text(stmt, 1, digest, -1, SQLITE_STATIC);
    step = sqlite3_step(stmt);
    if (step == SQLITE_ROW) {
        size_t len = (size_t)sqlite3_column_bytes(stmt, 0);

        *ret_bytes = ft_calloc(1, len + 1);
        if (len)
            memcpy(*ret_bytes, sqlite3_column_blob(stmt, 0), len);
        *ret_len = len;
    }
    r = read_over(store, db, stmt, step, reterr);
    if (r == 0 && step == SQLITE_DONE)
        return ft_err_set(reterr, -ENOENT, "nothing with the digest %s is in the store '%s'", digest, store->path);
    return r < 0 ? r : check_digest(store, digest, ret_bytes, *ret_len, reterr);
}

int ft_store_blob_get(struct ft_store *store, const char *digest, char **ret_bytes, size_t *ret_len, struct ft_err *reterr)
{
    store_flush(store);
    return blob_get(store, digest, ret_bytes, ret_len, reterr);
}

/* What an event's member refers to, in its place. A plugin's own {"$blob": …} names nothing in the store, and stays. */
static int fill_blobs(struct ft_store *store, struct filling *f, json_t *event, struct ft_err *reterr)
{
    const char *key;
    json_t *member;
    void *tmp;

    json_object_foreach_safe(event, tmp, key, member) {
        const char *digest = json_object_size(member) == 1 ? ft_json_str(member, "$blob") : NULL;
        json_t *value = NULL;
        char *bytes = NULL;
        size_t len;
        int r;

        if (!digest)
            continue;
        r = blob_get(store, digest, &bytes, &len, reterr);
        if (r == 0 && parse_filled(f, bytes, len, &value, NULL) == 0)
            json_object_set_new(event, key, value);
        free(bytes);
        if (r < 0 && r != -ENOENT)
            return r;
    }
    return 0;
}

static int read_event(struct ft_store *store, struct filling *f, const char *run_id, sqlite3_stmt *stmt, json_t *list, struct ft_err *reterr)
{
    json_t *event = NULL;
    int r = parse_filled(f, column(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0), &event, reterr);

    if (r == 0 && !json_is_object(event))
        r = ft_err_set(reterr, -EBADMSG, "is no JSON object");
    if (r == 0)
        r = fill_blobs(store, f, event, reterr);
    if (r < 0) {
        json_decref(event);
        ft_err_in(reterr, "event %lld of run %s in the store '%s'", (long long)sqlite3_column_int64(stmt, 1), run_id, store->path);
        return r;
    }
    json_array_append_new(list, event);
    return 0;
}

int ft_store_events(struct ft_store *store, const char *run_id, uint64_t from_seq, json_t **ret, struct ft_err *reterr)
{
    struct filling filling = { .store = store };
    json_t *list;
    sqlite3_stmt *stmt;
    sqlite3 *db;
    int64_t row;
    int r, step;

    store_flush_run(store, run_id);
    r = read_row(store, run_id, &row, reterr);
    filling.row = row;
    if (r == 0)
        r = read_query_kept(store, "SELECT text, seq FROM events WHERE run = ?1 AND seq >= ?2 ORDER BY seq", &db, &stmt, reterr);
    if (r < 0)
        return r;
    list = json_array();
    sqlite3_bind_int64(stmt, 1, row);
    sqlite3_bind_int64(stmt, 2, (sqlite3_int64)from_seq);
    while ((step = sqlite3_step(stmt)) == SQLITE_ROW && r == 0)
        r = read_event(store, &filling, run_id, stmt, list, reterr);
    if (r < 0)
        read_end(store, stmt);
    else
        r = read_over(store, db, stmt, step, reterr);
    json_decref(filling.values);
    if (r < 0)
        json_decref(list);
    else
        *ret = list;
    return r;
}

/* ---- the chain */

struct verified {
    char run[9];
    int64_t row;
    uint64_t seq;
    unsigned char hash[HASH_LEN];
};

static int verify_event(struct verified *v, sqlite3_stmt *stmt, struct ft_err *reterr)
{
    const char *id = column(stmt, 0), *text = column(stmt, 4);
    uint64_t seq = (uint64_t)sqlite3_column_int64(stmt, 2);

    if (v->row != sqlite3_column_int64(stmt, 1)) {
        v->row = sqlite3_column_int64(stmt, 1);
        v->seq = 0;
        snprintf(v->run, sizeof(v->run), "%s", id);
        chain_seed(v->run, v->hash);
    }
    if (seq != v->seq + 1)
        return ft_err_set(reterr, -EBADMSG, "run %s: event %llu is missing", v->run, (unsigned long long)(v->seq + 1));
    v->seq = seq;
    chain_hash(v->hash, text, (size_t)sqlite3_column_bytes(stmt, 4));
    if (sqlite3_column_bytes(stmt, 3) != HASH_LEN || memcmp(sqlite3_column_blob(stmt, 3), v->hash, HASH_LEN) != 0)
        return ft_err_set(reterr, -EBADMSG, "run %s: event %llu is not what was written: its hash does not fit", v->run, (unsigned long long)seq);
    return 0;
}

int ft_store_verify(struct ft_store *store, const char *run_id, struct ft_err *reterr)
{
    struct verified v = { .row = -1 };
    sqlite3_stmt *stmt;
    sqlite3 *db;
    int64_t row = 0;
    int r = 0, step;

    if (run_id)
        store_flush_run(store, run_id);
    else
        store_flush(store);
    if (run_id)
        r = read_row(store, run_id, &row, reterr);
    if (r == 0 && run_id)
        r = read_query_kept(store, "SELECT ?2, run, seq, hash, text FROM events WHERE run = ?1 ORDER BY seq", &db, &stmt, reterr);
    else if (r == 0)
        r = read_query(store, "SELECT coalesce(runs.id, '?'), events.run, events.seq, events.hash, events.text FROM events"
                         " LEFT JOIN runs ON runs.row = events.run"
                         " ORDER BY events.run, events.seq", &db, &stmt, reterr);
    if (r < 0)
        return r;
    if (run_id) {
        sqlite3_bind_int64(stmt, 1, row);
        sqlite3_bind_text(stmt, 2, run_id, -1, SQLITE_STATIC);
    }
    while ((step = sqlite3_step(stmt)) == SQLITE_ROW && r == 0)
        r = verify_event(&v, stmt, reterr);
    if (r == 0)
        return read_over(store, db, stmt, step, reterr);
    read_end(store, stmt);
    return r;
}

/* ---- locks */

/* Of a run that is over, or of a process that died before its run had begun. */
static bool is_stale(const char *status, const char *owner)
{
    return *status ? store_is_over(status) : !owner_alive(owner);
}

static json_t *lock_row(sqlite3_stmt *stmt, bool stale)
{
    bool alive = owner_alive(*column(stmt, 5) ? column(stmt, 9) : column(stmt, 4));
    json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:s, s:b}", "key", column(stmt, 0), "run", column(stmt, 1), "within", column(stmt, 6),
                            "reason", column(stmt, 2), "since", (json_int_t)sqlite3_column_int64(stmt, 3), "playbook", column(stmt, 7),
                            "status", column(stmt, 5), "summary", column(stmt, 8), "alive", alive);

    if (stale)
        json_object_set_new(row, "stale", json_true());
    return row;
}

static int read_locks(struct ft_store *store, bool all, json_t **ret, struct ft_err *reterr)
{
    json_t *list;
    sqlite3_stmt *stmt;
    sqlite3 *db;
    int r, step;

    store_flush(store);
    r = read_query(store, "SELECT locks.key, locks.run, locks.reason, locks.since, locks.owner, runs.status, locks.within, runs.playbook,"
                     " runs.summary, runs.owner FROM locks LEFT JOIN runs ON runs.id = locks.run ORDER BY locks.key", &db, &stmt, reterr);
    if (r < 0)
        return r;
    list = json_array();
    while ((step = sqlite3_step(stmt)) == SQLITE_ROW) {
        bool stale = is_stale(column(stmt, 5), column(stmt, 4));

        if (all || !stale)
            json_array_append_new(list, lock_row(stmt, stale));
    }
    r = read_over(store, db, stmt, step, reterr);
    if (r < 0)
        json_decref(list);
    else
        *ret = list;
    return r;
}

int ft_store_locks(struct ft_store *store, json_t **ret, struct ft_err *reterr)
{
    return read_locks(store, /* all= */ false, ret, reterr);
}

int ft_store_locks_all(struct ft_store *store, json_t **ret, struct ft_err *reterr)
{
    return read_locks(store, /* all= */ true, ret, reterr);
}
