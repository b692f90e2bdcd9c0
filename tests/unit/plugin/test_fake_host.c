/* The fake host does what the real one does (test_host.c), with scripts for the outside, and stops tests of plugins that break the rules. */
#include <criterion/criterion.h>
#include <signal.h>
#include "base/util.h"
#include "fake_host.h"

static struct fake_host *f;

static void setup(void)
{
    char *path = ft_asprintf("%s/test-plugins/trial.so", getenv("FETTLE_BUILD") ? getenv("FETTLE_BUILD") : ".");

    f = fake_host_new(path);
    fake_config(f, "{'token': 'sesame-open'}");
    free(path);
}

static void teardown(void) { f = fake_host_free(f); }
TestSuite(fake_host, .init = setup, .fini = teardown);

Test(fake_host, ends_as_the_real_one_does)
{
    static const struct { const char *action, *entry, *params; bool ok; enum ft_class class; const char *says; } table[] = {
        { "read",  "run",   "{'what': 'echo'}", true, 0, NULL },
        { "read",  "run",   "{'what': 'fail', 'n': 4, 'text': 'sesame-open'}", false, FT_NOT_FOUND, "it said ***" },
        { "read",  "run",   "{'what': 'refuse', 'text': 'x'}", false, FT_INVALID, "will not: x" },
        { "read",  "run",   "{'what': 'no_capability'}", false, FT_INVALID, "ssh" },
        { "read",  "run",   "{'what': 'wrong'}", false, FT_INVALID, "n" },
        { "read",  "run",   "{'what': 'silent'}", false, FT_TIMEOUT, "did not end in time" },
        { "read",  "run",   "{'what': 'tick', 'n': 3}", true, 0, NULL },
        { "read",  "run",   "{'what': 'work', 'n': 4}", true, 0, NULL },
        { "read",  "run",   "{'what': 'budget', 'n': 500}", true, 0, NULL },
        { "read",  "run",   "{'what': 'learn'}", false, FT_REFUSED, "not with ***" },
        { "read",  "run",   "{'wat': 'echo'}", false, FT_INVALID, "what" },
        { "write", "plan",  "{'what': 'x'}", true, 0, NULL },
        { "write", "plan",  "{'what': 'wrong'}", false, FT_INVALID, "summary" },
        { "write", "probe", "{'what': 'x'}", true, 0, NULL },
        { "write", "probe", "{'what': 'wrong'}", false, FT_INVALID, "happened" },
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const struct fake_result *r = fake_run(f, table[i].action, table[i].entry, table[i].params, NULL);

        cr_expect_eq(r->ok, table[i].ok, "%s: %s", table[i].params, r->error);
        if (table[i].ok)
            cr_expect_str_eq(r->error, "");
        else
            cr_expect(r->class == table[i].class && strstr(r->error, table[i].says), "%s: %s, %s", table[i].params, ft_class_name(r->class), r->error);
    }
}

Test(fake_host, moves_time_from_timer_to_timer)
{
    const struct fake_result *r = fake_run(f, "read", "run", "{'what': 'tick', 'n': 3, 'ms': 1000}", NULL);

    cr_expect_eq(r->took_ms, 3000);
    cr_expect(fake_equals(r->progress, "['1 of 3', '2 of 3']"));
    cr_expect(fake_equals(r->trace, "['timer 1000', 'timer 1000', 'timer 1000']"));
    r = fake_run(f, "read", "run", "{'what': 'silent'}", NULL);
    cr_expect_eq(r->took_ms, 5000);
    fake_timeout(f, 100);
    r = fake_run(f, "read", "run", "{'what': 'silent'}", NULL);
    cr_expect_eq(r->took_ms, 100);
    fake_timeout(f, 0);
    fake_cancel_after(f, 7);
    r = fake_run(f, "read", "run", "{'what': 'silent'}", NULL);
    cr_expect_eq(r->class, FT_CANCELLED);
    cr_expect_eq(r->took_ms, 7);
}

Test(fake_host, answers_requests_in_the_order_of_the_script)
{
    static const char *const request = "{'what': 'http', 'n': 0, 'text': 'http://h/a/b?x=1'}";
    const struct fake_result *r;

    FAKE_HTTP(f, .method = "GET", .url = "/a/b", .status = 200, .body = "one");
    FAKE_HTTP(f, .method = "GET", .url = "/a/b?x=1", .status = 201, .body = "two");
    FAKE_HTTP(f, .method = "POST", .url = "/a/b?x=1", .status = 299, .body = "never");
    r = fake_run(f, "read", "run", request, NULL);
    cr_expect_str_eq(fake_str(r->result, "text"), "one");
    for (int i = 0; i < 2; i++) {
        r = fake_run(f, "read", "run", request, NULL);
        cr_expect_eq(fake_int(r->result, "n"), 201, "the last one is used again");
    }
    cr_expect_str_eq(fake_str(r->requests, "0.method"), "GET");
    cr_expect_str_eq(fake_str(r->requests, "0.url"), "http://h/a/b?x=1");
    cr_expect_str_eq(fake_str(r->requests, "0.headers.X-Note"), "n");
    r = fake_run(f, "read", "run", "{'what': 'http', 'n': 0, 'text': 'http://h/other'}", NULL);
    cr_expect_eq(r->class, FT_UNREACHABLE);
    cr_expect(strstr(r->error, "no answer scripted"), "%s", r->error);
}

Test(fake_host, statuses_and_faults_have_their_class)
{
    static const struct { int status; enum ft_class fault, read, write; } table[] = {
        { 401, 0, FT_DENIED, FT_DENIED }, { 404, 0, FT_NOT_FOUND, FT_NOT_FOUND }, { 409, 0, FT_CONFLICT, FT_CONFLICT }, { 400, 0, FT_INVALID, FT_INVALID },
        { 429, 0, FT_REFUSED, FT_REFUSED }, { 500, 0, FT_REFUSED, FT_REFUSED }, { 504, 0, FT_REFUSED, FT_AMBIGUOUS }, { 302, 0, FT_INVALID, FT_INVALID },
        { 0, FT_UNREACHABLE, FT_UNREACHABLE, FT_UNREACHABLE }, { 0, FT_AMBIGUOUS, FT_AMBIGUOUS, FT_AMBIGUOUS },
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        teardown();
        setup();
        FAKE_HTTP(f, .status = table[i].status, .fault = table[i].fault, .why = "the script says so");
        cr_expect_eq(fake_run(f, "read", "run", "{'what': 'http', 'n': 0, 'text': 'http://h/'}", NULL)->class, table[i].read, "%d", table[i].status);
        cr_expect_eq(fake_run(f, "write", "run", "{'what': 'http', 'n': 1, 'text': 'http://h/'}", NULL)->class, table[i].write, "%d as a write", table[i].status);
    }
}

Test(fake_host, a_write_without_an_answer_is_ambiguous_at_the_deadline)
{
    const struct fake_result *r;

    FAKE_HTTP(f, .status = 200, .after_ms = 60000);
    r = fake_run(f, "write", "run", "{'what': 'http', 'n': 1, 'text': 'http://h/'}", NULL);
    cr_expect_eq(r->class, FT_AMBIGUOUS, "%s", r->error);
    cr_expect(fake_equals(fake_at(r->requests, "0.json.n"), "1"));
    r = fake_run(f, "read", "run", "{'what': 'http', 'n': 0, 'text': 'http://h/'}", NULL);
    cr_expect_eq(r->class, FT_TIMEOUT);
}

Test(fake_host, plays_dialogues)
{
    static const struct fake_line lines[] = { { NULL, "login: ", false }, { "ping", "pong", false }, { NULL, "!", false }, { NULL, NULL, false } };
    const struct fake_result *r;

    for (size_t chunk = 0; chunk < 4; chunk++) {
        teardown();
        setup();
        FAKE_STREAM(f, .kind = "tcp", .host = "127.0.0.1", .lines = lines, .chunk = chunk);
        r = fake_run(f, "read", "run", "{'what': 'tcp', 'n': 99, 'text': 'ping'}", NULL);
        cr_expect_str_eq(fake_str(r->result, "text"), "login: pong!", "in chunks of %zu", chunk);
        cr_expect_str_eq(fake_str(r->streams, "0.sent"), "ping");
        cr_expect_eq(fake_int(r->streams, "0.port"), 99);
    }
    teardown();
    setup();
    FAKE_STREAM(f, .kind = "tcp", .refuse = FT_UNREACHABLE, .why = "connect: refused");
    r = fake_run(f, "read", "run", "{'what': 'tcp', 'text': 'ping'}", NULL);
    cr_expect(r->class == FT_UNREACHABLE && strstr(r->error, "refused"), "%s", r->error);
    teardown();
    setup();
    FAKE_STREAM(f, .kind = "tcp", .exit_status = 4);
    r = fake_run(f, "read", "run", "{'what': 'tcp', 'text': 'ping'}", NULL);
    cr_expect_eq(fake_int(r->result, "n"), 4, "%s", r->error);
    teardown();
    setup();
    FAKE_STREAM(f, .kind = "tcp", .stays_open = true);
    r = fake_run(f, "read", "run", "{'what': 'tcp', 'text': 'ping'}", NULL);
    cr_expect_eq(r->class, FT_TIMEOUT);
}

static size_t reversed(void *arg, const char *bytes, size_t len, char *reply, size_t room)
{
    unsigned *asked = arg;

    cr_assert_lt(len + 1, room);
    if ((*asked)++ == 0 && len == 3)
        return 0;
    for (size_t i = 0; i < len; i++)
        reply[i] = bytes[len - 1 - i];
    reply[len] = '!';
    return len + 1;
}

static size_t hangs_up(void *arg, const char *bytes, size_t len, char *reply, size_t room)
{
    (void)arg, (void)bytes, (void)len, (void)reply, (void)room;
    return FAKE_CLOSES;
}

Test(fake_host, computes_answers)
{
    static const char *const whats[] = { "udp", "tcp", "websocket" };

    for (size_t i = 0; i < ARRAY_LEN(whats); i++) {
        char *params = ft_asprintf("{'what': '%s', 'n': 99, 'text': 'ping'}", whats[i]);
        unsigned asked = 0;
        const struct fake_result *r;

        FAKE_STREAM(f, .kind = whats[i], .answer = reversed, .answer_arg = &asked, .answer_ms = 40, .chunk = 2);
        r = fake_run(f, "read", "run", params, NULL);
        cr_expect_str_eq(fake_str(r->result, "text"), "gnip!", "%s: %s", whats[i], r->error);
        cr_expect_eq(asked, 1);
        cr_expect_eq(r->took_ms, 40);
        cr_expect_str_eq(fake_str(r->streams, "0.sent"), "ping");
        cr_expect_str_eq(fake_str(r->streams, "0.sent_hex"), "70696e67");
        cr_expect(fake_equals(fake_at(r->streams, "0.writes"), "['70696e67']"));
        teardown();
        setup();
        FAKE_STREAM(f, .kind = whats[i], .answer = hangs_up, .close_class = FT_REFUSED, .why = "hung up");
        r = fake_run(f, "read", "run", params, NULL);
        cr_expect(r->class == FT_REFUSED && strstr(r->error, "hung up"), "%s: %s", whats[i], r->error);
        teardown();
        setup();
        asked = 0;
        FAKE_STREAM(f, .kind = whats[i], .answer = reversed, .answer_arg = &asked);
        r = fake_run(f, "read", "run", "{'what': 'udp', 'text': 'abc'}", NULL);
        cr_expect_eq(r->class, i ? FT_UNREACHABLE : FT_TIMEOUT, "an answer of nothing is none");
        free(params);
    }
}

Test(fake_host, shows_what_was_asked_of_a_websocket)
{
    const struct fake_result *r;

    FAKE_STREAM(f, .kind = "websocket", .host = "ws://127.0.0.1:80/stream", .lines = (const struct fake_line[]){ { NULL, "a\0!", false, 3 }, { NULL, NULL } });
    r = fake_run(f, "read", "run", "{'what': 'websocket', 'n': 80, 'text': 'x'}", NULL);
    cr_expect_str_eq(fake_str(r->streams, "0.host"), "ws://127.0.0.1:80/stream");
    cr_expect_str_eq(fake_str(r->streams, "0.headers.Authorization"), "Token sesame-open");
    cr_expect(fake_equals(r->trace, "['websocket ws://127.0.0.1:80/stream']"));
}

Test(fake_host, keeps_files)
{
    static const char *const write = "{'what': 'file_write', 'path': 'a/b', 'text': 'abc'}";
    const struct fake_result *r = fake_run(f, "write", "run", write, NULL);

    cr_expect(fake_equals(r->files, "[{'path': '/fake/files/a/b', 'len': 3, 'text': 'abc', 'hex': '616263',"
                                    "'sha256': 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'}]"));
    cr_expect(fake_equals(r->trace, "['file_write a/b']"));
    r = fake_run(f, "write", "run", write, NULL);
    cr_expect(r->ok && json_array_size(r->files) == 0, "the same content is fine, and not written again");
    r = fake_run(f, "write", "run", "{'what': 'file_write', 'path': 'a/b', 'text': 'abd'}", NULL);
    cr_expect_eq(r->class, FT_CONFLICT, "%s", r->error);
    r = fake_run(f, "read", "run", "{'what': 'file_read', 'path': 'a/b', 'n': 0}", NULL);
    cr_expect_str_eq(fake_str(r->result, "text"), "abc");
    r = fake_run(f, "read", "run", "{'what': 'file_read', 'path': 'a/b', 'n': 2}", NULL);
    cr_expect_eq(r->class, FT_INVALID);
    r = fake_run(f, "read", "run", "{'what': 'file_read', 'path': '/etc/x'}", NULL);
    cr_expect_eq(r->class, FT_NOT_FOUND);
    fake_file(f, "/etc/x", "there", 5);
    r = fake_run(f, "read", "run", "{'what': 'file_read', 'path': '/etc/x', 'n': 0}", NULL);
    cr_expect_str_eq(fake_str(r->result, "text"), "there");
    r = fake_run(f, "read", "run", "{'what': 'file_read', 'path': '../x'}", NULL);
    cr_expect(r->class == FT_INVALID && strstr(r->error, "not plain"), "%s", r->error);
    fake_file_fault(f, "full", FT_REFUSED, "the disk is full");
    r = fake_run(f, "write", "run", "{'what': 'file_write', 'path': 'full', 'text': 'x'}", NULL);
    cr_expect(r->class == FT_REFUSED && strstr(r->error, "/fake/files/full: the disk is full"), "%s", r->error);
    r = fake_run(f, "write", "run", "{'what': 'file_write', 'path': 'waits', 'text': 'x', 'mode': 'soft'}", NULL);
    cr_expect_eq(r->class, FT_AMBIGUOUS, "%s", r->error);
}

Test(fake_host, runs_no_program)
{
    const struct fake_result *r;

    FAKE_EXEC(f, .command = "sh -c", .exit_status = 2, .out = "said");
    r = fake_run(f, "read", "run", "{'what': 'exec', 'text': 'rm -rf /'}", NULL);
    cr_expect_eq(fake_int(r->result, "n"), 2);
    cr_expect_str_eq(fake_str(r->result, "text"), "said");
    cr_expect(fake_equals(r->execs, "[{'argv': ['sh', '-c', 'rm -rf /'], 'input': 'given'}]"));
}

Test(fake_host, shows_what_was_kept_and_given)
{
    const struct fake_result *r = fake_run(f, "write", "run", "{'what': 'keep'}", "{'from': 'the plan'}");

    cr_expect(fake_equals(r->kept, "{'old': 'value'}"));
    cr_expect(fake_equals(fake_at(r->result, "receipt"), "{'from': 'the plan'}"));
    cr_expect(fake_equals(r->trace, "['keep']"));
    r = fake_run(f, "write", "plan", "{'what': 'x'}", NULL);
    cr_expect_str_eq(fake_str(r->result, "requests.0.url"), "https://api.test/x?token=***");
}

Test(fake_host, a_wrong_configuration_fails_the_call)
{
    const struct fake_result *r;

    fake_config(f, "{}");
    r = fake_run(f, "read", "run", "{'what': 'echo'}", NULL);
    cr_expect(!r->ok && strstr(r->error, "token"), "%s", r->error);
    fake_config(f, "{'token': 'sesame-open', 'broken': true}");
    r = fake_run(f, "read", "run", "{'what': 'echo'}", NULL);
    cr_expect(!r->ok && strstr(r->error, "will not open with ***"), "%s", r->error);
}

/* ---- bugs of a plugin end the test */

/* A sanitizer would take the signal for itself. */
static void setup_to_abort(void)
{
    signal(SIGABRT, SIG_DFL);
    setup();
}

TestSuite(fake_host_stops, .init = setup_to_abort);

Test(fake_host_stops, two_ends, .signal = SIGABRT) { fake_run(f, "read", "run", "{'what': 'twice'}", NULL); }
Test(fake_host_stops, an_end_and_a_negative_start, .signal = SIGABRT) { fake_run(f, "read", "run", "{'what': 'both'}", NULL); }
Test(fake_host_stops, something_begun_after_the_end, .signal = SIGABRT) { fake_run(f, "read", "run", "{'what': 'end_and_go_on'}", NULL); }
Test(fake_host_stops, an_end_without_a_result, .signal = SIGABRT) { fake_run(f, "read", "run", "{'what': 'no_result'}", NULL); }
Test(fake_host_stops, a_failure_without_a_class, .signal = SIGABRT) { fake_run(f, "read", "run", "{'what': 'fail', 'n': 0, 'text': 'x'}", NULL); }
Test(fake_host_stops, a_refusal_without_a_reason, .signal = SIGABRT) { fake_run(f, "read", "run", "{'what': 'refuse_speechless'}", NULL); }
Test(fake_host_stops, a_request_without_a_size, .signal = SIGABRT) { fake_run(f, "read", "run", "{'what': 'no_size'}", NULL); }
Test(fake_host_stops, an_action_that_is_not_there, .signal = SIGABRT) { fake_run(f, "raed", "run", "{}", NULL); }
