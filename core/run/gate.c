/* gate.c: waiting for people's approval: an `approve:` step, or a write that a policy holds. What a gate is and who may answer: guard/approval.h.
 *
 *   opened (digest of what is approved) ──► votes, taken from the store ──► enough? plan again ──► the same: answered, go on
 *                                                   └─ rejected, withdrawn, too late: answered ──► the write never runs
 *                                                                       another digest: void, and asked again
 *
 * All of it follows from the run's events (run->gates): a run that was killed in between takes, counts and decides again. */
#include "base/digest.h"
#include "run/internal.h"

enum { NONCE_HEX = 32 };

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
    json_object_set_new(q, "title", json_string(step->step->title));
    return q;
}

/* ---- what is approved */

/* The playbook alone, until the plan of what is ahead takes its place. */
static void digest_of(const struct step_run *step, char ret[65])
{
    snprintf(ret, 65, "%s", ft_playbook_digest(step->run->playbook));
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

static void expired(void *arg)
{
    struct step_run *step = arg;

    step->timer = NULL;
    if (waits(step))
        close_gate(step, false, json_string(""), "", "nobody answered in time", "expired");
}

/* ---- opening */

static void opened(void *arg, int code, const struct ft_err *err)
{
    struct step_run *step = arg;

    if (code < 0)
        run_broken(step->run, err);
    else
        run_check_idle(step->run);
}

static void set_timer(struct step_run *step)
{
    uint64_t until = (uint64_t)ft_json_int(gate_of(step), "until", 0), now = run_now_ms(step->run);

    ft_timer_stop(step->timer);
    step->timer = ft_timer_start_weak(step->run->engine->o.loop, until > now ? until - now : 0, expired, step);
}

/* Goes on to wait at a gate that is open. What was answered in the meantime is taken first, so that it counts although its time is over now. */
static void wait_on(struct step_run *step)
{
    step->state = STEP_WAITING;
    people_ask(step->run);
    set_timer(step);
    run_check_idle(step->run);
}

static void open_gate(struct step_run *step, json_t *by, const char *text, uint64_t within_ms, json_t *more)
{
    struct ft_run *run = step->run;
    struct ft_people people = people_now(run->engine);
    json_t *event = ev("gate.opened", step->path);
    struct ft_err err = { 0 };
    char digest[65], nonce[NONCE_HEX + 1];
    uint64_t now = run_now_ms(run);

    digest_of(step, digest);
    ft_random_hex(NONCE_HEX, nonce);
    json_object_set_new(event, "title", json_string(step->step->title));
    json_object_set_new(event, "text", json_string(text));
    json_object_set_new(event, "by", by);
    json_object_set_new(event, "people", json_boolean(ft_people_configured(&people)));
    json_object_set_new(event, "opened", json_integer((json_int_t)now));
    json_object_set_new(event, "until", json_integer((json_int_t)(now + within_ms)));
    json_object_set_new(event, "digest", json_string(digest));
    json_object_set_new(event, "nonce", json_string(nonce));
    if (step->plan && step->is_write)
        json_object_set(event, "plan", step->plan);
    if (more)
        json_object_update(event, more);
    json_decref(more);
    step->state = STEP_WAITING;
    if (run_journal(run, event, FT_COMMIT, opened, step, &err) < 0) {
        run_broken(run, &err);
        return;
    }
    wait_on(step);
}

static void make_void(struct step_run *step, const char *digest)
{
    json_t *event = ev("gate.void", step->path);

    json_object_set(event, "was", json_object_get(gate_of(step), "digest"));
    json_object_set_new(event, "digest", json_string(digest));
    json_object_set_new(event, "why", json_string("what would be done is not what people saw any more"));
    run_ride(step->run, event);
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

static void open_approve(struct step_run *step);

static void enough(struct step_run *step)
{
    const json_t *gate = gate_of(step), *broken = json_object_get(gate, "broken"), *vote = broken ? broken : first_vote(gate, "approve");
    char digest[65];

    digest_of(step, digest);
    if (!ft_streq(digest, ft_json_str(gate, "digest"))) {
        make_void(step, digest);
        if (step->run->state != RUN_ENDED)
            open_approve(step);
        return;
    }
    close_gate(step, true, broken ? json_incref(json_object_get(broken, "by")) : names_of(gate), ft_json_str(vote, "where"), ft_json_str(vote, "reason"),
               broken ? "broken" : NULL);
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
        enough(step);
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
            ft_answer_note(run->engine->o.store, run->id, FT_REVIEWS, json_object_get(gate, "broken"));
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
    json_t *by = json_pack("{s:s, s:i}", "role", step->step->by_role ? step->step->by_role : "", "count", (int)(step->step->by_count ? step->step->by_count : 1));
    uint64_t within = step->step->within_ms ? step->step->within_ms : 24ull * 3600 * 1000;
    struct ft_err err = { 0 };
    json_t *text = NULL;
    char *words;

    if (step_fill(step, step->step->text, NULL, &text, &err) < 0) {
        json_decref(by);
        step_fail(step, FT_INVALID, err.text);
        return;
    }
    words = json_is_string(text) ? ft_strdup(json_string_value(text)) : ft_json_brief(text, 400);
    json_decref(text);
    open_gate(step, by, words, within, NULL);
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

static json_t *by_of(const json_t *approval)
{
    const char *role = ft_json_str(approval, "role");

    if (json_object_get(approval, "all"))
        return json_pack("{s:O}", "all", json_object_get(approval, "all"));
    return json_pack("{s:s, s:I}", "role", role ? role : "", "count", (json_int_t)ft_json_int(approval, "count", 1));
}

static void open_for_write(struct step_run *step, const json_t *approval)
{
    const char *said = ft_json_str(approval, "text"), *summary = ft_json_str(step->plan, "summary");
    uint64_t within = (uint64_t)ft_json_int(approval, "within_ms", 24ll * 3600 * 1000);
    char *text = ft_asprintf("%s%s%s", said ? said : "a policy wants this approved", said || summary ? ": " : "", summary ? summary : step->step->title);
    json_t *more = json_object();

    if (json_object_get(approval, "break_glass"))
        json_object_set(more, "break_glass", json_object_get(approval, "break_glass"));
    if (json_object_get(approval, "policy"))
        json_object_set(more, "policy", json_object_get(approval, "policy"));
    json_object_set_new(more, "action", json_string(step->step->call.name));
    json_object_set(more, "with", step->params);
    open_gate(step, by_of(approval), text, within, more);
    free(text);
}

/* guard is not content with what was approved so far. One that was refused, or that nobody answered in time, is never asked a second time. */
enum check gate_for_write(struct step_run *step, json_t *approval)
{
    const json_t *gate = gate_of(step);
    char digest[65];
    bool same;

    digest_of(step, digest);
    same = gate && ft_streq(ft_json_str(gate, "digest"), digest);
    if (gate && ft_gate_is_open(gate) && same) {
        wait_on(step);
    } else if (gate && !ft_gate_is_open(gate) && !ft_streq(ft_json_str(gate, "state"), "approved") && !ft_streq(ft_json_str(gate, "state"), "void")) {
        not_approved(step);
        json_decref(approval);
        return CHECK_FAILED;
    } else {
        if (gate && !same && !ft_streq(ft_json_str(gate, "state"), "void"))
            make_void(step, digest);
        if (step->run->state != RUN_ENDED)
            open_for_write(step, approval);
    }
    json_decref(approval);
    return CHECK_WAITS;
}

/* What was approved of this write, as it is now. */
json_t *gate_approvals(const struct step_run *step)
{
    const json_t *gate = gate_of(step);
    struct ft_people people;
    char digest[65];
    json_t *votes, *vote;
    size_t i;

    digest_of(step, digest);
    if (!gate || !ft_streq(ft_json_str(gate, "state"), "approved") || !ft_streq(ft_json_str(gate, "digest"), digest))
        return json_array();
    people = people_now(step->run->engine);
    votes = ft_gate_votes(&people, gate);
    json_array_foreach(votes, i, vote)
        json_object_set_new(vote, "digest", json_string(digest));
    return votes;
}

const json_t *gate_broken(const struct step_run *step)
{
    const json_t *gate = gate_of(step);
    char digest[65];

    digest_of(step, digest);
    return gate && ft_streq(ft_json_str(gate, "digest"), digest) ? json_object_get(gate, "broken") : NULL;
}
