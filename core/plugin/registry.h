/* registry.h: finds, loads and checks plugins, and runs their calls on the host table. A plugin is dlopened when one of its actions is asked for,
 * opened (config read, secrets resolved) when one is first called. */
#pragma once
#include <fettle/plugin.h>
#include "data/schema.h"
#include "loop/loop.h"
#include "net/http.h"
#include "net/ssh.h"
#include "secret/secret.h"
#include "store/store.h"

struct ft_registry;
struct ft_call;

struct ft_action_info {
    const char *plugin, *name, *full;      /* "mist", "ap_restart", "mist.ap_restart" */
    const char *version;                   /* of the plugin */
    const struct ft_action *action;
    json_t *params_json, *result_json;     /* the schemas, parsed */
    struct ft_schema *params, *result;     /* compiled */
};

struct ft_registry_opts {
    struct ft_loop *loop;                  /* NULL: for reading descriptions only (check, graph, plugins) */
    struct ft_secrets *secrets;
    const json_t *config;                  /* the whole configuration object; "plugins": {name: section}; borrowed, kept alive by the caller; NULL: none */
    const char *dir;                       /* NULL: ft_path_plugins() */
    const char *state_dir;                 /* the data folder: absolute: plugins' relative files lie in its files/; NULL: ft_path_state() */
    const json_t *more_dirs;               /* list of further folders, looked into after that one; NULL: none. Borrowed as config */
    const char *config_path;               /* the file to name in errors; NULL: "fettle.yaml"; borrowed */
};
struct ft_registry *ft_registry_new(const struct ft_registry_opts *opts);
struct ft_registry *ft_registry_free(struct ft_registry *registry);     /* closes the plugins; no call may be under way */

/* Every plugin file's name there is, sorted; ends with NULL; borrowed. */
const char *const *ft_registry_plugins(struct ft_registry *registry);
/* Wrong ABI, no symbol, broken schema, missing mandatory fields: -ENOEXEC with what is wrong with which file and what to do. -ENOENT with "did you mean". */
int ft_registry_plugin(struct ft_registry *registry, const char *name, const struct ft_plugin **ret, struct ft_err *reterr);
int ft_registry_action(struct ft_registry *registry, const char *full, const struct ft_action_info **ret, struct ft_err *reterr);
/* The manual page of a plugin or an action as Markdown-like text for a terminal; malloced. */
char *ft_registry_page(struct ft_registry *registry, const char *plugin, const char *action, struct ft_err *reterr);
/* The same for programs: {"action","summary","effect","idempotent","plan","undo","probe","confirm","timeout_s","params","result","about","example"} of one action, or a
 * list of them for all of a plugin. New reference. */
json_t *ft_registry_describe(struct ft_registry *registry, const char *plugin, const char *action, struct ft_err *reterr);
/* What `fettle doctor` asks: does it load, is its section of the configuration right, are its secrets there. */
int ft_registry_doctor(struct ft_registry *registry, const char *plugin, struct ft_err *reterr);
/* For a registry without one: so that the doctor can look into Vault. The loop outlives the registry's use of it. */
void ft_registry_use_loop(struct ft_registry *registry, struct ft_loop *loop);

enum ft_entry_kind { FT_ENTRY_RUN, FT_ENTRY_PLAN, FT_ENTRY_UNDO, FT_ENTRY_PROBE, FT_ENTRY_CONFIRM };
bool ft_action_has(const struct ft_action *action, enum ft_entry_kind entry);     /* knows how large the description of an older plugin is */

struct ft_call_req {
    const struct ft_action_info *info;
    enum ft_entry_kind entry;
    const json_t *params;          /* as journalled: secrets are references; resolved in here */
    const json_t *receipt;         /* may be NULL */
    const json_t *result;          /* CONFIRM: what run gave; may be NULL */
    const json_t *left;            /* PLAN: key → {"by": path, "value"} of writes planned before; no value: it cannot be told. May be NULL */
    const char *run_id;
    uint64_t timeout_ms;           /* 0: the action's own */
    bool released;                 /* the run has been approved: secrets with `release: approved` may be read */
    bool read;                     /* the step says that an action of unknown effect only reads */
};
/* Exactly one of done and fail comes, from the loop, never inside ft_call_start. */
struct ft_call_handler {
    void (*done)(void *arg, json_t *result);                              /* borrowed; checked against the result schema (RUN), redacted */
    void (*fail)(void *arg, enum ft_class class, const char *text);       /* redacted */
    /* Journal it durable, then ft_call_kept. NULL: kept at once. */
    void (*keep)(void *arg, struct ft_call *call, const json_t *receipt);
    void (*progress)(void *arg, const char *text);
    void (*pending)(void *arg, uint64_t ms);      /* RUN: confirm will be called. NULL: nobody will */
};
int ft_call_start(struct ft_registry *registry, const struct ft_call_req *req, const struct ft_call_handler *handler, void *arg,
                  struct ft_call **ret, struct ft_err *reterr);
void ft_call_kept(struct ft_call *call, int code);
/* PLAN, in its handler: which keys it asked for, and what it was told of each (null: nothing changes it). NULL: it does not ask. Borrowed. */
const json_t *ft_call_asked(const struct ft_call *call);
const json_t *ft_left_find(const json_t *left, const char *key);      /* the entry that counts for this key; NULL: none */
void ft_call_cancel(struct ft_call *call);      /* fail(FT_CANCELLED) still comes, from the loop */
void ft_call_drop(struct ft_call *call);        /* nothing comes any more */

/* While > 0, SSH sessions stay open between calls: a run holds them, so that its steps share them however long it waits between. */
void ft_registry_hold(struct ft_registry *registry, int by);
struct ft_ssh *ft_registry_ssh(struct ft_registry *registry);       /* NULL before the first use */
struct ft_http *ft_registry_http(struct ft_registry *registry);     /* NULL before the first use */
