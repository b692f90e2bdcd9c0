/* fettle cancel */
#include <errno.h>
#include <signal.h>
#include "base/util.h"
#include "cli/gate_text.h"
#include "cli/session.h"
#include "data/json.h"

static struct {
    const char *run;
    bool rollback, now, text;
} o;

static const struct ft_opt opts[] = {
    { FT_OPT_ARG, 0, NULL, &o.run, "RUN", "the run, or the first digits of its id", "run" },
    { FT_OPT_FLAG, 0, "rollback", &o.rollback, NULL, "take back what it did", NULL },
    { FT_OPT_FLAG, 0, "now", &o.now, NULL, "do not wait for the step under way: a write that is cut off is found out by `fettle resume`", NULL },
    { FT_OPT_FLAG, 0, "text", &o.text, NULL, "text for people also where there is no terminal", NULL },
    { 0 },
};

struct start { struct app *app; const char *id; };

static int start_run(void *arg, const struct ft_run_observer *observer, void *observer_arg, struct ft_run **ret, struct ft_err *reterr)
{
    const struct start *s = arg;
    int r = ft_run_resume(s->app->engine, s->id, app_user(), observer, observer_arg, ret, reterr);

    if (r == 0)
        ft_run_cancel(*ret, app_user(), o.now, o.rollback);
    return r;
}

struct owner { const char *id; long pid; };

static void find_owner(void *arg, const struct ft_run_info *info)
{
    struct owner *owner = arg;

    if (ft_streq(info->id, owner->id) && info->owner)
        owner->pid = strtol(info->owner, NULL, 10);
}

static bool takes_back(struct app *app, const char *id)
{
    json_t *events = NULL, *event;
    bool back = false;
    size_t i;

    if (ft_store_events(app->store, id, 0, &events, NULL) < 0)
        return false;
    json_array_foreach(events, i, event) {
        const char *type = ft_json_str(event, "type");

        back = ft_streq(type, "rollback.started") || ft_streq(type, "run.reopened") || (back && !ft_streq(type, "run.finished"));
    }
    json_decref(events);
    return back;
}

/* Another process runs it: it is asked by a row in the store, and told to look. Only SIGUSR1 does: who keeps many runs going is not ended for one. */
static int ask_owner(struct app *app, const char *id)
{
    struct owner owner = { .id = id };
    struct ft_err err = { 0 };

    if (ft_store_runs(app->store, NULL, 10000, find_owner, &owner, &err) < 0 || owner.pid <= 1)
        return app_fail(1, "run %s belongs to another process that cannot be found", id);
    if (kill((pid_t)owner.pid, 0) < 0)
        return app_fail(1, "cannot ask process %ld to stop run %s: %s", owner.pid, id, strerror(errno));
    if (ft_run_ask_end(app->store, id, o.now, o.rollback, app_user(), app_where(), &err) < 0)
        return app_fail(1, "%s", err.text);
    kill((pid_t)owner.pid, SIGUSR1);
    if (takes_back(app, id) && !o.now)
        printf("what run %s did is being taken back by process %ld, and that goes on; `fettle cancel %s --now` parks it as it stands, with its locks\n", id, owner.pid, id);
    else
        printf("asked process %ld to stop run %s%s\n", owner.pid, id, o.now ? " now" : " after the step under way");
    return 0;
}

static int cancel(struct app *app, const char *id)
{
    struct session_opts session = { .text = o.text, .who = app_user() };
    struct start start = { .app = app, .id = id };
    struct ft_err err = { 0 };
    int r = ft_store_claim(app->store, id, &err);

    if (r == -EBUSY)
        return ask_owner(app, id);
    return r < 0 ? app_fail(1, "%s", err.text) : session_run(app, &session, start_run, &start);
}

static int run(void)
{
    return app_with_run(o.run, APP_CONFIG | APP_ENGINE, cancel);
}

const struct ft_command cmd_cancel = {
    "cancel", "End a run, wherever it is", opts, run,
    "A run under way stops after its step. A write in doubt is found out first: a run with one stays parked until it is clear.\n",
};
