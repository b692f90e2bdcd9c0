/* plugin.h: the whole contract between fettle and a plugin. Start here to write one.
 *
 * A plugin is one shared object, `plugins/<name>.so`, that exports one data symbol:
 *
 *     FT_EXPORT const struct ft_plugin ft_plugin = { FT_PLUGIN_HEADER, .name = "mist", … };
 *
 * It links against none of fettle's symbols: all it may use is a function pointer in struct ft_host, which `open` is
 * given. Everything runs on one thread, the loop's; nothing here may block (use `work` for what can only block).
 *
 * A call: the host checks the parameters against the action's schema, allocates `state_size` zeroed bytes, and calls
 * `start` of the entry wanted. From then on exactly one `done` or `fail` must be made, in `start` or later from a
 * callback (a `start` that returns negative has failed by that, and must make none). When the call is over the host drops its timers, its HTTP requests, its streams and its memory: a plugin
 * frees nothing of that. When the deadline passes, or the run is cancelled, the host ends the call itself after
 * telling `cancel` (optional: most plugins need none). After the end no callback of the call comes any more.
 *
 * Stability: fields are only ever appended, at the end of a struct. `abi` major changes when that is not enough.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include <fettle/err.h>

#define FT_ABI_MAJOR 1
#define FT_ABI_MINOR 3       /* 1: cert_file and key_file, TLS on tcp, udp, websocket, jump hosts, files. 2: confirm, pending, result, fresh. 3: left */
#define FT_EXPORT __attribute__((visibility("default")))

struct ft_call;      /* one started call of one entry of one action; opaque */
struct ft_stream;    /* a byte stream that belongs to a call: an SSH channel, a TCP or TLS connection; opaque */
struct ft_host;

/* ---- HTTP -------------------------------------------------------------------------------------------------------- */

enum ft_http_flags {
    FT_HTTP_JSON       = 1 << 0,  /* the answer must be JSON (an empty body is NULL json); anything else ends as FT_INVALID */
    FT_HTTP_WRITE      = 1 << 1,  /* has side effects: an answer lost after sending is FT_AMBIGUOUS, never repeated */
    FT_HTTP_ANY_STATUS = 1 << 2,  /* give every status to the caller as success (error == NULL) */
    FT_HTTP_NO_WAIT    = 1 << 3,  /* do not wait and repeat on 429 (by default: Retry-After, else 5, 10, 20 s, three times) */
    FT_HTTP_NO_VERIFY  = 1 << 4,  /* TLS certificates are not checked: only when the configuration says so out loud */
    FT_HTTP_MAIL       = 1 << 5,  /* url is smtp:// or smtps://; mail_from, mail_to and body (the message, CRLF lines) count */
    FT_HTTP_STARTTLS   = 1 << 6,  /* with FT_HTTP_MAIL: refuse to go on without TLS */
};

struct ft_http_header { const char *name, *value; };

/* Everything is borrowed for the duration of host->http() only: the host copies. */
struct ft_http_req {
    size_t size;                             /* sizeof(struct ft_http_req) */
    const char *method;                      /* "GET" when NULL */
    const char *url;                         /* absolute */
    const struct ft_http_header *headers;    /* ends with {NULL, NULL}; may be NULL. Values are never logged */
    const json_t *json;                      /* body as JSON (compact, keys in insertion order), sets Content-Type; or */
    const void *body; size_t body_len;       /* body as bytes */
    const char *user, *password;             /* HTTP Basic or SMTP AUTH */
    const char *ca_file;                     /* PEM; NULL: the system's */
    const char *unix_socket;                 /* path: connect there instead of the URL's host */
    unsigned flags;
    unsigned timeout_ms;                     /* 0: what is left of the call's deadline */
    unsigned connect_timeout_ms;             /* 0: 5000 */
    size_t max_bytes;                        /* largest answer accepted; 0: 8 MiB */
    const char *mail_from; const char *const *mail_to;   /* addresses; mail_to ends with NULL */
    const char *cert_file, *key_file;        /* PEM, our own certificate where the server asks for one; NULL: none */
};

/* What came back. Valid until the callback returns; json is borrowed (json_incref to keep it). */
struct ft_http_res {
    size_t size;
    int status;                   /* HTTP or SMTP status; 0 when no answer came */
    enum ft_class class;          /* FT_CLASS_NONE: a 2xx (and JSON where asked for) */
    const char *error;            /* NULL: fine. Else one sentence with method, host, and what to do */
    json_t *json;                 /* parsed body with FT_HTTP_JSON, also of an error answer where it is JSON; else NULL */
    const char *body; size_t body_len;       /* NUL-terminated after body_len */
    const struct ft_http_header *headers;    /* of the answer, names in lower case, ends with {NULL, NULL} */
};
typedef void ft_http_cb(struct ft_call *call, const struct ft_http_res *res, void *arg);

/* ---- Streams: SSH channels, TCP, TLS, UDP, websockets ------------------------------------------------------------ */

enum ft_ssh_kind { FT_SSH_EXEC, FT_SSH_SHELL, FT_SSH_SHELL_PTY, FT_SSH_SUBSYSTEM };

struct ft_ssh_req {
    size_t size;
    const char *host; uint16_t port;         /* 0: 22 */
    const char *user;
    const char *password;                    /* NULL: not tried */
    const char *key_file, *passphrase;       /* private key; NULL: not tried */
    bool agent;                              /* may ask SSH_AUTH_SOCK's agent */
    const char *known_hosts;                 /* file; unknown and changed keys are refused, always */
    const char *library;                     /* "libssh2", "libssh" or NULL: what the configuration says */
    unsigned connect_timeout_ms;             /* 0: 10000 */
    enum ft_ssh_kind kind;
    const char *command;                     /* EXEC: the command; SUBSYSTEM: its name */
    const struct ft_ssh_req *jump;           /* log in there first and go on through it (ssh -J); its kind and command do not count. NULL: directly */
    unsigned keepalive_s;                    /* ask an idle session so often whether it lives; 0: 15. Three silences end it */
    bool fresh;                              /* log in anew; sessions that are open take no further channels. After a change that may lock logins out */
};

struct ft_tcp_req {
    size_t size;
    const char *host; uint16_t port;
    unsigned connect_timeout_ms;             /* 0: 5000; with TLS the handshake counts */
    bool tls;                                /* TLS (1.2 or newer) from the first byte; the certificate is checked */
    bool no_verify;                          /* with tls: not checked; only when the configuration says so out loud */
    const char *server_name;                 /* whom the certificate must name, and SNI; NULL: host */
    const char *ca_file;                     /* PEM; NULL: the system's */
    const char *cert_file, *key_file;        /* PEM, our own; NULL: none */
};

/* Datagrams to and from one peer: each stream_write sends one, each data() is one, whole, from that peer only. An ICMP "port
 * unreachable" closes the stream with FT_UNREACHABLE. Nothing is repeated: that is the protocol's business. stream_eof does nothing. */
struct ft_udp_req {
    size_t size;
    const char *host; uint16_t port;
    const char *local_host; uint16_t local_port;     /* NULL and 0: any */
};

/* A websocket client (RFC 6455): each stream_write sends one text message, each data() is one whole message, text or binary.
 * A refused upgrade closes with the class its HTTP status has (401, 403: FT_DENIED; 404: FT_NOT_FOUND; else FT_REFUSED). Pings are answered. */
struct ft_ws_req {
    size_t size;
    const char *url;                         /* ws:// or wss:// */
    const struct ft_http_header *headers;    /* ends with {NULL, NULL}; may be NULL. Values are never logged */
    const char *subprotocol;                 /* NULL: none */
    const char *ca_file; bool no_verify;     /* as in struct ft_tcp_req */
    unsigned connect_timeout_ms;             /* 0: 10000, until the upgrade is accepted */
    size_t max_message;                      /* larger ones close the stream with FT_INVALID; 0: 1 MiB */
};

/* Callbacks of a stream; each may be NULL. `closed` comes exactly once, last, unless the call is over before. */
struct ft_stream_events {
    size_t size;
    void (*opened)(struct ft_call *call, struct ft_stream *stream);
    void (*data)(struct ft_call *call, struct ft_stream *stream, const char *bytes, size_t len, bool is_stderr);
    /* class FT_CLASS_NONE: ended by the other side in order; exit_status -1 where there is none. why: one sentence */
    void (*closed)(struct ft_call *call, struct ft_stream *stream, enum ft_class class, int exit_status, const char *why);
};

/* ---- Child processes --------------------------------------------------------------------------------------------- */

struct ft_exec_req {
    size_t size;
    const char *const *argv;                 /* argv[0] is looked up in PATH; never a shell. Ends with NULL */
    const char *const *env;                  /* NAME=value, the whole environment of the child; NULL: PATH and LANG only */
    const char *input; size_t input_len;     /* standard input */
    size_t max_output;                       /* of each of stdout and stderr; 0: 1 MiB */
};
struct ft_exec_res {
    size_t size;
    enum ft_class class; const char *error;  /* error only when it could not be started or ended by a signal or too much output */
    int exit_status;
    const char *out; size_t out_len;
    const char *err; size_t err_len;
};

/* ---- Files: backups, captures, reports ---------------------------------------------------------------------------- */

/* The end of a write or a read. Valid until the callback returns. */
struct ft_file_res {
    size_t size;
    enum ft_class class; const char *error;  /* FT_CLASS_NONE and NULL: fine */
    const char *path;                        /* absolute */
    const char *bytes; size_t len;           /* of a read: NUL-terminated after len. Of a write: NULL, and how many were written */
    char sha256[65];                         /* of the content, lower-case hex */
};
typedef void ft_file_cb(struct ft_call *call, const struct ft_file_res *res);

/* ---- The host ---------------------------------------------------------------------------------------------------- */

enum ft_log_level { FT_LOG_DEBUG, FT_LOG_INFO, FT_LOG_WARN, FT_LOG_ERROR };

struct ft_host {
    uint16_t abi_major, abi_minor;
    uint32_t size;

    /* The end of a call. `result` is taken over. `fail`: one sentence, no final stop. */
    void (*done)(struct ft_call *call, json_t *result);
    __attribute__((format(printf, 3, 4)))
    void (*fail)(struct ft_call *call, enum ft_class class, const char *fmt, ...);

    /* What the call is about. All borrowed, valid until the call is over. */
    const json_t *(*params)(struct ft_call *call);     /* checked, defaults filled in; secrets as plain strings */
    const json_t *(*receipt)(struct ft_call *call);    /* run: what plan gave under "receipt". undo and probe: that, replaced by
                                                          what run kept. NULL if nothing */
    const json_t *(*config)(struct ft_call *call);     /* the plugin's section of the configuration, secrets resolved to strings */
    void *(*state)(struct ft_call *call);              /* state_size bytes, zeroed at the start */
    void *(*instance)(struct ft_call *call);           /* what open returned */
    uint64_t (*remaining_ms)(struct ft_call *call);    /* until the deadline */
    const char *(*run_id)(struct ft_call *call);       /* for a comment on the device ("fettle run 7f3c") */

    /* Put what undo will need in the journal. `kept` comes when it is durable; touch nothing before. json is taken over. */
    int (*keep)(struct ft_call *call, json_t *receipt, void (*kept)(struct ft_call *call), struct ft_err *reterr);
    /* One line that people see while a long step runs ("24 of 41 APs"). */
    __attribute__((format(printf, 2, 3)))
    void (*progress)(struct ft_call *call, const char *fmt, ...);

    /* Memory that dies with the call. Never NULL for less than 16 MiB in all. */
    void *(*alloc)(struct ft_call *call, size_t size);
    __attribute__((format(printf, 2, 3)))
    char *(*printf)(struct ft_call *call, const char *fmt, ...);

    uint64_t (*wall_ms)(struct ft_call *call);         /* ms since 1970, UTC; tests move it */
    bool (*timer)(struct ft_call *call, uint64_t ms, void (*over)(struct ft_call *call));

    __attribute__((format(printf, 3, 4)))
    void (*log)(struct ft_call *call, enum ft_log_level level, const char *fmt, ...);   /* call may be NULL in open/close */
    /* From now on this text is replaced by *** wherever fettle writes (a token that a login returned). */
    void (*redact)(struct ft_call *call, const char *secret);

    int (*http)(struct ft_call *call, const struct ft_http_req *req, ft_http_cb *answered, void *arg, struct ft_err *reterr);
    /* The request as a plan shows it: {"method","url","headers","body"} without secrets. Use the same req for plan and run. */
    json_t *(*http_render)(struct ft_call *call, const struct ft_http_req *req);
    /* Percent-encode one path segment or query value; lives as long as the call. */
    char *(*url_escape)(struct ft_call *call, const char *text);

    int (*ssh)(struct ft_call *call, const struct ft_ssh_req *req, const struct ft_stream_events *events,
               struct ft_stream **ret_stream, struct ft_err *reterr);
    int (*tcp)(struct ft_call *call, const struct ft_tcp_req *req, const struct ft_stream_events *events,
               struct ft_stream **ret_stream, struct ft_err *reterr);
    int (*stream_write)(struct ft_stream *stream, const char *bytes, size_t len, struct ft_err *reterr);
    void (*stream_eof)(struct ft_stream *stream);      /* no more from us */
    void (*stream_close)(struct ft_stream *stream);    /* no callback after this */

    int (*exec)(struct ft_call *call, const struct ft_exec_req *req,
                void (*exited)(struct ft_call *call, const struct ft_exec_res *res), struct ft_err *reterr);

    /* Run `blocking` on a worker thread with `job`, then `after` on the loop thread (not after the call's end: so `job` must
     * be freed by `release`, which always comes, on the loop thread, after both; not when work() itself returns an error). `blocking` may use nothing of the host. */
    int (*work)(struct ft_call *call, void *job, void (*blocking)(void *job),
                void (*after)(struct ft_call *call, void *job), void (*release)(void *job), struct ft_err *reterr);

    /* A token bucket shared by all calls of this process: `go` comes when one more call of `key` fits in
     * `per_hour`. It is the politeness towards an API; the answer 429 is handled by http() besides. */
    int (*budget)(struct ft_call *call, const char *key, unsigned per_hour, void (*go)(struct ft_call *call), struct ft_err *reterr);

    /* ABI 1.1: not there where abi_minor is 0. */
    int (*udp)(struct ft_call *call, const struct ft_udp_req *req, const struct ft_stream_events *events,
               struct ft_stream **ret_stream, struct ft_err *reterr);
    int (*websocket)(struct ft_call *call, const struct ft_ws_req *req, const struct ft_stream_events *events,
                     struct ft_stream **ret_stream, struct ft_err *reterr);

    /* A file of the user's, mode 0600, complete and flushed or not there at all; never an overwrite: another content under that
     * path ends as FT_CONFLICT, the same content is fine. A relative path lies below the data folder's `files/` (and may not leave
     * it); folders are made. The bytes are copied. */
    int (*file_write)(struct ft_call *call, const char *path, const void *bytes, size_t len, ft_file_cb *written, struct ft_err *reterr);
    /* The same paths. max_bytes 0: 16 MiB; a larger file ends as FT_INVALID. */
    int (*file_read)(struct ft_call *call, const char *path, size_t max_bytes, ft_file_cb *read, struct ft_err *reterr);

    /* ABI 1.2: not there where abi_minor is less. */

    /* In `run`, before it sends a change that the device takes back by itself after `ms` unless it is confirmed. True: leave it unconfirmed and end with done;
     * it is verified, then `confirm` is called, or never, and `undo` may be. False: nobody will; confirm it in `run`. ms 0: nothing waits after all. */
    bool (*pending)(struct ft_call *call, uint64_t ms);
    const json_t *(*result)(struct ft_call *call);     /* in `confirm`: what run gave; NULL where that is not known. Borrowed */

    /* ABI 1.3: not there where abi_minor is less. */

    /* In `plan`: what a write that the run plans before this one will leave behind under this key (see `leaves`); NULL: none changes it, so what is there now
     * counts. A plan that asks is rendered on that, and says of the requests, of the changes and of `before` what they will be then. Borrowed */
    const json_t *(*left)(struct ft_call *call, const char *key);
};

/* ---- What a plugin describes ------------------------------------------------------------------------------------- */

enum ft_effect {
    FT_EFFECT_READ = 1,
    FT_EFFECT_WRITE = 2,          /* changes something */
    FT_EFFECT_DISRUPTIVE = 3,     /* changes something, and users notice */
    FT_EFFECT_UNKNOWN = 4,        /* depends on the parameters: a write unless the step says `effect: read` */
    FT_EFFECT_MASK = 0xf,
    FT_EFFECT_IDEMPOTENT = 1 << 4,/* sending it twice is the same as once: safe to repeat after a crash */
};

struct ft_entry {
    int (*start)(struct ft_call *call, struct ft_err *reterr);   /* negative: the call has failed by that, with err.class
                                                                    (FT_INVALID if none) */
    void (*cancel)(struct ft_call *call);                        /* optional: last chance to be polite; the call is over after it */
};

/* An action, called `<plugin>.<name>` in playbooks. Schemas are JSON texts (JSON Schema 2020-12, the part that
 * schemas/README.md names); a result schema that lists `properties` without `additionalProperties` is closed for the
 * names in Lua, so misspelled fields are found when a playbook is loaded.
 *
 * `plan` ends with `done` of an object:
 *   summary   string: "restart AP-3F-12"
 *   requests  array of what run would send: http_render() objects, or {"target": "sw-3", "commands": […]}
 *   changes   array of {"path", "from", "to"}: what differs afterwards (optional)
 *   before    any: the state that the write rests on, and nothing that moves by itself (uptime, counters, ages): where it has changed since it
 *             was planned, the write does not start (optional)
 *   watch     any: what of that only this write should change (optional; else: before). It is looked at again right after the write, and before its
 *             undo: is it still what was written? false: it moves by itself, and nobody can tell. Times and counters do not belong in it
 *   moves     true: all of `before` moves by itself, so it is compared with nothing (optional)
 *   users     integer: people who notice (optional)
 *   nothing_to_do  true: the state wanted is the state there is (optional). With `result`, what run would give now, run is not called
 *   stand_in  a text that stands in the requests for what an earlier write of the run will only give (an id); anything fits it (optional)
 *   receipt   any: what run, undo, probe and confirm will be given (optional); journalled before run starts
 *   reverts   {"after_s": 300, "later": false}: the device takes it back by itself after that unless it is confirmed; later: another
 *             step confirms it (optional)
 *   no_undo   string: why `undo` will not be able to take this one back (optional)
 *   notes     array of strings: what people should know before they let it go ahead (optional)
 *   leaves    object, key → what is there under that key once this write is done, for the plans of later writes of the same run: host->left. Keys are the
 *             plugin's own words for its objects, "sw-3/ge-0/0/7" (optional)
 *   blurs     array of keys under which the plan cannot tell what will be there: what asks for one of them, or for one that begins with one and "/", is
 *             undetermined (optional)
 * It may look, and must not touch: the host refuses it a request with FT_HTTP_WRITE and a file. `undo` restores by params and receipt. `probe` ends with done({"happened": true|false,
 * "seen": …, "result": …}) or fails when it cannot tell; with `result` (optional: what run would have given) the steps behind it
 * find what they need. "pending": true says that it is in force and still waits for its confirmation.
 *
 * `confirm` (optional) is the second half of a change that the device takes back by itself, see host->pending. It comes once the change is verified, and
 * must not ride on the connection that made it (ft_ssh_req.fresh). It may come again when its answer was lost: done says "it is in force for good", also
 * where it was so already; `result`, if not empty, replaces what run gave. When it fails, `probe` is asked whether the change is in force, pending or gone. */
struct ft_action {
    size_t size;
    const char *name, *summary;
    unsigned effects;
    const char *params_schema, *result_schema;
    size_t state_size;
    struct ft_entry run, plan, undo, probe;
    unsigned timeout_ms;          /* default deadline of run; 0: 30000 */
    const char *about;            /* Markdown for the action's page; may be NULL */
    const char *example;          /* YAML of one step, shown on the page; may be NULL */
    struct ft_entry confirm;      /* ABI 1.2 */
};

struct ft_plugin {
    uint16_t abi_major, abi_minor;
    uint32_t size;
    const char *name, *version, *summary;
    const char *capabilities;     /* what it will ask of the host, of: http ssh tcp udp websocket exec work file; separated by spaces */
    const char *config_schema;    /* of its section under `plugins:`; "x-secret": true marks a secret reference */
    /* Once per process, before the first call. config as host->config(). May not block. */
    int (*open)(const struct ft_host *host, const json_t *config, void **ret_instance, struct ft_err *reterr);
    void (*close)(void *instance);
    const struct ft_action *const *actions;   /* ends with NULL */
};

#define FT_PLUGIN_HEADER \
    .abi_major = FT_ABI_MAJOR, .abi_minor = FT_ABI_MINOR, .size = sizeof(struct ft_plugin)
