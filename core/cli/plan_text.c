/* plan_text.c: a plan as text for a terminal: what will be sent, on what it rests, which ways there are and why. */
#include "base/buf.h"
#include "base/text.h"
#include "base/util.h"
#include "cli/live.h"
#include "data/json.h"
#include "run/plan.h"

enum { INDENT = 9, LINE_MAX_CHARS = 400, SHOWN_CHANGES = 40 };

static int columns = 80;               /* of where the plan will stand: its nodes are printed into memory first */

/* Lines of a request and of a difference stand as they are, however long; what is said about them fits. */
static void wrapped(FILE *to, const char *text, int indent)
{
    fprintf(to, "%*s", indent, "");
    term_wrap(to, text, indent, indent, columns);
    fputc('\n', to);
}

static void width_from(FILE *to)
{
    columns = term_is(to) ? ft_min(ft_max(term_width(to), 40), 100) : 100;
}

static void put_line(FILE *to, const json_t *value)
{
    char *brief = value ? ft_json_brief(value, LINE_MAX_CHARS) : ft_strdup("");

    fputs(brief, to);
    free(brief);
}

/* ---- one write */

static void print_side(FILE *to, bool colour, enum ft_tone tone, const char *sign, const char *path, const json_t *value, int indent)
{
    char *brief, *text;

    if (!value)
        return;
    if (!path && json_is_string(value)) {
        text = ft_asprintf("%*s%s %s", indent, "", sign, json_string_value(value));
        term_put(to, colour, tone, text);
        fputc('\n', to);
        free(text);
        return;
    }
    brief = ft_json_text(value);
    text = ft_asprintf("%*s%s %s%s%s", indent, "", sign, path ? path : "", path && *path ? ": " : "", brief);
    term_put(to, colour, tone, text);
    fputc('\n', to);
    free(text);
    free(brief);
}

static void print_request(FILE *to, const json_t *request, int indent)
{
    json_t *body = json_object_get(request, "body"), *command;
    size_t i;

    if (ft_json_str(request, "method"))
        fprintf(to, "%*s%s %s\n", indent, "", ft_json_str(request, "method"), ft_json_str(request, "url"));
    if (ft_json_str(request, "target"))
        fprintf(to, "%*son %s:\n", indent, "", ft_json_str(request, "target"));
    json_array_foreach(json_object_get(request, "commands"), i, command) {
        fprintf(to, "%*s  ", indent, "");
        put_line(to, command);
        fputc('\n', to);
    }
    if (body && !json_is_null(body)) {
        char *text = json_is_string(body) ? ft_strdup(json_string_value(body)) : ft_json_text(body);

        wrapped(to, text, indent + 2);
        free(text);
    }
}

/* What takes it back, where it is not the undo; and what else one should know. */
static void print_net(FILE *to, const json_t *plan, int indent)
{
    const json_t *reverts = json_object_get(plan, "reverts");
    char after[32];
    json_t *note;
    size_t i;

    if (reverts)
        fprintf(to, "%*sreverts by itself after %s unless confirmed%s\n", indent, "",
                ft_duration_format((uint64_t)ft_json_int(reverts, "after_s", 0) * 1000, after, sizeof(after)),
                json_is_true(json_object_get(reverts, "later")) ? ", by a later step" : "");
    json_array_foreach(json_object_get(plan, "notes"), i, note) {
        wrapped(to, json_is_string(note) ? json_string_value(note) : "", indent);
    }
    if (ft_json_str(plan, "no_undo")) {
        wrapped(to, ft_json_str(plan, "no_undo"), indent);
    }
}

bool plan_is_line(const json_t *plan, const json_t *change)
{
    json_t *request, *path = json_object_get(change, "path");
    size_t i;

    json_array_foreach(json_object_get(plan, "requests"), i, request)
        if (path && json_object_get(request, "commands") && json_equal(json_object_get(request, "target"), path))
            return true;
    return false;
}

const json_t *plan_side(const json_t *change, const char *side)
{
    const json_t *value = json_object_get(change, side), *other = json_object_get(change, ft_streq(side, "from") ? "to" : "from");

    return json_is_null(value) && other && !json_is_null(other) ? NULL : value;
}

void plan_print_write(FILE *to, bool colour, const json_t *plan, int indent)
{
    json_t *one;
    size_t i;

    if (term_is(to))
        width_from(to);
    json_array_foreach(json_object_get(plan, "requests"), i, one)
        print_request(to, one, indent);
    json_array_foreach(json_object_get(plan, "changes"), i, one) {
        const char *path = plan_is_line(plan, one) ? NULL : ft_json_str(one, "path");

        print_side(to, colour, TONE_BAD, "-", path, plan_side(one, "from"), indent);
        print_side(to, colour, TONE_GOOD, "+", path, plan_side(one, "to"), indent);
    }
    if (json_is_integer(json_object_get(plan, "users")))
        fprintf(to, "%*susers who notice: %d\n", indent, "", (int)ft_json_int(plan, "users", 0));
    print_net(to, plan, indent);
}

void plan_print_differs(FILE *to, bool colour, const json_t *differs, int indent)
{
    json_t *one;
    size_t i;

    if (!json_array_size(differs))
        return;
    fprintf(to, "%*s(- planned, + now)\n", indent, "");
    json_array_foreach((json_t *)differs, i, one) {
        if (i == SHOWN_CHANGES) {
            fprintf(to, "%*sand %zu more\n", indent, "", json_array_size(differs) - i);
            break;
        }
        print_side(to, colour, TONE_BAD, "-", ft_json_str(one, "path"), json_object_get(one, "planned"), indent);
        print_side(to, colour, TONE_GOOD, "+", ft_json_str(one, "path"), json_object_get(one, "now"), indent);
    }
}

/* "switch.set_vlan: device sw-3, port ge-0/0/7, vlan 110" */
char *plan_undo_words(const json_t *write)
{
    const json_t *undo = json_object_get(write, "undo"), *params = json_object_get(undo, "params");
    const char *kind = ft_json_str(undo, "kind");
    char *brief, *text;

    if (ft_streq(kind, "auto"))
        return ft_asprintf("the action's own%s", ft_json_str(write, "no_undo") ? ", which cannot take this one back"
                                                 : json_object_get(write, "before") ? ", back to the state that it rests on" : "");
    if (!ft_streq(kind, "call"))
        return ft_strdup("none");
    if (!json_object_size(params))
        return ft_strdup(ft_json_str(undo, "action"));
    brief = ft_json_brief(params, LINE_MAX_CHARS);
    text = ft_asprintf("%s %s", ft_json_str(undo, "action"), brief);
    free(brief);
    return text;
}

/* "1 'Put the port on its VLAN' and 2 'Describe it'"; NULL: it rests on no other write. */
char *plan_rests_words(const json_t *plan, const json_t *write)
{
    const json_t *writes = json_object_get(plan, "writes"), *one;
    json_t *done = json_object(), *by;
    const char *key;
    char *text = NULL, *more;
    size_t i;

    json_object_foreach(json_object_get(write, "rests_after"), key, by) {
        if (!json_is_string(by) || json_object_get(done, json_string_value(by)))
            continue;
        json_object_set_new(done, json_string_value(by), json_true());
        one = NULL;
        for (i = 0; i < json_array_size(writes) && !one; i++)
            if (json_equal(json_object_get(json_array_get(writes, i), "path"), by))
                one = json_array_get(writes, i);
        more = one ? ft_asprintf("%s%s%d '%s'", text ? text : "", text ? " and " : "", (int)ft_json_int(one, "n", 0), ft_json_str(one, "title"))
                   : ft_asprintf("%s%s'%s'", text ? text : "", text ? " and " : "", json_string_value(by));
        free(text);
        text = more;
    }
    json_decref(done);
    return text;
}

static void print_state(FILE *to, const json_t *plan, const json_t *write)
{
    const json_t *before = json_object_get(write, "before");
    char *after = plan_rests_words(plan, write), *brief = before ? ft_json_brief(before, 300) : NULL, *text = NULL;

    if (ft_streq(ft_json_str(write, "exactness"), "undetermined"))
        ;
    else if (after)
        text = ft_asprintf("rests on the state after %s, as predicted%s%s%s%.8s%s", after, brief ? ": " : "", brief ? brief : "", brief ? " (digest " : "",
                           brief ? ft_json_str(write, "before_digest") : "", brief ? ")" : "");
    else if (brief)
        text = ft_asprintf("rests on %s (digest %.8s)", brief, ft_json_str(write, "before_digest") ? ft_json_str(write, "before_digest") : "");
    if (text) {
        wrapped(to, text, INDENT);
    }
    free(text);
    free(after);
    free(brief);
}

static void print_write(FILE *to, bool colour, const json_t *plan, const json_t *write)
{
    const char *exactness = ft_json_str(write, "exactness"), *why = ft_json_str(write, "why");
    char *undo = plan_undo_words(write), *after = plan_rests_words(plan, write), *text;

    if (ft_json_str(write, "summary"))
        fprintf(to, "%*s%s\n", INDENT, "", ft_json_str(write, "summary"));
    plan_print_write(to, colour, write, INDENT);
    print_state(to, plan, write);
    if (ft_streq(exactness, "predicted") && !after)
        fprintf(to, "%*spredicted: a write before it may change what it rests on\n", INDENT, "");
    else if (ft_streq(exactness, "undetermined")) {
        text = ft_asprintf("%s%s%s", exactness, why ? ": " : "", why ? why : "");
        wrapped(to, text, INDENT);
        free(text);
    }
    text = ft_asprintf("undo: %s", undo);
    wrapped(to, text, INDENT);
    free(text);
    free(undo);
    free(after);
}

/* ---- the ways */

static void print_evidence(FILE *to, bool colour, const json_t *way)
{
    const json_t *reads = ft_json_path(way, "because.reads");
    char *brief, *text;

    if (!json_object_size(reads))
        return;
    brief = ft_json_brief(reads, 160);
    text = ft_asprintf("   (%s)", brief);
    term_put(to, colour, TONE_DIM, text);
    free(text);
    free(brief);
}

static void print_ways(FILE *to, bool colour, const json_t *node)
{
    const json_t *ways = json_object_get(node, "ways");
    json_t *way;
    size_t i;

    json_array_foreach((json_t *)ways, i, way) {
        const char *cond = ft_json_str(way, "if"), *name = ft_json_str(way, "to");
        bool certain = json_is_true(json_object_get(way, "certain"));

        if (certain && json_array_size(ways) == 1 && (!cond || !json_object_get(way, "because")))
            continue;
        fprintf(to, "%*s%s%s%s → %s", INDENT, "", certain ? "" : "perhaps ", cond && json_object_get(way, "because") ? "if " : "", cond ? cond : "then", name);
        print_evidence(to, colour, way);
        fputc('\n', to);
    }
}

/* "in 3 batches: 1, 4, 35 · soaks 5m between them · each checked by mist.site_health: result.ok" */
static void print_batches(FILE *to, const json_t *batches)
{
    const json_t *sizes = json_object_get(batches, "sizes"), *check = json_object_get(batches, "check");
    int64_t soak = ft_json_int(batches, "soak_ms", 0);
    size_t n = json_array_size(sizes);
    char time[32];

    if (!batches)
        return;
    fprintf(to, "         in %s", n ? "" : "batches");
    if (n)
        fprintf(to, "%zu batch%s: ", n, n == 1 ? "" : "es");
    for (size_t i = 0; i < n; i++)
        fprintf(to, "%s%d", i ? ", " : "", (int)json_integer_value(json_array_get(sizes, i)));
    if (soak)
        fprintf(to, " · soaks %s between them", ft_duration_format((uint64_t)soak, time, sizeof(time)));
    if (check)
        fprintf(to, " · each checked by %s: %s", ft_json_str(check, "action"), ft_json_str(check, "until"));
    fputc('\n', to);
}

static bool worth_showing(const json_t *node)
{
    const char *verb = ft_json_str(node, "verb");

    return (!ft_streq(verb, "set") && !ft_streq(verb, "lua")) || ft_json_str(node, "error") || json_array_size(json_object_get(node, "ways")) > 1;
}

static void print_one(FILE *to, bool colour, const json_t *node, const json_t *plan)
{
    const json_t *writes = json_object_get(plan, "writes");
    const json_t *write = json_array_get(writes, (size_t)ft_json_int(node, "write", 0) - 1);
    const char *effect = ft_json_str(node, "effect"), *seen = ft_json_str(node, "seen"), *verb = ft_json_str(node, "verb");
    const char *word = json_is_true(json_object_get(node, "nothing_to_do")) && !write ? "nothing" : effect ? effect : verb;
    char *fails;

    if (write)
        fprintf(to, "%3d", (int)ft_json_int(write, "n", 0));
    else
        fputs("   ", to);
    fprintf(to, "%s%*s ", json_is_true(json_object_get(node, "certain")) ? " " : "?", path_depth(ft_json_str(node, "path")), "");
    term_put(to, colour, write ? TONE_WARN : TONE_DIM, word);
    fprintf(to, "%*s%s", (int)(11 - strlen(word)), "", ft_json_str(node, "title"));
    if (seen)
        fprintf(to, ": %s", seen);
    fputc('\n', to);
    if (write)
        print_write(to, colour, plan, write);
    print_batches(to, json_object_get(node, "batches"));
    if (ft_json_str(node, "note"))
        wrapped(to, ft_json_str(node, "note"), INDENT);
    if (ft_json_str(node, "error")) {
        fails = ft_asprintf("fails: %s", ft_json_str(node, "error"));
        wrapped(to, fails, INDENT);
        free(fails);
    }
    print_ways(to, colour, node);
}

/* A step that several ways lead to is there once for each state it may be reached in; where they read alike, people see it once. */
static void print_node(FILE *to, bool colour, const json_t *node, const json_t *plan, json_t *said)
{
    json_t *inner;
    size_t i, len;
    char *text = NULL, *key;
    FILE *memory;

    if (worth_showing(node) && (memory = open_memstream(&text, &len)) != NULL) {
        print_one(memory, colour, node, plan);
        fclose(memory);
        key = ft_asprintf("%s\n%s", ft_json_str(node, "path"), text);
        if (!json_object_get(said, key))
            fputs(text, to);
        json_object_set_new(said, key, json_true());
        free(key);
        free(text);
    }
    json_array_foreach(json_object_get(node, "inner"), i, inner)
        print_node(to, colour, inner, plan, said);
}

/* ---- the whole */

void plan_head(FILE *to, const json_t *plan)
{
    size_t writes = ft_plan_writes(plan), batches = 0, items = 0, i;
    json_t *b;
    char need[32];

    json_array_foreach(json_object_get(plan, "batches"), i, b) {
        batches += json_array_size(json_object_get(b, "sizes"));
        items += (size_t)ft_json_int(b, "of", 0);
    }
    fprintf(to, "plan %.8s · %zu write%s", ft_plan_digest(plan), writes, writes == 1 ? "" : "s");
    if (batches)
        fprintf(to, " · %zu batches, %zu items", batches, items);
    if (ft_json_int(plan, "users", 0))
        fprintf(to, " · %d users notice", (int)ft_json_int(plan, "users", 0));
    if (writes)
        fprintf(to, " · at most %s", ft_duration_format((uint64_t)ft_json_int(plan, "need_ms", 0), need, sizeof(need)));
}

static void print_ends(FILE *to, const json_t *plan)
{
    const json_t *outcomes = json_object_get(plan, "outcomes");
    bool writes = json_array_size(json_object_get(plan, "writes"));
    struct ft_buf text = FT_BUF_INIT(0);
    const char *name;
    json_t *certainty;
    size_t n = 0;

    ft_buf_adds(&text, "ends in:");
    json_object_foreach((json_t *)outcomes, name, certainty)
        ft_buf_addf(&text, "%s %s (%s)", n++ ? "," : "", name, json_string_value(certainty));
    if (json_is_true(json_object_get(plan, "may_fail")))
        ft_buf_addf(&text, "%s a failure%s", json_object_size(outcomes) ? " or" : "", writes ? ", then what was done is taken back" : "");
    fputc('\n', to);
    wrapped(to, ft_buf_str(&text), 4);
    ft_buf_done(&text);
}

static void print_needs(FILE *to, const json_t *plan)
{
    json_t *need;
    size_t i;

    if (ft_json_str(plan, "change"))
        fprintf(to, "    change: %s\n", ft_json_str(plan, "change"));
    json_array_foreach(json_object_get(plan, "needs"), i, need)
        fprintf(to, "    %s: %s\n", ft_json_str(need, "kind") ? ft_json_str(need, "kind") : "policy", ft_json_str(need, "text") ? ft_json_str(need, "text") : "");
}

void plan_print(FILE *to, bool colour, const json_t *plan, bool kept)
{
    const json_t *score = json_object_get(plan, "score"), *rests = json_object_get(plan, "rests_on");
    json_t *node, *said = json_object();
    char valid[32], *counts;
    size_t i;

    width_from(to);
    if (!kept)
        fputs("    ", to);
    plan_head(to, plan);
    fputc('\n', to);
    json_array_foreach(json_object_get(plan, "nodes"), i, node)
        print_node(to, colour, node, plan, said);
    json_decref(said);
    print_ends(to, plan);
    if (!json_array_size(json_object_get(plan, "writes"))) {
        fputs("    nothing would be sent · \"?\" marks what may happen\n", to);
    } else {
        counts = ft_asprintf("rests on %d state%s (digest %.8s) · exact %d · predicted %d · undetermined %d · \"?\" marks what may happen", (int)ft_json_int(rests, "states", 0),
                             ft_json_int(rests, "states", 0) == 1 ? "" : "s", ft_json_str(rests, "digest"), (int)ft_json_int(score, "exact", 0),
                             (int)ft_json_int(score, "predicted", 0), (int)ft_json_int(score, "undetermined", 0));
        wrapped(to, counts, 4);
        free(counts);
    }
    if (json_is_true(json_object_get(plan, "cut")))
        fputs("    there are more ways than are shown: some were joined or left out\n", to);
    print_needs(to, plan);
    if (kept && ft_json_int(plan, "valid_ms", 0))
        fprintf(to, "    may be applied within %s\n", ft_duration_format((uint64_t)ft_json_int(plan, "valid_ms", 0), valid, sizeof(valid)));
    if (kept && !*ft_json_str(plan, "from") && json_array_size(json_object_get(plan, "writes")))
        fprintf(to, "    apply with: fettle apply %.8s%s\n", ft_plan_digest(plan), ft_json_int(score, "undetermined", 0) ? " --accept-undetermined" : "");
}
