/* ssh_libssh.c: SSH by libssh. It hands over what it reads through callbacks of the channel; they run inside its functions, which the owners of
 * streams cannot be in: what those ask for is only noted, and done by the next run of the machine.
 * It closes the socket after an error and leaves it open otherwise, so it gets a descriptor of its own. */
#include <dlfcn.h>
#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/util.h"
#include "net/ssh_internal.h"

#define LIBRARY "libssh.so.4"
#define PUMPS_MAX 64                  /* reads in one go; then others have their turn */

#define FUNCTIONS(X) \
    X(version) X(new) X(free) X(options_set) X(set_blocking) X(connect) X(disconnect) X(is_connected) X(get_error) X(get_fd) X(get_poll_flags) \
    X(get_server_publickey) X(get_publickey_hash) X(clean_pubkey_hash) X(session_is_known_server) X(key_free) X(key_type) X(key_type_to_char) \
    X(userauth_none) X(userauth_list) X(userauth_publickey) X(userauth_agent) X(userauth_password) X(userauth_kbdint) \
    X(userauth_kbdint_getnprompts) X(userauth_kbdint_getprompt) X(userauth_kbdint_setanswer) X(pki_import_privkey_file) \
    X(channel_new) X(channel_free) X(channel_open_session) X(channel_request_pty_size) X(channel_request_exec) X(channel_request_shell) \
    X(channel_request_subsystem) X(channel_write) X(channel_send_eof) X(channel_close) X(set_channel_callbacks) X(remove_channel_callbacks) \
    X(event_new) X(event_free) X(event_add_session) X(event_remove_session) X(event_dopoll) X(send_keepalive)

static struct {
#define MEMBER(name) typeof(ssh_##name) *name;
    FUNCTIONS(MEMBER)
#undef MEMBER
} lib;
static bool loaded;

enum login_at { AT_CONNECT, AT_HOST_KEY, AT_NONE, AT_KEY, AT_AGENT, AT_PASSWORD, AT_QUESTIONS, AT_DENIED, AT_READY };

struct impl {
    ssh_session ssh;
    ssh_event event;                  /* reads for all channels, once logged in */
    ssh_key key;
    enum login_at at;
    int methods;                      /* that the server accepts */
    struct ft_buf tried;              /* and how it went */
};

struct channel_impl {
    ssh_channel channel;
    struct ssh_channel_callbacks_struct callbacks;
};

/* ---- the library ---- */

static int load(struct ft_err *reterr)
{
    void *library;

    if (loaded)
        return 0;
    library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return ft_err_set(reterr, -ENOENT, "SSH by libssh needs %s: %s; install the package libssh-4", LIBRARY, dlerror());
#define LOAD(name) \
    if (!(lib.name = (typeof(ssh_##name) *)dlsym(library, "ssh_" #name))) \
        return ft_err_set(reterr, -ENOSYS, "%s has no ssh_%s: 0.10 or newer is needed", LIBRARY, #name);
    FUNCTIONS(LOAD)
#undef LOAD
    loaded = true;
    return 0;
}

/* "0.10.6" of "0.10.6/openssl/zlib". */
static const char *version(void)
{
    static char text[24];
    const char *all = lib.version(0);

    snprintf(text, sizeof(text), "%.*s", (int)strcspn(all, "/"), all);
    return text;
}

static bool good(void)
{
    return true;
}

static int broke_off(struct ssh_session *s, struct ft_err *reterr)
{
    struct impl *impl = s->impl;
    const char *why = lib.get_error(impl->ssh);

    return ft_err_class(reterr, FT_UNREACHABLE, -ECONNRESET, "%s: the connection broke off: %s", s->name, why && *why ? why : "closed by the other side");
}

/* ---- the host key ---- */

static int check_host_key(struct ssh_session *s, struct ft_err *reterr)
{
    struct impl *impl = s->impl;
    enum ssh_known_hosts_e found = lib.session_is_known_server(impl->ssh);
    char fingerprint[64] = "without a fingerprint";
    const char *type = "unknown";
    unsigned char *hash = NULL;
    ssh_key key = NULL;
    size_t len = 0;

    if (found == SSH_KNOWN_HOSTS_OK)
        return 0;
    if (lib.get_server_publickey(impl->ssh, &key) == SSH_OK) {
        type = lib.key_type_to_char(lib.key_type(key));
        if (lib.get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &len) == 0 && len == 32)
            ft_ssh_fingerprint(hash, fingerprint);
        lib.clean_pubkey_hash(&hash);
        lib.key_free(key);
    }
    if (found == SSH_KNOWN_HOSTS_CHANGED)
        return ft_ssh_changed_key(s, type, fingerprint, reterr);
    return ft_ssh_unknown_key(s, type, fingerprint, found == SSH_KNOWN_HOSTS_OTHER ? "other" : NULL, reterr);
}

static int connect_failed(struct ssh_session *s, struct ft_err *reterr)
{
    struct impl *impl = s->impl;
    const char *why = lib.get_error(impl->ssh);

    if (strstr(why, "no match for method"))
        return ft_err_class(reterr, FT_UNREACHABLE, -EPROTO, "%s: libssh %s cannot do what the server wants: %s", s->name, version(), why);
    if (strstr(why, "banner") || strstr(why, "Protocol mismatch"))
        return ft_err_class(reterr, FT_UNREACHABLE, -EPROTO, "%s: what answers there does not speak SSH: %s", s->name, why);
    return ft_err_class(reterr, FT_UNREACHABLE, -ECONNRESET, "%s: the connection broke off before the login (%s); does the server speak SSH "
                        "there, and does it allow another session?", s->name, why);
}

static int shake_hands(struct ssh_session *s, struct ft_err *reterr)
{
    struct impl *impl = s->impl;
    int rc = lib.connect(impl->ssh);

    if (rc == SSH_AGAIN)
        return -EAGAIN;
    if (rc != SSH_OK)
        return connect_failed(s, reterr);
    impl->at = AT_HOST_KEY;
    return 0;
}

/* ---- logging in ---- */

static void note(struct impl *impl, const char *what, const char *how)
{
    ft_buf_addf(&impl->tried, "%s%s %s", impl->tried.len ? ", " : "", what, how);
}

/* One attempt to log in; `what` for the sentence when it fails. */
static int attempt(struct ssh_session *s, int rc, enum login_at next, const char *what, struct ft_err *reterr)
{
    struct impl *impl = s->impl;

    if (rc == SSH_AUTH_AGAIN)
        return -EAGAIN;
    if (rc == SSH_AUTH_ERROR && !lib.is_connected(impl->ssh))
        return broke_off(s, reterr);
    impl->at = rc == SSH_AUTH_SUCCESS ? AT_READY : next;
    if (rc == SSH_AUTH_SUCCESS)
        return 0;
    impl->methods = lib.userauth_list(impl->ssh, NULL);
    if (what)
        note(impl, what, rc == SSH_AUTH_PARTIAL ? "was accepted, but more is wanted" : "is not accepted");
    return 0;
}

static bool read_key(struct ssh_session *s)
{
    struct impl *impl = s->impl;
    const char *passphrase = s->login.passphrase;
    char *what;

    /* Without a passphrase the library might ask for one at the terminal: an empty one prevents that. */
    if (impl->key || lib.pki_import_privkey_file(s->login.key_file, passphrase ? passphrase : "", NULL, NULL, &impl->key) == SSH_OK)
        return true;
    what = ft_asprintf("key_file '%s'", s->login.key_file);
    if (access(s->login.key_file, R_OK) < 0)
        note(impl, what, "cannot be read");
    else
        note(impl, what, passphrase ? "cannot be used: is its passphrase right?" : "cannot be used: does it need a passphrase?");
    free(what);
    return false;
}

static int try_key(struct ssh_session *s, struct ft_err *reterr)
{
    struct impl *impl = s->impl;
    char *what;
    int r;

    if (!s->login.key_file || !(impl->methods & SSH_AUTH_METHOD_PUBLICKEY) || !read_key(s)) {
        impl->at = AT_AGENT;
        return 0;
    }
    what = ft_asprintf("key_file '%s'", s->login.key_file);
    r = attempt(s, lib.userauth_publickey(impl->ssh, NULL, impl->key), AT_AGENT, what, reterr);
    free(what);
    return r;
}

static int try_agent(struct ssh_session *s, struct ft_err *reterr)
{
    struct impl *impl = s->impl;

    if (!s->login.agent || !(impl->methods & SSH_AUTH_METHOD_PUBLICKEY)) {
        impl->at = AT_PASSWORD;
        return 0;
    }
    return attempt(s, lib.userauth_agent(impl->ssh, NULL), AT_PASSWORD, "what the agent holds", reterr);
}

static int try_password(struct ssh_session *s, struct ft_err *reterr)
{
    struct impl *impl = s->impl;

    if (!s->login.password || !(impl->methods & SSH_AUTH_METHOD_PASSWORD)) {
        impl->at = AT_QUESTIONS;
        return 0;
    }
    return attempt(s, lib.userauth_password(impl->ssh, NULL, s->login.password), AT_QUESTIONS, "the password", reterr);
}

/* A hidden question is the one for the password. */
static void answer_questions(struct ssh_session *s)
{
    struct impl *impl = s->impl;
    int n = lib.userauth_kbdint_getnprompts(impl->ssh);

    for (int i = 0; i < n; i++) {
        char echo = 1;

        lib.userauth_kbdint_getprompt(impl->ssh, (unsigned)i, &echo);
        lib.userauth_kbdint_setanswer(impl->ssh, (unsigned)i, echo ? "" : s->login.password);
    }
}

static int try_questions(struct ssh_session *s, struct ft_err *reterr)
{
    struct impl *impl = s->impl;
    int rc;

    if (!s->login.password || !(impl->methods & SSH_AUTH_METHOD_INTERACTIVE)) {
        impl->at = AT_DENIED;
        return 0;
    }
    rc = lib.userauth_kbdint(impl->ssh, NULL, NULL);
    if (rc == SSH_AUTH_INFO) {
        answer_questions(s);
        return 0;                     /* stays here: the same call sends the answers */
    }
    return attempt(s, rc, AT_DENIED, "the password as an answer", reterr);
}

static int denied(struct ssh_session *s, struct ft_err *reterr)
{
    static const struct { int bit; const char *name; } names[] = {
        { SSH_AUTH_METHOD_PUBLICKEY, "publickey" }, { SSH_AUTH_METHOD_PASSWORD, "password" },
        { SSH_AUTH_METHOD_INTERACTIVE, "keyboard-interactive" }, { SSH_AUTH_METHOD_HOSTBASED, "hostbased" },
        { SSH_AUTH_METHOD_GSSAPI_MIC, "gssapi-with-mic" },
    };
    struct impl *impl = s->impl;
    struct ft_buf accepted = FT_BUF_INIT(200);
    int r;

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (impl->methods & names[i].bit)
            ft_buf_addf(&accepted, "%s%s", accepted.len ? "," : "", names[i].name);
    r = ft_ssh_denied(s, ft_buf_str(&accepted), ft_buf_str(&impl->tried), reterr);
    ft_buf_done(&accepted);
    return r;
}

/* ---- channels ---- */

static int got_data(ssh_session ssh, ssh_channel channel, void *bytes, uint32_t len, int is_stderr, void *arg)
{
    (void)ssh, (void)channel;
    ft_ssh_data(arg, bytes, len, is_stderr);
    return (int)len;
}

static void got_close(ssh_session ssh, ssh_channel channel, void *arg)
{
    struct ssh_channel *ch = arg;

    (void)ssh, (void)channel;
    ch->ended = true;
}

static void got_status(ssh_session ssh, ssh_channel channel, int status, void *arg)
{
    struct ssh_channel *ch = arg;

    (void)ssh, (void)channel;
    ch->exit_status = status;
}

static void got_signal(ssh_session ssh, ssh_channel channel, const char *signal, int core, const char *message, const char *language, void *arg)
{
    struct ssh_channel *ch = arg;

    (void)ssh, (void)channel, (void)core, (void)message, (void)language;
    snprintf(ch->exit_signal, sizeof(ch->exit_signal), "%s", signal);
}

static void free_channel(struct ssh_channel *ch)
{
    struct channel_impl *c = ch->impl;

    if (!c)
        return;
    lib.remove_channel_callbacks(c->channel, &c->callbacks);
    lib.channel_free(c->channel);     /* the library keeps its part until the other side has closed too */
    free(c);
    ch->impl = NULL;
}

static struct channel_impl *new_channel(struct ssh_channel *ch)
{
    struct impl *impl = ch->session->impl;
    struct channel_impl *c = ft_calloc(1, sizeof(*c));

    c->channel = lib.channel_new(impl->ssh);
    if (!c->channel)
        abort();
    ssh_callbacks_init(&c->callbacks);
    c->callbacks.userdata = ch;
    c->callbacks.channel_data_function = got_data;
    c->callbacks.channel_close_function = got_close;
    c->callbacks.channel_exit_status_function = got_status;
    c->callbacks.channel_exit_signal_function = got_signal;
    lib.set_channel_callbacks(c->channel, &c->callbacks);
    return c;
}

static int open_channel(struct ssh_channel *ch)
{
    struct channel_impl *c = ch->impl;
    int rc;

    if (!c)
        c = ch->impl = new_channel(ch);
    ch->at = CH_OPENING;
    rc = lib.channel_open_session(c->channel);
    if (rc == SSH_AGAIN)
        return 0;
    if (rc != SSH_OK) {
        free_channel(ch);
        ft_ssh_refused(ch, "the server opens no further channel in this session");
        return 1;
    }
    ch->at = ch->kind == FT_SSH_SHELL_PTY ? CH_PTY : CH_REQUEST;
    return 1;
}

static int request_pty(struct ssh_channel *ch)
{
    struct channel_impl *c = ch->impl;
    int rc = lib.channel_request_pty_size(c->channel, SSH_TERM, SSH_COLUMNS, SSH_ROWS);

    if (rc == SSH_AGAIN)
        return 0;
    ch->at = CH_REQUEST;
    if (rc != SSH_OK)
        ft_ssh_refused(ch, "the server gives no terminal");
    return 1;
}

static int send_request(struct ssh_channel *ch)
{
    struct channel_impl *c = ch->impl;

    switch (ch->kind) {
    case FT_SSH_EXEC:      return lib.channel_request_exec(c->channel, ch->command);
    case FT_SSH_SUBSYSTEM: return lib.channel_request_subsystem(c->channel, ch->command);
    default:               return lib.channel_request_shell(c->channel);
    }
}

static int request(struct ssh_channel *ch)
{
    int rc;

    if (ch->released && !ch->requested) {
        ch->at = CH_CLOSING;          /* cancelled in time: the command is not sent */
        return 1;
    }
    ch->requested = true;
    rc = send_request(ch);
    if (rc == SSH_AGAIN)
        return 0;
    if (rc != SSH_OK)
        ft_ssh_refused(ch, ch->kind == FT_SSH_EXEC ? "the server refuses to run the command" : ch->kind == FT_SSH_SUBSYSTEM
                       ? "the server has no such subsystem" : "the server gives no shell");
    else
        ft_ssh_opened(ch);
    return 1;
}

static int transfer(struct ssh_channel *ch)
{
    struct channel_impl *c = ch->impl;
    const char *bytes;
    size_t len = ft_ssh_to_send(ch, &bytes);
    int n = 0;

    if (ch->released) {
        ch->at = CH_CLOSING;
        return 1;
    }
    if (ch->ended) {
        ch->at = CH_ENDING;
        return 1;
    }
    if (len)
        n = lib.channel_write(c->channel, bytes, (uint32_t)ft_min(len, (size_t)SSH_CHUNK * 2));
    ft_ssh_sent(ch, n < 0 ? SIZE_MAX : (size_t)n);                /* refused: closed on the other side, nobody reads it */
    if (ch->eof_wanted && !ch->eof_sent && !ft_ssh_to_send(ch, &bytes)) {
        lib.channel_send_eof(c->channel);
        ch->eof_sent = true;
        return 1;
    }
    return n > 0;
}

static int close_channel(struct ssh_channel *ch)
{
    free_channel(ch);
    ft_ssh_channel_gone(ch);
    return 1;
}

static int step_channel(struct ssh_channel *ch)
{
    switch (ch->at) {
    case CH_WAITING: case CH_OPENING:
        return open_channel(ch);
    case CH_PTY:
        return request_pty(ch);
    case CH_REQUEST:
        return request(ch);
    case CH_OPEN:
        return transfer(ch);
    case CH_ENDING:
        ch->at = CH_CLOSING;
        ft_ssh_ended(ch);
        return 1;
    case CH_CLOSING: case CH_FREEING:
        return close_channel(ch);
    }
    return 0;
}

static int step_channels(struct ssh_session *s, struct ft_err *reterr)
{
    struct impl *impl = s->impl;
    struct ft_list *pos, *tmp;
    int progress, pumps = 0;

    do {
        progress = 0;
        ft_list_each(pos, tmp, &s->channels)
            progress |= step_channel(ft_container(pos, struct ssh_channel, link));
        while (pumps < PUMPS_MAX && lib.is_connected(impl->ssh) && lib.event_dopoll(impl->event, 0) == SSH_OK) {
            pumps++;
            progress = 1;
        }
    } while (progress && pumps < PUMPS_MAX);
    if (pumps == PUMPS_MAX)
        ft_ssh_again(s);
    return lib.is_connected(impl->ssh) ? 0 : broke_off(s, reterr);
}

/* ---- the machine ---- */

static int become_ready(struct ssh_session *s, struct ft_err *reterr)
{
    struct impl *impl = s->impl;

    impl->event = lib.event_new();
    if (!impl->event || lib.event_add_session(impl->event, impl->ssh) != SSH_OK)
        return ft_err_set(reterr, -ENOMEM, "%s: libssh gave no event", s->name);
    ft_ssh_ready(s);
    return 0;
}

static int advance(struct ssh_session *s, struct ft_err *reterr)
{
    struct impl *impl = s->impl;
    int r = 0;

    while (r >= 0) {
        switch (impl->at) {
        case AT_CONNECT:
            r = shake_hands(s, reterr);
            break;
        case AT_HOST_KEY:
            r = check_host_key(s, reterr);
            impl->at = AT_NONE;
            break;
        case AT_NONE:
            r = attempt(s, lib.userauth_none(impl->ssh, NULL), AT_KEY, NULL, reterr);
            break;
        case AT_KEY:
            r = try_key(s, reterr);
            break;
        case AT_AGENT:
            r = try_agent(s, reterr);
            break;
        case AT_PASSWORD:
            r = try_password(s, reterr);
            break;
        case AT_QUESTIONS:
            r = try_questions(s, reterr);
            break;
        case AT_DENIED:
            return denied(s, reterr);
        case AT_READY:
            if (s->at != SESSION_READY && (r = become_ready(s, reterr)) < 0)
                return r;
            return step_channels(s, reterr);
        }
    }
    return r == -EAGAIN ? 0 : r;
}

static int start(struct ssh_session *s, struct ft_err *reterr)
{
    struct impl *impl = ft_calloc(1, sizeof(*impl));
    unsigned port = s->login.port;
    bool no = false;
    int fd = dup(s->fd);

    impl->ssh = lib.new();
    if (!impl->ssh)
        abort();
    impl->tried = FT_BUF_INIT(2000);
    s->impl = impl;
    if (lib.options_set(impl->ssh, SSH_OPTIONS_HOST, s->login.host) < 0 || lib.options_set(impl->ssh, SSH_OPTIONS_USER, s->login.user) < 0 ||
        lib.options_set(impl->ssh, SSH_OPTIONS_PORT, &port) < 0 || lib.options_set(impl->ssh, SSH_OPTIONS_FD, &fd) < 0 ||
        lib.options_set(impl->ssh, SSH_OPTIONS_KNOWNHOSTS, s->login.known_hosts) < 0 ||
        lib.options_set(impl->ssh, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, s->login.known_hosts) < 0 ||
        lib.options_set(impl->ssh, SSH_OPTIONS_PROCESS_CONFIG, &no) < 0) {
        close(fd);
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "%s: libssh does not accept it: %s", s->name, lib.get_error(impl->ssh));
    }
    lib.set_blocking(impl->ssh, 0);
    return 0;
}

static bool wants_write(struct ssh_session *s)
{
    struct impl *impl = s->impl;

    return lib.get_poll_flags(impl->ssh) & SSH_WRITE_PENDING;
}

static void keep_alive(struct ssh_session *s)
{
    struct impl *impl = s->impl;

    lib.send_keepalive(impl->ssh);
}

/* Whether the library's descriptor is still the one that it was given. */
static bool is_copy(int fd, int of)
{
    struct stat a, b;

    return fd >= 0 && fstat(fd, &a) == 0 && fstat(of, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

static void end(struct ssh_session *s)
{
    struct impl *impl = s->impl;
    struct ft_list *pos, *tmp;
    int fd;

    ft_list_each(pos, tmp, &s->channels)
        free_channel(ft_container(pos, struct ssh_channel, link));
    if (impl->event) {
        lib.event_remove_session(impl->event, impl->ssh);
        lib.event_free(impl->event);
    }
    fd = lib.get_fd(impl->ssh);
    lib.disconnect(impl->ssh);
    lib.free(impl->ssh);
    if (is_copy(fd, s->fd))
        close(fd);
    if (impl->key)
        lib.key_free(impl->key);
    ft_buf_done(&impl->tried);
    free(impl);
    s->impl = NULL;
}

const struct ssh_backend ft_ssh_libssh = {
    .name = "libssh", .load = load, .version = version, .good = good, .start = start, .advance = advance,
    .wants_write = wants_write, .keep_alive = keep_alive, .end = end,
};
