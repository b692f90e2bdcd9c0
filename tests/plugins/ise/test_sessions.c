/* Sessions by other things than a MAC address, lists of them, counts, attempts and reasons as lists, and the samples as they were captured. */
#include "ise_test.h"

#define SESSION HEAD "<sessionParameters><passed xsi:type=\"xs:boolean\" xmlns:xsi=\"x\">true</passed><user_name>bob</user_name><calling_station_id>" MAC "</calling_station_id>" \
    "<nas_ip_address>10.1.1.1</nas_ip_address><acs_server>ise-1</acs_server></sessionParameters>"
#define ACTIVE(root) HEAD "<" root " noOfActiveSession=\"3\"><activeSession><calling_station_id>00:0C:29:FA:EF:0A</calling_station_id><server>p1</server></activeSession>" \
    "<activeSession><user_name>tom</user_name><calling_station_id>00:14:BF:5A:0C:03</calling_station_id><nas_ip_address>10.203.107.161</nas_ip_address>" \
    "<acct_session_id>00000032</acct_session_id><server>p2</server></activeSession><activeSession><user_name>vpn</user_name><calling_station_id>172.23.130.89</calling_station_id>" \
    "<framed_ipv6_address><ipv6_address>200::1</ipv6_address><ipv6_address> 2001::1</ipv6_address></framed_ipv6_address></activeSession></" root ">"

Test(session, by_whatever_is_known)
{
    static const struct { const char *params, *path, *answer; } cases[] = {
        { "{'user': 'CORP\\\\\\\\bob'}", "/Session/UserName/CORP%5Cbob", SESSION },
        { "{'ip': '10.9.9.9'}", "/Session/EndPointIPAddress/10.9.9.9", SESSION },
        { "{'nas_ip': '10.1.1.1'}", "/Session/IPAddress/10.1.1.1", SESSION },
        { "{'mac': 'd4bed93d25e2'}", "/Session/MACAddress/" MAC, SESSION },
        { "{'session_id': '0A0A'}", "/Session/Active/SessionID/0A0A/0", HEAD "<activeSessionList noOfActiveSession=\"1\"><activeSession><user_name>bob</user_name>"
            "<calling_station_id>" MAC "</calling_station_id></activeSession></activeSessionList>" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_host *f = ise_host();
        char *params = strdup(cases[i].params);

        for (char *p; (p = strstr(params, "\\\\\\\\"));)
            memmove(p, p + 2, strlen(p + 2) + 1);
        XML(f, cases[i].path, cases[i].answer);
        const struct fake_result *r = fake_run(f, "session", "run", params, NULL);
        GOOD(r);
        cr_expect(is_true_at(r->result, "found"), "%s", cases[i].params);
        cr_expect_str_eq(fake_str(r->result, "mac"), MAC, "%s", cases[i].params);
        cr_expect_str_eq(fake_str(r->result, "user_name"), "bob", "%s", cases[i].params);
        free(params);
        fake_host_free(f);
    }
}

Test(session, one_thing_at_a_time)
{
    static const char *const params[] = { "{}", "{'user': 'a', 'ip': '10.0.0.1'}" };

    for (size_t i = 0; i < ARRAY_LEN(params); i++) {
        struct fake_host *f = ise_host();
        const struct fake_result *r = fake_run(f, "session", "run", params[i], NULL);

        cr_expect(!r->ok && r->class == FT_INVALID, "%s", r->error);
        fake_host_free(f);
    }
}

Test(session, none_of_that_user)
{
    struct fake_host *f = ise_host();

    FAKE_HTTP(f, .status = 500, .body = NO_SESSION);
    const struct fake_result *r = fake_run(f, "session", "run", "{'user': 'nobody'}", NULL);
    GOOD(r);
    cr_expect(!is_true_at(r->result, "found") && is_null_at(r->result, "mac"));
    fake_host_free(f);
}

Test(sessions, both_roots_filters_and_pages)
{
    static const char *const roots[] = { ACTIVE("activeSessionList"), ACTIVE("activeList") };

    for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
        struct fake_host *f = ise_host();

        XML(f, "/Session/ActiveList", roots[i]);
        const struct fake_result *r = fake_run(f, "sessions", "run", "{}", NULL);
        GOOD(r);
        cr_expect(fake_int(r->result, "total") == 3 && is_true_at(r->result, "complete"));
        cr_expect(is_null_at(r->result, "sessions.2.mac") && strcmp(fake_str(r->result, "sessions.2.station"), "172.23.130.89") == 0, "a VPN's station is an address");
        r = fake_run(f, "sessions", "run", "{'limit': 1, 'offset': 1}", NULL);
        GOOD(r);
        cr_expect(json_array_size(fake_at(r->result, "sessions")) == 1 && !is_true_at(r->result, "complete"));
        cr_expect_str_eq(fake_str(r->result, "sessions.0.user_name"), "tom");
        r = fake_run(f, "sessions", "run", "{'nas_ip': '10.203.107.161'}", NULL);
        GOOD(r);
        cr_expect(fake_int(r->result, "matching") == 1 && fake_int(r->result, "total") == 3);
        fake_host_free(f);
    }
}

Test(sessions, none_one_and_nonsense)
{
    static const struct { const char *body; bool ok; int total; } cases[] = {
        { HEAD "<activeList noOfActiveSession=\"0\"/>", true, 0 },
        { HEAD "<activeList><activeSession><user_name>a</user_name></activeSession></activeList>", true, 1 },
        { HEAD "<sessionCount><count>3</count></sessionCount>", false, 0 },
        { "<html>login</html>", false, 0 },
        { HEAD "<activeList><activeSession>", false, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_host *f = ise_host();

        XML(f, NULL, cases[i].body);
        const struct fake_result *r = fake_run(f, "sessions", "run", "{}", NULL);
        cr_expect(r->ok == cases[i].ok && (!r->ok || fake_int(r->result, "total") == cases[i].total), "case %zu: %s", i, r->error);
        fake_host_free(f);
    }
}

Test(sessions, that_authenticated_lately)
{
    struct fake_host *f = ise_host();

    XML(f, "/Session/AuthList/2026-11-21%2001%3A13%3A05.0/null", ACTIVE("activeList"));
    const struct fake_result *r = fake_run(f, "sessions", "run", "{'window': '1h'}", NULL);
    GOOD(r);
    cr_expect_eq(fake_int(r->result, "total"), 3);
    fake_host_free(f);
}

Test(session_counts, all_three)
{
    struct fake_host *f = ise_host();

    XML(f, "/Session/ActiveCount", HEAD "<sessionCount><count>12</count></sessionCount>");
    XML(f, "/Session/PostureCount", HEAD "<sessionCount><count>3</count></sessionCount>");
    XML(f, "/Session/ProfilerCount", HEAD "<sessionCount><count>4</count></sessionCount>");
    const struct fake_result *r = fake_run(f, "session_counts", "run", "{}", NULL);
    GOOD(r);
    cr_expect(fake_equals(r->result, "{'active': 12, 'posture': 3, 'profiler': 4}"));
    fake_host_free(f);
}

Test(session_delete, plan_run_and_nothing_to_do)
{
    struct fake_host *f = ise_host();

    XML(f, "/Session/MACAddress/" MAC, SESSION);
    FAKE_HTTP(f, .method = "DELETE", .status = 200, .body = HEAD "<mnt-rest-result><status>SUCCESSFUL</status></mnt-rest-result>");
    const struct fake_result *r = fake_run(f, "session_delete", "plan", "{'mac': '" MAC "'}", NULL);
    GOOD(r);
    cr_expect_str_eq(fake_str(r->result, "requests.0.method"), "DELETE");
    r = fake_run(f, "session_delete", "run", "{'mac': '" MAC "'}", NULL);
    GOOD(r);
    cr_expect_str_eq(fake_str(last(r->requests), "url"), MNT "/Session/Delete/MACAddress/" MAC);
    fake_host_free(f);
    f = ise_host();
    FAKE_HTTP(f, .status = 404);
    r = fake_run(f, "session_delete", "run", "{'mac': '" MAC "'}", NULL);
    GOOD(r);
    cr_expect(json_is_false(fake_at(r->result, "changed")));
    fake_host_free(f);
}

Test(auth_attempts, newest_first)
{
    struct fake_host *f = ise_host();
    char *text = sample("auth-eap-tls-expired.xml");

    XML(f, "/AuthStatus/MACAddress/" MAC "/86400/50/All", text);
    const struct fake_result *r = fake_run(f, "auth_attempts", "run", "{'mac': '" MAC "'}", NULL);
    double before = 1e300;
    size_t i;
    json_t *one;

    GOOD(r);
    cr_expect_eq(json_array_size(fake_at(r->result, "attempts")), 3);
    json_array_foreach(fake_at(r->result, "attempts"), i, one) {
        cr_expect(json_number_value(fake_at(one, "timestamp")) <= before);
        before = json_number_value(fake_at(one, "timestamp"));
    }
    cr_expect_str_eq(fake_str(r->result, "attempts.0.failure_reason_code"), "12516");
    free(text);
    fake_host_free(f);
    f = ise_host();
    FAKE_HTTP(f, .status = 404);
    r = fake_run(f, "auth_attempts", "run", "{'mac': '" MAC "'}", NULL);
    GOOD(r);
    cr_expect_eq(json_array_size(fake_at(r->result, "attempts")), 0);
    fake_host_free(f);
}

Test(failure_reasons, the_catalogue)
{
    struct fake_host *f = ise_host();
    char *text = sample("failure-reasons.xml");

    XML(f, "/FailureReasons", text);
    const struct fake_result *r = fake_run(f, "failure_reasons", "run", "{'contains': 'CERTIFICATE'}", NULL);
    GOOD(r);
    cr_expect_str_eq(fake_str(r->result, "reasons.0.code"), "12516");
    r = fake_run(f, "failure_reasons", "run", "{}", NULL);
    GOOD(r);
    cr_expect(json_array_size(fake_at(r->result, "reasons")) >= 2 && json_array_size(r->requests) == 0, "asked for once a day");
    free(text);
    fake_host_free(f);
}

/* What a playbook branches on, where ISE's catalogue gives no advice. Numbers as in ISE's message catalogue. */
Test(failure_reason, kinds)
{
    static const struct { int code; const char *kind, *says; } cases[] = {
        { 22040, "wrong_password", "reset it" }, { 24408, "wrong_password", "Active Directory" }, { 22056, "unknown_user", "identity store" }, { 24409, "account_disabled", "enable it" },
        { 24415, "account_disabled", "locked" }, { 24206, "account_disabled", "enable it" }, { 15039, "policy", "rejects" }, { 12303, "policy", "Allowed Protocols" },
        { 5449, "policy", "endpoint_release" }, { 12514, "certificate", "authority" }, { 12516, "certificate", "renew" }, { 12517, "certificate", "revoked" },
        { 12321, "certificate", "does not trust ISE" }, { 5411, "supplicant", "stopped answering" }, { 12935, "supplicant", "stopped answering" }, { 5440, "supplicant", "gave up" },
        { 11007, "radius", "network device" }, { 11036, "radius", "shared secret" }, { 11213, "radius", "CoA" }, { 24429, "directory", "domain controllers" },
        { 24465, "directory", "join it anew" }, { 24001, "directory", "LDAP" }, { 1151, "other", NULL }, { 99999, "other", NULL },
    };
    struct fake_host *f = ise_host();

    FAKE_HTTP(f, .url = "/FailureReasons", .status = 404);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char params[40];
        const struct fake_result *r;

        snprintf(params, sizeof(params), "{'code': %d}", cases[i].code);
        r = fake_run(f, "failure_reason", "run", params, NULL);
        GOOD(r);
        cr_expect_str_eq(fake_str(r->result, "kind"), cases[i].kind, "%d", cases[i].code);
        cr_expect(cases[i].says ? strstr(fake_str(r->result, "resolution"), cases[i].says) != NULL : is_null_at(r->result, "resolution"), "%d", cases[i].code);
    }
    fake_host_free(f);
}
