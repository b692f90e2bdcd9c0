/* model.c: how access points and clients behave.
 *
 *   a client:   AWAY      (asleep, or gone)
 *               SEARCHING ──join──► REJECTED   (tries again)
 *                                   NO_ADDRESS (asks DHCP again)
 *                                   UP
 *   an AP:      UP, BOOTING ──► UP, OFF (no power), HUNG (power, link, but no life), CUT_OFF (alive, no link)
 *
 * A client's state is worked out again from the causes at every join and every retry, so a mended cause mends the client. */
#include <unistd.h>
#include "lab.h"

/* ---- events and alarms ---- */

/* One thing after the other: what happens at once gets stamps in its order. */
static double stamp(struct lab *lab)
{
    lab->last_event = fmax(lab->wall, lab->last_event + 0.012);
    return lab->last_event;
}

static void append_bounded(json_t *list, json_t *item)
{
    if (json_array_size(list) >= LAB_MAX_EVENTS)
        json_array_remove(list, 0);
    json_array_append_new(list, item);
}

void lab_client_event(struct lab *lab, const struct lab_client *c, const char *type, int code, const char *text)
{
    const struct lab_wlan *wlan = &lab->wlans[c->wlan];
    json_t *event = json_pack("{s:f, s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "timestamp", stamp(lab), "type", type, "type_code", code,
                              "text", text, "ssid", wlan->ssid, "wlan_id", wlan->id, "proto", c->proto,
                              "key_mgmt", wlan->dot1x ? "WPA2-EAP/CCMP" : "WPA2-PSK/CCMP", "mac", c->mac, "site_id", lab->sites[c->site].id);

    if (c->ap >= 0) {
        const struct lab_ap *ap = &lab->aps[c->ap];
        char bssid[13];

        snprintf(bssid, sizeof(bssid), "%.10s%02x", ap->mac, (unsigned)(c->band * 16 + c->wlan));
        json_object_set_new(event, "ap", json_string(ap->mac));
        json_object_set_new(event, "bssid", json_string(bssid));
        json_object_set_new(event, "band", json_string(ap->radios[c->band].band));
        json_object_set_new(event, "channel", json_integer(ap->radios[c->band].channel));
    }
    append_bounded(lab->client_events, event);
}

void lab_device_event(struct lab *lab, const char *device_type, const char *mac, const char *type, json_t *extra)
{
    int ap = lab_find_ap(lab, mac), sw = lab_find_switch(lab, mac);
    int site = ap >= 0 ? lab->aps[ap].site : sw >= 0 ? lab->switches[sw].site : 0;
    json_t *event = json_pack("{s:s, s:f, s:s, s:s, s:s, s:s, s:s, s:s}", "type", type, "timestamp", stamp(lab), "org_id", LAB_ORG,
                              "site_id", lab->sites[site].id, "site_name", lab->sites[site].name, "mac", mac, "device_type", device_type,
                              "device_name", ap >= 0 ? lab->aps[ap].name : sw >= 0 ? lab->switches[sw].name : mac);

    if (ap >= 0)
        json_object_set_new(event, "ap", json_string(mac));
    if (extra)
        json_object_update(event, extra);
    json_decref(extra);
    append_bounded(lab->device_events, event);
}

static json_t *find_alarm(struct lab *lab, const char *type, const char *subject)
{
    size_t i;
    json_t *alarm;

    json_array_foreach(lab->alarms, i, alarm)
        if (ft_streq(json_string_value(json_object_get(alarm, "type")), type)
            && ft_streq(json_string_value(json_object_get(alarm, "$subject")), subject)
            && ft_streq(json_string_value(json_object_get(alarm, "status")), "open"))
            return alarm;
    return NULL;
}

static const struct { const char *type, *group, *severity; } alarm_kinds[] = {
    { "device_down", "infrastructure", "warn" }, { "switch_down", "infrastructure", "warn" },
    { "device_reconnected", "infrastructure", "info" }, { "switch_reconnected", "infrastructure", "info" },
    { "device_restarted", "infrastructure", "info" },
    { "infra_dhcp_failure", "infrastructure", "critical" }, { "infra_dns_failure", "infrastructure", "critical" },
    { "infra_arp_failure", "infrastructure", "critical" }, { "missing_vlan", "marvis", "critical" },
    { "authentication_failure", "marvis", "critical" }, { "ap_offline", "marvis", "critical" },
    { "insufficient_coverage", "marvis", "critical" }, { "insufficient_capacity", "marvis", "critical" },
    { "bad_wan_uplink", "marvis", "critical" },
};

json_t *lab_alarm(struct lab *lab, const char *type, const char *subject, int site, json_t *extra)
{
    json_t *alarm = find_alarm(lab, type, subject);
    char id[37], seed[80];
    size_t k = 0;

    if (alarm) {
        json_object_set_new(alarm, "count", json_integer(json_integer_value(json_object_get(alarm, "count")) + 1));
        json_object_set_new(alarm, "last_seen", json_real(lab->wall));
        json_decref(extra);
        return alarm;
    }
    while (k + 1 < ARRAY_LEN(alarm_kinds) && strcmp(alarm_kinds[k].type, type) != 0)
        k++;
    snprintf(seed, sizeof(seed), "alarm %lu", ++lab->serial);
    lab_uuid(lab, seed, id);
    alarm = json_pack("{s:s, s:s, s:s, s:s, s:i, s:f, s:f, s:s, s:s, s:s, s:b, s:s}", "id", id, "type", type, "group", alarm_kinds[k].group,
                      "severity", alarm_kinds[k].severity, "count", 1, "timestamp", lab->wall, "last_seen", lab->wall, "org_id", LAB_ORG,
                      "site_id", lab->sites[site].id, "status", "open", "acked", 0, "$subject", subject);
    if (extra)
        json_object_update(alarm, extra);
    json_decref(extra);
    append_bounded(lab->alarms, alarm);
    return alarm;
}

void lab_alarm_clear(struct lab *lab, const char *type, const char *subject)
{
    json_t *alarm = find_alarm(lab, type, subject);

    if (!alarm)
        return;
    json_object_set_new(alarm, "status", json_string("resolved"));
    json_object_set_new(alarm, "resolved_time", json_real(lab->wall));
}

/* ---- radio ---- */

double lab_rssi(const struct lab *lab, const struct lab_client *c, int ap, int radio)
{
    const struct lab_ap *a = &lab->aps[ap];
    double d = fmax(1, hypot(c->x - a->x, c->y - a->y));
    double lost = (radio == 0 ? 41 : 47) + 28 * log10(d) + 22 * abs(c->floor - a->floor) + c->fade;

    return fmax(-96, a->radios[radio].power - lost);
}

double lab_noise(const struct lab_radio *radio)
{
    if (radio->foul_channel && radio->foul_channel == radio->channel && radio->foul_noise < 0)
        return radio->foul_noise;
    return radio->band[0] == '2' ? -88 : -93;
}

void lab_use(const struct lab *lab, int ap, int radio, int ret[6])
{
    const struct lab_radio *r = &lab->aps[ap].radios[radio];
    bool foul = r->foul_channel && r->foul_channel == r->channel;
    int clients = lab_ap_clients(lab, ap, radio);

    ret[1] = r->own_use + clients / 6;
    ret[2] = clients / 3;
    ret[3] = foul && r->foul_other ? r->foul_other : r->other_use;
    ret[4] = 1;
    ret[5] = foul ? r->foul_non_wifi : radio == 0 ? 2 : 0;
    ret[0] = ret[1] + ret[2] + ret[3] + ret[4] + ret[5];
    if (ret[0] > 99)
        ret[0] = 99;
}

bool lab_associated(const struct lab_client *c)
{
    return c->state == CLIENT_UP || c->state == CLIENT_NO_ADDRESS;
}

int lab_ap_clients(const struct lab *lab, int ap, int radio)
{
    int n = 0;

    for (int i = 0; i < lab->n_clients; i++)
        n += lab_associated(&lab->clients[i]) && lab->clients[i].ap == ap && (radio < 0 || lab->clients[i].band == radio);
    return n;
}

double lab_retry_share(const struct lab *lab, const struct lab_client *c)
{
    int use[6];
    double snr = lab_rssi(lab, c, c->ap, c->band) - lab_noise(&lab->aps[c->ap].radios[c->band]);

    lab_use(lab, c->ap, c->band, use);
    return 0.04 + (use[0] >= 70 ? (use[0] - 60) * 0.01 : 0) + (snr < 20 ? (20 - snr) * 0.012 : 0);
}

/* ---- ports and power ---- */

static bool port_disabled(const struct lab_switch *sw, int port)
{
    return lab_config_has(sw->config, "interfaces %s disable", sw->ports[port].name);
}

bool lab_port_powers(const struct lab *lab, int sw, int port)
{
    const struct lab_switch *s = &lab->switches[sw];
    const char *name = s->ports[port].name;

    if (s->down || (s->ports[port].bounced && lab->bounce_cuts_poe))
        return false;
    if (lab_config_has(s->config, "poe interface %s disable", name) || lab_config_has(s->config, "poe interface all disable"))
        return false;
    return lab_config_has(s->config, "poe interface all") || lab_config_has(s->config, "poe interface %s", name);
}

static bool port_linked(const struct lab *lab, int sw, int port)
{
    const struct lab_switch *s = &lab->switches[sw];

    return !s->down && !port_disabled(s, port) && !s->ports[port].bounced;
}

bool lab_port_up(const struct lab *lab, int sw, int port)
{
    const struct lab_port *p = &lab->switches[sw].ports[port];

    if (!port_linked(lab, sw, port))
        return false;
    if (p->ap >= 0)
        return lab->aps[p->ap].state != AP_OFF;
    if (p->peer >= 0)
        return !lab->switches[p->peer].down
            && port_linked(lab, p->peer, lab_find_port(&lab->switches[p->peer], p->peer_port));
    return p->gateway || (port >= 2 && port < 8);
}

struct members { const struct lab_config *config; int vlan; bool found; };

static void look_at_member(void *arg, const char *name)
{
    struct members *m = arg;
    char prefix[96];
    const char *id;

    snprintf(prefix, sizeof(prefix), "vlans %.60s vlan-id", name);
    id = lab_config_value(m->config, prefix);
    m->found = m->found || strcmp(name, "all") == 0 || atoi(id ? id : name) == m->vlan;
}

static bool port_carries(const struct lab_switch *sw, int port, int vlan)
{
    struct members m = { .config = sw->config, .vlan = vlan };
    char prefix[96];

    snprintf(prefix, sizeof(prefix), "interfaces %s unit 0 family ethernet-switching vlan members", sw->ports[port].name);
    lab_config_each(sw->config, prefix, look_at_member, &m);
    return m.found;
}

/* From the AP's port over every trunk on the way to the router. */
bool lab_vlan_reaches(const struct lab *lab, int ap, int vlan)
{
    int sw = lab->aps[ap].sw, port = lab->aps[ap].port, from = -1;

    for (int hops = 0; hops < LAB_MAX_SWITCHES; hops++) {
        const struct lab_switch *s = &lab->switches[sw];
        int up = -1;

        if (!port_carries(s, port, vlan))
            return false;
        for (int p = 0; p < s->n_ports && up < 0; p++)
            if (s->ports[p].gateway || (s->ports[p].peer >= 0 && s->ports[p].peer != from))
                up = p;
        if (up < 0 || !lab_port_up(lab, sw, up) || !port_carries(s, up, vlan))
            return false;
        if (s->ports[up].gateway)
            return true;
        from = sw;
        sw = s->ports[up].peer;
        port = lab_find_port(&lab->switches[sw], s->ports[up].peer_port);
    }
    return false;
}

/* ---- clients ---- */

static int best_ap(const struct lab *lab, const struct lab_client *c)
{
    int best = -1;
    double best_score = -85;

    for (int i = 0; i < lab->n_aps; i++) {
        double score;

        if (lab->aps[i].state != AP_UP || lab->aps[i].site != c->site || (c->alone && i != c->own_ap))
            continue;
        score = lab_rssi(lab, c, i, 1) - (lab_ap_clients(lab, i, -1) >= 50 ? 25 : 0);
        if (score > best_score)
            best = i, best_score = score;
    }
    return best;
}

static void end_session(struct lab *lab, struct lab_client *c, const char *tag)
{
    if (!lab_associated(c))
        return;
    c->seen = lab->wall;
    append_bounded(lab->sessions, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:f, s:f, s:f, s:f, s:s, s:[s]}", "mac", c->mac,
        "org_id", LAB_ORG, "site_id", lab->sites[c->site].id, "ap", lab->aps[c->ap].mac, "band", lab->aps[c->ap].radios[c->band].band,
        "ssid", lab->wlans[c->wlan].ssid, "wlan_id", lab->wlans[c->wlan].id, "connect", floor(c->joined_wall), "disconnect", floor(lab->wall),
        "duration", lab->now - c->joined, "timestamp", lab->wall, "client_manufacture", c->vendor, "tags", tag));
}

void lab_client_leave(struct lab *lab, int client, const char *event, const char *text, double back_in)
{
    struct lab_client *c = &lab->clients[client];

    if (lab_associated(c)) {
        if (event)
            lab_client_event(lab, c, event, 8, text);
        end_session(lab, c, isfinite(back_in) ? "disassociate" : "inactive");
        c->seen = lab->wall;
    }
    c->ip = 0;
    c->state = isfinite(back_in) ? CLIENT_SEARCHING : CLIENT_AWAY;
    c->due = lab->now + back_in;
}

static bool authenticated(struct lab *lab, struct lab_client *c)
{
    const char *why;
    char text[256];

    if (c->blocked) {
        lab_client_event(lab, c, "MARVIS_EVENT_CLIENT_AUTH_DENIED", 3, "Client is on the blocklist");
        return false;
    }
    if (!lab->wlans[c->wlan].dot1x) {
        if (!c->wrong_key) {
            lab_client_event(lab, c, "CLIENT_AUTHENTICATED", 0, "Status code 0 \"Successful\"");
            return true;
        }
        lab_client_event(lab, c, "MARVIS_EVENT_CLIENT_AUTH_FAILURE", 15, "Reason code 15 \"4-Way Handshake timeout\", possibly a wrong pre-shared key");
        return false;
    }
    if (lab->radius_down) {
        lab_client_event(lab, c, "MARVIS_EVENT_CLIENT_AUTH_FAILURE", 23, "RADIUS server 10.10.0.21:1812 did not respond, 3 tries in 15 s");
        lab_alarm(lab, "authentication_failure", "10.10.0.21", c->site, json_pack("{s:s, s:s, s:s, s:{s:s, s:s, s:s, s:s}, s:[{s:s, s:s}]}",
            "category", "layer_1", "suggestion", "check_radius", "root_cause", "RADIUS server not responding",
            "details", "action", "check_radius", "category", "layer_1", "status", "open", "symptom", "authentication_failure",
            "impacted_entities", "entity_type", "radius_server", "entity_ip", "10.10.0.21"));
        return false;
    }
    why = lab_ise_authenticate(lab, c);
    if (!why) {
        lab_alarm_clear(lab, "authentication_failure", "10.10.0.21");
        lab_client_event(lab, c, "CLIENT_AUTHENTICATED", 0, "802.1X EAP-TLS authentication successful");
        return true;
    }
    snprintf(text, sizeof(text), "Reason code 23 \"IEEE 802.1X authentication failed\", Access-Reject from RADIUS server 10.10.0.21");
    lab_client_event(lab, c, "MARVIS_EVENT_CLIENT_AUTH_FAILURE", 23, text);
    return false;
}

static void note_missing_vlan(struct lab *lab, const struct lab_client *c, int vlan)
{
    const struct lab_ap *ap = &lab->aps[c->ap];
    const struct lab_switch *sw = &lab->switches[ap->sw];
    char id[8];

    snprintf(id, sizeof(id), "%d", vlan);
    lab_alarm(lab, "missing_vlan", ap->mac, c->site, json_pack("{s:s, s:s, s:{s:s, s:s, s:s, s:s}, s:[{s:s, s:s, s:s, s:s, s:s}], s:[s]}",
        "category", "switch", "suggestion", "config_vlan",
        "details", "action", "config_vlan", "category", "switch", "status", "open", "symptom", "missing_vlan",
        "impacted_entities", "entity_type", "switch", "entity_mac", sw->mac, "entity_name", sw->name, "port_id", sw->ports[ap->port].name,
        "missing_vlan_id", id, "aps", ap->mac));
}

static void note_dhcp_failure(struct lab *lab, const struct lab_client *c, int vlan)
{
    char subject[24];

    snprintf(subject, sizeof(subject), "vlan %d", vlan);
    lab_alarm(lab, "infra_dhcp_failure", subject, c->site, json_pack("{s:[s], s:[i], s:[s], s:[s], s:[s], s:[s]}", "servers", "10.10.0.5",
        "vlans", vlan, "aps", lab->aps[c->ap].mac, "hostnames", lab->aps[c->ap].name, "wlan_ids", lab->wlans[c->wlan].id,
        "ssids", lab->wlans[c->wlan].ssid));
}

static void name_service_seen(struct lab *lab, struct lab_client *c)
{
    if (!lab->dns_down) {
        lab_client_event(lab, c, "CLIENT_DNS_OK", 0, "Succeeding DNS query to 10.10.0.53 for \"connectivity.corp.example\"");
        lab_alarm_clear(lab, "infra_dns_failure", "10.10.0.53");
        return;
    }
    lab_client_event(lab, c, "MARVIS_DNS_FAILURE", 0, lab->dns_silent ? "DNS query to 10.10.0.53 for \"connectivity.corp.example\" was not answered"
                     : "DNS query to 10.10.0.53 for \"connectivity.corp.example\" failed, SERVFAIL");
    lab_alarm(lab, "infra_dns_failure", "10.10.0.53", c->site, json_pack("{s:[s], s:[i], s:[s]}", "servers", "10.10.0.53",
        "vlans", lab->wlans[c->wlan].vlan, "aps", lab->aps[c->ap].mac));
    c->due = lab->now + 60;
}

static void got_address(struct lab *lab, struct lab_client *c, int vlan, uint32_t ip)
{
    char text[128], buf[16], subject[24];

    c->ip = ip;
    c->state = CLIENT_UP;
    c->due = INFINITY;
    snprintf(text, sizeof(text), "IP %s assigned by DHCP server 10.10.0.5 on VLAN %d", lab_ip(ip, buf), vlan);
    lab_client_event(lab, c, "CLIENT_IP_ASSIGNED", 0, text);
    lab_client_event(lab, c, "CLIENT_GW_ARP_OK", 0, "Gateway answered ARP");
    snprintf(subject, sizeof(subject), "vlan %d", vlan);
    lab_alarm_clear(lab, "infra_dhcp_failure", subject);
    lab_alarm_clear(lab, "missing_vlan", lab->aps[c->ap].mac);
    name_service_seen(lab, c);
}

static void ask_dhcp(struct lab *lab, struct lab_client *c)
{
    int vlan = lab->wlans[c->wlan].vlan;
    bool reaches = lab_vlan_reaches(lab, c->ap, vlan);
    uint32_t ip = 0;
    enum lab_dhcp answer = reaches ? lab_dhcp_ask(lab, c, vlan, &ip) : DHCP_SILENT;
    char text[160], buf[16];

    if (answer == DHCP_OK) {
        got_address(lab, c, vlan, ip);
        return;
    }
    c->state = CLIENT_NO_ADDRESS;
    c->due = lab->now + LAB_RETRY;
    if (answer == DHCP_NAK) {
        snprintf(text, sizeof(text), "DHCPNAK from 10.10.0.5 for requested address %s on VLAN %d", lab_ip(c->clings_to, buf), vlan);
        lab_client_event(lab, c, "MARVIS_EVENT_CLIENT_DHCP_NAK", 0, text);
        return;
    }
    snprintf(text, sizeof(text), "DHCP DISCOVER on VLAN %d was not answered, 4 tries in 16 s", vlan);
    lab_client_event(lab, c, "MARVIS_EVENT_CLIENT_DHCP_FAILURE", 0, text);
    if (reaches)
        note_dhcp_failure(lab, c, vlan);
    else
        note_missing_vlan(lab, c, vlan);
}

static void join(struct lab *lab, struct lab_client *c)
{
    int ap = best_ap(lab, c);

    c->stuck = -1;
    if (ap < 0) {
        c->state = CLIENT_SEARCHING;
        c->due = lab->now + LAB_SEARCH;
        return;
    }
    c->ap = ap;
    c->joins++;
    c->joined = lab->now;
    c->joined_wall = c->seen = lab->wall;
    lab_client_event(lab, c, "CLIENT_ASSOCIATION", 0, "Status code 0 \"Successful\"");
    if (!authenticated(lab, c)) {
        c->state = CLIENT_REJECTED;
        c->due = lab->now + LAB_RETRY;
        return;
    }
    ask_dhcp(lab, c);
}

void lab_client_step(struct lab *lab, int client)
{
    struct lab_client *c = &lab->clients[client];
    int better;

    switch (c->state) {
    case CLIENT_AWAY:
    case CLIENT_SEARCHING:
    case CLIENT_REJECTED:
        join(lab, c);
        return;
    case CLIENT_NO_ADDRESS:
        ask_dhcp(lab, c);
        return;
    case CLIENT_UP:
        better = best_ap(lab, c);
        if (c->stuck < 0 && better >= 0 && better != c->ap && lab_rssi(lab, c, better, 1) > lab_rssi(lab, c, c->ap, 1) + 8) {
            end_session(lab, c, "roam");
            join(lab, c);
        } else if (lab->dns_down) {
            name_service_seen(lab, c);
        }
        return;
    }
}

/* ---- access points ---- */

static json_t *reason(const char *text)
{
    return text ? json_pack("{s:s}", "reason", text) : NULL;
}

static void ap_lost(struct lab *lab, int ap, enum lab_ap_state state)
{
    struct lab_ap *a = &lab->aps[ap];

    if (a->state == AP_UP) {
        a->last_seen = lab->wall;
        lab_device_event(lab, "ap", a->mac, "AP_DISCONNECTED", NULL);
        lab_alarm(lab, "device_down", a->mac, a->site, json_pack("{s:[s], s:[s]}", "aps", a->mac, "hostnames", a->name));
    }
    a->state = state;
    a->due = INFINITY;
    for (int i = 0; i < lab->n_clients; i++)
        if (lab_associated(&lab->clients[i]) && lab->clients[i].ap == ap)
            lab_client_leave(lab, i, NULL, NULL, 3 + i % 5);
}

static void ap_boot(struct lab *lab, int ap, double seconds, bool cold)
{
    struct lab_ap *a = &lab->aps[ap];

    a->state = AP_BOOTING;
    a->due = lab->now + seconds;
    if (cold)
        a->boot = a->due - 45;                       /* its own clock starts while it boots */
}

void lab_ap_look(struct lab *lab, int ap)
{
    struct lab_ap *a = &lab->aps[ap];
    bool linked = port_linked(lab, a->sw, a->port);

    if (!lab_port_powers(lab, a->sw, a->port)) {
        if (a->state != AP_OFF)
            ap_lost(lab, ap, AP_OFF);
    } else if (a->state == AP_OFF) {
        ap_boot(lab, ap, LAB_AP_BOOT, true);
    } else if (a->state == AP_UP && !linked) {
        ap_lost(lab, ap, AP_CUT_OFF);
    } else if (a->state == AP_CUT_OFF && linked) {
        ap_boot(lab, ap, 10, false);
    }
}

void lab_ap_step(struct lab *lab, int ap)
{
    struct lab_ap *a = &lab->aps[ap];

    if (a->state != AP_BOOTING)
        return;
    if (!port_linked(lab, a->sw, a->port)) {
        a->state = AP_CUT_OFF;
        return;
    }
    a->state = AP_UP;
    lab_device_event(lab, "ap", a->mac, "AP_CONNECTED", NULL);
    lab_alarm_clear(lab, "device_down", a->mac);
    lab_alarm(lab, "device_reconnected", a->mac, a->site, json_pack("{s:[s], s:[s]}", "aps", a->mac, "hostnames", a->name));
    lab_alarm_clear(lab, "device_reconnected", a->mac);
    for (int i = 0; i < lab->n_clients; i++)         /* who was waiting for it, or sits closer to it, comes back */
        if (lab->clients[i].state == CLIENT_SEARCHING || (lab->clients[i].state == CLIENT_UP && lab->clients[i].own_ap == ap))
            lab->clients[i].due = lab->now + LAB_REJOIN + i % 6;
}

void lab_ap_restart(struct lab *lab, int ap, const char *event, const char *text)
{
    struct lab_ap *a = &lab->aps[ap];

    if (a->state != AP_UP)
        return;                                      /* the command does not reach it */
    lab_device_event(lab, "ap", a->mac, event, reason(text));
    ap_lost(lab, ap, AP_BOOTING);
    ap_boot(lab, ap, LAB_AP_BOOT, true);
    lab_alarm(lab, "device_restarted", a->mac, a->site, json_pack("{s:[s], s:[s], s:[s]}", "aps", a->mac, "hostnames", a->name,
                                                                  "reasons", text ? text : "user"));
    lab_alarm_clear(lab, "device_restarted", a->mac);
}

void lab_ap_freeze(struct lab *lab, int ap)
{
    ap_lost(lab, ap, AP_HUNG);
}

/* ---- switches ---- */

static void wake_main_loop(struct lab *lab)
{
    if (lab->wake[1] > 0 && write(lab->wake[1], "x", 1) < 0)
        return;                                      /* the pipe is full: it is awake anyway */
}

static void port_events(struct lab *lab, int sw)
{
    struct lab_switch *s = &lab->switches[sw];

    for (int p = 0; p < s->n_ports; p++) {
        bool up = lab_port_up(lab, sw, p);

        if (up == s->ports[p].was_up)
            continue;
        s->ports[p].was_up = up;
        s->ports[p].flapped = lab->wall;
        if (!s->down)
            lab_device_event(lab, "switch", s->mac, up ? "SW_PORT_UP" : "SW_PORT_DOWN", json_pack("{s:s}", "port_id", s->ports[p].name));
    }
}

void lab_switch_changed(struct lab *lab, int sw)
{
    for (int i = 0; i < lab->n_aps; i++)
        if (lab->aps[i].sw == sw)
            lab_ap_look(lab, i);
    for (int i = 0; i < lab->n_switches; i++)        /* the other end of a link sees it too */
        port_events(lab, i);
}

void lab_switch_set_down(struct lab *lab, int sw, bool down)
{
    struct lab_switch *s = &lab->switches[sw];

    if (s->down == down)
        return;
    s->down = down;
    if (down) {
        s->last_seen = lab->wall;
        lab_alarm(lab, "switch_down", s->mac, s->site, json_pack("{s:[s], s:[s]}", "switches", s->mac, "hostnames", s->name));
    } else {
        s->boot = lab->now - 90;
        lab_alarm_clear(lab, "switch_down", s->mac);
    }
    lab_device_event(lab, "switch", s->mac, down ? "SW_DISCONNECTED" : "SW_CONNECTED", NULL);
    lab_switch_changed(lab, sw);
    wake_main_loop(lab);
}

static void switch_back(struct lab *lab, int sw, int unused)
{
    (void)unused;
    lab_switch_set_down(lab, sw, false);
}

void lab_switch_restart(struct lab *lab, int sw)
{
    if (lab->switches[sw].down)
        return;
    lab_device_event(lab, "switch", lab->switches[sw].mac, "SW_RESTART_BY_USER", NULL);
    lab_switch_set_down(lab, sw, true);
    lab_after(lab, LAB_SWITCH_BOOT, switch_back, sw, 0);
}

static void bounce_over(struct lab *lab, int sw, int port)
{
    lab->switches[sw].ports[port].bounced = false;
    lab_switch_changed(lab, sw);
}

void lab_port_bounce(struct lab *lab, int sw, int port)
{
    lab->switches[sw].ports[port].bounced = true;
    lab_switch_changed(lab, sw);
    lab_after(lab, LAB_BOUNCE, bounce_over, sw, port);
}

/* ---- radio resource management ---- */

static void rrm_event(struct lab *lab, const struct lab_ap *ap, const struct lab_radio *before, const struct lab_radio *after)
{
    append_bounded(lab->rrm_events, json_pack("{s:s, s:s, s:s, s:i, s:i, s:s, s:i, s:i, s:i, s:i, s:s, s:f, s:s}", "ap_id", ap->id, "ap", ap->mac,
        "band", after->band, "bandwidth", after->bandwidth, "channel", after->channel, "event", "triggered-site_rrm", "power", after->power,
        "pre_bandwidth", before->bandwidth, "pre_channel", before->channel, "pre_power", before->power, "pre_usage", before->band,
        "timestamp", lab->wall, "usage", after->band));
    json_object_set_new(json_array_get(lab->rrm_events, json_array_size(lab->rrm_events) - 1), "site_id",
                        json_string(lab->sites[ap->site].id));
    lab_device_event(lab, "ap", ap->mac, "AP_CONFIG_CHANGED_BY_RRM", json_pack("{s:s, s:i, s:i, s:i, s:i}", "band", after->band,
        "channel", after->channel, "pre_channel", before->channel, "power", after->power, "pre_power", before->power));
}

static int clean_channel(const struct lab *lab, int ap, int radio)
{
    static const int channels[3][8] = { { 1, 6, 11 }, { 36, 44, 149, 157, 52, 60, 100, 108 }, { 5, 21, 37, 53 } };

    for (int k = 0; k < 8 && channels[radio][k]; k++) {
        bool taken = channels[radio][k] == lab->aps[ap].radios[radio].foul_channel;

        for (int i = 0; i < lab->n_aps; i++)
            taken = taken || (lab->aps[i].site == lab->aps[ap].site && lab->aps[i].radios[radio].channel == channels[radio][k]);
        if (!taken)
            return channels[radio][k];
    }
    return lab->aps[ap].radios[radio].channel;
}

void lab_rrm_wants(const struct lab *lab, int ap, int radio, int *ret_channel, int *ret_power)
{
    const struct lab_radio *r = &lab->aps[ap].radios[radio];

    *ret_channel = !r->pin_channel && r->foul_channel == r->channel ? clean_channel(lab, ap, radio) : r->channel;
    *ret_power = !r->pin_power && r->power < (radio == 0 ? 8 : 14) ? (radio == 0 ? 11 : 17) : r->power;   /* a hole in the coverage */
}

static void rrm_one(struct lab *lab, int ap, int radio, bool power_only)
{
    struct lab_radio *r = &lab->aps[ap].radios[radio], before = *r;
    int channel;

    lab_rrm_wants(lab, ap, radio, &channel, &r->power);
    if (!power_only)
        r->channel = channel;
    if (r->channel == before.channel && r->power == before.power)
        return;
    rrm_event(lab, &lab->aps[ap], &before, r);
    lab_alarm_clear(lab, "insufficient_coverage", lab->aps[ap].mac);
    for (int i = 0; i < lab->n_clients && r->channel != before.channel; i++)
        if (lab_associated(&lab->clients[i]) && lab->clients[i].ap == ap && lab->clients[i].band == radio)
            lab_client_leave(lab, i, "CLIENT_DEAUTHENTICATION", "AP changes channel", 3 + i % 3);
}

enum { RRM_RADIO = 3, RRM_POWER_ONLY = 4, RRM_APS_SHIFT = 3 };

static void rrm_due(struct lab *lab, int site, int what)
{
    for (int i = 0; i < lab->n_aps; i++)
        if (lab->aps[i].site == site && lab->aps[i].state == AP_UP && (what >> RRM_APS_SHIFT & 1 << i))
            rrm_one(lab, i, what & RRM_RADIO, what & RRM_POWER_ONLY);
    lab->sites[site].rrm_at = lab->wall;
    lab->sites[site].rrm_running--;
}

void lab_rrm(struct lab *lab, int site, const char *band, bool power_only, unsigned aps)
{
    int radio = strcmp(band, "24") == 0 ? 0 : strcmp(band, "5") == 0 ? 1 : 2;

    lab->sites[site].rrm_running++;
    lab_after(lab, LAB_RRM, rrm_due, site, radio | (power_only ? RRM_POWER_ONLY : 0) | (int)(aps << RRM_APS_SHIFT));
}
