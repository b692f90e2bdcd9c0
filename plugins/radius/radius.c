/* radius.c: the RADIUS plugin: what it offers, and its configuration. */
#include <string.h>
#include "radius.h"

const struct ft_host *host;

#define SERVER_FIELDS(more) "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[" more ",\"properties\":{" \
    FT_JSON("secret": {"type": "string", "x-secret": true, "minLength": 1, "description": "shared secret"}, \
            "nas_ip": {"type": "string", "format": "ip", "description": "NAS-IP-Address of this host towards it"}, \
            "nas_identifier": {"type": "string", "minLength": 1, "maxLength": 253, "description": "NAS-Identifier of this host towards it"}) ","

static const char config_schema[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"servers\":{\"type\":\"object\",\"description\":\"RADIUS servers by name, asked in this order\",\"additionalProperties\":" SERVER_FIELDS("\"host\",\"secret\"]")
    FT_JSON("host": {"type": "string", "minLength": 1, "description": "name or address"},
            "auth_port": {"type": "integer", "minimum": 1, "maximum": 65535, "default": 1812, "description": "port for authentication"},
            "acct_port": {"type": "integer", "minimum": 1, "maximum": 65535, "default": 1813, "description": "port for accounting"},
            "require_message_authenticator": {"type": "boolean", "default": true,
                "description": "drop answers to logins without Message-Authenticator (CVE-2024-3596); false only for a server that cannot be updated"}) "}}},"
    "\"devices\":{\"type\":\"object\",\"description\":\"access points, switches and controllers that take CoA and Disconnect, by name\",\"additionalProperties\":"
    SERVER_FIELDS("\"secret\"]")
    FT_JSON("host": {"type": "string", "minLength": 1, "description": "name or address; left out where several devices share this entry: then each step says it"},
            "port": {"type": "integer", "minimum": 1, "maximum": 65535, "default": 3799, "description": "port for CoA; Cisco uses 1700"}) "}}},"
    FT_JSON("nas_ip": {"type": "string", "format": "ip", "description": "NAS-IP-Address of this host towards servers"},
            "nas_identifier": {"type": "string", "minLength": 1, "maxLength": 253, "description": "NAS-Identifier of this host towards servers; fettle when neither is given"},
            "tries": {"type": "integer", "minimum": 1, "maximum": 10, "default": 3, "description": "packets to one server before the next is asked"},
            "first_wait_ms": {"type": "integer", "minimum": 100, "maximum": 10000, "default": 2000, "description": "how long the first packet waits for its answer, ms; each further one waits twice as long, 16 s at most"},
            "ca_file": {"type": "string", "description": "eap: PEM file of the authority of the servers' certificates"}) "}}";

static int radius_open(const struct ft_host *ft, const json_t *config, void **ret_instance, struct ft_err *reterr)
{
    const char *name;
    json_t *server;

    (void)ret_instance, (void)reterr;
    host = ft;
    json_object_foreach((json_t *)ft_get(config, "servers"), name, server)
        if (json_is_false(ft_get(server, "require_message_authenticator")))
            host->log(NULL, FT_LOG_WARN, "plugins.radius.servers.%s.require_message_authenticator is false: whoever sits on the way can turn its reject into an accept (CVE-2024-3596)", name);
    return 0;
}

static const struct ft_action *const actions[] = {
    &radius_auth, &radius_eap, &radius_status, &radius_accounting, &radius_coa, &radius_disconnect, NULL,
};

FT_EXPORT const struct ft_plugin ft_plugin = {
    FT_PLUGIN_HEADER,
    .name = "radius", .version = "0.1.0",
    .summary = "RADIUS: logins (PAP, CHAP, MS-CHAPv2, 802.1X), server status, accounting, CoA and Disconnect",
    .capabilities = "udp exec work file",
    .config_schema = config_schema,
    .open = radius_open,
    .actions = actions,
};
