/* Files that cannot be used, disks that are full, other processes in the way: each ends in a sentence, and nothing is lost in silence. */
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "fixture.h"
#include "store/internal.h"

static struct fixture fx;
static void setup(void) { fixture_new(&fx); }
static void teardown(void) { fixture_free(&fx); }
TestSuite(store_faults, .init = setup, .fini = teardown);

static void write_file(const char *path, const char *bytes, size_t len)
{
    FILE *f = fopen(path, "w");

    cr_assert_not_null(f);
    cr_assert_eq(fwrite(bytes, 1, len, f), len);
    fclose(f);
}

static void raw_sql(const char *path, const char *sql)
{
    sqlite3 *db;

    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_close(db);
}

static void remove_store(void)
{
    static const char *const suffixes[] = { "", "-wal", "-shm" };

    fx.store = ft_store_close(fx.store);
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        char *name = ft_asprintf("%s%s", fx.path, suffixes[i]);

        unlink(name);
        free(name);
    }
}

static void expect_refused(const char *what, int code, const char *says)
{
    struct ft_err err = { 0 };
    int r = ft_store_open(fx.loop, fx.path, &fx.store, &err);

    cr_expect_eq(r, code, "%s: %d %s", what, r, err.text);
    cr_expect(strstr(err.text, says), "%s: %s", what, err.text);
    cr_expect(strstr(err.text, fx.path), "%s: the sentence does not name the file: %s", what, err.text);
    if (r == 0)
        fx.store = ft_store_close(fx.store);
}

Test(store_faults, a_file_that_is_no_store)
{
    char *text = ft_calloc(1, 8192);

    memset(text, 'x', 8192);
    remove_store();
    write_file(fx.path, text, 8192);
    expect_refused("text", -EBADMSG, "damaged, or not a store");
    free(text);
}

Test(store_faults, a_database_of_somebody_else)
{
    remove_store();
    raw_sql(fx.path, "CREATE TABLE bookmarks (url TEXT)");
    expect_refused("tables", -EMEDIUMTYPE, "not a store of fettle");
    remove_store();
    raw_sql(fx.path, "PRAGMA application_id=42; CREATE TABLE t (x)");
    expect_refused("application_id", -EMEDIUMTYPE, "not a store of fettle");
}

Test(store_faults, a_store_of_a_newer_fettle)
{
    fx.store = ft_store_close(fx.store);
    raw_sql(fx.path, "PRAGMA user_version=7");
    expect_refused("newer", -ENOTSUP, "newer fettle");
}

/* What a crash between making the file and its tables leaves behind is made whole. */
Test(store_faults, a_half_made_store_is_finished)
{
    char id[9];

    remove_store();
    raw_sql(fx.path, "PRAGMA journal_mode=WAL");
    fixture_open(&fx);
    new_run(fx.store, id);
    cr_expect_eq(append_now(&fx, id, event_of("run.started"), FT_DURABLE), 0);
}

Test(store_faults, a_damaged_page_is_noticed)
{
    struct ft_err err = { 0 };
    json_t *events = NULL;
    char id[9], zeros[4096];
    FILE *f;
    int r;

    new_run(fx.store, id);
    for (int i = 0; i < 200; i++)
        cr_assert_eq(ft_store_append(fx.store, id, event_of("step.done"), FT_RIDE, NULL, NULL, NULL), 0);
    fx.store = ft_store_close(fx.store);
    raw_sql(fx.path, "PRAGMA wal_checkpoint(TRUNCATE)");
    memset(zeros, 0xff, sizeof(zeros));
    f = fopen(fx.path, "r+");
    for (long page = 1; page < 12; page++) {
        fseek(f, page * 4096, SEEK_SET);
        fwrite(zeros, sizeof(zeros), 1, f);
    }
    fclose(f);
    r = ft_store_open(fx.loop, fx.path, &fx.store, &err);
    if (r == 0)
        r = ft_store_events(fx.store, id, 0, &events, &err);
    cr_expect_eq(r, -EBADMSG, "%d %s", r, err.text);
    cr_expect(strstr(err.text, "damaged"), "%s", err.text);
}

Test(store_faults, directories_that_cannot_be_made)
{
    char *blocked = ft_asprintf("%s/state/fettle.db/below/x.db", fx.dir);
    struct ft_err err = { 0 };
    struct ft_store *store = NULL;

    cr_expect_eq(ft_store_open(fx.loop, blocked, &store, &err), -ENOTDIR, "%s", err.text);
    cr_expect(strstr(err.text, "fettle.db"), "%s", err.text);
    free(blocked);
}

/* As another user where the tests run as root, whom modes do not hold back. */
static int as_nobody(void)
{
    return geteuid() == 0 ? setuid(65534) : 0;
}

Test(store_faults, a_read_only_file)
{
    char *dir = ft_asprintf("%s/state", fx.dir);
    int status;
    pid_t pid;

    fx.store = ft_store_close(fx.store);
    raw_sql(fx.path, "PRAGMA journal_mode=DELETE");
    chmod(fx.path, 0444);
    chmod(fx.dir, 0755);
    chmod(dir, 0555);
    pid = fork();
    if (pid == 0) {
        struct ft_err err = { 0 };
        int r = as_nobody() == 0 ? ft_store_open(fx.loop, fx.path, &fx.store, &err) : 0;

        if (r != -EROFS || !strstr(err.text, "read-only"))
            fprintf(stderr, "%d %s\n", r, err.text);
        _exit(r == -EROFS && strstr(err.text, "read-only") ? 0 : 1);
    }
    waitpid(pid, &status, 0);
    cr_expect_eq(status, 0);
    chmod(dir, 0700);
    chmod(fx.path, 0600);
    free(dir);
}

/* ---- no space */

/* A limit on the size of a file stands for the full disk. Exit status 0: everything was as it should be. */
static int on_a_full_disk(const char *id, const char *other)
{
    struct rlimit limit;
    struct answer answers[8] = { 0 };
    struct stat st;
    char *wal = ft_asprintf("%s-wal", fx.path);
    char *text = ft_calloc(1, 60001);
    struct ft_err err = { 0 };
    unsigned told = 0;

    memset(text, 'x', 60000);
    alarm(60);
    signal(SIGXFSZ, SIG_IGN);
    fx.loop = ft_loop_new(NULL);
    if (ft_store_open(fx.loop, fx.path, &fx.store, &err) < 0 || stat(wal, &st) < 0)
        return 2;
    limit = (struct rlimit){ (rlim_t)st.st_size + 100000, (rlim_t)st.st_size + 100000 };
    setrlimit(RLIMIT_FSIZE, &limit);
    for (size_t i = 0; i < ARRAY_LEN(answers); i++)
        if (ft_store_append(fx.store, i % 2 ? id : other, json_pack("{s:s, s:s}", "type", "step.done", "seen", text), FT_DURABLE, answered, &answers[i], NULL) < 0)
            return 3;
    ft_loop_run(fx.loop);
    for (size_t i = 0; i < ARRAY_LEN(answers); i++)
        told += answers[i].times == 1 && answers[i].code == -ENOSPC && strstr(answers[i].text, "no space");
    if (told != ARRAY_LEN(answers))
        return 4;
    if (ft_store_append(fx.store, id, event_of("later"), FT_DURABLE, answered, &answers[0], &err) != -ENOSPC || !strstr(err.text, "no space"))
        return 5;
    ft_store_close(fx.store);
    return 0;
}

Test(store_faults, a_full_disk_is_told_to_all_who_wait)
{
    char id[9], other[9];
    json_t *events;
    int status;
    pid_t pid;

    new_run(fx.store, id);
    new_run(fx.store, other);
    cr_assert_eq(append_now(&fx, id, event_of("run.started"), FT_DURABLE), 0);
    fx.store = ft_store_close(fx.store);
    pid = fork();
    if (pid == 0)
        _exit(on_a_full_disk(id, other));
    waitpid(pid, &status, 0);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "step %d failed", WIFEXITED(status) ? WEXITSTATUS(status) : -status);
    fixture_open(&fx);
    events = events_of(&fx, id);
    cr_expect_eq(json_array_size(events), 1, "what was durable is still there, and nothing else");
    cr_expect_eq(ft_store_verify(fx.store, NULL, NULL), 0);
    json_decref(events);
    cr_expect_eq(append_now(&fx, id, event_of("resumed"), FT_DURABLE), 0, "with space again it goes on");
}

/* ---- others */

/* The journal could not be written, a moment later the store can: what rests on the event that is lost must not be written either. An answer of a person
 * would be taken by nobody, and the locks of a run that is not over would be gone. */
Test(store_faults, what_rests_on_a_lost_event_is_not_written)
{
    struct answer answer = { 0 };
    json_t *keys = json_pack("[s]", "device/x"), *said = json_pack("{s:s}", "by", "alice"), *list = NULL;
    uint64_t row = 0;
    sqlite3 *db;
    char id[9];

    db_busy_ms = 20;
    fixture_reopen(&fx);
    new_run(fx.store, id);
    cr_assert_eq(append_now(&fx, id, event_of("run.started"), FT_DURABLE), 0);
    cr_assert_eq(ft_store_lock(fx.store, id, keys, "test", NULL, NULL), 0);
    cr_assert_eq(ft_answer_put(fx.store, id, "gate", said, &row, NULL), 0);
    cr_assert_eq(sqlite3_open(fx.path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    cr_assert_eq(ft_store_append(fx.store, id, event_of("gate.vote"), FT_COMMIT, answered, &answer, NULL), 0);
    ft_loop_run(fx.loop);
    cr_assert_eq(answer.code, -EBUSY, "%d %s", answer.code, answer.text);
    cr_assert_eq(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    ft_answer_taken(fx.store, id, row);
    ft_answer_note(fx.store, id, "review", said);
    ft_store_unlock(fx.store, id);
    fixture_reopen(&fx);
    cr_assert_eq(ft_answers(fx.store, id, NULL, false, &list, NULL), 0);
    cr_expect_eq(json_array_size(list), 1, "the answer was taken for a vote that is nowhere, or a note of it was left");
    json_decref(list);
    cr_assert_eq(ft_store_locks(fx.store, &list, NULL), 0);
    cr_expect_eq(json_array_size(list), 1, "the locks of a run that is not over are gone");
    json_decref(list);
    json_decref(keys);
    json_decref(said);
}

Test(store_faults, a_lock_held_by_another_process)
{
    struct ft_err err = { 0 };
    struct answer answer = { 0 };
    sqlite3 *db;
    char id[9];

    db_busy_ms = 20;
    fixture_reopen(&fx);
    new_run(fx.store, id);
    cr_assert_eq(sqlite3_open(fx.path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    ft_store_append(fx.store, id, event_of("run.started"), FT_COMMIT, answered, &answer, NULL);
    ft_loop_run(fx.loop);
    cr_expect_eq(answer.code, -EBUSY);
    cr_expect(strstr(answer.text, "another process"), "%s", answer.text);
    cr_expect_eq(ft_store_append(fx.store, id, event_of("later"), FT_COMMIT, NULL, NULL, &err), -EBUSY);
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(db);
    new_run(fx.store, id);
    cr_expect_eq(append_now(&fx, id, event_of("run.started"), FT_COMMIT), 0, "another run can begin");
}

/* Two that write to one run: the second is told, and the run is whole. */
Test(store_faults, a_run_that_another_process_went_on_with)
{
    struct ft_store *other = NULL;
    struct answer answer = { 0 }, fine = { 0 };
    char id[9], bystander[9];
    json_t *events;

    new_run(fx.store, id);
    new_run(fx.store, bystander);
    cr_assert_eq(append_now(&fx, id, event_of("one"), FT_COMMIT), 0);
    cr_assert_eq(ft_store_open(fx.loop, fx.path, &other, NULL), 0);
    cr_assert_eq(ft_store_append(other, id, event_of("two"), FT_COMMIT, answered, &fine, NULL), 0);
    ft_loop_run(fx.loop);
    cr_assert_eq(fine.times, 1);
    cr_assert_eq(fine.code, 0);
    ft_store_append(fx.store, id, event_of("also two"), FT_COMMIT, answered, &answer, NULL);
    fine.times = 0;
    ft_store_append(fx.store, bystander, event_of("one"), FT_COMMIT, answered, &fine, NULL);
    ft_loop_run(fx.loop);
    cr_expect_eq(answer.code, -ESTALE, "%s", answer.text);
    cr_expect(strstr(answer.text, "another process"), "%s", answer.text);
    cr_expect_eq(fine.code, 0, "the other run of the same batch is not touched by it");
    ft_store_close(other);
    cr_assert_eq(ft_store_claim(fx.store, id, NULL), 0);
    cr_expect_eq(append_now(&fx, id, event_of("three"), FT_COMMIT), 0, "after a claim it is read again");
    events = events_of(&fx, id);
    cr_expect_eq(json_array_size(events), 3);
    cr_expect_str_eq(ft_json_str(json_array_get(events, 1), "type"), "two");
    cr_expect_eq(ft_store_verify(fx.store, NULL, NULL), 0);
    json_decref(events);
}

/* A process of its own: 0 when all was well. Criterion's assertions are not for a fork: it would go on as if it were the test. */
static int one_of_many(unsigned n, unsigned events)
{
    struct ft_err err = { 0 };
    char id[9];

    alarm(60);
    fx.loop = ft_loop_new(NULL);
    if (ft_store_open(fx.loop, fx.path, &fx.store, &err) < 0) {
        fprintf(stderr, "process %u: %s\n", n, err.text);
        return 2;
    }
    new_run(fx.store, id);
    for (unsigned e = 0; e < events; e++) {
        struct answer answer = { 0 };

        if (ft_store_append(fx.store, id, event_of("step.done"), e % 2 ? FT_COMMIT : FT_DURABLE, answered, &answer, &err) < 0) {
            fprintf(stderr, "process %u, event %u: %s\n", n, e, err.text);
            return 3;
        }
        ft_loop_run(fx.loop);
        if (answer.times != 1 || answer.code != 0) {
            fprintf(stderr, "process %u, event %u: told %u times, %d %s\n", n, e, answer.times, answer.code, answer.text);
            return 4;
        }
    }
    ft_store_close(fx.store);
    return 0;
}

Test(store_faults, many_processes_make_one_store)
{
    enum { PROCESSES = 8, EVENTS = 20 };
    pid_t pids[PROCESSES];
    json_t *locks = NULL;

    remove_store();
    fflush(NULL);
    for (unsigned i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            _exit(one_of_many(i, EVENTS));
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status;

        cr_expect_eq(waitpid(pids[i], &status, 0), pids[i]);
        cr_expect_eq(status, 0, "process %d: %d", i, status);
    }
    fixture_open(&fx);
    cr_expect_eq(ft_store_verify(fx.store, NULL, NULL), 0);
    cr_expect_eq(ft_store_locks(fx.store, &locks, NULL), 0);
    json_decref(locks);
}
