/* kea.c: sending commands and reading replies. */
#include "kea.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "wapi.h"

#define MAX_REPLY (8u << 20)

const struct ft_host *host;

/* ---- Begin and end ---- */

int dhcp_begin(struct ft_call *call, enum phase phase, struct ft_err *reterr)
{
    struct dhcp *st = host->state(call);
    const json_t *config = host->config(call);
    const char *name = ft_str(host->params(call), "server");

    st->phase = phase;
    st->server = name ? json_object_get(json_object_get(config, "servers"), name) : config;
    if (!st->server)
        return ft_fault(reterr, FT_NOT_FOUND, "no DHCP server '%s' in the configuration: add plugins.dhcp.servers.%s", name, name);
    if (is_wapi(st) && !ft_str(st->server, "url"))
        return ft_fault(reterr, FT_INVALID, "the configuration does not say where Infoblox is: set its url (https://gm.example/)");
    if (!ft_str(st->server, "url") && !ft_str(st->server, "socket") && !ft_str(st->server, "socket6"))
        return ft_fault(reterr, FT_INVALID, "the configuration does not say where Kea is: set plugins.dhcp.url to its control agent, "
                          "or plugins.dhcp.socket to its control socket");
    return 0;
}

static void release(struct dhcp *st)
{
    json_decref(st->held);
    st->held = NULL;
}

void dhcp_done(struct ft_call *call, json_t *result)
{
    release(host->state(call));
    host->done(call, result);
}

void dhcp_fail(struct ft_call *call, enum ft_class class, const char *fmt, ...)
{
    char text[1000];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    release(host->state(call));
    host->fail(call, class, "%s", text);
}

void dhcp_cancel(struct ft_call *call)
{
    release(host->state(call));
}

json_t *dhcp_hold(struct ft_call *call, json_t *value)
{
    struct dhcp *st = host->state(call);

    if (!st->held)
        st->held = json_array();
    json_array_append_new(st->held, value);
    return value;
}

/* ---- Replies ---- */

/* Commands that a hook library brings, so that "not supported" can say which. */
static const char *library_of(const char *command)
{
    static const struct { const char *begins, *library; } hooks[] = {
        { "lease4-", "libdhcp_lease_cmds" }, { "lease6-", "libdhcp_lease_cmds" },
        { "stat-lease", "libdhcp_stat_cmds" }, { "ha-", "libdhcp_ha" },
        { "reservation-", "libdhcp_host_cmds" }, { "subnet4-", "libdhcp_subnet_cmds" },
    };

    for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
        if (strncmp(command, hooks[i].begins, strlen(hooks[i].begins)) == 0)
            return hooks[i].library;
    }
    return NULL;
}

static void judge_error(struct kea_reply *reply)
{
    bool offline = reply->text && (strstr(reply->text, "likely to be offline") || strstr(reply->text, "unable to forward"));

    switch (reply->result) {
    case KEA_OK: case KEA_EMPTY: reply->class = FT_CLASS_NONE; break;
    case KEA_CONFLICT: reply->class = FT_CONFLICT; break;
    case 401: case 403: reply->class = FT_DENIED; break;
    case 400: reply->class = FT_INVALID; break;
    default: reply->class = offline ? FT_UNREACHABLE : FT_REFUSED; break;
    }
}

/* Reads either shape: [{"result": …}] of the agent, {"result": …} of the daemon. */
static bool read_reply(json_t *json, struct kea_reply *reply)
{
    const json_t *object = json_is_array(json) ? json_array_get(json, 0) : json;
    const json_t *result = json_object_get(object, "result");

    if (!json_is_integer(result))
        return false;
    reply->result = (int)json_integer_value(result);
    reply->text = ft_str(object, "text") ?: "";
    reply->arguments = json_object_get(object, "arguments");
    judge_error(reply);
    return true;
}

static const char *socket_of(const struct dhcp *st)
{
    return ft_str(st->server, st->v6 ? "socket6" : "socket");
}

static const char *server_name(const struct dhcp *st)
{
    return ft_str(st->server, "url") ?: socket_of(st);
}

bool kea_accept(struct ft_call *call, const struct kea_reply *reply)
{
    const struct dhcp *st = host->state(call);
    const char *library = library_of(st->command);

    if (reply->class == FT_CLASS_NONE)
        return true;
    if (reply->result == KEA_UNSUPPORTED && library)
        dhcp_fail(call, FT_REFUSED, "Kea at %s does not know '%s': load the hook library %s in its configuration (hooks-libraries)",
                  server_name(st), st->command, library);
    else if (reply->result < 0)
        dhcp_fail(call, reply->class, "%s", reply->text);
    else
        dhcp_fail(call, reply->class, "Kea at %s answered '%s' with result %d: %s", server_name(st), st->command, reply->result, reply->text);
    return false;
}

/* ---- Requests ---- */

static json_t *request_body(const struct dhcp *st, const char *command, json_t *arguments)
{
    json_t *body = json_pack("{s:s}", "command", command);

    if (ft_str(st->server, "url"))
        json_object_set_new(body, "service", json_pack("[s]", st->v6 ? ft_str(st->server, "service6") ?: "dhcp6" : ft_str(st->server, "service") ?: "dhcp4"));
    if (arguments)
        json_object_set_new(body, "arguments", arguments);
    return body;
}

static struct ft_http_req http_request(const struct dhcp *st, const json_t *body, bool write)
{
    return (struct ft_http_req){
        .size = sizeof(struct ft_http_req), .method = "POST", .url = ft_str(st->server, "url"), .json = body,
        .user = ft_str(st->server, "user"), .password = ft_str(st->server, "password"), .ca_file = ft_str(st->server, "ca_file"),
        .cert_file = ft_str(st->server, "cert_file"), .key_file = ft_str(st->server, "key_file"),
        .flags = FT_HTTP_JSON | (write ? FT_HTTP_WRITE : 0), .max_bytes = MAX_REPLY,
    };
}

bool kea_is_secret(const char *key)
{
    size_t len = strlen(key);

    return (strstr(key, "password") || strstr(key, "secret")) && !(len > 5 && strcmp(key + len - 5, "-file") == 0);
}

void kea_mask_passwords(json_t *value)
{
    const char *key;
    json_t *member;
    size_t i;

    json_object_foreach(value, key, member) {
        if (json_is_string(member) && kea_is_secret(key))
            json_string_set(member, "***");
        else
            kea_mask_passwords(member);
    }
    json_array_foreach(value, i, member)
        kea_mask_passwords(member);
}

void kea_mask_changes(json_t *changes)
{
    static const char *const sides[] = { "from", "to" };
    json_t *change;
    size_t i;

    json_array_foreach(changes, i, change) {
        const char *path = ft_str(change, "path"), *dot = path ? strrchr(path, '.') : NULL;

        for (size_t k = 0; k < 2; k++) {
            json_t *value = json_object_get(change, sides[k]);

            if (json_is_string(value) && kea_is_secret(dot ? dot + 1 : path))
                json_string_set(value, "***");
            else
                kea_mask_passwords(value);
        }
    }
}

json_t *kea_render(struct ft_call *call, const char *command, json_t *arguments)
{
    const struct dhcp *st = host->state(call);
    json_t *body, *shown;

    if (is_wapi(st))
        return wapi_render(call, command, arguments);
    body = request_body(st, command, arguments);
    if (ft_str(st->server, "url")) {
        struct ft_http_req req = http_request(st, body, true);

        shown = host->http_render(call, &req);
        json_decref(body);
        return shown;
    }
    shown = json_deep_copy(body);
    json_decref(body);
    kea_mask_passwords(shown);
    return json_pack("{s:o, s:[o]}", "target", json_sprintf("unix:%s", socket_of(st)), "commands", shown);
}

static void http_answered(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    struct dhcp *st = host->state(call);
    struct kea_reply reply = { .result = -1, .agent_answered = res->status != 0 };

    (void)arg;
    if (res->error) {
        reply.class = res->class;
        reply.text = res->error;
    } else if (!read_reply(res->json, &reply)) {
        reply.class = FT_INVALID;
        reply.text = host->printf(call, "%s answered '%s', but not as Kea does: is this the control agent's address?", server_name(st), st->command);
    }
    st->answered(call, &reply);
}

/* ---- The daemon's own socket: a connection carries one command, and the server closes it. A worker thread does that. ---- */

struct socket_job {
    char *path, *request, *reply;
    size_t len, size;
    int timeout_ms;
    int64_t deadline_ms;           /* by the monotonic clock */
    enum ft_class class;           /* FT_CLASS_NONE: the reply is there */
    char why[300];
};

static void socket_failed(struct socket_job *job, enum ft_class class, const char *what, int error)
{
    job->class = class;
    snprintf(job->why, sizeof(job->why), "%s of Kea's control socket %s failed: %s", what, job->path, strerror(error));
}

static int64_t mono_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool socket_connect(struct socket_job *job, int fd)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct timeval most = { .tv_sec = job->timeout_ms / 1000, .tv_usec = job->timeout_ms % 1000 * 1000 + 1 };

    if (strlen(job->path) >= sizeof(address.sun_path)) {
        socket_failed(job, FT_INVALID, "connect", ENAMETOOLONG);
        return false;
    }
    strcpy(address.sun_path, job->path);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most));        /* a server that hangs takes neither a connection nor a request */
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return true;
    socket_failed(job, errno == EACCES ? FT_DENIED : errno == EAGAIN ? FT_TIMEOUT : FT_UNREACHABLE, "connect", errno);
    return false;
}

static bool socket_write(struct socket_job *job, int fd)
{
    size_t sent = 0, len = strlen(job->request);

    while (sent < len) {
        ssize_t n = send(fd, job->request + sent, len - sent, MSG_NOSIGNAL);

        if (n < 0) {
            socket_failed(job, errno == EAGAIN ? FT_TIMEOUT : FT_UNREACHABLE, "write", errno);
            return false;
        }
        sent += (size_t)n;
    }
    return true;
}

static bool room_for_more(struct socket_job *job)
{
    char *larger;

    if (job->size - job->len > 1)
        return true;
    if (job->size >= MAX_REPLY)
        return false;
    larger = realloc(job->reply, job->size ? job->size * 2 : 16384);
    if (!larger)
        return false;
    job->size = job->size ? job->size * 2 : 16384;
    job->reply = larger;
    return true;
}

/* From here on the command has been sent: without a whole reply nobody knows what became of it. */
static void socket_read(struct socket_job *job, int fd)
{
    struct pollfd ready = { .fd = fd, .events = POLLIN };
    ssize_t n = 1;

    while (n > 0) {
        int64_t left = job->deadline_ms - mono_ms();

        if (!room_for_more(job)) {
            socket_failed(job, FT_INVALID, "read", EMSGSIZE);
            return;
        }
        if (left <= 0 || poll(&ready, 1, (int)left) != 1) {
            socket_failed(job, FT_TIMEOUT, "read", ETIMEDOUT);
            return;
        }
        n = recv(fd, job->reply + job->len, job->size - job->len - 1, 0);
        if (n > 0)
            job->len += (size_t)n;
    }
    if (n < 0)
        socket_failed(job, FT_AMBIGUOUS, "read", errno);
}

static void socket_blocking(void *arg)
{
    struct socket_job *job = arg;
    int fd;

    job->deadline_ms = mono_ms() + job->timeout_ms;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        socket_failed(job, FT_UNREACHABLE, "opening", errno);
        return;
    }
    if (socket_connect(job, fd) && socket_write(job, fd))
        socket_read(job, fd);
    close(fd);
}

static void socket_answered(struct ft_call *call, void *arg)
{
    struct dhcp *st = host->state(call);
    struct socket_job *job = arg;
    struct kea_reply reply = { .result = -1, .class = job->class, .text = job->why };
    json_t *json = NULL;

    if (job->class == FT_CLASS_NONE) {
        json = json_loadb(job->reply ? job->reply : "", job->len, 0, NULL);
        if (!read_reply(json, &reply)) {
            reply.class = st->write ? FT_AMBIGUOUS : FT_INVALID;
            reply.text = host->printf(call, "the socket %s answered '%s', but not as Kea does (%zu bytes)", job->path, st->command, job->len);
        }
    } else if (st->write && (job->class == FT_TIMEOUT || job->class == FT_INVALID)) {
        reply.class = FT_AMBIGUOUS;
    } else if (job->class == FT_AMBIGUOUS && !st->write) {
        reply.class = FT_UNREACHABLE;
    }
    st->answered(call, &reply);
    json_decref(json);
}

static void socket_release(void *arg)
{
    struct socket_job *job = arg;

    free(job->path);
    free(job->request);
    free(job->reply);
    free(job);
}

static int send_by_socket(struct ft_call *call, const struct dhcp *st, const json_t *body, struct ft_err *reterr)
{
    struct socket_job *job = calloc(1, sizeof(*job));
    uint64_t left = host->remaining_ms(call);

    if (!job)
        return ft_err_set(reterr, -ENOMEM, "out of memory");
    job->path = strdup(socket_of(st));
    job->request = json_dumps(body, JSON_COMPACT);
    job->timeout_ms = left > 60000 ? 60000 : (int)left;
    if (job->path && job->request)
        return host->work(call, job, socket_blocking, socket_answered, socket_release, reterr);
    socket_release(job);
    return ft_err_set(reterr, -ENOMEM, "out of memory");
}

static void command_send(struct ft_call *call, const char *command, json_t *arguments, bool write, kea_answered *answered)
{
    struct dhcp *st = host->state(call);
    struct ft_err err = { 0 };
    json_t *body;
    int r;

    if (is_wapi(st)) {
        wapi_command(call, command, arguments, write, answered);
        return;
    }
    body = request_body(st, command, arguments);
    st->command = command;
    st->answered = answered;
    st->write = write;
    if (ft_str(st->server, "url")) {
        struct ft_http_req req = http_request(st, body, write);

        r = host->http(call, &req, http_answered, NULL, &err);
    } else {
        r = send_by_socket(call, st, body, &err);
    }
    json_decref(body);
    if (r < 0)
        dhcp_fail(call, err.class ? err.class : FT_INVALID, "%s", err.text);
}

void kea_ask(struct ft_call *call, const char *command, json_t *arguments, kea_answered *answered)
{
    command_send(call, command, arguments, false, answered);
}

void kea_change(struct ft_call *call, const char *command, json_t *arguments, kea_answered *answered)
{
    command_send(call, command, arguments, true, answered);
}

json_int_t dhcp_now_s(struct ft_call *call)
{
    return (json_int_t)(host->wall_ms(call) / 1000);
}

json_t *kea_time(json_int_t epoch_s)
{
    time_t t = (time_t)epoch_s;
    struct tm tm;
    char text[40];

    if (!gmtime_r(&t, &tm) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
        return json_null();
    return json_string(text);
}
