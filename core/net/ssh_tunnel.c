/* ssh_tunnel.c: the way of a session through a jump host: a channel of the jump host's session to the target (direct-tcpip), and a pair of
 * sockets. One end is the socket of the target's session, so that the libraries work on it as on any other; the other one is pumped here.
 * Both directions are bounded: what the target's library does not take pauses the channel, what the jump host does not take stops the reading. */
#include "net/ssh_internal.h"
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>
#include "base/util.h"

#define WAITING_MAX ((size_t)256 << 10)           /* in each direction, before the other side has to wait */
#define IN_MAX ((size_t)16 << 20)                 /* a jump host that sends more than its channel's window is not believed */

struct ssh_tunnel {
    struct ft_loop *loop;
    struct ssh_session *session;
    struct ft_stream *stream;
    int fd;                           /* our end; -1: not connected yet, or no more */
    uv_poll_t *poll;
    struct ft_buf in;                 /* for the session, which has not taken it yet */
    size_t in_at;
    bool in_over, out_over;           /* no more will come from the jump host; from the session */
    bool deaf;                        /* the session does not want it any more */
    enum ft_class class;
    char *broken;
};

static void free_poll(uv_handle_t *handle)
{
    free(handle);
}

static void close_end(struct ssh_tunnel *t)
{
    if (t->poll) {
        uv_poll_stop(t->poll);
        uv_close((uv_handle_t *)t->poll, free_poll);
    }
    t->poll = NULL;
    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
}

static void end_ready(uv_poll_t *poll, int status, int events);

static void watch(struct ssh_tunnel *t)
{
    int events = 0;

    if (t->fd < 0)
        return;
    if (t->in.len > t->in_at)
        events |= UV_WRITABLE;
    if (!t->out_over && ft_ssh_unsent(t->stream) < WAITING_MAX)
        events |= UV_READABLE;
    if (events)
        uv_poll_start(t->poll, events, end_ready);
    else
        uv_poll_stop(t->poll);
}

/* What the channel brought goes to the session; its end only after all of it. */
static void flush(struct ssh_tunnel *t)
{
    while (t->fd >= 0 && t->in.len > t->in_at) {
        ssize_t n = send(t->fd, t->in.data + t->in_at, t->in.len - t->in_at, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno != EAGAIN && errno != EINTR)
            t->in_at = t->in.len;                 /* the session is about to end */
        if (n < 0 && errno == EAGAIN)
            break;
        t->in_at += n > 0 ? (size_t)n : 0;
    }
    if (t->in_at == t->in.len) {
        ft_buf_clear(&t->in);
        t->in_at = 0;
    }
    if (t->in_over && !t->in.len)
        close_end(t);
    else if (!t->in_over)
        ft_ssh_pause(t->stream, t->in.len - t->in_at > WAITING_MAX);
}

static void take_out(struct ssh_tunnel *t)
{
    char chunk[SSH_CHUNK];
    ssize_t n = 0;

    while (!t->out_over && ft_ssh_unsent(t->stream) < WAITING_MAX && (n = recv(t->fd, chunk, sizeof(chunk), MSG_DONTWAIT)) > 0)
        if (ft_stream_write(t->stream, chunk, (size_t)n, NULL) < 0)
            t->out_over = true;                   /* the channel has ended: `closed` says why */
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        t->out_over = true;
}

static void end_ready(uv_poll_t *poll, int status, int events)
{
    struct ssh_tunnel *t = poll->data;

    if (status < 0 || events & UV_READABLE)
        take_out(t);
    flush(t);
    watch(t);
}

/* ---- what the channel says ---- */

static void opened(void *arg, struct ft_stream *stream)
{
    struct ssh_tunnel *t = arg;
    int ends[2];

    (void)stream;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0) {
        ft_ssh_way_failed(t->session, FT_UNREACHABLE, strerror(errno));
        return;
    }
    t->fd = ends[0];
    t->poll = ft_calloc(1, sizeof(*t->poll));
    if (uv_poll_init_socket(ft_loop_uv(t->loop), t->poll, t->fd) < 0)
        abort();
    t->poll->data = t;
    uv_unref((uv_handle_t *)t->poll);
    flush(t);
    watch(t);
    ft_ssh_way_open(t->session, ends[1]);         /* may end the tunnel */
}

static void got(void *arg, struct ft_stream *stream, const char *bytes, size_t len, bool is_stderr)
{
    struct ssh_tunnel *t = arg;

    (void)stream, (void)is_stderr;
    if (t->deaf)
        return;
    if (t->in_at) {
        memmove(t->in.data, t->in.data + t->in_at, t->in.len - t->in_at);
        t->in.len -= t->in_at;
        t->in_at = 0;
    }
    ft_buf_add(&t->in, bytes, len);
    if (t->in.overflow) {
        t->broken = t->broken ?: ft_strdup("it sends more than it may");
        t->class = FT_UNREACHABLE;
        t->deaf = true;
        close_end(t);
        return;
    }
    if (t->fd >= 0)                               /* else the target greets before we know that the way is open */
        flush(t);
    watch(t);
}

static void closed(void *arg, struct ft_stream *stream, enum ft_class class, int exit_status, const char *why)
{
    struct ssh_tunnel *t = arg;

    (void)stream, (void)exit_status;
    t->in_over = t->out_over = true;
    if (class != FT_CLASS_NONE && !t->broken) {
        t->class = class;
        t->broken = ft_strdup(why);
    }
    if (t->poll) {
        flush(t);                                 /* what came before the end is still read, then the session meets it */
        watch(t);
    } else {
        ft_ssh_way_failed(t->session, class ? class : FT_UNREACHABLE, why);
    }
}

/* ---- the session ---- */

struct ssh_tunnel *ft_ssh_tunnel_new(struct ft_loop *loop, struct ssh_session *s)
{
    static const struct ft_stream_handler handler = { opened, got, closed };
    struct ssh_tunnel *t = ft_calloc(1, sizeof(*t));

    t->loop = loop;
    t->session = s;
    t->fd = -1;
    t->in = FT_BUF_INIT(IN_MAX);
    t->stream = ft_ssh_open_way(s->ssh, s->login.jump, s->login.host, s->login.port, &handler, t);
    return t;
}

void ft_ssh_tunnel_free(struct ssh_tunnel *t)
{
    if (!t)
        return;
    close_end(t);
    ft_stream_close(t->stream);
    ft_buf_done(&t->in);
    free(t->broken);
    free(t);
}

struct ssh_session *ft_ssh_tunnel_session(const struct ssh_tunnel *t)
{
    return t->session;
}

void ft_ssh_tunnel_drained(struct ssh_tunnel *t)
{
    watch(t);
}

const char *ft_ssh_tunnel_broken(const struct ssh_tunnel *t, enum ft_class *ret_class)
{
    *ret_class = t ? t->class : FT_CLASS_NONE;
    return t ? t->broken : NULL;
}
