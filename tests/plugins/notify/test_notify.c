/* The notify plugin: webhooks, mail, the texts of a critical incident. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "fake_host.h"

static struct fake_host *notify(void)
{
    struct fake_host *f = fake_host_new("notify");

    fake_config(f, "{'webhooks': {'noc': {'url': 'https://hooks.test/T/B/sesame42', 'headers': {'X-Source': 'fettle'}, 'secret_headers': {'X-Key': 'key4242'}}},"
                   "'smtp': {'url': 'smtp://mail.test:587', 'user': 'fettle', 'password': 'labpw4242', 'from': 'fettle@corp.test'}}");
    return f;
}

/* ---- webhook ---- */

Test(notify, webhook_sends_what_the_plan_showed)
{
    struct fake_host *f = notify();
    const struct fake_result *r;
    char *plan;

    r = fake_run(f, "webhook", "plan", "{'webhook': 'noc', 'text': 'AP-3F-12 was restarted'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(json_array_size(r->requests), 0);
    plan = json_dumps(r->result, 0);
    cr_expect_not(strstr(plan, "sesame42") || strstr(plan, "key4242"), "%s", plan);
    cr_expect(fake_equals(fake_at(r->result, "requests.0.body"), "{'text': 'AP-3F-12 was restarted'}"));
    FAKE_HTTP(f, .method = "POST", .status = 200, .body = "ok");
    r = fake_run(f, "webhook", "run", "{'webhook': 'noc', 'text': 'AP-3F-12 was restarted'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->requests, "0.body"), "{\"text\":\"AP-3F-12 was restarted\"}");
    cr_expect_str_eq(fake_str(r->requests, "0.url"), "https://hooks.test/T/B/sesame42");
    cr_expect_str_eq(fake_str(r->requests, "0.headers.X-Key"), "key4242");
    cr_expect_str_eq(fake_str(r->result, "answer"), "ok");
    cr_expect(json_is_false(fake_at(r->result, "queued")));
    free(plan);
    fake_host_free(f);
}

static const struct { const char *name, *body; int status; enum ft_class fault; bool ok; enum ft_class class; const char *says; } hooks[] = {
    { "queued", "", 202, 0, true, 0, "" },
    { "refused with a 200", "{\"ok\": false, \"error\": \"channel_not_found\"}", 200, 0, false, FT_REFUSED, "channel_not_found" },
    { "accepted with a 200", "{\"ok\": true}", 200, 0, true, 0, "" },
    { "bad payload", "invalid_payload", 400, 0, false, FT_INVALID, "invalid_payload" },
    { "gone", "no_service", 404, 0, false, FT_NOT_FOUND, "no_service" },
    { "forbidden", "action_prohibited", 403, 0, false, FT_DENIED, "action_prohibited" },
    { "too many", "slow down", 429, 0, false, FT_REFUSED, "" },
    { "html", "<html>", 200, 0, true, 0, "" },
    { "unreachable", NULL, 0, FT_UNREACHABLE, false, FT_UNREACHABLE, "" },
    { "answer lost", NULL, 0, FT_AMBIGUOUS, false, FT_AMBIGUOUS, "" },
};

Test(notify, webhook_answers)
{
    for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
        struct fake_host *f = notify();
        const struct fake_result *r;

        FAKE_HTTP(f, .status = hooks[i].status, .body = hooks[i].body, .fault = hooks[i].fault, .why = hooks[i].fault ? "no luck" : NULL);
        r = fake_run(f, "webhook", "run", "{'webhook': 'noc', 'json': {'any': 'shape'}}", NULL);
        cr_expect_eq(r->ok, hooks[i].ok, "%s: %s", hooks[i].name, r->error);
        if (hooks[i].ok) {
            cr_expect_eq(json_is_true(fake_at(r->result, "queued")), hooks[i].status == 202, "%s", hooks[i].name);
        } else {
            cr_expect_eq(r->class, hooks[i].class, "%s: %s: %s", hooks[i].name, ft_class_name(r->class), r->error);
            cr_expect(strstr(r->error, hooks[i].says), "%s: %s", hooks[i].name, r->error);
            cr_expect_not(strstr(r->error, "sesame42"), "%s: %s", hooks[i].name, r->error);
        }
        fake_host_free(f);
    }
}

Test(notify, unknown_webhook_says_where_to_add_it)
{
    struct fake_host *f = notify();
    const struct fake_result *r = fake_run(f, "webhook", "run", "{'webhook': 'chat', 'text': 'x'}", NULL);

    cr_expect_eq(r->class, FT_NOT_FOUND);
    cr_expect(strstr(r->error, "plugins.notify.webhooks.chat"), "%s", r->error);
    fake_host_free(f);
}

/* ---- mail ---- */

#define MAIL "{'to': ['noc@corp.test', 'ana@corp.test'], 'cc': 'boss@corp.test', 'subject': 'Störung in Köln', 'text': 'Zeile 1 = größer\\n.\\nEnde '}"

Test(notify, mail_is_a_proper_message)
{
    struct fake_host *f = notify();
    const struct fake_result *r;
    const char *m;

    FAKE_HTTP(f, .status = 250);
    r = fake_run(f, "mail", "run", MAIL, NULL);
    cr_assert(r->ok, "%s", r->error);
    m = fake_str(r->requests, "0.body");
    cr_expect(strstr(m, "From: fettle@corp.test\r\nTo: noc@corp.test,\r\n ana@corp.test\r\nCc: boss@corp.test\r\n"), "%s", m);
    cr_expect(strstr(m, "Subject: =?utf-8?B?U3TDtnJ1bmcgaW4gS8O2bG4=?=\r\n"), "%s", m);
    cr_expect(strstr(m, "Date: Sat, 21 Nov 2026 02:13:05 +0000\r\n"), "%s", m);
    cr_expect(strstr(m, "Auto-Submitted: auto-generated\r\n"), "%s", m);
    cr_expect(strstr(m, "\r\n\r\nZeile 1 =3D gr=C3=B6=C3=9Fer\r\n.\r\nEnde=20\r\n"), "%s", m);
    cr_expect(strstr(m, fake_str(r->result, "message_id")), "%s", m);
    cr_expect(strstr(fake_str(r->result, "message_id"), "@corp.test>"));
    cr_expect_eq(fake_int(r->result, "recipients"), 3);
    cr_expect_str_eq(fake_str(r->requests, "0.mail_from"), "fettle@corp.test");
    cr_expect_str_eq(fake_str(r->requests, "0.mail_to.2"), "boss@corp.test");
    cr_expect(fake_int(r->requests, "0.flags") & FT_HTTP_MAIL);
    cr_expect(fake_int(r->requests, "0.flags") & FT_HTTP_STARTTLS);
    for (const char *line = m; *line; line = strstr(line, "\r\n") + 2)
        cr_expect_leq(strcspn(line, "\r"), 78, "a line of %zu: %.40s", strcspn(line, "\r"), line);
    fake_host_free(f);
}

Test(notify, the_same_mail_has_the_same_id_and_another_has_another)
{
    struct fake_host *f = notify();
    char id[2][200];

    for (int i = 0; i < 2; i++) {
        const struct fake_result *r;

        FAKE_HTTP(f, .status = 250);
        fake_wall(f, 1795227185000u + (uint64_t)i * 3600000);
        r = fake_run(f, "mail", "run", MAIL, NULL);
        cr_assert(r->ok, "%s", r->error);
        snprintf(id[i], sizeof(id[i]), "%s", fake_str(r->result, "message_id"));
    }
    cr_expect_str_eq(id[0], id[1]);
    {
        const struct fake_result *r = fake_run(f, "mail", "run", "{'to': 'noc@corp.test', 'subject': 'other', 'text': 'x'}", NULL);

        cr_expect_neq(strcmp(id[0], fake_str(r->result, "message_id")), 0);
    }
    fake_host_free(f);
}

Test(notify, mail_sends_what_the_plan_showed_but_for_the_date)
{
    struct fake_host *f = notify();
    const struct fake_result *r = fake_run(f, "mail", "plan", MAIL, NULL);
    char *planned, *plan;
    const char *sent, *a, *b;

    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(json_array_size(r->requests), 0);
    plan = json_dumps(r->result, 0);
    cr_expect_not(strstr(plan, "labpw4242"));
    planned = strdup(fake_str(r->result, "requests.0.body"));
    FAKE_HTTP(f, .status = 250);
    r = fake_run(f, "mail", "run", MAIL, NULL);
    cr_assert(r->ok, "%s", r->error);
    sent = fake_str(r->requests, "0.body");
    a = strstr(planned, "Date: ");
    b = strstr(sent, "Date: ");
    cr_assert(a && b, "%s", planned);
    cr_expect_eq(a - planned, b - sent);
    cr_expect_eq(strncmp(planned, sent, (size_t)(a - planned)), 0);
    cr_expect_str_eq(strstr(a, "\r\n"), strstr(b, "\r\n"));
    free(planned);
    free(plan);
    fake_host_free(f);
}

static const struct { const char *params, *says; } bad_mails[] = {
    { "{'to': 'noc', 'subject': 'x', 'text': 'x'}", "not a plain mail address" },
    { "{'to': 'noc@corp.test\\r\\nRCPT TO:<evil@x.test>', 'subject': 'x', 'text': 'x'}", "not a plain mail address" },
    { "{'to': 'NOC <noc@corp.test>', 'subject': 'x', 'text': 'x'}", "not a plain mail address" },
    { "{'to': 'a@b@c', 'subject': 'x', 'text': 'x'}", "not a plain mail address" },
    { "{'to': 'noc@corp.test', 'cc': ['x y@z'], 'subject': 'x', 'text': 'x'}", "not a plain mail address" },
};

Test(notify, addresses_that_could_do_harm_are_refused)
{
    for (size_t i = 0; i < sizeof(bad_mails) / sizeof(bad_mails[0]); i++) {
        struct fake_host *f = notify();
        const struct fake_result *r = fake_run(f, "mail", "run", bad_mails[i].params, NULL);

        cr_expect_not(r->ok, "%s", bad_mails[i].params);
        cr_expect_eq(r->class, FT_INVALID, "%s", bad_mails[i].params);
        cr_expect(strstr(r->error, bad_mails[i].says), "%s: %s", bad_mails[i].params, r->error);
        cr_expect_eq(json_array_size(r->requests), 0);
        fake_host_free(f);
    }
}

static const struct { const char *subject, *line; } subjects[] = {
    { "plain", "Subject: plain\r\n" },
    { "a\\r\\nBcc: evil@x.test", "Subject: a  Bcc: evil@x.test\r\n" },
    { "=?utf-8?Q?x?=", "Subject: =?utf-8?B?PT91dGYtOD9RP3g/PQ==?=\r\n" },
    { "äöüäöüäöüäöüäöüäöüäöüäöü", "Subject: =?utf-8?B?w6TDtsO8w6TDtsO8w6TDtsO8w6TDtsO8w6TDtsO8w6TDtsO8w6Q=?=\r\n =?utf-8?B?w7bDvMOkw7bDvA==?=\r\n" },
    { "AP-3F-12 is away, and so are AP-3F-13, AP-3F-14, AP-3F-15 and AP-3F-16", "Subject: =?utf-8?B?QVAtM0YtMTIgaXMgYXdheSwgYW5kIHNvIGFyZSBBUC0zRi0xMywg?=\r\n =?utf-8?B?QVAtM0YtMTQsIEFQLTNGLTE1IGFuZCBBUC0zRi0xNg==?=\r\n" },
};

Test(notify, subjects_cannot_begin_a_header_and_are_encoded_by_characters)
{
    for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
        struct fake_host *f = notify();
        char params[300];
        const struct fake_result *r;

        FAKE_HTTP(f, .status = 250);
        snprintf(params, sizeof(params), "{'to': 'noc@corp.test', 'subject': '%s', 'text': 'x'}", subjects[i].subject);
        r = fake_run(f, "mail", "run", params, NULL);
        cr_assert(r->ok, "%s: %s", subjects[i].subject, r->error);
        cr_expect(strstr(fake_str(r->requests, "0.body"), subjects[i].line), "%s: %s", subjects[i].subject, fake_str(r->requests, "0.body"));
        fake_host_free(f);
    }
}

static const struct { int status; enum ft_class given, class; const char *says; } codes[] = {
    { 451, FT_REFUSED, FT_REFUSED, "tried again later" }, { 421, FT_REFUSED, FT_REFUSED, "later" },
    { 550, FT_REFUSED, FT_NOT_FOUND, "does not know a recipient" }, { 553, FT_REFUSED, FT_NOT_FOUND, "recipient" },
    { 552, FT_REFUSED, FT_INVALID, "" }, { 554, FT_REFUSED, FT_INVALID, "" }, { 535, FT_REFUSED, FT_DENIED, "" }, { 530, FT_REFUSED, FT_DENIED, "" },
};

Test(notify, mail_is_judged_by_the_servers_code)
{
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        struct fake_host *f = notify();
        const struct fake_result *r;

        FAKE_HTTP(f, .status = codes[i].status);
        r = fake_run(f, "mail", "run", "{'to': 'noc@corp.test', 'subject': 'x', 'text': 'x'}", NULL);
        cr_expect_not(r->ok, "%d", codes[i].status);
        cr_expect_eq(r->class, codes[i].class, "%d: %s: %s", codes[i].status, ft_class_name(r->class), r->error);
        cr_expect(strstr(r->error, codes[i].says), "%d: %s", codes[i].status, r->error);
        fake_host_free(f);
    }
}

Test(notify, mail_faults_without_a_code)
{
    static const enum ft_class faults[] = { FT_UNREACHABLE, FT_TIMEOUT, FT_AMBIGUOUS };

    for (size_t i = 0; i < 3; i++) {
        struct fake_host *f = notify();
        const struct fake_result *r;

        FAKE_HTTP(f, .fault = faults[i], .why = "no luck");
        r = fake_run(f, "mail", "run", "{'to': 'noc@corp.test', 'subject': 'x', 'text': 'x'}", NULL);
        cr_expect_eq(r->class, faults[i], "%s", ft_class_name(r->class));
        fake_host_free(f);
    }
}

Test(notify, without_a_mail_server_it_says_what_to_set)
{
    struct fake_host *f = fake_host_new("notify");
    const struct fake_result *r;

    fake_config(f, "{}");
    r = fake_run(f, "mail", "run", "{'to': 'noc@corp.test', 'subject': 'x', 'text': 'x'}", NULL);
    cr_expect_eq(r->class, FT_INVALID);
    cr_expect(strstr(r->error, "plugins.notify.smtp"), "%s", r->error);
    fake_host_free(f);
}

/* ---- P1 ---- */

static const struct { const char *action, *params, *subject, *parts[6]; } texts[] = {
    { "p1_initial", "{'system': 'HQ', 'affected': 'all wireless users', 'impact': 'no orders', 'started': 1795226700000, 'status': 'uplink is replaced', 'commander': 'Ana', 'contact': '+49 30', 'ticket': 'INC1'}",
      "[P1 CRITICAL] Network Outage - HQ", { "all wireless users", "IMPACT: no orders\n", "START TIME: 2026-11-21 02:05 UTC\n", "CURRENT STATUS: uplink is replaced\nNEXT UPDATE: 2026-11-21 02:43 UTC", "Contact: Ana at +49 30\n", "TICKET: INC1" } },
    { "p1_update", "{'system': 'HQ', 'number': 2, 'status': 'half is back', 'actions': 'replaced it', 'next_steps': 'restart', 'commander': 'Ana', 'next_update_min': 15}",
      "[P1 UPDATE] Network Outage - HQ - Update #2", { "CURRENT STATUS: half is back\n", "ACTIONS TAKEN: replaced it\n", "NEXT STEPS: restart\n", "ETA: not known yet\n", "NEXT UPDATE: 2026-11-21 02:28 UTC", "Contact: Ana\n" } },
    { "p1_resolved", "{'system': 'HQ', 'affected': 'all', 'cause': 'broken uplink', 'resolution': 'replaced it', 'commander': 'Ana'}",
      "[P1 RESOLVED] Network Outage - HQ", { "ROOT CAUSE: broken uplink\n", "RESOLUTION: replaced it\n", "RESOLUTION TIME: 2026-11-21 02:13 UTC", "48 hours, before 2026-11-23 02:13 UTC", "Ana", "over" } },
};

Test(notify, texts_of_a_critical_incident_hold_its_facts)
{
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct fake_host *f = notify();
        const struct fake_result *r = fake_run(f, texts[i].action, "run", texts[i].params, NULL);

        cr_assert(r->ok, "%s: %s", texts[i].action, r->error);
        cr_expect_str_eq(fake_str(r->result, "subject"), texts[i].subject);
        for (size_t k = 0; k < 6; k++)
            cr_expect(strstr(fake_str(r->result, "text"), texts[i].parts[k]), "%s lacks '%s': %s", texts[i].action, texts[i].parts[k], fake_str(r->result, "text"));
        cr_expect_eq(json_array_size(r->requests), 0, "nothing is sent");
        fake_host_free(f);
    }
}

/* ---- Attachments ---- */

Test(notify, mail_with_attachments_is_multipart)
{
    struct fake_host *f = notify();
    const struct fake_result *r;
    const char *body;

    FAKE_HTTP(f, .status = 250);
    r = fake_run(f, "mail", "run", "{'to': 'noc@corp.test', 'subject': 'x', 'text': 'see below', 'attachments': [{'name': 'evidence.txt', 'text': 'hello'}, {'name': 'b.json', 'text': '{}', "
                 "'content_type': 'application/json'}]}", NULL);
    cr_assert(r->ok, "%s", r->error);
    body = fake_str(r->requests, "0.body");
    cr_expect(strstr(body, "Content-Type: multipart/mixed; boundary=\"=_fettle_"), "%s", body);
    cr_expect(strstr(body, "filename=\"evidence.txt\"\r\n\r\naGVsbG8=\r\n--=_fettle_"), "%s", body);
    cr_expect(strstr(body, "Content-Type: application/json\r\n"), "%s", body);
    r = fake_run(f, "mail", "run", "{'to': 'noc@corp.test', 'subject': 'x', 'text': 'see below', 'attachments': [{'path': 'a \\u0022b.txt'}]}", NULL);
    cr_expect_eq(r->class, FT_INVALID, "%s", r->error);
    fake_host_free(f);
}

/* ---- Signed webhooks ---- */

Test(notify, a_signed_webhook_carries_the_mac_of_its_bytes)
{
    struct fake_host *f = fake_host_new("notify");
    const struct fake_result *r;

    fake_config(f, "{'webhooks': {'noc': {'url': 'https://hooks.test/x', 'signing_key': 'It-is-a-Secret-to-Everybody'}}}");
    FAKE_HTTP(f, .status = 200, .body = "ok");
    r = fake_run(f, "webhook", "run", "{'webhook': 'noc', 'json': {'a': 1}}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->requests, "0.body"), "{\"a\":1}");
    /* printf '{"a":1}' | openssl dgst -sha256 -hmac It-is-a-Secret-to-Everybody */
    cr_expect_str_eq(fake_str(r->requests, "0.headers.X-Hub-Signature-256"), "sha256=856795dac16bfb14bf8982633e0c5326c282d9f75ea5b5de6ee9250ab127f709");
    fake_host_free(f);
}

/* ---- Slack ---- */

static struct fake_host *chat(void)
{
    struct fake_host *f = fake_host_new("notify");

    fake_config(f, "{'slack': {'token': 'xoxb-sesame42'}, 'webhooks': {'hook': {'url': 'https://hooks.slack.test/T/B/sesame42'}, 'teams': {'url': 'https://x.logic.azure.test/?sig=sesame42'}},"
                   "'pagerduty': {'routing_key': 'sesame42sesame42'}, 'alertmanager': {'url': 'http://am.test:9093/'}, 'syslog': {'host': 'siem.test', 'transport': 'tcp', 'hostname': 'fettle01'}}");
    return f;
}

static const struct { const char *name, *params, *body; int status; enum ft_class fault, class; const char *says; } slacks[] = {
    { "posted", "{'channel': 'C1', 'text': 'x'}", "{'ok': true, 'ts': '1503435956.000247', 'channel': 'C024'}", 200, 0, 0, "" },
    { "by a webhook", "{'webhook': 'hook', 'text': 'x'}", "ok", 200, 0, 0, "" },
    { "no such channel", "{'channel': 'C1', 'text': 'x'}", "{'ok': false, 'error': 'channel_not_found'}", 200, 0, FT_NOT_FOUND, "channel_not_found" },
    { "bad token", "{'channel': 'C1', 'text': 'x'}", "{'ok': false, 'error': 'invalid_auth'}", 200, 0, FT_DENIED, "invalid_auth" },
    { "no scope", "{'channel': 'C1', 'text': 'x'}", "{'ok': false, 'error': 'missing_scope', 'needed': 'chat:write'}", 200, 0, FT_DENIED, "the scope chat:write" },
    { "too long", "{'channel': 'C1', 'text': 'x'}", "{'ok': false, 'error': 'msg_too_long'}", 200, 0, FT_INVALID, "msg_too_long" },
    { "no reason", "{'channel': 'C1', 'text': 'x'}", "{'ok': false}", 200, 0, FT_REFUSED, "no reason" },
    { "not Slack", "{'channel': 'C1', 'text': 'x'}", "<html>", 200, 0, FT_AMBIGUOUS, "not as Slack does" },
    { "wrong types", "{'channel': 'C1', 'text': 'x'}", "{'ok': 'true', 'ts': 15}", 200, 0, FT_AMBIGUOUS, "not as Slack does" },
    { "hook gone", "{'webhook': 'hook', 'text': 'x'}", "no_service", 404, 0, FT_NOT_FOUND, "no_service" },
    { "answer lost", "{'channel': 'C1', 'text': 'x'}", NULL, 0, FT_AMBIGUOUS, FT_AMBIGUOUS, "" },
};

Test(notify, slack_answers)
{
    for (size_t i = 0; i < sizeof(slacks) / sizeof(slacks[0]); i++) {
        struct fake_host *f = chat();
        const struct fake_result *r;

        FAKE_HTTP(f, .status = slacks[i].status, .body = slacks[i].body, .fault = slacks[i].fault, .why = slacks[i].fault ? "no luck" : NULL);
        r = fake_run(f, "slack", "run", slacks[i].params, NULL);
        cr_expect_eq(r->ok, slacks[i].class == 0, "%s: %s", slacks[i].name, r->error);
        cr_expect_eq(r->class, slacks[i].class, "%s: %s", slacks[i].name, r->error);
        cr_expect(strstr(r->error, slacks[i].says), "%s: %s", slacks[i].name, r->error);
        cr_expect_not(strstr(r->error, "sesame42"), "%s", r->error);
        fake_host_free(f);
    }
}

Test(notify, slack_shows_a_text_as_it_is_and_undo_deletes_it)
{
    struct fake_host *f = chat();
    const struct fake_result *r;
    char *receipt, *planned;

    r = fake_run(f, "slack", "plan", "{'channel': 'C1', 'title': 'P1 & <!here>', 'text': 'a < b <@U1>', 'thread_ts': '1503435956.000247'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    planned = json_dumps(r->result, 0);
    cr_expect_not(strstr(planned, "sesame42"));
    FAKE_HTTP(f, .url = "/chat.postMessage", .status = 200, .body = "{'ok': true, 'ts': '1503435956.000247', 'channel': 'C024'}");
    FAKE_HTTP(f, .url = "/chat.delete", .status = 200, .body = "{'ok': true}");
    r = fake_run(f, "slack", "run", "{'channel': 'C1', 'title': 'P1 & <!here>', 'text': 'a < b <@U1>', 'thread_ts': '1503435956.000247'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->requests, "0.json.blocks.1.text.text"), "a &lt; b &lt;@U1&gt;");
    cr_expect_str_eq(fake_str(r->requests, "0.json.text"), "*P1 &amp; &lt;!here&gt;*\na &lt; b &lt;@U1&gt;");
    cr_expect_str_eq(fake_str(r->requests, "0.headers.Authorization"), "Bearer xoxb-sesame42");
    cr_expect_str_eq(fake_str(r->result, "ts"), "1503435956.000247");
    receipt = json_dumps(r->kept, 0);
    r = fake_run(f, "slack", "undo", "{'channel': 'C1', 'text': 'x'}", receipt);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(fake_equals(fake_at(r->requests, "0.json"), "{'channel': 'C024', 'ts': '1503435956.000247'}"));
    r = fake_run(f, "slack", "undo", "{'webhook': 'hook', 'text': 'x'}", "{'ts': null}");
    cr_expect_not(r->ok, "by a webhook it stays");
    free(receipt);
    free(planned);
    fake_host_free(f);
}

Test(notify, a_long_slack_text_is_cut_into_sections_at_characters)
{
    struct fake_host *f = chat();
    char *text = calloc(1, 9001), *params;
    const struct fake_result *r;
    json_t *object, *block;
    size_t i, total = 0;

    for (i = 0; i + 3 <= 9000; i += 3)
        memcpy(text + i, "€", 3);
    object = json_pack("{s:s, s:s, s:s}", "channel", "C1", "title", "t", "text", text);
    params = json_dumps(object, 0);
    FAKE_HTTP(f, .status = 200, .body = "{'ok': true, 'ts': '1.1', 'channel': 'C024'}");
    r = fake_run(f, "slack", "run", params, NULL);
    cr_assert(r->ok, "%s", r->error);
    json_array_foreach(fake_at(r->requests, "0.json.blocks"), i, block)
        total += i ? strlen(fake_str(block, "text.text")) : 0;
    cr_expect_eq(total, 9000);
    json_decref(object);
    free(params);
    free(text);
    fake_host_free(f);
}

/* ---- Teams, PagerDuty ---- */

Test(notify, teams_gets_an_adaptive_card_of_text_runs)
{
    struct fake_host *f = chat();
    const struct fake_result *r;

    FAKE_HTTP(f, .status = 202);
    r = fake_run(f, "teams", "run", "{'webhook': 'teams', 'title': 'P1', 'text': 'ap_3_f is *away*\\n\\nsecond', 'url': 'https://fettle.test/1'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->requests, "0.json.attachments.0.contentType"), "application/vnd.microsoft.card.adaptive");
    cr_expect_str_eq(fake_str(r->requests, "0.json.attachments.0.content.body.1.inlines.0.text"), "ap_3_f is *away*");
    cr_expect_str_eq(fake_str(r->requests, "0.json.attachments.0.content.body.3.inlines.0.text"), "second");
    cr_expect_str_eq(fake_str(r->requests, "0.json.attachments.0.content.actions.0.url"), "https://fettle.test/1");
    cr_expect(json_is_true(fake_at(r->result, "queued")));
    fake_host_free(f);
}

Test(notify, a_card_too_large_for_teams_is_refused_before_it_is_sent)
{
    struct fake_host *f = chat();
    char params[20100];
    const struct fake_result *r;
    int n = snprintf(params, sizeof(params), "{\"webhook\": \"teams\", \"text\": \"");

    for (; n < 15000; n += 3)
        snprintf(params + n, sizeof(params) - (size_t)n, "a\\n");
    snprintf(params + n, sizeof(params) - (size_t)n, "\"}");
    r = fake_run(f, "teams", "run", params, NULL);
    cr_expect_eq(r->class, FT_INVALID, "%s", r->error);
    cr_expect_eq(json_array_size(r->requests), 0);
    fake_host_free(f);
}

Test(notify, pagerduty_triggers_by_a_key_and_undo_resolves_it)
{
    struct fake_host *f = chat();
    const struct fake_result *r;
    char *planned;

    FAKE_HTTP(f, .url = "https://events.pagerduty.com/v2/enqueue", .status = 202, .body = "{'status': 'success', 'message': 'Event processed', 'dedup_key': 'fettle-7f3c0a12'}");
    r = fake_run(f, "pagerduty_trigger", "plan", "{'summary': 'no uplink', 'source': 'HQ', 'severity': 'P1'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    planned = json_dumps(r->result, 0);
    cr_expect_not(strstr(planned, "sesame42"), "%s", planned);
    r = fake_run(f, "pagerduty_trigger", "run", "{'summary': 'no uplink', 'source': 'HQ', 'severity': 'P1', 'details': {'vlan': 110}, 'link': 'https://t.test/1'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->requests, "0.json.event_action"), "trigger");
    cr_expect_str_eq(fake_str(r->requests, "0.json.payload.severity"), "critical");
    cr_expect_str_eq(fake_str(r->requests, "0.json.dedup_key"), "fettle-7f3c0a12");
    r = fake_run(f, "pagerduty_trigger", "undo", "{'summary': 'no uplink', 'source': 'HQ'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(fake_equals(fake_at(r->requests, "0.json"), "{'routing_key': 'sesame42sesame42', 'event_action': 'resolve', 'dedup_key': 'fettle-7f3c0a12'}"));
    free(planned);
    fake_host_free(f);
    f = chat();
    FAKE_HTTP(f, .status = 400, .body = "{'status': 'invalid event', 'message': 'Event object is invalid', 'errors': ['Length of routing_key is incorrect']}");
    r = fake_run(f, "pagerduty_resolve", "run", "{'dedup_key': 'HQ/uplink'}", NULL);
    cr_expect_eq(r->class, FT_INVALID);
    cr_expect(strstr(r->error, "Length of routing_key"), "%s", r->error);
    fake_host_free(f);
}

/* ---- Syslog ---- */

Test(notify, syslog_is_framed_and_escaped)
{
    static const struct fake_line takes[] = { { "]", NULL, false }, { NULL, NULL, false } };
    struct fake_host *f = chat();
    const struct fake_result *r;
    const char *sent;
    const char *wanted = "<132>1 2026-11-21T02:13:05.000Z fettle01 fettle 7f3c0a12 EV [fettle@32473 run=\"7f3c0a12\" path=\"a\\\"b\\\\c\\]\" vlan=\"110\" ok=\"true\"] \xef\xbb\xbf" "größer";
    char frame[400];

    FAKE_STREAM(f, .kind = "tcp", .lines = takes);
    r = fake_run(f, "syslog", "run", "{\"text\": \"größer\", \"severity\": \"warning\", \"msgid\": \"EV\", \"data\": {\"path\": \"a\\\"b\\\\c]\", \"vlan\": 110, \"ok\": true}}", NULL);
    cr_assert(r->ok, "%s", r->error);
    sent = fake_str(r->streams, "0.sent");
    snprintf(frame, sizeof(frame), "%zu %s", strlen(wanted), wanted);
    cr_expect_str_eq(sent, frame);
    r = fake_run(f, "syslog", "run", "{'text': 'x', 'data': {'a b': 1}}", NULL);
    cr_expect_eq(r->class, FT_INVALID, "%s", r->error);
    r = fake_run(f, "syslog", "plan", "{'text': 'x'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    fake_host_free(f);
}

Test(notify, syslog_says_what_can_be_known)
{
    static const struct fake_line takes[] = { { "]", NULL, false }, { NULL, NULL, false } };
    struct fake_host *f = chat();
    const struct fake_result *r;

    FAKE_STREAM(f, .kind = "tcp", .refuse = FT_UNREACHABLE, .why = "connection refused");
    r = fake_run(f, "syslog", "run", "{'text': 'x'}", NULL);
    cr_expect_eq(r->class, FT_UNREACHABLE, "%s", r->error);
    fake_host_free(f);
    f = chat();
    FAKE_STREAM(f, .kind = "tcp", .lines = takes, .close_class = FT_UNREACHABLE);
    r = fake_run(f, "syslog", "run", "{'text': 'x'}", NULL);
    cr_expect_eq(r->class, FT_AMBIGUOUS, "%s", r->error);
    fake_host_free(f);
    f = chat();
    FAKE_STREAM(f, .kind = "tcp", .lines = takes, .stays_open = true);
    r = fake_run(f, "syslog", "run", "{'text': 'x'}", NULL);
    cr_expect(r->ok, "a receiver that does not close: %s", r->error);
    fake_host_free(f);
}

/* ---- Alertmanager ---- */

Test(notify, silences_are_found_again_by_their_mark)
{
    struct fake_host *f = chat();
    const struct fake_result *r;
    char comment[300], body[600], *receipt;

    FAKE_HTTP(f, .method = "POST", .status = 200, .body = "{'silenceID': 'c3f1e5a0-0000-4000-8000-000000000001'}");
    r = fake_run(f, "alertmanager_silence", "run", "{'labels': {'site': 'HQ'}, 'minutes': 30, 'comment': 'firmware'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->requests, "0.url"), "http://am.test:9093/api/v2/silences");
    cr_expect_str_eq(fake_str(r->requests, "0.json.endsAt"), "2026-11-21T02:43:05.000Z");
    snprintf(comment, sizeof(comment), "%s", fake_str(r->requests, "0.json.comment"));
    receipt = json_dumps(r->kept, 0);
    FAKE_HTTP(f, .method = "DELETE", .status = 200);
    r = fake_run(f, "alertmanager_silence", "undo", "{'labels': {'site': 'HQ'}, 'minutes': 30, 'comment': 'firmware'}", receipt);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(strstr(fake_str(r->requests, "0.url"), "/api/v2/silence/c3f1e5a0-"));
    free(receipt);
    fake_host_free(f);
    for (int state = 0; state < 2; state++) {
        f = chat();
        snprintf(body, sizeof(body), "[{\"id\": \"x\", \"comment\": \"other\", \"status\": {\"state\": \"active\"}}, 7, {\"id\": \"y\", \"comment\": \"%s\", \"status\": {\"state\": \"%s\"}}]",
                 comment, state ? "active" : "expired");
        FAKE_HTTP(f, .method = "GET", .status = 200, .body = body);
        r = fake_run(f, "alertmanager_silence", "probe", "{'labels': {'site': 'HQ'}, 'minutes': 30, 'comment': 'firmware'}", NULL);
        cr_assert(r->ok, "%s", r->error);
        cr_expect_eq(json_is_true(fake_at(r->result, "happened")), state);
        fake_host_free(f);
    }
    f = chat();
    r = fake_run(f, "alertmanager_silence", "run", "{'minutes': 30, 'comment': 'all'}", NULL);
    cr_expect_eq(r->class, FT_INVALID, "%s", r->error);
    fake_host_free(f);
}
