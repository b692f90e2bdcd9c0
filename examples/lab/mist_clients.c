/* mist_clients.c: wireless and wired clients, their events and sessions, disconnect and CoA, the blocklist. */
#include "lab.h"

/* ---- one connected client ---- */

static double data_rate(double snr)
{
    static const struct { int snr; double mbps; } steps[] = { { 35, 573.5 }, { 30, 458.8 }, { 25, 344.1 }, { 20, 258 }, { 15, 137.6 }, { 10, 68.8 }, { 5, 17.2 } };

    for (size_t i = 0; i < ARRAY_LEN(steps); i++)
        if (snr >= steps[i].snr)
            return steps[i].mbps;
    return 6;
}

static json_t *client_stats(const struct lab *lab, const struct lab_client *c)
{
    const struct lab_ap *ap = &lab->aps[c->ap];
    const struct lab_radio *radio = &ap->radios[c->band];
    const struct lab_wlan *wlan = &lab->wlans[c->wlan];
    int rssi = (int)lround(lab_rssi(lab, c, c->ap, c->band)), snr = rssi - (int)lround(lab_noise(radio));
    double up = lab->now - c->joined, rate = data_rate(snr), retries = lab_retry_share(lab, c);
    double tx_pkts = 400 + up * 9, rx_pkts = 300 + up * 7;
    char bssid[13], ip[16] = "", vlan[8];

    if (c->ip)
        lab_ip(c->ip, ip);
    snprintf(bssid, sizeof(bssid), "%.10s%02x", ap->mac, (unsigned)(c->band * 16 + c->wlan));
    snprintf(vlan, sizeof(vlan), "%d", wlan->vlan);
    return json_pack("{s:s, s:s, s:s, s:I, s:s, s:s, s:i, s:b, s:s, s:s, s:s, s:i, s:s, s:b, s:s, s:I, s:s, s:s, s:s, s:s, s:s,"
        " s:i, s:i, s:I, s:I, s:f, s:I, s:i, s:s, s:i, s:s, s:i, s:I, s:I, s:f, s:I, s:I, s:s, s:s, s:f, s:f, s:f, s:f, s:b, s:s, s:s}",
        "ap_id", ap->id, "ap_mac", ap->mac, "annotation", "unknown", "assoc_time", (json_int_t)c->joined_wall, "band", radio->band, "bssid", bssid,
        "channel", radio->channel, "dual_band", 1, "family", c->family, "group", "", "hostname", c->hostname, "idle_time", c->state == CLIENT_UP ? 2 : 11,
        "ip", ip, "is_guest", !wlan->dot1x, "key_mgmt", wlan->dot1x ? "WPA2-EAP/CCMP" : "WPA2-PSK/CCMP", "last_seen", (json_int_t)lab->wall,
        "mac", c->mac, "manufacture", c->vendor, "model", c->model, "os", c->os, "proto", c->proto,
        "rssi", rssi, "rx_bps", c->state == CLIENT_UP ? 18200 : 0, "rx_bytes", (json_int_t)(rx_pkts * 310), "rx_pkts", (json_int_t)rx_pkts,
        "rx_rate", rate, "rx_retries", (json_int_t)(rx_pkts * retries * 0.7), "num_locating_aps", 2, "site_id", lab->sites[c->site].id, "snr", snr,
        "ssid", wlan->ssid, "tx_bps", c->state == CLIENT_UP ? 41800 : 0, "tx_bytes", (json_int_t)(tx_pkts * 890), "tx_pkts", (json_int_t)tx_pkts,
        "tx_rate", rate, "tx_retries", (json_int_t)(tx_pkts * retries), "uptime", (json_int_t)up, "vlan_id", vlan, "wlan_id", wlan->id,
        "x", c->x * 30, "x_m", c->x, "y", c->y * 30, "y_m", c->y, "power_saving", 0, "type", "regular", "username", c->user);
}

static void stats_clients(struct lab_req *req, struct lab_res *res)
{
    struct lab *lab = req->lab;
    int site = lab_mist_site(req, res);

    if (site < 0)
        return;
    res->json = json_array();
    if (ft_streq(lab_query(req, "wired"), "true"))
        return;
    for (int i = 0; i < lab->n_clients; i++)
        if (lab->clients[i].site == site && lab_associated(&lab->clients[i]))
            json_array_append_new(res->json, client_stats(lab, &lab->clients[i]));
}

static void stats_client(struct lab_req *req, struct lab_res *res)
{
    int site = lab_mist_site(req, res), c;

    if (site < 0)
        return;
    c = lab_find_client(req->lab, req->arg[1]);
    if (c < 0 || req->lab->clients[c].site != site || !lab_associated(&req->lab->clients[c])) {
        lab_mist_not_found(res);
        return;
    }
    res->json = client_stats(req->lab, &req->lab->clients[c]);
}

static void device_clients(struct lab_req *req, struct lab_res *res)
{
    int site = lab_mist_site(req, res), ap = lab_find_ap(req->lab, req->arg[1]);

    if (site < 0)
        return;
    if (ap < 0) {
        lab_mist_not_found(res);
        return;
    }
    res->json = json_array();
    for (int i = 0; i < req->lab->n_clients; i++)
        if (req->lab->clients[i].ap == ap && lab_associated(&req->lab->clients[i]))
            json_array_append_new(res->json, client_stats(req->lab, &req->lab->clients[i]));
}

/* ---- history ---- */

static json_t *search_item(const struct lab *lab, const struct lab_client *c)
{
    const struct lab_wlan *wlan = &lab->wlans[c->wlan];
    const struct lab_site *site = &lab->sites[c->site];
    bool here = lab_associated(c) || c->state == CLIENT_REJECTED;
    char ip[16] = "";
    json_t *o = json_pack("{s:s, s:s, s:s, s:[s], s:f, s:[s], s:s, s:[s], s:s, s:[i], s:i, s:s, s:[s], s:s, s:[s], s:s, s:s, s:s, s:s, s:b}",
        "mac", c->mac, "org_id", LAB_ORG, "site_id", site->id, "site_ids", site->id, "timestamp", here ? lab->wall - 20 : c->seen,
        "hostname", c->hostname, "last_hostname", c->hostname, "ssid", wlan->ssid, "last_ssid", wlan->ssid, "vlan", wlan->vlan, "last_vlan", wlan->vlan,
        "last_wlan_id", wlan->id, "wlan_id", wlan->id, "mfg", c->vendor, "os", c->os, "last_os", c->os, "model", c->model, "last_model", c->model,
        "protocol", c->proto, "random_mac", 0);

    if (c->ap >= 0) {
        json_object_set_new(o, "ap", json_pack("[s]", lab->aps[c->ap].mac));
        json_object_set_new(o, "last_ap", json_string(lab->aps[c->ap].mac));
        json_object_set_new(o, "band", json_string(lab->aps[c->ap].radios[c->band].band));
    }
    if (c->ip) {
        json_object_set_new(o, "ip", json_pack("[s]", lab_ip(c->ip, ip)));
        json_object_set_new(o, "last_ip", json_string(ip));
    }
    if (c->user[0]) {
        json_object_set_new(o, "username", json_pack("[s]", c->user));
        json_object_set_new(o, "last_username", json_string(c->user));
    }
    return o;
}

static void clients_search_in(struct lab_req *req, struct lab_res *res, int site)
{
    static const char *const keys[] = { "site_id", "ip", "hostname", "band", "os", "model", "ap", "username", "vlan", "ssid", NULL };
    struct lab *lab = req->lab;
    const char *mac = lab_query(req, "mac"), *text = lab_query(req, "text");
    json_t *list = json_array();
    double start, end;

    if (!lab_mist_range(req, &start, &end))
        start = 0, end = lab->wall;
    for (int i = 0; i < lab->n_clients; i++) {
        const struct lab_client *c = &lab->clients[i];
        json_t *item;

        if ((site >= 0 && c->site != site) || (mac && lab_find_client(lab, mac) != i))
            continue;
        if (text && !strcasestr(c->mac, text) && !strcasestr(c->hostname, text) && !strcasestr(c->user, text))
            continue;
        item = search_item(lab, c);
        if (json_number_value(json_object_get(item, "timestamp")) >= start && lab_mist_matches(req, item, keys))
            json_array_append(list, item);
        json_decref(item);
    }
    lab_mist_cursor(req, res, list);
}

static void org_clients_search(struct lab_req *req, struct lab_res *res)
{
    clients_search_in(req, res, -1);
}

static void site_clients_search(struct lab_req *req, struct lab_res *res)
{
    int site = lab_mist_site(req, res);

    if (site >= 0)
        clients_search_in(req, res, site);
}

static void count_in(struct lab_req *req, struct lab_res *res, int site)
{
    const char *distinct = lab_query(req, "distinct");
    json_t *counts = json_object(), *results = json_array(), *n;
    const char *key;
    double start = 0, end = 0;

    distinct = distinct ? distinct : "ssid";
    lab_mist_range(req, &start, &end);
    for (int i = 0; i < req->lab->n_clients; i++) {
        json_t *item, *value;

        if (site >= 0 && req->lab->clients[i].site != site)
            continue;
        item = search_item(req->lab, &req->lab->clients[i]);
        value = json_object_get(item, distinct);
        value = json_is_array(value) ? json_array_get(value, 0) : value;
        if (json_is_string(value))
            json_object_set_new(counts, json_string_value(value),
                json_integer(json_integer_value(json_object_get(counts, json_string_value(value))) + 1));
        json_decref(item);
    }
    json_object_foreach(counts, key, n)
        json_array_append_new(results, json_pack("{s:O, s:s}", "count", n, distinct, key));
    json_decref(counts);
    res->json = json_pack("{s:s, s:f, s:f, s:i, s:i, s:o}", "distinct", distinct, "start", floor(start), "end", floor(end), "limit", 100,
                          "total", (int)json_array_size(results), "results", results);
}

static void org_clients_count(struct lab_req *req, struct lab_res *res)
{
    count_in(req, res, -1);
}

static void site_clients_count(struct lab_req *req, struct lab_res *res)
{
    int site = lab_mist_site(req, res);

    if (site >= 0)
        count_in(req, res, site);
}

/* ---- events ---- */

/* As the documents show them: the client's MAC is in the search, not in the list of one client. */
static json_t *events_for_show(json_t *events, bool with_mac)
{
    json_t *list = json_array(), *event;
    size_t i;

    json_array_foreach(events, i, event) {
        json_t *copy = json_copy(event);

        json_object_del(copy, "site_id");
        if (!with_mac)
            json_object_del(copy, "mac");
        json_array_append_new(list, copy);
    }
    json_decref(events);
    return list;
}

static bool event_kept(struct lab_req *req, const json_t *event)
{
    static const char *const keys[] = { "type", "ssid", "ap", "proto", "band", "wlan_id", "channel", "key_mgmt", NULL };

    return lab_mist_matches(req, event, keys);
}

static bool event_of_client(struct lab_req *req, const json_t *event)
{
    return event_kept(req, event) && lab_find_client(req->lab, req->arg[1]) >= 0
        && strcmp(json_string_value(json_object_get(event, "mac")), req->lab->clients[lab_find_client(req->lab, req->arg[1])].mac) == 0;
}

static void client_events(struct lab_req *req, struct lab_res *res)
{
    int site = lab_mist_site(req, res);

    if (site >= 0)
        lab_mist_cursor(req, res, events_for_show(lab_mist_in_range(req, req->lab->client_events, site, event_of_client), false));
}

static void org_events_search(struct lab_req *req, struct lab_res *res)
{
    lab_mist_cursor(req, res, events_for_show(lab_mist_in_range(req, req->lab->client_events, -1, event_kept), true));
}

static void site_events_search(struct lab_req *req, struct lab_res *res)
{
    int site = lab_mist_site(req, res);

    if (site >= 0)
        lab_mist_cursor(req, res, events_for_show(lab_mist_in_range(req, req->lab->client_events, site, event_kept), true));
}

static bool session_kept(struct lab_req *req, const json_t *item)
{
    static const char *const keys[] = { "ap", "band", "ssid", "wlan_id", "client_manufacture", "site_id", NULL };

    return lab_mist_matches(req, item, keys);
}

static void site_sessions(struct lab_req *req, struct lab_res *res)
{
    int site = lab_mist_site(req, res);

    if (site >= 0)
        lab_mist_cursor(req, res, lab_mist_in_range(req, req->lab->sessions, site, session_kept));
}

static void org_sessions(struct lab_req *req, struct lab_res *res)
{
    lab_mist_cursor(req, res, lab_mist_in_range(req, req->lab->sessions, -1, session_kept));
}

static void events_count_in(struct lab_req *req, struct lab_res *res, int site)
{
    const char *distinct = lab_query(req, "distinct"), *key;
    json_t *events = lab_mist_in_range(req, req->lab->client_events, site, event_kept), *counts = json_object(), *results = json_array(), *event, *n;
    double start = 0, end = 0;
    size_t i;

    distinct = distinct ? distinct : "type";
    lab_mist_range(req, &start, &end);
    json_array_foreach(events, i, event) {
        key = json_string_value(json_object_get(event, distinct));
        if (key)
            json_object_set_new(counts, key, json_integer(json_integer_value(json_object_get(counts, key)) + 1));
    }
    json_object_foreach(counts, key, n)
        json_array_append_new(results, json_pack("{s:O, s:s}", "count", n, distinct, key));
    json_decref(counts);
    json_decref(events);
    res->json = json_pack("{s:s, s:I, s:I, s:i, s:i, s:o}", "distinct", distinct, "start", (json_int_t)start, "end", (json_int_t)end, "limit", 1000,
                          "total", (int)json_array_size(results), "results", results);
}

static void org_events_count(struct lab_req *req, struct lab_res *res)
{
    events_count_in(req, res, -1);
}

static void site_events_count(struct lab_req *req, struct lab_res *res)
{
    int site = lab_mist_site(req, res);

    if (site >= 0)
        events_count_in(req, res, site);
}

/* Reassociations, as Mist writes roams: microseconds, and a latency in seconds. */
static void fast_roam(struct lab_req *req, struct lab_res *res)
{
    int site = lab_mist_site(req, res);
    json_t *events, *list, *event;
    double start = 0, end = 0;
    size_t i;

    if (site < 0)
        return;
    events = lab_mist_in_range(req, req->lab->client_events, site, NULL);
    list = json_array();
    json_array_foreach(events, i, event) {
        const char *type = json_string_value(json_object_get(event, "type"));

        if (type && strstr(type, "REASSOCIATION"))
            json_array_append_new(list, json_pack("{s:O?, s:O?, s:s, s:f, s:O?, s:s, s:I}", "client_mac", json_object_get(event, "mac"), "ap_mac",
                json_object_get(event, "ap"), "fromap", "", "latency", 0.04, "ssid", json_object_get(event, "ssid"), "subtype", type, "timestamp",
                (json_int_t)(json_number_value(json_object_get(event, "timestamp")) * 1e6)));
    }
    json_decref(events);
    lab_mist_range(req, &start, &end);
    res->json = json_pack("{s:I, s:I, s:i, s:o}", "start", (json_int_t)start, "end", (json_int_t)end, "limit", 1000, "results", list);
}

/* Mist Access Assurance is not in use here: ISE does the authentication. */
static void nothing_found(struct lab_req *req, struct lab_res *res)
{
    if (strcmp(req->seg[2], "sites") == 0 && lab_mist_site(req, res) < 0)
        return;
    lab_mist_cursor(req, res, json_array());
}

/* Wired machines, from the DHCP server's view of them; each on an access port. */
static void wired_search(struct lab_req *req, struct lab_res *res)
{
    static const char *const keys[] = { "mac", "device_mac", "port_id", "vlan", "ip", "site_id", NULL };
    struct lab *lab = req->lab;
    json_t *list = json_array();

    if (strcmp(req->seg[2], "sites") == 0 && lab_mist_site(req, res) < 0) {
        json_decref(list);
        return;
    }
    for (int i = 0; i < lab->n_subnets; i++)
        for (size_t l = 0; l < lab->subnets[i].n_leases; l++) {
            const struct lab_lease *lease = &lab->subnets[i].leases[l];
            const struct lab_switch *sw = &lab->switches[lab->subnets[i].site == 0 ? (int)(l % 2) : 2];
            char ip[16], mac[13];
            json_t *item;
            int o = 0;

            if (!lease->live || strncmp(lease->hw, "00:1b:21", 8) != 0 || sw->down)
                continue;
            for (const char *p = lease->hw; *p && o < 12; p++)
                if (*p != ':')
                    mac[o++] = *p;
            mac[o] = '\0';
            item = json_pack("{s:s, s:[s], s:[s], s:[i], s:[s], s:s, s:s, s:s, s:f, s:s, s:s}", "mac", mac, "device_mac", sw->mac, "port_id",
                sw->ports[2 + l % 6].name, "vlan", lab->subnets[i].vlan, "ip", lab_ip(lease->ip, ip), "org_id", LAB_ORG, "site_id",
                lab->sites[sw->site].id, "dhcp_hostname", lease->hostname, "timestamp", lab->wall - 30, "auth_state", "authenticated", "auth_method",
                "mac_auth");
            if (lab_mist_matches(req, item, keys) && (req->seg[2][0] == 'o' || strcmp(lab->sites[sw->site].id, req->arg[0]) == 0))
                json_array_append(list, item);
            json_decref(item);
        }
    lab_mist_cursor(req, res, list);
}

/* ---- writes ---- */

static int client_of(struct lab_req *req, struct lab_res *res, const char *mac)
{
    int c = lab_find_client(req->lab, mac);

    if (c < 0)
        lab_mist_not_found(res);
    return c;
}

static void kick(struct lab *lab, int client, const char *event, const char *text)
{
    if (lab->clients[client].state != CLIENT_AWAY)
        lab_client_leave(lab, client, event, text, LAB_REJOIN);
}

static void disconnect(struct lab_req *req, struct lab_res *res)
{
    int site = lab_mist_site(req, res), c = site < 0 ? -1 : client_of(req, res, req->arg[1]);

    if (c < 0)
        return;
    kick(req->lab, c, "CLIENT_DEAUTHENTICATED", "Disconnected by an administrator");
    lab_mist_audit(req->lab, site, "Disconnect Client");
    req->done = true;
}

static void disconnect_many(struct lab_req *req, struct lab_res *res)
{
    int site = lab_mist_site(req, res);
    json_t *list = json_is_array(req->json) ? req->json : json_object_get(req->json, "macs"), *mac;
    size_t i;

    if (site < 0)
        return;
    if (!json_is_array(list)) {
        lab_mist_bad(res, "expected a list of MAC addresses");
        return;
    }
    json_array_foreach(list, i, mac) {
        int c = json_is_string(mac) ? lab_find_client(req->lab, json_string_value(mac)) : -1;

        if (c >= 0)
            kick(req->lab, c, "CLIENT_DEAUTHENTICATED", "Disconnected by an administrator");
    }
    req->done = true;
}

static void coa(struct lab_req *req, struct lab_res *res)
{
    int c = client_of(req, res, req->arg[1]);

    if (c < 0)
        return;
    if (lab_associated(&req->lab->clients[c]))
        lab_client_leave(req->lab, c, "RADIUS_DAS_NOTIFY", "Re-authentication asked for by an administrator", LAB_REJOIN);
    lab_mist_audit(req->lab, -1, "CoA Client");
    req->done = true;
}

/* POST replaces the whole list, DELETE empties it. */
static void blocklist(struct lab_req *req, struct lab_res *res)
{
    json_t *macs = json_object_get(req->json, "macs"), *mac;
    bool clear = strcmp(req->method, "DELETE") == 0;
    size_t i;

    if (!clear && !json_is_array(macs)) {
        lab_mist_bad(res, "macs is required");
        return;
    }
    json_object_set(lab_mist_state(req->lab, "blocklists"), req->arg[0], clear ? json_null() : macs);
    for (int c = 0; c < req->lab->n_clients; c++)
        req->lab->clients[c].blocked = false;
    json_array_foreach(macs, i, mac) {
        int c = !clear && json_is_string(mac) ? lab_find_client(req->lab, json_string_value(mac)) : -1;

        if (c >= 0) {
            req->lab->clients[c].blocked = true;
            kick(req->lab, c, "CLIENT_DEAUTHENTICATED", "Client was put on the blocklist");
        }
    }
    req->done = true;
    res->json = clear ? NULL : json_pack("{s:O}", "macs", macs);
}

const struct lab_route lab_mist_client_routes[] = {
    { "GET", "/api/v1/sites/{}/stats/clients", stats_clients },
    { "GET", "/api/v1/sites/{}/stats/clients/{}", stats_client },
    { "GET", "/api/v1/sites/{}/stats/devices/{}/clients", device_clients },
    { "GET", "/api/v1/orgs/{}/clients/search", org_clients_search },
    { "GET", "/api/v1/sites/{}/clients/search", site_clients_search },
    { "GET", "/api/v1/orgs/{}/clients/count", org_clients_count },
    { "GET", "/api/v1/sites/{}/clients/count", site_clients_count },
    { "GET", "/api/v1/sites/{}/clients/{}/events", client_events },
    { "GET", "/api/v1/orgs/{}/clients/events/search", org_events_search },
    { "GET", "/api/v1/sites/{}/clients/events/search", site_events_search },
    { "GET", "/api/v1/orgs/{}/clients/sessions/search", org_sessions },
    { "GET", "/api/v1/sites/{}/clients/sessions/search", site_sessions },
    { "GET", "/api/v1/orgs/{}/nac_clients/search", nothing_found },
    { "GET", "/api/v1/sites/{}/nac_clients/search", nothing_found },
    { "GET", "/api/v1/orgs/{}/nac_clients/events/search", nothing_found },
    { "GET", "/api/v1/sites/{}/nac_clients/events/search", nothing_found },
    { "GET", "/api/v1/orgs/{}/wired_clients/search", wired_search },
    { "GET", "/api/v1/sites/{}/wired_clients/search", wired_search },
    { "POST", "/api/v1/sites/{}/clients/{}/disconnect", disconnect },
    { "POST", "/api/v1/sites/{}/clients/{}/unauthorize", disconnect },
    { "POST", "/api/v1/sites/{}/clients/disconnect", disconnect_many },
    { "POST", "/api/v1/sites/{}/clients/unauthorize", disconnect_many },
    { "POST", "/api/v1/sites/{}/clients/{}/coa", coa },
    { "POST", "/api/v1/orgs/{}/clients/{}/coa", coa },
    { "POST", "/api/v1/sites/{}/wired_clients/{}/coa", coa },
    { "POST", "/api/v1/sites/{}/setting/blacklist", blocklist },
    { "DELETE", "/api/v1/sites/{}/setting/blacklist", blocklist },
    { "POST", "/api/v1/orgs/{}/setting/blacklist", blocklist },
    { "DELETE", "/api/v1/orgs/{}/setting/blacklist", blocklist },
    { "GET", "/api/v1/orgs/{}/clients/events/count", org_events_count },
    { "GET", "/api/v1/sites/{}/clients/events/count", site_events_count },
    { "GET", "/api/v1/sites/{}/events/fast_roam", fast_roam },
    { 0 },
};
