#include "base/text.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <wchar.h>
#include "base/util.h"

#define DURATION_MAX_MS ((uint64_t)366 * 86400 * 1000)

/* ---- Durations --------------------------------------------------------------------------------------------------- */

static uint64_t unit_ms(const char *unit)
{
    static const struct { const char *name; uint64_t ms; } units[] = {
        { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 }, { "w", 604800000 },
    };

    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (strcmp(unit, units[i].name) == 0)
            return units[i].ms;
    return 0;
}

int ft_duration_parse(const char *text, uint64_t *ret_ms)
{
    const char *at = text + strspn(text, "0123456789");
    const char *fraction = *at == '.' ? at + 1 : NULL;
    const char *unit = fraction ? fraction + strspn(fraction, "0123456789") : at;
    uint64_t ms_per_unit = unit_ms(unit), whole = 0, part;

    if (at == text || unit == fraction || ms_per_unit == 0)
        return -EINVAL;
    for (; text < at; text++) {
        whole = whole * 10 + (uint64_t)(*text - '0');
        if (whole > DURATION_MAX_MS / ms_per_unit)
            return -ERANGE;
    }
    whole *= ms_per_unit;
    part = ms_per_unit;                      /* what one digit of the fraction counts, from the left */
    for (; fraction && fraction < unit; fraction++) {
        if (*fraction != '0' && (part < 10 || part % 10 != 0))
            return -EINVAL;                  /* finer than a millisecond */
        part /= 10;
        whole += part * (uint64_t)(*fraction - '0');
    }
    if (whole > DURATION_MAX_MS)
        return -ERANGE;
    *ret_ms = whole;
    return 0;
}

const char *ft_duration_format(uint64_t ms, char *buf, size_t len)
{
    uint64_t secs = ms / 1000 + (ms % 1000 >= 500);
    uint64_t mins = secs / 60 + (secs % 60 >= 30);
    uint64_t hours = mins / 60 + (mins % 60 >= 30);
    unsigned long long big, small;
    const char *units[2];

    if (ms < 1000) {
        snprintf(buf, len, "%u ms", (unsigned)ms);
        return buf;
    }
    if (secs < 60) {
        snprintf(buf, len, "%u s", (unsigned)secs);
        return buf;
    }
    if (secs < 3600) {
        big = secs / 60; small = secs % 60;
        units[0] = "min"; units[1] = "s";
    } else if (mins < 24 * 60) {
        big = mins / 60; small = mins % 60;
        units[0] = "h"; units[1] = "min";
    } else {
        big = hours / 24; small = hours % 24;
        units[0] = "d"; units[1] = "h";
    }
    if (small)
        snprintf(buf, len, "%llu %s %llu %s", big, units[0], small, units[1]);
    else
        snprintf(buf, len, "%llu %s", big, units[0]);
    return buf;
}

/* ---- Addresses --------------------------------------------------------------------------------------------------- */

int ft_mac_normalise(const char *text, char ret[18])
{
    size_t group = strspn(text, "0123456789abcdefABCDEF");
    char separator = text[group], mac[18];
    size_t len = 0, in_group = 0;

    if ((group != 2 && group != 4 && group != 6 && group != 12) || (separator && !strchr(":-.", separator)))
        return -EINVAL;
    for (; *text; text++) {
        if (in_group == group) {
            if (*text != separator)
                return -EINVAL;
            in_group = 0;
            continue;
        }
        if (!isxdigit((unsigned char)*text) || len == 17)
            return -EINVAL;
        if (len % 3 == 2)
            mac[len++] = ':';
        mac[len++] = (char)tolower((unsigned char)*text);
        in_group++;
    }
    if (len != 17 || in_group != group)
        return -EINVAL;
    memcpy(ret, mac, len);
    ret[len] = '\0';
    return 0;
}

/* 4 or 6 with the address in bytes, or -EINVAL. */
static int read_ip(const char *text, unsigned char bytes[16])
{
    if (inet_pton(AF_INET, text, bytes) == 1)
        return 4;
    if (inet_pton(AF_INET6, text, bytes) == 1)
        return 6;
    return -EINVAL;
}

int ft_ip_check(const char *text)
{
    unsigned char bytes[16];

    return read_ip(text, bytes);
}

/* "0" to "128", no sign, no leading zero; -EINVAL. */
static int read_prefix(const char *text)
{
    size_t len = strspn(text, "0123456789");

    if (len == 0 || len > 3 || text[len] || (len > 1 && text[0] == '0'))
        return -EINVAL;
    return atoi(text);
}

int ft_cidr_check(const char *text)
{
    char address[INET6_ADDRSTRLEN];
    unsigned char bytes[16];
    const char *slash = strchr(text, '/');
    int family, prefix, bits;

    if (!slash || (size_t)(slash - text) >= sizeof(address))
        return -EINVAL;
    memcpy(address, text, (size_t)(slash - text));
    address[slash - text] = '\0';
    family = read_ip(address, bytes);
    prefix = read_prefix(slash + 1);
    bits = family == 4 ? 32 : 128;
    if (family < 0 || prefix < 0 || prefix > bits)
        return -EINVAL;
    for (int i = prefix; i < bits; i++)
        if (bytes[i / 8] >> (7 - i % 8) & 1)
            return -EINVAL;
    return family;
}

/* ---- Names ------------------------------------------------------------------------------------------------------- */

bool ft_name_ok(const char *name)
{
    static const char *const lua_words[] = {
        "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local", "nil", "not", "or",
        "repeat", "return", "then", "true", "until", "while",
    };

    if (*name < 'a' || *name > 'z' || name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")])
        return false;
    for (size_t i = 0; i < ARRAY_LEN(lua_words); i++)
        if (strcmp(name, lua_words[i]) == 0)
            return false;
    return true;
}

enum { SUGGEST_MAX = 64 };     /* longer names are not slips of the fingers, and the table below stays small */

static char folded(char c)
{
    return c == '-' ? '_' : (char)tolower((unsigned char)c);
}

/* Damerau-Levenshtein: insert, delete, replace, swap two neighbours. Case and '-' for '_' cost nothing here. */
static size_t slips(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][SUGGEST_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *row = rows[2];

    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *oldest = before;

        before = last;
        last = row;
        row = oldest;
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            char x = folded(a[i - 1]), y = folded(b[j - 1]);

            row[j] = ft_min(ft_min(last[j], row[j - 1]) + 1, last[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == folded(b[j - 2]) && folded(a[i - 2]) == y)
                row[j] = ft_min(row[j], before[j - 2] + 1);
        }
    }
    return row[b_len];
}

const char *ft_suggest(const char *name, const char *const *names)
{
    size_t len = strlen(name), allowed = ft_max((size_t)1, len / 3);
    size_t nearest = SIZE_MAX;
    const char *found = NULL;

    if (len > SUGGEST_MAX)
        return NULL;
    for (; *names; names++) {
        size_t other = strlen(*names), distance;

        if (other > SUGGEST_MAX || strcmp(name, *names) == 0)
            continue;
        distance = slips(name, len, *names, other);
        if (distance > allowed || (distance && distance >= ft_max(len, other)))     /* nothing in common */
            continue;
        if (distance < nearest) {
            nearest = distance;
            found = *names;
        }
    }
    return found;
}

/* ---- UTF-8 ------------------------------------------------------------------------------------------------------- */

/* Bytes of the character at text, which has len > 0 left; 0 when it is not UTF-8 (overlong, surrogate, cut off). */
static size_t utf8_char(const unsigned char *text, size_t len, uint32_t *ret)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t n = text[0] < 0x80 ? 1 : text[0] >> 5 == 6 ? 2 : text[0] >> 4 == 14 ? 3 : text[0] >> 3 == 30 ? 4 : 0;

    if (n == 0 || n > len)
        return 0;
    *ret = n == 1 ? text[0] : text[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if (text[i] >> 6 != 2)
            return 0;
        *ret = *ret << 6 | (text[i] & 0x3f);
    }
    return *ret < least[n] || *ret > 0x10ffff || (*ret >= 0xd800 && *ret <= 0xdfff) ? 0 : n;
}

bool ft_utf8_valid(const char *text, size_t len)
{
    uint32_t c;

    for (size_t at = 0, n; at < len; at += n) {
        n = utf8_char((const unsigned char *)text + at, len - at, &c);
        if (n == 0)
            return false;
    }
    return true;
}

/* wcwidth() by Unicode's tables, whatever locale the program runs in. */
static size_t char_width(uint32_t c)
{
    static locale_t unicode;
    locale_t before;
    int width;

    if (c < 0x7f)
        return 1;
    if (!unicode)
        unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (!unicode)
        return 1;
    before = uselocale(unicode);
    width = wcwidth((wchar_t)c);
    uselocale(before);
    return width < 0 ? 1 : (size_t)width;
}

size_t ft_text_width(const char *text, size_t len)
{
    size_t width = 0;
    uint32_t c;

    for (size_t at = 0, n; at < len; at += ft_max(n, (size_t)1)) {
        n = utf8_char((const unsigned char *)text + at, len - at, &c);
        width += n ? char_width(c) : 1;
    }
    return width;
}
