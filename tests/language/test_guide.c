/* Every example of schemas/LANGUAGE.md is loaded, with the real plugins, and accepted by the schema. An example that is no whole playbook is put
 * into one: a list becomes steps between others, keys become its top level. The configuration of schemas/README.md as well. */
#include <criterion/criterion.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/util.h"
#include "data/schema.h"
#include "data/yaml.h"
#include "playbook/config.h"
#include "playbook/playbook.h"
#include "plugin/registry.h"

/* Names that the examples use without saying where they come from. */
static const char before[] =
    "fettle: 1\n"
    "name: example\n"
    "title: An example\n"
    "params:\n"
    "  client: {type: mac, required: true}\n"
    "  grace: {type: duration, default: 30s}\n"
    "  resolver: {type: ip}\n"
    "vars: {rssi_floor: -70, expected_vlan: 110}\n"
    "steps:\n"
    "  - id: association\n"
    "    run: mist.client_status\n"
    "    with: {mac: \"${client}\"}\n"
    "    branch:\n"
    "      - if: not result.known\n"
    "        then: recheck\n"
    "      - if: not result.associated\n"
    "        then: escalated\n"
    "  - id: ap\n"
    "    run: mist.device_status\n"
    "    with: {device: \"${association.ap_id}\"}\n"
    "  - id: aps\n"
    "    run: mist.device_list\n"
    "  - id: port\n"
    "    run: switch.vlan_of_port\n"
    "    with: {device: sw-3, port: ge-0/0/7}\n";
static const char after[] =
    "  - id: recheck\n"
    "    run: net.tcp\n"
    "    with: {host: ap.example, port: 443}\n"
    "    branch:\n"
    "      - if: result.open\n"
    "        then: healthy\n"
    "      - else: escalated\n"
    "outcomes:\n"
    "  healthy: {title: Healthy}\n"
    "  escalated: {title: Handed to a person, status: attention}\n";

static struct ft_registry *registry;
static struct ft_playbook_world world;
static struct ft_schema *schema, *config_schema;

static int find_action(void *arg, const char *full, const struct ft_action_info **ret, struct ft_err *reterr) { return ft_registry_action(arg, full, ret, reterr); }
static const json_t *params_of(const struct ft_action_info *info) { return info->params_json; }
static const json_t *result_of(const struct ft_action_info *info) { return info->result_json; }
static unsigned effects_of(const struct ft_action_info *info) { return info->action->effects; }
static bool undo_of(const struct ft_action_info *info) { return info->action->undo.start != NULL; }
static const char *name_of(const struct ft_action_info *info) { return info->full; }

static char *read_source(const char *name)
{
    char *path = ft_asprintf("%s/%s", getenv("FETTLE_SOURCE"), name), part[4096];
    struct ft_buf text = FT_BUF_INIT(0);
    FILE *file = fopen(path, "r");

    cr_assert(file, "%s", path);
    for (size_t n; (n = fread(part, 1, sizeof(part), file)) > 0;)
        ft_buf_add(&text, part, n);
    fclose(file);
    free(path);
    return ft_buf_take(&text);
}

static struct ft_schema *read_schema(const char *name)
{
    char *text = read_source(name);
    json_t *json = json_loads(text, 0, NULL);
    struct ft_schema *compiled = NULL;
    struct ft_err err = { 0 };

    cr_assert_eq(ft_schema_compile(json, &compiled, &err), 0, "%s: %s", name, err.text);
    json_decref(json);
    free(text);
    return compiled;
}

static void set_up(void)
{
    char *lua = ft_asprintf("%s/lua", getenv("FETTLE_SOURCE")), *plugins = ft_asprintf("%s/plugins", getenv("FETTLE_BUILD"));
    struct ft_registry_opts opts = { .dir = plugins };

    registry = ft_registry_new(&opts);
    world = (struct ft_playbook_world){
        .script = ft_script_new(lua), .action = find_action, .params_schema = params_of, .result_schema = result_of, .effects = effects_of, .has_undo = undo_of,
        .full_name = name_of, .arg = registry,
    };
    schema = read_schema("schemas/playbook.schema.json");
    config_schema = read_schema("schemas/config.schema.json");
    free(lua);
    free(plugins);
}

static void tear_down(void)
{
    ft_script_free(world.script);
    ft_registry_free(registry);
    ft_schema_free(schema);
    ft_schema_free(config_schema);
}

TestSuite(guide, .init = set_up, .fini = tear_down);

static void add_indented(struct ft_buf *buf, const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t line = strcspn(text + i, "\n") + 1;

        ft_buf_addf(buf, "  %.*s", (int)line, text + i);
        i += line;
    }
}

/* malloced */
static char *whole_of(const char *example, size_t len)
{
    struct ft_buf text = FT_BUF_INIT(0);

    if (strncmp(example, "fettle:", 7) == 0) {
        ft_buf_add(&text, example, len);
    } else if (example[0] == '-') {
        ft_buf_adds(&text, before);
        add_indented(&text, example, len);
        ft_buf_adds(&text, after);
    } else {
        ft_buf_adds(&text, "fettle: 1\nname: example\ntitle: An example\n");
        ft_buf_add(&text, example, len);
        ft_buf_adds(&text, "steps:\n  - run: net.tcp\n    with: {host: ap.example, port: 443}\n    then: done\noutcomes:\n  done: {title: Done}\n");
    }
    return ft_buf_take(&text);
}

static void check_loader(const char *text, unsigned line)
{
    char *path = ft_asprintf("%s/schemas/LANGUAGE.md", getenv("FETTLE_SOURCE")), *said = NULL;
    struct ft_diags *diags = ft_diags_new();
    struct ft_playbook *pb = ft_playbook_parse(path, text, strlen(text), &world, diags);
    size_t len;
    FILE *to = open_memstream(&said, &len);

    ft_diags_print(diags, to, false);
    fclose(to);
    cr_expect(pb != NULL, "the example on line %u is refused:\n%s", line, said);
    ft_playbook_unref(pb);
    ft_diags_free(diags);
    free(said);
    free(path);
}

static void say_schema_error(void *arg, const struct ft_schema_error *error)
{
    cr_expect(false, "the example on line %u: the schema refuses %s: it %s", *(unsigned *)arg, error->pointer, error->text);
}

static void check_schema(const struct ft_schema *by, const char *text, unsigned line)
{
    struct ft_diags *diags = ft_diags_new();
    struct ft_doc *doc = ft_doc_parse("example", text, strlen(text), diags);
    json_t *json = doc ? ft_node_json(ft_doc_root(doc)) : NULL;

    if (json)
        ft_schema_check(by, json, say_schema_error, &line);
    json_decref(json);
    ft_doc_free(doc);
    ft_diags_free(diags);
}

static unsigned line_of(const char *text, const char *at)
{
    unsigned line = 1;

    for (; text < at; text++)
        line += *text == '\n';
    return line;
}

Test(guide, every_example_loads)
{
    static const char fence[] = "\n```yaml\n";
    char *guide = read_source("schemas/LANGUAGE.md");
    unsigned count = 0;

    for (const char *at = strstr(guide, fence); at; at = strstr(at, fence)) {
        const char *example = at + strlen(fence), *end = strstr(example, "\n```");
        char *whole;

        cr_assert(end, "line %u: the example does not end", line_of(guide, example));
        whole = whole_of(example, (size_t)(end + 1 - example));
        check_loader(whole, line_of(guide, example));
        check_schema(schema, whole, line_of(guide, example));
        free(whole);
        count++;
        at = end;
    }
    cr_expect_geq(count, 20, "only %u examples were found", count);
    free(guide);
}

Test(guide, the_configuration_loads)
{
    static const char fence[] = "\n```yaml\n# fettle.yaml\n";
    char *readme = read_source("schemas/README.md"), path[] = "/tmp/fettle-guide-XXXXXX", *example = strstr(readme, fence), *end;
    struct ft_diags *diags = ft_diags_new();
    struct ft_config *config;
    bool found;
    int fd = mkstemp(path);

    cr_assert(example && fd >= 0);
    example += strlen("\n```yaml\n");
    end = strstr(example, "\n```");
    cr_assert(end);
    end[1] = '\0';
    cr_assert_eq(write(fd, example, strlen(example)), (ssize_t)strlen(example));
    close(fd);
    config = ft_config_load(path, &found, diags);
    cr_expect(config != NULL, "%s", ft_diags_count(diags) ? ft_diags_get(diags, 0)->text : "");
    check_schema(config_schema, example, line_of(readme, example));
    ft_config_free(config);
    ft_diags_free(diags);
    unlink(path);
    free(readme);
}
