/* dry.c: the dry run: what will happen, and what may happen, never a guess. How it goes about it: dry_internal.h; what comes of it: plan.h. */
#include "run/dry_internal.h"

static void explore(void *arg);

void dry_soon(struct dry *dry)
{
    ft_loop_defer(dry->run->engine->o.loop, explore, dry);
}

/* ---- lists */

struct dry_list *dry_list_open(struct dry *dry, struct dry_list *parent, const struct ft_playbook *playbook, const struct ft_list_of_steps *list, char *prefix,
                               json_t *env, json_t *left, bool certain, bool changed, size_t index, bool single)
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
    if (list->count) {
        dry_arrive(l, index, env, left, certain, changed);
    } else {
        l->end = json_incref(env);
        l->end_left = json_incref(left);
    }
    dry->top = l;
    return l;
}

void dry_list_close(struct dry_list *l)
{
    for (size_t i = 0; i < l->list->count; i++) {
        while (l->in[i]) {
            struct dry_state *s = l->in[i];

            l->in[i] = s->next;
            dry_state_free(s);
        }
    }
    free(l->in);
    free(l->prefix);
    json_decref(l->nodes);
    json_decref(l->outcomes);
    json_decref(l->end);
    json_decref(l->end_left);
    json_decref(l->left_keys);
    json_decref(l->left);
    json_decref(l->child_keys);
    json_decref(l->beside);
    json_decref(l->env);
    json_decref(l->node);
    json_decref(l->params);
    json_decref(l->result);
    json_decref(l->child_results);
    json_decref(l->items);
    free(l);
}

/* ---- the end */

static void finish(struct dry *dry)
{
    struct ft_run *run = dry->run;
    json_t *plan = dry_plan(dry), *event;
    size_t writes = ft_plan_writes(plan);

    if (dry->ahead_of) {
        dry->planned(dry->ahead_of, plan);         /* frees dry */
        return;
    }
    if (run->keep_plan)
        plan_keep(run, plan);
    event = ev("run.planned", NULL);
    json_object_set_new(event, "plan", plan);
    run_ride(run, event);
    json_decref(run->final);
    run->final = json_pack("{s:s, s:s, s:s, s:s, s:s}", "status", "finished", "outcome", "", "outcome_status", "ok", "title", "Dry run", "diagnosis",
                           writes ? "nothing was changed; the plan shows what would be" : "nothing was changed, and nothing would be");
    if (run->state != RUN_ENDED)
        run_finish(run);
}

static void take_over(struct dry *dry, struct dry_list *l)
{
    json_array_extend(dry->nodes, l->nodes);
    json_object_update(dry->outcomes, l->outcomes);
    dry->may_fail |= l->may_fail;
}

/* A gate within other steps: what comes behind those is ahead of it, too. */
static void climb(struct dry *dry, struct dry_list *l)
{
    struct step_run *owner = dry->level->owner;
    bool changed = l->wrote || dry_step_may_write(owner->step), may_fail = l->may_fail, certain = !l->may_fail;
    size_t index = (size_t)(owner->step - owner->list->list->steps);
    json_t *left = l->end ? json_incref(l->end_left) : l->left_keys ? dry_left_blur(NULL, l->left_keys) : NULL;
    struct dry_list *up;
    struct dry_state *state;

    json_object_clear(l->outcomes);                /* those of a called playbook, not of this one */
    l->may_fail = false;
    take_over(dry, l);
    dry_list_close(l);
    dry->level = owner->list;
    up = dry_list_open(dry, NULL, dry->level->playbook, dry->level->list, ft_strdup(dry->level->prefix), dry->level->env, left, certain, changed, index,
                       dry->level->single);
    json_decref(left);
    state = up->in[index];
    up->in[index] = NULL;
    dry_inside(up, index, state, may_fail);
}

static void list_over(struct dry_list *l)
{
    struct dry *dry = l->dry;

    if (l->parent) {
        dry->top = l->parent;
        l->over(l->parent, l);
    } else if (dry->level && dry->level->owner && (l->end || l->may_fail)) {
        climb(dry, l);
    } else {
        take_over(dry, l);
        finish(dry);
    }
}

/* ---- one turn */

static void explore(void *arg)
{
    struct dry *dry = arg;
    struct dry_list *l = dry->top;

    for (size_t i = 0; i < l->list->count; i++) {
        struct dry_state *s = l->in[i];

        if (!s)
            continue;
        l->in[i] = s->next;
        if (dry->count >= MAX_NODES) {
            dry->cut = true;
            dry_state_free(s);
            i--;
            continue;
        }
        dry_step(l, i, s);
        return;
    }
    list_over(l);
}

/* ---- beginning and end */

static struct dry *dry_new(struct ft_run *run)
{
    struct dry *dry = ft_calloc(1, sizeof(*dry));

    dry->run = run;
    dry->cache = json_object();
    dry->nodes = json_array();
    dry->outcomes = json_object();
    dry->touched = json_object();
    dry->writes = json_array();
    return dry;
}

void dry_start(struct ft_run *run)
{
    struct dry *dry = dry_new(run);

    run->dry = dry;
    dry_list_open(dry, NULL, run->playbook, run->root->list, ft_strdup(""), run->root->env, NULL, true, false, 0, false);
    dry_soon(dry);
}

struct dry *dry_ahead(struct step_run *step, void (*planned)(struct step_run *step, json_t *plan))
{
    struct list_run *list = step->list;
    struct dry *dry = dry_new(step->run);

    dry->ahead_of = step;
    dry->planned = planned;
    dry->level = list;
    dry_list_open(dry, NULL, list->playbook, list->list, ft_strdup(list->prefix), list->env, NULL, true, false, (size_t)(step->step - list->list->steps), list->single);
    dry_soon(dry);
    return dry;
}

struct dry *dry_free(struct dry *dry)
{
    struct ft_loop *loop;

    if (!dry)
        return NULL;
    loop = dry->run->engine->o.loop;
    ft_loop_undefer(loop, explore, dry);
    ft_loop_undefer(loop, dry_answer_later, dry);
    if (dry->call)
        ft_call_drop(dry->call);
    while (dry->top) {
        struct dry_list *up = dry->top->parent;

        dry_list_close(dry->top);
        dry->top = up;
    }
    json_decref(dry->cache);
    json_decref(dry->nodes);
    json_decref(dry->outcomes);
    json_decref(dry->touched);
    json_decref(dry->writes);
    free(dry->call_key);
    free(dry);
    return NULL;
}
