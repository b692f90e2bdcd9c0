/* schemas.h: what the actions' schemas share. */
#pragma once
#include "ticket.h"

#define OBJECT(required, properties) "{\"type\": \"object\", \"additionalProperties\": false" required ", \"properties\": {" properties "}}"

#define SYSTEM FT_JSON("system": {"type": "string", "minLength": 1, "description": "which of the ticket systems in the configuration; its default when left out"})
#define NUMBER_PATTERN "^[A-Za-z0-9][A-Za-z0-9_-]{0,79}$"
#define WHICH \
    "\"number\": {\"type\": \"string\", \"pattern\": \"" NUMBER_PATTERN "\", \"description\": \"the ticket's number: INC0012345, NOC-17, 4711\"}, " \
    FT_JSON("id": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$", "description": "its internal id: sys_id, issue id; the number itself in RT"}, \
            "correlation_id": {"type": "string", "minLength": 1, "maxLength": 100, \
                               "description": "its correlation id; fettle-<run> when nothing else is given: the ticket of this run"}) ", " SYSTEM
#define NOTE FT_JSON("note": {"type": "string", "minLength": 1, "maxLength": 60000, "description": "note that stays within the team"})
#define SEVERITY FT_JSON("severity": {"enum": ["P1", "P2", "P3", "P4"], "description": "severity of the runbook; becomes impact and urgency, or the priority"})
#define EXTRA FT_JSON("fields": {"type": "object", "description": "further fields, by the system's own names, as they are"})
#define RUNBOOK_TIME(what) "{\"type\": [\"string\", \"integer\"], \"minimum\": 0, \"description\": \"" what ": 2026-11-21T22:00:00Z, or milliseconds since 1970\"}"

#define TICKET_PROPERTIES \
    FT_JSON("number": {"type": ["string", "null"], "description": "the ticket's number"}, "id": {"type": ["string", "null"], "description": "its internal id"}, \
            "state": {"type": ["string", "null"], "description": "new, in_progress, on_hold, resolved, closed, canceled; else the system's own value"}, \
            "status": {"type": ["string", "null"], "description": "the state by the system's own name"}, \
            "title": {"type": ["string", "null"], "description": "one line"}, \
            "priority": {"type": ["integer", "null"], "description": "1 (critical) to 5"}, \
            "assignee": {"type": ["string", "null"], "description": "who has it, as the system names people"}, \
            "opened_at": {"type": ["string", "null"], "description": "when it was opened, UTC, RFC 3339"}, \
            "updated_at": {"type": ["string", "null"], "description": "last change, UTC, RFC 3339"}, \
            "url": {"type": ["string", "null"], "description": "where a browser shows it"}, "active": {"type": "boolean", "description": "not closed, not cancelled"})
#define RESULT(more) "{\"type\": \"object\", \"properties\": {" TICKET_PROPERTIES more "}}"

#define ACTION(c_name, a_name, what, effect, in, out) \
    const struct ft_action c_name = { .size = sizeof(c_name), .name = a_name, .summary = what, .effects = effect, .params_schema = in, \
        .result_schema = out, .state_size = sizeof(struct ticket), .timeout_ms = 60000,

/* ---- incidents.c: what the actions share ---- */
typedef int want_fn(struct ft_call *call, struct ticket *st, struct ft_err *reterr);
int ticket_start(struct ft_call *call, enum phase phase, bool change, want_fn *want, next_fn *then, struct ft_err *reterr);
void ticket_cancelled(struct ft_call *call);

#define ENTRY(name, phase, change, want, then) \
    static int name(struct ft_call *call, struct ft_err *e) { return ticket_start(call, phase, change, want, then, e); }

void ticket_open_located(struct ft_call *call, struct ticket *st);
void ticket_open_undo_located(struct ft_call *call, struct ticket *st);
void ticket_change_located(struct ft_call *call, struct ticket *st);
void ticket_change_probe_located(struct ft_call *call, struct ticket *st);
void ticket_restore_located(struct ft_call *call, struct ticket *st);
void ticket_finish_located(struct ft_call *call, struct ticket *st);
json_t *ticket_shown(const struct ticket *st, const json_t *record);      /* new: facts, and of a change what it has besides */

extern const struct ft_action ticket_find, ticket_get, ticket_open, ticket_update, ticket_resolve, ticket_close, ticket_reopen, ticket_attach, ticket_link;
extern const struct ft_action ticket_change_open, ticket_change_status, ticket_change_update, ticket_change_close;
