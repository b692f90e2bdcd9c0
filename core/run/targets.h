/* targets.h: what a write is aimed at, from its parameters: the words that locks, policies and plans use. */
#pragma once
#include <jansson.h>

/* The site as the parameters name it; NULL: none. Borrowed. */
const char *ft_target_site(const json_t *params);
/* Keys as locks have them, the narrowest first: ["device/aa…", "client/…", "server/…"]; where there is nothing narrower, ["site/…"], or [] when
 * the parameters name nothing. MAC addresses are normalised. New reference. */
json_t *ft_targets(const json_t *params);
/* What a write needs for itself: of these only the narrow ones, where there are any: a lease's client, not the whole DHCP server. New reference. */
json_t *ft_lock_targets(const json_t *params);
