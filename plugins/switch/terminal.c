/* terminal.c: cleaning and reading what a switch's terminal shows. */
#include "terminal.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* ---- Cleaning ---- */

enum { ESC_NONE, ESC_BEGUN, ESC_CSI, ESC_OSC, ESC_OSC_END, ESC_CHARSET };

static bool more_room(struct term *t)
{
    size_t size = t->size ? t->size * 2 : 4096;
    char *larger;

    if (t->len + 2 < t->size)
        return true;
    if (size > TERM_MAX_TEXT)
        return false;
    larger = t->alloc(t->arg, size);
    if (!larger)
        return false;
    if (t->len)
        memcpy(larger, t->text, t->len);
    t->text = larger;
    t->size = size;
    return true;
}

static bool put(struct term *t, char c)
{
    if (!more_room(t)) {
        t->overflow = true;
        return false;
    }
    t->text[t->len++] = c;
    t->text[t->len] = '\0';
    if (c == '\n')
        t->line = t->len;
    return true;
}

/* True: the byte belonged to a control sequence. */
static bool eat_escape(struct term *t, unsigned char c)
{
    switch (t->escape) {
    case ESC_NONE:
        if (c != 0x1b)
            return false;
        t->escape = ESC_BEGUN;
        break;
    case ESC_BEGUN:
        t->escape = c == '[' ? ESC_CSI : c == ']' ? ESC_OSC : c == '(' || c == ')' ? ESC_CHARSET : ESC_NONE;
        break;
    case ESC_CSI:
        if (c >= 0x40 && c <= 0x7e)
            t->escape = ESC_NONE;
        break;
    case ESC_OSC:
        t->escape = c == 0x07 ? ESC_NONE : c == 0x1b ? ESC_OSC_END : ESC_OSC;
        break;
    default:                                        /* one more byte: a character set, or the end of an OSC */
        t->escape = ESC_NONE;
        break;
    }
    return true;
}

#define WRAP_MIN 40

/* A full line that ends in a blank and a carriage return goes on in the next: so terminals wrap. (Pagers blank the whole line.) */
static bool is_wrapped(const struct term *t)
{
    const char *line = t->text ? t->text + t->line : "";

    return t->len - t->line >= WRAP_MIN && t->text[t->len - 1] == ' ' && strspn(line, " ") < t->len - t->line;
}

/* A carriage return before a line feed is the line's end; before anything else the line is written anew. */
static bool feed_byte(struct term *t, unsigned char c)
{
    if (c == 0 || eat_escape(t, c))
        return true;
    if (c == '\r') {
        t->carriage = true;
        return true;
    }
    if (t->carriage && c != '\n') {
        t->len = is_wrapped(t) ? t->len - 1 : t->line;
        if (t->text)
            t->text[t->len] = '\0';
    }
    t->carriage = false;
    if (c == '\b' || c == 0x7f) {
        if (t->len > t->line)
            t->text[--t->len] = '\0';
        return true;
    }
    if (c < 0x20 && c != '\n' && c != '\t')
        return true;
    return put(t, (char)c);
}

bool term_feed(struct term *t, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!feed_byte(t, (unsigned char)bytes[i]))
            return false;
    }
    return !t->overflow;
}

void term_reset(struct term *t)
{
    t->len = t->line = 0;
    t->carriage = t->overflow = false;
    if (t->text)
        t->text[0] = '\0';
}

/* ---- Prompts ---- */

static const char *current_line(const struct term *t, size_t *ret_len)
{
    *ret_len = t->len - t->line;
    return t->text ? t->text + t->line : "";
}

static size_t without_end_spaces(const char *line, size_t len)
{
    while (len && line[len - 1] == ' ')
        len--;
    return len;
}

/* "user@host>", "sw1(config-if)#", "root@host:~ #": the length of the fixed part, 0 when the line is no prompt. */
static size_t prompt_base(const char *line, size_t len)
{
    size_t n = 0;

    len = without_end_spaces(line, len);
    if (len < 2 || len > 120 || !strchr(">#%$", line[len - 1]) || !isalnum((unsigned char)line[0]))
        return 0;
    while (n < len - 1 && (isalnum((unsigned char)line[n]) || strchr("@._:~/-", line[n])))
        n++;
    if (n == len - 2 && line[n] == ' ' && line[n + 1] == '#' && memchr(line, '@', n))
        return n;                                  /* a root shell */
    if (n < len - 1 && line[n] == '(' && line[len - 2] == ')' && !memchr(line + n, ' ', len - n))
        return n;
    return n == len - 1 ? n : 0;
}

static bool is_prompt(const struct term *t, const char *line, size_t len)
{
    size_t n = strlen(t->base);

    return (n && prompt_base(line, len) == n && memcmp(line, t->base, n) == 0) || (t->renames && prompt_base(line, len));
}

void term_learn(struct term *t)
{
    size_t len;
    const char *line = current_line(t, &len);

    snprintf(t->base, sizeof(t->base), "%.*s", (int)prompt_base(line, len), line);
}

char term_prompt_end(const struct term *t)
{
    size_t len;
    const char *line = current_line(t, &len);

    return prompt_base(line, len) ? line[without_end_spaces(line, len) - 1] : '\0';
}

static bool has(const char *line, size_t len, const char *what)
{
    return memmem(line, len, what, strlen(what)) != NULL;
}

static bool ends_with(const char *line, size_t len, const char *what)
{
    size_t n = strlen(what);

    len = without_end_spaces(line, len);
    return len >= n && memcmp(line + len - n, what, n) == 0;
}

static bool is_pager(const char *line, size_t len)
{
    return (has(line, len, "---(more") && has(line, len, ")---")) || has(line, len, "--More--") || has(line, len, "--more--");
}

static bool is_question(const char *line, size_t len)
{
    return (has(line, len, "[yes,no]") && (ends_with(line, len, ")") || ends_with(line, len, "]"))) || ends_with(line, len, "[confirm]")
        || ends_with(line, len, "[yes/no]:") || ends_with(line, len, "]?");
}

enum term_sees term_look(const struct term *t, const char *until)
{
    size_t len;
    const char *line = current_line(t, &len);

    if (until && t->text && strstr(t->text, until))
        return TERM_INPUT;
    if (len == 0 || t->carriage)
        return TERM_NOTHING;
    if (is_pager(line, len))
        return TERM_PAGER;
    if (is_question(line, len))
        return TERM_QUESTION;
    if (ends_with(line, len, "assword:"))
        return TERM_PASSWORD;
    if (t->base[0])
        return is_prompt(t, line, len) ? TERM_PROMPT : TERM_NOTHING;
    return prompt_base(line, len) ? TERM_CANDIDATE : TERM_NOTHING;
}

/* ---- Echo and output ---- */

#define ECHO_TAIL 24

/* Where the echo of the command ends; NULL: not echoed yet. Compared without blanks, because terminals wrap; by the command's
 * tail, because they also scroll. */
static const char *echo_end(const char *text, const char *command)
{
    char tail[ECHO_TAIL + 1];
    size_t n = 0, matched;

    for (size_t i = strlen(command); i > 0 && n < ECHO_TAIL; i--) {
        if (!isspace((unsigned char)command[i - 1]) && (unsigned char)command[i - 1] >= 0x20)
            tail[n++] = command[i - 1];            /* backwards */
    }
    if (n == 0)
        return text;
    for (const char *at = text; text && *at; at++) {
        const char *p = at;

        for (matched = 0; *p && matched < n; p++) {
            if (isspace((unsigned char)*p) && matched)
                continue;
            if (*p != tail[n - 1 - matched])
                break;
            matched++;
        }
        if (matched == n)
            return p;
    }
    return NULL;
}

bool term_echoed(const struct term *t, const char *command)
{
    return echo_end(t->text, command) != NULL;
}

static bool starts(const char *line, size_t len, const char *what)
{
    return len >= strlen(what) && memcmp(line, what, strlen(what)) == 0;
}

/* "{master:0}", "{master:0}[edit]", "[edit interfaces ge-0/0/1]", and what Junos says above the prompt while a commit is unconfirmed. */
static bool is_banner(const char *line, size_t len)
{
    size_t i = 1;

    len = without_end_spaces(line, len);
    if (len == 0 || starts(line, len, "# commit confirmed will be rolled back") || starts(line, len, "[edit"))
        return true;
    if (line[0] != '{')
        return false;
    while (i < len && (isalnum((unsigned char)line[i]) || line[i] == ':' || line[i] == '-'))
        i++;
    return i < len && i > 1 && line[i] == '}' && memchr(line, ':', i) && (i + 1 == len || starts(line + i + 1, len - i - 1, "[edit"));
}

/* "*Mar  1 00:01:02.003: %LINK-3-UPDOWN: Interface …": facility, severity digit, mnemonic, colon. */
static bool is_log_line(const char *line, size_t len)
{
    const char *p = memchr(line, '%', len), *end = line + len;
    unsigned dashes = 0;

    if (!p || (p > line && p[-1] != ' ' && p[-1] != ':'))
        return false;
    for (p++; p < end && (isupper((unsigned char)*p) || isdigit((unsigned char)*p) || *p == '_' || *p == '-'); p++) {
        if (*p == '-' && p + 2 < end && isdigit((unsigned char)p[1]) && p[2] == '-')
            dashes++;
    }
    return dashes && p < end && *p == ':';
}

char *term_output(struct term *t, const char *command, bool keep_logs)
{
    const char *from = t->text ? echo_end(t->text, command) : NULL, *end = t->text ? t->text + t->line : NULL;
    char *out;
    size_t n = 0, kept = 0;

    if (from && from > end)
        from = end;
    if (!from)
        from = t->text;
    if (from != t->text && from) {
        const char *eol = memchr(from, '\n', (size_t)(end - from));

        from = eol ? eol + 1 : end;
    }
    out = t->alloc(t->arg, (size_t)(end - from) + 1);
    if (!out)
        return NULL;
    while (from < end) {
        const char *eol = memchr(from, '\n', (size_t)(end - from));
        size_t len = (size_t)((eol ? eol : end) - from);
        bool banner = is_banner(from, len);

        if ((keep_logs || !is_log_line(from, len)) && !(banner && n == 0 && !starts(from, len, "[edit"))) {
            memcpy(out + n, from, len);
            n += len;
            out[n++] = '\n';
            if (!banner)
                kept = n;                          /* banners at the end go; those in the middle stay, and the [edit …] of a diff */
        }
        from = eol ? eol + 1 : end;
    }
    out[kept] = '\0';
    return out;
}
