/* gate_kinds.c: the two kinds of gates: an `approve:` step, and a write that waits for people. */
#include "run/gate_parts.h"

static void open_approve(struct step_run *step)
{
    uint64_t within = step->step->within_ms ? step->step->within_ms : (uint64_t)DAY_MS;
    struct ft_people people = people_now(step->run->engine);
    json_t *text = NULL, *requirement, *glass = json_object_get(json_object_get(people.config, "approvals"), "break_glass");
    struct ft_err err = { 0 };
    char *words;

    if (step_fill(step, step->step->text, NULL, &text, &err) < 0) {
        step_fail(step, FT_INVALID, err.text);
        return;
    }
    words = json_is_string(text) ? ft_strdup(json_string_value(text)) : ft_json_brief(text, 400);
    json_decref(text);
    requirement = json_pack("{s:s, s:i, s:I, s:O*}", "role", step->step->by_role ? step->step->by_role : "", "count", (int)(step->step->by_count ? step->step->by_count : 1),
                            "within_ms", (json_int_t)within, "break_glass", glass);
    gate_open(step, requirement, words);
    free(words);
}

void verb_approve(struct step_run *step)
{
    const json_t *gate = gate_of(step);

    if (!gate)
        verb_started(step);
    if (step->run->state == RUN_ENDED)
        return;
    if (gate && ft_gate_is_open(gate))
        gate_wait(step);
    else if (gate && ft_streq(ft_json_str(gate, "state"), "approved"))
        gate_approved(step);
    else if (gate && !ft_streq(ft_json_str(gate, "state"), "void"))
        gate_not_approved(step);
    else
        open_approve(step);
}

/* Whoever approved has taken it back since: what was not sent yet is not sent. */
static bool is_revoked(struct step_run *step)
{
    const json_t *revoked = NULL;
    json_t *gate;
    size_t i;

    json_array_foreach(step->run->gates, i, gate)
        if (json_object_get(gate, "revoked"))
            revoked = json_object_get(gate, "revoked");
    if (revoked) {
        const char *reason = ft_json_str(revoked, "reason");
        char *text = ft_asprintf("%s withdrew the approval%s%s", ft_json_str(revoked, "by"), reason && *reason ? ": " : "", reason ? reason : "");

        step_fail(step, FT_DENIED, text);
        free(text);
    }
    return revoked != NULL;
}

/* What the events say of a write that is about to be checked: it waits for people, they refused it, or what they approved is void and was not asked
 * again yet. Else it may be that nobody was asked: then apply.c and guard say whether anybody must be. */
enum check gate_check(struct step_run *step)
{
    if (json_array_size(step->run->gates))
        people_fetch(step->run);                       /* what they said while it waited for its window, or for a lock */
    if (step->run->state == RUN_ENDED)
        return CHECK_FAILED;
    if (is_revoked(step))
        return CHECK_FAILED;
    for (size_t i = json_array_size(step->run->gates); i-- > 0;) {
        const json_t *gate = json_array_get(step->run->gates, i);
        bool own = ft_streq(ft_json_str(gate, "path"), step->path), again = ft_streq(ft_json_str(gate, "again_at"), step->path);

        if (own && ft_streq(ft_json_str(gate, "state"), "approved"))
            return CHECK_GO;
        if (own || again)
            return gate_for_write(step, json_incref(json_object_get(gate, "requirement")));
    }
    return CHECK_GO;
}

/* A policy holds the write, or what was approved of it is void. One that was refused, or that nobody answered in time, is never asked a second time. */
enum check gate_for_write(struct step_run *step, json_t *approval)
{
    const json_t *gate = gate_of(step);
    const char *state = ft_json_str(gate, "state"), *said = ft_json_str(approval, "text"), *summary = ft_json_str(step->plan, "summary");
    char *text;

    if (gate && ft_gate_is_open(gate)) {
        gate_wait(step);
        json_decref(approval);
        return CHECK_WAITS;
    }
    if (gate && !ft_streq(state, "approved") && !ft_streq(state, "void")) {
        gate_not_approved(step);
        json_decref(approval);
        return CHECK_FAILED;
    }
    text = ft_asprintf("%s%s%s", summary ? summary : step->title, said ? ": " : "", said ? said : ": what was approved is not what would be done now");
    gate_open(step, approval ? approval : json_object(), text);
    free(text);
    return CHECK_WAITS;
}

/* Only what is not met yet is asked for, and of others than those who count for the rest. */
enum check gate_for_policy(struct step_run *step, const struct ft_write_facts *facts, const struct ft_guard_answer *answer)
{
    struct ft_people people = people_now(step->run->engine);
    json_t *all, *spent;

    if (!ft_people_configured(&people)) {
        char *text = ft_asprintf("%s; the configuration names nobody who could (`people`, `roles`)", answer->text);

        step_fail(step, FT_DENIED, text);
        free(text);
        return CHECK_FAILED;
    }
    all = ft_guard_unmet(json_object_get(answer->approval, "all"), facts->approvals, facts->requester, facts->break_glass, &spent);
    return gate_for_write(step, json_pack("{s:o, s:o, s:s}", "all", all, "spent", spent, "text", answer->text));
}

/* Where anybody was asked, whoever answered did so with each role that they have. */
static void add_with_roles(const struct ft_people *people, const json_t *vote, const char *digest, json_t *all)
{
    json_t *by, *role;
    size_t i, k;

    json_array_foreach(json_object_get(vote, "by"), i, by) {
        const json_t *who = json_object_get(json_object_get(people->config, "people"), json_string_value(by));

        json_array_foreach(json_object_get(who, "roles"), k, role)
            json_array_append_new(all, json_pack("{s:O, s:i, s:[O], s:s}", "role", role, "count", 1, "by", by, "digest", digest));
    }
}

/* Votes that hold for this write as it is now. */
json_t *gate_approvals(struct step_run *step)
{
    struct ft_people people = people_now(step->run->engine);
    json_t *all = json_array(), *gate, *votes, *vote;
    size_t i, k;

    json_array_foreach(step->run->gates, i, gate) {
        const char *digest = ft_json_str(gate, "digest");

        if (!ft_streq(ft_json_str(gate, "state"), "approved") || !apply_holds(step, ft_json_str(gate, "path"), digest))
            continue;
        votes = ft_gate_votes(&people, gate);
        json_array_foreach(votes, k, vote) {
            json_object_set_new(vote, "digest", json_string(digest));
            json_array_append(all, vote);
            if (!*ft_json_str(vote, "role"))
                add_with_roles(&people, vote, digest, all);
        }
        json_decref(votes);
    }
    return all;
}

const json_t *gate_broken(struct step_run *step)
{
    json_t *gate;
    size_t i;

    json_array_foreach(step->run->gates, i, gate) {
        const json_t *broken = json_object_get(gate, "broken");

        if (broken && ft_streq(ft_json_str(gate, "state"), "approved") && apply_holds(step, ft_json_str(gate, "path"), ft_json_str(gate, "digest")))
            return broken;
    }
    return NULL;
}
