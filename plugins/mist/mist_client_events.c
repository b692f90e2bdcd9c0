/* mist_client_events.c: what happened to a client, in the order of a connection: association, authentication, DHCP, ARP, DNS, roaming. */
#include <string.h>
#include "mist.h"

#define EVENTS_READ 1000

enum meaning { GOOD, BAD, LEFT };

/* The names of events are catalogued by GET /const/client_events and grow: they are told apart by their parts, the first row that fits. */
static const struct rule {
    const char *has, *and;          /* parts of the type; and: NULL for none */
    enum meaning meaning;
    const char *phase, *counter;    /* counter: NULL, not counted */
} rules[] = {
    { "DHCP", "NAK", BAD, "dhcp", "dhcp_naks" },
    { "DHCP", "FAIL", BAD, "dhcp", "dhcp_failures" },
    { "DHCP", "STUCK", BAD, "dhcp", "dhcp_failures" },
    { "IP_ASSIGNED", NULL, GOOD, "dhcp", NULL },
    { "IPV6_ASSIGNED", NULL, GOOD, "dhcp", NULL },
    { "STATIC_IP_BLOCKED", NULL, BAD, "policy", NULL },
    { "STATIC_DNS_BLOCKED", NULL, BAD, "policy", NULL },
    { "DNS", "FAIL", BAD, "dns", "dns_failures" },
    { "DNS_OK", NULL, GOOD, "dns", NULL },
    { "ARP", "FAIL", BAD, "arp", "arp_failures" },
    { "EXCESSIVE_ARPING", NULL, BAD, "arp", "arp_failures" },
    { "GATEWAY_SPOOFING", NULL, BAD, "arp", NULL },
    { "ARP_OK", NULL, GOOD, "arp", NULL },
    { "FBT_FAILURE", NULL, BAD, "roaming", "roam_failures" },
    { "AUTH_FAILURE_11R", NULL, BAD, "roaming", "roam_failures" },
    { "AUTH_FAILURE_OKC", NULL, BAD, "roaming", "roam_failures" },
    { "FT_KEY_NOT_FOUND", NULL, BAD, "roaming", "roam_failures" },
    { "REASSOCIATION", "FAIL", BAD, "roaming", "roam_failures" },
    { "REASSOCIATION", NULL, GOOD, "roaming", "roams" },
    { "CAPTIVE_PORTAL", "FAIL", BAD, "policy", NULL },
    { "CAPTIVE_PORTAL", NULL, GOOD, "policy", NULL },
    { "WXLAN_POLICY_LOOKUP", "FAIL", BAD, "policy", NULL },
    { "DEAUTHENTICAT", NULL, LEFT, "association", "disconnects" },
    { "DEASSOCIATION", NULL, LEFT, "association", "disconnects" },
    { "DISASSOC", NULL, LEFT, "association", "disconnects" },
    { "STA_LEAVING", NULL, LEFT, "association", "disconnects" },
    { "ASSOCIATION", "FAIL", BAD, "association", "association_failures" },
    { "AUTH", "FAIL", BAD, "auth", "auth_failures" },
    { "AUTH", "DENIED", BAD, "auth", "auth_failures" },
    { "CLIENT_DENY", NULL, BAD, "auth", "auth_failures" },
    { "SA_QUERY_TIMEOUT", NULL, BAD, "auth", "auth_failures" },
    { "AUTHENTICATED", NULL, GOOD, "auth", NULL },
    { "CLIENT_PERMIT", NULL, GOOD, "auth", NULL },
    { "ASSOCIATION", NULL, GOOD, "association", NULL },
};

static const char *const counters[] = {
    "association_failures", "auth_failures", "dhcp_failures", "dhcp_naks", "dns_failures", "arp_failures", "roams", "roam_failures", "disconnects",
};

static const struct rule *rule_of(const char *type)
{
    for (size_t i = 0; type && i < ARRAY_LEN(rules); i++)
        if (strstr(type, rules[i].has) && (!rules[i].and || strstr(type, rules[i].and)))
            return &rules[i];
    return NULL;
}

#define EVENT_FIELDS(F) \
    F(TIME, timestamp, "timestamp", "when it was") \
    F(STR, type, "type", "name of the event") \
    F(STR, text, "text", "what Mist says about it") \
    F(STR, reason, "reason|reason_code|status_code", "reason, where there is one") \
    F(MAC, ap, "ap", "MAC address of the AP") \
    F(STR, ssid, "ssid", "network") \
    F(STR, band, "band", "radio band: 24, 5 or 6") \
    F(INT, channel, "channel", "channel number")
static const struct mist_field event_fields[] = { EVENT_FIELDS(MIST_ROW) };

struct event_look {
    json_t *counts, *events;
    json_t *last_failure, *auth_failure;     /* borrowed from events */
    bool recovered;
    size_t total;
};

/* Newest first: so the first failure met is the last one, and good news of its phase met before it means that it is over. */
static void weigh(struct event_look *look, json_t *event, json_t *good_phases)
{
    const struct rule *rule = rule_of(mist_str(event, "type"));
    static const char *const words[] = { [GOOD] = "good", [BAD] = "failure", [LEFT] = "left" };

    json_object_set_new(event, "phase", rule ? json_string(rule->phase) : json_null());
    json_object_set_new(event, "meaning", json_string(rule ? words[rule->meaning] : "other"));
    if (!rule)
        return;
    if (rule->counter)
        mist_count_into(look->counts, rule->counter);
    if (rule->meaning == GOOD)
        json_object_set_new(good_phases, rule->phase, json_true());
    if (rule->meaning == BAD && !look->last_failure) {
        look->last_failure = event;
        look->recovered = json_object_get(good_phases, rule->phase) != NULL;
    }
    if (rule->meaning == BAD && !strcmp(rule->phase, "auth") && !look->auth_failure)
        look->auth_failure = event;
}

static json_t *failure_of(const json_t *event)
{
    json_t *failure = json_object();

    for (size_t i = 0; i < 4; i++) {
        static const char *const names[] = { "type", "text", "reason", "timestamp" };
        json_t *value = json_object_get(event, names[i]);

        json_object_set_new(failure, names[i], value ? json_incref(value) : json_null());
    }
    return failure;
}

static void events_here(struct ft_call *call, json_t *items)
{
    struct mist_call *st = mist_state(call);
    struct event_look look = { .counts = json_object(), .events = MIST_ROWS(items, event_fields) };
    size_t limit = (size_t)json_integer_value(json_object_get(host->params(call), "limit")), i;
    json_t *good = json_object(), *event, *out;

    for (i = 0; i < ARRAY_LEN(counters); i++)
        json_object_set_new(look.counts, counters[i], json_integer(0));
    mist_sort_down(look.events, "timestamp");
    json_array_foreach(look.events, i, event)
        weigh(&look, event, good);
    look.total = json_array_size(look.events);
    out = json_pack("{s:s, s:s, s:i, s:o, s:O, s:b, s:b}", "site_id", st->site_id, "mac", st->mac, "total", (int)look.total,
                    "last_failure", failure_of(look.last_failure),
                    "phase_of_last_failure", look.last_failure ? json_object_get(look.last_failure, "phase") : json_null(),
                    "recovered", look.recovered, "complete", st->list.complete && look.total <= limit);
    json_object_set(out, "auth_failure_reason", look.auth_failure ? json_object_get(look.auth_failure, "text") : json_null());
    json_object_update(out, look.counts);
    while (json_array_size(look.events) > limit)
        json_array_remove(look.events, json_array_size(look.events) - 1);
    json_object_set_new(out, "events", look.events);
    json_decref(look.counts);
    json_decref(good);
    mist_done(call, out);
}

static void events_look(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);

    mist_list(call, EVENTS_READ, events_here, "/sites/%s/clients/%s/events?duration=%s", mist_escape(call, st->site_id), st->mac, mist_window(call));
}

static void events_begin(struct ft_call *call)
{
    mist_find_client_site(call, events_look);
}
MIST_BEGIN(MIST_LOOK, events_begin, events_start)

const struct ft_action mist_client_events = {
    MIST_READ(events_start),
    .name = "client_events", .summary = "what happened to a wireless client lately, counted by phase of the connection",
    .params_schema = MIST_PARAMS("\"mac\"", MIST_SITE "," MIST_CLIENT "," MIST_WINDOW("1h") "," MIST_LIMIT("100", "1000")),
    .result_schema = MIST_OBJ(
        MIST_P_STR("site_id", "site that was asked") "," MIST_P_MAC("mac", "MAC address of the client") ","
        MIST_P_LIST("events", MIST_OBJ(EVENT_FIELDS(MIST_PROPERTY)
            MIST_P_STR("phase", "association, auth, dhcp, arp, dns, roaming, policy; nil where it is none of them") ","
            MIST_P("meaning", "\"string\"", "good, failure, left (the client went off the air), other")), "newest first") ","
        MIST_P("total", "\"integer\"", "events within the window") "," MIST_COMPLETE ","
        MIST_P("association_failures", "\"integer\"", "failed associations") ","
        MIST_P("auth_failures", "\"integer\"", "failed authentications: 802.1X, PSK, SAE, MAC") ","
        MIST_P("dhcp_failures", "\"integer\"", "DHCP without an answer, or without an end; NAKs are counted apart") ","
        MIST_P("dhcp_naks", "\"integer\"", "addresses that the DHCP server refused") ","
        MIST_P("dns_failures", "\"integer\"", "DNS failures") ","
        MIST_P("arp_failures", "\"integer\"", "ARP failures, of the gateway above all") ","
        MIST_P("roams", "\"integer\"", "successful roams") "," MIST_P("roam_failures", "\"integer\"", "failed fast roams") ","
        MIST_P("disconnects", "\"integer\"", "times that it left or was sent off") ","
        MIST_P_OBJ("last_failure", MIST_P_STR("type", "name of the event") "," MIST_P_STR("text", "what Mist says about it") ","
            MIST_P_STR("reason", "reason, where there is one") "," MIST_P_TIME("timestamp", "when it was"), "the newest failure; all nil when there was none") ","
        MIST_P_STR("phase_of_last_failure", "phase of the newest failure") ","
        MIST_P("recovered", "\"boolean\"", "after the newest failure the same phase went well") ","
        MIST_P_STR("auth_failure_reason", "what Mist says about the newest failed authentication")),
    .about = "`GET /sites/{site_id}/clients/{client_mac}/events`. The counts cover the whole window, also where `events` is cut.",
    .example = "- id: events\n  run: mist.client_events\n  with: {mac: \"${client}\", site: \"${association.site_id}\", window: 1h}\n",
};
