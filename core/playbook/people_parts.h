/* people_parts.h: `people`, `roles` and `approvals` of the configuration: every mistake in them, at its place. */
#pragma once
#include "playbook/reader.h"

void people_check(const struct reader *rd, const struct ft_node *root);
