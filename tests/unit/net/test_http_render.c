#include <criterion/criterion.h>
#include "base/util.h"
#include "net/http_internal.h"

static const struct { const char *in, *out; } escapes[] = {
    { "", "" },
    { "AZaz09-._~", "AZaz09-._~" },
    { "a b/c?d&e=f", "a%20b%2Fc%3Fd%26e%3Df" },
    { "5c:5b:35", "5c%3A5b%3A35" },
    { "Zürich%", "Z%C3%BCrich%25" },
    { "\x01\x7f\xff", "%01%7F%FF" },
};

Test(url, escapes_all_but_the_unreserved)
{
    for (size_t i = 0; i < ARRAY_LEN(escapes); i++) {
        char *out = ft_url_escape(escapes[i].in);

        cr_expect_str_eq(out, escapes[i].out, "'%s' gave '%s'", escapes[i].in, out);
        free(out);
    }
}

static const struct { const char *url, *shown, *with_query; } urls[] = {
    { "https://x.example/a?token=1#f", "https://x.example/a", "https://x.example/a?token=1" },
    { "https://user:p@ss@x.example:8443/a@b", "https://x.example:8443/a@b", "https://x.example:8443/a@b" },
    { "http://x?u=a@b", "http://x", "http://x?u=a@b" },
    { "/only/path?x", "/only/path", "/only/path?x" },
    { "", "", "" },
};

Test(url, is_shown_without_credentials)
{
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        char *shown = ft_http_url_shown(urls[i].url, false), *with_query = ft_http_url_shown(urls[i].url, true);

        cr_expect_str_eq(shown, urls[i].shown, "'%s' gave '%s'", urls[i].url, shown);
        cr_expect_str_eq(with_query, urls[i].with_query, "'%s' gave '%s'", urls[i].url, with_query);
        free(shown);
        free(with_query);
    }
}

static const struct { const char *name; bool secret; } names[] = {
    { "Authorization", true }, { "proxy-authorization", true }, { "Cookie", true }, { "Set-Cookie", true }, { "X-Auth-Token", true },
    { "X-CSRFToken", true }, { "X-Api-Key", true }, { "PRIVATE-TOKEN", true }, { "apikey", true }, { "X-Vault-Secret", true },
    { "Content-Type", false }, { "Accept", false }, { "If-Match", false }, { "X-Request-Id", false },
};

Test(render, knows_the_headers_that_carry_credentials)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        cr_expect_eq(ft_http_header_is_secret(names[i].name), names[i].secret, "%s", names[i].name);
}

static void expect_render(const struct ft_http_req *req, const char *wanted)
{
    json_t *shown = ft_http_render(req);
    char *text = json_dumps(shown, JSON_COMPACT);

    cr_expect_str_eq(text, wanted, "%s", text);
    free(text);
    json_decref(shown);
}

Test(render, shows_a_request_as_it_would_be_sent)
{
    json_t *json = json_pack("{s:b}", "enabled", 1);
    const struct ft_http_header headers[] = { { "Authorization", "Token hush" }, { "If-Match", "7" }, { "X-CSRFToken", "hush" }, { NULL, NULL } };

    expect_render(&(struct ft_http_req){ .url = "https://u:hush@api.example/v1/x?y=1" }, "{\"method\":\"GET\",\"url\":\"https://api.example/v1/x?y=1\"}");
    expect_render(&(struct ft_http_req){ .method = "PUT", .url = "https://api.example/", .headers = headers, .json = json, .user = "me", .password = "hush" },
                  "{\"method\":\"PUT\",\"url\":\"https://api.example/\",\"headers\":{\"If-Match\":\"7\"},\"body\":{\"enabled\":true}}");
    expect_render(&(struct ft_http_req){ .method = "POST", .url = "http://x/", .body = "a=b", .body_len = 3, .unix_socket = "/run/x" },
                  "{\"method\":\"POST\",\"url\":\"http://x/\",\"unix_socket\":\"/run/x\",\"body\":\"a=b\"}");
    expect_render(&(struct ft_http_req){ .method = "POST", .url = "http://x/", .body = "\xff\xfe", .body_len = 2 },
                  "{\"method\":\"POST\",\"url\":\"http://x/\",\"body\":\"(2 bytes)\"}");
    expect_render(&(struct ft_http_req){ .url = "smtp://mail", .flags = FT_HTTP_MAIL, .mail_from = "a@b", .mail_to = (const char *[]){ "c@d", NULL },
                                         .body = "Subject: x\r\n\r\ny", .body_len = 15 },
                  "{\"method\":\"MAIL\",\"url\":\"smtp://mail\",\"headers\":{\"from\":\"a@b\",\"to\":[\"c@d\"]},\"body\":\"Subject: x\\r\\n\\r\\ny\"}");
    json_decref(json);
}

/* ---- the server's own words in the sentence ---- */

static const struct { const char *body, *says; } messages[] = {
    { "{\"detail\":\"no such site\"}", "409 Conflict: no such site" },
    { "{\"error\":{\"message\":\"No Record found\",\"detail\":\"ACL\"}}", "409 Conflict: ACL" },
    { "{\"message\":\"locked by alice\"}", "409 Conflict: locked by alice" },
    { "{\"errors\":[{\"title\":\"bad VLAN\"}]}", "409 Conflict: bad VLAN" },
    { "{\"ERSResponse\":{\"messages\":[{\"title\":\"not unique\"}]}}", "409 Conflict: not unique" },
    { "\"just words\"", "409 Conflict: just words" },
    { "{\"detail\":\"\",\"error\":\"second\"}", "409 Conflict: second" },
    { "{\"detail\":{\"a\":{\"b\":{\"c\":\"deep\"}}}}", "409 Conflict" },
    { "{\"code\":7}", "409 Conflict" },
    { "<html>", "409 Conflict" },
    { "{\"detail\":\"two\\nlines\\u001b[31m.\"}", "409 Conflict: two lines [31m" },
    { "{\"detail\":\"\xc3\xbc\"}", "409 Conflict: \xc3\xbc" },
};

Test(answer, quotes_the_servers_own_message)
{
    const struct ft_http_asked asked = { .method = "PUT", .shown = "http://x/", .flags = FT_HTTP_JSON, .max_bytes = 1000 };

    for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
        struct ft_http_answer answer = { 0 };
        const char *line = "HTTP/1.1 409 Conflict\r\n";

        ft_http_answer_begin(&answer, 1000);
        ft_http_answer_line(&answer, line, strlen(line));
        ft_http_answer_bytes(&answer, messages[i].body, strlen(messages[i].body));
        ft_http_answer_judge(&answer, &asked, NULL);
        cr_expect_eq(strncmp(answer.res.error, "PUT http://x/: ", 15), 0, "%s", answer.res.error);
        cr_expect_str_eq(answer.res.error + 15, messages[i].says, "%s", answer.res.error);
        ft_http_answer_done(&answer);
    }
}

Test(answer, cuts_long_words_at_a_character)
{
    const struct ft_http_asked asked = { .method = "GET", .shown = "http://x/", .flags = FT_HTTP_JSON, .max_bytes = 100000 };
    struct ft_http_answer answer = { 0 };
    const char *line = "HTTP/1.1 500\r\n", *at;

    ft_http_answer_begin(&answer, 100000);
    ft_http_answer_line(&answer, line, strlen(line));
    ft_http_answer_bytes(&answer, "\"x", 2);
    for (int i = 0; i < 1000; i++)
        ft_http_answer_bytes(&answer, "\xc3\xbc", 2);
    ft_http_answer_bytes(&answer, "\"", 1);
    ft_http_answer_judge(&answer, &asked, NULL);
    at = strstr(answer.res.error, "…");
    cr_assert(at, "%s", answer.res.error);
    cr_expect_eq((unsigned char)at[-1], 0xbc, "cut inside a character: %s", answer.res.error);
    cr_expect_lt(strlen(answer.res.error), 320);
    ft_http_answer_done(&answer);
}
