/* mist_command.h: commands whose output a device sends back over Mist's websocket. Start at mist_command.c for how one goes.
 *
 * mist_command.c         the life of a command: subscribe, send, collect, end
 * mist_command_frame.c   what comes in a message, and text out of what a terminal got
 * mist_command_read.c    ping, traceroute, tables, cable tests: when they are over, and what they say
 * mist_command_tools.c, mist_command_tables.c, mist_command_port.c   the actions */
#pragma once
#include "mist.h"

/* ---- mist_command_frame.c: no host is used there */
enum mist_frame_kind { MIST_FRAME_OTHER, MIST_FRAME_SUBSCRIBED, MIST_FRAME_REFUSED, MIST_FRAME_OUTPUT };
struct mist_frame {
    enum mist_frame_kind kind;
    const char *channel;        /* NULL: not said */
    const char *detail;         /* REFUSED: why; NULL */
    const char *session;        /* OUTPUT; NULL: not said */
    const char *raw;            /* OUTPUT; never NULL */
    bool finished;              /* the device says that this was all */
};
/* Reads one message. New: what ret borrows from. NULL: it is no JSON object. */
json_t *mist_frame_read(const char *bytes, size_t len, struct mist_frame *ret);

/* Bytes for a terminal, in pieces of any size, become lines of printable ASCII. */
struct mist_cleaner { unsigned char state; bool cr; };
#define MIST_CLEAN_ROOM(len) (2 * (len) + 2)
size_t mist_clean(struct mist_cleaner *cleaner, const char *raw, size_t len, char *out);      /* out: MIST_CLEAN_ROOM(len); gives the length */

/* ---- mist_command_read.c: no host is used there. Texts are clean and end with NUL. */
bool mist_ping_ended(const char *text);
bool mist_traceroute_ended(const char *text);
bool mist_table_ended(const char *text);
bool mist_cable_ended(const char *text);
bool mist_bounce_ended(const char *text);
json_t *mist_ping_read(const char *text);               /* all new objects */
json_t *mist_traceroute_read(const char *text);
json_t *mist_arp_read(const char *text);                /* {entries, complete} as the others that read tables */
json_t *mist_macs_read(const char *text);
json_t *mist_dot1x_read(const char *text);
json_t *mist_leases_read(const char *text);
json_t *mist_cable_read(const char *text);
json_t *mist_lines(const char *text);                   /* without empty ones at the end; at most MIST_MOST_LINES, the rest goes */
/* Why the device did nothing; NULL: it did not complain. At most `room` bytes into `why`. */
enum ft_class mist_complaint(const char *text, char *why, size_t room);      /* FT_CLASS_NONE: none */
#define MIST_MOST_LINES 2000
#define MIST_OUTPUT_MAX (256u << 10)

/* ---- mist_command.c */
enum mist_how { MIST_ENDED, MIST_QUIET, MIST_TOO_LONG, MIST_TOO_MUCH, MIST_LOST };
struct mist_output {
    const char *text;           /* clean; never NULL */
    enum mist_how how;          /* an end that was seen; silence; time is up; more than is taken; the stream broke, or never was there */
};
struct mist_command {
    const char *what;           /* "ping": in sentences */
    bool (*ended)(const char *text);     /* the text so far holds the end; NULL: nothing tells */
    unsigned first_ms, quiet_ms, total_ms;     /* until the first output; between two; in all. From the answer to the command on */
    bool sent_is_done;          /* it happens also when nobody listens: a stream that fails is MIST_LOST, and no failure */
    const char *claims;         /* where the answer names no session: output that holds this is ours; NULL */
    /* Ends the call. Not called when there is no output (unless sent_is_done), or the device complains. */
    void (*over)(struct ft_call *call, const struct mist_output *output);
};
/* Subscribes to the output of st->device, then calls `then`, which sends the command so that its answer goes to mist_command_sent. */
void mist_command_listen(struct ft_call *call, const struct mist_command *command, mist_next *then);
void mist_command_sent(struct ft_call *call, json_t *answer);
/* Looks whether st->device is connected, and of the type wanted; fills its name and type. */
void mist_command_ask(struct ft_call *call, mist_next *ready);
/* A read: subscribes, posts the command, collects. body taken over. */
void mist_command_post(struct ft_call *call, const struct mist_command *command, const char *path, json_t *body);
/* site_id, device_id, lines and complete into out. */
void mist_command_finish(struct ft_call *call, const struct mist_output *output, bool complete, json_t *out);
#define MIST_COMMAND_RESULT MIST_P_STR("site_id", "site of the device") "," MIST_P_STR("device_id", "id of the device") "," \
    MIST_P("complete", "\"boolean\"", "the end of the output was seen; false: what is here may not be all") "," \
    MIST_P_LIST("lines", "{\"type\":\"string\"}", "the output, line by line")
