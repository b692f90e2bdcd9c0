#include "playbook/graph.h"
#include "playbook/graph_model.h"

enum { SVG_NODES_MAX = 1500 };        /* about 400 steps, some seconds of layout */

static int write_svg(const struct gr_model *model, const char *dot, struct ft_buf *to, struct ft_err *reterr)
{
    if (model->node_count > SVG_NODES_MAX)
        return ft_err_set(reterr, -E2BIG, "cannot draw SVG: %zu boxes are too many to lay out; take --format dot or mermaid", model->node_count);
    return gr_render_svg(dot, to, reterr);
}

int ft_graph(const struct ft_playbook *playbook, enum ft_graph_format format, const json_t *way, char **ret_text, struct ft_err *reterr)
{
    struct gr_model model;
    struct ft_buf text = FT_BUF_INIT(0), svg = FT_BUF_INIT(0);
    int r = 0;

    gr_build(&model, playbook, way);
    gr_shorten(&model);
    model.marked = format == FT_GRAPH_SVG;
    if (format == FT_GRAPH_MERMAID)
        gr_write_mermaid(&model, &text);
    else
        gr_write_dot(&model, &text);
    if (format == FT_GRAPH_SVG)
        r = write_svg(&model, ft_buf_str(&text), &svg, reterr);
    if (r == 0)
        *ret_text = ft_buf_take(format == FT_GRAPH_SVG ? &svg : &text);
    gr_done(&model);
    ft_buf_done(&text);
    ft_buf_done(&svg);
    return r;
}
