/* match.c: whether a rule speaks of a write. */
#include <ctype.h>
#include <strings.h>
#include "base/text.h"
#include "guard/internal.h"

static bool same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* In whatever case: what a rule protects is protected however a playbook writes it. */
bool glob(const char *pattern, const char *text)
{
    const char *star = NULL, *back = NULL;

    while (*text) {
        if (*pattern == '*') {
            star = ++pattern;
            back = text;
        } else if (*pattern == '?' || same_letter(*pattern, *text)) {
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
static bool site_matches(const struct ft_guard *guard, const struct ft_words *words, const char *site)
{
    const char *name = ft_config_site_name(guard->o.config, site);

    if (words_match(words, site) || words_match(words, name))
        return true;
    for (size_t i = 0; i < words->count; i++)
        if (name && ft_streq(ft_config_site_name(guard->o.config, words->items[i]), name))
            return true;
    return false;
}

/* The call names no site, or another; its request goes there all the same. */
static bool request_names_site(const struct ft_guard *guard, const struct ft_words *words, const struct ft_write_facts *facts)
{
    const char *name;
    json_t *entry;

    json_object_foreach(json_object_get(ft_config_json(guard->o.config), "sites"), name, entry)
        if (site_matches(guard, words, name) && aim_mentions(facts, ft_json_str(entry, "id")))
            return true;
    for (size_t i = 0; i < words->count; i++)
        if (aim_mentions(facts, words->items[i]))
            return true;
    return false;
}

/* "site/…" among the targets is a site, too. */
static bool any_site_matches(const struct ft_guard *guard, const struct ft_words *words, const struct ft_write_facts *facts)
{
    json_t *target;
    size_t i;

    if (words->count == 0 || site_matches(guard, words, facts->site) || request_names_site(guard, words, facts))
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

/* A MAC address in any notation is the same one. */
static bool same_mac(const char *pattern, const char *text)
{
    char a[18], b[18];

    return ft_mac_normalise(pattern, a) == 0 && ft_mac_normalise(text, b) == 0 && strcmp(a, b) == 0;
}

/* "device/aa…", or just what is behind the kind. */
static bool is_target(const char *pattern, const char *target)
{
    const char *behind = strchr(target, '/'), *slash = strchr(pattern, '/');

    if (glob(pattern, target) || !behind)
        return glob(pattern, target);
    if (!slash)
        return glob(pattern, behind + 1) || same_mac(pattern, behind + 1);
    return slash - pattern == behind - target && strncasecmp(pattern, target, (size_t)(slash - pattern)) == 0 && same_mac(slash + 1, behind + 1);
}

static bool any_target_matches(const struct ft_words *words, const struct ft_write_facts *facts)
{
    json_t *target;
    size_t i, k;

    for (k = 0; k < words->count; k++) {
        const char *pattern = words->items[k], *slash = strchr(pattern, '/');

        json_array_foreach((json_t *)facts->targets, i, target)
            if (json_is_string(target) && is_target(pattern, json_string_value(target)))
                return true;
        if (aim_mentions(facts, slash ? slash + 1 : pattern))      /* the call has a name, and its request says which device that is */
            return true;
    }
    return words->count == 0;
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
        !any_target_matches(&m->targets, facts) || !words_mean(&m->playbooks, facts->playbook) || !words_mean(&m->kinds, facts->category) ||
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
