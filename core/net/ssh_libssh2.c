/* ssh_libssh2.c: SSH by libssh2. What is odd about it, and shapes this file:
 *  - When a packet could be sent in part only, the next thing sent must be the rest of it, by the same call: `stuck` is the channel
 *    whose call that is, and channel->op the call.
 *  - The state of opening a channel is the session's, and 1.10 takes the answer to another channel's request for a failure of its own: one
 *    channel is opened and gets its command at a time (`starting`).
 *  - Reading for one channel takes packets of all from the socket: nothing is quiet before all of them have been asked.
 *  - When the connection ends, it forgets what it has read and not handed over; devices that close right behind the last byte are common. So the
 *    end of the socket is kept from it (receive) until all is read.
 *  - A channel never reports its end while anything is unread, standard error included.
 *  - Nothing is read but for a channel: what comes while there is none (answers to keep_alive) is kept for the next one (early).
 *  - 1.10 knows RSA with SHA-1 only, no etm MACs and no GCM.
 */
#include <dlfcn.h>
#include <libssh2.h>
#include <poll.h>
#include <sodium.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/util.h"
#include "net/ssh_internal.h"

#define LIBRARY "libssh2.so.1"
#define GOOD 0x010b00                 /* 1.11: RSA with SHA-2, etm */
#define WINDOW (2u << 20)
#define EARLY_MAX (256u << 10)
#define CHUNKS_MAX 64                 /* read in one go; then others have their turn */

#define FUNCTIONS(X) \
    X(init) X(version) X(session_init_ex) X(session_free) X(session_set_blocking) X(session_callback_set) X(session_handshake) X(session_disconnect_ex) \
    X(session_last_error) X(session_last_errno) X(session_block_directions) X(session_hostkey) X(session_method_pref) X(session_supported_algs) X(hostkey_hash) \
    X(userauth_list) X(userauth_authenticated) X(userauth_password_ex) X(userauth_publickey_fromfile_ex) \
    X(userauth_keyboard_interactive_ex) X(agent_init) X(agent_connect) X(agent_list_identities) X(agent_get_identity) X(agent_userauth) \
    X(agent_disconnect) X(agent_free) X(knownhost_init) X(knownhost_free) X(knownhost_readline) X(knownhost_checkp) \
    X(channel_open_ex) X(channel_direct_tcpip_ex) X(channel_request_pty_ex) X(channel_process_startup) X(channel_read_ex) X(channel_write_ex) X(channel_eof) \
    X(channel_send_eof) X(channel_wait_closed) X(channel_close) X(channel_free) X(channel_get_exit_status) X(channel_get_exit_signal) \
    X(poll_channel_read) X(keepalive_config) X(keepalive_send) X(free)

static struct {
#define MEMBER(name) typeof(libssh2_##name) *name;
    FUNCTIONS(MEMBER)
#undef MEMBER
} lib;
static bool loaded;

struct impl {
    LIBSSH2_SESSION *ssh;
    LIBSSH2_AGENT *agent;
    struct libssh2_agent_publickey *identity;     /* that is being tried */
    bool agent_rsa;                   /* one of those refused was an RSA key */
    struct ssh_channel *starting, *stuck;
    int chunks_left;
    bool at_end, end_told;            /* the socket is; the library may know */
    struct ft_buf early;              /* came while there was no channel to read it by */
    size_t early_at;
};

/* ---- the library ---- */

static int load(struct ft_err *reterr)
{
    void *library;

    if (loaded)
        return 0;
    library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return ft_err_set(reterr, -ENOENT, "SSH by libssh2 needs %s: %s; install the package libssh2-1", LIBRARY, dlerror());
#define LOAD(name) \
    if (!(lib.name = (typeof(libssh2_##name) *)dlsym(library, "libssh2_" #name))) \
        return ft_err_set(reterr, -ENOSYS, "%s has no libssh2_%s: 1.10 or newer is needed", LIBRARY, #name);
    FUNCTIONS(LOAD)
#undef LOAD
    if (lib.init(0) != 0)
        return ft_err_set(reterr, -EIO, "%s could not be initialised", LIBRARY);
    loaded = true;
    return 0;
}

static const char *version(void)
{
    return lib.version(0);
}

static bool good(void)
{
    return lib.version(GOOD) != NULL;
}

static bool is_again(struct impl *impl, int rc)
{
    return rc == LIBSSH2_ERROR_EAGAIN || (rc == 0 && lib.session_last_errno(impl->ssh) == LIBSSH2_ERROR_EAGAIN);
}

static const char *last_error(struct impl *impl)
{
    char *text = NULL;

    lib.session_last_error(impl->ssh, &text, NULL, 0);
    return text && *text ? text : "no reason given";
}

static int broke_off(struct ssh_session *s, struct ft_err *reterr)
{
    return ft_err_class(reterr, FT_UNREACHABLE, -ECONNRESET, "%s: the connection broke off: %s", s->name, last_error(s->impl));
}

static ssize_t take_early(struct impl *impl, void *bytes, size_t len)
{
    size_t n = ft_min(len, impl->early.len - impl->early_at);

    memcpy(bytes, impl->early.data + impl->early_at, n);
    impl->early_at += n;
    if (impl->early_at == impl->early.len) {
        ft_buf_done(&impl->early);
        impl->early = FT_BUF_INIT(EARLY_MAX);
        impl->early_at = 0;
    }
    return (ssize_t)n;
}

static ssize_t heard(struct ssh_session *s, ssize_t n)
{
    ft_ssh_heard(s);
    return n;
}

/* Instead of recv(2): see above. */
static ssize_t receive(libssh2_socket_t fd, void *bytes, size_t len, int flags, void **abstract)
{
    struct ssh_session *s = *abstract;
    struct impl *impl = s->impl;
    ssize_t n;
    int error;

    if (impl->early.len)
        return take_early(impl, bytes, len);
    n = recv(fd, bytes, len, flags);
    error = errno;

    if (n > 0 || (n < 0 && (error == EAGAIN || error == EINTR)))
        return n > 0 ? heard(s, n) : -EAGAIN;
    impl->at_end = true;
    if (s->at == SESSION_READY && !impl->end_told)
        return -EAGAIN;
    return n < 0 ? -error : 0;
}

/* ---- the host key ---- */

/* SSH's names of key types, and libssh2's in known_hosts. Best first. */
static const struct { const char *name; int known; int hostkey; } key_types[] = {
    { "ssh-ed25519", LIBSSH2_KNOWNHOST_KEY_ED25519, LIBSSH2_HOSTKEY_TYPE_ED25519 },
    { "ecdsa-sha2-nistp256", LIBSSH2_KNOWNHOST_KEY_ECDSA_256, LIBSSH2_HOSTKEY_TYPE_ECDSA_256 },
    { "ecdsa-sha2-nistp384", LIBSSH2_KNOWNHOST_KEY_ECDSA_384, LIBSSH2_HOSTKEY_TYPE_ECDSA_384 },
    { "ecdsa-sha2-nistp521", LIBSSH2_KNOWNHOST_KEY_ECDSA_521, LIBSSH2_HOSTKEY_TYPE_ECDSA_521 },
    { "ssh-rsa", LIBSSH2_KNOWNHOST_KEY_SSHRSA, LIBSSH2_HOSTKEY_TYPE_RSA },
};

/* Line by line: one that the library does not understand must not hide the others. */
static LIBSSH2_KNOWNHOSTS *read_known_hosts(struct ssh_session *s)
{
    struct impl *impl = s->impl;
    LIBSSH2_KNOWNHOSTS *hosts = lib.knownhost_init(impl->ssh);
    FILE *file = fopen(s->login.known_hosts, "re");
    char *line = NULL;
    size_t size = 0;
    ssize_t len;

    while (hosts && file && (len = getline(&line, &size, file)) > 0)
        if (line[0] != '#' && line[0] != '@' && line[0] != '\n')
            lib.knownhost_readline(hosts, line, (size_t)len, LIBSSH2_KNOWNHOST_FILE_OPENSSH);
    free(line);
    if (file)
        fclose(file);
    return hosts;
}

static int look_up(struct ssh_session *s, LIBSSH2_KNOWNHOSTS *hosts, const char *key, size_t len, int type)
{
    return lib.knownhost_checkp(hosts, s->login.host, s->login.port, key, len, LIBSSH2_KNOWNHOST_TYPE_PLAIN | type, NULL);
}

/* Whether the file has a key of this type for the host: a key that is no key differs from it. */
static bool knows_type(struct ssh_session *s, LIBSSH2_KNOWNHOSTS *hosts, size_t i)
{
    return look_up(s, hosts, "QQ==", 4, LIBSSH2_KNOWNHOST_KEYENC_BASE64 | key_types[i].known) == LIBSSH2_KNOWNHOST_CHECK_MISMATCH;
}

static bool is_known_name(struct ssh_session *s, LIBSSH2_KNOWNHOSTS *hosts, const char *name)
{
    if (strncmp(name, "rsa-sha2-", 9) == 0)
        name = "ssh-rsa";             /* the same keys, other signatures */
    for (size_t i = 0; i < ARRAY_LEN(key_types); i++)
        if (strcmp(key_types[i].name, name) == 0)
            return knows_type(s, hosts, i);
    return false;
}

/* Ask the server first for a key of a type that is known here; else a key of another type would look like a stranger's. Only names that the library
 * supports: 1.10 writes wildly while it leaves out others. */
static void prefer_known_types(struct ssh_session *s, struct ft_buf *names)
{
    struct impl *impl = s->impl;
    LIBSSH2_KNOWNHOSTS *hosts = read_known_hosts(s);
    const char **supported = NULL;
    int n = lib.session_supported_algs(impl->ssh, LIBSSH2_METHOD_HOSTKEY, &supported);

    for (int wanted = 1; hosts && wanted >= 0; wanted--)
        for (int i = 0; i < n; i++)
            if (is_known_name(s, hosts, supported[i]) == wanted)
                ft_buf_addf(names, "%s%s", names->len ? "," : "", supported[i]);
    if (n > 0)
        lib.free(impl->ssh, supported);
    if (hosts)
        lib.knownhost_free(hosts);
}

static const char *known_types(struct ssh_session *s, LIBSSH2_KNOWNHOSTS *hosts, struct ft_buf *text)
{
    for (size_t i = 0; i < ARRAY_LEN(key_types); i++)
        if (knows_type(s, hosts, i))
            ft_buf_addf(text, "%s%s", text->len ? ", " : "", key_types[i].name);
    return text->len ? text->data : NULL;
}

static int check_host_key(struct ssh_session *s, struct ft_err *reterr)
{
    struct impl *impl = s->impl;
    int hostkey = 0, known = LIBSSH2_KNOWNHOST_KEY_UNKNOWN, found = LIBSSH2_KNOWNHOST_CHECK_NOTFOUND, r = 0;
    const char *type = "unknown", *key, *sha256 = lib.hostkey_hash(impl->ssh, LIBSSH2_HOSTKEY_HASH_SHA256);
    char fingerprint[64] = "without a fingerprint";
    struct ft_buf types = FT_BUF_INIT(1000);
    LIBSSH2_KNOWNHOSTS *hosts = read_known_hosts(s);
    size_t len = 0;

    key = lib.session_hostkey(impl->ssh, &len, &hostkey);
    for (size_t i = 0; i < ARRAY_LEN(key_types); i++)
        if (key_types[i].hostkey == hostkey) {
            type = key_types[i].name;
            known = key_types[i].known;
        }
    if (sha256)
        ft_ssh_fingerprint((const unsigned char *)sha256, fingerprint);
    if (hosts && key)
        found = look_up(s, hosts, key, len, LIBSSH2_KNOWNHOST_KEYENC_RAW | known);
    if (found == LIBSSH2_KNOWNHOST_CHECK_MISMATCH)
        r = ft_ssh_changed_key(s, type, fingerprint, reterr);
    else if (found != LIBSSH2_KNOWNHOST_CHECK_MATCH)
        r = ft_ssh_unknown_key(s, type, fingerprint, hosts ? known_types(s, hosts, &types) : NULL, reterr);
    if (hosts)
        lib.knownhost_free(hosts);
    ft_buf_done(&types);
    return r;
}

static int handshake_failed(struct ssh_session *s, int rc, struct ft_err *reterr)
{
    const char *why = last_error(s->impl);

    if (rc == LIBSSH2_ERROR_KEX_FAILURE || rc == LIBSSH2_ERROR_METHOD_NONE || rc == LIBSSH2_ERROR_METHOD_NOT_SUPPORTED)
        return ft_err_class(reterr, FT_UNREACHABLE, -EPROTO, "%s: libssh2 %s cannot do what the server wants (%s)%s", s->name, version(), why,
                            good() ? "" : ": servers with only an RSA host key, or only etm MACs, or only GCM need the other library: set ssh.library: libssh");
    if (rc == LIBSSH2_ERROR_BANNER_RECV || rc == LIBSSH2_ERROR_BANNER_NONE)
        return ft_err_class(reterr, FT_UNREACHABLE, -EPROTO, "%s: what answers there does not speak SSH, or it closed at once: does the server allow another session?", s->name);
    return ft_err_class(reterr, FT_UNREACHABLE, -ECONNRESET, "%s: the connection broke off before the login (%s); does the server speak SSH there, "
                        "and does it allow another session?", s->name, why);
}

/* ---- logging in ---- */

/* OpenSSH's file format holds the public key readable in its base64 also when the private one is encrypted. An encrypted PKCS#8 file does not
 * say what it holds: taken for RSA, as such files mostly are. */
static bool is_rsa_key(const char *path)
{
    FILE *file = fopen(path, "re");
    char line[128], base64[400] = "";
    unsigned char blob[300];
    size_t len = 0;
    bool pem_rsa = false;

    while (file && fgets(line, sizeof(line), file) && strlen(base64) < 280) {
        pem_rsa |= strstr(line, "BEGIN RSA PRIVATE KEY") || strstr(line, "BEGIN ENCRYPTED PRIVATE KEY");
        if (line[0] != '-')
            strncat(base64, line, strcspn(line, "\r\n"));
    }
    if (file)
        fclose(file);
    base64[strlen(base64) / 4 * 4] = '\0';
    sodium_base642bin(blob, sizeof(blob), base64, strlen(base64), NULL, &len, NULL, sodium_base64_VARIANT_ORIGINAL);
    return pem_rsa || memmem(blob, len, "ssh-rsa", 7) || memmem(blob, len, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", 9);      /* rsaEncryption */
}

#define SHA1_ONLY ", which this libssh2 signs with SHA-1 only and the server does not take: set ssh.library: libssh"

static void note_key(struct ssh_session *s, int rc)
{
    if (access(s->login.key_file, R_OK) < 0)
        ft_ssh_note_key(s, "cannot be read");
    else if (rc == LIBSSH2_ERROR_FILE || rc == LIBSSH2_ERROR_KEYFILE_AUTH_FAILED)
        ft_ssh_note_key(s, s->login.passphrase ? "cannot be used: is its passphrase right?" : "cannot be used: does it need a passphrase?");
    else if (!good() && is_rsa_key(s->login.key_file))
        ft_ssh_note_key(s, "is an RSA key" SHA1_ONLY);
    else
        ft_ssh_note_key(s, "is not accepted");
}

/* The library asks for answers; a hidden question is the one for the password. */
static LIBSSH2_USERAUTH_KBDINT_RESPONSE_FUNC(answer_questions)
{
    struct ssh_session *s = *abstract;

    (void)name, (void)name_len, (void)instruction, (void)instruction_len;
    for (int i = 0; i < num_prompts; i++) {
        responses[i].text = ft_strdup(prompts[i].echo ? "" : s->login.password);
        responses[i].length = (unsigned)strlen(responses[i].text);
    }
}

static bool fatal(int rc)
{
    return rc == LIBSSH2_ERROR_SOCKET_SEND || rc == LIBSSH2_ERROR_SOCKET_DISCONNECT || rc == LIBSSH2_ERROR_SOCKET_RECV ||
           rc == LIBSSH2_ERROR_BAD_SOCKET || rc == LIBSSH2_ERROR_SOCKET_TIMEOUT;
}

/* One attempt to log in. 1: in; 0: not this way; -EAGAIN; or the end. */
static int attempt(struct ssh_session *s, int rc, struct ft_err *reterr)
{
    if (rc == LIBSSH2_ERROR_EAGAIN)
        return -EAGAIN;
    return fatal(rc) ? broke_off(s, reterr) : rc == 0;
}

static int try_key(struct ssh_session *s, struct ft_err *reterr)
{
    struct impl *impl = s->impl;
    int rc = lib.userauth_publickey_fromfile_ex(impl->ssh, s->login.user, (unsigned)strlen(s->login.user), NULL, s->login.key_file, s->login.passphrase);
    int r = attempt(s, rc, reterr);

    if (r == 0)
        note_key(s, rc);
    return r;
}

static bool ask_agent(struct ssh_session *s)
{
    struct impl *impl = s->impl;

    impl->agent = lib.agent_init(impl->ssh);
    if (impl->agent && lib.agent_connect(impl->agent) == 0 && lib.agent_list_identities(impl->agent) == 0)
        return true;
    ft_ssh_note(s, "the agent", "does not say which keys it holds");
    return false;
}

/* One identity after the other. */
static int try_agent(struct ssh_session *s, struct ft_err *reterr)
{
    struct impl *impl = s->impl;
    int r;

    if (!impl->agent && (!ask_agent(s) || lib.agent_get_identity(impl->agent, &impl->identity, NULL) != 0))
        return 0;
    do {
        r = attempt(s, lib.agent_userauth(impl->agent, s->login.user, impl->identity), reterr);
        if (r != 0)
            return r;
        impl->agent_rsa |= memmem(impl->identity->blob, impl->identity->blob_len, "ssh-rsa", 7) != NULL;
    } while (lib.agent_get_identity(impl->agent, &impl->identity, impl->identity) == 0);
    ft_ssh_note(s, "what the agent holds", impl->agent_rsa && !good() ? "is not accepted; there is an RSA key" SHA1_ONLY : "is not accepted");
    return 0;
}

static int try_password(struct ssh_session *s, struct ft_err *reterr)
{
    struct impl *impl = s->impl;
    int r = attempt(s, lib.userauth_password_ex(impl->ssh, s->login.user, (unsigned)strlen(s->login.user), s->login.password,
                                                (unsigned)strlen(s->login.password), NULL), reterr);

    if (r == 0)
        ft_ssh_note(s, "the password", "is not accepted");
    return r;
}

static int try_questions(struct ssh_session *s, struct ft_err *reterr)
{
    struct impl *impl = s->impl;
    int r = attempt(s, lib.userauth_keyboard_interactive_ex(impl->ssh, s->login.user, (unsigned)strlen(s->login.user), answer_questions), reterr);

    if (r == 0)
        ft_ssh_note(s, "the password as an answer", "is not accepted");
    return r;
}

static int ask_methods(struct ssh_session *s, struct ft_err *reterr)
{
    struct impl *impl = s->impl;
    char *list = lib.userauth_list(impl->ssh, s->login.user, (unsigned)strlen(s->login.user));

    if (list) {
        s->methods = ft_strdup(list);
        return 0;
    }
    if (lib.userauth_authenticated(impl->ssh))
        return 1;
    return is_again(impl, 0) ? -EAGAIN : broke_off(s, reterr);
}

static int shake_hands(struct ssh_session *s, struct ft_err *reterr)
{
    struct impl *impl = s->impl;
    int rc = lib.session_handshake(impl->ssh, s->fd);

    if (rc == LIBSSH2_ERROR_EAGAIN)
        return -EAGAIN;
    return rc == 0 ? 0 : handshake_failed(s, rc, reterr);
}

/* ---- channels: each returns 1 for progress, 0 for none, negative for the end of the session ---- */

/* What a call's code means: EAGAIN with something half sent makes the channel the one that must go on. */
static int outcome(struct ssh_channel *ch, int rc, struct ft_err *reterr)
{
    struct impl *impl = ch->session->impl;

    if (rc == LIBSSH2_ERROR_EAGAIN) {
        if (lib.session_block_directions(impl->ssh) & LIBSSH2_SESSION_BLOCK_OUTBOUND)
            impl->stuck = ch;
        return 0;
    }
    if (rc < 0 && rc != LIBSSH2_ERROR_CHANNEL_FAILURE && rc != LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED && rc != LIBSSH2_ERROR_CHANNEL_CLOSED &&
        rc != LIBSSH2_ERROR_CHANNEL_EOF_SENT && rc != LIBSSH2_ERROR_CHANNEL_UNKNOWN)
        return broke_off(ch->session, reterr);
    return 1;
}

static LIBSSH2_CHANNEL *open_kind(struct ssh_channel *ch)
{
    struct impl *impl = ch->session->impl;

    if (ch->tunnel)
        return lib.channel_direct_tcpip_ex(impl->ssh, ch->command, ch->port, "127.0.0.1", 65535);
    return lib.channel_open_ex(impl->ssh, "session", 7, WINDOW, LIBSSH2_CHANNEL_PACKET_DEFAULT, NULL, 0);
}

static void not_opened(struct ssh_channel *ch)
{
    static const char *const reasons[] = { [SSH_OPEN_PROHIBITED] = "administratively prohibited", [SSH_OPEN_NO_CONNECTION] = "connect failed",
                                           [SSH_OPEN_NO_SUCH_TYPE] = "unknown channel type", [SSH_OPEN_SHORTAGE] = "resource shortage" };
    const char *text = last_error(ch->session->impl);
    unsigned reason = SSH_OPEN_PROHIBITED;

    if (!ch->tunnel) {
        ft_ssh_refused(ch, "the server opens no further channel in this session");
        return;
    }
    while (reason < ARRAY_LEN(reasons) && !strstr(text, reasons[reason]))
        reason++;
    if (reason < ARRAY_LEN(reasons))
        ft_ssh_way_refused(ch, reason, reasons[reason]);
    else
        ft_ssh_way_refused(ch, 0, text);
}

static int open_channel(struct ssh_channel *ch, struct ft_err *reterr)
{
    struct impl *impl = ch->session->impl;
    int r;

    if (impl->starting && impl->starting != ch)
        return 0;
    impl->starting = ch;
    ch->at = CH_OPENING;
    ch->impl = open_kind(ch);
    r = ch->impl ? 1 : outcome(ch, lib.session_last_errno(impl->ssh), reterr);
    if (r <= 0)
        return r;
    if (!ch->impl) {
        impl->starting = NULL;
        not_opened(ch);
    } else if (ch->tunnel) {
        impl->starting = NULL;
        ft_ssh_opened(ch);
    } else {
        ch->at = ch->kind == FT_SSH_SHELL_PTY ? CH_PTY : CH_REQUEST;
    }
    return 1;
}

static int request_pty(struct ssh_channel *ch, struct ft_err *reterr)
{
    struct impl *impl = ch->session->impl;
    int rc = lib.channel_request_pty_ex(ch->impl, SSH_TERM, sizeof(SSH_TERM) - 1, NULL, 0, SSH_COLUMNS, SSH_ROWS, 0, 0);
    int r = outcome(ch, rc, reterr);

    if (r <= 0)
        return r;
    ch->at = CH_REQUEST;
    if (rc < 0) {
        impl->starting = NULL;
        ft_ssh_refused(ch, "the server gives no terminal");
    }
    return 1;
}

static int request(struct ssh_channel *ch, struct ft_err *reterr)
{
    static const char *const kinds[] = { [FT_SSH_EXEC] = "exec", [FT_SSH_SHELL] = "shell", [FT_SSH_SHELL_PTY] = "shell", [FT_SSH_SUBSYSTEM] = "subsystem" };
    const char *kind = kinds[ch->kind], *command = ch->kind == FT_SSH_EXEC || ch->kind == FT_SSH_SUBSYSTEM ? ch->command : NULL;
    struct impl *impl = ch->session->impl;
    int rc, r;

    if (ch->released && !ch->requested) {
        impl->starting = NULL;
        ch->at = CH_CLOSING;          /* cancelled in time: the command is not sent */
        return 1;
    }
    ch->requested = true;
    rc = lib.channel_process_startup(ch->impl, kind, (unsigned)strlen(kind), command, command ? (unsigned)strlen(command) : 0);
    r = outcome(ch, rc, reterr);
    if (r <= 0)
        return r;
    impl->starting = NULL;
    if (rc < 0)
        ft_ssh_request_refused(ch);
    else
        ft_ssh_opened(ch);
    return 1;
}

/* The owner cannot take more. At the end of the connection it must: the library would forget it. */
static bool waits(const struct ssh_channel *ch)
{
    const struct impl *impl = ch->session->impl;

    return ch->paused && !impl->at_end;
}

static int read_stream(struct ssh_channel *ch, int stream, struct ft_err *reterr)
{
    struct impl *impl = ch->session->impl;
    char chunk[SSH_CHUNK];
    ssize_t n = 0;
    int progress = 0;

    while (!ch->released && !waits(ch) && impl->chunks_left > 0 && (n = lib.channel_read_ex(ch->impl, stream, chunk, sizeof(chunk))) > 0) {
        ft_ssh_data(ch, chunk, (size_t)n, stream == SSH_EXTENDED_DATA_STDERR);
        impl->chunks_left--;
        progress = 1;
    }
    if (n < 0 && outcome(ch, (int)n, reterr) < 0)
        return -ECONNRESET;
    return progress;
}

static int write_out(struct ssh_channel *ch, struct ft_err *reterr)
{
    const char *bytes;
    size_t len = ft_ssh_to_send(ch, &bytes);
    ssize_t n;

    if (!len || ch->eof_sent)
        return 0;
    n = lib.channel_write_ex(ch->impl, 0, bytes, ft_min(len, (size_t)SSH_CHUNK * 2));
    if (n < 0) {
        int r = outcome(ch, (int)n, reterr);

        if (r == 1)
            ft_ssh_sent(ch, SIZE_MAX);            /* closed on the other side */
        return r;
    }
    ft_ssh_sent(ch, (size_t)n);
    return n > 0;
}

static int send_eof(struct ssh_channel *ch, struct ft_err *reterr)
{
    const char *bytes;
    int r;

    if (!ch->eof_wanted || ch->eof_sent || ft_ssh_to_send(ch, &bytes))
        return 0;
    r = outcome(ch, lib.channel_send_eof(ch->impl), reterr);
    ch->eof_sent = r == 1;
    return r;
}

enum { OP_OUT, OP_ERR, OP_WRITE, OP_EOF, OPS };

static int do_op(struct ssh_channel *ch, int op, struct ft_err *reterr)
{
    switch (op) {
    case OP_OUT:   return read_stream(ch, 0, reterr);
    case OP_ERR:   return read_stream(ch, SSH_EXTENDED_DATA_STDERR, reterr);
    case OP_WRITE: return write_out(ch, reterr);
    default:       return send_eof(ch, reterr);
    }
}

static int transfer(struct ssh_channel *ch, struct ft_err *reterr)
{
    struct impl *impl = ch->session->impl;
    int progress = 0;

    for (; ch->op < OPS; ch->op++) {
        int r = do_op(ch, ch->op, reterr);

        if (r < 0)
            return r;
        if (impl->stuck)
            return 0;                 /* op stays where to go on */
        progress |= r;
    }
    ch->op = 0;
    if (ch->released) {
        ch->at = CH_CLOSING;
        return 1;
    }
    if (lib.channel_eof(ch->impl) == 1) {
        ft_ssh_sent(ch, SIZE_MAX);    /* nobody reads it any more */
        ch->eof_wanted = true;
        ch->at = CH_ENDING;
        return 1;
    }
    return progress;
}

/* A server that gave no status cannot be told from one that gave 0: the library keeps that to itself. */
static void take_status(struct ssh_channel *ch)
{
    struct impl *impl = ch->session->impl;
    char *signal = NULL;
    size_t len = 0;

    ch->exit_status = lib.channel_get_exit_status(ch->impl);
    if (lib.channel_get_exit_signal(ch->impl, &signal, &len, NULL, NULL, NULL, NULL) == 0 && signal) {
        snprintf(ch->exit_signal, sizeof(ch->exit_signal), "%.*s", (int)len, signal);
        ch->exit_status = -1;
        lib.free(impl->ssh, signal);
    }
}

static int end_channel(struct ssh_channel *ch, struct ft_err *reterr)
{
    struct impl *impl = ch->session->impl;
    int r = send_eof(ch, reterr);

    if (r < 0 || impl->stuck)
        return r;
    if (ch->released) {
        ch->at = CH_CLOSING;
        return 1;
    }
    r = outcome(ch, lib.channel_wait_closed(ch->impl), reterr);
    if (r <= 0)
        return r;
    take_status(ch);
    ch->at = CH_FREEING;
    ft_ssh_ended(ch);
    return 1;
}

static int close_channel(struct ssh_channel *ch, struct ft_err *reterr)
{
    int r = outcome(ch, lib.channel_close(ch->impl), reterr);

    if (r == 1)
        ch->at = CH_FREEING;
    return r;
}

static int free_channel(struct ssh_channel *ch, struct ft_err *reterr)
{
    int r = outcome(ch, lib.channel_free(ch->impl), reterr);

    if (r == 1)
        ft_ssh_channel_gone(ch);
    return r;
}

/* Whether the library holds bytes that came while another channel was asked. */
static bool has_unread(struct ssh_session *s)
{
    for (struct ft_list *pos = s->channels.next; pos != &s->channels; pos = pos->next) {
        struct ssh_channel *ch = ft_container(pos, struct ssh_channel, link);

        if (ch->at == CH_OPEN && !ch->released && !waits(ch) &&
            (lib.poll_channel_read(ch->impl, 0) > 0 || lib.poll_channel_read(ch->impl, 1) > 0 || lib.channel_eof(ch->impl) == 1))
            return true;
    }
    return false;
}

static int read_early(struct ssh_session *s, struct ft_err *reterr)
{
    struct impl *impl = s->impl;
    char chunk[SSH_CHUNK];
    ssize_t n;

    while ((n = recv(s->fd, chunk, sizeof(chunk), 0)) > 0)
        ft_buf_add(&impl->early, chunk, (size_t)heard(s, n));
    if (impl->early.overflow)
        return ft_err_class(reterr, FT_UNREACHABLE, -EPROTO, "%s: the server sends what nobody asked for", s->name);
    if (n == 0 || (errno != EAGAIN && errno != EINTR))
        return ft_err_class(reterr, FT_UNREACHABLE, -ECONNRESET, "%s: the server closed the session", s->name);
    return 0;
}

static int step_channels(struct ssh_session *s, struct ft_err *reterr)
{
    struct impl *impl = s->impl;
    struct ssh_channel *stuck = impl->stuck;
    struct ft_list *pos, *tmp;
    int progress, r;

    if (ft_list_empty(&s->channels))
        return read_early(s, reterr);
    impl->stuck = NULL;
    impl->chunks_left = CHUNKS_MAX;
    if (stuck && ((r = ft_ssh_step_channel(stuck, reterr)) < 0 || impl->stuck))
        return r < 0 ? r : 0;
    do {
        progress = 0;
        ft_list_each(pos, tmp, &s->channels) {
            r = ft_ssh_step_channel(ft_container(pos, struct ssh_channel, link), reterr);
            if (r < 0 || impl->stuck)
                return r < 0 ? r : 0;
            progress |= r;
        }
        if (!progress && !has_unread(s) && impl->at_end && !impl->end_told)
            progress = impl->end_told = true;
    } while (impl->chunks_left > 0 && (progress || has_unread(s)));
    if (impl->chunks_left <= 0)
        ft_ssh_again(s);
    return 0;
}

/* ---- the session ---- */

static int start(struct ssh_session *s, struct ft_err *reterr)
{
    struct impl *impl = ft_calloc(1, sizeof(*impl));
    struct ft_buf types = FT_BUF_INIT(1000);

    impl->ssh = lib.session_init_ex(NULL, NULL, NULL, s);
    if (!impl->ssh) {
        free(impl);
        return ft_err_set(reterr, -ENOMEM, "%s: libssh2 gave no session", s->name);
    }
    impl->early = FT_BUF_INIT(EARLY_MAX);
    s->impl = impl;
    lib.session_set_blocking(impl->ssh, 0);
    lib.session_callback_set(impl->ssh, LIBSSH2_CALLBACK_RECV, (void *)receive);
    lib.keepalive_config(impl->ssh, /* want_reply= */ 1, (unsigned)-1);        /* whenever asked: the pool has the timer */
    prefer_known_types(s, &types);
    if (types.len)
        lib.session_method_pref(impl->ssh, LIBSSH2_METHOD_HOSTKEY, types.data);
    ft_buf_done(&types);
    return 0;
}

static bool wants_write(struct ssh_session *s)
{
    struct impl *impl = s->impl;

    return lib.session_block_directions(impl->ssh) & LIBSSH2_SESSION_BLOCK_OUTBOUND;
}

static void keep_alive(struct ssh_session *s)
{
    struct impl *impl = s->impl;
    struct pollfd room = { .fd = s->fd, .events = POLLOUT };
    int next;

    /* Never in part: it could not be gone on with. What waits to be sent asks as well. */
    if (!impl->stuck && poll(&room, 1, 0) == 1 && room.revents == POLLOUT)
        lib.keepalive_send(impl->ssh, &next);
}

static void end(struct ssh_session *s)
{
    struct impl *impl = s->impl;

    if (!impl->stuck)
        lib.session_disconnect_ex(impl->ssh, SSH_DISCONNECT_BY_APPLICATION, "done", "");
    shutdown(s->fd, SHUT_RDWR);       /* so that freeing waits for nobody */
    impl->end_told = true;
    if (impl->agent) {
        lib.agent_disconnect(impl->agent);
        lib.agent_free(impl->agent);
    }
    for (int i = 0; i < 100 && lib.session_free(impl->ssh) == LIBSSH2_ERROR_EAGAIN; i++)
        ;
    ft_buf_done(&impl->early);
    free(impl);
    s->impl = NULL;
}

const struct ssh_backend ft_ssh_libssh2 = {
    .name = "libssh2", .load = load, .version = version, .good = good, .start = start, .shake_hands = shake_hands, .check_host_key = check_host_key,
    .ask_methods = ask_methods, .try_key = try_key, .try_agent = try_agent, .try_password = try_password, .try_questions = try_questions,
    .step_channels = step_channels, .open_channel = open_channel, .request_pty = request_pty, .request = request, .transfer = transfer,
    .end_channel = end_channel, .close_channel = close_channel, .free_channel = free_channel,
    .wants_write = wants_write, .keep_alive = keep_alive, .end = end,
};
