/* pattern.h: regular expressions as JSON Schema and playbooks write them (the common part of ECMA-262's), matched by libc's
 * POSIX engine, which never backtracks: its time does not explode.
 *
 * Supported: literals, ., classes, \d \w \s and their opposites (ASCII), escapes of punctuation, \t \n \r \f \v, \xHH, \uHHHH,
 * groups (also (?:…)), |, ^, $, and * + ? {n} {n,} {n,m}, lazy or not. U+0000 is in no class. Look-around, back-references, \b and
 * \p are errors of compilation. A subject longer than 64 KiB never matches. Characters are Unicode's, whatever the locale.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"

struct ft_pattern;     /* of the loop thread: libc's form of it is made at the first match */

int ft_pattern_new(const char *text, struct ft_pattern **ret, struct ft_err *reterr);
struct ft_pattern *ft_pattern_free(struct ft_pattern *pattern);     /* NULL is fine; returns NULL */
const char *ft_pattern_text(const struct ft_pattern *pattern);      /* as it was written */
bool ft_pattern_match(struct ft_pattern *pattern, const char *text, size_t len);     /* anywhere in text, as ECMA-262 says */
