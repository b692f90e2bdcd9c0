/* op.h: what can be done to a port, independent of the vendor. */
#pragma once
#include "session.h"

enum op_kind { OP_SET_VLAN, OP_PORT_BOUNCE, OP_POE_CYCLE, OP_PORT_ENABLE, OP_PORT_DISABLE, OP_POE_ENABLE, OP_POE_DISABLE };

struct op {
    enum op_kind kind;
    const char *words;            /* the action's name, as the comment of its commit has it */
    bool guarded;                 /* refused on an uplink */
    bool bounces;                 /* off, wait, on again */
};

/* Applies st->change; st->applied comes when it is in force (and confirmed); st->diff is what the switch said that changed. */
void change_apply(struct ft_call *call, void (*applied)(struct ft_call *call));
/* The commands that change_apply sends, as a plan shows them. */
json_t *change_commands(struct ft_call *call);
