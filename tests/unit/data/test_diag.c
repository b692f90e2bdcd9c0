#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include "base/util.h"
#include "data/diag.h"
#include "data/json.h"

/* noinline: gcc -O2 takes the address that open_memstream keeps for the text itself. */
__attribute__((noinline)) static char *printed(struct ft_diags *diags, bool colour)
{
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);

    ft_diags_print(diags, to, colour);
    fclose(to);
    return text;
}

static struct ft_mark at(unsigned line, unsigned column, unsigned len)
{
    return (struct ft_mark){ .line = line, .column = column, .len = len };
}

static void source(struct ft_diags *diags, const char *name, const char *text)
{
    ft_diags_source(diags, name, text, strlen(text));
}

#define expect_printed(diags, wanted) do { \
        char *text_ = printed(diags, false); \
        cr_expect_str_eq(text_, wanted, "%s", text_); \
        free(text_); \
    } while (0)

Test(diag, shows_the_line_with_a_caret)
{
    struct ft_diags *diags = ft_diags_new();

    source(diags, "disk.yaml", "name: disk\ntitel: Disk is full\nsteps: []");
    ft_diags_add(diags, "disk.yaml", at(2, 1, 5), "did you mean 'title'?", "unknown key '%s'", "titel");
    expect_printed(diags,
        "disk.yaml:2:1: error: unknown key 'titel'\n"
        "    2 | titel: Disk is full\n"
        "      | ^~~~~ did you mean 'title'?\n"
        "1 error\n");
    ft_diags_free(diags);
}

Test(diag, prints_nothing_where_nothing_is_wrong)
{
    struct ft_diags *diags = ft_diags_new();

    expect_printed(diags, "");
    cr_expect_eq(ft_diags_count(diags), 0);
    cr_expect_null(ft_diags_get(diags, 0));
    cr_expect_null(ft_diags_free(diags));
    cr_expect_null(ft_diags_free(NULL));
}

Test(diag, uses_colour_only_when_told)
{
    struct ft_diags *diags = ft_diags_new();
    char *text;

    source(diags, "a", "x\n");
    ft_diags_add(diags, "a", at(1, 1, 1), NULL, "wrong");
    text = printed(diags, true);
    cr_expect_str_eq(text, "\033[1ma:1:1: \033[31merror:\033[0m wrong\n    1 | x\n      | \033[1;32m^\033[0m\n1 error\n", "%s", text);
    free(text);
    ft_diags_free(diags);
}

/* A line, a place in it, and the two lines that show it. */
static const struct { const char *line; unsigned column, len; const char *text, *caret; } lines[] = {
    { "abc", 1, 3, "abc", "^~~" },
    { "abc", 3, 1, "abc", "  ^" },
    { "abc", 3, 9, "abc", "  ^" },                          /* not beyond the end */
    { "abc", 4, 1, "abc", "   ^" },                         /* behind the end */
    { "abc", 9, 1, "abc", "   ^" },
    { "", 1, 1, "", "^" },
    { "ä: ö", 5, 2, "ä: ö", "   ^" },                       /* columns of marks are bytes, of terminals are not */
    { "漢字: x", 9, 1, "漢字: x", "      ^" },
    { "漢字: x", 1, 6, "漢字: x", "^~~~" },
    { "\tx", 2, 1, "    x", "    ^" },
    { "\tx", 1, 1, "    x", "^~~~" },
    { "a\x1b[2Jb", 6, 1, "a?[2Jb", "     ^" },              /* does not clear the screen */
    { "a\xff" "b", 3, 1, "a?b", "  ^" },
    { "abc\r", 4, 1, "abc", "   ^" },
};

Test(diag, carets_stand_under_what_they_mean)
{
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct ft_diags *diags = ft_diags_new();
        char *wanted = ft_asprintf("f:1:%u: error: x\n    1 | %s\n      | %s\n1 error\n", lines[i].column, lines[i].text, lines[i].caret);
        char *text;

        source(diags, "f", lines[i].line);
        ft_diags_add(diags, "f", at(1, lines[i].column, lines[i].len), NULL, "x");
        text = printed(diags, false);
        cr_expect_str_eq(text, wanted, "row %zu:\n%s", i, text);
        free(text);
        free(wanted);
        ft_diags_free(diags);
    }
}

Test(diag, very_long_lines_are_cut_around_the_place)
{
    struct ft_diags *diags = ft_diags_new();
    char *line = ft_calloc(1, 1001), *text, *caret;

    memset(line, '.', 1000);
    line[500] = 'X';
    source(diags, "f", line);
    ft_diags_add(diags, "f", at(1, 501, 1), NULL, "x");
    text = printed(diags, false);
    cr_assert(strstr(text, "    1 | …....."), "%s", text);
    cr_expect(strstr(text, "....…\n      | "), "%s", text);
    caret = strchr(strstr(text, "\n      | "), '^');
    cr_assert(caret);
    /* "…" is one column and three bytes */
    cr_expect_eq((strchr(text, 'X') - strstr(text, "    1 | ")) - 2, caret - (strstr(text, "\n      | ") + 1), "%s", text);
    cr_expect_lt(strlen(text), 400);
    free(text);
    free(line);
    ft_diags_free(diags);
}

Test(diag, come_in_the_order_of_file_and_place)
{
    static const char *const order[] = { "first", "b1", "b1 later", "b2", "a1", "lost" };
    struct ft_diags *diags = ft_diags_new();

    source(diags, "b.yaml", "x\ny\n");
    source(diags, "a.yaml", "x\n");
    ft_diags_add(diags, "zzz", at(1, 1, 1), NULL, "lost");
    ft_diags_add(diags, "a.yaml", at(1, 1, 1), NULL, "a1");
    ft_diags_add(diags, "b.yaml", at(2, 1, 1), NULL, "b2");
    ft_diags_add(diags, "b.yaml", at(1, 5, 1), NULL, "b1");
    ft_diags_add(diags, "b.yaml", at(1, 5, 1), NULL, "b1 later");
    ft_diags_add(diags, "b.yaml", at(1, 1, 1), NULL, "first");
    cr_assert_eq(ft_diags_count(diags), ARRAY_LEN(order));
    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        cr_expect_str_eq(ft_diags_get(diags, i)->text, order[i], "at %zu is '%s'", i, ft_diags_get(diags, i)->text);
    ft_diags_free(diags);
}

Test(diag, the_same_sentence_at_the_same_place_counts_once)
{
    struct ft_diags *diags = ft_diags_new();

    ft_diags_add(diags, "a", at(1, 1, 1), NULL, "wrong");
    ft_diags_add(diags, "a", at(1, 1, 1), NULL, "wrong");
    ft_diags_add(diags, "a", at(1, 2, 1), NULL, "wrong");
    ft_diags_add(diags, "b", at(1, 1, 1), NULL, "wrong");
    ft_diags_add(diags, "a", at(1, 1, 1), NULL, "also wrong");
    cr_expect_eq(ft_diags_count(diags), 4);
    ft_diags_free(diags);
}

Test(diag, beyond_two_hundred_only_the_number_is_told)
{
    struct ft_diags *diags = ft_diags_new();
    char *text;

    for (unsigned i = 1; i <= 257; i++)
        ft_diags_add(diags, "a", at(i, 1, 1), NULL, "wrong");
    cr_expect_eq(ft_diags_count(diags), 200);
    cr_expect_null(ft_diags_get(diags, 200));
    text = printed(diags, false);
    cr_expect(strstr(text, "\n… and 57 more\n257 errors\n"), "%s", text + strlen(text) - 60);
    free(text);
    ft_diags_free(diags);
}

Test(diag, a_place_without_a_line_still_has_its_hint)
{
    struct ft_diags *diags = ft_diags_new();

    ft_diags_add(diags, "gone.yaml", at(1, 1, 1), "is it spelled right?", "the file cannot be read");
    expect_printed(diags, "gone.yaml:1:1: error: the file cannot be read\n        is it spelled right?\n1 error\n");
    source(diags, "gone.yaml", "one line");
    ft_diags_add(diags, "gone.yaml", at(7, 1, 1), NULL, "far below");
    cr_expect_eq(ft_diags_count(diags), 2);
    ft_diags_free(diags);
}

Test(diag, texts_from_files_cannot_draw_on_the_terminal)
{
    struct ft_diags *diags = ft_diags_new();

    ft_diags_add(diags, "a\nb", at(1, 1, 1), "h\x07", "key '%s'", "x\x1b[2J\n\xff");
    expect_printed(diags, "a?b:1:1: error: key 'x?[2J?" "?'\n        h?\n1 error\n");
    ft_diags_free(diags);
}

Test(diag, are_given_as_json)
{
    struct ft_diags *diags = ft_diags_new();
    json_auto_t *list;
    char *text;

    ft_diags_add(diags, "b.yaml", at(2, 3, 1), NULL, "wrong");
    ft_diags_add(diags, "b.yaml", at(1, 1, 1), "quote it", "bad \xff byte");
    list = ft_diags_json(diags);
    text = ft_json_text(list);
    cr_expect_str_eq(text, "[{\"file\":\"b.yaml\",\"line\":1,\"column\":1,\"message\":\"bad ? byte\",\"hint\":\"quote it\"},"
                           "{\"file\":\"b.yaml\",\"line\":2,\"column\":3,\"message\":\"wrong\"}]", "%s", text);
    free(text);
    ft_diags_free(diags);
}
