#include <criterion/criterion.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/util.h"
#include "data/json.h"
#include "data/yaml.h"

static struct ft_doc *parsed(const char *text)
{
    struct ft_diags *diags = ft_diags_new();
    struct ft_doc *doc = ft_doc_parse("t.yaml", text, strlen(text), diags);

    cr_assert(doc, "%s\n%s", text, ft_diags_count(diags) ? ft_diags_get(diags, 0)->text : "no reason");
    cr_expect_eq(ft_diags_count(diags), 0);
    ft_diags_free(diags);
    return doc;
}

/* ---- Values ------------------------------------------------------------------------------------------------------ */

static const struct { const char *yaml, *json; } values[] = {
    { "", "null" },
    { "# nothing but a comment\n", "null" },
    { "--- \n...\n", "null" },
    { "a: 1\nb: two\nc: [1, 2.5, x]\nd: {e: true, f: false}\n", "{\"a\":1,\"b\":\"two\",\"c\":[1,2.5,\"x\"],\"d\":{\"e\":true,\"f\":false}}" },
    { "- a\n- - b\n  - c\n-\n- d: 1\n  e: 2\n", "[\"a\",[\"b\",\"c\"],null,{\"d\":1,\"e\":2}]" },
    { "a: null\nb: ~\nc:\nd: ''\n", "{\"a\":null,\"b\":null,\"c\":null,\"d\":\"\"}" },
    { "a: -70\nb: 0\nc: -0.5\nd: 1.10\n", "{\"a\":-70,\"b\":0,\"c\":-0.5,\"d\":1.1}" },
    { "a: 9223372036854775807\nb: -9223372036854775808\n", "{\"a\":9223372036854775807,\"b\":-9223372036854775808}" },
    { "a: '12'\nb: \"true\"\nc: 'null'\nd: \"yes\"\ne: '012'\n", "{\"a\":\"12\",\"b\":\"true\",\"c\":\"null\",\"d\":\"yes\",\"e\":\"012\"}" },
    { "a: 10.1.2.3\nb: 1.2.3\nc: 2026-11-21\nd: a4:83:e7:12:34:56\ne: 00:11:22:33:44:55\nf: 5 GHz\ng: 08:15\nh: 30s\n",
      "{\"a\":\"10.1.2.3\",\"b\":\"1.2.3\",\"c\":\"2026-11-21\",\"d\":\"a4:83:e7:12:34:56\",\"e\":\"00:11:22:33:44:55\","
      "\"f\":\"5 GHz\",\"g\":\"08:15\",\"h\":\"30s\"}" },
    { "a: result.known and not x\nc: .\nd: 1-2\ne: 0x\n", "{\"a\":\"result.known and not x\",\"c\":\".\",\"d\":\"1-2\",\"e\":\"0x\"}" },
    { "a: |\n  one\n    two\n\n  three\nb: >\n  one\n  two\n\n  three\nc: |-\n  x\nd: |+\n  y\n\ne: 1\n",
      "{\"a\":\"one\\n  two\\n\\nthree\\n\",\"b\":\"one two\\nthree\\n\",\"c\":\"x\",\"d\":\"y\\n\\n\",\"e\":1}" },
    { "a: one\n  two\nb: \"one\n  two\\tx\"\nc: 'it''s'\n", "{\"a\":\"one two\",\"b\":\"one two\\tx\",\"c\":\"it's\"}" },
    { "a: \"${x}\"\nb: ${x}\nc: [\"${x}\"]\n", "{\"a\":\"${x}\",\"b\":\"${x}\",\"c\":[\"${x}\"]}" },
    { "a: &x {b: 1}\nc: *x\nd: [*x, *x]\n", "{\"a\":{\"b\":1},\"c\":{\"b\":1},\"d\":[{\"b\":1},{\"b\":1}]}" },
    { "y: 1\nn: 2\n'<<': 3\n\"10\": 4\n", "{\"y\":1,\"n\":2,\"<<\":3,\"10\":4}" },
    { "a: [x: 1, w]\nb: {z}\n", "{\"a\":[{\"x\":1},\"w\"],\"b\":{\"z\":null}}" },
    { "\xef\xbb\xbf" "a: 1\r\nb: |\r\n  x\r\n  y\r\n", "{\"a\":1,\"b\":\"x\\ny\\n\"}" },
    { "größe: süß 😀\n", "{\"größe\":\"süß 😀\"}" },
    { "a: \"\\u202e\\x1b\"\n", "{\"a\":\"\u202e\\u001b\"}" },
    { "? a\n: 1\n", "{\"a\":1}" },
};

Test(yaml, has_the_meaning_of_json)
{
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        struct ft_doc *doc = parsed(values[i].yaml);
        json_auto_t *value = ft_node_json(ft_doc_root(doc));
        char *text = ft_json_text(value);

        cr_expect_str_eq(text, values[i].json, "%s gave %s", values[i].yaml, text);
        free(text);
        cr_expect_null(ft_doc_free(doc));
    }
    cr_expect_null(ft_doc_free(NULL));
}

Test(yaml, nodes_know_how_they_were_written)
{
    struct ft_doc *doc = parsed("a: plain\nb: 'single'\nc: \"double\"\nd: |\n    literal\ne: >2\n    folded\nf: [1, 2]\n");
    const struct ft_node *root = ft_doc_root(doc), *node;

    cr_expect_eq(root->kind, FT_NODE_MAP);
    cr_expect_eq(root->count, 6);
    node = ft_node_get(root, "a");
    cr_expect(!node->quoted && !node->block && node->parent == root);
    cr_expect_str_eq(node->text, "plain");
    cr_expect_eq(node->len, 5);
    cr_expect(ft_node_get(root, "b")->quoted && ft_node_get(root, "c")->quoted);
    node = ft_node_get(root, "d");
    cr_expect(node->block && !node->quoted);
    cr_expect_eq(node->block_indent, 4);
    cr_expect_eq(ft_node_get(root, "e")->block_indent, 2, "as its header says, not as its text looks");
    cr_expect_str_eq(ft_node_get(root, "e")->text, "  folded\n");
    node = ft_node_get(root, "f");
    cr_expect_eq(node->count, 2);
    cr_expect_eq(node->first->parent, node);
    cr_expect_null(node->first->key);
    cr_expect_null(node->first->next->next);
    cr_expect_null(ft_node_get(root, "g"));
    cr_expect_null(ft_node_get(node, "a"), "a list has no keys");
    cr_expect_null(ft_node_get(NULL, "a"));
    cr_expect_str_eq(ft_doc_name(doc), "t.yaml");
    ft_doc_free(doc);
}

Test(yaml, pointers_lead_to_nodes_or_their_nearest_ancestor)
{
    static const struct { const char *pointer; unsigned line, column; } pointers[] = {
        { "", 1, 1 }, { "/steps", 2, 3 }, { "/steps/0", 2, 5 }, { "/steps/1/with/site", 5, 18 }, { "/a~1b", 6, 6 }, { "/c~0d", 7, 6 },
        { "/steps/1/with/nothing", 5, 11 }, { "/steps/7", 2, 3 }, { "/steps/x/y", 2, 3 }, { "/steps/", 2, 3 }, { "/none/0", 1, 1 },
        { "/a~1b/deeper", 6, 6 }, { "steps", 1, 1 }, { "/steps/99999999999999999999999", 2, 3 },
    };
    struct ft_doc *doc = parsed("steps:\n  - id: a\n    run: x\n  - id: b\n    with: {site: hq}\na/b: 1\nc~d: 2\n");

    for (size_t i = 0; i < ARRAY_LEN(pointers); i++) {
        const struct ft_node *node = ft_node_at(ft_doc_root(doc), pointers[i].pointer);

        cr_expect(node->mark.line == pointers[i].line && node->mark.column == pointers[i].column, "'%s' is at %u:%u",
                  pointers[i].pointer, node->mark.line, node->mark.column);
    }
    ft_doc_free(doc);
}

/* ---- Bounds ------------------------------------------------------------------------------------------------------ */

static char *refusal(const char *text, size_t len)
{
    struct ft_diags *diags = ft_diags_new();
    struct ft_doc *doc = ft_doc_parse("t.yaml", text, len, diags);
    char *why = ft_diags_count(diags) ? ft_strdup(ft_diags_get(diags, 0)->text) : ft_strdup("");

    cr_expect_eq(doc == NULL, ft_diags_count(diags) > 0, "a document or a reason");
    ft_doc_free(doc);
    ft_diags_free(diags);
    return why;
}

static void expect_refusal(struct ft_buf *text, const char *wanted)
{
    char *why = refusal(text->data, text->len);

    cr_expect_str_eq(why, wanted, "%s", why);
    free(why);
    ft_buf_done(text);
}

static void repeat(struct ft_buf *text, const char *piece, size_t times)
{
    for (size_t i = 0; i < times; i++)
        ft_buf_adds(text, piece);
}

Test(yaml, size_is_bounded)
{
    struct ft_buf text = FT_BUF_INIT(0);

    repeat(&text, "#234567\n", (4 << 20) / 8);
    expect_refusal(&text, "");
    repeat(&text, "#234567\n", (4 << 20) / 8);
    ft_buf_addc(&text, '#');
    expect_refusal(&text, "the file is larger than 4 MiB");
}

Test(yaml, depth_is_bounded)
{
    struct ft_buf text = FT_BUF_INIT(0);

    repeat(&text, "[", 256);
    repeat(&text, "]", 256);
    expect_refusal(&text, "");
    repeat(&text, "[", 257);
    repeat(&text, "]", 257);
    expect_refusal(&text, "the document is nested more than 256 levels deep");
    repeat(&text, "[", 100000);
    expect_refusal(&text, "the document is nested more than 256 levels deep");
    repeat(&text, "{a: ", 100000);
    expect_refusal(&text, "the document is nested more than 256 levels deep");
    repeat(&text, "- ", 100000);
    expect_refusal(&text, "the document is nested more than 256 levels deep");
}

Test(yaml, the_number_of_values_is_bounded)
{
    struct ft_buf text = FT_BUF_INIT(0);

    repeat(&text, "-\n", 199999);
    expect_refusal(&text, "");
    repeat(&text, "-\n", 200000);
    expect_refusal(&text, "the document has more than 200000 values");
}

/* Each line doubles: 2^40 values from a thousand bytes. */
Test(yaml, aliases_cannot_multiply_without_end)
{
    struct ft_buf text = FT_BUF_INIT(0);

    ft_buf_adds(&text, "a0: &a0 x\n");
    for (int i = 1; i <= 40; i++)
        ft_buf_addf(&text, "a%d: &a%d [*a%d, *a%d]\n", i, i, i - 1, i - 1);
    expect_refusal(&text, "the document has more than 200000 values");
}

Test(yaml, aliases_cannot_nest_without_end)
{
    struct ft_buf text = FT_BUF_INIT(0);

    ft_buf_adds(&text, "a0: &a0 x\n");
    for (int i = 1; i <= 300; i++)
        ft_buf_addf(&text, "a%d: &a%d [*a%d]\n", i, i, i - 1);
    expect_refusal(&text, "the document is nested more than 256 levels deep");
}

Test(yaml, many_keys_on_one_line_are_read_in_time, .timeout = 20)
{
    struct ft_buf text = FT_BUF_INIT(0);

    ft_buf_addc(&text, '{');
    for (int i = 0; i < 90000; i++)
        ft_buf_addf(&text, "ä%d: ö, ", i);
    ft_buf_adds(&text, "ä0: again}");
    expect_refusal(&text, "the key 'ä0' is there already, on line 1");
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

static void expect_load(const char *path, const char *wanted)
{
    struct ft_diags *diags = ft_diags_new();
    struct ft_doc *doc = ft_doc_load(path, diags);

    cr_expect_eq(doc == NULL, wanted != NULL, "%s", path);
    cr_assert_eq(ft_diags_count(diags), wanted ? 1 : 0, "%s", path);
    if (wanted) {
        cr_expect_str_eq(ft_diags_get(diags, 0)->text, wanted, "%s", ft_diags_get(diags, 0)->text);
        cr_expect_str_eq(ft_diags_get(diags, 0)->source, path);
        cr_expect_eq(ft_diags_get(diags, 0)->mark.line, 1);
        cr_expect_eq(ft_diags_get(diags, 0)->mark.column, 1);
    }
    ft_doc_free(doc);
    ft_diags_free(diags);
}

Test(yaml, files_are_read_or_said_to_be_unreadable)
{
    char directory[] = "/tmp/test_yaml.XXXXXX", *path, *pipe;
    FILE *file;

    cr_assert(mkdtemp(directory));
    path = ft_asprintf("%s/a.yaml", directory);
    pipe = ft_asprintf("%s/pipe", directory);
    expect_load(path, "the file cannot be read: No such file or directory");
    expect_load(directory, "the file cannot be read: Is a directory");
    file = fopen(path, "w");
    fputs("a: 1\n", file);
    fclose(file);
    expect_load(path, NULL);
    cr_assert_eq(truncate(path, (4 << 20) + 1), 0);
    expect_load(path, "the file is larger than 4 MiB");
    cr_assert_eq(mkfifo(pipe, 0600), 0);
    expect_load(pipe, NULL);                 /* nobody writes to it: empty, and not a wait for ever */
    unlink(pipe);
    unlink(path);
    rmdir(directory);
    free(path);
    free(pipe);
}
