/* Actions on wireless clients. */
#include "mist_test.h"

static const char live[] =
    "{'mac': '" CLIENT "', 'ap_id': '" AP_ID "', 'ap_mac': '" AP_MAC "', 'ssid': 'staff', 'wlan_id': 'w1', 'band': '5', 'channel': 36, 'vlan_id': '20',"
    " 'ip': '10.0.20.7', 'rssi': -61, 'snr': 31, 'tx_rate': 173.3, 'rx_rate': 86, 'tx_pkts': 1000, 'tx_retries': 150, 'rx_pkts': 0, 'rx_retries': 0,"
    " 'key_mgmt': 'WPA2-EAP/CCMP', 'proto': 'ax', 'uptime': 300, 'idle_time': 4, 'assoc_time': 1795226900, 'last_seen': 1795227180, 'hostname': 'kim-laptop',"
    " 'username': 'kim', 'os': '', 'family': '', 'unheard_of': {'x': 1}}";
static const char ap_up[] = "{'id': '" AP_ID "', 'mac': '" AP_MAC "', 'name': 'ap-3f-12', 'type': 'ap', 'status': 'connected', 'uptime': 86400, 'num_clients': 24,"
    " 'last_seen': 1795227180}";
static const char past[] = "{'results': [{'mac': '" CLIENT "', 'site_id': '" OTHER_SITE "', 'last_ap': 'a83a79a947ee', 'timestamp': 1795000000.5},"
    " {'mac': '" CLIENT "', 'site_id': '" SITE "', 'last_ap': '" AP_MAC "', 'last_ssid': 'staff', 'last_vlan': 20, 'last_ip': '10.0.20.7',"
    " 'last_hostname': 'kim-laptop', 'last_os': 'Sonoma', 'timestamp': 1795220000.5}], 'total': 2, 'limit': 10}";
static const char gone[] = "{'results': [], 'total': 0, 'limit': 10}";
static const char site[] = "{'id': '" SITE "', 'name': 'HQ'}";

Test(client_status, shows_a_connected_client)
{
    struct fake_host *f = mist_host();

    ANSWER(f, "/orgs/" ORG "/sites?limit=1000", "[{'id': '" OTHER_SITE "', 'name': 'Lab'}, {'id': '" SITE "', 'name': 'HQ'}]");
    ANSWER(f, "/stats/clients/" CLIENT, live);
    ANSWER(f, "/stats/devices/" AP_ID, ap_up);
    const struct fake_result *r = fake_run(f, "client_status", "run", "{'site': 'hq', 'mac': 'DA-DB-FC-12-34-56'}", NULL);

    GOOD(r);
    cr_expect(is_true_at(r->result, "known") && is_true_at(r->result, "associated"));
    cr_expect_str_eq(fake_str(r->result, "site_name"), "HQ");
    cr_expect_str_eq(fake_str(r->result, "ap_name"), "ap-3f-12");
    cr_expect_str_eq(fake_str(r->result, "last_ap_status"), "connected");
    cr_expect_eq(fake_int(r->result, "vlan_id"), 20, "a VLAN given as text");
    cr_expect_float_eq(number_at(r->result, "tx_retries_ratio"), 0.15, 1e-9);
    cr_expect(is_null_at(r->result, "rx_retries_ratio"), "no packets, no ratio");
    cr_expect(is_null_at(r->result, "os"), "an empty text is no operating system");
    cr_expect_str_eq(fake_str(r->requests, "0.headers.Authorization"), "Token sesame-open");
    cr_expect_str_eq(fake_str(r->requests, "1.url"), AT "/sites/" SITE "/stats/clients/" CLIENT);
    fake_host_free(f);
}

Test(client_status, finds_the_site_by_the_newest_record)
{
    struct fake_host *f = mist_host();

    FAKE_HTTP(f, .url = "/stats/clients/" CLIENT, .status = 404, .body = "{'id': 'x'}");
    ANSWER(f, "/clients/search?mac=" CLIENT "&duration=4w&limit=10", past);
    ANSWER(f, "/stats/devices/" AP_ID, "{'id': '" AP_ID "', 'mac': '" AP_MAC "', 'name': 'ap-3f-12', 'status': 'disconnected'}");
    ANSWER(f, "/sites/" SITE, site);
    const struct fake_result *r = fake_run(f, "client_status", "run", "{'mac': '" CLIENT "'}", NULL);

    GOOD(r);
    cr_expect(is_true_at(r->result, "known") && !is_true_at(r->result, "associated"));
    cr_expect_str_eq(fake_str(r->result, "site_id"), SITE);
    cr_expect_str_eq(fake_str(r->result, "site_name"), "HQ");
    cr_expect_str_eq(fake_str(r->result, "last_ap_status"), "disconnected");
    cr_expect_str_eq(fake_str(r->result, "last_ap_name"), "ap-3f-12");
    cr_expect_str_eq(fake_str(r->result, "ssid"), "staff");
    cr_expect_eq(fake_int(r->result, "vlan_id"), 20);
    cr_expect(is_null_at(r->result, "rssi") && is_null_at(r->result, "ap_id"));
    fake_host_free(f);
}

Test(client_status, looks_where_the_client_is_when_the_site_given_is_another)
{
    struct fake_host *f = mist_host();

    FAKE_HTTP(f, .url = "/sites/" OTHER_SITE "/stats/clients/" CLIENT, .status = 404, .body = "{}");
    ANSWER(f, "/clients/search?mac=" CLIENT "&duration=4w&limit=10", past);
    ANSWER(f, "/sites/" SITE "/stats/clients/" CLIENT, live);
    ANSWER(f, "/stats/devices/" AP_ID, ap_up);
    ANSWER(f, "/sites/" SITE, site);
    const struct fake_result *r = fake_run(f, "client_status", "run", "{'mac': '" CLIENT "', 'site': '" OTHER_SITE "'}", NULL);

    GOOD(r);
    cr_expect(is_true_at(r->result, "associated"));
    cr_expect_str_eq(fake_str(r->result, "site_id"), SITE);
    fake_host_free(f);
}

Test(client_status, says_when_the_organisation_never_saw_it)
{
    struct fake_host *f = mist_host();

    ANSWER(f, "/clients/search?mac=" CLIENT "&duration=4w&limit=10", gone);
    const struct fake_result *r = fake_run(f, "client_status", "run", "{'mac': '" CLIENT "'}", NULL);

    GOOD(r);
    cr_expect(!is_true_at(r->result, "known") && !is_true_at(r->result, "associated"));
    cr_expect(is_null_at(r->result, "site_id") && is_null_at(r->result, "last_ap_status"));
    fake_host_free(f);
}

Test(client_status, refuses_what_is_no_mac)
{
    static const char *const macs[] = { "da:db:fc:12:34", "da:db:fc:12:34:56:78", "xx:db:fc:12:34:56", "kims-laptop-1" };
    struct fake_host *f = mist_host();

    for (size_t i = 0; i < ARRAY_LEN(macs); i++) {
        char params[100];

        snprintf(params, sizeof(params), "{'mac': '%s'}", macs[i]);
        const struct fake_result *r = fake_run(f, "client_status", "run", params, NULL);
        cr_expect(!r->ok && r->class == FT_INVALID && strstr(r->error, "MAC address"), "'%s': %s", macs[i], r->error);
        cr_expect_eq(json_array_size(r->requests), 0, "'%s'", macs[i]);
    }
    fake_host_free(f);
}

Test(client_events, counts_by_phase_newest_first)
{
    struct fake_host *f = mist_host();

    ANSWER(f, "/sites/" SITE "/clients/" CLIENT "/events?duration=2h&limit=1000",
           "{'results': [{'type': 'CLIENT_AUTH_ASSOCIATION', 'timestamp': 100.5, 'ap': 'a83a79a947ee', 'text': 'ok'},"
           "{'type': 'MARVIS_EVENT_CLIENT_DHCP_STUCK', 'timestamp': 103.5, 'text': 'no offer'},"
           "{'type': 'MARVIS_EVENT_CLIENT_AUTH_FAILURE', 'timestamp': 102.5, 'text': 'bad key', 'reason_code': 15},"
           "{'type': 'MARVIS_EVENT_CLIENT_AUTH_FAILURE', 'timestamp': 101.5, 'text': 'older'}, 'nonsense', {'type': 'SOMETHING_NEW', 'timestamp': 1}],"
           "'total': 6, 'limit': 1000}");
    const struct fake_result *r = fake_run(f, "client_events", "run", "{'site': '" SITE "', 'mac': '" CLIENT "', 'window': '2h', 'limit': 2}", NULL);

    GOOD(r);
    cr_expect_eq(fake_int(r->result, "auth_failures"), 2);
    cr_expect_eq(fake_int(r->result, "dhcp_failures"), 1);
    cr_expect_eq(fake_int(r->result, "dhcp_naks"), 0);
    cr_expect_eq(fake_int(r->result, "total"), 5);
    cr_expect_eq(json_array_size(fake_at(r->result, "events")), 2);
    cr_expect(!is_true_at(r->result, "complete"), "the list was cut");
    cr_expect_str_eq(fake_str(r->result, "phase_of_last_failure"), "dhcp");
    cr_expect_str_eq(fake_str(r->result, "last_failure.text"), "no offer");
    cr_expect_str_eq(fake_str(r->result, "auth_failure_reason"), "bad key");
    cr_expect_str_eq(fake_str(r->result, "events.1.reason"), "15");
    cr_expect(!is_true_at(r->result, "recovered"));
    fake_host_free(f);
}

/* Every name that the reference lists, with the phase and the counter it belongs to. */
static const struct { const char *type, *phase, *meaning, *counter; } event_names[] = {
    { "CLIENT_ASSOCIATION", "association", "good", NULL },
    { "CLIENT_ASSOCIATION_PMKC", "association", "good", NULL },
    { "CLIENT_AUTH_ASSOCIATION", "association", "good", NULL },
    { "CLIENT_AUTH_ASSOCIATION_11R", "association", "good", NULL },
    { "CLIENT_AUTH_ASSOCIATION_OKC", "association", "good", NULL },
    { "CLIENT_ASSOCIATION_FAILURE", "association", "failure", "association_failures" },
    { "CLIENT_DEASSOCIATION", "association", "left", "disconnects" },
    { "CLIENT_DEAUTHENTICATION", "association", "left", "disconnects" },
    { "CLIENT_DEAUTHENTICATED", "association", "left", "disconnects" },
    { "MARVIS_EVENT_STA_LEAVING", "association", "left", "disconnects" },
    { "CLIENT_AUTHENTICATED", "auth", "good", NULL },
    { "CLIENT_AUTHENTICATED_11R", "auth", "good", NULL },
    { "MARVIS_EVENT_CLIENT_AUTH_FAILURE", "auth", "failure", "auth_failures" },
    { "MARVIS_EVENT_CLIENT_AUTH_DENIED", "auth", "failure", "auth_failures" },
    { "MARVIS_EVENT_CLIENT_MAC_AUTH_FAILURE", "auth", "failure", "auth_failures" },
    { "MARVIS_EVENT_SAE_AUTH_FAILURE", "auth", "failure", "auth_failures" },
    { "SA_QUERY_TIMEOUT", "auth", "failure", "auth_failures" },
    { "REPEATED_AUTH_FAILURES", "auth", "failure", "auth_failures" },
    { "CLIENT_REASSOCIATION", "roaming", "good", "roams" },
    { "CLIENT_REASSOCIATION_PMKC", "roaming", "good", "roams" },
    { "CLIENT_AUTH_REASSOCIATION", "roaming", "good", "roams" },
    { "CLIENT_AUTH_REASSOCIATION_11R", "roaming", "good", "roams" },
    { "CLIENT_AUTH_REASSOCIATION_OKC", "roaming", "good", "roams" },
    { "MARVIS_EVENT_CLIENT_FBT_FAILURE", "roaming", "failure", "roam_failures" },
    { "MARVIS_EVENT_CLIENT_AUTH_FAILURE_11R", "roaming", "failure", "roam_failures" },
    { "MARVIS_EVENT_CLIENT_AUTH_FAILURE_OKC", "roaming", "failure", "roam_failures" },
    { "MARVIS_EVENT_WLC_FT_KEY_NOT_FOUND", "roaming", "failure", "roam_failures" },
    { "CLIENT_REASSOCIATION_FAILURE", "roaming", "failure", "roam_failures" },
    { "CLIENT_IP_ASSIGNED", "dhcp", "good", NULL },
    { "CLIENT_IPV6_ASSIGNED", "dhcp", "good", NULL },
    { "MARVIS_EVENT_CLIENT_DHCP_FAILURE", "dhcp", "failure", "dhcp_failures" },
    { "MARVIS_EVENT_CLIENT_DHCP_STUCK", "dhcp", "failure", "dhcp_failures" },
    { "MARVIS_EVENT_CLIENT_DHCP_NAK", "dhcp", "failure", "dhcp_naks" },
    { "MARVIS_EVENT_CLIENT_FAILED_DHCP_INFORM", "dhcp", "failure", "dhcp_failures" },
    { "MARVIS_EVENT_CLIENT_DHCPV6_FAILURE", "dhcp", "failure", "dhcp_failures" },
    { "MARVIS_EVENT_CLIENT_DHCPV6_STUCK", "dhcp", "failure", "dhcp_failures" },
    { "MARVIS_EVENT_CLIENT_DHCPV6_NAK", "dhcp", "failure", "dhcp_naks" },
    { "CLIENT_GW_ARP_OK", "arp", "good", NULL },
    { "CLIENT_GW_ARP_FAILURE", "arp", "failure", "arp_failures" },
    { "CLIENT_ARP_FAILURE", "arp", "failure", "arp_failures" },
    { "CLIENT_EXCESSIVE_ARPING_GW", "arp", "failure", "arp_failures" },
    { "DEFAULT_GATEWAY_SPOOFING_DETECTED", "arp", "failure", NULL },
    { "CLIENT_DNS_OK", "dns", "good", NULL },
    { "MARVIS_DNS_FAILURE", "dns", "failure", "dns_failures" },
    { "MARVIS_EVENT_CAPTIVE_PORTAL_AUTHORIZED", "policy", "good", NULL },
    { "MARVIS_EVENT_CAPTIVE_PORTAL_FAILURE", "policy", "failure", NULL },
    { "MARVIS_EVENT_CLIENT_WXLAN_POLICY_LOOKUP_FAILURE", "policy", "failure", NULL },
    { "MARVIS_EVENT_CLIENT_STATIC_IP_BLOCKED", "policy", "failure", NULL },
    { "MARVIS_EVENT_CLIENT_STATIC_DNS_BLOCKED", "policy", "failure", NULL },
    { "STA_DOS_DISASSOC", "association", "left", "disconnects" },
    { "NAC_CLIENT_PERMIT", "auth", "good", NULL },
    { "NAC_CLIENT_DENY", "auth", "failure", "auth_failures" },
    { "RADIUS_DAS_NOTIFY", NULL, "other", NULL },
    { "HTTP_REDIR_PROCESSED", NULL, "other", NULL },
};

Test(client_events, knows_the_names_of_events)
{
    for (size_t i = 0; i < ARRAY_LEN(event_names); i++) {
        static const char *const counters[] = { "association_failures", "auth_failures", "dhcp_failures", "dhcp_naks", "dns_failures", "arp_failures",
                                                "roams", "roam_failures", "disconnects" };
        struct fake_host *f = mist_host();
        char body[300];

        snprintf(body, sizeof(body), "{'results': [{'type': '%s', 'timestamp': 5}], 'total': 1}", event_names[i].type);
        ANSWER(f, "/events?duration=1h&limit=1000", body);
        const struct fake_result *r = fake_run(f, "client_events", "run", "{'site': '" SITE "', 'mac': '" CLIENT "'}", NULL);

        GOOD(r);
        if (event_names[i].phase)
            cr_expect_str_eq(fake_str(r->result, "events.0.phase"), event_names[i].phase, "%s", event_names[i].type);
        else
            cr_expect(is_null_at(r->result, "events.0.phase"), "%s", event_names[i].type);
        cr_expect_str_eq(fake_str(r->result, "events.0.meaning"), event_names[i].meaning, "%s", event_names[i].type);
        for (size_t c = 0; c < ARRAY_LEN(counters); c++)
            cr_expect_eq(fake_int(r->result, counters[c]), event_names[i].counter && !strcmp(event_names[i].counter, counters[c]), "%s: %s",
                         event_names[i].type, counters[c]);
        fake_host_free(f);
    }
}

Test(client_events, sees_that_a_phase_went_well_again)
{
    struct fake_host *f = mist_host();

    ANSWER(f, "/events?duration=1h&limit=1000", "{'results': [{'type': 'MARVIS_EVENT_CLIENT_DHCP_NAK', 'timestamp': 5}, {'type': 'CLIENT_IP_ASSIGNED', 'timestamp': 9}]}");
    const struct fake_result *r = fake_run(f, "client_events", "run", "{'site': '" SITE "', 'mac': '" CLIENT "'}", NULL);

    GOOD(r);
    cr_expect(is_true_at(r->result, "recovered"));
    cr_expect_eq(fake_int(r->result, "dhcp_naks"), 1);
    fake_host_free(f);
}

Test(client_disconnect, sends_what_it_planned)
{
    struct fake_host *f = mist_host();

    ANSWER(f, "/clients/search?mac=" CLIENT "&duration=4w&limit=10", past);
    ANSWER(f, "/stats/clients/" CLIENT, live);
    FAKE_HTTP(f, .method = "POST", .url = "/disconnect", .status = 200);
    const struct fake_result *r = fake_run(f, "client_disconnect", "plan", "{'mac': '" CLIENT "'}", NULL);

    GOOD(r);
    cr_expect_eq(writes_in(r->requests), 0, "a plan touches nothing");
    cr_expect_eq(fake_int(r->result, "users"), 1);
    json_t *plan = json_deep_copy(r->result);
    char *shown = json_dumps(plan, 0);
    cr_expect(!strstr(shown, "sesame"), "the token is in the plan: %s", shown);
    free(shown);
    char *receipt = receipt_of(fake_at(plan, "receipt"));

    r = fake_run(f, "client_disconnect", "run", "{'mac': '" CLIENT "'}", receipt);
    GOOD(r);
    cr_expect(r->kept == NULL, "the plan's receipt is in the journal already");
    cr_expect(is_true_at(r->result, "changed"));
    cr_expect_str_eq(fake_str(write_in(r->requests), "url"), AT "/sites/" SITE "/clients/" CLIENT "/disconnect");
    same_as_planned(plan, write_in(r->requests), "client_disconnect");

    r = fake_run(f, "client_disconnect", "run", "{'mac': '" CLIENT "'}", NULL);
    GOOD(r);
    cr_expect(r->kept != NULL, "without a plan the receipt is kept before anything is sent");
    free(receipt);
    json_decref(plan);
    fake_host_free(f);
}

Test(client_disconnect, has_nothing_to_do_for_a_client_that_is_away)
{
    struct fake_host *f = mist_host();

    FAKE_HTTP(f, .url = "/stats/clients/" CLIENT, .status = 404, .body = "{}");
    const struct fake_result *r = fake_run(f, "client_disconnect", "plan", "{'site': '" SITE "', 'mac': '" CLIENT "'}", NULL);

    GOOD(r);
    cr_expect(is_true_at(r->result, "nothing_to_do"));
    cr_expect_eq(json_array_size(fake_at(r->result, "requests")), 0);
    r = fake_run(f, "client_disconnect", "run", "{'site': '" SITE "', 'mac': '" CLIENT "'}", NULL);
    GOOD(r);
    cr_expect(json_is_false(fake_at(r->result, "changed")));
    cr_expect_eq(writes_in(r->requests), 0);
    fake_host_free(f);
}

Test(client_disconnect, probe_reads_the_association)
{
    static const struct { const char *now; int happened; } cases[] = {    /* -1: it cannot tell */
        { "{'mac': '" CLIENT "', 'assoc_time': 900, 'last_seen': 1000}", 0 },
        { "{'mac': '" CLIENT "', 'assoc_time': 950, 'last_seen': 1000}", 1 },
        { "{'mac': '" CLIENT "', 'assoc_time': 900, 'last_seen': 990}", -1 },     /* the figures from before */
        { "{'mac': '" CLIENT "', 'last_seen': 1000}", -1 },
        { NULL, 1 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_host *f = mist_host();

        FAKE_HTTP(f, .url = "/sites/" SITE "/stats/clients/" CLIENT, .status = cases[i].now ? 200 : 404, .body = cases[i].now ? cases[i].now : "{}");
        const struct fake_result *r = fake_run(f, "client_disconnect", "probe", "{'mac': '" CLIENT "'}",
            "{'site_id': '" SITE "', 'seen': {'assoc_time': 900, 'last_seen': 990}}");
        cr_expect_eq(r->ok, cases[i].happened >= 0, "case %zu: %s", i, r->error);
        if (r->ok)
            cr_expect_eq(is_true_at(r->result, "happened"), cases[i].happened == 1, "case %zu", i);
        fake_host_free(f);
    }
}
