/* fettle resume */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/util.h"
#include "cli/session.h"
#include "data/json.h"
#include "run/parking.h"

static struct {
    const char *run, *at_once;
    bool yes, text, wait, watch;
} o;

static const struct ft_opt opts[] = {
    { FT_OPT_OPTIONAL_ARG, 0, NULL, &o.run, "RUN", "the run, or the first digits of its id; without it: every run that a crash left behind", "run" },
    { FT_OPT_FLAG, 'y', "yes", &o.yes, NULL, "approve what would be asked (only where no people and roles are configured)", NULL },
    { FT_OPT_FLAG, 'w', "wait", &o.wait, NULL, "wait for people's approval also where there is no terminal", NULL },
    { FT_OPT_FLAG, 0, "watch", &o.watch, NULL, "stay, and keep every run going: those that a crash left behind, and parked ones once they were answered or their time has come", NULL },
    { FT_OPT_STR, 0, "at-once", &o.at_once, "N", "with --watch: as many runs live at a time (16); those that wait do not count", NULL },
    { FT_OPT_FLAG, 0, "text", &o.text, NULL, "text for people also where there is no terminal", NULL },
    { 0 },
};

static int resume_one(struct app *app, const char *id)
{
    struct session_opts session = { .yes = o.yes, .text = o.text, .wait = o.wait, .who = app_user() };

    return session_resume(app, &session, id);
}

static void add_running(void *arg, const struct ft_run_info *info)
{
    if (ft_streq(info->mode, "run"))
        json_array_append_new(arg, json_string(info->id));
}

/* All that were under way when their process died; parked ones wait for their people. */
static int resume_all(struct app *app)
{
    json_t *ids = json_array(), *id;
    struct ft_err err = { 0 };
    int worst = 0;
    size_t i;

    if (ft_store_runs(app->store, "running", 1000, add_running, ids, &err) < 0) {
        json_decref(ids);
        return app_fail(1, "%s", err.text);
    }
    if (!json_array_size(ids))
        fprintf(stderr, "no run was left behind\n");
    json_array_foreach(ids, i, id) {
        int status;

        if (ft_store_claim(app->store, json_string_value(id), &err) < 0) {
            fprintf(stderr, "run %s: %s\n", json_string_value(id), err.text);
            continue;
        }
        status = resume_one(app, json_string_value(id));
        worst = status > worst ? status : worst;
    }
    json_decref(ids);
    return worst;
}

/* ---- --watch */

struct watch { struct app *app; struct ft_parking *parking; struct ft_signal *signals[3]; unsigned asked; bool text; };

static void news(void *arg, const char *run_id, enum ft_parking_news what, const char *text)
{
    static const char *const words[] = { [FT_PARKING_GOES_ON] = "goes on", [FT_PARKING_PARKED] = "parked", [FT_PARKING_ENDED] = "ended", [FT_PARKING_TROUBLE] = "trouble" };
    const struct watch *w = arg;
    char clock[48];

    if (w->text) {
        printf("%s  %s  %-8s %s\n", term_when(ft_clock_wall_ms(ft_clock_system()), true, clock), run_id, words[what], text);
    } else {
        json_t *line = json_pack("{s:s, s:s, s:s}", "run", run_id, "news", words[what], "text", text);
        char *json = ft_json_text(line);

        puts(json);
        free(json);
        json_decref(line);
    }
    fflush(stdout);
}

static void nothing_lives(void *arg)
{
    const struct watch *w = arg;

    ft_loop_stop(w->app->loop);
}

/* Once: what lives goes on until it parks or ends; twice: it is left where it is. */
static void asked_to_end(void *arg, int signum)
{
    struct watch *w = arg;
    struct ft_parking_counts n;

    if (signum == SIGUSR1) {                       /* `fettle cancel` of a run that lives here */
        ft_parking_asked_to_end(w->parking);
        return;
    }
    ft_parking_count(w->parking, &n);
    if (w->asked++ > 0)
        ft_loop_stop(w->app->loop);
    else if (n.alive)
        fprintf(stderr, "fettle: ending when %zu run%s parked or over; ask again to leave %s now\n", n.alive, n.alive == 1 ? " is" : "s are", n.alive == 1 ? "it" : "them");
    ft_parking_stop(w->parking);
}

static int watch(struct app *app)
{
    static const int signums[] = { SIGINT, SIGTERM, SIGUSR1 };
    struct watch w = { .app = app, .text = !globals.json && (o.text || isatty(STDOUT_FILENO)) };
    struct ft_parking_opts keeper = { .loop = app->loop, .store = app->store, .engine = app->engine, .who = app_user(), .news = news, .idle = nothing_lives, .arg = &w };
    struct ft_parking_counts n;
    struct ft_err err = { 0 };

    if (o.at_once) {
        keeper.at_once = (unsigned)strtoul(o.at_once, NULL, 10);
        if (keeper.at_once < 1 || keeper.at_once > 10000)
            return app_fail(2, "--at-once is a number from 1 to 10000, not '%s'", o.at_once);
    }
    if (ft_parking_new(&keeper, &w.parking, &err) < 0)
        return app_fail(1, "%s", err.text);
    ft_parking_count(w.parking, &n);
    fprintf(stderr, "fettle: %zu run%s parked, %zu left behind by a process that died; Ctrl-C ends the watch, and leaves them parked\n", n.parked, n.parked == 1 ? "" : "s", n.waiting);
    for (size_t i = 0; i < ARRAY_LEN(signums); i++)
        w.signals[i] = ft_signal_start(app->loop, signums[i], asked_to_end, &w);
    ft_loop_run(app->loop);
    for (size_t i = 0; i < ARRAY_LEN(signums); i++)
        ft_signal_stop(w.signals[i]);
    ft_parking_free(w.parking);
    return 0;
}

static int run(void)
{
    struct app app;
    int status;

    if (o.watch && o.run)
        return app_fail(2, "--watch keeps every run going; leave out '%s'", o.run);
    if (o.at_once && !o.watch)
        return app_fail(2, "--at-once goes with --watch");
    if (o.run)
        return app_with_run(o.run, APP_CONFIG | APP_ENGINE, resume_one);
    status = app_open(&app, APP_CONFIG | APP_ENGINE);
    if (status)
        return status;
    status = o.watch ? watch(&app) : resume_all(&app);
    app_close(&app);
    return status;
}

const struct ft_command cmd_resume = {
    "resume", "Go on with a run that is parked, or that a crash interrupted", opts, run,
    "What was decided is not decided again, and what was done is not done again. A write that was under way when the process died\n"
    "is first found out: by the action's own probe, by the step's verification, or by you.\n"
    "\n"
    "With --watch it stays, as a service would: a run that waits costs next to nothing, and goes on when somebody in another terminal\n"
    "answered, when its window opens or when its time is over. A line tells of each. SIGTERM or Ctrl-C: what is under way goes on\n"
    "until it is parked or over; a second one leaves it where it is, for the next to take up.\n",
};
