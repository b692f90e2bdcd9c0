/* diff.h: what differs between two JSON values, for people. libc and jansson only. */
#pragma once
#include <stdbool.h>
#include <jansson.h>

/* [{"path", "from", "to"}, …], at most `max`; members that are only in one have null in the other. Lists of objects are compared by their id, subnet,
 * pool, name, hw-address or library; others whole. New reference. */
json_t *json_diff(const json_t *from, const json_t *to, size_t max);
/* The member of a list that is the same thing as `item`, by what tells them apart (above); its neighbour by place where nothing does. NULL: none. Borrowed. */
json_t *json_counterpart(const json_t *list, const json_t *of_list, size_t i);
/* Is everything that `wanted` says so in `there`? Members that `there` has besides do not count, nor do spaces in texts. */
bool json_covers(const json_t *there, const json_t *wanted);
