/* people.c: who there is, which roles they have, who acts for whom, and how approvals are asked for. */
#include "playbook/people_parts.h"
#include <string.h>
#include <strings.h>
#include "base/clock.h"
#include "base/text.h"
#include "base/util.h"
#include "playbook/rails_parts.h"

static void check_role(const struct reader *rd, const struct ft_node *role, const struct ft_node *declared)
{
    const char *text = rd_constant(rd, role, "a role"), *near;
    const char **names;
    char mean[128];
    size_t n = 0;

    if (!text || !declared || declared->kind != FT_NODE_MAP || ft_node_get(declared, text))
        return;
    names = ft_calloc(declared->count + 1, sizeof(*names));
    for (const struct ft_node *member = declared->first; member; member = member->next)
        names[n++] = member->key;
    near = ft_suggest(text, names);
    rd_error(rd, role->mark, NULL, "`roles` has no role '%s'%s", text, rd_did_you_mean(near, mean, sizeof(mean)));
    free(names);
}

void rails_check_role(struct rails_reader *r, const struct ft_node *role)
{
    if (role && role->kind == FT_NODE_STRING)
        check_role(r->rd, role, ft_node_get(r->root, "roles"));
}

/* `names` of a map; suggests the nearest. */
static bool is_there(const struct reader *rd, const struct ft_node *node, const struct ft_node *map, const char *what)
{
    const char *text = rd_constant(rd, node, what), *near;
    const char **names;
    char mean[128];
    size_t n = 0;

    if (!text || ft_node_get(map, text))
        return text != NULL;
    names = ft_calloc(map->count + 1, sizeof(*names));
    for (const struct ft_node *member = map->first; member; member = member->next)
        names[n++] = member->key;
    near = ft_suggest(text, names);
    rd_error(rd, node->mark, NULL, "there is no %s '%s'%s", what, text, rd_did_you_mean(near, mean, sizeof(mean)));
    free(names);
    return false;
}

static void check_delegation(const struct reader *rd, const struct ft_node *people, const struct ft_node *person)
{
    const struct ft_node *to = ft_node_get(person, "delegates_to"), *until = ft_node_get(person, "until");
    const char *time = rd_constant(rd, until, "`until`");
    uint64_t at;

    if (to && is_there(rd, to, people, "person") && ft_streq(to->text, person->key))
        rd_error(rd, to->mark, NULL, "nobody acts for themselves");
    if (until && !to)
        rd_error(rd, until->key_mark, NULL, "`until` says how long `delegates_to` holds, and there is none");
    if (time && ft_time_parse(time, &at) < 0)
        rd_error(rd, until->mark, NULL, "'%s' is no time: write it as \"2026-12-24T08:00:00Z\"", time);
}

/* Whoever asked could approve in the other spelling. */
static void check_spelling(const struct reader *rd, const struct ft_node *people, const struct ft_node *person)
{
    for (const struct ft_node *other = people->first; other && other != person; other = other->next)
        if (strcasecmp(other->key, person->key) == 0)
            rd_error(rd, person->key_mark, NULL, "'%s' is a person already: upper and lower case do not make two", other->key);
}

static void check_people(const struct reader *rd, const struct ft_node *node, const struct ft_node *declared)
{
    static const struct rd_key keys[] = { { "email" }, { "roles" }, { "delegates_to" }, { "until" }, { NULL } };
    char what[160];

    if (!node || !rd_map(rd, node, "`people`"))
        return;
    for (const struct ft_node *person = node->first; person; person = person->next) {
        const struct ft_node *email = ft_node_get(person, "email"), *roles = ft_node_get(person, "roles");
        const char *address;

        snprintf(what, sizeof(what), "the person '%s'", person->key);
        rd_keys(rd, person, what, keys);
        address = rd_constant(rd, email, "`email`");
        if (address && (!strchr(address, '@') || strpbrk(address, " \t<>,")))
            rd_error(rd, email->mark, NULL, "'%s' is no mail address", address);
        if (roles && rd_list(rd, roles, "`roles`"))
            for (const struct ft_node *role = roles->first; role; role = role->next)
                check_role(rd, role, declared);
        check_delegation(rd, node, person);
        check_spelling(rd, node, person);
    }
}

static void check_roles(const struct reader *rd, const struct ft_node *node)
{
    static const struct rd_key keys[] = { { "about" }, { NULL } };
    char what[160];

    if (!node || !rd_map(rd, node, "`roles`"))
        return;
    for (const struct ft_node *role = node->first; role; role = role->next) {
        snprintf(what, sizeof(what), "the role '%s'", role->key);
        if (role->kind == FT_NODE_NULL)
            continue;                                     /* `network-lead:` needs no more words */
        rd_keys(rd, role, what, keys);
        rd_constant(rd, ft_node_get(role, "about"), "`about`");
    }
}

/* ---- approvals */

static const char *const severities[] = { "P1", "P2", "P3", "P4", NULL };

static void check_after(const struct reader *rd, const struct ft_node *node, const char *what, bool business_day)
{
    uint64_t ms;

    if (node && business_day && node->text && ft_streq(node->text, "next business day"))
        return;
    if (rd_duration(rd, node, what, &ms) && ms < 60000)
        rd_error(rd, node->mark, NULL, "%s is at least a minute", what);
}

/* One time for all, or one for each severity. */
static void check_by_severity(const struct reader *rd, const struct ft_node *node, const char *what, bool business_day)
{
    static const struct rd_key keys[] = { { "P1" }, { "P2" }, { "P3" }, { "P4" }, { NULL } };

    if (!node)
        return;
    if (node->kind != FT_NODE_MAP) {
        check_after(rd, node, what, business_day);
        return;
    }
    rd_keys(rd, node, what, keys);
    for (size_t i = 0; severities[i]; i++)
        check_after(rd, ft_node_get(node, severities[i]), what, business_day);
}

static void check_notify(const struct reader *rd, const struct ft_node *node)
{
    static const struct rd_key keys[] = { { "run", true }, { "with" }, { NULL } };
    const char *action;

    if (!node || !rd_list(rd, node, "`notify`"))
        return;
    for (const struct ft_node *one = node->first; one; one = one->next) {
        if (!rd_keys(rd, one, "a notice", keys))
            continue;
        action = rd_constant(rd, ft_node_get(one, "run"), "`run`");
        if (action && !strchr(action, '.'))
            rd_error(rd, ft_node_get(one, "run")->mark, NULL, "'%s' is no action: write plugin.action", action);
        if (ft_node_get(one, "with"))
            rd_object(rd, ft_node_get(one, "with"), "`with`");
    }
}

static void check_approvals(const struct reader *rd, const struct ft_node *node, const struct ft_node *roles)
{
    static const struct rd_key keys[] = { { "remind" }, { "escalate" }, { "levels" }, { "break_glass" }, { "link" }, { "notify" }, { NULL } }, glass_keys[] = { { "role", true }, { NULL } };
    const struct ft_node *levels = ft_node_get(node, "levels"), *glass = ft_node_get(node, "break_glass"), *link = ft_node_get(node, "link");
    const char *url;

    if (!node || !rd_keys(rd, node, "`approvals`", keys))
        return;
    check_by_severity(rd, ft_node_get(node, "remind"), "`remind`", false);
    check_by_severity(rd, ft_node_get(node, "escalate"), "`escalate`", true);
    if (levels && rd_list(rd, levels, "`levels`"))
        for (const struct ft_node *role = levels->first; role; role = role->next)
            check_role(rd, role, roles);
    if (glass && rd_keys(rd, glass, "`break_glass`", glass_keys) && ft_node_get(glass, "role"))
        check_role(rd, ft_node_get(glass, "role"), roles);
    url = rd_constant(rd, link, "`link`");
    if (url && strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0)
        rd_error(rd, link->mark, NULL, "'%s' is no address: it begins with https://, and the gate's token is put behind it", url);
    check_notify(rd, ft_node_get(node, "notify"));
}

void people_check(const struct reader *rd, const struct ft_node *root)
{
    const struct ft_node *roles = ft_node_get(root, "roles");

    check_roles(rd, roles);
    check_people(rd, ft_node_get(root, "people"), roles);
    check_approvals(rd, ft_node_get(root, "approvals"), roles);
}
