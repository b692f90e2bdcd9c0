/* ping.c: ICMP echo. By a datagram socket where the system lets us (net.ipv4.ping_group_range), else a raw socket (root), else the `ping` program. */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "net.h"

#define PAYLOAD 56

struct ping_job {
    char *host;
    int count, interval_ms, timeout_ms;
    uint16_t id;
    bool not_allowed;              /* neither socket may be opened here */
    bool raw;
    char address[INET6_ADDRSTRLEN];
    int sent, received;
    double min, max, sum;
    char error[200];
};

/* ---- On the worker thread ---- */

static uint16_t checksum(const uint8_t *data, size_t len)
{
    uint32_t sum = 0;

    for (size_t i = 0; i + 1 < len; i += 2)
        sum += (uint32_t)(data[i] << 8 | data[i + 1]);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static int open_socket(struct ping_job *job, int family)
{
    int protocol = family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, protocol);

    if (fd >= 0)
        return fd;
    job->raw = true;
    return socket(family, SOCK_RAW | SOCK_CLOEXEC, protocol);
}

static bool send_echo(struct ping_job *job, int fd, int family, uint16_t seq)
{
    uint8_t packet[8 + PAYLOAD] = { 0 };
    uint16_t sum;

    packet[0] = family == AF_INET ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
    packet[4] = (uint8_t)(job->id >> 8);
    packet[5] = (uint8_t)job->id;
    packet[6] = (uint8_t)(seq >> 8);
    packet[7] = (uint8_t)seq;
    sum = family == AF_INET ? checksum(packet, sizeof(packet)) : 0;      /* the system sets it for IPv6 */
    packet[2] = (uint8_t)(sum >> 8);
    packet[3] = (uint8_t)sum;
    return send(fd, packet, sizeof(packet), 0) == sizeof(packet);
}

/* Is it the reply to `seq`? A raw socket sees everybody's, with the IP header in front; on a datagram socket the system has set the id. */
static bool is_reply(const struct ping_job *job, const uint8_t *data, size_t len, int family, uint16_t seq)
{
    size_t skip = job->raw && family == AF_INET && len >= 20 ? (size_t)(data[0] & 15) * 4 : 0;

    if (len < skip + 8)
        return false;
    data += skip;
    if (data[0] != (family == AF_INET ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY))
        return false;
    if (job->raw && (data[4] << 8 | data[5]) != job->id)
        return false;
    return (data[6] << 8 | data[7]) == seq;
}

static bool await_reply(const struct ping_job *job, int fd, int family, uint16_t seq, double until)
{
    struct pollfd ready = { .fd = fd, .events = POLLIN };
    uint8_t data[2048];
    double left;

    while ((left = until - net_now_ms()) > 0 && poll(&ready, 1, (int)left + 1) == 1) {
        ssize_t n = recv(fd, data, sizeof(data), 0);

        if (n > 0 && is_reply(job, data, (size_t)n, family, seq))
            return true;
        if (n < 0)
            return false;                     /* "no route", told by ICMP */
    }
    return false;
}

static void rest_until(double when)
{
    double left = when - net_now_ms();
    struct timespec t = { (time_t)(left / 1000), (long)(left * 1e6) % 1000000000 };

    if (left > 0)
        nanosleep(&t, NULL);
}

static void ping_loop(struct ping_job *job, int fd, int family)
{
    for (int i = 0; i < job->count; i++) {
        double began = net_now_ms(), took;

        job->sent++;
        if (!send_echo(job, fd, family, (uint16_t)(i + 1))) {
            snprintf(job->error, sizeof(job->error), "%s", strerror(errno));
        } else if (await_reply(job, fd, family, (uint16_t)(i + 1), began + job->timeout_ms)) {
            took = net_now_ms() - began;
            job->min = job->received == 0 || took < job->min ? took : job->min;
            job->max = took > job->max ? took : job->max;
            job->sum += took;
            job->received++;
        }
        if (i + 1 < job->count)
            rest_until(began + job->interval_ms);
    }
}

static void ping_blocking(void *arg)
{
    struct ping_job *job = arg;
    struct addrinfo hints = { .ai_socktype = SOCK_DGRAM }, *list = NULL;
    int r = getaddrinfo(job->host, NULL, &hints, &list), fd;

    if (r != 0) {
        snprintf(job->error, sizeof(job->error), "%s", gai_strerror(r));
        return;
    }
    getnameinfo(list->ai_addr, list->ai_addrlen, job->address, sizeof(job->address), NULL, 0, NI_NUMERICHOST);
    fd = open_socket(job, list->ai_family);
    if (fd < 0) {
        job->not_allowed = true;
    } else if (connect(fd, list->ai_addr, list->ai_addrlen) != 0) {
        snprintf(job->error, sizeof(job->error), "%s", strerror(errno));
        job->sent = job->count;
    } else {
        ping_loop(job, fd, list->ai_family);
    }
    if (fd >= 0)
        close(fd);
    freeaddrinfo(list);
}

/* ---- On the loop ---- */

static double rounded(double ms)
{
    return (double)(long)(ms * 1000 + 0.5) / 1000;
}

static void ping_done(struct ft_call *call, const char *address, int sent, int received, double min, double avg, double max, const char *error)
{
    json_t *result = json_pack("{s:b, s:s?, s:i, s:i, s:f}", "reachable", received > 0, "address", address && *address ? address : NULL, "sent", sent,
                               "received", received, "loss_pct", sent ? (double)((sent - received) * 1000 / sent) / 10 : 100.0);

    json_object_set_new(result, "rtt_min_ms", received ? json_real(rounded(min)) : json_null());
    json_object_set_new(result, "rtt_avg_ms", received ? json_real(rounded(avg)) : json_null());
    json_object_set_new(result, "rtt_max_ms", received ? json_real(rounded(max)) : json_null());
    json_object_set_new(result, "error", received ? json_null() : json_string(error && *error ? error : "no reply"));
    host->done(call, result);
}

/* "5 packets transmitted, 4 received, 20% packet loss, time 4005ms" and "rtt min/avg/max/mdev = 0.1/0.2/0.3/0.0 ms" (iputils; busybox says round-trip). */
static void program_ended(struct ft_call *call, const struct ft_exec_res *res)
{
    const char *counts = res->out ? strstr(res->out, " packets transmitted") : NULL, *rtt = res->out ? strstr(res->out, "min/avg/max") : NULL;
    const char *equals = rtt ? strstr(rtt, "= ") : NULL, *line = counts;
    double min = 0, avg = 0, max = 0;
    int sent = 0, received = 0;

    if (res->error) {
        host->fail(call, FT_DENIED, "this machine lets no ICMP socket be opened (net.ipv4.ping_group_range), and the program ping cannot help: %s", res->error);
        return;
    }
    while (line && line > res->out && line[-1] != '\n')
        line--;
    if (!line || sscanf(line, "%d packets transmitted, %d", &sent, &received) != 2) {
        ping_done(call, NULL, 0, 0, 0, 0, 0, res->err_len ? host->printf(call, "%.*s", (int)strcspn(res->err, "\n"), res->err) : "ping said nothing");
        return;
    }
    if (equals)
        sscanf(equals + 2, "%lf/%lf/%lf", &min, &avg, &max);
    ping_done(call, NULL, sent, received, min, avg, max, NULL);
}

static void run_program(struct ft_call *call, const struct ping_job *job)
{
    const char *const argv[] = { "ping", "-n", "-c", host->printf(call, "%d", job->count), "-i", host->printf(call, "%.2f", job->interval_ms < 200 ? 0.2 : job->interval_ms / 1000.0),
                                 "-W", host->printf(call, "%d", (job->timeout_ms + 999) / 1000), "--", host->printf(call, "%s", job->host), NULL };
    struct ft_exec_req req = { .size = sizeof(req), .argv = argv };
    struct ft_err err = { 0 };

    if (host->exec(call, &req, program_ended, &err) < 0)
        host->fail(call, FT_DENIED, "this machine lets no ICMP socket be opened (net.ipv4.ping_group_range), and the program ping cannot help: %s", err.text);
}

static void ping_after(struct ft_call *call, void *arg)
{
    const struct ping_job *job = arg;

    if (job->not_allowed)
        run_program(call, job);
    else
        ping_done(call, job->address, job->sent, job->received, job->min, job->received ? job->sum / job->received : 0, job->max, job->error);
}

static void ping_release(void *arg)
{
    struct ping_job *job = arg;

    free(job->host);
    free(job);
}

static int ping_start(struct ft_call *call, struct ft_err *reterr)
{
    const json_t *params = host->params(call);
    const char *name = net_param(call, "host");
    struct ping_job *job;

    if (*name == '-')
        return net_error(reterr, FT_INVALID, "'%.80s' is no name of a host", name);
    job = calloc(1, sizeof(*job));
    if (!job)
        return ft_err_set(reterr, -ENOMEM, "out of memory");
    job->host = strdup(name);
    job->count = (int)json_integer_value(json_object_get(params, "count"));
    job->interval_ms = (int)json_integer_value(json_object_get(params, "interval_ms"));
    job->timeout_ms = (int)json_integer_value(json_object_get(params, "timeout_ms"));
    job->id = (uint16_t)(arc4random() & 0xffff);
    if (job->host)
        return host->work(call, job, ping_blocking, ping_after, ping_release, reterr);
    ping_release(job);
    return ft_err_set(reterr, -ENOMEM, "out of memory");
}

static const char params_schema[] = OBJECT("[\"host\"]",
    JSON("host": {"type": "string", "minLength": 1, "maxLength": 255, "description": "name or address"},
         "count": {"type": "integer", "minimum": 1, "maximum": 100, "default": 5, "description": "echo requests to send"},
         "interval_ms": {"type": "integer", "minimum": 10, "maximum": 5000, "default": 200, "description": "milliseconds between two requests"},
         "timeout_ms": {"type": "integer", "minimum": 10, "maximum": 10000, "default": 1000, "description": "milliseconds to wait for each reply"}));
static const char result_schema[] = JSON({"type": "object", "properties": {
    "reachable": {"type": "boolean", "description": "at least one reply came"},
    "address": {"type": ["string", "null"], "description": "the address that was tried"},
    "sent": {"type": "integer", "description": "requests sent"}, "received": {"type": "integer", "description": "replies that came in time"},
    "loss_pct": {"type": "number", "description": "requests without a reply, in per cent"},
    "rtt_min_ms": {"type": ["number", "null"], "description": "shortest round trip, in ms"},
    "rtt_avg_ms": {"type": ["number", "null"], "description": "mean round trip, in ms"},
    "rtt_max_ms": {"type": ["number", "null"], "description": "longest round trip, in ms"},
    "error": {"type": ["string", "null"], "description": "why there is no reply, where that is known"}}});

const struct ft_action net_ping = {
    .size = sizeof(net_ping), .name = "ping", .summary = "does a host answer, and how fast", .effects = FT_EFFECT_READ, .params_schema = params_schema,
    .result_schema = result_schema, .run = { .start = ping_start }, .timeout_ms = 600000,
    .about = "Needs an ICMP socket (net.ipv4.ping_group_range, or root) or the program ping. A host that does not answer is a result.",
    .example = "run: net.ping\nwith: {host: 10.11.0.1, count: 10}\n",
};
