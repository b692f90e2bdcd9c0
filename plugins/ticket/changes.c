/* changes.c: change requests: a playbook opens one, waits for its approval, works within its window, closes it. */
#include <time.h>
#include "schemas.h"

static int want_open(struct ft_call *call, struct ticket *st, struct ft_err *reterr)
{
    if (ticket_param(call, "template") && !ft_same(ticket_param(call, "type"), "standard"))
        return ft_fault(reterr, FT_INVALID, "a template is for changes of type standard");
    st->want = (struct intent){
        .verb = VERB_OPEN, .title = ticket_param(call, "title"), .text = ticket_param(call, "text") ?: "", .fields = ft_get(host->params(call), "fields")
    };
    return 0;
}

static int open_undo(struct ft_call *call, struct ft_err *reterr)
{
    if (ft_true(host->receipt(call), "existed")) {
        host->done(call, json_pack("{s:b, s:n}", "undone", 0, "ticket"));     /* it was somebody else's */
        return 0;
    }
    return ticket_start(call, PHASE_UNDO, true, NULL, ticket_open_undo_located, reterr);
}

ENTRY(open_run, PHASE_RUN, true, want_open, ticket_open_located)
ENTRY(open_plan, PHASE_PLAN, true, want_open, ticket_open_located)
ENTRY(open_probe, PHASE_PROBE, true, want_open, ticket_open_located)

/* ---- status ---- */

static int64_t seconds(const char *stamp)
{
    struct tm tm = { 0 };

    return stamp && strptime(stamp, "%Y-%m-%dT%H:%M:%SZ", &tm) ? (int64_t)timegm(&tm) : -1;
}

static const char *window(struct ft_call *call, const json_t *record)
{
    int64_t start = seconds(ft_str(record, "start")), end = seconds(ft_str(record, "end")), now = (int64_t)(host->wall_ms(call) / 1000);

    if (start < 0 || end < 0)
        return "none";
    return now < start ? "before" : now >= end ? "after" : "open";
}

static void status_seen(struct ft_call *call, struct ticket *st)
{
    json_t *result = ticket_shown(st, st->record);
    const char *approval = ft_str(st->record, "approval"), *state = ft_str(st->record, "state"), *now = window(call, st->record);
    bool approved = ft_same(approval, "approved"), scheduled = ft_same(state, "scheduled") || ft_same(state, "implement");

    json_object_update_new(result, json_pack("{s:b, s:b, s:s, s:b, s:O}", "approved", approved, "rejected", ft_same(approval, "rejected"), "window", now,
                                             "may_start", approved && scheduled && ft_same(now, "open"), "approvers", st->seen[LOOK_APPROVERS]));
    ticket_done(call, result);
}

static void status_located(struct ft_call *call, struct ticket *st)
{
    if (ticket_needed(call, st))
        ticket_look(call, LOOK_BIT(LOOK_APPROVERS), status_seen);
}

ENTRY(status_run, PHASE_RUN, true, NULL, status_located)

/* ---- update and close ---- */

static int want_update(struct ft_call *call, struct ticket *st, struct ft_err *reterr)
{
    (void)reterr;
    st->want = (struct intent){ .verb = VERB_CHANGE, .note = ticket_marked(call, ticket_param(call, "note")), .state = ticket_param(call, "state"),
                                .fields = ft_get(host->params(call), "fields") };
    return 0;
}

static int want_close(struct ft_call *call, struct ticket *st, struct ft_err *reterr)
{
    (void)reterr;
    st->want = (struct intent){ .verb = VERB_FINISH, .state = "closed", .code = ticket_param(call, "close_code"), .reason = ticket_param(call, "notes"),
                                .note = ticket_marked(call, ticket_param(call, "note")), .fields = ft_get(host->params(call), "fields") };
    return 0;
}

ENTRY(update_run, PHASE_RUN, true, want_update, ticket_change_located)
ENTRY(update_plan, PHASE_PLAN, true, want_update, ticket_change_located)
ENTRY(update_probe, PHASE_PROBE, true, want_update, ticket_change_probe_located)
ENTRY(update_undo, PHASE_UNDO, true, NULL, ticket_restore_located)
ENTRY(close_run, PHASE_RUN, true, want_close, ticket_finish_located)
ENTRY(close_plan, PHASE_PLAN, true, want_close, ticket_finish_located)
ENTRY(close_probe, PHASE_PROBE, true, want_close, ticket_finish_located)

/* ---- Description ---- */

#define WINDOW "\"start\": " RUNBOOK_TIME("planned start") ", \"end\": " RUNBOOK_TIME("planned end")
#define PLANS \
    FT_JSON("risk": {"type": "string", "description": "risk, by the instance's values (2 high, 3 moderate, 4 low)"}, "justification": {"type": "string", "description": "why it is needed"}, \
            "implementation_plan": {"type": "string", "description": "what will be done"}, "backout_plan": {"type": "string", "description": "how it is taken back"}, \
            "test_plan": {"type": "string", "description": "how it is proved"})

static const char open_params[] = OBJECT(", \"required\": [\"title\"]",
    FT_JSON("title": {"type": "string", "minLength": 1, "maxLength": 160, "description": "one line: what is changed, and where"},
            "text": {"type": "string", "maxLength": 60000, "default": "", "description": "the description"},
            "type": {"enum": ["normal", "standard", "emergency"], "default": "normal", "description": "type of the change"},
            "template": {"type": "string", "pattern": "^[0-9a-f]{32}$", "description": "sys_id of a standard change's template"},
            "correlation_id": {"type": "string", "minLength": 1, "maxLength": 100, "description": "found by this again; fettle-<run> when left out"},
            "ci": {"type": "string", "description": "configuration item: its sys_id"}, "caller": {"type": "string", "description": "who asks for it: user name or sys_id"},
            "category": {"type": "string", "description": "category"}, "assignment_group": {"type": "string", "description": "group that gets it: its sys_id"})
    ", " WINDOW ", " PLANS ", " SYSTEM ", " EXTRA);
static const char status_params[] = OBJECT("", WHICH);
static const char update_params[] = OBJECT(
    ", \"anyOf\": [{\"required\": [\"note\"]}, {\"required\": [\"state\"]}, {\"required\": [\"start\"]}, {\"required\": [\"end\"]}, {\"required\": [\"fields\"]}]",
    NOTE ", " FT_JSON("state"
                      : {
                          "enum" : [ "assess", "authorize", "scheduled", "implement", "review", "canceled" ],
                          "description" : "state to put it in; assess asks for the approval of a normal change, authorize for that of an emergency"
                      }) ", " WINDOW ", " WHICH ", " EXTRA);
static const char close_params[] = OBJECT(", \"required\": [\"notes\"]",
    FT_JSON("notes": {"type": "string", "minLength": 1, "maxLength": 4000, "description": "how it went"},
            "close_code": {"enum": ["successful", "successful_issues", "unsuccessful"], "default": "successful", "description": "outcome"}) ", " NOTE ", " WHICH ", " EXTRA);

#define CHANGE_PROPERTIES ", " \
    FT_JSON("type": {"type": ["string", "null"], "description": "normal, standard, emergency"}, \
            "approval": {"type": ["string", "null"], "description": "not requested, requested, approved, rejected"}, \
            "risk": {"type": ["string", "null"], "description": "risk, by the instance's values"}, \
            "start": {"type": ["string", "null"], "description": "planned start, UTC, RFC 3339"}, "end": {"type": ["string", "null"], "description": "planned end, UTC, RFC 3339"})
static const char open_result_schema[] = RESULT(CHANGE_PROPERTIES ", " FT_JSON("created": {"type": "boolean", "description": "false: it was there already"},
    "correlation_id": {"type": "string", "description": "by which it is found again"}));
static const char change_result[] = RESULT(CHANGE_PROPERTIES);
static const char status_result[] = RESULT(CHANGE_PROPERTIES ", " FT_JSON("approved": {"type": "boolean", "description": "approval is approved"},
    "rejected": {"type": "boolean", "description": "approval is rejected"},
    "window": {"enum": ["none", "before", "open", "after"], "description": "where now is in the planned window"},
    "may_start": {"type": "boolean", "description": "approved, scheduled or in implementation, and within the window"},
    "approvers": {"type": "array", "description": "who was asked", "items": {"type": "object", "properties": {"who": {"type": ["string", "null"], "description": "name"},
        "state": {"type": ["string", "null"], "description": "requested, approved, rejected, cancelled, not_required"}, "at": {"type": ["string", "null"], "description": "last change, UTC"}}}}));

ACTION(ticket_change_open, "change_open", "open a change request, once", FT_EFFECT_WRITE, open_params, open_result_schema)
    .run = { open_run, ticket_cancelled }, .plan = { open_plan, ticket_cancelled },
    .undo = { open_undo, ticket_cancelled }, .probe = { open_probe, ticket_cancelled },
    .about = "ServiceNow. It begins in state new; ticket.change_update to assess asks for the approval. Undo cancels a change that this step opened.",
    .example = "run: ticket.change_open\nwith:\n  title: \"Firmware 0.14.29313 on the access points of HQ\"\n  start: \"2026-11-28T22:00:00Z\"\n  end: \"2026-11-29T02:00:00Z\"\n"
               "  backout_plan: The version before is kept on the devices\nundo: auto\n" };
ACTION(ticket_change_status, "change_status", "approval state and window of a change request", FT_EFFECT_READ, status_params, status_result)
    .run = { status_run, ticket_cancelled },
    .about = "ServiceNow. Ask again right before the first write: may_start is true only when the change is approved, scheduled or in implementation, and now lies within its window.",
    .example = "run: ticket.change_status\nwith: {number: \"${change.number}\"}\n" };
ACTION(ticket_change_update, "change_update", "add a note to a change request, or change its state or window", FT_EFFECT_WRITE, update_params, change_result)
    .run = { update_run, ticket_cancelled }, .plan = { update_plan, ticket_cancelled },
    .undo = { update_undo, ticket_cancelled }, .probe = { update_probe, ticket_cancelled },
    .about = "ServiceNow. The instance's rules say which state may follow which. Undo puts state and window back where they let it; notes stay.",
    .example = "run: ticket.change_update\nwith: {number: \"${change.number}\", state: implement, note: \"fettle begins\"}\nundo: none\n" };
ACTION(ticket_change_close, "change_close", "close a change request", FT_EFFECT_WRITE, close_params, change_result)
    .run = { close_run, ticket_cancelled }, .plan = { close_plan, ticket_cancelled }, .probe = { close_probe, ticket_cancelled },
    .about = "ServiceNow. From implement it goes by way of review. A closed change stays closed: there is no undo.",
    .example = "run: ticket.change_close\nwith: {number: \"${change.number}\", notes: \"All 41 access points run 0.14.29313\"}\nundo: none\n" };
