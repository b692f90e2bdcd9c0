/* mist_command.c: a command whose output comes over Mist's websocket.
 *
 *   opening ──opened──► subscribing ──channel_subscribed──► sending ──the answer names the session──► collecting ──its end──► over
 *
 * The subscription comes first: what a device says before we listen is lost. What comes before the answer is kept, for it may be the session's.
 * Mist documents no end of an output: each command knows its own, and silence ends the others. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "mist_command.h"

enum { OPEN_MS = 10000, SUBSCRIBE_MS = 10000, OPTIONAL_MS = 4000, EARLY_MAX = 256 << 10, MESSAGE_MAX = 1 << 20, CLOCK_MS = 5 };

enum state { OPENING, SUBSCRIBING, SENDING, COLLECTING, OVER };

struct command_run {
    struct mist_command c;
    enum state state;
    struct ft_stream *stream;    /* NULL: there is none (any more) */
    const char *channel;
    mist_next *subscribed;       /* who waits for the subscription */
    const char *session;         /* ours; NULL: the answer named none, and no output was ours yet */
    json_t *early;               /* held: [[session, raw, finished]] */
    size_t early_bytes;
    struct mist_cleaner cleaner;
    char *text;                  /* clean output */
    size_t len, room;
    bool heard, finished;
    uint64_t left_at_start;      /* of the call's deadline: the clock is what is gone of it */
    uint64_t due, give_up, timer_at;
    const char *lost;            /* why the stream is gone; NULL: it is not */
    enum ft_class lost_class;
};

static struct command_run *run_of(struct ft_call *call)
{
    return mist_state(call)->own;
}

static uint64_t elapsed(struct ft_call *call)
{
    return run_of(call)->left_at_start - host->remaining_ms(call);
}

static void close_stream(struct command_run *r)
{
    if (r->stream)
        host->stream_close(r->stream);
    r->stream = NULL;
}

static const char *seconds(struct ft_call *call, uint64_t ms)
{
    return host->printf(call, "%llu s", (unsigned long long)((ms + 500) / 1000));
}

/* ---- the end */

static void end_with(struct ft_call *call, enum mist_how how)
{
    struct command_run *r = run_of(call);
    char why[256];
    enum ft_class class;

    r->state = OVER;
    close_stream(r);
    class = mist_complaint(r->text ? r->text : "", why, sizeof(why));
    if (class != FT_CLASS_NONE)
        mist_fail(call, class, "%s: %s answers: %s", r->c.what, mist_device_name(mist_state(call)), why);
    else
        r->c.over(call, &(struct mist_output){ .text = r->text ? r->text : "", .how = how });
}

/* Nothing, or not all of it, came. */
static void end_without(struct ft_call *call, enum ft_class class, const char *why)
{
    struct command_run *r = run_of(call);
    bool wrote = mist_state(call)->mode == MIST_RUN;

    if (r->c.sent_is_done) {
        host->log(call, FT_LOG_WARN, "%s: the command was taken, and its output did not come: %s", r->c.what, why);
        end_with(call, MIST_LOST);
        return;
    }
    r->state = OVER;
    close_stream(r);
    mist_fail(call, wrote ? FT_AMBIGUOUS : class, "%s: %s took the command, and its output did not come: %s%s", r->c.what,
              mist_device_name(mist_state(call)), why,
              wrote ? "; it has probably run" : "");
}

static void no_stream(struct ft_call *call, enum ft_class class, const char *why)
{
    struct command_run *r = run_of(call);
    mist_next *then = r->subscribed;

    close_stream(r);
    r->lost = host->printf(call, "%s", why);
    r->lost_class = class;
    if (r->c.sent_is_done) {                     /* sent all the same */
        r->state = SENDING;
        then(call);
    } else {
        r->state = OVER;
        mist_fail(call, class ? class : FT_UNREACHABLE, "%s was not sent, for its output could not be heard: %s", r->c.what, why);
    }
}

/* ---- the clock. One timer at a time counts; those started for a later moment find nothing to do. */

static void timer_over(struct ft_call *call);

static void watch(struct ft_call *call, uint64_t due)
{
    struct command_run *r = run_of(call);
    uint64_t now = elapsed(call);

    r->due = due < r->give_up ? due : r->give_up;
    if (r->timer_at && r->timer_at > now && r->timer_at <= r->due)
        return;
    r->timer_at = r->due > now ? r->due : now + 1;
    host->timer(call, r->timer_at - now, timer_over);
}

static void collecting_too_long(struct ft_call *call)
{
    struct command_run *r = run_of(call);
    bool in_all = elapsed(call) >= r->give_up;

    if (!r->heard)
        end_without(call, FT_TIMEOUT, host->printf(call, "the device said nothing for %s; is it connected to Mist, and does it know this command?",
                                                   seconds(call, in_all ? r->c.total_ms : r->c.first_ms)));
    else
        end_with(call, in_all ? MIST_TOO_LONG : MIST_QUIET);
}

static void timer_over(struct ft_call *call)
{
    struct command_run *r = run_of(call);

    if (r->state == OVER || r->state == SENDING || elapsed(call) + CLOCK_MS < r->timer_at)
        return;
    r->timer_at = 0;
    if (elapsed(call) < r->due)
        watch(call, r->due);
    else if (r->state == COLLECTING)
        collecting_too_long(call);
    else
        no_stream(call, FT_TIMEOUT, r->state == OPENING ? "Mist's websocket did not open in time" :
                  "Mist did not confirm the subscription to the device's output in time");
}

/* ---- output */

static void add_text(struct ft_call *call, const char *raw, size_t len)
{
    struct command_run *r = run_of(call);

    if (r->room < r->len + MIST_CLEAN_ROOM(len) + 1) {
        size_t room = 2 * (r->len + MIST_CLEAN_ROOM(len)) + 4096;
        char *more = host->alloc(call, room);

        if (r->len)
            memcpy(more, r->text, r->len);
        r->text = more;
        r->room = room;
    }
    r->len += mist_clean(&r->cleaner, raw, len, r->text + r->len);
    r->text[r->len] = '\0';
    r->heard = r->heard || r->text[strspn(r->text, " \t\n")];
}

/* Output of our session. False: the call is over, and all that belongs to it may be gone. */
static bool take(struct ft_call *call, const char *raw, bool finished)
{
    struct command_run *r = run_of(call);
    size_t len = strlen(raw), most = MIST_OUTPUT_MAX - r->len;
    bool too_much = len > most;

    add_text(call, raw, too_much ? most : len);
    if (finished || (r->c.ended && r->c.ended(r->text)) || too_much) {
        end_with(call, too_much ? MIST_TOO_MUCH : MIST_ENDED);
        return false;
    }
    if (r->heard)
        watch(call, elapsed(call) + r->c.quiet_ms);
    return true;
}

static bool is_ours(struct ft_call *call, const char *session, const char *raw)
{
    struct command_run *r = run_of(call);

    if (!r->session && r->c.claims && strcasestr(raw, r->c.claims) && session)
        r->session = host->printf(call, "%s", session);
    return r->session && session && strcmp(session, r->session) == 0;
}

static void keep_early(struct command_run *r, const struct mist_frame *frame)
{
    size_t size = strlen(frame->raw) + 64;

    if (!frame->session || r->early_bytes + size > EARLY_MAX)
        return;
    r->early_bytes += size;
    json_array_append_new(r->early, json_pack("[s, s, b]", frame->session, frame->raw, frame->finished));
}

static void take_early(struct ft_call *call)
{
    struct command_run *r = run_of(call);
    json_t *one;
    size_t i;

    json_array_foreach(r->early, i, one) {
        const char *session = json_string_value(json_array_get(one, 0)), *raw = json_string_value(json_array_get(one, 1));

        if (is_ours(call, session, raw) && !take(call, raw, json_is_true(json_array_get(one, 2))))
            return;
    }
}

/* ---- the stream */

static void stream_opened(struct ft_call *call, struct ft_stream *stream)
{
    struct command_run *r = run_of(call);
    json_t *message = json_pack("{s:s}", "subscribe", r->channel);
    char *text = json_dumps(message, JSON_COMPACT);
    struct ft_err err = { 0 };
    int result = host->stream_write(stream, text, strlen(text), &err);

    free(text);
    json_decref(message);
    r->state = SUBSCRIBING;
    if (result < 0)
        no_stream(call, err.class ? err.class : FT_UNREACHABLE, err.text);
    else
        watch(call, elapsed(call) + (r->c.sent_is_done ? OPTIONAL_MS : SUBSCRIBE_MS));
}

static void take_frame(struct ft_call *call, const struct mist_frame *frame)
{
    struct command_run *r = run_of(call);

    if (frame->channel && strcasecmp(frame->channel, r->channel) != 0)
        return;
    if (frame->kind == MIST_FRAME_SUBSCRIBED && r->state == SUBSCRIBING) {
        r->state = SENDING;                      /* confirmed once more later: nothing */
        r->subscribed(call);
    } else if (frame->kind == MIST_FRAME_REFUSED && r->state == SUBSCRIBING) {
        const char *detail = frame->detail ? frame->detail : "";
        bool denied = strcasestr(detail, "permission") || strcasestr(detail, "denied") || strcasestr(detail, "forbidden") || strcasestr(detail, "authori");

        no_stream(call, denied ? FT_DENIED : FT_REFUSED,
                  host->printf(call, "Mist refuses the subscription to the device's output%s%.200s", *detail ? ": " : "", detail));
    } else if (frame->kind == MIST_FRAME_OUTPUT && r->state == SENDING) {
        keep_early(r, frame);
    } else if (frame->kind == MIST_FRAME_OUTPUT && r->state == COLLECTING && is_ours(call, frame->session, frame->raw)) {
        take(call, frame->raw, frame->finished);
    }
}

static void stream_data(struct ft_call *call, struct ft_stream *stream, const char *bytes, size_t len, bool is_stderr)
{
    struct mist_frame frame;
    json_t *kept;

    (void)stream;
    (void)is_stderr;
    if (run_of(call)->state == OVER)
        return;
    kept = mist_frame_read(bytes, len, &frame);
    if (kept)
        take_frame(call, &frame);
    json_decref(kept);
}

static void stream_closed(struct ft_call *call, struct ft_stream *stream, enum ft_class class, int exit_status, const char *why)
{
    struct command_run *r = run_of(call);

    (void)stream;
    (void)exit_status;
    r->stream = NULL;
    if (r->state == OPENING || r->state == SUBSCRIBING) {
        no_stream(call, class ? class : FT_UNREACHABLE, why);
    } else if (r->state == SENDING) {            /* the answer to the command is under way */
        r->lost = host->printf(call, "%s", why);
        r->lost_class = class;
    } else if (r->state == COLLECTING) {
        end_without(call, class ? class : FT_UNREACHABLE, host->printf(call, "%s", why));
    }
}

/* wss://api-ws.<cloud>/api-ws/v1/stream for https://api.<cloud>; anything else is asked at the same place. */
static const char *stream_url(struct ft_call *call)
{
    const char *given = json_string_value(json_object_get(host->config(call), "stream_url")), *root = mist_of(call)->root, *rest = strstr(root, "://");

    if (given)
        return given;
    rest = rest ? rest + 3 : root;
    if (strncasecmp(rest, "api.", 4) == 0)
        rest = host->printf(call, "api-ws.%s", rest + 4);
    return host->printf(call, "%s://%s/api-ws/v1/stream", strncasecmp(root, "https", 5) == 0 ? "wss" : "ws", rest);
}

static void open_stream(struct ft_call *call)
{
    static const struct ft_stream_events events = { .size = sizeof(events), .opened = stream_opened, .data = stream_data, .closed = stream_closed };
    struct command_run *r = run_of(call);
    struct mist *mist = mist_of(call);
    const struct ft_http_header headers[] = { { "Authorization", mist->auth }, { NULL, NULL } };
    struct ft_ws_req req = { .size = sizeof(req), .url = stream_url(call), .headers = headers, .ca_file = mist->ca_file, .connect_timeout_ms = OPEN_MS,
                             .max_message = MESSAGE_MAX };
    struct ft_err err = { 0 };

    if (host->websocket(call, &req, &events, &r->stream, &err) < 0)
        no_stream(call, err.class ? err.class : FT_UNREACHABLE, err.text);
}

void mist_command_listen(struct ft_call *call, const struct mist_command *command, mist_next *then)
{
    struct mist_call *st = mist_state(call);
    struct command_run *r = host->alloc(call, sizeof(*r));

    *r = (struct command_run){ .c = *command, .subscribed = then, .give_up = UINT64_MAX };
    r->left_at_start = host->remaining_ms(call);
    r->early = mist_hold(call, json_array());
    r->channel = host->printf(call, "/sites/%s/devices/%s/cmd", st->site_id, st->device.id);
    st->own = r;
    open_stream(call);
}

void mist_command_sent(struct ft_call *call, json_t *answer)
{
    struct command_run *r = run_of(call);
    const char *session = mist_str(answer, "session");

    r->session = session ? host->printf(call, "%s", session) : NULL;
    r->state = COLLECTING;
    if (r->lost && !r->stream) {
        end_without(call, r->lost_class ? r->lost_class : FT_UNREACHABLE, r->lost);
        return;
    }
    if (!session && !r->c.claims) {
        end_without(call, FT_INVALID, "Mist's answer names no session");
        return;
    }
    r->give_up = elapsed(call) + r->c.total_ms;
    watch(call, elapsed(call) + r->c.first_ms);
    take_early(call);
}

/* ---- what actions begin with, and end with */

static void device_seen(struct ft_call *call, json_t *stats)
{
    struct mist_call *st = mist_state(call);
    const char *status = mist_str(stats, "status");

    if (status && strcmp(status, "disconnected") == 0)
        mist_fail(call, FT_UNREACHABLE, "%s is not connected to Mist, so it can be told nothing", mist_device_name(st));
    else
        st->found(call);
}

void mist_command_ask(struct ft_call *call, mist_next *ready)
{
    mist_state(call)->found = ready;
    mist_device_stats(call, device_seen);
}

static void post_now(struct ft_call *call)
{
    struct mist_write *w = &mist_state(call)->write;

    mist_post(call, mist_url(call, "%s", w->path), w->body, mist_command_sent);
}

void mist_command_post(struct ft_call *call, const struct mist_command *command, const char *path, json_t *body)
{
    mist_device_write(call, "POST", path, body);
    mist_command_listen(call, command, post_now);
}

void mist_command_finish(struct ft_call *call, const struct mist_output *output, bool complete, json_t *out)
{
    struct mist_call *st = mist_state(call);

    json_object_set_new(out, "site_id", json_string(st->site_id));
    json_object_set_new(out, "device_id", json_string(st->device.id));
    json_object_set_new(out, "complete", json_boolean(complete));
    json_object_set_new(out, "lines", mist_lines(output->text));
    mist_done(call, out);
}
