/* met.c: what of the approvals that a write needs was given already. A person counts once for a write, at however many gates they stood: who approved as
 * a lead at the playbook's own gate is not its manager, too. */
#include "guard/approval_parts.h"
#include "guard/internal.h"

enum { MAX = 64 };

struct meeting {
    const json_t *approvals;
    const char *people[MAX], *roles[MAX];       /* who approved; the place to fill */
    ssize_t place_of[MAX];                      /* of a person; -1: none yet */
    bool tried[MAX];
    size_t people_count, place_count;
};

static bool approved_as(const struct meeting *m, const char *who, const char *role)
{
    json_t *one, *name;
    size_t i, k;

    json_array_foreach((json_t *)m->approvals, i, one)
        if (ft_streq(ft_json_str(one, "role"), role))
            json_array_foreach(json_object_get(one, "by"), k, name)
                if (ft_streq(json_string_value(name), who))
                    return true;
    return false;
}

static void add_person(struct meeting *m, const char *who, const char *requester)
{
    if (!who || is_person(who, requester) || m->people_count == MAX)
        return;
    for (size_t i = 0; i < m->people_count; i++)
        if (is_person(m->people[i], who))
            return;
    m->place_of[m->people_count] = -1;
    m->people[m->people_count++] = who;
}

static bool fill(struct meeting *m, size_t place)
{
    for (size_t i = 0; i < m->people_count; i++) {
        if (m->tried[i] || !approved_as(m, m->people[i], m->roles[place]))
            continue;
        m->tried[i] = true;
        if (m->place_of[i] < 0 || fill(m, (size_t)m->place_of[i])) {
            m->place_of[i] = (ssize_t)place;
            return true;
        }
    }
    return false;
}

static bool is_met(struct meeting *m, const json_t *need)
{
    json_int_t count = ft_json_int(need, "count", 1);
    size_t first = m->place_count;
    bool met = true;

    for (json_int_t n = 0; n < count && met; n++) {
        met = m->place_count < MAX;
        if (!met)
            break;
        m->roles[m->place_count] = ft_json_str(need, "role");
        memset(m->tried, 0, sizeof(m->tried));
        met = fill(m, m->place_count++);
    }
    if (met)
        return true;
    for (size_t i = 0; i < m->people_count; i++)           /* half a requirement holds nobody */
        if (m->place_of[i] >= (ssize_t)first)
            m->place_of[i] = -1;
    return false;
}

json_t *ft_guard_unmet(const json_t *all, const json_t *approvals, const char *requester, const json_t *break_glass, json_t **ret_spent)
{
    struct meeting m = { .approvals = approvals };
    bool broken = break_glass && !json_is_null(break_glass);
    json_t *unmet = json_array(), *one, *name;
    size_t i, k;

    json_array_foreach((json_t *)approvals, i, one)
        json_array_foreach(json_object_get(one, "by"), k, name)
            add_person(&m, json_string_value(name), requester);
    json_array_foreach((json_t *)all, i, one)
        if (!(broken && json_is_true(json_object_get(one, "break_glass"))) && !is_met(&m, one))
            json_array_append(unmet, one);
    if (!ret_spent)
        return unmet;
    *ret_spent = json_array();
    for (i = 0; i < m.people_count; i++)
        if (m.place_of[i] >= 0)
            json_array_append_new(*ret_spent, json_pack("{s:s, s:s}", "by", m.people[i], "role", m.roles[m.place_of[i]]));
    return unmet;
}
