/* mist_client.c: wireless clients: where one is and how it is, what happened to it, and sending it off the air for a moment. */
#include <string.h>
#include <strings.h>
#include "mist.h"

#define SEARCH_BACK "4w"           /* how far back `known` looks */

/* ---- finding a client: GET /orgs/{org_id}/clients/search */

static void client_found(struct ft_call *call, json_t *results)
{
    mist_then *then = mist_state(call)->record_then;
    json_t *newest = NULL, *item;
    size_t i;

    json_array_foreach(results, i, item) {
        char mac[MIST_MAC_LEN + 1];

        if (!mist_str(item, "mac") || !mist_mac(mist_str(item, "mac"), mac) || strcmp(mac, mist_state(call)->mac) != 0)
            continue;
        if (!newest || mist_num(item, "timestamp", 0) > mist_num(newest, "timestamp", 0))
            newest = item;
    }
    then(call, newest);
}

void mist_search_client(struct ft_call *call, mist_then *then)
{
    struct mist_call *st = mist_state(call);

    st->record_then = then;
    mist_list(call, 10, client_found, "/orgs/%s/clients/search?mac=%s&duration=" SEARCH_BACK, mist_escape(call, mist_of(call)->org), st->mac);
}

static void client_site_found(struct ft_call *call, json_t *past)
{
    struct mist_call *st = mist_state(call);

    st->site_id = mist_str(past, "site_id|site_ids");
    if (!st->site_id)
        st->site_id = json_string_value(json_array_get(mist_at(past, "site_ids"), 0));
    if (st->site_id)
        st->device_found(call);
    else
        mist_fail(call, FT_NOT_FOUND, "the organisation has not seen the client %s within " SEARCH_BACK ": check its MAC address", st->mac);
}

static void client_site_given(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);

    if (st->site_id)
        st->device_found(call);
    else
        mist_search_client(call, client_site_found);
}

void mist_find_client_site(struct ft_call *call, mist_next *found)
{
    if (!mist_find_mac(call))
        return;
    mist_state(call)->device_found = found;
    mist_find_site(call, client_site_given);
}

/* ---- client_status */

/* GET /sites/{site_id}/stats/clients/{client_mac}: there only while it is connected. */
#define LIVE_FIELDS(F) \
    F(STR, hostname, "hostname", "name that the client gave") \
    F(STR, username, "username", "802.1X or portal user") \
    F(STR, ssid, "ssid", "network; when not associated that of the last session") \
    F(STR, wlan_id, "wlan_id", "id of the WLAN; when not associated that of the last session") \
    F(INT, vlan_id, "vlan_id|vlan", "VLAN; when not associated that of the last session") \
    F(STR, ip, "ip", "IP address; when not associated the last one") \
    F(STR, ap_id, "ap_id", "id of the AP it is associated with") \
    F(MAC, ap_mac, "ap_mac", "MAC address of the AP it is associated with") \
    F(STR, band, "band", "radio band: 24, 5 or 6") \
    F(INT, channel, "channel", "channel number") \
    F(NUM, rssi, "rssi", "signal strength, dBm") \
    F(NUM, snr, "snr", "signal over noise, dB") \
    F(NUM, tx_rate, "tx_rate", "rate from the AP to the client, Mbit/s") \
    F(NUM, rx_rate, "rx_rate", "rate from the client to the AP, Mbit/s") \
    F(NUM, tx_bps, "tx_bps", "traffic to the client now, bit/s") \
    F(NUM, rx_bps, "rx_bps", "traffic from the client now, bit/s") \
    F(STR, key_mgmt, "key_mgmt", "security, such as WPA2-PSK/CCMP") \
    F(STR, proto, "proto", "802.11 generation: a, b, g, n, ac, ax, be") \
    F(INT, connected_s, "uptime", "connected for, s") \
    F(INT, idle_s, "idle_time", "without traffic for, s") \
    F(TIME, assoc_time, "assoc_time", "time of the association") \
    F(TIME, last_seen, "last_seen|timestamp", "when Mist saw it last") \
    F(BOOL, is_guest, "is_guest", "a guest") \
    F(BOOL, dual_band, "dual_band", "can use more than one band") \
    F(STR, os, "os", "operating system") \
    F(STR, family, "family", "device family, such as iPhone") \
    F(STR, model, "model", "device model") \
    F(STR, manufacture, "manufacture", "manufacturer, from the MAC address")

static const struct mist_field live_fields[] = { LIVE_FIELDS(MIST_ROW) };
static const struct mist_field past_fields[] = {
    { "hostname", "last_hostname|hostname", MIST_STR }, { "username", "last_username|username", MIST_STR },
    { "ssid", "last_ssid|ssid", MIST_STR }, { "wlan_id", "last_wlan_id|wlan_id", MIST_STR },
    { "vlan_id", "last_vlan", MIST_INT }, { "ip", "last_ip|ip", MIST_STR }, { "proto", "protocol", MIST_STR },
    { "band", "band", MIST_STR }, { "last_seen", "timestamp", MIST_TIME }, { "os", "last_os|os", MIST_STR },
    { "family", "last_device|device", MIST_STR }, { "model", "last_model|model", MIST_STR }, { "manufacture", "mfg", MIST_STR },
};

struct client_look {
    json_t *live, *past, *ap;
    const char *ap_id;
    bool searched;
};

static json_t *ratio(const json_t *of, const char *part, const char *whole)
{
    double packets = mist_num(of, whole, 0);

    return packets > 0 ? json_real(mist_num(of, part, 0) / packets) : json_null();
}

static json_t *text_or_null(const char *text)
{
    return text ? json_string(text) : json_null();
}

static void set_ap(struct ft_call *call, json_t *out, const struct client_look *look)
{
    const char *mac = mist_str(look->ap, "mac"), *last = look->live ? "ap_mac" : "last_ap";
    char plain[MIST_MAC_LEN + 1];

    if (!mac)
        mac = mist_str(look->live ? look->live : look->past, last);
    if (mac && mist_mac(mac, plain))
        mac = host->printf(call, "%s", plain);
    json_object_set_new(out, "ap_name", look->live ? text_or_null(mist_str(look->ap, "name")) : json_null());
    json_object_set_new(out, "last_ap_id", text_or_null(look->ap_id));
    json_object_set_new(out, "last_ap_mac", text_or_null(mac));
    json_object_set_new(out, "last_ap_name", text_or_null(mist_str(look->ap, "name")));
    json_object_set_new(out, "last_ap_status", !look->ap_id ? json_null() : json_string(mist_str(look->ap, "status") ? mist_str(look->ap, "status") : "unknown"));
    if (json_is_null(json_object_get(out, "ap_id")) && look->live)
        json_object_set_new(out, "ap_id", text_or_null(look->ap_id));
}

static void status_over(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    struct client_look *look = st->own;
    bool known = look->live || look->past;
    json_t *out = json_pack("{s:b, s:b, s:s, s:s?, s:s?}", "known", known, "associated", look->live != NULL, "mac", st->mac,
                            "site_id", known ? st->site_id : NULL, "site_name", known ? st->site_name : NULL);

    MIST_PICK(out, look->live, live_fields);
    MIST_PICK(out, look->past, past_fields);
    json_object_set_new(out, "tx_retries_ratio", ratio(look->live, "tx_retries", "tx_pkts"));
    json_object_set_new(out, "rx_retries_ratio", ratio(look->live, "rx_retries", "rx_pkts"));
    set_ap(call, out, look);
    mist_done(call, out);
}

static void status_ap(struct ft_call *call, json_t *ap)
{
    ((struct client_look *)mist_state(call)->own)->ap = ap;
    mist_name_site(call, status_over);
}

/* GET /sites/{site_id}/stats/devices/{device_id}: is the AP that serves it, or served it last, there at all? */
static void look_at_ap(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    struct client_look *look = st->own;
    const char *mac = look->live ? mist_str(look->live, "ap_mac") : mist_str(look->past, "last_ap");
    char plain[MIST_MAC_LEN + 1];

    look->ap_id = look->live ? mist_str(look->live, "ap_id") : NULL;
    if (!look->ap_id && mac && mist_mac(mac, plain))
        look->ap_id = mist_device_id(call, plain);
    if (look->ap_id && st->site_id)
        mist_get_if_there(call, status_ap, "/sites/%s/stats/devices/%s", mist_escape(call, st->site_id), mist_escape(call, look->ap_id));
    else
        status_ap(call, NULL);
}

static void status_live(struct ft_call *call, json_t *live);

static void look_at_client(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);

    mist_get_if_there(call, status_live, "/sites/%s/stats/clients/%s", mist_escape(call, st->site_id), st->mac);
}

static void status_past(struct ft_call *call, json_t *past)
{
    struct mist_call *st = mist_state(call);
    struct client_look *look = st->own;
    const char *site = mist_str(past, "site_id"), *tried = st->site_id;

    look->past = past;
    look->searched = true;
    if (!past) {
        status_over(call);
    } else if (site && (!tried || strcasecmp(site, tried) != 0)) {      /* it was seen last at another site than the one given */
        st->site_id = site;
        st->site_name = NULL;
        look_at_client(call);
    } else {
        look_at_ap(call);
    }
}

static void status_live(struct ft_call *call, json_t *live)
{
    struct client_look *look = mist_state(call)->own;

    look->live = mist_str(live, "mac") ? live : NULL;        /* an object that is no client says nothing */
    if (look->live || look->searched)
        look_at_ap(call);
    else
        mist_search_client(call, status_past);
}

static void status_site(struct ft_call *call)
{
    if (mist_state(call)->site_id)
        look_at_client(call);
    else
        mist_search_client(call, status_past);
}

static void status_begin(struct ft_call *call)
{
    if (!mist_find_mac(call))
        return;
    mist_state(call)->own = host->alloc(call, sizeof(struct client_look));
    mist_find_site(call, status_site);
}
MIST_BEGIN(MIST_LOOK, status_begin, status_start)

const struct ft_action mist_client_status = {
    MIST_READ(status_start),
    .name = "client_status", .summary = "where a wireless client is, and how good its connection is",
    .params_schema = MIST_PARAMS("\"mac\"", MIST_SITE "," MIST_CLIENT),
    .result_schema = MIST_OBJ(
        MIST_P("known", "\"boolean\"", "the organisation has seen this client within the last four weeks") ","
        MIST_P("associated", "\"boolean\"", "it is connected now") ","
        MIST_P_STR("site_id", "site it is at, or was seen at last") "," MIST_P_STR("site_name", "name of that site") ","
        MIST_P_MAC("mac", "MAC address of the client") ","
        LIVE_FIELDS(MIST_PROPERTY)
        MIST_P_STR("ap_name", "name of the AP it is associated with") ","
        MIST_P_NUM("tx_retries_ratio", "packets to the client that had to be repeated, 0..1") ","
        MIST_P_NUM("rx_retries_ratio", "packets from the client that had to be repeated, 0..1") ","
        MIST_P_STR("last_ap_id", "id of the AP that serves it now or served it last") ","
        MIST_P_MAC("last_ap_mac", "MAC address of that AP") ","
        MIST_P_STR("last_ap_name", "name of that AP") ","
        MIST_P_STR("last_ap_status", "connected, disconnected, or unknown: how that AP stands with Mist now")),
    .about = "Looks at the site given, else where the client was seen last. A client that is not connected has no signal figures: they are nil.\n"
             "`known: false` means that the organisation has not seen the MAC address within four weeks (a wrong address, or a phone that changes it).",
    .example = "- id: association\n  run: mist.client_status\n  with: {mac: \"${client}\", site: \"${site}\"}\n",
};

/* ---- client_disconnect and client_coa */

/* What a write rests on keeps still; what moves by itself goes into the receipt, for the probe. */
static const struct mist_field before_fields[] = { { "ap_mac", "ap_mac", MIST_MAC }, { "ssid", "ssid", MIST_STR } };
static const struct mist_field seen_fields[] = { { "assoc_time", "assoc_time", MIST_TIME }, { "last_seen", "last_seen", MIST_TIME } };

static void touch_client_ready(struct ft_call *call, json_t *live)
{
    struct mist_call *st = mist_state(call);
    struct mist_write *w = &st->write;
    json_t *seen = json_object();

    w->before = mist_hold(call, json_pack("{s:b}", "associated", live != NULL));
    if (live)
        MIST_PICK(w->before, live, before_fields);
    MIST_PICK(seen, live, seen_fields);
    w->users = 1;
    w->receipt = mist_hold(call, json_pack("{s:s, s:o}", "site_id", st->site_id, "seen", seen));
    w->result = mist_hold(call, json_pack("{s:s, s:s}", "site_id", st->site_id, "mac", st->mac));
    mist_write_ready(call);
}

static void disconnect_ready(struct ft_call *call, json_t *live)
{
    struct mist_call *st = mist_state(call);
    struct mist_write *w = &st->write;

    w->nothing_to_do = !live;
    w->summary = live ? host->printf(call, "disconnect client %s", st->mac) : host->printf(call, "client %s is not connected", st->mac);
    w->method = "POST";
    w->path = host->printf(call, "/sites/%s/clients/%s/disconnect", mist_escape(call, st->site_id), st->mac);
    touch_client_ready(call, live);
}

static void disconnect_look(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);

    mist_get_if_there(call, disconnect_ready, "/sites/%s/stats/clients/%s", mist_escape(call, st->site_id), st->mac);
}

static void disconnect_begin(struct ft_call *call)
{
    mist_find_client_site(call, disconnect_look);
}

/* Gone, or associated anew since: it happened. The association's own time is compared with itself, so no clock of ours is asked. */
static void reassociation_seen(struct ft_call *call, json_t *live)
{
    const json_t *receipt = mist_receipt(call);
    double then, now;

    if (!receipt)
        return;
    then = mist_num(receipt, "seen.assoc_time", 0);
    now = mist_num(live, "assoc_time", 0);
    if (live && (!now || !then))
        mist_fail(call, FT_INVALID, "Mist does not tell when client %s associated, so nobody can see whether it was sent off", mist_state(call)->mac);
    else if (live && now == then && mist_num(live, "last_seen", 0) <= mist_num(receipt, "seen.last_seen", 0))
        mist_fail(call, FT_INVALID, "Mist has no newer figures of client %s than those from before the request: look again in a minute", mist_state(call)->mac);
    else
        mist_done(call, json_pack("{s:b, s:{s:b, s:o}}", "happened", !live || now > then, "seen", "associated", live != NULL,
                                  "assoc_time", live ? json_real(now) : json_null()));
}

static void reassociation_look(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);

    mist_get_if_there(call, reassociation_seen, "/sites/%s/stats/clients/%s", mist_escape(call, st->site_id), st->mac);
}

static void reassociation_begin(struct ft_call *call)
{
    const json_t *receipt = mist_receipt(call);

    if (!receipt || !mist_find_mac(call))
        return;
    mist_state(call)->site_id = mist_str(receipt, "site_id");
    if (!mist_state(call)->site_id)
        mist_fail(call, FT_INVALID, "the receipt names no site");
    else
        reassociation_look(call);
}

MIST_BEGIN(MIST_RUN, disconnect_begin, disconnect_run)
MIST_BEGIN(MIST_PLAN, disconnect_begin, disconnect_plan)
MIST_BEGIN(MIST_PROBE, reassociation_begin, reassociation_probe)

#define TOUCHED MIST_OBJ(MIST_CHANGED "," MIST_P_STR("site_id", "site of the client") "," MIST_P_MAC("mac", "MAC address of the client"))

const struct ft_action mist_client_disconnect = {
    MIST_WRITE(disconnect_run, disconnect_plan), .probe = { reassociation_probe, mist_drop },
    .name = "client_disconnect", .summary = "send one wireless client off the air; it usually comes back within seconds",
    .effects = FT_EFFECT_DISRUPTIVE,
    .params_schema = MIST_PARAMS("\"mac\"", MIST_SITE "," MIST_CLIENT),
    .result_schema = TOUCHED,
    .about = "`POST /sites/{site_id}/clients/{client_mac}/disconnect`. One user notices. There is nothing to take back.\n"
             "After a crash the probe compares the time of the association with the one from before.",
    .example = "- id: reassociate\n  run: mist.client_disconnect\n  with: {mac: \"${client}\", site: \"${association.site_id}\"}\n  undo: none\n",
};

/* CoA: POST /sites/{site_id}/clients/{client_mac}/coa, or /wired_clients/… */

static bool is_wired(struct ft_call *call)
{
    return json_is_true(json_object_get(host->params(call), "wired"));
}

static void coa_ready(struct ft_call *call, json_t *live)
{
    struct mist_call *st = mist_state(call);
    struct mist_write *w = &st->write;

    w->nothing_to_do = !live && !is_wired(call);
    w->summary = w->nothing_to_do ? host->printf(call, "client %s is not connected", st->mac) : host->printf(call, "let client %s authenticate anew", st->mac);
    w->method = "POST";
    w->path = host->printf(call, "/sites/%s/%s/%s/coa", mist_escape(call, st->site_id), is_wired(call) ? "wired_clients" : "clients", st->mac);
    touch_client_ready(call, live);
}

static void coa_look(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);

    if (is_wired(call))
        coa_ready(call, NULL);
    else
        mist_get_if_there(call, coa_ready, "/sites/%s/stats/clients/%s", mist_escape(call, st->site_id), st->mac);
}

static void coa_begin(struct ft_call *call)
{
    mist_find_client_site(call, coa_look);
}

MIST_BEGIN(MIST_RUN, coa_begin, coa_run)
MIST_BEGIN(MIST_PLAN, coa_begin, coa_plan)

const struct ft_action mist_client_coa = {
    MIST_WRITE(coa_run, coa_plan),
    .name = "client_coa", .summary = "let an 802.1X client authenticate anew (RADIUS change of authorization)",
    .effects = FT_EFFECT_DISRUPTIVE,
    .params_schema = MIST_PARAMS("\"mac\"", MIST_SITE "," MIST_CLIENT ","
        JSON("wired": {"type": "boolean", "default": false, "description": "it hangs on a switch port; give the site"})),
    .result_schema = TOUCHED,
    .about = "`POST /sites/{site_id}/clients/{client_mac}/coa`. One user notices. There is nothing to take back, and nothing in Mist tells\n"
             "afterwards whether it was sent: after a crash a person is asked.",
    .example = "- id: reauth\n  run: mist.client_coa\n  with: {mac: \"${client}\", site: \"${association.site_id}\"}\n  undo: none\n",
};
