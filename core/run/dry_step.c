/* dry_step.c: what one step comes to in a dry run: its verb, its branches, its failing. */
#include "run/dry_internal.h"

void dry_note(struct dry_list *l, const char *text)
{
    json_object_set_new(l->node, "note", json_string(text));
}

/* ---- ways out */

static void way(struct dry_list *l, const char *cond, const char *to, bool certain, json_t *why)
{
    json_t *w;

    if (l->quiet) {
        json_decref(why);
        return;
    }
    w = json_pack("{s:s?, s:s, s:b}", "if", cond, "to", to, "certain", certain);
    if (why)
        json_object_set_new(w, "because", why);
    json_array_append_new(json_object_get(l->node, "ways"), w);
}

static void end_here(struct dry_list *l)
{
    if (l->end) {
        json_t *joined = dry_join(l->end, l->env), *left = dry_left_join(l->end_left, l->left);

        json_decref(l->end);
        json_decref(l->end_left);
        l->end = joined;
        l->end_left = left;
    } else {
        l->end = json_incref(l->env);
        l->end_left = json_incref(l->left);
    }
}

static void follow(struct dry_list *l, const struct ft_target *to, bool certain, const char *cond, json_t *why)
{
    size_t index = (size_t)(l->step - l->list->steps), next;

    if (to->kind == FT_TO_OUTCOME && !l->single) {
        way(l, cond, to->name, certain, why);
        if (certain || !json_object_get(l->outcomes, to->name))
            json_object_set_new(l->outcomes, to->name, json_string(certain ? "certain" : "possible"));
        end_here(l);
    } else if (l->single || to->kind == FT_TO_END || (to->kind == FT_TO_NEXT && index + 1 >= l->list->count)) {
        way(l, cond, "end", certain, why);
        end_here(l);
    } else {
        next = to->kind == FT_TO_STEP ? to->index : index + 1;
        way(l, cond, l->list->steps[next].id, certain, why);
        dry_arrive(l, next, l->env, l->left, certain, l->changed);
    }
}

static void leave(struct dry_list *l)
{
    json_array_append(l->nodes, l->node);
    json_decref(l->node);
    json_decref(l->env);
    json_decref(l->left);
    json_decref(l->params);
    json_decref(l->result);
    l->node = l->env = l->left = l->params = l->result = NULL;
    l->step = NULL;
    dry_soon(l->dry);
}

/* ---- failing */

static json_t *error_of(const struct ft_step *step, const char *class, const char *text)
{
    return json_pack("{s:s, s:s, s:s, s:s?}", "class", class, "text", text, "step", step->id, "action", step->verb == FT_VERB_RUN ? step->call.name : NULL);
}

/* The way of a failed step; cond says when. */
static void fail_way(struct dry_list *l, bool certain, const char *cond, json_t *error)
{
    json_t *env = l->env;

    if (!l->step->has_on_error) {
        l->may_fail = true;
        if (certain)
            way(l, cond, "failure", true, NULL);
        json_decref(error);
        return;
    }
    l->env = json_copy(env);
    json_object_set_new(l->env, "error", error);
    follow(l, &l->step->on_error, certain, cond, NULL);
    json_decref(l->env);
    l->env = env;
}

void dry_failed(struct dry_list *l, const char *class, const char *text)
{
    json_object_set_new(l->node, "error", json_string(text));
    fail_way(l, l->certain, "it failed", error_of(l->step, class, text));
    leave(l);
}

void dry_fails_unknown(struct dry_list *l, const char *text)
{
    json_object_set_new(l->node, "error", json_string(text));
    fail_way(l, l->certain, "it failed", ft_unknown("how it fails"));
    leave(l);
}

/* Whether it fails before or behind its result (in a branch) is not known either: so what it would have set is unknown on that way. */
void dry_may_fail(struct dry_list *l)
{
    json_t *env = l->env;

    if (l->failing)
        return;
    l->failing = true;
    l->env = json_copy(env);
    json_object_set_new(l->env, l->step->id, ft_unknown(l->step->title));
    for (size_t i = 0; i < l->step->set_count; i++)
        json_object_set_new(l->env, l->step->sets[i].name, ft_unknown(l->step->title));
    fail_way(l, false, "it fails", ft_unknown("whether and how it fails"));
    json_decref(l->env);
    l->env = env;
}

/* It may fail before its write is sent, and behind it: what a way out of either finds differs. */
void dry_may_fail_behind(struct dry_list *l)
{
    if (!l->step->has_on_error)
        return;
    l->quiet = true;
    l->failing = false;
    dry_may_fail(l);
    l->quiet = false;
}

/* ---- the good end */

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
            json_object_set_new(l->node, "error", json_string(err.text));
            fail_way(l, certain, "the condition failed", error_of(l->step, "invalid", err.text));
        } else if (e == FT_EVAL_UNKNOWN) {
            certain = false;
            follow(l, &b->to, false, b->text, because(b->text, r.value, json_incref(r.reads)));
            dry_may_fail(l);
        } else if (truthy(r.value)) {
            follow(l, &b->to, certain, b->text, because(b->text, r.value, json_incref(r.reads)));
        }
        bool over = e == FT_EVAL_ERROR || (e == FT_EVAL_OK && truthy(r.value));

        ft_eval_result_done(&r);
        if (over)
            return;
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

/* What the step's author expects of a result that is not known yet. */
static json_t *assumed(struct dry_list *l, json_t *result)
{
    struct ft_eval_result r = { 0 };
    struct ft_err err = { 0 };

    if (!l->step->assume || !ft_has_unknown(result))
        return result;
    if (eval_tmpl(l->step->assume, l->env, &r, &err) != FT_EVAL_ERROR) {
        json_decref(result);
        result = json_incref(r.value);
        json_object_set_new(l->node, "assumed", json_true());
    }
    ft_eval_result_done(&r);
    return result;
}

static void go_well(struct dry_list *l, json_t *result)
{
    json_decref(l->result);
    l->result = result;
    if (l->step->verb == FT_VERB_SET)
        json_object_update(l->env, result);
    else
        json_object_set(l->env, l->step->id, result);
    branches(l);
}

void dry_known(struct dry_list *l, json_t *result)
{
    result = assumed(l, result);
    if (ft_has_unknown(result) && l->step->verb != FT_VERB_WAIT)
        dry_may_fail(l);
    go_well(l, result);
    say(l);
    leave(l);
}

/* ---- verbs */

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
            dry_failed(l, "invalid", err.text);
            return;
        }
        json_object_set(result, l->step->sets[i].name, r.value);
        ft_eval_result_done(&r);
    }
    dry_known(l, result);
}

static void explore_lua(struct dry_list *l)
{
    struct ft_eval_result r = { 0 };
    struct ft_err err = { 0 };
    enum ft_eval e = eval_chunk(l->step->lua, l->env, &r, &err);
    json_t *value = json_incref(r.value);

    ft_eval_result_done(&r);
    if (e == FT_EVAL_ERROR)
        dry_failed(l, "invalid", err.text);
    else
        dry_known(l, value);
}

/* The question as people will see it. False: its text cannot be made, so the step has failed. */
static bool question(struct dry_list *l)
{
    struct ft_eval_result r = { 0 };
    struct ft_err err = { 0 };
    enum ft_eval e = eval_tmpl(l->step->text, l->env, &r, &err);

    if (e == FT_EVAL_OK) {
        char *text = ft_json_brief(r.value, 400);

        dry_note(l, text);
        free(text);
    } else if (e == FT_EVAL_UNKNOWN) {
        dry_may_fail(l);
    }
    ft_eval_result_done(&r);
    if (e == FT_EVAL_ERROR)
        dry_failed(l, "invalid", err.text);
    return e != FT_EVAL_ERROR;
}

static json_t *decision(bool approved)
{
    return json_pack("{s:b, s:o, s:o, s:o}", "approved", approved, "by", ft_unknown("who answers"), "reason", ft_unknown("what is answered"),
                     "expired", approved ? json_false() : ft_unknown("whether anybody answers"));
}

/* The gate that this very plan is for: what is approved is what follows when it is. */
static bool is_start(const struct dry_list *l)
{
    return l->dry->ahead_of && l->dry->ahead_of->step == l->step && !l->parent && l->dry->count == 1;
}

static void explore_approve(struct dry_list *l)
{
    json_t *env;

    if (!question(l))
        return;
    json_object_set_new(l->node, "by", json_pack("{s:s?, s:i}", "role", l->step->by_role, "count", (int)(l->step->by_count ? l->step->by_count : 1)));
    if (l->step->assume && !is_start(l)) {
        dry_known(l, ft_unknown(l->step->title));
        return;
    }
    if (!is_start(l)) {
        l->certain = false;
        env = json_copy(l->env);
        go_well(l, decision(false));
        json_decref(l->env);
        l->env = env;
    }
    go_well(l, decision(true));
    leave(l);
}

static void explore_ask(struct dry_list *l)
{
    json_t *result = json_object(), *spec;
    const char *name;

    if (!question(l)) {
        json_decref(result);
        return;
    }
    json_object_foreach(l->step->fields, name, spec)
        json_object_set_new(result, name, ft_unknown("what is answered"));
    dry_may_fail(l);                               /* nobody answers in time */
    dry_known(l, result);
}

static void explore_wait(struct dry_list *l)
{
    struct ft_eval_result r = { 0 };
    struct ft_err err = { 0 };

    if (l->step->wait && eval_tmpl(l->step->wait, l->env, &r, &err) == FT_EVAL_UNKNOWN)
        dry_may_fail(l);
    if (r.value && !ft_has_unknown(r.value))
        json_object_set(l->node, "wait", r.value);
    ft_eval_result_done(&r);
    if (l->step->wait_window) {
        json_object_set_new(l->node, "window", json_string(l->step->wait_window));
        dry_known(l, json_pack("{s:s, s:o}", "window", l->step->wait_window, "closes", ft_unknown("the wait")));
        return;
    }
    dry_known(l, json_pack("{s:o}", "waited_ms", ft_unknown("the wait")));
}

static void explore_verb(struct dry_list *l)
{
    switch (l->step->verb) {
    case FT_VERB_RUN: dry_run_verb(l); break;
    case FT_VERB_SET: explore_set(l); break;
    case FT_VERB_LUA: explore_lua(l); break;
    case FT_VERB_APPROVE: explore_approve(l); break;
    case FT_VERB_ASK: explore_ask(l); break;
    case FT_VERB_WAIT: explore_wait(l); break;
    case FT_VERB_FOR_EACH: dry_for_each(l); break;
    case FT_VERB_CALL: dry_call_verb(l); break;
    case FT_VERB_PARALLEL: dry_parallel(l); break;
    }
}

/* ---- one step in one state */

static void begin(struct dry_list *l, size_t index, struct dry_state *state)
{
    l->step = &l->list->steps[index];
    l->env = json_copy(state->env);
    l->certain = state->certain;
    l->left = json_incref(state->left);
    l->changed = state->changed;
    l->failing = false;
    l->node = json_pack("{s:i, s:s+, s:s, s:s, s:s, s:b, s:[]}", "n", (int)++l->dry->count, "path", l->prefix, l->step->id, "id", l->step->id, "title", l->step->title,
                        "verb", ft_verb_name(l->step->verb), "certain", l->certain, "ways");
    dry_state_free(state);
}

static void skip(struct dry_list *l, json_t *why)
{
    static const struct ft_target next = { .kind = FT_TO_NEXT, .name = "next" };

    follow(l, &next, l->certain, "skipped", why);
}

void dry_step(struct dry_list *l, size_t index, struct dry_state *state)
{
    struct ft_eval_result r = { 0 };
    struct ft_err err = { 0 };
    enum ft_eval e;
    json_t *why;
    bool go;

    begin(l, index, state);
    if (!l->step->when || is_start(l)) {
        explore_verb(l);
        return;
    }
    e = eval_chunk(l->step->when, l->env, &r, &err);
    if (e == FT_EVAL_ERROR) {
        ft_eval_result_done(&r);
        dry_failed(l, "invalid", err.text);
        return;
    }
    go = e == FT_EVAL_UNKNOWN || truthy(r.value);
    why = because(ft_chunk_text(l->step->when), r.value, json_incref(r.reads));
    ft_eval_result_done(&r);
    if (e == FT_EVAL_UNKNOWN) {
        l->certain = false;
        dry_may_fail(l);
    }
    if (e == FT_EVAL_UNKNOWN || !go)
        skip(l, why);
    else
        json_decref(why);
    if (e == FT_EVAL_UNKNOWN) {
        json_t *own = json_copy(l->env);           /* the way around it knows nothing of what it will set */

        json_decref(l->env);
        l->env = own;
    }
    if (go)
        explore_verb(l);
    else
        leave(l);
}

void dry_inside(struct dry_list *l, size_t index, struct dry_state *state, bool may_fail)
{
    begin(l, index, state);
    dry_note(l, "under way");
    if (may_fail)
        dry_may_fail(l);
    dry_known(l, ft_unknown(l->step->title));
}
