/* fettle answer: what a run asks a person, seen and answered from anywhere; approvals have their own commands */
#include <errno.h>
#include "base/text.h"
#include "base/util.h"
#include "cli/gate_text.h"
#include "cli/live.h"
#include "cli/session.h"
#include "data/json.h"

static struct {
    const char *run, *at, *reason;
    struct ft_rest words;
    bool text;
} o;

static const struct ft_opt opts[] = {
    { FT_OPT_ARG, 0, NULL, &o.run, "RUN", "the run, or the first digits of its id", "run" },
    { FT_OPT_REST, 0, NULL, &o.words, "ANSWER", "what you say to it; without it: what is asked, and what can be answered", "happened did-not-happen again overwrite leave by-hand" },
    { FT_OPT_STR, 0, "at", &o.at, "PATH", "which question, where it asks several", NULL },
    { FT_OPT_STR, 'm', "reason", &o.reason, "TEXT", "why; journalled with the answer", NULL },
    { FT_OPT_FLAG, 0, "text", &o.text, NULL, "text for people also where there is no terminal", NULL },
    { 0 },
};

/* ---- what is asked */

static void print_ways(const json_t *question, const char *id)
{
    const char *kind = ft_json_str(question, "kind"), *name;
    json_t *spec;

    if (ft_streq(kind, "doubt")) {
        printf("    fettle answer %s happened          it is there: it is verified, and the run goes on\n", id);
        printf("    fettle answer %s did-not-happen    it is not: it is sent again, unless the run is being ended\n", id);
    } else if (ft_streq(kind, "undo")) {
        if (json_object_get(question, "differences"))
            printf("    fettle answer %s overwrite   put back what was there before fettle\n", id);
        else if (json_is_true(json_object_get(question, "unseen")))
            printf("    fettle answer %s overwrite   send the undo without looking what is there now\n", id);
        printf("    fettle answer %s again       %s\n", id, json_object_get(question, "differences") ? "look again" : "try the undo again");
        printf("    fettle answer %s leave       leave it as it is now; the rest is taken back, and your name stands in the journal\n", id);
        printf("    fettle answer %s by-hand     it was taken back by hand\n", id);
    } else {
        printf("    fettle answer %s", id);
        json_object_foreach(json_object_get(question, "fields"), name, spec)
            printf(" %s=…", name);
        putchar('\n');
        json_object_foreach(json_object_get(question, "fields"), name, spec)
            printf("      %-12s %s\n", name, ft_json_str(spec, "help") ? ft_json_str(spec, "help") : "");
    }
}

static void print_question(const json_t *question, const char *id, bool several)
{
    const char *title = ft_json_str(question, "title"), *kind = ft_json_str(question, "kind"), *text = ft_json_str(question, "text"), *why = ft_json_str(question, "why");
    bool colour = term_colour(stdout), undo = ft_streq(kind, "undo");

    fputs("  ", stdout);
    term_put(stdout, colour, TONE_BOLD, undo ? "Not taken back: " : "");
    term_put(stdout, colour, TONE_BOLD, title ? title : ft_json_str(question, "path"));
    printf("  (%s)\n    ", ft_json_str(question, "path"));
    term_wrap(stdout, ft_streq(kind, "doubt") && why ? why : text ? text : "", 4, 4, term_width(stdout));
    putchar('\n');
    undo_print_differences(stdout, colour, json_object_get(question, "differences"), 4);
    if (ft_streq(kind, "doubt")) {
        plan_print_write(stdout, colour, json_object_get(question, "plan"), 4);
        if (ft_json_str(question, "seen"))
            printf("    seen last: %s\n", ft_json_str(question, "seen"));
        fputs("    Did it happen? Neither the action nor its verification can tell.\n", stdout);
    }
    print_ways(question, id);
    if (several)
        printf("    with --at %s\n", ft_json_str(question, "path"));
    putchar('\n');
}

static int show(const json_t *open, const char *id)
{
    json_t *question;
    size_t i;

    if (globals.json)
        app_put_json(open);
    else
        json_array_foreach((json_t *)open, i, question)
            print_question(question, id, json_array_size(open) > 1);
    return 0;
}

static const json_t *chosen(const json_t *open, const char *id)
{
    json_t *question;
    size_t i;

    if (!o.at && json_array_size(open) == 1)
        return json_array_get(open, 0);
    json_array_foreach((json_t *)open, i, question)
        if (ft_streq(ft_json_str(question, "path"), o.at))
            return question;
    if (o.at)
        app_fail(2, "run %s asks nothing at '%s'; `fettle answer %s` shows what it asks", id, o.at, id);
    else
        app_fail(2, "run %s asks several things: say which with --at PATH; `fettle answer %s` shows them", id, id);
    return NULL;
}

/* ---- the answer */

static json_t *answer_of(const json_t *question, const char *id)
{
    static const struct { const char *kind, *word, *member; bool value; } words[] = {
        { "doubt", "happened", "happened", true }, { "doubt", "did-not-happen", "happened", false }, { "undo", "again", "again", true },
        { "undo", "overwrite", "overwrite", true }, { "undo", "leave", "leave", true }, { "undo", "by-hand", "done", true },
    };
    const char *kind = ft_json_str(question, "kind"), *said = o.words.items[0];
    json_t *values = json_object();

    if (ft_streq(kind, "ask")) {
        if (app_given(&o.words, values) == 0)
            return json_pack("{s:o}", "values", values);
        json_decref(values);
        return NULL;
    }
    json_decref(values);
    for (size_t i = 0; o.words.count == 1 && i < ARRAY_LEN(words); i++)
        if (ft_streq(words[i].kind, kind) && ft_streq(words[i].word, said))
            return json_pack("{s:b}", words[i].member, words[i].value);
    app_fail(2, "'%s' is no answer to what is asked at '%s'; `fettle answer %s` shows what can be said", o.words.count == 1 ? said : "several words", ft_json_str(question, "path"), id);
    return NULL;
}

/* Whoever has the run in hand takes it; nobody has: it goes on here. */
static int go_on(struct app *app, const char *id)
{
    struct session_opts session = { .text = o.text, .who = app_user() };

    if (!ft_store_owner_alive(app->store, id))
        return session_resume(app, &session, id);
    if (!globals.json)
        printf("answered; the process that has run %s in hand goes on with it: `fettle follow %s` watches\n", id, id);
    return 0;
}

static int answer(struct app *app, const char *id, const json_t *open)
{
    const json_t *question = chosen(open, id);
    json_t *given = question ? answer_of(question, id) : NULL;
    struct ft_err err = { 0 };
    int r;

    if (!given)
        return 2;
    r = ft_question_answer(app->store, id, question, given, app_user(), app_where(), o.reason, &err);
    json_decref(given);
    return r < 0 ? app_fail(r == -EINVAL ? 2 : 1, "%s", err.text) : go_on(app, id);
}

static int nothing_asked(const json_t *events, const char *id)
{
    const json_t *last = json_array_get(events, json_array_size(events) - 1);
    const char *kind = ft_json_str(json_array_get(json_object_get(last, "waiting"), 0), "kind");

    if (ft_streq(kind, "approve"))
        return app_fail(1, "run %s waits for an approval: `fettle approve %s` shows it", id, id);
    return app_fail(1, "run %s asks nothing%s", id, ft_streq(ft_json_str(last, "type"), "run.finished") ? ": it is over" : "");
}

static int run(void)
{
    struct app app;
    json_t *events = NULL, *open = NULL;
    char id[9];
    int status = app_open(&app, APP_CONFIG | APP_ENGINE);

    if (status)
        return status;
    status = app_run_events(&app, o.run, id, &events);
    if (!status) {
        open = ft_questions_open(events);
        status = !json_array_size(open) ? nothing_asked(events, id) : o.words.count ? answer(&app, id, open) : show(open, id);
    }
    json_decref(open);
    json_decref(events);
    app_close(&app);
    return status;
}

const struct ft_command cmd_answer = {
    "answer", "Answer what a run asks a person: a write in doubt, an undo that is stuck, a form", opts, run,
    "Without an answer it shows what is asked and what can be said. A run that nobody has in hand goes on right here; one that waits in another\n"
    "terminal, or under `fettle resume --watch`, goes on there. Who answered, when, from where and why is journalled. An overwrite is of what you\n"
    "saw: where somebody has changed it once more since, you are asked again. The exit status is the run's, as `fettle run` says it.\n",
};
