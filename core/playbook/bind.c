/* bind.c: parameters and answers as given, checked and brought into one form. */
#include "playbook/loader.h"
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"
#include "data/json.h"
#include "data/pattern.h"
#include "secret/secret.h"

enum { LIST_MAX = 10000, TEXT_MAX = 65536 };

typedef int binder(const json_t *spec, const json_t *given, json_t **ret, struct ft_err *reterr);

/* The value for a sentence, short, a text in quotes. malloced */
static char *quoted(const json_t *given)
{
    char *brief = ft_json_brief(given, 60), *text = json_is_string(given) ? ft_asprintf("'%s'", brief) : ft_strdup(brief);

    free(brief);
    return text;
}

__attribute__((format(printf, 3, 4)))
static int refuse(const json_t *given, struct ft_err *reterr, const char *fmt, ...)
{
    char *value = quoted(given);
    char why[600];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    ft_err_set(reterr, -EINVAL, "%s %s", value, why);
    free(value);
    return -EINVAL;
}

/* ---- texts ------------------------------------------------------------------------------------------------------- */

static int check_pattern(const char *pattern, const json_t *given, struct ft_err *reterr)
{
    struct ft_pattern *compiled = NULL;
    int r = ft_pattern_new(pattern, &compiled, reterr);

    if (r == 0 && !ft_pattern_match(compiled, json_string_value(given), json_string_length(given)))
        r = refuse(given, reterr, "does not match the pattern %s", pattern);
    ft_pattern_free(compiled);
    return r;
}

static size_t characters(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static int bind_string(const json_t *spec, const json_t *given, json_t **ret, struct ft_err *reterr)
{
    const json_t *min = json_object_get(spec, "min"), *max = json_object_get(spec, "max");
    const char *text = json_string_value(given), *pattern = ft_json_str(spec, "pattern");
    size_t n;
    int r;

    if (!text)
        return refuse(given, reterr, "is not a text");
    n = characters(text);
    if (json_string_length(given) > TEXT_MAX)
        return ft_err_set(reterr, -EINVAL, "the text is longer than 64 KiB");
    if (min && (double)n < json_number_value(min))
        return refuse(given, reterr, "has %zu characters, and needs at least %g", n, json_number_value(min));
    if (max && (double)n > json_number_value(max))
        return refuse(given, reterr, "has %zu characters, and may have %g", n, json_number_value(max));
    r = pattern ? check_pattern(pattern, given, reterr) : 0;
    if (r == 0)
        *ret = json_incref((json_t *)given);
    return r;
}

/* A site or a device: a name or an id, as people write it. */
static int bind_thing(const json_t *spec, const json_t *given, json_t **ret, struct ft_err *reterr)
{
    const char *text = json_string_value(given);

    if (text && !text[strspn(text, " \t")])
        return ft_err_set(reterr, -EINVAL, "the text is empty: give a name or an id");
    return bind_string(spec, given, ret, reterr);
}

static int bind_enum(const json_t *spec, const json_t *given, json_t **ret, struct ft_err *reterr)
{
    const json_t *values = json_object_get(spec, "one_of");
    struct ft_buf all = FT_BUF_INIT(500);
    char near[128];
    const char **names = ft_calloc(json_array_size(values) + 1, sizeof(*names));
    int r = -EINVAL;

    for (size_t i = 0; i < json_array_size(values); i++) {
        names[i] = json_string_value(json_array_get(values, i));
        ft_buf_addf(&all, "%s%s", i ? ", " : "", names[i]);
        if (json_is_string(given) && strcmp(names[i], json_string_value(given)) == 0)
            r = 0;
    }
    if (r == 0)
        *ret = json_incref((json_t *)given);
    else
        refuse(given, reterr, "is not one of %s%s", ft_buf_str(&all),
               rd_did_you_mean(json_is_string(given) ? ft_suggest(json_string_value(given), names) : NULL, near, sizeof(near)));
    ft_buf_done(&all);
    free(names);
    return r;
}

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

static int check_bounds(const json_t *spec, const json_t *given, double value, struct ft_err *reterr)
{
    const json_t *min = json_object_get(spec, "min"), *max = json_object_get(spec, "max");

    if (json_is_number(min) && value < json_number_value(min))
        return refuse(given, reterr, "is less than %.15g", json_number_value(min));
    if (json_is_number(max) && value > json_number_value(max))
        return refuse(given, reterr, "is more than %.15g", json_number_value(max));
    return 0;
}

/* A plain decimal text; a command line has nothing else. */
static bool number_of_text(const char *text, double *ret)
{
    size_t digits = strspn(*text == '-' || *text == '+' ? text + 1 : text, "0123456789.");
    char *end;

    errno = 0;
    *ret = strtod(text, &end);
    return digits > 0 && end != text && !*end && text[strspn(text, "+-0123456789.")] == '\0' && errno == 0;
}

static int bind_int(const json_t *spec, const json_t *given, json_t **ret, struct ft_err *reterr)
{
    const char *text = json_string_value(given);
    json_int_t value = json_integer_value(given);
    char *end = NULL;
    int r;

    if (text) {
        errno = 0;
        value = strtoll(text, &end, 10);
        if (!*text || *end || errno || text[strspn(text, "+-0123456789")])
            return refuse(given, reterr, "is not a whole number");
    } else if (json_is_real(given) && json_real_value(given) == floor(json_real_value(given)) && fabs(json_real_value(given)) < 9e15) {
        value = (json_int_t)json_real_value(given);
    } else if (!json_is_integer(given)) {
        return refuse(given, reterr, "is not a whole number");
    }
    r = check_bounds(spec, given, (double)value, reterr);
    if (r == 0)
        *ret = json_integer(value);
    return r;
}

static int bind_number(const json_t *spec, const json_t *given, json_t **ret, struct ft_err *reterr)
{
    double value = json_number_value(given);
    int r;

    if (json_is_string(given) ? !number_of_text(json_string_value(given), &value) : !json_is_number(given))
        return refuse(given, reterr, "is not a number");
    r = check_bounds(spec, given, value, reterr);
    if (r < 0)
        return r;
    if (value == floor(value) && fabs(value) < 9e15)
        *ret = json_integer((json_int_t)value);
    else
        *ret = json_is_string(given) ? json_real(value) : json_incref((json_t *)given);
    return 0;
}

static int bind_bool(const json_t *spec, const json_t *given, json_t **ret, struct ft_err *reterr)
{
    const char *text = json_string_value(given);

    (void)spec;
    if (!json_is_boolean(given) && !ft_streq(text, "true") && !ft_streq(text, "false"))
        return refuse(given, reterr, "is neither true nor false");
    *ret = json_boolean(json_is_true(given) || ft_streq(text, "true"));
    return 0;
}

/* ---- times ------------------------------------------------------------------------------------------------------- */

static bool bound_ms(const json_t *spec, const char *key, uint64_t *ret)
{
    const char *text = ft_json_str(spec, key);

    return text && ft_duration_parse(text, ret) == 0;
}

static int bind_duration(const json_t *spec, const json_t *given, json_t **ret, struct ft_err *reterr)
{
    const char *text = json_string_value(given);
    uint64_t ms = 0, bound;
    int r = 0;

    if (text)
        r = ft_duration_parse(text, &ms);
    else if (json_is_integer(given) && json_integer_value(given) >= 0)
        ms = (uint64_t)json_integer_value(given);        /* already bound once: milliseconds */
    else
        r = -EINVAL;
    if (r == -ERANGE)
        return refuse(given, reterr, "is over 366 days");
    if (r < 0 && text && number_of_text(text, &(double){ 0 }))
        return refuse(given, reterr, "has no unit: write %ss or %sm", text, text);
    if (r < 0)
        return refuse(given, reterr, "is no duration: write 30s, 5m, 1.5h, 2d");
    if (bound_ms(spec, "min", &bound) && ms < bound)
        return refuse(given, reterr, "is less than %s", ft_json_str(spec, "min"));
    if (bound_ms(spec, "max", &bound) && ms > bound)
        return refuse(given, reterr, "is more than %s", ft_json_str(spec, "max"));
    *ret = json_integer((json_int_t)ms);
    return 0;
}

static int bind_time(const json_t *spec, const json_t *given, json_t **ret, struct ft_err *reterr)
{
    const char *text = json_string_value(given);
    char canonical[32];
    uint64_t ms;

    (void)spec;
    if (!text || ft_time_parse(text, &ms) < 0)
        return refuse(given, reterr, "is no time: write 2026-11-21T02:13:00Z or 2026-11-21T03:13:00+01:00");
    *ret = json_string(ft_time_format(ms, canonical, sizeof(canonical)));
    return 0;
}

/* ---- addresses --------------------------------------------------------------------------------------------------- */

static int bind_mac(const json_t *spec, const json_t *given, json_t **ret, struct ft_err *reterr)
{
    const char *text = json_string_value(given);
    char mac[18];

    (void)spec;
    if (!text || ft_mac_normalise(text, mac) < 0)
        return refuse(given, reterr, "is not a MAC address: 12 hexadecimal digits, as a4:83:e7:12:34:56 or a483.e712.3456");
    *ret = json_string(mac);
    return 0;
}

/* inet_pton and back: 2001:DB8::0:1 and 2001:db8::1 are one address. */
static void canonical_ip(const char *text, int family, char ret[INET6_ADDRSTRLEN])
{
    unsigned char bytes[16];
    int af = family == 4 ? AF_INET : AF_INET6;

    if (inet_pton(af, text, bytes) != 1 || !inet_ntop(af, bytes, ret, INET6_ADDRSTRLEN))
        snprintf(ret, INET6_ADDRSTRLEN, "%s", text);
}

static int bind_ip(const json_t *spec, const json_t *given, json_t **ret, struct ft_err *reterr)
{
    const char *text = json_string_value(given);
    int family = text ? ft_ip_check(text) : -EINVAL;
    char ip[INET6_ADDRSTRLEN];

    (void)spec;
    if (family < 0)
        return refuse(given, reterr, "is not an IP address%s", text && ft_cidr_check(text) > 0 ? " but a network: leave out its /prefix" : "");
    canonical_ip(text, family, ip);
    *ret = json_string(ip);
    return 0;
}

/* Why a text with a slash in it is no network: the address has bits set behind the prefix, or it is nothing of the kind. */
static const char *why_no_network(const char *text)
{
    const char *slash = text ? strchr(text, '/') : NULL;
    char address[INET6_ADDRSTRLEN];

    if (text && ft_ip_check(text) > 0)
        return "is an address without a prefix: write 10.1.2.0/24";
    if (!slash || (size_t)(slash - text) >= sizeof(address))
        return "is not a network: write 10.1.2.0/24 or 2001:db8::/32";
    snprintf(address, sizeof(address), "%.*s", (int)(slash - text), text);
    if (ft_ip_check(address) > 0 && slash[1] && !slash[1 + strspn(slash + 1, "0123456789")])
        return "is not a network: bits behind the prefix are set, or the prefix is too long";
    return "is not a network: write 10.1.2.0/24 or 2001:db8::/32";
}

static int bind_cidr(const json_t *spec, const json_t *given, json_t **ret, struct ft_err *reterr)
{
    const char *text = json_string_value(given);
    int family = text ? ft_cidr_check(text) : -EINVAL;
    char address[INET6_ADDRSTRLEN], ip[INET6_ADDRSTRLEN];
    const char *slash;

    (void)spec;
    if (family < 0)
        return refuse(given, reterr, "%s", why_no_network(text));
    slash = strchr(text, '/');
    snprintf(address, sizeof(address), "%.*s", (int)(slash - text), text);
    canonical_ip(address, family, ip);
    *ret = json_sprintf("%s%s", ip, slash);
    return 0;
}

/* ---- secrets ----------------------------------------------------------------------------------------------------- */

/* The text is never repeated in an error: it may be the secret itself. */
static int bind_secret(const json_t *spec, const json_t *given, json_t **ret, struct ft_err *reterr)
{
    static const char *const sources[] = { "env", "file", "sealed", "vault" };
    const char *text = json_string_value(given), *colon = text ? strchr(text, ':') : NULL;
    const json_t *inner = json_object_get(given, "$secret");
    json_t *ref = NULL;

    if (json_is_object(inner) && ft_secret_is_ref(given))
        ref = json_copy((json_t *)inner);
    for (size_t i = 0; colon && colon[1] && i < ARRAY_LEN(sources); i++)
        if (strlen(sources[i]) == (size_t)(colon - text) && strncmp(text, sources[i], (size_t)(colon - text)) == 0)
            ref = json_pack("{s:s}", sources[i], colon + 1);
    if (!ref)
        return ft_err_set(reterr, -EINVAL, "give a reference, env:NAME, file:/path, sealed:NAME or vault:path#field, never the secret itself");
    if (ft_json_str(spec, "release"))
        json_object_set(ref, "release", json_object_get(spec, "release"));
    *ret = json_pack("{s:o}", "$secret", ref);
    return 0;
}

/* ---- lists ------------------------------------------------------------------------------------------------------- */

/* "a, b, c" as people type it, or JSON when it begins with [. New reference. */
static json_t *split(const char *text)
{
    json_t *list = NULL;

    if (text[strspn(text, " \t")] == '[')
        return ft_json_parse(text, strlen(text), TEXT_MAX, &list, NULL) == 0 ? list : NULL;
    list = json_array();
    while (*text) {
        size_t len = strcspn(text, ","), end = len;

        while (end > 0 && (*text == ' ' || *text == '\t')) {
            text++;
            len--;
            end--;
        }
        while (end > 0 && (text[end - 1] == ' ' || text[end - 1] == '\t'))
            end--;
        json_array_append_new(list, json_stringn(text, end));
        text += len + (text[len] == ',');
    }
    return list;
}

static int check_count(const json_t *spec, size_t n, struct ft_err *reterr)
{
    const json_t *min = json_object_get(spec, "min"), *max = json_object_get(spec, "max");

    if (min && (double)n < json_number_value(min))
        return ft_err_set(reterr, -EINVAL, "%zu item%s, and at least %g are needed", n, n == 1 ? "" : "s", json_number_value(min));
    if (max && (double)n > json_number_value(max))
        return ft_err_set(reterr, -EINVAL, "%zu items, and at most %g may be given", n, json_number_value(max));
    if (n > LIST_MAX)
        return ft_err_set(reterr, -EINVAL, "%zu items, and at most %d may be given", n, LIST_MAX);
    return 0;
}

static json_t *item_spec(const json_t *spec)
{
    json_t *item = json_pack("{s:s}", "type", ft_json_str(spec, "of") ? ft_json_str(spec, "of") : "string");

    if (json_object_get(spec, "pattern"))
        json_object_set(item, "pattern", json_object_get(spec, "pattern"));
    if (json_object_get(spec, "one_of"))
        json_object_set(item, "one_of", json_object_get(spec, "one_of"));
    return item;
}

static int bind_items(const json_t *spec, const json_t *list, json_t *bound, struct ft_err *reterr)
{
    json_t *item = item_spec(spec), *one;
    int r = 0;

    for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
        one = NULL;
        r = pb_bind_value(item, json_array_get(list, i), &one, reterr);
        if (r == 0)
            json_array_append_new(bound, one);
        else
            ft_err_in(reterr, "item %zu", i + 1);
    }
    json_decref(item);
    return r;
}

static int bind_list(const json_t *spec, const json_t *given, json_t **ret, struct ft_err *reterr)
{
    json_t *list = json_is_string(given) ? split(json_string_value(given)) : json_is_array(given) ? json_incref((json_t *)given) : NULL;
    json_t *bound;
    int r;

    if (!list)
        return refuse(given, reterr, "is no list: write a,b,c or a JSON list");
    bound = json_array();
    r = check_count(spec, json_array_size(list), reterr);
    if (r == 0)
        r = bind_items(spec, list, bound, reterr);
    json_decref(list);
    if (r == 0)
        *ret = bound;
    else
        json_decref(bound);
    return r;
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

static binder *const binders[] = {
    [FT_PARAM_STRING] = bind_string, [FT_PARAM_INT] = bind_int, [FT_PARAM_NUMBER] = bind_number, [FT_PARAM_BOOL] = bind_bool,
    [FT_PARAM_DURATION] = bind_duration, [FT_PARAM_TIME] = bind_time, [FT_PARAM_MAC] = bind_mac, [FT_PARAM_IP] = bind_ip,
    [FT_PARAM_CIDR] = bind_cidr, [FT_PARAM_SITE] = bind_thing, [FT_PARAM_DEVICE] = bind_thing, [FT_PARAM_ENUM] = bind_enum,
    [FT_PARAM_LIST] = bind_list, [FT_PARAM_SECRET] = bind_secret,
};

int pb_bind_value(const json_t *spec, const json_t *given, json_t **ret, struct ft_err *reterr)
{
    enum ft_param_type type = FT_PARAM_STRING;

    pb_param_type(ft_json_str(spec, "type"), &type);
    if (ft_is_unknown(given)) {              /* a dry run: what it will be is not known yet */
        *ret = json_incref((json_t *)given);
        return 0;
    }
    return binders[type](spec, given, ret, reterr);
}

struct mistakes { struct ft_buf text; unsigned count; };

__attribute__((format(printf, 2, 3)))
static void add_mistake(struct mistakes *m, const char *fmt, ...)
{
    va_list ap;

    if (m->count++)
        ft_buf_adds(&m->text, "; ");
    va_start(ap, fmt);
    ft_buf_vaddf(&m->text, fmt, ap);
    va_end(ap);
}

static void refuse_unknown(const json_t *specs, const json_t *given, const char *kind, struct mistakes *m)
{
    const char **names = ft_calloc(json_object_size(specs) + 1, sizeof(*names));
    const char *key;
    char near[128];
    json_t *value;
    size_t n = 0;

    json_object_foreach((json_t *)specs, key, value)
        names[n++] = key;
    json_object_foreach((json_t *)given, key, value)
        if (!json_object_get(specs, key))
            add_mistake(m, "there is no %s '%.100s'%s", kind, key, rd_did_you_mean(ft_suggest(key, names), near, sizeof(near)));
    free(names);
}

/* `required` of a missing value says what it is for, so that nobody has to look it up at night. */
static void missing(const char *name, const json_t *spec, struct mistakes *m)
{
    const char *help = ft_json_str(spec, "help");

    if (help && *help)
        add_mistake(m, "%s is missing: %s", name, help);
    else
        add_mistake(m, "%s (%s) is missing", name, ft_json_str(spec, "type"));
}

static int bind_all(const json_t *specs, const json_t *given, const char *kind, json_t **ret, struct ft_err *reterr)
{
    struct mistakes m = { .text = FT_BUF_INIT(16384) };
    json_t *bound = json_object(), *spec;
    const char *name;

    refuse_unknown(specs, given, kind, &m);
    json_object_foreach((json_t *)specs, name, spec) {
        const json_t *value = json_object_get(given, name), *otherwise = json_object_get(spec, "default");
        json_t *one = NULL;
        struct ft_err err = { 0 };

        if (!value || json_is_null(value))
            value = otherwise;
        if (!value) {
            if (ft_json_bool(spec, "required", false))
                missing(name, spec, &m);
            continue;
        }
        if (pb_bind_value(spec, value, &one, &err) < 0)
            add_mistake(&m, "%s: %s", name, err.text);
        else
            json_object_set_new(bound, name, one);
    }
    if (m.count > 0) {
        json_decref(bound);
        ft_err_class(reterr, FT_INVALID, -EINVAL, "%s", ft_buf_str(&m.text));
    } else {
        *ret = bound;
    }
    ft_buf_done(&m.text);
    return m.count > 0 ? -EINVAL : 0;
}

int ft_playbook_bind(const struct ft_playbook *playbook, const json_t *given, json_t **ret, struct ft_err *reterr)
{
    json_t *specs = json_object();
    int r;

    for (size_t i = 0; i < playbook->param_count; i++)
        json_object_set(specs, playbook->params[i].name, playbook->params[i].spec);
    r = bind_all(specs, given, "parameter", ret, reterr);
    json_decref(specs);
    return r;
}

int ft_fields_bind(const json_t *fields, const json_t *given, json_t **ret, struct ft_err *reterr)
{
    return bind_all(fields, given, "field", ret, reterr);
}
