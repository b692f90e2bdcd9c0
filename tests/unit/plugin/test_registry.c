/* Finding, loading and refusing plugins; their pages. Broken ones are compiled here. */
#include <criterion/criterion.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/util.h"
#include "data/json.h"
#include "plugin/registry.h"

static char dir[] = "/tmp/fettle-plugins-XXXXXX";
static struct ft_registry *registry;

static void setup(void)
{
    struct ft_registry_opts opts = { .dir = dir };

    cr_assert_not_null(mkdtemp(dir));
    registry = ft_registry_new(&opts);
}

static void teardown(void)
{
    char *command = ft_asprintf("rm -r '%s'", dir);

    registry = ft_registry_free(registry);
    cr_expect_eq(system(command), 0);
    free(command);
}

TestSuite(registry, .init = setup, .fini = teardown);

static char *path_of(const char *name)
{
    return ft_asprintf("%s/%s", dir, name);
}

static void write_file(const char *name, const char *text, size_t len)
{
    char *path = path_of(name);
    FILE *f = fopen(path, "w");

    cr_assert_not_null(f);
    cr_assert_eq(fwrite(text, 1, len, f), len);
    fclose(f);
    free(path);
}

/* The C text as <dir>/<name>.so. */
static void compile(const char *name, const char *text)
{
    const char *cc = getenv("CC") && *getenv("CC") ? getenv("CC") : "cc", *source = getenv("FETTLE_SOURCE");
    char *c = ft_asprintf("%s.c", name), *command;

    write_file(c, text, strlen(text));
    command = ft_asprintf("cd '%s' && %s -shared -fPIC -w -I'%s/core/include' -o %s.so %s", dir, cc, source ? source : ".", name, c);
    cr_assert_eq(system(command), 0, "%s", command);
    free(command);
    free(c);
}

#define HEAD "#include <fettle/plugin.h>\n" \
    "static int start(struct ft_call *call, struct ft_err *e) { return -1; }\n" \
    "static int open_it(const struct ft_host *h, const json_t *c, void **i, struct ft_err *e) { return 0; }\n"
#define ACTION(members) "static const struct ft_action a = { .size = sizeof(a), .name = \"do_it\", .summary = \"s\", .effects = FT_EFFECT_READ, .params_schema = \"{}\"," \
    " .result_schema = \"{}\", .run = { .start = start }, " members "};\n" \
    "static const struct ft_action *const actions[] = { &a, NULL };\n"
#define PLUGIN(members) "FT_EXPORT const struct ft_plugin ft_plugin = { FT_PLUGIN_HEADER, .name = \"p\", .version = \"1\", .summary = \"s\", .open = open_it, .actions = actions, " members "};\n"

static int load(const char *name, struct ft_err *err)
{
    const struct ft_plugin *plugin = NULL;
    int r = ft_registry_plugin(registry, name, &plugin, err);

    if (r == 0)
        cr_expect_str_eq(plugin->name, name);
    return r;
}

Test(registry, refuses_broken_plugins_with_a_sentence)
{
    static const struct { const char *text, *says; } table[] = {
        { HEAD ACTION("") PLUGIN(""), NULL },                                                       /* the one that is right */
        { HEAD ACTION("") PLUGIN(".abi_major = 2, "), "interface 2" },
        { HEAD ACTION("") PLUGIN(".abi_major = 0, "), "interface 0" },
        { HEAD ACTION("") PLUGIN(".abi_minor = 9, "), NULL },                                       /* newer, and only appended to */
        { HEAD ACTION("") PLUGIN(".size = 16, "), "16 bytes" },
        { HEAD ACTION("") PLUGIN(".size = sizeof(struct ft_plugin) + 64, "), NULL },
        { HEAD ACTION("") PLUGIN(".name = \"other\", "), "named after the plugin" },
        { HEAD ACTION("") PLUGIN(".name = NULL, "), "named after the plugin" },
        { HEAD ACTION("") PLUGIN(".version = NULL, "), "version" },
        { HEAD ACTION("") PLUGIN(".summary = NULL, "), "summary" },
        { HEAD ACTION("") PLUGIN(".open = NULL, "), "`open`" },
        { HEAD ACTION("") PLUGIN(".actions = NULL, "), "no actions" },
        { HEAD ACTION("") PLUGIN(".actions = actions + 1, "), "no actions" },
        { HEAD ACTION("") PLUGIN(".capabilities = \"http ftp\", "), "'ftp'" },
        { HEAD ACTION("") PLUGIN(".capabilities = \" http  ssh tcp exec work \", "), NULL },
        { HEAD ACTION("") PLUGIN(".config_schema = \"{\\\"type\\\": \", "), "configuration" },
        { HEAD ACTION(".size = 8, ") PLUGIN(""), "8 bytes" },
        { HEAD ACTION(".name = NULL, ") PLUGIN(""), "no name of an action" },
        { HEAD ACTION(".name = \"Do It\", ") PLUGIN(""), "'Do It'" },
        { HEAD ACTION(".run = { 0 }, ") PLUGIN(""), "has no `run`" },
        { HEAD ACTION(".effects = 0, ") PLUGIN(""), "whether it reads or writes" },
        { HEAD ACTION(".effects = 7, ") PLUGIN(""), "whether it reads or writes" },
        { HEAD ACTION(".summary = \"\", ") PLUGIN(""), "no summary" },
        { HEAD ACTION(".result_schema = NULL, ") PLUGIN(""), "schema" },
        { HEAD ACTION("") "static const struct ft_action *const twice[] = { &a, &a, NULL };" PLUGIN(".actions = twice, "), "twice" },
        { "int x;", "no symbol 'ft_plugin'" },
        { HEAD ACTION("") "__attribute__((visibility(\"hidden\"))) const struct ft_plugin ft_plugin = { FT_PLUGIN_HEADER };", "no symbol 'ft_plugin'" },
        { "extern int not_there(void); int f(void) { return not_there(); }", "not_there" },         /* bound at once, not in the middle of a run */
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct ft_registry_opts opts = { .dir = dir };
        struct ft_err err = { 0 };
        int r;

        registry = ft_registry_free(registry);
        registry = ft_registry_new(&opts);
        compile("p", table[i].text);
        r = load("p", &err);
        cr_expect_eq(r, table[i].says ? -ENOEXEC : 0, "row %zu: %d %s", i, r, err.text);
        if (table[i].says)
            cr_expect(strstr(err.text, table[i].says) && strstr(err.text, "p.so"), "row %zu: '%s' is not in: %s", i, table[i].says, err.text);
    }
}

/* A folder more: its plugins are there as well, and a name that fettle's own folder has stays fettle's. */
Test(registry, looks_into_further_folders)
{
    char *more = path_of("more"), *command = ft_asprintf("mkdir '%s' && mv '%s/q.so' '%s/' && cp '%s/p.so' '%s/'", more, dir, more, dir, more);
    json_t *dirs = json_pack("[s, s]", "/nowhere", more);
    struct ft_registry_opts opts = { .dir = dir, .more_dirs = dirs };
    const char *const *names;
    struct ft_err err = { 0 };

    compile("p", HEAD ACTION("") PLUGIN(""));
    compile("q", HEAD ACTION("") PLUGIN(".name = \"q\", "));
    cr_assert_eq(system(command), 0);
    registry = ft_registry_free(registry);
    registry = ft_registry_new(&opts);
    names = ft_registry_plugins(registry);
    cr_assert(names[0] && names[1] && !names[2]);
    cr_expect_str_eq(names[0], "p");
    cr_expect_str_eq(names[1], "q");
    cr_expect_eq(load("q", &err), 0, "%s", err.text);
    cr_expect_eq(load("p", &err), 0, "%s", err.text);
    registry = ft_registry_free(registry);
    json_decref(dirs);
    free(command);
    free(more);
}

Test(registry, refuses_schemas_that_are_none)
{
    static const struct { const char *text, *says; } table[] = {
        { HEAD ACTION(".params_schema = \"{\\\"type\\\": \", ") PLUGIN(""), "parameters" },
        { HEAD ACTION(".params_schema = \"{\\\"type\\\": \\\"strnig\\\"}\", ") PLUGIN(""), "parameters" },
        { HEAD ACTION(".result_schema = \"{\\\"propertys\\\": {}}\", ") PLUGIN(""), "result" },
        { HEAD ACTION(".result_schema = \"[]\", ") PLUGIN(""), "result" },
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct ft_registry_opts opts = { .dir = dir };
        const struct ft_action_info *info = NULL;
        struct ft_err err = { 0 };
        int r;

        registry = ft_registry_free(registry);
        registry = ft_registry_new(&opts);
        compile("p", table[i].text);
        r = ft_registry_action(registry, "p.do_it", &info, &err);
        cr_expect_eq(r, -ENOEXEC, "row %zu: %d %s", i, r, err.text);
        cr_expect(strstr(err.text, table[i].says) && strstr(err.text, "do_it"), "row %zu: '%s' is not in: %s", i, table[i].says, err.text);
        cr_expect_eq(ft_registry_action(registry, "p.do_it", &info, &err), -ENOEXEC, "row %zu is taken the second time", i);
        cr_expect_lt(ft_registry_doctor(registry, "p", &err), 0, "row %zu: the doctor sees nothing", i);
    }
}

Test(registry, refuses_files_that_are_no_shared_objects)
{
    static const struct { const char *bytes; size_t len; } table[] = { { "", 0 }, { "#!/bin/sh\n", 10 }, { "\177ELF", 4 } };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct ft_err err = { 0 };

        write_file("p.so", table[i].bytes, table[i].len);
        cr_expect_eq(load("p", &err), -ENOEXEC, "row %zu: %s", i, err.text);
        cr_expect(strstr(err.text, "p.so") && strstr(err.text, "cannot be loaded"), "row %zu: %s", i, err.text);
    }
}

Test(registry, lists_what_is_there)
{
    const char *const *names;

    write_file("zeta.so", "", 0);
    write_file("alpha.so", "", 0);
    write_file("README.md", "", 0);
    write_file(".so", "", 0);
    names = ft_registry_plugins(registry);
    cr_assert_not_null(names[0]);
    cr_expect_str_eq(names[0], "alpha");
    cr_expect_str_eq(names[1], "zeta");
    cr_expect_null(names[2]);
}

Test(registry, suggests_what_may_have_been_meant)
{
    static const struct { const char *full, *says; } table[] = {
        { "p.do_ti", "did you mean 'do_it'" },
        { "p.something_else", "fettle plugins p" },
        { "q.do_it", "fettle plugins" },
        { "mits.do_it", "did you mean 'mist'" },
        { "p", "plugin.action" },
        { "p.", "plugin.action" },
        { ".do_it", "plugin.action" },
        { "../p.do_it", "plugin.action" },
        { "p/../p.do_it", "there is no plugin" },
        { "P.do_it", "there is no plugin" },
        { "", "plugin.action" },
    };

    compile("p", HEAD ACTION("") PLUGIN(""));
    write_file("mist.so", "", 0);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const struct ft_action_info *info = NULL;
        struct ft_err err = { 0 };

        cr_expect_eq(ft_registry_action(registry, table[i].full, &info, &err), -ENOENT, "'%s'", table[i].full);
        cr_expect_eq(err.class, FT_NOT_FOUND, "'%s'", table[i].full);
        cr_expect(strstr(err.text, table[i].says), "'%s': '%s' is not in: %s", table[i].full, table[i].says, err.text);
    }
}

Test(registry, loads_once_and_only_what_is_asked_for)
{
    const struct ft_action_info *one = NULL, *two = NULL;

    compile("p", HEAD ACTION("") PLUGIN(""));
    write_file("broken.so", "", 0);
    cr_assert_eq(ft_registry_action(registry, "p.do_it", &one, NULL), 0);
    cr_assert_eq(ft_registry_action(registry, "p.do_it", &two, NULL), 0);
    cr_expect_eq(one, two);
    cr_expect_str_eq(one->full, "p.do_it");
    cr_expect_str_eq(one->version, "1");
    cr_expect_not_null(one->params);
    cr_expect_null(ft_registry_http(registry), "nothing was asked of the network");
}

Test(registry, without_a_loop_nothing_can_be_called)
{
    const struct ft_action_info *info = NULL;
    struct ft_err err = { 0 };
    struct ft_call *call = NULL;

    compile("p", HEAD ACTION("") PLUGIN(""));
    cr_assert_eq(ft_registry_action(registry, "p.do_it", &info, NULL), 0);
    cr_expect_eq(ft_call_start(registry, &(struct ft_call_req){ .info = info }, &(struct ft_call_handler){ 0 }, NULL, &call, &err), -EINVAL);
    cr_expect(strstr(err.text, "p.do_it"), "%s", err.text);
}

/* ---- pages, of tests/support/plugins/trial.c */

static char *page_of(const char *action)
{
    char *plugins = ft_asprintf("%s/test-plugins", getenv("FETTLE_BUILD") ? getenv("FETTLE_BUILD") : ".");
    struct ft_registry_opts opts = { .dir = plugins };
    struct ft_err err = { 0 };
    char *page;

    registry = ft_registry_free(registry);
    registry = ft_registry_new(&opts);
    page = ft_registry_page(registry, "trial", action, &err);
    cr_assert_not_null(page, "%s", err.text);
    free(plugins);
    return page;
}

static void expect_lines(const char *page, const char *const *lines)
{
    for (; *lines; lines++)
        cr_expect(strstr(page, *lines), "not on the page: '%s'\n%s", *lines, page);
    for (const char *line = page; *line;) {
        size_t len = strcspn(line, "\n");

        cr_expect_leq(len, 110, "a line of %zu bytes: %.*s", len, (int)len, line);
        line += len + (line[len] == '\n');
    }
}

Test(registry, an_actions_page_says_what_one_needs)
{
    static const char *const lines[] = {
        "trial.write: does what it is told, writing\n", "  Some *Markdown* about it.\n", "writes, and users notice; sending it twice is the same as once",
        "shows exactly what would be sent", "`undo: auto` takes it back", "can tell after a lost answer", "deadline 5 s",
        "string, required\n", "integer, at least 0, default 3", "integer, 0 to 3600000, default 100", "list of string (mac)", "one of: soft, hard, null", "secret\n",
        "      What to do with the host, well or badly: this sentence is long enough to\n      need a second line of the page\n",
        "a count, in pieces", "string or null", "  - id: try\n    run: trial.write\n", NULL,
    };
    char *page = page_of("write");

    expect_lines(page, lines);
    free(page);
}

Test(registry, what_an_action_cannot_do_stands_there_too)
{
    static const char *const lines[] = { "counts as a write unless", "undetermined", "give the step an `undo`", "cannot tell whether it happened", "deadline 30 s", NULL };
    char *page = page_of("either");

    expect_lines(page, lines);
    free(page);
    page = page_of("read");
    cr_expect_null(strstr(page, "undo"), "a read has nothing to undo:\n%s", page);
    free(page);
}

Test(registry, a_plugins_page_lists_actions_and_configuration)
{
    static const char *const lines[] = {
        "trial 1.2: tries the host\n", "write                    disruptive does what it is told, writing\n", "either                   depends", "plugins.trial in fettle.yaml",
        "secret, required\n", "what lets it in", "boolean, default false", "It may use: http tcp udp websocket exec work file\n", NULL,
    };
    struct ft_err err = { 0 };
    char *page = page_of(NULL);

    expect_lines(page, lines);
    free(page);
    cr_expect_null(ft_registry_page(registry, "trial", "raed", &err));
    cr_expect(strstr(err.text, "did you mean 'read'"), "%s", err.text);
    cr_expect_null(ft_registry_page(registry, "trail", NULL, &err));
    cr_expect(strstr(err.text, "did you mean 'trial'"), "%s", err.text);
}
