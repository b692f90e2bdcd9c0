/* spans.c: sets of times. */
#include "data/calendar.h"
#include "base/util.h"

void ft_spans_done(struct ft_spans *spans)
{
    free(spans->items);
    memset(spans, 0, sizeof(*spans));
}

/* The first that ends at or after `at`. */
static size_t place(const struct ft_spans *spans, int64_t at)
{
    size_t low = 0, high = spans->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (spans->items[middle].to < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void ft_spans_add(struct ft_spans *spans, int64_t from, int64_t to)
{
    size_t first, last;

    if (from >= to)
        return;
    first = last = place(spans, from);
    for (; last < spans->count && spans->items[last].from <= to; last++) {
        from = ft_min(from, spans->items[last].from);
        to = ft_max(to, spans->items[last].to);
    }
    if (last == first) {
        if (spans->count == spans->room) {
            spans->room = spans->room ? spans->room * 2 : 16;
            spans->items = ft_realloc(spans->items, spans->room * sizeof(*spans->items));
        }
        memmove(spans->items + first + 1, spans->items + first, (spans->count - first) * sizeof(*spans->items));
        spans->count++;
    } else {
        memmove(spans->items + first + 1, spans->items + last, (spans->count - last) * sizeof(*spans->items));
        spans->count -= last - first - 1;
    }
    spans->items[first] = (struct ft_span){ from, to };
}

static void replace(struct ft_spans *spans, struct ft_spans *with)
{
    ft_spans_done(spans);
    *spans = *with;
}

void ft_spans_intersect(struct ft_spans *spans, const struct ft_spans *with)
{
    struct ft_spans both = { 0 };

    for (size_t i = 0, j = 0; i < spans->count && j < with->count;) {
        const struct ft_span *a = &spans->items[i], *b = &with->items[j];

        ft_spans_add(&both, ft_max(a->from, b->from), ft_min(a->to, b->to));
        if (a->to < b->to)
            i++;
        else
            j++;
    }
    replace(spans, &both);
}

void ft_spans_subtract(struct ft_spans *spans, const struct ft_spans *without)
{
    struct ft_spans left = { 0 };

    for (size_t i = 0; i < spans->count; i++) {
        int64_t from = spans->items[i].from, to = spans->items[i].to;

        for (size_t j = place(without, from + 1); j < without->count && without->items[j].from < to; j++) {
            ft_spans_add(&left, from, without->items[j].from);
            from = ft_max(from, without->items[j].to);
        }
        ft_spans_add(&left, from, to);
    }
    replace(spans, &left);
}

const struct ft_span *ft_spans_at(const struct ft_spans *spans, int64_t at)
{
    size_t i = place(spans, at + 1);

    return i < spans->count && spans->items[i].from <= at ? &spans->items[i] : NULL;
}
