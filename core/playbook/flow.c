/* flow.c: where steps lead: targets, ends, what can be reached, and which steps may have run before which.
 *
 * Every edge leads forward, so one walk in the order written is enough: when a step is met, all edges into it have been seen. */
#include "playbook/loader.h"
#include "base/text.h"

/* ---- outcomes ---------------------------------------------------------------------------------------------------- */

static void read_outcome(struct loader *ld, const struct ft_node *node, struct ft_outcome *outcome)
{
    static const struct rd_key keys[] = { { "title", true }, { "status" }, { "rollback" }, { "diagnosis" }, { "evidence" }, { NULL } };
    static const char *const statuses[] = { "ok", "attention", "failed", NULL };
    const char *title;
    char what[160];
    unsigned n = 0;

    snprintf(what, sizeof(what), "the outcome '%s'", node->key);
    rd_name(&ld->rd, node->key, node->key_mark, "an outcome's name");
    rd_keys(&ld->rd, node, what, keys);
    outcome->name = node->key;
    title = rd_constant(&ld->rd, ft_node_get(node, "title"), "`title`");
    outcome->title = title ? title : node->key;
    rd_one_of(&ld->rd, ft_node_get(node, "status"), "`status`", statuses, &n);
    outcome->status = (enum ft_status)n;
    rd_bool(&ld->rd, ft_node_get(node, "rollback"), "`rollback`", &outcome->rollback);
}

void pb_read_outcomes(struct loader *ld, const struct ft_node *node)
{
    struct ft_playbook *pb = ld->pb;

    if (!node || !rd_map(&ld->rd, node, "`outcomes`"))
        return;
    ld->outcomes_known = true;
    pb->outcomes = ft_arena_alloc(ld->mem, node->count * sizeof(*pb->outcomes));
    ld->ends = ft_arena_alloc(ld->mem, node->count * sizeof(*ld->ends));
    for (const struct ft_node *member = node->first; member; member = member->next) {
        json_object_set_new(ld->outcomes, member->key, json_integer((json_int_t)pb->outcome_count));
        ld->ends[pb->outcome_count].node = member;
        read_outcome(ld, member, &pb->outcomes[pb->outcome_count++]);
    }
}

/* ---- targets ----------------------------------------------------------------------------------------------------- */

static struct step_info *step_by_id(const struct loader *ld, const char *id)
{
    json_t *number = json_object_get(ld->ids, id);

    return number ? ld->steps[json_integer_value(number)] : NULL;
}

/* Names that `info` may lead to; the array is the caller's to free. */
static const char **possible_targets(const struct loader *ld, const struct step_info *info)
{
    const char **names = ft_calloc(info->list->count + ld->pb->outcome_count + 2, sizeof(*names));
    size_t n = 0;

    for (size_t i = info->index + 1; i < info->list->count; i++)
        if (info->list->steps[i]->id_text)
            names[n++] = info->list->steps[i]->id_text;
    for (size_t i = 0; !info->list->owner && i < ld->pb->outcome_count; i++)
        names[n++] = ld->pb->outcomes[i].name;
    if (info->list->owner)
        names[n++] = "end";
    return names;
}

/* Sets the target of a good name; false when there is none of this name. */
static bool find_target(const struct loader *ld, const struct step_info *info, const char *name, struct ft_target *ret)
{
    const struct step_info *step = step_by_id(ld, name);
    json_t *outcome = json_object_get(ld->outcomes, name);

    if (info->list->owner && strcmp(name, "end") == 0)
        *ret = (struct ft_target){ FT_TO_END, 0, name };
    else if (step && step->list == info->list && step->index > info->index)
        *ret = (struct ft_target){ FT_TO_STEP, step->index, name };
    else if (outcome && !info->list->owner)
        *ret = (struct ft_target){ FT_TO_OUTCOME, (size_t)json_integer_value(outcome), name };
    else
        return false;
    return true;
}

static void unknown_target(struct loader *ld, const struct step_info *info, const struct ft_node *node, struct ft_target *ret)
{
    const char **names = possible_targets(ld, info);
    const char *near = ft_suggest(node->text, names);
    char mean[128];

    if (info->list->owner)
        rd_error(&ld->rd, node->mark, NULL, "there is no later step '%s' in this for_each%s", node->text, rd_did_you_mean(near, mean, sizeof(mean)));
    else if (ld->outcomes_known || near)
        rd_error(&ld->rd, node->mark, NULL, "there is no later step and no outcome '%s'%s", node->text, rd_did_you_mean(near, mean, sizeof(mean)));
    if (!near || !find_target(ld, info, near, ret))          /* go on as if the nearest had been written */
        ld->flow_broken = true;
    free(names);
}

static void wrong_target(struct loader *ld, const struct step_info *info, const struct ft_node *node, struct ft_target *ret)
{
    const char *name = node->text;
    const struct step_info *step = step_by_id(ld, name);
    const struct list_info *list = info->list;

    if (list->parallel)
        rd_error(&ld->rd, node->mark, NULL, "in a parallel, `on_error` leads only to `end`: the others go on without this one");
    else if (step == info)
        rd_error(&ld->rd, node->mark, NULL, "'%s' leads to itself; to repeat, use `retry`, `verify` or `for_each`", name);
    else if (step && step->list == list)
        rd_error(&ld->rd, node->mark, NULL, "'%s' is an earlier step (line %u), and the way only goes forward; to repeat, use `retry`, `verify` or `for_each`", name,
                 step->mark.line);
    else if (step && step->list->owner)
        rd_error(&ld->rd, node->mark, NULL, "'%s' is a step inside a for_each; from outside lead to the for_each itself", name);
    else if (step || (list->owner && json_object_get(ld->outcomes, name)))
        rd_error(&ld->rd, node->mark, NULL, "'%s' is outside of this for_each; lead to a later step of it, or to `end` for the end of this item", name);
    else if (strcmp(name, "end") == 0)
        rd_error(&ld->rd, node->mark, NULL, "`end` ends an item of a for_each; here lead to a later step or to an outcome");
    else {
        unknown_target(ld, info, node, ret);
        return;
    }
    ld->flow_broken = true;
}

static void read_target(struct loader *ld, const struct step_info *info, const struct ft_node *node, const char *what, struct ft_target *ret)
{
    const char *name = rd_constant(&ld->rd, node, what);

    *ret = (struct ft_target){ FT_TO_NEXT, 0, NULL };
    if (!node)
        return;
    if (!name)
        ld->flow_broken = true;
    else if (info->list->parallel ? strcmp(name, "end") != 0 : !find_target(ld, info, name, ret))
        wrong_target(ld, info, node, ret);
    else if (info->list->parallel)
        *ret = (struct ft_target){ FT_TO_END, 0, name };
    if (!ret->name)
        ret->name = name;
}

static void read_way(struct loader *ld, struct step_info *info, const struct ft_node *node, bool last, struct ft_branch *branch)
{
    static const struct rd_key if_keys[] = { { "if", true }, { "then", true }, { NULL } };
    static const struct rd_key else_keys[] = { { "else", true }, { NULL } };
    const struct ft_node *otherwise = ft_node_get(node, "else");

    branch->mark = node->mark;
    branch->text = otherwise ? "else" : ft_node_get(node, "if") && ft_node_get(node, "if")->text ? ft_node_get(node, "if")->text : "";
    if (otherwise && ft_node_get(node, "if"))
        rd_error(&ld->rd, otherwise->key_mark, NULL, "`else` is a way of its own, the last one: `- else: %s`", otherwise->text ? otherwise->text : "…");
    else
        rd_keys(&ld->rd, node, "a way of `branch`", otherwise ? else_keys : if_keys);
    if (otherwise && !ft_node_get(node, "if") && !last)
        rd_error(&ld->rd, otherwise->key_mark, NULL, "`else` takes all that is left, so it comes last");
    read_target(ld, info, otherwise ? otherwise : ft_node_get(node, "then"), otherwise ? "`else`" : "`then`", &branch->to);
    if ((!otherwise && !ft_node_get(node, "then")) || (otherwise && ft_node_get(node, "if")))
        ld->flow_broken = true;
}

static void read_targets(struct loader *ld, struct step_info *info)
{
    const struct ft_node *branch = ft_node_get(info->node, "branch"), *then = ft_node_get(info->node, "then"), *on_error = ft_node_get(info->node, "on_error");
    struct ft_step *step = info->step;

    if (branch && then)
        rd_error(&ld->rd, then->key_mark, NULL, "`then` and `branch` say both where to go: put the way into the branch's `else`");
    step->has_on_error = on_error != NULL;
    read_target(ld, info, on_error, "`on_error`", &step->on_error);
    read_target(ld, info, then, "`then`", &step->then);
    if (!branch || info->list->parallel)
        return;
    if (!rd_list(&ld->rd, branch, "`branch`")) {
        ld->flow_broken = true;
        return;
    }
    step->branches = ft_arena_alloc(ld->mem, branch->count * sizeof(*step->branches));
    for (const struct ft_node *way = branch->first; way; way = way->next)
        read_way(ld, info, way, !way->next, &step->branches[step->branch_count++]);
}

/* ---- the walk ---------------------------------------------------------------------------------------------------- */

static size_t words(const struct loader *ld)
{
    return ld->step_count / 64 + 1;
}

static uint64_t *new_set(struct loader *ld, const uint64_t *from)
{
    uint64_t *set = ft_arena_alloc(ld->mem, words(ld) * sizeof(*set));

    if (from)
        memcpy(set, from, words(ld) * sizeof(*set));
    return set;
}

static void add_all(const struct loader *ld, uint64_t *to, const uint64_t *from)
{
    for (size_t i = 0; i < words(ld); i++)
        to[i] |= from[i];
}

/* One edge: from a step, with its result or without (skipped, failed). */
struct edge { const struct step_info *from; bool without, failed; const struct ft_node *because; };

static void arrive(struct loader *ld, const struct edge *edge, uint64_t **before, uint64_t **tried, bool *after_error)
{
    size_t word = edge->from->number / 64;
    uint64_t bit = UINT64_C(1) << edge->from->number % 64;

    if (!*before) {
        *before = new_set(ld, NULL);
        *tried = new_set(ld, NULL);
    }
    add_all(ld, *before, edge->from->before);
    add_all(ld, *tried, edge->from->tried);
    (*tried)[word] |= bit;
    if (!edge->without)
        (*before)[word] |= bit;
    *after_error = *after_error || edge->failed || edge->from->after_error;
}

static void falls_off(struct loader *ld, const struct edge *edge)
{
    const struct step_info *from = edge->from;

    if (from->list->incomplete || (ft_node_get(from->node, "branch") && from->step->branch_count == 0))
        return;
    ld->ends_missing = true;
    if (edge->because && strcmp(edge->because->key, "when") == 0)
        rd_error(&ld->rd, edge->because->key_mark, NULL, "when this last step is skipped, no outcome is reached: put a step behind it that leads to one");
    else if (edge->because)
        rd_error(&ld->rd, edge->because->key_mark, NULL, "this branch has no `else`, and no step follows: lead every way to an outcome");
    else
        rd_error(&ld->rd, from->mark, NULL, "no outcome is reached after this last step: add `then:` with one");
}

static void follow(struct loader *ld, const struct edge *edge, const struct ft_target *to)
{
    struct list_info *list = edge->from->list;
    size_t next = to->kind == FT_TO_STEP ? to->index : edge->from->index + 1;

    if (to->kind == FT_TO_END || list->parallel)
        return;
    if (to->kind == FT_TO_OUTCOME) {
        struct outcome_info *end = &ld->ends[to->index];

        arrive(ld, edge, &end->before, &end->tried, &end->after_error);
        end->used = true;
    } else if (next < list->count) {
        struct step_info *step = list->steps[next];

        arrive(ld, edge, &step->before, &step->tried, &step->after_error);
        step->reached = true;
    } else if (!list->owner) {
        falls_off(ld, edge);
    }
}

/* A target that could not be read leads nowhere: it was said. */
static bool is_lost(const struct ft_target *to, const struct ft_node *node)
{
    return node && to->kind == FT_TO_NEXT;
}

static void leave(struct loader *ld, const struct step_info *info)
{
    static const struct ft_target next = { FT_TO_NEXT, 0, NULL };
    const struct ft_node *branch = ft_node_get(info->node, "branch"), *when = ft_node_get(info->node, "when"), *then = ft_node_get(info->node, "then");
    const struct ft_step *step = info->step;
    bool has_else = false;

    for (size_t i = 0; i < step->branch_count; i++) {
        if (step->branches[i].to.kind != FT_TO_NEXT)
            follow(ld, &(struct edge){ .from = info }, &step->branches[i].to);
        has_else = has_else || strcmp(step->branches[i].text, "else") == 0;
    }
    if (!has_else && !is_lost(&step->then, then))
        follow(ld, &(struct edge){ .from = info, .because = branch }, &step->then);
    if (when)
        follow(ld, &(struct edge){ .from = info, .because = when, .without = true }, &next);
    if (step->has_on_error && step->on_error.kind != FT_TO_NEXT)
        follow(ld, &(struct edge){ .from = info, .without = true, .failed = true }, &step->on_error);
}

/* No edge leads here. Said once; it is then taken as reached from the step above, so that one mistake is one error. */
static void not_reached(struct loader *ld, struct step_info *info)
{
    if (!ld->flow_broken && info->id_text)
        rd_error(&ld->rd, info->mark, NULL, "no way leads to step '%s'", info->id_text);
    else if (!ld->flow_broken)
        rd_error(&ld->rd, info->mark, NULL, "no way leads to this step");
    arrive(ld, &(struct edge){ .from = info->list->steps[info->index - 1] }, &info->before, &info->tried, &info->after_error);
}

static void walk(struct loader *ld, struct list_info *list)
{
    const struct step_info *owner = list->owner;

    for (size_t i = 0; i < list->count; i++) {
        struct step_info *info = list->steps[i];

        if (i == 0 || list->parallel) {
            info->before = new_set(ld, owner ? owner->before : NULL);
            info->tried = new_set(ld, owner ? owner->tried : NULL);
            info->after_error = owner && owner->after_error;
        } else if (!info->reached) {
            not_reached(ld, info);
        }
        if (info->inner)
            walk(ld, info->inner);
        leave(ld, info);
    }
}

void pb_flow(struct loader *ld)
{
    for (size_t i = 0; i < ld->step_count; i++)
        read_targets(ld, ld->steps[i]);
    for (size_t i = 0; i < ld->pb->outcome_count; i++) {
        const char *name = ld->pb->outcomes[i].name;
        const struct step_info *step = step_by_id(ld, name);

        if (step)
            rd_error(&ld->rd, step->mark, NULL, "'%s' is an outcome's name too (line %u); a target could mean either", name, ld->ends[i].node->key_mark.line);
    }
    walk(ld, ld->main);
    for (size_t i = 0; i < ld->pb->outcome_count; i++)
        if (!ld->ends[i].used && !ld->flow_broken && !ld->ends_missing && ld->step_count > 0)
            rd_error(&ld->rd, ld->ends[i].node->key_mark, NULL, "no way leads to the outcome '%s'", ld->pb->outcomes[i].name);
}
