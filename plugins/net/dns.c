/* dns.c: one question to one name server.
 *
 * Asked by hand rather than through the system's resolver, so that the answer is that of the server in question, with its time and code; over TCP when the
 * answer does not fit into a datagram. */
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netinet/in.h>
#include <poll.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "net.h"

#define MAX_SERVERS 3
#define MAX_REPLY 65535
#define TRIES 2

struct dns_job {
    char name[NS_MAXDNAME];
    int type, timeout_ms;
    struct sockaddr_storage servers[MAX_SERVERS];
    socklen_t lens[MAX_SERVERS];
    size_t count, asked;                       /* asked: which of them answered, or was the last tried */
    uint8_t query[NS_PACKETSZ], reply[MAX_REPLY];
    int query_len, question_len, reply_len;    /* question_len: with the header; reply_len 0: none came */
    bool by_tcp, no_recursion, dnssec;         /* as asked */
    bool used_tcp, truncated;
    double ms;
    int error;
};

/* ---- On the worker thread ---- */

static bool make_query(struct dns_job *job)
{
    uint8_t *p = job->query + NS_HFIXEDSZ;
    uint16_t id = (uint16_t)(arc4random() & 0xffff);
    int n;

    memset(job->query, 0, NS_HFIXEDSZ);
    job->query[0] = (uint8_t)(id >> 8);
    job->query[1] = (uint8_t)id;
    job->query[2] = job->no_recursion ? 0 : 1; /* recursion desired */
    job->query[5] = 1;                         /* one question */
    n = ns_name_compress(job->name, p, sizeof(job->query) - NS_HFIXEDSZ - NS_QFIXEDSZ - 11, NULL, NULL);
    if (n < 0)
        return false;
    p += n;
    *p++ = (uint8_t)(job->type >> 8);
    *p++ = (uint8_t)job->type;
    *p++ = 0;
    *p++ = ns_c_in;
    job->question_len = (int)(p - job->query);
    if (job->dnssec) {
        static const uint8_t opt[] = { 0, 0, ns_t_opt, 1232 >> 8, 1232 & 0xff, 0, 0, 0x80, 0, 0, 0 };    /* EDNS: 1232 bytes, DNSSEC wanted */

        job->query[3] = 0x20;                  /* say whether you checked it */
        job->query[11] = 1;
        memcpy(p, opt, sizeof(opt));
        p += sizeof(opt);
    }
    job->query_len = (int)(p - job->query);
    return true;
}

static bool is_answer(const struct dns_job *job, const uint8_t *reply, int len)
{
    return len >= job->question_len && memcmp(reply, job->query, 2) == 0 && (reply[2] & 0x80)
        && memcmp(reply + NS_HFIXEDSZ, job->query + NS_HFIXEDSZ, (size_t)(job->question_len - NS_HFIXEDSZ)) == 0;
}

static int ask_udp(struct dns_job *job, size_t server, int timeout_ms)
{
    int fd = net_connect((struct sockaddr *)&job->servers[server], job->lens[server], SOCK_DGRAM, timeout_ms);
    struct pollfd ready = { .fd = fd, .events = POLLIN };
    double until = net_now_ms() + timeout_ms, left;
    ssize_t n = 0;
    int r = -ETIMEDOUT;

    if (fd < 0)
        return fd;
    if (send(fd, job->query, (size_t)job->query_len, 0) < 0)
        r = -errno;
    while (r == -ETIMEDOUT && (left = until - net_now_ms()) > 0 && poll(&ready, 1, (int)left + 1) == 1) {
        n = recv(fd, job->reply, sizeof(job->reply), 0);
        if (n < 0)
            r = -errno;                        /* nobody listens there */
        else if (is_answer(job, job->reply, (int)n))
            r = 0;
    }
    close(fd);
    job->reply_len = r == 0 ? (int)n : 0;
    return r;
}

static bool read_all(int fd, uint8_t *into, size_t len, double until)
{
    struct pollfd ready = { .fd = fd, .events = POLLIN };
    size_t had = 0;

    while (had < len) {
        double left = until - net_now_ms();
        ssize_t n;

        if (left <= 0 || poll(&ready, 1, (int)left + 1) != 1)
            return false;
        n = recv(fd, into + had, len - had, 0);
        if (n <= 0)
            return false;
        had += (size_t)n;
    }
    return true;
}

static int ask_tcp(struct dns_job *job, size_t server, int timeout_ms)
{
    int fd = net_connect((struct sockaddr *)&job->servers[server], job->lens[server], SOCK_STREAM, timeout_ms);
    double until = net_now_ms() + timeout_ms;
    uint8_t framed[NS_PACKETSZ + 2], size[2];
    int r = -EPROTO;

    if (fd < 0)
        return fd;
    framed[0] = (uint8_t)(job->query_len >> 8);
    framed[1] = (uint8_t)job->query_len;
    memcpy(framed + 2, job->query, (size_t)job->query_len);
    if (send(fd, framed, (size_t)job->query_len + 2, MSG_NOSIGNAL) == job->query_len + 2 && read_all(fd, size, 2, until)) {
        int len = size[0] << 8 | size[1];

        if (read_all(fd, job->reply, (size_t)len, until) && is_answer(job, job->reply, len)) {
            job->reply_len = len;
            r = 0;
        }
    }
    close(fd);
    return r;
}

static void use_system_servers(struct dns_job *job)
{
    struct __res_state state = { 0 };

    if (res_ninit(&state) != 0)
        return;
    for (int i = 0; i < state.nscount && job->count < MAX_SERVERS; i++) {
        if (state.nsaddr_list[i].sin_family == AF_INET) {
            memcpy(&job->servers[job->count], &state.nsaddr_list[i], sizeof(struct sockaddr_in));
            job->lens[job->count++] = sizeof(struct sockaddr_in);
        } else if (state._u._ext.nsaddrs[i]) {
            memcpy(&job->servers[job->count], state._u._ext.nsaddrs[i], sizeof(struct sockaddr_in6));
            job->lens[job->count++] = sizeof(struct sockaddr_in6);
        }
    }
    res_nclose(&state);
}

static void ask(struct dns_job *job, int timeout_ms)
{
    job->used_tcp = job->by_tcp;
    job->error = job->by_tcp ? -ask_tcp(job, job->asked, timeout_ms) : -ask_udp(job, job->asked, timeout_ms);
    if (job->error || job->by_tcp || !(job->reply[2] & 0x02))
        return;
    job->truncated = job->used_tcp = true;
    job->error = -ask_tcp(job, job->asked, job->timeout_ms);
}

static void dns_blocking(void *arg)
{
    struct dns_job *job = arg;
    double began;
    int each;

    if (job->count == 0)
        use_system_servers(job);
    job->error = job->count ? 0 : ENOENT;
    each = job->count ? job->timeout_ms / (int)(job->count * TRIES) : 0;
    for (size_t i = 0; i < job->count * TRIES; i++) {
        job->asked = i % job->count;
        began = net_now_ms();
        ask(job, each > 50 ? each : 50);
        job->ms = net_now_ms() - began;
        if (job->error == 0)
            return;
    }
    job->reply_len = 0;
}

/* ---- On the loop ---- */

static const struct { const char *name; int type; } types[] = {
    { "A", ns_t_a }, { "AAAA", ns_t_aaaa }, { "PTR", ns_t_ptr }, { "CNAME", ns_t_cname }, { "MX", ns_t_mx }, { "TXT", ns_t_txt }, { "SRV", ns_t_srv },
    { "NS", ns_t_ns }, { "SOA", ns_t_soa }, { "CAA", 257 },
};

static const char *type_name(int type)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (types[i].type == type)
            return types[i].name;
    }
    return NULL;
}

static const char *rcode_name(int rcode)
{
    static const char *const names[] = { "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED" };

    return rcode < 6 ? names[rcode] : "OTHER";
}

static json_t *name_at(const ns_msg *msg, const uint8_t *at)
{
    char name[NS_MAXDNAME];

    return ns_name_uncompress(ns_msg_base(*msg), ns_msg_end(*msg), at, name, sizeof(name)) < 0 ? NULL : json_string(name);
}

static json_t *numbered(const ns_msg *msg, const ns_rr *rr, unsigned numbers)
{
    const uint8_t *data = ns_rr_rdata(*rr);
    char text[NS_MAXDNAME + 32];
    size_t n = 0;
    json_t *name;

    if (ns_rr_rdlen(*rr) < numbers * 2 + 1 || !(name = name_at(msg, data + numbers * 2)))
        return NULL;
    for (unsigned i = 0; i < numbers; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%u ", data[i * 2] << 8 | data[i * 2 + 1]);
    snprintf(text + n, sizeof(text) - n, "%s", json_string_value(name));
    json_decref(name);
    return json_string(text);
}

/* Two names and five numbers. */
static json_t *soa(const ns_msg *msg, const ns_rr *rr)
{
    const uint8_t *data = ns_rr_rdata(*rr), *end = data + ns_rr_rdlen(*rr);
    char primary[NS_MAXDNAME], mailbox[NS_MAXDNAME];
    int n = ns_name_uncompress(ns_msg_base(*msg), ns_msg_end(*msg), data, primary, sizeof(primary));
    int m = n < 0 ? -1 : ns_name_uncompress(ns_msg_base(*msg), ns_msg_end(*msg), data + n, mailbox, sizeof(mailbox));

    if (m < 0 || end - data < n + m + 20)
        return NULL;
    data += n + m;
    return json_sprintf("%s %s %lu %lu %lu %lu %lu", primary, mailbox, ns_get32(data), ns_get32(data + 4), ns_get32(data + 8), ns_get32(data + 12), ns_get32(data + 16));
}

/* 0 issue "ca.example" */
static json_t *caa(const ns_rr *rr)
{
    const uint8_t *data = ns_rr_rdata(*rr);
    int len = ns_rr_rdlen(*rr);

    if (len < 2 || 2 + data[1] > len)
        return NULL;
    return json_sprintf("%u %.*s \"%.*s\"", data[0], data[1], (const char *)data + 2, len - 2 - data[1], (const char *)data + 2 + data[1]);
}

/* The strings of a TXT record, joined. */
static json_t *txt(const ns_rr *rr)
{
    const uint8_t *data = ns_rr_rdata(*rr);
    char text[MAX_REPLY] = "", escaped[4 * MAX_REPLY + 1];
    size_t n = 0, m = 0, len = ns_rr_rdlen(*rr);
    json_t *value;

    for (size_t i = 0; i < len && i + 1 + data[i] <= len; i += 1u + data[i]) {
        memcpy(text + n, data + i + 1, data[i]);
        n += data[i];
    }
    value = json_stringn(text, n);
    for (size_t i = 0; i < n && !value; i++)                   /* no UTF-8: as zone files write such bytes */
        m += (size_t)snprintf(escaped + m, sizeof(escaped) - m, text[i] >= ' ' && text[i] < 0x7f ? "%c" : "\\%03u", (unsigned char)text[i]);
    return value ? value : json_stringn(escaped, m);
}

static json_t *record_text(const ns_msg *msg, const ns_rr *rr)
{
    char address[INET6_ADDRSTRLEN];

    switch (ns_rr_type(*rr)) {
    case ns_t_a:
        return ns_rr_rdlen(*rr) == 4 ? json_string(inet_ntop(AF_INET, ns_rr_rdata(*rr), address, sizeof(address))) : NULL;
    case ns_t_aaaa:
        return ns_rr_rdlen(*rr) == 16 ? json_string(inet_ntop(AF_INET6, ns_rr_rdata(*rr), address, sizeof(address))) : NULL;
    case ns_t_ptr: case ns_t_cname: case ns_t_ns:
        return name_at(msg, ns_rr_rdata(*rr));
    case ns_t_soa:
        return soa(msg, rr);
    case 257:
        return caa(rr);
    case ns_t_mx:
        return numbered(msg, rr, 1);
    case ns_t_srv:
        return numbered(msg, rr, 3);
    case ns_t_txt:
        return txt(rr);
    default:
        return NULL;
    }
}

static void read_answers(const struct dns_job *job, json_t *answers, json_t *records, int *ret_rcode, bool *ret_readable)
{
    ns_msg msg;
    ns_rr rr;

    *ret_rcode = job->reply[3] & 0x0f;
    *ret_readable = ns_initparse(job->reply, job->reply_len, &msg) == 0;
    for (int i = 0; *ret_readable && i < ns_msg_count(msg, ns_s_an) && i < 200; i++) {
        json_t *text;

        if (ns_parserr(&msg, ns_s_an, i, &rr) != 0)
            break;
        text = record_text(&msg, &rr);
        if (!text)
            continue;
        json_array_append_new(records, json_pack("{s:s, s:s?, s:I, s:O}", "name", ns_rr_name(rr), "type", type_name(ns_rr_type(rr)),
                                                 "ttl", (json_int_t)ns_rr_ttl(rr), "data", text));
        if ((int)ns_rr_type(rr) == job->type)
            json_array_append(answers, text);
        json_decref(text);
    }
}

static json_t *server_text(const struct dns_job *job)
{
    const struct sockaddr_storage *s = &job->servers[job->asked];
    char address[INET6_ADDRSTRLEN] = "";

    if (job->count == 0)
        return json_null();
    if (s->ss_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)s)->sin_addr, address, sizeof(address));
    else
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)s)->sin6_addr, address, sizeof(address));
    return json_string(address);
}

static const char *status_of(const struct dns_job *job, int rcode, bool readable, bool answered)
{
    if (job->count == 0)
        return "no_server";
    if (!job->reply_len)
        return job->error == ETIMEDOUT ? "timeout" : "unreachable";
    if (!readable)
        return "malformed";
    switch (rcode) {
    case ns_r_noerror:  return answered ? "answered" : "no_data";
    case ns_r_nxdomain: return "nxdomain";
    case ns_r_servfail: return "servfail";
    case ns_r_refused:  return "refused";
    default:            return "error";
    }
}

static void dns_after(struct ft_call *call, void *arg)
{
    const struct dns_job *job = arg;
    json_t *answers = json_array(), *records = json_array();
    bool readable = false;
    const char *error = NULL;
    int rcode = 0;

    if (job->reply_len)
        read_answers(job, answers, records, &rcode, &readable);
    if (!job->reply_len)
        error = job->count == 0 ? "no name server is configured on this machine"
                                : host->printf(call, "no answer: %s", strerror(job->error));
    else if (!readable)
        error = "the answer is malformed";
    else if (rcode)
        error = host->printf(call, "the server answered %s", rcode_name(rcode));
    else if (json_array_size(answers) == 0)
        error = "the name has no such record";
    host->done(call, json_pack("{s:s, s:b, s:b, s:b, s:s, s:b, s:b, s:s?, s:o, s:o, s:f, s:o, s:s?}", "status",
                               status_of(job, rcode, readable, json_array_size(answers) > 0), "authoritative", job->reply_len && (job->reply[2] & 0x04),
                               "authenticated", job->reply_len && (job->reply[3] & 0x20), "truncated", job->truncated, "transport", job->used_tcp ? "tcp" : "udp",
                               "answered", json_array_size(answers) > 0, "responded", job->reply_len > 0,
                               "rcode", job->reply_len ? rcode_name(rcode) : NULL, "answers", answers, "records", records,
                               "ms", (double)(long)(job->ms * 1000 + 0.5) / 1000,
                               "server", server_text(job), "error", error));
}

/* PTR questions may be asked by address. */
static bool reverse_name(const char *address, char *ret, size_t size)
{
    uint8_t bytes[16];
    size_t n = 0;

    if (inet_pton(AF_INET, address, bytes) == 1) {
        snprintf(ret, size, "%u.%u.%u.%u.in-addr.arpa", bytes[3], bytes[2], bytes[1], bytes[0]);
        return true;
    }
    if (inet_pton(AF_INET6, address, bytes) != 1)
        return false;
    for (int i = 15; i >= 0; i--)
        n += (size_t)snprintf(ret + n, size - n, "%x.%x.", bytes[i] & 15, bytes[i] >> 4);
    snprintf(ret + n, size - n, "ip6.arpa");
    return true;
}

static int dns_fill(struct ft_call *call, struct dns_job *job, struct ft_err *reterr)
{
    const char *name = net_param(call, "name"), *type = net_param(call, "type"), *server = net_param(call, "server");

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(types[i].name, type) == 0)
            job->type = types[i].type;
    }
    if (job->type != ns_t_ptr || !reverse_name(name, job->name, sizeof(job->name)))
        snprintf(job->name, sizeof(job->name), "%s", name);
    job->timeout_ms = net_timeout_ms(call);
    job->by_tcp = ft_same(net_param(call, "transport"), "tcp");
    job->no_recursion = json_is_false(ft_get(host->params(call), "recursion"));
    job->dnssec = ft_true(host->params(call), "dnssec");
    if (server) {
        if (!net_address(server, 53, &job->servers[0], &job->lens[0]))
            return ft_fault(reterr, FT_INVALID, "server '%.80s' is no IP address (10.0.0.53, or 10.0.0.53:5353)", server);
        job->count = 1;
    }
    if (!make_query(job))
        return ft_fault(reterr, FT_INVALID, "'%.100s' is not a name that can be asked for", name);
    return 0;
}

static int dns_start(struct ft_call *call, struct ft_err *reterr)
{
    struct dns_job *job = calloc(1, sizeof(*job));
    int r;

    if (!job)
        return ft_err_set(reterr, -ENOMEM, "out of memory");
    r = dns_fill(call, job, reterr);
    if (r < 0) {
        free(job);
        return r;
    }
    return host->work(call, job, dns_blocking, dns_after, free, reterr);
}

static const char params_schema[] = OBJECT("[\"name\"]",
    JSON("name": {"type": "string", "minLength": 1, "maxLength": 255, "description": "name to ask for; for PTR an address will do"},
         "type": {"enum": ["A", "AAAA", "PTR", "CNAME", "MX", "TXT", "SRV", "NS", "SOA", "CAA"], "default": "A", "description": "record type"},
         "server": {"type": "string", "description": "address of the name server, with :port where it is not 53; this machine's own servers when left out"},
         "transport": {"enum": ["udp", "tcp"], "default": "udp", "description": "udp goes on by tcp where the answer is too long; tcp asks only so"},
         "recursion": {"type": "boolean", "default": true, "description": "false: only what the server knows itself"},
         "dnssec": {"type": "boolean", "default": false, "description": "ask for a checked answer (EDNS, DO): `authenticated` says whether the server checked it; one that fails the check is servfail"})
    ", " TIMEOUT_PARAM);
static const char result_schema[] = JSON({"type": "object", "properties": {
    "status": {"type": "string", "description": "answered; no_data (the name has no such record), nxdomain (there is no such name), servfail, refused, error, malformed; timeout, unreachable, no_server"},
    "authoritative": {"type": "boolean", "description": "the server answers for this zone itself"},
    "authenticated": {"type": "boolean", "description": "the server says that it checked the answer by DNSSEC"},
    "truncated": {"type": "boolean", "description": "the answer did not fit into a datagram"}, "transport": {"type": "string", "description": "how the answer came: udp or tcp"},
    "answered": {"type": "boolean", "description": "there is at least one record of the type"},
    "responded": {"type": "boolean", "description": "the server answered at all, if only with an error"},
    "rcode": {"type": ["string", "null"], "description": "NOERROR, NXDOMAIN, SERVFAIL, REFUSED …; null when no answer came"},
    "answers": {"type": "array", "items": {"type": "string"}, "description": "the records' data: addresses, names, \"10 mail.example\""},
    "records": {"type": "array", "description": "all records of the answer, aliases on the way included", "items": {"type": "object", "properties": {
        "name": {"type": "string", "description": "owner"}, "type": {"type": ["string", "null"], "description": "record type"},
        "ttl": {"type": "integer", "description": "seconds that it may be kept"}, "data": {"type": "string", "description": "what it says"}}}},
    "ms": {"type": "number", "description": "milliseconds that the answer took"},
    "server": {"type": ["string", "null"], "description": "address of the server that was asked"},
    "error": {"type": ["string", "null"], "description": "why there is no answer"}}});

const struct ft_action net_dns = {
    .size = sizeof(net_dns), .name = "dns", .summary = "ask a name server", .effects = FT_EFFECT_READ, .params_schema = params_schema,
    .result_schema = result_schema, .run = { .start = dns_start }, .timeout_ms = 70000,
    .about = "The name is taken as it is, without search domains. A name that does not exist and a server that does not answer are results.",
    .example = "run: net.dns\nwith: {name: intranet.example, server: 10.0.0.53}\n",
};
