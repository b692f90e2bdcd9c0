/* app.h: what most commands need, opened in one call and closed in one. */
#pragma once
#include "cli/opt.h"
#include "cli/term.h"
#include "playbook/config.h"
#include "playbook/playbook.h"
#include "run/run.h"

enum app_parts { APP_CONFIG = 1, APP_WORLD = 2 /* playbooks can be loaded */, APP_STORE = 4, APP_ENGINE = 8 };

struct app {
    struct ft_config *config;
    struct ft_secrets *secrets;
    struct ft_loop *loop;
    struct ft_script *script;
    struct ft_registry *registry;
    struct ft_playbook_world world;
    struct ft_store *store;
    struct ft_guard *guard;
    struct ft_engine *engine;
};

/* ---- retain.c */
struct ft_retained;
/* Deletes what is older than the configuration's `retention:`; what is not told to be deleted leaves its counts zero. */
void app_set_up_store(struct app *app);           /* right after it was opened */
void app_retain_daily(struct app *app);
int app_retain(struct app *app, struct ft_retained *ret_personal, struct ft_retained *ret_runs, struct ft_err *reterr);

/* 0, or the exit status to end with after a sentence on standard error. */
int app_open(struct app *app, unsigned parts);
void app_close(struct app *app);
/* Most of a command about one run: opens, finds it by id or prefix, does, closes. Returns what `act` does, or an exit status after a sentence. */
int app_with_run(const char *prefix, unsigned parts, int (*act)(struct app *app, const char *id));

/* "fettle: error: …" on standard error. Returns status. */
__attribute__((format(printf, 2, 3)))
int app_fail(int status, const char *fmt, ...);

/* A file, or the name of a playbook in the configured folders, ./playbooks or fettle's own. malloced, or NULL after a sentence. */
char *app_find_playbook(const struct app *app, const char *name);
/* Loads it; mistakes are printed. NULL: exit with 2. */
struct ft_playbook *app_load_playbook(struct app *app, const char *name);
/* As one line on standard output. */
void app_put_json(const json_t *value);
/* Prints the mistakes as text, or as JSON lines with --json. */
void app_print_diags(struct ft_diags *diags);
/* Overrides of the playbook's variables by the configuration, for the site among the parameters. New reference. */
json_t *app_vars(const struct app *app, const struct ft_playbook *playbook, const json_t *params);
/* Who is at the keyboard. */
const char *app_user(void);
/* name=value arguments into an object; 0, or an exit status after a sentence. */
int app_given(const struct ft_rest *rest, json_t *given);
/* Whether a word may be the id of a run, or its first digits; else it names a playbook. */
bool app_is_run(const char *text);
/* A run by id or prefix; its events. 0 or an exit status. */
int app_run_events(struct app *app, const char *prefix, char ret_id[9], json_t **ret_events);
