/* ws_client.h: a websocket client under test, and a peer in Python that it speaks to: what was heard is written down in `said`. */
#pragma once
#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/util.h"
#include "net/stream.h"

static char dir[] = "/tmp/fettle-ws-XXXXXX";
static pid_t server;
static FILE *server_in;
static unsigned ports[2];              /* without TLS, and with */
static struct ft_loop *loop;
static struct ft_buf said;
static struct ft_stream *stream;

static void start_server(const char *peer)
{
    const char *source = getenv("FETTLE_SOURCE");
    char *script = ft_asprintf("%s/tests/%s", source ? source : ".", peer);
    int in[2], out[2];
    FILE *from;

    cr_assert(pipe(in) == 0 && pipe(out) == 0);
    server = fork();
    if (server == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[1]);
        execl("/usr/bin/python3", "python3", script, dir, (char *)NULL);         /* Debian's packages belong to Debian's python */
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    server_in = fdopen(in[1], "w");
    from = fdopen(out[0], "r");
    cr_assert_eq(fscanf(from, "%u %u", &ports[0], &ports[1]), 2, "%s did not start: is the package python3-websockets installed?", peer);
    fclose(from);
    free(script);
}

static void begin_with(const char *peer)
{
    char *command;

    cr_assert(mkdtemp(dir));
    command = ft_asprintf("cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout key.pem -out cert.pem -subj /CN=localhost "
                          "-addext subjectAltName=DNS:localhost 2>/dev/null && cat cert.pem key.pem > server.pem", dir);
    cr_assert_eq(system(command), 0, "no certificate: is the package openssl installed?");
    free(command);
    start_server(peer);
    loop = ft_loop_new(NULL);
    said = FT_BUF_INIT(0);
}

static void end(void)
{
    char *command = ft_asprintf("rm -rf %s", dir);

    ft_stream_close(stream);
    ft_loop_run(loop);
    ft_loop_free(loop);
    ft_buf_done(&said);
    fclose(server_in);
    waitpid(server, NULL, 0);
    cr_expect_eq(system(command), 0);
    free(command);
}

static bool close_when_heard;

static void opened(void *arg, struct ft_stream *s)
{
    (void)arg;
    (void)s;
    ft_buf_adds(&said, "<opened>");
}

static void data(void *arg, struct ft_stream *s, const char *bytes, size_t len, bool is_stderr)
{
    (void)arg;
    cr_expect_not(is_stderr);
    if (len > 100)
        ft_buf_addf(&said, "[%zu]", len);
    else
        ft_buf_addf(&said, "[%.*s]", (int)len, bytes);
    if (close_when_heard) {
        ft_stream_close(s);
        stream = NULL;
    }
}

static void closed(void *arg, struct ft_stream *s, enum ft_class class, int exit_status, const char *why)
{
    (void)arg;
    (void)s;
    cr_expect_eq(exit_status, -1);
    ft_buf_addf(&said, "<closed %s: %s>", ft_class_name(class), why);
}

static const struct ft_stream_handler handler = { opened, data, closed };

static int open_req(struct ft_ws_req *req, bool tls, const char *host, const char *path, struct ft_err *err)
{
    char *url = ft_asprintf("%s://%s:%u%s", tls ? "wss" : "ws", host ? host : "localhost", ports[tls], path), *ca = ft_asprintf("%s/cert.pem", dir);
    int r;

    ft_stream_close(stream);
    stream = NULL;
    ft_buf_clear(&said);
    req->size = sizeof(*req);
    req->url = url;
    req->ca_file = req->ca_file ? ca : NULL;
    r = ft_ws_open(loop, req, &handler, NULL, &stream, err);
    cr_expect_eq(said.len, 0, "called inside the call");
    free(url);
    free(ca);
    return r;
}

/* What was said, with the port as PORT. */
static const char *shown(void)
{
    static char text[3000];
    char number[10], *at;
    size_t n;

    snprintf(text, sizeof(text), "%s", ft_buf_str(&said));
    for (int i = 0; i < 2; i++) {
        n = (size_t)snprintf(number, sizeof(number), ":%u", ports[i]);
        while ((at = strstr(text, number))) {
            memmove(at + 5, at + n, strlen(at + n) + 1);
            memcpy(at, ":PORT", 5);
        }
    }
    return text;
}
