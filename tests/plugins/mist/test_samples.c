/* The captured answers of the Mist reference as they are, where they are there; and answers of odd shapes for every action. */
#include "mist_test.h"

/* ---- captures */

static const struct { const char *sample, *action, *params, *first, *second; const char *path, *text; } samples[] = {
    { "rest-clients-search.json", "client_status", "{'mac': 'bcd074000000'}", "/clients/search?mac=bcd074000000&duration=4w&limit=10", NULL, "hostname", "hostname-a" },
    { "rest-stats-client.json", "client_status", "{'mac': 'dadbfc123456', 'site': '" SITE "'}", "/stats/clients/dadbfc123456", NULL, "key_mgmt", "WPA3-SAE-FT/CCMP" },
    { "rest-stats-device-ap.json", "device_status", "{'device': '" AP_ID "', 'site': '" SITE "'}", "/stats/devices/" AP_ID, NULL, "lldp_switch", "Phoenix-Switch" },
    { "rest-stats-device-switch.json", "device_status", "{'device': '" SW_ID "', 'site': '" SITE "'}", "/stats/devices/" SW_ID, NULL, "config_status", "COMMITED" },
    { "rest-client-events-one-client.json", "client_events", "{'mac': '" CLIENT "', 'site': '" SITE "'}", "/events?duration=1h&limit=1000", NULL, "events.0.phase", "dns" },
    { "rest-clients-events-search-shape.json", "client_events", "{'mac': '" CLIENT "', 'site': '" SITE "'}", "/events?duration=1h&limit=1000", NULL, "events.0.meaning", "other" },
    { "rest-clients-sessions-search.json", "client_sessions", "{'site': '" SITE "'}", "/clients/sessions/search?duration=1d&limit=1000", NULL, "sessions.0.mac", "b019c66c8348" },
    { "rest-stats-ports-search.json", "switch_port", "{'site': '" SITE "', 'device': '" SW_ID "', 'port': 'ge-0/0/0'}", "&limit=10", NULL, "neighbor_name", "CORP-D-SW-2" },
    { "rest-rrm-current.json", "rrm_current", "{'site': '" SITE "'}", "/rrm/current", NULL, "status", "updating" },
    { "rest-rrm-events.json", "rrm_events", "{'site': '" SITE "'}", "/rrm/events?duration=1d&limit=200", "{'results': []}", "events.0.event", "scheduled-site_rrm" },
    { "rest-rogues.json", "rogues", "{'site': '" SITE "'}", "/insights/rogues?duration=1d&limit=500", "{'results': []}", "rogues.0.bssid", "d897ba76b5aa" },
    { "rest-org-sites.json", "site_list", "{}", "/sites?limit=1000", NULL, "sites.0.name", "Mist Office" },
    { "rest-org-inventory.json", "inventory", "{}", "/inventory?limit=1000", NULL, "devices.0.name", "hallway" },
    { "rest-device-events-search.json", "device_events", "{'site': '" SITE "'}", "/devices/events/search?duration=1d&limit=200", NULL, "events.0.mac", "5c5b351e13b5" },
    { "rest-audit-logs.json", "audit_log", "{}", "/logs?duration=1d&limit=200", NULL, "entries.0.message", "TEST AUDIT" },
    { "rest-sle-capacity-summary.json", "sle_summary", "{'site': '" SITE "', 'metric': 'capacity'}", "/metric/capacity/summary?duration=1d", NULL, "worst_classifier", "wifi-interference" },
    { "rest-sle-capacity-impact-summary.json", "sle_impact", "{'site': '" SITE "', 'metric': 'capacity'}", "/impact-summary?duration=1d", NULL, "worst.ap", "ap43-off.lab" },
    { "rest-synthetic-test-status.json", "synthetic_test_status", "{'device': '" AP_ID "', 'site': '" SITE "'}", "/synthetic_test", NULL, "type", "speedtest" },
    { "rest-rrm-considerations.json", "channel_scores", "{'device': '" AP_ID "', 'site': '" SITE "', 'band': '5'}", "/band/5", NULL, "channels.0.other_ssid", "Rivendell5G" },
    { "rest-clients-search.json", "client_search", "{}", "/clients/search?duration=1w&limit=100", NULL, "clients.0.mac", "bcd074000000" },
    { "rest-clients-events-search-shape.json", "client_event_search", "{'site': '" SITE "'}", "/clients/events/search?duration=1h&limit=1000", NULL, "events.0.band", "24" },
    { "rest-wired-clients-search.json", "wired_clients", "{'site': '" SITE "'}", "/wired_clients/search?duration=1d&limit=200", NULL, "clients.0.hostname", "ITS-VMMT0-D1N02" },
    { "rest-nac-client-events-search.json", "nac_events", "{'site': '" SITE "'}", "/nac_clients/events/search?duration=1d&limit=200", NULL, "events.0.type", "NAC_CLIENT_PERMIT" },
    { "rest-fast-roam-events.json", "client_roams", "{'site': '" SITE "'}", "/events/fast_roam?duration=1d&limit=1000", "{'results': []}", "roams.0.kind", "CLIENT_AUTHENTICATED_11R" },
    { "rest-device-ap-config.json", "device_config", "{'site': '" SITE "', 'device': '" AP_ID "'}", "/devices/" AP_ID, NULL, "type", "ap" },
    { "rest-config-history.json", "device_config_history", "{'site': '" SITE "', 'device': '" AP_ID "'}", "&limit=100", NULL, "configurations.0.ssids.0", "test24" },
    { "rest-device-versions.json", "firmware_versions", "{'site': '" SITE "'}", "/devices/versions?type=ap", NULL, "stable.AP41", "v0.1.543" },
    { "rest-site-upgrade-status.json", "firmware_upgrade_status", "{'site': '" SITE "', 'upgrade_id': 'x'}", "/devices/upgrade/x", NULL, "version", "0.14.29633" },
    { "rest-site-upgrades-list.json", "firmware_upgrades", "{'site': '" SITE "'}", "/devices/upgrade", NULL, "upgrades.0.strategy", "big_bang" },
    { "rest-stats-ports-search.json", "switch_ports", "{'site': '" SITE "'}", "/stats/ports/search?device_type=switch&limit=1000", NULL, "ports.0.neighbor_name", "CORP-D-SW-2" },
    { "rest-jsi-inventory-search.json", "eol", "{}", "/jsi/inventory/search?limit=1000", NULL, "devices.0.suggested_version", "Latest 21.4R3-Sx" },
    { "rest-spectrum-running.json", "spectrum", "{'site': '" SITE "'}", "/analyze_spectrum", NULL, "current.band", "5" },
    { "rest-site-ap-channels.json", "ap_channels", "{'site': '" SITE "'}", "/devices/ap_channels", NULL, "country", "US" },
    { "rest-rogue-details.json", "rogue_info", "{'site': '" SITE "', 'bssid': 'd897ba76b5aa'}", "/rogues/d897ba76b5aa", NULL, "manufacture", "Intel Corporate" },
    { "rest-sle-metrics.json", "sle_metrics", "{'site': '" SITE "'}", "/metrics", NULL, "supported.0", "coverage" },
    { "rest-sle-capacity-classifier-wifi-interference.json", "sle_classifier", "{'site': '" SITE "', 'metric': 'capacity', 'classifier': 'wifi-interference'}", "/summary?duration=1d", NULL, "metric", "capacity" },
    { "rest-sle-impacted-users.json", "sle_impacted", "{'site': '" SITE "', 'metric': 'capacity'}", "/impacted-users?duration=1d", NULL, "impacted.0.ssid", "lab" },
    { "rest-sle-coverage-threshold.json", "sle_threshold", "{'site': '" SITE "', 'metric': 'capacity'}", "/threshold", NULL, "unit", "dBm" },
    { "rest-org-sites-sle-wifi.json", "sle_sites", "{}", "/insights/sites-sle?duration=1d&sle=wifi&limit=500", NULL, "sites.0.worst", "ap-health" },
    { "rest-suppressed-alarms.json", "alarm_suppressed", "{}", "/alarmtemplates/suppress", NULL, "suppressed.0.scope", "site" },
    { "rest-troubleshoot.json", "marvis", "{'site': '" SITE "'}", "&site_id=" SITE, NULL, "first_reason", "slow association" },
    { "rest-device-events-search.json", "system_events", "{'site': '" SITE "'}", "/events/system/search?duration=1d&limit=200", NULL, "events.0.mac", "5c5b351e13b5" },
    { "rest-pcaps-list.json", "pcaps", "{'site': '" SITE "'}", "/pcaps?duration=1d&limit=100", "{'results': []}", "captures.0.type", "new_assoc" },
    { "const-alarm-defs.json", "catalogue", "{'name': 'alarm_defs', 'has': 'device_down'}", "/const/alarm_defs", NULL, "items.0.severity", "warn" },
    { "const-device-events.json", "catalogue", "{'name': 'device_events', 'has': 'AP_CONFIGURED'}", "/const/device_events", NULL, "items.0.key", "AP_CONFIGURED" },
    { "const-insight-metrics.json", "catalogue", "{'name': 'insight_metrics', 'has': 'num_clients'}", "/const/insight_metrics", NULL, "items.0.key", "num_clients" },
    { "const-webhook-topics.json", "catalogue", "{'name': 'webhook_topics', 'has': 'alarms'}", "/const/webhook_topics", NULL, "items.0.key", "alarms" },
    { "rest-insight-metric-shape.json", "insight", "{'site': '" SITE "', 'metric': 'bytes'}", "/insights/bytes?duration=1d", NULL, "metric", "bytes" },
};

Test(samples, are_read_as_they_are)
{
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        char *text = shared_sample(samples[i].sample);
        struct fake_host *f;

        if (!text)
            continue;
        f = mist_host();
        FAKE_HTTP(f, .method = "GET", .url = samples[i].first, .status = 200, .body = text, .body_len = strlen(text));
        if (samples[i].second) {      /* what its `next` leads to */
            ANSWER(f, "limit=200&token=001a0010000000120010000005005880ec18000004776c616e007fffffeb067ab8e29c1d659b6a7c8cf698bf81490003", samples[i].second);
            ANSWER(f, "&type=others", samples[i].second);
            ANSWER(f, "token=AAAAEgAIAAVVJh4hF8AAAARzc2lkAH%2F%2F%2F%2F0%3D", samples[i].second);
            ANSWER(f, "/pcaps?start=1461099816&search_after=%5B1694537121217%5D&limit=100&end=1461089816", samples[i].second);
        }
        ANSWER(f, "/sle/site/" SITE "/metrics", "{'enabled': ['capacity']}");
        ANSWER(f, "/stats/devices/" AP_ID, "{'type': 'ap', 'name': 'Phoenix'}");
        FAKE_HTTP(f, .method = "GET", .status = 404, .body = "{}");
        const struct fake_result *r = fake_run(f, samples[i].action, "run", samples[i].params, NULL);
        cr_expect(r->ok, "%s: %s", samples[i].sample, r->error);
        cr_expect_str_eq(fake_str(r->result, samples[i].path) ? fake_str(r->result, samples[i].path) : "", samples[i].text, "%s", samples[i].sample);
        free(text);
        fake_host_free(f);
    }
}

Test(samples, errors_keep_their_words)
{
    static const struct { const char *name; int status; enum ft_class class; const char *says; } errors[] = {
        { "error-400.json", 400, FT_INVALID, "" }, { "error-401.json", 401, FT_DENIED, "Authentication credentials were not provided" },
        { "error-403.json", 403, FT_DENIED, "You do not have permission" }, { "error-429.json", 429, FT_REFUSED, "5000 API Calls per hour" },
    };

    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        char *text = shared_sample(errors[i].name);
        struct fake_host *f;

        if (!text)
            continue;
        f = mist_host();
        FAKE_HTTP(f, .status = errors[i].status, .body = text, .body_len = strlen(text));
        const struct fake_result *r = fake_run(f, "usage", "run", "{}", NULL);
        cr_expect(!r->ok && r->class == errors[i].class && strstr(r->error, errors[i].says), "%s: %s", errors[i].name, r->error);
        free(text);
        fake_host_free(f);
    }
}

/* Every device event and alarm of the catalogues passes. */
Test(samples, catalogues_of_events_and_alarms)
{
    static const struct { const char *name, *action, *path; } lists[] = {
        { "device-events-ap.json", "device_events", "/devices/events/search?duration=1d&limit=200" },
        { "device-events-switch.json", "device_events", "/devices/events/search?duration=1d&limit=200" },
        { "alarm-events-infrastructure.json", "alarms", "/alarms/search?duration=1d&limit=500" },
        { "alarm-events-marvis.json", "alarms", "/alarms/search?duration=1d&limit=500" },
        { "alarm-events-security.json", "alarms", "/alarms/search?duration=1d&limit=500" },
    };

    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        char *text = shared_sample(lists[i].name), *body;
        json_t *items;
        struct fake_host *f;

        if (!text)
            continue;
        items = json_loads(text, 0, NULL);
        if (json_is_object(items)) {
            json_t *values = json_array(), *value;
            const char *key;

            json_object_foreach(items, key, value)
                json_array_append(values, value);
            json_decref(items);
            items = values;
        }
        items = json_pack("{s:o}", "results", items);
        body = json_dumps(items, JSON_COMPACT);
        f = mist_host();
        FAKE_HTTP(f, .url = lists[i].path, .status = 200, .body = body, .body_len = strlen(body));
        const struct fake_result *r = fake_run(f, lists[i].action, "run", "{'site': '" SITE "'}", NULL);
        cr_expect(r->ok, "%s: %s", lists[i].name, r->error);
        free(body);
        json_decref(items);
        free(text);
        fake_host_free(f);
    }
}

/* ---- odd answers: each action either makes sense of them, and its result fits its schema, or says what is wrong. Never a crash. */

#define P_SITE "'site': '" SITE "'"
#define P_AP P_SITE ", 'device': '" AP_ID "'"
#define P_SW P_SITE ", 'device': '" SW_ID "'"

static const struct { const char *action, *entry, *params, *receipt; } calls[] = {
    { "client_status", "run", "{" P_SITE ", 'mac': '" CLIENT "'}" }, { "client_status", "run", "{'mac': '" CLIENT "'}" },
    { "client_events", "run", "{" P_SITE ", 'mac': '" CLIENT "'}" }, { "client_events", "run", "{'mac': '" CLIENT "'}" },
    { "client_sessions", "run", "{" P_SITE "}" }, { "client_list", "run", "{" P_SITE "}" }, { "client_count", "run", "{" P_SITE "}" },
    { "device_status", "run", "{" P_AP "}" }, { "device_status", "run", "{'device': 'x'}" }, { "device_status", "run", "{'device': '" AP_MAC "'}" },
    { "device_list", "run", "{" P_SITE "}" }, { "device_events", "run", "{" P_AP "}" }, { "inventory", "run", "{}" },
    { "switch_port", "run", "{" P_SW ", 'port': 'ge-0/0/1'}" }, { "site_info", "run", "{'site': 'HQ'}" }, { "site_list", "run", "{}" }, { "site_stats", "run", "{" P_SITE "}" },
    { "sle_summary", "run", "{" P_SITE ", 'metric': 'coverage'}" }, { "sle_impact", "run", "{" P_SITE ", 'metric': 'coverage'}" },
    { "rrm_current", "run", "{" P_SITE "}" }, { "rrm_events", "run", "{" P_SITE "}" }, { "channel_scores", "run", "{" P_AP ", 'band': '5'}" }, { "rogues", "run", "{" P_SITE "}" },
    { "alarms", "run", "{" P_SITE "}" }, { "audit_log", "run", "{}" }, { "usage", "run", "{}" }, { "wlan_list", "run", "{" P_SITE "}" },
    { "wlan", "run", "{" P_SITE ", 'wlan': 'x'}" }, { "synthetic_test_status", "run", "{" P_AP "}" },
    { "client_disconnect", "plan", "{" P_SITE ", 'mac': '" CLIENT "'}" }, { "client_coa", "plan", "{" P_SITE ", 'mac': '" CLIENT "'}" },
    { "ap_restart", "plan", "{" P_AP "}" }, { "ap_restart", "run", "{" P_AP "}" }, { "switch_restart", "plan", "{" P_SW "}" },
    { "rrm_optimize", "plan", "{" P_SITE ", 'bands': ['5']}" }, { "port_bounce", "plan", "{" P_SW ", 'port': 'ge-0/0/1'}" },
    { "switch_port_config", "plan", "{" P_SW ", 'port': 'ge-0/0/1', 'usage': 'ap'}" }, { "port_poe_cycle", "plan", "{" P_SW ", 'port': 'ge-0/0/1', 'usage': 'ap'}" },
    { "port_poe_cycle", "run", "{" P_SW ", 'port': 'ge-0/0/1', 'usage': 'ap', 'push_within_s': 10}" },
    { "alarm_ack", "plan", "{" P_SITE ", 'alarm': 'x'}" }, { "wlan_update", "plan", "{" P_SITE ", 'wlan': 'x', 'changes': {'enabled': true}}" },
    { "site_setting_update", "plan", "{" P_SITE ", 'changes': {'x': 1}}" },
    { "ap_restart", "probe", "{" P_AP "}", "{'site_id': 's', 'device_id': 'd', 'at': 1, 'before': {}}" },
    { "port_bounce", "probe", "{" P_SW ", 'port': 'ge-0/0/1'}", "{'site_id': 's', 'device_id': 'd', 'mac': 'm', 'at': 1}" },
    { "client_disconnect", "probe", "{'mac': '" CLIENT "'}", "{'site_id': 's'}" }, { "rrm_optimize", "probe", "{" P_SITE ", 'bands': ['5']}", "{'site_id': 's'}" },
    { "switch_port_config", "undo", "{" P_SW ", 'port': 'ge-0/0/1'}", "{'site_id': 's', 'device_id': 'd', 'mac': 'm', 'before': 7, 'after': []}" },
    { "wlan_update", "undo", "{" P_SITE ", 'wlan': 'x', 'changes': {'enabled': true}}", "{'path': '/x', 'before': {}, 'after': {'a': 1}}" },
    { "port_poe_cycle", "probe", "{" P_SW ", 'port': 'ge-0/0/1'}", "{'site_id': 's', 'device_id': 'd', 'mac': 'm'}" },
};

/* Every name that any action reads, with a value of a type that it should not have. */
#define ODD_MEMBERS(v) \
    "'id': " v ", 'mac': " v ", 'name': " v ", 'type': " v ", 'status': " v ", 'uptime': " v ", 'last_seen': " v ", 'timestamp': " v ", 'radio_stat': " v ", 'lldp_stat': " v \
    ", 'port_stat': " v ", 'dhcpd_stat': " v ", 'inactive_wired_vlans': " v ", 'last_trouble': " v ", 'num_clients': " v ", 'assoc_time': " v ", 'ap_id': " v ", 'ap_mac': " v \
    ", 'site_id': " v ", 'site_ids': " v ", 'last_ap': " v ", 'vlan_id': " v ", 'port_id': " v ", 'last_flapped': " v ", 'mac_count': " v ", 'local_port_config': " v \
    ", 'port_config': " v ", 'band_24': " v ", 'band_5': " v ", 'band_5_metric': " v ", 'sle': " v ", 'classifiers': " v ", 'enabled': " v ", 'supported': " v ", 'ssid': " v \
    ", 'bands': " v ", 'auth': " v ", 'tags': " v ", 'acked': " v ", 'next': " v ", 'total': " v ", 'request_limit': " v ", 'requests': " v ", 'x': " v ", 'event': " v ", 'aps': " v

#define ODD(v) "{" ODD_MEMBERS(v) "}", "{'results': [{" ODD_MEMBERS(v) "}, " v "]}", "[{" ODD_MEMBERS(v) "}, " v "]"
#define NAMED(v) "{'results': [{'mac': '" CLIENT "', 'port_id': 'ge-0/0/1', 'id': 'x', 'ssid': 'x', 'last_flapped': 1, 'site_id': " v ", 'last_ap': " v ", 'mac_count': " v "}]}", \
    "[{'mac': '" AP_MAC "', 'name': 'x', 'site_id': 's', 'id': " v ", 'ssid': 'x', 'for_site': " v "}]"

static const char *const bodies[] = {
    "{}", "[]", "null", "7", "'x'", "{'results': {}}", "{'results': null}", "{'results': [1, null, 'x', [], {}]}", "[1, null, 'x', [], {}]",
    ODD("null"), ODD("-1"), ODD("1e300"), ODD("9223372036854775807"), ODD("true"), ODD("'x'"), ODD("''"), ODD("[]"), ODD("{}"), ODD("[[{'x': [null]}]]"), ODD("{'x': {'x': null}}"),
    NAMED("null"), NAMED("7"), NAMED("'x'"), NAMED("{}"),
};

Test(odd_answers, are_survived, .timeout = 110)
{
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        for (size_t b = 0; b < ARRAY_LEN(bodies); b++) {
            struct fake_host *f = mist_host();

            FAKE_HTTP(f, .status = 200, .body = bodies[b]);
            const struct fake_result *r = fake_run(f, calls[i].action, calls[i].entry, calls[i].params, calls[i].receipt);
            cr_expect(r->ok || strlen(r->error) > 10, "%s %s with %s", calls[i].action, calls[i].entry, bodies[b]);
            cr_expect(r->ok || !strstr(r->error, "schema"), "%s %s with %s: %s", calls[i].action, calls[i].entry, bodies[b], r->error);
            fake_host_free(f);
        }
    }
}

/* The same for the further actions, with the oddest of the bodies. */
static const struct { const char *action, *entry, *params, *receipt; } more_calls[] = {
    { "client_search", "run", "{}" }, { "client_event_search", "run", "{" P_SITE "}" }, { "client_event_count", "run", "{}" }, { "client_roams", "run", "{" P_SITE "}" },
    { "wired_clients", "run", "{}" }, { "nac_clients", "run", "{}" }, { "nac_events", "run", "{}" }, { "client_blocklist", "run", "{}" },
    { "device_config", "run", "{" P_AP "}" }, { "device_config_cmd", "run", "{" P_SW "}" }, { "device_config_status", "run", "{" P_AP "}" }, { "device_config_history", "run", "{" P_AP "}" },
    { "switch_ports", "run", "{}" }, { "discovered_switches", "run", "{" P_SITE "}" }, { "eol", "run", "{}" }, { "firmware_versions", "run", "{'version': 'x'}" },
    { "firmware_upgrades", "run", "{" P_SITE "}" }, { "firmware_upgrade_status", "run", "{" P_SITE ", 'upgrade_id': 'x'}" }, { "synthetic_tests", "run", "{" P_SITE "}" },
    { "spectrum", "run", "{" P_SITE "}" }, { "rf_neighbors", "run", "{" P_SITE ", 'band': '5'}" }, { "ap_channels", "run", "{" P_SITE "}" }, { "rogue_clients", "run", "{" P_SITE "}" },
    { "rogue_events", "run", "{" P_SITE "}" }, { "rogue_info", "run", "{" P_SITE ", 'bssid': 'd897ba76b5aa'}" }, { "sle_metrics", "run", "{" P_SITE "}" },
    { "sle_classifiers", "run", "{" P_SITE ", 'metric': 'x'}" }, { "sle_classifier", "run", "{" P_SITE ", 'metric': 'x', 'classifier': 'x'}" },
    { "sle_impacted", "run", "{" P_SITE ", 'metric': 'x'}" }, { "sle_histogram", "run", "{" P_SITE ", 'metric': 'x'}" }, { "sle_threshold", "run", "{" P_SITE ", 'metric': 'x'}" },
    { "sle_sites", "run", "{}" }, { "insight", "run", "{" P_SITE ", 'metric': 'x'}" }, { "alarm_count", "run", "{}" }, { "alarm_suppressed", "run", "{}" }, { "alarm_templates", "run", "{}" },
    { "marvis", "run", "{" P_SITE "}" }, { "catalogue", "run", "{'name': 'alarm_defs'}" }, { "alarms", "run", "{'names': true}" }, { "system_events", "run", "{}" }, { "webhooks", "run", "{}" },
    { "webhook_deliveries", "run", "{'webhook': 'x'}" }, { "pcaps", "run", "{" P_SITE "}" }, { "pcap_status", "run", "{" P_SITE "}" }, { "pcap_download", "run", "{" P_SITE "}" },
    { "templates", "run", "{'kind': 'rf'}" }, { "template", "run", "{'kind': 'rf', 'template': 'x'}" }, { "config_export", "run", "{" P_SITE "}" }, { "config_export", "run", "{}" },
    { "client_disconnect_many", "plan", "{" P_SITE ", 'ssid': 'x'}" }, { "guest_unauthorize", "plan", "{" P_SITE ", 'mac': '" CLIENT "'}" }, { "client_block", "plan", "{'mac': '" CLIENT "'}" },
    { "ap_restart_many", "plan", "{" P_SITE ", 'devices': ['x']}" }, { "device_config_update", "plan", "{" P_AP ", 'changes': {'x': 1}}" }, { "ap_radio", "plan", "{" P_AP ", 'band': '5', 'channel': 1}" },
    { "firmware_upgrade", "plan", "{" P_SITE ", 'version': 'y'}" }, { "firmware_upgrade", "run", "{" P_SITE ", 'version': 'y', 'force': true}" },
    { "firmware_upgrade_cancel", "plan", "{" P_SITE ", 'upgrade_id': 'x'}" }, { "inventory_assign", "plan", "{" P_SITE ", 'devices': ['" AP_MAC "']}" },
    { "inventory_unassign", "run", "{'devices': ['" AP_MAC "']}" }, { "device_replace", "plan", "{" P_AP ", 'spare': '" AP_MAC "'}" }, { "radio_reset", "plan", "{" P_SITE ", 'bands': ['5']}" },
    { "spectrum_start", "plan", "{" P_SITE ", 'band': '5'}" }, { "rogue_approve", "plan", "{" P_SITE ", 'ssid': 'x'}" }, { "rogue_deauth", "plan", "{" P_SITE ", 'bssid': '" AP_MAC "', 'kind': 'lan'}" },
    { "pcap_start", "run", "{" P_SITE ", 'type': 'wireless'}" }, { "pcap_stop", "plan", "{" P_SITE "}" }, { "alarms_ack", "plan", "{}" }, { "alarm_suppress", "plan", "{}" },
    { "alarm_unsuppress", "plan", "{}" }, { "wlan_psk", "plan", "{" P_SITE ", 'wlan': 'x', 'psk': 'longenough'}" }, { "wlan_create", "plan", "{" P_SITE ", 'ssid': 'y', 'auth': 'open'}" },
    { "wlan_disable", "plan", "{" P_SITE ", 'wlan': 'x'}" }, { "template_update", "plan", "{'kind': 'rf', 'template': 'x', 'changes': {'x': 1}}" },
    { "radio_reset", "undo", "{" P_SITE ", 'bands': ['5']}", "{'site_id': 's', 'manual': [7, {'device_id': 'd', 'radio_config': {}}]}" },
    { "client_block", "probe", "{'mac': '" CLIENT "'}", "{'mac': '" CLIENT "'}" }, { "firmware_upgrade", "probe", "{" P_SITE ", 'version': 'y'}", "{'site_id': 's', 'version': 7}" },
    { "wlan_create", "probe", "{" P_SITE ", 'ssid': 'y', 'auth': 'open'}", "{'site_id': 's', 'ssid': 'x'}" }, { "pcap_start", "probe", "{" P_SITE ", 'type': 'wireless'}", "{'site_id': 's'}" },
    { "device_replace", "probe", "{" P_AP ", 'spare': '" AP_MAC "'}", "{'site_id': 's', 'inventory_mac': '" AP_MAC "'}" },
};

#define MORE(v) "'version': " v ", 'model': " v ", 'start_time': " v ", 'started_time': " v ", 'duration': " v ", 'targets': " v ", 'counts': " v ", 'target_version': " v ", 'rules': " v \
    ", 'neighbors': " v ", 'fft_samples': " v ", 'channel_usage': " v ", 'data': " v ", 'users': " v ", 'cli': " v ", 'config_push_policy': " v ", 'radio_config': " v ", 'rogue': " v \
    ", 'blacklist_url': " v ", 'pcap_url': " v ", 'topics': " v ", 'key': " v ", 'classifier': " v ", 'count': " v ", 'modified_time': " v ", 'expire_time': " v ", 'scope': " v ", 'ap': " v
#define MORE_ODD(v) "{" MORE(v) ", " ODD_MEMBERS(v) "}", "{'results': [{" MORE(v) ", " ODD_MEMBERS(v) "}]}", "[{" MORE(v) ", " ODD_MEMBERS(v) "}]"
static const char *const more_bodies[] = {
    "[]", "7", "{'results': [1, null, []]}", MORE_ODD("null"), MORE_ODD("1e300"), MORE_ODD("[{'x': {'x': null}}, [7]]"),
};

Test(odd_answers, are_survived_by_further_actions, .timeout = 110)
{
    for (size_t i = 0; i < ARRAY_LEN(more_calls); i++) {
        for (size_t b = 0; b < ARRAY_LEN(more_bodies); b++) {
            struct fake_host *f = mist_host();

            FAKE_HTTP(f, .status = 200, .body = more_bodies[b]);
            const struct fake_result *r = fake_run(f, more_calls[i].action, more_calls[i].entry, more_calls[i].params, more_calls[i].receipt);
            cr_expect(r->ok || strlen(r->error) > 10, "%s %s with %s", more_calls[i].action, more_calls[i].entry, more_bodies[b]);
            cr_expect(r->ok || !strstr(r->error, "schema"), "%s %s with %s: %s", more_calls[i].action, more_calls[i].entry, more_bodies[b], r->error);
            fake_host_free(f);
        }
    }
}

Test(odd_answers, every_request_of_further_actions_may_fail)
{
    for (size_t i = 0; i < ARRAY_LEN(more_calls); i++) {
        static const struct { int status; enum ft_class fault; } ends[] = { { 500, 0 }, { 0, FT_TIMEOUT } };

        for (size_t e = 0; e < ARRAY_LEN(ends); e++) {
            struct fake_host *f = mist_host();

            FAKE_HTTP(f, .status = ends[e].status, .fault = ends[e].fault, .why = "no route", .body = ends[e].status ? "{}" : NULL);
            const struct fake_result *r = fake_run(f, more_calls[i].action, more_calls[i].entry, more_calls[i].params, more_calls[i].receipt);
            cr_expect(!r->ok && *r->error, "%s %s, end %zu", more_calls[i].action, more_calls[i].entry, e);
            fake_host_free(f);
        }
    }
}

/* A request that fails at any place of the chain ends the call with its class, and nothing is left behind. */
Test(odd_answers, every_request_may_fail)
{
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        static const struct { int status; enum ft_class fault; } ends[] = { { 500, 0 }, { 0, FT_UNREACHABLE }, { 0, FT_TIMEOUT }, { 403, 0 } };

        for (size_t e = 0; e < ARRAY_LEN(ends); e++) {
            struct fake_host *f = mist_host();

            FAKE_HTTP(f, .status = ends[e].status, .fault = ends[e].fault, .why = "no route", .body = ends[e].status ? "{}" : NULL);
            const struct fake_result *r = fake_run(f, calls[i].action, calls[i].entry, calls[i].params, calls[i].receipt);
            cr_expect(!r->ok && *r->error, "%s %s, end %zu", calls[i].action, calls[i].entry, e);
            fake_host_free(f);
        }
    }
}
