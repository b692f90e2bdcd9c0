/* timer.c: a binary heap of timers on the loop's clock. Not libuv's timers: those know no manual clock. */
#include "loop/internal.h"

static bool before(const struct ft_timer *a, const struct ft_timer *b)
{
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->seq < b->seq;
}

static void place(struct ft_loop *loop, struct ft_timer *timer, size_t at)
{
    loop->heap[at] = timer;
    timer->at = at;
}

static void move_up(struct ft_loop *loop, struct ft_timer *timer, size_t at)
{
    while (at > 0 && before(timer, loop->heap[(at - 1) / 2])) {
        place(loop, loop->heap[(at - 1) / 2], at);
        at = (at - 1) / 2;
    }
    place(loop, timer, at);
}

static void move_down(struct ft_loop *loop, struct ft_timer *timer, size_t at)
{
    for (;;) {
        size_t child = 2 * at + 1;

        if (child + 1 < loop->timers && before(loop->heap[child + 1], loop->heap[child]))
            child++;
        if (child >= loop->timers || !before(loop->heap[child], timer))
            break;
        place(loop, loop->heap[child], at);
        at = child;
    }
    place(loop, timer, at);
}

static void take_out(struct ft_timer *timer)
{
    struct ft_loop *loop = timer->loop;
    struct ft_timer *last = loop->heap[--loop->timers];

    loop->strong -= !timer->weak;
    if (last == timer)
        return;
    if (timer->at > 0 && before(last, loop->heap[(timer->at - 1) / 2]))
        move_up(loop, last, timer->at);
    else
        move_down(loop, last, timer->at);
}

static struct ft_timer *start(struct ft_loop *loop, uint64_t ms, bool weak, void (*fn)(void *arg), void *arg)
{
    struct ft_timer *timer = ft_calloc(1, sizeof(*timer));
    uint64_t now = ft_loop_now_us(loop);

    timer->loop = loop;
    timer->due_us = ms < (UINT64_MAX - now) / 1000 ? now + ms * 1000 : UINT64_MAX;
    timer->seq = loop->next_seq++;
    timer->weak = weak;
    timer->fn = fn;
    timer->arg = arg;
    if (loop->timers == loop->heap_cap) {
        loop->heap_cap = loop->heap_cap ? loop->heap_cap * 2 : 64;
        loop->heap = ft_realloc(loop->heap, loop->heap_cap * sizeof(struct ft_timer *));
    }
    loop->strong += !weak;
    move_up(loop, timer, loop->timers++);
    return timer;
}

struct ft_timer *ft_timer_start(struct ft_loop *loop, uint64_t ms, void (*fn)(void *arg), void *arg)
{
    return start(loop, ms, /* weak= */ false, fn, arg);
}

struct ft_timer *ft_timer_start_weak(struct ft_loop *loop, uint64_t ms, void (*fn)(void *arg), void *arg)
{
    return start(loop, ms, /* weak= */ true, fn, arg);
}

void ft_timer_stop(struct ft_timer *timer)
{
    if (!timer)
        return;
    take_out(timer);
    free(timer);
}

void ft_loop_run_timers(struct ft_loop *loop)
{
    uint64_t now = ft_loop_now_us(loop), until = loop->next_seq;

    while (loop->timers && loop->heap[0]->due_us <= now && loop->heap[0]->seq < until && !loop->stopped) {
        struct ft_timer over = *loop->heap[0];

        ft_timer_stop(loop->heap[0]);
        over.fn(over.arg);
    }
}

void ft_loop_drop_timers(struct ft_loop *loop)
{
    while (loop->timers)
        free(loop->heap[--loop->timers]);
    free(loop->heap);
}
