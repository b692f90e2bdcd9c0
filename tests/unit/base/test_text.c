#include <criterion/criterion.h>
#include <errno.h>
#include "base/text.h"
#include "base/util.h"

/* ---- Durations --------------------------------------------------------------------------------------------------- */

static const struct { const char *in; int code; uint64_t ms; } durations[] = {
    { "30s",      0,       30000 },
    { "250ms",    0,       250 },
    { "5m",       0,       300000 },
    { "1.5h",     0,       5400000 },
    { "2d",       0,       172800000 },
    { "1w",       0,       604800000 },
    { "0s",       0,       0 },
    { "0.5s",     0,       500 },
    { "0.001s",   0,       1 },
    { "0.0010s",  0,       1 },
    { "366d",     0,       366ull * 86400000 },
    { "0.25m",    0,       15000 },
    { "",        -EINVAL,  0 },
    { "30",      -EINVAL,  0 },
    { "s",       -EINVAL,  0 },
    { "-1s",     -EINVAL,  0 },
    { "+1s",     -EINVAL,  0 },
    { "1 s",     -EINVAL,  0 },
    { " 1s",     -EINVAL,  0 },
    { "1s ",     -EINVAL,  0 },
    { "1S",      -EINVAL,  0 },
    { "1h30m",   -EINVAL,  0 },
    { "1.s",     -EINVAL,  0 },
    { ".5s",     -EINVAL,  0 },
    { "1.2.3s",  -EINVAL,  0 },
    { "1e3s",    -EINVAL,  0 },
    { "0.0001s", -EINVAL,  0 },          /* less than a millisecond is not 0 */
    { "0.5ms",   -EINVAL,  0 },
    { "1.00000000000000000000001s", -EINVAL, 0 },
    { "367d",    -ERANGE,  0 },
    { "366.1d",  -ERANGE,  0 },
    { "53w",     -ERANGE,  0 },
    { "31622400001ms", -ERANGE, 0 },
    { "30500568905w",  -ERANGE, 0 },     /* times a week this wraps around to little */
    { "99999999999999999999999s", -ERANGE, 0 },
};

Test(duration, reads_what_playbooks_write)
{
    for (size_t i = 0; i < ARRAY_LEN(durations); i++) {
        uint64_t ms = 42;
        int r = ft_duration_parse(durations[i].in, &ms);

        cr_expect_eq(r, durations[i].code, "'%s' gave %d", durations[i].in, r);
        cr_expect_eq(ms, r < 0 ? 42 : durations[i].ms, "'%s' gave %llu ms", durations[i].in, (unsigned long long)ms);
    }
}

static const struct { uint64_t ms; const char *out; } shown[] = {
    { 0, "0 ms" }, { 310, "310 ms" }, { 999, "999 ms" }, { 1000, "1 s" }, { 1499, "1 s" }, { 1500, "2 s" }, { 6000, "6 s" },
    { 59499, "59 s" }, { 59500, "1 min" }, { 60000, "1 min" }, { 134000, "2 min 14 s" }, { 3599499, "59 min 59 s" },
    { 3599500, "1 h" }, { 14580000, "4 h 3 min" }, { 86399000, "1 d" }, { 266400000, "3 d 2 h" }, { 86400000, "1 d" },
    { 31622400000, "366 d" }, { UINT64_MAX, "213503982334 d 14 h" },
};

Test(duration, is_shown_in_two_units)
{
    char buf[64];

    for (size_t i = 0; i < ARRAY_LEN(shown); i++)
        cr_expect_str_eq(ft_duration_format(shown[i].ms, buf, sizeof(buf)), shown[i].out, "%llu ms: '%s', not '%s'",
                         (unsigned long long)shown[i].ms, buf, shown[i].out);
}

Test(duration, is_cut_to_the_buffer)
{
    char buf[5];

    cr_assert_str_eq(ft_duration_format(134000, buf, sizeof(buf)), "2 mi");
}

/* ---- Addresses --------------------------------------------------------------------------------------------------- */

static const struct { const char *in, *out; } macs[] = {
    { "a4:83:e7:12:34:56", "a4:83:e7:12:34:56" },
    { "A4-83-E7-12-34-56", "a4:83:e7:12:34:56" },
    { "a483.e712.3456",    "a4:83:e7:12:34:56" },
    { "A483-E712-3456",    "a4:83:e7:12:34:56" },      /* Huawei, H3C */
    { "a483e7-123456",     "a4:83:e7:12:34:56" },      /* Aruba, HP */
    { "a483e7123456",      "a4:83:e7:12:34:56" },
    { "00:00:00:00:00:00", "00:00:00:00:00:00" },
    { "",                  NULL },
    { "a4:83:e7:12:34",    NULL },
    { "a4:83:e7:12:34:5",  NULL },
    { "a4:83:e7:12:34:56:", NULL },
    { ":a4:83:e7:12:34:56", NULL },
    { "a4:83:e7:12:34:56:78", NULL },
    { "a4:83-e7:12:34:56", NULL },
    { "a4::83e7:12:34:56", NULL },
    { "a483.e712.345",     NULL },
    { "a483e71234567",     NULL },
    { "a483e712345g",      NULL },
    { "a4 83 e7 12 34 56", NULL },
    { "client-7",          NULL },
};

Test(address, a_mac_is_normalised_from_any_notation)
{
    for (size_t i = 0; i < ARRAY_LEN(macs); i++) {
        char out[18] = "kept";
        int r = ft_mac_normalise(macs[i].in, out);

        cr_expect_eq(r, macs[i].out ? 0 : -EINVAL, "'%s' gave %d", macs[i].in, r);
        cr_expect_str_eq(out, macs[i].out ? macs[i].out : "kept", "'%s' gave '%s'", macs[i].in, out);
    }
}

static const struct { const char *in; int family; } ips[] = {
    { "10.0.0.1", 4 }, { "255.255.255.255", 4 }, { "::1", 6 }, { "2001:db8::7", 6 }, { "::ffff:10.0.0.1", 6 },
    { "10.0.0", -EINVAL }, { "10.0.0.256", -EINVAL }, { "10.0.0.01", -EINVAL }, { "10.0.0.1/24", -EINVAL }, { "", -EINVAL },
    { "fe80::1%eth0", -EINVAL }, { "1::2::3", -EINVAL }, { "0x0a000001", -EINVAL }, { " 10.0.0.1", -EINVAL },
};

Test(address, an_ip_is_known_by_its_family)
{
    for (size_t i = 0; i < ARRAY_LEN(ips); i++)
        cr_expect_eq(ft_ip_check(ips[i].in), ips[i].family, "'%s' gave %d", ips[i].in, ft_ip_check(ips[i].in));
}

static const struct { const char *in; int family; } cidrs[] = {
    { "10.1.2.0/24", 4 }, { "0.0.0.0/0", 4 }, { "10.1.2.3/32", 4 }, { "10.1.2.128/25", 4 }, { "2001:db8::/32", 6 }, { "::1/128", 6 },
    { "::/0", 6 },
    { "10.1.2.3/24", -EINVAL },          /* a host's address with its mask is no network */
    { "10.1.2.64/25", -EINVAL }, { "2001:db8::1/64", -EINVAL },
    { "10.1.2.0/33", -EINVAL }, { "::/129", -EINVAL }, { "10.1.2.0", -EINVAL }, { "10.1.2.0/", -EINVAL }, { "/24", -EINVAL },
    { "10.1.2.0/024", -EINVAL }, { "10.1.2.0/+24", -EINVAL }, { "10.1.2.0/24/24", -EINVAL }, { "10.1.2.0/255.255.255.0", -EINVAL },
    { "10.1.2.0/4294967320", -EINVAL },
    { "1111:1111:1111:1111:1111:1111:1111:1111:1111:1111/64", -EINVAL },
};

Test(address, a_network_has_no_host_bits)
{
    for (size_t i = 0; i < ARRAY_LEN(cidrs); i++)
        cr_expect_eq(ft_cidr_check(cidrs[i].in), cidrs[i].family, "'%s' gave %d", cidrs[i].in, ft_cidr_check(cidrs[i].in));
}

/* ---- Names ------------------------------------------------------------------------------------------------------- */

static const struct { const char *name; bool ok; } names[] = {
    { "client", true }, { "rssi_floor", true }, { "a", true }, { "ap2", true }, { "ending", true }, { "nothing", true },
    { "", false }, { "Client", false }, { "2ap", false }, { "_x", false }, { "a-b", false }, { "a.b", false }, { "größe", false },
    { "end", false }, { "not", false }, { "goto", false }, { "nil", false }, { "true", false }, { "while", false }, { "a b", false },
};

Test(names, are_lua_names_and_no_lua_words)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        cr_expect_eq(ft_name_ok(names[i].name), names[i].ok, "'%s'", names[i].name);
}

static const char *const known[] = {
    "associated", "authorized", "client", "last_ap", "rssi", "snr", "num_clients", "mac", "site", "id", NULL,
};

static const struct { const char *typed, *meant; } slips[] = {
    { "asociated",  "associated" },      /* left out */
    { "associatedd", "associated" },     /* doubled */
    { "assocaited", "associated" },      /* swapped */
    { "clinet",     "client" },
    { "Client",     "client" },
    { "CLIENT",     "client" },
    { "last-ap",    "last_ap" },
    { "num-Clients", "num_clients" },
    { "rsi",        "rssi" },
    { "sit",        "site" },
    { "mca",        "mac" },
    { "authorised", "authorized" },
    { "ID",         "id" },
    { "client",     NULL },              /* is one: nothing to suggest */
    { "x",          NULL },              /* one slip away from "a" of anything is no reason */
    { "",           NULL },
    { "throughput", NULL },
    { "abc",        NULL },
    { "colour",     NULL },
};

Test(suggest, finds_slips_of_the_fingers_only)
{
    for (size_t i = 0; i < ARRAY_LEN(slips); i++) {
        const char *found = ft_suggest(slips[i].typed, known);

        cr_expect(ft_streq(found, slips[i].meant), "'%s' gave '%s', not '%s'", slips[i].typed, found ? found : "nothing",
                  slips[i].meant ? slips[i].meant : "nothing");
    }
}

Test(suggest, prefers_the_nearest)
{
    static const char *const near[] = { "interfaces", "interface", "interval", NULL };
    static const char *const folded[] = { "max_time", "max-tame", NULL };

    cr_expect_str_eq(ft_suggest("interfac", near), "interface");
    cr_expect_str_eq(ft_suggest("max-time", folded), "max_time");
}

Test(suggest, does_not_mind_long_names)
{
    char longname[200];
    const char *const lists[] = { longname, NULL };

    memset(longname, 'a', sizeof(longname) - 1);
    longname[sizeof(longname) - 1] = '\0';
    cr_expect_null(ft_suggest("aaaaaaaaaa", lists));
    cr_expect_null(ft_suggest(longname, known));
}

/* ---- UTF-8 ------------------------------------------------------------------------------------------------------- */

static const struct { const char *text; bool valid; size_t width; } texts[] = {
    { "", true, 0 },
    { "abc", true, 3 },
    { "größer", true, 6 },
    { "…", true, 1 },
    { "漢字", true, 4 },
    { "e\xcc\x81", true, 1 },                    /* e with a combining accent */
    { "\xf0\x9f\x98\x80", true, 2 },
    { "\xff", false, 1 },
    { "a\xc3", false, 2 },                       /* cut off */
    { "\xc0\xaf", false, 2 },                    /* overlong / */
    { "\xe0\x80\xaf", false, 3 },
    { "\xed\xa0\x80", false, 3 },                /* half of a surrogate pair */
    { "\xf4\x90\x80\x80", false, 4 },            /* beyond U+10FFFF */
    { "\x80", false, 1 },
};

Test(utf8, knows_valid_text_and_its_columns)
{
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        size_t len = strlen(texts[i].text);

        cr_expect_eq(ft_utf8_valid(texts[i].text, len), texts[i].valid, "row %zu", i);
        cr_expect_eq(ft_text_width(texts[i].text, len), texts[i].width, "row %zu took %zu columns", i, ft_text_width(texts[i].text, len));
    }
}
