/* playbook.h: a playbook after checking: an immutable tree of steps with source marks, safe to share between runs.
 *
 * Words: a *step* has a verb; a *list* is steps run in order (the playbook's own, or the inner steps of a for_each); a *target* is where
 * a branch, `then` or `on_error` leads: a later step of the same list, an outcome (from the playbook's own list only), or `end` (the
 * end of this item, inside for_each; inside parallel only `on_error: end`). A step that is skipped leads to the next one, whatever it says.
 * Every text with ${…} is compiled into an ft_tmpl. All pointers below belong to the playbook.
 */
#pragma once
#include <jansson.h>
#include "data/diag.h"
#include "data/yaml.h"
#include "script/script.h"

struct ft_playbook;
struct ft_action_info;

/* ---- values with ${…} in them */
struct ft_tmpl;           /* a JSON value in which strings may hold expressions */
/* "${expr}" alone keeps the expression's type; within other text its value is written into the string. env as in script.h. Results as ft_chunk_eval;
 * reads are those of all expressions. FT_EVAL_UNKNOWN: some part is unknown; ret->value has ft_unknown() in just those places. */
enum ft_eval ft_tmpl_eval(const struct ft_tmpl *tmpl, const json_t *env, struct ft_eval_result *ret, struct ft_err *reterr);
const char *ft_tmpl_text(const struct ft_tmpl *tmpl);       /* as written; for strings */

/* ---- what the loader needs of the world: found actions and called playbooks */
struct ft_playbook_world {
    struct ft_script *script;
    /* plugin/registry.h: ft_registry_action; passed in, so that playbook/ does not depend on plugin/. */
    int (*action)(void *arg, const char *full, const struct ft_action_info **ret, struct ft_err *reterr);
    const json_t *(*params_schema)(const struct ft_action_info *info);     /* and what the loader wants to know of one */
    const json_t *(*result_schema)(const struct ft_action_info *info);
    unsigned (*effects)(const struct ft_action_info *info);
    bool (*has_undo)(const struct ft_action_info *info);
    const char *(*full_name)(const struct ft_action_info *info);
    const char *const *(*action_names)(void *arg, const char *plugin);      /* for suggestions; may be NULL */
    void *arg;
    /* Whether the configuration has this change window; *ret_near: the nearest name, or NULL. NULL: not asked (a run that is resumed finds out itself). */
    bool (*window)(void *arg, const char *name, const char **ret_near);
    void *window_arg;
    /* Reads a called playbook's source; NULL: from files beside the caller ("name" -> name.yaml, or a relative path). Resume reads stored sources. */
    int (*source)(void *arg, const char *from, const char *name, char **ret_path, char **ret_text, size_t *ret_len, struct ft_err *reterr);
    void *source_arg;
};

/* ---- the tree */
enum ft_verb { FT_VERB_RUN, FT_VERB_SET, FT_VERB_LUA, FT_VERB_APPROVE, FT_VERB_ASK, FT_VERB_WAIT, FT_VERB_PARALLEL, FT_VERB_FOR_EACH, FT_VERB_CALL };
const char *ft_verb_name(enum ft_verb verb);

enum ft_target_kind { FT_TO_NEXT, FT_TO_STEP, FT_TO_OUTCOME, FT_TO_END };
struct ft_target {
    enum ft_target_kind kind;
    size_t index;                 /* of the step in its list, or of the outcome */
    const char *name;             /* as written */
};

struct ft_branch {
    const struct ft_chunk *cond;  /* NULL: else */
    const char *text;             /* of the condition; "else" */
    struct ft_target to;
    struct ft_mark mark;
};

struct ft_call_spec {             /* `run:` with `with:`, in a step, a verify or an undo */
    const struct ft_action_info *action;
    const char *name;             /* mist.ap_restart */
    unsigned effects;             /* enum ft_effect of fettle/plugin.h, after the step's `effect: read` */
    const struct ft_tmpl *with;   /* object; never NULL */
};

struct ft_retry {
    unsigned times;               /* further tries after the first; 0: none */
    uint64_t every_ms;
    double backoff;               /* factor, >= 1 */
    const struct ft_chunk *cond;  /* `if`, sees `error`; NULL: always */
};

struct ft_verify {
    struct ft_call_spec call;
    const struct ft_chunk *until; /* sees the check's `result` */
    uint64_t every_ms, within_ms;
};

enum ft_undo_kind { FT_UNDO_NOT_A_WRITE, FT_UNDO_NONE, FT_UNDO_AUTO, FT_UNDO_CALL };

struct ft_set { const char *name; const struct ft_tmpl *value; };

struct ft_list_of_steps { struct ft_step *steps; size_t count; };

struct ft_batch { double value; bool percent; };       /* 1, 10% */

struct ft_step {
    const char *id;               /* never NULL: a step without `id` gets step_<n>; parallel's children have their own */
    const char *title;            /* never NULL: the id or the action when not given */
    bool has_id;
    enum ft_verb verb;
    struct ft_mark mark;
    const struct ft_chunk *when;
    uint64_t timeout_ms;          /* 0: the action's own */
    struct ft_retry retry;
    bool has_on_error; struct ft_target on_error;
    struct ft_target then;        /* FT_TO_NEXT when not given */
    struct ft_branch *branches; size_t branch_count;
    const struct ft_tmpl *say;    /* one line of what was seen; sees `result`; NULL: none */
    const struct ft_tmpl *assume; /* the result that a dry run expects; NULL: none */

    struct ft_call_spec call;                                   /* RUN */
    struct ft_verify *verify; enum ft_undo_kind undo; struct ft_call_spec undo_call;
    struct ft_set *sets; size_t set_count;                      /* SET */
    const struct ft_chunk *lua;                                 /* LUA */
    const struct ft_tmpl *text;                                 /* APPROVE, ASK */
    const char *by_role; unsigned by_count; uint64_t within_ms; /* APPROVE (within also: ASK, WAIT event) */
    json_t *fields;                                             /* ASK: {name: {type, help, one_of, default, …}} as params */
    const struct ft_tmpl *wait;                                 /* WAIT: a duration text or ms; NULL: for a window */
    const char *wait_window;                                    /* WAIT: until this change window is open; NULL: for a time */
    struct ft_list_of_steps inner;                              /* PARALLEL: one step per name; FOR_EACH: the steps */
    const struct ft_tmpl *list; const char *as;                 /* FOR_EACH */
    struct ft_batch *batches; size_t batch_count; unsigned at_once; struct ft_batch max_failures; bool has_max_failures;
    uint64_t soak_ms;                                           /* between two batches; 0: none */
    struct ft_verify *check;                                    /* after each batch; its texts see `batch`; NULL: none */
    const struct ft_playbook *callee; const struct ft_tmpl *call_with;   /* CALL */
};

enum ft_status { FT_STATUS_OK, FT_STATUS_ATTENTION, FT_STATUS_FAILED };
const char *ft_status_name(enum ft_status status);       /* as playbooks write it: "ok", "attention", "failed" */

struct ft_outcome {
    const char *name, *title;
    enum ft_status status;                 /* ok unless said */
    bool rollback;
    const struct ft_tmpl *diagnosis;       /* a sentence for people; NULL: the title */
    const struct ft_tmpl *evidence;        /* list of strings; NULL: none */
};

enum ft_param_type { FT_PARAM_STRING, FT_PARAM_INT, FT_PARAM_NUMBER, FT_PARAM_BOOL, FT_PARAM_DURATION, FT_PARAM_TIME, FT_PARAM_MAC, FT_PARAM_IP,
    FT_PARAM_CIDR, FT_PARAM_SITE, FT_PARAM_DEVICE, FT_PARAM_ENUM, FT_PARAM_LIST, FT_PARAM_SECRET };

struct ft_param {
    const char *name, *help;
    enum ft_param_type type;
    bool required;
    json_t *spec;                          /* as written: default, pattern, min, max, one_of, of */
    struct ft_mark mark;
};

const char *ft_playbook_name(const struct ft_playbook *playbook);
const char *ft_playbook_title(const struct ft_playbook *playbook);
const char *ft_playbook_about(const struct ft_playbook *playbook);       /* Markdown; "" */
const char *ft_playbook_severity(const struct ft_playbook *playbook);    /* "P3"; "" */
const char *ft_playbook_category(const struct ft_playbook *playbook);    /* incident, change, check */
const char *ft_playbook_change(const struct ft_playbook *playbook);      /* the category of the change: "normal"; NULL: not said */
const char *ft_playbook_path(const struct ft_playbook *playbook);        /* file name as given */
const char *ft_playbook_digest(const struct ft_playbook *playbook);      /* SHA-256 over its source and all sources it calls */
/* {"main": path, "files": {path: text}, "calls": {path: {name: path}}}: enough to load it again; new reference. */
json_t *ft_playbook_sources(const struct ft_playbook *playbook);
const struct ft_list_of_steps *ft_playbook_steps(const struct ft_playbook *playbook);
const struct ft_outcome *ft_playbook_outcomes(const struct ft_playbook *playbook, size_t *ret_count);
const struct ft_param *ft_playbook_params(const struct ft_playbook *playbook, size_t *ret_count);
const json_t *ft_playbook_vars(const struct ft_playbook *playbook);      /* {name: value}; borrowed */
const struct ft_tmpl *ft_playbook_locks(const struct ft_playbook *playbook);   /* a list of strings; NULL: none */
uint64_t ft_playbook_runtime_ms(const struct ft_playbook *playbook);     /* limits.runtime; default 1 h */
unsigned ft_playbook_max_writes(const struct ft_playbook *playbook);     /* limits.writes; default 20 */

/* Reads, checks and compiles a playbook and all that it calls. Every mistake goes to diags; NULL if there was any. One reference, the caller's. */
struct ft_playbook *ft_playbook_load(const char *path, const struct ft_playbook_world *world, struct ft_diags *diags);
struct ft_playbook *ft_playbook_parse(const char *name, const char *text, size_t len, const struct ft_playbook_world *world, struct ft_diags *diags);
/* From ft_playbook_sources: what a stored run started with. */
struct ft_playbook *ft_playbook_from_sources(const json_t *sources, const struct ft_playbook_world *world, struct ft_diags *diags);
struct ft_playbook *ft_playbook_ref(const struct ft_playbook *playbook);
struct ft_playbook *ft_playbook_unref(struct ft_playbook *playbook);     /* NULL is fine; returns NULL */

/* Parameters as given (name -> text from a command line, or JSON values), checked, normalised (mac, duration in ms …) and defaulted. All mistakes in one
 * sentence each, in reterr joined by "; ". Secrets become {"$secret": ref} from "env:NAME" or "file:PATH". New reference. */
int ft_playbook_bind(const struct ft_playbook *playbook, const json_t *given, json_t **ret, struct ft_err *reterr);
/* The same for an `ask` step's fields. */
int ft_fields_bind(const json_t *fields, const json_t *given, json_t **ret, struct ft_err *reterr);
