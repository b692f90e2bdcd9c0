/* guard.c: what is asked before a write: the rules that speak of it, and the strictest of what they say. */
#include "base/digest.h"
#include "guard/internal.h"

#define AGAIN_MS 1000                 /* a clock that was set back shall not ask in a circle */
#define UNREADABLE_MS 60000           /* until the configuration is looked at again */

static void say_all(struct ft_guard *guard)
{
    guard->says = ft_calloc(guard->rails->rail_count + 1, sizeof(*guard->says));
    for (size_t i = 0; i < guard->rails->rail_count; i++)
        guard->says[i] = rail_says(&guard->rails->rails[i]);
}

static void unsay(struct ft_guard *guard)
{
    for (size_t i = 0; guard->says[i]; i++)
        free(guard->says[i]);
    free(guard->says);
}

struct ft_guard *ft_guard_new(const struct ft_guard_opts *opts, struct ft_err *reterr)
{
    struct ft_guard *guard = ft_calloc(1, sizeof(*guard));

    guard->o = *opts;
    guard->rails = ft_config_rails(opts->config);
    guard->clock = opts->clock ? opts->clock : ft_clock_system();
    say_all(guard);
    if (!guard->rails->zone && ft_zone_open(NULL, &guard->zone, NULL) < 0 && ft_zone_open("UTC", &guard->zone, reterr) < 0)
        return ft_guard_free(guard);
    return guard;
}

struct ft_guard *ft_guard_free(struct ft_guard *guard)
{
    if (!guard)
        return NULL;
    unsay(guard);
    ledger_free(guard->ledger);
    ft_zone_free(guard->zone);
    free(guard);
    return NULL;
}

void ft_guard_use(struct ft_guard *guard, const struct ft_config *config)
{
    guard->unreadable = !config;
    if (!config)
        return;
    unsay(guard);
    guard->o.config = config;
    guard->rails = ft_config_rails(config);
    say_all(guard);
    if (!guard->rails->zone && !guard->zone && ft_zone_open(NULL, &guard->zone, NULL) < 0)
        ft_zone_open("UTC", &guard->zone, NULL);
}

const struct ft_zone *ft_guard_zone(const struct ft_guard *guard)
{
    return guard->rails->zone ? guard->rails->zone : guard->zone;
}

void ft_guard_answer_done(struct ft_guard_answer *answer)
{
    json_decref(answer->approval);
    json_decref(answer->rules);
    json_decref(answer->state);
    memset(answer, 0, sizeof(*answer));
}

/* ---- one question */

struct question {
    struct ft_guard *guard;
    const struct ft_write_facts *facts;
    uint64_t now;
    bool take;
    const struct ft_rail **rails;     /* those that speak of it */
    size_t count;
    const struct ft_rail **undo_rails;     /* of its undo, where that is another action */
    size_t undo_count;
    struct when when;
    struct ft_spend *spends;          /* of budgets, then of "did not help" */
    const struct ft_rail **spenders;
    size_t spend_count;
    struct ft_guard_answer *ret;
};

__attribute__((format(printf, 3, 4)))
static void say(struct question *q, enum ft_verdict verdict, const char *fmt, ...)
{
    va_list ap;

    q->ret->verdict = verdict;
    q->ret->class = verdict == FT_GUARD_STOP ? FT_REFUSED : FT_CLASS_NONE;
    va_start(ap, fmt);
    vsnprintf(q->ret->text, sizeof(q->ret->text), fmt, ap);
    va_end(ap);
}

static int collect_of(struct question *q, const struct ft_write_facts *facts, const struct ft_rail ***ret, size_t *ret_count, struct ft_err *reterr)
{
    const struct ft_rails *rails = q->guard->rails;

    *ret = ft_calloc(rails->rail_count + 1, sizeof(**ret));
    for (size_t i = 0; i < rails->rail_count; i++) {
        int r = rail_matches(q->guard, &rails->rails[i], facts, q->now, reterr);

        if (r < 0)
            return ft_err_in(reterr, "the policy '%s'", rails->rails[i].name);
        if (r)
            (*ret)[(*ret_count)++] = &rails->rails[i];
    }
    return 0;
}

static int collect(struct question *q, struct ft_err *reterr)
{
    int r = collect_of(q, q->facts, &q->rails, &q->count, reterr);

    if (r == 0 && q->facts->undo)
        r = collect_of(q, q->facts->undo, &q->undo_rails, &q->undo_count, reterr);
    return r;
}

static bool is_among(const struct ft_rail *rail, const struct ft_rail **rails, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (rails[i] == rail)
            return true;
    return false;
}

static void note_rule(json_t *rules, const char *name, const char *says)
{
    json_array_append_new(rules, json_pack("{s:s, s:s}", "policy", name, "says", says));
}

static void note_rules(struct question *q)
{
    const struct ft_rails *rails = q->guard->rails;
    json_t *rules = json_array();

    for (size_t i = 0; i < q->count; i++) {
        note_rule(rules, q->rails[i]->name, q->guard->says[q->rails[i] - rails->rails]);
    }
    for (size_t i = 0; i < q->undo_count; i++)
        if ((q->undo_rails[i]->never || q->undo_rails[i]->approval.role) && !is_among(q->undo_rails[i], q->rails, q->count))
            note_rule(rules, q->undo_rails[i]->name, q->guard->says[q->undo_rails[i] - rails->rails]);
    for (size_t i = 0; i < rails->freeze_count; i++) {
        const struct ft_freeze *freeze = &rails->freezes[i];
        char *name;

        if (!freeze_holds(q->guard, freeze, q->facts))
            continue;
        name = ft_asprintf("freeze %s", freeze->name);
        note_rule(rules, name, freeze->about ? freeze->about : "nothing is changed while it lasts");
        free(name);
    }
    if (json_array_size(rules))
        q->ret->rules = json_incref(rules);
    json_decref(rules);
}

/* ---- what stops it for good */

static bool stops(struct question *q)
{
    const struct ft_rails *rails = q->guard->rails;

    for (size_t i = 0; i < q->count; i++) {
        if (q->rails[i]->never) {
            say(q, FT_GUARD_STOP, "%s is never done here: %s (policy '%s')", q->facts->action ? q->facts->action : "this write", q->rails[i]->never, q->rails[i]->name);
            return true;
        }
    }
    for (size_t i = 0; i < q->undo_count; i++) {
        if (q->undo_rails[i]->never) {
            say(q, FT_GUARD_STOP, "its undo, %s, is never done here: %s (policy '%s')", q->facts->undo->action ? q->facts->undo->action : "another write", q->undo_rails[i]->never,
                q->undo_rails[i]->name);
            return true;
        }
    }
    if (q->facts->change && rails->change_count && !ft_rails_change(rails, q->facts->change)) {
        say(q, FT_GUARD_STOP, "the configuration has no category of changes '%s'; see `fettle policy`", q->facts->change);
        return true;
    }
    return false;
}

/* ---- budgets */

/* It would never have room. */
static bool too_many_at_once(struct question *q)
{
    char in[32];

    for (size_t i = 0; i < q->spend_count; i++) {
        const struct ft_spend *s = &q->spends[i];

        if (s->runs || s->n <= s->at_most)
            continue;
        say(q, FT_GUARD_STOP, "it changes %u at once, and at most %u in %s are allowed%s%s: do it in parts (policy '%s')", s->n, s->at_most,
            ft_duration_format(s->in_ms, in, sizeof(in)), *s->group ? " for " : "", s->group, q->spenders[i]->name);
        return true;
    }
    return false;
}

static void add_spend(struct question *q, const struct ft_rail *rail, const char *what, char *group)
{
    struct ft_spend *s;

    q->spends = ft_realloc(q->spends, (q->spend_count + 1) * sizeof(*q->spends));
    q->spenders = ft_realloc(q->spenders, (q->spend_count + 1) * sizeof(*q->spenders));
    q->spenders[q->spend_count] = rail;
    s = &q->spends[q->spend_count++];
    *s = (struct ft_spend){ .budget = ft_asprintf("%s %s", what, rail->name), .group = group, .n = 1 };
}

static void add_budget(struct question *q, const struct ft_rail *rail, char *group, unsigned n)
{
    add_spend(q, rail, "budget", group);
    q->spends[q->spend_count - 1].at_most = rail->budget.at_most;
    q->spends[q->spend_count - 1].in_ms = rail->budget.in_ms;
    q->spends[q->spend_count - 1].n = n;
}

/* A write to several targets takes one for each. Where a site or a target is not known, all such writes share one account. */
static void add_budgets(struct question *q, const struct ft_rail *rail)
{
    char *site;
    json_t *target;
    size_t i;

    if (rail->budget.per == FT_PER_ALL) {
        add_budget(q, rail, ft_strdup(""), aim_count(q->facts));
    } else if (rail->budget.per == FT_PER_SITE) {
        site = aim_site(q->guard, q->facts);
        add_budget(q, rail, ft_asprintf("site/%s", site), aim_count(q->facts));
        free(site);
    } else if (!json_array_size(q->facts->targets)) {
        add_budget(q, rail, ft_strdup("target/"), 1);
    } else {
        json_array_foreach((json_t *)q->facts->targets, i, target)
            add_budget(q, rail, aim_small(json_string_value(target) ? json_string_value(target) : ""), 1);
    }
}

static void add_again(struct question *q, const struct ft_rail *rail, char *group)
{
    add_spend(q, rail, "again", group);
    q->spends[q->spend_count - 1].at_most = rail->no_better.times;
    q->spends[q->spend_count - 1].in_ms = rail->no_better.in_ms;
    q->spends[q->spend_count - 1].runs = true;
}

/* The same is what has the same target, and what sends the very same request, whatever the playbook calls the target. */
static void add_no_better(struct question *q, const struct ft_rail *rail)
{
    const json_t *requests = json_object_get(q->facts->plan, "requests");
    const char *action = q->facts->action ? q->facts->action : "";
    json_t *target;
    size_t i;

    json_array_foreach((json_t *)q->facts->targets, i, target) {
        char *small = aim_small(json_string_value(target) ? json_string_value(target) : "");

        add_again(q, rail, ft_asprintf("%s %s", action, small));
        free(small);
    }
    if (json_array_size(requests)) {
        char *text = ft_json_canonical(requests), hex[FT_DIGEST_HEX];

        ft_sha256_hex(text, strlen(text), hex);
        add_again(q, rail, ft_asprintf("%s, request %.16s", action, hex));
        free(text);
    }
}

static int spend(struct question *q, bool take, struct ft_err *reterr)
{
    const struct ft_write_facts *f = q->facts;

    if (!q->spend_count)
        return 0;
    if (!q->guard->o.store)
        return ledger_spend(q->guard, f->run_id, f->path, f->attempt, q->now, q->spends, q->spend_count, take);
    return ft_store_spend(q->guard->o.store, f->run_id ? f->run_id : "", f->path ? f->path : "", f->attempt, q->now, q->spends, q->spend_count, take, reterr);
}

static void say_no_better(struct question *q, const struct ft_spend *s, const struct ft_rail *rail)
{
    char in[32];

    say(q, FT_GUARD_STOP, "%s: %u runs did just that in the last %s, and it did not help for long; call a person (policy '%s')", s->group, s->used,
        ft_duration_format(s->in_ms, in, sizeof(in)), rail->name);
}

static bool counts_runs(const struct question *q)
{
    for (size_t i = 0; i < q->spend_count; i++)
        if (q->spends[i].runs)
            return true;
    return false;
}

/* Whether one is used up for good. */
static bool no_better(struct question *q)
{
    for (size_t i = 0; i < q->spend_count; i++) {
        if (q->spends[i].runs && q->spends[i].room_ms) {
            say_no_better(q, &q->spends[i], q->spenders[i]);
            return true;
        }
    }
    return false;
}

static void used_up(struct question *q)
{
    const struct ft_spend *worst = NULL;
    const struct ft_rail *rail = NULL;
    char in[32], at[48];

    for (size_t i = 0; i < q->spend_count; i++) {
        const struct ft_spend *s = &q->spends[i];
        bool stop = q->spenders[i]->budget.stops, worst_stops = rail && rail->budget.stops;

        if (s->room_ms && (!worst || (stop && !worst_stops) || (stop == worst_stops && s->room_ms > worst->room_ms))) {
            worst = s;
            rail = q->spenders[i];
        }
    }
    if (!worst)
        return;
    ft_guard_time(q->guard, worst->room_ms, at, sizeof(at));
    ft_duration_format(worst->in_ms, in, sizeof(in));
    q->ret->until_ms = ft_max(worst->room_ms, q->now + AGAIN_MS);
    if (rail->budget.stops)
        say(q, FT_GUARD_STOP, "at most %u in %s%s%s: they are used up, and there is room from %s on (policy '%s')", worst->at_most, in, *worst->group ? " for " : "", worst->group, at, rail->name);
    else if (q->when.closes && q->ret->until_ms + q->facts->need_ms > q->when.closes && q->facts->writes_done)
        say(q, FT_GUARD_STOP, "at most %u in %s%s%s: there is room from %s on, too late for the window under way (policy '%s')", worst->at_most, in, *worst->group ? " for " : "",
            worst->group, at, rail->name);
    else
        say(q, FT_GUARD_WAIT, "at most %u in %s%s%s: it waits for room until %s (policy '%s')", worst->at_most, in, *worst->group ? " for " : "", worst->group, at, rail->name);
}

/* ---- times */

/* Which rule to name: the freeze that holds, the rule with the longest lead time, or the first with windows. */
static void name_holder(const struct question *q, char *buf, size_t len)
{
    const struct ft_rail *lead = NULL, *window = NULL;

    for (size_t i = 0; i < q->count; i++) {
        if (q->rails[i]->lead_ms && (!lead || q->rails[i]->lead_ms > lead->lead_ms))
            lead = q->rails[i];
        if (q->rails[i]->windows.count && !window)
            window = q->rails[i];
    }
    if (q->when.freeze)
        snprintf(buf, len, "freeze '%s'%s%s", q->when.freeze->name, q->when.freeze->about ? ": " : "", q->when.freeze->about ? q->when.freeze->about : "");
    else if (q->when.lead_until && lead)
        snprintf(buf, len, "policy '%s'", lead->name);
    else if (window)
        snprintf(buf, len, "policy '%s'", window->name);
    else
        snprintf(buf, len, "a freeze is about to begin");
}

static void say_times(struct question *q)
{
    char need[32], longest[32], at[48], holder[200];

    ft_duration_format(q->facts->need_ms, need, sizeof(need));
    name_holder(q, holder, sizeof(holder));
    if (!q->when.next && q->when.longest) {
        say(q, FT_GUARD_STOP, "it may take %s with its verification and undo, and the longest time that the windows leave is %s (%s)", need,
            ft_duration_format(q->when.longest, longest, sizeof(longest)), holder);
    } else if (!q->when.next) {
        say(q, FT_GUARD_STOP, "the windows and freezes leave no time for it in the years to come (%s)", holder);
    } else {
        ft_guard_time(q->guard, q->when.next, at, sizeof(at));
        q->ret->until_ms = q->when.next;
        for (size_t i = 0; i < q->spend_count; i++)         /* nor is there room in the budgets before */
            q->ret->until_ms = ft_max(q->ret->until_ms, q->spends[i].room_ms);
        if (q->facts->writes_done)
            say(q, FT_GUARD_STOP, "it may take %s with its verification and undo, and that does not fit any more: there is time from %s on (%s)", need, at, holder);
        else if (q->when.freeze || !q->when.lead_until)
            say(q, FT_GUARD_WAIT, "it may take %s with its verification and undo, and there is time from %s on (%s)", need, at, holder);
        else
            say(q, FT_GUARD_WAIT, "it was not asked for long enough before: it may be done from %s on (%s)", at, holder);
    }
}

/* ---- approvals */

static void set_least(json_t *to, const char *key, uint64_t ms)
{
    uint64_t old = (uint64_t)ft_json_int(to, key, 0);

    if (ms && (!old || ms < old))
        json_object_set_new(to, key, json_integer((json_int_t)ms));
}

static void merge_requirement(json_t *all, const struct ft_rail *rail)
{
    const struct ft_need_approval *a = &rail->approval;
    json_t *one, *mine = NULL, *escalate;
    size_t i;

    json_array_foreach(all, i, one)
        if (ft_streq(ft_json_str(one, "role"), a->role))
            mine = one;
    if (!mine) {
        mine = json_pack("{s:s, s:i, s:b, s:s}", "role", a->role, "count", (int)a->count, "break_glass", a->break_glass, "policy", rail->name);
        json_array_append_new(all, mine);
    } else {
        json_object_set_new(mine, "policy", json_sprintf("%s, %s", ft_json_str(mine, "policy"), rail->name));
    }
    if ((json_int_t)a->count > ft_json_int(mine, "count", 1))
        json_object_set_new(mine, "count", json_integer(a->count));
    if (!a->break_glass)
        json_object_set_new(mine, "break_glass", json_false());
    set_least(mine, "within_ms", a->within_ms);
    set_least(mine, "remind_ms", a->remind_ms);
    escalate = json_object_get(mine, "escalate");
    if (a->escalate_count && !escalate) {
        escalate = json_array();
        json_object_set_new(mine, "escalate", escalate);
    }
    for (i = 0; i < a->escalate_count; i++)
        json_array_append_new(escalate, json_pack("{s:I, s:s}", "after_ms", (json_int_t)a->escalate[i].after_ms, "role", a->escalate[i].role));
}

/* {"all": [requirement…]}; NULL: none. */
static json_t *requirements(const struct question *q)
{
    json_t *all = json_array();

    for (size_t i = 0; i < q->count; i++)
        if (q->rails[i]->approval.role)
            merge_requirement(all, q->rails[i]);
    for (size_t i = 0; i < q->undo_count; i++)
        if (q->undo_rails[i]->approval.role && !is_among(q->undo_rails[i], q->rails, q->count))
            merge_requirement(all, q->undo_rails[i]);
    if (json_array_size(all))
        return json_pack("{s:o}", "all", all);
    json_decref(all);
    return NULL;
}

/* Whether people must approve first. */
static bool must_approve(struct question *q)
{
    struct ft_buf who = FT_BUF_INIT(300);
    json_t *one, *unmet;
    size_t i;

    q->ret->approval = requirements(q);
    unmet = ft_guard_unmet(json_object_get(q->ret->approval, "all"), q->facts->approvals, q->facts->requester, q->facts->break_glass, NULL);
    json_array_foreach(unmet, i, one)
        ft_buf_addf(&who, "%s%s (%lld, policy '%s')", who.len ? " and " : "", ft_json_str(one, "role"), (long long)ft_json_int(one, "count", 1), ft_json_str(one, "policy"));
    json_decref(unmet);
    if (who.len)
        say(q, FT_GUARD_APPROVE, "it needs the approval of %s", ft_buf_str(&who));
    ft_buf_done(&who);
    return q->ret->verdict == FT_GUARD_APPROVE;
}

/* ---- the answer */

static void note_state(struct question *q)
{
    json_t *state = json_object(), *budgets = json_array();
    char holder[200];

    if (q->when.held && q->when.next)
        json_object_set_new(state, "opens", json_integer((json_int_t)q->when.next));
    if (q->when.held && q->when.next > q->now) {
        name_holder(q, holder, sizeof(holder));
        json_object_set_new(state, "holder", json_string(holder));
    }
    if (q->when.closes)
        json_object_set_new(state, "closes", json_integer((json_int_t)q->when.closes));
    for (size_t i = 0; i < q->spend_count; i++) {
        const struct ft_spend *s = &q->spends[i];

        json_array_append_new(budgets, json_pack("{s:s, s:s, s:i, s:i, s:I, s:I, s:b, s:b}", "policy", q->spenders[i]->name, "group", s->group, "used", (int)s->used,
                                                 "at_most", (int)s->at_most, "in_ms", (json_int_t)s->in_ms, "room", (json_int_t)s->room_ms, "runs", s->runs,
                                                 "stops", q->spenders[i]->budget.stops));
    }
    json_object_set_new(state, "budgets", budgets);
    q->ret->state = state;
}

/* In this order: what is never done is not approved in vain; people are asked before the window opens, not when it does; and only what may start now
 * takes something of a budget. */
static int decide(struct question *q, struct ft_err *reterr)
{
    int r = collect(q, reterr);

    if (r < 0)
        return r;
    note_rules(q);
    if (q->facts->taking_back) {
        stops(q);
        return 0;
    }
    for (size_t i = 0; i < q->count; i++) {
        if (q->rails[i]->budget.at_most)
            add_budgets(q, q->rails[i]);
        if (q->rails[i]->no_better.times)
            add_no_better(q, q->rails[i]);
    }
    r = when_allowed(q->guard, q->rails, q->count, q->facts, q->now, &q->when, reterr);
    if (r < 0)
        return r;
    if (!q->take || counts_runs(q))
        r = spend(q, false, reterr);
    if (r < 0 && r != -EDQUOT)
        return r;
    if (!q->take)
        note_state(q);
    if (stops(q) || no_better(q) || too_many_at_once(q))
        return 0;
    if (!q->when.now && (!q->when.next || q->facts->writes_done)) {
        say_times(q);
        return 0;
    }
    if (must_approve(q))
        return 0;
    if (!q->when.now) {
        say_times(q);
        return 0;
    }
    if (q->take)
        r = spend(q, true, reterr);
    if (r == -EDQUOT && !no_better(q))
        used_up(q);
    q->ret->closes_ms = q->ret->verdict == FT_GUARD_GO ? q->when.closes : 0;
    return r == -EDQUOT ? 0 : r;
}

/* What was there before is no answer: a freeze may have been written into it. */
static int wait_for_mending(struct question *q)
{
    q->ret->until_ms = q->now + UNREADABLE_MS;
    say(q, FT_GUARD_WAIT, "the configuration '%s' has mistakes now, and nothing is changed until they are mended: see `fettle check`", ft_config_path(q->guard->o.config));
    return 0;
}

static int ask(struct ft_guard *guard, const struct ft_write_facts *facts, uint64_t now, bool take, struct ft_guard_answer *ret, struct ft_err *reterr)
{
    struct question q = { .guard = guard, .facts = facts, .now = now, .take = take, .ret = ret };
    int r;

    memset(ret, 0, sizeof(*ret));
    if (guard->unreadable && !facts->taking_back)
        return wait_for_mending(&q);
    r = decide(&q, reterr);
    if (ret->verdict != FT_GUARD_WAIT)
        ret->until_ms = 0;
    if (!take && r == 0 && !ret->approval)
        ret->approval = requirements(&q);
    for (size_t i = 0; i < q.spend_count; i++) {
        free((char *)q.spends[i].budget);
        free((char *)q.spends[i].group);
    }
    free(q.spends);
    free(q.spenders);
    free(q.rails);
    free(q.undo_rails);
    if (r < 0)
        ft_guard_answer_done(ret);
    return r;
}

int ft_guard_write(struct ft_guard *guard, const struct ft_write_facts *facts, struct ft_guard_answer *ret, struct ft_err *reterr)
{
    return ask(guard, facts, ft_clock_wall_ms(guard->clock), true, ret, reterr);
}

/* A rule that names it, and says nothing of where: of a read it is not known where it goes until it goes there. */
static bool forbids_read(const struct ft_rail *rail, const struct ft_write_facts *facts)
{
    const struct ft_match *m = &rail->match;
    bool named = false;

    for (size_t i = 0; i < m->actions.count; i++)
        named = named || *m->actions.items[i] != '!';
    return rail->never && named && !m->effects.count && !m->sites.count && !m->targets.count && !m->inside.count && !m->outside.count && words_mean(&m->actions, facts->action) &&
           words_mean(&m->playbooks, facts->playbook) && words_mean(&m->kinds, facts->category) && words_mean(&m->changes, facts->change) && words_mean(&m->severities, facts->severity);
}

int ft_guard_declared_read(struct ft_guard *guard, const struct ft_write_facts *facts, struct ft_err *reterr)
{
    for (size_t i = 0; i < guard->rails->rail_count; i++)
        if (forbids_read(&guard->rails->rails[i], facts))
            return ft_err_class(reterr, FT_REFUSED, -EPERM, "the step '%s' calls %s and says that it only reads, which nobody can see; it is never done here: %s (policy '%s')", facts->path,
                                facts->action, guard->rails->rails[i].never, guard->rails->rails[i].name);
    return 0;
}

int ft_guard_preview(struct ft_guard *guard, const struct ft_write_facts *facts, uint64_t at_ms, struct ft_guard_answer *ret, struct ft_err *reterr)
{
    return ask(guard, facts, at_ms ? at_ms : ft_clock_wall_ms(guard->clock), false, ret, reterr);
}
