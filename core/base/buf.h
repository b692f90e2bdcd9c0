/* buf.h: a growing, bounded string. Past `max` it takes no more and `overflow` is true: no silent cut. */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct ft_buf {
    char *data;       /* NUL-terminated once anything was added; owned */
    size_t len, cap;
    size_t max;       /* 0: 64 MiB */
    bool overflow;
};
#define FT_BUF_INIT(max_bytes) ((struct ft_buf){ .max = (max_bytes) })

void ft_buf_add(struct ft_buf *buf, const void *bytes, size_t len);
void ft_buf_adds(struct ft_buf *buf, const char *text);
void ft_buf_addc(struct ft_buf *buf, char c);
__attribute__((format(printf, 2, 3)))
void ft_buf_addf(struct ft_buf *buf, const char *fmt, ...);
__attribute__((format(printf, 2, 0)))
void ft_buf_vaddf(struct ft_buf *buf, const char *fmt, va_list ap);
const char *ft_buf_str(const struct ft_buf *buf);     /* "" when empty; never NULL */
char *ft_buf_take(struct ft_buf *buf);                /* the text is the caller's to free; buf is empty after */
void ft_buf_clear(struct ft_buf *buf);                /* keeps the memory */
void ft_buf_done(struct ft_buf *buf);                 /* frees */
