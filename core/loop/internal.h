/* internal.h: what the files of this folder share. Nobody else includes it. */
#pragma once
#include <uv.h>
#include "base/list.h"
#include "base/util.h"
#include "loop/loop.h"

struct deferred {
    struct deferred *next;
    void (*fn)(void *arg);
    void *arg;
};

struct ft_timer {
    struct ft_loop *loop;
    uint64_t due_us, seq;             /* seq keeps the order of timers that are due at once */
    size_t at;                        /* place in the heap */
    bool weak;
    void (*fn)(void *arg);
    void *arg;
};

struct ft_loop {
    uv_loop_t uv;
    struct ft_clock *clock;           /* borrowed */
    bool stopped;
    int hold;
    size_t works;                     /* on the pool's threads */

    struct deferred *deferred, **deferred_end;
    struct ft_timer **heap;           /* owns the timers; the earliest is heap[0] */
    size_t timers, strong, heap_cap;
    uint64_t next_seq;

    uv_timer_t sleep;                 /* wakes the wait for I/O when heap[0] is due; weak */
    uint64_t sleep_until_us;          /* 0: not armed */
    uv_prepare_t turn;                /* arms it, right before each poll; weak */
    uv_async_t keeper;                /* referenced only inside uv_run */
    struct ft_list children;          /* not ended yet: freeing the loop ends them */
};

void ft_loop_end_children(struct ft_loop *loop);      /* child.c */
void ft_loop_drop_timers(struct ft_loop *loop);       /* timer.c */
uint64_t ft_loop_now_us(const struct ft_loop *loop);
/* Call what is due; timers that are started meanwhile wait for the next turn, or I/O would starve. */
void ft_loop_run_timers(struct ft_loop *loop);
