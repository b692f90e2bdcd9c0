/* plan_needs.c: what the rails of the configuration will ask of the writes of a plan: who has to approve, when it may go, what may never go. */
#include "base/buf.h"
#include "run/dry_internal.h"

struct asking {
    const struct ft_run *run;
    json_t *needs, *budgets;          /* budgets: {"policy\ngroup": {budget, paths: {path: true}}} */
    uint64_t now_ms, at_ms;           /* as of when they are asked */
    unsigned before;                  /* writes that are surely done then */
    uint64_t together_ms, closes_ms;  /* how long those may take, with all their undo; when the time closes that they are done in; 0: it does not */
    json_t *late;                     /* paths of those that may not fit behind the others */
};

/* "change-board (2) and network-lead (1), not you (policy 'normal')" */
static char *who(const json_t *approval)
{
    const json_t *all = json_object_get(approval, "all");
    struct ft_buf buf = FT_BUF_INIT(0);

    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *one = json_array_get(all, i);
        const char *role = ft_json_str(one, "role"), *policy = ft_json_str(one, "policy");

        ft_buf_addf(&buf, "%s%s (%d), not you%s%s%s", i ? " and " : "", role && *role ? role : "somebody", (int)ft_json_int(one, "count", 1), policy ? " (policy '" : "",
                    policy ? policy : "", policy ? "')" : "");
    }
    return ft_buf_take(&buf);
}

static void add(json_t *needs, const char *kind, const char *text, const char *path)
{
    json_t *need;
    size_t i;

    json_array_foreach(needs, i, need) {
        if (ft_streq(ft_json_str(need, "kind"), kind) && ft_streq(ft_json_str(need, "text"), text)) {
            json_array_append_new(json_object_get(need, "paths"), json_string(path));
            return;
        }
    }
    json_array_append_new(needs, json_pack("{s:s, s:s, s:[s]}", "kind", kind, "text", text, "paths", path));
}

/* ---- time */

/* When there is time for it; 0: it is open, or no window holds it. */
static uint64_t ask_time(const struct asking *a, const struct ft_guard_answer *answer, const char *path)
{
    uint64_t opens = (uint64_t)ft_json_int(answer->state, "opens", 0), closes = (uint64_t)ft_json_int(answer->state, "closes", 0);
    struct ft_guard *guard = a->run->engine->o.guard;
    const char *holder = ft_json_str(answer->state, "holder");
    char from[48], to[48], *text;

    if (opens)
        ft_guard_time(guard, opens, from, sizeof(from));
    if (closes)
        ft_guard_time(guard, closes, to, sizeof(to));
    if (opens > a->at_ms)
        text = ft_asprintf("there is time for it from %s%s%s (%s)", from, closes ? " until " : " on", closes ? to : "", holder ? holder : "windows and freezes");
    else if (closes && a->at_ms == a->now_ms)
        text = ft_asprintf("there is time for it now, until %s", to);
    else
        return 0;
    add(a->needs, opens > a->at_ms ? "waits" : "time", text, path);
    free(text);
    return opens > a->at_ms ? opens : 0;
}

/* ---- budgets: what is left, and what the plan takes */

static void note_budgets(const struct asking *a, const struct ft_guard_answer *answer, const char *path)
{
    json_t *one, *known;
    size_t i;

    json_array_foreach(json_object_get(answer->state, "budgets"), i, one) {
        char *key = ft_asprintf("%s\n%s", ft_json_str(one, "policy"), ft_json_str(one, "group"));

        known = json_object_get(a->budgets, key);
        if (!known && !json_is_true(json_object_get(one, "runs"))) {
            known = json_pack("{s:O, s:{}}", "budget", one, "paths");
            json_object_set_new(a->budgets, key, known);
        }
        if (known)                                 /* several writes of one path are alternatives */
            json_object_set_new(json_object_get(known, "paths"), path, json_true());
        free(key);
    }
}

static void say_budgets(const struct asking *a)
{
    const char *key, *path;
    json_t *known, *yes;

    json_object_foreach(a->budgets, key, known) {
        const json_t *b = json_object_get(known, "budget"), *paths = json_object_get(known, "paths");
        json_int_t most = ft_json_int(b, "at_most", 0), left = most - ft_json_int(b, "used", 0), takes = (json_int_t)json_object_size(paths);
        bool tight = takes > left, stops = json_is_true(json_object_get(b, "stops"));
        const char *group = ft_json_str(b, "group");
        char in[32], *text;

        ft_duration_format((uint64_t)ft_json_int(b, "in_ms", 0), in, sizeof(in));
        text = ft_asprintf("%lld of %lld left in %s%s%s, and this takes up to %lld%s (policy '%s')", (long long)(left > 0 ? left : 0), (long long)most, in,
                           tight && *group ? " for " : "", tight ? group : "", (long long)takes, !tight ? "" : stops ? ": it stops there" : ": it waits there until there is room",
                           ft_json_str(b, "policy"));
        json_object_foreach((json_t *)paths, path, yes)
            add(a->needs, "budget", text, path);
        free(text);
    }
}

/* ---- all of them in one window */

/* Each fits by itself; behind the others, when each takes as long as it may, it does not. */
static void reckon(struct asking *a, const json_t *w, const json_t *state, uint64_t opens)
{
    uint64_t closes = (uint64_t)ft_json_int(state, "closes", 0);

    if (opens)
        a->at_ms = opens;
    a->together_ms += (uint64_t)ft_json_int(w, "need_ms", 0);
    if (closes)
        a->closes_ms = a->closes_ms ? ft_min(a->closes_ms, closes) : closes;
    if (a->closes_ms && a->before && a->at_ms + a->together_ms > a->closes_ms)
        json_array_append(a->late, json_object_get(w, "path"));
}

static void say_late(const struct asking *a)
{
    char need[32], open[32], at[48], *text;
    json_t *path;
    size_t i;

    if (!json_array_size(a->late))
        return;
    text = ft_asprintf("these writes may take up to %s with their verification and undo, and there are %s until %s: what does not fit any more when its turn comes is not begun, and what"
                       " was done is taken back", ft_duration_format(a->together_ms, need, sizeof(need)), ft_duration_format(a->closes_ms - a->at_ms, open, sizeof(open)),
                       ft_guard_time(a->run->engine->o.guard, a->closes_ms, at, sizeof(at)));
    json_array_foreach(a->late, i, path)
        add(a->needs, "outlasts", text, json_string_value(path));
    free(text);
}

/* ---- one write */

static const char *effect_of_action(const struct ft_run *run, const char *name)
{
    const struct ft_action_info *info = NULL;

    if (!name || ft_registry_action(run->engine->o.registry, name, &info, NULL) < 0)
        return "write";
    return (info->action->effects & FT_EFFECT_MASK) == FT_EFFECT_DISRUPTIVE ? "disruptive" : "write";
}

/* What waits for its time first is asked as of then, and so is everything behind it. */
static void ask(struct asking *a, const json_t *w)
{
    const struct ft_run *run = a->run;
    struct ft_write_facts facts = {
        .run_id = run->id, .path = ft_json_str(w, "path"), .requester = run->requester, .playbook = ft_playbook_name(run->playbook),
        .category = ft_playbook_category(run->playbook), .severity = ft_playbook_severity(run->playbook), .change = run->change, .action = ft_json_str(w, "action"),
        .effect = ft_json_str(w, "effect"), .site = ft_json_str(w, "site"), .targets = json_object_get(w, "targets"), .params = json_object_get(w, "params"), .plan = w,
        .need_ms = (uint64_t)ft_json_int(w, "need_ms", 0), .attempt = 1, .writes_done = a->before, .requested_ms = run->requested_ms,
    };
    const json_t *way_back = json_object_get(w, "undo"), *undo_params = json_object_get(way_back, "params");
    struct ft_write_facts undo = facts;
    bool certain = json_is_true(json_object_get(w, "certain"));
    struct ft_guard_answer answer;
    struct ft_err err = { 0 };
    uint64_t opens = 0;
    char *text;

    json_t *undo_targets = ft_targets(undo_params);

    if (ft_streq(ft_json_str(way_back, "kind"), "call") && !ft_streq(ft_json_str(way_back, "action"), facts.action)) {
        undo.action = ft_json_str(way_back, "action");
        undo.effect = effect_of_action(run, undo.action);
        undo.site = ft_target_site(undo_params) ? ft_target_site(undo_params) : facts.site;
        undo.targets = json_array_size(undo_targets) ? undo_targets : facts.targets;
        undo.plan = NULL;
        facts.undo = &undo;
    }
    if (ft_guard_preview(run->engine->o.guard, &facts, a->at_ms, &answer, &err) < 0) {
        add(a->needs, "policy", err.text, facts.path);
        json_decref(undo_targets);
        return;
    }
    if (answer.verdict == FT_GUARD_STOP) {
        add(a->needs, "refused", answer.text, facts.path);
    } else {
        if (answer.approval) {
            text = who(answer.approval);
            add(a->needs, "approval", text, facts.path);
            free(text);
        }
        opens = ask_time(a, &answer, facts.path);
        note_budgets(a, &answer, facts.path);
    }
    if (certain)
        reckon(a, w, answer.state, opens);
    ft_guard_answer_done(&answer);
    json_decref(undo_targets);
    a->before += certain;
}

json_t *plan_needs(const struct ft_run *run, const json_t *writes)
{
    struct asking a = { .run = run, .needs = json_array(), .budgets = json_object(), .late = json_array(), .now_ms = run_now_ms(run) };
    json_t *w;
    size_t i;

    a.at_ms = a.now_ms;
    json_array_foreach((json_t *)writes, i, w)
        if (run->engine->o.guard && !json_is_true(json_object_get(w, "nothing_to_do")))
            ask(&a, w);
    say_late(&a);
    say_budgets(&a);
    json_decref(a.late);
    json_decref(a.budgets);
    return a.needs;
}
