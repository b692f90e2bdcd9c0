/* Websockets against a server that others wrote: Python's "websockets", through websocket_peer.py. */
#include "../unit/net/ws_client.h"

static void begin(void) { begin_with("peers/websocket_peer.py"); }

static const struct ft_http_header token[] = { { "Authorization", "Token right" }, { NULL, NULL } };

static const struct { const char *path; bool tls; struct ft_ws_req req; const char *says; } table[] = {
    { "/echo", false, { .subprotocol = "v12.stomp" }, "<opened>[v12.stomp hello]<closed none: websocket ws://localhost:PORT/echo: closed by the other side with code 1000>" },
    { "/echo", true, { .subprotocol = "v12.stomp", .ca_file = "yes" }, "<opened>[v12.stomp hello]<closed none: " },
    { "/echo", true, { .ca_file = NULL }, "<closed unreachable: websocket wss://localhost:PORT/echo: tls localhost:PORT: the server's certificate is self-signed" },
    { "/echo", true, { .no_verify = true }, "<opened>[None hello]<closed none: " },
    { "/fragments", false, { 0 }, "<opened>[one two three]<closed none: " },
    { "/fragments", true, { .ca_file = "yes" }, "<opened>[one two three]<closed none: " },
    { "/ping", false, { 0 }, "<opened>[pong came]<closed none: " },
    { "/large", true, { .ca_file = "yes", .max_message = 3000000 }, "<opened>[3000000]<closed none: " },
    { "/large", true, { .ca_file = "yes" }, "<opened><closed invalid: websocket wss://localhost:PORT/large: a message is larger than the 1048576 bytes allowed>" },
    { "/policy", false, { 0 }, "<opened><closed refused: websocket ws://localhost:PORT/policy: closed by the other side with code 1008: not today>" },
    { "/private", false, { 0 }, "<closed denied: websocket ws://localhost:PORT/private: the server answered '401 Unauthorized' instead of opening the websocket" },
    { "/private", true, { .headers = token, .ca_file = "yes" }, "<opened><closed none: " },
};

Test(websocket, against_a_real_server, .init = begin, .fini = end, .timeout = 60)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct ft_ws_req req = table[i].req;
        struct ft_err err = { 0 };

        cr_assert_eq(open_req(&req, table[i].tls, NULL, table[i].path, &err), 0, "%zu: %s", i, err.text);
        cr_expect_eq(ft_stream_write(stream, "hello", 5, NULL), 0);
        ft_loop_run(loop);
        cr_expect(strstr(shown(), table[i].says), "%zu: %s", i, shown());
    }
}
