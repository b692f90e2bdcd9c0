/* netconf_rfc.c: any server of the standard's NETCONF, as a vendor: configurations and netconf_get, nothing of ports. */
#include "session.h"

const struct vendor vendor_netconf = { .name = "netconf", .rpcs = true };
