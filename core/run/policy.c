/* policy.c: asks guard whether a write may start now, and does what it says. */
#include "run/internal.h"

static void fill(const struct step_run *step, struct ft_write_facts *facts)
{
    const struct ft_run *run = step->run;

    *facts = (struct ft_write_facts){
        .run_id = run->id, .path = step->path, .requester = run->requester, .playbook = ft_playbook_name(run->playbook),
        .category = ft_playbook_category(run->playbook), .severity = ft_playbook_severity(run->playbook), .change = run->change, .action = step->step->call.name,
        .effect = (step->step->call.effects & FT_EFFECT_MASK) == FT_EFFECT_DISRUPTIVE ? "disruptive" : "write", .site = ft_target_site(step->params),
        .params = step->params, .plan = step->plan, .need_ms = write_need_ms(step), .attempt = step->attempt, .writes_done = run->writes - run_has_counted(run, step->path),
        .requested_ms = run->requested_ms,
    };
}

/* How it would be taken back, where another action does that. *ret_undo keeps what the facts borrow. */
static int fill_undo(struct step_run *step, const struct ft_write_facts *facts, struct ft_write_facts *undo, json_t **ret_kept, struct ft_err *reterr)
{
    const struct ft_call_spec *call = &step->step->undo_call;
    json_t *entry = json_object();
    const json_t *params;
    int r;

    *ret_kept = NULL;
    if (step->step->undo != FT_UNDO_CALL || ft_streq(call->name, facts->action)) {
        json_decref(entry);
        return 0;
    }
    r = write_undo(step, entry, reterr);
    *ret_kept = entry;
    if (r < 0)
        return r;
    params = json_object_get(json_object_get(entry, "undo"), "params");
    json_object_set_new(entry, "targets", ft_targets(params));
    *undo = *facts;
    undo->action = call->name;
    undo->effect = (call->effects & FT_EFFECT_MASK) == FT_EFFECT_DISRUPTIVE ? "disruptive" : "write";
    undo->site = ft_target_site(params) ? ft_target_site(params) : facts->site;
    undo->targets = json_array_size(json_object_get(entry, "targets")) ? json_object_get(entry, "targets") : facts->targets;
    undo->params = params;
    undo->plan = NULL;
    return 1;
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

static void hold_ends(void *arg)
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

/* Timers go by the machine's running time; the clock on the wall says whether it is time. */
static void over(void *arg)
{
    struct step_run *step = arg;
    uint64_t left = run_sleep_ms(step->run, (uint64_t)ft_json_int(past_event(step, "hold.opened"), "until", 0));

    if (left)
        step->timer = ft_timer_start_weak(step->run->engine->o.loop, left, over, step);
    else
        hold_ends(step);
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
        step->timer = ft_timer_start_weak(run->engine->o.loop, 0, hold_ends, step);
    }
}

static void hold(struct step_run *step, const struct ft_guard_answer *answer)
{
    const json_t *before = past_event(step, "hold.opened");
    bool same = before && (uint64_t)ft_json_int(before, "until", 0) == answer->until_ms && ft_streq(ft_json_str(before, "why"), answer->text);
    struct ft_err err = { 0 };
    json_t *event;

    step->state = STEP_WAITING;
    if (json_array_size(step->run->gates))
        people_ask(step->run);                     /* an approval may be taken back meanwhile */
    step->timer = ft_timer_start_weak(step->run->engine->o.loop, ft_max(run_sleep_ms(step->run, answer->until_ms), (uint64_t)1), over, step);
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
    struct ft_write_facts facts, undo;
    struct ft_guard_answer answer;
    struct ft_err err = { 0 };
    enum check check;
    json_t *targets, *approvals, *kept;
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
    r = fill_undo(step, &facts, &undo, &kept, &err);
    if (r > 0)
        facts.undo = &undo;
    if (r >= 0)
        r = ft_guard_write(guard, &facts, &answer, &err);
    json_decref(kept);
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

/* ---- what the playbook says that it only reads */

bool ft_run_declared_read(const struct ft_call_spec *call)
{
    return call->action && (call->action->action->effects & FT_EFFECT_MASK) == FT_EFFECT_UNKNOWN && (call->effects & FT_EFFECT_MASK) == FT_EFFECT_READ;
}

static int look_at_read(const struct ft_run *run, const struct ft_step *step, const struct ft_call_spec *call, struct ft_err *reterr)
{
    const struct ft_write_facts facts = { .path = step->id, .playbook = ft_playbook_name(run->playbook), .category = ft_playbook_category(run->playbook),
                                          .severity = ft_playbook_severity(run->playbook), .change = run->change, .action = call->name };

    if (!ft_run_declared_read(call))
        return 0;
    return ft_guard_declared_read(run->engine->o.guard, &facts, reterr);
}

static int look_at_steps(const struct ft_run *run, const struct ft_list_of_steps *list, struct ft_err *reterr)
{
    int r = 0;

    for (size_t i = 0; i < list->count && r == 0; i++) {
        const struct ft_step *step = &list->steps[i];

        if (step->verb == FT_VERB_RUN)
            r = look_at_read(run, step, &step->call, reterr);
        if (r == 0 && step->verify)
            r = look_at_read(run, step, &step->verify->call, reterr);
        if (r == 0)
            r = look_at_steps(run, step->verb == FT_VERB_CALL && step->callee ? ft_playbook_steps(step->callee) : &step->inner, reterr);
    }
    return r;
}

int policy_reads(const struct ft_run *run, struct ft_err *reterr)
{
    return run->engine->o.guard ? look_at_steps(run, ft_playbook_steps(run->playbook), reterr) : 0;
}
