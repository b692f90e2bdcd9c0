/* host.c: the table of functions that plugins are given. Whatever a call starts is a part of it and is dropped with it. */
#include "plugin/internal.h"
#include "base/clock.h"
#include "base/log.h"
#include "data/json.h"
#include "net/stream.h"
#include "plugin/files.h"

enum { MAX_MEMORY = 16 << 20, MAX_FILE = 256 << 20, MAX_READ = 16 << 20 };

enum part_kind { PART_TIMER, PART_HTTP, PART_STREAM, PART_CHILD, PART_WORK, PART_FILE };

struct part {
    struct ft_list in_call, in_streams;
    struct ft_call *call;                /* NULL: the call is over; only work and files outlive it */
    struct plugin *plugin;               /* work's */
    enum part_kind kind;
    union {
        struct ft_timer *timer;
        struct ft_http_transfer *transfer;
        struct ft_stream *stream;
        struct ft_child *child;
        struct ft_work *work;
    } handle;
    union {
        void (*timer)(struct ft_call *call);
        ft_http_cb *http;
        void (*exited)(struct ft_call *call, const struct ft_exec_res *res);
        void (*after)(struct ft_call *call, void *job);
        ft_file_cb *file;
    } fn;
    struct ft_stream_events events;
    bool opened, early;                  /* a stream's: it is open; something was written before */
    void *arg;                           /* http's argument; work's job; a struct ft_file_job */
    void (*blocking)(void *job);
    void (*release)(void *job);
};

static struct ft_list open_streams = { &open_streams, &open_streams };

static struct part *part_new(struct ft_call *call, enum part_kind kind)
{
    struct part *part = ft_calloc(1, sizeof(*part));

    part->call = call;
    part->kind = kind;
    ft_list_append(&call->parts, &part->in_call);
    if (kind == PART_STREAM)
        ft_list_append(&open_streams, &part->in_streams);
    return part;
}

static void part_free(struct part *part)
{
    ft_list_remove(&part->in_call);
    ft_list_remove(&part->in_streams);
    free(part);
}

void call_drop_parts(struct ft_call *call)
{
    struct ft_list *pos, *tmp;

    ft_list_each(pos, tmp, &call->parts) {
        struct part *part = ft_container(pos, struct part, in_call);

        switch (part->kind) {
        case PART_TIMER: ft_timer_stop(part->handle.timer); break;
        case PART_HTTP: ft_http_cancel(part->handle.transfer); break;
        case PART_STREAM: ft_stream_close(part->handle.stream); break;
        case PART_CHILD: ft_child_kill(part->handle.child); break;
        case PART_FILE:
            ft_file_job_give_up(part->arg);
            /* fall through */
        case PART_WORK:
            /* The thread may be in the middle of it: the part stays until `release`. */
            ft_list_remove(&part->in_call);
            part->call = NULL;
            ft_work_cancel(part->handle.work);
            continue;
        }
        part_free(part);
    }
}

bool call_in_flight(const struct ft_call *call)
{
    struct ft_list *pos, *tmp;

    ft_list_each(pos, tmp, &call->parts) {
        const struct part *part = ft_container(pos, struct part, in_call);

        if (part->kind == PART_HTTP || part->kind == PART_WORK || part->kind == PART_FILE || (part->kind == PART_STREAM && !part->opened))
            return true;
    }
    return false;
}

/* At the end of its time: a file that is not written yet will not be. */
void call_settle(struct ft_call *call)
{
    struct ft_list *pos, *tmp;

    ft_list_each(pos, tmp, &call->parts) {
        struct part *part = ft_container(pos, struct part, in_call);

        if (part->kind == PART_FILE && !ft_file_job_give_up(part->arg))
            call->sent = true;
    }
}

/* A request as this host knows it: what a plugin of an older interface does not know is zero, what a newer one adds is left out. */
static int take_req(void *ret, size_t size, const void *req, struct ft_err *reterr)
{
    size_t theirs = *(const size_t *)req;

    memset(ret, 0, size);
    if (theirs < sizeof(size_t))
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "the plugin's request does not say its size; that is a fault of the plugin");
    memcpy(ret, req, ft_min(theirs, size));
    return 0;
}

/* A connection that is not there at the deadline ends by itself, and says why. */
static unsigned connect_ms(unsigned wanted, unsigned usual, uint64_t remaining)
{
    unsigned ms = wanted ? wanted : usual;

    return (unsigned)ft_max(ft_min((uint64_t)ms, remaining), (uint64_t)1);
}

/* ---- ends and inputs */

static void host_done(struct ft_call *call, json_t *result)
{
    call_end(call, result ? result : json_null(), FT_CLASS_NONE, NULL);
}

__attribute__((format(printf, 3, 4)))
static void host_fail(struct ft_call *call, enum ft_class class, const char *fmt, ...)
{
    va_list ap;
    char *text;

    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0)
        abort();
    va_end(ap);
    call_end(call, NULL, class == FT_CLASS_NONE ? FT_REFUSED : class, text);
}

static const json_t *host_params(struct ft_call *call) { return call->params; }
static const json_t *host_receipt(struct ft_call *call) { return call->receipt; }
static const json_t *host_config(struct ft_call *call) { return call->plugin->config; }
static void *host_state(struct ft_call *call) { return call->state; }
static void *host_instance(struct ft_call *call) { return call->plugin->instance; }
static const char *host_run_id(struct ft_call *call) { return call->run_id; }

static uint64_t host_remaining_ms(struct ft_call *call)
{
    uint64_t now = ft_clock_mono_us(ft_loop_clock(call->registry->o.loop));

    return call->deadline_us > now ? (call->deadline_us - now) / 1000 : 0;
}

static uint64_t host_wall_ms(struct ft_call *call)
{
    return ft_clock_wall_ms(ft_loop_clock(call->registry->o.loop));
}

static int not_alive(struct ft_err *reterr)
{
    return ft_err_class(reterr, FT_CANCELLED, -ECANCELED, "the call is over");
}

static void kept_at_once(void *arg)
{
    ft_call_kept(arg, 0);
}

void call_forget_kept(struct ft_call *call)
{
    if (call->kept)
        ft_loop_undefer(call->registry->o.loop, kept_at_once, call);
    call->kept = NULL;
}

static int host_keep(struct ft_call *call, json_t *receipt, void (*kept)(struct ft_call *call), struct ft_err *reterr)
{
    if (!call_alive(call)) {
        json_decref(receipt);
        return not_alive(reterr);
    }
    if (call->kept) {
        json_decref(receipt);
        return ft_err_set(reterr, -EBUSY, "keep() is under way already");
    }
    json_decref(call->keeping);
    call->keeping = receipt;
    call->kept = kept;
    if (call->handler.keep)
        call->handler.keep(call->arg, call, receipt);
    else
        ft_loop_defer(call->registry->o.loop, kept_at_once, call);
    return 0;
}

__attribute__((format(printf, 2, 3)))
static void host_progress(struct ft_call *call, const char *fmt, ...)
{
    char text[300];
    char *clean;
    va_list ap;

    if (!call_alive(call) || !call->handler.progress)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    call_utf8(text);
    clean = call->registry->o.secrets ? ft_secret_redact(call->registry->o.secrets, text) : NULL;
    call->handler.progress(call->arg, clean ? clean : text);
    free(clean);
}

/* ---- memory, time, words */

static void *host_alloc(struct ft_call *call, size_t size)
{
    return ft_arena_used(call->mem) + size > MAX_MEMORY ? NULL : ft_arena_alloc(call->mem, size);
}

__attribute__((format(printf, 2, 3)))
static char *host_printf(struct ft_call *call, const char *fmt, ...)
{
    va_list ap;
    char *text, *kept;

    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0)
        abort();
    va_end(ap);
    kept = ft_arena_strdup(call->mem, text);
    free(text);
    return kept;
}

static void timer_over(void *arg)
{
    struct part *part = arg;
    struct ft_call *call = part->call;
    void (*over)(struct ft_call *call) = part->fn.timer;

    part_free(part);
    over(call);
}

static bool host_timer(struct ft_call *call, uint64_t ms, void (*over)(struct ft_call *call))
{
    struct part *part;

    if (!call_alive(call))
        return false;
    part = part_new(call, PART_TIMER);
    part->fn.timer = over;
    part->handle.timer = ft_timer_start(call->registry->o.loop, ms, timer_over, part);
    return true;
}

__attribute__((format(printf, 3, 4)))
static void host_log(struct ft_call *call, enum ft_log_level level, const char *fmt, ...)
{
    char text[600];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (call)
        ft_log(level, "run %s: %s: %s", call->run_id, call->info->full, text);
    else
        ft_log(level, "plugin: %s", text);
}

static void host_redact(struct ft_call *call, const char *secret)
{
    if (call && call->registry->o.secrets)
        ft_secret_learn(call->registry->o.secrets, secret);
}

/* ---- what it may use must stand among its capabilities */

static int may(struct ft_call *call, const char *what, struct ft_err *reterr)
{
    const char *list = call->plugin->def->capabilities ? call->plugin->def->capabilities : "";
    size_t len = strlen(what);

    if (!call_alive(call))
        return not_alive(reterr);
    for (const char *p = list; *p; p += strcspn(p, " "), p += strspn(p, " "))
        if (strncmp(p, what, len) == 0 && (p[len] == ' ' || p[len] == '\0'))
            return 0;
    return ft_err_class(reterr, FT_INVALID, -EPERM, "plugin %s did not ask for the capability '%s', and so may not use it", call->plugin->name, what);
}

/* A plan is made in a dry run, too: it may look, and must not touch. */
static int may_write(const struct ft_call *call, struct ft_err *reterr)
{
    if (call->entry != FT_ENTRY_PLAN)
        return 0;
    return ft_err_class(reterr, FT_INVALID, -EPERM, "the plan of %s would have written; that is a fault of the plugin", call->info->full);
}

/* ---- http */

static void http_answered(void *arg, const struct ft_http_res *res)
{
    struct part *part = arg;
    struct ft_call *call = part->call;
    ft_http_cb *fn = part->fn.http;
    void *fn_arg = part->arg;

    part_free(part);
    fn(call, res, fn_arg);
}

static int host_http(struct ft_call *call, const struct ft_http_req *given, ft_http_cb *answered, void *arg, struct ft_err *reterr)
{
    struct ft_http_req req;
    struct part *part;
    int r = may(call, "http", reterr);

    if (r == 0)
        r = take_req(&req, sizeof(req), given, reterr);
    if (r == 0 && req.flags & (FT_HTTP_WRITE | FT_HTTP_MAIL))
        r = may_write(call, reterr);
    if (r < 0)
        return r;
    part = part_new(call, PART_HTTP);
    part->fn.http = answered;
    part->arg = arg;
    r = ft_http_start(registry_http(call->registry), &req, ft_max(host_remaining_ms(call), 1ull), http_answered, part, &part->handle.transfer, reterr);
    if (r < 0)
        part_free(part);
    else
        call->sent |= (req.flags & (FT_HTTP_WRITE | FT_HTTP_MAIL)) != 0;
    return r;
}

static json_t *host_http_render(struct ft_call *call, const struct ft_http_req *given)
{
    struct ft_http_req req;
    json_t *shown, *clean;

    take_req(&req, sizeof(req), given, NULL);
    shown = ft_http_render(&req);
    if (!call->registry->o.secrets)
        return shown;
    clean = ft_secret_redact_json(call->registry->o.secrets, shown);
    json_decref(shown);
    return clean;
}

static char *host_url_escape(struct ft_call *call, const char *text)
{
    char *escaped = ft_url_escape(text), *kept = ft_arena_strdup(call->mem, escaped);

    free(escaped);
    return kept;
}

/* ---- streams */

static void stream_opened(void *arg, struct ft_stream *stream)
{
    struct part *part = arg;

    part->opened = true;
    part->call->sent |= part->early;
    if (part->events.opened)
        part->events.opened(part->call, stream);
}

static void stream_data(void *arg, struct ft_stream *stream, const char *bytes, size_t len, bool is_stderr)
{
    struct part *part = arg;

    if (part->events.data)
        part->events.data(part->call, stream, bytes, len, is_stderr);
}

static void stream_closed(void *arg, struct ft_stream *stream, enum ft_class class, int exit_status, const char *why)
{
    struct part *part = arg;

    if (part->events.closed)
        part->events.closed(part->call, stream, class, exit_status, why);
}

static const struct ft_stream_handler stream_handler = { .opened = stream_opened, .data = stream_data, .closed = stream_closed };

static struct part *stream_part(struct ft_call *call, const struct ft_stream_events *events)
{
    struct part *part = part_new(call, PART_STREAM);

    take_req(&part->events, sizeof(part->events), events, NULL);
    return part;
}

static int open_stream(struct part *part, struct ft_stream **ret_stream, int r)
{
    if (r < 0) {
        part_free(part);
        return r;
    }
    *ret_stream = part->handle.stream;
    return 0;
}

/* The hosts on the way, each of the plugin's size, and bounded. */
static int take_jumps(struct ft_ssh_req *hops, size_t most, const struct ft_ssh_req *given, struct ft_err *reterr)
{
    for (size_t i = 0; given; i++) {
        int r;

        if (i == most)
            return ft_err_class(reterr, FT_INVALID, -ELOOP, "SSH through more than %zu hosts on the way is not supported", most - 1);
        r = take_req(&hops[i], sizeof(hops[i]), given, reterr);
        if (r < 0)
            return r;
        given = hops[i].jump;
        hops[i].jump = given ? &hops[i + 1] : NULL;
    }
    return 0;
}

static int host_ssh(struct ft_call *call, const struct ft_ssh_req *given, const struct ft_stream_events *events, struct ft_stream **ret_stream, struct ft_err *reterr)
{
    struct ft_ssh_req hops[5];
    struct part *part;
    int r = may(call, "ssh", reterr);

    if (r == 0)
        r = take_jumps(hops, ARRAY_LEN(hops), given, reterr);
    if (r < 0)
        return r;
    hops[0].connect_timeout_ms = connect_ms(hops[0].connect_timeout_ms, 10000, host_remaining_ms(call));
    part = stream_part(call, events);
    part->early = hops[0].kind == FT_SSH_EXEC;       /* the command is what is sent */
    return open_stream(part, ret_stream, ft_ssh_open(registry_ssh(call->registry), hops, &stream_handler, part, &part->handle.stream, reterr));
}

static int host_tcp(struct ft_call *call, const struct ft_tcp_req *given, const struct ft_stream_events *events, struct ft_stream **ret_stream, struct ft_err *reterr)
{
    struct ft_tcp_req req;
    struct part *part;
    int r = may(call, "tcp", reterr);

    if (r == 0)
        r = take_req(&req, sizeof(req), given, reterr);
    if (r < 0)
        return r;
    req.connect_timeout_ms = connect_ms(req.connect_timeout_ms, 5000, host_remaining_ms(call));
    part = stream_part(call, events);
    return open_stream(part, ret_stream, ft_tcp_open(call->registry->o.loop, &req, &stream_handler, part, &part->handle.stream, reterr));
}

static int host_udp(struct ft_call *call, const struct ft_udp_req *given, const struct ft_stream_events *events, struct ft_stream **ret_stream, struct ft_err *reterr)
{
    struct ft_udp_req req;
    struct part *part;
    int r = may(call, "udp", reterr);

    if (r == 0)
        r = take_req(&req, sizeof(req), given, reterr);
    if (r < 0)
        return r;
    part = stream_part(call, events);
    return open_stream(part, ret_stream, ft_udp_open(call->registry->o.loop, &req, &stream_handler, part, &part->handle.stream, reterr));
}

static int host_websocket(struct ft_call *call, const struct ft_ws_req *given, const struct ft_stream_events *events, struct ft_stream **ret_stream, struct ft_err *reterr)
{
    struct ft_ws_req req;
    struct part *part;
    int r = may(call, "websocket", reterr);

    if (r == 0)
        r = take_req(&req, sizeof(req), given, reterr);
    if (r < 0)
        return r;
    req.connect_timeout_ms = connect_ms(req.connect_timeout_ms, 10000, host_remaining_ms(call));
    part = stream_part(call, events);
    return open_stream(part, ret_stream, ft_ws_open(call->registry->o.loop, &req, &stream_handler, part, &part->handle.stream, reterr));
}

/* A plugin knows a stream by its handle alone, so open streams are also in a list of their own. NULL: it was closed. */
static struct part *part_of(const struct ft_stream *stream)
{
    struct ft_list *pos, *tmp;

    ft_list_each(pos, tmp, &open_streams) {
        struct part *part = ft_container(pos, struct part, in_streams);

        if (part->handle.stream == stream)
            return part;
    }
    return NULL;
}

static int host_stream_write(struct ft_stream *stream, const char *bytes, size_t len, struct ft_err *reterr)
{
    struct part *part = part_of(stream);
    int r;

    if (!part)
        return ft_err_set(reterr, -EPIPE, "the stream was closed already");
    r = ft_stream_write(stream, bytes, len, reterr);
    if (r == 0 && part->opened)
        part->call->sent = true;
    else if (r == 0)
        part->early = true;              /* it goes out when the stream opens */
    return r;
}

static void host_stream_eof(struct ft_stream *stream)
{
    if (part_of(stream))
        ft_stream_eof(stream);
}

static void host_stream_close(struct ft_stream *stream)
{
    struct part *part = part_of(stream);

    if (!part)
        return;
    ft_stream_close(stream);
    part_free(part);
}

/* ---- children */

static void child_exited(void *arg, const struct ft_child_result *result)
{
    struct part *part = arg;
    struct ft_call *call = part->call;
    void (*exited)(struct ft_call *call, const struct ft_exec_res *res) = part->fn.exited;
    struct ft_exec_res res = { .size = sizeof(res), .exit_status = result->exit_status, .out = result->out, .out_len = result->out_len, .err = result->err, .err_len = result->err_len };
    char why[100];

    if (result->too_much) {
        res.class = FT_INVALID;
        res.error = "the program wrote more than is allowed, and was ended";
    } else if (result->term_signal) {
        snprintf(why, sizeof(why), "the program was ended by signal %d", result->term_signal);
        res.class = FT_REFUSED;
        res.error = why;
    }
    part_free(part);
    exited(call, &res);
}

static int host_exec(struct ft_call *call, const struct ft_exec_req *given, void (*exited)(struct ft_call *call, const struct ft_exec_res *res), struct ft_err *reterr)
{
    struct ft_exec_req req;
    struct ft_child_req child;
    struct part *part;
    int r = may(call, "exec", reterr);

    if (r == 0)
        r = take_req(&req, sizeof(req), given, reterr);
    if (r < 0)
        return r;
    child = (struct ft_child_req){ .argv = req.argv, .env = req.env, .input = req.input, .input_len = req.input_len, .max_output = req.max_output };
    part = part_new(call, PART_CHILD);
    part->fn.exited = exited;
    r = ft_child_start(call->registry->o.loop, &child, child_exited, part, &part->handle.child, reterr);
    if (r < 0)
        part_free(part);
    else
        call->sent = true;
    return r;
}

/* ---- work */

static void work_blocking(void *job)
{
    struct part *part = job;

    part->blocking(part->arg);
}

static void work_after(void *job)
{
    struct part *part = job;

    if (part->call && part->fn.after)
        part->fn.after(part->call, part->arg);
}

static void work_release(void *job)
{
    struct part *part = job;
    struct plugin *plugin = part->plugin;

    if (part->release)
        part->release(part->arg);
    part_free(part);
    plugin->works--;
    if (plugin->orphan)
        plugin_free(plugin);
}

static int host_work(struct ft_call *call, void *job, void (*blocking)(void *job), void (*after)(struct ft_call *call, void *job), void (*release)(void *job), struct ft_err *reterr)
{
    struct part *part;
    int r = may(call, "work", reterr);

    if (r < 0)
        return r;
    part = part_new(call, PART_WORK);
    part->arg = job;
    part->blocking = blocking;
    part->fn.after = after;
    part->release = release;
    part->plugin = call->plugin;
    call->plugin->works++;
    call->sent = true;
    part->handle.work = ft_work_start(call->registry->o.loop, work_blocking, work_after, work_release, part);
    return 0;
}

/* ---- files */

static void file_blocking(void *job)
{
    struct part *part = job;

    ft_file_job_do(part->arg);
}

static void file_after(void *job)
{
    struct part *part = job;
    const struct ft_file_job *file = part->arg;
    struct ft_file_res res = { .size = sizeof(res), .path = file->path };

    if (!part->call)
        return;
    if (file->err.code) {
        res.class = file->err.class;
        res.error = file->err.text;
    } else {
        res.bytes = file->write ? NULL : file->bytes;
        res.len = file->len;
        memcpy(res.sha256, file->sha256, sizeof(res.sha256));
    }
    part->call->sent |= file->made;
    ft_list_remove(&part->in_call);      /* it is not in flight any more */
    part->fn.file(part->call, &res);
}

static void file_release(void *job)
{
    struct part *part = job;

    ft_file_job_free(part->arg);
    part_free(part);
}

static int file_start(struct ft_call *call, const char *path, ft_file_cb *done, struct ft_file_job **ret, struct part **ret_part, struct ft_err *reterr)
{
    int r = may(call, "file", reterr);

    if (r == 0)
        r = ft_file_job_new(call->registry->state_dir, path, ret, reterr);
    if (r < 0)
        return r;
    *ret_part = part_new(call, PART_FILE);
    (*ret_part)->arg = *ret;
    (*ret_part)->fn.file = done;
    return 0;
}

static int host_file_write(struct ft_call *call, const char *path, const void *bytes, size_t len, ft_file_cb *written, struct ft_err *reterr)
{
    struct ft_file_job *file;
    struct part *part;
    int r;

    if (len > MAX_FILE)
        return ft_err_class(reterr, FT_INVALID, -EFBIG, "a file of %zu bytes is too large: %d MiB are the most", len, MAX_FILE >> 20);
    r = may_write(call, reterr);
    if (r == 0)
        r = file_start(call, path, written, &file, &part, reterr);
    if (r < 0)
        return r;
    file->write = true;
    file->bytes = ft_calloc(1, len + 1);
    if (len)
        memcpy(file->bytes, bytes, len);
    file->len = len;
    part->handle.work = ft_work_start(call->registry->o.loop, file_blocking, file_after, file_release, part);
    return 0;
}

static int host_file_read(struct ft_call *call, const char *path, size_t max_bytes, ft_file_cb *read, struct ft_err *reterr)
{
    struct ft_file_job *file;
    struct part *part;
    int r = file_start(call, path, read, &file, &part, reterr);

    if (r < 0)
        return r;
    file->max = ft_min(max_bytes ? max_bytes : (size_t)MAX_READ, (size_t)MAX_FILE);
    part->handle.work = ft_work_start(call->registry->o.loop, file_blocking, file_after, file_release, part);
    return 0;
}

/* ---- budget */

static void budget_over(void *arg)
{
    struct ft_call *call = arg;
    void (*go)(struct ft_call *call) = call->budget_go;

    call->budget_go = NULL;
    if (go && call_alive(call))
        go(call);
}

static int host_budget(struct ft_call *call, const char *key, unsigned per_hour, void (*go)(struct ft_call *call), struct ft_err *reterr)
{
    if (!call_alive(call))
        return not_alive(reterr);
    if (call->budget_go)
        return ft_err_set(reterr, -EBUSY, "the call waits for a budget already");
    call->budget_go = go;
    call->waiter.go = budget_over;
    call->waiter.arg = call;
    budget_wait(call->registry, key, per_hour, &call->waiter);
    return 0;
}

/* ---- changes that wait for their confirmation */

static bool host_pending(struct ft_call *call, uint64_t ms)
{
    if (!call_alive(call) || call->entry != FT_ENTRY_RUN || !call->handler.pending || !ft_action_has(call->info->action, FT_ENTRY_CONFIRM))
        return false;
    call->handler.pending(call->arg, ms);
    return true;
}

static const json_t *host_result(struct ft_call *call)
{
    return call->given;
}

/* ---- the state that writes planned before this one leave behind */

const json_t *ft_left_find(const json_t *left, const char *key)
{
    const json_t *found = json_object_get(left, key), *entry;
    const char *name;

    if (found)
        return found;
    json_object_foreach((json_t *)left, name, entry) {
        size_t len = strlen(name);

        if (!json_object_get(entry, "value") && strncmp(key, name, len) == 0 && key[len] == '/')
            return entry;
    }
    return NULL;
}

static const json_t *host_left(struct ft_call *call, const char *key)
{
    const json_t *found;

    if (!call_alive(call) || call->entry != FT_ENTRY_PLAN)
        return NULL;
    found = ft_left_find(call->left, key);
    if (!call->asked)
        call->asked = json_object();
    json_object_set_new(call->asked, key, found ? json_incref((json_t *)found) : json_null());
    return json_object_get(found, "value");
}

const json_t *ft_call_asked(const struct ft_call *call)
{
    return call->asked;
}

const struct ft_host plugin_host = {
    .abi_major = FT_ABI_MAJOR, .abi_minor = FT_ABI_MINOR, .size = sizeof(struct ft_host),
    .done = host_done, .fail = host_fail, .params = host_params, .receipt = host_receipt, .config = host_config, .state = host_state,
    .instance = host_instance, .remaining_ms = host_remaining_ms, .run_id = host_run_id, .keep = host_keep, .progress = host_progress,
    .alloc = host_alloc, .printf = host_printf, .wall_ms = host_wall_ms, .timer = host_timer, .log = host_log, .redact = host_redact,
    .http = host_http, .http_render = host_http_render, .url_escape = host_url_escape, .ssh = host_ssh, .tcp = host_tcp,
    .stream_write = host_stream_write, .stream_eof = host_stream_eof, .stream_close = host_stream_close, .exec = host_exec,
    .work = host_work, .budget = host_budget, .udp = host_udp, .websocket = host_websocket,
    .file_write = host_file_write, .file_read = host_file_read, .pending = host_pending, .result = host_result, .left = host_left,
};
