/* The switch plugin over NETCONF, against scripted servers: Junos in both framings, with its oddities, and the standard. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fake_host.h"

/* ---- scripted servers ---- */

#define END { NULL, NULL }
#define CAP(name) "<capability>" name "</capability>"
#define HELLO_1_0 "<!-- user netop, class j-super-user -->\n<hello xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">\n  <capabilities>\n" \
    CAP("urn:ietf:params:netconf:base:1.0") CAP("urn:ietf:params:netconf:capability:candidate:1.0") CAP("http://xml.juniper.net/netconf/junos/1.0") \
    "\n  </capabilities>\n  <session-id>27700</session-id>\n</hello>\n]]>]]>"
#define HELLO_1_1 "<?xml version=\"1.0\" encoding=\"UTF-8\"?><hello xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><capabilities>" \
    CAP("urn:ietf:params:netconf:base:1.0") CAP("urn:ietf:params:netconf:base:1.1") CAP("urn:ietf:params:netconf:capability:candidate:1.0") \
    CAP("urn:ietf:params:netconf:capability:confirmed-commit:1.1") CAP("urn:ietf:params:netconf:capability:validate:1.1") \
    "</capabilities><session-id>3</session-id></hello>]]>]]>"
#define REPLY(inside) "<rpc-reply xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\" xmlns:junos=\"http://xml.juniper.net/junos/21.4R3/junos\">" inside "</rpc-reply>\n]]>]]>\n"
#define OK REPLY("<ok/>")
/* What is expected ends in the marker, so that an rpc is answered when it is there whole. */
#define R(expected, inside) { expected, REPLY(inside) }

static char *file(const char *name) { return fake_text("tests/plugins/switch/data", name); }

static struct fake_host *nc_host(void)
{
    struct fake_host *f = fake_host_new("switch");

    fake_config(f, "{'defaults': {'user': 'netop', 'password': 'sesame42', 'known_hosts': '/etc/fettle/known_hosts'}, 'devices': {"
                   "'sw-3': {'host': '10.0.0.3', 'transport': 'netconf'}, 'sw-4': {'host': '10.0.0.4', 'transport': 'netconf', 'port': 22}, 'any': {'vendor': 'netconf'},"
                   "'ios-1': {'vendor': 'ios', 'transport': 'netconf'}}}");
    return f;
}

static void server(struct fake_host *f, const struct fake_line *lines)
{
    FAKE_STREAM(f, .kind = "ssh", .command = "netconf", .lines = lines, .stays_open = true);
}

static const char *sent(const struct fake_result *r)
{
    return fake_str(r->streams, "0.sent");
}

#define PORT "{'device': 'sw-3', 'port': 'ge-0/0/7'}"
#define GET_INTERFACE "<get-interface-information><interface-name>ge-0/0/7</interface-name><extensive/></get-interface-information></rpc>]]>]]>"
#define INTERFACE "\n<interface-information xmlns=\"http://xml.juniper.net/junos/21.4R3/junos-interface\" junos:style=\"normal\">\n<physical-interface>\n<name>\nge-0/0/7\n</name>\n" \
    "<admin-status junos:format=\"Enabled\">\nup\n</admin-status>\n<oper-status>up</oper-status><description>AP &amp; more</description><speed>1000mbps</speed>" \
    "<interface-flapped junos:seconds=\"14400\">2026-11-20 22:13:05 UTC (04:00:00 ago)</interface-flapped>" \
    "<input-error-list><input-errors>3</input-errors><input-drops>7</input-drops></input-error-list>" \
    "<output-error-list><output-errors>1</output-errors><carrier-transitions>9</carrier-transitions></output-error-list></physical-interface>\n</interface-information>\n" \
    "<cli><banner>{master:0}</banner></cli>\n"
#define SET(lines) "<configuration-set>\n" lines "\n</configuration-set>"
#define GUEST_PORT "set interfaces ge-0/0/7 unit 0 family ethernet-switching interface-mode access\nset interfaces ge-0/0/7 unit 0 family ethernet-switching vlan members guests"
#define VLANS "set vlans guests vlan-id 120\nset vlans staff vlan-id 110"
#define MACS "<l2ng-l2ald-rtb-macdb><l2ng-l2ald-mac-entry-vlan><l2ng-mac-entry><l2ng-l2-mac-vlan-name>guests</l2ng-l2-mac-vlan-name>" \
    "<l2ng-l2-mac-address>02:00:00:00:00:01</l2ng-l2-mac-address><l2ng-l2-mac-logical-interface>ge-0/0/7.0</l2ng-l2-mac-logical-interface>" \
    "</l2ng-mac-entry></l2ng-l2ald-mac-entry-vlan></l2ng-l2ald-rtb-macdb>"
#define LLDP_AP "<lldp-neighbors-information><lldp-neighbor-information><lldp-local-port-id>ge-0/0/7</lldp-local-port-id><lldp-remote-system-name>AP-3F-12</lldp-remote-system-name>" \
    "<lldp-remote-system-capabilities-enabled>Bridge WLAN Access Point</lldp-remote-system-capabilities-enabled></lldp-neighbor-information></lldp-neighbors-information>"
#define QUIET_LOG "0   2026-11-20 22:00:00 UTC by ana via cli\n1   2026-11-19 10:00:00 UTC by ana via cli\n"
#define LOOK R(GET_INTERFACE, INTERFACE), \
    R("format=\"set\"><configuration><interfaces><interface><name>ge-0/0/7</name></interface></interfaces></configuration></get-configuration></rpc>", SET(GUEST_PORT)), \
    R("format=\"set\"><configuration><vlans/></configuration></get-configuration></rpc>", SET(VLANS)), \
    R("<get-ethernet-switching-table-information/></rpc>", MACS)
#define LOOK_MORE(log) R("<command format=\"xml\">show lldp neighbors interface ge-0/0/7</command></rpc>", LLDP_AP), \
    R("<configuration><poe/></configuration></get-configuration></rpc>", SET("set poe interface all")), R("<command format=\"text\">show system commit</command></rpc>", "<output>\n" log "</output>")

/* ---- reads ---- */

Test(netconf, interface_of_junos_in_pieces_of_any_size)
{
    static const struct fake_line lines[] = { { NULL, HELLO_1_0 }, LOOK, END };

    for (size_t chunk = 0; chunk < 4; chunk++) {
        struct fake_host *f = nc_host();
        const struct fake_result *r;

        FAKE_STREAM(f, .kind = "ssh", .command = "netconf", .lines = lines, .stays_open = true, .chunk = chunk);
        r = fake_run(f, "interface", "run", PORT, NULL);
        cr_assert(r->ok, "%zu: %s", chunk, r->error);
        cr_expect(fake_equals(r->result, "{'name': 'ge-0/0/7', 'admin_up': true, 'oper_up': true, 'speed_mbps': 1000, 'vlan': 120, 'vlan_name': 'guests', 'mode': 'access', "
                              "'description': 'AP & more', 'errors': 4, 'errors_in': 3, 'errors_out': 1, 'flaps_s': 14400, 'mac_count': 1, 'lag': null}"));
        cr_expect_eq(json_array_size(r->streams), 1, "one session for all that is asked");
        cr_expect_eq(fake_int(r->streams, "0.port"), 830);
        cr_expect(strstr(sent(r), "<?xml version=\"1.0\" encoding=\"UTF-8\"?><hello ") == sent(r), "%s", sent(r));
        fake_host_free(f);
    }
}

Test(netconf, our_hello_goes_at_once_and_the_rpc_behind_the_servers)
{
    static const struct fake_line lines[] = { { "</hello>]]>]]>", HELLO_1_0 }, R("<rpc message-id=\"1\"", "<software-information><host-name>sw-3</host-name></software-information>"),
        R("message-id=\"2\"", ""), END };
    static const struct fake_line silent[] = { { "</hello>]]>]]>", "" }, { "<rpc", "never" }, END };
    struct fake_host *f = nc_host();
    const struct fake_result *r;

    server(f, lines);
    r = fake_run(f, "facts", "run", "{'device': 'sw-3'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->result, "hostname"), "sw-3");
    fake_host_free(f);
    f = nc_host();
    server(f, silent);
    r = fake_run(f, "facts", "run", "{'device': 'sw-3'}", NULL);
    cr_expect_eq(r->class, FT_TIMEOUT, "%s", r->error);
    cr_expect_not(strstr(sent(r), "<rpc"), "an rpc went before the server's hello: %s", sent(r));
    fake_host_free(f);
}

/* A 1.1 message in chunks of `piece` bytes, in the middle of tags and characters. */
static void chunk_up(char *out, const char *text, size_t piece)
{
    for (; *text; text += strnlen(text, piece))
        out += sprintf(out, "\n#%zu\n%.*s", strnlen(text, piece), (int)piece, text);
    strcpy(out, "\n##\n");
}

Test(netconf, chunked_framing_both_ways)
{
    static char first[8000], second[2000];
    const struct fake_line lines[] = { { NULL, HELLO_1_1 }, { "\n#", first }, { "message-id=\"2\"", second }, END };

    for (size_t chunk = 0; chunk < 9; chunk++) {
        struct fake_host *f = nc_host();
        const struct fake_result *r;

        chunk_up(first, "<rpc-reply message-id=\"1\" xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><software-information><host-name>s\u00fcd]]&gt;]]&gt;</host-name></software-information></rpc-reply>",
                 chunk * 3 + 1);
        chunk_up(second, "<rpc-reply message-id=\"2\"><a/></rpc-reply>", 100);
        FAKE_STREAM(f, .kind = "ssh", .command = "netconf", .lines = lines, .stays_open = true, .chunk = chunk % 3);
        r = fake_run(f, "facts", "run", "{'device': 'sw-3'}", NULL);
        cr_assert(r->ok, "%zu: %s", chunk, r->error);
        cr_expect_str_eq(fake_str(r->result, "hostname"), "s\u00fcd]]>]]>");
        cr_expect(strstr(sent(r), "\n#101\n<rpc message-id=\"1\" xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><get-software-information/></rpc>\n##\n"), "%s", sent(r));
        fake_host_free(f);
    }
}

static const struct { const char *name, *hello, *answer; enum ft_class class; const char *says; } wrong[] = {
    { "not XML", HELLO_1_0, "what?]]>]]>", FT_INVALID, "not XML" },
    { "cut off", HELLO_1_0, "<rpc-reply><a>]]>]]>", FT_INVALID, "cut off" },
    { "a document type", HELLO_1_0, "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><rpc-reply><a>&e;</a></rpc-reply>]]>]]>", FT_INVALID, "document type" },
    { "no hello", "<rpc-reply/>]]>]]>", "", FT_INVALID, "hello" },
    { "a hello of nothing", "<hello><capabilities/></hello>]]>]]>", "", FT_INVALID, "neither NETCONF 1.0 nor 1.1" },
    { "a chunk without a length", HELLO_1_1, "<rpc-reply/>]]>]]>", FT_INVALID, "chunk" },
    { "a chunk with a leading zero", HELLO_1_1, "\n#07\n", FT_INVALID, "chunk" },
    { "a chunk too long", HELLO_1_1, "\n#4294967295\n", FT_INVALID, "longer than 4 MiB" },
    { "permission", HELLO_1_0, REPLY("\n<rpc-error>\n<error-type>protocol</error-type>\n<error-tag>operation-failed</error-tag>\n<error-severity>error</error-severity>\n"
      "<error-message>\npermission denied\n</error-message>\n<error-info>\n<bad-element>\nsystem\n</bad-element>\n</error-info>\n</rpc-error>\n"), FT_DENIED, "permission denied (at system)" },
    { "access", HELLO_1_0, REPLY("<rpc-error><error-type>application</error-type><error-tag>access-denied</error-tag><error-severity>error</error-severity></rpc-error>"), FT_DENIED, "access-denied" },
    { "another message-id", HELLO_1_0, "<rpc-reply message-id=\"77\"><ok/></rpc-reply>]]>]]>", FT_TIMEOUT, "did not answer 'show version" },
};

Test(netconf, what_goes_wrong_has_its_class_and_a_sentence)
{
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct fake_host *f = nc_host();
        const struct fake_line lines[] = { { NULL, wrong[i].hello }, { "<rpc", wrong[i].answer }, END };
        const struct fake_result *r;

        server(f, lines);
        r = fake_run(f, "facts", "run", "{'device': 'sw-3'}", NULL);
        cr_expect_not(r->ok, "%s", wrong[i].name);
        cr_expect_eq(r->class, wrong[i].class, "%s: %s: %s", wrong[i].name, ft_class_name(r->class), r->error);
        cr_expect(strstr(r->error, wrong[i].says), "%s: %s", wrong[i].name, r->error);
        fake_host_free(f);
    }
}

Test(netconf, subsystem_that_is_not_there)
{
    static const struct fake_line nothing[] = { END };
    struct fake_host *f = nc_host();
    const struct fake_result *r;

    FAKE_STREAM(f, .kind = "ssh", .command = "netconf", .lines = nothing, .exit_status = 1);
    r = fake_run(f, "facts", "run", "{'device': 'sw-3'}", NULL);
    cr_expect_eq(r->class, FT_UNREACHABLE, "%s", r->error);
    cr_expect(strstr(r->error, "is NETCONF turned on"), "%s", r->error);
    r = fake_run(f, "facts", "run", "{'device': 'ios-1'}", NULL);
    cr_expect_eq(r->class, FT_INVALID, "%s", r->error);
    cr_expect(strstr(r->error, "transport netconf is for vendor junos"), "%s", r->error);
    fake_host_free(f);
}

Test(netconf, warnings_are_no_errors_and_errors_need_no_message_id)
{
    static const struct fake_line lines[] = { { NULL, HELLO_1_0 },
        { "<rpc", "\xef\xbb\xbf<rpc-reply><software-information><host-name>sw-3</host-name></software-information>"
                  "<rpc-error><error-severity>warning</error-severity><error-message>statement not found</error-message></rpc-error></rpc-reply>]]>]]>" },
        { "<rpc", "<rpc-reply><rpc-error><error-severity>error</error-severity><error-message>unknown command.</error-message></rpc-error></rpc-reply>]]>]]>" }, END };
    struct fake_host *f = nc_host();
    const struct fake_result *r;

    server(f, lines);
    r = fake_run(f, "facts", "run", "{'device': 'sw-3'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->result, "hostname"), "sw-3");
    cr_expect(json_is_null(fake_at(r->result, "uptime_s")), "the second question may fail");
    cr_expect(strstr(json_string_value(json_array_get(r->logged, 0)), "statement not found"));
    fake_host_free(f);
}

Test(netconf, a_virtual_chassis_wraps_its_members)
{
    static const struct fake_line lines[] = { { NULL, HELLO_1_0 },
        R("<get-software-information/>", "<multi-routing-engine-results><multi-routing-engine-item><re-name>fpc0</re-name><software-information><host-name>sw-3</host-name>"
          "<product-model>ex3400-48p</product-model><junos-version>21.4R3.15</junos-version></software-information></multi-routing-engine-item>"
          "<multi-routing-engine-item><re-name>fpc1</re-name><software-information><host-name>sw-3</host-name></software-information></multi-routing-engine-item>"
          "</multi-routing-engine-results><cli><banner>{master:0}</banner></cli>"), R("<get-system-uptime-information/>",
          "<system-uptime-information><system-booted-time><time-length junos:seconds=\"1735985\">20 days</time-length></system-booted-time></system-uptime-information>"), END };
    struct fake_host *f = nc_host();
    const struct fake_result *r;

    server(f, lines);
    r = fake_run(f, "facts", "run", "{'device': 'sw-3'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(fake_equals(r->result, "{'hostname': 'sw-3', 'model': 'ex3400-48p', 'version': '21.4R3.15', 'uptime_s': 1735985, 'members': 2}"));
    fake_host_free(f);
}

static const struct { const char *file, *action, *params, *path; const char *text; json_int_t number; } samples[] = {
    { "netconf/get-lldp-neighbors-information.xml", "lldp_neighbors", "{'device': 'sw-3'}", "neighbors.1.name", "spine-02", 0 },
    { "netconf/els_get-ethernet-switching-table-information.xml", "mac_table", "{'device': 'sw-3'}", "count", NULL, 0 },
    { "netconf/sw_info_ex_get-software-information.xml", "facts", "{'device': 'sw-3'}", "model", "ex2200-c-12t-2g", 0 },
    { "netconf/get-index-error.xml", "lldp_neighbors", "{'device': 'sw-3'}", "count", NULL, 0 },
    { "netconf/get-interface-information.xml", "errors", "{'device': 'sw-3', 'all': true}", "ports.0.port", "ge-0/0/0", 0 },
};

Test(netconf, recorded_replies)
{
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        struct fake_host *f = nc_host();
        char *text = file(samples[i].file), *reply = malloc(strlen(text) + 20);
        const struct fake_line lines[] = { { NULL, HELLO_1_0 }, { "<rpc", reply }, R("<rpc", ""), END };
        const struct fake_result *r;

        sprintf(reply, "%s]]>]]>", text);
        server(f, lines);
        r = fake_run(f, samples[i].action, "run", samples[i].params, NULL);
        cr_assert(r->ok, "%s: %s", samples[i].file, r->error);
        if (samples[i].text)
            cr_expect_str_eq(fake_str(r->result, samples[i].path), samples[i].text, "%s", samples[i].file);
        else
            cr_expect_eq(fake_int(r->result, samples[i].path), samples[i].number, "%s", samples[i].file);
        free(text);
        free(reply);
        fake_host_free(f);
    }
}

static const struct { const char *command, *format; bool ok; const char *rpc; } shows[] = {
    { "show chassis alarms", "text", true, "<command format=\"text\">show chassis alarms</command>" },
    { "show chassis alarms", "json", true, "<command format=\"xml\">show chassis alarms</command>" },
    { "show configuration system login", "text", true, "format=\"text\"><configuration><system><login/></system></configuration>" },
    { "show log messages | match \\\"a\\\"", "text", false, NULL }, { "show version | count", "text", false, NULL },
};

Test(netconf, show_has_no_filters)
{
    for (size_t i = 0; i < sizeof(shows) / sizeof(shows[0]); i++) {
        struct fake_host *f = nc_host();
        static const struct fake_line lines[] = { { NULL, HELLO_1_0 }, R("<rpc", "<alarm-information><alarm-summary><no-active-alarms/></alarm-summary></alarm-information>"), END };
        char params[200];
        const struct fake_result *r;

        server(f, lines);
        snprintf(params, sizeof(params), "{\"device\": \"sw-3\", \"command\": \"%s\", \"format\": \"%s\"}", shows[i].command, shows[i].format);
        r = fake_run(f, "show", "run", params, NULL);
        cr_expect_eq(r->ok, shows[i].ok, "%s: %s", shows[i].command, r->error);
        if (shows[i].ok)
            cr_expect(strstr(sent(r), shows[i].rpc), "%s: %s", shows[i].command, sent(r));
        fake_host_free(f);
    }
}

Test(netconf, get_masks_secrets)
{
    static char reply[2000];
    const struct fake_line lines[] = { { NULL, HELLO_1_1 },
        { "<get-config><source><running/></source><filter type=\"subtree\"><configuration><snmp/></configuration></filter></get-config></rpc>\n##\n", reply }, END };
    struct fake_host *f = nc_host();
    const struct fake_result *r;

    chunk_up(reply, "<rpc-reply message-id=\"1\"><data><configuration><snmp><community><name>public42</name><authorization>read-only</authorization></community></snmp>"
          "<system><login><user><name>ana</name><authentication><encrypted-password>$6$sesame</encrypted-password></authentication></user></login></system>"
          "</configuration></data></rpc-reply>", 50);
    server(f, lines);
    r = fake_run(f, "netconf_get", "run", "{'device': 'any', 'filter': '<configuration><snmp/></configuration>'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_not(strstr(fake_str(r->result, "xml"), "public42"), "%s", fake_str(r->result, "xml"));
    cr_expect_not(strstr(fake_str(r->result, "xml"), "sesame"), "%s", fake_str(r->result, "xml"));
    cr_expect_str_eq(fake_str(r->result, "json.configuration.0.system.0.login.0.user.0.name.0.data"), "ana");
    cr_expect_str_eq(fake_str(r->result, "json.configuration.0.snmp.0.community.0.name.0.data"), "***");
    fake_host_free(f);
}

/* ---- changes on Junos ---- */

#define SET_VLAN "{'device': 'sw-3', 'port': 'ge-0/0/7', 'vlan': 110}"
#define LOCK R("<lock><target><candidate/></target></lock></rpc>", "<ok/>")
#define UNLOCK R("<unlock><target><candidate/></target></unlock></rpc>", "<ok/>")
#define DISCARD R("<discard-changes/></rpc>", "<ok/>")
#define LOAD_SET R("</configuration-set></load-configuration></rpc>", "<load-configuration-results><ok/></load-configuration-results>")
#define DIFF "[edit interfaces ge-0/0/7 unit 0 family ethernet-switching vlan]\n-       members guests;\n+       members staff;\n"
#define COMPARE(diff) R("<get-configuration compare=\"rollback\" rollback=\"0\" format=\"text\"/></rpc>", \
    "<configuration-information><configuration-output>\n" diff "</configuration-output></configuration-information>")
#define CONFIRMED(minutes) R("<commit-configuration><confirmed/><confirm-timeout>" #minutes "</confirm-timeout><log>fettle run 7f3c0a12: ", \
    "<commit-results><routing-engine><name>fpc0</name><commit-success/></routing-engine></commit-results>")
#define CONFIRM R("<commit-configuration><log>fettle run 7f3c0a12: ", "<commit-results><routing-engine><name>fpc0</name><commit-success/></routing-engine></commit-results>")

static void alive(struct fake_host *f)
{
    static const struct fake_line hello[] = { { NULL, HELLO_1_0 }, END };

    FAKE_STREAM(f, .kind = "ssh", .command = "netconf", .lines = hello, .stays_open = true);
}

Test(netconf, set_vlan_sends_what_the_plan_showed)
{
    static const struct fake_line look[] = { { NULL, HELLO_1_0 }, LOOK, LOOK_MORE(QUIET_LOG), END };
    static const struct fake_line change[] = { { NULL, HELLO_1_0 }, LOOK, LOOK_MORE(QUIET_LOG), LOCK, LOAD_SET, COMPARE(DIFF), CONFIRMED(5), CONFIRM, UNLOCK, END };
    struct fake_host *f = nc_host();
    const struct fake_result *r;
    json_t *commands, *command;
    const char *at;
    size_t i;

    server(f, look);
    server(f, change);
    alive(f);
    r = fake_run(f, "set_vlan", "plan", SET_VLAN, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_not(strstr(sent(r), "<lock>"), "a plan only looks");
    cr_expect(fake_equals(fake_at(r->result, "changes"), "[{'path': 'sw-3 ge-0/0/7 VLAN', 'from': 'guests', 'to': 'staff'}]"));
    commands = json_deep_copy(fake_at(r->result, "requests.0.commands"));
    r = fake_run(f, "set_vlan", "run", SET_VLAN, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(strstr(fake_str(r->result, "diff"), "+       members staff;"), "%s", fake_str(r->result, "diff"));
    at = sent(r);
    json_array_foreach(commands, i, command) {
        at = strstr(at, json_string_value(command));
        cr_assert(at, "'%s' was planned and not sent in: %s", json_string_value(command), sent(r));
    }
    cr_expect_eq(json_array_size(r->streams), 2, "the second is the look on a new channel");
    cr_expect_str_eq(fake_str(r->kept, "undo.1"), "set interfaces ge-0/0/7 unit 0 family ethernet-switching vlan members guests");
    json_decref(commands);
    fake_host_free(f);
}

static const struct { const char *name; struct fake_line at[3]; unsigned steps; enum ft_class class; const char *says; bool locked; } change_faults[] = {
    { "somebody else has the lock", { R("<lock>", "<rpc-error><error-type>protocol</error-type><error-tag>lock-denied</error-tag><error-severity>error</error-severity>"
      "<error-message>\nconfiguration database locked by:\n  ana terminal p0 (pid 9) on since 2026-11-21 02:00:00 UTC\n</error-message><error-info><session-id>27701</session-id></error-info></rpc-error>") },
      0, FT_CONFLICT, "ana terminal p0 (pid 9) on since 2026-11-21 02:00:00 UTC, held by session 27701", false },
    { "changed candidate", { R("<lock>", "<rpc-error><error-tag>operation-failed</error-tag><error-severity>error</error-severity><error-message>configuration database modified</error-message></rpc-error>") },
      0, FT_CONFLICT, "modified", false },
    { "bad lines", { R("<load-configuration", "<load-configuration-results><rpc-error><error-severity>error</error-severity><error-info><bad-element>vlann</bad-element></error-info>"
      "<error-message>syntax error</error-message></rpc-error><rpc-error><error-severity>error</error-severity><error-message>error recovery ignores input until this point"
      "</error-message></rpc-error></load-configuration-results>"), DISCARD, UNLOCK }, 1, FT_INVALID, "syntax error (at vlann); error recovery", true },
    { "commit refused", { R("<commit-configuration>", "<commit-results><routing-engine><name>fpc1</name><rpc-error><error-type>protocol</error-type><error-tag>operation-failed</error-tag>"
      "<error-severity>error</error-severity><source-daemon>l2cpd</source-daemon><error-path>[edit interfaces ge-0/0/7 unit 0]</error-path><error-message>VLAN is not allowed</error-message></rpc-error>"
      "</routing-engine></commit-results>"), DISCARD, UNLOCK }, 3, FT_REFUSED, "VLAN is not allowed (at [edit interfaces ge-0/0/7 unit 0])", true },
};

Test(netconf, changes_that_go_wrong_leave_nothing_behind)
{
    static const struct fake_line good[] = { LOCK, LOAD_SET, COMPARE(DIFF) };

    for (size_t i = 0; i < sizeof(change_faults) / sizeof(change_faults[0]); i++) {
        struct fake_host *f = nc_host();
        static const struct fake_line look[] = { { NULL, HELLO_1_0 }, LOOK, LOOK_MORE(QUIET_LOG) };
        struct fake_line lines[20] = { END };
        size_t n = sizeof(look) / sizeof(look[0]);
        const struct fake_result *r;

        memcpy(lines, look, sizeof(look));
        memcpy(lines + n, good, sizeof(good[0]) * change_faults[i].steps);
        n += change_faults[i].steps;
        for (size_t k = 0; k < 3; k++)
            lines[n++] = change_faults[i].at[k];
        server(f, lines);
        r = fake_run(f, "set_vlan", "run", SET_VLAN, NULL);
        cr_expect_not(r->ok, "%s", change_faults[i].name);
        cr_expect_eq(r->class, change_faults[i].class, "%s: %s: %s", change_faults[i].name, ft_class_name(r->class), r->error);
        cr_expect(strstr(r->error, change_faults[i].says), "%s: %s", change_faults[i].name, r->error);
        cr_expect_eq(strstr(sent(r), "<discard-changes/>") != NULL, change_faults[i].locked, "%s: %s", change_faults[i].name, sent(r));
        cr_expect_eq(strstr(sent(r), "<unlock>") != NULL, change_faults[i].locked, "%s", change_faults[i].name);
        fake_host_free(f);
    }
}

Test(netconf, a_server_that_does_not_discard_does_not_hold_us_up)
{
    static const struct fake_line lines[] = { { NULL, HELLO_1_0 }, LOOK, LOOK_MORE(QUIET_LOG), LOCK,
        R("<load-configuration", "<rpc-error><error-severity>error</error-severity><error-message>syntax error</error-message></rpc-error>"), END };
    struct fake_host *f = nc_host();
    const struct fake_result *r;

    server(f, lines);
    r = fake_run(f, "set_vlan", "run", SET_VLAN, NULL);
    cr_expect_not(r->ok);
    cr_expect_eq(r->class, FT_INVALID, "what went wrong first counts: %s", r->error);
    cr_expect_lt(r->took_ms, 10000);
    fake_host_free(f);
}

static const struct { const char *name; bool committed, closes; const char *says; } lost[] = {
    { "in the commit", false, true, "takes an unconfirmed change back" }, { "in the confirmation", true, true, "takes an unconfirmed change back" },
    { "silence in the commit", false, false, "did not finish" },
};

Test(netconf, connection_lost_in_a_commit_is_ambiguous)
{
    for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++) {
        static const struct fake_line before[] = { { NULL, HELLO_1_0 }, LOOK, LOOK_MORE(QUIET_LOG), LOCK, LOAD_SET, COMPARE(DIFF), CONFIRMED(5) };
        struct fake_line lines[20] = { END };
        size_t n = sizeof(before) / sizeof(before[0]) - !lost[i].committed;
        struct fake_host *f = nc_host();
        const struct fake_result *r;

        memcpy(lines, before, sizeof(before[0]) * n);
        lines[n] = (struct fake_line){ "<commit-configuration>", "" };
        FAKE_STREAM(f, .kind = "ssh", .command = "netconf", .lines = lines, .stays_open = !lost[i].closes, .close_class = lost[i].closes ? FT_UNREACHABLE : FT_CLASS_NONE, .why = "reset");
        alive(f);
        r = fake_run(f, "set_vlan", "run", SET_VLAN, NULL);
        cr_expect_not(r->ok, "%s", lost[i].name);
        cr_expect_eq(r->class, FT_AMBIGUOUS, "%s: %s: %s", lost[i].name, ft_class_name(r->class), r->error);
        cr_expect(strstr(r->error, lost[i].says), "%s: %s", lost[i].name, r->error);
        fake_host_free(f);
    }
}

Test(netconf, change_that_cuts_us_off_is_taken_back_at_once)
{
    static const struct fake_line lines[] = { { NULL, HELLO_1_0 }, LOOK, LOOK_MORE(QUIET_LOG), LOCK, LOAD_SET, COMPARE(DIFF), CONFIRMED(5),
        R("<load-configuration rollback=\"1\"/></rpc>", "<load-configuration-results><ok/></load-configuration-results>"), CONFIRM, DISCARD, UNLOCK, END };
    struct fake_host *f = nc_host();
    const struct fake_result *r;

    server(f, lines);
    FAKE_STREAM(f, .kind = "ssh", .command = "netconf", .refuse = FT_UNREACHABLE, .why = "no route to host");
    r = fake_run(f, "set_vlan", "run", SET_VLAN, NULL);
    cr_expect_not(r->ok);
    cr_expect_eq(r->class, FT_REFUSED, "%s: %s", ft_class_name(r->class), r->error);
    cr_expect(strstr(r->error, "taken back at once"), "%s", r->error);
    cr_expect(strstr(sent(r), "<unlock>"), "%s", sent(r));
    fake_host_free(f);
}

Test(netconf, port_bounce_waits_between_two_commits)
{
    static const struct fake_line lines[] = { { NULL, HELLO_1_0 }, LOOK, LOOK_MORE(QUIET_LOG), LOCK, R("set interfaces ge-0/0/7 disable\n</configuration-set>", "<ok/>"), COMPARE(DIFF), CONFIRMED(2),
        R("delete interfaces ge-0/0/7 disable\n</configuration-set>", "<ok/>"), CONFIRM, UNLOCK, END };
    struct fake_host *f = nc_host();
    const struct fake_result *r;

    server(f, lines);
    r = fake_run(f, "port_bounce", "run", "{'device': 'sw-3', 'port': 'ge-0/0/7', 'off_s': 7}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_geq(r->took_ms, 7000);
    fake_host_free(f);
}

/* ---- whole configurations ---- */

#define OURS(pending) "0   2026-11-21 02:12:01 UTC by netop via netconf" pending "\n    fettle run 7f3c0a12: config_load\n1   2026-11-19 10:00:00 UTC by ana via cli\n"
#define COMMITS(log) R("<command format=\"text\">show system commit</command></rpc>", "<output>\n" log "</output>")
#define LOAD_PARAMS "{\"device\": \"sw-3\", \"lines\": [\"set vlans guests description \\\"a < b & c\\\"\"]}"

Test(netconf, a_planned_load_leaves_no_trace)
{
    static const struct fake_line lines[] = { { NULL, HELLO_1_0 }, COMMITS(QUIET_LOG), LOCK, R("set vlans guests description \"a &lt; b &amp; c\"\n</configuration-set>", "<ok/>"), COMPARE(DIFF),
        R("<commit-configuration><check/></commit-configuration></rpc>", "<commit-results><routing-engine><commit-check-success/></routing-engine></commit-results>"), DISCARD, UNLOCK, END };
    struct fake_host *f = nc_host();
    const struct fake_result *r;

    server(f, lines);
    r = fake_run(f, "config_load", "plan", LOAD_PARAMS, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(fake_equals(fake_at(r->result, "changes"), "[{'path': 'sw-3', 'from': '       members guests;', 'to': null}, {'path': 'sw-3', 'from': null, 'to': '       members staff;'}]"));
    cr_expect_not(strstr(sent(r), "<commit-configuration><confirmed"), "%s", sent(r));
    fake_host_free(f);
}

Test(netconf, confirm_later_leaves_the_commit_open_and_config_confirm_closes_it)
{
    static const struct fake_line load[] = { { NULL, HELLO_1_0 }, COMMITS(QUIET_LOG), LOCK, LOAD_SET, COMPARE(DIFF), CONFIRMED(5), UNLOCK, END };
    static const struct fake_line confirm[] = { { NULL, HELLO_1_0 }, COMMITS(OURS(" commit confirmed, rollback in 5mins")), LOCK, CONFIRM, UNLOCK, END };
    static const struct fake_line again[] = { { NULL, HELLO_1_0 }, COMMITS("0   2026-11-21 02:13:01 UTC by netop via netconf\n    fettle run 7f3c0a12: config_confirm\n" OURS("")), END };
    static const struct fake_line gone[] = { { NULL, HELLO_1_0 }, COMMITS("0   2026-11-21 02:17:01 UTC by root via other\n1   2026-11-21 02:12:01 UTC by netop via netconf commit confirmed, rollback in 5mins\n    fettle run 7f3c0a12: config_load\n"), END };
    struct fake_host *f = nc_host();
    const struct fake_result *r;

    server(f, load);
    alive(f);
    server(f, confirm);
    server(f, again);
    server(f, gone);
    r = fake_run(f, "config_load", "run", "{'device': 'sw-3', 'lines': ['set vlans staff vlan-id 110'], 'confirm': 'later'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_false(fake_at(r->result, "confirmed")));
    cr_expect_eq(fake_int(r->result, "confirm_within"), 5);
    cr_expect_not(strstr(sent(r), "<commit-configuration><log>"), "it was confirmed: %s", sent(r));
    r = fake_run(f, "config_confirm", "run", "{'device': 'sw-3'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_true(fake_at(r->result, "changed")));
    r = fake_run(f, "config_confirm", "run", "{'device': 'sw-3'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_false(fake_at(r->result, "changed")), "it was confirmed already");
    r = fake_run(f, "config_confirm", "run", "{'device': 'sw-3'}", NULL);
    cr_expect_eq(r->class, FT_REFUSED, "what was taken back is no success: %s", r->error);
    fake_host_free(f);
}

static const struct { const char *name, *log; bool ok; const char *sends; } undo_logs[] = {
    { "ours, confirmed", "0   2026-11-21 02:13:01 UTC by netop via cli\n" "1   2026-11-21 02:12:01 UTC by netop via cli commit confirmed, rollback in 5mins\n    fettle run 7f3c0a12: config_load\n2   2026 UTC by ana via cli\n",
      true, "<load-configuration rollback=\"2\"/>" },
    { "ours, not confirmed", OURS(" commit confirmed, rollback in 5mins"), true, "<load-configuration rollback=\"1\"/>" },
    { "somebody behind us", "0   2026-11-21 02:14:01 UTC by ana via cli\n    her change\n" OURS(""), false, NULL },
};

Test(netconf, undo_of_a_load_goes_back_behind_our_own_commits_only)
{
    for (size_t i = 0; i < sizeof(undo_logs) / sizeof(undo_logs[0]); i++) {
        char commits[600];
        const struct fake_line lines[] = { { NULL, HELLO_1_0 }, { "show system commit", commits }, LOCK, R("<load-configuration rollback=", "<ok/>"), COMPARE(DIFF),
            R("</rpc>", "<ok/>"), R("</rpc>", "<ok/>"), R("</rpc>", "<ok/>"), END };
        struct fake_host *f = nc_host();
        const struct fake_result *r;

        snprintf(commits, sizeof(commits), "<rpc-reply><output>%s</output></rpc-reply>]]>]]>", undo_logs[i].log);
        server(f, lines);
        alive(f);
        r = fake_run(f, "config_load", "undo", LOAD_PARAMS, "{'device': 'sw-3'}");
        cr_expect_eq(r->ok, undo_logs[i].ok, "%s: %s", undo_logs[i].name, r->error);
        if (undo_logs[i].sends)
            cr_expect(strstr(sent(r), undo_logs[i].sends), "%s: %s", undo_logs[i].name, sent(r));
        else
            cr_expect_eq(r->class, FT_CONFLICT, "%s: %s", undo_logs[i].name, r->error);
        fake_host_free(f);
    }
}

/* ---- the standard ---- */

static void chunked(char *out, size_t size, int id, const char *inside)
{
    char text[2000];
    int n = snprintf(text, sizeof(text), "<rpc-reply message-id=\"%d\" xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">%s</rpc-reply>", id, inside);

    snprintf(out, size, "\n#%d\n%s\n##\n", n, text);
}

Test(netconf, any_server_takes_xml_with_seconds_and_a_persist_id)
{
    static const struct { const char *expect, *inside; } dialogue[] = {
        { "<get-config><source><running/></source></get-config>", "<data><a xmlns=\"urn:a\"><b>1</b></a></data>" },
        { "<lock>", "<ok/>" },
        { "<edit-config><target><candidate/></target><default-operation>merge</default-operation><config><a xmlns=\"urn:a\"><b>2</b></a>\n</config></edit-config>", "<ok/>" },
        { "<get-config><source><candidate/></source></get-config>", "<data><a xmlns=\"urn:a\"><b>2</b></a></data>" },
        { "<commit><confirmed/><confirm-timeout>120</confirm-timeout><persist>fettle-7f3c0a12</persist></commit>", "<ok/>" },
        { "<get-config><source><running/></source></get-config>", "<data><a xmlns=\"urn:a\"><b>2</b></a></data>" },
        { "<unlock>", "<ok/>" },
    };
    struct fake_line lines[10] = { { NULL, HELLO_1_1 } };
    static char answers[8][2200];
    struct fake_host *f = nc_host();
    const struct fake_result *r;

    for (size_t i = 0; i < 7; i++) {
        chunked(answers[i], sizeof(answers[i]), (int)i + 1, dialogue[i].inside);
        lines[i + 1] = (struct fake_line){ dialogue[i].expect, answers[i] };
    }
    server(f, lines);
    alive(f);
    r = fake_run(f, "config_load", "run", "{\"device\": \"any\", \"lines\": [\"<a xmlns=\\\"urn:a\\\"><b>2</b></a>\"], \"confirm\": \"later\", \"confirm_within\": 2}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(strstr(fake_str(r->result, "diff"), "-  <b>1</b>\n+  <b>2</b>\n"), "%s", fake_str(r->result, "diff"));
    cr_expect(json_is_false(fake_at(r->result, "confirmed")));
    fake_host_free(f);
}

Test(netconf, a_commit_that_does_nothing_is_no_success)
{
    static const char *const insides[] = { "<data><a/></data>", "<ok/>", "<ok/>", "<data><a><b/></a></data>", "<ok/>", "<data><a/></data>", "<ok/>", "<ok/>" };
    struct fake_line lines[11] = { { NULL, HELLO_1_1 } };
    static char answers[8][400];
    struct fake_host *f = nc_host();
    const struct fake_result *r;

    for (size_t i = 0; i < 8; i++) {
        chunked(answers[i], sizeof(answers[i]), (int)i + 1, insides[i]);
        lines[i + 1] = (struct fake_line){ "</rpc>\n##\n", answers[i] };
    }
    server(f, lines);
    r = fake_run(f, "config_load", "run", "{'device': 'any', 'lines': ['<a><b/></a>'], 'confirm_within': 0}", NULL);
    cr_expect_not(r->ok);
    cr_expect_eq(r->class, FT_REFUSED, "%s", r->error);
    cr_expect(strstr(r->error, "is not what was in the candidate"), "%s", r->error);
    fake_host_free(f);
}

static const struct { const char *params, *says; } nonsense[] = {
    { "{\"device\": \"any\", \"lines\": [\"vlan 110\"]}", "XML only" }, { "{\"device\": \"any\", \"lines\": [\"<a><b></a>\"]}", "not well-formed" },
    { "{\"device\": \"any\", \"lines\": [\"<!DOCTYPE x><a/>\"]}", "not well-formed" }, { "{\"device\": \"sw-3\", \"lines\": [\"set a b\"], \"mode\": \"replace\"}", "with braces" },
    { "{\"device\": \"sw-3\", \"lines\": [\"# nothing\", \"\"]}", "is empty" }, { "{\"device\": \"sw-3\", \"lines\": [\"set a \\u0004 b\"]}", "control character" },
    { "{\"device\": \"sw-3\"}", "either" }, { "{\"device\": \"sw-3\", \"lines\": [\"set a b\"], \"confirm\": \"later\", \"confirm_within\": 0}", "needs confirm_within" },
};

Test(netconf, nonsense_is_refused_before_anything_is_sent)
{
    for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
        struct fake_host *f = nc_host();
        const struct fake_result *r = fake_run(f, "config_load", "run", nonsense[i].params, NULL);

        cr_expect_not(r->ok, "%s", nonsense[i].params);
        cr_expect_eq(r->class, FT_INVALID, "%s: %s", nonsense[i].params, r->error);
        cr_expect(strstr(r->error, nonsense[i].says), "%s: %s", nonsense[i].params, r->error);
        cr_expect_eq(json_array_size(r->streams), 0, "%s", nonsense[i].params);
        fake_host_free(f);
    }
}
