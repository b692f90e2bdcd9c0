#include "base/clock.h"
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include "base/util.h"

struct ft_clock {
    bool manual;
    uint64_t wall_us, mono_us;       /* of a manual clock */
};

static struct ft_clock system_clock;

struct ft_clock *ft_clock_system(void)
{
    return &system_clock;
}

struct ft_clock *ft_clock_manual_new(uint64_t wall_ms)
{
    struct ft_clock *clock = ft_calloc(1, sizeof(*clock));

    clock->manual = true;
    clock->wall_us = wall_ms * 1000;
    clock->mono_us = 1000000;        /* not 0: code that takes 0 for "never" behaves as it will in earnest */
    return clock;
}

struct ft_clock *ft_clock_free(struct ft_clock *clock)
{
    if (clock && clock->manual)
        free(clock);
    return NULL;
}

void ft_clock_advance(struct ft_clock *clock, uint64_t us)
{
    if (!clock->manual)
        abort();
    clock->wall_us += us;
    clock->mono_us += us;
}

void ft_clock_set_wall(struct ft_clock *clock, uint64_t wall_ms)
{
    if (!clock->manual)
        abort();
    clock->wall_us = wall_ms * 1000;
}

int ft_clock_is_manual(const struct ft_clock *clock)
{
    return clock->manual;
}

static uint64_t read_us(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t ft_clock_wall_ms(const struct ft_clock *clock)
{
    return (clock->manual ? clock->wall_us : read_us(CLOCK_REALTIME)) / 1000;
}

uint64_t ft_clock_mono_us(const struct ft_clock *clock)
{
    return clock->manual ? clock->mono_us : read_us(CLOCK_MONOTONIC);
}

const char *ft_time_format(uint64_t wall_ms, char *buf, size_t len)
{
    static const uint64_t last = 253402300799999;      /* 9999-12-31T23:59:59.999Z: RFC 3339 has four digits for the year */
    time_t secs;
    struct tm tm;

    wall_ms = ft_min(wall_ms, last);
    secs = (time_t)(wall_ms / 1000);
    gmtime_r(&secs, &tm);
    snprintf(buf, len, "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
             tm.tm_hour, tm.tm_min, tm.tm_sec, (unsigned)(wall_ms % 1000));
    return buf;
}

/* Exactly n digits; moves *text on. -1: there are none. */
static int digits(const char **text, int n)
{
    int value = 0;

    for (; n > 0; n--, (*text)++) {
        if (**text < '0' || **text > '9')
            return -1;
        value = value * 10 + (**text - '0');
    }
    return value;
}

static bool skip(const char **text, const char *any_of)
{
    if (!**text || !strchr(any_of, **text))
        return false;
    (*text)++;
    return true;
}

static int days_in(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return days[month - 1] + (month == 2 && leap);
}

static bool read_date(const char **text, struct tm *ret)
{
    int year = digits(text, 4);
    int month = skip(text, "-") ? digits(text, 2) : -1;
    int day = month >= 1 && month <= 12 && skip(text, "-") ? digits(text, 2) : -1;

    if (year < 0 || day < 1 || day > days_in(year, month))
        return false;
    *ret = (struct tm){ .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day };
    return true;
}

static bool read_time(const char **text, struct tm *ret, int *ret_ms)
{
    int scale = 100;

    ret->tm_hour = digits(text, 2);
    ret->tm_min = skip(text, ":") ? digits(text, 2) : -1;
    ret->tm_sec = skip(text, ":") ? digits(text, 2) : -1;
    if (ret->tm_hour < 0 || ret->tm_hour > 23 || ret->tm_min < 0 || ret->tm_min > 59 || ret->tm_sec < 0 || ret->tm_sec > 60)
        return false;
    *ret_ms = 0;
    if (!skip(text, "."))
        return true;
    if (**text < '0' || **text > '9')
        return false;
    for (; **text >= '0' && **text <= '9'; (*text)++, scale /= 10)
        *ret_ms += (**text - '0') * scale;
    return true;
}

/* "Z" or "+02:00", in seconds to the east. */
static bool read_zone(const char **text, int *ret_secs)
{
    int sign, hours, minutes;

    *ret_secs = 0;
    if (skip(text, "Zz"))
        return true;
    sign = **text == '-' ? -1 : 1;
    if (!skip(text, "+-"))
        return false;
    hours = digits(text, 2);
    minutes = skip(text, ":") ? digits(text, 2) : -1;
    *ret_secs = sign * (hours * 3600 + minutes * 60);
    return hours >= 0 && hours <= 23 && minutes >= 0 && minutes <= 59;
}

int ft_time_parse(const char *text, uint64_t *ret_wall_ms)
{
    bool leap;
    int ms, east;
    time_t secs;
    struct tm tm;

    if (!read_date(&text, &tm) || !skip(&text, "Tt ") || !read_time(&text, &tm, &ms) || !read_zone(&text, &east) || *text)
        return -EINVAL;
    leap = tm.tm_sec == 60;
    secs = timegm(&tm) - east;
    if (leap && secs % 86400 != 0)
        return -EINVAL;                    /* a leap second is the last of a day in UTC */
    if (secs < 0)
        return -ERANGE;
    *ret_wall_ms = (uint64_t)secs * 1000 + (uint64_t)ms;
    return 0;
}
