/* mist_wired.c: clients on switch ports, and what Mist Access Assurance (NAC) decided about clients. */
#include <string.h>
#include "mist.h"

/* ---- wired_clients: GET /orgs|sites/…/wired_clients/search */

#define WIRED_FIELDS(F) \
    F(MAC, mac, "mac", "MAC address of the client") \
    F(MAC, device_mac, "device_mac", "MAC address of the switch") \
    F(STR, port, "port_id", "port of the switch") \
    F(INT, vlan_id, "vlan", "VLAN") \
    F(STR, ip, "ip", "IP address") \
    F(STR, hostname, "dhcp_hostname|dhcp_fqdn", "name that it gave to the DHCP server") \
    F(STR, manufacture, "manufacture", "manufacturer, from the MAC address") \
    F(STR, auth_state, "auth_state", "authenticated, authenticating, held, init …") \
    F(STR, auth_method, "auth_method", "dot1x, mac_auth …") \
    F(STR, site_id, "site_id", "id of the site") \
    F(TIME, timestamp, "timestamp", "when it was seen last")
static const struct mist_field wired_fields[] = { WIRED_FIELDS(MIST_ROW) { "username", "username", MIST_STR } };
static const char *const wired_filters[] = { "mac", "device_mac", "port_id", "vlan", "ip", "auth_state", "auth_method", "dhcp_hostname", "text", NULL };

static void count_wired(struct ft_call *call, const json_t *rows, json_t *out)
{
    (void)call;
    mist_count_rows(rows, "auth_state", out, "by_auth_state");
    mist_count_rows(rows, "device_mac", out, "by_switch");
}

static const struct mist_table wired_table = {
    .name = "clients", .site = "/wired_clients/search", .org = "/wired_clients/search", .filters = wired_filters, .fields = wired_fields,
    .count = ARRAY_LEN(wired_fields), .sort = "timestamp", .window = true, .finish = count_wired,
};
MIST_TABLE(wired_start, wired_table)

const struct ft_action mist_wired_clients = {
    MIST_READ(wired_start),
    .name = "wired_clients", .summary = "which wired client hangs on which switch port, and how its authentication stands",
    .params_schema = MIST_PARAMS("", MIST_SITE "," MIST_WINDOW("1d") "," MIST_LIMIT("200", "5000") "," MIST_CLIENT ","
        JSON("device_mac": {"type": "string", "minLength": 12, "description": "only on this switch, by its MAC address"},
             "port_id": {"type": "string", "minLength": 1, "description": "only on this port, such as ge-0/0/1"},
             "vlan": {"type": "integer", "minimum": 1, "maximum": 4094, "description": "only in this VLAN"},
             "ip": {"type": "string", "minLength": 1, "description": "only with this IP address"},
             "auth_state": {"type": "string", "minLength": 1, "description": "only in this state: authenticated, authenticating, held, init"},
             "auth_method": {"type": "string", "minLength": 1, "description": "only by this method: dot1x, mac_auth"},
             "dhcp_hostname": {"type": "string", "minLength": 1, "description": "only of this name"},
             "text": {"type": "string", "minLength": 1, "description": "part of the address, the name or the maker"})),
    .result_schema = MIST_OBJ(MIST_LISTED("clients", WIRED_FIELDS(MIST_PROPERTY) MIST_P_STR("username", "802.1X user"), "newest first") ","
        MIST_COUNTS("by_auth_state", "clients by state") "," MIST_COUNTS("by_switch", "clients by MAC address of the switch")),
    .about = "`GET /sites/{site_id}/wired_clients/search`, or that of the organisation without a site.",
    .example = "- id: behind\n  run: mist.wired_clients\n  with: {site: HQ, device_mac: \"${ap.lldp_switch_mac}\", port_id: \"${ap.lldp_port}\"}\n",
};

/* ---- nac_clients and nac_events: GET /orgs|sites/…/nac_clients/search and …/events/search */

#define NAC_FIELDS(F) \
    F(MAC, mac, "mac", "MAC address of the client") \
    F(STR, username, "last_username|username", "user") \
    F(STR, auth_type, "auth_type", "eap-tls, eap-ttls, mab …") \
    F(STR, status, "last_status|status", "permitted, session_started, session_ended or denied") \
    F(STR, rule, "last_nacrule_name|nacrule_name|nacrule_id", "rule that decided") \
    F(BOOL, rule_matched, "nacrule_matched", "a rule matched") \
    F(STR, ssid, "last_ssid|ssid", "network") \
    F(INT, vlan_id, "last_vlan|vlan", "VLAN given") \
    F(MAC, ap_mac, "last_ap|ap", "MAC address of the AP") \
    F(MAC, device_mac, "device_mac", "MAC address of the switch") \
    F(STR, port, "last_port_id|port_id", "port of the switch") \
    F(STR, nas_vendor, "last_nas_vendor|nas_vendor", "maker of the device that asked") \
    F(STR, cert_cn, "last_cert_cn|cert_cn", "name in its certificate") \
    F(TIME, cert_expiry, "last_cert_expiry|cert_expiry", "when its certificate ends") \
    F(STR, site_id, "site_id", "id of the site")
static const struct mist_field nac_fields[] = { NAC_FIELDS(MIST_ROW) { "timestamp", "timestamp", MIST_TIME } };
static const char *const nac_filters[] = { "mac", "ap", "auth_type", "ssid", "vlan", "username", "status", "text", NULL };

static void count_nac(struct ft_call *call, const json_t *rows, json_t *out)
{
    (void)call;
    mist_count_rows(rows, "status", out, "by_status");
    mist_count_rows(rows, "rule", out, "by_rule");
}

static const struct mist_table nac_table = {
    .name = "clients", .site = "/nac_clients/search", .org = "/nac_clients/search", .filters = nac_filters, .fields = nac_fields,
    .count = ARRAY_LEN(nac_fields), .sort = "timestamp", .window = true, .finish = count_nac,
};
MIST_TABLE(nac_start, nac_table)

#define NAC_FILTERS \
    JSON("ap": {"type": "string", "minLength": 12, "description": "only at this AP, by its MAC address"}, \
         "auth_type": {"type": "string", "minLength": 1, "description": "only by this method: eap-tls, eap-ttls, mab …"}, \
         "ssid": {"type": "string", "minLength": 1, "description": "only on this network"}, \
         "vlan": {"type": "integer", "minimum": 1, "maximum": 4094, "description": "only in this VLAN"}, \
         "username": {"type": "string", "minLength": 1, "description": "only this user"}, \
         "text": {"type": "string", "minLength": 1, "description": "part of the user, the address or the certificate"})

const struct ft_action mist_nac_clients = {
    MIST_READ(nac_start),
    .name = "nac_clients", .summary = "what Mist Access Assurance decided about clients: permitted or denied, by which rule, which VLAN",
    .params_schema = MIST_PARAMS("", MIST_SITE "," MIST_WINDOW("1d") "," MIST_LIMIT("200", "5000") "," MIST_CLIENT "," NAC_FILTERS ","
        JSON("status": {"type": "string", "enum": ["permitted", "session_started", "session_ended", "denied"], "description": "only these"})),
    .result_schema = MIST_OBJ(MIST_LISTED("clients", NAC_FIELDS(MIST_PROPERTY) MIST_P_TIME("timestamp", "when it was seen last"), "newest first") ","
        MIST_COUNTS("by_status", "clients by status") "," MIST_COUNTS("by_rule", "clients by rule")),
    .about = "`GET /sites/{site_id}/nac_clients/search`, or that of the organisation without a site. Empty where Access Assurance is not in use.",
    .example = "- id: nac\n  run: mist.nac_clients\n  with: {mac: \"${client}\"}\n",
};

#define NAC_EVENT_FIELDS(F) \
    F(TIME, timestamp, "timestamp", "when it was") \
    F(STR, type, "type", "name of the event, such as NAC_CLIENT_DENY") \
    F(STR, text, "text", "what Mist says about it: on a denial the reason") \
    F(MAC, mac, "mac", "MAC address of the client") \
    F(STR, username, "username|idp_username", "user") \
    F(STR, auth_type, "auth_type", "eap-tls, eap-ttls, mab …") \
    F(STR, rule_id, "nacrule_id", "rule that decided") \
    F(BOOL, rule_matched, "nacrule_matched", "a rule matched") \
    F(STR, ssid, "ssid", "network") \
    F(INT, vlan_id, "vlan", "VLAN given") \
    F(MAC, ap_mac, "ap", "MAC address of the AP") \
    F(MAC, device_mac, "device_mac", "MAC address of the switch") \
    F(STR, port, "port_id", "port of the switch") \
    F(STR, nas_vendor, "nas_vendor", "maker of the device that asked") \
    F(STR, site_id, "site_id", "id of the site")
static const struct mist_field nac_event_fields[] = { NAC_EVENT_FIELDS(MIST_ROW) { "idp_id", "idp_id", MIST_STR } };
static const char *const nac_event_filters[] = { "mac", "type", "ap", "auth_type", "ssid", "vlan", "username", "text", NULL };

static void count_nac_events(struct ft_call *call, const json_t *rows, json_t *out)
{
    json_int_t denied = 0, permitted = 0;
    json_t *row;
    size_t i;
    (void)call;

    json_array_foreach(rows, i, row) {
        const char *type = mist_str(row, "type");

        denied += type && strstr(type, "DENY") != NULL;
        permitted += type && strstr(type, "PERMIT") != NULL;
    }
    mist_count_rows(rows, "type", out, "by_type");
    json_object_set_new(out, "denied", json_integer(denied));
    json_object_set_new(out, "permitted", json_integer(permitted));
}

static const struct mist_table nac_event_table = {
    .name = "events", .site = "/nac_clients/events/search", .org = "/nac_clients/events/search", .filters = nac_event_filters,
    .fields = nac_event_fields, .count = ARRAY_LEN(nac_event_fields), .sort = "timestamp", .window = true, .finish = count_nac_events,
};
MIST_TABLE(nac_event_start, nac_event_table)

const struct ft_action mist_nac_events = {
    MIST_READ(nac_event_start),
    .name = "nac_events", .summary = "what happened at Mist Access Assurance: permissions, denials, sessions",
    .params_schema = MIST_PARAMS("", MIST_SITE "," MIST_WINDOW("1d") "," MIST_LIMIT("200", "5000") "," MIST_CLIENT "," NAC_FILTERS ","
        JSON("type": {"type": "string", "minLength": 1, "description": "only events of this name"})),
    .result_schema = MIST_OBJ(MIST_LISTED("events", NAC_EVENT_FIELDS(MIST_PROPERTY) MIST_P_STR("idp_id", "identity provider"), "newest first") ","
        MIST_COUNTS("by_type", "events by name") "," MIST_P("denied", "\"integer\"", "denials") "," MIST_P("permitted", "\"integer\"", "permissions")),
    .about = "`GET /sites/{site_id}/nac_clients/events/search`, or that of the organisation without a site. Empty where Access Assurance is not in use.",
    .example = "- id: denials\n  run: mist.nac_events\n  with: {mac: \"${client}\", type: NAC_CLIENT_DENY, window: 4h}\n",
};
