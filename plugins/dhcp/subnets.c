/* subnets.c: reading a Kea configuration. */
#include "subnets.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include "wapi.h"

bool ip_parse(const char *text, uint32_t *ret)
{
    struct in_addr address;

    if (!text || inet_pton(AF_INET, text, &address) != 1)
        return false;
    *ret = ntohl(address.s_addr);
    return true;
}

const char *ip_text(struct ft_call *call, uint32_t ip)
{
    return host->printf(call, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
}

static bool prefix_parse(const char *address, const char *bits, struct range *ret)
{
    char *end;
    unsigned long n = strtoul(bits, &end, 10);
    uint32_t ip, mask;

    if (*end || end == bits || n > 32 || !ip_parse(address, &ip))
        return false;
    mask = n ? ~0u << (32 - n) : 0;
    *ret = (struct range){ ip & mask, ip | ~mask };
    return true;
}

bool range_parse(const char *text, struct range *ret)
{
    char copy[64], *second;
    size_t len = 0;

    for (; text && *text; text++) {
        if (*text == ' ')
            continue;
        if (len + 1 == sizeof(copy))
            return false;
        copy[len++] = *text;
    }
    copy[len] = '\0';
    second = strpbrk(copy, "-/");
    if (!second)
        return false;
    if (*second == '/') {
        *second = '\0';
        return prefix_parse(copy, second + 1, ret);
    }
    *second = '\0';
    return ip_parse(copy, &ret->first) && ip_parse(second + 1, &ret->last) && ret->first <= ret->last;
}

json_t *subnets_of(const json_t *subnets, bool (*fn)(const json_t *subnet, const void *arg), const void *arg)
{
    json_t *subnet;
    size_t i;

    json_array_foreach(subnets, i, subnet) {
        bool is_one = json_is_integer(json_object_get(subnet, "id")) && ft_str(subnet, "subnet");

        if (is_one && fn(subnet, arg))
            return subnet;
    }
    return NULL;
}

json_t *subnets_each(const json_t *dhcp4, bool (*fn)(const json_t *subnet, const void *arg), const void *arg)
{
    json_t *network, *found = subnets_of(json_object_get(dhcp4, "subnet4"), fn, arg);
    size_t i;

    json_array_foreach(json_object_get(dhcp4, "shared-networks"), i, network) {
        if (!found)
            found = subnets_of(json_object_get(network, "subnet4"), fn, arg);
    }
    return found;
}

static bool has_id(const json_t *subnet, const void *arg) { return ft_int(subnet, "id") == *(const json_int_t *)arg; }

static bool has_vlan(const json_t *subnet, const void *arg)
{
    return ft_int(json_object_get(subnet, "user-context"), "vlan") == *(const json_int_t *)arg;
}

static bool has_prefix(const json_t *subnet, const void *arg)
{
    struct range a, b;

    return range_parse(ft_str(subnet, "subnet"), &a) && range_parse(arg, &b) && a.first == b.first && a.last == b.last;
}

static bool has_address(const json_t *subnet, const void *arg)
{
    uint32_t ip = *(const uint32_t *)arg;
    struct range r;

    return range_parse(ft_str(subnet, "subnet"), &r) && ip >= r.first && ip <= r.last;
}

static bool count_one(const json_t *subnet, const void *arg)
{
    (void)subnet;
    ++**(size_t *const *)arg;
    return false;
}

size_t subnets_count(const json_t *dhcp4)
{
    size_t n = 0, *count = &n;

    subnets_each(dhcp4, count_one, &count);
    return n;
}

json_t *subnet_by_id(const json_t *dhcp4, json_int_t id)
{
    return subnets_each(dhcp4, has_id, &id);
}

json_t *subnet_with(const json_t *dhcp4, const char *address)
{
    uint32_t ip;

    return ip_parse(address, &ip) ? subnets_each(dhcp4, has_address, &ip) : NULL;
}

static json_int_t mapped_vlan(struct ft_call *call, json_int_t vlan)
{
    const struct dhcp *st = host->state(call);

    return ft_int(json_object_get(st->server, "vlans"), host->printf(call, "%" JSON_INTEGER_FORMAT, vlan));
}

static json_t *chosen_by_vlan(struct ft_call *call, const json_t *dhcp4, json_int_t vlan, struct ft_err *reterr)
{
    json_int_t id = mapped_vlan(call, vlan);
    json_t *found = id ? subnet_by_id(dhcp4, id) : subnets_each(dhcp4, has_vlan, &vlan);

    if (!found && id)
        ft_fault(reterr, FT_NOT_FOUND, "the configuration maps VLAN %d to subnet %d, which the server does not have", (int)vlan, (int)id);
    else if (!found)
        ft_fault(reterr, FT_NOT_FOUND, "no subnet is known for VLAN %d: add it to plugins.dhcp.vlans (%d: subnet id)", (int)vlan, (int)vlan);
    return found;
}

json_t *subnet_chosen(struct ft_call *call, const json_t *dhcp4, struct ft_err *reterr)
{
    const json_t *params = host->params(call);
    json_int_t id = ft_int(params, "subnet_id"), vlan = ft_int(params, "vlan");
    const char *prefix = ft_str(params, "subnet"), *address = ft_str(params, "ip");
    json_t *found;

    if (id) {
        found = subnet_by_id(dhcp4, id);
        if (!found)
            ft_fault(reterr, FT_NOT_FOUND, "the DHCP server has no subnet with id %d", (int)id);
    } else if (vlan) {
        found = chosen_by_vlan(call, dhcp4, vlan, reterr);
    } else if (prefix) {
        found = subnets_each(dhcp4, has_prefix, prefix);
        if (!found)
            ft_fault(reterr, FT_NOT_FOUND, "the DHCP server has no subnet %s", prefix);
    } else {
        found = subnet_with(dhcp4, address);
        if (!found)
            ft_fault(reterr, FT_NOT_FOUND, "the DHCP server has no subnet for the address %s", address ? address : "(none given)");
    }
    return found;
}

bool subnet_is_chosen(struct ft_call *call)
{
    const json_t *params = host->params(call);

    return json_object_get(params, "subnet_id") || json_object_get(params, "vlan") || json_object_get(params, "subnet")
        || json_object_get(params, "ip");
}

static void config_for_id(struct ft_call *call, const struct kea_reply *reply)
{
    struct dhcp *st = host->state(call);
    struct ft_err err = { 0 };
    const json_t *subnet;

    if (!kea_accept(call, reply))
        return;
    subnet = subnet_chosen(call, json_object_get(reply->arguments, "Dhcp4"), &err);
    if (!subnet) {
        dhcp_fail(call, err.class, "%s", err.text);
        return;
    }
    st->subnet_id = ft_int(subnet, "id");
    st->subnet = host->printf(call, "%s", ft_str(subnet, "subnet"));
    st->then(call);
}

void with_subnet_id(struct ft_call *call, void (*then)(struct ft_call *call))
{
    struct dhcp *st = host->state(call);
    const json_t *params = host->params(call);

    st->then = then;
    st->subnet_id = ft_int(params, "subnet_id");
    if (!st->subnet_id && json_object_get(params, "vlan"))
        st->subnet_id = mapped_vlan(call, ft_int(params, "vlan"));
    if ((st->subnet_id && !is_wapi(st)) || !subnet_is_chosen(call))
        then(call);
    else
        kea_ask(call, "config-get", NULL, config_for_id);
}
