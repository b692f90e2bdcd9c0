/* fake_host.h: a host for tests of plugins: no network, no clock, no threads. Start here to test a plugin.
 *
 * It loads the real plugins/<name>.so and runs one entry of one action from start to end before fake_run returns.
 * Everything outside is a script that the test gave before; time is a number that jumps from timer to timer.
 *
 *     Test(mist, ap_restart_posts_once)
 *     {
 *         struct fake_host *f = fake_host_new("mist");
 *
 *         fake_config(f, "{'host': 'https://api.test', 'token': 'sesame'}");
 *         FAKE_HTTP(f, .method = "POST", .url = "/devices/d1/restart", .status = 200, .body = "{}");
 *         const struct fake_result *r = fake_run(f, "ap_restart", "run", "{'site': 's1', 'device': 'd1'}", NULL);
 *
 *         cr_assert(r->ok, "%s", r->error);
 *         cr_expect_eq(json_array_size(r->requests), 1);
 *         cr_expect_str_eq(fake_str(r->requests, "0.url"), "https://api.test/api/v1/sites/s1/devices/d1/restart");
 *         fake_host_free(f);
 *     }
 *
 * Every JSON text of a test may be written with ' instead of " (when it holds no " at all).
 *
 * As the real host does, it checks the parameters against the action's schema and fills in defaults, checks the plugin's section against
 * config_schema, the result against result_schema, a plan's and a probe's shape, the capabilities asked for; it redacts
 * secrets (configuration fields with "x-secret": true, and host->redact) in every text (not in results: a later step may need one); it ends the call at its deadline
 * (FT_TIMEOUT, or FT_AMBIGUOUS when a write had been sent). What would be a bug of the plugin aborts the test with a
 * sentence: two ends, an end after a negative start, asking for something after the end, a stream used after its close.
 *
 * What it does not do: 429 is not waited for (it ends as FT_REFUSED at once), `work` runs in place, budgets are free. */
#pragma once
#include <fettle/plugin.h>

#pragma GCC visibility push(default)

struct fake_host;

/* name: of build/<preset>/plugins/<name>.so ($FETTLE_BUILD), or a path with a slash. Aborts when it cannot be loaded. */
struct fake_host *fake_host_new(const char *name);
struct fake_host *fake_host_free(struct fake_host *f);             /* calls the plugin's close */
const struct ft_plugin *fake_plugin(const struct fake_host *f);

/* The plugin's section. Fields with "x-secret": true are given as plain strings here. Before the first fake_run; default {}. */
void fake_config(struct fake_host *f, const char *json);
void fake_wall(struct fake_host *f, uint64_t wall_ms);             /* the clock's start; default 2026-11-21T02:13:05Z */
void fake_timeout(struct fake_host *f, unsigned ms);               /* deadline of later calls; 0: the action's own */
void fake_cancel_after(struct fake_host *f, uint64_t ms);          /* the next call is cancelled so many ms after its start */

/* ---- HTTP and mail. An answer is used once, in the order given; the last one that matches is used again and again.
 * A request that nothing matches ends as FT_UNREACHABLE "no answer scripted for …". */
struct fake_answer {
    const char *method;                      /* NULL: any */
    const char *url;                         /* the end of the URL, with or without its query; NULL: any */
    const char *request_has;                 /* the request's body must contain this; NULL: anything */
    int status;                              /* with fault: 0 */
    const char *body; size_t body_len;       /* NULL: empty; body_len 0: strlen; ' for " only when JSON by its first character */
    const struct ft_http_header *headers;    /* of the answer, names in lower case, ends with {NULL, NULL} */
    enum ft_class fault;                     /* instead of an answer: FT_UNREACHABLE, FT_TIMEOUT, FT_AMBIGUOUS, … */
    const char *why;                         /* its sentence */
    uint64_t after_ms;                       /* how long it takes */
};
void fake_http(struct fake_host *f, const struct fake_answer *answer);      /* copied */
#define FAKE_HTTP(f, ...) fake_http((f), &(const struct fake_answer){ __VA_ARGS__ })

/* ---- Streams: a dialogue. Each line waits until the plugin has written something that contains `expect` (since the last match; NULL: no wait),
 * then sends `send`. After the last line the other side closes in order with exit_status, or as close_class says, unless stays_open.
 * An answer that must be computed (from a request's authenticator, or its id) comes from `answer`: it is given each write of the plugin as it
 * is, puts its reply into `reply` and returns its length, 0 for none, or FAKE_CLOSES to close as after the last line; the stream stays open until then. */
#define FAKE_CLOSES ((size_t)-1)
struct fake_line { const char *expect, *send; bool is_stderr; size_t send_len; uint64_t after_ms; };  /* a list ends with {NULL, NULL}; send_len 0: strlen; after_ms: waits so long first */
struct fake_dialogue {
    const char *kind;                        /* "ssh", "tcp" (also with TLS), "udp" or "websocket"; of the last two each `send` and reply is one message */
    const char *host;                        /* NULL: any; of a websocket its URL */
    const char *command;                     /* ssh: part of the command or subsystem's name; NULL: any */
    enum ft_class refuse; const char *why;   /* it does not open: closed() with this class */
    const struct fake_line *lines;
    int exit_status;
    enum ft_class close_class;               /* FT_CLASS_NONE: in order */
    bool stays_open;
    size_t chunk;                            /* deliver at most so many bytes a callback; 0: a line's text whole */
    size_t (*answer)(void *arg, const char *bytes, size_t len, char *reply, size_t room);
    void *answer_arg;
    uint64_t answer_ms;                      /* how long each reply takes */
};
void fake_stream(struct fake_host *f, const struct fake_dialogue *dialogue);    /* copied; used once, the last match again and again */
#define FAKE_STREAM(f, ...) fake_stream((f), &(const struct fake_dialogue){ __VA_ARGS__ })

/* ---- Child processes: by a part of the command line (argv joined with spaces). Used once, the last match again and again. */
struct fake_exec {
    const char *command;                     /* NULL: any */
    int exit_status;
    const char *out, *err;
    enum ft_class fault; const char *why;    /* it could not be started, was killed, said too much */
};
void fake_exec(struct fake_host *f, const struct fake_exec *exec);               /* copied */
#define FAKE_EXEC(f, ...) fake_exec((f), &(const struct fake_exec){ __VA_ARGS__ })

/* ---- Files. They stay from call to call, as do those that the plugin writes; a relative path is "/fake/files/" and it. */
void fake_file(struct fake_host *f, const char *path, const void *bytes, size_t len);            /* is there already; copied */
void fake_file_fault(struct fake_host *f, const char *path, enum ft_class class, const char *why);   /* writing and reading it fails, from now on */

/* ---- One call. Valid until the next fake_run or fake_host_free. */
struct fake_result {
    bool ok;
    json_t *result;             /* what `done` gave; NULL when it failed */
    enum ft_class class;        /* when it failed */
    const char *error;          /* its sentence, redacted; "" when ok */
    json_t *kept;               /* what keep() put into the journal last; NULL: nothing */
    json_t *requests;           /* [{"method","url","headers":{},"body":text,"json":value if it is JSON,"user","password","mail_from","mail_to":[],
                                    "unix_socket","ca_file","cert_file","key_file","flags","timeout_ms"}] */
    json_t *streams;            /* [{"kind","host","port","user","command","sent":text ('?' for what is no UTF-8),"sent_hex","writes":[hex of each],
                                    ssh: "jump":{"host","port","user",…},"fresh":true, tcp: "tls":true,"no_verify":true,"server_name","ca_file","cert_file",
                                    udp: "local_host","local_port", websocket: "headers":{},"subprotocol","ca_file","no_verify":true}] */
    json_t *files;              /* written by this call: [{"path","len","text":('?' for what is no UTF-8),"hex","sha256"}] */
    json_t *execs;              /* [{"argv":[],"input":text}] */
    json_t *progress;           /* [text] */
    json_t *logged;             /* [text] */
    json_t *trace;              /* what was asked of the host, in order: ["keep", "POST https://…", "timer 2000", "ssh sw-3", "budget mist", …] */
    uint64_t took_ms;           /* on the fake clock */
};
/* Later runs leave what the device takes back by itself for `confirm` (host->pending says true); result: what host->result gives there, JSON or NULL. */
void fake_confirms(struct fake_host *f, bool confirms, const char *result);
/* What host->left gives in a plan: an object by key, as the plans of earlier writes left it. */
void fake_left(struct fake_host *f, const json_t *left);
/* entry: "run", "plan", "undo", "probe" or "confirm". params and receipt are JSON texts; NULL: {} and no receipt. */
const struct fake_result *fake_run(struct fake_host *f, const char *action, const char *entry, const char *params, const char *receipt);

/* ---- Recorded answers: a file below $FETTLE_SOURCE (or here), whole; malloced. Aborts when it is not there. */
char *fake_text(const char *folder, const char *name);

/* ---- Looking at JSON. path: "0.headers.authorization"; NULL or -1 when it is not there. */
json_t *fake_at(const json_t *value, const char *path);            /* borrowed */
const char *fake_str(const json_t *value, const char *path);
json_int_t fake_int(const json_t *value, const char *path);
bool fake_equals(const json_t *value, const char *json);           /* as JSON values; prints both to stderr when they differ */

#pragma GCC visibility pop
