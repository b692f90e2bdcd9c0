/* reader.h: typed values out of a YAML tree. Each function that returns false (or NULL) has said why, at its place; an absent node (NULL) is
 * false without a word, so a key that must be there is the business of rd_keys alone. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "data/diag.h"
#include "data/yaml.h"

struct reader {
    struct ft_diags *diags;
    const struct ft_doc *doc;
    const char *source;
    bool tainted;                     /* YAML itself had mistakes: what stands at the place of one is only its consequence, and is not said */
};

__attribute__((format(printf, 4, 5)))
void rd_error(const struct reader *rd, struct ft_mark mark, const char *hint, const char *fmt, ...);

/* The keys that a map may have. A table of them ends with {NULL}. */
struct rd_key { const char *name; bool required; };

/* Checks that the node is a map with no other keys than these and all that are required. `what` begins the sentences: "a step", "`retry`". */
bool rd_keys(const struct reader *rd, const struct ft_node *node, const char *what, const struct rd_key *keys);
bool rd_is_key(const struct rd_key *keys, const char *name);
void rd_unknown_key(const struct reader *rd, const struct ft_node *member, const char *what, const struct rd_key *keys);   /* says it, with the nearest */
/* The key of the table that an unknown one was probably meant to be, or NULL. */
bool rd_has(const struct ft_node *node, const struct rd_key *keys, const char *name);     /* the key, or an unknown one that was meant to be it */
const char *rd_meant(const struct rd_key *keys, const char *wrong);
bool rd_object(const struct reader *rd, const struct ft_node *node, const char *what);         /* any keys, or none */
bool rd_map(const struct reader *rd, const struct ft_node *node, const char *what);            /* any keys, at least one */
bool rd_list(const struct reader *rd, const struct ft_node *node, const char *what);           /* at least one item */
const char *rd_text(const struct reader *rd, const struct ft_node *node, const char *what);    /* not empty */
const char *rd_constant(const struct reader *rd, const struct ft_node *node, const char *what);   /* a text without ${…} */
bool rd_bool(const struct reader *rd, const struct ft_node *node, const char *what, bool *ret);
bool rd_uint(const struct reader *rd, const struct ft_node *node, const char *what, unsigned min, unsigned max, unsigned *ret);
bool rd_real(const struct reader *rd, const struct ft_node *node, const char *what, double min, double max, double *ret);
bool rd_duration(const struct reader *rd, const struct ft_node *node, const char *what, uint64_t *ret_ms);   /* more than none */
/* Index in `names`, which ends with NULL. */
bool rd_one_of(const struct reader *rd, const struct ft_node *node, const char *what, const char *const *names, unsigned *ret);
/* A name that Lua can read: [a-z][a-z0-9_]*. `text` is the node's text or its key, `mark` the same's. */
bool rd_name(const struct reader *rd, const char *text, struct ft_mark mark, const char *what);

/* "a text", "a list", "nothing": for sentences. */
const char *rd_kind(const struct ft_node *node);
/* "; did you mean 'x'?", or "" for NULL: in buf. */
const char *rd_did_you_mean(const char *suggestion, char *buf, size_t len);
/* Where a map or list is spoken of: its key, or its own place when it has none. */
struct ft_mark rd_mark(const struct ft_node *node);
/* Where a value stands: its own place, or that of its key when nothing was written. */
struct ft_mark rd_at(const struct ft_node *node);

/* config_record.c: `retention:` and `seal:` of a configuration. */
void ft_config_check_record(const struct reader *rd, const struct ft_node *root);
