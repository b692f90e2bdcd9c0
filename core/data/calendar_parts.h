/* calendar_parts.h: what the files of calendars share. */
#pragma once
#include <libical/ical.h>
#include "base/util.h"
#include "data/calendar.h"

/* libical, loaded when first needed: with what it brings along it would cost more than the rest of the start-up. */
#define ICAL_FUNCTIONS(X) \
    X(icalrecurrencetype_from_string) X(icalrecur_iterator_new) X(icalrecur_iterator_set_start) X(icalrecur_iterator_next) X(icalrecur_iterator_free) \
    X(icalparser_parse_string) X(icalcomponent_free) X(icalcomponent_isa) X(icalcomponent_get_first_component) X(icalcomponent_get_next_component) \
    X(icalcomponent_get_first_property) X(icalcomponent_get_next_property) X(icalcomponent_count_errors) X(icalcomponent_get_timezone) \
    X(icalproperty_get_dtstart) X(icalproperty_get_dtend) X(icalproperty_get_duration) X(icalproperty_get_rrule) X(icalproperty_get_rdate) \
    X(icalproperty_get_exdate) X(icalproperty_get_recurrenceid) X(icalproperty_get_status) X(icalproperty_get_uid) X(icalproperty_get_xlicerror) \
    X(icalproperty_get_first_parameter) X(icalparameter_get_tzid) X(icaltimezone_get_utc_offset) X(icaldurationtype_as_int) X(icaltime_is_utc) \
    X(icaltime_is_null_time) X(icalerror_set_errors_are_fatal) X(icalmemory_free_ring)

struct ical {
#define MEMBER(name) typeof(name) *name;
    ICAL_FUNCTIONS(MEMBER)
#undef MEMBER
};
/* NULL after a sentence. */
const struct ical *ical_load(struct ft_err *reterr);

#define DAY_S 86400ll
enum { CALENDAR_SPANS_MAX = 20000, CALENDAR_WALK_MAX = 200000 };

/* What tells local time: a zone of the system, one that the file itself describes, or UTC (both NULL). */
struct wall { const struct ft_zone *zone; icaltimezone *own; };
void wall_utc(const struct wall *wall, int64_t local_s, int64_t *ret_first, int64_t *ret_last);

/* A thing that happens once or again and again. */
struct happening {
    struct wall wall;
    int64_t start;                    /* local seconds */
    bool is_date, repeats, nominal;   /* nominal: it lasts until the wall shows `length` later; else exactly so long */
    int64_t length;                   /* seconds */
    struct icalrecurrencetype rule;
    struct moment { int64_t at, length; bool is_date; } *extra;    /* RDATE: local seconds; a length of -1: the usual */
    size_t extra_count;
    struct moment *left_out;                                        /* EXDATE, and what was moved: local seconds, or days */
    size_t left_out_count;
    const char *uid;                  /* borrowed of the component */
    bool moved;                       /* one of a series, at another time: `original` names which */
    int64_t original;                 /* UTC seconds */
};

struct ft_calendar {
    struct happening *items;
    size_t count;
    bool wide;
    icalcomponent *root;              /* owns what `uid` and `own` point to */
    struct ft_zone **zones;
    size_t zone_count;
};

int64_t calendar_local(const struct icaltimetype *time);
/* Whether h->rule can be followed; then it repeats. */
int calendar_rule_settle(struct happening *h, struct ft_err *reterr);
