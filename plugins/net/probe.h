/* probe.h: packets sent to see what comes back, of whom: an answer, "time exceeded", "too big", "unreachable", or nothing. For worker threads.
 *
 * Each probe has a socket of its own, so what comes to it belongs to it, and the kernel tells of ICMP errors by the socket's error queue: no privilege is needed for
 * UDP, and for ICMP echo none where net.ipv4.ping_group_range lets us. */
#pragma once
#include <netinet/in.h>
#include <stdatomic.h>
#include "net.h"

enum probe_method { PROBE_ICMP, PROBE_UDP };
enum probe_end {
    PROBE_WAITING, PROBE_SILENT,
    PROBE_ANSWER,              /* the target itself: an echo reply, or that nobody listens on the port */
    PROBE_EXPIRED,             /* a router: the hop limit ended there */
    PROBE_TOO_BIG,             /* a router, or this machine (local): mtu says what would fit */
    PROBE_UNREACHABLE,         /* somebody says that it goes no further: code says why */
    PROBE_FAILED,              /* it could not be sent: code is an errno */
};

struct probe {
    int fd;
    enum probe_end end;
    double sent_ms, rtt_ms;
    char from[INET6_ADDRSTRLEN];     /* who said so; empty: this machine, or nobody */
    int code, mtu;
};

struct probe_to { struct sockaddr_storage address; socklen_t len; char text[INET6_ADDRSTRLEN]; };

/* By name or address. family: 0, 4 or 6. On failure the sentence is in error. */
bool probe_resolve(const char *host, int family, struct probe_to *ret, char *error, size_t size);
/* Is ICMP echo allowed here without a raw socket? */
bool probe_may_icmp(const struct probe_to *to);
/* hops 0: as usual. size: of the whole IP packet, 0: small. whole: must not be cut into fragments. seq: for the port (UDP) and the packet. */
void probe_send(struct probe *p, const struct probe_to *to, enum probe_method method, int hops, size_t size, bool whole, unsigned seq);
/* Until none waits any more, or the time (net_now_ms) is over, or *stop: those that wait then are silent. */
void probe_await(struct probe *list, size_t count, double until_ms, const atomic_bool *stop);
void probe_close(struct probe *list, size_t count);
/* "10.0.0.1 says: host unreachable", or why it could not be sent. */
void probe_says(const struct probe *p, char *ret, size_t size);
