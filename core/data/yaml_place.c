/* yaml_place.c: where things stand in the file. */
#include "base/text.h"
#include "base/util.h"
#include "data/yaml_parts.h"

enum { STRIDE = 64 };

static bool starts_char(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

void yaml_index_text(struct ft_doc *doc)
{
    size_t lines = 1, chars = 0;

    for (size_t i = 0; i < doc->len; i++) {
        lines += doc->text[i] == '\n';
        chars += starts_char(doc->text[i]);
    }
    doc->lines = ft_arena_alloc(doc->mem, lines * sizeof(*doc->lines));
    doc->chars = ft_arena_alloc(doc->mem, (chars / STRIDE + 1) * sizeof(*doc->chars));
    doc->line_count = 1;
    chars = 0;
    for (size_t i = 0; i < doc->len; i++) {
        if (starts_char(doc->text[i]) && chars++ % STRIDE == 0)
            doc->chars[(chars - 1) / STRIDE] = i;
        if (doc->text[i] == '\n')
            doc->lines[doc->line_count++] = i + 1;
    }
    doc->char_count = chars;
}

size_t yaml_char_offset(const struct ft_doc *doc, size_t index)
{
    size_t at;

    if (index >= doc->char_count)
        return doc->len;
    at = doc->chars[index / STRIDE];
    for (size_t n = index % STRIDE; n > 0 && at < doc->len; n--)
        do
            at++;
        while (at < doc->len && !starts_char(doc->text[at]));
    return at;
}

struct ft_mark yaml_mark(const struct ft_doc *doc, size_t offset, size_t len)
{
    size_t low = 0, high = doc->line_count;

    while (high - low > 1) {
        size_t middle = (low + high) / 2;

        if (doc->lines[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    return (struct ft_mark){
        .line = (unsigned)low + 1, .column = (unsigned)(offset - doc->lines[low]) + 1, .len = (unsigned)len, .offset = offset,
    };
}

/* ---- Characters -------------------------------------------------------------------------------------------------- */

static size_t char_at(const char *text, size_t left, uint32_t *ret)
{
    const unsigned char *c = (const unsigned char *)text;

    for (size_t n = 1; n <= 4 && n <= left; n++) {
        if (!ft_utf8_valid(text, n))
            continue;
        *ret = n == 1 ? c[0] : c[0] & (0x7fu >> n);
        for (size_t i = 1; i < n; i++)
            *ret = *ret << 6 | (c[i] & 0x3f);
        return n;
    }
    return 0;
}

/* Why the character must not stand in a file, or NULL. */
static const char *refusal(uint32_t c, char next)
{
    if (c == '\t' || c == '\n' || (c == '\r' && next == '\n'))
        return NULL;
    if (c == '\r')
        return "a carriage return without a line feed";
    if (c < ' ' || (c >= 0x7f && c < 0xa0))
        return "a control character";
    if (c == 0x2028 || c == 0x2029)
        return "a line separator, which some readers of YAML take for the end of the line";
    if ((c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069))
        return "an invisible character that reorders the text on the screen";
    if (c == 0xfeff || c == 0xfffe || c == 0xffff)
        return "an invisible character";
    return NULL;
}

bool yaml_check_text(const struct ft_doc *doc, struct ft_diags *diags)
{
    bool fine = true;
    uint32_t c = 0;

    for (size_t at = 0, n; at < doc->len; at += ft_max(n, (size_t)1)) {
        const char *why;

        n = 1;
        if (doc->text[at] >= ' ' && doc->text[at] < 0x7f)
            continue;
        n = char_at(doc->text + at, doc->len - at, &c);
        why = n ? refusal(c, doc->text[at + n]) : NULL;
        if (n && !why)
            continue;
        fine = false;
        if (n)
            ft_diags_add(diags, doc->name, yaml_mark(doc, at, n), "in double quotes it can be written as an escape",
                         "here is U+%04X, %s", c, why);
        else
            ft_diags_add(diags, doc->name, yaml_mark(doc, at, 1), "save the file as UTF-8", "this byte (0x%02x) is not UTF-8",
                         (unsigned char)doc->text[at]);
    }
    return fine;
}

/* ---- Inside a scalar --------------------------------------------------------------------------------------------- */

/* Walks the lines of a scalar in the file along with its text. */
struct walk {
    const struct ft_doc *doc;
    const struct ft_node *node;
    size_t in_file, in_text;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static size_t line_end(const struct ft_doc *doc, size_t at)
{
    const char *end = memchr(doc->text + at, '\n', doc->len - at);
    size_t stop = end ? (size_t)(end - doc->text) : doc->len;

    return stop > at && doc->text[stop - 1] == '\r' ? stop - 1 : stop;
}

static bool same(const struct walk *walk, size_t n)
{
    return n <= walk->node->len - walk->in_text && n <= walk->doc->len - walk->in_file &&
        memcmp(walk->doc->text + walk->in_file, walk->node->text + walk->in_text, n) == 0;
}

/* The part of the line at in_file that is in the text: indentation and, in a flow scalar, the blanks at the end are not. */
static size_t content(struct walk *walk)
{
    const struct ft_doc *doc = walk->doc;
    size_t end = line_end(doc, walk->in_file), left = walk->node->len - walk->in_text;

    if (walk->node->block) {
        for (unsigned i = 0; i < walk->node->block_indent && walk->in_file < end && doc->text[walk->in_file] == ' '; i++)
            walk->in_file++;
        return end - walk->in_file;
    }
    while (walk->in_text > 0 && walk->in_file < end && is_blank(doc->text[walk->in_file]))
        walk->in_file++;
    if (same(walk, left))
        return left;                         /* the last line, with other things behind */
    while (end > walk->in_file && is_blank(doc->text[end - 1]))
        end--;
    return end - walk->in_file;
}

static bool next_line(struct walk *walk)
{
    const char *end = memchr(walk->doc->text + walk->in_file, '\n', walk->doc->len - walk->in_file);

    if (!end)
        return false;
    walk->in_file = (size_t)(end - walk->doc->text) + 1;
    return true;
}

/* Folding made one space of a line's end, or line feeds of empty lines. */
static void skip_fold(struct walk *walk)
{
    const struct ft_node *node = walk->node;

    if (walk->in_text < node->len && node->text[walk->in_text] == ' ') {
        walk->in_text++;
        return;
    }
    while (walk->in_text < node->len && node->text[walk->in_text] == '\n')
        walk->in_text++;
}

/* Finds the file's offset of the text's byte `offset`; false where text and file part. */
static bool find_in_file(struct walk *walk, size_t offset, size_t *ret)
{
    const struct ft_node *node = walk->node;

    if (node->block) {
        if (!next_line(walk))
            return false;
        walk->in_text = strspn(node->text, "\n");
    }
    do {
        size_t n = content(walk);

        if (n == 0)
            continue;
        if (!same(walk, n))
            return false;
        if (offset < walk->in_text + n || walk->in_text + n == node->len) {
            *ret = walk->in_file + ft_min(offset < walk->in_text ? 0 : offset - walk->in_text, n);
            return true;
        }
        walk->in_text += n;
        walk->in_file += n;
        skip_fold(walk);
        if (offset < walk->in_text || walk->in_text == node->len) {
            *ret = walk->in_file;            /* the end of a line */
            return true;
        }
    } while (next_line(walk));
    return false;
}

struct ft_mark ft_node_mark_at(const struct ft_doc *doc, const struct ft_node *node, size_t offset, size_t len)
{
    struct walk walk = { .doc = doc, .node = node, .in_file = node->mark.offset + node->quoted };
    size_t at;

    if (!node->text || node->len == 0 || !find_in_file(&walk, ft_min(offset, node->len), &at))
        return node->mark;
    return yaml_mark(doc, at, len);
}
