/* json.h: what jansson lacks. Values are immutable once handed over; references are counted on the loop thread only. */
#pragma once
#include <stdbool.h>
#include <jansson.h>
#include "base/err.h"

/* Parse one text, whole, at most max_bytes (0: 64 MiB), at most 256 levels deep; duplicate keys and integers beyond int64 are
 * refused. Strings may hold U+0000 (devices do send it): where text is shown or compared, json_string_length() counts. */
int ft_json_parse(const char *text, size_t len, size_t max_bytes, json_t **ret, struct ft_err *reterr);
char *ft_json_text(const json_t *value);                 /* compact, insertion order, numbers as short as they can be; malloced */
char *ft_json_canonical(const json_t *value);            /* compact, keys sorted by byte, 1.0 as 1: for digests; malloced */
void ft_json_digest(const json_t *value, char ret[65]);  /* SHA-256 of the canonical text */
/* Whether both are the same value; numbers by what they count: 1 and 1.0 are. Same answer as comparing canonical texts. */
bool ft_json_equal(const json_t *a, const json_t *b);
/* One short line for people: strings bare, a reference to a secret as env:NAME, everything cut to `max` columns with "…". malloced */
char *ft_json_brief(const json_t *value, size_t max);

/* "a.b.0.c"; NULL when it is not there. Borrowed. */
json_t *ft_json_path(const json_t *value, const char *path);
const char *ft_json_str(const json_t *object, const char *key);   /* NULL when absent, not a string, or with U+0000 in it; borrowed */
int64_t ft_json_int(const json_t *object, const char *key, int64_t otherwise);
double ft_json_num(const json_t *object, const char *key, double otherwise);
bool ft_json_bool(const json_t *object, const char *key, bool otherwise);
/* Array of {"path","from","to"}: what differs, path as for ft_json_path; without "from" what is new, without "to" what is gone.
 * New reference. */
json_t *ft_json_diff(const json_t *from, const json_t *to);

/* The value that a dry run cannot know: {"$unknown": true}, possibly with "why". Anywhere inside other values. */
json_t *ft_unknown(const char *why);                     /* new reference; why may be NULL */
bool ft_is_unknown(const json_t *value);
bool ft_has_unknown(const json_t *value);                /* itself or anything inside */
