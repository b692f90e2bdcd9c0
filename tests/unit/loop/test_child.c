#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include "base/util.h"
#include "loop/loop.h"

static struct {
    int answers, exit_status, term_signal;
    bool too_much;
    size_t out_len, err_len;
    char out[4096], err[4096];
} got;
static struct ft_loop *loop;

static void exited(void *arg, const struct ft_child_result *result)
{
    (void)arg;
    got.answers++;
    got.exit_status = result->exit_status;
    got.term_signal = result->term_signal;
    got.too_much = result->too_much;
    got.out_len = result->out_len;
    got.err_len = result->err_len;
    snprintf(got.out, sizeof(got.out), "%s", result->out);
    snprintf(got.err, sizeof(got.err), "%s", result->err);
}

static struct ft_child *start(struct ft_child_req req)
{
    struct ft_child *child = NULL;
    struct ft_err err = { 0 };

    memset(&got, 0, sizeof(got));
    cr_assert_eq(ft_child_start(loop, &req, exited, NULL, &child, &err), 0, "%s", err.text);
    cr_assert_eq(got.answers, 0, "answered inside the call");
    return child;
}

#define SH(script) .argv = (const char *const[]){ "sh", "-c", script, NULL }

static const struct {
    const char *script, *input;
    int exit_status, term_signal;
    const char *out, *err;
} cases[] = {
    { "echo out; echo err >&2; exit 3", NULL, 3, 0, "out\n", "err\n" },
    { "cat", "to and fro", 0, 0, "to and fro", "" },
    { "exec <&-; echo deaf", "nobody reads this", 0, 0, "deaf\n", "" },
    { "kill -KILL $$", NULL, -1, SIGKILL, "", "" },
    { "printf 'a\\000b' | wc -c | tr -d ' '", NULL, 0, 0, "3\n", "" },
    { "env | grep -c -v -e ^PATH= -e ^LANG= -e ^PWD= -e ^SHLVL= -e ^_=", NULL, 1, 0, "0\n", "" },
    { "(sleep 0; echo late) & exit 4", NULL, 4, 0, "late\n", "" },
};

Test(child, gives_its_output_and_its_end)
{
    setenv("FETTLE_TEST_SECRET", "must not reach a child", 1);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        loop = ft_loop_new(NULL);
        start((struct ft_child_req){ SH(cases[i].script), .input = cases[i].input,
                                     .input_len = cases[i].input ? strlen(cases[i].input) : 0 });
        ft_loop_run(loop);
        cr_expect_eq(got.answers, 1, "'%s'", cases[i].script);
        cr_expect_eq(got.exit_status, cases[i].exit_status, "'%s' ended with %d", cases[i].script, got.exit_status);
        cr_expect_eq(got.term_signal, cases[i].term_signal, "'%s'", cases[i].script);
        cr_expect_str_eq(got.out, cases[i].out, "'%s' said %s", cases[i].script, got.out);
        cr_expect_str_eq(got.err, cases[i].err, "'%s' said %s", cases[i].script, got.err);
        loop = ft_loop_free(loop);
    }
}

Test(child, environment_is_the_one_given)
{
    loop = ft_loop_new(NULL);
    start((struct ft_child_req){ SH("echo $COLOUR $HOME"), .env = (const char *const[]){ "COLOUR=red", "PATH=/usr/bin:/bin", NULL } });
    ft_loop_run(loop);
    cr_expect_str_eq(got.out, "red\n");
    ft_loop_free(loop);
}

Test(child, with_a_megabyte_each_way)
{
    char *input = ft_calloc(1, 1 << 20);

    loop = ft_loop_new(NULL);
    memset(input, 'x', 1 << 20);
    start((struct ft_child_req){ SH("cat; head -c 1048576 /dev/zero >&2"), .input = input, .input_len = 1 << 20 });
    ft_loop_run(loop);
    cr_expect_eq(got.out_len, 1 << 20);
    cr_expect_eq(got.err_len, 1 << 20);
    cr_expect_not(got.too_much);
    free(input);
    ft_loop_free(loop);
}

Test(child, that_says_too_much_is_ended)
{
    loop = ft_loop_new(NULL);
    start((struct ft_child_req){ SH("yes & yes >&2"), .max_output = 1000 });
    ft_loop_run(loop);
    cr_expect_eq(got.answers, 1);
    cr_expect(got.too_much);
    cr_expect_eq(got.term_signal, SIGKILL);
    cr_expect_leq(got.out_len, 1000);
    ft_loop_free(loop);
}

Test(child, that_does_not_exist_is_an_error_at_once)
{
    struct ft_child *child;
    struct ft_err err = { 0 };
    struct ft_child_req req = { .argv = (const char *const[]){ "fettle-no-such-program", NULL } };

    loop = ft_loop_new(NULL);
    cr_expect_eq(ft_child_start(loop, &req, exited, NULL, &child, &err), -ENOENT);
    cr_expect_eq(err.class, FT_NOT_FOUND);
    cr_expect(strstr(err.text, "fettle-no-such-program"), "%s", err.text);
    req.argv = (const char *const[]){ NULL };
    cr_expect_eq(ft_child_start(loop, &req, exited, NULL, &child, &err), -EINVAL);
    ft_loop_run(loop);
    ft_loop_free(loop);
}

static void kill_it(void *child)
{
    ft_child_kill(child);
}

/* A child that ends itself on SIGTERM writes that down: it was not killed outright. It tells by its output when it is ready for that. */
static struct { char file[64]; struct ft_child *child; struct ft_timer *look; void (*before_kill)(void); } ender;

static void kill_when_ready(void *arg)
{
    char *ready = ft_asprintf("%s.ready", ender.file);

    (void)arg;
    if (access(ready, F_OK) < 0) {
        ft_timer_start(loop, 5, kill_when_ready, NULL);
    } else {
        if (ender.before_kill)
            ender.before_kill();
        ft_child_kill(ender.child);
        unlink(ready);
    }
    free(ready);
}

static void expect_it_ends_itself(void (*before_kill)(void))
{
    char *script;

    strcpy(ender.file, "/tmp/fettle-child-XXXXXX");
    close(mkstemp(ender.file));
    unlink(ender.file);
    script = ft_asprintf("trap 'sleep 0.1; : > %s; exit' TERM; : > %s.ready; while :; do sleep 0.05; done", ender.file, ender.file);
    ender.before_kill = before_kill;
    loop = ft_loop_new(NULL);
    ender.child = start((struct ft_child_req){ SH(script) });
    ft_loop_defer(loop, kill_when_ready, NULL);
    ft_loop_run(loop);
    cr_expect_eq(got.answers, 0);
    cr_expect_eq(access(ender.file, F_OK), 0, "it was not given the time to end by itself");
    unlink(ender.file);
    ft_loop_free(loop);
    free(script);
}

Test(child, killed_gives_no_answer_and_the_loop_waits_for_its_end)
{
    expect_it_ends_itself(NULL);
}

/* The process stands still in the middle of a turn for longer than the grace. */
static void stand_still(void)
{
    usleep(2200000);
}

Test(child, has_its_grace_though_the_process_stood_still)
{
    expect_it_ends_itself(stand_still);
}

Test(child, deaf_to_sigterm_is_ended_after_the_grace)
{
    struct ft_clock *clock = ft_clock_manual_new(0);
    struct ft_child *child;
    uint64_t from = ft_clock_mono_us(ft_clock_system()), took;

    loop = ft_loop_new(clock);                    /* the grace is real time, whatever the loop's clock is */
    child = start((struct ft_child_req){ SH("trap '' TERM; while :; do sleep 1; done") });
    ft_loop_defer(loop, kill_it, child);
    ft_loop_run(loop);
    took = ft_clock_mono_us(ft_clock_system()) - from;
    cr_expect_eq(got.answers, 0);
    cr_expect(took < 10000000, "%lu us", (unsigned long)took);
    ft_loop_free(loop);
    ft_clock_free(clock);
}

Test(child, left_when_the_loop_is_freed_is_ended)
{
    int ends[2];
    char byte;

    cr_assert_eq(pipe(ends), 0);
    loop = ft_loop_new(NULL);
    start((struct ft_child_req){ SH("trap '' TERM; sleep 60") });
    ft_loop_free(loop);
    close(ends[1]);
    cr_expect_eq(read(ends[0], &byte, 1), 0);
    close(ends[0]);
}

static void timer_came(void *arg)
{
    *(int *)arg = got.answers;
}

Test(child, holds_a_manual_clock)
{
    struct ft_clock *clock = ft_clock_manual_new(0);
    int answers_then = -1;

    loop = ft_loop_new(clock);
    start((struct ft_child_req){ SH("sleep 0.01") });
    ft_timer_start(loop, 3600000, timer_came, &answers_then);
    ft_loop_run(loop);
    cr_expect_eq(answers_then, 1, "the clock was moved while a child ran");
    ft_loop_free(loop);
    ft_clock_free(clock);
}
