/* mist_tools.c: what the cloud does on request and over time: captures, spectrum analyses, silenced alarms, webhooks, the inventory's moves. */
#include "lab.h"

/* ---- captures: one at a time for a site */

static json_t *running(struct lab *lab, const char *what, const char *site)
{
    json_t *now = json_object_get(lab_mist_state(lab, what), site);
    double ends = json_number_value(json_object_get(now, "started_time")) + json_number_value(json_object_get(now, "duration"));

    return now && ends > lab->wall ? now : NULL;
}

static void capture_kept(struct lab *lab, const char *site)
{
    json_t *now = json_object_get(lab_mist_state(lab, "captures"), site), *list = json_object_get(lab_mist_state(lab, "pcaps"), site);
    const char *id = json_string_value(json_object_get(now, "id"));
    char url[160];

    if (!now || !id)
        return;
    if (!list) {
        list = json_array();
        json_object_set_new(lab_mist_state(lab, "pcaps"), site, list);
    }
    snprintf(url, sizeof(url), "%s/store/pcap/%s", lab->url, id);
    json_array_append_new(list, json_pack("{s:O, s:O, s:O, s:s, s:s, s:O, s:[], s:s}", "id", json_object_get(now, "id"), "type", json_object_get(now, "type"), "duration",
        json_object_get(now, "duration"), "url", url, "pcap_url", url, "timestamp", json_object_get(now, "started_time"), "ap_macs", "site_id", site));
    json_object_del(lab_mist_state(lab, "captures"), site);
}

static void capture_post(struct lab_req *req, struct lab_res *res)
{
    struct lab *lab = req->lab;
    int site = lab_mist_site(req, res), duration = (int)json_integer_value(json_object_get(req->json, "duration"));
    const char *type = json_string_value(json_object_get(req->json, "type"));
    char id[37], seed[40];
    json_t *now;

    if (site < 0)
        return;
    if (!type || running(lab, "captures", lab->sites[site].id)) {
        lab_mist_bad(res, type ? "a capture is running already" : "type is required");
        return;
    }
    capture_kept(lab, lab->sites[site].id);
    snprintf(seed, sizeof(seed), "capture %lu", ++lab->serial);
    lab_uuid(lab, seed, id);
    now = json_pack("{s:s, s:s, s:i, s:I, s:[], s:[]}", "id", id, "type", type, "duration", duration ? duration : 600, "started_time", (json_int_t)lab->wall, "ok", "failed");
    json_object_set_new(lab_mist_state(lab, "captures"), lab->sites[site].id, now);
    lab_mist_audit(lab, site, "Start Packet Capture");
    req->done = true;
    res->json = json_pack("{s:s, s:s, s:i, s:s, s:s, s:f}", "id", id, "type", type, "duration", duration ? duration : 600, "org_id", LAB_ORG, "site_id", lab->sites[site].id,
                          "timestamp", lab->wall);
}

static void capture_get(struct lab_req *req, struct lab_res *res)
{
    int site = lab_mist_site(req, res);
    json_t *now = site >= 0 ? running(req->lab, "captures", req->lab->sites[site].id) : NULL;

    if (now)
        res->json = json_deep_copy(now);
    else if (site >= 0)
        lab_mist_not_found(res);
}

static void capture_delete(struct lab_req *req, struct lab_res *res)
{
    int site = lab_mist_site(req, res);

    if (site < 0)
        return;
    capture_kept(req->lab, req->lab->sites[site].id);
    req->done = true;
}

static void pcaps_get(struct lab_req *req, struct lab_res *res)
{
    int site = lab_mist_site(req, res);
    json_t *list;

    if (site < 0)
        return;
    if (!running(req->lab, "captures", req->lab->sites[site].id))
        capture_kept(req->lab, req->lab->sites[site].id);
    list = json_object_get(lab_mist_state(req->lab, "pcaps"), req->lab->sites[site].id);
    lab_mist_cursor(req, res, list ? json_copy(list) : json_array());
}

/* ---- spectrum */

static void spectrum_post(struct lab_req *req, struct lab_res *res)
{
    struct lab *lab = req->lab;
    int site = lab_mist_site(req, res), duration = (int)json_integer_value(json_object_get(req->json, "duration"));
    const char *band = json_string_value(json_object_get(req->json, "band"));
    char id[37], seed[40];

    if (site < 0)
        return;
    if (!band || running(lab, "spectrum", lab->sites[site].id)) {
        lab_mist_bad(res, band ? "a spectrum analysis is running already" : "band is required");
        return;
    }
    json_object_set_new(lab_mist_state(lab, "spectrum"), lab->sites[site].id, json_pack("{s:s, s:i, s:s, s:I, s:O*}", "band", band, "duration", duration ? duration : 300,
        "format", "json", "started_time", (json_int_t)lab->wall, "device_id", json_object_get(req->json, "device_id")));
    snprintf(seed, sizeof(seed), "session %lu", ++lab->serial);
    lab_uuid(lab, seed, id);
    req->done = true;
    res->json = json_pack("{s:s}", "session", id);
}

static void spectrum_get(struct lab_req *req, struct lab_res *res)
{
    int site = lab_mist_site(req, res);
    json_t *last = site >= 0 ? json_object_get(lab_mist_state(req->lab, "spectrum"), req->lab->sites[site].id) : NULL;

    if (site >= 0)
        res->json = last ? json_deep_copy(last) : json_object();
}

static void spectrum_stats(struct lab_req *req, struct lab_res *res)
{
    struct lab *lab = req->lab;
    int site = lab_mist_site(req, res);
    json_t *last = site >= 0 ? json_object_get(lab_mist_state(lab, "spectrum"), lab->sites[site].id) : NULL, *list;
    const char *band = json_string_value(json_object_get(last, "band")), *only = json_string_value(json_object_get(last, "device_id"));
    int radio = !band ? -1 : strcmp(band, "24") == 0 ? 0 : strcmp(band, "5") == 0 ? 1 : 2;
    double start = 0, end = 0;

    if (site < 0)
        return;
    list = json_array();
    for (int i = 0; radio >= 0 && i < lab->n_aps; i++) {
        const struct lab_radio *r = &lab->aps[i].radios[radio];
        int use[6];

        if (lab->aps[i].site != site || lab->aps[i].state != AP_UP || (only && lab_find_ap(lab, only) != i))
            continue;
        lab_use(lab, i, radio, use);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:O, s:[{s:i, s:f, s:f}], s:[{s:i, s:i}]}", "mac", lab->aps[i].mac, "org_id", LAB_ORG, "band", band, "timestamp",
            json_object_get(last, "started_time"), "channel_usage", "channel", r->channel, "non_wifi", use[5] / 100.0, "wifi", use[3] / 100.0, "fft_samples", "frequency",
            radio == 0 ? 2407 + 5 * r->channel : 5000 + 5 * r->channel, "rssi", (int)lab_noise(r)));
    }
    lab_mist_range(req, &start, &end);
    res->json = json_pack("{s:I, s:I, s:i, s:i, s:i, s:o}", "start", (json_int_t)start, "end", (json_int_t)end, "limit", 100, "page", 1, "total", (int)json_array_size(list), "results", list);
}

static void ap_channels(struct lab_req *req, struct lab_res *res)
{
    if (lab_mist_site(req, res) >= 0)
        res->json = json_pack("{s:s, s:s, s:s, s:i, s:b, s:b, s:b, s:b, s:b, s:{s:[iii]}, s:{s:[iiiiiiii], s:[iiii]}}", "key", "DE", "name", "Germany", "uses", "DE", "code", 276, "certified", 1,
            "dfs_ok", 1, "band24_enabled", 1, "band5_enabled", 1, "band24_40mhz_allowed", 0, "band24_channels", "20", 1, 6, 11, "band5_channels", "40", 36, 44, 52, 60, 100, 108, 116, 124,
            "dfs", 52, 60, 100, 108);
}

static void reset_radio(struct lab_req *req, struct lab_res *res)
{
    struct lab *lab = req->lab;
    int site = lab_mist_site(req, res);
    json_t *bands = json_object_get(req->json, "bands"), *band;
    size_t i;

    if (site < 0)
        return;
    if (!json_array_size(bands)) {
        lab_mist_bad(res, "bands is required: 24, 5, 6");
        return;
    }
    for (int a = 0; a < lab->n_aps; a++) {
        json_t *config = json_object_get(lab->aps[a].config, "radio_config");

        if (lab->aps[a].site != site)
            continue;
        json_array_foreach(bands, i, band)
            for (int r = 0; r < 3; r++)
                if (ft_streq(json_string_value(band), lab->aps[a].radios[r].band)) {
                    char key[8];

                    snprintf(key, sizeof(key), "band_%s", lab->aps[a].radios[r].band);
                    lab->aps[a].radios[r].pin_channel = lab->aps[a].radios[r].pin_power = 0;
                    json_object_del(config, key);
                }
    }
    json_array_foreach(bands, i, band)
        if (json_is_string(band))
            lab_rrm(lab, site, json_string_value(band), false, ~0u >> 4);
    lab_mist_audit(lab, site, "Reset Radio Config");
    req->done = true;
}

/* ---- rogues */

static void rogue_clients(struct lab_req *req, struct lab_res *res)
{
    double start = 0, end = 0;

    if (lab_mist_site(req, res) < 0)
        return;
    lab_mist_range(req, &start, &end);
    res->json = json_pack("{s:I, s:I, s:i, s:[{s:s, s:s, s:s, s:s, s:i, s:s, s:i}]}", "start", (json_int_t)start, "end", (json_int_t)end, "limit", 100, "results", "annotation", "unknown",
        "ap_mac", req->lab->aps[0].mac, "client_mac", "c0ee40112233", "bssid", "d8-97-ba-76-b5-aa", "avg_rssi", -84, "band", "24", "num_aps", 1);
}

static void rogue_events(struct lab_req *req, struct lab_res *res)
{
    if (lab_mist_site(req, res) >= 0)
        lab_mist_cursor(req, res, json_pack("[{s:s, s:s, s:s, s:i, s:i, s:f}]", "ap", req->lab->aps[0].mac, "bssid", "d8-97-ba-76-b5-aa", "ssid", "cafe-next-door", "channel", 11,
                                            "rssi", -81, "timestamp", floor(req->lab->wall) - 600));
}

static void accept(struct lab_req *req, struct lab_res *res)
{
    req->done = strcmp(req->seg[2], "orgs") == 0 || lab_mist_site(req, res) >= 0;
}

static void accept_device(struct lab_req *req, struct lab_res *res)
{
    int site, ap, sw;

    req->done = lab_mist_device_of(req, res, &site, &ap, &sw);
    if (req->done && strcmp(req->seg[6], "reprovision") == 0)
        lab_mist_push(req->lab, ap >= 0 ? LAB_PUSH_AP : LAB_PUSH_SWITCH, ap >= 0 ? ap : sw);
}

/* ---- alarms */

static void suppress_get(struct lab_req *req, struct lab_res *res)
{
    const char *scope = lab_query(req, "scope"), *key;
    json_t *list = json_array(), *item;

    json_object_foreach(lab_mist_state(req->lab, "suppressed"), key, item)
        if (json_number_value(json_object_get(item, "expire_time")) > req->lab->wall && (!scope || ft_streq(scope, json_string_value(json_object_get(item, "scope")))))
            json_array_append(list, item);
    res->json = json_pack("{s:o}", "results", list);
}

static void suppress_post(struct lab_req *req, struct lab_res *res)
{
    struct lab *lab = req->lab;
    json_t *sites = json_object_get(json_object_get(req->json, "applies"), "site_ids"), *site, *seconds = json_object_get(req->json, "duration");
    const char *scope = json_string_value(json_object_get(req->json, "scope"));
    double duration = json_is_number(seconds) ? json_number_value(seconds) : 3600, at = json_number_value(json_object_get(req->json, "scheduled_time"));
    size_t i;

    if (!scope || duration < 0 || duration > 180 * 86400) {
        lab_mist_bad(res, scope ? "duration is at most 180 days" : "scope is required");
        return;
    }
    at = at > 0 ? at : floor(lab->wall);
    if (strcmp(scope, "org") == 0)
        json_object_set_new(lab_mist_state(lab, "suppressed"), "org", json_pack("{s:s, s:I, s:I, s:I}", "scope", "org", "duration", (json_int_t)duration, "scheduled_time", (json_int_t)at,
                                                                                 "expire_time", (json_int_t)(at + duration)));
    json_array_foreach(sites, i, site)
        if (json_is_string(site))
            json_object_set_new(lab_mist_state(lab, "suppressed"), json_string_value(site), json_pack("{s:s, s:O, s:I, s:I, s:I}", "scope", "site", "site_id", site, "duration",
                (json_int_t)duration, "scheduled_time", (json_int_t)at, "expire_time", (json_int_t)(at + duration)));
    lab_mist_audit(lab, -1, "Suppress Alarms");
    req->done = true;
}

static void suppress_delete(struct lab_req *req, struct lab_res *res)
{
    (void)res;
    json_object_clear(lab_mist_state(req->lab, "suppressed"));
    req->done = true;
}

/* ---- inventory */

/* A claimed spare that is assigned to no site, and what was assigned. */
static void inventory_put(struct lab_req *req, struct lab_res *res)
{
    const char *op = json_string_value(json_object_get(req->json, "op")), *site = json_string_value(json_object_get(req->json, "site_id"));
    json_t *macs = json_object_get(req->json, "macs"), *mac, *ok = json_array(), *bad = json_array(), *why = json_array();
    size_t i;

    if (!op || !json_is_array(macs) || (strcmp(op, "assign") == 0 && !site)) {
        json_decref(ok);
        json_decref(bad);
        json_decref(why);
        lab_mist_bad(res, "op, macs and, to assign, site_id are required");
        return;
    }
    json_array_foreach(macs, i, mac) {
        json_t *spare = json_is_string(mac) ? json_object_get(lab_mist_state(req->lab, "spares"), json_string_value(mac)) : NULL;

        if (!spare) {
            json_array_append(bad, mac);
            json_array_append_new(why, json_string("not found"));
            continue;
        }
        if (strcmp(op, "assign") == 0)
            json_object_set_new(spare, "site_id", json_string(site));
        else
            json_object_del(spare, "site_id");
        json_array_append(ok, mac);
    }
    lab_mist_audit(req->lab, -1, "Update Inventory");
    req->done = json_array_size(ok) > 0;
    res->json = json_pack("{s:s, s:o, s:o, s:o}", "op", op, "success", ok, "error", bad, "reason", why);
}

/* The spare is taken for the AP; the lab keeps calling it by its former address. */
static void replace(struct lab_req *req, struct lab_res *res)
{
    const char *mac = json_string_value(json_object_get(req->json, "mac")), *spare = json_string_value(json_object_get(req->json, "inventory_mac"));
    json_t *item = spare ? json_object_get(lab_mist_state(req->lab, "spares"), spare) : NULL;

    if (!mac || !item || json_object_get(item, "site_id")) {
        lab_mist_bad(res, "inventory_mac must be a device that is assigned to no site");
        return;
    }
    json_object_set(item, "site_id", json_object_get(req->json, "site_id"));
    lab_mist_audit(req->lab, -1, "Replace Device");
    req->done = true;
    res->json = json_pack("{s:s, s:[s], s:[], s:[]}", "op", "assign", "success", spare, "error", "reason");
}

static void jsi(struct lab_req *req, struct lab_res *res)
{
    static const char *const keys[] = { "model", "serial", NULL };
    const struct lab *lab = req->lab;
    json_t *list = json_array(), *item;

    for (int i = 0; i < lab->n_switches; i++) {
        item = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:I, s:I, s:s, s:I}", "device_name", lab->switches[i].name, "serial", lab->switches[i].serial, "model", lab->switches[i].model,
            "type", "switch", "status", lab->switches[i].down ? "disconnected" : "connected", "version", "22.4R3.25", "claimed", 1, "has_support", i == 0,
            "eol_time", (json_int_t)1561507200, "eos_time", (json_int_t)(i == 2 ? 1672012800 : 1893456000), "suggested_version", "23.4R2-S4", "warranty_time", (json_int_t)1893456000);
        if (lab_mist_matches(req, item, keys))
            json_array_append(list, item);
        json_decref(item);
    }
    lab_mist_cursor(req, res, list);
}

/* ---- webhooks, synthetic tests, switches of others, system events */

static void webhooks(struct lab_req *req, struct lab_res *res)
{
    char url[96];

    snprintf(url, sizeof(url), "%s/hook", req->lab->url);
    lab_mist_page(req, res, strcmp(req->seg[2], "sites") == 0 ? json_array() :
                  json_pack("[{s:s, s:s, s:b, s:s, s:s, s:[ss], s:s, s:b}]", "id", "c1a52f00-0000-4000-8000-000000000001", "name", "fettle", "enabled", 1, "type", "http-post", "url", url,
                            "topics", "alarms", "device-updowns", "secret", "********", "verify_cert", 1));
}

static void webhook_ping(struct lab_req *req, struct lab_res *res)
{
    json_t *log = json_object_get(req->lab->mist, "deliveries");

    (void)res;
    if (!log) {
        log = json_array();
        json_object_set_new(req->lab->mist, "deliveries", log);
    }
    json_array_append_new(log, json_pack("{s:s, s:s, s:i, s:f, s:s, s:s}", "topic", "ping", "status", "success", "status_code", 200, "timestamp", req->lab->wall, "webhook_id", req->arg[1],
                                         "org_id", LAB_ORG));
    req->done = true;
}

static void deliveries(struct lab_req *req, struct lab_res *res)
{
    static const char *const keys[] = { "status", "topic", NULL };
    json_t *list = json_array(), *item;
    size_t i;

    json_array_foreach(json_object_get(req->lab->mist, "deliveries"), i, item)
        if (lab_mist_matches(req, item, keys))
            json_array_append(list, item);
    lab_mist_cursor(req, res, list);
}

static void tests_search(struct lab_req *req, struct lab_res *res)
{
    static const char *const keys[] = { "mac", "type", "vlan_id", NULL };
    json_t *list = json_array(), *test;
    const char *mac;

    if (lab_mist_site(req, res) < 0) {
        json_decref(list);
        return;
    }
    json_object_foreach(req->lab->synthetic, mac, test)
        if (lab_mist_matches(req, test, keys)) {
            json_t *copy = json_deep_copy(test);

            json_object_set(copy, "timestamp", json_object_get(test, "start_time"));
            json_array_append_new(list, copy);
        }
    lab_mist_cursor(req, res, list);
}

static void nothing(struct lab_req *req, struct lab_res *res)
{
    if (strcmp(req->seg[2], "orgs") == 0 || lab_mist_site(req, res) >= 0)
        lab_mist_cursor(req, res, json_array());
}

/* ---- */

void lab_mist_tools_init(struct lab *lab)
{
    json_object_set_new(lab_mist_state(lab, "spares"), "d420b0a09907", json_pack("{s:s, s:s, s:s, s:s, s:s, s:b}", "mac", "d420b0a09907", "id",
        "00000000-0000-0000-1000-d420b0a09907", "type", "ap", "model", "AP43", "serial", "A430000000099", "connected", 0));
}

#define DEVICE "/api/v1/sites/{}/devices/{}/"

const struct lab_route lab_mist_tool_routes[] = {
    { "POST", "/api/v1/sites/{}/pcaps/capture", capture_post },
    { "GET", "/api/v1/sites/{}/pcaps/capture", capture_get },
    { "DELETE", "/api/v1/sites/{}/pcaps/capture", capture_delete },
    { "GET", "/api/v1/sites/{}/pcaps", pcaps_get },
    { "POST", "/api/v1/sites/{}/analyze_spectrum", spectrum_post },
    { "GET", "/api/v1/sites/{}/analyze_spectrum", spectrum_get },
    { "GET", "/api/v1/sites/{}/stats/analyze_spectrum", spectrum_stats },
    { "GET", "/api/v1/sites/{}/devices/ap_channels", ap_channels },
    { "POST", "/api/v1/sites/{}/devices/reset_radio_config", reset_radio },
    { "GET", "/api/v1/sites/{}/insights/rogues/clients", rogue_clients },
    { "GET", "/api/v1/sites/{}/rogues/events/search", rogue_events },
    { "POST", "/api/v1/sites/{}/rogues/{}/deauth_clients", accept },
    { "POST", DEVICE "reprovision", accept_device },
    { "POST", DEVICE "support", accept_device },
    { "POST", DEVICE "snapshot", accept_device },
    { "GET", "/api/v1/orgs/{}/alarmtemplates/suppress", suppress_get },
    { "POST", "/api/v1/orgs/{}/alarmtemplates/suppress", suppress_post },
    { "DELETE", "/api/v1/orgs/{}/alarmtemplates/suppress", suppress_delete },
    { "PUT", "/api/v1/orgs/{}/inventory", inventory_put },
    { "POST", "/api/v1/orgs/{}/inventory/replace", replace },
    { "GET", "/api/v1/orgs/{}/jsi/inventory/search", jsi },
    { "GET", "/api/v1/orgs/{}/webhooks", webhooks },
    { "GET", "/api/v1/sites/{}/webhooks", webhooks },
    { "POST", "/api/v1/orgs/{}/webhooks/{}/ping", webhook_ping },
    { "GET", "/api/v1/orgs/{}/webhooks/{}/events/search", deliveries },
    { "GET", "/api/v1/sites/{}/synthetic_test/search", tests_search },
    { "GET", "/api/v1/sites/{}/events/system/search", nothing },
    { "GET", "/api/v1/orgs/{}/events/system/search", nothing },
    { "GET", "/api/v1/sites/{}/stats/discovered_switches/search", nothing },
    { 0 },
};
