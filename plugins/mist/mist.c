/* mist.c: the Juniper Mist plugin: what it offers, its configuration, and the life of a call. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "mist.h"

const struct ft_host *host;

/* ---- the life of a call */

int mist_start(struct ft_call *call, enum mist_mode mode, mist_next *first)
{
    struct mist_call *st = mist_state(call);

    st->mode = mode;
    st->write.users = -1;
    first(call);                     /* ends the call itself, also when it fails */
    return 0;
}

void mist_drop(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);

    json_decref(st->held);
    st->held = NULL;
}

void mist_done(struct ft_call *call, json_t *result)
{
    mist_drop(call);
    host->done(call, result);
}

void mist_fail(struct ft_call *call, enum ft_class class, const char *fmt, ...)
{
    char text[900];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);       /* before the drop: the arguments may lie in what is held */
    va_end(ap);
    mist_drop(call);
    host->fail(call, class, "%s", text);
}

json_t *mist_hold(struct ft_call *call, json_t *value)
{
    struct mist_call *st = mist_state(call);

    if (!st->held)
        st->held = json_array();
    if (value)
        json_array_append_new(st->held, value);
    return value;
}

const json_t *mist_receipt(struct ft_call *call)
{
    const json_t *receipt = host->receipt(call);

    if (!json_is_object(receipt)) {
        mist_fail(call, FT_INVALID, "the journal holds no receipt of this step, so there is nothing to go by");
        return NULL;
    }
    return receipt;
}

/* ---- a write */

static json_t *write_result(struct mist_write *w, bool changed)
{
    json_t *result = w->result ? json_copy(w->result) : json_object();

    json_object_set_new(result, "changed", json_boolean(changed));
    return result;
}

const json_t *mist_left(struct ft_call *call, const char *key)
{
    return host->abi_minor < 3 || mist_state(call)->mode != MIST_PLAN ? NULL : host->left(call, key);
}

static void end_plan(struct ft_call *call)
{
    struct mist_write *w = &mist_state(call)->write;
    json_t *plan = json_pack("{s:s, s:[], s:O*, s:O*, s:O*, s:O*}", "summary", w->summary, "requests",
                             "before", w->before, "watch", w->watch, "changes", w->changes, "receipt", w->receipt);

    if (w->leaves)
        json_object_set_new(plan, "leaves", w->nothing_to_do ? json_object() : json_incref(w->leaves));
    if (w->note)
        json_object_set_new(plan, "notes", json_pack("[s]", w->note));
    if (w->nothing_to_do) {
        json_object_set_new(plan, "nothing_to_do", json_true());
        json_object_set_new(plan, "result", write_result(w, false));
    } else {
        struct ft_http_req req = mist_request(call, w->method, mist_url(call, "%s", w->path), w->body, FT_HTTP_WRITE);

        json_array_append_new(json_object_get(plan, "requests"), host->http_render(call, &req));
        if (w->users >= 0)
            json_object_set_new(plan, "users", json_integer(w->users));
    }
    mist_done(call, plan);
}

static void write_sent(struct ft_call *call, json_t *answer)
{
    struct mist_write *w = &mist_state(call)->write;

    if (w->sent)
        w->sent(call, answer);
    else
        mist_done(call, write_result(w, true));
}

void mist_write_send(struct ft_call *call)
{
    struct mist_write *w = &mist_state(call)->write;

    mist_send(call, w->method, mist_url(call, "%s", w->path), w->body, write_sent);
}

void mist_write_ready(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    struct mist_write *w = &st->write;
    struct ft_err err = { 0 };

    if (st->mode == MIST_PLAN) {
        end_plan(call);
    } else if (w->nothing_to_do) {
        mist_done(call, write_result(w, false));
    } else if (w->receipt && !host->receipt(call)) {         /* the plan's receipt is in the journal already */
        if (host->keep(call, json_incref(w->receipt), mist_write_send, &err) < 0)
            mist_fail(call, err.class ? err.class : FT_REFUSED, "%s", err.text);
    } else {
        mist_write_send(call);
    }
}

/* ---- the plugin */

static const char config_schema[] = JSON({
    "type": "object", "additionalProperties": false, "required": ["org_id", "token"],
    "properties": {
        "url": {"type": "string", "default": "https://api.mist.com", "pattern": "^https?://[^/?#]+(/[^?#]*)?$",
            "description": "API of your Mist cloud, such as https://api.eu.mist.com; without /api/v1"},
        "org_id": {"type": "string", "minLength": 1, "description": "id of the organisation, from the Mist portal"},
        "token": {"type": "string", "x-secret": true, "minLength": 1, "description": "API token"},
        "requests_per_hour": {"type": "integer", "minimum": 1, "default": 5000,
            "description": "share of the token's hourly budget that fettle may use, requests an hour"},
        "watch_usage": {"type": "boolean", "default": true,
            "description": "ask Mist at first, once an hour and after a 429 how much of the token's budget others have used, and keep to what is left"},
        "stream_url": {"type": "string", "pattern": "^wss?://[^/?#]+/",
            "description": "websocket that brings the output of device commands; when left out, /api-ws/v1/stream at the cloud's api-ws host (or at the host of url where that is no api. one)"},
        "ca_file": {"type": "string", "description": "PEM file of the certificate authority; the system's when left out"}
    }
});

static char *text_of(const json_t *config, const char *key, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(config, key));

    if (!text)
        text = otherwise;
    return text ? strdup(text) : NULL;
}

static void mist_close(void *instance)
{
    struct mist *mist = instance;

    json_decref(mist->sites);
    json_decref(mist->devices);
    json_decref(mist->site_names);
    json_decref(mist->sle_metrics);
    json_decref(mist->catalogues);
    json_decref(mist->blocklists);
    free(mist->root);
    free(mist->org);
    free(mist->auth);
    free(mist->ca_file);
    free(mist->budget);
    free(mist);
}

static int mist_open(const struct ft_host *ft, const json_t *config, void **ret_instance, struct ft_err *reterr)
{
    const char *token = json_string_value(json_object_get(config, "token"));
    const char *org = json_string_value(json_object_get(config, "org_id"));
    const json_t *per_hour = json_object_get(config, "requests_per_hour");
    struct mist *mist;

    host = ft;
    if (!token || !*token || strpbrk(token, "\r\n"))
        return ft_err_set(reterr, -EINVAL, "plugins.mist.token must be one API token, without a line break");
    if (!org || !*org)
        return ft_err_set(reterr, -EINVAL, "plugins.mist.org_id is missing: the id of the organisation, from the Mist portal");
    mist = calloc(1, sizeof(*mist));
    if (!mist)
        return ft_err_set(reterr, -ENOMEM, "out of memory");
    mist->root = text_of(config, "url", "https://api.mist.com");
    mist->org = text_of(config, "org_id", NULL);
    mist->ca_file = text_of(config, "ca_file", NULL);
    mist->per_hour = per_hour ? (unsigned)json_integer_value(per_hour) : 5000;
    mist->watch_usage = !json_is_false(json_object_get(config, "watch_usage"));
    if (asprintf(&mist->auth, "Token %s", token) < 0)
        mist->auth = NULL;
    if (asprintf(&mist->budget, "mist/%s", org) < 0)
        mist->budget = NULL;
    if (!mist->root || !mist->org || !mist->auth || !mist->budget) {
        mist_close(mist);
        return ft_err_set(reterr, -ENOMEM, "out of memory");
    }
    for (size_t len = strlen(mist->root); len && mist->root[len - 1] == '/'; len--)
        mist->root[len - 1] = '\0';
    mist->site_names = json_object();
    mist->sle_metrics = json_object();
    mist->catalogues = json_object();
    mist->blocklists = json_object();
    *ret_instance = mist;
    return 0;
}

static const struct ft_action *const actions[] = {
    &mist_client_status, &mist_client_disconnect, &mist_client_coa, &mist_client_events, &mist_client_sessions, &mist_client_list, &mist_client_count,
    &mist_client_search, &mist_client_event_search, &mist_client_event_count, &mist_client_roams, &mist_wired_clients, &mist_nac_clients,
    &mist_nac_events, &mist_client_disconnect_many, &mist_guest_unauthorize, &mist_client_blocklist, &mist_client_block, &mist_client_unblock,
    &mist_device_status, &mist_ap_restart, &mist_switch_restart, &mist_device_list, &mist_device_events, &mist_inventory, &mist_device_locate,
    &mist_device_unlocate, &mist_synthetic_test, &mist_synthetic_test_status, &mist_device_config, &mist_device_config_cmd,
    &mist_device_config_status, &mist_device_config_update, &mist_ap_radio, &mist_device_config_history, &mist_device_reprovision,
    &mist_switch_snapshot, &mist_stats_poll, &mist_device_support, &mist_port_clear_bpdu, &mist_port_clear_macs, &mist_ap_restart_many,
    &mist_firmware_versions, &mist_firmware_upgrade, &mist_firmware_upgrade_status, &mist_firmware_upgrades, &mist_firmware_upgrade_cancel, &mist_eol,
    &mist_inventory_assign, &mist_inventory_unassign, &mist_device_replace,
    &mist_switch_port, &mist_port_bounce, &mist_switch_port_config, &mist_port_poe_cycle,
    &mist_rrm_optimize, &mist_rrm_current, &mist_rrm_events, &mist_channel_scores, &mist_rogues, &mist_radio_reset, &mist_spectrum_start,
    &mist_spectrum, &mist_rf_neighbors, &mist_ap_channels, &mist_rogue_clients, &mist_rogue_events, &mist_rogue_info, &mist_rogue_approve,
    &mist_rogue_deauth,
    &mist_site_info, &mist_site_list, &mist_site_stats, &mist_sle_summary, &mist_sle_impact, &mist_sle_metrics, &mist_sle_classifiers,
    &mist_sle_classifier, &mist_sle_impacted, &mist_sle_histogram, &mist_sle_threshold, &mist_sle_sites, &mist_insight,
    &mist_alarms, &mist_alarm_ack, &mist_audit_log, &mist_usage, &mist_alarm_count, &mist_alarms_ack, &mist_alarm_suppress, &mist_alarm_unsuppress,
    &mist_alarm_suppressed, &mist_alarm_templates, &mist_marvis, &mist_catalogue_action, &mist_switch_ports, &mist_discovered_switches,
    &mist_system_events, &mist_synthetic_tests, &mist_webhooks, &mist_webhook_deliveries, &mist_webhook_ping, &mist_pcap_start, &mist_pcap_status,
    &mist_pcap_stop, &mist_pcaps, &mist_pcap_download,
    &mist_wlan_list, &mist_wlan, &mist_wlan_update, &mist_site_setting_update, &mist_wlan_enable, &mist_wlan_disable, &mist_wlan_psk,
    &mist_wlan_create, &mist_templates, &mist_template, &mist_template_update, &mist_config_export, &mist_config_restore,
    &mist_device_ping, &mist_device_traceroute, &mist_device_arp, &mist_switch_mac_table, &mist_switch_dot1x, &mist_device_dhcp_leases, &mist_cable_test,
    &mist_port_clear_dot1x, &mist_mac_table_clear,
    NULL,
};

FT_EXPORT const struct ft_plugin ft_plugin = {
    FT_PLUGIN_HEADER,
    .name = "mist", .version = "0.1.0",
    .summary = "Juniper Mist: wireless clients, access points, switches, RF, service levels, alarms",
    .capabilities = "http file websocket",
    .config_schema = config_schema,
    .open = mist_open, .close = mist_close,
    .actions = actions,
};
