/* graph_svg.c: DOT as SVG, by Graphviz's library. It is loaded on first use, and of its plugins just two, by hand: the others
 * (fonts, cairo, GTK) would cost more than the drawing. */
#include <dlfcn.h>
#include "playbook/graph_model.h"
#include "base/util.h"

struct symbols { const char *name; void *address; };      /* Graphviz's lt_symlist_t */

struct graphviz {
    void *(*context)(const struct symbols *builtins, int load_others);
    int (*free_context)(void *context);
    int (*layout)(void *context, void *graph, const char *engine);
    int (*free_layout)(void *context, void *graph);
    int (*render)(void *context, void *graph, const char *format, char **result, unsigned *len);
    void (*free_result)(char *result);
    void *(*read)(const char *text);
    int (*close)(void *graph);
    void *(*set_error_function)(int (*report)(char *text));
    struct symbols plugins[3];
};

/* ---- Loading ----------------------------------------------------------------------------------------------------- */

static bool find_functions(struct graphviz *gv, void *gvc, void *cgraph)
{
    const struct { void *library; const char *name; void *slot; } functions[] = {
        { gvc, "gvContextPlugins", &gv->context }, { gvc, "gvFreeContext", &gv->free_context }, { gvc, "gvLayout", &gv->layout },
        { gvc, "gvFreeLayout", &gv->free_layout }, { gvc, "gvRenderData", &gv->render }, { gvc, "gvFreeRenderData", &gv->free_result },
        { cgraph, "agmemread", &gv->read }, { cgraph, "agclose", &gv->close }, { cgraph, "agseterrf", &gv->set_error_function },
    };

    for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
        void *address = dlsym(functions[i].library, functions[i].name);

        if (!address)
            return false;
        memcpy(functions[i].slot, &address, sizeof(address));
    }
    return true;
}

/* The plugins lie in graphviz/ beside the library. */
static bool find_plugins(struct graphviz *gv, void *gvc, const char *version)
{
    static const struct { const char *file, *symbol; } plugins[] = {
        { "core", "gvplugin_core_LTX_library" }, { "dot_layout", "gvplugin_dot_layout_LTX_library" },
    };
    Dl_info info;
    const char *slash;

    if (!dladdr(dlsym(gvc, "gvContextPlugins"), &info) || !(slash = strrchr(info.dli_fname, '/')))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(plugins); i++) {
        char *path = ft_asprintf("%.*s/graphviz/libgvplugin_%s.so%s", (int)(slash - info.dli_fname), info.dli_fname, plugins[i].file, version);
        void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

        free(path);
        gv->plugins[i].name = plugins[i].symbol;
        gv->plugins[i].address = library ? dlsym(library, plugins[i].symbol) : NULL;
        if (!gv->plugins[i].address)
            return false;
    }
    return true;
}

static bool load(struct graphviz *gv)
{
    static const char *const versions[] = { ".6", ".7" };
    bool found = false;

    for (size_t i = 0; i < ARRAY_LEN(versions) && !found; i++) {
        char *gvc_name = ft_asprintf("libgvc.so%s", versions[i]), *cgraph_name = ft_asprintf("libcgraph.so%s", versions[i]);
        void *gvc = dlopen(gvc_name, RTLD_NOW | RTLD_LOCAL), *cgraph = gvc ? dlopen(cgraph_name, RTLD_NOW | RTLD_LOCAL) : NULL;

        found = gvc && cgraph && find_functions(gv, gvc, cgraph) && find_plugins(gv, gvc, versions[i]);
        free(gvc_name);
        free(cgraph_name);
    }
    return found;
}

/* Loaded once, never unloaded; NULL: it is not there. */
static const struct graphviz *graphviz(void)
{
    static struct graphviz gv;
    static enum { NOT_TRIED, THERE, MISSING } state;

    if (state == NOT_TRIED)
        state = load(&gv) ? THERE : MISSING;
    return state == THERE ? &gv : NULL;
}

/* ---- Drawing ----------------------------------------------------------------------------------------------------- */

/* Graphviz reports to a function without an argument. */
static struct ft_buf complaints;

static int take_complaint(char *text)
{
    ft_buf_addf(&complaints, "%s%.*s", complaints.len ? " " : "", (int)strcspn(text, "\n"), text);
    return 0;
}

/* Both themes say what the lines and words say already. */
static const char style_sheet[] =
    "<style>\n"
    ".fettle-flow text { fill: #1f2933; }\n"
    ".fettle-flow .unreached text, .fettle-flow .untaken text { fill: #52606d; }\n"
    ".fettle-flow .cluster path { fill: none; }\n"
    ".fettle-flow .unreached polygon, .fettle-flow .unreached path { fill: #ffffff; stroke: #7b8794; }\n"
    ".fettle-flow .failed polygon, .fettle-flow .failed path { stroke: #a61b1b; }\n"
    "@media (prefers-color-scheme: dark) {\n"
    ".fettle-flow .graph > polygon { fill: #12181f; stroke: none; }\n"
    ".fettle-flow text { fill: #e4e7eb; }\n"
    ".fettle-flow .unreached text, .fettle-flow .untaken text { fill: #9aa5b1; }\n"
    ".fettle-flow .node polygon, .fettle-flow .node path { fill: #1f2933; stroke: #9fb3c8; }\n"
    ".fettle-flow .node polyline { stroke: #9fb3c8; }\n"
    ".fettle-flow .writes polygon { fill: #3a2f10; stroke: #e9b949; }\n"
    ".fettle-flow .disrupts polygon { fill: #42210b; stroke: #f0a070; }\n"
    ".fettle-flow .ok path { fill: #123a22; stroke: #6fcf97; }\n"
    ".fettle-flow .attention path { fill: #3a2f10; stroke: #e9b949; }\n"
    ".fettle-flow .bad path, .fettle-flow .failed polygon { fill: #431616; stroke: #f29b9b; }\n"
    ".fettle-flow .unreached polygon, .fettle-flow .unreached path { fill: #12181f; stroke: #7b8794; }\n"
    ".fettle-flow .join ellipse { fill: #9fb3c8; stroke: #9fb3c8; }\n"
    ".fettle-flow .edge path { stroke: #9fb3c8; }\n"
    ".fettle-flow .edge polygon { fill: #9fb3c8; stroke: #9fb3c8; }\n"
    ".fettle-flow .untaken path { stroke: #52606d; }\n"
    ".fettle-flow .untaken polygon { fill: #52606d; stroke: #52606d; }\n"
    "}\n"
    "</style>\n";

/* One <text …> of a box: bold when it belongs to the title, else smaller. Graphviz sized the box for the title's font. Returns what follows. */
static const char *add_text(struct ft_buf *to, const char *text)
{
    static const char title_size[] = " font-size=\"12.00\"";
    const char *end = strchr(text, '>') + 1, *size = strstr(text, title_size);

    if (!size || size > end) {
        ft_buf_add(to, text, (size_t)(end - text));
        return end;
    }
    ft_buf_add(to, text, (size_t)(size - text));
    ft_buf_adds(to, *end == GR_SMALL[0] ? " font-size=\"10.00\"" : " font-size=\"12.00\" font-weight=\"bold\"");
    ft_buf_add(to, size + sizeof(title_size) - 1, (size_t)(end - size) - (sizeof(title_size) - 1));
    return end + (*end == GR_SMALL[0]);
}

static void add_body(struct ft_buf *to, const char *svg)
{
    const char *text;

    while ((text = strstr(svg, "<text ")) != NULL) {
        ft_buf_add(to, svg, (size_t)(text - svg));
        svg = add_text(to, text);
    }
    ft_buf_adds(to, svg);
}

/* Without the document type, which names a file on the web, and with the style sheet. */
static int add_dressed(struct ft_buf *to, const char *svg, struct ft_err *reterr)
{
    static const char element[] = "<svg ";
    const char *start = strstr(svg, element), *end = start ? strchr(start, '>') : NULL;

    if (!end)
        return ft_err_set(reterr, -EIO, "cannot draw it: Graphviz gave no SVG");
    ft_buf_adds(to, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg class=\"fettle-flow\" ");
    ft_buf_add(to, start + sizeof(element) - 1, (size_t)(end + 1 - start) - (sizeof(element) - 1));
    ft_buf_addc(to, '\n');
    ft_buf_adds(to, style_sheet);
    add_body(to, end + 1 + (end[1] == '\n'));
    return 0;
}

static int draw(const struct graphviz *gv, void *context, void *graph, struct ft_buf *to, struct ft_err *reterr)
{
    char *svg = NULL;
    unsigned len = 0;
    int r;

    if (!graph || gv->layout(context, graph, "dot") != 0)
        return ft_err_set(reterr, -EIO, "cannot draw it: Graphviz says: %s", ft_buf_str(&complaints));
    if (gv->render(context, graph, "svg", &svg, &len) == 0 && svg)
        r = add_dressed(to, svg, reterr);
    else
        r = ft_err_set(reterr, -EIO, "cannot draw it: Graphviz says: %s", ft_buf_str(&complaints));
    if (svg)
        gv->free_result(svg);
    gv->free_layout(context, graph);
    return r;
}

int gr_render_svg(const char *dot, struct ft_buf *to, struct ft_err *reterr)
{
    const struct graphviz *gv = graphviz();
    void *context, *graph;
    int r;

    if (!gv)
        return ft_err_set(reterr, -ENOENT, "cannot draw SVG without Graphviz's library: install libgvc6, or take --format dot or mermaid");
    complaints = FT_BUF_INIT(4096);
    gv->set_error_function(take_complaint);
    context = gv->context(gv->plugins, /* load_others= */ 0);
    graph = gv->read(dot);
    r = draw(gv, context, graph, to, reterr);
    if (graph)
        gv->close(graph);
    gv->free_context(context);
    gv->set_error_function(NULL);
    ft_buf_done(&complaints);
    return r;
}
