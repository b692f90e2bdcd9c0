/* zone.h: what the clock on a wall shows: the local time of a place, from UTC and back, by the system's time zones (TZif files).
 * Local times are seconds since 1970-01-01 00:00 as if the place were UTC. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

struct ft_zone;

/* name: "Europe/Zurich", "UTC"; NULL: the machine's own ($TZ, else /etc/localtime). -ENOENT when there is no such zone. */
int ft_zone_open(const char *name, struct ft_zone **ret, struct ft_err *reterr);
struct ft_zone *ft_zone_free(struct ft_zone *zone);
const char *ft_zone_name(const struct ft_zone *zone);            /* as opened; "local" for the machine's own */

/* Seconds east of UTC at that moment; ret_abbr (may be NULL): "CEST", kept by the zone. */
int32_t ft_zone_offset(const struct ft_zone *zone, int64_t utc_s, const char **ret_abbr);
/* The moments at which the wall shows this time: 1; 2 where the clock was put back over it; 0 where it was put forward over it, then both
 * are the moment at which that happened. */
int ft_zone_utc(const struct ft_zone *zone, int64_t local_s, int64_t *ret_first, int64_t *ret_last);

/* "Sun 2026-11-29 02:00 CET". buf of at least 40 bytes; returns buf. */
const char *ft_zone_format(const struct ft_zone *zone, uint64_t wall_ms, char *buf, size_t len);
/* "2026-11-29", "2026-11-29 02:00", "2026-11-29T02:00[:30]": local seconds. -EINVAL. *ret_date (may be NULL): it was a date alone. */
int ft_local_parse(const char *text, int64_t *ret_local_s, bool *ret_date);
/* Days since 1970 of a day of the calendar. */
int64_t ft_days_from(int64_t year, int month, int day);
