/* wapi_changes.h: fixed addresses, ranges and the restart of services of Infoblox: the other half of actions whose first is in edits.c. */
#pragma once
#include "kea.h"

enum wapi_what { WAPI_RESERVE, WAPI_UNRESERVE, WAPI_EXTEND, WAPI_RESTART };

int wapi_change(struct ft_call *call, enum phase phase, enum wapi_what what, struct ft_err *reterr);
int wapi_reservation(struct ft_call *call, struct ft_err *reterr);

extern const struct ft_action dhcp_services_restart;
