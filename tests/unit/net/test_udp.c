/* Datagrams against a peer on a thread of the same process. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/util.h"
#include "net/stream.h"

static struct ft_loop *loop;
static struct ft_buf said;
static struct ft_stream *stream;
static int peer;
static uint16_t port;
static pthread_t thread;
static bool serving;

static int bound_socket(uint16_t *ret_port)
{
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(any);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    cr_assert_eq(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
    getsockname(fd, (struct sockaddr *)&any, &len);
    *ret_port = ntohs(any.sin_port);
    return fd;
}

/* Echoes each datagram with "<from port>" behind where it is "whence"; "bye" ends it. */
static void *serve(void *arg)
{
    static char bytes[70000];
    struct sockaddr_in from;

    (void)arg;
    for (;;) {
        socklen_t len = sizeof(from);
        ssize_t n = recvfrom(peer, bytes, sizeof(bytes) - 40, 0, (struct sockaddr *)&from, &len);

        if (n < 0 || (n == 3 && memcmp(bytes, "bye", 3) == 0))
            return NULL;
        if (n == 6 && memcmp(bytes, "whence", 6) == 0)
            n = snprintf(bytes, 40, "%s:%u", inet_ntoa(from.sin_addr), ntohs(from.sin_port));
        sendto(peer, bytes, (size_t)n, 0, (struct sockaddr *)&from, len);
    }
}

static void begin(bool with_server)
{
    peer = bound_socket(&port);
    serving = with_server;
    if (serving)
        pthread_create(&thread, NULL, serve, NULL);
    loop = ft_loop_new(NULL);
    said = FT_BUF_INIT(0);
}

static void end(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port) };

    ft_stream_close(stream);
    stream = NULL;
    ft_loop_run(loop);
    ft_loop_free(loop);
    if (serving) {
        sendto(peer, "bye", 3, 0, (struct sockaddr *)&to, sizeof(to));
        pthread_join(thread, NULL);
    }
    if (peer >= 0)
        close(peer);
    ft_buf_done(&said);
}

static unsigned wanted;               /* datagrams; then the loop stops */

static void opened(void *arg, struct ft_stream *s)
{
    (void)arg;
    (void)s;
    ft_buf_adds(&said, "<opened>");
}

static void data(void *arg, struct ft_stream *s, const char *bytes, size_t len, bool is_stderr)
{
    (void)arg;
    (void)s;
    cr_expect_not(is_stderr);
    if (len > 100)
        ft_buf_addf(&said, "[%zu bytes]", len);
    else
        ft_buf_addf(&said, "[%.*s]", (int)len, bytes);
    if (--wanted == 0)
        ft_loop_stop(loop);
}

static void closed(void *arg, struct ft_stream *s, enum ft_class class, int exit_status, const char *why)
{
    (void)arg;
    (void)s;
    cr_expect_eq(exit_status, -1);
    ft_buf_addf(&said, "<closed %s: %s>", ft_class_name(class), why);
}

static const struct ft_stream_handler handler = { opened, data, closed };

static void open_req(const struct ft_udp_req *req)
{
    struct ft_err err = { 0 };

    cr_assert_eq(ft_udp_open(loop, req, &handler, NULL, &stream, &err), 0, "%s", err.text);
    cr_expect_eq(said.len, 0, "called inside the call");
}

static void open_to(const char *host)
{
    struct ft_udp_req req = { .size = sizeof(req), .host = host, .port = port };

    open_req(&req);
}

static void say(const char *text)
{
    struct ft_err err = { 0 };

    cr_assert_eq(ft_stream_write(stream, text, strlen(text), &err), 0, "%s", err.text);
}

static void expect_said(const char *text)
{
    cr_expect_str_eq(ft_buf_str(&said), text, "%s", ft_buf_str(&said));
}

Test(udp, each_message_is_a_datagram_also_before_the_socket_is_there, .timeout = 30)
{
    static const char *const hosts[] = { "127.0.0.1", "localhost" };

    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        begin(true);
        open_to(hosts[i]);
        say("one");
        say("");
        say("three");
        ft_stream_eof(stream);
        say("four");
        wanted = 4;
        ft_loop_run(loop);
        expect_said("<opened>[one][][three][four]");
        end();
    }
}

Test(udp, the_largest_datagram_goes_and_no_larger_one, .timeout = 30)
{
    static char bytes[65508];
    struct ft_err err = { 0 };

    begin(true);
    open_to("127.0.0.1");
    cr_expect_eq(ft_stream_write(stream, bytes, 65508, &err), -EMSGSIZE);
    cr_expect(err.class == FT_INVALID && strstr(err.text, "65507 bytes at most, not 65508"), "%s", err.text);
    cr_expect_eq(ft_stream_write(stream, bytes, 65507, &err), 0);
    wanted = 1;
    ft_loop_run(loop);
    expect_said("<opened>[65507 bytes]");
    end();
}

Test(udp, what_waits_is_bounded, .timeout = 30)
{
    struct ft_err err = { 0 };
    unsigned taken = 0;

    begin(true);
    open_to("127.0.0.1");
    while (ft_stream_write(stream, "x", 1, &err) == 0)
        taken++;
    cr_expect(err.code == -ENOBUFS && taken > 1000 && taken < 100000, "%u: %s", taken, err.text);
    end();
}

Test(udp, a_port_that_nobody_listens_at_is_unreachable, .timeout = 30)
{
    char *text;

    begin(false);
    close(peer);
    peer = -1;
    open_to("127.0.0.1");
    say("anybody?");
    ft_loop_run(loop);
    text = ft_asprintf("<opened><closed unreachable: udp 127.0.0.1:%u: nothing listens there (port unreachable); is the service running, and is it that port?>", port);
    expect_said(text);
    free(text);
    cr_expect_eq(ft_stream_write(stream, "x", 1, NULL), -EPIPE);
    end();
}

Test(udp, from_an_address_and_a_port_of_ours, .timeout = 30)
{
    uint16_t own;
    int fd;
    struct ft_udp_req req = { .size = sizeof(req), .host = "127.0.0.1", .local_host = "127.0.0.2" };
    char *text;

    begin(true);
    fd = bound_socket(&own);
    close(fd);
    req.port = port;
    req.local_port = own;
    open_req(&req);
    say("whence");
    wanted = 1;
    ft_loop_run(loop);
    text = ft_asprintf("<opened>[127.0.0.2:%u]", own);
    expect_said(text);
    free(text);
    end();
}

Test(udp, an_address_that_cannot_be_had_says_so, .timeout = 30)
{
    uint16_t taken;
    int fd;
    struct ft_udp_req req = { .size = sizeof(req), .host = "127.0.0.1", .port = 9, .local_host = "192.0.2.1" };

    begin(false);
    fd = bound_socket(&taken);
    open_req(&req);
    ft_loop_run(loop);
    expect_said("<closed unreachable: udp 127.0.0.1:9: cannot send from 192.0.2.1 port 0: Cannot assign requested address>");
    ft_stream_close(stream);
    ft_buf_clear(&said);
    req.local_host = "127.0.0.1";
    req.local_port = taken;
    open_req(&req);
    ft_loop_run(loop);
    cr_expect(strstr(ft_buf_str(&said), "Address already in use"), "%s", ft_buf_str(&said));
    ft_stream_close(stream);
    ft_buf_clear(&said);
    req.local_host = "::1";
    open_req(&req);
    ft_loop_run(loop);
    cr_expect(strstr(ft_buf_str(&said), "Address family not supported"), "%s", ft_buf_str(&said));
    close(fd);
    end();
}

/* The port is the one that ours sends from: its datagram comes before ours is tied to the peer, or after. */
Test(udp, what_a_stranger_sends_is_not_heard, .timeout = 30)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct ft_udp_req req = { .size = sizeof(req), .host = "127.0.0.1" };
    uint16_t own, strange;
    int fd, stranger;

    begin(true);
    fd = bound_socket(&own);
    close(fd);
    stranger = bound_socket(&strange);
    req.port = port;
    req.local_port = own;
    open_req(&req);
    say("first");
    wanted = 1;
    ft_loop_run(loop);
    to.sin_port = htons(own);
    sendto(stranger, "evil", 4, 0, (struct sockaddr *)&to, sizeof(to));
    say("second");
    wanted = 1;
    ft_loop_run(loop);
    expect_said("<opened>[first][second]");
    close(stranger);
    end();
}

static void close_in_data(void *arg, struct ft_stream *s, const char *bytes, size_t len, bool is_stderr)
{
    data(arg, s, bytes, len, is_stderr);
    ft_stream_close(stream);
    stream = NULL;
}

Test(udp, nothing_comes_after_closing, .timeout = 30)
{
    static const struct ft_stream_handler closing = { opened, close_in_data, closed };
    struct ft_udp_req req = { .size = sizeof(req), .host = "127.0.0.1" };

    begin(true);
    req.port = port;
    cr_assert_eq(ft_udp_open(loop, &req, &closing, NULL, &stream, NULL), 0);
    say("a");
    say("b");
    wanted = 9;
    ft_loop_run(loop);
    expect_said("<opened>[a]");
    ft_buf_clear(&said);
    open_to("localhost");
    say("never");
    ft_stream_close(stream);
    stream = NULL;
    ft_loop_run(loop);
    expect_said("");
    end();
}

Test(udp, errors_of_use_and_of_names, .timeout = 30)
{
    static const struct { struct ft_udp_req req; const char *says; } table[] = {
        { { .host = "", .port = 1 }, "need a host and a port" },
        { { .host = "x", .port = 0 }, "need a host and a port" },
        { { .host = NULL, .port = 1 }, "need a host and a port" },
        { { .host = "127.0.0.1", .port = 1, .local_host = "eth0" }, "'eth0' is no address to send from" },
    };

    begin(false);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct ft_err err = { 0 };

        cr_expect_eq(ft_udp_open(loop, &table[i].req, &handler, NULL, &stream, &err), -EINVAL);
        cr_expect(err.class == FT_INVALID && strstr(err.text, table[i].says), "%zu: %s", i, err.text);
    }
    stream = NULL;
    open_to("no-such-host.invalid");
    ft_loop_run(loop);
    cr_expect(strstr(ft_buf_str(&said), "<closed unreachable: udp no-such-host.invalid:"), "%s", ft_buf_str(&said));
    cr_expect(strstr(ft_buf_str(&said), "the name was not found"), "%s", ft_buf_str(&said));
    end();
}
