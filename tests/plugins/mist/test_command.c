/* Device commands over the websocket: what is sent and when, what belongs to whom, how each command ends, what is made of its output. */
#include "mist_test.h"

#define CHANNEL "/sites/" SITE "/devices/" AP_ID "/cmd"
#define SW_CHANNEL "/sites/" SITE "/devices/" SW_ID "/cmd"
#define OURS "19e73828-937f-05e6-f709-e29efdb0a82b"
#define P_AP "'site': '" SITE "', 'device': '" AP_ID "'"
#define P_SW "'site': '" SITE "', 'device': '" SW_ID "'"
#define PORT_UP "{'results': [{'mac': '" SW_MAC "', 'port_id': 'ge-0/0/12', 'up': true, 'poe_on': true, 'mac_count': 26, 'last_flapped': 5000, 'port_usage': 'ap'}]}"
enum { MOST_MESSAGES = 40 };

/* A message as Mist sends it: plain, or twice as text. */
static char *message(bool ap, const char *session, const char *raw, bool nested)
{
    json_t *data = json_pack("{s:s, s:s}", "session", session, "raw", raw), *outer;
    char *text;

    if (nested) {
        json_t *inner = json_pack("{s:s, s:s, s:o}", "event", "data", "channel", "/sites/" SITE "/devices/" AP_MAC "/cmd", "data", data);

        text = json_dumps(inner, 0);
        json_decref(inner);
        data = json_string(text);
        free(text);
    }
    outer = json_pack("{s:s, s:s, s:o}", "event", "data", "channel", ap ? CHANNEL : SW_CHANNEL, "data", data);
    text = json_dumps(outer, JSON_COMPACT);
    json_decref(outer);
    return text;
}

static const char *subscribed(bool ap)
{
    return ap ? "{\"event\":\"channel_subscribed\",\"channel\":\"" CHANNEL "\"}" : "{\"event\":\"channel_subscribed\",\"channel\":\"" SW_CHANNEL "\"}";
}

static void devices(struct fake_host *f)
{
    ANSWER(f, "/stats/devices/" AP_ID, "{'id': '" AP_ID "', 'mac': '" AP_MAC "', 'name': 'ap-3f-12', 'type': 'ap', 'status': 'connected'}");
    ANSWER(f, "/stats/devices/" SW_ID, "{'id': '" SW_ID "', 'mac': '" SW_MAC "', 'name': 'sw-3', 'type': 'switch', 'status': 'connected'}");
    ANSWER(f, "/stats/ports/search?mac=" SW_MAC "&port_id=ge-0%2F0%2F12&limit=10", PORT_UP);
}

/* The dialogue: a subscription, then the output cut into pieces of `piece` bytes (0: one for all), each `pace` ms after the one before. */
struct script { bool ap, nested, stays_open; const char *raw; size_t piece; uint64_t pace; enum ft_class close_class; const char *why; };

static void play(struct fake_host *f, const struct script *s)
{
    struct fake_line lines[MOST_MESSAGES + 3] = { { "subscribe", subscribed(s->ap) } };
    char *texts[MOST_MESSAGES] = { 0 };
    size_t n = 0, len = s->raw ? strlen(s->raw) : 0, piece = s->piece ? s->piece : len;

    while (piece && (len + piece - 1) / piece > MOST_MESSAGES)
        piece++;
    for (size_t at = 0; at < len; at += piece, n++) {
        char part[8192];

        snprintf(part, sizeof(part), "%.*s", (int)piece, s->raw + at);
        texts[n] = message(s->ap, OURS, part, s->nested);
        lines[n + 1] = (struct fake_line){ .send = texts[n], .after_ms = s->pace };
    }
    lines[n + 1] = (struct fake_line){ .send = "", .after_ms = 1000 };
    FAKE_STREAM(f, .kind = "websocket", .lines = lines, .stays_open = s->stays_open, .close_class = s->close_class, .why = s->why);
    for (size_t i = 0; i < n; i++)
        free(texts[i]);
}

static void holds(const json_t *result, const char *expected, const char *what)
{
    char *text = strdup(expected), *seen;
    json_t *wanted, *value;
    const char *key;

    for (char *p = text; *p; p++)
        if (*p == '\'')
            *p = '"';
    wanted = json_loads(text, 0, NULL);
    cr_assert(wanted, "%s: %s", what, text);
    json_object_foreach(wanted, key, value) {
        seen = json_dumps(json_object_get(result, key), JSON_ENCODE_ANY);
        cr_expect(json_equal(json_object_get(result, key), value)
                      || (json_is_number(value) && json_number_value(value) == json_number_value(json_object_get(result, key))),
                  "%s: %s is %s", what, key, seen ? seen : "missing");
        free(seen);
    }
    json_decref(wanted);
    free(text);
}

/* ---- what is made of the output */

#define PING_AP "PING 8.8.8.8 (8.8.8.8): 56 data bytes\n64 bytes from 8.8.8.8: seq=0 ttl=58 time=12.323 ms\n64 bytes from 8.8.8.8: seq=1 ttl=58 time=10.5 ms\n\n" \
    "--- 8.8.8.8 ping statistics ---\n2 packets transmitted, 2 packets received, 0% packet loss\nround-trip min/avg/max = 10.500/11.411/12.323 ms\n"
#define PING_JUNOS "PING 10.1.20.1 (10.1.20.1): 56 data bytes\r\n64 bytes from 10.1.20.1: icmp_seq=0 ttl=64 time=1.250 ms\r\n\r\n--- 10.1.20.1 ping statistics ---\r\n" \
    "3 packets transmitted, 1 packets received, 66% packet loss\r\nround-trip min/avg/max/stddev = 1.250/1.250/1.250/0.000 ms\r\n"
#define PING_DEAD "PING 10.9.9.9 (10.9.9.9): 56 data bytes\n\n--- 10.9.9.9 ping statistics ---\n5 packets transmitted, 0 packets received, 100% packet loss\n"
#define ROUTE_AP "traceroute to 8.8.8.8, 64 hops max\n 0  192.168.1.1 1 ms  192.168.1.1 1 ms  192.168.1.1 2 ms\n 1  * * *\n 2  8.8.8.8 3 ms  8.8.8.8 4 ms  8.8.8.8 5 ms\n"
#define ROUTE_JUNOS "traceroute to dns.google (8.8.8.8), 30 hops max, 52 byte packets\r\n 1  gw.example (10.1.20.1)  0.512 ms  0.4 ms  0.433 ms\r\n" \
    " 2  10.0.0.1 (10.0.0.1)  1.1 ms 10.0.0.5 (10.0.0.5)  1.5 ms *\r\n    10.0.0.9 (10.0.0.9)  1.9 ms\r\n 3  dns.google (8.8.8.8)  9.9 ms  9.8 ms  9.7 ms\r\n"
#define ARP_AP "\tMAC\t\tDEV\tVLAN\tRx Packets\t\t Rx Bytes\t\tTx Packets\t\t Tx Bytes\tFlows\tIdle sec\n-----------------------------\n" \
    "a4:83:e7:12:34:56\twlan0\t20\t1200\t\t88000\t\t900\t\t64000\t3\t12\n00:00:5e:00:53:01\teth0\t1\t5\t\t10\t\t5\t\t10\t0\t0\n"
#define ARP_JUNOS "MAC Address       Address         Name                      Interface               Flags\n" \
    "00:00:5e:00:53:01 10.1.20.1       gw.example                irb.20 [ge-0/0/3.0]     none\n00:00:5e:00:53:02 10.1.20.50      10.1.20.50                vme.0                   none\nTotal entries: 2\n"
#define MACS "MAC flags (S - static MAC, D - dynamic MAC, L - locally learned, P - Persistent static\n\nEthernet switching table : 2 entries, 2 learned\nRouting instance : default-switch\n" \
    "    Vlan                MAC                 MAC         Age    Logical                NH        RTR\n    name                address             flags              interface              Index     ID\n" \
    "    staff               00:00:5e:00:53:01   D             -    ge-0/0/12.0            0         0\n    aps                 5c:5b:35:00:00:01   D            30    ge-0/0/12.0            0         0\n"
#define DOT1X "802.1X Information:\nInterface     Role           State           MAC address          User\nge-0/0/12.0   Authenticator  Authenticated   00:00:5E:00:53:01    anna\nge-0/0/13.0   Authenticator  Connecting\n"
#define LEASES "IP address        Session Id  Hardware address   Expires     State      Interface\n10.1.30.50        12          00:00:5e:00:53:01  86000       BOUND      irb.30\n"
#define TDR "Interface TDR detail:\nInterface name                  : ge-0/0/12\nTest status                     : Passed\nLink status                     : Down\n" \
    "MDI pair                        : 1-2\n  Cable status                  : Normal\n  Distance fault                : 0 Meters\n  Polartiy swap                 : Normal\n  Skew time                     : 8 ns\n" \
    "MDI pair                        : 3-6\n  Cable status                  : Open\n  Distance fault                : 17 Meters\n  Polartiy swap                 : N/A\n  Skew time                     : N/A\n" \
    "Channel pair                    : 1-2 and 3-6\n  Pair swap                     : N/A\nDownshift                       : N/A\n"

static const struct { const char *action, *params, *raw, *expected; } outputs[] = {
    { "device_ping", "{" P_AP ", 'host': '8.8.8.8', 'count': 2}", PING_AP,
      "{'reachable': true, 'address': '8.8.8.8', 'sent': 2, 'received': 2, 'loss_pct': 0, 'rtt_min_ms': 10.5, 'rtt_avg_ms': 11.411, 'rtt_max_ms': 12.323, 'error': null, 'complete': true}" },
    { "device_ping", "{" P_SW ", 'host': '10.1.20.1', 'count': 3}", PING_JUNOS,
      "{'reachable': true, 'address': '10.1.20.1', 'sent': 3, 'received': 1, 'loss_pct': 66, 'rtt_min_ms': 1.25, 'complete': true}" },
    { "device_ping", "{" P_AP ", 'host': '10.9.9.9'}", PING_DEAD,
      "{'reachable': false, 'address': null, 'sent': 5, 'received': 0, 'loss_pct': 100, 'rtt_avg_ms': null, 'complete': true}" },
    { "device_ping", "{" P_AP ", 'host': 'nowhere'}", "ping: cannot resolve nowhere: Host name lookup failure\n",
      "{'reachable': false, 'sent': null, 'received': 0, 'loss_pct': null, 'error': 'ping: cannot resolve nowhere: Host name lookup failure', 'complete': true}" },
    { "device_ping", "{" P_SW ", 'host': '10.1.20.1'}", "10 packets transmitted, 9 received, +1 errors, 10% packet loss, time 9012ms\nrtt min/avg/max/mdev = 1/2/3/0.5 ms\n",
      "{'sent': 10, 'received': 9, 'loss_pct': 10, 'rtt_max_ms': 3, 'complete': true}" },
    { "device_traceroute", "{" P_AP ", 'host': '8.8.8.8'}", ROUTE_AP,
      "{'target': '8.8.8.8', 'reached': true, 'complete': true, 'error': null, 'hops': [{'hop': 0, 'address': '192.168.1.1', 'name': null, 'addresses': ['192.168.1.1'], 'rtts_ms': [1.0, 1.0, 2.0],"
      "'lost': 0, 'answer': null}, {'hop': 1, 'address': null, 'name': null, 'addresses': [], 'rtts_ms': [], 'lost': 3, 'answer': null},"
      "{'hop': 2, 'address': '8.8.8.8', 'name': null, 'addresses': ['8.8.8.8'], 'rtts_ms': [3.0, 4.0, 5.0], 'lost': 0, 'answer': null}]}" },
    { "device_traceroute", "{" P_SW ", 'host': 'dns.google'}", ROUTE_JUNOS,
      "{'target': '8.8.8.8', 'reached': true, 'complete': true, 'hops': [{'hop': 1, 'address': '10.1.20.1', 'name': 'gw.example', 'addresses': ['10.1.20.1'], 'rtts_ms': [0.512, 0.4, 0.433],"
      "'lost': 0, 'answer': null}, {'hop': 2, 'address': '10.0.0.1', 'name': null, 'addresses': ['10.0.0.1', '10.0.0.5', '10.0.0.9'], 'rtts_ms': [1.1, 1.5, 1.9], 'lost': 1, 'answer': null},"
      "{'hop': 3, 'address': '8.8.8.8', 'name': 'dns.google', 'addresses': ['8.8.8.8'], 'rtts_ms': [9.9, 9.8, 9.7], 'lost': 0, 'answer': null}]}" },
    { "device_traceroute", "{" P_SW ", 'host': '10.7.7.7'}",
      "traceroute to 10.7.7.7 (10.7.7.7), 2 hops max, 52 byte packets\n 1  10.1.20.1 (10.1.20.1)  0.5 ms !H  0.4 ms !H  0.4 ms !H\n 2  * * *\n",
      "{'reached': false, 'complete': true}" },
    { "device_traceroute", "{" P_AP ", 'host': 'nowhere'}", "traceroute: bad address 'nowhere'\n",
      "{'target': null, 'reached': null, 'hops': [], 'complete': true}" },
    { "device_arp", "{" P_AP "}", ARP_AP, "{'total': 2, 'complete': true, 'entries': [{'mac': 'a483e7123456', 'ip': null, 'interface': 'wlan0', 'port': null, 'vlan': 20, 'idle_s': 12.0},"
      "{'mac': '00005e005301', 'ip': null, 'interface': 'eth0', 'port': null, 'vlan': 1, 'idle_s': 0.0}]}" },
    { "device_arp", "{" P_SW "}", ARP_JUNOS, "{'total': 2, 'complete': true, 'entries': [{'mac': '00005e005301', 'ip': '10.1.20.1', 'interface': 'irb.20', 'port': 'ge-0/0/3.0', 'vlan': null, 'idle_s': null},"
      "{'mac': '00005e005302', 'ip': '10.1.20.50', 'interface': 'vme.0', 'port': null, 'vlan': null, 'idle_s': null}]}" },
    { "device_arp", "{" P_SW "}", "Total entries: 5\n", "{'total': 0, 'complete': false}" },
    { "switch_mac_table", "{" P_SW "}", MACS, "{'total': 2, 'complete': true, 'entries': [{'vlan': 'staff', 'mac': '00005e005301', 'flags': 'D', 'age_s': null, 'interface': 'ge-0/0/12.0'},"
      "{'vlan': 'aps', 'mac': '5c5b35000001', 'flags': 'D', 'age_s': 30, 'interface': 'ge-0/0/12.0'}]}" },
    { "switch_mac_table", "{" P_SW "}", "Ethernet switching table : 3 entries, 3 learned\n  staff  00:00:5e:00:53:01  D  -  ge-0/0/12.0  0  0\n",
      "{'total': 1, 'complete': false}" },
    { "switch_dot1x", "{" P_SW "}", DOT1X, "{'total': 2, 'entries': [{'port': 'ge-0/0/12.0', 'role': 'Authenticator', 'state': 'Authenticated', 'mac': '00005e005301', 'user': 'anna'},"
      "{'port': 'ge-0/0/13.0', 'role': 'Authenticator', 'state': 'Connecting', 'mac': null, 'user': null}]}" },
    { "switch_dot1x", "{" P_SW "}", "Interface     Role           State           MAC address          User\nge-0/0/1.0    Authenticator  Connecting   (not connected)\n"
      DOT1X DOT1X, "{'total': 5}" },
    { "device_dhcp_leases", "{" P_SW ", 'network': 'guest'}", LEASES,
      "{'total': 1, 'entries': [{'ip': '10.1.30.50', 'mac': '00005e005301', 'expires_s': 86000, 'state': 'BOUND', 'interface': 'irb.30'}]}" },
    { "cable_test", "{" P_SW ", 'port': 'ge-0/0/12'}", TDR, "{'changed': true, 'port': 'ge-0/0/12', 'test_status': 'Passed', 'passed': true, 'link': 'Down', 'faults': 1, 'complete': true, 'pairs': ["
      "{'pair': '1-2', 'status': 'Normal', 'fault_m': 0.0, 'polarity': 'Normal', 'skew_ns': 8.0}, {'pair': '3-6', 'status': 'Open', 'fault_m': 17.0, 'polarity': 'N/A', 'skew_ns': null}]}" },
    { "cable_test", "{" P_SW ", 'port': 'ge-0/0/12'}", "Interface TDR detail:\nTest status : Test successfully executed  ge-0/0/0\n",
      "{'passed': true, 'faults': null, 'pairs': [], 'complete': false, 'lines': ['Interface TDR detail:', 'Test status : Test successfully executed  ge-0/0/0']}" },
    { "port_bounce", "{" P_SW ", 'port': 'ge-0/0/12'}", "Port bounce complete.", "{'changed': true, 'confirmed': true, 'lines': ['Port bounce complete.']}" },
    { "port_clear_dot1x", "{" P_SW ", 'port': 'ge-0/0/12'}", "done\n", "{'changed': true, 'lines': ['done']}" },
    { "mac_table_clear", "{" P_SW ", 'vlan': 'staff'}", "done\n", "{'changed': true, 'lines': ['done']}" },
};

/* Each output whole, and in pieces of every kind; before the answer to the POST, and after it; plain and nested. */
Test(mist_command, outputs_are_read_however_they_come)
{
    static const struct { size_t piece; uint64_t pace, answer; bool nested; } ways[] = {
        { 0, 0, 0, false }, { 0, 300, 0, true }, { 37, 50, 0, false }, { 61, 0, 700, true },
    };

    for (size_t i = 0; i < ARRAY_LEN(outputs); i++)
        for (size_t w = 0; w < ARRAY_LEN(ways); w++) {
            struct fake_host *f = mist_host();
            const struct fake_result *r;
            char what[100];

            snprintf(what, sizeof(what), "%s, output %zu, way %zu", outputs[i].action, i, w);
            devices(f);
            FAKE_HTTP(f, .method = "POST", .status = 200, .body = "{'session': '" OURS "'}", .after_ms = ways[w].answer);
            play(f, &(struct script){ .ap = strstr(outputs[i].params, AP_ID), .nested = ways[w].nested, .raw = outputs[i].raw, .piece = ways[w].piece,
                                      .pace = ways[w].pace, .stays_open = true });
            r = fake_run(f, outputs[i].action, "run", outputs[i].params, NULL);
            cr_expect(r->ok, "%s: %s", what, r->error);
            if (r->ok)
                holds(r->result, outputs[i].expected, what);
            fake_host_free(f);
        }
}

Test(mist_command, the_stream_is_asked_for_before_the_command)
{
    struct fake_host *f = mist_host();
    const struct fake_result *r;
    char *trace;

    devices(f);
    FAKE_HTTP(f, .method = "POST", .status = 200, .body = "{'session': '" OURS "'}");
    play(f, &(struct script){ .ap = true, .raw = PING_AP, .stays_open = true });
    r = fake_run(f, "device_ping", "run", "{" P_AP ", 'host': '8.8.8.8', 'count': 2, 'size': 1472, 'vrf': 'guest'}", NULL);
    GOOD(r);
    trace = json_dumps(r->trace, 0);
    cr_expect(strstr(trace, "websocket wss://api-ws.mist.test/api-ws/v1/stream"), "%s", trace);
    cr_expect_lt(strstr(trace, "websocket"), strstr(trace, "POST"), "%s", trace);
    cr_expect_str_eq(fake_str(r->streams, "0.sent"), "{\"subscribe\":\"" CHANNEL "\"}");
    cr_expect_str_eq(fake_str(r->streams, "0.headers.Authorization"), "Token sesame-open");
    cr_expect_str_eq(fake_str(write_in(r->requests), "url"), AT "/sites/" SITE "/devices/" AP_ID "/ping");
    cr_expect_str_eq(fake_str(write_in(r->requests), "body"), "{\"host\":\"8.8.8.8\",\"count\":2,\"size\":1472,\"vrf\":\"guest\"}");
    cr_expect_lt(r->took_ms, 3000, "an end that is seen is not waited for");
    free(trace);
    fake_host_free(f);
}

static const struct { const char *url, *stream_url, *expected; } places[] = {
    { "https://api.eu.mist.com", NULL, "wss://api-ws.eu.mist.com/api-ws/v1/stream" },
    { "http://127.0.0.1:8080", NULL, "ws://127.0.0.1:8080/api-ws/v1/stream" },
    { "https://proxy.test/mist/", NULL, "wss://proxy.test/mist/api-ws/v1/stream" },
    { "https://api.mist.com", "wss://stream.test/ws", "wss://stream.test/ws" },
};

Test(mist_command, the_stream_lies_beside_the_api)
{
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        struct fake_host *f = fake_host_new("mist");
        char config[400];
        const struct fake_result *r;

        snprintf(config, sizeof(config), "{'url': '%s', 'org_id': '" ORG "', 'token': 'sesame-open', 'watch_usage': false%s%s%s}", places[i].url,
                 places[i].stream_url ? ", 'stream_url': '" : "", places[i].stream_url ? places[i].stream_url : "", places[i].stream_url ? "'" : "");
        fake_config(f, config);
        devices(f);
        FAKE_STREAM(f, .kind = "websocket", .refuse = FT_DENIED, .why = "websocket: the server answered '401 Unauthorized'");
        r = fake_run(f, "device_ping", "run", "{" P_AP ", 'host': '8.8.8.8'}", NULL);
        cr_expect_str_eq(fake_str(r->streams, "0.host"), places[i].expected);
        cr_expect_eq(r->class, FT_DENIED);
        cr_expect(strstr(r->error, "401") && strstr(r->error, "was not sent") && !strstr(r->error, "sesame"), "%s", r->error);
        cr_expect_eq(writes_in(r->requests), 0, "nothing is sent that nobody would hear");
        fake_host_free(f);
    }
}

/* Whatever else is said on the connection is none of our output. */
Test(mist_command, others_are_not_listened_to)
{
    struct fake_host *f = mist_host();
    char *theirs = message(true, "another", "9 packets transmitted, 0 packets received, 100% packet loss\n", false), *ours = message(true, OURS, PING_AP, true);
    const struct fake_line lines[] = {
        { "subscribe", "no JSON" }, { NULL, "[]" }, { NULL, "{\"event\":\"channel_subscribed\",\"channel\":\"/sites/else\"}", .after_ms = 10 },
        { NULL, subscribed(true) }, { NULL, subscribed(true) }, { NULL, theirs },
        { NULL, "{\"event\":\"data\",\"channel\":\"" SW_CHANNEL "\",\"data\":{\"session\":\"" OURS "\",\"raw\":\"9 packets transmitted, 0 x, 100% packet loss\\n\"}}" },
        { NULL, "{\"event\":\"data\"}" }, { NULL, "{\"event\":\"data\",\"data\":{\"session\":7,\"raw\":{}}}" },
        { NULL, "{\"event\":\"data\",\"data\":{\"session\":\"" OURS "\",\"raw\":null}}" },
        { NULL, "{\"event\":\"subscribe_failed\",\"channel\":\"" CHANNEL "\"}", .after_ms = 500 }, { NULL, theirs }, { NULL, ours }, { NULL, NULL },
    };
    const struct fake_result *r;

    devices(f);
    FAKE_HTTP(f, .method = "POST", .status = 200, .body = "{'session': '" OURS "'}", .after_ms = 100);
    FAKE_STREAM(f, .kind = "websocket", .lines = lines, .stays_open = true);
    r = fake_run(f, "device_ping", "run", "{" P_AP ", 'host': '8.8.8.8', 'count': 2}", NULL);
    GOOD(r);
    holds(r->result, "{'sent': 2, 'received': 2}", "ours");
    cr_expect_eq(writes_in(r->requests), 1, "a subscription confirmed twice is one command");
    free(theirs);
    free(ours);
    fake_host_free(f);
}

Test(mist_command, colours_and_json_in_raw_are_understood)
{
    static const struct { const char *raw, *expected; } table[] = {
        { "\x1b[2J\x1b[1;31mPING 8.8.8.8\x1b[0m\r\n\x1b]0;title\x07"
          "2 packets transmitted, 2 packets received, 0% packet loss\r\nround-trip min/avg/max = 1/2/3 ms\r\n",
          "{'lines': ['PING 8.8.8.8', '2 packets transmitted, 2 packets received, 0% packet loss', 'round-trip min/avg/max = 1/2/3 ms'], 'loss_pct': 0}" },
        { "{\"Output\": \"2 packets transmitted, 0 packets received, 100% packet loss\\n\"}", "{'loss_pct': 100}" },
        { "{\"status\":\"SUCCESS\",\"finished\":true,\"rows\":[]}", "{'complete': true, 'received': 0, 'sent': null}" },
        { "gr\xc3\xbc\xc3\x9f" "e\rover\n2 packets transmitted, 0 packets received, 100% packet loss\n",
          "{'lines': ['gr??e', 'over', '2 packets transmitted, 0 packets received, 100% packet loss']}" },
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct fake_host *f = mist_host();
        const struct fake_result *r;

        devices(f);
        FAKE_HTTP(f, .method = "POST", .status = 200, .body = "{'session': '" OURS "'}");
        play(f, &(struct script){ .ap = true, .raw = table[i].raw, .stays_open = true });
        r = fake_run(f, "device_ping", "run", "{" P_AP ", 'host': '8.8.8.8'}", NULL);
        cr_expect(r->ok, "%s: %s", table[i].raw, r->error);
        holds(r->result, table[i].expected, table[i].raw);
        fake_host_free(f);
    }
}

/* ---- how it can fail */

static const struct { const char *action, *params; struct script script; int status; const char *answer; enum ft_class class; const char *says; } failures[] = {
    { "device_ping", "{" P_AP ", 'host': '8.8.8.8'}", { .stays_open = true }, 200, "{'session': '" OURS "'}", FT_TIMEOUT,
      "ap-3f-12 took the command, and its output did not come: the device said nothing for 25 s" },
    { "device_ping", "{" P_AP ", 'host': '8.8.8.8'}", { .raw = "PING 8.8.8.8 (8.8.8.8): 56 data bytes\n", .close_class = FT_UNREACHABLE,
                                                        .why = "the connection was cut off" }, 200, "{'session': '" OURS "'}",
      FT_UNREACHABLE, "the connection was cut off" },
    { "device_ping", "{" P_AP ", 'host': '8.8.8.8'}", { .raw = "PING 8.8.8.8 (8.8.8.8): 56 data bytes\n" }, 200, "{'session': '" OURS "'}", FT_UNREACHABLE,
      "closed by the other side" },
    { "device_ping", "{" P_AP ", 'host': '8.8.8.8'}", { .stays_open = true }, 200, "{}", FT_INVALID, "names no session" },
    { "device_ping", "{" P_AP ", 'host': '8.8.8.8'}", { .stays_open = true }, 200, "[]", FT_INVALID, "a list where an object was due" },
    { "device_ping", "{" P_AP ", 'host': '8.8.8.8'}", { .stays_open = true }, 404, "{'detail': 'Not found.'}", FT_NOT_FOUND, "Not found." },
    { "device_ping", "{" P_AP ", 'host': '8.8.8.8'}", { .stays_open = true }, 409, "{'detail': 'busy'}", FT_CONFLICT, "busy" },
    { "device_ping", "{" P_AP ", 'host': '8.8.8.8'}", { .stays_open = true }, 429, "{'detail': 'Too Many Request'}", FT_REFUSED, "Too Many Request" },
    { "device_ping", "{" P_AP ", 'host': '8.8.8.8'}", { .stays_open = true, .raw = "error: device is offline\n" }, 200, "{'session': '" OURS "'}",
      FT_REFUSED, "ap-3f-12 answers: error: device is offline" },
    { "device_ping", "{" P_AP ", 'host': '8.8.8.8'}", { .stays_open = true, .raw = "No response from device\n" }, 200, "{'session': '" OURS "'}",
      FT_UNREACHABLE, "No response from device" },
    { "switch_mac_table", "{" P_SW "}", { .stays_open = true, .raw = "error: command is not valid on the ex2300\n" }, 200, "{'session': '" OURS "'}",
      FT_REFUSED, "not valid on the ex2300" },
    { "cable_test", "{" P_SW ", 'port': 'ge-0/0/12'}", { .stays_open = true }, 200, "{'session': '" OURS "'}", FT_AMBIGUOUS,
      "said nothing for 60 s; is it connected to Mist, and does it know this command?; it has probably run" },
    { "cable_test", "{" P_SW ", 'port': 'ge-0/0/12'}", { .raw = "Interface", .close_class = FT_UNREACHABLE, .why = "cut off" }, 200,
      "{'session': '" OURS "'}", FT_AMBIGUOUS, "cut off; it has probably run" },
    { "cable_test", "{" P_SW ", 'port': 'ge-0/0/12'}", { .stays_open = true }, 403, "{'detail': 'role'}", FT_DENIED, "role" },
    { "cable_test", "{" P_SW ", 'port': 'ge-0/0/12'}", { .stays_open = true, .raw = "error: port is a fibre port\n" }, 200, "{'session': '" OURS "'}",
      FT_REFUSED, "sw-3 answers: error: port is a fibre port" },
    { "port_bounce", "{" P_SW ", 'port': 'ge-0/0/12'}", { .stays_open = true, .raw = "error: bounce of ge-0/0/12 failed\n" }, 200, "{'session': '" OURS "'}",
      FT_REFUSED, "answers: error: bounce of ge-0/0/12 failed" },
    { "cable_test", "{" P_SW ", 'port': 'ge-0/0/99'}", { .stays_open = true }, 200, "{}", FT_UNREACHABLE, "" },
};

Test(mist_command, failures_have_their_class)
{
    for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
        struct fake_host *f = mist_host();
        struct script script = failures[i].script;
        const struct fake_result *r;

        devices(f);
        FAKE_HTTP(f, .method = "POST", .status = failures[i].status, .body = failures[i].answer);
        script.ap = strstr(failures[i].params, AP_ID);
        play(f, &script);
        r = fake_run(f, failures[i].action, "run", failures[i].params, NULL);
        cr_expect_not(r->ok, "failure %zu", i);
        cr_expect_eq(r->class, failures[i].class, "failure %zu: class %d, %s", i, r->class, r->error);
        cr_expect(strstr(r->error, failures[i].says), "failure %zu: %s", i, r->error);
        fake_host_free(f);
    }
}

static const struct { const char *answer; enum ft_class class, refuse; const char *says; } subscriptions[] = {
    { "{\"event\":\"subscribe_failed\",\"channel\":\"" CHANNEL "\",\"detail\":\"You do not have permission\"}", FT_DENIED, 0, "You do not have permission" },
    { "{\"event\":\"subscribe_failed\",\"channel\":\"" CHANNEL "\",\"detail\":\"too many channels\"}", FT_REFUSED, 0, "too many channels" },
    { "", FT_TIMEOUT, 0, "did not confirm the subscription" },
    { NULL, FT_REFUSED, FT_REFUSED, "429 Too Many Requests" },
};

Test(mist_command, without_a_subscription_nothing_is_sent)
{
    for (size_t i = 0; i < ARRAY_LEN(subscriptions); i++) {
        struct fake_host *f = mist_host();
        const struct fake_line lines[] = { { "subscribe", subscriptions[i].answer }, { NULL, NULL } };
        const struct fake_result *r;

        devices(f);
        FAKE_STREAM(f, .kind = "websocket", .lines = lines, .stays_open = true, .refuse = subscriptions[i].refuse,
                    .why = "the server answered '429 Too Many Requests'");
        r = fake_run(f, "device_ping", "run", "{" P_AP ", 'host': '8.8.8.8'}", NULL);
        cr_expect_eq(r->class, subscriptions[i].class, "%s", r->error);
        cr_expect(strstr(r->error, subscriptions[i].says) && strstr(r->error, "was not sent"), "%s", r->error);
        cr_expect_eq(writes_in(r->requests), 0);
        fake_host_free(f);
    }
}

/* A port is bounced although nobody hears what the switch says of it. */
static const struct { struct script script; enum ft_class refuse; const char *answer, *expected; } unheard[] = {
    { { .stays_open = true }, FT_UNREACHABLE, NULL, "{'changed': true, 'confirmed': false, 'lines': []}" },
    { { .stays_open = true }, 0, NULL, "{'changed': true, 'confirmed': false, 'lines': []}" },
    { { .raw = "bouncing\n" }, 0, "{'session': '" OURS "'}", "{'changed': true, 'confirmed': false}" },
    { { .stays_open = true, .raw = "Port bounce complete." }, 0, NULL, "{'changed': true, 'confirmed': true}" },       /* as the document has it: no session in the answer */
};

Test(mist_command, a_port_is_bounced_also_unheard)
{
    for (size_t i = 0; i < ARRAY_LEN(unheard); i++) {
        struct fake_host *f = mist_host();
        const struct fake_result *r;

        devices(f);
        FAKE_HTTP(f, .method = "POST", .status = 200, .body = unheard[i].answer);
        if (unheard[i].refuse)
            FAKE_STREAM(f, .kind = "websocket", .refuse = unheard[i].refuse, .why = "no route");
        else
            play(f, &unheard[i].script);
        r = fake_run(f, "port_bounce", "run", "{" P_SW ", 'port': 'ge-0/0/12'}", NULL);
        cr_expect(r->ok, "%zu: %s", i, r->error);
        holds(r->result, unheard[i].expected, "bounce");
        cr_expect_eq(writes_in(r->requests), 1);
        fake_host_free(f);
    }
}

Test(mist_command, a_device_that_is_away_is_told_nothing)
{
    struct fake_host *f = mist_host();
    const struct fake_result *r;

    ANSWER(f, "/stats/devices/" AP_ID, "{'name': 'ap-3f-12', 'type': 'ap', 'status': 'disconnected'}");
    r = fake_run(f, "device_ping", "run", "{" P_AP ", 'host': '8.8.8.8'}", NULL);
    cr_expect_eq(r->class, FT_UNREACHABLE);
    cr_expect(strstr(r->error, "ap-3f-12 is not connected to Mist"), "%s", r->error);
    cr_expect_eq(json_array_size(r->streams), 0);
    fake_host_free(f);
}

/* Silence without statistics: what was seen is told, and that it is not all. */
Test(mist_command, an_output_without_its_end_is_not_complete)
{
    struct fake_host *f = mist_host();
    const struct fake_result *r;

    devices(f);
    FAKE_HTTP(f, .method = "POST", .status = 200, .body = "{'session': '" OURS "'}");
    play(f, &(struct script){ .ap = true, .stays_open = true,
                              .raw = "PING 8.8.8.8\n64 bytes from 8.8.8.8: seq=0 ttl=58 time=12 ms\n64 bytes from 8.8.8.8: seq=1 ttl=58 time=14 ms\n" });
    r = fake_run(f, "device_ping", "run", "{" P_AP ", 'host': '8.8.8.8', 'count': 10}", NULL);
    GOOD(r);
    holds(r->result, "{'complete': false, 'sent': null, 'received': 2, 'loss_pct': null, 'rtt_min_ms': 12, 'rtt_avg_ms': 13, 'rtt_max_ms': 14, 'reachable': true}", "silence");
    cr_expect(r->took_ms >= 25000 && r->took_ms < 27000, "%llu ms", (unsigned long long)r->took_ms);
    fake_host_free(f);
}

Test(mist_command, endless_output_has_an_end)
{
    struct fake_host *f = mist_host();
    char *much = malloc(200001), *text;
    struct fake_line lines[] = { { "subscribe", subscribed(false) }, { NULL, NULL, .after_ms = 10 }, { NULL, NULL, .after_ms = 10 }, { NULL, NULL } };
    const struct fake_result *r;

    for (size_t i = 0; i < 200000; i += 40)
        memcpy(much + i, "staff 00:00:5e:00:53:01 D - ge-0/0/9.0 0\n", 40);
    much[200000] = '\0';
    text = message(false, OURS, much, false);
    lines[1].send = lines[2].send = text;
    devices(f);
    FAKE_HTTP(f, .method = "POST", .status = 200, .body = "{'session': '" OURS "'}");
    FAKE_STREAM(f, .kind = "websocket", .lines = lines, .stays_open = true);
    r = fake_run(f, "switch_mac_table", "run", "{" P_SW "}", NULL);
    GOOD(r);
    cr_expect_not(is_true_at(r->result, "complete"));
    cr_expect_leq(json_array_size(fake_at(r->result, "lines")), 2000);
    cr_expect_lt(r->took_ms, 1000);
    free(much);
    free(text);
    fake_host_free(f);
}

static const struct { const char *action, *params, *body; int users; } plans[] = {
    { "cable_test", "{" P_SW ", 'port': 'ge-0/0/12'}", "{\"port\":\"ge-0/0/12\"}", 26 },
    { "port_clear_dot1x", "{" P_SW ", 'port': 'ge-0/0/12'}", "{\"port_id\":\"ge-0/0/12\",\"ports\":[\"ge-0/0/12\"]}", 26 },
    { "mac_table_clear", "{" P_SW ", 'mac': '5C:5B:35:00:00:01', 'vlan': 'staff'}", "{\"mac_address\":\"5c5b35000001\",\"vlan_id\":\"staff\"}", -1 },
};

Test(mist_command, plans_are_what_is_sent)
{
    for (size_t i = 0; i < ARRAY_LEN(plans); i++) {
        struct fake_host *f = mist_host();
        const struct fake_result *r;
        json_t *plan;

        devices(f);
        FAKE_HTTP(f, .method = "POST", .status = 200, .body = "{'session': '" OURS "'}");
        play(f, &(struct script){ .raw = "Downshift : N/A\n", .stays_open = true });
        r = fake_run(f, plans[i].action, "plan", plans[i].params, NULL);
        cr_assert(r->ok, "%s: %s", plans[i].action, r->error);
        cr_expect_eq(json_array_size(r->streams), 0, "a plan listens to nothing");
        cr_expect_eq(writes_in(r->requests), 0);
        if (plans[i].users >= 0)
            cr_expect_eq(fake_int(r->result, "users"), plans[i].users);
        plan = json_deep_copy(r->result);
        r = fake_run(f, plans[i].action, "run", plans[i].params, NULL);
        cr_assert(r->ok, "%s: %s", plans[i].action, r->error);
        same_as_planned(plan, write_in(r->requests), plans[i].action);
        cr_expect_str_eq(fake_str(write_in(r->requests), "body"), plans[i].body);
        json_decref(plan);
        fake_host_free(f);
    }
}

static const struct { const char *action, *params, *says; } wrong[] = {
    { "device_arp", "{" P_AP ", 'ip': '10.1.20.1'}", "ip, port and vrf are for switches" },
    { "switch_mac_table", "{" P_SW ", 'mac': 'not-a-mac-address'}", "is no MAC address" },
    { "mac_table_clear", "{" P_SW "}", "mac, port or vlan" },
    { "mac_table_clear", "{" P_SW ", 'mac': 'not-a-mac-address'}", "is no MAC address" },
    { "device_ping", "{" P_AP ", 'host': '8.8.8.8; reboot'}", "host" },
    { "switch_mac_table", "{" P_AP "}", "is of type 'ap', not 'switch'" },
};

Test(mist_command, wrong_parameters_are_refused)
{
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct fake_host *f = mist_host();
        const struct fake_result *r;

        devices(f);
        r = fake_run(f, wrong[i].action, "run", wrong[i].params, NULL);
        cr_expect_eq(r->class, FT_INVALID, "%s %s", wrong[i].params, r->error);
        cr_expect(strstr(r->error, wrong[i].says), "%s: %s", wrong[i].params, r->error);
        cr_expect_eq(writes_in(r->requests), 0);
        fake_host_free(f);
    }
}
