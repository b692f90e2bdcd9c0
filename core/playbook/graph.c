#include "playbook/graph.h"
#include "playbook/graph_model.h"

int ft_graph(const struct ft_playbook *playbook, enum ft_graph_format format, const json_t *way, char **ret_text, struct ft_err *reterr)
{
    struct gr_model model;
    struct ft_buf text = FT_BUF_INIT(0), svg = FT_BUF_INIT(0);
    int r = 0;

    gr_build(&model, playbook, way);
    model.marked = format == FT_GRAPH_SVG;
    if (format == FT_GRAPH_MERMAID)
        gr_write_mermaid(&model, &text);
    else
        gr_write_dot(&model, &text);
    if (format == FT_GRAPH_SVG)
        r = gr_render_svg(ft_buf_str(&text), &svg, reterr);
    if (r == 0)
        *ret_text = ft_buf_take(format == FT_GRAPH_SVG ? &svg : &text);
    gr_done(&model);
    ft_buf_done(&text);
    ft_buf_done(&svg);
    return r;
}
