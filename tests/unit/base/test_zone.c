/* Local times: against what the C library makes of the same zones, and at the hours that clocks jump over or show twice. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>
#include "base/util.h"
#include "base/zone.h"

static const char *const names[] = {
    "UTC", "Europe/Zurich", "America/New_York", "America/Sao_Paulo", "Asia/Kathmandu", "Asia/Tehran", "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Chatham", "Africa/Casablanca",
    "Antarctica/Troll", "America/St_Johns", "Europe/Dublin",
};

static struct ft_zone *zone(const char *name)
{
    struct ft_zone *z = NULL;
    struct ft_err err = { 0 };

    cr_assert_eq(ft_zone_open(name, &z, &err), 0, "%s", err.text);
    return z;
}

Test(zone, as_the_c_library_has_it)
{
    unsigned seed = 3, compared = 0;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct ft_zone *z = zone(names[i]);

        setenv("TZ", names[i], 1);
        tzset();
        for (int k = 0; k < 4000; k++) {
            time_t t = (time_t)(((uint64_t)rand_r(&seed) << 20 ^ (uint64_t)rand_r(&seed)) % 4900000000ull);      /* to 2125 */
            const char *abbr;
            struct tm tm;
            int64_t first, last;
            int32_t offset = ft_zone_offset(z, t, &abbr);

            localtime_r(&t, &tm);
            cr_assert_eq(offset, tm.tm_gmtoff, "%s at %lld: %d, not %ld", names[i], (long long)t, offset, tm.tm_gmtoff);
            cr_assert_str_eq(abbr, tm.tm_zone);
            cr_assert_gt(ft_zone_utc(z, t + offset, &first, &last), 0);
            cr_assert(first == t || last == t, "%s: the local time of %lld is not found again", names[i], (long long)t);
            compared++;
        }
        ft_zone_free(z);
    }
    cr_expect_gt(compared, 50000);
}

static void expect_utc(const struct ft_zone *z, const char *local, int want, const char *first, const char *last)
{
    int64_t s, a, b, want_a, want_b;

    cr_assert_eq(ft_local_parse(local, &s, NULL), 0);
    cr_assert_eq(ft_local_parse(first, &want_a, NULL), 0);
    cr_assert_eq(ft_local_parse(last, &want_b, NULL), 0);
    cr_expect_eq(ft_zone_utc(z, s, &a, &b), want, "%s", local);
    cr_expect(a == want_a && b == want_b, "%s is %lld and %lld", local, (long long)a, (long long)b);
}

Test(zone, hours_that_are_not_there_and_hours_that_come_twice)
{
    struct ft_zone *z = zone("Europe/Zurich");

    expect_utc(z, "2026-03-29 01:59", 1, "2026-03-29 00:59", "2026-03-29 00:59");
    expect_utc(z, "2026-03-29 02:00", 0, "2026-03-29 01:00", "2026-03-29 01:00");
    expect_utc(z, "2026-03-29 02:59", 0, "2026-03-29 01:00", "2026-03-29 01:00");
    expect_utc(z, "2026-03-29 03:00", 1, "2026-03-29 01:00", "2026-03-29 01:00");
    expect_utc(z, "2026-10-25 02:30", 2, "2026-10-25 00:30", "2026-10-25 01:30");
    expect_utc(z, "2026-10-25 03:00", 1, "2026-10-25 02:00", "2026-10-25 02:00");
    ft_zone_free(z);
}

Test(zone, names_that_are_none)
{
    static const char *const wrong[] = { "", "Mars/Olympus", "../../etc/passwd", "/etc/passwd", "Europe", "Europe/", ".", "Europe/Z\xc3\xbcrich" };

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct ft_zone *z = NULL;
        struct ft_err err = { 0 };

        cr_expect_lt(ft_zone_open(wrong[i], &z, &err), 0, "'%s' is taken", wrong[i]);
        cr_expect(strstr(err.text, "time zone"), "%s", err.text);
    }
}

Test(zone, the_machines_own)
{
    struct ft_zone *z;

    setenv("TZ", ":America/New_York", 1);
    z = zone(NULL);
    cr_expect_eq(ft_zone_offset(z, 1790000000, NULL), -4 * 3600);
    ft_zone_free(z);
    setenv("TZ", "XXX-2YYY,M3.5.0,M10.5.0/3", 1);
    z = zone(NULL);
    cr_expect_eq(ft_zone_offset(z, 1790000000, NULL), 3 * 3600);
    ft_zone_free(z);
    unsetenv("TZ");
    z = zone(NULL);
    ft_zone_free(z);
}

Test(zone, local_times_as_text)
{
    static const char *const wrong[] = { "", "2026", "2026-13-01", "2026-02-29", "2026-02-30", "2026-1-1", "2026-01-01x", "2026-01-01 25:00", "2026-01-01 24:01", "2026-01-01 10:60", "2026-01-01 10", "1969-01-01",
                                         "2026-01-01T10:00:00Z" };
    int64_t s;
    bool date;

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        cr_expect_eq(ft_local_parse(wrong[i], &s, &date), -EINVAL, "'%s' is taken", wrong[i]);
    cr_expect(ft_local_parse("2028-02-29", &s, &date) == 0 && date && s == 1835395200);
    cr_expect(ft_local_parse("2026-11-26T10:00:30", &s, &date) == 0 && !date && s == 1795687230);
    cr_expect(ft_local_parse("2026-11-26 24:00", &s, &date) == 0 && s == 1795737600);
}
