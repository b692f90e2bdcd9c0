/* fettle resume */
#include "base/util.h"
#include "cli/session.h"
#include "data/json.h"

static struct {
    const char *run;
    bool yes, text, wait;
} o;

static const struct ft_opt opts[] = {
    { FT_OPT_OPTIONAL_ARG, 0, NULL, &o.run, "RUN", "the run, or the first digits of its id; without it: every run that a crash left behind", "run" },
    { FT_OPT_FLAG, 'y', "yes", &o.yes, NULL, "approve what would be asked (only where no people and roles are configured)", NULL },
    { FT_OPT_FLAG, 'w', "wait", &o.wait, NULL, "wait for people's approval also where there is no terminal", NULL },
    { FT_OPT_FLAG, 0, "text", &o.text, NULL, "text for people also where there is no terminal", NULL },
    { 0 },
};

struct start { struct app *app; const char *id; };

static int start_run(void *arg, const struct ft_run_observer *observer, void *observer_arg, struct ft_run **ret, struct ft_err *reterr)
{
    const struct start *s = arg;

    return ft_run_resume(s->app->engine, s->id, app_user(), observer, observer_arg, ret, reterr);
}

static int resume_one(struct app *app, const char *id)
{
    struct session_opts session = { .yes = o.yes, .text = o.text, .wait = o.wait, .who = app_user() };
    struct start start = { .app = app, .id = id };

    return session_run(app, &session, start_run, &start);
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

static int run(void)
{
    struct app app;
    struct ft_err err = { 0 };
    char id[9];
    int status = app_open(&app, APP_CONFIG | APP_ENGINE);

    if (status)
        return status;
    if (!o.run)
        status = resume_all(&app);
    else if (ft_store_find(app.store, o.run, id, &err) < 0)
        status = app_fail(2, "%s", err.text);
    else
        status = resume_one(&app, id);
    app_close(&app);
    return status;
}

const struct ft_command cmd_resume = {
    "resume", "Go on with a run that is parked, or that a crash interrupted", opts, run,
    "What was decided is not decided again, and what was done is not done again. A write that was under way when the process died\n"
    "is first found out: by the action's own probe, by the step's verification, or by you.\n",
};
