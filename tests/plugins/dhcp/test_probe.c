/* dhcp.probe and dhcp.offers as actions: their parameters, the plan, what this host cannot do. The exchange itself: test_packet.c and tests/peers. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fake_host.h"

static struct fake_host *quiet(void)
{
    struct fake_host *f = fake_host_new("dhcp");

    fake_config(f, "{}");
    return f;
}

static const struct { const char *what, *params; enum ft_class class; const char *says; } wrong[] = {
    { "an interface that is not there", "{'interface': 'nope0'}", FT_NOT_FOUND, "nope0" },
    { "a name that is too long", "{'interface': 'a234567890123456789012345678901234567890123456789012345678901234567890'}", FT_INVALID, "no name" },
    { "half a client id", "{'interface': 'lo', 'client_id': '01'}", FT_INVALID, "client_id" },
    { "an odd client id", "{'interface': 'lo', 'client_id': '01:2'}", FT_INVALID, "client_id" },
    { "more time than there is", "{'interface': 'lo', 'window_s': 30, 'tries': 10}", FT_INVALID, "timeout" },
    { "a relay at no address", "{'relay': {'server': '0.0.0.0', 'giaddr': '10.0.0.1'}}", FT_INVALID, "relay" },
};

Test(dhcp_probe, what_cannot_be_asked_for)
{
    static const char *const actions[] = { "offers", "probe" };

    for (size_t a = 0; a < 2; a++) {
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
            struct fake_host *f = quiet();
            const struct fake_result *r = fake_run(f, actions[a], "run", wrong[i].params, NULL);

            cr_expect_not(r->ok, "%s", wrong[i].what);
            cr_expect_eq(r->class, wrong[i].class, "%s: %s: %s", wrong[i].what, ft_class_name(r->class), r->error);
            cr_expect(strstr(r->error, wrong[i].says), "%s: %s", wrong[i].what, r->error);
            fake_host_free(f);
        }
    }
}

static const struct { const char *what, *params; } misfits[] = {
    { "neither", "{}" }, { "both", "{'interface': 'lo', 'relay': {'server': '10.0.0.2', 'giaddr': '10.0.0.1'}}" }, { "half a relay", "{'relay': {'server': '10.0.0.2'}}" },
    { "a server that is none", "{'interface': 'lo', 'expected_servers': ['dhcp-1']}" }, { "an option that is none", "{'interface': 'lo', 'request_options': [255]}" },
    { "no time", "{'interface': 'lo', 'window_s': 0}" }, { "too many tries", "{'interface': 'lo', 'tries': 11}" }, { "a MAC that is none", "{'interface': 'lo', 'mac': '02:00'}" },
};

Test(dhcp_probe, the_schema_finds_what_does_not_fit)
{
    for (size_t i = 0; i < sizeof(misfits) / sizeof(misfits[0]); i++) {
        struct fake_host *f = quiet();
        const struct fake_result *r = fake_run(f, "offers", "run", misfits[i].params, NULL);

        cr_expect_eq(r->class, FT_INVALID, "%s: %s", misfits[i].what, r->error);
        fake_host_free(f);
    }
}

static const struct { const char *params; const char *lines[3]; } plans[] = {
    { "{'interface': 'lo', 'mac': '0200.0000.0007'}", { "DHCPDISCOVER of client 02:00:00:00:00:07 to 255.255.255.255", "DHCPREQUEST of client 02:00:00:00:00:07", "DHCPRELEASE" } },
    { "{'interface': 'lo', 'mac': '0200.0000.0007', 'confirm_ip': '10.0.0.9'}", { "DHCPREQUEST of client 02:00:00:00:00:07 for 10.0.0.9", "DHCPRELEASE", NULL } },
    { "{'relay': {'server': '10.0.0.2', 'giaddr': '10.1.0.1'}}", { "DHCPDISCOVER of client 02:f7:0a:01:00:01 to 10.0.0.2", "DHCPREQUEST", "DHCPRELEASE" } },
};

Test(dhcp_probe, the_plan_names_the_packets_and_sends_none)
{
    for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
        struct fake_host *f = quiet();
        const struct fake_result *r = fake_run(f, "probe", "plan", plans[i].params, NULL);
        const json_t *lines;

        cr_assert(r->ok, "%s: %s", plans[i].params, r->error);
        lines = fake_at(r->result, "requests.0.commands");
        cr_expect_eq(json_array_size(r->trace), 0, "%s", plans[i].params);
        for (size_t k = 0; k < 3 && plans[i].lines[k]; k++)
            cr_expect(strncmp(json_string_value(json_array_get(lines, k)), plans[i].lines[k], strlen(plans[i].lines[k])) == 0, "%s: %s", plans[i].params,
                      json_string_value(json_array_get(lines, k)));
        fake_host_free(f);
    }
}

/* As root it is no Ethernet, else it may not be opened at all: either way a sentence, at once, and nothing is sent. */
Test(dhcp_probe, loopback_is_no_wire)
{
    struct fake_host *f = quiet();
    const struct fake_result *r = fake_run(f, "offers", "run", "{'interface': 'lo', 'window_s': 0.1}", NULL);

    cr_expect_not(r->ok);
    cr_expect(r->class == FT_INVALID ? strstr(r->error, "no Ethernet") != NULL : r->class == FT_DENIED && strstr(r->error, "setcap") != NULL, "%s", r->error);
    fake_host_free(f);
}
