/* client.c: who is asked, and the way of a request until a genuine answer is there: repetition with the waits of RFC 5080 §2.2.1, the next server
 * where one does not answer, and silence towards whatever does not prove that it knows the shared secret. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <arpa/inet.h>
#include "radius.h"

#define LONGEST_WAIT_MS 16000.0   /* MRT */
#define ENDING_MS 300u            /* left for saying why nothing came */

/* ---- the configuration */

static const char *or_text(const json_t *a, const json_t *b, const char *key)
{
    return ft_str(a, key) ? ft_str(a, key) : ft_str(b, key);
}

static void fill(struct rad_peer *peer, const char *name, const json_t *section, const json_t *config)
{
    peer->name = name;
    peer->host = ft_str(section, "host");
    peer->secret = ft_str(section, "secret");
    peer->nas_ip = or_text(section, config, "nas_ip");
    peer->nas_identifier = or_text(section, config, "nas_identifier");
    peer->need_ma = !json_is_false(ft_get(section, "require_message_authenticator"));
    peer->tries = ft_int(config, "tries") > 0 ? (unsigned)ft_int(config, "tries") : 3;
    peer->first_wait_ms = ft_int(config, "first_wait_ms") > 0 ? (double)ft_int(config, "first_wait_ms") : 2000;      /* IRT */
}

static uint16_t port_of(const json_t *section, const char *key, uint16_t otherwise)
{
    return ft_int(section, key) > 0 ? (uint16_t)ft_int(section, key) : otherwise;
}

int rad_servers(struct ft_call *call, enum rad_port port, struct rad_exchange *x, struct ft_err *reterr)
{
    const json_t *config = host->config(call), *servers = ft_get(config, "servers");
    const char *only = ft_str(host->params(call), "server"), *name;
    json_t *section;

    x->peers = host->alloc(call, (json_object_size(servers) + 1) * sizeof(*x->peers));
    json_object_foreach((json_t *)servers, name, section) {
        struct rad_peer *peer = &x->peers[x->count];

        if (only && strcmp(only, name) != 0)
            continue;
        fill(peer, name, section, config);
        peer->port = port == RAD_AUTH_PORT ? port_of(section, "auth_port", 1812) : port_of(section, "acct_port", 1813);
        x->count++;
    }
    if (only && !x->count)
        return ft_fault(reterr, FT_INVALID, "plugins.radius.servers has no '%.80s'", only);
    return x->count ? 0 : ft_fault(reterr, FT_INVALID, "plugins.radius.servers is empty: name the RADIUS servers there");
}

int rad_device(struct ft_call *call, struct rad_exchange *x, struct ft_err *reterr)
{
    const json_t *config = host->config(call), *params = host->params(call);
    const char *name = ft_str(params, "device"), *address = ft_str(params, "host");
    const json_t *section = ft_get(ft_get(config, "devices"), name);

    if (!section)
        return ft_fault(reterr, FT_INVALID, "plugins.radius.devices has no '%.80s'", name ? name : "");
    x->peers = host->alloc(call, sizeof(*x->peers));
    x->count = 1;
    fill(x->peers, name, section, config);
    x->peers->port = port_of(section, "port", 3799);
    if (address)
        x->peers->host = address;
    return x->peers->host ? 0 : ft_fault(reterr, FT_INVALID, "device '%.80s' has no host in the configuration: give `host` in the step", name);
}

void rad_add_nas(struct rad_packet *packet, const struct rad_peer *peer)
{
    uint8_t ip[16];

    if (peer->nas_ip && inet_pton(AF_INET, peer->nas_ip, ip) == 1)
        rad_add(packet, RAD_A_NAS_IP, ip, 4);
    else if (peer->nas_ip && inet_pton(AF_INET6, peer->nas_ip, ip) == 1)
        rad_add(packet, RAD_A_NAS_IPV6, ip, 16);
    if (peer->nas_identifier || !peer->nas_ip)
        rad_add_text(packet, RAD_A_NAS_IDENTIFIER, peer->nas_identifier ? peer->nas_identifier : "fettle");
}

bool rad_mac(const char *text, char ret[18]) { return ft_mac(text, '-', ret); }

/* ---- one request and its way */

static struct rad_exchange *exchange(struct ft_call *call)
{
    return host->state(call);
}

static uint64_t now(struct ft_call *call, const struct rad_exchange *x)
{
    uint64_t left = host->remaining_ms(call);

    return x->began > left ? x->began - left : 0;
}

uint64_t rad_elapsed(struct ft_call *call, const struct rad_exchange *x)
{
    return now(call, x) - x->first_sent;
}

/* A tenth more or less, so that many clients do not come in step. */
static double about(double ms)
{
    uint16_t dice = 0x8000;

    rad_random(&dice, sizeof(dice));
    return ms * (0.9 + 0.2 * dice / 65535.0);
}

static int open_peer(struct ft_call *call, struct rad_exchange *x, struct ft_err *reterr);

static void fail_all(struct ft_call *call, struct rad_exchange *x)
{
    enum ft_class class = x->all_unreachable ? FT_UNREACHABLE : x->write ? FT_AMBIGUOUS : FT_TIMEOUT;

    host->fail(call, class, "%s", x->why);
}

static void next_peer(struct ft_call *call, struct rad_exchange *x, bool unreachable, const char *why)
{
    const struct rad_peer *peer = &x->peers[x->at];
    size_t used = strlen(x->why);
    struct ft_err err = { 0 };

    if (x->stream)
        host->stream_close(x->stream);
    x->stream = NULL;
    x->all_unreachable = x->all_unreachable && unreachable;
    snprintf(x->why + used, sizeof(x->why) - used, "%s%s (%s port %u): %s", used ? "; " : "", peer->name, peer->host, peer->port, why);
    x->at++;
    if (x->lost)
        x->lost(call, unreachable, why);
    else if (x->at == x->count)
        fail_all(call, x);
    else if (open_peer(call, x, &err) < 0)
        host->fail(call, err.class ? err.class : FT_INVALID, "%s", err.text);
}

static void give_up(struct ft_call *call, struct rad_exchange *x)
{
    char why[400];
    double s = (double)rad_elapsed(call, x) / 1000;

    if (x->forged)
        snprintf(why, sizeof(why), "an answer came whose authenticator does not fit: is the shared secret wrong?");
    else if (x->unsigned_)
        snprintf(why, sizeof(why), "an answer came without Message-Authenticator, so anybody could have made it (CVE-2024-3596): update the server (FreeRADIUS before 3.2.5 "
                 "answers PAP so) or let it add one; require_message_authenticator: false of this server is the last resort");
    else if (x->odd)
        snprintf(why, sizeof(why), "something answered that is not the answer to this request: is it a RADIUS port?");
    else
        snprintf(why, sizeof(why), "no answer to %u packet%s in %.1f s: it is down, or does not know this host as a client, or the shared secret is wrong "
                 "(servers are silent about both)", x->sent, x->sent == 1 ? "" : "s", s);
    next_peer(call, x, false, why);
}

static void wait_over(struct ft_call *call);

static void send_again(struct ft_call *call, struct rad_exchange *x)
{
    uint64_t left = host->remaining_ms(call), wait;
    struct ft_err err = { 0 };

    if (host->stream_write(x->stream, (const char *)x->request.bytes, x->request.len, &err) < 0) {
        next_peer(call, x, true, err.text);
        return;
    }
    if (!x->sent++)
        x->first_sent = now(call, x);
    x->wait_ms = x->sent == 1 ? about(x->peers[x->at].first_wait_ms) : x->wait_ms + about(x->wait_ms);
    if (x->wait_ms > LONGEST_WAIT_MS)
        x->wait_ms = about(LONGEST_WAIT_MS);
    wait = (uint64_t)x->wait_ms;
    if (left < wait + ENDING_MS)
        wait = left > ENDING_MS ? left - ENDING_MS : 1;
    x->due = now(call, x) + wait;
    if (!host->timer(call, wait, wait_over))
        host->fail(call, FT_INVALID, "no timer");
}

/* Timers cannot be taken back: one of an earlier packet finds that its time is not due. */
static void wait_over(struct ft_call *call)
{
    struct rad_exchange *x = exchange(call);

    if (!x->stream || now(call, x) < x->due)
        return;
    if (x->sent < x->peers[x->at].tries && host->remaining_ms(call) > 2 * ENDING_MS)
        send_again(call, x);
    else
        give_up(call, x);
}

static void opened(struct ft_call *call, struct ft_stream *stream)
{
    struct rad_exchange *x = exchange(call);

    x->stream = stream;
    send_again(call, x);
}

static void arrived(struct ft_call *call, struct ft_stream *stream, const char *bytes, size_t len, bool is_stderr)
{
    struct rad_exchange *x = exchange(call);
    const struct rad_peer *peer = &x->peers[x->at];
    bool need_ma = peer->need_ma && x->request.bytes[0] == RAD_ACCESS_REQUEST;
    struct rad_packet answer;
    (void)is_stderr;

    if (!rad_read(&answer, bytes, len)) {
        x->odd++;
        return;
    }
    switch (rad_verify_answer(&answer, &x->request, peer->secret, need_ma)) {
    case RAD_STRANGER: x->odd++; return;
    case RAD_FORGED: x->forged++; return;
    case RAD_UNSIGNED: x->unsigned_++; return;
    case RAD_GENUINE: break;
    }
    x->stream = NULL;
    host->stream_close(stream);
    x->then(call, &answer);
}

static void closed(struct ft_call *call, struct ft_stream *stream, enum ft_class class, int exit_status, const char *why)
{
    struct rad_exchange *x = exchange(call);
    (void)stream, (void)exit_status;

    x->stream = NULL;
    next_peer(call, x, class == FT_UNREACHABLE && !(x->write && x->sent > 1), why ? why : "the socket was closed");
}

static int open_peer(struct ft_call *call, struct rad_exchange *x, struct ft_err *reterr)
{
    static const struct ft_stream_events events = { .size = sizeof(events), .opened = opened, .data = arrived, .closed = closed };
    const struct rad_peer *peer = &x->peers[x->at];
    const struct ft_udp_req req = { .size = sizeof(req), .host = peer->host, .port = peer->port };
    int r = x->build(call, peer, &x->request, reterr);

    if (r < 0)
        return r;
    if (x->request.overflow)
        return ft_fault(reterr, FT_INVALID, "the request does not fit into a RADIUS packet of 4096 octets, or an attribute into 253");
    rad_sign(&x->request, peer->secret);
    x->sent = x->forged = x->unsigned_ = x->odd = 0;
    return host->udp(call, &req, &events, &x->stream, reterr);
}

int rad_ask(struct ft_call *call, struct rad_exchange *x, struct ft_err *reterr)
{
    if (host->abi_major == 1 && host->abi_minor < 1)
        return ft_fault(reterr, FT_INVALID, "this fettle knows no UDP: the radius plugin needs a newer one");
    x->began = host->remaining_ms(call);
    x->all_unreachable = true;
    return open_peer(call, x, reterr);
}

/* ---- what actions say */

json_t *rad_answer_base(struct ft_call *call, const struct rad_exchange *x, const struct rad_packet *answer)
{
    const struct rad_peer *peer = &x->peers[x->at];
    struct rad_attr attr;

    return json_pack("{s:s, s:s, s:I, s:i, s:b, s:o}", "server", peer->name, "address", host->printf(call, "%s port %u", peer->host, peer->port),
                     "ms", (json_int_t)rad_elapsed(call, x), "tries", (int)x->sent,
                     "message_authenticator", rad_find(answer, 0, RAD_A_MESSAGE_AUTHENTICATOR, &attr), "attributes", rad_attributes(answer));
}

int rad_plan_requests(struct ft_call *call, struct rad_exchange *x, json_t **ret, struct ft_err *reterr)
{
    int r = x->build(call, x->peers, &x->request, reterr);

    if (r < 0)
        return r;
    if (x->request.overflow)
        return ft_fault(reterr, FT_INVALID, "the request does not fit into a RADIUS packet of 4096 octets, or an attribute into 253");
    *ret = json_pack("[{s:s, s:o}]", "target", host->printf(call, "%s (%s port %u)", x->peers->name, x->peers->host, x->peers->port),
                     "commands", rad_lines(&x->request));
    return 0;
}
