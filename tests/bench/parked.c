/* parked.c: what runs that wait cost, and how long it takes to have them all back after kill -9.
 *   parked STORE PLUGINS park N       N runs park on an approval, as stubs: memory and disk of each, sockets, then how long a step takes beside them
 *   parked STORE PLUGINS leave N [M]  N runs wait for their time, M are in the middle of a write, when the process kills itself. With M the N wait for
 *                                     an approval, and have nothing to do afterwards
 *   parked STORE PLUGINS recover      a new process, as fettle resume --watch: until it knows all that are not over, and until each that was left
 *                                     behind has gone on and parked (what was in the middle of a write: in doubt, with a question to people)
 * Prints one line of JSON. */
#include <dirent.h>
#include <malloc.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/util.h"
#include "run/parking.h"
#include "store/internal.h"

enum { AT_ONCE = 1000, AS_BY_DEFAULT = 0, LATENCY_RUNS = 40, LATENCY_STEPS = 20 };

static struct ft_loop *loop;
static struct ft_store *store;
static struct ft_engine *engine;
static struct ft_playbook_world world;
static struct ft_parking *parking;
static struct ft_playbook *playbook;
static size_t parked, ended, trouble, wanted, to_start, started, under_way;
static double t_start;

static int action(void *arg, const char *full, const struct ft_action_info **ret, struct ft_err *reterr)
{
    return ft_registry_action(arg, full, ret, reterr);
}

static const json_t *params_of(const struct ft_action_info *info) { return info->params_json; }
static const json_t *result_of(const struct ft_action_info *info) { return info->result_json; }
static unsigned effects_of(const struct ft_action_info *info) { return info->action->effects; }
static bool has_undo(const struct ft_action_info *info) { return info->action->undo.start != NULL; }
static const char *full_name(const struct ft_action_info *info) { return info->full; }

static void die(const char *what, const struct ft_err *err)
{
    fprintf(stderr, "%s: %s\n", what, err->text);
    exit(1);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Of this process: steadier than the clock on a machine that others use. */
static double cpu(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void start_more(void *arg);

static void news(void *arg, const char *run_id, enum ft_parking_news what, const char *text)
{
    (void)arg;
    parked += what == FT_PARKING_PARKED;
    ended += what == FT_PARKING_ENDED;
    trouble += what == FT_PARKING_TROUBLE;
    if (what == FT_PARKING_TROUBLE)
        fprintf(stderr, "%s: %s\n", run_id, text);
    if (to_start)
        ft_loop_defer(loop, start_more, NULL);
    if (parked + ended >= wanted)
        ft_loop_stop(loop);
}

static void load(const char *text)
{
    struct ft_diags *diags = ft_diags_new();

    ft_playbook_unref(playbook);
    playbook = ft_playbook_parse("bench.yaml", text, strlen(text), &world, diags);
    if (!playbook) {
        ft_diags_print(diags, stderr, false);
        exit(1);
    }
    ft_diags_free(diags);
}

/* As many as may live. */
static void start_more(void *arg)
{
    struct ft_run_opts opts = { .requester = "bench" };
    struct ft_err err = { 0 };
    int r = 0;

    (void)arg;
    while (to_start && r == 0) {
        json_t *params = json_pack("{s:i}", "n", (int)++started);      /* each its own: equal plans are kept once */
        char id[9];

        r = ft_parking_start(parking, playbook, params, &opts, id, &err);
        if (r < 0 && r != -EAGAIN)
            die("start", &err);
        to_start -= r == 0;
        json_decref(params);
    }
}

static void start(size_t n)
{
    to_start = n;
    start_more(NULL);
}

/* later: the process lives in an hour, when the waits are over. */
static void open_all(const char *path, const char *plugins, bool later)
{
    struct ft_secrets *secrets = ft_secrets_new();
    struct ft_err err = { 0 };

    loop = ft_loop_new(later ? ft_clock_manual_new(ft_clock_wall_ms(ft_clock_system()) + 3600 * 1000) : NULL);
    struct ft_registry_opts ropts = { .loop = loop, .secrets = secrets, .dir = plugins };
    struct ft_registry *registry = ft_registry_new(&ropts);

    world = (struct ft_playbook_world){ .script = ft_script_new(NULL), .action = action, .params_schema = params_of, .result_schema = result_of,
                                        .effects = effects_of, .has_undo = has_undo, .full_name = full_name, .arg = registry };
    if (ft_store_open(loop, path, &store, &err) < 0)
        die("store", &err);
    struct ft_engine_opts eopts = { .loop = loop, .store = store, .registry = registry, .secrets = secrets, .world = &world };

    engine = ft_engine_new(&eopts);
}

static void on_event(void *arg, struct ft_run *run, const json_t *event);

static void keep(unsigned at_once)
{
    struct ft_parking_opts opts = { .loop = loop, .store = store, .engine = engine, .who = "bench", .at_once = at_once, .news = news,
                                    .event = on_event };
    struct ft_err err = { 0 };

    if (ft_parking_new(&opts, &parking, &err) < 0)
        die("keeper", &err);
}

static size_t sockets(void)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *e;
    size_t n = 0;

    while ((e = readdir(dir))) {
        char path[64], to[64] = "";

        snprintf(path, sizeof(path), "/proc/self/fd/%.20s", e->d_name);
        n += readlink(path, to, sizeof(to) - 1) > 0 && strncmp(to, "socket:", 7) == 0;
    }
    closedir(dir);
    return n;
}

/* The pages of the database, wherever they lie. */
static double disk(const char *path)
{
    sqlite3_stmt *stmt;
    sqlite3 *db;
    json_t *list = NULL;
    double pages = 0;

    ft_store_locks(store, &list, NULL);          /* everything is in the file when this returns */
    json_decref(list);
    if (sqlite3_open(path, &db) == SQLITE_OK && sqlite3_prepare_v2(db, "PRAGMA page_count", -1, &stmt, NULL) == SQLITE_OK) {
        if (sqlite3_step(stmt) == SQLITE_ROW)
            pages = sqlite3_column_int(stmt, 0);
        sqlite3_finalize(stmt);
    }
    sqlite3_close(db);
    return pages * 4096;
}

#define HEAD "fettle: 1\nname: bench\ntitle: Bench\ncategory: check\nlimits: {writes: 100}\nparams:\n  n: {type: int}\n"

static const char gated[] = HEAD
    "steps:\n  - {id: w, run: nop.write, with: {n: \"${n}\"}, undo: none}\n"
    "  - {id: gate, approve: \"Free 38 stale leases of VLAN 110, of clients that were not seen for 8 hours?\", within: 24h, then: good}\n"
    "outcomes:\n  good: {title: Good}\n";
static const char waiting[] = HEAD
    "steps:\n  - {id: w, run: nop.write, with: {n: \"${n}\"}, undo: none}\n  - {id: pause, wait: 5m}\n"
    "  - {id: gate, approve: \"Free 38 stale leases of VLAN 110?\", within: 24h, then: good}\noutcomes:\n  good: {title: Good}\n";

static const char hanging[] = HEAD
    "steps:\n  - {id: w, run: nop.write, with: {n: \"${n}\"}, undo: none}\n"
    "  - {id: sent, run: nop.hang, with: {n: \"${n}\"}, undo: none, then: good}\n"
    "outcomes:\n  good: {title: Good}\n";

static char *writes(void)
{
    struct ft_buf buf = FT_BUF_INIT(0);

    ft_buf_addf(&buf, HEAD "steps:\n");
    for (int i = 0; i < LATENCY_STEPS; i++)
        ft_buf_addf(&buf, "  - {id: s%d, run: nop.write, with: {n: %d}, undo: none%s}\n", i, i, i + 1 == LATENCY_STEPS ? ", then: good" : "");
    ft_buf_adds(&buf, "outcomes:\n  good: {title: Good}\n");
    return ft_buf_take(&buf);
}

/* Seconds of a step, in runs one after the other. */
static double latency(double *ret_cpu)
{
    char *text = writes();
    double t0, c0;

    load(text);
    free(text);
    t0 = now();
    c0 = cpu();
    for (size_t i = 0; i < LATENCY_RUNS; i++) {
        wanted = parked + ended + 1;
        start(1);
        ft_loop_run(loop);
    }
    *ret_cpu = (cpu() - c0) / (LATENCY_RUNS * LATENCY_STEPS);
    return (now() - t0) / (LATENCY_RUNS * LATENCY_STEPS);
}

static void run_until(size_t n)
{
    wanted = n;
    if (parked + ended < wanted)
        ft_loop_run(loop);
}

/* Pages of the store that SQLite keeps in memory: up to 2 MB a connection, however many runs there are. Nothing is being written at this time. */
static size_t page_cache(void)
{
    sqlite3 *const dbs[] = { store->db, store->reader };
    size_t used = 0;

    for (size_t i = 0; i < ARRAY_LEN(dbs); i++) {
        int now_used = 0, most = 0;

        if (dbs[i] && sqlite3_db_status(dbs[i], SQLITE_DBSTATUS_CACHE_USED, &now_used, &most, 0) == SQLITE_OK)
            used += (size_t)now_used;
    }
    return used;
}

struct memory { size_t heap, pages; };

static struct memory memory(void)
{
    json_t *list = NULL;

    ft_store_locks(store, &list, NULL);          /* everything is in the file when this returns */
    json_decref(list);
    malloc_trim(0);
    return (struct memory){ mallinfo2().uordblks, page_cache() };
}

static double grown(size_t before, size_t after, size_t n)
{
    return n ? ((double)after - (double)before) / (double)n : 0;
}

static void park(const char *path, size_t n)
{
    struct ft_parking_counts counts;
    struct memory before, after;
    size_t before_sockets;
    double before_disk, size, step, step_cpu;

    keep(AT_ONCE);
    load(gated);
    start(AT_ONCE);                              /* what is made once: threads, pages of SQLite, the store's tables */
    run_until(AT_ONCE);
    before = memory();
    before_sockets = sockets();
    before_disk = disk(path);
    start(n);
    run_until(n + AT_ONCE);
    after = memory();
    size = disk(path);
    ft_parking_count(parking, &counts);
    step = latency(&step_cpu);
    printf("{\"parked\": %zu, \"alive\": %zu, \"keeper_bytes\": %.1f, \"memory_bytes\": %.1f, \"page_cache_bytes\": %.1f, \"page_cache_in_all\": %zu,"
           " \"disk_bytes\": %.1f, \"sockets\": %zu, \"step_us\": %.2f, \"step_cpu_us\": %.2f}\n",
           counts.parked, counts.alive, (double)counts.bytes / (double)counts.parked, grown(before.heap - before.pages, after.heap - after.pages, n),
           grown(before.pages, after.pages, n), after.pages, n ? (size - before_disk) / (double)n : 0, sockets() - before_sockets,
           step * 1e6, step_cpu * 1e6);
    ft_parking_free(parking);
    ft_store_close(store);
}

/* Which event says that a run is where it shall be when the process dies. */
static const char *awaited = "";

static void on_event(void *arg, struct ft_run *run, const json_t *event)
{
    const char *path = json_string_value(json_object_get(event, "path"));

    (void)arg;
    (void)run;
    if (!ft_streq(json_string_value(json_object_get(event, "type")), awaited) || (ft_streq(awaited, "step.intended") && !ft_streq(path, "sent")))
        return;
    if (++under_way == wanted)
        ft_loop_stop(loop);
}

static void leave_waiting(size_t n)
{
    static const struct ft_run_observer observer = { .event = on_event };
    struct ft_run_opts opts = { .requester = "bench" };
    struct ft_err err = { 0 };

    load(waiting);
    awaited = "wait.opened";
    wanted = n;
    for (size_t i = 0; i < n; i++) {
        json_t *params = json_pack("{s:i}", "n", (int)i);
        struct ft_run *run;

        if (ft_run_start(engine, playbook, params, &opts, &observer, NULL, &run, &err) < 0)
            die("start", &err);
        json_decref(params);
    }
    ft_loop_run(loop);
}

static void leave_parked(size_t n, size_t in_a_write)
{
    keep(AT_ONCE);
    load(gated);
    start(n);
    run_until(n);
    load(hanging);
    awaited = "step.intended";
    wanted = in_a_write;
    start(in_a_write);
    ft_loop_run(loop);
}

static void leave(size_t n, size_t in_a_write)
{
    json_t *list = NULL;

    if (in_a_write)
        leave_parked(n, in_a_write);
    else
        leave_waiting(n);
    ft_store_locks(store, &list, NULL);          /* everything is in the file when this returns */
    kill(getpid(), SIGKILL);
}

/* Runs that ask people whether their write happened. */
static int64_t in_doubt(const char *path)
{
    sqlite3_stmt *stmt;
    sqlite3 *db;
    int64_t count = -1;

    if (sqlite3_open(path, &db) == SQLITE_OK &&
        sqlite3_prepare_v2(db, "SELECT count(DISTINCT run) FROM events WHERE text LIKE '{\"type\":\"doubt.opened\"%'", -1, &stmt, NULL) ==
            SQLITE_OK) {
        if (sqlite3_step(stmt) == SQLITE_ROW)
            count = sqlite3_column_int64(stmt, 0);
        sqlite3_finalize(stmt);
    }
    sqlite3_close(db);
    return count;
}

/* From the start of the process on. */
static void recover(const char *path)
{
    struct ft_parking_counts counts;
    json_t *list = NULL;
    double known, all, spent;
    size_t open;

    keep(AS_BY_DEFAULT);
    known = now() - t_start;
    ft_parking_count(parking, &counts);
    open = counts.parked + counts.waiting;
    if (counts.waiting)
        run_until(counts.waiting);
    ft_store_locks(store, &list, NULL);          /* everything is in the file when this returns */
    json_decref(list);
    all = now() - t_start;
    spent = cpu();
    printf("{\"open\": %zu, \"left_behind\": %zu, \"in_doubt\": %lld, \"known_s\": %.4f, \"all_s\": %.4f, \"all_cpu_s\": %.4f, \"trouble\": %zu}\n",
           open, counts.waiting, (long long)in_doubt(path), known, all, spent, trouble);
    ft_parking_free(parking);
    ft_store_close(store);
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    t_start = now();
    open_all(argv[1], argv[2], strcmp(argv[3], "recover") == 0);
    if (strcmp(argv[3], "park") == 0)
        park(argv[1], (size_t)atol(argv[4]));
    else if (strcmp(argv[3], "leave") == 0)
        leave((size_t)atol(argv[4]), argc > 5 ? (size_t)atol(argv[5]) : 0);
    else
        recover(argv[1]);
    fflush(stdout);
    _exit(0);
}
