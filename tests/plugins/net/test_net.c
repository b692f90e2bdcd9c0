/* The net plugin against servers on loopback. Nothing here waits longer than the timeout that it gives. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "fake_host.h"

static const struct fake_result *run(struct fake_host **f, const char *action, const char *params)
{
    *f = fake_host_new("net");
    return fake_run(*f, action, "run", params, NULL);
}

static int bound(int type, uint16_t *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(*port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, type, 0);

    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        close(fd);
        return -1;
    }
    *port = ntohs(address.sin_port);
    return fd;
}

/* ---- a name server: copies the question, adds what it is told ---- */

static struct {
    int udp, tcp;
    uint16_t port;
    uint8_t rcode, answers;        /* of the header */
    const uint8_t *records; size_t records_len;
    bool truncate, silent, wrong_id, garbage;
    unsigned questions;
} ns;

static size_t ns_answer(uint8_t *packet, size_t len, bool by_tcp)
{
    ns.questions++;
    packet[2] |= 0x80;
    packet[3] = ns.rcode;
    packet[7] = ns.answers;
    if (ns.truncate && !by_tcp) {
        packet[2] |= 0x02;
        packet[7] = 0;
        return len;
    }
    if (ns.records)
        memcpy(packet + len, ns.records, ns.records_len);
    return len + ns.records_len;
}

static void *ns_udp(void *arg)
{
    uint8_t packet[2048];
    struct sockaddr_in from;
    socklen_t from_len = sizeof(from);
    ssize_t n;

    while ((n = recvfrom(ns.udp, packet, 512, 0, (struct sockaddr *)&from, &from_len)) > 1) {
        size_t len = ns_answer(packet, (size_t)n, false);

        if (ns.silent)
            continue;
        if (ns.wrong_id) {
            packet[0] ^= 0xff;
            sendto(ns.udp, packet, len, 0, (struct sockaddr *)&from, from_len);
            packet[0] ^= 0xff;
        }
        sendto(ns.udp, packet, ns.garbage ? len - 3 : len, 0, (struct sockaddr *)&from, from_len);
    }
    return arg;
}

static void *ns_tcp(void *arg)
{
    uint8_t packet[2048];
    int fd = accept(ns.tcp, NULL, NULL);
    ssize_t n = fd >= 0 ? recv(fd, packet, sizeof(packet) / 2, 0) : -1;

    if (n > 2) {
        size_t len = ns_answer(packet + 2, (size_t)n - 2, true);

        packet[0] = (uint8_t)(len >> 8);
        packet[1] = (uint8_t)len;
        if (send(fd, packet, len + 2, MSG_NOSIGNAL) < 0)
            perror("send");
    }
    if (fd >= 0)
        close(fd);
    return arg;
}

static const struct fake_result *ask(struct fake_host **f, const char *name, const char *type, const char *timeout)
{
    char params[300];
    pthread_t udp, tcp;
    const struct fake_result *r;
    struct sockaddr_in self = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

    ns.udp = ns.tcp = -1;
    for (int tries = 0; ns.tcp < 0 && tries < 50; tries++) {      /* one number for both, which somebody may have for one */
        close(ns.udp);
        ns.port = 0;
        ns.udp = bound(SOCK_DGRAM, &ns.port);
        ns.tcp = bound(SOCK_STREAM, &ns.port);
    }
    cr_assert(ns.udp >= 0 && ns.tcp >= 0);
    listen(ns.tcp, 1);
    pthread_create(&udp, NULL, ns_udp, NULL);
    pthread_create(&tcp, NULL, ns_tcp, NULL);
    snprintf(params, sizeof(params), "{'name': '%s', 'type': '%s', 'server': '127.0.0.1:%u', 'timeout_s': %s}", name, type, ns.port, timeout);
    r = run(f, "dns", params);
    self.sin_port = htons(ns.port);
    sendto(ns.udp, "x", 1, 0, (struct sockaddr *)&self, sizeof(self));       /* ends its loop */
    shutdown(ns.tcp, SHUT_RDWR);
    pthread_join(udp, NULL);
    pthread_join(tcp, NULL);
    close(ns.udp);
    close(ns.tcp);
    return r;
}

#define HEAD(type) 0xc0, 0x0c, 0, type, 0, 1, 0, 0, 0, 60
static const uint8_t a_record[] = { HEAD(1), 0, 4, 10, 11, 0, 93 };
static const uint8_t two_a[] = { HEAD(1), 0, 4, 10, 11, 0, 93, HEAD(1), 0, 4, 10, 11, 0, 94 };
static const uint8_t aaaa[] = { HEAD(28), 0, 16, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 };
static const uint8_t mx[] = { HEAD(15), 0, 9, 0, 10, 4, 'm', 'a', 'i', 'l', 0xc0, 0x0c };
static const uint8_t srv[] = { HEAD(33), 0, 11, 0, 1, 0, 2, 0, 53, 2, 'd', 'c', 0xc0, 0x0c };
static const uint8_t txt[] = { HEAD(16), 0, 8, 3, 'a', 'b', 'c', 3, 'd', 'e', 'f' };
static const uint8_t ptr[] = { HEAD(12), 0, 5, 2, 'g', 'w', 0xc0, 0x0c };
static const uint8_t only_cname[] = { HEAD(5), 0, 5, 2, 'g', 'w', 0xc0, 0x0c };
static const uint8_t soa[] = { HEAD(6), 0, 27, 2, 'n', 's', 0xc0, 0x0c, 0xc0, 0x0c, 0, 0, 0, 7, 0, 0, 4, 0xb0, 0, 0, 0, 180, 0, 0x12, 0x75, 0, 0, 0, 0, 60 };
static const uint8_t caa[] = { 0xc0, 0x0c, 1, 1, 0, 1, 0, 0, 0, 60, 0, 14, 0, 5, 'i', 's', 's', 'u', 'e', 'c', 'a', '.', 't', 'e', 's', 't' };
static const uint8_t latin[] = { HEAD(16), 0, 3, 2, 'a', 0xe4 };
static const uint8_t short_a[] = { HEAD(1), 0, 3, 10, 11, 0 };

static const struct { const char *name, *type; const uint8_t *records; size_t len; uint8_t count, rcode; bool answered; const char *code, *first, *status; } dns_cases[] = {
    { "x.test", "A", a_record, sizeof(a_record), 1, 0, true, "NOERROR", "10.11.0.93", "answered" },
    { "x.test", "A", two_a, sizeof(two_a), 2, 0, true, "NOERROR", "10.11.0.93", "answered" },
    { "x.test", "AAAA", aaaa, sizeof(aaaa), 1, 0, true, "NOERROR", "2001:db8::1", "answered" },
    { "x.test", "MX", mx, sizeof(mx), 1, 0, true, "NOERROR", "10 mail.x.test", "answered" },
    { "x.test", "SRV", srv, sizeof(srv), 1, 0, true, "NOERROR", "1 2 53 dc.x.test", "answered" },
    { "x.test", "TXT", txt, sizeof(txt), 1, 0, true, "NOERROR", "abcdef", "answered" },
    { "10.11.0.1", "PTR", ptr, sizeof(ptr), 1, 0, true, "NOERROR", "gw.1.0.11.10.in-addr.arpa", "answered" },
    { "x.test", "A", only_cname, sizeof(only_cname), 1, 0, false, "NOERROR", NULL, "no_data" },
    { "x.test", "A", short_a, sizeof(short_a), 1, 0, false, "NOERROR", NULL, "no_data" },
    { "x.test", "A", NULL, 0, 0, 3, false, "NXDOMAIN", NULL, "nxdomain" },
    { "x.test", "A", NULL, 0, 0, 2, false, "SERVFAIL", NULL, "servfail" },
    { "x.test", "A", NULL, 0, 0, 5, false, "REFUSED", NULL, "refused" },
    { "x.test", "A", a_record, sizeof(a_record), 9, 0, false, "NOERROR", NULL, "malformed" },            /* says more than there is */
    { "x.test", "SOA", soa, sizeof(soa), 1, 0, true, "NOERROR", "ns.x.test x.test 7 1200 180 1209600 60", "answered" },
    { "x.test", "SOA", soa, sizeof(soa) - 1, 1, 0, false, "NOERROR", NULL, "malformed" },
    { "x.test", "CAA", caa, sizeof(caa), 1, 0, true, "NOERROR", "0 issue \"ca.test\"", "answered" },
    { "x.test", "TXT", latin, sizeof(latin), 1, 0, true, "NOERROR", "a\\228", "answered" },
};

Test(net, dns_answers)
{
    for (size_t i = 0; i < sizeof(dns_cases) / sizeof(dns_cases[0]); i++) {
        struct fake_host *f;
        const struct fake_result *r;

        memset(&ns, 0, sizeof(ns));
        ns.rcode = dns_cases[i].rcode;
        ns.answers = dns_cases[i].count;
        ns.records = dns_cases[i].records;
        ns.records_len = dns_cases[i].len;
        r = ask(&f, dns_cases[i].name, dns_cases[i].type, "5");
        cr_assert(r->ok, "%zu: %s", i, r->error);
        cr_expect_eq(json_is_true(fake_at(r->result, "answered")), dns_cases[i].answered, "%zu", i);
        cr_expect(json_is_true(fake_at(r->result, "responded")), "%zu", i);
        cr_expect_str_eq(fake_str(r->result, "rcode"), dns_cases[i].code, "%zu", i);
        cr_expect_str_eq(fake_str(r->result, "status"), dns_cases[i].status, "%zu", i);
        if (dns_cases[i].first)
            cr_expect_str_eq(fake_str(r->result, "answers.0"), dns_cases[i].first, "%zu", i);
        cr_expect_str_eq(fake_str(r->result, "server"), "127.0.0.1");
        fake_host_free(f);
    }
}

Test(net, dns_over_tcp_when_truncated)
{
    struct fake_host *f;
    const struct fake_result *r;

    memset(&ns, 0, sizeof(ns));
    ns.truncate = true;
    ns.answers = 1;
    ns.records = a_record;
    ns.records_len = sizeof(a_record);
    r = ask(&f, "x.test", "A", "5");
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->result, "answers.0"), "10.11.0.93");
    cr_expect_eq(ns.questions, 2, "by datagram and by stream, not %u", ns.questions);
    fake_host_free(f);
}

Test(net, dns_takes_no_answer_to_another_question)
{
    struct fake_host *f;
    const struct fake_result *r;

    memset(&ns, 0, sizeof(ns));
    ns.wrong_id = true;
    ns.answers = 1;
    ns.records = a_record;
    ns.records_len = sizeof(a_record);
    r = ask(&f, "x.test", "A", "5");
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_true(fake_at(r->result, "answered")));
    fake_host_free(f);
}

Test(net, dns_server_that_is_silent_is_a_result)
{
    struct fake_host *f;
    const struct fake_result *r;

    memset(&ns, 0, sizeof(ns));
    ns.silent = true;
    r = ask(&f, "x.test", "A", "0.1");
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_false(fake_at(r->result, "answered")));
    cr_expect(json_is_false(fake_at(r->result, "responded")));
    cr_expect(json_is_null(fake_at(r->result, "rcode")));
    cr_expect(strstr(fake_str(r->result, "error"), "no answer"), "%s", fake_str(r->result, "error"));
    fake_host_free(f);
}

Test(net, dns_where_nobody_listens_is_a_result)
{
    struct fake_host *f;
    char params[100];
    uint16_t port = 0;
    const struct fake_result *r;

    close(bound(SOCK_DGRAM, &port));
    snprintf(params, sizeof(params), "{'name': 'x.test', 'server': '127.0.0.1:%u', 'timeout_s': 2}", port);
    r = run(&f, "dns", params);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_false(fake_at(r->result, "responded")));
    cr_expect(strstr(fake_str(r->result, "error"), "refused"), "%s", fake_str(r->result, "error"));
    fake_host_free(f);
}

static const struct { const char *params; const char *says; } bad_questions[] = {
    { "{'name': 'x.test', 'server': 'ns.example'}", "no IP address" },
    { "{'name': 'x.test', 'server': '10.0.0.1:0'}", "no IP address" },
    { "{'name': 'x.test', 'server': '[::1'}", "no IP address" },
    { "{'name': 'x.test', 'server': '[::1]:x'}", "no IP address" },
    { "{'name': 'a..b'}", "not a name" },
};

Test(net, dns_questions_that_make_no_sense)
{
    for (size_t i = 0; i < sizeof(bad_questions) / sizeof(bad_questions[0]); i++) {
        struct fake_host *f;
        const struct fake_result *r = run(&f, "dns", bad_questions[i].params);

        cr_expect_not(r->ok, "%s", bad_questions[i].params);
        cr_expect_eq(r->class, FT_INVALID, "%s", bad_questions[i].params);
        cr_expect(strstr(r->error, bad_questions[i].says), "%s: %s", bad_questions[i].params, r->error);
        fake_host_free(f);
    }
}

/* ---- tcp, http_check: by the host's own means ---- */

Test(net, tcp_open_and_closed)
{
    struct fake_host *f = fake_host_new("net");
    const struct fake_line nothing[] = { { NULL, NULL } };
    const struct fake_result *r;

    FAKE_STREAM(f, .kind = "tcp", .host = "up.test", .lines = nothing, .stays_open = true);
    FAKE_STREAM(f, .kind = "tcp", .host = "down.test", .refuse = FT_UNREACHABLE, .why = "connection refused");
    r = fake_run(f, "tcp", "run", "{'host': 'up.test', 'port': 22}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_true(fake_at(r->result, "open")));
    cr_expect_eq(fake_int(r->streams, "0.port"), 22);
    r = fake_run(f, "tcp", "run", "{'host': 'down.test', 'port': 22}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_false(fake_at(r->result, "open")));
    cr_expect_str_eq(fake_str(r->result, "error"), "connection refused");
    fake_host_free(f);
}

static const struct { const char *params; int status; const char *body; enum ft_class fault; bool ok; const char *says; } checks[] = {
    { "{'url': 'https://a.test/'}", 200, "Welcome", 0, true, NULL },
    { "{'url': 'https://a.test/'}", 302, "", 0, true, NULL },
    { "{'url': 'https://a.test/'}", 503, "", 0, false, "503" },
    { "{'url': 'https://a.test/', 'expect_status': 401}", 401, "", 0, true, NULL },
    { "{'url': 'https://a.test/', 'expect_status': 401}", 200, "", 0, false, "200" },
    { "{'url': 'https://a.test/', 'expect_status': [401, 403]}", 403, "", 0, true, NULL },
    { "{'url': 'https://a.test/', 'expect_status': [401, 403]}", 200, "", 0, false, "200" },
    { "{'url': 'https://a.test/', 'expect_status': []}", 200, "", 0, false, "200" },
    { "{'url': 'https://a.test/', 'headers': {'Host': 'b.test'}}", 200, "", 0, true, NULL },
    { "{'url': 'https://a.test/', 'contains': 'Welcome'}", 200, "Welcome home", 0, true, NULL },
    { "{'url': 'https://a.test/', 'contains': 'Welcome'}", 200, "captive portal", 0, false, "does not contain" },
    { "{'url': 'https://a.test/'}", 0, NULL, FT_UNREACHABLE, false, "no luck" },
    { "{'url': 'https://a.test/'}", 0, NULL, FT_TIMEOUT, false, "no luck" },
};

Test(net, http_check_tells_what_is_wrong_as_a_result)
{
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        struct fake_host *f = fake_host_new("net");
        const struct fake_result *r;

        FAKE_HTTP(f, .status = checks[i].status, .body = checks[i].body, .fault = checks[i].fault, .why = checks[i].fault ? "no luck" : NULL, .after_ms = 42);
        r = fake_run(f, "http_check", "run", checks[i].params, NULL);
        cr_assert(r->ok, "%s: %s", checks[i].params, r->error);
        cr_expect_eq(json_is_true(fake_at(r->result, "ok")), checks[i].ok, "%s %d", checks[i].params, checks[i].status);
        cr_expect_eq(fake_int(r->result, "ms"), 42);
        if (checks[i].says)
            cr_expect(strstr(fake_str(r->result, "error"), checks[i].says), "%s: %s", checks[i].params, fake_str(r->result, "error"));
        fake_host_free(f);
    }
}

Test(net, http_check_sends_no_broken_header)
{
    struct fake_host *f;
    const struct fake_result *r = run(&f, "http_check", "{'url': 'https://a.test/', 'headers': {'Host': 'a\\nX: y'}}");

    cr_expect_eq(r->class, FT_INVALID, "%s", r->error);
    cr_expect_eq(json_array_size(r->requests), 0);
    fake_host_free(f);
}

/* ---- tls_cert, against openssl's server ---- */

static char dir[] = "/tmp/fettle-tls-XXXXXX";

static bool make_certificate(const char *days)
{
    char command[600];

    snprintf(command, sizeof(command), "cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k.pem -out c.pem -days %s -subj /O=Lab/CN=radius.test "
             "-addext subjectAltName=DNS:radius.test,IP:127.0.0.1 >/dev/null 2>&1", dir, days);
    return system(command) == 0;
}

static pid_t start_server(uint16_t *port, FILE **in)
{
    int out[2];
    char line[200];
    pid_t pid;

    cr_assert_eq(pipe(out), 0);
    pid = fork();
    if (pid == 0) {
        dup2(out[1], 1);
        close(out[0]);
        if (chdir(dir) != 0)
            _exit(126);
        execlp("openssl", "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", "c.pem", "-key", "k.pem", "-naccept", "1", (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    *in = fdopen(out[0], "r");
    while (fgets(line, sizeof(line), *in)) {
        unsigned p;

        if (sscanf(line, "ACCEPT 127.0.0.1:%u", &p) == 1) {
            *port = (uint16_t)p;
            break;
        }
    }
    return pid;
}

static void remove_certificate(void)
{
    char path[100];

    snprintf(path, sizeof(path), "%s/c.pem", dir);
    unlink(path);
    snprintf(path, sizeof(path), "%s/k.pem", dir);
    unlink(path);
    rmdir(dir);
}

static const struct { const char *more; bool trusts, verified, matches, expired; const char *says; } certificates[] = {
    { "", true, true, true, false, NULL },
    { "", false, false, true, false, "self-signed" },
    { ", 'sni': 'other.test'", true, false, false, false, "name is not in" },
    { "", true, true, true, true, NULL },
};

Test(net, tls_cert_is_shown_trusted_or_not)
{
    if (!mkdtemp(dir) || !make_certificate("30"))
        cr_skip_test("no openssl program here");
    for (size_t i = 0; i < sizeof(certificates) / sizeof(certificates[0]); i++) {
        struct fake_host *f = fake_host_new("net");
        char params[300], ca[100] = "";
        uint16_t port = 0;
        FILE *said;
        pid_t pid = start_server(&port, &said);
        const struct fake_result *r;

        cr_assert(port, "openssl s_server did not start");
        if (certificates[i].trusts)
            snprintf(ca, sizeof(ca), ", 'ca_file': '%s/c.pem'", dir);
        snprintf(params, sizeof(params), "{'host': '127.0.0.1', 'port': %u%s%s}", port, ca, certificates[i].more);
        fake_wall(f, (uint64_t)time(NULL) * 1000 + (certificates[i].expired ? 40ull * 86400000 : 0));
        r = fake_run(f, "tls_cert", "run", params, NULL);
        kill(pid, SIGTERM);
        waitpid(pid, NULL, 0);
        fclose(said);
        cr_assert(r->ok, "%zu: %s", i, r->error);
        cr_expect(json_is_true(fake_at(r->result, "handshake")), "%zu: %s", i, fake_str(r->result, "error"));
        cr_expect_eq(json_is_true(fake_at(r->result, "verified")), certificates[i].verified, "%zu: %s", i, fake_str(r->result, "verify_error"));
        cr_expect_eq(json_is_true(fake_at(r->result, "name_matches")), certificates[i].matches, "%zu", i);
        cr_expect_eq(json_is_true(fake_at(r->result, "expired")), certificates[i].expired, "%zu", i);
        if (certificates[i].says)
            cr_expect(strstr(fake_str(r->result, "verify_error"), certificates[i].says), "%zu: %s", i, fake_str(r->result, "verify_error"));
        cr_expect_str_eq(fake_str(r->result, "subject"), "CN=radius.test,O=Lab", "%zu", i);
        cr_expect_str_eq(fake_str(r->result, "sans.1"), "127.0.0.1", "%zu", i);
        cr_expect_leq(llabs(fake_int(r->result, "days_left") - (certificates[i].expired ? -10 : 29)), 1, "%zu: %d", i, (int)fake_int(r->result, "days_left"));
        fake_host_free(f);
    }
    remove_certificate();
}

static void *say_no_tls(void *arg)
{
    int fd = accept(*(int *)arg, NULL, NULL);

    if (send(fd, "SSH-2.0-OpenSSH_9.2\r\n", 21, MSG_NOSIGNAL) < 0)
        perror("send");
    close(fd);
    return NULL;
}

Test(net, tls_cert_of_what_speaks_no_tls_is_a_result)
{
    struct fake_host *f;
    const struct fake_result *r;
    uint16_t port = 0;
    int fd = bound(SOCK_STREAM, &port);
    pthread_t thread;
    char params[100];

    listen(fd, 1);
    pthread_create(&thread, NULL, say_no_tls, &fd);
    snprintf(params, sizeof(params), "{'host': '127.0.0.1', 'port': %u}", port);
    r = run(&f, "tls_cert", params);
    pthread_join(thread, NULL);
    close(fd);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_true(fake_at(r->result, "open")));
    cr_expect(json_is_false(fake_at(r->result, "handshake")));
    cr_expect(strstr(fake_str(r->result, "error"), "TLS handshake"), "%s", fake_str(r->result, "error"));
    fake_host_free(f);
    r = run(&f, "tls_cert", params);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_false(fake_at(r->result, "open")), "nobody listens any more");
    fake_host_free(f);
}

/* ---- ping ---- */

Test(net, ping_of_loopback)
{
    struct fake_host *f = fake_host_new("net");
    const struct fake_result *r;

    /* Where no ICMP socket may be opened, the program is asked. */
    FAKE_EXEC(f, .command = "ping", .out = "3 packets transmitted, 3 received, 0% packet loss, time 20ms\nrtt min/avg/max/mdev = 0.021/0.030/0.041/0.008 ms\n");
    r = fake_run(f, "ping", "run", "{'host': '127.0.0.1', 'count': 3, 'interval_ms': 10}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(fake_int(r->result, "sent"), 3);
    cr_expect_eq(fake_int(r->result, "received"), 3);
    cr_expect(json_is_true(fake_at(r->result, "reachable")));
    cr_expect_leq(json_real_value(fake_at(r->result, "rtt_min_ms")), json_real_value(fake_at(r->result, "rtt_avg_ms")));
    cr_expect_leq(json_real_value(fake_at(r->result, "rtt_avg_ms")), json_real_value(fake_at(r->result, "rtt_max_ms")));
    fake_host_free(f);
}

static const struct { const char *out, *err; enum ft_class fault; bool ok; json_int_t sent, received; double loss; } programs[] = {
    { "5 packets transmitted, 4 received, 20% packet loss, time 800ms\nrtt min/avg/max/mdev = 0.1/0.2/0.3/0.0 ms\n", NULL, 0, true, 5, 4, 20 },
    { "5 packets transmitted, 0 packets received, 100% packet loss\n", NULL, 0, true, 5, 0, 100 },
    { "", "ping: nowhere.test: Name or service not known\n", 0, true, 0, 0, 100 },
    { NULL, NULL, FT_NOT_FOUND, false, 0, 0, 0 },
};

Test(net, ping_by_the_program_where_no_socket_may_be_opened)
{
    struct fake_host *hosts[sizeof(programs) / sizeof(programs[0])];
    int fd;

    for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
        hosts[i] = fake_host_new("net");                  /* while the build's folder can be read: it may be root's alone */
    if (geteuid() == 0)
        cr_assert_eq(setresuid(65534, 65534, 65534), 0);
    fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
    if (fd >= 0) {
        close(fd);
        for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
            fake_host_free(hosts[i]);
        cr_skip_test("this system lets everybody open ICMP sockets");
    }
    for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
        struct fake_host *f = hosts[i];
        const struct fake_result *r;

        FAKE_EXEC(f, .command = "ping -n -c 5", .out = programs[i].out, .err = programs[i].err, .fault = programs[i].fault, .why = "ping: not found in PATH");
        r = fake_run(f, "ping", "run", "{'host': '127.0.0.1'}", NULL);
        cr_expect_eq(r->ok, programs[i].ok, "%zu: %s", i, r->error);
        if (programs[i].ok) {
            cr_expect_eq(fake_int(r->result, "sent"), programs[i].sent, "%zu", i);
            cr_expect_eq(fake_int(r->result, "received"), programs[i].received, "%zu", i);
            cr_expect_float_eq(json_real_value(fake_at(r->result, "loss_pct")), programs[i].loss, 1e-9, "%zu", i);
        } else {
            cr_expect(strstr(r->error, "ping_group_range"), "%s", r->error);
        }
        fake_host_free(f);
    }
}

Test(net, ping_of_a_name_that_is_none)
{
    struct fake_host *f;
    const struct fake_result *r = run(&f, "ping", "{'host': '-f'}");

    cr_expect_not(r->ok);
    cr_expect_eq(r->class, FT_INVALID, "it would be an option of the program");
    fake_host_free(f);
}

/* ---- throughput, by the program ---- */

#define TCP_REPORT "{'intervals': [{'sum': {'seconds': 1.0, 'bits_per_second': 9e6}}, {'sum': {'seconds': 1.0, 'bits_per_second': 11e6}}, {'sum': {'seconds': 0.01, 'bits_per_second': 1}}], " \
    "'end': {'sum_sent': {'bits_per_second': 10500000.4, 'retransmits': 3, 'bytes': 2600000}, 'sum_received': {'bits_per_second': 10000000.2, 'bytes': 2500000, 'seconds': 2.0}}}"
#define UDP_REPORT "{'intervals': 7, 'end': {'sum': {'bits_per_second': 1000000, 'bytes': 250000, 'seconds': 2, 'jitter_ms': 0.0412, 'packets': 180, 'lost_packets': 9, 'lost_percent': 5}}}"

static const struct { const char *name, *more, *out, *err; int status; enum ft_class fault; bool ok; enum ft_class class; const char *says; } speeds[] = {
    { "tcp", "", TCP_REPORT, "", 0, 0, true, 0, NULL },
    { "udp", ", 'protocol': 'udp'", UDP_REPORT, "", 0, 0, true, 0, NULL },
    { "busy", "", "{'error': 'error - the server is busy running a test. try again later'}", "", 1, 0, false, FT_REFUSED, "one test at a time" },
    { "no server", "", "{'error': 'error - unable to connect to server: Connection refused'}", "", 1, 0, false, FT_UNREACHABLE, "port 5201" },
    { "no name", "", "{'error': 'error - unable to connect to server: Name or service not known'}", "", 1, 0, false, FT_UNREACHABLE, "not known" },
    { "silence", "", "{'error': 'error - unable to connect to server: Connection timed out'}", "", 1, 0, false, FT_TIMEOUT, "timed out" },
    { "authorization", "", "{'error': 'error - test authorization failed'}", "", 1, 0, false, FT_DENIED, "authorization" },
    { "an old program", "", "", "iperf3: unrecognized option '--connect-timeout'\nusage", 1, 0, false, FT_REFUSED, "unrecognized option" },
    { "no JSON", "", "Connecting to host", "", 0, 0, false, FT_INVALID, "without a report" },
    { "cut short", "", "{\"end\": {\"sum_rec", "", 0, 0, false, FT_INVALID, "without a report" },
    { "no end", "", "{'intervals': []}", "", 0, 0, false, FT_REFUSED, "without a report" },
    { "an end of another type", "", "{'end': []}", "", 0, 0, false, FT_REFUSED, "without a report" },
    { "no figure", "", "{'end': {'sum_received': {'bits_per_second': 'fast'}}}", "", 0, 0, false, FT_INVALID, "no figure" },
    { "a figure beyond everything", "", "{'end': {'sum_received': {'bits_per_second': 1e300}}}", "", 0, 0, false, FT_INVALID, "no figure" },
    { "killed", "", NULL, NULL, 0, FT_REFUSED, false, FT_REFUSED, "no luck" },
    { "an option as a name", NULL, NULL, NULL, 0, 0, false, FT_INVALID, "no name" },
};

static char *as_json(const char *text)
{
    char *copy = text ? strdup(text) : NULL;

    for (char *p = copy; p && *p; p++)
        *p = *p == '\'' ? '"' : *p;
    return copy;
}

Test(net, throughput_reads_the_report)
{
    for (size_t i = 0; i < sizeof(speeds) / sizeof(speeds[0]); i++) {
        struct fake_host *f = fake_host_new("net");
        char params[100] = "{'host': '--version'}";
        const struct fake_result *r;
        char *out = as_json(speeds[i].out);

        if (speeds[i].more)
            snprintf(params, sizeof(params), "{'host': 'iperf.test'%s}", speeds[i].more);
        FAKE_EXEC(f, .command = "iperf3 --json --client iperf.test --port 5201", .exit_status = speeds[i].status, .out = out, .err = speeds[i].err, .fault = speeds[i].fault, .why = "no luck");
        r = fake_run(f, "throughput", "run", params, NULL);
        cr_expect_eq(r->ok, speeds[i].ok, "%s: %s", speeds[i].name, r->error);
        if (!speeds[i].ok) {
            cr_expect_eq(r->class, speeds[i].class, "%s: %s", speeds[i].name, ft_class_name(r->class));
            cr_expect(strstr(r->error, speeds[i].says), "%s: %s", speeds[i].name, r->error);
        }
        free(out);
        fake_host_free(f);
    }
}

Test(net, throughput_figures)
{
    struct fake_host *f = fake_host_new("net");
    const struct fake_result *r;
    char *udp = as_json(UDP_REPORT), *tcp = as_json(TCP_REPORT);

    FAKE_EXEC(f, .command = "--udp --reverse --bitrate 10000000 -6", .out = udp);
    FAKE_EXEC(f, .command = "--parallel 1", .out = tcp);
    r = fake_run(f, "throughput", "run", "{'host': 'iperf.test', 'protocol': 'udp', 'reverse': true, 'family': 6}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(fake_equals(r->result, "{'bits_per_second': 1000000, 'sent_bps': 1000000, 'bytes': 250000, 'seconds': 2.0, 'retransmits': null, 'jitter_ms': 0.041, 'packets': 180, "
                          "'lost_packets': 9, 'loss_pct': 5.0, 'min_bps': null, 'max_bps': null}"));
    r = fake_run(f, "throughput", "run", "{'host': 'iperf.test'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(fake_equals(r->result, "{'bits_per_second': 10000000, 'sent_bps': 10500000, 'bytes': 2500000, 'seconds': 2.0, 'retransmits': 3, 'jitter_ms': null, 'packets': null, "
                          "'lost_packets': null, 'loss_pct': null, 'min_bps': 9000000, 'max_bps': 11000000}"));
    free(udp);
    free(tcp);
    fake_host_free(f);
}
