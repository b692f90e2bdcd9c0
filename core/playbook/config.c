/* config.c: reads and checks the configuration file. */
#include "playbook/config.h"
#include <strings.h>
#include <unistd.h>
#include "base/paths.h"
#include "base/text.h"
#include "base/util.h"
#include "data/json.h"
#include "playbook/people_parts.h"
#include "playbook/rails_parts.h"
#include "playbook/reader.h"

struct ft_config {
    struct ft_doc *doc;               /* NULL: there is no file */
    json_t *json, *plugin_dirs;
    char *path, *store;
    struct rails *rails;              /* NULL: there is no file */
};

/* ---- finding it -------------------------------------------------------------------------------------------------- */

static bool is_file(const char *path)
{
    return access(path, F_OK) == 0;
}

/* Malloced; NULL: there is none. A path that was asked for is taken whether it is there or not. */
static char *find(const char *path)
{
    const char *asked = path ? path : getenv("FETTLE_CONFIG"), *home = getenv("HOME"), *xdg = getenv("XDG_CONFIG_HOME");
    char *user = NULL;

    if (asked && *asked)
        return ft_strdup(asked);
    if (is_file("fettle.yaml"))
        return ft_strdup("fettle.yaml");
    if (xdg && *xdg == '/')
        user = ft_asprintf("%s/fettle/fettle.yaml", xdg);
    else if (home && *home)
        user = ft_asprintf("%s/.config/fettle/fettle.yaml", home);
    if (user && is_file(user))
        return user;
    free(user);
    return is_file("/etc/fettle/fettle.yaml") ? ft_strdup("/etc/fettle/fettle.yaml") : NULL;
}

/* ---- checking it ------------------------------------------------------------------------------------------------- */

/* Constants that override a playbook's: what is their name's and type's business, the playbook knows. */
static void check_vars(const struct reader *rd, const struct ft_node *node, const char *what)
{
    if (!node || !rd_map(rd, node, what))
        return;
    for (const struct ft_node *member = node->first; member; member = member->next) {
        rd_name(rd, member->key, member->key_mark, "a variable's name");
        if (member->kind == FT_NODE_NULL)
            rd_error(rd, member->key_mark, NULL, "the variable '%s' has no value", member->key);
    }
}

static void check_sites(const struct reader *rd, const struct ft_node *node)
{
    static const struct rd_key keys[] = { { "id" }, { "vars" }, { NULL } };
    char what[160];

    if (!node || !rd_map(rd, node, "`sites`"))
        return;
    for (const struct ft_node *site = node->first; site; site = site->next) {
        snprintf(what, sizeof(what), "the site '%s'", site->key);
        rd_keys(rd, site, what, keys);
        rd_constant(rd, ft_node_get(site, "id"), "`id`");
        check_vars(rd, ft_node_get(site, "vars"), "`vars`");
    }
}

static void check_undo(const struct reader *rd, const struct ft_node *undo)
{
    static const struct rd_key keys[] = { { "tries" }, { "wait" }, { "longest" }, { NULL } };
    const struct ft_node *tries = ft_node_get(undo, "tries");
    uint64_t ms;

    if (!rd_keys(rd, undo, "`undo`", keys))
        return;
    rd_duration(rd, ft_node_get(undo, "wait"), "`wait`", &ms);
    rd_duration(rd, ft_node_get(undo, "longest"), "`longest`", &ms);
    if (tries && (tries->kind != FT_NODE_INT || strtol(tries->text, NULL, 10) < 1 || strtol(tries->text, NULL, 10) > 1000))
        rd_error(rd, rd_at(tries), NULL, "`tries` is how often an undo is tried: a number from 1 to 1000");
}

static void check_small(const struct reader *rd, const struct ft_node *root)
{
    static const struct rd_key ssh_keys[] = { { "library" }, { NULL } }, log_keys[] = { { "level" }, { NULL } }, lock_keys[] = { { "wait" }, { NULL } };
    static const char *const libraries[] = { "libssh2", "libssh", NULL }, *const levels[] = { "debug", "info", "warn", "error", NULL };
    const struct ft_node *ssh = ft_node_get(root, "ssh"), *log = ft_node_get(root, "log"), *plugins = ft_node_get(root, "plugins");
    const struct ft_node *locks = ft_node_get(root, "locks");
    uint64_t ms;
    unsigned n;

    if (rd_keys(rd, locks, "`locks`", lock_keys))
        rd_duration(rd, ft_node_get(locks, "wait"), "`wait`", &ms);
    check_undo(rd, ft_node_get(root, "undo"));
    if (rd_keys(rd, ssh, "`ssh`", ssh_keys))
        rd_one_of(rd, ft_node_get(ssh, "library"), "`library`", libraries, &n);
    if (rd_keys(rd, log, "`log`", log_keys))
        rd_one_of(rd, ft_node_get(log, "level"), "`level`", levels, &n);
    if (!plugins || !rd_map(rd, plugins, "`plugins`"))
        return;
    for (const struct ft_node *plugin = plugins->first; plugin; plugin = plugin->next)
        if (plugin->kind != FT_NODE_MAP && plugin->kind != FT_NODE_NULL)
            rd_error(rd, plugin->mark, NULL, "the plugin '%s' takes `key: value` lines, not %s", plugin->key, rd_kind(plugin));
}

/* The key to other secrets lies in the environment or in a file. */
static void check_own_secret(const struct reader *rd, const struct ft_node *node, const char *what)
{
    static const struct rd_key keys[] = { { "env" }, { "file" }, { NULL } };

    if (!node || !rd_keys(rd, node, what, keys))
        return;
    if (node->count != 1)
        rd_error(rd, rd_at(node), NULL, "%s is either {env: NAME} or {file: PATH}", what);
    rd_constant(rd, ft_node_get(node, "env"), "`env`");
    rd_constant(rd, ft_node_get(node, "file"), "`file`");
}

static void check_approle(const struct reader *rd, const struct ft_node *node)
{
    static const struct rd_key keys[] = { { "role_id", true }, { "secret_id", true }, { "mount" }, { NULL } };

    if (!node || !rd_keys(rd, node, "`approle`", keys))
        return;
    rd_constant(rd, ft_node_get(node, "role_id"), "`role_id`");
    rd_constant(rd, ft_node_get(node, "mount"), "`mount`");
    check_own_secret(rd, ft_node_get(node, "secret_id"), "`secret_id`");
}

/* TLS, or to an agent on this machine. */
static bool is_private_way(const char *address)
{
    static const char *const here[] = { "127.0.0.1", "localhost", "[::1]" };

    if (strncmp(address, "http://", 7) != 0)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(here); i++) {
        size_t len = strlen(here[i]);

        if (strncmp(address + 7, here[i], len) == 0 && (!address[7 + len] || strchr(":/", address[7 + len])))
            return true;
    }
    return false;
}

static void check_vault(const struct reader *rd, const struct ft_node *node)
{
    static const struct rd_key keys[] = {
        { "address", true }, { "token" }, { "approle" }, { "namespace" }, { "ca_file" }, { "timeout" }, { "cache" }, { NULL },
    };
    const struct ft_node *token = ft_node_get(node, "token"), *approle = ft_node_get(node, "approle"), *at = ft_node_get(node, "address");
    const char *address;
    uint64_t ms;

    if (!node || !rd_keys(rd, node, "`vault`", keys))
        return;
    address = rd_constant(rd, at, "`address`");
    if (address && strncmp(address, "https://", 8) != 0 && strncmp(address, "http://", 7) != 0)
        rd_error(rd, at->mark, NULL, "`address` is a URL: https://vault.example:8200");
    else if (address && !is_private_way(address))
        rd_error(rd, at->mark, NULL, "`address`: over http:// the token and every secret can be read on the way; write https:// (with `ca_file` for an authority of your own), or "
                 "http:// to this machine only");
    if (!token == !approle)
        rd_error(rd, node->key_mark, NULL, "`vault` takes one of `token` and `approle`, which says who asks");
    check_own_secret(rd, token, "`token`");
    check_approle(rd, approle);
    rd_constant(rd, ft_node_get(node, "namespace"), "`namespace`");
    rd_constant(rd, ft_node_get(node, "ca_file"), "`ca_file`");
    rd_duration(rd, ft_node_get(node, "timeout"), "`timeout`", &ms);
    rd_duration(rd, ft_node_get(node, "cache"), "`cache`", &ms);
}

static void check_secrets(const struct reader *rd, const struct ft_node *node)
{
    static const struct rd_key keys[] = { { "sealed" }, { "vault" }, { NULL } }, sealed_keys[] = { { "file", true }, { "key" }, { NULL } };
    const struct ft_node *sealed = ft_node_get(node, "sealed");

    if (!node || !rd_keys(rd, node, "`secrets`", keys))
        return;
    if (sealed && rd_keys(rd, sealed, "`sealed`", sealed_keys)) {
        rd_constant(rd, ft_node_get(sealed, "file"), "`file`");
        check_own_secret(rd, ft_node_get(sealed, "key"), "`key`");
    }
    check_vault(rd, ft_node_get(node, "vault"));
}

static void check(const struct reader *rd, const struct ft_node *root)
{
    static const struct rd_key keys[] = {
        { "fettle", true }, { "store" }, { "log" }, { "plugins" }, { "plugin_dirs" }, { "vars" }, { "sites" }, { "people" }, { "roles" }, { "approvals" }, { "ssh" }, { "locks" }, { "secrets" },
        { "retention" }, { "seal" },
        { "timezone" }, { "windows" }, { "freezes" }, { "categories" }, { "policies" }, { "undo" }, { NULL },
    };
    const struct ft_node *dirs = ft_node_get(root, "plugin_dirs"), *version = ft_node_get(root, "fettle");

    rd_keys(rd, root, "the configuration", keys);
    if (root->kind != FT_NODE_MAP)
        return;
    if (version && (version->kind != FT_NODE_INT || strcmp(version->text, "1") != 0))
        rd_error(rd, rd_at(version), NULL, "`fettle` is the version of the configuration: write 1");
    rd_constant(rd, ft_node_get(root, "store"), "`store`");
    if (dirs && rd_list(rd, dirs, "`plugin_dirs`"))
        for (const struct ft_node *dir = dirs->first; dir; dir = dir->next)
            rd_constant(rd, dir, "a folder");
    check_small(rd, root);
    ft_config_check_record(rd, root);
    check_secrets(rd, ft_node_get(root, "secrets"));
    check_vars(rd, ft_node_get(root, "vars"), "`vars`");
    check_sites(rd, ft_node_get(root, "sites"));
    people_check(rd, root);
}

/* ---- what it gives ----------------------------------------------------------------------------------------------- */

/* A relative path starts at the configuration's folder; malloced. */
static char *from_here(const struct ft_config *config, const char *path)
{
    const char *slash = strrchr(config->path, '/');

    if (*path == '/' || !slash)
        return ft_strdup(path);
    return ft_asprintf("%.*s%s", (int)(slash + 1 - config->path), config->path, path);
}

static char *store_path(const struct ft_config *config)
{
    const char *store = ft_json_str(config->json, "store");

    return store ? from_here(config, store) : ft_asprintf("%s/fettle.db", ft_path_state());
}

static json_t *dir_paths(const struct ft_config *config)
{
    json_t *paths = json_array(), *dir;
    size_t i;

    json_array_foreach(json_object_get(config->json, "plugin_dirs"), i, dir) {
        char *path = from_here(config, json_string_value(dir));

        json_array_append_new(paths, json_string(path));
        free(path);
    }
    return paths;
}

struct ft_config *ft_config_load(const char *path, bool *ret_found, struct ft_diags *diags)
{
    struct ft_config *config = ft_calloc(1, sizeof(*config));
    size_t before = ft_diags_count(diags);
    char *found = find(path);

    *ret_found = found != NULL;
    config->path = found ? found : ft_strdup("");
    if (found) {
        config->doc = ft_doc_load_whole(found, diags);
        if (config->doc) {
            const struct reader rd = { diags, config->doc, found, .tainted = ft_diags_count(diags) != before };

            check(&rd, ft_doc_root(config->doc));
            config->rails = rails_read(&rd, ft_doc_root(config->doc));
        }
        if (ft_diags_count(diags) != before)
            return ft_config_free(config);
    }
    config->json = config->doc ? ft_node_json(ft_doc_root(config->doc)) : json_object();
    config->store = store_path(config);
    config->plugin_dirs = dir_paths(config);
    return config;
}

struct ft_config *ft_config_free(struct ft_config *config)
{
    if (!config)
        return NULL;
    rails_free(config->rails);
    ft_doc_free(config->doc);
    json_decref(config->json);
    json_decref(config->plugin_dirs);
    free(config->path);
    free(config->store);
    free(config);
    return NULL;
}

const json_t *ft_config_json(const struct ft_config *config) { return config->json; }
const char *ft_config_path(const struct ft_config *config) { return config->path; }
const char *ft_config_store(const struct ft_config *config) { return config->store; }
const json_t *ft_config_plugin_dirs(const struct ft_config *config) { return config->plugin_dirs; }

const struct ft_rails *ft_config_rails(const struct ft_config *config)
{
    static const struct ft_rails none;

    return config->rails ? &config->rails->rails : &none;
}

/* A site is found by its name or by its id, in whatever case: Mist takes both so, too. */
static const json_t *find_site(const struct ft_config *config, const char *site, const char **ret_name)
{
    const char *name;
    json_t *entry;

    json_object_foreach(json_object_get(config->json, "sites"), name, entry) {
        const char *id = ft_json_str(entry, "id");

        *ret_name = name;
        if (site && (strcasecmp(name, site) == 0 || (id && strcasecmp(id, site) == 0)))
            return entry;
    }
    return NULL;
}

const char *ft_config_site_name(const struct ft_config *config, const char *site)
{
    const char *name;

    return find_site(config, site, &name) ? name : site;
}

json_t *ft_config_vars(const struct ft_config *config, const char *site)
{
    json_t *vars = json_object();
    const char *name;
    const json_t *all = json_object_get(config->json, "vars"), *own = json_object_get(find_site(config, site, &name), "vars");

    if (all)
        json_object_update(vars, (json_t *)all);
    if (own)
        json_object_update(vars, (json_t *)own);
    return vars;
}

uint64_t ft_config_lock_wait_ms(const struct ft_config *config)
{
    const char *wait = ft_json_str(json_object_get(config->json, "locks"), "wait");
    uint64_t ms = 0;

    if (wait)
        ft_duration_parse(wait, &ms);
    return ms;
}

bool ft_config_has_people(const struct ft_config *config)
{
    return json_object_size(json_object_get(config->json, "people")) > 0;
}
