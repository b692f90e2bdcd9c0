/* dry_fan.c: steps with steps in a dry run. */
#include "run/dry_internal.h"

static void open_child(struct dry_list *l);

static bool list_may_write(const struct ft_list_of_steps *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (dry_step_may_write(&list->steps[i]))
            return true;
    return false;
}

bool dry_step_may_write(const struct ft_step *step)
{
    switch (step->verb) {
    case FT_VERB_RUN: return (step->call.effects & FT_EFFECT_MASK) != FT_EFFECT_READ;
    case FT_VERB_CALL: return list_may_write(ft_playbook_steps(step->callee));
    case FT_VERB_PARALLEL: case FT_VERB_FOR_EACH: return list_may_write(&step->inner);
    default: return false;
    }
}

static bool side_by_side(const struct dry_list *l)
{
    return l->step->verb == FT_VERB_PARALLEL || (l->step->verb == FT_VERB_FOR_EACH && l->step->at_once > 1 && json_array_size(l->items) > 1);
}

/* What runs beside a write sees the network change under it. */
static bool changed_beside(const struct dry_list *l)
{
    const struct ft_step *step = l->step;

    if (l->changed)
        return true;
    if (step->verb == FT_VERB_FOR_EACH)
        return side_by_side(l) && list_may_write(&step->inner);
    for (size_t i = 0; step->verb == FT_VERB_PARALLEL && i < step->inner.count; i++)
        if (i != l->next_child && dry_step_may_write(&step->inner.steps[i]))
            return true;
    return false;
}

/* ---- the children's ends */

static size_t child_count(const struct dry_list *l)
{
    switch (l->step->verb) {
    case FT_VERB_PARALLEL: return l->step->inner.count;
    case FT_VERB_FOR_EACH: return ft_is_unknown(l->items) ? 1 : ft_min(json_array_size(l->items), (size_t)MAX_ITEMS);
    default: return 1;
    }
}

static void note_child(struct dry_list *l, struct dry_list *child)
{
    json_t *inner = json_object_get(l->node, "inner");
    json_t *node;
    size_t i;

    json_array_foreach(child->nodes, i, node)
        json_array_append(inner, node);
    l->child_may_fail |= child->may_fail;
    l->child_fails += !child->end && !l->dry->cut && !ft_is_unknown(l->items);
}

static json_t *called_result(struct dry_list *l, const struct dry_list *child)
{
    const char *name = NULL;
    json_t *value = NULL;
    size_t count;
    const struct ft_outcome *o = ft_playbook_outcomes(l->step->callee, &count);

    json_object_foreach(child->outcomes, name, value)
        break;
    if (json_object_size(child->outcomes) == 1 && ft_streq(json_string_value(value), "certain") && !child->may_fail)
        for (size_t i = 0; i < count; i++)
            if (ft_streq(o[i].name, name))
                return json_pack("{s:s, s:s, s:s, s:o}", "outcome", name, "status", ft_status_name(o[i].status), "title", o[i].title, "diagnosis", ft_unknown(o[i].title));
    return ft_unknown(l->step->title);
}

static json_t *children_result(struct dry_list *l, const struct dry_list *last)
{
    json_int_t n = (json_int_t)json_array_size(l->items);

    if (l->step->verb == FT_VERB_CALL)
        return called_result(l, last);
    if (l->step->verb == FT_VERB_PARALLEL)
        return json_incref(l->child_results);
    if (ft_is_unknown(l->items) || l->child_may_fail || n > MAX_ITEMS)
        return ft_unknown(l->step->title);
    return json_pack("{s:I, s:I, s:I, s:O}", "total", n, "ok", n, "failed", (json_int_t)0, "items", l->child_results);
}

static void note_result(struct dry_list *l, const struct dry_list *child)
{
    const char *id;
    json_t *value;

    if (l->step->verb == FT_VERB_PARALLEL) {
        id = l->step->inner.steps[child->number].id;
        value = child->end ? json_object_get(child->end, id) : NULL;
        json_object_set_new(l->child_results, id, value ? json_incref(value) : child->end ? json_null() : ft_unknown(id));
    } else if (l->step->verb == FT_VERB_FOR_EACH) {
        value = ft_is_unknown(l->items) ? ft_unknown(l->step->as) : json_incref(json_array_get(l->items, child->number));
        json_array_append_new(l->child_results, json_pack("{s:o, s:b}", "item", value, "ok", true));
    }
}

/* A child that surely fails, fails a parallel and a call; a for_each by how many it allows. */
static void all_over(struct dry_list *l, struct dry_list *last)
{
    json_t *result = children_result(l, last);
    bool fails = l->child_fails > fan_failures_allowed(l->step, json_array_size(l->items)), counted = !ft_is_unknown(l->items);
    json_t *good;

    dry_list_close(last);
    dry_left_children(l);
    good = l->left;
    l->left = l->child_keys ? dry_left_blur(good, l->child_keys) : json_incref(good);       /* how far it came when it fails is not known */
    json_decref(l->child_keys);
    l->child_keys = NULL;
    json_decref(l->child_results);
    l->child_results = NULL;
    json_decref(l->items);
    l->items = NULL;
    if (fails) {
        json_decref(good);
        json_decref(result);
        dry_fails_unknown(l, "a step inside fails");
        return;
    }
    if (l->child_may_fail || l->step->check)
        dry_may_fail(l);
    if (counted) {
        json_decref(l->left);
        l->left = good;
    } else {
        json_decref(good);
    }
    dry_known(l, result);
}

static void child_over(struct dry_list *l, struct dry_list *child)
{
    note_child(l, child);
    note_result(l, child);
    dry_left_child(l, child, side_by_side(l), fan_failures_allowed(l->step, json_array_size(l->items)) > 0);
    l->next_child++;
    if (l->next_child < child_count(l)) {
        dry_list_close(child);
        open_child(l);
        dry_soon(l->dry);
    } else {
        all_over(l, child);
    }
}

/* ---- their beginnings */

static struct dry_list *open_item(struct dry_list *l, size_t n, bool changed)
{
    const struct ft_step *step = l->step;
    json_t *env = json_copy(l->env);
    bool unknown = ft_is_unknown(l->items);
    struct dry_list *child;

    json_object_set_new(env, step->as, unknown ? ft_unknown(step->as) : json_incref(json_array_get(l->items, n)));
    child = dry_list_open(l->dry, l, l->playbook, &step->inner, ft_asprintf("%s%s[%zu]/", l->prefix, step->id, n), env, l->left, l->certain && !unknown, changed, 0,
                          false);
    json_decref(env);
    return child;
}

static struct dry_list *open_called(struct dry_list *l, bool changed)
{
    const struct ft_step *step = l->step;
    json_t *env = json_copy((json_t *)ft_playbook_vars(step->callee));
    struct dry_list *child;

    json_object_update(env, l->params);
    json_object_set(env, "run", json_object_get(l->env, "run"));
    json_object_set_new(env, "error", json_null());
    if (json_object_get(l->env, "event"))
        json_object_set(env, "event", json_object_get(l->env, "event"));
    child = dry_list_open(l->dry, l, step->callee, ft_playbook_steps(step->callee), ft_asprintf("%s%s/", l->prefix, step->id), env, l->left, l->certain, changed, 0, false);
    json_decref(env);
    return child;
}

static void open_child(struct dry_list *l)
{
    size_t n = l->next_child;
    bool changed = changed_beside(l);
    struct dry_list *child;

    switch (l->step->verb) {
    case FT_VERB_FOR_EACH:
        child = open_item(l, n, changed);
        break;
    case FT_VERB_CALL:
        child = open_called(l, changed);
        break;
    default:
        child = dry_list_open(l->dry, l, l->playbook, &l->step->inner, ft_asprintf("%s%s/", l->prefix, l->step->id), l->env, l->left, l->certain, changed, n,
                              true);
        break;
    }
    child->number = n;
    child->over = child_over;
}

static void explore_children(struct dry_list *l)
{
    json_object_set_new(l->node, "inner", json_array());
    l->child_results = l->step->verb == FT_VERB_PARALLEL ? json_object() : json_array();
    l->next_child = 0;
    l->child_may_fail = false;
    l->child_fails = 0;
    open_child(l);
    dry_soon(l->dry);
}

void dry_parallel(struct dry_list *l)
{
    explore_children(l);
}

static void note_batches(struct dry_list *l)
{
    size_t total = json_array_size(l->items), from = 0;
    json_t *sizes = json_array();

    for (size_t batch = 0; from < total; batch++) {
        size_t size = fan_batch_size(l->step, batch, total);

        size = ft_min(size, total - from);
        json_array_append_new(sizes, json_integer((json_int_t)size));
        from += size;
    }
    json_object_set_new(l->node, "batches", json_pack("{s:I, s:i, s:o}", "of", (json_int_t)total, "at_once", (int)(l->step->at_once ? l->step->at_once : 1), "sizes", sizes));
    batch_plan(l->step, json_object_get(l->node, "batches"));
}

void dry_for_each(struct dry_list *l)
{
    struct ft_eval_result r = { 0 };
    struct ft_err err = { 0 };
    enum ft_eval e = eval_tmpl(l->step->list, l->env, &r, &err);

    json_decref(l->items);
    l->items = e == FT_EVAL_ERROR ? NULL : json_incref(r.value);
    ft_eval_result_done(&r);
    if (e == FT_EVAL_ERROR) {
        dry_failed(l, "invalid", err.text);
        return;
    }
    if (!ft_is_unknown(l->items) && !json_is_array(l->items)) {
        dry_failed(l, "invalid", "for_each needs a list");
        return;
    }
    if (ft_is_unknown(l->items)) {
        dry_note(l, "the list is not known yet; shown for one item");
        dry_may_fail(l);
    } else if (l->step->batch_count) {
        note_batches(l);
    }
    if (json_array_size(l->items) > MAX_ITEMS) {
        json_object_set_new(l->node, "note", json_sprintf("%zu items, the first %d are shown", json_array_size(l->items), MAX_ITEMS));
        l->dry->cut = true;
    }
    if (child_count(l) == 0) {
        json_decref(l->items);
        l->items = NULL;
        dry_known(l, json_pack("{s:i, s:i, s:i, s:[]}", "total", 0, "ok", 0, "failed", 0, "items"));
        return;
    }
    explore_children(l);
}

/* What is given and known is bound as the run will bind it; what is not known yet stays so. */
static int bind_known(struct dry_list *l, const json_t *given, struct ft_err *reterr)
{
    json_t *specs = json_object(), *known = json_object(), *value;
    const char *name;
    size_t count;
    const struct ft_param *param = ft_playbook_params(l->step->callee, &count);
    int r;

    for (size_t i = 0; i < count; i++)
        json_object_set(specs, param[i].name, param[i].spec);
    json_object_foreach((json_t *)given, name, value) {
        if (ft_has_unknown(value))
            json_object_del(specs, name);
        else
            json_object_set(known, name, value);
    }
    r = ft_fields_bind(specs, known, &l->params, reterr);
    if (r == 0)
        json_object_foreach((json_t *)given, name, value)
            if (ft_has_unknown(value))
                json_object_set_new(l->params, name, ft_unknown(name));
    json_decref(specs);
    json_decref(known);
    return r;
}

void dry_call_verb(struct dry_list *l)
{
    struct ft_eval_result r = { 0 };
    struct ft_err err = { 0 };
    enum ft_eval e = eval_tmpl(l->step->call_with, l->env, &r, &err);
    json_t *given = json_incref(r.value);

    ft_eval_result_done(&r);
    if (e == FT_EVAL_ERROR || bind_known(l, given, &err) < 0) {
        json_decref(given);
        dry_failed(l, "invalid", err.text);
        return;
    }
    json_decref(given);
    if (e == FT_EVAL_UNKNOWN)
        dry_may_fail(l);
    explore_children(l);
}
