/* Windows and freezes as spans of time: rules, .ics files, and what clocks do that are put forward and back. */
#include <criterion/criterion.h>
#include <time.h>
#include "base/buf.h"
#include "base/util.h"
#include "data/calendar.h"

static struct ft_zone *zone(const char *name)
{
    struct ft_zone *z = NULL;
    struct ft_err err = { 0 };

    cr_assert_eq(ft_zone_open(name, &z, &err), 0, "%s", err.text);
    return z;
}

static int64_t utc_ms(const char *text)
{
    int64_t s = 0;

    cr_assert_eq(ft_local_parse(text, &s, NULL), 0, "%s", text);
    return s * 1000;
}

/* "2026-11-29T01:00/03:00 …": the end with its day where it is another one. malloced */
static char *said(const struct ft_spans *spans)
{
    struct ft_buf buf = FT_BUF_INIT(0);

    for (size_t i = 0; i < spans->count; i++) {
        time_t from = spans->items[i].from / 1000, to = spans->items[i].to / 1000;
        struct tm a, b;
        char text[80];

        gmtime_r(&from, &a);
        gmtime_r(&to, &b);
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M", &a);
        ft_buf_addf(&buf, "%s%s", i ? " " : "", text);
        strftime(text, sizeof(text), a.tm_yday == b.tm_yday ? "/%H:%M" : "/%Y-%m-%dT%H:%M", &b);
        ft_buf_adds(&buf, text);
    }
    return ft_buf_take(&buf);
}

static void expect_spans(const char *name, const struct ft_calendar *calendar, const char *from, const char *to, const char *want)
{
    struct ft_spans spans = { 0 };
    struct ft_err err = { 0 };
    char *text;

    cr_assert_eq(ft_calendar_spans(calendar, utc_ms(from), utc_ms(to), &spans, &err), 0, "%s: %s", name, err.text);
    text = said(&spans);
    cr_expect_str_eq(text ? text : "", want, "%s: %s, not %s", name, text ? text : "", want);
    free(text);
    ft_spans_done(&spans);
}

/* ---- rules. Hours are local, ranges and what is wanted are UTC. */

static int32_t hour(const char *text)
{
    int h = 0, m = 0;

    sscanf(text, "%d:%d", &h, &m);
    return h * 3600 + m * 60;
}

static const struct { const char *name, *zone, *rule, *starts, *from, *to, *since, *until, *want; bool wide; } rules[] = {
    { "every Sunday", "Europe/Zurich", "FREQ=WEEKLY;BYDAY=SU", NULL, "02:00", "04:00", "2026-11-23", "2026-12-07", "2026-11-29T01:00/03:00 2026-12-06T01:00/03:00", false },
    { "clocks put forward at its beginning: one hour", "Europe/Zurich", "FREQ=WEEKLY;BYDAY=SU", NULL, "02:00", "04:00", "2026-03-28", "2026-03-31", "2026-03-29T01:00/02:00", false },
    { "clocks put back in it: three hours", "Europe/Zurich", "FREQ=WEEKLY;BYDAY=SU", NULL, "02:00", "04:00", "2026-10-24", "2026-10-27", "2026-10-25T00:00/03:00", false },
    { "a window ends with the first of two", "Europe/Zurich", "FREQ=WEEKLY;BYDAY=SU", NULL, "01:00", "02:30", "2026-10-24", "2026-10-27", "2026-10-24T23:00/2026-10-25T00:30", false },
    { "a freeze ends with the second", "Europe/Zurich", "FREQ=WEEKLY;BYDAY=SU", NULL, "01:00", "02:30", "2026-10-24", "2026-10-27", "2026-10-24T23:00/2026-10-25T01:30", true },
    { "an hour that is not there", "Europe/Zurich", "FREQ=WEEKLY;BYDAY=SU", NULL, "02:15", "02:45", "2026-03-28", "2026-03-31", "", false },
    { "New York's other Sundays", "America/New_York", "FREQ=WEEKLY;BYDAY=SU", NULL, "02:00", "04:00", "2026-03-07", "2026-03-17",
      "2026-03-08T07:00/08:00 2026-03-15T06:00/08:00", false },
    { "half an hour of daylight saving", "Australia/Lord_Howe", "FREQ=WEEKLY;BYDAY=SU", NULL, "01:00", "02:00", "2026-04-04", "2026-04-06", "2026-04-04T14:00/15:30", false },
    { "a quarter of an hour from all others", "Asia/Kathmandu", "FREQ=DAILY", NULL, "02:00", "03:00", "2026-11-26", "2026-11-27", "2026-11-26T20:15/21:15", false },
    { "a day that Samoa never had", "Pacific/Apia", "FREQ=DAILY", "2011-12-01", "12:00", "13:00", "2011-12-29", "2012-01-01", "2011-12-29T22:00/23:00 2011-12-30T22:00/23:00 2011-12-31T22:00/23:00", false },
    { "over midnight", "Europe/Zurich", "FREQ=MONTHLY;BYDAY=1SA", NULL, "22:00", "02:00", "2026-12-01", "2027-01-05", "2026-12-05T21:00/2026-12-06T01:00 2027-01-02T21:00/2027-01-03T01:00", false },
    { "over midnight and the change", "Europe/Zurich", "FREQ=MONTHLY;BYDAY=-1SA", NULL, "22:00", "04:00", "2026-10-01", "2026-11-01", "2026-10-31T21:00/2026-11-01T03:00", false },
    { "under way when it is asked for", "UTC", "FREQ=WEEKLY;BYDAY=SA", NULL, "22:00", "06:00", "2026-11-29T02:00", "2026-11-29T03:00", "2026-11-28T22:00/2026-11-29T06:00", false },
    { "leap days", "UTC", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", NULL, "00:00", "01:00", "2026-01-01", "2033-01-01", "2028-02-29T00:00/01:00 2032-02-29T00:00/01:00", false },
    { "month ends", "UTC", "FREQ=MONTHLY;BYMONTHDAY=-1", NULL, "23:00", "24:00", "2027-12-01", "2028-04-01",
      "2027-12-31T23:00/2028-01-01T00:00 2028-01-31T23:00/2028-02-01T00:00 2028-02-29T23:00/2028-03-01T00:00 2028-03-31T23:00/2028-04-01T00:00", false },
    { "the 31st, where there is one", "UTC", "FREQ=MONTHLY;BYMONTHDAY=31", NULL, "03:00", "04:00", "2026-01-01", "2026-06-01", "2026-01-31T03:00/04:00 2026-03-31T03:00/04:00 2026-05-31T03:00/04:00", false },
    { "each quarter", "UTC", "FREQ=MONTHLY;INTERVAL=3;BYDAY=2SU", "2026-01-01", "02:00", "06:00", "2026-01-01", "2027-01-01",
      "2026-01-11T02:00/06:00 2026-04-12T02:00/06:00 2026-07-12T02:00/06:00 2026-10-11T02:00/06:00", false },
    { "every other week, far from where it is counted from", "UTC", "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU", "2026-01-04", "02:00", "04:00", "2026-11-01", "2026-12-01", "2026-11-08T02:00/04:00 2026-11-22T02:00/04:00", false },
    { "three times only", "UTC", "FREQ=WEEKLY;COUNT=3;BYDAY=SU", "2026-01-04", "02:00", "04:00", "2026-01-15", "2026-12-01", "2026-01-18T02:00/04:00", false },
    { "until a day", "UTC", "FREQ=WEEKLY;UNTIL=20260118;BYDAY=SU", "2026-01-04", "02:00", "04:00", "2026-01-01", "2026-12-01", "2026-01-04T02:00/04:00 2026-01-11T02:00/04:00 2026-01-18T02:00/04:00", false },
    { "the last working day", "UTC", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", NULL, "20:00", "21:00", "2026-10-01", "2026-12-01", "2026-10-30T20:00/21:00 2026-11-30T20:00/21:00", false },
    { "the 100th day", "UTC", "FREQ=YEARLY;BYYEARDAY=100", NULL, "02:00", "03:00", "2027-01-01", "2029-01-01", "2027-04-10T02:00/03:00 2028-04-09T02:00/03:00", false },
    { "days that touch are one span", "UTC", "FREQ=DAILY;UNTIL=20260103", "2026-01-01", "00:00", "24:00", "2026-01-01", "2026-02-01", "2026-01-01T00:00/2026-01-04T00:00", false },
};

static void expect_rules(void)
{
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        struct ft_zone *z = zone(rules[i].zone);
        struct ft_calendar *calendar = NULL;
        struct ft_err err = { 0 };
        int64_t starts = ft_days_from(2020, 1, 1) * 86400;

        if (rules[i].starts)
            cr_assert_eq(ft_local_parse(rules[i].starts, &starts, NULL), 0);
        cr_assert_eq(ft_calendar_rule(rules[i].rule, starts / 86400, hour(rules[i].from), hour(rules[i].to), z, &calendar, &err), 0, "%s: %s", rules[i].name, err.text);
        if (rules[i].wide)
            ft_calendar_widen(calendar);
        expect_spans(rules[i].name, calendar, rules[i].since, rules[i].until, rules[i].want);
        ft_calendar_free(calendar);
        ft_zone_free(z);
    }
}

Test(calendar, rules)
{
    expect_rules();
}

Test(calendar, the_machine_s_zone_does_not_matter)
{
    setenv("TZ", "Pacific/Auckland", 1);
    tzset();
    expect_rules();
    setenv("TZ", "America/Los_Angeles", 1);
    tzset();
    expect_rules();
}

Test(calendar, rules_that_are_none)
{
    static const char *const wrong[] = { "", "every sunday", "FREQ=WEEKLY;BYDY=SU", "BYDAY=SU", "FREQ=HOURLY", "FREQ=MINUTELY", "FREQ=DAILY;BYHOUR=2", "FREQ=FORTNIGHTLY",
                                         "FREQ=WEEKLY;BYDAY=XX", "FREQ=WEEKLY;BYDAY=", "FREQ=WEEKLY;FREQ=DAILY", "FREQ=MONTHLY;BYMONTHDAY=77", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=DAILY;BYMONTHDAY=-2", "FREQ=YEARLY;BYWEEKNO=53;BYDAY=MO", "FREQ", "=", ";" };
    struct ft_zone *z = zone("UTC");

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct ft_calendar *calendar = NULL;
        struct ft_err err = { 0 };

        cr_expect_lt(ft_calendar_rule(wrong[i], 0, 0, 3600, z, &calendar, &err), 0, "'%s' is taken", wrong[i]);
        cr_expect(*err.text || calendar, "'%s': nothing is said", wrong[i]);
        ft_calendar_free(calendar);
    }
    ft_zone_free(z);
}

/* Which days a rule means, found out another way. */
static bool is_day(const char *rule, int64_t day)
{
    static const char *const names[] = { "SU", "MO", "TU", "WE", "TH", "FR", "SA" };
    time_t t = day * 86400;
    struct tm tm, next;
    const char *by;
    int nth = 0;

    gmtime_r(&t, &tm);
    t += 86400 * 7;
    gmtime_r(&t, &next);
    if ((by = strstr(rule, "BYMONTHDAY="))) {
        int n = atoi(by + 11), last;

        t = day * 86400;
        for (last = tm.tm_mday; t += 86400, gmtime_r(&t, &next), next.tm_mon == tm.tm_mon; last++)
            ;
        return n > 0 ? tm.tm_mday == n : tm.tm_mday == last + 1 + n;
    }
    if (!(by = strstr(rule, "BYDAY=")))
        return true;
    by += 6;
    if (*by == '-' || (*by >= '0' && *by <= '9'))
        nth = (int)strtol(by, (char **)&by, 10);
    if (strncmp(by, names[tm.tm_wday], 2) != 0)
        return false;
    return nth == 0 || (nth > 0 ? (tm.tm_mday - 1) / 7 + 1 == nth : next.tm_mon != tm.tm_mon);
}

Test(calendar, the_days_are_right_for_six_years)
{
    static const char *const all[] = { "FREQ=DAILY", "FREQ=WEEKLY;BYDAY=SU", "FREQ=WEEKLY;BYDAY=WE", "FREQ=MONTHLY;BYDAY=1SA", "FREQ=MONTHLY;BYDAY=2SU", "FREQ=MONTHLY;BYDAY=5FR",
                                       "FREQ=MONTHLY;BYDAY=-1MO", "FREQ=MONTHLY;BYMONTHDAY=1", "FREQ=MONTHLY;BYMONTHDAY=29", "FREQ=MONTHLY;BYMONTHDAY=31", "FREQ=MONTHLY;BYMONTHDAY=-1",
                                       "FREQ=MONTHLY;BYMONTHDAY=-3" };
    struct ft_zone *z = zone("UTC");
    int64_t first = ft_days_from(2024, 1, 1), last = ft_days_from(2030, 1, 1);
    unsigned found = 0;

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct ft_calendar *calendar = NULL;
        struct ft_spans spans = { 0 };

        cr_assert_eq(ft_calendar_rule(all[i], ft_days_from(2020, 1, 1), 3600, 7200, z, &calendar, NULL), 0);
        cr_assert_eq(ft_calendar_spans(calendar, first * 86400000, last * 86400000, &spans, NULL), 0);
        for (int64_t day = first; day < last; day++) {
            bool is = ft_spans_at(&spans, day * 86400000 + 5400000) != NULL;

            cr_assert_eq(is, is_day(all[i], day), "%s: day %lld", all[i], (long long)day);
            found += is;
        }
        ft_spans_done(&spans);
        ft_calendar_free(calendar);
    }
    cr_expect_gt(found, 3000);
    ft_zone_free(z);
}

/* Jumping ahead in a rule must not change what it means. */
Test(calendar, where_one_begins_to_look_does_not_matter)
{
    static const char *const freqs[] = { "DAILY", "WEEKLY", "MONTHLY", "YEARLY" };
    static const char *const parts[] = { "", ";BYDAY=SU", ";BYDAY=MO,WE", ";BYMONTHDAY=13", ";BYMONTHDAY=-2", ";BYMONTH=3,9", ";BYMONTH=5;BYDAY=TU" };
    struct ft_zone *z = zone("Europe/Zurich");
    unsigned compared = 0;

    for (size_t f = 0; f < ARRAY_LEN(freqs); f++)
        for (size_t p = 0; p < ARRAY_LEN(parts); p++)
            for (int interval = 1; interval <= 3; interval++) {
                char *rule = ft_asprintf("FREQ=%s;INTERVAL=%d%s", freqs[f], interval, parts[p]);
                struct ft_calendar *calendar = NULL;
                struct ft_spans whole = { 0 };

                if (ft_calendar_rule(rule, ft_days_from(2021, 3, 7), 3600, 7200, z, &calendar, NULL) == 0) {
                    cr_assert_eq(ft_calendar_spans(calendar, 0, utc_ms("2031-01-01"), &whole, NULL), 0);
                    for (int year = 2022; year < 2030; year += 3) {
                        struct ft_spans late = { 0 };
                        int64_t from = ft_days_from(year, 6, 16) * 86400000, to = from + 800 * 86400000ll;
                        char *a, *b;
                        struct ft_spans cut = { 0 };

                        cr_assert_eq(ft_calendar_spans(calendar, from, to, &late, NULL), 0);
                        for (size_t i = 0; i < whole.count; i++)
                            if (whole.items[i].from < to && whole.items[i].to > from)
                                ft_spans_add(&cut, whole.items[i].from, whole.items[i].to);
                        a = said(&late);
                        b = said(&cut);
                        cr_assert_str_eq(a ? a : "", b ? b : "", "%s from %d on", rule, year);
                        compared++;
                        free(a);
                        free(b);
                        ft_spans_done(&late);
                        ft_spans_done(&cut);
                    }
                }
                ft_spans_done(&whole);
                ft_calendar_free(calendar);
                free(rule);
            }
    cr_expect_gt(compared, 150);
    ft_zone_free(z);
}

/* ---- .ics */

#define ICS(events) "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//t//EN\r\n" events "END:VCALENDAR\r\n"
#define EVENT(lines) "BEGIN:VEVENT\r\nUID:one@t\r\nDTSTAMP:20260101T000000Z\r\n" lines "END:VEVENT\r\n"

/* Somewhere three hours east, with a summer of its own from June to August. */
#define OWN_ZONE "BEGIN:VTIMEZONE\r\nTZID:Ours\r\nBEGIN:STANDARD\r\nDTSTART:20000901T000000\r\nRRULE:FREQ=YEARLY;BYMONTH=9;BYMONTHDAY=1\r\nTZOFFSETFROM:+0400\r\nTZOFFSETTO:+0300\r\nEND:STANDARD\r\n" \
    "BEGIN:DAYLIGHT\r\nDTSTART:20000601T000000\r\nRRULE:FREQ=YEARLY;BYMONTH=6;BYMONTHDAY=1\r\nTZOFFSETFROM:+0300\r\nTZOFFSETTO:+0400\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\n"

static const struct { const char *name, *text, *since, *until, *want; } files[] = {
    { "UTC", ICS(EVENT("DTSTART:20261218T180000Z\r\nDTEND:20261219T060000Z\r\n")), "2026-01-01", "2028-01-01", "2026-12-18T18:00/2026-12-19T06:00" },
    { "floating: in the configuration's zone", ICS(EVENT("DTSTART:20261218T180000\r\nDURATION:PT2H\r\n")), "2026-01-01", "2028-01-01", "2026-12-18T17:00/19:00" },
    { "a zone of the system", ICS(EVENT("DTSTART;TZID=America/New_York:20261218T180000\r\nDTEND;TZID=America/New_York:20261218T200000\r\n")), "2026-01-01", "2028-01-01",
      "2026-12-18T23:00/2026-12-19T01:00" },
    { "a zone of the file's own, in winter and summer", ICS(OWN_ZONE EVENT("DTSTART;TZID=Ours:20260115T020000\r\nDTEND;TZID=Ours:20260115T030000\r\nRRULE:FREQ=MONTHLY;INTERVAL=6;COUNT=2\r\n")),
      "2026-01-01", "2028-01-01", "2026-01-14T23:00/2026-01-15T00:00 2026-07-14T22:00/23:00" },
    { "a day", ICS(EVENT("DTSTART;VALUE=DATE:20261225\r\n")), "2026-01-01", "2028-01-01", "2026-12-24T23:00/2026-12-25T23:00" },
    { "days, the last not included", ICS(EVENT("DTSTART;VALUE=DATE:20261224\r\nDTEND;VALUE=DATE:20261227\r\n")), "2026-01-01", "2028-01-01", "2026-12-23T23:00/2026-12-26T23:00" },
    { "a day on which the clocks are put back has 25 hours", ICS(EVENT("DTSTART;VALUE=DATE:20261025\r\n")), "2026-01-01", "2028-01-01", "2026-10-24T22:00/2026-10-25T23:00" },
    { "every year", ICS(EVENT("DTSTART;VALUE=DATE:20201225\r\nRRULE:FREQ=YEARLY\r\n")), "2026-12-01", "2028-12-01", "2026-12-24T23:00/2026-12-25T23:00 2027-12-24T23:00/2027-12-25T23:00" },
    { "EXDATE", ICS(EVENT("DTSTART;TZID=Europe/Zurich:20261101T020000\r\nDTEND;TZID=Europe/Zurich:20261101T040000\r\nRRULE:FREQ=WEEKLY;BYDAY=SU;COUNT=4\r\n"
                          "EXDATE;TZID=Europe/Zurich:20261108T020000,20261122T020000\r\n")), "2026-01-01", "2028-01-01", "2026-11-01T01:00/03:00 2026-11-15T01:00/03:00" },
    { "EXDATE in UTC, and as a day", ICS(EVENT("DTSTART;TZID=Europe/Zurich:20261101T020000\r\nDTEND;TZID=Europe/Zurich:20261101T040000\r\nRRULE:FREQ=WEEKLY;BYDAY=SU;COUNT=4\r\n"
                                               "EXDATE:20261108T010000Z\r\nEXDATE;VALUE=DATE:20261122\r\n")), "2026-01-01", "2028-01-01", "2026-11-01T01:00/03:00 2026-11-15T01:00/03:00" },
    { "RDATE", ICS(EVENT("DTSTART:20261101T020000Z\r\nDTEND:20261101T040000Z\r\nRRULE:FREQ=WEEKLY;COUNT=1\r\nRDATE:20261103T020000Z,20261105T020000Z\r\n")), "2026-01-01", "2028-01-01",
      "2026-11-01T02:00/04:00 2026-11-03T02:00/04:00 2026-11-05T02:00/04:00" },
    { "RDATE with a length of its own", ICS(EVENT("DTSTART:20261101T020000Z\r\nDTEND:20261101T040000Z\r\nRDATE;VALUE=PERIOD:20261103T020000Z/20261103T090000Z,20261104T020000Z/PT30M\r\n")),
      "2026-01-01", "2028-01-01", "2026-11-01T02:00/04:00 2026-11-03T02:00/09:00 2026-11-04T02:00/02:30" },
    { "UNTIL in UTC, on the last local day", ICS(EVENT("DTSTART;TZID=America/New_York:20261101T220000\r\nDTEND;TZID=America/New_York:20261101T230000\r\nRRULE:FREQ=DAILY;UNTIL=20261104T030000Z\r\n")),
      "2026-01-01", "2028-01-01", "2026-11-02T03:00/04:00 2026-11-03T03:00/04:00 2026-11-04T03:00/04:00" },
    { "one of a series is moved, one is cancelled",
      ICS(EVENT("DTSTART:20261101T020000Z\r\nDTEND:20261101T040000Z\r\nRRULE:FREQ=WEEKLY;COUNT=4\r\n")
          EVENT("RECURRENCE-ID:20261108T020000Z\r\nDTSTART:20261109T050000Z\r\nDTEND:20261109T060000Z\r\n")
          EVENT("RECURRENCE-ID:20261115T020000Z\r\nDTSTART:20261115T020000Z\r\nDTEND:20261115T040000Z\r\nSTATUS:CANCELLED\r\n")),
      "2026-01-01", "2028-01-01", "2026-11-01T02:00/04:00 2026-11-09T05:00/06:00 2026-11-22T02:00/04:00" },
    { "cancelled", ICS(EVENT("DTSTART:20261101T020000Z\r\nDTEND:20261101T040000Z\r\nSTATUS:CANCELLED\r\nRRULE:FREQ=DAILY\r\n")), "2026-01-01", "2028-01-01", "" },
    { "the same length each time, as RFC 5545 has it", ICS(EVENT("DTSTART;TZID=Europe/Zurich:20260322T020000\r\nDTEND;TZID=Europe/Zurich:20260322T040000\r\nRRULE:FREQ=WEEKLY;COUNT=2\r\n")),
      "2026-01-01", "2028-01-01", "2026-03-22T01:00/03:00 2026-03-29T01:00/03:00" },
    { "folded lines, words of others, an alarm", ICS("X-WR-CALNAME:Freezes of the\r\n  year\r\n" EVENT("DTSTART:20261218T18\r\n 0000Z\r\nDTEND:20261219T060000Z\r\nSUMMARY:Jahresende\\, alles\r\nX-OURS:1\r\n"
                                                   "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:x\r\nTRIGGER:-PT15M\r\nEND:VALARM\r\n")), "2026-01-01", "2028-01-01", "2026-12-18T18:00/2026-12-19T06:00" },
    { "lines as Unix has them", "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:t\nBEGIN:VEVENT\nUID:1\nDTSTART:20261218T180000Z\nDTEND:20261219T060000Z\nEND:VEVENT\nEND:VCALENDAR\n", "2026-01-01", "2028-01-01",
      "2026-12-18T18:00/2026-12-19T06:00" },
    { "nothing planned", ICS(""), "2026-01-01", "2028-01-01", "" },
};

Test(calendar, ics_files)
{
    struct ft_zone *z = zone("Europe/Zurich");

    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        struct ft_calendar *calendar = NULL;
        struct ft_err err = { 0 };

        cr_expect_eq(ft_calendar_ics(files[i].text, strlen(files[i].text), z, &calendar, &err), 0, "%s: %s", files[i].name, err.text);
        if (calendar)
            expect_spans(files[i].name, calendar, files[i].since, files[i].until, files[i].want);
        ft_calendar_free(calendar);
    }
    ft_zone_free(z);
}

static const struct { const char *text, *says; } broken[] = {
    { "", "cut off" },
    { "no calendar", "cut off" },
    { "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:20261218T180000Z\r\n", "cut off" },
    { ICS(EVENT("DTEND:20261219T060000Z\r\n")), "no DTSTART" },
    { ICS(EVENT("DTSTART:yesterday\r\n")), "" },
    { ICS(EVENT("DTSTART:20261218T180000Z\r\nDTEND:20261217T060000Z\r\n")), "ends before it begins" },
    { ICS(EVENT("DTSTART;TZID=Nowhere:20261218T180000\r\n")), "the time zone 'Nowhere' is not known here" },
    { ICS(EVENT("DTSTART:20261218T180000Z\r\nRRULE:FREQ=SOMETIMES\r\n")), "" },
    { ICS(EVENT("DTSTART:20261218T180000Z\r\nRRULE:FREQ=SECONDLY\r\n")), "finer than a day" },
    { ICS(EVENT("DTSTART:20261218T180000Z\r\nRRULE:FREQ=DAILY\r\nEXRULE:FREQ=WEEKLY\r\n")), "EXRULE" },
    { ICS(EVENT("DTSTART:20261218T180000Z\r\nRRULE:FREQ=DAILY\r\nRRULE:FREQ=WEEKLY\r\n")), "two RRULEs" },
    { ICS(EVENT("RECURRENCE-ID;RANGE=THISANDFUTURE:20261218T180000Z\r\nDTSTART:20261218T180000Z\r\n")), "RANGE" },
    { ICS(EVENT("DTSTART:20261101T020000Z\r\nRDATE;VALUE=PERIOD:20261103T020000Z/20261102T090000Z\r\n")), "ends before it begins" },
};

Test(calendar, ics_files_that_cannot_be_read_are_refused)
{
    struct ft_zone *z = zone("Europe/Zurich");

    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        struct ft_calendar *calendar = NULL;
        struct ft_err err = { 0 };

        cr_expect_lt(ft_calendar_ics(broken[i].text, strlen(broken[i].text), z, &calendar, &err), 0, "%s is read", broken[i].text);
        cr_expect(strstr(err.text, broken[i].says), "%s\nsays: %s", broken[i].text, err.text);
        ft_calendar_free(calendar);
    }
    ft_zone_free(z);
}

/* ---- sets of times */

Test(calendar, sets_of_times)
{
    enum { N = 200 };
    unsigned seed = 7;

    for (int round = 0; round < 300; round++) {
        bool in[2][N] = { 0 };
        struct ft_spans set[2] = { 0 }, both = { 0 }, less = { 0 };

        for (int which = 0; which < 2; which++)
            for (int i = rand_r(&seed) % 12; i > 0; i--) {
                int from = rand_r(&seed) % N, to = from + rand_r(&seed) % 30;

                ft_spans_add(&set[which], from, to);
                ft_spans_add(which ? &less : &both, 0, 0);
                for (int t = from; t < to && t < N; t++)
                    in[which][t] = true;
            }
        for (size_t i = 0; i < set[0].count; i++) {
            ft_spans_add(&both, set[0].items[i].from, set[0].items[i].to);
            ft_spans_add(&less, set[0].items[i].from, set[0].items[i].to);
        }
        ft_spans_intersect(&both, &set[1]);
        ft_spans_subtract(&less, &set[1]);
        for (int t = 0; t < N; t++) {
            cr_assert_eq(ft_spans_at(&set[0], t) != NULL, in[0][t], "at %d", t);
            cr_assert_eq(ft_spans_at(&both, t) != NULL, in[0][t] && in[1][t], "both, at %d", t);
            cr_assert_eq(ft_spans_at(&less, t) != NULL, in[0][t] && !in[1][t], "less, at %d", t);
        }
        for (size_t i = 1; i < less.count; i++)
            cr_assert_lt(less.items[i - 1].to, less.items[i].from);
        for (int which = 0; which < 2; which++)
            ft_spans_done(&set[which]);
        ft_spans_done(&both);
        ft_spans_done(&less);
    }
}
