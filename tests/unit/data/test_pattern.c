#include <criterion/criterion.h>
#include <locale.h>
#include "base/util.h"
#include "data/format.h"
#include "data/pattern.h"

static const struct { const char *pattern, *text; bool matches; } matches[] = {
    { "ap", "the ap-7", true },
    { "^ap", "the ap-7", false },
    { "^ap-[0-9]+$", "ap-17", true },
    { "^ap-[0-9]+$", "ap-17\n", false },
    { "^[a-z]{1,3}$", "abc", true },
    { "^[a-z]{1,3}$", "abcd", false },
    { "^a{2,}$", "aaaaa", true },
    { "^a{2,}$", "a", false },
    { "^\\d{3}$", "123", true },
    { "^\\d{3}$", "12x", false },
    { "^\\d+$", "١٢", false },                    /* digits are ASCII's */
    { "^\\w+$", "ap_7", true },
    { "^\\w+$", "ap-7", false },
    { "^\\w+$", "süß", false },
    { "^\\S+$", "süß", true },
    { "^\\S+$", "a b", false },
    { "^\\s$", "\t", true },
    { "^\\W$", "ü", true },
    { "^\\D$", "ü", true },
    { "[\\d.]", ".", true },
    { "[\\w-]", "-", true },
    { "^[^\\w]$", "ü", true },
    { "^[^\\W]$", "ü", false },
    { "^[^\\W]$", "x", true },
    { "^[\\s\\S]$", "\n", true },
    { "^[\\s\\S]$", "😀", true },
    { "^.$", "ü", true },
    { "^.$", "ü!", false },
    { "^.$", "\n", false },
    { "^.{3}$", "漢字😀", true },
    { "^.{2}$", "漢字😀", false },
    { "^[ä-ö]$", "å", true },
    { "^[ä-ö]$", "ü", false },
    { "^[^ä]$", "ö", true },
    { "^[^ä]$", "ä", false },
    { "^[^ä-öx]$", "x", false },
    { "^[a-ö]$", "é", true },
    { "^[\\u0001-\\uffff]$", "漢", true },
    { "^[\\u0001-\\uffff]$", "😀", false },
    { "^[\\ud83d\\ude00-\\ud83d\\ude4f]$", "😁", true },
    { "^ü?x$", "x", true },
    { "^ü*x$", "üüx", true },
    { "^ü{2}$", "üü", true },
    { "[\\]]", "]", true },
    { "[\\]]", "a", false },
    { "[\\[.]", "[", true },
    { "[\\[:]", ":", true },
    { "[\\[=a]", "a", true },
    { "[\\^]", "^", true },
    { "[\\^]", "a", false },
    { "[\\^-]", "-", true },
    { "[\\^-]", "a", false },
    { "[\\^\\-\\]\\[]", "[", true },
    { "[a\\-z]", "m", false },
    { "[a\\-z]", "-", true },
    { "[-a]", "-", true },
    { "[a-]", "-", true },
    { "[!-~]", "]", true },
    { "[!-~]", "-", true },
    { "[!-~]", "ü", false },
    { "[^!-~]", "]", false },
    { "^[^^]$", "^", false },
    { "^[^^]$", "a", true },
    { "^[$.*+?(){}|/]+$", "$.*+?(){}|/", true },
    { "^\\$\\.\\*\\+\\?\\(\\)\\{\\}\\[\\]\\|\\^\\/\\\\$", "$.*+?(){}[]|^/\\", true },
    { "^a.c$", "abc", true },
    { "^a\\.c$", "abc", false },
    { "^(?:ab|cd)+$", "abcd", true },
    { "^(ab|cd){2}$", "abcdab", false },
    { "^(|a)b$", "b", true },
    { "^()$", "", true },
    { "a||b", "", true },
    { "^a+?b$", "aab", true },
    { "^a+?b$", "b", false },                     /* a lazy + is no ? */
    { "^a??b*?c{2,3}?$", "abcc", true },
    { "^a{0}b$", "b", true },
    { "^(a{0,2}){3}$", "aaaaaa", true },
    { "^\\t\\x41\\u00e9$", "\tAé", true },
    { "^a|b$", "xb", true },
    { "", "anything", true },
    { "}", "}", true },
    { "]", "]", true },
};

static const char *const refused[] = {
    "(", "a)", "(()", "*a", "a**", "a{2}{3}", "^*", "(*a)", "|*", "a|+", "[a", "[z-a]", "[]", "[^]", "[\\d-z]", "[a-\\d]", "a{", "a{x}",
    "a{2,1}", "a{1001}", "a{99999999999999999999}", "((a{100}){100})", "(?=x)", "(?!x)", "(?<n>x)", "\\b", "\\B", "\\1", "\\p{L}", "\\k<n>",
    "\\", "[\\", "\\q", "\\u12", "\\xg1", "\\ud800", "\\ud800\\u0041", "\\0", "\\u0000", "[\\u0000-\\uffff]", "[^\\s\\S]", "\xff", "\\\xc3\xa4",
};

Test(pattern, matches_as_ecma_says)
{
    for (size_t i = 0; i < ARRAY_LEN(matches); i++) {
        struct ft_pattern *pattern = NULL;
        struct ft_err err;

        cr_assert_eq(ft_pattern_new(matches[i].pattern, &pattern, &err), 0, "/%s/: %s", matches[i].pattern, err.text);
        cr_expect_eq(ft_pattern_match(pattern, matches[i].text, strlen(matches[i].text)), matches[i].matches, "/%s/ and '%s'",
                     matches[i].pattern, matches[i].text);
        cr_expect_str_eq(ft_pattern_text(pattern), matches[i].pattern);
        cr_expect_null(ft_pattern_free(pattern));
    }
    cr_expect_null(ft_pattern_free(NULL));
}

Test(pattern, what_is_not_supported_is_refused_and_not_guessed)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct ft_pattern *pattern = NULL;
        struct ft_err err = { 0 };

        cr_expect_eq(ft_pattern_new(refused[i], &pattern, &err), -EINVAL, "/%s/", refused[i]);
        cr_expect_eq(strncmp(err.text, "the pattern ", 12), 0, "/%s/: %s", refused[i], err.text);
        ft_pattern_free(pattern);
    }
}

Test(pattern, does_not_depend_on_the_locale)
{
    static const char *const locales[] = { "C", "C.UTF-8" };

    for (size_t i = 0; i < ARRAY_LEN(locales); i++) {
        struct ft_pattern *pattern = NULL;

        cr_assert(setlocale(LC_ALL, locales[i]), "%s", locales[i]);
        cr_assert_eq(ft_pattern_new("^[ä-ö].$", &pattern, NULL), 0);
        cr_expect(ft_pattern_match(pattern, "å😀", strlen("å😀")), "%s", locales[i]);
        cr_expect_not(ft_pattern_match(pattern, "å", strlen("å")), "%s", locales[i]);
        ft_pattern_free(pattern);
    }
}

Test(pattern, a_nul_is_in_no_class_and_does_not_end_the_text)
{
    struct ft_pattern *pattern = NULL;

    cr_assert_eq(ft_pattern_new("^a[^x]?.?$", &pattern, NULL), 0);
    cr_expect_not(ft_pattern_match(pattern, "a\0b", 3));
    cr_expect_not(ft_pattern_match(pattern, "a\0", 2));
    cr_expect(ft_pattern_match(pattern, "abc", 3));
    ft_pattern_free(pattern);
    cr_assert_eq(ft_pattern_new("b$", &pattern, NULL), 0);
    cr_expect(ft_pattern_match(pattern, "a\0b", 3));
    ft_pattern_free(pattern);
}

/* What keeps a backtracking engine busy until the sun goes out. */
Test(pattern, time_does_not_explode, .timeout = 10)
{
    static const char *const evil[] = { "^(a+)+$", "^(a|a)*$", "^(.*)*$", "^([a-z]+)*!$", "(x+x+)+y" };
    char *text = ft_calloc(1, 20001);

    memset(text, 'a', 20000);
    text[19999] = '?';
    for (size_t i = 0; i < ARRAY_LEN(evil); i++) {
        struct ft_pattern *pattern = NULL;

        cr_assert_eq(ft_pattern_new(evil[i], &pattern, NULL), 0);
        cr_expect_eq(ft_pattern_match(pattern, text, 20000), i == 2, "/%s/", evil[i]);
        ft_pattern_free(pattern);
    }
    free(text);
}

Test(pattern, sizes_are_bounded)
{
    char *long_pattern = ft_calloc(1, 5000), *long_text = ft_calloc(1, 65538);
    struct ft_pattern *pattern = NULL;
    struct ft_err err;

    memset(long_pattern, 'a', 4097);
    memset(long_text, 'a', 65537);
    cr_expect_eq(ft_pattern_new(long_pattern, &pattern, &err), -EINVAL);
    cr_expect_str_eq(err.text, "the pattern is longer than 4096 bytes");
    cr_assert_eq(ft_pattern_new("a", &pattern, &err), 0);
    cr_expect(ft_pattern_match(pattern, long_text, 65536));
    cr_expect_not(ft_pattern_match(pattern, long_text, 65537), "a subject beyond the bound does not match");
    ft_pattern_free(pattern);
    free(long_pattern);
    free(long_text);
}

/* ---- Formats ----------------------------------------------------------------------------------------------------- */

static const struct { const char *format, *text; bool ok; } formats[] = {
    { "mac", "A483.E712.3456", true }, { "mac", "a4:83", false },
    { "ipv4", "10.0.0.1", true }, { "ipv4", "::1", false }, { "ipv6", "::1", true }, { "ipv6", "10.0.0.1", false },
    { "ip", "::1", true }, { "ip", "10.0.0.1", true }, { "ip", "10.0.0.1/8", false },
    { "cidr", "10.0.0.0/8", true }, { "cidr", "10.0.0.1/8", false },
    { "duration", "1.5h", true }, { "duration", "P1D", false }, { "duration", "400d", false },
    { "date-time", "1963-06-19T08:30:06.283185Z", true }, { "date-time", "1963-06-19", false },
    { "uuid", "2eb8aa08-aa98-11ea-b4aa-73b441d16380", true }, { "uuid", "2EB8AA08-AA98-11EA-B4AA-73B441D16380", true },
    { "uuid", "2eb8aa08aa9811eab4aa73b441d16380", false }, { "uuid", "2eb8aa08-aa98-11ea-b4aa-73b441d1638", false },
    { "uuid", "2eb8aa08-aa98-11ea-b4aa-73b441d163800", false }, { "uuid", "", false }, { "uuid", "2eb8aa08-aa98-11ea-b4aa-73b441d1638g", false },
    { "hostname", "sw-3.hq.example.com", true }, { "hostname", "localhost", true }, { "hostname", "10.0.0.1", true },
    { "hostname", "-x.com", false }, { "hostname", "x-.com", false }, { "hostname", "a..b", false }, { "hostname", "", false },
    { "hostname", "a_b", false }, { "hostname", "a.", false }, { "hostname", "a b", false },
    { "hostname", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true },
    { "hostname", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false },
    { "email", "noc@example.com", true }, { "email", "root@localhost", true }, { "email", "a.b+c@x.de", true },
    { "email", "noc", false }, { "email", "@x", false }, { "email", "a@", false }, { "email", ".a@x", false }, { "email", "a.@x", false },
    { "email", "a..b@x", false }, { "email", "a b@x", false }, { "email", "a@b@c", false }, { "email", "noc@example.com\nBcc: x@y", false },
    { "uri", "https://api.mist.com/api/v1/sites?x=1#y", true }, { "uri", "https://[2001:db8::1]:8443/x", true },
    { "uri", "https://u:p%40@h:80", true }, { "uri", "urn:a:b", true }, { "uri", "mailto:noc@example.com", true }, { "uri", "file:///etc", true },
    { "uri", "//host/path", false }, { "uri", "/path", false }, { "uri", "host", false }, { "uri", "1a:b", false }, { "uri", "http://a b", false },
    { "uri", "http://a/%zz", false }, { "uri", "http://a/%4", false }, { "uri", "http://a:8x/", false }, { "uri", "http://[::1", false },
    { "uri", "http://[10.0.0.1]/", false }, { "uri", "http://a/#b#c", false }, { "uri", "http://a/ü", false }, { "uri", "http://a/<b>", false },
    { "uri", "", false },
};

Test(format, tells_notations_apart)
{
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        enum ft_format format = ft_format_from_name(formats[i].format);

        cr_assert_neq(format, FT_FORMAT_NONE, "%s", formats[i].format);
        cr_expect_eq(ft_format_ok(format, formats[i].text), formats[i].ok, "'%s' as %s", formats[i].text, formats[i].format);
    }
    cr_expect_eq(ft_format_from_name("regex"), FT_FORMAT_NONE);
    cr_expect(ft_format_ok(FT_FORMAT_NONE, "anything"));
}

Test(format, names_are_all_of_them)
{
    size_t n = 0;

    for (const char *const *name = ft_format_names(); *name; name++, n++)
        cr_expect_eq(ft_format_from_name(*name), n + 1, "%s", *name);
    cr_expect_eq(n, FT_FORMAT_EMAIL);
}
