/* v6.h: looking at a Kea DHCPv6 server. */
#pragma once
#include "kea.h"

extern const struct ft_action dhcp_leases6, dhcp_pool_use6;
