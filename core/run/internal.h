/* internal.h: what the files of run/ share. One file a concern:
 *   engine.c  start, free                  resume.c   a run out of its events    end.c   how it ends
 *   idle.c    parked? what people say      journal.c  events out, history in     list.c  lists of steps, targets
 *   step.c    the life of one step         verbs.c    set lua ask wait           fan.c   parallel for_each call
 *   before.c  what stands before an intent write.c    plan, intent, call         verify.c is it proven?
 *   doubt.c   sent, answer lost            undo.c, undo_one.c rollback
 *   batch.c   between two batches of a for_each
 *   locks.c, apply.c, policy.c, gate.c     the checks of before.c                dry*.c, plan.c   dry run, and the plan of it
 *   confirm.c dead-man commits: confirmed once they are verified
 *   margin.c  when the window closes
 *   after.c   the state a write left behind   undo_check.c  is it still that?    reopen.c, undo_plan.c  undo of a run that is over
 *   gate*.c   approve: what people decide  people.c   who they are now, and their answers
 *   question.c answers from elsewhere, and what asks for the run's end
 *   parking.c runs that wait, as stubs (parking.h)
 */
#pragma once
#include "base/buf.h"
#include "base/list.h"
#include "base/log.h"
#include "base/text.h"
#include "base/util.h"
#include "data/json.h"
#include "guard/approval.h"
#include "guard/guard.h"
#include "run/run.h"
#include "run/targets.h"

struct ft_engine {
    struct ft_engine_opts o;
    unsigned runs;                     /* not freed yet */
    struct people *people;             /* people.c */
    struct loaded { char sources[65]; struct ft_playbook *playbook; } loaded[8];
    unsigned next_loaded;
};

enum run_state { RUN_GOING, RUN_STOPPING, RUN_ROLLING_BACK, RUN_ENDED };

struct list_run;
struct dry;

struct ft_run {
    struct ft_engine *engine;
    char id[9];
    struct ft_playbook *playbook;      /* one reference */
    json_t *params, *vars;
    char *requester;
    bool dry_run;
    const struct ft_run_observer *observer;
    void *arg;

    enum run_state state;
    json_t *history;                   /* path → {event type: last event}; what happened before a resume; shrinks as it is used */
    struct list_run *root;
    struct ft_list steps;              /* step_run.in_run: everything alive */
    unsigned writes, steps_done;
    uint64_t started_ms, active_ms;    /* active_ms: of earlier lives, parking left out */
    uint64_t since_ms;                 /* when it was reopened; 0: it was not */
    uint64_t segment_start_us;
    struct ft_timer *limit;

    json_t *undo;                      /* stack, last done last: [{path, title, kind, action, params, write, write_params, receipt, before, after, sent}] */
    json_t *plain;                     /* writes that stand and have no undo: [{path, title, action}] */
    json_t *intents;                   /* path → the step.intended event, until its end */
    json_t *counted;                   /* paths of steps under way whose write is in `writes` already */
    json_t *undone, *kept;             /* paths: taken back; left as they are, because a person said so */
    json_t *answered;                  /* numbers of the rows of the store that it has taken */
    const json_t *taking;              /* such a row, while it is taken */
    json_t *undo_only;                 /* paths that are taken back, where it is not all; NULL: all */
    json_t *gates;                     /* guard/approval.h; from events only */
    struct ft_list in_gated;
    struct ft_list notices;            /* notice.c: under way */
    bool end_untold;                   /* it is over, and waits for its notices */
    bool end_told;                     /* `ended` was called: once */
    json_t *break_glass;               /* {by, reason}: asked for with the run; NULL */
    json_t *lock_keys;
    bool released;                     /* it was approved: secrets with `release: approved` are read */
    struct undo_run *undoing;

    char *sources;                     /* digest of the stored sources */
    json_t *plan;                      /* that it applies; NULL: none */
    json_t *wrote;                     /* paths of the writes that stand, each with its place in their order; also of those that had nothing to do */
    unsigned wrote_count;
    bool accept_undetermined, keep_plan;
    uint64_t plan_valid_ms;
    json_t *asked;                     /* path of a gate → its newest gate.opened */
    json_t *approved;                  /* [{path, digest, approval}]: what gates said yes to, in that order; see apply.c */
    json_t *plans;                     /* digest → plan, once it was needed */
    bool off_plan;                     /* a write was not what was planned: nothing new starts, the run fails and takes back what it did */

    bool cancel, cancel_now, cancel_rollback;
    char *cancel_who;
    char *change;                      /* its category as a change; NULL: none */
    uint64_t requested_ms;             /* when it was asked for: lead times count from it */
    uint64_t closes_ms;                /* the time that its writes were allowed in ends then; 0: it does not */
    char *closing;                     /* that time is up: why nothing new is started */
    struct ft_timer *margin;
    bool parked_told, idle_look, limit_hit;
    bool holding;                      /* the SSH sessions of its steps: from the first turn to the end, but not while parked */
    bool reviving;                     /* resumed, and its first turn has not come yet */
    unsigned deferred_starts;          /* lists whose next step starts with the next turn of the loop */
    enum ft_run_end end;
    json_t *final;                     /* run.finished, while a rollback goes before it */
    struct dry *dry;
};

/* A list of steps under way: the playbook's own, an item of a for_each, a child of a parallel, a called playbook. */
struct list_run {
    struct ft_run *run;
    const struct ft_playbook *playbook;            /* whose outcomes its targets mean */
    const struct ft_list_of_steps *list;
    struct step_run *owner;                        /* NULL: the run's own */
    char *prefix;                                  /* of its steps' paths: "", "aps[3]/" */
    json_t *env;                                   /* names; owns one reference */
    size_t index;                                  /* step under way or to start next */
    struct step_run *current;
    bool single;                                   /* only the step `index` (parallel's child) */
    bool start_deferred;
    size_t number;                                 /* among the owner's children */
    /* How it ended. */
    bool over, failed;
    const struct ft_outcome *outcome;
    enum ft_class class;
    char *error;
    struct ft_list in_owner;
};

enum step_state { STEP_NEW, STEP_CALLING, STEP_INTENDING, STEP_VERIFYING, STEP_PROBING, STEP_DOUBT, STEP_CONFIRMING, STEP_WAITING, STEP_PAUSED, STEP_CHILDREN, STEP_WRITING, STEP_UNDOING, STEP_STOPPED };

struct step_run {
    struct ft_run *run;
    struct list_run *list;
    const struct ft_step *step;
    char *path, *title;                /* title: with the item, in a for_each: "Restart · AP-3F-12" */
    enum step_state state;
    struct ft_list in_run;
    uint64_t start_us;
    unsigned attempt;
    unsigned resent;                   /* times that the probe said of this attempt "it did not happen", and it was sent again */
    json_t *past;                      /* of a resume: {event type: event}; NULL: nothing happened yet */
    json_t *params;                    /* of the call */
    json_t *plan, *undo_params;        /* of a write */
    json_t *asking;                    /* gate.c: {requirement, by, text} of a gate that is about to open */
    json_t *receipt;
    json_t *result;
    bool is_write, recovered;
    bool again;                        /* the intent to come is of a write that was sent before, and did not happen */
    bool veiled;                       /* its parameters come from the journal, without the secret that stood in them */
    bool nothing;                      /* its plan says that there is nothing to do: it is not sent */
    json_t *off_plan;                  /* why it may not be sent; goes into step.failed */
    struct dry *ahead;                 /* the plan of what is ahead of it, under way (dry_ahead) */
    struct ft_call *call;
    uint64_t lock_until_ms;            /* while it waits for a lock: until when; 0: it does not */
    char *lock_holder;                 /* the run that has it */
    struct ft_timer *timer;            /* retry, wait, next look of a verification, expiry of a gate */
    uint64_t verify_until_us;
    bool for_doubt;                    /* the verification under way answers a doubt */
    uint64_t pending_until_ms;         /* wall clock: then at the earliest the device takes the write back, unless it is confirmed; 0: it does not wait */
    bool confirm_told;                 /* the confirmation may be on its way: only a look can tell */
    unsigned late_tries;               /* looks behind that time that gave no answer */
    json_t *after;                     /* the state that the write left behind, as its plan says it; NULL: not known */
    char *after_why;                   /* why not */
    void (*undo_waits)(struct step_run *step, bool undone);          /* another write is being taken back: this one comes next */
    void (*after_then)(struct step_run *step);
    char *last_look;                   /* what a verification saw last */
    enum ft_class fail_class;          /* while the failed write is taken back */
    char *fail_text;
    struct ft_list children;           /* list_run.in_owner */
    json_t *items, *item_results;      /* for_each */
    size_t next_item, batch_from, batch_end, batch, batches, running, failures, batch_failures;
    bool draining;                     /* resumed: nothing new starts before what was under way is over */
};

/* journal.c */
uint64_t run_now_ms(const struct ft_run *run);
uint64_t run_now_us(const struct ft_run *run);
/* How long to sleep towards that time of the wall clock: looked at every minute, for the clock may be set, and a machine that sleeps counts no time. */
uint64_t run_sleep_ms(const struct ft_run *run, uint64_t wall_ms);
json_t *ev(const char *type, const char *path);    /* path may be NULL */
void run_note(struct ft_run *run, json_t *event);  /* state that follows from events, live and past alike */
bool run_has_counted(const struct ft_run *run, const char *path);      /* the write of the step under way there is one of run->writes */
void run_ride(struct ft_run *run, json_t *event);  /* journal it; nobody waits */
int run_journal(struct ft_run *run, json_t *event, enum ft_durability durability, void (*written)(void *arg, int code, const struct ft_err *err), void *arg,
                struct ft_err *reterr);
bool run_veils(const struct ft_run *run, const json_t *value);      /* there is a secret in it, which the journal leaves out; value may be NULL */
void run_history(struct ft_run *run, const json_t *events);
json_t *past_event(const struct step_run *step, const char *type);   /* borrowed */
void run_info(struct ft_run *run, const char *status, const char *outcome, const char *summary);

/* engine.c */
struct ft_run *run_new(struct ft_engine *engine, const struct ft_playbook *playbook, const struct ft_run_observer *observer, void *arg);
json_t *run_root_env(const struct ft_run *run, const json_t *event); /* the names of its own steps; new reference */
void run_set_limit(struct ft_run *run);                              /* the clock of its running time goes on */
int run_lock_again(struct ft_run *run, struct ft_err *reterr);       /* the locks that its events say it has; its own are no hindrance */
void run_hold_sessions(struct ft_run *run, bool hold);
/* resume.c */
void resume_forget(struct ft_run *run);
int run_from_events(struct ft_engine *engine, const char *id, const json_t *events, const struct ft_run_observer *observer, void *arg, struct ft_run **ret, struct ft_err *reterr);
/* end.c */
void run_end_with(struct ft_run *run, enum ft_run_end end);          /* nothing more happens in it; run_tell_end comes later */
void run_tell_end(void *run);
void end_forget(struct ft_run *run);
void run_outcome(struct ft_run *run, const struct ft_outcome *outcome, const json_t *env);
void run_failed(struct ft_run *run, enum ft_class class, const char *text);
void run_broken(struct ft_run *run, const struct ft_err *err);       /* the journal cannot be written: stop here */
void run_finish(struct ft_run *run);
/* idle.c */
void idle_forget(struct ft_run *run);
void run_goes_on(struct ft_run *run);                                /* a question was answered, or its time is over */
void run_check_idle(struct ft_run *run);                             /* something ended: is the run parked, or over? */
bool run_ends(const struct ft_run *run);                             /* nothing is begun any more: not a step, not a wait, not a write that has not gone out */

/* list.c */
struct list_run *list_new(struct ft_run *run, const struct ft_playbook *playbook, const struct ft_list_of_steps *list, struct step_run *owner, char *prefix, json_t *env);
void list_free(struct list_run *list);
void list_start(struct list_run *list);
void list_go(struct list_run *list, const struct ft_target *to);
void list_step_failed(struct list_run *list, struct step_run *step, enum ft_class class, const char *text);

/* step.c */
void step_start(struct list_run *list, const struct ft_step *step);
void step_free(struct step_run *step);
void step_done(struct step_run *step, json_t *result);               /* takes result */
void step_fail(struct step_run *step, enum ft_class class, const char *text);
void step_stop_ops(struct step_run *step);                           /* drop its call and timer */
void step_pause(struct step_run *step, uint64_t ms, void (*over)(void *arg));        /* nobody can end it but time, and the end of the run */
void step_halt(struct step_run *step);                               /* it goes no further: the run is being ended */
int step_eval(struct step_run *step, const struct ft_chunk *chunk, const json_t *result, json_t **ret_value, json_t **ret_because, struct ft_err *reterr);
int step_fill(struct step_run *step, const struct ft_tmpl *tmpl, const json_t *result, json_t **ret, struct ft_err *reterr);
bool truthy(const json_t *value);
json_t *because(const char *expr, const json_t *value, json_t *reads);    /* takes reads */
enum ft_eval eval_with(const json_t *env, const json_t *result, const json_t *error, enum ft_eval (*eval)(const void *what, const json_t *env, struct ft_eval_result *ret, struct ft_err *reterr),
                       const void *what, struct ft_eval_result *ret, struct ft_err *reterr);
enum ft_eval eval_chunk(const void *chunk, const json_t *env, struct ft_eval_result *ret, struct ft_err *reterr);
enum ft_eval eval_tmpl(const void *tmpl, const json_t *env, struct ft_eval_result *ret, struct ft_err *reterr);

/* verbs.c, fan.c, write.c */
void verb_run(struct step_run *step);
void verb_set(struct step_run *step);
void verb_lua(struct step_run *step);
void verb_approve(struct step_run *step);
void verb_ask(struct step_run *step);
void verb_wait(struct step_run *step);
void verb_parallel(struct step_run *step);
void verb_for_each(struct step_run *step);
void verb_call(struct step_run *step);
void fan_child_over(struct step_run *owner, struct list_run *child);
void step_parks(void *arg, int code, const struct ft_err *err);        /* what it waits for is in the journal */
void verb_started(struct step_run *step);                             /* step.started of a verb without a call */
void for_each_next(struct step_run *step);              /* the batch is over, soaked and checked */
/* batch.c: what stands between two batches of a for_each */
void batch_over(struct step_run *step);                 /* soak, check, then for_each_next, or step_fail */
size_t batch_next_end(const struct ft_step *step, size_t total, size_t batch, size_t from);
void batch_plan(const struct ft_step *step, json_t *into);        /* "soak_ms", "check" {action, until}: what the plan says of the time between */
void write_begin(struct step_run *step);
void write_resume(struct step_run *step);
int step_answer(struct step_run *step, const json_t *answer, const char *who, const char *where, struct ft_err *reterr);
json_t *step_question(const struct step_run *step);                  /* NULL: it does not wait for anybody */
int write_answer_doubt(struct step_run *step, bool happened, const char *who, const char *where, struct ft_err *reterr);

/* before.c: the plan is known; may it be sent? */
enum check { CHECK_GO, CHECK_WAITS, CHECK_FAILED };      /* WAITS: write_look_again comes later. FAILED: step_fail was called */
void write_checks(struct step_run *step, bool again);    /* all of them, then write_intend */
void write_again(struct step_run *step);                 /* it was sent, and did not happen: look, check and send once more */
void write_look_again(struct step_run *step);            /* a wait is over: the world may have moved; plan again, check again */
void write_intend(struct step_run *step);                /* write.c */
uint64_t run_own_undo_ms(const struct step_run *step);   /* of the write itself */
uint64_t write_need_ms(const struct step_run *step);     /* the longest that it may take, with verification and the undo of all */
uint64_t write_step_ms(const struct ft_step *step, const json_t *plan);      /* with verification and its own undo; plan may be NULL */
bool write_is_nothing(const json_t *plan);               /* the state wanted is there, and what the action would give is known */
int write_undo(struct step_run *step, json_t *entry, struct ft_err *reterr);      /* sets entry's "undo": as it would be journalled now */
unsigned fan_failures_allowed(const struct ft_step *step, size_t total);
size_t fan_batch_size(const struct ft_step *step, size_t batch, size_t total);    /* fan.c: of its nth batch; the last one may be shorter */
enum check lock_check(struct step_run *step);            /* locks.c: a target that no lock covers gets one */
int lock_held_by(const char *holder, struct ft_err *reterr);             /* -EBUSY: what the store said, and what to do about it */
void lock_note(struct ft_run *run, const json_t *keys);  /* from now on the run holds these, too */
bool apply_holds(struct step_run *step, const char *path, const char *digest);       /* that gate's approval binds this write, which is as it was planned */
enum check apply_check(struct step_run *step);           /* apply.c: is it what was planned, on the state that was planned? */
void apply_note(struct ft_run *run, const json_t *event);/* what binds the run, from its events */
enum check policy_check(struct step_run *step);          /* policy.c: what guard says */
int policy_reads(const struct ft_run *run, struct ft_err *reterr);       /* -EPERM: a rule forbids what the playbook says that it only reads */
enum check gate_for_write(struct step_run *step, json_t *approval);      /* gate.c: people must approve first; takes approval */
enum check gate_check(struct step_run *step);            /* gate.c: do its people still decide? */
enum check gate_for_policy(struct step_run *step, const struct ft_write_facts *facts, const struct ft_guard_answer *answer);      /* guard says APPROVE */

/* confirm.c */
int confirm_check(const struct ft_step *def, const json_t *plan, struct ft_err *reterr);    /* is there time for the step's verify? */
void confirm_pends(struct step_run *step, uint64_t ms);              /* the device takes it back after that; 0: it does not */
void confirm_reckon(struct step_run *step, const json_t *intent);    /* the same, where only the plan says so */
void confirm_forget(struct step_run *step);                          /* it is sent anew */
void confirm_note(const struct step_run *step, json_t *event);
void confirm_recall(struct step_run *step, const json_t *event);
uint64_t confirm_window_ms(const json_t *plan);         /* the device takes it back by itself after that; 0: it does not */
uint64_t confirm_left_ms(const struct step_run *step);               /* until it is too late to confirm; UINT64_MAX: nothing pends */
void confirm_start(struct step_run *step);                           /* it is proven: confirm what pends, then write_settled */
void confirm_or_verify(struct step_run *step);
void confirm_lapsed(struct step_run *step);                          /* the device took it back: the step fails */
void confirm_let_lapse(struct step_run *step);                       /* nothing takes it back but the device: wait for that, then fail */
bool confirm_resume(struct step_run *step);
/* write.c, verify.c and doubt.c, for it and for each other */
int write_call(struct step_run *step, enum ft_entry_kind entry, const struct ft_call_handler *handler, struct ft_err *reterr);      /* of the step's action, with its parameters */
bool write_has(const struct step_run *step, enum ft_entry_kind entry);
void write_doubt(struct step_run *step, const char *why);
void verify_start(struct step_run *step, bool for_doubt);
void verify_saw(struct step_run *step, char *text);                  /* takes text */
void verify_resume_unproven(struct step_run *step);
void write_settled(struct step_run *step);
void write_unproven(struct step_run *step);
void write_verify(struct step_run *step);                            /* or straight to the confirmation, where the step has no verify */
void write_verify_for_doubt(struct step_run *step);
void write_doubt_person(struct step_run *step);
void write_left_in_doubt(struct step_run *step);                     /* cancelled: the next resume finds out */

/* after.c */
const json_t *plan_state(const json_t *plan);                        /* the state that a plan's write rests on, where it can be compared; NULL: not */
bool after_wanted(const struct step_run *step);
void after_look(struct step_run *step, void (*then)(struct step_run *step));
void after_note(const struct step_run *step, json_t *event);
void after_forget(struct step_run *step);                            /* the write is sent anew */

/* undo_check.c */
enum undo_state { UNDO_UNKNOWN, UNDO_AS_WRITTEN, UNDO_BACK, UNDO_MOVED };
/* What `now` means for this write: as fettle left it, as it was before it, or something else. now NULL: not known. */
enum undo_state undo_compare(const json_t *item, const json_t *now);
/* [{path, was, wrote, now}]: where the state is neither what it was nor what fettle wrote, or would be put back over somebody. New reference. */
json_t *undo_differences(const json_t *before, const json_t *after, const json_t *now);

/* undo_one.c */
void undo_begin(struct ft_run *run, json_t *item, struct step_run *step, void (*over)(struct step_run *step, bool undone));
void undo_cancel(struct ft_run *run);                                /* drop it where it is */
void undo_stop(struct ft_run *run, const char *who);                 /* no more tries: an incident */
bool undo_is_stuck(const struct ft_run *run);
json_t *undo_question(const struct ft_run *run);
int undo_answer(struct ft_run *run, const json_t *answer, const char *who, const char *where, struct ft_err *reterr);

/* question.c */
int question_fits(const json_t *question, const json_t *answer, struct ft_err *reterr);
void question_answered(struct ft_run *run, const char *path, json_t *more, const char *who, const char *where);     /* of an undo; takes more */
void question_sign(const struct ft_run *run, json_t *event, const char *where);      /* where, and of an answer from elsewhere its reason and number */
bool questions_take(struct ft_run *run);                             /* answers from elsewhere; whether one of them moved something */
/* Before anything is done about an undo that was stuck: what was said of it meanwhile. */
void questions_take_for_undo(struct ft_run *run, const char *path, int (*tell)(struct ft_run *run, const json_t *given, struct ft_err *reterr));

/* gate.c */
bool gate_waits(const struct step_run *step);
json_t *gate_question(const struct step_run *step);                  /* NULL: it waits for no approval */
int gate_answer(struct step_run *step, const json_t *answer, const char *who, const char *where, struct ft_err *reterr);
void gate_take_row(struct ft_run *run, const json_t *row);           /* an answer out of the store */
void gates_decide(struct ft_run *run);
json_t *gate_approvals(struct step_run *step);                       /* of this write as it is now: as ft_write_facts.approvals; new reference */
const json_t *gate_broken(struct step_run *step);                    /* {"by","reason"}; borrowed; NULL */

/* notice.c */
/* what: opened, reminded, escalated, broken; n: the how many-th, 0: the only one. to: names; taken. event: whose by and reason are told; may be NULL. */
void notice_send(struct ft_run *run, const json_t *gate, const char *what, int n, json_t *to, const json_t *event);
bool notices_under_way(const struct ft_run *run);
void notices_maybe_last(struct ft_run *run);                         /* end.c: a run that is over waits for its notices before it says so */
void notices_drop(struct ft_run *run);

/* people.c */
struct ft_people people_now(struct ft_engine *engine);               /* borrowed from the engine until the next call */
void people_ask(struct ft_run *run);                                 /* its answers are fetched from now on */
void people_look(struct ft_run *run);                                /* now */
void people_read(struct ft_engine *engine);                          /* the configuration, when its files have changed: people, roles, rails */
void people_fetch(struct ft_run *run);                               /* now, and nothing is decided yet */
void policy_revoked(struct ft_run *run);                             /* policy.c: who approved took it back: what waits for its time ends */
void people_leave(struct ft_run *run);
void people_free(struct ft_engine *engine);
/* margin.c: the end of the time that a run's writes were allowed in */
uint64_t run_undo_ms(const struct ft_run *run);          /* the longest that taking back what was done may take */
void margin_set(struct ft_run *run, uint64_t more_ms);   /* more_ms: of a write that is about to start */
void margin_stop(struct ft_run *run);
uint64_t run_margin_ms(const struct ft_run *run);            /* when it is taken back, if it is not over; 0: never */
bool verify_cut(struct step_run *step);                  /* verify.c: whether it was verifying: then it is no more, and is taken back */

/* reopen.c */
const json_t *run_over_event(const json_t *events);                  /* the run.finished of a run that is over; NULL: it is not */
int undo_check_dry(const json_t *events, const char *id, struct ft_err *reterr);       /* a dry run changed nothing */
int undo_check_over(const json_t *events, const char *id, struct ft_err *reterr);
int undo_choose(struct ft_run *run, const struct ft_undo_opts *opts, struct ft_err *reterr);
void reopen_forget(struct ft_run *run);

/* undo.c */
bool undo_is_wanted(const struct ft_run *run, const json_t *item);
void rollback_start(struct ft_run *run, const char *why);
void rollback_go_on(struct ft_run *run);
int undo_one_for(struct step_run *step, void (*over)(struct step_run *step, bool undone));   /* take back just this write; -ENOENT: nothing to take back */
void undo_next_waiting(struct ft_run *run);

/* dry.c: the plan (plan.h) of the whole playbook, journalled as run.planned */
void dry_start(struct ft_run *run);
/* Of what is ahead of a step of a live run, this step included, as if it were approved. planned comes from the loop, and takes the plan; put the
 * answer into step->ahead, which dies with the step, and set it NULL with dry_free in planned. The step's state must be a busy one meanwhile. */
struct dry *dry_ahead(struct step_run *step, void (*planned)(struct step_run *step, json_t *plan));
struct dry *dry_free(struct dry *dry);

/* plan.c */
bool plan_leaves(const json_t *write, const char *key);      /* dry_left.c */
json_t *plan_clean(const struct ft_run *run, const json_t *value);       /* without secrets, and without the id and the time of this run; new reference */
void plan_seal(json_t *plan);                                            /* digests it */
void plan_keep(struct ft_run *run, const json_t *plan);                  /* in the store, riding; a gate keeps what it asks about */
/* Of the store or of run->plans; borrowed. Negative with a sentence. */
int plan_get(struct ft_run *run, const char *digest, const json_t **ret, struct ft_err *reterr);
struct ft_playbook *run_stored_playbook(const char *sources, struct ft_store *store, const struct ft_playbook_world *world, struct ft_err *reterr);   /* resume.c */
