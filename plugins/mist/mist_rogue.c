/* mist_rogue.c: foreign access points: their clients, when they were heard, what is known of one, leaving one in peace, and sending off its clients. */
#include <string.h>
#include <strings.h>
#include "mist.h"

/* ---- rogue_clients: GET /sites/{site_id}/insights/rogues/clients */

#define CLIENT_FIELDS(F) \
    F(MAC, mac, "client_mac", "MAC address of the client") \
    F(MAC, bssid, "bssid", "BSSID it is connected to") \
    F(MAC, ap_mac, "ap_mac", "own AP that hears it best") \
    F(STR, band, "band", "radio band: 24, 5 or 6") \
    F(NUM, rssi, "avg_rssi", "signal strength on average, dBm") \
    F(INT, num_aps, "num_aps", "own APs that hear it")
static const struct mist_field client_fields[] = { CLIENT_FIELDS(MIST_ROW) { "annotation", "annotation", MIST_STR } };
static const struct mist_table client_table = {
    .name = "clients", .site = "/insights/rogues/clients", .fields = client_fields, .count = ARRAY_LEN(client_fields), .sort = "rssi", .window = true,
};
MIST_TABLE(clients_start, client_table)

const struct ft_action mist_rogue_clients = {
    MIST_READ(clients_start),
    .name = "rogue_clients", .summary = "clients of foreign access points that a site hears",
    .params_schema = MIST_PARAMS("\"site\"", MIST_SITE "," MIST_WINDOW("1d") "," MIST_LIMIT("500", "5000")),
    .result_schema = MIST_OBJ(MIST_LISTED("clients", CLIENT_FIELDS(MIST_PROPERTY) MIST_P_STR("annotation", "what Mist thinks it is"), "strongest first")),
    .about = "`GET /sites/{site_id}/insights/rogues/clients`.",
    .example = "- id: theirs\n  run: mist.rogue_clients\n  with: {site: HQ}\n",
};

/* ---- rogue_events: GET /sites/{site_id}/rogues/events/search */

#define EVENT_FIELDS(F) \
    F(TIME, timestamp, "timestamp", "when it was") \
    F(MAC, bssid, "bssid", "BSSID") \
    F(STR, ssid, "ssid", "network name that it sends") \
    F(INT, channel, "channel", "channel number") \
    F(NUM, rssi, "rssi", "signal strength, dBm")
static const struct mist_field event_fields[] = { EVENT_FIELDS(MIST_ROW) { "ap_mac", "ap", MIST_MAC } };
static const char *const event_filters[] = { "type", "ssid", "bssid", "ap_mac", "channel", "seen_on_lan", NULL };

static void count_bssids(struct ft_call *call, const json_t *rows, json_t *out)
{
    (void)call;
    mist_count_rows(rows, "bssid", out, "by_bssid");
}

static const struct mist_table event_table = {
    .name = "events", .site = "/rogues/events/search", .filters = event_filters, .fields = event_fields, .count = ARRAY_LEN(event_fields),
    .sort = "timestamp", .window = true, .finish = count_bssids,
};
MIST_TABLE(events_start, event_table)

const struct ft_action mist_rogue_events = {
    MIST_READ(events_start),
    .name = "rogue_events", .summary = "when and how strongly a site's APs heard foreign access points",
    .params_schema = MIST_PARAMS("\"site\"", MIST_SITE "," MIST_WINDOW("1d") "," MIST_LIMIT("500", "5000") ","
        JSON("type": {"type": "string", "enum": ["honeypot", "lan", "others", "spoof"], "description": "only these, see mist.rogues"},
             "ssid": {"type": "string", "minLength": 1, "description": "only this network name"},
             "bssid": {"type": "string", "minLength": 12, "description": "only this BSSID"},
             "ap_mac": {"type": "string", "minLength": 12, "description": "only as heard by this AP"},
             "channel": {"type": "integer", "minimum": 1, "description": "only on this channel"},
             "seen_on_lan": {"type": "boolean", "description": "only those that hang on our wire"})),
    .result_schema = MIST_OBJ(MIST_LISTED("events", EVENT_FIELDS(MIST_PROPERTY) MIST_P_MAC("ap_mac", "own AP that heard it"), "newest first") ","
        MIST_COUNTS("by_bssid", "events by BSSID")),
    .about = "`GET /sites/{site_id}/rogues/events/search`. The APs that hear it most strongly tell where it stands.",
    .example = "- id: heard\n  run: mist.rogue_events\n  with: {site: HQ, bssid: \"${rogue}\", window: 1d}\n",
};

/* ---- one rogue, by the parameter `bssid` */

static const char *find_bssid(struct ft_call *call)
{
    const char *text = mist_text(call, "bssid");
    char mac[MIST_MAC_LEN + 1];

    if (text && mist_mac(text, mac))
        return host->printf(call, "%s", mac);
    mist_fail(call, FT_INVALID, "bssid: '%.40s' is not a BSSID (12 hex digits)", text ? text : "");
    return NULL;
}

static void info_here(struct ft_call *call, json_t *answer)
{
    static const struct mist_field fields[] = { { "manufacture", "manufacture", MIST_STR }, { "seen_as_client", "seen_as_client", MIST_BOOL } };
    json_t *out = json_pack("{s:s}", "bssid", mist_state(call)->mac);

    MIST_PICK(out, answer, fields);
    mist_done(call, out);
}

static void info_look(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);

    mist_get(call, info_here, "/sites/%s/rogues/%s", mist_escape(call, st->site_id), st->mac);
}

static void info_begin(struct ft_call *call)
{
    mist_state(call)->mac = find_bssid(call);
    if (mist_state(call)->mac)
        mist_find_site(call, info_look);
}
MIST_BEGIN(MIST_LOOK, info_begin, info_start)

#define BSSID JSON("bssid": {"type": "string", "minLength": 12, "description": "BSSID of the foreign access point, in any notation"})

const struct ft_action mist_rogue_info = {
    MIST_READ(info_start),
    .name = "rogue_info", .summary = "what Mist knows about one foreign access point",
    .params_schema = MIST_PARAMS("\"site\",\"bssid\"", MIST_SITE "," BSSID),
    .result_schema = MIST_OBJ(MIST_P_MAC("bssid", "BSSID") "," MIST_P_STR("manufacture", "manufacturer, from the BSSID") ","
        MIST_P_BOOL("seen_as_client", "the same MAC address was seen as a client of ours: somebody's telephone or laptop")),
    .about = "`GET /sites/{site_id}/rogues/{rogue_bssid}`.",
    .example = "- id: rogue\n  run: mist.rogue_info\n  with: {site: HQ, bssid: \"${rogue}\"}\n",
};

/* ---- rogue_approve: `rogue.whitelisted_bssids` or `.whitelisted_ssids` of the site's settings. Mist classifies rogues itself; this is all that can be told it. */

static bool same_entry(const char *a, const char *b, bool macs)
{
    char x[MIST_MAC_LEN + 1], y[MIST_MAC_LEN + 1];

    return macs ? mist_mac(a, x) && mist_mac(b, y) && strcmp(x, y) == 0 : strcmp(a, b) == 0;
}

static bool listed(const json_t *list, const char *wanted, bool macs)
{
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
        if (json_is_string(item) && same_entry(json_string_value(item), wanted, macs))
            return true;
    return false;
}

static void approve_ready(struct ft_call *call, json_t *setting)
{
    struct mist_call *st = mist_state(call);
    const char *bssid = mist_text(call, "bssid"), *entry = bssid ? bssid : mist_text(call, "ssid");
    const char *key = bssid ? "whitelisted_bssids" : "whitelisted_ssids";
    json_t *rogue = json_object_get(setting, "rogue"), *list;

    rogue = json_is_object(rogue) ? json_deep_copy(rogue) : json_object();
    list = json_object_get(rogue, key);
    if (!json_is_array(list)) {
        list = json_array();
        json_object_set_new(rogue, key, list);
    }
    if (!listed(list, entry, bssid != NULL))
        json_array_append_new(list, json_string(entry));
    mist_edit(call, &(struct mist_edit){
        .path = host->printf(call, "/sites/%s/setting", mist_escape(call, st->site_id)),
        .what = host->printf(call, "the foreign networks that site %s knows as harmless (%s)", mist_site_label(st), entry),
        .changes = mist_hold(call, json_pack("{s:o}", "rogue", rogue)),
    });
}

static void approve_look(struct ft_call *call)
{
    mist_get(call, approve_ready, "/sites/%s/setting", mist_escape(call, mist_state(call)->site_id));
}

static void approve_begin(struct ft_call *call)
{
    if (!mist_text(call, "bssid") == !mist_text(call, "ssid"))
        mist_fail(call, FT_INVALID, "which one? give bssid or ssid, not both");
    else if (!mist_text(call, "bssid") || find_bssid(call))
        mist_find_site(call, approve_look);
}
MIST_BEGIN(MIST_RUN, approve_begin, approve_run)
MIST_BEGIN(MIST_PLAN, approve_begin, approve_plan)
MIST_BEGIN(MIST_UNDO, mist_edit_undo_begin, approve_undo)

const struct ft_action mist_rogue_approve = {
    MIST_WRITE(approve_run, approve_plan), .undo = { approve_undo, mist_drop },
    .name = "rogue_approve", .summary = "tell a site that a foreign access point or network is known and harmless",
    .effects = FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT,
    .params_schema = MIST_PARAMS("\"site\"", MIST_SITE "," BSSID "," JSON("ssid": {"type": "string", "minLength": 1, "description": "network name, instead of a BSSID"})),
    .result_schema = MIST_EDIT_RESULT,
    .about = "`PUT /sites/{site_id}/setting` with `rogue`, of which only the list of harmless BSSIDs or names grows. Mist decides itself what is a rogue, a honeypot\n"
             "or a spoof: this is the one word that a network's owner has in it. Undo puts the former `rogue` back.",
    .example = "- id: neighbour\n  run: mist.rogue_approve\n  with: {site: HQ, bssid: d8:97:ba:76:b5:aa}\n  undo: auto\n",
};

/* ---- rogue_deauth: POST /sites/{site_id}/rogues/{rogue_bssid}/deauth_clients */

/* Only what is an attack on our own network: a neighbour's lawful network is not ours to disturb. */
static const char *kind_that_may(struct ft_call *call, const json_t *rogues)
{
    const char *bssid = mist_state(call)->mac;
    json_t *item;
    size_t i;

    json_array_foreach(rogues, i, item) {
        const char *has = mist_str(item, "bssid");
        char mac[MIST_MAC_LEN + 1];

        if (has && mist_mac(has, mac) && strcmp(mac, bssid) == 0)
            return mist_str(item, "ssid") ? mist_str(item, "ssid") : "(hidden)";
    }
    return NULL;
}

static void deauth_ready(struct ft_call *call, json_t *rogues)
{
    struct mist_call *st = mist_state(call);
    struct mist_write *w = &st->write;
    const char *ssid = kind_that_may(call, rogues), *kind = mist_text(call, "kind");

    if (!ssid) {
        mist_fail(call, FT_NOT_FOUND, "site %s has heard no rogue %s of kind '%s' within the last day: nothing is sent against a network that is none",
                  mist_site_label(st), st->mac, kind);
        return;
    }
    w->before = mist_hold(call, json_pack("{s:s, s:s, s:s}", "bssid", st->mac, "ssid", ssid, "kind", kind));
    w->summary = host->printf(call, "send all clients of the rogue %s '%.64s' off the air", st->mac, ssid);
    w->method = "POST";
    w->path = host->printf(call, "/sites/%s/rogues/%s/deauth_clients", mist_escape(call, st->site_id), st->mac);
    w->result = mist_hold(call, json_pack("{s:s, s:s, s:s}", "site_id", st->site_id, "bssid", st->mac, "ssid", ssid));
    mist_write_ready(call);
}

static void deauth_look(struct ft_call *call)
{
    mist_list(call, 5000, deauth_ready, "/sites/%s/insights/rogues?duration=1d&type=%s", mist_escape(call, mist_state(call)->site_id), mist_text(call, "kind"));
}

static void deauth_begin(struct ft_call *call)
{
    mist_state(call)->mac = find_bssid(call);
    if (mist_state(call)->mac)
        mist_find_site(call, deauth_look);
}
MIST_BEGIN(MIST_RUN, deauth_begin, deauth_run)
MIST_BEGIN(MIST_PLAN, deauth_begin, deauth_plan)

const struct ft_action mist_rogue_deauth = {
    MIST_WRITE(deauth_run, deauth_plan),
    .name = "rogue_deauth", .summary = "send the clients of a rogue access point off the air",
    .effects = FT_EFFECT_DISRUPTIVE,
    .params_schema = MIST_PARAMS("\"site\",\"bssid\",\"kind\"", MIST_SITE "," BSSID ","
        JSON("kind": {"type": "string", "enum": ["lan", "honeypot", "spoof"],
                      "description": "what Mist must have found it to be: lan hangs on our wire, honeypot sends a network name of ours, spoof sends our BSSID"})),
    .result_schema = MIST_OBJ(MIST_CHANGED "," MIST_P_STR("site_id", "site") "," MIST_P_MAC("bssid", "BSSID") "," MIST_P_STR("ssid", "network name that it sends")),
    .about = "`POST /sites/{site_id}/rogues/{rogue_bssid}/deauth_clients`. **It disturbs other people's radio, which the law forbids in many countries unless the network\n"
             "attacks yours**: let a person approve it (`approve` in the step), and know your country's rules. Networks that Mist lists as neighbours (`others`) cannot be\n"
             "named at all. How many people notice cannot be known, and nothing is taken back.",
    .example = "- id: contain\n  run: mist.rogue_deauth\n  with: {site: HQ, bssid: \"${rogue}\", kind: lan}\n  undo: none\n",
};
