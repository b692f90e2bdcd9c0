/* ws.c: a websocket client (RFC 6455) over a TCP or TLS stream. The protocol is in ws_proto.c; this is its life:
 *
 *   connecting ──below opened──► upgrading ──101──► open ──our close──► closing ──theirs, or 1 s──► over
 *
 * libwebsockets was tried first. On a foreign loop its version in Debian looks names up on the loop's thread (up to 5 s a try), takes 65 ms to make a
 * context, and lets a name that is not found go unsaid. The framing is small. */
#include <sodium.h>
#include "base/text.h"
#include "base/util.h"
#include "net/http_internal.h"
#include "net/openssl.h"
#include "net/stream.h"
#include "net/ws_proto.h"

enum { DEFAULT_CONNECT_MS = 10000, CLOSE_MS = 1000, HEAD_MAX = 16 << 10, MESSAGE_MAX = 1 << 20, KEY_TEXT = 25, ACCEPT_TEXT = 29 };

struct ws {
    struct ft_stream stream;          /* first: a struct ft_stream * is a struct ws * */
    struct ft_loop *loop;
    struct ft_stream_handler handler;
    void *arg;
    char *shown;                      /* the URL without its query */
    char *subprotocol;
    unsigned timeout_ms;
    uint64_t deadline_us;             /* of the upgrade */
    struct ft_stream *below;          /* NULL: closed */
    struct ft_timer *timer;           /* of the upgrade, later of the close */
    bool open, closing, over, released;
    unsigned busy;                    /* inside a callback from below: nothing is freed */
    char accept[ACCEPT_TEXT];         /* what the server has to answer to our key */
    struct ft_buf head;               /* the request; then the answer's header block */
    struct ft_buf early;              /* frames written before the upgrade */
    struct ft_ws_frames frames;
};

static void free_ws(struct ws *ws)
{
    ft_timer_stop(ws->timer);
    ft_stream_close(ws->below);
    ft_ws_frames_done(&ws->frames);
    ft_buf_done(&ws->head);
    ft_buf_done(&ws->early);
    free(ws->shown);
    free(ws->subprotocol);
    free(ws);
}

static void leave(struct ws *ws)
{
    if (--ws->busy == 0 && ws->released)
        free_ws(ws);
}

__attribute__((format(printf, 3, 4)))
static void ws_over(struct ws *ws, enum ft_class class, const char *fmt, ...)
{
    struct ft_buf why = FT_BUF_INIT(0);
    va_list ap;

    if (ws->over)
        return;
    ws->over = true;
    ft_timer_stop(ws->timer);
    ws->timer = NULL;
    ft_stream_close(ws->below);
    ws->below = NULL;
    ft_buf_addf(&why, "websocket %s: ", ws->shown);
    va_start(ap, fmt);
    ft_buf_vaddf(&why, fmt, ap);
    va_end(ap);
    if (!ws->released && ws->handler.closed)
        ws->handler.closed(ws->arg, &ws->stream, class, -1, ft_buf_str(&why));
    ft_buf_done(&why);
}

static int send_frame(struct ws *ws, enum ft_ws_opcode opcode, const void *bytes, size_t len, struct ft_err *reterr)
{
    struct ft_buf frame = FT_BUF_INIT(0);
    int r;

    ft_ws_frame(&frame, opcode, bytes, len);
    r = ft_stream_write(ws->below, frame.data, frame.len, reterr);
    ft_buf_done(&frame);
    return r;
}

static void send_close(struct ws *ws, unsigned code)
{
    const unsigned char bytes[2] = { (unsigned char)(code >> 8), (unsigned char)code };

    if (!ws->closing && ws->below)
        send_frame(ws, FT_WS_CLOSE, bytes, code == 1005 ? 0 : sizeof(bytes), NULL);
    ws->closing = true;
}

/* ---- how it ends ---- */

static void upgrade_too_slow(void *arg)
{
    struct ws *ws = arg;
    char waited[40];

    ws->timer = NULL;
    ws->busy++;
    ws_over(ws, FT_UNREACHABLE, "the server did not open it in %s; is it a websocket's URL?", ft_duration_format(ws->timeout_ms, waited, sizeof(waited)));
    leave(ws);
}

static void close_too_slow(void *arg)
{
    struct ws *ws = arg;

    ws->timer = NULL;
    ws->busy++;
    ws_over(ws, FT_CLASS_NONE, "closed by us; the server did not answer the close");
    leave(ws);
}

static enum ft_class class_of_close(unsigned code)
{
    switch (code) {
    case 1000: case 1001: case 1005: return FT_CLASS_NONE;
    case 1002: case 1003: case 1007: case 1009: case 1010: return FT_INVALID;
    default: return FT_REFUSED;
    }
}

static void closed_by_server(struct ws *ws)
{
    const char *reason = ws->frames.control;
    unsigned code = ws->frames.close_code;
    enum ft_class class = class_of_close(code);

    send_close(ws, code);
    for (char *c = ws->frames.control; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    if (code == 1005)
        ws_over(ws, class, "closed by the other side");
    else
        ws_over(ws, class, "closed by the other side with code %u%s%s", code, *reason ? ": " : "", reason);
}

static void protocol_broken(struct ws *ws)
{
    send_close(ws, ws->frames.close_code);
    if (ws->frames.close_code == 1009)
        ws_over(ws, FT_INVALID, "a message is larger than the %zu bytes allowed", ws->frames.max);
    else
        ws_over(ws, FT_INVALID, "the server breaks the protocol: %s", ws->frames.broken);
}

/* ---- what comes ---- */

static void feed(struct ws *ws, const char *bytes, size_t len)
{
    while (!ws->over) {
        switch (ft_ws_next(&ws->frames, &bytes, &len)) {
        case FT_WS_NEED_MORE:
            return;
        case FT_WS_GOT_MESSAGE:
            if (ws->handler.data)
                ws->handler.data(ws->arg, &ws->stream, ft_buf_str(&ws->frames.message), ws->frames.message.len, /* is_stderr= */ false);
            break;
        case FT_WS_GOT_PING:
            if (!ws->closing && send_frame(ws, FT_WS_PONG, ws->frames.control, ws->frames.control_len, NULL) < 0)
                ws_over(ws, FT_REFUSED, "the server pings, and does not take the answers");
            break;
        case FT_WS_GOT_CLOSE:
            closed_by_server(ws);
            return;
        case FT_WS_BROKEN:
            protocol_broken(ws);
            return;
        }
    }
}

static void upgraded(struct ws *ws)
{
    ft_timer_stop(ws->timer);
    ws->timer = NULL;
    ws->open = true;
    if (ws->early.len)
        ft_stream_write(ws->below, ws->early.data, ws->early.len, NULL);
    ft_buf_done(&ws->early);
    if (ws->closing) {
        ws->closing = false;
        send_close(ws, 1000);
        ws->timer = ft_timer_start(ws->loop, CLOSE_MS, close_too_slow, ws);
    }
    if (ws->handler.opened)
        ws->handler.opened(ws->arg, &ws->stream);
}

/* Bytes of the answer's head; what is behind it are frames already. */
static void feed_head(struct ws *ws, const char *bytes, size_t len)
{
    size_t before = ws->head.len, head;
    struct ft_err err = { 0 };
    char *end;

    ft_buf_add(&ws->head, bytes, ft_min(len, HEAD_MAX - before));
    end = memmem(ws->head.data, ws->head.len, "\r\n\r\n", 4);
    head = end ? (size_t)(end + 4 - ws->head.data) : ws->head.len;
    if (memchr(ws->head.data, '\0', head)) {
        ws_over(ws, FT_INVALID, "what came back is not HTTP; is it the right port, and ws or wss as the server expects?");
        return;
    }
    if (!end && ws->head.len >= HEAD_MAX)
        ws_over(ws, FT_INVALID, "the answer has more headers than the %d KiB allowed", HEAD_MAX >> 10);
    if (!end)
        return;
    end[4] = '\0';
    if (ft_ws_answer(ws->head.data, ws->accept, ws->subprotocol, &err) < 0) {
        ws_over(ws, err.class, "%s", err.text);
        return;
    }
    ft_buf_done(&ws->head);
    upgraded(ws);
    feed(ws, bytes + (head - before), len - (head - before));
}

static void below_opened(void *arg, struct ft_stream *below)
{
    struct ws *ws = arg;
    uint64_t now = ft_clock_mono_us(ft_loop_clock(ws->loop));

    ws->timer = ft_timer_start(ws->loop, ws->deadline_us > now ? (ws->deadline_us - now) / 1000 : 0, upgrade_too_slow, ws);
    ft_stream_write(below, ws->head.data, ws->head.len, NULL);
    ft_buf_done(&ws->head);
    ws->head = FT_BUF_INIT(HEAD_MAX + 1);
}

static void below_data(void *arg, struct ft_stream *below, const char *bytes, size_t len, bool is_stderr)
{
    struct ws *ws = arg;

    (void)below;
    (void)is_stderr;
    ws->busy++;
    if (ws->open)
        feed(ws, bytes, len);
    else
        feed_head(ws, bytes, len);
    leave(ws);
}

static void below_closed(void *arg, struct ft_stream *below, enum ft_class class, int exit_status, const char *why)
{
    struct ws *ws = arg;

    (void)below;
    (void)exit_status;
    ws->busy++;
    if (ws->open && ws->closing)
        ws_over(ws, FT_CLASS_NONE, "closed by us");
    else if (class != FT_CLASS_NONE)
        ws_over(ws, class, "%s", why);
    else
        ws_over(ws, FT_UNREACHABLE, ws->open ? "the connection was cut off: the server closed it without a close of the websocket"
                                             : "the server closed the connection instead of opening the websocket");
    leave(ws);
}

static const struct ft_stream_handler below_handler = { .opened = below_opened, .data = below_data, .closed = below_closed };

/* ---- the stream ---- */

static int ws_write(struct ft_stream *stream, const char *bytes, size_t len, struct ft_err *reterr)
{
    struct ws *ws = (struct ws *)stream;

    if (ws->over || ws->closing)
        return ft_err_class(reterr, FT_UNREACHABLE, -EPIPE, "websocket %s: it is closed", ws->shown);
    if (!ft_utf8_valid(bytes, len))
        return ft_err_class(reterr, FT_INVALID, -EILSEQ, "websocket %s: what is to be sent is not UTF-8 text", ws->shown);
    if (ws->open)
        return send_frame(ws, FT_WS_TEXT, bytes, len, reterr);
    if (ws->early.len + len + 14 > FT_STREAM_QUEUE_MAX / 2)
        return ft_err_class(reterr, FT_REFUSED, -ENOBUFS, "websocket %s: too much waits for it to open", ws->shown);
    ft_ws_frame(&ws->early, FT_WS_TEXT, bytes, len);
    return 0;
}

static void ws_eof(struct ft_stream *stream)
{
    struct ws *ws = (struct ws *)stream;

    if (ws->over || ws->closing)
        return;
    if (!ws->open) {
        ws->closing = true;           /* when it is open, and what was written is sent */
        return;
    }
    send_close(ws, 1000);
    ws->timer = ft_timer_start(ws->loop, CLOSE_MS, close_too_slow, ws);
}

static void ws_close(struct ft_stream *stream)
{
    struct ws *ws = (struct ws *)stream;

    if (ws->open && !ws->over)
        send_close(ws, 1000);
    ws->released = ws->over = true;
    if (!ws->busy)
        free_ws(ws);
}

static const struct ft_stream_ops ws_ops = { .write = ws_write, .eof = ws_eof, .close = ws_close };

/* ---- the beginning ---- */

static void make_key(struct ws *ws, const struct ft_openssl *o, char *key)
{
    unsigned char random[16], digest[20];
    char text[KEY_TEXT + 36];

    arc4random_buf(random, sizeof(random));
    sodium_bin2base64(key, KEY_TEXT, random, sizeof(random), sodium_base64_VARIANT_ORIGINAL);
    snprintf(text, sizeof(text), "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    if (o->EVP_Digest(text, strlen(text), digest, NULL, o->EVP_sha1(), NULL) != 1)
        abort();
    sodium_bin2base64(ws->accept, sizeof(ws->accept), digest, sizeof(digest), sodium_base64_VARIANT_ORIGINAL);
}

static int begin(struct ws *ws, const struct ft_ws_url *url, const struct ft_ws_req *req, struct ft_err *reterr)
{
    const struct ft_openssl *o = ft_openssl_load(reterr);
    struct ft_tcp_req tcp = { .size = sizeof(tcp), .host = url->host, .port = url->port, .connect_timeout_ms = ws->timeout_ms, .tls = url->tls,
                              .no_verify = req->no_verify, .ca_file = req->ca_file };
    char key[KEY_TEXT];
    int r;

    if (!o)
        return -ENOENT;
    make_key(ws, o, key);
    r = ft_ws_request(&ws->head, url, req, key, reterr);
    if (r < 0)
        return r;
    if (ws->head.overflow)
        return ft_err_class(reterr, FT_INVALID, -E2BIG, "websocket %s: its headers are over %d KiB", ws->shown, HEAD_MAX >> 10);
    return ft_tcp_open(ws->loop, &tcp, &below_handler, ws, &ws->below, reterr);
}

int ft_ws_open(struct ft_loop *loop, const struct ft_ws_req *req, const struct ft_stream_handler *handler, void *arg,
               struct ft_stream **ret, struct ft_err *reterr)
{
    struct ft_ws_url url;
    struct ws *ws;
    int r = ft_ws_url_parse(req->url, &url, reterr);

    if (r < 0)
        return r;
    ws = ft_calloc(1, sizeof(*ws));
    ws->stream.ops = &ws_ops;
    ws->loop = loop;
    ws->handler = *handler;
    ws->arg = arg;
    ws->shown = ft_http_url_shown(req->url, /* with_query= */ false);
    ws->subprotocol = ft_strdup(req->subprotocol);
    ws->timeout_ms = req->connect_timeout_ms ? req->connect_timeout_ms : DEFAULT_CONNECT_MS;
    ws->deadline_us = ft_clock_mono_us(ft_loop_clock(loop)) + ws->timeout_ms * 1000ull;
    ws->head = FT_BUF_INIT(HEAD_MAX);
    ws->early = FT_BUF_INIT(FT_STREAM_QUEUE_MAX);
    ft_ws_frames_init(&ws->frames, req->max_message ? req->max_message : MESSAGE_MAX);
    r = begin(ws, &url, req, reterr);
    if (r < 0) {
        free_ws(ws);
        return r;
    }
    *ret = &ws->stream;
    return 0;
}
