/* yaml.h: YAML read strictly, into a tree in which every node knows where it stands.
 *
 * Strict: one document; no tabs as indentation, no duplicate keys, no recursive or merge anchors (plain anchors and aliases
 * are fine within bounds), no tags, no directives, no invisible characters. Plain true/false, null/~/empty, decimal
 * integers and decimal fractions have their JSON meaning; everything else is a string. What other readers of YAML take for
 * something else is an error with a hint, never a guess: plain yes/no/on/off/y/n/True/NULL, 012, 0o12, 0x1f, 1_000, +5, .5,
 * 12:30:45, 1e3, .inf. Keys are strings: a plain key that reads as anything else must be quoted (the letters y and n need not).
 * At most 4 MiB, 256 levels, 200,000 values. A file with nothing in it is a null.
 */
#pragma once
#include <jansson.h>
#include "base/err.h"
#include "data/diag.h"

enum ft_node_kind { FT_NODE_NULL, FT_NODE_BOOL, FT_NODE_INT, FT_NODE_REAL, FT_NODE_STRING, FT_NODE_LIST, FT_NODE_MAP };

struct ft_node {
    enum ft_node_kind kind;
    struct ft_mark mark;                 /* of the value's first character (of the quote, of the | or >); offset is into ft_doc_text */
    struct ft_mark key_mark;             /* of the key, for a map's member */
    const char *key;                     /* for a map's member, else NULL */
    const char *text;                    /* a scalar's text as read (after unfolding), NUL-terminated */
    size_t len;
    bool quoted;                         /* '…' or "…" */
    bool block;                          /* | or >: text begins on the line after the mark */
    unsigned block_indent;               /* columns cut from each line of a block scalar */
    struct ft_node *first, *next;        /* children and siblings, in order */
    struct ft_node *parent;
    size_t count;                        /* of children */
};

struct ft_doc;                           /* owns the tree and the text */

/* Syntax errors and traps go to diags (name is the source's name there). Returns NULL if there was any. */
struct ft_doc *ft_doc_parse(const char *name, const char *text, size_t len, struct ft_diags *diags);
/* Reads the file (at most 4 MiB), then as above. A file that cannot be read is an error at 1:1. */
struct ft_doc *ft_doc_load(const char *path, struct ft_diags *diags);
/* The same, but a tree that is whole in spite of what was said (traps, duplicate keys) is returned, so that its reader finds the other mistakes in the
 * same pass. */
struct ft_doc *ft_doc_parse_whole(const char *name, const char *text, size_t len, struct ft_diags *diags);
struct ft_doc *ft_doc_load_whole(const char *path, struct ft_diags *diags);
struct ft_doc *ft_doc_free(struct ft_doc *doc);
const struct ft_node *ft_doc_root(const struct ft_doc *doc);
const char *ft_doc_name(const struct ft_doc *doc);
const char *ft_doc_text(const struct ft_doc *doc, size_t *ret_len);

const struct ft_node *ft_node_get(const struct ft_node *map, const char *key);    /* NULL when absent or not a map */
json_t *ft_node_json(const struct ft_node *node);                                  /* new reference */
/* The node that a JSON pointer ("/steps/3/with") names, or its nearest ancestor that exists. */
const struct ft_node *ft_node_at(const struct ft_node *root, const char *pointer);
/* The place in the file of byte `offset` within the scalar's text (for errors inside Lua). Exact for plain and block scalars
 * and for quoted ones without escapes, on one line or several; else the scalar's start. */
struct ft_mark ft_node_mark_at(const struct ft_doc *doc, const struct ft_node *node, size_t offset, size_t len);
