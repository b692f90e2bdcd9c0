/* yaml_parts.h: what the files of the YAML reader share. For yaml*.c only. */
#pragma once
#include "base/arena.h"
#include "data/yaml.h"

enum { YAML_BYTES_MAX = 4 << 20, YAML_DEPTH_MAX = 256, YAML_NODES_MAX = 200000, YAML_ANCHORS_MAX = 1000 };

struct ft_doc {
    struct ft_arena *mem;             /* owns: the tree and all below */
    const char *name;
    const char *text;                 /* without a byte order mark */
    size_t len;
    size_t *lines, line_count;        /* where each line begins */
    size_t *chars, char_count;        /* where every 64th character begins: libyaml counts characters */
    struct ft_node *root;
};

/* yaml_place.c */
void yaml_index_text(struct ft_doc *doc);
/* The place of byte `offset`. */
struct ft_mark yaml_mark(const struct ft_doc *doc, size_t offset, size_t len);
size_t yaml_char_offset(const struct ft_doc *doc, size_t index);
/* Reports characters that have no business in a playbook; false when there was one. */
bool yaml_check_text(const struct ft_doc *doc, struct ft_diags *diags);

/* yaml_scalar.c */
struct yaml_trap { const char *text, *hint; };    /* text NULL: no trap */
/* What a plain scalar means. In a trap it is a string, and *ret_trap says why it should not be. */
enum ft_node_kind yaml_classify(struct ft_arena *mem, const char *text, size_t len, struct yaml_trap *ret_trap);
