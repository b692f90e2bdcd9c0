/* Every construct of the language, accepted by the loader and by the schema, and what the loader makes of it: good/NAME.yaml and the tree in
 * good/NAME.tree, a line a step. FETTLE_EXPECT=write writes the trees anew: read them before they are committed. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <inttypes.h>
#include <unistd.h>
#include "base/buf.h"
#include "data/json.h"
#include "data/schema.h"
#include "data/yaml.h"
#include "world.h"

static struct world *world;

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

static void set_up(void)
{
    char *folder = ft_asprintf("%s/tests/language/good", getenv("FETTLE_SOURCE"));

    cr_assert_eq(chdir(folder), 0, "%s", folder);
    free(folder);
    world = world_new(NULL);
}

static void tear_down(void)
{
    world_free(world);
}

TestSuite(good, .init = set_up, .fini = tear_down);

/* ---- the tree as text -------------------------------------------------------------------------------------------- */

static void say_target(struct ft_buf *buf, const char *what, const struct ft_target *to)
{
    static const char *const kinds[] = { [FT_TO_NEXT] = "next", [FT_TO_STEP] = "step", [FT_TO_OUTCOME] = "outcome", [FT_TO_END] = "end" };

    if (to->kind != FT_TO_NEXT)
        ft_buf_addf(buf, " %s=%s:%s:%zu", what, kinds[to->kind], to->name, to->index);
}

static void say_call(struct ft_buf *buf, const char *what, const struct ft_call_spec *call)
{
    static const char *const effects[] = { "?", "reads", "writes", "disrupts", "unknown" };

    ft_buf_addf(buf, " %s=%s(%s%s)", what, call->name, effects[call->effects & FT_EFFECT_MASK], call->effects & FT_EFFECT_IDEMPOTENT ? ", idempotent" : "");
    cr_assert(call->with);
}

static void say_look(struct ft_buf *buf, const char *what, const struct ft_verify *look)
{
    say_call(buf, what, &look->call);
    ft_buf_addf(buf, " until=[%s] every=%" PRIu64 " within=%" PRIu64, ft_chunk_text(look->until), look->every_ms, look->within_ms);
}

static void say_write(struct ft_buf *buf, const struct ft_step *step)
{
    static const char *const undo[] = { "", " undo=none", " undo=auto", " undo=call" };

    ft_buf_adds(buf, undo[step->undo]);
    if (step->undo == FT_UNDO_CALL)
        say_call(buf, "by", &step->undo_call);
    if (step->verify)
        say_look(buf, "verify", step->verify);
}

static void say_verb(struct ft_buf *buf, const struct ft_step *step)
{
    switch (step->verb) {
    case FT_VERB_RUN:
        say_call(buf, "call", &step->call);
        say_write(buf, step);
        break;
    case FT_VERB_SET:
        for (size_t i = 0; i < step->set_count; i++)
            ft_buf_addf(buf, " %s=[%s]", step->sets[i].name, ft_tmpl_text(step->sets[i].value));
        break;
    case FT_VERB_LUA:
        ft_buf_addf(buf, " %zu bytes", strlen(ft_chunk_text(step->lua)));
        break;
    case FT_VERB_APPROVE:
        ft_buf_addf(buf, " text=[%s] role=%s count=%u within=%" PRIu64, ft_tmpl_text(step->text), step->by_role ? step->by_role : "-", step->by_count, step->within_ms);
        break;
    case FT_VERB_ASK:
        ft_buf_addf(buf, " text=[%s] fields=%zu within=%" PRIu64, ft_tmpl_text(step->text), json_object_size(step->fields), step->within_ms);
        break;
    case FT_VERB_WAIT:
        ft_buf_addf(buf, " [%s%s]", step->wait_window ? "window " : "", step->wait_window ? step->wait_window : ft_tmpl_text(step->wait));
        break;
    case FT_VERB_FOR_EACH:
        ft_buf_addf(buf, " list=[%s] as=%s at_once=%u", ft_tmpl_text(step->list), step->as, step->at_once);
        for (size_t i = 0; i < step->batch_count; i++)
            ft_buf_addf(buf, " batch=%g%s", step->batches[i].value, step->batches[i].percent ? "%" : "");
        if (step->has_max_failures)
            ft_buf_addf(buf, " max_failures=%g%s", step->max_failures.value, step->max_failures.percent ? "%" : "");
        if (step->soak_ms)
            ft_buf_addf(buf, " soak=%" PRIu64, step->soak_ms);
        if (step->check)
            say_look(buf, "check", step->check);
        break;
    case FT_VERB_CALL:
        ft_buf_addf(buf, " playbook=%s", ft_playbook_path(step->callee));
        cr_assert(step->call_with);
        break;
    case FT_VERB_PARALLEL:
        break;
    }
}

static void say_list(struct ft_buf *buf, const struct ft_list_of_steps *list, unsigned depth);

static void say_step(struct ft_buf *buf, const struct ft_step *step, unsigned depth)
{
    ft_buf_addf(buf, "%*s%s%s \"%s\" %s line %u", (int)depth * 2, "", step->id, step->has_id ? "" : "*", step->title, ft_verb_name(step->verb), step->mark.line);
    say_verb(buf, step);
    if (step->when)
        ft_buf_addf(buf, " when=[%s]", ft_chunk_text(step->when));
    if (step->timeout_ms)
        ft_buf_addf(buf, " timeout=%" PRIu64, step->timeout_ms);
    if (step->retry.times)
        ft_buf_addf(buf, " retry=%u every=%" PRIu64 " backoff=%g if=[%s]", step->retry.times, step->retry.every_ms, step->retry.backoff,
                    step->retry.cond ? ft_chunk_text(step->retry.cond) : "");
    if (step->say)
        ft_buf_addf(buf, " say=[%s]", ft_tmpl_text(step->say));
    ft_buf_adds(buf, step->assume ? " assume" : "");
    for (size_t i = 0; i < step->branch_count; i++)
        say_target(buf, step->branches[i].text, &step->branches[i].to);
    say_target(buf, "then", &step->then);
    if (step->has_on_error)
        say_target(buf, "on_error", &step->on_error);
    ft_buf_adds(buf, "\n");
    say_list(buf, &step->inner, depth + 1);
}

static void say_list(struct ft_buf *buf, const struct ft_list_of_steps *list, unsigned depth)
{
    for (size_t i = 0; i < list->count; i++)
        say_step(buf, &list->steps[i], depth);
}

static char *tree_of(const struct ft_playbook *pb)
{
    static const char *const statuses[] = { "ok", "attention", "failed" };
    struct ft_buf buf = FT_BUF_INIT(0);
    size_t params, outcomes;
    const struct ft_param *param = ft_playbook_params(pb, &params);
    const struct ft_outcome *outcome = ft_playbook_outcomes(pb, &outcomes);
    char *vars = ft_json_text(ft_playbook_vars(pb));

    ft_buf_addf(&buf, "%s \"%s\" %s/%s runtime=%" PRIu64 " writes=%u vars=%s%s\n", ft_playbook_name(pb), ft_playbook_title(pb), ft_playbook_category(pb),
                ft_playbook_severity(pb), ft_playbook_runtime_ms(pb), ft_playbook_max_writes(pb), vars, ft_playbook_locks(pb) ? " locks" : "");
    free(vars);
    for (size_t i = 0; i < params; i++) {
        char *spec = ft_json_text(param[i].spec);

        ft_buf_addf(&buf, "param %s%s line %u %s\n", param[i].name, param[i].required ? "!" : "", param[i].mark.line, spec);
        free(spec);
    }
    say_list(&buf, ft_playbook_steps(pb), 0);
    for (size_t i = 0; i < outcomes; i++)
        ft_buf_addf(&buf, "outcome %s \"%s\" %s%s diagnosis=[%s]%s\n", outcome[i].name, outcome[i].title, statuses[outcome[i].status], outcome[i].rollback ? " rollback" : "",
                    outcome[i].diagnosis ? ft_tmpl_text(outcome[i].diagnosis) : "", outcome[i].evidence ? " evidence" : "");
    return ft_buf_take(&buf);
}

/* ---- the tests --------------------------------------------------------------------------------------------------- */

static char *printed(struct ft_diags *diags)
{
    char *text = NULL;
    size_t len;
    FILE *to = open_memstream(&text, &len);

    ft_diags_print(diags, to, false);
    fclose(to);
    return text;
}

static void check_tree(const char *name)
{
    struct ft_diags *diags = ft_diags_new();
    struct ft_playbook *pb = ft_playbook_load(name, &world->world, diags);
    char *path = ft_asprintf("%.*s.tree", (int)(strlen(name) - 5), name), *said = printed(diags), *tree, *expected;
    const char *mode = getenv("FETTLE_EXPECT");

    cr_assert(pb, "%s is refused:\n%s", name, said);
    tree = tree_of(pb);
    if (ft_streq(mode, "write")) {
        FILE *file = fopen(path, "w");

        cr_assert(file, "%s", path);
        fputs(tree, file);
        fclose(file);
    }
    expected = read_whole(path);
    cr_expect(expected != NULL, "%s is missing; the tree is\n%s", path, tree);
    if (expected)
        cr_expect(strcmp(expected, tree) == 0, "%s\n--- expected\n%s+++ is\n%s", name, expected, tree);
    free(expected);
    free(tree);
    free(said);
    free(path);
    ft_playbook_unref(pb);
    ft_diags_free(diags);
}

static struct ft_schema *schema;

static void say_schema_error(void *arg, const struct ft_schema_error *error)
{
    cr_expect(false, "%s: the schema refuses %s: it %s", (const char *)arg, *error->pointer ? error->pointer : "the whole", error->text);
}

static void check_schema(const char *name)
{
    struct ft_diags *diags = ft_diags_new();
    struct ft_doc *doc = ft_doc_load(name, diags);
    json_t *json;

    cr_assert(doc, "%s", name);
    json = ft_node_json(ft_doc_root(doc));
    ft_schema_check(schema, json, say_schema_error, (void *)name);
    json_decref(json);
    ft_doc_free(doc);
    ft_diags_free(diags);
}

static int is_playbook(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return len > 5 && strcmp(entry->d_name + len - 5, ".yaml") == 0 && !strstr(entry->d_name, ".test.");
}

static void for_all(const char *folder, int at_least, void (*check)(const char *name))
{
    struct dirent **entries;
    int n = scandir(folder, &entries, is_playbook, alphasort);

    cr_assert_geq(n, at_least, "only %d playbooks in %s", n, folder);
    for (int i = 0; i < n; i++) {
        char *path = strcmp(folder, ".") == 0 ? ft_strdup(entries[i]->d_name) : ft_asprintf("%s/%s", folder, entries[i]->d_name);

        check(path);
        free(path);
        free(entries[i]);
    }
    free(entries);
}

Test(good, every_construct_becomes_its_tree)
{
    for_all(".", 12, check_tree);
}

Test(good, the_schema_accepts_all_playbooks_there_are)
{
    char *path = ft_asprintf("%s/schemas/playbook.schema.json", getenv("FETTLE_SOURCE")), *text = read_whole(path);
    json_t *json = text ? json_loads(text, 0, NULL) : NULL;
    struct ft_err err = { 0 };
    char *incidents = ft_asprintf("%s/playbooks/incident", getenv("FETTLE_SOURCE"));

    cr_assert_eq(ft_schema_compile(json, &schema, &err), 0, "%s: %s", path, err.text);
    for_all(".", 12, check_schema);
    for_all("parts", 1, check_schema);
    for_all("../broken/parts", 1, check_schema);
    for_all(incidents, 1, check_schema);
    ft_schema_free(schema);
    json_decref(json);
    free(text);
    free(path);
    free(incidents);
}

/* A stored run goes on with the sources that it started with, wherever it is resumed. */
Test(good, what_was_stored_loads_to_the_same)
{
    struct ft_diags *diags = ft_diags_new();
    struct ft_playbook *pb = ft_playbook_load("call.yaml", &world->world, diags), *again;
    json_t *sources = ft_playbook_sources(pb);
    char *tree = tree_of(pb), *tree_again;

    cr_expect_eq(json_object_size(json_object_get(sources, "files")), 2);
    cr_assert_eq(chdir("/"), 0);
    again = ft_playbook_from_sources(sources, &world->world, diags);
    cr_assert(again);
    tree_again = tree_of(again);
    cr_expect_str_eq(tree, tree_again);
    cr_expect_str_eq(ft_playbook_digest(pb), ft_playbook_digest(again));

    json_object_del(json_object_get(sources, "files"), "parts/ping.yaml");
    cr_expect_null(ft_playbook_from_sources(sources, &world->world, diags));
    cr_expect_eq(ft_diags_count(diags), 2, "each call says that its source is gone");
    free(tree);
    free(tree_again);
    json_decref(sources);
    ft_playbook_unref(again);
    ft_playbook_unref(pb);
    ft_diags_free(diags);
}
