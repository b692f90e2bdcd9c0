/* Every write: what it plans is what it sends, it keeps its receipt first, undo restores, the probe tells what happened. */
#include "mist_test.h"

#define AP_UP "{'id': '" AP_ID "', 'mac': '" AP_MAC "', 'name': 'ap-3f-12', 'type': 'ap', 'status': 'connected', 'uptime': 86400, 'num_clients': 24, 'last_seen': 1795227180," \
    "'radio_stat': {'band_5': {'num_clients': 20}, 'band_24': {'num_clients': 4}}}"
#define SW_UP "{'id': '" SW_ID "', 'mac': '" SW_MAC "', 'name': 'sw-3', 'type': 'switch', 'status': 'connected', 'uptime': 99, 'clients_stats': {'total': {'num_wired_clients': 31}}}"
#define CLIENT_UP "{'mac': '" CLIENT "', 'ap_mac': '" AP_MAC "', 'assoc_time': 900, 'last_seen': 1000}"
#define PORT_UP "{'results': [{'mac': '" SW_MAC "', 'port_id': 'ge-0/0/12', 'up': true, 'poe_on': true, 'mac_count': 26, 'last_flapped': 5000, 'port_usage': 'ap'}]}"
#define WLANS "[{'id': 'w1', 'ssid': 'staff', 'for_site': true, 'bands': ['5']}, {'id': 'w2', 'ssid': 'corp', 'template_id': 't1'}, {'id': 'w3', 'ssid': 'guest', 'for_site': true}," \
    "{'id': 'w4', 'ssid': 'guest', 'for_site': true}]"

#define STORE "https://store.test/blacklist"

static void more_world(struct fake_host *f)
{
    ANSWER(f, "/alarms/search?duration=1d&limit=1000", "{'results': [{'id': 'al1', 'severity': 'info'}, {'id': 'al2', 'acked': true, 'severity': 'info'}, {'id': 'al3', 'severity': 'warn'}]}");
    ANSWER(f, "/alarmtemplates/suppress", "{'results': [{'scope': 'site', 'site_id': '" OTHER_SITE "', 'expire_time': 9999999999}]}");
    ANSWER(f, "/orgs/" ORG "/setting", "{'blacklist_url': '" STORE "'}");
    FAKE_HTTP(f, .method = "GET", .url = STORE, .status = 200, .body = "{'macs': ['18-65-90-de-f4-c6']}");
    ANSWER(f, "/stats/devices?type=ap&status=all&limit=1000", "[{'id': '" AP_ID "', 'mac': '" AP_MAC "', 'name': 'ap-3f-12', 'type': 'ap', 'status': 'connected', 'model': 'AP43', 'version': '1', 'num_clients': 24},"
        "{'id': 'ap2', 'mac': '5c5b35000002', 'name': 'ap-2', 'status': 'disconnected', 'model': 'AP43', 'version': '2', 'num_clients': 3}]");
    ANSWER(f, "/devices/versions?type=ap", "[{'model': 'AP43', 'version': '2'}]");
    ANSWER(f, "/devices/upgrade/u1", "{'id': 'u1', 'status': 'upgrading'}");
    ANSWER(f, "/devices/upgrade/u2", "{'id': 'u2', 'status': 'completed'}");
    ANSWER(f, "/devices?type=ap&limit=1000", "[{'id': '" AP_ID "', 'name': 'ap-3f-12', 'radio_config': {'band_5': {'channel': 44, 'power': null}}}, {'id': 'ap2', 'radio_config': {'band_5': {'channel': null}}}]");
    ANSWER(f, "/sites/" SITE "/devices/" AP_ID, "{'id': '" AP_ID "', 'radio_config': {'band_24': {'power': 5}}, 'led': {'enabled': true}}");
    ANSWER(f, "/analyze_spectrum", "{}");
    ANSWER(f, "/pcaps/capture", "{}");
    ANSWER(f, "/insights/rogues?duration=1d&type=lan&limit=1000", "{'results': [{'bssid': 'd8-97-ba-76-b5-aa', 'ssid': 'evil'}]}");
    ANSWER(f, "/rftemplates?limit=1000", "[{'id': 't1', 'name': 'offices', 'band_5': {'bandwidth': 80}}]");
    ANSWER(f, "/rftemplates/t1", "{'id': 't1', 'name': 'offices', 'band_5': {'bandwidth': 80}}");
    ANSWER(f, "/wlans", "[{'id': 'w1', 'ssid': 'staff'}]");
    ANSWER(f, "/orgs/" ORG "/inventory?limit=1000", "[{'id': '" AP_ID "', 'mac': '" AP_MAC "', 'name': 'ap-3f-12', 'type': 'ap', 'site_id': '" SITE "'}, {'mac': '5c5b35000099', 'type': 'ap', 'site_id': null},"
        "{'id': '" SW_ID "', 'mac': '" SW_MAC "', 'name': 'sw-3', 'type': 'switch', 'site_id': '" SITE "'}]");
}

static void world(struct fake_host *f)
{
    ANSWER(f, "/orgs/" ORG "/sites?limit=1000", "[{'id': '" SITE "', 'name': 'HQ'}]");
    ANSWER(f, "/stats/devices/" AP_ID, AP_UP);
    ANSWER(f, "/stats/devices/" SW_ID, SW_UP);
    ANSWER(f, "/stats/devices?type=ap&limit=1000", "[" AP_UP ", {'mac': '5c5b35000002', 'radio_stat': {'band_5': {'num_clients': 3}}}]");
    ANSWER(f, "/stats/clients/" CLIENT, CLIENT_UP);
    ANSWER(f, "/stats/ports/search?mac=" SW_MAC "&port_id=ge-0%2F0%2F12&limit=10", PORT_UP);
    ANSWER(f, "/sites/" SITE "/devices/" SW_ID, "{'id': '" SW_ID "', 'port_config': {'ge-0/0/0-20': {'usage': 'ap'}}, 'local_port_config': {'ge-0/0/3': {'usage': 'iot', 'note': 'theirs'}}}");
    ANSWER(f, "/rrm/current", "{'status': 'ready', 'timestamp': 50, 'band_5': {'" AP_ID "': {'curr_channel': 36, 'channel': 149, 'curr_power': 12, 'power': 12}}}");
    ANSWER(f, "/alarms/search?duration=30d&limit=1000", "{'results': [{'id': 'al1', 'type': 'device_down', 'acked': false}, {'id': 'al2', 'acked': true}]}");
    ANSWER(f, "/wlans/derived?resolve=true", WLANS);
    ANSWER(f, "/wlans/w1", "{'id': 'w1', 'ssid': 'staff', 'band_steer': false, 'max_idletime': 1800, 'auth': {'type': 'psk', 'psk': 'hush-hush'}}");
    ANSWER(f, "/stats/clients?limit=1000", "[{'wlan_id': 'w1', 'mac': 'aabbccddeeff', 'ssid': 'staff'}, {'wlan_id': 'w1'}, {'wlan_id': 'w2'}]");
    ANSWER(f, "/sites/" SITE "/setting", "{'rogue': {'enabled': false}, 'config_auto_revert': false, 'switch_mgmt': {'root_password': 'hush-hush'}}");
    more_world(f);
    FAKE_HTTP(f, .method = "POST", .status = 200, .body = "{'upgrade_id': 'u9'}");
    FAKE_HTTP(f, .method = "PUT", .status = 200, .body = "{}");
    FAKE_HTTP(f, .method = "DELETE", .status = 200);
}

static const struct { const char *action, *params, *method, *url, *body; int users; bool receipt; } writes[] = {
    { "client_disconnect", "{'site': 'HQ', 'mac': '" CLIENT "'}", "POST", "/sites/" SITE "/clients/" CLIENT "/disconnect", NULL, 1, true },
    { "client_coa", "{'site': 'HQ', 'mac': '" CLIENT "'}", "POST", "/sites/" SITE "/clients/" CLIENT "/coa", NULL, 1, true },
    { "client_coa", "{'site': 'HQ', 'mac': '" CLIENT "', 'wired': true}", "POST", "/sites/" SITE "/wired_clients/" CLIENT "/coa", NULL, 1, true },
    { "ap_restart", "{'device': 'ap-3f-12'}", "POST", "/sites/" SITE "/devices/" AP_ID "/restart", NULL, 24, true },
    { "ap_restart", "{'site': '" SITE "', 'device': '" AP_ID "'}", "POST", "/sites/" SITE "/devices/" AP_ID "/restart", NULL, 24, true },
    { "switch_restart", "{'device': 'sw-3'}", "POST", "/sites/" SITE "/devices/" SW_ID "/restart", NULL, 31, true },
    { "switch_restart", "{'device': 'sw-3', 'member': 1}", "POST", "/sites/" SITE "/devices/" SW_ID "/restart", "{'member':1}", 31, true },
    { "device_locate", "{'device': 'ap-3f-12', 'minutes': 7}", "POST", "/sites/" SITE "/devices/" AP_ID "/locate", "{'duration':7}", 0, true },
    { "device_unlocate", "{'device': 'ap-3f-12'}", "POST", "/sites/" SITE "/devices/" AP_ID "/unlocate", NULL, 0, false },
    { "synthetic_test", "{'device': 'ap-3f-12', 'type': 'dhcp', 'vlan_id': 20}", "POST", "/sites/" SITE "/devices/" AP_ID "/synthetic_test",
      "{'type':'dhcp','vlan_id':20}", 0, false },
    { "rrm_optimize", "{'site': 'HQ', 'bands': ['5']}", "POST", "/sites/" SITE "/rrm/optimize", "{'bands':['5'],'txpower_only':false}", 23, true },
    { "rrm_optimize", "{'site': 'HQ', 'bands': ['5', '24'], 'devices': ['5C:5B:35:00:00:01']}", "POST", "/sites/" SITE "/rrm/optimize",
      "{'bands':['5','24'],'macs':['5c5b35000001'],'txpower_only':false}", 24, true },
    { "rrm_optimize", "{'site': 'HQ', 'bands': ['5'], 'txpower_only': true}", "POST", "/sites/" SITE "/rrm/optimize", "{'bands':['5'],'txpower_only':true}", 0, true },
    { "port_bounce", "{'device': 'sw-3', 'port': 'ge-0/0/12'}", "POST", "/sites/" SITE "/devices/" SW_ID "/bounce_port", "{'ports':['ge-0/0/12']}", 26, true },
    { "switch_port_config", "{'device': 'sw-3', 'port': 'ge-0/0/12', 'port_network': 'aps'}", "PUT", "/sites/" SITE "/devices/" SW_ID "/local_port_config",
      "{'ge-0/0/3':{'usage':'iot','note':'theirs'},'ge-0/0/12':{'usage':'ap','port_network':'aps'}}", 26, true },
    { "alarm_ack", "{'site': 'HQ', 'alarm': 'al1', 'note': 'seen'}", "POST", "/sites/" SITE "/alarms/al1/ack", "{'note':'seen'}", 0, true },
    { "wlan_update", "{'site': 'HQ', 'wlan': 'staff', 'changes': {'band_steer': true}}", "PUT", "/sites/" SITE "/wlans/w1", "{'band_steer':true}", 2, true },
    { "site_setting_update", "{'site': 'HQ', 'changes': {'rogue': {'enabled': true}, 'vars': {'a': 'b'}}}", "PUT", "/sites/" SITE "/setting",
      "{'rogue':{'enabled':true},'vars':{'a':'b'}}", -1, true },
    /* clients */
    { "client_disconnect_many", "{'site': 'HQ', 'ssid': 'staff'}", "POST", "/sites/" SITE "/clients/disconnect", "['aabbccddeeff']", 1, false },
    { "guest_unauthorize", "{'site': 'HQ', 'mac': '" CLIENT "'}", "POST", "/sites/" SITE "/clients/" CLIENT "/unauthorize", NULL, 1, false },
    /* devices */
    { "device_reprovision", "{'device': 'sw-3'}", "POST", "/sites/" SITE "/devices/" SW_ID "/reprovision", NULL, -1, false },
    { "switch_snapshot", "{'device': 'sw-3'}", "POST", "/sites/" SITE "/devices/" SW_ID "/snapshot", NULL, 0, false },
    { "stats_poll", "{'device': 'sw-3'}", "POST", "/sites/" SITE "/devices/" SW_ID "/poll_stats", NULL, 0, false },
    { "device_support", "{'device': 'sw-3'}", "POST", "/sites/" SITE "/devices/" SW_ID "/support", "{'info':'full'}", 0, false },
    { "port_clear_bpdu", "{'device': 'sw-3', 'port': 'ge-0/0/12'}", "POST", "/sites/" SITE "/devices/" SW_ID "/clear_bpdu_error", "{'port':'ge-0/0/12','ports':['ge-0/0/12']}", 0, false },
    { "port_clear_macs", "{'device': 'sw-3', 'port': 'ge-0/0/12'}", "POST", "/sites/" SITE "/devices/" SW_ID "/clear_macs", "{'ports':['ge-0/0/12.0']}", 0, false },
    { "ap_restart_many", "{'site': 'HQ', 'devices': ['ap-3f-12', '5c:5b:35:00:00:02']}", "POST", "/sites/" SITE "/devices/restart", "{'device_ids':['" AP_ID "']}", 24, false },
    { "device_config_update", "{'device': 'ap-3f-12', 'changes': {'led': {'enabled': false}}}", "PUT", "/sites/" SITE "/devices/" AP_ID, "{'led':{'enabled':false}}", 24, true },
    { "ap_radio", "{'device': 'ap-3f-12', 'band': '5', 'channel': 44}", "PUT", "/sites/" SITE "/devices/" AP_ID, "{'radio_config':{'band_24':{'power':5},'band_5':{'channel':44}}}", 20, true },
    { "firmware_upgrade", "{'site': 'HQ', 'version': '2'}", "POST", "/sites/" SITE "/devices/upgrade", "{'device_ids':['" AP_ID "'],'version':'2','strategy':'canary','force':false}", 24, true },
    { "firmware_upgrade_cancel", "{'site': 'HQ', 'upgrade_id': 'u1'}", "POST", "/sites/" SITE "/devices/upgrade/u1/cancel", NULL, -1, false },
    { "inventory_assign", "{'site': 'HQ', 'devices': ['5C:5B:35:00:00:99']}", "PUT", "/orgs/" ORG "/inventory", "{'op':'assign','macs':['5c5b35000099'],'site_id':'" SITE "'}", -1, true },
    { "inventory_unassign", "{'devices': ['" AP_MAC "']}", "PUT", "/orgs/" ORG "/inventory", "{'op':'unassign','macs':['" AP_MAC "']}", -1, true },
    { "device_replace", "{'device': 'ap-3f-12', 'spare': '5c5b35000099'}", "POST", "/orgs/" ORG "/inventory/replace", "{'site_id':'" SITE "','mac':'" AP_MAC "','inventory_mac':'5c5b35000099'}", -1, true },
    /* radio */
    { "radio_reset", "{'site': 'HQ', 'bands': ['5']}", "POST", "/sites/" SITE "/devices/reset_radio_config", "{'bands':['5'],'force':false}", -1, true },
    { "spectrum_start", "{'site': 'HQ', 'band': '5', 'device': 'ap-3f-12'}", "POST", "/sites/" SITE "/analyze_spectrum", "{'band':'5','duration':300,'format':'json','device_id':'" AP_ID "'}", -1, true },
    { "rogue_approve", "{'site': 'HQ', 'bssid': 'd8:97:ba:76:b5:aa'}", "PUT", "/sites/" SITE "/setting", "{'rogue':{'enabled':false,'whitelisted_bssids':['d8:97:ba:76:b5:aa']}}", -1, true },
    { "rogue_deauth", "{'site': 'HQ', 'bssid': 'd8:97:ba:76:b5:aa', 'kind': 'lan'}", "POST", "/sites/" SITE "/rogues/d897ba76b5aa/deauth_clients", NULL, -1, false },
    { "pcap_start", "{'site': 'HQ', 'type': 'client', 'mac': '" CLIENT "', 'duration_s': 60}", "POST", "/sites/" SITE "/pcaps/capture",
      "{'type':'client','duration':60,'max_pkt_len':512,'num_packets':1024,'client_mac':'" CLIENT "'}", 0, true },
    { "pcap_start", "{'site': 'HQ', 'type': 'wired', 'device': 'ap-3f-12', 'tcpdump_expression': 'port 67'}", "POST", "/sites/" SITE "/pcaps/capture",
      "{'type':'wired','duration':600,'max_pkt_len':512,'num_packets':1024,'tcpdump_expression':'port 67','ap_mac':'" AP_MAC "','format':'pcap'}", 0, true },
    /* alarms and the rest */
    { "alarms_ack", "{'site': 'HQ', 'severity': 'info', 'note': 'seen'}", "POST", "/sites/" SITE "/alarms/ack", "{'alarm_ids':['al1'],'note':'seen'}", 0, true },
    { "alarms_ack", "{}", "POST", "/orgs/" ORG "/alarms/ack", "{'alarm_ids':['al1','al3']}", 0, true },
    { "alarm_suppress", "{'site': 'HQ', 'duration_s': 7200}", "POST", "/orgs/" ORG "/alarmtemplates/suppress", "{'scope':'site','applies':{'site_ids':['" SITE "']},'duration':7200}", 0, true },
    { "alarm_unsuppress", "{'site': '" OTHER_SITE "'}", "POST", "/orgs/" ORG "/alarmtemplates/suppress", "{'scope':'site','applies':{'site_ids':['" OTHER_SITE "']},'duration':0}", 0, false },
    { "webhook_ping", "{'webhook': 'h1'}", "POST", "/orgs/" ORG "/webhooks/h1/ping", NULL, 0, false },
    /* configuration */
    { "wlan_disable", "{'site': 'HQ', 'wlan': 'staff'}", "PUT", "/sites/" SITE "/wlans/w1", "{'enabled':false}", 2, true },
    { "wlan_enable", "{'site': 'HQ', 'wlan': 'staff'}", "PUT", "/sites/" SITE "/wlans/w1", "{'enabled':true}", 2, true },
    { "wlan_create", "{'site': 'HQ', 'ssid': 'event', 'auth': 'psk', 'psk': 'hush-hush-2', 'vlan_id': 120}", "POST", "/sites/" SITE "/wlans",
      "{'ssid':'event','vlan_id':120,'enabled':true,'vlan_enabled':true,'auth':{'type':'psk','psk':'hush-hush-2'}}", 0, true },
    { "template_update", "{'kind': 'rf', 'template': 'offices', 'changes': {'band_5': {'bandwidth': 40}}}", "PUT", "/orgs/" ORG "/rftemplates/t1", "{'band_5':{'bandwidth':40}}", -1, true },
};

static char *quoted(const char *text)
{
    char *copy = strdup(text ? text : "");

    for (char *p = copy; *p; p++)
        if (*p == '\'')
            *p = '"';
    return copy;
}

Test(writes, send_what_they_planned)
{
    for (size_t i = 0; i < ARRAY_LEN(writes); i++) {
        struct fake_host *f = mist_host();
        char *body = quoted(writes[i].body), url[300];

        world(f);
        snprintf(url, sizeof(url), AT "%s", writes[i].url);
        const struct fake_result *r = fake_run(f, writes[i].action, "plan", writes[i].params, NULL);
        cr_assert(r->ok, "%s: %s", writes[i].action, r->error);
        cr_expect_eq(writes_in(r->requests), 0, "%s: a plan touches nothing", writes[i].action);
        cr_expect_eq(json_array_size(fake_at(r->result, "requests")), 1, "%s", writes[i].action);
        cr_expect_str_eq(fake_str(r->result, "requests.0.url"), url, "%s", writes[i].action);
        cr_expect_eq(fake_int(r->result, "users"), writes[i].users, "%s: %d users", writes[i].action, (int)fake_int(r->result, "users"));
        cr_expect_eq(fake_at(r->result, "receipt") != NULL, writes[i].receipt, "%s", writes[i].action);
        json_t *plan = json_deep_copy(r->result);
        char *receipt = receipt_of(fake_at(plan, "receipt")), *shown = json_dumps(plan, 0);

        cr_expect(!strstr(shown, "sesame") && !strstr(shown, "hush"), "%s: a secret is in the plan: %s", writes[i].action, shown);
        /* what a write rests on must not change by itself, or every approval would be void after a minute */
        cr_expect(!fake_at(plan, "before.last_seen") && !fake_at(plan, "before.uptime") && !fake_at(plan, "before.rssi"), "%s: %s", writes[i].action, shown);

        r = fake_run(f, writes[i].action, "run", writes[i].params, receipt);
        cr_assert(r->ok, "%s: %s", writes[i].action, r->error);
        cr_expect_eq(writes_in(r->requests), 1, "%s: sent once", writes[i].action);
        cr_expect_str_eq(fake_str(write_in(r->requests), "method"), writes[i].method, "%s", writes[i].action);
        cr_expect_str_eq(fake_str(write_in(r->requests), "body") ? fake_str(write_in(r->requests), "body") : "", body, "%s", writes[i].action);
        cr_expect(fake_int(write_in(r->requests), "flags") & FT_HTTP_WRITE, "%s", writes[i].action);
        if (!strstr(body, "hush"))               /* a plan does not show secrets */
            same_as_planned(plan, write_in(r->requests), writes[i].action);
        cr_expect(is_true_at(r->result, "changed"), "%s", writes[i].action);
        if (receipt)
            cr_expect(r->kept == NULL, "%s: the plan's receipt is in the journal already", writes[i].action);

        r = fake_run(f, writes[i].action, "run", writes[i].params, NULL);
        cr_assert(r->ok, "%s: %s", writes[i].action, r->error);
        cr_expect_eq(r->kept != NULL, writes[i].receipt, "%s: the receipt is kept when there was no plan", writes[i].action);
        free(shown);
        free(receipt);
        free(body);
        json_decref(plan);
        fake_host_free(f);
    }
}

/* The receipt must be durable before anything is sent. */
Test(writes, keep_before_they_send)
{
    for (size_t i = 0; i < ARRAY_LEN(writes); i++) {
        struct fake_host *f = mist_host();
        size_t kept = 0, sent = 0, j;
        json_t *line;

        world(f);
        const struct fake_result *r = fake_run(f, writes[i].action, "run", writes[i].params, NULL);
        cr_assert(r->ok, "%s: %s", writes[i].action, r->error);
        json_array_foreach(r->trace, j, line) {
            const char *text = json_string_value(line);

            if (strncmp(text, "keep", 4) == 0)
                kept = j + 1;
            else if (!strncmp(text, writes[i].method, strlen(writes[i].method)) && text[strlen(writes[i].method)] == ' ')
                sent = j + 1;
        }
        cr_expect(sent && (!writes[i].receipt || (kept && kept < sent)), "%s: kept %zu, sent %zu", writes[i].action, kept, sent);
        fake_host_free(f);
    }
}

/* ---- nothing to do, and what is refused */

static const struct { const char *action, *params; } idle[] = {
    { "alarm_ack", "{'site': 'HQ', 'alarm': 'al2'}" },
    { "wlan_update", "{'site': 'HQ', 'wlan': 'w1', 'changes': {'band_steer': false, 'max_idletime': 1800}}" },
    { "site_setting_update", "{'site': 'HQ', 'changes': {'rogue': {'enabled': false}}}" },
    { "switch_port_config", "{'device': 'sw-3', 'port': 'ge-0/0/3', 'note': 'theirs'}" },
};

Test(writes, have_nothing_to_do_where_all_is_as_wanted)
{
    for (size_t i = 0; i < ARRAY_LEN(idle); i++) {
        struct fake_host *f = mist_host();

        world(f);
        ANSWER(f, "port_id=ge-0%2F0%2F3&limit=10", "{'results': []}");
        const struct fake_result *r = fake_run(f, idle[i].action, "plan", idle[i].params, NULL);
        cr_expect(r->ok && is_true_at(r->result, "nothing_to_do"), "%s: %s", idle[i].action, r->error);
        r = fake_run(f, idle[i].action, "run", idle[i].params, NULL);
        cr_expect(r->ok && json_is_false(fake_at(r->result, "changed")) && writes_in(r->requests) == 0, "%s: %s", idle[i].action, r->error);
        fake_host_free(f);
    }
}

/* Before people let it go ahead rather than in the middle of it. */
Test(writes, say_in_the_plan_that_mist_restarts_only_what_it_reaches)
{
    struct fake_host *f = mist_host();

    ANSWER(f, "/stats/devices/" AP_ID, "{'id': '" AP_ID "', 'name': 'ap-3f-12', 'type': 'ap', 'status': 'disconnected'}");
    world(f);
    const struct fake_result *r = fake_run(f, "ap_restart", "plan", "{'device': 'ap-3f-12'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(fake_str(r->result, "notes.0") && strstr(fake_str(r->result, "notes.0"), "ap-3f-12 is disconnected: Mist can restart only"));
    fake_host_free(f);
}

/* A key is replaced whole: a member that Mist has and the change has not is a difference. */
Test(writes, a_member_that_shall_go_is_something_to_do)
{
    struct fake_host *f = mist_host();

    world(f);
    const struct fake_result *r = fake_run(f, "site_setting_update", "plan", "{'site': 'HQ', 'changes': {'rogue': {}}}", NULL);
    cr_expect(r->ok && !fake_at(r->result, "nothing_to_do") && json_array_size(fake_at(r->result, "requests")) == 1, "%s", r->error);
    fake_host_free(f);
}

static const struct { const char *action, *params; enum ft_class class; const char *says; } refused[] = {
    { "wlan_update", "{'site': 'HQ', 'wlan': 'staff', 'changes': {'auth': {'type': 'psk', 'psk': 'new-secret'}}}", FT_INVALID, "holds a secret" },
    { "wlan_update", "{'site': 'HQ', 'wlan': 'staff', 'changes': {'auth': {'type': 'open'}}}", FT_INVALID, "holds a secret" },
    { "wlan_update", "{'site': 'HQ', 'wlan': 'corp', 'changes': {'enabled': true}}", FT_INVALID, "template" },
    { "wlan_update", "{'site': 'HQ', 'wlan': 'guest', 'changes': {'enabled': true}}", FT_INVALID, "2 WLANs" },
    { "wlan_update", "{'site': 'HQ', 'wlan': 'nope', 'changes': {'enabled': true}}", FT_NOT_FOUND, "'staff'" },
    { "wlan_update", "{'site': 'HQ', 'wlan': 'staff', 'changes': {'id': 'w9'}}", FT_INVALID, "set by Mist" },
    { "site_setting_update", "{'site': 'HQ', 'changes': {'switch_mgmt': {'root_password': 'x'}}}", FT_INVALID, "holds a secret" },
    { "alarm_ack", "{'site': 'HQ', 'alarm': 'al9'}", FT_NOT_FOUND, "no alarm" },
    { "switch_port_config", "{'device': 'sw-3', 'port': 'ge-0/0/12'}", FT_INVALID, "nothing to change" },
    { "switch_port_config", "{'device': 'sw-3', 'port': 'xe-0/1/0', 'disabled': true}", FT_INVALID, "usage" },
    { "port_bounce", "{'device': 'sw-3', 'port': 'xe-0/1/0'}", FT_NOT_FOUND, "no figures of port" },
    { "synthetic_test", "{'device': 'ap-3f-12', 'type': 'dns'}", FT_INVALID, "hostname" },
    { "synthetic_test", "{'device': 'ap-3f-12', 'type': 'radius', 'username': 'kim'}", FT_INVALID, "password" },
    { "rrm_optimize", "{'site': 'HQ', 'bands': ['5'], 'devices': ['ap-3f-12']}", FT_INVALID, "not a MAC" },
};

Test(writes, refuse_in_a_sentence)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        static const char *const entries[] = { "plan", "run" };

        for (size_t e = 0; e < 2; e++) {
            struct fake_host *f = mist_host();

            world(f);
            ANSWER(f, "port_id=xe-0%2F1%2F0&limit=10", "{'results': []}");
            const struct fake_result *r = fake_run(f, refused[i].action, entries[e], refused[i].params, NULL);
            cr_expect(!r->ok && r->class == refused[i].class && strstr(r->error, refused[i].says), "%s %s: class %s: %s", refused[i].action, refused[i].params,
                      ft_class_name(r->class), r->error);
            cr_expect_eq(writes_in(r->requests), 0, "%s %s", refused[i].action, refused[i].params);
            cr_expect(!strstr(r->error, "hush") && !strstr(r->error, "new-secret"));
            fake_host_free(f);
        }
    }
}

/* ---- secrets of parameters */

Test(synthetic_test, never_shows_the_password)
{
    struct fake_host *f = mist_host();
    const char *params = "{'device': 'ap-3f-12', 'type': 'radius', 'username': 'kim', 'password': 'pa55-of-kim', 'vlan_id': 20}";

    world(f);
    const struct fake_result *r = fake_run(f, "synthetic_test", "plan", params, NULL);
    GOOD(r);
    char *shown = json_dumps(r->result, 0);
    cr_expect(!strstr(shown, "pa55-of-kim"), "%s", shown);
    free(shown);
    r = fake_run(f, "synthetic_test", "run", params, NULL);
    GOOD(r);
    cr_expect(strstr(fake_str(write_in(r->requests), "body"), "pa55-of-kim"), "the device gets it");
    fake_host_free(f);
}

/* ---- somebody changed it since the plan */

Test(writes, stop_where_the_world_has_moved)
{
    static const struct { const char *action, *params, *receipt; } cases[] = {
        { "wlan_update", "{'site': 'HQ', 'wlan': 'staff', 'changes': {'max_idletime': 600}}",
          "{'path': '/sites/" SITE "/wlans/w1', 'what': 'WLAN', 'before': {'max_idletime': 3600}, 'after': {'max_idletime': 600}}" },
        { "switch_port_config", "{'device': 'sw-3', 'port': 'ge-0/0/3', 'port_network': 'aps'}",
          "{'site_id': '" SITE "', 'device_id': '" SW_ID "', 'mac': '" SW_MAC "', 'before': {'usage': 'ap'}, 'after': {'usage': 'ap', 'port_network': 'aps'}}" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_host *f = mist_host();

        world(f);
        ANSWER(f, "port_id=ge-0%2F0%2F3&limit=10", "{'results': []}");
        const struct fake_result *r = fake_run(f, cases[i].action, "run", cases[i].params, cases[i].receipt);
        cr_expect(!r->ok && r->class == FT_CONFLICT && strstr(r->error, "since the plan"), "%s: %s", cases[i].action, r->error);
        cr_expect_eq(writes_in(r->requests), 0, "%s", cases[i].action);
        fake_host_free(f);
    }
}

/* ---- several writes of one run on the same thing */

Test(writes, are_planned_on_what_the_ones_before_them_leave)
{
    struct fake_host *f = mist_host();
    const struct fake_result *r;
    json_t *left;

    world(f);
    r = fake_run(f, "wlan_update", "plan", "{'site': 'HQ', 'wlan': 'staff', 'changes': {'max_idletime': 600}}", NULL);
    GOOD(r);
    left = json_incref((json_t *)fake_at(r->result, "leaves"));
    cr_expect(fake_equals(left, "{'/sites/" SITE "/wlans/w1/max_idletime': 600}"));
    fake_left(f, left);
    r = fake_run(f, "wlan_update", "plan", "{'site': 'HQ', 'wlan': 'staff', 'changes': {'max_idletime': 900, 'band_steer': true}}", NULL);
    GOOD(r);
    cr_expect(fake_equals(fake_at(r->result, "before"), "{'max_idletime': 600, 'band_steer': false}"));
    r = fake_run(f, "wlan_update", "plan", "{'site': 'HQ', 'wlan': 'staff', 'changes': {'max_idletime': 600}}", NULL);
    GOOD(r);
    cr_expect(json_is_true(fake_at(r->result, "nothing_to_do")) && fake_equals(fake_at(r->result, "leaves"), "{}"));
    json_decref(left);
    r = fake_run(f, "switch_port_config", "plan", "{'device': 'sw-3', 'port': 'ge-0/0/12', 'port_network': 'aps'}", NULL);
    GOOD(r);
    left = json_incref((json_t *)fake_at(r->result, "leaves"));
    fake_left(f, left);
    ANSWER(f, "port_id=ge-0%2F0%2F3&limit=10", "{'results': []}");
    r = fake_run(f, "switch_port_config", "plan", "{'device': 'sw-3', 'port': 'ge-0/0/3', 'description': 'x'}", NULL);
    GOOD(r);
    cr_expect(fake_equals(fake_at(r->result, "requests.0.body"), "{'ge-0/0/3': {'usage': 'iot', 'note': 'theirs', 'description': 'x'}, 'ge-0/0/12': {'usage': 'ap', 'port_network': 'aps'}}"),
              "the overrides of all ports, as they will be then");
    json_decref(left);
    fake_host_free(f);
}

/* ---- undo */

static const struct { const char *action, *params, *receipt, *get, *now, *method, *url, *body; enum ft_class class; } undos[] = {
    { "wlan_update", "{'site': 'HQ', 'wlan': 'staff', 'changes': {'band_steer': true}}",
      "{'path': '/sites/" SITE "/wlans/w1', 'what': 'WLAN staff', 'before': {'band_steer': false, 'x': null}, 'after': {'band_steer': true, 'x': 1}}",
      "/wlans/w1", "{'band_steer': true, 'x': 1, 'ssid': 'staff'}", "PUT", "/sites/" SITE "/wlans/w1", "{'band_steer':false,'x':null}", 0 },
    { "wlan_update", "{'site': 'HQ', 'wlan': 'staff', 'changes': {'band_steer': true}}",       /* it is back already */
      "{'path': '/sites/" SITE "/wlans/w1', 'what': 'WLAN staff', 'before': {'band_steer': false}, 'after': {'band_steer': true}}",
      "/wlans/w1", "{'band_steer': false}", NULL, NULL, NULL, 0 },
    { "wlan_update", "{'site': 'HQ', 'wlan': 'staff', 'changes': {'max_idletime': 5}}",        /* somebody else's value now */
      "{'path': '/sites/" SITE "/wlans/w1', 'what': 'WLAN staff', 'before': {'max_idletime': 1}, 'after': {'max_idletime': 5}}",
      "/wlans/w1", "{'max_idletime': 77}", NULL, NULL, NULL, FT_CONFLICT },
    { "site_setting_update", "{'site': 'HQ', 'changes': {'rogue': {'enabled': true}}}",        /* Mist added a member of its own */
      "{'path': '/sites/" SITE "/setting', 'what': 'settings', 'before': {'rogue': {'enabled': false}}, 'after': {'rogue': {'enabled': true}}}",
      "/setting", "{'rogue': {'enabled': true, 'min_rssi': -80}}", "PUT", "/sites/" SITE "/setting", "{'rogue':{'enabled':false}}", 0 },
    { "alarm_ack", "{'site': 'HQ', 'alarm': 'al1'}", "{'site_id': '" SITE "', 'acked': false}", "/x", "{}", "POST", "/sites/" SITE "/alarms/al1/unack", "{}", 0 },
    { "alarm_ack", "{'site': 'HQ', 'alarm': 'al1'}", "{'site_id': '" SITE "', 'acked': true}", "/x", "{}", NULL, NULL, NULL, 0 },
    { "device_locate", "{'device': 'ap-3f-12'}", "{'site_id': '" SITE "', 'device_id': '" AP_ID "'}", "/x", "{}", "POST", "/sites/" SITE "/devices/" AP_ID "/unlocate", "", 0 },
#define PORT_RECEIPT(before) "{'site_id': '" SITE "', 'device_id': '" SW_ID "', 'mac': '" SW_MAC "', 'before': " before ", 'after': {'usage': 'ap', 'port_network': 'aps'}}"
    { "switch_port_config", "{'device': 'sw-3', 'port': 'ge-0/0/12', 'port_network': 'aps'}", PORT_RECEIPT("null"),      /* no override was there at all */
      "/sites/" SITE "/devices/" SW_ID, "{'local_port_config': {'ge-0/0/12': {'usage': 'ap', 'port_network': 'aps'}}}", "DELETE", "/sites/" SITE "/devices/" SW_ID "/local_port_config", "", 0 },
    { "switch_port_config", "{'device': 'sw-3', 'port': 'ge-0/0/12', 'port_network': 'aps'}", PORT_RECEIPT("null"),      /* another port got one meanwhile */
      "/sites/" SITE "/devices/" SW_ID, "{'local_port_config': {'ge-0/0/12': {'usage': 'ap', 'port_network': 'aps'}, 'ge-0/0/3': {'usage': 'iot'}}}",
      "PUT", "/sites/" SITE "/devices/" SW_ID "/local_port_config", "{'ge-0/0/3':{'usage':'iot'}}", 0 },
    { "switch_port_config", "{'device': 'sw-3', 'port': 'ge-0/0/12', 'port_network': 'aps'}", PORT_RECEIPT("{'usage': 'ap'}"),
      "/sites/" SITE "/devices/" SW_ID, "{'local_port_config': {'ge-0/0/12': {'usage': 'ap', 'port_network': 'aps', 'note': ''}}}",
      "PUT", "/sites/" SITE "/devices/" SW_ID "/local_port_config", "{'ge-0/0/12':{'usage':'ap'}}", 0 },
    { "switch_port_config", "{'device': 'sw-3', 'port': 'ge-0/0/12', 'port_network': 'aps'}", PORT_RECEIPT("null"),      /* gone already */
      "/sites/" SITE "/devices/" SW_ID, "{'local_port_config': {}}", NULL, NULL, NULL, 0 },
    { "switch_port_config", "{'device': 'sw-3', 'port': 'ge-0/0/12', 'port_network': 'aps'}", PORT_RECEIPT("null"),      /* somebody else's now */
      "/sites/" SITE "/devices/" SW_ID, "{'local_port_config': {'ge-0/0/12': {'usage': 'ap', 'port_network': 'cameras'}}}", NULL, NULL, NULL, FT_CONFLICT },
    { "port_poe_cycle", "{'device': 'sw-3', 'port': 'ge-0/0/12'}",                                                       /* stopped in the middle */
      "{'site_id': '" SITE "', 'device_id': '" SW_ID "', 'mac': '" SW_MAC "', 'before': null, 'after': {'usage': 'ap', 'poe_disabled': true}}",
      "/sites/" SITE "/devices/" SW_ID, "{'local_port_config': {'ge-0/0/12': {'usage': 'ap', 'poe_disabled': true}}}", "DELETE", "/sites/" SITE "/devices/" SW_ID "/local_port_config", "", 0 },
};

Test(undo, restores_what_was_there)
{
    for (size_t i = 0; i < ARRAY_LEN(undos); i++) {
        struct fake_host *f = mist_host();
        char *body = quoted(undos[i].body), url[300];

        ANSWER(f, undos[i].get, undos[i].now);
        FAKE_HTTP(f, .method = "POST", .status = 200);
        FAKE_HTTP(f, .method = "PUT", .status = 200, .body = "{}");
        FAKE_HTTP(f, .method = "DELETE", .status = 200);
        const struct fake_result *r = fake_run(f, undos[i].action, "undo", undos[i].params, undos[i].receipt);
        cr_expect_eq(r->ok, undos[i].class == 0, "case %zu: %s", i, r->error);
        cr_expect(r->ok || r->class == undos[i].class, "case %zu: %s", i, r->error);
        cr_expect_eq(writes_in(r->requests), undos[i].method != NULL, "case %zu", i);
        if (undos[i].method && writes_in(r->requests)) {
            snprintf(url, sizeof(url), AT "%s", undos[i].url);
            cr_expect_str_eq(fake_str(write_in(r->requests), "method"), undos[i].method, "case %zu", i);
            cr_expect_str_eq(fake_str(write_in(r->requests), "url"), url, "case %zu", i);
            cr_expect_str_eq(fake_str(write_in(r->requests), "body") ? fake_str(write_in(r->requests), "body") : "", body, "case %zu", i);
        }
        free(body);
        fake_host_free(f);
    }
}

Test(undo, and_probe_need_a_receipt)
{
    for (size_t i = 0; i < ARRAY_LEN(writes); i++) {
        struct fake_host *f = mist_host();
        const struct ft_action *const *a = fake_plugin(f)->actions;

        while (strcmp((*a)->name, writes[i].action))
            a++;
        for (int probe = 0; probe < 2; probe++) {
            if (!(probe ? (*a)->probe.start : (*a)->undo.start))
                continue;
            const struct fake_result *r = fake_run(f, writes[i].action, probe ? "probe" : "undo", writes[i].params, NULL);
            cr_expect(!r->ok && json_array_size(r->requests) == 0, "%s", writes[i].action);
            r = fake_run(f, writes[i].action, probe ? "probe" : "undo", writes[i].params, "{'odd': true}");
            cr_expect(!r->ok && json_array_size(r->requests) == 0, "%s: %s", writes[i].action, r->error);
        }
        fake_host_free(f);
    }
}

/* ---- probes. The clock stands at 1795227185. */

static const struct { const char *action, *params, *receipt, *get, *now; int happened; uint64_t waits; } probes[] = {   /* happened -1: it cannot tell */
#define RESTART(at) "{'site_id': '" SITE "', 'device_id': '" AP_ID "', 'at': " at ", 'seen': {'uptime': 86400, 'last_seen': 1795226000}}"
    { "ap_restart", "{'device': 'ap-3f-12'}", RESTART("1795227000"), "/stats/devices/" AP_ID, "{'status': 'connected', 'uptime': 60, 'last_seen': 1795227100}", 1, 0 },
    { "ap_restart", "{'device': 'ap-3f-12'}", RESTART("1795227000"), "/stats/devices/" AP_ID, "{'status': 'connected', 'uptime': 86500, 'last_seen': 1795227100}", 0, 0 },
    { "ap_restart", "{'device': 'ap-3f-12'}", RESTART("1795227183"), "/stats/devices/" AP_ID, "{'status': 'connected', 'uptime': 86500, 'last_seen': 1795227184}", 0, 10000 },
    { "ap_restart", "{'device': 'ap-3f-12'}", RESTART("1795227000"), "/stats/devices/" AP_ID, "{'status': 'connected', 'uptime': 86400, 'last_seen': 1795226000}", -1, 100000 },
    { "ap_restart", "{'device': 'ap-3f-12'}", RESTART("1795227000"), "/stats/devices/" AP_ID, "{'status': 'disconnected', 'last_seen': 1795226000}", -1, 100000 },
    { "switch_restart", "{'device': 'sw-3'}", RESTART("1795227000"), "/stats/devices/" AP_ID, "{'status': 'connected', 'uptime': 3, 'last_seen': 1795227100}", 1, 0 },
#define BOUNCE(at) "{'site_id': '" SITE "', 'device_id': '" SW_ID "', 'mac': '" SW_MAC "', 'at': " at ", 'last_flapped': 5000}"
    { "port_bounce", "{'device': 'sw-3', 'port': 'ge-0/0/12'}", BOUNCE("1795227000"), NULL, "{'results': [{'port_id': 'ge-0/0/12', 'last_flapped': 5100}]}", 1, 0 },
    { "port_bounce", "{'device': 'sw-3', 'port': 'ge-0/0/12'}", BOUNCE("1795227000"), NULL, "{'results': [{'port_id': 'ge-0/0/12', 'last_flapped': 5000}]}", 0, 0 },
    { "port_bounce", "{'device': 'sw-3', 'port': 'ge-0/0/12'}", BOUNCE("1795227145"), NULL, "{'results': [{'port_id': 'ge-0/0/12', 'last_flapped': 5000}]}", 0, 50000 },
    { "port_bounce", "{'device': 'sw-3', 'port': 'ge-0/0/12'}", BOUNCE("1795227000"), NULL, "{'results': []}", -1, 0 },
    { "rrm_optimize", "{'site': 'HQ', 'bands': ['5']}", "{'site_id': '" SITE "', 'timestamp': 50}", "/rrm/current", "{'status': 'updating', 'timestamp': 50}", 1, 0 },
    { "rrm_optimize", "{'site': 'HQ', 'bands': ['5']}", "{'site_id': '" SITE "', 'timestamp': 50}", "/rrm/current", "{'status': 'ready', 'timestamp': 51}", 1, 0 },
    { "rrm_optimize", "{'site': 'HQ', 'bands': ['5']}", "{'site_id': '" SITE "', 'timestamp': 50}", "/rrm/current", "{'status': 'ready', 'timestamp': 50}", -1, 0 },
};

Test(probe, tells_what_happened)
{
    for (size_t i = 0; i < ARRAY_LEN(probes); i++) {
        struct fake_host *f = mist_host();

        ANSWER(f, probes[i].get, probes[i].now);
        const struct fake_result *r = fake_run(f, probes[i].action, "probe", probes[i].params, probes[i].receipt);
        cr_expect_eq(r->ok, probes[i].happened >= 0, "case %zu: %s", i, r->error);
        if (r->ok)
            cr_expect_eq(is_true_at(r->result, "happened"), probes[i].happened == 1, "case %zu", i);
        cr_expect_eq(r->took_ms, probes[i].waits, "case %zu: took %lu ms", i, (unsigned long)r->took_ms);
        cr_expect_eq(writes_in(r->requests), 0, "case %zu", i);
        fake_host_free(f);
    }
}

Test(probe, waits_for_a_device_that_is_away)
{
    struct fake_host *f = mist_host();

    ANSWER(f, "/stats/devices/" AP_ID, "{'status': 'disconnected'}");
    ANSWER(f, "/stats/devices/" AP_ID, "{'status': 'disconnected'}");
    ANSWER(f, "/stats/devices/" AP_ID, "{'status': 'connected', 'uptime': 12, 'last_seen': 1795227200}");
    const struct fake_result *r = fake_run(f, "ap_restart", "probe", "{'device': 'ap-3f-12'}", RESTART("1795227180"));
    GOOD(r);
    cr_expect(is_true_at(r->result, "happened"));
    cr_expect_eq(r->took_ms, 20000);
    fake_host_free(f);
}

/* ---- cutting the power of a port for a moment */

#define NO_OVERRIDES "{'port_config': {'ge-0/0/0-11,ge-0/0/12': {'usage': 'ap'}}}"
#define OFF_NOW "{'local_port_config': {'ge-0/0/12': {'usage': 'ap', 'poe_disabled': true}}}"
#define POE(on) "{'results': [{'port_id': 'ge-0/0/12', 'poe_on': " on ", 'mac_count': 3, 'last_flapped': 5000}]}"

static void cycle_world(struct fake_host *f, const char *device_at_the_end)
{
    ANSWER(f, "/orgs/" ORG "/inventory?limit=1000", "[{'id': '" SW_ID "', 'mac': '" SW_MAC "', 'name': 'sw-3', 'type': 'switch', 'site_id': '" SITE "'}]");
    ANSWER(f, "/sites/" SITE "/devices/" SW_ID, NO_OVERRIDES);
    ANSWER(f, "/sites/" SITE "/devices/" SW_ID, device_at_the_end);
    ANSWER(f, "&limit=10", POE("true"));
    FAKE_HTTP(f, .method = "PUT", .status = 200, .body = "{}");
    FAKE_HTTP(f, .method = "DELETE", .status = 200);
}

Test(port_poe_cycle, gives_the_power_back_after_it_was_seen_gone)
{
    struct fake_host *f = mist_host();

    cycle_world(f, OFF_NOW);
    ANSWER(f, "&limit=10", POE("true"));
    ANSWER(f, "&limit=10", POE("true"));
    ANSWER(f, "&limit=10", POE("false"));
    const struct fake_result *r = fake_run(f, "port_poe_cycle", "run", "{'device': 'sw-3', 'port': 'ge-0/0/12'}", NULL);
    GOOD(r);
    cr_expect_eq(r->took_ms, 20000, "two looks at 5 s, then 10 s off; took %lu", (unsigned long)r->took_ms);
    cr_expect_eq(writes_in(r->requests), 2);
    cr_expect_str_eq(fake_str(write_in(r->requests), "method"), "DELETE", "no override was there before");
    cr_expect(json_is_null(fake_at(r->kept, "before")));
    cr_expect(is_true_at(r->kept, "after.poe_disabled"));
    fake_host_free(f);
}

Test(port_poe_cycle, keeps_what_other_ports_got_meanwhile)
{
    struct fake_host *f = mist_host();

    cycle_world(f, "{'local_port_config': {'ge-0/0/12': {'usage': 'ap', 'poe_disabled': true}, 'ge-0/0/3': {'usage': 'iot'}}}");
    ANSWER(f, "&limit=10", POE("false"));
    const struct fake_result *r = fake_run(f, "port_poe_cycle", "run", "{'device': 'sw-3', 'port': 'ge-0/0/12', 'off_s': 3}", NULL);
    GOOD(r);
    cr_expect_str_eq(fake_str(write_in(r->requests), "method"), "PUT");
    cr_expect_str_eq(fake_str(write_in(r->requests), "body"), "{\"ge-0/0/3\":{\"usage\":\"iot\"}}");
    cr_expect_eq(r->took_ms, 3000);
    fake_host_free(f);
}

Test(port_poe_cycle, gives_the_power_back_also_when_it_never_went)
{
    struct fake_host *f = mist_host();

    cycle_world(f, OFF_NOW);
    const struct fake_result *r = fake_run(f, "port_poe_cycle", "run", "{'device': 'sw-3', 'port': 'ge-0/0/12', 'push_within_s': 30}", NULL);
    cr_expect(!r->ok && r->class == FT_REFUSED && strstr(r->error, "config_push_policy"), "%s", r->error);
    cr_expect_str_eq(fake_str(write_in(r->requests), "method"), "DELETE");
    cr_expect_eq(r->took_ms, 30000);
    fake_host_free(f);
}

Test(port_poe_cycle, goes_on_from_the_middle)
{
    const char *receipt = "{'site_id': '" SITE "', 'device_id': '" SW_ID "', 'mac': '" SW_MAC "', 'at': 1795227000, 'last_flapped': 5000, 'before': null,"
        " 'after': {'usage': 'ap', 'poe_disabled': true}}";
    struct fake_host *f = mist_host();

    ANSWER(f, "/orgs/" ORG "/inventory?limit=1000", "[{'id': '" SW_ID "', 'mac': '" SW_MAC "', 'name': 'sw-3', 'type': 'switch', 'site_id': '" SITE "'}]");
    ANSWER(f, "/sites/" SITE "/devices/" SW_ID, OFF_NOW);
    ANSWER(f, "&limit=10", POE("false"));
    FAKE_HTTP(f, .method = "PUT", .status = 200, .body = "{}");
    FAKE_HTTP(f, .method = "DELETE", .status = 200);
    const struct fake_result *r = fake_run(f, "port_poe_cycle", "probe", "{'device': 'sw-3', 'port': 'ge-0/0/12'}", receipt);
    GOOD(r);
    cr_expect(!is_true_at(r->result, "happened"), "half done is not done");
    r = fake_run(f, "port_poe_cycle", "run", "{'device': 'sw-3', 'port': 'ge-0/0/12'}", receipt);
    GOOD(r);
    cr_expect_str_eq(fake_str(write_in(r->requests), "method"), "DELETE");
    fake_host_free(f);
}

Test(port_poe_cycle, plans_the_first_request_and_touches_no_dead_port)
{
    struct fake_host *f = mist_host();

    cycle_world(f, NO_OVERRIDES);
    const struct fake_result *r = fake_run(f, "port_poe_cycle", "plan", "{'device': 'sw-3', 'port': 'ge-0/0/12'}", NULL);
    GOOD(r);
    cr_expect_eq(fake_int(r->result, "users"), 3);
    cr_expect_eq(writes_in(r->requests), 0);
    ANSWER(f, "&limit=10", POE("false"));
    r = fake_run(f, "port_poe_cycle", "plan", "{'device': 'sw-3', 'port': 'ge-0/0/12'}", NULL);
    cr_expect(!r->ok && r->class == FT_CONFLICT && strstr(r->error, "no power"), "%s", r->error);
    fake_host_free(f);
}

Test(port_poe_cycle, cancelled_in_the_middle_leaves_a_receipt)
{
    struct fake_host *f = mist_host();

    cycle_world(f, OFF_NOW);
    fake_cancel_after(f, 7000);
    const struct fake_result *r = fake_run(f, "port_poe_cycle", "run", "{'device': 'sw-3', 'port': 'ge-0/0/12'}", NULL);
    cr_expect(!r->ok && r->kept != NULL, "%s", r->error);
    cr_expect_eq(writes_in(r->requests), 1);
    fake_host_free(f);
}
