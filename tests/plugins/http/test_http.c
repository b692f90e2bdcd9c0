/* The http plugin. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "fake_host.h"

#define APIS "{'apis': {'netbox': {'url': 'https://netbox.test/api/', 'token': 'sesame42', 'token_type': 'Token', 'headers': {'X-Site': 'hq'}, 'secret_headers': {'X-Api-Key': 'key4242'}}, " \
    "'basic': {'url': 'https://b.test', 'user': 'u', 'password': 'pass4242', 'ca_file': '/etc/ca.pem', 'tls_verify': false}}}"

static const struct ft_http_header as_json[] = { { "content-type", "application/json; charset=utf-8" }, { "x-a", "1" }, { "x-a", "2" }, { NULL, NULL } };
static const struct ft_http_header as_text[] = { { "content-type", "text/plain" }, { NULL, NULL } };

static struct fake_host *http_host(void)
{
    struct fake_host *f = fake_host_new("http");

    fake_config(f, APIS);
    return f;
}

static const struct { const char *params, *url; } urls[] = {
    { "{'url': 'https://a.test/x'}", "https://a.test/x" },
    { "{'url': 'https://a.test/x', 'query': {'q': 'a b&c', 'n': 3, 'on': true, 'id': [1, 'two']}}", "https://a.test/x?q=a%20b%26c&n=3&on=true&id=1&id=two" },
    { "{'url': 'https://a.test/x?y=1', 'query': {'z': '2'}}", "https://a.test/x?y=1&z=2" },
    { "{'api': 'netbox', 'url': 'dcim/devices/'}", "https://netbox.test/api/dcim/devices/" },
    { "{'api': 'netbox', 'url': '/dcim/devices/'}", "https://netbox.test/api/dcim/devices/" },
    { "{'api': 'basic', 'url': '?a=1'}", "https://b.test?a=1" },
    { "{'api': 'netbox'}", "https://netbox.test/api" },
    { "{'api': 'netbox', 'url': ''}", "https://netbox.test/api" },
};

Test(http, urls_are_made_from_api_path_and_query)
{
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct fake_host *f = http_host();
        const struct fake_result *r;

        FAKE_HTTP(f, .method = "GET", .status = 200, .body = "fine", .headers = as_text);
        r = fake_run(f, "get", "run", urls[i].params, NULL);
        cr_assert(r->ok, "%s: %s", urls[i].params, r->error);
        cr_expect_str_eq(fake_str(r->requests, "0.url"), urls[i].url, "%s", urls[i].params);
        fake_host_free(f);
    }
}

Test(http, credentials_of_an_api)
{
    struct fake_host *f = http_host();
    const struct fake_result *r;

    FAKE_HTTP(f, .status = 200, .body = "{'ok': 1}", .headers = as_json);
    r = fake_run(f, "get", "run", "{'api': 'netbox', 'url': 'x', 'headers': {'X-Mine': 'yes'}}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->requests, "0.headers.Authorization"), "Token sesame42");
    cr_expect_str_eq(fake_str(r->requests, "0.headers.X-Api-Key"), "key4242");
    cr_expect_str_eq(fake_str(r->requests, "0.headers.X-Site"), "hq");
    cr_expect_str_eq(fake_str(r->requests, "0.headers.X-Mine"), "yes");
    cr_expect_str_eq(fake_str(r->result, "headers.x-a"), "1, 2");
    cr_expect_eq(fake_int(r->result, "json.ok"), 1);
    r = fake_run(f, "get", "run", "{'api': 'basic', 'url': 'x'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->requests, "0.user"), "u");
    cr_expect(fake_int(r->requests, "0.flags") & FT_HTTP_NO_VERIFY);
    fake_host_free(f);
}

static const struct { const char *action, *params; enum ft_class class; const char *says; } wrong[] = {
    { "get", "{'url': '/x'}", FT_INVALID, "not absolute" },
    { "get", "{'url': 'ftp://x.test/'}", FT_INVALID, "not absolute" },
    { "get", "{'api': 'netbox', 'url': 'https://evil.test/'}", FT_INVALID, "must be a path" },
    { "get", "{'api': 'netbox', 'url': '//evil.test/'}", FT_INVALID, "must be a path" },
    { "get", "{'api': 'nobody', 'url': 'x'}", FT_NOT_FOUND, "plugins.http.apis.nobody" },
    { "get", "{'url': 'https://a.test/', 'headers': {'X': 'a\\nB: c'}}", FT_INVALID, "line break" },
    { "get", "{'url': 'https://a.test/', 'headers': {'X Y': 'a'}}", FT_INVALID, "line break" },
};

Test(http, what_makes_no_request)
{
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct fake_host *f = http_host();
        const struct fake_result *r = fake_run(f, wrong[i].action, "run", wrong[i].params, NULL);

        cr_expect_not(r->ok, "%s", wrong[i].params);
        cr_expect_eq(r->class, wrong[i].class, "%s: %s", wrong[i].params, r->error);
        cr_expect(strstr(r->error, wrong[i].says), "%s: %s", wrong[i].params, r->error);
        cr_expect_eq(json_array_size(r->requests), 0, "%s", wrong[i].params);
        fake_host_free(f);
    }
}

static const struct { const char *name, *params, *body; int status; const struct ft_http_header *type; bool ok; enum ft_class class; } outcomes[] = {
    { "fine", "{'url': 'https://a.test/'}", "{'a': 1}", 200, as_json, true, 0 },
    { "empty", "{'url': 'https://a.test/'}", "", 204, as_json, true, 0 },
    { "not found", "{'url': 'https://a.test/'}", "", 404, as_text, false, FT_NOT_FOUND },
    { "not found is right", "{'url': 'https://a.test/', 'expect_status': 404}", "", 404, as_text, true, 0 },
    { "one of", "{'url': 'https://a.test/', 'expect_status': [200, 409]}", "", 409, as_text, true, 0 },
    { "not that", "{'url': 'https://a.test/', 'expect_status': 404}", "", 200, as_text, false, FT_REFUSED },
    { "not that, denied", "{'url': 'https://a.test/', 'expect_status': 200}", "", 401, as_text, false, FT_DENIED },
    { "not that, conflict", "{'url': 'https://a.test/', 'expect_status': 200}", "", 412, as_text, false, FT_CONFLICT },
    { "denied", "{'url': 'https://a.test/'}", "", 403, as_text, false, FT_DENIED },
    { "down", "{'url': 'https://a.test/'}", "", 503, as_text, false, FT_REFUSED },
    { "truncated JSON", "{'url': 'https://a.test/'}", "{\"a\": [1, 2", 200, as_json, false, FT_INVALID },
    { "HTML that says JSON", "{'url': 'https://a.test/'}", "<html>", 200, as_json, false, FT_INVALID },
    { "HTML", "{'url': 'https://a.test/'}", "<html>", 200, as_text, true, 0 },
};

Test(http, statuses_and_bodies)
{
    for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
        struct fake_host *f = http_host();
        const struct fake_result *r;

        FAKE_HTTP(f, .status = outcomes[i].status, .body = outcomes[i].body, .headers = outcomes[i].type);
        r = fake_run(f, "get", "run", outcomes[i].params, NULL);
        cr_expect_eq(r->ok, outcomes[i].ok, "%s: %s", outcomes[i].name, r->error);
        if (outcomes[i].ok)
            cr_expect_eq(fake_int(r->result, "status"), outcomes[i].status, "%s", outcomes[i].name);
        else
            cr_expect_eq(r->class, outcomes[i].class, "%s: %s: %s", outcomes[i].name, ft_class_name(r->class), r->error);
        fake_host_free(f);
    }
}

Test(http, body_that_is_not_utf8_is_null)
{
    struct fake_host *f = http_host();
    const struct fake_result *r;

    FAKE_HTTP(f, .status = 200, .body = "\xff\xfe\0x", .body_len = 4, .headers = as_text);
    r = fake_run(f, "get", "run", "{'url': 'https://a.test/'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_null(fake_at(r->result, "body")));
    cr_expect_eq(fake_int(r->result, "bytes"), 4);
    fake_host_free(f);
}

static const struct { const char *params; bool write; } methods[] = {
    { "{'url': 'https://a.test/x', 'method': 'POST', 'json': {'b': 1, 'a': [true, null]}}", true },
    { "{'url': 'https://a.test/x', 'method': 'PUT', 'body': 'raw text', 'headers': {'Content-Type': 'text/plain'}}", true },
    { "{'url': 'https://a.test/x', 'method': 'DELETE'}", true },
    { "{'api': 'netbox', 'url': 'x', 'method': 'PATCH', 'json': {'a': 1}}", true },
    { "{'url': 'https://a.test/x', 'method': 'GET'}", false },
};

Test(http, request_sends_what_the_plan_showed)
{
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        struct fake_host *f = http_host();
        const struct fake_result *r = fake_run(f, "request", "plan", methods[i].params, NULL);
        json_t *planned;
        char *body, *text;

        cr_assert(r->ok, "%s: %s", methods[i].params, r->error);
        cr_expect_eq(json_array_size(r->requests), 0, "a plan sends nothing");
        planned = json_deep_copy(fake_at(r->result, "requests.0"));
        text = json_dumps(planned, 0);
        cr_expect_not(strstr(text, "sesame42") || strstr(text, "key4242"), "%s", text);
        FAKE_HTTP(f, .status = 200, .body = "", .headers = as_text);
        r = fake_run(f, "request", "run", methods[i].params, NULL);
        cr_assert(r->ok, "%s: %s", methods[i].params, r->error);
        cr_expect_str_eq(fake_str(planned, "method"), fake_str(r->requests, "0.method"));
        cr_expect_str_eq(fake_str(planned, "url"), fake_str(r->requests, "0.url"));
        body = json_is_string(fake_at(planned, "body")) ? strdup(fake_str(planned, "body"))
             : fake_at(planned, "body") ? json_dumps(fake_at(planned, "body"), JSON_COMPACT) : strdup("");
        cr_expect_str_eq(fake_str(r->requests, "0.body") ? fake_str(r->requests, "0.body") : "", body, "%s", methods[i].params);
        cr_expect_eq((fake_int(r->requests, "0.flags") & FT_HTTP_WRITE) != 0, methods[i].write, "%s", methods[i].params);
        free(body);
        free(text);
        json_decref(planned);
        fake_host_free(f);
    }
}

Test(http, limits_of_time_and_size_reach_the_request)
{
    struct fake_host *f = http_host();
    const struct fake_result *r;

    FAKE_HTTP(f, .fault = FT_TIMEOUT, .why = "no answer in 1.5 s");
    r = fake_run(f, "get", "run", "{'url': 'https://a.test/', 'timeout_s': 1.5}", NULL);
    cr_expect_eq(r->class, FT_TIMEOUT);
    cr_expect_eq(fake_int(r->requests, "0.timeout_ms"), 1500);
    fake_host_free(f);
}

Test(http, a_lost_answer_to_a_write_is_ambiguous)
{
    struct fake_host *f = http_host();
    const struct fake_result *r;

    FAKE_HTTP(f, .fault = FT_AMBIGUOUS, .why = "the connection broke after the request was sent");
    r = fake_run(f, "request", "run", "{'url': 'https://a.test/'}", NULL);
    cr_expect_eq(r->class, FT_AMBIGUOUS);
    fake_host_free(f);
}
