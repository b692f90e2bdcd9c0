/* The list of runs, finding and claiming one, and locks. */
#include <signal.h>
#include <sys/wait.h>
#include "fixture.h"

static struct fixture fx;
static void setup(void) { fixture_new(&fx); }
static void teardown(void) { fixture_free(&fx); }
TestSuite(store_runs, .init = setup, .fini = teardown);

static void put(const char *id, const char *status, const char *owner)
{
    struct ft_run_info info = { .id = id, .playbook = "p", .digest = "d", .mode = "run", .status = status, .outcome = "", .summary = "s", .owner = owner };

    ft_store_run_put(fx.store, &info);
}

static void list_id(void *arg, const struct ft_run_info *info)
{
    strcat(arg, info->id);
    strcat(arg, " ");
}

static const char *listed(const char *status, unsigned limit)
{
    static char ids[4096];

    ids[0] = '\0';
    cr_assert_eq(ft_store_runs(fx.store, status, limit, list_id, ids, NULL), 0);
    return ids;
}

Test(store_runs, are_listed_newest_first)
{
    put("00000001", "running", "");
    put("00000002", "parked", "");
    put("00000003", "running", "");
    cr_expect_str_eq(listed(NULL, 0), "00000003 00000002 00000001 ");
    cr_expect_str_eq(listed("running", 0), "00000003 00000001 ");
    cr_expect_str_eq(listed("running", 1), "00000003 ");
    cr_expect_str_eq(listed("finished", 0), "");
    put("00000001", "finished", "");
    cr_expect_str_eq(listed("finished", 0), "00000001 ");
    cr_expect_str_eq(listed(NULL, 0), "00000003 00000002 00000001 ", "an update is no new run");
}

static void check_info(void *arg, const struct ft_run_info *info)
{
    unsigned *seen = arg;

    ++*seen;
    cr_expect_str_eq(info->playbook, "client-connectivity");
    cr_expect_str_eq(info->digest, "9b1e");
    cr_expect_str_eq(info->mode, "run");
    cr_expect_str_eq(info->status, "running");
    cr_expect_eq(info->started_ms, 1000);
    cr_expect_eq(info->ended_ms, 0);
    cr_expect_str_eq(ft_json_str(info->params, "client"), "a4:83:e7:12:34:56");
    cr_expect_eq(strtol(info->owner, NULL, 10), getpid(), "a running run's owner is this process: %s", info->owner);
}

Test(store_runs, keep_what_was_put)
{
    unsigned seen = 0;
    char id[9];

    new_run(fx.store, id);
    cr_assert_eq(ft_store_runs(fx.store, NULL, 0, check_info, &seen, NULL), 0);
    cr_expect_eq(seen, 1);
}

Test(store_runs, get_ids_that_are_not_taken)
{
    char ids[500][9];

    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        ft_store_new_id(fx.store, ids[i]);
        cr_expect_eq(strspn(ids[i], "0123456789abcdef"), 8, "'%s'", ids[i]);
        for (size_t j = 0; j < i; j++)
            cr_expect_str_neq(ids[i], ids[j]);
    }
}

Test(store_runs, are_found_by_an_unambiguous_prefix)
{
    static const struct { const char *prefix; int code; const char *id, *says; } table[] = {
        { "7f3c0a12", 0,       "7f3c0a12", NULL },
        { "7f3c0",    0,       "7f3c0a12", NULL },
        { "7f3c",     -EEXIST, NULL,       "7f3c0a12, 7f3cffff" },
        { "ffff",     0,       "ffff0001", NULL },
        { "8000",     -ENOENT, NULL,       "fettle runs" },
        { "7f3",      -EINVAL, NULL,       "at least 4" },
        { "7f3c0a123", -EINVAL, NULL,      "8 digits" },
        { "7F3C",     -EINVAL, NULL,       "digits" },
        { "%%%%",     -EINVAL, NULL,       "digits" },        /* no pattern of SQL's */
        { "",         -EINVAL, NULL,       "digits" },
    };

    put("7f3c0a12", "running", "");
    put("7f3cffff", "running", "");
    put("ffff0001", "running", "");
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct ft_err err = { 0 };
        char id[9] = "";
        int r = ft_store_find(fx.store, table[i].prefix, id, &err);

        cr_expect_eq(r, table[i].code, "'%s' gave %d %s", table[i].prefix, r, err.text);
        if (table[i].id)
            cr_expect_str_eq(id, table[i].id, "'%s'", table[i].prefix);
        else
            cr_expect(strstr(err.text, table[i].says), "'%s': %s", table[i].prefix, err.text);
    }
}

/* ---- owners */

static pid_t idle_child(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pause();
        _exit(0);
    }
    return pid;
}

/* What the process's own store would call it. */
static void owner_of(pid_t pid, int start_off, char *ret, size_t len)
{
    char path[64], stat[1024] = "", boot[64] = "";
    unsigned long long start = 0;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    f = fopen(path, "r");
    cr_assert_not_null(f);
    cr_assert_gt(fread(stat, 1, sizeof(stat) - 1, f), 0);
    fclose(f);
    sscanf(strrchr(stat, ')') + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &start);
    f = fopen("/proc/sys/kernel/random/boot_id", "r");
    cr_assert_not_null(f);
    cr_assert_eq(fscanf(f, "%63s", boot), 1);
    fclose(f);
    snprintf(ret, len, "%d:%llu:%s", (int)pid, start + (unsigned)start_off, boot);
}

Test(store_runs, a_claim_tells_the_dead_from_the_living)
{
    pid_t child = idle_child();
    char living[128], reused[128], other_boot[128];
    struct ft_err err = { 0 };

    owner_of(child, 0, living, sizeof(living));
    owner_of(child, 1, reused, sizeof(reused));          /* the pid of one that had started at another time */
    snprintf(other_boot, sizeof(other_boot), "%.*s:00000000-0000-0000-0000-000000000000", (int)(strrchr(living, ':') - living), living);
    put("00000001", "running", living);
    put("00000002", "running", reused);
    put("00000003", "running", other_boot);
    put("00000004", "parked", "");
    put("00000005", "running", "nonsense");
    cr_expect_eq(ft_store_claim(fx.store, "00000001", &err), -EBUSY);
    cr_expect(strstr(err.text, "process"), "%s", err.text);
    cr_expect_eq(ft_store_claim(fx.store, "00000002", &err), 0, "%s", err.text);
    cr_expect_eq(ft_store_claim(fx.store, "00000003", &err), 0, "%s", err.text);
    cr_expect_eq(ft_store_claim(fx.store, "00000004", &err), 0, "%s", err.text);
    cr_expect_eq(ft_store_claim(fx.store, "00000005", &err), 0, "%s", err.text);
    cr_expect_eq(ft_store_claim(fx.store, "00000004", &err), 0, "its own: %s", err.text);
    cr_expect_eq(ft_store_claim(fx.store, "00000009", &err), -ENOENT);
    kill(child, SIGKILL);
    siginfo_t info;
    waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
    cr_expect_eq(ft_store_claim(fx.store, "00000001", &err), 0, "a corpse: %s", err.text);
    waitpid(child, NULL, 0);
    put("00000001", "running", living);
    cr_expect_eq(ft_store_claim(fx.store, "00000001", &err), 0, "gone: %s", err.text);
}

/* Whoever recovers many takes each that he may have, in one commit; and reads what others wrote to it before. */
Test(store_runs, many_are_claimed_in_one_commit)
{
    static const char ids[][9] = { "00000001", "00000002", "00000009", "00000003" };
    bool ours[ARRAY_LEN(ids)];
    pid_t child = idle_child();
    struct ft_store_stats before, after;
    struct ft_store *other;
    char living[128];
    json_t *events;

    owner_of(child, 0, living, sizeof(living));
    put("00000001", "parked", "");
    put("00000002", "running", living);
    put("00000003", "parked", "");
    cr_assert_eq(append_now(&fx, "00000003", event_of("one"), FT_COMMIT), 0);
    cr_assert_eq(ft_store_open(fx.loop, fx.path, &other, NULL), 0);
    cr_assert_eq(ft_store_append(other, "00000003", event_of("two"), FT_RIDE, NULL, NULL, NULL), 0);
    ft_store_close(other);
    ft_store_stats(fx.store, &before);
    ft_store_claim_all(fx.store, ids, ARRAY_LEN(ids), ours);
    ft_store_stats(fx.store, &after);
    cr_expect(ours[0] && !ours[1] && !ours[2] && ours[3], "%d %d %d %d", ours[0], ours[1], ours[2], ours[3]);
    cr_expect_eq(after.commits - before.commits, 1);
    cr_expect_eq(append_now(&fx, "00000003", event_of("three"), FT_COMMIT), 0);
    events = events_of(&fx, "00000003");
    cr_expect_eq(json_array_size(events), 3);
    json_decref(events);
    cr_expect(ft_store_owner_alive(fx.store, "00000002"));
    ft_store_claim_all(fx.store, ids, 0, ours);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* What is read of one run waits for what is on its way of that run, not for all others'. */
Test(store_runs, a_run_is_read_with_what_is_on_its_way_of_it)
{
    struct ft_store_stats before, after;
    json_t *events;

    put("00000001", "running", "");
    put("00000002", "running", "");
    cr_assert_eq(append_now(&fx, "00000001", event_of("one"), FT_COMMIT), 0);
    ft_store_append(fx.store, "00000002", event_of("one"), FT_RIDE, NULL, NULL, NULL);
    ft_store_stats(fx.store, &before);
    events = events_of(&fx, "00000001");
    cr_expect_eq(json_array_size(events), 1);
    json_decref(events);
    ft_store_stats(fx.store, &after);
    cr_expect_eq(after.commits, before.commits);
    events = events_of(&fx, "00000002");
    cr_expect_eq(json_array_size(events), 1, "what nobody waits for, too");
    json_decref(events);
}

/* ---- locks */

static int lock(const char *id, const char *keys, char **holder)
{
    json_t *list = json_loads(keys, 0, NULL);
    int r;

    cr_assert_not_null(list, "%s", keys);
    r = ft_store_lock(fx.store, id, list, "restart AP-3F-12", holder, NULL);
    json_decref(list);
    return r;
}

static size_t locks(void)
{
    json_t *list = NULL;
    size_t n;

    cr_assert_eq(ft_store_locks(fx.store, &list, NULL), 0);
    n = json_array_size(list);
    json_decref(list);
    return n;
}

Test(store_runs, locks_are_taken_all_or_none)
{
    char *holder = NULL;
    json_t *list = NULL;

    put("00000001", "running", NULL);
    put("00000002", "running", NULL);
    cr_expect_eq(lock("00000001", "[\"site/hq\", \"client/a\", \"site/hq\"]", &holder), 0);
    cr_expect_null(holder);
    cr_expect_eq(locks(), 2);
    cr_expect_eq(lock("00000002", "[\"a/free\", \"client/a\"]", &holder), -EBUSY);
    cr_assert_not_null(holder);
    cr_expect(strstr(holder, "00000001") && strstr(holder, "restart AP-3F-12"), "%s", holder);
    free(holder);
    cr_expect_eq(locks(), 2, "a/free was kept");
    cr_expect_eq(lock("00000001", "[\"client/a\", \"client/b\"]", NULL), 0, "its own do not hinder it");
    cr_expect_eq(lock("00000002", "[]", NULL), 0);
    ft_store_unlock(fx.store, "00000001");
    cr_expect_eq(lock("00000002", "[\"a/free\", \"client/a\"]", NULL), 0);
    cr_assert_eq(ft_store_locks(fx.store, &list, NULL), 0);
    cr_expect_str_eq(ft_json_str(json_array_get(list, 1), "key"), "client/a");
    cr_expect_str_eq(ft_json_str(json_array_get(list, 1), "run"), "00000002");
    cr_expect_eq(ft_json_int(json_array_get(list, 1), "since", 0), 1795227185000);
    json_decref(list);
}

Test(store_runs, locks_outlive_the_process)
{
    put("00000001", "parked", "");
    put("00000002", "running", NULL);
    cr_expect_eq(lock("00000001", "[\"client/a\"]", NULL), 0);
    fixture_reopen(&fx);
    cr_expect_eq(lock("00000002", "[\"client/a\"]", NULL), -EBUSY);
}

Test(store_runs, a_lock_of_a_run_that_is_over_holds_nothing)
{
    put("00000001", "running", NULL);
    put("00000002", "running", NULL);
    cr_expect_eq(lock("00000001", "[\"client/a\"]", NULL), 0);
    put("00000001", "failed", "");               /* and its unlock was lost with the power */
    cr_expect_eq(locks(), 0);
    cr_expect_eq(lock("00000002", "[\"client/a\"]", NULL), 0);
    cr_expect_eq(locks(), 1);
}

/* kill -9 between the locks and the run's first event leaves locks of a run that never was. */
Test(store_runs, a_lock_of_a_run_that_never_began_dies_with_its_process)
{
    int status;
    pid_t pid;

    fx.store = ft_store_close(fx.store);
    pid = fork();
    if (pid == 0) {
        json_t *keys = json_pack("[s]", "client/a");
        struct ft_err err = { 0 };

        fx.loop = ft_loop_new(NULL);
        child_opens(&fx);
        CHILD_MUST(ft_store_lock(fx.store, "0000000a", keys, "restart AP-3F-12", NULL, &err) == 0, "%s", err.text);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    cr_assert_eq(status, 0);
    fixture_open(&fx);
    put("00000002", "running", NULL);
    cr_expect_eq(locks(), 0);
    cr_expect_eq(lock("00000002", "[\"client/a\"]", NULL), 0);
    cr_expect_eq(lock("0000000b", "[\"client/b\"]", NULL), 0);
    cr_expect_eq(lock("00000002", "[\"client/b\"]", NULL), -EBUSY, "this process lives, its run is about to begin");
}
