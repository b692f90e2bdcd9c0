/* match.c: whether a rule speaks of a write. */
#include "guard/internal.h"

bool glob(const char *pattern, const char *text)
{
    const char *star = NULL, *back = NULL;

    while (*text) {
        if (*pattern == '*') {
            star = ++pattern;
            back = text;
        } else if (*pattern == '?' || *pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star;
            text = ++back;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

bool words_match(const struct ft_words *words, const char *text)
{
    for (size_t i = 0; i < words->count; i++)
        if (text && glob(words->items[i], text))
            return true;
    return false;
}

/* "!ticket.*" is all but that: none of those may match, and one of the others must, where there are others. */
bool words_mean(const struct ft_words *words, const char *text)
{
    bool others = false, found = false;

    for (size_t i = 0; i < words->count; i++) {
        const char *pattern = words->items[i];

        if (*pattern == '!' && text && glob(pattern + 1, text))
            return false;
        others = others || *pattern != '!';
        found = found || (*pattern != '!' && text && glob(pattern, text));
    }
    return !others || found;
}

/* A rule may name a site, a call may give its id, or the other way round. */
bool site_matches(const struct ft_guard *guard, const struct ft_words *words, const char *site)
{
    const char *name = site ? ft_config_site_name(guard->o.config, site) : NULL;

    if (words->count == 0 || words_match(words, site) || words_match(words, name))
        return true;
    for (size_t i = 0; i < words->count; i++)
        if (name && ft_streq(ft_config_site_name(guard->o.config, words->items[i]), name))
            return true;
    return false;
}

/* "site/…" among the targets is a site, too. */
static bool any_site_matches(const struct ft_guard *guard, const struct ft_words *words, const struct ft_write_facts *facts)
{
    json_t *target;
    size_t i;

    if (site_matches(guard, words, facts->site))
        return true;
    json_array_foreach((json_t *)facts->targets, i, target)
        if (json_is_string(target) && strncmp(json_string_value(target), "site/", 5) == 0 && site_matches(guard, words, json_string_value(target) + 5))
            return true;
    return false;
}

bool freeze_holds(const struct ft_guard *guard, const struct ft_freeze *freeze, const struct ft_write_facts *facts)
{
    return any_site_matches(guard, &freeze->sites, facts) && words_mean(&freeze->actions, facts->action) && !words_match(&freeze->except, facts->change);
}

static bool any_target_matches(const struct ft_words *words, const json_t *targets)
{
    json_t *target;
    size_t i;

    if (words->count == 0)
        return true;
    json_array_foreach((json_t *)targets, i, target) {
        const char *text = json_string_value(target), *slash = text ? strchr(text, '/') : NULL;

        if (words_match(words, text) || (slash && words_match(words, slash + 1)))      /* "device/aa…", or just what is behind the kind */
            return true;
    }
    return false;
}

/* Inside: some part of the time that the write needs lies in one of the windows; outside: not all of it does. So both are on the strict side. */
static int in_windows(const struct ft_guard *guard, const struct ft_words *names, uint64_t now, uint64_t need, bool *ret_some, bool *ret_all, struct ft_err *reterr)
{
    int64_t from = (int64_t)now, to = from + (int64_t)ft_max(need, 1);
    struct ft_spans spans = { 0 };
    const struct ft_span *at;
    int r = 0;

    for (size_t i = 0; i < names->count && r == 0; i++)
        for (size_t j = 0; j < guard->rails->window_count && r == 0; j++)
            if (glob(names->items[i], guard->rails->windows[j].name))
                r = ft_calendar_spans(guard->rails->windows[j].calendar, from, to, &spans, reterr);
    at = ft_spans_at(&spans, from);
    *ret_all = at && at->to >= to;
    *ret_some = false;
    for (size_t i = 0; i < spans.count; i++)
        *ret_some = *ret_some || (spans.items[i].from < to && spans.items[i].to > from);
    ft_spans_done(&spans);
    return r;
}

int rail_matches(const struct ft_guard *guard, const struct ft_rail *rail, const struct ft_write_facts *facts, uint64_t now, struct ft_err *reterr)
{
    const struct ft_match *m = &rail->match;
    bool some, all;
    int r;

    if (!words_mean(&m->effects, facts->effect) || !words_mean(&m->actions, facts->action) || !any_site_matches(guard, &m->sites, facts) ||
        !any_target_matches(&m->targets, facts->targets) || !words_mean(&m->playbooks, facts->playbook) || !words_mean(&m->kinds, facts->category) ||
        !words_mean(&m->changes, facts->change) || !words_mean(&m->severities, facts->severity))
        return false;
    if (m->inside.count) {
        r = in_windows(guard, &m->inside, now, facts->need_ms, &some, &all, reterr);
        if (r < 0 || !some)
            return r;
    }
    if (m->outside.count) {
        r = in_windows(guard, &m->outside, now, facts->need_ms, &some, &all, reterr);
        if (r < 0 || all)
            return r;
    }
    return true;
}
