/* policy.c: asks guard whether a write may start now, and does what it says. */
#include "run/internal.h"

static void fill(const struct step_run *step, struct ft_write_facts *facts)
{
    const struct ft_run *run = step->run;

    *facts = (struct ft_write_facts){
        .run_id = run->id, .path = step->path, .requester = run->requester, .playbook = ft_playbook_name(run->playbook),
        .category = ft_playbook_category(run->playbook), .severity = ft_playbook_severity(run->playbook), .change = run->change, .action = step->step->call.name,
        .effect = (step->step->call.effects & FT_EFFECT_MASK) == FT_EFFECT_DISRUPTIVE ? "disruptive" : "write", .site = ft_target_site(step->params),
        .params = step->params, .plan = step->plan, .need_ms = write_need_ms(step), .attempt = step->attempt, .writes_done = run->writes - (step->again || step->attempt > 1),
        .requested_ms = run->requested_ms,
    };
}

/* ---- GO */

/* What the write may start under: the rules, for those who ask later, and when it must be over. */
static void passed(struct step_run *step, const struct ft_guard_answer *answer)
{
    json_t *event;

    if (!answer->rules && !answer->closes_ms)
        return;
    event = ev("policy.passed", step->path);
    if (answer->rules)
        json_object_set(event, "rules", answer->rules);
    if (answer->closes_ms)
        json_object_set_new(event, "closes", json_integer((json_int_t)answer->closes_ms));
    run_ride(step->run, event);
    margin_set(step->run, run_own_undo_ms(step));
}

/* ---- WAIT: it parks, and is asked again when the time has come */

static void over(void *arg)
{
    struct step_run *step = arg;

    step->timer = NULL;
    if (step->run->state != RUN_GOING)
        return;
    run_ride(step->run, ev("hold.over", step->path));
    json_object_del(step->past, "hold.opened");
    if (step->run->state != RUN_ENDED)
        write_look_again(step);
}

/* Somebody took their approval back while the write waits for its time: it is asked at once whether it may still be done. */
void policy_revoked(struct ft_run *run)
{
    struct ft_list *pos, *tmp;
    bool revoked = false;
    json_t *gate;
    size_t i;

    json_array_foreach(run->gates, i, gate)
        revoked = revoked || json_object_get(gate, "revoked");
    if (!revoked || run->state != RUN_GOING)
        return;
    ft_list_each(pos, tmp, &run->steps) {
        struct step_run *step = ft_container(pos, struct step_run, in_run);

        if (step->state != STEP_WAITING || !past_event(step, "hold.opened") || !step->timer)
            continue;
        ft_timer_stop(step->timer);
        step->timer = ft_timer_start_weak(run->engine->o.loop, 0, over, step);
    }
}

static void hold(struct step_run *step, const struct ft_guard_answer *answer)
{
    const json_t *before = past_event(step, "hold.opened");
    bool same = before && (uint64_t)ft_json_int(before, "until", 0) == answer->until_ms && ft_streq(ft_json_str(before, "why"), answer->text);
    uint64_t now = run_now_ms(step->run);
    struct ft_err err = { 0 };
    json_t *event;

    step->state = STEP_WAITING;
    if (json_array_size(step->run->gates))
        people_ask(step->run);                     /* an approval may be taken back meanwhile */
    step->timer = ft_timer_start_weak(step->run->engine->o.loop, answer->until_ms > now ? answer->until_ms - now : 1, over, step);
    if (same) {                                    /* of an earlier life; nothing has changed */
        run_check_idle(step->run);
        return;
    }
    json_object_del(step->past, "lock.waiting");   /* that is over */
    event = ev("hold.opened", step->path);
    json_object_set_new(event, "title", json_string(step->title));
    json_object_set_new(event, "until", json_integer((json_int_t)answer->until_ms));
    json_object_set_new(event, "why", json_string(answer->text));
    if (answer->rules)
        json_object_set(event, "rules", answer->rules);
    if (!step->past)
        step->past = json_object();
    json_object_set(step->past, "hold.opened", event);
    if (run_journal(step->run, event, FT_COMMIT, step_parks, step, &err) < 0)
        run_broken(step->run, &err);
}

/* ---- asking */

static enum check do_as_said(struct step_run *step, const struct ft_write_facts *facts, const struct ft_guard_answer *answer)
{
    switch (answer->verdict) {
    case FT_GUARD_GO:
        passed(step, answer);
        return step->run->state == RUN_ENDED ? CHECK_FAILED : CHECK_GO;
    case FT_GUARD_APPROVE:
        return gate_for_policy(step, facts, answer);
    case FT_GUARD_WAIT:
        hold(step, answer);
        return CHECK_WAITS;
    case FT_GUARD_STOP:
        break;
    }
    step_fail(step, answer->class ? answer->class : FT_REFUSED, answer->text);
    return CHECK_FAILED;
}

enum check policy_check(struct step_run *step)
{
    struct ft_guard *guard = step->run->engine->o.guard;
    struct ft_write_facts facts;
    struct ft_guard_answer answer;
    struct ft_err err = { 0 };
    enum check check;
    json_t *targets, *approvals;
    int r;

    if (step->run->closing) {
        step_fail(step, FT_REFUSED, step->run->closing);
        return CHECK_FAILED;
    }
    if (!guard)
        return CHECK_GO;
    people_read(step->run->engine);
    fill(step, &facts);
    targets = ft_targets(step->params);
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
    check = do_as_said(step, &facts, &answer);
    json_decref(approvals);
    ft_guard_answer_done(&answer);
    return check;
}
