/* audit_store.c: the store's tables, read as one moment, go through the proof. */
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "data/json.h"
#include "store/audit_parts.h"

static struct audit_text column(sqlite3_stmt *stmt, int at)
{
    const char *text = (const char *)sqlite3_column_text(stmt, at);

    return (struct audit_text){ text ? text : "", (size_t)sqlite3_column_bytes(stmt, at) };
}

static struct audit_text bytes_of(sqlite3_stmt *stmt, int at)
{
    const char *bytes = sqlite3_column_blob(stmt, at);

    return (struct audit_text){ bytes ? bytes : "", (size_t)sqlite3_column_bytes(stmt, at) };
}

struct scan { struct ft_store *store; sqlite3 *db; struct audit *audit; struct ft_err *err; };

/* Each row of a statement, with an optional text bound. */
static int each(struct scan *s, const char *sql, const char *bound, void (*row)(struct audit *a, sqlite3_stmt *stmt))
{
    sqlite3_stmt *stmt;
    int r = db_prepare(s->db, s->store->path, sql, &stmt, s->err), step;

    if (r < 0)
        return r;
    if (bound)
        sqlite3_bind_text(stmt, 1, bound, -1, SQLITE_STATIC);
    while ((step = sqlite3_step(stmt)) == SQLITE_ROW)
        row(s->audit, stmt);
    if (step != SQLITE_DONE)
        r = db_error(s->db, s->store->path, "read", s->err);
    sqlite3_finalize(stmt);
    return r;
}

static void whole_row(struct audit *a, sqlite3_stmt *stmt)
{
    struct audit_text says = column(stmt, 0);

    if (!ft_streq(says.text, "ok"))
        audit_find(a, NULL, 0, 0, "the database is damaged: %s", says.text);
}

static void seal_row(struct audit *a, sqlite3_stmt *stmt)
{
    audit_seal(a, sqlite3_column_int64(stmt, 0), sqlite3_column_int64(stmt, 1), column(stmt, 2), bytes_of(stmt, 3), bytes_of(stmt, 4));
}

/* One row an event, or one for a run without any: id … params, seq, text, hash. */
static void event_row(struct audit *a, sqlite3_stmt *stmt)
{
    struct audit_text columns[RUN_COLUMN_COUNT];

    if (!a->open || !ft_streq(a->run, (const char *)sqlite3_column_text(stmt, 0))) {
        if (a->open)
            audit_run_end(a);
        for (int i = 0; i < RUN_COLUMN_COUNT; i++)
            columns[i] = column(stmt, i);
        audit_run(a, columns);
    }
    if (sqlite3_column_type(stmt, RUN_COLUMN_COUNT) != SQLITE_NULL)
        audit_event(a, sqlite3_column_int64(stmt, RUN_COLUMN_COUNT), column(stmt, RUN_COLUMN_COUNT + 1), bytes_of(stmt, RUN_COLUMN_COUNT + 2));
}

/* fettle makes neither triggers nor views: one of them changes what is written, or what is read. */
static void foreign_row(struct audit *a, sqlite3_stmt *stmt)
{
    audit_find(a, NULL, 0, 0, "the database has a %s '%.60s', which fettle did not make: it can change what is written", column(stmt, 0).text, column(stmt, 1).text);
}

static void stray_row(struct audit *a, sqlite3_stmt *stmt)
{
    audit_find(a, NULL, 0, 0, "%lld events belong to no run", (long long)sqlite3_column_int64(stmt, 0));
}

static void blob_row(struct audit *a, sqlite3_stmt *stmt)
{
    audit_blob(a, (const char *)sqlite3_column_text(stmt, 0), bytes_of(stmt, 1));
}

static void personal_row(struct audit *a, sqlite3_stmt *stmt)
{
    const char *value = sqlite3_column_type(stmt, 3) == SQLITE_NULL ? NULL : column(stmt, 3).text;

    audit_personal(a, column(stmt, 0).text, sqlite3_column_int64(stmt, 1), bytes_of(stmt, 2), value, value ? column(stmt, 3).len : 0);
}

static void plan_row(struct audit *a, sqlite3_stmt *stmt)
{
    audit_plan(a, column(stmt, 0).text, column(stmt, 1));
}

static int scan(struct scan *s, const char *key_file, const unsigned char *trusted)
{
    const char *run = s->audit->only;
    int r;

    r = run ? 0 : each(s, "PRAGMA integrity_check(20)", NULL, whole_row);
    if (r == 0)
        r = each(s, "SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'view')", NULL, foreign_row);
    if (r == 0)
        r = each(s, "SELECT n, at, plain(text), hash, signature FROM seals ORDER BY n", NULL, seal_row);
    if (r < 0)
        return r;
    audit_seals_end(s->audit, key_file, trusted);
    r = each(s, run ? "SELECT " RUN_COLUMNS ", events.seq, events.text, events.hash FROM runs LEFT JOIN events ON events.run = runs.row WHERE runs.id = ?1 ORDER BY events.seq"
                    : "SELECT " RUN_COLUMNS ", events.seq, events.text, events.hash FROM runs LEFT JOIN events ON events.run = runs.row ORDER BY runs.row, events.seq",
             run, event_row);
    if (s->audit->open)
        audit_run_end(s->audit);
    if (r == 0 && !run)
        r = each(s, "SELECT count(*) FROM events WHERE run NOT IN (SELECT row FROM runs) HAVING count(*) > 0", NULL, stray_row);
    if (r == 0 && !run)
        r = each(s, "SELECT digest, bytes FROM blobs", NULL, blob_row);
    if (r == 0 && run) {
        const char *digest;
        json_t *value;
        void *next;

        json_object_foreach_safe(s->audit->blobs_wanted, next, digest, value)
            if (r == 0)
                r = each(s, "SELECT digest, bytes FROM blobs WHERE digest = ?1", digest, blob_row);
    }
    if (r == 0)
        r = each(s, run ? "SELECT runs.id, n, salt, value FROM personal JOIN runs ON runs.row = personal.run WHERE runs.id = ?1"
                        : "SELECT runs.id, n, salt, value FROM personal JOIN runs ON runs.row = personal.run", run, personal_row);
    if (r == 0)
        r = each(s, run ? "SELECT digest, plain(text) FROM plans WHERE run = ?1 ORDER BY row" : "SELECT digest, plain(text) FROM plans ORDER BY row", run, plan_row);
    return r;
}

/* Has it runs from before there were seals? */
static bool is_old(const struct scan *s)
{
    sqlite3_stmt *stmt;
    bool old = false;

    if (db_prepare(s->db, s->store->path, "SELECT 1 FROM runs WHERE row <= (SELECT value FROM kept WHERE name = 'schema 1') LIMIT 1", &stmt, NULL) == 0)
        old = sqlite3_step(stmt) == SQLITE_ROW;
    sqlite3_finalize(stmt);
    return old;
}

/* The key to hold the seals against: the one that is given, or the one beside the store, if there is one. */
static int trusted_key(struct ft_store *store, const char *given, char **ret_file, unsigned char ret[KEY_LEN], bool *there, struct ft_err *reterr)
{
    char *private = key_path(store);
    int r = 0;

    *ret_file = given ? ft_strdup(given) : key_public_path(private);
    *there = given || access(*ret_file, F_OK) == 0;
    if (*there)
        r = key_load_public(*ret_file, ret, reterr);
    free(private);
    return r;
}

int ft_store_audit(struct ft_store *store, const char *run_id, const char *key_file, json_t **ret, struct ft_err *reterr)
{
    unsigned char trusted[KEY_LEN];
    struct ft_err err = { 0 };
    struct audit audit;
    char *file = NULL;
    bool there = false;
    int r = trusted_key(store, key_file, &file, trusted, &there, &err);
    sqlite3 *db;

    store_flush(store);
    audit_init(&audit, run_id);
    if (r < 0 && !key_file) {
        audit_find(&audit, NULL, 0, 0, "%s", err.text);
        there = false;
        r = 0;
    }
    db = r == 0 ? reader(store, &err) : NULL;
    if (r == 0 && !db)
        r = err.code;
    if (r == 0) {
        struct scan s = { .store = store, .db = db, .audit = &audit, .err = &err };

        sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
        audit.must_seal = there || !is_old(&s);
        r = scan(&s, file, there ? trusted : NULL);
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    }
    if (r == 0) {
        *ret = audit_report(&audit);
        json_object_set_new(*ret, "key_file", there ? json_string(file) : json_null());
    } else if (reterr) {
        *reterr = err;
    }
    audit_done(&audit);
    free(file);
    return r;
}

int ft_store_public_key(struct ft_store *store, json_t **ret, struct ft_err *reterr)
{
    char *private = key_path(store), *file = key_public_path(private), hex[2 * KEY_LEN + 1], name[20], pem[1024];
    unsigned char public[KEY_LEN];
    int r = key_load_public(file, public, reterr);

    if (r == 0) {
        hex_of(public, KEY_LEN, hex);
        key_name(hex, name);
        key_public_pem(public, pem);
        *ret = json_pack("{s:s, s:s, s:s, s:s}", "key", hex, "name", name, "pem", pem, "file", file);
    }
    free(private);
    free(file);
    return r;
}

int ft_store_noted_seal(struct ft_store *store, const char *noted, char ret_finding[300], struct ft_err *reterr)
{
    const char *hash = noted + strspn(noted, "0123456789");
    char is[2 * HASH_LEN + 1] = "", when[32];
    int64_t n = strtoll(noted, NULL, 10), newest = 0, at = 0;
    sqlite3_stmt *stmt;
    sqlite3 *db;
    int r, step;

    *ret_finding = '\0';
    if (hash == noted || n < 1 || hash - noted > 18 || (*hash != ':' && *hash != ' ') || strlen(hash + 1) < 16 || strlen(hash + 1) > 2 * HASH_LEN ||
        hash[1 + strspn(hash + 1, "0123456789abcdef")])
        return ft_err_set(reterr, -EINVAL, "a noted seal is NUMBER:HASH with at least 16 digits of its hash, as `fettle audit verify` prints it, not '%.80s'", noted);
    r = read_query(store, "SELECT max(n), at, (SELECT lower(hex(hash)) FROM seals WHERE n = ?1) FROM seals", &db, &stmt, reterr);
    if (r < 0)
        return r;
    sqlite3_bind_int64(stmt, 1, n);
    step = sqlite3_step(stmt);
    if (step == SQLITE_ROW) {
        newest = sqlite3_column_int64(stmt, 0);
        at = sqlite3_column_int64(stmt, 1);
        snprintf(is, sizeof(is), "%s", column(stmt, 2).text);
        step = sqlite3_step(stmt);
    }
    r = read_over(store, db, stmt, step, reterr);
    if (r < 0)
        return r;
    if (!*is)
        snprintf(ret_finding, 300, "seal %lld, which was noted, is not there: the record ends with seal %lld%s%s; "
                 "what came after it is gone, as when an older copy is put in its place",
                 (long long)n, (long long)newest, newest ? " of " : "", newest ? ft_time_format((uint64_t)at, when, sizeof(when)) : "");
    else if (strncmp(is, hash + 1, strlen(hash + 1)) != 0)
        snprintf(ret_finding, 300, "seal %lld is another than the one that was noted: the record up to there was made anew", (long long)n);
    return 0;
}

static bool tells_of(const json_t *note, const char *id)
{
    json_t *one;
    size_t i;

    json_array_foreach(json_object_get(note, "deleted"), i, one)
        if (ft_streq(json_string_value(json_array_get(one, 0)), id))
            return true;
    return false;
}

bool told_deleted(struct ft_store *store, const char *id, char *ret, size_t size)
{
    bool found = false;
    sqlite3_stmt *stmt;
    sqlite3 *db;
    char when[32];

    if (read_query(store, "SELECT n, at, plain(text) FROM seals WHERE instr(plain(text), '\"note\":{\"deleted\":')"
                   " AND instr(plain(text), '[\"' || ?1 || '\",') ORDER BY n",
                   &db, &stmt, NULL) < 0)
        return false;
    sqlite3_bind_text(stmt, 1, id, -1, SQLITE_STATIC);
    while (!found && sqlite3_step(stmt) == SQLITE_ROW) {
        struct audit_text text = column(stmt, 2);
        json_t *seal = NULL, *note;

        if (ft_json_parse(text.text, text.len, SIZE_MAX, &seal, NULL) < 0)
            continue;
        note = json_object_get(seal, "note");
        found = tells_of(note, id);
        if (found)
            snprintf(ret, size, "run %s was deleted on %s by %.60s (%.150s), as seal %lld says", id, ft_time_format((uint64_t)sqlite3_column_int64(stmt, 1), when, sizeof(when)),
                     ft_json_str(note, "who") ? ft_json_str(note, "who") : "?", ft_json_str(note, "why") ? ft_json_str(note, "why") : "?", (long long)sqlite3_column_int64(stmt, 0));
        json_decref(seal);
    }
    sqlite3_finalize(stmt);
    return found;
}
