#include "script/reads.h"
#include <ctype.h>
#include <stdio.h>
#include "base/util.h"
#include "data/json.h"

enum { PATH_MAX_BYTES = 400, STRING_MAX_BYTES = 200, BRIEF = 60, SAID_MAX = 8 };

void ft_reads_clear(struct ft_reads *reads)
{
    if (reads->count)
        memset(reads->slots, 0, sizeof(reads->slots));
    reads->used = reads->count = 0;
    reads->more = false;
}

void ft_reads_done(struct ft_reads *reads)
{
    free(reads->text);
}

/* ---- Noting ------------------------------------------------------------------------------------------------------ */

/* FNV-1a, cut to the number of slots. */
static unsigned slot_of(const char *path, size_t len)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)path[i]) * 16777619u;
    return (hash ^ hash >> 16) % FT_READS_SLOTS;
}

static void reserve(struct ft_reads *reads, size_t len)
{
    if (reads->used + len > reads->cap) {
        reads->cap = ft_max(reads->cap * 2, reads->used + len + 1024);
        reads->text = ft_realloc(reads->text, reads->cap);
    }
}

/* The path of `len` bytes stands at the end of the text already; it is kept when it is new. */
static uint32_t note(struct ft_reads *reads, size_t len, const json_t *value, int kind)
{
    const char *path = reads->text + reads->used;
    unsigned slot = slot_of(path, len);

    for (; reads->slots[slot]; slot = (slot + 1) % FT_READS_SLOTS) {
        const struct ft_read *old = &reads->items[reads->slots[slot] - 1];

        if (old->len == len && memcmp(reads->text + old->path, path, len) == 0)
            return reads->slots[slot] - 1u;
    }
    if (reads->count == FT_READS_MAX) {
        reads->more = true;
        return FT_READ_NONE;
    }
    reads->items[reads->count] = (struct ft_read){ .path = (uint32_t)reads->used, .len = (uint32_t)len, .value = value, .kind = kind };
    reads->used += len;
    reads->slots[slot] = (uint8_t)++reads->count;
    return reads->count - 1;
}

uint32_t ft_reads_name(struct ft_reads *reads, const char *name, size_t len, const json_t *value)
{
    if (len > PATH_MAX_BYTES)
        return FT_READ_NONE;
    reserve(reads, len);
    memcpy(reads->text + reads->used, name, len);
    return note(reads, len, value, FT_READ_VALUE);
}

static bool is_word(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != '_')
            return false;
    return len > 0 && !isdigit((unsigned char)text[0]);
}

static char *put(char *to, const char *bytes, size_t len)
{
    memcpy(to, bytes, len);
    return to + len;
}

/* Writes the parent's path and what follows it behind the text. Returns the length, 0 when it is not to be noted. */
static size_t write_path(struct ft_reads *reads, uint32_t parent, const char *before, const char *key, size_t len, const char *after)
{
    const struct ft_read *from;
    size_t all;
    char *to;

    if (parent == FT_READ_NONE || len > PATH_MAX_BYTES || reads->items[parent].len + len > PATH_MAX_BYTES) {
        reads->more = true;
        return 0;
    }
    from = &reads->items[parent];
    reads->items[parent].kind = FT_READ_ENTERED;
    all = from->len + strlen(before) + len + strlen(after);
    reserve(reads, all);
    to = put(reads->text + reads->used, reads->text + from->path, from->len);
    to = put(to, before, strlen(before));
    to = put(to, key, len);
    put(to, after, strlen(after));
    return all;
}

uint32_t ft_reads_member(struct ft_reads *reads, uint32_t parent, const char *key, size_t len, const json_t *value)
{
    bool word = is_word(key, len);
    size_t all = write_path(reads, parent, word ? "." : "[\"", key, len, word ? "" : "\"]");

    return all ? note(reads, all, value, FT_READ_VALUE) : FT_READ_NONE;
}

uint32_t ft_reads_item(struct ft_reads *reads, uint32_t parent, size_t number, const json_t *value)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%zu", number);
    size_t all = write_path(reads, parent, "[", text, (size_t)len, "]");

    return all ? note(reads, all, value, FT_READ_VALUE) : FT_READ_NONE;
}

void ft_reads_count(struct ft_reads *reads, uint32_t list, size_t count)
{
    const struct ft_read *from;
    uint32_t read;

    if (list == FT_READ_NONE)
        return;
    from = &reads->items[list];
    reads->items[list].kind = FT_READ_ENTERED;
    reserve(reads, from->len + 1);
    reads->text[reads->used] = '#';
    put(reads->text + reads->used + 1, reads->text + from->path, from->len);
    read = note(reads, from->len + 1, from->value, FT_READ_COUNT);
    if (read != FT_READ_NONE)
        reads->items[read].count = count;
}

/* ---- Telling ----------------------------------------------------------------------------------------------------- */

static json_t *value_of(const struct ft_read *read)
{
    char *brief;
    json_t *text;

    if (read->kind == FT_READ_COUNT)
        return json_integer((json_int_t)read->count);
    if (!read->value)
        return json_null();
    if (!json_is_object(read->value) && !json_is_array(read->value) && json_string_length(read->value) <= STRING_MAX_BYTES)
        return json_incref((json_t *)read->value);
    brief = ft_json_brief(read->value, BRIEF);
    text = json_string(brief);
    free(brief);
    return text;
}

json_t *ft_reads_json(const struct ft_reads *reads)
{
    json_t *object = json_object();

    for (uint32_t i = 0; i < reads->count; i++) {
        const struct ft_read *read = &reads->items[i];

        if (read->kind != FT_READ_ENTERED && !ft_is_unknown(read->value))
            json_object_setn_new(object, reads->text + read->path, read->len, value_of(read));
    }
    if (reads->more)
        json_object_set_new(object, "…", json_string("more values were read"));
    return object;
}

void ft_reads_path(const struct ft_reads *reads, uint32_t read, struct ft_buf *to)
{
    if (read != FT_READ_NONE)
        ft_buf_add(to, reads->text + reads->items[read].path, reads->items[read].len);
}

/* Whether the path's last word, "rssi" of "result.rssi", is among the words of the line. */
static bool is_in_line(const char *path, size_t path_len, const char *line, size_t len)
{
    size_t start = path_len;

    while (start > 0 && (isalnum((unsigned char)path[start - 1]) || path[start - 1] == '_'))
        start--;
    path += start;
    path_len -= start;
    if (path_len == 0)
        return true;                         /* list[1], odd["keys"] */
    for (size_t i = 0; i + path_len <= len; i++) {
        bool begins = i == 0 || !is_word(&line[i - 1], 1);
        bool ends = i + path_len == len || !(isalnum((unsigned char)line[i + path_len]) || line[i + path_len] == '_');

        if (begins && ends && memcmp(line + i, path, path_len) == 0)
            return true;
    }
    return false;
}

static void say_value(const struct ft_read *read, struct ft_buf *to)
{
    char *brief;

    if (read->kind == FT_READ_COUNT) {
        ft_buf_addf(to, "%zu", read->count);
        return;
    }
    if (!read->value || json_is_null(read->value)) {
        ft_buf_adds(to, "nil");
        return;
    }
    brief = ft_json_brief(read->value, BRIEF);
    ft_buf_addf(to, json_is_string(read->value) ? "\"%s\"" : "%s", brief);
    free(brief);
}

void ft_reads_say(const struct ft_reads *reads, const char *line, size_t len, struct ft_buf *to)
{
    unsigned said = 0;

    for (uint32_t i = 0; i < reads->count && said < SAID_MAX; i++) {
        const struct ft_read *read = &reads->items[i];

        if (read->kind == FT_READ_ENTERED || !is_in_line(reads->text + read->path, read->len, line, len))
            continue;
        ft_buf_adds(to, said++ ? ", " : " (");
        ft_buf_add(to, reads->text + read->path, read->len);
        ft_buf_adds(to, " = ");
        say_value(read, to);
    }
    if (said)
        ft_buf_adds(to, ")");
}
