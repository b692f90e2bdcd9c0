/* targets.c: plugins name what they aim at alike (site, device, mac, server …), so that one list of names is enough. */
#include "run/targets.h"
#include "base/text.h"
#include "base/util.h"
#include "data/json.h"

static const struct { const char *param, *kind; } kinds[] = {
    { "device", "device" }, { "devices", "device" }, { "mac", "client" }, { "macs", "client" }, { "client", "client" }, { "host", "host" },
    { "server", "server" }, { "wlan", "wlan" }, { "ssid", "wlan" }, { "number", "ticket" },
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

json_t *ft_targets(const char *action, const json_t *params)
{
    json_t *keys = json_array(), *one;
    size_t n;

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        json_t *value = json_object_get(params, kinds[i].param);

        if (json_is_array(value))
            json_array_foreach(value, n, one)
                add(keys, kinds[i].kind, one);
        else
            add(keys, kinds[i].kind, value);
    }
    if (!json_array_size(keys))
        add(keys, "site", json_object_get(params, "site"));
    (void)action;
    return keys;
}
