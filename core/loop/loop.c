#include "loop/internal.h"
#include <signal.h>

static void wake_up(uv_timer_t *sleep)
{
    (void)sleep;                      /* ft_loop_run looks at the heap after every wait */
}

static void arm_sleep(struct ft_loop *loop);

/* uv_run's last call before it polls, and the only safe place to say for how long: it calls due timers first, so a sleep armed any earlier may be over
 * already (a process stands still for a moment) and the poll would know no limit; and what those timers deferred must not wait for the poll. */
static void before_poll(uv_prepare_t *turn)
{
    struct ft_loop *loop = turn->loop->data;

    if (loop->deferred || loop->stopped)
        uv_stop(turn->loop);
    else
        arm_sleep(loop);
}

static void nothing(uv_async_t *keeper)
{
    (void)keeper;
}

struct ft_loop *ft_loop_new(struct ft_clock *clock)
{
    struct ft_loop *loop = ft_calloc(1, sizeof(*loop));

    /* A peer that closes early, or a file that may not grow any more, is an error to report, not a reason to die. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    /* Names are looked up on the pool's threads, too: a few jobs that wait for long must not stop them. */
    setenv("UV_THREADPOOL_SIZE", "16", /* overwrite= */ 0);
    loop->clock = clock ? clock : ft_clock_system();
    loop->deferred_end = &loop->deferred;
    ft_list_init(&loop->children);
    if (uv_loop_init(&loop->uv) < 0 || uv_timer_init(&loop->uv, &loop->sleep) < 0 || uv_prepare_init(&loop->uv, &loop->turn) < 0 ||
        uv_prepare_start(&loop->turn, before_poll) < 0 || uv_async_init(&loop->uv, &loop->keeper, nothing) < 0)
        abort();                      /* no file descriptors at the very start */
    loop->uv.data = loop;
    uv_unref((uv_handle_t *)&loop->sleep);
    uv_unref((uv_handle_t *)&loop->turn);
    uv_unref((uv_handle_t *)&loop->keeper);
    return loop;
}

static void close_left(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

struct ft_loop *ft_loop_free(struct ft_loop *loop)
{
    if (!loop)
        return NULL;
    ft_loop_end_children(loop);
    uv_walk(&loop->uv, close_left, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);            /* the close callbacks, and the end of jobs on threads */
    if (uv_loop_close(&loop->uv) < 0)
        abort();
    while (loop->deferred) {
        struct deferred *item = loop->deferred;

        loop->deferred = item->next;
        free(item);
    }
    ft_loop_drop_timers(loop);
    free(loop);
    return NULL;
}

struct ft_clock *ft_loop_clock(const struct ft_loop *loop)
{
    return loop->clock;
}

uint64_t ft_loop_now_us(const struct ft_loop *loop)
{
    return ft_clock_mono_us(loop->clock);
}

void *ft_loop_uv(struct ft_loop *loop)
{
    return &loop->uv;
}

void ft_loop_stop(struct ft_loop *loop)
{
    loop->stopped = true;
}

void ft_loop_hold(struct ft_loop *loop, int by)
{
    loop->hold += by;
}

void ft_loop_defer(struct ft_loop *loop, void (*fn)(void *arg), void *arg)
{
    struct deferred *item = ft_calloc(1, sizeof(*item));

    item->fn = fn;
    item->arg = arg;
    *loop->deferred_end = item;
    loop->deferred_end = &item->next;
}

void ft_loop_undefer(struct ft_loop *loop, void (*fn)(void *arg), void *arg)
{
    struct deferred **at = &loop->deferred;

    while (*at) {
        struct deferred *item = *at;

        if (item->fn == fn && item->arg == arg) {
            *at = item->next;
            free(item);
        } else {
            at = &item->next;
        }
    }
    loop->deferred_end = at;
}

/* What was there when the turn began: something that defers itself again and again must not keep I/O waiting.
 * `mark` is put behind it; the turn ends when it comes up. */
static void run_deferred(struct ft_loop *loop)
{
    struct deferred *mark;

    if (!loop->deferred)
        return;
    mark = ft_calloc(1, sizeof(*mark));
    *loop->deferred_end = mark;
    loop->deferred_end = &mark->next;
    while (loop->deferred != mark && !loop->stopped) {
        struct deferred item = *loop->deferred;

        free(loop->deferred);
        loop->deferred = item.next;
        item.fn(item.arg);
    }
    ft_loop_undefer(loop, NULL, NULL);            /* the mark */
}

static bool alive(struct ft_loop *loop)
{
    return loop->deferred || loop->strong || loop->hold > 0 || uv_loop_alive(&loop->uv);
}

/* True when the manual clock was moved to the next timer: nothing from outside can come first. */
static bool move_clock(struct ft_loop *loop)
{
    uint64_t now = ft_loop_now_us(loop);

    if (!ft_clock_is_manual(loop->clock) || loop->hold > 0 || loop->works > 0 || !loop->strong || loop->deferred)
        return false;
    if (loop->heap[0]->due_us > now)
        ft_clock_advance(loop->clock, loop->heap[0]->due_us - now);
    return true;
}

static void arm_sleep(struct ft_loop *loop)
{
    uint64_t due = loop->timers && !ft_clock_is_manual(loop->clock) ? loop->heap[0]->due_us : 0, now;

    if (due == loop->sleep_until_us && (!due || uv_is_active((uv_handle_t *)&loop->sleep)))
        return;
    loop->sleep_until_us = due;
    if (!due) {
        uv_timer_stop(&loop->sleep);
        return;
    }
    now = ft_loop_now_us(loop);
    uv_update_time(&loop->uv);
    uv_timer_start(&loop->sleep, wake_up, due > now ? (due - now + 999) / 1000 : 0, 0);
}

/* uv_run does not even look at I/O when only weak handles are there: the keeper makes it. */
static void look_at_io(struct ft_loop *loop, uv_run_mode mode)
{
    uv_ref((uv_handle_t *)&loop->keeper);
    uv_run(&loop->uv, mode);
    uv_unref((uv_handle_t *)&loop->keeper);
}

/* Whether a turn has work left that must not wait. */
static bool busy(const struct ft_loop *loop)
{
    return loop->deferred || (loop->timers && loop->heap[0]->due_us <= ft_loop_now_us(loop));
}

void ft_loop_run(struct ft_loop *loop)
{
    loop->stopped = false;
    for (;;) {
        run_deferred(loop);
        if (!loop->stopped)
            ft_loop_run_timers(loop);
        if (loop->stopped || !alive(loop))
            return;
        if (!busy(loop) && !ft_clock_is_manual(loop->clock)) {
            look_at_io(loop, UV_RUN_ONCE);
            continue;
        }
        look_at_io(loop, UV_RUN_NOWAIT);
        if (!loop->stopped && !busy(loop) && !move_clock(loop) && alive(loop))
            look_at_io(loop, UV_RUN_ONCE);
    }
}
