/* A process that loses the processor anywhere in a turn still gets its timers: the clock jumps past the due time at each look at it in turn. */
#include <criterion/criterion.h>
#include <uv.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "loop/loop.h"

#define TIMER_MS 20
#define JUMP_MS 60

static int looks, jump_at;            /* only the loop's thread looks while a test counts */
static long ahead_ms;
static pthread_t looker;

/* Ours comes before the C library's, for libuv, too. */
__attribute__((visibility("default"))) int clock_gettime(clockid_t id, struct timespec *now)
{
    int err = (int)syscall(SYS_clock_gettime, id, now);

    if (err == 0 && (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE) && jump_at && pthread_equal(pthread_self(), looker)) {
        if (++looks == jump_at)
            ahead_ms += JUMP_MS;
        now->tv_sec += ahead_ms / 1000;
        now->tv_nsec += ahead_ms % 1000 * 1000000;
        now->tv_sec += now->tv_nsec / 1000000000;
        now->tv_nsec %= 1000000000;
    }
    return err;
}

struct life {
    struct ft_loop *loop;
    struct ft_wake *wake;
    pthread_mutex_t lock;
    pthread_cond_t over;
    bool ended, came, stuck;
    uv_timer_t raw;                   /* as net/ has one for curl */
};

static void came(void *arg)
{
    ((struct life *)arg)->came = true;
}

static void give_up(void *arg)
{
    struct life *life = arg;

    life->stuck = true;
    ft_loop_stop(life->loop);
}

static void defer_it(uv_timer_t *raw)
{
    struct life *life = raw->data;

    ft_loop_defer(life->loop, came, life);
}

static void by_timer(struct life *life)
{
    ft_timer_start(life->loop, TIMER_MS, came, life);
}

/* A callback of libuv's own, inside the turn. */
static void by_libuv(struct life *life)
{
    uv_timer_init(ft_loop_uv(life->loop), &life->raw);
    life->raw.data = life;
    uv_timer_start(&life->raw, defer_it, TIMER_MS, 0);
}

/* Two seconds of real time are enough for 20 ms. */
static void *watch(void *arg)
{
    struct life *life = arg;
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 2;
    pthread_mutex_lock(&life->lock);
    while (!life->ended && pthread_cond_timedwait(&life->over, &life->lock, &until) == 0)
        ;
    if (!life->ended)
        ft_wake_send(life->wake);
    pthread_mutex_unlock(&life->lock);
    return NULL;
}

/* How often the clock was looked at. */
static int live(int at, void (*start)(struct life *life))
{
    struct life life = { .lock = PTHREAD_MUTEX_INITIALIZER, .over = PTHREAD_COND_INITIALIZER };
    pthread_t watcher;

    looker = pthread_self();
    looks = 0;
    jump_at = at;
    life.loop = ft_loop_new(NULL);
    life.wake = ft_wake_new(life.loop, give_up, &life);
    pthread_create(&watcher, NULL, watch, &life);
    start(&life);
    ft_loop_run(life.loop);
    pthread_mutex_lock(&life.lock);
    life.ended = true;
    pthread_cond_signal(&life.over);
    pthread_mutex_unlock(&life.lock);
    pthread_join(watcher, NULL);
    ft_wake_free(life.wake);
    jump_at = 0;
    ft_loop_free(life.loop);
    cr_assert(life.came && !life.stuck, "a timer of %d ms did not come in 2 s: the clock jumped at look %d", TIMER_MS, at);
    return looks;
}

static void live_all(void (*start)(struct life *life))
{
    int most = live(1000000, start);

    cr_assert_geq(most, 3, "only %d looks: the test's clock is not the loop's", most);
    for (int at = 1; at <= most; at++)
        live(at, start);
}

Test(late, a_turn_that_stands_anywhere_keeps_its_timer, .timeout = 60)
{
    live_all(by_timer);
}

Test(late, a_turn_that_stands_anywhere_does_what_was_deferred_inside_it, .timeout = 60)
{
    live_all(by_libuv);
}
