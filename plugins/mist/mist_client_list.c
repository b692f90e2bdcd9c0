/* mist_client_list.c: many clients: sessions, who is connected now, counts. */
#include <string.h>
#include <strings.h>
#include "mist.h"

#define SESSIONS_READ 5000
#define CLIENTS_READ 1000

/* ---- client_sessions: GET /orgs|sites/…/clients/sessions/search. The search has no filter by MAC, so that happens here. */

#define SESSION_FIELDS(F) \
    F(MAC, mac, "mac", "MAC address of the client") \
    F(MAC, ap, "ap", "MAC address of the AP") \
    F(STR, ssid, "ssid", "network") \
    F(STR, wlan_id, "wlan_id", "id of the WLAN") \
    F(STR, band, "band", "radio band: 24, 5 or 6") \
    F(TIME, connect, "connect", "when it began") \
    F(TIME, disconnect, "disconnect", "when it ended") \
    F(NUM, duration_s, "duration", "length, s") \
    F(STR, reason, "tags", "how it ended") \
    F(STR, site_id, "site_id", "id of the site")
static const struct mist_field session_fields[] = { SESSION_FIELDS(MIST_ROW) { "timestamp", "timestamp|disconnect|connect", MIST_TIME } };

static bool same_mac(const json_t *row, const char *mac)
{
    return !mac || (mist_str(row, "mac") && strcmp(mist_str(row, "mac"), mac) == 0);
}

static void sessions_here(struct ft_call *call, json_t *items)
{
    struct mist_call *st = mist_state(call);
    size_t limit = (size_t)json_integer_value(json_object_get(host->params(call), "limit")), i, total = 0, brief = 0;
    json_t *rows = mist_hold(call, MIST_ROWS(items, session_fields)), *taken = json_array(), *aps = mist_hold(call, json_object()), *row;

    mist_sort_down(rows, "timestamp");
    json_array_foreach(rows, i, row) {
        if (!same_mac(row, st->mac))
            continue;
        total++;
        brief += mist_num(row, "duration_s", 1e9) < 60;
        if (mist_str(row, "ap"))
            json_object_set_new(aps, mist_str(row, "ap"), json_true());
        if (json_array_size(taken) < limit)
            json_array_append(taken, row);
    }
    mist_done(call, json_pack("{s:o, s:i, s:i, s:i, s:b}", "sessions", taken, "total", (int)total, "under_a_minute", (int)brief,
                              "aps", (int)json_object_size(aps), "complete", st->list.complete && total <= limit));
}

static void sessions_look(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    const char *ssid = mist_text(call, "ssid");
    const char *filter = ssid ? host->printf(call, "&ssid=%s", mist_escape(call, ssid)) : "";

    if (st->site_id)
        mist_list(call, SESSIONS_READ, sessions_here, "/sites/%s/clients/sessions/search?duration=%s%s", mist_escape(call, st->site_id), mist_window(call), filter);
    else
        mist_list(call, SESSIONS_READ, sessions_here, "/orgs/%s/clients/sessions/search?duration=%s%s", mist_escape(call, mist_of(call)->org), mist_window(call), filter);
}

static void sessions_begin(struct ft_call *call)
{
    if (!mist_text(call, "mac") || mist_find_mac(call))
        mist_find_site(call, sessions_look);
}
MIST_BEGIN(MIST_LOOK, sessions_begin, sessions_start)

const struct ft_action mist_client_sessions = {
    MIST_READ(sessions_start),
    .name = "client_sessions", .summary = "past sessions of one client, or of all",
    .params_schema = MIST_PARAMS("", MIST_SITE "," MIST_CLIENT "," MIST_WINDOW("1d") "," MIST_LIMIT("100", "1000") ","
        JSON("ssid": {"type": "string", "minLength": 1, "description": "only sessions on this network"})),
    .result_schema = MIST_OBJ(
        MIST_P_LIST("sessions", MIST_OBJ(SESSION_FIELDS(MIST_PROPERTY) MIST_P_TIME("timestamp", "when Mist wrote it down")), "newest first") ","
        MIST_P("total", "\"integer\"", "sessions within the window") "," MIST_P("under_a_minute", "\"integer\"", "those shorter than a minute") ","
        MIST_P("aps", "\"integer\"", "different APs among them") "," MIST_COMPLETE),
    .about = "`GET /sites/{site_id}/clients/sessions/search`, or that of the organisation without a site. Mist cannot filter by MAC address here, so up to 5000\n"
             "sessions are read and sifted: give the site.",
    .example = "- id: sessions\n  run: mist.client_sessions\n  with: {mac: \"${client}\", site: \"${association.site_id}\", window: 4h}\n",
};

/* ---- client_list: GET /sites/{site_id}/stats/clients */

#define LISTED_FIELDS(F) \
    F(MAC, mac, "mac", "MAC address of the client") \
    F(STR, hostname, "hostname", "name that the client gave") \
    F(STR, username, "username", "802.1X or portal user") \
    F(STR, ssid, "ssid", "network") \
    F(MAC, ap_mac, "ap_mac", "MAC address of the AP") \
    F(STR, ap_id, "ap_id", "id of the AP") \
    F(STR, band, "band", "radio band: 24, 5 or 6") \
    F(INT, channel, "channel", "channel number") \
    F(INT, vlan_id, "vlan_id|vlan", "VLAN") \
    F(STR, ip, "ip", "IP address") \
    F(NUM, rssi, "rssi", "signal strength, dBm") \
    F(NUM, snr, "snr", "signal over noise, dB") \
    F(NUM, tx_rate, "tx_rate", "rate from the AP to the client, Mbit/s") \
    F(NUM, rx_rate, "rx_rate", "rate from the client to the AP, Mbit/s") \
    F(STR, proto, "proto", "802.11 generation") \
    F(INT, connected_s, "uptime", "connected for, s")
static const struct mist_field listed_fields[] = { LISTED_FIELDS(MIST_ROW) { "last_seen", "last_seen", MIST_TIME } };

static bool equals_param(struct ft_call *call, const json_t *row, const char *param, const char *field)
{
    const char *wanted = mist_text(call, param), *has = mist_str(row, field);

    return !wanted || (has && strcmp(has, wanted) == 0);
}

static bool below_param(struct ft_call *call, const json_t *row, const char *param, const char *field)
{
    const json_t *limit = json_object_get(host->params(call), param);

    return !limit || mist_num(row, field, 1e9) < json_number_value(limit);
}

static void clients_here(struct ft_call *call, json_t *items)
{
    struct mist_call *st = mist_state(call);
    size_t limit = (size_t)json_integer_value(json_object_get(host->params(call), "limit")), i, total = 0;
    json_t *rows = mist_hold(call, MIST_ROWS(items, listed_fields)), *taken = json_array(), *row;

    json_array_foreach(rows, i, row) {
        bool on_ap = !st->device.id || (mist_str(row, "ap_id") && strcasecmp(mist_str(row, "ap_id"), st->device.id) == 0) ||
                     (mist_str(row, "ap_mac") && st->device.mac && strcmp(mist_str(row, "ap_mac"), st->device.mac) == 0);

        if (!on_ap || !equals_param(call, row, "ssid", "ssid") || !equals_param(call, row, "band", "band") ||
            !below_param(call, row, "rssi_below", "rssi") || !below_param(call, row, "snr_below", "snr"))
            continue;
        if (total++ < limit)
            json_array_append(taken, row);
    }
    mist_done(call, json_pack("{s:o, s:i, s:b}", "clients", taken, "total", (int)total, "complete",
                              total <= limit && json_array_size(items) < CLIENTS_READ));
}

static void clients_look(struct ft_call *call)
{
    mist_get_array(call, clients_here, "/sites/%s/stats/clients?limit=%d", mist_escape(call, mist_state(call)->site_id), CLIENTS_READ);
}

static void clients_begin(struct ft_call *call)
{
    if (mist_text(call, "device"))
        mist_find_device(call, "ap", clients_look);
    else
        mist_find_site(call, clients_look);
}
MIST_BEGIN(MIST_LOOK, clients_begin, clients_start)

const struct ft_action mist_client_list = {
    MIST_READ(clients_start),
    .name = "client_list", .summary = "the wireless clients of a site that are connected now, all or the weak ones",
    .params_schema = MIST_PARAMS("\"site\"", MIST_SITE "," MIST_DEVICE "," MIST_BAND "," MIST_LIMIT("200", "1000") ","
        JSON("ssid": {"type": "string", "minLength": 1, "description": "only clients of this network"},
             "rssi_below": {"type": "number", "description": "only clients with a weaker signal, dBm"},
             "snr_below": {"type": "number", "description": "only clients with less signal over noise, dB"})),
    .result_schema = MIST_OBJ(
        MIST_P_LIST("clients", MIST_OBJ(LISTED_FIELDS(MIST_PROPERTY) MIST_P_TIME("last_seen", "when Mist saw it last")), "clients that fit") ","
        MIST_P("total", "\"integer\"", "clients that fit") "," MIST_COMPLETE),
    .about = "`GET /sites/{site_id}/stats/clients`, one answer of at most 1000 clients: Mist gives no further pages here.",
    .example = "- id: weak\n  run: mist.client_list\n  with: {site: HQ, rssi_below: -70}\n",
};

/* ---- client_count: GET /orgs|sites/…/clients/count */

static void counted(struct ft_call *call, json_t *answer)
{
    const char *by = mist_text(call, "by");
    json_t *groups = json_array(), *item;
    json_int_t total = 0;
    size_t i;

    json_array_foreach(mist_at(answer, "results"), i, item) {
        struct mist_field value = { "value", by, MIST_STR };
        json_int_t count = (json_int_t)mist_num(item, "count", 0);

        json_array_append_new(groups, json_pack("{s:o, s:I}", "value", mist_value(item, &value), "count", count));
        total += count;
    }
    mist_done(call, json_pack("{s:o, s:I}", "groups", groups, "total", total));
}

static void count_look(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    const char *by = mist_text(call, "by");

    if (st->site_id)
        mist_get(call, counted, "/sites/%s/clients/count?distinct=%s&duration=%s&limit=1000", mist_escape(call, st->site_id), by, mist_window(call));
    else
        mist_get(call, counted, "/orgs/%s/clients/count?distinct=%s&duration=%s&limit=1000", mist_escape(call, mist_of(call)->org), by, mist_window(call));
}

static void count_begin(struct ft_call *call)
{
    mist_find_site(call, count_look);
}
MIST_BEGIN(MIST_LOOK, count_begin, count_start)

const struct ft_action mist_client_count = {
    MIST_READ(count_start),
    .name = "client_count", .summary = "how many clients there were, grouped by AP, network, VLAN …",
    .params_schema = MIST_PARAMS("", MIST_SITE "," MIST_WINDOW("1h") ","
        JSON("by": {"type": "string", "enum": ["ap", "device", "hostname", "ip", "mac", "model", "os", "ssid", "vlan"], "default": "ssid",
                    "description": "what to group by"})),
    .result_schema = MIST_OBJ(
        MIST_P_LIST("groups", MIST_OBJ(MIST_P_STR("value", "what the group has in common") "," MIST_P("count", "\"integer\"", "clients of the group")), "groups") ","
        MIST_P("total", "\"integer\"", "clients of all groups")),
    .about = "`GET /sites/{site_id}/clients/count`, or that of the organisation without a site. It counts who was seen within the window.",
    .example = "- id: load\n  run: mist.client_count\n  with: {site: HQ, by: ap, window: 1h}\n",
};
