/* fettle graph */
#include <errno.h>
#include "base/text.h"
#include "base/util.h"
#include "cli/app.h"
#include "playbook/graph.h"

static struct {
    const char *what, *format, *output;
} o;

static const struct ft_opt opts[] = {
    { FT_OPT_ARG, 0, NULL, &o.what, "PLAYBOOK|RUN", "a playbook, or a run: the same flowchart with its way through it", "playbook" },
    { FT_OPT_STR, 'f', "format", &o.format, "svg|dot|mermaid", "what to draw (default svg)", "svg dot mermaid" },
    { FT_OPT_STR, 'o', "output", &o.output, "FILE", "write there instead of standard output", "file" },
    { 0 },
};

static int read_format(enum ft_graph_format *ret)
{
    static const char *const names[] = { "svg", "dot", "mermaid", NULL };
    static const enum ft_graph_format formats[] = { FT_GRAPH_SVG, FT_GRAPH_DOT, FT_GRAPH_MERMAID };

    *ret = FT_GRAPH_SVG;
    if (!o.format)
        return 0;
    for (size_t i = 0; names[i]; i++) {
        if (ft_streq(o.format, names[i])) {
            *ret = formats[i];
            return 0;
        }
    }
    return app_fail(2, "there is no format '%s': svg, dot or mermaid", o.format);
}

static int write_out(const char *text)
{
    FILE *to = o.output ? fopen(o.output, "w") : stdout;
    bool ok;

    if (!to)
        return app_fail(1, "cannot write %s: %s", o.output, strerror(errno));
    ok = fputs(text, to) >= 0 && fflush(to) == 0;
    if (o.output)
        ok = fclose(to) == 0 && ok;
    return ok ? 0 : app_fail(1, "cannot write %s: %s", o.output ? o.output : "standard output", strerror(errno));
}

static int run(void)
{
    struct app app;
    enum ft_graph_format format;
    struct ft_playbook *playbook = NULL;
    json_t *events = NULL, *way = NULL;
    struct ft_err err = { 0 };
    char *text = NULL, id[9];
    bool a_run = app_is_run(o.what);
    int status = read_format(&format);

    if (!status)
        status = app_open(&app, APP_CONFIG | APP_WORLD | (a_run ? APP_STORE : 0));
    if (status)
        return status;
    if (a_run) {
        status = app_run_events(&app, o.what, id, &events);
        playbook = status ? NULL : ft_run_stored_playbook(events, app.store, &app.world, &err);
        if (!status && !playbook)
            status = app_fail(1, "%s", err.text);
        way = status ? NULL : ft_run_way(events);
    } else {
        playbook = app_load_playbook(&app, o.what);
        status = playbook ? 0 : 2;
    }
    if (!status && ft_graph(playbook, format, way, &text, &err) < 0)
        status = app_fail(1, "%s", err.text);
    if (!status)
        status = write_out(text);
    free(text);
    json_decref(events);
    json_decref(way);
    ft_playbook_unref(playbook);
    app_close(&app);
    return status;
}

const struct ft_command cmd_graph = { "graph", "Draw a playbook as the flowchart on the wall, or a run as the way through it", opts, run, NULL };
