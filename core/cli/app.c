#include "cli/app.h"
#include "cli/ask.h"
#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/log.h"
#include "base/paths.h"
#include "base/text.h"
#include "base/util.h"
#include "data/json.h"

int app_fail(int status, const char *fmt, ...)
{
    va_list ap;

    fputs("fettle: error: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return status;
}

void app_put_json(const json_t *value)
{
    char *text = ft_json_text(value);

    puts(text);
    free(text);
}

void app_print_diags(struct ft_diags *diags)
{
    json_t *all, *one;
    size_t i;

    if (!globals.json) {
        ft_diags_print(diags, stderr, term_colour(stderr));
        return;
    }
    all = ft_diags_json(diags);
    json_array_foreach(all, i, one) {
        char *text = ft_json_text(one);

        puts(text);
        free(text);
    }
    json_decref(all);
}

/* ---- the world of the playbook loader, made of the registry */

static int world_action(void *arg, const char *full, const struct ft_action_info **ret, struct ft_err *reterr)
{
    return ft_registry_action(arg, full, ret, reterr);
}

static const json_t *world_params(const struct ft_action_info *info)
{
    return info->params_json;
}

static const json_t *world_result(const struct ft_action_info *info)
{
    return info->result_json;
}

static unsigned world_effects(const struct ft_action_info *info)
{
    return info->action->effects;
}

static bool world_has_undo(const struct ft_action_info *info)
{
    return info->action->undo.start != NULL;
}

static const char *world_name(const struct ft_action_info *info)
{
    return info->full;
}

static bool world_window(void *arg, const char *name, const char **ret_near)
{
    return ft_rails_has_window(arg, name, ret_near);
}

static int open_config(struct app *app)
{
    struct ft_diags *diags = ft_diags_new();
    bool found;

    app->config = ft_config_load(globals.config, &found, diags);
    if (!app->config)
        app_print_diags(diags);
    ft_diags_free(diags);
    return app->config ? 0 : 2;
}

/* The data folder is the one that the store lies in; malloced, absolute. */
static char *state_dir(const struct app *app)
{
    const char *store = globals.store ? globals.store : ft_config_store(app->config), *slash = strrchr(store, '/');
    char *here, *dir;

    if (*store == '/')
        return ft_strndup(store, slash == store ? 1 : (size_t)(slash - store));
    here = getcwd(NULL, 0);
    dir = slash ? ft_asprintf("%s/%.*s", here ? here : "", (int)(slash - store), store) : ft_strdup(here ? here : "/");
    free(here);
    return dir;
}

static void open_world(struct app *app, bool calls)
{
    char *dir = state_dir(app);
    struct ft_registry_opts opts = { .loop = calls ? app->loop : NULL, .secrets = app->secrets, .config = ft_config_json(app->config),
                                      .state_dir = dir, .more_dirs = ft_config_plugin_dirs(app->config),
                                      .config_path = *ft_config_path(app->config) ? ft_config_path(app->config) : NULL };

    app->script = ft_script_new(ft_path_lua());
    app->registry = ft_registry_new(&opts);
    free(dir);
    app->world = (struct ft_playbook_world){
        .script = app->script, .action = world_action, .params_schema = world_params, .result_schema = world_result, .effects = world_effects,
        .has_undo = world_has_undo, .full_name = world_name, .arg = app->registry, .window = world_window, .window_arg = (void *)ft_config_rails(app->config),
    };
}

/* What is not said is 0: the engine's own. */
static struct ft_undo_policy undo_policy(const struct ft_config *config)
{
    const json_t *undo = json_object_get(ft_config_json(config), "undo");
    struct ft_undo_policy policy = { .tries = (unsigned)ft_json_int(undo, "tries", 0) };

    ft_duration_parse(ft_json_str(undo, "wait") ? ft_json_str(undo, "wait") : "", &policy.wait_ms);
    ft_duration_parse(ft_json_str(undo, "longest") ? ft_json_str(undo, "longest") : "", &policy.longest_ms);
    return policy;
}

static void open_secrets(struct app *app)
{
    const char *path = ft_config_path(app->config), *slash = strrchr(path, '/');
    char *dir = slash ? ft_strndup(path, slash == path ? 1 : (size_t)(slash - path)) : NULL;
    struct ft_secrets_opts opts = { .config = json_object_get(ft_config_json(app->config), "secrets"), .dir = dir, .ask = ask_secret };

    app->secrets = ft_secrets_new();
    ft_secrets_setup(app->secrets, &opts);
    free(dir);
}

int app_open(struct app *app, unsigned parts)
{
    struct ft_err err = { 0 };
    struct ft_engine_opts opts;
    int r;

    memset(app, 0, sizeof(*app));
    if (globals.verbose)
        ft_log_set_level(FT_LOG_INFO);
    r = open_config(app);
    if (r)
        return r;
    open_secrets(app);
    if (parts & (APP_STORE | APP_ENGINE))
        app->loop = ft_loop_new(NULL);
    if (parts & (APP_WORLD | APP_ENGINE))
        open_world(app, parts & APP_ENGINE);
    if ((parts & (APP_STORE | APP_ENGINE)) && ft_store_open(app->loop, globals.store ? globals.store : ft_config_store(app->config), &app->store, &err) < 0) {
        app_fail(1, "%s", err.text);
        app_close(app);
        return 1;
    }
    if (parts & (APP_STORE | APP_ENGINE)) {
        app_set_up_store(app);
        struct ft_guard_opts guard_opts = { .config = app->config, .store = app->store };

        app->guard = ft_guard_new(&guard_opts, &err);
        if (!app->guard) {
            app_fail(2, "%s", err.text);
            app_close(app);
            return 2;
        }
        term_zone(ft_guard_zone(app->guard));
    }
    if (parts & APP_ENGINE) {
        app_retain_daily(app);
        opts = (struct ft_engine_opts){ .loop = app->loop, .store = app->store, .registry = app->registry, .secrets = app->secrets, .world = &app->world,
                                         .config = app->config, .guard = app->guard, .undo = undo_policy(app->config), .lock_wait_ms = ft_config_lock_wait_ms(app->config) };
        app->engine = ft_engine_new(&opts);
    }
    return 0;
}

void app_close(struct app *app)
{
    ft_engine_free(app->engine);
    term_zone(NULL);
    ft_guard_free(app->guard);
    ft_registry_free(app->registry);
    ft_store_close(app->store);               /* last of those that write */
    ft_script_free(app->script);
    ft_loop_free(app->loop);
    ft_secrets_free(app->secrets);
    ft_config_free(app->config);
    memset(app, 0, sizeof(*app));
}

/* ---- playbooks by name */

static char *in_folder(const char *folder, const char *name)
{
    static const char *const kinds[] = { "", "incident/", "change/", "check/" };

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        char *path = ft_asprintf("%s/%s%s.yaml", folder, kinds[i], name);

        if (access(path, R_OK) == 0)
            return path;
        free(path);
    }
    return NULL;
}

static void names_in(const char *folder, const char ***names, size_t *count)
{
    DIR *dir = opendir(folder);
    struct dirent *e;

    while (dir && (e = readdir(dir))) {
        size_t len = strlen(e->d_name);

        if (len < 6 || strcmp(e->d_name + len - 5, ".yaml") || (len > 10 && strcmp(e->d_name + len - 10, ".test.yaml") == 0))
            continue;
        *names = ft_realloc(*names, (*count + 2) * sizeof(char *));
        (*names)[(*count)++] = ft_strndup(e->d_name, len - 5);
        (*names)[*count] = NULL;
    }
    if (dir)
        closedir(dir);
}

static void no_such_playbook(const char *const *folders, const char *name)
{
    static const char *const kinds[] = { "", "/incident", "/change", "/check" };
    const char **names = NULL;
    const char *near;
    size_t count = 0;

    for (; *folders; folders++) {
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
            char *path = ft_asprintf("%s%s", *folders, kinds[i]);

            names_in(path, &names, &count);
            free(path);
        }
    }
    near = names ? ft_suggest(name, names) : NULL;
    if (near)
        app_fail(2, "there is no playbook '%s', did you mean '%s'?", name, near);
    else
        app_fail(2, "there is no playbook '%s': name a file, or one of those in ./playbooks", name);
    for (size_t i = 0; i < count; i++)
        free((char *)names[i]);
    free(names);
}

char *app_find_playbook(const struct app *app, const char *name)
{
    const json_t *configured = json_object_get(ft_config_json(app->config), "playbooks");
    const char *folders[20] = { 0 };
    char *own = ft_asprintf("%s/../playbooks", ft_path_lua());
    char *path = NULL;
    size_t n = 0, i;
    json_t *folder;

    if (strchr(name, '/') || (strlen(name) > 5 && ft_streq(name + strlen(name) - 5, ".yaml"))) {
        free(own);
        return ft_strdup(name);
    }
    json_array_foreach((json_t *)configured, i, folder)
        if (n < 16 && json_is_string(folder))
            folders[n++] = json_string_value(folder);
    folders[n++] = "playbooks";
    folders[n++] = own;
    for (i = 0; i < n && !path; i++)
        path = in_folder(folders[i], name);
    if (!path)
        no_such_playbook(folders, name);
    free(own);
    return path;
}

struct ft_playbook *app_load_playbook(struct app *app, const char *name)
{
    char *path = app_find_playbook(app, name);
    struct ft_diags *diags;
    struct ft_playbook *playbook;

    if (!path)
        return NULL;
    diags = ft_diags_new();
    playbook = ft_playbook_load(path, &app->world, diags);
    if (!playbook)
        app_print_diags(diags);
    ft_diags_free(diags);
    free(path);
    return playbook;
}

json_t *app_vars(const struct app *app, const struct ft_playbook *playbook, const json_t *params)
{
    const json_t *own = ft_playbook_vars(playbook);
    json_t *all, *chosen = json_object(), *value;
    const struct ft_param *param;
    const char *site = NULL, *name;
    size_t count;

    param = ft_playbook_params(playbook, &count);
    for (size_t i = 0; i < count && !site; i++)
        if (param[i].type == FT_PARAM_SITE)
            site = ft_json_str(params, param[i].name);
    all = ft_config_vars(app->config, site);
    json_object_foreach(all, name, value)
        if (json_object_get(own, name))
            json_object_set(chosen, name, value);
    json_decref(all);
    return chosen;
}

/* Only sudo says truly who called it, and anybody can write SUDO_USER: sudo runs as root and waits for what it started. */
static bool below_sudo(void)
{
    char path[64], line[256], name[64] = "";
    unsigned real = 1, effective = 1;
    FILE *f;

    if (geteuid() == 0)
        return true;
    snprintf(path, sizeof(path), "/proc/%ld/status", (long)getppid());
    f = fopen(path, "re");
    while (f && fgets(line, sizeof(line), f)) {
        sscanf(line, "Name: %63s", name);
        sscanf(line, "Uid: %u %u", &real, &effective);
    }
    if (f)
        fclose(f);
    return effective == 0 && ft_streq(name, "sudo");
}

const char *app_user(void)
{
    const char *sudo = getenv("SUDO_USER");
    const struct passwd *pw = getpwuid(getuid());

    if (sudo && *sudo && below_sudo())
        return sudo;
    return pw ? pw->pw_name : "unknown";
}

int app_given(const struct ft_rest *rest, json_t *given)
{
    for (size_t i = 0; i < rest->count; i++) {
        char *eq = strchr(rest->items[i], '='), *name;

        if (!eq)
            return app_fail(2, "'%s' is no parameter: write name=value", rest->items[i]);
        name = ft_strndup(rest->items[i], (size_t)(eq - rest->items[i]));
        if (json_object_get(given, name)) {
            app_fail(2, "the parameter '%s' is given twice", name);
            free(name);
            return 2;
        }
        if (!ft_utf8_valid(eq + 1, strlen(eq + 1))) {
            app_fail(2, "the value of '%s' is not UTF-8 text", name);
            free(name);
            return 2;
        }
        json_object_set_new(given, name, json_string(eq + 1));
        free(name);
    }
    return 0;
}

bool app_is_run(const char *text)
{
    size_t n = strlen(text);

    return n >= 4 && n <= 8 && strspn(text, "0123456789abcdef") == n;
}

int app_with_run(const char *prefix, unsigned parts, int (*act)(struct app *app, const char *id))
{
    struct app app;
    struct ft_err err = { 0 };
    char id[9];
    int status = app_open(&app, parts);

    if (status)
        return status;
    if (ft_store_find(app.store, prefix, id, &err) < 0)
        status = app_fail(2, "%s", err.text);
    else
        status = act(&app, id);
    app_close(&app);
    return status;
}

int app_run_events(struct app *app, const char *prefix, char ret_id[9], json_t **ret_events)
{
    struct ft_err err = { 0 };

    if (ft_store_find(app->store, prefix, ret_id, &err) < 0 || ft_store_events(app->store, ret_id, 0, ret_events, &err) < 0)
        return app_fail(2, "%s", err.text);
    return 0;
}
