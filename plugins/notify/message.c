/* message.c: composing a mail: encoded words for what is not ASCII in headers, quoted-printable for the body. */
#include "message.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINE 76

struct out { char *text; size_t len, size; bool failed; };

static void put(struct out *o, const char *bytes, size_t len)
{
    if (o->len + len + 1 > o->size) {
        size_t size = o->size ? o->size : 4096;
        char *larger;

        while (size < o->len + len + 1)
            size *= 2;
        larger = realloc(o->text, size);
        if (!larger) {
            o->failed = true;
            return;
        }
        o->text = larger;
        o->size = size;
    }
    memcpy(o->text + o->len, bytes, len);
    o->len += len;
    o->text[o->len] = '\0';
}

static void puts_to(struct out *o, const char *text) { put(o, text, strlen(text)); }

/* ---- Headers ---- */

static bool is_plain(const char *text)
{
    for (const char *p = text; *p; p++) {
        if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
            return false;
    }
    return strstr(text, "=?") == NULL;
}

static size_t character_len(const char *p)
{
    size_t n = 1;

    while (((unsigned char)p[n] & 0xc0) == 0x80)
        n++;
    return n;
}

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void base64(struct out *o, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i += 3) {
        unsigned a = (unsigned char)bytes[i], b = i + 1 < len ? (unsigned char)bytes[i + 1] : 0, c = i + 2 < len ? (unsigned char)bytes[i + 2] : 0;
        char four[4] = { digits[a >> 2], digits[(a & 3) << 4 | b >> 4], i + 1 < len ? digits[(b & 15) << 2 | c >> 6] : '=',
                         i + 2 < len ? digits[c & 63] : '=' };

        put(o, four, 4);
    }
}

/* =?utf-8?B?…?= in pieces that keep every line within 76 characters, never parted within a character. */
static void encoded_words(struct out *o, const char *text, size_t column)
{
    while (*text) {
        size_t n = 0, room = (LINE - column - strlen("=?utf-8?B?" "?=")) / 4 * 3;

        while (text[n] && n + character_len(text + n) <= room)
            n += character_len(text + n);
        if (n == 0)
            n = room < strlen(text) ? room : strlen(text);     /* not UTF-8 at all */
        puts_to(o, "=?utf-8?B?");
        base64(o, text, n);
        puts_to(o, "?=");
        text += n;
        column = 1;
        if (*text)
            puts_to(o, "\r\n ");
    }
}

/* Of values that are checked: addresses, ids, the date. They are never encoded. */
static void raw_header(struct out *o, const char *name, const char *value)
{
    puts_to(o, name);
    puts_to(o, ": ");
    puts_to(o, value);
    puts_to(o, "\r\n");
}

/* A line break in a value would begin a header of somebody else's making: it becomes a blank. */
static void header(struct out *o, const char *name, const char *value)
{
    char *clean = strdup(value);

    if (!clean) {
        o->failed = true;
        return;
    }
    for (char *p = clean; *p; p++) {
        if (*p == '\r' || *p == '\n' || *p == '\t')
            *p = ' ';
    }
    puts_to(o, name);
    puts_to(o, ": ");
    if (is_plain(clean) && strlen(name) + 2 + strlen(clean) <= LINE)
        puts_to(o, clean);
    else
        encoded_words(o, clean, strlen(name) + 2);
    puts_to(o, "\r\n");
    free(clean);
}

static void addresses(struct out *o, const char *name, const char *const *list)
{
    if (!list || !*list)
        return;
    puts_to(o, name);
    puts_to(o, ": ");
    for (size_t i = 0; list[i]; i++) {
        if (i)
            puts_to(o, ",\r\n ");
        puts_to(o, list[i]);
    }
    puts_to(o, "\r\n");
}

/* ---- Body ---- */

static void soft_break(struct out *o, size_t *column, size_t need)
{
    if (*column + need > LINE - 1) {
        puts_to(o, "=\r\n");
        *column = 0;
    }
    *column += need;
}

static void quoted_printable(struct out *o, const char *text)
{
    size_t column = 0;
    char hex[4];

    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        bool ends_line = p[1] == '\n' || p[1] == '\0' || (p[1] == '\r' && p[2] == '\n');

        if (c == '\n' || (c == '\r' && p[1] == '\n')) {
            if (c == '\n') {
                puts_to(o, "\r\n");
                column = 0;
            }
            continue;
        }
        if (c == '=' || c > 0x7e || (c < 0x20 && c != '\t') || ((c == ' ' || c == '\t') && ends_line)) {
            soft_break(o, &column, 3);
            snprintf(hex, sizeof(hex), "=%02X", c);
            put(o, hex, 3);
        } else {
            soft_break(o, &column, 1);
            put(o, p, 1);
        }
    }
    if (column)
        puts_to(o, "\r\n");
}

/* ---- Attachments ---- */

/* With "=_" in it, which neither quoted-printable nor base64 can hold. */
static void make_boundary(const struct mail *m, char *ret, size_t size)
{
    uint64_t hash = 14695981039346656037u;

    for (const char *p = m->message_id; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 1099511628211u;
    snprintf(ret, size, "=_fettle_%016llx", (unsigned long long)hash);
}

static void part_line(struct out *o, const char *boundary, const char *end)
{
    puts_to(o, "--");
    puts_to(o, boundary);
    puts_to(o, end);
}

static void attached(struct out *o, const struct mail_part *part)
{
    raw_header(o, "Content-Type", part->type);
    puts_to(o, "Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"");
    puts_to(o, part->name);
    puts_to(o, "\"\r\n\r\n");
    for (size_t i = 0; i < part->len; i += 57) {           /* 76 characters a line */
        base64(o, part->bytes + i, part->len - i < 57 ? part->len - i : 57);
        puts_to(o, "\r\n");
    }
}

char *mail_compose(const struct mail *m)
{
    struct out o = { 0 };
    char boundary[40] = "";

    raw_header(&o, "From", m->from);
    addresses(&o, "To", m->to);
    addresses(&o, "Cc", m->cc);
    header(&o, "Subject", m->subject);
    raw_header(&o, "Date", m->date);
    raw_header(&o, "Message-ID", m->message_id);
    if (m->in_reply_to) {
        raw_header(&o, "In-Reply-To", m->in_reply_to);
        raw_header(&o, "References", m->in_reply_to);
    }
    puts_to(&o, "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n");
    if (m->n_parts) {
        make_boundary(m, boundary, sizeof(boundary));
        puts_to(&o, "Content-Type: multipart/mixed; boundary=\"");
        puts_to(&o, boundary);
        puts_to(&o, "\"\r\n\r\n");
        part_line(&o, boundary, "\r\n");
    }
    puts_to(&o, "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n");
    quoted_printable(&o, m->text);
    for (size_t i = 0; i < m->n_parts; i++) {
        part_line(&o, boundary, "\r\n");
        attached(&o, &m->parts[i]);
    }
    if (m->n_parts)
        part_line(&o, boundary, "--\r\n");
    if (o.failed) {
        free(o.text);
        return NULL;
    }
    return o.text;
}

void mail_date(uint64_t wall_ms, char ret[40])
{
    static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    time_t t = (time_t)(wall_ms / 1000);
    struct tm tm = { 0 };

    gmtime_r(&t, &tm);
    snprintf(ret, 40, "%s, %02u %s %u %02u:%02u:%02u +0000", days[tm.tm_wday % 7], (unsigned)tm.tm_mday % 100, months[tm.tm_mon % 12],
             (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
}

bool mail_address_ok(const char *address)
{
    const char *at = strchr(address, '@');
    size_t len = strlen(address);

    if (!at || at == address || !at[1] || strchr(at + 1, '@') || len > 254)
        return false;
    for (const char *p = address; *p; p++) {
        if ((unsigned char)*p <= 0x20 || (unsigned char)*p > 0x7e || strchr("<>,;:\"()[]\\", *p))
            return false;
    }
    return true;
}

bool mail_file_name_ok(const char *name)
{
    if (!name || !isalnum((unsigned char)*name) || strlen(name) > 99)
        return false;
    for (const char *p = name; *p; p++) {
        if (!isalnum((unsigned char)*p) && !strchr("._-", *p))
            return false;
    }
    return true;
}
