/* mist_rf.c: service levels, radio resource management, rogues, alarms. */
#include "lab.h"

/* ---- service levels: of each classifier, who suffers from it now ---- */

enum { SLE_HOURS = 24 };

static int radio_use(const struct lab *lab, const struct lab_client *c, int which)
{
    int use[6];

    if (c->ap < 0)
        return 0;
    lab_use(lab, c->ap, c->band, use);
    return use[which];
}

static bool heard(const struct lab *lab, const struct lab_client *c, double *ret_rssi, double *ret_snr)
{
    if (!lab_associated(c))
        return false;
    *ret_rssi = lab_rssi(lab, c, c->ap, c->band);
    *ret_snr = *ret_rssi - lab_noise(&lab->aps[c->ap].radios[c->band]);
    return true;
}

static bool weak(const struct lab *lab, const struct lab_client *c)
{
    double rssi, snr;

    return heard(lab, c, &rssi, &snr) && rssi < -72;
}

static bool crowded(const struct lab *lab, const struct lab_client *c)
{
    return lab_associated(c) && lab_ap_clients(lab, c->ap, -1) > 40;
}

static bool wifi_interference(const struct lab *lab, const struct lab_client *c)
{
    return lab_associated(c) && radio_use(lab, c, 3) >= 50;
}

static bool other_interference(const struct lab *lab, const struct lab_client *c)
{
    return lab_associated(c) && radio_use(lab, c, 5) >= 20;
}

static bool rejected(const struct lab *lab, const struct lab_client *c)
{
    (void)lab;
    return c->state == CLIENT_REJECTED;
}

static bool dhcp_unanswered(const struct lab *lab, const struct lab_client *c)
{
    (void)lab;
    return c->state == CLIENT_NO_ADDRESS && !c->clings_to;
}

static bool dhcp_nak(const struct lab *lab, const struct lab_client *c)
{
    (void)lab;
    return c->state == CLIENT_NO_ADDRESS && c->clings_to;
}

static bool no_names(const struct lab *lab, const struct lab_client *c)
{
    return lab->dns_down && c->state == CLIENT_UP;
}

static bool sticky(const struct lab *lab, const struct lab_client *c)
{
    return lab_associated(c) && c->stuck >= 0 && lab_rssi(lab, c, c->own_ap, c->band) > lab_rssi(lab, c, c->ap, c->band) + 10;
}

static bool slow_wan(const struct lab *lab, const struct lab_client *c)
{
    return lab->wan_ms > 200 && c->site == 0 && c->state == CLIENT_UP;
}

static bool own_ap_is(const struct lab *lab, const struct lab_client *c, enum lab_ap_state a, enum lab_ap_state b, bool sw_down)
{
    const struct lab_ap *ap = &lab->aps[c->own_ap];

    return (ap->state == a || ap->state == b) && lab->switches[ap->sw].down == sw_down;
}

static bool ap_unreachable(const struct lab *lab, const struct lab_client *c)
{
    return own_ap_is(lab, c, AP_HUNG, AP_CUT_OFF, false) || own_ap_is(lab, c, AP_OFF, AP_OFF, false);
}

static bool ap_rebooting(const struct lab *lab, const struct lab_client *c)
{
    return own_ap_is(lab, c, AP_BOOTING, AP_BOOTING, false);
}

static bool ap_switch_down(const struct lab *lab, const struct lab_client *c)
{
    return lab->switches[lab->aps[c->own_ap].sw].down;
}

static bool nobody(const struct lab *lab, const struct lab_client *c)
{
    (void)lab;
    (void)c;
    return false;
}

static const struct classifier { const char *metric, *name; bool (*suffers)(const struct lab *, const struct lab_client *); } classifiers[] = {
    { "coverage", "weak-signal", weak }, { "coverage", "asymmetry-downlink", nobody }, { "coverage", "asymmetry-uplink", nobody },
    { "capacity", "client-count", crowded }, { "capacity", "client-usage", nobody }, { "capacity", "wifi-interference", wifi_interference },
    { "capacity", "non-wifi-interference", other_interference },
    { "time-to-connect", "association", nobody }, { "time-to-connect", "authorization", rejected }, { "time-to-connect", "dhcp-nack", dhcp_nak },
    { "time-to-connect", "dhcp-stuck", nobody }, { "time-to-connect", "dhcp-unresponsive", dhcp_unanswered }, { "time-to-connect", "IP-Services", no_names },
    { "failed-to-connect", "association", nobody }, { "failed-to-connect", "authorization", rejected }, { "failed-to-connect", "dns", no_names },
    { "failed-to-connect", "dhcp-incomplete", nobody }, { "failed-to-connect", "dhcp-nack", dhcp_nak },
    { "failed-to-connect", "dhcp-discover-unresponsive", dhcp_unanswered }, { "failed-to-connect", "dhcp-renew-unresponsive", nobody },
    { "failed-to-connect", "arp", nobody },
    { "roaming", "latency-slow-standard-roam", nobody }, { "roaming", "latency-slow-11r-roam", nobody },
    { "roaming", "stability-failed-to-fast-roam", nobody }, { "roaming", "signal-quality-suboptimal-roam", nobody },
    { "roaming", "signal-quality-sticky-client", sticky }, { "roaming", "signal-quality-interband-roam", nobody },
    { "throughput", "network-issues", slow_wan }, { "throughput", "coverage", weak }, { "throughput", "device-capability", nobody },
    { "throughput", "capacity-non-wifi-interference", other_interference }, { "throughput", "capacity-wifi-interference", wifi_interference },
    { "throughput", "capacity-excessive-client-load", crowded }, { "throughput", "capacity-high-bandwidth-utilization", nobody },
    { "ap-availability", "ap-reboot", ap_rebooting }, { "ap-availability", "ap-unreachable", ap_unreachable }, { "ap-availability", "switch-down", ap_switch_down },
    { "ap-health", "low-power", nobody }, { "ap-health", "ap-disconnected-ap-reboot", ap_rebooting },
    { "ap-health", "ap-disconnected-ap-unreachable", ap_unreachable }, { "ap-health", "ap-disconnected-switch-down", ap_switch_down },
    { "ap-health", "network-latency", slow_wan }, { "ap-health", "ethernet-ethernet-errors", nobody },
};

static const char *const metrics[] = { "coverage", "capacity", "time-to-connect", "failed-to-connect", "roaming", "throughput", "ap-availability",
                                       "ap-health", NULL };

/* The two names of one metric, and the version suffix of roaming. */
static const char *metric_name(const char *asked)
{
    if (strcmp(asked, "successful-connect") == 0)
        return "failed-to-connect";
    if (strcmp(asked, "roaming-v2") == 0)
        return "roaming";
    for (int i = 0; metrics[i]; i++)
        if (strcmp(metrics[i], asked) == 0)
            return metrics[i];
    return NULL;
}

struct scope { int site, ap, sw, client; };

/* arg[1], arg[2]: site, ap, switch, gateway, client and its id. False: answered 404. */
static bool scope_of(struct lab_req *req, struct lab_res *res, struct scope *ret)
{
    *ret = (struct scope){ .site = lab_mist_site(req, res), .ap = -1, .sw = -1, .client = -1 };
    if (ret->site < 0)
        return false;
    if (strcmp(req->arg[1], "ap") == 0)
        ret->ap = lab_find_ap(req->lab, req->arg[2]);
    else if (strcmp(req->arg[1], "switch") == 0)
        ret->sw = lab_find_switch(req->lab, req->arg[2]);
    else if (strcmp(req->arg[1], "client") == 0)
        ret->client = lab_find_client(req->lab, req->arg[2]);
    else if (strcmp(req->arg[1], "site") == 0 && strcmp(req->arg[2], req->arg[0]) == 0)
        return true;
    if (ret->ap >= 0 || ret->sw >= 0 || ret->client >= 0)
        return true;
    lab_mist_not_found(res);
    return false;
}

static bool in_scope(const struct lab *lab, const struct scope *s, const struct lab_client *c)
{
    if (c->site != s->site || c->state == CLIENT_AWAY)
        return false;
    if (s->client >= 0)
        return c == &lab->clients[s->client];
    if (s->ap >= 0)
        return c->own_ap == s->ap || c->ap == s->ap;
    return s->sw < 0 || (c->ap >= 0 && lab->aps[c->ap].sw == s->sw);
}

struct tally { int users, total_users, aps, total_aps; };

/* which: NULL: any classifier of the metric. */
static bool suffers(const struct lab *lab, const struct lab_client *c, const char *metric, const char *which)
{
    for (size_t i = 0; i < ARRAY_LEN(classifiers); i++)
        if (strcmp(classifiers[i].metric, metric) == 0 && (!which || strcmp(which, classifiers[i].name) == 0) && classifiers[i].suffers(lab, c))
            return true;
    return false;
}

static struct tally tally(const struct lab *lab, const struct scope *s, const char *metric, const char *which)
{
    struct tally t = { 0 };
    bool seen[LAB_MAX_APS] = { false }, bad[LAB_MAX_APS] = { false };

    for (int i = 0; i < lab->n_clients; i++) {
        const struct lab_client *c = &lab->clients[i];
        bool hurt;

        if (!in_scope(lab, s, c))
            continue;
        hurt = suffers(lab, c, metric, which);
        t.total_users++;
        t.users += hurt;
        seen[c->own_ap] = true;
        bad[c->own_ap] = bad[c->own_ap] || hurt;
    }
    for (int i = 0; i < LAB_MAX_APS; i++)
        t.total_aps += seen[i], t.aps += bad[i];
    return t;
}

static json_t *impact(struct tally t)
{
    return json_pack("{s:i, s:i, s:i, s:i}", "num_aps", t.aps, "num_users", t.users, "total_aps", t.total_aps, "total_users", t.total_users);
}

/* A day of hours: good but for the last one, which is as it is now. */
static json_t *series(double before, double now)
{
    json_t *list = json_array();

    for (int i = 0; i < SLE_HOURS; i++)
        json_array_append_new(list, json_real(i == SLE_HOURS - 1 ? now : before));
    return list;
}

static json_t *classifier_object(const struct lab *lab, const struct scope *s, const char *metric, const char *name)
{
    struct tally t = tally(lab, s, metric, name);

    return json_pack("{s:s, s:i, s:s, s:s, s:o, s:{s:o, s:o, s:o}}", "name", name, "interval", 3600, "x_label", "seconds", "y_label", "user-minutes",
        "impact", impact(t), "samples", "degraded", series(0, t.users * 60.0), "duration", series(0, t.users * 60.0),
        "total", series(t.total_users * 60.0, t.total_users * 60.0));
}

static void sle_metrics(struct lab_req *req, struct lab_res *res)
{
    struct scope s;
    json_t *names = json_array();

    for (int i = 0; metrics[i]; i++)
        json_array_append_new(names, json_string(metrics[i]));
    if (scope_of(req, res, &s))
        res->json = json_pack("{s:O, s:O}", "enabled", names, "supported", names);
    json_decref(names);
}

/* What begins every handler of one metric; NULL: answered. */
static const char *metric_of(struct lab_req *req, struct lab_res *res, struct scope *s)
{
    const char *metric;

    if (!scope_of(req, res, s))
        return NULL;
    metric = metric_name(req->arg[3]);
    if (!metric)
        lab_mist_not_found(res);
    return metric;
}

static void sle_summary(struct lab_req *req, struct lab_res *res)
{
    struct lab *lab = req->lab;
    struct scope s;
    const char *metric = metric_of(req, res, &s);
    json_t *list = json_array();
    struct tally t;
    double start = 0, end = 0;

    if (!metric) {
        json_decref(list);
        return;
    }
    lab_mist_range(req, &start, &end);
    for (size_t i = 0; i < ARRAY_LEN(classifiers); i++)
        if (strcmp(classifiers[i].metric, metric) == 0)
            json_array_append_new(list, classifier_object(lab, &s, metric, classifiers[i].name));
    t = tally(lab, &s, metric, NULL);
    res->json = json_pack("{s:f, s:f, s:o, s:[], s:o, s:{s:s, s:i, s:s, s:s, s:{s:o, s:o, s:o}}}", "start", floor(start), "end", floor(end),
        "classifiers", list, "events", "impact", impact(t), "sle", "name", req->arg[3], "interval", 3600, "x_label", "seconds", "y_label", "%",
        "samples", "degraded", series(0, t.users * 60.0), "total", series(t.total_users * 60.0, t.total_users * 60.0),
        "value", series(1, t.total_users ? 1 - (double)t.users / t.total_users : 1));
}

static void sle_classifiers(struct lab_req *req, struct lab_res *res)
{
    struct scope s;
    const char *metric = metric_of(req, res, &s);

    if (!metric)
        return;
    res->json = json_array();
    for (size_t i = 0; i < ARRAY_LEN(classifiers); i++)
        if (strcmp(classifiers[i].metric, metric) == 0)
            json_array_append_new(res->json, json_string(classifiers[i].name));
}

static void sle_classifier(struct lab_req *req, struct lab_res *res)
{
    struct scope s;
    const char *metric = metric_of(req, res, &s);
    double start = 0, end = 0;

    if (!metric)
        return;
    lab_mist_range(req, &start, &end);
    for (size_t i = 0; i < ARRAY_LEN(classifiers); i++)
        if (strcmp(classifiers[i].metric, metric) == 0 && strcmp(classifiers[i].name, req->arg[4]) == 0) {
            res->json = json_pack("{s:o, s:f, s:f, s:[], s:o, s:s}", "classifier", classifier_object(req->lab, &s, metric, req->arg[4]),
                "start", floor(start), "end", floor(end), "failures", "impact", impact(tally(req->lab, &s, metric, NULL)), "metric", req->arg[3]);
            return;
        }
    lab_mist_not_found(res);
}

static void sle_impact(struct lab_req *req, struct lab_res *res)
{
    struct lab *lab = req->lab;
    struct scope s;
    const char *metric = metric_of(req, res, &s), *which = lab_query(req, "classifier");
    json_t *aps = json_array(), *wlans = json_array();
    double start = 0, end = 0;

    lab_mist_range(req, &start, &end);
    for (int a = 0; metric && a < lab->n_aps; a++) {
        struct scope one = { .site = s.site, .ap = a, .sw = -1, .client = -1 };
        struct tally t = tally(lab, &one, metric, which);

        if (lab->aps[a].site == s.site && t.users)
            json_array_append_new(aps, json_pack("{s:s, s:s, s:i, s:i, s:i}", "ap_mac", lab->aps[a].mac, "name", lab->aps[a].name, "degraded",
                                                 t.users * 60, "duration", 0, "total", t.total_users * 60));
    }
    for (int w = 0; metric && w < lab->n_wlans; w++) {
        int hurt = 0, all = 0;

        for (int i = 0; i < lab->n_clients; i++)
            if (lab->clients[i].wlan == w && in_scope(lab, &s, &lab->clients[i]))
                all++, hurt += suffers(lab, &lab->clients[i], metric, which);
        if (hurt)
            json_array_append_new(wlans, json_pack("{s:s, s:s, s:i, s:i, s:i}", "wlan_id", lab->wlans[w].id, "name", lab->wlans[w].ssid, "degraded",
                                                   hurt * 60, "duration", 0, "total", all * 60));
    }
    if (metric)
        res->json = json_pack("{s:O, s:O, s:[], s:[], s:[], s:s, s:s, s:s, s:f, s:f}", "ap", aps, "wlan", wlans, "band", "device_os", "device_type",
                              "classifier", which ? which : "", "failure", "", "metric", req->arg[3], "start", floor(start), "end", floor(end));
    json_decref(aps);
    json_decref(wlans);
}

static void sle_users(struct lab_req *req, struct lab_res *res)
{
    struct lab *lab = req->lab;
    struct scope s;
    const char *metric = metric_of(req, res, &s), *which = lab_query(req, "classifier");
    json_t *users;
    double start = 0, end = 0;

    if (!metric)
        return;
    lab_mist_range(req, &start, &end);
    users = json_array();
    for (int i = 0; i < lab->n_clients; i++) {
        const struct lab_client *c = &lab->clients[i];
        const struct lab_ap *ap = &lab->aps[c->ap >= 0 ? c->ap : c->own_ap];

        if (in_scope(lab, &s, c) && suffers(lab, c, metric, which))
            json_array_append_new(users, json_pack("{s:s, s:s, s:i, s:s, s:s, s:i, s:s, s:s, s:s, s:i, s:s}", "ap_mac", ap->mac, "ap_name", ap->name,
                "degraded", 60, "device_os", c->os, "device_type", c->family, "duration", 60, "mac", c->mac, "name", c->hostname, "ssid",
                lab->wlans[c->wlan].ssid, "total", 60, "wlan_id", lab->wlans[c->wlan].id));
    }
    res->json = json_pack("{s:s, s:s, s:f, s:f, s:i, s:i, s:s, s:i, s:o}", "classifier", which ? which : "", "failure", "", "start", floor(start),
        "end", floor(end), "limit", 1000, "page", 1, "metric", req->arg[3], "total_count", (int)json_array_size(users), "users", users);
}

static void sle_aps(struct lab_req *req, struct lab_res *res)
{
    sle_impact(req, res);
    if (res->status == 200)
        json_object_update_new(res->json, json_pack("{s:O, s:i, s:i, s:i}", "aps", json_object_get(res->json, "ap"), "total_count",
            (int)json_array_size(json_object_get(res->json, "ap")), "limit", 1000, "page", 1));
}

static void sle_threshold(struct lab_req *req, struct lab_res *res)
{
    struct scope s;
    const char *metric = metric_of(req, res, &s);

    if (metric)
        res->json = strcmp(metric, "coverage") == 0
            ? json_pack("{s:i, s:s, s:i, s:s, s:i, s:s, s:s}", "default", -72, "direction", "left", "maximum", -60, "metric", metric, "minimum", -90,
                        "threshold", "-72", "units", "dBm")
            : json_pack("{s:i, s:s, s:i, s:s, s:i, s:s, s:s}", "default", 80, "direction", "right", "maximum", 100, "metric", metric, "minimum", 1,
                        "threshold", "80", "units", "%");
}

static void sites_sle(struct lab_req *req, struct lab_res *res)
{
    struct lab *lab = req->lab;
    json_t *list = json_array();
    double start = 0, end = 0;

    lab_mist_range(req, &start, &end);
    for (int i = 0; i < lab->n_sites; i++) {
        struct scope s = { .site = i, .ap = -1, .sw = -1, .client = -1 };
        json_t *o = json_pack("{s:s}", "site_id", lab->sites[i].id);
        int aps = 0, clients = 0;

        for (int m = 0; metrics[m]; m++) {
            struct tally t = tally(lab, &s, metrics[m], NULL);

            json_object_set_new(o, strcmp(metrics[m], "failed-to-connect") == 0 ? "successful-connect" : metrics[m],
                                json_real(t.total_users ? 1 - (double)t.users / t.total_users : 1));
        }
        for (int a = 0; a < lab->n_aps; a++)
            aps += lab->aps[a].site == i;
        for (int c = 0; c < lab->n_clients; c++)
            clients += lab->clients[c].site == i && lab_associated(&lab->clients[c]);
        json_object_set_new(o, "num_aps", json_integer(aps));
        json_object_set_new(o, "num_clients", json_integer(clients));
        json_array_append_new(list, o);
    }
    res->json = json_pack("{s:f, s:f, s:i, s:i, s:i, s:i, s:o}", "start", floor(start), "end", floor(end), "interval", 3600, "limit", 100, "page", 1,
                          "total", lab->n_sites, "results", list);
}

/* ---- radio resource management ---- */

static const char *const bands[] = { "24", "5", "6" };

static int band_index(const char *band)
{
    for (int i = 0; i < 3; i++)
        if (strcmp(bands[i], band) == 0)
            return i;
    return -1;
}

static json_t *band_plan(const struct lab *lab, int site, int band)
{
    json_t *o = json_object();

    for (int i = 0; i < lab->n_aps; i++) {
        const struct lab_radio *r = &lab->aps[i].radios[band];
        int channel, power;

        lab_rrm_wants(lab, i, band, &channel, &power);
        if (lab->aps[i].site == site && (band < 2 || strcmp(lab->aps[i].model, "AP45") == 0))
            json_object_set_new(o, lab->aps[i].id, json_pack("{s:i, s:i, s:i, s:s, s:i, s:i, s:i, s:s}", "curr_channel", r->channel, "curr_power",
                r->power, "curr_bandwidth", r->bandwidth, "curr_usage", r->band, "channel", channel, "power", power, "bandwidth", r->bandwidth,
                "usage", r->band));
    }
    return o;
}

static json_t *band_metric(const struct lab *lab, int site, int band)
{
    double noise = -99;
    int aps = 0;

    for (int i = 0; i < lab->n_aps; i++)
        if (lab->aps[i].site == site)
            aps++, noise = fmax(noise, lab_noise(&lab->aps[i].radios[band]));
    return json_pack("{s:f, s:f, s:f, s:f, s:{}, s:{}, s:f, s:f}", "avg_aps_per_channel", 1.0, "channel_distribution_uniformity", 0.8,
        "cochannel_neighbors", 0.5, "density", aps / 10.0, "naps_by_channel", "naps_by_power", "neighbors", (double)aps - 1, "noise", noise);
}

static void rrm_current(struct lab_req *req, struct lab_res *res)
{
    struct lab *lab = req->lab;
    int site = lab_mist_site(req, res);

    if (site < 0)
        return;
    res->json = json_pack("{s:o, s:o, s:o, s:o, s:o, s:s, s:f}", "band_24", band_plan(lab, site, 0), "band_5", band_plan(lab, site, 1), "band_6",
        band_plan(lab, site, 2), "band_24_metric", band_metric(lab, site, 0), "band_5_metric", band_metric(lab, site, 1), "status",
        lab->sites[site].rrm_running ? "updating" : "ready",
        "timestamp", floor(lab->sites[site].rrm_at));
    json_object_update_new(res->json, json_pack("{s:{s:s}, s:s, s:s}", "rftemplate", "name", "offices", "rftemplate_name", "offices", "rftemplate_id",
                                                "bb8a9017-1e36-5d6c-6f2b-551abe8a76a2"));
}

static void rrm_considerations(struct lab_req *req, struct lab_res *res)
{
    static const int channels[3][8] = { { 1, 6, 11 }, { 36, 44, 52, 60, 100, 108, 149, 157 }, { 5, 21, 37, 53 } };
    int site = lab_mist_site(req, res), ap = lab_find_ap(req->lab, req->arg[1]), band = band_index(req->arg[2]);
    json_t *list;

    if (site < 0)
        return;
    if (ap < 0 || band < 0) {
        lab_mist_not_found(res);
        return;
    }
    list = json_array();
    for (int i = 0; i < 8 && channels[band][i]; i++) {
        struct lab_radio r = req->lab->aps[ap].radios[band];
        bool foul = r.foul_channel == channels[band][i];

        r.channel = channels[band][i];
        json_array_append_new(list, json_pack("{s:i, s:i, s:i, s:s, s:i, s:f, s:f, s:f}", "channel", r.channel, "noise", (int)lab_noise(&r),
            "other_rssi", foul && r.foul_other ? -58 : -84, "other_ssid", foul && r.foul_other ? "neighbour-net" : "", "rssi", -62,
            "util_score", foul ? (r.foul_other + r.foul_non_wifi) / 100.0 : 0.1, "util_score_non_wifi", foul ? r.foul_non_wifi / 100.0 : 0.01,
            "util_score_other", foul ? r.foul_other / 100.0 : 0.05));
    }
    res->json = json_pack("{s:o}", "results", list);
}

static void rrm_neighbors(struct lab_req *req, struct lab_res *res)
{
    struct lab *lab = req->lab;
    int site = lab_mist_site(req, res), band = band_index(req->arg[1]);
    json_t *list;

    if (site < 0)
        return;
    if (band < 0) {
        lab_mist_not_found(res);
        return;
    }
    list = json_array();
    for (int i = 0; i < lab->n_aps; i++) {
        json_t *near = json_array();

        for (int k = 0; k < lab->n_aps && lab->aps[i].site == site; k++) {
            struct lab_client there = { .x = lab->aps[k].x, .y = lab->aps[k].y, .floor = lab->aps[k].floor };

            if (k != i && lab->aps[k].site == site)
                json_array_append_new(near, json_pack("{s:s, s:i}", "mac", lab->aps[k].mac, "rssi", (int)lab_rssi(lab, &there, i, band)));
        }
        if (lab->aps[i].site == site)
            json_array_append_new(list, json_pack("{s:s, s:O}", "mac", lab->aps[i].mac, "neighbors", near));
        json_decref(near);
    }
    res->json = json_pack("{s:I, s:I, s:i, s:o}", "start", (json_int_t)lab->wall - 3600, "end", (json_int_t)lab->wall, "limit", 1000, "results", list);
}

static bool rrm_event_kept(struct lab_req *req, const json_t *item)
{
    static const char *const keys[] = { "band", NULL };

    return lab_mist_matches(req, item, keys);
}

static void rrm_events(struct lab_req *req, struct lab_res *res)
{
    int site = lab_mist_site(req, res);

    if (site >= 0)
        lab_mist_cursor(req, res, lab_mist_in_range(req, req->lab->rrm_events, site, rrm_event_kept));
}

static void rrm_optimize(struct lab_req *req, struct lab_res *res)
{
    int site = lab_mist_site(req, res);
    json_t *list = json_object_get(req->json, "bands"), *macs = json_object_get(req->json, "macs"), *band, *mac;
    unsigned aps = json_array_size(macs) ? 0 : ~0u >> 4;
    size_t i;

    if (site < 0)
        return;
    json_array_foreach(list, i, band)
        if (!json_is_string(band) || band_index(json_string_value(band)) < 0)
            list = NULL;
    if (json_array_size(list) == 0) {
        lab_mist_bad(res, "bands is required: 24, 5, 6");
        return;
    }
    json_array_foreach(macs, i, mac) {
        int ap = json_is_string(mac) ? lab_find_ap(req->lab, json_string_value(mac)) : -1;

        aps |= ap >= 0 ? 1u << ap : 0;
    }
    json_array_foreach(list, i, band)
        lab_rrm(req->lab, site, json_string_value(band), json_is_true(json_object_get(req->json, "txpower_only")), aps);
    lab_mist_audit(req->lab, site, "RRM Optimize");
    req->done = true;
}

/* ---- rogues ---- */

static void rogues(struct lab_req *req, struct lab_res *res)
{
    int site = lab_mist_site(req, res);
    json_t *list;

    if (site < 0)
        return;
    list = json_pack("[{s:s, s:i, s:s, s:s, s:i, s:s, s:i, s:f}]", "ap_mac", req->lab->aps[0].mac, "avg_rssi", -81, "bssid", "d8-97-ba-76-b5-aa",
        "channel", "11", "num_aps", 1, "ssid", "cafe-next-door", "times_heard", 8, "timestamp", req->lab->wall - 600);
    lab_mist_cursor(req, res, list);
}

static void rogue_get(struct lab_req *req, struct lab_res *res)
{
    if (lab_mist_site(req, res) >= 0)
        res->json = json_pack("{s:s, s:b}", "manufacture", "Unknown", "seen_as_client", 0);
}

/* ---- alarms ---- */

static bool alarm_kept(struct lab_req *req, const json_t *item)
{
    static const char *const keys[] = { "type", "severity", "group", "status", "acked", "site_id", "ack_admin_name", NULL };

    return lab_mist_matches(req, item, keys);
}

static json_t *alarms_for_show(json_t *alarms)
{
    json_t *list = json_array(), *alarm;
    size_t i;

    json_array_foreach(alarms, i, alarm) {
        json_t *copy = json_copy(alarm);

        json_object_del(copy, "$subject");
        json_array_append_new(list, copy);
    }
    json_decref(alarms);
    return list;
}

static void org_alarms(struct lab_req *req, struct lab_res *res)
{
    lab_mist_cursor(req, res, alarms_for_show(lab_mist_in_range(req, req->lab->alarms, -1, alarm_kept)));
}

static void site_alarms(struct lab_req *req, struct lab_res *res)
{
    int site = lab_mist_site(req, res);

    if (site >= 0)
        lab_mist_cursor(req, res, alarms_for_show(lab_mist_in_range(req, req->lab->alarms, site, alarm_kept)));
}

static bool set_acked(struct lab_req *req, const char *id, bool acked)
{
    json_t *alarm;
    size_t i;

    json_array_foreach(req->lab->alarms, i, alarm) {
        if (!ft_streq(json_string_value(json_object_get(alarm, "id")), id))
            continue;
        json_object_set_new(alarm, "acked", json_boolean(acked));
        json_object_set_new(alarm, "ack_admin_name", json_string(acked ? "fettle (API token)" : ""));
        json_object_set_new(alarm, "acked_time", json_real(req->lab->wall));
        if (json_object_get(req->json, "note"))
            json_object_set(alarm, "note", json_object_get(req->json, "note"));
        return true;
    }
    return false;
}

static void ack_one(struct lab_req *req, struct lab_res *res)
{
    req->done = set_acked(req, req->arg[1], strcmp(req->seg[6], "ack") == 0);
    if (!req->done)
        lab_mist_not_found(res);
}

static void ack_many(struct lab_req *req, struct lab_res *res)
{
    json_t *ids = json_object_get(req->json, "alarm_ids"), *id;
    size_t i;

    if (!json_is_array(ids)) {
        lab_mist_bad(res, "alarm_ids is required");
        return;
    }
    json_array_foreach(ids, i, id)
        if (json_is_string(id))
            set_acked(req, json_string_value(id), strcmp(req->seg[5], "ack") == 0);
    req->done = true;
}

static void alarms_count(struct lab_req *req, struct lab_res *res)
{
    const char *distinct = lab_query(req, "distinct"), *key;
    json_t *counts = json_object(), *results = json_array(), *alarm, *n;
    double start = 0, end = 0;
    size_t i;

    distinct = distinct ? distinct : "type";
    lab_mist_range(req, &start, &end);
    json_array_foreach(req->lab->alarms, i, alarm) {
        key = json_string_value(json_object_get(alarm, distinct));
        if (key)
            json_object_set_new(counts, key, json_integer(json_integer_value(json_object_get(counts, key)) + 1));
    }
    json_object_foreach(counts, key, n)
        json_array_append_new(results, json_pack("{s:O, s:s}", "count", n, distinct, key));
    json_decref(counts);
    res->json = json_pack("{s:s, s:f, s:f, s:i, s:i, s:o}", "distinct", distinct, "start", floor(start), "end", floor(end), "limit", 100, "total",
                          (int)json_array_size(results), "results", results);
}

/* Marvis needs a licence, which this organisation has not. */
static void troubleshoot(struct lab_req *req, struct lab_res *res)
{
    (void)req;
    res->status = 403;
    res->json = json_pack("{s:s}", "detail", "You do not have permission to perform this action.");
}

static void sle_histogram(struct lab_req *req, struct lab_res *res)
{
    struct scope s;
    const char *metric = metric_of(req, res, &s);
    double start = 0, end = 0;
    struct tally t;

    if (!metric)
        return;
    lab_mist_range(req, &start, &end);
    t = tally(req->lab, &s, metric, NULL);
    res->json = json_pack("{s:[{s:[n,i], s:i}, {s:[i,n], s:i}], s:f, s:f, s:s, s:s, s:s}", "data", "range", -72, "value", t.users * 60, "range", -72, "value",
                          (t.total_users - t.users) * 60, "start", floor(start), "end", floor(end), "metric", req->arg[3], "x_label", "dBm", "y_label", "user-minutes");
}

/* Of the figures that the catalogue names only the number of clients is kept, and only as it is now. */
static void insight(struct lab_req *req, struct lab_res *res)
{
    int site = lab_mist_site(req, res), clients = 0;
    double start = 0, end = 0;

    if (site < 0)
        return;
    if (strcmp(req->arg[1], "num_clients") != 0) {
        lab_mist_not_found(res);
        return;
    }
    for (int i = 0; i < req->lab->n_clients; i++)
        clients += req->lab->clients[i].site == site && lab_associated(&req->lab->clients[i]);
    lab_mist_range(req, &start, &end);
    res->json = json_pack("{s:I, s:I, s:i, s:o}", "start", (json_int_t)start, "end", (json_int_t)end, "interval", 3600, "results", series(clients, clients));
}

#define SLE "/api/v1/sites/{}/sle/{}/{}/"

const struct lab_route lab_mist_rf_routes[] = {
    { "GET", SLE "metrics", sle_metrics },
    { "GET", SLE "metric/{}/summary", sle_summary },
    { "GET", SLE "metric/{}/summary-trend", sle_summary },
    { "GET", SLE "metric/{}/classifiers", sle_classifiers },
    { "GET", SLE "metric/{}/classifier/{}/summary", sle_classifier },
    { "GET", SLE "metric/{}/classifier/{}/summary-trend", sle_classifier },
    { "GET", SLE "metric/{}/impact-summary", sle_impact },
    { "GET", SLE "metric/{}/impacted-users", sle_users },
    { "GET", SLE "metric/{}/impacted-aps", sle_aps },
    { "GET", SLE "metric/{}/threshold", sle_threshold },
    { "GET", SLE "metric/{}/histogram", sle_histogram },
    { "GET", "/api/v1/orgs/{}/insights/sites-sle", sites_sle },
    { "GET", "/api/v1/sites/{}/rrm/current", rrm_current },
    { "GET", "/api/v1/sites/{}/rrm/current/devices/{}/band/{}", rrm_considerations },
    { "GET", "/api/v1/sites/{}/rrm/neighbors/band/{}", rrm_neighbors },
    { "GET", "/api/v1/sites/{}/rrm/events", rrm_events },
    { "POST", "/api/v1/sites/{}/rrm/optimize", rrm_optimize },
    { "GET", "/api/v1/sites/{}/insights/rogues", rogues },
    { "GET", "/api/v1/sites/{}/rogues/{}", rogue_get },
    { "GET", "/api/v1/orgs/{}/alarms/search", org_alarms },
    { "GET", "/api/v1/sites/{}/alarms/search", site_alarms },
    { "GET", "/api/v1/orgs/{}/alarms/count", alarms_count },
    { "GET", "/api/v1/sites/{}/alarms/count", alarms_count },
    { "POST", "/api/v1/orgs/{}/alarms/{}/ack", ack_one },
    { "POST", "/api/v1/sites/{}/alarms/{}/ack", ack_one },
    { "POST", "/api/v1/sites/{}/alarms/{}/unack", ack_one },
    { "POST", "/api/v1/orgs/{}/alarms/ack", ack_many },
    { "POST", "/api/v1/sites/{}/alarms/ack", ack_many },
    { "POST", "/api/v1/orgs/{}/alarms/unack", ack_many },
    { "POST", "/api/v1/sites/{}/alarms/unack", ack_many },
    { "GET", "/api/v1/orgs/{}/troubleshoot", troubleshoot },
    { "GET", "/api/v1/sites/{}/insights/{}", insight },
    { 0 },
};
