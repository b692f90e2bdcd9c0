/* ERS: endpoints, groups, ANC, nodes, users: plan and run, undo, probe, paging, errors. */
#include "ise_test.h"

#define GROUP_ID "3b76f840-8c00-11e6-996c-525400b48521"
#define ENDPOINT(group, fixed, more) "{'ERSEndPoint': {'id': 'e1', 'name': '" MAC "', 'mac': '" MAC "', 'description': '', 'profileId': 'p1', 'staticProfileAssignment': false," \
    "'groupId': '" group "', 'staticGroupAssignment': " fixed ", 'portalUser': '', 'customAttributes': {'customAttributes': {'room': '12'}}, 'mdmAttributes': {'x': 1}," \
    "'link': {'href': 'https://x'}" more "}}"

static void world(struct fake_host *f)
{
    ANSWER(f, "/endpoint/name/D4%3ABE%3AD9%3A3D%3A25%3AE2", ENDPOINT("g-old", "'true'", ""));
    ANSWER(f, "/endpointgroup/g-old", "{'EndPointGroup': {'id': 'g-old', 'name': 'Unknown'}}");
    ANSWER(f, "/endpointgroup/name/Printers", "{'EndPointGroup': {'id': 'g-new', 'name': 'Printers'}}");
    FAKE_HTTP(f, .method = "PUT", .status = 200, .body = "{'UpdatedFieldsList': {'updatedField': []}}");
    FAKE_HTTP(f, .method = "GET", .url = "/endpointgroup/name/Nope", .status = 404, .body = "{'ERSResponse': {'messages': [{'title': 'Resource not found'}]}}");
}

Test(endpoint, with_its_group)
{
    struct fake_host *f = ise_host();

    world(f);
    const struct fake_result *r = fake_run(f, "endpoint", "run", "{'mac': 'd4-be-d9-3d-25-e2'}", NULL);
    GOOD(r);
    cr_expect(is_true_at(r->result, "found"));
    cr_expect_str_eq(fake_str(r->result, "group"), "Unknown");
    cr_expect(is_true_at(r->result, "static_group"), "a truth value as text");
    cr_expect_str_eq(fake_str(r->result, "custom_attributes.room"), "12");
    cr_expect(is_null_at(r->result, "portal_user"));
    cr_expect_str_eq(fake_str(r->requests, "0.headers.Accept"), "application/json");
    cr_expect_str_eq(fake_str(r->requests, "0.url"), ERS "/endpoint/name/D4%3ABE%3AD9%3A3D%3A25%3AE2");
    fake_host_free(f);
}

Test(endpoint, not_there)
{
    struct fake_host *f = ise_host();

    FAKE_HTTP(f, .status = 404, .body = "{'ERSResponse': {'messages': [{'title': 'Resource not found'}]}}");
    const struct fake_result *r = fake_run(f, "endpoint", "run", "{'mac': '" MAC "'}", NULL);
    GOOD(r);
    cr_expect(!is_true_at(r->result, "found"));
    fake_host_free(f);
}

/* ---- changing an endpoint */

static const struct { const char *action, *params, *body; } edits[] = {
    { "endpoint_move_group", "{'mac': '" MAC "', 'group': 'Printers'}",
      "{'ERSEndPoint':{'id':'e1','name':'" MAC "','description':'','mac':'" MAC "','profileId':'p1','staticProfileAssignment':false,'groupId':'g-new','staticGroupAssignment':true,"
      "'portalUser':'','customAttributes':{'customAttributes':{'room':'12'}}}}" },
    { "endpoint_move_group", "{'mac': '" MAC "', 'group': '" GROUP_ID "'}",
      "{'ERSEndPoint':{'id':'e1','name':'" MAC "','description':'','mac':'" MAC "','profileId':'p1','staticProfileAssignment':false,'groupId':'" GROUP_ID "','staticGroupAssignment':true,"
      "'portalUser':'','customAttributes':{'customAttributes':{'room':'12'}}}}" },
    { "endpoint_update", "{'mac': '" MAC "', 'description': 'lent', 'custom_attributes': {'room': '14'}}",
      "{'ERSEndPoint':{'id':'e1','name':'" MAC "','description':'lent','mac':'" MAC "','profileId':'p1','staticProfileAssignment':false,'groupId':'g-old','staticGroupAssignment':'true',"
      "'portalUser':'','customAttributes':{'customAttributes':{'room':'14'}}}}" },
};

Test(endpoint_edit, sends_what_it_planned)
{
    for (size_t i = 0; i < ARRAY_LEN(edits); i++) {
        struct fake_host *f = ise_host();
        char *body = strdup(edits[i].body);

        for (char *p = body; *p; p++)
            *p = *p == '\'' ? '"' : *p;
        world(f);
        const struct fake_result *r = fake_run(f, edits[i].action, "plan", edits[i].params, NULL);
        GOOD(r);
        cr_expect_str_eq(fake_str(r->result, "requests.0.url"), ERS "/endpoint/e1");
        cr_expect(json_array_size(fake_at(r->result, "changes")) >= 1);
        json_t *plan = json_deep_copy(r->result);
        char *receipt = text_of(fake_at(plan, "receipt")), *shown = json_dumps(plan, 0);

        cr_expect(!strstr(shown, "sesame"), "%s", shown);
        r = fake_run(f, edits[i].action, "run", edits[i].params, receipt);
        GOOD(r);
        cr_expect_str_eq(fake_str(last(r->requests), "method"), "PUT");
        cr_expect_str_eq(fake_str(last(r->requests), "body"), body);
        same_as_planned(plan, last(r->requests), edits[i].action);
        cr_expect(is_true_at(r->result, "changed") && r->kept == NULL);
        r = fake_run(f, edits[i].action, "run", edits[i].params, NULL);
        GOOD(r);
        cr_expect(r->kept != NULL);
        free(shown);
        free(body);
        free(receipt);
        json_decref(plan);
        fake_host_free(f);
    }
}

Test(endpoint_edit, refusals)
{
    static const struct { const char *action, *params, *receipt; enum ft_class class; const char *says; } cases[] = {
        { "endpoint_move_group", "{'mac': '" MAC "', 'group': 'Nope'}", NULL, FT_NOT_FOUND, "no endpoint group 'Nope'" },
        { "endpoint_update", "{'mac': '" MAC "'}", NULL, FT_INVALID, "nothing to change" },
        { "endpoint_update", "{'mac': 'no-mac-at-all', 'description': 'x'}", NULL, FT_INVALID, "MAC address" },
        { "endpoint_update", "{'mac': '" MAC "', 'description': 'x'}", "{'before': {'description': 'other'}, 'after': {'description': 'x'}}", FT_CONFLICT, "since the plan" },
        { "endpoint_update", "{'mac': '00:00:00:00:00:01', 'description': 'x'}", NULL, FT_NOT_FOUND, "no endpoint" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_host *f = ise_host();

        world(f);
        FAKE_HTTP(f, .method = "GET", .url = "/endpoint/name/00%3A00%3A00%3A00%3A00%3A01", .status = 404, .body = "{}");
        const struct fake_result *r = fake_run(f, cases[i].action, "run", cases[i].params, cases[i].receipt);
        cr_expect(!r->ok && r->class == cases[i].class && strstr(r->error, cases[i].says), "case %zu: %s", i, r->error);
        fake_host_free(f);
    }
}

/* Sent, the answer lost, and run again after the crash: it is there already. */
Test(endpoint_edit, again_after_it_happened_is_nothing_to_do)
{
    struct fake_host *f = ise_host();

    ANSWER(f, "/endpoint/name/D4%3ABE%3AD9%3A3D%3A25%3AE2", ENDPOINT("g-new", "true", ""));
    ANSWER(f, "/endpointgroup/name/Printers", "{'EndPointGroup': {'id': 'g-new'}}");
    const struct fake_result *r = fake_run(f, "endpoint_move_group", "run", "{'mac': '" MAC "', 'group': 'Printers'}",
        "{'before': {'groupId': 'g-old', 'staticGroupAssignment': false}, 'after': {'groupId': 'g-new', 'staticGroupAssignment': true}}");
    GOOD(r);
    cr_expect(json_is_false(fake_at(r->result, "changed")));
    fake_host_free(f);
}

Test(endpoint_edit, undo_puts_back_what_it_changed)
{
    static const char receipt[] = "{'before': {'groupId': 'g-old', 'staticGroupAssignment': false}, 'after': {'groupId': 'g-new', 'staticGroupAssignment': true}}";
    static const struct { const char *now; bool ok; enum ft_class class; size_t requests; } cases[] = {
        { ENDPOINT("g-new", "true", ", 'identityStore': 'later'"), true, 0, 2 },
        { ENDPOINT("g-old", "false", ""), true, 0, 1 },
        { ENDPOINT("g-third", "true", ""), false, FT_CONFLICT, 1 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_host *f = ise_host();

        ANSWER(f, "/endpoint/name/D4%3ABE%3AD9%3A3D%3A25%3AE2", cases[i].now);
        FAKE_HTTP(f, .method = "PUT", .status = 200, .body = "{}");
        const struct fake_result *r = fake_run(f, "endpoint_move_group", "undo", "{'mac': '" MAC "', 'group': 'Printers'}", receipt);
        cr_expect(r->ok == cases[i].ok && (r->ok || r->class == cases[i].class), "case %zu: %s", i, r->error);
        cr_expect_eq(json_array_size(r->requests), cases[i].requests, "case %zu", i);
        if (cases[i].requests == 2) {
            cr_expect_str_eq(fake_str(r->requests, "1.json.ERSEndPoint.groupId"), "g-old");
            cr_expect(json_is_false(fake_at(r->requests, "1.json.ERSEndPoint.staticGroupAssignment")));
            cr_expect_str_eq(fake_str(r->requests, "1.json.ERSEndPoint.identityStore"), "later", "what others changed stays");
        }
        fake_host_free(f);
    }
}

/* ---- CSRF */

Test(csrf, token_and_cookie_are_fetched_for_a_write)
{
    static const struct ft_http_header answer[] = { { "x-csrf-token", "csrf-77" }, { "set-cookie", "JSESSIONIDSSO=abc; Path=/; Secure" }, { "set-cookie", "APP=def" }, { NULL, NULL } };
    struct fake_host *f = ise_host_with(", 'csrf': true");

    world(f);
    FAKE_HTTP(f, .method = "GET", .url = "/endpoint?size=1", .status = 200, .body = "{'SearchResult': {}}", .headers = answer);
    const struct fake_result *r = fake_run(f, "endpoint_update", "run", "{'mac': '" MAC "', 'description': 'x'}", NULL);
    GOOD(r);
    cr_expect_str_eq(fake_str(r->requests, "1.headers.X-CSRF-Token"), "fetch");
    cr_expect_str_eq(fake_str(last(r->requests), "headers.X-CSRF-Token"), "csrf-77");
    cr_expect_str_eq(fake_str(last(r->requests), "headers.Cookie"), "JSESSIONIDSSO=abc; APP=def");
    cr_expect(fake_at(r->requests, "0.headers.X-CSRF-Token") == NULL, "reads need none");
    fake_host_free(f);

    f = ise_host_with(", 'csrf': true");
    world(f);
    ANSWER(f, "/endpoint?size=1", "{'SearchResult': {}}");
    r = fake_run(f, "endpoint_update", "run", "{'mac': '" MAC "', 'description': 'x'}", NULL);
    cr_expect(!r->ok && strstr(r->error, "X-CSRF-Token"), "%s", r->error);
    cr_expect_str_eq(fake_str(last(r->requests), "method"), "GET", "nothing was written");
    fake_host_free(f);
}

Test(config, certificates_are_checked_unless_told_otherwise)
{
    static const struct { const char *more; bool checked; } cases[] = { { "", true }, { ", 'verify': true", true }, { ", 'verify': false", false } };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_host *f = ise_host_with(cases[i].more);

        FAKE_HTTP(f, .status = 404);
        const struct fake_result *r = fake_run(f, "session", "run", "{'mac': '" MAC "'}", NULL);
        GOOD(r);
        cr_expect_eq(!(fake_int(r->requests, "0.flags") & FT_HTTP_NO_VERIFY), cases[i].checked, "case %zu", i);
        fake_host_free(f);
    }
}

/* ---- lists */

Test(endpoint_groups, all_pages_by_number)
{
    struct fake_host *f = ise_host();

    /* the href of nextPage is ISE's own idea of its name: it is not followed, so the password goes nowhere else */
    ANSWER(f, "/endpointgroup?size=100&page=1", "{'SearchResult': {'total': 3, 'resources': [{'id': 'a', 'name': 'A'}, {'id': 'b', 'name': 'B'}], 'nextPage': {'href': 'https://evil.test/x'}}}");
    ANSWER(f, "/endpointgroup?size=100&page=2", "{'SearchResult': {'total': 3, 'resources': [{'id': 'c', 'name': 'C', 'description': 'last'}, 7]}}");
    const struct fake_result *r = fake_run(f, "endpoint_groups", "run", "{}", NULL);
    GOOD(r);
    cr_expect_eq(json_array_size(fake_at(r->result, "groups")), 4);
    cr_expect(is_true_at(r->result, "complete"));
    cr_expect_str_eq(fake_str(r->requests, "1.url"), ERS "/endpointgroup?size=100&page=2");
    fake_host_free(f);
}

Test(endpoint_groups, nextpage_for_ever_ends)
{
    struct fake_host *f = ise_host();

    ANSWER(f, NULL, "{'SearchResult': {'resources': [{'id': 'a', 'name': 'A'}], 'nextPage': {'href': 'x'}}}");
    const struct fake_result *r = fake_run(f, "endpoint_groups", "run", "{}", NULL);
    GOOD(r);
    cr_expect_eq(json_array_size(r->requests), 50);
    cr_expect(!is_true_at(r->result, "complete"));
    fake_host_free(f);
}

/* ---- ANC */

static void anc_world(struct fake_host *f, const char *policy)
{
    char item[200];

    ANSWER(f, "/ancendpoint?size=100&page=1", policy ? "{'SearchResult': {'total': 2, 'resources': [{'id': 'n1'}, {'id': 'n2'}]}}" : "{'SearchResult': {'total': 0, 'resources': []}}");
    ANSWER(f, "/ancendpoint/n1", "{'ErsAncEndpoint': {'id': 'n1', 'macAddress': '00:11:22:33:44:55', 'policyName': 'Other'}}");
    snprintf(item, sizeof(item), "{'ErsAncEndpoint': {'id': 'n2', 'macAddress': '" MAC "', 'policyName': '%s'}}", policy ? policy : "");
    ANSWER(f, "/ancendpoint/n2", item);
    FAKE_HTTP(f, .method = "PUT", .status = 204);
}

Test(anc_status, walks_the_list)
{
    struct fake_host *f = ise_host();

    anc_world(f, "Quarantine");
    const struct fake_result *r = fake_run(f, "anc_status", "run", "{'mac': '" MAC "'}", NULL);
    GOOD(r);
    cr_expect(is_true_at(r->result, "applied"));
    cr_expect_str_eq(fake_str(r->result, "policy"), "Quarantine");
    fake_host_free(f);
    f = ise_host();
    ANSWER(f, "/ancendpoint?size=100&page=1", "{'SearchResult': {'resources': [{'id': 'n1', 'name': '00:11:22:33:44:55'}, {'id': 'n2', 'name': 'd4:be:d9:3d:25:e2'}]}}");
    ANSWER(f, "/ancendpoint/n2", "{'ErsAncEndpoint': {'id': 'n2', 'macAddress': '" MAC "', 'policyName': 'Q'}}");
    r = fake_run(f, "anc_status", "run", "{'mac': '" MAC "'}", NULL);
    GOOD(r);
    cr_expect_eq(json_array_size(r->requests), 2, "a list that names the MAC saves the walk");
    fake_host_free(f);
}

static const struct { const char *action, *entry, *params, *receipt, *there, *path, *policy; bool changed; enum ft_class class; } ancs[] = {   /* there: applied now */
    { "anc_apply", "run", "{'mac': '" MAC "', 'policy': 'Q'}", NULL, NULL, "/ancendpoint/apply", "Q", true, 0 },
    { "anc_apply", "run", "{'mac': '" MAC "', 'policy': 'Q'}", NULL, "Old", "/ancendpoint/apply", "Q", true, 0 },
    { "anc_apply", "run", "{'mac': '" MAC "', 'policy': 'Q'}", NULL, "Q", NULL, NULL, false, 0 },
    { "anc_clear", "run", "{'mac': '" MAC "'}", NULL, "Q", "/ancendpoint/clear", "Q", true, 0 },
    { "anc_clear", "run", "{'mac': '" MAC "'}", NULL, NULL, NULL, NULL, false, 0 },
    { "anc_clear", "run", "{'mac': '" MAC "', 'policy': 'Q'}", NULL, "Other", NULL, NULL, false, FT_CONFLICT },
    { "anc_apply", "undo", "{'mac': '" MAC "', 'policy': 'Q'}", "{'before': null, 'after': 'Q'}", "Q", "/ancendpoint/clear", "Q", true, 0 },
    { "anc_apply", "undo", "{'mac': '" MAC "', 'policy': 'Q'}", "{'before': 'Old', 'after': 'Q'}", "Q", "/ancendpoint/apply", "Old", true, 0 },
    { "anc_apply", "undo", "{'mac': '" MAC "', 'policy': 'Q'}", "{'before': null, 'after': 'Q'}", NULL, NULL, NULL, false, 0 },
    { "anc_apply", "undo", "{'mac': '" MAC "', 'policy': 'Q'}", "{'before': null, 'after': 'Q'}", "Third", NULL, NULL, false, FT_CONFLICT },
    { "anc_clear", "undo", "{'mac': '" MAC "'}", "{'before': 'Q', 'after': null}", NULL, "/ancendpoint/apply", "Q", true, 0 },
    { "anc_clear", "undo", "{'mac': '" MAC "'}", "{'before': 'Q', 'after': null}", "Third", NULL, NULL, false, FT_CONFLICT },
};

Test(anc, apply_clear_and_back)
{
    for (size_t i = 0; i < ARRAY_LEN(ancs); i++) {
        struct fake_host *f = ise_host();
        char url[200], body[300];
        bool put;

        anc_world(f, ancs[i].there);
        const struct fake_result *r = fake_run(f, ancs[i].action, ancs[i].entry, ancs[i].params, ancs[i].receipt);
        cr_expect(r->ok == (ancs[i].class == 0) && (r->ok || r->class == ancs[i].class), "case %zu: %s", i, r->error);
        put = !strcmp(fake_str(last(r->requests), "method"), "PUT");
        cr_expect_eq(put, ancs[i].path != NULL, "case %zu", i);
        cr_expect(!r->ok || is_true_at(r->result, "changed") == ancs[i].changed, "case %zu", i);
        if (put && ancs[i].path) {
            snprintf(url, sizeof(url), ERS "%s", ancs[i].path);
            snprintf(body, sizeof(body), "{\"OperationAdditionalData\":{\"additionalData\":[{\"name\":\"macAddress\",\"value\":\"" MAC "\"},{\"name\":\"policyName\",\"value\":\"%s\"}]}}",
                     ancs[i].policy);
            cr_expect_str_eq(fake_str(last(r->requests), "url"), url, "case %zu", i);
            cr_expect_str_eq(fake_str(last(r->requests), "body"), body, "case %zu", i);
        }
        fake_host_free(f);
    }
}

Test(anc, plan_is_what_run_sends_in_both_shapes)
{
    static const struct { const char *config, *wrapper; } shapes[] = { { "", "OperationAdditionalData" }, { ", 'anc_body': 'endpoint'", "ErsAncEndpoint" } };

    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        struct fake_host *f = ise_host_with(shapes[i].config);

        anc_world(f, NULL);
        const struct fake_result *r = fake_run(f, "anc_apply", "plan", "{'mac': '" MAC "', 'policy': 'Q'}", NULL);
        GOOD(r);
        cr_expect_eq(fake_int(r->result, "users"), 1);
        json_t *plan = json_deep_copy(r->result);
        char *receipt = text_of(fake_at(plan, "receipt"));
        r = fake_run(f, "anc_apply", "run", "{'mac': '" MAC "', 'policy': 'Q'}", receipt);
        GOOD(r);
        cr_expect(strstr(fake_str(last(r->requests), "body"), shapes[i].wrapper));
        same_as_planned(plan, last(r->requests), "anc_apply");
        free(receipt);
        json_decref(plan);
        fake_host_free(f);
    }
}

Test(anc, probe_reads_the_policy)
{
    static const struct { const char *there, *receipt; bool happened; } cases[] = {
        { "Q", "{'before': null, 'after': 'Q'}", true }, { NULL, "{'before': null, 'after': 'Q'}", false }, { NULL, "{'before': 'Q', 'after': null}", true },
        { "Q", "{'before': 'Q', 'after': null}", false },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_host *f = ise_host();

        anc_world(f, cases[i].there);
        const struct fake_result *r = fake_run(f, "anc_apply", "probe", "{'mac': '" MAC "', 'policy': 'Q'}", cases[i].receipt);
        GOOD(r);
        cr_expect_eq(is_true_at(r->result, "happened"), cases[i].happened, "case %zu", i);
        fake_host_free(f);
    }
}

Test(anc, captured_answers)
{
    char *list = shared_sample("ise-ers/ancendpoint-list.json"), *item = shared_sample("ise-ers/ancendpoint-get.json");

    if (list && item) {
        struct fake_host *f = ise_host();

        FAKE_HTTP(f, .url = "/ancendpoint?size=100&page=1", .status = 200, .body = list, .body_len = strlen(list));
        FAKE_HTTP(f, .url = "/ancendpoint/6caf3e58-53b3-4bbd-9594-d3678aa08fc1", .status = 200, .body = item, .body_len = strlen(item));
        const struct fake_result *r = fake_run(f, "anc_status", "run", "{'mac': 'd4:be:d9:86:35:1f'}", NULL);
        GOOD(r);
        cr_expect_str_eq(fake_str(r->result, "policy"), "ANC_No_Access");
        fake_host_free(f);
    }
    free(list);
    free(item);
}

/* ---- nodes and users */

Test(node_status, with_and_without_a_node)
{
    struct fake_host *f = ise_host();

    XML(f, "/Version", HEAD "<product name=\"Cisco Identity Services Engine\"><version>3.3.0.430</version><type_of_node>1</type_of_node></product>");
    ANSWER(f, "/node?size=100&page=1", "{'SearchResult': {'total': 1, 'resources': [{'id': 'i', 'name': 'ise-psn-1'}]}}");
    ANSWER(f, "/node/name/ise-psn-1", "{'Node': {'name': 'ise-psn-1', 'passWord': 'hush-hush', 'ipAddress': '10.0.0.3', 'nodeServiceTypes': 'Session', 'primaryPapNode': false}}");
    FAKE_HTTP(f, .method = "GET", .url = "/node/name/gone", .status = 404, .body = "{}");
    const struct fake_result *r = fake_run(f, "node_status", "run", "{}", NULL);
    GOOD(r);
    cr_expect(is_true_at(r->result, "up"));
    cr_expect_str_eq(fake_str(r->result, "version"), "3.3.0.430");
    cr_expect_str_eq(fake_str(r->result, "kind"), "active");
    cr_expect_eq(json_array_size(r->requests), 1);
    r = fake_run(f, "node_status", "run", "{'node': 'ise-psn-1'}", NULL);
    GOOD(r);
    cr_expect_str_eq(fake_str(r->result, "services"), "Session");
    char *shown = json_dumps(r->result, 0);
    cr_expect(!strstr(shown, "hush-hush"));
    free(shown);
    r = fake_run(f, "node_status", "run", "{'node': 'gone'}", NULL);
    GOOD(r);
    cr_expect(!is_true_at(r->result, "known"));
    fake_host_free(f);
}

Test(internal_user, there_and_not)
{
    struct fake_host *f = ise_host();

    ANSWER(f, "/internaluser/name/kim%40x", "{'InternalUser': {'id': 'u', 'name': 'kim@x', 'enabled': false, 'password': '*******', 'expiryDateEnabled': true, 'expiryDate': '2026-01-01'}}");
    FAKE_HTTP(f, .url = "/internaluser/name/lee", .status = 404, .body = "{}");
    const struct fake_result *r = fake_run(f, "internal_user", "run", "{'name': 'kim@x'}", NULL);
    GOOD(r);
    cr_expect(json_is_false(fake_at(r->result, "enabled")) && is_true_at(r->result, "expires"));
    cr_expect(fake_at(r->result, "password") == NULL);
    r = fake_run(f, "internal_user", "run", "{'name': 'lee'}", NULL);
    GOOD(r);
    cr_expect(!is_true_at(r->result, "found"));
    fake_host_free(f);
}

/* ---- errors of ERS */

Test(ers, errors_end_in_a_sentence)
{
    static const struct { int status; const char *body; enum ft_class fault, class; const char *says; } cases[] = {
        { 401, "<html>Unauthorized</html>", 0, FT_DENIED, "plugins.ise.user" },
        { 403, "", 0, FT_DENIED, "ERS Admin" },
        { 415, "{'ERSResponse': {'messages': [{'title': 'Unsupported Media Type'}]}}", 0, 0, "Unsupported Media Type" },
        { 500, "{'ERSResponse': {'messages': [{'title': 'CRUD operation exception'}]}}", 0, FT_REFUSED, "CRUD operation exception" },
        { 200, "<!DOCTYPE html><html>ISE login</html>", 0, FT_INVALID, "is ERS switched on" },
        { 200, "{'SearchResult': ", 0, FT_INVALID, "" },
        { 200, "{'other': 1}", 0, FT_INVALID, "list that ERS promises" },
        { 200, "{'SearchResult': {'resources': {}}}", 0, FT_INVALID, "list that ERS promises" },
        { 200, "[]", 0, FT_INVALID, "object that ERS promises" },
        { 0, NULL, FT_UNREACHABLE, FT_UNREACHABLE, "ERS is off" },
        { 0, NULL, FT_TIMEOUT, FT_TIMEOUT, "ERS is off" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_host *f = ise_host();

        FAKE_HTTP(f, .status = cases[i].status, .body = cases[i].body, .fault = cases[i].fault, .why = cases[i].fault ? "no answer from 9060" : NULL);
        const struct fake_result *r = fake_run(f, "endpoint_groups", "run", "{}", NULL);
        cr_expect(!r->ok && (!cases[i].class || r->class == cases[i].class) && strstr(r->error, cases[i].says), "case %zu: class %s: %s", i,
                  ft_class_name(r->class), r->error);
        cr_expect(!strstr(r->error, "sesame"));
        fake_host_free(f);
    }
}

Test(ers, a_write_answered_in_no_words_is_ambiguous)
{
    static const struct { int status; const char *body; enum ft_class fault, class; } cases[] = {
        { 200, "<html>login</html>", 0, FT_AMBIGUOUS }, { 0, NULL, FT_AMBIGUOUS, FT_AMBIGUOUS }, { 403, "", 0, FT_DENIED }, { 500, "", 0, FT_REFUSED },
        { 404, "{}", 0, FT_NOT_FOUND },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_host *f = ise_host();

        ANSWER(f, "/endpoint/name/D4%3ABE%3AD9%3A3D%3A25%3AE2", ENDPOINT("g", "true", ""));
        FAKE_HTTP(f, .method = "PUT", .status = cases[i].status, .body = cases[i].body, .fault = cases[i].fault, .why = cases[i].fault ? "lost" : NULL);
        const struct fake_result *r = fake_run(f, "endpoint_update", "run", "{'mac': '" MAC "', 'description': 'x'}", NULL);
        cr_expect(!r->ok && r->class == cases[i].class, "case %zu: class %s: %s", i, ft_class_name(r->class), r->error);
        cr_expect_eq(json_array_size(r->requests), 2, "case %zu: sent once", i);
        fake_host_free(f);
    }
}

/* ---- odd shapes through every action */

static const struct { const char *action, *entry, *params, *receipt; } calls[] = {
    { "session", "run", "{'mac': '" MAC "'}" }, { "auth_status", "run", "{'mac': '" MAC "'}" }, { "failure_reason", "run", "{'code': 1}" }, { "active_count", "run", "{}" },
    { "coa_reauth", "plan", "{'mac': '" MAC "'}" }, { "coa_reauth", "run", "{'mac': '" MAC "', 'node': 'n'}" }, { "coa_disconnect", "plan", "{'mac': '" MAC "'}" },
    { "coa_reauth", "probe", "{'mac': '" MAC "'}", "{}" }, { "endpoint", "run", "{'mac': '" MAC "'}" }, { "endpoint_groups", "run", "{}" },
    { "endpoint_update", "plan", "{'mac': '" MAC "', 'description': 'x'}" }, { "endpoint_move_group", "plan", "{'mac': '" MAC "', 'group': 'g'}" },
    { "endpoint_update", "undo", "{'mac': '" MAC "', 'description': 'x'}", "{'before': 7, 'after': {'a': 1}}" }, { "anc_status", "run", "{'mac': '" MAC "'}" },
    { "anc_apply", "plan", "{'mac': '" MAC "', 'policy': 'Q'}" }, { "anc_clear", "plan", "{'mac': '" MAC "'}" }, { "anc_apply", "undo", "{'mac': '" MAC "', 'policy': 'Q'}", "{}" },
    { "anc_apply", "probe", "{'mac': '" MAC "', 'policy': 'Q'}", "{'after': 7}" }, { "node_status", "run", "{'node': 'n'}" }, { "internal_user", "run", "{'name': 'x'}" },
};

static const char *const bodies[] = {
    "", "{}", "[]", "null", "7", "{'SearchResult': 7}", "{'SearchResult': {'resources': [null, 1, {'id': 5}, {'id': ''}]}}", "{'SearchResult': {'resources': [{'id': 'x'}]}, 'ErsAncEndpoint': 7}",
    "{'ERSEndPoint': 7}", "{'ERSEndPoint': {'id': 7}}", "{'ERSEndPoint': {'id': 'x', 'groupId': 7, 'customAttributes': []}}", "{'ERSEndPoint': {'id': 'x', 'customAttributes': {'customAttributes': 7}}}",
    "{'EndPointGroup': []}", "{'InternalUser': []}", "{'InternalUser': 'x'}", "{'Node': 7}",
    "<a/>", "<a><a><a/></a></a>", "<sessionParameters/>", "<sessionParameters>text</sessionParameters>", "<sessionParameters><passed/><passed/><failure_reason><x/></failure_reason></sessionParameters>",
    "<sessionParameters><acs_server><x>1</x></acs_server><other_attr_string>:!::!:=:!:NAS-Port</other_attr_string><auth_acs_timestamp>soon</auth_acs_timestamp></sessionParameters>",
    "<authStatusOutputList>x</authStatusOutputList>", "<authStatusOutputList><authStatusList>x</authStatusList><authStatusList><authStatusElements>y</authStatusElements></authStatusList></authStatusOutputList>",
    "<failureReasonList><failureReason>x</failureReason><failureReason><code/></failureReason></failureReasonList>", "<sessionCount/>", "<sessionCount><count/></sessionCount>",
    "<product/>", "<product><version/></product>", "<remoteCoA/>", "<remoteCoA><results>maybe</results></remoteCoA>", "<a>&unknown;</a>", "<a", ("\xff\xfe<\x00" "a>"),
};

Test(odd_answers, are_survived, .timeout = 60)
{
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        for (size_t b = 0; b < ARRAY_LEN(bodies); b++) {
            struct fake_host *f = ise_host();

            FAKE_HTTP(f, .status = 200, .body = bodies[b]);
            const struct fake_result *r = fake_run(f, calls[i].action, calls[i].entry, calls[i].params, calls[i].receipt);
            cr_expect(r->ok || strlen(r->error) > 10, "%s %s with %s", calls[i].action, calls[i].entry, bodies[b]);
            cr_expect(r->ok || !strstr(r->error, "(null)"), "%s %s with %s: %s", calls[i].action, calls[i].entry, bodies[b], r->error);
            fake_host_free(f);
        }
    }
}
