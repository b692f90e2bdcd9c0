/* Where things stand in a file, to the byte. */
#include <criterion/criterion.h>
#include "base/util.h"
#include "data/yaml.h"

static struct ft_doc *parsed(const char *text)
{
    struct ft_diags *diags = ft_diags_new();
    struct ft_doc *doc = ft_doc_parse("t.yaml", text, strlen(text), diags);

    cr_assert(doc, "%s\n%s", text, ft_diags_count(diags) ? ft_diags_get(diags, 0)->text : "no reason");
    ft_diags_free(diags);
    return doc;
}

#define expect_mark(mark, l, c, n, what) \
    cr_expect((mark).line == (l) && (mark).column == (c) && (mark).len == (n), "%s is at %u:%u, %u long, not %u:%u, %u long", what, \
              (mark).line, (mark).column, (mark).len, (unsigned)(l), (unsigned)(c), (unsigned)(n))

static const char places_text[] =
    "# a comment\n"
    "name: disk\n"
    "größe:   'süß'   # ä\n"
    "list:\n"
    "  - one\n"
    "  -   \"two\"\n"
    "  - {k: v, l: [1,2]}\n"
    "empty:\n"
    "text: |\n"
    "  body\n"
    "shared: &s   # note\n"
    "  x: 1\n"
    "word: &w value\n"
    "again: *s\n"
    "long: one\n"
    "  two\n";

static const struct { const char *pointer; struct ft_mark mark, key; } places[] = {
    { "", { 2, 1, 1 },    { 0 } },
    { "/name", { 2, 7, 4 },    { 2, 1, 4 } },
    { "/größe", { 3, 12, 7 },   { 3, 1, 7 } },
    { "/list", { 5, 3, 1 },    { 4, 1, 4 } },
    { "/list/0", { 5, 5, 3 },    { 0 } },
    { "/list/1", { 6, 7, 5 },    { 0 } },
    { "/list/2", { 7, 5, 1 },    { 0 } },
    { "/list/2/k", { 7, 9, 1 },    { 7, 6, 1 } },
    { "/list/2/l", { 7, 15, 1 },   { 7, 12, 1 } },
    { "/list/2/l/1", { 7, 18, 1 },  { 0 } },
    { "/empty", { 8, 7, 1 },   { 8, 1, 5 } },
    { "/text", { 9, 7, 1 },   { 9, 1, 4 } },
    { "/shared", { 12, 3, 1 },  { 11, 1, 6 } },
    { "/shared/x", { 12, 6, 1 },  { 12, 3, 1 } },
    { "/word", { 13, 10, 5 }, { 13, 1, 4 } },
    { "/again", { 12, 3, 1 },  { 14, 1, 5 } },      /* what is wrong with it is wrong up there */
    { "/long", { 15, 7, 3 },  { 15, 1, 4 } },
};

static size_t offset_of(const char *text, struct ft_mark mark)
{
    const char *line = text;

    while (--mark.line > 0)
        line = strchr(line, '\n') + 1;
    return (size_t)(line - text) + mark.column - 1;
}

Test(place, every_value_and_key_knows_its_own)
{
    struct ft_doc *doc = parsed(places_text);
    size_t len;

    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        const struct ft_node *node = ft_node_at(ft_doc_root(doc), places[i].pointer);
        struct ft_mark mark = places[i].mark, key = places[i].key;

        expect_mark(node->mark, mark.line, mark.column, mark.len, places[i].pointer);
        expect_mark(node->key_mark, key.line, key.column, key.len, places[i].pointer);
        cr_expect_eq(node->mark.offset, offset_of(places_text, mark), "'%s' is at byte %zu", places[i].pointer, node->mark.offset);
        if (key.line)
            cr_expect_eq(node->key_mark.offset, offset_of(places_text, key), "the key of '%s'", places[i].pointer);
    }
    cr_expect_str_eq(ft_doc_text(doc, &len), places_text);
    cr_expect_eq(len, strlen(places_text));
    ft_doc_free(doc);
}

Test(place, line_ends_of_windows_and_a_byte_order_mark_do_not_shift_it)
{
    struct ft_doc *doc = parsed("\xef\xbb\xbfname: x\r\n\r\nsteps:\r\n  - run\r\n");

    expect_mark(ft_node_at(ft_doc_root(doc), "/name")->mark, 1, 7, 1, "name");
    expect_mark(ft_node_at(ft_doc_root(doc), "/steps/0")->mark, 4, 5, 3, "run");
    ft_doc_free(doc);
}

/* A text, a word in the value of "a", and the word's place. */
static const struct { const char *yaml, *word; unsigned line, column; } words[] = {
    /* plain, on one line and on several */
    { "a: x and WORD or y\n", "WORD", 1, 10 },
    { "a:   WORD\n", "WORD", 1, 6 },
    { "a: &n   x WORD\n", "WORD", 1, 11 },
    { "a: one\n  two WORD\n  three\n", "WORD", 2, 7 },
    { "a: one   \n\n     two\n  WORD\n", "WORD", 4, 3 },
    { "a: süß WORD # ß\n", "WORD", 1, 10 },
    /* quoted without escapes */
    { "a: 'x WORD'\n", "WORD", 1, 7 },
    { "a: \"x WORD\"\n", "WORD", 1, 7 },
    { "a: \"  WORD  \"\n", "WORD", 1, 7 },
    { "a: \"x\n  y WORD\"\n", "WORD", 2, 5 },
    { "{a: 'WORD', b: 'WORD'}\n", "WORD", 1, 6 },
    /* literal */
    { "a: |\n  WORD\n", "WORD", 2, 3 },
    { "a: |\n  one\n  two WORD\n", "WORD", 3, 7 },
    { "a: |\n  if x then\n    WORD\n  end\n", "WORD", 3, 5 },
    { "a: |\n\n\n  one\n\n  WORD\n", "WORD", 6, 3 },
    { "a: |   # note\n      one\n      WORD\n", "WORD", 3, 7 },
    { "a: |2\n    one\n  WORD\n", "WORD", 3, 3 },
    { "a: |-\r\n  one\r\n  two WORD\r\n", "WORD", 3, 7 },
    { "a: |\n  größe\n  süß WORD\n", "WORD", 3, 9 },
    { "a: |\n  same\n  same WORD\n", "WORD", 3, 8 },
    { "- - a: |\n      one\n      WORD\n", "WORD", 3, 7 },
    { "a: |\n  x\n   \n  WORD", "WORD", 4, 3 },
    /* folded */
    { "a: >\n  one\n  two WORD\n", "WORD", 3, 7 },
    { "a: >-\n  one\n\n  two\n    WORD\n  three\n", "WORD", 5, 5 },
    { "a: >\n  one\n    two\n    three\n  WORD\n", "WORD", 5, 3 },
    { "a: >+\n\n  one\n\n\n  WORD\n\n", "WORD", 6, 3 },
    /* escapes: the scalar's start */
    { "a: \"\\t WORD\"\n", "WORD", 1, 4 },
    { "a: 'it''s WORD'\n", "WORD", 1, 4 },
    { "a: \"x \\\n  WORD\"\n", "WORD", 1, 4 },
};

static const struct ft_node *value_of_a(const struct ft_node *node)
{
    while (node->kind == FT_NODE_LIST)
        node = node->first;
    return ft_node_get(node, "a");
}

Test(place, a_word_inside_a_scalar_is_found_in_the_file)
{
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        struct ft_doc *doc = parsed(words[i].yaml);
        const struct ft_node *node = value_of_a(ft_doc_root(doc));
        const char *word = strstr(node->text, words[i].word);
        struct ft_mark mark;

        cr_assert(word, "%s", words[i].yaml);
        mark = ft_node_mark_at(doc, node, (size_t)(word - node->text), 4);
        cr_expect(mark.line == words[i].line && mark.column == words[i].column, "%s\nis said to be at %u:%u", words[i].yaml, mark.line,
                  mark.column);
        if (mark.offset != node->mark.offset)
            cr_expect_eq(strncmp(ft_doc_text(doc, NULL) + mark.offset, "WORD", 4), 0, "%s", words[i].yaml);
        ft_doc_free(doc);
    }
}

/* Every offset of a scalar has a place inside the file, also its end and what lies beyond. */
Test(place, every_offset_has_one)
{
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        struct ft_doc *doc = parsed(words[i].yaml);
        const struct ft_node *node = value_of_a(ft_doc_root(doc));
        struct ft_mark last = node->mark, mark;

        for (size_t at = 0; at <= node->len + 2; at++) {
            mark = ft_node_mark_at(doc, node, at, 1);
            cr_expect_leq(mark.offset, strlen(words[i].yaml), "%s at %zu", words[i].yaml, at);
            cr_expect(mark.offset >= last.offset || mark.offset == node->mark.offset, "%s at %zu goes back", words[i].yaml, at);
            last = mark;
        }
        ft_doc_free(doc);
    }
}

Test(place, of_a_map_or_an_empty_value_is_its_start)
{
    struct ft_doc *doc = parsed("a: {b: ''}\nc: |\n\nd: 1\n");
    const struct ft_node *root = ft_doc_root(doc);

    expect_mark(ft_node_mark_at(doc, root, 3, 1), 1, 1, 1, "the map");
    expect_mark(ft_node_mark_at(doc, ft_node_at(root, "/a/b"), 0, 1), 1, 8, 2, "the empty string");
    cr_expect_eq(ft_node_mark_at(doc, ft_node_get(root, "c"), 0, 1).line, 2);
    ft_doc_free(doc);
}
