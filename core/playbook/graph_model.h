/* graph_model.h: a playbook as boxes, diamonds and arrows, before it is written as DOT, Mermaid or SVG. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "playbook/graph.h"

enum gr_shape {
    GR_START, GR_STEP, GR_CALL, GR_PERSON,      /* boxes: a step; another playbook; where people are asked */
    GR_DECISION, GR_OUTCOME,
    GR_JOIN,                                    /* where a parallel or a for_each comes together again */
    GR_CONNECTOR,                               /* stands for a node that is drawn elsewhere */
};

/* What became of a step in the run that is drawn. */
enum gr_status { GR_NO_RUN, GR_NOT_REACHED, GR_DONE, GR_SKIPPED, GR_UNDONE, GR_UNKNOWN, GR_RUNNING, GR_PARKED, GR_FAILED };

enum { GR_LINES_MAX = 8, GR_TOP = -1 };

struct gr_node {
    const char *name;                           /* unique, a word: "step_association" */
    enum gr_shape shape;
    int group;                                  /* index of the group it stands in, or GR_TOP */
    const char *title;
    const char *lines[GR_LINES_MAX];            /* what is said below the title */
    size_t line_count;
    const char *seen;                           /* one line of the run; NULL */
    unsigned writes;                            /* 0: reads, 1: writes, 2: users notice */
    enum ft_status end;                         /* of an outcome */
    enum gr_status status;
    size_t index;                               /* in its list's steps */
};

enum gr_edge_kind { GR_NEXT, GR_CASE, GR_SKIP, GR_ERROR };

struct gr_edge {
    size_t from, to;
    enum gr_edge_kind kind;
    const char *label;                          /* NULL: none */
    bool taken;
};

struct gr_group { const char *name, *title; int within; };

struct gr_model {
    struct ft_arena *mem;
    const struct ft_playbook *playbook;
    const json_t *way;
    struct gr_node *nodes; size_t node_count;
    struct gr_edge *edges; size_t edge_count;
    struct gr_group *groups; size_t group_count;
    bool marked;                                /* DOT for our own SVG: the smaller lines begin with GR_SMALL */
};
#define GR_SMALL "\x7f"

void gr_build(struct gr_model *model, const struct ft_playbook *playbook, const json_t *way);
void gr_shorten(struct gr_model *model);        /* graph_short.c */
void gr_done(struct gr_model *model);

/* "✓ done"; "" without a run. In words and signs, so that no colour is needed. */
const char *gr_status_words(enum gr_status status);
const char *gr_status_class(enum gr_status status);
bool gr_says_status(const struct gr_node *node);
/* The text in lines of at most `columns`, at most `lines` of them, the rest as "…". For each line: add(to, text, len, number). */
typedef void gr_add_line(struct ft_buf *to, const char *text, size_t len, size_t number);
void gr_wrap(struct ft_buf *to, const char *text, size_t columns, size_t lines, gr_add_line *add);

void gr_write_dot(const struct gr_model *model, struct ft_buf *to);
void gr_write_mermaid(const struct gr_model *model, struct ft_buf *to);
int gr_render_svg(const char *dot, struct ft_buf *to, struct ft_err *reterr);
