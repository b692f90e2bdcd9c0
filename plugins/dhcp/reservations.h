/* reservations.h: reserved addresses of clients. */
#pragma once
#include "kea.h"

extern const struct ft_action dhcp_reservation, dhcp_reservation_add, dhcp_reservation_del;
