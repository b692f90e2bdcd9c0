/* cli.c: reading the text of command lines. */
#include "cli.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- UTF-8 ---- */

/* Length of the character that begins here, 0 when there is none: shortest form, no surrogates, up to U+10FFFF. */
static size_t utf8_len(const unsigned char *p)
{
    unsigned lead = p[0], low = 0x80, high = 0xbf;
    size_t n = lead < 0x80 ? 1 : lead >= 0xc2 && lead <= 0xdf ? 2 : (lead & 0xf0) == 0xe0 ? 3 : lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;

    if (lead == 0xe0 || lead == 0xf0)
        low = lead == 0xe0 ? 0xa0 : 0x90;
    if (lead == 0xed || lead == 0xf4)
        high = lead == 0xed ? 0x9f : 0x8f;
    for (size_t i = 1; i < n; i++) {
        if (p[i] < (i == 1 ? low : 0x80) || p[i] > (i == 1 ? high : 0xbf))
            return 0;
    }
    return n;
}

void cli_make_utf8(char *text)
{
    while (*text) {
        size_t n = utf8_len((const unsigned char *)text);

        if (!n)
            *text = '?';
        text += n ? n : 1;
    }
}

json_t *cli_text(const char *text, size_t len)
{
    json_t *string = json_stringn(text, len);
    char *copy;

    if (string)
        return string;
    copy = strndup(text, len);
    if (copy)
        cli_make_utf8(copy);
    string = json_string(copy ? copy : "");
    free(copy);
    return string;
}

/* ---- Errors ---- */

static enum ft_class class_of(const char *text)
{
    static const struct { const char *part; enum ft_class class; } known[] = {
        { "not found", FT_NOT_FOUND }, { "does not exist", FT_NOT_FOUND }, { "Can't find interface", FT_NOT_FOUND },
        { "permission denied", FT_DENIED }, { "not authorized", FT_DENIED }, { "authorization failed", FT_DENIED },
        { "privileged mode required", FT_DENIED }, { "failed to connect to any daemons", FT_UNREACHABLE }, { "closing connection to ", FT_UNREACHABLE },
        { "database locked", FT_CONFLICT }, { "database modified", FT_CONFLICT },
        { "syntax error", FT_INVALID }, { "unknown command", FT_INVALID }, { "missing argument", FT_INVALID }, { "missing mandatory", FT_INVALID },
        { "invalid", FT_INVALID }, { "incomplete command", FT_INVALID }, { "command incomplete", FT_INVALID },
        { "ambiguous command", FT_INVALID }, { "expecting", FT_INVALID },
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcasestr(text, known[i].part))
            return known[i].class;
    }
    return FT_REFUSED;
}

static bool begins(const char *line, size_t len, const char *what)
{
    return len >= strlen(what) && strncasecmp(line, what, strlen(what)) == 0;
}

/* FRR's vtysh passes each line on to the daemons that it is for, and goes on without those that are away. */
static bool is_daemon_away(const char *line, size_t len)
{
    static const char ending[] = " is not running";
    size_t n = sizeof(ending) - 1, word = strcspn(line, " \n");

    return begins(line, len, "Warning: closing connection to ") || (begins(line, len, "Warning: connecting to ") && memmem(line, len, "...failed", 9))
        || begins(line, len, "Exiting: failed to connect") || (word && len == word + n && memcmp(line + word, ending, n) == 0);
}

static bool is_error_line(const char *line, size_t len)
{
    /* Junos puts "terminal:3:(12) syntax error" in front while it loads; IOS, EOS and FRR begin with "% ". */
    if (begins(line, len, "terminal:") && memmem(line, len, "error", 5))
        return true;
    return begins(line, len, "error:") || begins(line, len, "load complete (") || begins(line, len, "syntax error") || begins(line, len, "unknown command")
        || begins(line, len, "missing argument") || begins(line, len, "% ") || begins(line, len, "%No ") || begins(line, len, "%Error")
        || begins(line, len, "command authorization failed") || begins(line, len, "Can't open configuration file")
        || is_daemon_away(line, len);
}

bool cli_error(const char *output, char *text, size_t size, enum ft_class *ret_class)
{
    const char *line = output;

    while (line && *line) {
        size_t len = strcspn(line, "\n"), skip = strspn(line, " \t");

        if (skip >= len)
            skip = 0;
        if (is_error_line(line + skip, len - skip)) {
            const char *from = line + skip + (line[skip] == '%' ? 2 : 0);
            int n = (int)(line + len - from);

            while (n > 0 && (isspace((unsigned char)from[n - 1]) || from[n - 1] == '.'))
                n--;
            if (n <= 0)
                snprintf(text, size, "an error without a reason");
            else
                snprintf(text, size, "%.*s", n > 200 ? 200 : n, from);
            cli_make_utf8(text);
            *ret_class = class_of(text);
            return true;
        }
        line += len + (line[len] == '\n');
    }
    return false;
}

/* ---- Which commands only show ---- */

static bool is_filter(const char *word)
{
    static const char *const filters[] = { "match", "except", "count", "display", "no-more", "find", "last", "trim", "hold", "include",
                                           "exclude", "begin", "section", "json", "compare", "grep" };

    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
        if (strcmp(word, filters[i]) == 0)
            return true;
    }
    return false;
}

bool cli_is_show(const char *command, const char **ret_why)
{
    char word[16];

    *ret_why = "it does not begin with 'show '";
    if (strncmp(command, "show ", 5) != 0)
        return false;
    *ret_why = "it has a character that could begin a second command";
    for (const char *p = command; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f || strchr(";&`$<>\\!", *p))
            return false;
    }
    *ret_why = "it pipes into something other than a filter";
    for (const char *p = strchr(command, '|'); p; p = strchr(p + 1, '|')) {
        if (sscanf(p + 1, " %15[a-z-]", word) != 1 || !is_filter(word))
            return false;
    }
    return true;
}

/* ---- Secrets in configuration text ---- */

static void mask_quoted(char *line, size_t len)
{
    bool inside = false;

    for (size_t i = 0; i < len; i++) {
        if (line[i] == '"')
            inside = !inside;
        else if (inside)
            line[i] = '*';
    }
}

static void mask_after(char *line, size_t len, const char *word)
{
    char *p = memmem(line, len, word, strlen(word));
    size_t at;

    if (!p || (p > line && !isspace((unsigned char)p[-1]) && p[-1] != '-'))
        return;
    at = (size_t)(p - line) + strlen(word);
    if (at < len && line[at] != ' ')
        return;
    for (; at < len; at++) {
        if (!isspace((unsigned char)line[at]) && line[at] != ';')
            line[at] = '*';
    }
}

void cli_mask_secrets(char *text)
{
    static const char *const words[] = { "password", "secret", "community", "key", "pre-shared-key", "encrypted-password", "authentication-key" };

    for (char *line = text; *line;) {
        size_t len = strcspn(line, "\n");

        if (memmem(line, len, "SECRET-DATA", 11))
            mask_quoted(line, len);
        else if (begins(line, len, "set ") || isspace((unsigned char)*line) || begins(line, len, "enable ") || begins(line, len, "username ")
                 || begins(line, len, "snmp-server "))
            for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
                mask_after(line, len, words[i]);
        line += len + (line[len] == '\n');
    }
}

/* ---- Junos JSON ---- */

json_t *junos_json(const char *answer, struct ft_err *reterr)
{
    const char *from = answer;
    json_error_t why;
    json_t *json;

    while (*from && *from != '{')
        from += strcspn(from, "\n") + (from[strcspn(from, "\n")] == '\n');
    json = *from ? json_loads(from, JSON_DISABLE_EOF_CHECK, &why) : NULL;
    if (!json) {
        char start[61];
        size_t n = 0;

        for (const char *p = answer; *p && n < sizeof(start) - 1; p++)
            start[n++] = (unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e ? ' ' : *p;
        start[n] = '\0';
        ft_err_set(reterr, -EBADMSG, "the answer is not JSON (%s): '%s'", *from ? why.text : "no object in it", start);
        if (reterr)
            reterr->class = FT_INVALID;
    }
    return json;
}

static void collect(const json_t *value, const char *key, json_t *into, unsigned depth)
{
    const char *name;
    json_t *member;
    size_t i;

    if (depth > 64)
        return;
    json_object_foreach((json_t *)value, name, member) {
        if (strcmp(name, key) != 0)
            collect(member, key, into, depth + 1);
        else if (json_is_array(member))
            json_array_extend(into, member);
        else
            json_array_append(into, member);
    }
    json_array_foreach(value, i, member)
        collect(member, key, into, depth + 1);
}

json_t *junos_all(const json_t *root, const char *key)
{
    json_t *all = json_array();

    collect(root, key, all, 0);
    return all;
}

static const json_t *first_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return json_is_array(value) ? json_array_get(value, 0) : value;
}

const char *junos_text(const json_t *object, const char *key)
{
    const json_t *leaf = first_of(object, key);

    return json_string_value(json_is_object(leaf) ? json_object_get(leaf, "data") : leaf);
}

const char *junos_attribute(const json_t *object, const char *key, const char *attribute)
{
    return json_string_value(json_object_get(json_object_get(first_of(object, key), "attributes"), attribute));
}

/* ---- set lines ---- */

bool set_next(const char **at, struct set_line *ret)
{
    while (*at && **at) {
        const char *line = *at;
        size_t len = strcspn(line, "\n");

        *at = line + len + (line[len] == '\n');
        while (len && isspace((unsigned char)line[len - 1]))
            len--;
        if (len >= 4 && memcmp(line, "set ", 4) == 0) {
            *ret = (struct set_line){ line, len };
            return true;
        }
    }
    return false;
}

bool set_under(const struct set_line *line, const char *path, char *rest, size_t size)
{
    size_t n = strlen(path), len = line->len - 4;
    const char *text = line->text + 4;

    if (len < n || memcmp(text, path, n) != 0 || (len > n && text[n] != ' '))
        return false;
    text += n + (len > n);
    len -= n + (len > n);
    if (len >= 2 && text[0] == '"' && text[len - 1] == '"') {
        text++;
        len -= 2;
    }
    snprintf(rest, size, "%.*s", (int)len, text);
    return true;
}

bool set_value(const char *config, const char *path, char *ret, size_t size)
{
    struct set_line line;

    while (set_next(&config, &line)) {
        if (set_under(&line, path, ret, size))
            return true;
    }
    return false;
}

/* "0   2026-11-21 02:13:01 UTC by netop via cli commit confirmed, rollback in 5mins", then the comment, then "1   …". */
bool commit_pending(const char *log, const char *comment, bool *ret_ours)
{
    const char *newest = log, *next;
    size_t len;

    while (*newest && !(newest[0] == '0' && newest[1] == ' '))
        newest += strcspn(newest, "\n") + (newest[strcspn(newest, "\n")] == '\n');
    next = strstr(newest, "\n1 ");
    len = next ? (size_t)(next - newest) : strlen(newest);
    *ret_ours = memmem(newest, len, comment, strlen(comment)) != NULL;
    return memmem(newest, strcspn(newest, "\n"), "rollback in", strlen("rollback in")) != NULL;
}

/* The next commit of the log: its first line, and how long it is with what belongs to it. */
static const char *next_commit(const char *at, size_t *ret_len)
{
    const char *end;

    while (*at && !isdigit((unsigned char)*at))
        at += strcspn(at, "\n") + (at[strcspn(at, "\n")] == '\n');
    if (!*at)
        return NULL;
    end = at + strcspn(at, "\n") + (at[strcspn(at, "\n")] == '\n');
    while (*end && !isdigit((unsigned char)*end))
        end += strcspn(end, "\n") + (end[strcspn(end, "\n")] == '\n');
    *ret_len = (size_t)(end - at);
    return at;
}

unsigned commit_depth(const char *log, const char *comment)
{
    unsigned at = 0, depth = 0;
    size_t len;

    for (const char *c = next_commit(log, &len); c; c = next_commit(c + len, &len), at++) {
        if (memmem(c, len, comment, strlen(comment)))
            depth = at + 1;
        else if (at > 0 || len > strcspn(c, "\n") + 1 || memmem(c, len, "rollback in", 11) || memmem(c, len, "via other", 9))
            break;                                 /* "by root via other": the switch itself, taking back what was not confirmed */
    }
    return depth;
}

bool commit_stands(const char *log, const char *comment)
{
    const char *above = NULL;
    size_t len, above_len = 0;

    for (const char *c = next_commit(log, &len); c; above = c, above_len = len, c = next_commit(c + len, &len)) {
        if (!memmem(c, len, comment, strlen(comment)))
            continue;
        return above ? !memmem(above, above_len, "via other", 9) : !memmem(c, len, "rollback in", 11);
    }
    return false;
}

bool commit_went_back(const char *log, const char *comment)
{
    const char *above = NULL;
    size_t len, above_len = 0;

    for (const char *c = next_commit(log, &len); c; above = c, above_len = len, c = next_commit(c + len, &len))
        if (memmem(c, len, comment, strlen(comment)))
            return above && memmem(above, above_len, "via other", 9);
    return false;
}

bool ios_timer_runs(const char *answer)
{
    return strstr(answer, "Timer value") || strstr(answer, "Time configured");
}

bool eos_session_is(const char *table, const char *name, const char *state)
{
    const char *at = table;
    size_t n = strlen(name);

    for (at = strstr(at, name); at; at = strstr(at + 1, name)) {
        if ((at == table || strchr(" *\n", at[-1])) && at[n] == ' ' && strncasecmp(at + n + strspn(at + n, " "), state, strlen(state)) == 0)
            return true;
    }
    return false;
}

/* "  fettle-7f3c-1  pendingCommitTimer  fettle  vty5"; a '*' in front marks the session that one is in. */
bool eos_pending(const char *table, char *ret_name, size_t size)
{
    while (*table) {
        size_t len = strcspn(table, "\n"), n;
        const char *words[6];
        char buffer[256];

        n = cli_words(table, len, buffer, sizeof(buffer), words, 6);
        if (n > 1 && strcmp(words[0], "*") == 0)
            memmove(words, words + 1, --n * sizeof(*words));
        if (n > 1 && strcasecmp(words[1], "pendingCommitTimer") == 0) {
            snprintf(ret_name, size, "%s", words[0]);
            return true;
        }
        table += len + (table[len] == '\n');
    }
    return false;
}

/* ---- Numbers and words ---- */

json_int_t cli_speed_mbps(const char *text)
{
    char *end;
    double n;

    if (!text)
        return 0;
    if (strncmp(text, "a-", 2) == 0)
        text += 2;
    n = strtod(text, &end);
    if (end == text || !(n >= 0 && n < 1e9))
        return 0;
    if (*end == 'g' || *end == 'G')
        return (json_int_t)(n * 1000);
    if (*end == 'k' || *end == 'K')
        return (json_int_t)(n / 1000);
    if (strncasecmp(end, "bps", 3) == 0)
        return (json_int_t)(n / 1e6);
    return (json_int_t)n;
}

bool cli_mac(const char *text, char ret[18])
{
    unsigned n = 0;

    for (; text && *text; text++) {
        if (!isxdigit((unsigned char)*text)) {
            if (!strchr(":-.", *text))
                return false;
            continue;
        }
        if (n == 12)
            return false;
        ret[n / 2 * 3 + n % 2] = (char)tolower((unsigned char)*text);
        n++;
        if (n % 2 == 0)
            ret[n / 2 * 3 - 1] = n == 12 ? '\0' : ':';
    }
    return n == 12;
}

size_t cli_words(const char *line, size_t len, char *buffer, size_t size, const char **words, size_t max)
{
    size_t n = 0, used = 0;

    for (size_t i = 0; i < len && n < max;) {
        while (i < len && isspace((unsigned char)line[i]))
            i++;
        if (i == len || used + 1 >= size)
            break;
        words[n++] = buffer + used;
        while (i < len && !isspace((unsigned char)line[i]) && used + 1 < size)
            buffer[used++] = line[i++];
        if (i < len && !isspace((unsigned char)line[i]))
            return n - 1;                           /* the buffer is full in the middle of a word */
        buffer[used++] = '\0';
    }
    return n;
}

bool cli_same_port(const char *a, const char *b)
{
    size_t na = strcspn(a, "0123456789"), nb = strcspn(b, "0123456789"), n = na < nb ? na : nb;

    if (n < 2 || strncasecmp(a, b, n) != 0)
        return strcasecmp(a, b) == 0;
    return strcmp(a + na, b + nb) == 0;
}
