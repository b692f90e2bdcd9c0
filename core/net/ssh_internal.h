/* ssh_internal.h: between the pool of SSH sessions (ssh.c) and the two libraries (ssh_libssh2.c, ssh_libssh.c). Nobody else includes it.
 *
 * The pool owns sessions, channels, sockets and timers, and talks to the owners of streams. A backend owns what its library
 * gave it, and has one machine, `advance`, that goes as far as it can without blocking. It is run when the socket is ready, when
 * something was written, opened or closed, and never from inside a call of a stream's owner. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "net/ssh.h"

#define SSH_CHUNK 16384
#define SSH_TERM "dumb"
#define SSH_COLUMNS 512               /* a wide terminal: devices wrap at its edge */
#define SSH_ROWS 1000

struct ssh_session;

/* Who logs in where; what makes two channels share a session. All owned. */
struct ssh_login {
    char *host, *user, *password, *key_file, *passphrase, *known_hosts;
    uint16_t port;
    bool agent;
    const struct ssh_backend *backend;
};

/*   WAITING ─► OPENING ─► PTY ─► REQUEST ─► OPEN ─► ENDING ─► FREEING
 *                                              └──► CLOSING ─► FREEING      the owner let go                             */
enum ssh_channel_at { CH_WAITING, CH_OPENING, CH_PTY, CH_REQUEST, CH_OPEN, CH_ENDING, CH_CLOSING, CH_FREEING };

struct ssh_channel {
    struct ft_stream stream;          /* first: a struct ft_stream * is a struct ssh_channel * */
    struct ft_list link;
    struct ft_ssh *ssh;
    struct ssh_session *session;      /* NULL when the session or the channel is no more */
    struct ft_stream_handler handler;
    void *arg;
    enum ft_ssh_kind kind;
    char *command;
    unsigned connect_timeout_ms;

    enum ssh_channel_at at;
    void *impl;                       /* the library's channel */
    int op;                           /* the backend's: where to go on */
    bool reused;                      /* the session had served others before */
    bool moved;                       /* and was too old for this one: this is the second try */
    bool requested;                   /* the command may have reached the other side */
    bool over;                        /* `closed` was called, or is not wanted any more */
    bool released;                    /* the owner let go */
    bool eof_wanted, eof_sent, ended;
    struct ft_buf out;
    size_t out_at;
    int exit_status;
    char exit_signal[24];
};

enum ssh_session_at { SESSION_CONNECTING, SESSION_LOGGING_IN, SESSION_READY };

struct ssh_session {
    struct ft_list link;
    struct ft_ssh *ssh;
    struct ssh_login login;
    char *name;                       /* "ssh user@host:port", for the sentences */
    enum ssh_session_at at;
    int fd;
    void *impl;                       /* the backend's */
    struct ft_list channels;
    unsigned channels_len;
    bool full;                        /* refused a further channel */
    bool heard;                       /* since the last look */
    unsigned silent;                  /* looks without a sign of life */
    bool kicked;
    int polled;                       /* what uv_poll watches for; 0: nothing */
    void *poll;                       /* uv_poll_t, freed when closed */
    struct ft_connect *connect;
    struct ft_timer *login_timer, *idle_timer, *alive_timer;
};

struct ssh_backend {
    const char *name;
    int (*load)(struct ft_err *reterr);               /* the library; cheap when it is there already */
    const char *(*version)(void);
    bool (*good)(void);                               /* new enough to be the first choice */
    int (*start)(struct ssh_session *session, struct ft_err *reterr);       /* session->fd is connected */
    /* 0: went as far as possible. Negative: the session is over, reterr says why. */
    int (*advance)(struct ssh_session *session, struct ft_err *reterr);
    bool (*wants_write)(struct ssh_session *session);
    void (*keep_alive)(struct ssh_session *session);
    void (*end)(struct ssh_session *session);         /* polite if possible, and frees; the channels' impl too */
};
extern const struct ssh_backend ft_ssh_libssh2, ft_ssh_libssh;

/* What backends tell the pool. */
void ft_ssh_ready(struct ssh_session *session);                             /* logged in */
void ft_ssh_again(struct ssh_session *session);                             /* there is more to do; others first */
void ft_ssh_opened(struct ssh_channel *channel);                            /* the request was accepted */
void ft_ssh_data(struct ssh_channel *channel, const char *bytes, size_t len, bool is_stderr);
void ft_ssh_refused(struct ssh_channel *channel, const char *why);          /* no channel, or no such request */
void ft_ssh_ended(struct ssh_channel *channel);                             /* by the other side; exit_status and exit_signal are filled in */
void ft_ssh_channel_gone(struct ssh_channel *channel);                      /* its impl is freed */
size_t ft_ssh_to_send(const struct ssh_channel *channel, const char **ret_bytes);
void ft_ssh_sent(struct ssh_channel *channel, size_t len);

/* Sentences that both libraries share; each returns a negative code with the class set. */
int ft_ssh_unknown_key(const struct ssh_session *session, const char *type, const char *fingerprint, const char *known, struct ft_err *reterr);
int ft_ssh_changed_key(const struct ssh_session *session, const char *type, const char *fingerprint, struct ft_err *reterr);
/* accepted: the methods that the server names, comma-separated. tried: what was tried and how it went. */
int ft_ssh_denied(const struct ssh_session *session, const char *accepted, const char *tried, struct ft_err *reterr);
/* "SHA256:…" as OpenSSH prints it. */
void ft_ssh_fingerprint(const unsigned char sha256[32], char ret[64]);
