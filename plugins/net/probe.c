/* probe.c: packets sent to see what comes back. */
#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <netdb.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "probe.h"

#define FIRST_PORT 33434
#define TICK_MS 100
#define MAX_SIZE 65535

/* ---- Where to ---- */

static void address_text(const struct sockaddr *address, char *ret, size_t size)
{
    if (address->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, ret, (socklen_t)size);
    else
        inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, ret, (socklen_t)size);
}

bool probe_resolve(const char *name, int family, struct probe_to *ret, char *error, size_t size)
{
    struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_family = family == 6 ? AF_INET6 : family == 4 ? AF_INET : AF_UNSPEC }, *list = NULL;
    int r = getaddrinfo(name, NULL, &hints, &list);

    if (r != 0) {
        snprintf(error, size, "%s", gai_strerror(r));
        return false;
    }
    memset(ret, 0, sizeof(*ret));
    memcpy(&ret->address, list->ai_addr, list->ai_addrlen);
    ret->len = list->ai_addrlen;
    address_text(list->ai_addr, ret->text, sizeof(ret->text));
    freeaddrinfo(list);
    return true;
}

static bool is_v6(const struct probe_to *to)
{
    return to->address.ss_family == AF_INET6;
}

bool probe_may_icmp(const struct probe_to *to)
{
    int fd = socket(to->address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, is_v6(to) ? IPPROTO_ICMPV6 : IPPROTO_ICMP);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* ---- Sending ---- */

static int set(int fd, bool v6, int v4_option, int v6_option, int value)
{
    return setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? v6_option : v4_option, &value, sizeof(value));
}

static int open_probe(const struct probe_to *to, enum probe_method method, int hops, bool whole, unsigned seq)
{
    struct sockaddr_storage address = to->address;
    bool v6 = is_v6(to);
    int protocol = method == PROBE_UDP ? IPPROTO_UDP : v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
    int fd = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol), error;

    if (fd < 0)
        return -errno;
    if (method == PROBE_UDP && v6)
        ((struct sockaddr_in6 *)&address)->sin6_port = htons((uint16_t)(FIRST_PORT + seq % 30000));
    else if (method == PROBE_UDP)
        ((struct sockaddr_in *)&address)->sin_port = htons((uint16_t)(FIRST_PORT + seq % 30000));
    set(fd, v6, IP_RECVERR, IPV6_RECVERR, 1);
    if (hops)
        set(fd, v6, IP_TTL, IPV6_UNICAST_HOPS, hops);
    set(fd, v6, IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, whole ? (v6 ? IPV6_PMTUDISC_PROBE : IP_PMTUDISC_PROBE) : (v6 ? IPV6_PMTUDISC_DONT : IP_PMTUDISC_DONT));
    if (connect(fd, (struct sockaddr *)&address, to->len) == 0)
        return fd;
    error = errno;
    close(fd);
    return -error;
}

/* An echo request or a datagram. The kernel sets the id and the checksum of ICMP. */
static size_t make_packet(uint8_t *packet, bool v6, enum probe_method method, size_t size, unsigned seq)
{
    size_t headers = (v6 ? 40 : 20) + 8, payload = size > headers ? size - headers : 32;

    if (payload > MAX_SIZE - headers)
        payload = MAX_SIZE - headers;
    for (size_t i = 0; i < payload + 8; i++)
        packet[i] = (uint8_t)('@' + i % 64);
    if (method == PROBE_UDP)
        return payload;
    memset(packet, 0, 8);
    packet[0] = v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
    packet[6] = (uint8_t)(seq >> 8);
    packet[7] = (uint8_t)seq;
    return payload + 8;
}

static void finish(struct probe *p, enum probe_end end, int code)
{
    p->end = end;
    p->code = code;
    p->rtt_ms = net_now_ms() - p->sent_ms;
}

static bool read_error(struct probe *p, bool v6);

void probe_send(struct probe *p, const struct probe_to *to, enum probe_method method, int hops, size_t size, bool whole, unsigned seq)
{
    uint8_t *packet = malloc(MAX_SIZE);
    size_t len;

    memset(p, 0, sizeof(*p));
    p->fd = packet ? open_probe(to, method, hops, whole, seq) : -ENOMEM;
    p->sent_ms = net_now_ms();
    if (p->fd < 0) {
        finish(p, PROBE_FAILED, -p->fd);
        p->fd = -1;
        free(packet);
        return;
    }
    len = make_packet(packet, is_v6(to), method, size, seq);
    if (send(p->fd, packet, len, 0) < 0) {
        int error = errno;

        if (error != EMSGSIZE || !read_error(p, is_v6(to)))
            finish(p, error == EMSGSIZE ? PROBE_TOO_BIG : error == EHOSTUNREACH || error == ENETUNREACH ? PROBE_UNREACHABLE : PROBE_FAILED, error);
    }
    free(packet);
}

/* ---- What comes back ---- */

static enum probe_end meaning(const struct sock_extended_err *e, bool v6)
{
    if (e->ee_origin == SO_EE_ORIGIN_LOCAL)
        return e->ee_errno == EMSGSIZE ? PROBE_TOO_BIG : e->ee_errno == EHOSTUNREACH ? PROBE_UNREACHABLE : PROBE_FAILED;
    if (v6) {
        return e->ee_type == ICMP6_TIME_EXCEEDED ? PROBE_EXPIRED : e->ee_type == ICMP6_PACKET_TOO_BIG ? PROBE_TOO_BIG
             : e->ee_type == ICMP6_DST_UNREACH && e->ee_code == ICMP6_DST_UNREACH_NOPORT ? PROBE_ANSWER : PROBE_UNREACHABLE;
    }
    return e->ee_type == ICMP_TIME_EXCEEDED ? PROBE_EXPIRED : e->ee_type == ICMP_DEST_UNREACH && e->ee_code == ICMP_FRAG_NEEDED ? PROBE_TOO_BIG
         : e->ee_type == ICMP_DEST_UNREACH && e->ee_code == ICMP_PORT_UNREACH ? PROBE_ANSWER : PROBE_UNREACHABLE;
}

static void take_error(struct probe *p, const struct sock_extended_err *e, bool v6)
{
    const struct sockaddr *offender = SO_EE_OFFENDER(e);

    if (e->ee_origin != SO_EE_ORIGIN_LOCAL && (offender->sa_family == AF_INET || offender->sa_family == AF_INET6))
        address_text(offender, p->from, sizeof(p->from));
    finish(p, meaning(e, v6), e->ee_origin == SO_EE_ORIGIN_LOCAL ? (int)e->ee_errno : (int)(e->ee_type << 8 | e->ee_code));
    if (p->end == PROBE_TOO_BIG)
        p->mtu = e->ee_info <= MAX_SIZE ? (int)e->ee_info : 0;
}

static bool read_error(struct probe *p, bool v6)
{
    union { char bytes[512]; struct cmsghdr align; } control;
    char data[64];
    struct iovec iov = { data, sizeof(data) };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes) };

    if (recvmsg(p->fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
        return false;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
        bool four = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR, six = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR;

        if ((four || six) && c->cmsg_len >= CMSG_LEN(sizeof(struct sock_extended_err))) {
            take_error(p, (const struct sock_extended_err *)CMSG_DATA(c), v6);
            return true;
        }
    }
    return false;
}

/* The socket is connected, so what comes is from the target; on an ICMP socket the kernel gives us only replies to our own. */
static void read_answer(struct probe *p, int family)
{
    uint8_t data[256];
    struct sockaddr_storage from = { 0 };
    socklen_t len = sizeof(from);
    ssize_t n = recvfrom(p->fd, data, sizeof(data), MSG_DONTWAIT, (struct sockaddr *)&from, &len);

    (void)family;
    if (n < 0)
        return;
    finish(p, PROBE_ANSWER, 0);
    address_text((struct sockaddr *)&from, p->from, sizeof(p->from));
}

static void look(struct probe *p, short events)
{
    struct sockaddr_storage self = { 0 };
    socklen_t len = sizeof(self);

    getsockname(p->fd, (struct sockaddr *)&self, &len);
    if (events & POLLERR)
        read_error(p, self.ss_family == AF_INET6);
    if (p->end == PROBE_WAITING && (events & POLLIN))
        read_answer(p, self.ss_family);
}

enum { MAX_AT_ONCE = 64 };

static size_t waiting(struct probe *list, size_t count, struct pollfd *fds, struct probe **of)
{
    size_t n = 0;

    for (size_t i = 0; i < count && n < MAX_AT_ONCE; i++) {
        if (list[i].end == PROBE_WAITING) {
            of[n] = &list[i];
            fds[n++] = (struct pollfd){ .fd = list[i].fd, .events = POLLIN };
        }
    }
    return n;
}

void probe_await(struct probe *list, size_t count, double until_ms, const atomic_bool *stop)
{
    struct pollfd fds[MAX_AT_ONCE];
    struct probe *of[MAX_AT_ONCE];
    double left;
    size_t n;

    while ((n = waiting(list, count, fds, of)) > 0 && (left = until_ms - net_now_ms()) > 0 && !atomic_load(stop)) {
        if (poll(fds, n, left < TICK_MS ? (int)left + 1 : TICK_MS) <= 0)
            continue;
        for (size_t i = 0; i < n; i++) {
            if (fds[i].revents)
                look(of[i], fds[i].revents);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (list[i].end == PROBE_WAITING)
            list[i].end = PROBE_SILENT;
    }
}

void probe_close(struct probe *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i].fd >= 0)
            close(list[i].fd);
        list[i].fd = -1;
    }
}

/* ---- In words ---- */

static const char *reason(int type, int code, bool v6)
{
    static const char *const four[] = { "network unreachable", "host unreachable", "protocol unreachable", "port unreachable", "too big", "source route failed", "network unknown",
        "host unknown", "source isolated", "network administratively prohibited", "host administratively prohibited", "network unreachable for this type of service",
        "host unreachable for this type of service", "communication administratively prohibited" };
    static const char *const six[] = { "no route to it", "administratively prohibited", "beyond the scope of the source address", "address unreachable", "port unreachable",
        "source address failed a policy", "route rejected" };
    size_t count = v6 ? sizeof(six) / sizeof(six[0]) : sizeof(four) / sizeof(four[0]);

    if (type != (v6 ? ICMP6_DST_UNREACH : ICMP_DEST_UNREACH) || code < 0 || (size_t)code >= count)
        return NULL;
    return v6 ? six[code] : four[code];
}

void probe_says(const struct probe *p, char *ret, size_t size)
{
    const char *why = *p->from ? reason(p->code >> 8, p->code & 0xff, strchr(p->from, ':') != NULL) : NULL;

    switch (p->end) {
    case PROBE_UNREACHABLE:
        if (*p->from && why)
            snprintf(ret, size, "%s says: %s", p->from, why);
        else if (*p->from)
            snprintf(ret, size, "%s says ICMP type %d code %d", p->from, p->code >> 8, p->code & 0xff);
        else
            snprintf(ret, size, "%s", strerror(p->code));
        break;
    case PROBE_FAILED: snprintf(ret, size, "%s", strerror(p->code)); break;
    case PROBE_EXPIRED: snprintf(ret, size, "%s says: time to live exceeded", p->from); break;
    case PROBE_TOO_BIG: snprintf(ret, size, "%s says: larger than %d bytes, and may not be cut", *p->from ? p->from : "this machine", p->mtu); break;
    case PROBE_SILENT: case PROBE_WAITING: snprintf(ret, size, "no reply"); break;
    case PROBE_ANSWER: snprintf(ret, size, "%s answers", p->from); break;
    }
}
