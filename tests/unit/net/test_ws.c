/* Websockets against ws_peer.py, which does what the path says. */
#include "ws_client.h"

static void begin(void) { begin_with("unit/net/ws_peer.py"); }

static void open_path(const char *path)
{
    struct ft_ws_req req = { .connect_timeout_ms = 5000 };
    struct ft_err err = { 0 };

    cr_assert_eq(open_req(&req, false, NULL, path, &err), 0, "%s: %s", path, err.text);
}

#define AT(path) "websocket ws://localhost:PORT" path ": "

static const struct { const char *path, *says; } table[] = {
    { "/echo", "<opened>[hello][world]<closed none: " AT("/echo") "closed by the other side with code 1000>" },
    { "/echo?token=x", "<closed none: " AT("/echo") "closed by the other side with code 1000>" },
    { "/fragments", "<opened>[one two three]<closed none: " AT("/fragments") "closed by the other side with code 1000>" },
    { "/together", "<opened>[at once][and more]<closed none: " },
    { "/big/1048576", "<opened>[1048576]<closed none: " },
    { "/big/1048577", "<opened><closed invalid: " AT("/big/1048577") "a message is larger than the 1048576 bytes allowed>" },
    { "/masked", "<opened><closed invalid: " AT("/masked") "the server breaks the protocol: a frame of the server is masked>" },
    { "/cut", "<opened>[last words]<closed unreachable: " AT("/cut") "the connection was cut off: the server closed it without a close of the websocket>" },
    { "/close", "<opened><closed none: " AT("/close") "closed by the other side>" },
    { "/close/1001", "<opened><closed none: " AT("/close/1001") "closed by the other side with code 1001: so it is>" },
    { "/close/1008", "<opened><closed refused: " AT("/close/1008") "closed by the other side with code 1008: so it is>" },
    { "/close/1007", "<opened><closed invalid: " }, { "/close/4001", "<opened><closed refused: " }, { "/close/1004", "a close has a code that may not be sent>" },
    { "/status/401", "<closed denied: " AT("/status/401") "the server answered '401 Because' instead of opening the websocket; check the token or password, and what it may do>" },
    { "/status/403", "<closed denied: " }, { "/status/404", "<closed not_found: " }, { "/status/500", "<closed refused: " }, { "/status/302", "<closed refused: " },
    { "/badkey", "<closed invalid: " AT("/badkey") "the server answered 101 without the right key; it is no websocket server, or a proxy is between>" },
    { "/nohttp", "<closed invalid: " AT("/nohttp") "what came back is not HTTP ('SSH-2.0-OpenSSH_9.2')" },
    { "/nul", "<closed invalid: " AT("/nul") "what came back is not HTTP" },
    { "/endless", "<closed invalid: " AT("/endless") "the answer has more headers than the 16 KiB allowed>" },
    { "/hangup", "<closed unreachable: " AT("/hangup") "the server closed the connection instead of opening the websocket>" },
};

static void each_way_to_open_and_to_close(void)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        open_path(table[i].path);
        cr_expect_eq(ft_stream_write(stream, "hello", 5, NULL), 0);
        cr_expect_eq(ft_stream_write(stream, "world", 5, NULL), 0);
        if (strncmp(table[i].path, "/echo", 5) == 0) {
            ft_stream_eof(stream);
            cr_expect_eq(ft_stream_write(stream, "late", 4, NULL), -EPIPE);
        }
        ft_loop_run(loop);
        cr_expect(strstr(shown(), table[i].says), "%s: %s", table[i].path, shown());
        cr_expect_null(strstr(shown(), "token=x"), "the query shows: %s", shown());
    }
}

static void with_tls_headers_and_a_subprotocol(void)
{
    static const struct ft_http_header headers[] = { { "X-Whoami", "me" }, { NULL, NULL } };
    struct ft_ws_req req = { .headers = headers, .subprotocol = "v12.stomp", .ca_file = "yes" };
    struct ft_err err = { 0 };

    cr_assert_eq(open_req(&req, true, NULL, "/echo", &err), 0, "%s", err.text);
    cr_expect_eq(ft_stream_write(stream, "hello", 5, NULL), 0);
    ft_stream_eof(stream);
    ft_loop_run(loop);
    cr_expect_str_eq(shown(), "<opened>[me][hello]<closed none: websocket wss://localhost:PORT/echo: closed by the other side with code 1000>");
    cr_assert_eq(open_req(&req, true, "127.0.0.1", "/echo", &err), 0);
    ft_loop_run(loop);
    cr_expect(strstr(shown(), "<closed unreachable: websocket wss://127.0.0.1:PORT/echo: tls 127.0.0.1:PORT: the server's certificate does not name '127.0.0.1'"), "%s", shown());
    req = (struct ft_ws_req){ .no_verify = true };
    cr_assert_eq(open_req(&req, true, "127.0.0.1", "/close", &err), 0);
    ft_loop_run(loop);
    cr_expect(strstr(shown(), "<opened><closed none: "), "%s", shown());
    /* TLS spoken to where there is none, and the other way round. */
    ports[0] ^= ports[1], ports[1] ^= ports[0], ports[0] ^= ports[1];
    req.connect_timeout_ms = 80;      /* the server waits for the end of a request's head */
    cr_assert_eq(open_req(&req, true, NULL, "/close", &err), 0);
    ft_loop_run(loop);
    cr_expect(strstr(shown(), "<closed unreachable: "), "%s", shown());
    cr_assert_eq(open_req(&req, false, NULL, "/close", &err), 0);
    ft_loop_run(loop);
    cr_expect(strstr(shown(), "<closed "), "%s", shown());
    ports[0] ^= ports[1], ports[1] ^= ports[0], ports[0] ^= ports[1];
}

static void what_takes_too_long_is_given_up(void)
{
    struct ft_ws_req req = { .connect_timeout_ms = 80 };
    struct ft_err err = { 0 };

    cr_assert_eq(open_req(&req, false, NULL, "/silent", &err), 0);
    ft_loop_run(loop);
    cr_expect_str_eq(shown(), "<closed unreachable: " AT("/silent") "the server did not open it in 80 ms; is it a websocket's URL?>");
    open_path("/noclose");
    ft_stream_eof(stream);
    ft_loop_run(loop);
    cr_expect_str_eq(shown(), "<opened><closed none: " AT("/noclose") "closed by us; the server did not answer the close>");
    ports[0] = 1;
    open_path("/x");
    ft_loop_run(loop);
    cr_expect_str_eq(shown(), "<closed unreachable: " AT("/x") "tcp localhost:PORT: connection refused; is the service running, and is it that port?>");
}

static void pings_are_answered(void)
{
    open_path("/ping");
    ft_loop_run(loop);
    cr_expect_str_eq(shown(), "<opened>[pong are you there]<closed none: " AT("/ping") "closed by the other side with code 1001: going away>");
}

static void large_messages_go_out(void)
{
    static char text[300000];
    struct ft_err err = { 0 };

    memset(text, 'x', sizeof(text));
    open_path("/echo");
    for (size_t i = 0; i < 3; i++)
        cr_expect_eq(ft_stream_write(stream, text, i == 0 ? 125 : i == 1 ? 65535 : sizeof(text), &err), 0, "%s", err.text);
    ft_stream_eof(stream);
    ft_loop_run(loop);
    cr_expect(strstr(shown(), "<opened>[125][65535][300000]<closed none: "), "%s", shown());
    open_path("/echo");
    cr_expect_eq(ft_stream_write(stream, "\xff", 1, &err), -EILSEQ);
    while (ft_stream_write(stream, text, sizeof(text), &err) == 0)
        ;
    cr_expect_eq(err.code, -ENOBUFS, "%s", err.text);
}

static void nothing_comes_after_closing(void)
{
    open_path("/echo");
    cr_expect_eq(ft_stream_write(stream, "hello", 5, NULL), 0);
    cr_expect_eq(ft_stream_write(stream, "world", 5, NULL), 0);
    close_when_heard = true;
    ft_loop_run(loop);
    cr_expect_str_eq(shown(), "<opened>[hello]");
    close_when_heard = false;
    open_path("/echo");
    ft_stream_close(stream);
    stream = NULL;
    ft_loop_run(loop);
    cr_expect_str_eq(shown(), "");
}

/* One test: the server takes longer to start than all of this. */
Test(ws, streams, .init = begin, .fini = end, .timeout = 60)
{
    each_way_to_open_and_to_close();
    with_tls_headers_and_a_subprotocol();
    pings_are_answered();
    large_messages_go_out();
    nothing_comes_after_closing();
    what_takes_too_long_is_given_up();
}
