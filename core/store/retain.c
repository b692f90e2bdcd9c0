/* retain.c: see retain.h. All of it happens in one transaction of the writer's, with the seal that tells of it: a crash leaves all or nothing. */
#include <ctype.h>
#include <stdio.h>
#include <strings.h>
#include <sys/stat.h>

#include "store/internal.h"
#include "store/retain.h"

#define BLOB_REST_MS 7200000          /* a result that was stored a moment ago may be named by an event that is still on its way */

#define TO_REVIEW "(gate = 'review' AND NOT taken)"      /* a broken glass that nobody has looked at yet */

struct job { const struct ft_retain *what; struct ft_retained *result; json_t *told, *plans; };

static int failed(struct ft_store *store, struct ft_err *reterr)
{
    return db_error(store->db, store->path, "write to", reterr);
}

static int query(struct ft_store *store, const char *sql, sqlite3_stmt **ret, struct ft_err *reterr)
{
    return db_prepare(store->db, store->path, sql, ret, reterr);
}

static int rows_over(struct ft_store *store, sqlite3_stmt *stmt, int step, struct ft_err *reterr)
{
    int r = step == SQLITE_DONE ? 0 : failed(store, reterr);

    sqlite3_finalize(stmt);
    return r;
}

/* ---- which */

enum { DIGITS_MAX = 128 };

/* The digits of a MAC address or of an identifier with one in it; 0 of anything else. */
static size_t hex_digits(const char *text, char ret[DIGITS_MAX + 1])
{
    size_t n = 0;

    for (; *text; text++) {
        if (text[0] == '%' && text[1] && text[2])
            text += 2;
        else if (isxdigit((unsigned char)*text) && n < DIGITS_MAX)
            ret[n++] = (char)tolower((unsigned char)*text);
        else if (!strchr(":-.", *text))
            return 0;
    }
    ret[n] = '\0';
    return n;
}

/* a4:83:e7:12:34:56 is in 01:a4:83:e7:12:34:56 and any DUID that ends with it, and in a4:83:e7:ff:fe:12:34:56. */
static bool has_mac(const char *digits, size_t len, const char *mac)
{
    if (len >= 12 && ft_streq(digits + len - 12, mac))
        return true;
    return len == 16 && memcmp(digits, mac, 6) == 0 && memcmp(digits + 6, "fffe", 4) == 0 && ft_streq(digits + 10, mac + 6);
}

static bool is_wanted(const char *wanted, const char *value)
{
    char a[DIGITS_MAX + 1], b[DIGITS_MAX + 1];
    size_t n;

    if (!wanted)
        return true;
    n = hex_digits(wanted, a);
    if (n == 12 || (n == 14 && a[0] == '0' && a[1] == '1'))
        return has_mac(b, hex_digits(value, b), a + n - 12);
    return strcasecmp(wanted, value) == 0;
}

/* ---- what is personal in one run */

static int forget_values(struct ft_store *store, struct job *job, int64_t row, json_t *numbers, struct ft_err *reterr)
{
    sqlite3_stmt *stmt;
    int r = query(store, "SELECT n, value FROM personal WHERE run = ?1 AND value IS NOT NULL ORDER BY n", &stmt, reterr), step;
    json_t *number;
    size_t i;

    if (r < 0)
        return r;
    sqlite3_bind_int64(stmt, 1, row);
    while ((step = sqlite3_step(stmt)) == SQLITE_ROW)
        if (is_wanted(job->what->value, (const char *)sqlite3_column_text(stmt, 1)))
            json_array_append_new(numbers, json_integer(sqlite3_column_int64(stmt, 0)));
    r = rows_over(store, stmt, step, reterr);
    json_array_foreach(numbers, i, number) {
        int64_t at[] = { row, json_integer_value(number) };

        if (r == 0)
            r = write_own(store, "UPDATE personal SET salt = x'', value = NULL WHERE run = ?1 AND n = ?2", NULL, at, reterr);
    }
    return r;
}

/* What other tables hold of a run that is over: only the events are the record of it. A plan keeps its digest, a budget its count. */
static int clear_beside(struct ft_store *store, struct job *job, const char *id, struct ft_err *reterr)
{
    static const char *const statements[] = {
        ("DELETE FROM answers WHERE run = ?1 AND NOT " TO_REVIEW), "DELETE FROM locks WHERE run = ?1",
        "UPDATE OR REPLACE budgets SET grp = 'deleted' WHERE run = ?1 AND grp <> ''",      /* a write to several targets has several */
        "UPDATE plans SET text = '' WHERE run = ?1",
    };
    const char *texts[] = { id, NULL };
    sqlite3_stmt *stmt;
    int r = query(store, "SELECT digest FROM plans WHERE run = ?1 AND text <> ''", &stmt, reterr), step;

    if (r < 0)
        return r;
    sqlite3_bind_text(stmt, 1, id, -1, SQLITE_STATIC);
    while ((step = sqlite3_step(stmt)) == SQLITE_ROW)
        json_array_append_new(job->plans, json_string((const char *)sqlite3_column_text(stmt, 0)));
    r = rows_over(store, stmt, step, reterr);
    for (size_t i = 0; i < ARRAY_LEN(statements) && r == 0; i++)
        r = write_own(store, statements[i], texts, NULL, reterr);
    return r;
}

/* Texts beside the events are as they were written: a plan's states may name somebody whom no event names. value NULL: whether there are any. */
static int lies_beside(struct ft_store *store, const struct job *job, const char *id, bool *ret, struct ft_err *reterr)
{
    const char *value = job->what->value;
    sqlite3_stmt *stmt;
    int r = query(store, "SELECT plain(text) FROM plans WHERE run = ?1 AND text <> '' UNION ALL SELECT text FROM answers WHERE run = ?1 AND NOT " TO_REVIEW
                         " UNION ALL SELECT key || ' ' || reason FROM locks WHERE run = ?1 UNION ALL SELECT grp FROM budgets WHERE run = ?1 AND grp NOT IN ('', 'deleted')",
                  &stmt, reterr), step;

    if (r < 0)
        return r;
    sqlite3_bind_text(stmt, 1, id, -1, SQLITE_STATIC);
    while ((step = sqlite3_step(stmt)) == SQLITE_ROW)
        *ret |= !value || personal_mentions((const char *)sqlite3_column_text(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0), value, is_wanted);
    return rows_over(store, stmt, step, reterr);
}

static int forget_run(struct ft_store *store, struct job *job, int64_t row, const char *id, struct ft_err *reterr)
{
    json_t *numbers = json_array();
    int r = forget_values(store, job, row, numbers, reterr);
    bool beside = json_array_size(numbers) > 0;

    if (r == 0 && !beside)
        r = lies_beside(store, job, id, &beside, reterr);
    if (r == 0 && beside) {
        job->result->runs++;
        job->result->values += (unsigned)json_array_size(numbers);
        if (json_array_size(numbers))
            json_object_set(job->told, id, numbers);
        r = clear_beside(store, job, id, reterr);
    }
    json_decref(numbers);
    return r;
}

/* ---- whole runs */

static int tell_head(struct ft_store *store, struct job *job, int64_t row, const char *id, struct ft_err *reterr)
{
    char hex[2 * HASH_LEN + 1] = "";
    sqlite3_stmt *stmt;
    int r = query(store, "SELECT seq, hash FROM events WHERE run = ?1 ORDER BY seq DESC LIMIT 1", &stmt, reterr), step;
    int64_t seq = 0;

    if (r < 0)
        return r;
    sqlite3_bind_int64(stmt, 1, row);
    step = sqlite3_step(stmt);
    if (step == SQLITE_ROW) {
        seq = sqlite3_column_int64(stmt, 0);
        if (sqlite3_column_bytes(stmt, 1) == HASH_LEN)
            hex_of(sqlite3_column_blob(stmt, 1), HASH_LEN, hex);
    }
    json_array_append_new(job->told, json_pack("[s, I, s]", id, (json_int_t)seq, hex));
    return rows_over(store, stmt, step == SQLITE_ROW ? SQLITE_DONE : step, reterr);
}

static int delete_run(struct ft_store *store, struct job *job, int64_t row, const char *id, struct ft_err *reterr)
{
    static const char *const statements[] = {
        "DELETE FROM events WHERE run = ?1", "DELETE FROM personal WHERE run = ?1",
        "DELETE FROM answers WHERE run = (SELECT id FROM runs WHERE row = ?1)", "DELETE FROM runs WHERE row = ?1",
    };
    int r = tell_head(store, job, row, id, reterr);

    if (r == 0)
        r = clear_beside(store, job, id, reterr);
    for (size_t i = 0; i < ARRAY_LEN(statements) && r == 0; i++)
        r = write_own(store, statements[i], NULL, &row, reterr);
    job->result->runs++;
    return r;
}

/* ---- results beside the events that no event names any more */

static void drop_named(json_t *digests, const char *text, size_t len)
{
    size_t run = 0;

    for (size_t i = 0; i <= len; i++) {
        if (i < len && isxdigit((unsigned char)text[i])) {
            run++;
            continue;
        }
        if (run == 64) {
            char digest[65];

            memcpy(digest, text + i - 64, 64);
            digest[64] = '\0';
            json_object_del(digests, digest);
        }
        run = 0;
    }
}

static int sweep_blobs(struct ft_store *store, struct job *job, struct ft_err *reterr)
{
    json_t *digests = json_object(), *value;
    const char *digest;
    sqlite3_stmt *stmt;
    int r = query(store, "SELECT digest FROM blobs WHERE used < ?1", &stmt, reterr), step;

    if (r == 0) {
        sqlite3_bind_int64(stmt, 1, (sqlite3_int64)seal_now(store) - BLOB_REST_MS);
        while ((step = sqlite3_step(stmt)) == SQLITE_ROW)
            json_object_set_new(digests, (const char *)sqlite3_column_text(stmt, 0), json_null());
        r = rows_over(store, stmt, step, reterr);
    }
    if (r == 0 && json_object_size(digests))
        r = query(store, "SELECT text FROM events", &stmt, reterr);
    if (r == 0 && json_object_size(digests)) {
        while ((step = sqlite3_step(stmt)) == SQLITE_ROW)
            drop_named(digests, (const char *)sqlite3_column_text(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0));
        r = rows_over(store, stmt, step, reterr);
    }
    json_object_foreach(digests, digest, value) {
        if (r == 0)
            r = write_own(store, "DELETE FROM blobs WHERE digest = ?1", (const char *[]){ digest, NULL }, NULL, reterr);
        job->result->blobs++;
    }
    json_decref(digests);
    return r;
}

/* ---- the bytes */

/* SQLite zeroes what is deleted, but not copies that it left in a page as it split or merged it: so all is taken out, and put in again. */
static int rewrite(struct ft_store *store, const char *table, struct ft_err *reterr)
{
    char sql[256];

    snprintf(sql, sizeof(sql), "CREATE TEMP TABLE kept_of AS SELECT * FROM %s; DELETE FROM %s; INSERT INTO %s SELECT * FROM kept_of; DROP TABLE kept_of", table, table, table);
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : failed(store, reterr);
}

static int scrub(struct ft_store *store, const struct job *job, struct ft_err *reterr)
{
    static const char *const tables[] = { "personal", "answers", "locks", "budgets", "plans" };
    int r = 0;

    for (size_t i = 0; i < ARRAY_LEN(tables) - !json_array_size(job->plans) && r == 0; i++)
        r = rewrite(store, tables[i], reterr);
    return r;
}

/* ---- one job */

static int each_run(struct ft_store *store, struct job *job, struct ft_err *reterr)
{
    const struct ft_retain *what = job->what;
    json_t *list = json_array(), *one;
    sqlite3_stmt *stmt;
    size_t i;
    int r = query(store, "SELECT row, id FROM runs WHERE status IN " STATUS_OVER " AND ended < ?1 AND (?2 IS NULL OR id = ?2) ORDER BY row", &stmt, reterr), step;

    if (r == 0) {
        sqlite3_bind_int64(stmt, 1, what->before_ms ? (sqlite3_int64)what->before_ms : INT64_MAX);
        if (what->run)
            sqlite3_bind_text(stmt, 2, what->run, -1, SQLITE_STATIC);
        while ((step = sqlite3_step(stmt)) == SQLITE_ROW)
            json_array_append_new(list, json_pack("[I, s]", (json_int_t)sqlite3_column_int64(stmt, 0), (const char *)sqlite3_column_text(stmt, 1)));
        r = rows_over(store, stmt, step, reterr);
    }
    json_array_foreach(list, i, one) {
        int64_t row = json_integer_value(json_array_get(one, 0));
        const char *id = json_string_value(json_array_get(one, 1));

        if (r == 0)
            r = what->whole ? delete_run(store, job, row, id, reterr) : forget_run(store, job, row, id, reterr);
    }
    json_decref(list);
    return r;
}

static int count_of(struct ft_store *store, const char *sql, const struct ft_retain *what, unsigned *ret, struct ft_err *reterr)
{
    sqlite3_stmt *stmt;
    int r = query(store, sql, &stmt, reterr), step;

    if (r < 0)
        return r;
    sqlite3_bind_int64(stmt, 1, what->before_ms ? (sqlite3_int64)what->before_ms : INT64_MAX);
    if (what->run)
        sqlite3_bind_text(stmt, 2, what->run, -1, SQLITE_STATIC);
    while ((step = sqlite3_step(stmt)) == SQLITE_ROW)
        *ret += sqlite3_column_type(stmt, 0) == SQLITE_NULL || is_wanted(what->value, (const char *)sqlite3_column_text(stmt, 0));
    return rows_over(store, stmt, step, reterr);
}

static int retain(struct ft_store *store, struct op *op, struct ft_err *reterr)
{
    static const struct rows none;
    struct job *job = op->arg;
    json_t *note = json_object();
    char *text;
    int r = 0;

    job->told = job->what->whole ? json_array() : json_object();
    job->plans = json_array();
    if (!store->key.there)
        op_refuse(op, -ENOKEY, "nothing is deleted without a seal that says so, and the key that signs seals is not there: `fettle audit key` says where it was");
    else if (job->what->value && personal_mentions(job->what->why, strlen(job->what->why), job->what->value, is_wanted))
        op_refuse(op, -EINVAL, "the reason stands in the record for good: say it without what is to be forgotten");
    if (!op->err)
        r = each_run(store, job, reterr);
    if (!op->err && r == 0 && !job->what->whole)
        r = count_of(store, "SELECT DISTINCT value FROM personal JOIN runs ON runs.row = personal.run WHERE status NOT IN " STATUS_OVER
                            " AND value IS NOT NULL AND started < ?1 AND (?2 IS NULL OR id = ?2)", job->what, &job->result->busy, reterr);
    if (!op->err && r == 0 && !job->what->whole && !job->what->value)
        r = count_of(store, "SELECT NULL FROM runs WHERE status IN " STATUS_OVER " AND ended < ?1 AND (?2 IS NULL OR id = ?2) AND row <= (SELECT value FROM kept WHERE name = 'schema 1')",
                     job->what, &job->result->old, reterr);
    if (!op->err && r == 0 && job->result->runs) {
        if (job->what->whole)
            r = sweep_blobs(store, job, reterr);
        if (r == 0)
            r = scrub(store, job, reterr);
        store->scrub_due = true;
        if (r == 0)
            r = write_own(store, "INSERT OR REPLACE INTO kept (name, value) VALUES (?1, 1)", (const char *[]){ SCRUB_DUE, NULL }, NULL, reterr);
        json_object_set(note, job->what->whole ? "deleted" : "forgot", job->told);
        if (json_array_size(job->plans))
            json_object_set(note, "plans", job->plans);
        json_object_set_new(note, "who", json_string(job->what->who));
        json_object_set_new(note, "why", json_string(job->what->why));
        text = json_dumps(note, JSON_COMPACT);
        if (r == 0)
            r = seal_write(store, &none, text, reterr);
        free(text);
    }
    json_decref(note);
    json_decref(job->told);
    json_decref(job->plans);
    return r;
}

int ft_store_retain(struct ft_store *store, const struct ft_retain *what, struct ft_retained *ret, struct ft_err *reterr)
{
    struct op *op = store_op(retain, NULL, 0, FT_DURABLE);
    struct job job = { .what = what, .result = ret };
    char *log = ft_asprintf("%s-wal", store->path);
    struct stat st;
    int r;

    memset(ret, 0, sizeof(*ret));
    store_flush(store);
    op->arg = &job;
    op->scrubs = true;
    r = store_stage_and_wait(store, op, NULL, reterr);
    ret->in_log = r == 0 && ret->runs && stat(log, &st) == 0 && st.st_size > 0;
    free(log);
    return r;
}

/* ---- when */

static int note_due(struct ft_store *store, struct op *op, struct ft_err *reterr)
{
    int64_t at = (int64_t)op->started_ms;

    return write_own(store, "INSERT INTO kept (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2", op->texts, &at, reterr);
}

bool ft_store_due(struct ft_store *store, const char *what, uint64_t every_ms)
{
    uint64_t now = ft_clock_wall_ms(ft_loop_clock(store->loop));
    int64_t last = 0;
    sqlite3_stmt *stmt;
    struct op *op;
    sqlite3 *db;

    if (read_query(store, "SELECT value FROM kept WHERE name = ?1", &db, &stmt, NULL) < 0)
        return false;
    sqlite3_bind_text(stmt, 1, what, -1, SQLITE_STATIC);
    if (sqlite3_step(stmt) == SQLITE_ROW)
        last = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    if ((uint64_t)last <= now && now - (uint64_t)last < every_ms)
        return false;
    op = store_op(note_due, (const char *[]){ what }, 1, FT_RIDE);
    op->started_ms = now;
    store_stage(store, op);
    return true;
}

unsigned ft_store_forgotten(struct ft_store *store, const char *run_id)
{
    sqlite3_stmt *stmt;
    unsigned count = 0;
    sqlite3 *db;

    store_flush_run(store, run_id);
    if (read_query(store, "SELECT count(*) FROM personal JOIN runs ON runs.row = personal.run WHERE runs.id = ?1 AND value IS NULL", &db, &stmt, NULL) < 0)
        return 0;
    sqlite3_bind_text(stmt, 1, run_id, -1, SQLITE_STATIC);
    if (sqlite3_step(stmt) == SQLITE_ROW)
        count = (unsigned)sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    return count;
}
