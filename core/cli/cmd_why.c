/* fettle why */
#include <time.h>
#include "base/util.h"
#include "cli/app.h"
#include "data/json.h"

static struct {
    const char *run, *step;
} o;

static const struct ft_opt opts[] = {
    { FT_OPT_ARG, 0, NULL, &o.run, "RUN", "the run, or the first digits of its id", "run" },
    { FT_OPT_OPTIONAL_ARG, 0, NULL, &o.step, "STEP", "only this step", NULL },
    { 0 },
};

static void print_reads(const json_t *why, int64_t at)
{
    const json_t *reads = json_object_get(why, "reads");
    const char *name;
    json_t *value;
    char when[16];
    time_t t = (time_t)(at / 1000);
    struct tm tm;

    localtime_r(&t, &tm);
    strftime(when, sizeof(when), "%H:%M:%S", &tm);
    json_object_foreach((json_t *)reads, name, value) {
        char *brief = ft_json_brief(value, 100);

        printf("                         read     %s = %s   (%s)\n", name, brief, when);
        free(brief);
    }
}

static void print_went(const json_t *event)
{
    const json_t *why = json_object_get(event, "because");
    int64_t at = ft_json_int(event, "at", 0);
    const char *expr = ft_json_str(why, "expr");
    json_t *tried;
    size_t i;

    printf("%s → %s\n", ft_json_str(event, "path"), ft_json_str(event, "to"));
    if (expr)
        printf("                         because  %s\n", expr);
    print_reads(why, at);
    json_array_foreach(json_object_get(event, "tried"), i, tried) {
        printf("                         not      %s\n", ft_json_str(tried, "expr"));
        print_reads(tried, at);
    }
}

static void print_skipped(const json_t *event)
{
    const json_t *why = json_object_get(event, "because");

    printf("%s skipped\n                         because  %s was not true\n", ft_json_str(event, "path"), ft_json_str(why, "expr"));
    print_reads(why, ft_json_int(event, "at", 0));
}

static void print_checked(const json_t *event, const json_t *look)
{
    bool ok = json_is_true(json_object_get(event, "ok"));
    bool last = ft_json_int(event, "batch", 0) == ft_json_int(event, "batches", 0);

    printf("%s batch %d of %d → %s\n                         because  %s%s\n", ft_json_str(event, "path"), (int)ft_json_int(event, "batch", 0),
           (int)ft_json_int(event, "batches", 0), !ok ? "stop" : last ? "done" : "the next", ft_json_str(event, "expr"), ok ? "" : " did not hold");
    if (ft_streq(ft_json_str(look, "path"), ft_json_str(event, "path")))
        print_reads(look, ft_json_int(look, "at", 0));
}

/* What the policies said of a write: it waits, it may start, the time for it is over. */
static void print_policy(const struct app *app, const json_t *event)
{
    const char *type = ft_json_str(event, "type"), *path = ft_json_str(event, "path"), *why = ft_json_str(event, "why");
    char when[48];
    json_t *rule;
    size_t i;

    if (ft_streq(type, "hold.opened"))
        printf("%s waits until %s\n", path, ft_guard_time(app->guard, (uint64_t)ft_json_int(event, "until", 0), when, sizeof(when)));
    else if (ft_streq(type, "run.closing"))
        printf("the run is taken back\n");
    else
        printf("%s may start%s%s\n", path, json_object_get(event, "closes") ? ", and must be over by " : "",
               json_object_get(event, "closes") ? ft_guard_time(app->guard, (uint64_t)ft_json_int(event, "closes", 0), when, sizeof(when)) : "");
    if (why)
        printf("                         because  %s\n", why);
    json_array_foreach(json_object_get(event, "rules"), i, rule)
        printf("                         policy   %s: %s\n", ft_json_str(rule, "policy"), ft_json_str(rule, "says"));
}

static bool wanted(const json_t *event)
{
    const char *path = ft_json_str(event, "path");

    return !o.step || ft_streq(path, o.step);
}

static int show(const struct app *app, const json_t *events, const char *id)
{
    json_t *event, *look = NULL;
    size_t i, count = 0;

    json_array_foreach((json_t *)events, i, event) {
        const char *type = ft_json_str(event, "type");
        bool went = ft_streq(type, "step.went"), skipped = ft_streq(type, "step.skipped"), failed = ft_streq(type, "step.failed");
        bool checked = ft_streq(type, "each.checked"), policy = ft_streq(type, "hold.opened") || ft_streq(type, "policy.passed") || ft_streq(type, "run.closing");

        if (ft_streq(type, "verify.look"))
            look = event;
        if (!(went || skipped || failed || checked || policy) || !wanted(event))
            continue;
        count++;
        if (globals.json) {
            char *text = ft_json_text(event);

            puts(text);
            free(text);
        } else if (went) {
            print_went(event);
        } else if (skipped) {
            print_skipped(event);
        } else if (policy) {
            print_policy(app, event);
        } else if (checked) {
            print_checked(event, look);
        } else {
            printf("%s failed%s%s\n                         because  %s\n", ft_json_str(event, "path"), ft_json_str(event, "to") ? " → " : "",
                   ft_json_str(event, "to") ? ft_json_str(event, "to") : "", ft_json_str(event, "error"));
        }
    }
    if (!count)
        return app_fail(2, "run %s took no decision%s%s", id, o.step ? " at step " : "", o.step ? o.step : "");
    return 0;
}

static int run(void)
{
    struct app app;
    json_t *events = NULL;
    char id[9];
    int status = app_open(&app, APP_CONFIG | APP_STORE);

    if (status)
        return status;
    status = app_run_events(&app, o.run, id, &events);
    if (!status)
        status = show(&app, events, id);
    json_decref(events);
    app_close(&app);
    return status;
}

const struct ft_command cmd_why = { "why", "Why a run went the way it went: every decision with the values it read", opts, run, NULL };
