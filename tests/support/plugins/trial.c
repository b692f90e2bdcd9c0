/* trial.c: a plugin for the tests of the host: `what` says what to do with it, well or badly. The actions `read` and `write` do the same. */
#include <fettle/plugin.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct ft_host *host;
static int late;                     /* callbacks that came after the end of their call */
static int released;                 /* jobs */

struct state { bool ended; int ticks; struct ft_stream *stream; size_t heard; char text[256]; };

static const char *str(struct ft_call *call, const char *key)
{
    return json_string_value(json_object_get(host->params(call), key));
}

static json_int_t num(struct ft_call *call, const char *key)
{
    return json_integer_value(json_object_get(host->params(call), key));
}

static void end(struct ft_call *call, json_t *result)
{
    struct state *st = host->state(call);

    st->ended = true;
    host->done(call, result);
}

static void noticed(struct ft_call *call)
{
    struct state *st = host->state(call);

    late += st->ended;
}

static void tick(struct ft_call *call)
{
    struct state *st = host->state(call);

    noticed(call);
    if (++st->ticks < num(call, "n")) {
        host->progress(call, "%d of %d", st->ticks, (int)num(call, "n"));
        host->timer(call, (uint64_t)num(call, "ms"), tick);
        return;
    }
    end(call, json_pack("{s:i}", "n", st->ticks));
}

static void go(struct ft_call *call)
{
    struct state *st = host->state(call);
    struct ft_err err = { 0 };

    noticed(call);
    if (++st->ticks < num(call, "n") && host->budget(call, "trial", 3600, go, &err) == 0)
        return;
    end(call, json_pack("{s:i}", "n", st->ticks));
}

static void kept(struct ft_call *call)
{
    struct state *st = host->state(call);
    json_t *receipt = (json_t *)host->receipt(call);

    noticed(call);
    /* What it was given before is still there. */
    end(call, json_pack("{s:s, s:O?}", "text", st->text, "receipt", receipt));
}

static void answered(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    noticed(call);
    if (res->error)
        host->fail(call, res->class, "%s", res->error);
    else
        end(call, json_pack("{s:i, s:s, s:s}", "n", res->status, "text", res->body, "arg", arg));
}

static void opened(struct ft_call *call, struct ft_stream *stream)
{
    struct ft_err err = { 0 };

    noticed(call);
    host->progress(call, "opened");
    if (str(call, "text"))
        host->stream_write(stream, str(call, "text"), strlen(str(call, "text")), &err);
}

static void heard(struct ft_call *call, struct ft_stream *stream, const char *bytes, size_t len, bool is_stderr)
{
    struct state *st = host->state(call);

    (void)is_stderr;
    noticed(call);
    if (len > sizeof(st->text) - 1 - st->heard)
        len = sizeof(st->text) - 1 - st->heard;
    memcpy(st->text + st->heard, bytes, len);
    st->heard += len;
    if (strchr(st->text, '!')) {
        struct ft_err err = { 0 };

        host->stream_close(stream);
        if (str(call, "mode")) {                     /* "hard": go on with a stream that is closed */
            late += host->stream_write(stream, "x", 1, &err) != -EPIPE;
            host->stream_close(stream);
        }
        end(call, json_pack("{s:s}", "text", st->text));
    }
}

static void closed(struct ft_call *call, struct ft_stream *stream, enum ft_class class, int exit_status, const char *why)
{
    struct state *st = host->state(call);

    (void)stream;
    noticed(call);
    if (class)
        host->fail(call, class, "%s", why);
    else
        end(call, json_pack("{s:s, s:i}", "text", st->text, "n", exit_status));
}

static int open_stream(struct ft_call *call, struct ft_err *reterr)
{
    static const struct ft_stream_events events = { .size = sizeof(events), .opened = opened, .data = heard, .closed = closed };
    struct ft_tcp_req req = { .size = sizeof(req), .host = "127.0.0.1", .port = (uint16_t)num(call, "n"), .connect_timeout_ms = 2000 };
    struct state *st = host->state(call);

    return host->tcp(call, &req, &events, &st->stream, reterr);
}

static int use_ssh(struct ft_call *call, struct ft_err *reterr)
{
    static const struct ft_stream_events events = { .size = sizeof(events), .closed = closed };
    struct ft_ssh_req req = { .size = sizeof(req), .host = "127.0.0.1", .user = "u", .known_hosts = "/dev/null" };
    struct state *st = host->state(call);

    return host->ssh(call, &req, &events, &st->stream, reterr);
}

static int open_udp(struct ft_call *call, struct ft_err *reterr)
{
    static const struct ft_stream_events events = { .size = sizeof(events), .data = heard, .closed = closed };
    struct ft_udp_req req = { .size = sizeof(req), .host = "127.0.0.1", .port = (uint16_t)num(call, "n") };
    struct state *st = host->state(call);
    int r = host->udp(call, &req, &events, &st->stream, reterr);

    return r < 0 ? r : host->stream_write(st->stream, str(call, "text"), strlen(str(call, "text")), reterr);
}

static int open_websocket(struct ft_call *call, struct ft_err *reterr)
{
    static const struct ft_stream_events events = { .size = sizeof(events), .opened = opened, .data = heard, .closed = closed };
    static const struct ft_http_header headers[] = { { "Authorization", "Token sesame-open" }, { NULL, NULL } };
    char url[64];
    struct ft_ws_req req = { .size = sizeof(req), .url = url, .headers = headers };
    struct state *st = host->state(call);

    snprintf(url, sizeof(url), "ws://127.0.0.1:%d/stream", (int)num(call, "n"));
    return host->websocket(call, &req, &events, &st->stream, reterr);
}

/* As a plugin asks that knows the interface 1.0 only: behind its request lies something else. */
static int open_old(struct ft_call *call, struct ft_err *reterr)
{
    static const struct ft_stream_events events = { .size = sizeof(events), .opened = opened, .data = heard, .closed = closed };
    struct ft_tcp_req req;
    struct state *st = host->state(call);

    memset(&req, 0xee, sizeof(req));
    req.size = offsetof(struct ft_tcp_req, tls);
    req.host = "127.0.0.1";
    req.port = (uint16_t)num(call, "n");
    req.connect_timeout_ms = 2000;
    return host->tcp(call, &req, &events, &st->stream, reterr);
}

static int ask_without_size(struct ft_call *call, struct ft_err *reterr)
{
    struct ft_udp_req req = { .host = "127.0.0.1", .port = 9 };
    struct state *st = host->state(call);

    return host->udp(call, &req, NULL, &st->stream, reterr);
}

static void file_done(struct ft_call *call, const struct ft_file_res *res)
{
    noticed(call);
    if (res->error)
        host->fail(call, res->class, "%s", res->error);
    else if (str(call, "mode"))                           /* "soft": and wait */
        host->progress(call, "written");
    else
        end(call, json_pack("{s:s, s:s, s:s, s:i}", "path", res->path, "text", res->bytes ? res->bytes : "", "sha256", res->sha256, "n", (int)res->len));
}

static int use_file(struct ft_call *call, bool write, struct ft_err *reterr)
{
    const char *text = str(call, "text") ? str(call, "text") : "";

    if (write)
        return host->file_write(call, str(call, "path"), text, strlen(text), file_done, reterr);
    return host->file_read(call, str(call, "path"), (size_t)num(call, "n"), file_done, reterr);
}

static void exited(struct ft_call *call, const struct ft_exec_res *res)
{
    noticed(call);
    if (res->error)
        host->fail(call, res->class, "%s", res->error);
    else
        end(call, json_pack("{s:i, s:s}", "n", res->exit_status, "text", res->out));
}

static int run_program(struct ft_call *call, struct ft_err *reterr)
{
    const char *argv[] = { "sh", "-c", str(call, "text"), NULL };
    struct ft_exec_req req = { .size = sizeof(req), .argv = argv, .input = "given", .input_len = 5, .max_output = 1000 };

    return host->exec(call, &req, exited, reterr);
}

struct job { int in, out; int ms; };

static void blocking(void *arg)
{
    struct job *job = arg;

    usleep((useconds_t)job->ms * 1000);
    job->out = job->in * 2;
}

static void after(struct ft_call *call, void *arg)
{
    noticed(call);
    end(call, json_pack("{s:i}", "n", ((struct job *)arg)->out));
}

static void release(void *arg)
{
    released++;
    free(arg);
}

static char argument[] = "the argument";

static int send_request(struct ft_call *call, struct ft_err *reterr)
{
    const struct ft_http_header headers[] = { { "Authorization", "Bearer sesame-open" }, { "X-Note", "n" }, { NULL, NULL } };
    struct ft_http_req req = {
        .size = sizeof(req), .method = num(call, "n") ? "POST" : "GET", .url = str(call, "text"), .headers = headers, .json = num(call, "n") ? host->params(call) : NULL,
        .flags = num(call, "n") ? FT_HTTP_WRITE : 0, .timeout_ms = (unsigned)num(call, "ms"),
    };

    return host->http(call, &req, answered, argument, reterr);
}

static json_t *of_size(json_int_t bytes)
{
    char *text = calloc(1, (size_t)bytes + 1);
    json_t *value;

    memset(text, 'x', (size_t)bytes);
    value = json_pack("{s:s}", "text", text);
    free(text);
    return value;
}

static void fail_as(struct ft_call *call)
{
    static const enum ft_class classes[] = {
        FT_CLASS_NONE, FT_UNREACHABLE, FT_REFUSED, FT_DENIED, FT_NOT_FOUND, FT_INVALID, FT_CONFLICT, FT_TIMEOUT, FT_AMBIGUOUS, FT_CANCELLED,
    };

    host->fail(call, classes[num(call, "n")], "it said %s", str(call, "text"));
}

static int misbehave(struct ft_call *call, const char *what, struct ft_err *reterr)
{
    if (strcmp(what, "twice") == 0) {
        end(call, json_pack("{s:i}", "n", 1));
        end(call, json_pack("{s:i}", "n", 2));
        host->fail(call, FT_INVALID, "and a third time");
    } else if (strcmp(what, "end_and_go_on") == 0) {
        host->timer(call, 1, tick);
        end(call, json_pack("{s:i}", "n", host->alloc(call, 100) != NULL));
        host->timer(call, 1, tick);
    } else if (strcmp(what, "both") == 0) {
        end(call, json_pack("{s:i}", "n", 1));
        return ft_err_set(reterr, -EINVAL, "and yet not");
    } else if (strcmp(what, "wrong") == 0) {
        end(call, json_pack("{s:s}", "n", "sesame-open is no number"));
    } else if (strcmp(what, "wrong_after_sending") == 0) {
        return send_request(call, reterr);
    } else if (strcmp(what, "no_result") == 0) {
        end(call, NULL);
    } else if (strcmp(what, "huge") == 0) {
        end(call, of_size(num(call, "n")));
    } else if (strcmp(what, "refuse") == 0) {
        return ft_err_set(reterr, -EINVAL, "will not: %s", str(call, "text"));
    } else if (strcmp(what, "refuse_speechless") == 0) {
        return -EINVAL;
    } else if (strcmp(what, "no_capability") == 0) {
        return use_ssh(call, reterr);
    } else if (strcmp(what, "silent") != 0) {
        return ft_err_set(reterr, -EINVAL, "no such trial: %s", what);
    }
    return 0;
}

static int start(struct ft_call *call, struct ft_err *reterr)
{
    const char *what = str(call, "what");
    struct state *st = host->state(call);

    if (strcmp(what, "echo") == 0) {
        end(call, json_pack("{s:s?, s:O?, s:s, s:i, s:O, s:i}", "text", str(call, "text"), "arg", json_object_get(host->params(call), "any"), "run", host->run_id(call),
                            "n", (int)num(call, "n"), "config", host->config(call), "ms", (int)host->remaining_ms(call)));
    } else if (strcmp(what, "fail") == 0) {
        fail_as(call);
    } else if (strcmp(what, "fail_cut") == 0) {
        host->progress(call, "%.*s", (int)num(call, "n"), str(call, "text"));
        host->fail(call, FT_REFUSED, "it said %.*s", (int)num(call, "n"), str(call, "text"));
    } else if (strcmp(what, "tick") == 0) {
        host->timer(call, (uint64_t)num(call, "ms"), tick);
    } else if (strcmp(what, "keep") == 0) {
        strcpy(st->text, "kept");
        return host->keep(call, json_pack("{s:s}", "old", "value"), kept, reterr);
    } else if (strcmp(what, "http") == 0) {
        return send_request(call, reterr);
    } else if (strcmp(what, "tcp") == 0) {
        return open_stream(call, reterr);
    } else if (strcmp(what, "tcp_old") == 0) {
        return open_old(call, reterr);
    } else if (strcmp(what, "udp") == 0) {
        return open_udp(call, reterr);
    } else if (strcmp(what, "no_size") == 0) {
        return ask_without_size(call, reterr);
    } else if (strcmp(what, "websocket") == 0) {
        return open_websocket(call, reterr);
    } else if (strcmp(what, "file_write") == 0 || strcmp(what, "file_read") == 0) {
        return use_file(call, strcmp(what, "file_write") == 0, reterr);
    } else if (strcmp(what, "exec") == 0) {
        return run_program(call, reterr);
    } else if (strcmp(what, "budget") == 0) {
        return host->budget(call, "trial", 3600, go, reterr);
    } else if (strcmp(what, "work") == 0) {
        struct job *job = calloc(1, sizeof(*job));

        *job = (struct job){ .in = (int)num(call, "n"), .ms = (int)num(call, "ms") };
        return host->work(call, job, blocking, after, release, reterr);
    } else if (strcmp(what, "learn") == 0) {
        host->redact(call, "from-a-login");
        host->progress(call, "logged in with %s", "from-a-login");
        host->fail(call, FT_REFUSED, "not with %s", "from-a-login");
    } else if (strcmp(what, "late") == 0) {
        end(call, json_pack("{s:i, s:i}", "n", late, "released", released));
    } else {
        return misbehave(call, what, reterr);
    }
    return 0;
}

static void cancel(struct ft_call *call)
{
    if (num(call, "n") == 77)
        host->fail(call, FT_CANCELLED, "politely");
}

static int plan(struct ft_call *call, struct ft_err *reterr)
{
    const char *what = str(call, "what");
    struct ft_http_req req = { .size = sizeof(req), .method = "POST", .url = "https://api.test/x?token=sesame-open" };

    req.flags = FT_HTTP_WRITE;
    if (strcmp(what, "send") == 0)
        return host->http(call, &req, NULL, NULL, reterr);
    if (strcmp(what, "file") == 0)
        return host->file_write(call, "planned.txt", "x", 1, NULL, reterr);
    if (strcmp(what, "wrong") == 0)
        host->done(call, json_pack("{s:[]}", "summary"));
    else if (strcmp(what, "wrong_users") == 0)
        host->done(call, json_pack("{s:s, s:s}", "summary", "s", "users", "many"));
    else
        host->done(call, json_pack("{s:s, s:[o], s:{s:s}}", "summary", "send it", "requests", host->http_render(call, &req), "receipt", "old", "planned"));
    return 0;
}

static int undo(struct ft_call *call, struct ft_err *reterr)
{
    (void)reterr;
    host->done(call, json_pack("{s:O?}", "receipt", host->receipt(call)));
    return 0;
}

static int probe(struct ft_call *call, struct ft_err *reterr)
{
    (void)reterr;
    host->done(call, strcmp(str(call, "what"), "wrong") == 0 ? json_pack("{s:s}", "happened", "perhaps") : json_pack("{s:b}", "happened", 1));
    return 0;
}

static int open_it(const struct ft_host *given, const json_t *config, void **ret_instance, struct ft_err *reterr)
{
    host = given;
    host->log(NULL, FT_LOG_DEBUG, "opened");
    *ret_instance = NULL;
    if (json_is_true(json_object_get(config, "broken")))
        return ft_err_set(reterr, -EINVAL, "will not open with %s", json_string_value(json_object_get(config, "token")));
    return 0;
}

#define PARAMS "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"what\"], \"properties\": {" \
    "\"what\": {\"type\": \"string\", \"description\": \"What to do with the host, well or badly: this sentence is long enough to need a second line of the page\"}," \
    "\"text\": {\"type\": \"string\"}," \
    "\"any\": {}," \
    "\"password\": {\"type\": \"string\", \"maxLength\": 12, \"x-secret\": true}," \
    "\"n\": {\"type\": \"integer\", \"default\": 3, \"minimum\": 0}," \
    "\"ms\": {\"type\": \"integer\", \"minimum\": 0, \"maximum\": 3600000, \"default\": 100}," \
    "\"path\": {\"type\": \"string\"}," \
    "\"list\": {\"type\": \"array\", \"items\": {\"type\": \"string\", \"format\": \"mac\"}}," \
    "\"mode\": {\"enum\": [\"soft\", \"hard\", null]}}}"
#define RESULT "{\"type\": \"object\", \"properties\": {\"n\": {\"type\": \"integer\", \"description\": \"a count, in pieces\"}, \"text\": {\"type\": [\"string\", \"null\"]}," \
    "\"run\": {}, \"config\": {}, \"ms\": {}, \"receipt\": {}, \"arg\": {}, \"released\": {}, \"path\": {}, \"sha256\": {}}}"

static const struct ft_action trial_read = {
    .size = sizeof(trial_read), .name = "read", .summary = "does what it is told, reading", .effects = FT_EFFECT_READ, .params_schema = PARAMS, .result_schema = RESULT,
    .state_size = sizeof(struct state), .run = { .start = start, .cancel = cancel }, .timeout_ms = 5000,
};
static const struct ft_action trial_write = {
    .size = sizeof(trial_write), .name = "write", .summary = "does what it is told, writing", .effects = FT_EFFECT_DISRUPTIVE | FT_EFFECT_IDEMPOTENT, .params_schema = PARAMS,
    .result_schema = RESULT, .state_size = sizeof(struct state), .run = { .start = start, .cancel = cancel }, .plan = { .start = plan }, .undo = { .start = undo },
    .probe = { .start = probe }, .timeout_ms = 5000, .about = "Some *Markdown* about it.", .example = "- id: try\n  run: trial.write\n",
};
static const struct ft_action trial_either = {
    .size = sizeof(trial_either), .name = "either", .summary = "reads or writes", .effects = FT_EFFECT_UNKNOWN, .params_schema = PARAMS, .result_schema = RESULT,
    .state_size = sizeof(struct state), .run = { .start = start },
};
static const struct ft_action *const actions[] = { &trial_read, &trial_write, &trial_either, NULL };

FT_EXPORT const struct ft_plugin ft_plugin = {
    FT_PLUGIN_HEADER, .name = "trial", .version = "1.2", .summary = "tries the host", .capabilities = "http tcp udp websocket exec work file",
    .config_schema = "{\"type\": \"object\", \"required\": [\"token\"], \"additionalProperties\": false, \"properties\": {"
                     "\"token\": {\"type\": \"string\", \"x-secret\": true, \"description\": \"what lets it in\"},"
                     "\"broken\": {\"type\": \"boolean\", \"default\": false},"
                     "\"peers\": {\"type\": \"array\", \"items\": {\"type\": \"object\", \"properties\": {\"key\": {\"type\": \"string\", \"x-secret\": true}}}}}}",
    .open = open_it, .actions = actions,
};
