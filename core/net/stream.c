#include "net/stream.h"
#include <unistd.h>
#include <uv.h>
#include "base/buf.h"
#include "base/util.h"
#include "net/connect.h"
#include "net/tls.h"

#define DEFAULT_CONNECT_MS 5000
#define KEEPALIVE_S 30                /* of silence; then the kernel asks whether the other side is there still */

int ft_stream_write(struct ft_stream *stream, const char *bytes, size_t len, struct ft_err *reterr)
{
    return stream->ops->write(stream, bytes, len, reterr);
}

void ft_stream_eof(struct ft_stream *stream)
{
    stream->ops->eof(stream);
}

void ft_stream_close(struct ft_stream *stream)
{
    if (stream)
        stream->ops->close(stream);
}

/* ---- TCP ---- */

struct tcp {
    struct ft_stream stream;          /* first: a struct ft_stream * is a struct tcp * */
    struct ft_loop *loop;
    struct ft_stream_handler handler;
    void *arg;
    char *name;                       /* "host:port", for the sentences */
    struct ft_connect *connect;
    uv_tcp_t socket;
    bool open, over, released;        /* socket is open; `closed` was called; the owner let go */
    bool eof_wanted;
    int write_error;                  /* of libuv: what came before it is read first */
    struct ft_buf early;              /* written before the connection was there */
    size_t queued;
    uv_shutdown_t shutdown;
    char chunk[16384];
};

struct pending_write {
    uv_write_t req;
    struct tcp *tcp;
    size_t len;
    char bytes[];
};

static void free_tcp(struct tcp *tcp)
{
    ft_buf_done(&tcp->early);
    free(tcp->name);
    free(tcp);
}

static void socket_closed(uv_handle_t *handle)
{
    struct tcp *tcp = handle->data;

    tcp->open = false;
    if (tcp->released)
        free_tcp(tcp);
}

static void close_socket(struct tcp *tcp)
{
    if (tcp->open && !uv_is_closing((uv_handle_t *)&tcp->socket)) {
        uv_close((uv_handle_t *)&tcp->socket, socket_closed);
        ft_loop_hold(tcp->loop, -1);
    }
}

static void tcp_over(struct tcp *tcp, enum ft_class class, const char *why)
{
    if (tcp->over)
        return;
    tcp->over = true;
    close_socket(tcp);
    if (!tcp->released && tcp->handler.closed)
        tcp->handler.closed(tcp->arg, &tcp->stream, class, -1, why);
}

static void broke_off(struct tcp *tcp, int error)
{
    char *why = ft_asprintf("tcp %s: the connection broke off: %s", tcp->name, uv_strerror(error));

    tcp_over(tcp, FT_UNREACHABLE, why);
    free(why);
}

static void give_chunk(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct tcp *tcp = handle->data;

    (void)suggested;
    *ret = uv_buf_init(tcp->chunk, sizeof(tcp->chunk));
}

static void got_bytes(uv_stream_t *socket, ssize_t n, const uv_buf_t *bytes)
{
    struct tcp *tcp = socket->data;

    if (n == UV_EOF && tcp->write_error)
        broke_off(tcp, tcp->write_error);
    else if (n == UV_EOF)
        tcp_over(tcp, FT_CLASS_NONE, "closed by the other side");
    else if (n < 0)
        broke_off(tcp, (int)n);
    else if (n > 0 && tcp->handler.data)
        tcp->handler.data(tcp->arg, &tcp->stream, bytes->base, (size_t)n, /* is_stderr= */ false);
}

static void written(uv_write_t *req, int status)
{
    struct pending_write *pending = ft_container(req, struct pending_write, req);
    struct tcp *tcp = pending->tcp;

    tcp->queued -= pending->len;
    free(pending);
    if (status < 0 && status != UV_ECANCELED)
        tcp->write_error = status;    /* the socket is done for: reading comes to its end, and tells */
}

static void send_bytes(struct tcp *tcp, const char *bytes, size_t len)
{
    struct pending_write *pending = ft_calloc(1, sizeof(*pending) + len);
    uv_buf_t buf = uv_buf_init(pending->bytes, (unsigned)len);

    pending->tcp = tcp;
    pending->len = len;
    memcpy(pending->bytes, bytes, len);
    tcp->queued += len;
    if (uv_write(&pending->req, (uv_stream_t *)&tcp->socket, &buf, 1, written) < 0) {
        tcp->queued -= len;           /* the connection is gone: reading tells */
        free(pending);
    }
}

static void shut(uv_shutdown_t *req, int status)
{
    (void)req;
    (void)status;
}

static void send_eof(struct tcp *tcp)
{
    uv_shutdown(&tcp->shutdown, (uv_stream_t *)&tcp->socket, shut);
}

static void tcp_connected(void *arg, int fd, const struct ft_err *err)
{
    struct tcp *tcp = arg;

    tcp->connect = NULL;
    if (fd < 0) {
        char *why = ft_asprintf("tcp %s: %s", tcp->name, err->text);

        tcp_over(tcp, err->class, why);
        free(why);
        return;
    }
    uv_tcp_init(ft_loop_uv(tcp->loop), &tcp->socket);
    tcp->socket.data = tcp;
    tcp->open = true;
    ft_loop_hold(tcp->loop, 1);
    if (uv_tcp_open(&tcp->socket, fd) < 0) {
        close(fd);
        broke_off(tcp, UV_EIO);
        return;
    }
    uv_tcp_keepalive(&tcp->socket, 1, KEEPALIVE_S);
    uv_read_start((uv_stream_t *)&tcp->socket, give_chunk, got_bytes);
    if (tcp->early.len)
        send_bytes(tcp, tcp->early.data, tcp->early.len);
    ft_buf_done(&tcp->early);
    if (tcp->eof_wanted)
        send_eof(tcp);
    if (tcp->handler.opened)
        tcp->handler.opened(tcp->arg, &tcp->stream);
}

static int tcp_write(struct ft_stream *stream, const char *bytes, size_t len, struct ft_err *reterr)
{
    struct tcp *tcp = (struct tcp *)stream;

    if (tcp->over || tcp->eof_wanted)
        return ft_err_class(reterr, FT_UNREACHABLE, -EPIPE, "tcp %s: the connection is closed", tcp->name);
    if (len > FT_STREAM_QUEUE_MAX - tcp->queued - tcp->early.len)
        return ft_err_class(reterr, FT_REFUSED, -ENOBUFS, "tcp %s: the other side does not take what is sent: %zu bytes wait already",
                            tcp->name, tcp->queued + tcp->early.len);
    if (!tcp->open)
        ft_buf_add(&tcp->early, bytes, len);
    else
        send_bytes(tcp, bytes, len);
    return 0;
}

size_t ft_tcp_waiting(const struct ft_stream *stream)
{
    const struct tcp *tcp = (const struct tcp *)stream;

    return tcp->queued + tcp->early.len;
}

static void tcp_eof(struct ft_stream *stream)
{
    struct tcp *tcp = (struct tcp *)stream;

    if (tcp->over || tcp->eof_wanted)
        return;
    tcp->eof_wanted = true;
    if (tcp->open)
        send_eof(tcp);
}

static void tcp_close(struct ft_stream *stream)
{
    struct tcp *tcp = (struct tcp *)stream;

    tcp->released = tcp->over = true;
    ft_connect_cancel(tcp->connect);
    if (tcp->open)
        close_socket(tcp);            /* frees when closed */
    else
        free_tcp(tcp);
}

static const struct ft_stream_ops tcp_ops = { .write = tcp_write, .eof = tcp_eof, .close = tcp_close };

int ft_tcp_open(struct ft_loop *loop, const struct ft_tcp_req *req, const struct ft_stream_handler *handler, void *arg,
                struct ft_stream **ret, struct ft_err *reterr)
{
    struct tcp *tcp;

    if (!req->host || !*req->host || !req->port)
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "a TCP connection needs a host and a port");
    if (req->tls)
        return ft_tls_open(loop, req, handler, arg, ret, reterr);
    tcp = ft_calloc(1, sizeof(*tcp));
    tcp->stream.ops = &tcp_ops;
    tcp->loop = loop;
    tcp->handler = *handler;
    tcp->arg = arg;
    tcp->name = ft_asprintf("%s:%u", req->host, req->port);
    tcp->early = FT_BUF_INIT(FT_STREAM_QUEUE_MAX);
    tcp->connect = ft_connect_start(loop, req->host, req->port, req->connect_timeout_ms ? req->connect_timeout_ms : DEFAULT_CONNECT_MS,
                                    tcp_connected, tcp);
    *ret = &tcp->stream;
    return 0;
}
