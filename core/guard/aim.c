/* aim.c: what a write is aimed at, however a playbook spells it: in other letters, by name or by id, or only in the request that it renders. A rule
 * that protects a site or a device is not gone around by a spelling. */
#include <ctype.h>
#include <strings.h>
#include "base/text.h"
#include "guard/internal.h"

enum { LEAST_MENTION = 6 };                /* what is shorter stands in many a request by chance */

/* Whether the text stands there as a word of its own, in whatever case. */
static bool has_word(const char *in, const char *word)
{
    size_t len = strlen(word);

    for (const char *at = in; *at; at++)
        if (strncasecmp(at, word, len) == 0 && (at == in || !isalnum((unsigned char)at[-1])) && !isalnum((unsigned char)at[len]))
            return true;
    return false;
}

static bool mentions(const json_t *value, const char *word)
{
    const char *key;
    json_t *one;
    size_t i;

    if (json_is_string(value))
        return has_word(json_string_value(value), word);
    json_array_foreach((json_t *)value, i, one)
        if (mentions(one, word))
            return true;
    json_object_foreach((json_t *)value, key, one)
        if (has_word(key, word) || mentions(one, word))
            return true;
    return false;
}

bool aim_mentions(const struct ft_write_facts *facts, const char *word)
{
    const json_t *requests = json_object_get(facts->plan, "requests");
    char mac[18], bare[13];
    size_t n = 0;

    if (!requests || !word || strlen(word) < LEAST_MENTION || strpbrk(word, "*?"))
        return false;
    if (mentions(requests, word))
        return true;
    if (ft_mac_normalise(word, mac) < 0)
        return false;
    for (const char *c = mac; *c; c++)
        if (*c != ':')
            bare[n++] = *c;
    bare[n] = '\0';
    return mentions(requests, mac) || mentions(requests, bare);
}

char *aim_site(const struct ft_guard *guard, const struct ft_write_facts *facts)
{
    const char *name = ft_config_site_name(guard->o.config, facts->site);
    json_t *entry;

    if (name != facts->site)
        return ft_strdup(name);
    json_object_foreach(json_object_get(ft_config_json(guard->o.config), "sites"), name, entry)
        if (aim_mentions(facts, ft_json_str(entry, "id")))
            return ft_strdup(name);
    return aim_small(facts->site ? facts->site : "");
}

char *aim_small(const char *text)
{
    char *small = ft_strdup(text);

    for (char *c = small; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return small;
}

/* How many things it changes: as many as it names of the kind that it names most of; one at least. A DHCP server, a host or a site is one. */
unsigned aim_count(const struct ft_write_facts *facts)
{
    unsigned most = 1;

    for (size_t i = 0; i < json_array_size(facts->targets); i++) {
        const char *text = json_string_value(json_array_get(facts->targets, i));
        size_t kind = text ? strcspn(text, "/") : 0;
        unsigned same = 0;

        for (size_t j = 0; kind && j < json_array_size(facts->targets); j++) {
            const char *other = json_string_value(json_array_get(facts->targets, j));

            same += other && strncmp(text, other, kind + 1) == 0;
        }
        most = ft_max(most, same);
    }
    return most;
}
