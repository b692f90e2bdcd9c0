/* graph.h: a playbook drawn as the flowchart on the wall; a run drawn as the way through it. */
#pragma once
#include "playbook/playbook.h"

enum ft_graph_format { FT_GRAPH_SVG, FT_GRAPH_DOT, FT_GRAPH_MERMAID };

/* The way of a run: {"steps": {id: {"status": "done|failed|skipped|running|parked|undone|unknown", "seen": "one line"}}, "edges": [["from id", "to id or outcome"]],
 * "outcome": name}. NULL: the bare playbook. */
int ft_graph(const struct ft_playbook *playbook, enum ft_graph_format format, const json_t *way, char **ret_text, struct ft_err *reterr);
