/* config.h: where secrets stand: in a plugin's section of the configuration and in the parameters of a call, a field whose schema says "x-secret": true
 * holds a reference ({"env": …}, {"file": …}, …; in parameters {"$secret": reference}), which the plugin sees as a string. Nowhere else does one count:
 * what a server answered, and a playbook hands on, may look like a reference. */
#pragma once
#include <jansson.h>
#include "secret/secret.h"

/* New: a copy of the schema in which the fields with "x-secret" may be any value, for checking a section before its references are read. */
json_t *ft_config_schema(const json_t *schema);
/* New in *ret: the section with every reference replaced by its text. `where` ("plugins.mist") begins the names in errors. */
int ft_config_resolve(struct ft_secrets *secrets, const json_t *schema, const json_t *section, const char *where, json_t **ret, struct ft_err *reterr);
/* Calls fn for every string that stands where the schema says "x-secret". */
void ft_config_each_secret(const json_t *schema, const json_t *section, void (*fn)(void *arg, const char *text), void *arg);

/* Parameters, as they are journalled: the same. New reference. */
int ft_params_resolve(struct ft_secrets *secrets, const json_t *schema, const json_t *params, json_t **ret, struct ft_err *reterr);
void ft_params_references(const json_t *schema, const json_t *params, json_t *to);       /* those in them, appended to a list */
