#include "base/err.h"
#include <string.h>
#include "base/util.h"

int ft_err_in(struct ft_err *reterr, const char *fmt, ...)
{
    char said[sizeof(reterr->text)];
    va_list ap;
    int n;

    if (!reterr)
        return -EIO;
    memcpy(said, reterr->text, sizeof(said));
    said[sizeof(said) - 1] = '\0';
    va_start(ap, fmt);
    n = vsnprintf(reterr->text, sizeof(reterr->text), fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof(reterr->text))
        snprintf(reterr->text + n, sizeof(reterr->text) - (size_t)n, ": %.*s", (int)(sizeof(said) - (size_t)n), said);
    return reterr->code < 0 ? reterr->code : -EIO;
}

int ft_err_class(struct ft_err *reterr, enum ft_class class, int code, const char *fmt, ...)
{
    va_list ap;

    if (!reterr)
        return code;
    reterr->code = code;
    reterr->class = class;
    va_start(ap, fmt);
    vsnprintf(reterr->text, sizeof(reterr->text), fmt, ap);
    va_end(ap);
    return code;
}

enum ft_class ft_class_from_name(const char *name)
{
    for (enum ft_class class = FT_UNREACHABLE; class <= FT_CANCELLED; class++)
        if (ft_streq(name, ft_class_name(class)))
            return class;
    return FT_CLASS_NONE;
}
