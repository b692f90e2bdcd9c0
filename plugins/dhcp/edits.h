/* edits.h: changes of the server's configuration: read it, edit a copy, test, set, write. */
#pragma once
#include "kea.h"

extern const struct ft_action dhcp_pool_extend, dhcp_reservation, dhcp_reservation_add, dhcp_reservation_del;

/* A change of the configuration. */
struct edit {
    /* Edits st->after and fills st->result, st->summary, st->receipt. 1: changed, 0: it is so already, negative: cannot be done. */
    int (*apply)(struct ft_call *call, struct dhcp *st, struct ft_err *reterr);
    int (*revert)(struct ft_call *call, struct dhcp *st, struct ft_err *reterr);
    void (*before_set)(struct ft_call *call);     /* of run; ends by edit_keep. NULL: edit_keep at once */
    void (*after_write)(struct ft_call *call);    /* of run; ends the call. NULL: done with st->result */
    int wapi;                                     /* enum wapi_what: the same with Infoblox */
};
int edit_start(struct ft_call *call, enum phase phase, const struct edit *edit, struct ft_err *reterr);
/* The same from where phase, server and st->edit are set. */
void edit_go(struct ft_call *call);
void edit_keep(struct ft_call *call);

struct range;
/* 1: free, 0: exactly this pool is there, negative: it cannot be added. */
int pool_fits(const json_t *subnet, const char *text, struct range *wanted, struct ft_err *reterr);

/* Makes the host redact every password of a Kea configuration from now on. False: one is masked already, so the configuration
 * cannot be sent back. */
bool hide_passwords(struct ft_call *call, const json_t *config);
const char *config_digest(struct ft_call *call, const json_t *config);
