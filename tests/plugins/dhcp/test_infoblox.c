/* The dhcp plugin with `system: infoblox`, against scripted answers of a WAPI. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fake_host.h"

#define NOW 1795227185               /* fake_wall's default start, 2026-11-21T02:13:05Z */

static struct fake_host *grid(void)
{
    struct fake_host *f = fake_host_new("dhcp");

    fake_config(f, "{'system': 'infoblox', 'url': 'https://gm.test/', 'user': 'fettle', 'password': 'sesame42', 'vlans': {'110': '10.11.0.0/24'}}");
    return f;
}

static void wapi(struct fake_host *f, const char *method, const char *url, const char *body)
{
    FAKE_HTTP(f, .method = method, .url = url, .status = 200, .body = body);
}

static const char *url_at(const struct fake_result *r, size_t i) { return fake_str(json_array_get(r->requests, i), "url"); }

#define LEASE(ip, state, age) "{'_ref': 'lease/ZG5zLmxlYXNl:" ip "/default', 'address': '" ip "', 'binding_state': '" state "', 'hardware': '02:00:00:00:00:AA', " \
    "'starts': 1795200000, 'cltt': " #age ", 'ends': 1795230000, 'network': '10.11.0.0/24', 'client_hostname': 'cam-1'}"
#define LIST(...) "{'result': [" __VA_ARGS__ "]}"
#define NETWORK "{'_ref': 'network/ZG5z:10.11.0.0/24/default', 'network': '10.11.0.0/24', 'network_view': 'default', 'extattrs': {'VLAN': {'value': 999}}}"
#define RANGE "{'_ref': 'range/ZG5z:10.11.0.10/10.11.0.99/default', 'start_addr': '10.11.0.10', 'end_addr': '10.11.0.99', 'network': '10.11.0.0/24', 'network_view': 'default', " \
    "'total_hosts': 90, 'dynamic_hosts': 40, 'static_hosts': 5, 'dhcp_utilization': 500, 'server_association_type': 'FAILOVER', 'failover_association': 'pair'}"
#define FIXED "{'_ref': 'fixedaddress/ZG5z:10.11.0.20/default', 'ipv4addr': '10.11.0.20', 'mac': '02:00:00:00:00:20', 'name': 'door-3', 'network': '10.11.0.0/24', 'match_client': 'MAC_ADDRESS'}"

Test(infoblox, lease_by_address_prefers_the_one_in_use)
{
    struct fake_host *f = grid();
    const struct fake_result *r;

    FAKE_HTTP(f, .method = "GET", .status = 200, .body = LIST(LEASE("10.11.0.40", "FREE", 1795227000) ", " LEASE("10.11.0.40", "ACTIVE", 1795220000) ", 7, {'address': 5}"));
    r = fake_run(f, "lease", "run", "{'ip': '10.11.0.40'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(strncmp(url_at(r, 0), "https://gm.test/wapi/v2.12/lease?", 33) == 0, "%s", url_at(r, 0));
    cr_expect(strstr(url_at(r, 0), "&address=10.11.0.40") && strstr(url_at(r, 0), "_paging=1") && strstr(url_at(r, 0), "_return_as_object=1"), "%s", url_at(r, 0));
    cr_expect_str_eq(fake_str(r->requests, "0.user"), "fettle");
    cr_expect_str_eq(fake_str(r->result, "binding_state"), "ACTIVE");
    cr_expect_str_eq(fake_str(r->result, "mac"), "02:00:00:00:00:aa");
    cr_expect_eq(fake_int(r->result, "age_s"), 7185);
    cr_expect_eq(fake_int(r->result, "expires_in_s"), 2815);
    fake_host_free(f);
}

static const struct { const char *binding, *state; } bindings[] = {
    { "ACTIVE", "active" }, { "STATIC", "active" }, { "ABANDONED", "declined" }, { "FREE", "reclaimed" }, { "EXPIRED", "reclaimed" }, { "WHATEVER", "reclaimed" },
};

Test(infoblox, states)
{
    for (size_t i = 0; i < sizeof(bindings) / sizeof(bindings[0]); i++) {
        struct fake_host *f = grid();
        const struct fake_result *r;
        char body[500];

        snprintf(body, sizeof(body), "{\"result\": [{\"address\": \"10.11.0.40\", \"binding_state\": \"%s\", \"ends\": \"1795230000\", \"starts\": 1795220000}]}", bindings[i].binding);
        FAKE_HTTP(f, .status = 200, .body = body);
        r = fake_run(f, "lease", "run", "{'ip': '10.11.0.40'}", NULL);
        cr_assert(r->ok, "%s: %s", bindings[i].binding, r->error);
        cr_expect_str_eq(fake_str(r->result, "state"), bindings[i].state, "%s", bindings[i].binding);
        cr_expect_eq(fake_int(r->result, "expires_in_s"), 2815, "times may be texts");
        fake_host_free(f);
    }
}

/* ---- sessions ---- */

static const struct ft_http_header cookie[] = { { "set-cookie", "other=1" }, { "set-cookie", "ibapauth=\"user=fettle,SECRETSECRET\"; httponly; path=/" }, { NULL, NULL } };

Test(infoblox, one_login_serves_all_and_is_renewed)
{
    struct fake_host *f = grid();
    const struct fake_result *r;

    FAKE_HTTP(f, .status = 200, .body = LIST(""), .headers = cookie);
    r = fake_run(f, "lease", "run", "{'ip': '10.11.0.40'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    r = fake_run(f, "lease", "run", "{'ip': '10.11.0.41'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_null(fake_str(r->requests, "0.user"), "the cookie is enough");
    cr_expect_str_eq(fake_str(r->requests, "0.headers.Cookie") ?: fake_str(r->requests, "0.headers.cookie"), "ibapauth=\"user=fettle,SECRETSECRET\"");
    fake_host_free(f);

    f = grid();
    FAKE_HTTP(f, .status = 200, .body = LIST(""), .headers = cookie);
    FAKE_HTTP(f, .status = 401, .body = "<html>login</html>");
    FAKE_HTTP(f, .status = 200, .body = LIST(LEASE("10.11.0.40", "ACTIVE", 1795220000)));
    r = fake_run(f, "lease", "run", "{'ip': '10.11.0.40'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    r = fake_run(f, "lease", "run", "{'ip': '10.11.0.40'}", NULL);
    cr_assert(r->ok, "the session was over, so it logged in again: %s", r->error);
    cr_expect_eq(json_array_size(r->requests), 2);
    cr_expect_str_eq(fake_str(r->requests, "1.user"), "fettle");
    fake_host_free(f);
}

Test(infoblox, a_wrong_password_is_tried_once)
{
    struct fake_host *f = grid();
    const struct fake_result *r;

    FAKE_HTTP(f, .status = 401, .body = "<html>login</html>");
    r = fake_run(f, "lease", "run", "{'ip': '10.11.0.40'}", NULL);
    cr_expect_eq(r->class, FT_DENIED, "%s", r->error);
    cr_expect_eq(json_array_size(r->requests), 1);
    r = fake_run(f, "server_status", "run", NULL, NULL);
    cr_expect_eq(r->class, FT_DENIED, "%s", r->error);
    fake_host_free(f);
}

/* ---- pages ---- */

Test(infoblox, pages_are_followed_and_end)
{
    struct fake_host *f = grid();
    const struct fake_result *r;

    wapi(f, "GET", NULL, "{'result': [" LEASE("10.11.0.40", "ACTIVE", 1795220000) "], 'next_page_id': 'a/b?c'}");
    wapi(f, "GET", "lease?_page_id=a%2Fb%3Fc", LIST(LEASE("10.11.0.41", "ABANDONED", 1795220000)));
    r = fake_run(f, "leases", "run", NULL, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(fake_int(r->result, "count"), 2);
    cr_expect_str_eq(fake_str(r->result, "leases.1.state"), "declined");
    fake_host_free(f);

    f = grid();
    wapi(f, "GET", NULL, "{'result': [], 'next_page_id': 'again'}");
    r = fake_run(f, "leases", "run", NULL, NULL);
    cr_expect_eq(r->class, FT_INVALID, "%s", r->error);
    cr_expect_leq(json_array_size(r->requests), 51, "a list that never ends is ended");
    fake_host_free(f);
}

/* ---- networks ---- */

Test(infoblox, pool_use_counts_ranges)
{
    struct fake_host *f = grid();
    const struct fake_result *r;

    FAKE_HTTP(f, .url = NULL, .status = 200, .body = LIST(NETWORK ", {'network': 'nonsense'}, {'network': 5}"));
    FAKE_HTTP(f, .url = NULL, .status = 200, .body = LIST(RANGE ", {'start_addr': '10.11.0.100', 'end_addr': '10.11.0.109', 'network': '10.11.0.0/24', 'network_view': 'default', 'dhcp_utilization': 500}"
              ", {'start_addr': '10.11.0.200', 'end_addr': '10.11.0.209', 'network': '10.11.0.0/24', 'network_view': 'other'}, {'start_addr': 'x', 'network': '10.11.0.0/24'}, 7"));
    r = fake_run(f, "pool_use", "run", "{'vlan': 110}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(strstr(url_at(r, 0), "network=10.11.0.0%2F24"), "%s", url_at(r, 0));
    cr_expect_eq(fake_int(r->result, "total"), 100);
    cr_expect_eq(fake_int(r->result, "assigned"), 50);
    cr_expect_eq(json_array_size(fake_at(r->result, "pools")), 2, "a range of another view, one that is none");
    cr_expect_str_eq(fake_str(r->result, "subnet"), "10.11.0.0/24");
    fake_host_free(f);
}

static const struct { const char *params, *query; } choices[] = {
    { "{'vlan': 110}", "&network=10.11.0.0%2F24" }, { "{'vlan': 120}", "&*VLAN=120" }, { "{'ip': '10.11.0.7'}", "&contains_address=10.11.0.7" },
    { "{'subnet': '10.11.0.0/24'}", "&network=10.11.0.0%2F24" }, { "{'subnet_id': 168493056}", "&network~=%5E10.11.0.0%2F" },
};

Test(infoblox, a_network_is_chosen_by_the_server)
{
    for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
        struct fake_host *f = grid();
        const struct fake_result *r;

        FAKE_HTTP(f, .status = 200, .body = LIST(""));
        r = fake_run(f, "pool_use", "run", choices[i].params, NULL);
        cr_expect_eq(r->class, FT_NOT_FOUND, "%s: %s", choices[i].params, r->error);
        cr_expect(strstr(url_at(r, 0), choices[i].query), "%s: %s", choices[i].params, url_at(r, 0));
        fake_host_free(f);
    }
}

/* ---- changes ---- */

Test(infoblox, clearing_a_lease_shows_and_sends_the_same)
{
    struct fake_host *f = grid();
    const struct fake_result *r;
    char *receipt;

    wapi(f, "GET", NULL, LIST(LEASE("10.11.0.40", "ACTIVE", 1795220000)));
    wapi(f, "DELETE", NULL, "\"lease/ZG5zLmxlYXNl:10.11.0.40/default\"");
    r = fake_run(f, "lease_delete", "plan", "{'ip': '10.11.0.40'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->result, "requests.0.method"), "DELETE");
    cr_expect_str_eq(fake_str(r->result, "requests.0.url"), "https://gm.test/wapi/v2.12/lease/ZG5zLmxlYXNl:10.11.0.40/default");
    receipt = json_dumps(fake_at(r->result, "receipt"), 0);
    r = fake_run(f, "lease_delete", "run", "{'ip': '10.11.0.40'}", receipt);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(fake_int(r->result, "freed"), 1);
    cr_expect_str_eq(url_at(r, 1), "https://gm.test/wapi/v2.12/lease/ZG5zLmxlYXNl:10.11.0.40/default");
    r = fake_run(f, "lease_delete", "undo", "{'ip': '10.11.0.40'}", receipt);
    cr_expect_eq(r->class, FT_INVALID, "%s", r->error);
    cr_expect(strstr(r->error, "no way to add a lease"), "%s", r->error);
    free(receipt);
    fake_host_free(f);
}

static const char *const bad_refs[] = { "lease/../grid/x", "lease/x?_function=y", "leases/x", "fixedaddress/x", "lease/x y", "lease", "http://evil/lease/x", "lease/x#y" };

Test(infoblox, what_is_no_reference_is_not_sent)
{
    for (size_t i = 0; i < sizeof(bad_refs) / sizeof(bad_refs[0]); i++) {
        struct fake_host *f = grid();
        const struct fake_result *r;
        char body[400];

        snprintf(body, sizeof(body), "{\"result\": [{\"_ref\": \"%s\", \"address\": \"10.11.0.40\", \"binding_state\": \"ACTIVE\"}]}", bad_refs[i]);
        FAKE_HTTP(f, .method = "GET", .status = 200, .body = body);
        r = fake_run(f, "lease_delete", "run", "{'ip': '10.11.0.40'}", NULL);
        cr_expect_eq(r->class, FT_INVALID, "%s: %s", bad_refs[i], r->error);
        for (size_t k = 0; k < json_array_size(r->requests); k++)
            cr_expect_str_eq(fake_str(json_array_get(r->requests, k), "method"), "GET", "%s", bad_refs[i]);
        fake_host_free(f);
    }
}

Test(infoblox, a_reservation_is_planned_sent_and_taken_back)
{
    static const char params[] = "{'mac': '0200.0000.0030', 'ip': '10.11.0.30', 'hostname': 'cam'}";
    struct fake_host *f = grid();
    const struct fake_result *r;
    char *receipt, *planned, *sent;

    wapi(f, "GET", NULL, LIST(""));
    FAKE_HTTP(f, .method = "POST", .url = "/wapi/v2.12/fixedaddress", .status = 201, .body = "\"fixedaddress/ZG5z:10.11.0.30/default\"");
    r = fake_run(f, "reservation_add", "plan", params, NULL);
    cr_assert(r->ok, "%s", r->error);
    planned = json_is_string(fake_at(r->result, "requests.0.body")) ? strdup(fake_str(r->result, "requests.0.body")) : json_dumps(fake_at(r->result, "requests.0.body"), JSON_COMPACT);
    receipt = json_dumps(fake_at(r->result, "receipt"), 0);
    r = fake_run(f, "reservation_add", "run", params, receipt);
    cr_assert(r->ok, "%s", r->error);
    sent = json_dumps(fake_at(r->requests, "1.json"), JSON_COMPACT);
    cr_expect_str_eq(planned, sent);
    cr_expect(json_is_true(fake_at(r->result, "restart_needed")) && json_is_true(fake_at(r->result, "changed")));
    cr_expect_str_eq(fake_str(r->requests, "1.json.mac"), "02:00:00:00:00:30");
    fake_host_free(f);

    f = grid();
    wapi(f, "GET", NULL, LIST("{'_ref': 'fixedaddress/ZG5z:10.11.0.30/default', 'ipv4addr': '10.11.0.30', 'mac': '02:00:00:00:00:30'}"));
    wapi(f, "DELETE", "fixedaddress/ZG5z:10.11.0.30/default", "\"x\"");
    r = fake_run(f, "reservation_add", "undo", params, receipt);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(json_array_size(r->requests), 2);
    r = fake_run(f, "reservation_add", "probe", params, receipt);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_true(fake_at(r->result, "happened")));
    r = fake_run(f, "reservation_add", "plan", params, NULL);
    cr_expect(json_is_true(fake_at(r->result, "nothing_to_do")), "%s", r->error);
    r = fake_run(f, "reservation_add", "run", "{'mac': '02:00:00:00:00:31', 'ip': '10.11.0.30'}", NULL);
    cr_expect_eq(r->class, FT_CONFLICT, "%s", r->error);
    free(receipt);
    free(planned);
    free(sent);
    fake_host_free(f);
}

Test(infoblox, a_deleted_reservation_comes_back_as_it_was)
{
    struct fake_host *f = grid();
    const struct fake_result *r;
    char *receipt;

    wapi(f, "GET", NULL, LIST(FIXED));
    wapi(f, "DELETE", "fixedaddress/ZG5z:10.11.0.20/default", "\"x\"");
    r = fake_run(f, "reservation", "run", "{'mac': '02:00:00:00:00:20'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->result, "ip"), "10.11.0.20");
    cr_expect_eq(fake_int(r->result, "subnet_id"), 168493056);
    r = fake_run(f, "reservation_del", "run", "{'mac': '02:00:00:00:00:20'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    receipt = json_dumps(r->kept, 0);
    r = fake_run(f, "reservation_del", "undo", "{'mac': '02:00:00:00:00:20'}", receipt);
    cr_expect_eq(r->class, FT_CONFLICT, "it is there again: %s", r->error);
    fake_host_free(f);

    f = grid();
    wapi(f, "GET", NULL, LIST(""));
    FAKE_HTTP(f, .method = "POST", .status = 201, .body = "\"x\"");
    r = fake_run(f, "reservation_del", "undo", "{'mac': '02:00:00:00:00:20'}", receipt);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->requests, "1.json.name"), "door-3");
    cr_expect_str_eq(fake_str(r->requests, "1.json.match_client"), "MAC_ADDRESS");
    cr_expect_null(fake_str(r->requests, "1.json._ref"));
    r = fake_run(f, "reservation_del", "plan", "{'mac': '02:00:00:00:00:20'}", NULL);
    cr_expect(json_is_true(fake_at(r->result, "nothing_to_do")), "%s", r->error);
    free(receipt);
    fake_host_free(f);

    f = grid();
    wapi(f, "GET", NULL, LIST(FIXED ", " FIXED));
    r = fake_run(f, "reservation_del", "run", "{'mac': '02:00:00:00:00:20'}", NULL);
    cr_expect_eq(r->class, FT_CONFLICT, "one of two is not chosen for the user: %s", r->error);
    fake_host_free(f);
}

Test(infoblox, a_new_range_is_served_by_whom_the_others_are)
{
    static const char params[] = "{'vlan': 110, 'pool': '10.11.0.200 - 10.11.0.220'}";
    struct fake_host *f = grid();
    const struct fake_result *r;

    FAKE_HTTP(f, .method = "GET", .status = 200, .body = LIST(NETWORK));
    FAKE_HTTP(f, .method = "GET", .status = 200, .body = LIST(RANGE));
    FAKE_HTTP(f, .method = "POST", .url = "/range", .status = 201, .body = "\"range/x\"");
    r = fake_run(f, "pool_extend", "run", params, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->requests, "2.json.failover_association"), "pair");
    cr_expect_str_eq(fake_str(r->requests, "2.json.server_association_type"), "FAILOVER");
    cr_expect_str_eq(fake_str(r->requests, "2.json.start_addr"), "10.11.0.200");
    cr_expect_eq(fake_int(r->result, "added"), 21);
    fake_host_free(f);

    f = grid();
    wapi(f, "GET", NULL, LIST("{'_ref': 'range/ZG5z:10.11.0.200/10.11.0.220/default'}"));
    wapi(f, "DELETE", "range/ZG5z:10.11.0.200/10.11.0.220/default", "\"x\"");
    r = fake_run(f, "pool_extend", "undo", params, "{'start': '10.11.0.200', 'end': '10.11.0.220', 'network': '10.11.0.0/24'}");
    cr_assert(r->ok, "%s", r->error);
    cr_expect(strstr(url_at(r, 0), "start_addr=10.11.0.200&end_addr=10.11.0.220"), "%s", url_at(r, 0));
    cr_expect_eq(json_array_size(r->requests), 2);
    fake_host_free(f);
}

Test(infoblox, services_restart)
{
    struct fake_host *f = grid();
    const struct fake_result *r;

    wapi(f, "GET", NULL, LIST("{'_ref': 'grid/b25l:Infoblox', 'name': 'Infoblox'}"));
    wapi(f, "POST", "grid/b25l:Infoblox?_function=restartservices", "{}");
    r = fake_run(f, "services_restart", "run", NULL, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->requests, "1.json.restart_option"), "RESTART_IF_NEEDED");
    fake_host_free(f);

    f = fake_host_new("dhcp");
    fake_config(f, "{'url': 'http://kea.test/'}");
    r = fake_run(f, "services_restart", "plan", NULL, NULL);
    cr_expect_eq(r->class, FT_INVALID, "%s", r->error);
    fake_host_free(f);
}

/* ---- what only Kea has ---- */

static const struct { const char *action, *params; } only_kea[] = {
    { "statistics", "{}" }, { "config_get", "{}" }, { "config_backup", "{}" }, { "config_test", "{'config': {}}" }, { "config_set", "{'config': {}}" },
    { "config_restore", "{'file': 'x'}" }, { "config_write", "{}" }, { "ha_status", "{}" }, { "ha_maintenance_start", "{}" }, { "ha_maintenance_cancel", "{}" },
    { "disable", "{'max_period_s': 5}" }, { "enable", "{}" }, { "leases_reclaim", "{}" },
};

Test(infoblox, what_only_kea_has_is_said_at_once)
{
    for (size_t i = 0; i < sizeof(only_kea) / sizeof(only_kea[0]); i++) {
        struct fake_host *f = grid();
        const struct ft_action *const *actions = fake_plugin(f)->actions;
        const struct fake_result *r = fake_run(f, only_kea[i].action, "run", only_kea[i].params, NULL);

        cr_expect_eq(r->class, FT_INVALID, "%s: %s", only_kea[i].action, r->error);
        cr_expect(strstr(r->error, "is Infoblox"), "%s: %s", only_kea[i].action, r->error);
        while (strcmp((*actions)->name, only_kea[i].action) != 0)
            actions++;
        if ((*actions)->plan.start) {
            r = fake_run(f, only_kea[i].action, "plan", only_kea[i].params, NULL);
            cr_expect_eq(r->class, FT_INVALID, "plan of %s: %s", only_kea[i].action, r->error);
        }
        fake_host_free(f);
    }
}

/* ---- faults ---- */

static const struct { const char *action, *params; } each_action[] = {
    { "server_status", "{}" }, { "lease", "{'ip': '10.11.0.1'}" }, { "leases", "{}" }, { "pool_use", "{}" }, { "subnets", "{}" }, { "reservation", "{'ip': '10.11.0.1'}" },
    { "reservation_add", "{'mac': '02:00:00:00:00:01', 'ip': '10.11.0.1'}" }, { "reservation_del", "{'ip': '10.11.0.1'}" }, { "lease_delete", "{'ip': '10.11.0.1'}" },
    { "stale_leases_free", "{'subnet': '10.11.0.0/24'}" }, { "declined_clear", "{'vlan': 110}" }, { "pool_extend", "{'vlan': 110, 'pool': '10.11.0.5-10.11.0.6'}" },
    { "services_restart", "{}" },
};
static const struct { const char *name, *body; int status; enum ft_class fault, class; } faults[] = {
    { "proto", "{\"Error\": \"AdmConProtoError: x\", \"code\": \"Client.Ibap.Proto\", \"text\": \"Unknown argument\"}", 400, 0, FT_INVALID },
    { "not found", "{\"Error\": \"x\", \"code\": \"Client.Ibap.Data.NotFound\", \"text\": \"gone\"}", 404, 0, FT_NOT_FOUND },
    { "not found as 400", "{\"Error\": \"x\", \"code\": \"Client.Ibap.Data.NotFound\", \"text\": \"gone\"}", 400, 0, FT_NOT_FOUND },
    { "conflict", "{\"Error\": \"x\", \"code\": \"Client.Ibap.Data.Conflict\", \"text\": \"taken\"}", 400, 0, FT_CONFLICT },
    { "a code that is none", "{\"Error\": \"x\", \"code\": 5}", 400, 0, FT_INVALID }, { "login", "<html>login</html>", 401, 0, FT_DENIED },
    { "forbidden", "{\"text\": \"no\"}", 403, 0, FT_DENIED }, { "server error", "oops", 500, 0, FT_REFUSED }, { "html", "<html>", 200, 0, FT_INVALID },
    { "truncated", "{\"result\": [", 200, 0, FT_INVALID }, { "a bare list", "[]", 200, 0, FT_INVALID }, { "another type", "{\"result\": {}}", 200, 0, FT_INVALID },
    { "nothing", "", 200, 0, FT_INVALID }, { "lost", NULL, 0, FT_AMBIGUOUS, FT_AMBIGUOUS },
};

Test(infoblox, every_action_says_what_went_wrong)
{
    for (size_t a = 0; a < sizeof(each_action) / sizeof(each_action[0]); a++) {
        for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
            struct fake_host *f = grid();
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

Test(infoblox, a_grid_that_is_away_is_down)
{
    struct fake_host *f = grid();
    const struct fake_result *r;

    FAKE_HTTP(f, .fault = FT_UNREACHABLE, .why = "connection refused");
    r = fake_run(f, "server_status", "run", NULL, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_false(fake_at(r->result, "up")));
    fake_host_free(f);

    f = grid();
    wapi(f, "GET", NULL, LIST("{'host_name': 'm1', 'service_status': [{'service': 'DHCP', 'status': 'FAILED', 'description': 5}, 3, {'service': 7}]}, {'host_name': 4, 'service_status': 'x'}, 9"));
    r = fake_run(f, "server_status", "run", NULL, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_true(fake_at(r->result, "up")) && json_is_false(fake_at(r->result, "listening")));
    cr_expect_str_eq(fake_str(r->result, "members.0.member"), "m1");
    fake_host_free(f);
}
