/* zone.c: TZif files (RFC 8536), version 2 and later: their transitions, and the rule behind the last of them. */
#include "base/zone.h"
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include "base/util.h"

#define FOLDER "/usr/share/zoneinfo"
#define DAY 86400

enum { FILE_MAX = 256 * 1024 };

/* When a year's change comes: Mm.w.d, Jn (leap days not counted) or n. */
struct change { char kind; int month, week, day; int32_t at; };

struct rule {
    bool known, has_dst;
    int32_t offset, dst_offset;
    char abbr[16], dst_abbr[16];
    struct change start, end;
};

struct kind { int32_t offset; char abbr[16]; };

struct ft_zone {
    char *name;
    int64_t *at;                      /* of each transition, ascending */
    unsigned char *to;                /* which kind holds from then on */
    size_t count;
    struct kind kinds[256];
    size_t kind_count;
    struct rule rule;
};

/* ---- the calendar */

int64_t ft_days_from(int64_t y, int m, int d)
{
    int64_t era, yoe, doy;

    y -= m <= 2;
    era = (y >= 0 ? y : y - 399) / 400;
    yoe = y - era * 400;
    doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static int64_t year_of(int64_t seconds)
{
    time_t t = seconds;
    struct tm tm = { 0 };

    return gmtime_r(&t, &tm) ? tm.tm_year + 1900 : 1970;
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Local seconds of a change in a year. */
static int64_t change_at(const struct change *c, int64_t year)
{
    int64_t day = ft_days_from(year, 1, 1);

    if (c->kind == 'J') {
        day += c->day - 1 + (is_leap(year) && c->day >= 60);
    } else if (c->kind == 'n') {
        day += c->day;
    } else {
        int64_t first = ft_days_from(year, c->month, 1), next = ft_days_from(year + (c->month == 12), c->month % 12 + 1, 1);
        int weekday = (int)(((first + 4) % 7 + 7) % 7);

        day = first + (c->day - weekday + 7) % 7 + (c->week - 1) * 7;
        while (day >= next)
            day -= 7;
    }
    return day * DAY + c->at;
}

/* ---- the rule behind the table: "CET-1CEST,M3.5.0,M10.5.0/3" */

static const char *read_abbr(const char *s, char *ret, size_t size)
{
    const char *end;
    bool quoted = *s == '<';

    s += quoted;
    for (end = s; quoted ? *end && *end != '>' : (*end >= 'A' && *end <= 'Z') || (*end >= 'a' && *end <= 'z'); end++)
        ;
    if (end == s || (size_t)(end - s) >= size || (quoted && *end != '>'))
        return NULL;
    snprintf(ret, size, "%.*s", (int)(end - s), s);
    return end + quoted;
}

static const char *read_number(const char *s, int max, int *ret)
{
    int value = 0;

    if (*s < '0' || *s > '9')
        return NULL;
    for (; *s >= '0' && *s <= '9'; s++)
        if ((value = value * 10 + *s - '0') > max)
            return NULL;
    *ret = value;
    return s;
}

/* "[+-]hh[:mm[:ss]]" */
static const char *read_time(const char *s, int32_t *ret)
{
    int part[3] = { 0 };
    bool minus = *s == '-';

    s += *s == '-' || *s == '+';
    for (int i = 0; i < 3; i++) {
        s = read_number(s, i ? 59 : 167, &part[i]);
        if (!s)
            return NULL;
        if (*s != ':')
            break;
        s += i < 2;
    }
    *ret = part[0] * 3600 + part[1] * 60 + part[2];
    *ret = minus ? -*ret : *ret;
    return s;
}

static const char *read_change(const char *s, struct change *ret)
{
    ret->at = 2 * 3600;
    if (*s == 'M') {
        ret->kind = 'M';
        s = read_number(s + 1, 12, &ret->month);
        s = s && *s == '.' ? read_number(s + 1, 5, &ret->week) : NULL;
        s = s && *s == '.' ? read_number(s + 1, 6, &ret->day) : NULL;
        if (!s || ret->month < 1 || ret->week < 1)
            return NULL;
    } else if (*s == 'J') {
        ret->kind = 'J';
        s = read_number(s + 1, 365, &ret->day);
        if (!s || ret->day < 1)
            return NULL;
    } else {
        ret->kind = 'n';
        s = read_number(s, 365, &ret->day);
    }
    return s && *s == '/' ? read_time(s + 1, &ret->at) : s;
}

static bool read_rule(const char *s, struct rule *ret)
{
    memset(ret, 0, sizeof(*ret));
    s = read_abbr(s, ret->abbr, sizeof(ret->abbr));
    s = s ? read_time(s, &ret->offset) : NULL;
    if (!s)
        return false;
    ret->offset = -ret->offset;                       /* POSIX counts west */
    ret->known = true;
    if (!*s)
        return true;
    ret->has_dst = true;
    s = read_abbr(s, ret->dst_abbr, sizeof(ret->dst_abbr));
    ret->dst_offset = ret->offset + 3600;
    if (s && *s && *s != ',') {
        s = read_time(s, &ret->dst_offset);
        ret->dst_offset = -ret->dst_offset;
    }
    s = s && *s == ',' ? read_change(s + 1, &ret->start) : NULL;
    s = s && *s == ',' ? read_change(s + 1, &ret->end) : NULL;
    ret->known = s && !*s;
    return ret->known;
}

static int32_t rule_offset(const struct rule *rule, int64_t utc, const char **ret_abbr)
{
    bool dst = false;

    if (rule->has_dst) {
        int64_t year = year_of(utc + rule->offset), start = change_at(&rule->start, year) - rule->offset, end = change_at(&rule->end, year) - rule->dst_offset;

        dst = start < end ? utc >= start && utc < end : utc < end || utc >= start;
    }
    if (ret_abbr)
        *ret_abbr = dst ? rule->dst_abbr : rule->abbr;
    return dst ? rule->dst_offset : rule->offset;
}

/* ---- the file */

struct bytes { const unsigned char *at, *end; };

static bool take(struct bytes *in, size_t len, const unsigned char **ret)
{
    if ((size_t)(in->end - in->at) < len)
        return false;
    *ret = in->at;
    in->at += len;
    return true;
}

static int64_t number(const unsigned char *at, int len)
{
    uint64_t value = at[0] & 0x80 ? ~0ull : 0;

    for (int i = 0; i < len; i++)
        value = value << 8 | at[i];
    return (int64_t)value;
}

struct counts { size_t utc, std, leap, time, type, chars; };

static bool read_header(struct bytes *in, struct counts *ret)
{
    const unsigned char *h;

    if (!take(in, 44, &h) || memcmp(h, "TZif", 4) != 0 || h[4] < '2')
        return false;
    *ret = (struct counts){ (size_t)(uint32_t)number(h + 20, 4), (size_t)(uint32_t)number(h + 24, 4), (size_t)(uint32_t)number(h + 28, 4),
                            (size_t)(uint32_t)number(h + 32, 4), (size_t)(uint32_t)number(h + 36, 4), (size_t)(uint32_t)number(h + 40, 4) };
    return ret->utc < FILE_MAX && ret->std < FILE_MAX && ret->leap < FILE_MAX && ret->time < FILE_MAX && ret->type <= 256 && ret->type > 0 && ret->chars < FILE_MAX;
}

static bool read_kinds(struct ft_zone *zone, const unsigned char *types, const char *chars, const struct counts *n)
{
    for (size_t i = 0; i < n->type; i++) {
        const unsigned char *t = types + i * 6;

        if (t[5] >= n->chars)
            return false;
        zone->kinds[i].offset = (int32_t)number(t, 4);
        snprintf(zone->kinds[i].abbr, sizeof(zone->kinds[i].abbr), "%.*s", (int)strnlen(chars + t[5], n->chars - t[5]), chars + t[5]);
    }
    zone->kind_count = n->type;
    return true;
}

static bool read_body(struct ft_zone *zone, struct bytes in)
{
    const unsigned char *skip, *times, *to, *types, *chars, *rest;
    struct counts n;
    char rule[128];
    size_t len;

    if (!read_header(&in, &n) || !take(&in, n.time * 5 + n.type * 6 + n.chars + n.leap * 8 + n.std + n.utc, &skip) || !read_header(&in, &n))
        return false;
    if (!take(&in, n.time * 8, &times) || !take(&in, n.time, &to) || !take(&in, n.type * 6, &types) || !take(&in, n.chars, &chars) ||
        !take(&in, n.leap * 12 + n.std + n.utc, &skip) || !take(&in, 1, &rest) || !read_kinds(zone, types, (const char *)chars, &n))
        return false;
    zone->at = ft_calloc(n.time + 1, sizeof(*zone->at));
    zone->to = ft_calloc(n.time + 1, 1);
    zone->count = n.time;
    for (size_t i = 0; i < n.time; i++) {
        zone->at[i] = number(times + i * 8, 8);
        zone->to[i] = to[i];
        if (to[i] >= n.type || (i && zone->at[i] < zone->at[i - 1]))
            return false;
    }
    len = (size_t)(in.end - in.at);
    if (len < 1 || len > sizeof(rule) || in.end[-1] != '\n')
        return false;
    snprintf(rule, sizeof(rule), "%.*s", (int)len - 1, (const char *)in.at);
    return !*rule || read_rule(rule, &zone->rule);
}

static bool name_ok(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len < 64 && *name != '/' && *name != '.' && !strstr(name, "..") &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/.") == len;
}

static int load(struct ft_zone *zone, const char *path)
{
    unsigned char *bytes = ft_calloc(1, FILE_MAX);
    FILE *file = fopen(path, "re");
    size_t len = 0;
    struct stat st;
    int r = -ENOENT;

    if (file && fstat(fileno(file), &st) == 0 && S_ISREG(st.st_mode)) {
        len = fread(bytes, 1, FILE_MAX, file);
        r = len > 0 && len < FILE_MAX && read_body(zone, (struct bytes){ bytes, bytes + len }) ? 0 : -EBADMSG;
    }
    if (file)
        fclose(file);
    free(bytes);
    return r;
}

/* $TZ as ":Area/City", "Area/City" or a rule; else the machine's. */
static int open_own(struct ft_zone *zone)
{
    const char *tz = getenv("TZ");
    char path[128];

    if (!tz || !*tz)
        return load(zone, "/etc/localtime") == 0 ? 0 : read_rule("UTC0", &zone->rule) ? 0 : -EBADMSG;
    tz += *tz == ':';
    snprintf(path, sizeof(path), FOLDER "/%s", tz);
    if (name_ok(tz) && load(zone, path) == 0)
        return 0;
    return read_rule(tz, &zone->rule) ? 0 : -ENOENT;
}

int ft_zone_open(const char *name, struct ft_zone **ret, struct ft_err *reterr)
{
    struct ft_zone *zone = ft_calloc(1, sizeof(*zone));
    char path[128];
    int r;

    if (!name) {
        r = open_own(zone);
    } else if (ft_streq(name, "UTC")) {
        r = read_rule("UTC0", &zone->rule) ? 0 : -EBADMSG;
    } else {
        snprintf(path, sizeof(path), FOLDER "/%s", name);
        r = name_ok(name) ? load(zone, path) : -ENOENT;
    }
    if (r < 0) {
        ft_zone_free(zone);
        return ft_err_set(reterr, r, r == -ENOENT ? "there is no time zone '%s' on this machine; write it as Europe/Zurich or UTC" : "the machine's file of the time zone '%s' cannot be read",
                          name ? name : getenv("TZ"));
    }
    zone->name = ft_strdup(name ? name : "local");
    *ret = zone;
    return 0;
}

struct ft_zone *ft_zone_free(struct ft_zone *zone)
{
    if (!zone)
        return NULL;
    free(zone->name);
    free(zone->at);
    free(zone->to);
    free(zone);
    return NULL;
}

const char *ft_zone_name(const struct ft_zone *zone)
{
    return zone->name;
}

/* ---- from UTC and back */

int32_t ft_zone_offset(const struct ft_zone *zone, int64_t utc, const char **ret_abbr)
{
    size_t low = 0, high = zone->count;
    const struct kind *kind;

    while (low < high) {                              /* the first transition that is later */
        size_t middle = (low + high) / 2;

        if (zone->at[middle] <= utc)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == zone->count && zone->rule.known)
        return rule_offset(&zone->rule, utc, ret_abbr);
    kind = &zone->kinds[low ? zone->to[low - 1] : 0];
    if (ret_abbr)
        *ret_abbr = kind->abbr;
    return kind->offset;
}

int ft_zone_utc(const struct ft_zone *zone, int64_t local, int64_t *ret_first, int64_t *ret_last)
{
    int64_t before = local - ft_zone_offset(zone, local - DAY, NULL), after = local - ft_zone_offset(zone, local + DAY, NULL);
    bool before_ok = before + ft_zone_offset(zone, before, NULL) == local, after_ok = after + ft_zone_offset(zone, after, NULL) == local;
    int64_t low, high;

    if (before_ok || after_ok) {
        *ret_first = before_ok && after_ok ? ft_min(before, after) : before_ok ? before : after;
        *ret_last = before_ok && after_ok ? ft_max(before, after) : *ret_first;
        return *ret_first == *ret_last ? 1 : 2;
    }
    low = ft_min(before, after) - 1;                  /* the wall shows less */
    high = ft_max(before, after);                     /* and more */
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;

        if (middle + ft_zone_offset(zone, middle, NULL) < local)
            low = middle;
        else
            high = middle;
    }
    *ret_first = *ret_last = high;
    return 0;
}

/* ---- words */

const char *ft_zone_format(const struct ft_zone *zone, uint64_t wall_ms, char *buf, size_t len)
{
    const char *abbr = "";
    time_t local = (time_t)(wall_ms / 1000);
    struct tm tm = { 0 };
    char text[40];

    local += ft_zone_offset(zone, local, &abbr);
    gmtime_r(&local, &tm);
    strftime(text, sizeof(text), "%a %Y-%m-%d %H:%M", &tm);
    snprintf(buf, len, "%s %s", text, abbr);
    return buf;
}

int ft_local_parse(const char *text, int64_t *ret, bool *ret_date)
{
    static const int days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int year, month, day, hour = 0, minute = 0, second = 0, used = 0, rest = 0;

    if (sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &used) != 3 || used != 10 || year < 1970 || year > 9999 || month < 1 || month > 12)
        return -EINVAL;
    if (day < 1 || day > days[month - 1] || (month == 2 && day == 29 && !is_leap(year)))
        return -EINVAL;
    if (ret_date)
        *ret_date = !text[used];
    if (text[used]) {
        const char *clock = text + used + 1;

        if ((text[used] != 'T' && text[used] != ' ') || sscanf(clock, "%2d:%2d%n", &hour, &minute, &rest) != 2 || rest != 5)
            return -EINVAL;
        if (clock[rest] && (sscanf(clock + rest, ":%2d%n", &second, &used) != 1 || used != 3 || clock[rest + 3]))
            return -EINVAL;
        if (hour < 0 || hour > 24 || minute < 0 || minute > 59 || second < 0 || second > 59 || (hour == 24 && (minute || second)))
            return -EINVAL;
    }
    *ret = ft_days_from(year, month, day) * DAY + hour * 3600 + minute * 60 + second;
    return 0;
}
