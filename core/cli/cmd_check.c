/* fettle check */
#include "base/util.h"
#include "cli/app.h"
#include "data/json.h"

static struct {
    struct ft_rest files;
    bool quiet;
} o;

static const struct ft_opt opts[] = {
    { FT_OPT_REST, 0, NULL, &o.files, "PLAYBOOK …", "files or names; without any, only the configuration is checked", "playbook" },
    { FT_OPT_FLAG, 'q', "quiet", &o.quiet, NULL, "say nothing when all is well", NULL },
    { 0 },
};

static void say_ok(const struct ft_playbook *playbook)
{
    size_t outcomes;

    ft_playbook_outcomes(playbook, &outcomes);
    if (globals.json) {
        json_t *line = json_pack("{s:s, s:s, s:s, s:i, s:i}", "playbook", ft_playbook_name(playbook), "file", ft_playbook_path(playbook), "digest",
                                 ft_playbook_digest(playbook), "steps", (int)ft_playbook_steps(playbook)->count, "outcomes", (int)outcomes);
        char *text = ft_json_text(line);

        puts(text);
        free(text);
        json_decref(line);
        return;
    }
    printf("%s: ok, %zu steps, %zu outcomes, digest %.8s\n", ft_playbook_path(playbook), ft_playbook_steps(playbook)->count, outcomes, ft_playbook_digest(playbook));
}

static int run(void)
{
    struct app app;
    int status = app_open(&app, APP_CONFIG | APP_WORLD);

    if (status)
        return status;
    if (!o.files.count && !o.quiet)
        printf("%s: ok\n", *ft_config_path(app.config) ? ft_config_path(app.config) : "no configuration");
    for (size_t i = 0; i < o.files.count; i++) {
        struct ft_playbook *playbook = app_load_playbook(&app, o.files.items[i]);

        if (!playbook)
            status = 2;
        else if (!o.quiet)
            say_ok(playbook);
        ft_playbook_unref(playbook);
    }
    app_close(&app);
    return status;
}

const struct ft_command cmd_check = {
    "check", "Find every mistake in playbooks before they run", opts, run,
    "Mistakes are printed as file:line:column with the line and a caret; exit status 2 when there is any.\n",
};
