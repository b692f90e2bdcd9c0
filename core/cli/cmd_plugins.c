/* fettle plugins */
#include "base/util.h"
#include "cli/app.h"
#include "data/json.h"

static struct {
    const char *plugin, *action;
} o;

static const struct ft_opt opts[] = {
    { FT_OPT_OPTIONAL_ARG, 0, NULL, &o.plugin, "NAME", "a plugin", "plugin" },
    { FT_OPT_OPTIONAL_ARG, 0, NULL, &o.action, "ACTION", "one of its actions", NULL },
    { 0 },
};

static void list_json(const struct ft_plugin *plugin)
{
    json_t *actions = json_array();
    json_t *line;
    char *text;

    for (const struct ft_action *const *a = plugin->actions; *a; a++)
        json_array_append_new(actions, json_pack("{s:s, s:s, s:i}", "name", (*a)->name, "summary", (*a)->summary, "effects", (int)(*a)->effects));
    line = json_pack("{s:s, s:s, s:s, s:o}", "plugin", plugin->name, "version", plugin->version, "summary", plugin->summary, "actions", actions);
    text = ft_json_text(line);
    puts(text);
    free(text);
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

static int run(void)
{
    struct app app;
    struct ft_err err = { 0 };
    char *page, *plugin = ft_strdup(o.plugin), *dot;
    int status = app_open(&app, APP_CONFIG | APP_WORLD);

    if (status) {
        free(plugin);
        return status;
    }
    if (!plugin) {
        status = list(&app);
    } else {
        dot = strchr(plugin, '.');
        if (dot && !o.action) {
            *dot = '\0';
            o.action = dot + 1;
        }
        page = ft_registry_page(app.registry, plugin, o.action, &err);
        if (page)
            fputs(page, stdout);
        else
            status = app_fail(2, "%s", err.text);
        free(page);
    }
    free(plugin);
    app_close(&app);
    return status;
}

const struct ft_command cmd_plugins = { "plugins", "What can be done: the plugins, their actions, the page of an action", opts, run, NULL };
