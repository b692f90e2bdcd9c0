/* schema.h: JSON Schema (2020-12, the part that schemas/README.md names) for parameters, results, configuration.
 *
 * Supported: type, enum, const, properties, required, additionalProperties, patternProperties, propertyNames, min/maxProperties,
 * items, prefixItems, contains, min/maxContains, min/maxItems, uniqueItems, minimum, maximum, exclusive*, multipleOf,
 * min/maxLength, pattern (POSIX extended after translation of \d \w \s), format (asserted: mac, ipv4, ipv6, ip, cidr, duration, date-time, uri,
 * uuid, hostname, email), allOf, anyOf, oneOf, not, if/then/else, dependentRequired, dependentSchemas, $defs, $ref (within the document), $anchor,
 * boolean schemas, default, title, description, examples, deprecated. Unknown keywords other than x-* are an error of compilation: no silent pass.
 */
#pragma once
#include <jansson.h>
#include "base/err.h"

struct ft_schema;     /* compiled; immutable */

struct ft_schema_error {
    const char *pointer;      /* JSON pointer to the value at fault; of the parent for missing and unknown keys */
    const char *key;          /* the missing or unknown key, or NULL */
    enum { FT_SCHEMA_VALUE, FT_SCHEMA_MISSING, FT_SCHEMA_UNKNOWN } what;
    const char *text;         /* "is 'tru', not one of: true, false"; a sentence without the place */
};
typedef void ft_schema_report(void *arg, const struct ft_schema_error *error);

int ft_schema_compile(const json_t *schema, struct ft_schema **ret, struct ft_err *reterr);
struct ft_schema *ft_schema_free(struct ft_schema *schema);
/* Returns the number of errors; each goes to report (may be NULL). Unknown values (data/json.h) pass everywhere. */
int ft_schema_check(const struct ft_schema *schema, const json_t *value, ft_schema_report *report, void *arg);
/* First error as one sentence. 0 or -EINVAL. */
int ft_schema_require(const struct ft_schema *schema, const json_t *value, const char *what, struct ft_err *reterr);
/* New reference: the value with the defaults of absent properties filled in (deep). */
json_t *ft_schema_fill(const struct ft_schema *schema, const json_t *value);
/* The schema of a member by static name, following $ref/allOf; NULL if the name is not allowed. *ret_open: unknown, anything may be. Borrowed. */
const json_t *ft_schema_member(const json_t *root, const json_t *schema, const char *name, bool *ret_open);
const json_t *ft_schema_items(const json_t *root, const json_t *schema, bool *ret_open);
/* Names of a closed object's properties, for suggestions; array of borrowed strings ending with NULL, malloced. */
const char **ft_schema_names(const json_t *root, const json_t *schema);
