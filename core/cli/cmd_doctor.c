/* fettle doctor */
#include <unistd.h>
#include "base/util.h"
#include "cli/gate_text.h"
#include "data/json.h"
#include "store/audit.h"
#include "net/http.h"
#include "net/ssh.h"
#include "net/stream.h"
#include "store/audit.h"

static const struct ft_opt opts[] = { { 0 } };

static unsigned problems;

static void say(bool ok, const char *what, const char *text)
{
    bool colour = term_colour(stdout);

    problems += !ok;
    if (globals.json) {
        json_t *line = json_pack("{s:b, s:s, s:s}", "ok", ok, "what", what, "text", text);
        char *out = ft_json_text(line);

        puts(out);
        free(out);
        json_decref(line);
        return;
    }
    fputs("  ", stdout);
    term_put(stdout, colour, ok ? TONE_GOOD : TONE_BAD, ok ? "✓" : "✗");
    printf(" %-16s ", what);
    term_wrap(stdout, text, 21, 21, term_width(stdout));
    fputc('\n', stdout);
}

/* ---- the rails */

static char *count_rails(const struct ft_rails *rails)
{
    char *text = ft_asprintf("%zu polic%s, %zu window%s, %zu freeze%s, %zu categor%s of changes; `fettle policy` shows them", rails->rail_count - rails->change_count,
                             rails->rail_count - rails->change_count == 1 ? "y" : "ies", rails->window_count, rails->window_count == 1 ? "" : "s", rails->freeze_count,
                             rails->freeze_count == 1 ? "" : "s", rails->change_count, rails->change_count == 1 ? "y" : "ies");

    if (rails->rail_count || rails->window_count || rails->freeze_count || rails->change_count)
        return text;
    free(text);
    return ft_strdup("none: no policy holds any write");
}

static void look_at_rails(struct app *app)
{
    struct ft_guard_opts guard_opts = { .config = app->config };
    struct ft_err err = { 0 };
    struct ft_guard *guard = ft_guard_new(&guard_opts, &err);
    json_t *doubts = guard ? ft_guard_doubts(guard, ft_clock_wall_ms(ft_clock_system()), &err) : NULL, *one;
    char *text = count_rails(ft_config_rails(app->config));
    size_t i;

    if (!doubts)
        say(false, "policies", err.text);
    else
        say(true, "policies", text);
    json_array_foreach(doubts, i, one)
        say(false, "policies", json_string_value(one));
    free(text);
    json_decref(doubts);
    ft_guard_free(guard);
}

static void look_at_store(struct app *app)
{
    struct ft_err err = { 0 };
    const char *path = globals.store ? globals.store : ft_config_store(app->config);
    char *unreviewed;

    app->loop = ft_loop_new(NULL);
    if (ft_store_open(app->loop, path, &app->store, &err) < 0)
        say(false, "store", err.text);
    else
        say(true, "store", path);
    if (app->store) {
        char text[300];
        bool sealed = ft_store_sealing(app->store, text) == 0;

        say(sealed, "record", text);
    }
    unreviewed = app->store ? gate_unreviewed(app) : NULL;
    if (unreviewed)
        say(false, "to be reviewed", unreviewed);
    free(unreviewed);
}

static void look_at_plugins(struct app *app)
{
    const json_t *sections = json_object_get(ft_config_json(app->config), "plugins");

    for (const char *const *name = ft_registry_plugins(app->registry); *name; name++) {
        struct ft_err err = { 0 };
        bool configured = json_object_get(sections, *name) != NULL;
        char *what = ft_asprintf("plugin %s", *name);

        if (ft_registry_doctor(app->registry, *name, &err) == 0)
            say(true, what, configured ? "loads, and its configuration is right" : "loads; nothing is configured");
        else
            say(!configured && err.code != -ENOEXEC, what, err.text);
        free(what);
    }
}

static void look_at_library(const char *name, char *text)
{
    say(true, name, text ? text : "not there");
    free(text);
}

static void look_at_libraries(void)
{
    static const char *const libraries[] = { "libssh2", "libssh" };
    struct ft_loop *loop = ft_loop_new(NULL);
    struct ft_ssh *ssh = ft_ssh_new(loop, NULL);

    look_at_library("http", ft_http_describe());
    look_at_library("tls", ft_tls_describe());
    for (size_t i = 0; i < ARRAY_LEN(libraries); i++)
        look_at_library(libraries[i], ft_ssh_describe(ssh, libraries[i]));
    ft_ssh_free(ssh);
    ft_loop_free(loop);
}

static int run(void)
{
    struct app app;
    int status = app_open(&app, APP_CONFIG | APP_WORLD);

    if (status)
        return status;
    say(true, "configuration", *ft_config_path(app.config) ? ft_config_path(app.config) : "none: `fettle lab` writes one to try with");
    look_at_rails(&app);
    look_at_store(&app);
    ft_registry_use_loop(app.registry, app.loop);
    look_at_plugins(&app);
    look_at_libraries();
    app_close(&app);
    if (!globals.json)
        printf(problems ? "\n%u thing%s to mend\n" : "\nall is well\n", problems, problems == 1 ? "" : "s");
    return problems ? 1 : 0;
}

const struct ft_command cmd_doctor = { "doctor", "Is everything in place: configuration, policies, store, plugins, secrets, libraries", opts, run, NULL };
