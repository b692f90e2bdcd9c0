/* check.h: the tree of a text against the names it may use. */
#pragma once
#include "script/parse.h"
#include "script/script.h"

struct ft_check {
    struct ft_script *script;
    const struct ft_names *names;           /* NULL: names are not checked */
    const struct ft_text_place *place;
    struct ft_diags *diags;
    struct ft_arena *mem;
    const char *text;
    const char **read;                      /* names of the environment, as they are met; ends with NULL; the caller frees */
    size_t read_count;
    unsigned functions;                     /* how many we are inside of */
    bool returns;                           /* the block has a `return` with a value */
};

void ft_check_tree(struct ft_check *check, const struct ft_lua_node *tree, bool expression);
/* Where these bytes of the text stand in the file. */
struct ft_mark ft_place_mark(const struct ft_text_place *place, const char *text, size_t offset, size_t len);
