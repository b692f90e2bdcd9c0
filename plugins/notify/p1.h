/* p1.h: the texts of a critical incident: first notice, updates, resolution. */
#pragma once
#include <fettle/plugin.h>

extern const struct ft_host *host;
extern const struct ft_action notify_p1_initial, notify_p1_update, notify_p1_resolved;
