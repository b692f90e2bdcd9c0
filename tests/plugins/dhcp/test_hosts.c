/* Reservations in Kea's host database: where they are looked for and made, and what undo and probe do. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fake_host.h"

#define CONFIG(hosts) "[{'result': 0, 'arguments': {'Dhcp4': {" hosts "'subnet4': [{'id': 1, 'subnet': '10.11.0.0/24', 'pools': [], " \
    "'reservations': [{'hw-address': '02:00:00:00:00:20', 'ip-address': '10.11.0.20'}]}]}}}]"
#define WITH CONFIG("'hosts-databases': [{'type': 'mysql', 'password': 'db-passphrase'}], ")
#define WITHOUT CONFIG("")
#define HOST(mac, ip) "[{'result': 0, 'text': 'Host found.', 'arguments': {'subnet-id': 1, 'hw-address': '" mac "', 'ip-address': '" ip "', 'hostname': 'cam', 'client-classes': ['x']}}]"
#define HOSTS(a) "[{'result': 0, 'arguments': {'hosts': [" a "]}}]"
#define ONE "{'subnet-id': 1, 'hw-address': '02:00:00:00:00:30', 'ip-address': '10.11.0.30'}"
#define NONE "[{'result': 3, 'text': 'Host not found.'}]"
#define OK "[{'result': 0, 'text': 'done'}]"
#define NO_HOOK "[{'result': 2, 'text': 'command not supported.'}]"
#define ADD "{'mac': '0200.0000.0030', 'ip': '10.11.0.30', 'hostname': 'cam'}"

static struct fake_host *kea_with(const char *config)
{
    struct fake_host *f = fake_host_new("dhcp");

    fake_config(f, "{'url': 'http://kea.test/'}");
    FAKE_HTTP(f, .request_has = "\"command\":\"config-get\"", .status = 200, .body = config);
    FAKE_HTTP(f, .request_has = "\"command\":\"status-get\"", .status = 200, .body = "[{'result': 0, 'arguments': {}}]");
    return f;
}

static void kea(struct fake_host *f, const char *command, const char *body)
{
    char has[80];

    snprintf(has, sizeof(has), "\"command\":\"%s\"", command);
    FAKE_HTTP(f, .request_has = has, .status = 200, .body = body);
}

static const char *last_command(const struct fake_result *r)
{
    return fake_str(json_array_get(r->requests, json_array_size(r->requests) - 1), "json.command");
}

/* ---- reading ---- */

static const struct { const char *what, *config, *params, *by_id, *get; bool found, complete; const char *store; } reads[] = {
    { "in the configuration", WITH, "{'ip': '10.11.0.20'}", NONE, NONE, true, true, "config" },
    { "in the database, by MAC", WITH, "{'mac': '02-00-00-00-00-30'}", HOSTS(ONE), NONE, true, true, "database" },
    { "in the database, by address", WITH, "{'ip': '10.11.0.30'}", NONE, HOST("02:00:00:00:00:30", "10.11.0.30"), true, true, "database" },
    { "in neither", WITH, "{'ip': '10.11.0.31'}", NONE, NONE, false, true, NULL },
    { "an address of no subnet", WITH, "{'ip': '192.0.2.1'}", NONE, NONE, false, true, NULL },
    { "no database", WITHOUT, "{'ip': '10.11.0.31'}", NO_HOOK, NO_HOOK, false, true, NULL },
    { "a database without its commands", WITH, "{'mac': '02:00:00:00:00:31'}", NO_HOOK, NO_HOOK, false, false, NULL },
};

Test(hosts, where_a_reservation_is_found)
{
    for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
        struct fake_host *f = kea_with(reads[i].config);
        const struct fake_result *r;

        kea(f, "reservation-get-by-id", reads[i].by_id);
        kea(f, "reservation-get", reads[i].get);
        r = fake_run(f, "reservation", "run", reads[i].params, NULL);
        cr_assert(r->ok, "%s: %s", reads[i].what, r->error);
        cr_expect_eq(json_is_true(fake_at(r->result, "found")), reads[i].found, "%s", reads[i].what);
        cr_expect_eq(json_is_true(fake_at(r->result, "complete")), reads[i].complete, "%s", reads[i].what);
        if (reads[i].store)
            cr_expect_str_eq(fake_str(r->result, "store"), reads[i].store, "%s", reads[i].what);
        fake_host_free(f);
    }
}

/* ---- writing ---- */

Test(hosts, added_with_one_command_that_the_plan_showed_and_taken_back)
{
    struct fake_host *f = kea_with(WITH);
    const struct fake_result *r;
    char *planned, *sent, *receipt;

    kea(f, "reservation-get", NONE);
    kea(f, "reservation-add", OK);
    r = fake_run(f, "reservation_add", "plan", ADD, NULL);
    cr_assert(r->ok, "%s", r->error);
    planned = json_is_string(fake_at(r->result, "requests.0.body")) ? strdup(fake_str(r->result, "requests.0.body")) : json_dumps(fake_at(r->result, "requests.0.body"), JSON_COMPACT);
    receipt = json_dumps(fake_at(r->result, "receipt"), 0);
    cr_expect_str_eq(fake_str(r->result, "receipt.store"), "database");
    r = fake_run(f, "reservation_add", "run", ADD, receipt);
    cr_assert(r->ok, "%s", r->error);
    sent = json_dumps(fake_at(json_array_get(r->requests, json_array_size(r->requests) - 1), "json"), JSON_COMPACT);
    cr_expect_str_eq(planned, sent);
    cr_expect(strstr(sent, "\"subnet-id\":1") && strstr(sent, "\"hostname\":\"cam\""), "%s", sent);
    cr_expect_str_eq(fake_str(r->result, "subnet"), "10.11.0.0/24");
    fake_host_free(f);

    f = kea_with(WITH);
    kea(f, "reservation-get", HOST("02:00:00:00:00:30", "10.11.0.30"));
    kea(f, "reservation-del", OK);
    r = fake_run(f, "reservation_add", "undo", ADD, receipt);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(last_command(r), "reservation-del");
    r = fake_run(f, "reservation_add", "probe", ADD, receipt);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_true(fake_at(r->result, "happened")));
    free(planned);
    free(sent);
    free(receipt);
    fake_host_free(f);
}

Test(hosts, deleted_and_put_back_as_it_was)
{
    struct fake_host *f = kea_with(WITH);
    const struct fake_result *r;
    char *receipt;

    kea(f, "reservation-get", HOST("02:00:00:00:00:30", "10.11.0.30"));
    kea(f, "reservation-del", OK);
    r = fake_run(f, "reservation_del", "run", "{'ip': '10.11.0.30'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(last_command(r), "reservation-del");
    receipt = json_dumps(r->kept, 0);
    fake_host_free(f);

    f = kea_with(WITH);
    kea(f, "reservation-get", NONE);
    kea(f, "reservation-add", OK);
    r = fake_run(f, "reservation_del", "undo", "{'ip': '10.11.0.30'}", receipt);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(last_command(r), "reservation-add");
    cr_expect_str_eq(fake_str(json_array_get(r->requests, json_array_size(r->requests) - 1), "json.arguments.reservation.client-classes.0"), "x");
    fake_host_free(f);

    f = kea_with(WITH);
    kea(f, "reservation-get", HOST("02:00:00:00:00:31", "10.11.0.30"));
    r = fake_run(f, "reservation_del", "undo", "{'ip': '10.11.0.30'}", receipt);
    cr_expect_eq(r->class, FT_CONFLICT, "%s", r->error);
    free(receipt);
    fake_host_free(f);
}

static const struct { const char *what, *config, *action, *params, *get, *by_id; bool ok; enum ft_class class; const char *last; } ways[] = {
    { "twice is once", WITH, "reservation_add", ADD, HOST("02:00:00:00:00:30", "10.11.0.30"), NONE, true, 0, "reservation-get" },
    { "another client's address", WITH, "reservation_add", ADD, HOST("02:00:00:00:00:31", "10.11.0.30"), NONE, false, FT_CONFLICT, "reservation-get" },
    { "no commands for the database", WITH, "reservation_add", ADD, NO_HOOK, NO_HOOK, false, FT_REFUSED, "reservation-get" },
    { "into the configuration on request", WITH, "reservation_add", "{'mac': '02:00:00:00:00:30', 'ip': '10.11.0.30', 'store': 'config'}", NONE, NONE, true, 0, "config-write" },
    { "into a database on request", WITHOUT, "reservation_add", "{'mac': '02:00:00:00:00:30', 'ip': '10.11.0.30', 'store': 'database'}", NONE, NONE, true, 0, "reservation-add" },
    { "no database", WITHOUT, "reservation_add", ADD, NONE, NONE, true, 0, "config-write" },
    { "deleted where it is", WITH, "reservation_del", "{'ip': '10.11.0.20'}", NONE, NONE, true, 0, "config-write" },
    { "deleted in the database", WITH, "reservation_del", "{'mac': '02:00:00:00:00:30'}", NONE, HOSTS(ONE), true, 0, "reservation-del" },
    { "one of two is not chosen", WITH, "reservation_del", "{'mac': '02:00:00:00:00:30'}", NONE, HOSTS(ONE ", " ONE), false, FT_CONFLICT, "reservation-get-by-id" },
    { "nothing to delete", WITH, "reservation_del", "{'mac': '02:00:00:00:00:30'}", NONE, HOSTS(""), true, 0, "reservation-get-by-id" },
    { "an odd entry is left alone", WITH, "reservation_del", "{'mac': '02:00:00:00:00:30'}", NONE, HOSTS("{'hw-address': 5}"), false, FT_REFUSED, "reservation-get-by-id" },
    { "a subnet that is not there", WITH, "reservation_add", "{'mac': '02:00:00:00:00:30', 'ip': '192.0.2.1'}", NONE, NONE, false, FT_NOT_FOUND, "config-get" },
};

Test(hosts, ways_of_a_change)
{
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        struct fake_host *f = kea_with(ways[i].config);
        const struct fake_result *r;

        kea(f, "reservation-get-by-id", ways[i].by_id);
        kea(f, "reservation-get", ways[i].get);
        kea(f, "reservation-add", OK);
        kea(f, "reservation-del", OK);
        kea(f, "config-test", OK);
        kea(f, "config-set", OK);
        kea(f, "config-write", OK);
        r = fake_run(f, ways[i].action, "run", ways[i].params, NULL);
        cr_expect_eq(r->ok, ways[i].ok, "%s: %s", ways[i].what, r->error);
        if (!ways[i].ok)
            cr_expect_eq(r->class, ways[i].class, "%s: %s: %s", ways[i].what, ft_class_name(r->class), r->error);
        cr_expect_str_eq(last_command(r), ways[i].last, "%s", ways[i].what);
        cr_expect_not(strstr(r->error, "db-passphrase"), "%s", ways[i].what);
        fake_host_free(f);
    }
}
