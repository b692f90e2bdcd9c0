/* fettle follow */
#include "base/util.h"
#include "cli/live.h"
#include "cli/session.h"
#include "data/json.h"

enum { LOOK_MS = 300 };

static struct {
    const char *run;
    bool text;
} o;

static const struct ft_opt opts[] = {
    { FT_OPT_ARG, 0, NULL, &o.run, "RUN", "the run, or the first digits of its id", "run" },
    { FT_OPT_FLAG, 0, "text", &o.text, NULL, "text for people also where there is no terminal", NULL },
    { 0 },
};

struct follow {
    struct app *app;
    struct live *live;                /* NULL: JSON lines */
    char id[9];
    uint64_t next;                    /* number of the event to show next */
    int64_t changed;
    int status;
    bool left;                        /* nobody has it in hand any more */
    struct ft_signal *signal;
};

static int status_of(const json_t *finished)
{
    static const struct { const char *status; enum ft_run_end end; } ends[] = {
        { "failed", FT_RUN_FAILED }, { "rolled_back", FT_RUN_ROLLED_BACK }, { "cancelled", FT_RUN_CANCELLED },
    };
    const char *outcome = ft_json_str(finished, "outcome_status");

    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (ft_streq(ft_json_str(finished, "status"), ends[i].status))
            return ends[i].end;
    return ft_streq(outcome, "attention") ? FT_RUN_ATTENTION : ft_streq(outcome, "failed") ? FT_RUN_FAILED : FT_RUN_OK;
}

static void show(struct follow *f, const json_t *event)
{
    const char *type = ft_json_str(event, "type");

    if (f->live)
        live_event(f->live, event);
    else
        app_put_json(event);
    f->next = (uint64_t)ft_json_int(event, "seq", 0) + 1;
    if (ft_streq(type, "run.finished"))
        f->status = status_of(event);
    else if (ft_streq(type, "run.reopened"))
        f->status = -1;
}

static int show_new(struct follow *f)
{
    json_t *events = NULL, *event;
    struct ft_err err = { 0 };
    size_t i;

    if (ft_store_events(f->app->store, f->id, f->next, &events, &err) < 0)
        return app_fail(1, "%s", err.text);
    json_array_foreach(events, i, event)
        show(f, event);
    json_decref(events);
    return 0;
}

/* Another process runs it: here it is only seen. */
static void look(void *arg)
{
    struct follow *f = arg;
    bool alive = ft_store_owner_alive(f->app->store, f->id);

    if (ft_store_changed(f->app->store, &f->changed) && show_new(f))
        f->status = 1;
    f->left = !alive && f->status < 0;
    if (f->status >= 0 || f->left)
        ft_loop_stop(f->app->loop);
    else
        ft_timer_start(f->app->loop, LOOK_MS, look, f);
}

static void on_signal(void *arg, int signum)
{
    struct follow *f = arg;

    (void)signum;
    f->status = FT_RUN_PARKED;                /* it goes on where it is */
    ft_loop_stop(f->app->loop);
}

static int follow(struct app *app, const char *id)
{
    bool people = !globals.json && (o.text || term_is(stdout));
    struct follow f = { .app = app, .live = people ? live_new(stdout, false) : NULL, .next = 1, .status = -1 };
    int status;

    snprintf(f.id, sizeof(f.id), "%s", id);
    status = show_new(&f);
    if (!status && f.status < 0 && ft_store_owner_alive(app->store, id)) {
        f.signal = ft_signal_start(app->loop, 2, on_signal, &f);
        ft_timer_start(app->loop, LOOK_MS, look, &f);
        ft_loop_run(app->loop);
        ft_signal_stop(f.signal);
    }
    live_free(f.live);
    if (status || f.status >= 0)
        return status ? status : f.status;
    /* Nobody has it in hand: it is come back to here. */
    struct session_opts session = { .text = o.text, .who = app_user() };

    return session_resume(app, &session, id);
}

static int run(void)
{
    return app_with_run(o.run, APP_CONFIG | APP_ENGINE, follow);
}

const struct ft_command cmd_follow = {
    "follow", "Watch a run of another terminal, or come back to one that nobody has in hand", opts, run,
    "Ctrl-C ends the watching, not the run. The exit status is the run's, as `fettle run` says it.\n",
};
