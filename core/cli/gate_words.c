/* gate_words.c: what happened at a gate, one event in one line: for the live view, for `show`, and for the report. */
#include "base/util.h"
#include "cli/gate_text.h"
#include "data/json.h"

static const char *or_somebody(const char *who)
{
    return who && *who ? who : "somebody";
}

static char *names_of(const json_t *names)
{
    char *all = ft_strdup(""), *more;
    json_t *name;
    size_t i;

    json_array_foreach((json_t *)names, i, name) {
        more = ft_asprintf("%s%s%s", all, i ? ", " : "", json_string_value(name) ? json_string_value(name) : "");
        free(all);
        all = more;
    }
    return all;
}

static char *vote_words(const json_t *event, bool yes)
{
    const char *from = ft_json_str(event, "for"), *where = ft_json_str(event, "where"), *reason = ft_json_str(event, "reason");

    return ft_asprintf("%s by %s%s%s%s%s%s%s%s", yes ? "approved" : "rejected", or_somebody(ft_json_str(event, "by")), from ? " for " : "", from ? from : "",
                       where && *where ? " (" : "", where ? where : "", where && *where ? ")" : "", reason && *reason ? ": " : "", reason ? reason : "");
}

static char *void_words(const json_t *event)
{
    const json_t *first = json_array_get(json_object_get(event, "differs"), 0), *planned = json_object_get(first, "planned"), *now = json_object_get(first, "now");
    char *was = planned ? ft_json_brief(planned, 60) : ft_strdup("not there"), *is = now ? ft_json_brief(now, 60) : ft_strdup("not there"), *text;

    if (first)
        text = ft_asprintf("the approval is void: %s was %s, and is %s now; it is asked again", ft_json_str(first, "path"), was, is);
    else
        text = ft_strdup("the approval is void: this is not what was approved; it is asked again");
    free(was);
    free(is);
    return text;
}

static char *told_words(const json_t *event, bool level)
{
    char *to = names_of(json_object_get(event, "to")), *text;

    text = level ? ft_asprintf("told the next level, %s: %s", ft_json_str(event, "role") ? ft_json_str(event, "role") : "", *to ? to : "nobody has that role") :
                   ft_asprintf("reminded: %s", *to ? to : "nobody is left to answer");
    free(to);
    return text;
}

char *gate_words(const json_t *event, const char **ret_mark, enum ft_tone *ret_tone)
{
    const char *type = ft_json_str(event, "type"), *by = or_somebody(ft_json_str(event, "by")), *reason = ft_json_str(event, "reason");
    bool yes = ft_streq(ft_json_str(event, "decision"), "approve"), request = json_is_true(json_object_get(event, "request"));

    *ret_mark = "!";
    *ret_tone = TONE_WARN;
    if (ft_streq(type, "gate.vote")) {
        *ret_mark = yes ? "✓" : "✗";
        *ret_tone = yes ? TONE_GOOD : TONE_BAD;
        return vote_words(event, yes);
    }
    if (ft_streq(type, "gate.withdrawn"))
        return ft_asprintf("%s withdrew %s%s%s", by, request ? "the request" : "the approval", reason && *reason ? ": " : "", reason ? reason : "");
    if (ft_streq(type, "gate.refused") && ft_streq(ft_json_str(event, "decision"), "break_glass"))
        return ft_asprintf("%s did not break the glass: %s", by, ft_json_str(event, "why"));
    if (ft_streq(type, "gate.refused"))
        return ft_asprintf("an answer of %s does not count: %s", by, ft_json_str(event, "why"));
    if (ft_streq(type, "gate.voided"))
        return void_words(event);
    if (ft_streq(type, "gate.broken"))
        return ft_asprintf("%s broke the glass: %s (to be reviewed)", by, reason ? reason : "");
    if (ft_streq(type, "gate.reviewed"))
        return ft_asprintf("the broken glass was reviewed by %s: %s", by, ft_json_str(event, "note"));
    if (ft_streq(type, "gate.notice_failed"))
        return ft_asprintf("people could not be told by %s: %s", ft_json_str(event, "action"), ft_json_str(event, "error"));
    if (ft_streq(type, "gate.reminded") || ft_streq(type, "gate.escalated")) {
        *ret_mark = "…";
        *ret_tone = TONE_DIM;
        return told_words(event, ft_streq(type, "gate.escalated"));
    }
    return NULL;
}
