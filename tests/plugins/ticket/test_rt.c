/* The ticket plugin against scripted answers of Request Tracker's REST2: odd and unfriendly ones. (tests/peers/test_rt.py has the real one.) */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fake_host.h"

#define RUN "7f3c0a12"                 /* the fake host's run */

static struct fake_host *rt(void)
{
    struct fake_host *f = fake_host_new("ticket");

    fake_config(f, "{'system': 'rt', 'url': 'https://rt.test/', 'token': 'sesame42', 'queue': 'Network', 'caller': 'noc@corp.test'}");
    return f;
}

static const char *ticket(const char *status, const char *priority, const char *links)
{
    static char text[4][700];
    static unsigned turn;
    char *to = text[turn++ % 4];

    snprintf(to, 700, "{\"id\":17,\"type\":\"ticket\",\"Subject\":\"Client a4 gets no address\",\"Status\":\"%s\",\"Priority\":\"%s\",\"Owner\":{\"id\":\"Nobody\"},\"Created\":\"2026-11-20T23:19:20Z\","
             "\"LastUpdated\":\"1970-01-01T00:00:00Z\",\"CustomFields\":[],\"_hyperlinks\":[{\"ref\":\"self\",\"id\":17}%s]}", status, priority, links);
    return to;
}

static const struct ft_http_header etag[] = { { "etag", "\"34\"" }, { NULL, NULL } };

Test(rt, a_ticket_is_read_with_its_numbers_as_they_come)
{
    struct fake_host *f = rt();
    const struct fake_result *r;

    FAKE_HTTP(f, .method = "GET", .status = 200, .body = ticket("stalled", "75", ""));
    r = fake_run(f, "get", "run", "{'number': '17'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->result, "number"), "17");
    cr_expect_str_eq(fake_str(r->result, "state"), "on_hold");
    cr_expect_eq(fake_int(r->result, "priority"), 2);
    cr_expect(json_is_null(fake_at(r->result, "assignee")), "Nobody is nobody");
    cr_expect(json_is_null(fake_at(r->result, "updated_at")), "1970 is never");
    cr_expect_str_eq(fake_str(r->requests, "0.url"), "https://rt.test/REST/2.0/ticket/17");
    cr_expect_str_eq(fake_str(r->requests, "0.headers.Authorization"), "token sesame42");
    fake_host_free(f);
}

Test(rt, open_refers_to_its_correlation_id_and_checks_it)
{
    struct fake_host *f = rt();
    const struct fake_result *r;

    FAKE_HTTP(f, .method = "GET", .url = "/ticket/17", .status = 200, .body = ticket("new", "50", ",{\"ref\":\"refers-to\",\"_url\":\"fettle:fettle-" RUN "\"}"));
    FAKE_HTTP(f, .method = "GET", .status = 200, .body = "{'items': [], 'total': 0}");
    FAKE_HTTP(f, .method = "POST", .status = 201, .body = "{'type': 'ticket', 'id': '17', '_url': 'x'}");
    r = fake_run(f, "open", "run", "{'title': 'no address', 'text': 'three timeouts'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(strstr(fake_str(r->requests, "0.url"), "query=RefersTo%20%3D%20%27fettle%3Afettle-" RUN "%27"), "%s", fake_str(r->requests, "0.url"));
    cr_expect(fake_equals(fake_at(r->requests, "1.json"), "{'Queue': 'Network', 'Subject': 'no address', 'Content': 'three timeouts', 'ContentType': 'text/plain', 'Requestor': ['noc@corp.test'],"
                          "'Priority': 50, 'RefersTo': ['fettle:fettle-" RUN "']}"));
    cr_expect_str_eq(fake_str(r->kept, "id"), "17");
    cr_expect_str_eq(fake_str(r->result, "number"), "17");
    fake_host_free(f);
    f = rt();
    FAKE_HTTP(f, .method = "GET", .url = "/ticket/17", .status = 200, .body = ticket("new", "50", ""));
    FAKE_HTTP(f, .method = "GET", .status = 200, .body = "{'items': []}");
    FAKE_HTTP(f, .method = "POST", .status = 201, .body = "{'id': '17'}");
    r = fake_run(f, "open", "run", "{'title': 'no address'}", NULL);
    cr_expect_eq(r->class, FT_REFUSED, "without the link it would be opened again and again");
    cr_expect(strstr(r->error, "'RefersTo' of 17"), "%s", r->error);
    fake_host_free(f);
}

Test(rt, a_ticket_made_that_cannot_be_read_is_in_doubt_and_its_number_is_kept)
{
    struct fake_host *f = rt();
    const struct fake_result *r;

    FAKE_HTTP(f, .method = "GET", .url = "/ticket/17", .status = 500, .body = "boom");
    FAKE_HTTP(f, .method = "GET", .status = 200, .body = "{'items': []}");
    FAKE_HTTP(f, .method = "POST", .status = 201, .body = "{'id': 17}");
    r = fake_run(f, "open", "run", "{'title': 'no address'}", NULL);
    cr_expect_eq(r->class, FT_AMBIGUOUS, "%s", r->error);
    cr_expect_str_eq(fake_str(r->kept, "number"), "17");
    fake_host_free(f);
}

Test(rt, changes_are_compare_and_set)
{
    struct fake_host *f = rt();
    const struct fake_result *r;

    FAKE_HTTP(f, .method = "GET", .status = 200, .body = ticket("new", "50", ""), .headers = etag);
    FAKE_HTTP(f, .method = "PUT", .status = 412, .body = "{'message': 'Precondition Failed'}");
    r = fake_run(f, "update", "run", "{'number': '17', 'severity': 'P1', 'state': 'in_progress'}", NULL);
    cr_expect_eq(r->class, FT_CONFLICT, "%s", r->error);
    cr_expect_str_eq(fake_str(r->requests, "1.headers.If-Match"), "\"34\"");
    cr_expect(fake_equals(fake_at(r->requests, "1.json"), "{'Priority': 100, 'Status': 'open'}"));
    fake_host_free(f);
}

Test(rt, what_rt_says_in_words_is_shown_when_something_is_missing)
{
    struct fake_host *f = rt();
    const struct fake_result *r;

    FAKE_HTTP(f, .method = "GET", .status = 200, .body = ticket("open", "50", ""));
    FAKE_HTTP(f, .method = "POST", .status = 201, .body = "['Comments added', 'That ticket has unresolved dependencies', 7]");
    r = fake_run(f, "resolve", "run", "{'number': '17', 'notes': 'done'}", NULL);
    cr_expect_eq(r->class, FT_REFUSED);
    cr_expect(strstr(r->error, "'Status' of 17") && strstr(r->error, "unresolved dependencies"), "%s", r->error);
    cr_expect_str_eq(fake_str(r->requests, "1.url"), "https://rt.test/REST/2.0/ticket/17/comment");
    fake_host_free(f);
}

Test(rt, a_note_is_found_by_its_subject)
{
    static const struct { const char *items; bool there; } histories[] = {
        { "{'Type': 'Comment', 'Data': '(fettle run " RUN ", note 5e4c4fcf)\\n', 'Creator': {'id': 'root'}}", false },
        { "7, null, {'Type': 'Comment'}, {'Type': 'Create', 'Data': '@'}", false }, { "{'Type': 'Correspond', 'Data': 'x @', 'Creator': 'root'}", true },
    };

    for (size_t i = 0; i < sizeof(histories) / sizeof(histories[0]); i++) {
        struct fake_host *f = rt();
        const struct fake_result *r;
        char body[600], mark[100], *at;

        FAKE_HTTP(f, .method = "GET", .url = "/ticket/17", .status = 200, .body = ticket("open", "50", ""));
        r = fake_run(f, "update", "plan", "{'number': '17', 'note': 'pool is full'}", NULL);
        cr_assert(r->ok, "%s", r->error);
        snprintf(mark, sizeof(mark), "%s", fake_str(r->result, "requests.0.body.Subject"));
        snprintf(body, sizeof(body), "{'items': [%s]}", histories[i].items);
        at = strchr(body, '@');
        if (at) {
            char rest[300];

            snprintf(rest, sizeof(rest), "%s", at + 1);
            snprintf(at, sizeof(body) - (size_t)(at - body), "%s%s", mark, rest);
        }
        FAKE_HTTP(f, .method = "GET", .url = "/ticket/17", .status = 200, .body = ticket("open", "50", ""));
        FAKE_HTTP(f, .method = "GET", .status = 200, .body = body);
        r = fake_run(f, "update", "probe", "{'number': '17', 'note': 'pool is full'}", NULL);
        cr_assert(r->ok, "%zu: %s", i, r->error);
        cr_expect_eq(json_is_true(fake_at(r->result, "happened")), histories[i].there, "%zu", i);
        fake_host_free(f);
    }
}

static const struct { const char *name, *body; int status; enum ft_class class; const char *says; } odd[] = {
    { "not there", "{'message': 'Not Found'}", 404, FT_NOT_FOUND, "has no ticket 17" },
    { "no login", "{'message': 'Unauthorized'}", 401, FT_DENIED, "Unauthorized" },
    { "no right", "{'message': 'No permission'}", 403, FT_DENIED, "No permission" },
    { "another API", "{'ok': true}", 200, FT_INVALID, "not as Request Tracker" },
    { "a list of other things", "{'items': {'a': 1}}", 200, FT_INVALID, "not as Request Tracker" },
    { "a ticket without a number", "{'type': 'ticket', 'Status': 'new'}", 200, FT_INVALID, "not as Request Tracker" },
    { "wrong types", "{'type': 'ticket', 'id': {}, 'Status': 5, 'Subject': []}", 200, FT_INVALID, "" },
    { "html", "<html>Login</html>", 200, FT_INVALID, "" },
    { "server error", "{'message': 'boom\\nat line 5'}", 500, FT_REFUSED, "boom)" },
};

Test(rt, odd_answers_have_their_class)
{
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        struct fake_host *f = rt();
        const struct fake_result *r;

        FAKE_HTTP(f, .status = odd[i].status, .body = odd[i].body);
        r = fake_run(f, "get", "run", "{'number': '17'}", NULL);
        cr_expect_not(r->ok, "%s", odd[i].name);
        cr_expect_eq(r->class, odd[i].class, "%s: %s", odd[i].name, r->error);
        cr_expect(strstr(r->error, odd[i].says), "%s: %s", odd[i].name, r->error);
        cr_expect_not(strstr(r->error, "sesame42"));
        fake_host_free(f);
    }
}

Test(rt, attachments_stay)
{
    struct fake_host *f = rt();
    const struct fake_result *r = fake_run(f, "attach", "undo", "{'number': '17', 'file_name': 'e.txt', 'text': 'x'}", "{'system': 'rt', 'id': '17', 'attachment_id': ''}");

    cr_expect_eq(r->class, FT_REFUSED);
    cr_expect(strstr(r->error, "keeps every attachment"), "%s", r->error);
    fake_host_free(f);
}
