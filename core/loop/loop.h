/* loop.h: one event loop owns every run; threads only do what can only block. libuv stays in here and in net/.
 *
 * Nothing runs re-entrantly: callbacks come from ft_loop_run only, never from inside the call that asked for them.
 * Time comes from the clock given. With a manual clock the loop owns it: when nothing but timers is left to wait for
 * (no I/O in flight, no worker, no child), it moves the clock to the next timer at once, so a test or a simulation never sleeps.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/err.h"

struct ft_loop;
struct ft_timer;
struct ft_signal;
struct ft_child;
struct ft_work;
struct ft_wake;

struct ft_loop *ft_loop_new(struct ft_clock *clock);      /* NULL: the system's clock */
/* Closes what is left (handles die in their close callbacks) and frees. All users must have let go before. */
struct ft_loop *ft_loop_free(struct ft_loop *loop);
struct ft_clock *ft_loop_clock(const struct ft_loop *loop);
/* Until ft_loop_stop, or until nothing is left that could ever call back. */
void ft_loop_run(struct ft_loop *loop);
void ft_loop_stop(struct ft_loop *loop);
/* While > 0, a manual clock is not moved: an answer from outside is awaited (net/ and child processes hold this). */
void ft_loop_hold(struct ft_loop *loop, int by);

/* Call fn(arg) soon, in order, before the next wait. Never inside this call. */
void ft_loop_defer(struct ft_loop *loop, void (*fn)(void *arg), void *arg);
void ft_loop_undefer(struct ft_loop *loop, void (*fn)(void *arg), void *arg);   /* forget those not called yet */

/* One shot. The timer is over, and its memory gone, before fn is called. */
struct ft_timer *ft_timer_start(struct ft_loop *loop, uint64_t ms, void (*fn)(void *arg), void *arg);
void ft_timer_stop(struct ft_timer *timer);               /* NULL is fine; not after fn was called */
/* As ft_timer_start, but does not keep the loop running. */
struct ft_timer *ft_timer_start_weak(struct ft_loop *loop, uint64_t ms, void (*fn)(void *arg), void *arg);

/* Weak: a signal handler alone does not keep the loop running. */
struct ft_signal *ft_signal_start(struct ft_loop *loop, int signum, void (*fn)(void *arg, int signum), void *arg);
void ft_signal_stop(struct ft_signal *signal);

/* Blocking work on a thread of the pool; `after` on the loop thread. ft_work_cancel: `after` does not come any more, `release` still does,
 * when the thread is done with `job`. release may be NULL. */
struct ft_work *ft_work_start(struct ft_loop *loop, void (*blocking)(void *job), void (*after)(void *job), void (*release)(void *job), void *job);
void ft_work_cancel(struct ft_work *work);

/* From another thread: ft_wake_send makes fn run on the loop thread (several sends may become one). Weak unless held. */
struct ft_wake *ft_wake_new(struct ft_loop *loop, void (*fn)(void *arg), void *arg);
void ft_wake_send(struct ft_wake *wake);                  /* any thread */
void ft_wake_free(struct ft_wake *wake);

/* Terminal or pipe input, line by line; fn gets NULL at its end. For the questions that a run asks. */
struct ft_lines;
struct ft_lines *ft_lines_start(struct ft_loop *loop, int fd, void (*fn)(void *arg, const char *line), void *arg);
void ft_lines_stop(struct ft_lines *lines);

/* A child process, argv as a list, never a shell. */
struct ft_child_result {
    int exit_status;                  /* -1 when ended by a signal */
    int term_signal;
    bool too_much;                    /* more output than allowed: it was killed */
    const char *out; size_t out_len;  /* NUL-terminated */
    const char *err; size_t err_len;
};
struct ft_child_req {
    const char *const *argv;
    const char *const *env;           /* NULL: PATH and LANG only */
    const char *input; size_t input_len;
    size_t max_output;                /* each of stdout and stderr; 0: 1 MiB */
};
int ft_child_start(struct ft_loop *loop, const struct ft_child_req *req, void (*exited)(void *arg, const struct ft_child_result *result),
                   void *arg, struct ft_child **ret, struct ft_err *reterr);
/* SIGTERM now, SIGKILL after 2 s; `exited` does not come any more. */
void ft_child_kill(struct ft_child *child);

/* For net/ and loop/ only: the uv_loop_t. */
void *ft_loop_uv(struct ft_loop *loop);
