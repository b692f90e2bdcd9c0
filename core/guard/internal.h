/* internal.h: what the files of guard/ share.
 *   guard.c   the answer: which rules hold, and the strictest of what they say      match.c   whether a rule speaks of a write
 *   times.c   when a write may be done: windows, freezes, lead times                 ledger.c  budgets without a store
 *   words.c   rules as sentences, doubts.c what is wrong with them      aim.c     what a write is aimed at
 *   met.c     what was approved already                                 approval.c  answers of people, review.c broken glass
 *   change.c  which category a change has */
#pragma once
#include "base/buf.h"
#include "base/text.h"
#include "base/util.h"
#include "data/json.h"
#include "guard/guard.h"

struct ledger;

struct ft_guard {
    struct ft_guard_opts o;
    const struct ft_rails *rails;
    const struct ft_clock *clock;
    bool unreadable;                           /* the configuration is, now */
    char **says;                               /* what each rule asks for, in words; ends with NULL */
    struct ft_zone *zone;                      /* to show times in, where the configuration has none */
    struct ledger *ledger;                     /* where there is no store */
};


/* match.c */
bool glob(const char *pattern, const char *text);
bool words_match(const struct ft_words *words, const char *text);
bool words_mean(const struct ft_words *words, const char *text);     /* true when there are none; with "!" */
bool freeze_holds(const struct ft_guard *guard, const struct ft_freeze *freeze, const struct ft_write_facts *facts);     /* when it lasts */
/* now: inside and outside are asked for the time from then on that the write needs. Negative: a calendar cannot be followed. */
int rail_matches(const struct ft_guard *guard, const struct ft_rail *rail, const struct ft_write_facts *facts, uint64_t now, struct ft_err *reterr);

/* aim.c: what a write is aimed at, however it is spelled */
bool aim_mentions(const struct ft_write_facts *facts, const char *word);                    /* its request does; as a word of its own */
char *aim_site(const struct ft_guard *guard, const struct ft_write_facts *facts);           /* one spelling of it; "": not known; malloced */
char *aim_small(const char *text);                                                          /* malloced */
unsigned aim_count(const struct ft_write_facts *facts);                                     /* how many things it changes */

/* times.c */
struct when {
    bool now;                                  /* it fits now */
    uint64_t next;                             /* else: from when; 0: never */
    uint64_t closes;                           /* of the time that it fits in; 0: it does not end */
    uint64_t longest;                          /* of the times looked at, in ms */
    bool held;                                 /* anything limits it at all */
    uint64_t lead_until;                       /* the lead time is over then; 0: none */
    const struct ft_freeze *freeze;            /* that holds now, or NULL */
};
int when_allowed(const struct ft_guard *guard, const struct ft_rail *const *rails, size_t count, const struct ft_write_facts *facts, uint64_t now, struct when *ret,
                 struct ft_err *reterr);

/* ledger.c */
int ledger_spend(struct ft_guard *guard, const char *run_id, const char *path, unsigned attempt, uint64_t now_ms, struct ft_spend *spends, size_t count, bool take);
void ledger_free(struct ledger *ledger);

/* words.c */
char *rail_says(const struct ft_rail *rail);                       /* what it asks for; malloced */
int next_span(const struct ft_calendar *calendar, uint64_t now, struct ft_span *ret, struct ft_err *reterr);      /* under way or next; to 0: none */
char *rail_speaks_of(const struct ft_rail *rail);                  /* "disruptive writes at HQ"; malloced */
