/* compile.c: every text of a playbook that holds Lua, compiled with the names and types known at its place. */
#include "playbook/loader.h"
#include "data/json.h"
#include "data/schema.h"

/* ---- what each step's result is ---------------------------------------------------------------------------------- */

static struct ft_name_type typed(struct loader *ld, json_t *schema)
{
    pb_own(ld, schema);
    return (struct ft_name_type){ schema, schema, NULL };
}

static json_t *closed_object(json_t *properties)
{
    return json_pack("{s:s, s:o, s:b}", "type", "object", "properties", properties, "additionalProperties", 0);
}

static struct ft_name_type action_result(struct loader *ld, const struct ft_call_spec *call)
{
    const json_t *schema = call->action ? ld->world->result_schema(call->action) : NULL;

    return (struct ft_name_type){ schema, schema, schema ? call->name : NULL };
}

static json_t *approve_schema(void)
{
    return closed_object(json_pack("{s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s}}", "approved", "type", "boolean", "by", "type", "string", "reason", "type", "string",
                                   "expired", "type", "boolean"));
}

static json_t *ask_schema(const json_t *fields)
{
    json_t *properties = json_object(), *spec;
    const char *name;

    json_object_foreach((json_t *)fields, name, spec)
        json_object_set_new(properties, name, pb_spec_schema(spec));
    return closed_object(properties);
}

static json_t *call_schema(const struct ft_playbook *callee)
{
    json_t *outcomes = json_array();
    size_t count = 0;
    const struct ft_outcome *o = ft_playbook_outcomes(callee, &count);

    for (size_t i = 0; i < count; i++)
        json_array_append_new(outcomes, json_string(o[i].name));
    return closed_object(json_pack("{s:{s:s, s:o}, s:{s:s, s:[s, s, s]}, s:{s:s}, s:{s:s}}", "outcome", "type", "string", "enum", outcomes,
                                   "status", "type", "string", "enum", "ok", "attention", "failed", "title", "type", "string",
                                   "diagnosis", "type", "string"));
}


static json_t *parallel_schema(const struct step_info *info)
{
    json_t *properties = json_object();

    for (size_t i = 0; info->inner && i < info->inner->count; i++)
        json_object_set_new(properties, info->inner->steps[i]->id_text, pb_schema_inside(&info->inner->steps[i]->result));
    return closed_object(properties);
}

static json_t *for_each_schema(const struct ft_name_type *item)
{
    json_t *one = closed_object(json_pack("{s:o, s:{s:s}, s:{s:s}, s:{s:s}}", "item", pb_schema_inside(item), "ok", "type", "boolean", "error", "type", "string",
                                          "class", "type", "string"));

    return closed_object(json_pack("{s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s, s:o}}", "total", "type", "integer", "ok", "type", "integer", "failed", "type", "integer",
                                   "items", "type", "array", "items", one));
}

static struct ft_name_type result_of(struct loader *ld, const struct step_info *info)
{
    const struct ft_step *step = info->step;

    switch (step->verb) {
    case FT_VERB_RUN: return action_result(ld, &step->call);
    case FT_VERB_APPROVE: return typed(ld, approve_schema());
    case FT_VERB_ASK: return step->fields ? typed(ld, ask_schema(step->fields)) : (struct ft_name_type){ 0 };
    case FT_VERB_WAIT:
        return typed(ld, info->step->wait_window ? closed_object(json_pack("{s:{s:s}, s:{s:s}}", "window", "type", "string", "closes", "type", "integer"))
                                                 : closed_object(json_pack("{s:{s:s}}", "waited_ms", "type", "integer")));
    case FT_VERB_PARALLEL: return typed(ld, parallel_schema(info));
    case FT_VERB_CALL: return step->callee ? typed(ld, call_schema(step->callee)) : (struct ft_name_type){ 0 };
    default: return (struct ft_name_type){ 0 };           /* lua: anything; for_each: when its list is known */
    }
}

/* Backwards: the steps inside a parallel come after it. */
static void type_results(struct loader *ld)
{
    for (size_t i = ld->step_count; i > 0; i--) {
        struct step_info *info = ld->steps[i - 1];

        info->has_result = info->step->verb != FT_VERB_SET;
        if (!info->broken)
            info->result = result_of(ld, info);
    }
}

/* ---- the verbs --------------------------------------------------------------------------------------------------- */

/* keys: those that the map may have. */
static const struct ft_tmpl *compile_with(struct scope *scope, const struct ft_node *map, const struct rd_key *keys, const struct ft_call_spec *call)
{
    struct loader *ld = scope->ld;
    const struct ft_node *with = ft_node_get(map, "with");
    const struct ft_tmpl *tmpl;

    scope->passes_on = true;
    tmpl = with && with->kind == FT_NODE_MAP ? pb_tmpl(scope, with) : NULL;
    scope->passes_on = false;

    if ((with && !tmpl) || (!with && rd_has(map, keys, "with")))
        return call->with;                                /* no map, or misspelt: said */
    if (call->action)
        pb_check_value(scope, with, tmpl ? tmpl : call->with, ld->world->params_schema(call->action), pb_params_schema(ld, call->action), call->name,
                       with ? with->key_mark : pb_value_mark(map, "run"));
    return tmpl ? tmpl : call->with;
}

static void compile_look(struct scope *scope, const struct ft_node *node, struct ft_verify *verify)
{
    verify->call.with = compile_with(scope, node, pb_verify_keys, &verify->call);
    scope->has_result = true;
    scope->result = action_result(scope->ld, &verify->call);
    verify->until = pb_condition(scope, ft_node_get(node, "until"), "`until`");
}

static void compile_verify(struct loader *ld, struct step_info *info)
{
    struct scope scope = pb_scope_with_result(ld, info);

    compile_look(&scope, ft_node_get(info->node, "verify"), info->step->verify);
}

static json_t *batch_schema(const struct ft_name_type *item)
{
    json_t *one = closed_object(json_pack("{s:o, s:{s:s}, s:{s:s}, s:{s:s}}", "item", pb_schema_inside(item), "ok", "type", "boolean", "error", "type", "string",
                                          "class", "type", "string"));

    return closed_object(json_pack("{s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s, s:o}, s:{s:s, s:o}}", "number", "type", "integer", "of", "type", "integer",
                                   "ok", "type", "integer", "failed", "type", "integer", "total", "type", "integer",
                                   "items", "type", "array", "items", pb_schema_inside(item), "results", "type", "array", "items", one));
}

/* The check between batches knows the batch. */
static void compile_check(struct loader *ld, struct step_info *info, const struct ft_name_type *item)
{
    struct scope scope = pb_scope_of(ld, info);

    scope.has_batch = true;
    scope.batch = typed(ld, batch_schema(item));
    scope.no_result = "the check's own `result` is known in its `until`; the items' are in `batch.results`";
    compile_look(&scope, ft_node_get(info->node, "check"), info->step->check);
}

static void compile_run(struct loader *ld, struct step_info *info)
{
    const struct ft_node *retry = ft_node_get(info->node, "retry"), *undo = ft_node_get(info->node, "undo");
    struct ft_step *step = info->step;
    struct scope scope = pb_scope_of(ld, info);

    step->call.with = compile_with(&scope, info->node, pb_run_keys, &step->call);
    if (step->verify && ft_node_get(info->node, "verify")->kind == FT_NODE_MAP)
        compile_verify(ld, info);
    if (undo && step->undo == FT_UNDO_CALL) {
        scope.no_result = "the undo is written down before the action runs, so it cannot use `result`";
        step->undo_call.with = compile_with(&scope, undo, pb_undo_keys, &step->undo_call);
    }
    if (retry && retry->kind == FT_NODE_MAP) {
        scope.has_error = true;
        scope.no_result = "the action failed, so there is no `result`: use `error`";
        step->retry.cond = pb_condition(&scope, ft_node_get(retry, "if"), "`if`");
    }
}

static void compile_set(struct loader *ld, struct step_info *info)
{
    const struct ft_node *node = pb_verb_node(info);
    struct scope scope = pb_scope_of(ld, info);
    size_t i = 0;

    for (const struct ft_node *member = node->first; member && i < info->step->set_count; member = member->next) {
        const struct ft_tmpl *tmpl = info->step->sets[i++].value = pb_tmpl(&scope, member);
        struct name *name = pb_name_find(ld, member->key);

        if (name && name->kind == NAME_SET)
            pb_name_type(name, info, typed(ld, pb_tmpl_schema(&scope, tmpl)));
    }
}

/* A text for people: "…${…}…". */
static const struct ft_tmpl *compile_text(struct scope *scope, const struct ft_node *node, const char *what)
{
    return node && rd_text(&scope->ld->rd, node, what) ? pb_tmpl(scope, node) : NULL;
}

static void compile_list(struct loader *ld, struct step_info *info)
{
    const struct ft_node *node = pb_verb_node(info);
    struct scope scope = pb_scope_of(ld, info);
    struct ft_name_type type = { 0 }, item = { 0 };
    const char *expr;
    bool open = false;

    if (node->kind != FT_NODE_LIST && node->kind != FT_NODE_STRING)
        return;
    info->step->list = pb_tmpl(&scope, node);
    expr = pb_tmpl_expression(info->step->list);
    if (pb_tmpl_is_text(info->step->list)) {
        rd_error(&ld->rd, node->mark, NULL, "`for_each` takes one expression that gives a list, and nothing beside it: \"${aps.items}\"");
    } else if (expr && pb_scope_path_type(&scope, expr, strlen(expr), &type)) {
        if (!pb_may_be_list(type.schema))
            rd_error(&ld->rd, node->mark, NULL, "`for_each` takes a list, and %s is none", expr);
        item.schema = ft_schema_items(type.root, type.schema, &open);
        item.root = type.root;
    }
    if (info->step->as)
        pb_name_type(pb_name_find(ld, info->step->as), info, item);
    info->result = typed(ld, for_each_schema(&item));
    if (info->step->check && ft_node_get(info->node, "check")->kind == FT_NODE_MAP)
        compile_check(ld, info, &item);
}

static void compile_call(struct loader *ld, struct step_info *info)
{
    const struct ft_node *with = ft_node_get(info->node, "with"), *node = pb_verb_node(info);
    struct scope scope = pb_scope_of(ld, info);
    const struct ft_tmpl *tmpl;

    scope.passes_on = true;
    tmpl = rd_object(&ld->rd, with, "`with`") ? pb_tmpl(&scope, with) : NULL;
    info->step->call_with = tmpl ? tmpl : pb_tmpl_empty(ld);
    if (info->step->callee && (tmpl || !pb_has(info, "with")))
        pb_check_arguments(&scope, with, info->step->call_with, info->step->callee, node->text, with ? with->key_mark : node->mark);
}

static void compile_verb(struct loader *ld, struct step_info *info)
{
    const struct ft_node *node = pb_verb_node(info);
    struct scope scope = pb_scope_of(ld, info);
    struct ft_step *step = info->step;

    switch (step->verb) {
    case FT_VERB_RUN: compile_run(ld, info); break;
    case FT_VERB_SET: compile_set(ld, info); break;
    case FT_VERB_LUA: step->lua = node->kind == FT_NODE_STRING ? pb_block(&scope, node, "`lua`") : NULL; break;
    case FT_VERB_APPROVE: case FT_VERB_ASK: step->text = node->kind == FT_NODE_STRING ? pb_tmpl(&scope, node) : NULL; break;
    case FT_VERB_WAIT: step->wait = node->kind == FT_NODE_STRING ? pb_tmpl(&scope, node) : NULL; break;
    case FT_VERB_PARALLEL: break;
    case FT_VERB_FOR_EACH: compile_list(ld, info); break;
    case FT_VERB_CALL: compile_call(ld, info); break;
    }
}

static void compile_branches(struct loader *ld, struct step_info *info)
{
    const struct ft_node *branch = ft_node_get(info->node, "branch");
    struct scope scope = pb_scope_with_result(ld, info);
    size_t i = 0;

    scope.after = true;
    for (const struct ft_node *way = branch ? branch->first : NULL; way && i < info->step->branch_count; way = way->next)
        info->step->branches[i++].cond = pb_condition(&scope, ft_node_get(way, "if"), "`if`");
}

static void compile_assume(struct loader *ld, struct step_info *info)
{
    const struct ft_node *node = ft_node_get(info->node, "assume");
    struct scope scope = pb_scope_of(ld, info);
    struct ft_schema *schema = NULL;
    const char *what = ft_arena_printf(ld->mem, "the result of %s", info->result.note ? info->result.note : "this step");

    if (!rd_object(&ld->rd, node, "`assume`"))
        return;
    info->step->assume = pb_tmpl(&scope, node);
    if (!info->result.schema || ft_schema_compile(info->result.root, &schema, NULL) < 0)
        return;
    pb_check_names(&scope, node, info->result.root, info->result.schema, what);
    pb_check_value(&scope, node, info->step->assume, info->result.root, schema, what, node->key_mark);
    ft_schema_free(schema);
}

static void compile_step(struct loader *ld, struct step_info *info)
{
    struct scope scope = pb_scope_of(ld, info), after;

    info->step->when = pb_condition(&scope, ft_node_get(info->node, "when"), "`when`");
    if (info->broken)
        return;
    compile_verb(ld, info);
    if (pb_takes(info, "assume"))
        compile_assume(ld, info);
    after = pb_scope_with_result(ld, info);
    if (pb_takes(info, "say"))
        info->step->say = compile_text(&after, ft_node_get(info->node, "say"), "`say`");
    compile_branches(ld, info);
}

/* ---- around the steps -------------------------------------------------------------------------------------------- */

/* A list of texts, or one expression that gives it: `locks`, `evidence`. */
static const struct ft_tmpl *compile_texts(struct scope *scope, const struct ft_node *node, const char *what, const char *item)
{
    const struct ft_tmpl *tmpl;
    bool ok = true;

    if (node && node->kind == FT_NODE_STRING && pb_has_expression(node->text)) {
        tmpl = pb_tmpl(scope, node);
        if (pb_tmpl_is_text(tmpl))
            rd_error(&scope->ld->rd, node->mark, NULL, "%s takes a list, and a text with ${…} in it is always a text", what);
        return tmpl;
    }
    if (!node || !rd_list(&scope->ld->rd, node, what))
        return NULL;
    for (const struct ft_node *text = node->first; text; text = text->next)
        ok = rd_text(&scope->ld->rd, text, item) && ok;
    return ok ? pb_tmpl(scope, node) : NULL;
}

static void compile_outcome(struct loader *ld, size_t i)
{
    const struct outcome_info *end = &ld->ends[i];
    struct scope scope = { .ld = ld, .before = end->before, .tried = end->tried, .after_error = end->after_error, .all_before = ld->flow_broken || !end->before,
                           .no_result = "an outcome belongs to no step, so there is no `result`: use the step's id" };

    ld->pb->outcomes[i].diagnosis = compile_text(&scope, ft_node_get(end->node, "diagnosis"), "`diagnosis`");
    ld->pb->outcomes[i].evidence = compile_texts(&scope, ft_node_get(end->node, "evidence"), "`evidence`", "a line of evidence");
}

void pb_compile(struct loader *ld, const struct ft_node *root)
{
    struct scope start = { .ld = ld };

    type_results(ld);
    ld->pb->locks = compile_texts(&start, ft_node_get(root, "locks"), "`locks`", "a lock");
    for (size_t i = 0; i < ld->step_count; i++)
        compile_step(ld, ld->steps[i]);
    for (size_t i = 0; i < ld->pb->outcome_count; i++)
        compile_outcome(ld, i);
    pb_check_triggers(ld, ft_node_get(root, "triggers"), ft_node_get(root, "storm"));
}
