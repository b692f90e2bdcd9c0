/* config.h: whole configurations: backup, difference, load, rollback; and confirming what an earlier step left open. */
#pragma once
#include "session.h"

extern const struct ft_action switch_config_backup, switch_config_diff, switch_config_load, switch_config_rollback, switch_config_confirm, switch_netconf_get, switch_errors;

#define CONFIRM_PARAMS \
    JSON("confirm_within": {"type": "integer", "minimum": 0, "maximum": 60, "default": 5, \
         "description": "minutes after which the switch takes the change back unless it is confirmed (Junos, EOS, NETCONF, IOS with revert_timer); 0: commit at once"}, \
         "confirm": {"enum": ["now", "later"], "default": "now", \
         "description": "now: confirmed once the switch answered on a new channel; later: left to switch.config_confirm, which comes when the step's verify has passed"})

#define CONFIG_RESULT \
    JSON("changed": {"type": "boolean", "description": "false: it was so already"}, "device": {"type": "string", "description": "the switch"}, \
         "diff": {"type": "string", "description": "the switch's own account of the change, secrets masked; else the lines sent"}, \
         "confirmed": {"type": "boolean", "description": "false: the switch takes it back unless switch.config_confirm comes"}, \
         "confirm_within": {"type": ["integer", "null"], "description": "minutes that it waits for that, from the commit on"})

/* confirm_within and confirm, into st->change; fails where the switch cannot take a change back by itself. */
int config_confirmation(struct ft_call *call, struct ft_err *reterr);
json_t *config_result(struct ft_call *call, bool changed);
json_t *config_masked_diff(struct ft_call *call);
/* The lines of st->diff as a plan's changes. */
json_t *config_changes(const struct sw *st);
/* EOS: did the session of our receipt end well? From st->answers[0]. */
void config_probe_session(struct ft_call *call);
/* Undo where only what is not confirmed yet can be taken back. */
int config_undo_waiting(struct ft_call *call, struct ft_err *reterr);
