/* status.h: actions that look at the server and its pools. */
#pragma once
#include "kea.h"

/* "ok", "warning", "critical" or "exhausted", by the parameters warning_pct and critical_pct. */
const char *pool_level(const json_t *params, double pct, bool exhausted);

extern const struct ft_action dhcp_server_status, dhcp_pool_use, dhcp_subnets, dhcp_statistics;
