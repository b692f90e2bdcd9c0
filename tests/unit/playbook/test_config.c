/* The configuration: where it is found, and what it gives. What is wrong with one is in tests/language/broken/config_*. */
#include <criterion/criterion.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/util.h"
#include "data/json.h"
#include "playbook/config.h"

static char folder[] = "/tmp/fettle-config-XXXXXX";

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");

    cr_assert(file, "%s", name);
    fputs(text, file);
    fclose(file);
}

static void set_up(void)
{
    cr_assert(mkdtemp(folder));
    cr_assert_eq(chdir(folder), 0);
    unsetenv("FETTLE_CONFIG");
    setenv("XDG_CONFIG_HOME", folder, 1);
    setenv("XDG_STATE_HOME", "/nowhere/state", 1);
}

static void tear_down(void)
{
    char *command = ft_asprintf("rm -r %s", folder);

    cr_assert_eq(system(command), 0);
    free(command);
}

TestSuite(config, .init = set_up, .fini = tear_down);

static struct ft_config *load(const char *path, bool *ret_found)
{
    struct ft_diags *diags = ft_diags_new();
    struct ft_config *config = ft_config_load(path, ret_found, diags);

    if (!config)
        ft_diags_print(diags, stderr, false);
    ft_diags_free(diags);
    return config;
}

Test(config, without_a_file_everything_has_its_default)
{
    bool found = true;
    struct ft_config *config;

    if (access("/etc/fettle/fettle.yaml", F_OK) == 0)
        cr_skip_test("this machine has a configuration of its own");
    config = load(NULL, &found);
    cr_assert(config);
    cr_expect_not(found);
    cr_expect_str_eq(ft_config_path(config), "");
    cr_expect_str_eq(ft_config_store(config), "/nowhere/state/fettle/fettle.db");
    cr_expect_eq(json_object_size(ft_config_json(config)), 0);
    cr_expect_not(ft_config_has_people(config));
    ft_config_free(config);
}

/* Each place is looked at only when none before it has a file. */
Test(config, the_nearest_file_is_taken)
{
    static const struct { const char *file, *variable; } places[] = { { "fettle/fettle.yaml", NULL }, { "fettle.yaml", NULL }, { "other.yaml", "FETTLE_CONFIG" } };
    char *text;

    cr_assert_eq(mkdir("fettle", 0700), 0);
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        bool found = false;
        struct ft_config *config;

        text = ft_asprintf("fettle: 1\nstore: /s/%zu.db\n", i);
        write_file(places[i].file, text);
        if (places[i].variable)
            setenv(places[i].variable, places[i].file, 1);
        config = load(NULL, &found);
        cr_assert(config, "%s", places[i].file);
        free(text);
        text = ft_asprintf("/s/%zu.db", i);
        cr_expect(found);
        cr_expect_str_eq(ft_config_store(config), text, "%s was not taken", places[i].file);
        free(text);
        ft_config_free(config);
    }
    write_file("given.yaml", "fettle: 1\nstore: given.db\n");
    bool found = false;
    struct ft_config *config = load("given.yaml", &found);

    cr_assert(config);
    cr_expect_str_eq(ft_config_path(config), "given.yaml");
    cr_expect_str_eq(ft_config_store(config), "given.db");
    ft_config_free(config);
}

Test(config, without_xdg_it_lies_in_the_home_folder)
{
    bool found = false;
    struct ft_config *config;

    unsetenv("XDG_CONFIG_HOME");
    setenv("HOME", folder, 1);
    cr_assert_eq(mkdir(".config", 0700), 0);
    cr_assert_eq(mkdir(".config/fettle", 0700), 0);
    write_file(".config/fettle/fettle.yaml", "fettle: 1\nstore: /s/home.db\n");
    config = load(NULL, &found);
    cr_assert(config);
    cr_expect_str_eq(ft_config_store(config), "/s/home.db");
    ft_config_free(config);
}

Test(config, a_file_that_was_asked_for_must_be_there)
{
    struct ft_diags *diags = ft_diags_new();
    bool found;

    cr_expect_null(ft_config_load("nowhere.yaml", &found, diags));
    cr_expect_eq(ft_diags_count(diags), 1);
    cr_expect(strstr(ft_diags_get(diags, 0)->text, "No such file"), "%s", ft_diags_get(diags, 0)->text);
    ft_diags_free(diags);
}

static const struct { const char *store, *path, *is; } stores[] = {
    { "a.db", "etc/fettle.yaml", "etc/a.db" }, { "../a.db", "etc/fettle.yaml", "etc/../a.db" }, { "/var/a.db", "etc/fettle.yaml", "/var/a.db" }, { "a.db", "f.yaml", "a.db" },
};

Test(config, the_store_is_found_from_the_file)
{
    cr_assert_eq(mkdir("etc", 0700), 0);
    for (size_t i = 0; i < ARRAY_LEN(stores); i++) {
        char *text = ft_asprintf("fettle: 1\nstore: %s\n", stores[i].store);
        struct ft_config *config;
        bool found;

        write_file(stores[i].path, text);
        config = load(stores[i].path, &found);
        cr_assert(config);
        cr_expect_str_eq(ft_config_store(config), stores[i].is, "%s in %s", stores[i].store, stores[i].path);
        ft_config_free(config);
        free(text);
    }
}

Test(config, plugin_folders_are_found_from_the_file)
{
    struct ft_config *config;
    bool found;

    cr_assert_eq(mkdir("etc", 0700), 0);
    write_file("etc/fettle.yaml", "fettle: 1\nplugin_dirs: [mine, /opt/p]\n");
    config = load("etc/fettle.yaml", &found);
    cr_assert(config);
    cr_expect_eq(json_array_size(ft_config_plugin_dirs(config)), 2u);
    cr_expect_str_eq(json_string_value(json_array_get(ft_config_plugin_dirs(config), 0)), "etc/mine");
    cr_expect_str_eq(json_string_value(json_array_get(ft_config_plugin_dirs(config), 1)), "/opt/p");
    ft_config_free(config);
}

static const char whole[] =
    "fettle: 1\n"
    "store: fettle.db\n"
    "log: {level: info}\n"
    "ssh: {library: libssh}\n"
    "plugins:\n"
    "  mist: {host: https://api.mist.com, token: {env: MIST_TOKEN}}\n"
    "  net:\n"
    "vars: {rssi_floor: -70, util: 80}\n"
    "sites:\n"
    "  HQ: {id: 4ac1dcf4, vars: {rssi_floor: -72, extra: [1, 2]}}\n"
    "  Branch: {id: 55aa}\n"
    "roles:\n"
    "  network-lead:\n"
    "  dhcp-admin: {about: owns the pools}\n"
    "people:\n"
    "  alice: {email: alice@example.org, roles: [network-lead, dhcp-admin]}\n"
    "policies: []\n";

static const struct { const char *site, *vars; } sites[] = {
    { NULL, "{\"rssi_floor\":-70,\"util\":80}" },
    { "HQ", "{\"rssi_floor\":-72,\"util\":80,\"extra\":[1,2]}" },
    { "4ac1dcf4", "{\"rssi_floor\":-72,\"util\":80,\"extra\":[1,2]}" },
    { "Branch", "{\"rssi_floor\":-70,\"util\":80}" },
    { "Nowhere", "{\"rssi_floor\":-70,\"util\":80}" },
};

Test(config, a_site_overrides_what_holds_for_all)
{
    struct ft_config *config;
    bool found;

    write_file("fettle.yaml", whole);
    config = load(NULL, &found);
    cr_assert(config);
    cr_expect(ft_config_has_people(config));
    for (size_t i = 0; i < ARRAY_LEN(sites); i++) {
        json_t *vars = ft_config_vars(config, sites[i].site);
        char *text = ft_json_text(vars);

        cr_expect_str_eq(text, sites[i].vars, "%s", sites[i].site ? sites[i].site : "no site");
        free(text);
        json_decref(vars);
    }
    cr_expect_str_eq(ft_json_str(ft_json_path(ft_config_json(config), "plugins.mist.token"), "env"), "MIST_TOKEN");
    ft_config_free(config);
}
