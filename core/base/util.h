/* util.h: macros and allocation. Small allocations of our own abort when memory is gone; whatever is sized from outside
 * has a ceiling and fails as an ordinary error instead. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define ft_container(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))
/* One argument is evaluated twice: no calls, no ++ in them. */
#define ft_min(a, b) ((a) < (b) ? (a) : (b))
#define ft_max(a, b) ((a) > (b) ? (a) : (b))

void *ft_calloc(size_t n, size_t size);           /* zeroed; aborts */
void *ft_realloc(void *ptr, size_t size);         /* aborts */
char *ft_strdup(const char *text);                /* NULL stays NULL */
char *ft_strndup(const char *text, size_t len);
__attribute__((format(printf, 1, 2)))
char *ft_asprintf(const char *fmt, ...);
static inline bool ft_streq(const char *a, const char *b) { return a == b || (a && b && strcmp(a, b) == 0); }
