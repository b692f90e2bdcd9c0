/* err.h: how every function of fettle reports failure, in the program and in plugins.
 *
 * A function returns 0 or a negative errno and writes one sentence to `reterr`. The lowest level says what went wrong
 * with its own thing; each level above adds only where (ft_err_in in base/err.h). NULL for `reterr` is always fine.
 */
#pragma once
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* What a playbook can branch on (`on_error`, `retry: if: error.class == "timeout"`). */
enum ft_class {
    FT_CLASS_NONE = 0,
    FT_UNREACHABLE,   /* no connection: refused port, no route, name not found, TLS or host key not accepted */
    FT_REFUSED,       /* the other side answered and will not or cannot: 5xx, 429 after all waits, a failed command */
    FT_DENIED,        /* credentials missing or rejected, privilege missing */
    FT_NOT_FOUND,     /* the thing that was asked for does not exist */
    FT_INVALID,       /* a parameter, or an answer that is not what the interface promises */
    FT_CONFLICT,      /* somebody else changed or locked it */
    FT_TIMEOUT,       /* a deadline passed before the request was answered; for a write only when nothing was sent */
    FT_AMBIGUOUS,     /* a write was sent, its answer is unknown: it may have happened */
    FT_CANCELLED,
};

struct ft_err {
    int code;                 /* negative errno */
    enum ft_class class;      /* FT_CLASS_NONE where no class fits */
    char text[1000];          /* one sentence without a final stop */
};

__attribute__((format(printf, 3, 4)))
static inline int ft_err_set(struct ft_err *reterr, int code, const char *fmt, ...)
{
    if (reterr) {
        va_list ap;

        reterr->code = code;
        reterr->class = FT_CLASS_NONE;
        va_start(ap, fmt);
        vsnprintf(reterr->text, sizeof(reterr->text), fmt, ap);
        va_end(ap);
    }
    return code;
}

static inline const char *ft_class_name(enum ft_class class)
{
    static const char *const names[] = {
        "none", "unreachable", "refused", "denied", "not_found", "invalid", "conflict", "timeout", "ambiguous", "cancelled",
    };

    return (unsigned)class < sizeof(names) / sizeof(names[0]) ? names[class] : "none";
}
