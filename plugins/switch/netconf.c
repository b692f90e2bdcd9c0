/* netconf.c: a NETCONF session with one switch. */
#include "netconf.h"

#include <stdlib.h>
#include <string.h>
#include "cli.h"
#include "session.h"

#define BASE "urn:ietf:params:netconf:base:1."
#define CAPABILITY(name) "<capability>" name "</capability>"

const char nc_hello[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><hello xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><capabilities>"
    CAPABILITY(BASE "0") CAPABILITY(BASE "1") CAPABILITY("urn:ietf:params:netconf:capability:candidate:1.0")
    CAPABILITY("urn:ietf:params:netconf:capability:confirmed-commit:1.0") "</capabilities></hello>";

/* ---- sending ---- */

static bool send_text(struct ft_call *call, const char *text)
{
    struct sw *st = host->state(call);
    struct ft_err err = { 0 };
    size_t len = 0;
    char *framed = nc_wrap(&st->nc.frame, text, &len);

    if (framed && host->stream_write(st->nc.stream, framed, len, &err) == 0)
        return true;
    sw_fail(call, st->risky ? FT_AMBIGUOUS : FT_UNREACHABLE, "%s: %s", st->name, framed ? err.text : "what is to be sent is more than a call may keep");
    return false;
}

static void send_waiting(struct ft_call *call)
{
    struct sw *st = host->state(call);
    const char *text = st->nc.waiting;

    st->nc.waiting = NULL;
    send_text(call, text);
}

/* ---- receiving ---- */

static void greeted(struct ft_call *call, const struct nc_message *hello)
{
    struct sw *st = host->state(call);

    if (!hello->base_1_0 && !hello->base_1_1) {
        sw_fail(call, FT_INVALID, "%s speaks neither NETCONF 1.0 nor 1.1: its hello names no base capability", st->name);
        return;
    }
    st->nc.server = *hello;
    st->nc.server.doc = NULL;
    st->nc.greeted = true;
    st->nc.frame.chunked = hello->base_1_1;              /* ours names both */
    if (st->nc.waiting)
        send_waiting(call);
}

static bool is_ours(const struct sw *st, const struct nc_message *m)
{
    char *end;
    unsigned long id = strtoul(m->id, &end, 10);

    return !m->id[0] || (!*end && id == st->nc.last_id);
}

static void replied(struct ft_call *call, const struct nc_message *reply)
{
    struct sw *st = host->state(call);
    nc_answered *answered = st->nc.answered;

    if (!answered || !is_ours(st, reply)) {
        host->log(call, FT_LOG_DEBUG, "%s: a reply with message-id '%s' that nobody waits for is left aside", st->name, reply->id);
        return;
    }
    if (reply->warnings[0])
        host->log(call, FT_LOG_INFO, "%s says to '%s': %s", st->name, st->sent ? st->sent : "the last request", reply->warnings);
    st->nc.answered = NULL;
    answered(call, reply);
}

/* False: the call is over, or about to be. */
static bool take_message(struct ft_call *call)
{
    struct sw *st = host->state(call);
    struct nc_message m;
    struct ft_err err = { 0 };
    bool over = false;

    if (nc_parse(st->nc.frame.text, st->nc.frame.len, &m, &err) < 0) {
        sw_fail(call, st->risky ? FT_AMBIGUOUS : FT_INVALID, "%s: %s (after '%s')", st->name, err.text, st->sent ? st->sent : "the hello");
        return false;
    }
    st->nc.over = &over;
    if (!st->nc.greeted && m.kind != NC_HELLO)
        sw_fail(call, FT_INVALID, "%s did not begin with a NETCONF hello", st->name);
    else if (!st->nc.greeted)
        greeted(call, &m);
    else if (m.kind == NC_REPLY)
        replied(call, &m);
    if (!over)
        st->nc.over = NULL;
    nc_message_done(&m);
    return !over;
}

static void nc_data(struct ft_call *call, struct ft_stream *stream, const char *bytes, size_t len, bool is_stderr)
{
    struct sw *st = host->state(call);
    size_t used;

    (void)stream;
    if (is_stderr)
        return;
    while (len) {
        enum nc_fed fed = nc_feed(&st->nc.frame, bytes, len, &used);

        bytes += used;
        len -= used;
        if (fed == NC_BAD) {
            sw_fail(call, st->risky ? FT_AMBIGUOUS : FT_INVALID, "%s sent %s", st->name, st->nc.frame.wrong);
            return;
        }
        if (fed == NC_MESSAGE && !take_message(call))
            return;
    }
}

static void nc_closed(struct ft_call *call, struct ft_stream *stream, enum ft_class class, int exit_status, const char *why)
{
    struct sw *st = host->state(call);

    (void)stream;
    (void)exit_status;
    st->nc.stream = NULL;
    st->nc.locked = false;                               /* a session that ends gives its lock back, and what it had not committed */
    if (class == FT_CLASS_NONE)
        why = st->nc.greeted ? NULL : "the NETCONF subsystem ended before its hello: is NETCONF turned on (Junos: set system services netconf ssh), and may this user use it";
    sw_lost(call, class, why);
}

static const struct ft_stream_events nc_events = { .size = sizeof(nc_events), .data = nc_data, .closed = nc_closed };

static void *frame_alloc(void *arg, size_t size)
{
    return host->alloc(arg, size);
}

/* Our hello goes at once, the first rpc only behind the server's hello: servers lose what comes with the hello. */
static void open_session(struct ft_call *call)
{
    struct sw *st = host->state(call);

    st->nc.frame.alloc = frame_alloc;
    st->nc.frame.arg = call;
    if (sw_open(call, FT_SSH_SUBSYSTEM, "netconf", &nc_events, &st->nc.stream))
        send_text(call, nc_hello);
}

void nc_rpc(struct ft_call *call, const char *body, const char *words, nc_answered *answered)
{
    struct sw *st = host->state(call);

    st->sent = words;
    st->nc.answered = answered;
    st->nc.waiting = host->printf(call, "<rpc message-id=\"%u\" xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">%s</rpc>", ++st->nc.last_id, body);
    if (!st->nc.waiting)
        sw_fail(call, FT_INVALID, "%s: the request is longer than a call may keep", st->name);
    else if (!st->nc.stream)
        open_session(call);
    else if (st->nc.greeted)
        send_waiting(call);
}

/* ---- Steps ---- */

static void step_next(struct ft_call *call);

static const char *kept(struct ft_call *call, char *text)
{
    const char *copy = text ? host->printf(call, "%s", text) : "";

    free(text);
    return copy;
}

static void step_answered(struct ft_call *call, const struct nc_message *reply)
{
    struct sw *st = host->state(call);
    const struct step *step = &st->steps[st->step_at];

    if (reply->failed) {
        sw_fail(call, st->pending ? FT_AMBIGUOUS : reply->class, "%s answered '%s' with: %s%s", st->name, step->send, reply->error,
                st->pending ? sw_takes_itself_back(st) : "");
        return;
    }
    if (step->locks)
        st->nc.locked = true;
    if (step->unlocks)
        st->nc.locked = false;
    if (step->save)
        *step->save = kept(call, step->element ? nc_text(reply, step->element) : nc_inner_xml(reply, "data", false));
    if (step->save && !*step->save) {
        sw_fail(call, FT_INVALID, "%s: its answers are longer than a call may keep", st->name);
        return;
    }
    if (step->risky)
        st->risky = false;
    st->step_at++;
    step_next(call);
}

static void step_next(struct ft_call *call)
{
    struct sw *st = host->state(call);
    const struct step *step = &st->steps[st->step_at];

    if (st->step_at == st->step_count) {
        st->sent = NULL;
        st->said(call);
        return;
    }
    st->risky = st->risky || step->risky;
    nc_rpc(call, step->rpc, step->send, step_answered);
}

void nc_say(struct ft_call *call, const struct step *steps, size_t count, void (*then)(struct ft_call *call))
{
    struct sw *st = host->state(call);

    st->steps = steps;
    st->step_count = count;
    st->step_at = 0;
    st->said = then;
    step_next(call);
}

/* ---- Show commands ---- */

void nc_ask(struct ft_call *call, const char *command, nc_answered *answered)
{
    struct sw *st = host->state(call);
    struct ft_err err = { 0 };
    const char *rpc = junos_rpc(call, command, &st->form, &st->element, &err);

    if (!rpc)
        sw_fail(call, err.class, "%s: %s", st->name, err.text);
    else
        nc_rpc(call, rpc, command, answered);
}

/* ---- Cleaning up ---- */

static void unlocked(struct ft_call *call, const struct nc_message *reply)
{
    struct sw *st = host->state(call);

    (void)reply;
    st->nc.locked = false;
    st->cleaned(call);
}

static void discarded(struct ft_call *call, const struct nc_message *reply)
{
    (void)reply;
    nc_rpc(call, "<unlock><target><candidate/></target></unlock>", "unlock", unlocked);
}

void nc_clean_up(struct ft_call *call, void (*then)(struct ft_call *call))
{
    struct sw *st = host->state(call);

    st->cleaned = then;
    nc_rpc(call, "<discard-changes/>", "discard-changes", discarded);
}
