#include <criterion/criterion.h>
#include "base/util.h"
#include "net/http.h"
#include "server.h"

/* What the mail server does at each step; NULL: the usual. "-": closes the connection there; "~": says nothing more. */
static struct script { const char *ehlo, *auth, *mail, *rcpt, *data, *end, *quit, *greeting; } script;
static char received[4096];
static bool silent;

static bool step(int fd, const char *scripted, const char *usual)
{
    if (scripted && strcmp(scripted, "-") == 0)
        return false;
    if (scripted && strcmp(scripted, "~") == 0)
        silent = true;
    if (silent)
        return true;
    server_printf(fd, "%s\r\n", scripted ? scripted : usual);
    return true;
}

static bool read_mail(FILE *in, int fd)
{
    char line[1000];

    received[0] = '\0';
    while (fgets(line, sizeof(line), in) && strcmp(line, ".\r\n") != 0)
        strncat(received, line, sizeof(received) - strlen(received) - 1);
    return step(fd, script.end, "250 2.0.0 queued as 4711");
}

static bool command(FILE *in, int fd, const char *line)
{
    if (strncmp(line, "EHLO", 4) == 0)
        return step(fd, script.ehlo, "250-lab\r\n250 AUTH PLAIN");
    if (strncmp(line, "AUTH PLAIN", 10) == 0)
        return step(fd, NULL, "334 ");
    if (strncmp(line, "AGZldHRsZQBodXNo", 16) == 0)       /* fettle, hush */
        return step(fd, script.auth, "235 2.7.0 welcome");
    if (strncmp(line, "MAIL", 4) == 0)
        return step(fd, script.mail, "250 ok");
    if (strncmp(line, "RCPT", 4) == 0)
        return step(fd, script.rcpt, "250 ok");
    if (strncmp(line, "DATA", 4) == 0)
        return step(fd, script.data, "354 go on") && (script.data || read_mail(in, fd));
    if (strncmp(line, "QUIT", 4) == 0)
        return step(fd, script.quit, "221 bye");
    return step(fd, "502 what?", NULL);
}

static void *serve(void *arg)
{
    int fd = accept(*(int *)arg, NULL, NULL);
    FILE *in = fdopen(dup(fd), "r");
    char line[1000];

    silent = false;
    step(fd, script.greeting, "220 lab ESMTP");
    while (fgets(line, sizeof(line), in) && command(in, fd, line))
        ;
    fclose(in);
    close(fd);
    return NULL;
}

static const struct { struct script script; unsigned flags; const char *user; enum ft_class class; int status; const char *says; } cases[] = {
    { { 0 }, 0, NULL, FT_CLASS_NONE, 250, "" },
    { { 0 }, 0, "fettle", FT_CLASS_NONE, 250, "" },
    { { .auth = "535 5.7.8 bad credentials" }, 0, "fettle", FT_DENIED, 535, "535 5.7.8 bad credentials; check user and password" },
    { { .ehlo = "250-lab\r\n250 AUTH X-OTHER" }, 0, "fettle", FT_DENIED, 250, "no way to log in" },
    { { .rcpt = "550 5.1.1 no such user here" }, 0, NULL, FT_INVALID, 550, "answered 550 5.1.1 no such user here" },
    { { .rcpt = "451 4.7.1 greylisted" }, 0, NULL, FT_REFUSED, 451, "answered 451 4.7.1 greylisted" },
    { { .mail = "530 5.7.0 log in first" }, 0, NULL, FT_DENIED, 530, "check user and password" },
    { { .data = "452 4.3.1 disk full" }, 0, NULL, FT_REFUSED, 452, "disk full" },
    { { .end = "554 5.6.0 looks like spam" }, 0, NULL, FT_INVALID, 554, "looks like spam" },
    { { .end = "-" }, 0, NULL, FT_AMBIGUOUS, 354, "may have been carried out" },
    { { .rcpt = "-" }, 0, NULL, FT_UNREACHABLE, 250, "broke off" },
    { { 0 }, FT_HTTP_STARTTLS, NULL, FT_UNREACHABLE, 250, "no STARTTLS" },
    { { .greeting = "~" }, 0, NULL, FT_TIMEOUT, 0, "" },
    { { .rcpt = "~" }, 0, NULL, FT_TIMEOUT, 250, "" },
    { { .end = "~" }, 0, NULL, FT_AMBIGUOUS, 354, "may have been carried out" },
    { { .quit = "~" }, 0, NULL, FT_CLASS_NONE, 250, "" },
    { { .rcpt = "550 5.1.1 no such user here", .quit = "~" }, 0, NULL, FT_INVALID, 550, "no such user" },
};

static struct { int answers, status; enum ft_class class; char error[1200]; } got;

static void answered(void *arg, const struct ft_http_res *res)
{
    (void)arg;
    got.answers++;
    got.status = res->status;
    got.class = res->class;
    snprintf(got.error, sizeof(got.error), "%s", res->error ? res->error : "");
}

static void send_mail(size_t i)
{
    const char *const to[] = { "noc@lab.example", "oncall@lab.example", NULL };
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(any);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct ft_loop *loop = ft_loop_new(NULL);
    struct ft_http *http = ft_http_new(loop);
    struct ft_http_req req = { .size = sizeof(req), .flags = FT_HTTP_MAIL | cases[i].flags, .mail_from = "fettle@lab.example", .mail_to = to,
                               .user = cases[i].user, .password = cases[i].user ? "hush" : NULL,
                               .body = "Subject: test\r\n\r\n.a dot\r\n", .body_len = 25 };
    struct ft_err err = { 0 };
    bool waits = cases[i].class == FT_TIMEOUT || (cases[i].script.end && strcmp(cases[i].script.end, "~") == 0);
    uint64_t began;
    pthread_t thread;
    char url[60];

    cr_assert_eq(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
    listen(fd, 1);
    getsockname(fd, (struct sockaddr *)&any, &len);
    script = cases[i].script;
    pthread_create(&thread, NULL, serve, &fd);
    snprintf(url, sizeof(url), "smtp://127.0.0.1:%u", ntohs(any.sin_port));
    req.url = url;
    cr_assert_eq(ft_http_start(http, &req, waits ? 500 : 10000, answered, NULL, NULL, &err), 0, "%s", err.text);
    began = ft_clock_mono_us(ft_loop_clock(loop));
    ft_loop_run(loop);
    ft_http_free(http);
    cr_expect_leq(ft_clock_mono_us(ft_loop_clock(loop)) - began, 30000000u, "%zu: a silent server held everything up", i);     /* it was one minute */
    ft_loop_free(loop);
    pthread_join(thread, NULL);
    close(fd);
}

Test(smtp, each_answer_has_its_class, .timeout = 60)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        memset(&got, 0, sizeof(got));
        send_mail(i);
        cr_expect_eq(got.answers, 1, "%zu", i);
        cr_expect_eq(got.class, cases[i].class, "%zu: %s: %s", i, ft_class_name(got.class), got.error);
        cr_expect_eq(got.status, cases[i].status, "%zu: %d: %s", i, got.status, got.error);
        cr_expect(strstr(got.error, cases[i].says), "%zu: '%s' lacks '%s'", i, got.error, cases[i].says);
        cr_expect_not(strstr(got.error, "hush"), "%s", got.error);
        if (cases[i].class == FT_CLASS_NONE)
            cr_expect_str_eq(received, "Subject: test\r\n\r\n..a dot\r\n", "%s", received);
    }
}
