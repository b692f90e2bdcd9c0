/* Files that plugins write and read: whole or not there, never over another's, never outside their folder. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>
#include "base/util.h"
#include "plugin/files.h"

static char state[] = "/tmp/fettle-files-XXXXXX";

static void setup(void) { cr_assert(mkdtemp(state)); }

static void teardown(void)
{
    char *command = ft_asprintf("rm -rf %s", state);

    cr_expect_eq(system(command), 0);
    free(command);
}

TestSuite(files, .init = setup, .fini = teardown);

static struct ft_err err;
static bool made;
static char sha[FT_DIGEST_HEX], path_of[300];

static int do_write(const char *path, const char *text)
{
    struct ft_file_job *job;
    int r = ft_file_job_new(state, path, &job, &err);

    if (r < 0)
        return r;
    job->write = true;
    job->bytes = ft_strdup(text);
    job->len = strlen(text);
    ft_file_job_do(job);
    err = job->err;
    made = job->made;
    memcpy(sha, job->sha256, sizeof(sha));
    snprintf(path_of, sizeof(path_of), "%s", job->path);
    r = job->err.code;
    ft_file_job_free(job);
    return r;
}

static int do_read(const char *path, size_t max, char *ret, size_t room)
{
    struct ft_file_job *job;
    int r = ft_file_job_new(state, path, &job, &err);

    if (r < 0)
        return r;
    job->max = max;
    ft_file_job_do(job);
    err = job->err;
    snprintf(ret, room, "%s", job->bytes && !err.code ? job->bytes : "");
    memcpy(sha, job->sha256, sizeof(sha));
    r = job->err.code;
    ft_file_job_free(job);
    return r;
}

/* How many files and folders lie below state, the temporary ones too. */
static int count_files(void)
{
    char *command = ft_asprintf("find %s -type f | wc -l", state);
    FILE *said = popen(command, "r");
    int n = -1;

    cr_assert_eq(fscanf(said, "%d", &n), 1);
    pclose(said);
    free(command);
    return n;
}

Test(files, are_written_whole_once_and_read_again)
{
    char text[100];
    struct stat st;

    cr_assert_eq(do_write("sw-3/2026-11-21.cfg", "hostname sw-3\n"), 0, "%s", err.text);
    cr_expect(made);
    cr_expect_eq(stat(path_of, &st), 0);
    cr_expect_eq(st.st_mode & 0777, 0600);
    cr_expect_eq(do_write("sw-3/2026-11-21.cfg", "hostname sw-3\n"), 0, "the same content is fine: %s", err.text);
    cr_expect_not(made);
    cr_expect_eq(do_write("sw-3/2026-11-21.cfg", "hostname sw-4\n"), -EEXIST);
    cr_expect(err.class == FT_CONFLICT && strstr(err.text, "another content") && strstr(err.text, path_of), "%s", err.text);
    cr_expect_eq(do_write("sw-3/2026-11-21.cfg", ""), -EEXIST);
    cr_expect_eq(do_read("sw-3/2026-11-21.cfg", 100, text, sizeof(text)), 0, "%s", err.text);
    cr_expect_str_eq(text, "hostname sw-3\n");
    cr_expect_eq(count_files(), 1, "nothing else is left");
}

Test(files, have_the_digest_of_their_content)
{
    char text[10];

    cr_assert_eq(do_write("empty", ""), 0);
    cr_expect_str_eq(sha, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    cr_assert_eq(do_write("abc", "abc"), 0);
    cr_expect_str_eq(sha, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    cr_assert_eq(do_read("abc", 3, text, sizeof(text)), 0);
    cr_expect_str_eq(sha, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    cr_expect_eq(do_read("abc", 2, text, sizeof(text)), -EFBIG);
    cr_expect(err.class == FT_INVALID && strstr(err.text, "over 2 bytes"), "%s", err.text);
}

Test(files, no_path_leads_out)
{
    static const struct { const char *path, *says; } table[] = {
        { "", "no file's path" }, { "a/", "no file's path" }, { "/", "no file's path" }, { "../x", "not plain" }, { "a/../../x", "not plain" }, { "a/..", "not plain" },
        { "./x", "not plain" }, { "a//x", "not plain" }, { "..", "not plain" }, { "/tmp/../etc/x", "not plain" }, { "a\nb", "control character" }, { "a\x7f", "control character" },
        { "link/x", "symbolic link" }, { "deep/link/x", "symbolic link" }, { "leaf", "symbolic link" }, { "hanging", "symbolic link" }, { "plain/x", "a file is where a folder" },
    };
    char *command = ft_asprintf("mkdir -p %s/files/deep %s/outside && ln -s ../outside %s/files/link && ln -s %s/outside %s/files/deep/link && "
                                "echo secret > %s/outside/leaf && ln -s ../outside/leaf %s/files/leaf && ln -s ../outside/new %s/files/hanging && echo x > %s/files/plain",
                                state, state, state, state, state, state, state, state, state);
    char text[20] = "";
    int before;

    cr_assert_eq(system(command), 0);
    free(command);
    before = count_files();
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        cr_expect_lt(do_write(table[i].path, "evil"), 0, "'%s' was written", table[i].path);
        cr_expect(err.class == FT_INVALID && strstr(err.text, table[i].says), "'%s': %s", table[i].path, err.text);
        cr_expect_lt(do_read(table[i].path, 100, text, sizeof(text)), 0, "'%s' was read", table[i].path);
        cr_expect(strstr(err.text, table[i].says) || err.class == FT_NOT_FOUND, "'%s', reading: %s", table[i].path, err.text);
        cr_expect_str_eq(text, "");
    }
    cr_expect_eq(count_files(), before);
}

Test(files, a_whole_path_is_the_users_own)
{
    char *path = ft_asprintf("%s/backup/today.txt", state), text[10];
    char *link = ft_asprintf("ln -s %s/backup %s/by-link", state, state), *by_link = ft_asprintf("%s/by-link/today.txt", state);

    cr_expect_eq(do_write(path, "x"), 0, "%s", err.text);
    cr_assert_eq(system(link), 0);
    cr_expect_eq(do_read(by_link, 10, text, sizeof(text)), 0, "%s", err.text);
    cr_expect_str_eq(text, "x");
    free(path);
    free(link);
    free(by_link);
}

Test(files, what_cannot_be_read_says_why)
{
    char text[10], *command = ft_asprintf("mkdir -p %s/files/folder && mkfifo %s/files/pipe", state, state);
    static const struct { const char *path; enum ft_class class; const char *says; } table[] = {
        { "none", FT_NOT_FOUND, "no such file" }, { "none/none", FT_NOT_FOUND, "no such file" }, { "folder", FT_INVALID, "a folder has that name" }, { "pipe", FT_INVALID, "no ordinary file" },
        { "/proc/self/mem/x", FT_INVALID, "a file is where a folder" },
    };

    cr_assert_eq(system(command), 0);
    free(command);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        cr_expect_lt(do_read(table[i].path, 100, text, sizeof(text)), 0, "%s", table[i].path);
        cr_expect(err.class == table[i].class && strstr(err.text, table[i].says), "%s: %s: %s", table[i].path, ft_class_name(err.class), err.text);
    }
}

/* /dev/full is no ordinary file; a limit of the process fails in the same place as a full disk does. */
Test(files, what_does_not_fit_leaves_nothing)
{
    struct rlimit limit = { 1000, RLIM_INFINITY };
    char *text = ft_calloc(1, 5001);

    memset(text, 'x', 5000);
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    cr_expect_eq(do_write("big", text), -EFBIG);
    cr_expect(err.class == FT_REFUSED && strstr(err.text, "larger than this process may write"), "%s", err.text);
    cr_expect_eq(count_files(), 0);
    free(text);
}

Test(files, a_read_only_or_full_disk_is_said)
{
    char *where = ft_asprintf("mkdir -p %s/files && mount -t tmpfs -o size=64k tmpfs %s/files 2>/dev/null", state, state), *ro, *off, *text = ft_calloc(1, 200001);

    if (system(where) != 0) {
        free(where);
        free(text);
        cr_skip_test("mounting is not allowed here");
    }
    memset(text, 'x', 200000);
    cr_expect_eq(do_write("a/big", text), -ENOSPC);
    cr_expect(err.class == FT_REFUSED && strstr(err.text, "the disk is full"), "%s", err.text);
    cr_expect_eq(count_files(), 0);
    ro = ft_asprintf("mount -o remount,ro %s/files", state);
    cr_expect_eq(system(ro), 0);
    cr_expect_eq(do_write("small", "x"), -EROFS);
    cr_expect(err.class == FT_DENIED && strstr(err.text, "read-only"), "%s", err.text);
    off = ft_asprintf("umount %s/files", state);
    cr_expect_eq(system(off), 0);
    free(where);
    free(ro);
    free(off);
    free(text);
}

Test(files, one_that_was_given_up_is_not_written)
{
    struct ft_file_job *job;

    cr_assert_eq(ft_file_job_new(state, "late", &job, &err), 0);
    job->write = true;
    job->bytes = ft_strdup("x");
    job->len = 1;
    cr_expect(ft_file_job_give_up(job));
    cr_expect(ft_file_job_give_up(job));
    ft_file_job_do(job);
    cr_expect_eq(count_files(), 0);
    ft_file_job_free(job);
    cr_assert_eq(ft_file_job_new(state, "soon", &job, &err), 0);
    job->write = true;
    job->bytes = ft_strdup("x");
    job->len = 1;
    ft_file_job_do(job);
    cr_expect_not(ft_file_job_give_up(job), "it has happened");
    cr_expect_eq(count_files(), 1);
    ft_file_job_free(job);
}
