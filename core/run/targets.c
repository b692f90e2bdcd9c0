/* targets.c: plugins name what they aim at alike (site, device, mac, server …), so that one list of names is enough. */
#include "run/targets.h"
#include "base/text.h"
#include "base/util.h"
#include "data/json.h"

/* wide: it holds many of what the others name: a DHCP server is not locked for one client's lease. */
static const struct { const char *param, *kind; bool wide; } kinds[] = {
    { "device", "device", false }, { "devices", "device", false }, { "mac", "client", false }, { "macs", "client", false }, { "client", "client", false },
    { "ip", "address", false }, { "wlan", "wlan", false }, { "ssid", "wlan", false }, { "number", "ticket", false },
    { "host", "host", true }, { "server", "server", true },
};

const char *ft_target_site(const json_t *params)
{
    return ft_json_str(params, "site");
}

static void add(json_t *keys, const char *kind, const json_t *value)
{
    const char *text = json_string_value(value);
    char mac[18], *key;

    if (!text || !*text)
        return;
    key = ft_asprintf("%s/%s", kind, ft_mac_normalise(text, mac) == 0 ? mac : text);
    json_array_append_new(keys, json_string(key));
    free(key);
}

static void add_all(json_t *keys, const json_t *params, bool wide)
{
    json_t *one;
    size_t n;

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        json_t *value = json_object_get(params, kinds[i].param);

        if (kinds[i].wide != wide)
            continue;
        if (json_is_array(value))
            json_array_foreach(value, n, one)
                add(keys, kinds[i].kind, one);
        else
            add(keys, kinds[i].kind, value);
    }
}

json_t *ft_targets(const json_t *params)
{
    json_t *keys = json_array();

    add_all(keys, params, false);
    add_all(keys, params, true);
    if (!json_array_size(keys))
        add(keys, "site", json_object_get(params, "site"));
    return keys;
}

json_t *ft_lock_targets(const json_t *params)
{
    json_t *keys = json_array();

    add_all(keys, params, false);
    if (json_array_size(keys))
        return keys;
    json_decref(keys);
    return ft_targets(params);
}
