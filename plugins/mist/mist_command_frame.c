/* mist_command_frame.c: messages of Mist's websocket, and text out of what was meant for a terminal. No host is used here.
 *
 * A message is {"event": "data", "channel": …, "data": …}. The data of a device's command is an object {"session", "raw"}, or JSON text of one,
 * or text of another such message; raw is text, or JSON text in which an AP puts "Output" and a session smart router "finished". */
#include <string.h>
#include "mist_command.h"

enum { MAX_NESTED = 6 };

static const char *text_at(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* Text that is an object in JSON. Kept with the others; NULL: it is something else. */
static const json_t *object_in(const char *text, size_t len, json_t *kept)
{
    json_t *object;
    size_t blank = 0;

    while (blank < len && strchr(" \t\r\n", text[blank]))          /* bytes of a stream have no NUL behind them */
        blank++;
    object = blank < len && text[blank] == '{' ? json_loadb(text, len, 0, NULL) : NULL;
    if (object)
        json_array_append_new(kept, object);
    return json_is_object(object) ? object : NULL;
}

static const json_t *as_object(const json_t *value, json_t *kept)
{
    return json_is_string(value) ? object_in(json_string_value(value), json_string_length(value), kept) : json_is_object(value) ? value : NULL;
}

static void read_raw(const json_t *data, struct mist_frame *frame, json_t *kept)
{
    const json_t *raw = json_object_get(data, "raw"), *inside = as_object(raw, kept);

    frame->raw = json_is_string(raw) ? json_string_value(raw) : "";
    frame->finished = json_is_true(json_object_get(inside, "finished"));
    if (text_at(inside, "Output"))
        frame->raw = text_at(inside, "Output");
    else if (text_at(data, "Output"))
        frame->raw = text_at(data, "Output");
}

static void read_data(const json_t *data, struct mist_frame *frame, json_t *kept)
{
    for (int depth = 0; depth < MAX_NESTED; depth++) {
        data = as_object(data, kept);
        if (!data)
            return;
        if (json_object_get(data, "raw") || json_object_get(data, "Output")) {
            frame->kind = MIST_FRAME_OUTPUT;
            frame->session = text_at(data, "session");
            read_raw(data, frame, kept);
            return;
        }
        data = json_object_get(data, "data");
    }
}

json_t *mist_frame_read(const char *bytes, size_t len, struct mist_frame *ret)
{
    json_t *kept = json_array();
    const json_t *message = len ? object_in(bytes, len, kept) : NULL;
    const char *event = text_at(message, "event");

    *ret = (struct mist_frame){ .kind = MIST_FRAME_OTHER, .channel = text_at(message, "channel"), .raw = "" };
    if (!message) {
        json_decref(kept);
        return NULL;
    }
    if (event && strcmp(event, "channel_subscribed") == 0) {
        ret->kind = MIST_FRAME_SUBSCRIBED;
    } else if (event && strcmp(event, "subscribe_failed") == 0) {
        ret->kind = MIST_FRAME_REFUSED;
        ret->detail = text_at(message, "detail");
    } else if (event && strcmp(event, "data") == 0) {
        read_data(json_object_get(message, "data"), ret, kept);
    }
    return kept;
}

/* ---- text */

enum { PLAIN, ESCAPED, SEQUENCE, TITLE, CHARSET };

/* A byte of an escape sequence. */
static unsigned char next_state(unsigned char state, unsigned char c)
{
    switch (state) {
    case ESCAPED: return c == '[' ? SEQUENCE : c == ']' ? TITLE : c == '(' || c == ')' || c == '#' ? CHARSET : PLAIN;
    case SEQUENCE: return c >= 0x40 && c <= 0x7e ? PLAIN : c == '\n' ? PLAIN : SEQUENCE;
    case TITLE: return c == '\a' || c == '\n' ? PLAIN : c == 0x1b ? ESCAPED : TITLE;
    default: return PLAIN;
    }
}

size_t mist_clean(struct mist_cleaner *cleaner, const char *raw, size_t len, char *out)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)raw[i];

        if (cleaner->state != PLAIN) {
            cleaner->state = next_state(cleaner->state, c);
            continue;
        }
        if (cleaner->cr && c != '\r') {          /* alone it moves to the line's begin: what follows is a line of its own */
            if (c != '\n')
                out[n++] = '\n';
            cleaner->cr = false;
        }
        if (c == 0x1b)
            cleaner->state = ESCAPED;
        else if (c == '\r')
            cleaner->cr = true;
        else if (c == '\n' || c == '\t' || (c >= ' ' && c < 0x7f))
            out[n++] = (char)c;
        else if (c >= 0xc0)                       /* one mark for a character, whatever its length */
            out[n++] = '?';
    }
    return n;
}
