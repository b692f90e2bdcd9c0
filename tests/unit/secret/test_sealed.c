/* The sealed file, and Vault by a net that the test plays itself. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/util.h"
#include "data/json.h"
#include "secret/sealed.h"
#include "secret/secret.h"

static char dir[64], path[128];

static void setup(void)
{
    snprintf(dir, sizeof(dir), "/tmp/fettle-sealed-XXXXXX");
    cr_assert(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/s", dir);
}

static void teardown(void)
{
    unlink(path);
    rmdir(dir);
}
TestSuite(sealed, .init = setup, .fini = teardown);

static struct ft_sealed_key key_of(char digit)
{
    struct ft_sealed_key key;
    char hex[65];

    memset(hex, digit, 64);
    hex[64] = '\0';
    cr_assert_eq(ft_sealed_key_parse(hex, &key, NULL), 0);
    return key;
}

static void write_one(const struct ft_sealed_key *key)
{
    json_t *secrets = json_pack("{s:{s:s, s:i}}", "token", "value", "sesame-sesame", "set", 1);
    struct ft_err err = { 0 };

    cr_assert_eq(ft_sealed_write(path, key, secrets, &err), 0, "%s", err.text);
    json_decref(secrets);
}

Test(sealed, what_was_put_in_comes_out_for_its_key_only)
{
    struct ft_sealed_key key = key_of('a'), other = key_of('b');
    json_t *back = NULL;
    struct ft_err err = { 0 };
    struct stat st;

    cr_expect_eq(ft_sealed_read(path, &key, &back, &err), -ENOENT);
    write_one(&key);
    cr_assert_eq(ft_sealed_read(path, &key, &back, &err), 0, "%s", err.text);
    cr_expect_str_eq(ft_json_str(json_object_get(back, "token"), "value"), "sesame-sesame");
    json_decref(back);
    cr_expect(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    cr_expect_eq(ft_sealed_read(path, &other, &back, &err), -EKEYREJECTED);
    cr_expect(strstr(err.text, "not opened by this key"), "%s", err.text);
}

Test(sealed, every_changed_byte_is_seen)
{
    struct ft_sealed_key key = key_of('a');
    struct stat st;
    int fd;

    write_one(&key);
    fd = open(path, O_RDWR);
    cr_assert(fd >= 0 && fstat(fd, &st) == 0);
    for (off_t at = 0; at < st.st_size; at++) {
        json_t *back = NULL;
        struct ft_err err = { 0 };
        unsigned char byte, changed;

        cr_assert_eq(pread(fd, &byte, 1, at), 1);
        changed = byte ^ 1;
        cr_assert_eq(pwrite(fd, &changed, 1, at), 1);
        cr_expect_lt(ft_sealed_read(path, &key, &back, &err), 0, "byte %d", (int)at);
        cr_expect(strstr(err.text, path), "byte %d: %s", (int)at, err.text);
        cr_assert_eq(pwrite(fd, &byte, 1, at), 1);
    }
    cr_assert_eq(ftruncate(fd, st.st_size - 1), 0);
    json_t *back = NULL;
    cr_expect_eq(ft_sealed_read(path, &key, &back, NULL), -EBADMSG);
    cr_assert_eq(ftruncate(fd, 10), 0);
    cr_expect_eq(ft_sealed_read(path, &key, &back, NULL), -EBADMSG);
    close(fd);
}

Test(sealed, a_passphrase_opens_what_it_sealed, .timeout = 120)
{
    struct ft_sealed_key key, again, wrong;
    json_t *back = NULL;
    struct ft_err err = { 0 };
    bool passphrase = false;

    cr_assert_eq(ft_sealed_key_of(path, "correct horse battery", &key, &err), 0, "%s", err.text);
    write_one(&key);
    cr_expect(ft_sealed_kind(path, &passphrase, NULL) == 0 && passphrase);
    cr_assert_eq(ft_sealed_key_of(path, "correct horse battery", &again, &err), 0, "%s", err.text);
    cr_assert_eq(ft_sealed_read(path, &again, &back, &err), 0, "%s", err.text);
    json_decref(back);
    cr_assert_eq(ft_sealed_key_of(path, "wrong", &wrong, &err), 0);
    cr_expect_eq(ft_sealed_read(path, &wrong, &back, &err), -EKEYREJECTED);
    cr_expect(strstr(err.text, "passphrase"), "%s", err.text);
}

Test(sealed, keys_that_are_none)
{
    struct ft_sealed_key key;
    char hex[65];

    cr_expect_lt(ft_sealed_key_parse("", &key, NULL), 0);
    cr_expect_lt(ft_sealed_key_parse("sesame", &key, NULL), 0);
    cr_expect_lt(ft_sealed_key_parse("zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", &key, NULL), 0);
    ft_sealed_key_new(hex);
    cr_expect_eq(ft_sealed_key_parse(hex, &key, NULL), 0);
    cr_expect(ft_sealed_name_ok("mist.token_1-x") && !ft_sealed_name_ok("") && !ft_sealed_name_ok("a b") && !ft_sealed_name_ok("../x"));
}

/* ---- Vault */

static struct ft_secrets *secrets;
static struct ft_clock *clock_now;
static json_t *config, *ref;
static char asked[4096];                  /* "POST auth/approle/login; GET kv/data/x [token]; …" */
static void (*answered)(void *to, const struct ft_secret_res *res);
static void *answered_to;
static int outcome;                       /* of the last fetch: 1 done, -1 failed */
static char why[512];

static int net_start(void *arg, const struct ft_secret_req *req, void (*fn)(void *to, const struct ft_secret_res *res), void *to, void **ret, struct ft_err *reterr)
{
    size_t n = strlen(asked);

    (void)arg;
    (void)reterr;
    snprintf(asked + n, sizeof(asked) - n, "%s%s %s [%s]", n ? "; " : "", req->method, strstr(req->url, "/v1/") + 4, req->token ? req->token : "");
    answered = fn;
    answered_to = to;
    *ret = &outcome;
    return 0;
}

static void net_cancel(void *arg, void *request)
{
    (void)arg;
    (void)request;
    answered = NULL;
}

static void answer(int status, const char *json)
{
    json_t *body = json ? json_loads(json, 0, NULL) : NULL;
    struct ft_secret_res res = { .status = status, .json = body };
    void (*fn)(void *to, const struct ft_secret_res *res) = answered;

    cr_assert(fn && (body || !json));
    answered = NULL;
    fn(answered_to, &res);
    json_decref(body);
}

static void vault_setup(void)
{
    struct ft_secrets_opts opts;
    struct ft_secret_net net = { .start = net_start, .cancel = net_cancel };

    setenv("SID", "secret-id-1", 1);
    clock_now = ft_clock_manual_new(1790000000000);
    config = json_loads("{\"vault\":{\"address\":\"https://v/\",\"cache\":\"30s\",\"approle\":{\"role_id\":\"r\",\"secret_id\":{\"env\":\"SID\"}}}}", 0, NULL);
    ref = json_loads("{\"$secret\":{\"vault\":\"kv/data/x#f\"}}", 0, NULL);
    opts = (struct ft_secrets_opts){ .config = config, .clock = clock_now };
    secrets = ft_secrets_new();
    ft_secrets_setup(secrets, &opts);
    ft_secrets_lend_net(secrets, &net);
    asked[0] = '\0';
}

static void vault_teardown(void)
{
    ft_secrets_free(secrets);
    ft_clock_free(clock_now);
    json_decref(config);
    json_decref(ref);
}
TestSuite(vault, .init = vault_setup, .fini = vault_teardown);

static void done(void *arg, const struct ft_err *err)
{
    (void)arg;
    outcome = err ? -1 : 1;
    snprintf(why, sizeof(why), "%s", err ? err->text : "");
}

static void begin(void)
{
    struct ft_secret_wait *wait;
    struct ft_err err = { 0 };

    outcome = 0;
    cr_assert(ft_secret_pending(secrets, ref));
    cr_assert_eq(ft_secret_fetch(secrets, ref, done, NULL, &wait, &err), 0, "%s", err.text);
    cr_assert_eq(outcome, 0, "never inside the call");
}

#define LOGIN(token, lease) "{\"auth\":{\"client_token\":\"" token "\",\"lease_duration\":" lease ",\"renewable\":true}}"
#define VALUE "{\"lease_duration\":0,\"data\":{\"data\":{\"f\":\"sesame-1\"},\"metadata\":{\"version\":1}}}"

static void expect_value(const char *expected)
{
    char *text = NULL;
    struct ft_err err = { 0 };

    cr_assert_eq(ft_secret_read(secrets, ref, "it", &text, &err), 0, "%s", err.text);
    cr_expect_str_eq(text, expected);
    free(text);
}

Test(vault, logs_in_once_and_keeps_what_it_read)
{
    char *clean;

    begin();
    answer(200, LOGIN("tok-1", "3600"));
    answer(200, VALUE);
    cr_assert_eq(outcome, 1, "%s", why);
    expect_value("sesame-1");
    cr_expect(!ft_secret_pending(secrets, ref), "kept for 30 s");
    clean = ft_secret_redact(secrets, "with tok-1 it is sesame-1");
    cr_expect_str_eq(clean, "with *** it is ***");
    free(clean);
    ft_clock_advance(clock_now, 31000000);
    begin();
    answer(200, VALUE);
    cr_expect_eq(outcome, 1);
    cr_expect_str_eq(asked, "POST auth/approle/login []; GET kv/data/x [tok-1]; GET kv/data/x [tok-1]");
}

Test(vault, renews_a_token_before_its_lease_is_over)
{
    begin();
    answer(200, LOGIN("tok-1", "90"));
    answer(200, VALUE);
    ft_clock_advance(clock_now, 70000000);
    begin();
    answer(200, LOGIN("tok-1", "90"));
    answer(200, VALUE);
    ft_clock_advance(clock_now, 70000000);
    begin();
    answer(403, "{\"errors\":[\"permission denied\"]}");          /* past its longest life */
    answer(200, LOGIN("tok-2", "90"));
    answer(200, VALUE);
    cr_expect_eq(outcome, 1);
    cr_expect_str_eq(asked, "POST auth/approle/login []; GET kv/data/x [tok-1]; POST auth/token/renew-self [tok-1]; GET kv/data/x [tok-1]; "
                            "POST auth/token/renew-self [tok-1]; POST auth/approle/login []; GET kv/data/x [tok-2]");
    asked[0] = '\0';
    ft_clock_advance(clock_now, 100000000);
    begin();
    cr_expect_str_eq(asked, "POST auth/approle/login []", "a lease that is over is not renewed");
    answer(200, LOGIN("tok-3", "90"));
    answer(200, VALUE);
}

Test(vault, logs_in_again_when_its_token_is_refused_and_once_only)
{
    begin();
    answer(200, LOGIN("tok-1", "3600"));
    answer(200, VALUE);
    ft_clock_advance(clock_now, 31000000);
    asked[0] = '\0';
    begin();
    answer(403, "{\"errors\":[\"permission denied\"]}");
    answer(200, LOGIN("tok-2", "3600"));
    answer(403, "{\"errors\":[\"permission denied\"]}");
    cr_expect_eq(outcome, -1);
    cr_expect(strstr(why, "denies to read 'kv/data/x' (permission denied)"), "%s", why);
    cr_expect_str_eq(asked, "GET kv/data/x [tok-1]; POST auth/approle/login []; GET kv/data/x [tok-2]");
}

Test(vault, is_not_asked_for_what_waits_for_an_approval)
{
    json_t *held = json_loads("{\"a\":{\"$secret\":{\"vault\":\"kv/data/x#f\",\"release\":\"approved\"}}}", 0, NULL);
    char *text = NULL;
    struct ft_err err = { 0 };

    cr_expect(ft_secret_needs_release(held));
    cr_expect(!ft_secret_pending(secrets, held));
    cr_expect_eq(ft_secret_read(secrets, json_object_get(held, "a"), "it", &text, &err), -EACCES);
    cr_expect(strstr(err.text, "approved"), "%s", err.text);
    cr_expect_eq(ft_secrets_release(secrets, FT_VEILED), FT_WITHHELD);
    cr_assert_eq(ft_secret_read(secrets, json_object_get(held, "a"), "it", &text, &err), 0);
    cr_expect_str_eq(text, "***");
    free(text);
    ft_secrets_release(secrets, FT_RELEASED);
    cr_expect(ft_secret_pending(secrets, held));
    json_decref(held);
}

Test(vault, a_fetch_can_be_given_up)
{
    struct ft_secret_wait *wait;

    outcome = 0;
    cr_assert_eq(ft_secret_fetch(secrets, ref, done, NULL, &wait, NULL), 0);
    ft_secret_fetch_cancel(wait);
    cr_expect_null(answered);
    cr_expect_eq(outcome, 0);
}
