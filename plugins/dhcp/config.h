/* config.h: the server's configuration as a whole: test, set, write, keep a copy, put a copy back. */
#pragma once
#include "kea.h"

extern const struct ft_action dhcp_config_get, dhcp_config_test, dhcp_config_set, dhcp_config_restore, dhcp_config_write, dhcp_config_backup;
