#include "script/match.h"
#include <string.h>

/* ---- Reading a pattern ------------------------------------------------------------------------------------------- */

struct reader {
    const unsigned char *at, *end;
    struct ft_lua_pattern *pattern;
    size_t count;
    unsigned open[FT_CAPTURES_MAX], open_count;      /* captures whose ')' has not come */
};

static bool between(unsigned c, unsigned low, unsigned high) { return c >= low && c <= high; }

static bool in_class(unsigned c, int class)
{
    bool lower = between(c, 'a', 'z'), upper = between(c, 'A', 'Z'), digit = between(c, '0', '9');

    switch (class) {
    case 'a': return lower || upper;
    case 'c': return c < 32 || c == 127;
    case 'd': return digit;
    case 'g': return between(c, 33, 126);
    case 'l': return lower;
    case 'p': return between(c, 33, 126) && !lower && !upper && !digit;
    case 's': return c == ' ' || between(c, '\t', '\r');
    case 'u': return upper;
    case 'w': return lower || upper || digit;
    default:  return digit || between(c, 'a', 'f') || between(c, 'A', 'F');        /* x */
    }
}

static void set_add(uint64_t set[4], unsigned c) { set[c / 64] |= (uint64_t)1 << (c % 64); }
static bool set_has(const uint64_t set[4], unsigned char c) { return set[c / 64] >> (c % 64) & 1; }

static void set_invert(uint64_t set[4])
{
    for (int i = 0; i < 4; i++)
        set[i] = ~set[i];
}

/* What stands after a '%': a class, or a character that means itself. */
static const char *read_escape(struct reader *r, uint64_t set[4])
{
    unsigned c;
    bool letter;

    if (r->at == r->end)
        return "the pattern ends with '%'";
    c = *r->at++;
    letter = in_class(c, 'a');
    if (!letter) {
        set_add(set, c);
        return in_class(c, 'd') ? "a reference such as %1 cannot stand in a set" : NULL;
    }
    if (!strchr("acdglpsuwx", (int)(c | 32)))
        return "the pattern has a '%' before a letter that names no class (%a %c %d %g %l %p %s %u %w %x)";
    for (unsigned b = 0; b < 256; b++)
        if (in_class(b, (int)(c | 32)) == (c >= 'a'))
            set_add(set, b);
    return NULL;
}

/* After '['. */
static const char *read_set(struct reader *r, uint64_t set[4])
{
    bool invert = r->at < r->end && *r->at == '^';
    const unsigned char *first = r->at += invert;

    for (;; ) {
        unsigned c;
        const char *wrong;

        if (r->at == r->end)
            return "the pattern has a '[' without its ']'";
        c = *r->at++;
        if (c == ']' && r->at - 1 != first)
            break;
        if (c == '%') {
            wrong = read_escape(r, set);
            if (wrong)
                return wrong;
        } else if (r->end - r->at >= 2 && r->at[0] == '-' && r->at[1] != ']') {
            if (r->at[1] == '%')
                return "the pattern has a range that ends with '%'";
            for (unsigned b = c; b <= r->at[1]; b++)
                set_add(set, b);
            r->at += 2;
        } else {
            set_add(set, c);
        }
    }
    if (invert)
        set_invert(set);
    return NULL;
}

static const char *read_open(struct reader *r, struct ft_lua_item *item)
{
    if (r->pattern->captures == FT_CAPTURES_MAX)
        return "the pattern has more than 32 captures";
    item->from = (unsigned char)r->pattern->captures++;
    if (r->at < r->end && *r->at == ')') {
        r->at++;
        item->kind = FT_ITEM_OPEN_POSITION;
        return NULL;
    }
    item->kind = FT_ITEM_OPEN;
    r->open[r->open_count++] = item->from;
    return NULL;
}

static const char *read_close(struct reader *r, struct ft_lua_item *item)
{
    if (r->open_count == 0)
        return "the pattern has a ')' without its '('";
    item->kind = FT_ITEM_CLOSE;
    item->from = (unsigned char)r->open[--r->open_count];
    return NULL;
}

static const char *read_back_reference(struct reader *r, struct ft_lua_item *item)
{
    unsigned number = *r->at++ - '1';        /* %0 becomes very large */

    item->kind = FT_ITEM_BACK;
    item->from = (unsigned char)number;
    for (unsigned i = 0; i < r->open_count; i++)
        if (r->open[i] == number)
            return "the pattern refers to a capture inside that capture";
    return number < r->pattern->captures ? NULL : "the pattern refers to a capture that it does not have";
}

static const char *read_balanced(struct reader *r, struct ft_lua_item *item)
{
    r->at++;
    if (r->end - r->at < 2)
        return "the pattern has a '%b' without its two characters";
    item->kind = FT_ITEM_BALANCED;
    item->from = *r->at++;
    item->to = *r->at++;
    return NULL;
}

static const char *read_frontier(struct reader *r, struct ft_lua_item *item)
{
    r->at++;
    if (r->at == r->end || *r->at != '[')
        return "the pattern has a '%f' without its '[set]'";
    r->at++;
    item->kind = FT_ITEM_FRONTIER;
    return read_set(r, item->set);
}

static const char *read_one(struct reader *r, struct ft_lua_item *item, unsigned c)
{
    const char *wrong = NULL;

    item->kind = FT_ITEM_SET;
    if (c == '%')
        wrong = read_escape(r, item->set);
    else if (c == '[')
        wrong = read_set(r, item->set);
    else if (c == '.')
        set_invert(item->set);
    else
        set_add(item->set, c);
    if (!wrong && r->at < r->end && strchr("*+-?", *r->at) && *r->at)
        item->repeat = (char)*r->at++;
    return wrong;
}

static const char *read_item(struct reader *r, struct ft_lua_item *item)
{
    unsigned c = *r->at++;
    unsigned next = r->at < r->end ? *r->at : 0;

    *item = (struct ft_lua_item){ .kind = FT_ITEM_SET };
    if (c == '(')
        return read_open(r, item);
    if (c == ')')
        return read_close(r, item);
    if (c == '%' && next == 'b')
        return read_balanced(r, item);
    if (c == '%' && next == 'f')
        return read_frontier(r, item);
    if (c == '%' && in_class(next, 'd'))
        return read_back_reference(r, item);
    if (c == '$' && r->at == r->end) {
        item->kind = FT_ITEM_AT_END;
        return NULL;
    }
    return read_one(r, item, c);
}

const char *ft_lua_pattern_read(struct ft_lua_pattern *pattern, const char *text, size_t len)
{
    struct reader r = { .at = (const unsigned char *)text, .end = (const unsigned char *)text + len, .pattern = pattern };
    const char *wrong = NULL;

    pattern->captures = 0;
    pattern->anchored = len > 0 && text[0] == '^';
    r.at += pattern->anchored;
    if (len > FT_LUA_PATTERN_MAX)
        return "the pattern is longer than 256 bytes";
    while (!wrong && r.at < r.end)
        wrong = read_item(&r, &pattern->items[r.count++]);
    pattern->items[r.count].kind = FT_ITEM_DONE;
    if (!wrong && r.open_count)
        wrong = "the pattern has a '(' without its ')'";
    return wrong;
}

/* ---- Matching ---------------------------------------------------------------------------------------------------- */

static bool try_from(const struct ft_lua_item *item, struct ft_match *m, size_t at);

static bool spend(struct ft_match *m, size_t steps)
{
    if (*m->steps_left < steps) {
        *m->steps_left = 0;
        m->out_of_steps = true;
        return false;
    }
    *m->steps_left -= steps;
    return true;
}

static bool fits(const struct ft_lua_item *item, const struct ft_match *m, size_t at)
{
    return at < m->len && set_has(item->set, (unsigned char)m->subject[at]);
}

/* '*' and '+': as many as fit, then fewer. */
static bool try_longest_first(const struct ft_lua_item *item, struct ft_match *m, size_t at)
{
    size_t least = item->repeat == '+', n = 0;

    while (fits(item, m, at + n))
        n++;
    if (!spend(m, n))
        return false;
    for (; n >= least; n--) {
        if (try_from(item + 1, m, at + n))
            return true;
        if (n == 0 || m->out_of_steps)
            break;
    }
    return false;
}

static bool try_shortest_first(const struct ft_lua_item *item, struct ft_match *m, size_t at)
{
    while (!try_from(item + 1, m, at)) {
        if (m->out_of_steps || !fits(item, m, at))
            return false;
        at++;
    }
    return true;
}

static bool skip_balanced(const struct ft_lua_item *item, struct ft_match *m, size_t *at)
{
    size_t depth = 1, i = *at;

    if (i >= m->len || (unsigned char)m->subject[i] != item->from)
        return false;
    while (++i < m->len && spend(m, 1)) {
        unsigned char c = (unsigned char)m->subject[i];

        if (c == item->to) {
            if (--depth == 0) {
                *at = i + 1;
                return true;
            }
        } else if (c == item->from) {
            depth++;
        }
    }
    return false;
}

static bool at_frontier(const struct ft_lua_item *item, const struct ft_match *m, size_t at)
{
    unsigned char before = at > 0 ? (unsigned char)m->subject[at - 1] : 0;
    unsigned char here = at < m->len ? (unsigned char)m->subject[at] : 0;

    return !set_has(item->set, before) && set_has(item->set, here);
}

static bool skip_same_again(const struct ft_lua_item *item, struct ft_match *m, size_t *at)
{
    size_t start = m->captures[item->from].start, len = m->captures[item->from].end - start;

    if (m->captures[item->from].position || m->len - *at < len || !spend(m, len) ||
        memcmp(m->subject + start, m->subject + *at, len) != 0)
        return false;
    *at += len;
    return true;
}

/* A set with its repeat; false: no match from here, whatever follows was tried too. *over: what follows was tried, and fits. */
static bool step_over_set(const struct ft_lua_item *item, struct ft_match *m, size_t *at, bool *over)
{
    switch (item->repeat) {
    case '*':
    case '+':
        return *over = try_longest_first(item, m, *at);
    case '-':
        return *over = try_shortest_first(item, m, *at);
    case '?':
        if (fits(item, m, *at) && try_from(item + 1, m, *at + 1))
            return *over = true;
        return true;
    default:
        return fits(item, m, (*at)++);
    }
}

static bool try_from(const struct ft_lua_item *item, struct ft_match *m, size_t at)
{
    for (;; item++) {
        bool goes_on = true, over = false;

        if (!spend(m, 1))
            return false;
        switch (item->kind) {
        case FT_ITEM_DONE:
            m->end = at;
            return true;
        case FT_ITEM_AT_END:
            goes_on = at == m->len;
            break;
        case FT_ITEM_OPEN:
        case FT_ITEM_OPEN_POSITION:      /* what a way that failed leaves here is written again before it is read */
            m->captures[item->from].start = m->captures[item->from].end = at;
            m->captures[item->from].position = item->kind == FT_ITEM_OPEN_POSITION;
            break;
        case FT_ITEM_CLOSE:
            m->captures[item->from].end = at;
            break;
        case FT_ITEM_BACK:
            goes_on = skip_same_again(item, m, &at);
            break;
        case FT_ITEM_BALANCED:
            goes_on = skip_balanced(item, m, &at);
            break;
        case FT_ITEM_FRONTIER:
            goes_on = at_frontier(item, m, at);
            break;
        case FT_ITEM_SET:
            goes_on = step_over_set(item, m, &at, &over);
            break;
        }
        if (over || !goes_on)
            return over;
    }
}

bool ft_lua_pattern_match(const struct ft_lua_pattern *pattern, struct ft_match *match, size_t start)
{
    match->start = start;
    match->out_of_steps = false;
    return try_from(pattern->items, match, start);
}
