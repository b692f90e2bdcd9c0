/* fettle plan */
#include <errno.h>
#include <signal.h>
#include "base/text.h"
#include "base/util.h"
#include "cli/app.h"
#include "cli/live.h"
#include "data/json.h"
#include "run/plan.h"

static struct {
    const char *playbook, *show, *out, *valid, *change;
    struct ft_rest given;
    bool markdown;
} o;

static const struct ft_opt opts[] = {
    { FT_OPT_OPTIONAL_ARG, 0, NULL, &o.playbook, "PLAYBOOK", "a file, or the name of a playbook", "playbook" },
    { FT_OPT_REST, 0, NULL, &o.given, "name=value …", "the playbook's parameters; `fettle show PLAYBOOK` lists them", NULL },
    { FT_OPT_STR, 0, "show", &o.show, "PLAN", "show a plan that was kept: its digest, or the first digits", NULL },
    { FT_OPT_FLAG, 'm', "markdown", &o.markdown, NULL, "as Markdown, for the ticket", NULL },
    { FT_OPT_STR, 'o', "out", &o.out, "FILE", "write it there instead of standard output", "file" },
    { FT_OPT_STR, 0, "change", &o.change, "CATEGORY", "the category of this change: normal, emergency … (`fettle policy` lists them); it is applied as that", NULL },
    { FT_OPT_STR, 0, "valid", &o.valid, "DURATION", "it may be applied so long, such as 4h (else as long as it fits)", NULL },
    { 0 },
};

/* ---- showing */

static int put_plan(const json_t *plan)
{
    FILE *to = o.out ? fopen(o.out, "w") : stdout;
    char *text = globals.json ? ft_json_canonical(plan) : o.markdown ? plan_markdown(plan) : NULL;
    bool ok;

    if (!to) {
        free(text);
        return app_fail(1, "cannot write '%s': %s", o.out, strerror(errno));
    }
    if (text)
        fprintf(to, "%s%s", text, globals.json ? "\n" : "");
    else
        plan_print(to, term_colour(to), plan, true);
    free(text);
    ok = fflush(to) == 0 && !ferror(to);
    if (o.out)
        ok = fclose(to) == 0 && ok;
    return ok ? 0 : app_fail(1, "the plan could not be written");
}

static int show_kept(struct app *app)
{
    struct ft_err err = { 0 };
    json_t *plan = NULL;
    uint64_t at = 0, now = ft_clock_wall_ms(ft_loop_clock(app->loop));
    char when[48], age[32];
    int r = ft_plan_load(app->store, o.show, &plan, &at, &err);

    if (r < 0)
        return app_fail(r == -EBADMSG ? 1 : 2, "%s", err.text);
    r = put_plan(plan);
    if (r == 0 && !globals.json && !o.markdown && !o.out)
        printf("    made %s, %s ago\n", term_when(at, false, when), ft_duration_format((now > at ? now - at : 0) / 1000 * 1000, age, sizeof(age)));
    json_decref(plan);
    return r;
}

/* ---- making */

struct making {
    struct app *app;
    struct ft_run *run;
    json_t *plan;
    enum ft_run_end end;
    bool over;
};

static void on_event(void *arg, struct ft_run *run, const json_t *event)
{
    struct making *m = arg;

    (void)run;
    if (ft_streq(ft_json_str(event, "type"), "run.planned")) {
        json_decref(m->plan);
        m->plan = json_incref(json_object_get(event, "plan"));
    }
}

static void on_ended(void *arg, struct ft_run *run, enum ft_run_end end)
{
    struct making *m = arg;

    (void)run;
    m->end = end;
    m->over = true;
    ft_loop_stop(m->app->loop);
}

static void on_signal(void *arg, int signum)
{
    struct making *m = arg;

    (void)signum;
    if (m->run)
        ft_run_cancel(m->run, app_user(), true, false);
}

static int make(struct app *app, const struct ft_playbook *playbook, const json_t *params, const json_t *vars, uint64_t valid_ms)
{
    static const struct ft_run_observer observer = { .event = on_event, .ended = on_ended };
    struct ft_run_opts run_opts = { .requester = app_user(), .dry_run = true, .keep_plan = true, .plan_valid_ms = valid_ms, .vars = vars, .change = o.change };
    struct making m = { .app = app, .end = FT_RUN_FAILED };
    struct ft_signal *interrupt, *terminate;
    struct ft_err err = { 0 };
    int status;

    if (ft_run_start(app->engine, playbook, params, &run_opts, &observer, &m, &m.run, &err) < 0)
        return app_fail(2, "%s", err.text);
    interrupt = ft_signal_start(app->loop, SIGINT, on_signal, &m);
    terminate = ft_signal_start(app->loop, SIGTERM, on_signal, &m);
    ft_loop_run(app->loop);
    ft_signal_stop(interrupt);
    ft_signal_stop(terminate);
    if (m.end == FT_RUN_OK && m.plan)
        status = put_plan(m.plan);
    else
        status = app_fail(m.end == FT_RUN_CANCELLED ? 130 : 1, m.end == FT_RUN_CANCELLED ? "no plan was made: cancelled" : "no plan was made; `fettle show %s` says more", ft_run_id(m.run));
    ft_run_free(m.run);
    json_decref(m.plan);
    return status;
}

static int plan_playbook(struct app *app, json_t *given, uint64_t valid_ms)
{
    struct ft_playbook *playbook = app_load_playbook(app, o.playbook);
    json_t *params = NULL, *vars = NULL;
    struct ft_err err = { 0 };
    int status;

    if (!playbook)
        return 2;
    if (ft_playbook_bind(playbook, given, &params, &err) < 0) {
        status = app_fail(2, "%s", err.text);
    } else {
        vars = app_vars(app, playbook, params);
        status = make(app, playbook, params, vars, valid_ms);
    }
    json_decref(params);
    json_decref(vars);
    ft_playbook_unref(playbook);
    return status;
}

static int run(void)
{
    struct app app;
    json_t *given;
    uint64_t valid_ms = 0;
    int status;

    if (!o.playbook == !o.show)
        return app_fail(2, o.show ? "--show needs no playbook: the plan is kept" : "which playbook? `fettle plan PLAYBOOK name=value …`; `fettle plan --show PLAN` shows one that was kept");
    if (globals.json && o.markdown)
        return app_fail(2, "--json and --markdown are two forms: choose one");
    if (o.valid && (ft_duration_parse(o.valid, &valid_ms) < 0 || !valid_ms))
        return app_fail(2, "--valid: '%s' is no duration such as 30m or 4h", o.valid);
    given = json_object();
    status = app_given(&o.given, given);
    if (!status)
        status = app_open(&app, APP_CONFIG | (o.show ? APP_STORE : APP_ENGINE));
    if (!status) {
        status = o.show ? show_kept(&app) : plan_playbook(&app, given, valid_ms);
        app_close(&app);
    }
    json_decref(given);
    return status;
}

const struct ft_command cmd_plan = {
    "plan", "Make and keep a plan: every write with its exact request, what it rests on, which ways there are", opts, run,
    "Reads are real, writes are only rendered: nothing is changed. The same world gives the same digest. `fettle apply PLAN` sends what was planned,\n"
    "on the state that was planned, or nothing. Exit status: 0 the plan was made, 1 it was not, 2 wrong usage or a playbook that does not load.\n",
};
