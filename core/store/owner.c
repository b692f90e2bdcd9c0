/* owner.c: a process is named by its pid, when it started (a pid comes again) and the boot it lives in (both come again after one). */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "store/internal.h"

#define OWNER_MAX 128

static ssize_t read_small(const char *path, char *buf, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

    if (fd >= 0)
        close(fd);
    buf[n > 0 ? n : 0] = '\0';
    return n;
}

/* When the process started, in clock ticks since the boot; 0 when there is no such process, or only its corpse. */
static unsigned long long start_of(long pid)
{
    char path[64], stat[1024], *p;
    unsigned long long start = 0;
    char state = 'Z';

    snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
    if (read_small(path, stat, sizeof(stat)) <= 0)
        return 0;
    p = strrchr(stat, ')');           /* the name in parentheses may hold anything */
    if (!p || sscanf(p + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &state, &start) != 2)
        return 0;
    return state == 'Z' || state == 'X' ? 0 : start;
}

static const char *boot_id(void)
{
    static char id[64];

    if (!*id) {
        read_small("/proc/sys/kernel/random/boot_id", id, sizeof(id));
        id[strcspn(id, "\n")] = '\0';
    }
    return id;
}

const char *owner_self(void)
{
    static char self[OWNER_MAX];
    static pid_t pid;

    if (pid != getpid()) {            /* a fork is another process */
        pid = getpid();
        snprintf(self, sizeof(self), "%ld:%llu:%s", (long)pid, start_of(pid), boot_id());
    }
    return self;
}

bool owner_alive(const char *owner)
{
    unsigned long long start;
    char boot[64];
    long pid;

    if (!owner || sscanf(owner, "%ld:%llu:%63s", &pid, &start, boot) != 3)
        return false;
    return pid > 0 && ft_streq(boot, boot_id()) && start_of(pid) == start;
}
