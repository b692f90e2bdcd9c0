/* SSH through jump hosts: two real sshds, one of which is the way to the other; each case with both libraries. */
#include "test_ssh_server.h"
#include <stddef.h>

static pid_t jump_sshd;
static uint16_t jump_port, target_port;

/* The jump host has hk_ed25519 and id_ed25519, the target hk_target and id_target: nothing of one opens the other. */
static void start_jump(const char *options)
{
    pid_t target = sshd;

    sshd_port = jump_port;
    start_sshd("hk_ed25519", text("%s\nAuthorizedKeysFile %s/jump_keys", options, dir));
    jump_port = sshd_port;
    jump_sshd = sshd;
    sshd = target;
    sshd_port = target_port;
}

static void stop_jump(void)
{
    if (jump_sshd > 0) {
        signal_tree(jump_sshd, SIGKILL);
        waitpid(jump_sshd, NULL, 0);
    }
    jump_sshd = 0;
}

static void trust_all(void)
{
    sshd_port = jump_port;
    trust("jump_hosts", "hk_ed25519");
    sshd_port = target_port;
    trust("target_hosts", "hk_target");
}

static void begin_plain(void)
{
    begin_files();
    make_key("hk_target", "ed25519", "");
    make_key("id_target", "ed25519", "");
    shell("mv %s/authorized_keys %s/jump_keys; cp %s/id_target.pub %s/authorized_keys", dir, dir, dir, dir);
    loop = ft_loop_new(NULL);
    ssh = ft_ssh_new(loop, NULL);
    start_sshd("hk_target", "");
    target_port = sshd_port;
}

static void begin(void)
{
    begin_plain();
    start_jump("");
    trust_all();
}

static void end(void)
{
    ssh = ft_ssh_free(ssh);
    loop = ft_loop_free(loop);
    stop_jump();
    end_files();
}

TestSuite(jump, .init = begin, .fini = end, .timeout = 60);
TestSuite(jump_faults, .init = begin_plain, .fini = end, .timeout = 60);

static struct ft_ssh_req jump_with(const char *library)
{
    struct ft_ssh_req req = login_with(library, "id_ed25519");

    req.port = jump_port;
    req.known_hosts = in_dir("jump_hosts");
    return req;
}

static struct ft_ssh_req target_with(const char *library, const struct ft_ssh_req *jump)
{
    struct ft_ssh_req req = login_with(library, "id_target");

    req.port = target_port;
    req.known_hosts = in_dir("target_hosts");
    req.jump = jump;
    return req;
}

static struct ft_ssh_stats stats(void)
{
    struct ft_ssh_stats now;

    ft_ssh_stats(ssh, &now);
    return now;
}

static void expect(struct ft_ssh_req req, enum ft_class class, const char *says)
{
    struct said said = { 0 };

    req.command = "echo in";
    converse(&said, req);
    cr_expect_eq(said.class, class, "%s: %s: %s (not: %s)", req.library, ft_class_name(said.class), said.why, says);
    cr_expect(strstr(said.why, says), "%s: '%s' lacks '%s'", req.library, said.why, says);
    cr_expect_eq(said.out.len > 0, class == FT_CLASS_NONE);
    forget(&said);
}

/* ---- it works ---- */

Test(jump, leads_to_the_target_whichever_library_does_which_hop)
{
    for (size_t i = 0; i < 4; i++) {
        struct ft_ssh_req via = jump_with(libraries[i / 2]), req = target_with(libraries[i % 2], &via);
        struct said said = { .input = "to and fro" };
        struct ft_ssh_stats before = stats();

        req.command = "cat; echo err >&2; echo $SSH_CONNECTION; exit 3";
        for (int n = 0; n < 3; n++) {
            said.input = "to and fro\n";
            converse(&said, req);
            cr_expect_eq(said.exit_status, 3, "%s through %s: %s", req.library, via.library, said.why);
            cr_expect_eq(strncmp(ft_buf_str(&said.out), "to and fro\n127.0.0.1 ", 21), 0, "%s", ft_buf_str(&said.out));
            cr_expect_str_eq(ft_buf_str(&said.err), "err\n");
            forget(&said);
        }
        cr_expect_eq(stats().channels_opened - before.channels_opened, 3, "a way is no channel of anybody");
        cr_expect_eq(stats().sessions_opened - before.sessions_opened, i % 2 ? 1 : 2, "%s through %s: the jump host's session is shared", req.library, via.library);
    }
    cr_expect_eq(stats().sessions_open, 6);
}

Test(jump, carries_much_in_both_directions_at_once)
{
    size_t len = 3500000;
    char *input = ft_calloc(1, len);

    for (size_t i = 0; i < len; i++)
        input[i] = (char)(i * 31 >> 3);
    for (size_t i = 0; i < 4; i++) {
        struct ft_ssh_req via = jump_with(libraries[i / 2]), req = target_with(libraries[i % 2], &via);
        struct said both = { .input = input, .input_len = len }, flood = { 0 };

        req.command = "cat";
        open_channel(&both, req);
        req.command = "head -c 10000000 /dev/zero; exit 4";
        converse(&flood, req);
        cr_expect_eq(flood.out.len, 10000000, "%s through %s: %zu: %s", req.library, via.library, flood.out.len, flood.why);
        cr_expect_eq(flood.exit_status, 4);
        cr_expect(both.out.len == len && memcmp(both.out.data, input, len) == 0, "%s through %s: %zu: %s", req.library, via.library, both.out.len, both.why);
        forget(&both);
        forget(&flood);
    }
    free(input);
}

Test(jump, may_be_behind_another_up_to_four)
{
    for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
        struct ft_ssh_req hops[5], req;
        struct ft_ssh_stats before = stats();
        struct ft_stream *stream;
        struct ft_err err;

        for (size_t n = 0; n < 5; n++) {
            hops[n] = jump_with(libraries[i]);
            hops[n].jump = n ? &hops[n - 1] : NULL;
        }
        req = target_with(libraries[i], &hops[3]);
        expect(req, FT_CLASS_NONE, "status 0");
        cr_expect_eq(stats().sessions_opened - before.sessions_opened, 5);
        req.jump = &hops[4];
        req.command = "true";
        cr_expect_lt(ft_ssh_open(ssh, &req, &handler, NULL, &stream, &err), 0);
        cr_expect_eq(err.class, FT_INVALID);
        cr_expect(strstr(err.text, "more than 4 jump hosts"), "%s", err.text);
        ft_ssh_free(ssh);                         /* in whatever order the hops are freed */
        ssh = ft_ssh_new(loop, NULL);
    }
}

Test(jump, is_part_of_what_sessions_are_shared_by)
{
    for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
        struct ft_ssh_req a = jump_with(libraries[i]), b = a;
        struct ft_ssh_stats before = stats();

        b.host = "localhost";
        b.known_hosts = in_dir("by_name");
        shell("rm -f %s/by_name; sed 's/127.0.0.1/localhost/' %s/jump_hosts > %s/by_name", dir, dir, dir);
        for (int n = 0; n < 2; n++) {
            expect(target_with(libraries[i], &a), FT_CLASS_NONE, "status 0");
            expect(target_with(libraries[i], &b), FT_CLASS_NONE, "status 0");
            expect(target_with(libraries[i], NULL), FT_CLASS_NONE, "status 0");
        }
        cr_expect_eq(stats().sessions_opened - before.sessions_opened, 5, "two ways, each with a session of its jump host, and direct");
    }
}

Test(jump, is_not_read_of_a_request_that_is_too_short_for_it)
{
    struct ft_ssh_req req = target_with("libssh", (const struct ft_ssh_req *)(uintptr_t)0xdead0000);

    req.size = offsetof(struct ft_ssh_req, jump);
    req.keepalive_s = 1;
    expect(req, FT_CLASS_NONE, "status 0");
}

Test(jump, for_many_at_once)
{
    static struct said said[40];

    for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
        struct ft_ssh_req via = jump_with(libraries[i]), req = target_with(libraries[i], &via);
        struct ft_ssh_stats before = stats();

        req.command = "head -c 200000 /dev/zero; exit 5";
        for (size_t n = 0; n < ARRAY_LEN(said); n++)
            open_channel(&said[n], req);
        for (size_t n = 0; n < ARRAY_LEN(said); n += 4)
            forget(&said[n]);                     /* nobody waits for these any more */
        ft_loop_run(loop);
        for (size_t n = 0; n < ARRAY_LEN(said); n++) {
            if (n % 4 == 0)
                continue;
            cr_expect_eq(said[n].exit_status, 5, "%s %zu: %s", libraries[i], n, said[n].why);
            cr_expect_eq(said[n].out.len, 200000);
            forget(&said[n]);
        }
        cr_expect_leq(stats().sessions_opened - before.sessions_opened, 6, "eight channels a session, and one of the jump host");
    }
}

static void no_more(void *unused)
{
    (void)unused;
}

Test(jump, sessions_end_one_behind_the_other_and_leave_nothing)
{
    struct ft_clock *clock = ft_clock_manual_new(0);
    struct ft_loop *real = loop;
    unsigned files = 0;

    ft_ssh_free(ssh);
    for (size_t i = 0; i < 2 * ARRAY_LEN(libraries); i++) {
        struct ft_ssh_req via = jump_with(libraries[i % 2]);

        loop = ft_loop_new(clock);
        ssh = ft_ssh_new(loop, NULL);
        expect(target_with(libraries[i % 2], &via), FT_CLASS_NONE, "status 0");
        cr_expect_eq(stats().sessions_open, 2);
        ft_timer_start(loop, 59000, no_more, NULL);
        ft_loop_run(loop);
        cr_expect_eq(stats().sessions_open, 2, "%s: an idle session keeps its jump host", libraries[i % 2]);
        ft_timer_start(loop, 62000, no_more, NULL);
        ft_loop_run(loop);
        cr_expect_eq(stats().sessions_open, 0, "%s: %u", libraries[i % 2], stats().sessions_open);
        ssh = ft_ssh_free(ssh);
        loop = ft_loop_free(loop);
        if (i < 2)
            files = open_files();
    }
    cr_expect_eq(open_files(), files, "%u, earlier %u", open_files(), files);
    ft_clock_free(clock);
    loop = real;
}

/* ---- and when it does not, it says which hop ---- */

static int listen_dumbly(uint16_t *ret_port)
{
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(any);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_eq(bind(fd, (struct sockaddr *)&any, len), 0);
    listen(fd, 10);
    getsockname(fd, (struct sockaddr *)&any, &len);
    *ret_port = ntohs(any.sin_port);
    return fd;
}

Test(jump_faults, say_which_hop)
{
    uint16_t dumb;
    int fd = listen_dumbly(&dumb);

    make_key("hk_other", "ed25519", "");
    start_jump(text("PermitOpen 127.0.0.1:%u 127.0.0.1:2 127.0.0.1:%u", target_port, dumb));
    trust_all();
    sshd_port = target_port;
    trust("wrong_hosts", "hk_other");
    for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
        const struct ft_ssh_req good = jump_with(libraries[i]);
        struct ft_ssh_req via = good, req = target_with(libraries[i], &via);
        char jump[100], behind[200];

        snprintf(jump, sizeof(jump), "through jump host %s@127.0.0.1:%u: ", user, jump_port);
        snprintf(behind, sizeof(behind), "ssh %s@127.0.0.1:%u (behind %s@127.0.0.1:%u): ", user, target_port, user, jump_port);
#define AT_JUMP(says) text("%s%s", jump, says)
        via.key_file = in_dir("id_target");
        expect(req, FT_DENIED, AT_JUMP("not let in: key_file"));
        via = good;
        via.known_hosts = in_dir("target_hosts");
        expect(req, FT_UNREACHABLE, AT_JUMP("the host key (ssh-ed25519"));
        via = good;
        via.port = 1;
        expect(req, FT_UNREACHABLE, text("ssh %s@127.0.0.1:%u: through jump host %s@127.0.0.1:1: connection refused", user, target_port, user));
        via = good;
        via.port = dumb;
        via.connect_timeout_ms = 50;
        expect(req, FT_TIMEOUT, "the login was not over in time");
        via = good;
        req.port = 2;
        expect(req, FT_UNREACHABLE, AT_JUMP("it gets no connection to 127.0.0.1:2"));
        req.port = 3;
        expect(req, FT_DENIED, AT_JUMP("it does not allow connections to 127.0.0.1:3"));
        req.port = dumb;
        req.connect_timeout_ms = 50;
        expect(req, FT_TIMEOUT, text("%u (behind %s@127.0.0.1:%u): connected, but the login was not over in time", dumb, user, jump_port));
        req = target_with(libraries[i], &via);
        req.known_hosts = in_dir("wrong_hosts");
        expect(req, FT_UNREACHABLE, text("%sthe host key has CHANGED", behind));
        req = target_with(libraries[i], &via);
        req.key_file = in_dir("id_ed25519");
        expect(req, FT_DENIED, text("%snot let in: key_file", behind));
        expect(target_with(libraries[i], &via), FT_CLASS_NONE, "status 0");
    }
    close(fd);
}

Test(jump_faults, errors_of_use)
{
    struct ft_ssh_req via = { .size = sizeof(via), .host = "j", .user = "u", .known_hosts = "/k" };
    struct ft_ssh_req req = { .size = sizeof(req), .host = "h", .user = "u", .known_hosts = "/k", .command = "c", .jump = &via };
    struct ft_ssh_req wrong[] = { via, via, via, via };
    static const char *const says[] = { "an SSH jump host needs a host", "the SSH jump host to j needs a user",
                                        "the SSH jump host to j needs a known_hosts file", "ssh.library 'dropbear' is unknown" };
    struct ft_stream *stream;
    struct ft_err err;

    wrong[0].host = NULL;
    wrong[1].user = "";
    wrong[2].known_hosts = NULL;
    wrong[3].library = "dropbear";
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        req.jump = &wrong[i];
        cr_expect_lt(ft_ssh_open(ssh, &req, &handler, NULL, &stream, &err), 0);
        cr_expect_eq(err.class, FT_INVALID, "%s", err.text);
        cr_expect(strstr(err.text, says[i]), "%s", err.text);
    }
}

/* ---- a jump host that goes away ---- */

static void (*strike)(void);

static void strike_in_data(void *arg, struct ft_stream *stream, const char *bytes, size_t len, bool is_stderr)
{
    on_data(arg, stream, bytes, len, is_stderr);
    if (strike)
        strike();
    strike = NULL;
}

static const struct ft_stream_handler striking = { on_opened, strike_in_data, on_closed };

Test(jump_faults, killed_in_the_middle_and_replaced)
{
    start_jump("");
    trust_all();
    for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
        struct ft_ssh_req via = jump_with(libraries[i]), req = target_with(libraries[i], &via);
        struct said said = { .keep_open = true };

        if (!jump_sshd)
            start_jump("");
        req.command = "echo here; cat";
        said.out = said.err = FT_BUF_INIT(0);
        strike = stop_jump;
        cr_assert_eq(ft_ssh_open(ssh, &req, &striking, &said, &said.stream, NULL), 0);
        ft_loop_run(loop);
        cr_expect_eq(said.class, FT_UNREACHABLE);
        cr_expect_str_eq(ft_buf_str(&said.out), "here\n");
        cr_expect(strstr(said.why, "through jump host"), "%s: %s", libraries[i], said.why);
        forget(&said);
        expect(req, FT_UNREACHABLE, "connection refused");
        start_jump("");
        expect(req, FT_CLASS_NONE, "status 0");
        stop_jump();
        start_jump("");
        expect(req, FT_CLASS_NONE, "status 0");   /* both kept sessions are dead, and both are made anew */
    }
}

/* On a clock that the test moves: one that stopped, at either hop, is noticed by its silence. */
static struct ft_clock *manual;
static struct ft_wake *tick;
static pid_t to_stop;

static void pass(void *unused)
{
    (void)unused;
    ft_clock_advance(manual, 250000);
    ft_wake_send(tick);
}

static void stop_and_tick(void)
{
    signal_tree(to_stop, SIGSTOP);
    ft_wake_send(tick);
}

Test(jump_faults, that_fall_silent_are_noticed_at_either_hop)
{
    start_jump("");
    trust_all();
    for (size_t i = 0; i < 2 * ARRAY_LEN(libraries); i++) {
        bool jump_stops = i / 2;
        struct ft_ssh_req via = jump_with(libraries[i % 2]), req = target_with(libraries[i % 2], &via);
        struct said said = { .keep_open = true };
        struct ft_loop *own;
        struct ft_ssh *pool;

        manual = ft_clock_manual_new(0);
        own = ft_loop_new(manual);
        pool = ft_ssh_new(own, NULL);
        tick = ft_wake_new(own, pass, NULL);
        to_stop = jump_stops ? jump_sshd : sshd;
        via.keepalive_s = jump_stops ? 2 : 1000;
        req.keepalive_s = jump_stops ? 1000 : 2;
        req.command = "echo here; cat";
        said.out = said.err = FT_BUF_INIT(0);
        strike = stop_and_tick;
        cr_assert_eq(ft_ssh_open(pool, &req, &striking, &said, &said.stream, NULL), 0);
        ft_loop_run(own);
        cr_expect_eq(said.class, FT_UNREACHABLE, "%s", said.why);
        cr_expect(strstr(said.why, "no sign of life for 6 s"), "%s: %s", libraries[i % 2], said.why);
        cr_expect_eq(strstr(said.why, "through jump host") != NULL, jump_stops, "%s", said.why);
        cr_expect_leq(ft_clock_mono_us(manual), 11000000, "six seconds after the first question: %u ms", (unsigned)(ft_clock_mono_us(manual) / 1000));
        forget(&said);
        ft_wake_free(tick);
        ft_ssh_free(pool);
        ft_loop_free(own);
        ft_clock_free(manual);
        signal_tree(to_stop, SIGCONT);
    }
}
