/* tail.c: whether the end of the log is still what was written. SQLite reads a log up to the first page whose checksum does not fit, and takes the rest
 * for a transaction that never ended: a damaged page at the end would silently take back what was promised, an intent among it, and its write would be
 * sent again. While the machine is up the index beside the log (-shm) says how far the log reached: what it says must be there. */
#include <assert.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/internal.h"

enum { INDEX_VERSION = 3007000, LOG_HEADER = 32, FRAME_HEADER = 24, FRAMES = 32 /* looked at, from the end */, TRIES = 3 };

/* As in SQLite's wal.c. */
struct index_header {
    uint32_t version, unused, change;
    uint8_t is_init, big_endian;
    uint16_t page_size;
    uint32_t frames, pages;
    uint32_t sum[2], salt[2], own_sum[2];
};
static_assert(sizeof(struct index_header) == 48, "the header of SQLite's index of the log");

static uint32_t big_endian(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void add_up(const unsigned char *bytes, size_t len, uint32_t sum[2])
{
    for (size_t i = 0; i < len; i += 8) {
        uint32_t words[2];

        memcpy(words, bytes + i, 8);
        sum[0] += words[0] + sum[1];
        sum[1] += words[1] + sum[0];
    }
}

/* The index was begun anew by the first process that opened the store since the machine started; an older one says nothing. */
static bool is_of_this_boot(int fd)
{
    struct timespec up, now;
    struct stat st;

    return fstat(fd, &st) == 0 && clock_gettime(CLOCK_BOOTTIME, &up) == 0 && clock_gettime(CLOCK_REALTIME, &now) == 0 &&
           st.st_mtim.tv_sec > now.tv_sec - up.tv_sec;
}

static bool read_index(int fd, struct index_header *ret)
{
    struct index_header copies[2];

    if (pread(fd, copies, sizeof(copies), 0) != sizeof(copies) || memcmp(&copies[0], &copies[1], sizeof(copies[0])) != 0)
        return false;
    *ret = copies[0];
    return ret->version == INDEX_VERSION && ret->is_init && !ret->big_endian && ret->page_size == 4096 && ret->frames > 0;
}

/* Frame i, from 1 on, against what the one before it says. */
static bool frame_fits(int log, const struct index_header *index, uint32_t i)
{
    enum { FRAME = FRAME_HEADER + 4096 };
    off_t at = LOG_HEADER + (off_t)(i - 1) * FRAME;
    unsigned char before[8], frame[FRAME];
    uint32_t sum[2];

    if (pread(log, before, sizeof(before), i == 1 ? LOG_HEADER - 8 : at - FRAME + 16) != sizeof(before) || pread(log, frame, FRAME, at) != FRAME)
        return false;
    sum[0] = big_endian(before);
    sum[1] = big_endian(before + 4);
    add_up(frame, 8, sum);
    add_up(frame + FRAME_HEADER, 4096, sum);
    return memcmp(frame + 8, index->salt, 8) == 0 && big_endian(frame + 16) == sum[0] && big_endian(frame + 20) == sum[1];
}

static bool tail_fits(int log, int shm)
{
    struct index_header index, again;
    uint32_t i;

    if (!read_index(shm, &index))
        return true;
    for (i = index.frames; i > 0 && index.frames - i < FRAMES; i--)
        if (!frame_fits(log, &index, i))
            break;
    /* Another process may be writing: only what stood still counts. */
    return i == 0 || index.frames - i == FRAMES || !read_index(shm, &again) || memcmp(&index, &again, sizeof(index)) != 0;
}

/* Once a process, before its first store: closing a file drops the locks that the process has on it. */
int db_check_tail(const char *path, struct ft_err *reterr)
{
    static bool opened_before;

    if (opened_before)
        return 0;
    opened_before = true;

    char *log_name = ft_asprintf("%s-wal", path), *shm_name = ft_asprintf("%s-shm", path);
    int log = open(log_name, O_RDONLY | O_CLOEXEC), shm = open(shm_name, O_RDONLY | O_CLOEXEC), r = 0;
    bool fits = log < 0 || shm < 0 || !is_of_this_boot(shm);

    for (int i = 0; i < TRIES && !fits; i++)
        fits = tail_fits(log, shm);
    if (!fits)
        r = ft_err_set(reterr, -EBADMSG, "the store '%s' is damaged: the newest entries of its log '%s' are not what was written, and a run that went on"
                       " without them could send a write a second time; put the log back from a copy, or remove '%s' to go on without these entries,"
                       " and find out on the devices what the open runs (`fettle runs`) sent last", path, log_name, shm_name);
    if (log >= 0)
        close(log);
    if (shm >= 0)
        close(shm);
    free(log_name);
    free(shm_name);
    return r;
}
