/* tcp.c: is a port open? */
#include <string.h>
#include "net.h"

struct tcp { uint64_t began_ms; };

static void tcp_done(struct ft_call *call, bool open, const char *error)
{
    const struct tcp *st = host->state(call);

    host->done(call, json_pack("{s:b, s:I, s:s?}", "open", open, "ms", (json_int_t)(host->wall_ms(call) - st->began_ms), "error", error));
}

static void tcp_opened(struct ft_call *call, struct ft_stream *stream)
{
    host->stream_close(stream);
    tcp_done(call, true, NULL);
}

static void tcp_closed(struct ft_call *call, struct ft_stream *stream, enum ft_class class, int exit_status, const char *why)
{
    (void)stream;
    (void)class;
    (void)exit_status;
    tcp_done(call, false, why && *why ? why : "the connection ended before it was open");
}

static const struct ft_stream_events events = { .size = sizeof(events), .opened = tcp_opened, .closed = tcp_closed };

static int tcp_start(struct ft_call *call, struct ft_err *reterr)
{
    struct tcp *st = host->state(call);
    struct ft_tcp_req req = { .size = sizeof(req), .host = net_param(call, "host"), .port = (uint16_t)json_integer_value(json_object_get(host->params(call), "port")),
                              .connect_timeout_ms = (unsigned)net_timeout_ms(call) };
    struct ft_stream *stream;

    st->began_ms = host->wall_ms(call);
    return host->tcp(call, &req, &events, &stream, reterr);
}

static const char params_schema[] = OBJECT("[\"host\", \"port\"]",
    JSON("host": {"type": "string", "minLength": 1, "description": "name or address"},
         "port": {"type": "integer", "minimum": 1, "maximum": 65535, "description": "TCP port"}) ", " TIMEOUT_PARAM);
static const char result_schema[] = JSON({"type": "object", "properties": {
    "open": {"type": "boolean", "description": "a connection was made"},
    "ms": {"type": "integer", "description": "milliseconds until that was known"},
    "error": {"type": ["string", "null"], "description": "why it is not open"}}});

const struct ft_action net_tcp = {
    .size = sizeof(net_tcp), .name = "tcp", .summary = "is a TCP port open", .effects = FT_EFFECT_READ, .params_schema = params_schema,
    .result_schema = result_schema, .state_size = sizeof(struct tcp), .run = { .start = tcp_start }, .timeout_ms = 70000,
    .about = "Connects and closes again; sends nothing. A port that is closed or does not answer is the result `open: false`.",
    .example = "run: net.tcp\nwith: {host: ise-1.example, port: 9060}\n",
};
