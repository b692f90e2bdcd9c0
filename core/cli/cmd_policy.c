/* fettle policy: the rails as they were read; fettle policy test: what they would ask of a run. Nothing is called that writes, or reads: what a write's
 * parameters say is known as far as they follow from the playbook's own, and what is not known is said. */
#include "base/buf.h"
#include "base/text.h"
#include "base/util.h"
#include "cli/app.h"
#include "data/json.h"
#include "run/targets.h"

static struct {
    const char *word, *playbook, *at, *site, *change, *requested;
    struct ft_rest given;
} o;

static const struct ft_opt opts[] = {
    { FT_OPT_OPTIONAL_ARG, 0, NULL, &o.word, "test", "say what a run would need, instead of the rules themselves", "test" },
    { FT_OPT_OPTIONAL_ARG, 0, NULL, &o.playbook, "PLAYBOOK", "a file, or the name of a playbook", "playbook" },
    { FT_OPT_REST, 0, NULL, &o.given, "name=value …", "the playbook's parameters, as far as they matter", NULL },
    { FT_OPT_STR, 0, "at", &o.at, "TIME", "as of that time: \"2026-12-20 10:00\" (local), or 2026-12-20T09:00:00Z; default now", NULL },
    { FT_OPT_STR, 0, "site", &o.site, "SITE", "for writes whose site is not known from the parameters", NULL },
    { FT_OPT_STR, 0, "change", &o.change, "CATEGORY", "the category of the change: normal, emergency …", NULL },
    { FT_OPT_STR, 0, "requested", &o.requested, "TIME", "when the change was asked for, for lead times; default TIME", NULL },
    { 0 },
};

static void put_line(json_t *line)
{
    char *text = ft_json_text(line);

    puts(text);
    free(text);
    json_decref(line);
}

/* A local time of the configuration's zone, or one with its own. */
static int read_time(const struct app *app, const char *text, uint64_t *ret)
{
    const struct ft_zone *zone = ft_guard_zone(app->guard);
    int64_t local, first, last;

    if (!text || ft_time_parse(text, ret) == 0)
        return 0;
    if (ft_local_parse(text, &local, NULL) < 0)
        return app_fail(2, "'%s' is no time: write \"2026-12-20 10:00\" or 2026-12-20T09:00:00Z", text);
    ft_zone_utc(zone, local, &first, &last);
    *ret = (uint64_t)first * 1000;
    return 0;
}

/* ---- the rules */

static const char *when(const struct app *app, const json_t *one, const char *key, char buf[48])
{
    return ft_guard_time(app->guard, (uint64_t)ft_json_int(one, key, 0), buf, 48);
}

static void say_about(const json_t *one)
{
    if (ft_json_str(one, "about"))
        printf("%16s  %s\n", "", ft_json_str(one, "about"));
}

static void say_times(const struct app *app, const json_t *list, const char *title, const char *from, const char *to, uint64_t now)
{
    char a[48], b[48];
    json_t *one;
    size_t i;

    if (json_array_size(list))
        printf("%s\n", title);
    json_array_foreach((json_t *)list, i, one) {
        bool open = (uint64_t)ft_json_int(one, from, 0) <= now;

        if (!json_object_get(one, from))
            printf("  %-14s  never again\n", ft_json_str(one, "name"));
        else
            printf("  %-14s  %s %s, until %s\n", ft_json_str(one, "name"), open ? "now: since" : "next:", when(app, one, from, a), when(app, one, to, b));
        if (json_array_size(json_object_get(one, "except"))) {
            char *except = ft_json_brief(json_object_get(one, "except"), 60);

            printf("%16s  not for changes of category %s\n", "", except);
            free(except);
        }
        say_about(one);
    }
}

static void say_rules(const struct app *app, const json_t *rules, uint64_t now)
{
    json_t *one;
    size_t i;

    printf("times are those of %s\n", ft_json_str(rules, "timezone"));
    say_times(app, json_object_get(rules, "windows"), "\nwindows", "opens", "closes", now);
    say_times(app, json_object_get(rules, "freezes"), "\nfreezes", "from", "to", now);
    if (json_array_size(json_object_get(rules, "changes")))
        printf("\ncategories of changes\n");
    json_array_foreach(json_object_get(rules, "changes"), i, one)
        printf("  %-14s  %s%s%s%s\n", ft_json_str(one, "name"), ft_json_str(one, "risk") ? "risk " : "", ft_json_str(one, "risk") ? ft_json_str(one, "risk") : "",
               json_is_true(json_object_get(one, "default")) ? "  (default)" : "", json_is_true(json_object_get(one, "overrides")) ? "  (a run may choose it)" : "");
    printf("\npolicies%s\n", json_array_size(json_object_get(rules, "policies")) ? "" : ": none, every write may start at any time");
    json_array_foreach(json_object_get(rules, "policies"), i, one) {
        printf("  %s\n      %s: %s\n", ft_json_str(one, "name"), ft_json_str(one, "of"), ft_json_str(one, "says"));
        if (ft_json_str(one, "about"))
            printf("      %s\n", ft_json_str(one, "about"));
    }
}

static int show_rules(struct app *app, uint64_t now)
{
    struct ft_err err = { 0 };
    json_t *rules = ft_guard_rules(app->guard, now, &err);

    if (!rules)
        return app_fail(2, "%s", err.text);
    if (globals.json)
        put_line(json_incref(rules));
    else
        say_rules(app, rules, now);
    json_decref(rules);
    return 0;
}

/* ---- what a run would need */

struct asking {
    struct app *app;
    const struct ft_playbook *playbook;     /* the one that is run: policies speak of it, whatever it calls */
    const char *change;
    uint64_t at, requested;
    const json_t *env;
    const char *prefix;
    unsigned writes, stopped;
    uint64_t together_ms, opens, closes;    /* how long all may take with their undo; the time that they share */
};

/* With what the playbook's parameters and variables say; what is not known is left out. */
static json_t *known_params(const struct asking *a, const struct ft_call_spec *call, const struct ft_playbook *playbook, bool there)
{
    struct ft_eval_result r = { 0 };
    struct ft_err err;
    json_t *known = json_object(), *value;
    const char *key;

    if (there && playbook == a->playbook && ft_tmpl_eval(call->with, a->env, &r, &err) != FT_EVAL_ERROR)
        json_object_foreach(r.value, key, value)
            if (!ft_has_unknown(value))
                json_object_set(known, key, value);
    ft_eval_result_done(&r);
    return known;
}

static const char *effect_of(const struct ft_call_spec *call)
{
    return (call->effects & FT_EFFECT_MASK) == FT_EFFECT_DISRUPTIVE ? "disruptive" : "write";
}

static const char *group_words(const char *group)
{
    return ft_streq(group, "site/") ? "all whose site is not known" : ft_streq(group, "target/") ? "all whose target is not known" : group;
}

static void say_budgets(const struct app *app, const json_t *state)
{
    char in[32], at[48];
    json_t *b;
    size_t i;

    json_array_foreach(json_object_get(state, "budgets"), i, b) {
        int64_t used = ft_json_int(b, "used", 0), most = ft_json_int(b, "at_most", 0);

        ft_duration_format((uint64_t)ft_json_int(b, "in_ms", 0), in, sizeof(in));
        if (json_is_true(json_object_get(b, "runs")))
            printf("      tried before   %lld of %lld in %s: %s (policy '%s')\n", (long long)used, (long long)most, in, ft_json_str(b, "group"), ft_json_str(b, "policy"));
        else
            printf("      budget         %lld of %lld left in %s%s%s (policy '%s')\n", (long long)(used < most ? most - used : 0), (long long)most, in, *ft_json_str(b, "group") ? " for " : "",
                   group_words(ft_json_str(b, "group")), ft_json_str(b, "policy"));
        if (ft_json_int(b, "room", 0))
            printf("                     room from %s on\n", when(app, b, "room", at));
    }
}

/* Whether any rule or freeze speaks of sites. */
static bool sites_matter(const struct app *app)
{
    const struct ft_rails *rails = ft_config_rails(app->config);

    for (size_t i = 0; i < rails->rail_count; i++)
        if (rails->rails[i].match.sites.count)
            return true;
    for (size_t i = 0; i < rails->freeze_count; i++)
        if (rails->freezes[i].sites.count)
            return true;
    return false;
}

static void say_answer(const struct asking *a, const struct ft_step *step, const char *path, const char *site, const struct ft_guard_answer *answer)
{
    static const char *const verdicts[] = { "may start", "needs approval", "waits", "is refused" }, *const marks[] = { "✓", "!", "⏸", "✗" };
    char at[48], until[48];
    json_t *one;
    size_t i;

    printf("  %s %s: %s%s%s%s\n", marks[answer->verdict], path, step->call.name, strcmp(effect_of(&step->call), "disruptive") == 0 ? " (disruptive)" : "", site ? " at " : "", site ? site : "");
    if (*answer->text)
        printf("      %-14s %s\n", verdicts[answer->verdict], answer->text);
    else
        printf("      %s\n", verdicts[answer->verdict]);
    if (!site && sites_matter(a->app))
        printf("      site           not known from the parameters: rules for a site may hold it, too; say --site\n");
    if (json_object_get(answer->state, "opens"))
        printf("      time for it    from %s%s%s\n", when(a->app, answer->state, "opens", at), json_object_get(answer->state, "closes") ? ", until " : "",
               json_object_get(answer->state, "closes") ? when(a->app, answer->state, "closes", until) : "");
    json_array_foreach(json_object_get(answer->approval, "all"), i, one)
        printf("      approval       by %s (%lld)%s (policy '%s')\n", ft_json_str(one, "role"), (long long)ft_json_int(one, "count", 1),
               json_is_true(json_object_get(one, "break_glass")) ? ", or break glass" : "", ft_json_str(one, "policy"));
    say_budgets(a->app, answer->state);
    json_array_foreach(answer->rules, i, one)
        printf("      %-14s %s: %s\n", i ? "" : "rules", ft_json_str(one, "policy"), ft_json_str(one, "says"));
}

static void add_up(struct asking *a, const struct ft_write_facts *facts, const json_t *state)
{
    uint64_t opens = (uint64_t)ft_json_int(state, "opens", 0), closes = (uint64_t)ft_json_int(state, "closes", 0);

    a->together_ms += facts->need_ms;
    a->opens = ft_max(a->opens, ft_max(opens, a->at));
    if (closes)
        a->closes = a->closes ? ft_min(a->closes, closes) : closes;
}

/* Each is checked when its turn comes; that all of them may not fit is better known before. */
static void say_together(const struct asking *a)
{
    char need[32], open[32], at[48];

    if (a->writes < 2 || !a->closes || a->opens + a->together_ms <= a->closes)
        return;
    if (globals.json) {
        put_line(json_pack("{s:i, s:I, s:I}", "writes", (int)a->writes, "together_ms", (json_int_t)a->together_ms, "closes", (json_int_t)a->closes));
        return;
    }
    printf("  ! all %u writes may take up to %s with their verification and undo, and there %s %s until %s:\n    what does not fit any more when its turn comes is not begun, and what was"
           " done is taken back\n", a->writes, ft_duration_format(a->together_ms, need, sizeof(need)), a->closes > a->opens ? "are" : "is no time, not",
           ft_duration_format(a->closes > a->opens ? a->closes - a->opens : 0, open, sizeof(open)), ft_guard_time(a->app->guard, a->closes, at, sizeof(at)));
}

static int ask_write(struct asking *a, const struct ft_step *step, const struct ft_playbook *playbook, const char *path)
{
    static const char *const verdicts[] = { "go", "approve", "wait", "stop" };
    json_t *params = known_params(a, &step->call, playbook, true), *targets = ft_targets(params);
    const char *site = ft_target_site(params) ? ft_target_site(params) : o.site;
    struct ft_write_facts facts = {
        .run_id = "", .path = path, .requester = app_user(), .playbook = ft_playbook_name(a->playbook), .category = ft_playbook_category(a->playbook),
        .severity = ft_playbook_severity(a->playbook), .change = a->change, .action = step->call.name, .effect = effect_of(&step->call), .site = site, .targets = targets,
        .params = params, .need_ms = ft_run_write_ms(step), .attempt = 1, .requested_ms = a->requested,
    };
    json_t *back = known_params(a, &step->undo_call, playbook, step->undo == FT_UNDO_CALL), *back_targets = ft_targets(back);
    struct ft_write_facts undo = facts;
    struct ft_guard_answer answer;
    struct ft_err err = { 0 };
    int status = 0;

    if (step->undo == FT_UNDO_CALL && !ft_streq(step->undo_call.name, step->call.name)) {
        undo.action = step->undo_call.name;
        undo.effect = effect_of(&step->undo_call);
        undo.site = ft_target_site(back) ? ft_target_site(back) : site;
        undo.targets = json_array_size(back_targets) ? back_targets : targets;
        facts.undo = &undo;
    }
    a->writes++;
    if (ft_guard_preview(a->app->guard, &facts, a->at, &answer, &err) < 0) {
        status = app_fail(2, "%s", err.text);
    } else if (globals.json) {
        put_line(json_pack("{s:s, s:s, s:s, s:s?, s:s, s:s, s:O?, s:O?, s:O?}", "path", path, "action", step->call.name, "effect", facts.effect, "site", site, "verdict",
                           verdicts[answer.verdict], "text", answer.text, "approval", answer.approval, "rules", answer.rules, "state", answer.state));
    } else {
        say_answer(a, step, path, site, &answer);
    }
    if (!status) {
        a->stopped += answer.verdict == FT_GUARD_STOP;
        add_up(a, &facts, answer.state);
        ft_guard_answer_done(&answer);
    }
    json_decref(back_targets);
    json_decref(back);
    json_decref(targets);
    json_decref(params);
    return status;
}

/* What the playbook says that it only reads, and a rule never allows: the run would not start. */
static void ask_read(struct asking *a, const struct ft_call_spec *call, const char *path)
{
    const struct ft_write_facts facts = { .path = path, .playbook = ft_playbook_name(a->playbook), .category = ft_playbook_category(a->playbook),
                                          .severity = ft_playbook_severity(a->playbook), .change = a->change, .action = call->name };
    struct ft_err err = { 0 };

    if (!ft_run_declared_read(call) || ft_guard_declared_read(a->app->guard, &facts, &err) == 0)
        return;
    a->stopped++;
    if (globals.json)
        put_line(json_pack("{s:s, s:s, s:s, s:s, s:s}", "path", path, "action", call->name, "effect", "read", "verdict", "stop", "text", err.text));
    else
        printf("  ✗ %s: %s\n      is refused     %s\n", path, call->name, err.text);
}

static int ask_list(struct asking *a, const struct ft_list_of_steps *list, const struct ft_playbook *playbook, const char *prefix)
{
    int status = 0;

    for (size_t i = 0; i < list->count && !status; i++) {
        const struct ft_step *step = &list->steps[i];
        char *path = ft_asprintf("%s%s", prefix, step->id), *inner = ft_asprintf("%s/", path);

        if (step->verb == FT_VERB_RUN)
            ask_read(a, &step->call, path);
        if (step->verify)
            ask_read(a, &step->verify->call, path);
        if (step->verb == FT_VERB_RUN && (step->call.effects & FT_EFFECT_MASK) != FT_EFFECT_READ)
            status = ask_write(a, step, playbook, path);
        else if (step->verb == FT_VERB_CALL && step->callee)
            status = ask_list(a, ft_playbook_steps(step->callee), step->callee, inner);
        else
            status = ask_list(a, &step->inner, playbook, inner);
        free(path);
        free(inner);
    }
    return status;
}

/* Parameters that are given and pass, the others unknown. */
static int read_params(const struct ft_playbook *playbook, json_t *env)
{
    const struct ft_param *params;
    json_t *given = json_object(), *bound = NULL, *value;
    struct ft_err err = { 0 };
    const char *key;
    size_t count;
    int status = 0;

    params = ft_playbook_params(playbook, &count);
    for (size_t i = 0; i < o.given.count && !status; i++) {
        char *eq = strchr(o.given.items[i], '='), *name = eq ? ft_strndup(o.given.items[i], (size_t)(eq - o.given.items[i])) : NULL;

        if (!eq)
            status = app_fail(2, "'%s' is no parameter: write name=value", o.given.items[i]);
        else
            json_object_set_new(given, name, json_string(eq + 1));
        free(name);
    }
    if (!status && ft_playbook_bind(playbook, given, &bound, &err) < 0) {
        for (size_t i = 0; i < count; i++)             /* is it only that some are left out? */
            if (params[i].required && !json_object_get(given, params[i].name))
                json_object_set_new(env, params[i].name, ft_unknown("it is not given"));
        json_object_foreach(given, key, value) {
            bool known = false;

            for (size_t i = 0; i < count; i++)
                known = known || ft_streq(params[i].name, key);
            if (!known && !status)
                status = app_fail(2, "%s", err.text);
            json_object_set(env, key, value);
        }
    }
    for (size_t i = 0; i < count && !status; i++)
        if (!json_object_get(env, params[i].name))
            json_object_set_new(env, params[i].name, bound && json_object_get(bound, params[i].name) ? json_incref(json_object_get(bound, params[i].name)) : ft_unknown("it is not given"));
    json_decref(given);
    json_decref(bound);
    return status;
}

/* Every name that a step gives is unknown: no step runs. */
static void names_unknown(const struct ft_list_of_steps *list, json_t *env)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct ft_step *step = &list->steps[i];

        json_object_set_new(env, step->id, ft_unknown("no step runs"));
        for (size_t j = 0; j < step->set_count; j++)
            json_object_set_new(env, step->sets[j].name, ft_unknown("no step runs"));
        if (step->as)
            json_object_set_new(env, step->as, ft_unknown("no step runs"));
        names_unknown(&step->inner, env);
    }
}

static int test(struct app *app, uint64_t at, uint64_t requested)
{
    struct ft_playbook *playbook = o.playbook ? app_load_playbook(app, o.playbook) : NULL;
    struct asking a = { .app = app, .playbook = playbook, .at = at, .requested = requested };
    struct ft_err err = { 0 };
    json_t *env;
    char text[48];
    int status;

    if (!playbook)
        return o.playbook ? 2 : app_fail(2, "which playbook? `fettle policy test PLAYBOOK`");
    env = json_copy((json_t *)ft_playbook_vars(playbook));
    json_object_set_new(env, "run", ft_unknown("no run"));
    json_object_set_new(env, "event", ft_unknown("no run"));
    json_object_set_new(env, "error", json_null());
    names_unknown(ft_playbook_steps(playbook), env);
    a.env = env;
    status = read_params(playbook, env);
    if (!status && ft_guard_change(app->guard, ft_playbook_change(playbook), o.change, ft_playbook_category(playbook), &a.change, &err) < 0)
        status = app_fail(2, "%s", err.text);
    if (!status && !globals.json)
        printf("%s · as of %s%s%s\n", ft_playbook_name(playbook), ft_guard_time(app->guard, at, text, sizeof(text)), a.change ? " · change: " : "", a.change ? a.change : "");
    if (!status)
        status = ask_list(&a, ft_playbook_steps(playbook), playbook, "");
    if (!status)
        say_together(&a);
    if (!status && !a.writes && !globals.json)
        printf("  it writes nothing\n");
    json_decref(env);
    ft_playbook_unref(playbook);
    return status ? status : a.stopped ? 1 : 0;
}

static int run(void)
{
    struct app app;
    uint64_t at = ft_clock_wall_ms(ft_clock_system()), requested;
    int status;

    if (o.word && strcmp(o.word, "test") != 0)
        return app_fail(2, "`fettle policy` shows the rules, `fettle policy test PLAYBOOK` what a run would need; '%s' is neither", o.word);
    status = app_open(&app, APP_CONFIG | APP_WORLD | APP_STORE);
    if (status)
        return status;
    status = read_time(&app, o.at, &at);
    requested = at;
    if (!status)
        status = read_time(&app, o.requested, &requested);
    if (!status)
        status = o.word ? test(&app, at, requested) : show_rules(&app, at);
    app_close(&app);
    return status;
}

const struct ft_command cmd_policy = {
    "policy", "What the configuration's policies say, and would say to a run", opts, run,
    "`fettle policy` lists windows, freezes, categories of changes and policies as they were read.\n"
    "`fettle policy test PLAYBOOK` asks them about each write of a playbook: approvals, the time for it, what is left of budgets, refusals, and which\n"
    "rule says so. Nothing is run, and nothing is taken of a budget. Exit status 1 when a write would be refused.\n",
};
