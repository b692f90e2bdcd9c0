/* host.c: the table of functions that plugins are given. Whatever a call starts is a part of it and is dropped with it. */
#include "plugin/internal.h"
#include "base/clock.h"
#include "base/log.h"
#include "data/json.h"
#include "net/stream.h"

enum { MAX_MEMORY = 16 << 20 };

enum part_kind { PART_TIMER, PART_HTTP, PART_STREAM, PART_CHILD, PART_WORK };

struct part {
    struct ft_list in_call, in_streams;
    struct ft_call *call;                /* NULL: the call is over; only work outlives it */
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
    } fn;
    struct ft_stream_events events;
    void *arg;                           /* http's argument; work's job */
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

    ft_list_each(pos, tmp, &call->parts)
        if (ft_container(pos, struct part, in_call)->kind == PART_HTTP)
            return true;
    return false;
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

static int host_http(struct ft_call *call, const struct ft_http_req *req, ft_http_cb *answered, void *arg, struct ft_err *reterr)
{
    struct part *part;
    int r = may(call, "http", reterr);

    if (r < 0)
        return r;
    part = part_new(call, PART_HTTP);
    part->fn.http = answered;
    part->arg = arg;
    r = ft_http_start(registry_http(call->registry), req, ft_max(host_remaining_ms(call), 1ull), http_answered, part, &part->handle.transfer, reterr);
    if (r < 0)
        part_free(part);
    else
        call->sent |= (req->flags & (FT_HTTP_WRITE | FT_HTTP_MAIL)) != 0;
    return r;
}

static json_t *host_http_render(struct ft_call *call, const struct ft_http_req *req)
{
    json_t *shown = ft_http_render(req), *clean;

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

static int open_stream(struct part *part, struct ft_stream **ret_stream, int r)
{
    if (r < 0) {
        part_free(part);
        return r;
    }
    *ret_stream = part->handle.stream;
    return 0;
}

static int host_ssh(struct ft_call *call, const struct ft_ssh_req *req, const struct ft_stream_events *events, struct ft_stream **ret_stream, struct ft_err *reterr)
{
    struct part *part;
    int r = may(call, "ssh", reterr);

    if (r < 0)
        return r;
    part = part_new(call, PART_STREAM);
    part->events = *events;
    return open_stream(part, ret_stream, ft_ssh_open(registry_ssh(call->registry), req, &stream_handler, part, &part->handle.stream, reterr));
}

static int host_tcp(struct ft_call *call, const struct ft_tcp_req *req, const struct ft_stream_events *events, struct ft_stream **ret_stream, struct ft_err *reterr)
{
    struct part *part;
    int r = may(call, "tcp", reterr);

    if (r < 0)
        return r;
    part = part_new(call, PART_STREAM);
    part->events = *events;
    return open_stream(part, ret_stream, ft_tcp_open(call->registry->o.loop, req, &stream_handler, part, &part->handle.stream, reterr));
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

    if (!part)
        return ft_err_set(reterr, -EPIPE, "the stream was closed already");
    part->call->sent = true;
    return ft_stream_write(stream, bytes, len, reterr);
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

static int host_exec(struct ft_call *call, const struct ft_exec_req *req, void (*exited)(struct ft_call *call, const struct ft_exec_res *res), struct ft_err *reterr)
{
    struct ft_child_req child = { .argv = req->argv, .env = req->env, .input = req->input, .input_len = req->input_len, .max_output = req->max_output };
    struct part *part;
    int r = may(call, "exec", reterr);

    if (r < 0)
        return r;
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

const struct ft_host plugin_host = {
    .abi_major = FT_ABI_MAJOR, .abi_minor = FT_ABI_MINOR, .size = sizeof(struct ft_host),
    .done = host_done, .fail = host_fail, .params = host_params, .receipt = host_receipt, .config = host_config, .state = host_state,
    .instance = host_instance, .remaining_ms = host_remaining_ms, .run_id = host_run_id, .keep = host_keep, .progress = host_progress,
    .alloc = host_alloc, .printf = host_printf, .wall_ms = host_wall_ms, .timer = host_timer, .log = host_log, .redact = host_redact,
    .http = host_http, .http_render = host_http_render, .url_escape = host_url_escape, .ssh = host_ssh, .tcp = host_tcp,
    .stream_write = host_stream_write, .stream_eof = host_stream_eof, .stream_close = host_stream_close, .exec = host_exec,
    .work = host_work, .budget = host_budget,
};
