/* mist_spectrum.c: what the air is like: spectrum analysis, neighbours, legal channels. */
#include <string.h>
#include <strings.h>
#include "mist.h"

/* ---- spectrum_start: POST /sites/{site_id}/analyze_spectrum. One at a time for a site. */

static void start_ready(struct ft_call *call, json_t *running)
{
    struct mist_call *st = mist_state(call);
    struct mist_write *w = &st->write;
    const json_t *seconds = json_object_get(host->params(call), "duration_s");
    const char *band = mist_text(call, "band");
    double ends = mist_num(running, "started_time", 0) + mist_num(running, "duration", 0);

    if (ends > (double)host->wall_ms(call) / 1000) {
        mist_fail(call, FT_CONFLICT, "a spectrum analysis of site %s runs for %.0f s more: read it with mist.spectrum, or wait", mist_site_label(st),
                  ends - (double)host->wall_ms(call) / 1000);
        return;
    }
    w->method = "POST";
    w->path = host->printf(call, "/sites/%s/analyze_spectrum", mist_escape(call, st->site_id));
    w->body = mist_hold(call, json_pack("{s:s, s:O, s:s}", "band", band, "duration", seconds, "format", "json"));
    if (st->device.id)
        json_object_set_new(w->body, "device_id", json_string(st->device.id));
    w->summary = host->printf(call, "analyse the spectrum of band %s at %s", band, st->device.id ? mist_device_name(st) : mist_site_label(st));
    w->receipt = mist_hold(call, json_pack("{s:s, s:f}", "site_id", st->site_id, "at", (double)host->wall_ms(call) / 1000));
    w->result = mist_hold(call, json_pack("{s:s, s:s, s:O}", "site_id", st->site_id, "band", band, "duration_s", seconds));
    mist_write_ready(call);
}

static void start_look(struct ft_call *call)
{
    mist_get_if_there(call, start_ready, "/sites/%s/analyze_spectrum", mist_escape(call, mist_state(call)->site_id));
}

static void start_begin(struct ft_call *call)
{
    if (mist_text(call, "device"))
        mist_find_device(call, "ap", start_look);
    else
        mist_find_site(call, start_look);
}
static void start_probed(struct ft_call *call, json_t *running)
{
    const json_t *receipt = mist_receipt(call);
    double began = mist_num(running, "started_time", 0);

    if (receipt)
        mist_done(call, json_pack("{s:b, s:{s:f}}", "happened", began > 0 && began >= mist_num(receipt, "at", 0) - 60, "seen", "started_time", began));
}

static void start_probe_begin(struct ft_call *call)
{
    const char *site = mist_str(mist_receipt(call), "site_id");

    if (site)
        mist_get_if_there(call, start_probed, "/sites/%s/analyze_spectrum", mist_escape(call, site));
    else if (host->receipt(call))
        mist_fail(call, FT_INVALID, "the receipt names no site");
}
MIST_BEGIN(MIST_PROBE, start_probe_begin, start_probe)
MIST_BEGIN(MIST_RUN, start_begin, start_run)
MIST_BEGIN(MIST_PLAN, start_begin, start_plan)

const struct ft_action mist_spectrum_start = {
    MIST_WRITE(start_run, start_plan), .probe = { start_probe, mist_drop },
    .name = "spectrum_start", .summary = "let APs analyse the spectrum of a band for some minutes",
    .effects = FT_EFFECT_WRITE,
    .params_schema = MIST_PARAMS("\"site\",\"band\"", MIST_SITE "," MIST_DEVICE "," MIST_BAND ","
        JSON("duration_s": {"type": "integer", "minimum": 60, "maximum": 600, "default": 300, "description": "how long, s"})),
    .result_schema = MIST_OBJ(MIST_CHANGED "," MIST_P_STR("site_id", "site") "," MIST_P_STR("band", "radio band") "," MIST_P_INT("duration_s", "how long it takes, s")),
    .about = "`POST /sites/{site_id}/analyze_spectrum`. Whether clients on the band notice is not documented. The result is read with `mist.spectrum`. One analysis at a\n"
             "time for a site: while one runs this fails as `conflict`. It ends by itself.",
    .example = "- id: look_at_air\n  run: mist.spectrum_start\n  with: {site: HQ, device: \"${ap.id}\", band: \"5\", duration_s: 60}\n"
               "  verify:\n    run: mist.spectrum\n    with: {site: HQ, device: \"${ap.id}\", band: \"5\", window: 10m}\n    until: not result.running and result.total > 0\n"
               "    every: 15s\n    within: 5m\n  undo: none\n",
};

/* ---- spectrum: GET /sites/{site_id}/analyze_spectrum (what runs) and …/stats/analyze_spectrum (what was found) */

static json_t *usage_rows(const json_t *item, double *ret_busiest, json_t **ret_channel)
{
    static const struct mist_field fields[] = {
        { "channel", "channel", MIST_INT }, { "non_wifi", "non_wifi|non_wifi_util", MIST_NUM }, { "wifi", "wifi|wifi_util", MIST_NUM },
        { "noise", "noise|noise_floor", MIST_NUM },
    };
    json_t *rows = MIST_ROWS(mist_at(item, "channel_usage"), fields), *row;
    size_t i;

    json_array_foreach(rows, i, row)
        if (mist_num(row, "non_wifi", -1) > *ret_busiest) {
            *ret_busiest = mist_num(row, "non_wifi", -1);
            *ret_channel = json_object_get(row, "channel");
        }
    return rows;
}

/* fft_samples: {frequency, rssi}: the strongest tells where something sends that is no Wi-Fi. */
static json_t *peak_of(const json_t *item)
{
    json_t *peak = NULL, *sample;
    size_t i;

    json_array_foreach(mist_at(item, "fft_samples"), i, sample)
        if (!peak || mist_num(sample, "rssi", -999) > mist_num(peak, "rssi", -999))
            peak = sample;
    return json_pack("{s:o, s:o}", "frequency", peak ? json_real(mist_num(peak, "frequency", 0)) : json_null(), "rssi",
                     peak ? json_real(mist_num(peak, "rssi", 0)) : json_null());
}

static json_t *scan_row(const json_t *item)
{
    static const struct mist_field head[] = { { "timestamp", "timestamp", MIST_TIME }, { "mac", "mac", MIST_MAC }, { "band", "band", MIST_STR } };
    json_t *row = json_object(), *channel = NULL;
    double busiest = -1;

    MIST_PICK(row, item, head);
    json_object_set_new(row, "channels", usage_rows(item, &busiest, &channel));
    json_object_set_new(row, "peak", peak_of(item));
    json_object_set(row, "most_non_wifi_channel", channel ? channel : json_null());
    json_object_set_new(row, "most_non_wifi", busiest >= 0 ? json_real(busiest) : json_null());
    return row;
}

static void spectrum_here(struct ft_call *call, json_t *items)
{
    static const struct mist_field head[] = { { "band", "band", MIST_STR }, { "started_time", "started_time", MIST_TIME }, { "duration_s", "duration", MIST_INT } };
    struct mist_call *st = mist_state(call);
    const json_t *running = st->own;
    const char *band = mist_text(call, "band");
    json_t *scans = json_array(), *now = json_object(), *item;
    double ends = mist_num(running, "started_time", 0) + mist_num(running, "duration", 0);
    size_t i;

    json_array_foreach(items, i, item) {
        json_t *row = json_is_object(item) ? mist_hold(call, scan_row(item)) : NULL;

        if (row && (!band || (mist_str(row, "band") && strcmp(mist_str(row, "band"), band) == 0)) &&
            (!st->device.mac || (mist_str(row, "mac") && strcmp(mist_str(row, "mac"), st->device.mac) == 0)))
            json_array_append(scans, row);
    }
    mist_sort_down(scans, "timestamp");
    MIST_PICK(now, running, head);
    mist_done(call, json_pack("{s:b, s:o, s:o, s:i, s:b}", "running", ends > (double)host->wall_ms(call) / 1000, "current", now, "scans", scans,
                              "total", (int)json_array_size(scans), "complete", st->list.complete));
}

static void running_here(struct ft_call *call, json_t *running)
{
    struct mist_call *st = mist_state(call);

    st->own = running;
    mist_list_if_there(call, (size_t)json_integer_value(json_object_get(host->params(call), "limit")), spectrum_here,
                       "/sites/%s/stats/analyze_spectrum?duration=%s", mist_escape(call, st->site_id), mist_window(call));
}

static void spectrum_look(struct ft_call *call)
{
    mist_get_if_there(call, running_here, "/sites/%s/analyze_spectrum", mist_escape(call, mist_state(call)->site_id));
}

static void spectrum_begin(struct ft_call *call)
{
    if (mist_text(call, "device"))
        mist_find_device(call, "ap", spectrum_look);
    else
        mist_find_site(call, spectrum_look);
}
MIST_BEGIN(MIST_LOOK, spectrum_begin, spectrum_begin_start)

const struct ft_action mist_spectrum = {
    MIST_READ(spectrum_begin_start),
    .name = "spectrum", .summary = "what spectrum analyses of a site found, and whether one runs",
    .params_schema = MIST_PARAMS("\"site\"", MIST_SITE "," MIST_DEVICE "," MIST_BAND "," MIST_WINDOW("1d") "," MIST_LIMIT("100", "1000")),
    .result_schema = MIST_OBJ(MIST_P("running", "\"boolean\"", "an analysis runs now") ","
        MIST_P_OBJ("current", MIST_P_STR("band", "radio band") "," MIST_P_TIME("started_time", "when it began") "," MIST_P_INT("duration_s", "how long, s"),
                   "the last one that was started") ","
        MIST_LISTED("scans", MIST_P_TIME("timestamp", "when it was") "," MIST_P_MAC("mac", "MAC address of the AP") "," MIST_P_STR("band", "radio band") ","
            MIST_P_LIST("channels", MIST_OBJ(MIST_P_INT("channel", "channel number") "," MIST_P_NUM("non_wifi", "air time of what is not Wi-Fi, as Mist tells it") ","
                MIST_P_NUM("wifi", "air time of Wi-Fi, as Mist tells it") "," MIST_P_NUM("noise", "noise, dBm")), "channels") ","
            MIST_P_OBJ("peak", MIST_P_NUM("frequency", "where it is, MHz") "," MIST_P_NUM("rssi", "how strong, dBm"), "the strongest that was heard") ","
            MIST_P_INT("most_non_wifi_channel", "channel with most of what is not Wi-Fi") "," MIST_P_NUM("most_non_wifi", "that much"), "newest first")),
    .about = "`GET /sites/{site_id}/analyze_spectrum` and `GET /sites/{site_id}/stats/analyze_spectrum`.",
    .example = "- id: air\n  run: mist.spectrum\n  with: {site: HQ, device: \"${ap.id}\", band: \"5\", window: 1h}\n",
};

/* ---- rf_neighbors: GET /sites/{site_id}/rrm/neighbors/band/{band} */

static json_t *neighbor_row(const json_t *item)
{
    static const struct mist_field head[] = { { "mac", "mac", MIST_MAC } }, fields[] = { { "mac", "mac", MIST_MAC }, { "rssi", "rssi", MIST_NUM } };
    json_t *row = json_object(), *near = MIST_ROWS(mist_at(item, "neighbors"), fields);

    mist_sort_down(near, "rssi");
    MIST_PICK(row, item, head);
    json_object_set(row, "strongest_rssi", json_array_size(near) ? json_object_get(json_array_get(near, 0), "rssi") : json_null());
    json_object_set_new(row, "count", json_integer((json_int_t)json_array_size(near)));
    json_object_set_new(row, "neighbors", near);
    return row;
}

static void neighbors_here(struct ft_call *call, json_t *items)
{
    struct mist_call *st = mist_state(call);
    json_t *rows = json_array(), *item;
    size_t i;

    json_array_foreach(items, i, item) {
        json_t *row = json_is_object(item) ? mist_hold(call, neighbor_row(item)) : NULL;

        if (row && (!st->device.mac || (mist_str(row, "mac") && strcmp(mist_str(row, "mac"), st->device.mac) == 0)))
            json_array_append(rows, row);
    }
    mist_done(call, json_pack("{s:o, s:i, s:b}", "aps", rows, "total", (int)json_array_size(rows), "complete", st->list.complete));
}

static void neighbors_look(struct ft_call *call)
{
    mist_list(call, (size_t)json_integer_value(json_object_get(host->params(call), "limit")), neighbors_here, "/sites/%s/rrm/neighbors/band/%s",
              mist_escape(call, mist_state(call)->site_id), mist_text(call, "band"));
}

static void neighbors_begin(struct ft_call *call)
{
    if (mist_text(call, "device"))
        mist_find_device(call, "ap", neighbors_look);
    else
        mist_find_site(call, neighbors_look);
}
MIST_BEGIN(MIST_LOOK, neighbors_begin, neighbors_start)

const struct ft_action mist_rf_neighbors = {
    MIST_READ(neighbors_start),
    .name = "rf_neighbors", .summary = "how strongly the APs of a site hear each other",
    .params_schema = MIST_PARAMS("\"site\",\"band\"", MIST_SITE "," MIST_DEVICE "," MIST_BAND "," MIST_LIMIT("1000", "10000")),
    .result_schema = MIST_OBJ(MIST_LISTED("aps", MIST_P_MAC("mac", "MAC address of the AP") "," MIST_P("count", "\"integer\"", "APs that it hears") ","
        MIST_P_NUM("strongest_rssi", "signal of the nearest, dBm") ","
        MIST_P_LIST("neighbors", MIST_OBJ(MIST_P_MAC("mac", "MAC address of the other") "," MIST_P_NUM("rssi", "its signal, dBm")), "strongest first"), "APs")),
    .about = "`GET /sites/{site_id}/rrm/neighbors/band/{band}`: who takes over the clients of an AP that goes.",
    .example = "- id: around\n  run: mist.rf_neighbors\n  with: {site: HQ, device: \"${ap.id}\", band: \"5\"}\n",
};

/* ---- ap_channels: GET /sites/{site_id}/devices/ap_channels */

static json_t *numbers(const json_t *list)
{
    json_t *out = json_array(), *item;
    size_t i;

    json_array_foreach(list, i, item)
        if (json_is_integer(item))
            json_array_append(out, item);
    return out;
}

static void channels_here(struct ft_call *call, json_t *answer)
{
    static const struct mist_field head[] = { { "country", "key", MIST_STR }, { "dfs_ok", "dfs_ok", MIST_BOOL } };
    static const char *const bands[] = { "24", "5", "6" };
    json_t *out = json_object();

    MIST_PICK(out, answer, head);
    for (size_t i = 0; i < ARRAY_LEN(bands); i++) {
        json_t *widths = json_object(), *list;
        const char *width;

        json_object_foreach(mist_at(answer, host->printf(call, "band%s_channels", bands[i])), width, list)
            json_object_set_new(widths, width, numbers(list));
        json_object_set_new(out, host->printf(call, "band_%s", bands[i]), widths);
    }
    mist_done(call, out);
}

static void channels_look(struct ft_call *call)
{
    const char *country = mist_text(call, "country_code");

    mist_get(call, channels_here, "/sites/%s/devices/ap_channels%s%s", mist_escape(call, mist_state(call)->site_id), country ? "?country_code=" : "",
             country ? mist_escape(call, country) : "");
}

static void channels_begin(struct ft_call *call)
{
    mist_find_site(call, channels_look);
}
MIST_BEGIN(MIST_LOOK, channels_begin, channels_start)

#define BY_WIDTH(name, text) "\"" name "\":{\"type\":\"object\",\"description\":\"" text ": channels by width in MHz, and those under dfs and outdoor\"," \
    "\"additionalProperties\":{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}}"

const struct ft_action mist_ap_channels = {
    MIST_READ(channels_start),
    .name = "ap_channels", .summary = "which channels APs may use by law where a site is",
    .params_schema = MIST_PARAMS("\"site\"", MIST_SITE "," JSON("country_code": {"type": "string", "pattern": "^[A-Z][A-Z]$", "description": "another country than the site's: DE, US …"})),
    .result_schema = MIST_OBJ(MIST_P_STR("country", "country") "," MIST_P_BOOL("dfs_ok", "channels that radar has priority on may be used") ","
        BY_WIDTH("band_24", "2.4 GHz") "," BY_WIDTH("band_5", "5 GHz") "," BY_WIDTH("band_6", "6 GHz")),
    .about = "`GET /sites/{site_id}/devices/ap_channels`.",
    .example = "- id: legal\n  run: mist.ap_channels\n  with: {site: HQ}\n",
};
