#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/util.h"
#include "net/http.h"

static char dir[] = "/tmp/fettle-tls-XXXXXX", cert[64], key[64], other[64], other_key[64], locked[64];
static pid_t servers[2];
static unsigned ports[2];              /* the second one asks for a certificate that is `cert` */

static void make_certificate(const char *key_file, const char *cert_file)
{
    char *command = ft_asprintf("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout %s -out %s "
                                "-subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null", key_file, cert_file);

    cr_assert_eq(system(command), 0, "openssl cannot make a certificate: is the package openssl installed?");
    free(command);
}

static void lock_key(void)
{
    char *command = ft_asprintf("openssl ec -in %s -aes128 -passout pass:x -out %s 2>/dev/null", key, locked);

    cr_assert_eq(system(command), 0);
    free(command);
}

/* Debian's own TLS server program; it says which port it got. */
static void start_server(int nth)
{
    const char *argv[] = { "openssl", "s_server", "-accept", "127.0.0.1:0", "-www", "-cert", cert, "-key", key, nth ? "-Verify" : NULL, "1", "-verify_return_error", "-CAfile", cert, NULL };
    int ends[2];
    char line[200];
    FILE *said;

    cr_assert_eq(pipe(ends), 0);
    servers[nth] = fork();
    if (servers[nth] == 0) {
        dup2(ends[1], 1);
        dup2(open("/dev/null", O_RDWR), 0);
        dup2(0, 2);                               /* it reports every refusal that is wanted here */
        execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    close(ends[1]);
    said = fdopen(ends[0], "r");
    while (fgets(line, sizeof(line), said) && sscanf(line, "ACCEPT 127.0.0.1:%u", &ports[nth]) != 1)
        ;
    cr_assert_neq(ports[nth], 0, "openssl s_server did not start");
    fclose(said);
}

static void begin(void)
{
    cr_assert(mkdtemp(dir));
    snprintf(cert, sizeof(cert), "%s/cert.pem", dir);
    snprintf(key, sizeof(key), "%s/key.pem", dir);
    snprintf(other, sizeof(other), "%s/other.pem", dir);
    snprintf(other_key, sizeof(other_key), "%s/other-key.pem", dir);
    snprintf(locked, sizeof(locked), "%s/locked.pem", dir);
    make_certificate(other_key, other);
    make_certificate(key, cert);
    lock_key();
    start_server(0);
    start_server(1);
}

static void end(void)
{
    char *command = ft_asprintf("rm -rf %s", dir);

    for (int i = 0; i < 2; i++) {
        kill(servers[i], SIGKILL);
        waitpid(servers[i], NULL, 0);
    }
    cr_expect_eq(system(command), 0);
    free(command);
}

static struct { int answers, status; enum ft_class class; char error[1200]; } got;

static void answered(void *arg, const struct ft_http_res *res)
{
    (void)arg;
    got.answers++;
    got.status = res->status;
    got.class = res->class;
    snprintf(got.error, sizeof(got.error), "%s", res->error ? res->error : "");
}

static const struct { const char *base, *ca_file; unsigned flags; enum ft_class class; const char *says; int server; const char *cert_file, *key_file; } cases[] = {
    { "https://localhost", cert, 0, FT_CLASS_NONE, "" },
    { "https://localhost", cert, FT_HTTP_WRITE, FT_CLASS_NONE, "" },
    { "https://localhost", NULL, 0, FT_UNREACHABLE, "; set ca_file to the certificate of the CA" },
    { "https://localhost", NULL, FT_HTTP_WRITE, FT_UNREACHABLE, "; set ca_file to the certificate of the CA" },
    { "https://localhost", other, 0, FT_UNREACHABLE, "; check that ca_file holds the certificate" },
    { "https://localhost", "/nonexistent/ca.pem", 0, FT_UNREACHABLE, "ca_file '/nonexistent/ca.pem' must be a readable PEM file" },
    { "https://127.0.0.1", cert, 0, FT_UNREACHABLE, "127.0.0.1" },
    { "https://127.0.0.1", NULL, FT_HTTP_NO_VERIFY, FT_CLASS_NONE, "" },
    { "https://localhost", cert, 0, FT_CLASS_NONE, "" },
    { "http://localhost", NULL, 0, FT_UNREACHABLE, "" },
    /* Where a certificate of ours is asked for. */
    { "https://localhost", cert, 0, FT_CLASS_NONE, "", 1, cert, key },
    { "https://localhost", cert, FT_HTTP_WRITE, FT_CLASS_NONE, "", 1, cert, key },
    { "https://localhost", cert, 0, FT_UNREACHABLE, "; the server asks for a certificate of ours: set cert_file and key_file", 1 },
    { "https://localhost", cert, FT_HTTP_WRITE, FT_UNREACHABLE, "; the server asks for a certificate of ours: set cert_file and key_file", 1 },
    { "https://localhost", cert, FT_HTTP_WRITE, FT_UNREACHABLE, "; the server does not accept the certificate in cert_file", 1, other, other_key },
    { "https://localhost", cert, 0, FT_UNREACHABLE, "; cert_file '/nonexistent/me.pem' and key_file must be readable PEM files that belong together", 1, "/nonexistent/me.pem" },
    { "https://localhost", cert, 0, FT_UNREACHABLE, "that belong together", 1, cert, other_key },
    { "https://localhost", cert, 0, FT_UNREACHABLE, "and the key not encrypted", 1, cert, locked },
    { "https://localhost", cert, 0, FT_CLASS_NONE, "", 0, cert, key },
};

Test(tls, certificates_are_checked, .init = begin, .fini = end, .timeout = 60)
{
    struct ft_loop *loop = ft_loop_new(NULL);
    struct ft_http *http = ft_http_new(loop);

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *url = ft_asprintf("%s:%u/", cases[i].base, ports[cases[i].server]);
        struct ft_http_req req = { .size = sizeof(req), .url = url, .ca_file = cases[i].ca_file, .flags = cases[i].flags,
                                   .cert_file = cases[i].cert_file, .key_file = cases[i].key_file };

        memset(&got, 0, sizeof(got));
        cr_assert_eq(ft_http_start(http, &req, 20000, answered, NULL, NULL, NULL), 0);
        ft_loop_run(loop);
        cr_expect_eq(got.answers, 1);
        cr_expect_eq(got.class, cases[i].class, "%zu: %s", i, got.error);
        cr_expect(strstr(got.error, cases[i].says), "%zu: %s", i, got.error);
        free(url);
    }
    ft_http_free(http);
    ft_loop_free(loop);
}
