/* leases.h: actions on leases. */
#pragma once
#include "kea.h"

extern const struct ft_action dhcp_lease, dhcp_leases, dhcp_lease_delete, dhcp_leases_reclaim, dhcp_stale_leases_free, dhcp_declined_clear;
