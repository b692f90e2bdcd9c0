/* What `fettle plugins lint` says of a plugin file; the plugins are compiled here. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/util.h"
#include "plugin/lint.h"

#define HEAD "#include <fettle/kit.h>\n" \
    "static int start(struct ft_call *call, struct ft_err *e) { return -1; }\n" \
    "static int open_it(const struct ft_host *h, const json_t *c, void **i, struct ft_err *e) { return 0; }\n"
#define P_OK "FT_JSON({\"type\": \"object\", \"properties\": {\"host\": {\"type\": \"string\", \"description\": \"name\"}, \"n\": {\"type\": \"integer\", \"description\": \"how many\"}}," \
    " \"required\": [\"host\"], \"additionalProperties\": false})"
#define R_OK_SCHEMA "FT_JSON({\"type\": \"object\", \"properties\": {\"up\": {\"type\": \"boolean\", \"description\": \"it is\"}}})"
#define EX(text) ".example = \"" text "\", "
#define ACTION(members) "static const struct ft_action a = { .size = sizeof(a), .name = \"look\", .summary = \"is it up\", .effects = FT_EFFECT_READ, .params_schema = " P_OK "," \
    " .result_schema = " R_OK_SCHEMA ", .run = { .start = start }, .example = \"run: p.look\\nwith: {host: h}\\n\", " members "};\n" \
    "static const struct ft_action *const actions[] = { &a, NULL };\n"
#define PLUGIN(members) "FT_EXPORT const struct ft_plugin ft_plugin = { FT_PLUGIN_HEADER, .name = \"p\", .version = \"1\", .summary = \"a trial\", .open = open_it, .actions = actions, " members "};\n"
#define WRITES ".effects = FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT, .plan = { .start = start }, "

/* says NULL: nothing is found. errors: how many of what is found are errors. */
static const struct { const char *text, *says; int errors; } rows[] = {
    { HEAD ACTION("") PLUGIN(""), NULL, 0 },
    { HEAD ACTION(EX("- id: x\\n  run: p.look\\n  with: {host: \\\"${ap.name}\\\"}\\n")) PLUGIN(""), NULL, 0 },
    { HEAD ACTION(WRITES EX("run: p.look\\nwith: {host: h}\\nundo: none\\n")) PLUGIN(""), NULL, 0 },
    { HEAD ACTION(EX("run: p.lok\\nwith: {host: h}\\n")) PLUGIN(""), "does not run p.look", 1 },
    { HEAD ACTION(EX("run: p.look\\nwith: {hots: h}\\n")) PLUGIN(""), "did you mean 'host'", 2 },
    { HEAD ACTION(EX("run: p.look\\nwith: {hots: \\\"${x}\\\"}\\n")) PLUGIN(""), "'hots'", 2 },
    { HEAD ACTION(EX("run: p.look\\nwith: {host: 5}\\n")) PLUGIN(""), "the example is wrong", 1 },
    { HEAD ACTION(EX("run: p.look\\n")) PLUGIN(""), "lacks 'host'", 1 },
    { HEAD ACTION(EX("run: p.look\\nwit: {host: h}\\n")) PLUGIN(""), "'wit', which no step has", 2 },
    { HEAD ACTION(EX("run: [\\n")) PLUGIN(""), "not YAML", 1 },
    { HEAD ACTION(EX("- run: p.look\\n- run: p.look\\n")) PLUGIN(""), "not one step", 1 },
    { HEAD ACTION(".example = NULL, ") PLUGIN(""), "no example", 0 },
    { HEAD ACTION(WRITES) PLUGIN(""), "says nothing about undo", 1 },
    { HEAD ACTION(WRITES EX("run: p.look\\nwith: {host: h}\\nundo: auto\\n")) PLUGIN(""), "the action has no undo", 1 },
    { HEAD ACTION(".effects = FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT, " EX("run: p.look\\nwith: {host: h}\\nundo: none\\n")) PLUGIN(""), "without a `plan`", 0 },
    { HEAD ACTION(".effects = FT_EFFECT_WRITE, .plan = { .start = start }, " EX("run: p.look\\nwith: {host: h}\\nundo: none\\n")) PLUGIN(""), "no `probe`", 0 },
    { HEAD ACTION(".probe = { .start = start }, ") PLUGIN(""), "does it write after all", 1 },
    { HEAD ACTION(".summary = \"Looks.\", ") PLUGIN(""), "full stop", 0 },
    { HEAD ACTION(".params_schema = FT_JSON({\"type\": \"object\", \"properties\": {\"host\": {\"type\": \"string\"}}, \"additionalProperties\": false}), ") PLUGIN(""), "'host' has no description", 0 },
    { HEAD ACTION(".params_schema = FT_JSON({\"type\": \"object\", \"properties\": {\"host\": {\"type\": \"string\", \"description\": \"n\"}}}), ") PLUGIN(""), "lets unknown names through", 0 },
    { HEAD ACTION(".params_schema = FT_JSON({\"type\": \"object\", \"properties\": {\"host\": {\"type\": \"string\", \"description\": \"n\"}}, \"required\": [\"hots\"], \"additionalProperties\": false}), ")
          PLUGIN(""), "'hots' is required", 2 },
    { HEAD ACTION(".params_schema = \"{\\\"type\\\": \\\"array\\\"}\", .example = NULL, ") PLUGIN(""), "not of type object", 1 },
    { HEAD ACTION(".params_schema = \"{\\\"type\\\": \\\"strnig\\\"}\", ") PLUGIN(""), "parameters", 1 },
    { HEAD ACTION(".result_schema = \"{\\\"type\\\": \\\"object\\\"}\", ") PLUGIN(""), "names no properties", 0 },
    { HEAD "FT_EXPORT int stray(void) { return 1; }\n" ACTION("") PLUGIN(""), "exports 1 symbols besides ft_plugin (stray)", 0 },
    { HEAD ACTION("") PLUGIN(".config_schema = \"{\\\"type\\\": 5}\", "), "configuration", 1 },
    { HEAD ACTION("") PLUGIN(".abi_major = 7, "), "interface 7", 1 },
    { "int x;", "no symbol 'ft_plugin'", 1 },
};

static char dir[] = "/tmp/fettle-lint-XXXXXX";

static void set_up(void) { cr_assert_not_null(mkdtemp(dir)); }

static void tear_down(void)
{
    char *command = ft_asprintf("rm -r '%s'", dir);

    cr_expect_eq(system(command), 0);
    free(command);
}

TestSuite(lint, .init = set_up, .fini = tear_down);

static void compile(const char *text)
{
    const char *cc = getenv("CC") && *getenv("CC") ? getenv("CC") : "cc";
    char *file = ft_asprintf("%s/p.c", dir), *command = ft_asprintf("cd '%s' && %s -shared -fPIC -fvisibility=hidden -w -I'%s/core/include' -o p.so p.c", dir, cc, getenv("FETTLE_SOURCE"));
    FILE *f = fopen(file, "w");

    cr_assert_not_null(f);
    cr_assert(fputs(text, f) >= 0);
    fclose(f);
    cr_assert_eq(system(command), 0, "%s", text);
    free(command);
    free(file);
}

static void collect(void *arg, const struct ft_lint_finding *finding)
{
    ft_buf_addf(arg, "%s: %s: %s\n", finding->where, finding->error ? "error" : "advice", finding->text);
}

Test(lint, says_what_is_wrong_and_what_is_missed)
{
    char *path = ft_asprintf("%s/p.so", dir);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ft_buf said = FT_BUF_INIT(0);
        int errors;

        compile(rows[i].text);
        errors = ft_plugin_lint(path, collect, &said);
        cr_expect_eq(errors, rows[i].errors, "row %zu: %d errors:\n%s", i, errors, ft_buf_str(&said));
        if (rows[i].says)
            cr_expect(strstr(ft_buf_str(&said), rows[i].says), "row %zu: '%s' is not in:\n%s", i, rows[i].says, ft_buf_str(&said));
        else
            cr_expect_eq(said.len, 0u, "row %zu:\n%s", i, ft_buf_str(&said));
        ft_buf_done(&said);
    }
    free(path);
}

Test(lint, a_file_that_is_none)
{
    static const char *const paths[] = { "/nowhere/p.so", "/etc/passwd", "p", "" };

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct ft_buf said = FT_BUF_INIT(0);

        cr_expect_eq(ft_plugin_lint(paths[i], collect, &said), 1, "'%s'", paths[i]);
        cr_expect(strstr(ft_buf_str(&said), "no file NAME.so"), "'%s': %s", paths[i], ft_buf_str(&said));
        ft_buf_done(&said);
    }
}

/* fettle's own plugins are held to it: no error, and no advice but about writes that nobody can ask about afterwards. */
Test(lint, our_own_plugins)
{
    char *list = ft_asprintf("ls '%s'/plugins/*.so", getenv("FETTLE_BUILD")), path[4096];
    FILE *files = popen(list, "r");
    int count = 0;

    while (fgets(path, sizeof(path), files)) {
        struct ft_buf said = FT_BUF_INIT(0);

        path[strcspn(path, "\n")] = '\0';
        count++;
        cr_expect_eq(ft_plugin_lint(path, collect, &said), 0, "%s:\n%s", path, ft_buf_str(&said));
        for (const char *line = ft_buf_str(&said); *line; line += strcspn(line, "\n") + 1)
            cr_expect(strstr(line, "has no `probe`") && strstr(line, "has no `probe`") < line + strcspn(line, "\n"), "%.*s", (int)strcspn(line, "\n"), line);
        ft_buf_done(&said);
    }
    pclose(files);
    cr_expect_geq(count, 8);
    free(list);
}
