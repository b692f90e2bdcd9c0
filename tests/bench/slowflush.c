/* slowflush.c: preloaded. Counts flushes, and makes each take longer, as a real disk would.
 *   FLUSH_MS      added to every fsync and fdatasync (default 0)
 *   FLUSH_COUNT   file that gets the number of flushes at the end of the process */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static atomic_ulong flushes;

static int slow(const char *name, int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    const char *ms = getenv("FLUSH_MS");
    long n = ms ? atol(ms) : 0;

    atomic_fetch_add(&flushes, 1);
    if (n > 0)
        nanosleep(&(struct timespec){ n / 1000, n % 1000 * 1000000 }, NULL);
    return real(fd);
}

__attribute__((visibility("default"))) int fsync(int fd) { return slow("fsync", fd); }
__attribute__((visibility("default"))) int fdatasync(int fd) { return slow("fdatasync", fd); }

__attribute__((destructor)) static void tell(void)
{
    const char *path = getenv("FLUSH_COUNT");
    FILE *f = path ? fopen(path, "w") : NULL;

    if (f) {
        fprintf(f, "%lu\n", atomic_load(&flushes));
        fclose(f);
    }
}
