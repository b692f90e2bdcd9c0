/* TLS streams against tls_peer.py: Python's TLS, with a fault for each port. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/util.h"
#include "net/stream.h"

static char dir[] = "/tmp/fettle-tls-XXXXXX";
static pid_t server;
static FILE *server_in;
static struct { char name[20]; unsigned port; } ports[30];
static struct ft_loop *loop;
static struct ft_buf said;
static struct ft_stream *stream;

static const char certificates[] =
    "cd %s && exec 2>&1 && new='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes' &&"
    "openssl req -x509 $new -days 9 -keyout ca.key -out ca.pem -subj '/CN=Test CA' &&"
    "leaf() { openssl req $new -keyout $1.key -out $1.csr -subj /CN=$1 && printf \"subjectAltName=$2\" > $1.ext &&"
    "    openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days $3 -extfile $1.ext -out $1.crt && cat $1.crt $1.key > $1.pem; } &&"
    "leaf good DNS:localhost,IP:127.0.0.1 9 && leaf expired DNS:localhost -1 && leaf other DNS:elsewhere.test 9 && leaf client DNS:me 9 &&"
    "openssl req -x509 $new -days 9 -keyout self.key -out self.crt -subj /CN=localhost -addext subjectAltName=DNS:localhost && cat self.crt self.key > self.pem &&"
    "openssl ec -in client.key -aes128 -passout pass:x -out locked.key";

static void start_server(void)
{
    const char *source = getenv("FETTLE_SOURCE");
    char *script = ft_asprintf("%s/tests/unit/net/tls_peer.py", source ? source : "."), line[100];
    int in[2], out[2];
    FILE *from;
    size_t n = 0;

    cr_assert(pipe(in) == 0 && pipe(out) == 0);
    server = fork();
    if (server == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[1]);
        execlp("python3", "python3", "-W", "ignore", script, dir, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    server_in = fdopen(in[1], "w");
    from = fdopen(out[0], "r");
    for (; fgets(line, sizeof(line), from) && strcmp(line, "ready\n") != 0; n++)
        cr_assert_eq(sscanf(line, "%19s %u", ports[n].name, &ports[n].port), 2);
    cr_assert_gt(n, 10, "tls_peer.py did not start");
    fclose(from);
    free(script);
}

static void begin(void)
{
    char *command, text[8000];
    FILE *from;

    cr_assert(mkdtemp(dir));
    command = ft_asprintf(certificates, dir);
    from = popen(command, "r");
    text[fread(text, 1, sizeof(text) - 1, from)] = '\0';
    cr_assert_eq(pclose(from), 0, "no certificates: is the package openssl installed? %s", text);
    free(command);
    start_server();
    loop = ft_loop_new(NULL);
    said = FT_BUF_INIT(0);
}

static void end(void)
{
    char *command = ft_asprintf("rm -rf %s", dir);

    ft_stream_close(stream);
    stream = NULL;
    ft_loop_run(loop);
    ft_loop_free(loop);
    ft_buf_done(&said);
    fclose(server_in);
    waitpid(server, NULL, 0);
    cr_expect_eq(system(command), 0);
    free(command);
}

static uint16_t port_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(ports); i++)
        if (strcmp(ports[i].name, name) == 0)
            return (uint16_t)ports[i].port;
    cr_assert(false, "no server %s", name);
    return 0;
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
    ft_buf_add(&said, bytes, len);
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

static char *in_dir(const char *name)
{
    return name ? *name == '/' ? ft_strdup(name) : ft_asprintf("%s/%s", dir, name) : NULL;
}

struct way { const char *mode, *host, *ca, *server_name, *cert, *key; bool no_verify; };

static int open_way(const struct way *way, unsigned timeout_ms, struct ft_err *err)
{
    char *ca = in_dir(way->ca), *cert = in_dir(way->cert), *key = in_dir(way->key);
    struct ft_tcp_req req = { .size = sizeof(req), .host = way->host ? way->host : "localhost", .port = port_of(way->mode), .connect_timeout_ms = timeout_ms, .tls = true, .ca_file = ca,
                              .server_name = way->server_name, .cert_file = cert, .key_file = key, .no_verify = way->no_verify };
    int r;

    ft_stream_close(stream);
    stream = NULL;
    ft_buf_clear(&said);
    r = ft_tcp_open(loop, &req, &handler, NULL, &stream, err);
    cr_expect_eq(said.len, 0, "called inside the call");
    free(ca);
    free(cert);
    free(key);
    return r;
}

/* Says hello and goodbye, and lets the loop run until it is over. */
static const char *talk(const struct way *way)
{
    struct ft_err err = { 0 };

    cr_assert_eq(open_way(way, 0, &err), 0, "%s: %s", way->mode, err.text);
    cr_expect_eq(ft_stream_write(stream, "hello", 5, &err), 0);
    ft_stream_eof(stream);
    cr_expect_eq(ft_stream_write(stream, "late", 4, &err), -EPIPE);
    ft_loop_run(loop);
    return ft_buf_str(&said);
}

#define GOOD "<opened>hello<closed none: closed by the other side>"

static const struct { struct way way; const char *says; } ways[] = {
    { { "echo", "localhost", "ca.pem" }, GOOD },
    { { "echo12", "localhost", "ca.pem" }, GOOD },
    { { "echo", "127.0.0.1", "ca.pem" }, GOOD },
    { { "bye", "127.0.0.1", "ca.pem" }, GOOD },
    { { "by_name", "localhost", "ca.pem" }, GOOD },
    { { "by_name", "127.0.0.1", "ca.pem", "localhost" }, GOOD },
    { { "by_name", "127.0.0.1", "ca.pem" }, "does not name '127.0.0.1'" },
    { { "echo", "127.0.0.1", NULL, .no_verify = true }, GOOD },
    { { "self", "127.0.0.1", "self.crt", "localhost" }, GOOD },
    { { "other", "127.0.0.1", "ca.pem", "elsewhere.test" }, GOOD },
    { { "client", "127.0.0.1", "ca.pem", .cert = "client.crt", .key = "client.key" }, GOOD },
    { { "client12", "127.0.0.1", "ca.pem", .cert = "client.pem" }, GOOD },
    { { "echo", "localhost", NULL }, "<closed unreachable: tls localhost:PORT: the server's certificate is signed by an unknown CA; set ca_file to the certificate of the CA that signed it>" },
    { { "echo", "localhost", "self.crt" }, "signed by an unknown CA; check that ca_file holds the certificate of the CA that signed it>" },
    { { "self", "localhost", NULL }, "the server's certificate is self-signed; set ca_file to it if you trust it>" },
    { { "self", "localhost", "ca.pem" }, "the server's certificate is self-signed; ca_file holds another one>" },
    { { "expired", "localhost", "ca.pem" }, "has expired; renew it, or set this machine's clock>" },
    { { "other", "localhost", "ca.pem" }, "does not name 'localhost'; connect by a name that it has, or set the server name>" },
    { { "other", "127.0.0.1", "ca.pem" }, "does not name '127.0.0.1'; " },
    { { "old", "localhost", "ca.pem" }, "; TLS 1.2 or newer is needed>" },
    { { "plain", "localhost", "ca.pem" }, "; that port does not speak TLS, it seems>" },
    { { "hangs_up", "localhost", "ca.pem" }, "<closed unreachable: tls localhost:PORT: the other side closed the connection in the TLS handshake; does that port speak TLS?>" },
    { { "client12", "localhost", "ca.pem" }, "<closed unreachable: tls localhost:PORT: no TLS connection: " },
    { { "client", "localhost", "ca.pem" }, "; where the server asks for a certificate of ours, set cert_file and key_file>" },
    { { "client", "localhost", "ca.pem", .cert = "self.crt", .key = "self.key" }, "the server does not accept the certificate in cert_file>" },
    { { "cut", "localhost", "ca.pem" }, "<opened>hello<closed unreachable: tls localhost:PORT: the connection was cut off: it ended without TLS's own end, so something may be missing>" },
};

static void each_way_to_begin_and_to_end(void)
{
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        char *number = ft_asprintf(":%u", port_of(ways[i].way.mode)), *text = ft_strdup(talk(&ways[i].way)), *at = strstr(text, number);
        struct ft_buf shown = FT_BUF_INIT(0);

        if (at)
            ft_buf_addf(&shown, "%.*s:PORT%s", (int)(at - text), text, at + strlen(number));
        else
            ft_buf_adds(&shown, text);
        cr_expect(strstr(ft_buf_str(&shown), ways[i].says), "%zu (%s): %s", i, ways[i].way.mode, ft_buf_str(&shown));
        ft_buf_done(&shown);
        free(number);
        free(text);
    }
}

static void a_handshake_that_does_not_end_is_given_up(void)
{
    struct ft_err err = { 0 };

    cr_assert_eq(open_way(&(struct way){ "silent", "127.0.0.1", "ca.pem" }, 80, &err), 0);
    ft_loop_run(loop);
    cr_expect(strstr(ft_buf_str(&said), "<closed unreachable: tls 127.0.0.1:"), "%s", ft_buf_str(&said));
    cr_expect(strstr(ft_buf_str(&said), "the TLS handshake was not over in 80 ms; does that port speak TLS?>"), "%s", ft_buf_str(&said));
}

static void files_that_are_not_right_are_said_before_anything_is_sent(void)
{
    static const struct { struct way way; const char *says; } table[] = {
        { { "echo", .ca = "none.pem" }, "/none.pem' must be a readable PEM file" },
        { { "echo", .ca = "good.key" }, "ca_file '" },
        { { "echo", .ca = "ca.pem", .cert = "none.pem" }, "cert_file '" },
        { { "echo", .ca = "ca.pem", .cert = "client.crt" }, "must be a readable PEM file with a private key, not encrypted" },
        { { "echo", .ca = "ca.pem", .cert = "client.crt", .key = "none" }, "key_file '" },
        { { "echo", .ca = "ca.pem", .cert = "client.crt", .key = "locked.key" }, "/locked.key' must be a readable PEM file with a private key, not encrypted" },
        { { "echo", .ca = "ca.pem", .cert = "client.crt", .key = "self.key" }, "/self.key' is not the key of the certificate in '" },
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct ft_err err = { 0 };

        cr_expect_lt(open_way(&table[i].way, 0, &err), 0, "%zu", i);
        cr_expect(err.class == FT_INVALID && strstr(err.text, table[i].says), "%zu: %s", i, err.text);
    }
}

static void much_goes_both_ways(void)
{
    static char piece[100000];
    struct ft_err err = { 0 };
    size_t taken = 0;

    cr_assert_eq(open_way(&(struct way){ "echo", "127.0.0.1", "ca.pem" }, 0, &err), 0);
    memset(piece, 'y', sizeof(piece));
    for (int i = 0; i < 20; i++, taken += sizeof(piece))
        cr_assert_eq(ft_stream_write(stream, piece, sizeof(piece), &err), 0, "%s", err.text);
    ft_stream_eof(stream);
    ft_loop_run(loop);
    cr_expect_eq(said.len, taken + strlen(GOOD) - 5, "%zu", said.len);
    cr_assert_eq(open_way(&(struct way){ "flood", "127.0.0.1", "ca.pem" }, 0, &err), 0);
    cr_assert_eq(ft_stream_write(stream, "x", 1, &err), 0);
    ft_loop_run(loop);
    cr_expect_eq(said.len, 1000000 + strlen(GOOD) - 5, "%zu", said.len);
    /* What waits is bounded, before and after the handshake. */
    cr_assert_eq(open_way(&(struct way){ "silent", "127.0.0.1", "ca.pem" }, 80, &err), 0);
    for (taken = 0; ft_stream_write(stream, piece, sizeof(piece), &err) == 0;)
        taken += sizeof(piece);
    cr_expect(err.code == -ENOBUFS && taken <= FT_STREAM_QUEUE_MAX && taken > FT_STREAM_QUEUE_MAX / 10 * 9, "%zu: %s", taken, err.text);
}

static void nothing_comes_after_closing(void)
{
    struct ft_err err = { 0 };

    for (int early = 0; early < 2; early++) {
        cr_assert_eq(open_way(&(struct way){ "echo", "localhost", "ca.pem" }, 0, &err), 0);
        cr_expect_eq(ft_stream_write(stream, "hello", 5, &err), 0);
        close_when_heard = !early;
        if (early) {
            ft_stream_close(stream);
            stream = NULL;
        }
        ft_loop_run(loop);
        cr_expect_str_eq(ft_buf_str(&said), early ? "" : "<opened>hello");
        close_when_heard = false;
    }
}

/* One test: certificates and servers take longer to make than all of this. */
Test(tls, streams, .init = begin, .fini = end, .timeout = 60)
{
    each_way_to_begin_and_to_end();
    a_handshake_that_does_not_end_is_given_up();
    files_that_are_not_right_are_said_before_anything_is_sent();
    much_goes_both_ways();
    nothing_comes_after_closing();
}
