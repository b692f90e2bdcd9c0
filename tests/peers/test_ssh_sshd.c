/* SSH against Debian's own sshd, each case with both libraries. */
#include "test_ssh_server.h"

static void begin(void)
{
    begin_files();
    loop = ft_loop_new(NULL);
    ssh = ft_ssh_new(loop, NULL);
}

static void end(void)
{
    ssh = ft_ssh_free(ssh);
    loop = ft_loop_free(loop);
    end_files();
}

static void begin_trusted(void)
{
    begin();
    start_sshd("hk_ed25519", "");
    trust("known_hosts", "hk_ed25519");
}

TestSuite(channels, .init = begin_trusted, .fini = end, .timeout = 100);
TestSuite(host_keys, .init = begin, .fini = end, .timeout = 100);
TestSuite(logins, .init = begin, .fini = end, .timeout = 100);
TestSuite(algorithms, .init = begin, .fini = end, .timeout = 100);
TestSuite(faults, .init = begin, .fini = end, .timeout = 100);

/* ---- channels ---- */

static const struct {
    enum ft_ssh_kind kind;
    const char *command, *input;
    enum ft_class class;
    int exit_status;
    const char *out, *err, *why;
} dialogues[] = {
    { FT_SSH_EXEC, "echo out; echo err >&2; exit 3", NULL, FT_CLASS_NONE, 3, "out\n", "err\n", "ended with status 3" },
    { FT_SSH_EXEC, "true", NULL, FT_CLASS_NONE, 0, "", "", "ended with status 0" },
    { FT_SSH_EXEC, "cat", "to and fro", FT_CLASS_NONE, 0, "to and fro", "", "status 0" },
    { FT_SSH_EXEC, "echo only >&2", NULL, FT_CLASS_NONE, 0, "", "only\n", "status 0" },
    { FT_SSH_EXEC, "kill -TERM $$", NULL, FT_CLASS_NONE, -1, "", "", "ended by the signal TERM" },
    { FT_SSH_EXEC, "exec <&-; echo deaf", "nobody reads this", FT_CLASS_NONE, 0, "deaf\n", "", "status 0" },
    { FT_SSH_EXEC, "exec >&- 2>&-; exit 4", NULL, FT_CLASS_NONE, 4, "", "", "status 4" },
    { FT_SSH_SHELL, NULL, "echo $((6*7))\nexit 5\n", FT_CLASS_NONE, 5, "42\n", "", "status 5" },
    { FT_SSH_SUBSYSTEM, "echo", "<hello/>]]>]]>", FT_CLASS_NONE, 0, "<hello/>]]>]]>", "", "status 0" },
    { FT_SSH_SUBSYSTEM, "netconf", NULL, FT_REFUSED, -1, "", "", "the server has no such subsystem" },
};

Test(channels, say_what_the_command_says)
{
    for (size_t i = 0; i < 2 * ARRAY_LEN(dialogues); i++) {
        const typeof(dialogues[0]) *d = &dialogues[i / 2];
        struct ft_ssh_req req = login_with(libraries[i % 2], "id_ed25519");
        struct said said = { .input = d->input };

        req.kind = d->kind;
        req.command = d->command;
        converse(&said, req);
        cr_expect_eq(said.opened, d->class == FT_CLASS_NONE, "%s '%s'", req.library, d->command);
        cr_expect_eq(said.class, d->class, "%s '%s': %s", req.library, d->command, said.why);
        cr_expect_eq(said.exit_status, d->exit_status, "%s '%s': %d", req.library, d->command, said.exit_status);
        cr_expect_str_eq(ft_buf_str(&said.out), d->out, "%s '%s': '%s'", req.library, d->command, ft_buf_str(&said.out));
        cr_expect_str_eq(ft_buf_str(&said.err), d->err, "%s '%s': '%s'", req.library, d->command, ft_buf_str(&said.err));
        cr_expect(strstr(said.why, d->why), "%s '%s': %s", req.library, d->command, said.why);
        forget(&said);
    }
}

Test(channels, a_terminal_is_wide)
{
    for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
        struct ft_ssh_req req = login_with(libraries[i], "id_ed25519");
        struct said said = { .input = "stty size; echo $TERM; exit 6\n", .keep_open = true };

        req.kind = FT_SSH_SHELL_PTY;
        converse(&said, req);
        cr_expect(strstr(ft_buf_str(&said.out), "1000 512"), "%s: %s", req.library, ft_buf_str(&said.out));
        cr_expect(strstr(ft_buf_str(&said.out), "dumb"), "%s: %s", req.library, ft_buf_str(&said.out));
        cr_expect_eq(said.exit_status, 6);
        forget(&said);
    }
}

Test(channels, large_output_on_both_streams)
{
    for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
        struct ft_ssh_req req = login_with(libraries[i], "id_ed25519");
        struct said said = { 0 };

        req.command = "head -c 20000000 /dev/zero & head -c 10000000 /dev/zero >&2; wait; exit 9";
        converse(&said, req);
        cr_expect_eq(said.out.len, 20000000, "%s: %zu", req.library, said.out.len);
        cr_expect_eq(said.err.len, 10000000, "%s: %zu", req.library, said.err.len);
        cr_expect_eq(said.exit_status, 9);
        forget(&said);
    }
}

Test(channels, large_input_comes_back)
{
    size_t len = 3 << 20;
    char *input = ft_calloc(1, len);

    for (size_t i = 0; i < len; i++)
        input[i] = (char)(i * 31 >> 3);
    for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
        struct ft_ssh_req req = login_with(libraries[i], "id_ed25519");
        struct said said = { .input = input, .input_len = len };

        req.command = "cat";
        converse(&said, req);
        cr_expect_eq(said.out.len, len, "%s: %zu", req.library, said.out.len);
        cr_expect(said.out.len == len && memcmp(said.out.data, input, len) == 0, "%s: other bytes", req.library);
        forget(&said);
    }
    free(input);
}

/* ---- subsystems: NETCONF and its like ---- */

struct feed { struct said said; const char *bytes; size_t len, sent; };

/* As much as may wait, and the end when all is sent: more than the queue takes at once. */
static void feed_on(struct feed *feed)
{
    while (feed->sent < feed->len && feed->sent - feed->said.out.len < 3000000) {
        size_t n = ft_min(feed->len - feed->sent, (size_t)50000);

        cr_assert_eq(ft_stream_write(feed->said.stream, feed->bytes + feed->sent, n, NULL), 0);
        feed->sent += n;
        if (feed->sent == feed->len)
            ft_stream_eof(feed->said.stream);
    }
}

static void feed_opened(void *arg, struct ft_stream *stream)
{
    struct feed *feed = arg;

    feed->said.opened++;
    (void)stream;
    feed_on(feed);
}

static void feed_data(void *arg, struct ft_stream *stream, const char *bytes, size_t len, bool is_stderr)
{
    struct feed *feed = arg;

    on_data(&feed->said, stream, bytes, len, is_stderr);
    feed_on(feed);
}

Test(channels, a_subsystem_carries_ten_megabytes_of_any_bytes_both_ways)
{
    static const struct ft_stream_handler feeding = { feed_opened, feed_data, on_closed };
    size_t len = 10000000;
    char *bytes = ft_calloc(1, len);

    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)(i * 31 >> 3);           /* all 256 of them */
    for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
        struct ft_ssh_req req = login_with(libraries[i], "id_ed25519");
        struct feed feed = { .bytes = bytes, .len = len };

        req.kind = FT_SSH_SUBSYSTEM;
        req.command = "echo";
        feed.said.out = feed.said.err = FT_BUF_INIT(0);
        cr_assert_eq(ft_ssh_open(ssh, &req, &feeding, &feed, &feed.said.stream, NULL), 0);
        ft_loop_run(loop);
        cr_expect(feed.said.out.len == len && memcmp(feed.said.out.data, bytes, len) == 0, "%s: %zu of %zu sent: %s", req.library, feed.said.out.len, feed.sent, feed.said.why);
        cr_expect_eq(feed.said.closed, 1);
        cr_expect_eq(feed.said.class, FT_CLASS_NONE, "%s: %s", req.library, feed.said.why);
        cr_expect_eq(feed.said.exit_status, 0);
        forget(&feed.said);
    }
    free(bytes);
}

/* Who ends first, and what is still to come then. The subsystem is a line of shell. */
static const struct { const char *script, *input; bool keep_open; size_t out_len; int exit_status; } endings[] = {
    { "cat >/dev/null; head -c 1000000 /dev/zero; exit 3", "all of it", false, 1000000, 3 },      /* much comes after our end */
    { "head -c 1000000 /dev/zero; exit 4", NULL, true, 1000000, 4 },                              /* it ends though we did not */
    { "exec <&-; head -c 100000 /dev/zero; exit 5", "nobody reads this", false, 100000, 5 },
    { "exec >&-; cat >/dev/null; exit 6", "it says nothing more, and reads on", false, 0, 6 },    /* its end comes before ours */
    { "true", NULL, true, 0, 0 },
};

Test(faults, a_subsystem_ends_in_order_whoever_ends_first)
{
    for (size_t n = 0; n < ARRAY_LEN(endings); n++) {
        shell("printf '#!/bin/sh\n%s\n' > %s/sub; chmod +x %s/sub", endings[n].script, dir, dir);
        start_sshd("hk_ed25519", text("Subsystem sub %s/sub", dir));
        shell("rm -f %s/known_hosts", dir);
        trust("known_hosts", "hk_ed25519");
        for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
            struct ft_ssh_req req = login_with(libraries[i], "id_ed25519");
            struct said said = { .input = endings[n].input, .keep_open = endings[n].keep_open };
            struct ft_err err;

            req.kind = FT_SSH_SUBSYSTEM;
            req.command = "sub";
            converse(&said, req);
            cr_expect_eq(said.out.len, endings[n].out_len, "%s, %s: %zu", endings[n].script, req.library, said.out.len);
            cr_expect_eq(said.exit_status, endings[n].exit_status, "%s, %s: %s", endings[n].script, req.library, said.why);
            cr_expect_eq(said.class, FT_CLASS_NONE);
            cr_expect_lt(ft_stream_write(said.stream, "late", 4, &err), 0);
            cr_expect_eq(err.class, FT_UNREACHABLE);
            forget(&said);
        }
        stop_sshd();
    }
}

/* ---- sharing ---- */

Test(channels, one_after_the_other_share_a_session)
{
    struct ft_ssh_stats stats;

    for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
        for (int n = 0; n < 20; n++) {
            struct ft_ssh_req req = login_with(libraries[i], "id_ed25519");
            struct said said = { 0 };

            req.command = "echo $PPID";
            converse(&said, req);
            cr_expect_eq(said.class, FT_CLASS_NONE, "%s", said.why);
            forget(&said);
        }
        ft_ssh_stats(ssh, &stats);
        cr_expect_eq(stats.sessions_opened, i + 1, "%s", libraries[i]);
        cr_expect_eq(stats.channels_opened, 20 * (i + 1));
    }
    cr_expect_eq(stats.sessions_open, 2);
}

/* A change may lock new logins out: what looks behind it must log in, and so must all that follows. */
Test(channels, a_fresh_one_logs_in_anew_and_what_was_open_serves_nobody_else)
{
    for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
        struct ft_ssh_req req = login_with(libraries[i], "id_ed25519");
        struct ft_ssh_stats before, after;
        struct said said[4] = { 0 };

        req.command = "echo $PPID";
        ft_ssh_hold(ssh, 1);
        ft_ssh_stats(ssh, &before);
        converse(&said[0], req);
        req.fresh = true;
        converse(&said[1], req);
        req.fresh = false;
        converse(&said[2], req);
        req.size = offsetof(struct ft_ssh_req, fresh);       /* of a plugin that does not know it */
        req.fresh = true;
        converse(&said[3], req);
        ft_ssh_stats(ssh, &after);
        cr_expect_eq(after.sessions_opened - before.sessions_opened, 2, "%s: %u", libraries[i], (unsigned)(after.sessions_opened - before.sessions_opened));
        cr_expect_eq(after.sessions_open - before.sessions_open, 1, "%s: the older one is closed, though the pool is held", libraries[i]);
        cr_expect_str_neq(ft_buf_str(&said[0].out), ft_buf_str(&said[1].out));
        cr_expect_str_eq(ft_buf_str(&said[1].out), ft_buf_str(&said[2].out));
        cr_expect_str_eq(ft_buf_str(&said[1].out), ft_buf_str(&said[3].out));
        ft_ssh_hold(ssh, -1);
        for (size_t k = 0; k < ARRAY_LEN(said); k++)
            forget(&said[k]);
    }
}

static void many_at_once(const char *library, unsigned n, unsigned sessions_max)
{
    static struct said said[100];
    struct ft_ssh_stats before, after;
    static char commands[100][64];

    ft_ssh_stats(ssh, &before);
    for (unsigned i = 0; i < n; i++) {
        struct ft_ssh_req req = login_with(library, "id_ed25519");

        snprintf(commands[i], sizeof(commands[i]), "cat; echo %u >&2; exit %u", i, i);
        req.command = commands[i];
        said[i] = (struct said){ .input = commands[i] };
        open_channel(&said[i], req);
    }
    ft_loop_run(loop);
    for (unsigned i = 0; i < n; i++) {
        cr_expect_eq(said[i].closed, 1, "%s %u", library, i);
        cr_expect_eq(said[i].exit_status, (int)i, "%s %u: %s", library, i, said[i].why);
        cr_expect_str_eq(ft_buf_str(&said[i].out), commands[i], "%s %u", library, i);
        cr_expect_eq(atoi(ft_buf_str(&said[i].err)), (int)i, "%s %u", library, i);
        forget(&said[i]);
    }
    ft_ssh_stats(ssh, &after);
    cr_expect_leq(after.sessions_opened - before.sessions_opened, sessions_max, "%s: %u sessions", library,
                  (unsigned)(after.sessions_opened - before.sessions_opened));
}

Test(channels, many_at_once_share_few_sessions)
{
    for (size_t i = 0; i < ARRAY_LEN(libraries); i++)
        many_at_once(libraries[i], 64, 8);
}

Test(faults, a_server_with_few_channels_a_session_is_given_more_sessions)
{
    start_sshd("hk_ed25519", "MaxSessions 2");
    trust("known_hosts", "hk_ed25519");
    for (size_t i = 0; i < ARRAY_LEN(libraries); i++)
        many_at_once(libraries[i], 12, 12);
}

static void close_stream(void *arg)
{
    struct said *said = arg;

    ft_stream_close(said->stream);
    said->stream = NULL;
}

static void close_in_opened(void *arg, struct ft_stream *stream)
{
    (void)stream;
    close_stream(arg);
}

static void close_in_data(void *arg, struct ft_stream *stream, const char *bytes, size_t len, bool is_stderr)
{
    struct said *said = arg;

    on_data(arg, stream, bytes, len, is_stderr);
    if (said->out.len > 300000)
        close_stream(said);
}

Test(channels, closed_under_way_say_no_more_and_others_go_on)
{
    static const struct ft_stream_handler opened_and_no_more = { close_in_opened, on_data, on_closed };
    static const struct ft_stream_handler enough = { on_opened, close_in_data, on_closed };

    for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
        struct ft_ssh_req req = login_with(libraries[i], "id_ed25519");
        struct said flood = { 0 }, quiet = { .keep_open = true }, early = { 0 }, other = { .input = "still here" };

        req.command = "yes";
        flood.out = FT_BUF_INIT(0);
        cr_assert_eq(ft_ssh_open(ssh, &req, &enough, &flood, &flood.stream, NULL), 0);
        req.command = "cat";
        cr_assert_eq(ft_ssh_open(ssh, &req, &opened_and_no_more, &quiet, &quiet.stream, NULL), 0);
        req.command = "touch /nonexistent/never-run";
        open_channel(&early, req);
        req.command = "sleep 0.2; cat";
        open_channel(&other, req);
        close_stream(&early);
        ft_loop_run(loop);
        cr_expect_eq(flood.closed + quiet.closed + early.closed + early.opened, 0);
        cr_expect_gt(flood.out.len, 300000);
        cr_expect_lt(flood.out.len, 300000 + 65536, "%s: called after it was closed", req.library);
        cr_expect_str_eq(ft_buf_str(&other.out), "still here", "%s: %s", req.library, other.why);
        forget(&flood);
        forget(&quiet);
        forget(&early);
        forget(&other);
    }
}

static struct said neighbours[4];

static void close_neighbours(void *arg, struct ft_stream *stream)
{
    on_opened(arg, stream);
    for (size_t i = 1; i < ARRAY_LEN(neighbours); i++)
        if (neighbours[i].stream)
            close_stream(&neighbours[i]);
}

Test(channels, closed_by_a_neighbour_while_they_wait_for_their_turn)
{
    static const struct ft_stream_handler first = { close_neighbours, on_data, on_closed };

    for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
        struct ft_ssh_req req = login_with(libraries[i], "id_ed25519");

        req.command = "echo alone";
        neighbours[0].out = FT_BUF_INIT(0);
        cr_assert_eq(ft_ssh_open(ssh, &req, &first, &neighbours[0], &neighbours[0].stream, NULL), 0);
        for (size_t n = 1; n < ARRAY_LEN(neighbours); n++)
            open_channel(&neighbours[n], req);
        ft_loop_run(loop);
        cr_expect_str_eq(ft_buf_str(&neighbours[0].out), "alone\n", "%s: %s", req.library, neighbours[0].why);
        for (size_t n = 1; n < ARRAY_LEN(neighbours); n++)
            cr_expect_eq(neighbours[n].closed, 0);
        for (size_t n = 0; n < ARRAY_LEN(neighbours); n++)
            forget(&neighbours[n]);                   /* one that was closed may have heard something before */
    }
}

Test(channels, leave_no_descriptor_behind)
{
    unsigned early = 0;

    for (size_t i = 0; i < 20; i++) {
        struct ft_ssh_req req = login_with(libraries[i % 2], i % 4 < 2 ? "id_ed25519" : NULL);
        struct said said = { 0 };

        req.command = "true";
        converse(&said, req);
        forget(&said);
        ft_ssh_free(ssh);
        ssh = ft_ssh_new(loop, NULL);
        ft_loop_run(loop);
        if (i == 3)
            early = open_files();
    }
    cr_expect_eq(open_files(), early, "%u, earlier %u", open_files(), early);
}

/* ---- host keys ---- */

static void expect_class(struct ft_ssh_req req, enum ft_class class, const char *const *says)
{
    struct said said = { 0 };

    req.command = "echo in";
    converse(&said, req);
    cr_expect_eq(said.class, class, "%s: %s: %s", req.library, ft_class_name(said.class), said.why);
    for (; *says; says++)
        cr_expect(strstr(said.why, *says), "%s: '%s' lacks '%s'", req.library, said.why, *says);
    if (class != FT_CLASS_NONE)
        cr_expect_eq(strncmp(said.why, "ssh ", 4), 0, "%s", said.why);
    cr_expect_eq(said.out.len > 0, class == FT_CLASS_NONE);
    forget(&said);
}
#define SAYS(...) (const char *const[]){ __VA_ARGS__, NULL }

static void fingerprint(const char *key, char *ret, size_t len)
{
    char command[200], *blank;
    FILE *said;

    snprintf(command, sizeof(command), "ssh-keygen -l -f %s/%s.pub | cut -d' ' -f2", dir, key);
    said = popen(command, "r");
    cr_assert(fgets(ret, (int)len, said));
    pclose(said);
    blank = strchr(ret, '\n');
    *blank = '\0';
}

Test(host_keys, are_checked_strictly)
{
    char shown[100];

    make_key("hk_other", "ed25519", "");
    make_key("hk_ecdsa", "ecdsa", "");
    start_sshd("hk_ed25519", "");
    fingerprint("hk_ed25519", shown, sizeof(shown));
    trust("changed", "hk_other");
    trust("other_type", "hk_ecdsa");
    trust("good", "hk_ed25519");
    trust("both", "hk_ecdsa");
    trust("both", "hk_ed25519");
    shell("(echo '# comment'; echo '@cert-authority * ssh-ed25519 AAAA'; echo 'not a line at all'; cat %s/good) > %s/odd", dir, dir);
    shell("cp %s/good %s/hashed && ssh-keygen -q -H -f %s/hashed 2>/dev/null >&2", dir, dir, dir);
    shell("sed 's/127.0.0.1/127.0.0.2/' %s/good > %s/unknown", dir, dir);
    for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
        struct ft_ssh_req req = login_with(libraries[i], "id_ed25519");
        static const char *const good[] = { "good", "both", "odd", "hashed" };

        for (size_t n = 0; n < ARRAY_LEN(good); n++) {
            req.known_hosts = in_dir(good[n]);
            expect_class(req, FT_CLASS_NONE, SAYS("ended"));
        }
        req.known_hosts = in_dir("changed");
        expect_class(req, FT_UNREACHABLE, SAYS("CHANGED", shown, "ssh-ed25519", in_dir("changed")));
        req.known_hosts = in_dir("unknown");
        expect_class(req, FT_UNREACHABLE, SAYS("is not in", shown, in_dir("unknown"), "ssh-keyscan -p"));
        req.known_hosts = in_dir("other_type");
        expect_class(req, FT_UNREACHABLE, SAYS(shown, "ssh-ed25519", "knows only its"));
        req.known_hosts = in_dir("missing");
        expect_class(req, FT_UNREACHABLE, SAYS("cannot be read", shown));
    }
}

Test(host_keys, of_a_known_type_are_asked_for_first)
{
    make_key("hk_ecdsa", "ecdsa", "");
    start_sshd("hk_ed25519 hk_ecdsa", "");
    trust("only_ecdsa", "hk_ecdsa");
    trust("only_ed25519", "hk_ed25519");
    for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
        struct ft_ssh_req req = login_with(libraries[i], "id_ed25519");

        req.known_hosts = in_dir("only_ecdsa");
        expect_class(req, FT_CLASS_NONE, SAYS("ended"));
        req.known_hosts = in_dir("only_ed25519");
        expect_class(req, FT_CLASS_NONE, SAYS("ended"));
    }
}

/* ---- logins ---- */

Test(logins, with_every_kind_of_key)
{
    make_key("id_ecdsa", "ecdsa", "");
    make_key("id_locked", "ed25519", "open sesame");
    make_key("id_stranger", "ed25519", "");
    shell("cat %s/id_ecdsa.pub %s/id_locked.pub >> %s/authorized_keys", dir, dir, dir);
    start_sshd("hk_ed25519", "");
    trust("known_hosts", "hk_ed25519");
    for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
        struct ft_ssh_req req = login_with(libraries[i], "id_ecdsa");

        expect_class(req, FT_CLASS_NONE, SAYS("ended"));
        req.key_file = in_dir("id_locked");
        expect_class(req, FT_DENIED, SAYS("id_locked' cannot be used: does it need a passphrase", "the server accepts publickey"));
        req.passphrase = "wrong";
        expect_class(req, FT_DENIED, SAYS("id_locked' cannot be used: is its passphrase right?"));
        req.passphrase = "open sesame";
        expect_class(req, FT_CLASS_NONE, SAYS("ended"));
        req.passphrase = NULL;
        req.key_file = in_dir("id_stranger");
        expect_class(req, FT_DENIED, SAYS("not let in: key_file", "id_stranger' is not accepted"));
        req.key_file = in_dir("id_missing");
        expect_class(req, FT_DENIED, SAYS("id_missing' cannot be read"));
        req.key_file = in_dir("known_hosts");
        expect_class(req, FT_DENIED, SAYS("known_hosts' cannot be used"));
        req.key_file = NULL;
        expect_class(req, FT_DENIED, SAYS("nothing to log in with: set key_file", "the server accepts publickey"));
        req.password = "hush hush";
        expect_class(req, FT_DENIED, SAYS("nothing that is configured is accepted there; the server accepts publickey"));
    }
}

Test(logins, with_an_agent)
{
    char line[200], *end_of_path;
    FILE *agent;
    int agent_pid = 0;

    make_key("id_stranger", "ed25519", "");
    start_sshd("hk_ed25519", "");
    trust("known_hosts", "hk_ed25519");
    agent = popen("ssh-agent -s", "r");
    while (fgets(line, sizeof(line), agent)) {
        sscanf(line, "SSH_AGENT_PID=%d", &agent_pid);
        if (strncmp(line, "SSH_AUTH_SOCK=", 14) == 0 && (end_of_path = strchr(line, ';'))) {
            *end_of_path = '\0';
            setenv("SSH_AUTH_SOCK", line + 14, 1);
        }
    }
    pclose(agent);
    cr_assert_neq(agent_pid, 0, "there is no ssh-agent: install the package openssh-client");
    for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
        struct ft_ssh_req req = login_with(libraries[i], NULL);

        shell("ssh-add -q -D 2>/dev/null; ssh-add -q %s/id_stranger", dir);
        expect_class(req, FT_DENIED, SAYS("nothing to log in with"));      /* not asked without leave */
        req.agent = true;
        expect_class(req, FT_DENIED, SAYS("agent", "not accepted"));
        shell("ssh-add -q %s/id_ed25519", dir);
        expect_class(req, FT_CLASS_NONE, SAYS("ended"));
    }
    kill(agent_pid, SIGTERM);
    setenv("SSH_AUTH_SOCK", "/nonexistent/agent", 1);
    for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
        struct ft_ssh_req req = login_with(libraries[i], NULL);

        req.agent = true;
        ft_ssh_free(ssh);
        ssh = ft_ssh_new(loop, NULL);
        expect_class(req, FT_DENIED, SAYS("agent"));
    }
}

/* ---- what libraries can ---- */

static bool is_old_libssh2(const char *library)
{
    char *text = ft_ssh_describe(ssh, library);
    bool old = strncmp(text, "libssh2 1.10", 12) == 0 || strncmp(text, "libssh2 1.9", 11) == 0;

    free(text);
    return old;
}

/* Either it works, or it is the old library and says which one does. */
static void expect_works_or_advice(struct ft_ssh_req req, enum ft_class class)
{
    if (is_old_libssh2(req.library))
        expect_class(req, class, SAYS("set ssh.library: libssh"));
    else
        expect_class(req, FT_CLASS_NONE, SAYS("ended"));
}

Test(algorithms, a_server_with_an_rsa_key_only)
{
    make_key("hk_rsa", "rsa", "");
    start_sshd("hk_rsa", "");
    trust("known_hosts", "hk_rsa");
    for (size_t i = 0; i < ARRAY_LEN(libraries); i++)
        expect_works_or_advice(login_with(libraries[i], "id_ed25519"), FT_UNREACHABLE);
}

Test(algorithms, a_server_with_etm_macs_only)
{
    start_sshd("hk_ed25519", "MACs hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com\nCiphers aes256-gcm@openssh.com,aes256-ctr");
    trust("known_hosts", "hk_ed25519");
    for (size_t i = 0; i < ARRAY_LEN(libraries); i++)
        expect_works_or_advice(login_with(libraries[i], "id_ed25519"), FT_UNREACHABLE);
}

Test(algorithms, an_rsa_user_key)
{
    make_key("id_rsa", "rsa", "");
    make_key("id_rsa_locked", "rsa", "open sesame");
    shell("cat %s/id_rsa.pub %s/id_rsa_locked.pub >> %s/authorized_keys", dir, dir, dir);
    start_sshd("hk_ed25519", "");
    trust("known_hosts", "hk_ed25519");
    for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
        struct ft_ssh_req req = login_with(libraries[i], "id_rsa");

        expect_works_or_advice(req, FT_DENIED);
        req.key_file = in_dir("id_rsa_locked");
        req.passphrase = "open sesame";
        expect_works_or_advice(req, FT_DENIED);
    }
}

Test(algorithms, the_library_chosen_can_do_all_of_it)
{
    make_key("hk_rsa", "rsa", "");
    start_sshd("hk_rsa", "MACs hmac-sha2-256-etm@openssh.com");
    trust("known_hosts", "hk_rsa");
    expect_class(login_with(NULL, "id_ed25519"), FT_CLASS_NONE, SAYS("ended"));
}

Test(algorithms, rekeying_in_the_middle_of_a_transfer)
{
    start_sshd("hk_ed25519", "RekeyLimit 1M");
    trust("known_hosts", "hk_ed25519");
    for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
        struct ft_ssh_req req = login_with(libraries[i], "id_ed25519");
        struct said said = { 0 };

        req.command = "head -c 10000000 /dev/zero";
        converse(&said, req);
        cr_expect_eq(said.out.len, 10000000, "%s: %zu: %s", req.library, said.out.len, said.why);
        cr_expect_eq(said.class, FT_CLASS_NONE);
        forget(&said);
    }
}

/* ---- faults ---- */

static void kill_in_data(void *arg, struct ft_stream *stream, const char *bytes, size_t len, bool is_stderr)
{
    on_data(arg, stream, bytes, len, is_stderr);
    stop_sshd();
}

Test(faults, a_server_killed_in_the_middle)
{
    static const struct ft_stream_handler killing = { on_opened, kill_in_data, on_closed };

    for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
        struct ft_ssh_req req = login_with(libraries[i], "id_ed25519");
        struct said first = { .keep_open = true }, second = { .keep_open = true }, third = { 0 };

        start_sshd("hk_ed25519", "");
        shell("rm -f %s/known_hosts", dir);
        trust("known_hosts", "hk_ed25519");
        req.port = sshd_port;
        req.command = "echo before; cat";
        first.out = FT_BUF_INIT(0);
        cr_assert_eq(ft_ssh_open(ssh, &req, &killing, &first, &first.stream, NULL), 0);
        req.command = "cat";
        open_channel(&second, req);
        ft_loop_run(loop);
        cr_expect_str_eq(ft_buf_str(&first.out), "before\n", "%s: %s: %s", req.library, ft_buf_str(&first.out), first.why);
        cr_expect_eq(first.closed, 1);
        cr_expect_eq(second.closed, 1);
        cr_expect_eq(first.class, FT_UNREACHABLE, "%s: %s", req.library, first.why);
        cr_expect(strstr(first.why, "broke off"), "%s", first.why);
        converse(&third, req);
        cr_expect(strstr(third.why, "connection refused"), "%s", third.why);
        forget(&first);
        forget(&second);
        forget(&third);
    }
}

Test(faults, a_kept_session_that_died_is_replaced)
{
    for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
        struct ft_ssh_stats stats;

        start_sshd("hk_ed25519", "");
        shell("rm -f %s/known_hosts", dir);
        trust("known_hosts", "hk_ed25519");
        expect_class(login_with(libraries[i], "id_ed25519"), FT_CLASS_NONE, SAYS("ended"));
        stop_sshd();
        start_sshd("hk_ed25519", "");
        expect_class(login_with(libraries[i], "id_ed25519"), FT_CLASS_NONE, SAYS("ended"));
        ft_ssh_stats(ssh, &stats);
        cr_expect_eq(stats.sessions_opened, 2 * (i + 1), "%s", libraries[i]);
        stop_sshd();
    }
}

static int listen_dumbly(void)
{
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(any);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_eq(bind(fd, (struct sockaddr *)&any, len), 0);
    listen(fd, 10);
    getsockname(fd, (struct sockaddr *)&any, &len);
    sshd_port = ntohs(any.sin_port);
    return fd;
}

Test(faults, a_server_that_says_nothing)
{
    int fd = listen_dumbly();

    for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
        struct ft_ssh_req req = login_with(libraries[i], "id_ed25519");

        req.connect_timeout_ms = 50;
        expect_class(req, FT_TIMEOUT, SAYS("connected, but the login was not over in time"));
    }
    close(fd);
}

static void *greet_otherwise(void *arg)
{
    static const char greeting[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";

    for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
        int fd = accept(*(int *)arg, NULL, NULL);
        char byte;

        cr_assert_eq(write(fd, greeting, sizeof(greeting) - 1), sizeof(greeting) - 1);
        shutdown(fd, SHUT_WR);
        while (read(fd, &byte, 1) > 0)
            ;
        close(fd);
    }
    return NULL;
}

Test(faults, a_server_that_is_no_ssh_server)
{
    int fd = listen_dumbly();
    pthread_t thread;

    pthread_create(&thread, NULL, greet_otherwise, &fd);
    for (size_t i = 0; i < ARRAY_LEN(libraries); i++)
        expect_class(login_with(libraries[i], "id_ed25519"), FT_UNREACHABLE, SAYS("speak SSH"));
    pthread_join(thread, NULL);
    close(fd);
}

Test(faults, errors_of_use_and_places_that_are_not_there)
{
    struct ft_ssh_req req = { .size = sizeof(req), .host = "h", .user = "u", .known_hosts = "/k", .command = "c" };
    struct ft_ssh_req wrong[] = { req, req, req, req, req, req };
    static const char *const says[] = { "needs a host", "needs a user", "needs a known_hosts file", "needs a command", "needs a subsystem's name",
                                        "ssh.library 'dropbear' is unknown: libssh2 or libssh" };
    struct ft_stream *stream;
    struct ft_err err;

    wrong[0].host = "";
    wrong[1].user = NULL;
    wrong[2].known_hosts = NULL;
    wrong[3].command = "";
    wrong[4].command = NULL;
    wrong[4].kind = FT_SSH_SUBSYSTEM;
    wrong[5].library = "dropbear";
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        cr_expect_lt(ft_ssh_open(ssh, &wrong[i], &handler, NULL, &stream, &err), 0);
        cr_expect_eq(err.class, FT_INVALID, "%s", err.text);
        cr_expect(strstr(err.text, says[i]), "%s", err.text);
        cr_expect_lt(ft_ssh_open(ssh, &wrong[i], &handler, NULL, &stream, NULL), 0);
    }
    req.host = "no-such-host.invalid";
    expect_class(req, FT_UNREACHABLE, SAYS("ssh u@no-such-host.invalid:22: the name was not found"));
    req.host = "127.0.0.1";
    req.port = 1;
    expect_class(req, FT_UNREACHABLE, SAYS("ssh u@127.0.0.1:1: connection refused"));
}

/* ---- signs of life, on a clock that the test moves ---- */

static struct ft_clock *manual;
static struct ft_wake *half_minute;
static int half_minutes;

static void pass_half_minute(void *unused)
{
    (void)unused;
    ft_clock_advance(manual, 30100000);
    if (--half_minutes > 0)
        ft_wake_send(half_minute);
}

static void stop_then_wait(void *arg, struct ft_stream *stream, const char *bytes, size_t len, bool is_stderr)
{
    on_data(arg, stream, bytes, len, is_stderr);
    signal_tree(sshd, SIGSTOP);
    half_minutes = 6;
    ft_wake_send(half_minute);
}

Test(faults, a_server_that_falls_silent_is_given_up)
{
    static const struct ft_stream_handler stopping = { on_opened, stop_then_wait, on_closed };

    start_sshd("hk_ed25519", "");
    trust("known_hosts", "hk_ed25519");
    for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
        struct ft_ssh_req req = login_with(libraries[i], "id_ed25519");
        struct said said = { .keep_open = true };
        struct ft_loop *own;
        struct ft_ssh *pool;

        manual = ft_clock_manual_new(0);
        own = ft_loop_new(manual);
        pool = ft_ssh_new(own, NULL);
        half_minute = ft_wake_new(own, pass_half_minute, NULL);
        said.out = said.err = FT_BUF_INIT(0);
        req.command = "echo here; cat";
        cr_assert_eq(ft_ssh_open(pool, &req, &stopping, &said, &said.stream, NULL), 0);
        ft_loop_run(own);
        cr_expect_eq(said.class, FT_UNREACHABLE, "%s", said.why);
        cr_expect(strstr(said.why, "no sign of life for 45 s, though asked for one 3 times"), "%s: %s", req.library, said.why);
        forget(&said);
        ft_wake_free(half_minute);
        ft_ssh_free(pool);
        ft_loop_free(own);
        ft_clock_free(manual);
        signal_tree(sshd, SIGCONT);
    }
}

/* ---- how long sessions are kept ---- */

Test(faults, an_idle_session_is_kept_a_minute_or_as_long_as_it_is_held)
{
    struct ft_ssh_stats stats;
    struct ft_clock *clock = ft_clock_manual_new(0);
    struct ft_loop *kept_loop = loop;

    start_sshd("hk_ed25519", "");
    trust("known_hosts", "hk_ed25519");
    ssh = ft_ssh_free(ssh);
    loop = ft_loop_new(clock);
    ssh = ft_ssh_new(loop, NULL);
    for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
        ft_ssh_hold(ssh, 1);
        expect_class(login_with(libraries[i], "id_ed25519"), FT_CLASS_NONE, SAYS("ended"));
        ft_timer_start(loop, 3600000, close_stream, &(struct said){ 0 });
        ft_loop_run(loop);
        ft_ssh_stats(ssh, &stats);
        cr_expect_eq(stats.sessions_open, 1, "%s: held", libraries[i]);
        ft_ssh_hold(ssh, -1);
        ft_timer_start(loop, 61000, close_stream, &(struct said){ 0 });
        ft_loop_run(loop);
        ft_ssh_stats(ssh, &stats);
        cr_expect_eq(stats.sessions_open, 0, "%s: a minute later", libraries[i]);
    }
    ssh = ft_ssh_free(ssh);
    ft_loop_free(loop);
    ft_clock_free(clock);
    loop = kept_loop;
}
