/* undo_plan.c: what `fettle undo` would do: each write is looked at, and each undo that can say what it would send is asked. Nothing is touched. */
#include "run/internal.h"

struct ft_undo_plan {
    struct ft_run *run;
    void (*done)(void *arg, json_t *plan);
    void *arg;
    json_t *writes;
    bool over;                         /* the run is */
    size_t left;                       /* of the stack, from its top */
    const json_t *item;
    json_t *entry;
    struct ft_call *call;
};

static void next_entry(void *arg);

static void entry_over(struct ft_undo_plan *p)
{
    json_array_append_new(p->writes, p->entry);
    p->entry = NULL;
    ft_loop_defer(p->run->engine->o.loop, next_entry, p);
}

static void ask(struct ft_undo_plan *p, const char *action, const json_t *params, const struct ft_call_handler *handler)
{
    struct ft_call_req req = { .entry = FT_ENTRY_PLAN, .params = params, .run_id = p->run->id };
    struct ft_err err = { 0 };
    int r = ft_registry_action(p->run->engine->o.registry, action, &req.info, &err);

    if (r == 0 && !req.info->action->plan.start)
        r = ft_err_set(&err, -ENOTSUP, "the action cannot say what it would send");
    if (r == 0)
        r = ft_call_start(p->run->engine->o.registry, &req, handler, p, &p->call, &err);
    if (r < 0)
        handler->fail(p, err.class ? err.class : FT_INVALID, err.text);
}

static void undo_planned(void *arg, json_t *plan)
{
    struct ft_undo_plan *p = arg;

    p->call = NULL;
    json_object_set_new(p->entry, "plan", ft_secret_redact_json(p->run->engine->o.secrets, plan));
    entry_over(p);
}

static void undo_unplanned(void *arg, enum ft_class class, const char *text)
{
    struct ft_undo_plan *p = arg;

    (void)class;
    p->call = NULL;
    json_object_set_new(p->entry, "unplanned", json_string(text));
    entry_over(p);
}

static const struct ft_call_handler undo_plan_handler = { .done = undo_planned, .fail = undo_unplanned };

static void looked(struct ft_undo_plan *p, json_t *now)
{
    static const char *const names[] = { [UNDO_UNKNOWN] = "unknown", [UNDO_AS_WRITTEN] = "as_written", [UNDO_BACK] = "back", [UNDO_MOVED] = "changed" };
    const json_t *before = json_object_get(p->item, "before"), *after = json_object_get(p->item, "after");
    enum undo_state state = undo_compare(p->item, now);

    json_object_set_new(p->entry, "state", json_string(names[state]));
    if (state == UNDO_MOVED)
        json_object_set_new(p->entry, "differences", undo_differences(before, after, now));
    if (now && before && state != UNDO_BACK)
        json_object_set_new(p->entry, "changes", ft_json_diff(now, before));
    json_decref(now);
    if (state != UNDO_BACK && ft_streq(ft_json_str(p->item, "kind"), "call"))
        ask(p, ft_json_str(p->item, "action"), json_object_get(p->item, "params"), &undo_plan_handler);
    else
        entry_over(p);
}

static void seen(void *arg, json_t *plan)
{
    struct ft_undo_plan *p = arg;
    const json_t *now = plan_state(plan);

    p->call = NULL;
    looked(p, now ? ft_secret_redact_json(p->run->engine->o.secrets, (json_t *)now) : NULL);
}

static void unseen(void *arg, enum ft_class class, const char *text)
{
    struct ft_undo_plan *p = arg;

    p->call = NULL;
    if (class != FT_NOT_FOUND)
        json_object_set_new(p->entry, "unseen", json_string(text));
    looked(p, class == FT_NOT_FOUND ? json_null() : NULL);
}

static const struct ft_call_handler look_handler = { .done = seen, .fail = unseen };

/* Sent, or about to be, and their ends are not known. */
static json_t *in_doubt(const struct ft_run *run)
{
    json_t *all = json_array(), *intent;
    const char *path;

    json_object_foreach(run->intents, path, intent)
        json_array_append_new(all, json_pack("{s:s, s:O*, s:O*}", "path", path, "title", json_object_get(intent, "title"), "action", json_object_get(intent, "action")));
    return all;
}

static void next_entry(void *arg)
{
    struct ft_undo_plan *p = arg;
    json_t *plan;

    while (p->left > 0 && !undo_is_wanted(p->run, json_array_get(p->run->undo, p->left - 1)))
        p->left--;
    if (p->left == 0) {
        plan = json_pack("{s:s, s:s, s:b, s:b, s:O, s:o, s:o}", "run", p->run->id, "playbook", ft_playbook_name(p->run->playbook), "over", p->over, "taking_back", !p->over && ft_run_rolls_back(p->run), "writes", p->writes,
                         "without", p->run->undo_only ? json_array() : json_copy(p->run->plain), "in_doubt", in_doubt(p->run));
        p->done(p->arg, plan);
        return;
    }
    p->item = json_array_get(p->run->undo, --p->left);
    p->entry = json_pack("{s:O, s:O?, s:O, s:O, s:O, s:O?}", "path", json_object_get(p->item, "path"), "title", json_object_get(p->item, "title"), "kind",
                         json_object_get(p->item, "kind"), "action", json_object_get(p->item, "action"), "write", json_object_get(p->item, "write"),
                         "params", json_object_get(p->item, "write_params"));
    if (json_object_get(p->item, "no_undo") && ft_streq(ft_json_str(p->item, "kind"), "auto"))
        json_object_set(p->entry, "no_undo", json_object_get(p->item, "no_undo"));
    if (json_object_get(p->item, "before"))
        ask(p, ft_json_str(p->item, "write"), json_object_get(p->item, "write_params"), &look_handler);
    else
        looked(p, NULL);
}

int ft_run_undo_plan(struct ft_engine *engine, const char *id, const struct ft_undo_opts *opts, void (*done)(void *arg, json_t *plan), void *arg, struct ft_undo_plan **ret,
                     struct ft_err *reterr)
{
    struct ft_undo_plan *p = ft_calloc(1, sizeof(*p));
    json_t *events = NULL;
    int r = ft_store_events(engine->o.store, id, 0, &events, reterr);

    p->done = done;
    p->arg = arg;
    p->writes = json_array();
    if (r == 0)
        r = opts->as_it_is ? undo_check_dry(events, id, reterr) : undo_check_over(events, id, reterr);
    p->over = r == 0 && run_over_event(events) != NULL;
    if (r == 0)
        r = run_from_events(engine, id, events, NULL, NULL, &p->run, reterr);
    if (r == 0)
        r = undo_choose(p->run, opts, reterr);
    json_decref(events);
    if (r < 0) {
        ft_undo_plan_free(p);
        return r;
    }
    p->left = json_array_size(p->run->undo);
    ft_loop_defer(engine->o.loop, next_entry, p);
    *ret = p;
    return 0;
}

void ft_undo_plan_free(struct ft_undo_plan *p)
{
    if (!p)
        return;
    if (p->call)
        ft_call_drop(p->call);
    if (p->run)
        ft_loop_undefer(p->run->engine->o.loop, next_entry, p);
    ft_run_free(p->run);
    json_decref(p->entry);
    json_decref(p->writes);
    free(p);
}
