/* points.c: the system calls that a journal and a request are made of, counted; the n-th kills the process before it is made, or fails.
 * They stand in the program, so SQLite and libcurl find these instead of the C library's. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "crash.h"

#define OURS __attribute__((visibility("default")))
#define REAL(name) ((typeof(&name))real(#name))

static struct world *armed;

void points_arm(struct world *world)
{
    armed = world;
}

static void *real(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* True when the call shall fail. */
static bool point(void)
{
    unsigned n;

    if (!armed)
        return false;
    n = atomic_fetch_add(&armed->calls, 1) + 1;
    if (armed->where == AT_CALL && n == armed->nth)
        die();
    if (armed->where == AFTER_EVENT && atomic_load(&armed->due) && n >= atomic_load(&armed->due))
        die();
    return (armed->where == NO_SPACE || armed->where == IO_ERROR) && n >= armed->nth;
}

/* Only the store's files: a log is written to as well. */
static bool is_store(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

OURS ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t at)
{
    bool fails = is_store(fd) && point();

    if (armed && armed->where == AT_TORN_CALL && atomic_load(&armed->calls) == armed->nth) {
        if (REAL(pwrite64)(fd, bytes, len / 2, at) < 0)
            abort();                  /* not the death that was meant: the campaign says so */
        die();
    }
    if (!fails)
        return REAL(pwrite64)(fd, bytes, len, at);
    errno = armed->where == NO_SPACE ? ENOSPC : EIO;
    return -1;
}

static int flush(const char *name, int fd)
{
    if (point() && armed->where == IO_ERROR) {
        errno = EIO;
        return -1;
    }
    return ((int (*)(int))real(name))(fd);
}

/* A store that may only be read, also for root. */
static bool may_not(const char *path, int flags)
{
    const char *end = path ? strstr(path, ".db") : NULL;

    return armed && armed->where == READ_ONLY && (flags & O_ACCMODE) != O_RDONLY && end && !end[3];
}

static int open_as(const char *name, const char *path, int flags, mode_t mode)
{
    if (may_not(path, flags)) {
        errno = EROFS;
        return -1;
    }
    return ((int (*)(const char *, int, ...))real(name))(path, flags, mode);
}

OURS int open64(const char *path, int flags, ...)
{
    va_list ap;
    mode_t mode;

    va_start(ap, flags);
    mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    return open_as("open64", path, flags, mode);
}

OURS int fdatasync(int fd) { return flush("fdatasync", fd); }
OURS int fsync(int fd) { return flush("fsync", fd); }

OURS ssize_t send(int fd, const void *bytes, size_t len, int flags)
{
    point();
    return REAL(send)(fd, bytes, len, flags);
}

OURS ssize_t recv(int fd, void *bytes, size_t len, int flags)
{
    point();
    return REAL(recv)(fd, bytes, len, flags);
}
