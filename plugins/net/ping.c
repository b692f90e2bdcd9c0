/* ping.c: ICMP echo. By a datagram socket where the system lets us (net.ipv4.ping_group_range), else a raw socket (root), else the `ping` program. */
#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "probe.h"

#define TICK_MS 100

struct ping_job {
    char *host;
    int family, count, interval_ms, timeout_ms, payload;
    bool whole;
    double until_ms;
    atomic_bool stop;
    struct probe_to to;
    uint16_t id;                   /* of a raw socket */
    bool not_allowed;              /* neither socket may be opened here */
    int sent, received;
    double min, max, sum, last, jitter;
    char error[200];
};

struct ping_state { struct ping_job *job; };

/* ---- On the worker thread ---- */

static bool is_v6(const struct ping_job *job)
{
    return job->to.address.ss_family == AF_INET6;
}

static void count_reply(struct ping_job *job, double took)
{
    job->min = job->received == 0 || took < job->min ? took : job->min;
    job->max = took > job->max ? took : job->max;
    if (job->received)
        job->jitter += took > job->last ? took - job->last : job->last - took;
    job->last = took;
    job->sum += took;
    job->received++;
}

static void one_probe(struct ping_job *job, unsigned seq, double until)
{
    struct probe p;

    probe_send(&p, &job->to, PROBE_ICMP, 0, (size_t)job->payload + 8 + (is_v6(job) ? 40 : 20), job->whole, seq);
    probe_await(&p, 1, until, &job->stop);
    probe_close(&p, 1);
    if (p.end == PROBE_ANSWER)
        count_reply(job, p.rtt_ms);
    else if (p.end != PROBE_SILENT)
        probe_says(&p, job->error, sizeof(job->error));
}

/* ---- by a raw socket, which sees everybody's packets, for IPv4 with the IP header in front ---- */

static uint16_t checksum(const uint8_t *data, size_t len)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < len; i += 2)
        sum += (uint32_t)(data[i] << 8 | (i + 1 < len ? data[i + 1] : 0));
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static int open_raw(const struct ping_job *job)
{
    int family = job->to.address.ss_family, fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6), error;
    int discover = family == AF_INET ? IP_PMTUDISC_PROBE : IPV6_PMTUDISC_PROBE;

    if (fd < 0)
        return -errno;
    if (job->whole)
        setsockopt(fd, family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6, family == AF_INET ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, &discover, sizeof(discover));
    if (connect(fd, (const struct sockaddr *)&job->to.address, job->to.len) == 0)
        return fd;
    error = errno;
    close(fd);
    return -error;
}

static bool send_echo(const struct ping_job *job, int fd, unsigned seq)
{
    uint8_t *packet = calloc(1, (size_t)job->payload + 8);
    size_t len = (size_t)job->payload + 8;
    uint16_t sum;
    bool sent;

    if (!packet)
        return false;
    packet[0] = is_v6(job) ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
    packet[4] = (uint8_t)(job->id >> 8);
    packet[5] = (uint8_t)job->id;
    packet[6] = (uint8_t)(seq >> 8);
    packet[7] = (uint8_t)seq;
    sum = is_v6(job) ? 0 : checksum(packet, len);                     /* the system sets it for IPv6 */
    packet[2] = (uint8_t)(sum >> 8);
    packet[3] = (uint8_t)sum;
    sent = send(fd, packet, len, 0) == (ssize_t)len;
    free(packet);
    return sent;
}

static bool is_reply(const struct ping_job *job, const uint8_t *data, size_t len, unsigned seq)
{
    size_t skip = !is_v6(job) && len >= 20 ? (size_t)(data[0] & 15) * 4 : 0;

    if (len < skip + 8)
        return false;
    data += skip;
    return data[0] == (is_v6(job) ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY) && (data[4] << 8 | data[5]) == job->id && (unsigned)(data[6] << 8 | data[7]) == (seq & 0xffff);
}

static bool await_raw(const struct ping_job *job, int fd, unsigned seq, double until)
{
    struct pollfd ready = { .fd = fd, .events = POLLIN };
    uint8_t data[2048];
    double left;

    while ((left = until - net_now_ms()) > 0 && !atomic_load(&job->stop)) {
        ssize_t n;

        if (poll(&ready, 1, left < TICK_MS ? (int)left + 1 : TICK_MS) != 1)
            continue;
        n = recv(fd, data, sizeof(data), 0);
        if (n > 0 && is_reply(job, data, (size_t)n, seq))
            return true;
        if (n < 0)
            return false;                     /* "no route", told by ICMP */
    }
    return false;
}

static void one_raw(struct ping_job *job, int fd, unsigned seq, double began, double until)
{
    if (!send_echo(job, fd, seq))
        snprintf(job->error, sizeof(job->error), "%s", strerror(errno));
    else if (await_raw(job, fd, seq, until))
        count_reply(job, net_now_ms() - began);
}

static void rest_until(const struct ping_job *job, double when)
{
    double left;

    while ((left = when - net_now_ms()) > 0 && !atomic_load(&job->stop)) {
        double nap = left < TICK_MS ? left : TICK_MS;
        struct timespec t = { 0, (long)(nap * 1e6) };

        nanosleep(&t, NULL);
    }
}

static void ping_loop(struct ping_job *job, int raw)
{
    for (int i = 0; i < job->count && !atomic_load(&job->stop) && net_now_ms() < job->until_ms; i++) {
        double began = net_now_ms(), until = began + job->timeout_ms < job->until_ms ? began + job->timeout_ms : job->until_ms;

        job->sent++;
        if (raw >= 0)
            one_raw(job, raw, (unsigned)i + 1, began, until);
        else
            one_probe(job, (unsigned)i + 1, until);
        if (i + 1 < job->count)
            rest_until(job, began + job->interval_ms);
    }
}

static void ping_blocking(void *arg)
{
    struct ping_job *job = arg;
    int raw = -1;

    if (!probe_resolve(job->host, job->family, &job->to, job->error, sizeof(job->error)))
        return;
    if (!probe_may_icmp(&job->to) && (raw = open_raw(job)) < 0) {
        job->not_allowed = raw == -EPERM || raw == -EACCES;
        job->sent = job->not_allowed ? 0 : job->count;
        snprintf(job->error, sizeof(job->error), "%s", strerror(-raw));
        return;
    }
    ping_loop(job, raw);
    if (raw >= 0)
        close(raw);
}

/* ---- On the loop ---- */

static void ping_done(struct ft_call *call, const char *address, int sent, int received, double min, double avg, double max, double jitter,
                      const char *error)
{
    json_t *result = json_pack("{s:b, s:s?, s:i, s:i, s:f}", "reachable", received > 0, "address", address && *address ? address : NULL, "sent", sent,
                               "received", received, "loss_pct", sent ? (double)((sent - received) * 1000 / sent) / 10 : 100.0);

    json_object_set_new(result, "rtt_min_ms", received ? json_real(net_rounded(min)) : json_null());
    json_object_set_new(result, "rtt_avg_ms", received ? json_real(net_rounded(avg)) : json_null());
    json_object_set_new(result, "rtt_max_ms", received ? json_real(net_rounded(max)) : json_null());
    json_object_set_new(result, "jitter_ms", received > 1 && jitter >= 0 ? json_real(net_rounded(jitter)) : json_null());
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
        ping_done(call, NULL, 0, 0, 0, 0, 0, -1, res->err_len ? host->printf(call, "%.*s", (int)strcspn(res->err, "\n"), res->err) : "ping said nothing");
        return;
    }
    if (equals)
        sscanf(equals + 2, "%lf/%lf/%lf", &min, &avg, &max);
    ping_done(call, NULL, sent, received, min, avg, max, -1, NULL);
}

static void run_program(struct ft_call *call, const struct ping_job *job)
{
    const char *const argv[] = { "ping", "-n", "-c", host->printf(call, "%d", job->count), "-i", host->printf(call, "%.2f", job->interval_ms < 200 ? 0.2 : job->interval_ms / 1000.0),
                                 "-W", host->printf(call, "%d", (job->timeout_ms + 999) / 1000), "-s", host->printf(call, "%d", job->payload),
                                 "-M", job->whole ? "do" : "dont", "--", host->printf(call, "%s", job->to.text), NULL };
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
        ping_done(call, job->to.text, job->sent, job->received, job->min, job->received ? job->sum / job->received : 0, job->max,
                  job->received > 1 ? job->jitter / (job->received - 1) : 0, job->error);
}

static void ping_release(void *arg)
{
    struct ping_job *job = arg;

    free(job->host);
    free(job);
}

static int ping_start(struct ft_call *call, struct ft_err *reterr)
{
    struct ping_state *st = host->state(call);
    const json_t *params = host->params(call);
    struct ping_job *job;
    int r;

    if (*net_param(call, "host") == '-')
        return ft_fault(reterr, FT_INVALID, "'%.80s' is no name of a host", net_param(call, "host"));
    job = calloc(1, sizeof(*job));
    if (!job || !(job->host = strdup(net_param(call, "host")))) {
        free(job);
        return ft_err_set(reterr, -ENOMEM, "out of memory");
    }
    job->family = (int)ft_int(params, "family");
    job->count = (int)ft_int(params, "count");
    job->interval_ms = (int)ft_int(params, "interval_ms");
    job->timeout_ms = (int)ft_int(params, "timeout_ms");
    job->payload = (int)ft_int(params, "size");
    job->whole = ft_true(params, "df");
    job->id = (uint16_t)(arc4random() & 0xffff);
    job->until_ms = net_until_ms(call);
    st->job = job;
    r = host->work(call, job, ping_blocking, ping_after, ping_release, reterr);
    if (r < 0)
        ping_release(job);
    return r;
}

static void ping_cancel(struct ft_call *call)
{
    const struct ping_state *st = host->state(call);

    if (st->job)
        atomic_store(&st->job->stop, true);
}

static const char params_schema[] = OBJECT("[\"host\"]",
    JSON("host": {"type": "string", "minLength": 1, "maxLength": 255, "description": "name or address"},
         "count": {"type": "integer", "minimum": 1, "maximum": 100, "default": 5, "description": "echo requests to send"},
         "interval_ms": {"type": "integer", "minimum": 10, "maximum": 5000, "default": 200, "description": "milliseconds between two requests"},
         "timeout_ms": {"type": "integer", "minimum": 10, "maximum": 10000, "default": 1000, "description": "milliseconds to wait for each reply"},
         "family": {"enum": [4, 6], "description": "IPv4 or IPv6; what the name gives first when left out"},
         "size": {"type": "integer", "minimum": 0, "maximum": 65000, "default": 56, "description": "bytes of data in each request, without the 28 (IPv6: 48) of headers"},
         "df": {"type": "boolean", "default": false, "description": "must not be cut into fragments: with size 1472 it shows whether 1500 bytes pass"}));
static const char result_schema[] = JSON({"type": "object", "properties": {
    "reachable": {"type": "boolean", "description": "at least one reply came"},
    "address": {"type": ["string", "null"], "description": "the address that was tried"},
    "sent": {"type": "integer", "description": "requests sent"}, "received": {"type": "integer", "description": "replies that came in time"},
    "loss_pct": {"type": "number", "description": "requests without a reply, in per cent"},
    "rtt_min_ms": {"type": ["number", "null"], "description": "shortest round trip, in ms"},
    "rtt_avg_ms": {"type": ["number", "null"], "description": "mean round trip, in ms"},
    "rtt_max_ms": {"type": ["number", "null"], "description": "longest round trip, in ms"},
    "jitter_ms": {"type": ["number", "null"], "description": "mean difference of one round trip from the one before, in ms; null where it is not known"},
    "error": {"type": ["string", "null"], "description": "why there is no reply, where that is known: who said what"}}});

const struct ft_action net_ping = {
    .size = sizeof(net_ping), .name = "ping", .summary = "does a host answer, and how fast", .effects = FT_EFFECT_READ, .params_schema = params_schema,
    .result_schema = result_schema, .state_size = sizeof(struct ping_state), .run = { .start = ping_start, .cancel = ping_cancel }, .timeout_ms = 600000,
    .about = "Needs an ICMP socket (net.ipv4.ping_group_range, or root) or the program ping. A host that does not answer is a result.",
    .example = "run: net.ping\nwith: {host: 10.11.0.1, count: 10}\n",
};
