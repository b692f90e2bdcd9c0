/* status.h: actions that look at the server and its pools. */
#pragma once
#include "kea.h"

extern const struct ft_action dhcp_server_status, dhcp_pool_use, dhcp_statistics, dhcp_config_get;
