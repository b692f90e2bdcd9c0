/* plan_text.c: what a dry run found, as text. */
#include "base/text.h"
#include "base/util.h"
#include "cli/live.h"
#include "data/json.h"
#include "run/plan.h"

static void print_value(FILE *to, bool colour, enum ft_tone tone, const char *sign, const json_t *change, const char *side, int indent)
{
    json_t *value = json_object_get(change, side);
    char *brief, *text;

    if (!value)
        return;
    brief = ft_json_text(value);
    text = ft_asprintf("%*s%s %s: %s\n", indent, "", sign, ft_json_str(change, "path"), brief);
    term_put(to, colour, tone, text);
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
    json_array_foreach(json_object_get(request, "commands"), i, command)
        fprintf(to, "%*s  %s\n", indent, "", json_string_value(command) ? json_string_value(command) : "");
    if (body && !json_is_null(body)) {
        char *text = json_is_string(body) ? ft_strdup(json_string_value(body)) : ft_json_text(body);

        fprintf(to, "%*s", indent + 2, "");
        term_wrap(to, text, indent + 2, indent + 2, 100);
        fputc('\n', to);
        free(text);
    }
}

void plan_print_write(FILE *to, bool colour, const json_t *plan, int indent)
{
    json_t *one;
    size_t i;

    json_array_foreach(json_object_get(plan, "requests"), i, one)
        print_request(to, one, indent);
    json_array_foreach(json_object_get(plan, "changes"), i, one) {
        print_value(to, colour, TONE_BAD, "-", one, "from", indent);
        print_value(to, colour, TONE_GOOD, "+", one, "to", indent);
    }
    if (json_is_integer(json_object_get(plan, "users")))
        fprintf(to, "%*susers who notice: %d\n", indent, "", (int)ft_json_int(plan, "users", 0));
}

static const char *undo_words(const json_t *undo)
{
    const char *kind = ft_json_str(undo, "kind");

    if (ft_streq(kind, "auto"))
        return "the action's own";
    return ft_streq(kind, "call") ? ft_json_str(undo, "action") : "none";
}

static void print_write(FILE *to, bool colour, const json_t *write)
{
    const char *exactness = ft_json_str(write, "exactness");

    if (ft_json_str(write, "summary"))
        fprintf(to, "         %s\n", ft_json_str(write, "summary"));
    plan_print_write(to, colour, write, 9);
    if (!ft_streq(exactness, "exact"))
        fprintf(to, "         %s%s%s\n", exactness, ft_json_str(write, "why") ? ": " : "", ft_json_str(write, "why") ? ft_json_str(write, "why") : "");
    fprintf(to, "         undo: %s\n", undo_words(json_object_get(write, "undo")));
}

static void print_ways(FILE *to, const json_t *node)
{
    const json_t *ways = json_object_get(node, "ways");
    size_t n = json_array_size(ways), i;
    json_t *way;
    bool certain = n == 1 && json_is_true(json_object_get(json_array_get(ways, 0), "certain"));

    if (certain)
        return;
    json_array_foreach(ways, i, way) {
        const char *cond = ft_json_str(way, "if");

        fprintf(to, "         %s%s%s → %s\n", json_is_true(json_object_get(way, "certain")) ? "" : "perhaps ", cond ? "if " : "", cond ? cond : "then", ft_json_str(way, "to"));
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

static void print_node(FILE *to, bool colour, const json_t *node, const json_t *writes)
{
    const json_t *write = json_array_get(writes, (size_t)ft_json_int(node, "write", 0) - 1);
    const char *effect = ft_json_str(node, "effect"), *seen = ft_json_str(node, "seen"), *verb = ft_json_str(node, "verb");
    json_t *inner;
    size_t i;

    if (!write && (ft_streq(verb, "set") || ft_streq(verb, "lua")) && !ft_json_str(node, "error"))
        return;
    fprintf(to, "%s %*s", json_is_true(json_object_get(node, "certain")) ? "   " : "  ?", path_depth(ft_json_str(node, "path")), "");
    term_put(to, colour, write ? TONE_WARN : TONE_DIM, write ? effect : effect ? "read" : verb);
    fprintf(to, "%*s%s", (int)(12 - strlen(write ? effect : effect ? "read" : verb)), "", ft_json_str(node, "title"));
    if (seen)
        fprintf(to, ": %s", seen);
    fputc('\n', to);
    if (write)
        print_write(to, colour, write);
    print_batches(to, json_object_get(node, "batches"));
    if (ft_json_str(node, "note"))
        fprintf(to, "         %s\n", ft_json_str(node, "note"));
    if (ft_json_str(node, "error"))
        fprintf(to, "         fails: %s\n", ft_json_str(node, "error"));
    print_ways(to, node);
    json_array_foreach(json_object_get(node, "inner"), i, inner)
        print_node(to, colour, inner, writes);
}

void plan_print(FILE *to, bool colour, const json_t *plan)
{
    const json_t *score = json_object_get(plan, "score");
    const char *name;
    json_t *node, *certainty;
    size_t i;

    json_array_foreach(json_object_get(plan, "nodes"), i, node)
        print_node(to, colour, node, json_object_get(plan, "writes"));
    fputs("\n    ends in:", to);
    json_object_foreach(json_object_get(plan, "outcomes"), name, certainty)
        fprintf(to, " %s (%s)", name, json_string_value(certainty));
    if (json_is_true(json_object_get(plan, "may_fail")))
        fputs(" or a failure, then what was done is taken back", to);
    fprintf(to, "\n    writes: %d · exact %d · predicted %d · undetermined %d · \"?\" marks what may happen\n", (int)ft_plan_writes(plan),
            (int)ft_json_int(score, "exact", 0), (int)ft_json_int(score, "predicted", 0), (int)ft_json_int(score, "undetermined", 0));
    if (json_is_true(json_object_get(plan, "cut")))
        fputs("    there are more ways than are shown: some were joined or left out\n", to);
}
