/* lines.c: a person's answers, line by line, from a terminal, a pipe or a file. */
#include "loop/internal.h"
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>
#include "base/buf.h"

#define LINE_MAX_BYTES 65536          /* longer ones come in pieces */

struct ft_lines {
    union { uv_handle_t any; uv_poll_t poll; uv_idle_t idle; } uv;   /* epoll takes no files: those are read when idle */
    int fd;
    bool stopped;
    struct ft_buf got;
    void (*fn)(void *arg, const char *line);
    void *arg;
};

static void give(struct ft_lines *lines, struct ft_buf *line)
{
    if (line->len && line->data[line->len - 1] == '\r')
        line->data[--line->len] = '\0';
    lines->fn(lines->arg, ft_buf_str(line));
    ft_buf_clear(line);
}

static void at_end(struct ft_lines *lines)
{
    if (lines->uv.any.type == UV_POLL)
        uv_poll_stop(&lines->uv.poll);
    else
        uv_idle_stop(&lines->uv.idle);
    if (lines->got.len)
        give(lines, &lines->got);
    if (!lines->stopped)
        lines->fn(lines->arg, NULL);
}

static void read_some(struct ft_lines *lines)
{
    char chunk[4096];
    ssize_t n = read(lines->fd, chunk, sizeof(chunk));

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        at_end(lines);
        return;
    }
    for (ssize_t i = 0; i < n && !lines->stopped; i++) {
        if (chunk[i] != '\n')
            ft_buf_addc(&lines->got, chunk[i]);
        if (chunk[i] == '\n' || lines->got.len == LINE_MAX_BYTES)
            give(lines, &lines->got);
    }
}

static void readable(uv_poll_t *handle, int status, int events)
{
    struct ft_lines *lines = handle->data;
    struct pollfd now = { .fd = lines->fd, .events = POLLIN };

    (void)status;
    (void)events;
    if (poll(&now, 1, 0) > 0)         /* the descriptor blocks: another reader may have been quicker */
        read_some(lines);
}

static void idle(uv_idle_t *handle)
{
    read_some(handle->data);
}

struct ft_lines *ft_lines_start(struct ft_loop *loop, int fd, void (*fn)(void *arg, const char *line), void *arg)
{
    struct ft_lines *lines = ft_calloc(1, sizeof(*lines));
    uv_handle_type type = uv_guess_handle(fd);
    int had = fcntl(fd, F_GETFL);

    lines->fd = fd;
    lines->fn = fn;
    lines->arg = arg;
    lines->got = FT_BUF_INIT(LINE_MAX_BYTES);
    if (type != UV_FILE && type != UV_UNKNOWN_HANDLE && uv_poll_init(&loop->uv, &lines->uv.poll, fd) == 0) {
        /* libuv made it non-blocking, for everybody who shares the terminal: standard output too. */
        fcntl(fd, F_SETFL, had);
        uv_poll_start(&lines->uv.poll, UV_READABLE, readable);
    } else {
        if (type != UV_FILE)
            lines->fd = -1;           /* nothing to read from: it ends at once */
        uv_idle_init(&loop->uv, &lines->uv.idle);
        uv_idle_start(&lines->uv.idle, idle);
    }
    lines->uv.any.data = lines;
    return lines;
}

static void closed(uv_handle_t *handle)
{
    struct ft_lines *lines = handle->data;

    ft_buf_done(&lines->got);
    free(lines);
}

void ft_lines_stop(struct ft_lines *lines)
{
    if (!lines)
        return;
    lines->stopped = true;
    uv_close(&lines->uv.any, closed);
}
