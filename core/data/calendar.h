/* calendar.h: times that come again: recurrence rules and .ics files (RFC 5545), as spans of time. On libical, which is loaded when first needed.
 *
 * What the wall shows counts: a window from 02:00 to 04:00 is one hour long in the night in which the clocks are put forward at 02:00, and three
 * in the night in which they are put back at 03:00. A time that the clocks jump over is the moment of the jump. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/zone.h"

struct ft_span { int64_t from, to; };              /* ms since 1970, UTC; from <= t < to */
/* Sorted, disjoint, not touching. A zeroed one is empty. */
struct ft_spans { struct ft_span *items; size_t count, room; };

#define FT_SPAN_MIN 0ll
#define FT_SPAN_MAX 253402300800000ll              /* the year 10000 */

void ft_spans_done(struct ft_spans *spans);
void ft_spans_add(struct ft_spans *spans, int64_t from, int64_t to);                  /* in any order; nothing when it is empty */
void ft_spans_intersect(struct ft_spans *spans, const struct ft_spans *with);         /* leaves what is in both */
void ft_spans_subtract(struct ft_spans *spans, const struct ft_spans *without);
const struct ft_span *ft_spans_at(const struct ft_spans *spans, int64_t at);          /* the one that `at` lies in, or NULL */

struct ft_calendar;

/* One span, in local time of the zone. */
int ft_calendar_once(int64_t from_local_s, int64_t to_local_s, const struct ft_zone *zone, struct ft_calendar **ret, struct ft_err *reterr);
/* rrule: "FREQ=WEEKLY;BYDAY=SU"; days only. starts: the local day (days since 1970) from which it is counted. from_s, to_s: since midnight; to_s
 * is of the next day where it is not later than from_s. */
int ft_calendar_rule(const char *rrule, int64_t starts, int32_t from_s, int32_t to_s, const struct ft_zone *zone, struct ft_calendar **ret, struct ft_err *reterr);
/* The events of an .ics file. Times without a zone are in `zone`. Anything that cannot be read is an error: nothing is left out in silence. */
int ft_calendar_ics(const char *text, size_t len, const struct ft_zone *zone, struct ft_calendar **ret, struct ft_err *reterr);
struct ft_calendar *ft_calendar_free(struct ft_calendar *calendar);
/* For freezes: where an hour comes twice, both are meant (a window ends with the first and begins with the first). */
void ft_calendar_widen(struct ft_calendar *calendar);

/* Adds the spans that touch [from, to), whole. -E2BIG: there are too many. */
int ft_calendar_spans(const struct ft_calendar *calendar, int64_t from, int64_t to, struct ft_spans *ret, struct ft_err *reterr);
