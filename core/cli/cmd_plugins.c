/* fettle plugins */
#include "base/util.h"
#include "cli/app.h"
#include "data/json.h"
#include "plugin/lint.h"

static struct {
    const char *plugin;
    struct ft_rest rest;
} o;

static const struct ft_opt opts[] = {
    { FT_OPT_OPTIONAL_ARG, 0, NULL, &o.plugin, "NAME", "a plugin, or the word lint", "plugin lint" },
    { FT_OPT_REST, 0, NULL, &o.rest, "ACTION", "one of its actions; after lint: files of plugins", "file" },
    { 0 },
};

static void print_json(const json_t *value)
{
    char *text = ft_json_text(value);

    puts(text);
    free(text);
}

static void list_json(const struct ft_plugin *plugin)
{
    json_t *actions = json_array();
    json_t *line;

    for (const struct ft_action *const *a = plugin->actions; *a; a++)
        json_array_append_new(actions, json_pack("{s:s, s:s, s:i}", "name", (*a)->name, "summary", (*a)->summary, "effects", (int)(*a)->effects));
    line = json_pack("{s:s, s:s, s:s, s:o}", "plugin", plugin->name, "version", plugin->version, "summary", plugin->summary, "actions", actions);
    print_json(line);
    json_decref(line);
}

static int list(struct app *app)
{
    int status = 0;

    for (const char *const *name = ft_registry_plugins(app->registry); *name; name++) {
        const struct ft_plugin *plugin;
        struct ft_err err = { 0 };
        size_t count = 0;

        if (ft_registry_plugin(app->registry, *name, &plugin, &err) < 0) {
            status = app_fail(1, "%s", err.text);
            continue;
        }
        if (globals.json) {
            list_json(plugin);
            continue;
        }
        while (plugin->actions[count])
            count++;
        printf("%-10s %-8s %3zu actions  %s\n", plugin->name, plugin->version, count, plugin->summary);
    }
    if (!globals.json)
        printf("\n`fettle plugins NAME` lists the actions of one, `fettle plugins NAME ACTION` prints the page of an action.\n");
    return status;
}

/* ---- lint */

static void print_finding(void *arg, const struct ft_lint_finding *finding)
{
    size_t *advice = arg;
    const char *kind = finding->error ? "error" : "advice";

    *advice += !finding->error;
    if (globals.json) {
        json_t *line = json_pack("{s:s, s:s, s:s}", "kind", kind, "where", finding->where, "text", finding->text);

        print_json(line);
        json_decref(line);
    } else {
        printf("%s: %s: %s\n", finding->where, kind, finding->text);
    }
}

static int lint(void)
{
    size_t advice = 0;
    int errors = 0;

    if (!o.rest.count)
        return app_fail(2, "which files? fettle plugins lint FILE.so …");
    for (size_t i = 0; i < o.rest.count; i++)
        errors += ft_plugin_lint(o.rest.items[i], print_finding, &advice);
    if (!globals.json)
        printf("%d error%s, %zu piece%s of advice\n", errors, errors == 1 ? "" : "s", advice, advice == 1 ? "" : "s");
    return errors ? 1 : 0;
}

/* ---- pages */

/* A line of JSON each. */
static bool print_described(struct app *app, const char *plugin, const char *action, struct ft_err *reterr)
{
    json_t *described = ft_registry_describe(app->registry, plugin, action, reterr), *one;
    size_t i;

    if (json_is_array(described))
        json_array_foreach(described, i, one)
            print_json(one);
    else if (described)
        print_json(described);
    json_decref(described);
    return described != NULL;
}

static bool print_text(struct app *app, const char *plugin, const char *action, struct ft_err *reterr)
{
    char *page = ft_registry_page(app->registry, plugin, action, reterr);

    if (page)
        fputs(page, stdout);
    free(page);
    return page != NULL;
}

static int print_page(struct app *app)
{
    struct ft_err err = { 0 };
    char *plugin = ft_strdup(o.plugin), *dot = strchr(plugin, '.');
    const char *action = o.rest.count ? o.rest.items[0] : NULL;
    int status = 0;

    if (dot && !action) {
        *dot = '\0';
        action = dot + 1;
    }
    if (!(globals.json ? print_described : print_text)(app, plugin, action, &err))
        status = app_fail(2, "%s", err.text);
    free(plugin);
    return status;
}

static int run(void)
{
    struct app app;
    int status;

    if (o.plugin && ft_streq(o.plugin, "lint"))
        return lint();
    if (o.rest.count > 1)
        return app_fail(2, "'%s' is one argument too many", o.rest.items[1]);
    status = app_open(&app, APP_CONFIG | APP_WORLD);
    if (status)
        return status;
    status = o.plugin ? print_page(&app) : list(&app);
    app_close(&app);
    return status;
}

const struct ft_command cmd_plugins = {
    "plugins", "What can be done: the plugins, their actions, the page of an action", opts, run,
    "`fettle plugins lint FILE.so` is for whoever writes one: it says what fettle would refuse about the file, and what its users would miss.\n"
    "Exit status 1 when there is an error; advice alone is 0.",
};
