/* Every mistake that a playbook or a configuration can have, with exactly what is said about it: broken/NAME.yaml and broken/NAME.expect. The
 * first line of a file says who sees it first: `yaml`, `schema` (schemas/ refuse it too, so an editor underlines it), or `check` (only the loader).
 *
 * FETTLE_EXPECT=write writes the expectations anew: read every one of them before it is committed. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <unistd.h>
#include "base/buf.h"
#include "data/json.h"
#include "data/schema.h"
#include "data/yaml.h"
#include "playbook/config.h"
#include "world.h"

enum { AT_LEAST = 150 };

static struct world *world;
static struct ft_schema *playbook_schema, *config_schema;

static char *read_whole(const char *path)
{
    FILE *file = fopen(path, "r");
    struct ft_buf text = FT_BUF_INIT(0);
    char part[4096];

    if (!file)
        return NULL;
    for (size_t n; (n = fread(part, 1, sizeof(part), file)) > 0;)
        ft_buf_add(&text, part, n);
    fclose(file);
    return ft_buf_take(&text);
}

static struct ft_schema *read_schema(const char *name)
{
    char *path = ft_asprintf("%s/schemas/%s", getenv("FETTLE_SOURCE"), name), *text = read_whole(path);
    json_t *json = text ? json_loads(text, 0, NULL) : NULL;
    struct ft_schema *schema = NULL;
    struct ft_err err = { 0 };

    cr_assert(json, "%s is no JSON", path);
    cr_assert_eq(ft_schema_compile(json, &schema, &err), 0, "%s: %s", path, err.text);
    json_decref(json);
    free(text);
    free(path);
    return schema;
}

static void set_up(void)
{
    char *folder = ft_asprintf("%s/tests/language/broken", getenv("FETTLE_SOURCE"));

    cr_assert_eq(chdir(folder), 0, "%s", folder);
    free(folder);
    world = world_new(NULL);
    playbook_schema = read_schema("playbook.schema.json");
    config_schema = read_schema("config.schema.json");
}

static void tear_down(void)
{
    world_free(world);
    ft_schema_free(playbook_schema);
    ft_schema_free(config_schema);
}

TestSuite(broken, .init = set_up, .fini = tear_down);

static bool is_config(const char *name)
{
    return strncmp(name, "config_", 7) == 0;
}

/* What is said about the file, as `fettle check` prints it. malloced */
static char *said_about(const char *name)
{
    struct ft_diags *diags = ft_diags_new();
    struct ft_playbook *pb = NULL;
    struct ft_config *config = NULL;
    char *text = NULL;
    size_t len;
    FILE *to = open_memstream(&text, &len);
    bool found;

    if (is_config(name))
        config = ft_config_load(name, &found, diags);
    else
        pb = ft_playbook_load(name, &world->world, diags);
    ft_diags_print(diags, to, false);
    if (pb || config)
        fprintf(to, "no mistake found\n");
    ft_playbook_unref(pb);
    ft_config_free(config);
    ft_diags_free(diags);
    fclose(to);
    return text;
}

static void check_expectation(const char *name)
{
    char *path = ft_asprintf("%.*s.expect", (int)(strlen(name) - 5), name), *expected, *said = said_about(name);
    const char *mode = getenv("FETTLE_EXPECT");

    if (ft_streq(mode, "write")) {
        FILE *file = fopen(path, "w");

        cr_assert(file, "%s", path);
        fputs(said, file);
        fclose(file);
    }
    expected = read_whole(path);
    cr_expect(expected != NULL, "%s is missing; what is said now:\n%s", path, said);
    if (expected)
        cr_expect(strcmp(expected, said) == 0, "%s\n--- expected\n%s+++ said\n%s", name, expected, said);
    cr_expect(!strstr(said, "no mistake found"), "%s has no mistake", name);
    free(expected);
    free(path);
    free(said);
}

/* The file's first line. */
static const char *seen_by(const char *text)
{
    static const char *const who[] = { "yaml", "schema", "check" };

    for (size_t i = 0; i < ARRAY_LEN(who); i++) {
        char line[64];

        snprintf(line, sizeof(line), "# seen by: %s\n", who[i]);
        if (strncmp(text, line, strlen(line)) == 0)
            return who[i];
    }
    return "?";
}

static void check_schema(const char *name)
{
    char *text = read_whole(name);
    struct ft_diags *diags = ft_diags_new();
    struct ft_doc *doc = ft_doc_parse(name, text, strlen(text), diags);
    json_t *json = doc ? ft_node_json(ft_doc_root(doc)) : NULL;
    int errors = json ? ft_schema_check(is_config(name) ? config_schema : playbook_schema, json, NULL, NULL) : 0;
    const char *who = !json ? "yaml" : errors ? "schema" : "check";

    cr_expect_str_eq(seen_by(text), who, "%s says that it is seen by '%s', and it is seen by '%s'", name, seen_by(text), who);
    json_decref(json);
    ft_doc_free(doc);
    ft_diags_free(diags);
    free(text);
}

static int is_case(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return len > 5 && strcmp(entry->d_name + len - 5, ".yaml") == 0;
}

static void for_all(void (*check)(const char *name))
{
    struct dirent **entries;
    int n = scandir(".", &entries, is_case, alphasort);

    cr_assert_geq(n, AT_LEAST, "only %d broken files were found", n);
    for (int i = 0; i < n; i++) {
        check(entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
}

Test(broken, each_mistake_is_said_where_it_is)
{
    for_all(check_expectation);
}

Test(broken, the_schemas_see_what_is_structural)
{
    for_all(check_schema);
}
