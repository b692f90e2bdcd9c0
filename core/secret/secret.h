/* secret.h: where secrets come from, and that nothing written ever shows one.
 *
 * A reference is an object with one member: {"env": "NAME"} or {"file": "/path"} (first line, without its end; the file must not
 * be readable by others: a warning says so). Every value read is known to the redactor from then on. */
#pragma once
#include <stdbool.h>
#include <jansson.h>
#include "base/err.h"

struct ft_secrets;

struct ft_secrets *ft_secrets_new(void);           /* also becomes the log's redactor */
struct ft_secrets *ft_secrets_free(struct ft_secrets *secrets);
bool ft_secret_is_ref(const json_t *value);        /* {"env": …} or {"file": …}, or {"$secret": {…}} as parameters carry it */
/* -ENOENT with a sentence that says what to set. Value is malloced. */
int ft_secret_read(struct ft_secrets *secrets, const json_t *ref, const char *what, char **ret_value, struct ft_err *reterr);
/* New reference: the value with every {"$secret": ref} in it replaced by its string. */
int ft_secret_resolve(struct ft_secrets *secrets, const json_t *value, json_t **ret, struct ft_err *reterr);
void ft_secret_learn(struct ft_secrets *secrets, const char *value);   /* redact this from now on (values under 4 bytes are not) */
/* New: malloced text with every known secret (also its URL- and base64- and JSON-escaped forms) replaced by ***; NULL when there was none. */
char *ft_secret_redact(struct ft_secrets *secrets, const char *text);
/* The same for every string inside; new reference (the same value, counted, when there was none). */
json_t *ft_secret_redact_json(struct ft_secrets *secrets, json_t *value);
