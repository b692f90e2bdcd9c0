/* subnets.h: reading a Kea configuration: which subnets there are, and which one is meant. */
#pragma once
#include <netinet/in.h>
#include "kea.h"

struct range { uint32_t first, last; };                   /* IPv4 addresses, host order, both included */

bool ip_parse(const char *text, uint32_t *ret);
const char *ip_text(struct ft_call *call, uint32_t ip);
/* "10.0.0.10 - 10.0.0.20" or "10.0.0.0/24", with or without spaces. */
bool range_parse(const char *text, struct range *ret);

/* Every subnet, those of shared networks included; stops when fn says true, and gives that subnet. */
json_t *subnets_each(const json_t *dhcp4, bool (*fn)(const json_t *subnet, const void *arg), const void *arg);
/* The same of one list. */
json_t *subnets_of(const json_t *subnets, bool (*fn)(const json_t *subnet, const void *arg), const void *arg);
size_t subnets_count(const json_t *dhcp4);
json_t *subnet_by_id(const json_t *dhcp4, json_int_t id);
json_t *subnet_with(const json_t *dhcp4, const char *address);
/* By params subnet_id, vlan (configuration's `vlans`, else the subnet's user-context.vlan), subnet or ip. NULL with a sentence. */
json_t *subnet_chosen(struct ft_call *call, const json_t *dhcp4, struct ft_err *reterr);
/* Does a parameter choose a subnet at all? */
bool subnet_is_chosen(struct ft_call *call);
/* Goes on with st->subnet_id set (0: no choice was made); asks for the configuration only when it has to. */
void with_subnet_id(struct ft_call *call, void (*then)(struct ft_call *call));

#define SUBNET_PARAMS \
    FT_JSON("subnet_id": {"type": "integer", "minimum": 1, "description": "Kea's id of the subnet"}, \
         "vlan": {"type": "integer", "minimum": 1, "maximum": 4094, \
                  "description": "VLAN id; its subnet is found by the configuration's `vlans`, else by user-context.vlan of the subnet in Kea"}, \
         "subnet": {"type": "string", "format": "cidr", "description": "the subnet as written in Kea, 10.0.0.0/24"})
#define SERVER_PARAM \
    FT_JSON("server": {"type": "string", \
            "description": "name of a server of the configuration (plugins.dhcp.servers); the plugin's own url or socket when left out"})
