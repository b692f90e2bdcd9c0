/* mist_radio_reset.c: giving all radios of a site back to RRM. It wipes what people pinned, so that is kept in the receipt first, and undo puts it back. */
#include <string.h>
#include "mist.h"

struct reset {
    const json_t *todo;         /* of an undo: [{device_id, radio_config}] */
    size_t at;
};

/* Radio settings that differ from "RRM decides". */
static bool is_manual(const json_t *radio)
{
    static const char *const keys[] = { "channel", "power", "bandwidth" };

    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (json_is_integer(json_object_get(radio, keys[i])) && json_integer_value(json_object_get(radio, keys[i])) != 0)
            return true;
    return json_is_true(json_object_get(radio, "disabled"));
}

static json_t *manual_settings(struct ft_call *call, const json_t *devices)
{
    const json_t *bands = json_object_get(host->params(call), "bands");
    json_t *out = json_array(), *device, *band;
    size_t i, j;

    json_array_foreach(devices, i, device) {
        json_t *config = json_object_get(device, "radio_config");
        bool manual = false;

        json_array_foreach(bands, j, band)
            manual = manual || is_manual(json_object_get(config, host->printf(call, "band_%s", json_string_value(band) ? json_string_value(band) : "")));
        if (manual && mist_str(device, "id"))
            json_array_append_new(out, json_pack("{s:O, s:O?, s:O}", "device_id", json_object_get(device, "id"), "name", json_object_get(device, "name"), "radio_config", config));
    }
    return out;
}

static void reset_ready(struct ft_call *call, json_t *devices)
{
    struct mist_call *st = mist_state(call);
    struct mist_write *w = &st->write;
    const json_t *params = host->params(call);
    json_t *manual = mist_hold(call, manual_settings(call, devices));

    if (!st->list.complete) {
        mist_fail(call, FT_REFUSED, "Mist did not give all devices of the site, so what was set by hand could not be put back");
        return;
    }
    w->before = manual;
    w->summary = host->printf(call, "give the radios of all %zu APs of site %s back to RRM (%zu are set by hand)", json_array_size(devices), mist_site_label(st),
                              json_array_size(manual));
    w->method = "POST";
    w->path = host->printf(call, "/sites/%s/devices/reset_radio_config", mist_escape(call, st->site_id));
    w->body = mist_hold(call, json_pack("{s:O, s:b}", "bands", json_object_get(params, "bands"), "force", json_is_true(json_object_get(params, "force"))));
    w->receipt = mist_hold(call, json_pack("{s:s, s:O}", "site_id", st->site_id, "manual", manual));
    w->result = mist_hold(call, json_pack("{s:s, s:i}", "site_id", st->site_id, "manual", (int)json_array_size(manual)));
    mist_write_ready(call);
}

static void reset_look(struct ft_call *call)
{
    mist_list(call, 10000, reset_ready, "/sites/%s/devices?type=ap", mist_escape(call, mist_state(call)->site_id));
}

static void reset_begin(struct ft_call *call)
{
    mist_find_site(call, reset_look);
}

/* ---- undo: one PUT for each AP that was set by hand */

static void put_next(struct ft_call *call);

static void put_sent(struct ft_call *call, json_t *answer)
{
    (void)answer;
    ((struct reset *)mist_state(call)->own)->at++;
    put_next(call);
}

static void put_next(struct ft_call *call)
{
    struct reset *own = mist_state(call)->own;
    const json_t *item = json_array_get(own->todo, own->at);
    const char *id = mist_str(item, "device_id");
    json_t *config = json_object_get(item, "radio_config");

    if (own->at >= json_array_size(own->todo)) {
        mist_done(call, json_pack("{s:b}", "changed", own->at > 0));
    } else if (!id || !json_is_object(config)) {
        own->at++;
        put_next(call);
    } else {
        host->progress(call, "%zu of %zu APs", own->at + 1, json_array_size(own->todo));
        mist_send(call, "PUT", mist_url(call, "/sites/%s/devices/%s", mist_escape(call, mist_state(call)->site_id), mist_escape(call, id)),
                  mist_hold(call, json_pack("{s:O}", "radio_config", config)), put_sent);
    }
}

static void undo_begin(struct ft_call *call)
{
    const json_t *receipt = mist_receipt(call);
    struct reset *own = host->alloc(call, sizeof(*own));

    if (!receipt)
        return;
    *own = (struct reset){ .todo = json_object_get(receipt, "manual") };
    mist_state(call)->own = own;
    mist_state(call)->site_id = mist_str(receipt, "site_id");
    if (!mist_state(call)->site_id || !json_is_array(own->todo))
        mist_fail(call, FT_INVALID, "the receipt does not say what was there before");
    else
        put_next(call);
}
MIST_BEGIN(MIST_RUN, reset_begin, reset_run)
MIST_BEGIN(MIST_PLAN, reset_begin, reset_plan)
MIST_BEGIN(MIST_UNDO, undo_begin, reset_undo)

const struct ft_action mist_radio_reset = {
    MIST_WRITE(reset_run, reset_plan), .undo = { reset_undo, mist_drop },
    .name = "radio_reset", .summary = "give all radios of a site back to RRM: what people set by hand goes",
    .effects = FT_EFFECT_DISRUPTIVE | FT_EFFECT_IDEMPOTENT, .timeout_ms = 120000,
    .params_schema = MIST_PARAMS("\"site\",\"bands\"", MIST_SITE ","
        JSON("bands": {"type": "array", "minItems": 1, "uniqueItems": true, "items": {"type": "string", "enum": ["24", "5", "6"]}, "description": "radio bands: 24 is 2.4 GHz"},
             "force": {"type": "boolean", "default": false, "description": "also switch on radios that were switched off by hand"})),
    .result_schema = MIST_OBJ(MIST_CHANGED "," MIST_P_STR("site_id", "site") "," MIST_P("manual", "\"integer\"", "APs that had settings by hand")),
    .about = "`POST /sites/{site_id}/devices/reset_radio_config`: the whole site, always. The plan shows what is set by hand; undo puts that back, AP by AP. Radios that\n"
             "change channel drop their clients for some seconds.",
    .example = "- id: reset\n  run: mist.radio_reset\n  with: {site: HQ, bands: [\"5\"]}\n  undo: auto\n",
};
