/* mist_port_config.c: overrides of single switch ports (`local_port_config` of the switch): changing one, and cutting a port's power for a moment.
 *
 * PUT …/local_port_config replaces the overrides of all ports, so every write carries those of the other ports as they are at that moment, and
 * what is put back is this port's alone. DELETE removes all overrides: it is sent where none is left. */
#include <stdlib.h>
#include <string.h>
#include "mist.h"

#define LOOK_AGAIN_MS 5000u
#define STATS_ARE_NEW_S 90          /* a switch reports its ports about once a minute */

struct override {
    json_t *map;                /* of all ports, as it is; {} for none */
    json_t *before, *after;     /* of this port; before NULL: none */
    json_t *was;                /* what to put back; NULL: none */
    mist_next *ready;
    uint64_t gave_up_at;
    bool cut;                   /* the port was seen without power */
};

/* ---- which usage a port has: an override must name one */

/* "ge-0/0/0-11" covers ge-0/0/5; lists are joined by commas. */
static bool range_covers(const char *range, size_t len, const char *port)
{
    const char *slash = strrchr(port, '/');
    size_t stem = slash ? (size_t)(slash - port) + 1 : 0;
    unsigned long first, last, number;
    char text[64], *end;

    if (len >= sizeof(text))
        return false;
    memcpy(text, range, len);
    text[len] = '\0';
    if (strcmp(text, port) == 0)
        return true;
    if (!stem || strncmp(text, port, stem) != 0)
        return false;
    number = strtoul(port + stem, NULL, 10);
    first = strtoul(text + stem, &end, 10);
    if (*end != '-' || end == text + stem)
        return false;
    last = strtoul(end + 1, NULL, 10);
    return number >= first && number <= last;
}

static bool key_covers(const char *key, const char *port)
{
    while (*key) {
        size_t len;

        key += strspn(key, ", ");
        len = strcspn(key, ",");
        if (len && range_covers(key, len, port))
            return true;
        key += len;
    }
    return false;
}

static const json_t *entry_of(const json_t *map, const char *port)
{
    const json_t *exact = json_object_get(map, port);
    json_t *entry;
    const char *key;

    if (exact)
        return exact;
    json_object_foreach((json_t *)map, key, entry)
        if (key_covers(key, port))
            return entry;
    return NULL;
}

/* ---- finding the state that a write rests on */

static const char *switch_name(const struct mist_call *st)
{
    return st->device.name ? st->device.name : st->device.mac ? st->device.mac : st->device.id;
}

static const char *overrides_path(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);

    return host->printf(call, "/sites/%s/devices/%s/local_port_config", mist_escape(call, st->site_id), mist_escape(call, st->device.id));
}

static void take_map(struct ft_call *call, const json_t *device)
{
    struct override *o = mist_state(call)->own;
    const json_t *left = mist_left(call, overrides_path(call));
    json_t *map = left ? (json_t *)left : json_object_get(device, "local_port_config");

    o->map = mist_hold(call, json_is_object(map) ? json_incref(map) : json_object());
    o->before = json_object_get(o->map, mist_text(call, "port"));
}

static void ask_config(struct ft_call *call, mist_then *then)
{
    struct mist_call *st = mist_state(call);

    mist_get(call, then, "/sites/%s/devices/%s", mist_escape(call, st->site_id), mist_escape(call, st->device.id));
}

/* The override to build on: this port's, one of a range that covers it, or a bare one with the usage that the port has anyway. NULL: unknown usage. */
static json_t *basis(const json_t *device, const json_t *map, const json_t *stats, const char *port)
{
    const json_t *there = entry_of(map, port);
    const char *usage = mist_str(entry_of(json_object_get(device, "port_config"), port), "usage");

    if (there)
        return json_copy((json_t *)there);
    if (!usage)
        usage = mist_str(stats, "port_usage");
    return usage ? json_pack("{s:s}", "usage", usage) : NULL;
}

static void config_here(struct ft_call *call, json_t *device)
{
    struct mist_call *st = mist_state(call);
    struct override *o = st->own;
    const char *port = mist_text(call, "port");
    const json_t *given = json_object_get(host->params(call), "usage");

    take_map(call, device);
    o->after = mist_hold(call, basis(device, o->map, st->port_stats, port));
    st->write.leaves = mist_hold(call, json_object());
    if (!o->after && given)
        o->after = mist_hold(call, json_object());
    if (!o->after)
        mist_fail(call, FT_INVALID, "usage: Mist does not tell which port usage %s of %s has, and an override must name one: give it", port, switch_name(st));
    else
        o->ready(call);
}

static void stats_here(struct ft_call *call, json_t *item)
{
    mist_state(call)->port_stats = item;
    ask_config(call, config_here);
}

static void look(struct ft_call *call)
{
    mist_find_port(call, stats_here);
}

static void begin(struct ft_call *call, mist_next *ready)
{
    struct override *o = host->alloc(call, sizeof(*o));

    *o = (struct override){ .ready = ready };
    mist_state(call)->own = o;
    mist_find_device(call, "switch", look);
}

/* Fills the write with the request that sets this port's override to `entry` (NULL: to none) and keeps those of all other ports. */
static void set_request(struct ft_call *call, const json_t *map, json_t *entry)
{
    struct mist_write *w = &mist_state(call)->write;
    json_t *wanted = mist_hold(call, json_copy((json_t *)map));

    if (entry)
        json_object_set(wanted, mist_text(call, "port"), entry);
    else
        json_object_del(wanted, mist_text(call, "port"));
    w->method = json_object_size(wanted) ? "PUT" : "DELETE";
    w->path = overrides_path(call);
    w->body = json_object_size(wanted) ? wanted : NULL;
}

static void set_write(struct ft_call *call, const char *summary)
{
    struct mist_call *st = mist_state(call);
    struct mist_write *w = &st->write;
    struct override *o = st->own;
    const char *port = mist_text(call, "port");
    const json_t *count = mist_at(st->port_stats, "mac_count");

    set_request(call, o->map, o->after);
    w->summary = summary;
    w->before = mist_hold(call, json_pack("{s:O?, s:O?, s:O?}", "override", o->before, "neighbor", mist_at(st->port_stats, "neighbor_system_name"),
                                          "poe_on", mist_at(st->port_stats, "poe_on")));
    w->watch = mist_hold(call, json_pack("{s:O?}", "override", o->before));
    w->changes = mist_hold(call, json_pack("[{s:s, s:O?, s:O}]", "path", host->printf(call, "local_port_config.%s", port), "from", o->before, "to", o->after));
    w->users = json_is_integer(count) ? json_integer_value(count) : -1;
    w->receipt = mist_hold(call, json_pack("{s:s, s:s, s:s, s:f, s:f, s:O?, s:O}", "site_id", st->site_id, "device_id", st->device.id,
                                           "mac", st->device.mac, "at", (double)host->wall_ms(call) / 1000,
                                           "last_flapped", mist_num(st->port_stats, "last_flapped", 0), "before", o->before, "after", o->after));
    w->result = mist_hold(call, json_pack("{s:s, s:s, s:s}", "site_id", st->site_id, "device_id", st->device.id, "port", port));
}

/* null and absent are the same: no override. */
static bool is_before(const json_t *is, const json_t *before)
{
    return !before || json_is_null(before) ? !is || json_is_null(is) : json_equal(is, before);
}

/* The plan's state is still there, or the change itself is. */
static bool as_planned(struct ft_call *call)
{
    struct override *o = mist_state(call)->own;
    const json_t *receipt = host->receipt(call);

    if (!receipt || is_before(o->before, json_object_get(receipt, "before")) || mist_covers(o->before, json_object_get(receipt, "after")))
        return true;
    mist_fail(call, FT_CONFLICT, "somebody changed the override of port %s of %s since the plan: plan again", mist_text(call, "port"), switch_name(mist_state(call)));
    return false;
}

/* ---- switch_port_config */

static const char *const settable[] = { "usage", "port_network", "mode", "disabled", "poe_disabled", "speed", "duplex", "port_auth", "description", "note" };

static void config_ready(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    struct override *o = st->own;
    const json_t *params = host->params(call);
    size_t given = 0;

    for (size_t i = 0; i < ARRAY_LEN(settable); i++) {
        json_t *value = json_object_get(params, settable[i]);

        given += value != NULL;
        if (value)
            json_object_set(o->after, settable[i], value);
    }
    if (!given) {
        mist_fail(call, FT_INVALID, "nothing to change: give usage, port_network, mode, disabled, poe_disabled, speed, duplex, port_auth, description or note");
        return;
    }
    if (!as_planned(call))
        return;
    st->write.nothing_to_do = mist_covers(o->before, o->after);
    json_object_set_new(st->write.leaves, overrides_path(call), json_copy(o->map));
    json_object_set(json_object_get(st->write.leaves, overrides_path(call)), mist_text(call, "port"), o->after);
    set_write(call, host->printf(call, st->write.nothing_to_do ? "port %s of %s is as wanted" : "change port %s of %s", mist_text(call, "port"), switch_name(st)));
    mist_write_ready(call);
}

static void config_begin(struct ft_call *call)
{
    begin(call, config_ready);
}

/* ---- undo, of both actions: this port's former override, beside what the other ports have by now */

static void undo_here(struct ft_call *call, json_t *device)
{
    struct mist_call *st = mist_state(call);
    struct override *o = st->own;
    const json_t *receipt = mist_receipt(call), *after = json_object_get(receipt, "after");
    json_t *before = json_object_get(receipt, "before");

    if (!receipt)
        return;
    take_map(call, device);
    if (is_before(o->before, before)) {
        mist_done(call, json_pack("{s:b}", "changed", false));
    } else if (!mist_covers(o->before, after)) {
        mist_fail(call, FT_CONFLICT, "somebody changed the override of port %s of %s after this step: put back by hand what is right",
                  mist_text(call, "port"), switch_name(st));
    } else {
        set_request(call, o->map, json_is_null(before) ? NULL : before);
        mist_write_ready(call);
    }
}

static bool take_receipt(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    const json_t *receipt = mist_receipt(call);

    if (!receipt)
        return false;
    st->own = host->alloc(call, sizeof(struct override));
    memset(st->own, 0, sizeof(struct override));
    st->site_id = mist_str(receipt, "site_id");
    st->device.id = mist_str(receipt, "device_id");
    st->device.mac = mist_str(receipt, "mac");
    if (st->site_id && st->device.id && st->device.mac)
        return true;
    mist_fail(call, FT_INVALID, "the receipt names no site and switch");
    return false;
}

static void undo_begin(struct ft_call *call)
{
    if (take_receipt(call))
        ask_config(call, undo_here);
}

MIST_BEGIN(MIST_RUN, config_begin, config_run)
MIST_BEGIN(MIST_PLAN, config_begin, config_plan)
MIST_BEGIN(MIST_UNDO, undo_begin, override_undo)

#define PORT_PARAM JSON("port": {"type": "string", "minLength": 1, "description": "name of the port, such as ge-0/0/1"})
#define PORT_TOUCHED MIST_CHANGED "," MIST_P_STR("site_id", "site of the switch") "," MIST_P_STR("device_id", "id of the switch") "," \
    MIST_P_STR("port", "name of the port")

const struct ft_action mist_switch_port_config = {
    MIST_WRITE(config_run, config_plan), .undo = { override_undo, mist_drop },
    .name = "switch_port_config", .summary = "change one switch port: network, profile, power, speed, on or off",
    .effects = FT_EFFECT_DISRUPTIVE | FT_EFFECT_IDEMPOTENT,
    .params_schema = MIST_PARAMS("\"device\",\"port\"", MIST_SITE "," MIST_DEVICE "," PORT_PARAM ","
        JSON("usage": {"type": "string", "minLength": 1, "description": "port profile; the one it has when left out"},
             "port_network": {"type": "string", "minLength": 1, "description": "native or access network"},
             "mode": {"type": "string", "enum": ["access", "trunk", "inet"], "description": "access or trunk"},
             "disabled": {"type": "boolean", "description": "switch the port off"},
             "poe_disabled": {"type": "boolean", "description": "switch its power off"},
             "speed": {"type": "string", "minLength": 1, "description": "auto, 10m, 100m, 1g, 2.5g …"},
             "duplex": {"type": "string", "enum": ["auto", "full", "half"], "description": "duplex"},
             "port_auth": {"type": ["string", "null"], "description": "dot1x, or null for none"},
             "description": {"type": "string", "description": "description of the port"},
             "note": {"type": "string", "description": "note beside the override"})),
    .result_schema = MIST_OBJ(PORT_TOUCHED),
    .about = "`PUT /sites/{site_id}/devices/{device_id}/local_port_config` with the overrides of all ports, of which only this one's changes. The plan counts\n"
             "the MAC addresses behind the port. Undo puts back this port's former override (`DELETE` where none is left), unless somebody changed it\n"
             "since. Mist's 200 means that the change was stored: look with `mist.switch_port` whether the switch has it.",
    .example = "- id: vlan\n  run: mist.switch_port_config\n  with: {device: \"${ap.lldp_switch}\", port: \"${ap.lldp_port}\", site: \"${ap.site_id}\", port_network: aps}\n  undo: auto\n",
};

/* ---- port_poe_cycle
 *
 *   off ──► seen off? ──► wait off_s ──► back ──► done        the switch takes its configuration when it likes, so the power is put
 *              └─ not within push_within_s ──► back ──► fail   back only after it was seen gone, or after patience has ended
 */

static void look_whether_off(struct ft_call *call);

static void cycle_over(struct ft_call *call, json_t *answer)
{
    struct mist_call *st = mist_state(call);
    struct override *o = st->own;
    (void)answer;

    if (!o->cut) {
        mist_fail(call, FT_REFUSED, "port %s of %s kept its power though Mist stored the change (does config_push_policy hold it back?); the former override is back",
                  mist_text(call, "port"), switch_name(st));
        return;
    }
    mist_done(call, json_pack("{s:b, s:s, s:s, s:s}", "changed", true, "site_id", st->site_id, "device_id", st->device.id, "port", mist_text(call, "port")));
}

static void back_ready(struct ft_call *call, json_t *device)
{
    struct mist_write *w = &mist_state(call)->write;
    struct override *o = mist_state(call)->own;

    take_map(call, device);          /* the other ports may have changed meanwhile */
    set_request(call, o->map, o->was);
    mist_send(call, w->method, mist_url(call, "%s", w->path), w->body, cycle_over);
}

static void put_back(struct ft_call *call)
{
    ask_config(call, back_ready);
}

static void seen(struct ft_call *call, json_t *item)
{
    struct override *o = mist_state(call)->own;
    const json_t *off_s = json_object_get(host->params(call), "off_s");
    const json_t *on = mist_at(item, "poe_on");

    o->cut = json_is_false(on) || (!on && json_is_false(mist_at(item, "up")));
    if (o->cut) {
        host->progress(call, "port %s is without power", mist_text(call, "port"));
        if (!host->timer(call, (uint64_t)(json_number_value(off_s) * 1000), put_back))
            put_back(call);
    } else if (host->wall_ms(call) >= o->gave_up_at || !host->timer(call, LOOK_AGAIN_MS, look_whether_off)) {
        put_back(call);
    }
}

static void look_whether_off(struct ft_call *call)
{
    mist_find_port(call, seen);
}

static void off_sent(struct ft_call *call, json_t *answer)
{
    struct override *o = mist_state(call)->own;
    (void)answer;

    o->gave_up_at = host->wall_ms(call) + (uint64_t)(json_number_value(json_object_get(host->params(call), "push_within_s")) * 1000);
    look_whether_off(call);
}

static void cycle_ready(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    struct override *o = st->own;
    const json_t *receipt = host->receipt(call), *was = json_object_get(receipt, "before");
    bool goes_on = receipt && mist_covers(o->before, json_object_get(receipt, "after"));       /* after a crash in the middle */

    if (!as_planned(call))
        return;
    if (!goes_on && (json_is_false(mist_at(st->port_stats, "poe_on")) || json_is_true(json_object_get(o->before, "poe_disabled")))) {
        mist_fail(call, FT_CONFLICT, "port %s of %s gives no power now, so there is nothing to cut: see poe_disabled in mist.switch_port",
                  mist_text(call, "port"), switch_name(st));
        return;
    }
    o->was = receipt ? (json_is_null(was) ? NULL : (json_t *)was) : o->before;
    json_object_set_new(o->after, "poe_disabled", json_true());
    set_write(call, host->printf(call, "cut the power of port %s of %s for a moment", mist_text(call, "port"), switch_name(st)));
    st->write.sent = off_sent;
    mist_write_ready(call);
}

static void cycle_begin(struct ft_call *call)
{
    begin(call, cycle_ready);
}

/* Half done (the override still cuts the power): run once more goes on from there, so "no". Else the port's own record of its last change tells. */
static void probe_look(struct ft_call *call);

static void probe_stats(struct ft_call *call, json_t *item)
{
    const json_t *receipt = mist_receipt(call);
    double was = mist_num(receipt, "last_flapped", 0), is = mist_num(item, "last_flapped", 0);
    double since = (double)host->wall_ms(call) / 1000 - mist_num(receipt, "at", 0);

    if (!receipt)
        return;
    if (is > was || (is && since >= STATS_ARE_NEW_S))
        mist_done(call, json_pack("{s:b, s:{s:f}}", "happened", is > was, "seen", "last_flapped", is));
    else if (!is || host->remaining_ms(call) <= 4 * LOOK_AGAIN_MS || !host->timer(call, 2 * LOOK_AGAIN_MS, probe_look))
        mist_fail(call, FT_INVALID, "Mist does not tell whether port %s changed since the request", mist_text(call, "port"));
}

static void probe_look(struct ft_call *call)
{
    mist_find_port(call, probe_stats);
}

static void probe_here(struct ft_call *call, json_t *device)
{
    struct override *o = mist_state(call)->own;
    const json_t *receipt = mist_receipt(call);

    if (!receipt)
        return;
    take_map(call, device);
    if (mist_covers(o->before, json_object_get(receipt, "after")))
        mist_done(call, json_pack("{s:b, s:{s:O}}", "happened", false, "seen", "override", o->before));
    else
        probe_look(call);
}

static void probe_begin(struct ft_call *call)
{
    if (take_receipt(call))
        ask_config(call, probe_here);
}

MIST_BEGIN(MIST_RUN, cycle_begin, cycle_run)
MIST_BEGIN(MIST_PLAN, cycle_begin, cycle_plan)
MIST_BEGIN(MIST_PROBE, probe_begin, cycle_probe)

const struct ft_action mist_port_poe_cycle = {
    MIST_WRITE(cycle_run, cycle_plan), .undo = { override_undo, mist_drop }, .probe = { cycle_probe, mist_drop },
    .name = "port_poe_cycle", .summary = "cut a switch port's power for some seconds, so that what hangs on it starts anew",
    .effects = FT_EFFECT_DISRUPTIVE, .timeout_ms = 300000,
    .params_schema = MIST_PARAMS("\"device\",\"port\"", MIST_SITE "," MIST_DEVICE "," PORT_PARAM ","
        JSON("usage": {"type": "string", "minLength": 1, "description": "port profile; the one it has when left out"},
             "off_s": {"type": "number", "minimum": 1, "maximum": 60, "default": 10, "description": "how long the port stays without power, s"},
             "push_within_s": {"type": "number", "minimum": 10, "maximum": 240, "default": 150, "description": "how long the switch may take to cut the power, s"})),
    .result_schema = MIST_OBJ(PORT_TOUCHED),
    .about = "Two `PUT /sites/{site_id}/devices/{device_id}/local_port_config`: one with `poe_disabled: true` for this port, one with what was there before (`DELETE`\n"
             "where nothing was). The power is given back only after Mist saw it gone, or when it did not go within `push_within_s`. An AP on the port is\n"
             "away for minutes; the plan counts the MAC addresses behind the port. Undo puts the former override back. After a crash the probe finds out how\n"
             "far it went; half done, running it again goes on from there.",
    .example = "- id: poe\n  run: mist.port_poe_cycle\n  with: {device: \"${ap.lldp_switch}\", port: \"${ap.lldp_port}\", site: \"${ap.site_id}\"}\n  undo: auto\n",
};
