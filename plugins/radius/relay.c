/* relay.c: a RADIUS proxy for one check, on loopback: eapol_test speaks to it with a secret that lives as long as the check, and it speaks to the server
 * with the real one, which so never stands on a command line. Keys in the answer are taken out of one secret and put under the other.
 *
 * It runs on a worker thread with sockets of its own. It also sees what eapol_test does not say: why nothing came, and what the Access-Accept held. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "radius.h"

struct rad_relay {
    struct rad_peer peer;                         /* its texts are copies */
    struct rad_packet extra;                      /* attributes that go into every request */
    int front, back, stop;                        /* sockets, eventfd */
    unsigned timeout_ms;
    char secret[RAD_RELAY_SECRET];
    struct sockaddr_in client;                    /* eapol_test */
    struct rad_packet asked, forwarded, last;     /* from it; to the server; the server's last genuine answer */
    struct rad_relay_seen seen;
};

/* ---- packets */

static bool is_nas(unsigned type)
{
    return type == RAD_A_NAS_IP || type == RAD_A_NAS_IDENTIFIER || type == RAD_A_NAS_IPV6;
}

/* As rad_begin, but with the identifier and authenticator of another packet. */
static bool begin_like(struct rad_packet *ret, const struct rad_packet *like)
{
    if (!rad_begin(ret, RAD_ACCESS_REQUEST))
        return false;
    memcpy(ret->bytes, like->bytes, 2);
    memcpy(ret->bytes + 4, like->bytes + 4, RAD_AUTH);
    return true;
}

bool rad_relay_forward(struct rad_relay *relay, const void *bytes, size_t len, struct rad_packet *ret)
{
    struct rad_packet in;
    struct rad_attr ours;

    if (!rad_read(&in, bytes, len) || in.bytes[0] != RAD_ACCESS_REQUEST || !rad_verify_request(&in, relay->secret))
        return false;
    if (relay->asked.len && memcmp(relay->asked.bytes, in.bytes, RAD_HEADER) == 0) {      /* once more the same */
        *ret = relay->forwarded;
        return true;
    }
    if (!begin_like(ret, &in))
        return false;
    for (size_t at = RAD_HEADER; at < in.len; at += in.bytes[at + 1]) {
        unsigned type = in.bytes[at];

        if (type != RAD_A_MESSAGE_AUTHENTICATOR && !is_nas(type) && (type == RAD_A_VENDOR || !rad_find(&relay->extra, 0, type, &ours)))
            rad_add(ret, type, in.bytes + at + 2, in.bytes[at + 1] - 2u);
    }
    rad_add_nas(ret, &relay->peer);
    for (size_t at = RAD_HEADER; at < relay->extra.len; at += relay->extra.bytes[at + 1])
        if (relay->extra.bytes[at] != RAD_A_MESSAGE_AUTHENTICATOR)
            rad_add(ret, relay->extra.bytes[at], relay->extra.bytes + at + 2, relay->extra.bytes[at + 1] - 2u);
    if (ret->overflow)
        return false;
    rad_sign(ret, relay->peer.secret);
    relay->asked = in;
    relay->forwarded = *ret;
    relay->seen.asked++;
    return true;
}

/* MS-MPPE-Send-Key and -Recv-Key: a salt, then octets under the secret. value is what follows the vendor's number. */
static void rekey(const struct rad_relay *relay, uint8_t *value, size_t len)
{
    const uint8_t *auth = relay->forwarded.bytes + 4;

    for (size_t at = 0; at + 2 <= len && value[at + 1] >= 2 && value[at + 1] <= len - at; at += value[at + 1]) {
        uint8_t *key = value + at + 2;
        size_t n = value[at + 1] - 2u;

        if ((value[at] != 16 && value[at] != 17) || n < 2 + 16)
            continue;
        rad_salt_crypt(key + 2, n - 2, key, auth, relay->peer.secret, true);
        rad_salt_crypt(key + 2, n - 2, key, auth, relay->secret, false);
    }
}

bool rad_relay_back(struct rad_relay *relay, const void *bytes, size_t len, struct rad_packet *ret)
{
    static const uint8_t microsoft[4] = { 0, 0, RAD_V_MICROSOFT >> 8, RAD_V_MICROSOFT & 0xff };
    struct rad_packet in;

    if (!relay->forwarded.len || !rad_read(&in, bytes, len))
        return false;
    switch (rad_verify_answer(&in, &relay->forwarded, relay->peer.secret, relay->peer.need_ma)) {
    case RAD_STRANGER: return false;
    case RAD_FORGED: relay->seen.forged++; return false;
    case RAD_UNSIGNED: relay->seen.unsigned_++; return false;
    case RAD_GENUINE: break;
    }
    relay->seen.answered++;
    relay->last = in;
    relay->seen.last = &relay->last;
    if (!begin_like(ret, &relay->asked))
        return false;
    ret->bytes[0] = in.bytes[0];
    for (size_t at = RAD_HEADER; at < in.len; at += in.bytes[at + 1]) {
        uint8_t *value = in.bytes + at + 2;
        size_t n = in.bytes[at + 1] - 2u;

        if (in.bytes[at] == RAD_A_MESSAGE_AUTHENTICATOR)
            continue;
        if (in.bytes[at] == RAD_A_VENDOR && n > 4 && memcmp(value, microsoft, 4) == 0)
            rekey(relay, value + 4, n - 4);
        rad_add(ret, in.bytes[at], value, n);
    }
    rad_sign_answer(ret, relay->asked.bytes + 4, relay->secret);
    return !ret->overflow;
}

/* ---- sockets */

static char *copy(const char *text)
{
    return text ? strdup(text) : NULL;
}

struct rad_relay *rad_relay_new(const struct rad_peer *peer, const struct rad_packet *extra, unsigned timeout_ms, struct ft_err *reterr)
{
    struct rad_relay *relay = calloc(1, sizeof(*relay));
    struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    uint8_t dice[16];

    if (!relay) {
        ft_err_set(reterr, -ENOMEM, "out of memory");
        return NULL;
    }
    relay->peer = *peer;
    relay->peer.name = NULL;
    relay->peer.host = copy(peer->host);
    relay->peer.secret = copy(peer->secret);
    relay->peer.nas_ip = copy(peer->nas_ip);
    relay->peer.nas_identifier = copy(peer->nas_identifier);
    relay->extra = *extra;
    relay->timeout_ms = timeout_ms;
    relay->back = -1;
    relay->front = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    relay->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (relay->front < 0 || relay->stop < 0 || bind(relay->front, (struct sockaddr *)&here, sizeof(here)) < 0 || !rad_random(dice, sizeof(dice))) {
        ft_err_set(reterr, -errno, "no socket on 127.0.0.1 for eapol_test: %s", strerror(errno));
        rad_relay_free(relay);
        return NULL;
    }
    for (size_t i = 0; i < sizeof(dice); i++)
        snprintf(relay->secret + 2 * i, 3, "%02x", dice[i]);
    return relay;
}

uint16_t rad_relay_port(const struct rad_relay *relay)
{
    struct sockaddr_in at = { 0 };
    socklen_t len = sizeof(at);

    getsockname(relay->front, (struct sockaddr *)&at, &len);
    return ntohs(at.sin_port);
}

const char *rad_relay_secret(const struct rad_relay *relay)
{
    return relay->secret;
}

struct rad_relay_seen rad_relay_seen(const struct rad_relay *relay)
{
    return relay->seen;
}

static void connect_back(struct rad_relay *relay)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICSERV };
    struct addrinfo *found = NULL;
    char port[8];

    snprintf(port, sizeof(port), "%u", relay->peer.port);
    if (getaddrinfo(relay->peer.host, port, &hints, &found) != 0) {
        relay->seen.unresolved = true;
        return;
    }
    relay->back = socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (relay->back < 0 || connect(relay->back, found->ai_addr, found->ai_addrlen) < 0)
        relay->seen.refused = true;
    freeaddrinfo(found);
}

/* So that eapol_test ends at once where nobody will answer. */
static void reject(struct rad_relay *relay)
{
    struct rad_packet answer;

    if (!relay->asked.len || !begin_like(&answer, &relay->asked))
        return;
    answer.bytes[0] = RAD_ACCESS_REJECT;
    rad_sign_answer(&answer, relay->asked.bytes + 4, relay->secret);
    (void)!sendto(relay->front, answer.bytes, answer.len, 0, (struct sockaddr *)&relay->client, sizeof(relay->client));
}

static void from_front(struct rad_relay *relay)
{
    uint8_t bytes[RAD_MAX];
    struct rad_packet out;
    socklen_t len = sizeof(relay->client);
    ssize_t n = recvfrom(relay->front, bytes, sizeof(bytes), 0, (struct sockaddr *)&relay->client, &len);

    if (n <= 0 || !rad_relay_forward(relay, bytes, (size_t)n, &out))
        return;
    if (relay->seen.unresolved || relay->seen.refused || (send(relay->back, out.bytes, out.len, 0) < 0 && errno == ECONNREFUSED)) {
        relay->seen.refused = !relay->seen.unresolved;
        reject(relay);
    }
}

static void from_back(struct rad_relay *relay)
{
    uint8_t bytes[RAD_MAX];
    struct rad_packet out;
    ssize_t n = recv(relay->back, bytes, sizeof(bytes), 0);

    if (n < 0 && errno == ECONNREFUSED) {
        relay->seen.refused = true;
        reject(relay);
    } else if (n > 0 && rad_relay_back(relay, bytes, (size_t)n, &out)) {
        (void)!sendto(relay->front, out.bytes, out.len, 0, (struct sockaddr *)&relay->client, sizeof(relay->client));
    }
}

static int64_t clock_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void rad_relay_run(void *arg)
{
    struct rad_relay *relay = arg;
    int64_t end = clock_ms() + relay->timeout_ms;

    connect_back(relay);
    for (;;) {
        struct pollfd fds[3] = { { relay->stop, POLLIN, 0 }, { relay->front, POLLIN, 0 }, { relay->back, POLLIN, 0 } };
        int64_t left = end - clock_ms();

        if (left <= 0 || poll(fds, 3, (int)left) < 0 || fds[0].revents)
            return;
        if (fds[1].revents)
            from_front(relay);
        if (fds[2].revents)
            from_back(relay);
    }
}

void rad_relay_stop(struct rad_relay *relay)
{
    const uint64_t one = 1;

    (void)!write(relay->stop, &one, sizeof(one));
}

void rad_relay_free(void *arg)
{
    struct rad_relay *relay = arg;

    if (!relay)
        return;
    if (relay->front >= 0)
        close(relay->front);
    if (relay->back >= 0)
        close(relay->back);
    if (relay->stop >= 0)
        close(relay->stop);
    free((char *)relay->peer.host);
    if (relay->peer.secret)
        explicit_bzero((char *)relay->peer.secret, strlen(relay->peer.secret));
    free((char *)relay->peer.secret);
    free((char *)relay->peer.nas_ip);
    free((char *)relay->peer.nas_identifier);
    free(relay);
}
