/* mist_device_list.c: many devices: how they are, what happened to them, what the inventory holds. */
#include <string.h>
#include "mist.h"

/* ---- device_list: GET /orgs|sites/…/stats/devices */

static void count_status(json_t *devices, json_int_t *connected, json_int_t *disconnected)
{
    json_t *row;
    size_t i;

    json_array_foreach(devices, i, row) {
        const char *status = mist_str(row, "status");

        *connected += status && strcmp(status, "connected") == 0;
        *disconnected += status && strcmp(status, "disconnected") == 0;
    }
}

static void devices_here(struct ft_call *call, json_t *items)
{
    json_int_t connected = 0, disconnected = 0;
    json_t *devices = json_array(), *item;
    size_t i;

    json_array_foreach(items, i, item)
        if (json_is_object(item))
            json_array_append_new(devices, mist_device_summary(item));
    count_status(devices, &connected, &disconnected);
    mist_done(call, json_pack("{s:o, s:i, s:I, s:I, s:b}", "devices", devices, "total", (int)json_array_size(devices), "connected", connected,
                              "disconnected", disconnected, "complete", mist_state(call)->list.complete));
}

static void devices_look(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    size_t limit = (size_t)json_integer_value(json_object_get(host->params(call), "limit"));
    const char *type = mist_text(call, "type"), *status = mist_text(call, "status");

    if (st->site_id)
        mist_list(call, limit, devices_here, "/sites/%s/stats/devices?type=%s&status=%s", mist_escape(call, st->site_id), type, status);
    else
        mist_list(call, limit, devices_here, "/orgs/%s/stats/devices?type=%s&status=%s", mist_escape(call, mist_of(call)->org), type, status);
}

static void devices_begin(struct ft_call *call)
{
    mist_find_site(call, devices_look);
}
MIST_BEGIN(MIST_LOOK, devices_begin, devices_start)

#define TYPE_PARAM(otherwise) "\"type\":{\"type\":\"string\",\"enum\":[\"all\",\"ap\",\"switch\",\"gateway\"],\"default\":\"" otherwise \
    "\",\"description\":\"kind of device\"}"

const struct ft_action mist_device_list = {
    MIST_READ(devices_start),
    .name = "device_list", .summary = "access points, switches or gateways of a site or of the organisation, and how they are",
    .params_schema = MIST_PARAMS("", MIST_SITE "," TYPE_PARAM("ap") "," MIST_LIMIT("1000", "10000") ","
        JSON("status": {"type": "string", "enum": ["all", "connected", "disconnected"], "default": "all", "description": "how they stand with Mist"})),
    .result_schema = MIST_OBJ(
        MIST_P_LIST("devices", MIST_OBJ(MIST_SUMMARY_PROPERTIES), "devices") ","
        MIST_P("total", "\"integer\"", "devices in the answer") "," MIST_P("connected", "\"integer\"", "those connected") ","
        MIST_P("disconnected", "\"integer\"", "those disconnected") "," MIST_COMPLETE),
    .about = "`GET /sites/{site_id}/stats/devices`, or that of the organisation without a site.",
    .example = "- id: aps\n  run: mist.device_list\n  with: {site: HQ, type: ap, status: disconnected}\n",
    .timeout_ms = 60000,
};

/* ---- device_events: GET /orgs|sites/…/devices/events/search */

#define EVENT_FIELDS(F) \
    F(TIME, timestamp, "timestamp", "when it was") \
    F(STR, type, "type", "name of the event, such as AP_DISCONNECTED") \
    F(MAC, mac, "mac|ap", "MAC address of the device") \
    F(STR, device_name, "device_name|ap_name", "name of the device") \
    F(STR, device_type, "device_type", "ap, switch or gateway") \
    F(STR, level, "ev_type", "notice or warn") \
    F(STR, text, "text", "what Mist says about it") \
    F(STR, reason, "reason", "reason, where there is one") \
    F(STR, port, "port_id", "port, where it is about one") \
    F(STR, version, "version", "firmware") \
    F(STR, audit_id, "audit_id", "id of the audit entry of the change that led to it") \
    F(INT, channel, "channel", "channel afterwards") \
    F(INT, former_channel, "pre_channel", "channel before") \
    F(STR, site_name, "site_name", "name of the site")
static const struct mist_field event_fields[] = { EVENT_FIELDS(MIST_ROW) { "site_id", "site_id", MIST_STR } };

/* Parts of the names of events that count as trouble, see GET /const/device_events. */
static const struct { const char *part, *counter; } event_counters[] = {
    { "DISCONNECTED", "disconnects" }, { "RESTART", "restarts" }, { "CONFIG_FAILED", "config_failures" }, { "CONFIG_LOCK_FAILED", "config_failures" },
    { "PORT_DOWN", "port_downs" }, { "UPGRADE_FAILED", "upgrade_failures" }, { "RADAR", "radar_events" },
};

static void events_here(struct ft_call *call, json_t *items)
{
    json_t *rows = MIST_ROWS(items, event_fields), *counts = json_object(), *out = json_object(), *row;
    size_t i, j;

    mist_sort_down(rows, "timestamp");
    for (j = 0; j < ARRAY_LEN(event_counters); j++)
        json_object_set_new(out, event_counters[j].counter, json_integer(0));
    json_array_foreach(rows, i, row) {
        const char *type = mist_str(row, "type");

        for (j = 0; type && j < ARRAY_LEN(event_counters); j++)
            if (strstr(type, event_counters[j].part))
                mist_count_into(out, event_counters[j].counter);
        if (type)
            mist_count_into(counts, type);
    }
    json_object_set_new(out, "events", rows);
    json_object_set_new(out, "counts", counts);
    json_object_set_new(out, "total", json_integer((json_int_t)json_array_size(rows)));
    json_object_set_new(out, "complete", json_boolean(mist_state(call)->list.complete));
    mist_done(call, out);
}

static void events_look(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    size_t limit = (size_t)json_integer_value(json_object_get(host->params(call), "limit"));
    const char *event = mist_text(call, "event");
    const char *filter = host->printf(call, "duration=%s%s%s%s%s", mist_window(call), st->device.mac ? "&mac=" : "", st->device.mac ? st->device.mac : "",
                                      event ? "&type=" : "", event ? mist_escape(call, event) : "");

    if (st->site_id)
        mist_list(call, limit, events_here, "/sites/%s/devices/events/search?%s", mist_escape(call, st->site_id), filter);
    else
        mist_list(call, limit, events_here, "/orgs/%s/devices/events/search?device_type=%s&%s", mist_escape(call, mist_of(call)->org),
                  mist_text(call, "type"), filter);
}

static void events_begin(struct ft_call *call)
{
    if (mist_text(call, "device"))
        mist_find_device(call, NULL, events_look);
    else
        mist_find_site(call, events_look);
}
MIST_BEGIN(MIST_LOOK, events_begin, events_start)

const struct ft_action mist_device_events = {
    MIST_READ(events_start),
    .name = "device_events", .summary = "what happened to a device, a site's devices, or all of one kind",
    .params_schema = MIST_PARAMS("", MIST_SITE "," MIST_DEVICE "," TYPE_PARAM("all") "," MIST_WINDOW("1d") "," MIST_LIMIT("200", "5000") ","
        JSON("event": {"type": "string", "minLength": 1, "description": "only events of this name"})),
    .result_schema = MIST_OBJ(
        MIST_P_LIST("events", MIST_OBJ(EVENT_FIELDS(MIST_PROPERTY) MIST_P_STR("site_id", "id of the site")), "newest first") ","
        "\"counts\":{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"},\"description\":\"events by name\"},"
        MIST_P("total", "\"integer\"", "events in the answer") "," MIST_P("disconnects", "\"integer\"", "times that a device left Mist") ","
        MIST_P("restarts", "\"integer\"", "restarts") "," MIST_P("config_failures", "\"integer\"", "configurations that a device did not take") ","
        MIST_P("port_downs", "\"integer\"", "links that went down") "," MIST_P("upgrade_failures", "\"integer\"", "failed firmware upgrades") ","
        MIST_P("radar_events", "\"integer\"", "channel changes for radar") "," MIST_COMPLETE),
    .about = "`GET /sites/{site_id}/devices/events/search`, or that of the organisation without a site and device.",
    .example = "- id: history\n  run: mist.device_events\n  with: {device: \"${ap.id}\", site: \"${ap.site_id}\", window: 1d}\n",
};

/* ---- inventory: GET /orgs/{org_id}/inventory. `magic`, the claim code, is a secret and is left out. */

#define INVENTORY_FIELDS(F) \
    F(STR, id, "id", "id of the device") \
    F(MAC, mac, "mac", "MAC address") \
    F(STR, name, "name|hostname", "name of the device") \
    F(STR, type, "type", "ap, switch or gateway") \
    F(STR, model, "model", "model") \
    F(STR, serial, "serial", "serial number") \
    F(STR, sku, "sku", "order number") \
    F(STR, hw_rev, "hw_rev", "hardware revision") \
    F(STR, site_id, "site_id", "id of its site; nil is unassigned") \
    F(BOOL, connected, "connected", "connected to Mist") \
    F(BOOL, adopted, "adopted", "adopted, not claimed") \
    F(MAC, vc_mac, "vc_mac", "virtual chassis it is a member of")
static const struct mist_field inventory_fields[] = { INVENTORY_FIELDS(MIST_ROW) { "deviceprofile_id", "deviceprofile_id", MIST_STR } };

static void inventory_here(struct ft_call *call, json_t *items)
{
    json_t *rows = MIST_ROWS(items, inventory_fields), *by_type = json_object(), *by_model = json_object(), *row;
    json_int_t unassigned = 0, away = 0;
    size_t i;

    json_array_foreach(rows, i, row) {
        mist_count_into(by_type, mist_str(row, "type") ? mist_str(row, "type") : "unknown");
        mist_count_into(by_model, mist_str(row, "model") ? mist_str(row, "model") : "unknown");
        unassigned += !mist_str(row, "site_id");
        away += mist_str(row, "site_id") && !json_is_true(json_object_get(row, "connected"));
    }
    mist_done(call, json_pack("{s:o, s:i, s:o, s:o, s:I, s:I, s:b}", "devices", rows, "total", (int)json_array_size(rows), "by_type", by_type,
                              "by_model", by_model, "unassigned", unassigned, "disconnected", away, "complete", mist_state(call)->list.complete));
}

static void inventory_look(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    size_t limit = (size_t)json_integer_value(json_object_get(host->params(call), "limit"));
    const char *type = mist_text(call, "type"), *model = mist_text(call, "model");
    const char *filter = strcmp(type, "all") ? host->printf(call, "&type=%s", type) : "";

    if (st->site_id)
        filter = host->printf(call, "%s&site_id=%s", filter, mist_escape(call, st->site_id));
    if (model)
        filter = host->printf(call, "%s&model=%s", filter, mist_escape(call, model));
    mist_list(call, limit, inventory_here, "/orgs/%s/inventory%s%s", mist_escape(call, mist_of(call)->org), *filter ? "?" : "", *filter ? filter + 1 : "");
}

static void inventory_begin(struct ft_call *call)
{
    mist_find_site(call, inventory_look);
}
MIST_BEGIN(MIST_LOOK, inventory_begin, inventory_start)

const struct ft_action mist_inventory = {
    MIST_READ(inventory_start),
    .name = "inventory", .summary = "the devices that the organisation owns",
    .params_schema = MIST_PARAMS("", MIST_SITE "," TYPE_PARAM("all") "," MIST_LIMIT("5000", "50000") ","
        JSON("model": {"type": "string", "minLength": 1, "description": "only devices of this model"})),
    .result_schema = MIST_OBJ(
        MIST_P_LIST("devices", MIST_OBJ(INVENTORY_FIELDS(MIST_PROPERTY) MIST_P_STR("deviceprofile_id", "id of its device profile")), "devices") ","
        MIST_P("total", "\"integer\"", "devices in the answer") ","
        "\"by_type\":{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"},\"description\":\"devices by kind\"},"
        "\"by_model\":{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"},\"description\":\"devices by model\"},"
        MIST_P("unassigned", "\"integer\"", "devices without a site") ","
        MIST_P("disconnected", "\"integer\"", "devices with a site that are not connected") "," MIST_COMPLETE),
    .about = "`GET /orgs/{org_id}/inventory`. Claim codes are left out: they are secrets.",
    .example = "- id: stock\n  run: mist.inventory\n  with: {type: switch}\n",
    .timeout_ms = 60000,
};
