/* report.h: a run as one HTML page that needs nothing else: for the ticket, the review, the archive. */
#pragma once
#include "cli/app.h"

struct ft_buf;
/* The page up to, but without, </body>. */
void report_page(struct ft_buf *buf, struct app *app, const char *id, const json_t *events);
/* Written to standard output. 0 or an exit status. */
int report_html(struct app *app, const char *id, const json_t *events);
