/* textdiff.c: a difference of lines, by Myers' greedy way, bounded. */
#include "textdiff.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_EDITS 1500            /* the way back needs MAX_EDITS² / 2 numbers */
#define CONTEXT 3

struct line { const char *text; size_t len; };
struct lines { struct line *at; size_t n; };

static struct lines split(const char *text)
{
    struct lines l = { .n = 0 };
    size_t count = 1;

    for (const char *p = text; *p; p++)
        count += *p == '\n';
    l.at = malloc(count * sizeof(*l.at));
    while (l.at && *text) {
        size_t len = strcspn(text, "\n"), kept = len;

        while (kept && strchr(" \t\r", text[kept - 1]))
            kept--;
        l.at[l.n++] = (struct line){ text, kept };
        text += len + (text[len] == '\n');
    }
    return l;
}

static bool same(const struct line *a, const struct line *b)
{
    return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

struct out { char *text; size_t len, size; };

static void put(struct out *o, char sign, const struct line *l)
{
    if (o->len + l->len + 3 > o->size) {
        size_t size = (o->size + l->len + 64) * 2;
        char *larger = realloc(o->text, size);

        if (!larger)
            return;
        o->text = larger;
        o->size = size;
    }
    if (sign)
        o->text[o->len++] = sign;
    memcpy(o->text + o->len, l->text, l->len);
    o->len += l->len;
    o->text[o->len++] = '\n';
    o->text[o->len] = '\0';
}

/* ---- which lines go, which come ---- */

struct edit { const struct lines *a, *b; bool *gone, *come; };

static void all_differs(const struct edit *e, size_t from, size_t end_a, size_t end_b)
{
    for (size_t i = from; i < end_a; i++)
        e->gone[i] = true;
    for (size_t i = from; i < end_b; i++)
        e->come[i] = true;
}

/* The furthest point of round d - 1 on a diagonal; -1: none. */
static int furthest(int32_t *const *trace, int d, int k)
{
    return d > 0 && k >= -(d - 1) && k <= d - 1 ? trace[d - 1][k + d - 1] : -1;
}

/* Does the way to diagonal k in round d come down from k + 1 (a line that comes), or from k - 1 (one that goes)? */
static bool comes_down(int32_t *const *trace, int d, int k)
{
    return k == -d || (k != d && furthest(trace, d, k - 1) < furthest(trace, d, k + 1));
}

static void way_back(const struct edit *e, int32_t *const *trace, int d, int k, size_t from)
{
    for (; d > 0; d--) {
        if (comes_down(trace, d, k)) {
            k++;
            e->come[from + (size_t)(furthest(trace, d, k) - k)] = true;
        } else {
            k--;
            e->gone[from + (size_t)furthest(trace, d, k)] = true;
        }
    }
}

static bool walk(const struct edit *e, size_t from, int n, int m, int32_t **trace)
{
    for (int d = 0; d <= MAX_EDITS; d++) {
        trace[d] = malloc((size_t)(2 * d + 1) * sizeof(**trace));
        if (!trace[d])
            return false;
        for (int k = -d; k <= d; k += 2) {
            int x = d == 0 ? 0 : comes_down(trace, d, k) ? furthest(trace, d, k + 1) : furthest(trace, d, k - 1) + 1;

            while (x < n && x - k < m && same(&e->a->at[from + (size_t)x], &e->b->at[from + (size_t)(x - k)]))
                x++;
            trace[d][k + d] = x;
            if (x >= n && x - k >= m) {
                way_back(e, trace, d, k, from);
                return true;
            }
        }
    }
    return false;
}

static void find_edits(const struct edit *e)
{
    size_t from = 0, end_a = e->a->n, end_b = e->b->n;
    int32_t **trace = calloc(MAX_EDITS + 1, sizeof(*trace));

    while (from < end_a && from < end_b && same(&e->a->at[from], &e->b->at[from]))
        from++;
    while (end_a > from && end_b > from && same(&e->a->at[end_a - 1], &e->b->at[end_b - 1]))
        end_a--, end_b--;
    if (!trace || !walk(e, from, (int)(end_a - from), (int)(end_b - from), trace))
        all_differs(e, from, end_a, end_b);
    for (int d = 0; trace && d <= MAX_EDITS; d++)
        free(trace[d]);
    free(trace);
}

/* ---- hunks ---- */

static bool change_near(const struct edit *e, size_t i, size_t k, size_t reach)
{
    for (size_t n = 0; n < reach; n++) {
        if ((i + n < e->a->n && e->gone[i + n]) || (k + n < e->b->n && e->come[k + n]))
            return true;
    }
    return false;
}

static void write_hunks(const struct edit *e, struct out *o)
{
    size_t i = 0, k = 0, behind = CONTEXT;
    bool open = false;
    char head[64];

    while (i < e->a->n || k < e->b->n) {
        bool gone = i < e->a->n && e->gone[i], come = k < e->b->n && e->come[k];

        if (!gone && !come && behind >= CONTEXT && !change_near(e, i, k, CONTEXT + 1)) {
            open = false;
            i++, k++;
            continue;
        }
        if (!open) {
            int len = snprintf(head, sizeof(head), "@@ -%zu +%zu @@", i + 1, k + 1);

            put(o, '\0', &(struct line){ head, (size_t)len });
            open = true;
        }
        behind = gone || come ? 0 : behind + 1;
        if (gone)
            put(o, '-', &e->a->at[i++]);
        else if (come)
            put(o, '+', &e->b->at[k++]);
        else
            put(o, ' ', &e->a->at[i++]), k++;
    }
}

char *text_diff(const char *from, const char *to)
{
    struct lines a = split(from), b = split(to);
    struct edit e = { &a, &b, calloc(a.n + 1, sizeof(bool)), calloc(b.n + 1, sizeof(bool)) };
    struct out o = { calloc(1, 1), 0, 1 };

    if (a.at && b.at && e.gone && e.come && o.text) {
        find_edits(&e);
        write_hunks(&e, &o);
    }
    free(a.at);
    free(b.at);
    free(e.gone);
    free(e.come);
    return o.text;
}

/* ---- sets of lines ---- */

static int by_text(const void *a, const void *b)
{
    const struct line *x = *(const struct line *const *)a, *y = *(const struct line *const *)b;
    int r = memcmp(x->text, y->text, x->len < y->len ? x->len : y->len);

    return r ? r : (x->len > y->len) - (x->len < y->len);
}

static const struct line **sorted(const struct lines *l)
{
    const struct line **all = malloc((l->n + 1) * sizeof(*all));

    for (size_t i = 0; all && i < l->n; i++)
        all[i] = &l->at[i];
    if (all)
        qsort(all, l->n, sizeof(*all), by_text);
    return all;
}

static void put_missing(struct out *o, char sign, const struct lines *l, const struct line *const *others, size_t count)
{
    for (size_t i = 0; i < l->n; i++) {
        const struct line *wanted = &l->at[i];

        if (wanted->len && wanted->text[0] != '#' && !bsearch(&wanted, others, count, sizeof(*others), by_text))
            put(o, sign, wanted);
    }
}

char *text_set_diff(const char *from, const char *to)
{
    struct lines a = split(from), b = split(to);
    const struct line **in_a = sorted(&a), **in_b = sorted(&b);
    struct out o = { calloc(1, 1), 0, 1 };

    if (a.at && b.at && in_a && in_b && o.text) {
        put_missing(&o, '-', &a, in_b, b.n);
        put_missing(&o, '+', &b, in_a, a.n);
    }
    free(a.at);
    free(b.at);
    free(in_a);
    free(in_b);
    return o.text;
}
