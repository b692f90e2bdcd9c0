/* Budgets are never exceeded: a million steps against a model, and processes that race for the same store. */
#include "guard_world.h"
#include <sys/wait.h>

#define RULES "fettle: 1\ntimezone: UTC\npolicies:\n" \
    "  - {name: site, match: {action: \"mist.ap_*\"}, budget: {at_most: 5, in: 1h, per: site}}\n" \
    "  - {name: all, match: {effect: disruptive}, budget: {at_most: 40, in: 1d, over: stop}}\n" \
    "  - {name: target, budget: {at_most: 2, in: 10m, per: target}}\n"

enum { STEPS = 1000000, SITES = 4, TARGETS = 12, KEPT = 64, ACCOUNTS = SITES + 1 + TARGETS };

/* The model: when each account was used, and by which write. */
struct use { uint64_t at; unsigned write; };
static struct account { struct use uses[KEPT]; unsigned count, at_most; uint64_t in_ms; } accounts[ACCOUNTS];

static unsigned used(const struct account *a, uint64_t now, unsigned but)
{
    unsigned n = 0;

    for (unsigned i = 0; i < a->count; i++)
        n += a->uses[i].at + a->in_ms > now && a->uses[i].write != but;
    return n;
}

static void use(struct account *a, uint64_t now, unsigned write)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < a->count; i++)
        if (a->uses[i].at + a->in_ms > now && a->uses[i].write != write)
            a->uses[kept++] = a->uses[i];
    a->count = kept;
    cr_assert_lt(a->count, KEPT);
    a->uses[a->count++] = (struct use){ now, write };
}

struct shot { unsigned write; int site, target; bool ap, disruptive; };

static struct shot random_shot(unsigned *seed, unsigned write)
{
    return (struct shot){ write, rand_r(seed) % SITES, rand_r(seed) % TARGETS, rand_r(seed) % 3 != 0, rand_r(seed) % 2 != 0 };
}

Test(budgets, a_million_steps_exceed_none, .timeout = 280)
{
    struct guard_world w = world_open(RULES, NULL, "2026-01-01");
    unsigned seed = 26, went = 0, waited = 0, stopped = 0, again = 0;
    uint64_t now = ms_at("2026-01-01");
    struct shot shot = { 0 }, last = { 0 };

    for (int i = 0; i < ACCOUNTS; i++) {
        accounts[i].at_most = i < SITES ? 5 : i == SITES ? 40 : 2;
        accounts[i].in_ms = i < SITES ? 3600000 : i == SITES ? 86400000 : 600000;
    }
    for (unsigned step = 1; step <= STEPS; step++) {
        uint64_t pass = (uint64_t)rand_r(&seed) % 60000;
        bool resumed = last.write && rand_r(&seed) % 10 == 0;      /* it crashed between what it took and its write, and asks again */
        char site[8], target[16], run[12];

        ft_clock_advance(w.clock, pass * 1000);
        now += pass;
        shot = resumed ? last : random_shot(&seed, step);
        again += resumed;
        snprintf(site, sizeof(site), "s%d", shot.site);
        snprintf(target, sizeof(target), "device/%d", shot.target);
        snprintf(run, sizeof(run), "%08x", shot.write);
        json_t *targets = json_pack("[s]", target);
        struct ft_write_facts facts = { .run_id = run, .path = "w", .action = shot.ap ? "mist.ap_restart" : "switch.set_vlan", .effect = shot.disruptive ? "disruptive" : "write", .site = site,
                                        .targets = targets, .need_ms = 60000, .attempt = 1, .requested_ms = now };
        struct ft_guard_answer answer;
        struct account *mine[] = { shot.ap ? &accounts[shot.site] : NULL, shot.disruptive ? &accounts[SITES] : NULL, &accounts[SITES + 1 + shot.target] };
        bool room = true;

        for (size_t k = 0; k < ARRAY_LEN(mine); k++)
            room = room && (!mine[k] || used(mine[k], now, shot.write) < mine[k]->at_most);
        cr_assert_eq(ft_guard_write(w.guard, &facts, &answer, NULL), 0);
        cr_assert_eq(answer.verdict == FT_GUARD_GO, room, "step %u: guard says %d, the model %d: %s", step, answer.verdict, room, answer.text);
        if (answer.verdict == FT_GUARD_GO)
            for (size_t k = 0; k < ARRAY_LEN(mine); k++)
                if (mine[k])
                    use(mine[k], now, shot.write);
        for (int k = 0; k < ACCOUNTS; k++)
            cr_assert_leq(used(&accounts[k], now, 0), accounts[k].at_most, "account %d is exceeded at step %u", k, step);
        cr_assert(answer.verdict != FT_GUARD_WAIT || answer.until_ms > now, "step %u waits for the past", step);
        went += answer.verdict == FT_GUARD_GO;
        waited += answer.verdict == FT_GUARD_WAIT;
        stopped += answer.verdict == FT_GUARD_STOP;
        last = answer.verdict == FT_GUARD_GO ? shot : (struct shot){ 0 };
        ft_guard_answer_done(&answer);
        json_decref(targets);
    }
    cr_expect(went > STEPS / 20 && waited > STEPS / 20 && stopped > STEPS / 20 && again > 1000, "%u went, %u waited, %u stopped, %u asked again", went, waited, stopped, again);
    world_close(&w);
}

/* ---- the store */

static char dir[] = "/tmp/fettle-budgets-XXXXXX";

static void make_dir(void) { cr_assert(mkdtemp(dir)); }

static void remove_dir(void)
{
    static const char *const files[] = { "store.db", "store.db-wal", "store.db-shm" };

    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        char *path = ft_asprintf("%s/%s", dir, files[i]);

        unlink(path);
        free(path);
    }
    rmdir(dir);
}

static struct ft_store *open_store(struct ft_loop *loop)
{
    char *path = ft_asprintf("%s/store.db", dir);
    struct ft_store *store = NULL;
    struct ft_err err = { 0 };

    cr_assert_eq(ft_store_open(loop, path, &store, &err), 0, "%s", err.text);
    free(path);
    return store;
}

static int spend(struct ft_store *store, const char *run, const char *path, unsigned attempt, uint64_t now, struct ft_spend *spends, size_t n, bool take)
{
    struct ft_err err = { 0 };
    int r = ft_store_spend(store, run, path, attempt, now, spends, n, take, &err);

    cr_assert(r == 0 || r == -EDQUOT, "%s", err.text);
    return r;
}

Test(budgets, the_store_counts_as_memory_does, .init = make_dir, .fini = remove_dir)
{
    struct ft_clock *clock = ft_clock_manual_new(ms_at("2026-01-01"));
    struct ft_loop *loop = ft_loop_new(clock);
    struct ft_store *store = open_store(loop);
    struct ft_spend two = { .budget = "b", .group = "g", .at_most = 2, .in_ms = 1000 }, again = { .budget = "n", .group = "g", .at_most = 2, .in_ms = 1000, .runs = true };
    struct ft_spend both[] = { two, { .budget = "one", .group = "g", .at_most = 1, .in_ms = 5000 } };

    cr_expect_eq(spend(store, "r1", "a", 1, 10000, &two, 1, true), 0);
    cr_expect_eq(spend(store, "r1", "a", 1, 10100, &two, 1, true), 0, "the same write is taken once");
    cr_expect_eq(two.used, 0);
    cr_expect_eq(spend(store, "r1", "a", 2, 10200, &two, 1, false), 0);
    cr_expect_eq(two.used, 1);
    cr_expect_eq(spend(store, "r1", "a", 2, 10200, &two, 1, true), 0, "another attempt is another write");
    cr_expect_eq(spend(store, "r2", "a", 1, 10300, &two, 1, true), -EDQUOT);
    cr_expect_eq(two.room_ms, 11100, "room at %llu: it counts from when it was asked for last", (unsigned long long)two.room_ms);
    cr_expect_eq(spend(store, "r2", "a", 1, 11099, &two, 1, true), -EDQUOT);
    cr_expect_eq(spend(store, "r2", "a", 1, 11100, &two, 1, true), 0);
    /* All or none. */
    cr_expect_eq(spend(store, "r3", "a", 1, 20000, &both[1], 1, true), 0);
    cr_expect_eq(spend(store, "r4", "a", 1, 20001, both, 2, true), -EDQUOT);
    cr_expect_eq(both[0].room_ms, 0);
    cr_expect_eq(both[1].room_ms, 25000);
    cr_expect_eq(spend(store, "r5", "a", 1, 20002, &two, 1, false), 0);
    cr_expect_eq(two.used, 0, "something was taken for a write that did not start");
    /* Runs, not writes. */
    cr_expect_eq(spend(store, "r1", "a", 1, 30000, &again, 1, true), 0);
    cr_expect_eq(spend(store, "r1", "b", 1, 30001, &again, 1, true), 0, "its own writes do not count");
    cr_expect_eq(spend(store, "r2", "a", 1, 30002, &again, 1, true), 0);
    cr_expect_eq(again.used, 1);
    cr_expect_eq(spend(store, "r3", "a", 1, 30003, &again, 1, true), -EDQUOT);
    cr_expect_eq(again.used, 2);
    ft_store_close(store);
    store = open_store(loop);
    cr_expect_eq(spend(store, "r3", "a", 1, 30004, &again, 1, true), -EDQUOT, "it is forgotten with the process");
    ft_store_close(store);
    ft_loop_free(loop);
    ft_clock_free(clock);
}

/* In the store and in memory alike: a write of several takes as many, or waits until there is room for all of them. */
static void several_at_once(struct ft_store *store)
{
    struct guard_world w = world_open("fettle: 1\npolicies:\n  - {name: pace, budget: {at_most: 5, in: 1h, per: site}}\n", store, "2026-01-01");
    static const struct { const char *run; int many; enum ft_verdict verdict; unsigned after_min; const char *until; } shots[] = {
        { "r1", 3, FT_GUARD_GO, 0, NULL }, { "r1", 3, FT_GUARD_GO, 10, NULL }, { "r2", 3, FT_GUARD_WAIT, 0, "2026-01-01 01:10" }, { "r2", 2, FT_GUARD_GO, 10, NULL },
        { "r3", 1, FT_GUARD_WAIT, 0, "2026-01-01 01:10" }, { "r3", 4, FT_GUARD_WAIT, 0, "2026-01-01 01:20" }, { "r3", 6, FT_GUARD_STOP, 0, NULL }, { "r3", 3, FT_GUARD_GO, 50, NULL },
    };

    for (size_t i = 0; i < ARRAY_LEN(shots); i++) {
        json_t *targets = json_array();
        struct ft_write_facts facts = { .run_id = shots[i].run, .path = "w", .action = "mist.ap_restart_many", .effect = "disruptive", .site = "HQ", .targets = targets, .attempt = 1 };
        struct ft_guard_answer answer;

        for (int k = 0; k < shots[i].many; k++)
            json_array_append_new(targets, json_sprintf("device/%d", k));
        ft_clock_advance(w.clock, shots[i].after_min * 60000000ull);
        cr_assert_eq(ft_guard_write(w.guard, &facts, &answer, NULL), 0);
        cr_expect_eq(answer.verdict, shots[i].verdict, "shot %zu: %s", i, answer.text);
        cr_expect_eq(answer.until_ms, shots[i].until ? ms_at(shots[i].until) : 0, "shot %zu: %s", i, answer.text);
        ft_guard_answer_done(&answer);
        json_decref(targets);
    }
    world_close(&w);
}

Test(budgets, a_write_of_several_takes_several, .init = make_dir, .fini = remove_dir)
{
    struct ft_clock *clock = ft_clock_manual_new(ms_at("2026-01-01"));
    struct ft_loop *loop = ft_loop_new(clock);
    struct ft_store *store = open_store(loop);

    several_at_once(store);
    several_at_once(NULL);
    ft_store_close(store);
    ft_loop_free(loop);
    ft_clock_free(clock);
}

/* One site, one AP, however a playbook writes them. */
Test(budgets, one_account_whatever_the_spelling)
{
    static const char *const sites[] = { "HQ", "hq", "4ac1dcf4-0001", "4AC1DCF4-0001", NULL }, *const devices[] = { "device/AP-1", "device/ap-1", "device/Ap-1" };
    struct guard_world w = world_open("fettle: 1\nsites:\n  HQ: {id: 4ac1dcf4-0001}\npolicies:\n  - {name: pace, budget: {at_most: 5, in: 1h, per: site}}\n"
                                      "  - {name: again, no_better: {times: 2, in: 1d}}\n", NULL, "2026-01-01");
    json_t *plan = json_pack("{s:[{s:s}]}", "requests", "url", "/sites/4ac1dcf4-0001/devices/7/restart");
    struct ft_guard_answer answer;

    for (size_t i = 0; i < 6; i++) {
        json_t *targets = json_pack("[s]", i < 3 ? devices[i] : i == 3 ? "device/another-name" : "device/ap-2");
        char run[2] = { (char)('0' + i), '\0' };
        struct ft_write_facts facts = { .run_id = run, .path = "w", .action = i < 4 ? "a.b" : "a.c", .effect = "write", .site = sites[i % ARRAY_LEN(sites)], .targets = targets,
                                        .plan = i == 5 ? NULL : plan, .attempt = 1 };

        cr_assert_eq(ft_guard_write(w.guard, &facts, &answer, NULL), 0);
        cr_expect_eq(answer.verdict, i == 2 || i == 3 ? FT_GUARD_STOP : FT_GUARD_GO, "%zu: %s", i, answer.text);
        ft_guard_answer_done(&answer);
        json_decref(targets);
    }
    /* Three went: two of a.b, and a.c twice; one more is room for, then none. */
    struct ft_write_facts more = { .run_id = "x", .path = "w", .action = "a.d", .effect = "write", .site = "hQ", .attempt = 1 };
    cr_assert_eq(ft_guard_write(w.guard, &more, &answer, NULL), 0);
    cr_expect_eq(answer.verdict, FT_GUARD_GO, "%s", answer.text);
    ft_guard_answer_done(&answer);
    more.run_id = "y";
    cr_assert_eq(ft_guard_write(w.guard, &more, &answer, NULL), 0);
    cr_expect_eq(answer.verdict, FT_GUARD_WAIT, "%s", answer.text);
    ft_guard_answer_done(&answer);
    json_decref(plan);
    world_close(&w);
}

enum { PROCESSES = 4, TRIES = 40, ROOM = 100 };      /* no one alone fills it, however they are scheduled */

/* How many of its writes may start. */
static int race(int number)
{
    struct ft_clock *clock = ft_clock_manual_new(ms_at("2026-01-01"));
    struct ft_loop *loop = ft_loop_new(clock);
    struct ft_store *store = open_store(loop);
    struct guard_world w = world_open("fettle: 1\npolicies:\n  - {name: few, budget: {at_most: 100, in: 1h}}\n", store, "2026-01-01");
    int went = 0;

    for (int i = 0; i < TRIES; i++) {
        char run[12];
        struct ft_write_facts facts = { .run_id = run, .path = "w", .action = "a.b", .effect = "write", .attempt = 1 };
        struct ft_guard_answer answer;

        snprintf(run, sizeof(run), "%08x", number * TRIES + i);
        if (ft_guard_write(w.guard, &facts, &answer, NULL) < 0)
            return 255;
        went += answer.verdict == FT_GUARD_GO;
        ft_guard_answer_done(&answer);
    }
    world_close(&w);
    ft_store_close(store);
    ft_loop_free(loop);
    ft_clock_free(clock);
    return went;
}

Test(budgets, processes_that_race_exceed_none, .init = make_dir, .fini = remove_dir)
{
    pid_t pids[PROCESSES];
    int went = 0, processes = 0;

    for (int i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        cr_assert_geq(pids[i], 0);
        if (pids[i] == 0)
            _exit(race(i));
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status = 0;

        cr_assert_eq(waitpid(pids[i], &status, 0), pids[i]);
        cr_assert(WIFEXITED(status) && WEXITSTATUS(status) <= TRIES, "a process failed: status %d", status);
        went += WEXITSTATUS(status);
        processes += WEXITSTATUS(status) > 0;
    }
    cr_expect_eq(went, ROOM, "%d writes started in a budget of %d", went, ROOM);
    cr_expect_gt(processes, 1, "they did not race");
}
