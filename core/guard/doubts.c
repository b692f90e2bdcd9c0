/* doubts.c: what can be read and yet will hold a change for ever: a window that does not open any more, a role that too few people have. */
#include <stdarg.h>
#include <strings.h>
#include "guard/approval.h"
#include "guard/internal.h"

__attribute__((format(printf, 2, 3)))
static void doubt(json_t *all, const char *fmt, ...)
{
    char text[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    json_array_append_new(all, json_string(text));
}

static void look_at_approval(const struct ft_guard *guard, const struct ft_rail *rail, json_t *all)
{
    struct ft_people people = { .config = ft_config_json(guard->o.config) };
    json_t *names;
    size_t count;

    if (!rail->approval.role)
        return;
    if (!ft_people_configured(&people)) {
        doubt(all, "policy '%s' asks for the approval of %s, and nobody is configured (`people`): what it speaks of is refused", rail->name, rail->approval.role);
        return;
    }
    names = ft_people_with(&people, rail->approval.role);
    count = json_array_size(names);
    json_decref(names);
    if (count < rail->approval.count)
        doubt(all, "policy '%s' asks for the approval of %u %s, and %zu %s that role: it can never be given", rail->name, rail->approval.count, rail->approval.role, count,
              count == 1 ? "person has" : "people have");
}

/* Breaking the glass is told at once to those who are passed over: by whom, if nothing is said? */
static void look_at_glass(const struct ft_guard *guard, const struct ft_rail *rail, json_t *all)
{
    const json_t *config = ft_config_json(guard->o.config), *approvals = json_object_get(config, "approvals");
    struct ft_people people = { .config = config };
    const char *role = ft_json_str(json_object_get(approvals, "break_glass"), "role");
    json_t *names;

    if (!rail->approval.role || !rail->approval.break_glass || !ft_people_configured(&people))
        return;
    if (!json_array_size(json_object_get(approvals, "notify")))
        doubt(all, "policy '%s' lets the glass be broken, and `approvals: notify` is empty: nobody would be told", rail->name);
    names = ft_people_with(&people, role ? role : rail->approval.role);
    if (!json_array_size(names))
        doubt(all, "policy '%s' lets the glass be broken by %s, and nobody has that role", rail->name, role ? role : rail->approval.role);
    json_decref(names);
}

/* One person with two accounts could ask with one, and approve with the other. */
static void look_at_accounts(const struct ft_guard *guard, json_t *all)
{
    json_t *people = json_object_get(ft_config_json(guard->o.config), "people"), *who, *other;
    const char *name, *second;

    json_object_foreach(people, name, who) {
        const char *mail = ft_json_str(who, "email");

        json_object_foreach(people, second, other) {
            if (ft_streq(second, name))
                break;
            if (mail && ft_json_str(other, "email") && strcasecmp(mail, ft_json_str(other, "email")) == 0)
                doubt(all, "'%s' and '%s' have the same mail address: if they are one person, that one can approve what they asked for", second, name);
        }
    }
}

static int look_at_windows(const struct ft_guard *guard, uint64_t now, json_t *all, struct ft_err *reterr)
{
    const struct ft_rails *rails = guard->rails;
    struct ft_span span_next;
    int r = 0;

    for (size_t i = 0; i < rails->window_count && r == 0; i++) {
        r = next_span(rails->windows[i].calendar, now, &span_next, reterr);
        if (r == 0 && !span_next.to)
            doubt(all, "window '%s' never opens again: what waits for it is refused", rails->windows[i].name);
    }
    return r;
}

json_t *ft_guard_doubts(struct ft_guard *guard, uint64_t now_ms, struct ft_err *reterr)
{
    json_t *all = json_array();

    for (size_t i = 0; i < guard->rails->rail_count; i++) {
        look_at_approval(guard, &guard->rails->rails[i], all);
        look_at_glass(guard, &guard->rails->rails[i], all);
    }
    look_at_accounts(guard, all);
    if (look_at_windows(guard, now_ms, all, reterr) == 0)
        return all;
    json_decref(all);
    return NULL;
}
