/* campaign.c: kill -9 at thousands of points, and after each the runs go on in the next process until they are over. See crash.h for the parts.
 *
 * An attempt is two runs of one playbook in one process, which is killed: at a system call of its journal or of a request (each in turn, over the
 * attempts), half-way through a page of the journal, when the device has a request and before its answer, or at any instant. Its successors may be
 * killed as well. In the end each write has reached the device once, and was taken back where it had to be; no run is lost or stuck, every
 * write in doubt was found out, the chain of events verifies, and no lock is left.
 *
 *   FETTLE_CRASH_POINTS   how many deaths (default 2000)
 *   FETTLE_CRASH_SEED     another campaign (default 1)
 *   FETTLE_CRASH_ONLY     just this attempt, as a failure names it */
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/util.h"
#include "crash.h"

enum { WORKERS = 2, DEATHS_MAX = 8 /* of one attempt */, LIVES_MAX = 30, STORE_FOR = 25 /* attempts */, SCENARIOS = 8 };

static const char *const where_names[] = { "lives", "at call", "half-way through call", "at request", "after request", "at microsecond", "parked", "no space from call",
                                           "I/O error from call", "read-only", "damaged at" };

struct totals {
    atomic_uint deaths, attempts, lives, failed, doubts, answers, events, late, faults, refused;
    atomic_uint by_where[11], deaths_of[SCENARIOS];
};

static struct totals *totals;
static struct { unsigned calls, requests; double us; } undisturbed[SCENARIOS];
static uint64_t seed = 1;
static unsigned wanted = 2000;
static char plugins[400], dir[64];

static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* ---- the device */

static pid_t start_peer(struct world *world, unsigned *ret_port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(at);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pid_t pid;

    if (listener < 0 || bind(listener, (struct sockaddr *)&at, len) < 0 || listen(listener, 100) < 0 || getsockname(listener, (struct sockaddr *)&at, &len) < 0) {
        perror("the device cannot listen");
        exit(2);
    }
    *ret_port = ntohs(at.sin_port);
    pid = fork();
    if (pid == 0)
        peer_serve(listener, world);
    close(listener);
    return pid;
}

/* ---- a life */

/* True when it was killed by us. */
static bool live(struct world *world, const char *store, unsigned port)
{
    uint64_t t0 = now_us();
    int status;
    pid_t pid = fork();

    if (pid == 0)
        life_live(world, store, port, plugins);
    atomic_fetch_add(&totals->lives, 1);
    if (world->where == AT_TIME) {
        usleep(world->nth);
        kill(pid, SIGKILL);
    }
    waitpid(pid, &status, 0);
    atomic_store(&world->client, 0);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        wrong(world, "a life hung for a minute");
    else if (WIFSIGNALED(status) && (WTERMSIG(status) != SIGKILL || world->where == LIVES))
        wrong(world, "a life died of signal %d", WTERMSIG(status));
    else if (WIFEXITED(status) && WEXITSTATUS(status) > 1)
        wrong(world, "a life ended with %d", WEXITSTATUS(status));
    if (world->where == LIVES && !undisturbed[world->scenario].calls) {
        undisturbed[world->scenario].calls = atomic_load(&world->calls);
        undisturbed[world->scenario].requests = world->requests ? world->requests : 1;
        undisturbed[world->scenario].us = (double)(now_us() - t0);
    }
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/* ---- an attempt */

static void check_device(struct world *world)
{
    const struct scenario *scenario = &scenarios[world->scenario];
    bool back = scenario->undone != NULL;

    for (unsigned i = 0; i < world->slot_count; i++) {
        const struct slot *slot = &world->slots[i];
        bool by_set = slot->key[0] == 'z' && back;       /* its undo is another set */

        if (by_set ? slot->sets < 2 || slot->value != 0 : slot->sets != 1)
            wrong(world, "'%s' was written %u times, and is %d", slot->key, slot->sets, slot->value);
        if (back && !by_set && (slot->undos < 1 || slot->there))
            wrong(world, "'%s' was taken back %u times, and is %s", slot->key, slot->undos, slot->there ? "there" : "away");
        if (!back && slot->undos)
            wrong(world, "'%s' was taken back %u times", slot->key, slot->undos);
    }
    for (const char *const *key = scenario->once; *key; key++) {
        unsigned found = 0;

        for (unsigned i = 0; i < world->slot_count; i++)
            found += world->slots[i].key[0] == (*key)[0] && world->slots[i].sets;
        if (found != RUNS)
            wrong(world, "'%s' was written in %u of %d runs", *key, found, RUNS);
    }
}

/* Every call and every request of an undisturbed life, one after the other over the attempts, each time far from the one before. */
static void choose_in_turn(struct world *world, unsigned round)
{
    unsigned calls = undisturbed[world->scenario].calls, requests = undisturbed[world->scenario].requests, n = round * 61 % (calls + 2 * requests);

    world->where = n < calls ? AT_CALL : n < calls + requests ? AT_REQUEST : AT_REQUEST_DONE;
    world->nth = 1 + (n < calls ? n : (n - calls) % requests);
}

static void choose_by_chance(struct world *world, bool first, uint64_t dice)
{
    static const enum where kinds[] = { AT_CALL, AT_CALL, AT_TORN_CALL, AT_REQUEST, AT_REQUEST_DONE, AT_TIME, AT_TIME, NO_SPACE, IO_ERROR, AT_PARK };
    unsigned calls = undisturbed[world->scenario].calls, requests = undisturbed[world->scenario].requests, us = (unsigned)undisturbed[world->scenario].us;

    world->where = kinds[dice % ARRAY_LEN(kinds)];
    world->nth = world->where == AT_TIME ? us : world->where == AT_REQUEST || world->where == AT_REQUEST_DONE ? requests : calls;
    world->nth = 1 + (unsigned)(mix(dice) % (first || world->nth < 3 ? world->nth : world->nth / 3));       /* what is left of a run is shorter */
}

/* Where this life ends. */
static void choose(struct world *world, unsigned attempt, unsigned life, uint64_t dice)
{
    unsigned round = attempt / scenario_count;

    world->where = LIVES;
    world->nth = 0;
    if (attempt < scenario_count || life >= DEATHS_MAX || (life && dice % 8 == 0))
        return;
    if (life == 0 && round % 4)
        choose_in_turn(world, round);
    else
        choose_by_chance(world, life == 0, mix(dice));
}

/* A byte in the newest page of the log, or the page cut off; false when the log is empty. The copy holds what was there. */
struct damage { char copy[5000]; off_t at; ssize_t len; };

static bool damage(const char *store, uint64_t dice, struct damage *ret)
{
    enum { FRAME = 4096 + 24 };
    char *log = ft_asprintf("%s-wal", store), *shm = ft_asprintf("%s-shm", store);
    int l = open(log, O_RDWR), s = open(shm, O_RDONLY);
    uint32_t frames = 0;
    bool done = false;

    if (l >= 0 && s >= 0 && pread(s, &frames, sizeof(frames), 16) == sizeof(frames) && frames) {
        ret->at = 32 + (off_t)(frames - 1) * FRAME;
        ret->len = pread(l, ret->copy, FRAME, ret->at);
        char byte = (char)(ret->copy[dice % FRAME] ^ 0x40);

        done = ret->len == FRAME && (dice / FRAME % 2 ? ftruncate(l, ret->at + 100) == 0 : pwrite(l, &byte, 1, ret->at + (off_t)(dice % FRAME)) == 1);
    }
    if (l >= 0)
        close(l);
    if (s >= 0)
        close(s);
    free(log);
    free(shm);
    return done;
}

static void mend(const char *store, const struct damage *damage)
{
    char *log = ft_asprintf("%s-wal", store);
    int l = open(log, O_RDWR);

    if (l < 0 || pwrite(l, damage->copy, (size_t)damage->len, damage->at) != damage->len)
        abort();
    close(l);
    free(log);
}

/* A life that must not live: it says why, and sends nothing. */
static bool live(struct world *world, const char *store, unsigned port);
static void refused(struct world *world, const char *store, unsigned port, enum where where, const char *says)
{
    world->where = where;
    world->said[0] = '\0';
    live(world, store, port);
    atomic_fetch_add(&totals->refused, 1);
    if (!strstr(world->said, says))
        wrong(world, "a store that is %s was opened, or the reason is not said: '%s'", where_names[where], world->said);
    if (world->requests || world->examined)
        wrong(world, "with a store that is %s it went on, and sent %u requests", where_names[where], world->requests);
}

static void ill_store(struct world *world, const char *store, unsigned port, uint64_t dice)
{
    struct damage d;

    if (dice % 16 == 0)
        refused(world, store, port, READ_ONLY, "read-only");
    if (dice % 16 == 1 && damage(store, mix(dice), &d)) {
        refused(world, store, port, DAMAGED, "damaged");
        mend(store, &d);
    }
}

static void clean(const char *store)
{
    static const char *const suffixes[] = { "", "-wal", "-shm" };

    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        char *name = ft_asprintf("%s%s", store, suffixes[i]);

        unlink(name);
        free(name);
    }
}

static void tell(struct world *world, unsigned attempt, const char *store, const char *way)
{
    pid_t pid;

    atomic_fetch_add(&totals->failed, 1);
    printf("FAILED: FETTLE_CRASH_SEED=%llu FETTLE_CRASH_ONLY=%u (%s): %s\n        its lives: %s\n        the last error said: %s\n", (unsigned long long)seed, attempt,
           scenarios[world->scenario].name, world->failure, way, world->said);
    fflush(stdout);
    pid = fork();
    if (pid == 0)
        life_dump(world, store);
    waitpid(pid, NULL, 0);
    clean(store);
}

static void try(struct world *world, unsigned attempt, const char *store, unsigned port)
{
    uint64_t dice = mix(seed * 1000003 + attempt);
    char way[600] = "";

    memset(world->slots, 0, sizeof(world->slots));
    world->slot_count = world->run_count = world->parks = world->life = world->doubts = world->answers = world->events = 0;
    world->seed = attempt < scenario_count ? 0 : dice;
    world->scenario = attempt % scenario_count;
    memset(world->ids, 0, sizeof(world->ids));
    memset(world->announced, 0, sizeof(world->announced));
    world->examined = false;
    world->failure[0] = world->said[0] = '\0';
    world->clock_ms = 1790000000000 + attempt * 1000;
    atomic_store(&world->number, attempt + 1);
    for (unsigned life = 0; life < LIVES_MAX && !world->examined && !*world->failure; life++) {
        dice = mix(dice);
        choose(world, attempt, life, dice);
        /* The clock is set back between two lives as often as it goes on. */
        world->clock_ms += dice % 2 ? 5000 : (uint64_t)-(int64_t)(dice / 2 % 7200000);
        snprintf(way + strlen(way), sizeof(way) - strlen(way), "%s%s %u", life ? ", " : "", where_names[world->where], world->nth);
        world->said[0] = '\0';
        if (live(world, store, port)) {
            atomic_fetch_add(&totals->deaths, 1);
            atomic_fetch_add(&totals->by_where[world->where], 1);
            atomic_fetch_add(&totals->deaths_of[world->scenario], 1);
            if (!world->examined)            /* killed when all was done, before it had ended */
                ill_store(world, store, port, mix(dice + 1));
        } else if ((world->where == NO_SPACE || world->where == IO_ERROR) && !world->examined) {
            atomic_fetch_add(&totals->faults, 1);
        }
    }
    if (!*world->failure && !world->examined)
        wrong(world, "after %d lives it is not over", LIVES_MAX);
    if (!*world->failure)
        check_device(world);
    if (*world->failure)
        tell(world, attempt, store, way);
    atomic_fetch_add(&totals->attempts, 1);
    atomic_fetch_add(&totals->doubts, world->doubts);
    atomic_fetch_add(&totals->answers, world->answers);
    atomic_fetch_add(&totals->events, world->events);
}

/* ---- workers */

static void work(unsigned worker, unsigned workers, const char *only)
{
    struct world *world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    static const char *const keys[] = { "key", "pub" };      /* what its stores are sealed with */
    char *store = ft_asprintf("%s/%u.db", dir, worker);
    unsigned port, n = 0;
    pid_t peer = start_peer(world, &port);
    char *people = ft_asprintf("%s.yaml", store);
    FILE *f = fopen(people, "w");

    if (!f || fputs(people_yaml, f) < 0 || fclose(f) != 0)
        abort();

    for (unsigned i = 0; i < scenario_count; i++)
        try(world, i, store, port);
    if (only)
        try(world, (unsigned)atoi(only), store, port);
    for (unsigned i = scenario_count + worker; !only && atomic_load(&totals->deaths) < wanted && atomic_load(&totals->failed) < 10; i += workers) {
        if (++n % STORE_FOR == 0)
            clean(store);
        try(world, i, store, port);
    }
    clean(store);
    unlink(people);
    free(people);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        char *name = ft_asprintf("%s/%u.%s", dir, worker, keys[i]);

        unlink(name);
        free(name);
    }
    free(store);
    kill(peer, SIGKILL);
    waitpid(peer, NULL, 0);
}

static int report(double seconds)
{
    unsigned deaths = atomic_load(&totals->deaths), failed = atomic_load(&totals->failed);

    printf("%u deaths (", deaths);
    for (size_t i = 1; i < ARRAY_LEN(where_names); i++)
        if (totals->by_where[i])
            printf("%s%u %s", i > 1 ? ", " : "", totals->by_where[i], where_names[i]);
    printf("), %u stores that failed and %u that were not opened, in %u attempts, %u lives; %u writes in doubt, %u answers of people, %u events; calls ", totals->faults, totals->refused, totals->attempts, totals->lives,
           totals->doubts, totals->answers, totals->events);
    for (unsigned i = 0; i < scenario_count; i++)
        printf("%s%u", i ? "/" : "", undisturbed[i].calls);
    printf("; %.1f s\n", seconds);
    if (failed)
        printf("FAILED: %u attempts\n", failed);
    return failed != 0;
}

int main(void)
{
    const char *build = getenv("FETTLE_BUILD"), *points = getenv("FETTLE_CRASH_POINTS"), *s = getenv("FETTLE_CRASH_SEED"), *only = getenv("FETTLE_CRASH_ONLY");
    unsigned workers = only ? 1 : WORKERS;
    uint64_t t0 = now_us();
    int status = 0;

    wanted = points ? (unsigned)atoi(points) : wanted;
    seed = s ? strtoull(s, NULL, 10) : seed;
    if (build)
        snprintf(plugins, sizeof(plugins), "%s/test-plugins", build);
    else if (readlink("/proc/self/exe", plugins, sizeof(plugins) - 40) > 0)      /* started by hand: beside the program */
        strcpy(strrchr(plugins, '/'), "/../test-plugins");
    snprintf(dir, sizeof(dir), "/dev/shm/fettle-crash-XXXXXX");      /* kill -9 does not ask what a disk has flushed */
    if (!mkdtemp(dir)) {
        snprintf(dir, sizeof(dir), "/tmp/fettle-crash-XXXXXX");
        if (!mkdtemp(dir)) {
            perror(dir);
            return 2;
        }
    }
    totals = mmap(NULL, sizeof(*totals), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    life_prepare(plugins);
    for (unsigned i = 0; i < workers; i++) {
        if (fork() == 0) {
            work(i, workers, only);
            if (i == 0)
                status = report((double)(now_us() - t0) / 1e6);
            fflush(stdout);
            _exit(status);
        }
    }
    for (unsigned i = 0; i < workers; i++) {
        int one;

        wait(&one);
        status |= !WIFEXITED(one) || WEXITSTATUS(one) != 0;
    }
    rmdir(dir);
    return status || atomic_load(&totals->failed) || (!only && atomic_load(&totals->deaths) < wanted);
}
