/* What a dry run says is what the run does: playbooks made at random, on devices made at random, planned and then really run. The way of the run is in
 * the plan, its end is, and each write that is sent is one that was planned; where the plan says exact, byte for byte.
 *
 * FETTLE_TRUTH_RUNS: how many (200). FETTLE_TRUTH_SEED: the first seed (1); a seed that fails is printed, and with FETTLE_TRUTH_RUNS=1 run again alone. */
#include <criterion/criterion.h>
#include <stdarg.h>
#include "base/buf.h"
#include "base/util.h"
#include "data/json.h"
#include "rig.h"
#include "run/plan.h"

/* ---- chance, the same for a seed everywhere */

static uint64_t chance_state;

static unsigned below(unsigned n)
{
    chance_state = chance_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(chance_state >> 33) % n;
}

static bool one_in(unsigned n) { return below(n) == 0; }

/* ---- a playbook */

struct gen {
    struct ft_buf yaml;
    unsigned ids;
    bool callee;                           /* it is being made itself */
    bool uses_call;
    unsigned depth;
};

/* Names that may be read at a place. */
struct names { char name[24][12]; char kind[24]; size_t count; };

static const char *const values[] = { "a", "b", "1", "2", "true", "\"7\"" };

__attribute__((format(printf, 3, 4)))
static void put(struct gen *g, unsigned indent, const char *fmt, ...)
{
    char *text;
    va_list ap;

    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0)
        abort();
    va_end(ap);
    ft_buf_addf(&g->yaml, "%*s%s\n", (int)indent, "", text);
    free(text);
}

static void declare(struct names *n, const char *name, char kind)
{
    if (n->count == ARRAY_LEN(n->name))
        return;
    snprintf(n->name[n->count], sizeof(n->name[0]), "%s", name);
    n->kind[n->count++] = kind;
}

/* A condition over what may be known; malloced. */
static char *condition(const struct names *n)
{
    size_t i = n->count ? below((unsigned)n->count) : 0;
    const char *name = n->count ? n->name[i] : "", *value = below(2) ? "\"a\"" : "\"b\"";

    if (!n->count || one_in(6))
        return ft_asprintf("level %s %u", below(2) ? ">" : "==", below(4));
    switch (n->kind[i]) {
    case 'g': return below(3) ? ft_asprintf("%s.value == %s", name, value) : below(2) ? ft_asprintf("%s.found", name) : ft_asprintf("%s and %s.found", name, name);
    case 'w': return one_in(3) ? ft_asprintf("level > 1 or %s.ok", name) : ft_asprintf("%s.ok", name);
    case 'n': return ft_asprintf("%s.n > %u", name, below(3));
    case 'a': return ft_asprintf("%s.approved", name);
    case 'f': return ft_asprintf("%s.failed == 0", name);
    case 'c': return ft_asprintf("%s.outcome == \"fits\"", name);
    case 'l': return ft_asprintf("%s.big", name);
    default: return ft_asprintf("tostring(%s) == %s", name, value);
    }
}

static char *key_of(const struct names *n)
{
    size_t i = n->count ? below((unsigned)n->count) : 0;

    if (n->count && one_in(4) && (n->kind[i] == 'v' || n->kind[i] == 'i'))
        return ft_asprintf("\"${'k' .. tostring(%s)}\"", n->name[i]);
    if (n->count && one_in(5) && n->kind[i] == 'g')
        return ft_asprintf("\"${%s.found and 'k1' or 'k2'}\"", n->name[i]);
    return ft_asprintf("k%u", below(5));
}

static char *value_of(const struct names *n)
{
    size_t i = n->count ? below((unsigned)n->count) : 0;

    if (n->count && one_in(3) && n->kind[i] == 'g')
        return ft_asprintf("\"${%s.value}\"", n->name[i]);
    if (n->count && one_in(4) && n->kind[i] == 'w')
        return ft_asprintf("\"${%s.ok}\"", n->name[i]);
    return ft_strdup(values[below(ARRAY_LEN(values))]);
}

static void steps(struct gen *g, unsigned indent, unsigned count, struct names *known, bool top);

static void add_line(struct gen *g, unsigned indent, const char *before, char *text, const char *behind)
{
    put(g, indent, "%s%s%s", before, text, behind);
    free(text);
}

/* The verb's own lines of an action. Returns the kind of its result. */
static char action(struct gen *g, unsigned in, const struct names *known)
{
    static const struct { const char *action; char kind; const char *undo; } writes[] = {
        { "put", 'w', "auto" }, { "put", 'w', "auto" }, { "set", 'w', "auto" }, { "blind", 'w', "none" }, { "idem", 'w', "none" }, { "add", 'n', "none" },
    };
    char *key = key_of(known), *value;
    size_t w;

    if (below(2)) {
        put(g, in, "run: sim.get");
        put(g, in, "with: {key: %s}", key);
        free(key);
        return 'g';
    }
    w = below(ARRAY_LEN(writes));
    value = value_of(known);
    put(g, in, "run: sim.%s", writes[w].action);
    if (writes[w].kind == 'n')
        put(g, in, "with: {key: %s}", key);
    else
        put(g, in, "with: {key: %s, value: %s}", key, value);
    if (strcmp(writes[w].undo, "auto") == 0 && one_in(4))
        put(g, in, "undo: {run: sim.set, with: {key: %s, value: old}}", key);
    else
        put(g, in, "undo: %s", writes[w].undo);
    if (one_in(5))
        put(g, in, "verify: {run: sim.get, with: {key: %s}, until: result.found, every: 1s, within: 3s}", one_in(3) ? "k4" : key);
    if (writes[w].kind == 'w' && one_in(6))
        put(g, in, "assume: {ok: true}");
    free(key);
    free(value);
    return writes[w].kind;
}

static char parallel(struct gen *g, unsigned in, const struct names *known)
{
    unsigned n = 2 + below(2);

    put(g, in, "parallel:");
    for (unsigned i = 0; i < n; i++) {
        put(g, in + 2, "p%u:", ++g->ids);
        action(g, in + 4, known);
    }
    return 'p';
}

static char for_each(struct gen *g, unsigned in, const struct names *known)
{
    struct names inner = *known;
    char as[12];

    snprintf(as, sizeof(as), "i%u", ++g->ids);
    put(g, in, "for_each: [%s]", one_in(6) ? "" : below(2) ? "0, 1, 2" : "1, 3");
    put(g, in, "as: %s", as);
    if (one_in(3))
        put(g, in, "batches: [1, 50%%, 100%%]");
    if (one_in(3))
        put(g, in, "at_once: 2");
    if (one_in(3))
        put(g, in, "max_failures: 1");
    put(g, in, "steps:");
    declare(&inner, as, 'i');
    g->depth++;
    steps(g, in + 2, 1 + below(3), &inner, false);
    g->depth--;
    return 'f';
}

static char verb(struct gen *g, unsigned in, const char *id, const struct names *known)
{
    unsigned v = below(20);
    char *text;

    if (v < 11)
        return action(g, in, known);
    if (v == 11) {
        text = one_in(2) ? ft_strdup("a") : value_of(known);
        put(g, in, "set: {x%s: %s}", id, text);
        free(text);
        return 's';
    }
    if (v == 12) {
        add_line(g, in, "lua: 'return {big = (", condition(known), ") and true or false}'");
        return 'l';
    }
    if (v == 13 && g->depth == 0) {
        put(g, in, "approve: \"May ${tostring(level)} go on?\"");
        return 'a';
    }
    if (v == 14 && g->depth == 0) {
        put(g, in, "ask: What is on the label?");
        put(g, in, "fields: {label: {type: string}}");
        return 'q';
    }
    if (v == 15) {
        put(g, in, "wait: %us", 1 + below(3));
        return 'z';
    }
    if (v == 16 && g->depth < 2)
        return parallel(g, in, known);
    if (v < 19 && g->depth < 2)
        return for_each(g, in, known);
    if (!g->callee) {
        g->uses_call = true;
        put(g, in, "call: callee");
        text = value_of(known);
        put(g, in, "with: {want: %s, where: k%u}", strstr(text, ".value") ? text : "a", below(5));
        free(text);
        return 'c';
    }
    return action(g, in, known);
}

/* Where a step of a list may lead besides to the next one; malloced. */
static char *target(const struct gen *g, unsigned first, unsigned at, unsigned count, bool top)
{
    if (at + 2 < count && below(2))
        return ft_asprintf("s%u", first + at + 2 + below(count - at - 2));
    return ft_strdup(!top ? "end" : g->callee ? (below(2) ? "fits" : "unfit") : below(3) ? "bad" : below(2) ? "back" : "good");
}

static void steps(struct gen *g, unsigned indent, unsigned count, struct names *known, bool top)
{
    unsigned first = g->ids + 1;

    g->ids += count;
    for (unsigned i = 0; i < count; i++) {
        char id[12], *text;
        struct names own;
        char kind;

        snprintf(id, sizeof(id), "s%u", first + i);
        put(g, indent, "- id: %s", id);
        if (one_in(6) && !(top && i + 1 == count))
            add_line(g, indent + 2, "when: '", condition(known), "'");
        kind = verb(g, indent + 2, id, known);
        if (one_in(4) && kind != 'z' && kind != 'a')
            add_line(g, indent + 2, "on_error: ", target(g, first, i, count, top), "");
        if (one_in(5) && strchr("gwn", kind))
            put(g, indent + 2, "retry: {times: 1, every: 1s}");
        own.count = 0;
        if (strchr("gwnacl", kind))
            declare(&own, "result", kind);
        if (kind == 's') {
            char name[14];

            snprintf(name, sizeof(name), "x%s", id);
            declare(known, name, 'v');
        }
        if (one_in(3) && i + 1 < count) {
            put(g, indent + 2, "branch:");
            add_line(g, indent + 4, "- if: '", condition(own.count && below(2) ? &own : known), "'");
            add_line(g, indent + 4, "  then: ", target(g, first, i, count, top), "");
        }
        if (strchr("gwnacl", kind))
            declare(known, id, kind);
        if (top && i + 1 == count) {
            text = ft_strdup(g->callee ? "fits" : "good");
            add_line(g, indent + 2, "then: ", text, "");
        }
    }
}

static char *playbook(bool callee, bool *ret_calls)
{
    struct gen g = { .yaml = FT_BUF_INIT(0), .callee = callee };
    struct names known = { .count = 0 };

    if (callee) {
        put(&g, 0, "fettle: 1\nname: callee\ntitle: C\ncategory: incident\nvars: {level: 2}\nparams: {want: {type: string, default: a}, where: {type: string, required: true}}");
        declare(&known, "want", 'v');
    } else {
        put(&g, 0, "fettle: 1\nname: t\ntitle: T\ncategory: incident\nvars: {level: %u}", below(4));
    }
    put(&g, 0, "steps:");
    steps(&g, 2, callee ? 2 + below(3) : 4 + below(7), &known, true);
    if (ret_calls)
        *ret_calls = g.uses_call;
    if (callee)
        put(&g, 0, "outcomes:\n  fits: {title: Fits}%s", strstr(ft_buf_str(&g.yaml), "unfit") ? "\n  unfit: {title: Fits not, status: attention}" : "");
    return ft_buf_take(&g.yaml);
}

static char *device(void)
{
    json_t *state = json_object();
    char key[4], *text;

    for (unsigned i = 0; i < 5; i++) {
        snprintf(key, sizeof(key), "k%u", i);
        if (!one_in(3))
            json_object_set_new(state, key, below(3) ? json_string(below(2) ? "a" : "b") : json_integer(below(3)));
    }
    text = json_dumps(state, JSON_SORT_KEYS);
    json_decref(state);
    return text;
}

/* Only of writes: the dry run asks the same questions as the run, and must get the same answers. */
static char *trouble(void)
{
    static const char *const writes[] = { "put", "set", "blind", "idem", "add" }, *const modes[] = { "refused", "timeout", "ambiguous_done", "ambiguous_not", "ok" };
    json_t *all = json_object();
    char *text;

    for (unsigned i = 0; i < 4; i++) {
        char *name = ft_asprintf("%s k%u", writes[below(ARRAY_LEN(writes))], below(5));

        json_object_set_new(all, name, json_pack("[s,s]", modes[below(ARRAY_LEN(modes))], modes[below(ARRAY_LEN(modes))]));
        free(name);
    }
    text = json_dumps(all, JSON_SORT_KEYS);
    json_decref(all);
    return text;
}

/* ---- the comparison */

static struct rig rig;
static char said[2000];
static bool assumes;                       /* a person who says "it happened" knows no result, which `assume` does */

__attribute__((format(printf, 1, 2)))
static bool wrong(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(said, sizeof(said), fmt, ap);
    va_end(ap);
    return false;
}

static const json_t *seek(const json_t *nodes, const char *path, const char *to, bool *ret_known)
{
    json_t *node, *way;
    const json_t *found;
    size_t i, k;

    json_array_foreach((json_t *)nodes, i, node) {
        if (ft_streq(ft_json_str(node, "path"), path)) {
            *ret_known = true;
            if (!to)
                return node;
            json_array_foreach(json_object_get(node, "ways"), k, way)
                if (ft_streq(ft_json_str(way, "to"), to))
                    return node;
        }
        found = seek(json_object_get(node, "inner"), path, to, ret_known);
        if (found)
            return found;
    }
    return NULL;
}

static size_t prefix_len(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* The next step of the same list that began behind this event; NULL: none. */
static const char *next_in_list(const json_t *events, size_t at, const char *path, bool in_parallel)
{
    size_t len = prefix_len(path);

    for (size_t i = at + 1; !in_parallel && i < json_array_size(events); i++) {
        const json_t *e = json_array_get(events, i);
        const char *type = ft_json_str(e, "type"), *p = ft_json_str(e, "path");

        if (p && (ft_streq(type, "step.started") || ft_streq(type, "step.skipped") || ft_streq(type, "step.failed")) && prefix_len(p) == len &&
            strncmp(p, path, len) == 0 && !ft_streq(p, path))
            return p + len;
    }
    return NULL;
}

static bool way_is_planned(const json_t *plan, const json_t *events)
{
    json_t *e;
    size_t i;

    json_array_foreach((json_t *)events, i, e) {
        const char *type = ft_json_str(e, "type"), *path = ft_json_str(e, "path"), *next;
        bool known = false, in_parallel;

        if (!path || !(ft_streq(type, "step.done") || ft_streq(type, "step.failed") || ft_streq(type, "step.skipped")))
            continue;
        seek(json_object_get(plan, "nodes"), path, NULL, &known);
        if (!known)
            return wrong("the run came to %s, and the plan does not know it", path);
        in_parallel = path[prefix_len(path)] == 'p';
        next = next_in_list(events, i, path, in_parallel);
        if (next && !seek(json_object_get(plan, "nodes"), path, next, &known))
            return wrong("the run went from %s (%s) to %s, and the plan knows no such way", path, type, next);
    }
    return true;
}

static bool end_is_planned(const json_t *plan, const json_t *finished)
{
    const char *outcome = ft_json_str(finished, "outcome");

    if (*outcome)
        return json_object_get(json_object_get(plan, "outcomes"), outcome) || wrong("the run ended in %s, which the plan does not know", outcome);
    return json_is_true(json_object_get(plan, "may_fail")) || wrong("the run failed (%s), and the plan says that it cannot", ft_json_str(finished, "diagnosis"));
}

static bool certain_is_true(const json_t *plan, const json_t *finished)
{
    const char *name;
    json_t *certainty;

    if (json_object_size(json_object_get(plan, "outcomes")) != 1)
        return true;                           /* certain is what happens when nothing fails */
    json_object_foreach(json_object_get(plan, "outcomes"), name, certainty)
        if (ft_streq(json_string_value(certainty), "certain") && !json_is_true(json_object_get(plan, "may_fail")) && !ft_streq(ft_json_str(finished, "outcome"), name))
            return wrong("the plan says that it surely ends in %s, and it ended in '%s'", name, ft_json_str(finished, "outcome"));
    return true;
}

static bool writes_are_planned(const json_t *plan, const json_t *events)
{
    json_t *e, *w;
    size_t i, k;

    json_array_foreach((json_t *)events, i, e) {
        bool any = false, exact_only = true, same = false;

        if (!ft_streq(ft_json_str(e, "type"), "step.intended"))
            continue;
        json_array_foreach(json_object_get(plan, "writes"), k, w) {
            if (!ft_streq(ft_json_str(w, "path"), ft_json_str(e, "path")))
                continue;
            any = true;
            exact_only &= ft_streq(ft_json_str(w, "exactness"), "exact");
            same |= json_equal(json_object_get(w, "requests"), ft_json_path(e, "plan.requests")) && json_equal(json_object_get(w, "params"), json_object_get(e, "params"));
        }
        if (!any)
            return wrong("the write %s was sent, and is not in the plan", ft_json_str(e, "path"));
        if (exact_only && !same)
            return wrong("the write %s is not the one that the plan calls exact", ft_json_str(e, "path"));
    }
    return true;
}

static void answer(struct rig *r)
{
    json_t *questions = ft_run_questions(r->run), *q = json_array_get(questions, 0);
    const char *kind = ft_json_str(q, "kind");
    struct ft_err err = { 0 };
    json_t *a = ft_streq(kind, "approve") ? json_pack("{s:b}", "approved", (int)below(2)) : ft_streq(kind, "ask") ? json_pack("{s:{s:s}}", "values", "label", "a") :
                ft_streq(kind, "doubt") ? json_pack("{s:b}", "happened", !assumes && below(2)) : json_pack("{s:b}", "done", 1);

    if (!q || ft_run_answer(r->run, ft_json_str(q, "path"), a, "someone", "terminal", &err) < 0)
        ft_loop_stop(r->loop);
    json_decref(a);
    json_decref(questions);
}

static void write_callee(const char *text)
{
    char *path = ft_asprintf("%s/callee.yaml", rig.dir);
    FILE *f = fopen(path, "w");

    cr_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
    free(path);
}

struct tally { unsigned runs, cut, writes, exact, finished, failed; };

static bool one(uint64_t seed, struct tally *tally)
{
    char *callee, *yaml, *state, *troubles;
    json_t *plan, *w;
    bool ok;
    size_t i;

    chance_state = seed * 7919 + 17;
    for (i = 0; i < 5; i++)
        below(2);
    callee = playbook(true, NULL);
    yaml = playbook(false, NULL);
    assumes = strstr(yaml, "assume:") || strstr(callee, "assume:");
    state = device();
    troubles = trouble();
    write_callee(callee);
    rig_state(&rig, state);
    rig_trouble(&rig, "{}");
    rig_run(&rig, yaml, NULL, true);
    plan = json_incref((json_t *)ft_run_plan(rig.events));
    ok = plan || wrong("there is no plan: a dry run may not fail");
    if (ok) {
        rig_trouble(&rig, troubles);
        rig_run(&rig, yaml, NULL, false);
        const json_t *finished = rig_event(&rig, "run.finished", NULL);

        ok = (finished || wrong("the run did not end")) && way_is_planned(plan, rig.events) && end_is_planned(plan, finished) && certain_is_true(plan, finished) &&
             writes_are_planned(plan, rig.events);
        tally->runs++;
        tally->cut += json_is_true(json_object_get(plan, "cut"));
        tally->finished += finished && *ft_json_str(finished, "outcome");
        tally->failed += finished && !*ft_json_str(finished, "outcome");
        tally->writes += (unsigned)rig_count(&rig, "step.intended");
        json_array_foreach(json_object_get(plan, "writes"), i, w)
            tally->exact += ft_streq(ft_json_str(w, "exactness"), "exact");
    }
    if (!ok || getenv("FETTLE_TRUTH_SHOW")) {
        char *way = rig_way(&rig);

        json_t *questions = rig.run ? ft_run_questions(rig.run) : json_null(), *last = json_array_get(rig.events, json_array_size(rig.events) - 1);
        char *asked = json_dumps(questions, JSON_ENCODE_ANY), *event = json_dumps(last, 0);

        fprintf(stderr, "---- asked %s\n---- last %s\n", asked, event);
        free(asked);
        free(event);
        json_decref(questions);
        fprintf(stderr, "seed %llu: %s\n%s---- callee\n%s---- state %s trouble %s\n---- way %s\n", (unsigned long long)seed, said, yaml, callee, state, troubles, way);
        free(way);
    }
    json_decref(plan);
    free(callee);
    free(yaml);
    free(state);
    free(troubles);
    return ok;
}

static uint64_t number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

Test(dry_truth, what_the_run_does_is_in_the_plan)
{
    uint64_t seed = number("FETTLE_TRUTH_SEED", 1), runs = number("FETTLE_TRUTH_RUNS", 200);
    struct tally tally = { 0 };
    unsigned bad = 0;

    rig_open(&rig);
    rig.on_parked = answer;
    for (uint64_t i = 0; i < runs && bad < 5; i++)
        bad += !one(seed + i, &tally);
    rig_done(&rig);
    fprintf(stderr, "%u playbooks, %u ended in an outcome, %u failed, %u writes sent, %u planned as exact, %u plans cut\n", tally.runs, tally.finished, tally.failed, tally.writes,
            tally.exact, tally.cut);
    cr_expect_eq(bad, 0, "%u seeds are wrong", bad);
    if (runs >= 200) {
        cr_expect_gt(tally.finished, 60, "the playbooks are no good: they all fail");
        cr_expect_gt(tally.failed, 10, "the playbooks are no good: none fails");
        cr_expect_gt(tally.writes, 200);
    }
}
