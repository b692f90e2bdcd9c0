/* mist_find.c: from what people write (a site's name, a MAC in any notation, a device's name) to what Mist's paths need. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "mist.h"

#define SITES_KEEP_MS (60 * 60 * 1000u)
#define DEVICES_KEEP_MS (10 * 60 * 1000u)
#define WRITES_KEEP_MS (60 * 1000u)       /* a write trusts names for this long only: a replaced device keeps its name */
#define MAX_LISTED 50000
#define NEAR_NAMES 3

/* ---- notations */

bool mist_is_id(const char *text)
{
    size_t i = 0;

    for (; text[i]; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (i >= 36 || (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i])))
            return false;
    }
    return i == 36;
}

/* Mist builds the id of a device from its MAC (00000000-0000-0000-1000-<mac>). */
static const char id_prefix[] = "00000000-0000-0000-1000-";

const char *mist_device_id(struct ft_call *call, const char *mac)
{
    return host->printf(call, "%s%s", id_prefix, mac);
}

static const char *mac_of_id(struct ft_call *call, const char *id)
{
    char mac[MIST_MAC_LEN + 1];

    if (strncmp(id, id_prefix, strlen(id_prefix)) != 0 || !mist_mac(id + strlen(id_prefix), mac))
        return NULL;
    return host->printf(call, "%s", mac);
}

const char *mist_text(struct ft_call *call, const char *name)
{
    const char *text = json_string_value(json_object_get(host->params(call), name));

    return text && *text ? text : NULL;
}

const char *mist_window(struct ft_call *call)
{
    const json_t *window = json_object_get(host->params(call), "window");
    const char *text = json_string_value(window);
    double seconds;

    if (text && text[strlen(text) - 1] != 's')
        return text;
    if (text)
        seconds = strtod(text, NULL);
    else if (json_is_number(window))
        seconds = json_number_value(window) / 1000;
    else
        return "1h";
    return host->printf(call, "%.0fm", ceil(fmax(seconds, 60) / 60));     /* Mist counts from minutes up */
}

double mist_window_seconds(struct ft_call *call)
{
    static const struct { char unit; double seconds; } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };
    const char *text = mist_window(call);

    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (text[strlen(text) - 1] == units[i].unit)
            return strtod(text, NULL) * units[i].seconds;
    return 3600;
}

bool mist_find_mac(struct ft_call *call)
{
    const char *text = mist_text(call, "mac");
    char mac[MIST_MAC_LEN + 1];

    if (!text || !mist_mac(text, mac)) {
        mist_fail(call, FT_INVALID, "mac: '%.40s' is not a MAC address (12 hex digits, such as 5c:5b:35:00:00:01)", text ? text : "");
        return false;
    }
    mist_state(call)->mac = host->printf(call, "%s", mac);
    return true;
}

/* ---- names that nearly match */

static size_t distance(const char *a, const char *b)
{
    size_t row[65], la = strlen(a), lb = strlen(b);

    if (la > 64 || lb > 64)
        return SIZE_MAX;
    for (size_t j = 0; j <= lb; j++)
        row[j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t corner = row[0];

        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t up = row[j], best = corner + (tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]));

            if (up + 1 < best)
                best = up + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
            corner = up;
        }
    }
    return row[lb];
}

static const char *near_names(struct ft_call *call, const json_t *list, const char *wanted)
{
    const char *text = "";
    size_t i, found = 0;
    json_t *item;

    json_array_foreach(list, i, item) {
        const char *name = mist_str(item, "name");

        if (!name || found == NEAR_NAMES || (!strcasestr(name, wanted) && distance(name, wanted) > 1 + strlen(wanted) / 4))
            continue;
        text = host->printf(call, "%s%s'%s'", text, found++ ? ", " : "; did you mean ", name);
    }
    return *text ? host->printf(call, "%s?", text) : "";
}

/* ---- lists that are kept for a while */

static bool fresh(struct ft_call *call, const json_t *list, uint64_t at, uint64_t keep_ms)
{
    uint64_t now = host->wall_ms(call);

    return list && now >= at && now - at <= keep_ms;
}

static void keep_list(json_t **list, uint64_t *at, json_t *items, struct ft_call *call)
{
    json_decref(*list);
    *list = items;
    *at = host->wall_ms(call);
}

static const struct mist_field site_row[] = { { "id", "id", MIST_STR }, { "name", "name", MIST_STR } };
static const struct mist_field device_row[] = {
    { "id", "id", MIST_STR }, { "mac", "mac", MIST_MAC }, { "name", "name|hostname", MIST_STR }, { "type", "type", MIST_STR },
    { "model", "model", MIST_STR }, { "site_id", "site_id", MIST_STR }, { "vc_mac", "vc_mac", MIST_MAC },
};

/* ---- sites */

static void site_by_name(struct ft_call *call);
static void sites_here(struct ft_call *call, json_t *items);

/* The matches of a name: exactly as written before any case. Returns how many; *ret_item the first; *ret_ids all their ids. */
static size_t matches(struct ft_call *call, const json_t *list, const char *name, bool any_case, bool (*fits)(struct ft_call *, const json_t *),
                      json_t **ret_item, const char **ret_ids)
{
    size_t i, count = 0;
    json_t *item;

    *ret_ids = "";
    json_array_foreach(list, i, item) {
        const char *has = mist_str(item, "name");

        if (!has || (any_case ? strcasecmp(has, name) : strcmp(has, name)) != 0 || (fits && !fits(call, item)))
            continue;
        if (count++ == 0)
            *ret_item = item;
        if (count <= NEAR_NAMES)
            *ret_ids = host->printf(call, "%s%s%s", *ret_ids, count > 1 ? ", " : "", mist_str(item, "id"));
    }
    return count;
}

static size_t best_matches(struct ft_call *call, const json_t *list, const char *name, bool (*fits)(struct ft_call *, const json_t *),
                           json_t **ret_item, const char **ret_ids)
{
    size_t count = matches(call, list, name, false, fits, ret_item, ret_ids);

    return count ? count : matches(call, list, name, true, fits, ret_item, ret_ids);
}

static void ask_sites(struct ft_call *call)
{
    mist_state(call)->looked_afresh = true;
    mist_list(call, MAX_LISTED, sites_here, "/orgs/%s/sites", mist_escape(call, mist_of(call)->org));
}

static void sites_here(struct ft_call *call, json_t *items)
{
    struct mist *mist = mist_of(call);

    keep_list(&mist->sites, &mist->sites_at, MIST_ROWS(items, site_row), call);
    site_by_name(call);
}

static void site_by_name(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    struct mist *mist = mist_of(call);
    const char *name = mist_text(call, "site"), *ids;
    json_t *site = NULL;
    size_t count;

    if (!fresh(call, mist->sites, mist->sites_at, SITES_KEEP_MS)) {
        ask_sites(call);
        return;
    }
    count = best_matches(call, mist->sites, name, NULL, &site, &ids);
    if (count == 0 && !st->looked_afresh) {
        ask_sites(call);                             /* it may be new */
    } else if (count == 0) {
        mist_fail(call, FT_NOT_FOUND, "the organisation has no site '%.100s'%s", name, near_names(call, mist->sites, name));
    } else if (count > 1) {
        mist_fail(call, FT_INVALID, "%zu sites are called '%.100s': write the id of the one that is meant (%s)", count, name, ids);
    } else {
        st->site_id = host->printf(call, "%s", mist_str(site, "id"));
        st->site_name = host->printf(call, "%s", mist_str(site, "name"));
        st->looked_afresh = false;
        st->found(call);
    }
}

static const char *name_of_site(struct ft_call *call, const char *id)
{
    const char *found;
    size_t i;
    json_t *site;

    json_array_foreach(mist_of(call)->sites, i, site) {
        const char *name = mist_str(site, "name");

        if (name && strcasecmp(mist_str(site, "id") ? mist_str(site, "id") : "", id) == 0)
            return host->printf(call, "%s", name);
    }
    found = mist_str(mist_of(call)->site_names, id);
    return found ? host->printf(call, "%s", found) : NULL;
}

void mist_find_site(struct ft_call *call, mist_next *found)
{
    struct mist_call *st = mist_state(call);
    const char *site = mist_text(call, "site");

    st->found = found;
    if (!site) {
        found(call);
    } else if (mist_is_id(site)) {
        st->site_id = site;
        st->site_name = name_of_site(call, site);
        found(call);
    } else {
        site_by_name(call);
    }
}

static void named(struct ft_call *call, json_t *answer)
{
    struct mist_call *st = mist_state(call);

    if (mist_str(answer, "name")) {
        st->site_name = mist_str(answer, "name");
        json_object_set_new(mist_of(call)->site_names, st->site_id, json_string(st->site_name));
    }
    st->found(call);
}

void mist_name_site(struct ft_call *call, mist_next *found)
{
    struct mist_call *st = mist_state(call);

    st->found = found;
    if (!st->site_name && st->site_id)
        st->site_name = name_of_site(call, st->site_id);
    if (st->site_name || !st->site_id)
        found(call);
    else
        mist_get_if_there(call, named, "/sites/%s", mist_escape(call, st->site_id));
}

/* ---- devices */

static void device_by_name(struct ft_call *call);
static void ask_device_by_mac(struct ft_call *call, const char *mac);

static void take_device(struct ft_call *call, const json_t *item)
{
    struct mist_call *st = mist_state(call);
    struct mist_device *d = &st->device;
    const char *text = mist_text(call, "device"), *site = mist_str(item, "site_id"), *vc = mist_str(item, "vc_mac");

    if (st->wanted_type && mist_str(item, "type") && strcmp(mist_str(item, "type"), st->wanted_type) != 0) {
        mist_fail(call, FT_INVALID, "device: '%.100s' is of type '%s', not '%s'", text, mist_str(item, "type"), st->wanted_type);
        return;
    }
    if (!st->site_id && !site) {
        mist_fail(call, FT_NOT_FOUND, "device: '%.100s' is in the inventory but assigned to no site", text);
        return;
    }
    if (site && st->site_id && strcasecmp(site, st->site_id) != 0) {
        mist_fail(call, FT_NOT_FOUND, "device: '%.100s' belongs to site %s, not to site %s", text, site, st->site_name ? st->site_name : st->site_id);
        return;
    }
    if (!st->site_id)
        st->site_id = host->printf(call, "%s", site);
    if (vc)                        /* a member of a virtual chassis is reached by the chassis's own id */
        d->id = mist_device_id(call, vc);
    else if (mist_str(item, "id"))
        d->id = host->printf(call, "%s", mist_str(item, "id"));
    else
        d->id = mist_device_id(call, mist_str(item, "mac") ? mist_str(item, "mac") : "");
    d->mac = mac_of_id(call, d->id);
    if (!d->mac && mist_str(item, "mac"))
        d->mac = host->printf(call, "%s", mist_str(item, "mac"));
    if (mist_str(item, "name"))
        d->name = host->printf(call, "%s", mist_str(item, "name"));
    if (mist_str(item, "type"))
        d->type = host->printf(call, "%s", mist_str(item, "type"));
    st->found(call);
}

static void inventory_here(struct ft_call *call, json_t *items)
{
    struct mist *mist = mist_of(call);

    keep_list(&mist->devices, &mist->devices_at, MIST_ROWS(items, device_row), call);
    device_by_name(call);
}

static void ask_inventory(struct ft_call *call)
{
    mist_state(call)->looked_afresh = true;
    mist_list(call, MAX_LISTED, inventory_here, "/orgs/%s/inventory", mist_escape(call, mist_of(call)->org));
}

static bool device_fits(struct ft_call *call, const json_t *item)
{
    struct mist_call *st = mist_state(call);
    const char *site = mist_str(item, "site_id"), *type = mist_str(item, "type");

    return (!st->site_id || (site && strcasecmp(site, st->site_id) == 0)) && (!st->wanted_type || !type || strcmp(type, st->wanted_type) == 0);
}

/* There is one, at another site or of another kind: that is what to say, rather than to suggest the name that was given. */
static bool is_elsewhere(struct ft_call *call, const char *name)
{
    json_t *item = NULL;
    const char *ids;

    if (best_matches(call, mist_of(call)->devices, name, NULL, &item, &ids) != 1)
        return false;
    if (mist_str(item, "site_id"))
        take_device(call, item);
    else
        mist_fail(call, FT_NOT_FOUND, "device: '%.100s' is in the inventory but assigned to no site", name);
    return true;
}

static void device_by_name(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    struct mist *mist = mist_of(call);
    const char *name = mist_text(call, "device"), *ids;
    json_t *item = NULL;
    size_t count;

    if (!fresh(call, mist->devices, mist->devices_at, st->mode == MIST_LOOK ? DEVICES_KEEP_MS : WRITES_KEEP_MS)) {
        ask_inventory(call);
        return;
    }
    count = best_matches(call, mist->devices, name, device_fits, &item, &ids);
    if (count == 0 && !st->looked_afresh)
        ask_inventory(call);
    else if (count == 0 && is_elsewhere(call, name))
        return;
    else if (count == 0)
        mist_fail(call, FT_NOT_FOUND, "the organisation's inventory has no %s '%.100s'%s%s%s", st->wanted_type ? st->wanted_type : "device", name,
                  st->site_id ? " at site " : "", st->site_id ? (st->site_name ? st->site_name : st->site_id) : "",
                  near_names(call, mist->devices, name));
    else if (count > 1)
        mist_fail(call, FT_INVALID, "%zu devices are called '%.100s': say the site, or write the id of the one that is meant (%s)", count, name, ids);
    else
        take_device(call, item);
}

static void device_by_mac_here(struct ft_call *call, json_t *items)
{
    struct mist_call *st = mist_state(call);
    json_t *rows = mist_hold(call, MIST_ROWS(items, device_row)), *item;
    size_t i;

    json_array_foreach(rows, i, item) {
        if (mist_str(item, "mac") && strcmp(mist_str(item, "mac"), st->device.mac) == 0) {
            take_device(call, item);
            return;
        }
    }
    if (!st->vc_tried) {
        st->vc_tried = true;
        ask_device_by_mac(call, st->device.mac);
        return;
    }
    mist_fail(call, FT_NOT_FOUND, "the organisation's inventory has no device '%.100s'", mist_text(call, "device"));
}

static void ask_device_by_mac(struct ft_call *call, const char *mac)
{
    struct mist_call *st = mist_state(call);

    st->device.mac = mac;
    mist_list(call, 10, device_by_mac_here, "/orgs/%s/inventory?%smac=%s", mist_escape(call, mist_of(call)->org), st->vc_tried ? "vc=true&" : "", mac);
}

static void find_device(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    const char *text = mist_text(call, "device"), *mac_text;
    char mac[MIST_MAC_LEN + 1];

    st->found = st->device_found;
    if (mist_is_id(text) && st->site_id) {
        st->device.id = text;
        st->device.mac = mac_of_id(call, text);
        st->found(call);
        return;
    }
    mac_text = mist_is_id(text) ? mac_of_id(call, text) : text;
    if (mac_text && mist_mac(mac_text, mac))
        ask_device_by_mac(call, host->printf(call, "%s", mac));
    else if (mac_text)
        device_by_name(call);
    else
        mist_fail(call, FT_INVALID, "device: '%.60s' is an id that does not tell its MAC address: say the site as well", text);
}

void mist_find_device(struct ft_call *call, const char *type, mist_next *found)
{
    struct mist_call *st = mist_state(call);

    if (!mist_text(call, "device")) {
        mist_fail(call, FT_INVALID, "device: which one? a name, a MAC address or an id");
        return;
    }
    st->wanted_type = type;
    st->device_found = found;
    mist_find_site(call, find_device);
}
