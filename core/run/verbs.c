/* verbs.c: the verbs that need no network: set, lua, ask, wait. */
#include "run/internal.h"

void verb_started(struct step_run *step)
{
    json_t *event;

    if (past_event(step, "step.started"))
        return;
    event = ev("step.started", step->path);
    json_object_set_new(event, "id", json_string(step->step->id));
    json_object_set_new(event, "title", json_string(step->title));
    json_object_set_new(event, "verb", json_string(ft_verb_name(step->step->verb)));
    run_ride(step->run, event);
}

void verb_set(struct step_run *step)
{
    json_t *result = json_object();
    struct ft_err err = { 0 };

    verb_started(step);
    for (size_t i = 0; i < step->step->set_count; i++) {
        const struct ft_set *set = &step->step->sets[i];
        json_t *value = NULL;

        if (step_fill(step, set->value, NULL, &value, &err) < 0) {
            json_decref(result);
            step_fail(step, FT_INVALID, err.text);
            return;
        }
        json_object_set_new(result, set->name, value);
    }
    step_done(step, result);
}

void verb_lua(struct step_run *step)
{
    json_t *value = NULL;
    struct ft_err err = { 0 };

    verb_started(step);
    if (step_eval(step, step->step->lua, NULL, &value, NULL, &err) < 0)
        step_fail(step, FT_INVALID, err.text);
    else
        step_done(step, value);
}

/* ---- waiting for people */

static void expired(void *arg)
{
    struct step_run *step = arg;

    step->timer = NULL;
    run_goes_on(step->run);
    step_fail(step, FT_TIMEOUT, "nobody answered in time");
}

void step_parks(void *arg, int code, const struct ft_err *err)
{
    struct step_run *step = arg;

    if (code < 0)
        run_broken(step->run, err);
    else
        run_check_idle(step->run);
}

/* Starts (or, after a resume, goes on with) the wait for an answer; false when the time was over already. */
static bool expire_at(struct step_run *step, uint64_t until)
{
    uint64_t now = run_now_ms(step->run);

    if (until <= now) {
        expired(step);
        return false;
    }
    step->timer = ft_timer_start_weak(step->run->engine->o.loop, until - now, expired, step);
    return true;
}

static void open_question(struct step_run *step, const char *type, json_t *more)
{
    json_t *event = ev(type, step->path);
    uint64_t within = step->step->within_ms ? step->step->within_ms : 24ull * 3600 * 1000;
    struct ft_err err = { 0 };
    json_t *text = NULL;

    if (step_fill(step, step->step->text, NULL, &text, &err) < 0) {
        json_decref(event);
        json_decref(more);
        step_fail(step, FT_INVALID, err.text);
        return;
    }
    json_object_set_new(event, "title", json_string(step->title));
    json_object_set_new(event, "text", text);
    json_object_set_new(event, "until", json_integer((json_int_t)(run_now_ms(step->run) + within)));
    json_object_update(event, more);
    json_decref(more);
    json_decref(step->past);
    step->past = json_pack("{s:O}", type, event);
    step->state = STEP_WAITING;
    if (!expire_at(step, (uint64_t)ft_json_int(event, "until", 0))) {
        json_decref(event);
        return;
    }
    if (run_journal(step->run, event, FT_COMMIT, step_parks, step, &err) < 0)
        run_broken(step->run, &err);
}

void verb_ask(struct step_run *step)
{
    const json_t *event = past_event(step, "ask.opened");

    if (past_event(step, "ask.answered")) {
        step_done(step, json_incref(json_object_get(past_event(step, "ask.answered"), "values")));
        return;
    }
    if (event) {
        step->state = STEP_WAITING;
        if (expire_at(step, (uint64_t)ft_json_int(event, "until", 0)))
            run_check_idle(step->run);
        return;
    }
    verb_started(step);
    open_question(step, "ask.opened", json_pack("{s:O}", "fields", step->step->fields));
}

json_t *step_question(const struct step_run *step)
{
    static const struct { const char *type, *kind; } kinds[] = { { "ask.opened", "ask" }, { "doubt.opened", "doubt" },
                                                                   { "lock.waiting", "wait" }, { "each.soak", "wait" },
                                                                   { "hold.opened", "wait" }, { "wait.opened", "wait" } };

    if (step->state != STEP_WAITING && step->state != STEP_DOUBT)
        return NULL;
    if (gate_waits(step))
        return gate_question(step);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        json_t *event = past_event(step, kinds[i].type);

        if (event) {
            json_t *q = json_copy(event);

            json_object_del(q, "type");
            json_object_set_new(q, "kind", json_string(kinds[i].kind));
            json_object_set_new(q, "title", json_string(step->title));
            return q;
        }
    }
    return NULL;                     /* a plain wait */
}

static int answer_ask(struct step_run *step, const json_t *answer, const char *who, const char *where, struct ft_err *reterr)
{
    json_t *values = NULL;
    json_t *event;
    int r = ft_fields_bind(step->step->fields, json_object_get(answer, "values"), &values, reterr);

    if (r < 0)
        return r;
    event = ev("ask.answered", step->path);
    json_object_set(event, "values", values);
    json_object_set_new(event, "by", json_string(who));
    question_sign(step->run, event, where);
    run_ride(step->run, event);
    if (step->run->state != RUN_ENDED)
        step_done(step, values);
    else
        json_decref(values);
    return 0;
}

int step_answer(struct step_run *step, const json_t *answer, const char *who, const char *where, struct ft_err *reterr)
{
    if (step->state == STEP_DOUBT) {
        const json_t *happened = json_object_get(answer, "happened");

        if (!json_is_boolean(happened))
            return ft_err_set(reterr, -EINVAL, "answer whether the write happened: {\"happened\": true} or {\"happened\": false}");
        return write_answer_doubt(step, json_is_true(happened), who, where, reterr);
    }
    if (gate_waits(step))
        return gate_answer(step, answer, who, where, reterr);
    if (step->state != STEP_WAITING)
        return ft_err_set(reterr, -EINVAL, "step '%s' does not wait for an answer", step->path);
    if (step->step->verb == FT_VERB_ASK)
        return answer_ask(step, answer, who, where, reterr);
    return ft_err_set(reterr, -EINVAL, "step '%s' does not wait for an answer", step->path);
}

/* ---- waiting for time */

static void wait_over(void *arg)
{
    struct step_run *step = arg;

    step->timer = NULL;
    step_done(step, json_pack("{s:I}", "waited_ms", (json_int_t)((run_now_us(step->run) - step->start_us) / 1000)));
}

static int wait_ms(struct step_run *step, uint64_t *ret, struct ft_err *reterr)
{
    json_t *value = NULL;
    int r = step_fill(step, step->step->wait, NULL, &value, reterr);

    if (r < 0)
        return r;
    if (json_is_number(value) && json_number_value(value) >= 0)
        *ret = (uint64_t)json_number_value(value);
    else if (!json_is_string(value) || ft_duration_parse(json_string_value(value), ret) < 0)
        r = ft_err_set(reterr, -EINVAL, "'%s' gave no duration such as 30s or 5m", ft_tmpl_text(step->step->wait));
    json_decref(value);
    return r;
}

/* ---- waiting for a change window: the run parks, and looks again when the time has come */

static void window_look(struct step_run *step);

static void window_over(void *arg)
{
    struct step_run *step = arg;
    uint64_t left = run_sleep_ms(step->run, (uint64_t)ft_json_int(past_event(step, "wait.opened"), "until", 0));

    step->timer = left ? ft_timer_start_weak(step->run->engine->o.loop, left, window_over, step) : NULL;
    if (left || step->run->state != RUN_GOING)
        return;
    json_object_del(step->past, "wait.opened");
    run_goes_on(step->run);
    window_look(step);
}

static void window_wait(struct step_run *step, uint64_t opens)
{
    const json_t *before = past_event(step, "wait.opened");
    struct ft_err err = { 0 };
    json_t *event;

    step->state = STEP_WAITING;
    step->timer = ft_timer_start_weak(step->run->engine->o.loop, run_sleep_ms(step->run, opens), window_over, step);
    if (before && (uint64_t)ft_json_int(before, "until", 0) == opens) {
        run_check_idle(step->run);
        return;
    }
    event = ev("wait.opened", step->path);
    json_object_set_new(event, "title", json_string(step->title));
    json_object_set_new(event, "until", json_integer((json_int_t)opens));
    json_object_set_new(event, "window", json_string(step->step->wait_window));
    if (!step->past)
        step->past = json_object();
    json_object_set(step->past, "wait.opened", event);
    if (run_journal(step->run, event, FT_COMMIT, step_parks, step, &err) < 0)
        run_broken(step->run, &err);
}

static void window_look(struct step_run *step)
{
    uint64_t now = run_now_ms(step->run), opens = now, closes = 0;
    struct ft_guard *guard = step->run->engine->o.guard;
    struct ft_err err = { 0 };

    if (!guard) {
        step_fail(step, FT_INVALID, "there is no configuration, and so no change window");
        return;
    }
    if (ft_guard_window(guard, step->step->wait_window, now, &opens, &closes, &err) < 0) {
        step_fail(step, err.class ? err.class : FT_INVALID, err.text);
        return;
    }
    if (opens > now) {
        window_wait(step, opens);
        return;
    }
    run_ride(step->run, ev("wait.over", step->path));
    if (step->run->state != RUN_ENDED)
        step_done(step, json_pack("{s:s, s:I}", "window", step->step->wait_window, "closes", (json_int_t)closes));
}

void verb_wait(struct step_run *step)
{
    const json_t *event = past_event(step, "wait.opened");
    uint64_t now = run_now_ms(step->run), until, ms = 0;
    struct ft_err err = { 0 };

    if (step->step->wait_window) {
        if (!event)
            verb_started(step);
        if (step->run->state != RUN_ENDED)
            window_look(step);
        return;
    }
    if (event) {
        uint64_t whole = (uint64_t)ft_json_int(event, "ms", INT64_MAX);

        until = (uint64_t)ft_json_int(event, "until", 0);
        ms = until > now ? until - now : 0;
        ms = ms < whole ? ms : whole;             /* the clock may have been set back meanwhile */
    } else {
        verb_started(step);
        if (wait_ms(step, &ms, &err) < 0) {
            step_fail(step, FT_INVALID, err.text);
            return;
        }
        json_t *opened_event = ev("wait.opened", step->path);

        json_object_set_new(opened_event, "until", json_integer((json_int_t)(now + ms)));
        json_object_set_new(opened_event, "ms", json_integer((json_int_t)ms));
        run_ride(step->run, opened_event);
    }
    step_pause(step, ms, wait_over);
}
