/* The configuration as a whole, the high-availability pair and the service, against scripted answers; and the differences between two configurations. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fake_host.h"
#include "../../../plugins/dhcp/diff.c"

static struct fake_host *kea_host(void)
{
    struct fake_host *f = fake_host_new("dhcp");

    fake_config(f, "{'url': 'https://kea.test:8000/', 'user': 'fettle', 'password': 'sesame42', 'cert_file': '/c.pem', 'key_file': '/k.pem'}");
    return f;
}

static void kea(struct fake_host *f, const char *command, const char *body)
{
    char has[80];

    snprintf(has, sizeof(has), "\"command\":\"%s\"", command);
    FAKE_HTTP(f, .method = "POST", .request_has = has, .status = 200, .body = body);
}

static const char *command_at(const struct fake_result *r, size_t i)
{
    return fake_str(json_array_get(r->requests, i), "json.command");
}

#define RUNNING "{'valid-lifetime': 3600, 'lease-database': {'type': 'mysql', 'password': 'db-passphrase'}, 'subnet4': [{'id': 1, 'subnet': '10.11.0.0/24'}]}"
#define CONFIG "[{'result': 0, 'arguments': {'Dhcp4': " RUNNING "}}]"
#define WANTED "{'config': {'Dhcp4': {'valid-lifetime': 7200, 'lease-database': {'type': 'mysql', 'password': '***'}, 'subnet4': [{'id': 1, 'subnet': '10.11.0.0/24'}]}}}"
#define CHANGED "[{'result': 0, 'arguments': {'Dhcp4': {'valid-lifetime': 7200, 'lease-database': {'type': 'mysql', 'password': 'db-passphrase'}, 'subnet4': [{'id': 1, 'subnet': '10.11.0.0/24'}]}}}]"
#define OK_STATUS "[{'result': 0, 'arguments': {'uptime': 1, 'reload': 1}}]"
#define OK "[{'result': 0, 'text': 'done'}]"

/* ---- differences ---- */

static const struct { const char *from, *to, *diff; } diffs[] = {
    { "{'a': 1}", "{'a': 1}", "[]" },
    { "{'a': 1}", "{'a': 2}", "[{'path': 'a', 'from': 1, 'to': 2}]" },
    { "{'a': {'b': 1, 'c': 2}}", "{'a': {'c': 2, 'd': 3}}", "[{'path': 'a.b', 'from': 1, 'to': null}, {'path': 'a.d', 'from': null, 'to': 3}]" },
    { "{'s': [{'id': 1, 'x': 1}, {'id': 2}]}", "{'s': [{'id': 2}, {'id': 1, 'x': 5}]}", "[{'path': 's[1].x', 'from': 1, 'to': 5}]" },
    { "{'s': [{'id': 1}]}", "{'s': [{'id': 1}, {'id': 9, 'n': 1}]}", "[{'path': 's[9]', 'from': null, 'to': {'id': 9, 'n': 1}}]" },
    { "{'s': [{'id': 1}]}", "{'s': []}", "[{'path': 's[1]', 'from': {'id': 1}, 'to': null}]" },
    { "{'p': [{'pool': 'a-b'}]}", "{'p': [{'pool': 'a-c'}]}", "[{'path': 'p[a-b]', 'from': {'pool': 'a-b'}, 'to': null}, {'path': 'p[a-c]', 'from': null, 'to': {'pool': 'a-c'}}]" },
    { "{'l': [1, 2]}", "{'l': [2, 1]}", "[{'path': 'l', 'from': [1, 2], 'to': [2, 1]}]" },
    { "{'l': []}", "{'l': {}}", "[{'path': 'l', 'from': [], 'to': {}}]" },
    { "{'l': [{'x': 1}]}", "{'l': [{'x': 2}]}", "[{'path': 'l', 'from': [{'x': 1}], 'to': [{'x': 2}]}]" },
    { "{'a': null}", "{}", "[{'path': 'a', 'from': null, 'to': null}]" },
};

static json_t *parse(const char *text)
{
    char *copy = strdup(text);
    json_t *json;

    for (char *p = copy; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    json = json_loads(copy, 0, NULL);
    cr_assert(json, "%s", text);
    free(copy);
    return json;
}

Test(dhcp_config, differences)
{
    for (size_t i = 0; i < sizeof(diffs) / sizeof(diffs[0]); i++) {
        json_t *from = parse(diffs[i].from), *to = parse(diffs[i].to), *diff = json_diff(from, to, 10);

        cr_expect(fake_equals(diff, diffs[i].diff), "%s and %s", diffs[i].from, diffs[i].to);
        cr_expect(json_covers(to, to) && json_covers(from, from), "%s", diffs[i].from);
        json_decref(diff);
        diff = json_diff(from, to, 1);
        cr_expect_leq(json_array_size(diff), 1);
        json_decref(diff);
        json_decref(from);
        json_decref(to);
    }
}

static const struct { const char *there, *wanted; bool covers; } covered[] = {
    { "{'a': 1, 'more': 2}", "{'a': 1}", true }, { "{'a': 1}", "{'a': 1, 'b': 2}", false }, { "{'a': '10 - 20'}", "{'a': '10-20'}", true },
    { "{'a': '10-21'}", "{'a': '10-20'}", false }, { "{'l': [{'x': 1, 'y': 2}]}", "{'l': [{'x': 1}]}", true }, { "{'l': [1, 2]}", "{'l': [1]}", false },
    { "{'a': 1}", "{'a': null}", false }, { "{}", "{'a': null}", false },
};

Test(dhcp_config, what_was_sent_is_there)
{
    for (size_t i = 0; i < sizeof(covered) / sizeof(covered[0]); i++) {
        json_t *there = parse(covered[i].there), *wanted = parse(covered[i].wanted);

        cr_expect_eq(json_covers(there, wanted), covered[i].covers, "%s in %s", covered[i].wanted, covered[i].there);
        json_decref(there);
        json_decref(wanted);
    }
}

/* ---- config_set ---- */

Test(dhcp_config, set_keeps_a_copy_first_and_fills_in_passwords)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r;
    char *plan, *receipt;

    kea(f, "config-get", CONFIG);
    kea(f, "config-get", CONFIG);
    kea(f, "config-get", CHANGED);
    kea(f, "status-get", OK_STATUS);
    kea(f, "config-test", OK);
    kea(f, "config-set", OK);
    kea(f, "config-write", OK);
    r = fake_run(f, "config_set", "plan", WANTED, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(fake_equals(fake_at(r->result, "changes"), "[{'path': 'valid-lifetime', 'from': 3600, 'to': 7200}]"));
    cr_expect_eq(json_array_size(r->files), 0, "a plan touches nothing");
    plan = json_dumps(r->result, 0);
    cr_expect_not(strstr(plan, "db-passphrase"), "%s", plan);
    receipt = json_dumps(fake_at(r->result, "receipt"), 0);
    r = fake_run(f, "config_set", "run", WANTED, receipt);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->requests, "3.json.command"), "config-set");
    cr_expect_str_eq(fake_str(r->requests, "3.json.arguments.Dhcp4.lease-database.password"), "db-passphrase");
    cr_expect_str_eq(fake_str(r->requests, "0.cert_file"), "/c.pem");
    cr_expect_str_eq(fake_str(r->requests, "0.key_file"), "/k.pem");
    cr_expect(strstr(fake_str(r->files, "0.text"), "db-passphrase"), "without its passwords a copy cannot be put back");
    cr_expect(strstr(fake_str(r->files, "0.text"), "3600"));
    cr_expect_str_eq(fake_str(r->kept, "file"), fake_str(r->files, "0.path"));
    cr_expect(fake_str(r->kept, "digest_after"));
    free(receipt);
    receipt = json_dumps(r->kept, 0);
    cr_expect_not(strstr(receipt, "db-passphrase"), "%s", receipt);
    r = fake_run(f, "config_set", "undo", WANTED, receipt);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(fake_int(r->requests, "3.json.arguments.Dhcp4.valid-lifetime"), 3600);
    cr_expect_str_eq(fake_str(r->requests, "3.json.arguments.Dhcp4.lease-database.password"), "db-passphrase");
    cr_expect_str_eq(command_at(r, 4), "config-write");
    free(plan);
    free(receipt);
    fake_host_free(f);
}

static const struct { const char *what, *params; enum ft_class class; const char *says; } refused[] = {
    { "a password written out", "{'config': {'Dhcp4': {'lease-database': {'password': 'hello'}}}}", FT_INVALID, "password" },
    { "a mask for nothing", "{'config': {'Dhcp4': {'hosts-database': {'password': '***'}}}}", FT_INVALID, "the server has none" },
    { "DHCPv6", "{'config': {'Dhcp6': {}}}", FT_INVALID, "DHCPv4" },
    { "no object", "{'config': {'Dhcp4': 5}}", FT_INVALID, "DHCPv4" },
};

Test(dhcp_config, what_cannot_be_set)
{
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct fake_host *f = kea_host();
        const struct fake_result *r;

        kea(f, "config-get", CONFIG);
        kea(f, "status-get", OK_STATUS);
        r = fake_run(f, "config_set", "run", refused[i].params, NULL);
        cr_expect_eq(r->class, refused[i].class, "%s: %s", refused[i].what, r->error);
        cr_expect(strstr(r->error, refused[i].says), "%s: %s", refused[i].what, r->error);
        cr_expect_not(strstr(r->error, "hello"));
        r = fake_run(f, "config_test", "run", refused[i].params, NULL);
        cr_expect_eq(r->class, refused[i].class, "%s: %s", refused[i].what, r->error);
        fake_host_free(f);
    }
}

Test(dhcp_config, nothing_is_set_without_a_copy)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r;

    kea(f, "config-get", "[{'result': 0, 'arguments': {'Dhcp4': {'valid-lifetime': 3600}}}]");
    kea(f, "status-get", OK_STATUS);
    kea(f, "config-test", OK);
    fake_file(f, "/fake/files/there.json", "{\"Dhcp4\": {\"valid-lifetime\": 99}}", 33);
    r = fake_run(f, "config_restore", "run", "{'file': 'there.json'}", NULL);
    cr_expect_eq(command_at(r, 2) ? strcmp(command_at(r, 2), "config-test") : -1, 0);
    fake_host_free(f);

    f = kea_host();
    kea(f, "config-get", CONFIG);
    kea(f, "status-get", OK_STATUS);
    kea(f, "config-test", OK);
    r = fake_run(f, "config_backup", "run", "{'file': 'x.json'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    fake_file_fault(f, "/fake/files/y.json", FT_DENIED, "the disk is read-only");
    r = fake_run(f, "config_backup", "run", "{'file': 'y.json'}", NULL);
    cr_expect_eq(r->class, FT_DENIED, "%s", r->error);
    fake_host_free(f);
}

static const struct { const char *text; const char *says; } bad_copies[] = {
    { "{\"Dhcp4\": {", "no JSON" }, { "[]", "DHCPv4" }, { "{\"Dhcp4\": 1}", "DHCPv4" }, { "{\"Dhcp4\": {\"a\": 1, \"a\": 2}}", "no JSON" }, { "", "no JSON" },
};

Test(dhcp_config, copies_that_are_none)
{
    for (size_t i = 0; i < sizeof(bad_copies) / sizeof(bad_copies[0]); i++) {
        struct fake_host *f = kea_host();
        const struct fake_result *r;

        fake_file(f, "/fake/files/c.json", bad_copies[i].text, strlen(bad_copies[i].text));
        r = fake_run(f, "config_restore", "plan", "{'file': 'c.json'}", NULL);
        cr_expect_eq(r->class, FT_INVALID, "%s: %s", bad_copies[i].text, r->error);
        cr_expect(strstr(r->error, bad_copies[i].says), "%s: %s", bad_copies[i].text, r->error);
        cr_expect_eq(json_array_size(r->requests), 0);
        fake_host_free(f);
    }
}

#define COPY "{\"Dhcp4\": {\"valid-lifetime\": 3600}}"

static const struct { const char *what, *receipt; enum ft_class class; } undos[] = {
    { "a copy that was changed", "{'digest': 'x', 'file': '/c.json', 'sha256': '0000'}", FT_CONFLICT },
    { "a configuration that was changed since", "{'digest': 'x', 'file': '/c.json', 'digest_after': 'another'}", FT_CONFLICT },
    { "no copy", "{'digest': 'x'}", FT_INVALID },
    { "a copy that is gone", "{'digest': 'x', 'file': '/gone.json'}", FT_NOT_FOUND },
};

Test(dhcp_config, undo_leaves_alone_what_is_not_its_own)
{
    for (size_t i = 0; i < sizeof(undos) / sizeof(undos[0]); i++) {
        struct fake_host *f = kea_host();
        const struct fake_result *r;

        kea(f, "config-get", CHANGED);
        kea(f, "status-get", OK_STATUS);
        kea(f, "config-test", OK);
        fake_file(f, "/c.json", COPY, strlen(COPY));
        r = fake_run(f, "config_set", "undo", WANTED, undos[i].receipt);
        cr_expect_eq(r->class, undos[i].class, "%s: %s", undos[i].what, r->error);
        for (size_t k = 0; k < json_array_size(r->requests); k++)
            cr_expect_str_neq(command_at(r, k), "config-set", "%s", undos[i].what);
        fake_host_free(f);
    }
}

static const struct { const char *now, *receipt; bool ok, happened; } set_probes[] = {
    { CHANGED, "{'digest': 'x'}", true, true },
    { CONFIG, "{'digest': 'x'}", false, false },
    { "[{'result': 0, 'arguments': {'Dhcp4': {'valid-lifetime': 1}}}]", "{'digest': 'x'}", false, false },
};

Test(dhcp_config, probe_of_a_set)
{
    for (size_t i = 0; i < sizeof(set_probes) / sizeof(set_probes[0]); i++) {
        struct fake_host *f = kea_host();
        const struct fake_result *r;

        kea(f, "config-get", set_probes[i].now);
        r = fake_run(f, "config_set", "probe", WANTED, set_probes[i].receipt);
        cr_expect_eq(r->ok, set_probes[i].ok, "%zu: %s", i, r->error);
        if (r->ok)
            cr_expect_eq(json_is_true(fake_at(r->result, "happened")), set_probes[i].happened, "%zu", i);
        fake_host_free(f);
    }
}

Test(dhcp_config, probe_of_a_set_that_never_came)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r;
    char *receipt;

    kea(f, "config-get", CONFIG);
    kea(f, "status-get", OK_STATUS);
    kea(f, "config-test", OK);
    r = fake_run(f, "config_set", "plan", WANTED, NULL);
    cr_assert(r->ok, "%s", r->error);
    receipt = json_dumps(fake_at(r->result, "receipt"), 0);
    r = fake_run(f, "config_set", "probe", WANTED, receipt);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_false(fake_at(r->result, "happened")));
    free(receipt);
    fake_host_free(f);
}

Test(dhcp_config, a_set_without_its_file_does_not_write_it)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r;

    kea(f, "config-get", CONFIG);
    kea(f, "status-get", OK_STATUS);
    kea(f, "config-test", OK);
    kea(f, "config-set", OK);
    r = fake_run(f, "config_set", "run", "{'write': false, 'config': {'valid-lifetime': 7200}}", NULL);
    cr_assert(r->ok, "%s", r->error);
    for (size_t k = 0; k < json_array_size(r->requests); k++)
        cr_expect_str_neq(command_at(r, k), "config-write");
    fake_host_free(f);
}

/* ---- the pair ---- */

#define PAIR(state, touch, interrupted) "[{'result': 0, 'arguments': {'high-availability': [{'ha-mode': 'hot-standby', 'ha-servers': {'local': {'role': 'primary', 'state': '" state \
    "', 'scopes': ['a']}, 'remote': {'role': 'standby', 'last-state': 'hot-standby', 'in-touch': " touch ", 'communication-interrupted': " interrupted \
    ", 'age': 2, 'unacked-clients': 0, 'last-scopes': []}}}]}}]"
#define BEAT(state) "[{'result': 0, 'arguments': {'date-time': 'Sat, 21 Nov 2026 02:13:35 GMT', 'scopes': ['a'], 'state': '" state "', 'unsent-update-count': 3}}]"

static const struct { const char *status, *beat; bool configured, ok; const char *state; } pairs[] = {
    { PAIR("hot-standby", "true", "false"), BEAT("hot-standby"), true, true, "hot-standby" },
    { PAIR("hot-standby", "true", "true"), BEAT("hot-standby"), true, false, "hot-standby" },
    { PAIR("hot-standby", "false", "false"), BEAT("hot-standby"), true, false, "hot-standby" },
    { PAIR("partner-down", "true", "true"), BEAT("partner-down"), true, false, "partner-down" },
    { PAIR("load-balancing", "true", "false"), BEAT("communication-recovery"), true, false, "communication-recovery" },
    { OK_STATUS, BEAT("x"), false, true, NULL },
    { "[{'result': 0, 'arguments': {'high-availability': [{}]}}]", "[{'result': 0}]", true, false, NULL },
    { "[{'result': 0, 'arguments': {'high-availability': 'yes'}}]", "[{'result': 0}]", false, true, NULL },
};

Test(dhcp_ha, how_the_pair_is)
{
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct fake_host *f = kea_host();
        const struct fake_result *r;

        kea(f, "status-get", pairs[i].status);
        kea(f, "ha-heartbeat", pairs[i].beat);
        r = fake_run(f, "ha_status", "run", NULL, NULL);
        cr_assert(r->ok, "%zu: %s", i, r->error);
        cr_expect_eq(json_is_true(fake_at(r->result, "configured")), pairs[i].configured, "%zu", i);
        cr_expect_eq(json_is_true(fake_at(r->result, "ok")), pairs[i].ok, "%zu", i);
        if (pairs[i].state) {
            cr_expect_str_eq(fake_str(r->result, "state"), pairs[i].state, "%zu", i);
            cr_expect_eq(fake_int(r->result, "clock_skew_s"), 30, "%zu", i);
            cr_expect_eq(fake_int(r->result, "unsent_updates"), 3, "%zu", i);
        }
        fake_host_free(f);
    }
}

#define RESTING PAIR("partner-in-maintenance", "true", "false")
#define WHOLE PAIR("hot-standby", "true", "false")

static const struct { const char *action, *entry, *status; bool ok; enum ft_class class; const char *sends, *after; } rests[] = {
    { "ha_maintenance_start", "run", WHOLE, true, 0, "ha-maintenance-start", RESTING },
    { "ha_maintenance_start", "run", WHOLE, false, FT_REFUSED, "ha-maintenance-start", WHOLE },
    { "ha_maintenance_start", "run", PAIR("partner-in-maintenance", "true", "false"), true, 0, NULL },
    { "ha_maintenance_start", "run", PAIR("partner-down", "true", "true"), false, FT_REFUSED, NULL },
    { "ha_maintenance_start", "plan", PAIR("waiting", "true", "false"), false, FT_REFUSED, NULL },
    { "ha_maintenance_start", "plan", PAIR("hot-standby", "true", "false"), true, 0, NULL },
    { "ha_maintenance_start", "run", OK_STATUS, false, FT_INVALID, NULL },
    { "ha_maintenance_start", "undo", RESTING, true, 0, "ha-maintenance-cancel", WHOLE },
    { "ha_maintenance_start", "undo", PAIR("hot-standby", "true", "false"), true, 0, NULL },
    { "ha_maintenance_start", "probe", PAIR("hot-standby", "true", "false"), true, 0, NULL },
    { "ha_maintenance_cancel", "run", RESTING, true, 0, "ha-maintenance-cancel", WHOLE },
    { "ha_maintenance_cancel", "run", PAIR("hot-standby", "true", "false"), true, 0, NULL },
    { "ha_maintenance_cancel", "undo", WHOLE, true, 0, "ha-maintenance-start", RESTING },
    { "ha_maintenance_cancel", "probe", PAIR("hot-standby", "true", "false"), true, 0, NULL },
};

Test(dhcp_ha, maintenance)
{
    for (size_t i = 0; i < sizeof(rests) / sizeof(rests[0]); i++) {
        struct fake_host *f = kea_host();
        const struct fake_result *r;

        kea(f, "status-get", rests[i].status);
        if (rests[i].after)
            kea(f, "status-get", rests[i].after);
        kea(f, "ha-maintenance-start", OK);
        kea(f, "ha-maintenance-cancel", OK);
        r = fake_run(f, rests[i].action, rests[i].entry, NULL, "{'state': 'partner-in-maintenance'}");
        cr_expect_eq(r->ok, rests[i].ok, "%zu: %s", i, r->error);
        cr_expect_eq(r->ok ? 0 : (int)r->class, (int)rests[i].class, "%zu: %s", i, r->error);
        cr_expect_eq(json_array_size(r->requests), rests[i].sends ? 3 : 1, "%zu", i);
        if (rests[i].sends)
            cr_expect_str_eq(command_at(r, 1), rests[i].sends, "%zu", i);
        fake_host_free(f);
    }
}

Test(dhcp_ha, a_cancel_that_kea_did_not_mean_is_said_again)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r;

    kea(f, "status-get", RESTING);
    kea(f, "status-get", RESTING);
    kea(f, "status-get", WHOLE);
    kea(f, "ha-maintenance-cancel", OK);
    r = fake_run(f, "ha_maintenance_cancel", "run", NULL, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(json_array_size(r->requests), 5);
    fake_host_free(f);

    f = kea_host();
    kea(f, "status-get", RESTING);
    kea(f, "ha-maintenance-cancel", OK);
    r = fake_run(f, "ha_maintenance_cancel", "run", NULL, NULL);
    cr_expect_eq(r->class, FT_REFUSED, "%s", r->error);
    cr_expect(strstr(r->error, "partner-in-maintenance"), "%s", r->error);
    fake_host_free(f);
}

Test(dhcp_ha, undo_of_a_cancel_that_did_nothing)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r = fake_run(f, "ha_maintenance_cancel", "undo", NULL, "{'state': 'hot-standby'}");

    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(json_array_size(r->requests), 0);
    fake_host_free(f);
}

/* ---- the service, and what is listed ---- */

Test(dhcp_service, disable_says_for_how_long_and_undo_enables)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r = fake_run(f, "disable", "plan", "{'max_period_s': 60}", NULL);
    char *planned, *sent;

    cr_assert(r->ok, "%s", r->error);
    planned = json_is_string(fake_at(r->result, "requests.0.body")) ? strdup(fake_str(r->result, "requests.0.body"))
                                                                    : json_dumps(fake_at(r->result, "requests.0.body"), JSON_COMPACT);
    kea(f, "dhcp-disable", OK);
    kea(f, "dhcp-enable", OK);
    r = fake_run(f, "disable", "run", "{'max_period_s': 60}", NULL);
    cr_assert(r->ok, "%s", r->error);
    sent = json_dumps(fake_at(r->requests, "0.json"), JSON_COMPACT);
    cr_expect_str_eq(planned, sent);
    cr_expect_eq(fake_int(r->requests, "0.json.arguments.max-period"), 60);
    r = fake_run(f, "disable", "undo", "{'max_period_s': 60}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(command_at(r, 0), "dhcp-enable");
    r = fake_run(f, "enable", "plan", NULL, NULL);
    cr_assert(r->ok, "%s", r->error);
    free(planned);
    free(sent);
    fake_host_free(f);
}

Test(dhcp_subnets, all_are_listed)
{
    struct fake_host *f = fake_host_new("dhcp");
    const struct fake_result *r;

    fake_config(f, "{'url': 'http://kea.test/', 'vlans': {'110': 1, '130': 30}}");
    kea(f, "config-get", "[{'result': 0, 'arguments': {'Dhcp4': {'subnet4': [{'id': 1, 'subnet': '10.11.0.0/24', 'pools': [{'pool': '10.11.0.10-10.11.0.99'}, {'pool': 7}], "
        "'reservations': [{}], 'option-data': [{'name': 'routers', 'data': '10.11.0.1'}, 5], 'user-context': {'vlan': 999}}, 'nonsense'], 'shared-networks': [{'name': 'guests', "
        "'subnet4': [{'id': 30, 'subnet': '10.13.0.0/22', 'relay': {'ip-addresses': ['10.13.0.1']}}]}]}}}]");
    r = fake_run(f, "subnets", "run", NULL, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(fake_int(r->result, "subnets.0.vlan"), 110, "fettle's own map goes first");
    cr_expect_str_eq(fake_str(r->result, "subnets.0.routers"), "10.11.0.1");
    cr_expect_eq(fake_int(r->result, "subnets.0.reservations"), 1);
    cr_expect_str_eq(fake_str(r->result, "subnets.1.shared_network"), "guests", "what is no subnet is left out");
    cr_expect_str_eq(fake_str(r->result, "subnets.1.relay"), "10.13.0.1");
    cr_expect_eq(fake_int(r->result, "subnets.1.vlan"), 130);
    fake_host_free(f);
}

static const struct { long assigned; const char *params, *level; } levels[] = {
    { 79, "{'subnet_id': 1}", "ok" }, { 80, "{'subnet_id': 1}", "warning" }, { 95, "{'subnet_id': 1}", "critical" }, { 100, "{'subnet_id': 1}", "exhausted" },
    { 50, "{'subnet_id': 1, 'warning_pct': 40}", "warning" }, { 50, "{'subnet_id': 1, 'warning_pct': 40, 'critical_pct': 50}", "critical" },
};

Test(dhcp_pool, a_word_for_how_full)
{
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        struct fake_host *f = kea_host();
        const struct fake_result *r;
        char rows[400];

        snprintf(rows, sizeof(rows), "[{\"result\": 0, \"arguments\": {\"result-set\": {\"columns\": [\"subnet-id\", \"total-addresses\", \"assigned-addresses\", \"declined-addresses\"], "
                 "\"rows\": [[1, 100, %ld, 0]]}}}]", levels[i].assigned);
        kea(f, "config-get", CONFIG);
        kea(f, "stat-lease4-get", rows);
        r = fake_run(f, "pool_use", "run", levels[i].params, NULL);
        cr_assert(r->ok, "%zu: %s", i, r->error);
        cr_expect_str_eq(fake_str(r->result, "level"), levels[i].level, "%ld %s", levels[i].assigned, levels[i].params);
        fake_host_free(f);
    }
}

/* ---- every action, and what can go wrong on the way ---- */

static const struct { const char *action, *params, *command; } each_action[] = {
    { "config_backup", "{}", "config-get" }, { "config_test", "{'config': {}}", "config-get" }, { "config_set", "{'config': {}}", "config-get" },
    { "config_write", "{}", "config-write" }, { "ha_status", "{}", "status-get" }, { "ha_maintenance_start", "{}", "status-get" },
    { "ha_maintenance_cancel", "{}", "status-get" }, { "disable", "{'max_period_s': 5}", "dhcp-disable" }, { "enable", "{}", "dhcp-enable" },
    { "subnets", "{}", "config-get" },
};
static const struct { const char *name, *body; int status; enum ft_class fault, class; } faults[] = {
    { "daemon down", "[{\"result\": 1, \"text\": \"unable to forward command to the dhcp4 service: The server is likely to be offline\"}]", 200, 0, FT_UNREACHABLE },
    { "unknown", "[{\"result\": 2, \"text\": \"command not supported.\"}]", 200, 0, FT_REFUSED },
    { "no Kea", "{\"hello\": 1}", 200, 0, FT_INVALID }, { "an empty list", "[]", 200, 0, FT_INVALID }, { "null", "null", 200, 0, FT_INVALID },
    { "html", "<html>login</html>", 200, 0, FT_INVALID }, { "wrong password", "{\"result\": 401}", 401, 0, FT_DENIED }, { "server error", "oops", 500, 0, FT_REFUSED },
    { "nobody there", NULL, 0, FT_UNREACHABLE, FT_UNREACHABLE }, { "too slow", NULL, 0, FT_TIMEOUT, FT_TIMEOUT }, { "lost", NULL, 0, FT_AMBIGUOUS, FT_AMBIGUOUS },
};

Test(dhcp_config, every_action_says_what_went_wrong)
{
    for (size_t a = 0; a < sizeof(each_action) / sizeof(each_action[0]); a++) {
        for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
            struct fake_host *f = kea_host();
            const struct fake_result *r;

            FAKE_HTTP(f, .status = faults[i].status, .body = faults[i].body, .fault = faults[i].fault, .why = faults[i].fault ? "no luck" : NULL);
            r = fake_run(f, each_action[a].action, "run", each_action[a].params, NULL);
            cr_expect_not(r->ok, "%s: %s", each_action[a].action, faults[i].name);
            cr_expect_eq(r->class, faults[i].class, "%s: %s: %s: %s", each_action[a].action, faults[i].name, ft_class_name(r->class), r->error);
            cr_expect(r->error[0] && !strstr(r->error, "sesame42"), "%s: %s", each_action[a].action, faults[i].name);
            fake_host_free(f);
        }
    }
}
