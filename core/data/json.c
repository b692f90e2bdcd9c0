#include "data/json.h"
#include <inttypes.h>
#include <math.h>
#include "base/buf.h"
#include "base/digest.h"
#include "base/text.h"
#include "base/util.h"

enum { DEPTH_MAX = 256 };
#define PARSE_MAX ((size_t)64 << 20)
#define TWO_TO_63 9223372036854775808.0

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

/* The deepest nesting of brackets outside strings. Also right enough for texts that are not JSON. */
static size_t nesting(const char *text, size_t len)
{
    size_t depth = 0, deepest = 0;
    bool quoted = false;

    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"')
            quoted = !quoted;
        else if (quoted)
            i += text[i] == '\\';
        else if (text[i] == '[' || text[i] == '{')
            depth++;
        else if ((text[i] == ']' || text[i] == '}') && depth)
            depth--;
        deepest = ft_max(deepest, depth);
    }
    return deepest;
}

static int not_json(struct ft_err *reterr, const json_error_t *error)
{
    bool valid = ft_utf8_valid(error->text, strlen(error->text));
    char said[sizeof(error->text)];
    size_t i = 0;

    for (; error->text[i]; i++) {     /* jansson quotes the text at fault, whatever is in it, and may cut a character */
        unsigned char c = (unsigned char)error->text[i];

        said[i] = c < ' ' || c == 0x7f || (c >= 0x80 && !valid) ? '?' : error->text[i];
    }
    said[i] = '\0';
    return ft_err_class(reterr, FT_INVALID, -EINVAL, "not JSON: line %d, column %d: %s", error->line, error->column, said);
}

int ft_json_parse(const char *text, size_t len, size_t max_bytes, json_t **ret, struct ft_err *reterr)
{
    static const char bom[] = "\xef\xbb\xbf";
    size_t max = max_bytes ? max_bytes : PARSE_MAX;
    json_error_t error;

    if (len > max)
        return ft_err_class(reterr, FT_INVALID, -EFBIG, "the JSON text is larger than %zu bytes", max);
    if (len >= 3 && memcmp(text, bom, 3) == 0) {
        text += 3;
        len -= 3;
    }
    if (len == 0)
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "not JSON: the text is empty");
    if (nesting(text, len) > DEPTH_MAX)
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "the JSON text is nested more than %d levels deep", DEPTH_MAX);
    *ret = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    return *ret ? 0 : not_json(reterr, &error);
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

/* jansson would write 0.1 as 0.10000000000000001, and fail as a whole where a plugin let bytes in that are not UTF-8. */
static void write_value(struct ft_buf *out, const json_t *value, bool canonical);

/* A whole number that int64 holds. */
static bool is_whole(double number)
{
    return number == floor(number) && number >= -TWO_TO_63 && number < TWO_TO_63;
}

static void write_real(struct ft_buf *out, double number, bool canonical)
{
    char digits[40];

    if (canonical && is_whole(number)) {
        ft_buf_addf(out, "%" PRId64, (int64_t)number);
        return;
    }
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(digits, sizeof(digits), "%.*g", precision, number);
        if (strtod(digits, NULL) == number)
            break;
    }
    for (char *c = digits; *c; c++)
        if (*c == ',')                   /* the decimal sign of the locale */
            *c = '.';
    ft_buf_adds(out, digits);
    if (!strpbrk(digits, ".e"))
        ft_buf_adds(out, ".0");
}

static size_t utf8_len(const char *text, size_t left)
{
    for (size_t n = 1; n <= 4 && n <= left; n++)
        if (ft_utf8_valid(text, n))
            return n;
    return 0;
}

static void write_string(struct ft_buf *out, const char *text, size_t len)
{
    static const char escaped[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";

    ft_buf_addc(out, '"');
    for (size_t i = 0, n; i < len; i += n) {
        unsigned char c = (unsigned char)text[i];
        const char *found = c ? strchr(escaped, c) : NULL;

        n = 1;
        if (found) {
            ft_buf_addc(out, '\\');
            ft_buf_addc(out, letters[found - escaped]);
        } else if (c < ' ' || c == 0x7f) {
            ft_buf_addf(out, "\\u%04x", c);
        } else if (c < 0x7f) {
            ft_buf_addc(out, text[i]);
        } else if ((n = utf8_len(text + i, len - i)) > 0) {
            ft_buf_add(out, text + i, n);
        } else {
            ft_buf_adds(out, "\xef\xbf\xbd");
            n = 1;
        }
    }
    ft_buf_addc(out, '"');
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The keys in the order to write them; malloced. */
static const char **keys_of(const json_t *object, bool sorted)
{
    const char **keys = ft_calloc(json_object_size(object), sizeof(*keys));
    const char *key;
    size_t n = 0;
    json_t *member;

    json_object_foreach((json_t *)object, key, member)
        keys[n++] = key;
    if (sorted)
        qsort(keys, n, sizeof(*keys), by_bytes);
    return keys;
}

static void write_object(struct ft_buf *out, const json_t *object, bool canonical)
{
    const char **keys = keys_of(object, canonical);

    ft_buf_addc(out, '{');
    for (size_t i = 0; i < json_object_size(object); i++) {
        if (i)
            ft_buf_addc(out, ',');
        write_string(out, keys[i], strlen(keys[i]));
        ft_buf_addc(out, ':');
        write_value(out, json_object_get(object, keys[i]), canonical);
    }
    ft_buf_addc(out, '}');
    free(keys);
}

static void write_value(struct ft_buf *out, const json_t *value, bool canonical)
{
    json_t *item;
    size_t i;

    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_OBJECT:
        write_object(out, value, canonical);
        break;
    case JSON_ARRAY:
        ft_buf_addc(out, '[');
        json_array_foreach(value, i, item) {
            if (i)
                ft_buf_addc(out, ',');
            write_value(out, item, canonical);
        }
        ft_buf_addc(out, ']');
        break;
    case JSON_STRING:
        write_string(out, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        ft_buf_addf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        write_real(out, json_real_value(value), canonical);
        break;
    case JSON_TRUE:
        ft_buf_adds(out, "true");
        break;
    case JSON_FALSE:
        ft_buf_adds(out, "false");
        break;
    case JSON_NULL:
        ft_buf_adds(out, "null");
        break;
    }
}

static char *written(const json_t *value, bool canonical)
{
    struct ft_buf out = FT_BUF_INIT(SIZE_MAX);      /* the value is in memory already, and its text is not much longer */

    write_value(&out, value, canonical);
    return ft_buf_take(&out);
}

char *ft_json_text(const json_t *value)
{
    return written(value, /* canonical= */ false);
}

char *ft_json_canonical(const json_t *value)
{
    return written(value, /* canonical= */ true);
}

void ft_json_digest(const json_t *value, char ret[65])
{
    char *text = ft_json_canonical(value);

    ft_sha256_hex(text, strlen(text), ret);
    free(text);
}

/* ---- For people -------------------------------------------------------------------------------------------------- */

static void brief_text(struct ft_buf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == '\n' || c == '\r' || c == '\t')
            ft_buf_addc(out, ' ');
        else if (c < ' ' || c == 0x7f)
            ft_buf_addf(out, "\\x%02x", c);
        else
            ft_buf_addc(out, text[i]);
    }
}

/* As a secret is given on the command line: where it lies. */
static bool brief_reference(struct ft_buf *out, const json_t *value)
{
    const json_t *ref = json_object_size(value) == 1 ? json_object_get(value, "$secret") : NULL;
    const char *source;
    json_t *where;

    if (!ref || json_object_size(ref) != 1 + (json_object_get(ref, "release") != NULL))
        return false;
    json_object_foreach((json_t *)ref, source, where) {
        if (ft_streq(source, "release") || !json_is_string(where))
            continue;
        brief_text(out, source, strlen(source));
        ft_buf_addc(out, ':');
        brief_text(out, json_string_value(where), json_string_length(where));
        return true;
    }
    return false;
}

/* Stops soon after `enough` bytes: the rest would be cut anyway. */
static void brief_value(struct ft_buf *out, const json_t *value, size_t enough)
{
    const char *key, *between = "";
    json_t *item;
    size_t i;

    if (ft_is_unknown(value)) {
        ft_buf_adds(out, "unknown");
    } else if (brief_reference(out, value)) {
        return;
    } else if (json_is_string(value)) {
        brief_text(out, json_string_value(value), ft_min(json_string_length(value), enough + 4));
    } else if (json_is_array(value)) {
        ft_buf_addc(out, '[');
        json_array_foreach(value, i, item) {
            if (out->len > enough)
                return;
            ft_buf_adds(out, i ? ", " : "");
            brief_value(out, item, enough);
        }
        ft_buf_addc(out, ']');
    } else if (json_is_object(value)) {
        ft_buf_addc(out, '{');
        json_object_foreach((json_t *)value, key, item) {
            if (out->len > enough)
                return;
            ft_buf_adds(out, between);
            between = ", ";
            brief_text(out, key, strlen(key));
            ft_buf_adds(out, ": ");
            brief_value(out, item, enough);
        }
        ft_buf_addc(out, '}');
    } else {
        write_value(out, value, /* canonical= */ false);
    }
}

char *ft_json_brief(const json_t *value, size_t max)
{
    struct ft_buf out = FT_BUF_INIT(SIZE_MAX);
    size_t at = 0, width = 0, fits = 0;

    brief_value(&out, value, ft_min(max, (size_t)1 << 20) * 8 + 64);
    while (at < out.len && width <= max) {
        size_t n = utf8_len(out.data + at, out.len - at);

        n = n ? n : 1;
        if (width + 1 <= max)
            fits = at;                   /* here "…" still has room */
        width += ft_text_width(out.data + at, n);
        at += n;
    }
    if (width > max) {
        out.len = fits;
        ft_buf_adds(&out, max ? "…" : "");
    }
    return ft_buf_take(&out);
}

/* ---- Looking inside ---------------------------------------------------------------------------------------------- */

/* The member or item that the len bytes at name say; NULL when there is none. */
static json_t *step_into(const json_t *value, const char *name, size_t len)
{
    char *end, copy[24];
    unsigned long i;

    if (json_is_object(value))
        return json_object_getn(value, name, len);
    if (!json_is_array(value) || len == 0 || len >= sizeof(copy) || strspn(name, "0123456789") < len)
        return NULL;
    memcpy(copy, name, len);
    copy[len] = '\0';
    errno = 0;
    i = strtoul(copy, &end, 10);
    return errno ? NULL : json_array_get(value, i);
}

json_t *ft_json_path(const json_t *value, const char *path)
{
    bool more = *path != '\0';

    while (value && more) {
        size_t len = strcspn(path, ".");

        value = step_into(value, path, len);
        more = path[len] == '.';
        path += len + more;
    }
    return (json_t *)value;
}

const char *ft_json_str(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    const char *text = json_string_value(value);

    return text && strlen(text) == json_string_length(value) ? text : NULL;
}

int64_t ft_json_int(const json_t *object, const char *key, int64_t otherwise)
{
    json_t *value = json_object_get(object, key);
    double real = json_real_value(value);

    if (json_is_integer(value))
        return json_integer_value(value);
    if (json_is_real(value) && is_whole(real))
        return (int64_t)real;
    return otherwise;
}

double ft_json_num(const json_t *object, const char *key, double otherwise)
{
    json_t *value = json_object_get(object, key);

    return json_is_number(value) ? json_number_value(value) : otherwise;
}

bool ft_json_bool(const json_t *object, const char *key, bool otherwise)
{
    json_t *value = json_object_get(object, key);

    return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

/* ---- Comparing --------------------------------------------------------------------------------------------------- */

/* long double holds every int64 and every double exactly. */
static long double number(const json_t *value)
{
    return json_is_integer(value) ? (long double)json_integer_value(value) : (long double)json_real_value(value);
}

bool ft_json_equal(const json_t *a, const json_t *b)
{
    const char *key;
    json_t *item;
    size_t i;

    if (json_is_number(a) && json_is_number(b))
        return number(a) == number(b);
    if (!a || !b || json_typeof(a) != json_typeof(b))
        return a == b;
    if (json_is_array(a)) {
        if (json_array_size(a) != json_array_size(b))
            return false;
        json_array_foreach(a, i, item)
            if (!ft_json_equal(item, json_array_get(b, i)))
                return false;
        return true;
    }
    if (json_is_object(a)) {
        if (json_object_size(a) != json_object_size(b))
            return false;
        json_object_foreach((json_t *)a, key, item)
            if (!ft_json_equal(item, json_object_get(b, key)))
                return false;
        return true;
    }
    return json_equal(a, b);
}

static void diff(json_t *changes, struct ft_buf *path, json_t *from, json_t *to);

static void diff_member(json_t *changes, struct ft_buf *path, const char *name, json_t *from, json_t *to)
{
    size_t before = path->len;

    ft_buf_addf(path, before ? ".%s" : "%s", name);
    diff(changes, path, from, to);
    path->len = before;
    path->data[before] = '\0';
}

static void diff_arrays(json_t *changes, struct ft_buf *path, json_t *from, json_t *to)
{
    char name[24];

    for (size_t i = 0; i < ft_max(json_array_size(from), json_array_size(to)); i++) {
        snprintf(name, sizeof(name), "%zu", i);
        diff_member(changes, path, name, json_array_get(from, i), json_array_get(to, i));
    }
}

static void diff(json_t *changes, struct ft_buf *path, json_t *from, json_t *to)
{
    const char *key;
    json_t *item;

    if (json_is_object(from) && json_is_object(to) && !ft_is_unknown(from) && !ft_is_unknown(to)) {
        json_object_foreach(from, key, item)
            diff_member(changes, path, key, item, json_object_get(to, key));
        json_object_foreach(to, key, item)
            if (!json_object_get(from, key))
                diff_member(changes, path, key, NULL, item);
    } else if (json_is_array(from) && json_is_array(to)) {
        diff_arrays(changes, path, from, to);
    } else if (!ft_json_equal(from, to)) {
        json_array_append_new(changes, json_pack("{s:s, s:O*, s:O*}", "path", ft_buf_str(path), "from", from, "to", to));
    }
}

json_t *ft_json_diff(const json_t *from, const json_t *to)
{
    struct ft_buf path = FT_BUF_INIT(0);
    json_t *changes = json_array();

    diff(changes, &path, (json_t *)from, (json_t *)to);
    ft_buf_done(&path);
    return changes;
}

/* ---- Unknown ----------------------------------------------------------------------------------------------------- */

json_t *ft_unknown(const char *why)
{
    return json_pack("{s:b, s:s*}", "$unknown", 1, "why", why);
}

bool ft_is_unknown(const json_t *value)
{
    return json_is_true(json_object_get(value, "$unknown"));
}

bool ft_has_unknown(const json_t *value)
{
    const char *key;
    json_t *item;
    size_t i;

    if (ft_is_unknown(value))
        return true;
    json_array_foreach(value, i, item)
        if (ft_has_unknown(item))
            return true;
    json_object_foreach((json_t *)value, key, item)
        if (ft_has_unknown(item))
            return true;
    return false;
}
