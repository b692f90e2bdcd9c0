/* graph_dot.c: the model as Graphviz's DOT. Labels are plain: reading HTML-like ones leaks in the library. */
#include "playbook/graph_model.h"
#include "base/util.h"

enum { TITLE_COLUMNS = 28, TITLE_LINES = 6, LINE_COLUMNS = 36, LINE_LINES = 3, CASE_COLUMNS = 28, CASE_LINES = 5, LARGE = 120 };

/* Graphviz reads entities and backslashes in labels. */
static void add_escaped(struct ft_buf *to, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        switch (text[i]) {
        case '&': ft_buf_adds(to, "&amp;"); break;
        case '"': ft_buf_adds(to, "\\\""); break;
        case '\\': ft_buf_adds(to, "\\\\"); break;
        default: ft_buf_addc(to, (unsigned char)text[i] < ' ' || text[i] == 0x7f ? ' ' : text[i]);
        }
    }
}

static void add_line(struct ft_buf *to, const char *text, size_t len, size_t number)
{
    ft_buf_adds(to, number ? "\\n" : "");
    add_escaped(to, text, len);
}

static void add_further(struct ft_buf *to, const char *text, size_t len, size_t number)
{
    (void)number;
    ft_buf_adds(to, "\\n");
    add_escaped(to, text, len);
}

static void add_small(struct ft_buf *to, const char *text, size_t len, size_t number)
{
    (void)number;
    ft_buf_adds(to, "\\n" GR_SMALL);
    add_escaped(to, text, len);
}

static void write_label(const struct gr_model *m, const struct gr_node *n, struct ft_buf *to)
{
    const char *status = gr_says_status(n) ? gr_status_words(n->status) : "";
    gr_add_line *add = m->marked ? add_small : add_further;

    gr_wrap(to, n->title, TITLE_COLUMNS, TITLE_LINES, add_line);
    for (size_t i = 0; i < n->line_count; i++)
        gr_wrap(to, n->lines[i], LINE_COLUMNS, LINE_LINES, add);
    if (status[0])
        gr_wrap(to, status, LINE_COLUMNS, 1, add);
    if (n->seen)
        gr_wrap(to, n->seen, LINE_COLUMNS, LINE_LINES, add);
}

/* Colours for viewers that know no style sheet; the SVG's own sheet has the same, and those for the dark. */
static void write_colours(const struct gr_node *n, struct ft_buf *to)
{
    static const char *const ends[] = { "#e6f4ea", "#fff4d6", "#fde7e5" };
    static const char *const writes[] = { "#f4f6f8", "#fff4d6", "#ffe3d3" };

    if (n->shape == GR_OUTCOME)
        ft_buf_addf(to, ", fillcolor=\"%s\"", ends[n->end]);
    else if (n->shape == GR_START || n->shape == GR_DECISION || n->shape == GR_CONNECTOR)
        ft_buf_adds(to, ", fillcolor=\"#ffffff\"");
    else if (n->shape == GR_JOIN)
        ft_buf_adds(to, ", fillcolor=\"#3e4c59\"");
    else
        ft_buf_addf(to, ", fillcolor=\"%s\"", writes[n->writes]);
}

static void write_class(const struct gr_node *n, struct ft_buf *to)
{
    static const char *const shapes[] = {
        [GR_START] = "start", [GR_STEP] = "step", [GR_CALL] = "step", [GR_PERSON] = "person", [GR_DECISION] = "decision",
        [GR_OUTCOME] = "outcome", [GR_JOIN] = "join", [GR_CONNECTOR] = "connector",
    };
    static const char *const writes[] = { "", " writes", " disrupts" }, *const ends[] = { " ok", " attention", " bad" };

    ft_buf_addf(to, ", class=\"%s%s%s", shapes[n->shape], writes[n->writes], n->shape == GR_OUTCOME ? ends[n->end] : "");
    ft_buf_addf(to, "%s%s\"", n->status == GR_NO_RUN ? "" : " ", gr_status_class(n->status));
}

static void write_shape(const struct gr_node *n, struct ft_buf *to)
{
    static const char *const shapes[] = {
        [GR_START] = "box, style=\"filled,rounded,bold\"", [GR_STEP] = "box, style=\"filled%s\"", [GR_CALL] = "box, peripheries=2, style=\"filled%s\"",
        [GR_PERSON] = "box, style=\"filled,diagonals%s\"", [GR_DECISION] = "diamond, style=\"filled%s\", width=0.5, height=0.5, margin=\"0.02,0.02\"",
        [GR_OUTCOME] = "box, style=\"filled,rounded%s\"", [GR_JOIN] = "point, width=0.12", [GR_CONNECTOR] = "cds, style=\"filled%s\"",
    };
    const char *more = n->status == GR_NOT_REACHED ? ",dashed" : "", *cut = strstr(shapes[n->shape], "%s");

    ft_buf_adds(to, ", shape=");
    if (cut) {
        ft_buf_add(to, shapes[n->shape], (size_t)(cut - shapes[n->shape]));
        ft_buf_addf(to, "%s%s", more, cut + 2);
    } else {
        ft_buf_adds(to, shapes[n->shape]);
    }
    if (n->status > GR_NOT_REACHED && n->shape != GR_JOIN)
        ft_buf_adds(to, ", penwidth=2.5");
}

static void write_node(const struct gr_model *m, const struct gr_node *n, const char *indent, struct ft_buf *to)
{
    ft_buf_addf(to, "%s%s [id=\"%s\"", indent, n->name, n->name);
    write_shape(n, to);
    write_colours(n, to);
    write_class(n, to);
    ft_buf_adds(to, ", label=\"");
    write_label(m, n, to);
    ft_buf_adds(to, "\"];\n");
}

static void write_edge(const struct gr_model *m, const struct gr_edge *edge, struct ft_buf *to)
{
    static const char *const kinds[] = { [GR_NEXT] = "next", [GR_CASE] = "case", [GR_SKIP] = "skip", [GR_ERROR] = "error" };

    ft_buf_addf(to, "  %s -> %s [class=\"%s%s\"", m->nodes[edge->from].name, m->nodes[edge->to].name, kinds[edge->kind],
                !m->way ? "" : edge->taken ? " taken" : " untaken");
    if (edge->label) {
        ft_buf_adds(to, ", label=\"");
        gr_wrap(to, edge->label, CASE_COLUMNS, CASE_LINES, add_line);
        ft_buf_adds(to, "\"");
    }
    if (edge->kind == GR_ERROR || edge->kind == GR_SKIP)
        ft_buf_adds(to, edge->kind == GR_ERROR ? ", style=dashed" : ", style=dotted");
    if (edge->taken)
        ft_buf_adds(to, ", penwidth=3");
    else if (m->way)
        ft_buf_adds(to, ", color=\"#9aa5b1\", fontcolor=\"#7b8794\"");
    ft_buf_adds(to, "];\n");
}

static void write_members(const struct gr_model *m, int group, const char *indent, struct ft_buf *to)
{
    char deeper[40];

    for (size_t i = 0; i < m->node_count; i++)
        if (m->nodes[i].group == group)
            write_node(m, &m->nodes[i], indent, to);
    snprintf(deeper, sizeof(deeper), "%s  ", indent);
    for (size_t i = 0; i < m->group_count; i++) {
        if (m->groups[i].within != group)
            continue;
        ft_buf_addf(to, "%ssubgraph cluster_%s {\n%slabel=\"", indent, m->groups[i].name, deeper);
        gr_wrap(to, m->groups[i].title, TITLE_COLUMNS, 1, add_line);
        ft_buf_adds(to, "\"; labeljust=l; class=\"frame\"; style=\"rounded,dashed\"; color=\"#7b8794\";\n");
        write_members(m, (int)i, deeper, to);
        ft_buf_addf(to, "%s}\n", indent);
    }
}

void gr_write_dot(const struct gr_model *m, struct ft_buf *to)
{
    ft_buf_adds(to, "digraph playbook {\n");
    if (m->node_count > LARGE)                       /* a good layout now is better than the best one in minutes */
        ft_buf_adds(to, "  graph [nslimit=2, nslimit1=2, mclimit=0.5];\n");
    ft_buf_adds(to, "  graph [bgcolor=\"#ffffff\", fontname=\"Helvetica\", fontsize=11, nodesep=0.22, ranksep=0.32, pad=0.2];\n"
                    "  node [fontname=\"Helvetica\", fontsize=12, color=\"#3e4c59\", margin=\"0.15,0.08\"];\n"
                    "  edge [fontname=\"Helvetica\", fontsize=10, color=\"#3e4c59\", arrowsize=0.8];\n");
    write_members(m, GR_TOP, "  ", to);
    for (size_t i = 0; i < m->edge_count; i++)
        write_edge(m, &m->edges[i], to);
    ft_buf_adds(to, "}\n");
}
