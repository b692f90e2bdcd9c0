/* wake.c: what comes from outside the loop's thread: signals, other threads, the pool's answers. */
#include "loop/internal.h"

static void free_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* ---- signals ---- */

struct ft_signal {
    uv_signal_t uv;
    void (*fn)(void *arg, int signum);
    void *arg;
};

static void signal_came(uv_signal_t *handle, int signum)
{
    struct ft_signal *signal = handle->data;

    signal->fn(signal->arg, signum);
}

struct ft_signal *ft_signal_start(struct ft_loop *loop, int signum, void (*fn)(void *arg, int signum), void *arg)
{
    struct ft_signal *signal = ft_calloc(1, sizeof(*signal));

    signal->fn = fn;
    signal->arg = arg;
    if (uv_signal_init(&loop->uv, &signal->uv) < 0)
        abort();
    signal->uv.data = signal;
    uv_signal_start(&signal->uv, signal_came, signum);
    uv_unref((uv_handle_t *)&signal->uv);
    return signal;
}

void ft_signal_stop(struct ft_signal *signal)
{
    if (signal)
        uv_close((uv_handle_t *)&signal->uv, free_closed);
}

/* ---- other threads ---- */

struct ft_wake {
    uv_async_t uv;
    void (*fn)(void *arg);
    void *arg;
};

static void wake_came(uv_async_t *handle)
{
    struct ft_wake *wake = handle->data;

    if (!uv_is_closing((uv_handle_t *)handle))
        wake->fn(wake->arg);
}

struct ft_wake *ft_wake_new(struct ft_loop *loop, void (*fn)(void *arg), void *arg)
{
    struct ft_wake *wake = ft_calloc(1, sizeof(*wake));

    wake->fn = fn;
    wake->arg = arg;
    if (uv_async_init(&loop->uv, &wake->uv, wake_came) < 0)
        abort();
    wake->uv.data = wake;
    uv_unref((uv_handle_t *)&wake->uv);
    return wake;
}

void ft_wake_send(struct ft_wake *wake)
{
    uv_async_send(&wake->uv);
}

void ft_wake_free(struct ft_wake *wake)
{
    if (wake)
        uv_close((uv_handle_t *)&wake->uv, free_closed);
}

/* ---- the pool ---- */

struct ft_work {
    uv_work_t uv;
    struct ft_loop *loop;
    bool cancelled;
    void (*blocking)(void *job);
    void (*after)(void *job);
    void (*release)(void *job);
    void *job;
};

static void on_thread(uv_work_t *uv)
{
    struct ft_work *work = uv->data;

    work->blocking(work->job);
}

static void thread_done(uv_work_t *uv, int status)
{
    struct ft_work *work = uv->data;

    work->loop->works--;
    if (!work->cancelled && status == 0)
        work->after(work->job);
    if (work->release)
        work->release(work->job);
    free(work);
}

struct ft_work *ft_work_start(struct ft_loop *loop, void (*blocking)(void *job), void (*after)(void *job),
                              void (*release)(void *job), void *job)
{
    struct ft_work *work = ft_calloc(1, sizeof(*work));

    work->uv.data = work;
    work->loop = loop;
    work->blocking = blocking;
    work->after = after;
    work->release = release;
    work->job = job;
    loop->works++;
    uv_queue_work(&loop->uv, &work->uv, on_thread, thread_done);
    return work;
}

void ft_work_cancel(struct ft_work *work)
{
    if (!work)
        return;
    work->cancelled = true;
    uv_cancel((uv_req_t *)&work->uv);             /* where it waits for a thread still */
}
