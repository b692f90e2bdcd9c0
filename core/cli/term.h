/* term.h: how text looks on a terminal: colour only where it means something, never alone; columns that line up. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "base/zone.h"

enum ft_tone { TONE_PLAIN, TONE_GOOD, TONE_BAD, TONE_WARN, TONE_DIM, TONE_BOLD };

bool term_colour(FILE *to);                          /* a terminal, and colour is wanted */
bool term_is(FILE *to);                              /* a terminal */
int term_width(FILE *to);                            /* columns; 80 when it is no terminal */
/* The text in a tone, or plain when `colour` is false. */
void term_put(FILE *to, bool colour, enum ft_tone tone, const char *text);
/* Writes the text, padded with spaces or cut with … to `width` columns. */
void term_column(FILE *to, const char *text, int width);
/* Wrapped at `width`, every line behind the first indented by `indent` spaces. Starts at column `at`. */
void term_wrap(FILE *to, const char *text, int at, int indent, int width);
/* Times are shown as the clock on that wall shows them; NULL: the machine's own. Borrowed. */
void term_zone(const struct ft_zone *zone);
/* "02:42" of today, else "Sun 2026-11-29 02:00 CET"; with seconds "02:42:07". buf of at least 48 bytes; returns buf. */
const char *term_when(uint64_t wall_ms, bool seconds, char buf[48]);
