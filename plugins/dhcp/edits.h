/* edits.h: changes of the server's configuration: read it, edit a copy, test, set, write. */
#pragma once
#include "kea.h"

extern const struct ft_action dhcp_pool_extend, dhcp_reservation, dhcp_reservation_add, dhcp_reservation_del;

/* Makes the host redact every password of a Kea configuration from now on. False: one is masked already, so the configuration
 * cannot be sent back. */
bool hide_passwords(struct ft_call *call, const json_t *config);
const char *config_digest(struct ft_call *call, const json_t *config);
