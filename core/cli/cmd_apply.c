/* fettle apply */
#include <errno.h>
#include "base/buf.h"
#include "base/text.h"
#include "base/util.h"
#include "cli/session.h"
#include "data/json.h"
#include "run/plan.h"

static struct {
    const char *plan, *max_age, *break_glass;
    bool yes, text, wait, accept_undetermined;
} o;

static const struct ft_opt opts[] = {
    { FT_OPT_ARG, 0, NULL, &o.plan, "PLAN", "a plan that was kept: its digest, or the first digits", NULL },
    { FT_OPT_FLAG, 0, "accept-undetermined", &o.accept_undetermined, NULL, "send also what the plan could not determine (it is journalled)", NULL },
    { FT_OPT_STR, 0, "max-age", &o.max_age, "DURATION", "refuse a plan that is older, such as 4h", NULL },
    { FT_OPT_FLAG, 'y', "yes", &o.yes, NULL, "approve what would be asked (only where no people and roles are configured)", NULL },
    { FT_OPT_STR, 0, "break-glass", &o.break_glass, "REASON", "go on without approvals where a policy lets you: those asked are told, and it is reviewed", NULL },
    { FT_OPT_FLAG, 'w', "wait", &o.wait, NULL, "wait for people's approval also where there is no terminal", NULL },
    { FT_OPT_FLAG, 0, "text", &o.text, NULL, "text for people also where there is no terminal", NULL },
    { 0 },
};

struct start { struct app *app; const struct ft_playbook *playbook; const json_t *plan; uint64_t at; };

static int start_run(void *arg, const struct ft_run_observer *observer, void *observer_arg, struct ft_run **ret, struct ft_err *reterr)
{
    const struct start *s = arg;
    const char *change = ft_json_str(s->plan, "change"), *own = ft_playbook_change(s->playbook);
    struct ft_run_opts run_opts = {
        .requester = app_user(), .plan = s->plan, .vars = json_object_get(s->plan, "vars"), .event = json_object_get(s->plan, "event"),
        .accept_undetermined = o.accept_undetermined, .break_glass = o.break_glass,
        .change = ft_streq(change, own) ? NULL : change, .requested_ms = s->at,
    };

    return ft_run_start(s->app->engine, s->playbook, json_object_get(s->plan, "params"), &run_opts, observer, observer_arg, ret, reterr);
}

/* 0, or an exit status after a sentence. */
static int check_age(const struct app *app, const json_t *plan, uint64_t at)
{
    uint64_t now = ft_clock_wall_ms(ft_loop_clock(app->loop)), age = now > at ? now - at : 0, limit = (uint64_t)ft_json_int(plan, "valid_ms", 0), most = 0;
    char is[32], may[32];

    if (o.max_age && (ft_duration_parse(o.max_age, &most) < 0 || !most))
        return app_fail(2, "--max-age: '%s' is no duration such as 30m or 4h", o.max_age);
    if (most && (!limit || most < limit))
        limit = most;
    if (!limit || age <= limit)
        return 0;
    return app_fail(1, "plan %.8s is %s old, and may be applied within %s: plan again", ft_plan_digest(plan), ft_duration_format(age, is, sizeof(is)),
                    ft_duration_format(limit, may, sizeof(may)));
}

/* Found before anything is sent rather than in the middle of the way: what the plan leaves open must be accepted by the one who applies it. */
static int check_determined(const json_t *plan)
{
    struct ft_buf titles = FT_BUF_INIT(2048);
    json_t *write;
    size_t i;
    int status = 0, open = 0;

    json_array_foreach(json_object_get(plan, "writes"), i, write) {
        if (!ft_streq(ft_json_str(write, "exactness"), "undetermined"))
            continue;
        if (++open <= 5)
            ft_buf_addf(&titles, "%s'%s'", open > 1 ? ", " : "", ft_json_str(write, "title"));
    }
    if (open && !o.accept_undetermined)
        status = app_fail(1, "plan %.8s leaves open what %d of its writes would send (%s%s), so nothing was started; `fettle apply %.8s --accept-undetermined` sends also those",
                          ft_plan_digest(plan), open, ft_buf_str(&titles), open > 5 ? " …" : "", ft_plan_digest(plan));
    ft_buf_done(&titles);
    return status;
}

static int apply(struct app *app, const json_t *plan, uint64_t at)
{
    struct session_opts session = { .yes = o.yes, .text = o.text, .wait = o.wait, .who = app_user() };
    struct start start = { .app = app, .plan = plan, .at = at };
    struct ft_playbook *playbook;
    struct ft_err err = { 0 };
    int status = check_age(app, plan, at);

    if (!status)
        status = check_determined(plan);
    if (status)
        return status;
    if (*ft_json_str(plan, "from"))
        return app_fail(2, "plan %.8s is what an approval was asked for, from step '%s' of a run on; it is not applied by itself", ft_plan_digest(plan), ft_json_str(plan, "from"));
    playbook = ft_plan_playbook(plan, app->store, &app->world, &err);
    if (!playbook)
        return app_fail(1, "%s", err.text);
    start.playbook = playbook;
    status = session_run(app, &session, start_run, &start);
    ft_playbook_unref(playbook);
    return status;
}

static int run(void)
{
    struct app app;
    struct ft_err err = { 0 };
    json_t *plan = NULL;
    uint64_t at = 0;
    int status = app_open(&app, APP_CONFIG | APP_ENGINE), r;

    if (status)
        return status;
    r = ft_plan_load(app.store, o.plan, &plan, &at, &err);
    status = r < 0 ? app_fail(r == -EBADMSG ? 1 : 2, "%s", err.text) : apply(&app, plan, at);
    json_decref(plan);
    app_close(&app);
    return status;
}

const struct ft_command cmd_apply = {
    "apply", "Do what a plan says: every write is the planned one on the planned state, or it is not sent", opts, run,
    "Before each write its request, the state it rests on and its undo are compared with the plan. Where they differ nothing is sent, the difference is\n"
    "shown and journalled, what was done is taken back, and the run has failed (1) or is rolled back (5). Other exit statuses are those of `fettle run`.\n"
    "A write that comes behind another one on the same object is compared with the state that this one leaves, as it was planned.\n",
    .too_many = "A plan has its parameters in it; for other ones make another: `fettle plan PLAYBOOK name=value …`",
};
