/* run.h: the interpreter. Start here if you want to know what a run does; the promises are in README.md of this folder.
 *
 * A run is the sequence of its events in the store. Everything that is shown of a run (the live view, `show`, `why`, the graph) is made from
 * these events, so nothing is shown that is not journalled. Words:
 *   path    where a step stands in a run: "association", "checks/dns" (parallel), "aps[3]/restart" (for_each), "sub/ping" (call)
 *   parked  nothing can go on until somebody answers (an approval, a question, a write in doubt, an undo that failed)
 *
 * Events (a new one is named in tests/faults/crash/events.c, too; field "type"; all have "seq", "at" in ms, and most "path"; "clock_back_ms" where the clock had gone back; the first "seal", see store/audit.h):
 *   run.started   playbook, digest, sources (blob), title, params, vars, mode, requester, locks; of an apply: plan (digest), accept_undetermined
 *   run.resumed   by, run, playbook
 *   step.started  id, title, verb, action, effect, params
 *   step.skipped  because {expr, value, reads}
 *   step.intended action, params, plan, undo {kind, action, params, title}, attempt, veiled      durable before the write is sent
 *                                                                                        (veiled: a secret in it is left out, so it is not undone or sent again blindly)
 *   step.kept     receipt, veiled                                                        durable before the plugin goes on
 *   step.answered result, pending_until    a write was answered; its verification follows. pending_until: the device takes it back then, unless it is confirmed
 *   confirm.intended pending_until    it is proven; durable before the confirmation is sent
 *   confirm.done  result, by, error   it is confirmed, for good; by: it was found out later, behind this error
 *   confirm.lapsed gone     it was not confirmed, and it has no undo: the device's time is over; gone: it took it back (absent: nobody could see)
 *   step.attempt  attempt, class, error, again_in_ms
 *   verify.look   ok, reads, error    one look of a verification
 *   step.unproven error, after, pending_until, stays the verification failed: this write is taken back (stays: nothing does), then the step fails
 *   step.done     result, seen, ms, write, recovered, after (the state that the write left behind) or after_unknown (why it is not known),
 *                 nothing_to_do (a write that was not sent)
 *   step.failed   class, error, ms, to (where on_error leads), off_plan {plan, planned, now, differs [{path, planned, now}]}
 *   gate.voided   digest (that was asked about or approved), approved (path of its gate), planned, now, differs: the world has moved; it is asked again
 *   step.went     to, because {expr, value, reads}, tried [because…]
 *   gate.opened   text, by {role, count} or {all: […]}, requirement, people, asked, requester, opened, until, digest (of the plan ahead, kept), writes, score, nonce,
 *                 remind_ms, escalate, break_glass, policy; at a write: plan, action, with                                     guard/approval.h
 *   gate.vote     by, for, decision, reason, where, given, answer (row)     gate.withdrawn  by, reason, request     gate.refused by, why, answer
 *   gate.broken   by, role, reason    gate.reminded   n, to                 gate.escalated  level, role, to
 *   gate.reviewed by, note, where, broken              behind the end of a run whose glass was broken
 *   gate.noticed  what, action        gate.notice_failed what, action, error
 *   gate.answered approved, by, reason, where, digest, expired, withdrawn, broken, nobody_configured
 *   ask.opened    text, fields, until ask.answered    values, by
 *   wait.opened   until, ms | window  wait.over
 *   lock.waiting  keys, within, holder, by, text, until     lock.taken keys, within, waited_ms     of a write's target that no lock of the run covered
 *   each.batch    batch, batches, from, to, of                   a for_each begins its batch number `batch`
 *   each.soak     batch, batches, until, ms                      each.checked batch, batches, ok, expr, class, error (its looks: verify.look)
 *   doubt.opened  action, params, plan, why   doubt.answered  happened, by, seen, result
 *   rollback.started why, count, final, without [{path, title, action}]: what stands and has no undo
 *   undo.intended undo, checked (it was seen to be what fettle wrote), plan, overwrite_by         durable before the undo is sent
 *   undo.attempt  attempt, class, error, again_in_ms
 *   undo.done     already (nothing was sent), by (a person did it)        undo.kept by (a person wants it left as it is)
 *   question.answered kind (undo), by, where, reason, row, again | overwrite | leave | done, send, seen     what a person said of a stuck undo
 *   question.refused  kind, by, why, row     an answer from elsewhere that fits nothing any more
 *   undo.conflict base, mine, theirs, differences [{path, was, wrote, now}]        undo.failed class, error, attempt
 *   run.parked    waiting [questions], why, until (it is resumed then at the latest: the window closes), incident (a rollback is stuck: the network stands half-changed)
 *   run.reopened  by, why, final, only [paths]        behind run.finished: `fettle undo`
 *   run.planned   plan (of a dry run; plan.h says what is in it)
 *   policy.passed rules, closes       what a write is started under, and when the time that it was allowed in ends
 *   hold.opened   until, why, rules   a write may not start yet: the run is asked to wait         hold.over
 *   run.closing   why, closes         that time is up: nothing new is started, what was done is taken back
 *   run.cancelling by, now, rollback
 *   run.finished  status, outcome, title, diagnosis, evidence, writes, undone, kept, stands [{path, title, undo}] (of one that did not end well), steps
 */
#pragma once
#include "guard/guard.h"
#include "playbook/playbook.h"
#include "plugin/registry.h"
#include "secret/secret.h"
#include "store/store.h"

struct ft_engine;
struct ft_run;

/* How often an undo is tried, and how long between: doubled each time. Then the run parks as an incident. 0: 6 times, 5 s, at most 2 min. */
struct ft_undo_policy { unsigned tries; uint64_t wait_ms, longest_ms; };

struct ft_engine_opts {
    struct ft_loop *loop;
    struct ft_store *store;
    struct ft_registry *registry;
    struct ft_secrets *secrets;
    const struct ft_playbook_world *world;     /* to load a stored playbook on resume; kept alive by the caller */
    const struct ft_config *config;            /* `people`, `roles`, `approvals`; NULL: nobody is configured */
    struct ft_guard *guard;                    /* asked right before a write starts; NULL: every write may start (tests) */
    struct ft_undo_policy undo;
    uint64_t lock_wait_ms;                     /* how long a write waits for the lock on its target; 0: 5 min */
};
struct ft_engine *ft_engine_new(const struct ft_engine_opts *opts);
struct ft_engine *ft_engine_free(struct ft_engine *engine);      /* all runs must have been freed */

enum ft_run_end {
    FT_RUN_OK = 0,            /* outcome with status ok */
    FT_RUN_FAILED = 1,
    FT_RUN_PARKED = 3,
    FT_RUN_ATTENTION = 4,
    FT_RUN_ROLLED_BACK = 5,
    FT_RUN_CANCELLED = 130,
};

/* Callbacks come from the loop only. */
struct ft_run_observer {
    void (*event)(void *arg, struct ft_run *run, const json_t *event);
    void (*progress)(void *arg, struct ft_run *run, const char *path, const char *text);
    /* Only answers can move it on: ft_run_answer each of ft_run_questions, or ft_run_free it (it stays parked in the store). */
    void (*parked)(void *arg, struct ft_run *run);
    /* The last callback; the run is in the store, durable. */
    void (*ended)(void *arg, struct ft_run *run, enum ft_run_end end);
};

struct ft_run_opts {
    const char *requester;        /* who asked for it: "alice" */
    bool dry_run;
    const json_t *vars;           /* overrides of the playbook's vars; unknown names are an error; may be NULL */
    const json_t *event;          /* the alert that triggered it; may be NULL */
    bool keep_plan;               /* of a dry run: the plan is kept in the store */
    uint64_t plan_valid_ms;       /* how long it may be applied; 0: as long as it fits */
    const char *break_glass;      /* the reason; NULL: as everybody */
    const json_t *plan;           /* apply this plan (plan.h): params, vars and event are the plan's, too; NULL: none */
    bool accept_undetermined;     /* also writes that the plan could not determine */
    const char *change;           /* the category of this change (guard.h: ft_guard_change); NULL: the playbook's, or the default */
    uint64_t requested_ms;        /* when the change was asked for, for lead times; 0: now */
};

/* params: from ft_playbook_bind. -EBUSY when a lock is held (the sentence says by whom). The first callback comes from the loop. */
int ft_run_start(struct ft_engine *engine, const struct ft_playbook *playbook, const json_t *params, const struct ft_run_opts *opts,
                 const struct ft_run_observer *observer, void *arg, struct ft_run **ret, struct ft_err *reterr);
/* Goes on from the journal: what was decided is not decided again, what was done is not done again. Claims the run in the store. */
int ft_run_resume(struct ft_engine *engine, const char *id, const char *who, const struct ft_run_observer *observer, void *arg,
                  struct ft_run **ret, struct ft_err *reterr);
/* The same of a run that ft_store_claim_all has claimed. */
int ft_run_resume_claimed(struct ft_engine *engine, const char *id, const char *who, const struct ft_run_observer *observer, void *arg,
                          struct ft_run **ret, struct ft_err *reterr);
/* Takes back what a run did that is over: it is reopened (run.reopened), takes its locks again, rolls back, and ends anew. -ENODATA: nothing is left to
 * take back; -EBUSY: a lock is held, another process is at it, or `step` has a later write upon it; -ENOENT: it has no such step. */
struct ft_undo_opts {
    const char *who, *reason;     /* reason may be NULL */
    const char *step;             /* path: only this write; NULL: all */
    bool and_later;               /* with step: and every write after it */
    bool as_it_is;                /* of a plan: also where the run is not over: what would be taken back now */
};
int ft_run_undo(struct ft_engine *engine, const char *id, const struct ft_undo_opts *opts, const struct ft_run_observer *observer, void *arg, struct ft_run **ret,
                struct ft_err *reterr);
/* What that would do; nothing is touched. done is called from the loop, once, and takes plan over: {"run","playbook","over","taking_back","without","in_doubt","writes": [{"path","title","kind",
 * "action","write","state": "as_written|back|changed|unknown","differences","changes","plan" (what the undo's call would send),"unplanned","unseen"}]}. */
struct ft_undo_plan;
int ft_run_undo_plan(struct ft_engine *engine, const char *id, const struct ft_undo_opts *opts, void (*done)(void *arg, json_t *plan), void *arg, struct ft_undo_plan **ret,
                     struct ft_err *reterr);
void ft_undo_plan_free(struct ft_undo_plan *plan);      /* NULL is fine; done comes no more */
/* Stops where it is without another event (the journal has all that counts); writes under way become "in doubt" at the next resume. */
void ft_run_free(struct ft_run *run);

const char *ft_run_id(const struct ft_run *run);
const struct ft_playbook *ft_run_playbook(const struct ft_run *run);
bool ft_run_declared_read(const struct ft_call_spec *call);      /* the action cannot know what it does, and the playbook says that it reads */
uint64_t ft_run_write_ms(const struct ft_step *step);      /* the longest that a write may take with its verification and its own undo */
bool ft_run_rolls_back(const struct ft_run *run);      /* what was done is being taken back, or that is stuck */
/* kind `wait`: nobody can answer, it goes on by itself; with "stays": true so soon that whoever watches should stay.
 * [{"path", "kind": "approve|ask|doubt|undo|wait", "title", "text", "by", "fields", "until", "plan"}]; new reference. */
json_t *ft_run_questions(const struct ft_run *run);
/* The same from events alone, without approvals and what goes on by itself: what `ft_question_answer` can be given for. With "differences", "theirs" of an
 * undo, "plan", "why", "seen" of a doubt, "fields" of a form. New reference. */
json_t *ft_questions_open(const json_t *events);
/* Answers one of them from anywhere, in whosever hand the run is: a row in the store that the run takes, now or when it goes on. answer as for
 * ft_run_answer; an overwrite holds for what stands in the question only. -EINVAL: it does not fit. */
int ft_question_answer(struct ft_store *store, const char *run_id, const json_t *question, const json_t *answer, const char *who, const char *where, const char *reason,
                       struct ft_err *reterr);
/* Asks for the end of a run that another process has in hand: a row, too, which that process takes when it looks (ft_run_asked_to_end). */
int ft_run_ask_end(struct ft_store *store, const char *run_id, bool now, bool rollback, const char *who, const char *where, struct ft_err *reterr);
void ft_run_asked_to_end(struct ft_run *run);
#define FT_QUESTIONS "question"       /* `gate` of such rows */
#define FT_ENDS "end"
/* When a parked run goes on although nobody answers, ms since 1970; UINT64_MAX: never. */
uint64_t ft_run_wake_ms(const struct ft_run *run);
/* approve: {"approved": bool, "reason"}; ask: {"values": {…}}; doubt: {"happened": bool}; undo: {"again": true}, {"overwrite": true} (whatever
 * is there now), {"leave": true} (as it is now) or {"done": true} (a person did it).
 * who, where ("terminal", "--yes") are journalled. -EINVAL with what is wrong with the answer. */
int ft_run_answer(struct ft_run *run, const char *path, const json_t *answer, const char *who, const char *where, struct ft_err *reterr);
/* now: also ends what is under way (a write under way is left in doubt, and the run parked). Otherwise after the steps under way. rollback: take back what was done. */
void ft_run_cancel(struct ft_run *run, const char *who, bool now, bool rollback);

/* ---- reading runs of the past, from their events */
/* The way of a run for ft_graph (playbook/graph.h); new reference. */
json_t *ft_run_way(const json_t *events);
/* The plan that a dry run made: see plan.h; NULL if it was none. Borrowed from events. */
const json_t *ft_run_plan(const json_t *events);
/* The playbook a run started with. */
struct ft_playbook *ft_run_stored_playbook(const json_t *events, struct ft_store *store, const struct ft_playbook_world *world, struct ft_err *reterr);
