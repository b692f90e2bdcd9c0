/* calendar_ics.c: the events of an .ics file. */
#include <time.h>
#include "data/calendar_parts.h"

enum { ICS_MAX = 4 * 1024 * 1024, EVENTS_MAX = 5000, MOMENTS_MAX = 5000, ZONES_MAX = 50 };

struct reading {
    const struct ical *lib;
    struct ft_calendar *calendar;
    const struct ft_zone *zone;       /* of times without one */
    icalcomponent *vcalendar;
    const char *uid;
    struct ft_err *err;
};

__attribute__((format(printf, 2, 3)))
static int wrong(struct reading *rd, const char *fmt, ...)
{
    char text[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return rd->uid ? ft_err_set(rd->err, -EINVAL, "the event '%.80s': %s", rd->uid, text) : ft_err_set(rd->err, -EINVAL, "%s", text);
}

/* ---- times */

static const struct ft_zone *zone_named(struct reading *rd, const char *name)
{
    struct ft_calendar *calendar = rd->calendar;
    struct ft_zone *zone;

    for (size_t i = 0; i < calendar->zone_count; i++)
        if (ft_streq(ft_zone_name(calendar->zones[i]), name))
            return calendar->zones[i];
    if (calendar->zone_count == ZONES_MAX || ft_zone_open(name, &zone, NULL) < 0)
        return NULL;
    calendar->zones = ft_realloc(calendar->zones, (calendar->zone_count + 1) * sizeof(*calendar->zones));
    return calendar->zones[calendar->zone_count++] = zone;
}

/* The system's zone of that name, as its rules are the newer ones; else what the file says of it. */
static int wall_of(struct reading *rd, icalproperty *prop, const struct icaltimetype *time, struct wall *ret)
{
    icalparameter *param = rd->lib->icalproperty_get_first_parameter(prop, ICAL_TZID_PARAMETER);
    const char *tzid = param ? rd->lib->icalparameter_get_tzid(param) : NULL;

    memset(ret, 0, sizeof(*ret));
    if (time->is_date || (!tzid && !rd->lib->icaltime_is_utc(*time)))
        ret->zone = rd->zone;
    else if (tzid && !rd->lib->icaltime_is_utc(*time) && !(ret->zone = zone_named(rd, tzid)))
        ret->own = rd->lib->icalcomponent_get_timezone(rd->vcalendar, tzid);
    if (tzid && !time->is_date && !rd->lib->icaltime_is_utc(*time) && !ret->zone && !ret->own)
        return wrong(rd, "the time zone '%.80s' is not known here, and the file has no VTIMEZONE of it", tzid);
    return 0;
}

static bool time_ok(const struct icaltimetype *t)
{
    return t->year >= 1970 && t->year <= 9000 && t->month >= 1 && t->month <= 12 && t->day >= 1 && t->day <= 31 && t->hour >= 0 && t->hour <= 24;
}

/* A time in the event's own local time. */
static int local_of(struct reading *rd, const struct happening *h, icalproperty *prop, const struct icaltimetype *time, int64_t *ret)
{
    struct wall wall;
    int64_t first, last;
    int r = wall_of(rd, prop, time, &wall);

    if (r < 0)
        return r;
    if (!time_ok(time))
        return wrong(rd, "a time of it is not from 1970 to 9000");
    *ret = calendar_local(time);
    if (time->is_date || (wall.zone == h->wall.zone && wall.own == h->wall.own))
        return 0;
    wall_utc(&wall, *ret, &first, &last);
    *ret = first;                                     /* UTC; to local time: */
    if (h->wall.zone)
        *ret += ft_zone_offset(h->wall.zone, first, NULL);
    else if (h->wall.own) {
        int64_t guess = first;

        for (int i = 0; i < 3; i++) {                 /* the file's zones are only asked for local times */
            wall_utc(&h->wall, guess, &last, &last);
            guess += first - last;
        }
        *ret = guess;
    }
    return 0;
}

static int add_moment(struct reading *rd, struct moment **list, size_t *count, struct moment moment)
{
    if (*count == MOMENTS_MAX)
        return wrong(rd, "it has more than %d dates", MOMENTS_MAX);
    if ((*count & (*count - 1)) == 0)
        *list = ft_realloc(*list, (*count ? *count * 2 : 1) * sizeof(**list));
    (*list)[(*count)++] = moment;
    return 0;
}

/* ---- one event */

static int read_start(struct reading *rd, icalcomponent *event, struct happening *h)
{
    icalproperty *prop = rd->lib->icalcomponent_get_first_property(event, ICAL_DTSTART_PROPERTY);
    struct icaltimetype time;
    int r;

    if (!prop)
        return wrong(rd, "it has no DTSTART");
    time = rd->lib->icalproperty_get_dtstart(prop);
    if (!time_ok(&time))
        return wrong(rd, "its DTSTART is not from 1970 to 9000");
    r = wall_of(rd, prop, &time, &h->wall);
    h->start = calendar_local(&time);
    h->is_date = h->nominal = time.is_date;
    h->length = time.is_date ? DAY_S : 0;
    return r;
}

static int read_end(struct reading *rd, icalcomponent *event, struct happening *h)
{
    icalproperty *prop = rd->lib->icalcomponent_get_first_property(event, ICAL_DTEND_PROPERTY);
    int64_t end, from, to, ignored;

    if (prop) {
        struct icaltimetype time = rd->lib->icalproperty_get_dtend(prop);
        int r = local_of(rd, h, prop, &time, &end);

        if (r < 0)
            return r;
        h->length = end - h->start;
        if (!h->nominal) {
            wall_utc(&h->wall, h->start, &from, &ignored);
            wall_utc(&h->wall, end, &to, &ignored);
            h->length = to - from;
        }
    } else if ((prop = rd->lib->icalcomponent_get_first_property(event, ICAL_DURATION_PROPERTY))) {
        h->length = rd->lib->icaldurationtype_as_int(rd->lib->icalproperty_get_duration(prop));
    }
    if (h->length < 0 || h->length > 20000 * DAY_S)
        return wrong(rd, "it ends before it begins, or lasts longer than 50 years");
    return 0;
}

static int read_rule(struct reading *rd, icalcomponent *event, struct happening *h)
{
    icalproperty *prop = rd->lib->icalcomponent_get_first_property(event, ICAL_RRULE_PROPERTY);
    struct ft_err err = { 0 };

    if (rd->lib->icalcomponent_get_first_property(event, ICAL_EXRULE_PROPERTY))
        return wrong(rd, "it has an EXRULE, which is not read; list the exceptions as EXDATE");
    prop = rd->lib->icalcomponent_get_first_property(event, ICAL_RRULE_PROPERTY);
    if (!prop)
        return 0;
    h->rule = rd->lib->icalproperty_get_rrule(prop);
    if (!rd->lib->icaltime_is_null_time(h->rule.until) && rd->lib->icaltime_is_utc(h->rule.until)) {
        int64_t utc = calendar_local(&h->rule.until), local = utc;
        struct tm tm = { 0 };
        time_t at;

        if (h->wall.zone)
            local += ft_zone_offset(h->wall.zone, utc, NULL);
        at = (time_t)local;
        gmtime_r(&at, &tm);
        h->rule.until = (struct icaltimetype){ .year = tm.tm_year + 1900, .month = tm.tm_mon + 1, .day = tm.tm_mday, .hour = tm.tm_hour, .minute = tm.tm_min,
                                               .second = tm.tm_sec, .is_date = h->is_date };
    }
    if (calendar_rule_settle(h, &err) < 0)
        return wrong(rd, "its RRULE: %s", err.text);
    rd->lib->icalcomponent_get_first_property(event, ICAL_RRULE_PROPERTY);
    return rd->lib->icalcomponent_get_next_property(event, ICAL_RRULE_PROPERTY) ? wrong(rd, "it has two RRULEs") : 0;
}

static int read_extra(struct reading *rd, icalcomponent *event, struct happening *h)
{
    int r = 0;

    for (icalproperty *prop = rd->lib->icalcomponent_get_first_property(event, ICAL_RDATE_PROPERTY); prop && r == 0;
         prop = rd->lib->icalcomponent_get_next_property(event, ICAL_RDATE_PROPERTY)) {
        struct icaldatetimeperiodtype value = rd->lib->icalproperty_get_rdate(prop);
        struct moment moment = { .length = -1 };
        bool period = rd->lib->icaltime_is_null_time(value.time);
        int64_t end;

        r = local_of(rd, h, prop, period ? &value.period.start : &value.time, &moment.at);
        if (r == 0 && period && !rd->lib->icaltime_is_null_time(value.period.end)) {
            r = local_of(rd, h, prop, &value.period.end, &end);
            moment.length = end - moment.at;
        } else if (period) {
            moment.length = rd->lib->icaldurationtype_as_int(value.period.duration);
        }
        if (r == 0 && period && moment.length <= 0)
            r = wrong(rd, "a period of its RDATE ends before it begins");
        if (r == 0)
            r = add_moment(rd, &h->extra, &h->extra_count, moment);
    }
    return r;
}

static int read_left_out(struct reading *rd, icalcomponent *event, struct happening *h)
{
    int r = 0;

    for (icalproperty *prop = rd->lib->icalcomponent_get_first_property(event, ICAL_EXDATE_PROPERTY); prop && r == 0;
         prop = rd->lib->icalcomponent_get_next_property(event, ICAL_EXDATE_PROPERTY)) {
        struct icaltimetype time = rd->lib->icalproperty_get_exdate(prop);
        struct moment moment = { .is_date = time.is_date };

        r = local_of(rd, h, prop, &time, &moment.at);
        if (r == 0)
            r = add_moment(rd, &h->left_out, &h->left_out_count, moment);
    }
    return r;
}

static int read_original(struct reading *rd, icalcomponent *event, struct happening *h)
{
    icalproperty *prop = rd->lib->icalcomponent_get_first_property(event, ICAL_RECURRENCEID_PROPERTY);
    struct icaltimetype time;
    struct wall wall;
    int64_t last;
    int r;

    if (!prop)
        return 0;
    if (rd->lib->icalproperty_get_first_parameter(prop, ICAL_RANGE_PARAMETER))
        return wrong(rd, "its RECURRENCE-ID has a RANGE, which is not read");
    time = rd->lib->icalproperty_get_recurrenceid(prop);
    if (!time_ok(&time))
        return wrong(rd, "its RECURRENCE-ID is not from 1970 to 9000");
    r = wall_of(rd, prop, &time, &wall);
    if (r < 0)
        return r;
    wall_utc(&wall, calendar_local(&time), &h->original, &last);
    h->moved = true;
    return 0;
}

static bool is_cancelled(struct reading *rd, icalcomponent *event)
{
    icalproperty *prop = rd->lib->icalcomponent_get_first_property(event, ICAL_STATUS_PROPERTY);

    return prop && rd->lib->icalproperty_get_status(prop) == ICAL_STATUS_CANCELLED;
}

static int read_event(struct reading *rd, icalcomponent *event)
{
    struct ft_calendar *calendar = rd->calendar;
    icalproperty *uid = rd->lib->icalcomponent_get_first_property(event, ICAL_UID_PROPERTY);
    struct happening *h;
    int r;

    rd->uid = uid ? rd->lib->icalproperty_get_uid(uid) : NULL;
    if (calendar->count == EVENTS_MAX)
        return wrong(rd, "the file has more than %d events", EVENTS_MAX);
    if ((calendar->count & (calendar->count - 1)) == 0)
        calendar->items = ft_realloc(calendar->items, (calendar->count ? calendar->count * 2 : 1) * sizeof(*calendar->items));
    h = &calendar->items[calendar->count++];
    *h = (struct happening){ .uid = rd->uid };
    r = read_start(rd, event, h);
    r = r < 0 ? r : read_end(rd, event, h);
    r = r < 0 ? r : read_rule(rd, event, h);
    r = r < 0 ? r : read_extra(rd, event, h);
    r = r < 0 ? r : read_left_out(rd, event, h);
    r = r < 0 ? r : read_original(rd, event, h);
    if (r == 0 && is_cancelled(rd, event)) {          /* a moved one that is cancelled still takes the place of the original */
        h->length = 0;
        h->repeats = false;
        h->extra_count = 0;
    }
    return r;
}

/* ---- the file */

/* Those of a series that were moved do not happen at their own time. */
static int take_moved(struct reading *rd)
{
    struct ft_calendar *calendar = rd->calendar;
    int r = 0;

    for (size_t i = 0; i < calendar->count; i++) {
        const struct happening *moved = &calendar->items[i];

        for (size_t j = 0; moved->moved && moved->uid && j < calendar->count && r == 0; j++) {
            struct happening *series = &calendar->items[j];
            int64_t local = moved->original, last;

            if (series->moved || !ft_streq(series->uid, moved->uid))
                continue;
            if (series->wall.zone) {
                local += ft_zone_offset(series->wall.zone, moved->original, NULL);
            } else if (series->wall.own) {
                wall_utc(&series->wall, local, &last, &last);
                local += moved->original - last;
            }
            r = add_moment(rd, &series->left_out, &series->left_out_count, (struct moment){ .at = local });
        }
    }
    return r;
}

static const char *first_error(struct reading *rd, icalcomponent *component)
{
    icalproperty *prop = rd->lib->icalcomponent_get_first_property(component, ICAL_XLICERROR_PROPERTY);
    const char *text = prop ? rd->lib->icalproperty_get_xlicerror(prop) : NULL;

    for (icalcomponent *inner = rd->lib->icalcomponent_get_first_component(component, ICAL_ANY_COMPONENT); inner && !text;
         inner = rd->lib->icalcomponent_get_next_component(component, ICAL_ANY_COMPONENT))
        text = first_error(rd, inner);
    return text;
}

static int read_vcalendar(struct reading *rd, icalcomponent *vcalendar)
{
    int r = 0;

    rd->vcalendar = vcalendar;
    for (icalcomponent *event = rd->lib->icalcomponent_get_first_component(vcalendar, ICAL_VEVENT_COMPONENT); event && r == 0;
         event = rd->lib->icalcomponent_get_next_component(vcalendar, ICAL_VEVENT_COMPONENT))
        r = read_event(rd, event);
    rd->uid = NULL;
    return r;
}

static int read_root(struct reading *rd, icalcomponent *root)
{
    icalcomponent *vcalendar;
    int r = 0;

    if (rd->lib->icalcomponent_count_errors(root) > 0) {
        const char *text = first_error(rd, root);

        return wrong(rd, "the file has a mistake: %.200s", text ? text : "libical does not say which");
    }
    if (rd->lib->icalcomponent_isa(root) == ICAL_VCALENDAR_COMPONENT)
        return read_vcalendar(rd, root);
    vcalendar = rd->lib->icalcomponent_get_first_component(root, ICAL_VCALENDAR_COMPONENT);
    if (!vcalendar)
        return wrong(rd, "the file has no VCALENDAR");
    for (; vcalendar && r == 0; vcalendar = rd->lib->icalcomponent_get_next_component(root, ICAL_VCALENDAR_COMPONENT))
        r = read_vcalendar(rd, vcalendar);
    return r;
}

/* A file that ends early would lose freezes. */
static bool is_whole(const char *text, size_t len)
{
    static const char end[] = "END:VCALENDAR";

    while (len > 0 && strchr(" \t\r\n", text[len - 1]))
        len--;
    return len >= sizeof(end) - 1 && strncasecmp(text + len - (sizeof(end) - 1), end, sizeof(end) - 1) == 0;
}

int ft_calendar_ics(const char *text, size_t len, const struct ft_zone *zone, struct ft_calendar **ret, struct ft_err *reterr)
{
    struct reading rd = { .lib = ical_load(reterr), .zone = zone, .err = reterr };
    char *copy;
    int r;

    if (!rd.lib)
        return -ENOENT;
    if (len > ICS_MAX || memchr(text, '\0', len))
        return wrong(&rd, len > ICS_MAX ? "the file is over 4 MiB" : "the file is no text");
    if (!is_whole(text, len))
        return wrong(&rd, "the file does not end with END:VCALENDAR: it is cut off, or no calendar");
    rd.calendar = ft_calloc(1, sizeof(*rd.calendar));
    copy = ft_strndup(text, len);
    rd.calendar->root = rd.lib->icalparser_parse_string(copy);
    free(copy);
    r = rd.calendar->root ? read_root(&rd, rd.calendar->root) : wrong(&rd, "the file is no calendar");
    if (r == 0)
        r = take_moved(&rd);
    rd.lib->icalmemory_free_ring();
    if (r < 0)
        ft_calendar_free(rd.calendar);
    else
        *ret = rd.calendar;
    return r;
}
