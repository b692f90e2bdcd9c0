/* syslog.c: a message to a log server or SIEM by RFC 5424: over TLS (RFC 5425), TCP (RFC 6587, octet counting) or UDP (RFC 5426).
 *
 * The protocol has no acknowledgement: that the connection stood until we closed it is all that can be known. */
#include "notify.h"
#include <unistd.h>

#define MAX_UDP 2048            /* what a receiver should be able to take */
#define LINGER_MS 1500          /* for the other side to complain */

struct log {
    const char *frame;
    size_t len;
    bool written, refused;
    const char *transport;
};

/* ---- The message ---- */

static const char *const severities[] = { "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug" };
static const struct { const char *name; unsigned number; } facilities[] = {
    { "user", 1 }, { "daemon", 3 }, { "auth", 4 }, { "local0", 16 }, { "local1", 17 },
    { "local2", 18 }, { "local3", 19 }, { "local4", 20 }, { "local5", 21 }, { "local6", 22 }, { "local7", 23 },
};

static unsigned priority(struct ft_call *call, const json_t *config)
{
    const char *facility = ft_str(config, "facility") ?: "local0", *severity = notify_param(call, "severity") ?: "info";
    unsigned pri = 16 * 8, level = 6;

    for (size_t i = 0; i < sizeof(facilities) / sizeof(facilities[0]); i++) {
        if (ft_same(facilities[i].name, facility))
            pri = facilities[i].number * 8;
    }
    for (unsigned i = 0; i < 8; i++) {
        if (ft_same(severities[i], severity))
            level = i;
    }
    return pri + level;
}

static const char *our_name(struct ft_call *call, const json_t *config)
{
    char name[256] = "";

    if (ft_str(config, "hostname"))
        return ft_str(config, "hostname");
    if (gethostname(name, sizeof(name) - 1) < 0)
        return "-";
    for (char *p = name; *p; p++) {
        if (*p <= ' ' || *p > '~')
            *p = '-';
    }
    return *name ? host->printf(call, "%s", name) : "-";
}

/* Of a value, only ", \ and ] are escaped. */
static const char *escaped(struct ft_call *call, const char *text)
{
    char *safe = host->alloc(call, strlen(text) * 2 + 1), *to = safe;

    for (; *text; text++) {
        if (strchr("\"\\]", *text))
            *to++ = '\\';
        *to++ = *text;
    }
    *to = '\0';
    return safe;
}

static const char *value_text(struct ft_call *call, const json_t *value)
{
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_integer(value))
        return host->printf(call, "%lld", (long long)json_integer_value(value));
    if (json_is_real(value))
        return host->printf(call, "%.15g", json_real_value(value));
    return json_is_true(value) ? "true" : "false";
}

/* [fettle@32473 run="7f3c0a12" client="a4:83:e7:12:34:56"] */
static const char *structured(struct ft_call *call, const json_t *config, struct ft_err *reterr)
{
    json_int_t enterprise = ft_int(config, "enterprise");
    const char *text = host->printf(call, "[fettle@%lld run=\"%s\"", (long long)(enterprise ?: 32473), host->run_id(call)), *name;
    json_t *value;

    json_object_foreach((json_t *)ft_get(host->params(call), "data"), name, value) {
        size_t len = strlen(name);

        if (len == 0 || len > 32 || strpbrk(name, "= ]\"") || json_is_object(value) || json_is_array(value) || json_is_null(value)) {
            ft_fault(reterr, FT_INVALID,
                     "'%.60s' cannot be structured data: a name of at most 32 printable characters without = ] or \", and a text, number or boolean", name);
            return NULL;
        }
        for (const char *p = name; *p; p++) {
            if (*p <= ' ' || *p > '~') {
                ft_fault(reterr, FT_INVALID, "'%.60s' cannot be a name of structured data: printable ASCII only", name);
                return NULL;
            }
        }
        text = host->printf(call, "%s %s=\"%s\"", text, name, escaped(call, value_text(call, value)));
    }
    return host->printf(call, "%s]", text);
}

/* <134>1 2026-11-21T02:13:05.000Z fettle01 fettle 7f3c0a12 EVENT [fettle@32473 …] BOM text */
static const char *message(struct ft_call *call, const json_t *config, const char *stamp, struct ft_err *reterr)
{
    const char *data = structured(call, config, reterr);

    return data ? host->printf(call, "<%u>1 %s %s %s %s %s %s \xef\xbb\xbf%s", priority(call, config), stamp, our_name(call, config), "fettle",
                               host->run_id(call), notify_param(call, "msgid") ?: "-", data, notify_param(call, "text"))
                : NULL;
}

static int compose(struct ft_call *call, const char *stamp, const char **ret_text, struct ft_err *reterr)
{
    const json_t *config = ft_get(host->config(call), "syslog");
    struct log *st = host->state(call);

    if (!config)
        return ft_fault(reterr, FT_INVALID, "the configuration names no log server: set plugins.notify.syslog.host");
    st->transport = ft_str(config, "transport") ?: "tls";
    *ret_text = message(call, config, stamp, reterr);
    if (!*ret_text)
        return -EINVAL;
    if (ft_same(st->transport, "udp") && strlen(*ret_text) > MAX_UDP)
        return ft_fault(reterr, FT_INVALID, "a message of %zu bytes is too large for a datagram (at most %d): use tcp or tls", strlen(*ret_text), MAX_UDP);
    return 0;
}

static uint16_t port_of(const json_t *config, const char *transport)
{
    return (uint16_t)(ft_int(config, "port") ?: ft_same(transport, "tls") ? 6514 : 514);
}

/* ---- Sending ---- */

static void sent(struct ft_call *call)
{
    const struct log *st = host->state(call);

    host->done(call, json_pack("{s:s, s:I, s:b}", "transport", st->transport, "bytes", (json_int_t)st->len, "acknowledged", 0));
}

static void lingered(struct ft_call *call)
{
    struct log *st = host->state(call);

    if (st->written && !st->refused)
        sent(call);
}

static void opened(struct ft_call *call, struct ft_stream *stream)
{
    struct log *st = host->state(call);
    struct ft_err err = { 0 };

    if (host->stream_write(stream, st->frame, st->len, &err) < 0) {
        st->refused = true;
        host->fail(call, err.class ?: FT_UNREACHABLE, "%s", err.text);
        return;
    }
    st->written = true;
    host->stream_eof(stream);
    host->timer(call, LINGER_MS, lingered);              /* a receiver that does not close */
}

static void closed(struct ft_call *call, struct ft_stream *stream, enum ft_class class, int exit_status, const char *why)
{
    struct log *st = host->state(call);

    (void)stream;
    (void)exit_status;
    if (st->refused)
        return;
    st->refused = true;
    /* rsyslog answers our end of TLS with a bare end of TCP: nothing of ours is lost by that. */
    if (st->written && (class == FT_CLASS_NONE || (ft_same(st->transport, "tls") && strstr(why, "without TLS's own end"))))
        sent(call);
    else if (st->written)
        host->fail(call, FT_AMBIGUOUS, "the log server broke the connection after the message was sent, so it may be lost: %s", why);
    else
        host->fail(call, class ?: FT_REFUSED, "%s", class ? why : "the log server closed the connection before anything was sent");
}

static int run(struct ft_call *call, struct ft_err *reterr)
{
    static const struct ft_stream_events events = { .size = sizeof(events), .opened = opened, .closed = closed };
    const json_t *config = ft_get(host->config(call), "syslog");
    struct log *st = host->state(call);
    struct ft_stream *stream;
    const char *text;
    int r = compose(call, notify_stamp(call, host->wall_ms(call)), &text, reterr);

    if (r < 0)
        return r;
    st->frame = ft_same(st->transport, "udp") ? text : host->printf(call, "%zu %s", strlen(text), text);
    st->len = strlen(st->frame);
    if (ft_same(st->transport, "udp")) {
        struct ft_udp_req req = { .size = sizeof(req), .host = ft_str(config, "host"), .port = port_of(config, st->transport) };

        return host->udp(call, &req, &events, &stream, reterr);
    }
    struct ft_tcp_req req = { .size = sizeof(req), .host = ft_str(config, "host"), .port = port_of(config, st->transport), .tls = ft_same(st->transport, "tls"),
                              .server_name = ft_str(config, "server_name"), .ca_file = ft_str(config, "ca_file"), .cert_file = ft_str(config, "cert_file"),
                              .key_file = ft_str(config, "key_file") };

    return host->tcp(call, &req, &events, &stream, reterr);
}

static int plan(struct ft_call *call, struct ft_err *reterr)
{
    const json_t *config = ft_get(host->config(call), "syslog");
    struct log *st = host->state(call);
    const char *text;
    int r = compose(call, "(when it is sent)", &text, reterr);

    if (r == 0)
        host->done(call,
                   json_pack("{s:s, s:[{s:o, s:[s]}]}", "summary", host->printf(call, "log a message at %s", ft_str(config, "host")), "requests", "target",
                             json_sprintf("syslog %s %s:%u", st->transport, ft_str(config, "host"), port_of(config, st->transport)), "commands", text));
    return r;
}

static const char params[] = FT_JSON({"type": "object", "additionalProperties": false, "required": ["text"], "properties": {
    "text": {"type": "string", "minLength": 1, "maxLength": 60000, "description": "the message"},
    "severity": {"enum": ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"], "default": "info", "description": "severity of syslog"},
    "msgid": {"type": "string", "pattern": "^[!-~]{1,32}$", "description": "kind of the message: LEASES_FREED"},
    "data": {"type": "object", "maxProperties": 50, "description": "structured data besides the run: {client: …, vlan: 110}; texts, numbers, booleans", "additionalProperties": true}}});

static const char result[] = FT_JSON({"type": "object", "properties": {
    "transport": {"type": "string", "description": "tls, tcp or udp"}, "bytes": {"type": "integer", "description": "bytes handed over, with their frame"},
    "acknowledged": {"type": "boolean", "description": "always false: syslog has no acknowledgement"}}});

const struct ft_action notify_syslog = {
    .size = sizeof(notify_syslog), .name = "syslog", .summary = "write to the log server or SIEM (RFC 5424)",
    .effects = FT_EFFECT_WRITE, .params_schema = params, .result_schema = result, .state_size = sizeof(struct log),
    .run = { .start = run }, .plan = { .start = plan }, .timeout_ms = 15000,
    .about = "Over TLS, TCP with octet counting, or UDP, as plugins.notify.syslog says. Done means handed over and not complained about: the protocol has no acknowledgement, "
             "and by UDP not even a refusal is sure to be seen. What was logged cannot be taken back.",
    .example = "run: notify.syslog\nwith: {severity: notice, msgid: LEASES_FREED, text: \"38 stale leases freed\", data: {vlan: 110}}\nundo: none\n",
};
