/* fettle approvals: what waits for people, who acts for whom, what must be looked at afterwards */
#include "base/text.h"
#include "base/util.h"
#include "cli/gate_text.h"
#include "data/json.h"

static struct {
    struct ft_rest words;
    const char *until;
    bool mine;
} o;

static const struct ft_opt opts[] = {
    { FT_OPT_REST, 0, NULL, &o.words, "[delegate ROLE PERSON | end ROLE]", "instead of the list: let somebody else act in your role, or no more", "delegate end" },
    { FT_OPT_FLAG, 'm', "mine", &o.mine, NULL, "only what you may answer", NULL },
    { FT_OPT_STR, 'u', "until", &o.until, "TIME", "how long a delegation holds: 2d, 8h, or 2026-12-24T08:00:00Z", NULL },
    { 0 },
};

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
                printf("    fettle approve %s   ·   fettle reject %s --reason …\n", ft_json_str(view, "run"), ft_json_str(view, "run"));
            else if (ft_json_str(view, "why_not"))
                printf("    not by you: %s\n", ft_json_str(view, "why_not"));
        }
        shown++;
    }
    if (!shown && !globals.json)
        printf("nothing waits for %s approval\n", o.mine ? "your" : "an");
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

static int delegate(struct app *app)
{
    struct ft_approvals approvals = app_approvals(app);
    bool end = ft_streq(o.words.items[0], "end");
    struct ft_err err = { 0 };
    uint64_t until = 0;
    char when[32];
    int status;

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
        printf("%s acts for %s as %s until %s\n", o.words.items[2], app_user(), o.words.items[1], ft_time_format(until, when, sizeof(when)));
    return 0;
}

static int run(void)
{
    const char *word = o.words.count ? o.words.items[0] : "";
    struct app app;
    int status;

    if (*word && !ft_streq(word, "delegate") && !ft_streq(word, "end"))
        return app_fail(2, "'%s' is nothing that `fettle approvals` does; `fettle approvals --help` says what is", word);
    status = app_open(&app, APP_CONFIG | APP_STORE);
    if (status)
        return status;
    status = *word ? delegate(&app) : list(&app);
    app_close(&app);
    return status;
}

const struct ft_command cmd_approvals = {
    "approvals", "What waits for people: who may answer, what was answered, how long is left", opts, run,
    "A delegation is not passed on, and nobody has two voices: whoever acts for another and has the role, too, counts once.\n",
};
