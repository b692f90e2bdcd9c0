/* ssh_libssh.c: SSH by libssh. It hands over what it reads through callbacks of the channel; they run inside its functions, which the owners of
 * streams cannot be in: what those ask for is only noted, and done by the next run of the machine.
 * It closes the socket after an error and leaves it open otherwise, so it gets a descriptor of its own. It makes a socket that it is given
 * block: whoever sends would wait for a server that does not read. */
#include <dlfcn.h>
#include <fcntl.h>
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
    X(channel_new) X(channel_free) X(channel_open_session) X(channel_open_forward) X(channel_read_nonblocking) X(channel_request_pty_size) X(channel_request_exec) X(channel_request_shell) \
    X(channel_request_subsystem) X(channel_write) X(channel_send_eof) X(channel_close) X(set_channel_callbacks) X(remove_channel_callbacks) \
    X(event_new) X(event_free) X(event_add_session) X(event_remove_session) X(event_dopoll) X(send_keepalive) X(set_counters)

static struct {
#define MEMBER(name) typeof(ssh_##name) *name;
    FUNCTIONS(MEMBER)
#undef MEMBER
} lib;
static bool loaded;

struct impl {
    ssh_session ssh;
    ssh_event event;                  /* reads for all channels, once logged in */
    ssh_key key;
    struct ssh_counter_struct raw;
    uint64_t heard;                   /* of its bytes */
};

struct channel_impl {
    ssh_channel channel;
    struct ssh_channel_callbacks_struct callbacks;
    bool kept;                        /* the library holds bytes that the owner could not take */
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

/* What only old devices insist on: libssh2 still knows it, this library by default no more. */
static bool wants_old(const char *why)
{
    static const char *const old[] = { "ssh-rsa", "ssh-dss", "-sha1", "-cbc", "arcfour", "hmac-md5" };
    const char *server = strstr(why, "server ["), *end = server ? strchr(server, ']') : NULL;

    for (size_t i = 0; end && i < ARRAY_LEN(old); i++) {
        const char *found = strstr(server, old[i]);

        if (found && found < end)
            return true;
    }
    return false;
}

static int connect_failed(struct ssh_session *s, struct ft_err *reterr)
{
    struct impl *impl = s->impl;
    const char *why = lib.get_error(impl->ssh);

    if (strstr(why, "no match for method"))
        return ft_err_class(reterr, FT_UNREACHABLE, -EPROTO, "%s: libssh %s cannot do what the server wants (%s)%s", s->name, version(), why,
                            wants_old(why) ? ": that is old and weak, and better mended there; the other library still knows it: set ssh.library: libssh2" : "");
    if (strstr(why, "banner") || strstr(why, "Protocol mismatch"))
        return ft_err_class(reterr, FT_UNREACHABLE, -EPROTO, "%s: what answers there does not speak SSH: %s", s->name, why);
    return ft_err_class(reterr, FT_UNREACHABLE, -ECONNRESET, "%s: the connection broke off before the login (%s); does the server speak SSH "
                        "there, and does it allow another session?", s->name, why);
}

static int shake_hands(struct ssh_session *s, struct ft_err *reterr)
{
    struct impl *impl = s->impl;
    int rc = lib.connect(impl->ssh), fd = lib.get_fd(impl->ssh);

    if (fd >= 0)
        fcntl(fd, F_SETFL, O_NONBLOCK);           /* connecting made it block, and the loop with it */
    if (rc == SSH_AGAIN)
        return -EAGAIN;
    return rc == SSH_OK ? 0 : connect_failed(s, reterr);
}

/* ---- logging in ---- */

static void name_methods(struct ssh_session *s)
{
    static const struct { int bit; const char *name; } names[] = {
        { SSH_AUTH_METHOD_PUBLICKEY, "publickey" }, { SSH_AUTH_METHOD_PASSWORD, "password" },
        { SSH_AUTH_METHOD_INTERACTIVE, "keyboard-interactive" }, { SSH_AUTH_METHOD_HOSTBASED, "hostbased" },
        { SSH_AUTH_METHOD_GSSAPI_MIC, "gssapi-with-mic" },
    };
    struct impl *impl = s->impl;
    struct ft_buf accepted = FT_BUF_INIT(200);
    int methods = lib.userauth_list(impl->ssh, NULL);

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (methods & names[i].bit)
            ft_buf_addf(&accepted, "%s%s", accepted.len ? "," : "", names[i].name);
    free(s->methods);
    s->methods = ft_strdup(ft_buf_str(&accepted));
    ft_buf_done(&accepted);
}

/* One attempt to log in; `what` for the sentence when it fails. */
static int attempt(struct ssh_session *s, int rc, const char *what, struct ft_err *reterr)
{
    struct impl *impl = s->impl;

    if (rc == SSH_AUTH_AGAIN)
        return -EAGAIN;
    if (rc == SSH_AUTH_ERROR && !lib.is_connected(impl->ssh))
        return broke_off(s, reterr);
    if (rc == SSH_AUTH_SUCCESS)
        return 1;
    name_methods(s);
    if (what)
        ft_ssh_note(s, what, rc == SSH_AUTH_PARTIAL ? "was accepted, but more is wanted" : "is not accepted");
    return 0;
}

static int ask_methods(struct ssh_session *s, struct ft_err *reterr)
{
    struct impl *impl = s->impl;

    return attempt(s, lib.userauth_none(impl->ssh, NULL), NULL, reterr);
}

static bool read_key(struct ssh_session *s)
{
    struct impl *impl = s->impl;
    const char *passphrase = s->login.passphrase;

    /* Without a passphrase the library might ask for one at the terminal: an empty one prevents that. */
    if (impl->key || lib.pki_import_privkey_file(s->login.key_file, passphrase ? passphrase : "", NULL, NULL, &impl->key) == SSH_OK)
        return true;
    if (access(s->login.key_file, R_OK) < 0)
        ft_ssh_note_key(s, "cannot be read");
    else
        ft_ssh_note_key(s, passphrase ? "cannot be used: is its passphrase right?" : "cannot be used: does it need a passphrase?");
    return false;
}

static int try_key(struct ssh_session *s, struct ft_err *reterr)
{
    struct impl *impl = s->impl;
    char *what;
    int r;

    if (!read_key(s))
        return 0;
    what = ft_asprintf("key_file '%s'", s->login.key_file);
    r = attempt(s, lib.userauth_publickey(impl->ssh, NULL, impl->key), what, reterr);
    if (r == 0 && lib.key_type(impl->key) == SSH_KEYTYPE_RSA)
        ft_buf_adds(&s->tried, " (an RSA key: for an old device that takes these with SHA-1 only, set ssh.library: libssh2)");
    free(what);
    return r;
}

static int try_agent(struct ssh_session *s, struct ft_err *reterr)
{
    struct impl *impl = s->impl;

    return attempt(s, lib.userauth_agent(impl->ssh, NULL), "what the agent holds", reterr);
}

static int try_password(struct ssh_session *s, struct ft_err *reterr)
{
    struct impl *impl = s->impl;

    return attempt(s, lib.userauth_password(impl->ssh, NULL, s->login.password), "the password", reterr);
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

    while ((rc = lib.userauth_kbdint(impl->ssh, NULL, NULL)) == SSH_AUTH_INFO)
        answer_questions(s);          /* the same call sends the answers */
    return attempt(s, rc, "the password as an answer", reterr);
}

/* ---- channels ---- */

static int got_data(ssh_session ssh, ssh_channel channel, void *bytes, uint32_t len, int is_stderr, void *arg)
{
    struct ssh_channel *ch = arg;
    struct channel_impl *c = ch->impl;

    (void)ssh, (void)channel;
    if (ch->paused) {
        c->kept = true;
        return 0;                     /* stays in the library, up to the channel's window */
    }
    ft_ssh_data(ch, bytes, len, is_stderr);
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

static void drop_impl(struct ssh_channel *ch)
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

static int open_kind(struct ssh_channel *ch)
{
    struct channel_impl *c = ch->impl;

    return ch->tunnel ? lib.channel_open_forward(c->channel, ch->command, ch->port, "127.0.0.1", 65535) : lib.channel_open_session(c->channel);
}

/* "Channel opening failure: channel 43 error (2) Connection refused" */
static void not_opened(struct ssh_channel *ch)
{
    struct impl *impl = ch->session->impl;
    const char *text = lib.get_error(impl->ssh), *error = strstr(text, "error (");
    unsigned reason = 0;
    int at = 0;

    if (!ch->tunnel)
        ft_ssh_refused(ch, "the server opens no further channel in this session");
    else if (error && sscanf(error, "error (%u) %n", &reason, &at) == 1 && at)
        ft_ssh_way_refused(ch, reason, error + at);
    else
        ft_ssh_way_refused(ch, 0, text);
}

static int open_channel(struct ssh_channel *ch, struct ft_err *reterr)
{
    struct channel_impl *c = ch->impl;
    int rc;

    (void)reterr;
    if (!c)
        c = ch->impl = new_channel(ch);
    ch->at = CH_OPENING;
    rc = open_kind(ch);
    if (rc == SSH_AGAIN)
        return 0;
    if (rc != SSH_OK && !lib.is_connected(((struct impl *)ch->session->impl)->ssh))
        return 0;                     /* step_channels says why */
    if (rc != SSH_OK) {
        drop_impl(ch);
        not_opened(ch);
    } else if (ch->tunnel) {
        ft_ssh_opened(ch);
    } else {
        ch->at = ch->kind == FT_SSH_SHELL_PTY ? CH_PTY : CH_REQUEST;
    }
    return 1;
}

static int request_pty(struct ssh_channel *ch, struct ft_err *reterr)
{
    struct channel_impl *c = ch->impl;
    int rc = lib.channel_request_pty_size(c->channel, SSH_TERM, SSH_COLUMNS, SSH_ROWS);

    (void)reterr;
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

static int request(struct ssh_channel *ch, struct ft_err *reterr)
{
    int rc;

    (void)reterr;
    if (ch->released && !ch->requested) {
        ch->at = CH_CLOSING;          /* cancelled in time: the command is not sent */
        return 1;
    }
    ch->requested = true;
    rc = send_request(ch);
    if (rc == SSH_AGAIN)
        return 0;
    if (rc != SSH_OK)
        ft_ssh_request_refused(ch);
    else
        ft_ssh_opened(ch);
    return 1;
}

/* What the library kept while the owner could take no more. */
static void read_kept(struct ssh_channel *ch)
{
    struct channel_impl *c = ch->impl;
    char chunk[SSH_CHUNK];

    for (int is_stderr = 0; is_stderr < 2; is_stderr++) {
        int n = 0;

        while ((!ch->paused || ch->ended) && (n = lib.channel_read_nonblocking(c->channel, chunk, sizeof(chunk), is_stderr)) > 0)
            ft_ssh_data(ch, chunk, (size_t)n, is_stderr);
    }
    c->kept = ch->paused && !ch->ended;
}

static int transfer(struct ssh_channel *ch, struct ft_err *reterr)
{
    struct channel_impl *c = ch->impl;
    const char *bytes;
    size_t len = ft_ssh_to_send(ch, &bytes);
    int n = 0;

    (void)reterr;
    if (ch->released) {
        ch->at = CH_CLOSING;
        return 1;
    }
    if (c->kept && (!ch->paused || ch->ended))
        read_kept(ch);
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

static int end_channel(struct ssh_channel *ch, struct ft_err *reterr)
{
    (void)reterr;
    ch->at = CH_CLOSING;
    ft_ssh_ended(ch);
    return 1;
}

static int close_channel(struct ssh_channel *ch, struct ft_err *reterr)
{
    (void)reterr;
    drop_impl(ch);
    ft_ssh_channel_gone(ch);
    return 1;
}

static int make_event(struct ssh_session *s, struct ft_err *reterr)
{
    struct impl *impl = s->impl;

    impl->event = lib.event_new();
    if (impl->event && lib.event_add_session(impl->event, impl->ssh) == SSH_OK)
        return 0;
    return ft_err_set(reterr, -ENOMEM, "%s: libssh gave no event", s->name);
}

static void look_whether_heard(struct ssh_session *s)
{
    struct impl *impl = s->impl;

    if (impl->raw.in_bytes != impl->heard)
        ft_ssh_heard(s);
    impl->heard = impl->raw.in_bytes;
}

static int step_channels(struct ssh_session *s, struct ft_err *reterr)
{
    struct impl *impl = s->impl;
    struct ft_list *pos, *tmp;
    int progress, pumps = 0;

    if (!impl->event && make_event(s, reterr) < 0)
        return -ENOMEM;
    do {
        progress = 0;
        ft_list_each(pos, tmp, &s->channels)
            progress |= ft_ssh_step_channel(ft_container(pos, struct ssh_channel, link), reterr);
        while (pumps < PUMPS_MAX && lib.is_connected(impl->ssh) && lib.event_dopoll(impl->event, 0) == SSH_OK) {
            pumps++;
            progress = 1;
        }
    } while (progress && pumps < PUMPS_MAX);
    look_whether_heard(s);
    if (pumps == PUMPS_MAX)
        ft_ssh_again(s);
    return lib.is_connected(impl->ssh) ? 0 : broke_off(s, reterr);
}

/* ---- the session ---- */

static int start(struct ssh_session *s, struct ft_err *reterr)
{
    struct impl *impl = ft_calloc(1, sizeof(*impl));
    unsigned port = s->login.port;
    bool no = false;
    int fd = dup(s->fd);

    impl->ssh = lib.new();
    if (!impl->ssh)
        abort();
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
    lib.set_counters(impl->ssh, &impl->raw, NULL);
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
    uint64_t sent = impl->raw.out_bytes;

    lib.send_keepalive(impl->ssh);
    if (impl->raw.out_bytes == sent)              /* that only took note of the answer to the one before */
        lib.send_keepalive(impl->ssh);
    look_whether_heard(s);
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
        drop_impl(ft_container(pos, struct ssh_channel, link));
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
    free(impl);
    s->impl = NULL;
}

const struct ssh_backend ft_ssh_libssh = {
    .name = "libssh", .load = load, .version = version, .good = good, .start = start, .shake_hands = shake_hands, .check_host_key = check_host_key,
    .ask_methods = ask_methods, .try_key = try_key, .try_agent = try_agent, .try_password = try_password, .try_questions = try_questions,
    .step_channels = step_channels, .open_channel = open_channel, .request_pty = request_pty, .request = request, .transfer = transfer,
    .end_channel = end_channel, .close_channel = close_channel, .free_channel = close_channel,
    .wants_write = wants_write, .keep_alive = keep_alive, .end = end,
};
