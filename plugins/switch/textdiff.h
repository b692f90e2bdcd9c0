/* textdiff.h: what differs between two texts, line by line. Pure. Free what comes with free(). */
#pragma once
#include <stddef.h>

/* As `diff -u` writes it, without file names; "" where nothing differs, NULL without memory. Texts that differ in very much come as one hunk. */
char *text_diff(const char *from, const char *to);
/* For lines whose order means nothing (Junos' set lines): "-" what is only in `from`, "+" what is only in `to`. */
char *text_set_diff(const char *from, const char *to);
