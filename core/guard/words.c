/* words.c: rules as sentences. */
#include "guard/internal.h"

static void add_words(struct ft_buf *buf, const char *before, const struct ft_words *words)
{
    bool but = false;

    if (words->count)
        ft_buf_adds(buf, before);
    for (size_t i = 0; i < words->count; i++) {
        bool all_but = *words->items[i] == '!';

        ft_buf_adds(buf, i == 0 ? "" : all_but && !but ? ", but not " : i + 1 == words->count ? " or " : ", ");
        ft_buf_adds(buf, i == 0 && all_but ? "anything but " : "");
        ft_buf_adds(buf, words->items[i] + all_but);
        but = but || all_but;
    }
}

static const char *span(uint64_t ms, char buf[32])
{
    return ft_duration_format(ms, buf, 32);
}

static void say_approval(struct ft_buf *buf, const struct ft_need_approval *a)
{
    char text[32];

    ft_buf_addf(buf, "approval by %s", a->role);
    if (a->count > 1)
        ft_buf_addf(buf, " (%u people)", a->count);
    if (a->within_ms)
        ft_buf_addf(buf, " within %s", span(a->within_ms, text));
    for (size_t i = 0; i < a->escalate_count; i++)
        ft_buf_addf(buf, ", after %s %s is told", span(a->escalate[i].after_ms, text), a->escalate[i].role);
    if (a->break_glass)
        ft_buf_adds(buf, ", or breaking glass");
}

static const char *next(struct ft_buf *buf)
{
    return buf->len ? "; " : "";
}

char *rail_says(const struct ft_rail *rail)
{
    static const char *const per[] = { "", " per site", " per target" };
    struct ft_buf buf = FT_BUF_INIT(4000);
    char text[32];

    if (rail->never)
        ft_buf_addf(&buf, "never: %s", rail->never);
    if (rail->approval.role) {
        ft_buf_adds(&buf, next(&buf));
        say_approval(&buf, &rail->approval);
    }
    if (rail->windows.count) {
        ft_buf_addf(&buf, "%sonly in the window ", next(&buf));
        add_words(&buf, "", &rail->windows);
    }
    if (rail->lead_ms)
        ft_buf_addf(&buf, "%sasked for %s before", next(&buf), span(rail->lead_ms, text));
    if (rail->budget.at_most)
        ft_buf_addf(&buf, "%sat most %u%s in %s, then it %s", next(&buf), rail->budget.at_most, per[rail->budget.per], span(rail->budget.in_ms, text),
                    rail->budget.stops ? "stops" : "waits");
    if (rail->no_better.times)
        ft_buf_addf(&buf, "%safter %u runs that did the same to the same target in %s, a person is called", next(&buf), rail->no_better.times, span(rail->no_better.in_ms, text));
    return ft_buf_take(&buf);
}

char *rail_speaks_of(const struct ft_rail *rail)
{
    const struct ft_match *m = &rail->match;
    struct ft_buf buf = FT_BUF_INIT(4000);

    if (m->effects.count == 1 && strcmp(m->effects.items[0], "write") != 0)
        ft_buf_addf(&buf, "%s writes", m->effects.items[0]);
    else
        ft_buf_adds(&buf, m->effects.count == 1 ? "writes that users do not notice" : "every write");
    add_words(&buf, " by ", &m->actions);
    add_words(&buf, " at ", &m->sites);
    add_words(&buf, " to ", &m->targets);
    add_words(&buf, " of the playbook ", &m->playbooks);
    add_words(&buf, " of playbooks of category ", &m->kinds);
    add_words(&buf, " of a change that is ", &m->changes);
    add_words(&buf, " of severity ", &m->severities);
    add_words(&buf, " inside of ", &m->inside);
    add_words(&buf, " outside of ", &m->outside);
    return ft_buf_take(&buf);
}

const char *ft_guard_time(const struct ft_guard *guard, uint64_t wall_ms, char *buf, size_t len)
{
    return ft_zone_format(ft_guard_zone(guard), wall_ms, buf, len);
}

/* ---- all of them */

static json_t *words_json(const struct ft_words *words)
{
    json_t *list = json_array();

    for (size_t i = 0; i < words->count; i++)
        json_array_append_new(list, json_string(words->items[i]));
    return list;
}

/* The span of a calendar that is under way or next. */
int next_span(const struct ft_calendar *calendar, uint64_t now, struct ft_span *ret, struct ft_err *reterr)
{
    static const int64_t day = 24ll * 3600 * 1000;
    int r = 0;

    *ret = (struct ft_span){ 0, 0 };
    for (int64_t days = 40; days < 4000 && r == 0 && !ret->to; days *= 9) {
        struct ft_spans spans = { 0 };

        r = ft_calendar_spans(calendar, (int64_t)now, (int64_t)now + days * day, &spans, reterr);
        for (size_t i = 0; i < spans.count && r == 0 && !ret->to; i++)
            if (spans.items[i].to > (int64_t)now)
                *ret = spans.items[i];
        ft_spans_done(&spans);
    }
    return r;
}

static int add_times(json_t *to, const struct ft_calendar *calendar, const char *from_key, const char *to_key, uint64_t now, struct ft_err *reterr)
{
    struct ft_span span_next;
    int r = next_span(calendar, now, &span_next, reterr);

    if (r == 0 && span_next.to) {
        json_object_set_new(to, from_key, json_integer(span_next.from));
        json_object_set_new(to, to_key, json_integer(span_next.to));
    }
    return r;
}

static json_t *rail_json(const struct ft_rail *rail)
{
    char *of = rail_speaks_of(rail), *says = rail_says(rail);
    json_t *one = json_pack("{s:s, s:s*, s:s, s:s}", "name", rail->name, "about", rail->about, "of", of, "says", says);

    free(of);
    free(says);
    return one;
}

json_t *ft_guard_rules(struct ft_guard *guard, uint64_t now, struct ft_err *reterr)
{
    const struct ft_rails *rails = guard->rails;
    json_t *all = json_pack("{s:s, s:[], s:[], s:[], s:[]}", "timezone", ft_zone_name(ft_guard_zone(guard)), "windows", "freezes", "changes", "policies");
    int r = 0;

    for (size_t i = 0; i < rails->window_count && r == 0; i++) {
        json_t *one = json_pack("{s:s, s:s*}", "name", rails->windows[i].name, "about", rails->windows[i].about);

        json_array_append_new(json_object_get(all, "windows"), one);
        r = add_times(one, rails->windows[i].calendar, "opens", "closes", now, reterr);
    }
    for (size_t i = 0; i < rails->freeze_count && r == 0; i++) {
        const struct ft_freeze *freeze = &rails->freezes[i];
        json_t *one = json_pack("{s:s, s:s*, s:o, s:o}", "name", freeze->name, "about", freeze->about, "sites", words_json(&freeze->sites), "except", words_json(&freeze->except));

        json_array_append_new(json_object_get(all, "freezes"), one);
        r = add_times(one, freeze->calendar, "from", "to", now, reterr);
    }
    for (size_t i = 0; i < rails->change_count; i++)
        json_array_append_new(json_object_get(all, "changes"), json_pack("{s:s, s:s*, s:b, s:b}", "name", rails->changes[i].name, "risk", rails->changes[i].risk,
                                                                          "default", rails->changes[i].is_default, "overrides", rails->changes[i].overrides));
    for (size_t i = 0; i < rails->rail_count; i++)
        json_array_append_new(json_object_get(all, "policies"), rail_json(&rails->rails[i]));
    if (r == 0)
        return all;
    json_decref(all);
    return NULL;
}
