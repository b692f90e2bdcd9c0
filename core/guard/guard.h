/* guard.h: the rails outside of playbooks: policies, approvals, change windows, budgets. `run` asks here right before each write, and again
 * after every wait; a playbook cannot loosen what is said here. Rules only add up: each that speaks of a write is held, so the strictest wins.
 *
 * guard knows nothing of a run under way: it is given facts, and answers. What it must remember (budgets, answers of people) lies in the store. */
#pragma once
#include <fettle/err.h>
#include "base/clock.h"
#include "playbook/config.h"
#include "store/store.h"

struct ft_guard;

struct ft_guard_opts {
    const struct ft_config *config;        /* `policies`, `people`, `roles`, `windows` …; kept alive by the caller */
    struct ft_store *store;                /* NULL: budgets are kept in memory only */
    const struct ft_clock *clock;          /* NULL: the system's */
};
/* NULL with a sentence: a rail that cannot be read must stop everything, never be ignored. */
struct ft_guard *ft_guard_new(const struct ft_guard_opts *opts, struct ft_err *reterr);
struct ft_guard *ft_guard_free(struct ft_guard *guard);
/* The configuration was changed under a process that lives on: these are its rails from now on. NULL: it cannot be read any more, and until it can nothing
 * new starts. Kept alive by the caller. */
void ft_guard_use(struct ft_guard *guard, const struct ft_config *config);

/* A write that is about to start. All is borrowed for the call; texts may be NULL where it is not known. */
struct ft_write_facts {
    const char *run_id, *path, *requester;
    const char *playbook, *category, *severity;      /* the playbook's name, incident|change|check, P1..P4 */
    const char *change;                              /* the change's category: emergency, standard, normal, routine (ft_guard_change) */
    const char *action, *effect;                     /* mist.ap_restart; write|disruptive */
    const char *site;
    const json_t *targets;                           /* as run/targets.h: ["device/…", "site/…"] */
    const json_t *params, *plan;                     /* of the call; what it would send */
    uint64_t need_ms;                                /* the longest that it may take with its verification and the undo of all that was done */
    unsigned attempt, writes_done;
    const json_t *approvals;                         /* given to this run: [{"role","count","by":[names],"digest"}] */
    bool taking_back;                                /* an undo that a person asked for: only what is never touched holds it */
    const json_t *break_glass;                       /* {"by","reason"}, or NULL */
    const struct ft_write_facts *undo;               /* how it would be taken back, where that is another action: what is never done, and who approves, is asked of
                                                      * that, too, before the write; windows and budgets do not hold the way out. NULL: none, or its own */
    uint64_t requested_ms;                           /* when the change was asked for (the plan, or the run): lead times count from it */
};

enum ft_verdict {
    FT_GUARD_GO,
    FT_GUARD_APPROVE,      /* people must approve first: `approval` says who */
    FT_GUARD_WAIT,         /* not now: until_ms is when to ask again (a window opens, a budget has room) */
    FT_GUARD_STOP,         /* never in this run */
};

struct ft_guard_answer {
    enum ft_verdict verdict;
    enum ft_class class;           /* of the failure when it is STOP */
    uint64_t until_ms;             /* WAIT: ask again then, wall clock */
    uint64_t closes_ms;            /* GO in a window: when it closes; 0: no window holds it */
    /* APPROVE: {"all": [{"role","count","within_ms","remind_ms","escalate":[{"after_ms","role"}],"break_glass","policy"}]}: each must be met (ft_guard_unmet);
     * what is 0 is left out. One requirement a role: the strictest. The caller's reference. ft_guard_preview gives it whatever the verdict is. */
    json_t *approval;
    json_t *rules;                 /* what applied: [{"policy","says"}]; the same for the same facts at any time; the caller's reference; NULL: nothing */
    json_t *state;                 /* of ft_guard_preview, as of then: {"opens","closes","holder" (which rule, when it opens later),
                                    * "budgets":[{"policy","group","used","at_most","in_ms","room","runs","stops"}]}; the caller's reference */
    char text[512];                /* one sentence for people: what holds it, which policy says so, and what to do */
};
void ft_guard_answer_done(struct ft_guard_answer *answer);
/* Negative only when it cannot be known (the store cannot be read): the write must not start. GO has taken what it uses of budgets. */
int ft_guard_write(struct ft_guard *guard, const struct ft_write_facts *facts, struct ft_guard_answer *ret, struct ft_err *reterr);
/* An action that cannot know what it does, of which the playbook says that it reads: -EPERM where a rule names it and says never. */
int ft_guard_declared_read(struct ft_guard *guard, const struct ft_write_facts *facts, struct ft_err *reterr);
/* What it would say now, or at that time (0: now). Takes nothing of any budget. */
int ft_guard_preview(struct ft_guard *guard, const struct ft_write_facts *facts, uint64_t at_ms, struct ft_guard_answer *ret, struct ft_err *reterr);
/* Those of `approval`'s requirements that were not met yet; new reference. Each person counts once, at whatever gates they approved; the requester does not.
 * *ret_spent (may be NULL): who counts for those that are met: [{"by","role"}]; new reference. */
json_t *ft_guard_unmet(const json_t *all, const json_t *approvals, const char *requester, const json_t *break_glass, json_t **ret_spent);

/* ---- categories of changes. own: what the playbook says of itself; asked: what was asked for when the run was started; either may be NULL. *ret: which holds,
 * NULL: none; borrowed of the configuration or of own. -EINVAL with a sentence: there is no such category, or a run may not leave its playbook's for it. */
int ft_guard_change(const struct ft_guard *guard, const char *own, const char *asked, const char *playbook_category, const char **ret, struct ft_err *reterr);

/* ---- windows by name: `wait: {window: weekly}`. *ret_opens: now_ms when it is open. -ENOENT: there is no such window (with the nearest), or it never opens. */
int ft_guard_window(struct ft_guard *guard, const char *name, uint64_t now_ms, uint64_t *ret_opens, uint64_t *ret_closes, struct ft_err *reterr);
const char *ft_guard_nearest_window(const struct ft_guard *guard, const char *name);       /* NULL: none is near */

/* ---- for people */
/* "Sun 2026-11-29 02:00 CET", in the configuration's time zone. buf of at least 48 bytes. */
const struct ft_zone *ft_guard_zone(const struct ft_guard *guard);
const char *ft_guard_time(const struct ft_guard *guard, uint64_t wall_ms, char *buf, size_t len);
/* {"timezone", "windows": [{"name","about","opens","closes"}], "freezes": [{"name","about","from","to","sites","except"}], "changes": [{"name","risk","default"}],
 * "policies": [{"name","about","of","says"}]}: what was read, with the times next from now_ms on. New reference; NULL with an error. */
json_t *ft_guard_rules(struct ft_guard *guard, uint64_t now_ms, struct ft_err *reterr);
/* What will hold changes for ever, though it could be read: windows that never open again, roles that too few people have: sentences. New reference; NULL with an error. */
json_t *ft_guard_doubts(struct ft_guard *guard, uint64_t now_ms, struct ft_err *reterr);
