/* gate_text.h: a gate as people see it: what is asked, of whom, what was answered, what would be done. */
#pragma once
#include "cli/app.h"
#include "guard/approval.h"

/* The view of ft_approval_view as text. */
void gate_print(FILE *to, const json_t *view);
/* What is approved, in full: the kept plan with that digest. */
void gate_print_plan(FILE *to, const struct app *app, const json_t *view);
/* "network-lead (2), 1 of 2 so far, 29 min left"; malloced. */
char *gate_state_words(const json_t *view);
/* What happened at a gate, in one line; NULL: nothing that people did. malloced */
char *gate_words(const json_t *event, const char **ret_mark, enum ft_tone *ret_tone);
struct ft_approvals app_approvals(const struct app *app);
/* Where this person sits: "command line on noc-1". */
const char *app_where(void);
/* How many broken glasses nobody has looked at yet, and since when: a sentence; NULL: none. malloced */
char *gate_unreviewed(const struct app *app);
/* Says so on stderr, wherever people look at runs, until somebody has. */
void gate_nag(const struct app *app);
/* What becomes of the run now: who runs it, or how to go on with it. */
void gate_print_next(const struct app *app, const char *run, const json_t *view);
