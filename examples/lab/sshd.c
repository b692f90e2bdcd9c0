/* sshd.c: the switches' SSH. The lab listens on one port a switch, and hands each connection to a real sshd (-i) with that switch's host
 * key, whose forced command is this program again (--cli). So a switch that is down refuses connections, and nothing outlives the lab. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <shadow.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lab.h"

enum { MAX_CHILDREN = 128 };

static int listeners[LAB_MAX_SWITCHES] = { [0 ... LAB_MAX_SWITCHES - 1] = -1 };
static struct { pid_t pid; int sw; } children[MAX_CHILDREN];
static int n_children;
static char sshd_path[64];
extern char **environ;

/* ---- keys ---- */

static int start(const char *const *argv, int in, int err, pid_t *ret)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none;
    int r;

    sigemptyset(&none);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in, 0);
    posix_spawn_file_actions_adddup2(&actions, in, 1);
    posix_spawn_file_actions_adddup2(&actions, err, 2);
    r = posix_spawn(ret, argv[0][0] == '/' ? argv[0] : "/usr/bin/ssh-keygen", &actions, &attr, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    return -r;
}

/* All keys at once: each takes a few milliseconds. */
static int make_keys(struct lab *lab, struct ft_err *reterr)
{
    pid_t pids[LAB_MAX_SWITCHES + 1];
    int n = lab->n_switches + 1, null = open("/dev/null", O_RDWR | O_CLOEXEC), r = 0, status;

    for (int i = 0; i < n; i++) {
        char path[600];
        const char *argv[] = { "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "fettle-lab", "-f", path, NULL };

        snprintf(path, sizeof(path), "%s/ssh/%s", lab->dir, i ? lab->switches[i - 1].name : "client_key");
        unlink(path);
        if (start(argv, null, 2, &pids[i]) < 0)
            pids[i] = -1;
    }
    for (int i = 0; i < n; i++)
        if (pids[i] < 0 || waitpid(pids[i], &status, 0) < 0 || status != 0)
            r = -EIO;
    close(null);
    return r < 0 ? ft_err_set(reterr, r, "ssh-keygen could not make the keys in '%s/ssh'; is openssh-client installed", lab->dir) : 0;
}

static int read_key(const char *path, char *ret, size_t len)
{
    FILE *f = fopen(path, "re");
    int r = f && fgets(ret, (int)len, f) ? 0 : -EIO;

    if (f)
        fclose(f);
    ret[strcspn(ret, "\n")] = '\0';
    return r;
}

/* ---- configuration ---- */

static const char *own_program(char *buf, size_t len)
{
    ssize_t n = readlink("/proc/self/exe", buf, len - 1);

    buf[n > 0 ? n : 0] = '\0';
    return buf;
}

/* A locked account ("!" in the shadow file) may log in only where PAM decides. */
static bool account_locked(const char *user)
{
    struct spwd *sp = geteuid() == 0 ? getspnam(user) : NULL;

    return sp && sp->sp_pwdp && sp->sp_pwdp[0] == '!';
}

static int write_sshd_config(struct lab *lab, int sw, const char *user, struct ft_err *reterr)
{
    struct ft_buf text = FT_BUF_INIT(0);
    char path[600], program[500];
    int r;

    ft_buf_addf(&text, "HostKey \"%s/ssh/%s\"\nAuthorizedKeysFile \"%s/ssh/client_key.pub\"\nStrictModes no\nPasswordAuthentication no\n"
                "KbdInteractiveAuthentication no\nPubkeyAuthentication yes\nUsePAM %s\nPermitRootLogin prohibit-password\nPermitUserRC no\n"
                "AllowTcpForwarding no\nAllowAgentForwarding no\nX11Forwarding no\nPrintMotd no\nPrintLastLog no\nUseDNS no\nPidFile none\nLogLevel ERROR\n",
                lab->dir, lab->switches[sw].name, lab->dir, account_locked(user) ? "yes" : "no");
    /* bash reads ~/.bashrc when sshd starts it, whatever that holds, unless it thinks that it is not the first shell. */
    ft_buf_adds(&text, "SetEnv SHLVL=2\n");
    ft_buf_adds(&text, "Subsystem netconf " LAB_NETCONF_COMMAND "\n");       /* the forced command is started for it, too */
    ft_buf_addf(&text, "ForceCommand exec '%s' --cli %s --socket '%s/cli.sock'\n", own_program(program, sizeof(program)), lab->switches[sw].name, lab->dir);
    snprintf(path, sizeof(path), "%s/ssh/sshd_%s", lab->dir, lab->switches[sw].name);
    r = lab_write_file(path, ft_buf_str(&text), 0600, reterr);
    ft_buf_done(&text);
    return r;
}

static int listen_for(struct lab *lab, int sw)
{
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons((uint16_t)lab->switches[sw].ssh_port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 16) < 0 || getsockname(fd, (struct sockaddr *)&addr, &len) < 0) {
        close(fd);
        return -1;
    }
    lab->switches[sw].ssh_port = ntohs(addr.sin_port);
    return fd;
}

static int write_known_hosts(struct lab *lab, struct ft_err *reterr)
{
    struct ft_buf text = FT_BUF_INIT(0);
    char path[600], key[300];
    int r = 0;

    for (int i = 0; i < lab->n_switches && r == 0; i++) {
        snprintf(path, sizeof(path), "%s/ssh/%s.pub", lab->dir, lab->switches[i].name);
        r = read_key(path, key, sizeof(key));
        if (strrchr(key, ' '))
            *strrchr(key, ' ') = '\0';               /* the comment */
        ft_buf_addf(&text, "[127.0.0.1]:%d %s\n", lab->switches[i].ssh_port, key);
    }
    snprintf(path, sizeof(path), "%s/known_hosts", lab->dir);
    r = r == 0 ? lab_write_file(path, ft_buf_str(&text), 0644, reterr) : ft_err_set(reterr, r, "cannot read the keys in '%s/ssh'", lab->dir);
    ft_buf_done(&text);
    return r;
}

static int find_sshd(struct ft_err *reterr)
{
    static const char *const places[] = { "/usr/sbin/sshd", "/usr/local/sbin/sshd", "/sbin/sshd", "/usr/bin/sshd" };

    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (access(places[i], X_OK) == 0) {
            snprintf(sshd_path, sizeof(sshd_path), "%s", places[i]);
            return 0;
        }
    return ft_err_set(reterr, -ENOENT, "there is no sshd; install openssh-server (nothing of it need run)");
}

int lab_sshd_prepare(struct lab *lab, struct ft_err *reterr)
{
    const struct passwd *pw = getpwuid(getuid());
    char path[600];
    int r = find_sshd(reterr);

    if (r < 0)
        return r;
    if (!pw)
        return ft_err_set(reterr, -ENOENT, "this user has no name, so nobody could log in by SSH");
    if (getuid() == 0)
        mkdir("/run/sshd", 0755);                    /* sshd of root insists on it */
    snprintf(path, sizeof(path), "%s/ssh", lab->dir);
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return ft_err_set(reterr, -errno, "cannot make '%s': %s", path, strerror(errno));
    r = make_keys(lab, reterr);
    for (int i = 0; i < lab->n_switches && r == 0; i++) {
        r = write_sshd_config(lab, i, pw->pw_name, reterr);
        listeners[i] = listen_for(lab, i);
        if (listeners[i] < 0 && r == 0)
            r = ft_err_set(reterr, -EADDRINUSE, "cannot listen on 127.0.0.1");
    }
    return r < 0 ? r : write_known_hosts(lab, reterr);
}

/* ---- connections ---- */

int lab_sshd_fds(struct pollfd *fds, int max)
{
    int n = 0;

    for (int i = 0; i < LAB_MAX_SWITCHES && n < max; i++)
        if (listeners[i] >= 0 && n_children < MAX_CHILDREN)
            fds[n++] = (struct pollfd){ .fd = listeners[i], .events = POLLIN };
    return n;
}

static void serve(struct lab *lab, int sw, int fd)
{
    char config[600], log_path[600];
    const char *argv[] = { sshd_path, "-i", "-f", config, "-E", log_path, NULL };
    pid_t pid;

    snprintf(config, sizeof(config), "%s/ssh/sshd_%s", lab->dir, lab->switches[sw].name);
    snprintf(log_path, sizeof(log_path), "%s/ssh/sshd.log", lab->dir);
    if (start(argv, fd, 2, &pid) < 0)
        return;
    children[n_children].sw = sw;
    children[n_children++].pid = pid;
}

void lab_sshd_ready(struct lab *lab, int fd)
{
    for (int i = 0; i < LAB_MAX_SWITCHES; i++)
        if (listeners[i] == fd) {
            int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

            if (connection >= 0) {
                serve(lab, i, connection);
                close(connection);
            }
        }
}

static void reap(void)
{
    for (int i = 0; i < n_children;)
        if (waitpid(children[i].pid, NULL, WNOHANG) != 0)
            children[i] = children[--n_children];
        else
            i++;
}

static void end_children(int sw)
{
    for (int i = 0; i < n_children; i++)
        if (sw < 0 || children[i].sw == sw)
            kill(children[i].pid, SIGTERM);
}

void lab_sshd_reconcile(struct lab *lab)
{
    reap();
    pthread_mutex_lock(&lab->lock);
    for (int i = 0; i < lab->n_switches; i++) {
        bool down = lab->switches[i].down;

        if (down && listeners[i] >= 0) {
            close(listeners[i]);
            listeners[i] = -1;
            lab_cli_close(lab, i);
            end_children(i);
        } else if (!down && listeners[i] < 0 && lab->switches[i].ssh_port) {
            listeners[i] = listen_for(lab, i);
        }
    }
    pthread_mutex_unlock(&lab->lock);
}

void lab_sshd_stop(struct lab *lab)
{
    for (int i = 0; i < lab->n_switches; i++)
        if (listeners[i] >= 0)
            close(listeners[i]);
    end_children(-1);
    for (int i = 0; i < n_children; i++)
        waitpid(children[i].pid, NULL, 0);
}
