/* campaign.c: kill -9 at thousands of points, and after each the runs go on in the next process until they are over. See crash.h for the parts.
 *
 * An attempt is two runs of one playbook in one process, which is killed: at a system call of its journal or of a request, at a call behind an event of
 * some kind (each in turn, over the attempts), half-way through a page of the journal, when the device has a request and before its answer, or at any
 * instant. Its successors may be killed as well, and so may the people who answer from another process. In the end each write has reached the device
 * once, and was taken back where it had to be; no run is lost or stuck, every write in doubt was found out, the journals say what the device holds, the
 * chain of events verifies, and no lock is left. Where a construct was not killed often enough, the campaign fails.
 *
 *   FETTLE_CRASH_POINTS   how many deaths (default 2000)
 *   FETTLE_CRASH_SEED     another campaign (default 1)
 *   FETTLE_CRASH_ONLY     just this attempt, as a failure names it */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/util.h"
#include "crash.h"

enum { WORKERS = 2, LIVES_MAX = 40, STORE_FOR = 25 /* attempts */, FEW = 2000 /* at least one of so many deaths is behind each kind of event that must be killed, about ten are */ };

static const char *const where_names[] = { "lives", "at call", "half-way through call", "at request", "after request", "at microsecond", "parked", "at call behind", "no space from call",
                                           "I/O error from call", "read-only", "damaged at" };

/* What the campaign is for: a kind that no life died behind was not tested. */
static const char *const must_die[] = {
    "run.started", "run.resumed", "run.parked", "run.planned", "run.reopened", "run.closing", "run.cancelling", "run.finished",
    "step.started", "step.intended", "step.answered", "step.attempt", "step.unproven", "step.done", "step.failed", "verify.look",
    "confirm.intended", "confirm.done", "doubt.opened", "doubt.answered", "gate.opened", "gate.vote", "gate.answered", "gate.voided",
    "wait.opened", "wait.over", "hold.opened", "hold.over", "policy.passed", "each.batch", "each.soak", "each.checked",
    "rollback.started", "undo.intended", "undo.done",
};

struct totals {
    atomic_uint deaths, attempts, lives, failed, doubts, answers, events, late, faults, refused, people, people_died;
    atomic_uint by_where[WHERES], deaths_of[SCENARIOS], behind[KINDS_MAX], ends[SCENARIOS][8];
};

static struct totals *totals;
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

/* ---- people at another terminal */

static void person_comes(struct world *world, const char *store)
{
    uint64_t dice = mix(world->seed + atomic_fetch_add(&totals->people, 1));
    int status;
    pid_t pid = fork();

    if (pid == 0)
        person_lives(world, store, choose_person_dies(world, dice));
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        atomic_fetch_add(&totals->people_died, 1);
    else if (!WIFEXITED(status) || WEXITSTATUS(status))
        wrong(world, "a person ended with %#x", status);
}

/* Two of them, while the life waits for them. */
static void doorbell(struct world *world, const char *store)
{
    char byte;

    if (read(world->bell[0], &byte, 1) != 1)
        return;
    person_comes(world, store);
    person_comes(world, store);
    if (write(world->answer[1], &byte, 1) != 1)
        abort();
}

/* ---- a life */

static void drain(int fd)
{
    struct pollfd polled = { fd, POLLIN, 0 };
    char byte;

    while (poll(&polled, 1, 0) == 1 && read(fd, &byte, 1) == 1)
        ;
}

/* Until it has ended, by itself or because its time is over. */
static void attend(struct world *world, const char *store, pid_t pid)
{
    uint64_t until = world->where == AT_TIME ? now_us() + world->nth : UINT64_MAX, now;
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);

    for (;;) {
        struct pollfd polled[] = { { fd, POLLIN, 0 }, { world->bell[0], POLLIN, 0 } };
        struct timespec left = { 0 };

        now = now_us();
        if (until > now && until != UINT64_MAX)
            left = (struct timespec){ (time_t)((until - now) / 1000000), (long)((until - now) % 1000000) * 1000 };
        if (now >= until) {
            kill(pid, SIGKILL);
            until = UINT64_MAX;
        }
        if (ppoll(polled, ARRAY_LEN(polled), until == UINT64_MAX ? NULL : &left, NULL) < 0 && errno != EINTR)
            abort();
        if (polled[1].revents & POLLIN)
            doorbell(world, store);
        if (polled[0].revents)
            break;
    }
    close(fd);
    drain(world->bell[0]);
    drain(world->answer[0]);
}

/* True when it was killed by us. */
static bool live(struct world *world, const char *store, unsigned port)
{
    uint64_t t0 = now_us();
    int status;
    pid_t pid = fork();

    if (pid == 0)
        life_live(world, store, port, plugins);
    atomic_fetch_add(&totals->lives, 1);
    attend(world, store, pid);
    waitpid(pid, &status, 0);
    atomic_store(&world->client, 0);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        wrong(world, "a life hung for a minute, behind %s", kind_names[world->latest]);
    else if (WIFSIGNALED(status) && (WTERMSIG(status) != SIGKILL || world->where == LIVES))
        wrong(world, "a life died of signal %d", WTERMSIG(status));
    else if (WIFEXITED(status) && WEXITSTATUS(status) > 1)
        wrong(world, "a life ended with %d", WEXITSTATUS(status));
    if (!world->seed) {
        struct undisturbed life = { atomic_load(&world->calls), world->requests ? world->requests : 1, (double)(now_us() - t0) };

        choose_learn(world, &life);
    }
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/* ---- an attempt */

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
    world->lived = false;
    live(world, store, port);
    atomic_fetch_add(&totals->refused, 1);
    if (!strstr(world->said, says))
        wrong(world, "a store that is %s was opened, or the reason is not said: '%s'", where_names[where], world->said);
    if (world->lived)
        wrong(world, "with a store that is %s it went on", where_names[where]);
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
    static const char *const suffixes[] = { "", "-wal", "-shm", ".yaml" };

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

static void count_death(struct world *world)
{
    atomic_fetch_add(&totals->deaths, 1);
    atomic_fetch_add(&totals->by_where[world->where], 1);
    atomic_fetch_add(&totals->deaths_of[world->scenario], 1);
    atomic_fetch_add(&totals->behind[world->latest], 1);
    world->aim_over = true;
}

/* Where a run waits for a time, the clock goes on from where the last life had it, a little, for hours, a day; and back a little. Elsewhere it is set back as
 * often as it goes on. */
static uint64_t next_clock(const struct world *world, uint64_t dice)
{
    static const int steps_s[] = { -20, -3600, 1, 1, 1, 600, 5400, 86400 };

    if (scenarios[world->scenario].timed && world->seen_ms)
        return world->seen_ms + (uint64_t)((int64_t)steps_s[dice % ARRAY_LEN(steps_s)] * 1000);
    return world->clock_ms + (dice % 2 ? 5000 : (uint64_t)-(int64_t)(dice / 2 % 7200000));
}

static void configure(const struct world *world, const char *store)
{
    const char *config = scenarios[world->scenario].config;
    char *path = ft_asprintf("%s.yaml", store);
    FILE *f = config ? fopen(path, "w") : NULL;

    if (config && (!f || fputs(config, f) < 0 || fclose(f) != 0))
        abort();
    free(path);
}

static void begin(struct world *world, unsigned attempt, uint64_t dice)
{
    int bell[] = { world->bell[0], world->bell[1] }, answer[] = { world->answer[0], world->answer[1] };

    memset(world, 0, sizeof(*world));
    memcpy(world->bell, bell, sizeof(bell));
    memcpy(world->answer, answer, sizeof(answer));
    world->seed = attempt < scenario_count ? 0 : dice;
    world->scenario = attempt % scenario_count;
    /* Runs of one store that wait for a night do not share it. */
    world->clock_ms = 1790000000000 + attempt * 1000 + (scenarios[world->scenario].timed ? attempt % 128 * 4 * 86400000ull : 0);
    atomic_store(&world->number, attempt + 1);
}

static void end(struct world *world)
{
    atomic_fetch_add(&totals->attempts, 1);
    atomic_fetch_add(&totals->doubts, world->doubts);
    atomic_fetch_add(&totals->answers, world->answers);
    atomic_fetch_add(&totals->events, world->events);
    for (size_t i = 0; i < RUNS && world->examined; i++)
        atomic_fetch_add(&totals->ends[world->scenario][world->ends[i]], 1);
}

static void try(struct world *world, unsigned attempt, const char *store, unsigned port)
{
    uint64_t dice = mix(seed * 1000003 + attempt);
    char way[1200] = "";

    begin(world, attempt, dice);
    configure(world, store);
    for (unsigned life = 0; life < LIVES_MAX && !world->examined && !*world->failure; life++) {
        dice = mix(dice);
        choose(world, attempt, life, dice);
        world->clock_ms = next_clock(world, mix(dice + 2));
        snprintf(way + strlen(way), sizeof(way) - strlen(way), "%s%s %u%s%s", life ? ", " : "", where_names[world->where], world->nth, world->where == AFTER_EVENT ? " " : "",
                 world->where == AFTER_EVENT ? kind_names[world->kind] : "");
        world->said[0] = '\0';
        if (live(world, store, port)) {
            count_death(world);
            if (!world->examined)            /* killed when all was done, before it had ended */
                ill_store(world, store, port, mix(dice + 1));
        } else if ((world->where == NO_SPACE || world->where == IO_ERROR) && !world->examined) {
            atomic_fetch_add(&totals->faults, 1);
        }
        if (scenarios[world->scenario].people && (dice % 2 || life > 8) && !world->examined && !*world->failure)
            person_comes(world, store);
    }
    if (!*world->failure && !world->examined)
        wrong(world, "after %d lives it is not over", LIVES_MAX);
    if (*world->failure)
        tell(world, attempt, store, way);
    end(world);
}

/* ---- workers */

static void work(unsigned worker, unsigned workers, const char *only)
{
    struct world *world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    static const char *const keys[] = { "key", "pub" };      /* what its stores are sealed with */
    char *store = ft_asprintf("%s/%u.db", dir, worker);
    unsigned port, n = 0;
    pid_t peer = start_peer(world, &port);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (pipe2(world->bell, O_CLOEXEC) < 0 || pipe2(world->answer, O_CLOEXEC) < 0)
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
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        char *name = ft_asprintf("%s/%u.%s", dir, worker, keys[i]);

        unlink(name);
        free(name);
    }
    free(store);
    kill(peer, SIGKILL);
    waitpid(peer, NULL, 0);
}

static void report_kinds(void)
{
    unsigned n = 0;

    printf("died behind:");
    for (unsigned i = 0; i < kind_count(); i++)
        if (totals->behind[i])
            printf("%s %s %u", n++ ? "," : "", kind_names[i], totals->behind[i]);
    printf("\n");
}

static void report_scenarios(void)
{
    for (unsigned i = 0; i < scenario_count; i++) {
        printf("  %-12s %4u deaths, its runs ended:", scenarios[i].name, totals->deaths_of[i]);
        for (unsigned k = 0; end_names[k]; k++)
            if (totals->ends[i][k])
                printf(" %u %s", totals->ends[i][k], end_names[k]);
        printf("\n");
    }
}

/* What the campaign did not test any more. */
static unsigned missing(void)
{
    unsigned least = wanted / FEW, n = 0;

    for (size_t i = 0; i < ARRAY_LEN(must_die); i++) {
        unsigned kind = kind_of(must_die[i]);

        if (kind && totals->behind[kind] >= least)
            continue;
        printf("FAILED: %u of %u deaths were behind %s, which is too few to test it\n", kind ? totals->behind[kind] : 0, totals->deaths, must_die[i]);
        n++;
    }
    if (totals->people_died < least) {
        printf("FAILED: only %u people were killed while they answered\n", totals->people_died);
        n++;
    }
    return n;
}

static int report(double seconds, bool all)
{
    unsigned deaths = atomic_load(&totals->deaths), failed = atomic_load(&totals->failed), few = all ? missing() : 0;

    printf("%u deaths (", deaths);
    for (size_t i = 1; i < ARRAY_LEN(where_names); i++)
        if (totals->by_where[i])
            printf("%s%u %s", i > 1 ? ", " : "", totals->by_where[i], where_names[i]);
    printf("), %u stores that failed and %u that were not opened, in %u attempts, %u lives; %u writes in doubt, %u people came and %u were killed, %u answers, %u events; %.1f s\n",
           totals->faults, totals->refused, totals->attempts, totals->lives, totals->doubts, totals->people, totals->people_died, totals->answers, totals->events, seconds);
    report_kinds();
    report_scenarios();
    if (failed)
        printf("FAILED: %u attempts\n", failed);
    return failed || few;
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
            fflush(stdout);
            _exit(0);
        }
    }
    for (unsigned i = 0; i < workers; i++) {
        int one;

        wait(&one);
        status |= !WIFEXITED(one) || WEXITSTATUS(one) != 0;
    }
    rmdir(dir);
    status |= report((double)(now_us() - t0) / 1e6, !only && !totals->failed);
    return status || (!only && atomic_load(&totals->deaths) < wanted);
}
