#include "cli/session.h"
#include <signal.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/util.h"
#include "cli/gate_text.h"
#include "cli/live.h"
#include "data/json.h"

struct session {
    struct app *app;
    const struct session_opts *opts;
    struct live *live;                /* NULL: JSON lines */
    struct ft_run *run;
    struct ft_lines *input;
    struct ft_signal *signals[4];
    json_t *question;                 /* asked now */
    json_t *values;                   /* of a form under way */
    json_t *shown;                    /* gates that were shown: path → digest */
    const char *field;
    unsigned interrupts;
    struct ft_timer *awaiting;        /* people are asked, who answer elsewhere; keeps the loop going */
    int status;
    bool over;
};

static void ask_next(struct session *s);

static void stop_awaiting(struct session *s)
{
    ft_timer_stop(s->awaiting);
    s->awaiting = NULL;
}

static void put_json(const struct session *s, const json_t *event)
{
    json_t *line = json_copy((json_t *)event);
    char *text;

    if (s->run && !json_object_get(line, "run"))
        json_object_set_new(line, "run", json_string(ft_run_id(s->run)));
    text = ft_json_text(line);
    puts(text);
    fflush(stdout);
    free(text);
    json_decref(line);
}

/* What is asked here is asked no more. */
static void answered_elsewhere(struct session *s, const json_t *event)
{
    if (!s->question || !ft_streq(ft_json_str(s->question, "path"), ft_json_str(event, "path")))
        return;
    json_decref(s->question);
    s->question = NULL;
    if (s->live && s->input)
        putchar('\n');
}

static void on_event(void *arg, struct ft_run *run, const json_t *event)
{
    struct session *s = arg;

    s->run = run;
    if (ft_streq(ft_json_str(event, "type"), "gate.answered"))
        stop_awaiting(s);
    if (json_object_get(event, "row"))
        answered_elsewhere(s, event);
    if (ft_streq(ft_json_str(event, "type"), "gate.opened"))
        json_object_set(s->shown, ft_json_str(event, "path"), json_object_get(event, "digest"));
    if (s->live)
        live_event(s->live, event);
    else
        put_json(s, event);
}

static void on_progress(void *arg, struct ft_run *run, const char *path, const char *text)
{
    struct session *s = arg;

    (void)run;
    if (s->live)
        live_progress(s->live, path, text);
}

static void leave(struct session *s, int status)
{
    s->status = status;
    s->over = true;
    ft_loop_stop(s->app->loop);
}

static void on_ended(void *arg, struct ft_run *run, enum ft_run_end end)
{
    struct session *s = arg;

    if (s->live && end == FT_RUN_PARKED && ft_run_rolls_back(run))
        printf("\n  ⏸ parked in the middle of taking back: its locks are kept. `fettle resume %s` goes on with it.\n", ft_run_id(run));
    else if (s->live && end == FT_RUN_PARKED)
        printf("\n  ⏸ parked with a write in doubt. `fettle resume %s` finds out whether it happened.\n", ft_run_id(run));
    else if (s->live)
        printf("    evidence and the drawn way: fettle show %s --html > report.html\n", ft_run_id(run));
    leave(s, end);
}

/* ---- questions at the terminal */

static void stay_parked(struct session *s)
{
    const char *kind = ft_json_str(s->question, "kind"), *id = ft_run_id(s->run);

    if (s->live && ft_streq(kind, "undo"))
        printf("  ⏸ parked as an incident, with its locks. `fettle answer %s` shows what can be said to it, from anywhere.\n", id);
    else if (s->live && (ft_streq(kind, "doubt") || ft_streq(kind, "ask")))
        printf("  ⏸ parked. `fettle answer %s` answers it from anywhere; nothing is lost if this window closes.\n", id);
    else if (s->live)
        printf("  ⏸ parked. `fettle follow %s` comes back to it; nothing is lost if this window closes.\n", id);
    leave(s, FT_RUN_PARKED);
}

static void still_awaiting(void *arg)
{
    struct session *s = arg;

    s->awaiting = ft_timer_start(s->app->loop, 1000, still_awaiting, s);
}

/* Nobody can answer: the time has to come. */
static void await_time(struct session *s)
{
    char when[48];

    if (s->opts->wait) {
        stop_awaiting(s);
        still_awaiting(s);
        return;
    }
    if (s->live)
        printf("  ⏸ parked until %s. `fettle resume %s` goes on with it then; nothing is lost if this window closes.\n",
               ft_guard_time(s->app->guard, (uint64_t)ft_json_int(s->question, "until", 0), when, sizeof(when)), ft_run_id(s->run));
    leave(s, FT_RUN_PARKED);
}

/* A run that was resumed asked in an earlier life: who is asked, and until when, is said again. */
static void show_gates(struct session *s)
{
    struct ft_approvals approvals = app_approvals(s->app);
    json_t *questions = ft_run_questions(s->run), *q, *view;
    size_t i;

    json_array_foreach(questions, i, q) {
        const char *path = ft_json_str(q, "path");

        if (!ft_streq(ft_json_str(q, "kind"), "approve") || json_equal(json_object_get(s->shown, path), json_object_get(q, "digest")) ||
            ft_approval_view(&approvals, ft_run_id(s->run), path, NULL, &view, NULL) < 0)
            continue;
        json_object_set(s->shown, path, json_object_get(q, "digest"));
        json_object_set_new(view, "type", json_string("gate.waits"));
        if (s->live)
            live_gate(s->live, view);
        else
            put_json(s, view);
        json_decref(view);
    }
    json_decref(questions);
}

/* The run fetches their answers itself; here is only somebody who watches. */
static void await_people(struct session *s)
{
    show_gates(s);
    if (!s->opts->wait && !(s->live && isatty(STDOUT_FILENO))) {
        stay_parked(s);
        return;
    }
    if (s->live && !s->awaiting)
        printf("  ⏸ waiting for them. Ctrl-C leaves it parked; nothing is lost if this window closes.\n");
    fflush(stdout);
    stop_awaiting(s);
    still_awaiting(s);
}

static void answer(struct session *s, json_t *value, const char *where)
{
    struct ft_err err = { 0 };
    char *path = ft_strdup(ft_json_str(s->question, "path"));

    json_decref(s->question);
    s->question = NULL;
    if (ft_run_answer(s->run, path, value, s->opts->who, where, &err) < 0) {
        fprintf(stderr, "    %s\n", err.text);
        ask_next(s);
    }
    free(path);
    json_decref(value);
}

static const char *next_field(struct session *s)
{
    const json_t *fields = json_object_get(s->question, "fields");
    const char *name;
    json_t *spec;

    json_object_foreach((json_t *)fields, name, spec) {
        if (!json_object_get(s->values, name)) {
            const char *help = ft_json_str(spec, "help");

            printf("        %s%s%s%s: ", name, help ? " (" : "", help ? help : "", help ? ")" : "");
            fflush(stdout);
            return name;
        }
    }
    return NULL;
}

static void prompt(struct session *s)
{
    const char *kind = ft_json_str(s->question, "kind");

    if (s->live)
        live_clear(s->live);
    if (ft_streq(kind, "approve")) {
        printf("        approve? [y/N] ");
    } else if (ft_streq(kind, "doubt")) {
        plan_print_write(stdout, term_colour(stdout), json_object_get(s->question, "plan"), 8);
        if (ft_json_str(s->question, "seen"))
            printf("        seen last: %s\n", ft_json_str(s->question, "seen"));
        printf("        did it happen? [y/n, anything else leaves it parked] ");
    } else if (ft_streq(kind, "undo")) {
        undo_print_question(stdout, s->question, 8);
    } else {
        printf("        %s\n", ft_json_str(s->question, "text"));
        json_decref(s->values);
        s->values = json_object();
        s->field = next_field(s);
    }
    fflush(stdout);
}

static void on_line(void *arg, const char *text)
{
    struct session *s = arg;
    const char *kind;

    if (!s->question) {
        return;
    }
    if (!text) {
        stay_parked(s);
        return;
    }
    kind = ft_json_str(s->question, "kind");
    if (ft_streq(kind, "approve")) {
        bool yes = strchr("yY", text[0]) && text[0];

        answer(s, json_pack("{s:b, s:s}", "approved", yes, "reason", yes ? "" : "not approved at the terminal"), "terminal");
    } else if (ft_streq(kind, "doubt")) {
        if (*text && strchr("yYnN", *text))
            answer(s, json_pack("{s:b}", "happened", *text == 'y' || *text == 'Y'), "terminal");
        else
            stay_parked(s);
    } else if (ft_streq(kind, "undo")) {
        json_t *said = undo_answer_of(s->question, *text);

        if (said)
            answer(s, said, "terminal");
        else
            stay_parked(s);
    } else {
        json_object_set_new(s->values, s->field, json_string(text));
        s->field = next_field(s);
        if (!s->field)
            answer(s, json_pack("{s:O}", "values", s->values), "terminal");
    }
}

static void answer_yes(struct session *s)
{
    answer(s, json_pack("{s:b, s:s}", "approved", 1, "reason", "--yes on the command line"), "--yes");
}

/* Those at the terminal before those that people answer elsewhere. */
static json_t *pick_question(const struct session *s, bool *ret_elsewhere)
{
    json_t *questions = ft_run_questions(s->run), *q, *picked = NULL;
    size_t i;

    *ret_elsewhere = true;
    json_array_foreach(questions, i, q) {
        if (json_is_true(json_object_get(q, "stays")))
            continue;                 /* it goes on by itself, and soon */
        if (picked && ft_streq(ft_json_str(picked, "kind"), "wait")) {
            json_decref(picked);
            picked = NULL;
        }
        if (!picked)
            picked = json_incref(q);
        if (ft_streq(ft_json_str(q, "kind"), "wait"))
            continue;                 /* so does this, but later */
        if (ft_streq(ft_json_str(q, "kind"), "approve") && (json_is_true(json_object_get(q, "people")) || ft_config_has_people(s->app->config)))
            continue;
        json_decref(picked);
        picked = json_incref(q);
        *ret_elsewhere = false;
        break;
    }
    json_decref(questions);
    return picked;
}

static void ask_next(struct session *s)
{
    bool elsewhere;

    json_decref(s->question);
    s->question = pick_question(s, &elsewhere);
    if (!s->question)
        return;
    bool gate = ft_streq(ft_json_str(s->question, "kind"), "approve");

    if (ft_streq(ft_json_str(s->question, "kind"), "wait")) {
        await_time(s);
    } else if (elsewhere) {
        await_people(s);
    } else if (gate && s->opts->yes) {
        answer_yes(s);
    } else if (!s->live || !isatty(STDIN_FILENO)) {
        stay_parked(s);
    } else {
        if (!s->input)
            s->input = ft_lines_start(s->app->loop, STDIN_FILENO, on_line, s);
        prompt(s);
    }
}

static void on_parked(void *arg, struct ft_run *run)
{
    struct session *s = arg;

    s->run = run;
    ask_next(s);
}

/* ---- signals: SIGINT once asks to stop after the step, twice stops now; SIGUSR1: somebody asked for something in the store */

static void on_signal(void *arg, int signum)
{
    struct session *s = arg;
    bool now;

    if (s->run && s->awaiting && signum == SIGINT) {
        if (s->live)
            live_clear(s->live);
        stay_parked(s);
        return;
    }
    /* The terminal is gone. What is under way goes on, a rollback above all; what asks somebody stays parked. */
    if (signum == SIGHUP) {
        if (s->run && (s->awaiting || s->question))
            stay_parked(s);
        return;
    }
    if (s->run && signum == SIGUSR1) {            /* `fettle cancel`, by somebody elsewhere */
        ft_run_asked_to_end(s->run);
        return;
    }
    now = signum == SIGINT && s->interrupts++ > 0;
    if (!s->run) {
        leave(s, FT_RUN_CANCELLED);
        return;
    }
    if (s->live && signum == SIGINT && !now) {
        live_clear(s->live);
        fputs(ft_run_rolls_back(s->run) ? "    what was done is being taken back, and that goes on; Ctrl-C again stops it and parks the run\n"
                                        : "    stopping after this step; Ctrl-C again stops now\n", stderr);
    }
    ft_run_cancel(s->run, s->opts->who, now, false);
}

int session_run(struct app *app, const struct session_opts *opts,
                int (*start)(void *arg, const struct ft_run_observer *observer, void *observer_arg, struct ft_run **ret, struct ft_err *reterr), void *arg)
{
    static const struct ft_run_observer observer = { .event = on_event, .progress = on_progress, .parked = on_parked, .ended = on_ended };
    static const int signums[] = { SIGINT, SIGTERM, SIGUSR1, SIGHUP };
    bool people_watch = !globals.json && (opts->text || isatty(STDOUT_FILENO));
    struct session s = { .app = app, .opts = opts, .shown = json_object(), .live = people_watch ? live_new(stdout, isatty(STDOUT_FILENO)) : NULL, .status = FT_RUN_FAILED };
    struct ft_err err = { 0 };
    int r;

    r = start(arg, &observer, &s, &s.run, &err);
    if (r < 0) {
        live_free(s.live);
        json_decref(s.shown);
        return app_fail(r == -EINVAL || r == -ENOENT || r == -EALREADY ? 2 : 1, "%s", err.text);
    }
    for (size_t i = 0; i < ARRAY_LEN(signums); i++)
        s.signals[i] = ft_signal_start(app->loop, signums[i], on_signal, &s);
    ft_loop_run(app->loop);
    if (!s.over)
        s.status = app_fail(1, "the run has nothing left to wait for; `fettle resume %s` goes on with it", ft_run_id(s.run));
    for (size_t i = 0; i < ARRAY_LEN(signums); i++)
        ft_signal_stop(s.signals[i]);
    ft_lines_stop(s.input);
    stop_awaiting(&s);
    ft_run_free(s.run);
    json_decref(s.question);
    json_decref(s.values);
    json_decref(s.shown);
    live_free(s.live);
    return s.status;
}

struct resume { struct app *app; const char *id; };

static int start_resume(void *arg, const struct ft_run_observer *observer, void *observer_arg, struct ft_run **ret, struct ft_err *reterr)
{
    const struct resume *s = arg;

    return ft_run_resume(s->app->engine, s->id, app_user(), observer, observer_arg, ret, reterr);
}

int session_resume(struct app *app, const struct session_opts *opts, const char *id)
{
    struct resume resume = { .app = app, .id = id };

    return session_run(app, opts, start_resume, &resume);
}
