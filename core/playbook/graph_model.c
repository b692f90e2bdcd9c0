#include "playbook/graph_model.h"
#include <ctype.h>
#include <fettle/plugin.h>
#include "base/text.h"
#include "base/util.h"
#include "data/json.h"

/* ---- Parts ------------------------------------------------------------------------------------------------------- */

static size_t add_node(struct gr_model *m, enum gr_shape shape, const char *name, const char *title, int group)
{
    m->nodes = ft_realloc(m->nodes, (m->node_count + 1) * sizeof(*m->nodes));
    m->nodes[m->node_count] = (struct gr_node){ .name = name, .shape = shape, .title = title, .group = group };
    return m->node_count++;
}

static void add_edge(struct gr_model *m, size_t from, size_t to, enum gr_edge_kind kind, const char *label)
{
    m->edges = ft_realloc(m->edges, (m->edge_count + 1) * sizeof(*m->edges));
    m->edges[m->edge_count++] = (struct gr_edge){ .from = from, .to = to, .kind = kind, .label = label };
}

static int add_group(struct gr_model *m, const char *name, const char *title, int within)
{
    m->groups = ft_realloc(m->groups, (m->group_count + 1) * sizeof(*m->groups));
    m->groups[m->group_count] = (struct gr_group){ .name = name, .title = title, .within = within };
    return (int)m->group_count++;
}

__attribute__((format(printf, 3, 4)))
static void add_line(struct gr_model *m, size_t node, const char *fmt, ...)
{
    struct gr_node *n = &m->nodes[node];
    struct ft_buf text = FT_BUF_INIT(0);
    va_list ap;

    if (n->line_count == GR_LINES_MAX)
        return;
    va_start(ap, fmt);
    ft_buf_vaddf(&text, fmt, ap);
    va_end(ap);
    n->lines[n->line_count++] = ft_arena_strdup(m->mem, ft_buf_str(&text));
    ft_buf_done(&text);
}

/* ---- What a step says -------------------------------------------------------------------------------------------- */

static const char *text_of(const struct ft_tmpl *tmpl)
{
    const char *text = tmpl ? ft_tmpl_text(tmpl) : NULL;

    return text ? text : "";
}

static const char *duration(uint64_t ms)
{
    static _Thread_local char buf[48];

    return ft_duration_format(ms, buf, sizeof(buf));
}

static void describe_call(struct gr_model *m, size_t node, const struct ft_step *step)
{
    unsigned effect = step->call.effects & FT_EFFECT_MASK;

    m->nodes[node].writes = effect == FT_EFFECT_DISRUPTIVE ? 2 : effect == FT_EFFECT_READ ? 0 : 1;
    add_line(m, node, "%s", step->call.name);
    if (m->nodes[node].writes)
        add_line(m, node, m->nodes[node].writes == 2 ? "changes something, and users notice" : "changes something");
    if (step->verify)
        add_line(m, node, "verified by %s", step->verify->call.name);
    if (step->undo == FT_UNDO_CALL)
        add_line(m, node, "undo: %s", step->undo_call.name);
    else if (step->undo != FT_UNDO_NOT_A_WRITE)
        add_line(m, node, step->undo == FT_UNDO_AUTO ? "undo: the plugin's own" : "undo: none");
}

static void describe_sets(struct gr_model *m, size_t node, const struct ft_step *step)
{
    struct ft_buf names = FT_BUF_INIT(0);

    for (size_t i = 0; i < step->set_count; i++)
        ft_buf_addf(&names, "%s%s", i ? ", " : "", step->sets[i].name);
    add_line(m, node, "sets %s", ft_buf_str(&names));
    ft_buf_done(&names);
}

static void describe_batches(struct gr_model *m, size_t node, const struct ft_step *step)
{
    struct ft_buf batches = FT_BUF_INIT(0);

    for (size_t i = 0; i < step->batch_count; i++)
        ft_buf_addf(&batches, "%s%g%s", i ? ", then " : "", step->batches[i].value, step->batches[i].percent ? " %" : "");
    if (batches.len)
        add_line(m, node, "first %s", ft_buf_str(&batches));
    ft_buf_done(&batches);
    if (step->at_once > 1)
        add_line(m, node, "%u at once", step->at_once);
    if (step->has_max_failures)
        add_line(m, node, "stops after more than %g%s failures", step->max_failures.value, step->max_failures.percent ? " %" : "");
    if (step->soak_ms)
        add_line(m, node, "soaks %s between batches", duration(step->soak_ms));
    if (step->check)
        add_line(m, node, "each batch checked by %s", step->check->call.name);
}

static void describe_person(struct gr_model *m, size_t node, const struct ft_step *step)
{
    if (step->verb == FT_VERB_ASK)
        add_line(m, node, "asks a person");
    else if (step->by_role)
        add_line(m, node, "needs approval by %s (%u)", step->by_role, ft_max(step->by_count, 1u));
    else
        add_line(m, node, "needs approval");
    if (step->within_ms)
        add_line(m, node, "within %s", duration(step->within_ms));
}

static void describe(struct gr_model *m, size_t node, const struct ft_step *step)
{
    switch (step->verb) {
    case FT_VERB_RUN:      describe_call(m, node, step); break;
    case FT_VERB_SET:      describe_sets(m, node, step); break;
    case FT_VERB_LUA:      add_line(m, node, "computes"); break;
    case FT_VERB_APPROVE:
    case FT_VERB_ASK:      describe_person(m, node, step); break;
    case FT_VERB_WAIT:
        if (step->wait_window)
            add_line(m, node, "waits for the window %s", step->wait_window);
        else
            add_line(m, node, "waits %s", text_of(step->wait));
        break;
    case FT_VERB_PARALLEL: add_line(m, node, "side by side"); break;
    case FT_VERB_FOR_EACH: add_line(m, node, "for each %s of %s", step->as, text_of(step->list)); describe_batches(m, node, step); break;
    case FT_VERB_CALL:     add_line(m, node, "playbook %s", ft_playbook_name(step->callee)); break;
    }
    if (step->when)
        add_line(m, node, "only if %s", ft_chunk_text(step->when));
    if (step->retry.times)
        add_line(m, node, "up to %u more tries", step->retry.times);
}

static enum gr_shape shape_of(enum ft_verb verb)
{
    if (verb == FT_VERB_CALL)
        return GR_CALL;
    return verb == FT_VERB_APPROVE || verb == FT_VERB_ASK ? GR_PERSON : GR_STEP;
}

/* ---- The run ----------------------------------------------------------------------------------------------------- */

static enum gr_status status_named(const char *name)
{
    static const struct { const char *name; enum gr_status status; } names[] = {
        { "done", GR_DONE }, { "failed", GR_FAILED }, { "skipped", GR_SKIPPED }, { "running", GR_RUNNING }, { "parked", GR_PARKED },
        { "undone", GR_UNDONE }, { "unknown", GR_UNKNOWN },
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (ft_streq(names[i].name, name))
            return names[i].status;
    return GR_NOT_REACHED;
}

/* Whether "gate[3]/restart" is a path of the step "gate/restart": the items of a for_each are drawn as one. */
static bool is_path_of(const char *path, const char *wanted)
{
    while (*path) {
        if (*path == '[') {
            path += strcspn(path, "]");
            path += *path != '\0';
        } else if (*path++ != *wanted++) {
            return false;
        }
    }
    return *wanted == '\0';
}

/* A step that ran for several items shows the gravest of what became of it, and what was seen last. */
static void set_status(struct gr_model *m, size_t node, const char *path)
{
    struct gr_node *n = &m->nodes[node];
    const char *key;
    json_t *entry;
    size_t times = 0;

    if (!m->way)
        return;
    n->status = GR_NOT_REACHED;
    json_object_foreach(json_object_get(m->way, "steps"), key, entry) {
        enum gr_status status = status_named(ft_json_str(entry, "status"));

        if (!is_path_of(key, path))
            continue;
        times++;
        n->status = ft_max(n->status, status);
        if (ft_json_str(entry, "seen"))
            n->seen = ft_json_str(entry, "seen");
    }
    if (times > 1)
        add_line(m, node, "%zu times", times);
}

static bool was_taken(const struct gr_model *m, const char *from, const char *to)
{
    size_t i;
    json_t *edge;

    json_array_foreach(json_object_get(m->way, "edges"), i, edge)
        if (ft_streq(json_string_value(json_array_get(edge, 0)), from) && ft_streq(json_string_value(json_array_get(edge, 1)), to))
            return true;
    return false;
}

static bool was_reached(const struct gr_node *n)
{
    return n->status > GR_NOT_REACHED;
}

/* ---- Lists of steps ---------------------------------------------------------------------------------------------- */

/* One list while it is laid out. */
struct layout {
    struct gr_model *m;
    const struct ft_list_of_steps *list;
    const char *path;             /* "" or "gate/": before the ids of the list's steps */
    int group;
    size_t *entry, *leave;        /* of each step: the node that arrows lead to, and the one that they come from */
    size_t *outcomes;             /* node of each outcome, SIZE_MAX until one leads there */
    size_t end;                   /* where `end`, and the last step, lead to; SIZE_MAX at the top */
};

static void lay_out(struct layout *l);

static const char *word_of(struct gr_model *m, const char *prefix, const char *path)
{
    char *word = ft_arena_printf(m->mem, "%s%s", prefix, path);

    for (char *c = word; *c; c++)
        if (!isalnum((unsigned char)*c))
            *c = '_';
    return word;
}

/* The steps inside of a for_each or a parallel, in a frame; returns the node where they come together. */
static size_t lay_out_inner(const struct layout *outer, const struct ft_step *step, size_t box, const char *path)
{
    struct gr_model *m = outer->m;
    struct layout inner = { .m = m, .list = &step->inner, .path = ft_arena_printf(m->mem, "%s/", path), .outcomes = outer->outcomes };
    const char *title = step->verb == FT_VERB_FOR_EACH ? ft_arena_printf(m->mem, "each %s", step->as) : "side by side";

    inner.group = add_group(m, word_of(m, "group_", path), title, outer->group);
    inner.end = add_node(m, GR_JOIN, word_of(m, "join_", path), "", inner.group);
    lay_out(&inner);
    if (m->way)
        m->nodes[inner.end].status = m->nodes[box].status;
    for (size_t i = 0; i < step->inner.count; i++)
        if (step->verb == FT_VERB_PARALLEL || i == 0)
            add_edge(m, box, inner.entry[i], GR_NEXT, NULL);
    return inner.end;
}

static void add_step(struct layout *l, size_t i)
{
    struct gr_model *m = l->m;
    const struct ft_step *step = &l->list->steps[i];
    const char *path = ft_arena_printf(m->mem, "%s%s", l->path, step->id);
    size_t box = add_node(m, shape_of(step->verb), word_of(m, "step_", path), step->title, l->group);

    describe(m, box, step);
    set_status(m, box, path);
    l->entry[i] = l->leave[i] = box;
    if (step->verb == FT_VERB_FOR_EACH || step->verb == FT_VERB_PARALLEL)
        l->leave[i] = lay_out_inner(l, step, box, path);
    if (step->branch_count) {
        size_t diamond = add_node(m, GR_DECISION, word_of(m, "way_", path), "?", l->group);

        m->nodes[diamond].status = m->nodes[box].status;
        add_edge(m, l->leave[i], diamond, GR_NEXT, NULL);
        l->leave[i] = diamond;
    }
}

/* ---- Arrows ------------------------------------------------------------------------------------------------------ */

static size_t outcome_node(const struct layout *l, size_t index)
{
    struct gr_model *m = l->m;
    size_t count, node;
    const struct ft_outcome *outcome = &ft_playbook_outcomes(m->playbook, &count)[index];
    static const char *const words[] = { "", "a person should look", "failed" };

    if (l->outcomes[index] != SIZE_MAX)
        return l->outcomes[index];
    node = l->outcomes[index] = add_node(m, GR_OUTCOME, word_of(m, "outcome_", outcome->name), outcome->title, GR_TOP);
    m->nodes[node].end = outcome->status;
    if (words[outcome->status][0])
        add_line(m, node, "%s", words[outcome->status]);
    if (outcome->rollback)
        add_line(m, node, "what was changed is undone");
    if (m->way)
        m->nodes[node].status = ft_streq(ft_json_str(m->way, "outcome"), outcome->name) ? GR_DONE : GR_NOT_REACHED;
    return node;
}

/* Where a target of step i leads: the node, and the name that a run's way has for it. */
static size_t resolve(const struct layout *l, size_t i, const struct ft_target *to, const char **ret_name)
{
    size_t count, next = to->kind == FT_TO_STEP ? to->index : i + 1;

    *ret_name = "";
    if (to->kind == FT_TO_OUTCOME) {
        *ret_name = ft_playbook_outcomes(l->m->playbook, &count)[to->index].name;
        return outcome_node(l, to->index);
    }
    if (to->kind == FT_TO_END || next >= l->list->count)
        return l->end;
    *ret_name = l->list->steps[next].id;
    return l->entry[next];
}

/* The arrows of the top list are in the run's way; inside of a frame, where both ends were reached. */
static bool is_taken(const struct layout *l, size_t i, size_t to, const char *name, enum gr_edge_kind kind)
{
    const struct gr_node *box = &l->m->nodes[l->entry[i]];

    if (!l->m->way || !was_reached(box) || (kind == GR_ERROR) != (box->status == GR_FAILED) || (kind == GR_SKIP && box->status != GR_SKIPPED))
        return false;
    if (l->path[0])
        return was_reached(&l->m->nodes[to]);
    return was_taken(l->m, l->list->steps[i].id, name);
}

static void lead(const struct layout *l, size_t i, size_t from, const struct ft_target *target, enum gr_edge_kind kind, const char *label)
{
    const char *name;
    size_t to = resolve(l, i, target, &name);

    if (to == SIZE_MAX)
        return;
    add_edge(l->m, from, to, kind, label);
    l->m->edges[l->m->edge_count - 1].taken = is_taken(l, i, to, name, kind);
}

static bool is_next(const struct layout *l, size_t i, const struct ft_target *to)
{
    return to->kind == FT_TO_NEXT || (to->kind == FT_TO_STEP && to->index == i + 1) || (to->kind == FT_TO_END && i + 1 == l->list->count);
}

static void lead_on(const struct layout *l, size_t i)
{
    static const struct ft_target next = { FT_TO_NEXT, 0, NULL };
    const struct ft_step *step = &l->list->steps[i];
    bool has_else = false;

    for (size_t b = 0; b < step->branch_count; b++) {
        lead(l, i, l->leave[i], &step->branches[b].to, GR_CASE, step->branches[b].text);
        has_else = has_else || !step->branches[b].cond;
    }
    if (!has_else)
        lead(l, i, l->leave[i], &step->then, step->branch_count ? GR_CASE : GR_NEXT, step->branch_count ? "else" : NULL);
    if (step->when && (step->branch_count || !is_next(l, i, &step->then)))
        lead(l, i, l->entry[i], &next, GR_SKIP, "skipped");
    if (step->has_on_error)
        lead(l, i, l->entry[i], &step->on_error, GR_ERROR, "on error");
}

/* A parallel's steps all lead to where they come together, whatever stands behind them in the list. */
static void lead_together(const struct layout *l, size_t i)
{
    static const struct ft_target end = { FT_TO_END, 0, NULL };

    lead(l, i, l->leave[i], &end, GR_NEXT, NULL);
}

static bool is_parallel(const struct layout *l)
{
    return l->group != GR_TOP && strcmp(l->m->groups[l->group].title, "side by side") == 0;
}

static void lay_out(struct layout *l)
{
    size_t count = l->list->count;

    l->entry = ft_arena_alloc(l->m->mem, (count + 1) * sizeof(size_t));
    l->leave = ft_arena_alloc(l->m->mem, (count + 1) * sizeof(size_t));
    for (size_t i = 0; i < count; i++)
        add_step(l, i);
    for (size_t i = 0; i < count; i++) {
        if (is_parallel(l))
            lead_together(l, i);
        else
            lead_on(l, i);
    }
}

/* Arrows between the nodes of one step, and from the start, are taken when what they lead to was reached. */
static void mark_inner_arrows(struct gr_model *m)
{
    for (size_t i = 0; m->way && i < m->edge_count; i++) {
        struct gr_edge *edge = &m->edges[i];
        const struct gr_node *from = &m->nodes[edge->from], *to = &m->nodes[edge->to];
        bool within = to->shape == GR_DECISION || from->shape == GR_START || (to->group != from->group && to->group != GR_TOP);

        if (edge->kind == GR_NEXT && within)
            edge->taken = was_reached(to) && to->status != GR_FAILED;
    }
}

void gr_build(struct gr_model *m, const struct ft_playbook *playbook, const json_t *way)
{
    struct layout top = { .m = m, .list = ft_playbook_steps(playbook), .path = "", .group = GR_TOP, .end = SIZE_MAX };
    size_t outcome_count, start;

    *m = (struct gr_model){ .mem = ft_arena_new(), .playbook = playbook, .way = way };
    ft_playbook_outcomes(playbook, &outcome_count);
    top.outcomes = ft_arena_alloc(m->mem, (outcome_count + 1) * sizeof(size_t));
    for (size_t i = 0; i < outcome_count; i++)
        top.outcomes[i] = SIZE_MAX;
    start = add_node(m, GR_START, "start", ft_playbook_title(playbook), GR_TOP);
    m->nodes[start].status = way ? GR_DONE : GR_NO_RUN;
    lay_out(&top);
    if (top.list->count)
        add_edge(m, start, top.entry[0], GR_NEXT, NULL);
    mark_inner_arrows(m);
}

void gr_done(struct gr_model *m)
{
    free(m->nodes);
    free(m->edges);
    free(m->groups);
    ft_arena_free(m->mem);
}

/* ---- Words ------------------------------------------------------------------------------------------------------- */

const char *gr_status_words(enum gr_status status)
{
    static const char *const words[] = {
        [GR_NO_RUN] = "", [GR_NOT_REACHED] = "", [GR_DONE] = "✓ done", [GR_SKIPPED] = "– skipped", [GR_UNDONE] = "↶ undone",
        [GR_UNKNOWN] = "? not known", [GR_RUNNING] = "▶ running", [GR_PARKED] = "⏸ waiting", [GR_FAILED] = "✗ failed",
    };

    return words[status];
}

const char *gr_status_class(enum gr_status status)
{
    static const char *const classes[] = {
        [GR_NO_RUN] = "", [GR_NOT_REACHED] = "unreached", [GR_DONE] = "done", [GR_SKIPPED] = "skipped", [GR_UNDONE] = "undone",
        [GR_UNKNOWN] = "unknown", [GR_RUNNING] = "running", [GR_PARKED] = "parked", [GR_FAILED] = "failed",
    };

    return classes[status];
}

bool gr_says_status(const struct gr_node *n)
{
    return n->shape == GR_STEP || n->shape == GR_CALL || n->shape == GR_PERSON || n->shape == GR_OUTCOME;
}

static bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

static size_t char_len(const char *text)
{
    size_t n = 1;

    while (((unsigned char)text[n] & 0xc0) == 0x80)
        n++;
    return n;
}

/* The bytes of the next line: up to the last blank that fits; a word that is longer than a line is cut. */
static size_t line_len(const char *text, size_t columns)
{
    size_t at = 0, width = 0, blank = 0;

    while (text[at] && text[at] != '\n') {
        size_t n = char_len(text + at);

        width += ft_text_width(text + at, n);
        if (width > columns)
            return blank ? blank : ft_max(at, n);
        if (is_blank(text[at]))
            blank = at;
        at += n;
    }
    return at;
}

void gr_wrap(struct ft_buf *to, const char *text, size_t columns, size_t lines, gr_add_line *add)
{
    for (size_t number = 0; ; number++) {
        size_t len;

        while (is_blank(*text))
            text++;
        if (!*text)
            return;
        if (number == lines) {
            add(to, "…", strlen("…"), number);
            return;
        }
        len = line_len(text, columns);
        add(to, text, len, number);
        text += len;
    }
}
