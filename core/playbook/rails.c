/* rails.c: `timezone`, `windows`, `freezes`, `categories` and `policies` of the configuration. A rail that is written down and not held is worse
 * than none: whatever cannot be read is a mistake at its place. */
#include "playbook/rails_parts.h"
#include "base/arena.h"
#include "base/text.h"
#include "base/util.h"

static void *zeroed(struct ft_arena *mem, size_t n, size_t size)
{
    return memset(ft_arena_alloc(mem, (n ? n : 1) * size), 0, (n ? n : 1) * size);
}

/* ---- small values ------------------------------------------------------------------------------------------------ */

/* One text, or a list of them. */
static struct ft_words read_words(struct rails_reader *r, const struct ft_node *node, const char *what)
{
    struct ft_words words = { 0 };
    const char *text;

    if (!node)
        return words;
    if (node->kind != FT_NODE_LIST) {
        text = rd_constant(r->rd, node, what);
        words.items = zeroed(r->mem, 1, sizeof(char *));
        if (text)
            words.items[words.count++] = text;
        return words;
    }
    words.items = zeroed(r->mem, node->count, sizeof(char *));
    if (!rd_list(r->rd, node, what))
        return words;
    for (const struct ft_node *item = node->first; item; item = item->next)
        if ((text = rd_constant(r->rd, item, what)))
            words.items[words.count++] = text;
    return words;
}

static void no_such(struct rails_reader *r, const struct ft_node *at, const char *what, const char *text, const char *const *names)
{
    char mean[128];

    rd_error(r->rd, at->mark, NULL, "%s '%s'%s", what, text, rd_did_you_mean(ft_suggest(text, names), mean, sizeof(mean)));
}

/* Each of the texts must be a member of the map; a pattern must fit one. */
static void check_members(struct rails_reader *r, const struct ft_node *node, const struct ft_node *map, const char *what)
{
    const struct ft_node *item = node && node->kind == FT_NODE_LIST ? node->first : node;
    const char **names = ft_calloc((map ? map->count : 0) + 1, sizeof(*names));
    size_t n = 0;

    for (const struct ft_node *member = map && map->kind == FT_NODE_MAP ? map->first : NULL; member; member = member->next)
        names[n++] = member->key;
    for (; item; item = node->kind == FT_NODE_LIST ? item->next : NULL)
        if (item->kind == FT_NODE_STRING && item->len && !strpbrk(item->text, "*?!") && !(map && ft_node_get(map, item->text)))
            no_such(r, item, what, item->text, names);
    free(names);
}

static void check_windows_named(struct rails_reader *r, const struct ft_node *node)
{
    check_members(r, node, ft_node_get(r->root, "windows"), "`windows` has no window");
}

static void check_changes_named(struct rails_reader *r, const struct ft_node *node)
{
    check_members(r, node, ft_node_get(r->root, "categories"), "`categories` has no category");
}

/* A misspelt site would be protected by nothing. Without `sites` there is nothing to compare with. */
static void check_sites_named(struct rails_reader *r, const struct ft_node *node)
{
    const struct ft_node *sites = ft_node_get(r->root, "sites"), *item = node && node->kind == FT_NODE_LIST ? node->first : node;

    if (!sites || sites->kind != FT_NODE_MAP)
        return;
    for (; item; item = node->kind == FT_NODE_LIST ? item->next : NULL) {
        bool is_id = false;

        for (const struct ft_node *site = sites->first; site && !is_id; site = site->next)
            is_id = ft_node_get(site, "id") && ft_streq(ft_node_get(site, "id")->text, item->text);
        if (!is_id) {
            struct ft_node one = *item;

            one.next = NULL;
            check_members(r, &one, sites, "`sites` has no site");
        }
    }
}

static void check_one_of(struct rails_reader *r, const struct ft_node *node, const char *what, const char *const *allowed)
{
    const struct ft_node *item = node && node->kind == FT_NODE_LIST ? node->first : node;
    unsigned n;

    for (; item; item = node->kind == FT_NODE_LIST ? item->next : NULL)
        if (item->kind == FT_NODE_STRING && !strpbrk(item->text, "*?!"))
            rd_one_of(r->rd, item, what, allowed, &n);
}

/* ---- calendars --------------------------------------------------------------------------------------------------- */

struct ft_zone *rails_zone(struct rails_reader *r, const struct ft_node *node)
{
    const char *name = rd_constant(r->rd, node, "`timezone`");
    struct ft_zone *zone = NULL;
    struct ft_err err = { 0 };

    if (node && !name)
        return NULL;
    if (ft_zone_open(name, &zone, &err) < 0) {
        if (node)
            rd_error(r->rd, node->mark, NULL, "%s", err.text);
        else
            rd_error(r->rd, r->root->mark, NULL, "%s; set `timezone:`", err.text);
    }
    return zone;
}

/* "02:00" to "24:00" as seconds. */
static bool read_hour(struct rails_reader *r, const struct ft_node *node, const char *what, int32_t *ret)
{
    const char *text = rd_constant(r->rd, node, what);
    int hour, minute, used = 0;

    if (!text)
        return false;
    if (sscanf(text, "%2d:%2d%n", &hour, &minute, &used) == 2 && !text[used] && used >= 4 && hour >= 0 && minute >= 0 && minute < 60 && hour * 60 + minute <= 1440) {
        *ret = hour * 3600 + minute * 60;
        return true;
    }
    rd_error(r->rd, node->mark, NULL, "%s takes a time of day in quotes: \"02:00\"", what);
    return false;
}

static bool read_local(struct rails_reader *r, const struct ft_node *node, const char *what, bool *ret_date, int64_t *ret)
{
    const char *text = rd_constant(r->rd, node, what);

    if (!text)
        return false;
    if (ft_local_parse(text, ret, ret_date) == 0)
        return true;
    rd_error(r->rd, node->mark, NULL, "%s takes a date or a local time: 2026-12-18, \"2026-12-18 18:00\"", what);
    return false;
}

static struct ft_calendar *read_recurring(struct rails_reader *r, const struct ft_node *node, const struct ft_zone *zone)
{
    const struct ft_node *rule = ft_node_get(node, "rrule"), *starts = ft_node_get(node, "starts");
    const char *text = rd_constant(r->rd, rule, "`rrule`");
    int64_t from_day = 0;
    int32_t from = 0, to = 0;
    bool from_ok = read_hour(r, ft_node_get(node, "from"), "`from`", &from), to_ok = read_hour(r, ft_node_get(node, "to"), "`to`", &to), date = true;
    struct ft_calendar *calendar = NULL;
    struct ft_err err = { 0 };

    for (size_t i = 0; i < 2; i++)
        if (!ft_node_get(node, i ? "to" : "from"))
            rd_error(r->rd, rd_mark(node), NULL, "a window with `rrule` needs `%s:`, a time of day in quotes: \"02:00\"", i ? "to" : "from");
    if (starts && !read_local(r, starts, "`starts`", &date, &from_day))
        return NULL;
    if (starts && !date) {
        rd_error(r->rd, starts->mark, NULL, "`starts` is a date: 2026-01-01");
        return NULL;
    }
    if (!text || !from_ok || !to_ok)
        return NULL;
    if (!starts && (strcasestr(text, "INTERVAL") || strcasestr(text, "COUNT"))) {
        rd_error(r->rd, rule->mark, NULL, "INTERVAL and COUNT are counted from a day: say it with `starts: 2026-01-01`");
        return NULL;
    }
    if (from == 86400) {
        rd_error(r->rd, ft_node_get(node, "from")->mark, NULL, "`from` is at most \"23:59\"");
        return NULL;
    }
    if (ft_calendar_rule(text, starts ? from_day / 86400 : ft_days_from(2020, 1, 1), from, to, zone, &calendar, &err) < 0)
        rd_error(r->rd, rule->mark, NULL, "`rrule`: %s", err.text);
    return calendar;
}

static struct ft_calendar *read_once(struct rails_reader *r, const struct ft_node *node, const struct ft_zone *zone)
{
    const struct ft_node *to_node = ft_node_get(node, "to");
    int64_t from = 0, to = 0;
    bool date = false, from_ok = read_local(r, ft_node_get(node, "from"), "`from`", NULL, &from), to_ok = read_local(r, to_node, "`to`", &date, &to);
    struct ft_calendar *calendar = NULL;
    struct ft_err err = { 0 };

    if (!ft_node_get(node, "from") || !to_node) {
        rd_error(r->rd, rd_mark(node), NULL, "say when: `ics: FILE`, or `rrule:` with `from:` and `to:`, or `from:` and `to:` as local times");
        return NULL;
    }
    if (from_ok && to_ok && ft_calendar_once(from, to + (date ? 86400 : 0), zone, &calendar, &err) < 0)      /* to the end of that day */
        rd_error(r->rd, to_node->mark, NULL, "%s", err.text);
    return calendar;
}

static char *read_file(const char *path, size_t *ret_len, struct ft_err *reterr)
{
    enum { MAX = 4 * 1024 * 1024 };
    FILE *file = fopen(path, "re");
    char *text = file ? ft_calloc(1, MAX + 2) : NULL;

    if (!file || (*ret_len = fread(text, 1, MAX + 1, file), ferror(file))) {
        ft_err_set(reterr, -errno, "'%s' cannot be read: %s", path, strerror(errno));
        free(text);
        text = NULL;
    }
    if (file)
        fclose(file);
    return text;
}

static struct ft_calendar *read_ics(struct rails_reader *r, const struct ft_node *node, const struct ft_zone *zone)
{
    const struct ft_node *at = ft_node_get(node, "ics");
    const char *name = rd_constant(r->rd, at, "`ics`"), *slash = strrchr(r->rd->source, '/');
    struct ft_calendar *calendar = NULL;
    struct ft_err err = { 0 };
    char *path, *text;
    size_t len = 0;

    for (size_t i = 0; i < 4; i++) {
        static const char *const others[] = { "rrule", "starts", "from", "to" };
        const struct ft_node *other = ft_node_get(node, others[i]);

        if (other)
            rd_error(r->rd, other->key_mark, NULL, "`%s` does not go with `ics`, which says it all", others[i]);
    }
    if (!name)
        return NULL;
    path = *name == '/' || !slash ? ft_strdup(name) : ft_asprintf("%.*s%s", (int)(slash + 1 - r->rd->source), r->rd->source, name);
    r->rails->files[r->rails->file_count++] = ft_arena_printf(r->mem, "%s", path);
    text = read_file(path, &len, &err);
    if (!text)
        rd_error(r->rd, at->mark, NULL, "%s", err.text);
    else if (ft_calendar_ics(text, len, zone, &calendar, &err) < 0)
        rd_error(r->rd, at->mark, NULL, "'%s': %s", path, err.text);
    free(text);
    free(path);
    return calendar;
}

struct ft_calendar *rails_calendar(struct rails_reader *r, const struct ft_node *node)
{
    const struct ft_node *zone_node = ft_node_get(node, "timezone");
    const struct ft_zone *zone = r->rails->zone;
    struct ft_calendar *calendar;

    if (zone_node) {
        struct ft_zone *own = rails_zone(r, zone_node);

        if (!own)
            return NULL;
        rails_keep_zone(r, own);
        zone = own;
    }
    if (!zone)
        return NULL;
    if (ft_node_get(node, "ics"))
        calendar = read_ics(r, node, zone);
    else if (ft_node_get(node, "rrule"))
        calendar = read_recurring(r, node, zone);
    else
        calendar = read_once(r, node, zone);
    return calendar;
}

static void read_windows(struct rails_reader *r)
{
    static const struct rd_key keys[] = { { "rrule" }, { "starts" }, { "from" }, { "to" }, { "ics" }, { "timezone" }, { "about" }, { NULL } };
    const struct ft_node *node = ft_node_get(r->root, "windows");
    char what[160];

    if (!node || !rd_map(r->rd, node, "`windows`"))
        return;
    r->rails->windows = zeroed(r->mem, node->count, sizeof(*r->rails->windows));
    for (const struct ft_node *one = node->first; one; one = one->next) {
        struct ft_window *window = &r->rails->windows[r->rails->window_count];

        snprintf(what, sizeof(what), "the window '%s'", one->key);
        if (!rd_keys(r->rd, one, what, keys))
            continue;
        r->rails->window_count++;
        window->name = one->key;
        window->about = rd_constant(r->rd, ft_node_get(one, "about"), "`about`");
        window->calendar = rails_calendar(r, one);
    }
}

static void read_freezes(struct rails_reader *r)
{
    static const struct rd_key keys[] = { { "rrule" }, { "starts" }, { "from" }, { "to" }, { "ics" }, { "timezone" }, { "about" }, { "sites" }, { "actions" }, { "except" }, { NULL } };
    const struct ft_node *node = ft_node_get(r->root, "freezes");
    char what[160];

    if (!node || !rd_map(r->rd, node, "`freezes`"))
        return;
    r->rails->freezes = zeroed(r->mem, node->count, sizeof(*r->rails->freezes));
    for (const struct ft_node *one = node->first; one; one = one->next) {
        struct ft_freeze *freeze = &r->rails->freezes[r->rails->freeze_count];

        snprintf(what, sizeof(what), "the freeze '%s'", one->key);
        if (!rd_keys(r->rd, one, what, keys))
            continue;
        r->rails->freeze_count++;
        freeze->name = one->key;
        freeze->about = rd_constant(r->rd, ft_node_get(one, "about"), "`about`");
        freeze->sites = read_words(r, ft_node_get(one, "sites"), "`sites`");
        check_sites_named(r, ft_node_get(one, "sites"));
        freeze->actions = read_words(r, ft_node_get(one, "actions"), "`actions`");
        freeze->except = read_words(r, ft_node_get(one, "except"), "`except`");
        check_changes_named(r, ft_node_get(one, "except"));
        freeze->calendar = rails_calendar(r, one);
        if (freeze->calendar)
            ft_calendar_widen(freeze->calendar);
    }
}

/* ---- what a rule asks for ---------------------------------------------------------------------------------------- */

static void read_escalation(struct rails_reader *r, const struct ft_node *node, struct ft_need_approval *approval)
{
    static const struct rd_key keys[] = { { "after", true }, { "role", true }, { NULL } };

    if (!node || !rd_list(r->rd, node, "`escalate`"))
        return;
    approval->escalate = zeroed(r->mem, node->count, sizeof(*approval->escalate));
    for (const struct ft_node *one = node->first; one; one = one->next) {
        struct ft_escalation *step = &approval->escalate[approval->escalate_count];

        if (!rd_keys(r->rd, one, "an escalation", keys))
            continue;
        approval->escalate_count++;
        rd_duration(r->rd, ft_node_get(one, "after"), "`after`", &step->after_ms);
        step->role = rd_constant(r->rd, ft_node_get(one, "role"), "`role`");
        rails_check_role(r, ft_node_get(one, "role"));
    }
}

static void read_approval(struct rails_reader *r, const struct ft_node *node, struct ft_need_approval *approval)
{
    static const struct rd_key keys[] = { { "role", true }, { "count" }, { "within" }, { "remind" }, { "escalate" }, { "break_glass" }, { NULL } };

    if (!node || !rd_keys(r->rd, node, "`approval`", keys))
        return;
    approval->count = 1;
    approval->role = rd_constant(r->rd, ft_node_get(node, "role"), "`role`");
    rails_check_role(r, ft_node_get(node, "role"));
    rd_uint(r->rd, ft_node_get(node, "count"), "`count`", 1, 100, &approval->count);
    rd_duration(r->rd, ft_node_get(node, "within"), "`within`", &approval->within_ms);
    rd_duration(r->rd, ft_node_get(node, "remind"), "`remind`", &approval->remind_ms);
    rd_bool(r->rd, ft_node_get(node, "break_glass"), "`break_glass`", &approval->break_glass);
    read_escalation(r, ft_node_get(node, "escalate"), approval);
}

static void read_budget(struct rails_reader *r, const struct ft_node *node, struct ft_need_budget *budget)
{
    static const struct rd_key keys[] = { { "at_most", true }, { "in", true }, { "per" }, { "over" }, { NULL } };
    static const char *const pers[] = { "all", "site", "target", NULL }, *const overs[] = { "wait", "stop", NULL };
    unsigned per = FT_PER_ALL, over = 0;

    if (!node || !rd_keys(r->rd, node, "`budget`", keys))
        return;
    rd_uint(r->rd, ft_node_get(node, "at_most"), "`at_most`", 1, 1000000, &budget->at_most);
    rd_duration(r->rd, ft_node_get(node, "in"), "`in`", &budget->in_ms);
    rd_one_of(r->rd, ft_node_get(node, "per"), "`per`", pers, &per);
    rd_one_of(r->rd, ft_node_get(node, "over"), "`over`", overs, &over);
    budget->per = (enum ft_budget_per)per;
    budget->stops = over == 1;
}

static void read_no_better(struct rails_reader *r, const struct ft_node *node, struct ft_rail *rail)
{
    static const struct rd_key keys[] = { { "times", true }, { "in", true }, { NULL } };

    if (!node || !rd_keys(r->rd, node, "`no_better`", keys))
        return;
    rd_uint(r->rd, ft_node_get(node, "times"), "`times`", 1, 1000, &rail->no_better.times);
    rd_duration(r->rd, ft_node_get(node, "in"), "`in`", &rail->no_better.in_ms);
}

#define NEEDS { "approval" }, { "windows" }, { "budget" }, { "no_better" }, { "never" }, { "lead_time" }

/* Whether it asks for anything. */
static bool read_needs(struct rails_reader *r, const struct ft_node *node, struct ft_rail *rail)
{
    static const char *const needs[] = { "approval", "windows", "budget", "no_better", "never", "lead_time" };
    bool any = false;

    for (size_t i = 0; i < ARRAY_LEN(needs); i++)
        any = any || ft_node_get(node, needs[i]);
    read_approval(r, ft_node_get(node, "approval"), &rail->approval);
    rail->windows = read_words(r, ft_node_get(node, "windows"), "`windows`");
    check_windows_named(r, ft_node_get(node, "windows"));
    read_budget(r, ft_node_get(node, "budget"), &rail->budget);
    read_no_better(r, ft_node_get(node, "no_better"), rail);
    rail->never = rd_constant(r->rd, ft_node_get(node, "never"), "`never`");
    rd_duration(r->rd, ft_node_get(node, "lead_time"), "`lead_time`", &rail->lead_ms);
    return any;
}

/* ---- categories and policies ------------------------------------------------------------------------------------- */

static void read_categories(struct rails_reader *r)
{
    static const struct rd_key keys[] = { { "about" }, { "risk" }, { "overrides" }, { "default" }, NEEDS, { NULL } };
    const struct ft_node *node = ft_node_get(r->root, "categories"), *is_default = NULL;
    char what[160];

    if (!node || !rd_map(r->rd, node, "`categories`"))
        return;
    r->rails->changes = zeroed(r->mem, node->count, sizeof(*r->rails->changes));
    for (const struct ft_node *one = node->first; one; one = one->next) {
        struct ft_change *change = &r->rails->changes[r->rails->change_count];
        struct ft_rail *rail = &r->rails->rails[r->rails->rail_count];

        snprintf(what, sizeof(what), "the category '%s'", one->key);
        if (one->kind != FT_NODE_NULL && !rd_keys(r->rd, one, what, keys))
            continue;
        r->rails->change_count++;
        change->name = one->key;
        change->risk = rd_constant(r->rd, ft_node_get(one, "risk"), "`risk`");
        rd_bool(r->rd, ft_node_get(one, "overrides"), "`overrides`", &change->overrides);
        rd_bool(r->rd, ft_node_get(one, "default"), "`default`", &change->is_default);
        if (change->is_default && is_default)
            rd_error(r->rd, ft_node_get(one, "default")->key_mark, NULL, "only one category is the default; '%s' is it already", is_default->key);
        is_default = change->is_default ? one : is_default;
        rail->name = ft_arena_printf(r->mem, "category %s", one->key);
        rail->about = rd_constant(r->rd, ft_node_get(one, "about"), "`about`");
        rail->match.changes.items = zeroed(r->mem, 1, sizeof(char *));
        rail->match.changes.items[rail->match.changes.count++] = one->key;
        if (read_needs(r, one, rail))
            r->rails->rail_count++;
        else
            memset(rail, 0, sizeof(*rail));
    }
}

static void read_match(struct rails_reader *r, const struct ft_node *node, struct ft_match *match)
{
    static const struct rd_key keys[] = {
        { "effect" }, { "action" }, { "site" }, { "target" }, { "playbook" }, { "category" }, { "change" }, { "severity" }, { "inside" }, { "outside" }, { NULL },
    };
    static const char *const effects[] = { "write", "disruptive", NULL }, *const kinds[] = { "incident", "change", "check", NULL },
                      *const severities[] = { "P1", "P2", "P3", "P4", NULL };

    if (!node || !rd_map(r->rd, node, "`match`") || !rd_keys(r->rd, node, "`match`", keys))
        return;
    match->effects = read_words(r, ft_node_get(node, "effect"), "`effect`");
    check_one_of(r, ft_node_get(node, "effect"), "`effect`", effects);
    match->actions = read_words(r, ft_node_get(node, "action"), "`action`");
    match->sites = read_words(r, ft_node_get(node, "site"), "`site`");
    check_sites_named(r, ft_node_get(node, "site"));
    match->targets = read_words(r, ft_node_get(node, "target"), "`target`");
    match->playbooks = read_words(r, ft_node_get(node, "playbook"), "`playbook`");
    match->kinds = read_words(r, ft_node_get(node, "category"), "`category`");
    check_one_of(r, ft_node_get(node, "category"), "`category`", kinds);
    match->changes = read_words(r, ft_node_get(node, "change"), "`change`");
    check_changes_named(r, ft_node_get(node, "change"));
    match->severities = read_words(r, ft_node_get(node, "severity"), "`severity`");
    check_one_of(r, ft_node_get(node, "severity"), "`severity`", severities);
    match->inside = read_words(r, ft_node_get(node, "inside"), "`inside`");
    check_windows_named(r, ft_node_get(node, "inside"));
    match->outside = read_words(r, ft_node_get(node, "outside"), "`outside`");
    check_windows_named(r, ft_node_get(node, "outside"));
}

static void check_same_name(struct rails_reader *r, const struct ft_node *policies, const struct ft_node *name)
{
    for (const struct ft_node *one = policies->first; one && ft_node_get(one, "name") != name; one = one->next)
        if (ft_node_get(one, "name") && ft_streq(ft_node_get(one, "name")->text, name->text)) {
            rd_error(r->rd, name->mark, NULL, "another policy is called '%s' already; what was used of a budget is kept by the name", name->text);
            return;
        }
}

static void read_policies(struct rails_reader *r)
{
    static const struct rd_key keys[] = { { "name", true }, { "about" }, { "match" }, NEEDS, { NULL } };
    const struct ft_node *node = ft_node_get(r->root, "policies");

    if (!node || node->kind == FT_NODE_NULL || ((node->kind == FT_NODE_LIST || node->kind == FT_NODE_MAP) && !node->count) || !rd_list(r->rd, node, "`policies`"))
        return;
    for (const struct ft_node *one = node->first; one; one = one->next) {
        struct ft_rail *rail = &r->rails->rails[r->rails->rail_count];

        if (!rd_keys(r->rd, one, "a policy", keys))
            continue;
        r->rails->rail_count++;
        rail->name = rd_constant(r->rd, ft_node_get(one, "name"), "`name`");
        if (rail->name)
            check_same_name(r, node, ft_node_get(one, "name"));
        rail->about = rd_constant(r->rd, ft_node_get(one, "about"), "`about`");
        read_match(r, ft_node_get(one, "match"), &rail->match);
        if (!read_needs(r, one, rail))
            rd_error(r->rd, rd_mark(one), NULL, "the policy '%s' asks for nothing: give it `approval`, `windows`, `budget`, `no_better`, `lead_time` or `never`",
                     rail->name ? rail->name : "?");
    }
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

struct rails *rails_read(const struct reader *rd, const struct ft_node *root)
{
    struct rails *all = ft_calloc(1, sizeof(*all));
    struct rails_reader r = { .rd = rd, .root = root, .mem = all->mem = ft_arena_new(), .rails = &all->rails, .all = all };
    const struct ft_node *categories = ft_node_get(root, "categories"), *policies = ft_node_get(root, "policies");
    const struct ft_node *windows = ft_node_get(root, "windows"), *freezes = ft_node_get(root, "freezes");
    bool times = ft_node_get(root, "timezone") || windows || freezes;

    all->rails.rails = zeroed(r.mem, (categories ? categories->count : 0) + (policies ? policies->count : 0), sizeof(*all->rails.rails));
    all->rails.files = zeroed(r.mem, (windows ? windows->count : 0) + (freezes ? freezes->count : 0), sizeof(*all->rails.files));
    if (times)
        all->rails.zone = rails_zone(&r, ft_node_get(root, "timezone"));
    read_windows(&r);
    read_freezes(&r);
    read_categories(&r);
    read_policies(&r);
    return all;
}

void rails_keep_zone(struct rails_reader *r, struct ft_zone *zone)
{
    struct rails *all = r->all;

    all->zones = ft_realloc(all->zones, (all->zone_count + 1) * sizeof(*all->zones));
    all->zones[all->zone_count++] = zone;
}

struct rails *rails_free(struct rails *all)
{
    if (!all)
        return NULL;
    for (size_t i = 0; i < all->rails.window_count; i++)
        ft_calendar_free(all->rails.windows[i].calendar);
    for (size_t i = 0; i < all->rails.freeze_count; i++)
        ft_calendar_free(all->rails.freezes[i].calendar);
    for (size_t i = 0; i < all->zone_count; i++)
        ft_zone_free(all->zones[i]);
    ft_zone_free(all->rails.zone);
    ft_arena_free(all->mem);
    free(all->zones);
    free(all);
    return NULL;
}

const struct ft_window *ft_rails_window(const struct ft_rails *rails, const char *name)
{
    for (size_t i = 0; i < rails->window_count; i++)
        if (ft_streq(rails->windows[i].name, name))
            return &rails->windows[i];
    return NULL;
}

bool ft_rails_has_window(const struct ft_rails *rails, const char *name, const char **ret_near)
{
    const char **names = ft_calloc(rails->window_count + 1, sizeof(*names));

    for (size_t i = 0; i < rails->window_count; i++)
        names[i] = rails->windows[i].name;
    *ret_near = ft_suggest(name, names);
    free(names);
    return ft_rails_window(rails, name) != NULL;
}

const struct ft_change *ft_rails_change(const struct ft_rails *rails, const char *name)
{
    for (size_t i = 0; i < rails->change_count; i++)
        if (ft_streq(rails->changes[i].name, name))
            return &rails->changes[i];
    return NULL;
}
