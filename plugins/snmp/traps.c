/* traps.c: traps and informs, received for a while.
 *
 * Anybody can send a datagram, so what is taken is narrow: communities where the configuration lists them, SNMPv3 users at no less than their security level.
 * An inform is confirmed when it was taken. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "job.h"
#include "v3header.h"

enum { MAX_TRAPS = 1000, MAX_USERS = 20, MAX_COMMUNITIES = 50, MAX_FROM = 50, MAX_LEARNED = 256, MAX_VARBINDS = 500, TICK_MS = 100 };

struct trap_job {
    char listen[80];                             /* address:port */
    struct sockaddr_storage address; socklen_t address_len;
    char communities[MAX_COMMUNITIES][256]; size_t community_count;
    struct snmp_user users[MAX_USERS]; size_t user_count;
    char from[MAX_FROM][INET6_ADDRSTRLEN]; size_t from_count;
    oid root[MAX_OID_LEN]; size_t root_len;
    size_t wanted;
    double until_ms;
    atomic_bool stop;

    void *handle;
    int fd;
    char sender[INET6_ADDRSTRLEN];               /* of the datagram that is being read */
    struct { uint8_t engine[V3_MAX_ENGINE]; size_t len; size_t user; } learned[MAX_LEARNED]; size_t learned_count;
    json_t *traps;
    json_int_t others, refused;
    struct ft_err err;
    int r;
};

struct trap_state { struct trap_job *job; };

/* ---- What came ---- */

static bool may_community(const struct trap_job *job, const netsnmp_pdu *pdu)
{
    for (size_t i = 0; i < job->community_count; i++) {
        if (strlen(job->communities[i]) == pdu->community_len && memcmp(job->communities[i], pdu->community, pdu->community_len) == 0)
            return true;
    }
    return job->community_count == 0;
}

static bool may_user(const struct trap_job *job, const netsnmp_pdu *pdu)
{
    for (size_t i = 0; i < job->user_count; i++) {
        if (pdu->securityName && strlen(job->users[i].name) == pdu->securityNameLen && memcmp(job->users[i].name, pdu->securityName, pdu->securityNameLen) == 0)
            return pdu->securityLevel >= job->users[i].level;
    }
    return false;
}

static bool is_from(const struct trap_job *job)
{
    for (size_t i = 0; i < job->from_count; i++) {
        if (strcmp(job->from[i], job->sender) == 0)
            return true;
    }
    return job->from_count == 0;
}

/* What happened, as v2c and v3 say it; of a v1 trap by RFC 3584. */
static void trap_oid(const netsnmp_pdu *pdu, oid *ret, size_t *ret_len)
{
    static const oid name[] = { 1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0 }, generic[] = { 1, 3, 6, 1, 6, 3, 1, 1, 5 };

    *ret_len = 0;
    if (pdu->command == SNMP_MSG_TRAP && pdu->trap_type != SNMP_TRAP_ENTERPRISESPECIFIC) {
        memcpy(ret, generic, sizeof(generic));
        ret[OID_LENGTH(generic)] = (oid)(pdu->trap_type + 1);
        *ret_len = OID_LENGTH(generic) + 1;
    } else if (pdu->command == SNMP_MSG_TRAP && pdu->enterprise_length + 2 <= MAX_OID_LEN) {
        memcpy(ret, pdu->enterprise, pdu->enterprise_length * sizeof(oid));
        ret[pdu->enterprise_length] = 0;
        ret[pdu->enterprise_length + 1] = (oid)pdu->specific_type;
        *ret_len = pdu->enterprise_length + 2;
    }
    for (const netsnmp_variable_list *v = pdu->variables; v && pdu->command != SNMP_MSG_TRAP; v = v->next_variable) {
        if (v->type == ASN_OBJECT_ID && snmp_oid_compare(v->name, v->name_length, name, OID_LENGTH(name)) == 0 && v->val_len / sizeof(oid) <= MAX_OID_LEN) {
            *ret_len = v->val_len / sizeof(oid);
            memcpy(ret, v->val.objid, v->val_len);
        }
    }
}

static json_t *uptime_json(const netsnmp_pdu *pdu)
{
    static const oid name[] = { 1, 3, 6, 1, 2, 1, 1, 3, 0 };

    if (pdu->command == SNMP_MSG_TRAP)
        return json_integer((json_int_t)pdu->time / 100);
    for (const netsnmp_variable_list *v = pdu->variables; v; v = v->next_variable) {
        if (v->type == ASN_TIMETICKS && snmp_oid_compare(v->name, v->name_length, name, OID_LENGTH(name)) == 0)
            return json_integer(value_number(v) / 100);
    }
    return json_null();
}

static json_t *trap_json(const struct trap_job *job, const netsnmp_pdu *pdu, const oid *what, size_t what_len)
{
    const char *version = pdu->version == SNMP_VERSION_3 ? "3" : pdu->version == SNMP_VERSION_1 ? "1" : "2c";
    char text[OID_TEXT], at[32];
    time_t now = time(NULL);
    struct tm tm;
    json_t *varbinds = json_array();
    unsigned count = 0;

    strftime(at, sizeof(at), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
    for (const netsnmp_variable_list *v = pdu->variables; v && count < MAX_VARBINDS; v = v->next_variable, count++)
        json_array_append_new(varbinds, value_json(v));
    return json_pack("{s:s, s:s, s:s, s:b, s:s, s:s?, s:s?, s:o, s:o}", "at", at, "from", job->sender, "version", version, "inform", pdu->command == SNMP_MSG_INFORM,
                     "oid", oid_text(what, what_len, text, sizeof(text)), "name", oid_known_name(what, what_len),
                     "user", pdu->version == SNMP_VERSION_3 ? pdu->securityName : NULL, "uptime_s", uptime_json(pdu), "varbinds", varbinds);
}

static void confirm(const struct trap_job *job, netsnmp_pdu *pdu)
{
    netsnmp_pdu *reply = snmp_clone_pdu(pdu);

    if (!reply)
        return;
    reply->command = SNMP_MSG_RESPONSE;
    reply->errstat = reply->errindex = 0;
    if (!snmp_sess_send(job->handle, reply))
        snmp_free_pdu(reply);
}

/* Under the lock, within snmp_sess_read2(). */
static int came(int op, netsnmp_session *sess, int reqid, netsnmp_pdu *pdu, void *magic)
{
    struct trap_job *job = magic;
    oid what[MAX_OID_LEN];
    size_t what_len;

    (void)sess;
    (void)reqid;
    if (op != NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE || (pdu->command != SNMP_MSG_TRAP && pdu->command != SNMP_MSG_TRAP2 && pdu->command != SNMP_MSG_INFORM))
        return 1;
    if (pdu->version == SNMP_VERSION_3 ? !may_user(job, pdu) : !may_community(job, pdu)) {
        job->refused++;
        return 1;
    }
    if (pdu->command == SNMP_MSG_INFORM)
        confirm(job, pdu);
    trap_oid(pdu, what, &what_len);
    if (!is_from(job) || !oid_within(job->root, job->root_len, what, what_len) || json_array_size(job->traps) >= job->wanted)
        job->others++;
    else
        json_array_append_new(job->traps, trap_json(job, pdu, what, what_len));
    return 1;
}

/* ---- Listening, on the worker ---- */

/* The keys of a user for an engine that was not seen before. Bounded: whoever makes up engines only loses the traps of new ones. */
static void learn(struct trap_job *job, const struct v3_header *header)
{
    for (size_t i = 0; i < job->user_count; i++) {
        if (strcmp(job->users[i].name, header->user) != 0 || header->engine_len < 5 || job->learned_count == MAX_LEARNED)
            continue;
        if (usm_get_user(header->engine, header->engine_len, header->user) || snmp_user_know(&job->users[i], header->engine, header->engine_len) < 0)
            continue;
        memcpy(job->learned[job->learned_count].engine, header->engine, header->engine_len);
        job->learned[job->learned_count].len = header->engine_len;
        job->learned[job->learned_count++].user = i;
    }
}

static void forget_learned(struct trap_job *job)
{
    for (size_t i = 0; i < job->learned_count; i++)
        snmp_user_forget(job->learned[i].engine, job->learned[i].len, job->users[job->learned[i].user].name);
}

static void read_one(struct trap_job *job)
{
    uint8_t bytes[2048];
    struct sockaddr_storage from = { 0 };
    socklen_t len = sizeof(from);
    ssize_t n = recvfrom(job->fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT, (struct sockaddr *)&from, &len);
    struct v3_header header;

    if (n < 0)
        return;
    if (from.ss_family == AF_INET6)
        inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&from)->sin6_addr, job->sender, sizeof(job->sender));
    else
        inet_ntop(AF_INET, &((struct sockaddr_in *)&from)->sin_addr, job->sender, sizeof(job->sender));
    snmp_lock();
    if (v3_header_read(bytes, (size_t)n, &header))
        learn(job, &header);
    snmp_read_socket(job->handle, job->fd);
    snmp_unlock();
}

static int try_to_bind(struct trap_job *job)
{
    int fd = socket(job->address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), error;

    if (fd < 0)
        return errno;
    error = bind(fd, (struct sockaddr *)&job->address, job->address_len) != 0 ? errno : 0;
    close(fd);
    return error;
}

static int open_listener(struct trap_job *job)
{
    char where[100];
    netsnmp_transport *transport;
    netsnmp_session sess;
    int error = try_to_bind(job);

    if (error)
        return ft_fault(&job->err, error == EADDRINUSE ? FT_CONFLICT : error == EACCES ? FT_DENIED : FT_UNREACHABLE, "cannot listen for traps on %s: %s%s", job->listen,
                        strerror(error), error == EACCES ? " (ports below 1024 need a privilege: let the devices send to a higher one, or forward 162 to it)"
                                       : error == EADDRINUSE ? "; is another step or program listening there" : "");
    snprintf(where, sizeof(where), "%s:%s", job->address.ss_family == AF_INET6 ? "udp6" : "udp", job->listen);
    snmp_lock();
    transport = netsnmp_transport_open_server("snmptrap", where);
    snmp_sess_init(&sess);
    sess.peername = SNMP_DEFAULT_PEERNAME;
    sess.version = SNMP_DEFAULT_VERSION;
    sess.community_len = SNMP_DEFAULT_COMMUNITY_LEN;
    sess.retries = SNMP_DEFAULT_RETRIES;
    sess.timeout = SNMP_DEFAULT_TIMEOUT;
    sess.callback = came;
    sess.callback_magic = job;
    sess.isAuthoritative = SNMP_SESS_UNKNOWNAUTH;
    job->handle = transport ? snmp_sess_add(&sess, transport, NULL, NULL) : NULL;
    job->fd = job->handle ? snmp_sess_transport(job->handle)->sock : -1;
    for (size_t i = 0; i < job->user_count && job->handle; i++)
        snmp_user_know_here(&job->users[i]);                             /* for informs, whose authority is the receiver */
    snmp_unlock();
    return job->handle ? 0 : ft_fault(&job->err, FT_UNREACHABLE, "cannot listen for traps on %s", job->listen);
}

static void trap_blocking(void *arg)
{
    struct trap_job *job = arg;
    double left;

    job->traps = json_array();
    job->r = open_listener(job);
    while (job->r == 0 && !atomic_load(&job->stop) && json_array_size(job->traps) < job->wanted && (left = job->until_ms - snmp_now_ms()) > 0) {
        struct pollfd ready = { .fd = job->fd, .events = POLLIN };

        if (poll(&ready, 1, left < TICK_MS ? (int)left + 1 : TICK_MS) == 1)
            read_one(job);
    }
    snmp_lock();
    if (job->handle)
        snmp_sess_close(job->handle);
    forget_learned(job);
    snmp_unlock();
    snmp_thread_end();
}

/* ---- On the loop ---- */

static void trap_after(struct ft_call *call, void *arg)
{
    struct trap_job *job = arg;
    json_t *traps = job->traps;

    if (job->r < 0) {
        host->fail(call, job->err.class, "%s", job->err.text);
        return;
    }
    job->traps = NULL;
    host->done(call, json_pack("{s:I, s:b, s:o, s:I, s:I}", "count", (json_int_t)json_array_size(traps), "complete", json_array_size(traps) >= job->wanted, "traps", traps,
                               "others", job->others, "refused", job->refused));
}

static void trap_release(void *arg)
{
    struct trap_job *job = arg;

    json_decref(job->traps);
    explicit_bzero(job->users, sizeof(job->users));
    explicit_bzero(job->communities, sizeof(job->communities));
    free(job);
}

static bool parse_listen(struct trap_job *job, const char *text)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&job->address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&job->address;
    char address[INET6_ADDRSTRLEN] = "";
    unsigned port = 0;
    char after;

    if (snprintf(job->listen, sizeof(job->listen), "%s", text) >= (int)sizeof(job->listen))
        return false;
    if (sscanf(text, "[%45[0-9a-fA-F:.]]:%5u%c", address, &port, &after) == 2 && inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        job->address_len = sizeof(*v6);
    } else if (sscanf(text, "%45[0-9.]:%5u%c", address, &port, &after) == 2 && inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        job->address_len = sizeof(*v4);
    } else {
        return false;
    }
    return port > 0 && port < 65536;
}

static int fill_filters(struct trap_job *job, const json_t *params, struct ft_err *reterr)
{
    const json_t *from = ft_get(params, "from"), *item;
    const char *what = ft_str(params, "oid");
    unsigned char bytes[16];
    int r = 0;
    size_t i;

    json_array_foreach(from, i, item) {
        const char *text = json_string_value(item);
        int family = strchr(text, ':') ? AF_INET6 : AF_INET;

        if (inet_pton(family, text, bytes) != 1)
            return ft_fault(reterr, FT_INVALID, "from: '%.80s' is no IP address", text);
        inet_ntop(family, bytes, job->from[job->from_count++], INET6_ADDRSTRLEN);
    }
    if (what) {
        snmp_lock();
        r = oid_parse(what, job->root, &job->root_len, reterr);
        snmp_unlock();
    }
    return r;
}

static int fill_trap_job(struct ft_call *call, struct trap_job *job, struct ft_err *reterr)
{
    const json_t *params = host->params(call), *section = ft_get(host->config(call), "traps"), *item;
    const char *listen = ft_str(params, "listen") ?: ft_str(section, "listen") ?: "0.0.0.0:1162";
    double left = (double)host->remaining_ms(call) - 500, wait = ft_num(params, "within_s") * 1000;
    int r = fill_filters(job, params, reterr);
    size_t i;

    if (r == 0 && !parse_listen(job, listen))
        r = ft_fault(reterr, FT_INVALID, "'%.80s' is nothing to listen on: 0.0.0.0:1162, [::]:1162", listen);
    json_array_foreach(ft_get(section, "communities"), i, item) {
        if (job->community_count < MAX_COMMUNITIES)
            snprintf(job->communities[job->community_count++], sizeof(job->communities[0]), "%s", json_string_value(item));
    }
    json_array_foreach(ft_get(section, "users"), i, item) {
        if (r == 0 && job->user_count < MAX_USERS)
            r = snmp_user_fill(&job->users[job->user_count++], item, "plugins.snmp.traps.users", reterr);
    }
    job->wanted = (size_t)ft_int(params, "count");
    job->until_ms = snmp_now_ms() + (wait < left ? wait : left);
    return r;
}

static int trap_start(struct ft_call *call, struct ft_err *reterr)
{
    struct trap_state *st = host->state(call);
    struct trap_job *job = calloc(1, sizeof(*job));
    int r;

    if (!job)
        return ft_err_set(reterr, -ENOMEM, "out of memory");
    r = fill_trap_job(call, job, reterr);
    st->job = job;
    if (r == 0) {
        host->progress(call, "listening for traps on %s", job->listen);
        r = host->work(call, job, trap_blocking, trap_after, trap_release, reterr);
    }
    if (r < 0)
        trap_release(job);
    return r;
}

static void trap_cancel(struct ft_call *call)
{
    const struct trap_state *st = host->state(call);

    if (st->job)
        atomic_store(&st->job->stop, true);
}

static const char params_schema[] = FT_JSON({"type": "object", "additionalProperties": false, "properties": {
    "within_s": {"type": "number", "exclusiveMinimum": 0, "maximum": 3600, "default": 30, "description": "seconds to listen"},
    "count": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 1, "description": "stop when so many came that fit"},
    "from": {"type": "array", "minItems": 1, "maxItems": 50, "items": {"type": "string"}, "description": "only those from these addresses"},
    "oid": {"type": "string", "minLength": 1, "maxLength": 500, "description": "only those whose trap identifier is this or lies below it: linkDown, 1.3.6.1.4.1.2636"},
    "listen": {"type": "string", "description": "address and UDP port; that of the configuration when left out"}}});
static const char result_schema[] = "{\"type\": \"object\", \"properties\": {"
    FT_JSON("count": {"type": "integer", "description": "how many came that fit"}, "complete": {"type": "boolean", "description": "as many as the step waits for"}) ", "
    "\"traps\": {\"type\": \"array\", \"description\": \"in the order that they came in\", \"items\": {\"type\": \"object\", \"properties\": {"
    FT_JSON("at": {"type": "string", "description": "when it came (RFC 3339, UTC)"}, "from": {"type": "string", "description": "address of the sender"},
            "version": {"type": "string", "description": "1, 2c or 3"}, "inform": {"type": "boolean", "description": "the sender asked for a confirmation, and got it"},
            "oid": {"type": "string", "description": "what happened: the trap's identifier"}, "name": {"type": ["string", "null"], "description": "linkDown, coldStart …, where it is one of those"},
            "user": {"type": ["string", "null"], "description": "the SNMPv3 user"}, "uptime_s": {"type": ["integer", "null"], "description": "seconds since the sender's agent started"}) ", "
    "\"varbinds\": {\"type\": \"array\", \"items\": {\"type\": \"object\", \"properties\": {" SNMP_VALUE_FIELDS "}}}}}}, "
    FT_JSON("others": {"type": "integer", "description": "how many came that did not fit"},
            "refused": {"type": "integer", "description": "how many came with a community, user or security level that the configuration does not accept"}) "}}";

const struct ft_action snmp_trap_action = {
    .size = sizeof(snmp_trap_action), .name = "trap_wait", .summary = "wait for traps and informs", .effects = FT_EFFECT_READ, .params_schema = params_schema,
    .result_schema = result_schema, .state_size = sizeof(struct trap_state), .run = { .start = trap_start, .cancel = trap_cancel }, .timeout_ms = 3660000,
    .about = "Listens only while the step runs. None that fits is the result `count: 0`. Traps of v1, v2c and v3, informs of v2c and v3; SNMPv3 needs `traps.users` in the configuration, and no engine ids.",
    .example = "run: snmp.trap_wait\nwith: {within_s: 60, oid: linkUp, from: [10.1.0.7]}\n",
};
