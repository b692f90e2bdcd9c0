/* raw.c: sockets for DHCP.
 *
 * On an interface: a packet socket, which needs no address there and works beside a DHCP client that has port 68. Frames keep the interface's
 * own MAC as their sender, whatever client is played: a second MAC on the port would offend its port security. */
#include "raw.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/filter.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CLIENT_PORT = 68, SERVER_PORT = 67, LOOK_MS = 100 };

static uint64_t now_us(void *arg)
{
    struct timespec t;

    (void)arg;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static bool stop(void *arg)
{
    const struct raw *raw = arg;

    return atomic_load(raw->cancelled);
}

/* ---- Opening ---- */

static enum ft_class fault(enum ft_class class, char *why, size_t size, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
static enum ft_class fault(enum ft_class class, char *why, size_t size, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, size, fmt, ap);
    va_end(ap);
    return class;
}

static enum ft_class denied(const char *what, const char *capability, char *why, size_t size)
{
    char program[256];
    ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

    program[n > 0 ? n : 0] = '\0';
    return fault(FT_DENIED, why, size, "%s needs the capability %s: run `setcap %s+ep %s` as root once, or run fettle as root", what, capability,
                 capability, n > 0 ? program : "fettle");
}

/* Only UDP to port 68 wakes us up, on however busy an interface. */
static int filter(int fd)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 17, 0, 6),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 4, 0),
        BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CLIENT_PORT, 0, 1), BPF_STMT(BPF_RET | BPF_K, 0x40000), BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno : 0;
}

static enum ft_class look_at_interface(struct raw *raw, const char *interface, char *why, size_t size)
{
    struct ifreq req = { 0 };

    if (strlen(interface) >= sizeof(req.ifr_name))
        return fault(FT_INVALID, why, size, "'%s' is no name of an interface: it has at most %zu letters", interface, sizeof(req.ifr_name) - 1);
    strcpy(req.ifr_name, interface);
    if (ioctl(raw->fd, SIOCGIFINDEX, &req) < 0)
        return fault(FT_NOT_FOUND, why, size, "this host has no interface '%s'", interface);
    raw->index = req.ifr_ifindex;
    if (ioctl(raw->fd, SIOCGIFFLAGS, &req) < 0 || !(req.ifr_flags & IFF_UP))
        return fault(FT_UNREACHABLE, why, size, "the interface %s is down: set it up first (ip link set %s up)", interface, interface);
    if (!(req.ifr_flags & IFF_RUNNING))
        return fault(FT_UNREACHABLE, why, size, "the interface %s has no link: look at its cable and at the switch's port", interface);
    if (ioctl(raw->fd, SIOCGIFHWADDR, &req) < 0 || req.ifr_hwaddr.sa_family != ARPHRD_ETHER)
        return fault(FT_INVALID, why, size, "the interface %s is no Ethernet: a DHCP client cannot be played there", interface);
    memcpy(raw->mac, req.ifr_hwaddr.sa_data, sizeof(raw->mac));
    return FT_CLASS_NONE;
}

enum ft_class raw_open(struct raw *raw, const char *interface, char *why, size_t size)
{
    struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP) };
    enum ft_class class;

    raw->fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);       /* protocol 0: nothing comes before the filter is there */
    if (raw->fd < 0)
        return errno == EPERM || errno == EACCES ? denied("a probe from an interface", "cap_net_raw", why, size)
                                                 : fault(FT_REFUSED, why, size, "a packet socket could not be opened: %s", strerror(errno));
    class = look_at_interface(raw, interface, why, size);
    at.sll_ifindex = raw->index;
    if (class == FT_CLASS_NONE && (filter(raw->fd) < 0 || bind(raw->fd, (struct sockaddr *)&at, sizeof(at)) < 0))
        class = fault(FT_UNREACHABLE, why, size, "the packet socket on %s could not be bound: %s", interface, strerror(errno));
    if (class != FT_CLASS_NONE)
        raw_close(raw);
    return class;
}

enum ft_class raw_open_relay(struct raw *raw, uint32_t giaddr, char *why, size_t size)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(SERVER_PORT), .sin_addr = { htonl(giaddr) } };
    enum ft_class class = FT_CLASS_NONE;
    char text[INET_ADDRSTRLEN];
    int on = 1;

    inet_ntop(AF_INET, &at.sin_addr, text, sizeof(text));
    raw->giaddr = giaddr;
    raw->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (raw->fd < 0)
        return fault(FT_REFUSED, why, size, "a UDP socket could not be opened: %s", strerror(errno));
    setsockopt(raw->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(raw->fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
        if (errno == EACCES || errno == EPERM)
            class = denied("a probe as a relay (UDP port 67)", "cap_net_bind_service", why, size);
        else if (errno == EADDRNOTAVAIL)
            class = fault(FT_INVALID, why, size, "giaddr %s is no address of this host, so no answer would come back to it", text);
        else
            class = fault(FT_CONFLICT, why, size, "UDP port 67 of %s cannot be had (%s): does a DHCP server or relay run on this host?", text, strerror(errno));
        raw_close(raw);
    }
    return class;
}

void raw_close(struct raw *raw)
{
    if (raw->fd >= 0)
        close(raw->fd);
    raw->fd = -1;
}

size_t raw_own_addresses(uint32_t *ret, size_t max)
{
    struct ifaddrs *all = NULL;
    size_t n = 0;

    if (getifaddrs(&all) < 0)
        return 0;
    for (const struct ifaddrs *a = all; a && n < max; a = a->ifa_next) {
        if (a->ifa_addr && a->ifa_addr->sa_family == AF_INET)
            ret[n++] = ntohl(((const struct sockaddr_in *)(const void *)a->ifa_addr)->sin_addr.s_addr);
    }
    freeifaddrs(all);
    return n;
}

/* ---- Sending and receiving ---- */

static int sent(ssize_t n)
{
    return n < 0 ? -errno : 0;
}

static int send_frame(const struct raw *raw, const struct dhcp_ask *ask, const uint8_t *bytes, size_t len, uint32_t to, const uint8_t *to_mac)
{
    static const uint8_t everybody[6] = { 255, 255, 255, 255, 255, 255 };
    struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = raw->index, .sll_halen = 6 };
    struct udp_packet packet = { .from = ask->ciaddr, .to = to ? to : 0xffffffffu, .from_port = CLIENT_PORT, .to_port = SERVER_PORT, .bytes = bytes, .len = len };
    uint8_t frame[PACKET_MAX];
    size_t n = udp_build(&packet, frame, sizeof(frame));

    memcpy(at.sll_addr, to && to_mac ? to_mac : everybody, 6);
    return n ? sent(sendto(raw->fd, frame, n, 0, (struct sockaddr *)&at, sizeof(at))) : -EMSGSIZE;
}

static int raw_send(void *arg, const struct dhcp_ask *ask, uint32_t to, const uint8_t *to_mac)
{
    const struct raw *raw = arg;
    struct sockaddr_in server = { .sin_family = AF_INET, .sin_port = htons(SERVER_PORT), .sin_addr = { htonl(to) } };
    uint8_t bytes[DHCP_ASK_MAX];
    size_t len = dhcp_build(ask, bytes, sizeof(bytes));

    if (!len)
        return -EMSGSIZE;
    if (raw->giaddr)
        return sent(sendto(raw->fd, bytes, len, 0, (struct sockaddr *)&server, sizeof(server)));
    return send_frame(raw, ask, bytes, len, to, to_mac);
}

static bool read_frame(const struct raw *raw, struct heard *ret)
{
    uint8_t bytes[PACKET_MAX];
    struct sockaddr_ll from = { 0 };
    socklen_t size = sizeof(from);
    struct udp_packet packet;
    ssize_t n = recvfrom(raw->fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &size);

    if (n <= 0 || from.sll_pkttype == PACKET_OUTGOING || !udp_parse(bytes, (size_t)n, &packet) || packet.to_port != CLIENT_PORT)
        return false;
    ret->from = packet.from;
    ret->has_mac = from.sll_halen == 6;
    memcpy(ret->from_mac, from.sll_addr, 6);
    return dhcp_parse(packet.bytes, packet.len, &ret->message);
}

static bool read_datagram(const struct raw *raw, struct heard *ret)
{
    uint8_t bytes[DHCP_MAX + 1];
    struct sockaddr_in from = { 0 };
    socklen_t size = sizeof(from);
    ssize_t n = recvfrom(raw->fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &size);

    ret->from = ntohl(from.sin_addr.s_addr);
    ret->has_mac = false;
    return n > 0 && dhcp_parse(bytes, (size_t)n, &ret->message);
}

static int raw_receive(void *arg, uint64_t until_us, struct heard *ret)
{
    const struct raw *raw = arg;

    for (;;) {
        struct pollfd ready = { .fd = raw->fd, .events = POLLIN };
        uint64_t now = now_us(NULL);
        int wait_ms, n;

        if (now >= until_us || stop(arg))
            return 0;
        wait_ms = (int)((until_us - now + 999) / 1000 < LOOK_MS ? (until_us - now + 999) / 1000 : LOOK_MS);
        n = poll(&ready, 1, wait_ms);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0 && (raw->giaddr ? read_datagram(raw, ret) : read_frame(raw, ret))) {
            ret->at_us = now_us(NULL);
            return 1;
        }
        if (n > 0 && ready.revents & POLLERR) {
            int error = 0;
            socklen_t size = sizeof(error);

            if (getsockopt(raw->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error && error != ECONNREFUSED)
                return -error;
        }
    }
}

struct wire raw_wire(struct raw *raw)
{
    return (struct wire){ .arg = raw, .send = raw_send, .receive = raw_receive, .now_us = now_us, .stop = stop };
}

bool raw_mac_of(const char *interface, uint8_t ret[6])
{
    struct ifreq req = { 0 };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool there = false;

    if (fd >= 0 && strlen(interface) < sizeof(req.ifr_name)) {
        strcpy(req.ifr_name, interface);
        there = ioctl(fd, SIOCGIFHWADDR, &req) == 0;
        memcpy(ret, req.ifr_hwaddr.sa_data, 6);
    }
    if (fd >= 0)
        close(fd);
    return there;
}
