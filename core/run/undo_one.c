/* undo_one.c: one write is taken back.
 *
 *   look: is it still what was written? ──► [plan of the undo's call] ──► intend (durable) ──► call ──► done
 *     │ it is as it was before: done            nothing to do: done           ├─ failed: later again, from the look on
 *     │ it is something else: the three-way difference, and a person          └─ too often: an incident; the locks stay
 *     └ cannot be known, and an undo may be out already: probe ──► safe to repeat ──► a person
 */
#include "run/internal.h"

struct undo_run {
    struct ft_run *run;
    json_t *item;                      /* owns one reference */
    struct step_run *step;             /* the failed step whose write alone is taken back; NULL: a whole rollback */
    void (*over)(struct step_run *step, bool undone);
    struct ft_call *call;
    struct ft_timer *timer;
    unsigned attempt;
    enum undo_state state;
    json_t *now;                       /* what the look saw; NULL: not known */
    json_t *plan;                      /* of the undo's call */
    bool stuck;                        /* waits for a person */
    bool unseen;                       /* it could be looked at before, and cannot be now */
    bool doubt;                        /* it may have been taken back already: that is the question */
    json_t *differences;               /* somebody changed it: that is the question */
    char *error;
};

enum { LAPSE_SLACK_MS = 30000, UNDO_TRIES = 6, UNDO_WAIT_MS = 5000, UNDO_LONGEST_MS = 120000 };

static void undo_look(void *arg);

static void undo_free(struct undo_run *u)
{
    if (!u)
        return;
    if (u->call)
        ft_call_drop(u->call);
    ft_timer_stop(u->timer);
    ft_store_forget(u->run->engine->o.store, u);
    json_decref(u->item);
    json_decref(u->now);
    json_decref(u->plan);
    json_decref(u->differences);
    free(u->error);
    free(u);
}

void undo_cancel(struct ft_run *run)
{
    undo_free(run->undoing);
    run->undoing = NULL;
}

static const char *item_path(const struct undo_run *u)
{
    return ft_json_str(u->item, "path");
}

static bool is_own(const struct undo_run *u)
{
    return ft_streq(ft_json_str(u->item, "kind"), "auto");
}

static bool maybe_sent(const struct undo_run *u)
{
    return json_is_true(json_object_get(u->item, "sent"));
}

/* A person said so; null where they did not. */
static const json_t *told(const struct undo_run *u, const char *what)
{
    return json_object_get(json_object_get(u->item, "told"), what);
}

/* A change that nobody confirmed: the device takes it back by itself, in so many ms at the latest. 0: it does not, or should have by now. */
static uint64_t lapses_in(const struct undo_run *u)
{
    uint64_t end = (uint64_t)ft_json_int(u->item, "lapses", 0) + LAPSE_SLACK_MS, now = run_now_ms(u->run);

    return json_object_get(u->item, "lapses") && end > now ? end - now : 0;
}

static json_t *undo_event(const struct undo_run *u, const char *type)
{
    json_t *event = ev(type, item_path(u));

    json_object_set(event, "title", json_object_get(u->item, "title"));
    return event;
}

/* ---- its end */

static void undo_over(struct undo_run *u)
{
    struct ft_run *run = u->run;
    struct step_run *step = u->step;
    void (*over)(struct step_run *step, bool undone) = u->over;

    undo_cancel(run);
    if (step)
        over(step, true);
    else
        rollback_go_on(run);
    if (!run->undoing && run->state != RUN_ENDED)
        undo_next_waiting(run);
}

static void over_written(void *arg, int code, const struct ft_err *err)
{
    struct undo_run *u = arg;

    if (code < 0)
        run_broken(u->run, err);
    else
        undo_over(u);
}

static void note_over(struct undo_run *u, json_t *event, const char *by)
{
    struct ft_err err = { 0 };

    if (by)
        json_object_set_new(event, "by", json_string(by));
    if (run_journal(u->run, event, FT_COMMIT, over_written, u, &err) < 0)
        run_broken(u->run, &err);
}

/* already: nothing was sent, because it is as it was. */
static void note_undone(struct undo_run *u, const char *by, bool already)
{
    json_t *event = undo_event(u, "undo.done");

    if (already)
        json_object_set_new(event, "already", json_true());
    note_over(u, event, by);
}

/* ---- a person is needed */

static void stuck_written(void *arg, int code, const struct ft_err *err)
{
    struct undo_run *u = arg;

    if (code < 0)
        run_broken(u->run, err);
    else
        run_check_idle(u->run);
}

static void get_stuck(struct undo_run *u, json_t *event, const char *error)
{
    struct ft_err err = { 0 };
    char *text = ft_strdup(error);

    free(u->error);
    u->error = text;
    u->stuck = true;
    json_object_set_new(event, "error", json_string(text));
    if (run_journal(u->run, event, FT_COMMIT, stuck_written, u, &err) < 0)
        run_broken(u->run, &err);
}

static void undo_gives_up(struct undo_run *u, enum ft_class class, const char *error)
{
    json_t *event = undo_event(u, "undo.failed");

    json_object_set_new(event, "class", json_string(ft_class_name(class)));
    json_object_set_new(event, "attempt", json_integer(u->attempt));
    if (u->doubt)
        json_object_set_new(event, "doubt", json_true());
    if (u->unseen)
        json_object_set_new(event, "unseen", json_true());
    get_stuck(u, event, error);
}

static void undo_in_doubt(struct undo_run *u)
{
    u->doubt = true;
    undo_gives_up(u, FT_AMBIGUOUS, "the undo was sent, its answer was lost, and neither a look nor the action can tell whether it was taken back");
}

static void undo_conflict(struct undo_run *u)
{
    json_t *event = undo_event(u, "undo.conflict");

    json_decref(u->differences);
    u->differences = undo_differences(json_object_get(u->item, "before"), json_object_get(u->item, "after"), u->now);
    json_object_set(event, "base", json_object_get(u->item, "before"));
    json_object_set(event, "mine", json_object_get(u->item, "after"));
    json_object_set(event, "theirs", u->now);
    json_object_set(event, "differences", u->differences);
    get_stuck(u, event, "it is not what fettle wrote any more: somebody changed it since, and an undo would change that, too");
}

/* ---- again later */

static bool worth_trying_again(enum ft_class class)
{
    return class == FT_UNREACHABLE || class == FT_TIMEOUT || class == FT_REFUSED || class == FT_AMBIGUOUS || class == FT_CONFLICT;
}

static uint64_t wait_ms(const struct undo_run *u)
{
    const struct ft_undo_policy *policy = &u->run->engine->o.undo;
    uint64_t wait = policy->wait_ms ? policy->wait_ms : UNDO_WAIT_MS, longest = policy->longest_ms ? policy->longest_ms : UNDO_LONGEST_MS;

    for (unsigned i = 1; i < u->attempt && wait < longest; i++)
        wait *= 2;
    return ft_min(wait, longest);
}

static void undo_failed(void *arg, enum ft_class class, const char *text)
{
    struct undo_run *u = arg;
    unsigned tries = u->run->engine->o.undo.tries ? u->run->engine->o.undo.tries : UNDO_TRIES;
    json_t *event;
    uint64_t wait;

    u->call = NULL;
    u->attempt++;
    if (lapses_in(u) && worth_trying_again(class))
        u->attempt = ft_min(u->attempt, tries - 1);        /* the device may take it back by itself meanwhile */
    if (!worth_trying_again(class) || u->attempt >= tries) {
        undo_gives_up(u, class, text);
        return;
    }
    wait = wait_ms(u);
    event = undo_event(u, "undo.attempt");
    json_object_set_new(event, "attempt", json_integer(u->attempt));
    json_object_set_new(event, "class", json_string(ft_class_name(class)));
    json_object_set_new(event, "error", json_string(text));
    json_object_set_new(event, "again_in_ms", json_integer((json_int_t)wait));
    u->timer = ft_timer_start(u->run->engine->o.loop, wait, undo_look, u);
    run_ride(u->run, event);
}

/* ---- the call */

static void called(void *arg, json_t *result)
{
    struct undo_run *u = arg;

    (void)result;
    u->call = NULL;
    note_undone(u, NULL, false);
}

static const struct ft_call_handler undo_handler = { .done = called, .fail = undo_failed };

static void start(struct undo_run *u, const char *action, enum ft_entry_kind entry, const json_t *params, const json_t *receipt, const struct ft_call_handler *handler)
{
    struct ft_call_req req = { .entry = entry, .params = params, .receipt = receipt, .run_id = u->run->id, .released = u->run->released };
    struct ft_err err = { 0 };
    int r = ft_registry_action(u->run->engine->o.registry, action, &req.info, &err);

    if (r == 0)
        r = ft_call_start(u->run->engine->o.registry, &req, handler, u, &u->call, &err);
    if (r < 0)
        handler->fail(u, err.class ? err.class : FT_INVALID, err.text);
}

static void undo_send(struct undo_run *u)
{
    if (is_own(u))
        start(u, ft_json_str(u->item, "action"), FT_ENTRY_UNDO, json_object_get(u->item, "write_params"), json_object_get(u->item, "receipt"), &undo_handler);
    else
        start(u, ft_json_str(u->item, "action"), FT_ENTRY_RUN, json_object_get(u->item, "params"), json_object_get(u->plan, "receipt"), &undo_handler);
}

static void intended(void *arg, int code, const struct ft_err *err)
{
    struct undo_run *u = arg;

    if (code < 0)
        run_broken(u->run, err);
    else
        undo_send(u);
}

static void undo_intend(struct undo_run *u)
{
    json_t *event, *undo;
    struct ft_err err = { 0 };

    if (json_is_true(json_object_get(u->item, "veiled"))) {       /* it would write the asterisks */
        undo_gives_up(u, FT_INVALID, "what it would put back holds a secret, and the journal keeps none: take it back by hand");
        return;
    }
    event = undo_event(u, "undo.intended");
    undo = json_copy(u->item);
    json_object_del(undo, "before");                       /* they stand at the write */
    json_object_del(undo, "after");
    json_object_del(undo, "sent");
    json_object_del(undo, "told");
    json_object_del(undo, "asked");
    json_object_del(undo, "no_undo");
    json_object_set_new(event, "undo", undo);
    json_object_set_new(event, "checked", json_boolean(u->state == UNDO_AS_WRITTEN));
    if (u->plan)
        json_object_set(event, "plan", u->plan);
    if (json_is_true(told(u, "overwrite")))
        json_object_set(event, "overwrite_by", (json_t *)told(u, "by"));
    if (run_journal(u->run, event, FT_DURABLE, intended, u, &err) < 0)
        run_broken(u->run, &err);
}

/* ---- may it be sent? */

static const struct ft_action *undo_action(struct undo_run *u)
{
    const struct ft_action_info *info = NULL;

    return ft_registry_action(u->run->engine->o.registry, ft_json_str(u->item, "action"), &info, NULL) == 0 ? info->action : NULL;
}

static void cannot_tell(struct undo_run *u)
{
    const struct ft_action *action = undo_action(u);

    if (u->state == UNDO_MOVED)
        undo_conflict(u);
    else if (action && action->effects & FT_EFFECT_IDEMPOTENT)
        undo_intend(u);
    else
        undo_in_doubt(u);
}

static void probed(void *arg, json_t *answer)
{
    struct undo_run *u = arg;
    const json_t *happened = json_object_get(answer, "happened");

    u->call = NULL;
    if (json_is_true(happened))
        note_undone(u, NULL, true);
    else if (json_is_false(happened) && u->state != UNDO_MOVED)
        undo_intend(u);
    else
        cannot_tell(u);
}

static void probe_failed(void *arg, enum ft_class class, const char *text)
{
    struct undo_run *u = arg;

    u->call = NULL;
    if (class == FT_UNREACHABLE || class == FT_TIMEOUT || class == FT_CANCELLED)
        undo_failed(u, class, text);
    else
        cannot_tell(u);
}

static const struct ft_call_handler probe_handler = { .done = probed, .fail = probe_failed };

/* Somebody changed it since, and a person who saw that has it put back all the same: that change, and no other. As long as it is that, no undo was there. */
static bool may_overwrite(const struct undo_run *u)
{
    return u->state == UNDO_MOVED && json_is_true(told(u, "overwrite")) && u->now && ft_json_equal(told(u, "seen"), u->now);
}

static void undo_ready(struct undo_run *u)
{
    const struct ft_action *action = undo_action(u);

    if (may_overwrite(u) || u->state == UNDO_AS_WRITTEN || (u->state == UNDO_UNKNOWN && !maybe_sent(u)))
        undo_intend(u);
    else if (maybe_sent(u) && !is_own(u) && action && action->probe.start)
        start(u, ft_json_str(u->item, "action"), FT_ENTRY_PROBE, json_object_get(u->item, "params"), json_object_get(u->plan, "receipt"), &probe_handler);
    else
        cannot_tell(u);
}

static void planned(void *arg, json_t *plan)
{
    struct undo_run *u = arg;

    u->call = NULL;
    u->plan = json_incref(plan);
    if (json_is_true(json_object_get(plan, "nothing_to_do")))
        note_undone(u, NULL, true);
    else
        undo_ready(u);
}

/* What is wrong will be said by the call itself. */
static void plan_failed(void *arg, enum ft_class class, const char *text)
{
    struct undo_run *u = arg;

    u->call = NULL;
    if (class == FT_UNREACHABLE || class == FT_TIMEOUT || class == FT_CANCELLED)
        undo_failed(u, class, text);
    else
        undo_ready(u);
}

static const struct ft_call_handler plan_handler = { .done = planned, .fail = plan_failed };

static void undo_go(struct undo_run *u)
{
    const struct ft_action *action = undo_action(u);

    if (!is_own(u) && action && action->plan.start)
        start(u, ft_json_str(u->item, "action"), FT_ENTRY_PLAN, json_object_get(u->item, "params"), NULL, &plan_handler);
    else
        undo_ready(u);
}

/* ---- has the device taken it back by itself? Its write's probe can tell, where a look cannot */

static void lapse_known(void *arg, json_t *answer)
{
    struct undo_run *u = arg;

    u->call = NULL;
    if (json_is_false(json_object_get(answer, "happened")))
        note_undone(u, maybe_sent(u) ? NULL : "the device", true);
    else if (is_own(u))
        undo_intend(u);                                    /* it is in force: an undo that was sent did not happen */
    else
        undo_go(u);
}

static void lapse_unknown(void *arg, enum ft_class class, const char *text)
{
    struct undo_run *u = arg;

    u->call = NULL;
    if (class == FT_UNREACHABLE || class == FT_TIMEOUT || class == FT_CANCELLED)
        undo_failed(u, class, text);
    else
        undo_go(u);
}

static const struct ft_call_handler lapse_handler = { .done = lapse_known, .fail = lapse_unknown };

static bool may_have_lapsed(const struct undo_run *u)
{
    const struct ft_action_info *info = NULL;

    return json_object_get(u->item, "lapses") && (maybe_sent(u) || !lapses_in(u)) && u->state == UNDO_UNKNOWN && !json_is_true(told(u, "send"))
           && ft_registry_action(u->run->engine->o.registry, ft_json_str(u->item, "write"), &info, NULL) == 0 && info->action->probe.start;
}

static void undo_looked(struct undo_run *u, json_t *now)
{
    json_decref(u->now);
    u->now = now;
    u->state = undo_compare(u->item, now);
    json_decref(u->plan);
    u->plan = NULL;
    if (u->state == UNDO_BACK)
        note_undone(u, json_object_get(u->item, "lapses") && !maybe_sent(u) ? "the device" : NULL, true);
    else if (may_have_lapsed(u))
        start(u, ft_json_str(u->item, "write"), FT_ENTRY_PROBE, json_object_get(u->item, "write_params"), json_object_get(u->item, "receipt"), &lapse_handler);
    else
        undo_go(u);
}

/* ---- the look */

static void seen(void *arg, json_t *plan)
{
    struct undo_run *u = arg;
    const json_t *now = plan_state(plan);

    u->call = NULL;
    /* As the journal has it: what fettle wrote was compared without secrets, too. */
    undo_looked(u, now ? ft_secret_redact_json(u->run->engine->o.secrets, (json_t *)now) : NULL);
}

static void unseen(void *arg, enum ft_class class, const char *text)
{
    struct undo_run *u = arg;
    bool away = class == FT_UNREACHABLE || class == FT_TIMEOUT || class == FT_CANCELLED;

    u->call = NULL;
    /* What can be compared is never taken back unseen, unless a person who knows that wants it. */
    u->unseen = !away && class != FT_NOT_FOUND && json_object_get(u->item, "after") && !(json_is_true(told(u, "overwrite")) && !told(u, "seen"));
    if (away || u->unseen)
        undo_failed(u, class, text);
    else
        undo_looked(u, class == FT_NOT_FOUND ? json_null() : NULL);
}

static const struct ft_call_handler look_handler = { .done = seen, .fail = unseen };

static void undo_look(void *arg)
{
    struct undo_run *u = arg;

    u->timer = NULL;
    u->unseen = false;
    if (!is_own(u) && lapses_in(u)) {                      /* never both: the device's own timer first, then a look at what it left */
        u->timer = ft_timer_start(u->run->engine->o.loop, lapses_in(u), undo_look, u);
        return;
    }
    if (json_object_get(u->item, "before"))
        start(u, ft_json_str(u->item, "write"), FT_ENTRY_PLAN, json_object_get(u->item, "write_params"), NULL, &look_handler);
    else
        undo_looked(u, NULL);
}

/* ---- people */

/* What a person said of it is done; else it is looked at. */
static void undo_obey(struct undo_run *u)
{
    const char *by = json_string_value(told(u, "by"));

    if (json_is_true(told(u, "done")))
        note_undone(u, by, false);
    else if (json_is_true(told(u, "leave")))
        note_over(u, undo_event(u, "undo.kept"), by);
    else
        undo_look(u);
}

/* send: it goes out although it may have been there already, or over what somebody did since: they saw that. */
static void undo_tell(struct ft_run *run, const char *path, const json_t *answer, const json_t *seen, bool doubt, const char *who, const char *where)
{
    static const char *const words[] = { "again", "overwrite", "leave", "done" };
    json_t *more = json_object();

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (json_is_true(json_object_get(answer, words[i])))
            json_object_set_new(more, words[i], json_true());
    if (json_object_get(more, "overwrite") || (doubt && json_object_get(more, "again")))
        json_object_set_new(more, "send", json_true());
    if (json_object_get(more, "overwrite"))
        json_object_set(more, "seen", (json_t *)seen);
    json_object_set(more, "title", json_object_get(run->undoing->item, "title"));
    question_answered(run, path, more, who, where);
}

/* It was stuck in an earlier life, and this was said of it since. */
static int tell_before(struct ft_run *run, const json_t *given, struct ft_err *reterr)
{
    const char *path = item_path(run->undoing);

    if (!json_object_get(run->undoing->item, "asked"))
        return ft_err_set(reterr, -EALREADY, "somebody else answered it before");
    undo_tell(run, path, json_object_get(given, "answer"), json_object_get(given, "seen"), json_is_true(json_object_get(given, "doubt")), ft_json_str(given, "by"),
              ft_json_str(given, "where"));
    return 0;
}

void undo_begin(struct ft_run *run, json_t *item, struct step_run *step, void (*over)(struct step_run *step, bool undone))
{
    struct undo_run *u = ft_calloc(1, sizeof(*u));

    u->run = run;
    u->item = json_incref(item);
    u->step = step;
    u->over = over;
    run->undoing = u;
    if (json_object_get(item, "asked"))
        questions_take_for_undo(run, item_path(u), tell_before);
    if (run->state != RUN_ENDED)
        undo_obey(u);
}

bool undo_is_stuck(const struct ft_run *run)
{
    return run->undoing && run->undoing->stuck;
}

/* Somebody cannot wait for it any longer: it stops where it is, as an incident. */
void undo_stop(struct ft_run *run, const char *who)
{
    struct undo_run *u = run->undoing;
    char *text;

    if (!u || u->stuck)
        return;
    if (u->call) {
        ft_call_cancel(u->call);
    } else if (u->timer) {
        ft_timer_stop(u->timer);
        u->timer = NULL;
        text = ft_asprintf("stopped by %s before it could be tried again", who);
        undo_gives_up(u, FT_CANCELLED, text);
        free(text);
    }
}

json_t *undo_question(const struct ft_run *run)
{
    const struct undo_run *u = run->undoing;
    json_t *question;

    if (!u || !u->stuck)
        return NULL;
    question = json_pack("{s:s, s:s, s:O?, s:s, s:O}", "path", item_path(u), "kind", "undo", "title", json_object_get(u->item, "title"), "text", u->error, "undo", u->item);
    if (u->differences) {
        json_object_set(question, "differences", u->differences);
        json_object_set(question, "theirs", u->now);
    }
    if (u->doubt)
        json_object_set_new(question, "doubt", json_true());
    if (u->unseen)
        json_object_set_new(question, "unseen", json_true());
    return question;
}

static void unstick(struct undo_run *u)
{
    u->stuck = u->doubt = u->unseen = false;
    u->attempt = 0;
    json_decref(u->differences);
    u->differences = NULL;
}

int undo_answer(struct ft_run *run, const json_t *answer, const char *who, const char *where, struct ft_err *reterr)
{
    struct undo_run *u = run->undoing;
    const json_t *seen = json_object_get(json_object_get(run->taking, "answer"), "seen");
    json_t *question = undo_question(run);
    int r = question ? question_fits(question, answer, reterr) : ft_err_set(reterr, -EINVAL, "no undo waits for a person");

    json_decref(question);
    if (r < 0)
        return r;
    if (json_is_true(json_object_get(answer, "overwrite")) && seen && !ft_json_equal(seen, u->now))
        return ft_err_set(reterr, -ESTALE, "somebody changed it once more since that was seen");
    undo_tell(run, item_path(u), answer, u->differences ? u->now : NULL, u->doubt, who, where);
    unstick(u);
    if (run->state != RUN_ENDED)
        undo_obey(u);
    return 0;
}
