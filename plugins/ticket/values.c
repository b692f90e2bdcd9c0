/* values.c: what the systems have in common about texts, times and names. */
#include <stdlib.h>
#include <time.h>
#include "ticket.h"

const char *ticket_param(struct ft_call *call, const char *key) { return ft_str(host->params(call), key); }

const char *ticket_base(struct ft_call *call, const struct ticket *st)
{
    const char *url = ft_str(st->config, "url");
    size_t len = strlen(url);

    while (len && url[len - 1] == '/')
        len--;
    return host->printf(call, "%.*s", (int)len, url);
}

const char *ticket_correlation(struct ft_call *call)
{
    return ticket_param(call, "correlation_id") ?: host->printf(call, "fettle-%s", host->run_id(call));
}

/* A note carries a mark by which a probe finds it again. */
const char *ticket_mark(struct ft_call *call, const char *text)
{
    uint32_t hash = 2166136261u;

    for (const char *p = text; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 16777619u;
    return host->printf(call, "(fettle run %s, note %08x)", host->run_id(call), hash);
}

const char *ticket_marked(struct ft_call *call, const char *text)
{
    return text ? host->printf(call, "%s\n\n%s", text, ticket_mark(call, text)) : NULL;
}

const char *ticket_clip(struct ft_call *call, const char *text, size_t bytes, const char *end)
{
    size_t n = bytes;

    if (strlen(text) <= n)
        return text;
    while (n && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;                                          /* not in the middle of a character */
    return host->printf(call, "%.*s\n%s", (int)n, text, end);
}

const char *ticket_quoted(struct ft_call *call, const char *text, const char *special, char escape)
{
    char *safe = host->alloc(call, strlen(text) * 2 + 1), *to = safe;

    for (; *text; text++) {
        if (strchr(special, *text))
            *to++ = escape;
        *to++ = *text;
    }
    *to = '\0';
    return safe;
}

/* "2026-11-21 02:13:05", "2026-11-21T02:13:05.123+0100", "2026-11-21T02:13:05Z" */
json_t *ticket_time(const char *text)
{
    int year, month, day, hour, minute, second, n = 0, off_hour = 0, off_minute = 0;
    struct tm tm = { 0 };
    char stamp[32], sign = '+';
    time_t t;

    if (!text || sscanf(text, "%4d-%2d-%2d%*1[T ]%2d:%2d:%2d%n", &year, &month, &day, &hour, &minute, &second, &n) != 6 || n == 0)
        return json_null();
    text += n;
    if (*text == '.')
        text += 1 + strspn(text + 1, "0123456789");
    if (*text == '+' || *text == '-') {
        sign = *text;
        if (sscanf(text + 1, "%2d:%2d", &off_hour, &off_minute) != 2 && sscanf(text + 1, "%2d%2d", &off_hour, &off_minute) != 2)
            return json_null();
    }
    if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60 || hour < 0 || minute < 0 || second < 0)
        return json_null();
    tm = (struct tm){ .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = hour, .tm_min = minute, .tm_sec = second };
    t = timegm(&tm) - (sign == '-' ? -1 : 1) * (off_hour * 3600 + off_minute * 60);
    if (t <= 0)                                       /* Request Tracker's "never" is 1970 */
        return json_null();
    gmtime_r(&t, &tm);
    strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm);
    return json_string(stamp);
}

/* config[map][key] as text, whether it stands there as text or as a number. */
const char *ticket_mapped(const struct ticket *st, const char *map, const char *key)
{
    return ft_str(ft_get(st->config, map), key);
}

const char *ticket_unmapped(const struct ticket *st, const char *map, const char *value)
{
    const char *key;
    json_t *mapped;

    json_object_foreach((json_t *)ft_get(st->config, map), key, mapped) {
        if (value && json_is_string(mapped) && strcasecmp(json_string_value(mapped), value) == 0)
            return key;
    }
    return NULL;
}

const char *ticket_word_in(const char *text, const char *const *words)
{
    for (; text && *words; words++) {
        if (strcasestr(text, *words))
            return *words;
    }
    return NULL;
}

char *ticket_base64(const char *bytes, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = malloc(len / 3 * 4 + 5), *to = text;

    for (size_t i = 0; text && i < len; i += 3) {
        unsigned a = (unsigned char)bytes[i], b = i + 1 < len ? (unsigned char)bytes[i + 1] : 0, c = i + 2 < len ? (unsigned char)bytes[i + 2] : 0;

        *to++ = digits[a >> 2];
        *to++ = digits[(a & 3) << 4 | b >> 4];
        *to++ = i + 1 < len ? digits[(b & 15) << 2 | c >> 6] : '=';
        *to++ = i + 2 < len ? digits[c & 63] : '=';
    }
    if (text)
        *to = '\0';
    return text;
}

const char *ticket_field_for(const struct ticket *st, const char *param) { return ticket_mapped(st, "field_names", param); }
