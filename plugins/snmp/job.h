/* job.h: what the actions share: a job is filled on the loop, worked on by a worker thread, and read on the loop. */
#pragma once
#include "session.h"

enum { JOB_MAX_OIDS = 100 };

struct job {
    struct snmp_agent agent;
    int (*work)(struct job *job, struct snmp_talk *s, struct ft_err *reterr);    /* on the worker; makes result */
    json_t *result;
    struct ft_err err;
    int r;

    oid ids[JOB_MAX_OIDS][MAX_OID_LEN];
    size_t lens[JOB_MAX_OIDS], count;
    const char *column_names[JOB_MAX_OIDS];      /* borrowed from the call; the worker does not look at them */
    size_t max_rows;
    bool (*row)(struct job *job, size_t column, const netsnmp_variable_list *v);
    char letter, text[2048];                     /* set: the value */
};

extern const struct ft_host *host;
extern const struct ft_action snmp_get_action, snmp_get_many_action, snmp_system_action, snmp_walk_action, snmp_table_action, snmp_interfaces_action, snmp_set_action,
    snmp_trap_action;

/* A job for the agent that the step names; NULL with reterr. Then the oids of the step may be added, and it be started: which takes it, also when it fails. */
struct job *job_new(struct ft_call *call, struct ft_err *reterr);
struct job *job_free(struct job *job);
int job_add(struct job *job, const char *oid, struct ft_err *reterr);
typedef void job_done(struct ft_call *call, struct job *job);        /* it went well; job->result is the caller's to take */
int job_start(struct ft_call *call, struct job *job, int (*work)(struct job *job, struct snmp_talk *s, struct ft_err *reterr), job_done *done, struct ft_err *reterr);
void job_cancel(struct ft_call *call);
json_t *job_take(struct job *job);
void job_give(struct ft_call *call, struct job *job);                /* a job_done: the result is the call's */

/* The state of every call of this plugin. */
struct job_state { struct job *job; job_done *done; };

#define SNMP_OBJECT(required, ...) \
    "{\"type\": \"object\", \"additionalProperties\": false, \"required\": " required ", \"properties\": {\"agent\": {\"type\": \"string\", \"minLength\": 1, " \
    "\"description\": \"name of an agent in the configuration (plugins.snmp.agents)\"}" __VA_ARGS__ "}}"
#define SNMP_VALUE_FIELDS \
    FT_JSON("oid": {"type": "string", "description": "object identifier, numeric"}, \
            "type": {"type": "string", "description": "integer, string, hex (bytes that are no text), oid, ip, counter32, gauge32, timeticks (hundredths of a second), counter64, …; no_such_object, no_such_instance, end_of_mib where there is none"}, \
            "value": {"description": "number, text, or null where there is none"})
