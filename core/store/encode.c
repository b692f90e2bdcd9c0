/* encode.c: JSON as text, as it is or with what is personal kept apart (personal.c). jansson's own encoder looks for cycles, at three times the cost of
 * all the rest of appending an event; values in a journal have none (they were parsed, or built by the engine). */
#include "store/internal.h"

static void add_escaped(struct ft_buf *to, unsigned char c)
{
    static const char short_of[] = { ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r', ['"'] = '"', ['\\'] = '\\' };

    if (c < sizeof(short_of) && short_of[c]) {
        ft_buf_addc(to, '\\');
        ft_buf_addc(to, short_of[c]);
    } else {
        ft_buf_addf(to, "\\u%04x", c);
    }
}

static size_t plain_length(const char *text, size_t len)
{
    size_t n = 0;

    while (n < len && (unsigned char)text[n] >= ' ' && text[n] != '"' && text[n] != '\\')
        n++;
    return n;
}

void encode_piece(struct ft_buf *to, const char *text, size_t len)
{
    for (size_t plain; len; text += plain + 1, len -= plain + 1) {
        plain = plain_length(text, len);
        ft_buf_add(to, text, plain);
        if (plain == len)
            break;
        add_escaped(to, (unsigned char)text[plain]);
    }
}

static void add_string_slowly(struct ft_buf *to, const char *text, size_t len)
{
    ft_buf_addc(to, '"');
    encode_piece(to, text, len);
    ft_buf_addc(to, '"');
}

/* Most texts in an event are short and need no escapes. */
static void add_string(struct ft_buf *to, const char *text, size_t len)
{
    char *at;

    if (to->cap - to->len < len + 3 || plain_length(text, len) < len) {
        add_string_slowly(to, text, len);
        return;
    }
    at = to->data + to->len;
    at[0] = '"';
    memcpy(at + 1, text, len);
    at[len + 1] = '"';
    at[len + 2] = '\0';
    to->len += len + 2;
}

static void add_integer(struct ft_buf *to, json_int_t value)
{
    char digits[24], *p = digits + sizeof(digits);
    uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;

    do
        *--p = (char)('0' + left % 10);
    while (left /= 10);
    if (value < 0)
        *--p = '-';
    ft_buf_add(to, p, (size_t)(digits + sizeof(digits) - p));
}

static void add_real(struct ft_buf *to, const json_t *value)
{
    char digits[64];
    size_t len = json_dumpb(value, digits, sizeof(digits), JSON_ENCODE_ANY);

    ft_buf_add(to, digits, ft_min(len, sizeof(digits)));
}

static void add_object(struct ft_buf *to, const json_t *value)
{
    const char *key;
    json_t *member;
    bool more = false;

    ft_buf_addc(to, '{');
    json_object_foreach((json_t *)value, key, member) {
        if (more)
            ft_buf_addc(to, ',');
        add_string(to, key, strlen(key));
        ft_buf_addc(to, ':');
        encode_json(to, member);
        more = true;
    }
    ft_buf_addc(to, '}');
}

static void add_array(struct ft_buf *to, const json_t *value)
{
    json_t *member;
    size_t i;

    ft_buf_addc(to, '[');
    json_array_foreach(value, i, member) {
        if (i)
            ft_buf_addc(to, ',');
        encode_json(to, member);
    }
    ft_buf_addc(to, ']');
}

void encode_json(struct ft_buf *to, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT: add_object(to, value); break;
    case JSON_ARRAY: add_array(to, value); break;
    case JSON_STRING: add_string(to, json_string_value(value), json_string_length(value)); break;
    case JSON_INTEGER: add_integer(to, json_integer_value(value)); break;
    case JSON_REAL: add_real(to, value); break;
    case JSON_TRUE: ft_buf_adds(to, "true"); break;
    case JSON_FALSE: ft_buf_adds(to, "false"); break;
    case JSON_NULL: ft_buf_adds(to, "null"); break;
    }
}

/* ---- with personal values kept apart */

/* The quote goes first, and again where nothing personal was in it. */
static void add_text(struct encoding *e, const char *text, size_t len, enum personal_field field)
{
    size_t before = e->to->len;

    ft_buf_addc(e->to, '"');
    if (field == FIELD_NAME ? personal_add_name(e, text, len) : personal_add_text(e, text, len, field != FIELD_RECORD)) {
        ft_buf_addc(e->to, '"');
        return;
    }
    if (!e->to->overflow)
        e->to->len = before;
    add_string(e->to, text, len);
}

static void add_personal(struct encoding *e, const json_t *value, enum personal_field field)
{
    const char *key;
    json_t *member;
    bool more = false;
    size_t i;

    switch (json_typeof(value)) {
    case JSON_OBJECT:
        ft_buf_addc(e->to, '{');
        json_object_foreach((json_t *)value, key, member) {
            if (more)
                ft_buf_addc(e->to, ',');
            add_text(e, key, strlen(key), FIELD_TEXT);
            ft_buf_addc(e->to, ':');
            add_personal(e, member, json_is_string(member) || json_is_array(member) ? personal_field(e, key) : FIELD_TEXT);
            more = true;
        }
        ft_buf_addc(e->to, '}');
        break;
    case JSON_ARRAY:
        ft_buf_addc(e->to, '[');
        json_array_foreach(value, i, member) {
            if (i)
                ft_buf_addc(e->to, ',');
            add_personal(e, member, field);
        }
        ft_buf_addc(e->to, ']');
        break;
    case JSON_STRING:
        add_text(e, json_string_value(value), json_string_length(value), field);
        break;
    default:
        encode_json(e->to, value);
    }
}

void encode_personal(struct encoding *e, const json_t *value)
{
    personal_learn(e, value);
    add_personal(e, value, FIELD_TEXT);
}
