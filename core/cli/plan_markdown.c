/* plan_markdown.c: a plan as Markdown, for the ticket and the review. */
#include "base/buf.h"
#include "base/text.h"
#include "base/util.h"
#include "cli/live.h"
#include "data/json.h"
#include "run/plan.h"

/* Text of others within Markdown: what would mean something there is escaped, and it stays one line. */
static void put(struct ft_buf *buf, const char *text)
{
    for (; text && *text; text++) {
        if (strchr("\\`*_[]<>|#", *text))
            ft_buf_addc(buf, '\\');
        ft_buf_addc(buf, *text == '\n' || *text == '\r' ? ' ' : *text);
    }
}

static void put_value(struct ft_buf *buf, const json_t *value)
{
    char *brief = ft_json_brief(value, 200);

    put(buf, brief);
    free(brief);
}

/* A fence longer than any run of backticks in the text. */
static void fence(struct ft_buf *buf, const char *language, const char *text)
{
    size_t longest = 2, run = 0;
    char ticks[64];

    for (const char *p = text; *p; p++) {
        run = *p == '`' ? run + 1 : 0;
        if (run > longest)
            longest = run;
    }
    longest = ft_min(longest + 1, sizeof(ticks) - 1);
    memset(ticks, '`', longest);
    ticks[longest] = '\0';
    ft_buf_addf(buf, "%s%s\n%s\n%s\n\n", ticks, language, text, ticks);
}

static char *indented(const json_t *value)
{
    return json_is_string(value) ? ft_strdup(json_string_value(value)) : json_dumps(value, JSON_INDENT(2) | JSON_ENCODE_ANY);
}

static void requests(struct ft_buf *buf, const json_t *write)
{
    json_t *one, *command;
    size_t i, k;

    json_array_foreach(json_object_get(write, "requests"), i, one) {
        struct ft_buf text = FT_BUF_INIT(0);
        json_t *body = json_object_get(one, "body");

        if (ft_json_str(one, "method"))
            ft_buf_addf(&text, "%s %s", ft_json_str(one, "method"), ft_json_str(one, "url"));
        if (ft_json_str(one, "target"))
            ft_buf_addf(&text, "on %s:", ft_json_str(one, "target"));
        json_array_foreach(json_object_get(one, "commands"), k, command)
            ft_buf_addf(&text, "\n  %s", json_string_value(command) ? json_string_value(command) : "");
        if (body && !json_is_null(body)) {
            char *shown = indented(body);

            ft_buf_addf(&text, "\n\n%s", shown);
            free(shown);
        }
        fence(buf, "", ft_buf_str(&text));
        ft_buf_done(&text);
    }
}

static void changes(struct ft_buf *buf, const json_t *write)
{
    static const struct { const char *side, *sign; } sides[] = { { "from", "-" }, { "to", "+" } };
    struct ft_buf text = FT_BUF_INIT(0);
    json_t *one;
    size_t i;

    json_array_foreach(json_object_get(write, "changes"), i, one) {
        for (size_t k = 0; k < ARRAY_LEN(sides); k++) {
            const json_t *value = plan_side(one, sides[k].side);
            bool line = plan_is_line(write, one) && json_is_string(value);
            char *shown = !value ? NULL : line ? ft_strdup(json_string_value(value)) : ft_json_text(value);

            if (shown)
                ft_buf_addf(&text, "%s%s %s%s%s", text.len ? "\n" : "", sides[k].sign, line ? "" : ft_json_str(one, "path"), line ? "" : ": ", shown);
            free(shown);
        }
    }
    if (text.len)
        fence(buf, "diff", ft_buf_str(&text));
    ft_buf_done(&text);
}

static void state(struct ft_buf *buf, const json_t *plan, const json_t *write)
{
    const json_t *before = json_object_get(write, "before");
    char *after = plan_rests_words(plan, write);

    if ((before || after) && !ft_streq(ft_json_str(write, "exactness"), "undetermined")) {
        ft_buf_adds(buf, "Rests on ");
        if (after) {
            ft_buf_adds(buf, "the state after ");
            put(buf, after);
            ft_buf_adds(buf, before ? ": " : "");
        }
        if (before) {
            char *text = ft_json_brief(before, 600);

            put(buf, text);
            ft_buf_addf(buf, " (digest `%.8s`)", ft_json_str(write, "before_digest"));
            free(text);
        }
        ft_buf_adds(buf, ".\n\n");
    }
    free(after);
}

static void one_write(struct ft_buf *buf, const json_t *plan, const json_t *write)
{
    char *undo = plan_undo_words(write);
    const char *why = ft_json_str(write, "why");

    ft_buf_addf(buf, "### %d. ", (int)ft_json_int(write, "n", 0));
    put(buf, ft_json_str(write, "title"));
    ft_buf_addf(buf, "\n\n%s, `%s`, %s%s", ft_json_str(write, "effect"), ft_json_str(write, "action"), ft_json_str(write, "exactness"),
                json_is_true(json_object_get(write, "certain")) ? "" : ", only on some of the ways");
    if (why) {
        ft_buf_adds(buf, ": ");
        put(buf, why);
    }
    ft_buf_adds(buf, ". ");
    put(buf, ft_json_str(write, "summary"));
    ft_buf_adds(buf, "\n\n");
    requests(buf, write);
    changes(buf, write);
    state(buf, plan, write);
    if (json_is_integer(json_object_get(write, "users")))
        ft_buf_addf(buf, "Users who notice: %d. ", (int)ft_json_int(write, "users", 0));
    ft_buf_adds(buf, "Undo: ");
    put(buf, undo);
    ft_buf_adds(buf, ".\n\n");
    free(undo);
}

static void ways(struct ft_buf *buf, const json_t *nodes)
{
    json_t *node, *way;
    size_t i, k;

    json_array_foreach((json_t *)nodes, i, node) {
        json_array_foreach(json_object_get(node, "ways"), k, way) {
            const json_t *reads = ft_json_path(way, "because.reads");

            if (!json_object_get(way, "because") && json_is_true(json_object_get(way, "certain")))
                continue;
            ft_buf_adds(buf, "- ");
            put(buf, ft_json_str(node, "title"));
            ft_buf_addf(buf, " → `%s`%s", ft_json_str(way, "to"), json_is_true(json_object_get(way, "certain")) ? "" : ", perhaps");
            if (ft_json_str(way, "if")) {
                ft_buf_adds(buf, ": ");
                put(buf, ft_json_str(way, "if"));
            }
            if (json_object_size(reads)) {
                ft_buf_adds(buf, " (");
                put_value(buf, reads);
                ft_buf_adds(buf, ")");
            }
            ft_buf_adds(buf, "\n");
        }
        ways(buf, json_object_get(node, "inner"));
    }
}

static void row(struct ft_buf *buf, const char *name, const json_t *value)
{
    if (!value || json_is_null(value))
        return;
    ft_buf_adds(buf, "| ");
    put(buf, name);
    ft_buf_adds(buf, " | ");
    put_value(buf, value);
    ft_buf_adds(buf, " |\n");
}

static void table(struct ft_buf *buf, const json_t *plan)
{
    const json_t *score = json_object_get(plan, "score"), *rests = json_object_get(plan, "rests_on");
    const char *name;
    json_t *value;
    char need[32];
    size_t i;

    ft_buf_adds(buf, "| | |\n| --- | --- |\n");
    row(buf, "playbook", ft_json_path(plan, "playbook.name"));
    row(buf, "its digest", ft_json_path(plan, "playbook.digest"));
    json_object_foreach(json_object_get(plan, "params"), name, value)
        row(buf, name, value);
    ft_buf_addf(buf, "| writes | %zu: exact %d, predicted %d, undetermined %d |\n", ft_plan_writes(plan), (int)ft_json_int(score, "exact", 0),
                (int)ft_json_int(score, "predicted", 0), (int)ft_json_int(score, "undetermined", 0));
    ft_buf_addf(buf, "| users who notice | %d |\n| takes at most | %s |\n| rests on | %d states, digest `%.8s` |\n", (int)ft_json_int(plan, "users", 0),
                ft_duration_format((uint64_t)ft_json_int(plan, "need_ms", 0), need, sizeof(need)), (int)ft_json_int(rests, "states", 0), ft_json_str(rests, "digest"));
    row(buf, "plugins", json_object_get(plan, "plugins"));
    if (json_object_get(plan, "change"))
        row(buf, "change", json_object_get(plan, "change"));
    json_array_foreach(json_object_get(plan, "needs"), i, value)
        row(buf, ft_json_str(value, "kind") ? ft_json_str(value, "kind") : "policy", json_object_get(value, "text"));
    ft_buf_adds(buf, "\n");
}

char *plan_markdown(const json_t *plan)
{
    struct ft_buf buf = FT_BUF_INIT(0);
    const char *name;
    json_t *one;
    size_t i, at;

    ft_buf_addf(&buf, "# Plan %.8s: ", ft_plan_digest(plan));
    put(&buf, json_string_value(ft_json_path(plan, "playbook.title")));
    ft_buf_adds(&buf, "\n\n");
    table(&buf, plan);
    ft_buf_adds(&buf, json_array_size(json_object_get(plan, "writes")) ? "## What is sent\n\n" : "Nothing would be sent.\n\n");
    json_array_foreach(json_object_get(plan, "writes"), i, one)
        one_write(&buf, plan, one);
    ft_buf_adds(&buf, "## Which way, and why\n\n");
    at = buf.len;
    ways(&buf, json_object_get(plan, "nodes"));
    if (buf.len == at)
        ft_buf_adds(&buf, "There is one way only.\n");
    ft_buf_adds(&buf, "\n## How it ends\n\n");
    json_object_foreach(json_object_get(plan, "outcomes"), name, one)
        ft_buf_addf(&buf, "- `%s` (%s)\n", name, json_string_value(one));
    if (json_is_true(json_object_get(plan, "may_fail")))
        ft_buf_adds(&buf, "- or a failure; then what was done is taken back\n");
    if (json_is_true(json_object_get(plan, "cut")))
        ft_buf_adds(&buf, "\nThere are more ways than are shown: some were joined or left out.\n");
    ft_buf_addf(&buf, "\nDigest `%s`.", ft_plan_digest(plan));
    if (json_array_size(json_object_get(plan, "writes")))
        ft_buf_addf(&buf, " Apply with `fettle apply %.8s%s`.", ft_plan_digest(plan),
                    ft_json_int(json_object_get(plan, "score"), "undetermined", 0) ? " --accept-undetermined" : "");
    ft_buf_adds(&buf, "\n");
    return ft_buf_take(&buf);
}
