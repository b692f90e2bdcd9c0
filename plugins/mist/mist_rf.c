/* mist_rf.c: radio resource management of a site. */
#include <string.h>
#include <strings.h>
#include "mist.h"

static const char *band_key(struct ft_call *call, const char *band)
{
    return host->printf(call, "band_%s", band);
}

/* ---- rrm_optimize: POST /sites/{site_id}/rrm/optimize */

struct optimize {
    json_t *current;        /* GET /sites/{site_id}/rrm/current, or NULL */
};

static bool names_device(const json_t *devices, const char *mac)
{
    char plain[MIST_MAC_LEN + 1];
    json_t *item;
    size_t i;

    if (!json_array_size(devices))
        return true;
    json_array_foreach(devices, i, item)
        if (mac && mist_mac(json_string_value(item), plain) && strcmp(plain, mac) == 0)
            return true;
    return false;
}

/* Clients on the radios that may change channel. */
static json_int_t clients_on(struct ft_call *call, const json_t *aps)
{
    const json_t *wanted = json_object_get(host->params(call), "bands"), *devices = json_object_get(host->params(call), "devices");
    json_int_t clients = 0;
    json_t *ap, *band;
    size_t i, j;

    json_array_foreach(aps, i, ap)
        if (names_device(devices, mist_str(ap, "mac")))
            json_array_foreach(wanted, j, band)
                clients += (json_int_t)mist_num(ap, host->printf(call, "radio_stat.band_%s.num_clients", json_string_value(band)), 0);
    return clients;
}

/* What RRM would do by its own proposal, as far as it has one. */
static void add_proposals(struct ft_call *call, json_t *changes, json_t *before, const json_t *current, const char *band)
{
    static const char *const what[] = { "channel", "power", "bandwidth" };
    const char *key = band_key(call, band), *id;
    json_t *radio;

    json_object_foreach((json_t *)mist_at(current, key), id, radio) {
        for (size_t i = 0; i < ARRAY_LEN(what); i++) {
            json_t *from = json_object_get(radio, host->printf(call, "curr_%s", what[i])), *to = json_object_get(radio, what[i]);
            const char *path = host->printf(call, "%s.%s.%s", key, id, what[i]);

            if (!json_is_number(from))
                continue;
            json_object_set(before, path, from);
            if (json_is_number(to) && !json_equal(from, to))
                json_array_append_new(changes, json_pack("{s:s, s:O, s:O}", "path", path, "from", from, "to", to));
        }
    }
}

static json_t *optimize_body(struct ft_call *call)
{
    const json_t *params = host->params(call), *devices = json_object_get(params, "devices");
    json_t *body = json_pack("{s:O}", "bands", json_object_get(params, "bands")), *macs = json_array(), *item;
    size_t i;

    json_array_foreach(devices, i, item) {
        char plain[MIST_MAC_LEN + 1];

        if (mist_mac(json_string_value(item), plain))
            json_array_append_new(macs, json_string(plain));
    }
    if (json_array_size(macs))
        json_object_set(body, "macs", macs);
    json_decref(macs);
    json_object_set_new(body, "txpower_only", json_boolean(json_is_true(json_object_get(params, "txpower_only"))));
    return body;
}

static void optimize_ready(struct ft_call *call, json_t *aps)
{
    struct mist_call *st = mist_state(call);
    struct mist_write *w = &st->write;
    const struct optimize *own = st->own;
    bool power_only = json_is_true(json_object_get(host->params(call), "txpower_only"));
    json_t *band;
    size_t i;

    w->before = mist_hold(call, json_object());
    w->changes = mist_hold(call, json_array());
    json_array_foreach(json_object_get(host->params(call), "bands"), i, band)
        add_proposals(call, w->changes, w->before, own->current, json_string_value(band));
    w->users = power_only ? 0 : clients_on(call, aps);
    w->summary = host->printf(call, "let RRM choose %s anew at site %s", power_only ? "transmit powers" : "channels and transmit powers",
                              st->site_name ? st->site_name : st->site_id);
    w->method = "POST";
    w->path = host->printf(call, "/sites/%s/rrm/optimize", mist_escape(call, st->site_id));
    w->body = mist_hold(call, optimize_body(call));
    w->receipt = mist_hold(call, json_pack("{s:s, s:f}", "site_id", st->site_id, "timestamp", mist_num(own->current, "timestamp", 0)));
    w->result = mist_hold(call, json_pack("{s:s}", "site_id", st->site_id));
    mist_write_ready(call);
}

static void optimize_current(struct ft_call *call, json_t *current)
{
    struct mist_call *st = mist_state(call);

    ((struct optimize *)st->own)->current = current;
    mist_list(call, 5000, optimize_ready, "/sites/%s/stats/devices?type=ap", mist_escape(call, st->site_id));
}

static void optimize_look(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);

    mist_get_if_there(call, optimize_current, "/sites/%s/rrm/current", mist_escape(call, st->site_id));
}

static bool devices_are_macs(struct ft_call *call)
{
    char plain[MIST_MAC_LEN + 1];
    json_t *item;
    size_t i;

    json_array_foreach(json_object_get(host->params(call), "devices"), i, item) {
        if (!mist_mac(json_string_value(item), plain)) {
            mist_fail(call, FT_INVALID, "devices: '%.40s' is not a MAC address", json_string_value(item));
            return false;
        }
    }
    return true;
}

static void optimize_begin(struct ft_call *call)
{
    mist_state(call)->own = host->alloc(call, sizeof(struct optimize));
    if (devices_are_macs(call))
        mist_find_site(call, optimize_look);
}

/* RRM is at work, or has worked since: its own time stamp tells. */
static void optimize_probed(struct ft_call *call, json_t *current)
{
    const json_t *receipt = mist_receipt(call);
    double was = mist_num(receipt, "timestamp", 0), is = mist_num(current, "timestamp", 0);
    const char *status = mist_str(current, "status");
    bool busy = status && strcmp(status, "updating") == 0;

    if (!receipt)
        return;
    if (busy || (was && is > was))
        mist_done(call, json_pack("{s:b, s:{s:s?, s:f}}", "happened", true, "seen", "status", status, "timestamp", is));
    else
        mist_fail(call, FT_INVALID, "RRM shows no run since the request; one that found nothing to change would look the same");
}

static void optimize_probe_begin(struct ft_call *call)
{
    const char *site = mist_str(mist_receipt(call), "site_id");

    if (site)
        mist_get(call, optimize_probed, "/sites/%s/rrm/current", mist_escape(call, site));
    else if (host->receipt(call))
        mist_fail(call, FT_INVALID, "the receipt names no site");
}

MIST_BEGIN(MIST_RUN, optimize_begin, optimize_run)
MIST_BEGIN(MIST_PLAN, optimize_begin, optimize_plan)
MIST_BEGIN(MIST_PROBE, optimize_probe_begin, optimize_probe)

const struct ft_action mist_rrm_optimize = {
    MIST_WRITE(optimize_run, optimize_plan), .probe = { optimize_probe, mist_drop },
    .name = "rrm_optimize", .summary = "let RRM choose channels and transmit powers of a site anew",
    .effects = FT_EFFECT_DISRUPTIVE,
    .params_schema = MIST_PARAMS("\"site\",\"bands\"", MIST_SITE ","
        JSON("bands": {"type": "array", "minItems": 1, "uniqueItems": true, "items": {"type": "string", "enum": ["24", "5", "6"]},
                       "description": "radio bands to work on: 24 is 2.4 GHz, 5 is 5 GHz, 6 is 6 GHz"},
             "devices": {"type": "array", "items": {"type": "string"},
                         "description": "MAC addresses of the APs to work on; all of the site when left out. Neighbours of theirs may change too"},
             "txpower_only": {"type": "boolean", "default": false, "description": "only transmit powers: nobody is disconnected"})),
    .result_schema = MIST_OBJ(MIST_CHANGED "," MIST_P_STR("site_id", "site that RRM works on")),
    .about = "`POST /sites/{site_id}/rrm/optimize`. A radio that changes its channel drops its clients for some seconds; with `txpower_only` none is\n"
             "dropped. The plan shows RRM's own proposals and counts the clients on the bands. There is nothing to take back: RRM calculates anew.",
    .example = "- id: rrm\n  run: mist.rrm_optimize\n  with: {site: \"${association.site_id}\", bands: [\"5\"], txpower_only: true}\n  undo: none\n",
};

/* ---- rrm_current: GET /sites/{site_id}/rrm/current. curr_* is what is, the bare names are RRM's proposal. */

#define RADIO_FIELDS(F) \
    F(INT, channel, "curr_channel", "channel now") \
    F(NUM, power, "curr_power", "transmit power now, dBm") \
    F(INT, bandwidth, "curr_bandwidth", "channel width now, MHz") \
    F(STR, usage, "curr_usage", "band served now") \
    F(INT, proposed_channel, "channel", "channel that RRM proposes") \
    F(NUM, proposed_power, "power", "transmit power that RRM proposes, dBm") \
    F(INT, proposed_bandwidth, "bandwidth", "channel width that RRM proposes, MHz")
static const struct mist_field radio_fields[] = { RADIO_FIELDS(MIST_ROW) { "proposed_usage", "usage", MIST_STR } };

#define METRIC_FIELDS(F) \
    F(NUM, noise, "noise", "noise, dBm") \
    F(NUM, neighbors, "neighbors", "neighbours heard by an AP, on average") \
    F(NUM, cochannel_neighbors, "cochannel_neighbors", "those on the same channel") \
    F(NUM, density, "density", "density of APs, 0..1") \
    F(NUM, avg_aps_per_channel, "avg_aps_per_channel", "APs a channel, on average")
static const struct mist_field metric_fields[] = { METRIC_FIELDS(MIST_ROW) { "channel_distribution_uniformity", "channel_distribution_uniformity", MIST_NUM } };

static const char *const band_names[] = { "24", "5", "6" };

static bool differs(const json_t *row)
{
    static const char *const pairs[][2] = { { "channel", "proposed_channel" }, { "power", "proposed_power" }, { "bandwidth", "proposed_bandwidth" } };

    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        const json_t *is = json_object_get(row, pairs[i][0]), *to = json_object_get(row, pairs[i][1]);

        if (!json_is_null(is) && !json_is_null(to) && !json_equal(is, to))
            return true;
    }
    return false;
}

static void add_radios(struct ft_call *call, json_t *radios, const json_t *answer, const char *band, int *proposals)
{
    const char *wanted = mist_state(call)->device.id, *id;
    json_t *radio;

    json_object_foreach((json_t *)mist_at(answer, band_key(call, band)), id, radio) {
        json_t *row;

        if (!json_is_object(radio) || (wanted && strcasecmp(wanted, id) != 0))
            continue;
        row = json_pack("{s:s, s:s}", "band", band, "ap_id", id);
        MIST_PICK(row, radio, radio_fields);
        json_object_set_new(row, "differs", json_boolean(differs(row)));
        *proposals += differs(row);
        json_array_append_new(radios, row);
    }
}

static void current_here(struct ft_call *call, json_t *answer)
{
    static const struct mist_field head[] = { { "status", "status", MIST_STR }, { "timestamp", "timestamp", MIST_TIME }, { "rftemplate", "rftemplate_name", MIST_STR } };
    const char *wanted = mist_text(call, "band");
    json_t *out = json_object(), *radios = json_array(), *metrics = json_object();
    int proposals = 0;

    MIST_PICK(out, answer, head);
    for (size_t i = 0; i < ARRAY_LEN(band_names); i++) {
        json_t *row = json_object();

        if (!wanted || strcmp(wanted, band_names[i]) == 0)
            add_radios(call, radios, answer, band_names[i], &proposals);
        MIST_PICK(row, mist_at(answer, host->printf(call, "band_%s_metric", band_names[i])), metric_fields);
        json_object_set_new(metrics, band_key(call, band_names[i]), row);
    }
    json_object_set_new(out, "radios", radios);
    json_object_set_new(out, "metrics", metrics);
    json_object_set_new(out, "proposals", json_integer(proposals));
    mist_done(call, out);
}

static void current_look(struct ft_call *call)
{
    mist_get(call, current_here, "/sites/%s/rrm/current", mist_escape(call, mist_state(call)->site_id));
}

static void current_begin(struct ft_call *call)
{
    if (mist_text(call, "device"))
        mist_find_device(call, "ap", current_look);
    else
        mist_find_site(call, current_look);
}
MIST_BEGIN(MIST_LOOK, current_begin, current_start)

#define METRICS_OF(name, text) MIST_P_OBJ(name, METRIC_FIELDS(MIST_PROPERTY) \
    MIST_P_NUM("channel_distribution_uniformity", "how evenly the channels are used, 0..1"), text)

const struct ft_action mist_rrm_current = {
    MIST_READ(current_start),
    .name = "rrm_current", .summary = "channels and powers of a site now, what RRM proposes, and how crowded the bands are",
    .params_schema = MIST_PARAMS("\"site\"", MIST_SITE "," MIST_DEVICE "," MIST_BAND),
    .result_schema = MIST_OBJ(
        MIST_P_STR("status", "ready, unknown, updating") "," MIST_P_TIME("timestamp", "when RRM calculated last") "," MIST_P_STR("rftemplate", "RF template") ","
        MIST_P_LIST("radios", MIST_OBJ(MIST_P("band", "\"string\"", "radio band: 24, 5 or 6") "," MIST_P("ap_id", "\"string\"", "id of the AP") ","
            RADIO_FIELDS(MIST_PROPERTY) MIST_P_STR("proposed_usage", "band that RRM proposes to serve") ","
            MIST_P("differs", "\"boolean\"", "the proposal is something else than what is")), "radios") ","
        MIST_P_OBJ("metrics", METRICS_OF("band_24", "2.4 GHz") "," METRICS_OF("band_5", "5 GHz") "," METRICS_OF("band_6", "6 GHz"), "of the whole site") ","
        MIST_P("proposals", "\"integer\"", "radios for which RRM proposes something else than what is")),
    .about = "`GET /sites/{site_id}/rrm/current`.",
    .example = "- id: rrm\n  run: mist.rrm_current\n  with: {site: \"${ap.site_id}\", device: \"${ap.id}\"}\n",
};

/* ---- rrm_events: GET /sites/{site_id}/rrm/events */

#define RRM_EVENT_FIELDS(F) \
    F(TIME, timestamp, "timestamp", "when it was") \
    F(STR, event, "event", "name of the event") \
    F(STR, ap_id, "ap_id|ap", "id of the AP") \
    F(STR, band, "band", "radio band: 24, 5 or 6") \
    F(INT, channel, "channel", "channel afterwards") \
    F(INT, former_channel, "pre_channel", "channel before") \
    F(NUM, power, "power", "transmit power afterwards, dBm") \
    F(NUM, former_power, "pre_power", "transmit power before, dBm") \
    F(INT, bandwidth, "bandwidth", "channel width afterwards, MHz")
static const struct mist_field rrm_event_fields[] = { RRM_EVENT_FIELDS(MIST_ROW) { "former_bandwidth", "pre_bandwidth", MIST_INT } };

static void rrm_events_here(struct ft_call *call, json_t *items)
{
    struct mist_call *st = mist_state(call);
    json_t *rows = mist_hold(call, MIST_ROWS(items, rrm_event_fields)), *taken = json_array(), *counts = json_object(), *row;
    int interference = 0, radar = 0, changes = 0;
    size_t i;

    mist_sort_down(rows, "timestamp");
    json_array_foreach(rows, i, row) {
        const char *event = mist_str(row, "event"), *ap = mist_str(row, "ap_id");
        char mac[MIST_MAC_LEN + 1];
        bool mine = !st->device.id || (ap && (strcasecmp(ap, st->device.id) == 0 || (mist_mac(ap, mac) && st->device.mac && !strcmp(mac, st->device.mac))));

        if (!event || !mine)
            continue;
        mist_count_into(counts, event);
        interference += strncmp(event, "interference", 12) == 0;
        radar += strstr(event, "radar") != NULL;
        changes += !json_is_null(json_object_get(row, "channel")) && !json_equal(json_object_get(row, "channel"), json_object_get(row, "former_channel"));
        json_array_append(taken, row);
    }
    mist_done(call, json_pack("{s:o, s:o, s:i, s:i, s:i, s:b}", "events", taken, "counts", counts, "interference", interference, "radar", radar,
                              "channel_changes", changes, "complete", st->list.complete));
}

static void rrm_events_look(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    const char *band = mist_text(call, "band");

    mist_list(call, (size_t)json_integer_value(json_object_get(host->params(call), "limit")), rrm_events_here, "/sites/%s/rrm/events?duration=%s%s%s",
              mist_escape(call, st->site_id), mist_window(call), band ? "&band=" : "", band ? band : "");
}

static void rrm_events_begin(struct ft_call *call)
{
    if (mist_text(call, "device"))
        mist_find_device(call, "ap", rrm_events_look);
    else
        mist_find_site(call, rrm_events_look);
}
MIST_BEGIN(MIST_LOOK, rrm_events_begin, rrm_events_start)

const struct ft_action mist_rrm_events = {
    MIST_READ(rrm_events_start),
    .name = "rrm_events", .summary = "what RRM did and why: interference, radar, neighbours",
    .params_schema = MIST_PARAMS("\"site\"", MIST_SITE "," MIST_DEVICE "," MIST_BAND "," MIST_WINDOW("1d") "," MIST_LIMIT("200", "5000")),
    .result_schema = MIST_OBJ(
        MIST_P_LIST("events", MIST_OBJ(RRM_EVENT_FIELDS(MIST_PROPERTY) MIST_P_INT("former_bandwidth", "channel width before, MHz")), "newest first") ","
        "\"counts\":{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"},\"description\":\"events by name\"},"
        MIST_P("interference", "\"integer\"", "changes for interference") "," MIST_P("radar", "\"integer\"", "changes for radar") ","
        MIST_P("channel_changes", "\"integer\"", "events that changed a channel") "," MIST_COMPLETE),
    .about = "`GET /sites/{site_id}/rrm/events`.",
    .example = "- id: rrm_log\n  run: mist.rrm_events\n  with: {site: \"${ap.site_id}\", device: \"${ap.id}\", window: 1d}\n",
};

/* ---- channel_scores: GET /sites/{site_id}/rrm/current/devices/{device_id}/band/{band} */

#define SCORE_FIELDS(F) \
    F(INT, channel, "channel", "channel number") \
    F(NUM, util, "util_score", "air time in use, 0..1") \
    F(NUM, util_other, "util_score_other", "of that by other networks, 0..1") \
    F(NUM, util_non_wifi, "util_score_non_wifi", "of that by what is not Wi-Fi, 0..1") \
    F(NUM, noise, "noise", "noise, dBm") \
    F(NUM, rssi, "rssi", "strongest AP of the own network, dBm") \
    F(NUM, other_rssi, "other_rssi", "strongest AP of another network, dBm")
static const struct mist_field score_fields[] = { SCORE_FIELDS(MIST_ROW) { "other_ssid", "other_ssid", MIST_STR } };

static void scores_here(struct ft_call *call, json_t *answer)
{
    const char *current_path = host->printf(call, "radio_stat.band_%s.channel", mist_text(call, "band"));
    json_t *rows = MIST_ROWS(mist_at(answer, "results"), score_fields), *best = NULL, *current = NULL, *row;
    double channel = mist_num(mist_state(call)->own, current_path, -1);
    size_t i;

    json_array_foreach(rows, i, row)
        if (mist_num(row, "channel", -2) == channel)
            current = row;
    best = current;                          /* nothing is won by a change to one as busy */
    json_array_foreach(rows, i, row)
        if (!best || mist_num(row, "util", 1e9) < mist_num(best, "util", 1e9))
            best = row;
    mist_done(call, json_pack("{s:o, s:O?, s:O?, s:o, s:O?}", "channels", rows, "best_channel", json_object_get(best, "channel"), "best_util",
                              json_object_get(best, "util"), "current_channel", channel >= 0 ? json_integer((json_int_t)channel) : json_null(),
                              "current_util", json_object_get(current, "util")));
}

static void scores_stats(struct ft_call *call, json_t *stats)
{
    struct mist_call *st = mist_state(call);

    st->own = stats;
    mist_get(call, scores_here, "/sites/%s/rrm/current/devices/%s/band/%s", mist_escape(call, st->site_id), mist_escape(call, st->device.id), mist_text(call, "band"));
}

static void scores_look(struct ft_call *call)
{
    mist_device_stats(call, scores_stats);
}

static void scores_begin(struct ft_call *call)
{
    mist_find_device(call, "ap", scores_look);
}
MIST_BEGIN(MIST_LOOK, scores_begin, scores_start)

const struct ft_action mist_channel_scores = {
    MIST_READ(scores_start),
    .name = "channel_scores", .summary = "how busy every channel is where an AP stands",
    .params_schema = MIST_PARAMS("\"device\",\"band\"", MIST_SITE "," MIST_DEVICE "," MIST_BAND),
    .result_schema = MIST_OBJ(
        MIST_P_LIST("channels", MIST_OBJ(SCORE_FIELDS(MIST_PROPERTY) MIST_P_STR("other_ssid", "name of that other network")), "channels") ","
        MIST_P_INT("best_channel", "least busy channel") "," MIST_P_NUM("best_util", "air time in use there, 0..1") ","
        MIST_P_INT("current_channel", "channel of the AP now") "," MIST_P_NUM("current_util", "air time in use there, 0..1")),
    .about = "`GET /sites/{site_id}/rrm/current/devices/{device_id}/band/{band}`: what RRM weighs.",
    .example = "- id: channels\n  run: mist.channel_scores\n  with: {device: \"${ap.id}\", site: \"${ap.site_id}\", band: \"5\"}\n",
};

/* ---- rogues: GET /sites/{site_id}/insights/rogues */

#define ROGUE_FIELDS(F) \
    F(MAC, bssid, "bssid", "BSSID") \
    F(STR, ssid, "ssid", "network name that it sends") \
    F(INT, channel, "channel", "channel number") \
    F(NUM, rssi, "avg_rssi|rssi", "signal strength on average, dBm") \
    F(INT, num_aps, "num_aps", "own APs that hear it") \
    F(INT, times_heard, "times_heard", "times it was heard")
static const struct mist_field rogue_fields[] = { ROGUE_FIELDS(MIST_ROW) { "ap_mac", "ap_mac", MIST_MAC } };

static void rogues_here(struct ft_call *call, json_t *items)
{
    json_t *rows = MIST_ROWS(items, rogue_fields), *strongest = NULL, *row;
    size_t i;

    json_array_foreach(rows, i, row)
        if (!strongest || mist_num(row, "rssi", -999) > mist_num(strongest, "rssi", -999))
            strongest = row;
    mist_done(call, json_pack("{s:o, s:i, s:O?, s:O?, s:b}", "rogues", rows, "total", (int)json_array_size(rows), "strongest_rssi",
                              json_object_get(strongest, "rssi"), "strongest_bssid", json_object_get(strongest, "bssid"),
                              "complete", mist_state(call)->list.complete));
}

static void rogues_look(struct ft_call *call)
{
    const char *kind = mist_text(call, "kind");

    mist_list(call, (size_t)json_integer_value(json_object_get(host->params(call), "limit")), rogues_here, "/sites/%s/insights/rogues?duration=%s%s%s",
              mist_escape(call, mist_state(call)->site_id), mist_window(call), kind ? "&type=" : "", kind ? kind : "");
}

static void rogues_begin(struct ft_call *call)
{
    mist_find_site(call, rogues_look);
}
MIST_BEGIN(MIST_LOOK, rogues_begin, rogues_start)

const struct ft_action mist_rogues = {
    MIST_READ(rogues_start),
    .name = "rogues", .summary = "foreign access points that a site hears",
    .params_schema = MIST_PARAMS("\"site\"", MIST_SITE "," MIST_WINDOW("1d") "," MIST_LIMIT("500", "5000") ","
        JSON("kind": {"type": "string", "enum": ["honeypot", "lan", "others", "spoof"],
                      "description": "honeypot: sends a network name of ours; lan: hangs on our wire; spoof: sends our BSSID; others: neighbours"})),
    .result_schema = MIST_OBJ(
        MIST_P_LIST("rogues", MIST_OBJ(ROGUE_FIELDS(MIST_PROPERTY) MIST_P_MAC("ap_mac", "own AP that hears it best")), "foreign access points") ","
        MIST_P("total", "\"integer\"", "rogues in the answer") "," MIST_P_NUM("strongest_rssi", "signal of the strongest, dBm") ","
        MIST_P_MAC("strongest_bssid", "BSSID of the strongest") "," MIST_COMPLETE),
    .about = "`GET /sites/{site_id}/insights/rogues`.",
    .example = "- id: rogues\n  run: mist.rogues\n  with: {site: HQ, kind: honeypot}\n",
};
