#include "cli/ask.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include "base/util.h"

static int read_line(int fd, char *line, size_t size)
{
    size_t n = 0;
    char c;

    while (n + 1 < size && read(fd, &c, 1) == 1 && c != '\n' && c != '\r')
        line[n++] = c;
    line[n] = '\0';
    return n > 0 ? 0 : -ENODATA;
}

int ask_secret(void *arg, const char *what, char **ret, struct ft_err *reterr)
{
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY), r;
    struct termios before, quiet;
    char line[4096];
    sigset_t held, old;

    (void)arg;
    if (fd < 0 || tcgetattr(fd, &before) < 0) {
        if (fd >= 0)
            close(fd);
        return ft_err_class(reterr, FT_DENIED, -ENOTTY, "the %s is asked for at a terminal, and there is none", what);
    }
    /* Ctrl-C waits until the echo is back. */
    sigemptyset(&held);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGTSTP);
    sigprocmask(SIG_BLOCK, &held, &old);
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
    quiet.c_lflag |= ECHONL;
    tcsetattr(fd, TCSAFLUSH, &quiet);
    dprintf(fd, "%s: ", what);
    r = read_line(fd, line, sizeof(line));
    tcsetattr(fd, TCSAFLUSH, &before);
    sigprocmask(SIG_SETMASK, &old, NULL);
    close(fd);
    if (r == 0)
        *ret = ft_strdup(line);
    explicit_bzero(line, sizeof(line));
    return r < 0 ? ft_err_class(reterr, FT_DENIED, -ENODATA, "no %s was given", what) : 0;
}
