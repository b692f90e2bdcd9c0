/* rails.h: the guard rails of the configuration, read and checked: windows, freezes, categories of changes, policies. What they mean for a write
 * is guard's business. All of it belongs to the configuration. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "data/calendar.h"

struct ft_words { const char **items; size_t count; };             /* patterns: * and ?; "!x": all but x */

/* What a policy speaks of. An empty list: whatever it is. All lists that are not empty must hold. */
struct ft_match {
    struct ft_words effects, actions, sites, targets, playbooks, kinds, changes, severities;
    struct ft_words inside, outside;                               /* names of windows */
};

struct ft_need_approval {
    const char *role;                                              /* NULL: no approval is needed */
    unsigned count;
    uint64_t within_ms, remind_ms;
    struct ft_escalation { uint64_t after_ms; const char *role; } *escalate;
    size_t escalate_count;
    bool break_glass;                                              /* may be gone without, loudly */
};

enum ft_budget_per { FT_PER_ALL, FT_PER_SITE, FT_PER_TARGET };
struct ft_need_budget {
    unsigned at_most;                                              /* 0: there is none */
    uint64_t in_ms;
    enum ft_budget_per per;
    bool stops;                                                    /* used up: stop, rather than wait */
};

/* One rule. Categories of changes are rules, too: "category normal". */
struct ft_rail {
    const char *name, *about;                                      /* about: NULL: none */
    struct ft_match match;
    struct ft_need_approval approval;
    struct ft_words windows;                                       /* within one of these */
    struct ft_need_budget budget;
    struct { unsigned times; uint64_t in_ms; } no_better;          /* times 0: none */
    const char *never;                                             /* why; NULL: allowed */
    uint64_t lead_ms;                                              /* asked for so long before */
};

struct ft_window { const char *name, *about; struct ft_calendar *calendar; };

struct ft_freeze {
    const char *name, *about;
    struct ft_calendar *calendar;
    struct ft_words sites, actions, except;                        /* empty: all of them; categories of changes that may go on */
};

struct ft_change { const char *name, *risk; bool overrides, is_default; };

struct ft_rails {
    struct ft_zone *zone;
    struct ft_window *windows; size_t window_count;
    struct ft_freeze *freezes; size_t freeze_count;
    struct ft_change *changes; size_t change_count;
    struct ft_rail *rails; size_t rail_count;
    const char **files; size_t file_count;                         /* calendars that were read, too */
};

/* Whether there is a window of that name; *ret_near: the nearest one, or NULL. */
bool ft_rails_has_window(const struct ft_rails *rails, const char *name, const char **ret_near);
const struct ft_window *ft_rails_window(const struct ft_rails *rails, const char *name);
const struct ft_change *ft_rails_change(const struct ft_rails *rails, const char *name);
