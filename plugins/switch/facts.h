/* facts.h: the values that every vendor's readers make, so that a playbook need not know the vendor. */
#pragma once
#include "session.h"

/* A port: every field of the result schema of switch.interface, all unknown (null) at first. */
json_t *port_blank(const char *name);
/* What makes a port an uplink: LAG member, a neighbour that switches or routes, many MAC addresses and nobody known.
 * Sets "uplink" and "uplink_why". capabilities: as LLDP tells ("Bridge, WLAN Access Point"); NULL: no neighbour. */
void port_judge(json_t *port, bool has_neighbor, const char *neighbor, const char *capabilities);

#define MAX_ACCESS_MACS 8
