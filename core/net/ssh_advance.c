/* ssh_advance.c: the machine that both libraries share: in which order one logs in, how a channel lives, and what is said when it goes wrong. */
#include "net/ssh_internal.h"
#include <sodium.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/util.h"

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

void ft_ssh_note(struct ssh_session *s, const char *what, const char *how)
{
    ft_buf_addf(&s->tried, "%s%s %s", s->tried.len ? ", " : "", what, how);
}

void ft_ssh_note_key(struct ssh_session *s, const char *how)
{
    char *what = ft_asprintf("key_file '%s'", s->login.key_file);

    ft_ssh_note(s, what, how);
    free(what);
}

static int denied(const struct ssh_session *s, struct ft_err *reterr)
{
    const char *tried = ft_buf_str(&s->tried);

    if (!*tried && !s->login.key_file && !s->login.password && !s->login.agent)
        return ft_err_class(reterr, FT_DENIED, -EACCES, "%s: there is nothing to log in with: set key_file, agent or password; the server accepts %s",
                            s->name, s->methods);
    return ft_err_class(reterr, FT_DENIED, -EACCES, "%s: not let in: %s; the server accepts %s", s->name,
                        *tried ? tried : "nothing that is configured is accepted there", s->methods);
}

void ft_ssh_request_refused(struct ssh_channel *ch)
{
    ft_ssh_refused(ch, ch->kind == FT_SSH_EXEC ? "the server refuses to run the command" : ch->kind == FT_SSH_SUBSYSTEM
                   ? "the server has no such subsystem" : "the server gives no shell");
}

/* ---- logging in ---- */

static bool accepts(const struct ssh_session *s, const char *method)
{
    return s->methods && strstr(s->methods, method);
}

/* Both libraries say the same when there is no agent and when it holds nothing. */
static bool has_agent(struct ssh_session *s)
{
    const char *path = getenv("SSH_AUTH_SOCK");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd, r;

    if (!path || !*path || strlen(path) >= sizeof(address.sun_path)) {
        ft_ssh_note(s, "the agent", "is not there: SSH_AUTH_SOCK is not set");
        return false;
    }
    strcpy(address.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    r = connect(fd, (struct sockaddr *)&address, sizeof(address));
    if (r < 0) {
        char *how = ft_asprintf("cannot be reached at SSH_AUTH_SOCK (%s): %s", path, strerror(errno));

        ft_ssh_note(s, "the agent", how);
        free(how);
    }
    close(fd);
    return r == 0;
}

static int log_in(struct ssh_session *s, struct ft_err *reterr)
{
    const struct ssh_login *login = &s->login;
    const struct ssh_backend *b = login->backend;

    switch (s->login_at) {
    case LOGIN_HANDSHAKE: return b->shake_hands(s, reterr);
    case LOGIN_HOST_KEY:  return b->check_host_key(s, reterr);
    case LOGIN_METHODS:   return b->ask_methods(s, reterr);
    case LOGIN_KEY:       return login->key_file && accepts(s, "publickey") ? b->try_key(s, reterr) : 0;
    case LOGIN_FIND_AGENT:
        s->agent = login->agent && accepts(s, "publickey") && has_agent(s);
        return 0;
    case LOGIN_AGENT:     return s->agent ? b->try_agent(s, reterr) : 0;
    case LOGIN_PASSWORD:  return login->password && accepts(s, "password") ? b->try_password(s, reterr) : 0;
    case LOGIN_QUESTIONS: return login->password && accepts(s, "keyboard-interactive") ? b->try_questions(s, reterr) : 0;
    case LOGIN_DENIED: case LOGIN_DONE: break;
    }
    return denied(s, reterr);
}

int ft_ssh_advance(struct ssh_session *s, struct ft_err *reterr)
{
    while (s->login_at != LOGIN_DONE) {
        int r = log_in(s, reterr);

        if (r < 0)
            return r == -EAGAIN ? 0 : r;
        s->login_at = r ? LOGIN_DONE : s->login_at + 1;
    }
    if (s->at != SESSION_READY)
        ft_ssh_ready(s);
    return s->login.backend->step_channels(s, reterr);
}

/* ---- channels ---- */

int ft_ssh_step_channel(struct ssh_channel *ch, struct ft_err *reterr)
{
    const struct ssh_backend *b = ch->session->login.backend;

    switch (ch->at) {
    case CH_WAITING:
        if (ch->released) {
            ft_ssh_channel_gone(ch);
            return 1;
        }
        return b->open_channel(ch, reterr);
    case CH_OPENING: return b->open_channel(ch, reterr);
    case CH_PTY:     return b->request_pty(ch, reterr);
    case CH_REQUEST: return b->request(ch, reterr);
    case CH_OPEN:    return b->transfer(ch, reterr);
    case CH_ENDING:  return b->end_channel(ch, reterr);
    case CH_CLOSING: return b->close_channel(ch, reterr);
    case CH_FREEING: return b->free_channel(ch, reterr);
    }
    return 0;
}
