/* The actions of the RADIUS plugin on the fake host: a server of our own answers, well or badly; time is a number. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fake_host.h"
#include "../../../plugins/radius/packet.c"
#include "../../../plugins/radius/mschap.c"

#define CONFIG "{'servers': {'one': {'host': 'r1.test', 'secret': 'sesame-one'}, 'two': {'host': 'r2.test', 'secret': 'sesame-two', 'auth_port': 1645}}, " \
    "'devices': {'ap': {'host': 'ap.test', 'secret': 'sesame-ap'}, 'pool': {'secret': 'sesame-ap', 'port': 1700}}, 'nas_ip': '10.0.0.9'}"
#define LOGIN "{'user': 'bob', 'password': 'hello-hello'}"

/* ---- the other side */

enum manner { GOOD, FORGED, UNSIGNED, ODD, SILENT, OTHER_ID };

struct server {
    const char *secret;
    unsigned code;                    /* of the answer */
    const char *hex;                  /* its attributes */
    enum manner manner;
    unsigned silent_for;              /* packets that it loses first */
    struct rad_packet asked;          /* the last one */
    unsigned count;
    bool genuine;                     /* the last request was */
};

static void add_hex(struct rad_packet *packet, const char *hex)
{
    unsigned byte;

    for (; hex && hex[0] && hex[1]; hex += 2) {
        cr_assert_eq(sscanf(hex, "%2x", &byte), 1);
        packet->bytes[packet->len++] = (uint8_t)byte;
    }
    set_length(packet);
}

static size_t respond(void *arg, const char *bytes, size_t len, char *reply, size_t room)
{
    struct server *server = arg;
    struct rad_packet answer;

    cr_assert(rad_read(&server->asked, bytes, len));
    server->genuine = rad_verify_request(&server->asked, server->secret);
    server->count++;
    if (server->manner == SILENT || server->silent_for) {
        server->silent_for -= server->silent_for > 0;
        return 0;
    }
    if (server->manner == ODD)
        return (size_t)snprintf(reply, room, "SSH-2.0-OpenSSH_9.2");
    rad_begin(&answer, (enum rad_code)server->code);
    if (server->manner == UNSIGNED)
        answer.len = RAD_HEADER;
    add_hex(&answer, server->hex);
    answer.bytes[1] = (uint8_t)(server->asked.bytes[1] + (server->manner == OTHER_ID));
    rad_sign_answer(&answer, server->asked.bytes + 4, server->manner == FORGED ? "another" : server->secret);
    memcpy(reply, answer.bytes, answer.len);
    return answer.len;
}

static struct fake_host *world(void)
{
    struct fake_host *f = fake_host_new("radius");

    fake_config(f, CONFIG);
    return f;
}

static void serve(struct fake_host *f, const char *where, struct server *server)
{
    FAKE_STREAM(f, .kind = "udp", .host = where, .answer = respond, .answer_arg = server, .answer_ms = 5);
}

#define REFUSES(f, where) FAKE_STREAM(f, .kind = "udp", .host = (where), .refuse = FT_UNREACHABLE, .why = "nothing listens there (port unreachable)")

static void no_secret(const struct fake_result *r, const char *what)
{
    char *shown = r->result ? json_dumps(r->result, 0) : strdup("");

    cr_expect(!strstr(shown, "sesame") && !strstr(r->error, "sesame") && !strstr(shown, "hello-hello"), "%s: %s %s", what, shown, r->error);
    free(shown);
}

/* ---- auth */

Test(auth, lets_in)
{
    struct fake_host *f = world();
    struct server one = { .secret = "sesame-one", .code = 2, .hex = "40060000000d" "5105313230" "0b077374616666" "1b0600000e10" };

    serve(f, "r1.test", &one);
    const struct fake_result *r = fake_run(f, "auth", "run", "{'user': 'bob', 'password': 'hello-hello', 'mac': '0011.2233.44aa', 'attributes': {'NAS-Port-Type': 'Ethernet'}}", NULL);
    struct rad_attr attr;

    cr_assert(r->ok, "%s", r->error);
    cr_expect(one.genuine && one.asked.bytes[RAD_HEADER] == RAD_A_MESSAGE_AUTHENTICATOR, "signed, and the signature comes first");
    cr_expect(rad_find(&one.asked, 0, 31, &attr) && attr.len == 17 && memcmp(attr.value, "00-11-22-33-44-AA", 17) == 0);
    cr_expect(rad_find(&one.asked, 0, 4, &attr) && attr.len == 4 && !rad_find(&one.asked, 0, 32, &attr), "NAS-IP-Address of the configuration");
    cr_expect(json_is_true(fake_at(r->result, "accepted")) && json_is_null(fake_at(r->result, "reason")));
    cr_expect_str_eq(fake_str(r->result, "vlan"), "120");
    cr_expect_str_eq(fake_str(r->result, "filter_id"), "staff");
    cr_expect_eq(fake_int(r->result, "session_timeout_s"), 3600);
    cr_expect_eq(fake_int(r->result, "ms"), 5);
    cr_expect_str_eq(fake_str(r->result, "server"), "one");
    cr_expect_eq(fake_int(r->streams, "0.port"), 1812);
    no_secret(r, "accept");
    fake_host_free(f);
}

Test(auth, repeats_the_same_packet_with_the_waits_of_rfc_5080)
{
    struct fake_host *f = world();
    struct server one = { .secret = "sesame-one", .code = 3, .silent_for = 2 };

    serve(f, "r1.test", &one);
    const struct fake_result *r = fake_run(f, "auth", "run", LOGIN, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(fake_int(r->result, "tries"), 3);
    cr_expect_str_eq(fake_str(r->streams, "0.writes.0"), fake_str(r->streams, "0.writes.2"), "same identifier, same authenticator");
    cr_expect(r->took_ms >= 5220 && r->took_ms <= 6830, "2 s, then twice that, each a tenth of the wait before more or less (RFC 5080 §2.2.1): %u", (unsigned)r->took_ms);
    cr_expect_str_eq(fake_str(r->result, "answer"), "reject");
    cr_expect(strstr(fake_str(r->result, "reason"), "its log does"), "%s", fake_str(r->result, "reason"));
    fake_host_free(f);
}

static const struct { enum manner manner; bool refuses; enum ft_class class; const char *says; } bad[] = {
    { SILENT, false, FT_TIMEOUT, "no answer to 3 packets" },
    { FORGED, false, FT_TIMEOUT, "is the shared secret wrong?" },
    { UNSIGNED, false, FT_TIMEOUT, "CVE-2024-3596" },
    { ODD, false, FT_TIMEOUT, "is it a RADIUS port?" },
    { OTHER_ID, false, FT_TIMEOUT, "not the answer to this request" },
    { GOOD, true, FT_UNREACHABLE, "nothing listens there" },
};

Test(auth, what_is_no_answer)
{
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        for (int second = 0; second < 2; second++) {
            struct fake_host *f = world();
            struct server one = { .secret = "sesame-one", .code = 2, .manner = bad[i].manner }, two = { .secret = "sesame-two", .code = 2 };
            const struct fake_result *r;

            if (bad[i].refuses)
                REFUSES(f, "r1.test");
            else
                serve(f, "r1.test", &one);
            serve(f, "r2.test", &two);
            r = fake_run(f, "auth", "run", second ? LOGIN : "{'user': 'bob', 'password': 'hello-hello', 'server': 'one'}", NULL);
            if (second) {
                cr_expect(r->ok && strcmp(fake_str(r->result, "server"), "two") == 0, "case %zu: the next one is asked: %s", i, r->error);
                cr_expect_eq(fake_int(r->streams, "1.port"), 1645, "case %zu", i);
            } else {
                cr_expect(!r->ok && r->class == bad[i].class && strstr(r->error, bad[i].says) && strstr(r->error, "r1.test port 1812"), "case %zu: %s", i, r->error);
            }
            no_secret(r, bad[i].says);
            fake_host_free(f);
        }
    }
}

Test(auth, an_unsigned_answer_where_the_configuration_takes_it)
{
    struct fake_host *f = fake_host_new("radius");
    struct server one = { .secret = "sesame-one", .code = 2, .manner = UNSIGNED };

    fake_config(f, "{'servers': {'old': {'host': 'r1.test', 'secret': 'sesame-one', 'require_message_authenticator': false}}}");
    serve(f, "r1.test", &one);
    const struct fake_result *r = fake_run(f, "auth", "run", LOGIN, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_false(fake_at(r->result, "message_authenticator")));
    fake_host_free(f);
}

Test(auth, says_why_before_the_deadline_cuts_it_off)
{
    struct fake_host *f = world();
    struct server one = { .secret = "sesame-one", .manner = SILENT };

    serve(f, "r1.test", &one);
    serve(f, "r2.test", &one);
    fake_timeout(f, 4000);
    const struct fake_result *r = fake_run(f, "auth", "run", LOGIN, NULL);
    cr_expect(!r->ok && r->class == FT_TIMEOUT && strstr(r->error, "shared secret is wrong"), "%s", r->error);
    fake_host_free(f);
}

static const struct { unsigned code; const char *hex, *answer, *reason; int error; } endings[] = {
    { 11, "1804010212067761" "6974", "challenge", "asks for more before it decides (a second factor, a new password): wait", 0 },
    { 11, "", "challenge", "asks for more", 0 },
    { 3, "12066e6f2121", "reject", "rejected: no!!", 0 },
    { 3, "1a1300000137020d01453d36343720523d3020", "reject", "the account is disabled (MS-CHAP error 647)", 647 },
    { 3, "1a0d00000137020701453d3939", "reject", "its log does", 99 },
    { 3, "1a0900000137020301", "reject", "its log does", 0 },
};

Test(auth, other_endings)
{
    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        struct fake_host *f = world();
        struct server one = { .secret = "sesame-one", .code = endings[i].code, .hex = endings[i].hex };

        serve(f, "r1.test", &one);
        const struct fake_result *r = fake_run(f, "auth", "run", "{'user': 'bob', 'password': 'hello-hello', 'method': 'mschapv2'}", NULL);
        cr_assert(r->ok, "case %zu: %s", i, r->error);
        cr_expect_str_eq(fake_str(r->result, "answer"), endings[i].answer, "case %zu", i);
        cr_expect(strstr(fake_str(r->result, "reason"), endings[i].reason), "case %zu: %s", i, fake_str(r->result, "reason"));
        cr_expect_eq(fake_int(r->result, "mschap_error"), endings[i].error ? endings[i].error : -1, "case %zu", i);
        cr_expect(json_is_false(fake_at(r->result, "accepted")), "case %zu", i);
        fake_host_free(f);
    }
}

/* A server that accepts without knowing the password: its own proof is missing, or wrong. */
Test(auth, mschapv2_asks_the_server_for_its_proof)
{
    static const struct { const char *hex, *proof; } cases[] = {
        { "", "missing" },
        { "1a33000001371a2d01533d34303741353538393131354644304436323039463531304645394330343536363933324344413536", "wrong" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_host *f = world();
        struct server one = { .secret = "sesame-one", .code = 2, .hex = cases[i].hex };

        serve(f, "r1.test", &one);
        const struct fake_result *r = fake_run(f, "auth", "run", "{'user': 'bob', 'password': 'hello-hello', 'method': 'mschapv2'}", NULL);
        cr_assert(r->ok, "case %zu: %s", i, r->error);
        cr_expect_str_eq(fake_str(r->result, "server_proof"), cases[i].proof, "case %zu", i);
        cr_expect_eq(json_is_null(fake_at(r->result, "reason")), i == 0, "case %zu", i);
        fake_host_free(f);
    }
}

Test(auth, refusals)
{
    static const struct { const char *params, *says; } cases[] = {
        { "{'user': 'bob', 'password': 'x', 'server': 'three'}", "has no 'three'" },
        { "{'user': 'bob', 'password': 'x', 'mac': 'zz'}", "not a MAC address" },
        { "{'user': 'bob', 'password': 'x', 'attributes': {'No-Such': 1}}", "No-Such" },
        { "{'user': 'bob', 'password': 'x', 'attributes': {'User-Password': 'y'}}", "secret" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_host *f = world();
        const struct fake_result *r = fake_run(f, "auth", "run", cases[i].params, NULL);

        cr_expect(!r->ok && r->class == FT_INVALID && strstr(r->error, cases[i].says), "case %zu: %s", i, r->error);
        fake_host_free(f);
    }
}

/* ---- status */

Test(status, every_server_is_asked)
{
    struct fake_host *f = world();
    struct server two = { .secret = "sesame-two", .code = 2, .manner = UNSIGNED };

    REFUSES(f, "r1.test");
    serve(f, "r2.test", &two);
    const struct fake_result *r = fake_run(f, "status", "run", "{}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_true(fake_at(r->result, "up")) && json_is_false(fake_at(r->result, "all_up")));
    cr_expect(strstr(fake_str(r->result, "servers.0.error"), "nothing listens"));
    cr_expect(json_is_true(fake_at(r->result, "servers.1.up")) && json_is_false(fake_at(r->result, "servers.1.message_authenticator")));
    cr_expect(two.genuine && two.asked.bytes[0] == RAD_STATUS_SERVER, "Status-Server is signed, always");
    fake_host_free(f);
}

Test(status, all_down_is_a_result)
{
    struct fake_host *f = world();
    struct server none = { .secret = "x", .manner = SILENT };

    serve(f, "r1.test", &none);
    serve(f, "r2.test", &none);
    const struct fake_result *r = fake_run(f, "status", "run", "{'port': 'accounting'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_false(fake_at(r->result, "up")) && fake_int(r->result, "answered") == 0 && fake_int(r->result, "servers.1.tries") == 2);
    cr_expect_eq(fake_int(r->streams, "1.port"), 1813);
    fake_host_free(f);
}

/* ---- accounting, CoA, Disconnect */

Test(accounting, plan_and_run)
{
    static const char params[] = "{'type': 'stop', 'session_id': 's1', 'user': 'bob', 'session_time_s': 60, 'terminate_cause': 'Admin-Reset'}";
    struct fake_host *f = world();
    struct server one = { .secret = "sesame-one", .code = 5, .manner = UNSIGNED };
    const struct fake_result *r = fake_run(f, "accounting", "plan", params, NULL);

    cr_assert(r->ok, "%s", r->error);
    cr_expect(fake_equals(fake_at(r->result, "requests"), "[{'target': 'one (r1.test port 1813)', 'commands': ['Accounting-Request', 'Acct-Status-Type = Stop', 'Acct-Session-Id = s1', "
        "'User-Name = bob', 'Acct-Session-Time = 60', 'Acct-Terminate-Cause = Admin-Reset', 'NAS-IP-Address = 10.0.0.9', 'Event-Timestamp = now']}]"));
    cr_expect_eq(json_array_size(r->streams), 0, "a plan sends nothing");
    serve(f, "r1.test", &one);
    r = fake_run(f, "accounting", "run", params, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(one.genuine);
    no_secret(r, "accounting");
    r = fake_run(f, "accounting", "run", "{'type': 'start'}", NULL);
    cr_expect(!r->ok && r->class == FT_INVALID && strstr(r->error, "session_id"), "%s", r->error);
    fake_host_free(f);
}

Test(accounting, no_answer_may_have_happened)
{
    struct fake_host *f = world();
    struct server none = { .secret = "sesame-one", .manner = SILENT };

    serve(f, NULL, &none);
    const struct fake_result *r = fake_run(f, "accounting", "run", "{'type': 'on'}", NULL);
    cr_expect(!r->ok && r->class == FT_AMBIGUOUS, "%s", r->error);
    fake_host_free(f);
    f = world();
    REFUSES(f, NULL);
    r = fake_run(f, "accounting", "run", "{'type': 'on'}", NULL);
    cr_expect(!r->ok && r->class == FT_UNREACHABLE, "nobody was there: %s", r->error);
    fake_host_free(f);
}

static const struct { unsigned cause; enum ft_class class; const char *says; } naks[] = {
    { 401, FT_REFUSED, "does not support one of the attributes" }, { 402, FT_INVALID, "missing" }, { 403, FT_INVALID, "names another device" },
    { 404, FT_INVALID, "not valid" }, { 405, FT_REFUSED, "Service-Type" }, { 407, FT_INVALID, "value" }, { 501, FT_DENIED, "administrator" },
    { 503, FT_NOT_FOUND, "no such session" }, { 504, FT_REFUSED, "cannot remove" }, { 506, FT_REFUSED, "resources" }, { 508, FT_REFUSED, "several" },
    { 999, FT_REFUSED, "no reason that is known" }, { 0, FT_REFUSED, "no reason that is known" },
};

Test(dynauth, every_nak_has_its_class)
{
    for (size_t i = 0; i < ARRAY_LEN(naks); i++) {
        struct fake_host *f = world();
        char hex[16];
        struct server ap = { .secret = "sesame-ap", .code = 45, .hex = hex };

        snprintf(hex, sizeof(hex), "6506%08x", naks[i].cause);
        serve(f, "ap.test", &ap);
        const struct fake_result *r = fake_run(f, "coa", "run", "{'device': 'ap', 'mac': '001122334455', 'command': 'reauthenticate'}", NULL);
        cr_expect(!r->ok && r->class == naks[i].class && strstr(r->error, naks[i].says), "cause %u: %s", naks[i].cause, r->error);
        cr_expect(ap.genuine, "cause %u", naks[i].cause);
        fake_host_free(f);
    }
}

Test(dynauth, plan_and_run)
{
    static const char params[] = "{'device': 'pool', 'host': '10.1.1.1', 'session_id': 's1', 'audit_session_id': '0A01', 'command': 'bounce_port'}";
    struct fake_host *f = world();
    struct server ap = { .secret = "sesame-ap", .code = 44 };
    struct rad_attr attr;
    const struct fake_result *r = fake_run(f, "coa", "plan", params, NULL);

    cr_assert(r->ok, "%s", r->error);
    cr_expect(fake_equals(fake_at(r->result, "requests.0"), "{'target': 'pool (10.1.1.1 port 1700)', 'commands': ['CoA-Request', 'NAS-IP-Address = 10.0.0.9', 'Acct-Session-Id = s1', "
        "'Cisco-AVPair = audit-session-id=0A01', 'Cisco-AVPair = subscriber:command=bounce-host-port', 'Event-Timestamp = now']}"));
    serve(f, "10.1.1.1", &ap);
    r = fake_run(f, "coa", "run", params, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(ap.genuine && json_is_true(fake_at(r->result, "changed")));
    cr_expect(rad_find(&ap.asked, 0, RAD_A_EVENT_TIMESTAMP, &attr) && rad_find(&ap.asked, 0, RAD_A_MESSAGE_AUTHENTICATOR, &attr));
    no_secret(r, "coa");
    fake_host_free(f);
}

Test(dynauth, a_session_that_is_gone)
{
    for (int fine = 0; fine < 2; fine++) {
        struct fake_host *f = world();
        struct server ap = { .secret = "sesame-ap", .code = 42, .hex = "6506000001f7" };

        serve(f, "ap.test", &ap);
        const struct fake_result *r = fake_run(f, "disconnect", "run", fine ? "{'device': 'ap', 'session_id': 's', 'gone_ok': true}" : "{'device': 'ap', 'session_id': 's'}", NULL);
        cr_expect(fine ? r->ok && json_is_false(fake_at(r->result, "changed")) : !r->ok && r->class == FT_NOT_FOUND, "%s", r->error);
        fake_host_free(f);
    }
}

Test(dynauth, refusals)
{
    static const struct { const char *params, *says; } cases[] = {
        { "{'device': 'ap'}", "say which session" },
        { "{'device': 'nope', 'user': 'bob'}", "has no 'nope'" },
        { "{'device': 'pool', 'user': 'bob'}", "give `host`" },
        { "{'device': 'ap', 'mac': '12'}", "MAC address" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        static const char *const entries[] = { "run", "plan" };
        struct fake_host *f = world();

        for (int k = 0; k < 2; k++) {
            const struct fake_result *r = fake_run(f, "disconnect", entries[k], cases[i].params, NULL);

            cr_expect(!r->ok && r->class == FT_INVALID && strstr(r->error, cases[i].says), "case %zu %s: %s", i, entries[k], r->error);
        }
        fake_host_free(f);
    }
}

/* ---- eap: what can be said without eapol_test */

Test(eap, refusals)
{
    static const struct { const char *params; enum ft_class class; const char *says; } cases[] = {
        { "{'method': 'peap', 'user': 'bob', 'ca_file': '/ca.pem'}", FT_INVALID, "PEAP needs a password" },
        { "{'method': 'peap', 'user': 'bob', 'password': 'x'}", FT_INVALID, "skip_server_check" },
        { "{'method': 'tls', 'user': 'bob', 'ca_file': '/ca.pem'}", FT_INVALID, "client_cert and private_key" },
        { "{'method': 'tls', 'user': 'bob', 'ca_file': '/ca.pem', 'client_cert': '/none.pem', 'private_key': '/none.key'}", FT_NOT_FOUND, "client_cert" },
        { "{'method': 'tls', 'user': 'bob', 'ca_file': '/ca.pem', 'client_cert': '/junk.pem', 'private_key': '/junk.pem'}", FT_INVALID, "no certificate in PEM" },
        { "{'method': 'peap', 'user': 'bob', 'password': 'x', 'ca_file': '/ca.pem', 'mac': '1'}", FT_INVALID, "MAC address" },
        { "{'method': 'peap', 'user': 'bob', 'password': 'x', 'ca_file': '/ca.pem', 'attributes': {'Nope': 1}}", FT_INVALID, "Nope" },
        { "{'method': 'peap', 'user': 'bob', 'password': 'x', 'ca_file': '/ca.pem', 'server': 'nope'}", FT_INVALID, "has no 'nope'" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_host *f = world();

        fake_file(f, "/junk.pem", "junk", 4);
        const struct fake_result *r = fake_run(f, "eap", "run", cases[i].params, NULL);
        cr_expect(!r->ok && r->class == cases[i].class && strstr(r->error, cases[i].says), "case %zu: %s", i, r->error);
        fake_host_free(f);
    }
}

/* The fake host runs a worker in place, so this one waits its two seconds out; the program that is missing is in tests/peers/test_eapol.py. */
Test(eap, nothing_secret_on_the_command_line)
{
    struct fake_host *f = fake_host_new("radius");

    fake_config(f, "{'servers': {'one': {'host': '127.0.0.1', 'secret': 'sesame-one', 'auth_port': 1}}}");
    FAKE_EXEC(f, .command = "eapol_test", .exit_status = 252, .out = "EAPOL test timed out\nMPPE keys OK: 0  mismatch: 1\nFAILURE\n");
    const struct fake_result *r = fake_run(f, "eap", "run", "{'method': 'peap', 'user': 'bob', 'password': 'hello-hello', 'ca_file': '/ca.pem', 'within_s': 1}", NULL);
    char *argv = json_dumps(r->execs, 0);

    cr_expect(strstr(argv, "eapol_test") && !strstr(argv, "sesame") && !strstr(argv, "hello-hello"), "%s", argv);
    cr_expect(!r->ok && r->class == FT_INVALID, "nothing came from eapol_test: %s", r->error);
    free(argv);
    fake_host_free(f);
}
