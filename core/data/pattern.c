/* pattern.c: translates to POSIX on bytes, so that no locale has a say: a class with characters beyond ASCII becomes
 * alternatives of UTF-8's byte sequences. Subjects are valid UTF-8, and nothing here matches the middle of a character. */
#include "data/pattern.h"
#include <locale.h>
#include <regex.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/text.h"
#include "base/util.h"

enum {
    TEXT_MAX = 4096, SUBJECT_MAX = 65536, GROUPS_MAX = 50, WIDE_MAX = 64,
    REPEAT_MAX = 1000, POSITIONS_MAX = 5000,     /* libc copies what is repeated: this bounds its memory */
};

#define UNICODE_MAX 0x10ffffu

struct ft_pattern {
    char *text, *posix;               /* owned */
    regex_t regex;
    enum { NOT_MADE, MADE, BROKEN } state;
};

struct range { uint32_t from, to; };

/* What stands between [ and ]. */
struct class {
    bool in[128], negated;
    struct range wide[WIDE_MAX];      /* beyond ASCII */
    size_t wide_count;
};

struct translator {
    const char *at;
    struct ft_buf out;
    size_t groups;
    size_t positions[GROUPS_MAX + 1]; /* of each open group so far */
    size_t atom;                      /* positions of what a repetition would repeat; 0: there is nothing */
    struct ft_err *reterr;
};

__attribute__((format(printf, 2, 3)))
static int refuse(struct translator *t, const char *fmt, ...)
{
    char said[200];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(said, sizeof(said), fmt, ap);
    va_end(ap);
    return ft_err_class(t->reterr, FT_INVALID, -EINVAL, "the pattern %s", said);
}

static int add_range(struct translator *t, struct class *class, uint32_t from, uint32_t to)
{
    for (uint32_t c = from; c <= to && c < 128; c++)
        class->in[c] = true;
    if (to < 128)
        return 0;
    if (class->wide_count >= WIDE_MAX)
        return refuse(t, "has a class of more than %d ranges", WIDE_MAX);
    class->wide[class->wide_count++] = (struct range){ ft_max(from, 128u), to };
    return 0;
}

static int add_shorthand(struct translator *t, struct class *class, char letter)
{
    const char *members = letter == 's' || letter == 'S' ? " \t\n\r\f\v" : "0123456789";
    bool opposite = letter < 'a', word = letter == 'w' || letter == 'W';

    for (int c = 1; c < 128; c++) {
        bool is = strchr(members, c) || (word && (c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')));

        class->in[c] |= is != opposite;
    }
    return opposite ? add_range(t, class, 128, UNICODE_MAX) : 0;
}

static int hex_digits(struct translator *t, size_t n, uint32_t *ret)
{
    static const char hex[] = "0123456789abcdef";

    *ret = 0;
    for (; n > 0; n--, t->at++) {
        const char *found = *t->at ? strchr(hex, *t->at | 0x20) : NULL;

        if (!found)
            return refuse(t, "has an escape with too few hexadecimal digits");
        *ret = *ret * 16 + (uint32_t)(found - hex);
    }
    return 0;
}

static int unicode_escape(struct translator *t, uint32_t *ret)
{
    uint32_t low;
    int r = hex_digits(t, 4, ret);

    if (r < 0 || *ret < 0xd800 || *ret > 0xdfff)
        return r;
    if (*ret > 0xdbff || strncmp(t->at, "\\u", 2) != 0)
        return refuse(t, "has half of a surrogate pair");
    t->at += 2;
    r = hex_digits(t, 4, &low);
    if (r == 0 && (low < 0xdc00 || low > 0xdfff))
        return refuse(t, "has half of a surrogate pair");
    *ret = 0x10000 + ((*ret - 0xd800) << 10) + (low - 0xdc00);
    return r;
}

/* After the backslash: one character. Shorthands are not its business. */
static int read_escape(struct translator *t, uint32_t *ret)
{
    static const char letters[] = "tnrfv", meant[] = "\t\n\r\f\v";
    char c = *t->at;
    const char *found = c ? strchr(letters, c) : NULL;
    int r = 0;

    if (c == '\0')
        return refuse(t, "ends with a backslash");
    if ((unsigned char)c >= 0x80 || c == '0' || c == 'b' || c == 'B' || c == 'k' || c == 'p' || c == 'P' || (c >= '1' && c <= '9'))
        return refuse(t, "uses \\%c, which is not supported", (unsigned char)c >= 0x80 ? '?' : c);
    t->at++;
    if (found)
        *ret = (unsigned char)meant[found - letters];
    else if (c == 'x')
        r = hex_digits(t, 2, ret);
    else if (c == 'u')
        r = unicode_escape(t, ret);
    else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        return refuse(t, "uses \\%c, which is not supported", c);
    else
        *ret = (unsigned char)c;
    if (r == 0 && *ret == 0)
        return refuse(t, "holds the character U+0000");
    return r;
}

/* The character at t->at, which is valid UTF-8. */
static uint32_t read_char(struct translator *t)
{
    const unsigned char *c = (const unsigned char *)t->at;
    size_t n = c[0] < 0x80 ? 1 : c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : 4;
    uint32_t value = n == 1 ? c[0] : c[0] & (0x7fu >> n);

    for (size_t i = 1; i < n; i++)
        value = value << 6 | (c[i] & 0x3f);
    t->at += n;
    return value;
}

/* One end of a range, or a shorthand (then *ret_whole is set and it is in the class already). */
static int class_char(struct translator *t, struct class *class, uint32_t *ret, bool *ret_whole)
{
    *ret_whole = false;
    if (*t->at != '\\') {
        *ret = read_char(t);
        return 0;
    }
    t->at++;
    if (*t->at && strchr("dDwWsS", *t->at)) {
        *ret_whole = true;
        return add_shorthand(t, class, *t->at++);
    }
    return read_escape(t, ret);
}

static int read_class(struct translator *t, struct class *class)
{
    class->negated = *t->at == '^';
    t->at += class->negated;
    if (*t->at == ']')
        return refuse(t, "has an empty class");
    while (*t->at && *t->at != ']') {
        uint32_t from, to;
        bool whole;
        int r = class_char(t, class, &from, &whole);

        to = from;
        if (r == 0 && t->at[0] == '-' && t->at[1] && t->at[1] != ']') {
            if (whole)
                return refuse(t, "has a range that begins with a class");
            t->at++;
            r = class_char(t, class, &to, &whole);
            if (r == 0 && (whole || to < from))
                return refuse(t, "has a range whose end comes before its beginning");
        }
        if (r == 0 && !whole)
            r = add_range(t, class, from, to);
        if (r < 0)
            return r;
    }
    if (*t->at != ']')
        return refuse(t, "has a '[' that is not closed");
    t->at++;
    return 0;
}

/* ---- Writing classes --------------------------------------------------------------------------------------------- */

static int by_start(const void *a, const void *b)
{
    const struct range *x = a, *y = b;

    return x->from < y->from ? -1 : x->from > y->from;
}

static void negate(struct class *class)
{
    struct range gaps[WIDE_MAX + 1];
    uint32_t next = 128;
    size_t n = 0;

    for (int c = 1; c < 128; c++)
        class->in[c] = !class->in[c];
    qsort(class->wide, class->wide_count, sizeof(*class->wide), by_start);
    for (size_t i = 0; i < class->wide_count; i++) {
        if (class->wide[i].from > next)
            gaps[n++] = (struct range){ next, class->wide[i].from - 1 };
        next = ft_max(next, class->wide[i].to + 1);
    }
    if (next <= UNICODE_MAX)
        gaps[n++] = (struct range){ next, UNICODE_MAX };
    memcpy(class->wide, gaps, n * sizeof(*gaps));
    class->wide_count = n;
}

static bool needs_care(int c)
{
    return c == ']' || c == '[' || c == '^' || c == '-';
}

/* In POSIX brackets ']' must come first, '-' last or first, '^' not first, and '[' not before '.', ':' or '='. */
static void write_brackets(struct ft_buf *out, const bool in[128])
{
    size_t start;

    ft_buf_addc(out, '[');
    start = out->len;
    if (in[']'])
        ft_buf_addc(out, ']');
    for (int c = 1; c < 128; c++) {
        int last = c;

        if (!in[c] || needs_care(c))
            continue;
        while (last < 127 && in[last + 1] && !needs_care(last + 1))
            last++;
        ft_buf_addc(out, (char)c);
        if (last > c + 1)
            ft_buf_addc(out, '-');
        if (last > c)
            ft_buf_addc(out, (char)last);
        c = last;
    }
    if (in['['])
        ft_buf_addc(out, '[');
    if (in['^'] && out->len == start)
        ft_buf_adds(out, "-^");              /* alone it does not get here */
    else
        ft_buf_adds(out, in['^'] ? in['-'] ? "^-" : "^" : in['-'] ? "-" : "");
    ft_buf_addc(out, ']');
}

/* The ASCII part; returns how many alternatives it wrote, 0 or 1. */
static size_t write_ascii(struct ft_buf *out, const bool in[128])
{
    size_t n = 0;

    for (int c = 1; c < 128; c++)
        n += in[c];
    if (n == 1 && in['^'])
        ft_buf_adds(out, "\\^");
    else if (n > 0)
        write_brackets(out, in);
    return n > 0;
}

static size_t encode(uint32_t c, unsigned char bytes[4])
{
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    if (n == 1) {
        bytes[0] = (unsigned char)c;
        return 1;
    }
    for (size_t i = n; i-- > 1; c >>= 6)
        bytes[i] = (unsigned char)(0x80 | (c & 0x3f));
    bytes[0] = (unsigned char)((0xf00u >> n & 0xff) | c);
    return n;
}

/* Where the range must be cut so that its characters are all the combinations of one range for each byte; its end if nowhere. */
static uint32_t cut(uint32_t from, uint32_t to)
{
    static const uint32_t longest[] = { 0x7f, 0x7ff, 0xffff };

    for (size_t i = 0; i < ARRAY_LEN(longest); i++)
        if (from <= longest[i] && to > longest[i])
            to = longest[i];
    for (uint32_t bits = 6; bits <= 18; bits += 6) {
        uint32_t low = (1u << bits) - 1;

        if ((from & ~low) == (to & ~low))
            continue;
        if (from & low)
            return cut(from, from | low);
        if ((to & low) != low)
            return cut(from, (to & ~low) - 1);
    }
    return to;
}

/* The range as alternatives of bytes; returns how many. */
static size_t write_wide(struct ft_buf *out, struct range range, size_t had)
{
    unsigned char low[4], high[4];

    if (range.from == 128 && range.to == UNICODE_MAX) {
        ft_buf_adds(out, had ? "|[\xc2-\xf4][\x80-\xbf]+" : "[\xc2-\xf4][\x80-\xbf]+");
        return had + 2;
    }
    while (range.from <= range.to) {
        uint32_t end = cut(range.from, range.to);
        size_t n = encode(range.from, low);

        encode(end, high);
        ft_buf_adds(out, had++ ? "|" : "");
        for (size_t i = 0; i < n; i++) {
            if (low[i] == high[i])
                ft_buf_addc(out, (char)low[i]);
            else
                ft_buf_addf(out, "[%c-%c]", low[i], high[i]);
        }
        range.from = end + 1;
    }
    return had;
}

static int write_class(struct translator *t, struct class *class)
{
    size_t n;

    if (class->negated)
        negate(class);
    if (class->wide_count > 0)
        ft_buf_addc(&t->out, '(');
    n = write_ascii(&t->out, class->in);
    for (size_t i = 0; i < class->wide_count; i++)
        n = write_wide(&t->out, class->wide[i], n);
    if (class->wide_count > 0)
        ft_buf_addc(&t->out, ')');
    t->atom = n;
    return n ? 0 : refuse(t, "has a class that no character is in");
}

static int translate_class(struct translator *t)
{
    struct class class = { 0 };
    int r = read_class(t, &class);

    return r < 0 ? r : write_class(t, &class);
}

/* ---- The rest ---------------------------------------------------------------------------------------------------- */

static int translate_shorthand(struct translator *t)
{
    struct class class = { 0 };
    int r = add_shorthand(t, &class, *t->at++);

    return r < 0 ? r : write_class(t, &class);
}

/* Every character but the ends of lines. */
static int translate_dot(struct translator *t)
{
    struct class class = { .negated = true, .in = { ['\n'] = true, ['\r'] = true } };

    return write_class(t, &class);
}

/* More than one byte needs a group, or a repetition would repeat the last one. */
static void write_literal(struct translator *t, uint32_t c)
{
    unsigned char bytes[4];
    size_t n = encode(c, bytes);

    if (c < 128 && strchr(".[]()*+?{}^$|\\", (int)c))
        ft_buf_addc(&t->out, '\\');
    if (n > 1)
        ft_buf_addc(&t->out, '(');
    ft_buf_add(&t->out, bytes, n);
    if (n > 1)
        ft_buf_addc(&t->out, ')');
    t->atom = n;
}

static int translate_escape(struct translator *t)
{
    uint32_t c;
    int r;

    if (*t->at && strchr("dDwWsS", *t->at))
        return translate_shorthand(t);
    r = read_escape(t, &c);
    if (r == 0)
        write_literal(t, c);
    return r;
}

/* What was read since the last repetition counts towards its group once it is clear that nothing repeats it. */
static void settle(struct translator *t)
{
    t->positions[t->groups] += t->atom;
    t->atom = 0;
}

static int open_group(struct translator *t)
{
    settle(t);
    if (*t->at == '?') {
        if (t->at[1] != ':')
            return refuse(t, "uses look-around or a named group, which is not supported");
        t->at += 2;
    }
    if (t->groups >= GROUPS_MAX)
        return refuse(t, "has more than %d groups inside one another", GROUPS_MAX);
    t->positions[++t->groups] = 1;
    ft_buf_addc(&t->out, '(');
    return 0;
}

static int close_group(struct translator *t)
{
    settle(t);
    if (t->groups == 0)
        return refuse(t, "has a ')' without '('");
    t->atom = t->positions[t->groups--];
    ft_buf_addc(&t->out, ')');
    return 0;
}

static bool read_number(const char **at, size_t *ret)
{
    size_t n = strspn(*at, "0123456789");

    *ret = n && n < 6 ? strtoul(*at, NULL, 10) : SIZE_MAX;
    *at += n;
    return n > 0;
}

/* {n}, {n,}, {n,m} */
static int read_interval(struct translator *t, size_t *ret_times)
{
    size_t least, most;

    if (!read_number(&t->at, &least))
        return refuse(t, "has a '{' that is no repetition: write \\{");
    most = least;
    if (*t->at == ',') {
        t->at++;
        if (!read_number(&t->at, &most))
            most = least;                    /* {n,} is n times and then a star */
    }
    if (*t->at++ != '}')
        return refuse(t, "has a '{' that is no repetition: write \\{");
    if (most < least || most > REPEAT_MAX)
        return refuse(t, "has a repetition that is not between 0 and %d times", REPEAT_MAX);
    *ret_times = most + 1;
    return 0;
}

static int translate_repetition(struct translator *t, char mark)
{
    const char *start = t->at - 1;
    size_t times = mark == '+' ? 2 : 1;
    int r;

    if (t->atom == 0)
        return refuse(t, "has a '%c' with nothing before it to repeat", mark);
    r = mark == '{' ? read_interval(t, &times) : 0;
    if (r < 0)
        return r;
    ft_buf_add(&t->out, start, (size_t)(t->at - start));
    t->at += *t->at == '?';                  /* lazy or not is the same for a yes or no */
    t->positions[t->groups] += t->atom * times;
    t->atom = 0;
    if (t->positions[t->groups] > POSITIONS_MAX)
        return refuse(t, "repeats too much: its parts multiply to more than %d", POSITIONS_MAX);
    return 0;
}

static int translate_one(struct translator *t)
{
    char c = *t->at;

    if (strchr("*+?{", c)) {
        t->at++;
        return translate_repetition(t, c);
    }
    settle(t);
    if ((unsigned char)c >= 0x80 || !strchr("[\\().^$|", c)) {
        write_literal(t, read_char(t));
        return 0;
    }
    t->at++;
    switch (c) {
    case '[':
        return translate_class(t);
    case '\\':
        return translate_escape(t);
    case '(':
        return open_group(t);
    case ')':
        return close_group(t);
    case '.':
        return translate_dot(t);
    default:
        ft_buf_addc(&t->out, c);
        return 0;
    }
}

static int translate(struct translator *t)
{
    int r = 0;

    while (r == 0 && *t->at)
        r = translate_one(t);
    settle(t);
    if (r == 0 && t->groups > 0)
        return refuse(t, "has a '(' that is not closed");
    if (r == 0 && t->positions[0] > POSITIONS_MAX)
        return refuse(t, "repeats too much: its parts multiply to more than %d", POSITIONS_MAX);
    return r;
}

int ft_pattern_new(const char *text, struct ft_pattern **ret, struct ft_err *reterr)
{
    struct translator t = { .at = text, .out = FT_BUF_INIT(0), .reterr = reterr };
    size_t len = strlen(text);
    int r;

    if (len > TEXT_MAX)
        return refuse(&t, "is longer than %d bytes", TEXT_MAX);
    if (!ft_utf8_valid(text, len))
        return refuse(&t, "is not UTF-8");
    r = translate(&t);
    if (r == 0) {
        *ret = ft_calloc(1, sizeof(**ret));
        (*ret)->text = ft_strdup(text);
        (*ret)->posix = ft_buf_take(&t.out);
    }
    ft_buf_done(&t.out);
    return r;
}

struct ft_pattern *ft_pattern_free(struct ft_pattern *pattern)
{
    if (!pattern)
        return NULL;
    if (pattern->state == MADE)
        regfree(&pattern->regex);
    free(pattern->posix);
    free(pattern->text);
    free(pattern);
    return NULL;
}

const char *ft_pattern_text(const struct ft_pattern *pattern)
{
    return pattern->text;
}

/* ---- Matching ---------------------------------------------------------------------------------------------------- */

bool ft_pattern_match(struct ft_pattern *pattern, const char *text, size_t len)
{
    static locale_t bytes;
    regmatch_t all = { .rm_so = 0, .rm_eo = (regoff_t)len };
    locale_t before;
    bool matches;

    if (len > SUBJECT_MAX)
        return false;
    if (!bytes)
        bytes = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    before = uselocale(bytes);
    if (pattern->state == NOT_MADE)
        pattern->state = regcomp(&pattern->regex, pattern->posix, REG_EXTENDED | REG_NOSUB) == 0 ? MADE : BROKEN;
    matches = pattern->state == MADE && regexec(&pattern->regex, text, 1, &all, REG_STARTEND) == 0;
    uselocale(before);
    return matches;
}
