#include "base/buf.h"
#include <stdio.h>
#include "base/util.h"

#define DEFAULT_MAX ((size_t)64 << 20)

/* Room for len more bytes and the NUL; false once the bound is reached. */
static bool reserve(struct ft_buf *buf, size_t len)
{
    size_t max = buf->max ? buf->max : DEFAULT_MAX;

    if (buf->overflow || len > max - buf->len) {
        buf->overflow = true;
        return false;
    }
    if (buf->len + len + 1 > buf->cap) {
        buf->cap = ft_max(buf->cap * 2, buf->len + len + 1);
        buf->cap = ft_max(buf->cap, (size_t)64);
        buf->data = ft_realloc(buf->data, buf->cap);
    }
    return true;
}

void ft_buf_add(struct ft_buf *buf, const void *bytes, size_t len)
{
    if (!reserve(buf, len))
        return;
    if (len)
        memcpy(buf->data + buf->len, bytes, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void ft_buf_adds(struct ft_buf *buf, const char *text)
{
    ft_buf_add(buf, text, strlen(text));
}

void ft_buf_addc(struct ft_buf *buf, char c)
{
    ft_buf_add(buf, &c, 1);
}

void ft_buf_addf(struct ft_buf *buf, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    ft_buf_vaddf(buf, fmt, ap);
    va_end(ap);
}

void ft_buf_vaddf(struct ft_buf *buf, const char *fmt, va_list ap)
{
    va_list again;
    int n;

    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (n < 0 || !reserve(buf, (size_t)n))
        return;
    vsnprintf(buf->data + buf->len, (size_t)n + 1, fmt, ap);
    buf->len += (size_t)n;
}

const char *ft_buf_str(const struct ft_buf *buf)
{
    return buf->data ? buf->data : "";
}

char *ft_buf_take(struct ft_buf *buf)
{
    char *text = buf->data ? buf->data : ft_strdup("");

    *buf = FT_BUF_INIT(buf->max);
    return text;
}

void ft_buf_clear(struct ft_buf *buf)
{
    buf->len = 0;
    buf->overflow = false;
    if (buf->data)
        buf->data[0] = '\0';
}

void ft_buf_done(struct ft_buf *buf)
{
    free(buf->data);
    *buf = FT_BUF_INIT(buf->max);
}
