/* The ticket plugin against scripted answers of Jira, Cloud and Data Center: what the lab does not do, and odd answers. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fake_host.h"

#define RUN "7f3c0a12"                 /* the fake host's run */

static struct fake_host *jira(bool cloud)
{
    struct fake_host *f = fake_host_new("ticket");

    if (cloud)
        fake_config(f, "{'system': 'jira', 'url': 'https://corp.atlassian.net', 'user': 'fettle@corp.test', 'token': 'sesame42', 'project': 'NOC', 'issue_type': 'Incident', 'labels': ['network']}");
    else
        fake_config(f, "{'system': 'jira', 'url': 'https://jira.corp.test/', 'token': 'sesame42', 'project': 'NOC', 'states': {'on_hold': 'Parked'}, 'severities': {'P3': ''}, 'field_names': {'ci': "
                       "'customfield_10050', 'category': 'components'}}");
    return f;
}

static const char *issue(const char *status, const char *category, const char *label)
{
    static char text[4][900];
    static unsigned turn;
    char *to = text[turn++ % 4];

    snprintf(to, 900, "{\"id\":\"10002\",\"key\":\"NOC-1\",\"self\":\"x\",\"fields\":{\"summary\":\"Client a4 gets no address\",\"status\":{\"name\":\"%s\",\"statusCategory\":{\"key\":\"%s\"}},"
             "\"priority\":{\"name\":\"High\"},\"labels\":[\"%s\"],\"issuelinks\":[],\"created\":\"2016-04-06T02:36:53.594-0700\",\"updated\":\"2016-04-06T10:00:00.000+0200\",\"assignee\":null}}",
             status, category, label);
    return to;
}

static void gets(struct fake_host *f, const char *url, const char *body) { FAKE_HTTP(f, .method = "GET", .url = url, .status = 200, .body = body); }

static void finds(struct fake_host *f, const char *one)
{
    char body[1200];

    snprintf(body, sizeof(body), "{\"issues\":[%s],\"isLast\":true}", one);
    FAKE_HTTP(f, .method = "GET", .status = 200, .body = body);
}

/* ---- Reading ---- */

static const struct { const char *status, *category, *state; bool active; } statuses[] = {
    { "Open", "new", "new", true }, { "To Do", "new", "new", true }, { "In Progress", "indeterminate", "in_progress", true }, { "Waiting for customer", "indeterminate", "on_hold", true },
    { "Blocked", "indeterminate", "on_hold", true }, { "Done", "done", "resolved", false }, { "Resolved", "done", "resolved", false }, { "Closed", "done", "closed", false },
    { "Canceled", "done", "canceled", false }, { "Won't do", "done", "canceled", false }, { "QA", "completed", "resolved", false }, { "Doing", "in-flight", "in_progress", true },
    { "Parked", "indeterminate", "on_hold", true },
};

Test(jira, statuses_are_told_by_category_and_words)
{
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        struct fake_host *f = jira(false);
        const struct fake_result *r;

        gets(f, NULL, issue(statuses[i].status, statuses[i].category, "x"));
        r = fake_run(f, "get", "run", "{'number': 'NOC-1'}", NULL);
        cr_assert(r->ok, "%s: %s", statuses[i].status, r->error);
        cr_expect_str_eq(fake_str(r->result, "state"), statuses[i].state, "%s: %s", statuses[i].status, fake_str(r->result, "state"));
        cr_expect_eq(json_is_true(fake_at(r->result, "active")), statuses[i].active, "%s", statuses[i].status);
        cr_expect_str_eq(fake_str(r->result, "opened_at"), "2016-04-06T09:36:53Z");
        cr_expect_str_eq(fake_str(r->result, "updated_at"), "2016-04-06T08:00:00Z");
        cr_expect_str_eq(fake_str(r->result, "url"), "https://jira.corp.test/browse/NOC-1");
        cr_expect_eq(fake_int(r->result, "priority"), 2);
        fake_host_free(f);
    }
}

/* An issue that was moved has another key; what was asked for by its old one is it. */
Test(jira, an_issue_that_was_moved_is_found_by_its_old_key)
{
    struct fake_host *f = jira(true);
    const struct fake_result *r;

    gets(f, NULL, issue("Open", "new", "x"));
    r = fake_run(f, "get", "run", "{'number': 'OLD-7'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->result, "number"), "NOC-1");
    cr_expect(strstr(fake_str(r->requests, "0.url"), "https://corp.atlassian.net/rest/api/3/issue/OLD-7?fields="));
    fake_host_free(f);
}

Test(jira, cloud_pages_by_token_until_the_last)
{
    struct fake_host *f = jira(true);
    const struct fake_result *r;
    char body[1200];

    FAKE_HTTP(f, .method = "GET", .status = 200, .body = "{'issues': [], 'isLast': false, 'nextPageToken': 'CAE=&x'}");
    snprintf(body, sizeof(body), "{\"issues\":[%s],\"isLast\":true,\"nextPageToken\":\"zzz\"}", issue("Open", "new", "fettle-" RUN));
    FAKE_HTTP(f, .method = "GET", .status = 200, .body = body);
    r = fake_run(f, "find", "run", "{}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(json_array_size(r->requests), 2);
    cr_expect(strstr(fake_str(r->requests, "0.url"), "/rest/api/3/search/jql?jql=project%20%3D%20%22NOC%22%20AND%20labels%20%3D%20%22fettle-" RUN "%22%20ORDER%20BY"), "%s", fake_str(r->requests, "0.url"));
    cr_expect(strstr(fake_str(r->requests, "1.url"), "&nextPageToken=CAE%3D%26x"), "%s", fake_str(r->requests, "1.url"));
    cr_expect(json_is_true(fake_at(r->result, "found")));
    cr_expect_str_eq(fake_str(r->requests, "0.user"), "fettle@corp.test");
    fake_host_free(f);
}

Test(jira, pages_without_end_are_bounded)
{
    struct fake_host *f = jira(true);
    const struct fake_result *r;

    FAKE_HTTP(f, .method = "GET", .status = 200, .body = "{'issues': [], 'nextPageToken': 'again'}");
    r = fake_run(f, "find", "run", "{}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_leq(json_array_size(r->requests), 5);
    fake_host_free(f);
}

Test(jira, labels_and_words_are_quoted_and_checked_again)
{
    struct fake_host *f = jira(false);
    const struct fake_result *r;

    finds(f, issue("Open", "new", "somebody-else"));
    r = fake_run(f, "find", "run", "{\"correlation_id\": \"a b\\\"c\\\\d%\"}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_false(fake_at(r->result, "found")), "its label is another");
    cr_expect(strstr(fake_str(r->requests, "0.url"), "labels%20%3D%20%22a%2520b%5C%22c%5C%5Cd%2525%22"), "%s", fake_str(r->requests, "0.url"));
    cr_expect(strstr(fake_str(r->requests, "0.url"), "https://jira.corp.test/rest/api/2/search?jql="), "%s", fake_str(r->requests, "0.url"));
    cr_expect_str_eq(fake_str(r->requests, "0.headers.Authorization"), "Bearer sesame42");
    fake_host_free(f);
}

/* ---- Opening ---- */

Test(jira, cloud_wants_rich_text_and_data_center_plain)
{
    for (int cloud = 0; cloud < 2; cloud++) {
        struct fake_host *f = jira(cloud);
        const struct fake_result *r;

        FAKE_HTTP(f, .method = "GET", .status = 200, .body = "{'issues': []}");
        r = fake_run(f, "open", "plan", "{'title': 'no address', 'text': 'one\\ntwo\\n\\nthree', 'severity': 'P3', 'fields': {'duedate': '2026-12-01'}}", NULL);
        cr_assert(r->ok, "%s", r->error);
        cr_expect_str_eq(fake_str(r->result, "requests.0.body.fields.project.key"), "NOC");
        cr_expect_str_eq(fake_str(r->result, "requests.0.body.fields.labels.0"), "fettle-" RUN);
        cr_expect_str_eq(fake_str(r->result, "requests.0.body.fields.duedate"), "2026-12-01");
        if (cloud) {
            cr_expect(fake_equals(fake_at(r->result, "requests.0.body.fields.description"),
                                  "{'type': 'doc', 'version': 1, 'content': [{'type': 'paragraph', 'content': [{'type': 'text', 'text': 'one'}, {'type': 'hardBreak'}, {'type': 'text', 'text': 'two'}]},"
                                  "{'type': 'paragraph', 'content': [{'type': 'text', 'text': 'three'}]}]}"));
            cr_expect_str_eq(fake_str(r->result, "requests.0.body.fields.priority.name"), "Medium");
            cr_expect_str_eq(fake_str(r->result, "requests.0.body.fields.labels.1"), "network");
            cr_expect_str_eq(fake_str(r->result, "requests.0.body.fields.issuetype.name"), "Incident");
        } else {
            cr_expect_str_eq(fake_str(r->result, "requests.0.body.fields.description"), "one\ntwo\n\nthree");
            cr_expect_null(fake_at(r->result, "requests.0.body.fields.priority"), "the configuration says none");
        }
        fake_host_free(f);
    }
}

Test(jira, fields_of_other_systems_need_a_name)
{
    struct fake_host *f = jira(false);
    const struct fake_result *r;

    FAKE_HTTP(f, .method = "GET", .status = 200, .body = "{'issues': []}");
    r = fake_run(f, "open", "plan", "{'title': 'x', 'ci': 'sw-3', 'category': 'Wi-Fi'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->result, "requests.0.body.fields.customfield_10050"), "sw-3");
    cr_expect(fake_equals(fake_at(r->result, "requests.0.body.fields.components"), "[{'name': 'Wi-Fi'}]"));
    r = fake_run(f, "open", "plan", "{'title': 'x', 'caller': 'ana'}", NULL);
    cr_expect_eq(r->class, FT_INVALID);
    cr_expect(strstr(r->error, "field_names.caller"), "%s", r->error);
    fake_host_free(f);
}

/* A search that lags: the issue is there, and the first look does not find it. */
Test(jira, a_probe_looks_again_for_what_is_not_found_at_once)
{
    struct fake_host *f = jira(true);
    const struct fake_result *r;

    FAKE_HTTP(f, .method = "GET", .status = 200, .body = "{'issues': []}");
    FAKE_HTTP(f, .method = "GET", .status = 200, .body = "{'issues': []}");
    finds(f, issue("Open", "new", "fettle-" RUN));
    r = fake_run(f, "open", "probe", "{'title': 'x'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_true(fake_at(r->result, "happened")));
    cr_expect_eq(r->took_ms, 4000);
    fake_host_free(f);
    f = jira(true);
    FAKE_HTTP(f, .method = "GET", .status = 200, .body = "{'issues': []}");
    r = fake_run(f, "open", "probe", "{'title': 'x'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_false(fake_at(r->result, "happened")));
    cr_expect_eq(r->took_ms, 10000);
    fake_host_free(f);
}

/* ---- Transitions ---- */

#define MOVE(id, name, to, category, fields) "{\"id\":\"" id "\",\"name\":\"" name "\",\"to\":{\"name\":\"" to "\",\"statusCategory\":{\"key\":\"" category "\"}},\"fields\":{" fields "}}"
#define RESOLUTION "\"resolution\":{\"required\":true,\"hasDefaultValue\":false,\"name\":\"Resolution\",\"allowedValues\":[{\"name\":\"Won't Fix\"},{\"name\":\"Fixed\"}]}"

static const struct { const char *name, *action, *params, *moves; enum ft_class class; const char *says, *id, *resolution; } moves[] = {
    { "by where it leads", "resolve", "{'number': 'NOC-1', 'notes': 'x'}", MOVE("2", "Close", "Closed", "done", "") "," MOVE("5", "Fix it", "Resolved", "done", RESOLUTION), 0, "", "5", "Fixed" },
    { "closed when there is no resolved", "resolve", "{'number': 'NOC-1', 'notes': 'x'}", MOVE("2", "Close", "Closed", "done", ""), 0, "", "2", NULL },
    { "none", "resolve", "{'number': 'NOC-1', 'notes': 'x'}", MOVE("3", "Start", "In Review", "indeterminate", ""), FT_REFUSED, "NOC-1 to In Review", NULL, NULL },
    { "nothing at all", "resolve", "{'number': 'NOC-1', 'notes': 'x'}", "", FT_REFUSED, "nothing at all", NULL, NULL },
    { "another required field", "resolve", "{'number': 'NOC-1', 'notes': 'x'}", MOVE("5", "Fix", "Resolved", "done", "\"customfield_1\":{\"required\":true,\"name\":\"Root cause\"}"),
      FT_INVALID, "customfield_1 (Root cause)", NULL, NULL },
    { "which is given", "resolve", "{'number': 'NOC-1', 'notes': 'x', 'fields': {'customfield_1': 'y'}}",
      MOVE("5", "Fix", "Resolved", "done", "\"customfield_1\":{\"required\":true,\"name\":\"Root cause\"}"), 0, "", "5", NULL },
    { "a resolution that is unknown", "resolve", "{'number': 'NOC-1', 'notes': 'x', 'close_code': 'Nope'}", MOVE("5", "Fix", "Resolved", "done", RESOLUTION), FT_INVALID, "Won't Fix, Fixed", NULL, NULL },
    { "a resolution where none is", "resolve", "{'number': 'NOC-1', 'notes': 'x', 'close_code': 'Fixed'}", MOVE("5", "Fix", "Resolved", "done", ""), FT_INVALID, "takes no resolution", NULL, NULL },
    { "by the configuration's name", "update", "{'number': 'NOC-1', 'state': 'on_hold'}", MOVE("4", "Wait", "Waiting", "indeterminate", "") "," MOVE("6", "Park", "Parked", "indeterminate", ""), 0, "", "6", NULL },
    { "odd ones are passed over", "update", "{'number': 'NOC-1', 'state': 'in_progress'}", "7, null, {\"id\": 5}, {\"to\": []}," MOVE("8", "Go", "In Progress", "indeterminate", ""), 0, "", "8", NULL },
};

Test(jira, transitions_are_chosen_by_where_they_lead)
{
    for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
        struct fake_host *f = jira(false);
        const struct fake_result *r;
        char body[1500];
        const json_t *sent = NULL;
        json_t *one;
        size_t k;

        snprintf(body, sizeof(body), "{\"transitions\":[%s]}", moves[i].moves);
        gets(f, "/issue/10002/transitions?expand=transitions.fields", body);
        gets(f, "/issue/10002/comment?orderBy=-created&maxResults=100", "{'comments': []}");
        gets(f, "/issue/NOC-1?fields=summary,status,priority,labels,issuelinks,assignee,created,updated", issue("Open", "new", "x"));
        r = fake_run(f, moves[i].action, "plan", moves[i].params, NULL);
        cr_expect_eq(r->class, moves[i].class, "%s: %s", moves[i].name, r->error);
        cr_expect(strstr(r->error, moves[i].says), "%s: %s", moves[i].name, r->error);
        if (r->ok) {
            json_array_foreach(fake_at(r->result, "requests"), k, one) {
                if (fake_at(one, "body.transition"))
                    sent = one;
            }
            cr_assert(sent, "%s", moves[i].name);
            cr_expect_str_eq(fake_str(sent, "body.transition.id"), moves[i].id, "%s: %s", moves[i].name, fake_str(sent, "body.transition.id"));
            if (moves[i].resolution)
                cr_expect_str_eq(fake_str(sent, "body.fields.resolution.name"), moves[i].resolution);
        }
        fake_host_free(f);
    }
}

/* ---- Notes, attachments, links ---- */

Test(jira, notes_are_internal_and_read_back_from_rich_text)
{
    struct fake_host *f = jira(true);
    const struct fake_result *r;

    gets(f, "/issue/10002/comment?orderBy=-created&maxResults=100",
         "{'comments': [{'id': '1', 'author': {'displayName': 'Ana'}, 'created': '2016-03-16T04:22:37.356+0000', 'jsdPublic': false, 'body': {'type': 'doc', 'version': 1, 'content': ["
         "{'type': 'paragraph', 'content': [{'type': 'text', 'text': 'See '}, {'type': 'mention', 'attrs': {'text': '@Bo'}}, {'type': 'hardBreak'}, {'type': 'text', 'text': 'now'}]},"
         "{'type': 'bulletList', 'content': [{'type': 'listItem', 'content': [{'type': 'paragraph', 'content': [{'type': 'text', 'text': 'one'}]}]}]}]}},"
         "{'body': 'plain', 'author': {'name': 'fred'}}, {'body': 7}, null, {'body': {'type': 'doc', 'content': 'x'}}]}");
    gets(f, NULL, issue("Open", "new", "x"));
    r = fake_run(f, "get", "run", "{'number': 'NOC-1', 'notes': true}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->result, "notes.0.text"), "See @Bo\nnow\none");
    cr_expect(json_is_false(fake_at(r->result, "notes.0.visible")));
    cr_expect_str_eq(fake_str(r->result, "notes.1.text"), "plain");
    cr_expect_str_eq(fake_str(r->result, "notes.1.by"), "fred");
    r = fake_run(f, "update", "plan", "{'number': 'NOC-1', 'note': 'pool is full'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_true(fake_at(r->result, "requests.0.body.properties.0.value.internal")));
    r = fake_run(f, "update", "plan", "{'number': 'NOC-1', 'note': 'pool is full', 'customer_visible': true}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_null(fake_at(r->result, "requests.0.body.properties"));
    fake_host_free(f);
}

Test(jira, rich_text_without_end_is_bounded)
{
    struct fake_host *f = jira(true);
    const struct fake_result *r;
    char *body = malloc(60000);
    int n = sprintf(body, "{\"comments\":[{\"body\":");

    for (int i = 0; i < 500; i++)
        n += sprintf(body + n, "{\"type\":\"blockquote\",\"content\":[");
    n += sprintf(body + n, "{\"type\":\"text\",\"text\":\"deep\"}");
    for (int i = 0; i < 500; i++)
        n += sprintf(body + n, "]}");
    sprintf(body + n, "}]}");
    gets(f, "/issue/10002/comment?orderBy=-created&maxResults=100", body);
    gets(f, NULL, issue("Open", "new", "x"));
    r = fake_run(f, "get", "run", "{'number': 'NOC-1', 'notes': true}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->result, "notes.0.text"), "");
    free(body);
    fake_host_free(f);
}

Test(jira, attachments_are_multipart_with_a_boundary_of_their_own)
{
    struct fake_host *f = jira(true);
    const struct fake_result *r;
    char *receipt;

    gets(f, NULL, issue("Open", "new", "x"));
    FAKE_HTTP(f, .method = "POST", .status = 200, .body = "[{'id': '10000', 'filename': 'e.txt', 'size': 5}]");
    r = fake_run(f, "attach", "run", "{'number': 'NOC-1', 'file_name': 'e.txt', 'text': 'hello'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->requests, "1.headers.X-Atlassian-Token"), "no-check");
    cr_expect(strstr(fake_str(r->requests, "1.headers.Content-Type"), "multipart/form-data; boundary=fettle-"));
    cr_expect(strstr(fake_str(r->requests, "1.body"), "name=\"file\"; filename=\"e.txt\"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nhello\r\n--fettle-"), "%s", fake_str(r->requests, "1.body"));
    cr_expect_str_eq(fake_str(r->result, "attachment_id"), "10000");
    receipt = json_dumps(r->kept, 0);
    FAKE_HTTP(f, .method = "DELETE", .status = 204);
    r = fake_run(f, "attach", "undo", "{'number': 'NOC-1', 'file_name': 'e.txt', 'text': 'hello'}", receipt);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->requests, "0.url"), "https://corp.atlassian.net/rest/api/3/attachment/10000");
    free(receipt);
    fake_host_free(f);
}

Test(jira, a_link_that_is_there_is_not_made_again)
{
    struct fake_host *f = jira(true);
    const struct fake_result *r;

    gets(f, NULL, "{'id': '10002', 'key': 'NOC-1', 'fields': {'summary': 'x', 'status': {'name': 'Open'}, 'issuelinks': [{'id': '10001', 'type': {'name': 'Relates'}, 'inwardIssue': {'key': 'NOC-9'}},"
                  "{'id': '10004L', 'type': {'name': 'Blocks'}, 'outwardIssue': {'key': 'NOC-8'}}, {'type': null}]}}");
    r = fake_run(f, "link", "plan", "{'number': 'NOC-1', 'parent': 'NOC-9'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_true(fake_at(r->result, "nothing_to_do")));
    r = fake_run(f, "link", "plan", "{'number': 'NOC-1', 'related': 'NOC-8'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->result, "requests.0.body.outwardIssue.key"), "NOC-8");
    fake_host_free(f);
}

/* ---- What goes wrong ---- */

static const struct ft_http_header captcha[] = { { "x-authentication-denied-reason", "CAPTCHA_CHALLENGE; login-url=https://jira/login.jsp" }, { NULL, NULL } };
static const struct ft_http_header denied[] = { { "x-seraph-loginreason", "AUTHENTICATION_DENIED" }, { NULL, NULL } };
static const struct ft_http_header failed[] = { { "x-seraph-loginreason", "AUTHENTICATED_FAILED" }, { NULL, NULL } };
static const struct ft_http_header fine[] = { { "x-seraph-loginreason", "OK" }, { NULL, NULL } };

static const struct { const char *name, *body; int status; const struct ft_http_header *headers; enum ft_class fault, class; const char *says; } faults[] = {
    { "not there", "{'errorMessages': ['Issue does not exist or you do not have permission to see it.'], 'errors': {}}", 404, NULL, 0, FT_NOT_FOUND, "has no ticket NOC-1" },
    { "another server's 404", "<html>", 404, NULL, 0, FT_NOT_FOUND, "404" },
    { "no login", "{'message': 'Client must be authenticated to access this resource.'}", 401, NULL, 0, FT_DENIED, "Client must be authenticated" },
    { "captcha", "<html>", 403, captcha, 0, FT_DENIED, "CAPTCHA" },
    { "captcha by the other header", "", 403, denied, 0, FT_DENIED, "log in once with a browser" },
    { "a login that failed, and anybody's answer", "{'issues': []}", 200, failed, 0, FT_DENIED, "token was not accepted" },
    { "field errors", "{'errorMessages': [], 'errors': {'labels': 'Field labels cannot be set.', 'x': 7}}", 400, NULL, 0, FT_INVALID, "labels: Field labels cannot be set." },
    { "html", "<html>login</html>", 200, NULL, 0, FT_INVALID, "" },
    { "truncated", "{\"id\":\"1", 200, fine, 0, FT_INVALID, "" },
    { "a list", "[]", 200, fine, 0, FT_INVALID, "not as Jira" },
    { "without fields", "{'id': '1', 'key': 'NOC-1'}", 200, fine, 0, FT_INVALID, "not as Jira" },
    { "conflict", "{'errorMessages': ['busy']}", 409, NULL, 0, FT_CONFLICT, "busy" },
    { "server error", "{'errorMessages': ['Internal server error']}", 500, NULL, 0, FT_REFUSED, "Internal" },
    { "too many", "", 429, NULL, 0, FT_REFUSED, "" },
    { "nobody", NULL, 0, NULL, FT_UNREACHABLE, FT_UNREACHABLE, "" },
};

Test(jira, what_goes_wrong_has_its_class_and_a_sentence)
{
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        struct fake_host *f = jira(true);
        const struct fake_result *r;

        FAKE_HTTP(f, .status = faults[i].status, .body = faults[i].body, .headers = faults[i].headers, .fault = faults[i].fault, .why = faults[i].fault ? "no luck" : NULL);
        r = fake_run(f, "get", "run", "{'number': 'NOC-1'}", NULL);
        cr_expect_not(r->ok, "%s", faults[i].name);
        cr_expect_eq(r->class, faults[i].class, "%s: %s: %s", faults[i].name, ft_class_name(r->class), r->error);
        cr_expect(strstr(r->error, faults[i].says), "%s: %s", faults[i].name, r->error);
        cr_expect_not(strstr(r->error, "sesame42"));
        fake_host_free(f);
    }
}

/* The note was written, then the network went: that nothing happened would be a lie. */
Test(jira, half_of_a_write_is_in_doubt_and_says_how_far_it_came)
{
    struct fake_host *f = jira(false);
    const struct fake_result *r;

    gets(f, "/issue/10002/transitions?expand=transitions.fields", "{\"transitions\":[" MOVE("5", "Fix", "Resolved", "done", "") "]}");
    gets(f, "/issue/10002/comment?orderBy=-created&maxResults=100", "{'comments': []}");
    gets(f, NULL, issue("Open", "new", "x"));
    FAKE_HTTP(f, .method = "POST", .url = "/comment", .status = 201, .body = "{'id': '1'}");
    FAKE_HTTP(f, .method = "POST", .url = "/transitions", .fault = FT_UNREACHABLE, .why = "connection refused");
    r = fake_run(f, "resolve", "run", "{'number': 'NOC-1', 'notes': 'x'}", NULL);
    cr_expect_eq(r->class, FT_AMBIGUOUS, "%s", r->error);
    cr_expect(strstr(r->error, "after 1 of 2 requests"), "%s", r->error);
    fake_host_free(f);
}

/* Resumed between the comment and the transition: the comment is there, and is not written again. */
Test(jira, last_words_are_written_once)
{
    struct fake_host *f = jira(false);
    const struct fake_result *r;
    char comments[600];

    gets(f, "/issue/10002/transitions?expand=transitions.fields", "{\"transitions\":[" MOVE("5", "Fix", "Resolved", "done", "") "]}");
    gets(f, "/issue/10002/comment?orderBy=-created&maxResults=100", "{'comments': []}");
    gets(f, "/issue/NOC-1?fields=summary,status,priority,labels,issuelinks,assignee,created,updated", issue("Open", "new", "x"));
    r = fake_run(f, "resolve", "plan", "{'number': 'NOC-1', 'notes': 'leases freed', 'note': 'and told'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(json_array_size(fake_at(r->result, "requests")), 2);
    snprintf(comments, sizeof(comments), "{\"comments\":[{\"body\":\"%s\"}]}", strstr(fake_str(r->result, "requests.0.body.body"), "(fettle run"));
    gets(f, "/issue/10002/comment?orderBy=-created&maxResults=100", comments);
    r = fake_run(f, "resolve", "plan", "{'number': 'NOC-1', 'notes': 'leases freed', 'note': 'and told'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(json_array_size(fake_at(r->result, "requests")), 1);
    cr_expect_str_eq(fake_str(r->result, "requests.0.body.transition.id"), "5");
    fake_host_free(f);
}

Test(jira, a_transition_that_leads_elsewhere_is_noticed)
{
    struct fake_host *f = jira(false);
    const struct fake_result *r;

    gets(f, "/issue/10002/transitions?expand=transitions.fields", "{\"transitions\":[" MOVE("5", "Fix", "Resolved", "done", "") "]}");
    gets(f, "/issue/10002/comment?orderBy=-created&maxResults=100", "{'comments': []}");
    gets(f, NULL, issue("Open", "new", "x"));
    FAKE_HTTP(f, .method = "POST", .status = 204);
    r = fake_run(f, "resolve", "run", "{'number': 'NOC-1', 'notes': 'x'}", NULL);
    cr_expect_eq(r->class, FT_REFUSED, "%s", r->error);
    cr_expect(strstr(r->error, "'status'"), "%s", r->error);
    fake_host_free(f);
}

Test(jira, without_a_project_nothing_is_opened)
{
    struct fake_host *f = fake_host_new("ticket");
    const struct fake_result *r;

    fake_config(f, "{'default': 'noc', 'systems': {'noc': {'system': 'jira', 'url': 'https://x.atlassian.net'}, 'desk': {'system': 'servicenow', 'url': 'https://y.test'}}}");
    r = fake_run(f, "open", "run", "{'title': 'x'}", NULL);
    cr_expect_eq(r->class, FT_INVALID);
    cr_expect(strstr(r->error, "'noc' lacks the Jira project"), "%s", r->error);
    r = fake_run(f, "open", "run", "{'title': 'x', 'system': 'nowhere'}", NULL);
    cr_expect_eq(r->class, FT_NOT_FOUND, "%s", r->error);
    r = fake_run(f, "change_status", "run", "{'number': 'x', 'system': 'noc'}", NULL);
    cr_expect_eq(r->class, FT_INVALID, "%s", r->error);
    fake_host_free(f);
}
