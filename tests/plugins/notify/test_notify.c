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
      "[P1 CRITICAL] Network fault: HQ", { "all wireless users", "no orders", "2026-11-21 02:05 UTC", "2026-11-21 02:43 UTC", "Ana, +49 30", "INC1" } },
    { "p1_update", "{'system': 'HQ', 'number': 2, 'status': 'half is back', 'actions': 'replaced it', 'next_steps': 'restart', 'commander': 'Ana', 'next_update_min': 15}",
      "[P1 UPDATE] Network fault: HQ, update 2", { "half is back", "replaced it", "restart", "not known yet", "2026-11-21 02:28 UTC", "Ana\n" } },
    { "p1_resolved", "{'system': 'HQ', 'affected': 'all', 'cause': 'broken uplink', 'resolution': 'replaced it', 'commander': 'Ana'}",
      "[P1 RESOLVED] Network fault: HQ", { "broken uplink", "replaced it", "2026-11-21 02:13 UTC", "2026-11-23 02:13 UTC", "Ana", "over" } },
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
