/* Where secrets come from, and that what is written never shows one. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "base/util.h"
#include "data/json.h"
#include "secret/secret.h"

static struct ft_secrets *secrets;
static void setup(void) { secrets = ft_secrets_new(); }
static void teardown(void) { secrets = ft_secrets_free(secrets); }
TestSuite(secret, .init = setup, .fini = teardown);

static json_t *parse(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

    cr_assert_not_null(value, "%s", text);
    return value;
}

Test(secret, knows_a_reference_when_it_sees_one)
{
    static const struct { const char *json; bool is; } table[] = {
        { "{\"env\": \"TOKEN\"}", true },
        { "{\"file\": \"/run/token\"}", true },
        { "{\"$secret\": {\"env\": \"TOKEN\"}}", true },
        { "{\"$secret\": {\"file\": \"/x\"}}", true },
        { "{\"env\": \"TOKEN\", \"file\": \"/x\"}", false },       /* which one? */
        { "{\"env\": 1}", false },
        { "{\"$secret\": \"TOKEN\"}", false },
        { "{\"$secret\": {\"$secret\": {\"env\": \"A\"}}}", false },
        { "{\"environment\": \"TOKEN\"}", false },
        { "\"sesame\"", false },
        { "{}", false },
        { "null", false },
        { "[{\"env\": \"A\"}]", false },
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        json_t *value = parse(table[i].json);

        cr_expect_eq(ft_secret_is_ref(value), table[i].is, "%s", table[i].json);
        json_decref(value);
    }
}

static int read_ref(const char *ref, char **ret, struct ft_err *err)
{
    json_t *value = parse(ref);
    int r = ft_secret_read(secrets, value, "plugins.mist.token", ret, err);

    json_decref(value);
    return r;
}

static void expect_refused(const char *ref, int code, const char *says)
{
    struct ft_err err = { 0 };
    char *value = NULL;
    int r = read_ref(ref, &value, &err);

    cr_expect_eq(r, code, "%s: %d %s", ref, r, err.text);
    cr_expect(strstr(err.text, "plugins.mist.token") && strstr(err.text, says), "%s: %s", ref, err.text);
    cr_expect_null(value);
}

Test(secret, reads_the_environment)
{
    struct ft_err err = { 0 };
    char *value = NULL;

    setenv("FETTLE_TEST_TOKEN", "sesame-open", 1);
    cr_assert_eq(read_ref("{\"env\": \"FETTLE_TEST_TOKEN\"}", &value, &err), 0, "%s", err.text);
    cr_expect_str_eq(value, "sesame-open");
    free(value);
    value = NULL;
    unsetenv("FETTLE_TEST_TOKEN");
    expect_refused("{\"env\": \"FETTLE_TEST_TOKEN\"}", -ENOENT, "environment variable FETTLE_TEST_TOKEN is not set");
    setenv("FETTLE_TEST_TOKEN", "", 1);
    expect_refused("{\"env\": \"FETTLE_TEST_TOKEN\"}", -ENOENT, "empty");
    expect_refused("\"sesame\"", -EINVAL, "{env: NAME}");
}

static char dir[] = "/tmp/fettle-secret-XXXXXX";

static char *file_with(const char *bytes, size_t len, mode_t mode)
{
    static char path[128];
    int fd;

    snprintf(path, sizeof(path), "%s/token", dir);
    unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, bytes, len), (ssize_t)len);
    fchmod(fd, mode);
    close(fd);
    return path;
}

Test(secret, reads_the_first_line_of_a_file)
{
    static const struct { const char *bytes; const char *value; int code; const char *says; } table[] = {
        { "sesame-open\n", "sesame-open", 0, NULL },
        { "sesame-open", "sesame-open", 0, NULL },
        { "sesame-open\r\nand a note\n", "sesame-open", 0, NULL },
        { " spaces stay \n", " spaces stay ", 0, NULL },
        { "\nsecond line\n", NULL, -ENOENT, "empty" },
        { "", NULL, -ENOENT, "empty" },
    };

    cr_assert_not_null(mkdtemp(dir));
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const char *path = file_with(table[i].bytes, strlen(table[i].bytes), 0600);
        char *ref = ft_asprintf("{\"file\": \"%s\"}", path), *value = NULL;
        struct ft_err err = { 0 };

        if (table[i].value) {
            cr_expect_eq(read_ref(ref, &value, &err), 0, "row %zu: %s", i, err.text);
            cr_expect_str_eq(value, table[i].value, "row %zu", i);
            free(value);
        } else {
            expect_refused(ref, table[i].code, table[i].says);
        }
        free(ref);
    }
    unlink(file_with("", 0, 0600));
    expect_refused("{\"file\": \"/nowhere/token\"}", -ENOENT, "/nowhere/token");
    expect_refused("{\"file\": \"/\"}", -EISDIR, "directory");
    rmdir(dir);
}

Test(secret, a_file_that_has_no_end_is_not_read_whole)
{
    expect_refused("{\"file\": \"/dev/zero\"}", -EFBIG, "65536");
}

/* The log goes to a file for the time of `fn`; malloced. */
static char *logged(void (*fn)(void))
{
    char name[] = "/tmp/fettle-log-XXXXXX", *text = ft_calloc(1, 4096);
    int fd = mkstemp(name), kept = dup(2);

    cr_assert_geq(fd, 0);
    fflush(stderr);
    dup2(fd, 2);
    fn();
    fflush(stderr);
    dup2(kept, 2);
    lseek(fd, 0, SEEK_SET);
    cr_assert_geq(read(fd, text, 4095), 0);
    close(fd);
    close(kept);
    unlink(name);
    return text;
}

static void read_open_file(void)
{
    char *value = NULL;
    char *ref = ft_asprintf("{\"file\": \"%s/token\"}", dir);

    cr_expect_eq(read_ref(ref, &value, NULL), 0);
    free(ref);
    free(value);
}

Test(secret, warns_of_a_file_that_everybody_can_read)
{
    static const struct { mode_t mode; bool warns; } table[] = { { 0600, false }, { 0640, false }, { 0644, true }, { 0602, true } };

    cr_assert_not_null(mkdtemp(dir));
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        char *text;

        file_with("sesame-open\n", 12, table[i].mode);
        text = logged(read_open_file);
        cr_expect_eq(strstr(text, "can be read by everybody") != NULL, table[i].warns, "mode %o: %s", table[i].mode, text);
        free(text);
    }
    unlink(file_with("", 0, 0600));
    rmdir(dir);
}

static void log_a_secret(void)
{
    ft_log(FT_LOG_ERROR, "login with %s failed", "sesame-open");
}

Test(secret, the_log_is_redacted_while_the_secrets_live)
{
    char *text;

    ft_secret_learn(secrets, "sesame-open");
    text = logged(log_a_secret);
    cr_expect(strstr(text, "login with *** failed"), "%s", text);
    free(text);
    teardown();
    text = logged(log_a_secret);
    cr_expect(strstr(text, "sesame-open"), "%s", text);
    free(text);
}

/* ---- redaction */

static void expect_redacted(const char *secret, const char *text, const char *wanted)
{
    char *clean = ft_secret_redact(secrets, text);

    if (wanted)
        cr_expect(clean && strcmp(clean, wanted) == 0, "'%s' in '%s' gave '%s'", secret, text, clean ? clean : "(unchanged)");
    else
        cr_expect_null(clean, "'%s' in '%s' gave '%s'", secret, text, clean);
    free(clean);
}

Test(secret, is_found_in_every_form)
{
    static const struct { const char *secret, *text, *wanted; } table[] = {
        { "sesame",       "Token sesame", "Token ***" },
        { "sesame",       "sesame", "***" },
        { "sesame",       "sesamesesame", "******" },
        { "sesame",       "Sesame", NULL },
        { "sesame",       "sesam", NULL },
        { "sesame",       "", NULL },
        { "abc",          "abc abc", NULL },                                  /* too short: would blank ordinary words */
        { "a\"b\\c",      "{\"p\":\"a\\\"b\\\\c\"}", "{\"p\":\"***\"}" },
        { "pa/ss/word",   "{\"p\":\"pa\\/ss\\/word\"}", "{\"p\":\"***\"}" },
        { "geh€im",       "geh\\u20ACim", "***" },
        { "p@ss w/rd",    "?t=p%40ss%20w%2Frd&x", "?t=***&x" },
        { "p@ss w/rd",    "?t=p%40ss+w%2frd&x", "?t=***&x" },
        { "sesame-open",  "Basic c2VzYW1lLW9wZW4=", "Basic ***4=" },          /* the last digits depend on what follows */
        { "a?>a?>a?>",    "YT8-YT8-YT8-", "***" },                            /* base64 for URLs */
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        teardown();
        setup();
        ft_secret_learn(secrets, table[i].secret);
        expect_redacted(table[i].secret, table[i].text, table[i].wanted);
    }
}

static char *base64(const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t len = strlen(text), n = 0;
    char *out = ft_calloc(1, len * 2 + 8);

    for (size_t i = 0; i < len; i += 3) {
        unsigned bits = (unsigned)(unsigned char)text[i] << 16 | (i + 1 < len ? (unsigned)(unsigned char)text[i + 1] << 8 : 0) | (i + 2 < len ? (unsigned char)text[i + 2] : 0);

        out[n++] = digits[bits >> 18];
        out[n++] = digits[bits >> 12 & 63];
        out[n++] = i + 1 < len ? digits[bits >> 6 & 63] : '=';
        out[n++] = i + 2 < len ? digits[bits & 63] : '=';
    }
    return out;
}

/* "user:password" of HTTP Basic, with users of every length: at most the digits shared with a neighbour remain. */
Test(secret, is_found_inside_larger_base64)
{
    static const char *const users[] = { "", "a", "ab", "abc", "abcd", "administrator" };

    ft_secret_learn(secrets, "sesame-open-42");
    for (size_t i = 0; i < ARRAY_LEN(users); i++) {
        for (size_t after = 0; after < 4; after++) {
            char *text = ft_asprintf("%s:sesame-open-42%.*s", users[i], (int)after, "xyz"), *encoded = base64(text), *clean = ft_secret_redact(secrets, encoded);

            cr_assert_not_null(clean, "'%s' as %s", text, encoded);
            cr_expect(strstr(clean, "***"), "%s", clean);
            cr_expect_leq(strlen(clean), strlen(encoded) - 17 + 3, "'%s' as %s leaves %s", text, encoded, clean);
            free(text);
            free(encoded);
            free(clean);
        }
    }
}

Test(secret, the_longest_of_several_wins)
{
    ft_secret_learn(secrets, "sesame");
    ft_secret_learn(secrets, "sesame-open");
    ft_secret_learn(secrets, "sesame-open");
    ft_secret_learn(secrets, "");
    expect_redacted("both", "x sesame-open y sesame-shut z", "x *** y ***-shut z");
}

Test(secret, without_secrets_nothing_is_copied)
{
    json_t *value = parse("{\"a\": [\"b\", 1, null]}"), *same = ft_secret_redact_json(secrets, value);

    cr_expect_null(ft_secret_redact(secrets, "sesame"));
    cr_expect_eq(same, value);
    json_decref(same);
    ft_secret_learn(secrets, "sesame");
    same = ft_secret_redact_json(secrets, value);
    cr_expect_eq(same, value, "and none in there");
    json_decref(same);
    json_decref(value);
    cr_expect_null(ft_secret_redact(NULL, "sesame"));
}

Test(secret, values_are_redacted_wherever_a_text_stands)
{
    static const struct { const char *in, *out; } table[] = {
        { "\"sesame\"", "\"***\"" },
        { "{\"a\": {\"b\": [1, \"x sesame y\", null, true, 1.5]}}", "{\"a\": {\"b\": [1, \"x *** y\", null, true, 1.5]}}" },
        { "{\"sesame\": 1, \"b\": \"c\"}", "{\"***\": 1, \"b\": \"c\"}" },
        { "[[\"sesame\"], []]", "[[\"***\"], []]" },
        { "{\"url\": \"https://h/?t=p%40ss%20word\"}", "{\"url\": \"https://h/?t=***\"}" },
    };

    ft_secret_learn(secrets, "sesame");
    ft_secret_learn(secrets, "p@ss word");
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        json_t *in = parse(table[i].in), *before = json_deep_copy(in), *wanted = parse(table[i].out), *clean = ft_secret_redact_json(secrets, in);

        cr_expect(json_equal(clean, wanted), "%s", table[i].in);
        cr_expect(json_equal(in, before), "%s was changed in place", table[i].in);
        json_decref(in);
        json_decref(before);
        json_decref(wanted);
        json_decref(clean);
    }
}

/* A form may begin in the middle of a character of another text; what is left must still be text. */
Test(secret, what_is_left_is_always_text)
{
    json_t *in = json_string("\xe2\x82\xac\xe2\x82\xac"), *clean;

    ft_secret_learn(secrets, "\x82\xac\xe2\x82");
    clean = ft_secret_redact_json(secrets, in);
    cr_expect_str_eq(json_string_value(clean), "***");
    json_decref(clean);
    json_decref(in);
}
