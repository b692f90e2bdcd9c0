/* mist.c: the Mist cloud's API under /api/v1: token, rate limit, errors, the two paging styles; org, sites, configuration objects.
 * Clients are in mist_clients.c, devices in mist_devices.c, radio, SLE and alarms in mist_rf.c. */
#include "lab.h"

/* ---- shared ---- */

void lab_mist_not_found(struct lab_res *res)
{
    res->status = 404;
    json_decref(res->json);
    res->json = json_pack("{s:s}", "detail", "Not found.");
}

void lab_mist_bad(struct lab_res *res, const char *detail)
{
    res->status = 400;
    json_decref(res->json);
    res->json = json_pack("{s:s}", "detail", detail);
}

int lab_mist_site(struct lab_req *req, struct lab_res *res)
{
    for (int i = 0; i < req->lab->n_sites; i++)
        if (strcmp(req->lab->sites[i].id, req->arg[0]) == 0)
            return i;
    lab_mist_not_found(res);
    return -1;
}

static bool limit_of(struct lab_req *req, struct lab_res *res, long *ret)
{
    const char *text = lab_query(req, "limit");
    char *end = NULL;

    *ret = text ? strtol(text, &end, 10) : 100;
    if (text && (*end || *ret < 1)) {
        lab_mist_bad(res, "limit must be a positive integer");
        return false;
    }
    *ret = ft_min(*ret, 1000);
    return true;
}

void lab_mist_page(struct lab_req *req, struct lab_res *res, json_t *all)
{
    const char *page_text = lab_query(req, "page");
    long limit, page = page_text ? atol(page_text) : 1, total = (long)json_array_size(all);
    json_t *list = json_array();

    if (limit_of(req, res, &limit)) {
        for (long i = (page - 1) * limit; page >= 1 && i < page * limit && i < total; i++)
            json_array_append(list, json_array_get(all, (size_t)i));
        lab_add_header(res, "X-Page-Limit", "%ld", limit);
        lab_add_header(res, "X-Page-Page", "%ld", page);
        lab_add_header(res, "X-Page-Total", "%ld", total);
        res->json = json_incref(list);
    }
    json_decref(list);
    json_decref(all);
}

/* "1763691185", "-1d", "now" */
static bool moment(const struct lab_req *req, const char *text, double *ret)
{
    uint64_t ms;
    char *end;

    if (strcmp(text, "now") == 0)
        return *ret = req->lab->wall, true;
    if (text[0] == '-' && ft_duration_parse(text + 1, &ms) == 0)
        return *ret = req->lab->wall - (double)ms / 1000, true;
    *ret = strtod(text, &end);
    return *text && !*end;
}

bool lab_mist_range(const struct lab_req *req, double *ret_start, double *ret_end)
{
    const char *start = lab_query(req, "start"), *end = lab_query(req, "end"), *duration = lab_query(req, "duration");
    uint64_t ms = 86400000;

    *ret_end = req->lab->wall;
    if ((end && !moment(req, end, ret_end)) || (duration && ft_duration_parse(duration, &ms) < 0))
        return false;
    *ret_start = *ret_end - (double)ms / 1000;
    return !start || moment(req, start, ret_start);
}

static double stamp(const json_t *item)
{
    return json_number_value(json_object_get(item, "timestamp"));
}

static int newest_first(const void *a, const void *b)
{
    double x = stamp(*(json_t *const *)a), y = stamp(*(json_t *const *)b);

    return x > y ? -1 : x < y;
}

/* The query string again, without what the next page has of its own. */
static void next_query(struct lab_req *req, struct ft_buf *out, long offset)
{
    static const char *const keep[] = { "limit", "start", "end", "duration", "type", "mac", "ap", "site_id", "ssid", "hostname", "text", "band",
                                        "wlan_id", "severity", "group", "acked", "status", "port_id", "up", "device_type", NULL };

    ft_buf_addf(out, "%s?", req->path);
    for (int i = 0; keep[i]; i++) {
        const char *value = lab_query(req, keep[i]);

        if (value)
            ft_buf_addf(out, "%s=%s&", keep[i], value);
    }
    ft_buf_addf(out, "search_after=%%5B%ld%%2C%ld%%5D", (long)req->lab->wall, offset);
}

void lab_mist_cursor(struct lab_req *req, struct lab_res *res, json_t *all)
{
    const char *after = lab_query(req, "search_after"), *comma = after ? strchr(after, ',') : NULL;
    long limit, offset = comma ? atol(comma + 1) : 0, total = (long)json_array_size(all);
    json_t **sorted = ft_calloc((size_t)total + 1, sizeof(*sorted)), *list = json_array();
    struct ft_buf next = FT_BUF_INIT(0);
    double start, end;

    for (long i = 0; i < total; i++)
        sorted[i] = json_array_get(all, (size_t)i);
    qsort(sorted, (size_t)total, sizeof(*sorted), newest_first);
    if (!lab_mist_range(req, &start, &end)) {
        lab_mist_bad(res, "start, end or duration is not a time");
    } else if (limit_of(req, res, &limit)) {
        for (long i = ft_max(offset, 0); i < total && i < offset + limit; i++)
            json_array_append(list, sorted[i]);
        res->json = json_pack("{s:f, s:f, s:i, s:i, s:O}", "start", floor(start), "end", floor(end), "limit", (int)limit, "total", (int)total,
                              "results", list);
        if (offset + limit < total) {
            next_query(req, &next, offset + limit);
            json_object_set_new(res->json, "next", json_string(ft_buf_str(&next)));
        }
    }
    ft_buf_done(&next);
    free(sorted);
    json_decref(list);
    json_decref(all);
}

/* Comma-separated alternatives; a filter on a list matches any of its items. */
static bool value_matches(const json_t *value, const char *wanted)
{
    char text[128];
    const char *at = wanted;

    if (json_is_array(value)) {
        size_t i;
        json_t *item;

        json_array_foreach(value, i, item)
            if (value_matches(item, wanted))
                return true;
        return false;
    }
    if (json_is_string(value))
        snprintf(text, sizeof(text), "%s", json_string_value(value));
    else if (json_is_integer(value))
        snprintf(text, sizeof(text), "%d", (int)json_integer_value(value));
    else if (json_is_boolean(value))
        snprintf(text, sizeof(text), "%s", json_is_true(value) ? "true" : "false");
    else
        return false;
    while (*at) {
        size_t n = strcspn(at, ",");

        if (strlen(text) == n && strncasecmp(text, at, n) == 0)
            return true;
        at += n + (at[n] == ',');
    }
    return false;
}

bool lab_mist_matches(struct lab_req *req, const json_t *item, const char *const *keys)
{
    for (; *keys; keys++) {
        const char *wanted = lab_query(req, *keys);

        if (wanted && !value_matches(json_object_get(item, *keys), wanted))
            return false;
    }
    return true;
}

json_t *lab_mist_in_range(struct lab_req *req, const json_t *events, int site, bool (*keep)(struct lab_req *, const json_t *))
{
    json_t *list = json_array(), *event;
    double start, end;
    size_t i;

    if (!lab_mist_range(req, &start, &end))
        return list;
    json_array_foreach(events, i, event)
        if (stamp(event) >= start && stamp(event) <= end + 1
            && (site < 0 || ft_streq(json_string_value(json_object_get(event, "site_id")), req->lab->sites[site].id))
            && (!keep || keep(req, event)))
            json_array_append(list, event);
    return list;
}

void lab_mist_audit(struct lab *lab, int site, const char *message)
{
    char id[37], seed[40];

    snprintf(seed, sizeof(seed), "audit %lu", ++lab->serial);
    lab_uuid(lab, seed, id);
    json_array_append_new(lab->audit, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:f}", "admin_id", LAB_ADMIN, "admin_name", "fettle (API token)",
        "id", id, "message", message, "org_id", LAB_ORG, "site_id", site >= 0 ? lab->sites[site].id : "", "timestamp", lab->wall));
}

/* ---- self, org, sites ---- */

static void self_get(struct lab_req *req, struct lab_res *res)
{
    (void)req;
    res->json = json_pack("{s:s, s:s, s:[{s:s, s:s, s:s, s:s}], s:[]}", "name", "fettle", "email", "", "privileges", "scope", "org", "org_id",
                          LAB_ORG, "name", "Corp", "role", "admin", "tags");
}

static void self_usage(struct lab_req *req, struct lab_res *res)
{
    res->json = json_pack("{s:i, s:i}", "request_limit", (int)req->lab->mist_limit, "requests", (int)req->lab->mist_calls);
}

static void org_get(struct lab_req *req, struct lab_res *res)
{
    res->json = json_pack("{s:s, s:s, s:f, s:f, s:b}", "id", LAB_ORG, "name", "Corp", "created_time", req->lab->wall - 9e7, "modified_time",
                          req->lab->wall - 1e6, "allow_mist", 1);
}

static json_t *site_object(const struct lab *lab, int i)
{
    const struct lab_site *s = &lab->sites[i];

    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:{s:f, s:f}, s:[], s:f, s:f}", "id", s->id, "org_id", LAB_ORG, "name", s->name, "timezone",
        s->timezone, "country_code", s->country, "address", s->address, "latlng", "lat", s->lat, "lng", s->lng, "sitegroup_ids",
        "created_time", floor(lab->wall - 8e7), "modified_time", floor(lab->wall - 2e6));
}

static json_t *site_objects(const struct lab *lab)
{
    json_t *list = json_array();

    for (int i = 0; i < lab->n_sites; i++)
        json_array_append_new(list, site_object(lab, i));
    return list;
}

static void org_sites(struct lab_req *req, struct lab_res *res)
{
    lab_mist_page(req, res, site_objects(req->lab));
}

static void sites_search(struct lab_req *req, struct lab_res *res)
{
    const char *name = lab_query(req, "name");
    json_t *list = json_array(), *all = site_objects(req->lab), *site;
    char plain[64] = "";
    size_t i;

    for (const char *p = name ? name : ""; *p && strlen(plain) + 1 < sizeof(plain); p++)
        if (*p != '*')
            strncat(plain, p, 1);
    json_array_foreach(all, i, site)
        if (strcasestr(json_string_value(json_object_get(site, "name")), plain))
            json_array_append(list, site);
    json_decref(all);
    lab_mist_cursor(req, res, list);
}

static void site_get(struct lab_req *req, struct lab_res *res)
{
    int site = lab_mist_site(req, res);

    if (site >= 0)
        res->json = site_object(req->lab, site);
}

static void site_stats(struct lab_req *req, struct lab_res *res)
{
    struct lab *lab = req->lab;
    int site = lab_mist_site(req, res), aps = 0, up = 0, switches = 0, switches_up = 0, clients = 0;

    if (site < 0)
        return;
    for (int i = 0; i < lab->n_aps; i++)
        aps += lab->aps[i].site == site, up += lab->aps[i].site == site && lab->aps[i].state == AP_UP;
    for (int i = 0; i < lab->n_switches; i++)
        switches += lab->switches[i].site == site, switches_up += lab->switches[i].site == site && !lab->switches[i].down;
    for (int i = 0; i < lab->n_clients; i++)
        clients += lab->clients[i].site == site && lab_associated(&lab->clients[i]);
    res->json = site_object(lab, site);
    json_object_update_new(res->json, json_pack("{s:i, s:i, s:i}", "num_gateway", site == 0, "num_gateway_connected", site == 0, "tzoffset", 60));
    json_object_update_new(res->json, json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "num_ap", aps, "num_ap_connected", up, "num_switch", switches,
        "num_switch_connected", switches_up, "num_clients", clients, "num_devices", aps + switches, "num_devices_connected", up + switches_up));
}

static void org_stats(struct lab_req *req, struct lab_res *res)
{
    struct lab *lab = req->lab;
    int up = 0;

    for (int i = 0; i < lab->n_aps; i++)
        up += lab->aps[i].state == AP_UP;
    for (int i = 0; i < lab->n_switches; i++)
        up += !lab->switches[i].down;
    res->json = json_pack("{s:s, s:s, s:i, s:i, s:i, s:i}", "id", LAB_ORG, "name", "Corp", "num_sites", lab->n_sites, "num_devices",
        lab->n_aps + lab->n_switches, "num_devices_connected", up, "num_devices_disconnected", lab->n_aps + lab->n_switches - up);
}

/* ---- configuration objects: each top-level key that is sent is replaced whole ---- */

static void put_object(struct lab_req *req, struct lab_res *res, json_t *object, int site, const char *what)
{
    if (!json_is_object(req->json)) {
        lab_mist_bad(res, "JSON parse error - expected an object");
        return;
    }
    json_object_update(object, req->json);
    json_object_set_new(object, "modified_time", json_real(floor(req->lab->wall)));
    req->done = true;
    lab_mist_audit(req->lab, site, what);
    res->json = json_deep_copy(object);
}

static void setting_get(struct lab_req *req, struct lab_res *res)
{
    int site = lab_mist_site(req, res);

    char url[160];

    if (site < 0)
        return;
    res->json = json_deep_copy(req->lab->sites[site].setting);
    if (json_object_get(lab_mist_state(req->lab, "blocklists"), req->lab->sites[site].id)) {
        snprintf(url, sizeof(url), "%s/store/blocklist/%s", req->lab->url, req->lab->sites[site].id);
        json_object_set_new(res->json, "blacklist_url", json_string(url));
    }
}

static void setting_put(struct lab_req *req, struct lab_res *res)
{
    int site = lab_mist_site(req, res);

    if (site >= 0)
        put_object(req, res, req->lab->sites[site].setting, site, "Update Site Settings");
    if (site >= 0 && req->done)
        lab_mist_push_site(req->lab, site);
}

static void wlans_get(struct lab_req *req, struct lab_res *res)
{
    int site = lab_mist_site(req, res);
    json_t *list = json_array();

    for (int i = 0; site >= 0 && i < req->lab->n_wlans; i++)
        if (req->lab->wlans[i].site == site)
            json_array_append_new(list, json_deep_copy(req->lab->wlans[i].object));
    if (site >= 0)
        lab_mist_page(req, res, json_incref(list));
    json_decref(list);
}

static int find_wlan(struct lab_req *req, struct lab_res *res, int site, const char *id)
{
    for (int i = 0; site >= 0 && i < req->lab->n_wlans; i++)
        if (req->lab->wlans[i].site == site && strcmp(req->lab->wlans[i].id, id) == 0)
            return i;
    lab_mist_not_found(res);
    return -1;
}

static void wlan_get(struct lab_req *req, struct lab_res *res)
{
    int wlan = find_wlan(req, res, lab_mist_site(req, res), req->arg[1]);

    if (wlan >= 0)
        res->json = json_deep_copy(req->lab->wlans[wlan].object);
}

static void wlan_put(struct lab_req *req, struct lab_res *res)
{
    int site = lab_mist_site(req, res), wlan = find_wlan(req, res, site, req->arg[1]);
    json_t *vlan = json_object_get(req->json, "vlan_id");

    if (wlan < 0)
        return;
    put_object(req, res, req->lab->wlans[wlan].object, site, "Update WLAN");
    if (req->done && vlan)
        req->lab->wlans[wlan].vlan = json_is_string(vlan) ? atoi(json_string_value(vlan)) : (int)json_integer_value(vlan);
    if (req->done)
        lab_mist_push_site(req->lab, site);
}

static bool org_log_kept(struct lab_req *req, const json_t *item)
{
    static const char *const keys[] = { "site_id", "admin_name", NULL };
    const char *message = lab_query(req, "message");

    return lab_mist_matches(req, item, keys) && (!message || strcasestr(json_string_value(json_object_get(item, "message")), message));
}

static void logs(struct lab_req *req, struct lab_res *res)
{
    lab_mist_cursor(req, res, lab_mist_in_range(req, req->lab->audit, -1, org_log_kept));
}

/* ---- constants ---- */

static void const_client_events(struct lab_req *req, struct lab_res *res)
{
    static const char *const keys[] = { "CLIENT_ASSOCIATION", "CLIENT_REASSOCIATION", "CLIENT_AUTHENTICATED", "CLIENT_DEAUTHENTICATION",
        "CLIENT_DEASSOCIATION", "CLIENT_IP_ASSIGNED", "CLIENT_GW_ARP_OK", "CLIENT_GW_ARP_FAILURE", "CLIENT_DNS_OK", "MARVIS_DNS_FAILURE",
        "MARVIS_EVENT_CLIENT_AUTH_FAILURE", "MARVIS_EVENT_CLIENT_AUTH_DENIED", "MARVIS_EVENT_CLIENT_DHCP_FAILURE",
        "MARVIS_EVENT_CLIENT_DHCP_STUCK", "MARVIS_EVENT_CLIENT_DHCP_NAK", "RADIUS_DAS_NOTIFY" };

    (void)req;
    res->json = json_array();
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        json_array_append_new(res->json, json_pack("{s:s, s:s}", "key", keys[i], "display", keys[i]));
}

static void const_device_events(struct lab_req *req, struct lab_res *res)
{
    static const char *const keys[] = { "AP_CONNECTED", "AP_DISCONNECTED", "AP_RESTARTED", "AP_RESTART_BY_USER", "AP_CONFIG_CHANGED_BY_RRM",
        "AP_CONFIG_CHANGED_BY_USER", "AP_CONFIGURED", "AP_RECONFIGURED", "AP_CONFIG_FAILED", "AP_UPGRADED", "SW_CONNECTED", "SW_DISCONNECTED", "SW_PORT_UP", "SW_PORT_DOWN", "SW_CONFIGURED", "SW_CONFIG_REVERTED",
        "SW_RESTART_BY_USER" };

    (void)req;
    res->json = json_array();
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        json_array_append_new(res->json, json_pack("{s:s, s:s, s:s}", "key", keys[i], "display", keys[i], "description", keys[i]));
}

static void const_alarm_defs(struct lab_req *req, struct lab_res *res)
{
    (void)req;
    res->json = json_pack("[{s:s,s:s,s:s,s:s,s:[s,s]}, {s:s,s:s,s:s,s:s,s:[s,s]}, {s:s,s:s,s:s,s:s,s:[s,s]}]",
        "key", "device_down", "display", "Device offline", "group", "infrastructure", "severity", "warn", "fields", "hostnames", "aps",
        "key", "switch_down", "display", "Switch offline", "group", "infrastructure", "severity", "warn", "fields", "hostnames", "switches",
        "key", "infra_dhcp_failure", "display", "DHCP Failure (beta)", "group", "infrastructure", "severity", "critical", "fields", "vlans", "aps");
}

static void const_webhook_topics(struct lab_req *req, struct lab_res *res)
{
    (void)req;
    res->json = json_pack("[{s:b,s:b,s:s},{s:b,s:b,s:s},{s:b,s:b,s:s}]", "for_org", 1, "has_delivery_results", 1, "key", "alarms",
        "for_org", 1, "has_delivery_results", 1, "key", "audits", "for_org", 1, "has_delivery_results", 1, "key", "device-updowns");
}

static void const_insight_metrics(struct lab_req *req, struct lab_res *res)
{
    (void)req;
    res->json = json_pack("{s:{s:s, s:[s,s,s], s:s, s:s}}", "num_clients", "description", "Number of client over time", "scopes", "site", "ap",
                          "device", "type", "timeseries", "unit", "");
}

static void const_nac_events(struct lab_req *req, struct lab_res *res)
{
    (void)req;
    res->json = json_pack("[{s:s}, {s:s}, {s:s}]", "type", "NAC_CLIENT_PERMIT", "type", "NAC_CLIENT_DENY", "type", "NAC_SESSION_STARTED");
}

static void const_system_events(struct lab_req *req, struct lab_res *res)
{
    (void)req;
    res->json = json_pack("[{s:s, s:s, s:s}]", "key", "CRADLEPOINT_SYNC_FAILED", "display", "Cradlepoint sync failed", "description", "Cradlepoint sync failed");
}

static void const_device_models(struct lab_req *req, struct lab_res *res)
{
    (void)req;
    res->json = json_pack("[{s:s, s:s, s:s}, {s:s, s:s, s:s}]", "model", "AP43", "type", "ap", "display", "AP43", "model", "EX4100-48MP", "type", "switch", "display",
                          "EX4100-48MP");
}

static void const_traffic_types(struct lab_req *req, struct lab_res *res)
{
    (void)req;
    res->json = json_pack("[{s:s, s:s, s:i, s:i, s:s}]", "name", "voice", "display", "Voice", "dscp", 46, "failover_policy", 0, "traffic_class", "high");
}

/* ---- */

static const struct lab_route routes[] = {
    { "GET", "/api/v1/const/nac_events", const_nac_events },
    { "GET", "/api/v1/const/system_events", const_system_events },
    { "GET", "/api/v1/const/device_models", const_device_models },
    { "GET", "/api/v1/const/traffic_types", const_traffic_types },
    { "GET", "/api/v1/self", self_get },
    { "GET", "/api/v1/self/usage", self_usage },
    { "GET", "/api/v1/orgs/{}", org_get },
    { "GET", "/api/v1/orgs/{}/stats", org_stats },
    { "GET", "/api/v1/orgs/{}/sites", org_sites },
    { "GET", "/api/v1/orgs/{}/sites/search", sites_search },
    { "GET", "/api/v1/orgs/{}/logs", logs },
    { "GET", "/api/v1/orgs/{}/logs/search", logs },
    { "GET", "/api/v1/sites/{}", site_get },
    { "GET", "/api/v1/sites/{}/stats", site_stats },
    { "GET", "/api/v1/sites/{}/setting", setting_get },
    { "GET", "/api/v1/sites/{}/setting/derived", setting_get },
    { "PUT", "/api/v1/sites/{}/setting", setting_put },
    { "GET", "/api/v1/sites/{}/wlans", wlans_get },
    { "GET", "/api/v1/sites/{}/wlans/derived", wlans_get },
    { "GET", "/api/v1/sites/{}/wlans/{}", wlan_get },
    { "PUT", "/api/v1/sites/{}/wlans/{}", wlan_put },
    { "GET", "/api/v1/const/client_events", const_client_events },
    { "GET", "/api/v1/const/device_events", const_device_events },
    { "GET", "/api/v1/const/alarm_defs", const_alarm_defs },
    { "GET", "/api/v1/const/webhook_topics", const_webhook_topics },
    { "GET", "/api/v1/const/insight_metrics", const_insight_metrics },
    { 0 },
};

static bool admitted(struct lab_req *req, struct lab_res *res)
{
    struct lab *lab = req->lab;
    const char *auth = lab_header(req, "Authorization");

    if (!auth || strncasecmp(auth, "Token ", 6) != 0 || strcmp(auth + 6, lab->mist_token) != 0) {
        res->status = 401;
        res->json = json_pack("{s:s}", "detail", "Authentication credentials were not provided.");
        return false;
    }
    if (floor(lab->wall / 3600) != lab->mist_hour) {
        lab->mist_hour = floor(lab->wall / 3600);
        lab->mist_calls = 0;
    }
    if (++lab->mist_calls > lab->mist_limit) {
        char detail[160];

        snprintf(detail, sizeof(detail), "Too Many Request. The API Token used for the request reached the %ld API Calls per hour threshold",
                 lab->mist_limit);
        res->status = 429;
        res->json = json_pack("{s:s}", "detail", detail);
        return false;
    }
    return true;
}

void lab_mist(struct lab_req *req, struct lab_res *res)
{
    /* what names a thing before what names any: devices/upgrade before devices/{} */
    const struct lab_route *const tables[] = { lab_mist_command_routes, lab_mist_firmware_routes, lab_mist_tool_routes, lab_mist_config_routes, routes,
                                               lab_mist_client_routes, lab_mist_device_routes, lab_mist_rf_routes };
    bool other = false, other_method = false;
    char detail[300];

    if (strncmp(req->path, "/api/v1/const/", 14) != 0 && !admitted(req, res))
        return;
    if (req->bad_json) {
        snprintf(detail, sizeof(detail), "JSON parse error - %s", req->bad_json);
        lab_mist_bad(res, detail);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        lab_handler *handle = lab_route(req, tables[i], &other);

        other_method = other_method || other;
        if (!handle)
            continue;
        if (req->n_seg > 3 && strcmp(req->seg[2], "orgs") == 0 && strcmp(req->seg[3], LAB_ORG) != 0)
            lab_mist_not_found(res);
        else
            handle(req, res);
        return;
    }
    lab_mist_not_found(res);
    if (other_method) {
        res->status = 405;
        json_object_set_new(res->json, "detail", json_sprintf("Method \"%s\" not allowed.", req->method));
    }
}
