/* hosts.h: reservations in Kea's host database, by the commands of libdhcp_host_cmds. */
#pragma once
#include "kea.h"

enum hosts_what { HOSTS_FIND, HOSTS_ADD, HOSTS_DEL };

/* Has this configuration a host database beside the reservations in itself? */
bool hosts_configured(const json_t *dhcp4);
/* Goes on from a configuration that was read; ends the call. */
void hosts_start(struct ft_call *call, enum phase phase, enum hosts_what what, const json_t *dhcp4);
