/* gate.c: waiting for people's approval: an `approve:` step, or a write that a policy holds. What a gate is and who may answer: guard/approval.h.
 *
 *   plan what is ahead ──► opened (with its digest) ──► votes, taken from the store ──► enough: plan again ──► the same: answered, go on
 *                             ▲                                  └─ rejected, withdrawn, too late: answered ──► the write never runs
 *                             └─────────── something else would be done: voided, asked again ◄──┘
 *
 * Behind it each write is compared with the approved plan once more, right before it is sent (apply.c).
 * All of it follows from the run's events (run->gates): a run that was killed in between takes, counts and decides again. */
#include "run/gate_parts.h"
#include "run/plan.h"


static bool decide(struct step_run *step);

json_t *gate_of(const struct step_run *step)
{
    return ft_gate_at(step->run->gates, step->path);
}

bool gate_waits(const struct step_run *step)
{
    const json_t *gate = gate_of(step);

    return step->state == STEP_WAITING && gate && ft_gate_is_open(gate);
}

json_t *gate_question(const struct step_run *step)
{
    json_t *q;

    if (!gate_waits(step))
        return NULL;
    q = json_copy(gate_of(step));
    json_object_del(q, "nonce");
    json_object_set_new(q, "kind", json_string("approve"));
    json_object_set_new(q, "wake", json_integer((json_int_t)ft_gate_next(gate_of(step))));      /* a reminder, the next level, the end */
    json_object_set_new(q, "title", json_string(step->title));
    return q;
}

/* ---- what is approved: the plan of what lies ahead */

static void ahead(struct step_run *step, void (*planned)(struct step_run *step, json_t *plan))
{
    step->state = STEP_CALLING;
    step->ahead = dry_ahead(step, planned);
}

/* The run was stopped while the plan was made: it does not begin to wait now. */
static bool stopped_meanwhile(struct step_run *step)
{
    step->ahead = dry_free(step->ahead);
    if (step->run->state == RUN_GOING)
        return false;
    step->state = STEP_WAITING;
    run_check_idle(step->run);
    return true;
}

/* ---- how it ends */

static json_t *names_of(const json_t *gate)
{
    struct ft_buf buf = FT_BUF_INIT(0);
    json_t *vote, *names;
    size_t i;

    json_array_foreach(json_object_get(gate, "votes"), i, vote)
        if (ft_streq(ft_json_str(vote, "decision"), "approve"))
            ft_buf_addf(&buf, "%s%s", buf.len ? ", " : "", ft_json_str(vote, "by"));
    names = json_string(ft_buf_str(&buf));
    ft_buf_done(&buf);
    return names;
}

void gate_approved(struct step_run *step)
{
    if (step->step->verb == FT_VERB_APPROVE)
        step_done(step, json_pack("{s:b, s:O, s:O, s:b}", "approved", 1, "by", json_object_get(json_object_get(gate_of(step), "answered"), "by"),
                                  "reason", json_object_get(json_object_get(gate_of(step), "answered"), "reason"), "expired", 0));
    else
        write_look_again(step);
}

void gate_not_approved(struct step_run *step)
{
    const json_t *answered = json_object_get(gate_of(step), "answered");
    const char *by = ft_json_str(answered, "by"), *reason = ft_json_str(answered, "reason");
    char *text;

    if (step->step->verb == FT_VERB_APPROVE) {
        step_done(step, json_pack("{s:b, s:O, s:O, s:O}", "approved", 0, "by", json_object_get(answered, "by"), "reason", json_object_get(answered, "reason"),
                                  "expired", json_object_get(answered, "expired")));
        return;
    }
    text = ft_asprintf("not approved%s%s%s%s", by && *by ? " by " : "", by ? by : "", reason && *reason ? ": " : "", reason ? reason : "");
    step_fail(step, FT_DENIED, text);
    free(text);
}

void gate_close(struct step_run *step, bool yes, json_t *by, const char *where, const char *reason, const char *flag)
{
    struct ft_run *run = step->run;
    json_t *event = ev("gate.answered", step->path);

    ft_timer_stop(step->timer);
    step->timer = NULL;
    json_object_set_new(event, "approved", json_boolean(yes));
    json_object_set_new(event, "by", by);
    json_object_set_new(event, "reason", json_string(reason ? reason : ""));
    json_object_set_new(event, "expired", json_false());
    json_object_set_new(event, "where", json_string(where ? where : ""));
    json_object_set(event, "digest", json_object_get(gate_of(step), "digest"));
    if (flag)
        json_object_set_new(event, flag, json_true());
    if (!json_is_true(json_object_get(gate_of(step), "people")))
        json_object_set_new(event, "nobody_configured", json_true());      /* so the person at the terminal decided */
    run_goes_on(run);
    run_ride(run, event);
    if (run->state == RUN_ENDED)
        return;
    if (yes)
        gate_approved(step);
    else
        gate_not_approved(step);
}

/* ---- opening */

static void broken_noted(struct ft_run *run, const json_t *gate)
{
    const json_t *broken = json_object_get(gate, "broken");
    struct ft_people people = people_now(run->engine);

    ft_answer_note(run->engine->o.store, run->id, FT_REVIEWS, broken);
    notice_send(run, gate, "broken", 0, ft_gate_asked(&people, gate, run_now_ms(run)), broken);
}

/* Whoever asked for the run said at its start that the glass is to be broken: where a policy lets them, it is; else they are told once, when the gate opens. */
static void break_at_once(struct step_run *step, bool opened_now)
{
    const json_t *gate = gate_of(step), *asked = step->run->break_glass;
    struct ft_people people = people_now(step->run->engine);
    json_t *row, *event;

    if (!asked || json_object_get(gate, "broken"))
        return;
    row = json_pack("{s:O, s:I, s:{s:O, s:s, s:O, s:s, s:O}}", "gate", json_object_get(gate, "nonce"), "at", (json_int_t)run_now_ms(step->run), "answer",
                    "by", json_object_get(asked, "by"), "decision", "break_glass", "reason", json_object_get(asked, "reason"), "where", "asked for with the run",
                    "digest", json_object_get(gate, "digest"));
    event = ft_gate_take(&people, gate, row);
    json_decref(row);
    bool broken = ft_streq(ft_json_str(event, "type"), "gate.broken");

    if (!broken && !opened_now) {
        json_decref(event);
        return;
    }
    run_ride(step->run, event);
    if (broken && step->run->state != RUN_ENDED)
        broken_noted(step->run, gate);
}

/* Those who may answer are told; once, also over a death in between. */
static void ask(struct step_run *step, bool opened_now)
{
    struct ft_run *run = step->run;
    struct ft_people people = people_now(run->engine);

    break_at_once(step, opened_now);
    if (run->state != RUN_ENDED && !json_object_get(gate_of(step), "broken"))
        notice_send(run, gate_of(step), "opened", 0, ft_gate_asked(&people, gate_of(step), run_now_ms(run)), NULL);
    people_ask(run);
    run_check_idle(run);
}

/* Goes on to wait at a gate that is open. */
void gate_wait(struct step_run *step)
{
    step->state = STEP_WAITING;
    gate_set_timer(step);
    ask(step, false);
}

static void opened(void *arg, int code, const struct ft_err *err)
{
    struct step_run *step = arg;

    if (code < 0)
        run_broken(step->run, err);
    else if (gate_waits(step))
        ask(step, true);
}

static void open_planned(struct step_run *step, json_t *plan)
{
    struct ft_run *run = step->run;
    struct ft_err err = { 0 };

    if (stopped_meanwhile(step)) {
        json_decref(plan);
        return;
    }
    plan_keep(run, plan);
    step->state = STEP_WAITING;
    if (run_journal(run, gate_opened_event(step, plan), FT_COMMIT, opened, step, &err) < 0)
        run_broken(run, &err);
    else
        gate_set_timer(step);
    json_decref(plan);
}

/* requirement: {role, count, within_ms, break_glass} of a playbook, {all: […]} of guard; taken. */
void gate_open(struct step_run *step, json_t *requirement, const char *text)
{
    json_t *all = json_object_get(requirement, "all");
    const char *role = ft_json_str(requirement, "role");
    json_t *by = all ? json_pack("{s:O}", "all", all) : json_pack("{s:s, s:I}", "role", role ? role : "", "count", (json_int_t)ft_json_int(requirement, "count", 1));

    json_decref(step->asking);
    step->asking = json_pack("{s:o, s:o, s:s}", "requirement", requirement, "by", by, "text", text);
    ahead(step, open_planned);
}

/* ---- deciding */

static const json_t *first_vote(const json_t *gate, const char *decision)
{
    json_t *vote;
    size_t i;

    json_array_foreach(json_object_get(gate, "votes"), i, vote)
        if (ft_streq(ft_json_str(vote, "decision"), decision))
            return vote;
    return NULL;
}

static void void_it(struct step_run *step, const json_t *plan, json_t *differs)
{
    json_t *event = ev("gate.voided", step->path), *requirement = json_incref(json_object_get(gate_of(step), "requirement"));
    char *text = ft_strdup(ft_json_str(gate_of(step), "text"));

    json_object_set(event, "approved", json_object_get(gate_of(step), "path"));
    json_object_set(event, "digest", json_object_get(gate_of(step), "digest"));
    json_object_set_new(event, "now_digest", json_string(ft_plan_digest(plan)));
    json_object_set_new(event, "differs", differs);
    ft_timer_stop(step->timer);
    step->timer = NULL;
    run_ride(step->run, event);
    if (step->run->state != RUN_ENDED)
        gate_open(step, requirement ? requirement : json_object(), text);
    else
        json_decref(requirement);
    free(text);
}

/* Enough have approved what they saw. Is it still that? */
static void planned_again(struct step_run *step, json_t *plan)
{
    struct ft_people people = people_now(step->run->engine);
    const json_t *gate = gate_of(step), *broken, *vote;
    json_t *differs;

    if (stopped_meanwhile(step)) {
        json_decref(plan);
        return;
    }
    step->state = STEP_WAITING;
    differs = gate_moved(step, plan);
    broken = json_object_get(gate, "broken");
    vote = broken ? broken : first_vote(gate, "approve");
    if (ft_gate_decide(&people, gate, NULL) != FT_GATE_APPROVED) {
        json_decref(differs);                          /* somebody does not count any more */
        gate_wait(step);
    } else if (differs) {
        void_it(step, plan, differs);
    } else {
        gate_close(step, true, broken ? json_incref(json_object_get(broken, "by")) : names_of(gate), ft_json_str(vote, "where"), ft_json_str(vote, "reason"),
                   broken ? "broken" : NULL);
    }
    json_decref(plan);
}

/* Whether something came of it: then the step may be gone. */
static bool decide(struct step_run *step)
{
    struct ft_people people;
    const json_t *gate = gate_of(step), *why;

    if (!gate_waits(step) || step->run->state != RUN_GOING)
        return false;
    people = people_now(step->run->engine);
    switch (ft_gate_decide(&people, gate, NULL)) {
    case FT_GATE_WAITS:
        return false;
    case FT_GATE_APPROVED:
        run_goes_on(step->run);
        ahead(step, planned_again);
        break;
    case FT_GATE_REJECTED:
        why = first_vote(gate, "reject");
        gate_close(step, false, json_incref(json_object_get(why, "by")), ft_json_str(why, "where"), ft_json_str(why, "reason"), NULL);
        break;
    case FT_GATE_WITHDRAWN:
        why = json_object_get(gate, "cancelled");
        gate_close(step, false, json_incref(json_object_get(why, "by")), ft_json_str(why, "where"), ft_json_str(why, "reason"), "withdrawn");
        break;
    }
    return true;
}

void gates_decide(struct ft_run *run)
{
    struct ft_list *pos, *tmp;
    bool again;

    do {
        again = false;
        ft_list_each(pos, tmp, &run->steps) {
            again = decide(ft_container(pos, struct step_run, in_run));
            if (again)
                break;
        }
    } while (again && run->state == RUN_GOING);
    run_check_idle(run);
}

/* ---- answers */

static json_t *gate_with(const struct ft_run *run, const char *nonce)
{
    json_t *gate;
    size_t i;

    json_array_foreach(run->gates, i, gate)
        if (ft_streq(ft_json_str(gate, "nonce"), nonce))
            return gate;
    return NULL;
}

static bool journalled(const json_t *gate, const json_t *row)
{
    json_t *done;
    size_t i;

    json_array_foreach(json_object_get(gate, "answers"), i, done)
        if (json_equal(done, json_object_get(row, "row")))
            return true;
    return false;
}

/* Journalled with its number, and only then marked: whatever dies in between, it counts once. */
void gate_take_row(struct ft_run *run, const json_t *row)
{
    json_t *gate = gate_with(run, ft_json_str(row, "gate"));

    if (gate && !journalled(gate, row)) {
        struct ft_people people = people_now(run->engine);
        json_t *event = ft_gate_take(&people, gate, row);
        bool broken = ft_streq(ft_json_str(event, "type"), "gate.broken");

        run_ride(run, event);
        if (broken && run->state != RUN_ENDED)
            broken_noted(run, gate);
    }
    if (run->state == RUN_ENDED)
        return;                       /* its journal may not have been written: whoever goes on with the run takes the row */
    ft_answer_taken(run->engine->o.store, run->id, (uint64_t)ft_json_int(row, "row", 0));
}

/* Given in this very process: at the terminal, where no people are configured. */
int gate_answer(struct step_run *step, const json_t *answer, const char *who, const char *where, struct ft_err *reterr)
{
    const json_t *gate = gate_of(step), *yes = json_object_get(answer, "approved");
    const char *reason = ft_json_str(answer, "reason");
    struct ft_people people = people_now(step->run->engine);
    json_t *row, *event;
    int r = 0;

    if (!json_is_boolean(yes))
        return ft_err_set(reterr, -EINVAL, "answer with {\"approved\": true} or {\"approved\": false}");
    row = json_pack("{s:O, s:I, s:{s:s, s:s, s:s, s:s, s:O}}", "gate", json_object_get(gate, "nonce"), "at", (json_int_t)run_now_ms(step->run), "answer", "by", who,
                    "decision", json_is_true(yes) ? "approve" : "reject", "reason", reason ? reason : "", "where", where, "digest", json_object_get(gate, "digest"));
    event = ft_gate_take(&people, gate, row);
    json_decref(row);
    if (ft_streq(ft_json_str(event, "type"), "gate.refused")) {
        r = ft_err_class(reterr, FT_DENIED, -EPERM, "%s", ft_json_str(event, "why"));
        json_decref(event);
        return r;
    }
    run_ride(step->run, event);
    if (step->run->state != RUN_ENDED)
        decide(step);
    return 0;
}
