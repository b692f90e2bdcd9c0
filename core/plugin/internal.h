/* internal.h: what the files of plugin/ share. registry.c finds and loads, call.c is the life of a call, host.c the table, files.c what plugins write
 * to disk, budget.c the politeness towards APIs, page.c the manual, config.c sections of the configuration. */
#pragma once
#include "base/arena.h"
#include "base/list.h"
#include "base/util.h"
#include "plugin/registry.h"

struct plugin {
    struct ft_registry *registry;
    char *name;
    void *so;
    const struct ft_plugin *def;
    json_t *config_schema;
    struct ft_action_info *actions;      /* schemas are compiled on first use */
    bool *compiled;
    size_t count;
    bool opened;
    void *instance;
    json_t *config;                      /* resolved; owns */
    unsigned works;                      /* jobs on threads: they run the plugin's code */
    bool orphan;                         /* the registry is gone; the last job frees it */
};

struct ft_registry {
    struct ft_registry_opts o;
    char **dirs;                         /* where plugin files lie; the first that has a name counts */
    size_t dir_count;
    char *state_dir;
    char **names;                        /* of all plugin files; NULL: not looked yet */
    struct plugin **plugins;
    size_t plugin_count;
    struct ft_http *http;
    struct ft_ssh *ssh;
    int ssh_holds;
    struct ft_list budgets;
    struct ft_list calls;                /* not freed yet */
};

/* registry.c */
void plugin_free(struct plugin *plugin);
int plugin_open(struct plugin *plugin, struct ft_err *reterr);
void redact_err(const struct ft_registry *registry, struct ft_err *err);
const json_t *plugin_section(const struct plugin *plugin);
struct ft_http *registry_http(struct ft_registry *registry);
struct ft_ssh *registry_ssh(struct ft_registry *registry);

/* vault_net.c */
void lend_net(struct ft_registry *registry, bool lend);

/* budget.c: a token bucket for each key, shared by all calls of the process. */
struct waiter {
    struct ft_list in_bucket;
    struct bucket *bucket;               /* NULL: waits for nothing */
    void (*go)(void *arg);
    void *arg;
};
void budget_wait(struct ft_registry *registry, const char *key, unsigned per_hour, struct waiter *waiter);
void budget_forget(struct waiter *waiter);
void budgets_free(struct ft_registry *registry);

/* call.c: pieces of a call that end with it. */
struct ft_call {
    struct ft_list in_registry;
    struct ft_registry *registry;
    struct plugin *plugin;
    const struct ft_action_info *info;
    enum ft_entry_kind entry;
    bool writes;                         /* by its effect, or the step's word */
    bool released;                       /* its run was approved: secrets that want that are read */
    struct ft_secret_wait *fetching;     /* it has not started: what it needs of Vault is on its way */
    bool sent;                           /* something went out that may have changed things */
    struct ft_call_handler handler;
    void *arg;
    struct ft_arena *mem;
    char *run_id;
    json_t *params, *receipt, *given;    /* params: secrets resolved; given: CONFIRM's result of run */
    json_t *left, *asked;                /* PLAN: see registry.h */
    json_t *keeping;                     /* what keep() was given last */
    void *state;
    uint64_t timeout_ms, deadline_us;
    struct ft_timer *deadline;
    bool late;                           /* past it, waiting for a request to say why */
    bool ended, over, dropped;           /* done or fail was called; the handler was told; it will not be */
    json_t *result;
    enum ft_class class;
    char *text;
    struct ft_list parts;                /* struct part: timers, transfers, streams, children, work */
    void (*kept)(struct ft_call *call);
    struct waiter waiter;
    void (*budget_go)(struct ft_call *call);
};
extern const struct ft_host plugin_host;
char *call_utf8(char *text);                                                             /* bytes that are not UTF-8 become '?'; gives text back */
void call_end(struct ft_call *call, json_t *result, enum ft_class class, char *text);     /* takes result and text */
void calls_free(struct ft_registry *registry);
/* host.c */
void call_drop_parts(struct ft_call *call);
bool call_in_flight(const struct ft_call *call);          /* something is that has the same deadline and will end by itself */
void call_settle(struct ft_call *call);                    /* what can still be taken back at its deadline is; the rest counts as sent */
void call_forget_kept(struct ft_call *call);
bool call_alive(const struct ft_call *call);
