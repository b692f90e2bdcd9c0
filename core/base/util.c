#include "base/util.h"
#include <stdarg.h>
#include <stdio.h>

static void *must(void *ptr)
{
    if (!ptr) {
        fputs("fettle: error: out of memory\n", stderr);
        abort();
    }
    return ptr;
}

void *ft_calloc(size_t n, size_t size)
{
    return must(calloc(n ? n : 1, size ? size : 1));
}

void *ft_realloc(void *ptr, size_t size)
{
    return must(realloc(ptr, size ? size : 1));
}

char *ft_strdup(const char *text)
{
    return text ? must(strdup(text)) : NULL;
}

char *ft_strndup(const char *text, size_t len)
{
    return text ? must(strndup(text, len)) : NULL;
}

char *ft_asprintf(const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&text, fmt, ap);
    va_end(ap);
    return must(n < 0 ? NULL : text);
}
