/* mist_more_lists.c: further lists: the ports of switches, switches that are not Mist's, system events, synthetic tests, webhooks and their deliveries. */
#include <string.h>
#include <strings.h>
#include "mist.h"

/* ---- switch_ports: GET /orgs|sites/…/stats/ports/search */

#define PORT_FIELDS(F) \
    F(MAC, mac, "mac", "MAC address of the switch") \
    F(STR, port, "port_id", "name of the port") \
    F(BOOL, up, "up", "it has a link") \
    F(BOOL, disabled, "disabled", "it is switched off") \
    F(INT, speed, "speed", "Mbit/s") \
    F(BOOL, full_duplex, "full_duplex", "full duplex") \
    F(STR, usage, "port_usage", "port profile") \
    F(BOOL, poe_on, "poe_on", "it gives power") \
    F(BOOL, poe_disabled, "poe_disabled", "its power is switched off") \
    F(NUM, power_draw, "power_draw", "power given, W") \
    F(STR, neighbor_name, "neighbor_system_name", "what hangs on it, by LLDP") \
    F(MAC, neighbor_mac, "neighbor_mac", "its MAC address") \
    F(INT, mac_count, "mac_count", "MAC addresses behind it") \
    F(STR, stp_state, "stp_state", "spanning tree: forwarding, blocking …") \
    F(STR, auth_state, "auth_state", "802.1X: authenticated, held …") \
    F(INT, rx_errors, "rx_errors", "damaged frames received") \
    F(INT, tx_errors, "tx_errors", "frames not sent") \
    F(TIME, last_flapped, "last_flapped", "when its link changed last") \
    F(STR, site_id, "site_id", "id of the site")
static const struct mist_field port_fields[] = { PORT_FIELDS(MIST_ROW) { "timestamp", "timestamp", MIST_TIME } };
static const char *const port_filters[] = { "mac", "up", "poe_on", "poe_disabled", "disabled", "stp_state", "auth_state", "neighbor_mac", "neighbor_system_name", NULL };

static void count_ports(struct ft_call *call, const json_t *rows, json_t *out)
{
    json_int_t up = 0, poe = 0, blocked = 0, bad = 0;
    double watts = 0;
    json_t *row;
    size_t i;
    (void)call;

    json_array_foreach(rows, i, row) {
        up += json_is_true(json_object_get(row, "up"));
        poe += json_is_true(json_object_get(row, "poe_on"));
        watts += mist_num(row, "power_draw", 0);
        blocked += mist_str(row, "stp_state") && !strcmp(mist_str(row, "stp_state"), "blocking");
        bad += mist_num(row, "rx_errors", 0) + mist_num(row, "tx_errors", 0) > 0;
    }
    json_object_update_new(out, json_pack("{s:I, s:I, s:I, s:I, s:f}", "up", up, "powered", poe, "blocked", blocked, "with_errors", bad, "power_draw", watts));
    mist_count_rows(rows, "mac", out, "by_switch");
}

static const struct mist_table port_table = {
    .name = "ports", .site = "/stats/ports/search", .org = "/stats/ports/search", .filters = port_filters, .fields = port_fields, .count = ARRAY_LEN(port_fields),
    .fixed = "device_type=switch", .finish = count_ports,
};
MIST_TABLE(ports_start, port_table)

const struct ft_action mist_switch_ports = {
    MIST_READ(ports_start),
    .name = "switch_ports", .summary = "the ports of a site's switches, all or those in a state",
    .params_schema = MIST_PARAMS("", MIST_SITE "," MIST_LIMIT("1000", "20000") ","
        JSON("mac": {"type": "string", "minLength": 12, "description": "only of this switch, by its MAC address"},
             "up": {"type": "boolean", "description": "only with, or without, a link"},
             "disabled": {"type": "boolean", "description": "only switched off, or not"},
             "poe_on": {"type": "boolean", "description": "only those that give power, or do not"},
             "poe_disabled": {"type": "boolean", "description": "only those whose power is switched off, or not"},
             "stp_state": {"type": "string", "enum": ["blocking", "disabled", "forwarding", "learning", "listening"], "description": "only in this state"},
             "auth_state": {"type": "string", "enum": ["authenticated", "authenticating", "held", "init"], "description": "only in this state"},
             "neighbor_mac": {"type": "string", "minLength": 12, "description": "only where this hangs"},
             "neighbor_system_name": {"type": "string", "minLength": 1, "description": "only where this hangs, by its name"})),
    .result_schema = MIST_OBJ(MIST_LISTED("ports", PORT_FIELDS(MIST_PROPERTY) MIST_P_TIME("timestamp", "when the switch said so"), "ports") ","
        MIST_P("up", "\"integer\"", "ports with a link") "," MIST_P("powered", "\"integer\"", "ports that give power") ","
        MIST_P("blocked", "\"integer\"", "ports that spanning tree blocks") "," MIST_P("with_errors", "\"integer\"", "ports with errors") ","
        MIST_P("power_draw", "\"number\"", "power given by all, W") "," MIST_COUNTS("by_switch", "ports by MAC address of the switch")),
    .about = "`GET /sites/{site_id}/stats/ports/search`, or that of the organisation without a site. `mist.switch_port` is one port.",
    .example = "- id: dark\n  run: mist.switch_ports\n  with: {site: HQ, poe_disabled: true}\n",
};

/* ---- discovered_switches: GET /sites/{site_id}/stats/discovered_switches/search */

#define SEEN_FIELDS(F) \
    F(STR, name, "system_name", "name, by LLDP") \
    F(STR, ip, "mgmt_addr", "management address") \
    F(STR, vendor, "vendor", "maker") \
    F(STR, model, "model", "model") \
    F(STR, version, "version", "firmware") \
    F(STR, chassis_id, "chassis_id", "chassis id") \
    F(BOOL, adopted, "adopted", "it belongs to Mist by now")
static const struct mist_field seen_fields[] = { SEEN_FIELDS(MIST_ROW) { "timestamp", "timestamp", MIST_TIME } };
static const char *const seen_filters[] = { "system_name", "vendor", "model", "version", "adopted", NULL };

static json_t *seen_row(const json_t *item)
{
    json_t *row = json_object();

    MIST_PICK(row, item, seen_fields);
    json_object_set_new(row, "num_aps", json_integer((json_int_t)json_array_size(mist_at(item, "aps"))));
    return row;
}

static const struct mist_table seen_table = {
    .name = "switches", .site = "/stats/discovered_switches/search", .filters = seen_filters, .row = seen_row, .window = true,
};
MIST_TABLE(seen_start, seen_table)

const struct ft_action mist_discovered_switches = {
    MIST_READ(seen_start),
    .name = "discovered_switches", .summary = "switches of other makers that APs of a site hang on",
    .params_schema = MIST_PARAMS("\"site\"", MIST_SITE "," MIST_WINDOW("1d") "," MIST_LIMIT("200", "5000") ","
        JSON("system_name": {"type": "string", "minLength": 1, "description": "only of this name"},
             "vendor": {"type": "string", "minLength": 1, "description": "only of this maker"},
             "model": {"type": "string", "minLength": 1, "description": "only this model"},
             "version": {"type": "string", "minLength": 1, "description": "only with this firmware"},
             "adopted": {"type": "boolean", "description": "only adopted ones, or not"})),
    .result_schema = MIST_OBJ(MIST_LISTED("switches", SEEN_FIELDS(MIST_PROPERTY) MIST_P_TIME("timestamp", "when it was seen") ","
        MIST_P("num_aps", "\"integer\"", "APs that hang on it"), "switches")),
    .about = "`GET /sites/{site_id}/stats/discovered_switches/search`: known from what the APs hear by LLDP.",
    .example = "- id: others\n  run: mist.discovered_switches\n  with: {site: HQ}\n",
};

/* ---- system_events: GET /sites/{site_id}/events/system/search, /orgs/{org_id}/events/system/search */

#define SYSTEM_FIELDS(F) \
    F(TIME, timestamp, "timestamp", "when it was") \
    F(STR, type, "type", "name of the event") \
    F(STR, text, "text", "what Mist says about it") \
    F(STR, reason, "reason", "reason, where there is one") \
    F(MAC, mac, "mac|ap", "MAC address of the device, where it is about one") \
    F(STR, site_id, "site_id", "id of the site")
static const struct mist_field system_fields[] = { SYSTEM_FIELDS(MIST_ROW) { "audit_id", "audit_id", MIST_STR } };
static const char *const type_filter[] = { "type", NULL };

static void count_types(struct ft_call *call, const json_t *rows, json_t *out)
{
    (void)call;
    mist_count_rows(rows, "type", out, "by_type");
}

static const struct mist_table system_table = {
    .name = "events", .site = "/events/system/search", .org = "/events/system/search", .filters = type_filter, .fields = system_fields,
    .count = ARRAY_LEN(system_fields), .sort = "timestamp", .window = true, .finish = count_types,
};
MIST_TABLE(system_start, system_table)

const struct ft_action mist_system_events = {
    MIST_READ(system_start),
    .name = "system_events", .summary = "what happened to a site or the organisation that is no device's and no client's matter",
    .params_schema = MIST_PARAMS("", MIST_SITE "," MIST_WINDOW("1d") "," MIST_LIMIT("200", "5000") "," JSON("type": {"type": "string", "minLength": 1, "description": "only events of this name"})),
    .result_schema = MIST_OBJ(MIST_LISTED("events", SYSTEM_FIELDS(MIST_PROPERTY) MIST_P_STR("audit_id", "entry of the audit log"), "newest first") ","
        MIST_COUNTS("by_type", "events by name")),
    .about = "`GET /sites/{site_id}/events/system/search`, or that of the organisation without a site.",
    .example = "- id: system\n  run: mist.system_events\n  with: {site: HQ}\n",
};

/* ---- synthetic_tests: GET /sites/{site_id}/synthetic_test/search */

#define TEST_FIELDS(F) \
    F(TIME, timestamp, "timestamp|start_time", "when it was") \
    F(STR, type, "type", "what was tested") \
    F(MAC, mac, "mac", "MAC address of the device that tested") \
    F(STR, device_type, "device_type", "ap, switch or gateway") \
    F(STR, status, "status", "how it ended") \
    F(BOOL, failed, "failed", "it failed") \
    F(STR, reason, "reason", "why it failed") \
    F(INT, vlan_id, "vlan_id", "VLAN") \
    F(STR, port, "port_id", "port") \
    F(NUM, latency_ms, "latency", "how long it took, ms") \
    F(STR, by, "by", "who started it")
static const struct mist_field test_fields[] = { TEST_FIELDS(MIST_ROW) { "protocol", "protocol", MIST_STR } };
static const char *const test_filters[] = { "mac", "type", "vlan_id", "port_id", "protocol", "by", NULL };

static void count_tests(struct ft_call *call, const json_t *rows, json_t *out)
{
    json_int_t failed = 0;
    json_t *row;
    size_t i;
    (void)call;

    json_array_foreach(rows, i, row)
        failed += json_is_true(json_object_get(row, "failed")) || (mist_str(row, "status") && strstr(mist_str(row, "status"), "fail"));
    json_object_set_new(out, "failed", json_integer(failed));
    mist_count_rows(rows, "type", out, "by_type");
}

static const struct mist_table test_table = {
    .name = "tests", .site = "/synthetic_test/search", .filters = test_filters, .fields = test_fields, .count = ARRAY_LEN(test_fields), .sort = "timestamp",
    .window = true, .finish = count_tests,
};
MIST_TABLE(tests_start, test_table)

const struct ft_action mist_synthetic_tests = {
    MIST_READ(tests_start),
    .name = "synthetic_tests", .summary = "the tests that a site's devices ran, and which failed",
    .params_schema = MIST_PARAMS("\"site\"", MIST_SITE "," MIST_WINDOW("1d") "," MIST_LIMIT("200", "5000") ","
        JSON("mac": {"type": "string", "minLength": 12, "description": "only by this device, by its MAC address"},
             "type": {"type": "string", "enum": ["arp", "curl", "dhcp", "dhcp6", "dns", "lan_connectivity", "radius", "speedtest"], "description": "only of this kind"},
             "vlan_id": {"type": "integer", "minimum": 1, "maximum": 4094, "description": "only on this VLAN"},
             "port_id": {"type": "string", "minLength": 1, "description": "only on this port"},
             "protocol": {"type": "string", "enum": ["ping", "traceroute"], "description": "only by this"},
             "by": {"type": "string", "minLength": 1, "description": "only started by"})),
    .result_schema = MIST_OBJ(MIST_LISTED("tests", TEST_FIELDS(MIST_PROPERTY) MIST_P_STR("protocol", "ping or traceroute"), "newest first") ","
        MIST_P("failed", "\"integer\"", "those that failed") "," MIST_COUNTS("by_type", "tests by kind")),
    .about = "`GET /sites/{site_id}/synthetic_test/search`.",
    .example = "- id: tested\n  run: mist.synthetic_tests\n  with: {site: HQ, type: dhcp}\n",
};

/* ---- webhooks: GET /orgs|sites/…/webhooks: where Mist sends events. Secrets and headers are left out. */

static json_t *webhook_row(const json_t *item)
{
    static const struct mist_field fields[] = {
        { "id", "id", MIST_STR }, { "name", "name", MIST_STR }, { "enabled", "enabled", MIST_BOOL }, { "type", "type", MIST_STR }, { "url", "url", MIST_STR },
        { "verify_cert", "verify_cert", MIST_BOOL },
    };
    json_t *row = json_object(), *topics = json_array(), *topic;
    size_t i;

    MIST_PICK(row, item, fields);
    json_array_foreach(mist_at(item, "topics"), i, topic)
        if (json_is_string(topic))
            json_array_append(topics, topic);
    json_object_set_new(row, "topics", topics);
    json_object_set_new(row, "signed", json_boolean(mist_str(item, "secret")));
    return row;
}

static const struct mist_table webhook_table = { .name = "webhooks", .site = "/webhooks", .org = "/webhooks", .row = webhook_row };
MIST_TABLE(webhooks_start, webhook_table)

const struct ft_action mist_webhooks = {
    MIST_READ(webhooks_start),
    .name = "webhooks", .summary = "where Mist sends its events",
    .params_schema = MIST_PARAMS("", MIST_SITE "," MIST_LIMIT("200", "1000")),
    .result_schema = MIST_OBJ(MIST_LISTED("webhooks", MIST_P_STR("id", "id of the webhook") "," MIST_P_STR("name", "name") "," MIST_P_BOOL("enabled", "it is in use") ","
        MIST_P_STR("type", "http-post, splunk …") "," MIST_P_STR("url", "where to") "," MIST_P_BOOL("verify_cert", "the receiver's certificate is checked") ","
        MIST_P_LIST("topics", "{\"type\":\"string\"}", "what about") "," MIST_P("signed", "\"boolean\"", "it has a secret, so the receiver can check the signature"), "webhooks")),
    .about = "`GET /orgs/{org_id}/webhooks`, with a site those of the site.",
    .example = "- id: hooks\n  run: mist.webhooks\n",
};

/* ---- webhook_deliveries: GET …/webhooks/{webhook_id}/events/search */

static const struct mist_field delivery_fields[] = {
    { "timestamp", "timestamp", MIST_TIME }, { "topic", "topic", MIST_STR }, { "status", "status", MIST_STR }, { "status_code", "status_code", MIST_INT },
    { "error", "error", MIST_STR },
};

static void deliveries_here(struct ft_call *call, json_t *items)
{
    json_t *rows = MIST_ROWS(items, delivery_fields), *row;
    json_int_t failed = 0;
    size_t i;

    mist_sort_down(rows, "timestamp");
    json_array_foreach(rows, i, row)
        failed += mist_str(row, "status") && strcmp(mist_str(row, "status"), "success") != 0;
    mist_done(call, json_pack("{s:o, s:i, s:I, s:b}", "deliveries", rows, "total", (int)json_array_size(rows), "failed", failed, "complete", mist_state(call)->list.complete));
}

static const char *webhook_path(struct ft_call *call)
{
    const char *site = mist_state(call)->site_id;

    return host->printf(call, "/%s/%s/webhooks/%s", site ? "sites" : "orgs", mist_escape(call, site ? site : mist_of(call)->org), mist_escape(call, mist_text(call, "webhook")));
}

static void deliveries_look(struct ft_call *call)
{
    const char *status = mist_text(call, "status");

    mist_list(call, (size_t)json_integer_value(json_object_get(host->params(call), "limit")), deliveries_here, "%s/events/search?duration=%s%s%s", webhook_path(call),
              mist_window(call), status ? "&status=" : "", status ? status : "");
}

static void deliveries_begin(struct ft_call *call)
{
    mist_find_site(call, deliveries_look);
}
MIST_BEGIN(MIST_LOOK, deliveries_begin, deliveries_start)

#define WEBHOOK JSON("webhook": {"type": "string", "minLength": 1, "description": "id of the webhook, as mist.webhooks gives it"})

const struct ft_action mist_webhook_deliveries = {
    MIST_READ(deliveries_start),
    .name = "webhook_deliveries", .summary = "what Mist sent to a webhook, and what failed",
    .params_schema = MIST_PARAMS("\"webhook\"", MIST_SITE "," WEBHOOK "," MIST_WINDOW("1d") "," MIST_LIMIT("200", "5000") ","
        JSON("status": {"type": "string", "enum": ["success", "failure"], "description": "only these"})),
    .result_schema = MIST_OBJ(MIST_LISTED("deliveries", MIST_P_TIME("timestamp", "when it was") "," MIST_P_STR("topic", "what about") ","
        MIST_P_STR("status", "success or failure") "," MIST_P_INT("status_code", "what the receiver answered") "," MIST_P_STR("error", "what went wrong"), "newest first") ","
        MIST_P("failed", "\"integer\"", "those that failed")),
    .about = "`GET /orgs/{org_id}/webhooks/{webhook_id}/events/search`, with a site that of the site's webhook. What was sent is left out: it may hold people's data.",
    .example = "- id: lost\n  run: mist.webhook_deliveries\n  with: {webhook: \"${hooks.webhooks[1].id}\", status: failure}\n",
};

/* ---- webhook_ping: POST …/webhooks/{webhook_id}/ping */

static void ping_ready(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    struct mist_write *w = &st->write;

    w->summary = host->printf(call, "let Mist send a ping to webhook %s", mist_text(call, "webhook"));
    w->method = "POST";
    w->path = host->printf(call, "%s/ping", webhook_path(call));
    w->users = 0;
    w->result = mist_hold(call, json_pack("{s:s}", "webhook", mist_text(call, "webhook")));
    mist_write_ready(call);
}

static void ping_begin(struct ft_call *call)
{
    mist_find_site(call, ping_ready);
}
MIST_BEGIN(MIST_RUN, ping_begin, ping_run)
MIST_BEGIN(MIST_PLAN, ping_begin, ping_plan)

const struct ft_action mist_webhook_ping = {
    MIST_WRITE(ping_run, ping_plan),
    .name = "webhook_ping", .summary = "let Mist send a test event to a webhook",
    .effects = FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT,
    .params_schema = MIST_PARAMS("\"webhook\"", MIST_SITE "," WEBHOOK),
    .result_schema = MIST_OBJ(MIST_CHANGED "," MIST_P_STR("webhook", "id of the webhook")),
    .about = "`POST /orgs/{org_id}/webhooks/{webhook_id}/ping`. Whether it arrived says `mist.webhook_deliveries`, and the receiver.",
    .example = "- id: ping\n  run: mist.webhook_ping\n  with: {webhook: \"${hooks.webhooks[1].id}\"}\n  undo: none\n",
};
