/* dry_call.c: actions in a dry run: reads are called, writes are asked what they would send. */
#include "run/dry_internal.h"

void dry_answer_later(void *arg)
{
    struct dry *dry = arg;
    json_t *answer = json_incref(dry_left_same(json_object_get(dry->cache, dry->call_key), dry->top->left));

    free(dry->call_key);
    dry->call_key = NULL;
    dry->then(dry->top, answer);
    json_decref(answer);
}

static void keep_answer(struct dry *dry, json_t *answer)
{
    json_t *answers = json_object_get(dry->cache, dry->call_key);

    if (dry->call && ft_call_asked(dry->call))
        json_object_set(answer, "asked", (json_t *)ft_call_asked(dry->call));
    dry->call = NULL;
    if (!answers) {
        answers = json_array();
        json_object_set_new(dry->cache, dry->call_key, answers);
    }
    json_array_append_new(answers, answer);
}

static void called(void *arg, json_t *result)
{
    struct dry *dry = arg;

    keep_answer(dry, json_pack("{s:O}", "result", result));
    dry_answer_later(dry);
}

static void call_failed(void *arg, enum ft_class class, const char *text)
{
    struct dry *dry = arg;

    keep_answer(dry, json_pack("{s:s, s:s}", "class", ft_class_name(class), "error", text));
    dry_answer_later(dry);
}

static const struct ft_call_handler handler = { .done = called, .fail = call_failed };

/* then(list, {"result"} or {"class","error"}) comes from the loop. */
static void call(struct dry_list *l, enum ft_entry_kind entry, void (*then)(struct dry_list *list, json_t *answer))
{
    struct dry *dry = l->dry;
    const struct ft_call_spec *spec = &l->step->call;
    struct ft_call_req req = {
        .info = spec->action, .entry = entry, .params = l->params, .run_id = dry->run->id, .timeout_ms = l->step->timeout_ms,
        .read = (spec->effects & FT_EFFECT_MASK) == FT_EFFECT_READ, .left = l->left,
    };
    char digest[65];
    struct ft_err err = { 0 };

    ft_json_digest(l->params, digest);
    free(dry->call_key);
    dry->call_key = ft_asprintf("%d %s %s", (int)entry, spec->name, digest);
    dry->then = then;
    if (dry_left_same(json_object_get(dry->cache, dry->call_key), l->left)) {
        ft_loop_defer(dry->run->engine->o.loop, dry_answer_later, dry);
        return;
    }
    if (ft_call_start(dry->run->engine->o.registry, &req, &handler, dry, &dry->call, &err) < 0) {
        dry->call = NULL;
        keep_answer(dry, json_pack("{s:s, s:s}", "class", ft_class_name(err.class ? err.class : FT_INVALID), "error", err.text));
        ft_loop_defer(dry->run->engine->o.loop, dry_answer_later, dry);
    }
}

/* ---- reads */

static void read_answered(struct dry_list *l, json_t *answer)
{
    json_t *result = json_object_get(answer, "result");

    if (result)
        dry_known(l, json_incref(result));
    else
        dry_failed(l, ft_json_str(answer, "class"), ft_json_str(answer, "error"));
}

static void not_read(struct dry_list *l, const char *why)
{
    dry_note(l, why);
    dry_may_fail(l);
    dry_known(l, ft_unknown(l->step->title));
}

/* ---- writes */

static json_t *undo_of(struct dry_list *l)
{
    struct ft_eval_result r = { 0 };
    struct ft_err err = { 0 };
    json_t *undo;

    switch (l->step->undo) {
    case FT_UNDO_AUTO:
        return json_pack("{s:s, s:s}", "kind", "auto", "action", l->step->call.name);
    case FT_UNDO_CALL:
        eval_tmpl(l->step->undo_call.with, l->env, &r, &err);
        undo = json_pack("{s:s, s:s, s:O*}", "kind", "call", "action", l->step->undo_call.name, "params", r.value);
        ft_eval_result_done(&r);
        return undo;
    default:
        return json_pack("{s:s}", "kind", "none");
    }
}

/* The plugin, where this write says what it leaves and asks what others left: then it is known where the two meet. NULL: it is not. */
static const char *teller(const struct dry_list *l, const json_t *answer)
{
    const json_t *plan = json_object_get(answer, "result");
    bool tells = json_object_get(answer, "asked") && (json_object_get(plan, "leaves") || json_object_get(plan, "blurs"));

    return tells ? l->step->call.action->plugin : NULL;
}

/* All writes so far, on whatever way, are this plugin's, and tell. */
static bool all_told(const struct dry *dry, const char *by)
{
    return !json_array_size(dry->writes) || (dry->told_by && ft_streq(dry->told_by, by));
}

static void note_touched(struct dry *dry, const char *key, const char *by)
{
    const json_t *was = json_object_get(dry->touched, key);
    bool told = by && (!was || ft_streq(json_string_value(was), by));

    json_object_set_new(dry->touched, key, told ? json_string(by) : json_true());
}

/* Whether a write before it, on whatever way, may touch what this one is aimed at; from now on this one does. by: teller() */
static bool touched(struct dry *dry, const json_t *targets, const char *by)
{
    bool told = all_told(dry, by), any = !told && (dry->touched_any || (json_object_size(dry->touched) && !json_array_size(targets)));
    json_t *target, *who;
    size_t i;

    json_array_foreach((json_t *)targets, i, target)
        if ((who = json_object_get(dry->touched, json_string_value(target))) != NULL)
            any |= !by || !ft_streq(json_string_value(who), by);
    dry->touched_any |= !json_array_size(targets);
    json_array_foreach((json_t *)targets, i, target) {
        dry->touched_any |= strncmp(json_string_value(target), "site/", 5) == 0;
        note_touched(dry, json_string_value(target), by);
    }
    dry->told_by = told ? by : NULL;
    return any;
}

static json_t *write_entry(struct dry_list *l, const char *exactness, const char *why, const char *by)
{
    const char *effect = ft_json_str(l->node, "effect"), *site = ft_target_site(l->params);
    json_t *targets = ft_targets(l->params);
    bool moved = touched(l->dry, targets, by);
    json_t *w = json_pack("{s:i, s:O, s:s, s:s, s:s, s:s, s:s, s:b, s:s*, s:s*, s:o, s:o}", "n", (int)json_array_size(l->dry->writes) + 1,
                          "path", json_object_get(l->node, "path"), "id", l->step->id, "title", l->step->title, "action", l->step->call.name, "effect", effect,
                          "exactness", !exactness ? moved ? "predicted" : "exact" : exactness, "certain", l->certain, "why", why, "site", site,
                          "targets", targets, "undo", undo_of(l));

    json_object_set(w, "params", l->params);
    json_object_set_new(w, "need_ms", json_integer((json_int_t)write_step_ms(l->step, NULL)));
    return w;
}

/* The same write on another way is no other write. */
static json_t *same_write(const struct dry *dry, json_t *entry)
{
    json_t *w, *certain = json_incref(json_object_get(entry, "certain")), *same = NULL;
    size_t i;

    json_array_foreach(dry->writes, i, w) {
        if (!json_equal(json_object_get(w, "path"), json_object_get(entry, "path")))
            continue;
        json_object_set(entry, "n", json_object_get(w, "n"));
        json_object_set(entry, "certain", json_object_get(w, "certain"));
        json_object_set(entry, "exactness", json_object_get(w, "exactness"));
        if (json_equal(w, entry)) {
            same = w;
            break;
        }
    }
    if (same && json_is_true(certain))
        json_object_set(same, "certain", certain);
    json_decref(certain);
    return same;
}

static void write_noted(struct dry_list *l, json_t *entry, const json_t *plan)
{
    json_t *probe = json_copy(entry), *same = same_write(l->dry, probe);

    json_decref(probe);
    if (!same)
        json_array_append(l->dry->writes, entry);
    json_object_set(l->node, "write", json_object_get(same ? same : entry, "n"));
    json_decref(entry);
    for (struct dry_list *up = l; up; up = up->parent)
        up->wrote = up->changed = true;
    dry_may_fail(l);
    if (json_object_size(json_object_get(plan, "leaves")) || json_array_size(json_object_get(plan, "blurs"))) {
        dry_left_write(l, plan);
        dry_may_fail_behind(l);
    }
    dry_known(l, ft_unknown(l->step->title));
}

static void write_undetermined(struct dry_list *l, const char *why)
{
    write_noted(l, write_entry(l, "undetermined", why, NULL), NULL);
}

static const json_t *write_at(const struct dry *dry, const char *path)
{
    json_t *w;
    size_t i;

    json_array_foreach(dry->writes, i, w)
        if (ft_streq(ft_json_str(w, "path"), path))
            return w;
    return NULL;
}

/* What it leaves where it did not know what there is, it does not know either. */
static json_t *blur_more(const json_t *plan, const json_t *rests)
{
    json_t *own = json_pack("{s:[]}", "blurs"), *leaves = json_object(), *value;
    const char *key;
    size_t i;

    json_object_foreach(json_object_get(plan, "leaves"), key, value) {
        if (json_is_string(json_object_get(rests, key)))
            json_array_append_new(json_object_get(own, "blurs"), json_string(key));
        else
            json_object_set(leaves, key, value);
    }
    json_array_foreach(json_object_get(plan, "blurs"), i, value)
        json_array_append(json_object_get(own, "blurs"), value);
    json_object_set_new(own, "leaves", leaves);
    return own;
}

/* What a write before it leaves behind cannot be told, so neither can what this one rests on. */
static void write_blurred(struct dry_list *l, json_t *answer, json_t *rests, const char *by)
{
    const json_t *before = write_at(l->dry, by), *plan = json_object_get(answer, "result");
    char *why = ft_asprintf("what step '%s' leaves behind cannot be predicted, and it rests on that", ft_json_str(before, "title") ? ft_json_str(before, "title") : by);
    json_t *entry = write_entry(l, "undetermined", why, teller(l, answer)), *left;

    if (json_object_get(plan, "summary"))
        json_object_set(entry, "summary", json_object_get(plan, "summary"));
    json_object_set_new(entry, "rests_after", rests);
    left = blur_more(plan, rests);
    write_noted(l, entry, left);
    json_decref(left);
    free(why);
}

/* The state wanted is the state there is, and no write stands before it that could change that: nothing will be sent. */
static void write_nothing(struct dry_list *l, json_t *plan)
{
    json_object_set_new(l->node, "nothing_to_do", json_true());
    dry_note(l, ft_json_str(plan, "summary"));
    if (l->step->verify)
        dry_may_fail(l);
    dry_known(l, json_incref(json_object_get(plan, "result")));
}

/* With no write before it the run will be told the same; what is only not reached now may be reached then. */
static bool surely_fails(const struct dry_list *l, const json_t *answer)
{
    switch (ft_class_from_name(ft_json_str(answer, "class"))) {
    case FT_DENIED: case FT_NOT_FOUND: case FT_INVALID: case FT_CONFLICT: case FT_REFUSED: return !l->changed;
    default: return false;
    }
}

static void plan_answered(struct dry_list *l, json_t *answer)
{
    static const char *const shown[] = { "summary", "requests", "changes", "before", "users", "nothing_to_do", "stand_in", "moves", "reverts", "no_undo", "notes", "leaves", "blurs" };
    json_t *plan = json_object_get(answer, "result"), *entry, *value, *rests;
    const char *blur, *by = teller(l, answer);
    bool behind;
    struct ft_err err = { 0 };

    if (!plan && surely_fails(l, answer)) {
        dry_failed(l, ft_json_str(answer, "class"), ft_json_str(answer, "error"));
        return;
    }
    if (!plan) {
        write_undetermined(l, ft_json_str(answer, "error"));
        return;
    }
    if (confirm_check(l->step, plan, &err) < 0) {
        dry_failed(l, "invalid", err.text);
        return;
    }
    rests = dry_left_rests(json_object_get(answer, "asked"), &blur, &behind);
    if (blur) {
        write_blurred(l, answer, rests, blur);
        return;
    }
    if (write_is_nothing(plan) && (!l->changed || (json_object_get(answer, "asked") && all_told(l->dry, l->step->call.action->plugin)))) {
        write_nothing(l, plan);
        json_decref(rests);
        return;
    }
    entry = write_entry(l, behind ? "predicted" : NULL, NULL, by);
    if (rests)
        json_object_set_new(entry, "rests_after", rests);
    for (size_t i = 0; i < ARRAY_LEN(shown); i++)
        if ((value = json_object_get(plan, shown[i])) != NULL)
            json_object_set(entry, shown[i], value);
    json_object_set_new(entry, "need_ms", json_integer((json_int_t)write_step_ms(l->step, plan)));
    write_noted(l, entry, plan);
}

/* ---- the verb */

void dry_run_verb(struct dry_list *l)
{
    unsigned effect = l->step->call.effects & FT_EFFECT_MASK;
    bool read = effect == FT_EFFECT_READ;
    struct ft_eval_result r = { 0 };
    struct ft_err err = { 0 };
    enum ft_eval e = eval_tmpl(l->step->call.with, l->env, &r, &err);

    l->params = json_incref(r.value);
    ft_eval_result_done(&r);
    json_object_set_new(l->node, "action", json_string(l->step->call.name));
    json_object_set_new(l->node, "effect", json_string(read ? "read" : effect == FT_EFFECT_DISRUPTIVE ? "disruptive" : "write"));
    if (e == FT_EVAL_ERROR) {
        dry_failed(l, "invalid", err.text);
        return;
    }
    json_object_set(l->node, "params", l->params);
    if (e == FT_EVAL_UNKNOWN && !read)
        write_undetermined(l, "its parameters depend on what is not known yet");
    else if (e == FT_EVAL_UNKNOWN)
        not_read(l, "not called: its parameters are not known yet");
    else if (read && l->changed)
        not_read(l, "not called: it is read again after the change before it");
    else if (read)
        call(l, FT_ENTRY_RUN, read_answered);
    else if (l->step->call.action->action->plan.start)
        call(l, FT_ENTRY_PLAN, plan_answered);
    else
        write_undetermined(l, "the action cannot render what it would send");
}
