/*   resolve ──► try_next ──► waiting for the socket ──► done
 *                  ▲                  │
 *                  └──────────────────┘  refused, or too slow: the next address                                        */
#include "net/connect.h"
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>
#include "base/text.h"
#include "base/util.h"

struct ft_connect {
    struct ft_loop *loop;
    char *host;
    char port[8];
    int type;                         /* SOCK_STREAM or SOCK_DGRAM */
    char *local_host;                 /* datagrams: where they come from; NULL and 0: any */
    uint16_t local_port;
    bool no_local;                    /* it was that which failed last */
    unsigned timeout_ms;
    uint64_t deadline_us;
    uv_getaddrinfo_t resolve;
    bool resolving, cancelled;
    struct addrinfo *list, *next;
    int fd, last_error;               /* negative errno of the address tried last */
    uv_poll_t *poll;
    struct ft_timer *timer;
    void (*done)(void *arg, int fd, const struct ft_err *err);
    void *arg;
};

static void try_next(void *connect);

static void free_poll(uv_handle_t *handle)
{
    free(handle);
}

static void stop_waiting(struct ft_connect *c)
{
    ft_timer_stop(c->timer);
    c->timer = NULL;
    if (c->poll) {
        uv_poll_stop(c->poll);
        uv_close((uv_handle_t *)c->poll, free_poll);
        c->poll = NULL;
    }
}

static void free_connect(struct ft_connect *c)
{
    if (c->list)
        uv_freeaddrinfo(c->list);
    free(c->host);
    free(c->local_host);
    free(c);
}

static void finish(struct ft_connect *c, int fd, const struct ft_err *err)
{
    stop_waiting(c);
    ft_loop_hold(c->loop, -1);
    c->done(c->arg, fd, err);
    free_connect(c);
}

static void fail(struct ft_connect *c)
{
    struct ft_err err;
    char waited[40];

    ft_duration_format(c->timeout_ms, waited, sizeof(waited));
    if (c->no_local)
        ft_err_class(&err, FT_UNREACHABLE, c->last_error, "cannot send from %s port %u: %s", c->local_host ? c->local_host : "any address", c->local_port,
                     strerror(-c->last_error));
    else if (c->last_error == -ETIMEDOUT)
        ft_err_class(&err, FT_UNREACHABLE, -ETIMEDOUT, "no connection in %s; is the host up, and does a firewall drop the packets?", waited);
    else if (c->last_error == -ECONNREFUSED)
        ft_err_class(&err, FT_UNREACHABLE, -ECONNREFUSED, "connection refused; is the service running, and is it that port?");
    else
        ft_err_class(&err, FT_UNREACHABLE, c->last_error, "no connection: %s", strerror(-c->last_error));
    finish(c, -1, &err);
}

static void connected(struct ft_connect *c)
{
    int fd = c->fd, on = 1;

    c->fd = -1;
    if (c->type == SOCK_STREAM)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* dialogues are small packets */
    finish(c, fd, NULL);
}

static void give_up_address(struct ft_connect *c, int error)
{
    stop_waiting(c);
    close(c->fd);
    c->fd = -1;
    c->last_error = error;
    try_next(c);
}

static void socket_ready(uv_poll_t *poll, int status, int events)
{
    struct ft_connect *c = poll->data;
    int error = 0;
    socklen_t len = sizeof(error);

    (void)events;
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || (status < 0 && !error))
        error = EIO;
    if (error)
        give_up_address(c, -error);
    else
        connected(c);
}

static void too_slow(void *arg)
{
    struct ft_connect *c = arg;

    c->timer = NULL;
    give_up_address(c, -ETIMEDOUT);
}

/* What is left of the time, shared among the addresses left: a dead one must not eat it all. */
static uint64_t share_ms(const struct ft_connect *c, const struct addrinfo *from)
{
    uint64_t now = ft_clock_mono_us(ft_loop_clock(c->loop)), left = c->deadline_us > now ? (c->deadline_us - now) / 1000 : 0;
    unsigned n = 0;

    for (; from; from = from->ai_next)
        n++;
    return left / n;
}

static void watch(struct ft_connect *c, const struct addrinfo *address)
{
    c->poll = ft_calloc(1, sizeof(*c->poll));
    if (uv_poll_init_socket(ft_loop_uv(c->loop), c->poll, c->fd) < 0)
        abort();
    c->poll->data = c;
    uv_poll_start(c->poll, UV_WRITABLE, socket_ready);
    c->timer = ft_timer_start(c->loop, share_ms(c, address), too_slow, c);
}

static int bind_local(struct ft_connect *c, int family)
{
    struct addrinfo hints = { .ai_family = family, .ai_socktype = c->type, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE }, *own;
    char port[8];
    int r;

    if (!c->local_host && !c->local_port)
        return 0;
    snprintf(port, sizeof(port), "%u", c->local_port);
    if (getaddrinfo(c->local_host, port, &hints, &own) != 0)
        errno = EAFNOSUPPORT;         /* an IPv4 address of ours does not reach an IPv6 one of theirs */
    else if ((r = bind(c->fd, own->ai_addr, own->ai_addrlen), freeaddrinfo(own), r) == 0)
        return 0;
    c->no_local = true;
    return -1;
}

static void try_next(void *arg)
{
    struct ft_connect *c = arg;

    while (c->next) {
        const struct addrinfo *address = c->next;

        c->next = address->ai_next;
        c->no_local = false;
        c->fd = socket(address->ai_family, c->type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (c->fd >= 0 && bind_local(c, address->ai_family) == 0 && (connect(c->fd, address->ai_addr, address->ai_addrlen) == 0 || errno == EINPROGRESS)) {
            watch(c, address);
            return;
        }
        c->last_error = -errno;
        if (c->fd >= 0)
            close(c->fd);
        c->fd = -1;
    }
    fail(c);
}

static void no_name_in_time(void *arg)
{
    struct ft_connect *c = arg;
    struct ft_err err;

    c->timer = NULL;
    c->cancelled = true;              /* resolved() frees: the thread has it still */
    ft_err_class(&err, FT_UNREACHABLE, -ETIMEDOUT, "the name servers do not answer; check this machine's DNS");
    ft_loop_hold(c->loop, -1);
    uv_cancel((uv_req_t *)&c->resolve);
    c->done(c->arg, -1, &err);
}

static void resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
    struct ft_connect *c = req->data;
    struct ft_err err;

    c->resolving = false;
    c->list = c->next = list;
    if (c->cancelled) {
        free_connect(c);
        return;
    }
    ft_timer_stop(c->timer);
    c->timer = NULL;
    if (status < 0) {
        ft_err_class(&err, FT_UNREACHABLE, -ENOENT, "the name was not found (%s); check the name and this machine's DNS", uv_strerror(status));
        finish(c, -1, &err);
        return;
    }
    try_next(c);
}

static struct ft_connect *begin(struct ft_connect *c)
{
    struct addrinfo hints = { .ai_socktype = c->type, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };

    c->fd = -1;
    c->deadline_us = ft_clock_mono_us(ft_loop_clock(c->loop)) + c->timeout_ms * 1000ull;
    ft_loop_hold(c->loop, 1);
    if (getaddrinfo(c->host, c->port, &hints, &c->list) == 0) {   /* an address needs no thread */
        c->next = c->list;
        ft_loop_defer(c->loop, try_next, c);
        return c;
    }
    hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
    c->resolve.data = c;
    c->resolving = true;
    if (uv_getaddrinfo(ft_loop_uv(c->loop), &c->resolve, resolved, c->host, c->port, &hints) < 0) {
        c->resolving = false;
        c->last_error = -EINVAL;
        ft_loop_defer(c->loop, try_next, c);      /* no addresses: it fails */
        return c;
    }
    c->timer = ft_timer_start(c->loop, c->timeout_ms, no_name_in_time, c);
    return c;
}

static struct ft_connect *new_connect(struct ft_loop *loop, int type, const char *host, uint16_t port, unsigned timeout_ms)
{
    struct ft_connect *c = ft_calloc(1, sizeof(*c));

    c->loop = loop;
    c->type = type;
    c->host = ft_strdup(host);
    snprintf(c->port, sizeof(c->port), "%u", port);
    c->timeout_ms = timeout_ms;
    return c;
}

struct ft_connect *ft_connect_start(struct ft_loop *loop, const char *host, uint16_t port, unsigned timeout_ms,
                                    void (*done)(void *arg, int fd, const struct ft_err *err), void *arg)
{
    struct ft_connect *c = new_connect(loop, SOCK_STREAM, host, port, timeout_ms);

    c->done = done;
    c->arg = arg;
    return begin(c);
}

struct ft_connect *ft_connect_datagrams(struct ft_loop *loop, const struct ft_udp_req *req, unsigned timeout_ms,
                                        void (*done)(void *arg, int fd, const struct ft_err *err), void *arg)
{
    struct ft_connect *c = new_connect(loop, SOCK_DGRAM, req->host, req->port, timeout_ms);

    c->local_host = ft_strdup(req->local_host);
    c->local_port = req->local_port;
    c->done = done;
    c->arg = arg;
    return begin(c);
}

void ft_connect_cancel(struct ft_connect *c)
{
    if (!c)
        return;
    ft_loop_undefer(c->loop, try_next, c);
    ft_loop_hold(c->loop, -1);
    stop_waiting(c);
    if (c->fd >= 0)
        close(c->fd);
    if (c->resolving) {
        c->cancelled = true;
        uv_cancel((uv_req_t *)&c->resolve);
        return;
    }
    free_connect(c);
}
