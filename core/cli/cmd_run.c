/* fettle run */
#include "base/text.h"
#include "base/util.h"
#include "cli/session.h"
#include "data/json.h"

static struct {
    const char *playbook, *break_glass, *change;
    struct ft_rest given;
    bool dry_run, yes, text, wait;
} o;

static const struct ft_opt opts[] = {
    { FT_OPT_ARG, 0, NULL, &o.playbook, "PLAYBOOK", "a file, or the name of a playbook", "playbook" },
    { FT_OPT_REST, 0, NULL, &o.given, "name=value …", "the playbook's parameters; `fettle show PLAYBOOK` lists them", NULL },
    { FT_OPT_FLAG, 'n', "dry-run", &o.dry_run, NULL, "reads are real, writes are only shown: nothing is changed", NULL },
    { FT_OPT_FLAG, 'y', "yes", &o.yes, NULL, "approve what would be asked (only where no people and roles are configured)", NULL },
    { FT_OPT_STR, 0, "break-glass", &o.break_glass, "REASON", "go on without approvals where a policy lets you: those asked are told, and it is reviewed", NULL },
    { FT_OPT_FLAG, 'w', "wait", &o.wait, NULL, "wait for people's approval also where there is no terminal", NULL },
    { FT_OPT_STR, 0, "change", &o.change, "CATEGORY", "the category of this change: normal, emergency … (`fettle policy` lists them)", NULL },
    { FT_OPT_FLAG, 0, "text", &o.text, NULL, "text for people also where there is no terminal", NULL },
    { 0 },
};

struct start { struct app *app; const struct ft_playbook *playbook; const json_t *params, *vars; };

static int start_run(void *arg, const struct ft_run_observer *observer, void *observer_arg, struct ft_run **ret, struct ft_err *reterr)
{
    const struct start *s = arg;
    struct ft_run_opts run_opts = { .requester = app_user(), .dry_run = o.dry_run, .vars = s->vars, .break_glass = o.break_glass, .change = o.change };

    return ft_run_start(s->app->engine, s->playbook, s->params, &run_opts, observer, observer_arg, ret, reterr);
}

static int run(void)
{
    struct app app;
    struct ft_playbook *playbook = NULL;
    json_t *given = json_object(), *params = NULL, *vars = NULL;
    struct ft_err err = { 0 };
    int status = app_given(&o.given, given);

    if (!status)
        status = app_open(&app, APP_CONFIG | APP_ENGINE);
    if (status) {
        json_decref(given);
        return status;
    }
    playbook = app_load_playbook(&app, o.playbook);
    if (!playbook) {
        status = 2;
    } else if (ft_playbook_bind(playbook, given, &params, &err) < 0) {
        status = app_fail(2, "%s", err.text);
    } else {
        struct session_opts session = { .yes = o.yes, .text = o.text, .wait = o.wait, .who = app_user() };

        vars = app_vars(&app, playbook, params);
        struct start start = { .app = &app, .playbook = playbook, .params = params, .vars = vars };
        status = session_run(&app, &session, start_run, &start);
    }
    json_decref(given);
    json_decref(params);
    json_decref(vars);
    ft_playbook_unref(playbook);
    app_close(&app);
    return status;
}

const struct ft_command cmd_run = {
    "run", "Run a playbook, or show what it would do", opts, run,
    "Exit status: 0 the outcome is ok, 1 the run failed, 2 wrong usage or a playbook that does not load, 3 parked,\n"
    "4 the outcome wants attention, 5 rolled back, 130 cancelled.\n"
    "Ctrl-C once stops after the step under way, twice stops now. A secret is given as name=env:VARIABLE, name=file:PATH, name=sealed:NAME or name=vault:PATH#FIELD.\n",
};
