/* config.h: the configuration file: where the store is, plugins' sections, sites and their thresholds, people. schemas/config.schema.json describes it.
 *
 * Looked for in: the path given, $FETTLE_CONFIG, ./fettle.yaml, $XDG_CONFIG_HOME/fettle/fettle.yaml, /etc/fettle/fettle.yaml. None at all is fine. */
#pragma once
#include <stdint.h>
#include <jansson.h>
#include "data/diag.h"
#include "playbook/rails.h"

struct ft_config;

/* path NULL: looked for as above. *ret_found: false when there is none (an empty configuration is returned). NULL on mistakes, which go to diags. */
struct ft_config *ft_config_load(const char *path, bool *ret_found, struct ft_diags *diags);
struct ft_config *ft_config_free(struct ft_config *config);
const json_t *ft_config_json(const struct ft_config *config);             /* whole, checked; borrowed */
const char *ft_config_path(const struct ft_config *config);               /* "" when none */
const char *ft_config_store(const struct ft_config *config);              /* file of the store; default <state dir>/fettle.db; relative to the configuration's folder */
/* `plugin_dirs`: further folders with plugins, from the configuration's folder where relative; a list of texts, borrowed; may be NULL. */
const json_t *ft_config_plugin_dirs(const struct ft_config *config);
/* Overrides of a playbook's vars for a site: `sites: {HQ: {vars: {rssi_floor: -72}}}`, and for all: `vars:`. New reference, may be empty. */
json_t *ft_config_vars(const struct ft_config *config, const char *site);
/* The name of the site that is called so, or has that id; the text itself where the configuration does not know it. Borrowed. */
const char *ft_config_site_name(const struct ft_config *config, const char *site);
const struct ft_rails *ft_config_rails(const struct ft_config *config);   /* never NULL */
uint64_t ft_config_lock_wait_ms(const struct ft_config *config);           /* `locks: {wait: 5m}`; 0: not said */
/* `retention: {personal: 90d, runs: 2y}`: milliseconds; 0: for ever. */
uint64_t ft_config_retention(const struct ft_config *config, const char *what);
/* "90d", "26w", "2y". -EINVAL. */
int ft_config_age(const char *text, uint64_t *ret_ms);
char *ft_config_seal_key(const struct ft_config *config);                 /* `seal: {key: FILE}`, from the configuration's folder; malloced; NULL: none is said */
bool ft_config_has_people(const struct ft_config *config);
