/* fettle approvals: what waits for people, who acts for whom, what must be looked at afterwards */
#include <errno.h>
#include "base/text.h"
#include "base/util.h"
#include "cli/gate_text.h"
#include "data/json.h"

static struct {
    struct ft_rest words;
    const char *until, *note;
    bool mine, review;
} o;

static const struct ft_opt opts[] = {
    { FT_OPT_REST, 0, NULL, &o.words, "[delegate ROLE PERSON | end ROLE | review RUN]",
      "instead of the list: let somebody else act in your role, or no more; say what you found where a glass was broken", "delegate end review" },
    { FT_OPT_FLAG, 'm', "mine", &o.mine, NULL, "only what you may answer", NULL },
    { FT_OPT_FLAG, 'r', "review", &o.review, NULL, "runs in which somebody went on without approval, and nobody has looked at it yet", NULL },
    { FT_OPT_STR, 0, "note", &o.note, "TEXT", "what a review found", NULL },
    { FT_OPT_STR, 'u', "until", &o.until, "TIME", "how long a delegation holds: 2d, 8h, or 2026-12-24T08:00:00Z", NULL },
    { 0 },
};

/* A run that waits at several is answered at one of them: " --gate both/left". */
static void print_how(const json_t *all, const json_t *view)
{
    const char *run = ft_json_str(view, "run"), *path = ft_json_str(view, "path");
    size_t same = 0;

    for (size_t i = 0; i < json_array_size(all); i++)
        same += ft_streq(ft_json_str(json_array_get(all, i), "run"), run);
    printf("    fettle approve %s%s%s   ·   fettle reject %s%s%s --reason …\n", run, same > 1 ? " --gate " : "", same > 1 ? path : "", run, same > 1 ? " --gate " : "", same > 1 ? path : "");
}

static int list(struct app *app)
{
    struct ft_approvals approvals = app_approvals(app);
    struct ft_err err = { 0 };
    json_t *all = NULL, *view;
    size_t i, shown = 0;

    if (ft_approval_list(&approvals, app_user(), &all, &err) < 0)
        return app_fail(1, "%s", err.text);
    json_array_foreach(all, i, view) {
        if (o.mine && !json_is_true(json_object_get(view, "may")))
            continue;
        if (globals.json) {
            app_put_json(view);
        } else {
            fputs(shown ? "\n" : "", stdout);
            gate_print(stdout, view);
            if (json_is_true(json_object_get(view, "may")))
                print_how(all, view);
            else if (ft_json_str(view, "why_not"))
                printf("    not by you: %s\n", ft_json_str(view, "why_not"));
        }
        shown++;
    }
    if (!shown && !globals.json)
        printf("nothing waits for %s approval\n", o.mine ? "your" : "an");
    gate_nag(app);
    json_decref(all);
    return 0;
}

/* "2d" from now, or a point in time. */
static int until_of(const char *text, uint64_t *ret)
{
    uint64_t ms;

    if (!text)
        return app_fail(2, "say how long it holds: --until 2d, or --until 2026-12-24T08:00:00Z");
    if (ft_duration_parse(text, &ms) == 0)
        *ret = ft_clock_wall_ms(ft_clock_system()) + ms;
    else if (ft_time_parse(text, ret) < 0)
        return app_fail(2, "'%s' is neither a duration such as 2d nor a time such as 2026-12-24T08:00:00Z", text);
    return 0;
}

static int list_delegations(struct app *app)
{
    struct ft_approvals approvals = app_approvals(app);
    struct ft_err err = { 0 };
    json_t *all = NULL, *one;
    size_t i;

    if (ft_approval_delegations(&approvals, &all, &err) < 0)
        return app_fail(1, "%s", err.text);
    json_array_foreach(all, i, one) {
        if (globals.json)
            app_put_json(one);
        else
            printf("%s acts for %s as %s\n", ft_json_str(one, "person"), ft_json_str(one, "from"), ft_json_str(one, "role"));
    }
    if (!json_array_size(all) && !globals.json)
        printf("nobody acts for anybody\n");
    json_decref(all);
    return 0;
}

static int delegate(struct app *app)
{
    struct ft_approvals approvals = app_approvals(app);
    bool end = ft_streq(o.words.items[0], "end");
    struct ft_err err = { 0 };
    uint64_t until = 0;
    char when[48];
    int status;

    if (!end && o.words.count == 1)
        return list_delegations(app);
    if (o.words.count != (end ? 2 : 3))
        return app_fail(2, end ? "which role? `fettle approvals end ROLE`" : "which role, and who? `fettle approvals delegate ROLE PERSON --until 2d`");
    status = end ? 0 : until_of(o.until, &until);
    if (status)
        return status;
    if (ft_approval_delegate(&approvals, app_user(), o.words.items[1], end ? "" : o.words.items[2], until, app_where(), &err) < 0)
        return app_fail(1, "%s", err.text);
    if (end)
        printf("nobody acts for %s as %s any more\n", app_user(), o.words.items[1]);
    else
        printf("%s acts for %s as %s until %s\n", o.words.items[2], app_user(), o.words.items[1], term_when(until, false, when));
    return 0;
}

static int list_reviews(struct app *app)
{
    struct ft_approvals approvals = app_approvals(app);
    struct ft_err err = { 0 };
    json_t *all = NULL, *one;
    char when[48];
    size_t i;

    if (ft_approval_reviews(&approvals, &all, &err) < 0)
        return app_fail(1, "%s", err.text);
    json_array_foreach(all, i, one) {
        const json_t *broken = json_object_get(one, "broken");

        if (globals.json)
            app_put_json(one);
        else
            printf("%s  %s  %s broke the glass at '%s': %s\n    fettle show %s   ·   fettle approvals review %s --note …\n", ft_json_str(one, "run"),
                   term_when((uint64_t)ft_json_int(one, "at", 0), false, when), ft_json_str(broken, "by"), ft_json_str(broken, "path"), ft_json_str(broken, "reason"),
                   ft_json_str(one, "run"), ft_json_str(one, "run"));
    }
    if (!json_array_size(all) && !globals.json)
        printf("nothing waits for a review\n");
    json_decref(all);
    return 0;
}

static int review(struct app *app)
{
    struct ft_approvals approvals = app_approvals(app);
    struct ft_err err = { 0 };
    char id[9];

    if (o.words.count != 2)
        return app_fail(2, "which run? `fettle approvals review RUN --note …`; `fettle approvals --review` lists them");
    if (ft_store_find(app->store, o.words.items[1], id, &err) < 0)
        return app_fail(2, "%s", err.text);
    if (ft_approval_review(&approvals, id, app_user(), app_where(), o.note, &err) < 0)
        return app_fail(err.code == -EINVAL ? 2 : 1, "%s", err.text);
    printf("run %s is reviewed\n", id);
    return 0;
}

static int run(void)
{
    const char *word = o.words.count ? o.words.items[0] : "";
    struct app app;
    int status;

    if (*word && !ft_streq(word, "delegate") && !ft_streq(word, "end") && !ft_streq(word, "review"))
        return app_fail(2, "'%s' is nothing that `fettle approvals` does; `fettle approvals --help` says what is", word);
    status = app_open(&app, APP_CONFIG | APP_STORE);
    if (status)
        return status;
    status = ft_streq(word, "review") ? review(&app) : *word ? delegate(&app) : o.review ? list_reviews(&app) : list(&app);
    app_close(&app);
    return status;
}

const struct ft_command cmd_approvals = {
    "approvals", "What waits for people: who may answer, what was answered, how long is left", opts, run,
    "`delegate` alone lists who acts for whom. A delegation is not passed on, and nobody has two voices: whoever acts for another and has the role, too, counts once.\n",
};
