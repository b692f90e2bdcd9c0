/* schema_parts.h: a compiled schema, as schema*.c share it. */
#pragma once
#include "base/arena.h"
#include "data/format.h"
#include "data/pattern.h"
#include "data/schema.h"

enum schema_type {
    SCHEMA_NULL = 1, SCHEMA_BOOLEAN = 2, SCHEMA_INTEGER = 4, SCHEMA_NUMBER = 8, SCHEMA_STRING = 16, SCHEMA_ARRAY = 32, SCHEMA_OBJECT = 64,
};

struct schema_nodes { struct schema_node **items; size_t count; };
struct schema_member { const char *key; struct schema_node *node; };
struct schema_members { struct schema_member *items; size_t count; };      /* sorted by key */
struct schema_matcher { struct ft_pattern *pattern; struct schema_node *node; };
struct schema_matchers { struct schema_matcher *items; size_t count; };

/* One schema object. JSON values are borrowed from the document; NULL and -1: the keyword is not there. */
struct schema_node {
    const json_t *source;
    bool nothing;                     /* the schema `false` */
    bool secret;                      /* x-secret: messages do not show the value */
    unsigned types;                   /* of enum schema_type; 0: any */
    json_t *values, *constant;
    json_t *minimum, *maximum, *above, *below, *multiple;
    int64_t min_length, max_length, min_items, max_items, min_contains, max_contains, min_members, max_members;
    bool unique;
    struct ft_pattern *pattern;
    enum ft_format format;
    struct schema_members properties, dependent;
    struct schema_matchers matchers;  /* patternProperties */
    struct schema_node *additional, *names;
    json_t *required, *dependent_required;
    struct schema_nodes prefix;
    struct schema_node *items, *contains;
    struct schema_nodes all, any, one;
    struct schema_node *not, *condition, *then, *otherwise, *ref;
    enum { NOT_VISITED, VISITING, VISITED } visit;      /* while looking for endless references */
    const char *path;                 /* JSON pointer to it, for errors of compilation */
};

struct ft_schema {
    struct ft_arena *mem;             /* owns: nodes, this struct too */
    json_t *document;                 /* one reference */
    struct schema_node *root;
    struct ft_pattern **patterns;     /* owned */
    size_t pattern_count;
};

/* schema.c */
struct schema_node *schema_member_of(const struct schema_members *members, const char *key);
unsigned schema_type_from_name(const char *name);
const char *schema_type_about(enum schema_type type);      /* "a map" */
/* The value that "#/a/b" or "#anchor" names; NULL when there is none, or the reference leaves the document. */
json_t *schema_resolve(const json_t *document, const char *ref);
