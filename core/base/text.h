/* text.h: reading and writing the small notations that playbooks and network people use. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "30s", "5m", "1.5h", "2d", "1w", "250ms": whole milliseconds. Returns -EINVAL (no such notation), -ERANGE (over 366 days),
 * leaving *ret_ms. */
int ft_duration_parse(const char *text, uint64_t *ret_ms);
/* "310 ms", "6 s", "2 min 14 s", "4 h 3 min", "3 d 2 h". Returns buf. */
const char *ft_duration_format(uint64_t ms, char *buf, size_t len);

/* Any vendor's notation (a4:83:e7:12:34:56, A4-83-…, a483.e712.3456, a483e7123456) to "a4:83:e7:12:34:56". -EINVAL. */
int ft_mac_normalise(const char *text, char ret[18]);
int ft_ip_check(const char *text);                    /* 4, 6, or -EINVAL */
int ft_cidr_check(const char *text);                  /* 4, 6, or -EINVAL: address/prefix, the bits behind the prefix zero */

/* Whether the name is [a-z][a-z0-9_]*, and no word of Lua's. */
bool ft_name_ok(const char *name);
/* The nearest of `names` (ends with NULL) to `name`, or NULL when none is near enough to be a slip of the fingers. */
const char *ft_suggest(const char *name, const char *const *names);
/* Columns that the UTF-8 text takes on a terminal; invalid bytes count one. */
size_t ft_text_width(const char *text, size_t len);
bool ft_utf8_valid(const char *text, size_t len);
