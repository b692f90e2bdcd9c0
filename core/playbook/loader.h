/* loader.h: what the files of the loader share. A playbook is read in three passes, and every mistake of all three is said:
 *
 *   1. structure   load.c, params.c, steps.c, calls.c: keys and values; every name is declared (names.c)
 *   2. flow        flow.c: targets, ends, what can be reached, which steps may have run before which
 *   3. meaning     compile.c: every ${…} and condition, with the names and types known at its place (scope.c, types.c, tmpl.c)
 *
 * Steps have a number, in the order written, inner steps too; sets of steps are bit sets over it.
 */
#pragma once
#include "base/arena.h"
#include "base/util.h"
#include "playbook/playbook.h"
#include "playbook/reader.h"

enum { FT_MAX_STEPS = 2000, FT_MAX_NESTING = 8, FT_MAX_CALL_DEPTH = 8, FT_SUGGEST_UNTIL = 200 };

struct ft_playbook {
    unsigned refs;
    struct ft_arena *mem;                 /* owns: all below that has no owner of its own */
    struct ft_doc *doc;                   /* owns: the text, and all strings that come from it */
    json_t *owned;                        /* list: JSON values that die with the playbook */
    struct ft_chunk **chunks;             /* owns */
    size_t chunk_count, chunk_room;
    const char *name, *title, *about, *severity, *category, *change, *path;
    char digest[65];
    struct ft_list_of_steps steps;
    struct ft_outcome *outcomes; size_t outcome_count;
    struct ft_param *params; size_t param_count;
    json_t *vars;                         /* in owned */
    const struct ft_tmpl *locks;
    uint64_t runtime_ms;
    unsigned max_writes;
    struct callee { const char *name; struct ft_playbook *playbook; } *callees;   /* one reference each */
    size_t callee_count;
};

/* What one load and the loads of all that it calls share: load.c. */
struct session {
    const struct ft_playbook_world *world;
    struct ft_diags *diags;
    const json_t *stored;                 /* {"files", "calls"} of ft_playbook_from_sources, or NULL */
    json_t *loaded;                       /* path → index in playbooks, or null while it is being loaded or when it failed */
    struct ft_playbook **playbooks;
    size_t count;
    unsigned depth;
    json_t *schemas;                      /* action's name → index in compiled */
    struct ft_schema **compiled;          /* of their parameters */
    size_t compiled_count;
};

enum name_kind { NAME_PARAM, NAME_VAR, NAME_STEP, NAME_SET, NAME_AS };

struct name {
    enum name_kind kind;
    const char *text;
    struct ft_mark mark;                  /* where it is declared first */
    struct ft_name_type type;             /* PARAM, VAR */
    struct step_info *step;               /* STEP */
    struct setter { struct step_info *step; struct ft_name_type type; struct setter *next; } *setters;   /* SET: the steps that set it; AS: the for_eachs */
};

/* A list of steps while it is being loaded. */
struct list_info {
    struct step_info *owner;              /* for_each or parallel; NULL: the playbook's own */
    bool parallel;
    bool incomplete;                      /* something in it was no step: said */
    struct step_info **steps;
    size_t count;
};

struct step_info {
    struct ft_step *step;
    const struct ft_node *node;           /* its map */
    struct list_info *list;
    struct list_info *inner;              /* of a for_each or parallel */
    size_t index, number;
    const char *id_text;                  /* the id when it has a good one of its own, or its name in a parallel */
    struct ft_mark mark;                  /* of the id, or of the step */
    bool broken;                          /* no verb: said */
    bool has_result;
    struct ft_name_type result;
    uint64_t *before;                     /* steps that may have run, with a result, when it starts */
    uint64_t *tried;                      /* and with those that failed or were skipped */
    bool reached, after_error;            /* after_error: an `error` may have been set */
};

struct outcome_info {
    const struct ft_node *node;
    uint64_t *before, *tried;             /* steps that may have run when the playbook ends so */
    bool used, after_error;
};

struct loader {
    struct reader rd;
    struct session *session;
    const struct ft_playbook_world *world;
    struct ft_playbook *pb;
    struct ft_arena *mem;                 /* pb's */
    json_t *names;                        /* name → index in name_list */
    json_t *simple;                       /* expression that is just such a name → index in the playbook's chunks */
    struct name **name_list;
    size_t name_count, name_room;
    json_t *ids;                          /* step id → number, also of ids that cannot be names */
    json_t *children;                     /* name in a parallel → number of the step */
    struct list_info *main;
    struct step_info **steps;             /* by number */
    size_t step_count, step_room;
    bool too_many;
    const char **visible;                 /* pb_scope_all's; the loader's own */
    json_t *outcomes;                     /* name → index */
    bool outcomes_known;                  /* false: `outcomes` itself is broken, so say nothing about unknown targets */
    struct outcome_info *ends;            /* by index of the outcome */
    bool ends_missing;                    /* a way leads to no outcome: those that nothing leads to are not said */
    bool flow_broken;                     /* a step or a target is not known: what cannot be reached is not said */
};

/* load.c */
json_t *pb_own(struct loader *ld, json_t *value);                  /* takes the reference; dies with the playbook */
struct ft_chunk *pb_own_chunk(struct loader *ld, struct ft_chunk *chunk);
const struct ft_playbook *pb_callee(struct loader *ld, const struct ft_node *node, const char *name);
const struct ft_schema *pb_params_schema(struct loader *ld, const struct ft_action_info *info);

/* params.c: parameters and the fields of an `ask` */
json_t *pb_specs(struct loader *ld, const struct ft_node *node, const char *what, bool fields);   /* {name: spec}, mistakes said; owned by the playbook */
void pb_read_params(struct loader *ld, const struct ft_node *node);
void pb_read_vars(struct loader *ld, const struct ft_node *node);
json_t *pb_schema_of(const json_t *value);                         /* JSON Schema of a constant: what it is, and which members it has; new reference */
json_t *pb_spec_schema(const json_t *spec);                        /* JSON Schema of a value of it as Lua sees it; new reference */
bool pb_param_type(const char *name, enum ft_param_type *ret);
extern const char *const pb_param_types[];

/* bind.c: one value. -EINVAL with a sentence without the name. */
int pb_bind_value(const json_t *spec, const json_t *given, json_t **ret, struct ft_err *reterr);

/* names.c */
struct name *pb_name_find(const struct loader *ld, const char *text);
struct name *pb_name_add(struct loader *ld, enum name_kind kind, const char *text, struct ft_mark mark);   /* NULL: it cannot be; said */

void pb_name_set_by(struct loader *ld, struct name *name, struct step_info *step);
void pb_name_type(struct name *name, const struct step_info *step, struct ft_name_type type);      /* what that step sets it to */
bool pb_is_inside(const struct step_info *inner, const struct step_info *owner);      /* in the for_each or parallel, at any depth */

/* steps.c */
bool pb_has(const struct step_info *info, const char *key);        /* whether it has it, or one that was meant to be it */
bool pb_takes(const struct step_info *info, const char *key);      /* whether its verb may have the key */
void pb_read_steps(struct loader *ld, const struct ft_node *node);
const struct ft_node *pb_verb_node(const struct step_info *info);
struct ft_mark pb_value_mark(const struct ft_node *map, const char *key);

/* calls.c: `run` with `with`, in a step, a verify or an undo */
extern const struct rd_key pb_run_keys[], pb_verify_keys[], pb_undo_keys[];
struct ft_verify *pb_read_check(struct loader *ld, const struct ft_node *node, const char *what);      /* `verify`, `check`: an action that only looks */
bool pb_read_call(struct loader *ld, const struct ft_node *map, struct ft_call_spec *ret);   /* true: the action was found */
void pb_read_write(struct loader *ld, struct step_info *info);     /* verify and undo of a step that runs an action */

/* flow.c */
void pb_read_outcomes(struct loader *ld, const struct ft_node *node);
void pb_flow(struct loader *ld);
static inline bool pb_bit(const uint64_t *set, size_t n) { return set && (set[n / 64] >> (n % 64) & 1); }

/* scope.c: the names at one place */
struct scope {
    struct loader *ld;
    const struct step_info *at;           /* NULL: outside of all steps */
    const uint64_t *before, *tried;       /* steps that may have run; NULL: none */
    bool quiet;                           /* nobody will read why a name is not there */
    bool all_before;                      /* do not ask: every step may have run (the flow is broken) */
    bool after_error;
    bool has_result, has_error, has_batch;
    bool after;                           /* in a branch: what the step itself set is known */
    bool alone, reads;                    /* alone: the expression to be compiled is one name of a secret; reads: the one under way computes with names */
    bool passes_on;                       /* `with`: a secret may stand alone here */
    bool only_event;                      /* a trigger, before there are parameters */
    struct ft_name_type result, batch;    /* batch: in the check between batches */
    const char *no_result;                /* why `result` is not there; NULL: a general sentence */
};
struct scope pb_scope_of(struct loader *ld, const struct step_info *at);
struct scope pb_scope_with_result(struct loader *ld, const struct step_info *at);
bool pb_scope_lookup(void *arg, const char *name, struct ft_name_type *ret, const char **ret_why);
const char *const *pb_scope_all(void *arg);
/* The type of `name` or `name.field…`; false when the text is anything else or the type is not known. */
bool pb_scope_path_type(struct scope *scope, const char *expr, size_t len, struct ft_name_type *ret);

/* tmpl.c */
const struct ft_tmpl *pb_tmpl(struct scope *scope, const struct ft_node *node);                 /* NULL: node was NULL. Mistakes are said */
const struct ft_tmpl *pb_tmpl_empty(struct loader *ld);                                         /* {} */
const struct ft_chunk *pb_condition(struct scope *scope, const struct ft_node *node, const char *what);
const struct ft_chunk *pb_block(struct scope *scope, const struct ft_node *node, const char *what);      /* `lua: |` */
bool pb_has_expression(const char *text);
json_t *pb_tmpl_sketch(const struct ft_tmpl *tmpl);       /* the value with ft_unknown() for every expression; new reference */
bool pb_tmpl_is_constant(const struct ft_tmpl *tmpl);
/* "${expr}" alone: the expression. NULL otherwise. */
const char *pb_tmpl_expression(const struct ft_tmpl *tmpl);
/* JSON Schema of what it gives, as far as that is known; new reference. */
json_t *pb_tmpl_schema(struct scope *scope, const struct ft_tmpl *tmpl);
bool pb_tmpl_is_text(const struct ft_tmpl *tmpl);         /* a text with ${…} in it: always a string */
const struct ft_tmpl *pb_tmpl_part(const struct ft_tmpl *tmpl, size_t i);       /* member or item; NULL when it is neither list nor object */

/* types.c: values against JSON Schemas and against the parameters of a called playbook */
/* node NULL: nothing was written; where: for what is missing. */
void pb_check_value(struct scope *scope, const struct ft_node *node, const struct ft_tmpl *tmpl, const json_t *root, const struct ft_schema *schema,
                    const char *what, struct ft_mark where);
/* Fields that a result cannot have: its schema is closed for names where it lists any. */
void pb_check_names(const struct scope *scope, const struct ft_node *node, const json_t *root, const json_t *schema, const char *what);
void pb_check_arguments(struct scope *scope, const struct ft_node *with, const struct ft_tmpl *tmpl, const struct ft_playbook *pb, const char *what,
                        struct ft_mark where);
json_t *pb_schema_inside(const struct ft_name_type *type);         /* to be a part of another schema; new reference, {} when it cannot be one */
bool pb_may_be_list(const json_t *schema);

/* compile.c */
void pb_compile(struct loader *ld, const struct ft_node *root);

/* triggers.c */
void pb_check_triggers(struct loader *ld, const struct ft_node *triggers, const struct ft_node *storm);
