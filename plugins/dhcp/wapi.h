/* wapi.h: Infoblox' WAPI as a system behind the same actions.
 *
 * For what is read, and for leases, wapi.c translates Kea's commands: wapi_command("lease4-get", …) asks WAPI and gives a reply in Kea's shape,
 * so leases.c and status.c need not know. Networks stand for subnets; their id is the network's address as a number. Objects carry their WAPI
 * reference in "_ref". What changes the configuration has its own way in wapi_changes.c. */
#pragma once
#include "kea.h"

bool is_wapi(const struct dhcp *st);

/* As kea_ask and kea_render; arguments are taken over. */
void wapi_command(struct ft_call *call, const char *command, json_t *arguments, bool write, kea_answered *answered);
json_t *wapi_render(struct ft_call *call, const char *command, json_t *arguments);

/* One request. path: after the version ("fixedaddress?mac=…"). body is taken over. Fails the call itself, or goes on with the JSON of the answer. */
void wapi_send(struct ft_call *call, const char *method, const char *path, json_t *body, bool write, void (*got)(struct ft_call *call, json_t *json));
json_t *wapi_show(struct ft_call *call, const char *method, const char *path, json_t *body);
/* All objects, page by page; goes on with st->rows. */
void wapi_list(struct ft_call *call, const char *path, void (*listed)(struct ft_call *call));

/* NULL: it is none of that kind. */
const char *wapi_ref(const json_t *object, const char *kind);
/* "&network_view=…" or "". */
const char *wapi_view(struct ft_call *call);
json_t *wapi_network_id(const char *network);                /* new; null where it is no network */
/* A subnet for the vlan, subnet, ip or id of the parameters; with its ranges. Goes on with st->before as {"subnet4": […]}. */
void wapi_networks(struct ft_call *call, void (*listed)(struct ft_call *call));
