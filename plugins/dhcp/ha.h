/* ha.h: the high-availability pair. */
#pragma once
#include "kea.h"

extern const struct ft_action dhcp_ha_status, dhcp_ha_maintenance_start, dhcp_ha_maintenance_cancel;
