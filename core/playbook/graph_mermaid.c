/* graph_mermaid.c: the model as a Mermaid flowchart, for Markdown pages. */
#include "playbook/graph_model.h"
#include "base/util.h"

enum { TITLE_COLUMNS = 32, TITLE_LINES = 6, LINE_COLUMNS = 40, LINE_LINES = 3, CASE_COLUMNS = 32, CASE_LINES = 5 };

/* Mermaid's entities: #quot; and numbers. Everything that its parsers, or Markdown in labels, may take for their own is one. */
static void add_escaped(struct ft_buf *to, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c < ' ' || c == 0x7f)
            ft_buf_addc(to, ' ');
        else if (strchr("\"#<>&`\\*_~|[]{}()$;:@=", c))
            ft_buf_addf(to, "#%u;", c);
        else
            ft_buf_addc(to, (char)c);
    }
}

static void add_line(struct ft_buf *to, const char *text, size_t len, size_t number)
{
    ft_buf_adds(to, number ? "<br/>" : "");
    add_escaped(to, text, len);
}

static void add_further(struct ft_buf *to, const char *text, size_t len, size_t number)
{
    (void)number;
    ft_buf_adds(to, "<br/>");
    add_escaped(to, text, len);
}

static void write_label(const struct gr_node *n, struct ft_buf *to)
{
    const char *status = gr_says_status(n) ? gr_status_words(n->status) : "";

    gr_wrap(to, n->title, TITLE_COLUMNS, TITLE_LINES, add_line);
    for (size_t i = 0; i < n->line_count; i++)
        gr_wrap(to, n->lines[i], LINE_COLUMNS, LINE_LINES, add_further);
    if (status[0])
        gr_wrap(to, status, LINE_COLUMNS, 1, add_further);
    if (n->seen)
        gr_wrap(to, n->seen, LINE_COLUMNS, LINE_LINES, add_further);
}

static const char *class_of(const struct gr_node *n)
{
    if (n->status == GR_NOT_REACHED)
        return "unreached";
    if (n->status == GR_FAILED)
        return "failed";
    if (n->shape == GR_OUTCOME)
        return n->end == FT_STATUS_OK ? "good" : n->end == FT_STATUS_ATTENTION ? "attention" : "failed";
    return n->writes ? "writes" : "reads";
}

static void write_node(const struct gr_node *n, const char *indent, struct ft_buf *to)
{
    static const struct { const char *open, *close; } shapes[] = {
        [GR_START] = { "([\"", "\"])" }, [GR_STEP] = { "[\"", "\"]" }, [GR_CALL] = { "[[\"", "\"]]" }, [GR_PERSON] = { "[/\"", "\"/]" },
        [GR_DECISION] = { "{\"", "\"}" }, [GR_OUTCOME] = { "(\"", "\")" }, [GR_JOIN] = { "((\"", "\"))" },
        [GR_CONNECTOR] = { ">\"", "\"]" },
    };

    ft_buf_addf(to, "%s%s%s", indent, n->name, shapes[n->shape].open);
    if (n->shape == GR_JOIN)
        ft_buf_addc(to, ' ');
    write_label(n, to);
    ft_buf_addf(to, "%s:::%s\n", shapes[n->shape].close, class_of(n));
}

static void write_edge(const struct gr_model *m, const struct gr_edge *edge, struct ft_buf *to)
{
    const char *arrow = edge->taken ? "==>" : edge->kind == GR_ERROR || edge->kind == GR_SKIP ? "-.->" : "-->";

    ft_buf_addf(to, "  %s %s", m->nodes[edge->from].name, arrow);
    if (edge->label) {
        ft_buf_adds(to, "|\"");
        gr_wrap(to, edge->label, CASE_COLUMNS, CASE_LINES, add_line);
        ft_buf_adds(to, "\"|");
    }
    ft_buf_addf(to, " %s\n", m->nodes[edge->to].name);
}

static void write_members(const struct gr_model *m, int group, const char *indent, struct ft_buf *to)
{
    char deeper[40];

    for (size_t i = 0; i < m->node_count; i++)
        if (m->nodes[i].group == group)
            write_node(&m->nodes[i], indent, to);
    snprintf(deeper, sizeof(deeper), "%s  ", indent);
    for (size_t i = 0; i < m->group_count; i++) {
        if (m->groups[i].within != group)
            continue;
        ft_buf_addf(to, "%ssubgraph %s [\"", indent, m->groups[i].name);
        gr_wrap(to, m->groups[i].title, TITLE_COLUMNS, 1, add_line);
        ft_buf_adds(to, "\"]\n");
        write_members(m, (int)i, deeper, to);
        ft_buf_addf(to, "%send\n", indent);
    }
}

void gr_write_mermaid(const struct gr_model *m, struct ft_buf *to)
{
    ft_buf_adds(to, "flowchart TD\n");
    write_members(m, GR_TOP, "  ", to);
    for (size_t i = 0; i < m->edge_count; i++)
        write_edge(m, &m->edges[i], to);
    /* fill and text are set together, so that a page's dark theme changes neither */
    ft_buf_adds(to, "  classDef reads fill:#f4f6f8,stroke:#3e4c59,color:#1f2933\n"
                    "  classDef writes fill:#ffe3d3,stroke:#8a3b12,color:#1f2933,stroke-width:2px\n"
                    "  classDef good fill:#e6f4ea,stroke:#1b6b36,color:#1f2933\n"
                    "  classDef attention fill:#fff4d6,stroke:#8a5a00,color:#1f2933\n"
                    "  classDef failed fill:#fde7e5,stroke:#a61b1b,color:#1f2933,stroke-width:3px\n"
                    "  classDef unreached fill:#ffffff,stroke:#9aa5b1,color:#52606d,stroke-dasharray:4 3\n");
}
