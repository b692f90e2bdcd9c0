/* dns.c: the name server of the lab's network, on loopback UDP. It knows names below corp.example and answers A with an address of
 * the lab; with dns_broken it says SERVFAIL, or nothing. */
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lab.h"

enum { HEADER = 12, NXDOMAIN = 3, SERVFAIL = 2 };

int lab_dns_open(struct lab *lab, struct ft_err *reterr)
{
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || getsockname(fd, (struct sockaddr *)&addr, &len) < 0) {
        int code = errno;

        if (fd >= 0)
            close(fd);
        return ft_err_set(reterr, -code, "cannot open a UDP socket on loopback: %s", strerror(code));
    }
    lab->dns_port = ntohs(addr.sin_port);
    return fd;
}

/* "3www4corp7example0" to "www.corp.example"; returns the bytes it took, 0: not a name. */
static size_t read_name(const uint8_t *at, size_t left, char *ret, size_t size)
{
    size_t used = 0, out = 0;

    while (used < left && at[used]) {
        size_t n = at[used];

        if (n > 63 || used + 1 + n >= left || out + n + 2 > size)
            return 0;
        if (out)
            ret[out++] = '.';
        memcpy(ret + out, at + used + 1, n);
        out += n;
        used += n + 1;
    }
    ret[out] = '\0';
    return used < left ? used + 1 : 0;
}

static bool ours(const char *name)
{
    size_t n = strlen(name), suffix = strlen("corp.example");

    return n >= suffix && strcasecmp(name + n - suffix, "corp.example") == 0;
}

void lab_dns_answer(struct lab *lab, int fd)
{
    uint8_t packet[512 + 16];
    char name[256];
    struct sockaddr_in from;
    socklen_t from_len = sizeof(from);
    ssize_t len = recvfrom(fd, packet, 512, 0, (struct sockaddr *)&from, &from_len);
    size_t question;
    bool broken, silent, wants_address;
    static const uint8_t answer[16] = { 0xc0, HEADER, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 10, 0, 80 };

    if (len < HEADER + 5 || (packet[2] & 0x80))
        return;
    question = read_name(packet + HEADER, (size_t)len - HEADER, name, sizeof(name));
    if (question == 0 || HEADER + question + 4 > (size_t)len)
        return;
    pthread_mutex_lock(&lab->lock);
    broken = lab->dns_down;
    silent = lab->dns_silent;
    pthread_mutex_unlock(&lab->lock);
    if (broken && silent)
        return;
    wants_address = packet[HEADER + question + 1] == 1;
    question += HEADER + 4;
    packet[2] = 0x84;
    packet[3] = (uint8_t)(broken ? SERVFAIL : ours(name) ? 0 : NXDOMAIN);
    packet[6] = 0;
    packet[7] = packet[3] == 0 && wants_address;
    memset(packet + 8, 0, 4);                        /* no authority, no additional records */
    if (packet[7]) {
        memcpy(packet + question, answer, sizeof(answer));
        question += sizeof(answer);
    }
    sendto(fd, packet, question, 0, (struct sockaddr *)&from, from_len);
}
