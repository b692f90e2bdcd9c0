/* fuzz_yaml.c: any bytes as YAML. What is refused has a reason, which can be printed; what is accepted is JSON, and every value and every
 * part of a text has a place inside the file. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "data/json.h"
#include "data/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_mark(const char *text, size_t len, const struct ft_mark *mark)
{
    must(mark->line >= 1 && mark->column >= 1 && mark->offset <= len);
    must(mark->offset >= mark->column - 1);
    must(mark->column == 1 || !memchr(text + mark->offset - (mark->column - 1), '\n', mark->column - 1));
}

static void check_node(const struct ft_doc *doc, const struct ft_node *node)
{
    size_t len, children = 0, step = node->len / 16 + 1;
    const char *text = ft_doc_text(doc, &len);

    check_mark(text, len, &node->mark);
    if (node->key)
        check_mark(text, len, &node->key_mark);
    for (size_t at = 0; node->text && at <= node->len; at += step) {
        struct ft_mark mark = ft_node_mark_at(doc, node, at, 1);

        check_mark(text, len, &mark);
    }
    for (const struct ft_node *child = node->first; child; child = child->next, children++) {
        must(child->parent == node && (child->key != NULL) == (node->kind == FT_NODE_MAP));
        check_node(doc, child);
    }
    must(children == node->count);
}

static void check_document(const struct ft_doc *doc)
{
    json_auto_t *value = ft_node_json(ft_doc_root(doc)), *again = NULL;
    char *text;

    must(value != NULL);
    check_node(doc, ft_doc_root(doc));
    text = ft_json_text(value);
    must(ft_json_parse(text, strlen(text), 0, &again, /* reterr= */ NULL) == 0 && json_equal(value, again));
    free(text);
}

static void check_refusal(struct ft_diags *diags)
{
    json_auto_t *list = ft_diags_json(diags);
    char *text = NULL;
    size_t len = 0;
    FILE *to;

    must(ft_diags_count(diags) > 0 && json_array_size(list) == ft_diags_count(diags));
    for (size_t i = 0; i < ft_diags_count(diags); i++)
        must(ft_diags_get(diags, i)->text[0] != '\0');
    if (ft_diags_count(diags) > 20)
        return;                              /* printing bytes that are no text at all is slow and finds nothing */
    to = open_memstream(&text, &len);
    ft_diags_print(diags, to, /* colour= */ false);
    fclose(to);
    must(!strchr(text, '\x1b') && strstr(text, "error"));
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ft_diags *diags = ft_diags_new();
    struct ft_doc *doc = ft_doc_parse("fuzz.yaml", (const char *)data, size, diags);

    if (doc)
        check_document(doc);
    else
        check_refusal(diags);
    must(!doc || ft_diags_count(diags) == 0);
    ft_doc_free(doc);
    ft_diags_free(diags);
    return 0;
}
