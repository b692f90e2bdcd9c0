/* mist_inventory.c: life of devices: end of life, assigning to sites, putting a spare in a dead AP's place. */
#include <string.h>
#include <strings.h>
#include "mist.h"

/* ---- eol: GET /orgs/{org_id}/jsi/inventory/search. The names of the dates changed between releases. */

#define EOL_FIELDS(F) \
    F(STR, name, "device_name|name", "name of the device") \
    F(STR, serial, "serial", "serial number") \
    F(STR, model, "model", "model") \
    F(STR, sku, "sku", "order number") \
    F(STR, type, "type", "ap, switch or gateway") \
    F(STR, version, "version", "firmware") \
    F(STR, suggested_version, "suggested_version", "firmware that Juniper suggests") \
    F(TIME, eol_time, "eol_time|end_of_life_time", "end of life") \
    F(TIME, end_of_sale_time, "end_of_sale_time", "end of sale") \
    F(TIME, eos_time, "eos_time|end_of_support_time", "end of support") \
    F(TIME, version_eos_time, "version_eos_time", "end of support of the firmware") \
    F(BOOL, has_support, "has_support", "there is a support contract") \
    F(STR, warranty_type, "warranty_type|warranty", "warranty") \
    F(TIME, warranty_time, "warranty_time", "end of the warranty")
static const struct mist_field eol_fields[] = { EOL_FIELDS(MIST_ROW) { "status", "status", MIST_STR } };
static const char *const eol_filters[] = { "model", "serial", "sku", "has_support", "eol_duration", "eos_duration", "text", NULL };

static void count_eol(struct ft_call *call, const json_t *rows, json_t *out)
{
    double now = (double)host->wall_ms(call) / 1000;
    json_int_t over = 0, soon = 0, uncovered = 0;
    json_t *row;
    size_t i;

    json_array_foreach(rows, i, row) {
        double end = mist_num(row, "eos_time", mist_num(row, "eol_time", 0));

        over += end > 0 && end <= now;
        soon += end > now && end <= now + 365 * 86400;
        uncovered += json_is_false(json_object_get(row, "has_support"));
    }
    json_object_set_new(out, "over", json_integer(over));
    json_object_set_new(out, "within_a_year", json_integer(soon));
    json_object_set_new(out, "without_support", json_integer(uncovered));
    mist_count_rows(rows, "model", out, "by_model");
}

static const struct mist_table eol_table = {
    .name = "devices", .org = "/jsi/inventory/search", .filters = eol_filters, .fields = eol_fields, .count = ARRAY_LEN(eol_fields), .finish = count_eol,
};
MIST_TABLE(eol_start, eol_table)

const struct ft_action mist_eol = {
    MIST_READ(eol_start),
    .name = "eol", .summary = "which devices come to the end of their life or support, and which have no contract",
    .params_schema = MIST_PARAMS("", MIST_LIMIT("1000", "10000") ","
        JSON("model": {"type": "string", "minLength": 1, "description": "only this model"},
             "serial": {"type": "string", "minLength": 1, "description": "only this serial number"},
             "sku": {"type": "string", "minLength": 1, "description": "only this order number"},
             "has_support": {"type": "boolean", "description": "only those with, or without, a support contract"},
             "eol_duration": {"type": "string", "pattern": "^[1-9][0-9]*[dwmy]$", "description": "end of life within: 1y"},
             "eos_duration": {"type": "string", "pattern": "^[1-9][0-9]*[dwmy]$", "description": "end of support within: 1y"},
             "text": {"type": "string", "minLength": 1, "description": "part of the name, the model or the serial number"})),
    .result_schema = MIST_OBJ(MIST_LISTED("devices", EOL_FIELDS(MIST_PROPERTY) MIST_P_STR("status", "connected or disconnected"), "devices") ","
        MIST_P("over", "\"integer\"", "devices past their end of support (or life, where that is all that is known)") ","
        MIST_P("within_a_year", "\"integer\"", "devices that reach it within a year") ","
        MIST_P("without_support", "\"integer\"", "devices without a contract") "," MIST_COUNTS("by_model", "devices by model")),
    .about = "`GET /orgs/{org_id}/jsi/inventory/search`. The organisation must be linked with a Juniper account; the plain inventory knows no such dates.",
    .example = "- id: old\n  run: mist.eol\n  with: {eos_duration: 1y}\n",
};

/* ---- inventory_assign, inventory_unassign: PUT /orgs/{org_id}/inventory {op, macs, site_id} */

struct move {
    const char *op;
    json_t *macs;               /* held */
};

/* Mist answers 200 also where it did nothing for some: {success: [], error: [macs], reason: [texts]}. */
static void moved(struct ft_call *call, json_t *answer)
{
    struct mist_call *st = mist_state(call);
    const json_t *failed = mist_at(answer, "error"), *why = mist_at(answer, "reason");

    if (json_array_size(failed)) {
        const char *mac = json_string_value(json_array_get(failed, 0)), *reason = json_string_value(json_array_get(why, 0));

        mist_fail(call, FT_REFUSED, "Mist did it not for %zu of the devices (%.60s: %.200s), for the others it did", json_array_size(failed), mac ? mac : "?", reason ? reason : "?");
        return;
    }
    mist_done(call, json_pack("{s:b, s:s?, s:O}", "changed", true, "site_id", st->site_id, "macs", ((struct move *)st->own)->macs));
}

static void set_move(struct ft_call *call, const char *op, json_t *macs, const char *site)
{
    struct mist_write *w = &mist_state(call)->write;

    w->method = "PUT";
    w->path = host->printf(call, "/orgs/%s/inventory", mist_escape(call, mist_of(call)->org));
    w->body = mist_hold(call, json_pack("{s:s, s:O}", "op", op, "macs", macs));
    if (site)
        json_object_set_new(w->body, "site_id", json_string(site));
    w->sent = moved;
}

static json_t *item_of(const json_t *items, const char *mac)
{
    json_t *item;
    size_t i;

    json_array_foreach(items, i, item) {
        char plain[MIST_MAC_LEN + 1];

        if (mist_str(item, "mac") && mist_mac(mist_str(item, "mac"), plain) && strcmp(plain, mac) == 0)
            return item;
    }
    return NULL;
}

/* Those that are not where they shall be. Refuses to pull a device out of a site it serves: that is `unassign` first. */
static bool choose(struct ft_call *call, const json_t *items, const char *site, json_t *before)
{
    struct move *own = mist_state(call)->own;
    json_t *text;
    size_t i;

    json_array_foreach(json_object_get(host->params(call), "devices"), i, text) {
        char mac[MIST_MAC_LEN + 1];
        const char *is;
        const json_t *item;

        if (!mist_mac(json_string_value(text) ? json_string_value(text) : "", mac)) {
            mist_fail(call, FT_INVALID, "devices: '%.40s' is not a MAC address", json_string_value(text));
            return false;
        }
        item = item_of(items, mac);
        if (!item) {
            mist_fail(call, FT_NOT_FOUND, "the organisation's inventory has no device %s: claim it first", mac);
            return false;
        }
        is = mist_str(item, "site_id");
        if (site && is && strcasecmp(is, site) != 0) {
            mist_fail(call, FT_CONFLICT, "device %s belongs to site %s: unassign it there first, with what hangs on it in mind", mac, is);
            return false;
        }
        json_object_set_new(before, mac, is ? json_string(is) : json_null());
        if (site ? !is : is != NULL)
            json_array_append_new(own->macs, json_string(mac));
    }
    return true;
}

static void move_ready(struct ft_call *call, json_t *items)
{
    struct mist_call *st = mist_state(call);
    struct mist_write *w = &st->write;
    struct move *own = st->own;
    bool assign = strcmp(own->op, "assign") == 0;

    own->macs = mist_hold(call, json_array());
    w->before = mist_hold(call, json_object());
    if (!choose(call, items, assign ? st->site_id : NULL, w->before))
        return;
    set_move(call, own->op, own->macs, assign ? st->site_id : NULL);
    w->nothing_to_do = json_array_size(own->macs) == 0;
    w->summary = w->nothing_to_do ? "the devices are where they shall be" : assign ?
        host->printf(call, "assign %zu devices to site %s", json_array_size(own->macs), mist_site_label(st)) :
        host->printf(call, "take %zu devices out of their sites", json_array_size(own->macs));
    w->receipt = mist_hold(call, json_pack("{s:O, s:O}", "before", w->before, "macs", own->macs));
    w->result = mist_hold(call, json_pack("{s:s?, s:O}", "site_id", st->site_id, "macs", own->macs));
    mist_write_ready(call);
}

static void move_look(struct ft_call *call)
{
    mist_list(call, 50000, move_ready, "/orgs/%s/inventory", mist_escape(call, mist_of(call)->org));
}

static void begin_move(struct ft_call *call, const char *op)
{
    struct move *own = host->alloc(call, sizeof(*own));

    *own = (struct move){ .op = op };
    mist_state(call)->own = own;
    mist_find_site(call, move_look);
}

static void assign_begin(struct ft_call *call)
{
    begin_move(call, "assign");
}

static void unassign_begin(struct ft_call *call)
{
    begin_move(call, "unassign");
}

static void assign_undo_begin(struct ft_call *call)
{
    const json_t *receipt = mist_receipt(call);
    struct move *own = host->alloc(call, sizeof(*own));

    if (!receipt)
        return;
    *own = (struct move){ .op = "unassign", .macs = json_object_get(receipt, "macs") };
    mist_state(call)->own = own;
    if (!json_is_array(own->macs)) {
        mist_fail(call, FT_INVALID, "the receipt names no devices");
    } else if (!json_array_size(own->macs)) {
        mist_done(call, json_pack("{s:b}", "changed", false));
    } else {
        set_move(call, "unassign", own->macs, NULL);
        mist_write_ready(call);
    }
}

/* All went out of one site in the usual case; the receipt has the site of each. */
static void unassign_undo_begin(struct ft_call *call)
{
    const json_t *receipt = mist_receipt(call), *before = json_object_get(receipt, "before");
    struct move *own = host->alloc(call, sizeof(*own));
    const char *site = NULL;
    json_t *mac;
    size_t i;

    if (!receipt)
        return;
    *own = (struct move){ .op = "assign", .macs = json_object_get(receipt, "macs") };
    mist_state(call)->own = own;
    if (!json_is_array(own->macs)) {
        mist_fail(call, FT_INVALID, "the receipt names no devices");
        return;
    }
    json_array_foreach(own->macs, i, mac) {
        const char *was = json_string_value(json_object_get(before, json_string_value(mac) ? json_string_value(mac) : ""));

        if (!was || (site && strcasecmp(site, was) != 0)) {
            mist_fail(call, FT_CONFLICT, "the devices came from several sites: put them back with mist.inventory_assign, site by site");
            return;
        }
        site = was;
    }
    if (!site) {
        mist_done(call, json_pack("{s:b}", "changed", false));
    } else {
        mist_state(call)->site_id = site;
        set_move(call, "assign", own->macs, site);
        mist_write_ready(call);
    }
}
MIST_BEGIN(MIST_RUN, assign_begin, assign_run)
MIST_BEGIN(MIST_PLAN, assign_begin, assign_plan)
MIST_BEGIN(MIST_UNDO, assign_undo_begin, assign_undo)
MIST_BEGIN(MIST_RUN, unassign_begin, unassign_run)
MIST_BEGIN(MIST_PLAN, unassign_begin, unassign_plan)
MIST_BEGIN(MIST_UNDO, unassign_undo_begin, unassign_undo)

#define MACS JSON("devices": {"type": "array", "minItems": 1, "maxItems": 1000, "uniqueItems": true, "items": {"type": "string", "minLength": 12}, \
    "description": "MAC addresses"})
#define MOVED MIST_OBJ(MIST_CHANGED "," MIST_P_STR("site_id", "site") "," MIST_P_LIST("macs", "{\"type\":\"string\"}", "MAC addresses of those moved"))

const struct ft_action mist_inventory_assign = {
    MIST_WRITE(assign_run, assign_plan), .undo = { assign_undo, mist_drop },
    .name = "inventory_assign", .summary = "assign devices of the inventory to a site",
    .effects = FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT, .timeout_ms = 60000,
    .params_schema = MIST_PARAMS("\"site\",\"devices\"", MIST_SITE "," MACS),
    .result_schema = MOVED,
    .about = "`PUT /orgs/{org_id}/inventory` with `op: assign`. Devices of other sites are refused. Undo takes them out of the site again.",
    .example = "- id: give\n  run: mist.inventory_assign\n  with: {site: HQ, devices: [5c:5b:35:00:00:01]}\n  undo: auto\n",
};

const struct ft_action mist_inventory_unassign = {
    MIST_WRITE(unassign_run, unassign_plan), .undo = { unassign_undo, mist_drop },
    .name = "inventory_unassign", .summary = "take devices out of their site; they lose its configuration",
    .effects = FT_EFFECT_DISRUPTIVE | FT_EFFECT_IDEMPOTENT, .timeout_ms = 60000,
    .params_schema = MIST_PARAMS("\"devices\"", MACS),
    .result_schema = MOVED,
    .about = "`PUT /orgs/{org_id}/inventory` with `op: unassign`. Their clients lose the network. Undo assigns them to their site again; what was set for a device alone may\n"
             "be gone: keep it first with `mist.config_export`.",
    .example = "- id: take\n  run: mist.inventory_unassign\n  with: {devices: [5c:5b:35:00:00:01]}\n  undo: auto\n",
};

/* ---- device_replace: POST /orgs/{org_id}/inventory/replace: a spare takes over a dead AP's place, name and configuration */

static void replace_ready(struct ft_call *call, json_t *items)
{
    struct mist_call *st = mist_state(call);
    struct mist_write *w = &st->write;
    const char *spare = st->own;
    const json_t *item = item_of(items, spare);

    if (!item) {
        mist_fail(call, FT_NOT_FOUND, "spare: the organisation's inventory has no device %s: claim it first", spare);
        return;
    }
    if (mist_str(item, "site_id")) {
        mist_fail(call, FT_CONFLICT, "spare: device %s is assigned to site %s; a spare must be assigned to none", spare, mist_str(item, "site_id"));
        return;
    }
    if (!st->device.mac) {
        mist_fail(call, FT_INVALID, "device: its MAC address is not known");
        return;
    }
    w->before = mist_hold(call, json_pack("{s:s?, s:s}", "name", st->device.name, "mac", st->device.mac));
    w->summary = host->printf(call, "put %s in the place of %s", spare, mist_device_name(st));
    w->method = "POST";
    w->path = host->printf(call, "/orgs/%s/inventory/replace", mist_escape(call, mist_of(call)->org));
    w->body = mist_hold(call, json_pack("{s:s, s:s, s:s}", "site_id", st->site_id, "mac", st->device.mac, "inventory_mac", spare));
    w->receipt = mist_hold(call, json_pack("{s:s, s:s, s:s}", "site_id", st->site_id, "mac", st->device.mac, "inventory_mac", spare));
    w->result = mist_hold(call, json_pack("{s:s, s:s, s:s}", "site_id", st->site_id, "mac", spare, "former_mac", st->device.mac));
    mist_write_ready(call);
}

static void replace_look(struct ft_call *call)
{
    mist_list(call, 50000, replace_ready, "/orgs/%s/inventory", mist_escape(call, mist_of(call)->org));
}

static void replace_begin(struct ft_call *call)
{
    char mac[MIST_MAC_LEN + 1];

    if (!mist_mac(mist_text(call, "spare"), mac)) {
        mist_fail(call, FT_INVALID, "spare: '%.40s' is not a MAC address", mist_text(call, "spare"));
        return;
    }
    mist_state(call)->own = host->printf(call, "%s", mac);
    mist_find_device(call, "ap", replace_look);
}

static void replace_undo_begin(struct ft_call *call)
{
    const json_t *receipt = mist_receipt(call);
    struct mist_write *w = &mist_state(call)->write;
    const char *mac = mist_str(receipt, "mac"), *spare = mist_str(receipt, "inventory_mac"), *site = mist_str(receipt, "site_id");

    if (!receipt)
        return;
    if (!mac || !spare || !site) {
        mist_fail(call, FT_INVALID, "the receipt does not say which was replaced by which");
        return;
    }
    w->method = "POST";
    w->path = host->printf(call, "/orgs/%s/inventory/replace", mist_escape(call, mist_of(call)->org));
    w->body = mist_hold(call, json_pack("{s:s, s:s, s:s}", "site_id", site, "mac", spare, "inventory_mac", mac));
    mist_write_ready(call);
}
/* The spare serves the site: it happened. Then the dead one is assigned to none, so a second try would be refused anyway. */
static void replace_probed(struct ft_call *call, json_t *items)
{
    const json_t *receipt = mist_receipt(call);
    const char *spare = mist_str(receipt, "inventory_mac"), *site = mist_str(receipt, "site_id"), *is;

    if (!spare || !site)
        return;
    is = mist_str(item_of(items, spare), "site_id");
    mist_done(call, json_pack("{s:b, s:{s:s?}, s:{s:b, s:s, s:s, s:O?}}", "happened", is && strcasecmp(is, site) == 0, "seen", "site_of_spare", is, "result",
                              "changed", true, "site_id", site, "mac", spare, "former_mac", json_object_get(receipt, "mac")));
}

static void replace_probe_begin(struct ft_call *call)
{
    const json_t *receipt = mist_receipt(call);

    if (receipt && !(mist_str(receipt, "inventory_mac") && mist_str(receipt, "site_id")))
        mist_fail(call, FT_INVALID, "the receipt does not say which was replaced by which");
    else if (receipt)
        mist_list(call, 50000, replace_probed, "/orgs/%s/inventory", mist_escape(call, mist_of(call)->org));
}
MIST_BEGIN(MIST_PROBE, replace_probe_begin, replace_probe)
MIST_BEGIN(MIST_RUN, replace_begin, replace_run)
MIST_BEGIN(MIST_PLAN, replace_begin, replace_plan)
MIST_BEGIN(MIST_UNDO, replace_undo_begin, replace_undo)

const struct ft_action mist_device_replace = {
    MIST_WRITE(replace_run, replace_plan), .undo = { replace_undo, mist_drop }, .probe = { replace_probe, mist_drop },
    .name = "device_replace", .summary = "put a spare AP in the place of a dead one, with its name and configuration",
    .effects = FT_EFFECT_DISRUPTIVE, .timeout_ms = 60000,
    .params_schema = MIST_PARAMS("\"device\",\"spare\"", MIST_SITE "," MIST_DEVICE "," JSON("spare": {"type": "string", "minLength": 12, "description": "MAC address of a claimed AP that is assigned to no site"})),
    .result_schema = MIST_OBJ(MIST_CHANGED "," MIST_P_STR("site_id", "site") "," MIST_P_MAC("mac", "the new AP") "," MIST_P_MAC("former_mac", "the dead AP")),
    .about = "`POST /orgs/{org_id}/inventory/replace`. Undo swaps them back.",
    .example = "- id: swap\n  run: mist.device_replace\n  with: {device: ap-3f-12, site: HQ, spare: 5c:5b:35:00:00:99}\n  undo: auto\n",
};
