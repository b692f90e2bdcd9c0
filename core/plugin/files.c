#include "plugin/files.h"
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/err.h"
#include "base/util.h"

/* What went wrong, as people understand it. */
static int failed(struct ft_file_job *job, const char *what, int error)
{
    const char *verb = job->write ? "written" : "read", *why = strerror(error);
    enum ft_class class = FT_REFUSED;

    switch (error) {
    case ENOSPC: case EDQUOT: why = "the disk is full"; break;
    case EFBIG: why = "it would be larger than this process may write"; break;
    case EROFS: why = "the file system is read-only"; class = FT_DENIED; break;
    case EACCES: case EPERM: class = FT_DENIED; break;
    case ENOENT: why = "there is no such file"; class = FT_NOT_FOUND; break;
    case ELOOP: why = "a symbolic link is on the way, which is not followed here"; class = FT_INVALID; break;
    case ENOTDIR: why = "a file is where a folder is needed"; class = FT_INVALID; break;
    case EISDIR: why = "a folder has that name"; class = FT_INVALID; break;
    case EINVAL: why = "it is no ordinary file"; class = FT_INVALID; break;
    case ENAMETOOLONG: why = "the name is too long"; class = FT_INVALID; break;
    }
    return ft_err_class(&job->err, class, -error, "the file %s cannot be %s (%s): %s", job->path, verb, what, why);
}

/* ---- the folder: each step from the one before, without links below the root */

static void flush_folder(int at)
{
    int fd = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

static int enter(struct ft_file_job *job, int at, const char *name, bool may_be_link)
{
    int flags = O_PATH | O_DIRECTORY | O_CLOEXEC | (may_be_link ? 0 : O_NOFOLLOW), fd = openat(at, name, flags);
    struct stat st;

    if (fd < 0 && errno == ENOENT && job->write) {
        if (mkdirat(at, name, 0700) < 0 && errno != EEXIST)
            return -1;
        flush_folder(at);
        fd = openat(at, name, flags);
    }
    if (fd < 0 && errno == ENOTDIR && !may_be_link && fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
        errno = ELOOP;
    return fd;
}

/* The path's folder; *ret_name is what is left of it. */
static int open_folder(struct ft_file_job *job, const char **ret_name)
{
    char *path = ft_strdup(job->path), *rest = path + 1, *slash;
    size_t root = job->root ? strlen(job->root) : SIZE_MAX;
    int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

    while (fd >= 0 && (slash = strchr(rest, '/'))) {
        int next;

        *slash = '\0';
        if (*rest) {
            next = enter(job, fd, rest, (size_t)(slash - path) <= root);
            if (next < 0)
                failed(job, "its folder", errno);
            close(fd);
            fd = next;
        }
        rest = slash + 1;
    }
    *ret_name = strrchr(job->path, '/') + 1;
    free(path);
    return fd;
}

/* ---- reading */

/* -1 and errno; EINVAL where it is neither file nor folder. */
static int open_file(const struct ft_file_job *job, int folder, const char *name, struct stat *ret)
{
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (job->root || job->write ? O_NOFOLLOW : 0));

    if (fd < 0)
        return -1;
    if (fstat(fd, ret) == 0 && S_ISREG(ret->st_mode))
        return fd;
    errno = S_ISDIR(ret->st_mode) ? EISDIR : EINVAL;
    close(fd);
    return -1;
}

/* At most max bytes and one more. */
static ssize_t read_all(int fd, char *bytes, size_t max)
{
    size_t len = 0;

    while (len <= max) {
        ssize_t n = read(fd, bytes + len, max + 1 - len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    return (ssize_t)len;
}

static int too_large(struct ft_file_job *job)
{
    return ft_err_class(&job->err, FT_INVALID, -EFBIG, "the file %s is over %zu bytes, which is all that is read", job->path, job->max);
}

static void do_read(struct ft_file_job *job, int folder, const char *name)
{
    struct stat st;
    int fd = open_file(job, folder, name, &st);
    ssize_t len;

    if (fd < 0) {
        failed(job, "opening", errno);
        return;
    }
    if ((uintmax_t)st.st_size > job->max) {
        too_large(job);
    } else {
        job->bytes = ft_calloc(1, (size_t)st.st_size + 2);
        len = read_all(fd, job->bytes, (size_t)st.st_size);
        if (len < 0)
            failed(job, "reading", errno);
        else if ((size_t)len > (size_t)st.st_size)
            ft_err_class(&job->err, FT_CONFLICT, -EAGAIN, "the file %s grew while it was read", job->path);
        else
            job->bytes[job->len = (size_t)len] = '\0';
    }
    close(fd);
}

/* ---- writing */

/* 1: the same content is there, and durable; 0: nothing is there; negative: something else is. */
static int compare(struct ft_file_job *job, int folder, const char *name)
{
    struct stat st;
    int fd = open_file(job, folder, name, &st);
    char *there;
    bool same;

    if (fd < 0)
        return errno == ENOENT ? 0 : failed(job, "looking at what is there", errno);
    there = ft_calloc(1, job->len + 1);
    same = (uintmax_t)st.st_size == job->len && read_all(fd, there, job->len) == (ssize_t)job->len && memcmp(there, job->bytes, job->len) == 0;
    free(there);
    if (same && fsync(fd) < 0) {
        close(fd);
        return failed(job, "flushing", errno);
    }
    close(fd);
    return same ? 1 : ft_err_class(&job->err, FT_CONFLICT, -EEXIST, "the file %s is there already, with another content; it is left as it is: choose another name", job->path);
}

static int write_all(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t n = write(fd, bytes, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        bytes += n;
        len -= (size_t)n;
    }
    return 0;
}

/* The name is given to complete bytes only, and only where it is free. */
static int give_name(struct ft_file_job *job, int folder, const char *temporary, const char *name)
{
    int r = renameat2(folder, temporary, folder, name, RENAME_NOREPLACE);

    if (r < 0 && (errno == EINVAL || errno == ENOSYS))        /* an old file system: NFS, FUSE */
        r = linkat(folder, temporary, folder, name, 0);
    if (r < 0 && errno == EEXIST)
        return compare(job, folder, name);        /* somebody was faster */
    if (r < 0)
        return failed(job, "giving it its name", errno);
    job->made = true;
    flush_folder(folder);
    return 0;
}

static bool may_commit(struct ft_file_job *job)
{
    enum ft_file_stage waiting = FT_FILE_WAITING;

    return atomic_compare_exchange_strong(&job->stage, &waiting, FT_FILE_COMMITTING);
}

static void do_write(struct ft_file_job *job, int folder, const char *name)
{
    char temporary[40], random[17];
    int fd, r = compare(job, folder, name);

    if (r != 0)
        return;
    ft_random_hex(16, random);
    snprintf(temporary, sizeof(temporary), ".fettle-%s.part", random);
    fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        failed(job, "creating", errno);
        return;
    }
    r = write_all(fd, job->bytes, job->len) < 0 || fchmod(fd, 0600) < 0 || fsync(fd) < 0 ? failed(job, "writing", errno) : 0;
    close(fd);
    if (r == 0 && may_commit(job))
        give_name(job, folder, temporary, name);
    unlinkat(folder, temporary, 0);               /* not there any more where it was renamed */
}

/* ---- the job */

void ft_file_job_do(struct ft_file_job *job)
{
    const char *name;
    int folder;

    if (atomic_load(&job->stage) == FT_FILE_GIVEN_UP)
        return;
    folder = open_folder(job, &name);
    if (folder < 0) {
        if (!job->err.code)
            failed(job, "its folder", errno);
        return;
    }
    if (job->write)
        do_write(job, folder, name);
    else
        do_read(job, folder, name);
    close(folder);
    if (!job->err.code)
        ft_sha256_hex(job->bytes, job->len, job->sha256);
}

bool ft_file_job_give_up(struct ft_file_job *job)
{
    enum ft_file_stage waiting = FT_FILE_WAITING;

    return !job->write || atomic_compare_exchange_strong(&job->stage, &waiting, FT_FILE_GIVEN_UP) || waiting == FT_FILE_GIVEN_UP;
}

static int check_path(const char *path, struct ft_err *reterr)
{
    const char *part = path;

    if (!path || !*path || path[strlen(path) - 1] == '/')
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "'%s' is no file's path", path ? path : "");
    if (strlen(path) >= PATH_MAX / 2)
        return ft_err_class(reterr, FT_INVALID, -ENAMETOOLONG, "a file's path of %zu bytes is too long", strlen(path));
    for (const char *p = path; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return ft_err_class(reterr, FT_INVALID, -EINVAL, "a file's path holds a control character");
    for (; part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL) {
        size_t len = strcspn(part, "/");

        if ((len == 1 && *part == '.') || (len == 2 && strncmp(part, "..", 2) == 0) || (len == 0 && part != path))
            return ft_err_class(reterr, FT_INVALID, -EINVAL, "the file's path '%s' is not plain: '.', '..' and '//' are not allowed in it", path);
    }
    return 0;
}

int ft_file_job_new(const char *state, const char *path, struct ft_file_job **ret, struct ft_err *reterr)
{
    int r = check_path(path, reterr);

    if (r < 0)
        return r;
    *ret = ft_calloc(1, sizeof(**ret));
    (*ret)->root = *path == '/' ? NULL : ft_asprintf("%s/files", state);
    (*ret)->path = (*ret)->root ? ft_asprintf("%s/%s", (*ret)->root, path) : ft_strdup(path);
    return 0;
}

void ft_file_job_free(struct ft_file_job *job)
{
    if (!job)
        return;
    free(job->path);
    free(job->root);
    free(job->bytes);
    free(job);
}
