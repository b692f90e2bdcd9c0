/* live.h: a run as people see it while it goes, made from its events only. Also used to show runs of the past. */
#pragma once
#include <jansson.h>
#include "cli/term.h"

struct live;

/* to a terminal: steps as they end, the one under way on the last line. Otherwise text without control characters. */
struct live *live_new(FILE *to, bool moving);
struct live *live_free(struct live *live);
void live_event(struct live *live, const json_t *event);
void live_progress(struct live *live, const char *path, const char *text);
/* A gate that waits already, as ft_approval_view says: what is asked, of whom, until when. */
void live_gate(struct live *live, const json_t *view);
/* Take away the line under way, so that others may print. */
void live_clear(struct live *live);
/* Columns by which a step within another one is indented: its path says how deep it stands. */
int path_depth(const char *path);
/* What somebody changed since fettle wrote it: was, fettle wrote, is now; the question about a stuck undo, and what a letter answers (NULL: nothing). */
void undo_print_differences(FILE *to, bool colour, const json_t *differences, int indent);
void undo_print_question(FILE *to, const json_t *question, int indent);
json_t *undo_answer_of(const json_t *question, char letter);
/* A dry run's plan as text. */
void plan_print(FILE *to, bool colour, const json_t *plan, bool kept);
/* Its first line: digest, writes, batches, users, how long. */
void plan_head(FILE *to, const json_t *plan);
/* What differs between a planned write and the one that is there now: [{path, planned, now}]. */
void plan_print_differs(FILE *to, bool colour, const json_t *differs, int indent);
char *plan_undo_words(const json_t *write);                                /* malloced */
char *plan_rests_words(const json_t *plan, const json_t *write);           /* the writes whose state it rests on; malloced; NULL: none */
bool plan_is_line(const json_t *write, const json_t *change);              /* a line of a configuration, to be shown as it stands there */
const json_t *plan_side(const json_t *change, const char *side);           /* "from" or "to"; NULL: nothing stood or stands there */
/* As Markdown, for the ticket; malloced. */
char *plan_markdown(const json_t *plan);
/* What a write would change, indented: the request or commands, and the values before and after. */
void plan_print_write(FILE *to, bool colour, const json_t *write_plan, int indent);
