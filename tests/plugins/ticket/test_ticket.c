/* The ticket plugin against scripted answers of ServiceNow's Table API. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fake_host.h"

#define ID "00000000000000000000000000000001"
#define OTHER_ID "00000000000000000000000000000002"
#define RUN "7f3c0a12"                 /* the fake host's run */

static struct fake_host *snow(void)
{
    struct fake_host *f = fake_host_new("ticket");

    fake_config(f, "{'url': 'https://corp.snow.test/', 'user': 'fettle', 'password': 'sesame42', 'assignment_group': 'g1', 'caller': 'noc'}");
    return f;
}

static const char *incident(const char *number, const char *state, const char *active, const char *correlation)
{
    static char text[4][700];
    static unsigned turn;
    char *to = text[turn++ % 4];

    snprintf(to, 700, "{\"number\":\"%s\",\"sys_id\":\"" ID "\",\"state\":\"%s\",\"active\":\"%s\",\"short_description\":\"Client 02:00:00:00:00:01 gets no address\",\"priority\":\"3\","
             "\"impact\":\"2\",\"urgency\":\"2\",\"correlation_id\":\"%s\",\"sys_updated_on\":\"2026-11-21 02:00:00\",\"parent_incident\":\"\"}", number, state, active, correlation);
    return to;
}

static void found(struct fake_host *f, const char *record)
{
    char body[1000];

    snprintf(body, sizeof(body), "{\"result\":[%s]}", record);
    FAKE_HTTP(f, .method = "GET", .status = 200, .body = body);
}

static void answers(struct fake_host *f, const char *method, int status, const char *record)
{
    char body[1000];

    snprintf(body, sizeof(body), "{\"result\":%s}", record);
    FAKE_HTTP(f, .method = method, .status = status, .body = body);
}

#define MINE incident("INC0010001", "1", "true", "fettle-" RUN)
#define OPEN "{'title': 'Client gets no address', 'text': 'three timeouts', 'severity': 'P2'}"

/* ---- find ---- */

static const struct { const char *params, *query; } queries[] = {
    { "{'number': 'INC0010001'}", "number%3DINC0010001" },
    { "{'id': '" ID "'}", "sys_id%3D" ID },
    { "{}", "correlation_id%3Dfettle-" RUN "%5EORDERBYDESC" },
    { "{'correlation_id': 'a^b'}", "correlation_id%3Da%5E%5Eb%5EORDERBYDESC" },
    { "{'about': '02:00:00'}", "active%3Dtrue%5Eshort_descriptionLIKE02%3A00%3A00%5EORDERBYDESC" },
};

Test(ticket, find_asks_by_what_is_given)
{
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        struct fake_host *f = snow();
        const struct fake_result *r;

        found(f, "");
        r = fake_run(f, "find", "run", queries[i].params, NULL);
        cr_assert(r->ok, "%s: %s", queries[i].params, r->error);
        cr_expect(strstr(fake_str(r->requests, "0.url"), queries[i].query), "%s: %s", queries[i].params, fake_str(r->requests, "0.url"));
        cr_expect(json_is_false(fake_at(r->result, "found")));
        cr_expect(json_is_null(fake_at(r->result, "number")));
        fake_host_free(f);
    }
}

Test(ticket, find_checks_again_what_servicenow_found)
{
    struct fake_host *f = snow();
    const struct fake_result *r;

    found(f, incident("INC0099999", "1", "true", "somebody-else"));
    r = fake_run(f, "find", "run", "{'number': 'INC0010001'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_false(fake_at(r->result, "found")), "a dropped condition matches everything");
    found(f, incident("INC0010001", "6", "true", ""));
    r = fake_run(f, "find", "run", "{'about': '02:00:00:00:00:01'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_true(fake_at(r->result, "found")));
    cr_expect_str_eq(fake_str(r->result, "state"), "resolved");
    cr_expect_eq(fake_int(r->result, "priority"), 3);
    cr_expect_str_eq(fake_str(r->result, "url"), "https://corp.snow.test/nav_to.do?uri=incident.do?sys_id=" ID);
    fake_host_free(f);
}

/* ---- open ---- */

Test(ticket, open_sends_what_the_plan_showed)
{
    struct fake_host *f = snow();
    const struct fake_result *r;
    char *planned, *receipt;

    found(f, "");
    answers(f, "POST", 201, MINE);
    r = fake_run(f, "open", "plan", OPEN, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(json_array_size(r->requests), 1, "a plan only looks");
    planned = json_dumps(fake_at(r->result, "requests.0.body"), JSON_COMPACT);
    receipt = json_dumps(fake_at(r->result, "receipt"), 0);
    r = fake_run(f, "open", "run", OPEN, receipt);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->requests, "1.body"), planned);
    cr_expect_str_eq(fake_str(r->requests, "1.json.impact"), "1");
    cr_expect_str_eq(fake_str(r->requests, "1.json.urgency"), "2");
    cr_expect_str_eq(fake_str(r->requests, "1.json.correlation_id"), "fettle-" RUN);
    cr_expect_str_eq(fake_str(r->requests, "1.json.assignment_group"), "g1");
    cr_expect_str_eq(fake_str(r->result, "number"), "INC0010001");
    cr_expect(json_is_true(fake_at(r->result, "created")));
    cr_expect_str_eq(fake_str(r->kept, "number"), "INC0010001");
    cr_expect_str_eq(json_string_value(json_array_get(r->trace, 1)), "keep", "the correlation id is kept before the request");
    free(planned);
    free(receipt);
    fake_host_free(f);
}

Test(ticket, open_that_is_open_already_opens_nothing)
{
    struct fake_host *f = snow();
    const struct fake_result *r;

    found(f, MINE);
    r = fake_run(f, "open", "plan", OPEN, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_true(fake_at(r->result, "nothing_to_do")));
    r = fake_run(f, "open", "run", OPEN, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(json_array_size(r->requests), 1);
    cr_expect(json_is_false(fake_at(r->result, "created")));
    cr_expect(json_is_true(fake_at(r->kept, "existed")));
    r = fake_run(f, "open", "probe", OPEN, NULL);
    cr_expect(json_is_true(fake_at(r->result, "happened")), "%s", r->error);
    fake_host_free(f);
}

Test(ticket, open_again_after_it_was_resolved)
{
    static const char *const states[] = { "6", "7" };

    for (size_t i = 0; i < 2; i++) {
        struct fake_host *f = snow();
        const struct fake_result *r;

        found(f, incident("INC0010001", states[i], i == 0 ? "true" : "false", "ap/AP-3F-12"));
        answers(f, "POST", 201, incident("INC0010002", "1", "true", "ap/AP-3F-12"));
        r = fake_run(f, "open", "run", "{'title': 'AP is away', 'correlation_id': 'ap/AP-3F-12'}", NULL);
        cr_assert(r->ok, "%s", r->error);
        cr_expect(json_is_true(fake_at(r->result, "created")), "state %s", states[i]);
        fake_host_free(f);
    }
}

Test(ticket, long_text_goes_to_the_work_notes_too)
{
    struct fake_host *f = snow();
    char *text = calloc(1, 6001), *params;
    json_t *object;
    const struct fake_result *r;

    for (size_t i = 0; i + 3 <= 6000; i += 3)
        memcpy(text + i, "€", 3);
    object = json_pack("{s:s, s:s}", "title", "x", "text", text);
    params = json_dumps(object, 0);
    found(f, "");
    answers(f, "POST", 201, MINE);
    r = fake_run(f, "open", "run", params, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_lt(strlen(fake_str(r->requests, "1.json.description")), 4000);
    cr_expect_eq(strlen(fake_str(r->requests, "1.json.work_notes")), 6000);
    free(text);
    free(params);
    json_decref(object);
    fake_host_free(f);
}

Test(ticket, undo_of_open_cancels_what_was_opened_and_nothing_else)
{
    struct fake_host *f = snow();
    const struct fake_result *r;

    r = fake_run(f, "open", "undo", OPEN, "{'correlation_id': 'fettle-" RUN "', 'existed': true}");
    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(json_array_size(r->requests), 0);
    found(f, MINE);
    answers(f, "PATCH", 200, incident("INC0010001", "8", "false", "fettle-" RUN));
    r = fake_run(f, "open", "undo", OPEN, "{'correlation_id': 'fettle-" RUN "', 'existed': false, 'system': 'servicenow', 'id': '" ID "'}");
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->requests, "1.json.state"), "8");
    cr_expect(strstr(fake_str(r->requests, "1.json.work_notes"), "fettle run " RUN), "%s", fake_str(r->requests, "1.json.work_notes"));
    fake_host_free(f);
}

/* ---- update, resolve, close ---- */

Test(ticket, update_adds_a_note_that_a_probe_finds)
{
    struct fake_host *f = snow();
    const struct fake_result *r;
    char *planned, note[200], journal[400];

    found(f, MINE);
    answers(f, "PATCH", 200, incident("INC0010001", "2", "true", ""));
    r = fake_run(f, "update", "plan", "{'number': 'INC0010001', 'note': 'pool is full', 'state': 'in_progress'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    planned = json_dumps(fake_at(r->result, "requests.0.body"), JSON_COMPACT);
    cr_expect(fake_equals(fake_at(r->result, "changes"), "[{'path': 'state', 'from': '1', 'to': '2'}]"));
    r = fake_run(f, "update", "run", "{'number': 'INC0010001', 'note': 'pool is full', 'state': 'in_progress'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->requests, "1.body"), planned);
    cr_expect_str_eq(fake_str(r->requests, "1.method"), "PATCH");
    cr_expect(strstr(fake_str(r->requests, "1.url"), "/api/now/table/incident/" ID));
    cr_expect_str_eq(fake_str(r->kept, "before.state"), "1");
    snprintf(note, sizeof(note), "%s", fake_str(r->requests, "1.json.work_notes"));
    cr_expect(strstr(note, "pool is full\n\n(fettle run " RUN ", note "), "%s", note);
    free(planned);
    fake_host_free(f);

    for (int there = 0; there < 2; there++) {
        json_t *entry = json_pack("{s:[{s:s}]}", "result", "value", there ? note : "something else");
        char *text = json_dumps(entry, 0);

        snprintf(journal, sizeof(journal), "%s", text);
        f = snow();
        found(f, MINE);
        FAKE_HTTP(f, .method = "GET", .status = 200, .body = journal);
        r = fake_run(f, "update", "probe", "{'number': 'INC0010001', 'note': 'pool is full', 'state': 'in_progress'}", NULL);
        cr_assert(r->ok, "%s", r->error);
        cr_expect_eq(json_is_true(fake_at(r->result, "happened")), there);
        cr_expect(strstr(fake_str(r->requests, "1.url"), "sys_journal_field"));
        free(text);
        json_decref(entry);
        fake_host_free(f);
    }
}

Test(ticket, customer_visible_notes_are_comments)
{
    struct fake_host *f = snow();
    const struct fake_result *r;

    found(f, MINE);
    answers(f, "PATCH", 200, MINE);
    r = fake_run(f, "update", "run", "{'note': 'we are on it', 'customer_visible': true}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(fake_str(r->requests, "1.json.comments"));
    cr_expect_null(fake_at(r->requests, "1.json.work_notes"));
    fake_host_free(f);
}

Test(ticket, a_field_that_was_dropped_is_noticed)
{
    struct fake_host *f = snow();
    const struct fake_result *r;

    found(f, MINE);
    answers(f, "PATCH", 200, MINE);
    r = fake_run(f, "update", "run", "{'state': 'in_progress'}", NULL);
    cr_expect_not(r->ok);
    cr_expect_eq(r->class, FT_DENIED);
    cr_expect(strstr(r->error, "'state'"), "%s", r->error);
    fake_host_free(f);
}

Test(ticket, an_incident_that_the_run_opens_later_can_be_planned_for)
{
    struct fake_host *f = snow();
    const struct fake_result *r;

    found(f, "");
    r = fake_run(f, "update", "plan", "{'note': 'x'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    r = fake_run(f, "update", "run", "{'note': 'x'}", NULL);
    cr_expect_eq(r->class, FT_NOT_FOUND, "%s", r->error);
    r = fake_run(f, "update", "plan", "{'note': 'x', 'number': 'INC0000001'}", NULL);
    cr_expect_eq(r->class, FT_NOT_FOUND, "%s", r->error);
    fake_host_free(f);
}

Test(ticket, resolve_gives_code_and_notes_and_undo_puts_the_state_back)
{
    struct fake_host *f = snow();
    const struct fake_result *r;
    char *receipt;

    found(f, incident("INC0010001", "2", "true", ""));
    answers(f, "PATCH", 200, incident("INC0010001", "6", "true", ""));
    r = fake_run(f, "resolve", "run", "{'number': 'INC0010001', 'notes': 'leases freed'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->requests, "1.json.state"), "6");
    cr_expect_str_eq(fake_str(r->requests, "1.json.close_code"), "Solution provided");
    cr_expect_str_eq(fake_str(r->requests, "1.json.close_notes"), "leases freed");
    cr_expect_str_eq(fake_str(r->result, "state"), "resolved");
    receipt = json_dumps(r->kept, 0);
    fake_host_free(f);
    f = snow();
    found(f, incident("INC0010001", "6", "true", ""));
    answers(f, "PATCH", 200, incident("INC0010001", "2", "true", ""));
    r = fake_run(f, "resolve", "undo", "{'number': 'INC0010001', 'notes': 'leases freed'}", receipt);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->requests, "1.json.state"), "2");
    r = fake_run(f, "resolve", "probe", "{'number': 'INC0010001', 'notes': 'leases freed'}", NULL);
    cr_expect(json_is_true(fake_at(r->result, "happened")));
    r = fake_run(f, "close", "probe", "{'number': 'INC0010001', 'notes': 'leases freed'}", NULL);
    cr_expect(json_is_false(fake_at(r->result, "happened")), "resolved is not closed");
    r = fake_run(f, "resolve", "plan", "{'number': 'INC0010001', 'notes': 'x'}", NULL);
    cr_expect(json_is_true(fake_at(r->result, "nothing_to_do")));
    free(receipt);
    fake_host_free(f);
}

Test(ticket, states_and_severities_may_be_mapped)
{
    struct fake_host *f = fake_host_new("ticket");
    const struct fake_result *r;

    fake_config(f, "{'url': 'https://corp.snow.test', 'token': 'sesame42', 'table': 'u_incident', 'states': {'resolved': 60}, 'severities': {'P1': {'impact': 2, 'urgency': 1}}}");
    found(f, MINE);
    answers(f, "PATCH", 200, incident("INC0010001", "60", "true", ""));
    r = fake_run(f, "resolve", "run", "{'notes': 'x'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->requests, "1.json.state"), "60");
    cr_expect(strstr(fake_str(r->requests, "1.url"), "/table/u_incident/"));
    cr_expect_str_eq(fake_str(r->requests, "0.headers.Authorization"), "Bearer sesame42");
    cr_expect_str_eq(fake_str(r->result, "state"), "resolved");
    r = fake_run(f, "open", "plan", "{'title': 'x', 'severity': 'P1', 'correlation_id': 'new'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->result, "requests.0.body.impact"), "2");
    fake_host_free(f);
}

/* ---- attach, link ---- */

#define FILE_PARAMS "{'number': 'INC0010001', 'file_name': 'evidence.txt', 'text': 'line 1\\nline 2\\n'}"

Test(ticket, attach_uploads_and_undo_deletes)
{
    struct fake_host *f = snow();
    const struct fake_result *r;
    char *receipt;

    found(f, MINE);
    FAKE_HTTP(f, .method = "POST", .status = 201, .body = "{'result': {'sys_id': '" OTHER_ID "', 'file_name': 'evidence.txt', 'size_bytes': '14'}}");
    r = fake_run(f, "attach", "plan", FILE_PARAMS, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->result, "requests.0.body"), "line 1\nline 2\n");
    r = fake_run(f, "attach", "run", FILE_PARAMS, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->requests, "1.url"), "https://corp.snow.test/api/now/attachment/file?table_name=incident&table_sys_id=" ID "&file_name=evidence.txt");
    cr_expect_str_eq(fake_str(r->requests, "1.body"), "line 1\nline 2\n");
    cr_expect_str_eq(fake_str(r->requests, "1.headers.Content-Type"), "text/plain; charset=utf-8");
    cr_expect_str_eq(fake_str(r->result, "attachment_id"), OTHER_ID);
    cr_expect_eq(fake_int(r->result, "size_bytes"), 14);
    receipt = json_dumps(r->kept, 0);
    FAKE_HTTP(f, .method = "DELETE", .status = 204);
    r = fake_run(f, "attach", "undo", FILE_PARAMS, receipt);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->requests, "0.url"), "https://corp.snow.test/api/now/attachment/" OTHER_ID);
    r = fake_run(f, "attach", "undo", FILE_PARAMS, "{'sys_id': '" ID "'}");
    cr_expect_not(r->ok, "without its id nothing can be deleted");
    free(receipt);
    fake_host_free(f);
}

Test(ticket, probe_of_attach_looks_for_the_file)
{
    struct fake_host *f = snow();
    const struct fake_result *r;

    found(f, MINE);
    FAKE_HTTP(f, .method = "GET", .status = 200, .body = "{'result': [{'file_name': 'evidence.txt', 'table_sys_id': '" OTHER_ID "'}]}");
    r = fake_run(f, "attach", "probe", FILE_PARAMS, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_false(fake_at(r->result, "happened")), "it is another incident's");
    fake_host_free(f);
    f = snow();
    found(f, MINE);
    FAKE_HTTP(f, .method = "GET", .status = 200, .body = "{'result': [{'file_name': 'evidence.txt', 'table_sys_id': '" ID "', 'sys_id': '" OTHER_ID "'}]}");
    r = fake_run(f, "attach", "probe", FILE_PARAMS, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->result, "result.attachment_id"), OTHER_ID);
    fake_host_free(f);
}

Test(ticket, link_to_a_parent_and_back)
{
    struct fake_host *f = snow();
    const struct fake_result *r;
    char *receipt;

    found(f, MINE);
    FAKE_HTTP(f, .method = "GET", .status = 200, .body = "{'result': [{'number': 'INC0010000', 'sys_id': '" OTHER_ID "'}]}");
    answers(f, "PATCH", 200, "{\"number\":\"INC0010001\",\"sys_id\":\"" ID "\",\"parent_incident\":\"" OTHER_ID "\"}");
    r = fake_run(f, "link", "run", "{'number': 'INC0010001', 'parent': 'INC0010000'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->requests, "2.json.parent_incident"), OTHER_ID);
    receipt = json_dumps(r->kept, 0);
    fake_host_free(f);
    f = snow();
    found(f, MINE);
    answers(f, "PATCH", 200, MINE);
    r = fake_run(f, "link", "undo", "{'number': 'INC0010001', 'parent': 'INC0010000'}", receipt);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->requests, "1.json.parent_incident"), "");
    free(receipt);
    fake_host_free(f);
    f = snow();
    found(f, MINE);
    FAKE_HTTP(f, .method = "GET", .status = 200, .body = "{'result': []}");
    r = fake_run(f, "link", "run", "{'number': 'INC0010001', 'change': 'CHG0030001'}", NULL);
    cr_expect_eq(r->class, FT_NOT_FOUND, "%s", r->error);
    fake_host_free(f);
}

/* ---- what goes wrong ---- */

static const struct { const char *name, *body; int status; enum ft_class fault, class; const char *says; } faults[] = {
    { "wrong password", "{\"error\":{\"message\":\"User Not Authenticated\",\"detail\":\"Required to provide Auth information\"},\"status\":\"failure\"}", 401, 0, FT_DENIED, "User Not Authenticated" },
    { "no right", "{\"error\":{\"message\":\"Operation Failed\",\"detail\":\"ACL restricts\"}}", 403, 0, FT_DENIED, "ACL restricts" },
    { "no such table", "{\"error\":{\"message\":\"Invalid table x\",\"detail\":null}}", 400, 0, FT_INVALID, "Invalid table" },
    { "html", "<html>Instance hibernating</html>", 200, 0, FT_INVALID, "" },
    { "truncated", "{\"result\":[{\"num", 200, 0, FT_INVALID, "" },
    { "another API", "{\"items\":[]}", 200, 0, FT_INVALID, "not as ServiceNow" },
    { "server error", "x", 500, 0, FT_REFUSED, "" },
    { "nobody", NULL, 0, FT_UNREACHABLE, FT_UNREACHABLE, "" },
    { "slow", NULL, 0, FT_TIMEOUT, FT_TIMEOUT, "" },
};

Test(ticket, what_goes_wrong_has_its_class_and_a_sentence)
{
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        struct fake_host *f = snow();
        const struct fake_result *r;

        FAKE_HTTP(f, .status = faults[i].status, .body = faults[i].body, .fault = faults[i].fault, .why = faults[i].fault ? "no luck" : NULL);
        r = fake_run(f, "find", "run", "{'number': 'INC0010001'}", NULL);
        cr_expect_not(r->ok, "%s", faults[i].name);
        cr_expect_eq(r->class, faults[i].class, "%s: %s: %s", faults[i].name, ft_class_name(r->class), r->error);
        cr_expect(strstr(r->error, faults[i].says), "%s: %s", faults[i].name, r->error);
        cr_expect_not(strstr(r->error, "sesame42"));
        fake_host_free(f);
    }
}

Test(ticket, a_lost_answer_to_open_is_ambiguous_and_found_again)
{
    struct fake_host *f = snow();
    const struct fake_result *r;
    char *receipt;

    found(f, "");
    FAKE_HTTP(f, .method = "POST", .fault = FT_AMBIGUOUS, .why = "the connection broke after the request was sent");
    r = fake_run(f, "open", "run", OPEN, NULL);
    cr_expect_not(r->ok);
    cr_expect_eq(r->class, FT_AMBIGUOUS);
    receipt = json_dumps(r->kept, 0);
    fake_host_free(f);
    f = snow();
    found(f, MINE);
    r = fake_run(f, "open", "probe", OPEN, receipt);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_true(fake_at(r->result, "happened")));
    free(receipt);
    fake_host_free(f);
}

Test(ticket, a_write_answered_without_its_record_is_ambiguous)
{
    struct fake_host *f = snow();
    const struct fake_result *r;

    found(f, "");
    FAKE_HTTP(f, .method = "POST", .status = 201, .body = "{'ok': true}");
    r = fake_run(f, "open", "run", OPEN, NULL);
    cr_expect_eq(r->class, FT_AMBIGUOUS, "%s", r->error);
    fake_host_free(f);
}

Test(ticket, without_an_address_it_says_what_to_set)
{
    struct fake_host *f = fake_host_new("ticket");
    const struct fake_result *r;

    fake_config(f, "{}");
    r = fake_run(f, "find", "run", "{}", NULL);
    cr_expect_eq(r->class, FT_INVALID);
    cr_expect(strstr(r->error, "plugins.ticket.url"), "%s", r->error);
    fake_host_free(f);
}
