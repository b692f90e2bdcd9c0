#include "data/diag.h"
#include <stdarg.h>
#include <jansson.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/text.h"
#include "base/util.h"

enum { HELD_MAX = 200, LINE_COLUMNS = 160, TAB_COLUMNS = 4 };

struct ft_diags {
    struct ft_arena *mem;             /* owns: all texts */
    struct ft_diag *items;            /* owns */
    size_t count, beyond;             /* held; seen after that */
    struct ft_source *sources;        /* owns the array */
    size_t source_count;
    bool sorted;
};

struct ft_diags *ft_diags_new(void)
{
    struct ft_diags *diags = ft_calloc(1, sizeof(*diags));

    diags->mem = ft_arena_new();
    diags->sorted = true;
    return diags;
}

struct ft_diags *ft_diags_free(struct ft_diags *diags)
{
    if (!diags)
        return NULL;
    free(diags->items);
    free(diags->sources);
    ft_arena_free(diags->mem);
    free(diags);
    return NULL;
}

/* ---- Adding ------------------------------------------------------------------------------------------------------ */

static struct ft_source *find_source(const struct ft_diags *diags, const char *name)
{
    for (size_t i = 0; i < diags->source_count; i++)
        if (strcmp(diags->sources[i].name, name) == 0)
            return &diags->sources[i];
    return NULL;
}

/* Names in messages come from files: they shall neither move the terminal's cursor nor break the JSON. */
static char *clean(struct ft_arena *mem, const char *text)
{
    bool valid = ft_utf8_valid(text, strlen(text));
    char *copy = ft_arena_strdup(mem, text);

    for (char *c = copy; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f || (!valid && (unsigned char)*c >= 0x80))
            *c = '?';
    return copy;
}

void ft_diags_source(struct ft_diags *diags, const char *name, const char *text, size_t len)
{
    char *printed = clean(diags->mem, name);
    struct ft_source *source = find_source(diags, printed);

    if (!source) {
        diags->sources = ft_realloc(diags->sources, (diags->source_count + 1) * sizeof(*source));
        source = &diags->sources[diags->source_count++];
        source->name = printed;
    }
    source->text = memcpy(ft_arena_alloc(diags->mem, len + 1), len ? text : "", len);
    source->len = len;
    diags->sorted = false;
}

static bool is_held(const struct ft_diags *diags, const char *source, const struct ft_mark *mark, const char *text)
{
    for (size_t i = 0; i < diags->count; i++) {
        const struct ft_diag *had = &diags->items[i];

        if (had->mark.line == mark->line && had->mark.column == mark->column && strcmp(had->text, text) == 0 &&
            strcmp(had->source, source) == 0)
            return true;
    }
    return false;
}

void ft_diags_add(struct ft_diags *diags, const char *source, struct ft_mark mark, const char *hint, const char *fmt, ...)
{
    struct ft_buf said = FT_BUF_INIT(0);
    const char *text;
    va_list ap;

    if (diags->count >= HELD_MAX) {
        diags->beyond++;
        return;
    }
    va_start(ap, fmt);
    ft_buf_vaddf(&said, fmt, ap);
    va_end(ap);
    text = clean(diags->mem, ft_buf_str(&said));
    ft_buf_done(&said);
    source = clean(diags->mem, source ? source : "");
    if (is_held(diags, source, &mark, text))
        return;
    diags->items = ft_realloc(diags->items, (diags->count + 1) * sizeof(*diags->items));
    diags->items[diags->count++] = (struct ft_diag){
        .mark = mark, .source = source, .text = (char *)text, .hint = hint ? clean(diags->mem, hint) : NULL,
    };
    diags->sorted = false;
}

/* ---- In order ---------------------------------------------------------------------------------------------------- */

static size_t file_rank(const struct ft_diags *diags, const char *name)
{
    const struct ft_source *source = find_source(diags, name);

    return source ? (size_t)(source - diags->sources) : SIZE_MAX;
}

static bool comes_before(const struct ft_diags *diags, const struct ft_diag *a, const struct ft_diag *b)
{
    size_t file_a = file_rank(diags, a->source), file_b = file_rank(diags, b->source);
    int names = strcmp(a->source, b->source);

    if (file_a != file_b)
        return file_a < file_b;
    if (names != 0)
        return names < 0;
    if (a->mark.line != b->mark.line)
        return a->mark.line < b->mark.line;
    return a->mark.column < b->mark.column;
}

/* By insertion, which keeps what was added first in front where the places are the same. */
static void sort(struct ft_diags *diags)
{
    for (size_t i = 1; !diags->sorted && i < diags->count; i++) {
        struct ft_diag item = diags->items[i];
        size_t at = i;

        for (; at > 0 && comes_before(diags, &item, &diags->items[at - 1]); at--)
            diags->items[at] = diags->items[at - 1];
        diags->items[at] = item;
    }
    diags->sorted = true;
}

size_t ft_diags_count(const struct ft_diags *diags)
{
    return diags->count;
}

const struct ft_diag *ft_diags_get(struct ft_diags *diags, size_t i)
{
    sort(diags);
    return i < diags->count ? &diags->items[i] : NULL;
}

json_t *ft_diags_json(struct ft_diags *diags)
{
    json_t *list = json_array();

    for (size_t i = 0; i < diags->count; i++) {
        const struct ft_diag *diag = ft_diags_get(diags, i);

        json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:s, s:s*}", "file", diag->source,
                                              "line", (json_int_t)diag->mark.line, "column", (json_int_t)diag->mark.column,
                                              "message", diag->text, "hint", diag->hint));
    }
    return list;
}

/* ---- Printing ---------------------------------------------------------------------------------------------------- */

/* The line without its end; false when the source has no such line. */
static bool find_line(const struct ft_source *source, unsigned line, const char **ret, size_t *ret_len)
{
    const char *at = source->text, *end = source->text + source->len, *stop;

    for (; line > 1 && at; line--) {
        at = memchr(at, '\n', (size_t)(end - at));
        at = at ? at + 1 : NULL;
    }
    if (!at || line < 1)
        return false;
    stop = memchr(at, '\n', (size_t)(end - at));
    stop = stop ? stop : end;
    if (stop > at && stop[-1] == '\r')
        stop--;
    *ret = at;
    *ret_len = (size_t)(stop - at);
    return true;
}

static size_t char_len(const char *text, size_t left)
{
    for (size_t n = 1; n <= 4 && n <= left; n++)
        if (ft_utf8_valid(text, n))
            return n;
    return 0;
}

/* A line as it is shown, and which part of it the caret underlines. */
struct shown {
    struct ft_buf text;
    size_t columns;                   /* so far */
    size_t from, width;               /* of the caret, in columns */
};

/* Adds the character at text[at]; returns its length. Its columns go to the caret where [from, to) has it. */
static size_t show_char(struct shown *shown, const char *text, size_t len, size_t at)
{
    size_t n = char_len(text + at, len - at);
    unsigned char c = (unsigned char)text[at];

    if (c == '\t') {
        ft_buf_add(&shown->text, "    ", TAB_COLUMNS);
        shown->columns += TAB_COLUMNS;
    } else if (n == 0 || c < ' ' || c == 0x7f) {
        ft_buf_addc(&shown->text, '?');
        shown->columns++;
    } else {
        ft_buf_add(&shown->text, text + at, n);
        shown->columns += ft_text_width(text + at, n);
    }
    return ft_max(n, (size_t)1);
}

/* Very long lines are shown from shortly before the caret. */
static size_t first_shown(const char *text, size_t len, size_t caret)
{
    size_t at = 0;

    if (len <= LINE_COLUMNS || caret <= LINE_COLUMNS / 2)
        return 0;
    at = ft_min(caret, len) - LINE_COLUMNS / 2;
    while (at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80)
        at--;
    return at;
}

static struct shown show_line(const char *text, size_t len, const struct ft_mark *mark)
{
    struct shown shown = { .text = FT_BUF_INIT(0), .width = 1 };
    size_t caret = mark->column ? mark->column - 1 : 0, until = caret + ft_max(mark->len, 1u);
    size_t at = first_shown(text, len, caret);

    if (at > 0) {
        ft_buf_adds(&shown.text, "…");
        shown.columns = 1;
    }
    while (at < len && shown.columns < LINE_COLUMNS) {
        if (at <= caret)
            shown.from = shown.columns;
        at += show_char(&shown, text, len, at);
        if (at > caret && at <= until)
            shown.width = ft_max(shown.columns - shown.from, (size_t)1);
    }
    if (caret >= at)
        shown.from = shown.columns;             /* behind the end of the line */
    if (at < len)
        ft_buf_adds(&shown.text, "…");
    return shown;
}

static void repeat(FILE *to, char c, size_t n)
{
    for (; n > 0; n--)
        putc(c, to);
}

static void print_place(const struct ft_diag *diag, const struct ft_source *source, FILE *to, bool colour)
{
    struct shown shown;
    const char *line;
    size_t len;

    if (!source || !find_line(source, diag->mark.line, &line, &len)) {
        if (diag->hint)
            fprintf(to, "        %s\n", diag->hint);
        return;
    }
    shown = show_line(line, len, &diag->mark);
    fprintf(to, "%5u | %s\n      | ", diag->mark.line, ft_buf_str(&shown.text));
    repeat(to, ' ', shown.from);
    fputs(colour ? "\033[1;32m" : "", to);
    repeat(to, '^', 1);
    repeat(to, '~', shown.width - 1);
    if (diag->hint)
        fprintf(to, " %s", diag->hint);
    fputs(colour ? "\033[0m\n" : "\n", to);
    ft_buf_done(&shown.text);
}

static void print_one(const struct ft_diags *diags, const struct ft_diag *diag, FILE *to, bool colour)
{
    const struct ft_source *source = find_source(diags, diag->source);

    fprintf(to, "%s%s:%u:%u: %serror:%s %s\n", colour ? "\033[1m" : "", diag->source, diag->mark.line, diag->mark.column,
            colour ? "\033[31m" : "", colour ? "\033[0m" : "", diag->text);
    print_place(diag, source, to, colour);
}

void ft_diags_print(struct ft_diags *diags, FILE *to, bool colour)
{
    size_t all = diags->count + diags->beyond;

    sort(diags);
    for (size_t i = 0; i < diags->count; i++)
        print_one(diags, &diags->items[i], to, colour);
    if (diags->beyond)
        fprintf(to, "… and %zu more\n", diags->beyond);
    if (all)
        fprintf(to, "%zu error%s\n", all, all == 1 ? "" : "s");
}
