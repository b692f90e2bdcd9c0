/* Requests: both styles of paging, where the token goes, errors in words, finding sites and devices. */
#include "mist_test.h"

/* ---- paging by page number */

Test(paging, by_page_until_the_total)
{
    static const struct ft_http_header total[] = { { "x-page-total", "3" }, { "x-page-limit", "2" }, { NULL, NULL } };
    struct fake_host *f = mist_host();

    FAKE_HTTP(f, .url = "/sites?limit=1000", .status = 200, .headers = total, .body = "[{'id': 'a', 'name': 'A'}, {'id': 'b', 'name': 'B'}]");
    FAKE_HTTP(f, .url = "/sites?limit=1000&page=2", .status = 200, .headers = total, .body = "[{'id': 'c', 'name': 'C'}]");
    const struct fake_result *r = fake_run(f, "site_list", "run", "{'limit': 2000}", NULL);

    GOOD(r);
    cr_expect_eq(fake_int(r->result, "total"), 3);
    cr_expect(is_true_at(r->result, "complete"));
    cr_expect_eq(json_array_size(r->requests), 2, "the third page is not asked for: the total is reached");
    fake_host_free(f);
}

Test(paging, by_page_without_a_total_until_a_page_is_not_full)
{
    struct fake_host *f = mist_host();

    ANSWER(f, "/sites?limit=2", "[{'id': 'a', 'name': 'A'}, {'id': 'b', 'name': 'B'}]");
    const struct fake_result *r = fake_run(f, "site_list", "run", "{'limit': 2}", NULL);
    GOOD(r);
    cr_expect_eq(fake_int(r->result, "total"), 2);
    cr_expect(!is_true_at(r->result, "complete"), "there may be more than was asked for");
    cr_expect_eq(json_array_size(r->requests), 1);
    fake_host_free(f);
}

/* ---- paging by cursor */

static const struct fake_result *alarms_with(struct fake_host *f, const char *next)
{
    char body[400];

    snprintf(body, sizeof(body), "{'results': [{'id': '1', 'timestamp': 1}], 'total': 9, 'next': '%s'}", next);
    ANSWER(f, "/alarms/search?duration=1d&limit=500", body);
    return fake_run(f, "alarms", "run", "{'site': '" SITE "'}", NULL);
}

Test(paging, by_cursor_follows_next_as_it_is)
{
    static const char *const nexts[] = {
        "/api/v1/sites/" SITE "/alarms/search?search_after=%5B9%2C%22x%22%5D",
        "https://api.mist.test/api/v1/sites/" SITE "/alarms/search?search_after=%5B9%2C%22x%22%5D",
    };

    for (size_t i = 0; i < ARRAY_LEN(nexts); i++) {
        struct fake_host *f = mist_host();

        ANSWER(f, "search_after=%5B9%2C%22x%22%5D", "{'results': [{'id': '2', 'timestamp': 2}], 'total': 9}");
        const struct fake_result *r = alarms_with(f, nexts[i]);
        GOOD(r);
        cr_expect_eq(fake_int(r->result, "total"), 2, "%s", nexts[i]);
        cr_expect_str_eq(fake_str(r->requests, "1.url"), AT "/sites/" SITE "/alarms/search?search_after=%5B9%2C%22x%22%5D", "%s", nexts[i]);
        cr_expect_str_eq(fake_str(r->result, "alarms.0.id"), "2", "newest first");
        fake_host_free(f);
    }
}

/* The token goes to the configured host and nowhere else, whatever an answer says. */
Test(paging, next_on_another_host_is_refused)
{
    static const char *const nexts[] = {
        "https://evil.test/api/v1/sites/x/alarms/search?search_after=1", "//evil.test/api/v1/x", "http://api.mist.test/api/v1/x",
        "https://api.mist.test.evil.test/api/v1/x", "https://api.mist.test@evil.test/api/v1/x", "https://api.mist.test:8443/api/v1/x",
    };

    for (size_t i = 0; i < ARRAY_LEN(nexts); i++) {
        struct fake_host *f = mist_host();
        const struct fake_result *r = alarms_with(f, nexts[i]);

        cr_expect(!r->ok && r->class == FT_INVALID && strstr(r->error, "another host"), "%s: %s", nexts[i], r->error);
        cr_expect_eq(json_array_size(r->requests), 1, "%s was asked", nexts[i]);
        fake_host_free(f);
    }
}

Test(paging, next_that_is_no_path_ends_the_list)
{
    static const char *const nexts[] = { "next8", "string", "../../x" };

    for (size_t i = 0; i < ARRAY_LEN(nexts); i++) {
        struct fake_host *f = mist_host();
        const struct fake_result *r = alarms_with(f, nexts[i]);

        GOOD(r);
        cr_expect_eq(fake_int(r->result, "total"), 1, "%s", nexts[i]);
        cr_expect(!is_true_at(r->result, "complete"), "%s", nexts[i]);
        fake_host_free(f);
    }
}

Test(paging, next_that_loops_ends)
{
    struct fake_host *f = mist_host();

    ANSWER(f, "search_after=1", "{'results': [{'id': '2'}], 'next': '/api/v1/sites/" SITE "/alarms/search?search_after=2'}");
    ANSWER(f, "search_after=2", "{'results': [{'id': '3'}], 'next': '/api/v1/sites/" SITE "/alarms/search?search_after=1'}");
    const struct fake_result *r = alarms_with(f, "/api/v1/sites/" SITE "/alarms/search?search_after=1");

    GOOD(r);
    cr_expect_eq(json_array_size(r->requests), 3);
    cr_expect(!is_true_at(r->result, "complete"));
    fake_host_free(f);
}

Test(paging, next_for_ever_ends)
{
    struct fake_host *f = mist_host();

    for (int i = 0; i < 150; i++) {
        char url[40], body[200];

        snprintf(url, sizeof(url), "search_after=%d", i);
        snprintf(body, sizeof(body), "{'results': [{'id': 'x%d'}], 'next': '/api/v1/sites/" SITE "/alarms/search?search_after=%d'}", i, i + 1);
        ANSWER(f, url, body);
    }
    const struct fake_result *r = alarms_with(f, "/api/v1/sites/" SITE "/alarms/search?search_after=0");

    GOOD(r);
    cr_expect_eq(json_array_size(r->requests), 100);
    cr_expect(!is_true_at(r->result, "complete"));
    fake_host_free(f);
}

Test(paging, an_empty_page_ends_it)
{
    struct fake_host *f = mist_host();

    ANSWER(f, "search_after=1", "{'results': [], 'next': '/api/v1/sites/" SITE "/alarms/search?search_after=2'}");
    const struct fake_result *r = alarms_with(f, "/api/v1/sites/" SITE "/alarms/search?search_after=1");

    GOOD(r);
    cr_expect_eq(json_array_size(r->requests), 2);
    fake_host_free(f);
}

/* ---- errors */

Test(errors, end_in_a_sentence_that_says_what_to_do)
{
    static const struct { int status; const char *body; enum ft_class fault, class; const char *says; } cases[] = {
        { 401, "{'detail': 'Authentication credentials were not provided.'}", 0, FT_DENIED, "plugins.mist.token" },
        { 403, "{'detail': 'You do not have permission to perform this action.'}", 0, FT_DENIED, "role" },
        { 403, "{'detail': 'You do not have permission to perform this action.'}", 0, FT_DENIED, "You do not have permission" },
        { 404, "{'id': 'x'}", 0, FT_NOT_FOUND, "" },
        { 400, "{'detail': 'JSON parse error - expecting value'}", 0, FT_INVALID, "JSON parse error" },
        { 429, "{'detail': 'Too Many Request.'}", 0, FT_REFUSED, "Too Many" },
        { 500, "oops", 0, FT_REFUSED, "" },
        { 502, "<html>bad gateway</html>", 0, FT_REFUSED, "" },
        { 200, "<!DOCTYPE html><html>Sign in</html>", 0, FT_INVALID, "plugins.mist.url" },
        { 200, "{'request_limit': 5000, 'requ", 0, FT_INVALID, "" },
        { 200, "[1, 2]", 0, FT_INVALID, "a list where an object was due" },
        { 200, "'text'", 0, FT_INVALID, "" },
        { 200, "", 0, FT_INVALID, "nothing where an object was due" },
        { 200, "{'requests': 5}", 0, FT_INVALID, "request_limit" },
        { 200, "{'requests': {}, 'request_limit': 'many'}", 0, FT_INVALID, "request_limit" },
        { 0, NULL, FT_UNREACHABLE, FT_UNREACHABLE, "no route" },
        { 0, NULL, FT_TIMEOUT, FT_TIMEOUT, "no route" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_host *f = mist_host();

        FAKE_HTTP(f, .status = cases[i].status, .body = cases[i].body, .fault = cases[i].fault, .why = cases[i].fault ? "no route" : NULL);
        const struct fake_result *r = fake_run(f, "usage", "run", "{}", NULL);
        cr_expect(!r->ok && r->class == cases[i].class && strstr(r->error, cases[i].says), "case %zu: class %s: %s", i, ft_class_name(r->class), r->error);
        cr_expect(!strstr(r->error, "sesame"), "case %zu shows the token", i);
        fake_host_free(f);
    }
}

Test(errors, a_write_answered_in_no_words_is_ambiguous)
{
    static const struct { int status; const char *body; enum ft_class fault, class; } cases[] = {
        { 200, "<html>login</html>", 0, FT_AMBIGUOUS }, { 0, NULL, FT_AMBIGUOUS, FT_AMBIGUOUS }, { 0, NULL, FT_UNREACHABLE, FT_UNREACHABLE },
        { 403, "{'detail': 'no'}", 0, FT_DENIED }, { 404, "{}", 0, FT_NOT_FOUND }, { 500, "", 0, FT_REFUSED },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_host *f = mist_host();

        ANSWER(f, "/stats/devices/" AP_ID, "{'id': '" AP_ID "', 'type': 'ap', 'status': 'connected', 'uptime': 5}");
        FAKE_HTTP(f, .method = "POST", .status = cases[i].status, .body = cases[i].body, .fault = cases[i].fault, .why = cases[i].fault ? "lost" : NULL);
        const struct fake_result *r = fake_run(f, "ap_restart", "run", "{'site': '" SITE "', 'device': '" AP_ID "'}", NULL);
        cr_expect(!r->ok && r->class == cases[i].class, "case %zu: class %s: %s", i, ft_class_name(r->class), r->error);
        cr_expect_eq(writes_in(r->requests), 1, "case %zu: sent once", i);
        cr_expect(fake_int(write_in(r->requests), "flags") & FT_HTTP_WRITE);
        fake_host_free(f);
    }
}

Test(errors, every_request_asks_the_budget)
{
    struct fake_host *f = mist_host();

    ANSWER(f, "/self/usage", "{'request_limit': 5000, 'requests': 5}");
    const struct fake_result *r = fake_run(f, "usage", "run", "{}", NULL);
    GOOD(r);
    cr_expect_eq(fake_int(r->result, "left"), 4995);
    cr_expect_str_eq(json_string_value(json_array_get(r->trace, 0)), "budget mist/" ORG);
    fake_host_free(f);
}

Test(errors, the_deadline_ends_a_call_that_waits)
{
    struct fake_host *f = mist_host();

    FAKE_HTTP(f, .url = "/orgs/" ORG "/sites?limit=5000", .status = 200, .body = "[]", .after_ms = 60000);
    FAKE_HTTP(f, .status = 200, .body = "[{'id': '" SITE "', 'name': 'HQ'}]");
    fake_timeout(f, 1000);
    const struct fake_result *r = fake_run(f, "site_info", "run", "{'site': 'HQ'}", NULL);
    cr_expect(!r->ok, "a list where the object was due");
    FAKE_HTTP(f, .url = "/sites/" SITE "/stats", .status = 200, .body = "{}", .after_ms = 60000);
    r = fake_run(f, "site_stats", "run", "{'site': 'HQ'}", NULL);
    cr_expect(!r->ok && r->class == FT_TIMEOUT, "%s", r->error);
    fake_host_free(f);
}

/* ---- sites by name */

#define SITES "[{'id': '" SITE "', 'name': 'HQ'}, {'id': '" OTHER_SITE "', 'name': 'Lab'}, {'id': 'x1', 'name': 'Depot'}, {'id': 'x2', 'name': 'Depot'}, 'odd', {'name': null}]"

Test(site, by_name)
{
    static const struct { const char *name, *id; enum ft_class class; const char *says; } cases[] = {
        { "HQ", SITE, 0, "" }, { "hq", SITE, 0, "" }, { OTHER_SITE, OTHER_SITE, 0, "" },
        { "HO", NULL, FT_NOT_FOUND, "did you mean 'HQ'?" }, { "Labs", NULL, FT_NOT_FOUND, "'Lab'" }, { "Nowhere at all", NULL, FT_NOT_FOUND, "no site 'Nowhere at all'" },
        { "Depot", NULL, FT_INVALID, "x1, x2" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_host *f = mist_host();
        char params[200], url[200];

        ANSWER(f, "/orgs/" ORG "/sites?limit=1000", SITES);
        snprintf(url, sizeof(url), "/sites/%s/stats", cases[i].id ? cases[i].id : "none");
        ANSWER(f, url, "{'num_ap': 4}");
        snprintf(params, sizeof(params), "{'site': '%s'}", cases[i].name);
        const struct fake_result *r = fake_run(f, "site_stats", "run", params, NULL);
        cr_expect_eq(r->ok, cases[i].id != NULL, "%s: %s", cases[i].name, r->error);
        cr_expect(r->ok || (r->class == cases[i].class && strstr(r->error, cases[i].says)), "%s: %s", cases[i].name, r->error);
        fake_host_free(f);
    }
}

Test(site, names_are_kept_for_an_hour)
{
    struct fake_host *f = mist_host();

    ANSWER(f, "/orgs/" ORG "/sites?limit=1000", SITES);
    ANSWER(f, "/sites/" SITE "/stats", "{'num_ap': 4}");
    GOOD(fake_run(f, "site_stats", "run", "{'site': 'HQ'}", NULL));
    const struct fake_result *r = fake_run(f, "site_stats", "run", "{'site': 'HQ'}", NULL);
    GOOD(r);
    cr_expect_eq(json_array_size(r->requests), 1, "the name is known");
    r = fake_run(f, "site_stats", "run", "{'site': 'New'}", NULL);
    cr_expect_eq(json_array_size(r->requests), 1, "a name that is not there may be new");
    fake_wall(f, 1795227185000 + 2 * 3600 * 1000);
    r = fake_run(f, "site_stats", "run", "{'site': 'HQ'}", NULL);
    cr_expect_eq(json_array_size(r->requests), 2, "the list is too old");
    fake_host_free(f);
}

/* ---- devices by name, MAC and id */

#define INVENTORY "[{'id': '" AP_ID "', 'mac': '" AP_MAC "', 'name': 'ap-3f-12', 'type': 'ap', 'site_id': '" SITE "', 'magic': 'CLAIM-CODE'}," \
    "{'id': '" SW_ID "', 'mac': '" SW_MAC "', 'name': 'sw-3', 'type': 'switch', 'site_id': '" SITE "'}," \
    "{'id': 'd3', 'mac': '5c5b35000003', 'name': 'twin', 'type': 'ap', 'site_id': '" SITE "'}, {'id': 'd4', 'mac': '5c5b35000004', 'name': 'twin', 'type': 'ap', 'site_id': '" OTHER_SITE "'}," \
    "{'id': 'd5', 'mac': '5c5b35000005', 'name': 'spare', 'type': 'ap'}]"

Test(device, by_any_of_its_names)
{
    static const struct { const char *params; const char *id; enum ft_class class; const char *says; } cases[] = {
        { "{'device': 'ap-3f-12'}", AP_ID, 0, "" },
        { "{'device': 'AP-3F-12', 'site': '" SITE "'}", AP_ID, 0, "" },
        { "{'device': '5C:5B:35:00:00:01'}", AP_ID, 0, "" },
        { "{'device': '5c5b.3500.0001', 'site': '" SITE "'}", AP_ID, 0, "" },
        { "{'device': '" AP_ID "'}", AP_ID, 0, "" },
        { "{'device': '" AP_ID "', 'site': '" SITE "'}", AP_ID, 0, "" },
        { "{'device': 'twin', 'site': '" OTHER_SITE "'}", "d4", 0, "" },
        { "{'device': 'twin'}", NULL, FT_INVALID, "d3, d4" },
        { "{'device': 'ap-3f-13'}", NULL, FT_NOT_FOUND, "did you mean 'ap-3f-12'" },
        { "{'device': 'ap-3f-12', 'site': '" OTHER_SITE "'}", NULL, FT_NOT_FOUND, "belongs to site " SITE },
        { "{'device': 'ap-3f-13', 'site': '" OTHER_SITE "'}", NULL, FT_NOT_FOUND, "at site" },
        { "{'device': 'spare', 'site': '" SITE "'}", NULL, FT_NOT_FOUND, "assigned to no site" },
        { "{'device': '5c5b35000001', 'site': '" OTHER_SITE "'}", NULL, FT_NOT_FOUND, "belongs to site" },
        { "{'device': 'spare'}", NULL, FT_NOT_FOUND, "assigned to no site" },
        { "{'device': '5c5b35000009'}", NULL, FT_NOT_FOUND, "no device" },
        { "{'device': '11111111-2222-3333-4444-555555555555'}", NULL, FT_INVALID, "say the site" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_host *f = mist_host();
        char url[100];

        ANSWER(f, "/orgs/" ORG "/inventory?limit=1000", INVENTORY);
        ANSWER(f, "/inventory?mac=" AP_MAC "&limit=10", "[{'mac': '" AP_MAC "', 'type': 'ap', 'site_id': '" SITE "', 'id': '" AP_ID "'}]");
        ANSWER(f, "&limit=10", "[]");
        snprintf(url, sizeof(url), "/stats/devices/%s", cases[i].id ? cases[i].id : "none");
        ANSWER(f, url, "{'status': 'connected', 'type': 'ap'}");
        const struct fake_result *r = fake_run(f, "device_status", "run", cases[i].params, NULL);
        cr_expect_eq(r->ok, cases[i].id != NULL, "%s: %s", cases[i].params, r->error);
        cr_expect(r->ok || (r->class == cases[i].class && strstr(r->error, cases[i].says)), "%s: class %s: %s", cases[i].params, ft_class_name(r->class), r->error);
        cr_expect(!r->ok || !strstr(fake_str(r->requests, "0.url"), "CLAIM"));
        fake_host_free(f);
    }
}

Test(device, a_member_of_a_virtual_chassis_is_reached_by_the_chassis)
{
    struct fake_host *f = mist_host();

    ANSWER(f, "/inventory?mac=5c5b35000102&limit=10", "[]");
    ANSWER(f, "/inventory?vc=true&mac=5c5b35000102&limit=10",
           "[{'mac': '5c5b35000102', 'type': 'switch', 'site_id': '" SITE "', 'vc_mac': '" SW_MAC "', 'id': '00000000-0000-0000-1000-5c5b35000102'}]");
    ANSWER(f, "/stats/devices/" SW_ID, "{'status': 'connected', 'type': 'switch'}");
    const struct fake_result *r = fake_run(f, "device_status", "run", "{'device': '5c5b35000102'}", NULL);
    GOOD(r);
    fake_host_free(f);
}

Test(device, of_the_wrong_kind_is_not_touched)
{
    static const struct { const char *action, *params; } cases[] = {
        { "ap_restart", "{'device': 'sw-3'}" }, { "ap_restart", "{'device': '" SW_ID "', 'site': '" SITE "'}" },
        { "switch_restart", "{'device': '" AP_ID "', 'site': '" SITE "'}" }, { "switch_restart", "{'device': 'ap-3f-12'}" },
        { "port_bounce", "{'device': 'ap-3f-12', 'port': 'ge-0/0/1'}" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_host *f = mist_host();

        ANSWER(f, "/orgs/" ORG "/inventory?limit=1000", INVENTORY);
        ANSWER(f, "/stats/devices/" SW_ID, "{'status': 'connected', 'type': 'switch'}");
        ANSWER(f, "/stats/devices/" AP_ID, "{'status': 'connected', 'type': 'ap'}");
        FAKE_HTTP(f, .method = "POST", .status = 200);
        const struct fake_result *r = fake_run(f, cases[i].action, "run", cases[i].params, NULL);
        cr_expect(!r->ok, "%s %s", cases[i].action, cases[i].params);
        cr_expect_eq(writes_in(r->requests), 0, "%s %s", cases[i].action, cases[i].params);
        fake_host_free(f);
    }
}

/* A name that a write goes by must be fresh: the device behind it may have been replaced. */
Test(device, writes_trust_names_for_a_minute)
{
    struct fake_host *f = mist_host();

    ANSWER(f, "/orgs/" ORG "/inventory?limit=1000", INVENTORY);
    ANSWER(f, "/stats/devices/" AP_ID, "{'status': 'connected', 'type': 'ap'}");
    GOOD(fake_run(f, "device_status", "run", "{'device': 'ap-3f-12'}", NULL));
    fake_wall(f, 1795227185000 + 5 * 60 * 1000);
    const struct fake_result *r = fake_run(f, "device_status", "run", "{'device': 'ap-3f-12'}", NULL);
    cr_expect_eq(json_array_size(r->requests), 1, "a read trusts it longer");
    r = fake_run(f, "ap_restart", "plan", "{'device': 'ap-3f-12'}", NULL);
    GOOD(r);
    cr_expect_eq(json_array_size(r->requests), 2, "a write asks anew");
    fake_host_free(f);
}

/* ---- the window as Mist wants it */

Test(window, becomes_a_duration)
{
    static const struct { const char *window, *duration; } cases[] = {
        { "'10m'", "10m" }, { "'2h'", "2h" }, { "'1d'", "1d" }, { "'2w'", "2w" }, { "'90s'", "2m" }, { "'5s'", "1m" }, { "'120s'", "2m" },
        { "3600000", "60m" }, { "1", "1m" }, { "90000.5", "2m" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_host *f = mist_host();
        char params[200], url[100];

        snprintf(params, sizeof(params), "{'site': '" SITE "', 'window': %s}", cases[i].window);
        snprintf(url, sizeof(url), "/alarms/search?duration=%s&limit=500", cases[i].duration);
        ANSWER(f, url, "{'results': []}");
        const struct fake_result *r = fake_run(f, "alarms", "run", params, NULL);
        cr_expect(r->ok, "%s: %s", cases[i].window, r->error);
        fake_host_free(f);
    }
}
