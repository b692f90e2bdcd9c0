/* Events in, events out; how durable they are, and what that costs. */
#include <dlfcn.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "fixture.h"

static struct fixture fx;
static void setup(void) { fixture_new(&fx); }
static void teardown(void) { fixture_free(&fx); }
TestSuite(store_append, .init = setup, .fini = teardown);

/* SQLite's calls come here: the program's symbols go before the library's. */
static int flushes;

__attribute__((visibility("default"))) int fdatasync(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");

    __atomic_add_fetch(&flushes, 1, __ATOMIC_RELAXED);
    return real(fd);
}

__attribute__((visibility("default"))) int fsync(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");

    __atomic_add_fetch(&flushes, 1, __ATOMIC_RELAXED);
    return real(fd);
}

Test(store_append, makes_a_private_file)
{
    char *dir = ft_asprintf("%s/state", fx.dir);
    struct stat st;

    cr_assert_eq(stat(fx.path, &st), 0);
    cr_expect_eq(st.st_mode & 07777, 0600, "%o", st.st_mode & 07777);
    cr_assert_eq(stat(dir, &st), 0);
    cr_expect_eq(st.st_mode & 07777, 0700, "%o", st.st_mode & 07777);
    free(dir);
}

Test(store_append, gives_back_what_was_appended)
{
    char id[9];
    json_t *events;

    new_run(fx.store, id);
    cr_expect_eq(append_now(&fx, id, event_of("run.started"), FT_COMMIT), 0);
    ft_clock_advance(fx.clock, 1500 * 1000);
    cr_expect_eq(append_now(&fx, id, json_pack("{s:s, s:{s:i, s:[n, b, f]}}", "type", "step.done", "result", "rssi", -61, "odd", 1, 0.5), FT_DURABLE), 0);
    events = events_of(&fx, id);
    cr_assert_eq(json_array_size(events), 2);
    cr_expect_str_eq(ft_json_str(ft_json_path(events, "0"), "type"), "run.started");
    cr_expect_eq(ft_json_int(ft_json_path(events, "0"), "seq", 0), 1);
    cr_expect_eq(ft_json_int(ft_json_path(events, "1"), "seq", 0), 2);
    cr_expect_eq(ft_json_int(ft_json_path(events, "1"), "at", 0), 1795227186500);
    cr_expect_eq(ft_json_int(ft_json_path(events, "1.result"), "rssi", 0), -61);
    cr_expect_eq(json_array_size(ft_json_path(events, "1.result.odd")), 3);
    json_decref(events);
    cr_assert_eq(ft_store_events(fx.store, id, 2, &events, NULL), 0);
    cr_expect_eq(json_array_size(events), 1, "from_seq");
    json_decref(events);
}

/* Also over a restart: what a run's events say of their order, they say of their time. */
Test(store_append, times_of_a_run_never_go_back)
{
    char id[9];
    json_t *events;
    int64_t before = 0;

    new_run(fx.store, id);
    append_now(&fx, id, event_of("one"), FT_COMMIT);
    ft_clock_set_wall(fx.clock, 1795227185000 - 3600000);
    append_now(&fx, id, event_of("two"), FT_COMMIT);
    fixture_reopen(&fx);
    append_now(&fx, id, event_of("three"), FT_COMMIT);
    ft_clock_set_wall(fx.clock, 1795227185000 + 1);
    append_now(&fx, id, event_of("four"), FT_COMMIT);
    events = events_of(&fx, id);
    for (size_t i = 0; i < 4; i++) {
        int64_t at = ft_json_int(json_array_get(events, i), "at", 0);

        cr_expect_geq(at, before);
        before = at;
        cr_expect_eq(ft_json_int(json_array_get(events, i), "clock_back_ms", 0), i == 1 || i == 2 ? 3600000 : 0, "event %zu", i + 1);
    }
    cr_expect_eq(before, 1795227185001);
    json_decref(events);
}

Test(store_append, goes_on_numbering_after_a_restart)
{
    char id[9];
    json_t *events;

    new_run(fx.store, id);
    append_now(&fx, id, event_of("one"), FT_COMMIT);
    fixture_reopen(&fx);
    cr_expect_eq(append_now(&fx, id, event_of("two"), FT_COMMIT), 0);
    events = events_of(&fx, id);
    cr_assert_eq(json_array_size(events), 2);
    cr_expect_eq(ft_json_int(json_array_get(events, 1), "seq", 0), 2);
    cr_expect_eq(ft_store_verify(fx.store, NULL, NULL), 0);
    json_decref(events);
}

Test(store_append, refuses_what_is_no_event_of_a_run)
{
    static const struct { const char *id; const char *type; int code; } table[] = {
        { "00000001", "run.started", -ENOENT },        /* no such run */
        { "nonsense", "run.started", -EINVAL },
        { "ABCDEF01", "run.started", -EINVAL },        /* would be another file name, another chain */
        { "00000001", NULL,          -EINVAL },
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct ft_err err = { 0 };
        int r = ft_store_append(fx.store, table[i].id, table[i].type ? event_of(table[i].type) : json_object(), FT_RIDE, NULL, NULL, &err);

        cr_expect_eq(r, table[i].code, "row %zu: %d %s", i, r, err.text);
        cr_expect(err.text[0], "row %zu has no sentence", i);
    }
}

Test(store_append, a_ride_goes_with_the_next_commit)
{
    char a[9], b[9];
    struct ft_store_stats before, stats;
    struct answer ridden = { 0 };
    json_t *events;

    new_run(fx.store, a);
    new_run(fx.store, b);
    cr_expect_eq(append_now(&fx, b, event_of("run.started"), FT_DURABLE), 0);
    ft_store_stats(fx.store, &before);
    cr_assert_eq(ft_store_append(fx.store, a, event_of("read"), FT_RIDE, answered, &ridden, NULL), 0);
    cr_expect_eq(append_now(&fx, b, event_of("write"), FT_DURABLE), 0);
    cr_expect_eq(ridden.times, 1);
    ft_store_stats(fx.store, &stats);
    cr_expect_eq(stats.commits - before.commits, 1);
    cr_expect_eq(stats.flushes - before.flushes, 1);
    cr_expect_eq(stats.events - before.events, 2);
    events = events_of(&fx, a);
    cr_expect_eq(json_array_size(events), 1);
    json_decref(events);
}

static void nothing(void *arg) { (void)arg; }

Test(store_append, a_ride_alone_is_written_after_20_ms)
{
    char id[9];
    struct answer ridden = { .times = 0 };
    uint64_t before = ft_clock_mono_us(fx.clock);

    new_run(fx.store, id);
    ft_store_append(fx.store, id, event_of("read"), FT_RIDE, answered, &ridden, NULL);
    ft_timer_start(fx.loop, 1000, nothing, NULL);
    while (!ridden.times && ft_clock_mono_us(fx.clock) - before < 1000000)
        ft_loop_run(fx.loop);
    cr_expect_eq(ridden.times, 1);
    cr_expect_eq(ridden.code, 0);
}

Test(store_append, rides_are_written_on_close)
{
    char id[9];
    json_t *events;

    new_run(fx.store, id);
    for (int i = 0; i < 10; i++)
        ft_store_append(fx.store, id, event_of("read"), FT_RIDE, NULL, NULL, NULL);
    fixture_reopen(&fx);
    events = events_of(&fx, id);
    cr_expect_eq(json_array_size(events), 10);
    json_decref(events);
}

Test(store_append, many_runs_share_a_commit)
{
    enum { RUNS = 256, EVENTS = 10 };
    struct answer answer = { 0 };
    struct ft_store_stats stats;
    char ids[RUNS][9];

    for (int i = 0; i < RUNS; i++)
        new_run(fx.store, ids[i]);
    for (int round = 0; round < EVENTS; round++) {
        for (int i = 0; i < RUNS; i++)
            cr_assert_eq(ft_store_append(fx.store, ids[i], event_of("step.done"), FT_DURABLE, answered, &answer, NULL), 0);
        ft_loop_run(fx.loop);
    }
    cr_expect_eq(answer.times, RUNS * EVENTS);
    ft_store_stats(fx.store, &stats);
    cr_expect_leq(stats.commits, RUNS * EVENTS / 32, "%lu commits for %d events", (unsigned long)stats.commits, RUNS * EVENTS);
    cr_expect_leq(stats.flushes, stats.commits + 2);
    cr_expect_eq(ft_store_verify(fx.store, NULL, NULL), 0);
}

/* A run's way through the journal: reads that ride, N writes with an intent each, its end. */
static void one_run(unsigned writes)
{
    char id[9];

    new_run(fx.store, id);
    for (unsigned i = 0; i < writes; i++) {
        for (int read = 0; read < 4; read++)
            ft_store_append(fx.store, id, event_of("step.done"), FT_RIDE, NULL, NULL, NULL);
        cr_expect_eq(append_now(&fx, id, event_of("step.intended"), FT_DURABLE), 0);
        cr_expect_eq(append_now(&fx, id, event_of("step.answered"), FT_COMMIT), 0);
    }
    put_run(fx.store, id, "finished");
    ft_store_unlock(fx.store, id);
    cr_expect_eq(append_now(&fx, id, event_of("run.finished"), FT_DURABLE), 0);
}

/* Counted where they happen, from before the file is made until it is closed; and again as the log grows over its bounds. */
Test(store_append, n_writes_flush_at_most_n_plus_2_times)
{
    enum { WRITES = 5, RUNS = 60 };
    unsigned most = 0;

    one_run(1);                           /* makes the key that seals, once for all */
    fx.store = ft_store_close(fx.store);
    unlink(fx.path);
    for (int run = 0; run < RUNS; run++) {
        flushes = 0;
        fixture_open(&fx);
        one_run(WRITES);
        fx.store = ft_store_close(fx.store);
        most = ft_max(most, (unsigned)flushes);
        cr_expect_leq(flushes, WRITES + 2, "run %d flushed %d times", run, flushes);
    }
    cr_expect_geq(most, WRITES + 1, "no flush was seen at all");
    fixture_open(&fx);
}

Test(store_append, a_commit_flushes_nothing)
{
    char id[9];

    new_run(fx.store, id);
    cr_expect_eq(append_now(&fx, id, event_of("first"), FT_DURABLE), 0);
    flushes = 0;
    for (int i = 0; i < 100; i++)
        cr_expect_eq(append_now(&fx, id, event_of("kept"), FT_COMMIT), 0);
    cr_expect_eq(flushes, 0, "%d flushes", flushes);
}

/* Returns in the child only. */
static bool in_child(int pipe_fds[2])
{
    pid_t pid;

    cr_assert_eq(pipe(pipe_fds), 0);
    pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0)
        return true;
    char told[9] = { 0 };

    close(pipe_fds[1]);                    /* else nobody would hear that the child died */
    cr_assert_eq(read(pipe_fds[0], told, 8), 8, "the child died before it had written");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    memcpy(fx.dir + 48, told, 9);          /* the run's id, for the test */
    return false;
}

Test(store_append, what_was_committed_survives_kill_9)
{
    int fds[2];
    json_t *events;

    fx.store = ft_store_close(fx.store);
    if (in_child(fds)) {
        char id[9];

        fx.loop = ft_loop_new(NULL);
        child_opens(&fx);
        new_run(fx.store, id);
        for (int i = 0; i < 20; i++)
            child_appends(&fx, id, event_of("kept"), FT_COMMIT);
        if (write(fds[1], id, 8) == 8)
            pause();
        _exit(1);
    }
    fixture_open(&fx);
    events = events_of(&fx, fx.dir + 48);
    cr_expect_eq(json_array_size(events), 20);
    cr_expect_eq(ft_store_verify(fx.store, NULL, NULL), 0);
    json_decref(events);
}

/* Before the first checkpoint only the log was ever flushed: after a power cut the database file may be empty. */
Test(store_append, the_log_alone_is_enough_after_a_power_cut)
{
    static const off_t left[] = { 0, 4096 };

    for (size_t i = 0; i < ARRAY_LEN(left); i++) {
        char id[9];
        json_t *events;

        new_run(fx.store, id);
        cr_assert_eq(append_now(&fx, id, event_of("run.started"), FT_DURABLE), 0);
        fx.store = ft_store_close(fx.store);
        cr_assert_eq(truncate(fx.path, 0), 0);
        cr_assert_eq(truncate(fx.path, left[i]), 0);
        fixture_open(&fx);
        events = events_of(&fx, id);
        cr_expect_eq(json_array_size(events), 1, "%d bytes left", (int)left[i]);
        json_decref(events);
    }
}

Test(store_append, large_results_lie_beside_the_events)
{
    char id[9], *text = ft_calloc(1, 300001);
    json_t *event, *events, *stored = NULL;

    memset(text, 'x', 300000);
    new_run(fx.store, id);
    event = json_pack("{s:s, s:{s:s}, s:s}", "type", "step.done", "result", "body", text, "seen", "short");
    json_incref(event);
    cr_expect_eq(append_now(&fx, id, event, FT_COMMIT), 0);
    cr_expect_eq(json_string_length(ft_json_path(event, "result.body")), 300000, "the appender's own event was changed");
    json_decref(event);
    events = events_of(&fx, id);
    cr_expect_eq(json_string_length(ft_json_path(events, "0.result.body")), 300000);
    cr_expect_str_eq(ft_json_str(json_array_get(events, 0), "seen"), "short");
    json_decref(events);
    /* What a plugin happens to call $blob names nothing in the store. */
    stored = json_pack("{s:s, s:{s:s}}", "type", "step.done", "result", "$blob", "of clay");
    cr_expect_eq(append_now(&fx, id, stored, FT_COMMIT), 0);
    events = events_of(&fx, id);
    cr_expect_str_eq(ft_json_str(ft_json_path(events, "1.result"), "$blob"), "of clay");
    json_decref(events);
    free(text);
}

Test(store_append, an_event_beyond_every_bound_is_an_error)
{
    char id[9], *text = ft_calloc(1, (64 << 20) + 2);
    struct ft_err err = { 0 };

    memset(text, 'x', (64 << 20) + 1);
    new_run(fx.store, id);
    cr_expect_eq(ft_store_append(fx.store, id, json_pack("{s:s, s:s}", "type", "step.done", "result", text), FT_RIDE, NULL, NULL, &err), -EFBIG);
    cr_expect(strstr(err.text, "step.done"), "%s", err.text);
    cr_expect_eq(append_now(&fx, id, event_of("next"), FT_COMMIT), 0, "the run can go on");
    free(text);
}

Test(store_append, blobs_are_kept_by_digest)
{
    char digest[65], again[65], *bytes = NULL;
    size_t len = 0;
    struct ft_err err = { 0 };

    ft_store_blob_put(fx.store, "steps:\n", 7, digest);
    ft_store_blob_put(fx.store, "steps:\n", 7, again);
    cr_expect_str_eq(digest, again);
    cr_assert_eq(ft_store_blob_get(fx.store, digest, &bytes, &len, &err), 0, "%s", err.text);
    cr_expect_eq(len, 7);
    cr_expect_str_eq(bytes, "steps:\n");
    free(bytes);
    digest[0] ^= 1;
    cr_expect_eq(ft_store_blob_get(fx.store, digest, &bytes, &len, &err), -ENOENT);
    cr_expect(strstr(err.text, digest), "%s", err.text);
}

Test(store_append, a_forgotten_callback_does_not_come)
{
    struct answer gone = { 0 }, other = { 0 };
    char id[9];
    json_t *events;

    new_run(fx.store, id);
    ft_store_append(fx.store, id, event_of("one"), FT_DURABLE, answered, &gone, NULL);
    ft_store_append(fx.store, id, event_of("two"), FT_DURABLE, answered, &other, NULL);
    ft_store_forget(fx.store, &gone);
    ft_loop_run(fx.loop);
    cr_expect_eq(gone.times, 0);
    cr_expect_eq(other.times, 1);
    ft_store_append(fx.store, id, event_of("three"), FT_DURABLE, answered, &gone, NULL);
    events = events_of(&fx, id);              /* written by now, its callback still to come */
    cr_expect_eq(json_array_size(events), 3);
    ft_store_forget(fx.store, &gone);
    ft_loop_run(fx.loop);
    cr_expect_eq(gone.times, 0);
    json_decref(events);
}
