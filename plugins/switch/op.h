/* op.h: what can be done to a port, independent of the vendor; and how any change is put into force. */
#pragma once
#include "session.h"

enum op_kind { OP_SET_VLAN, OP_PORT_BOUNCE, OP_POE_CYCLE, OP_PORT_ENABLE, OP_PORT_DISABLE, OP_POE_ENABLE, OP_POE_DISABLE, OP_CONFIG };

struct op {
    enum op_kind kind;
    const char *words;            /* the action's name, as the comment of its commit has it */
    bool guarded;                 /* refused on an uplink */
    bool bounces;                 /* off, wait, on again */
};

/* Applies st->change; st->applied comes when it is in force (and confirmed, unless it is to be later); st->diff is what the switch said that changed. */
void change_apply(struct ft_call *call, void (*applied)(struct ft_call *call));
/* The commands that change_apply sends, as a plan shows them. */
json_t *change_commands(struct ft_call *call);
/* Loads st->change into a candidate, takes st->diff, and discards it. False: this switch has no candidate; nothing was begun. */
bool change_try(struct ft_call *call, void (*then)(struct ft_call *call));
/* Confirms what waits for it. */
void change_confirm(struct ft_call *call, void (*then)(struct ft_call *call));
/* EOS, IOS: takes back at once what waits for its confirmation. */
void change_take_back(struct ft_call *call, void (*then)(struct ft_call *call));
/* What a plan says of the way back: the switch's timer, or that there is none; and where undo cannot do it. */
void change_plan_net(struct ft_call *call, json_t *plan);
/* The action's confirm: what waits of this step is confirmed, over a new connection; done with an empty object. */
int change_confirm_left(struct ft_call *call, const struct op *op, struct ft_err *reterr);
/* st->diff, where it has to be worked out here. */
void change_note_diff(struct ft_call *call);
/* False: the call has failed, since what was committed is not in force. */
bool change_is_in_force(struct ft_call *call);
/* The lines as they are sent. */
const char *change_lines_text(struct ft_call *call);
