/* dry_call.c: actions in a dry run: reads are called, writes are asked what they would send. */
#include "run/dry_internal.h"

void dry_answer_later(void *arg)
{
    struct dry *dry = arg;
    json_t *answer = json_incref(json_object_get(dry->cache, dry->call_key));

    free(dry->call_key);
    dry->call_key = NULL;
    dry->then(dry->top, answer);
    json_decref(answer);
}

static void called(void *arg, json_t *result)
{
    struct dry *dry = arg;

    dry->call = NULL;
    json_object_set_new(dry->cache, dry->call_key, json_pack("{s:O}", "result", result));
    dry_answer_later(dry);
}

static void call_failed(void *arg, enum ft_class class, const char *text)
{
    struct dry *dry = arg;

    dry->call = NULL;
    json_object_set_new(dry->cache, dry->call_key, json_pack("{s:s, s:s}", "class", ft_class_name(class), "error", text));
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
        .read = (spec->effects & FT_EFFECT_MASK) == FT_EFFECT_READ,
    };
    char digest[65];
    struct ft_err err = { 0 };

    ft_json_digest(l->params, digest);
    free(dry->call_key);
    dry->call_key = ft_asprintf("%d %s %s", (int)entry, spec->name, digest);
    dry->then = then;
    if (json_object_get(dry->cache, dry->call_key)) {
        ft_loop_defer(dry->run->engine->o.loop, dry_answer_later, dry);
        return;
    }
    if (ft_call_start(dry->run->engine->o.registry, &req, &handler, dry, &dry->call, &err) < 0) {
        json_object_set_new(dry->cache, dry->call_key, json_pack("{s:s, s:s}", "class", ft_class_name(err.class ? err.class : FT_INVALID), "error", err.text));
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

/* Whether a write before it, on whatever way, touches what this one is aimed at; from now on this one does. */
static bool touched(struct dry *dry, const json_t *targets)
{
    bool any = dry->touched_any || (json_object_size(dry->touched) && !json_array_size(targets));
    json_t *target;
    size_t i;

    json_array_foreach((json_t *)targets, i, target)
        any |= json_object_get(dry->touched, json_string_value(target)) != NULL;
    dry->touched_any |= !json_array_size(targets);
    json_array_foreach((json_t *)targets, i, target) {
        dry->touched_any |= strncmp(json_string_value(target), "site/", 5) == 0;
        json_object_set_new(dry->touched, json_string_value(target), json_true());
    }
    return any;
}

static json_t *write_entry(struct dry_list *l, const char *exactness, const char *why)
{
    const char *effect = ft_json_str(l->node, "effect"), *site = ft_target_site(l->params);
    json_t *targets = ft_targets(l->params);
    bool moved = touched(l->dry, targets);
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

static void write_noted(struct dry_list *l, json_t *entry)
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
    dry_known(l, ft_unknown(l->step->title));
}

static void write_undetermined(struct dry_list *l, const char *why)
{
    write_noted(l, write_entry(l, "undetermined", why));
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

static void plan_answered(struct dry_list *l, json_t *answer)
{
    static const char *const shown[] = { "summary", "requests", "changes", "before", "users", "nothing_to_do", "stand_in", "moves", "reverts", "no_undo", "notes" };
    json_t *plan = json_object_get(answer, "result"), *entry, *value;
    struct ft_err err = { 0 };

    if (!plan) {
        write_undetermined(l, ft_json_str(answer, "error"));
        return;
    }
    if (confirm_check(l->step, plan, &err) < 0) {
        dry_failed(l, "invalid", err.text);
        return;
    }
    if (write_is_nothing(plan) && !l->changed) {
        write_nothing(l, plan);
        return;
    }
    entry = write_entry(l, NULL, NULL);
    for (size_t i = 0; i < ARRAY_LEN(shown); i++)
        if ((value = json_object_get(plan, shown[i])) != NULL)
            json_object_set(entry, shown[i], value);
    json_object_set_new(entry, "need_ms", json_integer((json_int_t)write_step_ms(l->step, plan)));
    write_noted(l, entry);
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
