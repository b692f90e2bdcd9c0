/* throughput.c: how much gets through to an iperf3 server, by the program iperf3. */
#include <string.h>
#include "net.h"

enum { MAX_ARGS = 32 };

struct speed {
    const char *argv[MAX_ARGS];
    size_t argc;
    struct ft_exec_req req;
};

static void add(struct speed *st, const char *argument)
{
    if (st->argc + 1 < MAX_ARGS)
        st->argv[st->argc++] = argument;
}

static void make_command(struct ft_call *call, struct speed *st)
{
    const json_t *params = host->params(call);
    bool udp = ft_same(net_param(call, "protocol"), "udp");
    json_int_t rate = ft_int(params, "bitrate");

    add(st, "iperf3");
    add(st, "--json");
    add(st, "--client");
    add(st, net_param(call, "host"));
    add(st, "--port");
    add(st, host->printf(call, "%d", (int)ft_int(params, "port")));
    add(st, "--time");
    add(st, host->printf(call, "%d", (int)ft_int(params, "seconds")));
    add(st, "--parallel");
    add(st, host->printf(call, "%d", (int)ft_int(params, "parallel")));
    add(st, "--connect-timeout");
    add(st, host->printf(call, "%d", net_timeout_ms(call)));
    if (udp)
        add(st, "--udp");
    if (ft_true(params, "reverse"))
        add(st, "--reverse");
    if (rate || udp) {
        add(st, "--bitrate");
        add(st, host->printf(call, "%" JSON_INTEGER_FORMAT, rate ? rate : 10000000));
    }
    if (ft_int(params, "family"))
        add(st, ft_int(params, "family") == 6 ? "-6" : "-4");
    st->argv[st->argc] = NULL;
    st->req = (struct ft_exec_req){ .size = sizeof(st->req), .argv = st->argv, .max_output = 4 << 20 };
}

/* ---- From its report ---- */

static json_t *whole(const json_t *object, const char *key)
{
    const json_t *value = ft_get(object, key);
    double number = json_number_value(value);

    return json_is_number(value) && number >= 0 && number < 9e18 ? json_integer((json_int_t)(number + 0.5)) : json_null();
}

static json_t *real(const json_t *object, const char *key)
{
    const json_t *value = ft_get(object, key);

    return json_is_number(value) ? json_real(net_rounded(json_number_value(value))) : json_null();
}

/* The slowest and the fastest second. */
static void range(const json_t *report, json_t *result)
{
    const json_t *interval;
    double min = 0, max = 0;
    size_t i, n = 0;

    json_array_foreach(ft_get(report, "intervals"), i, interval) {
        double rate = ft_num(ft_get(interval, "sum"), "bits_per_second");

        if (rate < 0 || rate > 9e18 || ft_num(ft_get(interval, "sum"), "seconds") < 0.5)
            continue;
        min = n == 0 || rate < min ? rate : min;
        max = rate > max ? rate : max;
        n++;
    }
    json_object_set_new(result, "min_bps", n ? json_integer((json_int_t)min) : json_null());
    json_object_set_new(result, "max_bps", n ? json_integer((json_int_t)max) : json_null());
}

static json_t *report_json(const json_t *report, bool udp)
{
    const json_t *end = ft_get(report, "end"), *sent = ft_get(end, "sum_sent"), *received = ft_get(end, "sum_received"), *sum = ft_get(end, "sum");
    json_t *result = json_object();

    json_object_set_new(result, "bits_per_second", udp ? whole(sum, "bits_per_second") : whole(received, "bits_per_second"));
    json_object_set_new(result, "sent_bps", whole(udp && !sent ? sum : sent, "bits_per_second"));
    json_object_set_new(result, "bytes", udp ? whole(sum, "bytes") : whole(received, "bytes"));
    json_object_set_new(result, "seconds", real(udp ? sum : received, "seconds"));
    json_object_set_new(result, "retransmits", whole(sent, "retransmits"));
    json_object_set_new(result, "jitter_ms", udp ? real(sum, "jitter_ms") : json_null());
    json_object_set_new(result, "packets", udp ? whole(sum, "packets") : json_null());
    json_object_set_new(result, "lost_packets", udp ? whole(sum, "lost_packets") : json_null());
    json_object_set_new(result, "loss_pct", udp ? real(sum, "lost_percent") : json_null());
    range(report, result);
    return result;
}

/* What iperf3 says is its own English; these are the ways in which it matters. */
static enum ft_class class_of(const char *error)
{
    if (strstr(error, "refused") || strstr(error, "No route") || strstr(error, "unreachable") || strstr(error, "not known") || strstr(error, "name resolution"))
        return FT_UNREACHABLE;
    if (strstr(error, "timed out") || strstr(error, "imeout"))
        return FT_TIMEOUT;
    return strstr(error, "authorization") ? FT_DENIED : FT_REFUSED;
}

static void speed_over(struct ft_call *call, const struct ft_exec_res *res)
{
    const char *name = net_param(call, "host"), *said;
    bool udp = ft_same(net_param(call, "protocol"), "udp");
    json_t *report, *result;

    if (res->error) {
        host->fail(call, res->class, "iperf3: %s", res->error);
        return;
    }
    report = json_loadb(res->out ? res->out : "", res->out_len, 0, NULL);
    said = ft_str(report, "error");
    if (said) {
        host->fail(call, class_of(said), "iperf3 to %s port %d: %.300s%s", name, (int)ft_int(host->params(call), "port"), strncmp(said, "error - ", 8) == 0 ? said + 8 : said,
                   strstr(said, "busy") ? " (it takes one test at a time)" : "");
    } else if (!report || res->exit_status != 0 || !json_is_object(ft_get(report, "end"))) {
        host->fail(call, report || res->exit_status ? FT_REFUSED : FT_INVALID, "iperf3 to %s ended with status %d and without a report%s%.*s", name, res->exit_status,
                   res->err_len ? ": " : "", (int)strcspn(res->err ? res->err : "", "\n"), res->err ? res->err : "");
    } else {
        result = report_json(report, udp);
        if (json_is_integer(ft_get(result, "bits_per_second")))
            host->done(call, result);
        else {
            json_decref(result);
            host->fail(call, FT_INVALID, "iperf3's report has no figure for the %s throughput", udp ? "UDP" : "TCP");
        }
    }
    json_decref(report);
}

static int speed_start(struct ft_call *call, struct ft_err *reterr)
{
    struct speed *st = host->state(call);
    struct ft_err err = { 0 };

    if (*net_param(call, "host") == '-')
        return ft_fault(reterr, FT_INVALID, "'%.80s' is no name of a host", net_param(call, "host"));
    make_command(call, st);
    if (host->exec(call, &st->req, speed_over, &err) == 0)
        return 0;
    return ft_fault(reterr, err.class ? err.class : FT_NOT_FOUND, "the program iperf3 is needed on this machine (Debian's package iperf3): %.300s", err.text);
}

static const char params_schema[] = OBJECT("[\"host\"]",
    JSON("host": {"type": "string", "minLength": 1, "maxLength": 255, "description": "where `iperf3 --server` runs: name or address"},
         "port": {"type": "integer", "minimum": 1, "maximum": 65535, "default": 5201, "description": "its port"},
         "protocol": {"enum": ["tcp", "udp"], "default": "tcp", "description": "udp tells of loss and jitter at a given rate"},
         "reverse": {"type": "boolean", "default": false, "description": "from the server to here"},
         "seconds": {"type": "integer", "minimum": 1, "maximum": 300, "default": 5, "description": "how long"},
         "parallel": {"type": "integer", "minimum": 1, "maximum": 32, "default": 1, "description": "connections at once"},
         "bitrate": {"type": "integer", "minimum": 1000, "description": "bit/s of each connection to keep to; as fast as it goes for tcp, 10 Mbit/s for udp when left out"},
         "family": {"enum": [4, 6], "description": "IPv4 or IPv6; what the name gives first when left out"}) ", " TIMEOUT_PARAM);
static const char result_schema[] = JSON({"type": "object", "properties": {
    "bits_per_second": {"type": "integer", "description": "what arrived, in bit/s, over all connections"},
    "sent_bps": {"type": ["integer", "null"], "description": "what was sent, in bit/s"},
    "min_bps": {"type": ["integer", "null"], "description": "the slowest second, in bit/s"}, "max_bps": {"type": ["integer", "null"], "description": "the fastest second, in bit/s"},
    "bytes": {"type": ["integer", "null"], "description": "bytes in all"}, "seconds": {"type": ["number", "null"], "description": "how long it took"},
    "retransmits": {"type": ["integer", "null"], "description": "TCP segments sent again; null where the sender does not tell"},
    "jitter_ms": {"type": ["number", "null"], "description": "UDP: variation of the time on the way, in ms"},
    "packets": {"type": ["integer", "null"], "description": "UDP: datagrams sent"}, "lost_packets": {"type": ["integer", "null"], "description": "UDP: datagrams lost"},
    "loss_pct": {"type": ["number", "null"], "description": "UDP: lost, in per cent"}}});

const struct ft_action net_throughput = {
    .size = sizeof(net_throughput), .name = "throughput", .summary = "how much gets through to an iperf3 server", .effects = FT_EFFECT_READ, .params_schema = params_schema,
    .result_schema = result_schema, .state_size = sizeof(struct speed), .run = { .start = speed_start }, .timeout_ms = 400000,
    .about = "It changes nothing, and fills the link while it runs: others notice. Keep it short, or give a `bitrate`. Needs the program iperf3 here and `iperf3 --server` there; "
             "a server that is busy with another test fails the step as `refused`.",
    .example = "run: net.throughput\nwith: {host: iperf.example, seconds: 5, reverse: true}\nretry: {times: 3, every: 10s, if: error.class == \"refused\"}\n",
};
