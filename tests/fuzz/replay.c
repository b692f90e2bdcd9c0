/* replay.c: runs a fuzz target over its corpus, in builds without libFuzzer. Arguments are files or folders. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include "base/buf.h"
#include "base/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replay_file(const char *path)
{
    struct ft_buf text = FT_BUF_INIT(0);
    char part[4096];
    size_t n;
    FILE *file = fopen(path, "re");
    uint8_t *data;

    if (!file) {
        perror(path);
        exit(1);
    }
    while ((n = fread(part, 1, sizeof(part), file)) > 0)
        ft_buf_add(&text, part, n);
    fclose(file);
    data = memcpy(ft_calloc(1, text.len), ft_buf_str(&text), text.len);       /* no byte more: a sanitizer sees who reads on */
    printf("%s\n", path);
    fflush(stdout);                      /* the last line names the input that crashed */
    LLVMFuzzerTestOneInput(data, text.len);
    free(data);
    ft_buf_done(&text);
}

static unsigned replay_folder(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    unsigned count = 0;

    while (dir && (entry = readdir(dir))) {
        char *inner = ft_asprintf("%s/%s", path, entry->d_name);

        if (entry->d_name[0] != '.') {
            replay_file(inner);
            count++;
        }
        free(inner);
    }
    if (dir) {
        closedir(dir);
        return count;
    }
    replay_file(path);
    return 1;
}

int main(int argc, char **argv)
{
    unsigned count = 0;

    for (int i = 1; i < argc; i++)
        count += replay_folder(argv[i]);
    printf("%u inputs\n", count);
    return count ? 0 : 1;                /* a corpus that is not there must not pass for one that is fine */
}
