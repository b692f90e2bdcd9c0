#include "fake_host.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/digest.h"
#include "base/list.h"
#include "base/text.h"
#include "base/util.h"
#include "data/json.h"
#include "data/schema.h"
#include "net/http.h"
#include "plugin/config.h"
#include "plugin/files.h"
#include "secret/secret.h"

#define WALL_MS 1795227185000u      /* 2026-11-21T02:13:05Z */
#define MAX_EVENTS 200000           /* a plugin that asks again and again without moving time would never end */

/* What will happen in the script: fire() calls the plugin back. */
struct event {
    struct ft_list link;
    uint64_t at;
    void (*fire)(struct ft_call *call, struct event *event);
    void (*over)(struct ft_call *call);                                   /* timer, keep, budget, cancel */
    ft_http_cb *answered; void *arg; const struct fake_answer *answer; char *url; unsigned flags; size_t max_bytes;
    void (*exited)(struct ft_call *call, const struct ft_exec_res *res); const struct fake_exec *exec; size_t max_output;
    void (*after)(struct ft_call *call, void *job); void *job;
    struct ft_stream *stream; const char *bytes; size_t len;              /* of a reply; no bytes: it closes */
    ft_file_cb *file; struct ft_file_job *file_job;
};

struct file { struct ft_list link; char *path; const char *bytes; size_t len; enum ft_class fault; const char *why; };

struct ft_stream {
    struct ft_list link;
    struct ft_call *call;
    const char *kind;
    struct ft_stream_events events;
    const struct fake_dialogue *dialogue;     /* NULL: nothing was scripted */
    char *why;
    size_t line, sent;                        /* of the dialogue; bytes of its text delivered */
    bool matched, waited, opened, over, closed, pumping;
    struct ft_buf heard;                      /* written by the plugin since the last match */
    struct ft_buf all;
    json_t *seen;                             /* its entry in result.streams, borrowed */
};

struct job { struct ft_list link; void *job; void (*release)(void *job); };

struct ft_call {
    struct fake_host *f;
    const struct ft_action *action;
    const struct ft_entry *entry;
    const char *entry_name;
    struct ft_arena *mem;
    json_t *params, *receipt;
    void *state;
    uint64_t deadline;
    struct ft_list events, streams, jobs;
    bool starting, ended, over, sent_write;
    bool ok;
    json_t *result;
    enum ft_class class;
    char error[1000];
};

struct scripted { struct ft_list link; bool used; struct fake_answer answer; struct fake_dialogue dialogue; struct fake_exec exec; };

struct fake_host {
    char *name;
    void *dl;
    const struct ft_plugin *plugin;
    void *instance;
    bool open;
    json_t *config;
    struct ft_secrets *secrets;
    struct ft_arena *script;                  /* owns what the test scripted */
    struct ft_list answers, dialogues, execs, files;
    uint64_t now, wall, cancel_after;
    bool confirms;                            /* what host->pending says */
    json_t *given;                            /* what host->result gives */
    json_t *left;                             /* what host->left gives, by key */
    bool cancels;
    unsigned timeout_ms;
    struct fake_result result;
    char *error;
};

static const struct ft_host table;

/* A bug of the plugin (or of the test): nothing that comes after would mean anything. */
__attribute__((format(printf, 2, 3), noreturn))
static void die(const struct ft_call *call, const char *fmt, ...)
{
    va_list ap;

    if (call)
        fprintf(stderr, "fake host: %s.%s (%s): ", call->f->plugin->name, call->action->name, call->entry_name);
    else
        fprintf(stderr, "fake host: ");
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    abort();
}

/* With its NULs, and one behind. */
static char *bytes_copy(struct ft_arena *mem, const void *bytes, size_t len)
{
    char *copy = ft_arena_alloc(mem, len + 1);

    if (len)
        memcpy(copy, bytes, len);
    return copy;
}

/* ---- texts and JSON */

/* As the test wrote it, with ' for " where there is no ". NULL: {}. */
static json_t *parse(const char *text, const char *what)
{
    char *copy = ft_strdup(text ? text : "{}");
    json_error_t error;
    json_t *value;

    if (!strchr(copy, '"'))
        for (char *p = copy; *p; p++)
            if (*p == '\'')
                *p = '"';
    value = json_loads(copy, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    if (!value)
        die(NULL, "%s is not JSON: %s: %s", what, error.text, copy);
    free(copy);
    return value;
}

json_t *fake_at(const json_t *value, const char *path)
{
    return ft_json_path(value, path);
}

const char *fake_str(const json_t *value, const char *path)
{
    return json_string_value(ft_json_path(value, path));
}

json_int_t fake_int(const json_t *value, const char *path)
{
    json_t *found = ft_json_path(value, path);

    return json_is_integer(found) ? json_integer_value(found) : -1;
}

bool fake_equals(const json_t *value, const char *json)
{
    json_t *wanted = parse(json, "what the test expects");
    bool same = value && json_equal(value, wanted);

    if (!same) {
        char *is = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_INDENT(2)) : NULL;
        char *should = json_dumps(wanted, JSON_ENCODE_ANY | JSON_INDENT(2));

        fprintf(stderr, "is:     %s\nshould: %s\n", is ? is : "(nothing)", should);
        free(is);
        free(should);
    }
    json_decref(wanted);
    return same;
}

/* Into the array, redacted as the real host would. */
static void note(struct fake_host *f, json_t *list, const char *text)
{
    char *clean = ft_secret_redact(f->secrets, text);

    json_array_append_new(list, json_string(clean ? clean : text));
    free(clean);
}

__attribute__((format(printf, 2, 3)))
static void trace(struct ft_call *call, const char *fmt, ...)
{
    struct ft_buf text = FT_BUF_INIT(0);
    va_list ap;

    va_start(ap, fmt);
    ft_buf_vaddf(&text, fmt, ap);
    va_end(ap);
    note(call->f, call->f->result.trace, ft_buf_str(&text));
    ft_buf_done(&text);
}

static void set_str(json_t *object, const char *key, const char *value)
{
    if (value)
        json_object_set_new(object, key, json_string(value));
}

static void set_hex(json_t *object, const char *key, const char *bytes, size_t len)
{
    struct ft_buf hex = FT_BUF_INIT(0);

    for (size_t i = 0; i < len; i++)
        ft_buf_addf(&hex, "%02x", (unsigned char)bytes[i]);
    json_object_set_new(object, key, json_string(ft_buf_str(&hex)));
    ft_buf_done(&hex);
}

/* What is no UTF-8 becomes '?', so that the rest can be looked at as text. */
static void set_bytes(json_t *object, const char *key, const char *bytes, size_t len)
{
    struct ft_buf text = FT_BUF_INIT(0);

    for (size_t i = 0; i < len;) {
        size_t n = 1, most = ft_min(len - i, (size_t)4);

        while (n < most && !ft_utf8_valid(bytes + i, n))
            n++;
        if (ft_utf8_valid(bytes + i, n) && bytes[i]) {
            ft_buf_add(&text, bytes + i, n);
            i += n;
        } else {
            ft_buf_addc(&text, '?');
            i++;
        }
    }
    json_object_set_new(object, key, json_string(ft_buf_str(&text)));
    ft_buf_done(&text);
}

/* As the real host does: fields that an older plugin does not know are zero. */
static void take(void *ret, size_t size, const void *req)
{
    size_t theirs = *(const size_t *)req;

    memset(ret, 0, size);
    memcpy(ret, req, ft_min(theirs, size));
}
#define TAKE(call, ret, req) ((req)->size ? take((ret), sizeof(*(ret)), (req)) : die((call), "asked with a request that does not say its size"))

char *fake_text(const char *folder, const char *name)
{
    const char *source = getenv("FETTLE_SOURCE");
    char *path = ft_asprintf("%s/%s/%s", source ? source : ".", folder, name), part[4096];
    struct ft_buf text = FT_BUF_INIT(0);
    FILE *in = fopen(path, "rb");

    if (!in)
        die(NULL, "no test data %s", path);
    for (size_t n; (n = fread(part, 1, sizeof(part), in)) > 0;)
        ft_buf_add(&text, part, n);
    fclose(in);
    free(path);
    return text.len ? ft_buf_take(&text) : ft_strdup("");
}

/* ---- the script's time */

static struct event *event_add(struct ft_call *call, uint64_t in_ms, void (*fire)(struct ft_call *call, struct event *event))
{
    struct event *event = ft_arena_alloc(call->mem, sizeof(*event));
    struct ft_list *pos;

    event->at = call->f->now + in_ms;
    event->fire = fire;
    for (pos = call->events.prev; pos != &call->events; pos = pos->prev)
        if (ft_container(pos, struct event, link)->at <= event->at)
            break;
    ft_list_append(pos->next, &event->link);
    return event;
}

static void fire_plain(struct ft_call *call, struct event *event)
{
    event->over(call);
}

/* Nothing may be begun once the call has ended: the host would drop it at once. */
static void must_be_open(struct ft_call *call, const char *what)
{
    if (call->ended)
        die(call, "asked for %s after its end", what);
}

static int need(struct ft_call *call, const char *capability, struct ft_err *reterr)
{
    const char *all = call->f->plugin->capabilities ? call->f->plugin->capabilities : "";
    size_t len = strlen(capability);

    must_be_open(call, capability);
    for (const char *p = all; (p = strstr(p, capability)); p += len)
        if ((p == all || p[-1] == ' ') && (p[len] == ' ' || !p[len]))
            return 0;
    return ft_err_set(reterr, -EPERM, "plugin '%s' does not list '%s' among its capabilities", call->f->plugin->name, capability);
}

/* ---- the end of a call */

static void end(struct ft_call *call)
{
    if (call->ended)
        die(call, "ended twice");
    call->ended = true;
}

static void fail_text(struct ft_call *call, enum ft_class class, const char *text)
{
    call->ok = false;
    call->class = class;
    snprintf(call->error, sizeof(call->error), "%s", text);
}

static void host_done(struct ft_call *call, json_t *result)
{
    end(call);
    if (!result)
        die(call, "done with no result");
    call->ok = true;
    call->result = result;
}

__attribute__((format(printf, 3, 4)))
static void host_fail(struct ft_call *call, enum ft_class class, const char *fmt, ...)
{
    char text[sizeof(call->error)];
    va_list ap;

    end(call);
    if (class <= FT_CLASS_NONE || class > FT_CANCELLED)
        die(call, "failed without a class");
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    fail_text(call, class, text);
}

/* ---- what the call is about */

static const json_t *host_params(struct ft_call *call) { return call->params; }
static const json_t *host_receipt(struct ft_call *call) { return call->receipt; }
static const json_t *host_config(struct ft_call *call) { return call->f->config; }
static void *host_state(struct ft_call *call) { return call->state; }
static void *host_instance(struct ft_call *call) { return call->f->instance; }
static const char *host_run_id(struct ft_call *call) { (void)call; return "7f3c0a12"; }
static void *host_alloc(struct ft_call *call, size_t size) { return ft_arena_alloc(call->mem, size); }
static uint64_t host_wall_ms(struct ft_call *call) { return call->f->wall + call->f->now; }

static uint64_t host_remaining_ms(struct ft_call *call)
{
    return call->deadline > call->f->now ? call->deadline - call->f->now : 0;
}

static int host_keep(struct ft_call *call, json_t *receipt, void (*kept)(struct ft_call *call), struct ft_err *reterr)
{
    (void)reterr;
    must_be_open(call, "keep");
    json_decref(call->f->result.kept);
    call->f->result.kept = receipt;
    trace(call, "keep");
    event_add(call, 0, fire_plain)->over = kept;
    return 0;
}

__attribute__((format(printf, 2, 3)))
static void host_progress(struct ft_call *call, const char *fmt, ...)
{
    char text[1000];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    note(call->f, call->f->result.progress, text);
}

__attribute__((format(printf, 2, 3)))
static char *host_printf(struct ft_call *call, const char *fmt, ...)
{
    struct ft_buf text = FT_BUF_INIT(0);
    char *copy;
    va_list ap;

    va_start(ap, fmt);
    ft_buf_vaddf(&text, fmt, ap);
    va_end(ap);
    copy = ft_arena_strndup(call->mem, ft_buf_str(&text), text.len);
    ft_buf_done(&text);
    return copy;
}

static bool host_timer(struct ft_call *call, uint64_t ms, void (*over)(struct ft_call *call))
{
    must_be_open(call, "a timer");
    trace(call, "timer %llu", (unsigned long long)ms);
    event_add(call, ms, fire_plain)->over = over;
    return true;
}

/* In open and close there is no call, and nobody to show the line to. */
__attribute__((format(printf, 3, 4)))
static void host_log(struct ft_call *call, enum ft_log_level level, const char *fmt, ...)
{
    char text[1000];
    va_list ap;

    (void)level;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (call)
        note(call->f, call->f->result.logged, text);
}

static void host_redact(struct ft_call *call, const char *secret)
{
    ft_secret_learn(call->f->secrets, secret);
}

static int host_budget(struct ft_call *call, const char *key, unsigned per_hour, void (*go)(struct ft_call *call), struct ft_err *reterr)
{
    (void)reterr;
    must_be_open(call, "budget");
    if (!per_hour)
        die(call, "budget '%s' of nothing an hour", key);
    trace(call, "budget %s", key);
    event_add(call, 0, fire_plain)->over = go;
    return 0;
}

/* ---- HTTP */

static bool ends_with(const char *text, size_t len, const char *end)
{
    size_t n = strlen(end);

    return n <= len && memcmp(text + len - n, end, n) == 0;
}

static bool url_matches(const char *url, const char *end)
{
    return !end || ends_with(url, strlen(url), end) || ends_with(url, strcspn(url, "?"), end);
}

/* The first one not used yet, or the last one used. */
#define PICK(list, matches) ({ \
    struct scripted *picked = NULL; \
    struct ft_list *pos, *tmp; \
    ft_list_each(pos, tmp, list) { \
        struct scripted *s = ft_container(pos, struct scripted, link); \
        if (!(matches)) \
            continue; \
        picked = s; \
        if (!s->used) \
            break; \
    } \
    if (picked) \
        picked->used = true; \
    picked; })

static json_t *request_json(const struct ft_http_req *req, const char *body)
{
    json_t *seen = json_object(), *headers = json_object(), *json;

    set_str(seen, "method", req->method ? req->method : "GET");
    set_str(seen, "url", req->url);
    for (const struct ft_http_header *h = req->headers; h && h->name; h++)
        json_object_set_new(headers, h->name, json_string(h->value));
    json_object_set_new(seen, "headers", headers);
    set_str(seen, "body", body);
    json = req->json ? json_deep_copy(req->json) : body ? json_loads(body, JSON_DECODE_ANY, NULL) : NULL;
    if (json)
        json_object_set_new(seen, "json", json);
    set_str(seen, "user", req->user);
    set_str(seen, "password", req->password);
    set_str(seen, "unix_socket", req->unix_socket);
    set_str(seen, "ca_file", req->ca_file);
    set_str(seen, "cert_file", req->cert_file);
    set_str(seen, "key_file", req->key_file);
    set_str(seen, "mail_from", req->mail_from);
    if (req->mail_to) {
        json_t *to = json_array();

        for (const char *const *p = req->mail_to; *p; p++)
            json_array_append_new(to, json_string(*p));
        json_object_set_new(seen, "mail_to", to);
    }
    json_object_set_new(seen, "flags", json_integer(req->flags));
    json_object_set_new(seen, "timeout_ms", json_integer(req->timeout_ms));
    return seen;
}

/* As net/ has it. */
static enum ft_class class_of(int status, bool write)
{
    switch (status) {
    case 200 ... 299: return FT_CLASS_NONE;
    case 401: case 403: case 407: return FT_DENIED;
    case 404: case 410: return FT_NOT_FOUND;
    case 409: case 412: case 423: return FT_CONFLICT;
    case 402: case 408: case 421: case 425: case 429: return FT_REFUSED;
    case 502: case 504: return write ? FT_AMBIGUOUS : FT_REFUSED;
    default: return status >= 500 ? FT_REFUSED : FT_INVALID;
    }
}

static void judge(struct ft_call *call, const struct event *event, struct ft_http_res *res)
{
    const struct fake_answer *a = event->answer;
    bool must_be_json = event->flags & FT_HTTP_JSON, writes = event->flags & (FT_HTTP_WRITE | FT_HTTP_MAIL);

    if (must_be_json && res->body_len)
        res->json = json_loadb(res->body, res->body_len, JSON_DECODE_ANY, NULL);
    if (res->body_len > event->max_bytes) {
        res->class = FT_INVALID;
        res->error = host_printf(call, "%s: the answer is over %zu bytes", event->url, event->max_bytes);
    } else if (!(event->flags & FT_HTTP_ANY_STATUS) && class_of(a->status, writes) != FT_CLASS_NONE) {
        res->class = class_of(a->status, writes);
        res->error = host_printf(call, "%s: answered %d", event->url, a->status);
    } else if (must_be_json && res->body_len && !res->json) {
        res->class = FT_INVALID;
        res->error = host_printf(call, "%s: the answer is not JSON", event->url);
    }
}

static void fire_http(struct ft_call *call, struct event *event)
{
    static const struct ft_http_header none[] = { { NULL, NULL } };
    const struct fake_answer *a = event->answer;
    struct ft_http_res res = { .size = sizeof(res), .body = "", .headers = none };

    if (!a || a->fault) {
        res.class = a ? a->fault : FT_UNREACHABLE;
        res.error = a && a->why ? a->why : host_printf(call, "%s: %s", event->url, a ? ft_class_name(a->fault) : "no answer scripted");
    } else {
        res.status = a->status;
        res.body = a->body;
        res.body_len = a->body_len;
        res.headers = a->headers ? a->headers : none;
        judge(call, event, &res);
    }
    event->answered(call, &res, event->arg);
    json_decref(res.json);
}

static int host_http(struct ft_call *call, const struct ft_http_req *given, ft_http_cb *answered, void *arg, struct ft_err *reterr)
{
    struct fake_host *f = call->f;
    const char *method;
    struct ft_http_req copy, *req = &copy;
    struct scripted *found;
    struct event *event;
    char *body;
    int r = need(call, "http", reterr);

    if (r < 0)
        return r;
    TAKE(call, req, given);
    if (ft_streq(call->entry_name, "plan") && req->flags & (FT_HTTP_WRITE | FT_HTTP_MAIL))
        die(call, "a plan that sends a write");
    method = req->method ? req->method : "GET";
    if (!req->url || !strstr(req->url, "://"))
        return ft_err_set(reterr, -EINVAL, "'%s' is no absolute URL", req->url ? req->url : "");
    body = req->json ? json_dumps(req->json, JSON_COMPACT | JSON_ENCODE_ANY) : req->body ? ft_strndup(req->body, req->body_len) : NULL;
    json_array_append_new(f->result.requests, request_json(req, body));
    trace(call, "%s %s", method, req->url);
    found = PICK(&f->answers, (!s->answer.method || ft_streq(s->answer.method, method)) && url_matches(req->url, s->answer.url)
                                  && (!s->answer.request_has || (body && strstr(body, s->answer.request_has))));
    free(body);
    call->sent_write |= (req->flags & (FT_HTTP_WRITE | FT_HTTP_MAIL)) != 0;
    event = event_add(call, found ? found->answer.after_ms : 0, fire_http);
    event->answered = answered;
    event->arg = arg;
    event->answer = found ? &found->answer : NULL;
    event->url = ft_arena_printf(call->mem, "%s %s", method, req->url);
    event->flags = req->flags;
    event->max_bytes = req->max_bytes ? req->max_bytes : 8 << 20;
    return 0;
}

static json_t *host_http_render(struct ft_call *call, const struct ft_http_req *given)
{
    struct ft_http_req req;
    json_t *rendered, *clean;

    TAKE(call, &req, given);
    rendered = ft_http_render(&req);
    clean = ft_secret_redact_json(call->f->secrets, rendered);
    json_decref(rendered);
    return clean;
}

static char *host_url_escape(struct ft_call *call, const char *text)
{
    char *escaped = ft_url_escape(text), *copy = ft_arena_strdup(call->mem, escaped);

    free(escaped);
    return copy;
}

/* ---- streams */

static void pump(struct ft_stream *stream);

static void stream_over(struct ft_stream *stream, enum ft_class class, int exit_status, const char *why)
{
    stream->over = true;
    if (stream->events.closed)
        stream->events.closed(stream->call, stream, class, exit_status, why);
}

/* True once the plugin has said what the line waits for; then what it said is used up. */
static bool heard(struct ft_stream *stream, const char *expect)
{
    const char *at = stream->matched || !expect || !stream->heard.len ? NULL : memmem(stream->heard.data, stream->heard.len, expect, strlen(expect));
    size_t used;

    if (stream->matched || !expect)
        return true;
    if (!at)
        return false;
    used = (size_t)(at - stream->heard.data) + strlen(expect);
    memmove(stream->heard.data, stream->heard.data + used, stream->heard.len - used + 1);
    stream->heard.len -= used;
    stream->matched = true;
    return true;
}

static bool in_messages(const struct ft_stream *stream)
{
    return ft_streq(stream->kind, "udp") || ft_streq(stream->kind, "websocket");
}

static void deliver(struct ft_stream *stream, const struct fake_line *line)
{
    size_t left = line->send ? line->send_len - stream->sent : 0, n = left;
    const char *text = line->send ? line->send + stream->sent : "";

    if (stream->dialogue->chunk && !in_messages(stream))
        n = ft_min(n, stream->dialogue->chunk);
    stream->sent += n;
    if (n == left) {
        stream->line++;
        stream->sent = 0;
        stream->matched = stream->waited = false;
    }
    pump(stream);
    if (n && stream->events.data)
        stream->events.data(stream->call, stream, text, n, line->is_stderr);
}

static void fire_stream(struct ft_call *call, struct event *event)
{
    struct ft_stream *stream = event->stream;
    const struct fake_dialogue *d = stream->dialogue;
    const struct fake_line *line;

    (void)call;
    stream->pumping = false;
    if (stream->closed || stream->over)
        return;
    if (!d || d->refuse) {
        stream_over(stream, d ? d->refuse : FT_UNREACHABLE, -1, d && d->why ? d->why : stream->why);
        return;
    }
    if (!stream->opened) {
        stream->opened = true;
        pump(stream);
        if (stream->events.opened)
            stream->events.opened(call, stream);
        return;
    }
    line = d->lines ? &d->lines[stream->line] : NULL;
    if (line && (line->expect || line->send)) {
        if (!heard(stream, line->expect))
            return;
        if (line->after_ms && !stream->waited) {
            stream->waited = stream->pumping = true;
            event_add(call, line->after_ms, fire_stream)->stream = stream;
        } else {
            deliver(stream, line);
        }
    } else if (!d->stays_open && !d->answer) {
        stream_over(stream, d->close_class, d->close_class ? -1 : d->exit_status, d->why ? d->why : "closed by the other side");
    }
}

static void pump(struct ft_stream *stream)
{
    if (stream->pumping || stream->over)
        return;
    stream->pumping = true;
    event_add(stream->call, 0, fire_stream)->stream = stream;
}

static struct ft_stream *stream_new(struct ft_call *call, const char *kind, const char *host, unsigned port, const char *command,
                                    const struct ft_stream_events *events)
{
    struct ft_stream *stream = ft_arena_alloc(call->mem, sizeof(*stream));
    struct scripted *found = PICK(&call->f->dialogues, ft_streq(s->dialogue.kind, kind)
                                  && (!s->dialogue.host || ft_streq(s->dialogue.host, host))
                                  && (!s->dialogue.command || (command && strstr(command, s->dialogue.command))));

    stream->call = call;
    stream->kind = kind;
    stream->events = *events;
    stream->dialogue = found ? &found->dialogue : NULL;
    stream->why = ft_arena_printf(call->mem, "%s %s: %s", kind, host, found ? ft_class_name(found->dialogue.refuse) : "no dialogue scripted");
    stream->heard = FT_BUF_INIT(0);
    stream->all = FT_BUF_INIT(0);
    stream->seen = json_object();
    set_str(stream->seen, "kind", kind);
    set_str(stream->seen, "host", host);
    json_object_set_new(stream->seen, "port", json_integer(port));
    set_str(stream->seen, "command", command);
    set_str(stream->seen, "sent", "");
    set_str(stream->seen, "sent_hex", "");
    json_object_set_new(stream->seen, "writes", json_array());
    json_array_append_new(call->f->result.streams, stream->seen);
    ft_list_append(&call->streams, &stream->link);
    trace(call, "%s %s%s%s", kind, host, command ? ": " : "", command ? command : "");
    pump(stream);
    return stream;
}

static json_t *jump_json(struct ft_call *call, const struct ft_ssh_req *given)
{
    struct ft_ssh_req req;
    json_t *seen = json_object();

    TAKE(call, &req, given);
    if (!req.host || !req.user || !req.known_hosts)
        die(call, "asked for a jump host without host, user or known_hosts");
    set_str(seen, "host", req.host);
    json_object_set_new(seen, "port", json_integer(req.port ? req.port : 22));
    set_str(seen, "user", req.user);
    if (req.jump)
        json_object_set_new(seen, "jump", jump_json(call, req.jump));
    return seen;
}

static int host_ssh(struct ft_call *call, const struct ft_ssh_req *given, const struct ft_stream_events *events,
                    struct ft_stream **ret_stream, struct ft_err *reterr)
{
    struct ft_ssh_req req;
    int r = need(call, "ssh", reterr);

    if (r < 0)
        return r;
    TAKE(call, &req, given);
    if (!req.host || !req.user || !req.known_hosts)
        return ft_err_set(reterr, -EINVAL, "an SSH request needs host, user and known_hosts");
    *ret_stream = stream_new(call, "ssh", req.host, req.port ? req.port : 22, req.command, events);
    set_str((*ret_stream)->seen, "user", req.user);
    if (req.fresh)
        json_object_set_new((*ret_stream)->seen, "fresh", json_true());
    if (req.jump)
        json_object_set_new((*ret_stream)->seen, "jump", jump_json(call, req.jump));
    return 0;
}

static int host_tcp(struct ft_call *call, const struct ft_tcp_req *given, const struct ft_stream_events *events,
                    struct ft_stream **ret_stream, struct ft_err *reterr)
{
    struct ft_tcp_req req;
    json_t *seen;
    int r = need(call, "tcp", reterr);

    if (r < 0)
        return r;
    TAKE(call, &req, given);
    if (!req.host || !*req.host || !req.port)
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "a TCP connection needs a host and a port");
    *ret_stream = stream_new(call, "tcp", req.host, req.port, NULL, events);
    seen = (*ret_stream)->seen;
    if (req.tls)
        json_object_set_new(seen, "tls", json_true());
    if (req.tls && req.no_verify)
        json_object_set_new(seen, "no_verify", json_true());
    set_str(seen, "server_name", req.server_name);
    set_str(seen, "ca_file", req.ca_file);
    set_str(seen, "cert_file", req.cert_file);
    set_str(seen, "key_file", req.key_file);
    return 0;
}

static int host_udp(struct ft_call *call, const struct ft_udp_req *given, const struct ft_stream_events *events,
                    struct ft_stream **ret_stream, struct ft_err *reterr)
{
    struct ft_udp_req req;
    int r = need(call, "udp", reterr);

    if (r < 0)
        return r;
    TAKE(call, &req, given);
    if (!req.host || !*req.host || !req.port)
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "datagrams need a host and a port");
    *ret_stream = stream_new(call, "udp", req.host, req.port, NULL, events);
    set_str((*ret_stream)->seen, "local_host", req.local_host);
    if (req.local_port)
        json_object_set_new((*ret_stream)->seen, "local_port", json_integer(req.local_port));
    return 0;
}

static int host_websocket(struct ft_call *call, const struct ft_ws_req *given, const struct ft_stream_events *events,
                          struct ft_stream **ret_stream, struct ft_err *reterr)
{
    struct ft_ws_req req;
    json_t *seen, *headers;
    int r = need(call, "websocket", reterr);

    if (r < 0)
        return r;
    TAKE(call, &req, given);
    if (!req.url || (strncmp(req.url, "ws://", 5) != 0 && strncmp(req.url, "wss://", 6) != 0))
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "'%s' is no ws:// or wss:// URL", req.url ? req.url : "");
    *ret_stream = stream_new(call, "websocket", req.url, 0, NULL, events);
    seen = (*ret_stream)->seen;
    json_object_del(seen, "port");
    headers = json_object();
    for (const struct ft_http_header *h = req.headers; h && h->name; h++)
        json_object_set_new(headers, h->name, json_string(h->value));
    json_object_set_new(seen, "headers", headers);
    set_str(seen, "subprotocol", req.subprotocol);
    set_str(seen, "ca_file", req.ca_file);
    if (req.no_verify)
        json_object_set_new(seen, "no_verify", json_true());
    return 0;
}

static void fire_reply(struct ft_call *call, struct event *event)
{
    struct ft_stream *stream = event->stream;
    const struct fake_dialogue *d = stream->dialogue;

    if (stream->closed || stream->over)
        return;
    if (!event->bytes)
        stream_over(stream, d->close_class, d->close_class ? -1 : d->exit_status, d->why ? d->why : "closed by the other side");
    else if (stream->events.data)
        stream->events.data(call, stream, event->bytes, event->len, false);
}

static void reply_add(struct ft_stream *stream, const char *bytes, size_t len)
{
    struct event *event = event_add(stream->call, stream->dialogue->answer_ms, fire_reply);

    event->stream = stream;
    event->bytes = bytes ? bytes_copy(stream->call->mem, bytes, len) : NULL;
    event->len = len;
}

static void answer(struct ft_stream *stream, const char *bytes, size_t len)
{
    static char reply[65536];
    const struct fake_dialogue *d = stream->dialogue;
    size_t n = d->answer(d->answer_arg, bytes, len, reply, sizeof(reply)), chunk = d->chunk && !in_messages(stream) ? d->chunk : sizeof(reply);

    if (n == FAKE_CLOSES) {
        reply_add(stream, NULL, 0);
        return;
    }
    if (n > sizeof(reply))
        die(stream->call, "the test's answer has %zu bytes, and %zu is the most", n, sizeof(reply));
    for (size_t at = 0; at < n; at += chunk)
        reply_add(stream, reply + at, ft_min(chunk, n - at));
}

static void show_write(struct ft_stream *stream, const char *bytes, size_t len)
{
    json_t *pair = json_object();

    ft_buf_add(&stream->all, bytes, len);
    set_bytes(stream->seen, "sent", stream->all.data, stream->all.len);
    set_hex(stream->seen, "sent_hex", stream->all.data, stream->all.len);
    set_hex(pair, "write", bytes, len);
    json_array_append(json_object_get(stream->seen, "writes"), json_object_get(pair, "write"));
    json_decref(pair);
}

static int host_stream_write(struct ft_stream *stream, const char *bytes, size_t len, struct ft_err *reterr)
{
    if (stream->closed)
        die(stream->call, "wrote to a stream that it had closed");
    if (stream->over)
        return ft_err_set(reterr, -EPIPE, "the stream was closed by the other side");
    ft_buf_add(&stream->heard, bytes, len);
    show_write(stream, bytes, len);
    stream->call->sent_write = true;
    if (stream->dialogue && !stream->dialogue->refuse && stream->dialogue->answer)
        answer(stream, bytes, len);
    pump(stream);
    return 0;
}

static void host_stream_eof(struct ft_stream *stream)
{
    json_object_set_new(stream->seen, "eof", json_true());
}

static void host_stream_close(struct ft_stream *stream)
{
    if (stream->closed)
        die(stream->call, "closed a stream twice");
    stream->closed = true;
}

/* ---- child processes and blocking work */

static void fire_exec(struct ft_call *call, struct event *event)
{
    const struct fake_exec *e = event->exec;
    struct ft_exec_res res = { .size = sizeof(res), .exit_status = e ? e->exit_status : -1, .out = "", .err = "" };

    if (!e || e->fault) {
        res.class = e ? e->fault : FT_NOT_FOUND;
        res.error = e && e->why ? e->why : "no such command scripted";
    } else {
        res.out = e->out ? e->out : "";
        res.err = e->err ? e->err : "";
    }
    res.out_len = strlen(res.out);
    res.err_len = strlen(res.err);
    if (!res.error && ft_max(res.out_len, res.err_len) > event->max_output) {
        res.class = FT_INVALID;
        res.error = "the command wrote more than allowed";
    }
    event->exited(call, &res);
}

static int host_exec(struct ft_call *call, const struct ft_exec_req *req, void (*exited)(struct ft_call *call, const struct ft_exec_res *res),
                     struct ft_err *reterr)
{
    struct ft_buf line = FT_BUF_INIT(0);
    json_t *seen, *argv = json_array();
    struct scripted *found;
    struct event *event;
    int r = need(call, "exec", reterr);

    if (r < 0) {
        json_decref(argv);
        return r;
    }
    for (const char *const *p = req->argv; *p; p++) {
        ft_buf_addf(&line, "%s%s", line.len ? " " : "", *p);
        json_array_append_new(argv, json_string(*p));
    }
    seen = json_pack("{s:o}", "argv", argv);
    if (req->input)
        json_object_set_new(seen, "input", json_stringn(req->input, req->input_len));
    json_array_append_new(call->f->result.execs, seen);
    trace(call, "exec %s", ft_buf_str(&line));
    found = PICK(&call->f->execs, !s->exec.command || strstr(ft_buf_str(&line), s->exec.command));
    ft_buf_done(&line);
    call->sent_write = true;
    event = event_add(call, 0, fire_exec);
    event->exited = exited;
    event->exec = found ? &found->exec : NULL;
    event->max_output = req->max_output ? req->max_output : 1 << 20;
    return 0;
}

static void fire_work(struct ft_call *call, struct event *event)
{
    if (event->after)
        event->after(call, event->job);
}

static int host_work(struct ft_call *call, void *job, void (*blocking)(void *job), void (*after)(struct ft_call *call, void *job),
                     void (*release)(void *job), struct ft_err *reterr)
{
    struct event *event;
    struct job *kept;
    int r = need(call, "work", reterr);

    if (r < 0)
        return r;
    trace(call, "work");
    blocking(job);
    event = event_add(call, 0, fire_work);
    event->after = after;
    event->job = job;
    kept = ft_arena_alloc(call->mem, sizeof(*kept));
    kept->job = job;
    kept->release = release;
    ft_list_append(&call->jobs, &kept->link);
    return 0;
}

/* ---- files */

static struct file *file_of(struct fake_host *f, const char *path)
{
    struct ft_list *pos, *tmp;

    ft_list_each(pos, tmp, &f->files)
        if (ft_streq(ft_container(pos, struct file, link)->path, path))
            return ft_container(pos, struct file, link);
    return NULL;
}

static char *file_path(struct fake_host *f, const char *path)
{
    return *path == '/' ? ft_arena_strdup(f->script, path) : ft_arena_printf(f->script, "/fake/files/%s", path);
}

static struct file *file_add(struct fake_host *f, const char *path, const void *bytes, size_t len)
{
    struct file *file = ft_arena_alloc(f->script, sizeof(*file));

    file->path = file_path(f, path);
    file->bytes = bytes_copy(f->script, bytes, len);
    file->len = len;
    ft_list_append(&f->files, &file->link);
    return file;
}

void fake_file(struct fake_host *f, const char *path, const void *bytes, size_t len)
{
    if (file_of(f, file_path(f, path)))
        die(NULL, "the file %s is there already", path);
    file_add(f, path, bytes, len);
}

void fake_file_fault(struct fake_host *f, const char *path, enum ft_class class, const char *why)
{
    struct file *file = file_of(f, file_path(f, path));

    if (!file)
        file = file_add(f, path, "", 0);
    file->fault = class;
    file->why = ft_arena_strdup(f->script, why);
}

static void file_error(struct ft_file_res *res, struct ft_call *call, enum ft_class class, const char *why)
{
    res->class = class;
    res->error = host_printf(call, "the file %s: %s", res->path, why);
}

static void show_file(struct ft_call *call, const struct file *file, const char *sha256)
{
    json_t *seen = json_object();

    set_str(seen, "path", file->path);
    json_object_set_new(seen, "len", json_integer((json_int_t)file->len));
    set_bytes(seen, "text", file->bytes, file->len);
    set_hex(seen, "hex", file->bytes, file->len);
    set_str(seen, "sha256", sha256);
    json_array_append_new(call->f->result.files, seen);
}

static void fire_write(struct ft_call *call, struct event *event)
{
    struct ft_file_job *job = event->file_job;
    struct ft_file_res res = { .size = sizeof(res), .path = job->path, .len = job->len };
    struct file *file = file_of(call->f, job->path);

    ft_sha256_hex(job->bytes, job->len, res.sha256);
    if (file && file->fault) {
        file_error(&res, call, file->fault, file->why);
    } else if (file && (file->len != job->len || memcmp(file->bytes, job->bytes, job->len) != 0)) {
        file_error(&res, call, FT_CONFLICT, "it is there already, with another content");
    } else if (!file) {
        show_file(call, file_add(call->f, job->path, job->bytes, job->len), res.sha256);
        call->sent_write = true;
    }
    event->file(call, &res);
}

static void fire_read(struct ft_call *call, struct event *event)
{
    struct ft_file_job *job = event->file_job;
    struct ft_file_res res = { .size = sizeof(res), .path = job->path };
    struct file *file = file_of(call->f, job->path);

    if (!file || file->fault) {
        file_error(&res, call, file ? file->fault : FT_NOT_FOUND, file ? file->why : "there is no such file");
    } else if (file->len > job->max) {
        file_error(&res, call, FT_INVALID, "it is too large");
    } else {
        res.bytes = file->bytes;
        res.len = file->len;
        ft_sha256_hex(file->bytes, file->len, res.sha256);
    }
    event->file(call, &res);
}

static void release_file(void *job)
{
    ft_file_job_free(job);
}

static int file_start(struct ft_call *call, const char *path, struct ft_file_job **ret, struct ft_err *reterr)
{
    struct job *kept;
    int r = need(call, "file", reterr);

    if (r == 0)
        r = ft_file_job_new("/fake", path, ret, reterr);
    if (r < 0)
        return r;
    kept = ft_arena_alloc(call->mem, sizeof(*kept));
    kept->job = *ret;
    kept->release = release_file;
    ft_list_append(&call->jobs, &kept->link);
    return 0;
}

static int host_file_write(struct ft_call *call, const char *path, const void *bytes, size_t len, ft_file_cb *written, struct ft_err *reterr)
{
    struct ft_file_job *job;
    struct event *event;
    int r = file_start(call, path, &job, reterr);

    if (r < 0)
        return r;
    job->bytes = ft_calloc(1, len + 1);
    memcpy(job->bytes, len ? bytes : "", len);
    job->len = len;
    if (ft_streq(call->entry_name, "plan"))
        die(call, "a plan that writes a file");
    trace(call, "file_write %s", path);
    event = event_add(call, 0, fire_write);
    event->file = written;
    event->file_job = job;
    return 0;
}

static int host_file_read(struct ft_call *call, const char *path, size_t max_bytes, ft_file_cb *read, struct ft_err *reterr)
{
    struct ft_file_job *job;
    struct event *event;
    int r = file_start(call, path, &job, reterr);

    if (r < 0)
        return r;
    job->max = max_bytes ? max_bytes : 16 << 20;
    trace(call, "file_read %s", path);
    event = event_add(call, 0, fire_read);
    event->file = read;
    event->file_job = job;
    return 0;
}

static bool host_pending(struct ft_call *call, uint64_t ms)
{
    trace(call, "pending %" PRIu64, ms);
    return call->f->confirms;
}

static const json_t *host_left(struct ft_call *call, const char *key)
{
    return call->entry == &call->action->plan ? json_object_get(call->f->left, key) : NULL;
}

static const json_t *host_result(struct ft_call *call)
{
    return call->f->given;
}

static const struct ft_host table = {
    .abi_major = FT_ABI_MAJOR, .abi_minor = FT_ABI_MINOR, .size = sizeof(table),
    .done = host_done, .fail = host_fail, .params = host_params, .receipt = host_receipt, .config = host_config, .state = host_state,
    .instance = host_instance, .remaining_ms = host_remaining_ms, .run_id = host_run_id, .keep = host_keep, .progress = host_progress,
    .alloc = host_alloc, .printf = host_printf, .wall_ms = host_wall_ms, .timer = host_timer, .log = host_log, .redact = host_redact,
    .http = host_http, .http_render = host_http_render, .url_escape = host_url_escape, .ssh = host_ssh, .tcp = host_tcp,
    .stream_write = host_stream_write, .stream_eof = host_stream_eof, .stream_close = host_stream_close, .exec = host_exec,
    .work = host_work, .budget = host_budget, .udp = host_udp, .websocket = host_websocket, .file_write = host_file_write, .file_read = host_file_read,
    .pending = host_pending, .result = host_result, .left = host_left,
};

/* ---- the plugin */

static char *plugin_path(const char *name)
{
    const char *build = getenv("FETTLE_BUILD");

    if (strchr(name, '/'))
        return ft_strdup(name);
    if (!build)
        die(NULL, "set FETTLE_BUILD to the build directory to find plugin '%s'", name);
    return ft_asprintf("%s/plugins/%s.so", build, name);
}

struct fake_host *fake_host_new(const char *name)
{
    struct fake_host *f = ft_calloc(1, sizeof(*f));
    char *path = plugin_path(name);

    f->name = ft_strdup(name);
    f->dl = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!f->dl)
        die(NULL, "%s", dlerror());
    f->plugin = dlsym(f->dl, "ft_plugin");
    if (!f->plugin)
        die(NULL, "%s exports no ft_plugin", path);
    free(path);
    f->secrets = ft_secrets_new();
    f->script = ft_arena_new();
    f->wall = WALL_MS;
    ft_list_init(&f->answers);
    ft_list_init(&f->dialogues);
    ft_list_init(&f->execs);
    ft_list_init(&f->files);
    return f;
}

static void result_done(struct fake_host *f)
{
    struct fake_result *r = &f->result;
    json_t *all[] = { r->result, r->kept, r->requests, r->streams, r->files, r->execs, r->progress, r->logged, r->trace };

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        json_decref(all[i]);
    free(f->error);
    f->error = NULL;
    f->result = (struct fake_result){ 0 };
}

struct fake_host *fake_host_free(struct fake_host *f)
{
    if (!f)
        return NULL;
    if (f->open && f->plugin->close)
        f->plugin->close(f->instance);
    result_done(f);
    json_decref(f->config);
    json_decref(f->given);
    json_decref(f->left);
    ft_secrets_free(f->secrets);
    ft_arena_free(f->script);
    free(f->name);
    dlclose(f->dl);
    free(f);
    return NULL;
}

const struct ft_plugin *fake_plugin(const struct fake_host *f)
{
    return f->plugin;
}

void fake_config(struct fake_host *f, const char *json)
{
    if (f->open)
        die(NULL, "fake_config comes before the first fake_run");
    json_decref(f->config);
    f->config = parse(json, "the configuration");
}

void fake_wall(struct fake_host *f, uint64_t wall_ms) { f->wall = wall_ms - f->now; }
void fake_timeout(struct fake_host *f, unsigned ms) { f->timeout_ms = ms; }

void fake_cancel_after(struct fake_host *f, uint64_t ms)
{
    f->cancels = true;
    f->cancel_after = ms;
}

void fake_left(struct fake_host *f, const json_t *left)
{
    json_decref(f->left);
    f->left = json_incref((json_t *)left);
}

void fake_confirms(struct fake_host *f, bool confirms, const char *result)
{
    f->confirms = confirms;
    json_decref(f->given);
    f->given = result ? parse(result, "result") : NULL;
}

/* ---- the script */

static struct scripted *scripted_add(struct fake_host *f, struct ft_list *list)
{
    struct scripted *s = ft_arena_alloc(f->script, sizeof(*s));

    ft_list_append(list, &s->link);
    return s;
}

static const struct ft_http_header *headers_copy(struct fake_host *f, const struct ft_http_header *headers)
{
    struct ft_http_header *copy;
    size_t n = 0;

    if (!headers)
        return NULL;
    while (headers[n].name)
        n++;
    copy = ft_arena_alloc(f->script, (n + 1) * sizeof(*copy));
    for (size_t i = 0; i < n; i++)
        copy[i] = (struct ft_http_header){ ft_arena_strdup(f->script, headers[i].name), ft_arena_strdup(f->script, headers[i].value) };
    return copy;
}

void fake_http(struct fake_host *f, const struct fake_answer *answer)
{
    struct fake_answer *a = &scripted_add(f, &f->answers)->answer;
    char *body;

    *a = *answer;
    a->method = ft_arena_strdup(f->script, a->method);
    a->url = ft_arena_strdup(f->script, a->url);
    a->request_has = ft_arena_strdup(f->script, a->request_has);
    a->why = ft_arena_strdup(f->script, a->why);
    a->headers = headers_copy(f, a->headers);
    if (!a->body_len)
        a->body_len = a->body ? strlen(a->body) : 0;
    body = bytes_copy(f->script, a->body, a->body_len);
    if ((*body == '{' || *body == '[') && !memchr(body, '"', a->body_len))
        for (char *p = body; *p; p++)
            if (*p == '\'')
                *p = '"';
    a->body = body;
}

static struct fake_line line_copy(struct fake_host *f, const struct fake_line *line)
{
    struct fake_line copy = *line;

    if (copy.send && !copy.send_len)
        copy.send_len = strlen(copy.send);
    copy.expect = ft_arena_strdup(f->script, copy.expect);
    copy.send = copy.send ? bytes_copy(f->script, copy.send, copy.send_len) : NULL;
    return copy;
}

void fake_stream(struct fake_host *f, const struct fake_dialogue *dialogue)
{
    struct fake_dialogue *d = &scripted_add(f, &f->dialogues)->dialogue;
    struct fake_line *lines;
    size_t n = 0;

    *d = *dialogue;
    d->kind = ft_arena_strdup(f->script, d->kind);
    d->host = ft_arena_strdup(f->script, d->host);
    d->command = ft_arena_strdup(f->script, d->command);
    d->why = ft_arena_strdup(f->script, d->why);
    while (d->lines && (d->lines[n].expect || d->lines[n].send))
        n++;
    lines = ft_arena_alloc(f->script, (n + 1) * sizeof(*lines));
    for (size_t i = 0; i < n; i++)
        lines[i] = line_copy(f, &d->lines[i]);
    d->lines = lines;
}

void fake_exec(struct fake_host *f, const struct fake_exec *exec)
{
    struct fake_exec *e = &scripted_add(f, &f->execs)->exec;

    *e = *exec;
    e->command = ft_arena_strdup(f->script, e->command);
    e->out = ft_arena_strdup(f->script, e->out);
    e->err = ft_arena_strdup(f->script, e->err);
    e->why = ft_arena_strdup(f->script, e->why);
}

/* ---- one call */

static void learn(void *arg, const char *text)
{
    ft_secret_learn(arg, text);
}

static int check(const json_t *schema_json, const json_t *value, const char *what, json_t **ret_filled, struct ft_err *reterr)
{
    struct ft_schema *schema = NULL;
    int r = ft_schema_compile(schema_json, &schema, reterr);

    if (r < 0)
        die(NULL, "%s: broken schema: %s", what, reterr->text);
    if (ret_filled)
        *ret_filled = ft_schema_fill(schema, value);
    r = ft_schema_require(schema, ret_filled ? *ret_filled : value, what, reterr);
    ft_schema_free(schema);
    return r;
}

static int open_plugin(struct fake_host *f, struct ft_err *reterr)
{
    json_t *schema = parse(f->plugin->config_schema, "config_schema"), *open = ft_config_schema(schema), *filled = NULL;
    int r;

    if (!f->config)
        f->config = json_object();
    ft_config_each_secret(schema, f->config, learn, f->secrets);
    r = check(open, f->config, "plugins section", &filled, reterr);
    json_decref(f->config);
    f->config = filled;
    if (r == 0 && f->plugin->open)
        r = f->plugin->open(&table, f->config, &f->instance, reterr);
    f->open = r == 0;
    json_decref(open);
    json_decref(schema);
    return r;
}

static void result_new(struct fake_host *f)
{
    struct fake_result *r = &f->result;

    result_done(f);
    r->requests = json_array();
    r->streams = json_array();
    r->files = json_array();
    r->execs = json_array();
    r->progress = json_array();
    r->logged = json_array();
    r->trace = json_array();
}

static void find_entry(struct fake_host *f, struct ft_call *call, const char *action, const char *entry)
{
    for (const struct ft_action *const *p = f->plugin->actions; *p; p++)
        if (ft_streq((*p)->name, action))
            call->action = *p;
    if (!call->action)
        die(NULL, "plugin '%s' has no action '%s'", f->plugin->name, action);
    call->entry_name = entry;
    call->entry = ft_streq(entry, "run") ? &call->action->run : ft_streq(entry, "plan") ? &call->action->plan
                : ft_streq(entry, "undo") ? &call->action->undo : ft_streq(entry, "probe") ? &call->action->probe
                : ft_streq(entry, "confirm") && call->action->size >= sizeof(*call->action) ? &call->action->confirm : NULL;
    if (!call->entry || !call->entry->start)
        die(NULL, "action '%s' has no entry '%s'", action, entry);
}

static void fire_cancel(struct ft_call *call, struct event *event)
{
    (void)event;
    if (call->entry->cancel)
        call->entry->cancel(call);
    if (call->ended)
        return;
    call->ended = true;
    fail_text(call, FT_CANCELLED, "cancelled");
}

/* The host's own end of a call whose time is over: what it had sent may have happened. */
static void deadline(struct ft_call *call)
{
    bool writes = (call->action->effects & FT_EFFECT_MASK) != FT_EFFECT_READ && call->sent_write
                  && (call->entry == &call->action->run || call->entry == &call->action->undo || call->entry == &call->action->confirm);
    char text[200];

    call->f->now = call->deadline;
    trace(call, "deadline");
    if (call->entry->cancel)
        call->entry->cancel(call);
    if (call->ended)
        return;
    call->ended = true;
    snprintf(text, sizeof(text), "%s.%s did not end in time", call->f->plugin->name, call->action->name);
    fail_text(call, writes ? FT_AMBIGUOUS : FT_TIMEOUT, text);
}

static void run_to_end(struct ft_call *call)
{
    unsigned count = 0;

    while (!call->ended) {
        struct event *next = ft_list_empty(&call->events) ? NULL : ft_container(call->events.next, struct event, link);

        if (!next || next->at > call->deadline) {
            deadline(call);
            return;
        }
        if (++count > MAX_EVENTS)
            die(call, "went on for ever without moving the clock");
        call->f->now = ft_max(call->f->now, next->at);
        ft_list_remove(&next->link);
        next->fire(call, next);
    }
}

static void check_result(struct ft_call *call)
{
    struct ft_err err = { 0 };
    json_t *schema = NULL;
    int r = 0;

    if (!call->ok)
        return;
    if (call->entry == &call->action->run)
        schema = parse(call->action->result_schema, "result_schema");
    else if (call->entry == &call->action->plan)
        schema = parse("{'type': 'object', 'required': ['summary'], 'properties': {'summary': {'type': 'string'}, 'requests': {'type': 'array'},"
                       "'changes': {'type': 'array'}, 'users': {'type': 'integer'}, 'nothing_to_do': {'type': 'boolean'},"
                       "'reverts': {'type': 'object', 'required': ['after_s']}, 'no_undo': {'type': 'string'}, 'notes': {'type': 'array'}}}", "plan");
    else if (call->entry == &call->action->probe)
        schema = parse("{'type': 'object', 'required': ['happened'], 'properties': {'happened': {'type': 'boolean'}, 'pending': {'type': 'boolean'}}}", "probe");
    if (schema)
        r = check(schema, call->result, "result", NULL, &err);
    json_decref(schema);
    if (r == 0 && call->entry == &call->action->probe && json_object_get(call->result, "result")) {
        schema = parse(call->action->result_schema, "result_schema");
        r = check(schema, json_object_get(call->result, "result"), "the probe's result", NULL, &err);
        json_decref(schema);
    }
    if (r < 0)
        fail_text(call, FT_INVALID, err.text);
}

static void start(struct ft_call *call)
{
    struct ft_err err = { 0 };
    int r = call->entry->start(call, &err);

    if (r >= 0)
        return;
    if (call->ended)
        die(call, "ended inside a start that then returned %d", r);
    call->ended = true;
    fail_text(call, err.class ? err.class : FT_INVALID, err.text[0] ? err.text : strerror(-r));
    if (!err.text[0])
        die(call, "start returned %d without a sentence", r);
}

static void hand_over(struct ft_call *call)
{
    struct fake_result *r = &call->f->result;
    char *clean = call->ok ? NULL : ft_secret_redact(call->f->secrets, call->error);

    call->f->error = clean ? clean : ft_strdup(call->ok ? "" : call->error);
    r->ok = call->ok;
    r->class = call->class;
    r->error = call->f->error;
    if (call->ok)
        r->result = json_incref(call->result);
}

static void call_done(struct ft_call *call)
{
    struct ft_list *pos, *tmp;

    ft_list_each(pos, tmp, &call->jobs) {
        struct job *job = ft_container(pos, struct job, link);

        if (job->release)
            job->release(job->job);
    }
    ft_list_each(pos, tmp, &call->streams) {
        ft_buf_done(&ft_container(pos, struct ft_stream, link)->heard);
        ft_buf_done(&ft_container(pos, struct ft_stream, link)->all);
    }
    json_decref(call->params);
    json_decref(call->receipt);
    json_decref(call->result);
    free(call->state);
    ft_arena_free(call->mem);
}

static int prepare(struct ft_call *call, const char *params, const char *receipt, struct ft_err *reterr)
{
    json_t *given = parse(params, "the parameters"), *schema = parse(call->action->params_schema, "params_schema");
    int r = call->f->open ? 0 : open_plugin(call->f, reterr);

    if (r == 0)
        r = check(schema, given, "parameters", &call->params, reterr);
    json_decref(schema);
    json_decref(given);
    call->receipt = receipt ? parse(receipt, "the receipt") : NULL;
    call->state = call->action->state_size ? ft_calloc(1, call->action->state_size) : NULL;
    return r;
}

const struct fake_result *fake_run(struct fake_host *f, const char *action, const char *entry, const char *params, const char *receipt)
{
    struct ft_call call = { .f = f, .mem = ft_arena_new() };
    struct ft_err err = { 0 };
    uint64_t began = f->now;

    ft_list_init(&call.events);
    ft_list_init(&call.streams);
    ft_list_init(&call.jobs);
    find_entry(f, &call, action, entry);
    result_new(f);
    call.deadline = f->now + (f->timeout_ms ? f->timeout_ms : call.action->timeout_ms ? call.action->timeout_ms : 30000);
    if (prepare(&call, params, receipt, &err) < 0) {
        fail_text(&call, err.class ? err.class : FT_INVALID, err.text);
    } else {
        if (f->cancels)
            event_add(&call, f->cancel_after, fire_cancel);
        start(&call);
        run_to_end(&call);
        check_result(&call);
    }
    f->cancels = false;
    hand_over(&call);
    f->result.took_ms = f->now - began;
    call_done(&call);
    return &f->result;
}
