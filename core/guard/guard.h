/* guard.h: the rails outside of playbooks: policies, approvals, change windows, budgets. `run` asks here right before each write, and again
 * after every wait; a playbook cannot loosen what is said here.
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
    struct ft_store *store;                /* NULL: only for questions that need no memory */
    const struct ft_clock *clock;          /* NULL: the system's */
};
/* NULL with a sentence: a rail that cannot be read must stop everything, never be ignored. */
struct ft_guard *ft_guard_new(const struct ft_guard_opts *opts, struct ft_err *reterr);
struct ft_guard *ft_guard_free(struct ft_guard *guard);

/* A write that is about to start. All is borrowed for the call; texts may be NULL where it is not known. */
struct ft_write_facts {
    const char *run_id, *path, *requester;
    const char *playbook, *category, *severity;      /* the playbook's name, incident|change|check, P1..P4 */
    const char *change;                              /* the change's category: emergency, standard, normal, routine */
    const char *action, *effect;                     /* mist.ap_restart; write|disruptive */
    const char *site;
    const json_t *targets;                           /* as run/targets.h: ["device/…", "site/…"] */
    const json_t *params, *plan;                     /* of the call; what it would send */
    uint64_t need_ms;                                /* the longest that it may take with its verification and the undo of all that was done */
    unsigned attempt, writes_done;
    const json_t *approvals;                         /* given to this run: [{"role","count","by":[names],"digest"}] */
    const json_t *break_glass;                       /* {"by","reason"}, or NULL */
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
    json_t *approval;              /* APPROVE: {"role","count","within_ms",…}; the caller's reference */
    json_t *rules;                 /* what applied: [{"policy","says"}]; the caller's reference; NULL: nothing */
    char text[512];                /* one sentence for people: what holds it, which policy says so, and what to do */
};
void ft_guard_answer_done(struct ft_guard_answer *answer);
/* Negative only when it cannot be known (the store cannot be read): the write must not start. */
int ft_guard_write(struct ft_guard *guard, const struct ft_write_facts *facts, struct ft_guard_answer *ret, struct ft_err *reterr);
