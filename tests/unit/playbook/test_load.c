/* Loading as a whole: memory and files, calls, ceilings. What is wrong with a playbook is in tests/language/broken. */
#include <criterion/criterion.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../../language/world.h"
#include "base/buf.h"
#include "data/json.h"

static struct world *world;
static char folder[] = "/tmp/fettle-load-XXXXXX";

static void set_up(void)
{
    world = world_new(NULL);
    cr_assert(mkdtemp(folder));
    cr_assert_eq(chdir(folder), 0);
}

static void tear_down(void)
{
    char *command = ft_asprintf("rm -r %s", folder);

    cr_assert_eq(system(command), 0);
    free(command);
    world_free(world);
}

TestSuite(load, .init = set_up, .fini = tear_down);

static const char head[] = "fettle: 1\nname: t\ntitle: T\n";
static const char tail[] = "outcomes:\n  done: {title: Done}\n";
static const char check[] = "  - run: net.check\n    with: {host: a}\n";

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");

    cr_assert(file, "%s", name);
    fputs(text, file);
    fclose(file);
}

static struct ft_playbook *parse(const char *text, size_t *ret_errors, char **ret_first)
{
    struct ft_diags *diags = ft_diags_new();
    struct ft_playbook *pb = ft_playbook_parse("t.yaml", text, strlen(text), &world->world, diags);

    *ret_errors = ft_diags_count(diags);
    *ret_first = *ret_errors ? ft_strdup(ft_diags_get(diags, 0)->text) : NULL;
    ft_diags_free(diags);
    return pb;
}

static void expect_only(const char *what, const char *text, const char *says)
{
    char *first;
    size_t errors;
    struct ft_playbook *pb = parse(text, &errors, &first);

    cr_expect_null(pb, "%s", what);
    cr_expect_eq(errors, 1, "%s: %zu errors, first: %s", what, errors, first ? first : "none");
    cr_expect(first && strstr(first, says), "%s: %s", what, first);
    free(first);
    ft_playbook_unref(pb);
}

/* ---- ceilings ---------------------------------------------------------------------------------------------------- */

static char *with_steps(size_t n)
{
    struct ft_buf text = FT_BUF_INIT(0);

    ft_buf_addf(&text, "%ssteps:\n", head);
    for (size_t i = 0; i < n; i++)
        ft_buf_adds(&text, check);
    ft_buf_addf(&text, "    then: done\n%s", tail);
    return ft_buf_take(&text);
}

Test(load, two_thousand_steps_and_no_more)
{
    char *most = with_steps(2000), *more = with_steps(2010), *first;
    size_t errors;
    struct ft_playbook *pb = parse(most, &errors, &first);

    cr_assert(pb, "%s", first);
    cr_expect_eq(ft_playbook_steps(pb)->count, 2000);
    ft_playbook_unref(pb);
    expect_only("2010 steps", more, "at most 2000 steps");
    free(most);
    free(more);
}

static char *nested(unsigned depth)
{
    struct ft_buf text = FT_BUF_INIT(0);

    ft_buf_addf(&text, "%ssteps:\n", head);
    for (unsigned i = 0; i < depth; i++)
        ft_buf_addf(&text, "%*s- for_each: [1]\n%*s  as: i%u\n%*s  steps:\n", (int)i * 4 + 2, "", (int)i * 4 + 2, "", i, (int)i * 4 + 2, "");
    ft_buf_addf(&text, "%*s- run: net.check\n%*s  with: {host: a}\n    then: done\n%s", (int)depth * 4 + 2, "", (int)depth * 4 + 2, "", tail);
    return ft_buf_take(&text);
}

Test(load, loops_stand_in_each_other_eight_deep)
{
    char *most = nested(8), *more = nested(9), *first;
    size_t errors;
    struct ft_playbook *pb = parse(most, &errors, &first);

    cr_assert(pb, "%s", first);
    ft_playbook_unref(pb);
    expect_only("9 deep", more, "more than 8 deep");
    free(most);
    free(more);
}

Test(load, at_most_two_hundred_mistakes_are_held)
{
    struct ft_buf text = FT_BUF_INIT(0);
    char *first;
    size_t errors;

    ft_buf_addf(&text, "%ssteps:\n", head);
    for (int i = 0; i < 500; i++)
        ft_buf_addf(&text, "  - run: net.check\n    with: {host%d: a}\n", i);
    ft_buf_addf(&text, "    then: done\n%s", tail);
    cr_expect_null(parse(ft_buf_str(&text), &errors, &first));
    cr_expect_eq(errors, 200);
    free(first);
    ft_buf_done(&text);
}

/* Every edge into every step: sets of steps are joined once an edge. */
Test(load, a_wide_branch_is_no_burden)
{
    struct ft_buf text = FT_BUF_INIT(0);
    char *first = NULL;
    size_t errors;
    struct ft_playbook *pb;

    ft_buf_addf(&text, "%ssteps:\n  - id: s\n    run: net.check\n    with: {host: a}\n    branch:\n", head);
    for (int i = 0; i < 1500; i++)
        ft_buf_addf(&text, "      - if: result.rtt_ms == %d\n        then: s%d\n", i, i);
    ft_buf_adds(&text, "      - else: s0\n");
    for (int i = 0; i < 1500; i++)
        ft_buf_addf(&text, "  - id: s%d\n    run: net.check\n    with: {host: \"${s.error}\"}\n", i);
    ft_buf_addf(&text, "    then: done\n%s", tail);
    pb = parse(ft_buf_str(&text), &errors, &first);
    cr_expect(pb, "%s", first);
    ft_playbook_unref(pb);
    free(first);
    ft_buf_done(&text);
}

/* ---- calls ------------------------------------------------------------------------------------------------------- */

static void write_calling(const char *name, const char *called)
{
    char *text = called ? ft_asprintf("%ssteps:\n  - call: %s\n    then: done\n%s", head, called, tail) : ft_asprintf("%ssteps:\n%s    then: done\n%s", head, check, tail);

    write_file(name, text);
    free(text);
}

static struct ft_playbook *load(const char *path, struct ft_diags *diags)
{
    struct ft_playbook *pb = ft_playbook_load(path, &world->world, diags);

    if (!pb && ft_diags_count(diags) == 0)
        cr_expect(false, "%s is refused without a reason", path);
    return pb;
}

/* c0 calls c1 … calls c<n>. */
static void write_chain(unsigned n)
{
    for (unsigned i = 0; i <= n; i++) {
        char *name = ft_asprintf("c%u.yaml", i), *next = ft_asprintf("c%u", i + 1);

        write_calling(name, i < n ? next : NULL);
        free(name);
        free(next);
    }
}

Test(load, calls_are_eight_deep_at_most)
{
    struct ft_diags *diags = ft_diags_new();
    struct ft_playbook *pb;

    write_chain(8);
    pb = load("c0.yaml", diags);
    cr_assert(pb, "%s", ft_diags_count(diags) ? ft_diags_get(diags, 0)->text : "");
    ft_playbook_unref(pb);
    write_chain(9);
    cr_expect_null(load("c0.yaml", diags));
    cr_assert_eq(ft_diags_count(diags), 1);
    cr_expect_str_eq(ft_diags_get(diags, 0)->source, "c8.yaml");
    cr_expect(strstr(ft_diags_get(diags, 0)->text, "more than 8 deep"), "%s", ft_diags_get(diags, 0)->text);
    ft_diags_free(diags);
}

Test(load, a_circle_is_found_under_any_spelling)
{
    static const char *const spellings[] = { "./a", "../x/a", "b/../a.yaml", "a" };

    cr_assert_eq(mkdir("x", 0700), 0);
    cr_assert_eq(chdir("x"), 0);
    for (size_t i = 0; i < ARRAY_LEN(spellings); i++) {
        struct ft_diags *diags = ft_diags_new();
        struct ft_playbook *pb;

        write_calling("a.yaml", spellings[i]);
        pb = load("./a.yaml", diags);
        cr_expect_null(pb, "%s", spellings[i]);
        cr_expect_eq(ft_diags_count(diags), 1, "%s", spellings[i]);
        cr_expect(strstr(ft_diags_get(diags, 0)->text, "circle"), "%s: %s", spellings[i], ft_diags_get(diags, 0)->text);
        ft_playbook_unref(pb);
        ft_diags_free(diags);
    }
    cr_assert_eq(chdir(".."), 0);
}

Test(load, a_playbook_called_twice_is_one)
{
    struct ft_diags *diags = ft_diags_new();
    char *text = ft_asprintf("%ssteps:\n  - call: b\n  - call: ./b.yaml\n    then: done\n%s", head, tail);
    struct ft_playbook *pb;

    write_calling("b.yaml", NULL);
    write_file("a.yaml", text);
    pb = load("a.yaml", diags);
    cr_assert(pb);
    cr_expect_eq(ft_playbook_steps(pb)->steps[0].callee, ft_playbook_steps(pb)->steps[1].callee);
    ft_playbook_unref(pb);
    ft_diags_free(diags);
    free(text);
}

Test(load, the_digest_is_of_all_that_runs)
{
    struct ft_diags *diags = ft_diags_new();
    struct ft_playbook *first, *same, *other;
    char *longer = ft_asprintf("%ssteps:\n%s%s    then: done\n%s", head, check, check, tail);

    write_calling("b.yaml", NULL);
    write_calling("a.yaml", "b");
    first = load("a.yaml", diags);
    same = load("./a.yaml", diags);
    write_file("b.yaml", longer);
    other = load("a.yaml", diags);
    cr_assert(first && same && other);
    cr_expect_str_eq(ft_playbook_digest(first), ft_playbook_digest(same), "the place does not count");
    cr_expect_str_neq(ft_playbook_digest(first), ft_playbook_digest(other), "a changed callee does");
    cr_expect_eq(strlen(ft_playbook_digest(first)), 64);
    ft_playbook_unref(first);
    ft_playbook_unref(same);
    ft_playbook_unref(other);
    ft_diags_free(diags);
    free(longer);
}

static int two_sources(void *arg, const char *from, const char *name, char **ret_path, char **ret_text, size_t *ret_len, struct ft_err *reterr)
{
    unsigned *asked = arg;

    (void)from;
    (*asked)++;
    if (strcmp(name, "known") != 0)
        return ft_err_set(reterr, -ENOENT, "the library has no playbook '%s'", name);
    *ret_path = ft_strdup("library:known");
    *ret_text = ft_asprintf("%ssteps:\n%s    then: done\n%s", head, check, tail);
    *ret_len = strlen(*ret_text);
    return 0;
}

Test(load, called_playbooks_come_from_where_the_world_says)
{
    unsigned asked = 0;
    struct ft_playbook_world other = world->world;
    struct ft_diags *diags = ft_diags_new();
    char *good = ft_asprintf("%ssteps:\n  - call: known\n    then: done\n%s", head, tail), *bad = ft_asprintf("%ssteps:\n  - call: unknown\n    then: done\n%s", head, tail);
    struct ft_playbook *pb;
    json_t *sources;

    other.source = two_sources;
    other.source_arg = &asked;
    pb = ft_playbook_parse("t", good, strlen(good), &other, diags);
    cr_assert(pb);
    sources = ft_playbook_sources(pb);
    cr_expect(json_object_get(json_object_get(sources, "files"), "library:known"));
    cr_expect_str_eq(ft_json_str(json_object_get(json_object_get(sources, "calls"), "t"), "known"), "library:known");
    ft_playbook_unref(pb);
    cr_expect_null(ft_playbook_parse("t", bad, strlen(bad), &other, diags));
    cr_expect_str_eq(ft_diags_get(diags, 0)->text, "the library has no playbook 'unknown'");
    cr_expect_eq(asked, 2);
    json_decref(sources);
    ft_diags_free(diags);
    free(good);
    free(bad);
}

Test(load, a_near_file_is_suggested)
{
    struct ft_diags *diags = ft_diags_new();

    write_calling("ping-host.yaml", NULL);
    write_file("ping-hosts.test.yaml", "");
    write_calling("a.yaml", "ping-hots");
    cr_expect_null(load("a.yaml", diags));
    cr_expect_str_eq(ft_diags_get(diags, 0)->text, "there is no playbook 'ping-hots.yaml'; did you mean 'ping-host'?");
    ft_diags_free(diags);
}

Test(load, a_called_file_has_its_ceiling_too)
{
    struct ft_diags *diags = ft_diags_new();
    FILE *file = fopen("b.yaml", "w");

    cr_assert(file);
    for (int i = 0; i < 70000; i++)
        fputs("# a comment that takes room, and says nothing, line after line\n", file);
    fclose(file);
    write_calling("a.yaml", "b");
    cr_expect_null(load("a.yaml", diags));
    cr_expect_eq(ft_diags_count(diags), 1);
    cr_expect_str_eq(ft_diags_get(diags, 0)->text, "'b.yaml' is larger than 4 MiB");
    ft_diags_free(diags);
}

/* ---- odd files --------------------------------------------------------------------------------------------------- */

Test(load, what_cannot_be_read_is_one_sentence)
{
    static const struct { const char *path, *says; } files[] = { { "nowhere.yaml", "No such file" }, { ".", "Is a directory" }, { "", "" } };

    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        struct ft_diags *diags = ft_diags_new();

        cr_expect_null(load(files[i].path, diags), "'%s'", files[i].path);
        cr_expect_eq(ft_diags_count(diags), 1, "'%s'", files[i].path);
        cr_expect(strstr(ft_diags_get(diags, 0)->text, files[i].says), "'%s': %s", files[i].path, ft_diags_get(diags, 0)->text);
        ft_diags_free(diags);
    }
}

Test(load, broken_sources_of_a_run_are_refused)
{
    static const char *const sources[] = { "{}", "{'main': 'a.yaml'}", "{'main': 'a.yaml', 'files': {'b.yaml': ''}}", "{'main': 'a.yaml', 'files': {'a.yaml': 5}}",
                                           "{'main': 'a.yaml', 'files': {'a.yaml': 'x'}}" };

    for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
        struct ft_diags *diags = ft_diags_new();
        json_t *json = world_json(sources[i]);

        cr_expect_null(ft_playbook_from_sources(json, &world->world, diags), "%s", sources[i]);
        cr_expect_gt(ft_diags_count(diags), 0, "%s", sources[i]);
        json_decref(json);
        ft_diags_free(diags);
    }
}

Test(load, references_are_counted)
{
    char *text = with_steps(1), *first;
    size_t errors;
    struct ft_playbook *pb = parse(text, &errors, &first), *again;

    cr_assert(pb);
    again = ft_playbook_ref(pb);
    cr_expect_eq(again, pb);
    cr_expect_null(ft_playbook_unref(pb));
    cr_expect_str_eq(ft_playbook_name(again), "t");
    cr_expect_null(ft_playbook_unref(again));
    cr_expect_null(ft_playbook_unref(NULL));
    free(text);
}
