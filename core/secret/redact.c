#include "secret/redact.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/util.h"
#include "secret/secret.h"

#define MIN_SECRET FT_SECRET_LEAST
#define MIN_BASE64 5
#define PAIRS 65536

static size_t pair_at(const char *text)
{
    return (size_t)(unsigned char)text[0] << 8 | (unsigned char)text[1];
}

void ft_redactor_done(struct ft_redactor *redactor)
{
    for (size_t i = 0; i < redactor->count; i++) {
        explicit_bzero(redactor->forms[i].text, redactor->forms[i].len);
        free(redactor->forms[i].text);
    }
    free(redactor->forms);
    free(redactor->starts);
    *redactor = (struct ft_redactor){ 0 };
}

/* ---- the forms of a secret */

static void add_form(struct ft_redactor *redactor, const char *text, size_t len)
{
    size_t at = 0;

    for (size_t i = 0; i < redactor->count; i++) {
        if (redactor->forms[i].len == len && memcmp(redactor->forms[i].text, text, len) == 0)
            return;
        if (redactor->forms[i].len >= len)
            at = i + 1;
    }
    redactor->forms = ft_realloc(redactor->forms, (redactor->count + 1) * sizeof(*redactor->forms));
    memmove(redactor->forms + at + 1, redactor->forms + at, (redactor->count - at) * sizeof(*redactor->forms));
    redactor->forms[at] = (struct ft_form){ .text = ft_strndup(text, len), .len = len };
    redactor->count++;
    redactor->starts[pair_at(text) / 8] |= (uint8_t)(1 << pair_at(text) % 8);
}

/* As a JSON text shows it, without the quotes. */
static void add_json(struct ft_redactor *redactor, const char *secret, size_t flags)
{
    json_t *string = json_string_nocheck(secret);
    char *text = json_dumps(string, JSON_ENCODE_ANY | flags);

    if (text)                                    /* NULL: not UTF-8, so no JSON text shows it */
        add_form(redactor, text + 1, strlen(text) - 2);
    free(text);
    json_decref(string);
}

static void add_url(struct ft_redactor *redactor, const char *secret, const char *hex, const char *space)
{
    struct ft_buf text = FT_BUF_INIT(0);

    for (const char *p = secret; *p; p++) {
        unsigned char c = (unsigned char)*p;

        if (c == ' ') {
            ft_buf_adds(&text, space);
        } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~", c)) {
            ft_buf_addc(&text, *p);
        } else {
            ft_buf_addc(&text, '%');
            ft_buf_addc(&text, hex[c >> 4]);
            ft_buf_addc(&text, hex[c & 15]);
        }
    }
    add_form(redactor, text.data, text.len);
    ft_buf_done(&text);
}

static void add_hex(struct ft_redactor *redactor, const char *secret, const char *digits)
{
    struct ft_buf text = FT_BUF_INIT(0);

    for (const char *p = secret; *p; p++) {
        ft_buf_addc(&text, digits[(unsigned char)*p >> 4]);
        ft_buf_addc(&text, digits[(unsigned char)*p & 15]);
    }
    add_form(redactor, text.data, text.len);
    ft_buf_done(&text);
}

/* The digits of the secret's base64 that do not depend on its neighbours, when it begins `before` bytes (mod 3) into the encoded text:
 * so it is also found in "user:password". */
static void add_base64(struct ft_redactor *redactor, const char *secret, size_t before, const char *digits)
{
    size_t len = strlen(secret), first = (before * 8 + 5) / 6, last = (before + len) * 8 / 6;
    struct ft_buf text = FT_BUF_INIT(0);

    for (size_t digit = first; digit < last; digit++) {
        unsigned bits = 0;

        for (size_t bit = digit * 6; bit < digit * 6 + 6; bit++)
            bits = bits << 1 | ((unsigned char)secret[bit / 8 - before] >> (7 - bit % 8) & 1);
        ft_buf_addc(&text, digits[bits]);
    }
    if (text.len >= MIN_BASE64)
        add_form(redactor, text.data, text.len);
    ft_buf_done(&text);
}

void ft_redactor_learn(struct ft_redactor *redactor, const char *secret)
{
    static const char std[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    if (strlen(secret) < MIN_SECRET)
        return;
    if (!redactor->starts)
        redactor->starts = ft_calloc(1, PAIRS / 8);
    add_form(redactor, secret, strlen(secret));
    add_json(redactor, secret, 0);
    add_json(redactor, secret, JSON_ESCAPE_SLASH);
    add_json(redactor, secret, JSON_ENSURE_ASCII);
    add_url(redactor, secret, "0123456789ABCDEF", "%20");
    add_url(redactor, secret, "0123456789abcdef", "+");
    add_hex(redactor, secret, "0123456789abcdef");
    add_hex(redactor, secret, "0123456789ABCDEF");
    for (size_t before = 0; before < 3; before++) {
        add_base64(redactor, secret, before, std);
        add_base64(redactor, secret, before, url);
    }
}

/* ---- finding them */

/* The longest form that stands at `text`, or NULL. */
static const struct ft_form *form_at(const struct ft_redactor *redactor, const char *text, size_t left)
{
    for (size_t i = 0; i < redactor->count; i++)
        if (redactor->forms[i].len <= left && memcmp(redactor->forms[i].text, text, redactor->forms[i].len) == 0)
            return &redactor->forms[i];
    return NULL;
}

/* Bytes before the next secret; len when there is none. */
static size_t find(const struct ft_redactor *redactor, const char *text, size_t len, const struct ft_form **ret_form)
{
    *ret_form = NULL;
    for (size_t i = 0; i + MIN_SECRET <= len; i++) {
        size_t pair = pair_at(text + i);

        if (!(redactor->starts[pair / 8] & 1 << pair % 8))
            continue;
        *ret_form = form_at(redactor, text + i, len - i);
        if (*ret_form)
            return i;
    }
    return len;
}

static char *redacted(const struct ft_redactor *redactor, const char *text, size_t len)
{
    struct ft_buf out = FT_BUF_INIT(SIZE_MAX);
    const struct ft_form *form;
    size_t at;

    if (!redactor->count || (at = find(redactor, text, len, &form)) == len)
        return NULL;
    while (form) {
        ft_buf_add(&out, text, at);
        ft_buf_adds(&out, "***");
        text += at + form->len;
        len -= at + form->len;
        at = find(redactor, text, len, &form);
    }
    ft_buf_add(&out, text, len);
    return ft_buf_take(&out);
}

char *ft_redactor_text(const struct ft_redactor *redactor, const char *text)
{
    return redacted(redactor, text, strlen(text));
}

static bool hit(const struct ft_redactor *redactor, const char *text, size_t len)
{
    const struct ft_form *form;

    find(redactor, text, len, &form);
    return form != NULL;
}

bool ft_redactor_hits(const struct ft_redactor *redactor, const json_t *value)
{
    const char *key;
    json_t *member;
    size_t i;

    if (!redactor->count)
        return false;
    if (json_is_string(value))
        return hit(redactor, json_string_value(value), json_string_length(value));
    json_object_foreach((json_t *)value, key, member)
        if (hit(redactor, key, strlen(key)) || ft_redactor_hits(redactor, member))
            return true;
    json_array_foreach(value, i, member)
        if (ft_redactor_hits(redactor, member))
            return true;
    return false;
}

/* What a cut in the middle of a character leaves behind would be no JSON string: it is shown as *** altogether. */
static json_t *redacted_string(const struct ft_redactor *redactor, json_t *value)
{
    char *text = redacted(redactor, json_string_value(value), json_string_length(value));
    json_t *string = text ? json_string(text) : json_incref(value);

    free(text);
    return string ? string : json_string("***");
}

json_t *ft_redactor_json(const struct ft_redactor *redactor, json_t *value)
{
    const char *key;
    json_t *copy, *member;
    size_t i;

    if (json_is_string(value))
        return redacted_string(redactor, value);
    if (json_is_object(value)) {
        copy = json_object();
        json_object_foreach(value, key, member) {
            char *clean = redacted(redactor, key, strlen(key));

            json_object_set_new(copy, clean ? clean : key, ft_redactor_json(redactor, member));
            free(clean);
        }
        return copy;
    }
    if (json_is_array(value)) {
        copy = json_array();
        json_array_foreach(value, i, member)
            json_array_append_new(copy, ft_redactor_json(redactor, member));
        return copy;
    }
    return json_incref(value);
}
