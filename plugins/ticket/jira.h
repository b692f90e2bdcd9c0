/* jira.h: rich text of Jira Cloud. Pure. */
#pragma once
#include <jansson.h>

/* Atlassian Document Format: a blank line parts paragraphs, a line end is a line end. New. */
json_t *adf_from_text(const char *text);
/* The text in such a document, malloced; paragraphs end with a line end. NULL when it is no document or there is no memory. Bounded in depth and size. */
char *adf_to_text(const json_t *document);
