/* fettle undo */
#include <errno.h>
#include <unistd.h>
#include "base/util.h"
#include "cli/live.h"
#include "cli/session.h"
#include "data/json.h"

static struct {
    const char *run, *step, *reason;
    bool dry_run, and_later, yes, text;
} o;

static const struct ft_opt opts[] = {
    { FT_OPT_ARG, 0, NULL, &o.run, "RUN", "the run, or the first digits of its id", "run" },
    { FT_OPT_FLAG, 'n', "dry-run", &o.dry_run, NULL, "only show what would be taken back, and how; also of a run that is not over", NULL },
    { FT_OPT_STR, 0, "step", &o.step, "PATH", "take back only this write", NULL },
    { FT_OPT_FLAG, 0, "and-later", &o.and_later, NULL, "with --step: and every write after it", NULL },
    { FT_OPT_STR, 0, "reason", &o.reason, "TEXT", "why, for the journal", NULL },
    { FT_OPT_FLAG, 'y', "yes", &o.yes, NULL, "do not ask", NULL },
    { FT_OPT_FLAG, 0, "text", &o.text, NULL, "text for people also where there is no terminal", NULL },
    { 0 },
};

/* ---- what would be done */

struct preview { struct app *app; json_t *plan; };

static void planned(void *arg, json_t *plan)
{
    struct preview *p = arg;

    p->plan = plan;
    ft_loop_stop(p->app->loop);
}

static const char *state_words(const json_t *write)
{
    const char *state = ft_json_str(write, "state");

    if (ft_streq(state, "as_written"))
        return "is as fettle wrote it";
    if (ft_streq(state, "back"))
        return "is as it was before already: nothing is sent";
    return ft_streq(state, "changed") ? "was changed since: you will be asked" : "cannot be compared with what fettle wrote";
}

static void print_undo(const json_t *write, bool colour)
{
    const char *unplanned = ft_json_str(write, "unplanned"), *no_undo = ft_json_str(write, "no_undo"), *action = ft_json_str(write, "action");
    bool own = ft_streq(ft_json_str(write, "kind"), "auto");

    printf("      undo: %s%s%s%s%s\n", action, own ? "'s own" : "", no_undo ? ", which cannot take this one back" : "", unplanned ? ", and its request is not known before: " : "",
           unplanned ? unplanned : "");
    plan_print_write(stdout, colour, json_object_get(write, "plan") ? json_object_get(write, "plan") : write, 6);
}

static void print_write(const json_t *write, size_t number, bool colour)
{
    const char *state = ft_json_str(write, "state"), *unseen = ft_json_str(write, "unseen"), *title = ft_json_str(write, "title");
    char *params = ft_json_brief(json_object_get(write, "params"), 60);

    printf("  %2zu  ", number);
    term_put(stdout, colour, TONE_BOLD, title ? title : ft_json_str(write, "path"));
    printf("  (%s, %s)  ", ft_json_str(write, "path"), ft_json_str(write, "write"));
    term_put(stdout, colour, TONE_DIM, params);
    printf("\n      %s%s%s\n", state_words(write), unseen ? ": " : "", unseen ? unseen : "");
    free(params);
    if (ft_streq(state, "back"))
        return;
    undo_print_differences(stdout, colour, json_object_get(write, "differences"), 6);
    print_undo(write, colour);
}

static void print_others(const json_t *list, const char *words)
{
    json_t *one;
    size_t i;

    json_array_foreach((json_t *)list, i, one) {
        const char *title = ft_json_str(one, "title");

        printf("   !  %s  (%s, %s)\n      %s\n", title ? title : ft_json_str(one, "path"), ft_json_str(one, "path"), ft_json_str(one, "action"), words);
    }
}

static void print_plan(const json_t *plan)
{
    const json_t *writes = json_object_get(plan, "writes");
    bool colour = term_colour(stdout);
    size_t n = json_array_size(writes), i;
    json_t *write;

    if (globals.json) {
        char *text = ft_json_text(plan);

        puts(text);
        free(text);
        return;
    }
    printf("%s · run %s · %zu write%s to take back, last first\n\n", ft_json_str(plan, "playbook"), ft_json_str(plan, "run"), n, n == 1 ? "" : "s");
    json_array_foreach(writes, i, write)
        print_write(write, i + 1, colour);
    print_others(json_object_get(plan, "without"), "is not taken back: it has no undo");
    print_others(json_object_get(plan, "in_doubt"), "is under way, or in doubt: it is found out first, and taken back too if it happened");
    if (json_is_true(json_object_get(plan, "taking_back")))
        printf("\n  it is being taken back: `fettle resume %s` goes on with it, `fettle answer %s` shows what it asks\n", ft_json_str(plan, "run"), ft_json_str(plan, "run"));
    else if (!json_is_true(json_object_get(plan, "over")))
        printf("\n  the run is not over: `fettle cancel %s --rollback` ends it and takes this back\n", ft_json_str(plan, "run"));
    putchar('\n');
    fflush(stdout);
}

static int status_of(int r)
{
    return r == -EBUSY || r == -EPERM ? 1 : r == -ENODATA ? 0 : 2;
}

static int preview(struct app *app, const char *id, const struct ft_undo_opts *undo)
{
    struct preview p = { .app = app };
    struct ft_undo_plan *plan = NULL;
    struct ft_err err = { 0 };
    int r = ft_run_undo_plan(app->engine, id, undo, planned, &p, &plan, &err);

    if (r == -ENODATA) {
        fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    if (r < 0)
        return app_fail(status_of(r), "%s", err.text);
    ft_loop_run(app->loop);
    ft_undo_plan_free(plan);
    if (!p.plan)
        return app_fail(1, "the run has nothing left to wait for");
    print_plan(p.plan);
    json_decref(p.plan);
    return 0;
}

static bool sure(void)
{
    char line[16];

    printf("take this back? [y/N] ");
    fflush(stdout);
    return fgets(line, sizeof(line), stdin) && (line[0] == 'y' || line[0] == 'Y');
}

/* ---- the doing */

struct start { struct app *app; const char *id; const struct ft_undo_opts *undo; };

static int start_undo(void *arg, const struct ft_run_observer *observer, void *observer_arg, struct ft_run **ret, struct ft_err *reterr)
{
    const struct start *s = arg;

    return ft_run_undo(s->app->engine, s->id, s->undo, observer, observer_arg, ret, reterr);
}

static int take_back(struct app *app, const char *id, const struct ft_undo_opts *undo)
{
    struct session_opts session = { .text = o.text, .who = undo->who };
    struct start start = { .app = app, .id = id, .undo = undo };
    int status;

    status = session_run(app, &session, start_undo, &start);
    return status == FT_RUN_ROLLED_BACK ? 0 : status;
}

static int undo_run(struct app *app, const char *id)
{
    struct ft_undo_opts undo = { .who = app_user(), .reason = o.reason, .step = o.step, .and_later = o.and_later, .as_it_is = o.dry_run };
    bool asks = !o.yes && !o.dry_run;
    int status;

    if (asks && !isatty(STDIN_FILENO))
        return app_fail(2, "nobody can be asked here: look at it with --dry-run, then say --yes");
    status = preview(app, id, &undo);
    if (status || o.dry_run)
        return status < 0 ? 0 : status;
    if (asks && !sure()) {
        printf("nothing was changed\n");
        return 0;
    }
    return take_back(app, id, &undo);
}

static int run(void)
{
    if (o.and_later && !o.step)
        return app_fail(2, "--and-later goes with --step PATH; without both, all writes of the run are taken back");
    return app_with_run(o.run, APP_CONFIG | APP_ENGINE, undo_run);
}

const struct ft_command cmd_undo = {
    "undo", "Take back what a run did that is over", opts, run,
    "Its writes are taken back in reverse order. Each is looked at first: where it is still what fettle wrote, the undo is sent; where it is\n"
    "as it was before, nothing is; where somebody changed it since, you see all three and say what becomes of it. The run takes its locks\n"
    "again, and what cannot be taken back parks it as an incident that keeps them: `fettle resume RUN` goes on.\n"
    "A write with `undo: none` is not taken back. What was taken back already is not taken back again. Exit status: 0 when it is taken back\n"
    "(or nothing was left to), 3 when it is parked. A run that is not over is ended by `fettle cancel RUN --rollback`.\n",
};
