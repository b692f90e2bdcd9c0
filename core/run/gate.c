/* gate.c: waiting for people's approval: an `approve:` step, or a write that a policy holds. What a gate is and who may answer: guard/approval.h.
 *
 *   plan what is ahead ──► opened (with its digest) ──► votes, taken from the store ──► enough: plan again ──► the same: answered, go on
 *                             ▲                                  └─ rejected, withdrawn, too late: answered ──► the write never runs
 *                             └─────────── something else would be done: voided, asked again ◄──┘
 *
 * Behind it each write is compared with the approved plan once more, right before it is sent (apply.c).
 * All of it follows from the run's events (run->gates): a run that was killed in between takes, counts and decides again. */
#include "base/digest.h"
#include "run/internal.h"
#include "run/plan.h"

enum { NONCE_HEX = 32, LOOK_MS = 60000 };
#define DAY_MS (24ll * 3600 * 1000)

static bool decide(struct step_run *step);

static json_t *gate_of(const struct step_run *step)
{
    return ft_gate_at(step->run->gates, step->path);
}

static bool waits(const struct step_run *step)
{
    const json_t *gate = gate_of(step);

    return step->state == STEP_WAITING && gate && ft_gate_is_open(gate);
}

json_t *gate_question(const struct step_run *step)
{
    json_t *q;

    if (!waits(step))
        return NULL;
    q = json_copy(gate_of(step));
    json_object_del(q, "nonce");
    json_object_set_new(q, "kind", json_string("approve"));
    json_object_set_new(q, "wake", json_integer((json_int_t)ft_gate_next(gate_of(step))));      /* a reminder, the next level, the end */
    json_object_set_new(q, "title", json_string(step->step->title));
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

static void approved(struct step_run *step)
{
    if (step->step->verb == FT_VERB_APPROVE)
        step_done(step, json_pack("{s:b, s:O, s:O, s:b}", "approved", 1, "by", json_object_get(json_object_get(gate_of(step), "answered"), "by"),
                                  "reason", json_object_get(json_object_get(gate_of(step), "answered"), "reason"), "expired", 0));
    else
        write_look_again(step);
}

static void not_approved(struct step_run *step)
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

static void close_gate(struct step_run *step, bool yes, json_t *by, const char *where, const char *reason, const char *flag)
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
        approved(step);
    else
        not_approved(step);
}

/* ---- time: reminders, the next level, the end */

static struct step_run *step_at(struct ft_run *run, const char *path)
{
    struct ft_list *pos, *tmp;

    ft_list_each(pos, tmp, &run->steps) {
        struct step_run *step = ft_container(pos, struct step_run, in_run);

        if (ft_streq(step->path, path))
            return step;
    }
    return NULL;
}

/* What was answered in the last moment counts: it is fetched before the door closes. */
static void time_is_over(struct step_run *step)
{
    struct ft_run *run = step->run;
    char *path = ft_strdup(step->path);

    people_look(run);
    step = run->state == RUN_GOING ? step_at(run, path) : NULL;
    if (step && waits(step))
        close_gate(step, false, json_string(""), "", "nobody answered in time", "expired");
    free(path);
}

static void remind(struct step_run *step, uint64_t now)
{
    const json_t *gate = gate_of(step);
    struct ft_people people = people_now(step->run->engine);
    int n = (int)((now - (uint64_t)ft_json_int(gate, "opened", 0)) / (uint64_t)ft_json_int(gate, "remind_ms", 1));
    json_t *event = ev("gate.reminded", step->path), *to = ft_gate_asked(&people, gate, now);

    json_object_set_new(event, "n", json_integer(n));
    json_object_set(event, "to", to);
    run_ride(step->run, event);
    notice_send(step->run, gate, "reminded", n, to, NULL);
}

static void escalate(struct step_run *step, const json_t *level)
{
    struct ft_people people = people_now(step->run->engine);
    const char *role = ft_json_str(level, "role");
    json_t *event = ev("gate.escalated", step->path), *to = ft_people_with(&people, role ? role : "");

    json_object_set(event, "level", json_object_get(level, "level"));
    json_object_set(event, "role", json_object_get(level, "role"));
    json_object_set(event, "to", to);
    run_ride(step->run, event);
    notice_send(step->run, gate_of(step), "escalated", (int)ft_json_int(level, "level", 0), to, NULL);
}

static void set_timer(struct step_run *step);

static void due(void *arg)
{
    struct step_run *step = arg;
    const json_t *gate = gate_of(step), *level;
    uint64_t now = run_now_ms(step->run), every;

    step->timer = NULL;
    if (!waits(step) || step->run->state != RUN_GOING)
        return;
    if (now >= (uint64_t)ft_json_int(gate, "until", 0)) {
        time_is_over(step);
        return;
    }
    every = (uint64_t)ft_json_int(gate, "remind_ms", 0);
    level = json_array_get(json_object_get(gate, "escalate"), (size_t)ft_json_int(gate, "escalated", 0));
    if (level && now >= (uint64_t)ft_json_int(level, "at", 0))
        escalate(step, level);
    else if (every && now >= (uint64_t)ft_json_int(gate, "opened", 0) + ((uint64_t)ft_json_int(gate, "reminded", 0) + 1) * every)
        remind(step, now);
    if (step->run->state != RUN_ENDED)
        set_timer(step);
}

static void set_timer(struct step_run *step)
{
    uint64_t next = ft_gate_next(gate_of(step)), now = run_now_ms(step->run);

    uint64_t left = next > now ? next - now : 0;

    ft_timer_stop(step->timer);
    /* Looked at now and then, too: the clock on the wall may have been set. */
    step->timer = ft_timer_start_weak(step->run->engine->o.loop, left < LOOK_MS ? left : LOOK_MS, due, step);
}

/* ---- opening */

static void broken_noted(struct ft_run *run, const json_t *gate)
{
    const json_t *broken = json_object_get(gate, "broken");
    struct ft_people people = people_now(run->engine);

    ft_answer_note(run->engine->o.store, run->id, FT_REVIEWS, broken);
    notice_send(run, gate, "broken", 0, ft_gate_asked(&people, gate, run_now_ms(run)), broken);
}

/* Whoever asked for the run said at its start that the glass is to be broken: where a policy lets them, it is. */
static void break_at_once(struct step_run *step)
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
    if (!ft_streq(ft_json_str(event, "type"), "gate.broken")) {
        json_decref(event);
        return;
    }
    run_ride(step->run, event);
    if (step->run->state != RUN_ENDED)
        broken_noted(step->run, gate);
}

/* Those who may answer are told; once, also over a death in between. */
static void ask(struct step_run *step)
{
    struct ft_run *run = step->run;
    struct ft_people people = people_now(run->engine);

    break_at_once(step);
    if (run->state != RUN_ENDED && !json_object_get(gate_of(step), "broken"))
        notice_send(run, gate_of(step), "opened", 0, ft_gate_asked(&people, gate_of(step), run_now_ms(run)), NULL);
    people_ask(run);
    run_check_idle(run);
}

/* Goes on to wait at a gate that is open. */
static void wait_on(struct step_run *step)
{
    step->state = STEP_WAITING;
    set_timer(step);
    ask(step);
}

static void opened(void *arg, int code, const struct ft_err *err)
{
    struct step_run *step = arg;

    if (code < 0)
        run_broken(step->run, err);
    else if (waits(step))
        ask(step);
}

/* The shortest that any of the requirements says; `otherwise` where none does. */
static uint64_t shortest(const json_t *requirement, const char *key, uint64_t otherwise)
{
    uint64_t least = (uint64_t)ft_json_int(requirement, key, 0);
    json_t *one;
    size_t i;

    json_array_foreach(json_object_get(requirement, "all"), i, one) {
        uint64_t ms = (uint64_t)ft_json_int(one, key, 0);

        least = ms && (!least || ms < least) ? ms : least;
    }
    return least ? least : otherwise;
}

static json_t *escalations(const json_t *requirement, uint64_t now)
{
    json_t *steps = json_array(), *one, *step;
    size_t i, k, at;

    json_array_foreach(json_object_get(requirement, "all"), i, one) {
        json_array_foreach(json_object_get(one, "escalate"), k, step) {
            json_int_t due = (json_int_t)(now + (uint64_t)ft_json_int(step, "after_ms", 0));

            for (at = 0; at < json_array_size(steps) && ft_json_int(json_array_get(steps, at), "at", 0) <= due; at++)
                ;
            json_array_insert_new(steps, at, json_pack("{s:I, s:O}", "at", due, "role", json_object_get(step, "role")));
        }
    }
    json_array_foreach(steps, i, step)
        json_object_set_new(step, "level", json_integer((json_int_t)i + 2));
    return steps;
}

static void add_times(const struct step_run *step, const struct ft_people *people, const json_t *requirement, uint64_t now, json_t *event)
{
    json_t *times = ft_gate_times(people->config, ft_playbook_severity(step->run->playbook), now), *own = escalations(requirement, now);

    json_object_set_new(times, "remind_ms", json_integer((json_int_t)shortest(requirement, "remind_ms", (uint64_t)ft_json_int(times, "remind_ms", 0))));
    if (json_array_size(own))
        json_object_set(times, "escalate", own);
    json_object_update(event, times);
    json_decref(own);
    json_decref(times);
}

/* Whose role may break the glass: named in the configuration, else whoever has the role that is asked for. NULL: nobody may. */
static json_t *glass_of(const struct ft_people *people, const json_t *requirement)
{
    json_t *all = json_object_get(requirement, "all"), *named = json_object_get(json_object_get(people->config, "approvals"), "break_glass"), *one;
    size_t i;

    if (!all)
        return json_incref(json_object_get(requirement, "break_glass"));
    json_array_foreach(all, i, one)
        if (!json_is_true(json_object_get(one, "break_glass")))
            return NULL;
    return named ? json_incref(named) : json_pack("{s:O}", "role", json_object_get(json_array_get(all, 0), "role"));
}

static json_t *opened_event(struct step_run *step, const json_t *plan)
{
    struct ft_people people = people_now(step->run->engine);
    json_t *event = ev("gate.opened", step->path), *requirement = json_object_get(step->asking, "requirement"), *glass = glass_of(&people, requirement);
    uint64_t now = run_now_ms(step->run), within = shortest(requirement, "within_ms", DAY_MS);
    char nonce[NONCE_HEX + 1];

    ft_random_hex(NONCE_HEX, nonce);
    json_object_set_new(event, "title", json_string(step->step->title));
    json_object_set(event, "text", json_object_get(step->asking, "text"));
    json_object_set(event, "by", json_object_get(step->asking, "by"));
    json_object_set(event, "requirement", requirement);              /* what a gate in its place asks for, should it be void */
    json_object_set_new(event, "people", json_boolean(ft_people_configured(&people)));
    json_object_set_new(event, "opened", json_integer((json_int_t)now));
    json_object_set_new(event, "until", json_integer((json_int_t)(now + within)));
    json_object_set_new(event, "digest", json_string(ft_plan_digest(plan)));
    json_object_set_new(event, "writes", json_integer((json_int_t)ft_plan_writes(plan)));
    json_object_set(event, "score", json_object_get(plan, "score"));
    json_object_set_new(event, "nonce", json_string(nonce));
    json_object_set_new(event, "requester", json_string(step->run->requester));
    if (ft_people_configured(&people)) {
        json_object_set_new(event, "asked", ft_gate_asked(&people, event, now));
        add_times(step, &people, requirement, now, event);
    }
    if (glass)
        json_object_set_new(event, "break_glass", glass);
    if (step->is_write) {
        json_object_set_new(event, "action", json_string(step->step->call.name));
        json_object_set(event, "with", step->params);
        if (step->plan)
            json_object_set(event, "plan", step->plan);
    }
    return event;
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
    if (run_journal(run, opened_event(step, plan), FT_COMMIT, opened, step, &err) < 0)
        run_broken(run, &err);
    else
        set_timer(step);
    json_decref(plan);
}

/* requirement: {role, count, within_ms, break_glass} of a playbook, {all: […]} of guard; taken. */
static void open_gate(struct step_run *step, json_t *requirement, const char *text)
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

/* What a write does, without what is only shown, and without a state that moves by itself. */
static json_t *writes_of(const json_t *plan)
{
    static const char *const keys[] = { "path", "action", "params", "requests", "changes", "before", "undo", "nothing_to_do" };
    json_t *all = json_array(), *w;
    size_t i, k;

    json_array_foreach(json_object_get(plan, "writes"), i, w) {
        bool moves = json_is_true(json_object_get(w, "moves")) || json_object_get(w, "stand_in");
        json_t *one = json_object();

        for (k = 0; k < ARRAY_LEN(keys); k++)
            if (json_object_get(w, keys[k]) && !(moves && ft_streq(keys[k], "before")))
                json_object_set(one, keys[k], json_object_get(w, keys[k]));
        json_array_append_new(all, one);
    }
    return all;
}

/* [{path, planned, now}] between what people saw and what would be done now; NULL: the same. What cannot be known just now is compared when it is
 * sent: a device that does not answer for a moment makes no approval void. */
static json_t *moved(struct step_run *step, const json_t *now)
{
    const char *digest = ft_json_str(gate_of(step), "digest");
    json_t *was_writes, *now_writes, *differs = json_array(), *diff, *one;
    const json_t *was = NULL;
    struct ft_err err = { 0 };
    size_t i;

    if (ft_streq(digest, ft_plan_digest(now)))
        return json_decref(differs), NULL;
    if (plan_get(step->run, digest, &was, &err) < 0) {
        json_array_append_new(differs, json_pack("{s:s, s:s}", "path", "plan", "now", err.text));
        return differs;
    }
    was_writes = writes_of(was);
    now_writes = writes_of(now);
    if (ft_json_int(json_object_get(now, "score"), "undetermined", 0) <= ft_json_int(json_object_get(was, "score"), "undetermined", 0)) {
        diff = ft_json_diff(was_writes, now_writes);
        json_array_foreach(diff, i, one)
            json_array_append_new(differs, json_pack("{s:o, s:O*, s:O*}", "path", json_sprintf("writes.%s", ft_json_str(one, "path")), "planned", json_object_get(one, "from"),
                                                     "now", json_object_get(one, "to")));
        json_decref(diff);
    }
    if (!ft_json_equal(json_object_get(was, "plugins"), json_object_get(now, "plugins")))
        json_array_append_new(differs, json_pack("{s:s, s:O, s:O}", "path", "plugins", "planned", json_object_get(was, "plugins"), "now", json_object_get(now, "plugins")));
    json_decref(was_writes);
    json_decref(now_writes);
    if (json_array_size(differs))
        return differs;
    json_decref(differs);
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
        open_gate(step, requirement ? requirement : json_object(), text);
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
    differs = moved(step, plan);
    broken = json_object_get(gate, "broken");
    vote = broken ? broken : first_vote(gate, "approve");
    if (ft_gate_decide(&people, gate, NULL) != FT_GATE_APPROVED) {
        json_decref(differs);                          /* somebody does not count any more */
        wait_on(step);
    } else if (differs) {
        void_it(step, plan, differs);
    } else {
        close_gate(step, true, broken ? json_incref(json_object_get(broken, "by")) : names_of(gate), ft_json_str(vote, "where"), ft_json_str(vote, "reason"),
                   broken ? "broken" : NULL);
    }
    json_decref(plan);
}

/* Whether something came of it: then the step may be gone. */
static bool decide(struct step_run *step)
{
    struct ft_people people;
    const json_t *gate = gate_of(step), *why;

    if (!waits(step) || step->run->state != RUN_GOING)
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
        close_gate(step, false, json_incref(json_object_get(why, "by")), ft_json_str(why, "where"), ft_json_str(why, "reason"), NULL);
        break;
    case FT_GATE_WITHDRAWN:
        why = json_object_get(gate, "cancelled");
        close_gate(step, false, json_incref(json_object_get(why, "by")), ft_json_str(why, "where"), ft_json_str(why, "reason"), "withdrawn");
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
    ft_answer_taken(run->engine->o.store, (uint64_t)ft_json_int(row, "row", 0));
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

bool gate_waits(const struct step_run *step)
{
    return waits(step);
}

/* ---- the two kinds of gates */

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
    open_gate(step, requirement, words);
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
        wait_on(step);
    else if (gate && ft_streq(ft_json_str(gate, "state"), "approved"))
        approved(step);
    else if (gate && !ft_streq(ft_json_str(gate, "state"), "void"))
        not_approved(step);
    else
        open_approve(step);
}

/* What the events say of a write that is about to be checked: it waits for people, they refused it, or what they approved is void and was not asked
 * again yet. Else it may be that nobody was asked: then apply.c and guard say whether anybody must be. */
enum check gate_check(struct step_run *step)
{
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
        wait_on(step);
        json_decref(approval);
        return CHECK_WAITS;
    }
    if (gate && !ft_streq(state, "approved") && !ft_streq(state, "void")) {
        not_approved(step);
        json_decref(approval);
        return CHECK_FAILED;
    }
    text = ft_asprintf("%s%s%s", summary ? summary : step->step->title, said ? ": " : "", said ? said : ": what was approved is not what would be done now");
    open_gate(step, approval ? approval : json_object(), text);
    free(text);
    return CHECK_WAITS;
}

/* Only what is not met yet is asked for. */
enum check gate_for_policy(struct step_run *step, const struct ft_write_facts *facts, const struct ft_guard_answer *answer)
{
    struct ft_people people = people_now(step->run->engine);
    json_t *all = json_array(), *one;
    size_t i;

    if (!ft_people_configured(&people)) {
        char *text = ft_asprintf("%s; the configuration names nobody who could (`people`, `roles`)", answer->text);

        json_decref(all);
        step_fail(step, FT_DENIED, text);
        free(text);
        return CHECK_FAILED;
    }
    json_array_foreach(json_object_get(answer->approval, "all"), i, one)
        if (!ft_guard_met(one, facts->approvals, facts->requester, facts->break_glass))
            json_array_append(all, one);
    return gate_for_write(step, json_pack("{s:o, s:s}", "all", all, "text", answer->text));
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
