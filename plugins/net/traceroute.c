/* traceroute.c: the way to a host, hop by hop. Several hops are asked at once, so that silent ones cost little. */
#include <stdlib.h>
#include <string.h>
#include "probe.h"

enum { MAX_HOPS = 64, MAX_PROBES = 5, HOPS_AT_ONCE = 4 };

struct trace_job {
    char *host;
    int family, max_hops, per_hop, wait_ms;
    const char *asked;                           /* icmp, udp or auto; of the schema */
    enum probe_method method;
    double until_ms;
    atomic_bool stop;
    struct probe_to to;
    struct probe probes[MAX_HOPS][MAX_PROBES];
    int hops, reached, ended;                    /* hops: how many were asked; reached, ended: at which, 0: none */
    bool not_allowed;
    char error[200];
};

struct trace_state { struct trace_job *job; };

/* ---- On the worker thread ---- */

static void judge(struct trace_job *job, int hop)
{
    for (int i = 0; i < job->per_hop; i++) {
        const struct probe *p = &job->probes[hop][i];

        if (p->end == PROBE_ANSWER && !job->reached)
            job->reached = job->ended = hop + 1;
        if ((p->end == PROBE_UNREACHABLE || p->end == PROBE_FAILED) && !job->ended) {
            job->ended = hop + 1;
            probe_says(p, job->error, sizeof(job->error));
        }
    }
}

static void ask_hops(struct trace_job *job, int from, int count)
{
    double until;

    for (int hop = from; hop < from + count; hop++) {
        for (int i = 0; i < job->per_hop; i++)
            probe_send(&job->probes[hop][i], &job->to, job->method, hop + 1, 0, false, (unsigned)(hop * MAX_PROBES + i + 1));
    }
    until = net_now_ms() + job->wait_ms;
    if (until > job->until_ms)
        until = job->until_ms;
    for (int hop = from; hop < from + count; hop++) {
        probe_await(job->probes[hop], (size_t)job->per_hop, until, &job->stop);
        probe_close(job->probes[hop], (size_t)job->per_hop);
        if (!job->ended)
            judge(job, hop);
    }
    job->hops = from + count;
}

static void trace_blocking(void *arg)
{
    struct trace_job *job = arg;

    if (!probe_resolve(job->host, job->family, &job->to, job->error, sizeof(job->error)))
        return;
    job->method = strcmp(job->asked, "udp") == 0 || (strcmp(job->asked, "auto") == 0 && !probe_may_icmp(&job->to)) ? PROBE_UDP : PROBE_ICMP;
    job->not_allowed = job->method == PROBE_ICMP && !probe_may_icmp(&job->to);
    while (!job->not_allowed && job->hops < job->max_hops && !job->ended && !atomic_load(&job->stop) && net_now_ms() < job->until_ms) {
        int left = job->max_hops - job->hops;

        ask_hops(job, job->hops, left < HOPS_AT_ONCE ? left : HOPS_AT_ONCE);
    }
}

/* ---- On the loop ---- */

static void add_address(json_t *list, const char *address)
{
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item) {
        if (strcmp(json_string_value(item), address) == 0)
            return;
    }
    json_array_append_new(list, json_string(address));
}

static json_t *hop_json(const struct trace_job *job, int hop)
{
    json_t *addresses = json_array(), *rtts = json_array();
    char note[200] = "";
    int answered = 0;

    for (int i = 0; i < job->per_hop; i++) {
        const struct probe *p = &job->probes[hop][i];

        if (p->end == PROBE_SILENT || p->end == PROBE_FAILED || !*p->from)
            continue;
        answered++;
        add_address(addresses, p->from);
        json_array_append_new(rtts, json_real(net_rounded(p->rtt_ms)));
        if (p->end == PROBE_UNREACHABLE)
            probe_says(p, note, sizeof(note));
    }
    return json_pack("{s:i, s:O?, s:o, s:o, s:i, s:i, s:f, s:s?}", "hop", hop + 1, "address", json_array_get(addresses, 0), "addresses", addresses, "rtt_ms", rtts,
                     "sent", job->per_hop, "answered", answered, "loss_pct", net_rounded(100.0 * (job->per_hop - answered) / job->per_hop), "note", *note ? note : NULL);
}

static void trace_after(struct ft_call *call, void *arg)
{
    const struct trace_job *job = arg;
    json_t *hops = json_array();
    int last = job->ended ? job->ended : job->hops, heard = 0;

    if (job->not_allowed) {
        json_decref(hops);
        host->fail(call, FT_DENIED, "this machine lets no ICMP socket be opened (net.ipv4.ping_group_range): use method udp");
        return;
    }
    for (int i = 0; i < last; i++) {
        json_t *hop = hop_json(job, i);

        if (json_integer_value(json_object_get(hop, "answered")) > 0)
            heard = i + 1;
        json_array_append_new(hops, hop);
    }
    host->done(call, json_pack("{s:b, s:s?, s:s, s:o, s:o, s:s?}", "reached", job->reached > 0, "address", *job->to.text ? job->to.text : NULL,
                               "method", job->method == PROBE_UDP ? "udp" : "icmp", "hops", hops, "last_hop", heard ? json_integer(heard) : json_null(),
                               "error", job->reached ? NULL : *job->error ? job->error : "the target did not answer within max_hops hops"));
}

static void trace_release(void *arg)
{
    struct trace_job *job = arg;

    free(job->host);
    free(job);
}

static int trace_start(struct ft_call *call, struct ft_err *reterr)
{
    struct trace_state *st = host->state(call);
    const json_t *params = host->params(call);
    struct trace_job *job = calloc(1, sizeof(*job));
    int r;

    if (!job || !(job->host = strdup(net_param(call, "host")))) {
        free(job);
        return ft_err_set(reterr, -ENOMEM, "out of memory");
    }
    job->family = (int)ft_int(params, "family");
    job->max_hops = (int)ft_int(params, "max_hops");
    job->per_hop = (int)ft_int(params, "probes");
    job->wait_ms = (int)ft_int(params, "wait_ms");
    job->asked = strcmp(net_param(call, "method"), "udp") == 0 ? "udp" : strcmp(net_param(call, "method"), "icmp") == 0 ? "icmp" : "auto";
    job->until_ms = net_until_ms(call);
    st->job = job;
    r = host->work(call, job, trace_blocking, trace_after, trace_release, reterr);
    if (r < 0)
        trace_release(job);
    return r;
}

static void trace_cancel(struct ft_call *call)
{
    const struct trace_state *st = host->state(call);

    if (st->job)
        atomic_store(&st->job->stop, true);
}

static const char params_schema[] = OBJECT("[\"host\"]",
    JSON("host": {"type": "string", "minLength": 1, "maxLength": 255, "description": "name or address"},
         "family": {"enum": [4, 6], "description": "IPv4 or IPv6; what the name gives first when left out"},
         "method": {"enum": ["auto", "icmp", "udp"], "default": "auto", "description": "what is sent: echo requests where this machine lets us, else datagrams to ports that nobody uses"},
         "max_hops": {"type": "integer", "minimum": 1, "maximum": 64, "default": 30, "description": "go no further"},
         "probes": {"type": "integer", "minimum": 1, "maximum": 5, "default": 3, "description": "packets to each hop"},
         "wait_ms": {"type": "integer", "minimum": 50, "maximum": 10000, "default": 1000, "description": "milliseconds to wait for a hop"}));
static const char result_schema[] = JSON({"type": "object", "properties": {
    "reached": {"type": "boolean", "description": "the target itself answered"},
    "address": {"type": ["string", "null"], "description": "the address that was tried"},
    "method": {"type": "string", "description": "icmp or udp"},
    "hops": {"type": "array", "description": "up to the target, or as far as was asked", "items": {"type": "object", "properties": {
        "hop": {"type": "integer", "description": "1 is the first router"}, "address": {"type": ["string", "null"], "description": "who answered first; null: nobody"},
        "addresses": {"type": "array", "items": {"type": "string"}, "description": "all that answered: more than one where ways are shared"},
        "rtt_ms": {"type": "array", "items": {"type": "number"}, "description": "round trips in ms, of those that answered"},
        "sent": {"type": "integer", "description": "packets sent"}, "answered": {"type": "integer", "description": "of these answered"},
        "loss_pct": {"type": "number", "description": "not answered, in per cent; routers answer at a limited rate, so only loss that goes on to the target counts"},
        "note": {"type": ["string", "null"], "description": "what the hop said besides: host unreachable, administratively prohibited"}}}},
    "last_hop": {"type": ["integer", "null"], "description": "the last hop that answered"},
    "error": {"type": ["string", "null"], "description": "why the target was not reached"}}});

const struct ft_action net_traceroute = {
    .size = sizeof(net_traceroute), .name = "traceroute", .summary = "the way to a host, hop by hop", .effects = FT_EFFECT_READ, .params_schema = params_schema,
    .result_schema = result_schema, .state_size = sizeof(struct trace_state), .run = { .start = trace_start, .cancel = trace_cancel }, .timeout_ms = 180000,
    .about = "Needs no program and no privilege. A target that is not reached is a result; `error` says who refused, where somebody did.",
    .example = "run: net.traceroute\nwith: {host: 10.20.0.9, max_hops: 12}\n",
};
