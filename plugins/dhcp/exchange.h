/* exchange.h: what a DHCP client does to get an address: DISCOVER, the offers of everybody, REQUEST, ACK or NAK, RELEASE. libc only.
 *
 * It runs on a worker thread, and blocks. The wire is behind struct wire: raw.c has the real ones, a test has its own. */
#pragma once
#include <stdatomic.h>
#include "packet.h"

enum { MAX_OFFERS = 32, MAX_SERVERS = 16, MAX_OWN = 64 };

struct heard {
    struct dhcp_message message;
    uint32_t from;                           /* address that it came from */
    uint8_t from_mac[6]; bool has_mac;       /* of the server, or of the relay before it */
    uint64_t at_us;                          /* when it came, from the packet that it answers */
};

struct wire {
    void *arg;
    /* to 0: to everybody. to_mac: NULL where not known. Negative errno. */
    int (*send)(void *arg, const struct dhcp_ask *ask, uint32_t to, const uint8_t *to_mac);
    /* 1: a packet to a DHCP client (or to us as relay) came; 0: until_us is over or `stop` says so; negative errno. */
    int (*receive)(void *arg, uint64_t until_us, struct heard *ret);
    uint64_t (*now_us)(void *arg);
    bool (*stop)(void *arg);
};

enum outcome { GOT_NOTHING, GOT_OFFERS, GOT_ACK, GOT_NAK, GOT_SILENCE /* after an offer */, GOT_OWN /* an address that this host has already */ };

struct exchange {
    /* What is wanted. */
    struct dhcp_ask ask;                     /* mac, giaddr, client_id, hostname, vendor, wanted, requested, broadcast */
    uint32_t relay_server;                   /* with ask.giaddr */
    bool only_discover;
    uint32_t confirm;                        /* ask for this address at once, as a client does that comes back (INIT-REBOOT); 0: discover first */
    uint32_t prefer[MAX_SERVERS]; size_t prefer_count;       /* servers whose offer is taken first */
    uint32_t own[MAX_OWN]; size_t own_count;                 /* addresses of this host: never asked for, never given back */
    uint64_t window_us, timeout_us;
    unsigned tries;

    /* What came. */
    enum outcome outcome;
    int error;                               /* negative errno: the wire broke; the rest counts as far as it goes */
    struct heard offers[MAX_OFFERS]; size_t offer_count;
    bool more_offers;                        /* there were more than MAX_OFFERS */
    size_t taken;                            /* index of the offer that was asked for */
    struct heard answer;                     /* the ACK or the NAK */
    unsigned discovers, requests;            /* packets sent */
    uint64_t discover_us, request_us;        /* from the first packet to its first answer */
    bool released;
};

/* The server that a message names, else where it came from. */
uint32_t server_of(const struct heard *heard);
void exchange_run(struct exchange *x, const struct wire *wire);
