/* dialect.h: the ways in which switches take a change, as scripts of steps for sw_say.
 *
 *   enter ─► load ─► compare ─► commit ─┬─► confirm ─► leave
 *                       │ no difference │ again (what comes after the wait of a bounce)
 *                       └─► leave       └─► take_back ─► leave
 *
 * A part that a dialect has not is NULL. */
#pragma once
#include "session.h"

struct script {
    struct ft_call *call;
    struct sw *st;
    struct step *steps;
    size_t n, size;
};

struct dialect {
    bool confirms;                            /* a commit may wait for its confirmation, and takes itself back without it */
    bool needs_again;                         /* commit has left configuration mode */
    void (*enter)(struct script *s);
    void (*load)(struct script *s, const json_t *lines);      /* NULL: as st->change.form says */
    void (*compare)(struct script *s);        /* its difference goes to st->diff */
    void (*check)(struct script *s);          /* would a commit be taken? In plans only */
    void (*commit)(struct script *s);
    void (*confirm)(struct script *s);
    void (*take_back)(struct script *s);
    void (*discard)(struct script *s);        /* instead of a commit; leaves */
    void (*leave)(struct script *s);
};

const struct dialect *dialect_of(struct ft_call *call);
/* Can the switch take this change back by itself? */
bool change_has_net(struct ft_call *call);
/* May it be left for `confirm`, over another connection, when it is verified? */
bool change_can_leave(struct ft_call *call);
/* NETCONF: a mark of a configuration, to know it again. Lives as long as the call. */
const char *change_mark(struct ft_call *call, const char *config);
struct script script_new(struct ft_call *call);
void script_say(struct script *s, void (*then)(struct ft_call *call));
/* Adds the commands (over NETCONF: the rpcs) to a list, as a plan shows them. */
void script_show(const struct script *s, json_t *list);
/* Is there anything in this difference, as the switch told it? */
bool diff_is_any(const char *diff);
/* "fettle run 7f3c0a12: set_vlan ge-0/0/7" */
const char *change_comment(struct ft_call *call);
/* The EOS configuration session of this change. */
const char *change_session(struct ft_call *call);
