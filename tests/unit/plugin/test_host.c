/* The real host: a call ends once, with what it should, and leaves nothing behind. The plugin is tests/support/plugins/trial.c. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/util.h"
#include "data/json.h"
#include "plugin/registry.h"

static struct ft_clock *the_clock;
static struct ft_loop *loop;
static struct ft_secrets *secrets;
static struct ft_registry *registry;
static json_t *config;
static char state_dir[40];             /* made by the tests that write files */

/* What came of a call. */
struct outcome {
    unsigned dones, fails;
    json_t *result, *kept;
    enum ft_class class;
    char text[1200], progress[1200];
    struct ft_call *call;
    bool answer_keep, cancel_on_progress;
    int keep_code;
};
static struct outcome out;
static uint64_t timeout_ms;            /* of the calls; 0: the action's own */

static void registry_up(const char *config_text)
{
    char *dir = ft_asprintf("%s/test-plugins", getenv("FETTLE_BUILD") ? getenv("FETTLE_BUILD") : ".");
    struct ft_registry_opts opts;

    config = json_loads(config_text, 0, NULL);
    cr_assert_not_null(config);
    opts = (struct ft_registry_opts){ .loop = loop, .secrets = secrets, .config = config, .dir = dir, .config_path = "/etc/fettle.yaml",
                                      .state_dir = *state_dir ? state_dir : NULL };
    registry = ft_registry_new(&opts);
    free(dir);
}

static void outcome_done(void)
{
    json_decref(out.result);
    json_decref(out.kept);
    out = (struct outcome){ .answer_keep = true };
}

static void set_up_with(struct ft_clock *clock)
{
    setenv("TRIAL_TOKEN", "sesame-open", 1);
    the_clock = clock;
    loop = ft_loop_new(the_clock);
    secrets = ft_secrets_new();
    registry_up("{\"plugins\": {\"trial\": {\"token\": {\"env\": \"TRIAL_TOKEN\"}}}}");
    outcome_done();
}

static void setup(void)
{
    set_up_with(ft_clock_manual_new(1795227185000));
}

static void teardown(void)
{
    registry = ft_registry_free(registry);
    ft_loop_free(loop);
    ft_secrets_free(secrets);
    ft_clock_free(the_clock);
    json_decref(config);
    outcome_done();
}

TestSuite(host, .init = setup, .fini = teardown);

static void on_done(void *arg, json_t *result)
{
    (void)arg;
    out.dones++;
    out.result = json_incref(result);
}

static void on_fail(void *arg, enum ft_class class, const char *text)
{
    (void)arg;
    out.fails++;
    out.class = class;
    snprintf(out.text, sizeof(out.text), "%s", text);
}

static void on_keep(void *arg, struct ft_call *call, const json_t *receipt)
{
    (void)arg;
    out.kept = json_incref((json_t *)receipt);
    if (out.answer_keep)
        ft_call_kept(call, out.keep_code);
}

static void on_progress(void *arg, const char *text)
{
    (void)arg;
    snprintf(out.progress + strlen(out.progress), sizeof(out.progress) - strlen(out.progress), "%s;", text);
    if (out.cancel_on_progress)
        ft_call_cancel(out.call);
}

static const struct ft_call_handler handler = { .done = on_done, .fail = on_fail, .keep = on_keep, .progress = on_progress };
static const struct ft_call_handler no_keep = { .done = on_done, .fail = on_fail };

static int start_with(const struct ft_call_handler *with, const char *action, enum ft_entry_kind entry, const char *params, bool read, struct ft_err *err)
{
    const struct ft_action_info *info;
    json_t *given = json_loads(params, 0, NULL), *receipt = json_pack("{s:s}", "from", "the plan");
    int r;

    cr_assert_not_null(given, "%s", params);
    outcome_done();
    cr_assert_eq(ft_registry_action(registry, action, &info, err), 0, "%s", err->text);
    struct ft_call_req req = { .info = info, .entry = entry, .params = given, .receipt = receipt, .run_id = "7f3c0a12", .read = read, .timeout_ms = timeout_ms };

    r = ft_call_start(registry, &req, with, NULL, &out.call, err);
    cr_expect_eq(out.dones + out.fails, 0, "%s: the end came inside ft_call_start", params);
    json_decref(given);
    json_decref(receipt);
    return r;
}

/* One call from start to end. */
static void call_entry(const char *action, enum ft_entry_kind entry, const char *params)
{
    struct ft_err err = { 0 };

    cr_assert_eq(start_with(&handler, action, entry, params, false, &err), 0, "%s: %s", params, err.text);
    ft_loop_run(loop);
    cr_assert_eq(out.dones + out.fails, 1, "%s: %u ends", params, out.dones + out.fails);
}

static void call_do(const char *action, const char *params)
{
    call_entry(action, FT_ENTRY_RUN, params);
}

static void expect_done(const char *params, json_int_t n)
{
    cr_expect_eq(out.dones, 1, "%s: %s", params, out.text);
    cr_expect_eq(ft_json_int(out.result, "n", -1), n, "%s: n is %d", params, (int)ft_json_int(out.result, "n", -1));
}

static void expect_fail(const char *params, enum ft_class class, const char *says)
{
    cr_expect_eq(out.fails, 1, "%s did not fail", params);
    cr_expect_eq(out.class, class, "%s: class %s, %s", params, ft_class_name(out.class), out.text);
    cr_expect(strstr(out.text, says), "%s: '%s' is not in: %s", params, says, out.text);
    cr_expect_null(strstr(out.text, "sesame"), "%s: a secret shows: %s", params, out.text);
}

/* No callback of a call came after its end, in all calls so far. */
static void expect_nothing_late(void)
{
    call_do("trial.read", "{\"what\": \"late\"}");
    cr_expect_eq(ft_json_int(out.result, "n", -1), 0, "%d callbacks after the end", (int)ft_json_int(out.result, "n", -1));
}

Test(host, gives_a_call_what_it_is_about)
{
    call_do("trial.read", "{\"what\": \"echo\", \"text\": \"hello\"}");
    expect_done("echo", 3);
    cr_expect_str_eq(ft_json_str(out.result, "text"), "hello");
    cr_expect_str_eq(ft_json_str(out.result, "run"), "7f3c0a12");
    cr_expect_str_eq(ft_json_str(json_object_get(out.result, "config"), "token"), "***", "the plugin had its text, not where it lies; and what it gives back is left out");
    cr_expect(json_is_false(ft_json_path(out.result, "config.broken")), "defaults of the configuration are filled in");
    cr_expect_eq(ft_json_int(out.result, "ms", 0), 5000, "the action's own deadline");
}

Test(host, checks_parameters)
{
    static const struct { const char *params, *says; } table[] = {
        { "{}", "what" },
        { "{\"what\": 1}", "what" },
        { "{\"what\": \"echo\", \"n\": \"many\"}", "n" },
        { "{\"what\": \"echo\", \"ms\": -1}", "ms" },
        { "{\"what\": \"echo\", \"wat\": 1}", "wat" },
        { "{\"what\": \"echo\", \"password\": {\"$secret\": {\"env\": \"NOT_SET\"}}}", "NOT_SET" },
        { "{\"what\": \"echo\", \"password\": {\"$secret\": {\"env\": \"TRIAL_LONG\"}}}", "***" },      /* its length is wrong; its text must not show */
    };

    setenv("TRIAL_LONG", "sesame-that-is-much-too-long", 1);
    unsetenv("NOT_SET");
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct ft_err err = { 0 };
        int r = start_with(&handler, "trial.read", FT_ENTRY_RUN, table[i].params, false, &err);

        cr_expect_lt(r, 0, "%s was taken", table[i].params);
        cr_expect(strstr(err.text, table[i].says) || i == 6, "%s: %s", table[i].params, err.text);
        cr_expect_null(strstr(err.text, "sesame"), "%s: a secret shows: %s", table[i].params, err.text);
        ft_loop_run(loop);
        cr_expect_eq(out.dones + out.fails, 0, "%s: an end came after the refusal", table[i].params);
    }
}

Test(host, every_way_to_fail_keeps_its_class)
{
    for (int class = FT_UNREACHABLE; class <= FT_CANCELLED; class++) {
        char *params = ft_asprintf("{\"what\": \"fail\", \"n\": %d, \"text\": \"no to sesame-open\"}", class);

        call_do("trial.read", params);
        expect_fail(params, (enum ft_class)class, "it said no to ***");
        free(params);
    }
    call_do("trial.read", "{\"what\": \"fail\", \"n\": 0, \"text\": \"x\"}");
    expect_fail("no class", FT_REFUSED, "it said x");
}

Test(host, what_a_plugin_says_is_utf8_however_it_was_cut)
{
    static const struct { int n; const char *text; } cuts[] = {
        { 2, "it said \u00fc" }, { 1, "it said ?" }, { 5, "it said \u00fc\u20ac" }, { 4, "it said \u00fc??" }, { 3, "it said \u00fc?" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
        char *params = ft_asprintf("{\"what\": \"fail_cut\", \"n\": %d, \"text\": \"\u00fc\u20ac\"}", cuts[i].n);

        call_do("trial.read", params);
        expect_fail(params, FT_REFUSED, cuts[i].text);
        free(params);
    }
}

Test(host, a_call_ends_once_however_often_its_plugin_says_so)
{
    call_do("trial.read", "{\"what\": \"twice\"}");
    expect_done("twice", 1);
    call_do("trial.read", "{\"what\": \"both\"}");
    expect_done("both", 1);
    call_do("trial.read", "{\"what\": \"end_and_go_on\"}");
    expect_done("end_and_go_on", 1);
    expect_nothing_late();
}

Test(host, what_a_plugin_breaks_is_its_own_fault)
{
    call_do("trial.read", "{\"what\": \"wrong\"}");
    expect_fail("wrong", FT_INVALID, "fault of the plugin");
    call_do("trial.write", "{\"what\": \"wrong\"}");
    expect_fail("wrong, nothing sent", FT_INVALID, "fault of the plugin");
    call_do("trial.read", "{\"what\": \"no_result\"}");
    expect_fail("no_result", FT_INVALID, "fault of the plugin");
    call_do("trial.read", "{\"what\": \"refuse\", \"text\": \"sesame-open\"}");
    expect_fail("refuse", FT_INVALID, "will not: ***");
    call_do("trial.read", "{\"what\": \"refuse_speechless\"}");
    expect_fail("refuse_speechless", FT_INVALID, "no reason");
    call_do("trial.read", "{\"what\": \"no_capability\"}");
    expect_fail("no_capability", FT_INVALID, "capability 'ssh'");
}

Test(host, a_result_has_a_bound)
{
    call_do("trial.read", "{\"what\": \"huge\", \"n\": 16000000}");
    cr_expect_eq(out.dones, 1, "%s", out.text);
    call_do("trial.read", "{\"what\": \"huge\", \"n\": 17000000}");
    expect_fail("huge", FT_INVALID, "over 16 MiB");
}

Test(host, plans_and_probes_have_a_shape)
{
    call_entry("trial.write", FT_ENTRY_PLAN, "{\"what\": \"x\"}");
    cr_expect_str_eq(ft_json_str(out.result, "summary"), "send it");
    cr_expect_str_eq(json_string_value(ft_json_path(out.result, "requests.0.url")), "https://api.test/x?token=***");
    call_entry("trial.write", FT_ENTRY_PLAN, "{\"what\": \"wrong\"}");
    expect_fail("plan without summary", FT_INVALID, "summary");
    call_entry("trial.write", FT_ENTRY_PLAN, "{\"what\": \"wrong_users\"}");
    expect_fail("plan with odd users", FT_INVALID, "users");
    call_entry("trial.write", FT_ENTRY_PLAN, "{\"what\": \"send\"}");
    expect_fail("plan that sends", FT_INVALID, "the plan of trial.write would have written");
    call_entry("trial.write", FT_ENTRY_PLAN, "{\"what\": \"file\"}");
    expect_fail("plan that writes a file", FT_INVALID, "the plan of trial.write would have written");
    call_entry("trial.write", FT_ENTRY_PROBE, "{\"what\": \"x\"}");
    cr_expect(json_is_true(json_object_get(out.result, "happened")));
    call_entry("trial.write", FT_ENTRY_PROBE, "{\"what\": \"wrong\"}");
    expect_fail("probe that cannot say", FT_INVALID, "happened");
    call_entry("trial.write", FT_ENTRY_UNDO, "{\"what\": \"x\"}");
    cr_expect_str_eq(json_string_value(ft_json_path(out.result, "receipt.from")), "the plan");
}

Test(host, an_entry_that_is_not_there_is_refused)
{
    struct ft_err err = { 0 };

    cr_expect_eq(start_with(&handler, "trial.read", FT_ENTRY_UNDO, "{\"what\": \"x\"}", false, &err), -ENOSYS);
    cr_expect(strstr(err.text, "trial.read"), "%s", err.text);
}

/* ---- time */

Test(host, timers_and_progress)
{
    uint64_t before = ft_clock_mono_us(the_clock);

    call_do("trial.read", "{\"what\": \"tick\", \"n\": 4, \"ms\": 1000}");
    expect_done("tick", 4);
    cr_expect_eq(ft_clock_mono_us(the_clock) - before, 4000000);
    cr_expect_str_eq(out.progress, "1 of 4;2 of 4;3 of 4;");
}

Test(host, a_deadline_ends_a_call)
{
    uint64_t before = ft_clock_mono_us(the_clock);

    call_do("trial.read", "{\"what\": \"silent\"}");
    expect_fail("silent", FT_TIMEOUT, "within its 5 s");
    cr_expect_eq(ft_clock_mono_us(the_clock) - before, 5000000);
    call_do("trial.write", "{\"what\": \"silent\"}");
    expect_fail("a write that sent nothing", FT_TIMEOUT, "5 s");
    call_do("trial.read", "{\"what\": \"tick\", \"n\": 100}");
    expect_fail("tick", FT_TIMEOUT, "trial.read");
    call_do("trial.read", "{\"what\": \"silent\", \"n\": 77}");
    expect_fail("with a polite end", FT_CANCELLED, "politely");
    expect_nothing_late();
}

static void cancel_it(void *arg) { ft_call_cancel(arg); }

Test(host, a_cancelled_call_ends_as_cancelled)
{
    static const char *const params[] = {
        "{\"what\": \"silent\"}", "{\"what\": \"tick\", \"n\": 100}", "{\"what\": \"echo\"}", "{\"what\": \"work\", \"ms\": 20}", "{\"what\": \"exec\", \"text\": \"sleep 100\"}",
    };

    for (size_t i = 0; i < ARRAY_LEN(params); i++) {
        struct ft_err err = { 0 };

        cr_assert_eq(start_with(&handler, "trial.read", FT_ENTRY_RUN, params[i], false, &err), 0, "%s", err.text);
        ft_call_cancel(out.call);
        ft_call_cancel(out.call);
        cr_expect_eq(out.fails, 0, "%s: the end came inside ft_call_cancel", params[i]);
        ft_loop_run(loop);
        cr_expect_eq(out.dones + out.fails, 1, "%s", params[i]);
        cr_expect(out.dones || out.class == FT_CANCELLED, "%s: %s", params[i], out.text);
    }
    struct ft_err err = { 0 };

    cr_assert_eq(start_with(&handler, "trial.read", FT_ENTRY_RUN, "{\"what\": \"silent\"}", false, &err), 0);
    ft_timer_start(loop, 1000, cancel_it, out.call);
    ft_loop_run(loop);
    expect_fail("cancelled later", FT_CANCELLED, "cancelled");
    expect_nothing_late();
}

Test(host, of_a_dropped_call_nothing_comes)
{
    static const char *const params[] = { "{\"what\": \"silent\"}", "{\"what\": \"tick\"}", "{\"what\": \"echo\"}", "{\"what\": \"keep\"}", "{\"what\": \"budget\", \"n\": 500}" };

    for (size_t i = 0; i < ARRAY_LEN(params); i++) {
        struct ft_err err = { 0 };

        cr_assert_eq(start_with(&handler, "trial.read", FT_ENTRY_RUN, params[i], false, &err), 0, "%s", err.text);
        ft_call_drop(out.call);
        ft_call_drop(out.call);
        ft_loop_run(loop);
        cr_expect_eq(out.dones + out.fails, 0, "%s", params[i]);
    }
    expect_nothing_late();
}

Test(host, calls_that_are_left_are_freed_with_the_registry)
{
    struct ft_err err = { 0 };

    cr_assert_eq(start_with(&handler, "trial.read", FT_ENTRY_RUN, "{\"what\": \"silent\"}", false, &err), 0);
    cr_assert_eq(start_with(&handler, "trial.read", FT_ENTRY_RUN, "{\"what\": \"echo\"}", false, &err), 0);
    cr_assert_eq(start_with(&handler, "trial.read", FT_ENTRY_RUN, "{\"what\": \"tick\"}", false, &err), 0);
    ft_call_drop(out.call);
    cr_assert_eq(start_with(&handler, "trial.read", FT_ENTRY_RUN, "{\"what\": \"work\", \"ms\": 30}", false, &err), 0);
    registry = ft_registry_free(registry);            /* the job still runs the plugin's code */
    ft_loop_run(loop);
    cr_expect_eq(out.dones + out.fails, 0);
}

/* ---- keep */

Test(host, what_undo_needs_is_kept_first)
{
    struct ft_err err = { 0 };

    call_do("trial.write", "{\"what\": \"keep\"}");
    cr_expect_eq(out.dones, 1, "%s", out.text);
    cr_expect_str_eq(ft_json_str(out.kept, "old"), "value");
    cr_expect_str_eq(json_string_value(ft_json_path(out.result, "receipt.from")), "the plan", "the receipt it was given stays as it is");
    cr_assert_eq(start_with(&no_keep, "trial.write", FT_ENTRY_RUN, "{\"what\": \"keep\"}", false, &err), 0);
    ft_loop_run(loop);
    cr_expect_eq(out.dones, 1, "nobody keeps: kept at once");
    /* Journalled later, from the loop. */
    cr_assert_eq(start_with(&handler, "trial.write", FT_ENTRY_RUN, "{\"what\": \"silent\"}", false, &err), 0);
    ft_call_kept(out.call, 0);                        /* it asked for nothing */
    ft_call_drop(out.call);
    ft_loop_run(loop);
    expect_nothing_late();
}

/* Exactly what a full disk does: the write must not happen. */
static void answer_badly(void *arg)
{
    ft_call_kept(arg, -ENOSPC);
}

static void keep_later(void *arg, struct ft_call *call, const json_t *receipt)
{
    (void)arg;
    (void)receipt;
    ft_loop_defer(loop, answer_badly, call);
}

Test(host, what_cannot_be_kept_is_not_done)
{
    static const struct ft_call_handler later = { .done = on_done, .fail = on_fail, .keep = keep_later };
    struct ft_err err = { 0 };

    cr_assert_eq(start_with(&later, "trial.write", FT_ENTRY_RUN, "{\"what\": \"keep\"}", false, &err), 0);
    ft_loop_run(loop);
    expect_fail("keep", FT_REFUSED, "nothing was changed");
    expect_nothing_late();
}

/* ---- the outside */

/* A server for one test: answers each connection with `answer` (NULL: never), then closes it. Its port. */
static pid_t server;

static int serve(const char *answer)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    cr_assert_eq(listen(fd, 8), 0);
    getsockname(fd, (struct sockaddr *)&at, &len);
    server = fork();
    if (server == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);              /* a test that ends early leaves nobody behind */
    while (server == 0) {
        char buf[4096];
        int peer = accept(fd, NULL, NULL);

        if (read(peer, buf, sizeof(buf)) < 0)
            _exit(1);
        if (!answer)
            continue;                                  /* left open */
        if (write(peer, answer, strlen(answer)) < 0)
            _exit(1);
        close(peer);
    }
    close(fd);
    return ntohs(at.sin_port);
}

static void stop_serving(void)
{
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
}

static char *http_params(const char *what, int port, int write, int ms)
{
    return ft_asprintf("{\"what\": \"%s\", \"text\": \"http://127.0.0.1:%d/x\", \"n\": %d, \"ms\": %d}", what, port, write, ms);
}

Test(host, http_answers_reach_the_call)
{
    int port = serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
    char *params = http_params("http", port, 0, 0);

    call_do("trial.read", params);
    expect_done(params, 200);
    cr_expect_str_eq(ft_json_str(out.result, "text"), "hello");
    cr_expect_str_eq(ft_json_str(out.result, "arg"), "the argument");
    free(params);
    stop_serving();
    params = http_params("http", port, 1, 0);
    call_do("trial.write", params);
    expect_fail(params, FT_UNREACHABLE, "127.0.0.1");
    free(params);
    expect_nothing_late();
}

/* Sent, and never answered: the one test that takes real time, a few tenths of a second, as nothing moves the clock while an answer is awaited. */
Test(host, a_lost_answer_to_a_write_is_ambiguous)
{
    static const struct { const char *action; bool read; int write, own_ms; uint64_t deadline_ms; enum ft_class class; } table[] = {
        { "trial.write",  false, 1, 200, 0,   FT_AMBIGUOUS },
        { "trial.write",  false, 1, 0,   200, FT_AMBIGUOUS },        /* the request says what happened, though the call's own deadline is the same */
        { "trial.read",   false, 0, 200, 0,   FT_TIMEOUT },
        { "trial.either", true,  0, 0,   200, FT_TIMEOUT },
    };

    teardown();
    set_up_with(NULL);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        int port = serve(NULL);
        char *params = http_params("http", port, table[i].write, table[i].own_ms);
        struct ft_err err = { 0 };

        timeout_ms = table[i].deadline_ms;
        cr_assert_eq(start_with(&handler, table[i].action, FT_ENTRY_RUN, params, table[i].read, &err), 0, "%s", err.text);
        ft_loop_run(loop);
        expect_fail(params, table[i].class, "127.0.0.1");
        free(params);
        stop_serving();
    }
    timeout_ms = 0;
    expect_nothing_late();
}

Test(host, tcp_streams_belong_to_the_call)
{
    int port = serve("pong!");
    char *params = ft_asprintf("{\"what\": \"tcp\", \"n\": %d, \"text\": \"ping\", \"mode\": \"hard\"}", port);

    call_do("trial.read", params);
    cr_expect_str_eq(ft_json_str(out.result, "text"), "pong!");
    stop_serving();
    call_do("trial.read", params);
    expect_fail("nobody listens", FT_UNREACHABLE, "127.0.0.1");
    free(params);
    port = serve(NULL);
    params = ft_asprintf("{\"what\": \"tcp\", \"n\": %d, \"text\": \"ping\", \"mode\": \"hard\"}", port);
    struct ft_err err = { 0 };

    cr_assert_eq(start_with(&handler, "trial.read", FT_ENTRY_RUN, params, false, &err), 0);
    out.cancel_on_progress = true;                     /* while the plugin is in the middle of it */
    ft_loop_run(loop);
    expect_fail("left open by the other side", FT_CANCELLED, "cancelled");
    free(params);
    stop_serving();
    expect_nothing_late();
}

/* A plugin of interface 1.0 has smaller requests: what lies behind them is not read. */
Test(host, an_older_request_is_taken_as_it_is)
{
    int port = serve("pong!");
    char *params = ft_asprintf("{\"what\": \"tcp_old\", \"n\": %d, \"text\": \"ping\"}", port);

    call_do("trial.read", params);
    cr_expect_str_eq(ft_json_str(out.result, "text"), "pong!", "%s", out.text);
    free(params);
    stop_serving();
    call_do("trial.read", "{\"what\": \"no_size\"}");
    expect_fail("no size", FT_INVALID, "does not say its size");
}

/* Echoes one datagram with a '!' behind. */
static int serve_datagram(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    getsockname(fd, (struct sockaddr *)&at, &len);
    server = fork();
    if (server == 0) {
        char buf[100];
        struct sockaddr_in from;
        ssize_t n = recvfrom(fd, buf, sizeof(buf) - 1, 0, (struct sockaddr *)&from, &len);

        buf[n] = '!';
        _exit(sendto(fd, buf, (size_t)n + 1, 0, (struct sockaddr *)&from, len) < 0);
    }
    close(fd);
    return ntohs(at.sin_port);
}

Test(host, datagrams_belong_to_the_call)
{
    int port = serve_datagram();
    char *params = ft_asprintf("{\"what\": \"udp\", \"n\": %d, \"text\": \"ping\"}", port);

    call_do("trial.read", params);
    cr_expect_str_eq(ft_json_str(out.result, "text"), "ping!", "%s", out.text);
    stop_serving();
    call_do("trial.read", params);
    expect_fail("nobody listens", FT_UNREACHABLE, "nothing listens there");
    free(params);
    expect_nothing_late();
}

static int serve_websocket(void)
{
    const char *source = getenv("FETTLE_SOURCE");
    char *script = ft_asprintf("%s/tests/unit/net/ws_peer.py", source ? source : ".");
    int in[2], from[2], port = 0;
    FILE *said;

    cr_assert(pipe(in) == 0 && pipe(from) == 0);
    server = fork();
    if (server == 0) {
        dup2(in[0], 0);
        dup2(from[1], 1);
        execlp("python3", "python3", script, (char *)NULL);
        _exit(127);
    }
    close(from[1]);
    said = fdopen(from[0], "r");
    cr_assert_eq(fscanf(said, "%d", &port), 1, "ws_peer.py did not start");
    fclose(said);
    free(script);
    return port;
}

Test(host, websockets_belong_to_the_call)
{
    int port = serve("HTTP/1.1 401 Unauthorized\r\n\r\n");
    char *params = ft_asprintf("{\"what\": \"websocket\", \"n\": %d, \"text\": \"ping\"}", port);

    call_do("trial.read", params);
    expect_fail("refused", FT_DENIED, "/stream: the server answered '401 Unauthorized' instead of opening the websocket");
    stop_serving();
    call_do("trial.read", params);
    expect_fail("nobody listens", FT_UNREACHABLE, "connection refused");
    free(params);
    port = serve_websocket();
    params = ft_asprintf("{\"what\": \"websocket\", \"n\": %d, \"text\": \"ping\", \"mode\": \"hard\"}", port);
    call_do("trial.read", params);
    cr_expect_str_eq(ft_json_str(out.result, "text"), "heard ping!", "%s", out.text);
    free(params);
    stop_serving();
    expect_nothing_late();
}

/* A listener whose queue is full: SYNs are dropped. */
Test(host, a_connection_that_is_not_there_at_the_deadline_says_why)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), waiting[3];
    struct ft_err err = { 0 };
    char *params;

    teardown();
    set_up_with(NULL);
    cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    listen(fd, 0);
    getsockname(fd, (struct sockaddr *)&at, &len);
    for (size_t i = 0; i < ARRAY_LEN(waiting); i++) {
        waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        connect(waiting[i], (struct sockaddr *)&at, len);
    }
    params = ft_asprintf("{\"what\": \"tcp\", \"n\": %d, \"text\": \"ping\"}", ntohs(at.sin_port));
    timeout_ms = 100;
    cr_assert_eq(start_with(&handler, "trial.write", FT_ENTRY_RUN, params, false, &err), 0, "%s", err.text);
    ft_loop_run(loop);
    expect_fail(params, FT_UNREACHABLE, "is the host up");
    timeout_ms = 0;
    for (size_t i = 0; i < ARRAY_LEN(waiting); i++)
        close(waiting[i]);
    close(fd);
    free(params);
}

/* ---- files */

static void with_files(void)
{
    strcpy(state_dir, "/tmp/fettle-host-XXXXXX");
    cr_assert(mkdtemp(state_dir));
    setup();
}

static void without_files(void)
{
    char *command = ft_asprintf("rm -rf %s", state_dir);

    teardown();
    cr_expect_eq(system(command), 0);
    free(command);
}

TestSuite(host_files, .init = with_files, .fini = without_files);

Test(host_files, are_written_and_read_by_calls)
{
    char *path = ft_asprintf("%s/files/a/b", state_dir);

    call_do("trial.write", "{\"what\": \"file_write\", \"path\": \"a/b\", \"text\": \"abc\"}");
    expect_done("write", 3);
    cr_expect_str_eq(ft_json_str(out.result, "path"), path);
    cr_expect_str_eq(ft_json_str(out.result, "sha256"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    free(path);
    call_do("trial.read", "{\"what\": \"file_read\", \"path\": \"a/b\", \"n\": 0}");
    expect_done("read", 3);
    cr_expect_str_eq(ft_json_str(out.result, "text"), "abc");
    call_do("trial.write", "{\"what\": \"file_write\", \"path\": \"a/b\", \"text\": \"abd\"}");
    expect_fail("other content", FT_CONFLICT, "another content");
    call_do("trial.read", "{\"what\": \"file_read\", \"path\": \"a/b\", \"n\": 2}");
    expect_fail("too large", FT_INVALID, "over 2 bytes");
    call_do("trial.read", "{\"what\": \"file_read\", \"path\": \"../b\"}");
    expect_fail("outside", FT_INVALID, "not plain");
    call_do("trial.read", "{\"what\": \"file_read\", \"path\": \"none\"}");
    expect_fail("not there", FT_NOT_FOUND, "no such file");
    expect_nothing_late();
}

/* Ambiguous is what may have changed something, and nothing else. */
Test(host_files, a_write_that_is_over_counts_as_sent)
{
    static const struct { const char *params; enum ft_class class; } table[] = {
        { "{\"what\": \"file_write\", \"path\": \"x\", \"text\": \"1\", \"mode\": \"soft\"}", FT_AMBIGUOUS },
        { "{\"what\": \"file_write\", \"path\": \"x\", \"text\": \"1\", \"mode\": \"soft\"}", FT_TIMEOUT },      /* it was there already */
        { "{\"what\": \"file_read\", \"path\": \"x\", \"mode\": \"soft\"}", FT_TIMEOUT },
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        call_do("trial.write", table[i].params);
        expect_fail(table[i].params, table[i].class, "did not end");
        cr_expect_str_eq(out.progress, "written;");
    }
}

Test(host_files, a_dropped_call_writes_nothing_or_all)
{
    for (int i = 0; i < 20; i++) {
        struct ft_err err = { 0 };

        cr_assert_eq(start_with(&handler, "trial.write", FT_ENTRY_RUN, "{\"what\": \"file_write\", \"path\": \"d\", \"text\": \"whole\"}", false, &err), 0, "%s", err.text);
        if (i % 2)
            usleep((useconds_t)i * 50);
        ft_call_drop(out.call);
        ft_loop_run(loop);
        cr_expect_eq(out.dones + out.fails, 0);
    }
    call_do("trial.write", "{\"what\": \"file_write\", \"path\": \"d\", \"text\": \"whole\"}");
    cr_expect_eq(out.dones, 1, "what was left is not whole: %s", out.text);
    expect_nothing_late();
}

Test(host, children_get_input_and_are_bounded)
{
    call_do("trial.read", "{\"what\": \"exec\", \"text\": \"cat; exit 3\"}");
    expect_done("exec", 3);
    cr_expect_str_eq(ft_json_str(out.result, "text"), "given");
    call_do("trial.read", "{\"what\": \"exec\", \"text\": \"head -c 100000 /dev/zero\"}");
    expect_fail("too much", FT_INVALID, "more than is allowed");
    call_do("trial.read", "{\"what\": \"exec\", \"text\": \"kill -9 $$\"}");
    expect_fail("killed", FT_REFUSED, "signal 9");
    call_do("trial.read", "{\"what\": \"exec\", \"text\": \"echo $TRIAL_TOKEN\"}");
    cr_expect_str_eq(ft_json_str(out.result, "text"), "\n", "the environment is not handed on");
}

Test(host, blocking_work_comes_back_and_is_released)
{
    call_do("trial.read", "{\"what\": \"work\", \"n\": 21, \"ms\": 1}");
    expect_done("work", 42);
    struct ft_err err = { 0 };

    cr_assert_eq(start_with(&handler, "trial.read", FT_ENTRY_RUN, "{\"what\": \"work\", \"ms\": 20}", false, &err), 0);
    ft_call_drop(out.call);
    ft_loop_run(loop);
    expect_nothing_late();
    cr_expect_eq(ft_json_int(out.result, "released", 0), 2, "the job of a dropped call is released, too");
}

/* ---- budgets: 3600 an hour, a burst of 180 */

Test(host, a_budget_is_shared_and_lets_through_what_it_says)
{
    uint64_t before = ft_clock_mono_us(the_clock), burst, hour;

    call_do("trial.read", "{\"what\": \"budget\", \"n\": 180}");
    expect_done("the burst", 180);
    burst = ft_clock_mono_us(the_clock) - before;
    cr_expect_lt(burst, 1000, "%lu us", (unsigned long)burst);
    call_do("trial.read", "{\"what\": \"budget\", \"n\": 2}");
    expect_done("after it", 2);
    hour = ft_clock_mono_us(the_clock) - before;
    cr_expect(hour >= 2000000 && hour < 3000000, "two more took %lu us", (unsigned long)hour);
    call_do("trial.read", "{\"what\": \"budget\", \"n\": 50}");
    expect_fail("what does not fit before the deadline", FT_TIMEOUT, "5 s");
    expect_nothing_late();
}

/* ---- secrets */

Test(host, a_secret_learnt_from_an_answer_shows_nowhere)
{
    call_do("trial.read", "{\"what\": \"learn\"}");
    cr_expect_str_eq(out.progress, "logged in with ***;");
    expect_fail("learn", FT_REFUSED, "not with ***");
}

Test(host, secret_parameters_are_read_at_the_last_moment)
{
    setenv("TRIAL_SHORT", "sesame-short", 1);
    call_do("trial.read", "{\"what\": \"fail\", \"n\": 2, \"text\": \"as sesame-short\", \"password\": {\"$secret\": {\"env\": \"TRIAL_SHORT\"}}}");
    expect_fail("fail", FT_REFUSED, "it said as ***");
}

/* What a server answered may be handed on whole, and may look like a reference: it is data, and nothing is read from this machine for it. */
Test(host, what_looks_like_a_reference_is_read_only_where_a_secret_belongs)
{
    json_t *inner, *body;

    setenv("TRIAL_SHORT", "sesame-short", 1);
    call_do("trial.read", "{\"what\": \"echo\", \"any\": {\"from\": [{\"$secret\": {\"env\": \"TRIAL_SHORT\"}}], \"$secret\": {\"vault\": \"kv/data/x#y\"}}}");
    body = json_object_get(json_object_get(out.result, "arg"), "from");
    inner = json_object_get(json_object_get(json_array_get(body, 0), "$secret"), "env");
    cr_expect_str_eq(json_string_value(inner), "TRIAL_SHORT", "the parameter went on as it was");
}

/* ---- configuration */

Test(host, a_wrong_configuration_says_what_to_edit)
{
    static const struct { const char *config, *says[3]; } table[] = {
        { "{}", { "not configured", "plugins.trial", "/etc/fettle.yaml" } },
        { "{\"plugins\": {\"trial\": {}}}", { "token", "plugins.trial", "/etc/fettle.yaml" } },
        { "{\"plugins\": {\"trial\": {\"token\": \"in-the-open\"}}}", { "{env: NAME}", "plugins.trial.token", "/etc/fettle.yaml" } },
        { "{\"plugins\": {\"trial\": {\"token\": {\"env\": \"NOT_SET\"}}}}", { "NOT_SET is not set", "plugins.trial.token", "/etc/fettle.yaml" } },
        { "{\"plugins\": {\"trial\": {\"token\": {\"file\": \"/nowhere\"}}}}", { "/nowhere", "plugins.trial.token", "/etc/fettle.yaml" } },
        { "{\"plugins\": {\"trial\": {\"token\": {\"env\": \"TRIAL_TOKEN\"}, \"tokn\": 1}}}", { "tokn", "/etc/fettle.yaml", "" } },
        { "{\"plugins\": {\"trial\": {\"token\": {\"env\": \"TRIAL_TOKEN\"}, \"broken\": \"yes\"}}}", { "broken", "/etc/fettle.yaml", "" } },
        { "{\"plugins\": {\"trial\": {\"token\": {\"env\": \"TRIAL_TOKEN\"}, \"peers\": [{\"key\": {\"env\": \"NOT_SET\"}}]}}}", { "plugins.trial.peers[0].key", "NOT_SET", "" } },
        { "{\"plugins\": {\"trial\": {\"token\": {\"env\": \"TRIAL_TOKEN\"}, \"broken\": true}}}", { "will not open with ***", "plugin trial", "" } },
    };

    unsetenv("NOT_SET");
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct ft_err err = { 0 };
        int r;

        registry = ft_registry_free(registry);
        json_decref(config);
        registry_up(table[i].config);
        r = start_with(&handler, "trial.read", FT_ENTRY_RUN, "{\"what\": \"echo\"}", false, &err);
        cr_expect_lt(r, 0, "%s was taken", table[i].config);
        for (size_t s = 0; s < ARRAY_LEN(table[i].says); s++)
            cr_expect(strstr(err.text, table[i].says[s]), "%s: '%s' is not in: %s", table[i].config, table[i].says[s], err.text);
        cr_expect_null(strstr(err.text, "in-the-open"), "%s: the text of the secret shows: %s", table[i].config, err.text);
        cr_expect_null(strstr(err.text, "sesame"), "%s", err.text);
        if (i < 8)
            cr_expect_lt(ft_registry_doctor(registry, "trial", &err), 0, "the doctor sees nothing wrong with %s", table[i].config);
    }
}
