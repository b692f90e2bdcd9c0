#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/util.h"
#include "loop/loop.h"

/* What was called, in order, as text. */
static struct ft_buf said;
static struct ft_loop *loop;
static struct ft_clock *clock_used;

#define W(word) ((void *)(uintptr_t)(word))

static void begin(bool manual)
{
    ft_buf_done(&said);
    said = FT_BUF_INIT(1 << 20);
    clock_used = manual ? ft_clock_manual_new(1000) : NULL;
    loop = ft_loop_new(clock_used);
}

static void end(void)
{
    loop = ft_loop_free(loop);
    clock_used = ft_clock_free(clock_used);
    ft_buf_done(&said);
}

static void say(void *arg)
{
    ft_buf_addf(&said, "%s ", (const char *)arg);
}

#define expect_said(text) cr_expect_str_eq(ft_buf_str(&said), text)

/* ---- deferred ---- */

static void say_and_defer(void *arg)
{
    say(arg);
    ft_loop_defer(loop, say, W("inner"));
}

Test(deferred, runs_in_order_and_never_inside_the_call)
{
    begin(true);
    ft_loop_defer(loop, say_and_defer, W("a"));
    ft_loop_defer(loop, say, W("b"));
    expect_said("");
    ft_loop_run(loop);
    expect_said("a b inner ");
    end();
}

Test(deferred, forgets_what_is_taken_back)
{
    void *a = W("a");

    begin(true);
    ft_loop_defer(loop, say, a);
    ft_loop_defer(loop, say, W("b"));
    ft_loop_defer(loop, say, a);
    ft_loop_undefer(loop, say, a);
    ft_loop_defer(loop, say, W("c"));
    ft_loop_run(loop);
    expect_said("b c ");
    end();
}

static const char c_word[] = "c";

static void take_back_c(void *arg)
{
    say(arg);
    ft_loop_undefer(loop, say, W(c_word));
}

Test(deferred, may_be_taken_back_by_one_before_it)
{
    begin(true);
    ft_loop_defer(loop, take_back_c, W("a"));
    ft_loop_defer(loop, say, W(c_word));
    ft_loop_defer(loop, say, W("d"));
    ft_loop_run(loop);
    expect_said("a d ");
    end();
}

static void again_for_ever(void *arg)
{
    ft_loop_defer(loop, again_for_ever, arg);
}

static void stop(void *arg)
{
    say(arg);
    ft_loop_stop(loop);
}

static void send_wake(void *arg)
{
    ft_wake_send(arg);
}

Test(deferred, that_repeats_itself_keeps_neither_timers_nor_io_waiting)
{
    int ends[2];
    struct ft_wake *wake;

    begin(false);
    cr_assert_eq(pipe(ends), 0);
    wake = ft_wake_new(loop, stop, W("woken"));
    ft_loop_defer(loop, again_for_ever, NULL);
    ft_timer_start(loop, 1, say, W("timer"));
    ft_timer_start(loop, 2, send_wake, wake);
    ft_loop_run(loop);
    expect_said("timer woken ");
    ft_wake_free(wake);
    close(ends[0]);
    close(ends[1]);
    end();
}

Test(deferred, what_is_left_when_stopped_is_there_in_the_next_run)
{
    begin(true);
    ft_loop_defer(loop, stop, W("a"));
    ft_loop_defer(loop, say, W("b"));
    ft_loop_run(loop);
    expect_said("a ");
    ft_loop_run(loop);
    expect_said("a b ");
    end();
}

/* ---- timers ---- */

Test(timers, come_when_due_and_in_the_order_started_when_due_together)
{
    begin(true);
    ft_timer_start(loop, 30, say, W("c"));
    ft_timer_start(loop, 10, say, W("a1"));
    ft_timer_start(loop, 10, say, W("a2"));
    ft_timer_start(loop, 20, say, W("b"));
    ft_timer_start(loop, 0, say, W("now"));
    ft_loop_run(loop);
    expect_said("now a1 a2 b c ");
    cr_expect_eq(ft_clock_wall_ms(clock_used), 1030);
    end();
}

Test(timers, a_year_on_a_manual_clock_takes_no_time)
{
    begin(true);
    ft_timer_start(loop, 365ull * 86400 * 1000, say, W("year"));
    ft_timer_start(loop, UINT64_MAX, say, W("never"));
    ft_timer_start(loop, 400ull * 86400 * 1000, stop, W("stop"));
    ft_loop_run(loop);
    expect_said("year stop ");
    end();
}

Test(timers, stopped_ones_do_not_come)
{
    struct ft_timer *timers[100];

    begin(true);
    for (size_t i = 0; i < ARRAY_LEN(timers); i++)
        timers[i] = ft_timer_start(loop, (i * 37) % 100, say, W(i == 50 ? "kept" : "wrong"));
    for (size_t i = 0; i < ARRAY_LEN(timers); i++)
        if (i != 50)
            ft_timer_stop(timers[i]);
    ft_timer_stop(NULL);
    ft_loop_run(loop);
    expect_said("kept ");
    cr_expect_eq(ft_clock_wall_ms(clock_used), 1000 + (50 * 37) % 100);
    end();
}

static uint64_t last_due;
static unsigned fired, wrong;

static void check_order(void *arg)
{
    uint64_t due = (uint64_t)(uintptr_t)arg;

    fired++;
    wrong += due < last_due;
    last_due = due;
}

Test(timers, ten_thousand_in_any_order)
{
    static struct ft_timer *timers[10000];
    unsigned seed = 12345, left = 0;

    begin(true);
    fired = wrong = 0;
    last_due = 0;
    for (size_t i = 0; i < ARRAY_LEN(timers); i++) {
        seed = seed * 1103515245 + 12345;
        timers[i] = ft_timer_start(loop, (seed >> 8) % 5000, check_order, (void *)(uintptr_t)((seed >> 8) % 5000));
    }
    for (size_t i = 0; i < ARRAY_LEN(timers); i++) {
        seed = seed * 1103515245 + 12345;
        if (seed >> 31)
            ft_timer_stop(timers[i]);
        else
            left++;
    }
    ft_loop_run(loop);
    cr_expect_eq(fired, left);
    cr_expect_eq(wrong, 0);
    end();
}

Test(timers, weak_ones_alone_end_the_loop_but_come_while_others_wait)
{
    struct ft_timer *weak;

    begin(true);
    ft_timer_start_weak(loop, 5, say, W("weak5"));
    weak = ft_timer_start_weak(loop, 50, say, W("weak50"));
    ft_timer_start(loop, 10, say, W("strong10"));
    ft_loop_run(loop);
    expect_said("weak5 strong10 ");
    ft_timer_stop(weak);
    end();
}

Test(timers, wait_for_real_time_on_the_system_clock)
{
    uint64_t from;

    begin(false);
    from = ft_clock_mono_us(ft_clock_system());
    ft_timer_start(loop, 20, say, W("b"));
    ft_timer_start(loop, 5, say, W("a"));
    ft_loop_run(loop);
    expect_said("a b ");
    cr_expect_geq(ft_clock_mono_us(ft_clock_system()) - from, 20000);
    end();
}

static void start_zero(void *arg)
{
    say(arg);
    ft_timer_start(loop, 0, say, W("zero"));
    ft_loop_defer(loop, say, W("deferred"));
}

Test(timers, started_in_a_timer_for_now_come_in_the_next_turn)
{
    begin(true);
    ft_timer_start(loop, 5, start_zero, W("first"));
    ft_timer_start(loop, 5, say, W("second"));
    ft_loop_run(loop);
    expect_said("first second deferred zero ");
    end();
}

/* ---- holding the clock ---- */

static void let_go(void *arg)
{
    say(arg);
    ft_loop_hold(loop, -1);
}

static void *wake_from_thread(void *arg)
{
    send_wake(arg);
    return NULL;
}

Test(hold, keeps_a_manual_clock_where_it_is_until_the_answer_came)
{
    struct ft_wake *wake;
    pthread_t thread;

    begin(true);
    wake = ft_wake_new(loop, let_go, W("answer"));
    ft_timer_start(loop, 10, say, W("timeout"));
    ft_loop_hold(loop, 1);
    pthread_create(&thread, NULL, wake_from_thread, wake);
    ft_loop_run(loop);
    pthread_join(thread, NULL);
    expect_said("answer timeout ");
    ft_wake_free(wake);
    end();
}

Test(hold, a_timer_due_already_still_comes)
{
    begin(true);
    ft_loop_hold(loop, 1);
    ft_timer_start(loop, 0, let_go, W("due"));
    ft_loop_run(loop);
    expect_said("due ");
    end();
}

Test(loop, with_nothing_to_wait_for_returns)
{
    begin(false);
    ft_loop_run(loop);
    ft_loop_run(loop);
    expect_said("");
    end();
}

/* ---- signals and wakes ---- */

static void got_signal(void *arg, int signum)
{
    ft_buf_addf(&said, "signal%d ", signum == SIGUSR1);
    (void)arg;
    ft_loop_stop(loop);
}

static void raise_usr1(void *arg)
{
    (void)arg;
    raise(SIGUSR1);
}

Test(signals, arrive_on_the_loop_and_do_not_keep_it_alive)
{
    struct ft_signal *signal;

    begin(false);
    signal = ft_signal_start(loop, SIGUSR1, got_signal, NULL);
    ft_loop_run(loop);
    expect_said("");
    ft_loop_hold(loop, 1);
    ft_loop_defer(loop, raise_usr1, NULL);
    ft_loop_run(loop);
    expect_said("signal1 ");
    ft_loop_hold(loop, -1);
    ft_signal_stop(signal);
    ft_signal_stop(NULL);
    end();
}

Test(wakes, freed_with_a_send_under_way_do_not_come)
{
    struct ft_wake *wake;

    begin(false);
    wake = ft_wake_new(loop, say, W("wrong"));
    ft_wake_send(wake);
    ft_wake_free(wake);
    ft_loop_run(loop);
    expect_said("");
    end();
}

/* ---- work ---- */

struct job { int in, out; pthread_t thread; bool released; };

static void square(void *arg)
{
    struct job *job = arg;

    job->out = job->in * job->in;
    job->thread = pthread_self();
}

static void after_square(void *arg)
{
    struct job *job = arg;

    ft_buf_addf(&said, "%d ", job->out);
    cr_expect(!pthread_equal(job->thread, pthread_self()), "the job ran on the loop's thread");
}

static void released(void *arg)
{
    ((struct job *)arg)->released = true;
}

Test(work, runs_elsewhere_and_answers_here)
{
    struct job job = { .in = 7 };

    begin(true);
    ft_timer_start(loop, 1000, say, W("timer"));
    ft_work_start(loop, square, after_square, released, &job);
    ft_loop_run(loop);
    expect_said("49 timer ");       /* the manual clock waits for threads */
    cr_expect(job.released);
    end();
}

Test(work, cancelled_is_released_without_an_answer)
{
    struct job jobs[20] = { 0 };

    begin(false);
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
        ft_work_cancel(ft_work_start(loop, square, after_square, released, &jobs[i]));
    ft_work_cancel(NULL);
    ft_loop_run(loop);
    expect_said("");
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
        cr_expect(jobs[i].released, "job %zu", i);
    end();
}

Test(work, left_at_the_end_is_released_by_freeing_the_loop)
{
    static struct job job = { .in = 3 };
    struct ft_work *work;

    begin(false);
    work = ft_work_start(loop, square, after_square, released, &job);
    ft_work_cancel(work);
    end();
    cr_expect(job.released);
}

static pthread_barrier_t gate;

static void wait_for_the_others(void *arg)
{
    (void)arg;
    pthread_barrier_wait(&gate);
}

static void nothing_after(void *arg)
{
    (void)arg;
}

/* Jobs that wait for long, as a listener for traps does, leave threads for names to be looked up: here none goes on until all are there. */
Test(work, a_dozen_jobs_wait_side_by_side, .timeout = 30)
{
    cr_assert_eq(pthread_barrier_init(&gate, NULL, 12), 0);
    begin(false);
    for (int i = 0; i < 12; i++)
        ft_work_start(loop, wait_for_the_others, nothing_after, NULL, NULL);
    ft_loop_run(loop);
    end();
    pthread_barrier_destroy(&gate);
}

/* ---- lines ---- */

static struct ft_lines *lines;

static void got_line(void *arg, const char *line)
{
    (void)arg;
    ft_buf_addf(&said, "[%s]", line ? line : "END");
    if (line && strcmp(line, "stop") == 0) {
        ft_lines_stop(lines);
        lines = NULL;
    }
}

static const struct { const char *in, *out; } line_cases[] = {
    { "a\nb\n", "[a][b][END]" },
    { "a\r\nb", "[a][b][END]" },
    { "", "[END]" },
    { "\n\n", "[][][END]" },
    { "a\nstop\nb\n", "[a][stop]" },
};

static void feed(const char *text, bool as_file)
{
    int ends[2];

    if (as_file) {
        char name[] = "/tmp/fettle-lines-XXXXXX";

        ends[0] = mkstemp(name);
        unlink(name);
        cr_assert_eq(write(ends[0], text, strlen(text)), (ssize_t)strlen(text));
        lseek(ends[0], 0, SEEK_SET);
    } else {
        cr_assert_eq(pipe(ends), 0);
        cr_assert_eq(write(ends[1], text, strlen(text)), (ssize_t)strlen(text));
        close(ends[1]);
    }
    lines = ft_lines_start(loop, ends[0], got_line, NULL);
    ft_loop_run(loop);
    cr_expect_eq(fcntl(ends[0], F_GETFL) & O_NONBLOCK, 0, "left non-blocking");
    ft_lines_stop(lines);
    ft_loop_run(loop);
    close(ends[0]);
}

Test(lines, come_one_by_one_from_pipes_and_files)
{
    for (size_t i = 0; i < 2 * ARRAY_LEN(line_cases); i++) {
        begin(false);
        feed(line_cases[i / 2].in, /* as_file= */ i % 2);
        cr_expect_str_eq(ft_buf_str(&said), line_cases[i / 2].out, "input %zu gave %s", i, ft_buf_str(&said));
        end();
    }
}

Test(lines, of_nothing_end_at_once)
{
    begin(false);
    lines = ft_lines_start(loop, -1, got_line, NULL);
    ft_loop_run(loop);
    expect_said("[END]");
    ft_lines_stop(lines);
    end();
}

Test(lines, keep_the_loop_waiting_for_the_person)
{
    int ends[2];

    begin(false);
    cr_assert_eq(pipe(ends), 0);
    lines = ft_lines_start(loop, ends[0], got_line, NULL);
    ft_timer_start_weak(loop, 20, stop, W("waited"));
    ft_loop_run(loop);
    expect_said("waited ");
    ft_lines_stop(lines);
    close(ends[0]);
    close(ends[1]);
    end();
}
