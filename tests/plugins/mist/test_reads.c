/* Reads of devices, ports, RF, service levels, alarms, sites and WLANs. */
#include "mist_test.h"

static const struct fake_result *run(struct fake_host *f, const char *action, const char *params)
{
    const struct fake_result *r = fake_run(f, action, "run", params, NULL);

    cr_assert(r->ok, "%s: %s", action, r->error);
    return r;
}

/* ---- devices */

Test(device_status, of_an_access_point)
{
    struct fake_host *f = mist_host();

    ANSWER(f, "/stats/devices/" AP_ID,
        "{'id': '" AP_ID "', 'mac': '" AP_MAC "', 'name': 'ap-3f-12', 'type': 'ap', 'status': 'connected', 'uptime': 86400, 'num_clients': 24, 'cpu_util': 12,"
        "'mem_total_kb': 1000, 'mem_used_kb': 250, 'power_src': 'PoE 802.3af', 'power_constrained': true, 'power_budget': -3500, 'config_reverted': true,"
        "'inactive_wired_vlans': [20, '30'], 'last_trouble': {'code': '07', 'timestamp': 1720039666}, 'lldp_stat': {'system_name': 'sw-3', 'port_id': 'ge-0/0/12',"
        "'chassis_id': 'd0:07:ca:f5:21:00'}, 'port_stat': {'eth0': {'up': true, 'speed': 100, 'rx_errors': 7}},"
        "'radio_stat': {'band_5': {'channel': 36, 'bandwidth': 40, 'power': 15, 'noise_floor': -91, 'num_clients': 20, 'util_all': 83, 'util_non_wifi': 4, 'util_rx_other_bss': 61}}}");
    const struct fake_result *r = run(f, "device_status", "{'site': '" SITE "', 'device': '" AP_ID "'}");

    cr_expect_str_eq(fake_str(r->result, "status"), "connected");
    cr_expect_eq(fake_int(r->result, "num_clients"), 24);
    cr_expect_float_eq(number_at(r->result, "mem_pct"), 25, 1e-9);
    cr_expect_float_eq(number_at(r->result, "cpu_util"), 12, 1e-9);
    cr_expect_str_eq(fake_str(r->result, "lldp_switch"), "sw-3");
    cr_expect_str_eq(fake_str(r->result, "lldp_switch_mac"), "d007caf52100");
    cr_expect(fake_equals(fake_at(r->result, "inactive_wired_vlans"), "[20, 30]"));
    cr_expect_float_eq(number_at(r->result, "radios.band_5.util_rx_other_bss"), 61, 1e-9);
    cr_expect(fake_at(r->result, "radios.band_6") == NULL);
    cr_expect(is_true_at(r->result, "power_constrained") && is_true_at(r->result, "config_reverted"));
    cr_expect_eq(fake_int(r->result, "eth_speed"), 100);
    cr_expect_str_eq(fake_str(r->result, "last_trouble.code"), "07");
    fake_host_free(f);
}

Test(device_status, of_a_switch)
{
    struct fake_host *f = mist_host();

    ANSWER(f, "/stats/devices/" SW_ID,
        "{'type': 'switch', 'hostname': 'sw-3', 'status': 'connected', 'cpu_stat': {'idle': 74}, 'memory_stat': {'usage': 16}, 'last_trouble': {'code': 103, 'timestamp': 1712412455215},"
        "'clients_stats': {'total': {'num_wired_clients': 13}}, 'ap_redundancy': {'num_aps': 4}, 'dhcpd_stat': {'iot': {'num_ips': 50, 'num_leased': 49}}, 'ip_stat': {'ip': '10.0.0.2'}}");
    const struct fake_result *r = run(f, "device_status", "{'site': '" SITE "', 'device': '" SW_ID "'}");

    cr_expect_str_eq(fake_str(r->result, "name"), "sw-3");
    cr_expect_str_eq(fake_str(r->result, "ip"), "10.0.0.2");
    cr_expect_float_eq(number_at(r->result, "cpu_util"), 26, 1e-9);
    cr_expect_eq(fake_int(r->result, "num_clients"), 13);
    cr_expect_float_eq(number_at(r->result, "last_trouble.timestamp"), 1712412455.215, 1e-3, "milliseconds");
    cr_expect(fake_equals(fake_at(r->result, "dhcp_pools"), "[{'network': 'iot', 'addresses': 50.0, 'leased': 49.0}]"));
    fake_host_free(f);
}

Test(device_status, of_a_device_that_says_nothing)
{
    struct fake_host *f = mist_host();

    ANSWER(f, "/stats/devices/" AP_ID, "{'type': 'ap', 'uptime': 'long', 'num_clients': null, 'radio_stat': [], 'lldp_stat': 'none', 'inactive_wired_vlans': {}}");
    const struct fake_result *r = run(f, "device_status", "{'site': '" SITE "', 'device': '" AP_ID "'}");

    cr_expect_str_eq(fake_str(r->result, "status"), "unknown");
    cr_expect(is_null_at(r->result, "uptime") && is_null_at(r->result, "num_clients") && is_null_at(r->result, "lldp_port"));
    fake_host_free(f);
}

Test(device_list, of_a_site_and_of_all)
{
    struct fake_host *f = mist_host();
    const char *devices = "[{'name': 'a', 'status': 'connected'}, {'name': 'b', 'status': 'disconnected'}, 'odd']";

    ANSWER(f, "/sites/" SITE "/stats/devices?type=ap&status=all&limit=1000", devices);
    ANSWER(f, "/orgs/" ORG "/stats/devices?type=switch&status=disconnected&limit=5", devices);
    const struct fake_result *r = run(f, "device_list", "{'site': '" SITE "'}");
    cr_expect_eq(fake_int(r->result, "total"), 2);
    cr_expect_eq(fake_int(r->result, "connected"), 1);
    cr_expect_eq(fake_int(r->result, "disconnected"), 1);
    run(f, "device_list", "{'type': 'switch', 'status': 'disconnected', 'limit': 5}");
    fake_host_free(f);
}

Test(device_events, are_counted)
{
    struct fake_host *f = mist_host();

    ANSWER(f, "/sites/" SITE "/devices/events/search?duration=1d&mac=" AP_MAC "&limit=200",
        "{'results': [{'type': 'AP_RESTARTED', 'timestamp': 5, 'ap': '" AP_MAC "', 'ap_name': 'x'}, {'type': 'AP_DISCONNECTED', 'timestamp': 9, 'mac': '" AP_MAC "', 'device_name': 'y'},"
        "{'type': 'AP_CONFIG_FAILED', 'timestamp': 7}, {'type': 'AP_PORT_DOWN', 'timestamp': 8}, {'no': 'type'}]}");
    const struct fake_result *r = run(f, "device_events", "{'site': '" SITE "', 'device': '" AP_ID "'}");
    cr_expect_eq(fake_int(r->result, "restarts"), 1);
    cr_expect_eq(fake_int(r->result, "disconnects"), 1);
    cr_expect_eq(fake_int(r->result, "config_failures"), 1);
    cr_expect_eq(fake_int(r->result, "port_downs"), 1);
    cr_expect_eq(fake_int(r->result, "counts.AP_RESTARTED"), 1);
    cr_expect_str_eq(fake_str(r->result, "events.0.type"), "AP_DISCONNECTED");
    cr_expect_str_eq(fake_str(r->result, "events.3.device_name"), "x", "the former names of the members");
    ANSWER(f, "/orgs/" ORG "/devices/events/search?device_type=switch&duration=1d&type=SW_PORT_DOWN&limit=200", "{'results': []}");
    run(f, "device_events", "{'type': 'switch', 'event': 'SW_PORT_DOWN'}");
    fake_host_free(f);
}

Test(inventory, leaves_claim_codes_out)
{
    struct fake_host *f = mist_host();

    ANSWER(f, "/orgs/" ORG "/inventory?type=ap&site_id=" SITE "&limit=1000",
        "[{'mac': '" AP_MAC "', 'type': 'ap', 'model': 'AP43', 'site_id': '" SITE "', 'connected': true, 'magic': 'CLAIM-CODE'}, {'mac': '5c5b35000002', 'type': 'ap', 'connected': false, 'site_id': '" SITE "'},"
        "{'mac': '5c5b35000003', 'type': 'ap'}]");
    const struct fake_result *r = run(f, "inventory", "{'site': '" SITE "', 'type': 'ap'}");
    char *shown = json_dumps(r->result, 0);
    cr_expect(!strstr(shown, "CLAIM-CODE"));
    free(shown);
    cr_expect_eq(fake_int(r->result, "by_type.ap"), 3);
    cr_expect_eq(fake_int(r->result, "by_model.AP43"), 1);
    cr_expect_eq(fake_int(r->result, "unassigned"), 1);
    cr_expect_eq(fake_int(r->result, "disconnected"), 1);
    fake_host_free(f);
}

Test(switch_port, known_and_unknown)
{
    struct fake_host *f = mist_host();

    ANSWER(f, "/stats/ports/search?mac=" SW_MAC "&port_id=ge-0%2F0%2F12&limit=10",
        "{'results': [{'port_id': 'ge-0/0/1', 'up': false}, {'port_id': 'ge-0/0/12', 'up': true, 'poe_on': false, 'poe_disabled': true, 'neighbor_system_name': 'ap-3f-12', 'speed': 1000}]}");
    ANSWER(f, "&port_id=ge-0%2F0%2F13&limit=10", "{'results': []}");
    const struct fake_result *r = run(f, "switch_port", "{'site': '" SITE "', 'device': '" SW_ID "', 'port': 'ge-0/0/12'}");
    cr_expect(is_true_at(r->result, "known") && is_true_at(r->result, "up") && is_true_at(r->result, "poe_disabled"));
    cr_expect_str_eq(fake_str(r->result, "neighbor_name"), "ap-3f-12");
    r = run(f, "switch_port", "{'site': '" SITE "', 'device': '" SW_ID "', 'port': 'ge-0/0/13'}");
    cr_expect(!is_true_at(r->result, "known") && is_null_at(r->result, "up"));
    fake_host_free(f);
}

Test(synthetic_test_status, how_a_test_went)
{
    static const struct { const char *answer; bool found, finished; int passed; } cases[] = {     /* passed -1: nil */
        { "{'type': 'dhcp', 'status': 'inprogress'}", true, false, -1 }, { "{'type': 'dhcp', 'status': 'success', 'latency': 40}", true, true, 1 },
        { "{'type': 'dhcp', 'status': 'completed', 'failed': true, 'reason': 'no offer'}", true, true, 0 }, { "{'type': 'dns', 'status': 'failed'}", true, true, 0 },
        { "{}", false, false, -1 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_host *f = mist_host();

        ANSWER(f, "/synthetic_test", cases[i].answer);
        const struct fake_result *r = run(f, "synthetic_test_status", "{'site': '" SITE "', 'device': '" AP_ID "'}");
        cr_expect_eq(is_true_at(r->result, "found"), cases[i].found, "case %zu", i);
        cr_expect_eq(is_true_at(r->result, "finished"), cases[i].finished, "case %zu", i);
        cr_expect(cases[i].passed < 0 ? is_null_at(r->result, "passed") : is_true_at(r->result, "passed") == (cases[i].passed == 1), "case %zu", i);
        fake_host_free(f);
    }
}

/* ---- clients */

Test(client_sessions, are_sifted_by_mac)
{
    struct fake_host *f = mist_host();

    ANSWER(f, "/sites/" SITE "/clients/sessions/search?duration=4h&limit=1000",
        "{'results': [{'mac': '" CLIENT "', 'ap': '" AP_MAC "', 'connect': 10, 'disconnect': 40, 'duration': 30, 'timestamp': 40, 'tags': ['disassociate']}, {'mac': 'b019c66c8348', 'duration': 1},"
        "{'mac': '" CLIENT "', 'ap': '5c5b35000002', 'connect': 50, 'duration': 500, 'timestamp': 550}], 'total': 3}");
    const struct fake_result *r = run(f, "client_sessions", "{'site': '" SITE "', 'mac': 'DA:DB:FC:12:34:56', 'window': '4h'}");
    cr_expect_eq(fake_int(r->result, "total"), 2);
    cr_expect_eq(fake_int(r->result, "aps"), 2);
    cr_expect_eq(fake_int(r->result, "under_a_minute"), 1);
    cr_expect_float_eq(number_at(r->result, "sessions.0.connect"), 50, 1e-9);
    cr_expect_str_eq(fake_str(r->result, "sessions.1.reason"), "disassociate");
    ANSWER(f, "/orgs/" ORG "/clients/sessions/search?duration=1d&ssid=a%20b&limit=1000", "{'results': []}");
    run(f, "client_sessions", "{'ssid': 'a b'}");
    fake_host_free(f);
}

Test(client_list, filters)
{
    static const struct { const char *params; int total; } cases[] = {
        { "{'site': '" SITE "'}", 4 }, { "{'site': '" SITE "', 'rssi_below': -70}", 1 }, { "{'site': '" SITE "', 'snr_below': 20}", 2 },
        { "{'site': '" SITE "', 'ssid': 'staff'}", 2 }, { "{'site': '" SITE "', 'band': '24'}", 1 }, { "{'site': '" SITE "', 'device': '" AP_ID "'}", 3 },
        { "{'site': '" SITE "', 'limit': 1}", 4 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_host *f = mist_host();

        ANSWER(f, "/sites/" SITE "/stats/clients?limit=1000",
            "[{'mac': '" CLIENT "', 'ssid': 'staff', 'ap_id': '" AP_ID "', 'rssi': -60, 'snr': 30, 'band': '5'}, {'mac': 'b019c66c8348', 'ssid': 'staff', 'ap_mac': '" AP_MAC "', 'rssi': -75, 'snr': 15, 'band': '24'},"
            "{'mac': 'b019c66c8349', 'ssid': 'guest', 'ap_id': 'other', 'rssi': -50, 'snr': 19, 'band': '5'}, {'mac': 'b019c66c8350', 'ap_id': '" AP_ID "'}]");
        const struct fake_result *r = run(f, "client_list", cases[i].params);
        cr_expect_eq(fake_int(r->result, "total"), cases[i].total, "%s: %d", cases[i].params, (int)fake_int(r->result, "total"));
        fake_host_free(f);
    }
}

Test(client_count, by_ssid)
{
    struct fake_host *f = mist_host();

    ANSWER(f, "/sites/" SITE "/clients/count?distinct=ssid&duration=1h&limit=1000", "{'distinct': 'ssid', 'results': [{'ssid': 'staff', 'count': 7}, {'ssid': 'guest', 'count': 2}], 'total': 2}");
    const struct fake_result *r = run(f, "client_count", "{'site': '" SITE "'}");
    cr_expect(fake_equals(r->result, "{'groups': [{'value': 'staff', 'count': 7}, {'value': 'guest', 'count': 2}], 'total': 9}"));
    fake_host_free(f);
}

/* ---- RF */

#define RRM "{'status': 'ready', 'timestamp': 50, 'rftemplate_name': 'office', 'band_24': {}, 'band_5': {'" AP_ID "': {'curr_channel': 36, 'channel': 149, 'curr_power': 12, 'power': 12," \
    "'curr_bandwidth': 40, 'bandwidth': 40}, 'other': {'curr_channel': 44, 'channel': 44}}, 'band_5_metric': {'noise': -92.5, 'cochannel_neighbors': 2.5, 'density': 0.4}, 'band_6': 'odd'}"

Test(rrm_current, shows_proposals)
{
    struct fake_host *f = mist_host();

    ANSWER(f, "/sites/" SITE "/rrm/current", RRM);
    const struct fake_result *r = run(f, "rrm_current", "{'site': '" SITE "'}");
    cr_expect_eq(fake_int(r->result, "proposals"), 1);
    cr_expect_eq(json_array_size(fake_at(r->result, "radios")), 2);
    cr_expect_float_eq(number_at(r->result, "metrics.band_5.noise"), -92.5, 1e-9);
    cr_expect(is_null_at(r->result, "metrics.band_6.noise"));
    r = run(f, "rrm_current", "{'site': '" SITE "', 'device': '" AP_ID "', 'band': '5'}");
    cr_expect_eq(json_array_size(fake_at(r->result, "radios")), 1);
    cr_expect_eq(fake_int(r->result, "radios.0.proposed_channel"), 149);
    cr_expect(is_true_at(r->result, "radios.0.differs"));
    r = run(f, "rrm_current", "{'site': '" SITE "', 'band': '24'}");
    cr_expect_eq(json_array_size(fake_at(r->result, "radios")), 0);
    fake_host_free(f);
}

Test(rrm_events, both_names_of_the_ap)
{
    struct fake_host *f = mist_host();

    ANSWER(f, "/rrm/events?duration=1d&band=5&limit=200",
        "{'results': [{'ap_id': '" AP_ID "', 'event': 'interference-ap-non-wifi', 'channel': 149, 'pre_channel': 36, 'timestamp': 5}, {'ap': '" AP_MAC "', 'event': 'radar-detected', 'channel': 36,"
        "'pre_channel': 36, 'timestamp': 9}, {'ap_id': 'other', 'event': 'scheduled-site_rrm'}]}");
    const struct fake_result *r = run(f, "rrm_events", "{'site': '" SITE "', 'device': '" AP_ID "', 'band': '5'}");
    cr_expect_eq(json_array_size(fake_at(r->result, "events")), 2);
    cr_expect_eq(fake_int(r->result, "interference"), 1);
    cr_expect_eq(fake_int(r->result, "radar"), 1);
    cr_expect_eq(fake_int(r->result, "channel_changes"), 1);
    cr_expect_eq(fake_int(r->result, "counts.radar-detected"), 1);
    fake_host_free(f);
}

Test(channel_scores, best_and_current)
{
    struct fake_host *f = mist_host();

    ANSWER(f, "/stats/devices/" AP_ID, "{'type': 'ap', 'radio_stat': {'band_5': {'channel': 36}}}");
    ANSWER(f, "/rrm/current/devices/" AP_ID "/band/5", "{'results': [{'channel': 36, 'util_score': 0.7, 'noise': -78, 'other_ssid': 'x'}, {'channel': 149, 'util_score': 0.1}, {'channel': 157}]}");
    const struct fake_result *r = run(f, "channel_scores", "{'site': '" SITE "', 'device': '" AP_ID "', 'band': '5'}");
    cr_expect_eq(fake_int(r->result, "best_channel"), 149);
    cr_expect_eq(fake_int(r->result, "current_channel"), 36);
    cr_expect_float_eq(number_at(r->result, "current_util"), 0.7, 1e-9);
    fake_host_free(f);
}

Test(rogues, strongest)
{
    struct fake_host *f = mist_host();

    ANSWER(f, "/sites/" SITE "/insights/rogues?duration=1d&type=honeypot&limit=500",
        "{'results': [{'bssid': 'd8-97-ba-76-b5-aa', 'avg_rssi': -72, 'channel': '11', 'ssid': 'staff'}, {'bssid': 'd8-97-ba-76-b5-ab', 'avg_rssi': -60}]}");
    const struct fake_result *r = run(f, "rogues", "{'site': '" SITE "', 'kind': 'honeypot'}");
    cr_expect_eq(fake_int(r->result, "rogues.0.channel"), 11);
    cr_expect_str_eq(fake_str(r->result, "strongest_bssid"), "d897ba76b5ab");
    fake_host_free(f);
}

/* ---- service levels */

#define METRICS "{'enabled': ['coverage', 'capacity', 'failed-to-connect', 'roaming-v2', 'switch_health'], 'supported': ['throughput', 17]}"
#define SUMMARY "{'start': 100, 'sle': {'interval': 60, 'y_label': '%', 'samples': {'total': [100, 0, 300], 'degraded': [10, 0, 90], 'value': [0.9, null, 0.7]}}," \
    "'impact': {'num_users': 4, 'total_users': 26}, 'classifiers': [{'name': 'weak-signal', 'samples': {'degraded': [5, 0, 5]}, 'impact': {'num_users': 2}}," \
    "{'name': 'asymmetry-uplink', 'samples': {'degraded': [5, 0, 85]}}, {'odd': 1}]}"

Test(sle_summary, score_and_worst_cause)
{
    struct fake_host *f = mist_host();

    ANSWER(f, "/sle/site/" SITE "/metrics", METRICS);
    ANSWER(f, "/sle/site/" SITE "/metric/coverage/summary?duration=1d", SUMMARY);
    const struct fake_result *r = run(f, "sle_summary", "{'site': '" SITE "', 'metric': 'coverage'}");
    cr_expect_float_eq(number_at(r->result, "score"), 0.75, 1e-9);
    cr_expect_str_eq(fake_str(r->result, "worst_classifier"), "asymmetry-uplink");
    cr_expect_float_eq(number_at(r->result, "worst_share"), 0.225, 1e-9);
    cr_expect(is_null_at(r->result, "samples.1.score"), "an interval without users has no score");
    cr_expect_float_eq(number_at(r->result, "samples.2.timestamp"), 220, 1e-9);
    cr_expect_eq(fake_int(r->result, "num_users"), 4);
    r = run(f, "sle_summary", "{'site': '" SITE "', 'metric': 'coverage'}");
    cr_expect_eq(json_array_size(r->requests), 1, "the names of the metrics are asked for once");
    fake_host_free(f);
}

Test(sle_summary, knows_both_names_of_a_metric)
{
    static const struct { const char *asked, *used; } cases[] = {
        { "successful-connect", "failed-to-connect" }, { "failed-to-connect", "failed-to-connect" }, { "roaming", "roaming-v2" }, { "switch-health", "switch_health" },
        { "throughput", "throughput" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_host *f = mist_host();
        char params[200], url[200];

        ANSWER(f, "/metrics", METRICS);
        snprintf(url, sizeof(url), "/metric/%s/summary?duration=1d", cases[i].used);
        snprintf(params, sizeof(params), "{'site': '" SITE "', 'metric': '%s'}", cases[i].asked);
        ANSWER(f, url, SUMMARY);
        const struct fake_result *r = run(f, "sle_summary", params);
        cr_expect_str_eq(fake_str(r->result, "metric"), cases[i].used, "%s", cases[i].asked);
        fake_host_free(f);
    }
}

Test(sle_summary, scopes)
{
    static const struct { const char *params, *path, *scope; } cases[] = {
        { "{'site': '" SITE "', 'metric': 'coverage', 'device': '" AP_ID "'}", "/sle/ap/" AP_ID "/metric/coverage/summary?duration=1d", "ap" },
        { "{'site': '" SITE "', 'metric': 'coverage', 'mac': '" CLIENT "'}", "/sle/client/" CLIENT "/metric/coverage/summary?duration=1d", "client" },
        { "{'site': '" SITE "', 'metric': 'switch_health', 'device': '" SW_ID "', 'scope': 'switch'}", "/sle/switch/" SW_ID "/metric/switch_health/summary?duration=1d", "switch" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_host *f = mist_host();

        ANSWER(f, "/metrics", METRICS);
        ANSWER(f, cases[i].path, SUMMARY);
        const struct fake_result *r = run(f, "sle_summary", cases[i].params);
        cr_expect_str_eq(fake_str(r->result, "scope"), cases[i].scope);
        fake_host_free(f);
    }
}

Test(sle_summary, unknown_metric_newer_path_and_no_users)
{
    struct fake_host *f = mist_host();

    ANSWER(f, "/metrics", METRICS);
    FAKE_HTTP(f, .url = "/capacity/summary?duration=1d", .status = 404, .body = "{}");
    ANSWER(f, "/capacity/summary-trend?duration=1d", "{'sle': {'samples': {'total': [0, 0], 'degraded': [0, 0]}}, 'classifiers': [{'name': 'client-count', 'samples': {'degraded': [0]}}]}");
    const struct fake_result *r = run(f, "sle_summary", "{'site': '" SITE "', 'metric': 'capacity'}");
    cr_expect(is_null_at(r->result, "score") && is_null_at(r->result, "worst_classifier"));
    r = fake_run(f, "sle_summary", "run", "{'site': '" SITE "', 'metric': 'happiness'}", NULL);
    cr_expect(!r->ok && r->class == FT_NOT_FOUND && strstr(r->error, "coverage, capacity"), "%s", r->error);
    fake_host_free(f);
}

Test(sle_impact, worst_of_each_group)
{
    struct fake_host *f = mist_host();

    ANSWER(f, "/metrics", METRICS);
    ANSWER(f, "/metric/capacity/impact-summary?duration=1d&classifier=wifi-interference",
        "{'ap': [{'name': 'ap-1', 'ap_mac': '" AP_MAC "', 'degraded': 3, 'total': 10}, {'name': 'ap-2', 'degraded': 9, 'total': 10}], 'server': [], 'metric': 'capacity', 'band': [{'name': '24', 'degraded': 0}]}");
    const struct fake_result *r = run(f, "sle_impact", "{'site': '" SITE "', 'metric': 'capacity', 'classifier': 'wifi-interference'}");
    cr_expect_str_eq(fake_str(r->result, "worst.ap"), "ap-2");
    cr_expect(fake_at(r->result, "worst.band") == NULL, "nothing suffered there");
    cr_expect_str_eq(fake_str(r->result, "groups.ap.1.id"), AP_MAC);
    fake_host_free(f);
}

/* ---- sites, alarms, audit, WLANs */

Test(site, info_list_and_stats)
{
    struct fake_host *f = mist_host();

    ANSWER(f, "/orgs/" ORG "/sites?limit=1000", "[{'id': '" SITE "', 'name': 'HQ', 'timezone': 'Europe/Berlin'}, {'id': 'x', 'name': 'Lab'}]");
    ANSWER(f, "/sites/" SITE, "{'id': '" SITE "', 'name': 'HQ', 'country_code': 'DE', 'latlng': {}}");
    ANSWER(f, "/sites/" SITE "/stats", "{'num_ap': 10, 'num_ap_connected': 9, 'num_clients': 120, 'name': 'HQ'}");
    const struct fake_result *r = run(f, "site_list", "{'name_has': 'hq'}");
    cr_expect_eq(fake_int(r->result, "total"), 1);
    r = run(f, "site_info", "{'site': '" SITE "'}");
    cr_expect_str_eq(fake_str(r->result, "country_code"), "DE");
    r = run(f, "site_stats", "{'site': '" SITE "'}");
    cr_expect_eq(fake_int(r->result, "num_ap_connected"), 9);
    fake_host_free(f);
}

Test(alarms, are_filtered_and_counted)
{
    static const struct { const char *params, *query; int total; } cases[] = {
        { "{'site': '" SITE "'}", "/sites/" SITE "/alarms/search?duration=1d&limit=500", 3 },
        { "{'site': '" SITE "', 'severity': 'critical', 'group': 'marvis'}", "/sites/" SITE "/alarms/search?duration=1d&severity=critical&group=marvis&limit=500", 1 },
        { "{'site': '" SITE "', 'status': 'open'}", "/sites/" SITE "/alarms/search?duration=1d&limit=500", 2 },       /* the site's search knows no status */
        { "{'site': '" SITE "', 'unacked': true}", "/sites/" SITE "/alarms/search?duration=1d&limit=500", 2 },
        { "{'status': 'open', 'type': 'device_down', 'window': '7d'}", "/orgs/" ORG "/alarms/search?duration=7d&type=device_down&status=open&limit=500", 1 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_host *f = mist_host();

        ANSWER(f, cases[i].query,
            "{'results': [{'id': '1', 'type': 'device_down', 'severity': 'warn', 'group': 'infrastructure', 'status': 'open', 'timestamp': 5, 'aps': ['" AP_MAC "'], 'hostnames': 'odd'},"
            "{'id': '2', 'type': 'missing_vlan', 'severity': 'critical', 'group': 'marvis', 'status': 'open', 'timestamp': 9, 'acked': true, 'suggestion': 'add it'},"
            "{'id': '3', 'type': 'rogue_ap', 'severity': 'critical', 'group': 'security', 'status': 'resolved', 'timestamp': 7}, null]}");
        const struct fake_result *r = run(f, "alarms", cases[i].params);
        cr_expect_eq(fake_int(r->result, "total"), cases[i].total, "%s: %d", cases[i].params, (int)fake_int(r->result, "total"));
        fake_host_free(f);
    }
}

Test(audit_log, at_either_path)
{
    static const char log[] = "{'results': [{'id': '1', 'timestamp': 5, 'admin_name': 'kim', 'message': 'Update WLAN staff', 'before': {'psk': 'hush-hush'}, 'after': 'psk: hush-hush'},"
        "{'id': '2', 'timestamp': 9, 'admin_name': 'lee', 'message': 'Restart AP'}], 'total': 2}";

    for (int newer = 0; newer < 2; newer++) {
        struct fake_host *f = mist_host();

        if (newer)
            FAKE_HTTP(f, .url = "/orgs/" ORG "/logs?duration=1d&site_id=" SITE "&limit=200", .status = 404, .body = "{}");
        ANSWER(f, newer ? "/orgs/" ORG "/logs/search?duration=1d&site_id=" SITE "&limit=200" : "/orgs/" ORG "/logs?duration=1d&site_id=" SITE "&limit=200", log);
        const struct fake_result *r = run(f, "audit_log", "{'site': '" SITE "'}");
        char *shown = json_dumps(r->result, 0);
        cr_expect(!strstr(shown, "hush-hush"));
        free(shown);
        cr_expect_eq(fake_int(r->result, "total"), 2);
        cr_expect_str_eq(fake_str(r->result, "entries.0.admin_name"), "lee");
        r = run(f, "audit_log", "{'site': '" SITE "', 'message_has': 'wlan'}");
        cr_expect_eq(fake_int(r->result, "total"), 1);
        fake_host_free(f);
    }
}

Test(wlan, list_and_one_without_secrets)
{
    struct fake_host *f = mist_host();

    ANSWER(f, "/sites/" SITE "/wlans/derived?resolve=true",
        "[{'id': 'w1', 'ssid': 'staff', 'enabled': true, 'auth': {'type': 'eap', 'psk': null}, 'vlan_id': '20', 'bands': ['24', '5'], 'for_site': true, 'psk_id': 'p1',"
        "'auth_servers': [{'host': '10.0.0.5', 'secret': 'hush-hush'}], 'portal': {'enabled': false, 'password': 'hush-hush', 'forms': [[{'sms_token': 'hush-hush'}]]}},"
        "{'id': 'w2', 'ssid': 'corp', 'template_id': 't1', 'auth': {'type': 'psk', 'psk': 'hush-hush', 'keys': [1, 2]}}]");
    const struct fake_result *r = run(f, "wlan_list", "{'site': '" SITE "'}");
    cr_expect_eq(fake_int(r->result, "total"), 2);
    cr_expect_eq(fake_int(r->result, "wlans.0.vlan_id"), 20);
    cr_expect(!is_true_at(r->result, "wlans.0.of_org") && is_true_at(r->result, "wlans.1.of_org"));
    static const char *const names[] = { "staff", "w2" };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char params[100];

        snprintf(params, sizeof(params), "{'site': '" SITE "', 'wlan': '%s'}", names[i]);
        r = run(f, "wlan", params);
        char *shown = json_dumps(r->result, 0);
        cr_expect(!strstr(shown, "hush-hush"), "%s", shown);
        cr_expect(i == 1 || strstr(shown, "\"p1\""), "the id of a PSK is no secret: %s", shown);
        free(shown);
    }
    fake_host_free(f);
}
