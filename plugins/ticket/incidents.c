/* incidents.c: find, get, open, update, resolve, close and reopen, for every ticket system. */
#include "schemas.h"

int ticket_start(struct ft_call *call, enum phase phase, bool change, want_fn *want, next_fn *then, struct ft_err *reterr)
{
    struct ticket *st = host->state(call);
    int r = want ? want(call, st, reterr) : 0;

    if (r == 0)
        r = ticket_begin(call, phase, change, reterr);
    if (r == 0)
        ticket_locate(call, then);
    return r;
}

void ticket_cancelled(struct ft_call *call) { ticket_release(call); }

json_t *ticket_shown(const struct ticket *st, const json_t *record)
{
    static const char *const names[] = { "type", "approval", "risk", "start", "end" };
    json_t *facts = ticket_facts(record), *value;

    for (size_t i = 0; st->change && i < sizeof(names) / sizeof(names[0]); i++) {
        value = json_object_get(record, names[i]);
        json_object_set_new(facts, names[i], value ? json_incref(value) : json_null());
    }
    return facts;
}

static void shown_done(struct ft_call *call, struct ticket *st) { ticket_done(call, ticket_shown(st, st->back)); }

static void undone(struct ft_call *call, struct ticket *st) { ticket_done(call, json_pack("{s:b, s:o}", "undone", 1, "ticket", ticket_facts(st->back))); }

static void not_undone(struct ft_call *call, struct ticket *st)
{
    ticket_done(call, json_pack("{s:b, s:o*}", "undone", 0, "ticket", st->record ? ticket_facts(st->record) : NULL));
}

/* ---- find and get ---- */

static void found(struct ft_call *call, struct ticket *st)
{
    json_t *result = ticket_facts(st->record), *list = json_array(), *record;
    size_t i;

    json_array_foreach(st->all, i, record)
        json_array_append_new(list, ticket_facts(record));
    json_object_update_new(result, json_pack("{s:b, s:i, s:o}", "found", st->record != NULL, "count", (int)json_array_size(list), "tickets", list));
    ticket_done(call, result);
}

static void notes_seen(struct ft_call *call, struct ticket *st)
{
    json_t *result = ticket_facts(st->record), *notes = json_array(), *note;
    size_t i;

    json_array_foreach(st->seen[LOOK_NOTES], i, note) {
        if (i < TICKET_MAX_FOUND)
            json_array_append(notes, note);
    }
    json_object_set_new(result, "notes", notes);
    ticket_done(call, result);
}

static void got(struct ft_call *call, struct ticket *st)
{
    if (ticket_needed(call, st))
        ticket_look(call, ft_true(host->params(call), "notes") ? LOOK_BIT(LOOK_NOTES) : 0, notes_seen);
}

ENTRY(find_run, PHASE_RUN, false, NULL, found)
ENTRY(get_run, PHASE_RUN, false, NULL, got)

/* ---- open ---- */

static int want_open(struct ft_call *call, struct ticket *st, struct ft_err *reterr)
{
    (void)reterr;
    st->want = (struct intent){ .verb = VERB_OPEN, .title = ticket_param(call, "title"), .text = ticket_param(call, "text") ?: "",
                                .severity = ticket_param(call, "severity"), .fields = ft_get(host->params(call), "fields") };
    return 0;
}

static json_t *open_result(struct ft_call *call, const struct ticket *st, const json_t *record, bool created)
{
    json_t *result = ticket_shown(st, record);

    json_object_set_new(result, "created", json_boolean(created));
    json_object_set_new(result, "correlation_id", json_string(ticket_correlation(call)));
    return result;
}

static void opened(struct ft_call *call, struct ticket *st) { ticket_done(call, open_result(call, st, st->back, true)); }

static void existed(struct ft_call *call)
{
    const struct ticket *st = host->state(call);

    ticket_done(call, open_result(call, st, st->record, false));
}

static void open_exists(struct ft_call *call, struct ticket *st)
{
    struct ft_err err = { 0 };

    if (st->phase == PHASE_PLAN)
        ticket_done(call, json_pack("{s:s, s:[], s:b, s:O, s:o}", "summary", host->printf(call, "%s is open already", ft_str(st->record, "number")), "requests",
                                    "nothing_to_do", 1, "receipt", st->receipt, "result", open_result(call, st, st->record, false)));
    else if (host->keep(call, json_incref(st->receipt), existed, &err) < 0)
        ticket_fail(call, err.class, "%s", err.text);
}

void ticket_open_located(struct ft_call *call, struct ticket *st)
{
    if (st->record && (!ft_true(st->record, "active") || st->system->at(call, st, "resolved")))
        st->record = NULL;                            /* of an earlier occurrence, resolved since */
    if (st->phase == PHASE_PROBE) {
        bool was_there = ft_true(host->receipt(call), "existed");

        ticket_done(call, json_pack("{s:b, s:o*, s:o*}", "happened", st->record != NULL, "seen", st->record ? ticket_facts(st->record) : NULL,
                                    "result", st->record ? open_result(call, st, st->record, !was_there) : NULL));
        return;
    }
    st->receipt = ticket_hold(call, json_pack("{s:s, s:s, s:b, s:s?, s:s?}", "system", st->name, "correlation_id", ticket_correlation(call), "existed",
                                              st->record != NULL, "id", ft_str(st->record, "id"), "number", ft_str(st->record, "number")));
    st->summary = host->printf(call, "open a %s%s: %s", st->want.severity ? host->printf(call, "%s ", st->want.severity) : "",
                               st->change ? "change request" : "ticket", st->want.title);
    if (st->record)
        open_exists(call, st);
    else
        ticket_write(call, opened);
}

void ticket_open_undo_located(struct ft_call *call, struct ticket *st)
{
    if (!st->record || !ft_true(st->record, "active") || ft_true(host->receipt(call), "existed")) {
        not_undone(call, st);                         /* gone already, or somebody else's */
        return;
    }
    st->want = (struct intent){ .verb = VERB_CANCEL, .state = "canceled", .reason = "Taken back",
                                .note = ticket_marked(call, "The run that opened this ticket was taken back, so it is cancelled.") };
    ticket_write(call, undone);
}

static int open_undo(struct ft_call *call, struct ft_err *reterr)
{
    if (ft_true(host->receipt(call), "existed")) {
        host->done(call, json_pack("{s:b, s:n}", "undone", 0, "ticket"));     /* it was somebody else's */
        return 0;
    }
    return ticket_start(call, PHASE_UNDO, false, NULL, ticket_open_undo_located, reterr);
}

ENTRY(open_run, PHASE_RUN, false, want_open, ticket_open_located)
ENTRY(open_plan, PHASE_PLAN, false, want_open, ticket_open_located)
ENTRY(open_probe, PHASE_PROBE, false, want_open, ticket_open_located)

/* ---- update ---- */

static int want_update(struct ft_call *call, struct ticket *st, struct ft_err *reterr)
{
    const json_t *params = host->params(call);

    (void)reterr;
    st->want = (struct intent){ .verb = VERB_CHANGE, .note = ticket_marked(call, ticket_param(call, "note")), .visible = ft_true(params, "customer_visible"),
                                .state = ticket_param(call, "state"), .severity = ticket_param(call, "severity"), .fields = ft_get(params, "fields") };
    return 0;
}

void ticket_change_located(struct ft_call *call, struct ticket *st)
{
    if (!ticket_needed(call, st))
        return;
    st->summary = host->printf(call, "update %s%s", ft_str(st->record, "number"), st->want.note ? " with a note" : "");
    ticket_write(call, shown_done);
}

static void note_probed(struct ft_call *call, struct ticket *st)
{
    const char *mark = ticket_mark(call, ticket_param(call, "note"));
    bool there = false;
    json_t *note;
    size_t i;

    json_array_foreach(st->seen[LOOK_NOTES], i, note)
        there = there || strstr(ft_str(note, "text") ?: "", mark);
    ticket_done(call, json_pack("{s:b, s:{s:i}, s:o}", "happened", there, "seen", "notes", (int)json_array_size(st->seen[LOOK_NOTES]), "result",
                                ticket_shown(st, st->record)));
}

void ticket_change_probe_located(struct ft_call *call, struct ticket *st)
{
    const char *field;

    if (!ticket_needed(call, st))
        return;
    if (st->want.note) {
        ticket_look(call, LOOK_BIT(LOOK_NOTES), note_probed);
        return;
    }
    if (!st->want.state && !st->want.severity && !ft_get(host->params(call), "start") && !ft_get(host->params(call), "end")) {
        ticket_fail(call, FT_INVALID, "an update of other fields without a note leaves no mark by which it could be found");
        return;
    }
    st->back = st->record;
    ticket_done(call, json_pack("{s:b, s:o, s:o}", "happened", st->system->left(call, st, &field) == FT_CLASS_NONE, "seen", ticket_facts(st->record),
                                "result", ticket_shown(st, st->record)));
}

void ticket_restore_located(struct ft_call *call, struct ticket *st)
{
    const json_t *before = ft_get(host->receipt(call), "before");

    if (!ticket_needed(call, st))
        return;
    if (json_object_size(before) == 0) {
        not_undone(call, st);
        return;
    }
    st->want = (struct intent){ .verb = VERB_RESTORE, .before = before,
                                .note = ticket_marked(call, "The run that changed this ticket was taken back: as it was before.") };
    ticket_write(call, undone);
}

ENTRY(update_run, PHASE_RUN, false, want_update, ticket_change_located)
ENTRY(update_plan, PHASE_PLAN, false, want_update, ticket_change_located)
ENTRY(update_probe, PHASE_PROBE, false, want_update, ticket_change_probe_located)
ENTRY(restore_undo, PHASE_UNDO, false, NULL, ticket_restore_located)

/* ---- resolve, close, reopen ---- */

static int want_finish(struct ft_call *call, struct ticket *st, const char *state)
{
    st->want = (struct intent){ .verb = VERB_FINISH, .state = state, .code = ticket_param(call, "close_code"), .reason = ticket_param(call, "notes"),
                                .note = ticket_marked(call, ticket_param(call, "note")), .fields = ft_get(host->params(call), "fields") };
    return 0;
}

static int want_resolve(struct ft_call *call, struct ticket *st, struct ft_err *e) { return (void)e, want_finish(call, st, "resolved"); }
static int want_close(struct ft_call *call, struct ticket *st, struct ft_err *e) { return (void)e, want_finish(call, st, "closed"); }

void ticket_finish_located(struct ft_call *call, struct ticket *st)
{
    bool done;

    if (!ticket_needed(call, st))
        return;
    done = !st->stand_in && st->system->at(call, st, st->want.state);
    st->summary = host->printf(call, "%s %s", ft_same(st->want.state, "closed") ? "close" : "resolve", ft_str(st->record, "number"));
    if (st->phase == PHASE_PROBE)
        ticket_done(call, json_pack("{s:b, s:o, s:o}", "happened", done, "seen", ticket_facts(st->record), "result", ticket_shown(st, st->record)));
    else if (done && st->phase == PHASE_PLAN)
        ticket_done(call, json_pack("{s:s, s:[], s:b, s:o, s:o*}", "summary", host->printf(call, "%s is %s already", ft_str(st->record, "number"), st->want.state),
                                    "requests", "nothing_to_do", 1, "result", ticket_shown(st, st->record), "watch", ticket_watch(st)));
    else if (done)
        ticket_done(call, ticket_shown(st, st->record));
    else
        ticket_write(call, shown_done);
}

ENTRY(resolve_run, PHASE_RUN, false, want_resolve, ticket_finish_located)
ENTRY(resolve_plan, PHASE_PLAN, false, want_resolve, ticket_finish_located)
ENTRY(resolve_probe, PHASE_PROBE, false, want_resolve, ticket_finish_located)
ENTRY(close_run, PHASE_RUN, false, want_close, ticket_finish_located)
ENTRY(close_plan, PHASE_PLAN, false, want_close, ticket_finish_located)
ENTRY(close_probe, PHASE_PROBE, false, want_close, ticket_finish_located)

static int want_reopen(struct ft_call *call, struct ticket *st, struct ft_err *reterr)
{
    (void)reterr;
    st->want = (struct intent){ .verb = VERB_CHANGE, .state = ticket_param(call, "state"), .note = ticket_marked(call, ticket_param(call, "note")) };
    return 0;
}

static void reopen_located(struct ft_call *call, struct ticket *st)
{
    bool open;

    if (!ticket_needed(call, st))
        return;
    open = !st->stand_in && ft_true(st->record, "active") && !st->system->at(call, st, "resolved");
    st->summary = host->printf(call, "reopen %s", ft_str(st->record, "number"));
    if (st->phase == PHASE_PROBE)
        ticket_done(call, json_pack("{s:b, s:o, s:o}", "happened", open, "seen", ticket_facts(st->record), "result", ticket_facts(st->record)));
    else if (open && st->phase == PHASE_PLAN)
        ticket_done(call,
                    json_pack("{s:s, s:[], s:b, s:o, s:o*}", "summary", host->printf(call, "%s is open", ft_str(st->record, "number")), "requests", "nothing_to_do", 1,
                              "result", ticket_facts(st->record), "watch", ticket_watch(st)));
    else if (open)
        ticket_done(call, ticket_facts(st->record));
    else
        ticket_write(call, shown_done);
}

ENTRY(reopen_run, PHASE_RUN, false, want_reopen, reopen_located)
ENTRY(reopen_plan, PHASE_PLAN, false, want_reopen, reopen_located)
ENTRY(reopen_probe, PHASE_PROBE, false, want_reopen, reopen_located)

/* ---- Description ---- */

static const char find_params[] = OBJECT("", WHICH ", "
    FT_JSON("about": {"type": "string", "minLength": 3, "description": "words in the title of an open ticket: a client, an access point"}));
static const char get_params[] = OBJECT("", WHICH ", " FT_JSON("notes": {"type": "boolean", "default": false, "description": "read the newest notes too"}));
static const char open_params[] = OBJECT(", \"required\": [\"title\"]",
    FT_JSON("title": {"type": "string", "minLength": 1, "maxLength": 160, "description": "one line: what is wrong, and where"},
            "text": {"type": "string", "maxLength": 60000, "default": "", "description": "the description; what is over 3900 bytes goes to ServiceNow's work notes as well"},
            "correlation_id": {"type": "string", "minLength": 1, "maxLength": 100, "description": "found by this again; fettle-<run> when left out"},
            "ci": {"type": "string", "description": "configuration item: its sys_id; in Jira and RT the field that field_names.ci of the configuration names"},
            "caller": {"type": "string", "description": "who reported it: user name or sys_id; in RT the requestor's mail address"},
            "category": {"type": "string", "description": "category; in Jira and RT the field that field_names.category names"},
            "assignment_group": {"type": "string", "description": "group that gets it: its sys_id; in Jira and RT the field that field_names.assignment_group names"},
            "severity": {"enum": ["P1", "P2", "P3", "P4"], "default": "P3", "description": "severity of the runbook; becomes impact and urgency, or the priority"})
    ", " SYSTEM ", " EXTRA);
static const char update_params[] = OBJECT(
    ", \"anyOf\": [{\"required\": [\"note\"]}, {\"required\": [\"state\"]}, {\"required\": [\"severity\"]}, {\"required\": [\"fields\"]}]",
    NOTE ", " FT_JSON("customer_visible"
                      : { "type" : "boolean", "default" : false, "description" : "true: the note is a comment that the reporter sees and is mailed" }, "state"
                      : { "enum" : [ "new", "in_progress", "on_hold" ], "description" : "state to put it in" }) ", " SEVERITY ", " WHICH ", " EXTRA);
static const char close_params[] = OBJECT(", \"required\": [\"notes\"]",
    FT_JSON("notes": {"type": "string", "minLength": 1, "maxLength": 4000, "description": "what was done"},
            "close_code": {"type": "string", "description": "resolution, by the system's name; the configuration's when left out"}) ", " NOTE ", " WHICH ", " EXTRA);
static const char reopen_params[] = OBJECT(", \"required\": [\"note\"]", NOTE ", "
    FT_JSON("state": {"enum": ["new", "in_progress"], "default": "in_progress", "description": "state to put it in"}) ", " WHICH);

static const char find_result[] = RESULT(", " FT_JSON("found": {"type": "boolean", "description": "there is one (the other fields are null when not)"},
    "count": {"type": "integer", "description": "how many were found, at most 20"},
    "tickets": {"type": "array", "items": {"type": "object", "additionalProperties": true}, "description": "all that were found; the fields above are of the newest active one"}));
static const char get_result[] = RESULT(", " FT_JSON("notes": {"type": "array", "description": "newest first, at most 20; empty unless asked for", "items": {"type": "object", "properties": {
    "at": {"type": ["string", "null"], "description": "when, UTC"}, "by": {"type": ["string", "null"], "description": "who wrote it"},
    "text": {"type": ["string", "null"], "description": "what it says; RT tells its subject only"}, "visible": {"type": "boolean", "description": "the reporter sees it"}}}}));
static const char open_result_schema[] = RESULT(", " FT_JSON("created": {"type": "boolean", "description": "false: it was open already"},
    "correlation_id": {"type": "string", "description": "by which it is found again"}));
static const char ticket_result[] = RESULT("");

ACTION(ticket_find, "find", "find tickets", FT_EFFECT_READ, find_params, find_result)
    .run = { find_run, ticket_cancelled },
    .about = "By number, id, correlation id, or words in the title of an open one. Finding none is a result.",
    .example = "run: ticket.find\nwith: {about: \"${client}\"}\n" };
ACTION(ticket_get, "get", "read a ticket, and its notes", FT_EFFECT_READ, get_params, get_result)
    .run = { get_run, ticket_cancelled },
    .about = "A ticket that is not there is an error (not_found): ask with ticket.find where that may be.",
    .example = "run: ticket.get\nwith: {number: \"${ticket.number}\", notes: true}\n" };
ACTION(ticket_open, "open", "open a ticket, once", FT_EFFECT_WRITE, open_params, open_result_schema)
    .run = { open_run, ticket_cancelled }, .plan = { open_plan, ticket_cancelled },
    .undo = { open_undo, ticket_cancelled }, .probe = { open_probe, ticket_cancelled },
    .about = "Looks first for an active ticket with the correlation id and gives that one. Undo cancels a ticket that this step opened, with a note; "
             "one that was there before is left alone.",
    .example = "run: ticket.open\nwith:\n  title: \"Client ${client} gets no address\"\n  severity: P3\n  text: \"${evidence}\"\nundo: auto\n" };
ACTION(ticket_update, "update", "add a note, or change state or severity", FT_EFFECT_WRITE, update_params, ticket_result)
    .run = { update_run, ticket_cancelled }, .plan = { update_plan, ticket_cancelled },
    .undo = { restore_undo, ticket_cancelled }, .probe = { update_probe, ticket_cancelled },
    .about = "A note ends with a mark (fettle run …) by which it is found again after a crash. Undo puts state and severity back; a note stays: no ticket system takes notes back.",
    .example = "run: ticket.update\nwith: {number: \"${ticket.number}\", note: \"Pool of VLAN 110 is full\", state: in_progress}\nundo: none\n" };
ACTION(ticket_resolve, "resolve", "resolve a ticket", FT_EFFECT_WRITE, close_params, ticket_result)
    .run = { resolve_run, ticket_cancelled }, .plan = { resolve_plan, ticket_cancelled },
    .undo = { restore_undo, ticket_cancelled }, .probe = { resolve_probe, ticket_cancelled },
    .about = "ServiceNow wants a resolution code and notes; Jira and RT get the notes as a comment. Undo puts back the state that there was, with a note.",
    .example = "run: ticket.resolve\nwith: {number: \"${ticket.number}\", notes: \"38 stale leases freed; the client has an address\"}\nundo: none\n" };
ACTION(ticket_close, "close", "close a ticket", FT_EFFECT_WRITE, close_params, ticket_result)
    .run = { close_run, ticket_cancelled }, .plan = { close_plan, ticket_cancelled },
    .undo = { restore_undo, ticket_cancelled }, .probe = { close_probe, ticket_cancelled },
    .about = "Many ServiceNow instances close resolved incidents by themselves after some days, and forbid it to others: then use ticket.resolve. RT knows no more than resolved. "
             "Undo puts back the state that there was, where the system lets it.",
    .example = "run: ticket.close\nwith: {number: \"${ticket.number}\", notes: \"No fault found\"}\nundo: none\n" };
ACTION(ticket_reopen, "reopen", "open a resolved ticket again", FT_EFFECT_WRITE, reopen_params, ticket_result)
    .run = { reopen_run, ticket_cancelled }, .plan = { reopen_plan, ticket_cancelled },
    .undo = { restore_undo, ticket_cancelled }, .probe = { reopen_probe, ticket_cancelled },
    .about = "One that is open stays as it is. Undo puts back the state that there was.",
    .example = "run: ticket.reopen\nwith: {number: \"${ticket.number}\", note: \"The client lost its address again\"}\nundo: none\n" };
