/* mist_client_find.c: finding clients by what people know of them, and what happened to all clients of a site. */
#include <string.h>
#include "mist.h"

/* ---- client_search: GET /orgs|sites/…/clients/search */

#define FOUND_FIELDS(F) \
    F(MAC, mac, "mac", "MAC address of the client") \
    F(STR, hostname, "last_hostname|hostname", "name that the client gave") \
    F(STR, username, "last_username|username", "802.1X or portal user") \
    F(STR, ip, "last_ip|ip", "last IP address") \
    F(STR, ssid, "last_ssid|ssid", "last network") \
    F(INT, vlan_id, "last_vlan|vlan", "last VLAN") \
    F(MAC, ap_mac, "last_ap|ap", "MAC address of the last AP") \
    F(STR, site_id, "site_id|site_ids", "site it was seen at last") \
    F(STR, os, "last_os|os", "operating system") \
    F(STR, model, "last_model|model", "device model") \
    F(STR, manufacture, "mfg", "manufacturer, from the MAC address") \
    F(BOOL, random_mac, "random_mac", "its MAC address is a random one, and changes") \
    F(TIME, timestamp, "timestamp", "when it was seen last")
static const struct mist_field found_fields[] = { FOUND_FIELDS(MIST_ROW) { "band", "band", MIST_STR } };
static const char *const found_filters[] = { "mac", "hostname", "username", "ip", "ssid", "vlan", "ap", "os", "model", "text", NULL };
static const struct mist_table found_table = {
    .name = "clients", .site = "/clients/search", .org = "/clients/search", .filters = found_filters, .fields = found_fields,
    .count = ARRAY_LEN(found_fields), .sort = "timestamp", .window = true,
};
MIST_TABLE(found_start, found_table)

const struct ft_action mist_client_search = {
    MIST_READ(found_start),
    .name = "client_search", .summary = "find wireless clients by name, user, address …, of now and of the past",
    .params_schema = MIST_PARAMS("", MIST_SITE "," MIST_WINDOW("1w") "," MIST_LIMIT("100", "5000") "," MIST_CLIENT ","
        JSON("hostname": {"type": "string", "minLength": 1, "description": "name that the client gave; Mist takes a part of it"},
             "username": {"type": "string", "minLength": 1, "description": "802.1X or portal user"},
             "ip": {"type": "string", "minLength": 1, "description": "IP address"},
             "ssid": {"type": "string", "minLength": 1, "description": "network"},
             "vlan": {"type": "integer", "minimum": 1, "maximum": 4094, "description": "VLAN"},
             "ap": {"type": "string", "minLength": 12, "description": "MAC address of an AP"},
             "os": {"type": "string", "minLength": 1, "description": "operating system"},
             "model": {"type": "string", "minLength": 1, "description": "device model"},
             "text": {"type": "string", "minLength": 1, "description": "part of the name, the user or the address"})),
    .result_schema = MIST_OBJ(MIST_LISTED("clients", FOUND_FIELDS(MIST_PROPERTY) MIST_P_STR("band", "radio band: 24, 5 or 6"), "newest first")),
    .about = "`GET /orgs/{org_id}/clients/search`, with a site that of the site.",
    .example = "- id: who\n  run: mist.client_search\n  with: {username: \"${user}\", window: 1d}\n",
};

/* ---- client_event_search: GET /orgs|sites/…/clients/events/search */

#define EVENT_FIELDS(F) \
    F(TIME, timestamp, "timestamp", "when it was") \
    F(STR, type, "type", "name of the event") \
    F(STR, text, "text", "what Mist says about it") \
    F(MAC, mac, "mac", "MAC address of the client, where Mist tells it") \
    F(MAC, ap_mac, "ap", "MAC address of the AP") \
    F(STR, ssid, "ssid", "network") \
    F(STR, wlan_id, "wlan_id", "id of the WLAN") \
    F(STR, band, "band", "radio band: 24, 5 or 6") \
    F(INT, channel, "channel", "channel number") \
    F(STR, key_mgmt, "key_mgmt", "security") \
    F(INT, reason_code, "reason_code|reason", "802.11 reason")
static const struct mist_field event_fields[] = { EVENT_FIELDS(MIST_ROW) { "proto", "proto", MIST_STR } };
static const char *const event_filters[] = { "type", "ssid", "ap", "band", "reason_code", NULL };

static void count_events(struct ft_call *call, const json_t *rows, json_t *out)
{
    (void)call;
    mist_count_rows(rows, "type", out, "by_type");
    mist_count_rows(rows, "ap_mac", out, "by_ap");
    mist_count_rows(rows, "ssid", out, "by_ssid");
    mist_count_rows(rows, "text", out, "by_text");
}

static const struct mist_table event_table = {
    .name = "events", .site = "/clients/events/search", .org = "/clients/events/search", .filters = event_filters, .fields = event_fields,
    .count = ARRAY_LEN(event_fields), .sort = "timestamp", .window = true, .finish = count_events,
};
MIST_TABLE(event_start, event_table)

const struct ft_action mist_client_event_search = {
    MIST_READ(event_start),
    .name = "client_event_search", .summary = "what happened to all clients of a site: how many failed, at which AP, on which network, and why",
    .params_schema = MIST_PARAMS("", MIST_SITE "," MIST_WINDOW("1h") "," MIST_LIMIT("1000", "10000") "," MIST_BAND ","
        JSON("type": {"type": "string", "minLength": 1, "description": "only events of this name, such as MARVIS_EVENT_CLIENT_AUTH_FAILURE; several with commas"},
             "ssid": {"type": "string", "minLength": 1, "description": "only on this network"},
             "ap": {"type": "string", "minLength": 12, "description": "only at this AP, by its MAC address"},
             "reason_code": {"type": "integer", "minimum": 0, "description": "only with this 802.11 reason"})),
    .result_schema = MIST_OBJ(MIST_LISTED("events", EVENT_FIELDS(MIST_PROPERTY) MIST_P_STR("proto", "802.11 generation"), "newest first") ","
        MIST_COUNTS("by_type", "events by name") "," MIST_COUNTS("by_ap", "events by MAC address of the AP") "," MIST_COUNTS("by_ssid", "events by network") ","
        MIST_COUNTS("by_text", "events by what Mist says")),
    .about = "`GET /sites/{site_id}/clients/events/search`, or that of the organisation without a site. Mist has no filter by client here: for one client use\n"
             "`mist.client_events`. With `complete: false` the counts cover the newest events only.",
    .example = "- id: failures\n  run: mist.client_event_search\n  with: {site: HQ, type: MARVIS_EVENT_CLIENT_AUTH_FAILURE, window: 1h}\n",
};

/* ---- client_event_count: GET /orgs|sites/…/clients/events/count?distinct=type, and what part of the attempts failed */

static const struct { const char *phase; bool good; const char *part; } weights[] = {
    { "auth", false, "AUTH_FAILURE" }, { "auth", false, "AUTH_DENIED" }, { "auth", true, "CLIENT_AUTHENTICATED" },
    { "dhcp", false, "DHCP" }, { "dhcp", true, "IP_ASSIGNED" }, { "dns", true, "DNS_OK" }, { "dns", false, "DNS_FAILURE" },
    { "arp", true, "ARP_OK" }, { "arp", false, "ARP_FAILURE" }, { "association", false, "ASSOCIATION_FAILURE" },
};
static const char *const phases[] = { "association", "auth", "dhcp", "arp", "dns" };

static void weigh(json_t *sums, const char *type, json_int_t count)
{
    for (size_t i = 0; i < ARRAY_LEN(weights); i++) {
        json_t *phase;
        const char *key = weights[i].good ? "good" : "failed";

        if (!strstr(type, weights[i].part))
            continue;
        phase = json_object_get(sums, weights[i].phase);
        json_object_set_new(phase, key, json_integer(json_integer_value(json_object_get(phase, key)) + count));
        return;
    }
}

static void counted(struct ft_call *call, json_t *answer)
{
    json_t *by_type = json_object(), *sums = json_object(), *item;
    json_int_t total = 0;
    size_t i;

    for (i = 0; i < ARRAY_LEN(phases); i++)
        json_object_set_new(sums, phases[i], json_pack("{s:i, s:i}", "good", 0, "failed", 0));
    json_array_foreach(mist_at(answer, "results"), i, item) {
        const char *type = mist_str(item, "type");
        json_int_t count = (json_int_t)mist_num(item, "count", 0);

        if (!type)
            continue;
        json_object_set_new(by_type, type, json_integer(count));
        weigh(sums, type, count);
        total += count;
    }
    for (i = 0; i < ARRAY_LEN(phases); i++) {
        json_t *phase = json_object_get(sums, phases[i]);
        double good = mist_num(phase, "good", 0), failed = mist_num(phase, "failed", 0);

        json_object_set_new(phase, "failed_ratio", good + failed > 0 ? json_real(failed / (good + failed)) : json_null());
    }
    json_object_set_new(sums, "by_type", by_type);
    json_object_set_new(sums, "total", json_integer(total));
    mist_done(call, sums);
}

static void count_look(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    const char *ssid = mist_text(call, "ssid"), *filter = ssid ? host->printf(call, "&ssid=%s", mist_escape(call, ssid)) : "";

    mist_get(call, counted, "/%s/%s/clients/events/count?distinct=type&duration=%s&limit=1000%s", st->site_id ? "sites" : "orgs",
             mist_escape(call, st->site_id ? st->site_id : mist_of(call)->org), mist_window(call), filter);
}

static void count_begin(struct ft_call *call)
{
    mist_find_site(call, count_look);
}
MIST_BEGIN(MIST_LOOK, count_begin, count_start)

#define PHASE(name, text) MIST_P_OBJ(name, MIST_P("good", "\"integer\"", "events that went well") "," MIST_P("failed", "\"integer\"", "events that failed") "," \
    MIST_P_NUM("failed_ratio", "part that failed, 0..1; nil when there was none"), text)

const struct ft_action mist_client_event_count = {
    MIST_READ(count_start),
    .name = "client_event_count", .summary = "what part of the clients' connections failed, by phase: association, authentication, DHCP, ARP, DNS",
    .params_schema = MIST_PARAMS("", MIST_SITE "," MIST_WINDOW("1h") "," JSON("ssid": {"type": "string", "minLength": 1, "description": "only on this network"})),
    .result_schema = MIST_OBJ(PHASE("association", "association") "," PHASE("auth", "authentication") "," PHASE("dhcp", "DHCP") "," PHASE("arp", "ARP of the gateway") ","
        PHASE("dns", "DNS") "," MIST_COUNTS("by_type", "events by name") "," MIST_P("total", "\"integer\"", "events")),
    .about = "`GET /sites/{site_id}/clients/events/count?distinct=type`, or that of the organisation without a site. One request, whatever the size of the site.",
    .example = "- id: rates\n  run: mist.client_event_count\n  with: {site: HQ, window: 1h}\n",
};

/* ---- client_roams: GET /sites/{site_id}/events/fast_roam. `latency` is seconds, `timestamp` microseconds. */

#define ROAM_FIELDS(F) \
    F(TIME, timestamp, "timestamp", "when it was") \
    F(MAC, mac, "client_mac", "MAC address of the client") \
    F(MAC, from_ap, "fromap", "MAC address of the AP it came from") \
    F(MAC, to_ap, "ap_mac", "MAC address of the AP it went to") \
    F(NUM, latency_s, "latency", "how long it took, s") \
    F(STR, kind, "subtype", "event that ended it") \
    F(STR, type, "type", "success, fail, none, pingpong, poor or slow")
static const struct mist_field roam_fields[] = { ROAM_FIELDS(MIST_ROW) { "ssid", "ssid", MIST_STR } };

static void roams_here(struct ft_call *call, json_t *items)
{
    const char *mac = mist_state(call)->mac;
    json_t *rows = mist_hold(call, MIST_ROWS(items, roam_fields)), *taken = json_array(), *row;
    double slowest = -1, sum = 0;
    size_t i;

    mist_sort_down(rows, "timestamp");
    json_array_foreach(rows, i, row) {
        double latency = mist_num(row, "latency_s", 0);

        if (mac && (!mist_str(row, "mac") || strcmp(mist_str(row, "mac"), mac) != 0))
            continue;
        sum += latency;
        slowest = latency > slowest ? latency : slowest;
        json_array_append(taken, row);
    }
    mist_done(call, json_pack("{s:o, s:i, s:o, s:o, s:b}", "roams", taken, "total", (int)json_array_size(taken), "slowest_s",
                              slowest >= 0 ? json_real(slowest) : json_null(), "mean_s",
                              json_array_size(taken) ? json_real(sum / (double)json_array_size(taken)) : json_null(), "complete", mist_state(call)->list.complete));
}

static void roams_look(struct ft_call *call)
{
    const char *type = mist_text(call, "type");

    mist_list(call, (size_t)json_integer_value(json_object_get(host->params(call), "limit")), roams_here, "/sites/%s/events/fast_roam?duration=%s%s%s",
              mist_escape(call, mist_state(call)->site_id), mist_window(call), type ? "&type=" : "", type ? type : "");
}

static void roams_begin(struct ft_call *call)
{
    if (!mist_text(call, "mac") || mist_find_mac(call))
        mist_find_site(call, roams_look);
}
MIST_BEGIN(MIST_LOOK, roams_begin, roams_start)

const struct ft_action mist_client_roams = {
    MIST_READ(roams_start),
    .name = "client_roams", .summary = "how clients went from one AP to the next, and how long it took",
    .params_schema = MIST_PARAMS("\"site\"", MIST_SITE "," MIST_CLIENT "," MIST_WINDOW("1d") "," MIST_LIMIT("1000", "10000") ","
        JSON("type": {"type": "string", "enum": ["success", "fail", "none"], "description": "only these"})),
    .result_schema = MIST_OBJ(MIST_LISTED("roams", ROAM_FIELDS(MIST_PROPERTY) MIST_P_STR("ssid", "network"), "newest first") ","
        MIST_P_NUM("slowest_s", "longest of them, s") "," MIST_P_NUM("mean_s", "on average, s")),
    .about = "`GET /sites/{site_id}/events/fast_roam`. Mist has no filter by client here: `mac` sifts what came.",
    .example = "- id: roams\n  run: mist.client_roams\n  with: {site: HQ, mac: \"${client}\", window: 4h}\n",
};
