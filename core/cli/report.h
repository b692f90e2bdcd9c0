/* report.h: a run as one HTML page that needs nothing else: for the ticket, the review, the archive. */
#pragma once
#include "cli/app.h"

/* Written to standard output. 0 or an exit status. */
int report_html(struct app *app, const char *id, const json_t *events);
