/* fettle runs */
#include <time.h>
#include "base/clock.h"
#include "base/text.h"
#include "base/util.h"
#include "cli/gate_text.h"
#include "data/json.h"

static struct {
    const char *status, *limit;
} o;

static const struct ft_opt opts[] = {
    { FT_OPT_STR, 's', "status", &o.status, "STATUS", "only these: running, parked, finished, failed, rolled_back, cancelled", "running parked finished failed rolled_back cancelled" },
    { FT_OPT_STR, 'n', "limit", &o.limit, "N", "at most so many (default 20)", NULL },
    { 0 },
};

static void local_time(uint64_t ms, char *buf, size_t len)
{
    time_t t = (time_t)(ms / 1000);
    struct tm tm;

    localtime_r(&t, &tm);
    strftime(buf, len, "%Y-%m-%d %H:%M", &tm);
}

static void show_json(const struct ft_run_info *info)
{
    json_t *line = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:O?}", "run", info->id, "playbook", info->playbook, "mode", info->mode, "status", info->status,
                             "outcome", info->outcome, "started", (json_int_t)info->started_ms, "ended", (json_int_t)info->ended_ms, "summary", info->summary, "params", info->params);
    char *text;

    if (ft_streq(info->status, "running"))
        json_object_set_new(line, "alive", json_boolean(info->alive));
    text = ft_json_text(line);

    puts(text);
    free(text);
    json_decref(line);
}

static void show(void *arg, const struct ft_run_info *info)
{
    size_t *count = arg;
    char when[32];
    bool died = ft_streq(info->status, "running") && !info->alive;
    const char *what = *info->outcome ? info->outcome : ft_streq(info->mode, "dry_run") ? "dry run" : died ? "interrupted" : info->status;

    ++*count;
    if (globals.json) {
        show_json(info);
        return;
    }
    local_time(info->started_ms, when, sizeof(when));
    printf("%s  %s  ", info->id, when);
    term_column(stdout, info->playbook, 22);
    fputc(' ', stdout);
    term_column(stdout, what, 12);
    fputc(' ', stdout);
    term_column(stdout, died ? "its process died: fettle resume" : info->summary, term_width(stdout) - 64 > 14 ? term_width(stdout) - 64 : 60);
    fputc('\n', stdout);
}

static int run(void)
{
    struct app app;
    struct ft_err err = { 0 };
    size_t count = 0;
    int status = app_open(&app, APP_CONFIG | APP_STORE);

    if (status)
        return status;
    if (ft_store_runs(app.store, o.status, o.limit ? (unsigned)strtoul(o.limit, NULL, 10) : 20, show, &count, &err) < 0)
        status = app_fail(1, "%s", err.text);
    else if (!count && !globals.json)
        printf("no runs%s%s yet\n", o.status ? " with status " : "", o.status ? o.status : "");
    if (!status)
        gate_nag(&app);
    app_close(&app);
    return status;
}

const struct ft_command cmd_runs = { "runs", "The runs of the past and of this moment, newest first", opts, run, NULL };
