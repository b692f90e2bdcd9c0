#include "net/ssh_internal.h"
#include <sodium.h>
#include <unistd.h>
#include <uv.h>
#include "base/util.h"
#include "net/connect.h"

#define DEFAULT_CONNECT_MS 10000
#define IDLE_MS 60000                 /* how long a session without a channel is kept */
#define ALIVE_MS 30000                /* how often a busy session is asked for a sign of life */
#define SILENT_MAX 3
#define CHANNELS_MAX 8                /* in one session; servers allow ten, devices less and say so */
#define QUEUE_MAX ((size_t)4 << 20)

struct ft_ssh {
    struct ft_loop *loop;
    char *library;                    /* NULL: the better one */
    int holds;
    struct ft_list sessions;
    struct ft_ssh_stats stats;
};

static void run(void *session);

/* ---- sentences ---- */

void ft_ssh_fingerprint(const unsigned char sha256[32], char ret[64])
{
    strcpy(ret, "SHA256:");
    sodium_bin2base64(ret + 7, 57, sha256, 32, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
}

int ft_ssh_unknown_key(const struct ssh_session *session, const char *type, const char *fingerprint, const char *known, struct ft_err *reterr)
{
    const char *file = session->login.known_hosts;

    if (access(file, R_OK) < 0)
        return ft_err_class(reterr, FT_UNREACHABLE, -EKEYREJECTED,
                            "%s: the known_hosts file '%s' cannot be read (%s), so the server's key (%s %s) cannot be trusted",
                            session->name, file, strerror(errno), type, fingerprint);
    if (known)
        return ft_err_class(reterr, FT_UNREACHABLE, -EKEYREJECTED,
                            "%s: the server shows a host key of type %s (%s), '%s' knows only its %s key; compare the fingerprint on the device, "
                            "then add the key", session->name, type, fingerprint, file, known);
    return ft_err_class(reterr, FT_UNREACHABLE, -EKEYREJECTED,
                        "%s: the host key (%s %s) is not in '%s'; compare the fingerprint on the device, then add the key: ssh-keyscan -p %u %s",
                        session->name, type, fingerprint, file, session->login.port, session->login.host);
}

int ft_ssh_changed_key(const struct ssh_session *session, const char *type, const char *fingerprint, struct ft_err *reterr)
{
    return ft_err_class(reterr, FT_UNREACHABLE, -EKEYREJECTED,
                        "%s: the host key has CHANGED: the server shows %s %s, '%s' has another; the device was replaced, or somebody is in between: "
                        "find out which before the line is replaced", session->name, type, fingerprint, session->login.known_hosts);
}

int ft_ssh_denied(const struct ssh_session *session, const char *accepted, const char *tried, struct ft_err *reterr)
{
    if (!*tried && !session->login.key_file && !session->login.password && !session->login.agent)
        return ft_err_class(reterr, FT_DENIED, -EACCES, "%s: there is nothing to log in with: set key_file, agent or password; the server accepts %s",
                            session->name, accepted);
    return ft_err_class(reterr, FT_DENIED, -EACCES, "%s: not let in: %s; the server accepts %s", session->name,
                        *tried ? tried : "nothing that is configured is accepted there", accepted);
}

/* ---- logins ---- */

static void login_done(struct ssh_login *login)
{
    char *secrets[] = { login->password, login->passphrase };

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
    return copy;
}

static bool login_same(const struct ssh_login *a, const struct ssh_login *b)
{
    return a->port == b->port && a->agent == b->agent && a->backend == b->backend && ft_streq(a->host, b->host) && ft_streq(a->user, b->user) &&
           ft_streq(a->password, b->password) && ft_streq(a->key_file, b->key_file) && ft_streq(a->passphrase, b->passphrase) &&
           ft_streq(a->known_hosts, b->known_hosts);
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

static void channel_over(struct ssh_channel *ch, enum ft_class class, int exit_status, const char *why)
{
    if (ch->over)
        return;
    ch->over = true;
    ft_loop_hold(ch->ssh->loop, -1);
    if (ch->handler.closed)
        ch->handler.closed(ch->arg, &ch->stream, class, exit_status, why);
}

void ft_ssh_opened(struct ssh_channel *ch)
{
    ch->at = CH_OPEN;
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
    if (s->impl)
        s->login.backend->end(s);
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
    free(s);
}

static struct ssh_session *session_new(struct ft_ssh *ssh, const struct ssh_login *login, unsigned connect_timeout_ms);

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
    kick(s);
}

/* A kept session may have died before this channel used it at all: then a fresh one is tried, once. */
static bool try_afresh(struct ssh_channel *ch, const struct ssh_session *dead)
{
    if (dead->at != SESSION_READY || !ch->reused || ch->moved || ch->requested || ch->over)
        return false;
    ch->moved = true;
    attach(ch, session_new(ch->ssh, &dead->login, ch->connect_timeout_ms));
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

static struct ssh_session *find_session(struct ft_ssh *ssh, const struct ssh_login *login)
{
    struct ft_list *pos, *tmp;

    ft_list_each(pos, tmp, &ssh->sessions) {
        struct ssh_session *s = ft_container(pos, struct ssh_session, link);

        if (!s->full && s->channels_len < CHANNELS_MAX && login_same(&s->login, login))
            return s;
    }
    return NULL;
}

void ft_ssh_refused(struct ssh_channel *ch, const char *why)
{
    struct ssh_session *s = ch->session;
    char *sentence;

    if (!ch->impl && !ch->released && ch->reused) {          /* devices allow few channels in a session: take another */
        s->full = true;
        leave_session(ch);
        kick(s);
        s = find_session(ch->ssh, &s->login) ?: session_new(ch->ssh, &s->login, ch->connect_timeout_ms);
        attach(ch, s);
        return;
    }
    sentence = ft_asprintf("%s: %s", s->name, why);
    channel_over(ch, FT_REFUSED, -1, sentence);
    free(sentence);
    if (ch->impl)
        ch->at = CH_CLOSING;
    else
        ft_ssh_channel_gone(ch);
}

static void idle_over(void *arg)
{
    static const struct ft_err over = { .class = FT_UNREACHABLE, .text = "nobody needed the session" };
    struct ssh_session *s = arg;

    s->idle_timer = NULL;
    if (s->ssh->holds > 0) {
        s->idle_timer = ft_timer_start_weak(s->ssh->loop, IDLE_MS, idle_over, s);
        return;
    }
    session_over(s, &over);           /* channels that a server never closed, and nobody wants, go with it */
}

static void login_too_slow(void *arg)
{
    struct ssh_session *s = arg;
    struct ft_err err;

    s->login_timer = NULL;
    ft_err_class(&err, FT_TIMEOUT, -ETIMEDOUT, "%s: connected, but the login was not over in time: the server is overloaded, or does not speak SSH",
                 s->name);
    session_over(s, &err);
}

static void look_alive(void *arg)
{
    struct ssh_session *s = arg;
    struct ft_err err;

    s->alive_timer = ft_timer_start_weak(s->ssh->loop, ALIVE_MS, look_alive, s);
    if (s->heard || ft_list_empty(&s->channels)) {
        s->silent = 0;
    } else if (++s->silent > SILENT_MAX) {
        ft_err_class(&err, FT_UNREACHABLE, -ETIMEDOUT, "%s: no sign of life for %d s", s->name, SILENT_MAX * ALIVE_MS / 1000);
        session_over(s, &err);
        return;
    }
    s->heard = false;
    if (!ft_list_empty(&s->channels)) {
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
    s->alive_timer = ft_timer_start_weak(s->ssh->loop, ALIVE_MS, look_alive, s);
}

static void socket_ready(uv_poll_t *poll, int status, int events)
{
    struct ssh_session *s = poll->data;

    s->heard |= (events & UV_READABLE) != 0;
    if (status < 0)
        s->polled = 0;                /* libuv stopped it; the library meets the error when it reads */
    if ((status < 0 || events & UV_DISCONNECT) && ft_list_empty(&s->channels)) {
        take_down(s);                 /* the server closed an idle session: nobody to tell */
        free_session(s);
        return;
    }
    run(s);
}

/* Without a channel nobody reads, so only the end is watched for; what the server sends meanwhile waits for the next channel. */
static void watch(struct ssh_session *s)
{
    bool idle = s->at == SESSION_READY && ft_list_empty(&s->channels);
    int events = idle ? UV_DISCONNECT : UV_READABLE | (s->login.backend->wants_write(s) ? UV_WRITABLE : 0);

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

static void run(void *arg)
{
    struct ssh_session *s = arg;
    struct ft_err err = { 0 };

    s->kicked = false;
    ft_loop_undefer(s->ssh->loop, run, s);
    if (s->at != SESSION_READY && ft_list_empty(&s->channels)) {
        take_down(s);                 /* all who wanted it let go */
        free_session(s);
        return;
    }
    if (s->at == SESSION_CONNECTING)
        return;
    if (!ft_list_empty(&s->channels) && s->login.backend->advance(s, &err) < 0) {
        session_over(s, &err);
        return;
    }
    watch(s);
    if (s->at == SESSION_READY && !s->idle_timer && !wanted(s))
        s->idle_timer = ft_timer_start_weak(s->ssh->loop, IDLE_MS, idle_over, s);
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

static struct ssh_session *session_new(struct ft_ssh *ssh, const struct ssh_login *login, unsigned connect_timeout_ms)
{
    struct ssh_session *s = ft_calloc(1, sizeof(*s));

    s->ssh = ssh;
    s->login = login_copy(login);
    s->name = ft_asprintf("ssh %s@%s:%u", login->user, login->host, login->port);
    s->fd = -1;
    ft_list_init(&s->channels);
    ft_list_append(&ssh->sessions, &s->link);
    s->connect = ft_connect_start(ssh->loop, login->host, login->port, connect_timeout_ms, connected, s);
    s->login_timer = ft_timer_start(ssh->loop, connect_timeout_ms + 1, login_too_slow, s);     /* the connection's own limit comes first */
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
    if (!ch->over) {
        ch->over = true;
        ft_loop_hold(ch->ssh->loop, -1);
    }
    if (s && ch->at != CH_WAITING) {
        kick(s);                      /* the backend closes it, then it is freed */
        return;
    }
    leave_session(ch);
    free_channel(ch);
    kick(s);
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

static int check(const struct ft_ssh_req *req, struct ft_err *reterr)
{
    if (!req->host || !*req->host)
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "an SSH connection needs a host");
    if (!req->user || !*req->user)
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "the SSH connection to %s needs a user", req->host);
    if (!req->known_hosts || !*req->known_hosts)
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "the SSH connection to %s needs a known_hosts file: host keys are always checked", req->host);
    if ((req->kind == FT_SSH_EXEC || req->kind == FT_SSH_SUBSYSTEM) && (!req->command || !*req->command))
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "the SSH connection to %s needs a %s", req->host,
                            req->kind == FT_SSH_EXEC ? "command" : "subsystem's name");
    return 0;
}

int ft_ssh_open(struct ft_ssh *ssh, const struct ft_ssh_req *req, const struct ft_stream_handler *handler, void *arg,
                struct ft_stream **ret, struct ft_err *reterr)
{
    /* Borrowed: a session copies what it keeps. */
    const struct ssh_login login = {
        .host = (char *)(uintptr_t)req->host, .port = req->port ? req->port : 22, .user = (char *)(uintptr_t)req->user,
        .password = (char *)(uintptr_t)req->password, .key_file = (char *)(uintptr_t)req->key_file,
        .passphrase = (char *)(uintptr_t)req->passphrase, .known_hosts = (char *)(uintptr_t)req->known_hosts, .agent = req->agent,
        .backend = check(req, reterr) == 0 ? choose(req->library ? req->library : ssh->library, reterr) : NULL,
    };
    struct ssh_session *s;
    struct ssh_channel *ch;

    if (!login.backend)
        return reterr && reterr->code < 0 ? reterr->code : -EINVAL;
    ch = ft_calloc(1, sizeof(*ch));
    ch->stream.ops = &channel_ops;
    ch->ssh = ssh;
    ch->handler = *handler;
    ch->arg = arg;
    ch->kind = req->kind;
    ch->command = ft_strdup(req->command);
    ch->connect_timeout_ms = req->connect_timeout_ms ? req->connect_timeout_ms : DEFAULT_CONNECT_MS;
    ch->exit_status = -1;
    ch->out = FT_BUF_INIT(QUEUE_MAX);
    ft_loop_hold(ssh->loop, 1);
    ssh->stats.channels_opened++;
    s = find_session(ssh, &login);
    attach(ch, s ? s : session_new(ssh, &login, ch->connect_timeout_ms));
    *ret = &ch->stream;
    return 0;
}
