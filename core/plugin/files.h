/* files.h: files of the user's that plugins write and read: whole or not at all, never over another's content. Blocking: for a worker thread. */
#pragma once
#include <stdatomic.h>
#include <fettle/plugin.h>
#include "base/digest.h"

enum ft_file_stage { FT_FILE_WAITING, FT_FILE_COMMITTING, FT_FILE_GIVEN_UP };

struct ft_file_job {
    char *path;                     /* absolute; owned, as bytes */
    char *root;                     /* what it may not leave, the path's beginning; NULL: a path that the user gave whole */
    bool write;
    char *bytes; size_t len;        /* write: what; read: what came, NUL-terminated */
    size_t max;                     /* read: largest */
    /* From WAITING the worker goes on to COMMITTING just before the file gets its name, or the loop's thread to GIVEN_UP: who comes first. */
    _Atomic(enum ft_file_stage) stage;

    bool made;                      /* write: the file was not there before */
    char sha256[FT_DIGEST_HEX];
    struct ft_err err;              /* code 0: fine */
};

/* A relative path lies below `state`/files and may not leave it. Negative: reterr says what is wrong with the path. */
int ft_file_job_new(const char *state, const char *path, struct ft_file_job **ret, struct ft_err *reterr);
void ft_file_job_free(struct ft_file_job *job);
void ft_file_job_do(struct ft_file_job *job);
/* True: it will not happen, or did not. False: it has happened, or is happening. */
bool ft_file_job_give_up(struct ft_file_job *job);
