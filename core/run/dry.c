/* dry.c: the dry run: what will happen, and what may happen, never a guess.
 *
 * Steps lead forward only, so one pass over the steps in order sees every way: each step has the states (names and their values) in which
 * it can be reached. Reads are really called, once for the same question. Writes are asked for their plan; their result is unknown. Where a
 * condition reads the unknown, both ways go on. Behind a write nothing is read any more: the network will have changed by then. The same state reached twice is explored once; more than MAX_STATES at a step are joined
 * into one, in which whatever differs is unknown: so the work is bounded, and the way that the real run takes is always in the plan.
 *
 * The plan, event run.planned, field "plan":
 *   nodes     [{n, path, id, title, verb, certain, action, effect, params, seen, write: {exactness: exact|predicted|undetermined, plan | why, undo},
 *              error, ways: [{if, to, certain, because}], note, inner: [nodes]}]
 *   outcomes  {name: "certain" | "possible"}      may_fail: true where an unhandled failure ends the run
 *   score     {exact, predicted, undetermined}    cut: true when there was too much to explore
 */
#include "run/internal.h"

enum { MAX_STATES = 8, MAX_NODES = 500, MAX_ITEMS = 50 };

struct dry_state {
    struct dry_state *next;
    json_t *env;
    char digest[65];
    bool certain;
    bool changed;                      /* a write stands before it: what is read from here on is not what is read now */
};

struct dry_list {
    struct dry *dry;
    struct dry_list *parent;
    const struct ft_playbook *playbook;
    const struct ft_list_of_steps *list;
    char *prefix;
    bool single;
    struct dry_state **in;             /* by index of the step */
    json_t *nodes;                     /* owns */
    json_t *outcomes;                  /* name → "certain" or "possible" */
    json_t *end;                       /* joined names at its end; NULL: the end is never reached */
    bool wrote, may_fail;
    void (*over)(struct dry_list *parent, struct dry_list *child);
    size_t number;                     /* among the parent's children */

    /* The step under exploration. */
    const struct ft_step *step;
    json_t *env, *node, *params, *result;
    bool certain, changed;
    json_t *child_results;
    json_t *items;
    size_t next_child;
};

struct dry {
    struct ft_run *run;
    struct dry_list *top;
    struct ft_call *call;
    char *call_key;
    json_t *cache;                     /* action + params → {result} or {class, error} */
    unsigned nodes, exact, predicted, undetermined, writes;
    bool cut;
    void (*then)(struct dry_list *list, json_t *answer);
};

static void explore(void *arg);
static void step_known(struct dry_list *l, json_t *result);
static void step_failed(struct dry_list *l, const char *class, const char *text);

/* ---- states */

static json_t *join(const json_t *a, const json_t *b)
{
    json_t *joined = json_object(), *value;
    const char *name;

    json_object_foreach((json_t *)a, name, value) {
        const json_t *other = json_object_get(b, name);

        if (other && json_equal(value, (json_t *)other))
            json_object_set(joined, name, value);
        else
            json_object_set_new(joined, name, ft_unknown("it differs between the ways that lead here"));
    }
    json_object_foreach((json_t *)b, name, value)
        if (!json_object_get(a, name))
            json_object_set_new(joined, name, ft_unknown("not every way that leads here sets it"));
    return joined;
}

static void state_free(struct dry_state *s)
{
    json_decref(s->env);
    free(s);
}

static void join_all(struct dry_list *l, size_t index)
{
    struct dry_state *first = l->in[index], *s = first->next;

    while (s) {
        struct dry_state *next = s->next;
        json_t *joined = join(first->env, s->env);

        json_decref(first->env);
        first->env = joined;
        first->certain = first->certain || s->certain;
        first->changed = first->changed || s->changed;
        state_free(s);
        s = next;
    }
    first->next = NULL;
    ft_json_digest(first->env, first->digest);
    l->dry->cut = true;
}

static void arrive(struct dry_list *l, size_t index, json_t *env, bool certain, bool changed)
{
    struct dry_state *s, **end = &l->in[index];
    char digest[65];
    unsigned count = 0;

    ft_json_digest(env, digest);
    for (; *end; end = &(*end)->next, count++) {
        if (ft_streq((*end)->digest, digest) && (*end)->changed == changed) {
            (*end)->certain |= certain;
            return;
        }
    }
    s = ft_calloc(1, sizeof(*s));
    s->env = json_incref(env);
    s->certain = certain;
    s->changed = changed;
    memcpy(s->digest, digest, sizeof(digest));
    *end = s;
    if (count + 1 > MAX_STATES)
        join_all(l, index);
}

/* ---- lists */

static struct dry_list *list_open(struct dry *dry, struct dry_list *parent, const struct ft_playbook *playbook, const struct ft_list_of_steps *list, char *prefix,
                                  json_t *env, bool certain, bool changed, size_t index, bool single)
{
    struct dry_list *l = ft_calloc(1, sizeof(*l));

    l->dry = dry;
    l->parent = parent;
    l->playbook = playbook;
    l->list = list;
    l->prefix = prefix;
    l->single = single;
    l->in = ft_calloc(list->count + 1, sizeof(struct dry_state *));
    l->nodes = json_array();
    l->outcomes = json_object();
    if (list->count)
        arrive(l, index, env, certain, changed);
    else
        l->end = json_incref(env);
    dry->top = l;
    return l;
}

static void list_close(struct dry_list *l)
{
    for (size_t i = 0; i < l->list->count; i++) {
        while (l->in[i]) {
            struct dry_state *s = l->in[i];

            l->in[i] = s->next;
            state_free(s);
        }
    }
    free(l->in);
    free(l->prefix);
    json_decref(l->nodes);
    json_decref(l->outcomes);
    json_decref(l->end);
    json_decref(l->env);
    json_decref(l->node);
    json_decref(l->params);
    json_decref(l->result);
    json_decref(l->child_results);
    json_decref(l->items);
    free(l);
}

static void soon(struct dry *dry)
{
    ft_loop_defer(dry->run->engine->o.loop, explore, dry);
}

static void way(struct dry_list *l, const char *cond, const char *to, bool certain, json_t *why)
{
    json_t *w = json_pack("{s:s?, s:s, s:b}", "if", cond, "to", to, "certain", certain);

    if (why)
        json_object_set_new(w, "because", why);
    json_array_append_new(json_object_get(l->node, "ways"), w);
}

/* Follow one way out of the step under exploration. */
static void follow(struct dry_list *l, const struct ft_target *to, bool certain, const char *cond, json_t *why)
{
    size_t index = (size_t)(l->step - l->list->steps);
    bool ends = l->single || to->kind == FT_TO_END || (to->kind == FT_TO_NEXT && index + 1 >= l->list->count);

    if (to->kind == FT_TO_OUTCOME && !l->single) {
        way(l, cond, to->name, certain, why);
        if (certain || !json_object_get(l->outcomes, to->name))
            json_object_set_new(l->outcomes, to->name, json_string(certain ? "certain" : "possible"));
        ends = true;
    } else if (ends) {
        way(l, cond, "end", certain, why);
    } else {
        size_t next = to->kind == FT_TO_STEP ? to->index : index + 1;

        way(l, cond, l->list->steps[next].id, certain, why);
        arrive(l, next, l->env, certain, l->changed);
        return;
    }
    if (l->end) {
        json_t *joined = join(l->end, l->env);

        json_decref(l->end);
        l->end = joined;
    } else {
        l->end = json_incref(l->env);
    }
}

/* ---- the end of a step's exploration */

static void leave(struct dry_list *l)
{
    json_array_append(l->nodes, l->node);
    json_decref(l->node);
    json_decref(l->env);
    json_decref(l->params);
    json_decref(l->result);
    l->node = l->env = l->params = l->result = NULL;
    l->step = NULL;
    soon(l->dry);
}

static void step_failed(struct dry_list *l, const char *class, const char *text)
{
    json_object_set_new(l->node, "error", json_string(text));
    if (l->step->has_on_error) {
        json_object_set_new(l->env, "error", json_pack("{s:s, s:s, s:s, s:s?}", "class", class, "text", text, "step", l->step->id,
                                                       "action", l->step->verb == FT_VERB_RUN ? l->step->call.name : NULL));
        follow(l, &l->step->on_error, l->certain, "it failed", NULL);
    } else {
        way(l, "it failed", "failure", l->certain, NULL);
        l->may_fail = true;
    }
    leave(l);
}

/* A write may fail when it is really sent. */
static void write_may_fail(struct dry_list *l)
{
    json_t *env;

    if (!l->step->has_on_error) {
        l->may_fail = true;
        return;
    }
    env = l->env;
    l->env = json_copy(env);
    json_object_set_new(l->env, "error", ft_unknown("whether and how it fails"));
    follow(l, &l->step->on_error, false, "it fails", NULL);
    json_decref(l->env);
    l->env = env;
}

static void branches(struct dry_list *l)
{
    bool certain = l->certain;

    for (size_t i = 0; i < l->step->branch_count; i++) {
        const struct ft_branch *b = &l->step->branches[i];
        struct ft_eval_result r = { 0 };
        struct ft_err err = { 0 };
        enum ft_eval e;

        if (!b->cond) {
            follow(l, &b->to, certain, "else", NULL);
            return;
        }
        e = eval_with(l->env, l->result, NULL, eval_chunk, b->cond, &r, &err);
        if (e == FT_EVAL_ERROR) {
            ft_eval_result_done(&r);
            json_object_set_new(l->node, "error", json_string(err.text));
            l->may_fail = true;
            if (l->step->has_on_error)
                follow(l, &l->step->on_error, certain, "the condition failed", NULL);
            else
                way(l, b->text, "failure", certain, NULL);
            return;
        }
        if (e == FT_EVAL_UNKNOWN) {
            certain = false;
            follow(l, &b->to, false, b->text, because(b->text, r.value, json_incref(r.reads)));
        } else if (truthy(r.value)) {
            follow(l, &b->to, certain, b->text, because(b->text, r.value, json_incref(r.reads)));
            ft_eval_result_done(&r);
            return;
        }
        ft_eval_result_done(&r);
    }
    follow(l, &l->step->then, certain, NULL, NULL);
}

static void say(struct dry_list *l)
{
    struct ft_eval_result r = { 0 };
    struct ft_err err = { 0 };

    if (l->step->say && !ft_is_unknown(l->result) && eval_with(l->env, l->result, NULL, eval_tmpl, l->step->say, &r, &err) == FT_EVAL_OK) {
        char *text = ft_json_brief(r.value, 200);

        json_object_set_new(l->node, "seen", json_string(text));
        free(text);
    }
    ft_eval_result_done(&r);
}

static void step_known(struct dry_list *l, json_t *result)
{
    if (l->step->assume) {
        struct ft_eval_result r = { 0 };
        struct ft_err err = { 0 };

        if (eval_tmpl(l->step->assume, l->env, &r, &err) != FT_EVAL_ERROR) {
            json_decref(result);
            result = json_incref(r.value);
            json_object_set_new(l->node, "assumed", json_true());
        }
        ft_eval_result_done(&r);
    }
    l->result = result;
    if (l->step->verb == FT_VERB_SET)
        json_object_update(l->env, result);
    else
        json_object_set(l->env, l->step->id, result);
    say(l);
    branches(l);
    leave(l);
}

/* ---- calls */

static void answer_later(void *arg)
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
    answer_later(dry);
}

static void call_failed(void *arg, enum ft_class class, const char *text)
{
    struct dry *dry = arg;

    dry->call = NULL;
    json_object_set_new(dry->cache, dry->call_key, json_pack("{s:s, s:s}", "class", ft_class_name(class), "error", text));
    answer_later(dry);
}

static const struct ft_call_handler handler = { .done = called, .fail = call_failed };

/* then(list, {"result"} or {"class","error"}) comes from the loop. */
static void call(struct dry_list *l, enum ft_entry_kind entry, const json_t *params, void (*then)(struct dry_list *list, json_t *answer))
{
    struct dry *dry = l->dry;
    const struct ft_call_spec *spec = &l->step->call;
    struct ft_call_req req = {
        .info = spec->action, .entry = entry, .params = params, .run_id = dry->run->id, .timeout_ms = l->step->timeout_ms,
        .read = (spec->effects & FT_EFFECT_MASK) == FT_EFFECT_READ,
    };
    char digest[65];
    struct ft_err err = { 0 };

    ft_json_digest(params, digest);
    free(dry->call_key);
    dry->call_key = ft_asprintf("%d %s %s", (int)entry, spec->name, digest);
    dry->then = then;
    if (json_object_get(dry->cache, dry->call_key)) {
        ft_loop_defer(dry->run->engine->o.loop, answer_later, dry);
        return;
    }
    if (ft_call_start(dry->run->engine->o.registry, &req, &handler, dry, &dry->call, &err) < 0) {
        json_object_set_new(dry->cache, dry->call_key, json_pack("{s:s, s:s}", "class", ft_class_name(err.class ? err.class : FT_INVALID), "error", err.text));
        ft_loop_defer(dry->run->engine->o.loop, answer_later, dry);
    }
}

static void read_answered(struct dry_list *l, json_t *answer)
{
    json_t *result = json_object_get(answer, "result");

    if (result)
        step_known(l, json_incref(result));
    else
        step_failed(l, ft_json_str(answer, "class"), ft_json_str(answer, "error"));
}

static json_t *undo_shown(struct dry_list *l)
{
    struct ft_eval_result r = { 0 };
    struct ft_err err = { 0 };
    json_t *shown;

    switch (l->step->undo) {
    case FT_UNDO_AUTO:
        return json_pack("{s:s, s:s}", "kind", "auto", "action", l->step->call.name);
    case FT_UNDO_CALL:
        eval_tmpl(l->step->undo_call.with, l->env, &r, &err);
        shown = json_pack("{s:s, s:s, s:O?}", "kind", "call", "action", l->step->undo_call.name, "params", r.value);
        ft_eval_result_done(&r);
        return shown;
    default:
        return json_pack("{s:s}", "kind", "none");
    }
}

static void write_shown(struct dry_list *l, const char *exactness, json_t *plan, const char *why)
{
    json_t *write = json_pack("{s:s, s:o}", "exactness", exactness, "undo", undo_shown(l));
    struct dry *dry = l->dry;

    if (plan)
        json_object_set(write, "plan", plan);
    if (why)
        json_object_set_new(write, "why", json_string(why));
    json_object_set_new(l->node, "write", write);
    dry->exact += ft_streq(exactness, "exact");
    dry->predicted += ft_streq(exactness, "predicted");
    dry->undetermined += ft_streq(exactness, "undetermined");
    dry->writes++;
    for (struct dry_list *up = l; up; up = up->parent)
        up->wrote = up->changed = true;
    write_may_fail(l);
    step_known(l, ft_unknown(l->step->title));
}

static void plan_answered(struct dry_list *l, json_t *answer)
{
    json_t *plan = json_object_get(answer, "result");

    if (plan)
        write_shown(l, l->certain && !l->changed ? "exact" : "predicted", plan, NULL);
    else
        write_shown(l, "undetermined", NULL, ft_json_str(answer, "error"));
}

static void explore_run(struct dry_list *l)
{
    bool read = (l->step->call.effects & FT_EFFECT_MASK) == FT_EFFECT_READ;
    struct ft_eval_result r = { 0 };
    struct ft_err err = { 0 };
    enum ft_eval e = eval_tmpl(l->step->call.with, l->env, &r, &err);

    l->params = json_incref(r.value);
    ft_eval_result_done(&r);
    json_object_set_new(l->node, "action", json_string(l->step->call.name));
    json_object_set_new(l->node, "effect", json_string(read ? "read" : (l->step->call.effects & FT_EFFECT_MASK) == FT_EFFECT_DISRUPTIVE ? "disruptive" : "write"));
    if (e == FT_EVAL_ERROR) {
        step_failed(l, "invalid", err.text);
        return;
    }
    json_object_set(l->node, "params", l->params);
    if (e == FT_EVAL_UNKNOWN) {
        if (!read) {
            write_shown(l, "undetermined", NULL, "its parameters depend on what is not known yet");
            return;
        }
        json_object_set_new(l->node, "note", json_string("not called: its parameters are not known yet"));
        if (l->step->has_on_error)
            write_may_fail(l);
        step_known(l, ft_unknown(l->step->title));
    } else if (read && l->changed) {
        json_object_set_new(l->node, "note", json_string("not called: it is read again after the change before it"));
        if (l->step->has_on_error)
            write_may_fail(l);
        step_known(l, ft_unknown(l->step->title));
    } else if (read) {
        call(l, FT_ENTRY_RUN, l->params, read_answered);
    } else if (l->step->call.action->action->plan.start) {
        call(l, FT_ENTRY_PLAN, l->params, plan_answered);
    } else {
        write_shown(l, "undetermined", NULL, "the action cannot render what it would send");
    }
}

/* ---- other verbs */

static void explore_set(struct dry_list *l)
{
    json_t *result = json_object();

    for (size_t i = 0; i < l->step->set_count; i++) {
        struct ft_eval_result r = { 0 };
        struct ft_err err = { 0 };
        enum ft_eval e = eval_tmpl(l->step->sets[i].value, l->env, &r, &err);

        if (e == FT_EVAL_ERROR) {
            ft_eval_result_done(&r);
            json_decref(result);
            step_failed(l, "invalid", err.text);
            return;
        }
        json_object_set(result, l->step->sets[i].name, r.value);
        ft_eval_result_done(&r);
    }
    step_known(l, result);
}

static void explore_lua(struct dry_list *l)
{
    struct ft_eval_result r = { 0 };
    struct ft_err err = { 0 };
    enum ft_eval e = eval_chunk(l->step->lua, l->env, &r, &err);
    json_t *value = json_incref(r.value);

    ft_eval_result_done(&r);
    if (e == FT_EVAL_ERROR)
        step_failed(l, "invalid", err.text);
    else
        step_known(l, value);
}

static void explore_question(struct dry_list *l)
{
    struct ft_eval_result r = { 0 };
    struct ft_err err = { 0 };

    if (eval_tmpl(l->step->text, l->env, &r, &err) == FT_EVAL_OK) {
        char *text = ft_json_brief(r.value, 400);

        json_object_set_new(l->node, "note", json_string(text));
        free(text);
    }
    ft_eval_result_done(&r);
    if (l->step->verb == FT_VERB_APPROVE)
        json_object_set_new(l->node, "by", json_pack("{s:s?, s:i}", "role", l->step->by_role, "count", (int)(l->step->by_count ? l->step->by_count : 1)));
    step_known(l, ft_unknown(l->step->title));
}

/* ---- steps with steps */

static void child_over(struct dry_list *l, struct dry_list *child);
static void open_child(struct dry_list *l);

static size_t child_count(const struct dry_list *l)
{
    switch (l->step->verb) {
    case FT_VERB_PARALLEL: return l->step->inner.count;
    case FT_VERB_FOR_EACH: return ft_is_unknown(l->items) ? 1 : ft_min(json_array_size(l->items), (size_t)MAX_ITEMS);
    default: return 1;
    }
}

static void note_children(struct dry_list *l, struct dry_list *child)
{
    json_t *inner = json_object_get(l->node, "inner");
    json_t *node;
    size_t i;

    json_array_foreach(child->nodes, i, node)
        json_array_append(inner, node);
    l->may_fail |= child->may_fail;
}

static json_t *children_result(struct dry_list *l, const struct dry_list *last)
{
    const char *name = NULL;
    json_t *value = NULL;
    bool unknown = ft_is_unknown(l->items) || last->wrote || last->may_fail;

    if (l->step->verb == FT_VERB_PARALLEL)
        return json_incref(l->child_results);
    if (l->step->verb == FT_VERB_FOR_EACH) {
        json_int_t n = (json_int_t)json_array_size(l->items);

        if (unknown || l->wrote)
            return ft_unknown(l->step->title);
        return json_pack("{s:I, s:I, s:I, s:O}", "total", n, "ok", n, "failed", (json_int_t)0, "items", l->child_results);
    }
    json_object_foreach(last->outcomes, name, value)
        break;
    if (json_object_size(last->outcomes) == 1 && ft_streq(json_string_value(value), "certain") && !last->may_fail) {
        size_t count;
        const struct ft_outcome *o = ft_playbook_outcomes(l->step->callee, &count);

        for (size_t i = 0; i < count; i++)
            if (ft_streq(o[i].name, name))
                return json_pack("{s:s, s:s, s:s, s:o}", "outcome", name, "status", ft_status_name(o[i].status), "title", o[i].title, "diagnosis", ft_unknown(o[i].title));
    }
    return ft_unknown(l->step->title);
}

static void child_over(struct dry_list *l, struct dry_list *child)
{
    json_t *value = NULL;

    note_children(l, child);
    if (l->step->verb == FT_VERB_PARALLEL) {
        const char *id = l->step->inner.steps[child->number].id;

        value = child->end ? json_incref(json_object_get(child->end, id)) : NULL;
        json_object_set_new(l->child_results, id, value ? value : ft_unknown(id));
    } else if (l->step->verb == FT_VERB_FOR_EACH) {
        json_array_append_new(l->child_results, json_pack("{s:o, s:b}", "item", ft_is_unknown(l->items) ? ft_unknown(l->step->as) : json_incref(json_array_get(l->items, child->number)),
                                                          "ok", true));
    }
    l->next_child++;
    if (l->next_child < child_count(l)) {
        list_close(child);
        open_child(l);
        soon(l->dry);
        return;
    }
    json_t *result = children_result(l, child);

    if (child->wrote && l->step->has_on_error)
        write_may_fail(l);
    list_close(child);
    json_decref(l->child_results);
    l->child_results = NULL;
    json_decref(l->items);
    l->items = NULL;
    step_known(l, result);
}

static void open_child(struct dry_list *l)
{
    const struct ft_step *step = l->step;
    size_t n = l->next_child;
    struct dry_list *child;
    json_t *env = json_copy(l->env);

    if (step->verb == FT_VERB_FOR_EACH) {
        bool unknown = ft_is_unknown(l->items);

        json_object_set_new(env, step->as, unknown ? ft_unknown(step->as) : json_incref(json_array_get(l->items, n)));
        child = list_open(l->dry, l, l->playbook, &step->inner, ft_asprintf("%s%s[%zu]/", l->prefix, step->id, n), env, l->certain && !unknown, l->changed, 0, false);
    } else if (step->verb == FT_VERB_PARALLEL) {
        child = list_open(l->dry, l, l->playbook, &step->inner, ft_asprintf("%s%s/", l->prefix, step->id), env, l->certain, l->changed, n, true);
    } else {
        json_t *callee = json_copy((json_t *)ft_playbook_vars(step->callee));

        json_object_update(callee, l->params);
        json_object_set(callee, "run", json_object_get(l->env, "run"));
        json_object_set_new(callee, "error", json_null());
        child = list_open(l->dry, l, step->callee, ft_playbook_steps(step->callee), ft_asprintf("%s%s/", l->prefix, step->id), callee, l->certain, l->changed, 0, false);
        json_decref(callee);
    }
    json_decref(env);
    child->number = n;
    child->over = child_over;
}

static void explore_children(struct dry_list *l)
{
    json_object_set_new(l->node, "inner", json_array());
    l->child_results = l->step->verb == FT_VERB_PARALLEL ? json_object() : json_array();
    l->next_child = 0;
    open_child(l);
    soon(l->dry);
}

static void explore_for_each(struct dry_list *l)
{
    struct ft_eval_result r = { 0 };
    struct ft_err err = { 0 };
    enum ft_eval e = eval_tmpl(l->step->list, l->env, &r, &err);

    l->items = e == FT_EVAL_ERROR ? NULL : json_incref(r.value);
    ft_eval_result_done(&r);
    if (e == FT_EVAL_ERROR) {
        step_failed(l, "invalid", err.text);
        return;
    }
    if (!ft_is_unknown(l->items) && !json_is_array(l->items)) {
        step_failed(l, "invalid", "for_each needs a list");
        return;
    }
    if (ft_is_unknown(l->items))
        json_object_set_new(l->node, "note", json_string("the list is not known yet; shown for one item"));
    if (json_array_size(l->items) > MAX_ITEMS) {
        json_object_set_new(l->node, "note", json_sprintf("%zu items, the first %d are shown", json_array_size(l->items), MAX_ITEMS));
        l->dry->cut = true;
    }
    if (child_count(l) == 0) {
        json_decref(l->items);
        l->items = NULL;
        step_known(l, json_pack("{s:i, s:i, s:i, s:[]}", "total", 0, "ok", 0, "failed", 0, "items"));
        return;
    }
    explore_children(l);
}

static void explore_call(struct dry_list *l)
{
    struct ft_eval_result r = { 0 };
    struct ft_err err = { 0 };
    enum ft_eval e = eval_tmpl(l->step->call_with, l->env, &r, &err);
    json_t *given = json_incref(r.value);

    ft_eval_result_done(&r);
    if (e == FT_EVAL_ERROR || (e == FT_EVAL_OK && ft_playbook_bind(l->step->callee, given, &l->params, &err) < 0)) {
        json_decref(given);
        step_failed(l, "invalid", err.text);
        return;
    }
    if (e == FT_EVAL_UNKNOWN)
        l->params = json_incref(given);
    json_decref(given);
    explore_children(l);
}

/* ---- one turn */

static void explore_verb(struct dry_list *l)
{
    switch (l->step->verb) {
    case FT_VERB_RUN: explore_run(l); break;
    case FT_VERB_SET: explore_set(l); break;
    case FT_VERB_LUA: explore_lua(l); break;
    case FT_VERB_APPROVE: case FT_VERB_ASK: explore_question(l); break;
    case FT_VERB_WAIT: step_known(l, ft_unknown("the wait")); break;
    case FT_VERB_FOR_EACH: explore_for_each(l); break;
    case FT_VERB_CALL: explore_call(l); break;
    case FT_VERB_PARALLEL: explore_children(l); break;
    }
}

static void skip(struct dry_list *l, bool certain, json_t *why)
{
    static const struct ft_target next = { .kind = FT_TO_NEXT, .name = "next" };

    follow(l, &next, certain, "skipped", why);
}

static void explore_step(struct dry_list *l, size_t index, struct dry_state *state)
{
    struct ft_eval_result r = { 0 };
    struct ft_err err = { 0 };
    enum ft_eval e = FT_EVAL_OK;

    l->step = &l->list->steps[index];
    l->env = json_copy(state->env);
    l->certain = state->certain;
    l->changed = state->changed;
    l->node = json_pack("{s:i, s:s+, s:s, s:s, s:s, s:b, s:[]}", "n", (int)++l->dry->nodes, "path", l->prefix, l->step->id, "id", l->step->id, "title", l->step->title,
                        "verb", ft_verb_name(l->step->verb), "certain", l->certain, "ways");
    state_free(state);
    if (!l->step->when) {
        explore_verb(l);
        return;
    }
    e = eval_chunk(l->step->when, l->env, &r, &err);
    if (e == FT_EVAL_ERROR) {
        ft_eval_result_done(&r);
        step_failed(l, "invalid", err.text);
        return;
    }
    json_t *why = because(ft_chunk_text(l->step->when), r.value, json_incref(r.reads));
    bool go = e == FT_EVAL_UNKNOWN || truthy(r.value);

    ft_eval_result_done(&r);
    if (e == FT_EVAL_UNKNOWN)
        l->certain = false;
    if (e == FT_EVAL_UNKNOWN || !go)
        skip(l, l->certain, why);
    else
        json_decref(why);
    if (go)
        explore_verb(l);
    else
        leave(l);
}

static void list_over(struct dry_list *l);

static void explore(void *arg)
{
    struct dry *dry = arg;
    struct dry_list *l = dry->top;

    for (size_t i = 0; i < l->list->count; i++) {
        struct dry_state *s = l->in[i];

        if (!s)
            continue;
        l->in[i] = s->next;
        if (dry->nodes >= MAX_NODES) {
            dry->cut = true;
            state_free(s);
            i--;
            continue;
        }
        explore_step(l, i, s);
        return;
    }
    list_over(l);
}

static void finish(struct dry *dry)
{
    struct ft_run *run = dry->run;
    struct dry_list *l = dry->top;
    json_t *event = ev("run.planned", NULL);
    json_t *plan = json_pack("{s:O, s:O, s:b, s:b, s:i, s:{s:i, s:i, s:i}}", "nodes", l->nodes, "outcomes", l->outcomes, "may_fail", l->may_fail, "cut", dry->cut,
                             "writes", (int)dry->writes, "score", "exact", (int)dry->exact, "predicted", (int)dry->predicted, "undetermined", (int)dry->undetermined);

    json_object_set_new(event, "plan", plan);
    run_ride(run, event);
    json_decref(run->final);
    run->final = json_pack("{s:s, s:s, s:s, s:s, s:s}", "status", "finished", "outcome", "", "outcome_status", "ok", "title", "Dry run", "diagnosis",
                           dry->writes ? "nothing was changed; the plan shows what would be" : "nothing was changed, and nothing would be");
    if (run->state != RUN_ENDED)
        run_finish(run);
}

static void list_over(struct dry_list *l)
{
    if (!l->parent) {
        finish(l->dry);
        return;
    }
    l->dry->top = l->parent;
    l->over(l->parent, l);
}

void dry_start(struct ft_run *run)
{
    struct dry *dry = ft_calloc(1, sizeof(*dry));

    run->dry = dry;
    dry->run = run;
    dry->cache = json_object();
    list_open(dry, NULL, run->playbook, run->root->list, ft_strdup(""), run->root->env, true, false, 0, false);
    soon(dry);
}

void dry_free(struct ft_run *run)
{
    struct dry *dry = run->dry;

    if (!dry)
        return;
    run->dry = NULL;
    ft_loop_undefer(run->engine->o.loop, explore, dry);
    ft_loop_undefer(run->engine->o.loop, answer_later, dry);
    if (dry->call)
        ft_call_drop(dry->call);
    while (dry->top) {
        struct dry_list *up = dry->top->parent;

        list_close(dry->top);
        dry->top = up;
    }
    json_decref(dry->cache);
    free(dry->call_key);
    free(dry);
}
