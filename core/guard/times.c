/* times.c: when a write may be done: the times that all windows leave, without the freezes, from the end of the lead time on. */
#include "guard/internal.h"

#define DAY_MS (24ll * 3600 * 1000)

/* How far to look for a time that fits: most writes find it in the first. The last reaches over the eight years without a leap day. */
static const int64_t horizons[] = { 40 * DAY_MS, 400 * DAY_MS, 3300 * DAY_MS };

static int64_t lead_end(const struct ft_rail *const *rails, size_t count, const struct ft_write_facts *facts)
{
    int64_t end = 0;

    for (size_t i = 0; i < count; i++)
        if (rails[i]->lead_ms)
            end = ft_max(end, (int64_t)(facts->requested_ms + rails[i]->lead_ms));
    return end;
}

/* What all windows leave. */
static int intersect_windows(const struct ft_guard *guard, const struct ft_words *names, int64_t from, int64_t to, struct ft_spans *left, struct ft_err *reterr)
{
    struct ft_spans any = { 0 };
    int r = 0;

    for (size_t i = 0; i < guard->rails->window_count && r == 0; i++) {
        const struct ft_window *window = &guard->rails->windows[i];

        if (!words_match(names, window->name))
            continue;
        r = ft_calendar_spans(window->calendar, from, to, &any, reterr);
        if (r < 0)
            ft_err_in(reterr, "the window '%s'", window->name);
    }
    ft_spans_intersect(left, &any);
    ft_spans_done(&any);
    return r;
}

static int subtract_freezes(const struct ft_guard *guard, const struct ft_write_facts *facts, int64_t from, int64_t to, int64_t now, struct ft_spans *left,
                            const struct ft_freeze **ret_holds, bool *ret_any, struct ft_err *reterr)
{
    int r = 0;

    for (size_t i = 0; i < guard->rails->freeze_count && r == 0; i++) {
        const struct ft_freeze *freeze = &guard->rails->freezes[i];
        struct ft_spans spans = { 0 };

        if (!freeze_holds(guard, freeze, facts))
            continue;
        *ret_any = true;
        r = ft_calendar_spans(freeze->calendar, from, to, &spans, reterr);
        if (r < 0)
            ft_err_in(reterr, "the freeze '%s'", freeze->name);
        if (ft_spans_at(&spans, now))
            *ret_holds = freeze;
        ft_spans_subtract(left, &spans);
        ft_spans_done(&spans);
    }
    return r;
}

static int look_until(const struct ft_guard *guard, const struct ft_rail *const *rails, size_t count, const struct ft_write_facts *facts, int64_t now, int64_t to,
                      struct when *ret, struct ft_err *reterr)
{
    struct ft_spans left = { 0 };
    int64_t from = now, lead = lead_end(rails, count, facts), need = (int64_t)ft_min(facts->need_ms, (uint64_t)FT_SPAN_MAX / 4);
    int r = 0;

    memset(ret, 0, sizeof(*ret));
    ret->held = lead != 0;
    ret->lead_until = lead > now ? (uint64_t)lead : 0;
    ft_spans_add(&left, FT_SPAN_MIN, FT_SPAN_MAX);
    for (size_t i = 0; i < count && r == 0; i++) {
        if (!rails[i]->windows.count)
            continue;
        ret->held = true;
        r = intersect_windows(guard, &rails[i]->windows, from, to, &left, reterr);
    }
    if (r == 0)
        r = subtract_freezes(guard, facts, from, to, now, &left, &ret->freeze, &ret->held, reterr);
    for (size_t i = 0; i < left.count && r == 0; i++) {
        int64_t begin = ft_max(ft_max(left.items[i].from, now), lead), end = left.items[i].to;

        if (end <= begin)
            continue;
        ret->longest = ft_max(ret->longest, (uint64_t)(end - begin));
        if (end - begin < need || begin > to - need)      /* behind `to` there may be freezes that were not looked at */
            continue;
        ret->now = begin == now;
        ret->next = (uint64_t)begin;
        ret->closes = end == FT_SPAN_MAX ? 0 : (uint64_t)end;
        break;
    }
    ft_spans_done(&left);
    return r;
}

int when_allowed(const struct ft_guard *guard, const struct ft_rail *const *rails, size_t count, const struct ft_write_facts *facts, uint64_t now, struct when *ret,
                 struct ft_err *reterr)
{
    int r = 0;

    for (size_t i = 0; i < ARRAY_LEN(horizons) && r == 0; i++) {
        int64_t from = ft_max((int64_t)now, lead_end(rails, count, facts));

        r = look_until(guard, rails, count, facts, (int64_t)now, from + horizons[i] + (int64_t)ft_min(facts->need_ms, 100ull * DAY_MS), ret, reterr);
        if (ret->next)
            break;
    }
    return r;
}

/* ---- one window by name */

int ft_guard_window(struct ft_guard *guard, const char *name, uint64_t now_ms, uint64_t *ret_opens, uint64_t *ret_closes, struct ft_err *reterr)
{
    const struct ft_window *window = ft_rails_window(guard->rails, name);
    int64_t now = (int64_t)now_ms;
    int r = 0;

    if (!window) {
        const char *near = ft_guard_nearest_window(guard, name);

        return ft_err_class(reterr, FT_INVALID, -ENOENT, "the configuration has no window '%s'%s%s%s", name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    *ret_opens = *ret_closes = 0;
    for (size_t i = 0; i < ARRAY_LEN(horizons) && r == 0 && !*ret_opens; i++) {
        struct ft_spans spans = { 0 };

        r = ft_calendar_spans(window->calendar, now, now + horizons[i], &spans, reterr);
        for (size_t j = 0; j < spans.count && r == 0 && !*ret_opens; j++)
            if (spans.items[j].to > now) {
                *ret_opens = (uint64_t)ft_max(spans.items[j].from, now);
                *ret_closes = (uint64_t)spans.items[j].to;
            }
        ft_spans_done(&spans);
    }
    if (r == 0 && !*ret_opens)
        r = ft_err_class(reterr, FT_REFUSED, -ENOENT, "the window '%s' does not open again", name);
    return r;
}

const char *ft_guard_nearest_window(const struct ft_guard *guard, const char *name)
{
    const char *near;

    ft_rails_has_window(guard->rails, name, &near);
    return near;
}
