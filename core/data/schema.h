/* schema.h: JSON Schema (2020-12, the part that schemas/README.md names) for parameters, results, configuration.
 *
 * Supported: type, enum, const, properties, required, additionalProperties, patternProperties, propertyNames, min/maxProperties,
 * items, prefixItems, contains, min/maxContains, min/maxItems, uniqueItems, minimum, maximum, exclusive*, multipleOf,
 * min/maxLength, pattern (data/pattern.h says which), format (asserted: mac, ipv4, ipv6, ip, cidr, duration, date-time, uri,
 * uuid, hostname, email), allOf, anyOf, oneOf, not, if/then/else, dependentRequired, dependentSchemas, $defs, $ref (within the document), $anchor,
 * boolean schemas, and as notes $schema, $id (of the document), $comment, default, title, description, examples, deprecated.
 * Unknown keywords other than x-* are an error of compilation: no silent pass. "x-secret": true keeps a value out of messages.
 */
#pragma once
#include <stdbool.h>
#include <jansson.h>
#include "base/err.h"

struct ft_schema;     /* compiled; immutable */

struct ft_schema_error {
    const char *pointer;      /* JSON pointer to the value at fault; of the parent for missing and unknown keys */
    const char *key;          /* the missing or unknown key, or NULL */
    enum { FT_SCHEMA_VALUE, FT_SCHEMA_MISSING, FT_SCHEMA_UNKNOWN } what;
    const char *text;         /* "is 'tru', not one of: true, false"; "lacks 'site'"; "has an unknown key 'sit'; did you mean 'site'?":
                                 what the value at `pointer` does wrong, to be put behind its name */
};
typedef void ft_schema_report(void *arg, const struct ft_schema_error *error);

int ft_schema_compile(const json_t *schema, struct ft_schema **ret, struct ft_err *reterr);
struct ft_schema *ft_schema_free(struct ft_schema *schema);
/* Returns the number of errors; each goes to report (may be NULL), and is valid until report returns. Unknown values (data/json.h) pass everywhere. */
int ft_schema_check(const struct ft_schema *schema, const json_t *value, ft_schema_report *report, void *arg);
/* First error as one sentence. 0 or -EINVAL. */
int ft_schema_require(const struct ft_schema *schema, const json_t *value, const char *what, struct ft_err *reterr);
/* New reference: the value with the defaults of absent properties filled in (deep). */
json_t *ft_schema_fill(const struct ft_schema *schema, const json_t *value);

/* For names in expressions. `root` is the document that $ref refers to, `schema` it or a part of it (NULL and true: anything). A
 * map that lists `properties` is closed unless it says additionalProperties, with all that $ref, allOf and alternatives add. */

/* The schema of a member. NULL: *ret_open says whether anything may be there, or the name is not allowed. Borrowed. */
const json_t *ft_schema_member(const json_t *root, const json_t *schema, const char *name, bool *ret_open);
/* The schema of a list's items. NULL: *ret_open says whether it may be a list of anything, or is none. Borrowed. */
const json_t *ft_schema_items(const json_t *root, const json_t *schema, bool *ret_open);
/* Names of an object's properties, for suggestions; array of borrowed strings ending with NULL, malloced. */
const char **ft_schema_names(const json_t *root, const json_t *schema);
