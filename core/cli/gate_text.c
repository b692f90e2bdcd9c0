#include "cli/gate_text.h"
#include <unistd.h>
#include "base/buf.h"
#include "base/text.h"
#include "base/util.h"
#include "cli/live.h"
#include "data/json.h"
#include "run/plan.h"

struct ft_approvals app_approvals(const struct app *app)
{
    return (struct ft_approvals){ .store = app->store, .config = ft_config_json(app->config) };
}

const char *app_where(void)
{
    static char where[160];
    char host[128] = "";

    gethostname(host, sizeof(host) - 1);
    snprintf(where, sizeof(where), "command line%s%s", *host ? " on " : "", host);
    return where;
}

char *gate_unreviewed(const struct app *app)
{
    struct ft_approvals approvals = app_approvals(app);
    json_t *all = NULL, *first;
    char *text = NULL, when[48];
    size_t n;

    if (ft_approval_reviews(&approvals, &all, NULL) < 0)
        return NULL;
    n = json_array_size(all);
    first = json_array_get(all, 0);
    if (n == 1)
        text = ft_asprintf("%s broke the glass in run %s (%s), and nobody has looked at it yet: fettle approvals --review", ft_json_str(json_object_get(first, "broken"), "by"),
                           ft_json_str(first, "run"), term_when((uint64_t)ft_json_int(first, "at", 0), false, when));
    else if (n)
        text = ft_asprintf("in %zu runs the glass was broken, and nobody has looked at them yet, the first: %s: fettle approvals --review", n,
                           term_when((uint64_t)ft_json_int(first, "at", 0), false, when));
    json_decref(all);
    return text;
}

void gate_nag(const struct app *app)
{
    char *text = globals.json ? NULL : gate_unreviewed(app);

    if (text)
        fprintf(stderr, "fettle: to be reviewed: %s\n", text);
    free(text);
}

static void add_left(struct ft_buf *buf, int64_t left)
{
    char text[32];

    if (left > 60000)
        left -= left % 60000;
    if (left > 0)
        ft_buf_addf(buf, ", %s left", ft_duration_format((uint64_t)left, text, sizeof(text)));
    else
        ft_buf_adds(buf, ", the time is over: `fettle resume` ends it");
}

char *gate_state_words(const json_t *view)
{
    struct ft_buf buf = FT_BUF_INIT(0);
    const char *state = ft_json_str(view, "state"), *decision = ft_json_str(view, "decision");

    if (!json_is_true(json_object_get(view, "people")))
        ft_buf_adds(&buf, "the person at the terminal (no people are configured)");
    else
        ft_buf_addf(&buf, "%s, %s so far", ft_json_str(view, "needs"), ft_json_str(view, "so_far"));
    if (ft_streq(state, "open") && decision && !ft_streq(decision, "waits"))
        ft_buf_addf(&buf, ": %s", decision);
    else if (ft_streq(state, "open"))
        add_left(&buf, ft_json_int(view, "left_ms", 0));
    else
        ft_buf_addf(&buf, ": %s", state);
    return ft_buf_take(&buf);
}

static void print_votes(FILE *to, const json_t *view)
{
    json_t *vote;
    size_t i;

    json_array_foreach(json_object_get(view, "votes"), i, vote) {
        const char *reason = ft_json_str(vote, "reason"), *from = ft_json_str(vote, "for");
        bool yes = ft_streq(ft_json_str(vote, "decision"), "approve");

        fprintf(to, "    %s %s by %s%s%s%s%s\n", yes ? "✓" : "✗", yes ? "approved" : "rejected", ft_json_str(vote, "by"), from ? " for " : "", from ? from : "",
                reason && *reason ? ": " : "", reason ? reason : "");
    }
}

static void print_names(FILE *to, const char *before, const json_t *names)
{
    json_t *name;
    size_t i;

    if (!json_array_size(names))
        return;
    fputs(before, to);
    json_array_foreach((json_t *)names, i, name)
        fprintf(to, "%s%s", i ? ", " : "", json_string_value(name));
    fputc('\n', to);
}

void gate_print(FILE *to, const json_t *view)
{
    char *words = gate_state_words(view);
    const json_t *plan = json_object_get(view, "plan"), *score = json_object_get(view, "score");
    const char *key;
    json_t *value;

    term_put(to, term_colour(to), TONE_BOLD, ft_json_str(view, "title") ? ft_json_str(view, "title") : ft_json_str(view, "path"));
    fprintf(to, " · run %s · %s", ft_json_str(view, "run"), ft_json_str(view, "playbook") ? ft_json_str(view, "playbook") : "");
    json_object_foreach(json_object_get(view, "params"), key, value) {
        char *brief = json_is_null(value) ? NULL : ft_json_brief(value, 40);

        if (brief && *brief)
            fprintf(to, " · %s %s", key, brief);
        free(brief);
    }
    fputs("\n    ", to);
    term_wrap(to, ft_json_str(view, "text") ? ft_json_str(view, "text") : "", 4, 4, term_width(to));
    fprintf(to, "\n    asked by %s · needs %s\n", ft_json_str(view, "requester") ? ft_json_str(view, "requester") : "somebody", words);
    if (ft_json_int(view, "left_ms", 1) > 0)
        print_names(to, "    may answer: ", json_object_get(view, "asked"));
    print_votes(to, view);
    if (ft_json_str(view, "action"))
        fprintf(to, "    %s\n", ft_json_str(view, "action"));
    if (plan)
        plan_print_write(to, term_colour(to), plan, 6);
    fprintf(to, "    %d write%s ahead at most (over all ways: exact %d · predicted %d · undetermined %d)\n", (int)ft_json_int(view, "writes", 0), ft_json_int(view, "writes", 0) == 1 ? "" : "s",
            (int)ft_json_int(score, "exact", 0), (int)ft_json_int(score, "predicted", 0), (int)ft_json_int(score, "undetermined", 0));
    fprintf(to, "    digest %.8s\n", ft_json_str(view, "digest"));
    free(words);
}

void gate_print_plan(FILE *to, const struct app *app, const json_t *view)
{
    const char *digest = ft_json_str(view, "digest");
    struct ft_err err = { 0 };
    json_t *plan = NULL;

    if (!digest || ft_plan_load(app->store, digest, &plan, NULL, &err) < 0)
        fprintf(to, "    the plan cannot be shown: %s\n", digest ? err.text : "it has no digest");
    else
        plan_print(to, term_colour(to), plan, true);
    json_decref(plan);
}

struct owner { const char *run, *status; char owner[64], state[16]; };

static void find_owner(void *arg, const struct ft_run_info *info)
{
    struct owner *o = arg;

    if (!ft_streq(info->id, o->run))
        return;
    snprintf(o->owner, sizeof(o->owner), "%.*s", info->owner ? (int)strcspn(info->owner, ":") : 0, info->owner ? info->owner : "");
    snprintf(o->state, sizeof(o->state), "%s", info->status);
}

void gate_print_next(const struct app *app, const char *run, const json_t *view)
{
    struct owner o = { .run = run };
    struct ft_err err = { 0 };
    char *words = gate_state_words(view);

    if (json_object_get(view, "broken"))
        printf("run %s: the glass is broken, in the name of %s; those who were passed over are told when the run goes on, and one of them reviews it\n", run,
               ft_json_str(json_object_get(view, "broken"), "by"));
    else
        printf("run %s: %s\n", run, words);
    free(words);
    if (ft_store_runs(app->store, NULL, 10000, find_owner, &o, &err) == 0 && ft_store_owner_alive(app->store, run))
        printf("process %s has the run in its hands, and goes on by itself\n", o.owner);
    else
        printf("nobody has it in hand at the moment: fettle resume %s goes on with it, or a fettle resume --watch does\n", run);
}
