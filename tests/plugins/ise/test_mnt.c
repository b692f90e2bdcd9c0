/* MnT: sessions, authentications, reasons, change of authorization. */
#include "ise_test.h"

#define STATUS_PATH "/AuthStatus/MACAddress/" MAC "/3600/100/All"
#define SESSION_PATH "/Session/MACAddress/" MAC

static void answer_file(struct fake_host *f, const char *path, const char *name)
{
    char *text = sample(name);

    XML(f, path, text);
    free(text);
}

Test(auth_status, takes_the_newest_attempt_by_time)
{
    struct fake_host *f = ise_host();

    answer_file(f, STATUS_PATH, "auth-eap-tls-expired.xml");
    answer_file(f, "/FailureReasons", "failure-reasons.xml");
    const struct fake_result *r = fake_run(f, "auth_status", "run", "{'mac': 'd4bed93d25e2'}", NULL);

    GOOD(r);
    cr_expect(is_true_at(r->result, "found") && !is_true_at(r->result, "passed"));
    cr_expect_str_eq(fake_str(r->result, "failure_reason_code"), "12516");
    cr_expect_str_eq(fake_str(r->result, "kind"), "certificate");
    cr_expect_str_eq(fake_str(r->result, "resolution"), "Check the certificate on the client; enrol anew.");
    cr_expect_str_eq(fake_str(r->result, "auth_protocol"), "EAP-TLS");
    cr_expect_str_eq(fake_str(r->result, "policy_set"), "Wireless 802.1X");
    cr_expect_str_eq(fake_str(r->result, "authorization_rule"), "Staff & guests");
    cr_expect_str_eq(fake_str(r->result, "called_station"), "5c-5b-35-00-00-01:staff");
    cr_expect_str_eq(fake_str(r->result, "nas_port"), "3");
    cr_expect(is_null_at(r->result, "authorization_profile"), "an empty element says nothing");
    cr_expect_eq(fake_int(r->result, "attempts_in_window"), 3);
    cr_expect_eq(fake_int(r->result, "failures_in_window"), 2);
    cr_expect_float_eq(json_number_value(fake_at(r->result, "age_s")), 29.75, 0.01, "the node's clock is two hours east of UTC");
    cr_expect_str_eq(fake_str(r->requests, "0.user"), "fettle");

    r = fake_run(f, "auth_status", "run", "{'mac': 'd4bed93d25e2'}", NULL);
    GOOD(r);
    cr_expect_eq(json_array_size(r->requests), 1, "the catalogue is asked for once");
    fake_host_free(f);
}

Test(auth_status, explains_by_itself_where_the_catalogue_is_silent)
{
    struct fake_host *f = ise_host();

    XML(f, STATUS_PATH, HEAD "<authStatusOutputList><authStatusList><authStatusElements><passed>0</passed><failure_reason>22040 Wrong password</failure_reason>"
        "<acs_timestamp>2026-11-21 02:00:00.5</acs_timestamp></authStatusElements></authStatusList></authStatusOutputList>");
    FAKE_HTTP(f, .url = "/FailureReasons", .status = 404);
    const struct fake_result *r = fake_run(f, "auth_status", "run", "{'mac': '" MAC "'}", NULL);

    GOOD(r);
    cr_expect_str_eq(fake_str(r->result, "kind"), "wrong_password");
    cr_expect_str_eq(fake_str(r->result, "failure_reason"), "Wrong password");
    cr_expect(strstr(fake_str(r->result, "resolution"), "reset it"));
    fake_host_free(f);
}

/* What ISE answers when it saw nothing: no attempt, in four ways. */
Test(auth_status, nothing_seen_is_not_found)
{
    static const struct { int status; const char *body; } answers[] = {
        { 200, HEAD "<authStatusOutputList/>" }, { 404, "" }, { 500, NO_SESSION }, { 500, "" },
    };

    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        struct fake_host *f = ise_host();

        FAKE_HTTP(f, .status = answers[i].status, .body = answers[i].body);
        const struct fake_result *r = fake_run(f, "auth_status", "run", "{'mac': '" MAC "'}", NULL);
        cr_expect(r->ok && !is_true_at(r->result, "found") && !is_true_at(r->result, "passed"), "answer %zu: %s", i, r->error);
        fake_host_free(f);
    }
}

Test(auth_status, window_becomes_seconds)
{
    static const struct { const char *window, *path; } cases[] = {
        { "'90s'", "/90/100/All" }, { "'10m'", "/600/100/All" }, { "'2h'", "/7200/100/All" }, { "'1d'", "/86400/100/All" }, { "'1w'", "/604800/100/All" },
        { "300000", "/300/100/All" }, { "5", "/1/100/All" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_host *f = ise_host();
        char params[100];

        snprintf(params, sizeof(params), "{'mac': '" MAC "', 'window': %s}", cases[i].window);
        FAKE_HTTP(f, .url = cases[i].path, .status = 404);
        const struct fake_result *r = fake_run(f, "auth_status", "run", params, NULL);
        cr_expect(r->ok, "%s: %s", cases[i].window, r->error);
        fake_host_free(f);
    }
}

/* What a broken or foreign answer must end in. */
Test(mnt, bad_answers_end_in_a_sentence)
{
    static const struct { int status; const char *body; enum ft_class fault, class; const char *says; } cases[] = {
        { 200, "<!DOCTYPE html><html><body>Login</body></html>", 0, FT_INVALID, "web page" },
        { 200, "  <html><title>Sign on</title></html>", 0, FT_INVALID, "web page" },
        { 200, HEAD "<sessionParameters><passed>true</pas", 0, FT_INVALID, "cut off" },
        { 200, "{\"json\": true}", 0, FT_INVALID, "not XML" },
        { 200, "<!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><sessionParameters><user_name>&a;</user_name></sessionParameters>", 0, FT_INVALID, "document type" },
        { 200, HEAD "<somethingElse><a>1</a></somethingElse>", 0, FT_INVALID, "sessionParameters" },
        { 401, "<html>no</html>", 0, FT_DENIED, "plugins.ise.user" },
        { 403, "", 0, FT_DENIED, "MnT Admin" },
        { 500, NOT_MNT, 0, FT_REFUSED, "not a MnT node" },
        { 502, "<html>bad gateway</html>", 0, FT_REFUSED, "" },
        { 0, NULL, FT_UNREACHABLE, FT_UNREACHABLE, "no route" },
        { 0, NULL, FT_TIMEOUT, FT_TIMEOUT, "no route" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_host *f = ise_host();

        FAKE_HTTP(f, .status = cases[i].status, .body = cases[i].body, .fault = cases[i].fault, .why = cases[i].fault ? "no route" : NULL);
        const struct fake_result *r = fake_run(f, "session", "run", "{'mac': '" MAC "'}", NULL);
        cr_expect(!r->ok && r->class == cases[i].class && strstr(r->error, cases[i].says), "case %zu: class %s: %s", i, ft_class_name(r->class), r->error);
        cr_expect(!strstr(r->error, "sesame"), "case %zu", i);
        fake_host_free(f);
    }
}

Test(session, tells_whether_it_is_active)
{
    static const struct { const char *from, *to; bool active; } cases[] = {
        { "", "", true },
        { "<acct_status_type>Start<", "<acct_status_type>Stop<", false },
        { ">true</passed>", ">false</passed>", false },
        { "<acct_status_type>Start</acct_status_type>", "", true },
        { "<posture_status>", "<stopped>true</stopped><posture_status>", false },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_host *f = ise_host();
        char *text = sample("session.xml"), *at = strstr(text, cases[i].from);
        char *changed = NULL;

        cr_assert(at && asprintf(&changed, "%.*s%s%s", (int)(at - text), text, cases[i].to, at + strlen(cases[i].from)) > 0);
        XML(f, SESSION_PATH, changed);
        const struct fake_result *r = fake_run(f, "session", "run", "{'mac': '" MAC "'}", NULL);
        GOOD(r);
        cr_expect_eq(is_true_at(r->result, "active"), cases[i].active, "case %zu", i);
        cr_expect_str_eq(fake_str(r->result, "server"), "ise-psn-1");
        cr_expect_eq(fake_int(r->result, "session_s"), 749);
        free(changed);
        free(text);
        fake_host_free(f);
    }
}

Test(session, reads_the_captured_answers)
{
    static const struct { const char *name, *code, *server; bool passed; } cases[] = {
        { "ise-mnt/session-mab-rejected-by-anc.xml", "15039", "NGN-BL-ISE1", false },
        { "ise-mnt/session-pap-wrong-password.xml", "22040", "itwito-1", false },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *text = shared_sample(cases[i].name);
        struct fake_host *f;

        if (!text)
            continue;
        f = ise_host();
        XML(f, SESSION_PATH, text);
        const struct fake_result *r = fake_run(f, "session", "run", "{'mac': '" MAC "'}", NULL);
        GOOD(r);
        cr_expect_eq(is_true_at(r->result, "passed"), cases[i].passed, "%s", cases[i].name);
        cr_expect_str_eq(fake_str(r->result, "failure_reason_code"), cases[i].code, "%s", cases[i].name);
        cr_expect_str_eq(fake_str(r->result, "server"), cases[i].server, "%s", cases[i].name);
        free(text);
        fake_host_free(f);
    }
}

Test(auth_status, reads_the_captured_answer)
{
    char *text = shared_sample("ise-mnt/authstatus-multiple.xml"), *reasons = shared_sample("ise-mnt/failurereasons.xml");

    if (text && reasons) {
        struct fake_host *f = ise_host();

        XML(f, STATUS_PATH, text);
        XML(f, "/FailureReasons", reasons);
        const struct fake_result *r = fake_run(f, "auth_status", "run", "{'mac': '" MAC "'}", NULL);
        GOOD(r);
        cr_expect(is_true_at(r->result, "passed"), "the newest of the three passed");
        cr_expect_eq(fake_int(r->result, "failures_in_window"), 2);
        r = fake_run(f, "failure_reason", "run", "{'code': '22040 Wrong password'}", NULL);
        GOOD(r);
        cr_expect_str_eq(fake_str(r->result, "resolution"), "Verify the user credentials and try again.");
        fake_host_free(f);
    }
    free(text);
    free(reasons);
}

Test(failure_reason, from_number_and_text)
{
    struct fake_host *f = ise_host();

    answer_file(f, "/FailureReasons", "failure-reasons.xml");
    const struct fake_result *r = fake_run(f, "failure_reason", "run", "{'code': 15039}", NULL);
    GOOD(r);
    cr_expect(is_true_at(r->result, "found"));
    cr_expect_str_eq(fake_str(r->result, "kind"), "policy");
    cr_expect(strstr(fake_str(r->result, "resolution"), "authorization rule"), "the catalogue gives no advice, fettle does");
    r = fake_run(f, "failure_reason", "run", "{'code': '99999 x'}", NULL);
    GOOD(r);
    cr_expect(!is_true_at(r->result, "found"));
    r = fake_run(f, "failure_reason", "run", "{'code': 'no number'}", NULL);
    cr_expect(!r->ok && r->class == FT_INVALID);
    fake_host_free(f);
}

Test(active_count, is_a_number)
{
    struct fake_host *f = ise_host();

    XML(f, "/Session/ActiveCount", HEAD "<sessionCount><count>12</count></sessionCount>");
    const struct fake_result *r = fake_run(f, "active_count", "run", "{}", NULL);
    GOOD(r);
    cr_expect_eq(fake_int(r->result, "count"), 12);
    fake_host_free(f);
    f = ise_host();
    XML(f, "/Session/ActiveCount", HEAD "<sessionCount><count>many</count></sessionCount>");
    r = fake_run(f, "active_count", "run", "{}", NULL);
    cr_expect(!r->ok && r->class == FT_INVALID);
    fake_host_free(f);
}

/* ---- change of authorization */

#define COA(result) HEAD "<remoteCoA requestType=\"reauth\"><results>" result "</results></remoteCoA>"

static const struct { const char *action, *params, *url; } coas[] = {
    { "coa_reauth", "{'mac': '" MAC "'}", MNT "/CoA/Reauth/ise-psn-1/" MAC "/0" },
    { "coa_reauth", "{'mac': '" MAC "', 'type': 'last'}", MNT "/CoA/Reauth/ise-psn-1/" MAC "/1" },
    { "coa_reauth", "{'mac': '" MAC "', 'type': 'rerun', 'node': 'ise 2'}", MNT "/CoA/Reauth/ise%202/" MAC "/2" },
    { "coa_disconnect", "{'mac': '" MAC "'}", MNT "/CoA/Disconnect/ise-psn-1/" MAC "/0" },
    { "coa_disconnect", "{'mac': '" MAC "', 'type': 'port_bounce'}", MNT "/CoA/Disconnect/ise-psn-1/" MAC "/1" },
    { "coa_disconnect", "{'mac': '" MAC "', 'type': 'port_shutdown'}", MNT "/CoA/Disconnect/ise-psn-1/" MAC "/2" },
};

Test(coa, sends_once_what_it_planned)
{
    for (size_t i = 0; i < ARRAY_LEN(coas); i++) {
        struct fake_host *f = ise_host();

        answer_file(f, SESSION_PATH, "session.xml");
        XML(f, coas[i].url, COA("true"));
        const struct fake_result *r = fake_run(f, coas[i].action, "plan", coas[i].params, NULL);
        GOOD(r);
        cr_expect_eq(json_array_size(r->requests), 1, "a plan only looks: a GET of CoA would act");
        cr_expect_str_eq(fake_str(r->result, "requests.0.url"), coas[i].url);
        cr_expect_eq(fake_int(r->result, "users"), 1);
        json_t *plan = json_deep_copy(r->result);
        char *receipt = text_of(fake_at(plan, "receipt"));

        r = fake_run(f, coas[i].action, "run", coas[i].params, receipt);
        GOOD(r);
        cr_expect_eq(json_array_size(r->requests), 2);
        same_as_planned(plan, last(r->requests), coas[i].action);
        cr_expect(fake_int(last(r->requests), "flags") & FT_HTTP_WRITE, "an answer lost must not be asked for again");
        cr_expect(!(fake_int(r->requests, "0.flags") & FT_HTTP_WRITE));
        free(receipt);
        json_decref(plan);
        fake_host_free(f);
    }
}

Test(coa, answers_are_judged)
{
    static const struct { int status; const char *body; enum ft_class fault, class; } cases[] = {
        { 200, COA("false"), 0, FT_REFUSED },
        { 200, HEAD "<remoteCoA/>", 0, FT_AMBIGUOUS },
        { 200, "<html>login</html>", 0, FT_AMBIGUOUS },
        { 200, "", 0, FT_AMBIGUOUS },
        { 0, NULL, FT_AMBIGUOUS, FT_AMBIGUOUS },
        { 500, NOT_MNT, 0, FT_REFUSED },
        { 404, "", 0, FT_NOT_FOUND },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_host *f = ise_host();

        answer_file(f, SESSION_PATH, "session.xml");
        FAKE_HTTP(f, .status = cases[i].status, .body = cases[i].body, .fault = cases[i].fault, .why = cases[i].fault ? "the answer was lost" : NULL);
        const struct fake_result *r = fake_run(f, "coa_reauth", "run", "{'mac': '" MAC "'}", NULL);
        cr_expect(!r->ok && r->class == cases[i].class, "case %zu: class %s: %s", i, ft_class_name(r->class), r->error);
        cr_expect(r->kept != NULL, "case %zu: the receipt is kept before the request", i);
        cr_expect_eq(json_array_size(r->requests), 2, "case %zu: sent once", i);
        fake_host_free(f);
    }
}

Test(coa, without_a_session_the_node_must_be_given)
{
    struct fake_host *f = ise_host();

    FAKE_HTTP(f, .url = SESSION_PATH, .status = 500, .body = NO_SESSION);
    XML(f, "/CoA/Reauth/ise-1/" MAC "/0", COA("true"));
    const struct fake_result *r = fake_run(f, "coa_reauth", "run", "{'mac': '" MAC "'}", NULL);
    cr_expect(!r->ok && r->class == FT_NOT_FOUND && strstr(r->error, "node"));
    r = fake_run(f, "coa_reauth", "run", "{'mac': '" MAC "', 'node': 'ise-1'}", NULL);
    GOOD(r);
    cr_expect_str_eq(fake_str(r->result, "node"), "ise-1");
    fake_host_free(f);
}

/* The session before: authenticated at 2026-11-21T02:00:00.5Z. The clock stands at 02:13:05. */
Test(coa, probe_reads_the_session)
{
    static const struct { double timestamp, asked_ago; bool session, happened; uint64_t waits; } cases[] = {
        { 1795226400.5, 60, true, false, 0 },       /* unchanged for a minute */
        { 1795226000.0, 60, true, true, 0 },        /* authenticated since */
        { 1795226400.5, 60, false, true, 0 },       /* the session is gone */
        { 1795226400.5, 4, true, false, 6000 },     /* too early to say no */
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_host *f = ise_host();
        char receipt[300];

        snprintf(receipt, sizeof(receipt), "{'at': %.1f, 'session': true, 'timestamp': %.1f, 'acct_status': 'Start'}",
                 1795227185.0 - cases[i].asked_ago, cases[i].timestamp);
        if (cases[i].session)
            answer_file(f, SESSION_PATH, "session.xml");
        else
            FAKE_HTTP(f, .url = SESSION_PATH, .status = 404);
        const struct fake_result *r = fake_run(f, "coa_reauth", "probe", "{'mac': '" MAC "'}", receipt);
        GOOD(r);
        cr_expect_eq(is_true_at(r->result, "happened"), cases[i].happened, "case %zu", i);
        cr_expect_eq(r->took_ms, cases[i].waits, "case %zu: %lu ms", i, (unsigned long)r->took_ms);
        fake_host_free(f);
    }
}
