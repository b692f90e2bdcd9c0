/* probe.h: a DHCP client for a moment. */
#pragma once
#include "kea.h"

extern const struct ft_action dhcp_probe, dhcp_offers;
