/* edits.h: changes of the server's configuration: read it, edit a copy, test, set, write. */
#pragma once
#include "kea.h"

extern const struct ft_action dhcp_pool_extend;

/* A change of the configuration. */
struct edit {
    /* Edits st->after and fills st->result, st->summary, st->receipt. 1: changed, 0: it is so already, negative: cannot be done. */
    int (*apply)(struct ft_call *call, struct dhcp *st, struct ft_err *reterr);
    int (*revert)(struct ft_call *call, struct dhcp *st, struct ft_err *reterr);
    void (*before_set)(struct ft_call *call);     /* of run; ends by edit_keep. NULL: edit_keep at once */
    void (*after_write)(struct ft_call *call);    /* of run; ends the call. NULL: done with st->result */
    int wapi;                                     /* enum wapi_what: the same with Infoblox */
    /* True: this configuration wants it done elsewhere, and that has begun. NULL: never. */
    bool (*elsewhere)(struct ft_call *call, const json_t *dhcp4);
};
int edit_start(struct ft_call *call, enum phase phase, const struct edit *edit, struct ft_err *reterr);
/* The same from where phase, server and st->edit are set. */
void edit_go(struct ft_call *call);
void edit_keep(struct ft_call *call);

/* What an edit says about itself in st->result; from and to are taken over. */
void change_note(struct dhcp *st, const json_t *subnet, const char *what, json_t *from, json_t *to);
/* The list under this key, made where there is none. */
json_t *list_in(json_t *subnet, const char *key);

struct range;
/* 1: free, 0: exactly this pool is there, negative: it cannot be added. */
int pool_fits(const json_t *subnet, const char *text, struct range *wanted, struct ft_err *reterr);

/* Makes the host redact every password of a Kea configuration from now on. False: one is masked already, so the configuration
 * cannot be sent back. */
bool hide_passwords(struct ft_call *call, const json_t *config);
const char *config_digest(struct ft_call *call, const json_t *config);

#define CHANGED_PROPERTIES \
    FT_JSON("changed": {"type": "boolean", "description": "false: it was so already"}, \
         "subnet_id": {"type": ["integer", "null"], "description": "id of the subnet; null where it is not known"}, \
         "subnet": {"type": ["string", "null"], "description": "the subnet, 10.0.0.0/24"}, \
         "changes": {"type": "array", "description": "what differs in the configuration", "items": {"type": "object", "additionalProperties": true}}, \
         "restart_needed": {"type": "boolean", "description": "Infoblox only: the members serve it after dhcp.services_restart"})

#define EDIT_ABOUT \
    "The whole configuration is read, edited, tested by Kea, set, and written to the server's file; the plan shows the request that sets it. " \
    "It fails as `conflict` when the configuration changed since the plan. In a high-availability pair do the same on the other server. "
