/* fettle show */
#include <errno.h>
#include "base/text.h"
#include "base/util.h"
#include "cli/live.h"
#include "cli/app.h"
#include "cli/report.h"
#include "data/json.h"
#include "run/plan.h"

static struct {
    const char *what;
    bool html;
} o;

static const struct ft_opt opts[] = {
    { FT_OPT_ARG, 0, NULL, &o.what, "RUN|PLAN|PLAYBOOK", "a run or a plan (its id or the first digits), or a playbook", "run" },
    { FT_OPT_FLAG, 0, "html", &o.html, NULL, "a run as one page: diagnosis, evidence, the drawn way, every request and decision", NULL },
    { 0 },
};

static const char *type_name(enum ft_param_type type)
{
    static const char *const names[] = {
        "string", "int", "number", "bool", "duration", "time", "mac", "ip", "cidr", "site", "device", "enum", "list", "secret",
    };

    return names[type];
}

static void show_params(const struct ft_playbook *playbook)
{
    size_t count;
    const struct ft_param *param = ft_playbook_params(playbook, &count);

    if (count)
        printf("\nParameters\n");
    for (size_t i = 0; i < count; i++) {
        json_t *otherwise = json_object_get(param[i].spec, "default");
        char *brief = otherwise ? ft_json_brief(otherwise, 30) : NULL;

        printf("  %-16s %-9s %s%s%s  %s\n", param[i].name, type_name(param[i].type), param[i].required ? "required" : brief ? "default " : "optional", brief ? brief : "", "",
               param[i].help ? param[i].help : "");
        free(brief);
    }
}

static void show_vars(const struct ft_playbook *playbook)
{
    const char *name;
    json_t *value;

    if (json_object_size(ft_playbook_vars(playbook)))
        printf("\nVariables (a site's configuration may override them)\n");
    json_object_foreach((json_t *)ft_playbook_vars(playbook), name, value) {
        char *brief = ft_json_brief(value, 60);

        printf("  %-28s %s\n", name, brief);
        free(brief);
    }
}

static int show_playbook(struct app *app)
{
    struct ft_playbook *playbook = app_load_playbook(app, o.what);
    const struct ft_outcome *outcomes;
    size_t count;

    if (!playbook)
        return 2;
    printf("%s · %s\n%s · severity %s · %s · digest %.8s\n\n%s\n", ft_playbook_name(playbook), ft_playbook_title(playbook), ft_playbook_category(playbook),
           *ft_playbook_severity(playbook) ? ft_playbook_severity(playbook) : "none", ft_playbook_path(playbook), ft_playbook_digest(playbook), ft_playbook_about(playbook));
    show_params(playbook);
    show_vars(playbook);
    outcomes = ft_playbook_outcomes(playbook, &count);
    printf("\nOutcomes\n");
    for (size_t i = 0; i < count; i++)
        printf("  %-28s %-10s %s\n", outcomes[i].name, ft_status_name(outcomes[i].status), outcomes[i].title);
    ft_playbook_unref(playbook);
    return 0;
}

static void show_text(const json_t *events)
{
    struct live *live = live_new(stdout, false);
    json_t *event;
    size_t i;

    json_array_foreach((json_t *)events, i, event) {
        const json_t *plan = json_object_get(event, "plan");

        live_event(live, event);
        if (plan && ft_streq(ft_json_str(event, "type"), "step.intended")) {
            fprintf(stdout, "      %s\n", ft_json_str(event, "action"));
            plan_print_write(stdout, term_colour(stdout), plan, 8);
        }
    }
    live_free(live);
}

static int show_run(struct app *app)
{
    json_t *events = NULL, *event;
    char id[9];
    size_t i;
    int status = app_run_events(app, o.what, id, &events);

    if (status)
        return status;
    if (o.html) {
        status = report_html(app, id, events);
    } else if (globals.json) {
        json_array_foreach(events, i, event) {
            char *text = ft_json_text(event);

            puts(text);
            free(text);
        }
    } else {
        show_text(events);
    }
    json_decref(events);
    return status;
}

/* The first digits of a plan's digest look like those of a run. */
static int show_plan(struct app *app, const json_t *plan)
{
    char *text = globals.json ? ft_json_canonical(plan) : NULL;

    (void)app;
    if (text)
        puts(text);
    else
        plan_print(stdout, term_colour(stdout), plan, true);
    free(text);
    return 0;
}

static int show_kept(struct app *app)
{
    struct ft_err err = { 0 };
    json_t *plan = NULL;
    char id[9];
    int status;

    if (ft_store_find(app->store, o.what, id, &err) != 0 && err.code != -EEXIST && ft_plan_load(app->store, o.what, &plan, NULL, &err) == 0) {
        status = show_plan(app, plan);
        json_decref(plan);
        return status;
    }
    return show_run(app);
}

static bool is_digits(const char *text)
{
    size_t n = strlen(text);

    return n >= 4 && n <= 64 && strspn(text, "0123456789abcdef") == n;
}

static int run(void)
{
    struct app app;
    bool a_run = is_digits(o.what);
    int status = app_open(&app, APP_CONFIG | APP_WORLD | (a_run ? APP_STORE : 0));

    if (status)
        return status;
    status = a_run ? show_kept(&app) : show_playbook(&app);
    app_close(&app);
    return status;
}

const struct ft_command cmd_show = { "show", "Show a run with its evidence, a plan, or a playbook with its parameters", opts, run, NULL };
