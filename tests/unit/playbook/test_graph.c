/* The drawing: what stands where, how it is escaped, and the way of a run through it. */
#include <criterion/criterion.h>
#include <fettle/plugin.h>
#include <string.h>
#include "base/buf.h"
#include "base/text.h"
#include "base/util.h"
#include "data/json.h"
#include "playbook/graph.h"

/* ---- A world of one plugin --------------------------------------------------------------------------------------- */

struct ft_action_info { const char *name; unsigned effects; };

static const struct ft_action_info actions[] = {
    { "sim.look", FT_EFFECT_READ }, { "sim.set", FT_EFFECT_WRITE }, { "sim.restart", FT_EFFECT_DISRUPTIVE },
};

static int find_action(void *arg, const char *full, const struct ft_action_info **ret, struct ft_err *reterr)
{
    (void)arg;
    for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
        if (strcmp(actions[i].name, full) == 0) {
            *ret = &actions[i];
            return 0;
        }
    }
    return ft_err_set(reterr, -ENOENT, "no action '%s'", full);
}

static json_t *params, *results;

static const json_t *params_schema(const struct ft_action_info *info) { (void)info; return params; }
static const json_t *result_schema(const struct ft_action_info *info) { (void)info; return results; }
static unsigned effects(const struct ft_action_info *info) { return info->effects; }
static bool has_undo(const struct ft_action_info *info) { (void)info; return true; }
static const char *full_name(const struct ft_action_info *info) { return info->name; }

static int called_source(void *arg, const char *from, const char *name, char **ret_path, char **ret_text, size_t *ret_len, struct ft_err *reterr)
{
    static const char text[] = "fettle: 1\nname: other\ntitle: Another playbook\nsteps:\n  - set: {x: 1}\n    then: good\noutcomes:\n  good: {title: Good}\n";

    (void)arg, (void)from, (void)reterr;
    *ret_path = ft_asprintf("%s.yaml", name);
    *ret_text = ft_strdup(text);
    *ret_len = strlen(text);
    return 0;
}

static struct ft_script *script;

static struct ft_playbook *load(const char *text)
{
    struct ft_playbook_world world = {
        .script = script, .action = find_action, .params_schema = params_schema, .result_schema = result_schema, .effects = effects,
        .has_undo = has_undo, .full_name = full_name, .source = called_source,
    };
    struct ft_diags *diags = ft_diags_new();
    struct ft_playbook *playbook = ft_playbook_parse("test.yaml", text, strlen(text), &world, diags);

    if (!playbook)
        ft_diags_print(diags, stderr, false);
    cr_assert_not_null(playbook, "it does not load");
    ft_diags_free(diags);
    return playbook;
}

static void start(void)
{
    script = ft_script_new(NULL);
    params = json_pack("{s:s}", "type", "object");
    results = json_pack("{s:b}", "additionalProperties", 1);
}

static void stop(void)
{
    ft_script_free(script);
    json_decref(params);
    json_decref(results);
}

static char *draw(const char *text, enum ft_graph_format format, const char *way_text)
{
    struct ft_playbook *playbook = load(text);
    json_t *way = way_text ? json_loads(way_text, 0, NULL) : NULL;
    struct ft_err err = { 0 };
    char *drawn = NULL;

    cr_assert(!way_text || way);
    cr_assert_eq(ft_graph(playbook, format, way, &drawn, &err), 0, "%s", err.text);
    json_decref(way);
    ft_playbook_unref(playbook);
    return drawn;
}

static void expect_parts(const char *drawn, const char *const *parts)
{
    for (; *parts; parts++)
        cr_expect(strstr(drawn, *parts), "there is no\n%s\nin\n%s", *parts, drawn);
}

/* ---- The playbooks ----------------------------------------------------------------------------------------------- */

static const char simple[] =
    "fettle: 1\nname: simple\ntitle: Something is wrong\n"
    "steps:\n"
    "  - id: look\n    title: Is it there?\n    run: sim.look\n    on_error: failed\n"
    "    branch:\n      - if: result.there and result.n < 3\n        then: good\n      - else: mend\n"
    "  - id: mend\n    title: Mend it\n    run: sim.restart\n    undo: none\n    when: look.n ~= 9\n    retry: {times: 2, every: 1s}\n"
    "    verify: {run: sim.look, until: result.there, every: 1s, within: 10s}\n    then: mended\n"
    "  - id: last\n    title: Never mind\n    set: {a: 1}\n    then: good\n"
    "outcomes:\n  good: {title: No fault found}\n  mended: {title: Mended, status: attention, rollback: true}\n  failed: {title: It failed, status: failed}\n";

static const char nested[] =
    "fettle: 1\nname: nested\ntitle: Many things\n"
    "params: {aps: {type: list, of: string, required: true}}\n"
    "steps:\n"
    "  - id: both\n    parallel:\n      one: {title: The first, run: sim.look}\n      two: {title: The second, run: sim.look}\n"
    "  - id: each\n    title: Restart all\n    for_each: ${aps}\n    as: ap\n    batches: [1, 10%, 100%]\n    at_once: 2\n    max_failures: 1\n"
    "    steps:\n"
    "      - id: check\n        run: sim.look\n        branch:\n          - if: result.fine\n            then: end\n          - else: restart\n"
    "      - id: restart\n        run: sim.set\n        undo: auto\n"
    "  - id: gate\n    title: May we go on?\n    approve: Go on?\n    by: {role: network-lead, count: 2}\n    within: 30m\n"
    "    branch:\n      - if: result.approved\n        then: sub\n      - else: stopped\n"
    "  - id: sub\n    title: The other\n    call: other\n    then: good\n"
    "outcomes:\n  good: {title: Good}\n  stopped: {title: Stopped, status: attention}\n";

static const char hostile[] =
    "fettle: 1\nname: hostile\ntitle: \"<b>&amp; \\\"quotes\\\" \\\\N end | `x` ]]> --\"\n"
    "steps:\n"
    "  - id: end_\n    title: \"end; subgraph { -> } <!-- x --> & é 漢字 and a very long title that goes on and on over more than one line of "
    "a box in the drawing "
    "averyveryveryverylongwordwithoutanyblankinitthatmustbecutsomewhere\"\n    run: sim.look\n"
    "    branch:\n      - if: result.a < 1 and result.b > 2 and result.c == \"<&>\\\\\\\"\"\n        then: default\n      - else: default\n"
    "outcomes:\n  default: {title: \"\\\"]:::x; <script>alert(1)</script>\"}\n";

/* ---- Tests ------------------------------------------------------------------------------------------------------- */

Test(graph, dot_of_a_simple_playbook, .init = start, .fini = stop)
{
    static const char *const parts[] = {
        "digraph playbook {", "start [id=\"start\", shape=box, style=\"filled,rounded,bold\"",
        "step_look [id=\"step_look\", shape=box, style=\"filled\", fillcolor=\"#f4f6f8\", class=\"step\", label=\"Is it there?\\nsim.look\"];",
        "way_look [id=\"way_look\", shape=diamond", "step_look -> way_look [class=\"next\"];",
        "way_look -> outcome_good [class=\"case\", label=\"result.there and result.n <\\n3\"];", "way_look -> step_mend [class=\"case\", label=\"else\"];",
        "step_look -> outcome_failed [class=\"error\", label=\"on error\", style=dashed];",
        "class=\"step disrupts\"", "changes something, and users notice", "verified by sim.look", "undo: none", "only if look.n ~= 9", "up to 2 more tries",
        "step_mend -> outcome_mended [class=\"next\"];", "step_mend -> step_last [class=\"skip\", label=\"skipped\", style=dotted];",
        "sets a", "step_last -> outcome_good [class=\"next\"];", "start -> step_look [class=\"next\"];",
        "class=\"outcome attention\"", "a person should look", "what was changed is undone", "class=\"outcome bad\"", "class=\"outcome ok\"", NULL,
    };
    char *drawn = draw(simple, FT_GRAPH_DOT, NULL);

    expect_parts(drawn, parts);
    cr_expect(!strstr(drawn, "taken"), "%s", drawn);
    free(drawn);
}

Test(graph, dot_of_frames_people_and_calls, .init = start, .fini = stop)
{
    static const char *const parts[] = {
        "subgraph cluster_group_both {", "label=\"side by side\"; labeljust=l; class=\"frame\"", "step_both_one [id=\"step_both_one\"",
        "step_both -> step_both_one", "step_both -> step_both_two",
        "step_both_one -> join_both", "step_both_two -> join_both", "join_both -> step_each",
        "subgraph cluster_group_each {", "label=\"each ap\"", "for each ap of ${aps}", "first 1, then 10 %, then 100 %", "2 at once",
        "stops after more than 1 failures",
        "step_each -> step_each_check", "way_each_check -> join_each [class=\"case\", label=\"result.fine\"];",
        "way_each_check -> step_each_restart [class=\"case\", label=\"else\"];",
        "step_each_restart -> join_each", "class=\"step writes\"", "undo: the plugin's own", "join_each -> step_gate",
        "step_gate [id=\"step_gate\", shape=box, style=\"filled,diagonals\"", "needs approval by network-lead (2)", "within 30 min",
        "way_gate -> step_sub [class=\"case\", label=\"result.approved\"];",
        "shape=box, peripheries=2", "playbook other", "step_sub -> outcome_good", NULL,
    };
    char *drawn = draw(nested, FT_GRAPH_DOT, NULL);

    expect_parts(drawn, parts);
    cr_expect(!strstr(drawn, "step_both_one -> step_both_two"), "side by side, not one after the other");
    free(drawn);
}

static const char way[] =
    "{\"steps\": {\"look\": {\"status\": \"done\", \"seen\": \"no, n = 1\"}, \"mend\": {\"status\": \"failed\", \"seen\": \"refused\"}},"
    " \"edges\": [[\"look\", \"mend\"]]}";
static const char whole_way[] =
    "{\"steps\": {\"look\": {\"status\": \"done\"}, \"mend\": {\"status\": \"done\"}}, \"edges\": [[\"look\", \"mend\"], [\"mend\", "
    "\"mended\"]], \"outcome\": \"mended\"}";

Test(graph, the_way_of_a_run_is_drawn, .init = start, .fini = stop)
{
    static const char *const failed[] = {
        "class=\"step done\"", "✓ done", "no, n = 1", "class=\"step disrupts failed\"", "✗ failed", "refused", "class=\"step unreached\"",
        "way_look -> step_mend [class=\"case taken\", label=\"else\", penwidth=3];",
        "way_look -> outcome_good [class=\"case untaken\", label=\"result.there and result.n <\\n3\", color=",
        "step_look -> outcome_failed [class=\"error untaken\"", "step_mend -> outcome_mended [class=\"next untaken\"",
        "start -> step_look [class=\"next taken\"",
        "step_look -> way_look [class=\"next taken\"", NULL,
    };
    static const char *const whole[] = { "step_mend -> outcome_mended [class=\"next taken\", penwidth=3]", "class=\"outcome attention done\"",
    "class=\"outcome ok unreached\"", NULL };
    char *drawn = draw(simple, FT_GRAPH_DOT, way);

    expect_parts(drawn, failed);
    free(drawn);
    drawn = draw(simple, FT_GRAPH_DOT, whole_way);
    expect_parts(drawn, whole);
    free(drawn);
}

Test(graph, steps_of_many_items_are_drawn_once, .init = start, .fini = stop)
{
    static const char many[] =
        "{\"steps\": {\"both\": {\"status\": \"done\"}, \"both/one\": {\"status\": \"done\"}, \"both/two\": {\"status\": \"unknown\"}, "
        "\"each\": {\"status\": \"parked\"},"
        " \"each[0]/check\": {\"status\": \"done\"}, \"each[1]/check\": {\"status\": \"done\"}, \"each[1]/restart\": {\"status\": \"failed\"},"
        " \"each[12]/restart\": {\"status\": \"undone\"}}, \"edges\": [[\"both\", \"each\"]]}";
    static const char *const parts[] = {
        "2 times", "✗ failed", "⏸ waiting", "? not known", "way_each_check -> step_each_restart [class=\"case taken\"",
        "step_both -> step_both_two [class=\"next taken\"",
        "join_both -> step_each [class=\"next taken\"", "join_each -> step_gate [class=\"next untaken\"", NULL,
    };
    char *drawn = draw(nested, FT_GRAPH_DOT, many);

    expect_parts(drawn, parts);
    free(drawn);
}

Test(graph, mermaid, .init = start, .fini = stop)
{
    static const char *const parts[] = {
        "flowchart TD\n", "start([\"Something is wrong\"]):::reads", "step_look[\"Is it there?<br/>sim.look\"]:::reads", "way_look{\"?\"}:::reads",
        "way_look -->|\"result.there and result.n #60; 3\"| outcome_good\n", "step_look -.->|\"on error\"| outcome_failed\n",
        "outcome_good(\"No fault found\"):::good", "]:::writes", "outcome_mended(\"Mended<br/>a person should look", "classDef failed", NULL,
    };
    static const char *const more[] = { "subgraph group_each [\"each ap\"]\n", "join_each((\" \"))", "step_sub[[\"The other<br/>playbook other\"]]",
    "step_gate[/\"May we go on?", "\n  end\n", NULL };
    char *drawn = draw(simple, FT_GRAPH_MERMAID, NULL);

    expect_parts(drawn, parts);
    free(drawn);
    drawn = draw(nested, FT_GRAPH_MERMAID, NULL);
    expect_parts(drawn, more);
    free(drawn);
    drawn = draw(simple, FT_GRAPH_MERMAID, way);
    cr_expect(strstr(drawn, "way_look ==>|\"else\"| step_mend\n"), "%s", drawn);
    cr_expect(strstr(drawn, "✗ failed<br/>refused\"]:::failed"), "%s", drawn);
    free(drawn);
}

/* Behind '&': "lt;", "#45;" and the like. */
static bool is_entity(const char *at)
{
    size_t len = strcspn(at, "; <&\n");

    return len > 1 && len < 8 && at[len] == ';';
}

/* Whether tags nest, attributes are quoted, and every '&' is an entity's: enough to find text that was not escaped. */
static bool is_well_formed(const char *at)
{
    const char *open[64];
    size_t depth = 0;

    for (; *at; at++) {
        if (*at == '&' && !is_entity(at + 1))
            return false;
        if (*at != '<')
            continue;
        if (strncmp(at, "<!--", 4) == 0 || strncmp(at, "<?", 2) == 0) {
            at = strstr(at, at[1] == '?' ? "?>" : "-->");
        } else if (at[1] == '/') {
            if (depth == 0 || strncmp(open[--depth], at + 2, strcspn(at + 2, ">")) != 0)
                return false;
            at = strchr(at, '>');
        } else {
            open[depth++] = at + 1;
            for (at++; *at && *at != '>'; at++)
                if (*at == '<' || (*at == '"' && !(at = strchr(at + 1, '"'))))
                    return false;
            depth -= at[-1] == '/';
        }
        if (!at || !*at || depth == ARRAY_LEN(open))
            return false;
    }
    return depth == 0;
}

static void expect_svg(const char *svg)
{
    cr_expect(is_well_formed(svg), "no XML:\n%s", svg);
    cr_expect(ft_utf8_valid(svg, strlen(svg)));
    cr_expect(strstr(svg, "viewBox=") && strstr(svg, "xmlns=\"http://www.w3.org/2000/svg\""));
    cr_expect(!strstr(svg, "<!DOCTYPE"), "the document type names a file on the web");
    cr_expect(!strstr(svg, "<script") && !strchr(svg, 0x7f));
}

Test(graph, svg_is_xml, .init = start, .fini = stop)
{
    static const char *const parts[] = {
        "<svg class=\"fettle-flow\"", "prefers-color-scheme: dark", "class=\"node step\"", "class=\"edge error\"",
        "class=\"node outcome attention\"", ">Is it there?</text>", NULL,
    };
    static const struct { const char *text, *way; } all[] = { { simple, NULL }, { simple, way }, { simple, whole_way }, { nested, NULL }, { hostile, NULL } };
    char *drawn = draw(simple, FT_GRAPH_SVG, NULL);

    expect_parts(drawn, parts);
    free(drawn);
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        drawn = draw(all[i].text, FT_GRAPH_SVG, all[i].way);
        expect_svg(drawn);
        free(drawn);
    }
}

/* What stands in the playbook is text in the drawing, whatever it looks like. */
Test(graph, text_stays_text, .init = start, .fini = stop)
{
    static const char *const in_svg[] = { ">&lt;b&gt;&amp;amp; &quot;quotes&quot; \\N end |</text>", "&lt;script&gt;alert(1)&lt;/script&gt;", "漢字", NULL };
    char *drawn = draw(hostile, FT_GRAPH_SVG, NULL);

    expect_parts(drawn, in_svg);
    free(drawn);
    drawn = draw(hostile, FT_GRAPH_MERMAID, NULL);
    for (const char *line = drawn; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        cr_expect(!strstr(line, "<script") && strncmp(line, "end;", 4) != 0, "%s", drawn);
    cr_expect(strstr(drawn, "#34;#93;#58;#58;#58;x"), "%s", drawn);
    free(drawn);
}

/* The same playbook is the same drawing. Graphviz orders frames by their addresses: in SVG they may stand in another order, in the same places. */
Test(graph, is_the_same_every_time, .init = start, .fini = stop)
{
    for (int format = FT_GRAPH_SVG; format <= FT_GRAPH_MERMAID; format++) {
        char *first = draw(nested, (enum ft_graph_format)format, NULL), *again = draw(nested, (enum ft_graph_format)format, NULL);

        if (format == FT_GRAPH_SVG)
            cr_expect_eq(strlen(first), strlen(again));
        else
            cr_expect_str_eq(first, again);
        free(first);
        free(again);
    }
}

/* Every step leads to one outcome on error: without connectors dot needs minutes for it. */
static char *long_playbook(unsigned steps)
{
    struct ft_buf text = FT_BUF_INIT(0);

    ft_buf_adds(&text, "fettle: 1\nname: long\ntitle: Long\nsteps:\n");
    for (unsigned i = 0; i < steps; i++) {
        ft_buf_addf(&text, "  - id: s%u\n    run: sim.look\n    on_error: bad\n    branch:\n      - if: result.n == %u\n", i, i);
        ft_buf_addf(&text, i + 1 < steps ? "        then: s%u\n      - else: bad\n" : "        then: good\n      - else: bad\n", i + 1);
    }
    ft_buf_adds(&text, "outcomes:\n  good: {title: Good}\n  bad: {title: It is bad, status: failed}\n");
    return ft_buf_take(&text);
}

Test(graph, many_long_arrows_become_connectors, .init = start, .fini = stop)
{
    static const char *const parts[] = {
        "shape=cds", "class=\"connector unreached\"", "label=\"→ It is bad\"", "class=\"connector done\"", "s0 -> to_", "-> outcome_bad [", NULL,
    };
    char *text = long_playbook(60), *svg, *dot;

    svg = draw(text, FT_GRAPH_SVG, NULL);
    expect_svg(svg);
    dot = draw(text, FT_GRAPH_DOT, "{\"steps\": {\"s0\": {\"status\": \"failed\"}}, \"edges\": [[\"s0\", \"bad\"]], \"outcome\": \"bad\"}");
    expect_parts(dot, parts);
    free(text);
    free(svg);
    free(dot);
}

Test(graph, too_much_for_a_drawing_says_so, .init = start, .fini = stop)
{
    char *text = long_playbook(500), *drawn = NULL;
    struct ft_playbook *playbook = load(text);
    struct ft_err err = { 0 };

    cr_expect_eq(ft_graph(playbook, FT_GRAPH_SVG, NULL, &drawn, &err), -E2BIG);
    cr_expect(strstr(err.text, "boxes are too many to lay out; take --format dot or mermaid"), "%s", err.text);
    cr_expect_null(drawn);
    cr_expect_eq(ft_graph(playbook, FT_GRAPH_DOT, NULL, &drawn, &err), 0);
    free(drawn);
    ft_playbook_unref(playbook);
    free(text);
}
