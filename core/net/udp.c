/* udp.c: datagrams to and from one peer, as a stream: what is written is one datagram, what comes is given whole. */
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>
#include "base/list.h"
#include "base/util.h"
#include "net/connect.h"
#include "net/stream.h"

enum { RESOLVE_MS = 5000, DATAGRAM_MAX = 65507, QUEUE_MAX = 1 << 20 };

struct udp {
    struct ft_stream stream;          /* first: a struct ft_stream * is a struct udp * */
    struct ft_loop *loop;
    struct ft_stream_handler handler;
    void *arg;
    char *name;                       /* "host:port", for the sentences */
    struct ft_connect *connect;
    uv_udp_t socket;
    bool open, over, released;        /* socket is open; `closed` was called; the owner let go */
    struct sockaddr_storage peer;
    struct ft_list early;             /* struct datagram: written before the socket was there */
    size_t queued;                    /* bytes, and some for each datagram's own needs */
    char chunk[DATAGRAM_MAX + 1];
};

struct datagram {
    struct ft_list in_early;
    uv_udp_send_t req;
    struct udp *udp;
    size_t len;
    char bytes[];
};

static size_t weight(size_t len)
{
    return len + 256;
}

static void free_datagram(struct datagram *datagram)
{
    datagram->udp->queued -= weight(datagram->len);
    free(datagram);
}

static void free_udp(struct udp *udp)
{
    struct ft_list *pos, *tmp;

    ft_list_each(pos, tmp, &udp->early)
        free_datagram(ft_container(pos, struct datagram, in_early));
    free(udp->name);
    free(udp);
}

static void socket_closed(uv_handle_t *handle)
{
    struct udp *udp = handle->data;

    udp->open = false;
    if (udp->released)
        free_udp(udp);
}

static void close_socket(struct udp *udp)
{
    if (udp->open && !uv_is_closing((uv_handle_t *)&udp->socket)) {
        uv_close((uv_handle_t *)&udp->socket, socket_closed);
        ft_loop_hold(udp->loop, -1);
    }
}

static void udp_over(struct udp *udp, enum ft_class class, const char *why)
{
    if (udp->over)
        return;
    udp->over = true;
    close_socket(udp);
    if (!udp->released && udp->handler.closed)
        udp->handler.closed(udp->arg, &udp->stream, class, -1, why);
}

static void failed(struct udp *udp, int error)
{
    char *why = error == UV_ECONNREFUSED ? ft_asprintf("udp %s: nothing listens there (port unreachable); is the service running, and is it that port?", udp->name)
                                         : ft_asprintf("udp %s: %s", udp->name, uv_strerror(error));

    udp_over(udp, error == UV_EMSGSIZE ? FT_INVALID : FT_UNREACHABLE, why);
    free(why);
}

static void give_chunk(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct udp *udp = handle->data;

    (void)suggested;
    *ret = uv_buf_init(udp->chunk, sizeof(udp->chunk));
}

/* What another one had sent before the socket was tied to its peer lies in its queue still. */
static bool is_from(const struct udp *udp, const struct sockaddr *from)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)&udp->peer, *from_in = (const struct sockaddr_in *)from;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&udp->peer, *from_in6 = (const struct sockaddr_in6 *)from;

    if (from->sa_family != udp->peer.ss_family)
        return false;
    if (from->sa_family == AF_INET)
        return from_in->sin_port == in->sin_port && from_in->sin_addr.s_addr == in->sin_addr.s_addr;
    return from_in6->sin6_port == in6->sin6_port && memcmp(&from_in6->sin6_addr, &in6->sin6_addr, sizeof(in6->sin6_addr)) == 0;
}

static void got_datagram(uv_udp_t *socket, ssize_t n, const uv_buf_t *bytes, const struct sockaddr *from, unsigned flags)
{
    struct udp *udp = socket->data;

    (void)flags;
    if (udp->over)
        return;
    if (n < 0)
        failed(udp, (int)n);
    else if (from && is_from(udp, from) && udp->handler.data)     /* no address: nothing more to read now */
        udp->handler.data(udp->arg, &udp->stream, bytes->base, (size_t)n, /* is_stderr= */ false);
}

static void sent(uv_udp_send_t *req, int status)
{
    struct datagram *datagram = ft_container(req, struct datagram, req);
    struct udp *udp = datagram->udp;

    free_datagram(datagram);
    if (status < 0 && status != UV_ECANCELED)
        failed(udp, status);
}

/* Sent at once where the socket takes it, else when it does. */
static void send_datagram(struct udp *udp, struct datagram *datagram)
{
    uv_buf_t buf = uv_buf_init(datagram->bytes, (unsigned)datagram->len);

    if (uv_udp_send(&datagram->req, &udp->socket, &buf, 1, NULL, sent) < 0)
        free_datagram(datagram);      /* the socket is closing */
}

static void udp_ready(void *arg, int fd, const struct ft_err *err)
{
    struct udp *udp = arg;
    socklen_t len = sizeof(udp->peer);
    struct ft_list *pos, *tmp;

    udp->connect = NULL;
    if (fd < 0) {
        char *why = ft_asprintf("udp %s: %s", udp->name, err->text);

        udp_over(udp, err->class, why);
        free(why);
        return;
    }
    uv_udp_init(ft_loop_uv(udp->loop), &udp->socket);
    udp->socket.data = udp;
    udp->open = true;
    ft_loop_hold(udp->loop, 1);
    if (getpeername(fd, (struct sockaddr *)&udp->peer, &len) < 0 || uv_udp_open(&udp->socket, fd) < 0) {
        close(fd);
        failed(udp, UV_EIO);
        return;
    }
    uv_udp_recv_start(&udp->socket, give_chunk, got_datagram);
    ft_list_each(pos, tmp, &udp->early) {
        ft_list_remove(pos);
        send_datagram(udp, ft_container(pos, struct datagram, in_early));
    }
    if (udp->handler.opened)
        udp->handler.opened(udp->arg, &udp->stream);
}

static int udp_write(struct ft_stream *stream, const char *bytes, size_t len, struct ft_err *reterr)
{
    struct udp *udp = (struct udp *)stream;
    struct datagram *datagram;

    if (udp->over)
        return ft_err_class(reterr, FT_UNREACHABLE, -EPIPE, "udp %s: the socket is closed", udp->name);
    if (len > DATAGRAM_MAX)
        return ft_err_class(reterr, FT_INVALID, -EMSGSIZE, "udp %s: a datagram holds %d bytes at most, not %zu", udp->name, DATAGRAM_MAX, len);
    if (weight(len) > QUEUE_MAX - udp->queued)
        return ft_err_class(reterr, FT_REFUSED, -ENOBUFS, "udp %s: the network does not take what is sent: too many datagrams wait already", udp->name);
    datagram = ft_calloc(1, sizeof(*datagram) + len);
    datagram->udp = udp;
    datagram->len = len;
    memcpy(datagram->bytes, bytes, len);
    udp->queued += weight(len);
    if (udp->open)
        send_datagram(udp, datagram);
    else
        ft_list_append(&udp->early, &datagram->in_early);
    return 0;
}

static void udp_eof(struct ft_stream *stream)
{
    (void)stream;                     /* there is no such thing */
}

static void udp_close(struct ft_stream *stream)
{
    struct udp *udp = (struct udp *)stream;

    udp->released = udp->over = true;
    ft_connect_cancel(udp->connect);
    if (udp->open)
        close_socket(udp);            /* frees when closed */
    else
        free_udp(udp);
}

static const struct ft_stream_ops udp_ops = { .write = udp_write, .eof = udp_eof, .close = udp_close };

static bool is_address(const char *text)
{
    struct addrinfo hints = { .ai_flags = AI_NUMERICHOST }, *list;

    if (getaddrinfo(text, NULL, &hints, &list) != 0)
        return false;
    freeaddrinfo(list);
    return true;
}

int ft_udp_open(struct ft_loop *loop, const struct ft_udp_req *req, const struct ft_stream_handler *handler, void *arg,
                struct ft_stream **ret, struct ft_err *reterr)
{
    struct udp *udp;

    if (!req->host || !*req->host || !req->port)
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "datagrams need a host and a port");
    if (req->local_host && !is_address(req->local_host))
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "'%s' is no address to send from; write one of this machine's", req->local_host);
    udp = ft_calloc(1, sizeof(*udp));
    udp->stream.ops = &udp_ops;
    udp->loop = loop;
    udp->handler = *handler;
    udp->arg = arg;
    udp->name = ft_asprintf("%s:%u", req->host, req->port);
    ft_list_init(&udp->early);
    udp->connect = ft_connect_datagrams(loop, req, RESOLVE_MS, udp_ready, udp);
    *ret = &udp->stream;
    return 0;
}
