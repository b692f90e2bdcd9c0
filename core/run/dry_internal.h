/* dry_internal.h: what the files of the dry run share.
 *
 *   dry.c        where it starts and ends, one turn after the other      dry_state.c  names and values on the ways
 *   dry_step.c   one step: its verb, its branches, its failing           dry_call.c   reads, and the plans of writes
 *   dry_fan.c    parallel, for_each, call                                 dry_left.c   the state that the writes on a way leave behind
 *   plan.c, plan_needs.c   the plan that comes of it
 *
 * Steps lead forward only, so one pass over the steps in order sees every way: each step has the states (names and their values) in which
 * it can be reached. Reads are really called, once for the same question. Writes are asked for their plan; their result is unknown. Where a
 * condition reads the unknown, both ways go on, and a third one for its failing. Behind a write nothing is read any more: the network will have
 * changed by then. The same state reached twice is explored once; more than MAX_STATES at a step are joined into one, in which whatever differs
 * is unknown: so the work is bounded, and the way that the real run takes is always in the plan, unless the plan says that it was cut. */
#pragma once
#include "run/internal.h"
#include "run/plan.h"

enum { MAX_STATES = 8, MAX_NODES = 5000, MAX_ITEMS = 500 };

struct dry_state {
    struct dry_state *next;
    json_t *env;
    json_t *left;                      /* dry_left.c; NULL: nothing */
    char digest[65];
    bool certain;
    bool changed;                      /* a write stands before it: what is read from here on is not what is read now */
};

struct dry_list {
    struct dry *dry;
    struct dry_list *parent;
    const struct ft_playbook *playbook;
    const struct ft_list_of_steps *list;
    char *prefix;
    bool single;
    struct dry_state **in;             /* by index of the step */
    json_t *nodes;                     /* owns */
    json_t *outcomes;                  /* name → "certain" or "possible" */
    json_t *end;                       /* joined names at its end; NULL: the end is never reached */
    json_t *end_left;                  /* and what its writes left there */
    json_t *left_keys;                 /* all that its writes leave, on whatever way; NULL: nothing */
    bool wrote, may_fail;
    void (*over)(struct dry_list *parent, struct dry_list *child);
    size_t number;                     /* among the parent's children */

    /* The step under exploration. */
    const struct ft_step *step;
    json_t *env, *left, *node, *params, *result;
    bool certain, changed, failing;    /* failing: its possible failure is noted already */
    bool quiet;                        /* a way that is there already: not shown once more */
    json_t *child_results;
    json_t *child_keys;                /* all that the children's writes leave */
    json_t *beside;                    /* what children that ran side by side left */
    json_t *items;
    size_t next_child;
    bool child_may_fail;
    unsigned child_fails;              /* how many surely fail */
};

struct dry {
    struct ft_run *run;
    struct step_run *ahead_of;         /* explored from this step on, in its run; NULL: the whole playbook */
    struct list_run *level;            /* the run's list that is explored now, where ahead_of climbs out of inner ones */
    void (*planned)(struct step_run *step, json_t *plan);
    struct dry_list *top;
    struct ft_call *call;
    char *call_key;
    json_t *cache;                     /* action + params → {result} or {class, error} */
    json_t *nodes;                     /* of the lists that are over, when it climbs out of them */
    json_t *outcomes;
    json_t *touched;                   /* targets of the writes so far → the plugin of them all, where each said what it leaves; else true */
    json_t *writes;
    bool touched_any;                  /* a write named no target: it may have touched any */
    const char *told_by;               /* the plugin whose writes they all are, and say what they leave; NULL: there are others */
    bool may_fail, cut;
    unsigned count;                    /* nodes */
    void (*then)(struct dry_list *list, json_t *answer);
};

/* dry.c */
void dry_soon(struct dry *dry);
void dry_list_close(struct dry_list *l);
struct dry_list *dry_list_open(struct dry *dry, struct dry_list *parent, const struct ft_playbook *playbook, const struct ft_list_of_steps *list, char *prefix,
                               json_t *env, json_t *left, bool certain, bool changed, size_t index, bool single);

/* dry_left.c */
json_t *dry_left_blur(const json_t *left, const json_t *keys);     /* left may be NULL; new reference */
json_t *dry_left_join(const json_t *a, const json_t *b);           /* each may be NULL; new reference */
void dry_left_write(struct dry_list *l, const json_t *plan);
void dry_left_child(struct dry_list *l, const struct dry_list *child, bool beside, bool goes_on_failed);
void dry_left_children(struct dry_list *l);
json_t *dry_left_same(const json_t *answers, const json_t *left);  /* borrowed */
json_t *dry_left_rests(const json_t *asked, const char **ret_blur, bool *ret_any);
void dry_left_end(json_t *writes);                                 /* all are known */

/* dry_state.c */
json_t *dry_join(const json_t *a, const json_t *b);
void dry_arrive(struct dry_list *l, size_t index, json_t *env, json_t *left, bool certain, bool changed);
void dry_state_free(struct dry_state *s);

/* dry_step.c */
void dry_step(struct dry_list *l, size_t index, struct dry_state *state);
void dry_known(struct dry_list *l, json_t *result);                              /* takes result */
void dry_failed(struct dry_list *l, const char *class, const char *text);        /* it certainly fails */
void dry_fails_unknown(struct dry_list *l, const char *text);                    /* it certainly fails, and how is not known */
void dry_may_fail(struct dry_list *l);                                           /* besides going well */
void dry_may_fail_behind(struct dry_list *l);                                    /* the same once more, on what its write has left */
void dry_inside(struct dry_list *l, size_t index, struct dry_state *state, bool may_fail);      /* a step under way, whose inner steps are explored */
void dry_note(struct dry_list *l, const char *text);

/* dry_call.c */
void dry_run_verb(struct dry_list *l);
void dry_answer_later(void *arg);

/* dry_fan.c */
void dry_parallel(struct dry_list *l);
void dry_for_each(struct dry_list *l);
void dry_call_verb(struct dry_list *l);
bool dry_step_may_write(const struct ft_step *step);

/* plan_needs.c */
json_t *plan_needs(const struct ft_run *run, const json_t *writes);      /* [{kind: approval|waits|time|budget|refused|policy, text, paths}]; new reference */

/* plan.c */
json_t *dry_plan(struct dry *dry);                 /* of what was explored; new reference */
