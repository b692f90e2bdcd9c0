/* mist_rf.c: radio resource management of a site. */
#include <string.h>
#include <strings.h>
#include "mist.h"

static const char *band_key(struct ft_call *call, const char *band)
{
    return host->printf(call, "band_%s", band);
}

/* ---- rrm_optimize: POST /sites/{site_id}/rrm/optimize */

struct optimize {
    json_t *current;        /* GET /sites/{site_id}/rrm/current, or NULL */
};

static bool names_device(const json_t *devices, const char *mac)
{
    char plain[MIST_MAC_LEN + 1];
    json_t *item;
    size_t i;

    if (!json_array_size(devices))
        return true;
    json_array_foreach(devices, i, item)
        if (mac && mist_mac(json_string_value(item), plain) && strcmp(plain, mac) == 0)
            return true;
    return false;
}

/* Clients on the radios that may change channel. */
static json_int_t clients_on(struct ft_call *call, const json_t *aps)
{
    const json_t *wanted = json_object_get(host->params(call), "bands"), *devices = json_object_get(host->params(call), "devices");
    json_int_t clients = 0;
    json_t *ap, *band;
    size_t i, j;

    json_array_foreach(aps, i, ap)
        if (names_device(devices, mist_str(ap, "mac")))
            json_array_foreach(wanted, j, band)
                clients += (json_int_t)mist_num(ap, host->printf(call, "radio_stat.band_%s.num_clients", json_string_value(band)), 0);
    return clients;
}

/* What RRM would do by its own proposal, as far as it has one. */
static void add_proposals(struct ft_call *call, json_t *changes, json_t *before, const json_t *current, const char *band)
{
    static const char *const what[] = { "channel", "power", "bandwidth" };
    const char *key = band_key(call, band), *id;
    json_t *radio;

    json_object_foreach((json_t *)mist_at(current, key), id, radio) {
        for (size_t i = 0; i < ARRAY_LEN(what); i++) {
            json_t *from = json_object_get(radio, host->printf(call, "curr_%s", what[i])), *to = json_object_get(radio, what[i]);
            const char *path = host->printf(call, "%s.%s.%s", key, id, what[i]);

            if (!json_is_number(from))
                continue;
            json_object_set(before, path, from);
            if (json_is_number(to) && !json_equal(from, to))
                json_array_append_new(changes, json_pack("{s:s, s:O, s:O}", "path", path, "from", from, "to", to));
        }
    }
}

static json_t *optimize_body(struct ft_call *call)
{
    const json_t *params = host->params(call), *devices = json_object_get(params, "devices");
    json_t *body = json_pack("{s:O}", "bands", json_object_get(params, "bands")), *macs = json_array(), *item;
    size_t i;

    json_array_foreach(devices, i, item) {
        char plain[MIST_MAC_LEN + 1];

        if (mist_mac(json_string_value(item), plain))
            json_array_append_new(macs, json_string(plain));
    }
    if (json_array_size(macs))
        json_object_set(body, "macs", macs);
    json_decref(macs);
    json_object_set_new(body, "txpower_only", json_boolean(json_is_true(json_object_get(params, "txpower_only"))));
    return body;
}

static void optimize_ready(struct ft_call *call, json_t *aps)
{
    struct mist_call *st = mist_state(call);
    struct mist_write *w = &st->write;
    const struct optimize *own = st->own;
    bool power_only = json_is_true(json_object_get(host->params(call), "txpower_only"));
    json_t *band;
    size_t i;

    w->before = mist_hold(call, json_object());
    w->changes = mist_hold(call, json_array());
    json_array_foreach(json_object_get(host->params(call), "bands"), i, band)
        add_proposals(call, w->changes, w->before, own->current, json_string_value(band));
    w->users = power_only ? 0 : clients_on(call, aps);
    w->summary = host->printf(call, "let RRM choose %s anew at site %s", power_only ? "transmit powers" : "channels and transmit powers",
                              st->site_name ? st->site_name : st->site_id);
    w->method = "POST";
    w->path = host->printf(call, "/sites/%s/rrm/optimize", mist_escape(call, st->site_id));
    w->body = mist_hold(call, optimize_body(call));
    w->receipt = mist_hold(call, json_pack("{s:s, s:f}", "site_id", st->site_id, "timestamp", mist_num(own->current, "timestamp", 0)));
    w->result = mist_hold(call, json_pack("{s:s}", "site_id", st->site_id));
    mist_write_ready(call);
}

static void optimize_current(struct ft_call *call, json_t *current)
{
    struct mist_call *st = mist_state(call);

    ((struct optimize *)st->own)->current = current;
    mist_list(call, 5000, optimize_ready, "/sites/%s/stats/devices?type=ap", mist_escape(call, st->site_id));
}

static void optimize_look(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);

    mist_get_if_there(call, optimize_current, "/sites/%s/rrm/current", mist_escape(call, st->site_id));
}

static bool devices_are_macs(struct ft_call *call)
{
    char plain[MIST_MAC_LEN + 1];
    json_t *item;
    size_t i;

    json_array_foreach(json_object_get(host->params(call), "devices"), i, item) {
        if (!mist_mac(json_string_value(item), plain)) {
            mist_fail(call, FT_INVALID, "devices: '%.40s' is not a MAC address", json_string_value(item));
            return false;
        }
    }
    return true;
}

static void optimize_begin(struct ft_call *call)
{
    mist_state(call)->own = host->alloc(call, sizeof(struct optimize));
    if (devices_are_macs(call))
        mist_find_site(call, optimize_look);
}

/* RRM is at work, or has worked since: its own time stamp tells. */
static void optimize_probed(struct ft_call *call, json_t *current)
{
    const json_t *receipt = mist_receipt(call);
    double was = mist_num(receipt, "timestamp", 0), is = mist_num(current, "timestamp", 0);
    const char *status = mist_str(current, "status");
    bool busy = status && strcmp(status, "updating") == 0;

    if (!receipt)
        return;
    if (busy || (was && is > was))
        mist_done(call, json_pack("{s:b, s:{s:s?, s:f}}", "happened", true, "seen", "status", status, "timestamp", is));
    else
        mist_fail(call, FT_INVALID, "RRM shows no run since the request; one that found nothing to change would look the same");
}

static void optimize_probe_begin(struct ft_call *call)
{
    const char *site = mist_str(mist_receipt(call), "site_id");

    if (site)
        mist_get(call, optimize_probed, "/sites/%s/rrm/current", mist_escape(call, site));
    else if (host->receipt(call))
        mist_fail(call, FT_INVALID, "the receipt names no site");
}

MIST_BEGIN(MIST_RUN, optimize_begin, optimize_run)
MIST_BEGIN(MIST_PLAN, optimize_begin, optimize_plan)
MIST_BEGIN(MIST_PROBE, optimize_probe_begin, optimize_probe)

const struct ft_action mist_rrm_optimize = {
    MIST_WRITE(optimize_run, optimize_plan), .probe = { optimize_probe, mist_drop },
    .name = "rrm_optimize", .summary = "let RRM choose channels and transmit powers of a site anew",
    .effects = FT_EFFECT_DISRUPTIVE,
    .params_schema = MIST_PARAMS("\"site\",\"bands\"", MIST_SITE ","
        JSON("bands": {"type": "array", "minItems": 1, "uniqueItems": true, "items": {"type": "string", "enum": ["24", "5", "6"]},
                       "description": "radio bands to work on: 24 is 2.4 GHz, 5 is 5 GHz, 6 is 6 GHz"},
             "devices": {"type": "array", "items": {"type": "string"},
                         "description": "MAC addresses of the APs to work on; all of the site when left out. Neighbours of theirs may change too"},
             "txpower_only": {"type": "boolean", "default": false, "description": "only transmit powers: nobody is disconnected"})),
    .result_schema = MIST_OBJ(MIST_CHANGED "," MIST_P_STR("site_id", "site that RRM works on")),
    .about = "`POST /sites/{site_id}/rrm/optimize`. A radio that changes its channel drops its clients for some seconds; with `txpower_only` none is\n"
             "dropped. The plan shows RRM's own proposals and counts the clients on the bands. There is nothing to take back: RRM calculates anew.",
    .example = "- id: rrm\n  run: mist.rrm_optimize\n  with: {site: \"${association.site_id}\", bands: [\"5\"], txpower_only: true}\n  undo: none\n",
};
