#include "script/lex.h"
#include <string.h>
#include "base/buf.h"
#include "base/util.h"

static bool is_digit(int c) { return c >= '0' && c <= '9'; }
static bool is_hex(int c) { return is_digit(c) || ((c | 32) >= 'a' && (c | 32) <= 'f'); }
static bool is_letter(int c) { return ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_'; }
static bool is_newline(int c) { return c == '\n' || c == '\r'; }

/* -1 at the end. */
static int peek(const struct ft_lexer *lexer, size_t ahead)
{
    return ahead < lexer->len - lexer->at ? (unsigned char)lexer->text[lexer->at + ahead] : -1;
}

static struct ft_token token(const struct ft_lexer *lexer, int kind, size_t from)
{
    return (struct ft_token){ .kind = kind, .at = from, .len = lexer->at - from };
}

static struct ft_token wrong(struct ft_lexer *lexer, size_t from, const char *why)
{
    lexer->wrong = why;
    return token(lexer, FT_TOKEN_WRONG, from);
}

static struct ft_token with_text(struct ft_lexer *lexer, struct ft_token t, const char *text, size_t len)
{
    t.name = memcpy(ft_arena_alloc(lexer->mem, len + 1), text, len);
    t.name_len = len;
    return t;
}

/* ---- Long strings and comments ----------------------------------------------------------------------------------- */

/* At '[': the number of '=' when it opens a long bracket, else -1. */
static int long_bracket_level(const struct ft_lexer *lexer)
{
    size_t level = 0;

    while (peek(lexer, level + 1) == '=')
        level++;
    return peek(lexer, level + 1) == '[' ? (int)level : -1;
}

/* Behind the opening bracket: moves behind the closing one; false: there is none. */
static bool skip_long(struct ft_lexer *lexer, size_t level, size_t *ret_end)
{
    for (; lexer->at < lexer->len; lexer->at++) {
        size_t n = 0;

        if (peek(lexer, 0) != ']')
            continue;
        while (peek(lexer, n + 1) == '=')
            n++;
        if (n == level && peek(lexer, n + 1) == ']') {
            *ret_end = lexer->at;
            lexer->at += level + 2;
            return true;
        }
        lexer->at += n;
    }
    return false;
}

static struct ft_token long_string(struct ft_lexer *lexer, size_t level)
{
    size_t from = lexer->at, start, end;

    lexer->at += level + 2;
    if (is_newline(peek(lexer, 0)))                  /* the first line's end does not count */
        lexer->at += is_newline(peek(lexer, 1)) && peek(lexer, 1) != peek(lexer, 0) ? 2 : 1;
    start = lexer->at;
    if (!skip_long(lexer, level, &end))
        return wrong(lexer, from, "unfinished long string");
    return with_text(lexer, token(lexer, FT_TOKEN_STRING, from), lexer->text + start, end - start);
}

/* At "--". False: a long comment does not end. */
static bool skip_comment(struct ft_lexer *lexer)
{
    size_t end;
    int level = -1;

    lexer->at += 2;
    if (peek(lexer, 0) == '[')
        level = long_bracket_level(lexer);
    if (level >= 0) {
        lexer->at += (size_t)level + 2;
        return skip_long(lexer, (size_t)level, &end);
    }
    while (peek(lexer, 0) != -1 && !is_newline(peek(lexer, 0)))
        lexer->at++;
    return true;
}

/* ---- Short strings ----------------------------------------------------------------------------------------------- */

static void add_utf8(struct ft_buf *to, unsigned long code)
{
    char bytes[8];
    size_t n = 0;
    unsigned long first_max = 0x3f;

    if (code < 0x80) {
        ft_buf_addc(to, (char)code);
        return;
    }
    do {
        bytes[sizeof(bytes) - ++n] = (char)(0x80 | (code & 0x3f));
        code >>= 6;
        first_max >>= 1;
    } while (code > first_max);
    bytes[sizeof(bytes) - ++n] = (char)((~first_max << 1) | code);
    ft_buf_add(to, bytes + sizeof(bytes) - n, n);
}

static const char *escape_utf8(struct ft_lexer *lexer, struct ft_buf *to)
{
    unsigned long code = 0;
    size_t digits = 0;

    if (peek(lexer, 0) != '{')
        return "missing '{' after \\u";
    for (lexer->at++; is_hex(peek(lexer, 0)); lexer->at++, digits++) {
        int c = peek(lexer, 0);

        code = code * 16 + (unsigned long)(is_digit(c) ? c - '0' : (c | 32) - 'a' + 10);
        if (code > 0x7fffffff)
            return "the number after \\u is too large";
    }
    if (digits == 0 || peek(lexer, 0) != '}')
        return "\\u needs a number in hexadecimal, as in \\u{20AC}";
    lexer->at++;
    add_utf8(to, code);
    return NULL;
}

static const char *escape_hex(struct ft_lexer *lexer, struct ft_buf *to)
{
    unsigned value = 0;

    for (int i = 0; i < 2; i++, lexer->at++) {
        int c = peek(lexer, 0);

        if (!is_hex(c))
            return "\\x needs two hexadecimal digits";
        value = value * 16 + (unsigned)(is_digit(c) ? c - '0' : (c | 32) - 'a' + 10);
    }
    ft_buf_addc(to, (char)value);
    return NULL;
}

static const char *escape_decimal(struct ft_lexer *lexer, struct ft_buf *to)
{
    unsigned value = 0;

    for (int i = 0; i < 3 && is_digit(peek(lexer, 0)); i++, lexer->at++)
        value = value * 10 + (unsigned)(peek(lexer, 0) - '0');
    if (value > 255)
        return "a number after \\ is at most 255";
    ft_buf_addc(to, (char)value);
    return NULL;
}

static void skip_line_end(struct ft_lexer *lexer)
{
    lexer->at += is_newline(peek(lexer, 1)) && peek(lexer, 1) != peek(lexer, 0) ? 2 : 1;
}

static void skip_white(struct ft_lexer *lexer)
{
    while (peek(lexer, 0) == ' ' || (peek(lexer, 0) >= '\t' && peek(lexer, 0) <= '\r'))
        lexer->at++;
}

/* Behind a backslash. */
static const char *escape(struct ft_lexer *lexer, struct ft_buf *to)
{
    static const char names[] = "abfnrtv\\\"'", values[] = "\a\b\f\n\r\t\v\\\"'";
    int c = peek(lexer, 0);
    const char *at = c > 0 ? strchr(names, c) : NULL;

    if (is_digit(c))
        return escape_decimal(lexer, to);
    if (is_newline(c)) {
        skip_line_end(lexer);
        ft_buf_addc(to, '\n');
        return NULL;
    }
    lexer->at += c >= 0;
    switch (c) {
    case 'u': return escape_utf8(lexer, to);
    case 'x': return escape_hex(lexer, to);
    case 'z': skip_white(lexer); return NULL;
    case -1:  return "unfinished string";
    }
    if (!at)
        return "this letter after \\ has no meaning";
    ft_buf_addc(to, values[at - names]);
    return NULL;
}

static struct ft_token short_string(struct ft_lexer *lexer)
{
    struct ft_buf value = FT_BUF_INIT(0);
    size_t from = lexer->at;
    int quote = peek(lexer, 0), c;
    const char *why = NULL;
    struct ft_token t;

    for (lexer->at++; !why && (c = peek(lexer, 0)) != quote; ) {
        if (c == -1 || is_newline(c)) {
            why = "unfinished string";
            break;
        }
        lexer->at++;
        if (c == '\\')
            why = escape(lexer, &value);
        else
            ft_buf_addc(&value, (char)c);
    }
    lexer->at += !why;
    t = why ? wrong(lexer, from, why) : with_text(lexer, token(lexer, FT_TOKEN_STRING, from), ft_buf_str(&value), value.len);
    ft_buf_done(&value);
    return t;
}

/* ---- Numbers ----------------------------------------------------------------------------------------------------- */

static size_t skip_digits(const char *text, size_t len, size_t at, bool hex)
{
    while (at < len && (hex ? is_hex(text[at]) : is_digit(text[at])))
        at++;
    return at;
}

/* 3, 3.0, .5, 3e-2, 0xff, 0x.8p1 */
static bool is_numeral(const char *text, size_t len)
{
    bool hex = len > 1 && text[0] == '0' && (text[1] | 32) == 'x';
    size_t start = hex ? 2 : 0, at = skip_digits(text, len, start, hex), digits = at - start, before;

    if (at < len && text[at] == '.') {
        before = ++at;
        at = skip_digits(text, len, at, hex);
        digits += at - before;
    }
    if (digits > 0 && at < len && (text[at] | 32) == (hex ? 'p' : 'e')) {
        at++;
        at += at < len && (text[at] == '+' || text[at] == '-');
        before = at;
        at = skip_digits(text, len, at, false);
        digits = at - before;
    }
    return digits > 0 && at == len;
}

/* Takes all that looks like a part of a number, as Lua does, so that "3x" is one mistake and not two words. */
static struct ft_token number(struct ft_lexer *lexer)
{
    size_t from = lexer->at;
    int exponent = peek(lexer, 0) == '0' && (peek(lexer, 1) | 32) == 'x' ? 'p' : 'e';

    lexer->at += exponent == 'p' ? 2 : 0;
    for (;;) {
        int c = peek(lexer, 0);

        if (c >= 0 && (c | 32) == exponent)
            lexer->at += peek(lexer, 1) == '+' || peek(lexer, 1) == '-' ? 2 : 1;
        else if (is_hex(c) || c == '.')
            lexer->at++;
        else
            break;
    }
    while (is_letter(peek(lexer, 0)) || is_digit(peek(lexer, 0)))
        lexer->at++;
    if (!is_numeral(lexer->text + from, lexer->at - from))
        return wrong(lexer, from, "malformed number");
    return token(lexer, FT_TOKEN_NUMBER, from);
}

/* ---- Words and signs --------------------------------------------------------------------------------------------- */

static struct ft_token word(struct ft_lexer *lexer)
{
    static const struct { const char *word; int kind; } keywords[] = {
        { "and", FT_TOKEN_AND }, { "break", FT_TOKEN_BREAK }, { "do", FT_TOKEN_DO }, { "else", FT_TOKEN_ELSE }, { "elseif", FT_TOKEN_ELSEIF },
        { "end", FT_TOKEN_IF_END }, { "false", FT_TOKEN_FALSE }, { "for", FT_TOKEN_FOR }, { "function", FT_TOKEN_FUNCTION },
        { "goto", FT_TOKEN_GOTO }, { "if", FT_TOKEN_IF }, { "in", FT_TOKEN_IN }, { "local", FT_TOKEN_LOCAL }, { "nil", FT_TOKEN_NIL },
        { "not", FT_TOKEN_NOT }, { "or", FT_TOKEN_OR }, { "repeat", FT_TOKEN_REPEAT }, { "return", FT_TOKEN_RETURN },
        { "then", FT_TOKEN_THEN }, { "true", FT_TOKEN_TRUE }, { "until", FT_TOKEN_UNTIL }, { "while", FT_TOKEN_WHILE },
    };
    size_t from = lexer->at;
    struct ft_token t;

    while (is_letter(peek(lexer, 0)) || is_digit(peek(lexer, 0)))
        lexer->at++;
    t = token(lexer, FT_TOKEN_NAME, from);
    for (size_t i = 0; i < ARRAY_LEN(keywords); i++)
        if (strlen(keywords[i].word) == t.len && memcmp(lexer->text + from, keywords[i].word, t.len) == 0)
            t.kind = keywords[i].kind;
    return t.kind == FT_TOKEN_NAME ? with_text(lexer, t, lexer->text + from, t.len) : t;
}

static struct ft_token sign(struct ft_lexer *lexer)
{
    static const struct { const char *sign; int kind; } signs[] = {       /* the longer ones first */
        { "...", FT_TOKEN_DOTS }, { "..", FT_TOKEN_CONCAT }, { "==", FT_TOKEN_EQ }, { "~=", FT_TOKEN_NE }, { "<=", FT_TOKEN_LE },
        { ">=", FT_TOKEN_GE }, { "<<", FT_TOKEN_SHL }, { ">>", FT_TOKEN_SHR }, { "//", FT_TOKEN_IDIV }, { "::", FT_TOKEN_LABEL },
    };
    size_t from = lexer->at, left = lexer->len - from;

    for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
        size_t len = strlen(signs[i].sign);

        if (len <= left && memcmp(lexer->text + from, signs[i].sign, len) == 0) {
            lexer->at += len;
            return token(lexer, signs[i].kind, from);
        }
    }
    lexer->at++;
    if (lexer->text[from] && strchr("+-*/%^#&~|<>=(){}[];:,.", lexer->text[from]))
        return token(lexer, lexer->text[from], from);
    while (((unsigned char)peek(lexer, 0) & 0xc0) == 0x80 && lexer->at < lexer->len)
        lexer->at++;                                 /* the rest of a character of several bytes */
    return wrong(lexer, from, "this character has no meaning here");
}

struct ft_token ft_lex(struct ft_lexer *lexer)
{
    size_t from;
    int level;

    for (skip_white(lexer); peek(lexer, 0) == '-' && peek(lexer, 1) == '-'; skip_white(lexer)) {
        from = lexer->at;
        if (!skip_comment(lexer))
            return wrong(lexer, from, "unfinished long comment");
    }
    if (lexer->at == lexer->len)
        return token(lexer, FT_TOKEN_END, lexer->at);
    if (peek(lexer, 0) == '[' && (level = long_bracket_level(lexer)) >= 0)
        return long_string(lexer, (size_t)level);
    if (peek(lexer, 0) == '"' || peek(lexer, 0) == '\'')
        return short_string(lexer);
    if (is_digit(peek(lexer, 0)) || (peek(lexer, 0) == '.' && is_digit(peek(lexer, 1))))
        return number(lexer);
    if (is_letter(peek(lexer, 0)))
        return word(lexer);
    return sign(lexer);
}
