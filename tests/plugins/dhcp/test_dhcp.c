/* The dhcp plugin against scripted answers of a control agent and of a control socket. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "fake_host.h"

/* fake_wall's default start, 2026-11-21T02:13:05Z, as Kea counts */
#define NOW 1795227185

static struct fake_host *kea_host(void)
{
    struct fake_host *f = fake_host_new("dhcp");

    fake_config(f, "{'url': 'http://kea.test:8000/', 'user': 'fettle', 'password': 'sesame42', 'vlans': {'110': 1}}");
    return f;
}

static char *file(const char *name) { return fake_text("tests/plugins/dhcp/data", name); }

static void kea(struct fake_host *f, const char *command, const char *body)
{
    char has[80];

    snprintf(has, sizeof(has), "\"command\":\"%s\"", command);
    FAKE_HTTP(f, .method = "POST", .request_has = has, .status = 200, .body = body);
}

static void kea_config(struct fake_host *f)
{
    char *config = file("config.json");

    kea(f, "config-get", config);
    free(config);
}

static const char *command_at(const struct fake_result *r, size_t i)
{
    return fake_str(json_array_get(r->requests, i), "json.command");
}

static const char *lease(unsigned host, long age, const char *mac, int state)
{
    static char text[4][400];
    static unsigned turn;
    char *to = text[turn++ % 4];

    snprintf(to, 400, "{\"client-id\":\"01:%s\",\"cltt\":%ld,\"fqdn-fwd\":false,\"fqdn-rev\":false,\"hostname\":\"\",\"hw-address\":\"%s\",\"ip-address\":"
             "\"10.11.0.%u\",\"state\":%d,\"subnet-id\":1,\"valid-lft\":3600}", mac, NOW - age, mac, host, state);
    return to;
}

static const char *leases(const char *a, const char *b, const char *c)
{
    static char text[2000];

    snprintf(text, sizeof(text), "[{\"arguments\":{\"count\":3,\"leases\":[%s%s%s%s%s]},\"result\":0,\"text\":\"found\"}]", a, b ? "," : "", b ? b : "",
             c ? "," : "", c ? c : "");
    return text;
}

static const char *one(const char *a)
{
    static char text[600];

    snprintf(text, sizeof(text), "[{\"arguments\":%s,\"result\":0,\"text\":\"IPv4 lease found.\"}]", a);
    return text;
}

#define MAC1 "02:00:00:00:00:01"
#define MAC2 "02:00:00:00:00:02"
#define EMPTY "[{'result': 3, 'text': '0 IPv4 lease(s) found.', 'arguments': {'leases': []}}]"
#define NO_LEASE "[{'result': 3, 'text': 'Lease not found.'}]"
#define DELETED "[{'result': 0, 'text': 'IPv4 lease deleted.'}]"
#define ADDED "[{'result': 0, 'text': 'Lease added.'}]"

/* ---- reads ---- */

Test(dhcp, lease_takes_any_notation_and_gives_the_active_newest)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r;

    kea(f, "lease4-get-by-hw-address", leases(lease(40, 90000, MAC1, 0), lease(41, 600, MAC1, 0), lease(42, 60, MAC1, 1)));
    r = fake_run(f, "lease", "run", "{'mac': '0200.0000.0001'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->requests, "0.json.arguments.hw-address"), MAC1);
    cr_expect_str_eq(fake_str(r->requests, "0.json.service.0"), "dhcp4");
    cr_expect_str_eq(fake_str(r->requests, "0.user"), "fettle");
    cr_expect(json_is_true(fake_at(r->result, "found")));
    cr_expect_str_eq(fake_str(r->result, "ip"), "10.11.0.41");
    cr_expect_str_eq(fake_str(r->result, "state"), "active");
    cr_expect_eq(fake_int(r->result, "age_s"), 600);
    cr_expect_eq(fake_int(r->result, "expires_in_s"), 3000);
    cr_expect_str_eq(fake_str(r->result, "expires"), "2026-11-21T03:03:05Z");
    cr_expect_eq(json_array_size(fake_at(r->result, "leases")), 3);
    fake_host_free(f);
}

Test(dhcp, lease_not_found_is_a_result)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r;

    kea(f, "lease4-get-by-hw-address", EMPTY);
    r = fake_run(f, "lease", "run", "{'mac': '02:00:00:00:00:01'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_false(fake_at(r->result, "found")));
    cr_expect(json_is_null(fake_at(r->result, "ip")));
    fake_host_free(f);
}

Test(dhcp, lease_by_address)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r;

    kea(f, "lease4-get", one(lease(42, 7200, MAC2, 0)));
    r = fake_run(f, "lease", "run", "{'ip': '10.11.0.42'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->result, "mac"), MAC2);
    cr_expect(json_is_true(fake_at(r->result, "expired")));
    cr_expect_eq(fake_int(r->result, "expires_in_s"), -3600);
    fake_host_free(f);
}

static const struct { const char *name, *body; int status; enum ft_class fault, class; const char *says; } faults[] = {
    { "hook missing", "[{\"result\": 2, \"text\": \"'lease4-get' command not supported.\"}]", 200, 0, FT_REFUSED, "libdhcp_lease_cmds" },
    { "daemon down", "[{\"result\": 1, \"text\": \"unable to forward command to the dhcp4 service: No such file or directory. The server is likely to be offline\"}]",
      200, 0, FT_UNREACHABLE, "likely to be offline" },
    { "error", "[{\"result\": 1, \"text\": \"invalid format\"}]", 200, 0, FT_REFUSED, "invalid format" },
    { "conflict", "[{\"result\": 4, \"text\": \"was changed\"}]", 200, 0, FT_CONFLICT, "was changed" },
    { "bad request object", "{\"result\": 400, \"text\": \"Bad Request\"}", 200, 0, FT_INVALID, "Bad Request" },
    { "no Kea", "{\"hello\": 1}", 200, 0, FT_INVALID, "not as Kea does" },
    { "html", "<html>login</html>", 200, 0, FT_INVALID, "" },
    { "truncated", "[{\"result\": 0, \"argu", 200, 0, FT_INVALID, "" },
    { "wrong password", "{\"result\": 401, \"text\": \"Unauthorized\"}", 401, 0, FT_DENIED, "" },
    { "server error", "oops", 500, 0, FT_REFUSED, "" },
    { "nobody there", NULL, 0, FT_UNREACHABLE, FT_UNREACHABLE, "" },
    { "too slow", NULL, 0, FT_TIMEOUT, FT_TIMEOUT, "" },
};

Test(dhcp, what_goes_wrong_has_its_class_and_a_sentence)
{
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        struct fake_host *f = kea_host();
        const struct fake_result *r;

        FAKE_HTTP(f, .status = faults[i].status, .body = faults[i].body, .fault = faults[i].fault, .why = faults[i].fault ? "no luck" : NULL);
        r = fake_run(f, "lease", "run", "{'ip': '10.11.0.42'}", NULL);
        cr_expect_not(r->ok, "%s", faults[i].name);
        cr_expect_eq(r->class, faults[i].class, "%s: %s: %s", faults[i].name, ft_class_name(r->class), r->error);
        cr_expect(strstr(r->error, faults[i].says), "%s: %s", faults[i].name, r->error);
        cr_expect_not(strstr(r->error, "sesame42"), "%s", faults[i].name);
        fake_host_free(f);
    }
}

Test(dhcp, server_that_is_down_is_a_result)
{
    static const struct { const char *name, *body; int status; enum ft_class fault; bool agent; } down[] = {
        { "agent away", NULL, 0, FT_UNREACHABLE, false },
        { "daemon away", "[{\"result\": 1, \"text\": \"unable to forward command: The server is likely to be offline\"}]", 200, 0, true },
    };

    for (size_t i = 0; i < 2; i++) {
        struct fake_host *f = kea_host();
        const struct fake_result *r;

        FAKE_HTTP(f, .status = down[i].status, .body = down[i].body, .fault = down[i].fault, .why = down[i].fault ? "connection refused" : NULL);
        r = fake_run(f, "server_status", "run", NULL, NULL);
        cr_assert(r->ok, "%s: %s", down[i].name, r->error);
        cr_expect(json_is_false(fake_at(r->result, "up")), "%s", down[i].name);
        cr_expect_eq(json_is_true(fake_at(r->result, "agent_up")), down[i].agent, "%s", down[i].name);
        cr_expect(fake_str(r->result, "error"), "%s", down[i].name);
        fake_host_free(f);
    }
}

Test(dhcp, server_status_tells_of_the_pair)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r;

    kea(f, "status-get", "[{'result': 0, 'arguments': {'pid': 12, 'uptime': 900, 'reload': 30, 'sockets': {'status': 'ready'}, 'high-availability': [{'ha-mode': 'hot-standby',"
        "'ha-servers': {'local': {'role': 'primary', 'state': 'partner-down'}, 'remote': {'last-state': 'unavailable', 'in-touch': false, 'communication-interrupted': true, 'unacked-clients': 3}}}]}}]");
    r = fake_run(f, "server_status", "run", NULL, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_true(fake_at(r->result, "up")));
    cr_expect_eq(fake_int(r->result, "uptime_s"), 900);
    cr_expect_eq(fake_int(r->result, "config_age_s"), 30);
    cr_expect_str_eq(fake_str(r->result, "ha_state"), "partner-down");
    cr_expect(json_is_false(fake_at(r->result, "ha_ok")));
    cr_expect_eq(fake_int(r->result, "ha.unacked_clients"), 3);
    fake_host_free(f);
}

Test(dhcp, server_status_fails_on_wrong_credentials)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r;

    FAKE_HTTP(f, .status = 401, .body = "{'result': 401, 'text': 'Unauthorized'}");
    r = fake_run(f, "server_status", "run", NULL, NULL);
    cr_expect_not(r->ok);
    cr_expect_eq(r->class, FT_DENIED);
    fake_host_free(f);
}

#define STAT(rows) "[{'result': 0, 'arguments': {'result-set': {'columns': ['subnet-id', 'total-addresses', 'cumulative-assigned-addresses', " \
    "'assigned-addresses', 'declined-addresses'], 'rows': [" rows "], 'timestamp': 'x'}}}]"

static const struct { const char *params, *rows, *subnet; json_int_t asked, total, free; double pct; bool exhausted; } uses[] = {
    { "{'vlan': 110}", STAT("[1, 90, 500, 90, 0]"), "10.11.0.0/24", 1, 90, 0, 100, true },
    { "{'vlan': 110}", STAT("[1, 90, 500, 88, 2]"), "10.11.0.0/24", 1, 90, 0, 100, true },
    { "{'vlan': 110}", STAT("[1, 90, 500, 90, 2]"), "10.11.0.0/24", 1, 90, 0, 100, true },
    { "{'vlan': 110}", STAT("[1, 90, 500, 43, 2]"), "10.11.0.0/24", 1, 90, 45, 50, false },
    { "{'vlan': 120}", STAT("[7, 128, 10, 1, 0]"), "10.12.0.0/24", 7, 128, 127, 0.8, false },
    { "{'ip': '10.13.2.9'}", STAT("[30, 1000, 0, 333, 0]"), "10.13.0.0/22", 30, 1000, 667, 33.3, false },
    { "{'subnet': '10.11.0.0/24'}", STAT("[1, 90, 0, 0, 0]"), "10.11.0.0/24", 1, 90, 90, 0, false },
    { "{'subnet_id': 7}", STAT("[7, 0, 0, 0, 0]"), "10.12.0.0/24", 7, 0, 0, 0, true },
    { "{}", STAT("[1, 90, 0, 9, 0], [7, 128, 0, 64, 0], [30, 1000, 0, 10, 0]"), "10.12.0.0/24", -1, 128, 64, 50, false },
};

Test(dhcp, pool_use_of_the_subnet_meant)
{
    for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
        struct fake_host *f = kea_host();
        const struct fake_result *r;

        kea_config(f);
        kea(f, "stat-lease4-get", uses[i].rows);
        r = fake_run(f, "pool_use", "run", uses[i].params, NULL);
        cr_assert(r->ok, "%s: %s", uses[i].params, r->error);
        cr_expect_eq(fake_int(r->requests, "1.json.arguments.subnet-id"), uses[i].asked, "%s", uses[i].params);
        cr_expect_str_eq(fake_str(r->result, "subnet"), uses[i].subnet, "%s", uses[i].params);
        cr_expect_eq(fake_int(r->result, "total"), uses[i].total, "%s", uses[i].params);
        cr_expect_eq(fake_int(r->result, "free"), uses[i].free, "%s", uses[i].params);
        cr_expect_float_eq(json_real_value(fake_at(r->result, "utilisation_pct")), uses[i].pct, 1e-9, "%s", uses[i].params);
        cr_expect_eq(json_is_true(fake_at(r->result, "exhausted")), uses[i].exhausted, "%s", uses[i].params);
        fake_host_free(f);
    }
}

static const struct { const char *params; enum ft_class class; const char *says; } lost[] = {
    { "{'vlan': 999}", FT_NOT_FOUND, "plugins.dhcp.vlans" },
    { "{'ip': '192.0.2.1'}", FT_NOT_FOUND, "192.0.2.1" },
    { "{'subnet': '10.99.0.0/24'}", FT_NOT_FOUND, "10.99.0.0/24" },
    { "{'subnet_id': 5}", FT_NOT_FOUND, "id 5" },
    { "{'server': 'east'}", FT_NOT_FOUND, "plugins.dhcp.servers.east" },
};

Test(dhcp, pool_use_of_a_subnet_that_is_not_there)
{
    for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++) {
        struct fake_host *f = kea_host();
        const struct fake_result *r;

        kea_config(f);
        r = fake_run(f, "pool_use", "run", lost[i].params, NULL);
        cr_expect_not(r->ok, "%s", lost[i].params);
        cr_expect_eq(r->class, lost[i].class, "%s: %s", lost[i].params, r->error);
        cr_expect(strstr(r->error, lost[i].says), "%s: %s", lost[i].params, r->error);
        fake_host_free(f);
    }
}

Test(dhcp, statistics_name_what_is_not_counted)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r;

    kea(f, "statistic-get-all", "[{'result': 0, 'arguments': {'pkt4-nak-sent': [[4, 'b'], [1, 'a']], 'v4-allocation-fail': [[2, 'b']], 'subnet[1].declined-addresses': [[1, 'x']]}}]");
    r = fake_run(f, "statistics", "run", "{'names': ['pkt4-nak-sent', 'no-such-counter']}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(fake_int(r->result, "values.pkt4-nak-sent"), 4);
    cr_expect_str_eq(fake_str(r->result, "missing.0"), "no-such-counter");
    cr_expect_eq(fake_int(r->result, "allocation_failures"), 2);
    cr_expect_eq(fake_int(r->result, "naks_sent"), 4);
    cr_expect_eq(fake_int(r->result, "dropped"), 0);
    fake_host_free(f);
}

Test(dhcp, config_get_hides_passwords)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r;
    char *text;

    kea_config(f);
    r = fake_run(f, "config_get", "run", NULL, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(fake_int(r->result, "subnets"), 3, "those of shared networks count");
    text = json_dumps(r->result, JSON_COMPACT);
    cr_expect(strstr(text, "10.11.0.0/24"));
    cr_expect_not(strstr(text, "db-passphrase"), "a password of the configuration is in the result");
    free(text);
    fake_host_free(f);
}

static const char *page_of(unsigned from, unsigned count)
{
    static char text[500 * 240];
    size_t n = (size_t)snprintf(text, sizeof(text), "[{\"result\":0,\"arguments\":{\"count\":%u,\"leases\":[", count);

    for (unsigned i = 0; i < count; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s{\"ip-address\":\"10.13.%u.%u\",\"hw-address\":\"02:00:00:00:%02x:%02x\",\"cltt\":%d,\"state\":0,"
                              "\"subnet-id\":%d,\"valid-lft\":3600}", i ? "," : "", (from + i) / 256, (from + i) % 256, i / 256, i % 256, NOW - 5, i % 2 ? 30 : 1);
    snprintf(text + n, sizeof(text) - n, "]}}]");
    return text;
}

Test(dhcp, leases_are_read_page_by_page)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r;

    kea(f, "lease4-get-page", page_of(0, 500));
    kea(f, "lease4-get-page", page_of(500, 20));
    r = fake_run(f, "leases", "run", "{'subnet_id': 30}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(json_array_size(r->requests), 2);
    cr_expect_str_eq(fake_str(r->requests, "0.json.arguments.from"), "start");
    cr_expect_str_eq(fake_str(r->requests, "1.json.arguments.from"), "10.13.1.243");
    cr_expect_eq(fake_int(r->result, "count"), 260);
    cr_expect(json_is_false(fake_at(r->result, "truncated")));
    fake_host_free(f);
}

Test(dhcp, leases_stop_at_the_most_wanted)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r;

    kea(f, "lease4-get-page", page_of(0, 500));
    r = fake_run(f, "leases", "run", "{'max': 10}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(json_array_size(r->requests), 1);
    cr_expect_eq(fake_int(r->result, "count"), 10);
    cr_expect(json_is_true(fake_at(r->result, "truncated")));
    fake_host_free(f);
}

/* ---- deleting leases ---- */

#define STALE "{'vlan': 110, 'older_than_h': 8}"

/* The body as a plan shows it, as the bytes that are sent. */
static char *body_text(const json_t *body)
{
    return json_is_string(body) ? strdup(json_string_value(body)) : json_dumps(body, JSON_COMPACT);
}

static char *receipt_text(const struct fake_result *r)
{
    json_t *receipt = fake_at(r->result, "receipt");

    cr_assert(receipt, "the plan has no receipt");
    return json_dumps(receipt, JSON_COMPACT);
}

Test(dhcp, stale_leases_are_those_that_missed_their_renewal)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r;

    kea(f, "lease4-get-page", leases(lease(40, 9 * 3600, MAC1, 0), lease(41, 600, MAC2, 0), lease(42, 9 * 3600, "02:00:00:00:00:03", 1)));
    r = fake_run(f, "stale_leases_free", "plan", STALE, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(json_array_size(r->requests), 1, "a plan only looks");
    cr_expect_eq(json_array_size(fake_at(r->result, "requests")), 1);
    cr_expect_str_eq(fake_str(r->result, "receipt.leases.0.ip-address"), "10.11.0.40");
    cr_expect_eq(fake_int(r->result, "users"), 0);
    fake_host_free(f);
}

Test(dhcp, long_leases_are_not_stale_before_half_their_time)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r;

    kea(f, "lease4-get-page", "[{'result': 0, 'arguments': {'leases': [{'ip-address': '10.11.0.40', 'hw-address': '02:00:00:00:00:01', 'cltt': 1795190000, 'state': 0, "
        "'subnet-id': 1, 'valid-lft': 864000}]}}]");
    r = fake_run(f, "stale_leases_free", "plan", STALE, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_true(fake_at(r->result, "nothing_to_do")));
    fake_host_free(f);
}

Test(dhcp, freeing_sends_what_the_plan_showed_and_undo_adds_it_back)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r;
    char *receipt, *planned;

    kea(f, "lease4-get-page", leases(lease(40, 9 * 3600, MAC1, 0), lease(41, 20 * 3600, MAC2, 0), NULL));
    r = fake_run(f, "stale_leases_free", "plan", STALE, NULL);
    cr_assert(r->ok, "%s", r->error);
    receipt = receipt_text(r);
    planned = body_text(fake_at(r->result, "requests.0.body"));
    kea(f, "lease4-get", one(lease(40, 9 * 3600, MAC1, 0)));
    kea(f, "lease4-get", one(lease(41, 20 * 3600, MAC2, 0)));
    kea(f, "lease4-del", DELETED);
    r = fake_run(f, "stale_leases_free", "run", STALE, receipt);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(fake_int(r->result, "freed"), 2);
    cr_expect_eq(json_array_size(fake_at(r->kept, "leases")), 2, "all leases are kept before the first is deleted");
    cr_expect_str_eq(json_string_value(json_array_get(r->trace, 0)), "keep");
    cr_expect_str_eq(command_at(r, 1), "lease4-del");
    cr_expect_str_eq(fake_str(r->requests, "1.body"), planned);
    kea(f, "lease4-add", ADDED);
    r = fake_run(f, "stale_leases_free", "undo", STALE, receipt);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(fake_int(r->result, "restored"), 2);
    cr_expect_str_eq(fake_str(r->requests, "0.json.command"), "lease4-add");
    cr_expect_str_eq(fake_str(r->requests, "0.json.arguments.hw-address"), MAC1);
    cr_expect_eq(fake_int(r->requests, "0.json.arguments.expire"), NOW - 9 * 3600 + 3600);
    free(receipt);
    free(planned);
    fake_host_free(f);
}

Test(dhcp, a_client_that_came_back_keeps_its_lease)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r;
    char *receipt;

    kea(f, "lease4-get-page", leases(lease(40, 9 * 3600, MAC1, 0), lease(41, 20 * 3600, MAC2, 0), NULL));
    r = fake_run(f, "stale_leases_free", "plan", STALE, NULL);
    cr_assert(r->ok, "%s", r->error);
    receipt = receipt_text(r);
    kea(f, "lease4-get", one(lease(40, 5, MAC1, 0)));
    kea(f, "lease4-get", NO_LEASE);
    r = fake_run(f, "stale_leases_free", "run", STALE, receipt);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(fake_int(r->result, "freed"), 0);
    cr_expect_eq(fake_int(r->result, "skipped"), 2);
    free(receipt);
    fake_host_free(f);
}

Test(dhcp, freeing_that_breaks_off_says_how_far_it_came)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r;

    kea(f, "lease4-get-page", leases(lease(40, 9 * 3600, MAC1, 0), lease(41, 20 * 3600, MAC2, 0), NULL));
    kea(f, "lease4-get", one(lease(40, 9 * 3600, MAC1, 0)));
    kea(f, "lease4-get", one(lease(41, 20 * 3600, MAC2, 0)));
    kea(f, "lease4-del", DELETED);
    kea(f, "lease4-del", "[{'result': 1, 'text': 'database is away'}]");
    r = fake_run(f, "stale_leases_free", "run", STALE, NULL);
    cr_expect_not(r->ok);
    cr_expect(strstr(r->error, "1 of 2"), "%s", r->error);
    cr_expect_eq(json_array_size(fake_at(r->kept, "leases")), 2);
    fake_host_free(f);
}

Test(dhcp, a_lost_answer_to_a_deletion_is_ambiguous)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r;

    kea(f, "lease4-get", one(lease(40, 9 * 3600, MAC1, 0)));
    FAKE_HTTP(f, .request_has = "lease4-del", .fault = FT_AMBIGUOUS, .why = "the connection broke after the request was sent");
    r = fake_run(f, "lease_delete", "run", "{'ip': '10.11.0.40'}", NULL);
    cr_expect_not(r->ok);
    cr_expect_eq(r->class, FT_AMBIGUOUS);
    fake_host_free(f);
}

Test(dhcp, probe_of_freeing_looks_for_what_is_left)
{
    static const struct { const char *now; bool happened; } cases[] = { { "gone", true }, { "there", false } };
    char receipt[1000];

    snprintf(receipt, sizeof(receipt), "{\"leases\":[%s]}", lease(40, 9 * 3600, MAC1, 0));
    for (size_t i = 0; i < 2; i++) {
        struct fake_host *f = kea_host();
        const struct fake_result *r;

        kea(f, "lease4-get-page", cases[i].happened ? leases(lease(40, 10, MAC2, 0), NULL, NULL) : leases(lease(40, 9 * 3600, MAC1, 0), NULL, NULL));
        r = fake_run(f, "stale_leases_free", "probe", STALE, receipt);
        cr_assert(r->ok, "%s: %s", cases[i].now, r->error);
        cr_expect_eq(json_is_true(fake_at(r->result, "happened")), cases[i].happened, "%s", cases[i].now);
        fake_host_free(f);
    }
}

Test(dhcp, declined_addresses_are_taken_back)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r;

    kea(f, "lease4-get-page", leases(lease(40, 9 * 3600, MAC1, 0), lease(42, 100, "00:00:00:00:00:00", 1), NULL));
    kea(f, "lease4-get", one(lease(42, 100, "00:00:00:00:00:00", 1)));
    kea(f, "lease4-del", DELETED);
    r = fake_run(f, "declined_clear", "run", "{'subnet_id': 1}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(fake_int(r->result, "freed"), 1);
    cr_expect_str_eq(fake_str(r->result, "addresses.0"), "10.11.0.42");
    fake_host_free(f);
}

Test(dhcp, lease_delete_leaves_another_clients_lease_alone)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r;

    kea(f, "lease4-get", one(lease(40, 100, MAC2, 0)));
    r = fake_run(f, "lease_delete", "run", "{'ip': '10.11.0.40', 'mac': '02-00-00-00-00-01'}", NULL);
    cr_expect_not(r->ok);
    cr_expect_eq(r->class, FT_CONFLICT);
    cr_expect_eq(json_array_size(r->requests), 1, "nothing was deleted");
    fake_host_free(f);
}

Test(dhcp, undo_of_lease_delete_when_the_address_is_taken)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r;
    char receipt[1000];

    snprintf(receipt, sizeof(receipt), "{\"leases\":[%s]}", lease(40, 9 * 3600, MAC1, 0));
    kea(f, "lease4-add", "[{'result': 1, 'text': 'IPv4 lease already exists.'}]");
    kea(f, "lease4-get", one(lease(40, 5, MAC2, 0)));
    r = fake_run(f, "lease_delete", "undo", "{'ip': '10.11.0.40'}", receipt);
    cr_expect_not(r->ok);
    cr_expect_eq(r->class, FT_CONFLICT);
    cr_expect(strstr(r->error, MAC2), "%s", r->error);
    fake_host_free(f);
}

Test(dhcp, leases_reclaim_says_it_removes)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r = fake_run(f, "leases_reclaim", "plan", NULL, NULL);
    char *planned, *sent;

    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(json_array_size(r->requests), 0);
    planned = json_dumps(fake_at(r->result, "requests.0"), JSON_COMPACT);
    cr_expect(strstr(planned, "leases-reclaim"), "%s", planned);
    kea(f, "leases-reclaim", "[{'result': 0, 'text': 'Reclamation of expired leases is complete.'}]");
    r = fake_run(f, "leases_reclaim", "run", NULL, NULL);
    cr_assert(r->ok, "%s", r->error);
    sent = json_dumps(fake_at(r->requests, "0.json"), JSON_COMPACT);
    cr_expect_str_eq(sent, "{\"command\":\"leases-reclaim\",\"service\":[\"dhcp4\"],\"arguments\":{\"remove\":true}}");
    free(planned);
    free(sent);
    fake_host_free(f);
}

/* ---- changes of the configuration ---- */

#define OK_STATUS "[{'result': 0, 'arguments': {'uptime': 1, 'reload': 1}}]"
#define OK "[{'result': 0, 'text': 'done'}]"
#define EXTEND "{'vlan': 110, 'pool': '10.11.0.100 - 10.11.0.149'}"

static void expect_edit(struct fake_host *f)
{
    kea_config(f);
    kea(f, "status-get", OK_STATUS);
    kea(f, "config-test", OK);
    kea(f, "config-set", OK);
    kea(f, "config-write", OK);
}

Test(dhcp, pool_extend_plans_tests_sets_and_writes)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r;
    char *planned, *sent, *receipt;

    expect_edit(f);
    r = fake_run(f, "pool_extend", "plan", EXTEND, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(json_array_size(r->requests), 3);
    cr_expect_str_eq(command_at(r, 2), "config-test");
    planned = body_text(fake_at(r->result, "requests.0.body"));
    cr_expect(strstr(planned, "10.11.0.100-10.11.0.149"), "%s", planned);
    cr_expect_not(strstr(planned, "db-passphrase"), "the plan shows a password");
    receipt = receipt_text(r);
    cr_expect_not(strstr(receipt, "db-passphrase"), "the receipt holds a password");
    r = fake_run(f, "pool_extend", "run", EXTEND, receipt);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(fake_int(r->result, "added"), 50);
    cr_expect_str_eq(command_at(r, 3), "config-set");
    cr_expect_str_eq(command_at(r, 4), "config-write");
    cr_expect_str_eq(fake_str(r->requests, "3.json.arguments.Dhcp4.subnet4.0.pools.1.pool"), "10.11.0.100-10.11.0.149");
    cr_expect_str_eq(fake_str(r->requests, "3.json.arguments.Dhcp4.subnet4.0.pools.0.pool"), "10.11.0.10-10.11.0.99");
    sent = json_dumps(r->kept, JSON_COMPACT);
    cr_expect(strstr(sent, "10.11.0.100-10.11.0.149"), "%s", sent);
    free(sent);
    free(planned);
    free(receipt);
    fake_host_free(f);
}

Test(dhcp, pool_extend_that_is_there_is_nothing_to_do)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r;

    expect_edit(f);
    r = fake_run(f, "pool_extend", "plan", "{'vlan': 110, 'pool': '10.11.0.10-10.11.0.99'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_true(fake_at(r->result, "nothing_to_do")));
    r = fake_run(f, "pool_extend", "run", "{'vlan': 110, 'pool': '10.11.0.10-10.11.0.99'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_false(fake_at(r->result, "changed")));
    cr_expect_eq(json_array_size(r->requests), 2, "nothing is set");
    fake_host_free(f);
}

static const struct { const char *params; const char *says; } bad_pools[] = {
    { "{'vlan': 110, 'pool': '10.11.0.90-10.11.0.120'}", "overlaps" },
    { "{'vlan': 110, 'pool': '10.11.1.10-10.11.1.20'}", "not within" },
    { "{'vlan': 110, 'pool': '10.11.0.200'}", "no range" },
    { "{'vlan': 110, 'pool': '10.11.0.220-10.11.0.200'}", "no range" },
    { "{'vlan': 110, 'pool': '10.11.0.0/33'}", "no range" },
    { "{'vlan': 110, 'pool': '10.11.0.300-10.11.0.310'}", "no range" },
};

Test(dhcp, pool_extend_refuses_what_cannot_be)
{
    for (size_t i = 0; i < sizeof(bad_pools) / sizeof(bad_pools[0]); i++) {
        struct fake_host *f = kea_host();
        const struct fake_result *r;

        expect_edit(f);
        r = fake_run(f, "pool_extend", "run", bad_pools[i].params, NULL);
        cr_expect_not(r->ok, "%s", bad_pools[i].params);
        cr_expect_eq(r->class, FT_INVALID, "%s", bad_pools[i].params);
        cr_expect(strstr(r->error, bad_pools[i].says), "%s: %s", bad_pools[i].params, r->error);
        fake_host_free(f);
    }
}

Test(dhcp, pool_extend_stops_when_the_configuration_moved_on)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r;

    expect_edit(f);
    r = fake_run(f, "pool_extend", "run", EXTEND, "{'digest': '0000000000000000'}");
    cr_expect_not(r->ok);
    cr_expect_eq(r->class, FT_CONFLICT);
    cr_expect_eq(json_array_size(r->requests), 2, "nothing is set");
    fake_host_free(f);
}

Test(dhcp, pool_extend_stops_when_the_hash_moved_on)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r;

    kea(f, "config-get", "[{'result': 0, 'arguments': {'hash': 'AA', 'Dhcp4': {'subnet4': [{'id': 1, 'subnet': '10.11.0.0/24', 'pools': []}]}}}]");
    kea(f, "status-get", OK_STATUS);
    kea(f, "config-test", OK);
    kea(f, "config-hash-get", "[{'result': 0, 'arguments': {'hash': 'BB'}}]");
    r = fake_run(f, "pool_extend", "run", EXTEND, NULL);
    cr_expect_not(r->ok);
    cr_expect_eq(r->class, FT_CONFLICT);
    cr_expect_str_eq(command_at(r, 3), "config-hash-get");
    cr_expect_eq(json_array_size(r->requests), 4, "nothing is set");
    fake_host_free(f);
}

Test(dhcp, pool_extend_is_taken_back_when_it_cannot_be_written)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r;

    kea_config(f);
    kea(f, "status-get", OK_STATUS);
    kea(f, "config-test", OK);
    kea(f, "config-set", OK);
    kea(f, "config-write", "[{'result': 1, 'text': 'Unable to open file'}]");
    r = fake_run(f, "pool_extend", "run", EXTEND, NULL);
    cr_expect_not(r->ok);
    cr_expect_eq(r->class, FT_REFUSED, "%s", r->error);
    cr_expect_str_eq(command_at(r, 5), "config-set");
    cr_expect_eq(json_array_size(fake_at(json_array_get(r->requests, 5), "json.arguments.Dhcp4.subnet4.0.pools")), 1);
    fake_host_free(f);
}

Test(dhcp, pool_extend_waits_for_both_servers_of_a_pair)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r;

    kea_config(f);
    kea(f, "status-get", "[{'result': 0, 'arguments': {'high-availability': [{'ha-mode': 'load-balancing', 'ha-servers': {'local': {'state': 'partner-down'}}}]}}]");
    r = fake_run(f, "pool_extend", "run", EXTEND, NULL);
    cr_expect_not(r->ok);
    cr_expect_eq(r->class, FT_REFUSED);
    cr_expect(strstr(r->error, "partner-down"), "%s", r->error);
    fake_host_free(f);
}

Test(dhcp, pool_extend_leaves_masked_passwords_alone)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r;

    kea(f, "config-get", "[{'result': 0, 'arguments': {'Dhcp4': {'hosts-database': {'password': '*****'}, 'subnet4': [{'id': 1, 'subnet': '10.11.0.0/24', 'pools': []}]}}}]");
    r = fake_run(f, "pool_extend", "run", EXTEND, NULL);
    cr_expect_not(r->ok);
    cr_expect_eq(r->class, FT_REFUSED);
    cr_expect_eq(json_array_size(r->requests), 1);
    fake_host_free(f);
}

Test(dhcp, pool_extend_refused_by_kea_changes_nothing)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r;

    kea_config(f);
    kea(f, "status-get", OK_STATUS);
    kea(f, "config-test", "[{\"result\": 1, \"text\": \"subnet configuration failed: a pool is wrong (<wire>:0:2520)\"}]");
    r = fake_run(f, "pool_extend", "run", EXTEND, NULL);
    cr_expect_not(r->ok);
    cr_expect(strstr(r->error, "subnet configuration failed"), "%s", r->error);
    cr_expect_null(r->kept);
    fake_host_free(f);
}

Test(dhcp, undo_of_pool_extend_leaves_what_others_did)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r;

    kea(f, "config-get", "[{'result': 0, 'arguments': {'Dhcp4': {'subnet4': [{'id': 1, 'subnet': '10.11.0.0/24', 'pools': [{'pool': '10.11.0.10-10.11.0.99'}, "
        "{'pool': '10.11.0.100-10.11.0.149'}, {'pool': '10.11.0.200-10.11.0.220'}]}]}}}]");
    kea(f, "status-get", OK_STATUS);
    kea(f, "config-test", OK);
    kea(f, "config-set", OK);
    kea(f, "config-write", OK);
    r = fake_run(f, "pool_extend", "undo", EXTEND, "{'digest': 'x', 'subnet_id': 1, 'pool': '10.11.0.100-10.11.0.149'}");
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->requests, "3.json.command"), "config-set");
    cr_expect_eq(json_array_size(fake_at(r->requests, "3.json.arguments.Dhcp4.subnet4.0.pools")), 2);
    cr_expect_str_eq(fake_str(r->requests, "3.json.arguments.Dhcp4.subnet4.0.pools.1.pool"), "10.11.0.200-10.11.0.220");
    fake_host_free(f);
}

Test(dhcp, reservations_are_looked_up_added_and_deleted)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r;
    char *receipt;

    expect_edit(f);
    r = fake_run(f, "reservation", "run", "{'mac': '0200.0000.0020'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->result, "ip"), "10.11.0.20");
    cr_expect_eq(fake_int(r->result, "subnet_id"), 1);
    r = fake_run(f, "reservation", "run", "{'ip': '10.11.0.21'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_false(fake_at(r->result, "found")));

    r = fake_run(f, "reservation_add", "run", "{'mac': '02:00:00:00:00:30', 'ip': '10.11.0.30', 'hostname': 'cam'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->requests, "3.json.arguments.Dhcp4.subnet4.0.reservations.1.hostname"), "cam");
    r = fake_run(f, "reservation_add", "run", "{'mac': '02:00:00:00:00:30', 'ip': '10.11.0.20'}", NULL);
    cr_expect_eq(r->class, FT_CONFLICT, "another client has it: %s", r->error);
    r = fake_run(f, "reservation_add", "plan", "{'mac': '02-00-00-00-00-20', 'ip': '10.11.0.20'}", NULL);
    cr_expect(json_is_true(fake_at(r->result, "nothing_to_do")), "%s", r->error);

    r = fake_run(f, "reservation_del", "run", "{'mac': '02:00:00:00:00:20'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(json_array_size(fake_at(r->requests, "3.json.arguments.Dhcp4.subnet4.0.reservations")), 0);
    receipt = json_dumps(r->kept, JSON_COMPACT);
    r = fake_run(f, "reservation_del", "undo", "{'mac': '02:00:00:00:00:20'}", receipt);
    cr_expect_eq(r->class, FT_CONFLICT, "it is there, so somebody has added it: %s", r->error);
    free(receipt);
    fake_host_free(f);
}

static const struct { const char *action, *params; bool happened; } host_probes[] = {
    { "reservation_add", "{'mac': '02:00:00:00:00:20', 'ip': '10.11.0.20'}", true },
    { "reservation_add", "{'mac': '02:00:00:00:00:20', 'ip': '10.11.0.21'}", false },
    { "reservation_add", "{'mac': '02:00:00:00:00:99', 'ip': '10.11.0.20'}", false },
    { "reservation_del", "{'mac': '02:00:00:00:00:20'}", false },
    { "reservation_del", "{'ip': '10.11.0.21'}", true },
    { "pool_extend", "{'vlan': 110, 'pool': '10.11.0.10-10.11.0.99'}", true },
    { "pool_extend", "{'vlan': 110, 'pool': '10.11.0.100-10.11.0.149'}", false },
};

Test(dhcp, probe_of_lease_delete_tells_what_went)
{
    struct fake_host *f = kea_host();
    const struct fake_result *r;
    char receipt[1000];

    snprintf(receipt, sizeof(receipt), "{\"leases\":[%s]}", lease(40, 9 * 3600, MAC1, 0));
    kea(f, "lease4-get", NO_LEASE);
    r = fake_run(f, "lease_delete", "probe", "{'ip': '10.11.0.40'}", receipt);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_true(fake_at(r->result, "happened")));
    cr_expect_eq(fake_int(r->result, "result.freed"), 1);
    cr_expect_str_eq(fake_str(r->result, "result.addresses.0"), "10.11.0.40");
    fake_host_free(f);
}

Test(dhcp, probes_of_configuration)
{
    for (size_t i = 0; i < sizeof(host_probes) / sizeof(host_probes[0]); i++) {
        struct fake_host *f = kea_host();
        const struct fake_result *r;

        kea_config(f);
        r = fake_run(f, host_probes[i].action, "probe", host_probes[i].params, NULL);
        cr_assert(r->ok, "%s %s: %s", host_probes[i].action, host_probes[i].params, r->error);
        cr_expect_eq(json_is_true(fake_at(r->result, "happened")), host_probes[i].happened, "%s %s", host_probes[i].action, host_probes[i].params);
        fake_host_free(f);
    }
}

/* ---- the control socket ---- */

static struct { int fd; char asked[500]; const char *reply; } server;

static void *serve_once(void *arg)
{
    int fd = accept(server.fd, NULL, NULL);
    ssize_t n = recv(fd, server.asked, sizeof(server.asked) - 1, 0);

    (void)arg;
    server.asked[n > 0 ? n : 0] = '\0';
    if (send(fd, server.reply, strlen(server.reply), MSG_NOSIGNAL) < 0)
        perror("send");
    close(fd);
    return NULL;
}

static const struct { const char *name, *reply; bool write; bool ok; enum ft_class class; } socket_cases[] = {
    { "answer", "{\"result\": 0, \"arguments\": {\"uptime\": 5, \"reload\": 5}}", false, true, 0 },
    { "nothing", "", false, false, FT_INVALID },
    { "half", "{\"result\": 0, \"arg", false, false, FT_INVALID },
    { "half of a write", "{\"result\": 0, \"arg", true, false, FT_AMBIGUOUS },
};

Test(dhcp, control_socket)
{
    for (size_t i = 0; i < sizeof(socket_cases) / sizeof(socket_cases[0]); i++) {
        struct fake_host *f = fake_host_new("dhcp");
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        char dir[] = "/tmp/fettle-kea-XXXXXX", config[200];
        const struct fake_result *r;
        pthread_t thread;

        cr_assert(mkdtemp(dir));
        snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", dir);
        server.fd = socket(AF_UNIX, SOCK_STREAM, 0);
        server.reply = socket_cases[i].reply;
        cr_assert_eq(bind(server.fd, (struct sockaddr *)&address, sizeof(address)), 0);
        cr_assert_eq(listen(server.fd, 1), 0);
        pthread_create(&thread, NULL, serve_once, NULL);
        snprintf(config, sizeof(config), "{'socket': '%s'}", address.sun_path);
        fake_config(f, config);
        r = fake_run(f, socket_cases[i].write ? "leases_reclaim" : "server_status", "run", NULL, NULL);
        pthread_join(thread, NULL);
        cr_expect_eq(r->ok, socket_cases[i].ok, "%s: %s", socket_cases[i].name, r->error);
        if (socket_cases[i].ok)
            cr_expect_str_eq(server.asked, "{\"command\":\"status-get\"}");
        else
            cr_expect_eq(r->class, socket_cases[i].class, "%s: %s", socket_cases[i].name, r->error);
        close(server.fd);
        unlink(address.sun_path);
        rmdir(dir);
        fake_host_free(f);
    }
}

/* A server that takes the command and never answers, or a byte now and then: it ends in time, and a write may have happened. */
static void *serve_slowly(void *arg)
{
    int fd = accept(server.fd, NULL, NULL);

    char asked[500];

    for (int i = 0; i < 600 && recv(fd, asked, sizeof(asked), MSG_DONTWAIT) != 0 && send(fd, "{", *(bool *)arg, MSG_NOSIGNAL) >= 0; i++)
        usleep(50000);
    close(fd);
    return NULL;
}

static const struct { const char *name; bool drips, write; enum ft_class class; } slow_cases[] = {
    { "silent", false, false, FT_TIMEOUT }, { "silent to a write", false, true, FT_AMBIGUOUS },
    { "in drops", true, false, FT_TIMEOUT }, { "in drops to a write", true, true, FT_AMBIGUOUS },
};

Test(dhcp, control_socket_that_is_slow)
{
    for (size_t i = 0; i < sizeof(slow_cases) / sizeof(slow_cases[0]); i++) {
        struct fake_host *f = fake_host_new("dhcp");
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        char dir[] = "/tmp/fettle-kea-XXXXXX", config[200];
        struct timespec began, ended;
        bool drips = slow_cases[i].drips;
        const struct fake_result *r;
        pthread_t thread;

        cr_assert(mkdtemp(dir));
        snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", dir);
        server.fd = socket(AF_UNIX, SOCK_STREAM, 0);
        cr_assert_eq(bind(server.fd, (struct sockaddr *)&address, sizeof(address)), 0);
        cr_assert_eq(listen(server.fd, 1), 0);
        pthread_create(&thread, NULL, serve_slowly, &drips);
        snprintf(config, sizeof(config), "{'socket': '%s'}", address.sun_path);
        fake_config(f, config);
        fake_timeout(f, 200);
        clock_gettime(CLOCK_MONOTONIC, &began);
        r = slow_cases[i].write ? fake_run(f, "leases_reclaim", "run", NULL, NULL) : fake_run(f, "lease", "run", "{'ip': '10.11.0.1'}", NULL);
        clock_gettime(CLOCK_MONOTONIC, &ended);
        cr_expect_not(r->ok, "%s", slow_cases[i].name);
        cr_expect_eq(r->class, slow_cases[i].class, "%s: %s: %s", slow_cases[i].name, ft_class_name(r->class), r->error);
        cr_expect_lt(ended.tv_sec - began.tv_sec, 15, "%s", slow_cases[i].name);      /* half of what the server would drip for */
        fake_host_free(f);
        pthread_join(thread, NULL);
        close(server.fd);
        unlink(address.sun_path);
        rmdir(dir);
    }
}

Test(dhcp, control_socket_that_is_not_there)
{
    struct fake_host *f = fake_host_new("dhcp");
    const struct fake_result *r;

    fake_config(f, "{'socket': '/nonexistent/kea.sock'}");
    r = fake_run(f, "server_status", "run", NULL, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_false(fake_at(r->result, "up")));
    r = fake_run(f, "lease", "run", "{'ip': '10.11.0.1'}", NULL);
    cr_expect_eq(r->class, FT_UNREACHABLE);
    cr_expect(strstr(r->error, "/nonexistent/kea.sock"), "%s", r->error);
    fake_host_free(f);
}

/* ---- answers recorded from a real Kea 2.2, where they are at hand ---- */

Test(dhcp, recorded_answers)
{
    static const struct { const char *file, *action, *params, *path, *value; } recorded[] = {
        { "03-lease4-get.json", "lease", "{'ip': '10.99.0.100'}", "mac", "ca:1f:3c:8c:b4:38" },
        { "04-lease4-get-by-hw-address.json", "lease", "{'mac': '02:00:00:00:00:01'}", "ip", NULL },
        { "09-lease4-get-by-hostname.json", "lease", "{'hostname': 'cam1'}", "ip", "10.99.0.102" },
        { "18-status-get.json", "server_status", "{}", "error", NULL },
        { "10-lease4-get-page.json", "leases", "{}", "leases.0.ip", "10.99.0.100" },
    };

    for (size_t i = 0; i < sizeof(recorded) / sizeof(recorded[0]); i++) {
        char path[600];
        json_t *sample;
        char *body;
        struct fake_host *f;
        const struct fake_result *r;

        snprintf(path, sizeof(path), "%s/../shared/reference/samples/kea-2.2/%s", getenv("FETTLE_SOURCE"), recorded[i].file);
        sample = json_load_file(path, 0, NULL);
        if (!sample)
            cr_skip_test("no recorded answers at hand");
        f = kea_host();
        body = json_dumps(json_object_get(sample, "reply"), JSON_COMPACT);
        FAKE_HTTP(f, .status = 200, .body = body);
        r = fake_run(f, recorded[i].action, "run", recorded[i].params, NULL);
        cr_assert(r->ok, "%s: %s", recorded[i].file, r->error);
        if (recorded[i].value)
            cr_expect_str_eq(fake_str(r->result, recorded[i].path), recorded[i].value, "%s", recorded[i].file);
        else
            cr_expect(json_is_null(fake_at(r->result, recorded[i].path)), "%s", recorded[i].file);
        free(body);
        json_decref(sample);
        fake_host_free(f);
    }
}
