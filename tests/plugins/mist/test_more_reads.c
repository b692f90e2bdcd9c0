/* The reads that are one or two requests: which URL they ask, and what they make of the answer. */
#include "mist_test.h"

#define P_SITE "'site': '" SITE "'"
#define P_AP P_SITE ", 'device': '" AP_ID "'"
#define P_SW P_SITE ", 'device': '" SW_ID "'"
#define LIST(item) "{'results': [" item "], 'total': 1}"
#define S "/sites/" SITE
#define O "/orgs/" ORG
#define SLE S "/sle/site/" SITE "/metric/coverage"

static const struct { const char *action, *params, *url, *body, *path, *is; } reads[] = {
    /* clients */
    { "client_search", "{'username': 'anna m', 'window': '1d'}", O "/clients/search?duration=1d&username=anna%20m&limit=100",
      LIST("{'mac': '5C:5B:35:00:00:01', 'last_hostname': 'laptop', 'timestamp': 5}"), "clients.0.mac", "\"5c5b35000001\"" },
    { "client_search", "{" P_SITE ", 'mac': '5C-5B-35-00-00-01'}", S "/clients/search?duration=1w&mac=5c5b35000001&limit=100", LIST("{'last_vlan': '10'}"), "clients.0.vlan_id", "10" },
    { "client_event_search", "{" P_SITE ", 'type': 'X'}", S "/clients/events/search?duration=1h&type=X&limit=1000", LIST("{'type': 'X', 'ap': '5c5b35000001', 'text': 'no'}"), "by_ap.5c5b35000001", "1" },
    { "client_event_count", "{" P_SITE "}", S "/clients/events/count?distinct=type&duration=1h&limit=1000",
      "{'results': [{'type': 'MARVIS_EVENT_CLIENT_AUTH_FAILURE', 'count': 1}, {'type': 'CLIENT_AUTHENTICATED', 'count': 3}, {'type': 'MARVIS_EVENT_CLIENT_DHCP_NAK', 'count': 2}]}", "auth.failed_ratio", "0.25" },
    { "client_event_count", "{}", O "/clients/events/count?distinct=type&duration=1h&limit=1000", "{'results': []}", "dhcp.failed_ratio", "null" },
    { "client_roams", "{" P_SITE ", 'mac': 'dc2b2a3fb13d'}", S "/events/fast_roam?duration=1d&limit=1000",
      "{'results': [{'client_mac': 'dc2b2a3fb13d', 'latency': 0.5, 'timestamp': 1501000002283782}, {'client_mac': 'dc2b2a3fb13e', 'latency': 9}]}", "slowest_s", "0.5" },
    { "wired_clients", "{" P_SITE ", 'port_id': 'ge-0/0/1'}", S "/wired_clients/search?duration=1d&port_id=ge-0%2F0%2F1&limit=200",
      LIST("{'mac': '112233445566', 'device_mac': ['001122334455'], 'port_id': ['ge-0/0/1'], 'auth_state': 'held'}"), "by_auth_state.held", "1" },
    { "nac_clients", "{'status': 'denied'}", O "/nac_clients/search?duration=1d&status=denied&limit=200", LIST("{'last_status': 'denied', 'last_nacrule_name': 'guests'}"), "by_rule.guests", "1" },
    { "nac_events", "{}", O "/nac_clients/events/search?duration=1d&limit=200", LIST("{'type': 'NAC_CLIENT_DENY', 'text': 'unknown user'}"), "denied", "1" },
    /* devices */
    { "device_config", "{" P_AP "}", S "/devices/" AP_ID, "{'id': 'x', 'radius': {'secret': 'hush'}}", "config.radius.secret", "\"***\"" },
    { "device_config_cmd", "{" P_SW "}", "/config_cmd", "{'cli': ['set system host-name x', 'set access radius-server 10.0.0.1 secret hush']}", "commands.1", "\"set access radius-server 10.0.0.1 secret ***\"" },
    { "device_config_history", "{" P_AP "}", S "/devices/config_history/search?duration=7d&mac=" AP_MAC "&limit=100", LIST("{'channel_5': 100, 'ssids': ['a', 7]}"), "configurations.0.ssids", "[\"a\"]" },
    { "switch_ports", "{" P_SITE ", 'up': false}", S "/stats/ports/search?device_type=switch&up=false&limit=1000", LIST("{'port_id': 'ge-0/0/1', 'rx_errors': 2, 'power_draw': 3.5}"), "with_errors", "1" },
    { "discovered_switches", "{" P_SITE "}", S "/stats/discovered_switches/search?duration=1d&limit=200", LIST("{'system_name': 'old', 'aps': [{}, {}]}"), "switches.0.num_aps", "2" },
    { "eol", "{'eos_duration': '1y'}", O "/jsi/inventory/search?eos_duration=1y&limit=1000", LIST("{'device_name': 'a', 'eos_time': 1672012800, 'has_support': false}"), "over", "1" },
    { "firmware_versions", "{" P_SITE ", 'model': 'AP41', 'version': '9'}", S "/devices/versions?type=ap&model=AP41", "[{'model': 'AP41', 'version': '8', 'tag': 'stable'}]", "compatible", "false" },
    { "firmware_versions", "{" P_SITE ", 'version': '8'}", S "/devices/versions?type=ap", "[{'model': 'AP41', 'version': '8', 'tag': 'stable'}]", "stable.AP41", "\"8\"" },
    { "firmware_upgrades", "{" P_SITE "}", S "/devices/upgrade", "[{'id': 'u', 'status': 'completed', 'counts': {'upgraded': 2, 'total': 2}}]", "upgrades.0.upgraded", "2" },
    { "firmware_upgrade_status", "{" P_SITE ", 'upgrade_id': 'u1'}", S "/devices/upgrade/u1", "{'status': 'completed', 'targets': {'total': 3, 'upgraded': ['a', 'b'], 'failed': ['c']}}", "succeeded", "false" },
    { "firmware_upgrade_status", "{" P_SITE ", 'upgrade_id': 'u1'}", S "/devices/upgrade/u1", "{'status': 'upgrading', 'targets': {'total': 3, 'downloading': ['a']}}", "finished", "false" },
    { "synthetic_tests", "{" P_SITE ", 'type': 'dhcp'}", S "/synthetic_test/search?duration=1d&type=dhcp&limit=200", LIST("{'type': 'dhcp', 'failed': true}"), "failed", "1" },
    /* radio */
    { "spectrum", "{" P_SITE ", 'band': '5'}", S "/stats/analyze_spectrum?duration=1d&limit=100",
      LIST("{'band': '5', 'fft_samples': [{'frequency': 5180, 'rssi': -90}, {'frequency': 5200, 'rssi': -40}], 'channel_usage': [{'channel': 36, 'non_wifi': 0.4}]}"), "scans.0.peak.frequency", "5200.0" },
    { "rf_neighbors", "{" P_SITE ", 'band': '5'}", S "/rrm/neighbors/band/5?limit=1000", LIST("{'mac': '5c5b35000001', 'neighbors': [{'mac': '5c5b35000002', 'rssi': -70}, {'mac': '5c5b35000003', 'rssi': -50}]}"), "aps.0.neighbors.0.rssi", "-50.0" },
    { "ap_channels", "{" P_SITE "}", S "/devices/ap_channels", "{'key': 'US', 'band5_channels': {'80': [36, 'x'], 'dfs': [52]}}", "band_5.80", "[36]" },
    { "rogue_clients", "{" P_SITE "}", S "/insights/rogues/clients?duration=1d&limit=500", LIST("{'client_mac': '5c5b35000001', 'avg_rssi': -60}"), "clients.0.rssi", "-60.0" },
    { "rogue_events", "{" P_SITE ", 'seen_on_lan': true}", S "/rogues/events/search?duration=1d&seen_on_lan=true&limit=500", LIST("{'bssid': 'd8-97-ba-76-b5-aa', 'channel': '11'}"), "by_bssid.d897ba76b5aa", "1" },
    { "rogue_info", "{" P_SITE ", 'bssid': 'D8:97:BA:76:B5:AA'}", S "/rogues/d897ba76b5aa", "{'manufacture': 'Intel', 'seen_as_client': true}", "seen_as_client", "true" },
    /* service levels */
    { "sle_metrics", "{" P_SITE "}", S "/sle/site/" SITE "/metrics", "{'enabled': ['coverage'], 'supported': ['coverage', 'capacity']}", "supported.1", "\"capacity\"" },
    { "sle_classifiers", "{" P_SITE ", 'metric': 'coverage'}", SLE "/classifiers", "['weak-signal', 3]", "classifiers", "[\"weak-signal\"]" },
    { "sle_classifier", "{" P_SITE ", 'metric': 'coverage', 'classifier': 'weak-signal'}", SLE "/classifier/weak-signal/summary?duration=1d",
      "{'start': 100, 'classifier': {'interval': 60, 'samples': {'degraded': [1, 3], 'total': [8, 8]}, 'impact': {'num_users': 2}}, 'failures': []}", "share", "0.25" },
    { "sle_classifier", "{" P_SITE ", 'metric': 'coverage', 'classifier': 'weak-signal'}", SLE "/classifier/weak-signal/summary-trend?duration=1d",
      "{'start': 100, 'classifier': {'interval': 60, 'samples': {'degraded': [1, 3], 'total': [8, 8]}}}", "samples.1.timestamp", "160.0" },
    { "sle_impacted", "{" P_SITE ", 'metric': 'coverage'}", SLE "/impacted-users?duration=1d", "{'users': [{'mac': '5c5b35000001', 'degraded': 2}, {'mac': '5c5b35000002', 'degraded': 9}], 'total_count': 21}", "impacted.0.degraded", "9.0" },
    { "sle_impacted", "{" P_SITE ", 'metric': 'coverage', 'of': 'aps', 'classifier': 'x'}", SLE "/impacted-aps?duration=1d&classifier=x", "{'aps': [{'ap_mac': '5c5b35000001'}], 'total_count': 21}", "complete", "false" },
    { "sle_histogram", "{" P_SITE ", 'metric': 'coverage'}", SLE "/histogram?duration=1d", "{'data': [{'range': [null, -80], 'value': 3}], 'x_label': 'dBm'}", "bars.0.to", "-80.0" },
    { "sle_threshold", "{" P_SITE ", 'metric': 'coverage'}", SLE "/threshold", "{'threshold': '-72', 'default': -70, 'units': 'dBm'}", "threshold", "-72.0" },
    { "sle_sites", "{}", O "/insights/sites-sle?duration=1d&sle=wifi&limit=500", LIST("{'site_id': 'a', 'time-to-connect': 0.5, 'coverage': 0.9, 'num_aps': 3}"), "sites.0.worst", "\"time-to-connect\"" },
    { "insight", "{" P_SITE ", 'metric': 'num_clients'}", S "/insights/num_clients?duration=1d", "{'start': 0, 'interval': 600, 'results': [3, null, 5]}", "values.2.timestamp", "1200.0" },
    { "insight", "{" P_SITE ", 'metric': 'bytes', 'mac': '" CLIENT "'}", S "/insights/client/" CLIENT "?metrics=bytes&duration=1d", "{'start': 0, 'interval': 600, 'bytes': [7]}", "values.0.value", "7.0" },
    /* alarms and the rest */
    { "alarm_count", "{" P_SITE ", 'by': 'acked'}", S "/alarms/count?distinct=acked&duration=1d&limit=1000", "{'results': [{'acked': true, 'count': 1}, {'acked': false, 'count': 4}]}", "groups.0.value", "\"false\"" },
    { "alarm_suppressed", "{}", O "/alarmtemplates/suppress", "{'results': [{'scope': 'site', 'expire_time': 1678233080}]}", "suppressed.0.ends", "1678233080.0" },
    { "alarm_templates", "{}", O "/alarmtemplates?limit=500", "[{'id': 't', 'rules': {'device_down': {'enabled': true}, 'x': {'enabled': false}}}]", "templates.0.disabled", "[\"x\"]" },
    { "marvis", "{'mac': '" CLIENT "'}", "&mac=" CLIENT, "{'results': [{'category': 'client', 'reason': 'slow association'}]}", "first_reason", "\"slow association\"" },
    { "catalogue", "{'name': 'client_events', 'has': 'dhcp'}", "/const/client_events", "[{'key': 'CLIENT_DHCP', 'display': 'DHCP'}, {'key': 'OTHER'}]", "items.0.display", "\"DHCP\"" },
    { "catalogue", "{'name': 'insight_metrics'}", "/const/insight_metrics", "{'num_clients': {'description': 'Number', 'unit': ''}}", "items.0.key", "\"num_clients\"" },
    { "system_events", "{" P_SITE "}", S "/events/system/search?duration=1d&limit=200", LIST("{'type': 'X', 'timestamp': 9}"), "by_type.X", "1" },
    { "webhooks", "{}", O "/webhooks?limit=200", "[{'id': 'h', 'url': 'https://x', 'secret': 'hush', 'topics': ['alarms']}]", "webhooks.0.signed", "true" },
    { "webhook_deliveries", "{'webhook': 'h1', 'status': 'failure'}", O "/webhooks/h1/events/search?duration=1d&status=failure&limit=200", LIST("{'status': 'failure', 'status_code': 500}"), "failed", "1" },
    { "pcaps", "{" P_SITE "}", S "/pcaps?duration=1d&limit=100", LIST("{'id': 'c', 'url': 'https://store/x?key=hush', 'ap_macs': ['a']}"), "captures.0.has_file", "true" },
    { "pcap_status", "{" P_SITE "}", S "/pcaps/capture", "{'id': 'c', 'started_time': 9999999999, 'duration': 60, 'ok': ['a', 'b']}", "ok", "2" },
    { "templates", "{'kind': 'rf'}", O "/rftemplates?limit=500", "[{'id': 't', 'name': 'offices'}]", "templates.0.name", "\"offices\"" },
    { "template", "{'kind': 'org_wlan', 'template': 'corp'}", O "/wlans?limit=1000", "[{'id': 't', 'ssid': 'corp', 'auth': {'psk': 'hush'}}]", "config.auth.psk", "\"***\"" },
};

Test(more_reads, ask_and_shape)
{
    for (size_t i = 0; i < ARRAY_LEN(reads); i++) {
        struct fake_host *f = mist_host();

        ANSWER(f, reads[i].url, reads[i].body);
        ANSWER(f, "/sle/site/" SITE "/metrics", "{'enabled': ['coverage']}");
        FAKE_HTTP(f, .method = "GET", .status = 404, .body = "{}");
        const struct fake_result *r = fake_run(f, reads[i].action, "run", reads[i].params, NULL);
        cr_expect(r->ok, "%zu %s: %s", i, reads[i].action, r->error);
        const json_t *at = fake_at(r->result, reads[i].path);
        char *text = at ? json_dumps(at, JSON_ENCODE_ANY) : strdup("(nothing)"), *all = r->result ? json_dumps(r->result, 0) : strdup("");

        cr_expect_str_eq(text, reads[i].is, "%zu %s %s: %s", i, reads[i].action, reads[i].path, text);
        cr_expect(!strstr(all, "hush"), "%s shows a secret", reads[i].action);
        cr_expect_eq(writes_in(r->requests), 0, "%s: a read writes", reads[i].action);
        free(text);
        free(all);
        fake_host_free(f);
    }
}

/* ---- parameters that are wrong */

static const struct { const char *action, *params, *says; } wrong[] = {
    { "wired_clients", "{'mac': 'not-a-mac-at-all'}", "mac: 'not-a-mac-at-all'" }, { "client_search", "{'ap': 'nonsense-here'}", "ap: 'nonsense-here'" },
    { "marvis", "{}", "about whom" }, { "marvis", "{'mac': '" CLIENT "', 'window': '8d'}", "7 days" }, { "rogue_info", "{" P_SITE ", 'bssid': 'nonsense-here'}", "bssid" },
    { "pcap_start", "{" P_SITE ", 'type': 'client'}", "mac: " }, { "ap_radio", "{" P_AP ", 'band': '5'}", "nothing to change" },
    { "device_config_update", "{" P_SW ", 'changes': {'local_port_config': {}}}", "switch_port_config" },
    { "client_disconnect_many", "{" P_SITE "}", "whom" }, { "client_disconnect_many", "{" P_SITE ", 'macs': ['nonsense-here']}", "'nonsense-here'" },
    { "rogue_approve", "{" P_SITE "}", "which one" }, { "device_replace", "{" P_AP ", 'spare': 'nonsense-here'}", "spare" },
    { "wlan_create", "{" P_SITE ", 'ssid': 'x', 'auth': 'psk'}", "needs a key" }, { "wlan_create", "{" P_SITE ", 'ssid': 'x', 'auth': 'open', 'psk': 'hush-hush'}", "no other takes one" },
};

Test(more_reads, wrong_parameters_are_named)
{
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct fake_host *f = mist_host();

        FAKE_HTTP(f, .method = "GET", .status = 200, .body = "{'type': 'ap'}");
        const struct fake_result *r = fake_run(f, wrong[i].action, "run", wrong[i].params, NULL);
        cr_expect(writes_in(r->requests) == 0 && !r->ok && r->class == FT_INVALID && strstr(r->error, wrong[i].says), "%s %s: %s", wrong[i].action, wrong[i].params, r->error);
        fake_host_free(f);
    }
}

/* ---- whether a device has its configuration */

static const struct { const char *object, *stats, *setting, *events, *verdict; } verdicts[] = {
    { "{'modified_time': 100}", "{'type': 'ap', 'status': 'connected'}", "{}", "{'type': 'AP_CONFIGURED', 'timestamp': 130}", "applied" },
    { "{'modified_time': 100}", "{'type': 'ap', 'status': 'connected'}", "{}", "{'type': 'AP_CONFIGURED', 'timestamp': 90}", "pending" },
    { "{'modified_time': 100}", "{'type': 'ap', 'status': 'connected'}", "{}", "{'type': 'AP_CONFIG_FAILED', 'timestamp': 130}", "failed" },
    { "{'modified_time': 100}", "{'type': 'ap', 'status': 'connected', 'config_reverted': true}", "{}", "{'type': 'AP_CONFIGURED', 'timestamp': 130}", "reverted" },
    { "{'modified_time': 100}", "{'type': 'ap', 'status': 'connected'}", "{'config_push_policy': {'no_push': true}}", "{'type': 'AP_CONFIGURED', 'timestamp': 90}", "held" },
    { "{'modified_time': 100}", "{'type': 'ap', 'status': 'connected'}", "{'config_push_policy': {'push_window': {'enabled': true}}}", "{'type': 'AP_CONFIGURED', 'timestamp': 90}", "waits_for_window" },
    { "{'modified_time': 100}", "{'type': 'ap', 'status': 'connected'}", "{'config_push_policy': {'push_window': {'enabled': true}}}", "{'type': 'AP_RECONFIGURED', 'timestamp': 130}", "applied" },
    { "{'modified_time': 100}", "{'type': 'ap', 'status': 'disconnected'}", "{}", "{'type': 'AP_DISCONNECTED', 'timestamp': 130}", "unreachable" },
    { "{'modified_time': 100}", "{'type': 'switch', 'status': 'connected', 'config_status': 'COMMITED'}", "{}", "{'type': 'OTHER'}", "applied" },
    { "{'modified_time': 100}", "{'type': 'switch', 'status': 'connected', 'config_status': 'PENDING'}", "{}", "{'type': 'OTHER'}", "pending" },
    { "{}", "{'type': 'ap', 'status': 'connected'}", "{}", "{'type': 'OTHER'}", "unknown" },
};

Test(more_reads, a_configuration_is_on_the_device_or_is_not)
{
    for (size_t i = 0; i < ARRAY_LEN(verdicts); i++) {
        struct fake_host *f = mist_host();
        char events[200];

        snprintf(events, sizeof(events), "{'results': [%s]}", verdicts[i].events);
        ANSWER(f, "/stats/devices/" AP_ID, verdicts[i].stats);
        ANSWER(f, "/devices/" AP_ID, verdicts[i].object);
        ANSWER(f, "/setting/derived", verdicts[i].setting);
        ANSWER(f, "/devices/events/search?duration=7d&mac=" AP_MAC "&limit=1000", events);
        const struct fake_result *r = fake_run(f, "device_config_status", "run", "{" P_AP "}", NULL);
        cr_expect(r->ok && !strcmp(fake_str(r->result, "verdict"), verdicts[i].verdict), "%zu: %s %s", i, r->ok ? fake_str(r->result, "verdict") : "", r->error);
        cr_expect_eq(is_true_at(r->result, "applied"), !strcmp(verdicts[i].verdict, "applied"), "%zu", i);
        fake_host_free(f);
    }
}

/* ---- catalogues and the budget are asked for once */

Test(more_reads, a_catalogue_is_asked_for_once_a_day)
{
    struct fake_host *f = mist_host();

    ANSWER(f, "/const/alarm_defs", "[{'key': 'device_down', 'display': 'Device offline', 'severity': 'warn', 'group': 'infrastructure'}]");
    ANSWER(f, "/alarms/search?duration=1d&limit=500", "{'results': [{'id': 'a', 'type': 'device_down'}]}");
    const struct fake_result *r = fake_run(f, "alarms", "run", "{" P_SITE ", 'names': true}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(r->result, "alarms.0.display"), "Device offline");
    cr_expect_str_eq(fake_str(r->result, "alarms.0.severity"), "warn");
    cr_expect_eq(json_array_size(r->requests), 2);
    r = fake_run(f, "catalogue", "run", "{'name': 'alarm_defs'}", NULL);
    cr_expect_eq(json_array_size(r->requests), 0, "it is there");
    fake_wall(f, 1763691185000 + 25ull * 3600 * 1000 * 400);
    r = fake_run(f, "catalogue", "run", "{'name': 'alarm_defs'}", NULL);
    cr_expect_eq(json_array_size(r->requests), 1, "a day later it is old");
    fake_host_free(f);
}

static struct fake_host *watching_host(void)
{
    struct fake_host *f = fake_host_new("mist");

    fake_config(f, "{'url': 'https://api.mist.test/', 'org_id': '" ORG "', 'token': 'sesame-open', 'requests_per_hour': 3000}");
    return f;
}

Test(more_reads, the_budget_leaves_others_theirs)
{
    static const struct { const char *usage; int status, now; } cases[] = {
        { "{'requests': 100, 'request_limit': 5000}", 200, 3000 }, { "{'requests': 4000, 'request_limit': 5000}", 200, 1000 },
        { "{'requests': 5000, 'request_limit': 5000}", 200, 60 }, { "{'detail': 'no'}", 403, 3000 }, { "[]", 200, 3000 }, { "<html>", 200, 3000 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_host *f = watching_host();

        FAKE_HTTP(f, .url = "/self/usage", .status = cases[i].status, .body = cases[i].usage);
        ANSWER(f, "/sites?limit=1000", "[]");
        const struct fake_result *r = fake_run(f, "site_list", "run", "{}", NULL);
        cr_assert(r->ok, "%s: %s", cases[i].usage, r->error);
        cr_expect_eq(json_array_size(r->requests), 2, "it is asked first");
        r = fake_run(f, "site_list", "run", "{}", NULL);
        cr_expect_eq(json_array_size(r->requests), 1, "and once");
        FAKE_HTTP(f, .url = "/self/usage", .status = 200, .body = cases[i].status == 200 && cases[i].usage[0] == '{' ? cases[i].usage : "{'requests': 1, 'request_limit': 5000}");
        r = fake_run(f, "usage", "run", "{}", NULL);
        if (cases[i].usage[0] == '{' && cases[i].status == 200)
            cr_expect_eq(fake_int(r->result, "own_limit_now"), cases[i].now, "%s: %d", cases[i].usage, (int)fake_int(r->result, "own_limit_now"));
        fake_host_free(f);
    }
}

Test(more_reads, after_a_429_the_usage_is_asked_again)
{
    struct fake_host *f = watching_host();

    ANSWER(f, "/self/usage", "{'requests': 100, 'request_limit': 5000}");
    FAKE_HTTP(f, .url = "/sites?limit=1000", .status = 429, .body = "{}");
    fake_wall(f, 1795227000000);
    const struct fake_result *r = fake_run(f, "site_list", "run", "{}", NULL);
    cr_expect(!r->ok && r->class == FT_REFUSED, "%s", r->error);
    fake_wall(f, 1795227000000 + 120000);
    r = fake_run(f, "site_list", "run", "{}", NULL);
    cr_expect_eq(json_array_size(r->requests), 2, "%zu", json_array_size(r->requests));
    fake_host_free(f);
}
