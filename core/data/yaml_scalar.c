/* yaml_scalar.c: what a scalar without quotes means, and where readers of YAML do not agree about it. */
#include <strings.h>
#include "base/util.h"
#include "data/json.h"
#include "data/yaml_parts.h"

#define DIGITS "0123456789"

static size_t digits(const char *text)
{
    return strspn(text, DIGITS);
}

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strcasecmp(text, *words) == 0)
            return true;
    return false;
}

static struct yaml_trap word_trap(struct ft_arena *mem, const char *text)
{
    static const char *const yes[] = { "yes", "on", "y", "true", NULL }, *const no[] = { "no", "off", "n", "false", NULL };
    static const char *const null[] = { "null", NULL }, *const special[] = { ".inf", "+.inf", "-.inf", ".nan", NULL };

    if (is_one_of(text, yes) || is_one_of(text, no))
        return (struct yaml_trap){ ft_arena_printf(mem, "'%s' is a string here, not a boolean", text),
                                   is_one_of(text, yes) ? "write true or quote it" : "write false or quote it" };
    if (is_one_of(text, null))
        return (struct yaml_trap){ ft_arena_printf(mem, "'%s' is a string here, not null", text), "write null or quote it" };
    if (is_one_of(text, special))
        return (struct yaml_trap){ ft_arena_printf(mem, "'%s' is not a number here", text), "write a number or quote it" };
    return (struct yaml_trap){ 0 };
}

/* 0o12, 0x1f, 0b101. */
static bool other_base(const char *text, unsigned long long *ret)
{
    static const struct { const char *prefix, *digits; int base; } bases[] = {
        { "0x", DIGITS "abcdefABCDEF_", 16 }, { "0o", "01234567_", 8 }, { "0b", "01_", 2 },
    };
    char plain[32];
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(bases); i++) {
        const char *rest = text + strlen(bases[i].prefix);

        if (strncmp(text, bases[i].prefix, strlen(bases[i].prefix)) != 0 || !*rest || rest[strspn(rest, bases[i].digits)])
            continue;
        for (; *rest && n < sizeof(plain) - 1; rest++)
            if (*rest != '_')
                plain[n++] = *rest;
        plain[n] = '\0';
        *ret = strtoull(plain, NULL, bases[i].base);
        return true;
    }
    return false;
}

/* 12:30:45, which YAML 1.1 reads as 45045. */
static bool base_sixty(const char *text)
{
    size_t n = digits(text);

    if (n == 0 || *text == '0' || text[n] != ':')
        return false;
    for (text += n; *text == ':'; text += 1 + n) {
        n = digits(text + 1);
        if (n < 1 || n > 2 || (n == 2 && text[1] > '5'))
            return false;
    }
    return *text == '\0' || (*text == '.' && !text[1 + strspn(text + 1, DIGITS "_")]);
}

/* 1e3, 1.5E-3, .5e3. */
static bool exponent(const char *text)
{
    size_t whole = digits(text), fraction = text[whole] == '.' ? digits(text + whole + 1) : 0;
    const char *e = text + whole + (text[whole] == '.') + fraction;

    if (whole + fraction == 0 || (*e != 'e' && *e != 'E'))
        return false;
    e += 1 + (e[1] == '+' || e[1] == '-');
    return digits(e) > 0 && !e[digits(e)];
}

/* 1_000, 1_000.5 */
static bool underscores(const char *text)
{
    return digits(text) > 0 && strchr(text, '_') && !text[strspn(text, DIGITS "_.")];
}

static char *without(struct ft_arena *mem, const char *text, char unwanted)
{
    char *copy = ft_arena_strdup(mem, text), *to = copy;

    for (; *text; text++)
        if (*text != unwanted)
            *to++ = *text;
    *to = '\0';
    return copy;
}

/* .5, 5. and +5, which JSON does not know: how to write them, or NULL. */
static const char *json_spelling(struct ft_arena *mem, const char *text)
{
    const char *sign = *text == '-' ? "-" : "", *number = text + (*text == '-' || *text == '+');
    size_t whole = digits(number), fraction = number[whole] == '.' ? digits(number + whole + 1) : 0;
    const char *rest = number + whole + (number[whole] == '.') + fraction;

    if (*rest || whole + fraction == 0)
        return NULL;
    return ft_arena_printf(mem, "%s%s%s%s", sign, whole ? "" : "0", number, number[whole] == '.' && fraction == 0 ? "0" : "");
}

static struct yaml_trap not_a_number(struct ft_arena *mem, const char *text, const char *sign, const char *instead)
{
    return (struct yaml_trap){ ft_arena_printf(mem, "'%s' is a string here, not a number", text),
                               ft_arena_printf(mem, "write %s%s or quote it", sign, instead) };
}

static struct yaml_trap zero_in_front(struct ft_arena *mem, const char *text, const char *sign, const char *number)
{
    const char *decimal = number + strspn(number, "0");

    if (*decimal < '0' || *decimal > '9')
        decimal--;                           /* 00 and 00.5 keep one */
    return (struct yaml_trap){ ft_arena_printf(mem, "'%s' is %s%s to some and octal to others", text, sign, decimal),
                               ft_arena_printf(mem, "write %s%s or quote it", sign, decimal) };
}

static struct yaml_trap number_trap(struct ft_arena *mem, const char *text)
{
    const char *sign = *text == '-' ? "-" : "", *number = text + (*text == '-' || *text == '+');
    const char *plain = json_spelling(mem, text);
    unsigned long long value;

    if (plain && number[0] == '0' && digits(number) > 1)
        return zero_in_front(mem, text, sign, number);
    if (plain)
        return not_a_number(mem, text, "", plain);
    if (other_base(number, &value))
        return not_a_number(mem, text, sign, ft_arena_printf(mem, "%llu", value));
    if (underscores(number))
        return not_a_number(mem, text, sign, without(mem, number, '_'));
    if (exponent(number))
        return not_a_number(mem, text, "", "all its digits");
    if (base_sixty(number))
        return (struct yaml_trap){ ft_arena_printf(mem, "'%s' is a number to base 60 to some and text to others", text), "quote it" };
    return (struct yaml_trap){ 0 };
}

/* -?(0|[1-9][0-9]*)(\.[0-9]+)? */
static enum ft_node_kind plain_number(const char *text)
{
    const char *number = text + (*text == '-');
    size_t whole = digits(number), fraction;

    if (whole == 0 || (whole > 1 && *number == '0'))
        return FT_NODE_STRING;
    if (!number[whole])
        return FT_NODE_INT;
    fraction = number[whole] == '.' ? digits(number + whole + 1) : 0;
    return fraction && !number[whole + 1 + fraction] ? FT_NODE_REAL : FT_NODE_STRING;
}

enum ft_node_kind yaml_classify(struct ft_arena *mem, const char *text, size_t len, struct yaml_trap *ret_trap)
{
    enum ft_node_kind number;
    json_t *value;

    *ret_trap = (struct yaml_trap){ 0 };
    if (len == 0 || strcmp(text, "~") == 0 || strcmp(text, "null") == 0)
        return FT_NODE_NULL;
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return FT_NODE_BOOL;
    number = plain_number(text);
    if (number != FT_NODE_STRING) {
        if (ft_json_parse(text, len, 0, &value, /* reterr= */ NULL) == 0) {
            json_decref(value);
            return number;
        }
        *ret_trap = (struct yaml_trap){ "the number is too large", "quote it" };
        return FT_NODE_STRING;
    }
    *ret_trap = word_trap(mem, text);
    if (!ret_trap->text && strchr("+-.0123456789", *text))
        *ret_trap = number_trap(mem, text);
    return FT_NODE_STRING;
}
