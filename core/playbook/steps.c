/* steps.c: the structure of steps: one verb each, its keys and values. Names inside texts come later (compile.c). */
#include "playbook/loader.h"
#include "base/text.h"

static void read_list(struct loader *ld, const struct ft_node *node, struct list_info *list, struct ft_list_of_steps *ret);
static struct step_info *read_step(struct loader *ld, const struct ft_node *node, struct list_info *list, struct ft_step *step);

#define COMMON { "id" }, { "title" }, { "when" }, { "on_error" }, { "branch" }, { "then" }

const struct rd_key pb_run_keys[] = {
    { "run" }, { "with" }, { "effect" }, { "timeout" }, { "retry" }, { "verify" }, { "undo" }, { "assume" }, { "say" }, COMMON, { NULL },
};
static const struct rd_key set_keys[] = { { "set" }, COMMON, { NULL } };
static const struct rd_key lua_keys[] = { { "lua" }, { "say" }, COMMON, { NULL } };
static const struct rd_key approve_keys[] = { { "approve" }, { "by" }, { "within" }, { "assume" }, { "say" }, COMMON, { NULL } };
static const struct rd_key ask_keys[] = { { "ask" }, { "fields", true }, { "within" }, { "assume" }, { "say" }, COMMON, { NULL } };
static const struct rd_key wait_keys[] = { { "wait" }, COMMON, { NULL } };
static const struct rd_key parallel_keys[] = { { "parallel" }, { "say" }, COMMON, { NULL } };
static const struct rd_key for_each_keys[] = {
    { "for_each" }, { "as", true }, { "steps", true }, { "batches" }, { "at_once" }, { "max_failures" }, { "soak" }, { "check" }, { "say" }, COMMON, { NULL },
};
static const struct rd_key call_keys[] = { { "call" }, { "with" }, { "assume" }, { "say" }, COMMON, { NULL } };

static const struct verb { const char *key, *what; const struct rd_key *keys; } verbs[] = {
    [FT_VERB_RUN] = { "run", "a `run` step", pb_run_keys }, [FT_VERB_SET] = { "set", "a `set` step", set_keys },
    [FT_VERB_LUA] = { "lua", "a `lua` step", lua_keys }, [FT_VERB_APPROVE] = { "approve", "an `approve` step", approve_keys },
    [FT_VERB_ASK] = { "ask", "an `ask` step", ask_keys }, [FT_VERB_WAIT] = { "wait", "a `wait` step", wait_keys },
    [FT_VERB_PARALLEL] = { "parallel", "a `parallel` step", parallel_keys }, [FT_VERB_FOR_EACH] = { "for_each", "a `for_each` step", for_each_keys },
    [FT_VERB_CALL] = { "call", "a `call` step", call_keys },
};

const struct ft_node *pb_verb_node(const struct step_info *info)
{
    return ft_node_get(info->node, verbs[info->step->verb].key);
}

bool pb_takes(const struct step_info *info, const char *key)
{
    return rd_is_key(verbs[info->step->verb].keys, key);
}

bool pb_has(const struct step_info *info, const char *key)
{
    return rd_has(info->node, verbs[info->step->verb].keys, key);
}

struct ft_mark pb_value_mark(const struct ft_node *map, const char *key)
{
    const struct ft_node *node = ft_node_get(map, key);

    return node ? rd_at(node) : rd_mark(map);
}

/* ---- which verb -------------------------------------------------------------------------------------------------- */

/* Keys that any verb may have, for a step whose verb is not known. */
static const struct rd_key all_keys[] = {
    { "run" }, { "set" }, { "lua" }, { "approve" }, { "ask" }, { "wait" }, { "parallel" }, { "for_each" }, { "call" }, { "with" }, { "effect" },
    { "timeout" }, { "retry" }, { "verify" }, { "undo" }, { "assume" }, { "say" }, { "by" }, { "within" }, { "fields" }, { "as" }, { "steps" },
    { "batches" }, { "at_once" }, { "max_failures" }, { "soak" }, { "check" }, COMMON, { NULL },
};

/* The first verb; a further one is a mistake. False: there is none. */
static bool find_verb(struct loader *ld, const struct ft_node *node, enum ft_verb *ret)
{
    const struct ft_node *found = NULL;

    for (const struct ft_node *member = node->first; member; member = member->next)
        for (unsigned i = 0; i < ARRAY_LEN(verbs); i++) {
            if (strcmp(verbs[i].key, member->key) != 0)
                continue;
            if (found) {
                rd_error(&ld->rd, member->key_mark, NULL, "a step does one thing: it has `%s` already, so `%s` is a step of its own", found->key, member->key);
                continue;
            }
            found = member;
            *ret = (enum ft_verb)i;
        }
    return found != NULL;
}

static const char *verb_of_key(const char *key)
{
    for (unsigned i = 0; i < ARRAY_LEN(verbs); i++)
        if (rd_is_key(verbs[i].keys, key))
            return verbs[i].what;
    return NULL;
}

static void check_keys(struct loader *ld, const struct step_info *info)
{
    const struct verb *verb = &verbs[info->step->verb];

    for (const struct ft_node *member = info->node->first; member; member = member->next) {
        const char *owner = verb_of_key(member->key);
        bool is_verb = false;

        for (unsigned i = 0; i < ARRAY_LEN(verbs); i++)
            is_verb = is_verb || strcmp(verbs[i].key, member->key) == 0;
        if (rd_is_key(verb->keys, member->key) || is_verb)
            continue;
        if (owner)
            rd_error(&ld->rd, member->key_mark, NULL, "`%s` goes with %s, not with %s", member->key, owner, verb->what);
        else
            rd_unknown_key(&ld->rd, member, verb->what, verb->keys);
    }
    for (const struct rd_key *key = verb->keys; key->name; key++)
        if (key->required && !rd_has(info->node, verb->keys, key->name))
            rd_error(&ld->rd, pb_verb_node(info)->key_mark, NULL, "%s needs `%s:`", verb->what, key->name);
}

/* ---- the verbs --------------------------------------------------------------------------------------------------- */

static void read_retry(struct loader *ld, struct step_info *info)
{
    static const struct rd_key keys[] = { { "times", true }, { "every" }, { "backoff" }, { "if" }, { NULL } };
    const struct ft_node *node = ft_node_get(info->node, "retry");
    struct ft_retry *retry = &info->step->retry;

    retry->every_ms = 5000;
    retry->backoff = 1;
    if (!node)
        return;
    rd_keys(&ld->rd, node, "`retry`", keys);
    rd_uint(&ld->rd, ft_node_get(node, "times"), "`times`", 1, 100, &retry->times);
    rd_duration(&ld->rd, ft_node_get(node, "every"), "`every`", &retry->every_ms);
    rd_real(&ld->rd, ft_node_get(node, "backoff"), "`backoff`", 1, 10, &retry->backoff);
}

static void read_run(struct loader *ld, struct step_info *info)
{
    struct ft_step *step = info->step;

    pb_read_call(ld, info->node, &step->call);
    rd_duration(&ld->rd, ft_node_get(info->node, "timeout"), "`timeout`", &step->timeout_ms);
    read_retry(ld, info);
    pb_read_write(ld, info);
}

static void read_set(struct loader *ld, struct step_info *info)
{
    const struct ft_node *node = pb_verb_node(info);
    struct ft_step *step = info->step;

    if (!rd_map(&ld->rd, node, "`set`"))
        return;
    step->sets = ft_arena_alloc(ld->mem, node->count * sizeof(*step->sets));
    for (const struct ft_node *member = node->first; member; member = member->next) {
        struct name *name = pb_name_add(ld, NAME_SET, member->key, member->key_mark);

        step->sets[step->set_count++].name = member->key;
        if (name)
            pb_name_set_by(ld, name, info);
    }
}

static void read_approve(struct loader *ld, struct step_info *info)
{
    static const struct rd_key keys[] = { { "role", true }, { "count" }, { NULL } };
    const struct ft_node *by = ft_node_get(info->node, "by");
    const char *role;

    rd_text(&ld->rd, pb_verb_node(info), "`approve`");
    rd_duration(&ld->rd, ft_node_get(info->node, "within"), "`within`", &info->step->within_ms);
    info->step->by_count = 1;
    if (!by)
        return;
    rd_keys(&ld->rd, by, "`by`", keys);
    role = rd_constant(&ld->rd, ft_node_get(by, "role"), "`role`");
    info->step->by_role = role;
    rd_uint(&ld->rd, ft_node_get(by, "count"), "`count`", 1, 100, &info->step->by_count);
}

static void read_ask(struct loader *ld, struct step_info *info)
{
    rd_text(&ld->rd, pb_verb_node(info), "`ask`");
    rd_duration(&ld->rd, ft_node_get(info->node, "within"), "`within`", &info->step->within_ms);
    info->step->fields = pb_specs(ld, ft_node_get(info->node, "fields"), "`fields`", true);
}

static void read_window(struct loader *ld, struct step_info *info, const struct ft_node *node)
{
    const char *name = rd_constant(&ld->rd, node, "`window`"), *near = NULL;
    const struct ft_playbook_world *world = ld->session->world;
    char mean[128];

    info->step->wait_window = name;
    if (name && world->window && !world->window(world->window_arg, name, &near))
        rd_error(&ld->rd, node->mark, NULL, "the configuration has no change window '%s'%s", name, rd_did_you_mean(near, mean, sizeof(mean)));
}

static void read_wait_for(struct loader *ld, struct step_info *info, const struct ft_node *node)
{
    static const struct rd_key keys[] = { { "window" }, { "event" }, { "match" }, { "within" }, { NULL } };
    uint64_t ms;

    rd_keys(&ld->rd, node, "`wait`", keys);
    rd_duration(&ld->rd, ft_node_get(node, "within"), "`within`", &ms);
    if (ft_node_get(node, "window") && (ft_node_get(node, "event") || ft_node_get(node, "match") || ft_node_get(node, "within")))
        rd_error(&ld->rd, rd_mark(node), NULL, "`wait` with a `window` has nothing else beside it");
    else if (ft_node_get(node, "window"))
        read_window(ld, info, ft_node_get(node, "window"));
    else if (ft_node_get(node, "event"))
        rd_error(&ld->rd, ft_node_get(node, "event")->key_mark, NULL, "not supported yet by this version: waiting for an event");
    else
        rd_error(&ld->rd, rd_mark(node), NULL, "`wait` takes a duration: 30s, 5m, 1.5h, 2d");
}

static void read_wait(struct loader *ld, struct step_info *info)
{
    const struct ft_node *node = pb_verb_node(info);
    uint64_t ms;

    if (node->kind == FT_NODE_MAP)
        read_wait_for(ld, info, node);
    else if (node->kind != FT_NODE_STRING || !pb_has_expression(node->text))
        rd_duration(&ld->rd, node, "`wait`", &ms);
}

/* ---- steps with steps in them ------------------------------------------------------------------------------------ */

static struct list_info *inner_list(struct loader *ld, struct step_info *info, bool parallel)
{
    struct list_info *list = ft_arena_alloc(ld->mem, sizeof(*list));
    unsigned depth = 0;

    for (const struct step_info *s = info; s; s = s->list->owner)
        depth++;
    if (depth > FT_MAX_NESTING) {
        rd_error(&ld->rd, pb_verb_node(info)->key_mark, NULL, "steps stand in each other more than %d deep here", FT_MAX_NESTING);
        return NULL;
    }
    list->owner = info;
    list->parallel = parallel;
    return info->inner = list;
}

/* What runs side by side must neither wait for people nor name values in no order. */
static void check_child(struct loader *ld, const struct step_info *child)
{
    static const char *const refused[] = { "id", "branch", "then", NULL };
    enum ft_verb verb = child->step->verb;

    for (size_t i = 0; refused[i]; i++) {
        const struct ft_node *key = ft_node_get(child->node, refused[i]);

        if (key && i == 0)
            rd_error(&ld->rd, key->key_mark, NULL, "a step of a parallel has its name as its id: leave out `id`");
        else if (key)
            rd_error(&ld->rd, key->key_mark, NULL, "a step of a parallel goes nowhere: put `%s` on the parallel", refused[i]);
    }
    if (child->broken)
        return;
    if (verb == FT_VERB_SET || verb == FT_VERB_APPROVE || verb == FT_VERB_ASK || verb == FT_VERB_PARALLEL)
        rd_error(&ld->rd, pb_verb_node(child)->key_mark, NULL, "`%s` cannot stand in a parallel; make it a step before or after", ft_verb_name(verb));
}

static void read_parallel(struct loader *ld, struct step_info *info)
{
    const struct ft_node *node = pb_verb_node(info);
    struct list_info *list = inner_list(ld, info, true);
    struct ft_list_of_steps *inner = &info->step->inner;

    if (!list || !rd_map(&ld->rd, node, "`parallel`"))
        return;
    if (node->count < 2)
        rd_error(&ld->rd, rd_mark(node), NULL, "a parallel of one step is that step: write it alone");
    inner->steps = ft_arena_alloc(ld->mem, node->count * sizeof(*inner->steps));
    list->steps = ft_arena_alloc(ld->mem, node->count * sizeof(*list->steps));
    for (const struct ft_node *member = node->first; member; member = member->next) {
        struct step_info *child;

        rd_name(&ld->rd, member->key, member->key_mark, "the name of a step");
        child = read_step(ld, member, list, &inner->steps[inner->count]);
        if (!child)
            continue;
        child->mark = member->key_mark;
        child->id_text = child->step->id = member->key;
        child->step->has_id = true;
        if (!ft_node_get(member, "title"))
            child->step->title = member->key;
        check_child(ld, child);
        json_object_set_new(ld->children, member->key, json_integer((json_int_t)child->number));
        list->steps[list->count++] = child;
        inner->count++;
    }
}

/* 5 or 10%. */
static bool read_share(struct loader *ld, const struct ft_node *node, const char *what, unsigned min, struct ft_batch *ret)
{
    char *end = NULL;
    unsigned n;

    if (!node)
        return false;
    if (node->kind == FT_NODE_STRING) {
        ret->value = strtod(node->text, &end);
        ret->percent = true;
        if (node->len < 2 || strcmp(end, "%") != 0 || !strchr("0123456789", node->text[0]) || !(ret->value >= min && ret->value <= 100)) {
            rd_error(&ld->rd, node->mark, NULL, "%s takes a number or a percentage up to 100%%: 5 or 10%%", what);
            return false;
        }
        return true;
    }
    if (!rd_uint(&ld->rd, node, what, min, 1000000, &n))
        return false;
    *ret = (struct ft_batch){ .value = n };
    return true;
}

/* The first batch is the canary: none behind it is smaller, and none comes when there is nothing left. */
static void check_batch(struct loader *ld, const struct ft_node *item, const struct ft_batch *before, const struct ft_batch *batch)
{
    if (before->percent && before->value >= 100)
        rd_error(&ld->rd, item->mark, NULL, "nothing is left for a batch behind one of 100%%");
    else if (before->percent == batch->percent && batch->value < before->value)
        rd_error(&ld->rd, item->mark, NULL, "this batch is smaller than the one before; the first is the canary, so batches only grow");
}

static void read_batches(struct loader *ld, const struct ft_node *node, struct ft_step *step)
{
    if (!node || !rd_list(&ld->rd, node, "`batches`"))
        return;
    step->batches = ft_arena_alloc(ld->mem, node->count * sizeof(*step->batches));
    for (const struct ft_node *item = node->first; item; item = item->next) {
        struct ft_batch *batch = &step->batches[step->batch_count];

        if (!read_share(ld, item, "a batch", 1, batch))
            continue;
        if (step->batch_count++)
            check_batch(ld, item, batch - 1, batch);
    }
}

/* What stands between batches. */
static void read_between(struct loader *ld, struct step_info *info)
{
    const struct ft_node *soak = ft_node_get(info->node, "soak"), *check = ft_node_get(info->node, "check");
    const struct ft_step *step = info->step;
    bool batches = pb_has(info, "batches");

    rd_duration(&ld->rd, soak, "`soak`", &info->step->soak_ms);
    if (check)
        info->step->check = pb_read_check(ld, check, "`check`");
    if (soak && !batches)
        rd_error(&ld->rd, soak->key_mark, NULL, "`soak` is the wait between two batches: say `batches` too, or put a `wait` step behind this one");
    else if (soak && step->batch_count == 1 && step->batches[0].percent && step->batches[0].value >= 100)
        rd_error(&ld->rd, soak->key_mark, NULL, "`soak` is the wait between two batches, and there is only one");
    if (check && !batches)
        rd_error(&ld->rd, check->key_mark, NULL, "`check` looks after each batch: say `batches` too, or put the look into a step behind this one");
}

static void read_for_each(struct loader *ld, struct step_info *info)
{
    const struct ft_node *as = ft_node_get(info->node, "as"), *list = pb_verb_node(info);
    struct ft_step *step = info->step;
    struct name *name;

    if (list->kind != FT_NODE_LIST && !(list->kind == FT_NODE_STRING && pb_has_expression(list->text)))
        rd_error(&ld->rd, rd_at(list), NULL, "`for_each` takes a list, or one expression that gives a list: \"${aps.items}\"");
    step->as = rd_constant(&ld->rd, as, "`as`");
    if (step->as && (name = pb_name_add(ld, NAME_AS, step->as, as->mark)) != NULL) {
        for (const struct setter *s = name->setters; s; s = s->next)
            if (pb_is_inside(info, s->step))
                rd_error(&ld->rd, as->mark, NULL, "'%s' is the item of the for_each around this one (line %u); choose another", step->as, s->step->mark.line);
        pb_name_set_by(ld, name, info);
    }
    read_batches(ld, ft_node_get(info->node, "batches"), step);
    step->at_once = 1;
    rd_uint(&ld->rd, ft_node_get(info->node, "at_once"), "`at_once`", 1, 1000, &step->at_once);
    step->has_max_failures = read_share(ld, ft_node_get(info->node, "max_failures"), "`max_failures`", 0, &step->max_failures);
    read_between(ld, info);
    if (inner_list(ld, info, false))
        read_list(ld, ft_node_get(info->node, "steps"), info->inner, &step->inner);
}

static void read_call(struct loader *ld, struct step_info *info)
{
    const struct ft_node *node = pb_verb_node(info);
    const char *name = rd_constant(&ld->rd, node, "`call`");

    if (name)
        info->step->callee = pb_callee(ld, node, name);
}

static void read_lua(struct loader *ld, struct step_info *info)
{
    rd_text(&ld->rd, pb_verb_node(info), "`lua`");
}

/* ---- one step ---------------------------------------------------------------------------------------------------- */

static void (*const readers[])(struct loader *ld, struct step_info *info) = {
    [FT_VERB_RUN] = read_run, [FT_VERB_SET] = read_set, [FT_VERB_LUA] = read_lua, [FT_VERB_APPROVE] = read_approve, [FT_VERB_ASK] = read_ask,
    [FT_VERB_WAIT] = read_wait, [FT_VERB_PARALLEL] = read_parallel, [FT_VERB_FOR_EACH] = read_for_each, [FT_VERB_CALL] = read_call,
};

static void read_id(struct loader *ld, struct step_info *info)
{
    const struct ft_node *node = ft_node_get(info->node, "id");
    struct ft_step *step = info->step;
    const char *id;
    struct name *name;

    step->id = ft_arena_printf(ld->mem, "step_%zu", info->number + 1);
    if (!node || info->list->parallel || !(id = rd_constant(&ld->rd, node, "`id`")))
        return;
    info->mark = node->mark;
    if (!json_object_get(ld->ids, id))
        json_object_set_new(ld->ids, id, json_integer((json_int_t)info->number));
    name = pb_name_add(ld, NAME_STEP, id, node->mark);
    if (!name)
        return;
    name->step = info;
    info->id_text = step->id = id;
    step->has_id = true;
}

static const char *verb_title(const struct step_info *info)
{
    const struct ft_node *node = pb_verb_node(info);

    if (info->step->has_id)
        return info->step->id;
    return info->step->verb == FT_VERB_RUN && node->kind == FT_NODE_STRING ? node->text : verbs[info->step->verb].key;
}

static struct step_info *new_info(struct loader *ld, const struct ft_node *node, struct list_info *list, struct ft_step *step)
{
    struct step_info *info = ft_arena_alloc(ld->mem, sizeof(*info));

    if (ld->step_count == ld->step_room) {
        ld->step_room = ld->step_room ? ld->step_room * 2 : 64;
        ld->steps = ft_realloc(ld->steps, ld->step_room * sizeof(*ld->steps));
    }
    info->step = step;
    info->node = node;
    info->list = list;
    info->index = list->count;
    info->number = ld->step_count;
    info->mark = node->mark;
    ld->steps[ld->step_count++] = info;
    return info;
}

/* A step whose verb is not known keeps its place in the flow, so that its id and its targets are still checked. */
static void read_nothing(struct loader *ld, struct step_info *info)
{
    info->broken = true;
    info->step->verb = FT_VERB_WAIT;
    info->step->title = "";
    if (rd_keys(&ld->rd, info->node, "a step", all_keys))
        rd_error(&ld->rd, info->node->mark, NULL, "this step does nothing: give it one of run, set, lua, approve, ask, wait, parallel, for_each, call");
    read_id(ld, info);
}

/* NULL: not a step at all. */
static struct step_info *read_step(struct loader *ld, const struct ft_node *node, struct list_info *list, struct ft_step *step)
{
    struct step_info *info;
    const char *title;

    if (!rd_map(&ld->rd, node, "a step"))
        return NULL;
    if (ld->step_count >= FT_MAX_STEPS) {
        if (!ld->too_many)
            rd_error(&ld->rd, rd_mark(node), NULL, "a playbook has at most %d steps", FT_MAX_STEPS);
        ld->too_many = true;
        return NULL;
    }
    info = new_info(ld, node, list, step);
    step->mark = node->mark;
    if (!find_verb(ld, node, &step->verb)) {
        read_nothing(ld, info);
        return info;
    }
    check_keys(ld, info);
    read_id(ld, info);
    title = rd_constant(&ld->rd, ft_node_get(node, "title"), "`title`");
    step->title = title ? title : verb_title(info);
    readers[step->verb](ld, info);
    return info;
}

static void read_list(struct loader *ld, const struct ft_node *node, struct list_info *list, struct ft_list_of_steps *ret)
{
    if (!node || !rd_list(&ld->rd, node, "`steps`"))
        return;
    ret->steps = ft_arena_alloc(ld->mem, node->count * sizeof(*ret->steps));
    list->steps = ft_arena_alloc(ld->mem, node->count * sizeof(*list->steps));
    for (const struct ft_node *item = node->first; item; item = item->next) {
        struct step_info *info = read_step(ld, item, list, &ret->steps[ret->count]);

        if (!info) {
            ld->flow_broken = list->incomplete = true;
            continue;
        }
        list->steps[list->count++] = info;
        ret->count++;
    }
}

void pb_read_steps(struct loader *ld, const struct ft_node *node)
{
    ld->main = ft_arena_alloc(ld->mem, sizeof(*ld->main));
    read_list(ld, node, ld->main, &ld->pb->steps);
}
