/* graph_short.c: long arrows, of which many meet at one place, become connectors: "→ It failed" where the arrow begins, as on paper. Without
 * it a playbook of fifty steps that each lead to one outcome on error takes dot minutes, and nobody could follow the lines. */
#include "playbook/graph_model.h"
#include "base/util.h"

enum { SPAN_MAX = 400, LONG = 6 };

/* How far down each node stands: one below the lowest that leads to it. Arrows only lead forward, so this ends. */
static void rank_nodes(const struct gr_model *m, unsigned *rank)
{
    for (bool moved = true; moved; ) {
        moved = false;
        for (size_t i = 0; i < m->edge_count; i++) {
            const struct gr_edge *edge = &m->edges[i];

            if (rank[edge->to] <= rank[edge->from]) {
                rank[edge->to] = rank[edge->from] + 1;
                moved = true;
            }
        }
    }
}

static unsigned length(const struct gr_edge *edge, const unsigned *rank)
{
    return rank[edge->to] - rank[edge->from];
}

/* The sum of all arrows' lengths; *ret_worst: the node that the longest lead to, all together. */
static size_t all_lengths(const struct gr_model *m, const unsigned *rank, size_t *ret_worst)
{
    size_t *into = ft_calloc(m->node_count, sizeof(*into)), all = 0;

    *ret_worst = 0;
    for (size_t i = 0; i < m->edge_count; i++) {
        unsigned len = length(&m->edges[i], rank);

        all += len;
        into[m->edges[i].to] += len > LONG ? len : 0;
    }
    for (size_t i = 0; i < m->node_count; i++)
        *ret_worst = into[i] > into[*ret_worst] ? i : *ret_worst;
    all = into[*ret_worst] ? all : 0;                /* nothing that could be made shorter */
    free(into);
    return all;
}

static size_t add_connector(struct gr_model *m, const struct gr_edge *edge)
{
    struct gr_node node = m->nodes[edge->to];

    node.shape = GR_CONNECTOR;
    node.group = m->nodes[edge->from].group;
    node.name = ft_arena_printf(m->mem, "to_%zu", m->node_count);
    node.title = ft_arena_printf(m->mem, "→ %s", node.title);
    node.line_count = 0;
    node.seen = NULL;
    if (m->way)
        node.status = edge->taken ? GR_DONE : GR_NOT_REACHED;
    m->nodes = ft_realloc(m->nodes, (m->node_count + 1) * sizeof(*m->nodes));
    m->nodes[m->node_count] = node;
    return m->node_count++;
}

void gr_shorten(struct gr_model *m)
{
    for (;;) {
        unsigned *rank = ft_calloc(m->node_count, sizeof(*rank));
        size_t worst;
        bool enough;

        rank_nodes(m, rank);
        enough = all_lengths(m, rank, &worst) <= SPAN_MAX;
        for (size_t i = 0; i < m->edge_count && !enough; i++)
            if (m->edges[i].to == worst && length(&m->edges[i], rank) > LONG)
                m->edges[i].to = add_connector(m, &m->edges[i]);
        free(rank);
        if (enough)
            return;
    }
}
