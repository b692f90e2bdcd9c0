/* session.h: one conversation with one agent, on a worker thread.
 *
 * net-snmp keeps its users, engine times and more in globals without locks. So all of the library is called under one lock of ours, and never waits under
 * it: requests are sent without waiting, the waiting is a poll() of ours outside of the lock, and the engine of SNMPv3 is discovered the same way. */
#pragma once
#include <stdatomic.h>
#include "value.h"

enum { SNMP_MAX_REPETITIONS = 25, SNMP_MAX_GET = 20 };

struct snmp_user {
    char name[33];
    int level;                                   /* SNMP_SEC_LEVEL_… */
    const oid *auth; size_t auth_len;            /* protocol; NULL: none */
    const oid *priv; size_t priv_len;
    char auth_password[256], priv_password[256];
};

/* Where and how; filled on the loop from the configuration, used by the worker only. Names are kept for sentences. */
struct snmp_agent {
    char name[80], host[256];
    uint16_t port;
    int version;                                 /* SNMP_VERSION_1, _2c, _3 */
    char community[256], context[256];
    struct snmp_user user;
    int timeout_ms, retries, max_repetitions;
    double until_ms;                             /* monotonic; the call's deadline */
    atomic_bool stop;                            /* the call is over: do not go on */
};

struct snmp_talk;

/* Once a process, on the loop thread: neither configuration files nor MIBs nor state are read or written, but what these name. */
int snmp_library_init(const json_t *config, struct ft_err *reterr);
void snmp_lock(void);
void snmp_unlock(void);
void snmp_thread_end(void);                           /* a worker is done: what the cryptography keeps for its thread goes */
double snmp_now_ms(void);

int snmp_agent_fill(struct snmp_agent *agent, const json_t *config, const char *name, struct ft_err *reterr);
int snmp_user_fill(struct snmp_user *user, const json_t *section, const char *where, struct ft_err *reterr);
/* Puts the user with the keys of that engine into the library's list, replacing one of the name. Under the lock. */
int snmp_user_know_here(const struct snmp_user *user);                  /* for our own engine */
void snmp_user_forget(const u_char *engine, size_t engine_len, const char *name);
int snmp_user_know(const struct snmp_user *user, const u_char *engine, size_t engine_len);

void snmp_read_socket(void *handle, int fd);                            /* one datagram, which is there; under the lock */

int snmp_session_open(struct snmp_agent *agent, struct snmp_talk **ret, struct ft_err *reterr);
struct snmp_talk *snmp_session_close(struct snmp_talk *s);

/* Sends pdu, which is taken over, and waits for its answer; *ret is the caller's, for snmp_drop(). An answer with an error status is an answer.
 * tries: how often it is sent at most. A write whose answer does not come is FT_AMBIGUOUS. */
int snmp_exchange(struct snmp_talk *s, netsnmp_pdu *pdu, int tries, netsnmp_pdu **ret, struct ft_err *reterr);
void snmp_drop(netsnmp_pdu *pdu);                     /* NULL is fine */
/* The sentence and class of an answer's error status. */
int snmp_status_error(const struct snmp_talk *s, const netsnmp_pdu *answer, struct ft_err *reterr);
const struct snmp_agent *snmp_session_agent(const struct snmp_talk *s);

typedef bool snmp_row(void *arg, const netsnmp_variable_list *v);        /* false: enough */
/* All that lies below root, in order. */
int snmp_walk(struct snmp_talk *s, const oid *root, size_t root_len, snmp_row *row, void *arg, struct ft_err *reterr);
/* Values of up to any number of objects, in order; those that an SNMPv1 agent does not have come as no_such_instance. */
typedef void snmp_value(void *arg, size_t at, const netsnmp_variable_list *v);
int snmp_get(struct snmp_talk *s, const oid (*ids)[MAX_OID_LEN], const size_t *lens, size_t count, snmp_value *value, void *arg, struct ft_err *reterr);
