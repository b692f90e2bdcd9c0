/* The snmp plugin against an agent that answers what a table says: right, wrong, and hostile. net-snmp's real agent: tests/peers/test_snmp.py. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "fake_host.h"

/* ---- BER, written from the back ---- */

struct out { uint8_t bytes[4096]; size_t at; };

static void put(struct out *o, const void *bytes, size_t len)
{
    o->at -= len;
    memcpy(o->bytes + o->at, bytes, len);
}

static void head(struct out *o, uint8_t type, size_t len)
{
    uint8_t h[] = { type, 0x82, (uint8_t)(len >> 8), (uint8_t)len };

    put(o, h, sizeof(h));
}

static void put_int(struct out *o, uint32_t value)
{
    uint8_t b[] = { 0x02, 4, (uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value };

    put(o, b, sizeof(b));
}

/* "1.3.6.1.2.1.1.5.0": every number below 128. */
static void put_oid(struct out *o, const char *text)
{
    uint8_t b[64];
    size_t n = 0;
    int first = 0, second = 0, used = 0;

    sscanf(text, "%d.%d%n", &first, &second, &used);
    b[n++] = (uint8_t)(first * 40 + second);
    for (text += used; *text; n++)
        b[n] = (uint8_t)strtol(text + 1, (char **)&text, 10);
    put(o, b, n);
    head(o, 0x06, n);
}

/* ---- The agent ---- */

struct row { const char *oid; uint8_t type; const char *value; size_t len; };
struct reply { int error, index; struct row rows[4]; };

static struct {
    int fd;
    const struct reply *replies; size_t count;
    const char *fault;                           /* "silent", "id", "version", "cut", "garbage", "large" */
    unsigned asked;
} agent;

static void make(struct out *o, const struct reply *r, uint32_t id, bool other_version)
{
    size_t end = o->at = sizeof(o->bytes), mark;

    for (int i = 3; i >= 0; i--) {
        if (!r->rows[i].oid)
            continue;
        mark = o->at;
        put(o, r->rows[i].value, r->rows[i].len);
        head(o, r->rows[i].type, r->rows[i].len);
        put_oid(o, r->rows[i].oid);
        head(o, 0x30, mark - o->at);
    }
    head(o, 0x30, end - o->at);
    put_int(o, (uint32_t)r->index);
    put_int(o, (uint32_t)r->error);
    put_int(o, id);
    head(o, 0xa2, end - o->at);
    put(o, "public", 6);
    head(o, 0x04, 6);
    put_int(o, other_version ? 0 : 1);
    head(o, 0x30, end - o->at);
}

/* The request id stands behind the community and the head of the PDU; requests here are short. */
static uint32_t id_of(const uint8_t *request)
{
    const uint8_t *p = request + 5 + 2 + request[6];         /* 30 len 02 01 version 04 len community */
    uint32_t id = 0;

    for (uint8_t i = 0; i < p[3]; i++)
        id = id << 8 | p[4 + i];
    return id;
}

static void *serve(void *arg)
{
    static struct out o;
    uint8_t request[2048];
    struct sockaddr_in from;
    socklen_t len = sizeof(from);

    while (recvfrom(agent.fd, request, sizeof(request), 0, (struct sockaddr *)&from, &len) > 1) {
        const char *fault = agent.fault ? agent.fault : "";
        const struct reply *r = &agent.replies[agent.asked < agent.count ? agent.asked : agent.count - 1];

        agent.asked++;
        if (strcmp(fault, "silent") == 0)
            continue;
        make(&o, r, id_of(request) + (strcmp(fault, "id") == 0), strcmp(fault, "version") == 0);
        if (strcmp(fault, "garbage") == 0)
            memset(o.bytes + o.at, 0xff, sizeof(o.bytes) - o.at);
        sendto(agent.fd, o.bytes + o.at, (sizeof(o.bytes) - o.at) / (strcmp(fault, "cut") == 0 ? 2 : 1), 0, (struct sockaddr *)&from, len);
    }
    return arg;
}

static struct fake_host *f;

static const struct fake_result *run(const char *action, const char *entry, const char *params, const char *receipt, const struct reply *replies, size_t count, const char *fault)
{
    struct sockaddr_in self = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(self);
    const struct fake_result *r;
    pthread_t thread;
    char config[300];

    agent.fd = socket(AF_INET, SOCK_DGRAM, 0);
    agent.replies = replies;
    agent.count = count;
    agent.fault = fault;
    agent.asked = 0;
    cr_assert(bind(agent.fd, (struct sockaddr *)&self, sizeof(self)) == 0 && getsockname(agent.fd, (struct sockaddr *)&self, &len) == 0);
    pthread_create(&thread, NULL, serve, NULL);
    snprintf(config, sizeof(config), "{'agents': {'a': {'host': '127.0.0.1', 'port': %u, 'community': 'public', 'timeout_s': 0.2, 'retries': 0}}}", ntohs(self.sin_port));
    f = fake_host_new("snmp");
    fake_config(f, config);
    r = fake_run(f, action, entry, params, receipt);
    sendto(agent.fd, "x", 1, 0, (struct sockaddr *)&self, sizeof(self));
    pthread_join(thread, NULL);
    close(agent.fd);
    return r;
}

#define NAME "1.3.6.1.2.1.1.5.0"
#define ROW(oid, type, text) { oid, type, text, sizeof(text) - 1 }
#define REPLY(...) { .rows = { __VA_ARGS__ } }

/* ---- Values ---- */

static const struct { struct reply reply; const char *json; } values[] = {
    { REPLY(ROW(NAME, 0x04, "sw-1")), "{'oid': '" NAME "', 'type': 'string', 'value': 'sw-1', 'exists': true}" },
    { REPLY(ROW(NAME, 0x04, "")), "{'oid': '" NAME "', 'type': 'string', 'value': '', 'exists': true}" },
    { REPLY(ROW(NAME, 0x04, "with NUL\0")), "{'oid': '" NAME "', 'type': 'string', 'value': 'with NUL', 'exists': true}" },
    { REPLY(ROW(NAME, 0x04, "\xe4\xf6")), "{'oid': '" NAME "', 'type': 'hex', 'value': 'e4f6', 'exists': true}" },
    { REPLY(ROW(NAME, 0x04, "\0")), "{'oid': '" NAME "', 'type': 'hex', 'value': '00', 'exists': true}" },
    { REPLY(ROW(NAME, 0x02, "\xff")), "{'oid': '" NAME "', 'type': 'integer', 'value': -1, 'exists': true}" },
    { REPLY(ROW(NAME, 0x41, "\0\xff\xff\xff\xff")), "{'oid': '" NAME "', 'type': 'counter32', 'value': 4294967295, 'exists': true}" },
    { REPLY(ROW(NAME, 0x42, "\x7f")), "{'oid': '" NAME "', 'type': 'gauge32', 'value': 127, 'exists': true}" },
    { REPLY(ROW(NAME, 0x43, "\x01\x00")), "{'oid': '" NAME "', 'type': 'timeticks', 'value': 256, 'exists': true}" },
    { REPLY(ROW(NAME, 0x46, "\x20\0\0\0\0\0\x01")), "{'oid': '" NAME "', 'type': 'counter64', 'value': 9007199254740993, 'exists': true}" },
    { REPLY(ROW(NAME, 0x46, "\x7f\xff\xff\xff\xff\xff\xff\xff")), "{'oid': '" NAME "', 'type': 'counter64', 'value': 9223372036854775807, 'exists': true}" },
    { REPLY(ROW(NAME, 0x46, "\0\xff\xff\xff\xff\xff\xff\xff\xff")), "{'oid': '" NAME "', 'type': 'counter64', 'value': '18446744073709551615', 'exists': true}" },
    { REPLY(ROW(NAME, 0x40, "\x0a\x0b\0\x01")), "{'oid': '" NAME "', 'type': 'ip', 'value': '10.11.0.1', 'exists': true}" },
    { REPLY(ROW(NAME, 0x06, "\x2b\x06\x01\x04\x01\x94\x4c")), "{'oid': '" NAME "', 'type': 'oid', 'value': '1.3.6.1.4.1.2636', 'exists': true}" },
    { REPLY(ROW(NAME, 0x80, "")), "{'oid': '" NAME "', 'type': 'no_such_object', 'value': null, 'exists': false}" },
    { REPLY(ROW(NAME, 0x81, "")), "{'oid': '" NAME "', 'type': 'no_such_instance', 'value': null, 'exists': false}" },
    { REPLY(ROW(NAME, 0x05, "")), "{'oid': '" NAME "', 'type': 'null', 'value': null, 'exists': false}" },
};

Test(snmp, values_come_with_their_type)
{
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        const struct fake_result *r = run("get", "run", "{'agent': 'a', 'oid': 'sysName.0'}", NULL, &values[i].reply, 1, NULL);

        cr_expect(r->ok, "%zu: %s", i, r->error);
        cr_expect(fake_equals(r->result, values[i].json), "%zu", i);
        fake_host_free(f);
    }
}

/* ---- Faults ---- */

static const struct { const char *name; struct reply reply; const char *fault; enum ft_class class; const char *says; } faults[] = {
    { "silence", REPLY(ROW(NAME, 0x04, "x")), "silent", FT_TIMEOUT, "wrong one is met with silence" },
    { "another request's answer", REPLY(ROW(NAME, 0x04, "x")), "id", FT_TIMEOUT, "does not answer" },
    { "cut short", REPLY(ROW(NAME, 0x04, "x")), "cut", FT_TIMEOUT, "does not answer" },
    { "garbage", REPLY(ROW(NAME, 0x04, "x")), "garbage", FT_TIMEOUT, "does not answer" },
    { "a counter of 12 bytes", REPLY(ROW(NAME, 0x46, "123456789012")), NULL, FT_TIMEOUT, "does not answer" },
    { "no value", { .error = 0 }, NULL, FT_INVALID, "gave less" },
    { "two values", REPLY(ROW(NAME, 0x04, "x"), ROW(NAME, 0x04, "y")), NULL, FT_INVALID, "gave more" },
    { "genErr", { .error = 5, .index = 1, .rows = { ROW(NAME, 0x05, "") } }, NULL, FT_REFUSED, "genError" },
    { "no access", { .error = 6, .index = 1, .rows = { ROW(NAME, 0x05, "") } }, NULL, FT_DENIED, NAME },
    { "authorizationError", { .error = 16, .rows = { ROW(NAME, 0x05, "") } }, NULL, FT_DENIED, "authorizationError" },
    { "an error that does not exist", { .error = 99, .index = 7, .rows = { ROW(NAME, 0x05, "") } }, NULL, FT_REFUSED, "answered an error" },
    { "an index far out", { .error = 2, .index = 2000000000, .rows = { ROW(NAME, 0x05, "") } }, NULL, FT_NOT_FOUND, "noSuchName" },
    { "too big for one value", { .error = 1, .rows = { ROW(NAME, 0x05, "") } }, NULL, FT_REFUSED, "tooBig" },
};

Test(snmp, faults_of_an_agent)
{
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        const struct fake_result *r = run("get", "run", "{'agent': 'a', 'oid': 'sysName.0'}", NULL, &faults[i].reply, 1, faults[i].fault);

        cr_expect_not(r->ok, "%s", faults[i].name);
        cr_expect_eq(r->class, faults[i].class, "%s: %s: %s", faults[i].name, ft_class_name(r->class), r->error);
        cr_expect(strstr(r->error, faults[i].says), "%s: %s", faults[i].name, r->error);
        cr_expect_not(strstr(r->error, "public"), "%s: %s", faults[i].name, r->error);
        fake_host_free(f);
    }
}

/* ---- Walks ---- */

#define IF_(n) "1.3.6.1.2.1.2.2.1.2." #n
static const struct { const char *name; struct reply replies[3]; size_t count; bool ok; size_t rows; const char *says; } walks[] = {
    { "ends behind the subtree", { REPLY(ROW(IF_(1), 0x04, "a"), ROW(IF_(2), 0x04, "b"), ROW("1.3.6.1.2.1.2.2.1.3.1", 0x02, "\x06")) }, 1, true, 2, NULL },
    { "ends with the view", { REPLY(ROW(IF_(1), 0x04, "a")), REPLY(ROW(IF_(1), 0x82, "")) }, 2, true, 1, NULL },
    { "two answers", { REPLY(ROW(IF_(1), 0x04, "a")), REPLY(ROW(IF_(2), 0x04, "b")), REPLY(ROW("1.3.6.1.2.1.3.0", 0x02, "\x06")) }, 3, true, 2, NULL },
    { "nothing", { REPLY(ROW("1.3.6.1.2.1.3.0", 0x02, "\x06")) }, 1, true, 0, NULL },
    { "an empty answer", { { .error = 0 } }, 1, true, 0, NULL },
    { "the same again", { REPLY(ROW(IF_(1), 0x04, "a")) }, 1, false, 0, "do not increase" },
    { "backwards", { REPLY(ROW(IF_(2), 0x04, "a"), ROW(IF_(1), 0x04, "b")) }, 1, false, 0, "do not increase" },
    { "the root itself", { REPLY(ROW("1.3.6.1.2.1.2.2.1.2", 0x04, "a")) }, 1, false, 0, "do not increase" },
    { "too big at first", { { .error = 1 }, REPLY(ROW(IF_(1), 0x04, "a")), REPLY(ROW("1.3.6.1.2.1.3.0", 0x02, "\x06")) }, 3, true, 1, NULL },
    { "always too big", { { .error = 1 } }, 1, false, 0, "tooBig" },
};

Test(snmp, walks_end)
{
    for (size_t i = 0; i < sizeof(walks) / sizeof(walks[0]); i++) {
        const struct fake_result *r = run("walk", "run", "{'agent': 'a', 'oid': 'ifDescr'}", NULL, walks[i].replies, walks[i].count, NULL);

        cr_expect_eq(r->ok, walks[i].ok, "%s: %s", walks[i].name, r->error);
        if (walks[i].ok)
            cr_expect_eq(json_array_size(fake_at(r->result, "rows")), walks[i].rows, "%s", walks[i].name);
        else
            cr_expect(strstr(r->error, walks[i].says), "%s: %s", walks[i].name, r->error);
        cr_expect_leq(agent.asked, 6, "%s: %u requests", walks[i].name, agent.asked);
        fake_host_free(f);
    }
}

/* ---- set ---- */

#define SET "{'agent': 'a', 'oid': 'sysName.0', 'type': 'string', 'value': 'new'}"
static const struct reply old_name = REPLY(ROW(NAME, 0x04, "old")), new_name = REPLY(ROW(NAME, 0x04, "new")), no_name = REPLY(ROW(NAME, 0x81, ""));

Test(snmp, a_set_is_planned_with_the_old_value)
{
    const struct fake_result *r = run("set", "plan", SET, NULL, &old_name, 1, NULL);

    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->result, "changes.0.from"), "old");
    cr_expect_str_eq(fake_str(r->result, "changes.0.to"), "new");
    cr_expect_str_eq(fake_str(r->result, "requests.0.commands.0"), "set " NAME " = string: \"new\"");
    cr_expect_str_eq(fake_str(r->result, "receipt.old.hex"), "6f6c64");
    cr_expect(json_is_false(fake_at(r->result, "nothing_to_do")));
    fake_host_free(f);
    r = run("set", "plan", SET, NULL, &new_name, 1, NULL);
    cr_expect(json_is_true(fake_at(r->result, "nothing_to_do")));
    fake_host_free(f);
}

Test(snmp, a_set_without_an_answer_is_ambiguous_and_sent_once)
{
    const struct fake_result *r = run("set", "run", SET, NULL, &old_name, 1, "silent");

    cr_expect_eq(r->class, FT_AMBIGUOUS, "%s", r->error);
    cr_expect_eq(agent.asked, 1);
    fake_host_free(f);
    r = run("set", "probe", SET, NULL, &new_name, 1, NULL);
    cr_expect(json_is_true(fake_at(r->result, "happened")), "%s", r->error);
    cr_expect_str_eq(fake_str(r->result, "result.value"), "new");
    fake_host_free(f);
    r = run("set", "probe", SET, NULL, &old_name, 1, NULL);
    cr_expect(json_is_false(fake_at(r->result, "happened")), "%s", r->error);
    fake_host_free(f);
}

Test(snmp, undo_sets_the_old_value)
{
    const struct fake_result *r = run("set", "undo", SET, "{'old': {'oid': '" NAME "', 'type': 'string', 'value': 'old', 'hex': '6f6c64', 'exists': true}}", &old_name, 1, NULL);

    cr_expect(r->ok, "%s", r->error);
    cr_expect_eq(agent.asked, 1);
    fake_host_free(f);
    r = run("set", "undo", SET, "{'old': {'oid': '" NAME "', 'type': 'no_such_instance', 'value': null, 'exists': false}}", &no_name, 1, NULL);
    cr_expect_eq(r->class, FT_REFUSED, "%s", r->error);
    cr_expect_eq(agent.asked, 0);
    fake_host_free(f);
}

static const struct { const char *type, *value; bool ok; } settable[] = {
    { "integer", "-2147483648", true }, { "integer", "2147483648", false }, { "integer", "'7'", false }, { "unsigned", "4294967295", true }, { "unsigned", "-1", false },
    { "counter64", "9007199254740993", true }, { "string", "'x'", true }, { "string", "7", false }, { "hex", "'00ff'", true }, { "hex", "'0'", false }, { "hex", "'zz'", false },
    { "ip", "'10.0.0.1'", true }, { "ip", "'10.0.0'", false }, { "oid", "'1.3.6.1'", true }, { "oid", "'sysName'", false }, { "timeticks", "100", true },
};

Test(snmp, values_that_can_be_set)
{
    for (size_t i = 0; i < sizeof(settable) / sizeof(settable[0]); i++) {
        char params[200];
        const struct fake_result *r;

        snprintf(params, sizeof(params), "{'agent': 'a', 'oid': '" NAME "', 'type': '%s', 'value': %s}", settable[i].type, settable[i].value);
        r = run("set", "run", params, NULL, &new_name, 1, NULL);
        cr_expect_eq(r->ok, settable[i].ok, "%s: %s", params, r->error);
        cr_expect_eq(agent.asked, settable[i].ok, "%s", params);
        if (!r->ok)
            cr_expect_eq(r->class, FT_INVALID, "%s: %s", params, r->error);
        fake_host_free(f);
    }
}

/* ---- Configuration ---- */

static const struct { const char *config, *says; } configs[] = {
    { "{'agents': {'a': {'host': 'h'}}}", "needs a community" },
    { "{'agents': {'a': {'version': '3', 'community': 'c'}}}", "needs a user" },
    { "{'agents': {'a': {'user': 'u', 'auth': 'SHA'}}}", "needs auth_password" },
    { "{'agents': {'a': {'user': 'u', 'auth': 'SHA', 'auth_password': 'short'}}}", "at least 8" },
    { "{'agents': {'a': {'user': 'u', 'priv': 'AES', 'priv_password': 'longenough'}}}", "encrypts (priv) only what it authenticates" },
    { "{'traps': {'users': [{'user': 'u', 'auth': 'SHA'}]}}", "traps.users" },
    { "{'mibs': ['NO-SUCH-MIB']}", "NO-SUCH-MIB" },
    { "{}", "plugins.snmp.agents.a" },
};

Test(snmp, configurations_that_cannot_work)
{
    for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]); i++) {
        struct fake_host *host = fake_host_new("snmp");
        const struct fake_result *r;

        fake_config(host, configs[i].config);
        r = fake_run(host, "get", "run", "{'agent': 'a', 'oid': '" NAME "'}", NULL);
        cr_expect_not(r->ok, "%s", configs[i].config);
        cr_expect(strstr(r->error, configs[i].says), "%s: %s", configs[i].config, r->error);
        fake_host_free(host);
    }
}

static const struct { const char *params, *says; } listeners[] = {
    { "{'listen': '1162'}", "nothing to listen on" }, { "{'listen': '0.0.0.0'}", "nothing to listen on" }, { "{'listen': '0.0.0.0:0'}", "nothing to listen on" },
    { "{'listen': '0.0.0.0:65536'}", "nothing to listen on" }, { "{'listen': '[::1:1162'}", "nothing to listen on" }, { "{'listen': '127.0.0.1:1162x'}", "nothing to listen on" },
    { "{'from': ['switch']}", "no IP address" }, { "{'oid': 'nothing'}", "no object identifier" },
};

Test(snmp, listeners_that_cannot_be)
{
    for (size_t i = 0; i < sizeof(listeners) / sizeof(listeners[0]); i++) {
        struct fake_host *host = fake_host_new("snmp");
        const struct fake_result *r = fake_run(host, "trap_wait", "run", listeners[i].params, NULL);

        cr_expect_eq(r->class, FT_INVALID, "%s: %s", listeners[i].params, r->error);
        cr_expect(strstr(r->error, listeners[i].says), "%s: %s", listeners[i].params, r->error);
        fake_host_free(host);
    }
}
