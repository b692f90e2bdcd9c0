/* facts.c: values that are the same for every vendor. */
#include "facts.h"

#include <string.h>

json_t *port_blank(const char *name)
{
    static const char *const unknown[] = { "admin_up", "oper_up", "speed_mbps", "vlan", "vlan_name", "mode", "description", "errors",
                                           "errors_in", "errors_out", "flaps_s", "mac_count", "lag" };
    json_t *port = json_pack("{s:s}", "name", name);

    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        json_object_set_new(port, unknown[i], json_null());
    return port;
}

static bool switches_or_routes(const char *capabilities)
{
    if (strcasestr(capabilities, "WLAN") || strcasestr(capabilities, "Access Point") || strcasestr(capabilities, "Telephone"))
        return false;
    return strcasestr(capabilities, "Bridge") || strcasestr(capabilities, "Router");
}

void port_judge(json_t *port, bool has_neighbor, const char *neighbor, const char *capabilities)
{
    const char *lag = json_string_value(json_object_get(port, "lag"));
    json_int_t macs = json_integer_value(json_object_get(port, "mac_count"));
    json_t *why = NULL;

    if (lag)
        why = json_sprintf("it is a member of %s", lag);
    else if (capabilities && switches_or_routes(capabilities))
        why = json_sprintf("its neighbour %s is a switch or router (%s)", neighbor && *neighbor ? neighbor : "by LLDP", capabilities);
    else if (!has_neighbor && macs > MAX_ACCESS_MACS)
        why = json_sprintf("%d MAC addresses are behind it, and no neighbour says what it is", (int)macs);
    json_object_set_new(port, "neighbor", has_neighbor ? json_string(neighbor && *neighbor ? neighbor : "unnamed") : json_null());
    json_object_set_new(port, "uplink", json_boolean(why));
    json_object_set_new(port, "uplink_why", why ? why : json_null());
}
