/* config.h: a plugin's section of the configuration: a field whose schema says "x-secret": true holds a reference ({"env": …} or {"file": …}), which
 * the plugin sees as a string. */
#pragma once
#include <jansson.h>
#include "secret/secret.h"

/* New: a copy of the schema in which the fields with "x-secret" may be any value, for checking a section before its references are read. */
json_t *ft_config_schema(const json_t *schema);
/* New in *ret: the section with every reference replaced by its text. `where` ("plugins.mist") begins the names in errors. */
int ft_config_resolve(struct ft_secrets *secrets, const json_t *schema, const json_t *section, const char *where, json_t **ret, struct ft_err *reterr);
/* Calls fn for every string that stands where the schema says "x-secret". */
void ft_config_each_secret(const json_t *schema, const json_t *section, void (*fn)(void *arg, const char *text), void *arg);
