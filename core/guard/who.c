/* who.c: who has which role, in their own right or by delegation. */
#include <string.h>
#include <strings.h>
#include "base/util.h"
#include "data/json.h"
#include "guard/approval_parts.h"

bool is_person(const char *a, const char *b)
{
    return a && b && strcasecmp(a, b) == 0;
}

bool ft_people_configured(const struct ft_people *people)
{
    return json_object_size(json_object_get(people->config, "people")) > 0;
}

const json_t *who_is(const struct ft_people *people, const char *name)
{
    return name ? json_object_get(json_object_get(people->config, "people"), name) : NULL;
}

bool ft_person_has(const struct ft_people *people, const char *name, const char *role)
{
    const json_t *who = who_is(people, name), *one;
    size_t i;

    if (!who)
        return false;
    if (!*role)
        return true;
    json_array_foreach(json_object_get(who, "roles"), i, one)
        if (ft_streq(json_string_value(one), role))
            return true;
    return false;
}

json_t *ft_people_with(const struct ft_people *people, const char *role)
{
    json_t *names = json_array(), *who;
    const char *name;

    json_object_foreach(json_object_get(people->config, "people"), name, who)
        if (ft_person_has(people, name, role))
            json_array_append_new(names, json_string(name));
    return names;
}

/* The newest row by `from` of this role that was there at that time says to whom, and until when. */
static const json_t *stored_delegation(const struct ft_people *people, const char *from, const char *role, uint64_t at)
{
    for (size_t i = json_array_size(people->delegations); i-- > 0;) {
        const json_t *row = json_array_get(people->delegations, i), *d = json_object_get(row, "answer");
        const char *of = ft_json_str(d, "role");

        if ((uint64_t)ft_json_int(row, "at", 0) <= at && ft_streq(ft_json_str(d, "from"), from) && of && (!*of || !*role || ft_streq(of, role)))
            return d;
    }
    return NULL;
}

static bool configured_delegation(const struct ft_people *people, const char *from, const char *to, uint64_t at)
{
    const json_t *who = who_is(people, from);
    const char *until = ft_json_str(who, "until");
    uint64_t end = UINT64_MAX;

    return ft_streq(ft_json_str(who, "delegates_to"), to) && (!until || ft_time_parse(until, &end) == 0) && at < end;
}

/* Never passed on: only who has the role in their own right gives it. What they said last at a keyboard counts before the configuration. */
bool who_delegates(const struct ft_people *people, const char *from, const char *role, const char *to, uint64_t at)
{
    const json_t *stored;

    if (ft_streq(from, to) || !who_is(people, to) || !ft_person_has(people, from, role))
        return false;
    stored = stored_delegation(people, from, role, at);
    if (stored && (uint64_t)ft_json_int(stored, "until", 0) > at)
        return ft_streq(ft_json_str(stored, "to"), to);
    if (stored && !ft_json_int(stored, "until", 0))
        return false;                                    /* ended by word of the person: also what the configuration says */
    return configured_delegation(people, from, to, at);
}

json_t *ft_person_acts_for(const struct ft_people *people, const char *name, uint64_t at)
{
    json_t *all = json_array(), *who, *role;
    const char *from;
    size_t i;

    json_object_foreach(json_object_get(people->config, "people"), from, who)
        json_array_foreach(json_object_get(who, "roles"), i, role)
            if (who_delegates(people, from, json_string_value(role), name, at))
                json_array_append_new(all, json_pack("{s:s, s:O}", "from", from, "role", role));
    return all;
}
