/* raw.h: the two real wires of a DHCP client: a packet socket on an interface that needs no address, and the UDP socket of a relay. */
#pragma once
#include <fettle/err.h>
#include "exchange.h"

struct raw {
    int fd;
    int index;                               /* of the interface */
    uint32_t giaddr;                         /* relay: our address */
    uint8_t mac[6];                          /* of the interface */
    const atomic_bool *cancelled;            /* looked at every 100 ms */
};

/* FT_CLASS_NONE, or the class and one sentence. raw->fd is -1 after a failure. */
enum ft_class raw_open(struct raw *raw, const char *interface, char *why, size_t size);
enum ft_class raw_open_relay(struct raw *raw, uint32_t giaddr, char *why, size_t size);
struct wire raw_wire(struct raw *raw);
void raw_close(struct raw *raw);
/* IPv4 addresses of this host. */
size_t raw_own_addresses(uint32_t *ret, size_t max);
/* The MAC of an interface, without any privilege. */
bool raw_mac_of(const char *interface, uint8_t ret[6]);
