/* registry.c: finds plugins, loads and checks them, gives their actions. */
#include "plugin/internal.h"
#include <dirent.h>
#include <dlfcn.h>
#include <unistd.h>
#include "base/log.h"
#include "base/paths.h"
#include "base/text.h"
#include "data/json.h"
#include "plugin/config.h"

struct ft_registry *ft_registry_new(const struct ft_registry_opts *opts)
{
    struct ft_registry *registry = ft_calloc(1, sizeof(*registry));
    const json_t *dir;
    size_t i;

    registry->o = *opts;
    registry->dirs = ft_calloc(1 + json_array_size(opts->more_dirs), sizeof(char *));
    registry->dirs[registry->dir_count++] = ft_strdup(opts->dir ? opts->dir : ft_path_plugins());
    json_array_foreach(opts->more_dirs, i, dir)
        registry->dirs[registry->dir_count++] = ft_strdup(json_string_value(dir));
    registry->state_dir = ft_strdup(opts->state_dir ? opts->state_dir : ft_path_state());
    ft_list_init(&registry->budgets);
    ft_list_init(&registry->calls);
    lend_net(registry, true);
    return registry;
}

static void action_done(struct ft_action_info *info)
{
    free((char *)info->full);
    json_decref(info->params_json);
    json_decref(info->result_json);
    ft_schema_free(info->params);
    ft_schema_free(info->result);
}

/* Code that a thread still runs stays loaded. */
void plugin_free(struct plugin *plugin)
{
    plugin->orphan = true;
    if (plugin->works)
        return;
    if (plugin->opened && plugin->def->close)
        plugin->def->close(plugin->instance);
    for (size_t i = 0; i < plugin->count; i++)
        action_done(&plugin->actions[i]);
    free(plugin->actions);
    free(plugin->compiled);
    json_decref(plugin->config_schema);
    json_decref(plugin->config);
    free(plugin->name);
    if (plugin->so)
        dlclose(plugin->so);
    free(plugin);
}

struct ft_registry *ft_registry_free(struct ft_registry *registry)
{
    if (!registry)
        return NULL;
    calls_free(registry);
    lend_net(registry, false);
    ft_http_free(registry->http);
    ft_ssh_free(registry->ssh);
    for (size_t i = 0; i < registry->plugin_count; i++)
        plugin_free(registry->plugins[i]);
    free(registry->plugins);
    budgets_free(registry);
    for (size_t i = 0; registry->names && registry->names[i]; i++)
        free(registry->names[i]);
    free(registry->names);
    for (size_t i = 0; i < registry->dir_count; i++)
        free(registry->dirs[i]);
    free(registry->dirs);
    free(registry->state_dir);
    free(registry);
    return NULL;
}

struct ft_http *registry_http(struct ft_registry *registry)
{
    if (!registry->http && registry->o.loop)
        registry->http = ft_http_new(registry->o.loop);
    return registry->http;
}

struct ft_http *ft_registry_http(struct ft_registry *registry)
{
    return registry->http;
}

struct ft_ssh *registry_ssh(struct ft_registry *registry)
{
    const json_t *ssh = json_object_get(registry->o.config, "ssh");

    if (!registry->ssh && registry->o.loop) {
        registry->ssh = ft_ssh_new(registry->o.loop, ft_json_str(ssh, "library"));
        ft_ssh_hold(registry->ssh, registry->ssh_holds);
    }
    return registry->ssh;
}

void ft_registry_hold(struct ft_registry *registry, int by)
{
    registry->ssh_holds += by;
    if (registry->ssh)
        ft_ssh_hold(registry->ssh, by);
}

struct ft_ssh *ft_registry_ssh(struct ft_registry *registry)
{
    return registry->ssh;
}

/* What a plugin or a schema says may quote a secret. */
void redact_err(const struct ft_registry *registry, struct ft_err *err)
{
    char *clean = err && registry->o.secrets ? ft_secret_redact(registry->o.secrets, err->text) : NULL;

    if (clean)
        snprintf(err->text, sizeof(err->text), "%s", clean);
    free(clean);
}

/* ---- which there are */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool has_name(char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (ft_streq(names[i], name))
            return true;
    return false;
}

static size_t add_names(struct ft_registry *registry, size_t count, const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *e;

    while (dir && (e = readdir(dir))) {
        size_t len = strlen(e->d_name);
        char *name;

        if (len < 4 || strcmp(e->d_name + len - 3, ".so") != 0)
            continue;
        name = ft_strndup(e->d_name, len - 3);
        if (has_name(registry->names, count, name)) {
            free(name);
            continue;
        }
        registry->names = ft_realloc(registry->names, (count + 2) * sizeof(char *));
        registry->names[count++] = name;
        registry->names[count] = NULL;
    }
    if (dir)
        closedir(dir);
    return count;
}

const char *const *ft_registry_plugins(struct ft_registry *registry)
{
    size_t count = 0;

    if (registry->names)
        return (const char *const *)registry->names;
    registry->names = ft_calloc(1, sizeof(char *));
    for (size_t i = 0; i < registry->dir_count; i++)
        count = add_names(registry, count, registry->dirs[i]);
    qsort(registry->names, count, sizeof(char *), by_name);
    return (const char *const *)registry->names;
}

static int no_such_plugin(struct ft_registry *registry, const char *name, struct ft_err *reterr)
{
    const char *near = ft_suggest(name, ft_registry_plugins(registry));

    if (near)
        return ft_err_class(reterr, FT_NOT_FOUND, -ENOENT, "there is no plugin '%s', did you mean '%s'?", name, near);
    return ft_err_class(reterr, FT_NOT_FOUND, -ENOENT, "there is no plugin '%s' in %s (`fettle plugins` lists them)", name, registry->dirs[0]);
}

/* ---- loading */

static bool name_fits(const char *name)
{
    if (!name || !*name || strlen(name) > 60)
        return false;
    for (; *name; name++)
        if (!((*name >= 'a' && *name <= 'z') || (*name >= '0' && *name <= '9') || *name == '_'))
            return false;
    return true;
}

static int bad_action(struct ft_err *reterr, const char *path, const struct ft_action *action, const char *what)
{
    return ft_err_set(reterr, -ENOEXEC, "plugin %s: the action '%s' %s", path, action->name, what);
}

/* Everything that is read later without asking must be there. */
static int check_action(const struct ft_action *action, const char *path, struct ft_err *reterr)
{
    unsigned effect = action->effects & FT_EFFECT_MASK;

    if (action->size < offsetof(struct ft_action, example) + sizeof(action->example))
        return ft_err_set(reterr, -ENOEXEC, "plugin %s: an action is described in %zu bytes, which is too few for interface %u (is .size set?); build it again with the headers of this fettle",
                          path, action->size, FT_ABI_MAJOR);
    if (!name_fits(action->name))
        return ft_err_set(reterr, -ENOEXEC, "plugin %s: '%s' is no name of an action; use small letters, digits and _", path, action->name ? action->name : "");
    if (!action->run.start)
        return bad_action(reterr, path, action, "has no `run`");
    if (effect < FT_EFFECT_READ || effect > FT_EFFECT_UNKNOWN)
        return bad_action(reterr, path, action, "does not say whether it reads or writes");
    if (!action->summary || !*action->summary)
        return bad_action(reterr, path, action, "has no summary");
    if (!action->params_schema || !action->result_schema)
        return bad_action(reterr, path, action, "lacks the schema of its parameters or of its result");
    return 0;
}

static int check_actions(const struct ft_plugin *def, const char *path, struct ft_err *reterr)
{
    int r = 0;

    if (!def->actions || !def->actions[0])
        return ft_err_set(reterr, -ENOEXEC, "plugin %s has no actions", path);
    for (const struct ft_action *const *a = def->actions; *a && r == 0; a++) {
        r = check_action(*a, path, reterr);
        for (const struct ft_action *const *b = def->actions; b != a && r == 0; b++)
            if (ft_streq((*a)->name, (*b)->name))
                r = bad_action(reterr, path, *a, "is there twice");
    }
    return r;
}

static int check_capabilities(const struct ft_plugin *def, const char *path, struct ft_err *reterr)
{
    static const char *const known[] = { "http", "ssh", "tcp", "udp", "websocket", "exec", "work", "file" };
    const char *word = def->capabilities ? def->capabilities : "";

    for (size_t len; *(word += strspn(word, " ")); word += len) {
        bool found = false;

        len = strcspn(word, " ");
        for (size_t i = 0; i < ARRAY_LEN(known) && !found; i++)
            found = strlen(known[i]) == len && memcmp(known[i], word, len) == 0;
        if (!found)
            return ft_err_set(reterr, -ENOEXEC, "plugin %s asks for '%.*s', which this fettle does not know (it knows http, ssh, tcp, udp, websocket, exec, work and file)", path, (int)len, word);
    }
    return 0;
}

static int check_plugin(const struct ft_plugin *def, const char *name, const char *path, struct ft_err *reterr)
{
    int r;

    if (def->abi_major != FT_ABI_MAJOR)
        return ft_err_set(reterr, -ENOEXEC, "plugin %s was built for plugin interface %u, this fettle has %u: build it again with the headers of this fettle", path,
                          def->abi_major, FT_ABI_MAJOR);
    if (def->size < offsetof(struct ft_plugin, actions) + sizeof(def->actions))
        return ft_err_set(reterr, -ENOEXEC, "plugin %s: its description has %u bytes, which is too few for interface %u; build it again with the headers of this fettle", path, def->size,
                          FT_ABI_MAJOR);
    if (!name_fits(def->name) || !ft_streq(def->name, name))
        return ft_err_set(reterr, -ENOEXEC, "plugin %s calls itself '%s'; the file must be named after the plugin", path, def->name ? def->name : "");
    if (!def->open || !def->version || !def->summary)
        return ft_err_set(reterr, -ENOEXEC, "plugin %s lacks `open`, a version or a summary", path);
    r = check_capabilities(def, path, reterr);
    return r < 0 ? r : check_actions(def, path, reterr);
}

static int read_schema(const char *text, const char *path, const char *what, json_t **ret, struct ft_err *reterr)
{
    int r = ft_json_parse(text, strlen(text), 0, ret, reterr);

    if (r == 0)
        return 0;
    ft_err_in(reterr, "plugin %s: %s", path, what);
    return -ENOEXEC;
}

static int load(struct ft_registry *registry, const char *name, const char *path, struct plugin *plugin, struct ft_err *reterr)
{
    const char *text;
    int r;

    plugin->so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!plugin->so)
        return ft_err_set(reterr, -ENOEXEC, "plugin %s cannot be loaded: %s; build it again for this machine, or remove it", path, dlerror());
    plugin->def = dlsym(plugin->so, "ft_plugin");
    if (!plugin->def)
        return ft_err_set(reterr, -ENOEXEC, "plugin %s has no symbol 'ft_plugin': it is no plugin of fettle, or was linked with hidden symbols (FT_EXPORT is missing)", path);
    r = check_plugin(plugin->def, name, path, reterr);
    if (r < 0)
        return r;
    text = plugin->def->config_schema ? plugin->def->config_schema : "{\"type\":\"object\"}";
    r = read_schema(text, path, "the schema of its configuration", &plugin->config_schema, reterr);
    if (r < 0)
        return r;
    plugin->registry = registry;
    plugin->name = ft_strdup(name);
    while (plugin->def->actions[plugin->count])
        plugin->count++;
    plugin->actions = ft_calloc(plugin->count + 1, sizeof(*plugin->actions));
    plugin->compiled = ft_calloc(plugin->count + 1, sizeof(bool));
    for (size_t i = 0; i < plugin->count; i++) {
        struct ft_action_info *info = &plugin->actions[i];

        info->plugin = plugin->def->name;
        info->action = plugin->def->actions[i];
        info->name = info->action->name;
        info->version = plugin->def->version;
        info->full = ft_asprintf("%s.%s", info->plugin, info->name);
    }
    return 0;
}

static struct plugin *loaded(struct ft_registry *registry, const char *name)
{
    for (size_t i = 0; i < registry->plugin_count; i++)
        if (ft_streq(registry->plugins[i]->def->name, name))
            return registry->plugins[i];
    return NULL;
}

/* malloced; NULL: no folder has it */
static char *find_file(const struct ft_registry *registry, const char *name)
{
    for (size_t i = 0; i < registry->dir_count; i++) {
        char *path = ft_asprintf("%s/%s.so", registry->dirs[i], name);

        if (access(path, F_OK) == 0)
            return path;
        free(path);
    }
    return NULL;
}

static int find_plugin(struct ft_registry *registry, const char *name, struct plugin **ret, struct ft_err *reterr)
{
    struct plugin *plugin = loaded(registry, name);
    char *path;
    int r;

    if (plugin) {
        *ret = plugin;
        return 0;
    }
    path = name_fits(name) ? find_file(registry, name) : NULL;
    if (!path)
        return no_such_plugin(registry, name, reterr);
    plugin = ft_calloc(1, sizeof(*plugin));
    r = load(registry, name, path, plugin, reterr);
    free(path);
    if (r < 0) {
        plugin_free(plugin);
        return r;
    }
    registry->plugins = ft_realloc(registry->plugins, (registry->plugin_count + 1) * sizeof(*registry->plugins));
    registry->plugins[registry->plugin_count++] = plugin;
    *ret = plugin;
    return 0;
}

int ft_registry_plugin(struct ft_registry *registry, const char *name, const struct ft_plugin **ret, struct ft_err *reterr)
{
    struct plugin *plugin;
    int r = find_plugin(registry, name, &plugin, reterr);

    if (r == 0)
        *ret = plugin->def;
    return r;
}

/* ---- actions */

static int compile_action(struct plugin *plugin, size_t i, struct ft_err *reterr)
{
    struct ft_action_info *info = &plugin->actions[i];
    int r = 0;

    if (plugin->compiled[i])
        return 0;
    if (!info->params_json)
        r = read_schema(info->action->params_schema, info->full, "the schema of its parameters", &info->params_json, reterr);
    if (r == 0 && !info->result_json)
        r = read_schema(info->action->result_schema, info->full, "the schema of its result", &info->result_json, reterr);
    if (r == 0 && !info->params && (r = ft_schema_compile(info->params_json, &info->params, reterr)) < 0)
        ft_err_in(reterr, "plugin %s: the schema of the parameters of '%s'", plugin->name, info->name);
    if (r == 0 && !info->result && (r = ft_schema_compile(info->result_json, &info->result, reterr)) < 0)
        ft_err_in(reterr, "plugin %s: the schema of the result of '%s'", plugin->name, info->name);
    plugin->compiled[i] = r == 0;
    return r < 0 ? -ENOEXEC : 0;
}

static int no_such_action(const struct plugin *plugin, const char *name, struct ft_err *reterr)
{
    const char **names = ft_calloc(plugin->count + 1, sizeof(char *));
    const char *near;
    int r;

    for (size_t i = 0; i < plugin->count; i++)
        names[i] = plugin->actions[i].name;
    near = ft_suggest(name, names);
    free(names);
    if (near)
        r = ft_err_class(reterr, FT_NOT_FOUND, -ENOENT, "plugin %s has no action '%s', did you mean '%s'?", plugin->name, name, near);
    else
        r = ft_err_class(reterr, FT_NOT_FOUND, -ENOENT, "plugin %s has no action '%s' (`fettle plugins %s` lists them)", plugin->name, name, plugin->name);
    return r;
}

int ft_registry_action(struct ft_registry *registry, const char *full, const struct ft_action_info **ret, struct ft_err *reterr)
{
    const char *dot = strchr(full, '.');
    struct plugin *plugin;
    char *name;
    int r;

    if (!dot || dot == full || !dot[1])
        return ft_err_class(reterr, FT_NOT_FOUND, -ENOENT, "'%s' is no action: write plugin.action", full);
    name = ft_strndup(full, (size_t)(dot - full));
    r = find_plugin(registry, name, &plugin, reterr);
    free(name);
    if (r < 0)
        return r;
    for (size_t i = 0; i < plugin->count; i++) {
        if (!ft_streq(plugin->actions[i].name, dot + 1))
            continue;
        r = compile_action(plugin, i, reterr);
        if (r == 0)
            *ret = &plugin->actions[i];
        return r;
    }
    return no_such_action(plugin, dot + 1, reterr);
}

/* ---- the first call */

const json_t *plugin_section(const struct plugin *plugin)
{
    return json_object_get(json_object_get(plugin->registry->o.config, "plugins"), plugin->name);
}

static const char *config_path(const struct plugin *plugin)
{
    return plugin->registry->o.config_path ? plugin->registry->o.config_path : "fettle.yaml";
}

/* The section, checked, with defaults, its secrets read. */
static int section_ready(struct plugin *plugin, json_t **ret, struct ft_err *reterr)
{
    const json_t *section = plugin_section(plugin);
    json_t *empty = json_object(), *loose = ft_config_schema(plugin->config_schema), *filled = NULL;
    struct ft_schema *schema = NULL;
    char *where = ft_asprintf("plugins.%s", plugin->name);
    int r = ft_schema_compile(loose, &schema, reterr);

    if (r == 0)
        r = ft_schema_require(schema, section ? section : empty, where, reterr);
    if (r < 0 && !section)
        ft_err_in(reterr, "the plugin %s is not configured; add a section %s to %s", plugin->name, where, config_path(plugin));
    else if (r < 0)
        ft_err_in(reterr, "%s", config_path(plugin));
    if (r == 0) {
        filled = ft_schema_fill(schema, section ? section : empty);
        r = ft_config_resolve(plugin->registry->o.secrets, plugin->config_schema, filled, where, ret, reterr);
        if (r < 0)
            ft_err_in(reterr, "%s", config_path(plugin));
    }
    if (r < 0 && reterr && !reterr->class)
        reterr->class = FT_DENIED;
    json_decref(filled);
    json_decref(empty);
    json_decref(loose);
    ft_schema_free(schema);
    free(where);
    return r;
}

int plugin_open(struct plugin *plugin, struct ft_err *reterr)
{
    struct ft_err err = { 0 };
    int r;

    if (plugin->opened)
        return 0;
    r = section_ready(plugin, &plugin->config, reterr);
    if (r < 0)
        return r;
    r = plugin->def->open(&plugin_host, plugin->config, &plugin->instance, &err);
    plugin->opened = r >= 0;
    if (plugin->opened)
        return 0;
    json_decref(plugin->config);
    plugin->config = NULL;
    redact_err(plugin->registry, &err);
    return ft_err_class(reterr, err.class ? err.class : FT_DENIED, r, "plugin %s: %s", plugin->name, err.text[0] ? err.text : strerror(-r));
}

struct looking { struct ft_loop *loop; struct ft_err err; };

static void looked(void *arg, const struct ft_err *err)
{
    struct looking *looking = arg;

    if (err)
        looking->err = *err;
    ft_loop_stop(looking->loop);
}

/* What of the section lies in Vault, now. */
static int fetch_section(struct plugin *plugin, struct ft_err *reterr)
{
    struct ft_registry *registry = plugin->registry;
    struct looking looking = { .loop = registry->o.loop };
    struct ft_secret_wait *wait = NULL;
    int r;

    if (!registry->o.loop || !ft_secret_pending(registry->o.secrets, plugin_section(plugin)))
        return 0;
    r = ft_secret_fetch(registry->o.secrets, plugin_section(plugin), looked, &looking, &wait, reterr);
    if (r < 0)
        return r;
    ft_loop_run(registry->o.loop);
    if (looking.err.code && reterr)
        *reterr = looking.err;
    return looking.err.code;
}

void ft_registry_use_loop(struct ft_registry *registry, struct ft_loop *loop)
{
    registry->o.loop = loop;
    lend_net(registry, true);
}

int ft_registry_doctor(struct ft_registry *registry, const char *name, struct ft_err *reterr)
{
    struct plugin *plugin;
    json_t *config = NULL;
    enum ft_release before = ft_secrets_release(registry->o.secrets, FT_VEILED);
    int r = find_plugin(registry, name, &plugin, reterr);

    for (size_t i = 0; r == 0 && i < plugin->count; i++)
        r = compile_action(plugin, i, reterr);
    if (r == 0)
        r = fetch_section(plugin, reterr);
    if (r == 0)
        r = section_ready(plugin, &config, reterr);
    ft_secrets_release(registry->o.secrets, before);
    json_decref(config);
    return r;
}
