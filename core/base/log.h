/* log.h: lines for those who run fettle, on standard error. Library code returns errors; only the edges log. */
#pragma once
#include <fettle/plugin.h>

/* Everything written goes through the redaction hook (secret/ sets it). Takes a line, returns a malloced replacement,
 * or NULL for the line as it is. Control characters are written as \xNN. */
void ft_log_set_redactor(char *(*redact)(const char *line));
void ft_log_set_level(enum ft_log_level level);       /* default FT_LOG_WARN */
__attribute__((format(printf, 2, 3)))
void ft_log(enum ft_log_level level, const char *fmt, ...);
