/* jira_adf.c: plain text to Atlassian Document Format, and back. */
#include "jira.h"
#include <fettle/kit.h>
#include <stdlib.h>

#define MAX_DEPTH 40
#define MAX_TEXT (256u << 10)

static void add_line(json_t *content, const char *line, size_t len)
{
    json_t *text = json_stringn(line, len);

    if (json_array_size(content))
        json_array_append_new(content, json_pack("{s:s}", "type", "hardBreak"));
    if (len && text)                                     /* a text node may not be empty */
        json_array_append_new(content, json_pack("{s:s, s:O}", "type", "text", "text", text));
    json_decref(text);
}

json_t *adf_from_text(const char *text)
{
    json_t *paragraphs = json_array(), *content = NULL;

    while (*text) {
        size_t len = strcspn(text, "\n"), end = len && text[len - 1] == '\r' ? len - 1 : len;

        if (end == 0) {
            content = NULL;                              /* the next line begins a paragraph */
        } else {
            if (!content) {
                content = json_array();
                json_array_append_new(paragraphs, json_pack("{s:s, s:o}", "type", "paragraph", "content", content));
            }
            add_line(content, text, end);
        }
        text += len + (text[len] == '\n');
    }
    if (json_array_size(paragraphs) == 0)
        json_array_append_new(paragraphs, json_pack("{s:s, s:[]}", "type", "paragraph", "content"));
    return json_pack("{s:s, s:i, s:o}", "type", "doc", "version", 1, "content", paragraphs);
}

struct out { char *text; size_t len; };

static void put(struct out *o, const char *text, size_t len)
{
    if (o->len + len > MAX_TEXT)
        len = MAX_TEXT - o->len;
    memcpy(o->text + o->len, text, len);
    o->len += len;
}

static void walk(struct out *o, const json_t *node, int depth)
{
    const char *type = ft_str(node, "type"), *text = ft_str(node, "text");
    json_t *child;
    size_t i;

    if (depth > MAX_DEPTH)
        return;
    if (ft_same(type, "text") && text)
        put(o, text, strlen(text));
    else if (ft_same(type, "hardBreak"))
        put(o, "\n", 1);
    else if (ft_same(type, "mention") || ft_same(type, "emoji"))
        put(o, ft_str(ft_get(node, "attrs"), "text") ?: "", strlen(ft_str(ft_get(node, "attrs"), "text") ?: ""));
    json_array_foreach(ft_get(node, "content"), i, child)
        walk(o, child, depth + 1);
    if (ft_same(type, "paragraph") || ft_same(type, "heading") || ft_same(type, "codeBlock") || ft_same(type, "rule"))
        put(o, "\n", 1);
}

char *adf_to_text(const json_t *document)
{
    struct out o = { 0 };

    if (!json_is_object(document) || !(o.text = malloc(MAX_TEXT + 1)))
        return NULL;
    walk(&o, document, 0);
    while (o.len && o.text[o.len - 1] == '\n')
        o.len--;
    while (o.len && o.len == MAX_TEXT && ((unsigned char)o.text[o.len - 1] & 0x80))
        o.len--;                                         /* cut, maybe within a character */
    o.text[o.len] = '\0';
    return o.text;
}
