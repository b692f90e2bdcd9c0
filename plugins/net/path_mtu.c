/* path_mtu.c: the largest packet that arrives uncut, and who says so.
 *
 * A router that cannot pass a packet must say what would fit. Where none does and large packets vanish, connections open and then hang: a black hole,
 * found here by halving. */
#include <stdlib.h>
#include <string.h>
#include "probe.h"

enum { MAX_STEPS = 40, SMALL = 100 };

struct mtu_step { int size; struct probe probe; };

struct mtu_job {
    char *host;
    int family, wait_ms, tries, max;
    const char *asked;
    enum probe_method method;
    double until_ms;
    atomic_bool stop;
    struct probe_to to;
    bool not_allowed, reachable, complete;
    bool silent_above;                           /* the last limit was found by silence */
    int mtu, local_mtu;
    char told_by[INET6_ADDRSTRLEN];
    struct mtu_step steps[MAX_STEPS];
    size_t count;
    unsigned seq;
    char error[200];
};

struct mtu_state { struct mtu_job *job; };

/* ---- On the worker thread ---- */

/* One size, some tries; the last probe is kept. */
static const struct probe *ask(struct mtu_job *job, int size)
{
    struct mtu_step *step = &job->steps[job->count < MAX_STEPS ? job->count++ : MAX_STEPS - 1];

    step->size = size;
    for (int i = 0; i < job->tries; i++) {
        double until = net_now_ms() + job->wait_ms;

        probe_send(&step->probe, &job->to, job->method, 0, (size_t)size, true, ++job->seq);
        probe_await(&step->probe, 1, until < job->until_ms ? until : job->until_ms, &job->stop);
        probe_close(&step->probe, 1);
        if (step->probe.end != PROBE_SILENT)
            break;
    }
    return &step->probe;
}

static void note_limit(struct mtu_job *job, const struct probe *p)
{
    job->silent_above = p->end != PROBE_TOO_BIG;
    if (p->end == PROBE_TOO_BIG && *p->from)
        memcpy(job->told_by, p->from, sizeof(job->told_by));
    else if (p->end == PROBE_TOO_BIG)
        job->local_mtu = p->mtu;
}

/* good arrived. What a router says is tried next and believed when it arrives; without a word the middle is. */
static void narrow(struct mtu_job *job, int good)
{
    int bad = job->max + 1, next = job->max, told = 0;

    while (bad - good > 1 && good != told && job->count < MAX_STEPS && !atomic_load(&job->stop) && net_now_ms() < job->until_ms) {
        const struct probe *p = ask(job, next);

        if (p->end == PROBE_ANSWER) {
            good = next;
        } else {
            bad = next;
            note_limit(job, p);
        }
        told = p->end == PROBE_TOO_BIG && p->mtu > good && p->mtu < bad ? p->mtu : told;
        next = told > good && told < bad ? told : good + (bad - good) / 2;
    }
    job->mtu = good;
    job->complete = bad - good <= 1 || good == told;
}

static void mtu_blocking(void *arg)
{
    struct mtu_job *job = arg;
    const struct probe *p;

    if (!probe_resolve(job->host, job->family, &job->to, job->error, sizeof(job->error)))
        return;
    job->method = strcmp(job->asked, "udp") == 0 || (strcmp(job->asked, "auto") == 0 && !probe_may_icmp(&job->to)) ? PROBE_UDP : PROBE_ICMP;
    job->not_allowed = job->method == PROBE_ICMP && !probe_may_icmp(&job->to);
    if (job->not_allowed)
        return;
    p = ask(job, SMALL);
    job->reachable = p->end == PROBE_ANSWER;
    if (!job->reachable) {
        probe_says(p, job->error, sizeof(job->error));
        return;
    }
    narrow(job, SMALL);
}

/* ---- On the loop ---- */

static json_t *steps_json(const struct mtu_job *job)
{
    static const char *const words[] = { "silent", "silent", "reply", "unreachable", "too_big", "unreachable", "failed" };
    json_t *list = json_array();

    for (size_t i = 0; i < job->count; i++) {
        const struct probe *p = &job->steps[i].probe;

        json_array_append_new(list, json_pack("{s:i, s:s, s:s?, s:o}", "size", job->steps[i].size, "answer", words[p->end], "from", *p->from ? p->from : NULL,
                                              "mtu", p->end == PROBE_TOO_BIG && p->mtu ? json_integer(p->mtu) : json_null()));
    }
    return list;
}

static void mtu_after(struct ft_call *call, void *arg)
{
    const struct mtu_job *job = arg;

    if (job->not_allowed) {
        host->fail(call, FT_DENIED, "this machine lets no ICMP socket be opened (net.ipv4.ping_group_range): use method udp");
        return;
    }
    host->done(call, json_pack("{s:b, s:b, s:o, s:b, s:s?, s:o, s:s?, s:s, s:o, s:s?}", "reachable", job->reachable, "complete", job->complete,
        "mtu", job->mtu ? json_integer(job->mtu) : json_null(), "blackhole", job->complete && job->silent_above,
        "told_by", *job->told_by ? job->told_by : NULL, "local_mtu", job->local_mtu ? json_integer(job->local_mtu) : json_null(),
        "address", *job->to.text ? job->to.text : NULL, "method", job->method == PROBE_UDP ? "udp" : "icmp", "steps", steps_json(job),
        "error", *job->error ? job->error : NULL));
}

static void mtu_release(void *arg)
{
    struct mtu_job *job = arg;

    free(job->host);
    free(job);
}

static int mtu_start(struct ft_call *call, struct ft_err *reterr)
{
    struct mtu_state *st = host->state(call);
    const json_t *params = host->params(call);
    struct mtu_job *job = calloc(1, sizeof(*job));
    int r;

    if (!job || !(job->host = strdup(net_param(call, "host")))) {
        free(job);
        return ft_err_set(reterr, -ENOMEM, "out of memory");
    }
    job->family = (int)ft_int(params, "family");
    job->max = (int)ft_int(params, "max");
    job->wait_ms = (int)ft_int(params, "wait_ms");
    job->tries = (int)ft_int(params, "tries");
    job->asked = strcmp(net_param(call, "method"), "udp") == 0 ? "udp" : strcmp(net_param(call, "method"), "icmp") == 0 ? "icmp" : "auto";
    job->until_ms = net_until_ms(call);
    st->job = job;
    r = host->work(call, job, mtu_blocking, mtu_after, mtu_release, reterr);
    if (r < 0)
        mtu_release(job);
    return r;
}

static void mtu_cancel(struct ft_call *call)
{
    const struct mtu_state *st = host->state(call);

    if (st->job)
        atomic_store(&st->job->stop, true);
}

static const char params_schema[] = OBJECT("[\"host\"]",
    JSON("host": {"type": "string", "minLength": 1, "maxLength": 255, "description": "name or address; it must answer to ping, or refuse datagrams"},
         "family": {"enum": [4, 6], "description": "IPv4 or IPv6; what the name gives first when left out"},
         "method": {"enum": ["auto", "icmp", "udp"], "default": "auto", "description": "echo requests where this machine lets us, else datagrams to ports that nobody uses"},
         "max": {"type": "integer", "minimum": 576, "maximum": 65535, "default": 1500, "description": "largest packet to try, in bytes with its IP header; 9000 for jumbo frames"},
         "tries": {"type": "integer", "minimum": 1, "maximum": 5, "default": 2, "description": "packets of a size before it counts as lost"},
         "wait_ms": {"type": "integer", "minimum": 50, "maximum": 10000, "default": 1000, "description": "milliseconds to wait for each"}));
static const char result_schema[] = JSON({"type": "object", "properties": {
    "reachable": {"type": "boolean", "description": "a small packet was answered; without that nothing is known"},
    "complete": {"type": "boolean", "description": "the size was found; false: the step's time was over before, and more than mtu may pass"},
    "mtu": {"type": ["integer", "null"], "description": "largest packet that arrives whole, in bytes with its IP header, up to max"},
    "blackhole": {"type": "boolean", "description": "larger packets vanish and nobody says so: connections will hang"},
    "told_by": {"type": ["string", "null"], "description": "address of the router that said what fits"},
    "local_mtu": {"type": ["integer", "null"], "description": "the MTU of this machine's own interface, where that was the limit first"},
    "address": {"type": ["string", "null"], "description": "the address that was tried"}, "method": {"type": "string", "description": "icmp or udp"},
    "steps": {"type": "array", "description": "what was tried, in order", "items": {"type": "object", "properties": {
        "size": {"type": "integer", "description": "bytes"}, "answer": {"type": "string", "description": "reply, too_big, silent, unreachable, failed"},
        "from": {"type": ["string", "null"], "description": "who said so"}, "mtu": {"type": ["integer", "null"], "description": "what would fit, in its words"}}}},
    "error": {"type": ["string", "null"], "description": "why nothing is known"}}});

const struct ft_action net_path_mtu = {
    .size = sizeof(net_path_mtu), .name = "path_mtu", .summary = "the largest packet that arrives whole", .effects = FT_EFFECT_READ, .params_schema = params_schema,
    .result_schema = result_schema, .state_size = sizeof(struct mtu_state), .run = { .start = mtu_start, .cancel = mtu_cancel }, .timeout_ms = 120000,
    .about = "Packets that may not be cut, from `max` downwards. Where routers say what fits that is tried; where they are silent the size is found by halving, and `blackhole` is true.",
    .example = "run: net.path_mtu\nwith: {host: 10.20.0.9}\n",
};
