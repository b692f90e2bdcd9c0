/* netconf.h: a NETCONF session with one switch (RFC 6241, 6242): hello, one rpc after the other, their replies.
 *
 * The session opens with the first rpc. What goes wrong on the way fails the call by itself, as in session.h. */
#pragma once
#include <fettle/plugin.h>
#include "netconf_frame.h"
#include "netconf_xml.h"

struct sw;
struct step;

/* The reply; freed behind the callback. An rpc-error is a reply too: look at failed. */
typedef void nc_answered(struct ft_call *call, const struct nc_message *reply);

struct nc {
    struct ft_stream *stream;
    struct nc_frame frame;
    bool greeted;                     /* the server's hello is there, and the framing chosen */
    struct nc_message server;         /* what its hello said */
    unsigned last_id;
    const char *waiting;              /* an rpc that waits for the hello */
    nc_answered *answered;            /* NULL: nothing is waited for */
    bool *over;                       /* set when the call ends within a callback */
    bool locked;                      /* the candidate is ours: to be discarded and unlocked however the call ends */
};

/* How a reply becomes an answer that the vendor's readers know. */
enum nc_form { NC_AS_JSON, NC_AS_TEXT };

/* body: what stands within <rpc>. words: for sentences ("lock"). */
void nc_rpc(struct ft_call *call, const char *body, const char *words, nc_answered *answered);
/* Steps of which each is an rpc; `then` comes after the last. */
void nc_say(struct ft_call *call, const struct step *steps, size_t count, void (*then)(struct ft_call *call));
/* A show command as its rpc. */
void nc_ask(struct ft_call *call, const char *command, nc_answered *answered);
/* Gives the candidate back; then comes in the end whatever happens. */
void nc_clean_up(struct ft_call *call, void (*then)(struct ft_call *call));
/* Our own hello. */
extern const char nc_hello[];

/* ---- netconf_junos.c ---- */
/* The rpc of a Junos show command, and how its reply is read. *ret_element: for NC_AS_TEXT, whose text counts; NULL: all. NULL with a sentence: it has none. */
const char *junos_rpc(struct ft_call *call, const char *command, enum nc_form *ret_form, const char **ret_element, struct ft_err *reterr);
/* "interfaces ge-0/0/7" as the elements of a filter. */
const char *junos_path_xml(struct ft_call *call, const char *path);
