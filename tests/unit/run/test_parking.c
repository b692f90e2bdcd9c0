/* Parked runs are stubs: hundreds of them hold no engine's run and no socket, and wake when their time comes, when they were answered, or when their process died. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <malloc.h>
#include <sqlite3.h>
#include "base/util.h"
#include "data/json.h"
#include "rig.h"
#include "run/internal.h"
#include "run/parking.h"
#include "store/internal.h"

#define HEAD "fettle: 1\nname: t\ntitle: T\ncategory: incident\nparams:\n  n: {type: int, default: 0}\n"
enum { MANY = 300 };

static struct rig rig;
static struct ft_parking *parking;
static unsigned goes_on, parked, ended, trouble, most_alive;
static char last[600], last_run[9];
static bool (*enough)(void);

static void open_rig(void)
{
    rig_open(&rig);
    goes_on = parked = ended = trouble = most_alive = 0;
}

static void close_rig(void)
{
    parking = ft_parking_free(parking);
    rig_done(&rig);
}

TestSuite(parking, .init = open_rig, .fini = close_rig, .timeout = 120);

static void news(void *arg, const char *run_id, enum ft_parking_news what, const char *text)
{
    struct ft_parking_counts n;

    (void)arg;
    snprintf(last, sizeof(last), "%s", text);
    snprintf(last_run, sizeof(last_run), "%s", run_id);
    *(what == FT_PARKING_GOES_ON ? &goes_on : what == FT_PARKING_PARKED ? &parked : what == FT_PARKING_ENDED ? &ended : &trouble) += 1;
    if (parking) {
        ft_parking_count(parking, &n);
        most_alive = n.alive > most_alive ? (unsigned)n.alive : most_alive;
    }
    if (enough())
        ft_loop_stop(rig.loop);
}

static void keep(unsigned at_once)
{
    struct ft_parking_opts opts = { .loop = rig.loop, .store = rig.store, .engine = rig.engine, .who = "keeper", .at_once = at_once, .news = news };
    struct ft_err err = { 0 };

    cr_assert_eq(ft_parking_new(&opts, &parking, &err), 0, "%s", err.text);
}

static struct ft_playbook *playbook_of(const char *yaml)
{
    struct ft_diags *diags = ft_diags_new();
    char *text = rig_ends(yaml);
    struct ft_playbook *playbook = ft_playbook_parse("t.yaml", text, strlen(text), &rig.world, diags);

    cr_assert_not_null(playbook, "%s", ft_diags_count(diags) ? ft_diags_get(diags, 0)->text : "");
    ft_diags_free(diags);
    free(text);
    return playbook;
}

/* Starts so many; returns the first one's id. */
static const char *start(const char *yaml, unsigned count)
{
    static char first[9];
    struct ft_playbook *playbook = playbook_of(yaml);
    struct ft_run_opts opts = { .requester = "tester" };
    struct ft_err err = { 0 };

    for (unsigned i = 0; i < count; i++) {
        json_t *params = json_pack("{s:i}", "n", (int)i);
        char id[9];

        cr_assert_eq(ft_parking_start(parking, playbook, params, &opts, id, &err), 0, "%s", err.text);
        if (i == 0)
            memcpy(first, id, sizeof(first));
        json_decref(params);
    }
    ft_playbook_unref(playbook);
    return first;
}

static unsigned wanted;
static bool as_many_parked(void) { return parked >= wanted; }
static bool as_many_ended(void) { return ended >= wanted; }
static bool never(void) { return false; }

static void run_until(bool (*what)(void), unsigned count)
{
    enough = what;
    wanted = count;
    ft_loop_run(rig.loop);
}

static void stop_loop(void *arg) { ft_loop_stop(arg); }

static void run_for(uint64_t ms)
{
    struct ft_timer *timer = ft_timer_start(rig.loop, ms, stop_loop, rig.loop);

    (void)timer;
    enough = never;
    ft_loop_run(rig.loop);
}

static unsigned open_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned n = 0;

    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

__attribute__((weak)) size_t __sanitizer_get_current_allocated_bytes(void);

/* Without what SQLite keeps of pages, which is bounded and belongs to no run. */
static size_t memory(void)
{
    sqlite3_db_release_memory(rig.store->db);
    sqlite3_db_release_memory(rig.store->reader);
    return __sanitizer_get_current_allocated_bytes ? __sanitizer_get_current_allocated_bytes() : mallinfo2().uordblks;
}

static const char gated[] = HEAD "steps:\n  - {id: look, run: sim.get, with: {key: a}}\n  - id: gate\n    approve: May I?\n    within: 1h\n    then: good\n";

Test(parking, a_parked_run_is_a_few_bytes_and_nothing_else)
{
    struct ft_parking_counts n;
    unsigned files;
    size_t before;

    keep(MANY);
    start(gated, 20);                            /* what is made once is made now: playbook, plugin, the store's thread */
    run_until(as_many_parked, 20);
    run_for(2000);                               /* the store was looked at again, and its last callbacks came */
    before = memory();
    files = open_files();
    start(gated, MANY);
    run_until(as_many_parked, 20 + MANY);
    run_for(2000);
    ft_parking_count(parking, &n);
    cr_expect_eq(n.parked, 20 + MANY);
    cr_expect_eq(n.alive, 0);
    cr_expect_eq(rig.engine->runs, 0, "%u runs of the engine are alive", rig.engine->runs);
    cr_expect_eq(open_files(), files, "%u files are open, %u were", open_files(), files);
    cr_expect_leq(n.bytes, (20 + MANY) * 32 + 8192, "%zu bytes", n.bytes);
    cr_expect_leq(memory() - before, MANY * 256, "%zu bytes a run", (memory() - before) / MANY);
}

Test(parking, they_wake_when_their_time_comes_a_few_at_a_time)
{
    keep(MANY);
    start(gated, MANY);
    run_until(as_many_parked, MANY);
    parking = ft_parking_free(parking);
    rig_reborn(&rig);                            /* another process finds them in the store */
    most_alive = 0;
    keep(16);
    cr_expect_eq(goes_on, 0);
    run_for(3500 * 1000);
    cr_expect_eq(goes_on, 0, "before their time %u went on", goes_on);
    run_until(as_many_ended, MANY);
    cr_expect_eq(goes_on, MANY);
    cr_expect_leq(most_alive, 16, "%u lived at a time", most_alive);
    cr_expect_eq(trouble, 0, "%s", last);
}

Test(parking, what_a_dead_process_left_behind_goes_on)
{
    static const char slow[] = HEAD "steps:\n  - {id: pause, wait: 5m}\n  - {id: w, run: sim.set, with: {key: a, value: 1}, undo: none, then: good}\n";

    keep(40);
    start(slow, 40);
    run_for(1000);
    parking = ft_parking_free(parking);
    cr_expect_eq(ended, 0);
    rig_reborn(&rig);
    keep(4);
    run_until(as_many_ended, 40);
    cr_expect_eq(goes_on, 40);
    cr_expect_leq(most_alive, 40);
    cr_expect_eq(rig_records(&rig, NULL), 40);
}

Test(parking, an_answer_wakes_its_run_once)
{
    char first[9];
    json_t *answer = json_pack("{s:s}", "said", "something that it does not understand");
    struct ft_err err = { 0 };

    keep(MANY);
    snprintf(first, sizeof(first), "%s", start(gated, 50));
    run_until(as_many_parked, 50);
    cr_assert_eq(ft_answer_put(rig.store, first, "gate", answer, NULL, &err), 0, "%s", err.text);
    run_for(10 * 1000);
    cr_expect_eq(goes_on, 1, "%u went on", goes_on);
    cr_expect_str_eq(last_run, first);
    cr_expect_eq(parked, 51);
    json_decref(answer);
}

static void damage_journal_of(const char *id)
{
    char *path = ft_asprintf("%s/store.db", rig.dir);
    char *sql = ft_asprintf("UPDATE events SET text = replace(text, '\"sources\":\"', '\"sources\":\"0') WHERE seq = 1 AND run = (SELECT row FROM runs WHERE id = '%s')", id);
    sqlite3 *db;

    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
    cr_assert_eq(sqlite3_changes(db), 1);
    sqlite3_close(db);
    free(sql);
    free(path);
}

Test(parking, one_in_trouble_holds_up_nobody)
{
    char first[9];

    keep(MANY);
    snprintf(first, sizeof(first), "%s", start(gated, 30));
    run_until(as_many_parked, 30);
    parking = ft_parking_free(parking);
    rig_reborn(&rig);
    damage_journal_of(first);
    keep(1);
    run_until(as_many_ended, 29);
    run_for(10 * 1000);
    cr_expect_eq(trouble, 1, "%u", trouble);
    cr_expect_eq(ended, 29);
    run_for(3600 * 1000);
    cr_expect_eq(trouble, 2, "after an hour it is tried again: %u", trouble);
    cr_expect_str_eq(last_run, first);
    cr_expect(strstr(last, "journal is damaged"), "%s", last);
}

static unsigned idles;
static void idle(void *arg)
{
    idles++;
    ft_loop_stop(arg);
}

Test(parking, asked_to_stop_it_lets_the_living_come_to_an_end)
{
    struct ft_parking_opts opts = { .loop = rig.loop, .store = rig.store, .engine = rig.engine, .who = "keeper", .at_once = 8, .news = news, .idle = idle, .arg = rig.loop };
    struct ft_err err = { 0 };
    char id[9];

    cr_assert_eq(ft_parking_new(&opts, &parking, &err), 0);
    start(gated, 8);
    ft_parking_stop(parking);
    enough = never;
    ft_loop_run(rig.loop);
    cr_expect_eq(idles, 1);
    cr_expect_eq(parked, 8);
    cr_expect_eq(ft_parking_start(parking, NULL, NULL, NULL, id, &err), -EAGAIN);
}
