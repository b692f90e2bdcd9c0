/* kit.h: what nearly every plugin needs besides the host's table: values out of JSON objects, and errors that carry a class.
 * All of it is inline: a plugin still links against none of fettle's symbols. */
#pragma once
#include <ctype.h>
#include <string.h>
#include <jansson.h>
#include <fettle/plugin.h>

/* JSON as C source: .params_schema = FT_JSON({"type": "object"}). No macro's name may stand in it, and no # either. */
#define FT_JSON(...) #__VA_ARGS__

/* A member of an object; all borrowed. NULL, 0 or false where it is absent, null or of another type, and where the object is NULL. */
static inline const json_t *ft_get(const json_t *object, const char *key) { return json_object_get(object, key); }
static inline const char *ft_str(const json_t *object, const char *key) { return json_string_value(ft_get(object, key)); }
static inline json_int_t ft_int(const json_t *object, const char *key) { return json_integer_value(ft_get(object, key)); }
static inline double ft_num(const json_t *object, const char *key) { return json_number_value(ft_get(object, key)); }
static inline bool ft_true(const json_t *object, const char *key) { return json_is_true(ft_get(object, key)); }

static inline bool ft_same(const char *a, const char *b) { return a && b && strcmp(a, b) == 0; }

/* object[key] = text; nothing where text is NULL. */
static inline void ft_put_str(json_t *object, const char *key, const char *text)
{
    if (text)
        json_object_set_new(object, key, json_string(text));
}

/* A MAC address in any notation, as upper-case pairs with `separator` between them: 17 characters and the NUL. False where it is none. */
static inline bool ft_mac(const char *text, char separator, char ret[18])
{
    size_t digits = 0, at = 0;

    for (const char *p = text; p && *p; p++) {
        if (strchr(":-.", *p) && digits > 0 && digits < 12)
            continue;
        if (!isxdigit((unsigned char)*p) || digits == 12)
            return false;
        if (digits && digits % 2 == 0)
            ret[at++] = separator;
        ret[at++] = (char)toupper((unsigned char)*p);
        digits++;
    }
    ret[at] = '\0';
    return digits == 12;
}

/* As ft_err_set, with a class; always gives -EINVAL, so `return ft_fault(reterr, FT_INVALID, …)` ends a start. */
__attribute__((format(printf, 3, 4)))
static inline int ft_fault(struct ft_err *reterr, enum ft_class class, const char *fmt, ...)
{
    if (reterr) {
        va_list ap;

        reterr->code = -EINVAL;
        reterr->class = class;
        va_start(ap, fmt);
        vsnprintf(reterr->text, sizeof(reterr->text), fmt, ap);
        va_end(ap);
    }
    return -EINVAL;
}
