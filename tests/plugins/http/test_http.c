/* The http plugin. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "fake_host.h"

#define APIS "{'apis': {'netbox': {'url': 'https://netbox.test/api/', 'token': 'sesame42', 'token_type': 'Token', 'headers': {'X-Site': 'hq'}, 'secret_headers': {'X-Api-Key': 'key4242'}}, " \
    "'basic': {'url': 'https://b.test', 'user': 'u', 'password': 'pass4242', 'ca_file': '/etc/ca.pem', 'tls_verify': false, 'cert_file': '/etc/c.pem', 'key_file': '/etc/k.pem'}, " \
    "'oauth': {'url': 'https://o.test/v1', 'oauth2': {'token_url': 'https://id.test/token', 'client_id': 'me', 'client_secret': 'secret4242', 'scope': 'read write'}}, " \
    "'posted': {'url': 'https://o.test/v1', 'oauth2': {'token_url': 'https://id.test/token', 'client_id': 'm&e', 'client_secret': 'secret4242', 'send_as': 'body', 'audience': 'a b'}}, " \
    "'both': {'url': 'https://o.test/', 'token': 'sesame42', 'oauth2': {'token_url': 'https://id.test/token', 'client_id': 'me', 'client_secret': 'secret4242'}}}}"

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

/* ---- Bodies ---- */

#define MULTI "--fettle-"
static const struct { const char *params; const char *type, *body; } bodies[] = {
    { "{'url': 'https://a.test/', 'form': {'a': 'b c&d', 'n': 3, 'on': true, 'id': [1, 'two'], 'e': ''}}", "application/x-www-form-urlencoded", "a=b%20c%26d&n=3&on=true&id=1&id=two&e=" },
    { "{'url': 'https://a.test/', 'form': {}}", "application/x-www-form-urlencoded", "" },
    { "{'url': 'https://a.test/', 'form': {'a': 1}, 'headers': {'content-type': 'x/y'}}", NULL, "a=1" },
    { "{'url': 'https://a.test/', 'body': 'plain'}", NULL, "plain" },
    { "{'url': 'https://a.test/', 'body_file': 'backup/sw-1.txt'}", "application/octet-stream", "hostname sw-1\n" },
    { "{'url': 'https://a.test/', 'multipart': [{'name': 'note', 'content': 'hi'}, {'name': 'f', 'file': 'backup/sw-1.txt', 'type': 'text/plain'}]}", "multipart/form-data; boundary=", "\r\nhostname sw-1\n\r\n--fettle-" },
};

Test(http, bodies_of_every_kind)
{
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct fake_host *f = http_host();
        const struct fake_result *r;
        const char *type;

        fake_file(f, "backup/sw-1.txt", "hostname sw-1\n", 14);
        FAKE_HTTP(f, .status = 200, .body = "", .headers = as_text);
        r = fake_run(f, "request", "run", bodies[i].params, NULL);
        cr_assert(r->ok, "%s: %s", bodies[i].params, r->error);
        type = fake_str(r->requests, "0.headers.Content-Type");
        cr_expect(bodies[i].type ? type && strncmp(type, bodies[i].type, strlen(bodies[i].type)) == 0 : !type, "%s: %s", bodies[i].params, type);
        if (strstr(bodies[i].params, "multipart")) {
            cr_expect(strstr(fake_str(r->requests, "0.body"), bodies[i].body), "%s", fake_str(r->requests, "0.body"));
            cr_expect(strstr(fake_str(r->requests, "0.body"), "name=\"f\"; filename=\"sw-1.txt\"\r\nContent-Type: text/plain\r\n\r\nhostname"), "%s", fake_str(r->requests, "0.body"));
        } else {
            cr_expect_str_eq(fake_str(r->requests, "0.body") ? fake_str(r->requests, "0.body") : "", bodies[i].body, "%s", bodies[i].params);
        }
        fake_host_free(f);
    }
}

Test(http, a_plan_says_which_files_would_be_sent)
{
    struct fake_host *f = http_host();
    const struct fake_result *r;

    fake_file(f, "x.bin", "\xff\0\xff", 3);
    r = fake_run(f, "request", "plan", "{'url': 'https://a.test/', 'multipart': [{'name': 'f', 'file': 'x.bin'}]}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(strstr(fake_str(r->result, "requests.0.body"), "x.bin (3 bytes, SHA-256 "), "%s", fake_str(r->result, "requests.0.body"));
    cr_expect_eq(json_array_size(r->requests), 0);
    fake_host_free(f);
}

static const struct { const char *params; enum ft_class class; const char *says; } no_bodies[] = {
    { "{'url': 'https://a.test/', 'json': 1, 'form': {}}", FT_INVALID, "one body" },
    { "{'url': 'https://a.test/', 'body': 'x', 'body_file': 'y'}", FT_INVALID, "one body" },
    { "{'url': 'https://a.test/', 'body_file': '/etc/shadow'}", FT_DENIED, "own folder" },
    { "{'url': 'https://a.test/', 'body_file': '../fettle.db'}", FT_DENIED, "own folder" },
    { "{'url': 'https://a.test/', 'body_file': 'none.txt'}", FT_NOT_FOUND, "none.txt" },
    { "{'url': 'https://a.test/', 'multipart': [{'name': 'f', 'file': '/etc/shadow'}]}", FT_DENIED, "own folder" },
    { "{'url': 'https://a.test/', 'multipart': [{'name': 'f', 'file': 'none.txt'}]}", FT_NOT_FOUND, "none.txt" },
    { "{'url': 'https://a.test/', 'multipart': [{'name': 'a\\nb', 'content': 'x'}]}", FT_INVALID, "line break" },
    { "{'url': 'https://a.test/', 'multipart': [{'name': 'a'}]}", FT_INVALID, "" },
    { "{'api': 'both', 'url': 'x'}", FT_INVALID, "which shall it be" },
};

Test(http, bodies_that_cannot_be)
{
    for (size_t i = 0; i < sizeof(no_bodies) / sizeof(no_bodies[0]); i++) {
        struct fake_host *f = http_host();
        const struct fake_result *r = fake_run(f, "request", "run", no_bodies[i].params, NULL);

        cr_expect_not(r->ok, "%s", no_bodies[i].params);
        cr_expect_eq(r->class, no_bodies[i].class, "%s: %s: %s", no_bodies[i].params, ft_class_name(r->class), r->error);
        cr_expect(strstr(r->error, no_bodies[i].says), "%s: %s", no_bodies[i].params, r->error);
        cr_expect_eq(json_array_size(r->requests), 0, "%s", no_bodies[i].params);
        fake_host_free(f);
    }
}

/* ---- OAuth ---- */

Test(http, a_token_is_fetched_once_and_kept)
{
    struct fake_host *f = http_host();
    const struct fake_result *r;

    FAKE_HTTP(f, .method = "POST", .url = "/token", .status = 200, .body = "{'access_token': 'fresh4242', 'token_type': 'bearer', 'expires_in': 3600}", .headers = as_json);
    FAKE_HTTP(f, .method = "GET", .status = 200, .body = "fine", .headers = as_text);
    r = fake_run(f, "get", "run", "{'api': 'oauth', 'url': 'x'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(json_array_size(r->requests), 2);
    cr_expect_str_eq(fake_str(r->requests, "0.body"), "grant_type=client_credentials&scope=read%20write");
    cr_expect_str_eq(fake_str(r->requests, "0.user"), "me");
    cr_expect_str_eq(fake_str(r->requests, "0.password"), "secret4242");
    cr_expect_str_eq(fake_str(r->requests, "1.headers.Authorization"), "Bearer fresh4242");
    r = fake_run(f, "get", "run", "{'api': 'oauth', 'url': 'y'}", NULL);
    cr_expect_eq(json_array_size(r->requests), 1, "the token is there already");
    cr_expect_str_eq(fake_str(r->requests, "0.headers.Authorization"), "Bearer fresh4242");
    fake_host_free(f);
}

Test(http, a_short_token_is_not_kept)
{
    struct fake_host *f = http_host();
    const struct fake_result *r;

    FAKE_HTTP(f, .method = "POST", .url = "/token", .status = 200, .body = "{'access_token': 'short4242', 'expires_in': 20}", .headers = as_json);
    FAKE_HTTP(f, .method = "GET", .status = 200, .body = "fine", .headers = as_text);
    for (int i = 0; i < 2; i++) {
        r = fake_run(f, "get", "run", "{'api': 'posted', 'url': 'x'}", NULL);
        cr_assert(r->ok, "%s", r->error);
        cr_expect_eq(json_array_size(r->requests), 2);
        cr_expect_str_eq(fake_str(r->requests, "0.body"), "grant_type=client_credentials&audience=a%20b&client_id=m%26e&client_secret=secret4242");
        cr_expect_null(fake_str(r->requests, "0.user"));
    }
    fake_host_free(f);
}

Test(http, a_kept_token_that_is_refused_is_fetched_anew_once)
{
    struct fake_host *f = http_host();
    const struct fake_result *r;

    FAKE_HTTP(f, .method = "POST", .url = "/token", .status = 200, .body = "{'access_token': 'first4242', 'expires_in': 3600}", .headers = as_json);
    FAKE_HTTP(f, .method = "POST", .url = "/token", .status = 200, .body = "{'access_token': 'second4242', 'expires_in': 3600}", .headers = as_json);
    FAKE_HTTP(f, .method = "GET", .status = 200, .body = "fine", .headers = as_text);
    FAKE_HTTP(f, .method = "PUT", .status = 401, .body = "", .headers = as_text);
    fake_run(f, "get", "run", "{'api': 'oauth', 'url': 'x'}", NULL);
    r = fake_run(f, "request", "run", "{'api': 'oauth', 'url': 'x', 'method': 'PUT', 'form': {'a': 1}}", NULL);
    cr_expect_eq(r->class, FT_DENIED, "%s", r->error);
    cr_expect_eq(json_array_size(r->requests), 3, "refused, a token, refused: and no more");
    cr_expect_str_eq(fake_str(r->requests, "0.headers.Authorization"), "Bearer first4242");
    cr_expect_str_eq(fake_str(r->requests, "2.headers.Authorization"), "Bearer second4242");
    cr_expect_str_eq(fake_str(r->requests, "2.body"), "a=1");
    fake_host_free(f);
}

static const struct { const char *body; int status; enum ft_class fault, class; const char *says; } no_tokens[] = {
    { "{'error': 'invalid_client'}", 401, 0, FT_DENIED, "invalid_client" }, { "{'error': 'invalid_scope'}", 400, 0, FT_DENIED, "invalid_scope" },
    { "{}", 200, 0, FT_INVALID, "no access_token" }, { "{'access_token': 7}", 200, 0, FT_INVALID, "no access_token" }, { "{'access_token': 'a\\nX: y'}", 200, 0, FT_INVALID, "no access_token" },
    { "{'access_token': 'x', 'token_type': 'mac'}", 200, 0, FT_INVALID, "only Bearer" }, { "<html>", 200, 0, FT_INVALID, "no token" },
    { "", 503, 0, FT_REFUSED, "no token" }, { NULL, 0, FT_UNREACHABLE, FT_UNREACHABLE, "no luck" },
};

Test(http, no_token_no_request)
{
    for (size_t i = 0; i < sizeof(no_tokens) / sizeof(no_tokens[0]); i++) {
        struct fake_host *f = http_host();
        const struct fake_result *r;

        FAKE_HTTP(f, .url = "/token", .status = no_tokens[i].status, .body = no_tokens[i].body, .fault = no_tokens[i].fault, .why = "no luck", .headers = as_json);
        r = fake_run(f, "request", "run", "{'api': 'oauth', 'url': 'x', 'json': {}}", NULL);
        cr_expect_eq(r->class, no_tokens[i].class, "%zu: %s: %s", i, ft_class_name(r->class), r->error);
        cr_expect(strstr(r->error, no_tokens[i].says) && strstr(r->error, "'oauth'"), "%zu: %s", i, r->error);
        cr_expect_eq(json_array_size(r->requests), 1, "%zu", i);
        cr_expect_not(strstr(r->error, "secret4242"), "%s", r->error);
        fake_host_free(f);
    }
}

/* ---- Pages ---- */

static const struct ft_http_header next_2[] = { { "content-type", "application/json" }, { "link", "<https://netbox.test/api/x?page=1>; rel=\"prev\", </api/x?page=2>; rel=\"next\"" }, { NULL, NULL } };
static const struct ft_http_header elsewhere[] = { { "content-type", "application/json" }, { "link", "<https://evil.test/x?page=2>; rel=next" }, { NULL, NULL } };
static const struct ft_http_header itself[] = { { "content-type", "application/json" }, { "link", "</api/x>; rel=next" }, { NULL, NULL } };

Test(http, pages_are_put_together)
{
    struct fake_host *f = http_host();
    const struct fake_result *r;

    FAKE_HTTP(f, .url = "/x", .status = 200, .body = "[1, 2]", .headers = next_2);
    FAKE_HTTP(f, .url = "/x?page=2", .status = 200, .body = "[3]", .headers = as_json);
    r = fake_run(f, "get", "run", "{'api': 'netbox', 'url': 'x', 'pages': {}}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(fake_equals(fake_at(r->result, "json"), "[1, 2, 3]"));
    cr_expect_eq(fake_int(r->result, "pages"), 2);
    cr_expect(json_is_false(fake_at(r->result, "more")));
    cr_expect_str_eq(fake_str(r->requests, "1.url"), "https://netbox.test/api/x?page=2");
    cr_expect_str_eq(fake_str(r->requests, "1.headers.Authorization"), "Token sesame42");
    fake_host_free(f);
    f = http_host();
    FAKE_HTTP(f, .url = "/y", .status = 200, .body = "{'results': ['a'], 'next': 'https://netbox.test/api/y?offset=1'}", .headers = as_json);
    FAKE_HTTP(f, .url = "offset=1", .status = 200, .body = "{'results': ['b'], 'next': '?offset=2'}", .headers = as_json);
    FAKE_HTTP(f, .url = "offset=2", .status = 200, .body = "{'results': [], 'next': null}", .headers = as_json);
    r = fake_run(f, "get", "run", "{'api': 'netbox', 'url': 'y', 'pages': {'items': 'results', 'next': 'next'}}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(fake_equals(fake_at(r->result, "json"), "['a', 'b']"));
    r = fake_run(f, "get", "run", "{'api': 'netbox', 'url': 'y', 'pages': {'items': 'results', 'next': 'next', 'max': 1}}", NULL);
    cr_expect(json_is_true(fake_at(r->result, "more")), "%s", r->error);
    fake_host_free(f);
}

static const struct { const char *body; const struct ft_http_header *headers; const char *says; } no_pages[] = {
    { "{'a': 1}", as_json, "has no list" }, { "[1]", elsewhere, "not at https://netbox.test" }, { "[1]", itself, "names itself" }, { "", as_json, "has no list" }, { "[1]", as_text, "has no list" },
};

Test(http, pages_that_lead_nowhere)
{
    for (size_t i = 0; i < sizeof(no_pages) / sizeof(no_pages[0]); i++) {
        struct fake_host *f = http_host();
        const struct fake_result *r;

        FAKE_HTTP(f, .status = 200, .body = no_pages[i].body, .headers = no_pages[i].headers);
        r = fake_run(f, "get", "run", "{'api': 'netbox', 'url': 'x', 'pages': {}}", NULL);
        cr_expect_eq(r->class, FT_INVALID, "%zu: %s", i, r->error);
        cr_expect(strstr(r->error, no_pages[i].says), "%zu: %s", i, r->error);
        cr_expect_eq(json_array_size(r->requests), 1, "%zu", i);
        fake_host_free(f);
    }
}

/* ---- Files ---- */

Test(http, an_answer_is_kept_in_a_file)
{
    struct fake_host *f = http_host();
    const struct fake_result *r;

    FAKE_HTTP(f, .status = 200, .body = "\x1f\x8b\0z", .body_len = 4, .headers = as_json);
    r = fake_run(f, "get", "run", "{'url': 'https://a.test/backup', 'save': 'backup/a.gz'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->result, "file.path"), "/fake/files/backup/a.gz");
    cr_expect_eq(fake_int(r->result, "file.bytes"), 4);
    cr_expect(json_is_null(fake_at(r->result, "body")) && json_is_null(fake_at(r->result, "json")));
    fake_host_free(f);
    f = http_host();
    fake_file(f, "backup/a.gz", "other", 5);
    FAKE_HTTP(f, .status = 200, .body = "new", .headers = as_text);
    r = fake_run(f, "get", "run", "{'url': 'https://a.test/backup', 'save': 'backup/a.gz'}", NULL);
    cr_expect_eq(r->class, FT_CONFLICT, "%s", r->error);
    fake_host_free(f);
    f = http_host();
    FAKE_HTTP(f, .status = 500, .body = "broken", .headers = as_text);
    r = fake_run(f, "get", "run", "{'url': 'https://a.test/backup', 'save': 'backup/b.gz'}", NULL);
    cr_expect_eq(r->class, FT_REFUSED, "%s", r->error);
    cr_expect_eq(json_array_size(r->files), 0, "an error is no backup");
    fake_host_free(f);
}

Test(http, nothing_leaks_when_a_call_is_cancelled)
{
    struct fake_host *f = http_host();
    const struct fake_result *r;

    FAKE_HTTP(f, .url = "/x", .status = 200, .body = "[1, 2]", .headers = next_2);
    FAKE_HTTP(f, .url = "/x?page=2", .status = 200, .body = "[3]", .headers = as_json, .after_ms = 5000);
    fake_cancel_after(f, 1000);
    r = fake_run(f, "get", "run", "{'api': 'netbox', 'url': 'x', 'pages': {}}", NULL);
    cr_expect_eq(r->class, FT_CANCELLED);
    fake_host_free(f);
}
