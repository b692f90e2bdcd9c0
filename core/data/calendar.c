/* calendar.c: what happens again and again, as spans. */
#include <dlfcn.h>
#include <time.h>
#include "data/calendar_parts.h"

#define LIBRARY "libical.so.3"

const struct ical *ical_load(struct ft_err *reterr)
{
    static struct ical lib;
    static bool loaded;
    void *library;

    if (loaded)
        return &lib;
    library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        ft_err_set(reterr, -ENOENT, "recurring windows and .ics files need %s: %s; install the package libical3", LIBRARY, dlerror());
        return NULL;
    }
#define LOAD(name) \
    if (!(lib.name = (typeof(name) *)dlsym(library, #name))) { \
        ft_err_set(reterr, -ENOSYS, "%s has no %s: 3.0 or newer is needed", LIBRARY, #name); \
        return NULL; \
    }
    ICAL_FUNCTIONS(LOAD)
#undef LOAD
    lib.icalerror_set_errors_are_fatal(0);
    loaded = true;
    return &lib;
}

/* ---- local time */

int64_t calendar_local(const struct icaltimetype *t)
{
    return ft_days_from(t->year, t->month, t->day) * DAY_S + (t->is_date ? 0 : t->hour * 3600 + t->minute * 60 + t->second);
}

static struct icaltimetype floating(int64_t local, bool is_date)
{
    time_t at = (time_t)local;
    struct tm tm = { 0 };

    gmtime_r(&at, &tm);
    return (struct icaltimetype){
        .year = tm.tm_year + 1900, .month = tm.tm_mon + 1, .day = tm.tm_mday, .hour = is_date ? 0 : tm.tm_hour, .minute = is_date ? 0 : tm.tm_min,
        .second = is_date ? 0 : tm.tm_sec, .is_date = is_date,
    };
}

void wall_utc(const struct wall *wall, int64_t local, int64_t *ret_first, int64_t *ret_last)
{
    *ret_first = *ret_last = local;
    if (wall->zone) {
        ft_zone_utc(wall->zone, local, ret_first, ret_last);
    } else if (wall->own) {
        struct icaltimetype t = floating(local, false);

        *ret_first = *ret_last = local - ical_load(NULL)->icaltimezone_get_utc_offset(wall->own, &t, NULL);
    }
}

/* ---- one happening as spans */

struct spreading {
    const struct ft_calendar *calendar;
    const struct happening *h;
    int64_t from, to;                 /* ms */
    struct ft_spans *spans;
};

static bool is_left_out(const struct happening *h, int64_t local)
{
    for (size_t i = 0; i < h->left_out_count; i++) {
        const struct moment *m = &h->left_out[i];

        if (m->is_date ? m->at <= local && local < m->at + DAY_S : m->at == local)
            return true;
    }
    return false;
}

static void spread(const struct spreading *s, int64_t local, int64_t length)
{
    const struct happening *h = s->h;
    int64_t from, to, first, last;

    wall_utc(&h->wall, local, &first, &last);
    from = first;
    if (h->nominal) {
        wall_utc(&h->wall, local + length, &first, &last);
        to = s->calendar->wide ? last : first;
    } else {
        to = from + length;
    }
    from *= 1000;
    to *= 1000;
    if (from < s->to && to > s->from)
        ft_spans_add(s->spans, from, to);
}

static int too_many(struct ft_err *reterr)
{
    return ft_err_set(reterr, -E2BIG, "it happens more than %d times in the time that was looked at", CALENDAR_SPANS_MAX);
}

static int repeat(const struct spreading *s, struct ft_err *reterr)
{
    const struct happening *h = s->h;
    const struct ical *lib = ical_load(reterr);
    icalrecur_iterator *it;
    unsigned steps = 0, kept = 0;
    int64_t begin = s->from / 1000 - h->length - 3 * DAY_S, end = s->to / 1000 + 3 * DAY_S;
    int r = 0;

    if (!lib)
        return -ENOENT;
    it = lib->icalrecur_iterator_new(h->rule, floating(h->start, h->is_date));
    if (!it)
        return ft_err_set(reterr, -EINVAL, "the recurrence rule cannot be followed");
    if (h->rule.count == 0 && begin > h->start)
        lib->icalrecur_iterator_set_start(it, floating(begin - begin % DAY_S, h->is_date));
    while (r == 0) {
        struct icaltimetype t = lib->icalrecur_iterator_next(it);
        int64_t local;

        if (lib->icaltime_is_null_time(t) || (local = calendar_local(&t)) > end)
            break;
        if (++steps > CALENDAR_WALK_MAX || kept > CALENDAR_SPANS_MAX) {
            r = too_many(reterr);
        } else if (local >= begin && !is_left_out(h, local)) {
            kept++;
            spread(s, local, h->length);
        }
    }
    lib->icalrecur_iterator_free(it);
    return r;
}

int ft_calendar_spans(const struct ft_calendar *calendar, int64_t from, int64_t to, struct ft_spans *ret, struct ft_err *reterr)
{
    int r = 0;

    for (size_t i = 0; i < calendar->count && r == 0; i++) {
        const struct happening *h = &calendar->items[i];
        struct spreading s = { calendar, h, from, to, ret };

        if (h->repeats)
            r = repeat(&s, reterr);
        else if (!is_left_out(h, h->start))
            spread(&s, h->start, h->length);
        for (size_t j = 0; j < h->extra_count && r == 0; j++)
            if (!is_left_out(h, h->extra[j].at))
                spread(&s, h->extra[j].at, h->extra[j].length >= 0 ? h->extra[j].length : h->length);
        if (ret->count > CALENDAR_SPANS_MAX)
            r = too_many(reterr);
    }
    return r;
}

/* ---- rules of our own */

static int calendar_rule_ok(const struct icalrecurrencetype *rule, struct ft_err *reterr)
{
    if (rule->freq == ICAL_NO_RECURRENCE)
        return ft_err_set(reterr, -EINVAL, "it is no recurrence rule; write FREQ=WEEKLY;BYDAY=SU or FREQ=MONTHLY;BYDAY=1SA");
    if (rule->freq == ICAL_SECONDLY_RECURRENCE || rule->freq == ICAL_MINUTELY_RECURRENCE || rule->freq == ICAL_HOURLY_RECURRENCE)
        return ft_err_set(reterr, -EINVAL, "FREQ is finer than a day; DAILY, WEEKLY, MONTHLY and YEARLY are what windows take");
    if (rule->by_hour[0] != ICAL_RECURRENCE_ARRAY_MAX || rule->by_minute[0] != ICAL_RECURRENCE_ARRAY_MAX || rule->by_second[0] != ICAL_RECURRENCE_ARRAY_MAX)
        return ft_err_set(reterr, -EINVAL, "BYHOUR, BYMINUTE and BYSECOND are not read; the hours are said beside the rule");
    if (rule->by_week_no[0] != ICAL_RECURRENCE_ARRAY_MAX)      /* libical finds a 53rd week in years that have none */
        return ft_err_set(reterr, -EINVAL, "BYWEEKNO is not read; write BYMONTH, BYDAY or BYYEARDAY");
    return 0;
}

int calendar_rule_settle(struct happening *h, struct ft_err *reterr)
{
    const struct ical *lib = ical_load(reterr);
    icalrecur_iterator *it;
    int r = calendar_rule_ok(&h->rule, reterr);

    if (r < 0)
        return r;
    if (!h->is_date && h->rule.until.is_date && !lib->icaltime_is_null_time(h->rule.until)) {      /* until the end of that day */
        h->rule.until.is_date = 0;
        h->rule.until.hour = 23;
        h->rule.until.minute = h->rule.until.second = 59;
    }
    /* One that never happens would hold nothing. libical takes some that it cannot follow (DAILY with BYMONTHDAY=-1) for such, too. */
    it = lib->icalrecur_iterator_new(h->rule, floating(h->start, h->is_date));
    h->repeats = it && !lib->icaltime_is_null_time(lib->icalrecur_iterator_next(it));
    if (it)
        lib->icalrecur_iterator_free(it);
    return h->repeats ? 0 : ft_err_set(reterr, -EINVAL, "there is no day that it means; days of a month are written with FREQ=MONTHLY");
}

static struct ft_calendar *one_happening(const struct ft_zone *zone, int64_t start, int64_t length)
{
    struct ft_calendar *calendar = ft_calloc(1, sizeof(*calendar));

    calendar->items = ft_calloc(1, sizeof(*calendar->items));
    calendar->count = 1;
    calendar->items[0] = (struct happening){ .wall = { zone, NULL }, .start = start, .length = length, .nominal = true };
    return calendar;
}

int ft_calendar_once(int64_t from, int64_t to, const struct ft_zone *zone, struct ft_calendar **ret, struct ft_err *reterr)
{
    if (from >= to)
        return ft_err_set(reterr, -EINVAL, "it ends before it begins");
    *ret = one_happening(zone, from, to - from);
    return 0;
}

/* Misspelt parts are ignored by libical: BYDY=SU would be every week on the day of the start. */
static int check_parts(const char *rrule, struct ft_err *reterr)
{
    static const char *const parts[] = { "FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYYEARDAY", "BYWEEKNO", "BYSETPOS", "WKST",
                                         "BYHOUR", "BYMINUTE", "BYSECOND" };
    unsigned seen = 0;

    for (const char *at = rrule; *at;) {
        size_t len = strcspn(at, ";"), name = strcspn(at, "=;"), i;

        for (i = 0; i < ARRAY_LEN(parts); i++)
            if (strlen(parts[i]) == name && strncasecmp(parts[i], at, name) == 0)
                break;
        if (i == ARRAY_LEN(parts) || name + 1 >= len)
            return ft_err_set(reterr, -EINVAL, "'%.*s' is no part of a recurrence rule; write FREQ=WEEKLY;BYDAY=SU or FREQ=MONTHLY;BYDAY=1SA", (int)len, at);
        if (seen & 1u << i)
            return ft_err_set(reterr, -EINVAL, "%s stands there twice", parts[i]);
        seen |= 1u << i;
        at += len + (at[len] == ';');
    }
    return seen & 1 ? 0 : ft_err_set(reterr, -EINVAL, "it has no FREQ; write FREQ=WEEKLY;BYDAY=SU or FREQ=MONTHLY;BYDAY=1SA");
}

int ft_calendar_rule(const char *rrule, int64_t starts, int32_t from_s, int32_t to_s, const struct ft_zone *zone, struct ft_calendar **ret, struct ft_err *reterr)
{
    const struct ical *lib = ical_load(reterr);
    struct ft_calendar *calendar;
    int r;

    if (!lib)
        return -ENOENT;
    if (strlen(rrule) > 500)
        return ft_err_set(reterr, -EINVAL, "a recurrence rule of over 500 characters is not read");
    r = check_parts(rrule, reterr);
    if (r < 0)
        return r;
    calendar = one_happening(zone, starts * DAY_S + from_s, (to_s > from_s ? 0 : DAY_S) + to_s - from_s);
    calendar->items[0].rule = lib->icalrecurrencetype_from_string(rrule);
    r = calendar_rule_settle(&calendar->items[0], reterr);
    if (r < 0)
        ft_calendar_free(calendar);
    else
        *ret = calendar;
    return r;
}

void ft_calendar_widen(struct ft_calendar *calendar)
{
    calendar->wide = true;
}

struct ft_calendar *ft_calendar_free(struct ft_calendar *calendar)
{
    if (!calendar)
        return NULL;
    for (size_t i = 0; i < calendar->count; i++) {
        free(calendar->items[i].extra);
        free(calendar->items[i].left_out);
    }
    for (size_t i = 0; i < calendar->zone_count; i++)
        ft_zone_free(calendar->zones[i]);
    if (calendar->root)
        ical_load(NULL)->icalcomponent_free(calendar->root);
    free(calendar->zones);
    free(calendar->items);
    free(calendar);
    return NULL;
}
