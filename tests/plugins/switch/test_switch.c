/* The switch plugin against scripted command lines. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fake_host.h"

/* ---- a scripted Junos ---- */

#define OPER "\r\n{master:0}\r\nnetop@sw-3> "
#define CONF "\r\n{master:0}[edit]\r\nnetop@sw-3# "
#define J(command, output) { command "\n", command "\r\n" output OPER }
#define C(command, output) { command "\n", command "\r\n" output CONF }
#define LOGIN { NULL, "\r\nThis > is a banner #\r\n--- JUNOS 21.4R3.15 built ---" OPER }, { "\n", OPER }, \
    J("set cli screen-length 0", "Screen length set to 0"), J("set cli screen-width 0", "Screen width set to 0"), J("set cli complete-on-space off", "Disabling complete-on-space")
#define ENTER C("configure exclusive", "warning: uncommitted changes will be discarded on exit\r\nEntering configuration mode\r\n")
#define LOAD_BEGIN { "load set terminal\n", "load set terminal\r\n[Type ^D at a new line to end input]\r\n" }
#define LOAD_END { "\x04", "set interfaces …\r\nload complete" CONF }
#define DIFF "[edit interfaces ge-0/0/7]\r\n-    disable;\r\n+    something;\r\n"
#define COMMITTED(minutes) "commit confirmed will be automatically rolled back in " #minutes " minutes unless confirmed\r\ncommit complete\r\n\r\n" \
    "# commit confirmed will be rolled back in " #minutes " minutes"
#define LEAVE J("exit configuration-mode", "Exiting configuration mode\r\n")
#define END { NULL, NULL }

#define QUIET_LOG "0   2026-11-20 22:00:00 UTC by ana via cli\n1   2026-11-19 10:00:00 UTC by ana via cli commit confirmed, rollback in 5mins\n    fettle run 7f3c0a12: old\n"

static char *file(const char *name) { return fake_text("tests/plugins/switch/data", name); }

static struct fake_host *switch_host(void)
{
    struct fake_host *f = fake_host_new("switch");

    fake_config(f, "{'defaults': {'user': 'netop', 'password': 'sesame42', 'known_hosts': '/etc/fettle/known_hosts'}, 'devices': {"
                   "'sw-3': {'host': '10.0.0.3', 'aliases': ['5c:5b:35:00:00:03']}, 'ios-1': {'host': '10.0.0.4', 'vendor': 'ios', 'enable_password': 'open42', 'port': 2222},"
                   "'eos-1': {'host': '10.0.0.5', 'vendor': 'eos'}, 'frr-1': {'host': '10.0.0.6', 'vendor': 'frr'}}}");
    return f;
}

static void answers(struct fake_host *f, const char *command, const char *text)
{
    const struct fake_line lines[] = { { NULL, text }, END };

    FAKE_STREAM(f, .kind = "ssh", .command = command, .lines = lines);
}

static void answers_file(struct fake_host *f, const char *command, const char *name)
{
    char *text = file(name);

    answers(f, command, text);
    free(text);
}

/* Everything that a change of port ge-0/0/7 looks at. Order matters where one command is the beginning of another. */
static void port_is(struct fake_host *f, const char *config, const char *lldp)
{
    answers_file(f, "show interfaces ge-0/0/7 extensive", "interface.json");
    if (strchr(config, ' ') || !*config)
        answers(f, "show configuration interfaces ge-0/0/7", config);
    else
        answers_file(f, "show configuration interfaces ge-0/0/7", config);
    answers_file(f, "show configuration vlans", "vlans.set");
    answers_file(f, "show ethernet-switching table", "macs.json");
    if (lldp)
        answers_file(f, "show lldp neighbors interface", lldp);
    else
        answers(f, "show lldp neighbors interface", "{\"lldp-neighbors-information\": [{}]}");
    answers(f, "show configuration poe", "set poe interface all\n");
    answers(f, "show system commit", QUIET_LOG);
}

static void alive(struct fake_host *f)
{
    answers(f, "show system uptime", "Current time: 2026-11-21 02:13:05 UTC\n");
}

static void dialogue(struct fake_host *f, const struct fake_line *lines)
{
    FAKE_STREAM(f, .kind = "ssh", .command = NULL, .lines = lines, .stays_open = true);
}

/* What was typed into the terminal. */
static const char *typed(const struct fake_result *r)
{
    json_t *stream;
    size_t i;

    json_array_foreach(r->streams, i, stream) {
        if (!fake_str(stream, "command") || !*fake_str(stream, "command"))
            return fake_str(stream, "sent");
    }
    return NULL;
}

/* Every command of the plan was typed, in the plan's order, and nothing that changes anything besides. */
static void expect_typed_as_planned(const json_t *commands, const char *sent)
{
    json_t *command;
    size_t i;

    cr_assert(sent, "no dialogue was opened");
    json_array_foreach(commands, i, command) {
        const char *text = json_string_value(command), *at;

        if (*text == '#')
            continue;
        at = strstr(sent, text);
        cr_assert(at, "'%s' was planned and not typed in: %s", text, sent);
        cr_expect(at[strlen(text)] == '\n', "'%s' was not typed alone", text);
        sent = at + strlen(text);
    }
}

#define PORT "{'device': 'sw-3', 'port': 'ge-0/0/7'}"

/* ---- reads ---- */

Test(switch, interface_of_junos)
{
    struct fake_host *f = switch_host();
    const struct fake_result *r;

    port_is(f, "port.set", NULL);
    r = fake_run(f, "interface", "run", PORT, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(fake_equals(r->result, "{'name': 'ge-0/0/7', 'admin_up': true, 'oper_up': true, 'speed_mbps': 1000, 'vlan': 120, 'vlan_name': 'guests', 'mode': 'access', "
                          "'description': 'AP 3F-12', 'errors': 4, 'errors_in': 3, 'errors_out': 1, 'flaps_s': 14400, 'mac_count': 2, 'lag': null}"));
    cr_expect_str_eq(fake_str(r->streams, "0.host"), "10.0.0.3");
    cr_expect_str_eq(fake_str(r->streams, "0.user"), "netop");
    cr_expect_str_eq(fake_str(r->streams, "0.command"), "show interfaces ge-0/0/7 extensive | display json | no-more");
    fake_host_free(f);
}

static const struct { const char *device; bool found; } names[] = {
    { "sw-3", true }, { "SW-3", true }, { "10.0.0.3", true }, { "5C5B.3500.0003", true }, { "sw-4", false },
};

Test(switch, devices_by_name_address_and_alias)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct fake_host *f = switch_host();
        char params[100];
        const struct fake_result *r;

        port_is(f, "port.set", NULL);
        snprintf(params, sizeof(params), "{'device': '%s', 'port': 'ge-0/0/7'}", names[i].device);
        r = fake_run(f, "vlan_of_port", "run", params, NULL);
        cr_expect_eq(r->ok, names[i].found, "%s: %s", names[i].device, r->error);
        if (!names[i].found)
            cr_expect_eq(r->class, FT_NOT_FOUND, "%s", names[i].device);
        else
            cr_expect_eq(fake_int(r->result, "vlan"), 120, "%s", names[i].device);
        fake_host_free(f);
    }
}

Test(switch, mac_table_of_both_forms)
{
    static const struct { const char *file, *params, *port, *vlan; json_int_t count; } tables[] = {
        { "macs.json", "{'device': 'sw-3', 'mac': '0200.0000.0003'}", "ge-0/0/70", "staff", 1 },
        { "macs.json", "{'device': 'sw-3', 'port': 'ge-0/0/7'}", "ge-0/0/7", "guests", 2 },
        { "macs.json", "{'device': 'sw-3', 'mac': '02:00:00:00:00:99'}", NULL, NULL, 0 },
        { "macs-old.json", "{'device': 'sw-3'}", "ge-0/0/9", "staff", 1 },
    };

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        struct fake_host *f = switch_host();
        const struct fake_result *r;

        answers_file(f, "show ethernet-switching table", tables[i].file);
        r = fake_run(f, "mac_table", "run", tables[i].params, NULL);
        cr_assert(r->ok, "%s: %s", tables[i].params, r->error);
        cr_expect_eq(fake_int(r->result, "count"), tables[i].count, "%s", tables[i].params);
        cr_expect_eq(json_is_true(fake_at(r->result, "found")), tables[i].count > 0);
        if (tables[i].port) {
            cr_expect_str_eq(fake_str(r->result, "port"), tables[i].port, "%s", tables[i].params);
            cr_expect_str_eq(fake_str(r->result, "vlan"), tables[i].vlan, "%s", tables[i].params);
        }
        fake_host_free(f);
    }
}

Test(switch, lldp_poe_facts_interfaces_of_junos)
{
    struct fake_host *f = switch_host();
    const struct fake_result *r;

    answers_file(f, "show lldp neighbors", "lldp-list.json");
    answers_file(f, "show poe interface ge-0/0/7", "poe.json");
    answers_file(f, "show version", "version.json");
    answers_file(f, "show system uptime", "uptime.json");
    answers_file(f, "show interfaces terse", "terse.json");
    answers_file(f, "show configuration interfaces", "ports.set");
    answers_file(f, "show configuration vlans", "vlans.set");
    r = fake_run(f, "lldp_neighbors", "run", "{'device': 'sw-3'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(fake_int(r->result, "count"), 2);
    cr_expect_str_eq(fake_str(r->result, "neighbors.1.name"), "core-1");
    r = fake_run(f, "poe", "run", PORT, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(fake_equals(r->result, "{'name': 'ge-0/0/7', 'enabled': true, 'status': 'on', 'power_w': 12.3, 'limit_w': 30.0, 'class': '4', 'priority': 'Low'}"));
    r = fake_run(f, "facts", "run", "{'device': 'sw-3'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(fake_equals(r->result, "{'hostname': 'sw-3', 'model': 'ex3400-48p', 'version': '21.4R3.15', 'uptime_s': 1735985, 'members': 2}"));
    r = fake_run(f, "interfaces", "run", "{'device': 'sw-3'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(fake_int(r->result, "count"), 2);
    cr_expect_eq(fake_int(r->result, "interfaces.0.vlan"), 120);
    cr_expect_str_eq(fake_str(r->result, "interfaces.0.mode"), "access", "another port is routed, not this one");
    cr_expect(json_is_false(fake_at(r->result, "interfaces.1.admin_up")));
    cr_expect(json_is_null(fake_at(r->result, "interfaces.1.vlan")));
    fake_host_free(f);
}

static const struct { const char *name, *answer; enum ft_class refuse, class; const char *says; } read_faults[] = {
    { "unknown port", "error: device ge-0/0/7 not found\n", 0, FT_NOT_FOUND, "device ge-0/0/7 not found" },
    { "too old", "                       ^\nsyntax error.\n", 0, FT_INVALID, "syntax error" },
    { "no right", "error: permission denied for 'show'\n", 0, FT_DENIED, "permission denied" },
    { "html", "<html>hello</html>", 0, FT_INVALID, "not JSON" },
    { "truncated", "{\"interface-information\": [{\"physical-interface\": [{\"name\": [{\"da", 0, FT_INVALID, "not JSON" },
    { "nothing", "", 0, FT_INVALID, "not JSON" },
    { "other port", "{\"interface-information\": [{\"physical-interface\": [{\"name\": [{\"data\": \"ge-0/0/70\"}]}]}]}", 0, FT_NOT_FOUND, "no port ge-0/0/7" },
    { "unreachable", NULL, FT_UNREACHABLE, FT_UNREACHABLE, "sw-3" },
    { "wrong password", NULL, FT_DENIED, FT_DENIED, "sw-3" },
};

Test(switch, what_goes_wrong_has_its_class_and_a_sentence)
{
    for (size_t i = 0; i < sizeof(read_faults) / sizeof(read_faults[0]); i++) {
        struct fake_host *f = switch_host();
        const struct fake_line lines[] = { { NULL, read_faults[i].answer ? read_faults[i].answer : "" }, END };
        const struct fake_result *r;

        FAKE_STREAM(f, .kind = "ssh", .command = "extensive", .lines = lines, .refuse = read_faults[i].refuse, .why = "it did not let us in");
        answers(f, "show configuration interfaces", "");
        answers(f, "show configuration vlans", "");
        answers(f, "show ethernet-switching", "error: command is not valid on this platform\n");
        r = fake_run(f, "interface", "run", PORT, NULL);
        cr_expect_not(r->ok, "%s", read_faults[i].name);
        cr_expect_eq(r->class, read_faults[i].class, "%s: %s: %s", read_faults[i].name, ft_class_name(r->class), r->error);
        cr_expect(strstr(r->error, read_faults[i].says), "%s: %s", read_faults[i].name, r->error);
        cr_expect_not(strstr(r->error, "sesame42"));
        fake_host_free(f);
    }
}

Test(switch, router_without_a_mac_table_still_tells_its_port)
{
    struct fake_host *f = switch_host();
    const struct fake_result *r;

    answers_file(f, "extensive", "interface.json");
    answers(f, "show configuration interfaces", "set interfaces ge-0/0/7 unit 0 family inet address 192.0.2.1/24\n");
    answers(f, "show configuration vlans", "");
    answers(f, "show ethernet-switching", "error: command is not valid on the mx480\n");
    r = fake_run(f, "interface", "run", PORT, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->result, "mode"), "routed");
    cr_expect(json_is_null(fake_at(r->result, "mac_count")));
    fake_host_free(f);
}

Test(switch, silent_switch_is_a_timeout)
{
    struct fake_host *f = switch_host();
    const struct fake_result *r;
    const struct fake_line nothing[] = { END };

    FAKE_STREAM(f, .kind = "ssh", .command = "show version", .lines = nothing, .stays_open = true);
    r = fake_run(f, "facts", "run", "{'device': 'sw-3'}", NULL);
    cr_expect_not(r->ok);
    cr_expect_eq(r->class, FT_TIMEOUT);
    cr_expect(strstr(r->error, "show version"), "%s", r->error);
    fake_host_free(f);
}

Test(switch, oversized_answer_is_refused)
{
    struct fake_host *f = switch_host();
    char *much = malloc((3u << 20) + 1);
    const struct fake_result *r;

    memset(much, 'x', 3u << 20);
    much[3u << 20] = '\0';
    answers(f, "show version", much);
    r = fake_run(f, "facts", "run", "{'device': 'sw-3'}", NULL);
    cr_expect_not(r->ok);
    cr_expect_eq(r->class, FT_INVALID);
    cr_expect(strstr(r->error, "longer than 2 MiB"), "%s", r->error);
    free(much);
    fake_host_free(f);
}

/* ---- show ---- */

static const struct { const char *command; bool ok; } shows[] = {
    { "show version", true }, { "show interfaces | match Up | count", true }, { "show log messages | last 20", true },
    { "request system reboot", false }, { "show version; request system reboot", false }, { "show version | save /tmp/x", false },
    { "show version | request message", false }, { "show version > /tmp/x", false }, { "show `id`", false }, { "show $(id)", false },
    { "show version\nrequest system reboot", false }, { "showx", false }, { "show version | tee x", false }, { "configure", false },
};

Test(switch, only_show_commands_are_shown)
{
    for (size_t i = 0; i < sizeof(shows) / sizeof(shows[0]); i++) {
        struct fake_host *f = switch_host();
        json_t *params = json_pack("{s:s, s:s}", "device", "sw-3", "command", shows[i].command);
        char *text = json_dumps(params, 0);
        const struct fake_result *r;

        answers(f, "show", "Hostname: sw-3\n");
        r = fake_run(f, "show", "run", text, NULL);
        cr_expect_eq(r->ok, shows[i].ok, "%s: %s", shows[i].command, r->error);
        if (!shows[i].ok)
            cr_expect_eq(json_array_size(r->streams), 0, "%s was sent", shows[i].command);
        free(text);
        json_decref(params);
        fake_host_free(f);
    }
}

Test(switch, show_gives_structure_and_masks_secrets)
{
    struct fake_host *f = switch_host();
    const struct fake_result *r;

    answers(f, "show chassis alarms | display json | no-more", "{\"alarm-information\": [{\"alarm-summary\": [{\"no-active-alarms\": [{\"data\": [null]}]}]}]}\n");
    r = fake_run(f, "show", "run", "{'device': 'sw-3', 'command': 'show chassis alarms', 'format': 'json'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(fake_at(r->result, "json.alarm-information"));
    answers(f, "show configuration system", "set system root-authentication encrypted-password \"$6$abc\"\nset snmp community public\nsecret \"$9$xyz\"; ## SECRET-DATA\n"
            "set system host-name sw-3\n");
    r = fake_run(f, "show", "run", "{'device': 'sw-3', 'command': 'show configuration system'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_not(strstr(fake_str(r->result, "text"), "$6$abc"), "%s", fake_str(r->result, "text"));
    cr_expect_not(strstr(fake_str(r->result, "text"), "$9$xyz"), "%s", fake_str(r->result, "text"));
    cr_expect_not(strstr(fake_str(r->result, "text"), "public"), "%s", fake_str(r->result, "text"));
    cr_expect(strstr(fake_str(r->result, "text"), "host-name sw-3"), "%s", fake_str(r->result, "text"));
    fake_host_free(f);
}

/* ---- set_vlan on Junos ---- */

#define SET_VLAN "{'device': 'sw-3', 'port': 'ge-0/0/7', 'vlan': 110}"

static const struct fake_line vlan_dialogue[] = { LOGIN, ENTER, LOAD_BEGIN, LOAD_END, C("show | compare", DIFF),
    { "commit confirmed 5 comment", "commit confirmed 5 comment \"fettle run 7f3c0a12: set_vlan ge-0/0/7\"\r\n" COMMITTED(5) CONF }, C("commit", "commit complete\r\n"), LEAVE, END };

Test(switch, set_vlan_sends_what_the_plan_showed)
{
    struct fake_host *f = switch_host();
    const struct fake_result *r;
    json_t *commands;
    char *receipt;

    port_is(f, "port.set", "lldp-ap.json");
    r = fake_run(f, "set_vlan", "plan", SET_VLAN, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_null(typed(r), "a plan only looks");
    cr_expect_eq(fake_int(r->result, "users"), 2);
    cr_expect(fake_equals(fake_at(r->result, "changes"), "[{'path': 'sw-3 ge-0/0/7 VLAN', 'from': 'guests', 'to': 'staff'}]"));
    cr_expect_str_eq(fake_str(r->result, "requests.0.commands.2"), "delete interfaces ge-0/0/7 unit 0 family ethernet-switching vlan members guests");
    cr_expect_str_eq(fake_str(r->result, "requests.0.commands.3"), "set interfaces ge-0/0/7 unit 0 family ethernet-switching vlan members staff");
    commands = json_deep_copy(fake_at(r->result, "requests.0.commands"));
    receipt = json_dumps(fake_at(r->result, "receipt"), 0);
    port_is(f, "port.set", "lldp-ap.json");
    dialogue(f, vlan_dialogue);
    alive(f);
    r = fake_run(f, "set_vlan", "run", SET_VLAN, receipt);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_true(fake_at(r->result, "changed")));
    cr_expect(strstr(fake_str(r->result, "diff"), "+    something"), "%s", fake_str(r->result, "diff"));
    expect_typed_as_planned(commands, typed(r));
    cr_expect_str_eq(fake_str(r->kept, "undo.1"), "set interfaces ge-0/0/7 unit 0 family ethernet-switching vlan members guests");
    free(receipt);
    json_decref(commands);
    fake_host_free(f);
}

Test(switch, what_undo_needs_is_kept_before_the_terminal_opens)
{
    struct fake_host *f = switch_host();
    const struct fake_result *r;
    json_t *item;
    size_t i, kept = 0, shell = 0;

    port_is(f, "port.set", "lldp-ap.json");
    dialogue(f, vlan_dialogue);
    alive(f);
    r = fake_run(f, "set_vlan", "run", SET_VLAN, NULL);
    cr_assert(r->ok, "%s", r->error);
    json_array_foreach(r->trace, i, item) {
        if (strcmp(json_string_value(item), "keep") == 0)
            kept = i + 1;
        if (strncmp(json_string_value(item), "ssh", 3) == 0 && !shell && kept)
            shell = i + 1;
    }
    cr_expect(kept && shell > kept);
    fake_host_free(f);
}

Test(switch, set_vlan_that_is_so_already_types_nothing)
{
    struct fake_host *f = switch_host();
    const struct fake_result *r;

    port_is(f, "port.set", "lldp-ap.json");
    r = fake_run(f, "set_vlan", "plan", "{'device': 'sw-3', 'port': 'ge-0/0/7', 'vlan': 'guests'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_true(fake_at(r->result, "nothing_to_do")));
    r = fake_run(f, "set_vlan", "run", "{'device': 'sw-3', 'port': 'ge-0/0/7', 'vlan': 120}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_false(fake_at(r->result, "changed")));
    cr_expect_null(typed(r));
    r = fake_run(f, "set_vlan", "probe", "{'device': 'sw-3', 'port': 'ge-0/0/7', 'vlan': 120}", NULL);
    cr_expect(json_is_true(fake_at(r->result, "happened")), "%s", r->error);
    r = fake_run(f, "set_vlan", "probe", "{'device': 'sw-3', 'port': 'ge-0/0/7', 'vlan': 120}", "{'from': 'voice'}");
    cr_expect(fake_equals(fake_at(r->result, "result"), "{'changed': true, 'device': 'sw-3', 'port': 'ge-0/0/7', 'from': 'voice', 'to': 'guests', 'diff': ''}"));
    r = fake_run(f, "set_vlan", "probe", SET_VLAN, NULL);
    cr_expect(json_is_false(fake_at(r->result, "happened")), "%s", r->error);
    fake_host_free(f);
}

static const struct { const char *name, *action, *params, *config, *lldp; enum ft_class class; const char *says; } refused[] = {
    { "no such VLAN", "set_vlan", "{'device': 'sw-3', 'port': 'ge-0/0/7', 'vlan': 999}", "port.set", "lldp-ap.json", FT_NOT_FOUND, "no VLAN 999" },
    { "trunk", "set_vlan", SET_VLAN, "set interfaces ge-0/0/7 unit 0 family ethernet-switching interface-mode trunk\n", "lldp-ap.json", FT_REFUSED, "trunk" },
    { "switch behind it", "port_bounce", PORT, "port.set", "lldp-switch.json", FT_REFUSED, "core-1" },
    { "member of an aggregate", "port_disable", PORT, "set interfaces ge-0/0/7 ether-options 802.3ad ae0\n", NULL, FT_REFUSED, "ae0" },
    { "disabled port", "port_bounce", PORT, "set interfaces ge-0/0/7 disable\n", NULL, FT_REFUSED, "port_enable" },
};

Test(switch, uplinks_and_nonsense_are_refused_before_anything_is_typed)
{
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct fake_host *f = switch_host();
        const struct fake_result *r;

        port_is(f, refused[i].config, refused[i].lldp);
        r = fake_run(f, refused[i].action, "run", refused[i].params, NULL);
        cr_expect_not(r->ok, "%s", refused[i].name);
        cr_expect_eq(r->class, refused[i].class, "%s: %s", refused[i].name, r->error);
        cr_expect(strstr(r->error, refused[i].says), "%s: %s", refused[i].name, r->error);
        cr_expect_null(typed(r), "%s", refused[i].name);
        fake_host_free(f);
    }
}

Test(switch, many_addresses_and_no_neighbour_look_like_an_uplink)
{
    struct fake_host *f = switch_host();
    const struct fake_result *r;
    char table[4000];
    size_t n = (size_t)snprintf(table, sizeof(table), "{\"l2ng-l2ald-rtb-macdb\": [{\"l2ng-l2ald-mac-entry-vlan\": [{\"l2ng-mac-entry\": [");

    for (int i = 0; i < 9; i++)
        n += (size_t)snprintf(table + n, sizeof(table) - n, "%s{\"l2ng-l2-mac-address\": [{\"data\": \"02:00:00:00:01:%02x\"}], \"l2ng-l2-mac-logical-interface\": [{\"data\": \"ge-0/0/7.0\"}]}",
                              i ? "," : "", i);
    snprintf(table + n, sizeof(table) - n, "]}]}]}");
    answers(f, "show ethernet-switching table", table);
    answers_file(f, "extensive", "interface.json");
    answers_file(f, "show configuration interfaces", "port.set");
    answers_file(f, "show configuration vlans", "vlans.set");
    answers(f, "show lldp neighbors interface", "{\"lldp-neighbors-information\": [{}]}");
    answers(f, "show configuration poe", "");
    answers(f, "show system commit", QUIET_LOG);
    r = fake_run(f, "poe_cycle", "plan", PORT, NULL);
    cr_expect_not(r->ok);
    cr_expect_eq(r->class, FT_REFUSED);
    cr_expect(strstr(r->error, "9 MAC addresses"), "%s", r->error);
    r = fake_run(f, "poe_cycle", "plan", "{'device': 'sw-3', 'port': 'ge-0/0/7', 'force': true}", NULL);
    cr_expect(r->ok, "%s", r->error);
    fake_host_free(f);
}

static const struct { const char *name; struct fake_line at; unsigned steps; enum ft_class class; const char *says; bool commits; } change_faults[] = {
    { "somebody else configures", { "configure exclusive\n", "configure exclusive\r\nerror: configuration database locked by:\r\n  ana terminal p0 (pid 9) on since 2026" OPER }, 5,
      FT_CONFLICT, "database locked", false },
    { "changed candidate", { "configure exclusive\n", "configure exclusive\r\nerror: configuration database modified" OPER }, 5, FT_CONFLICT, "modified", false },
    { "bad line", { "\x04", "terminal:2:(12) syntax error at 'vlann'\r\nload complete (1 errors)" CONF }, 7, FT_INVALID, "syntax error", false },
    { "commit refused", { "commit confirmed 5 comment", "commit confirmed 5 comment \"fettle run 7f3c0a12: set_vlan ge-0/0/7\"\r\n[edit interfaces ge-0/0/7 unit 0]\r\n  'family'\r\n    VLAN is not allowed\r\nerror: configuration check-out failed" CONF },
      9, FT_REFUSED, "VLAN is not allowed", true },
    { "commit says something else", { "commit confirmed 5 comment", "commit confirmed 5 comment \"fettle run 7f3c0a12: set_vlan ge-0/0/7\"\r\nhm" CONF }, 9, FT_AMBIGUOUS, "commit complete", true },
};

Test(switch, changes_that_go_wrong)
{
    for (size_t i = 0; i < sizeof(change_faults) / sizeof(change_faults[0]); i++) {
        struct fake_host *f = switch_host();
        struct fake_line lines[20] = { { NULL, NULL } };
        const struct fake_result *r;

        memcpy(lines, vlan_dialogue, sizeof(lines[0]) * change_faults[i].steps);
        lines[change_faults[i].steps] = change_faults[i].at;
        port_is(f, "port.set", "lldp-ap.json");
        dialogue(f, lines);
        alive(f);
        r = fake_run(f, "set_vlan", "run", SET_VLAN, NULL);
        cr_expect_not(r->ok, "%s", change_faults[i].name);
        cr_expect_eq(r->class, change_faults[i].class, "%s: %s: %s", change_faults[i].name, ft_class_name(r->class), r->error);
        cr_expect(strstr(r->error, change_faults[i].says), "%s: %s", change_faults[i].name, r->error);
        cr_expect_eq(strstr(typed(r), "commit confirmed") != NULL, change_faults[i].commits, "%s", change_faults[i].name);
        fake_host_free(f);
    }
}

Test(switch, connection_lost_in_the_commit_is_ambiguous)
{
    struct fake_host *f = switch_host();
    struct fake_line lines[20] = { { NULL, NULL } };
    const struct fake_result *r;

    memcpy(lines, vlan_dialogue, sizeof(lines[0]) * 9);
    lines[9] = (struct fake_line){ "commit confirmed 5 comment", "" };
    port_is(f, "port.set", "lldp-ap.json");
    FAKE_STREAM(f, .kind = "ssh", .lines = lines, .close_class = FT_UNREACHABLE, .why = "connection reset");
    alive(f);
    r = fake_run(f, "set_vlan", "run", SET_VLAN, NULL);
    cr_expect_not(r->ok);
    cr_expect_eq(r->class, FT_AMBIGUOUS, "%s: %s", ft_class_name(r->class), r->error);
    cr_expect(strstr(r->error, "takes an unconfirmed change back"), "%s", r->error);
    fake_host_free(f);
}

Test(switch, silence_in_the_commit_is_ambiguous)
{
    struct fake_host *f = switch_host();
    struct fake_line lines[20] = { { NULL, NULL } };
    const struct fake_result *r;

    memcpy(lines, vlan_dialogue, sizeof(lines[0]) * 9);
    port_is(f, "port.set", "lldp-ap.json");
    dialogue(f, lines);
    alive(f);
    r = fake_run(f, "set_vlan", "run", SET_VLAN, NULL);
    cr_expect_not(r->ok);
    cr_expect_eq(r->class, FT_AMBIGUOUS, "%s: %s", ft_class_name(r->class), r->error);
    fake_host_free(f);
}

Test(switch, change_that_cuts_us_off_is_taken_back_at_once)
{
    struct fake_host *f = switch_host();
    const struct fake_line lines[] = { LOGIN, ENTER, LOAD_BEGIN, LOAD_END, C("show | compare", DIFF),
        { "commit confirmed 5 comment", "commit confirmed 5 comment \"fettle run 7f3c0a12: set_vlan ge-0/0/7\"\r\n" COMMITTED(5) CONF },
        C("rollback 1", "load complete"), C("commit", "commit complete\r\n"), END };
    const struct fake_result *r;

    port_is(f, "port.set", "lldp-ap.json");
    dialogue(f, lines);
    FAKE_STREAM(f, .kind = "ssh", .command = "show system uptime", .refuse = FT_UNREACHABLE, .why = "no route to host");
    r = fake_run(f, "set_vlan", "run", SET_VLAN, NULL);
    cr_expect_not(r->ok);
    cr_expect_eq(r->class, FT_REFUSED, "%s: %s", ft_class_name(r->class), r->error);
    cr_expect(strstr(r->error, "taken back at once"), "%s", r->error);
    cr_expect(strstr(typed(r), "rollback 1\ncommit\n"), "%s", typed(r));
    fake_host_free(f);
}

Test(switch, change_that_cuts_us_off_for_good_takes_itself_back)
{
    struct fake_host *f = switch_host();
    const struct fake_line lines[] = { LOGIN, ENTER, LOAD_BEGIN, LOAD_END, C("show | compare", DIFF),
        { "commit confirmed 5 comment", "commit confirmed 5 comment \"fettle run 7f3c0a12: set_vlan ge-0/0/7\"\r\n" COMMITTED(5) CONF }, END };
    const struct fake_line nothing[] = { END };
    const struct fake_result *r;

    port_is(f, "port.set", "lldp-ap.json");
    dialogue(f, lines);
    FAKE_STREAM(f, .kind = "ssh", .command = "show system uptime", .lines = nothing, .stays_open = true);
    r = fake_run(f, "set_vlan", "run", SET_VLAN, NULL);
    cr_expect_not(r->ok);
    cr_expect_eq(r->class, FT_AMBIGUOUS, "%s: %s", ft_class_name(r->class), r->error);
    cr_expect_not(strstr(typed(r), "\ncommit\n"), "it was confirmed: %s", typed(r));
    fake_host_free(f);
}

Test(switch, state_that_moved_on_since_the_plan_is_a_conflict)
{
    struct fake_host *f = switch_host();
    const struct fake_result *r;

    port_is(f, "port.set", "lldp-ap.json");
    r = fake_run(f, "set_vlan", "run", SET_VLAN, "{'from': 'voice'}");
    cr_expect_not(r->ok);
    cr_expect_eq(r->class, FT_CONFLICT);
    cr_expect_null(typed(r));
    fake_host_free(f);
}

Test(switch, undo_puts_the_saved_lines_back)
{
    struct fake_host *f = switch_host();
    const struct fake_result *r;

    answers(f, "show system commit", QUIET_LOG);
    dialogue(f, vlan_dialogue);
    alive(f);
    r = fake_run(f, "set_vlan", "undo", SET_VLAN, "{'device': 'sw-3', 'port': 'ge-0/0/7', 'from': 'guests', 'undo': ["
                 "'delete interfaces ge-0/0/7 unit 0 family ethernet-switching vlan members staff', 'set interfaces ge-0/0/7 unit 0 family ethernet-switching vlan members guests']}");
    cr_assert(r->ok, "%s", r->error);
    cr_expect(strstr(typed(r), "members staff\nset interfaces ge-0/0/7 unit 0 family ethernet-switching vlan members guests\n\x04"), "%s", typed(r));
    cr_expect(json_is_true(fake_at(r->result, "changed")));
    fake_host_free(f);
}

/* ---- bounces ---- */

Test(switch, port_bounce_comes_back_by_itself_or_by_us)
{
    struct fake_host *f = switch_host();
    const struct fake_line lines[] = { LOGIN, ENTER, LOAD_BEGIN, LOAD_END, C("show | compare", DIFF),
        { "commit confirmed 2 comment", "commit confirmed 2 comment \"fettle run 7f3c0a12: port_bounce ge-0/0/7\"\r\n" COMMITTED(2) CONF }, LOAD_BEGIN, LOAD_END, C("commit", "commit complete\r\n"), LEAVE, END };
    const struct fake_result *r;
    json_t *commands;

    port_is(f, "port.set", "lldp-ap.json");
    r = fake_run(f, "port_bounce", "plan", "{'device': 'sw-3', 'port': 'ge-0/0/7', 'off_s': 7}", NULL);
    cr_assert(r->ok, "%s", r->error);
    commands = json_deep_copy(fake_at(r->result, "requests.0.commands"));
    port_is(f, "port.set", "lldp-ap.json");
    dialogue(f, lines);
    r = fake_run(f, "port_bounce", "run", "{'device': 'sw-3', 'port': 'ge-0/0/7', 'off_s': 7}", NULL);
    cr_assert(r->ok, "%s", r->error);
    expect_typed_as_planned(commands, typed(r));
    cr_expect(strstr(typed(r), "set interfaces ge-0/0/7 disable\n"), "%s", typed(r));
    cr_expect(strstr(typed(r), "delete interfaces ge-0/0/7 disable\n"), "%s", typed(r));
    cr_expect_geq(r->took_ms, 7000);
    cr_expect(strstr(typed(r), ": port_bounce ge-0/0/7\""), "the commit names its step: %s", typed(r));
    json_decref(commands);
    fake_host_free(f);
}

Test(switch, connection_lost_while_the_port_is_off_is_ambiguous)
{
    struct fake_host *f = switch_host();
    const struct fake_line lines[] = { LOGIN, ENTER, LOAD_BEGIN, LOAD_END, C("show | compare", DIFF),
        { "commit confirmed 2 comment", "commit confirmed 2 comment \"fettle run 7f3c0a12: port_bounce ge-0/0/7\"\r\n" COMMITTED(2) CONF }, END };
    const struct fake_result *r;

    port_is(f, "port.set", "lldp-ap.json");
    FAKE_STREAM(f, .kind = "ssh", .lines = lines, .close_class = FT_UNREACHABLE, .why = "reset");
    r = fake_run(f, "port_bounce", "run", PORT, NULL);
    cr_expect_not(r->ok);
    cr_expect_eq(r->class, FT_AMBIGUOUS);
    cr_expect(strstr(r->error, "takes an unconfirmed change back"), "%s", r->error);
    fake_host_free(f);
}

Test(switch, poe_cycle_leaves_no_empty_statement_behind)
{
    struct fake_host *f = switch_host();
    const struct fake_result *r;

    port_is(f, "port.set", NULL);
    r = fake_run(f, "poe_cycle", "plan", PORT, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->result, "requests.0.commands.2"), "set poe interface ge-0/0/7 disable");
    cr_expect_str_eq(fake_str(r->result, "requests.0.commands.7"), "delete poe interface ge-0/0/7");
    fake_host_free(f);
}

Test(switch, poe_cycle_turns_on_what_was_off)
{
    struct fake_host *f = switch_host();
    const struct fake_line lines[] = { LOGIN, ENTER, LOAD_BEGIN, LOAD_END, C("show | compare", DIFF),
        { "commit confirmed 2 comment", "commit confirmed 2 comment \"fettle run 7f3c0a12: poe_cycle ge-0/0/7\"\r\n" COMMITTED(2) CONF }, C("commit", "commit complete\r\n"), LEAVE, END };
    const struct fake_result *r;

    answers(f, "show configuration poe", "set poe interface all\nset poe interface ge-0/0/7 disable\n");
    answers_file(f, "extensive", "interface.json");
    answers_file(f, "show configuration interfaces", "port.set");
    answers_file(f, "show configuration vlans", "vlans.set");
    answers_file(f, "show ethernet-switching table", "macs.json");
    answers(f, "show lldp neighbors interface", "{}");
    answers(f, "show system commit", QUIET_LOG);
    dialogue(f, lines);
    alive(f);
    r = fake_run(f, "poe_cycle", "run", PORT, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(strstr(typed(r), "load set terminal\ndelete poe interface ge-0/0/7 disable\n\x04"), "%s", typed(r));
    cr_expect_str_eq(fake_str(r->kept, "undo.0"), "set poe interface ge-0/0/7 disable");
    cr_expect_str_eq(fake_str(r->result, "from"), "off");
    fake_host_free(f);
}

Test(switch, probe_of_a_bounce_looks_for_its_commit)
{
    static const struct { const char *log; bool happened; } logs[] = {
        { "0   2026-11-21 02:13:01 UTC by netop via cli\n    fettle run %s: port_bounce ge-0/0/7\n", true },
        { "0   2026-11-21 02:13:01 UTC by netop via cli\n    fettle run other: port_bounce ge-0/0/7\n", false },
    };

    for (size_t i = 0; i < 2; i++) {
        struct fake_host *f = switch_host();
        const struct fake_result *r;
        char log[300], id[100] = "", *at;

        port_is(f, "port.set", NULL);
        r = fake_run(f, "port_bounce", "plan", PORT, NULL);
        cr_assert(r->ok, "%s", r->error);
        at = strstr(fake_str(r->result, "requests.0.commands.4"), "fettle run ");
        cr_assert(at);
        sscanf(at, "fettle run %99[^:]", id);
        snprintf(log, sizeof(log), "%s", logs[i].log);
        if (i == 0)
            snprintf(log, sizeof(log), "0   2026-11-21 02:13:01 UTC by netop via cli\n    fettle run %s: port_bounce ge-0/0/7\n", id);
        answers(f, "show system commit", log);
        answers(f, "show system commit", log);
        r = fake_run(f, "port_bounce", "probe", PORT, NULL);
        cr_assert(r->ok, "%s", r->error);
        cr_expect_eq(json_is_true(fake_at(r->result, "happened")), logs[i].happened, "%s", log);
        fake_host_free(f);
    }
}

/* ---- a run that was cut off between commit confirmed and commit goes on ---- */

#define OUR_LOG "0   2026-11-21 02:12:01 UTC by netop via cli commit confirmed, rollback in 5mins\n    fettle run 7f3c0a12: set_vlan ge-0/0/7\n1   2026-11-19 10:00:00 UTC by ana via cli\n"
#define BOUNCE_LOG "0   2026-11-21 02:12:01 UTC by netop via cli commit confirmed, rollback in 2mins\n    fettle run 7f3c0a12: port_bounce ge-0/0/7\n"
#define THEIR_LOG "0   2026-11-21 02:12:01 UTC by ana via cli commit confirmed, rollback in 10mins\n1   2026-11-19 10:00:00 UTC by ana via cli\n    fettle run 7f3c0a12: old\n"
#define STAFF_PORT "set interfaces ge-0/0/7 unit 0 family ethernet-switching interface-mode access\nset interfaces ge-0/0/7 unit 0 family ethernet-switching vlan members staff\n"

static void port_and_log(struct fake_host *f, const char *config, const char *log)
{
    answers(f, "show system commit", log);
    port_is(f, config, "lldp-ap.json");
}

static const struct fake_line confirming[] = { LOGIN, ENTER, LOAD_BEGIN, LOAD_END, C("show | compare", ""), C("commit", "commit complete\r\n"), LEAVE, END };

Test(switch, a_change_that_is_not_confirmed_yet_pends)
{
    struct fake_host *f = switch_host();
    const struct fake_result *r;

    port_and_log(f, STAFF_PORT, OUR_LOG);
    r = fake_run(f, "set_vlan", "probe", SET_VLAN, "{'from': 'guests'}");
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_true(fake_at(r->result, "happened")));
    cr_expect(json_is_true(fake_at(r->result, "pending")), "the switch will take it back");
    fake_host_free(f);
}

Test(switch, a_change_that_is_not_confirmed_yet_is_confirmed_and_keeps_its_receipt)
{
    struct fake_host *f = switch_host();
    const struct fake_result *r;

    port_and_log(f, STAFF_PORT, OUR_LOG);
    dialogue(f, confirming);
    r = fake_run(f, "set_vlan", "run", SET_VLAN, "{'from': 'guests', 'undo': ['set interfaces ge-0/0/7 unit 0 family ethernet-switching vlan members guests']}");
    cr_assert(r->ok, "%s", r->error);
    cr_expect(strstr(typed(r), "show | compare\ncommit\nexit configuration-mode\n"), "%s", typed(r));
    cr_expect_str_eq(fake_str(r->kept, "undo.0"), "set interfaces ge-0/0/7 unit 0 family ethernet-switching vlan members guests");
    cr_expect(json_is_true(fake_at(r->result, "changed")));
    fake_host_free(f);
}

Test(switch, a_bounce_that_was_cut_off_while_off_goes_on)
{
    struct fake_host *f = switch_host();
    const struct fake_line lines[] = { LOGIN, ENTER, LOAD_BEGIN, LOAD_END, C("show | compare", DIFF),
        { "commit confirmed 2 comment", "commit confirmed 2 comment \"fettle run 7f3c0a12: port_bounce ge-0/0/7\"\r\n" COMMITTED(2) CONF }, C("commit", "commit complete\r\n"), LEAVE, END };
    const struct fake_result *r;

    port_and_log(f, "set interfaces ge-0/0/7 disable\n" STAFF_PORT, BOUNCE_LOG);
    dialogue(f, lines);
    alive(f);
    r = fake_run(f, "port_bounce", "run", PORT, "{'from': 'on', 'undo': ['delete interfaces ge-0/0/7 disable']}");
    cr_assert(r->ok, "%s", r->error);
    cr_expect(strstr(typed(r), "load set terminal\ndelete interfaces ge-0/0/7 disable\n\x04"), "%s", typed(r));
    fake_host_free(f);
}

Test(switch, somebody_elses_unconfirmed_commit_is_not_confirmed_by_us)
{
    static const struct { const char *action, *params; } actions[] = { { "set_vlan", SET_VLAN }, { "port_bounce", PORT }, { "configure", "{'device': 'sw-3', 'lines': ['set interfaces ge-0/0/7 mtu 9000']}" } };

    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        struct fake_host *f = switch_host();
        const struct fake_result *r;

        port_and_log(f, "port.set", THEIR_LOG);
        r = fake_run(f, actions[i].action, "run", actions[i].params, NULL);
        cr_expect_not(r->ok, "%s", actions[i].action);
        cr_expect_eq(r->class, FT_CONFLICT, "%s: %s", actions[i].action, r->error);
        cr_expect_null(typed(r), "%s", actions[i].action);
        fake_host_free(f);
    }
}

/* ---- the dialogue: what terminals do ---- */

#define ENABLE_PORT "{'device': 'sw-3', 'port': 'ge-0/0/7', 'confirm_within': 0}"

static void off_port(struct fake_host *f)
{
    port_is(f, "set interfaces ge-0/0/7 disable\nset interfaces ge-0/0/7 unit 0 family ethernet-switching vlan members guests\n", NULL);
}

Test(switch, dialogue_survives_pagers_colours_log_lines_and_a_root_shell)
{
    static const struct fake_line lines[] = {
        { NULL, "\r\nWelcome > to # the lab\r\nroot@sw-3:RE:0% " }, { "\n", "\r\nroot@sw-3:RE:0% " },
        { "cli\n", "cli\r\n{master:0}\r\nroot@sw-3> " }, { "\n", "\r\n{master:0}\r\nroot@sw-3> " },
        { "set cli screen-length 0\n", "set cli screen-length 0\r\n\x1b[1mScreen length set to 0\x1b[0m\r\n\r\n{master:0}\r\nroot@sw-3> " },
        /* a log line in the middle, with the prompt drawn again, before the echo */
        { "set cli screen-width 0\n", "\r\nMessage from syslogd@sw-3 at Nov 21\r\n{master:0}\r\nroot@sw-3> " },
        { NULL, "set cli screen-width 0\r\nScreen width set to 0\r\n\r\n{master:0}\r\nroot@sw-3> " },
        { "set cli complete-on-space off\n", "set cli complete-on-spacX\be off\r\n---(more)---" },
        { " ", "\r            \rDisabling complete-on-space\r\n\r\n{master:0}\r\nroot@sw-3> " },
        { "configure exclusive\n", "configure exclusive\r\nEntering configuration mode\r\n\r\n{master:0}[edit]\r\nroot@sw-3# " },
        LOAD_BEGIN, { "\x04", "load complete\r\n\r\n{master:0}[edit]\r\nroot@sw-3# " },
        { "show | compare\n", "show | compare\r\n[edit interfaces ge-0/0/7]\r\n-    disable;\r\n---(more 45%)---" },
        { " ", "\r                 \r[edit]\r\n+  more;\r\n\r\n{master:0}[edit]\r\nroot@sw-3# " },
        { "commit comment", "commit comment \"fettle run 7f3c0a12: port_enable ge-0/0/7\"\r\ncommit complete\r\n\r\n{master:0}[edit]\r\nroot@sw-3# " },
        { "exit configuration-mode\n", "exit configuration-mode\r\nExiting configuration mode\r\n\r\n{master:0}\r\nroot@sw-3> " }, END };

    for (size_t chunk = 0; chunk < 4; chunk++) {
        struct fake_host *f = switch_host();
        const struct fake_result *r;

        off_port(f);
        FAKE_STREAM(f, .kind = "ssh", .lines = lines, .stays_open = true, .chunk = chunk);
        r = fake_run(f, "port_enable", "run", ENABLE_PORT, NULL);
        cr_assert(r->ok, "chunks of %zu: %s", chunk, r->error);
        cr_expect_str_eq(fake_str(r->result, "diff"), "[edit interfaces ge-0/0/7]\n-    disable;\n[edit]\n+  more;\n", "chunks of %zu", chunk);
        fake_host_free(f);
    }
}

Test(switch, question_without_an_answer_ends_the_call)
{
    static const struct fake_line lines[] = { LOGIN, { "configure exclusive\n", "configure exclusive\r\nDiscard uncommitted changes? [yes,no] (yes) " }, END };
    struct fake_host *f = switch_host();
    const struct fake_result *r;

    off_port(f);
    dialogue(f, lines);
    r = fake_run(f, "port_enable", "run", ENABLE_PORT, NULL);
    cr_expect_not(r->ok);
    cr_expect_eq(r->class, FT_REFUSED, "%s", r->error);
    cr_expect(strstr(r->error, "Discard uncommitted changes"), "%s", r->error);
    fake_host_free(f);
}

Test(switch, not_a_switch_at_all)
{
    static const struct fake_line lines[] = { { NULL, "Last login: today\r\nHello there, what do you want to do? " }, END };
    struct fake_host *f = switch_host();
    const struct fake_result *r;

    off_port(f);
    dialogue(f, lines);
    r = fake_run(f, "port_enable", "run", ENABLE_PORT, NULL);
    cr_expect_not(r->ok);
    cr_expect_eq(r->class, FT_TIMEOUT, "%s", r->error);
    cr_expect(strstr(r->error, "vendor junos"), "%s", r->error);
    fake_host_free(f);
}

/* ---- configure ---- */

static const char *configure_params(void)
{
    return "{\"device\": \"sw-3\", \"lines\": [\"set interfaces ge-0/0/7 description \\\"new AP\\\"\", \"delete interfaces ge-0/0/7 unit 0 family ethernet-switching vlan\", "
           "\"set vlans guests vlan-id 120\"]}";
}

static const struct fake_line configure_dialogue[] = { LOGIN, ENTER, LOAD_BEGIN, LOAD_END, C("show | compare", DIFF),
    { "commit confirmed 5 comment", "commit confirmed 5 comment \"fettle run 7f3c0a12: configure\"\r\n" COMMITTED(5) CONF }, C("commit", "commit complete\r\n"), LEAVE, END };

Test(switch, configure_tells_what_differs_and_undo_restores_the_parts)
{
    struct fake_host *f = switch_host();
    const struct fake_result *r;
    char *receipt;

    answers_file(f, "show configuration interfaces ge-0/0/7", "port.set");
    answers_file(f, "show configuration vlans guests", "vlans.set");
    answers(f, "show system commit", QUIET_LOG);
    r = fake_run(f, "configure", "plan", configure_params(), NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(json_array_size(fake_at(r->result, "changes")), 2, "the third line is there already");
    cr_expect_str_eq(fake_str(r->result, "changes.0.to"), "set interfaces ge-0/0/7 description \"new AP\"");
    cr_expect_str_eq(fake_str(r->result, "changes.0.from"), "set interfaces ge-0/0/7 description \"AP 3F-12\"", "it takes the place of that");
    cr_expect_str_eq(fake_str(r->result, "changes.1.from"), "set interfaces ge-0/0/7 unit 0 family ethernet-switching vlan members guests");
    receipt = json_dumps(fake_at(r->result, "receipt"), 0);
    answers_file(f, "show configuration interfaces ge-0/0/7", "port.set");
    answers_file(f, "show configuration vlans guests", "vlans.set");
    answers(f, "show system commit", QUIET_LOG);
    dialogue(f, configure_dialogue);
    alive(f);
    r = fake_run(f, "configure", "run", configure_params(), receipt);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(strstr(typed(r), "set interfaces ge-0/0/7 description \"new AP\"\ndelete interfaces ge-0/0/7 unit 0 family ethernet-switching vlan\nset vlans guests vlan-id 120\n\x04"),
              "%s", typed(r));
    fake_host_free(f);

    f = switch_host();
    answers(f, "show configuration interfaces ge-0/0/7", "set interfaces ge-0/0/7 description \"new AP\"\nset interfaces ge-0/0/7 unit 0 family ethernet-switching interface-mode access\n");
    answers_file(f, "show configuration vlans guests", "vlans.set");
    answers(f, "show system commit", QUIET_LOG);
    dialogue(f, configure_dialogue);
    alive(f);
    r = fake_run(f, "configure", "undo", configure_params(), receipt);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(strstr(typed(r), "load set terminal\ndelete interfaces ge-0/0/7 description \"new AP\"\nset interfaces ge-0/0/7 description \"AP 3F-12\"\n"
                     "set interfaces ge-0/0/7 unit 0 family ethernet-switching vlan members guests\n\x04"), "%s", typed(r));
    free(receipt);
    fake_host_free(f);
}

static const struct { const char *line, *says; } bad_lines[] = {
    { "request system reboot", "no line for `load set`" }, { "set", "no line for" }, { "set interfaces ge-0/0/7\nset system", "control character" },
    { "set $x y", "does not name the part" }, { "set interfaces \"a b\" x", "does not name the part" },
};

Test(switch, configure_takes_configuration_lines_only)
{
    for (size_t i = 0; i < sizeof(bad_lines) / sizeof(bad_lines[0]); i++) {
        struct fake_host *f = switch_host();
        json_t *params = json_pack("{s:s, s:[s]}", "device", "sw-3", "lines", bad_lines[i].line);
        char *text = json_dumps(params, 0);
        const struct fake_result *r = fake_run(f, "configure", "run", text, NULL);

        cr_expect_not(r->ok, "%s", bad_lines[i].line);
        cr_expect_eq(r->class, FT_INVALID, "%s", bad_lines[i].line);
        cr_expect(strstr(r->error, bad_lines[i].says), "%s: %s", bad_lines[i].line, r->error);
        cr_expect_eq(json_array_size(r->streams), 0, "%s", bad_lines[i].line);
        free(text);
        json_decref(params);
        fake_host_free(f);
    }
}

Test(switch, configure_keeps_no_password)
{
    struct fake_host *f = switch_host();
    const struct fake_result *r;
    char *receipt;

    answers(f, "show configuration system login", "set system login user ana class super-user\nset system login user ana authentication encrypted-password \"$6$secret\"\n");
    answers(f, "show system commit", "error: permission denied\n");
    r = fake_run(f, "configure", "plan", "{'device': 'sw-3', 'lines': ['set system login user ben class read-only']}", NULL);
    cr_assert(r->ok, "%s", r->error);
    receipt = json_dumps(fake_at(r->result, "receipt"), 0);
    cr_expect_not(strstr(receipt, "$6$secret"), "%s", receipt);
    cr_expect(strstr(receipt, "super-user"), "%s", receipt);
    free(receipt);
    fake_host_free(f);
}

/* ---- IOS, EOS, FRR ---- */

#define I(command, output) { command "\n", command "\r\n" output "\r\nsw1#" }
#define IC(command, output, mode) { command "\n", command "\r\n" output "\r\nsw1(" mode ")#" }
#define IOS_LOGIN { NULL, "\r\nUser Access Verification\r\n\r\nsw1>" }, { "\n", "\r\nsw1>" }, { "enable\n", "enable\r\nPassword: " }, { "open42\n", "\r\nsw1#" }, \
    I("terminal length 0", ""), I("terminal width 512", "")
#define IOS_PORT "{'device': 'ios-1', 'port': 'Gi1/0/7'}"
#define IOS_INTERFACE "GigabitEthernet1/0/7 is up, line protocol is up (connected)\r\n  Hardware is Gigabit Ethernet\r\n  Description: AP 3F\r\n  Full-duplex, 1000Mb/s, media type is 10/100/1000BaseTX\r\n" \
    "     5 input errors, 0 CRC, 0 frame\r\n     2 output errors, 0 collisions"
#define IOS_RUNNING "Building configuration...\r\n\r\ninterface GigabitEthernet1/0/7\r\n description AP 3F\r\n switchport access vlan 120\r\n switchport mode access\r\nend\r\n"
#define IOS_MACS "          Mac Address Table\r\nVlan    Mac Address       Type        Ports\r\n----    -----------       --------    -----\r\n 120    0200.0000.0001    DYNAMIC     Gi1/0/7\r\nTotal Mac Addresses for this criterion: 1"
#define IOS_LLDP "Capability codes:\r\n    (R) Router, (B) Bridge\r\n\r\nDevice ID           Local Intf     Hold-time  Capability      Port ID\r\nAP-3F-12            Gi1/0/7        120        B,W             ETH0\r\n\r\nTotal entries displayed: 1"
#define IOS_LOOK I("show interfaces Gi1/0/7", IOS_INTERFACE), I("show running-config interface Gi1/0/7", IOS_RUNNING), I("show mac address-table interface Gi1/0/7", IOS_MACS)

Test(switch, ios_in_one_dialogue)
{
    static const struct fake_line lines[] = { IOS_LOGIN, IOS_LOOK, END };
    struct fake_host *f = switch_host();
    const struct fake_result *r;

    dialogue(f, lines);
    r = fake_run(f, "interface", "run", IOS_PORT, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(fake_equals(r->result, "{'name': 'Gi1/0/7', 'admin_up': true, 'oper_up': true, 'speed_mbps': 1000, 'vlan': 120, 'vlan_name': null, 'mode': 'access', "
                          "'description': 'AP 3F', 'errors': 7, 'errors_in': 5, 'errors_out': 2, 'flaps_s': null, 'mac_count': 1, 'lag': null}"));
    cr_expect_eq(json_array_size(r->streams), 1);
    cr_expect_eq(fake_int(r->streams, "0.port"), 2222);
    fake_host_free(f);
}

Test(switch, ios_log_lines_in_the_middle_are_no_output)
{
    static const struct fake_line lines[] = { IOS_LOGIN,
        { "show interfaces status\n", "show interfaces status\r\nPort      Name               Status       Vlan       Duplex  Speed Type\r\n"
          "*Mar  1 00:01:02.003: %LINK-3-UPDOWN: Interface Gi1/0/3, changed state to connected\r\n"
          "Gi1/0/2   Access Point       connected    8          a-full a-1000 10/100/1000BaseTX\r\nGi1/0/7   connected to lab   disabled     trunk        auto   auto 10/100/1000BaseTX\r\nsw1#" }, END };
    struct fake_host *f = switch_host();
    const struct fake_result *r;

    dialogue(f, lines);
    r = fake_run(f, "interfaces", "run", "{'device': 'ios-1'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(fake_int(r->result, "count"), 2);
    cr_expect_eq(fake_int(r->result, "interfaces.0.vlan"), 8);
    cr_expect_str_eq(fake_str(r->result, "interfaces.0.description"), "Access Point");
    cr_expect_str_eq(fake_str(r->result, "interfaces.1.mode"), "trunk");
    cr_expect(json_is_false(fake_at(r->result, "interfaces.1.admin_up")));
    fake_host_free(f);
}

Test(switch, ios_set_vlan_line_by_line_and_saved)
{
    static const struct fake_line lines[] = { IOS_LOGIN, IOS_LOOK, I("show lldp neighbors", IOS_LLDP),
        IC("configure terminal", "Enter configuration commands, one per line.  End with CNTL/Z.", "config"), IC("interface Gi1/0/7", "", "config-if"),
        IC("switchport access vlan 110", "% Access VLAN does not exist. Creating vlan 110", "config-if"), END };
    static const struct fake_line good[] = { IOS_LOGIN, IOS_LOOK, I("show lldp neighbors", IOS_LLDP),
        IC("configure terminal", "Enter configuration commands, one per line.  End with CNTL/Z.", "config"), IC("interface Gi1/0/7", "", "config-if"),
        IC("switchport access vlan 110", "", "config-if"), I("end", ""), I("write memory", "Building configuration...\r\n[OK]"), END };
    struct fake_host *f = switch_host();
    const struct fake_result *r;

    dialogue(f, good);
    r = fake_run(f, "set_vlan", "run", "{'device': 'ios-1', 'port': 'Gi1/0/7', 'vlan': 110}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->kept, "undo.1"), "switchport access vlan 120");
    cr_expect(strstr(typed(r), "configure terminal\ninterface Gi1/0/7\nswitchport access vlan 110\nend\nwrite memory\n"), "%s", typed(r));
    fake_host_free(f);
    f = switch_host();
    dialogue(f, lines);
    r = fake_run(f, "set_vlan", "run", "{'device': 'ios-1', 'port': 'Gi1/0/7', 'vlan': 110}", NULL);
    cr_expect_not(r->ok);
    cr_expect(strstr(r->error, "Access VLAN does not exist"), "%s", r->error);
    fake_host_free(f);
}

Test(switch, ios_wrong_enable_password)
{
    static const struct fake_line lines[] = { { NULL, "\r\nsw1>" }, { "\n", "\r\nsw1>" }, { "enable\n", "enable\r\nPassword: " }, { "open42\n", "\r\n% Access denied\r\n\r\nsw1>" }, END };
    struct fake_host *f = switch_host();
    const struct fake_result *r;

    dialogue(f, lines);
    r = fake_run(f, "facts", "run", "{'device': 'ios-1'}", NULL);
    cr_expect_not(r->ok);
    cr_expect_eq(r->class, FT_DENIED, "%s", r->error);
    cr_expect_not(strstr(r->error, "open42"));
    fake_host_free(f);
}

Test(switch, eos_by_json)
{
    struct fake_host *f = switch_host();
    const struct fake_result *r;

    answers(f, "show interfaces Et7 status", "{\"interfaceStatuses\": {\"Ethernet7\": {\"linkStatus\": \"connected\", \"bandwidth\": 1000000000, \"description\": \"AP\", "
            "\"vlanInformation\": {\"interfaceMode\": \"bridged\", \"vlanId\": 120}}}}");
    answers(f, "show running-config", "interface Ethernet7\n   switchport access vlan 120\n");
    answers(f, "show mac address-table", "{\"unicastTable\": {\"tableEntries\": [{\"vlanId\": 120, \"macAddress\": \"02:00:00:00:00:01\", \"interface\": \"Ethernet7\", \"entryType\": \"dynamic\"}]}}");
    r = fake_run(f, "interface", "run", "{'device': 'eos-1', 'port': 'Et7'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(fake_int(r->result, "vlan"), 120);
    cr_expect_eq(fake_int(r->result, "speed_mbps"), 1000);
    cr_expect_eq(fake_int(r->result, "mac_count"), 1);
    r = fake_run(f, "poe", "run", "{'device': 'eos-1', 'port': 'Et7'}", NULL);
    cr_expect_not(r->ok);
    cr_expect(strstr(r->error, "not supported on eos"), "%s", r->error);
    fake_host_free(f);
}

Test(switch, frr_says_what_it_has_not)
{
    static const char *const actions[] = { "mac_table", "lldp_neighbors" };
    struct fake_host *f = switch_host();
    const struct fake_result *r;

    answers(f, "show interface ge-0-0-1 json", "{\"ge-0-0-1\": {\"administrativeStatus\": \"up\", \"operationalStatus\": \"down\", \"description\": \"lab-port\"}}");
    r = fake_run(f, "interface", "run", "{'device': 'frr-1', 'port': 'ge-0-0-1'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->result, "description"), "lab-port");
    for (size_t i = 0; i < 2; i++) {
        r = fake_run(f, actions[i], "run", "{'device': 'frr-1'}", NULL);
        cr_expect_not(r->ok, "%s", actions[i]);
        cr_expect(strstr(r->error, "not supported on frr"), "%s: %s", actions[i], r->error);
    }
    r = fake_run(f, "set_vlan", "plan", "{'device': 'frr-1', 'port': 'ge-0-0-1', 'vlan': 110, 'force': true}", NULL);
    cr_expect(strstr(r->error, "not supported on frr"), "%s", r->error);
    r = fake_run(f, "port_bounce", "plan", "{'device': 'frr-1', 'port': 'ge-0-0-1'}", NULL);
    cr_expect_eq(r->class, FT_REFUSED, "nobody knows whether it is an uplink: %s", r->error);
    fake_host_free(f);
}

#define F(command, output, prompt) { command "\n", command "\r\n" output prompt "# " }
#define FRR_LOGIN { NULL, "\r\nHello, this is FRRouting (version 8.4.4).\r\n\r\nvm# " }, { "\n", "\r\nvm# " }, F("terminal length 0", "", "vm"), F("configure terminal", "", "vm(config)")
#define FRR_SAVED "Building Configuration...\r\nConfiguration saved to /etc/frr/zebra.conf\r\n"

/* What vtysh says where a line, or the whole change, did not come to its end: taken from FRR 8.4.4. */
Test(switch, frr_believes_no_line_that_a_daemon_did_not_get)
{
    static const struct { const char *line, *prompt, *end, *saved; enum ft_class class; const char *words; } tries[] = {
        { "", "vm(config)", "", FRR_SAVED, FT_CLASS_NONE, "" },
        { "Warning: connecting to staticd...failed!\r\nstaticd is not running\r\n", "vm(config)", "", FRR_SAVED, FT_REFUSED, "staticd is not running" },
        { "Warning: closing connection to zebra because of an I/O error!\r\nWarning: connecting to zebra...failed!\r\n", "vm(config)", "", FRR_SAVED, FT_AMBIGUOUS, "I/O error" },
        { "Warning: connecting to zebra...failed!\r\n", "vm(config)", "", FRR_SAVED, FT_AMBIGUOUS, "connecting to zebra" },
        { "% Command incomplete: hostname\r\n", "vm(config)", "", FRR_SAVED, FT_INVALID, "Command incomplete" },
        { "", "vm(config)", "Warning: connecting to zebra...failed!\r\n", FRR_SAVED, FT_REFUSED, "connecting to zebra...failed" },
        { "", "vm(config)", "", "Building Configuration...\r\nCan't open configuration file /etc/frr/zebra.conf.NePhdX.\r\n", FT_REFUSED, "in force, but not saved" },
        { "", "vm(config)", "", "Building Configuration...\r\n", FT_REFUSED, "in force, but not saved" },
        { "", "sw9(config)", "", FRR_SAVED, FT_CLASS_NONE, "" },
    };

    for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
        struct fake_host *f = switch_host();
        char line[300], end[300], saved[300], *prompt = strdup(tries[i].prompt);
        const struct fake_result *r;

        prompt[strcspn(prompt, "(")] = '\0';
        snprintf(line, sizeof(line), "hostname sw9\r\n%s%s# ", tries[i].line, tries[i].prompt);
        snprintf(end, sizeof(end), "end\r\n%s%s# ", tries[i].end, prompt);
        snprintf(saved, sizeof(saved), "write memory\r\n%s%s# ", tries[i].saved, prompt);
        dialogue(f, (const struct fake_line[]){ FRR_LOGIN, { "hostname sw9\n", line }, { "end\n", end }, { "write memory\n", saved }, END });
        r = fake_run(f, "configure", "run", "{'device': 'frr-1', 'lines': ['hostname sw9']}", NULL);
        cr_expect_eq(r->ok, tries[i].class == FT_CLASS_NONE, "try %zu: %s", i, r->error);
        if (!r->ok) {
            cr_expect_eq(r->class, tries[i].class, "try %zu: %s: %s", i, ft_class_name(r->class), r->error);
            cr_expect(strstr(r->error, tries[i].words), "try %zu: %s", i, r->error);
        }
        free(prompt);
        fake_host_free(f);
    }
}

Test(switch, what_is_cut_off_before_the_end_is_in_force)
{
    static const struct fake_line at_end[] = { FRR_LOGIN, F("no ip forwarding", "", "vm(config)"), { "end\n", "" }, END };
    static const struct fake_line at_save[] = { FRR_LOGIN, F("no ip forwarding", "", "vm(config)"), F("end", "", "vm"), { "write memory\n", "write memory\r\n" }, END };
    static const struct { const struct fake_line *lines; bool stays; const char *words; } tries[] = {
        { at_end, false, "the connection ended after 'end'; the change is in force, but not saved" },
        { at_save, false, "the connection ended after 'write memory'; the change is in force, but not saved" },
        { at_end, true, "gave no prompt after 'end' in time; the change is in force, but not saved" },
        { at_save, true, "gave no prompt after 'write memory' in time; the change is in force, but not saved" },
    };

    for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
        struct fake_host *f = switch_host();
        const struct fake_result *r;

        FAKE_STREAM(f, .kind = "ssh", .command = NULL, .lines = tries[i].lines, .stays_open = tries[i].stays);
        r = fake_run(f, "configure", "run", "{'device': 'frr-1', 'lines': ['no ip forwarding']}", NULL);
        cr_expect_not(r->ok, "try %zu", i);
        cr_expect_eq(r->class, FT_REFUSED, "try %zu: %s: %s", i, ft_class_name(r->class), r->error);
        cr_expect(strstr(r->error, tries[i].words), "try %zu: %s", i, r->error);
        fake_host_free(f);
    }
}

Test(switch, frr_without_zebra_has_no_whole_configuration)
{
    struct fake_host *f = switch_host();
    const struct fake_result *r;

    answers(f, "show running-config", "Building configuration...\n\nCurrent configuration:\n!\nfrr version 8.4.4\n!\nend\n");
    answers(f, "show daemons", " staticd\n");
    r = fake_run(f, "config_backup", "run", "{'device': 'frr-1', 'file': '/tmp/never-written.conf'}", NULL);
    cr_expect_not(r->ok);
    cr_expect_eq(r->class, FT_REFUSED, "%s", r->error);
    cr_expect(strstr(r->error, "zebra is not running"), "%s", r->error);
    r = fake_run(f, "configure", "run", "{'device': 'frr-1', 'lines': ['hostname sw9'], 'confirm': 'later'}", NULL);
    cr_expect(strstr(r->error, "not supported on frr"), "%s", r->error);
    fake_host_free(f);
}

#define E(command, output) { command "\n", command "\r\n" output "eos-1#" }
#define ES(command, output) { command "\n", command "\r\n" output "eos-1(config-s-fettle)#" }
#define EOS_LOGIN { NULL, "\r\neos-1#" }, { "\n", "\r\neos-1#" }, E("terminal length 0", "Pagination disabled.\r\n"), E("terminal width 512", "Width set to 512 columns.\r\n")
#define EOS_SESSION "configure session fettle-7f3c0a12-1"
#define EOS_DIFF "--- system:/running-config\r\n+++ session:/fettle-7f3c0a12-1-session-config\r\n@@ -3,6 +3,7 @@\r\n !\r\n+vlan 110\r\n+!\r\n"
#define NO_SESSIONS "Maximum number of completed sessions: 1\nMaximum number of pending sessions: 5\n\n  Name    State    User    Terminal\n  ------- -------- ------- --------\n"
#define EOS_RECEIPT "{'device': 'eos-1', 'session': 'fettle-7f3c0a12-1'}"
#define VLAN_110 "{'device': 'eos-1', 'lines': ['vlan 110', 'name staff']}"

Test(switch, eos_plans_in_a_session_that_it_aborts)
{
    static const struct fake_line lines[] = { EOS_LOGIN, ES("configure session fettle-7f3c0a12-e0ef68", ""),
        ES("vlan 110", ""), ES("name staff", ""), ES("show session-config diffs", EOS_DIFF), E("abort", ""), END };
    struct fake_host *f = switch_host();
    const struct fake_result *r;

    answers(f, "show configuration sessions", NO_SESSIONS);
    dialogue(f, lines);
    r = fake_run(f, "configure", "plan", VLAN_110, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(fake_equals(fake_at(r->result, "changes"), "[{'path': 'eos-1', 'from': null, 'to': 'vlan 110'}, {'path': 'eos-1', 'from': null, 'to': '!'}]"));
    cr_expect(strstr(typed(r), "\nabort\n"), "%s", typed(r));
    cr_expect_not(strstr(typed(r), "commit"), "%s", typed(r));
    cr_expect(strstr(fake_str(r->result, "receipt.session"), "fettle-7f3c0a12-"));
    fake_host_free(f);
}

Test(switch, eos_commits_under_a_timer_and_confirms)
{
    static const struct fake_line lines[] = { EOS_LOGIN, ES(EOS_SESSION, ""), ES("vlan 110", ""), ES("name staff", ""), ES("show session-config diffs", EOS_DIFF),
        E("commit timer 00:05:00", ""), E(EOS_SESSION " commit", ""), E("write memory", "Copy completed successfully.\r\n"), END };
    struct fake_host *f = switch_host();
    const struct fake_result *r;

    answers(f, "show configuration sessions", NO_SESSIONS);
    answers(f, "show clock", "Sat Nov 21 02:13:05 2026\n");
    dialogue(f, lines);
    r = fake_run(f, "configure", "run", VLAN_110, EOS_RECEIPT);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(strstr(fake_str(r->result, "diff"), "+vlan 110\n"), "%s", fake_str(r->result, "diff"));
    cr_expect(json_is_true(fake_at(r->result, "confirmed")));
    fake_host_free(f);
}

Test(switch, eos_leaves_no_session_behind_when_a_line_is_refused)
{
    static const struct fake_line lines[] = { EOS_LOGIN, ES(EOS_SESSION, ""), ES("vlan 110", ""), ES("name staff", "% Invalid input\r\n"), E("abort", ""), END };
    struct fake_host *f = switch_host();
    const struct fake_result *r;

    answers(f, "show configuration sessions", NO_SESSIONS);
    dialogue(f, lines);
    r = fake_run(f, "configure", "run", VLAN_110, EOS_RECEIPT);
    cr_expect_not(r->ok);
    cr_expect_eq(r->class, FT_INVALID, "%s", r->error);
    cr_expect(strstr(r->error, "Invalid input"), "%s", r->error);
    cr_expect(strstr(typed(r), "name staff\nabort\n"), "%s", typed(r));
    fake_host_free(f);
}

Test(switch, eos_change_that_cuts_us_off_is_aborted)
{
    static const struct fake_line lines[] = { EOS_LOGIN, ES(EOS_SESSION, ""), ES("vlan 110", ""), ES("name staff", ""), ES("show session-config diffs", EOS_DIFF),
        E("commit timer 00:05:00", ""), E(EOS_SESSION " abort", ""), END };
    struct fake_host *f = switch_host();
    const struct fake_result *r;

    answers(f, "show configuration sessions", NO_SESSIONS);
    FAKE_STREAM(f, .kind = "ssh", .command = "show clock", .refuse = FT_UNREACHABLE, .why = "no route to host");
    dialogue(f, lines);
    r = fake_run(f, "configure", "run", VLAN_110, EOS_RECEIPT);
    cr_expect_not(r->ok);
    cr_expect_eq(r->class, FT_REFUSED, "%s", r->error);
    cr_expect(strstr(typed(r), EOS_SESSION " abort\n"), "%s", typed(r));
    fake_host_free(f);
}

static const struct { const char *name, *table; enum ft_class class; const char *says; } eos_open[] = {
    { "somebody else's", "  Name     State                User   Terminal\n  ops-42   pendingCommitTimer   ana    vty3\n", FT_CONFLICT, "somebody else" },
    { "an earlier step's", "  Name     State                User   Terminal\n* fettle-7f3c0a12-000abc   pendingCommitTimer   ana    vty3\n", FT_CONFLICT, "earlier step" },
};

Test(switch, eos_does_not_touch_what_waits)
{
    for (size_t i = 0; i < sizeof(eos_open) / sizeof(eos_open[0]); i++) {
        struct fake_host *f = switch_host();
        const struct fake_result *r;

        answers(f, "show configuration sessions", eos_open[i].table);
        r = fake_run(f, "configure", "run", VLAN_110, EOS_RECEIPT);
        cr_expect_not(r->ok, "%s", eos_open[i].name);
        cr_expect_eq(r->class, eos_open[i].class, "%s: %s", eos_open[i].name, r->error);
        cr_expect(strstr(r->error, eos_open[i].says), "%s: %s", eos_open[i].name, r->error);
        cr_expect_null(typed(r));
        fake_host_free(f);
    }
}

Test(switch, eos_undo_takes_back_what_waits_and_nothing_else)
{
    static const struct fake_line lines[] = { EOS_LOGIN, E(EOS_SESSION " abort", ""), END };
    struct fake_host *f = switch_host();
    const struct fake_result *r;

    answers(f, "show configuration sessions", "  fettle-7f3c0a12-1   pendingCommitTimer   ana    vty3\n");
    dialogue(f, lines);
    r = fake_run(f, "configure", "undo", "{'device': 'eos-1', 'lines': ['vlan 110'], 'confirm': 'later'}", EOS_RECEIPT);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(strstr(typed(r), EOS_SESSION " abort\n"), "%s", typed(r));
    fake_host_free(f);
    f = switch_host();
    answers(f, "show configuration sessions", NO_SESSIONS);
    r = fake_run(f, "configure", "undo", VLAN_110, EOS_RECEIPT);
    cr_expect_not(r->ok);
    cr_expect(strstr(r->error, "not supported on eos"), "%s", r->error);
    fake_host_free(f);
}

/* ---- IOS under its timer ---- */

Test(switch, ios_revert_timer_is_confirmed_and_then_saved)
{
    static const struct fake_line lines[] = { IOS_LOGIN,
        IC("configure terminal revert timer 5", "Rollback Confirmed Change: Backing up current running config to flash:x-1\r\nEnter configuration commands, one per line.", "config"),
        IC("vlan 110", "", "config-vlan"), I("end", ""), I("configure confirm", ""), I("write memory", "[OK]"), END };
    struct fake_host *f = fake_host_new("switch");
    const struct fake_result *r;

    fake_config(f, "{'defaults': {'user': 'netop', 'vendor': 'ios', 'enable_password': 'open42', 'revert_timer': true, 'known_hosts': '/etc/fettle/known_hosts'}, 'devices': {'ios-1': {'host': '10.0.0.4'}}}");
    dialogue(f, lines);
    answers(f, "show clock", "*02:13:05.123 UTC Sat Nov 21 2026\n");
    r = fake_run(f, "configure", "run", "{'device': 'ios-1', 'lines': ['vlan 110']}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(strstr(typed(r), "end\nconfigure confirm\nwrite memory\n"), "%s", typed(r));
    fake_host_free(f);
}

Test(switch, ios_rollback_replaces_by_a_file)
{
    static const struct fake_line lines[] = { IOS_LOGIN, I("configure replace flash:before.cfg force", "\r\nTotal number of passes: 1\r\nRollback Done\r\n"), I("write memory", "[OK]"), END };
    static const struct fake_line bad[] = { IOS_LOGIN, I("configure replace flash:before.cfg force", "%Error opening flash:before.cfg (No such file or directory)\r\n"), END };
    struct fake_host *f = switch_host();
    const struct fake_result *r;

    dialogue(f, lines);
    r = fake_run(f, "config_rollback", "run", "{'device': 'ios-1', 'to': 'flash:before.cfg'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_true(fake_at(r->result, "changed")));
    fake_host_free(f);
    f = switch_host();
    dialogue(f, bad);
    r = fake_run(f, "config_rollback", "run", "{'device': 'ios-1', 'to': 'flash:before.cfg'}", NULL);
    cr_expect_not(r->ok);
    cr_expect(strstr(r->error, "opening flash:before.cfg"), "%s", r->error);
    fake_host_free(f);
}

/* ---- the way there ---- */

static const struct { const char *name, *config, *jump_user, *jump_hosts; json_int_t jump_port; } jumps[] = {
    { "what it leaves out is the switch's", "{'defaults': {'user': 'netop', 'key_file': '/k', 'known_hosts': '/kh', 'jump': {'host': 'gate'}}, 'devices': {'sw-3': {}}}", "netop", "/kh", 0 },
    { "its own login", "{'defaults': {'user': 'netop', 'known_hosts': '/kh'}, 'devices': {'sw-3': {'jump': {'host': 'gate', 'port': 2200, 'user': 'ops', 'key_file': '/o', 'known_hosts': '/okh'}}}}",
      "ops", "/okh", 2200 },
};

Test(switch, jump_host)
{
    for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
        struct fake_host *f = fake_host_new("switch");
        const struct fake_result *r;

        fake_config(f, jumps[i].config);
        answers_file(f, "show version", "version.json");
        answers_file(f, "show system uptime", "uptime.json");
        r = fake_run(f, "facts", "run", "{'device': 'sw-3'}", NULL);
        cr_assert(r->ok, "%s: %s", jumps[i].name, r->error);
        cr_expect_str_eq(fake_str(r->streams, "0.host"), "sw-3");
        cr_expect_str_eq(fake_str(r->streams, "0.jump.host"), "gate", "%s", jumps[i].name);
        cr_expect_str_eq(fake_str(r->streams, "0.jump.user"), jumps[i].jump_user, "%s", jumps[i].name);
        fake_host_free(f);
    }
}

/* ---- wrapped and slow ---- */

/* 80 columns, although 0 were asked for: the echo is wrapped, with blanks, carriage returns and backspaces, and comes a byte at a time. */
Test(switch, wrapped_echo_and_a_slow_switch)
{
    static const struct fake_line lines[] = { LOGIN, ENTER, LOAD_BEGIN, LOAD_END,
        { "show | compare\n", "show | com \r\npare\r\n" DIFF "\r\n{master:0}[edit]\r\nnetop@sw-3# " },
        { "commit confirmed 5 comment", "commit confirmed 5 comment \"fettle run 7f3c0a12: co \r\x1b[Kx\bnfigure\"\r\n" COMMITTED(5) CONF }, C("commit", "commit complete\r\n"), LEAVE, END };
    struct fake_host *f = switch_host();
    const struct fake_result *r;

    answers(f, "show configuration interfaces ge-0/0/7", "");
    answers(f, "show system commit", QUIET_LOG);
    FAKE_STREAM(f, .kind = "ssh", .command = NULL, .lines = lines, .stays_open = true, .chunk = 1);
    alive(f);
    r = fake_run(f, "configure", "run", "{\"device\": \"sw-3\", \"lines\": [\"set interfaces ge-0/0/7 description x\"]}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(strstr(fake_str(r->result, "diff"), "+    something"), "%s", fake_str(r->result, "diff"));
    fake_host_free(f);
}

static const struct { const char *name; enum ft_class refuse; const char *why; } logins[] = {
    { "a wrong password", FT_DENIED, "the password was not accepted" }, { "a changed host key", FT_UNREACHABLE, "the host key of 10.0.0.3 has changed" },
};

Test(switch, logins_that_fail_send_nothing)
{
    static const char *const actions[] = { "set_vlan", "port_bounce", "configure", "config_load", "config_backup", "facts" };

    for (size_t i = 0; i < sizeof(logins) / sizeof(logins[0]); i++) {
        for (size_t k = 0; k < sizeof(actions) / sizeof(actions[0]); k++) {
            struct fake_host *f = switch_host();
            static const struct fake_line nothing[] = { END };
            const char *params = k == 0 ? SET_VLAN : k == 1 ? PORT : k < 4 ? "{'device': 'sw-3', 'lines': ['set vlans a vlan-id 5']}" : "{'device': 'sw-3'}";
            const struct fake_result *r;

            FAKE_STREAM(f, .kind = "ssh", .lines = nothing, .refuse = logins[i].refuse, .why = logins[i].why);
            r = fake_run(f, actions[k], "run", params, NULL);
            cr_expect_not(r->ok, "%s: %s", actions[k], logins[i].name);
            cr_expect_eq(r->class, logins[i].refuse, "%s: %s: %s", actions[k], logins[i].name, r->error);
            cr_expect(strstr(r->error, logins[i].why) && strstr(r->error, "sw-3"), "%s: %s", actions[k], r->error);
            cr_expect_not(strstr(r->error, "sesame42"));
            fake_host_free(f);
        }
    }
}

/* ---- dead-man commits: left for `confirm`, which comes over a new login once the change is verified ---- */

static const struct fake_line leaving[] = { LOGIN, ENTER, LOAD_BEGIN, LOAD_END, C("show | compare", DIFF),
    { "commit confirmed 5 comment", "commit confirmed 5 comment \"fettle run 7f3c0a12: set_vlan ge-0/0/7\"\r\n" COMMITTED(5) CONF }, LEAVE, END };

static const json_t *stream_of(const struct fake_result *r, const char *command)
{
    json_t *stream;
    size_t i;

    json_array_foreach(r->streams, i, stream)
        if (strcmp(fake_str(stream, "command") ?: "", command) == 0)
            return stream;
    return NULL;
}

Test(switch, a_commit_is_left_for_its_confirmation)
{
    struct fake_host *f = switch_host();
    const struct fake_result *r;
    json_t *line;
    size_t i, pending = 0;

    port_is(f, "port.set", "lldp-ap.json");
    r = fake_run(f, "set_vlan", "plan", SET_VLAN, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(fake_int(r->result, "reverts.after_s"), 300);
    cr_expect_null(fake_at(r->result, "notes"));
    cr_expect(fake_at(r->result, "before.vlan"));
    cr_expect_null(fake_at(r->result, "before.flaps_s"), "what moves by itself would look as if somebody had changed it");
    cr_expect_null(fake_at(r->result, "before.mac_count"));
    port_is(f, "port.set", "lldp-ap.json");
    dialogue(f, leaving);
    alive(f);
    fake_confirms(f, true, NULL);
    r = fake_run(f, "set_vlan", "run", SET_VLAN, NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_not(strstr(typed(r), "\ncommit\n"), "it was confirmed: %s", typed(r));
    cr_expect(json_is_true(fake_at(stream_of(r, "show system uptime | no-more"), "fresh")), "the look after the commit logs in anew");
    json_array_foreach(r->trace, i, line)
        pending += strcmp(json_string_value(line), "pending 300000") == 0;
    cr_expect_eq(pending, 1);
    fake_host_free(f);
}

Test(switch, confirm_of_junos_comes_over_a_new_login)
{
    static const struct fake_line commits[] = { LOGIN, ENTER, C("commit", "commit complete\r\n"), LEAVE, END };
    static const struct { const char *log; bool ok, types; enum ft_class class; } cases[] = {
        { OUR_LOG, true, true, FT_CLASS_NONE },
        { "0   2026-11-21 02:13:01 UTC by netop via cli\n1   2026-11-21 02:12:01 UTC by netop via cli commit confirmed, rollback in 5mins\n    fettle run 7f3c0a12: set_vlan ge-0/0/7\n",
          true, false, FT_CLASS_NONE },
        { "0   2026-11-21 02:17:01 UTC by root via other\n1   2026-11-21 02:12:01 UTC by netop via cli commit confirmed, rollback in 5mins\n    fettle run 7f3c0a12: set_vlan ge-0/0/7\n",
          false, false, FT_CONFLICT },
        { THEIR_LOG, false, false, FT_CONFLICT },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fake_host *f = switch_host();
        const struct fake_result *r;

        answers(f, "show system commit", cases[i].log);
        dialogue(f, commits);
        r = fake_run(f, "set_vlan", "confirm", SET_VLAN, "{'from': 'guests'}");
        cr_expect_eq(r->ok, cases[i].ok, "%zu: %s", i, r->error);
        cr_expect_eq(r->class, cases[i].class, "%zu: %s", i, r->error);
        cr_expect_eq(typed(r) != NULL, cases[i].types, "%zu", i);
        cr_expect(json_is_true(fake_at(r->streams, "0.fresh")), "it logs in anew");
        cr_expect_null(fake_at(r->streams, "1.fresh"), "and once");
        fake_host_free(f);
    }
}

Test(switch, what_went_back_by_itself_has_not_happened)
{
    struct fake_host *f = switch_host();
    const struct fake_result *r;

    answers(f, "show system commit", "0   2026-11-21 02:17:01 UTC by root via other\n1   2026-11-21 02:12:01 UTC by netop via cli commit confirmed, rollback in 5mins\n    fettle run 7f3c0a12: config_load\n");
    r = fake_run(f, "config_load", "probe", "{'device': 'sw-3', 'lines': ['set vlans staff vlan-id 110']}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_false(fake_at(r->result, "happened")));
    r = fake_run(f, "config_load", "undo", "{'device': 'sw-3', 'lines': ['set vlans staff vlan-id 110']}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_false(fake_at(r->result, "changed")), "there is nothing to take back any more");
    fake_host_free(f);
}

Test(switch, an_undo_of_what_waits_is_for_good)
{
    static const struct fake_line lines[] = { LOGIN, ENTER, LOAD_BEGIN, LOAD_END, C("show | compare", DIFF),
        { "commit comment", "commit comment \"fettle run 7f3c0a12: set_vlan ge-0/0/7\"\r\ncommit complete\r\n" CONF }, LEAVE, END };
    struct fake_host *f = switch_host();
    const struct fake_result *r;

    answers(f, "show system commit", OUR_LOG);
    dialogue(f, lines);
    r = fake_run(f, "set_vlan", "undo", SET_VLAN, "{'device': 'sw-3', 'port': 'ge-0/0/7', 'from': 'guests', 'undo': ['set interfaces ge-0/0/7 unit 0 family ethernet-switching vlan members guests']}");
    cr_assert(r->ok, "%s", r->error);
    cr_expect_not(strstr(typed(r), "commit confirmed"), "the switch would go back to what was never proven: %s", typed(r));
    fake_host_free(f);
}

Test(switch, eos_session_is_left_and_confirmed)
{
    static const struct fake_line confirm[] = { EOS_LOGIN, E(EOS_SESSION " commit", ""), E("write memory", "Copy completed successfully.\r\n"), END };
    struct fake_host *f = switch_host();
    const struct fake_result *r;

    answers(f, "show configuration sessions", "  fettle-7f3c0a12-1   pendingCommitTimer   ana    vty3\n");
    dialogue(f, confirm);
    r = fake_run(f, "configure", "confirm", VLAN_110, EOS_RECEIPT);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(strstr(typed(r), EOS_SESSION " commit\nwrite memory\n"), "%s", typed(r));
    f = fake_host_free(f);
    f = switch_host();
    answers(f, "show configuration sessions", "  fettle-7f3c0a12-1   completed   ana    vty3\n");
    r = fake_run(f, "configure", "probe", VLAN_110, EOS_RECEIPT);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_true(fake_at(r->result, "happened")) && json_is_false(fake_at(r->result, "pending")));
    r = fake_run(f, "configure", "confirm", VLAN_110, EOS_RECEIPT);
    cr_expect(r->ok, "it is confirmed already: %s", r->error);
    fake_host_free(f);
}

Test(switch, frr_has_no_timer_and_the_plan_says_so)
{
    struct fake_host *f = switch_host();
    const struct fake_result *r = fake_run(f, "configure", "plan", "{'device': 'frr-1', 'lines': ['vlan 110']}", NULL);

    cr_assert(r->ok, "%s", r->error);
    cr_expect(strstr(fake_str(r->result, "notes.0"), "no dead-man timer on this system (frr)"), "%s", fake_str(r->result, "notes.0"));
    cr_expect(strstr(fake_str(r->result, "no_undo"), "give the step an `undo` of its own"));
    cr_expect_null(fake_at(r->result, "reverts"));
    r = fake_run(f, "configure", "plan", "{'device': 'ios-1', 'lines': ['vlan 110']}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(strstr(fake_str(r->result, "notes.0"), "revert_timer: true"), "%s", fake_str(r->result, "notes.0"));
    fake_host_free(f);
}

Test(switch, ios_timer_is_left_and_confirmed)
{
    static const struct fake_line lines[] = { IOS_LOGIN,
        IC("configure terminal revert timer 5", "Rollback Confirmed Change: Backing up current running config to flash:x-1\r\nEnter configuration commands, one per line.", "config"),
        IC("vlan 110", "", "config-vlan"), I("end", ""), END };
    static const struct fake_line confirm[] = { IOS_LOGIN, I("configure confirm", ""), I("write memory", "[OK]"), END };
    struct fake_host *f = fake_host_new("switch");
    const struct fake_result *r;

    fake_config(f, "{'defaults': {'user': 'netop', 'vendor': 'ios', 'enable_password': 'open42', 'revert_timer': true, 'known_hosts': '/etc/fettle/known_hosts'}, 'devices': {'ios-1': {'host': '10.0.0.4'}}}");
    dialogue(f, lines);
    answers(f, "show clock", "*02:13:05.123 UTC Sat Nov 21 2026\n");
    dialogue(f, confirm);
    r = fake_run(f, "configure", "plan", "{'device': 'ios-1', 'lines': ['vlan 110']}", NULL);
    cr_expect_eq(fake_int(r->result, "reverts.after_s"), 300);
    cr_expect(strstr(fake_str(r->result, "no_undo"), "once it is confirmed"));
    fake_confirms(f, true, NULL);
    r = fake_run(f, "configure", "run", "{'device': 'ios-1', 'lines': ['vlan 110']}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_not(strstr(typed(r), "configure confirm"), "%s", typed(r));
    cr_expect_not(strstr(typed(r), "write memory"), "what may go back is not saved: %s", typed(r));
    r = fake_run(f, "configure", "confirm", "{'device': 'ios-1', 'lines': ['vlan 110']}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(strstr(typed(r), "configure confirm\nwrite memory\n"), "%s", typed(r));
    fake_host_free(f);
}

/* ---- several changes of one run on a port: each is planned on what the ones before it leave */

static json_t *left_by(struct fake_host *f, const char *action, const char *params)
{
    const struct fake_result *r;

    port_is(f, "port.set", "lldp-ap.json");
    answers_file(f, "show configuration interfaces ge-0/0/7", "port.set");
    answers(f, "show system commit", QUIET_LOG);
    r = fake_run(f, action, "plan", params, NULL);
    cr_assert(r->ok, "%s: %s", action, r->error);
    return json_incref((json_t *)fake_at(r->result, "leaves"));
}

static const struct fake_result *plan_behind(struct fake_host *f, const json_t *left, const char *action, const char *params)
{
    fake_left(f, left);
    port_is(f, "port.set", "lldp-ap.json");
    answers_file(f, "show configuration interfaces ge-0/0/7", "port.set");
    answers(f, "show system commit", QUIET_LOG);
    return fake_run(f, action, "plan", params, NULL);
}

#define DESCRIBE "{\"device\": \"sw-3\", \"lines\": [\"set interfaces ge-0/0/7 description \\\"desk\\\"\"]}"
#define LINES "[\"set interfaces ge-0/0/7 description \\\"AP 3F-12\\\"\", \"set interfaces ge-0/0/7 unit 0 family ethernet-switching interface-mode access\", " \
    "\"set interfaces ge-0/0/7 unit 0 family ethernet-switching vlan members staff\"]"

Test(switch, plans_behind_other_changes_of_the_port)
{
    struct fake_host *f = switch_host();
    json_t *left = left_by(f, "set_vlan", SET_VLAN), *more;
    const struct fake_result *r = plan_behind(f, left, "configure", DESCRIBE);

    cr_assert(r->ok, "%s", r->error);
    cr_expect(fake_equals(fake_at(r->result, "before.0.lines"), LINES));
    more = json_incref((json_t *)fake_at(r->result, "leaves"));
    r = plan_behind(f, more, "set_vlan", "{'device': 'sw-3', 'port': 'ge-0/0/7', 'vlan': 'guests'}");
    cr_assert(r->ok, "%s", r->error);
    cr_expect(fake_equals(fake_at(r->result, "changes"), "[{'path': 'sw-3 ge-0/0/7 VLAN', 'from': 'staff', 'to': 'guests'}]"), "it is so now, and will not be so then");
    cr_expect_str_eq(fake_str(r->result, "requests.0.commands.2"), "delete interfaces ge-0/0/7 unit 0 family ethernet-switching vlan members staff");
    cr_expect_str_eq(fake_str(r->result, "before.description"), "desk", "what needs no quotes has none on the switch");
    r = plan_behind(f, more, "set_vlan", SET_VLAN);
    cr_expect(r->ok && json_is_true(fake_at(r->result, "nothing_to_do")), "%s", r->error);
    cr_expect(fake_equals(fake_at(r->result, "leaves"), "{}"));
    r = plan_behind(f, more, "port_bounce", PORT);
    cr_expect(r->ok && fake_equals(fake_at(r->result, "leaves"), "{}"), "what goes off and on again is as it was: %s", r->error);
    json_decref(left);
    json_decref(more);
    fake_host_free(f);
}

Test(switch, does_not_guess_what_only_the_switch_can_tell)
{
    struct fake_host *f = switch_host();
    json_t *twice = left_by(f, "configure", "{'device': 'sw-3', 'lines': ['set interfaces ge-0/0/7 hold-time 5', 'set interfaces ge-0/0/7 hold-time 6']}");
    json_t *gone = left_by(f, "configure", "{'device': 'sw-3', 'lines': ['delete interfaces ge-0/0/7 unit 0 family ethernet-switching']}"), *other;
    const struct fake_result *r = plan_behind(f, twice, "port_bounce", PORT);

    cr_expect(!r->ok && strstr(r->error, "only the switch can tell"), "%s", r->error);
    r = plan_behind(f, gone, "port_bounce", PORT);
    cr_expect(!r->ok && strstr(r->error, "only the switch can tell"), "%s", r->error);
    json_decref(twice);
    json_decref(gone);
    fake_left(f, NULL);
    other = left_by(f, "configure", "{'device': 'sw-3', 'lines': ['set interfaces ge-0/0/7 unit 0 description x']}");
    r = plan_behind(f, other, "port_disable", PORT);
    cr_expect(r->ok && json_is_true(fake_at(r->result, "before.admin_up")), "%s", r->error);
    r = plan_behind(f, fake_at(r->result, "leaves"), "port_bounce", PORT);
    cr_expect(!r->ok && strstr(r->error, "disabled in the configuration"), "an earlier step turns it off: %s", r->error);
    json_decref(other);
    fake_host_free(f);
}
