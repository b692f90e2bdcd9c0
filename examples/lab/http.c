/* http.c: libmicrohttpd, one thread a connection; the routes; and the API faults that tests ask for. */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <time.h>
#include "lab.h"

enum { BODY_MAX = 2 << 20 };

static struct MHD_Daemon *main_daemon, *ise_daemon;

struct exchange {
    struct lab_req req;
    struct ft_buf body;
    char client[32];
    json_error_t parse_error;
};

/* ---- what handlers use ---- */

const char *lab_query(const struct lab_req *req, const char *name)
{
    return MHD_lookup_connection_value(req->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *lab_header(const struct lab_req *req, const char *name)
{
    return MHD_lookup_connection_value(req->connection, MHD_HEADER_KIND, name);
}

bool lab_basic_auth(const struct lab_req *req, const char *user, const char *password)
{
    char *given = NULL, *name = MHD_basic_auth_get_username_password(req->connection, &given);
    bool right = name && given && strcmp(name, user) == 0 && strcmp(given, password) == 0;

    MHD_free(name);
    MHD_free(given);
    return right;
}

void lab_add_header(struct lab_res *res, const char *name, const char *fmt, ...)
{
    va_list ap;

    if (res->n_headers == (int)ARRAY_LEN(res->headers))
        return;
    res->headers[res->n_headers].name = name;
    va_start(ap, fmt);
    vsnprintf(res->headers[res->n_headers].value, sizeof(res->headers[0].value), fmt, ap);
    va_end(ap);
    res->n_headers++;
}

static bool segments_match(struct lab_req *req, const char *pattern)
{
    int args = 0, i = 0;

    for (; *pattern; i++) {
        size_t n = strcspn(++pattern, "/");

        if (i == req->n_seg)
            return false;
        if (n == 2 && pattern[0] == '{')
            req->arg[args++] = req->seg[i];
        else if (strlen(req->seg[i]) != n || strncmp(req->seg[i], pattern, n) != 0)
            return false;
        pattern += n;
    }
    return i == req->n_seg;
}

lab_handler *lab_route(struct lab_req *req, const struct lab_route *routes, bool *ret_other_method)
{
    *ret_other_method = false;
    for (; routes->pattern; routes++) {
        if (!segments_match(req, routes->pattern))
            continue;
        if (strcmp(routes->method, req->method) == 0)
            return routes->handle;
        *ret_other_method = true;
    }
    return NULL;
}

static void cut_path(struct lab_req *req)
{
    char *rest = req->segments, *part;

    snprintf(req->segments, sizeof(req->segments), "%s", req->path);
    while ((part = strsep(&rest, "/")) && req->n_seg < (int)ARRAY_LEN(req->seg))
        if (*part)
            req->seg[req->n_seg++] = part;
}

/* ---- API faults ---- */

static const char *const fault_kinds[] = { "slow", "hang", "cut_after_request", "lose_answer", "500", "503", "html", "truncated", "429", "401",
                                           "403", "empty", NULL };

int lab_api_fault_add(struct lab *lab, const json_t *params, struct ft_err *reterr)
{
    const char *system = "", *path = "", *kind = NULL, *method = "";
    struct lab_api_fault *f = &lab->api_faults[lab->n_api_faults];
    int times = 1, after = 0, retry_after = 0, k = 0;
    double delay = 2;
    json_error_t error;

    if (lab->n_api_faults == LAB_MAX_API_FAULTS)
        return ft_err_set(reterr, -EINVAL, "too many API faults, at most %d", LAB_MAX_API_FAULTS);
    if (json_unpack_ex((json_t *)params, &error, 0, "{s?s, s?s, s?s, s:s, s?i, s?i, s?F, s?i !}", "system", &system, "path", &path, "method", &method,
                       "kind", &kind, "times", &times, "after", &after, "delay", &delay, "retry_after", &retry_after) < 0)
        return ft_err_set(reterr, -EINVAL, "api: %s (known: system, path, method, kind, times, after, delay, retry_after)", error.text);
    while (fault_kinds[k] && strcmp(fault_kinds[k], kind) != 0)
        k++;
    if (!fault_kinds[k])
        return ft_err_set(reterr, -EINVAL, "api: unknown kind '%s' (slow, hang, cut_after_request, lose_answer, 500, 503, html, truncated, 429, 401, 403, empty)", kind);
    *f = (struct lab_api_fault){ .times = times, .after = after, .delay = delay, .retry_after = retry_after };
    snprintf(f->system, sizeof(f->system), "%s", system);
    snprintf(f->path, sizeof(f->path), "%s", path);
    snprintf(f->kind, sizeof(f->kind), "%s", kind);
    snprintf(f->method, sizeof(f->method), "%s", method);
    lab->n_api_faults++;
    return 0;
}

/* The fault that this request runs into, counted; NULL. */
static const struct lab_api_fault *api_fault(struct lab *lab, const struct lab_req *req)
{
    for (int i = 0; i < lab->n_api_faults; i++) {
        struct lab_api_fault *f = &lab->api_faults[i];

        if ((f->system[0] && strcmp(f->system, req->system) != 0) || (f->method[0] && strcmp(f->method, req->method) != 0)
            || !strstr(req->path, f->path) || f->times == 0)
            continue;
        if (f->after > 0) {
            f->after--;
            continue;
        }
        if (f->times > 0)
            f->times--;
        return f;
    }
    return NULL;
}

/* Sleeps without the lock's protection being lost to others; ends early when the lab ends. */
static void wait_or_stop(struct lab *lab, double seconds)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)seconds;
    until.tv_nsec += (long)((seconds - floor(seconds)) * 1e9);
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (!lab->stopping && pthread_cond_timedwait(&lab->stop_cond, &lab->lock, &until) != ETIMEDOUT)
        ;
    lab_tick(lab);
}

static void faulty_answer(const struct lab_api_fault *f, struct lab_res *res)
{
    static const char page[] = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><h1>Sign in to continue</h1></body></html>\n";

    if (strcmp(f->kind, "html") == 0) {
        res->text = ft_strdup(page);
        res->type = "text/html";
    } else if (strcmp(f->kind, "empty") == 0) {
        res->text = ft_strdup("");
    } else if (strcmp(f->kind, "429") == 0) {
        res->status = 429;
        res->json = json_pack("{s:s}", "detail", "Too Many Request. The API Token used for the request reached the 5000 API Calls per hour threshold");
        if (f->retry_after)
            lab_add_header(res, "Retry-After", "%d", f->retry_after);
    } else {
        res->status = atoi(f->kind);
        res->json = json_pack("{s:s}", "detail", res->status >= 500 ? "Internal Server Error" : "You do not have permission to perform this action.");
    }
}

/* ---- dispatch ---- */

static void hook(struct lab_req *req, struct lab_res *res)
{
    req->done = true;
    json_array_append_new(req->lab->hooks, json_pack("{s:s, s:s, s:O}", "path", req->path, "method", req->method, "body",
                                                     req->json ? req->json : json_null()));
    res->text = ft_strdup("ok");
}

/* What a probe of the internet finds: as slow as the WAN link. */
static void internet(struct lab_req *req, struct lab_res *res)
{
    wait_or_stop(req->lab, req->lab->wan_ms / 1000);
    res->status = 204;
}

static void nothing_here(struct lab_req *req, struct lab_res *res)
{
    (void)req;
    res->status = 404;
    res->json = json_pack("{s:s}", "detail", "Not found.");
}

static const struct { const char *prefix, *system; lab_handler *serve; } systems[] = {
    { "/lab/", "lab", lab_control }, { "/api/v1/certs/", "ise", lab_ise }, { "/api/v1/", "mist", lab_mist }, { "/api-ws/", "mist", lab_ws }, { "/admin/", "ise", lab_ise },
    { "/ers/", "ise", lab_ise }, { "/api/now/", "servicenow", lab_snow }, { "/rest/api/", "jira", lab_jira }, { "/kea", "kea", lab_kea },
    { "/wapi/", "infoblox", lab_wapi }, { "/hook", "hook", hook },
    { "/store/", "store", lab_mist_store },
    { "/internet", "internet", internet }, { "/", "kea", lab_kea },
};

static lab_handler *choose(struct exchange *x)
{
    for (size_t i = 0; i < ARRAY_LEN(systems); i++) {
        size_t n = strlen(systems[i].prefix);

        if (i + 1 < ARRAY_LEN(systems) ? strncmp(x->req.path, systems[i].prefix, n) == 0 : strcmp(x->req.path, "/") == 0) {
            x->req.system = systems[i].system;
            return systems[i].serve;
        }
    }
    x->req.system = "none";
    return nothing_here;
}

static bool changes(const char *method)
{
    return strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0;
}

static void record(struct exchange *x, int status)
{
    struct lab_req *req = &x->req;
    json_t *body = req->json ? json_incref(req->json) : req->body_len ? json_stringn_nocheck(req->body, req->body_len) : NULL;

    lab_record(req->lab, req->system, req->method, req->path, NULL, body, x->client, status, req->done);
}

static enum MHD_Result send_answer(struct exchange *x, struct lab_res *res, bool truncated);

static enum MHD_Result serve(struct exchange *x)
{
    struct lab_req *req = &x->req;
    struct lab *lab = req->lab;
    struct lab_res res = { .status = 200 };
    const struct lab_api_fault *f;
    lab_handler *handle = choose(x);
    bool silent = false, truncated = false;
    enum MHD_Result r;

    req->write = changes(req->method) && strcmp(req->system, "lab") != 0;
    pthread_mutex_lock(&lab->lock);
    lab_tick(lab);
    f = api_fault(lab, req);
    if (f && strcmp(f->kind, "hang") == 0) {
        while (!lab->stopping)
            wait_or_stop(lab, 3600);
        silent = true;
    } else if (f && strcmp(f->kind, "cut_after_request") == 0) {
        silent = true;
    } else if (f && strcmp(f->kind, "slow") != 0 && strcmp(f->kind, "lose_answer") != 0 && strcmp(f->kind, "truncated") != 0) {
        faulty_answer(f, &res);
    } else if (lab->ise_api_down && strcmp(req->system, "ise") == 0) {
        silent = true;
    } else {
        if (f && f->kind[0] == 's')
            wait_or_stop(lab, f->delay);
        handle(req, &res);
        silent = f && f->kind[0] == 'l';
        truncated = f && f->kind[0] == 't';
    }
    if (req->write)
        record(x, silent ? 0 : res.status);
    r = silent ? MHD_NO : send_answer(x, &res, truncated);
    json_decref(res.json);
    pthread_mutex_unlock(&lab->lock);
    free(res.text);
    return r;
}

/* ---- libmicrohttpd ---- */

struct half { char *text; size_t len; };

static ssize_t half_of_it(void *cls, uint64_t pos, char *buf, size_t max)
{
    struct half *h = cls;
    size_t left = h->len / 2 - ft_min(h->len / 2, (size_t)pos);

    if (left == 0)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    left = ft_min(left, max);
    memcpy(buf, h->text + pos, left);
    return (ssize_t)left;
}

static void half_free(void *cls)
{
    struct half *h = cls;

    free(h->text);
    free(h);
}

static struct MHD_Response *make_response(char *text, size_t len, bool truncated)
{
    struct half *h;

    if (!truncated)
        return MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
    h = ft_calloc(1, sizeof(*h));
    *h = (struct half){ .text = text, .len = len };
    return MHD_create_response_from_callback(len, 4096, half_of_it, h, half_free);
}

static enum MHD_Result send_answer(struct exchange *x, struct lab_res *res, bool truncated)
{
    struct MHD_Response *response;
    enum MHD_Result r;
    size_t len = res->json ? 0 : res->text_len;
    char *text;

    if (res->status == 101) {
        response = lab_ws_response(x->req.lab, res->ws_key);
        r = MHD_queue_response(x->req.connection, 101, response);
        MHD_destroy_response(response);
        return r;
    }
    text = res->json ? json_dumps(res->json, JSON_COMPACT | JSON_ENCODE_ANY) : len ? memcpy(ft_calloc(1, len), res->text, len) :
                 ft_strdup(res->text ? res->text : "");

    response = make_response(text, len ? len : strlen(text), truncated);
    if (res->json || res->type)
        MHD_add_response_header(response, "Content-Type", res->type ? res->type : "application/json");
    for (int i = 0; i < res->n_headers; i++)
        MHD_add_response_header(response, res->headers[i].name, res->headers[i].value);
    r = MHD_queue_response(x->req.connection, (unsigned)res->status, response);
    MHD_destroy_response(response);
    return r;
}

static struct exchange *begin(struct lab *lab, struct MHD_Connection *connection, const char *url, const char *method)
{
    struct exchange *x = ft_calloc(1, sizeof(*x));
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr_in *in = info ? (const struct sockaddr_in *)(const void *)info->client_addr : NULL;

    x->req = (struct lab_req){ .lab = lab, .method = method, .path = url, .client = x->client, .connection = connection };
    x->body = FT_BUF_INIT(BODY_MAX);
    snprintf(x->client, sizeof(x->client), "127.0.0.1:%d", in ? ntohs(in->sin_port) : 0);
    cut_path(&x->req);
    return x;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method, const char *http_version,
                                  const char *upload, size_t *upload_size, void **state)
{
    struct lab *lab = cls;
    struct exchange *x = *state;

    (void)http_version;
    if (!x) {
        *state = begin(lab, connection, url, method);
        return MHD_YES;
    }
    if (*upload_size) {
        ft_buf_add(&x->body, upload, *upload_size);
        *upload_size = 0;
        return MHD_YES;
    }
    x->req.path = url;
    x->req.method = method;
    if (x->body.overflow) {
        struct lab_res res = { .status = 413 };

        return send_answer(x, &res, false);
    }
    x->req.body = ft_buf_str(&x->body);
    x->req.body_len = x->body.len;
    if (x->body.len) {
        x->req.json = json_loadb(x->body.data, x->body.len, JSON_DECODE_ANY, &x->parse_error);
        x->req.bad_json = x->req.json ? NULL : x->parse_error.text;
    }
    return serve(x);
}

static void on_end(void *cls, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode code)
{
    struct exchange *x = *state;

    (void)cls;
    (void)connection;
    (void)code;
    if (!x)
        return;
    json_decref(x->req.json);
    ft_buf_done(&x->body);
    free(x);
    *state = NULL;
}

static struct MHD_Daemon *listen_on(struct lab *lab, int port)
{
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

    return MHD_start_daemon(MHD_ALLOW_UPGRADE | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL, (uint16_t)port, NULL, NULL, on_request,
        lab, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&addr, MHD_OPTION_NOTIFY_COMPLETED, on_end, NULL, MHD_OPTION_CONNECTION_TIMEOUT, 300u, MHD_OPTION_END);
}

static int port_of(struct MHD_Daemon *daemon)
{
    return MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

int lab_http_start(struct lab *lab, int port, struct ft_err *reterr)
{
    main_daemon = listen_on(lab, port);
    if (!main_daemon)
        return ft_err_set(reterr, -EADDRINUSE, "cannot listen on 127.0.0.1:%d; choose another --port", port);
    lab->port = port_of(main_daemon);
    ise_daemon = listen_on(lab, 0);
    if (!ise_daemon)
        return ft_err_set(reterr, -EADDRINUSE, "cannot listen on 127.0.0.1");
    lab->ise_port = port_of(ise_daemon);
    snprintf(lab->url, sizeof(lab->url), "http://127.0.0.1:%d", lab->port);
    snprintf(lab->ise_url, sizeof(lab->ise_url), "http://127.0.0.1:%d", lab->ise_port);
    return 0;
}

int lab_http_reconcile(struct lab *lab)
{
    bool wanted;

    pthread_mutex_lock(&lab->lock);
    wanted = !lab->ise_api_down && !lab->stopping;
    pthread_mutex_unlock(&lab->lock);
    if (wanted && !ise_daemon)
        ise_daemon = listen_on(lab, lab->ise_port);
    if (!wanted && ise_daemon) {
        MHD_stop_daemon(ise_daemon);
        ise_daemon = NULL;
    }
    return ise_daemon || !wanted ? 0 : -EADDRINUSE;
}

void lab_http_stop(struct lab *lab)
{
    pthread_mutex_lock(&lab->lock);
    lab->stopping = true;
    pthread_cond_broadcast(&lab->stop_cond);
    pthread_mutex_unlock(&lab->lock);
    lab_ws_stop();
    if (ise_daemon)
        MHD_stop_daemon(ise_daemon);
    if (main_daemon)
        MHD_stop_daemon(main_daemon);
    ise_daemon = main_daemon = NULL;
}
