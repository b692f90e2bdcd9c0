/* ssh_internal.h: what the files of SSH share. Nobody else includes it.
 *
 *   ssh.c          the pool: owns sessions, channels, sockets and timers, and talks to the owners of streams
 *   ssh_advance.c  the machine that both libraries share: the order in which one logs in, the life of a channel, the sentences
 *   ssh_libssh2.c, ssh_libssh.c   the two libraries: each step of the machine
 *   ssh_tunnel.c   the way of a session through a jump host
 *
 * The machine goes as far as it can without blocking. It is run when the socket is ready, when something was written, opened or
 * closed, and never from inside a call of a stream's owner. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "net/ssh.h"

#define SSH_CHUNK 16384
#define SSH_TERM "dumb"
#define SSH_COLUMNS 512               /* a wide terminal: devices wrap at its edge */
#define SSH_ROWS 1000
#define SSH_JUMPS_MAX 4

struct ssh_session;
struct ssh_tunnel;

/* Who logs in where; what makes two channels share a session. All owned. */
struct ssh_login {
    char *host, *user, *password, *key_file, *passphrase, *known_hosts;
    uint16_t port;
    bool agent;
    const struct ssh_backend *backend;
    struct ssh_login *jump;           /* log in there first; NULL: directly */
    unsigned connect_timeout_ms, keepalive_s;     /* these two are not part of what is compared */
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
    struct ssh_tunnel *tunnel;        /* of a way through a jump host (direct-tcpip, to `command` and `port`); NULL: a channel that somebody asked for */
    uint16_t port;

    enum ssh_channel_at at;
    void *impl;                       /* the library's channel */
    int op;                           /* the backend's: where to go on */
    bool reused;                      /* the session had served others before */
    bool moved;                       /* and was too old for this one: this is the second try */
    bool requested;                   /* the command may have reached the other side */
    bool over;                        /* `closed` was called, or is not wanted any more */
    bool paused;                      /* the owner cannot take more just now */
    bool released;                    /* the owner let go */
    bool eof_wanted, eof_sent, ended;
    struct ft_buf out;
    size_t out_at;
    int exit_status;
    char exit_signal[24];
};

enum ssh_session_at { SESSION_CONNECTING, SESSION_LOGGING_IN, SESSION_READY };
enum ssh_login_at { LOGIN_HANDSHAKE, LOGIN_HOST_KEY, LOGIN_METHODS, LOGIN_KEY, LOGIN_FIND_AGENT, LOGIN_AGENT, LOGIN_PASSWORD, LOGIN_QUESTIONS,
                    LOGIN_DENIED, LOGIN_DONE };

struct ssh_session {
    struct ft_list link;
    struct ft_ssh *ssh;
    struct ssh_login login;
    char *name;                       /* "ssh user@host:port", for the sentences */
    enum ssh_session_at at;
    enum ssh_login_at login_at;
    char *methods;                    /* to log in, that the server accepts: "publickey,password" */
    struct ft_buf tried;              /* and how it went */
    bool agent;                       /* there is one to ask */
    int fd;
    void *impl;                       /* the backend's */
    struct ssh_tunnel *tunnel;        /* through the jump host; NULL: directly */
    struct ft_list channels;
    unsigned channels_len;
    bool full;                        /* takes no further channel: it refused one, or somebody logs in afresh */
    bool heard;                       /* since the last look */
    bool asked;                       /* whether it lives; the answer is awaited */
    unsigned silent;                  /* looks without a sign of life */
    bool kicked;
    int polled;                       /* what uv_poll watches for; 0: nothing */
    void *poll;                       /* uv_poll_t, freed when closed */
    struct ft_connect *connect;
    struct ft_timer *login_timer, *idle_timer, *alive_timer;
};

/* Each step of the machine, by a library. Of a session's login: 0 goes on with what comes next, 1 is in, -EAGAIN waits for the socket; of a
 * channel: 1 for progress, 0 for none. Any other negative number is the end of the session, and reterr says why. */
struct ssh_backend {
    const char *name;
    int (*load)(struct ft_err *reterr);               /* the library; cheap when it is there already */
    const char *(*version)(void);
    bool (*good)(void);                               /* new enough to be the first choice */
    int (*start)(struct ssh_session *session, struct ft_err *reterr);       /* session->fd is connected */
    int (*shake_hands)(struct ssh_session *session, struct ft_err *reterr);
    int (*check_host_key)(struct ssh_session *session, struct ft_err *reterr);
    int (*ask_methods)(struct ssh_session *session, struct ft_err *reterr); /* fills session->methods */
    int (*try_key)(struct ssh_session *session, struct ft_err *reterr);     /* this and the next three note what did not go well */
    int (*try_agent)(struct ssh_session *session, struct ft_err *reterr);
    int (*try_password)(struct ssh_session *session, struct ft_err *reterr);
    int (*try_questions)(struct ssh_session *session, struct ft_err *reterr);
    /* All channels, as far as they come, by ft_ssh_step_channel; also when there is none: then the end of the connection is noticed. */
    int (*step_channels)(struct ssh_session *session, struct ft_err *reterr);
    int (*open_channel)(struct ssh_channel *channel, struct ft_err *reterr);
    int (*request_pty)(struct ssh_channel *channel, struct ft_err *reterr);
    int (*request)(struct ssh_channel *channel, struct ft_err *reterr);
    int (*transfer)(struct ssh_channel *channel, struct ft_err *reterr);
    int (*end_channel)(struct ssh_channel *channel, struct ft_err *reterr);
    int (*close_channel)(struct ssh_channel *channel, struct ft_err *reterr);
    int (*free_channel)(struct ssh_channel *channel, struct ft_err *reterr);
    bool (*wants_write)(struct ssh_session *session);
    void (*keep_alive)(struct ssh_session *session);  /* ask for a sign of life */
    void (*end)(struct ssh_session *session);         /* polite if possible, and frees; the channels' impl too */
};
extern const struct ssh_backend ft_ssh_libssh2, ft_ssh_libssh;

/* ---- ssh_advance.c ---- */

/* 0: went as far as possible. Negative: the session is over, reterr says why. */
int ft_ssh_advance(struct ssh_session *session, struct ft_err *reterr);
int ft_ssh_step_channel(struct ssh_channel *channel, struct ft_err *reterr);
/* For the sentence when nothing lets us in: "the password" "is not accepted". */
void ft_ssh_note(struct ssh_session *session, const char *what, const char *how);
void ft_ssh_note_key(struct ssh_session *session, const char *how);             /* of the key_file */

/* Sentences that both libraries share; each returns a negative code with the class set. */
int ft_ssh_unknown_key(const struct ssh_session *session, const char *type, const char *fingerprint, const char *known, struct ft_err *reterr);
int ft_ssh_changed_key(const struct ssh_session *session, const char *type, const char *fingerprint, struct ft_err *reterr);
/* "SHA256:…" as OpenSSH prints it. */
void ft_ssh_fingerprint(const unsigned char sha256[32], char ret[64]);

/* ---- ssh.c: what the steps tell the pool ---- */

void ft_ssh_ready(struct ssh_session *session);                             /* logged in */
void ft_ssh_heard(struct ssh_session *session);                             /* the server sent something */
void ft_ssh_again(struct ssh_session *session);                             /* there is more to do; others first */
void ft_ssh_opened(struct ssh_channel *channel);                            /* the request was accepted */
void ft_ssh_data(struct ssh_channel *channel, const char *bytes, size_t len, bool is_stderr);
void ft_ssh_refused(struct ssh_channel *channel, const char *why);          /* no channel, or no such request */
void ft_ssh_request_refused(struct ssh_channel *channel);                   /* in the words for its kind */
/* No way through this jump host. reason: of RFC 4254, 5.1 (0: not known); text: the server's, may be NULL. */
enum { SSH_OPEN_PROHIBITED = 1, SSH_OPEN_NO_CONNECTION = 2, SSH_OPEN_NO_SUCH_TYPE = 3, SSH_OPEN_SHORTAGE = 4 };
void ft_ssh_way_refused(struct ssh_channel *channel, unsigned reason, const char *text);
void ft_ssh_ended(struct ssh_channel *channel);                             /* by the other side; exit_status and exit_signal are filled in */
void ft_ssh_channel_gone(struct ssh_channel *channel);                      /* its impl is freed */
size_t ft_ssh_to_send(const struct ssh_channel *channel, const char **ret_bytes);
void ft_ssh_sent(struct ssh_channel *channel, size_t len);

/* ---- ssh.c and ssh_tunnel.c ---- */

struct ssh_tunnel *ft_ssh_tunnel_new(struct ft_loop *loop, struct ssh_session *session);     /* for this session, whose login has a jump host */
void ft_ssh_tunnel_free(struct ssh_tunnel *tunnel);                         /* NULL is fine */
struct ssh_session *ft_ssh_tunnel_session(const struct ssh_tunnel *tunnel);
void ft_ssh_tunnel_drained(struct ssh_tunnel *tunnel);                      /* the jump host took something */
const char *ft_ssh_tunnel_broken(const struct ssh_tunnel *tunnel, enum ft_class *ret_class);      /* why the way broke off; NULL: it did not */
/* A channel through the jump host's session. */
struct ft_stream *ft_ssh_open_way(struct ft_ssh *ssh, const struct ssh_login *jump, const char *host, uint16_t port,
                                  const struct ft_stream_handler *handler, struct ssh_tunnel *tunnel);
void ft_ssh_pause(struct ft_stream *stream, bool paused);                   /* take no more from the other side meanwhile */
size_t ft_ssh_unsent(const struct ft_stream *stream);
void ft_ssh_way_open(struct ssh_session *session, int fd);                  /* takes fd */
void ft_ssh_way_failed(struct ssh_session *session, enum ft_class class, const char *why);
