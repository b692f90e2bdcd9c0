#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/util.h"
#include "net/connect.h"
#include "net/stream.h"

/* ---- a peer on a thread ---- */

enum peer { ECHO, RESET, CLOSE, DEAF };
static int listener;
static uint16_t port;
static pthread_t thread;
static int deaf_ends[2];              /* closed by the test when the deaf peer may go */

static void echo(int fd)
{
    char chunk[4096];
    ssize_t n;

    while ((n = recv(fd, chunk, sizeof(chunk), 0)) > 0)
        cr_assert_eq(send(fd, chunk, (size_t)n, MSG_NOSIGNAL), n);
}

static void *serve(void *arg)
{
    int fd = accept(listener, NULL, NULL);
    struct linger now = { .l_onoff = 1 };
    char byte;

    switch ((enum peer)(uintptr_t)arg) {
    case ECHO:
        echo(fd);
        break;
    case RESET:
        cr_assert_eq(recv(fd, &byte, 1, 0), 1);          /* not before the other side knows that it is connected */
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        break;
    case DEAF:
        cr_assert_eq(read(deaf_ends[0], &byte, 1), 0);
        break;
    case CLOSE:
        break;
    }
    close(fd);
    return NULL;
}

static struct ft_loop *loop;
static struct ft_buf said;
static struct ft_stream *stream;

static void begin(enum peer peer)
{
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(any);

    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(listener, (struct sockaddr *)&any, sizeof(any)), 0);
    listen(listener, 5);
    getsockname(listener, (struct sockaddr *)&any, &len);
    port = ntohs(any.sin_port);
    cr_assert_eq(pipe(deaf_ends), 0);
    pthread_create(&thread, NULL, serve, (void *)(uintptr_t)peer);
    loop = ft_loop_new(NULL);
    said = FT_BUF_INIT(0);
}

static void end(void)
{
    ft_stream_close(stream);
    stream = NULL;
    ft_loop_run(loop);
    ft_loop_free(loop);
    close(deaf_ends[1]);
    pthread_join(thread, NULL);
    close(deaf_ends[0]);
    close(listener);
    ft_buf_done(&said);
}

/* ---- what the stream says ---- */

static bool stop_when_open;

static void opened(void *arg, struct ft_stream *s)
{
    (void)s;
    if (stop_when_open)
        ft_loop_stop(loop);
    ft_buf_addf(&said, "<opened %s>", (const char *)arg);
}

static void data(void *arg, struct ft_stream *s, const char *bytes, size_t len, bool is_stderr)
{
    (void)arg;
    (void)s;
    cr_expect_not(is_stderr);
    ft_buf_add(&said, bytes, len);
}

static void closed(void *arg, struct ft_stream *s, enum ft_class class, int exit_status, const char *why)
{
    (void)arg;
    (void)s;
    cr_expect_eq(exit_status, -1);
    ft_buf_addf(&said, "<closed %s: %s>", ft_class_name(class), why);
}

static const struct ft_stream_handler handler = { opened, data, closed };
static char arg[] = "here";

static void open_to(const char *host, uint16_t to, unsigned timeout_ms)
{
    struct ft_tcp_req req = { .size = sizeof(req), .host = host, .port = to, .connect_timeout_ms = timeout_ms };
    struct ft_err err = { 0 };

    cr_assert_eq(ft_tcp_open(loop, &req, &handler, arg, &stream, &err), 0, "%s", err.text);
    cr_expect_eq(said.len, 0, "called inside the call");
}

static void expect_said(const char *text)
{
    cr_expect_str_eq(ft_buf_str(&said), text, "%s", ft_buf_str(&said));
}

Test(tcp, what_was_written_early_is_sent_and_the_end_comes_in_order, .timeout = 30)
{
    struct ft_err err = { 0 };

    begin(ECHO);
    open_to("127.0.0.1", port, 0);
    cr_expect_eq(ft_stream_write(stream, "early ", 6, &err), 0);
    cr_expect_eq(ft_stream_write(stream, "bird", 4, &err), 0);
    ft_stream_eof(stream);
    cr_expect_eq(ft_stream_write(stream, "late", 4, &err), -EPIPE);
    ft_loop_run(loop);
    expect_said("<opened here>early bird<closed none: closed by the other side>");
    cr_expect_eq(ft_stream_write(stream, "later", 5, &err), -EPIPE);
    end();
}

Test(tcp, by_name, .timeout = 30)
{
    begin(CLOSE);
    open_to("localhost", port, 0);
    ft_loop_run(loop);
    expect_said("<opened here><closed none: closed by the other side>");
    end();
}

Test(tcp, a_reset_is_no_orderly_end, .timeout = 30)
{
    char *text;

    begin(RESET);
    open_to("127.0.0.1", port, 0);
    cr_assert_eq(ft_stream_write(stream, "x", 1, NULL), 0);
    ft_loop_run(loop);
    text = ft_asprintf("<opened here><closed unreachable: tcp 127.0.0.1:%u: the connection broke off: connection reset by peer>", port);
    expect_said(text);
    free(text);
    end();
}

Test(tcp, a_deaf_peer_is_given_four_mebibytes_of_patience, .timeout = 30)
{
    static char piece[65536];
    struct ft_err err = { 0 };
    size_t taken = 0;

    begin(DEAF);
    open_to("127.0.0.1", port, 0);
    while (ft_stream_write(stream, piece, sizeof(piece), &err) == 0)
        taken += sizeof(piece);
    cr_expect_eq(err.code, -ENOBUFS);
    cr_expect_eq(taken, 4 << 20);
    cr_expect(strstr(err.text, "does not take what is sent"), "%s", err.text);
    stop_when_open = true;
    ft_loop_run(loop);
    stop_when_open = false;
    expect_said("<opened here>");
    end();
}

static void close_it(void *unused)
{
    (void)unused;
    ft_stream_close(stream);
    stream = NULL;
}

static void close_in_data(void *unused, struct ft_stream *s, const char *bytes, size_t len, bool is_stderr)
{
    data(unused, s, bytes, len, is_stderr);
    close_it(NULL);
}

Test(tcp, nothing_is_called_after_closing, .timeout = 30)
{
    static const struct ft_stream_handler closing = { opened, close_in_data, closed };
    struct ft_tcp_req req = { .size = sizeof(req), .host = "127.0.0.1" };

    begin(ECHO);
    req.port = port;
    cr_assert_eq(ft_tcp_open(loop, &req, &closing, arg, &stream, NULL), 0);
    cr_expect_eq(ft_stream_write(stream, "x", 1, NULL), 0);
    ft_loop_run(loop);
    expect_said("<opened here>x");
    end();
}

Test(tcp, closed_before_it_was_connected, .timeout = 30)
{
    for (int i = 0; i < 2; i++) {
        begin(CLOSE);
        open_to(i ? "127.0.0.1" : "localhost", port, 0);
        close_it(NULL);
        ft_loop_run(loop);
        expect_said("");
        open_to("127.0.0.1", port, 0);            /* so that the peer gets its connection */
        ft_loop_run(loop);
        end();
    }
}

static const struct { const char *host; uint16_t port; const char *says; } nowhere[] = {
    { "127.0.0.1", 1, "tcp 127.0.0.1:1: connection refused; is the service running" },
    { "no-such-host.invalid", 22, "the name was not found" },
    { "not an address", 22, "the name was not found" },
};

Test(tcp, no_connection_has_its_reason, .timeout = 30)
{
    begin(CLOSE);
    for (size_t i = 0; i < ARRAY_LEN(nowhere); i++) {
        open_to(nowhere[i].host, nowhere[i].port, 0);
        ft_loop_run(loop);
        cr_expect_eq(strncmp(ft_buf_str(&said), "<closed unreachable: tcp ", 25), 0, "%s", ft_buf_str(&said));
        cr_expect(strstr(ft_buf_str(&said), nowhere[i].says), "%s", ft_buf_str(&said));
        ft_stream_close(stream);
        ft_buf_clear(&said);
    }
    open_to("127.0.0.1", port, 0);
    ft_loop_run(loop);
    end();
}

Test(tcp, a_listener_that_never_accepts_is_given_up, .timeout = 30)
{
    int full = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), waiting[3];
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(any);

    begin(CLOSE);
    cr_assert_eq(bind(full, (struct sockaddr *)&any, sizeof(any)), 0);
    listen(full, 0);
    getsockname(full, (struct sockaddr *)&any, &len);
    for (size_t i = 0; i < ARRAY_LEN(waiting); i++) {             /* the queue of one is full: the next SYN is dropped */
        waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        connect(waiting[i], (struct sockaddr *)&any, len);
    }
    open_to("127.0.0.1", ntohs(any.sin_port), 50);
    ft_loop_run(loop);
    cr_expect(strstr(ft_buf_str(&said), "<closed unreachable: tcp 127.0.0.1"), "%s", ft_buf_str(&said));
    cr_expect(strstr(ft_buf_str(&said), "no connection in 50 ms; is the host up"), "%s", ft_buf_str(&said));
    for (size_t i = 0; i < ARRAY_LEN(waiting); i++)
        close(waiting[i]);
    close(full);
    ft_stream_close(stream);
    ft_buf_clear(&said);
    open_to("127.0.0.1", port, 0);
    ft_loop_run(loop);
    end();
}

Test(tcp, errors_of_use)
{
    struct ft_tcp_req req = { .size = sizeof(req), .host = "", .port = 22 };
    struct ft_err err = { 0 };

    loop = ft_loop_new(NULL);
    cr_expect_eq(ft_tcp_open(loop, &req, &handler, arg, &stream, &err), -EINVAL);
    req.host = "x";
    req.port = 0;
    cr_expect_eq(ft_tcp_open(loop, &req, &handler, arg, &stream, &err), -EINVAL);
    cr_expect_eq(err.class, FT_INVALID);
    ft_loop_free(loop);
}
