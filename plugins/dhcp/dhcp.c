/* dhcp.c: Kea's control channel as actions. Start at kea.h for how a command travels; leases.c, status.c and edits.c hold the actions. */
#include "config.h"
#include "edits.h"
#include "ha.h"
#include "leases.h"
#include "probe.h"
#include "reservations.h"
#include "service.h"
#include "v6.h"
#include "wapi_changes.h"
#include "status.h"

#define SERVER_PROPERTIES \
    FT_JSON("system": {"enum": ["kea", "infoblox"], "default": "kea", "description": "what kind of server it is"}, \
         "url": {"type": "string", "pattern": "^https?://", \
                 "description": "Kea: the control agent, or the server's own HTTP control socket (http://kea-1.example:8000/). Infoblox: the grid master (https://gm.example/)"}, \
         "socket": {"type": "string", "description": "path of the server's unix control socket, instead of url"}, \
         "user": {"type": "string", "description": "user of HTTP Basic"}, \
         "password": {"type": "string", "x-secret": true, "description": "password of HTTP Basic"}, \
         "ca_file": {"type": "string", "description": "PEM file of the authority that signed the agent's certificate"}, \
         "cert_file": {"type": "string", "description": "PEM file of our own certificate, where the agent asks for one"}, \
         "key_file": {"type": "string", "description": "PEM file of its key"}, \
         "service": {"type": "string", "default": "dhcp4", "description": "the agent's name of the DHCPv4 server"}, \
         "service6": {"type": "string", "default": "dhcp6", "description": "the agent's name of the DHCPv6 server"}, \
         "socket6": {"type": "string", "description": "path of the DHCPv6 server's unix control socket, instead of url"}, \
         "wapi_version": {"type": "string", "pattern": "^[0-9]+([.][0-9]+)*$", "default": "2.12", "description": "Infoblox: version of the WAPI"}, \
         "network_view": {"type": "string", "description": "Infoblox: look only into this network view"}, \
         "vlan_attribute": {"type": "string", "default": "VLAN", "description": "Infoblox: the extensible attribute of networks that holds the VLAN id"}, \
         "vlans": {"type": "object", "additionalProperties": {"type": ["integer", "string"]}, \
                 "description": "VLAN id to subnet: Kea's subnet id {110: 1}, or the network {110: 10.11.0.0/24}"})

static const char config_schema[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {" SERVER_PROPERTIES
    ", \"servers\": {\"type\": \"object\", \"description\": \"further servers by name, chosen by the parameter server\", "
    "\"additionalProperties\": {\"type\": \"object\", \"additionalProperties\": false, \"properties\": {" SERVER_PROPERTIES "}}}}}";

static int dhcp_open(const struct ft_host *the_host, const json_t *config, void **ret_instance, struct ft_err *reterr)
{
    (void)config;
    (void)reterr;
    host = the_host;
    *ret_instance = json_object();               /* sessions with Infoblox: its URL to a cookie */
    return 0;
}

static void dhcp_close(void *instance)
{
    json_decref(instance);
}

static const struct ft_action *const actions[] = {
    &dhcp_server_status, &dhcp_lease, &dhcp_leases, &dhcp_pool_use, &dhcp_reservation, &dhcp_statistics, &dhcp_config_get,
    &dhcp_lease_delete, &dhcp_leases_reclaim, &dhcp_stale_leases_free, &dhcp_declined_clear,
    &dhcp_reservation_add, &dhcp_reservation_del, &dhcp_pool_extend,
    &dhcp_config_test, &dhcp_config_set, &dhcp_config_restore, &dhcp_config_write, &dhcp_config_backup,
    &dhcp_subnets, &dhcp_ha_status, &dhcp_ha_maintenance_start, &dhcp_ha_maintenance_cancel, &dhcp_disable, &dhcp_enable,
    &dhcp_services_restart, &dhcp_leases6, &dhcp_pool_use6,
    &dhcp_offers, &dhcp_probe, NULL,
};

FT_EXPORT const struct ft_plugin ft_plugin = {
    FT_PLUGIN_HEADER, .name = "dhcp", .version = FETTLE_VERSION, .summary = "DHCP servers (Kea, Infoblox), and a client that tries them",
    .capabilities = "http work file", .config_schema = config_schema, .open = dhcp_open, .close = dhcp_close, .actions = actions,
};
