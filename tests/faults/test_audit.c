/* Whatever is changed in the record is found: every byte of every column in turn, rows removed, swapped, doubled, moved, seals forged.
 * FETTLE_AUDIT_POSITIONS says how many bytes are changed (default 2500, spread evenly; 0: every one). */
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "../unit/store/fixture.h"
#include "store/audit.h"
#include "store/internal.h"

enum { RUNS = 12, EVENTS = 8 };

/* Long enough to lie packed in the store; the other plan is too short for it. */
#define PLAN_PACKED "{\"batches\":[],\"cut\":false,\"digest\":\"fcde2b2edba5\",\"fettle_plan\":1,\"nodes\":[{\"action\":\"dhcp.leases\",\"certain\":true,\"effect\":\"read\"}]}"

static struct fixture fx;
static char ids[RUNS][9];
static sqlite3 *db;

static void sql(const char *text)
{
    cr_assert_eq(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK, "%s: %s", text, sqlite3_errmsg(db));
}

/* A dozen runs: over, parked, running; with a large result, a playbook beside the events, and two plans. */
static void make_record(void)
{
    char *large = ft_calloc(1, 70001), digest[65];

    memset(large, 'L', 70000);
    for (int i = 0; i < RUNS; i++) {
        new_run(fx.store, ids[i]);
        ft_store_blob_put(fx.store, "steps: []\n", 10, digest);
        ft_store_append(fx.store, ids[i], json_pack("{s:s, s:s, s:{s:s}}", "type", "run.started", "sources", digest, "params", "client", "a4:83:e7:12:34:56"), FT_RIDE, NULL, NULL, NULL);
        for (int k = 2; k < EVENTS; k++)
            ft_store_append(fx.store, ids[i], json_pack("{s:s, s:i}", "type", "step.done", "n", k), FT_RIDE, NULL, NULL, NULL);
        if (i == 3)
            ft_store_append(fx.store, ids[i], json_pack("{s:s, s:s}", "type", "step.done", "result", large), FT_RIDE, NULL, NULL, NULL);
        put_run(fx.store, ids[i], i % 4 == 1 ? "parked" : i % 4 == 2 ? "running" : "finished");
        cr_assert_eq(append_now(&fx, ids[i], event_of("run.finished"), FT_COMMIT), 0);
    }
    fixture_reopen(&fx);
    free(large);
}

static void setup(void)
{
    fixture_new(&fx);
    new_run(fx.store, ids[0]);
    append_now(&fx, ids[0], event_of("run.started"), FT_COMMIT);
    fixture_reopen(&fx);
    cr_assert_eq(sqlite3_open(fx.path, &db), SQLITE_OK);
    sql("PRAGMA synchronous=OFF; PRAGMA foreign_keys=OFF");
    ft_store_plan_put(fx.store, "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae", "cafe0001", "{\"fettle_plan\":1}");
    ft_store_plan_put(fx.store, "fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9", "cafe0001", PLAN_PACKED);
    make_record();
    fx.store = ft_store_close(fx.store);
    fixture_open(&fx);
}

static void teardown(void)
{
    sqlite3_close(db);
    fixture_free(&fx);
}

TestSuite(audit, .init = setup, .fini = teardown, .timeout = 280);

static json_t *audit(const char *run, const char *key)
{
    struct ft_err err = { 0 };
    json_t *report = NULL;
    int r = ft_store_audit(fx.store, run, key, &report, &err);

    return r == 0 ? report : json_pack("{s:b, s:[{s:s}]}", "ok", 0, "findings", "text", err.text);
}

static bool holds(void)
{
    json_t *report = audit(NULL, NULL);
    bool ok = ft_json_bool(report, "ok", false);

    json_decref(report);
    return ok;
}

static void expect_whole(const char *when)
{
    json_t *report = audit(NULL, NULL);
    char *text = json_dumps(report, 0);

    cr_assert(ft_json_bool(report, "ok", false), "%s: %s", when, text);
    free(text);
    json_decref(report);
}

Test(audit, a_record_that_nobody_touched_is_whole)
{
    json_t *report = audit(NULL, NULL), *one = audit(ids[3], NULL);

    cr_expect(ft_json_bool(report, "ok", false) && ft_json_bool(one, "ok", false));
    cr_expect_eq(ft_json_int(report, "runs", 0), RUNS + 1);
    cr_expect_eq(ft_json_int(report, "events", 0), RUNS * EVENTS + 2);
    cr_expect_geq(ft_json_int(report, "seals", 0), RUNS * 3 / 4, "each run that ends or parks is sealed");
    cr_expect_eq(ft_json_int(report, "plans", 0), 2);
    cr_expect_eq(ft_json_int(report, "blobs", 0), 2);
    cr_expect_eq(json_array_size(json_object_get(report, "unsealed")), 0, "closing seals what is left");
    json_decref(report);
    json_decref(one);
}

/* ---- every byte */

static const struct { const char *table, *key, *column; bool is_number; } columns[] = {
    { "events", "rowid", "text", false }, { "events", "rowid", "hash", false }, { "events", "rowid", "run", true }, { "events", "rowid", "seq", true },
    { "runs", "row", "id", false }, { "runs", "row", "playbook", false }, { "runs", "row", "digest", false }, { "runs", "row", "mode", false },
    { "runs", "row", "status", false }, { "runs", "row", "outcome", false }, { "runs", "row", "summary", false }, { "runs", "row", "params", false },
    { "runs", "row", "started", true }, { "runs", "row", "ended", true }, { "runs", "row", "row", true },
    { "seals", "n", "text", false }, { "seals", "n", "hash", false }, { "seals", "n", "signature", false }, { "seals", "n", "at", true },
    { "seals", "n", "n", true },
    { "blobs", "rowid", "digest", false }, { "blobs", "rowid", "bytes", false },
    { "personal", "run * 1000 + n", "salt", false }, { "personal", "run * 1000 + n", "value", false },
    { "plans", "row", "digest", false }, { "plans", "row", "text", false },
};

struct position { size_t column; int64_t row; size_t byte; };

static size_t all_positions(struct position **ret)
{
    struct position *list = NULL;
    size_t count = 0;

    for (size_t c = 0; c < ARRAY_LEN(columns); c++) {
        char *text = ft_asprintf("SELECT %s, length(CAST(%s AS BLOB)) FROM %s", columns[c].key, columns[c].column, columns[c].table);
        sqlite3_stmt *stmt;

        cr_assert_eq(sqlite3_prepare_v2(db, text, -1, &stmt, NULL), SQLITE_OK, "%s", text);
        while (sqlite3_step(stmt) == SQLITE_ROW) {
            size_t len = columns[c].is_number ? 8 : (size_t)sqlite3_column_int64(stmt, 1);

            for (size_t i = 0; i < len; i += len > 60000 ? 997 : 1) {
                list = ft_realloc(list, (count + 1) * sizeof(*list));
                list[count++] = (struct position){ c, sqlite3_column_int64(stmt, 0), i };
            }
        }
        sqlite3_finalize(stmt);
        free(text);
    }
    *ret = list;
    return count;
}

static bool set(const struct position *at, int64_t key, sqlite3_value *value)
{
    char *text = ft_asprintf("UPDATE %s SET %s = ?1 WHERE %s = ?2", columns[at->column].table, columns[at->column].column, columns[at->column].key);
    sqlite3_stmt *stmt;
    bool done;

    cr_assert_eq(sqlite3_prepare_v2(db, text, -1, &stmt, NULL), SQLITE_OK, "%s", text);
    sqlite3_bind_value(stmt, 1, value);
    sqlite3_bind_int64(stmt, 2, key);
    done = sqlite3_step(stmt) == SQLITE_DONE && sqlite3_changes(db) == 1;
    sqlite3_finalize(stmt);
    free(text);
    return done;
}

/* The value with one byte changed, of its own type; SQLite makes the value. */
static sqlite3_value *changed_value(const struct position *at, sqlite3_value *value)
{
    const char *how = columns[at->column].is_number ? "SELECT ?1" : sqlite3_value_type(value) == SQLITE_BLOB ? "SELECT CAST(?1 AS BLOB)" : "SELECT CAST(?1 AS TEXT)";
    size_t len = (size_t)sqlite3_value_bytes(value);
    unsigned char *bytes = ft_calloc(1, len + 1);
    sqlite3_value *ret;
    sqlite3_stmt *stmt;

    cr_assert_eq(sqlite3_prepare_v2(db, how, -1, &stmt, NULL), SQLITE_OK);
    if (columns[at->column].is_number) {
        sqlite3_bind_int64(stmt, 1, sqlite3_value_int64(value) ^ (int64_t)(1ull << (8 * at->byte)));
    } else {
        memcpy(bytes, sqlite3_value_blob(value), len);
        bytes[at->byte] ^= 1;
        sqlite3_bind_blob(stmt, 1, bytes, (int)len, SQLITE_STATIC);
    }
    cr_assert_eq(sqlite3_step(stmt), SQLITE_ROW);
    ret = sqlite3_value_dup(sqlite3_column_value(stmt, 0));
    sqlite3_finalize(stmt);
    free(bytes);
    return ret;
}

/* 1: found; 0: not found; -1: the table does not take such a value. */
static int try_position(const struct position *at)
{
    char *text = ft_asprintf("SELECT %s FROM %s WHERE %s = %lld", columns[at->column].column, columns[at->column].table, columns[at->column].key, (long long)at->row);
    bool is_key = ft_streq(columns[at->column].column, columns[at->column].key);
    sqlite3_value *was, *is;
    sqlite3_stmt *stmt;
    int found = -1;

    cr_assert_eq(sqlite3_prepare_v2(db, text, -1, &stmt, NULL), SQLITE_OK, "%s", text);
    cr_assert_eq(sqlite3_step(stmt), SQLITE_ROW);
    was = sqlite3_value_dup(sqlite3_column_value(stmt, 0));
    sqlite3_finalize(stmt);
    is = changed_value(at, was);
    if (set(at, at->row, is)) {
        found = !holds();
        cr_assert(set(at, is_key ? sqlite3_value_int64(is) : at->row, was), "%s: not put back", text);
    }
    sqlite3_value_free(was);
    sqlite3_value_free(is);
    free(text);
    return found;
}

Test(audit, every_byte_that_is_changed_is_found)
{
    const char *wanted = getenv("FETTLE_AUDIT_POSITIONS");
    size_t limit = wanted ? strtoul(wanted, NULL, 10) : 2500, tried = 0, per_column[ARRAY_LEN(columns)] = { 0 };
    struct position *list;
    size_t count = all_positions(&list), step = limit && count > limit ? count / limit : 1;

    for (size_t i = 0; i < count; i++) {
        const struct position *at = &list[i];
        int found = per_column[at->column]++ < 24 || i % step == 0 ? try_position(at) : -1;      /* some of each column, then spread */

        tried += found >= 0;
        cr_expect_neq(found, 0, "%s.%s of row %lld, byte %zu was changed, and nothing was found", columns[at->column].table, columns[at->column].column,
                      (long long)at->row, at->byte);
    }
    free(list);
    cr_expect_geq(tried, ft_min(limit ? limit : count, (size_t)2000), "%zu of %zu positions", tried, count);
    expect_whole("all put back");
}

/* ---- rows and seals */

static void tampered(const char *what, const char *statements, const char *says)
{
    json_t *report;
    char *text;

    sql("BEGIN");
    sqlite3_exec(db, statements, NULL, NULL, NULL);
    cr_assert_eq(sqlite3_errcode(db), SQLITE_OK, "%s: %s", what, sqlite3_errmsg(db));
    sql("COMMIT");
    report = audit(NULL, NULL);
    text = json_dumps(report, 0);
    cr_expect(!ft_json_bool(report, "ok", true), "%s: nothing was found", what);
    cr_expect(strstr(text, says), "%s: no '%s' in %s", what, says, text);
    free(text);
    json_decref(report);
}

Test(audit, rows_that_are_removed_swapped_doubled_or_moved_are_found)
{
    static const struct { const char *what, *statements, *says; } table[] = {
        { "an event removed", "DELETE FROM events WHERE run = 5 AND seq = 4", "event 4 is missing" },
        { "the first event removed", "DELETE FROM events WHERE run = 5 AND seq = 1", "event 1 is missing" },
        { "the tail cut off", "DELETE FROM events WHERE run = 5 AND seq > 5", "the last" },
        { "all events removed", "DELETE FROM events WHERE run = 5", "are missing" },
        { "two events swapped", "UPDATE events SET seq = -seq WHERE run = 5 AND seq IN (3, 4); UPDATE events SET seq = 7 + seq WHERE run = 5 AND seq < 0", "event 3" },
        { "an event doubled", "INSERT INTO events SELECT run, (SELECT max(seq) + 1 FROM events WHERE run = 5), hash, text FROM events WHERE run = 5 AND seq = 6", "hash does not fit" },
        { "an event beside its own number", "DROP INDEX events_run; INSERT INTO events SELECT * FROM events WHERE run = 5 AND seq = 6", "behind event 6 stands another" },
        { "a trigger", "CREATE TRIGGER quiet AFTER INSERT ON events BEGIN DELETE FROM seals; END", "a trigger 'quiet'" },
        { "a view in the place of a table", "ALTER TABLE budgets RENAME TO hidden; CREATE VIEW budgets AS SELECT * FROM hidden LIMIT 0", "a view 'budgets'" },
        { "two runs' events exchanged", "UPDATE events SET run = -run WHERE run IN (5, 9); UPDATE events SET run = 14 + run WHERE run < 0", "event 1" },
        { "events moved to a run that is not there", "UPDATE events SET run = 4711 WHERE run = 5", "belong to no run" },
        { "a run removed", "DELETE FROM events WHERE run = 5; DELETE FROM runs WHERE row = 5", "is missing" },
        { "a run's row removed", "DELETE FROM runs WHERE row = 5", "belong to no run" },
        { "two rows exchanged", "UPDATE runs SET row = -row WHERE row IN (5, 9); UPDATE runs SET row = 14 + row WHERE row < 0", "event 1" },
        { "a failure made a success", "UPDATE runs SET outcome = 'fixed' WHERE row = 5", "what `fettle runs` shows" },
        { "a run made up", "INSERT INTO runs (row, id, playbook, digest, mode, status, outcome, started, ended, summary, owner, params)"
          " SELECT 99, 'deadbeef', playbook, digest, mode, 'finished', outcome, started, ended, summary, owner, params FROM runs WHERE row = 5", "no seal" },
        { "the newest seal removed", "DELETE FROM seals WHERE n = (SELECT max(n) FROM seals)", "seal" },
        { "a seal removed", "DELETE FROM seals WHERE n = 3", "seal 3 is missing" },
        { "the first seal removed", "DELETE FROM seals WHERE n = 1", "seal 1 is missing" },
        { "all seals removed", "DELETE FROM seals", "seal" },
        { "two seals exchanged", "UPDATE seals SET n = -n WHERE n IN (3, 4); UPDATE seals SET n = 7 + n WHERE n < 0", "seal 3" },
        { "a seal doubled", "INSERT INTO seals SELECT (SELECT max(n) + 1 FROM seals), at, text, hash, signature FROM seals WHERE n = 4", "is not what was written" },
        { "one seal's text under another's signature", "UPDATE seals SET text = (SELECT text FROM seals WHERE n = 3) WHERE n = 4", "seal 4" },
        { "the playbook beside the events removed", "DELETE FROM blobs WHERE length(bytes) < 100", "is missing" },
        { "a personal value removed", "DELETE FROM personal WHERE run = 5", "its personal value 1 is missing" },
        { "a personal value deleted without a word", "UPDATE personal SET salt = x'', value = NULL WHERE run = 5", "no seal says so" },
        { "a personal value given to another run", "UPDATE personal SET run = 99 WHERE run = 5", "its personal value 1 is missing" },
        { "a plan removed", "DELETE FROM plans WHERE row = 1", "the plan 2c26b46b68ff… is missing" },
        { "a plan made another, digest and all",
          "UPDATE plans SET text = 'abc', digest = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad' WHERE row = 1", "the plan" },
        { "a packed plan's text cut short", "UPDATE plans SET text = substr(text, 1, length(text) - 1) WHERE typeof(text) = 'blob'", "covers another text" },
        { "a packed plan's text made longer", "UPDATE plans SET text = CAST(text || x'00' AS BLOB) WHERE typeof(text) = 'blob'", "covers another text" },
        { "a packed plan's text blanked", "UPDATE plans SET text = x'' WHERE typeof(text) = 'blob'", "covers another text" },
        { "a plan's text blanked", "UPDATE plans SET text = '' WHERE row = 1", "no seal says so" },
        { "two plans' texts exchanged", "UPDATE plans SET text = (SELECT text FROM plans AS other WHERE other.row <> plans.row)", "covers another text" },
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (i) {
            teardown();
            setup();
        }
        tampered(table[i].what, table[i].statements, table[i].says);
    }
}

/* The chain needs no key: an approval that is put behind the last event of a run that is over (or parked) fits, but has no seal. */
Test(audit, an_event_that_is_added_to_a_run_which_is_not_under_way_is_found)
{
    static const char forged[] = "{\"type\":\"gate.answered\",\"by\":\"cto\",\"at\":1}";
    static const int rows[] = { 5, 3 };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unsigned char hash[HASH_LEN];
        char hex[2 * HASH_LEN + 1], *statements = ft_asprintf("SELECT hash FROM events WHERE run = %d ORDER BY seq DESC LIMIT 1", rows[i]);
        sqlite3_stmt *stmt;

        cr_assert_eq(sqlite3_prepare_v2(db, statements, -1, &stmt, NULL), SQLITE_OK);
        cr_assert_eq(sqlite3_step(stmt), SQLITE_ROW);
        memcpy(hash, sqlite3_column_blob(stmt, 0), HASH_LEN);
        sqlite3_finalize(stmt);
        free(statements);
        chain_hash(hash, forged, strlen(forged));
        hex_of(hash, HASH_LEN, hex);
        statements = ft_asprintf("INSERT INTO events SELECT %d, max(seq) + 1, x'%s', '%s' FROM events WHERE run = %d", rows[i], hex, forged, rows[i]);
        tampered(i ? "parked" : "over", statements, "no seal covers what follows");
        free(statements);
    }
}

/* What fettle itself adds to a run that is over (a review, a released lock) is sealed with it: a death right after is no forgery. */
Test(audit, what_is_added_to_a_run_that_is_over_is_sealed_at_once)
{
    pid_t pid = fork();

    if (pid == 0) {
        struct fixture other = fx;

        child_opens(&other);
        child_appends(&other, ids[3], event_of("gate.reviewed"), FT_DURABLE);
        _exit(0);                     /* without closing it */
    }
    int status = 0;

    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0);
    expect_whole("reviewed");
}

/* Neither seal nor key nor public key is left: then nothing says that there ever was one, but a run that is over has one. */
Test(audit, seals_and_keys_removed_together_are_missed)
{
    static const char *const files[] = { "key", "pub" };

    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        char *file = ft_asprintf("%s/state/fettle.%s", fx.dir, files[i]);

        cr_assert_eq(unlink(file), 0);
        free(file);
    }
    tampered("all of it", "DELETE FROM seals; DELETE FROM events WHERE run > 2; DELETE FROM runs WHERE row > 2; DELETE FROM personal WHERE run > 2;"
             "DELETE FROM plans; DELETE FROM blobs WHERE length(bytes) > 1000; UPDATE runs SET status = 'finished'", "no seal covers it");
}

static void expect_noted(const char *noted, int code, const char *says)
{
    struct ft_err err = { 0 };
    char finding[300] = "";

    cr_expect_eq(ft_store_noted_seal(fx.store, noted, finding, &err), code, "'%s': %s", noted, err.text);
    cr_expect(code < 0 || (*says ? strstr(finding, says) != NULL : !*finding), "'%s': '%s'", noted, finding);
}

/* An older copy of the whole store is consistent in itself: the seal that was noted elsewhere is not in it. */
Test(audit, a_seal_that_was_noted_tells_an_older_copy)
{
    json_t *report = audit(NULL, NULL), *last = json_object_get(report, "last_seal");
    long long n = ft_json_int(last, "n", 0);
    char *noted = ft_asprintf("%lld:%s", n, ft_json_str(last, "hash")), *brief = ft_asprintf("%.19s", noted), *statements = ft_asprintf("DELETE FROM seals WHERE n = %lld", n);

    expect_noted(noted, 0, "");
    expect_noted(brief, 0, "");
    expect_noted("1:0123456789abcdef", 0, "another than the one that was noted");
    for (size_t i = 0; i < 6; i++)
        expect_noted(((const char *[]){ "", "x", "1", "1:abc", "0:0123456789abcdef", "1:0123456789ABCDEFG" })[i], -EINVAL, "");
    sql(statements);
    expect_noted(noted, 0, "ends with seal");
    sql("DELETE FROM seals");
    expect_noted(noted, 0, "ends with seal 0;");
    json_decref(report);
    free(noted);
    free(brief);
    free(statements);
}

/* Whoever has no key but writes to the store makes all of it anew, and consistent in itself. */
Test(audit, seals_by_another_key_are_found)
{
    char *key = ft_asprintf("%s/state/fettle.key", fx.dir), *pub = ft_asprintf("%s/state/fettle.pub", fx.dir), *kept = ft_asprintf("%s/kept.pub", fx.dir);
    json_t *report;
    char *text;

    cr_assert_eq(rename(pub, kept), 0);
    cr_assert_eq(unlink(key), 0);
    fx.store = ft_store_close(fx.store);
    sql("DELETE FROM seals");
    fixture_open(&fx);
    cr_assert_eq(append_now(&fx, ids[2], event_of("more"), FT_COMMIT), 0);
    fixture_reopen(&fx);
    report = audit(NULL, kept);
    text = json_dumps(report, 0);
    cr_expect(strstr(text, "are signed by the key") && strstr(text, "kept.pub"), "%s", text);
    free(text);
    json_decref(report);
    unlink(kept);
    free(key);
    free(pub);
    free(kept);
}

/* Old and new public key both prove all of it; after a loss only the new one does. */
Test(audit, a_new_key_is_named_by_the_old_one)
{
    char *pub = ft_asprintf("%s/state/fettle.pub", fx.dir), *kept = ft_asprintf("%s/kept.pub", fx.dir), *key = ft_asprintf("%s/state/fettle.key", fx.dir);
    char *old = ft_asprintf("%s.old", key), *copy = ft_asprintf("cp %s %s", pub, kept);
    struct ft_err err = { 0 };
    json_t *report;

    cr_assert_eq(system(copy), 0);
    cr_assert_eq(ft_store_new_key(fx.store, "root", &err), 0, "%s", err.text);
    cr_assert_eq(append_now(&fx, ids[2], event_of("more"), FT_COMMIT), 0);
    fixture_reopen(&fx);
    expect_whole("with the new key");
    report = audit(NULL, kept);
    cr_expect(ft_json_bool(report, "ok", false), "the old one names it");
    json_decref(report);
    cr_assert_eq(unlink(key), 0);
    fixture_reopen(&fx);
    cr_assert_eq(ft_store_new_key(fx.store, "root", &err), 0, "%s", err.text);
    cr_assert_eq(append_now(&fx, ids[2], event_of("more"), FT_COMMIT), 0);
    fixture_reopen(&fx);
    expect_whole("begun anew");
    report = audit(NULL, kept);
    cr_expect(!ft_json_bool(report, "ok", true), "who kept the lost one hears of it");
    cr_expect_eq(ft_json_int(report, "keys_lost", 0), 1);
    json_decref(report);
    unlink(kept);
    unlink(old);
    free(pub);
    free(kept);
    free(key);
    free(old);
    free(copy);
}

/* The key is gone: runs go on, what is not sealed is said, no new key is made in silence. */
Test(audit, without_the_key_runs_go_on_and_are_told_apart)
{
    char *key = ft_asprintf("%s/state/fettle.key", fx.dir), *kept = ft_asprintf("%s/kept", fx.dir), id[9];
    json_t *report;
    char *text;

    cr_assert_eq(rename(key, kept), 0);
    fixture_reopen(&fx);
    new_run(fx.store, id);
    cr_assert_eq(append_now(&fx, id, event_of("run.started"), FT_DURABLE), 0);
    fixture_reopen(&fx);
    report = audit(NULL, NULL);
    cr_expect(ft_json_bool(report, "ok", false), "a run that is not over needs no seal");
    cr_expect_str_eq(ft_json_str(json_array_get(json_object_get(report, "unsealed"), 0), "run"), id);
    json_decref(report);
    put_run(fx.store, id, "finished");
    fixture_reopen(&fx);
    report = audit(NULL, NULL);
    text = json_dumps(report, 0);
    cr_expect(strstr(text, "no seal covers it"), "%s", text);
    free(text);
    json_decref(report);
    cr_assert_eq(rename(kept, key), 0);
    fixture_reopen(&fx);
    put_run(fx.store, id, "finished");
    fixture_reopen(&fx);
    expect_whole("with the key again");
    free(key);
    free(kept);
}

/* Another key in the place of ours: nothing is sealed by it, which no proof would ever hold for again, and the doctor says so. */
Test(audit, a_foreign_key_seals_nothing)
{
    char *key = ft_asprintf("%s/state/fettle.key", fx.dir), *kept = ft_asprintf("%s/kept", fx.dir), id[9], text[300];
    FILE *f;

    cr_expect_eq(ft_store_sealing(fx.store, text), 0, "%s", text);
    cr_expect(strstr(text, "are sealed by the key"), "%s", text);
    cr_assert_eq(rename(key, kept), 0);
    f = fopen(key, "w");
    fputs("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n", f);
    fclose(f);
    fixture_reopen(&fx);
    cr_expect_eq(ft_store_sealing(fx.store, text), -EKEYREJECTED, "%s", text);
    cr_expect(strstr(text, "not sealed") && strstr(text, "put that one back"), "%s", text);
    new_run(fx.store, id);
    cr_assert_eq(append_now(&fx, id, event_of("run.started"), FT_COMMIT), 0);
    put_run(fx.store, id, "finished");
    fixture_reopen(&fx);
    cr_assert_eq(rename(kept, key), 0);
    fixture_reopen(&fx);
    put_run(fx.store, id, "finished");
    fixture_reopen(&fx);
    expect_whole("with the key again");
    free(key);
    free(kept);
}

/* ---- exports */

static bool file_holds(const char *bytes, size_t len, const char *key, const char *says)
{
    struct ft_err err = { 0 };
    json_t *report = NULL;
    bool ok;

    cr_assert_eq(ft_audit_file(bytes, len, key, &report, &err), 0, "%s", err.text);
    ok = ft_json_bool(report, "ok", false);
    if (says) {
        char *text = json_dumps(report, 0);

        cr_expect(strstr(text, says), "no '%s' in %s", says, text);
        free(text);
    }
    json_decref(report);
    return ok;
}

/* Without the store, with the public key as it was kept; then with every byte changed in turn, cut short, and lengthened. */
Test(audit, an_export_proves_itself_and_no_byte_of_it_can_be_changed)
{
    static const char page[] = "<!doctype html><html><head><title>fettle</title></head><body><h1>What was done</h1><p>2 &lt; 3</p>\n";
    const char *wanted = getenv("FETTLE_AUDIT_POSITIONS");
    size_t limit = wanted ? strtoul(wanted, NULL, 10) : 1200;
    char *key = ft_asprintf("%s/state/fettle.pub", fx.dir);

    for (int html = 0; html < 2; html++) {
        struct ft_err err = { 0 };
        char *text = NULL;
        size_t len, step;

        cr_assert_eq(ft_store_export_file(fx.store, ids[4], html ? page : NULL, &text, &err), 0, "%s", err.text);
        len = strlen(text);
        cr_expect(file_holds(text, len, key, NULL) && file_holds(text, len, NULL, "\"run\""));
        step = limit && len > limit ? len / limit : 1;
        for (size_t i = 0; i < len; i += i < 300 || i + 600 > len ? 1 : step) {
            text[i] ^= 1;
            cr_expect(!file_holds(text, len, key, NULL), "%s: byte %zu was changed, and nothing was found", html ? "html" : "json", i);
            text[i] ^= 1;
        }
        for (size_t cut = 1; cut < 400; cut += 7)
            cr_expect(!file_holds(text, len - cut, key, NULL), "%zu bytes cut off", cut);
        cr_expect(!file_holds(text, 0, key, NULL));
        text = ft_realloc(text, len + 2);
        text[len] = '\n';
        cr_expect(!file_holds(text, len + 1, key, NULL), "a byte more");
        free(text);
    }
    free(key);
}

/* The large result and the plan go with the run; another store's key is not believed. */
Test(audit, an_export_holds_what_lies_beside_and_names_its_key)
{
    char *text = NULL, *other = ft_asprintf("%s/other.pub", fx.dir);
    json_t *record;
    FILE *f = fopen(other, "w");

    fputs("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n", f);
    fclose(f);
    cr_assert_eq(ft_store_export(fx.store, ids[3], &text, NULL), 0);
    record = json_loads(text, 0, NULL);
    cr_assert_not_null(record);
    cr_expect_eq(json_array_size(json_object_get(record, "blobs")), 2);
    cr_expect_eq(json_array_size(json_object_get(record, "personal")), 1);
    cr_expect_eq(json_array_size(json_object_get(record, "events")), EVENTS + 1);
    json_decref(record);
    free(text);
    cr_assert_eq(ft_store_export_file(fx.store, ids[3], NULL, &text, NULL), 0);
    cr_expect(!file_holds(text, strlen(text), other, "are signed by the key"));
    unlink(other);
    free(other);
    free(text);
}
