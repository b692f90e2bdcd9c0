/* rails_parts.h: between config.c and rails.c. */
#pragma once
#include "playbook/rails.h"
#include "playbook/reader.h"

struct ft_arena;

struct rails {
    struct ft_rails rails;
    struct ft_arena *mem;
    struct ft_zone **zones;           /* those of single windows */
    size_t zone_count;
};

struct rails_reader {
    const struct reader *rd;
    const struct ft_node *root;       /* of the configuration */
    struct ft_arena *mem;
    struct ft_rails *rails;
    struct rails *all;
};

/* Never NULL; mistakes are said to rd. */
struct rails *rails_read(const struct reader *rd, const struct ft_node *root);
struct rails *rails_free(struct rails *all);
struct ft_zone *rails_zone(struct rails_reader *r, const struct ft_node *node);
void rails_keep_zone(struct rails_reader *r, struct ft_zone *zone);
struct ft_calendar *rails_calendar(struct rails_reader *r, const struct ft_node *node);
/* config.c: whether the configuration's `roles` know it. */
void rails_check_role(struct rails_reader *r, const struct ft_node *role);
