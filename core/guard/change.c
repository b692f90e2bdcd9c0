/* change.c: which category a change has: its playbook's, the configuration's default, or one that a run may choose. */
#include "guard/internal.h"

static int no_change(const struct ft_rails *rails, const char *name, struct ft_err *reterr)
{
    const char **names = ft_calloc(rails->change_count + 1, sizeof(*names)), *near;

    for (size_t i = 0; i < rails->change_count; i++)
        names[i] = rails->changes[i].name;
    near = ft_suggest(name, names);
    ft_err_class(reterr, FT_INVALID, -EINVAL, "the configuration has no category of changes '%s'%s%s%s; see `fettle policy`", name, near ? "; did you mean '" : "", near ? near : "",
                 near ? "'?" : "");
    free(names);
    return -EINVAL;
}

/* A freeze knows an exception for it: it is worth something. */
static bool is_let_through(const struct ft_rails *rails, const char *change)
{
    for (size_t i = 0; i < rails->freeze_count; i++)
        if (words_match(&rails->freezes[i].except, change))
            return true;
    return false;
}

/* Whoever starts a run does not choose how much is asked of it. */
static int may_not_choose(const char *own, const char *holds, const char *asked, struct ft_err *reterr)
{
    if (own)
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "the playbook is a change of category '%s', and a run cannot make it '%s': only a category with `overrides: true` can", own, asked);
    if (holds)
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "the playbook does not say what category of change it is, so it is '%s', and a run cannot make it '%s': write `change: %s` into the"
                            " playbook, or choose a category with `overrides: true`", holds, asked, asked);
    return ft_err_class(reterr, FT_INVALID, -EINVAL, "a freeze lets changes of category '%s' through, so a run cannot make itself one: only a category with `overrides: true` can", asked);
}

int ft_guard_change(const struct ft_guard *guard, const char *own, const char *asked, const char *playbook_category, const char **ret, struct ft_err *reterr)
{
    const struct ft_rails *rails = guard->rails;

    const char *holds = own;

    for (size_t i = 0; i < rails->change_count && !own && ft_streq(playbook_category, "change"); i++)
        if (rails->changes[i].is_default)
            holds = rails->changes[i].name;
    *ret = holds;
    if (asked) {
        const struct ft_change *change = ft_rails_change(rails, asked);

        if (!change)
            return no_change(rails, asked, reterr);
        if (!change->overrides && !ft_streq(holds, asked) && (holds || is_let_through(rails, asked)))
            return may_not_choose(own, holds, asked, reterr);
        *ret = change->name;
        return 0;
    }
    if (own && rails->change_count && !ft_rails_change(rails, own))
        return no_change(rails, own, reterr);
    return 0;
}
