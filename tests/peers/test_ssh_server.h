/* test_ssh_server.h: a real sshd on loopback for tests, with keys made for the occasion, and what a channel said. */
#pragma once
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/util.h"
#include "net/ssh.h"

#define SSHD "/usr/sbin/sshd"

/* Criterion runs each test in a process of its own (BXFI_MAP is set there). Its first one runs none, and the leak checker sometimes crashes
 * over the threads that end in it. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return getenv("BXFI_MAP") == NULL;
}

static const char *const libraries[] = { "libssh2", "libssh" };
static char dir[64];                  /* of all files of a test */
static const char *user;
static pid_t sshd;
static uint16_t sshd_port;

/* ---- files ---- */

/* Good until fifty more were made. */
__attribute__((format(printf, 1, 2)))
static inline char *text(const char *fmt, ...)
{
    static char texts[50][600];
    static unsigned next;
    char *room = texts[next++ % ARRAY_LEN(texts)];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(room, sizeof(texts[0]), fmt, ap);
    va_end(ap);
    return room;
}

static inline char *in_dir(const char *name)
{
    return text("%s/%s", dir, name);
}

__attribute__((format(printf, 1, 2)))
static inline void shell(const char *fmt, ...)
{
    char command[1000];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(command, sizeof(command), fmt, ap);
    va_end(ap);
    cr_assert_eq(system(command), 0, "failed: %s", command);
}

static inline void make_key(const char *name, const char *type, const char *passphrase)
{
    shell("ssh-keygen -q -t %s %s -N '%s' -C test -f %s/%s", type, strcmp(type, "rsa") == 0 ? "-b 2048" : "", passphrase, dir, name);
}

/* Trust this host key of the server's in the file. */
static inline void trust(const char *file, const char *host_key)
{
    shell("printf '[127.0.0.1]:%u %%s\\n' \"$(cat %s/%s.pub)\" >> %s/%s", sshd_port, dir, host_key, dir, file);
}

static inline void begin_files(void)
{
    cr_assert_eq(access(SSHD, X_OK), 0, "there is no " SSHD ": install the package openssh-server");
    snprintf(dir, sizeof(dir), "/tmp/fettle-ssh-XXXXXX");
    cr_assert(mkdtemp(dir));
    user = getpwuid(getuid())->pw_name;
    make_key("hk_ed25519", "ed25519", "");
    make_key("id_ed25519", "ed25519", "");
    shell("cp %s/id_ed25519.pub %s/authorized_keys", dir, dir);
    if (getuid() == 0)
        shell("mkdir -p /run/sshd");
}

/* A process and all that it started: each connection of sshd is a session of its own. */
static inline void signal_tree(pid_t pid, int signum)
{
    char path[64];
    FILE *children;
    int child;

    cr_assert_gt(pid, 0, "that would be this very process and its family");
    kill(pid, SIGSTOP);               /* so that it starts no more meanwhile */
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
    children = fopen(path, "r");
    while (children && fscanf(children, "%d", &child) == 1)
        signal_tree(child, signum);
    if (children)
        fclose(children);
    kill(pid, signum);
}

static inline void stop_sshd(void)
{
    if (sshd > 0) {
        signal_tree(sshd, SIGKILL);
        waitpid(sshd, NULL, 0);
    }
    sshd = 0;
}

static inline void end_files(void)
{
    stop_sshd();
    shell("rm -rf %s", dir);
}

/* ---- the server ---- */

static inline uint16_t free_port(void)
{
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(any);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_eq(bind(fd, (struct sockaddr *)&any, len), 0);
    getsockname(fd, (struct sockaddr *)&any, &len);
    close(fd);
    return ntohs(any.sin_port);
}

/* Starts it and waits for its word that it listens. The port stays over restarts. */
static inline void start_sshd(const char *host_keys, const char *options)
{
    FILE *config, *said;
    char line[300] = "";
    int ends[2];

    if (!sshd_port)
        sshd_port = free_port();
    config = fopen(in_dir("sshd_config"), "w");
    fprintf(config, "%s\nPort %u\nListenAddress 127.0.0.1\nPidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nAuthorizedKeysFile %s/authorized_keys\nPrintMotd no\nPrintLastLog no\n"
            "MaxStartups 100\nSubsystem echo /bin/cat\nSetEnv HOME=%s\n", options, sshd_port, dir, dir);      /* the first word counts; nobody's .bashrc */
    for (const char *key = host_keys; key; key = strchr(key, ' ') ? strchr(key, ' ') + 1 : NULL)
        fprintf(config, "HostKey %s/%.*s\n", dir, (int)strcspn(key, " "), key);
    fclose(config);
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    sshd = fork();
    if (sshd == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);         /* also when the test crashes */
        dup2(open("/dev/null", O_RDWR), 1);
        dup2(ends[1], 2);
        execl(SSHD, SSHD, "-D", "-e", "-f", in_dir("sshd_config"), (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    said = fdopen(ends[0], "r");
    while (!strstr(line, "Server listening") && fgets(line, sizeof(line), said))
        ;
    cr_assert(strstr(line, "Server listening"), "sshd did not start: %s", line);
    /* Left open: sshd goes on to write there. */
}

/* ---- what channels said ---- */

struct said {
    struct ft_stream *stream;
    const char *input;                /* written when opened, then the end */
    size_t input_len;
    bool keep_open;                   /* no end after the input */
    int opened, closed, exit_status;
    enum ft_class class;
    struct ft_buf out, err;
    char why[1100];
};

static struct ft_loop *loop;
static struct ft_ssh *ssh;

static inline void on_opened(void *arg, struct ft_stream *stream)
{
    struct said *said = arg;

    said->opened++;
    if (said->input)
        cr_expect_eq(ft_stream_write(stream, said->input, said->input_len ? said->input_len : strlen(said->input), NULL), 0);
    if (!said->keep_open)
        ft_stream_eof(stream);
}

static inline void on_data(void *arg, struct ft_stream *stream, const char *bytes, size_t len, bool is_stderr)
{
    struct said *said = arg;

    (void)stream;
    cr_expect_eq(said->closed, 0, "data after the end");
    ft_buf_add(is_stderr ? &said->err : &said->out, bytes, len);
}

static inline void on_closed(void *arg, struct ft_stream *stream, enum ft_class class, int exit_status, const char *why)
{
    struct said *said = arg;

    (void)stream;
    said->closed++;
    said->class = class;
    said->exit_status = exit_status;
    snprintf(said->why, sizeof(said->why), "%s", why);
}

static const struct ft_stream_handler handler = { on_opened, on_data, on_closed };

static inline struct ft_ssh_req login_with(const char *library, const char *key)
{
    return (struct ft_ssh_req){ .size = sizeof(struct ft_ssh_req), .host = "127.0.0.1", .port = sshd_port, .user = user, .library = library,
                                .key_file = key ? in_dir(key) : NULL, .known_hosts = in_dir("known_hosts") };
}

static inline void open_channel(struct said *said, struct ft_ssh_req req)
{
    struct ft_err err = { 0 };

    said->out = said->err = FT_BUF_INIT(0);
    cr_assert_eq(ft_ssh_open(ssh, &req, &handler, said, &said->stream, &err), 0, "%s", err.text);
    cr_expect_eq(said->opened + said->closed, 0, "called inside the call");
}

static inline void forget(struct said *said)
{
    ft_stream_close(said->stream);
    ft_buf_done(&said->out);
    ft_buf_done(&said->err);
    memset(said, 0, sizeof(*said));
}

/* From opening to the end. */
static inline void converse(struct said *said, struct ft_ssh_req req)
{
    open_channel(said, req);
    ft_loop_run(loop);
    cr_expect_eq(said->closed, 1, "%s: closed %d times", req.library, said->closed);
}

static inline unsigned open_files(void)
{
    unsigned n = 0;

    for (int fd = 0; fd < 1000; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}
