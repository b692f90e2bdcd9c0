/* packet.h: DHCPv4 messages (RFC 2131, 2132, 3396) and the IP and UDP around them, as bytes. libc only, and no input and output.
 *
 * Reading is bounded: a message is at most DHCP_MAX bytes, its options are copied once, in parts put together, and a message that runs
 * over its end is kept as far as it goes, with `malformed` set. Addresses are in host order, 0 where there is none. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DHCP_MAX = 2048,
    DHCP_MIN = 240,                /* up to the magic cookie */
    DHCP_ASK_MAX = 1400,           /* what we send */
    PACKET_MAX = DHCP_MAX + 60 + 8,
};
enum dhcp_type {
    DHCP_DISCOVER = 1, DHCP_OFFER, DHCP_REQUEST, DHCP_DECLINE, DHCP_ACK, DHCP_NAK, DHCP_RELEASE, DHCP_INFORM,
};
enum dhcp_code {
    OPT_MASK = 1, OPT_ROUTER = 3, OPT_DNS = 6, OPT_HOSTNAME = 12, OPT_DOMAIN = 15, OPT_MTU = 26, OPT_NTP = 42, OPT_REQUESTED = 50, OPT_LEASE = 51,
    OPT_OVERLOAD = 52, OPT_TYPE = 53, OPT_SERVER = 54, OPT_LIST = 55, OPT_MESSAGE = 56, OPT_MAX_SIZE = 57, OPT_RENEW = 58, OPT_REBIND = 59,
    OPT_VENDOR = 60, OPT_CLIENT = 61, OPT_TFTP = 66, OPT_BOOTFILE = 67, OPT_END = 255,
};

struct dhcp_message {
    uint8_t op, htype, hlen, hops;
    uint32_t xid;
    uint16_t secs, flags;
    uint32_t ciaddr, yiaddr, siaddr, giaddr;
    uint8_t chaddr[16];
    uint8_t type;                  /* enum dhcp_type; 0: BOOTP without one */
    bool malformed;                /* an option ran over the end: what stood before it is here */
    uint16_t at[256], len[256];    /* of each option in data; len counts only where there[] says so */
    bool there[256];
    uint8_t data[DHCP_MAX];
};

bool dhcp_parse(const uint8_t *bytes, size_t len, struct dhcp_message *ret);
/* NULL where the message does not have it. */
const uint8_t *dhcp_option(const struct dhcp_message *m, unsigned code, size_t *ret_len);
uint32_t dhcp_u32(const struct dhcp_message *m, unsigned code);              /* 0: absent or of another length */
size_t dhcp_addresses(const struct dhcp_message *m, unsigned code, uint32_t *ret, size_t max);
/* Printable ASCII, what is none becomes '?'; ends at a NUL. False: absent or empty. */
bool dhcp_text(const struct dhcp_message *m, unsigned code, char *ret, size_t size);
int dhcp_prefix(uint32_t mask);                                              /* 0…32; -1: no mask */

struct dhcp_ask {
    enum dhcp_type type;
    uint32_t xid;
    uint16_t secs;
    bool broadcast;
    uint8_t mac[6];
    uint32_t ciaddr, giaddr, requested, server;                              /* 0: not said */
    uint8_t client_id[64]; size_t client_id_len;                             /* 0: from the MAC address */
    char hostname[64], vendor[64];                                           /* "": not said */
    uint8_t wanted[64]; size_t wanted_len;                                   /* option 55 */
};
/* At least 300 bytes; 0: does not fit. */
size_t dhcp_build(const struct dhcp_ask *ask, uint8_t *out, size_t size);

struct udp_packet { uint32_t from, to; uint16_t from_port, to_port; const uint8_t *bytes; size_t len; };
/* IP and UDP headers, checksums and all; 0: does not fit. */
size_t udp_build(const struct udp_packet *packet, uint8_t *out, size_t size);
/* Points into `bytes`. False: not IPv4, not UDP, a fragment, or longer than it is. Checksums are not looked at: a virtual interface leaves them out. */
bool udp_parse(const uint8_t *bytes, size_t len, struct udp_packet *ret);
