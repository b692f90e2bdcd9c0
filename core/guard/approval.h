/* approval.h: who may decide at a gate, and the one function through which every answer of a person goes: from the command line, from an API, from
 * wherever a page shows a gate. A link only shows (ft_approval_view): nothing that merely reads can approve.
 *
 *   a gate       waits in a run: an `approve:` step, or a write that a policy holds. It is made from the run's events only (ft_gates_note)
 *   an answer    a row in the store (store/answers.c), written by ft_approval_answer after every check; the process that runs the run takes it
 *                with every check made again (ft_gate_take), journals what became of it, and decides (ft_gate_decide)
 *   a vote       an answer that counts: each person once, in a role, for themselves or for whoever delegated to them; never the requester
 *
 * What is approved is the gate's digest. The nonce is drawn anew for each gate; a token follows from it, the person, and how often the person has
 * answered: so it fits one answer of one person at one gate, and saying it again is refused. A token gives no right: the person must have it. */
#pragma once
#include "base/clock.h"
#include "store/store.h"

/* Who there is. Borrowed. */
struct ft_people {
    const json_t *config;         /* the whole configuration: `people`, `roles`, `approvals` */
    const json_t *delegations;    /* rows of ft_answers(store, "", FT_DELEGATIONS, …); NULL: none */
};
#define FT_DELEGATIONS "delegation"       /* `gate` of rows that are no answers: who acts for whom */
#define FT_REVIEWS "review"               /* a broken glass that somebody must look at; taken when they did */

bool ft_people_configured(const struct ft_people *people);
/* Names of those who have the role (""; everybody), in their own right; new reference. */
json_t *ft_people_with(const struct ft_people *people, const char *role);
bool ft_person_has(const struct ft_people *people, const char *person, const char *role);
/* Whose voices the person may give at that time: [{"from","role"}]; new reference. */
json_t *ft_person_acts_for(const struct ft_people *people, const char *person, uint64_t at_ms);

/* ---- gates: {"path","nonce","digest","text","title","by","people","requester","until","opened","break_glass","state","votes":[…],"reminded","escalated"}
 * state: open, approved, rejected, expired, withdrawn, void. `by` is {"role","count"} or {"all": [{"role","count"}]}. */
void ft_gates_note(json_t *gates, const json_t *event, const char *requester);     /* adds or changes; events that are not of gates change nothing */
json_t *ft_gates_of(const json_t *events);                                          /* all gates of a run, oldest first; new reference */
json_t *ft_gate_at(const json_t *gates, const char *path);                          /* the newest there; borrowed; NULL */
bool ft_gate_is_open(const json_t *gate);

/* The event that this row of the store becomes: gate.vote, gate.withdrawn, gate.broken, or gate.refused with "why". New reference. */
json_t *ft_gate_take(const struct ft_people *people, const json_t *gate, const json_t *row);

enum ft_decision { FT_GATE_WAITS, FT_GATE_APPROVED, FT_GATE_REJECTED, FT_GATE_WITHDRAWN };
/* What the votes come to with the people as they are now. *ret_missing (may be NULL): one phrase, "1 of 2 network-lead"; malloced. */
enum ft_decision ft_gate_decide(const struct ft_people *people, const json_t *gate, char **ret_missing);
/* The votes that count: [{"role","count","by":[names]}], for guard and for people. New reference. */
json_t *ft_gate_votes(const struct ft_people *people, const json_t *gate);
/* "network-lead (2 of 3)" words of the requirement; malloced. */
char *ft_gate_needs(const json_t *gate);
/* Who may still answer: names, new reference. */
json_t *ft_gate_asked(const struct ft_people *people, const json_t *gate, uint64_t now_ms);

/* Whether they have one of the roles that it asks for, in their own right. */
bool ft_gate_wants(const struct ft_people *people, const json_t *gate, const char *person);

/* When those who are asked are reminded, and whom it is told next: {"remind_ms", "escalate": [{"at","role","level"}]}, by the playbook's severity and the
 * configuration's `approvals`; gate_times.c says what holds where it is silent. New reference. */
json_t *ft_gate_times(const json_t *config, const char *severity, uint64_t opened_ms);
uint64_t ft_gate_next(const json_t *gate);      /* when something is next due: a reminder, an escalation, its end */

/* ---- answering */
struct ft_approvals {
    struct ft_store *store;
    const json_t *config;
    const struct ft_clock *clock;         /* NULL: the system's */
};

struct ft_answer {
    const char *run;              /* its id, whole */
    const char *path;             /* NULL: the only gate that is open */
    const char *who, *where;      /* the person, as whoever calls this has made sure; "command line on noc-1" */
    const char *decision;         /* approve, reject, withdraw (an own vote), cancel (the request, by the requester), break_glass */
    const char *reason;           /* reject, break_glass: needed */
    const char *digest;           /* what was seen: the gate's digest or its first digits, at least 8 */
    const char *token;            /* of ft_approval_view for this person */
};
/* Checks everything and writes the answer, durable. *ret_gate (may be NULL): the gate as it stands then. -EPERM, -ESTALE (another digest, a token
 * that was used), -ETIME (too late), -ENOENT: a sentence says why. */
int ft_approval_answer(const struct ft_approvals *approvals, const struct ft_answer *answer, json_t **ret_gate, struct ft_err *reterr);

/* Reads only. The gate at path (NULL: the only open one) with all answers given so far, and for `who` (may be NULL) "token" and "may" (or "why_not").
 * New reference. */
int ft_approval_view(const struct ft_approvals *approvals, const char *run, const char *path, const char *who, json_t **ret, struct ft_err *reterr);
/* The same by what stands in a link. */
int ft_approval_view_link(const struct ft_approvals *approvals, const char *link, const char *who, json_t **ret, struct ft_err *reterr);
void ft_gate_link(const char *run, const json_t *gate, char ret[33]);
/* All that waits, as views, oldest run first. */
int ft_approval_list(const struct ft_approvals *approvals, const char *who, json_t **ret, struct ft_err *reterr);

/* ---- reviews: a glass that was broken is looked at afterwards, by somebody else. */
/* [{"run","row","at","broken": {by, role, reason, path}}]; new reference. */
int ft_approval_reviews(const struct ft_approvals *approvals, json_t **ret, struct ft_err *reterr);
/* By one of those who were passed over, neither who broke it nor who asked for the run. Journalled in the run, which must be in nobody's hands. */
int ft_approval_review(const struct ft_approvals *approvals, const char *run, const char *who, const char *where, const char *note, struct ft_err *reterr);

/* ---- delegation: role "" is every role that `from` has. until_ms 0 ends it. */
/* Who acts for whom now: [{"person","from","role"}]; new reference. */
int ft_approval_delegations(const struct ft_approvals *approvals, json_t **ret, struct ft_err *reterr);
int ft_approval_delegate(const struct ft_approvals *approvals, const char *from, const char *role, const char *to, uint64_t until_ms, const char *where,
                         struct ft_err *reterr);
