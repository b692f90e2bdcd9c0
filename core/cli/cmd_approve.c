/* fettle approve, fettle reject */
#include <errno.h>
#include <unistd.h>
#include "base/util.h"
#include "cli/gate_text.h"
#include "data/json.h"

static struct {
    const char *run, *gate, *digest, *reason;
    bool withdraw, break_glass;
} o;

#define COMMON_OPTS \
    { FT_OPT_ARG, 0, NULL, &o.run, "RUN", "the run, or the first digits of its id", "run" }, \
    { FT_OPT_STR, 'g', "gate", &o.gate, "PATH", "which gate, where it waits at several (`fettle approvals` lists them)", NULL }, \
    { FT_OPT_STR, 'd', "digest", &o.digest, "DIGEST", "what was seen: at least 8 digits; then nothing is asked", NULL }

static const struct ft_opt approve_opts[] = {
    COMMON_OPTS,
    { FT_OPT_STR, 'm', "reason", &o.reason, "TEXT", "why; journalled with the answer", NULL },
    { FT_OPT_FLAG, 0, "withdraw", &o.withdraw, NULL, "take your answer back; whoever asked for the run: take back the request", NULL },
    { FT_OPT_FLAG, 0, "break-glass", &o.break_glass, NULL, "go on without the others, where a policy allows it: with a reason, and reviewed afterwards", NULL },
    { 0 },
};

static const struct ft_opt reject_opts[] = {
    COMMON_OPTS,
    { FT_OPT_STR, 'm', "reason", &o.reason, "TEXT", "why: whoever asked must know what to change", NULL },
    { 0 },
};

/* A line from the terminal, or NULL. */
static char *ask(const char *question, char *buf, size_t len)
{
    fputs(question, stdout);
    fflush(stdout);
    if (!fgets(buf, (int)len, stdin))
        return NULL;
    buf[strcspn(buf, "\r\n")] = '\0';
    return buf;
}

/* 0, or an exit status. Sets what stands for "seen". */
static int seen_by_person(const struct app *app, const json_t *view, const char *decision, char *reason, size_t len, const char **ret_digest)
{
    char line[16];

    if (o.digest) {
        *ret_digest = o.digest;
        return 0;
    }
    if (globals.json || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return app_fail(2, "say what you saw, so that this is what is decided: --digest %.8s (`fettle approvals` shows it)", ft_json_str(view, "digest"));
    gate_print_plan(stdout, app, view);
    gate_print(stdout, view);
    if (ft_streq(decision, "reject") && !o.reason) {
        if (!ask("    why not? ", reason, len) || !*reason)
            return app_fail(1, "nothing was answered: a rejection needs a reason");
        o.reason = reason;
    } else if (!ask(ft_streq(decision, "approve") ? "    approve? [y/N] " : "    sure? [y/N] ", line, sizeof(line)) || (*line != 'y' && *line != 'Y')) {
        printf("    nothing was answered\n");
        return 1;
    }
    *ret_digest = ft_json_str(view, "digest");
    return 0;
}

static int may_not(const char *id, const json_t *view)
{
    const char *why = ft_json_str(view, "why_not");

    if (!ft_streq(ft_json_str(view, "state"), "open"))
        return app_fail(1, "run %s: this was decided already (%s)", id, ft_json_str(view, "state"));
    return app_fail(1, "run %s: %s", id, why ? why : "you may not answer here");
}

static int answer(struct app *app, const char *id, const char *decision)
{
    struct ft_approvals approvals = app_approvals(app);
    struct ft_answer given = { .run = id, .path = o.gate, .who = app_user(), .where = app_where(), .decision = decision };
    struct ft_err err = { 0 };
    json_t *view = NULL, *after = NULL;
    char reason[1000] = "";
    int status;

    if (ft_approval_view(&approvals, id, o.gate, given.who, &view, &err) < 0)
        return app_fail(err.code == -EEXIST ? 2 : 1, "%s", err.text);
    if (ft_streq(decision, "withdraw") && ft_streq(ft_json_str(view, "requester"), given.who))
        given.decision = "cancel";
    if ((ft_streq(decision, "approve") || ft_streq(decision, "reject")) && !json_is_true(json_object_get(view, "may"))) {
        status = may_not(id, view);
        json_decref(view);
        return status;
    }
    status = seen_by_person(app, view, decision, reason, sizeof(reason), &given.digest);
    if (!status) {
        given.path = ft_json_str(view, "path");
        given.reason = o.reason;
        given.token = ft_json_str(view, "token");
        if (ft_approval_answer(&approvals, &given, &after, &err) < 0)
            status = app_fail(1, "%s", err.text);
        else if (globals.json)
            app_put_json(after);
        else
            gate_print_next(app, id, after);
    }
    json_decref(view);
    json_decref(after);
    return status;
}

static int run_with(const char *decision)
{
    struct app app;
    struct ft_err err = { 0 };
    char id[9];
    int status;

    if (o.withdraw && o.break_glass)
        return app_fail(2, "--withdraw and --break-glass are two different things");
    status = app_open(&app, APP_CONFIG | APP_STORE);
    if (status)
        return status;
    if (ft_store_find(app.store, o.run, id, &err) < 0)
        status = app_fail(2, "%s", err.text);
    else
        status = answer(&app, id, o.withdraw ? "withdraw" : o.break_glass ? "break_glass" : decision);
    app_close(&app);
    return status;
}

static int run_approve(void)
{
    return run_with("approve");
}

static int run_reject(void)
{
    return run_with("reject");
}

const struct ft_command cmd_approve = {
    "approve", "Approve what a run waits for, after seeing it", approve_opts, run_approve,
    "Shows what would be done and asks. From a script: --digest with what was seen before; another plan by then is refused.\n"
    "Nobody approves what they asked for themselves, and each person counts once. A run that waits in another terminal goes on by itself.\n",
};
const struct ft_command cmd_reject = {
    "reject", "Refuse what a run waits for, with a reason", reject_opts, run_reject,
    "One rejection decides: what was asked for is not done, also after a resume.\n",
};
