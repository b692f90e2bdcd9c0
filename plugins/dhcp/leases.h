/* leases.h: actions on leases. */
#pragma once
#include "kea.h"

/* Lower case with colons, out of any vendor's notation; NULL: no MAC address. Lives as long as the call. */
const char *lease_mac(struct ft_call *call, const char *text);

extern const struct ft_action dhcp_lease, dhcp_leases, dhcp_lease_delete, dhcp_leases_reclaim, dhcp_stale_leases_free, dhcp_declined_clear;
