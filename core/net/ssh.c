#include "net/ssh_internal.h"
#include <stddef.h>
#include <unistd.h>
#include <uv.h>
#include "base/text.h"
#include "base/util.h"
#include "net/connect.h"

#define DEFAULT_CONNECT_MS 10000
#define IDLE_MS 60000                 /* how long a session without a channel is kept */
#define DEFAULT_KEEPALIVE_S 15
#define SILENT_MAX 3
#define CHANNELS_MAX 8                /* in one session; servers allow ten, devices less and say so */
#define WAYS_MAX 64                   /* in one session of a jump host; sshd does not count them */
#define QUEUE_MAX ((size_t)4 << 20)

struct ft_ssh {
    struct ft_loop *loop;
    char *library;                    /* NULL: the better one */
    int holds;
    struct ft_list sessions;
    struct ft_ssh_stats stats;
};

static void run(void *session);

/* ---- logins ---- */

static void login_done(struct ssh_login *login)
{
    char *secrets[] = { login->password, login->passphrase };

    if (login->jump)
        login_done(login->jump);
    free(login->jump);
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
        if (secrets[i])
            explicit_bzero(secrets[i], strlen(secrets[i]));
        free(secrets[i]);
    }
    free(login->host);
    free(login->user);
    free(login->key_file);
    free(login->known_hosts);
    memset(login, 0, sizeof(*login));
}

static struct ssh_login login_copy(const struct ssh_login *from)
{
    struct ssh_login copy = *from;

    copy.host = ft_strdup(from->host);
    copy.user = ft_strdup(from->user);
    copy.password = ft_strdup(from->password);
    copy.key_file = ft_strdup(from->key_file);
    copy.passphrase = ft_strdup(from->passphrase);
    copy.known_hosts = ft_strdup(from->known_hosts);
    if (from->jump) {
        copy.jump = ft_calloc(1, sizeof(*copy.jump));
        *copy.jump = login_copy(from->jump);
    }
    return copy;
}

static bool login_same(const struct ssh_login *a, const struct ssh_login *b)
{
    return a->port == b->port && a->agent == b->agent && a->backend == b->backend && ft_streq(a->host, b->host) && ft_streq(a->user, b->user) &&
           ft_streq(a->password, b->password) && ft_streq(a->key_file, b->key_file) && ft_streq(a->passphrase, b->passphrase) &&
           ft_streq(a->known_hosts, b->known_hosts) && (a->jump && b->jump ? login_same(a->jump, b->jump) : a->jump == b->jump);
}

/* ---- channels ---- */

static void free_channel(struct ssh_channel *ch)
{
    ft_list_remove(&ch->link);
    ft_buf_done(&ch->out);
    free(ch->command);
    free(ch);
}

static void leave_session(struct ssh_channel *ch)
{
    if (ch->session)
        ch->session->channels_len--;
    ch->session = NULL;
    ft_list_remove(&ch->link);
}

static void kick(struct ssh_session *s)
{
    if (s && !s->kicked) {
        s->kicked = true;
        ft_loop_defer(s->ssh->loop, run, s);
    }
}

void ft_ssh_again(struct ssh_session *s)
{
    kick(s);
}

/* An answer is on its way: a clock that a test owns must not run ahead of it. */
static void await_answer(struct ssh_session *s, bool awaited)
{
    if (s->asked != awaited)
        ft_loop_hold(s->ssh->loop, awaited ? 1 : -1);
    s->asked = awaited;
}

/* Whether somebody waits for something of this session, or for something behind it. */
static bool is_needed(const struct ssh_session *s)
{
    for (const struct ft_list *pos = s->channels.next; pos != &s->channels; pos = pos->next) {
        const struct ssh_channel *ch = ft_container(pos, struct ssh_channel, link);
        const struct ssh_session *behind = ch->tunnel && !ch->released ? ft_ssh_tunnel_session(ch->tunnel) : NULL;

        if (behind ? behind->at != SESSION_READY || is_needed(behind) : !ch->over)
            return true;
    }
    return false;
}

/* Nobody needs to hear from a session that nobody needs: the loop does not go on for it. */
static void stop_asking(struct ft_ssh *ssh)
{
    struct ft_list *pos, *tmp;

    if (ssh->holds > 0)
        return;
    ft_list_each(pos, tmp, &ssh->sessions) {
        struct ssh_session *s = ft_container(pos, struct ssh_session, link);

        if (s->asked && !is_needed(s))
            await_answer(s, false);
    }
}

/* Somebody waits for a channel; for a way, only those do who wait for the session behind it. */
static void end_wait(struct ssh_channel *ch)
{
    bool waited = !ch->over && !ch->tunnel;

    ch->over = true;
    if (!waited)
        return;
    ft_loop_hold(ch->ssh->loop, -1);
    stop_asking(ch->ssh);
}

static void channel_over(struct ssh_channel *ch, enum ft_class class, int exit_status, const char *why)
{
    if (ch->over)
        return;
    end_wait(ch);
    if (ch->handler.closed)
        ch->handler.closed(ch->arg, &ch->stream, class, exit_status, why);
}

void ft_ssh_opened(struct ssh_channel *ch)
{
    ch->at = CH_OPEN;
    ch->requested = true;
    if (!ch->released && ch->handler.opened)
        ch->handler.opened(ch->arg, &ch->stream);
}

void ft_ssh_data(struct ssh_channel *ch, const char *bytes, size_t len, bool is_stderr)
{
    if (!ch->released && !ch->over && ch->handler.data)
        ch->handler.data(ch->arg, &ch->stream, bytes, len, is_stderr);
}

void ft_ssh_ended(struct ssh_channel *ch)
{
    char *why = ch->exit_signal[0] ? ft_asprintf("ended by the signal %s", ch->exit_signal)
                : ch->exit_status >= 0 ? ft_asprintf("ended with status %d", ch->exit_status) : ft_strdup("closed by the other side");

    channel_over(ch, FT_CLASS_NONE, ch->exit_status, why);
    free(why);
}

void ft_ssh_channel_gone(struct ssh_channel *ch)
{
    struct ssh_session *s = ch->session;

    ch->impl = NULL;
    leave_session(ch);
    kick(s);
    if (ch->released)
        free_channel(ch);
}

size_t ft_ssh_to_send(const struct ssh_channel *ch, const char **ret_bytes)
{
    *ret_bytes = ch->out.data + ch->out_at;
    return ch->out.len - ch->out_at;
}

void ft_ssh_sent(struct ssh_channel *ch, size_t len)
{
    ch->out_at += ft_min(len, ch->out.len - ch->out_at);
    if (ch->out_at == ch->out.len) {
        ft_buf_clear(&ch->out);
        ch->out_at = 0;
    }
    if (ch->tunnel && !ch->released)
        ft_ssh_tunnel_drained(ch->tunnel);
}

/* ---- sessions ---- */

static void free_poll(uv_handle_t *handle)
{
    free(handle);
}

/* The socket and all that waits; what the library holds is ended first. */
static void take_down(struct ssh_session *s)
{
    ft_list_remove(&s->link);
    ft_loop_undefer(s->ssh->loop, run, s);
    ft_timer_stop(s->login_timer);
    ft_timer_stop(s->idle_timer);
    ft_timer_stop(s->alive_timer);
    ft_connect_cancel(s->connect);
    await_answer(s, false);
    if (s->impl)
        s->login.backend->end(s);
    ft_ssh_tunnel_free(s->tunnel);
    s->tunnel = NULL;
    if (s->poll) {
        uv_poll_stop(s->poll);
        uv_close(s->poll, free_poll);
    }
    if (s->fd >= 0)
        close(s->fd);
    if (s->at == SESSION_READY)
        s->ssh->stats.sessions_open--;
}

static void free_session(struct ssh_session *s)
{
    login_done(&s->login);
    free(s->name);
    free(s->methods);
    ft_buf_done(&s->tried);
    free(s);
}

static struct ssh_session *session_new(struct ft_ssh *ssh, const struct ssh_login *login);
static void login_too_slow(void *session);

/* The time for a login behind a jump host begins when the jump host can be asked for the way. */
static void clock_way(struct ssh_channel *ch)
{
    struct ssh_session *behind = ch->tunnel && !ch->released ? ft_ssh_tunnel_session(ch->tunnel) : NULL;

    if (!behind || behind->at == SESSION_READY)
        return;
    ft_timer_stop(behind->login_timer);
    behind->login_timer = ch->session->at == SESSION_READY
                          ? ft_timer_start(ch->ssh->loop, behind->login.connect_timeout_ms, login_too_slow, behind) : NULL;
}

static void attach(struct ssh_channel *ch, struct ssh_session *s)
{
    ch->session = s;
    ch->at = CH_WAITING;
    ch->op = 0;
    ch->impl = NULL;
    ch->reused = s->at == SESSION_READY || s->channels_len > 0;
    ft_list_append(&s->channels, &ch->link);
    s->channels_len++;
    ft_timer_stop(s->idle_timer);
    s->idle_timer = NULL;
    clock_way(ch);
    kick(s);
}

/* A kept session may have died before this channel used it at all: then a fresh one is tried, once. */
static bool try_afresh(struct ssh_channel *ch, const struct ssh_session *dead)
{
    if (dead->at != SESSION_READY || !ch->reused || ch->moved || ch->requested || ch->over)
        return false;
    ch->moved = true;
    attach(ch, session_new(ch->ssh, &dead->login));
    return true;
}

static void session_over(struct ssh_session *s, const struct ft_err *err)
{
    struct ft_list orphans;

    take_down(s);
    ft_list_init(&orphans);
    while (!ft_list_empty(&s->channels)) {
        struct ssh_channel *ch = ft_container(s->channels.next, struct ssh_channel, link);

        ch->impl = NULL;
        leave_session(ch);
        ft_list_append(&orphans, &ch->link);      /* an owner that is told may let go of the others too */
    }
    while (!ft_list_empty(&orphans)) {
        struct ssh_channel *ch = ft_container(orphans.next, struct ssh_channel, link);

        ft_list_remove(&ch->link);
        if (ch->released)
            free_channel(ch);
        else if (!try_afresh(ch, s))
            channel_over(ch, err->class ? err->class : FT_UNREACHABLE, -1, err->text);
    }
    free_session(s);
}

/* What went wrong at a jump host, or with it, in the words of its session. */
static void through_jump(const struct ssh_session *s, enum ft_class class, const char *why, struct ft_err *reterr)
{
    const struct ssh_login *login = &s->login, *jump = login->jump;

    if (strncmp(why, "ssh ", 4) == 0)
        ft_err_class(reterr, class, -ENETUNREACH, "ssh %s@%s:%u: through jump host %s", login->user, login->host, login->port, why + 4);
    else
        ft_err_class(reterr, class, -ENETUNREACH, "ssh %s@%s:%u: through jump host %s@%s:%u: %s", login->user, login->host, login->port,
                     jump->user, jump->host, jump->port, why);
}

static struct ssh_session *find_session(struct ft_ssh *ssh, const struct ssh_login *login, bool way)
{
    struct ft_list *pos, *tmp;

    ft_list_each(pos, tmp, &ssh->sessions) {
        struct ssh_session *s = ft_container(pos, struct ssh_session, link);

        if (!s->full && s->channels_len < (way ? WAYS_MAX : CHANNELS_MAX) && login_same(&s->login, login))
            return s;
    }
    return NULL;
}

/* What is open serves on those who use it, and nobody else. */
static void retire_sessions(struct ft_ssh *ssh, const struct ssh_login *login)
{
    for (const struct ft_list *pos = ssh->sessions.next; pos != &ssh->sessions; pos = pos->next) {
        struct ssh_session *s = ft_container(pos, struct ssh_session, link);

        if (!login_same(&s->login, login))
            continue;
        s->full = true;
        ft_timer_stop(s->idle_timer);
        s->idle_timer = NULL;
        kick(s);
    }
}

static void join(struct ssh_channel *ch, const struct ssh_login *login)
{
    struct ssh_session *s = find_session(ch->ssh, login, ch->tunnel != NULL) ?: session_new(ch->ssh, login);

    s->login.keepalive_s = ft_min(s->login.keepalive_s, login->keepalive_s);
    attach(ch, s);
}

/* Devices allow few channels in a session: take another one. */
static bool move_on(struct ssh_channel *ch)
{
    struct ssh_session *s = ch->session;

    if (ch->impl || ch->released || !ch->reused)
        return false;
    s->full = true;
    leave_session(ch);
    kick(s);
    join(ch, &s->login);
    return true;
}

static void refused(struct ssh_channel *ch, enum ft_class class, const char *sentence)
{
    channel_over(ch, class, -1, sentence);
    if (ch->impl)
        ch->at = CH_CLOSING;
    else
        ft_ssh_channel_gone(ch);
}

void ft_ssh_refused(struct ssh_channel *ch, const char *why)
{
    char *sentence;

    if (move_on(ch))
        return;
    sentence = ft_asprintf("%s: %s", ch->session->name, why);
    refused(ch, FT_REFUSED, sentence);
    free(sentence);
}

void ft_ssh_way_refused(struct ssh_channel *ch, unsigned reason, const char *text)
{
    const char *name = ch->session->name, *host = ch->command;
    char *sentence;

    if (reason != SSH_OPEN_PROHIBITED && reason != SSH_OPEN_NO_CONNECTION && reason != SSH_OPEN_NO_SUCH_TYPE && move_on(ch))
        return;
    text = text && *text ? text : "no reason given";
    if (reason == SSH_OPEN_PROHIBITED)
        sentence = ft_asprintf("%s: it does not allow connections to %s:%u (%s); does its sshd_config say AllowTcpForwarding, and PermitOpen for the target?",
                               name, host, ch->port, text);
    else if (reason == SSH_OPEN_NO_CONNECTION)
        sentence = ft_asprintf("%s: it gets no connection to %s:%u (%s); seen from there: is the name right, the host up, and the service running?",
                               name, host, ch->port, text);
    else
        sentence = ft_asprintf("%s: it opens no connection to %s:%u for us (%s); can it be a jump host?", name, host, ch->port, text);
    refused(ch, reason == SSH_OPEN_PROHIBITED ? FT_DENIED : reason == SSH_OPEN_NO_CONNECTION ? FT_UNREACHABLE : FT_REFUSED, sentence);
    free(sentence);
}

static void idle_over(void *arg)
{
    static const struct ft_err over = { .class = FT_UNREACHABLE, .text = "nobody needed the session" };
    struct ssh_session *s = arg;

    s->idle_timer = NULL;
    if (s->ssh->holds > 0 && !s->full) {
        s->idle_timer = ft_timer_start_weak(s->ssh->loop, IDLE_MS, idle_over, s);
        return;
    }
    session_over(s, &over);           /* channels that a server never closed, and nobody wants, go with it */
}

static void login_too_slow(void *arg)
{
    struct ssh_session *s = arg;
    struct ft_err err;
    char waited[40];

    s->login_timer = NULL;
    if (s->at == SESSION_CONNECTING) {            /* through a jump host: direct connections have a limit of their own */
        char *why = ft_asprintf("no connection to %s:%u in %s; is the host up, and does a firewall drop the packets?", s->login.host, s->login.port,
                                ft_duration_format(s->login.connect_timeout_ms, waited, sizeof(waited)));

        ft_ssh_way_failed(s, FT_UNREACHABLE, why);
        free(why);
        return;
    }
    ft_err_class(&err, FT_TIMEOUT, -ETIMEDOUT, "%s: connected, but the login was not over in time: the server is overloaded, or does not speak SSH",
                 s->name);
    session_over(s, &err);
}

void ft_ssh_heard(struct ssh_session *s)
{
    s->heard = true;
    await_answer(s, false);
}

static void look_alive(void *arg)
{
    struct ssh_session *s = arg;
    struct ft_err err;

    s->alive_timer = ft_timer_start_weak(s->ssh->loop, s->login.keepalive_s * 1000ull, look_alive, s);
    s->silent = s->heard || !s->asked ? 0 : s->silent + 1;
    s->heard = false;
    if (s->silent >= SILENT_MAX) {
        ft_err_class(&err, FT_UNREACHABLE, -ETIMEDOUT, "%s: no sign of life for %u s, though asked for one %d times: it hangs, or the way to it is broken",
                     s->name, SILENT_MAX * s->login.keepalive_s, SILENT_MAX);
        session_over(s, &err);
    } else if (s->ssh->holds > 0 || is_needed(s)) {
        await_answer(s, true);
        s->login.backend->keep_alive(s);
        kick(s);
    }
}

void ft_ssh_ready(struct ssh_session *s)
{
    s->at = SESSION_READY;
    ft_timer_stop(s->login_timer);
    s->login_timer = NULL;
    s->ssh->stats.sessions_opened++;
    s->ssh->stats.sessions_open++;
    s->heard = true;
    s->alive_timer = ft_timer_start_weak(s->ssh->loop, s->login.keepalive_s * 1000ull, look_alive, s);
    for (const struct ft_list *pos = s->channels.next; pos != &s->channels; pos = pos->next)
        clock_way(ft_container(pos, struct ssh_channel, link));
}

static void socket_ready(uv_poll_t *poll, int status, int events)
{
    struct ssh_session *s = poll->data;

    (void)events;
    if (status < 0)
        s->polled = 0;                /* libuv stopped it; the library meets the error when it reads */
    run(s);
}

static void watch(struct ssh_session *s)
{
    int events = UV_READABLE | (s->login.backend->wants_write(s) ? UV_WRITABLE : 0);

    if (events == s->polled)
        return;
    s->polled = events;
    uv_poll_start(s->poll, events, socket_ready);
}

static bool wanted(const struct ssh_session *s)
{
    for (const struct ft_list *pos = s->channels.next; pos != &s->channels; pos = pos->next)
        if (!ft_container(pos, struct ssh_channel, link)->released)
            return true;
    return false;
}

/* The session's own words for the end of its socket do not say that it was the jump host. */
static void blame_jump(const struct ssh_session *s, struct ft_err *err)
{
    enum ft_class class;
    const char *why = ft_ssh_tunnel_broken(s->tunnel, &class);

    if (why)
        through_jump(s, class, why, err);
}

static void run(void *arg)
{
    static const struct ft_err let_go = { .class = FT_CANCELLED, .text = "nobody wants it any more" };
    struct ssh_session *s = arg;
    struct ft_err err = { 0 };

    s->kicked = false;
    ft_loop_undefer(s->ssh->loop, run, s);
    if (s->at != SESSION_READY && !wanted(s)) {
        session_over(s, &let_go);
        return;
    }
    if (s->at == SESSION_CONNECTING)
        return;
    if (ft_ssh_advance(s, &err) < 0) {
        blame_jump(s, &err);
        session_over(s, &err);
        return;
    }
    watch(s);
    if (s->at == SESSION_READY && !s->idle_timer && !wanted(s))
        s->idle_timer = ft_timer_start_weak(s->ssh->loop, s->full ? 0 : IDLE_MS, idle_over, s);
}

static void connected(void *arg, int fd, const struct ft_err *why)
{
    struct ssh_session *s = arg;
    struct ft_err err = { 0 };

    s->connect = NULL;
    s->fd = fd;
    if (fd < 0) {
        err = *why;
        ft_err_in(&err, "%s", s->name);
        session_over(s, &err);
        return;
    }
    s->poll = ft_calloc(1, sizeof(uv_poll_t));
    if (uv_poll_init_socket(ft_loop_uv(s->ssh->loop), s->poll, fd) < 0)
        abort();
    ((uv_poll_t *)s->poll)->data = s;
    uv_unref(s->poll);                /* channels hold the loop, kept sessions do not */
    s->at = SESSION_LOGGING_IN;
    if (s->login.backend->start(s, &err) < 0) {
        session_over(s, &err);
        return;
    }
    run(s);
}

void ft_ssh_way_open(struct ssh_session *s, int fd)
{
    connected(s, fd, NULL);
}

void ft_ssh_way_failed(struct ssh_session *s, enum ft_class class, const char *why)
{
    struct ft_err err;

    through_jump(s, class, why, &err);
    session_over(s, &err);
}

static char *name_of(const struct ssh_login *login)
{
    const struct ssh_login *jump = login->jump;

    return jump ? ft_asprintf("ssh %s@%s:%u (behind %s@%s:%u)", login->user, login->host, login->port, jump->user, jump->host, jump->port)
                : ft_asprintf("ssh %s@%s:%u", login->user, login->host, login->port);
}

static struct ssh_session *session_new(struct ft_ssh *ssh, const struct ssh_login *login)
{
    struct ssh_session *s = ft_calloc(1, sizeof(*s));

    s->ssh = ssh;
    s->login = login_copy(login);
    s->name = name_of(login);
    s->tried = FT_BUF_INIT(2000);
    s->fd = -1;
    ft_list_init(&s->channels);
    ft_list_append(&ssh->sessions, &s->link);
    if (login->jump) {
        s->tunnel = ft_ssh_tunnel_new(ssh->loop, s);
        return s;
    }
    s->connect = ft_connect_start(ssh->loop, login->host, login->port, login->connect_timeout_ms, connected, s);
    s->login_timer = ft_timer_start(ssh->loop, login->connect_timeout_ms + 1, login_too_slow, s);     /* the connection's own limit comes first */
    return s;
}

/* ---- the stream's owner ---- */

static int channel_write(struct ft_stream *stream, const char *bytes, size_t len, struct ft_err *reterr)
{
    struct ssh_channel *ch = (struct ssh_channel *)stream;

    if (ch->over || ch->eof_wanted)
        return ft_err_class(reterr, FT_UNREACHABLE, -EPIPE, "the SSH channel is closed");
    if (len > QUEUE_MAX - (ch->out.len - ch->out_at))
        return ft_err_class(reterr, FT_REFUSED, -ENOBUFS, "the other side of the SSH channel does not take what is sent: %zu bytes wait already",
                            ch->out.len - ch->out_at);
    if (ch->out_at) {
        memmove(ch->out.data, ch->out.data + ch->out_at, ch->out.len - ch->out_at);
        ch->out.len -= ch->out_at;
        ch->out_at = 0;
    }
    ft_buf_add(&ch->out, bytes, len);
    kick(ch->session);
    return 0;
}

static void channel_eof(struct ft_stream *stream)
{
    struct ssh_channel *ch = (struct ssh_channel *)stream;

    ch->eof_wanted = true;
    kick(ch->session);
}

static void channel_close(struct ft_stream *stream)
{
    struct ssh_channel *ch = (struct ssh_channel *)stream;
    struct ssh_session *s = ch->session;

    ch->released = true;
    end_wait(ch);
    if (s)
        kick(s);                      /* the machine closes it, then it is freed: not here, it may be at this one's neighbour */
    else
        free_channel(ch);
}

static const struct ft_stream_ops channel_ops = { .write = channel_write, .eof = channel_eof, .close = channel_close };

/* ---- the pool ---- */

struct ft_ssh *ft_ssh_new(struct ft_loop *loop, const char *library)
{
    struct ft_ssh *ssh = ft_calloc(1, sizeof(*ssh));

    ssh->loop = loop;
    ssh->library = ft_strdup(library);
    ft_list_init(&ssh->sessions);
    return ssh;
}

struct ft_ssh *ft_ssh_free(struct ft_ssh *ssh)
{
    if (!ssh)
        return NULL;
    while (!ft_list_empty(&ssh->sessions)) {
        struct ssh_session *s = ft_container(ssh->sessions.next, struct ssh_session, link);

        take_down(s);
        while (!ft_list_empty(&s->channels)) {
            struct ssh_channel *ch = ft_container(s->channels.next, struct ssh_channel, link);

            leave_session(ch);
            if (ch->released)
                free_channel(ch);
        }
        free_session(s);
    }
    free(ssh->library);
    free(ssh);
    return NULL;
}

void ft_ssh_stats(const struct ft_ssh *ssh, struct ft_ssh_stats *ret)
{
    *ret = ssh->stats;
}

void ft_ssh_hold(struct ft_ssh *ssh, int by)
{
    ssh->holds += by;
    stop_asking(ssh);
}

static const struct ssh_backend *choose(const char *library, struct ft_err *reterr)
{
    static const struct ssh_backend *const backends[] = { &ft_ssh_libssh2, &ft_ssh_libssh };
    bool known = false;

    for (size_t i = 0; i < ARRAY_LEN(backends); i++) {
        if (library && strcmp(library, backends[i]->name) != 0)
            continue;
        known = true;
        if (backends[i]->load(reterr) == 0 && (library || backends[i]->good()))
            return backends[i];
    }
    if (library && known)
        return NULL;                  /* loading said why */
    if (library)
        ft_err_class(reterr, FT_INVALID, -EINVAL, "ssh.library '%s' is unknown: libssh2 or libssh", library);
    else if (ft_ssh_libssh2.load(NULL) == 0)
        return &ft_ssh_libssh2;       /* old, and better than none */
    return NULL;
}

char *ft_ssh_describe(struct ft_ssh *ssh, const char *library)
{
    struct ft_err err = { 0 };
    const struct ssh_backend *backend = choose(library ? library : ssh->library, &err);

    return backend ? ft_asprintf("%s %s", backend->name, backend->version()) : ft_strdup(err.text);
}

static int check_hop(const struct ft_ssh_req *req, const char *what, struct ft_err *reterr)
{
    if (!req->host || !*req->host)
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "an SSH %s needs a host", what);
    if (!req->user || !*req->user)
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "the SSH %s to %s needs a user", what, req->host);
    if (!req->known_hosts || !*req->known_hosts)
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "the SSH %s to %s needs a known_hosts file: host keys are always checked", what, req->host);
    return 0;
}

static int check(const struct ft_ssh_req *req, struct ft_err *reterr)
{
    int r = check_hop(req, "connection", reterr);

    if (r < 0)
        return r;
    if ((req->kind == FT_SSH_EXEC || req->kind == FT_SSH_SUBSYSTEM) && (!req->command || !*req->command))
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "the SSH connection to %s needs a %s", req->host,
                            req->kind == FT_SSH_EXEC ? "command" : "subsystem's name");
    return 0;
}

/* Fields that came later: of a plugin built before, they are not there. */
#define HAS(req, field) ((req)->size >= offsetof(struct ft_ssh_req, field) + sizeof((req)->field))

/* Borrowed: a session copies what it keeps. */
static struct ssh_login borrow_login(const struct ft_ssh_req *req, const struct ssh_backend *backend)
{
    return (struct ssh_login){
        .host = (char *)(uintptr_t)req->host, .port = req->port ? req->port : 22, .user = (char *)(uintptr_t)req->user,
        .password = (char *)(uintptr_t)req->password, .key_file = (char *)(uintptr_t)req->key_file,
        .passphrase = (char *)(uintptr_t)req->passphrase, .known_hosts = (char *)(uintptr_t)req->known_hosts, .agent = req->agent,
        .backend = backend, .connect_timeout_ms = req->connect_timeout_ms ? req->connect_timeout_ms : DEFAULT_CONNECT_MS,
        .keepalive_s = HAS(req, keepalive_s) && req->keepalive_s ? req->keepalive_s : DEFAULT_KEEPALIVE_S,
    };
}

/* The target and its jump hosts, one behind the other. */
static int logins_of(struct ft_ssh *ssh, const struct ft_ssh_req *req, struct ssh_login logins[SSH_JUMPS_MAX + 1], struct ft_err *reterr)
{
    int r = check(req, reterr);

    for (size_t n = 0; r == 0 && req; n++) {
        const struct ft_ssh_req *jump = HAS(req, jump) ? req->jump : NULL;
        const struct ssh_backend *backend;

        if (n > SSH_JUMPS_MAX)
            return ft_err_class(reterr, FT_INVALID, -EINVAL, "the SSH connection goes through more than %d jump hosts", SSH_JUMPS_MAX);
        backend = choose(req->library ? req->library : ssh->library, reterr);
        if (!backend)
            return -EINVAL;
        logins[n] = borrow_login(req, backend);
        if (n)
            logins[n - 1].jump = &logins[n];
        r = jump ? check_hop(jump, "jump host", reterr) : 0;
        req = jump;
    }
    return r;
}

static struct ssh_channel *channel_new(struct ft_ssh *ssh, const struct ft_stream_handler *handler, void *arg)
{
    struct ssh_channel *ch = ft_calloc(1, sizeof(*ch));

    ch->stream.ops = &channel_ops;
    ch->ssh = ssh;
    ch->handler = *handler;
    ch->arg = arg;
    ch->exit_status = -1;
    ch->out = FT_BUF_INIT(QUEUE_MAX);
    return ch;
}

int ft_ssh_open(struct ft_ssh *ssh, const struct ft_ssh_req *req, const struct ft_stream_handler *handler, void *arg,
                struct ft_stream **ret, struct ft_err *reterr)
{
    struct ssh_login logins[SSH_JUMPS_MAX + 1];
    struct ssh_channel *ch;
    int r = logins_of(ssh, req, logins, reterr);

    if (r < 0)
        return r;
    ch = channel_new(ssh, handler, arg);
    ch->kind = req->kind;
    ch->command = ft_strdup(req->command);
    ft_loop_hold(ssh->loop, 1);
    ssh->stats.channels_opened++;
    if (HAS(req, fresh) && req->fresh)
        retire_sessions(ssh, logins);
    join(ch, logins);
    *ret = &ch->stream;
    return 0;
}

/* ---- ways through jump hosts ---- */

struct ft_stream *ft_ssh_open_way(struct ft_ssh *ssh, const struct ssh_login *jump, const char *host, uint16_t port,
                                  const struct ft_stream_handler *handler, struct ssh_tunnel *tunnel)
{
    struct ssh_channel *ch = channel_new(ssh, handler, tunnel);

    ch->tunnel = tunnel;
    ch->command = ft_strdup(host);
    ch->port = port;
    join(ch, jump);
    return &ch->stream;
}

void ft_ssh_pause(struct ft_stream *stream, bool paused)
{
    struct ssh_channel *ch = (struct ssh_channel *)stream;

    if (ch->paused && !paused)
        kick(ch->session);
    ch->paused = paused;
}

size_t ft_ssh_unsent(const struct ft_stream *stream)
{
    const struct ssh_channel *ch = (const struct ssh_channel *)stream;

    return ch->out.len - ch->out_at;
}
