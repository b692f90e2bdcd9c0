#include <criterion/criterion.h>
#include <errno.h>
#include "base/clock.h"
#include "base/util.h"

static const struct { const char *in; int code; uint64_t ms; } times[] = {
    { "1970-01-01T00:00:00Z",            0, 0 },
    { "2026-11-21T02:13:05.120Z",        0, 1795227185120 },
    { "2026-11-21T02:13:05Z",            0, 1795227185000 },
    { "2026-11-21t02:13:05z",            0, 1795227185000 },
    { "2026-11-21 02:13:05Z",            0, 1795227185000 },
    { "2026-11-21T03:43:05+01:30",       0, 1795227185000 },
    { "2026-11-20T18:13:05-08:00",       0, 1795227185000 },
    { "2026-11-21T02:13:05.1Z",          0, 1795227185100 },
    { "2026-11-21T02:13:05.1239999999Z", 0, 1795227185123 },
    { "2024-02-29T00:00:00Z",            0, 1709164800000 },
    { "2000-02-29T00:00:00Z",            0, 951782400000 },
    { "1998-12-31T23:59:60Z",            0, 915148800000 },      /* a leap second */
    { "1998-12-31T15:59:60-08:00",       0, 915148800000 },
    { "9999-12-31T23:59:59Z",            0, 253402300799000 },
    { "1969-12-31T23:59:59Z",      -ERANGE, 0 },
    { "1970-01-01T00:00:00+01:00", -ERANGE, 0 },
    { "2026-11-21T02:13:60Z",      -EINVAL, 0 },
    { "2023-02-29T00:00:00Z",      -EINVAL, 0 },
    { "1900-02-29T00:00:00Z",      -EINVAL, 0 },
    { "2026-13-01T00:00:00Z",      -EINVAL, 0 },
    { "2026-00-01T00:00:00Z",      -EINVAL, 0 },
    { "2026-04-31T00:00:00Z",      -EINVAL, 0 },
    { "2026-04-00T00:00:00Z",      -EINVAL, 0 },
    { "2026-04-01T24:00:00Z",      -EINVAL, 0 },
    { "2026-04-01T00:60:00Z",      -EINVAL, 0 },
    { "2026-04-01T00:00:00",       -EINVAL, 0 },               /* whose midnight? */
    { "2026-04-01T00:00:00.Z",     -EINVAL, 0 },
    { "2026-04-01T00:00:00+24:00", -EINVAL, 0 },
    { "2026-04-01T00:00:00+0100",  -EINVAL, 0 },
    { "2026-04-01T00:00Z",         -EINVAL, 0 },
    { "2026-04-01",                -EINVAL, 0 },
    { "2026-4-1T00:00:00Z",        -EINVAL, 0 },
    { "2026-04-01T00:00:00Z ",     -EINVAL, 0 },
    { "",                          -EINVAL, 0 },
};

Test(time, is_read_as_rfc_3339_says)
{
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        uint64_t ms = 42;
        int r = ft_time_parse(times[i].in, &ms);

        cr_expect_eq(r, times[i].code, "'%s' gave %d", times[i].in, r);
        cr_expect_eq(ms, r < 0 ? 42 : times[i].ms, "'%s' gave %llu", times[i].in, (unsigned long long)ms);
    }
}

Test(time, is_written_as_it_is_read)
{
    static const uint64_t moments[] = { 0, 1, 951782400000, 1795227185120, 253402300799999 };
    char text[32];

    for (size_t i = 0; i < ARRAY_LEN(moments); i++) {
        uint64_t again = 0;

        ft_time_format(moments[i], text, sizeof(text));
        cr_expect_eq(ft_time_parse(text, &again), 0, "'%s'", text);
        cr_expect_eq(again, moments[i], "%llu became '%s'", (unsigned long long)moments[i], text);
    }
    cr_expect_str_eq(ft_time_format(1795227185120, text, sizeof(text)), "2026-11-21T02:13:05.120Z");
    cr_expect_str_eq(ft_time_format(UINT64_MAX, text, sizeof(text)), "9999-12-31T23:59:59.999Z");
}

Test(clock, a_manual_one_moves_only_when_moved)
{
    struct ft_clock *clock = ft_clock_manual_new(1795227185120);
    uint64_t start = ft_clock_mono_us(clock);

    cr_expect(ft_clock_is_manual(clock));
    cr_expect_eq(ft_clock_wall_ms(clock), 1795227185120);
    ft_clock_advance(clock, 1500);
    cr_expect_eq(ft_clock_wall_ms(clock), 1795227185121);
    cr_expect_eq(ft_clock_mono_us(clock), start + 1500);
    ft_clock_set_wall(clock, 1000);
    cr_expect_eq(ft_clock_wall_ms(clock), 1000);
    cr_expect_eq(ft_clock_mono_us(clock), start + 1500, "setting the wall clock back must not move the other one");
    cr_expect_null(ft_clock_free(clock));
}

Test(clock, the_system_s_is_never_freed_and_does_not_go_back)
{
    struct ft_clock *clock = ft_clock_system();
    uint64_t before = ft_clock_mono_us(clock);

    cr_expect_null(ft_clock_free(clock));
    cr_expect_null(ft_clock_free(NULL));
    cr_expect_not(ft_clock_is_manual(clock));
    cr_expect_geq(ft_clock_mono_us(clock), before);
    cr_expect_gt(ft_clock_wall_ms(clock), 1700000000000);
}
