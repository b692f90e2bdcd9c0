/* dry_state.c: the names and values with which a step can be reached. */
#include "run/dry_internal.h"

json_t *dry_join(const json_t *a, const json_t *b)
{
    json_t *joined = json_object(), *value;
    const char *name;

    json_object_foreach((json_t *)a, name, value) {
        const json_t *other = json_object_get(b, name);

        if (other && json_equal(value, (json_t *)other))
            json_object_set(joined, name, value);
        else
            json_object_set_new(joined, name, ft_unknown("it differs between the ways that lead here"));
    }
    json_object_foreach((json_t *)b, name, value)
        if (!json_object_get(a, name))
            json_object_set_new(joined, name, ft_unknown("not every way that leads here sets it"));
    return joined;
}

void dry_state_free(struct dry_state *s)
{
    json_decref(s->env);
    json_decref(s->left);
    free(s);
}

static void join_all(struct dry_list *l, size_t index)
{
    struct dry_state *first = l->in[index], *s = first->next;

    while (s) {
        struct dry_state *next = s->next;
        json_t *joined = dry_join(first->env, s->env), *left = dry_left_join(first->left, s->left);

        json_decref(first->env);
        json_decref(first->left);
        first->env = joined;
        first->left = left;
        first->certain = first->certain || s->certain;
        first->changed = first->changed || s->changed;
        dry_state_free(s);
        s = next;
    }
    first->next = NULL;
    ft_json_digest(first->env, first->digest);
    l->dry->cut = true;
}

static bool same_left(const json_t *a, const json_t *b)
{
    return !json_object_size(a) || !json_object_size(b) ? json_object_size(a) == json_object_size(b) : json_equal((json_t *)a, (json_t *)b);
}

void dry_arrive(struct dry_list *l, size_t index, json_t *env, json_t *left, bool certain, bool changed)
{
    struct dry_state *s, **end = &l->in[index];
    char digest[65];
    unsigned count = 0;

    ft_json_digest(env, digest);
    for (; *end; end = &(*end)->next, count++) {
        if (ft_streq((*end)->digest, digest) && (*end)->changed == changed && same_left((*end)->left, left)) {
            (*end)->certain |= certain;
            return;
        }
    }
    s = ft_calloc(1, sizeof(*s));
    s->env = json_incref(env);
    s->left = json_incref(left);
    s->certain = certain;
    s->changed = changed;
    memcpy(s->digest, digest, sizeof(digest));
    *end = s;
    if (count + 1 > MAX_STATES)
        join_all(l, index);
}
