/* service.h: stop answering clients for a while, and answer again. */
#pragma once
#include "kea.h"

extern const struct ft_action dhcp_disable, dhcp_enable;
