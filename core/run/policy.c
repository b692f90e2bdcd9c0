/* policy.c: asks guard whether a write may start now, and does what it says. */
#include "run/internal.h"

static void fill(const struct step_run *step, struct ft_write_facts *facts)
{
    const struct ft_run *run = step->run;

    *facts = (struct ft_write_facts){
        .run_id = run->id, .path = step->path, .requester = run->requester, .playbook = ft_playbook_name(run->playbook),
        .category = ft_playbook_category(run->playbook), .severity = ft_playbook_severity(run->playbook), .action = step->step->call.name,
        .effect = (step->step->call.effects & FT_EFFECT_MASK) == FT_EFFECT_DISRUPTIVE ? "disruptive" : "write", .site = ft_target_site(step->params),
        .params = step->params, .plan = step->plan, .need_ms = write_need_ms(step), .attempt = step->attempt, .writes_done = run->writes,
    };
}

enum check policy_check(struct step_run *step)
{
    struct ft_guard *guard = step->run->engine->o.guard;
    struct ft_write_facts facts;
    struct ft_guard_answer answer;
    struct ft_err err = { 0 };
    enum check check = CHECK_GO;
    json_t *targets, *approvals;
    int r;

    if (!guard)
        return CHECK_GO;
    fill(step, &facts);
    targets = ft_targets(step->step->call.name, step->params);
    approvals = gate_approvals(step);
    facts.targets = targets;
    facts.approvals = approvals;
    facts.break_glass = gate_broken(step);
    r = ft_guard_write(guard, &facts, &answer, &err);
    json_decref(targets);
    if (r < 0) {
        json_decref(approvals);
        step_fail(step, FT_REFUSED, err.text);
        return CHECK_FAILED;
    }
    switch (answer.verdict) {
    case FT_GUARD_GO:
        break;
    case FT_GUARD_APPROVE:
        check = gate_for_policy(step, &facts, &answer);
        break;
    default:
        step_fail(step, answer.class ? answer.class : FT_REFUSED, answer.text);
        check = CHECK_FAILED;
        break;
    }
    json_decref(approvals);
    ft_guard_answer_done(&answer);
    return check;
}
