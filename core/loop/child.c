/* child.c: child processes. Each leads a group of its own: Ctrl-C at the terminal is ours to answer, and ending a child ends
 * what it started. */
#include "loop/internal.h"
#include <signal.h>
#include "base/buf.h"

#define DEFAULT_OUTPUT ((size_t)1 << 20)
#define GRACE_MS 2000

struct ft_child {
    struct ft_list link;              /* in loop->children, until it has ended */
    struct ft_loop *loop;
    uv_process_t process;
    uv_pipe_t in, out, err;
    uv_timer_t grace;                 /* real time: the child lives in the real world whatever the loop's clock says */
    uv_write_t write;
    unsigned open_handles;            /* not closed yet; the last one frees */
    unsigned awaited;                 /* of: exit, end of out, end of err */
    bool ended, killed, too_much;
    char *input;
    struct ft_buf got_out, got_err;
    int exit_status, term_signal;
    void (*exited)(void *arg, const struct ft_child_result *result);
    void *arg;
    char chunk[16384];
};

static void handle_closed(uv_handle_t *handle)
{
    struct ft_child *child = handle->data;

    if (--child->open_handles)
        return;
    ft_buf_done(&child->got_out);
    ft_buf_done(&child->got_err);
    free(child->input);
    free(child);
}

static void close_handle(uv_handle_t *handle)
{
    if (handle->type != UV_UNKNOWN_HANDLE && !uv_is_closing(handle))
        uv_close(handle, handle_closed);
}

static void close_all(struct ft_child *child)
{
    ft_list_remove(&child->link);
    close_handle((uv_handle_t *)&child->process);
    close_handle((uv_handle_t *)&child->in);
    close_handle((uv_handle_t *)&child->out);
    close_handle((uv_handle_t *)&child->err);
    close_handle((uv_handle_t *)&child->grace);
}

static void signal_group(const struct ft_child *child, int signum)
{
    if (child->process.pid > 0)
        uv_kill(-child->process.pid, signum);
}

/* One of the three things that make an end has come. */
static void came(struct ft_child *child)
{
    struct ft_child_result result = {
        .exit_status = child->term_signal ? -1 : child->exit_status, .term_signal = child->term_signal,
        .too_much = child->too_much,
        .out = ft_buf_str(&child->got_out), .out_len = child->got_out.len,
        .err = ft_buf_str(&child->got_err), .err_len = child->got_err.len,
    };

    if (--child->awaited)
        return;
    ft_loop_hold(child->loop, -1);
    child->ended = true;
    close_all(child);
    if (!child->killed)
        child->exited(child->arg, &result);
}

static void process_exited(uv_process_t *process, int64_t exit_status, int term_signal)
{
    struct ft_child *child = process->data;

    child->exit_status = (int)exit_status;
    child->term_signal = term_signal;
    if (child->killed || child->too_much) {
        signal_group(child, SIGKILL);             /* what it started and left behind */
        child->awaited = 1;                       /* and whoever escaped that may hold the pipes for ever */
    }
    came(child);
}

static void give_chunk(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct ft_child *child = handle->data;

    (void)suggested;
    *ret = uv_buf_init(child->chunk, sizeof(child->chunk));
}

static void got_output(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
    struct ft_child *child = stream->data;
    struct ft_buf *buf = stream == (uv_stream_t *)&child->out ? &child->got_out : &child->got_err;

    if (n < 0) {
        close_handle((uv_handle_t *)stream);
        came(child);
        return;
    }
    if ((size_t)n > buf->max - buf->len && !child->too_much) {
        child->too_much = true;
        signal_group(child, SIGKILL);
    }
    ft_buf_add(buf, bytes->base, ft_min((size_t)n, buf->max - buf->len));
}

static void input_written(uv_write_t *req, int status)
{
    struct ft_child *child = req->data;

    (void)status;                                 /* a child need not read its input to the end */
    close_handle((uv_handle_t *)&child->in);
}

static int init_handles(struct ft_child *child, uv_loop_t *uv)
{
    uv_pipe_t *pipes[] = { &child->in, &child->out, &child->err };

    for (size_t i = 0; i < ARRAY_LEN(pipes); i++) {
        int r = uv_pipe_init(uv, pipes[i], 0);

        if (r < 0)
            return r;
        pipes[i]->data = child;
        child->open_handles++;
    }
    uv_timer_init(uv, &child->grace);
    child->grace.data = child;
    child->open_handles++;
    return 0;
}

static int spawn(struct ft_child *child, uv_loop_t *uv, const struct ft_child_req *req)
{
    char *path = ft_asprintf("PATH=%s", getenv("PATH") ? getenv("PATH") : "/usr/local/bin:/usr/bin:/bin");
    char *lang = ft_asprintf("LANG=%s", getenv("LANG") ? getenv("LANG") : "C.UTF-8");
    const char *const plain_env[] = { path, lang, NULL };
    uv_stdio_container_t stdio[3] = {
        { .flags = UV_CREATE_PIPE | UV_READABLE_PIPE, .data.stream = (uv_stream_t *)&child->in },
        { .flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&child->out },
        { .flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&child->err },
    };
    uv_process_options_t options = {
        .file = req->argv[0], .args = (char **)(uintptr_t)req->argv,
        .env = (char **)(uintptr_t)(req->env ? req->env : plain_env),
        .exit_cb = process_exited, .stdio = stdio, .stdio_count = 3, .flags = UV_PROCESS_DETACHED,
    };
    int r = uv_spawn(uv, &child->process, &options);

    child->process.data = child;
    child->open_handles++;
    free(path);
    free(lang);
    return r;
}

static void start_streams(struct ft_child *child, const struct ft_child_req *req)
{
    uv_buf_t input;

    uv_read_start((uv_stream_t *)&child->out, give_chunk, got_output);
    uv_read_start((uv_stream_t *)&child->err, give_chunk, got_output);
    if (!req->input_len) {
        close_handle((uv_handle_t *)&child->in);
        return;
    }
    child->input = ft_calloc(1, req->input_len);
    memcpy(child->input, req->input, req->input_len);
    input = uv_buf_init(child->input, (unsigned)req->input_len);
    child->write.data = child;
    if (uv_write(&child->write, (uv_stream_t *)&child->in, &input, 1, input_written) < 0)
        close_handle((uv_handle_t *)&child->in);
}

int ft_child_start(struct ft_loop *loop, const struct ft_child_req *req, void (*exited)(void *arg, const struct ft_child_result *result),
                   void *arg, struct ft_child **ret, struct ft_err *reterr)
{
    struct ft_child *child;
    int r;

    if (!req->argv || !req->argv[0])
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "no program to start was named");
    if (req->input_len > INT32_MAX)
        return ft_err_class(reterr, FT_INVALID, -E2BIG, "the input of '%s' is larger than 2 GiB", req->argv[0]);
    child = ft_calloc(1, sizeof(*child));
    child->loop = loop;
    child->exited = exited;
    child->arg = arg;
    child->awaited = 3;
    child->got_out = FT_BUF_INIT(req->max_output ? req->max_output : DEFAULT_OUTPUT);
    child->got_err = child->got_out;
    r = init_handles(child, &loop->uv);
    if (r == 0)
        r = spawn(child, &loop->uv, req);
    if (r < 0) {
        if (child->open_handles)
            close_all(child);
        else
            free(child);
        return ft_err_class(reterr, r == -ENOENT ? FT_NOT_FOUND : FT_INVALID, r, "cannot start '%s': %s%s", req->argv[0], uv_strerror(r),
                            r == -ENOENT ? "; is it installed, and in PATH?" : "");
    }
    ft_loop_hold(loop, 1);
    ft_list_append(&loop->children, &child->link);
    start_streams(child, req);
    *ret = child;
    return 0;
}

static void grace_over(uv_timer_t *timer)
{
    signal_group(timer->data, SIGKILL);
}

void ft_child_kill(struct ft_child *child)
{
    if (!child || child->killed || child->ended)
        return;
    child->killed = true;
    signal_group(child, SIGTERM);
    uv_update_time(child->grace.loop);         /* from now on, not from when this turn began: it may have stood still */
    uv_timer_start(&child->grace, grace_over, GRACE_MS, 0);
}

void ft_loop_end_children(struct ft_loop *loop)
{
    struct ft_list *pos, *tmp;

    ft_list_each(pos, tmp, &loop->children) {
        struct ft_child *child = ft_container(pos, struct ft_child, link);

        signal_group(child, SIGKILL);
        close_all(child);
    }
}
