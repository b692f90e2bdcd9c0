#include <criterion/criterion.h>
#include "base/buf.h"
#include "base/util.h"
#include "net/http.h"
#include "server.h"

static struct server server;
static struct ft_clock *manual;
static struct ft_loop *loop;
static struct ft_http *http;

/* What the last answer was, and how many came. */
static struct {
    int answers, status;
    enum ft_class class;
    char error[1500], body[300], json[300], type[80], mixed[80];
    size_t body_len;
} got;

static void answered(void *arg, const struct ft_http_res *res)
{
    char *json = res->json ? json_dumps(res->json, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

    memset(&got, 0, offsetof(typeof(got), answers));
    got.answers++;
    got.status = res->status;
    got.class = res->class;
    got.body_len = res->body_len;
    snprintf(got.error, sizeof(got.error), "%s", res->error ? res->error : "");
    snprintf(got.body, sizeof(got.body), "%s", res->body ? res->body : "");
    snprintf(got.json, sizeof(got.json), "%s", json ? json : "none");
    got.type[0] = got.mixed[0] = '\0';
    for (const struct ft_http_header *h = res->headers; h && h->name; h++) {
        if (strcmp(h->name, "content-type") == 0)
            snprintf(got.type, sizeof(got.type), "%s", h->value);
        if (strcmp(h->name, "x-mixed-case") == 0)
            snprintf(got.mixed, sizeof(got.mixed), "%s", h->value);
    }
    free(json);
    if (arg)
        (*(int *)arg)++;
}

/* ---- the server's faults, by path ---- */

static bool hang(int fd)
{
    char byte;

    while (recv(fd, &byte, 1, 0) > 0)
        ;
    return false;
}

static bool busy(struct server *s, int fd, const char *headers)
{
    pthread_mutex_lock(&s->lock);
    if (s->busy_left) {
        s->busy_left--;
        server_printf(fd, "HTTP/1.1 429 Slow down\r\n%sContent-Length: 0\r\n\r\n", headers);
    } else {
        server_reply(fd, 200, "application/json", "[429,\"over\"]");
    }
    pthread_mutex_unlock(&s->lock);
    return true;
}

static bool big(int fd, bool chunked)
{
    static const char piece[65536];

    server_printf(fd, "HTTP/1.1 200 OK\r\n%s\r\n", chunked ? "Transfer-Encoding: chunked\r\n" : "Content-Length: 67108864\r\n");
    for (int i = 0; i < 1024; i++) {
        if (chunked)
            server_printf(fd, "10000\r\n");
        server_send(fd, piece, sizeof(piece));
        if (chunked)
            server_printf(fd, "\r\n");
    }
    return true;
}

static bool by_path(struct server *s, int fd, const char *method, const char *path, unsigned nth)
{
    int status = 0, len = 0;

    if (strcmp(path, "/hang") == 0)
        return hang(fd);
    if (strcmp(path, "/close") == 0)
        return false;
    if (strcmp(path, "/close-when-reused") == 0) {
        if (nth > 1)
            return false;
        server_reply(fd, 200, "application/json", "{\"nth\":1}");
        return true;
    }
    if (strcmp(path, "/reply-and-close") == 0) {
        server_reply(fd, 200, "application/json", "{}");
        return false;
    }
    if (strcmp(path, "/reset") == 0) {
        struct linger now = { .l_onoff = 1 };

        setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        return false;
    }
    if (strcmp(path, "/cut") == 0) {
        server_printf(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"half\":");
        return false;
    }
    if (strcmp(path, "/half-open") == 0) {
        server_printf(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"half\":");
        return hang(fd);
    }
    if (strcmp(path, "/big") == 0 || strcmp(path, "/big-chunked") == 0)
        return big(fd, path[4]);
    if (strcmp(path, "/many-headers") == 0) {
        server_printf(fd, "HTTP/1.1 200 OK\r\n");
        for (int i = 0; i < 2000; i++)
            server_printf(fd, "X-%d: y\r\n", i);
        server_printf(fd, "Content-Length: 0\r\n\r\n");
        return true;
    }
    if (strcmp(path, "/not-http") == 0) {
        server_printf(fd, "SSH-2.0-OpenSSH_9.2\r\n");
        return false;
    }
    if (strcmp(path, "/continue") == 0) {
        server_printf(fd, "HTTP/1.1 100 Continue\r\nX-Mixed-Case: not this\r\n\r\n");
        server_reply(fd, 200, "application/json", "\"continued\"");
        return true;
    }
    if (strcmp(path, "/html") == 0) {
        server_reply(fd, 200, "text/html; charset=utf-8", "<!DOCTYPE html>\n<html>\n\x1b[31m<title>Log in</title>");
        return true;
    }
    if (strcmp(path, "/truncated-json") == 0) {
        server_reply(fd, 200, "application/json", "{\"results\":[{\"mac\":\"5c5b35");
        return true;
    }
    if (strcmp(path, "/empty") == 0) {
        server_printf(fd, "HTTP/1.1 204 No Content\r\n\r\n");
        return true;
    }
    if (strcmp(path, "/redirect") == 0) {
        server_printf(fd, "HTTP/1.1 302 Found\r\nLocation: https://user:pw@login.example/sso?token=abc\r\nContent-Length: 0\r\n\r\n");
        return true;
    }
    if (strcmp(path, "/busy") == 0)
        return busy(s, fd, "");
    if (strcmp(path, "/busy-7s") == 0)
        return busy(s, fd, "Retry-After: 7\r\n");
    if (strcmp(path, "/busy-date") == 0)
        return busy(s, fd, "Date: Sat, 21 Nov 2026 02:00:00 GMT\r\nRetry-After: Sat, 21 Nov 2026 02:00:12 GMT\r\n");
    if (strcmp(path, "/busy-date-only") == 0)
        return busy(s, fd, "Retry-After: Thu, 01 Jan 1970 00:16:43 GMT\r\n");
    if (strcmp(path, "/busy-nonsense") == 0)
        return busy(s, fd, "Retry-After: soon\r\n");
    if (sscanf(path, "/status/%3d%n", &status, &len) == 1 && !path[len]) {
        server_reply(fd, status, "application/json", "{\"detail\":\"the server\\u0007 says why.\"}");
        return true;
    }
    if (sscanf(path, "/plain/%3d%n", &status, &len) == 1 && !path[len]) {
        server_reply(fd, status, "text/plain", "no JSON here");
        return true;
    }
    if (strcmp(method, "HEAD") == 0) {
        server_printf(fd, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n");
        return true;
    }
    server_reply(fd, 200, "application/json", "{\"ok\":true}");
    return true;
}

static void begin_at(uint64_t wall_ms)
{
    unsetenv("http_proxy");
    memset(&got, 0, sizeof(got));
    server_start(&server, by_path, NULL);
    manual = wall_ms ? ft_clock_manual_new(wall_ms) : NULL;
    loop = ft_loop_new(manual);
    http = ft_http_new(loop);
}

static void begin(void)
{
    begin_at(0);
}

static void end(void)
{
    http = ft_http_free(http);
    loop = ft_loop_free(loop);
    manual = ft_clock_free(manual);
    server_stop(&server);
}

TestSuite(http, .init = begin, .fini = end, .timeout = 60);
TestSuite(http_wait, .fini = end, .timeout = 60);
TestSuite(http_use, .timeout = 60);

static void fetch_within(struct ft_http_req req, const char *path, uint64_t deadline_ms)
{
    char url[300];
    struct ft_err err = { 0 };
    int before = got.answers;

    snprintf(url, sizeof(url), "http://user:pw@127.0.0.1:%u%s", server.port, path);
    req.size = sizeof(req);
    req.url = url;
    cr_assert_eq(ft_http_start(http, &req, deadline_ms, answered, NULL, NULL, &err), 0, "%s", err.text);
    memset(url, 'x', sizeof(url));                /* it was borrowed for the call only */
    cr_assert_eq(got.answers, before, "answered inside the call");
    ft_loop_run(loop);
    cr_assert_eq(got.answers, before + 1, "'%s' was answered %d times", path, got.answers - before);
}

static void fetch(unsigned flags, const char *method, const char *path)
{
    fetch_within((struct ft_http_req){ .method = method, .flags = flags }, path, 20000);
}

/* ---- what is sent ---- */

Test(http, sends_what_was_asked)
{
    json_t *json = json_pack("{s:s,s:[i,n]}", "zebra", "z", "apple", 1);
    const struct ft_http_header headers[] = { { "X-One", "1" }, { "X-Empty", "" }, { NULL, NULL } };
    char head[200];

    fetch_within((struct ft_http_req){ .method = "PUT", .json = json, .headers = headers, .flags = FT_HTTP_JSON | FT_HTTP_WRITE }, "/x?a=1", 5000);
    json_decref(json);
    cr_expect_str_eq(got.error, "");
    cr_expect_eq(got.status, 200);
    cr_expect_str_eq(got.json, "{\"ok\":true}");
    cr_expect_str_eq(got.mixed, "kept as it is");
    snprintf(head, sizeof(head), "PUT /x?a=1 HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n", server.port);
    cr_expect_eq(strncmp(server.last, head, strlen(head)), 0, "%s", server.last);
    cr_expect(strstr(server.last, "\r\nContent-Type: application/json\r\n"), "%s", server.last);
    cr_expect(strstr(server.last, "\r\nAccept: application/json\r\n"), "%s", server.last);
    cr_expect(strstr(server.last, "\r\nX-One: 1\r\nX-Empty:"), "%s", server.last);
    cr_expect(strstr(server.last, "\r\nContent-Length: 30\r\n"), "%s", server.last);
    cr_expect(strstr(server.last, "\r\n\r\n{\"zebra\":\"z\",\"apple\":[1,null]}"), "%s", server.last);
    cr_expect_not(strcasestr(server.last, "Expect:"), "%s", server.last);
}

static const struct { const char *method; size_t body_len; const char *has, *has_not; } methods[] = {
    { NULL, 0, "GET / HTTP/1.1", "Content-" },
    { "DELETE", 0, "DELETE / HTTP/1.1", "Content-" },
    { "DELETE", 3, "Content-Length: 3", "Content-Type" },
    { "POST", 0, "Content-Length: 0", "Content-Type" },
    { "PATCH", 3, "\r\n\r\nabc", "urlencoded" },
    { "GET", 3, "GET / HTTP/1.1", "POST" },
    { "HEAD", 0, "HEAD / HTTP/1.1", "Content-" },
};

Test(http, methods_with_and_without_a_body)
{
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        fetch_within((struct ft_http_req){ .method = methods[i].method, .body = "abc", .body_len = methods[i].body_len }, "/", 5000);
        cr_expect_str_eq(got.error, "", "%zu: %s", i, got.error);
        cr_expect(strstr(server.last, methods[i].has), "%zu: %s", i, server.last);
        cr_expect_not(strcasestr(server.last, methods[i].has_not), "%zu: %s", i, server.last);
    }
}

Test(http, bodies_may_hold_any_byte_and_be_large)
{
    char *body = ft_calloc(1, 60000);

    memset(body, 'b', 60000);
    body[0] = '\0';
    fetch_within((struct ft_http_req){ .method = "POST", .body = body, .body_len = 60000, .flags = FT_HTTP_WRITE }, "/", 5000);
    cr_expect_str_eq(got.error, "");
    cr_expect(strstr(server.last, "Content-Length: 60000"));
    free(body);
}

Test(http, basic_authentication)
{
    fetch_within((struct ft_http_req){ .user = "ise-admin", .password = "p:w" }, "/", 5000);
    cr_expect(strstr(server.last, "Authorization: Basic aXNlLWFkbWluOnA6dw=="), "%s", server.last);
}

/* ---- what came back ---- */

static const struct {
    unsigned flags;
    const char *method, *path;
    enum ft_class class;
    int status;
    const char *says[4];
} answers[] = {
    { FT_HTTP_JSON, "GET", "/status/200", FT_CLASS_NONE, 200, { "" } },
    { FT_HTTP_JSON, "GET", "/empty", FT_CLASS_NONE, 204, { "" } },
    { FT_HTTP_JSON, "GET", "/continue", FT_CLASS_NONE, 200, { "" } },
    { FT_HTTP_JSON, "GET", "/status/400", FT_INVALID, 400, { "400 Bad Request: the server says why" } },
    { FT_HTTP_JSON, "GET", "/status/401", FT_DENIED, 401, { "401 Unauthorized: the server says why; ", "check the token" } },
    { FT_HTTP_JSON, "GET", "/status/403", FT_DENIED, 403, { "do not allow this" } },
    { FT_HTTP_JSON, "GET", "/status/404", FT_NOT_FOUND, 404, { "404 Not Found: the server says why" } },
    { FT_HTTP_JSON, "GET", "/status/405", FT_INVALID, 405, { "405" } },
    { FT_HTTP_JSON, "GET", "/status/409", FT_CONFLICT, 409, { "409" } },
    { FT_HTTP_JSON, "GET", "/status/410", FT_NOT_FOUND, 410, { "410" } },
    { FT_HTTP_JSON, "GET", "/status/412", FT_CONFLICT, 412, { "412" } },
    { FT_HTTP_JSON, "GET", "/status/415", FT_INVALID, 415, { "415" } },
    { FT_HTTP_JSON, "GET", "/status/422", FT_INVALID, 422, { "422" } },
    { FT_HTTP_JSON, "GET", "/status/423", FT_CONFLICT, 423, { "423" } },
    { FT_HTTP_JSON, "GET", "/status/500", FT_REFUSED, 500, { "500 Internal Server Error" } },
    { FT_HTTP_JSON, "GET", "/status/502", FT_REFUSED, 502, { "502" } },
    { FT_HTTP_JSON, "GET", "/status/503", FT_REFUSED, 503, { "503" } },
    { FT_HTTP_JSON, "GET", "/status/504", FT_REFUSED, 504, { "504" } },
    { FT_HTTP_JSON, "GET", "/plain/500", FT_REFUSED, 500, { "500 Internal Server Error" } },
    { FT_HTTP_WRITE, "POST", "/status/500", FT_REFUSED, 500, { "500" } },
    { FT_HTTP_WRITE, "POST", "/status/502", FT_AMBIGUOUS, 502, { "may have been carried out" } },
    { FT_HTTP_WRITE, "POST", "/status/503", FT_REFUSED, 503, { "503" } },
    { FT_HTTP_WRITE, "POST", "/status/504", FT_AMBIGUOUS, 504, { "may have been carried out" } },
    { FT_HTTP_WRITE, "POST", "/status/401", FT_DENIED, 401, { "401" } },
    { FT_HTTP_ANY_STATUS | FT_HTTP_JSON, "GET", "/status/404", FT_CLASS_NONE, 404, { "" } },
    { FT_HTTP_ANY_STATUS | FT_HTTP_JSON, "GET", "/plain/404", FT_CLASS_NONE, 404, { "" } },
    { FT_HTTP_ANY_STATUS, "GET", "/redirect", FT_CLASS_NONE, 302, { "" } },
    { FT_HTTP_JSON, "GET", "/redirect", FT_INVALID, 302, { "redirects to https://login.example/sso, which is not followed" } },
    { FT_HTTP_JSON, "GET", "/html", FT_INVALID, 200, { "text/html", "web page", "<!DOCTYPE html> <html> [31m<title>" } },
    { FT_HTTP_JSON, "GET", "/truncated-json", FT_INVALID, 200, { "application/json", "{\"results\":[{\"mac\":\"5c5b35" } },
    { FT_HTTP_JSON, "GET", "/plain/200", FT_INVALID, 200, { "text/plain", "no JSON here" } },
    { 0, "GET", "/plain/200", FT_CLASS_NONE, 200, { "" } },
    { 0, "GET", "/html", FT_CLASS_NONE, 200, { "" } },
    { FT_HTTP_JSON, "GET", "/close", FT_UNREACHABLE, 0, { "without an answer" } },
    { FT_HTTP_JSON, "GET", "/reset", FT_UNREACHABLE, 0, { "without an answer" } },
    { FT_HTTP_WRITE, "PUT", "/close", FT_AMBIGUOUS, 0, { "was sent and may have been carried out" } },
    { FT_HTTP_WRITE, "PUT", "/reset", FT_AMBIGUOUS, 0, { "was sent and may have been carried out" } },
    { FT_HTTP_JSON, "GET", "/cut", FT_UNREACHABLE, 200, { "broke off after 8 bytes" } },
    { FT_HTTP_WRITE, "PUT", "/cut", FT_AMBIGUOUS, 200, { "broke off", "may have been carried out" } },
    { FT_HTTP_JSON, "GET", "/big", FT_INVALID, 200, { "larger than the 8388608 bytes allowed" } },
    { FT_HTTP_JSON, "GET", "/big-chunked", FT_INVALID, 200, { "larger than the 8388608 bytes allowed" } },
    { FT_HTTP_WRITE, "PUT", "/big", FT_AMBIGUOUS, 200, { "larger than", "may have been carried out" } },
    { FT_HTTP_JSON, "GET", "/many-headers", FT_INVALID, 200, { "more headers" } },
    { FT_HTTP_JSON, "GET", "/not-http", FT_INVALID, 0, { "not HTTP" } },
};

Test(http, every_answer_has_its_class_and_its_sentence)
{
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        char begins[100];

        fetch(answers[i].flags, answers[i].method, answers[i].path);
        cr_expect_eq(got.class, answers[i].class, "%s %s: %s: %s", answers[i].method, answers[i].path, ft_class_name(got.class), got.error);
        cr_expect_eq(got.status, answers[i].status, "%s: %d", answers[i].path, got.status);
        if (!*answers[i].says[0]) {
            cr_expect_str_eq(got.error, "", "%s", answers[i].path);
            continue;
        }
        snprintf(begins, sizeof(begins), "%s http://127.0.0.1:%u%s: ", answers[i].method, server.port, answers[i].path);
        cr_expect_eq(strncmp(got.error, begins, strlen(begins)), 0, "'%s' does not begin with '%s'", got.error, begins);
        for (const char *const *says = answers[i].says; says < answers[i].says + 4 && *says; says++)
            cr_expect(strstr(got.error, *says), "'%s' lacks '%s'", got.error, *says);
        cr_expect_neq(got.error[strlen(got.error) - 1], '.', "%s", got.error);
        for (const char *c = got.error; *c; c++)
            cr_expect((unsigned char)*c >= ' ', "'%s' has a control character", got.error);
    }
}

Test(http, json_of_an_error_is_given_too)
{
    fetch(FT_HTTP_JSON, "GET", "/status/409");
    cr_expect(strstr(got.json, "the server"), "%s", got.json);
    fetch(0, "GET", "/status/409");
    cr_expect_str_eq(got.json, "none");
    fetch(FT_HTTP_JSON, "GET", "/empty");
    cr_expect_str_eq(got.json, "none");
}

Test(http, a_limit_of_its_own)
{
    fetch_within((struct ft_http_req){ .max_bytes = 11 }, "/", 5000);
    cr_expect_str_eq(got.body, "{\"ok\":true}");
    fetch_within((struct ft_http_req){ .max_bytes = 10 }, "/", 5000);
    cr_expect_eq(got.class, FT_INVALID);
    cr_expect(strstr(got.error, "larger than the 10 bytes"), "%s", got.error);
}

/* ---- deadlines ---- */

static const struct { unsigned flags; const char *path; enum ft_class class; } hanging[] = {
    { 0, "/hang", FT_TIMEOUT },
    { 0, "/half-open", FT_TIMEOUT },
    { FT_HTTP_WRITE, "/hang", FT_AMBIGUOUS },
    { FT_HTTP_WRITE, "/half-open", FT_AMBIGUOUS },
};

Test(http, an_answer_that_does_not_come_in_time)
{
    for (size_t i = 0; i < ARRAY_LEN(hanging); i++) {
        fetch_within((struct ft_http_req){ .method = "POST", .flags = hanging[i].flags, .timeout_ms = i % 2 ? 0 : 30 }, hanging[i].path, i % 2 ? 30 : 20000);
        cr_expect_eq(got.class, hanging[i].class, "%s: %s", hanging[i].path, got.error);
        cr_expect(strstr(got.error, "no complete answer in "), "%s", got.error);
    }
}

Test(http, a_write_that_waits_for_its_turn_only_times_out)
{
    struct ft_http_req req = { .size = sizeof(req), .timeout_ms = 60 };
    char url[100];
    int reads = 0;

    ft_http_set_max_per_host(http, 1);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/hang", server.port);
    req.url = url;
    cr_assert_eq(ft_http_start(http, &req, 0, answered, &reads, NULL, NULL), 0);
    req.timeout_ms = 30;
    req.flags = FT_HTTP_WRITE;
    req.method = "PUT";
    cr_assert_eq(ft_http_start(http, &req, 0, answered, NULL, NULL, NULL), 0);
    ft_loop_run(loop);
    cr_expect_eq(got.answers, 2);
    cr_expect_eq(reads, 1);
    cr_expect_eq(server.requests, 1);
}

static void check_not_sent(void *arg, const struct ft_http_res *res)
{
    *(enum ft_class *)arg = res->class;
    cr_expect(strstr(res->error, "before the request could be sent"), "%s", res->error);
}

Test(http, what_was_not_sent_is_not_ambiguous)
{
    struct ft_http_req req = { .size = sizeof(req), .timeout_ms = 100 };
    enum ft_class class = FT_CLASS_NONE;
    char url[100];

    ft_http_set_max_per_host(http, 1);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/hang", server.port);
    req.url = url;
    ft_http_start(http, &req, 0, answered, NULL, NULL, NULL);
    req.flags = FT_HTTP_WRITE;
    req.timeout_ms = 20;
    ft_http_start(http, &req, 0, check_not_sent, &class, NULL, NULL);
    ft_loop_run(loop);
    cr_expect_eq(class, FT_TIMEOUT, "%s", ft_class_name(class));
}

/* ---- connections ---- */

Test(http, connections_are_kept_over_transfers)
{
    struct ft_http_stats stats;

    for (int i = 0; i < 20; i++)
        fetch(i % 2 ? FT_HTTP_WRITE : 0, i % 2 ? "POST" : "GET", "/");
    ft_http_stats(http, &stats);
    cr_expect_eq(stats.requests, 20);
    cr_expect_eq(stats.connections, 1, "%u", (unsigned)stats.connections);
    cr_expect_eq(server.accepted, 1);
    cr_expect_gt(stats.bytes_in, 20 * 11);
}

Test(http, a_thousand_requests_share_the_connections_allowed)
{
    struct ft_http_req req = { .size = sizeof(req), .flags = FT_HTTP_JSON };
    struct ft_http_stats stats;
    char url[100];

    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", server.port);
    req.url = url;
    for (int i = 0; i < 1000; i++)
        cr_assert_eq(ft_http_start(http, &req, 0, answered, NULL, NULL, NULL), 0);
    ft_loop_run(loop);
    cr_expect_eq(got.answers, 1000);
    cr_expect_eq(server.requests, 1000);
    cr_expect_leq(server.accepted, 16, "%u connections", server.accepted);
    cr_expect_leq(server.most_open, 16);
    ft_http_stats(http, &stats);
    cr_expect_eq(stats.connections, server.accepted);
}

Test(http, a_read_on_a_connection_that_died_is_repeated)
{
    fetch(FT_HTTP_JSON, "GET", "/close-when-reused");
    fetch(FT_HTTP_JSON, "GET", "/close-when-reused");
    cr_expect_str_eq(got.error, "");
    cr_expect_eq(server.accepted, 2);
    cr_expect_eq(server.requests, 3);
}

Test(http, a_write_on_a_connection_that_died_is_never_repeated)
{
    fetch(FT_HTTP_JSON, "GET", "/close-when-reused");
    fetch(FT_HTTP_JSON | FT_HTTP_WRITE, "POST", "/close-when-reused");
    cr_expect_eq(got.class, FT_AMBIGUOUS, "%s", ft_class_name(got.class));
    cr_expect(strstr(got.error, "may have been carried out"), "%s", got.error);
    cr_expect_eq(server.requests, 2, "the write was sent %u times", server.requests - 1);
}

Test(http, a_write_after_the_server_closed_an_idle_connection_takes_a_new_one)
{
    fetch(FT_HTTP_JSON, "GET", "/reply-and-close");
    while (server.closed_by_us < 1)
        sched_yield();
    fetch(FT_HTTP_JSON | FT_HTTP_WRITE, "POST", "/");
    cr_expect_str_eq(got.error, "");
    cr_expect_eq(server.accepted, 2);
}

static const struct { const char *url, *socket, *says; enum ft_class class; } nowhere[] = {
    { "http://127.0.0.1:1/", NULL, "connection refused", FT_UNREACHABLE },
    { "http://no-such-host.invalid/", NULL, "the name was not found", FT_UNREACHABLE },
    { "http://localhost/", "/nonexistent/kea.sock", "no connection: No such file", FT_UNREACHABLE },
};

Test(http, no_connection_is_said_with_its_reason)
{
    for (size_t i = 0; i < 2 * ARRAY_LEN(nowhere); i++) {
        struct ft_http_req req = { .size = sizeof(req), .url = nowhere[i / 2].url, .unix_socket = nowhere[i / 2].socket,
                                   .flags = i % 2 ? FT_HTTP_WRITE : 0 };

        cr_assert_eq(ft_http_start(http, &req, 0, answered, NULL, NULL, NULL), 0);
        ft_loop_run(loop);
        cr_expect_eq(got.class, nowhere[i / 2].class, "%s: %s", req.url, ft_class_name(got.class));
        cr_expect(strstr(got.error, nowhere[i / 2].says), "%s", got.error);
    }
}

Test(http, speaks_plain_http_to_a_tls_port_and_the_other_way_round)
{
    char url[100];
    struct ft_http_req req = { .size = sizeof(req), .url = url, .flags = FT_HTTP_WRITE };

    snprintf(url, sizeof(url), "https://127.0.0.1:%u/", server.port);
    server.answer = by_path;
    cr_assert_eq(ft_http_start(http, &req, 1000, answered, NULL, NULL, NULL), 0);
    ft_loop_run(loop);
    cr_expect_neq(got.class, FT_AMBIGUOUS, "nothing of the request was sent: %s", got.error);
}

Test(http, unix_sockets)
{
    char dir[] = "/tmp/fettle-http-XXXXXX", path[100];
    struct ft_http_req req = { .size = sizeof(req), .url = "http://localhost/", .unix_socket = path, .flags = FT_HTTP_JSON };
    static struct server local;

    cr_assert(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/s", dir);
    server_start(&local, by_path, path);
    cr_assert_eq(ft_http_start(http, &req, 0, answered, NULL, NULL, NULL), 0);
    ft_loop_run(loop);
    cr_expect_str_eq(got.json, "{\"ok\":true}", "%s", got.error);
    server_stop(&local);
    unlink(path);
    rmdir(dir);
}

/* ---- 429 ---- */

static const struct {
    const char *path;
    unsigned busy, flags;
    uint64_t deadline_ms;
    enum ft_class class;
    uint64_t took_ms;
    unsigned requests;
    const char *says;
} waits[] = {
    { "/busy", 1, 0, 60000, FT_CLASS_NONE, 5000, 2, "" },
    { "/busy", 2, 0, 60000, FT_CLASS_NONE, 15000, 3, "" },
    { "/busy", 3, 0, 60000, FT_CLASS_NONE, 35000, 4, "" },
    { "/busy", 4, 0, 60000, FT_REFUSED, 35000, 4, "429 Too Many Requests; also after 3 waits" },
    { "/busy", 1, FT_HTTP_WRITE, 60000, FT_CLASS_NONE, 5000, 2, "" },
    { "/busy", 1, FT_HTTP_NO_WAIT, 60000, FT_REFUSED, 0, 1, "try again in 5 s, at 1970-01-01T00:16:45" },
    { "/busy", 9, 0, 12000, FT_REFUSED, 5000, 2, "try again in 10 s, at 1970-01-01T00:16:55" },
    { "/busy-7s", 2, 0, 60000, FT_CLASS_NONE, 14000, 3, "" },
    { "/busy-7s", 1, 0, 6000, FT_REFUSED, 0, 1, "asks to wait 7 s: try again at 1970-01-01T00:16:47" },
    { "/busy-date", 1, 0, 60000, FT_CLASS_NONE, 12000, 2, "" },
    { "/busy-date-only", 1, 0, 60000, FT_CLASS_NONE, 3000, 2, "" },
    { "/busy-nonsense", 1, 0, 60000, FT_CLASS_NONE, 5000, 2, "" },
    { "/busy", 1, FT_HTTP_ANY_STATUS | FT_HTTP_NO_WAIT, 60000, FT_CLASS_NONE, 0, 1, "" },
};

Test(http_wait, for_429_is_as_long_as_told_and_never_past_the_deadline)
{
    begin_at(1000000);
    for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
        uint64_t from = ft_clock_wall_ms(manual);
        unsigned before = server.requests;

        if (i) {
            ft_clock_set_wall(manual, 1000000);
            from = 1000000;
        }
        server.busy_left = waits[i].busy;
        fetch_within((struct ft_http_req){ .flags = waits[i].flags | FT_HTTP_JSON }, waits[i].path, waits[i].deadline_ms);
        cr_expect_eq(got.class, waits[i].class, "%zu: %s", i, got.error);
        cr_expect_eq(ft_clock_wall_ms(manual) - from, waits[i].took_ms, "%zu: %u ms", i, (unsigned)(ft_clock_wall_ms(manual) - from));
        cr_expect_eq(server.requests - before, waits[i].requests, "%zu: %u requests", i, server.requests - before);
        cr_expect(strstr(got.error, waits[i].says), "%zu: %s", i, got.error);
    }
}

/* ---- cancelling ---- */

static void cancel(void *arg)
{
    ft_http_cancel(arg);
}

Test(http, cancelled_ones_are_not_answered)
{
    static const char *const paths[] = { "/hang", "/half-open", "/", "/busy" };

    server.busy_left = 100;
    for (size_t i = 0; i < 2 * ARRAY_LEN(paths); i++) {
        struct ft_http_req req = { .size = sizeof(req) };
        struct ft_http_transfer *transfer;
        char url[100];

        snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", server.port, paths[i / 2]);
        req.url = url;
        cr_assert_eq(ft_http_start(http, &req, 0, answered, NULL, &transfer, NULL), 0);
        if (i % 2 && i / 2 != 2) {
            ft_timer_start(loop, 20, cancel, transfer);
            ft_loop_run(loop);
        } else {
            ft_http_cancel(transfer);
        }
        ft_loop_run(loop);
    }
    ft_http_cancel(NULL);
    cr_expect_eq(got.answers, 0);
}

static struct ft_http_transfer *own;

static void cancel_own(void *arg, const struct ft_http_res *res)
{
    ft_http_cancel(own);
    answered(arg, res);
}

Test(http, cancelling_in_its_own_answer_is_harmless)
{
    struct ft_http_req req = { .size = sizeof(req) };
    char url[100];

    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", server.port);
    req.url = url;
    cr_assert_eq(ft_http_start(http, &req, 0, cancel_own, NULL, &own, NULL), 0);
    ft_loop_run(loop);
    cr_expect_eq(got.answers, 1);
}

Test(http, freed_with_transfers_under_way)
{
    struct ft_http_req req = { .size = sizeof(req) };
    char url[100];

    snprintf(url, sizeof(url), "http://127.0.0.1:%u/hang", server.port);
    req.url = url;
    for (int i = 0; i < 50; i++)
        cr_assert_eq(ft_http_start(http, &req, 0, answered, NULL, NULL, NULL), 0);
    ft_timer_start(loop, 10, (void (*)(void *))ft_loop_stop, loop);
    ft_loop_run(loop);
    http = ft_http_free(http);
    ft_loop_run(loop);
    cr_expect_eq(got.answers, 0);
}

/* ---- errors of use ---- */

static const struct { struct ft_http_req req; const char *says; } misuses[] = {
    { { .url = NULL }, "needs a URL" },
    { { .url = "" }, "needs a URL" },
    { { .url = "ftp://x/" }, "must begin with http:// or https://" },
    { { .url = "file:///etc/passwd" }, "must begin with" },
    { { .url = "x.example/api" }, "must begin with" },
    { { .url = "http://" }, "name a host" },
    { { .url = "http:///path" }, "name a host" },
    { { .url = "smtp://x" }, "must begin with" },
    { { .url = "http://x/a b" }, "blank or control" },
    { { .url = "http://x/a\r\nHost: y" }, "blank or control" },
    { { .url = "http://x", .method = "GET /" }, "not an HTTP method" },
    { { .url = "http://x", .method = "" }, "not an HTTP method" },
    { { .url = "http://x", .headers = (struct ft_http_header[]){ { "A", "b\r\nC: d" }, { 0 } } }, "'A' has a character that is not allowed in its value" },
    { { .url = "http://x", .headers = (struct ft_http_header[]){ { "A B", "c" }, { 0 } } }, "in its name" },
    { { .url = "http://x", .flags = FT_HTTP_MAIL }, "must begin with smtp://" },
    { { .url = "smtp://x", .flags = FT_HTTP_MAIL }, "sender and at least one recipient" },
    { { .url = "smtp://x", .flags = FT_HTTP_MAIL, .mail_from = "a@b", .mail_to = (const char *[]){ "c@d>\r\nDATA", NULL } }, "not a mail address" },
    { { .url = "smtp://x", .flags = FT_HTTP_MAIL, .mail_from = "a b", .mail_to = (const char *[]){ "c@d", NULL } }, "not a mail address" },
};

Test(http_use, mistakes_are_told_at_once)
{
    begin();
    for (size_t i = 0; i < ARRAY_LEN(misuses); i++) {
        struct ft_err err = { 0 };

        cr_expect_eq(ft_http_start(http, &misuses[i].req, 0, answered, NULL, NULL, &err), -EINVAL, "%zu", i);
        cr_expect_eq(err.class, FT_INVALID, "%zu", i);
        cr_expect(strstr(err.text, misuses[i].says), "%zu: '%s' lacks '%s'", i, err.text, misuses[i].says);
        cr_expect_lt(ft_http_start(http, &misuses[i].req, 0, answered, NULL, NULL, NULL), 0, "%zu", i);
    }
    ft_loop_run(loop);
    cr_expect_eq(got.answers, 0);
    end();
}
