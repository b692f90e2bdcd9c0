/* scope.c: which names there are at one place of a playbook, and what is known of their types. */
#include "playbook/loader.h"
#include <ctype.h>
#include <stdio.h>
#include "data/schema.h"

static const char run_schema_text[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"id\":{\"type\":\"string\"},\"mode\":{\"enum\":[\"run\",\"dry_run\"]},"
    "\"started_at\":{\"type\":\"integer\"},\"requester\":{\"type\":\"string\"},\"playbook\":{\"type\":\"string\"}}}";
static const char error_schema_text[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"class\":{\"enum\":[\"unreachable\",\"refused\",\"denied\",\"not_found\","
    "\"invalid\",\"conflict\",\"timeout\",\"ambiguous\",\"cancelled\"]},\"text\":{\"type\":\"string\"},\"step\":{\"type\":\"string\"},"
    "\"action\":{\"type\":\"string\"}}}";

/* Parsed once for the process; they are constants. */
static const json_t *constant_schema(const char *text, json_t **kept)
{
    if (!*kept)
        *kept = json_loads(text, 0, NULL);
    return *kept;
}

static void set_type(struct ft_name_type *ret, const json_t *schema, const char *note)
{
    *ret = (struct ft_name_type){ schema, schema, note };
}

struct scope pb_scope_of(struct loader *ld, const struct step_info *at)
{
    return (struct scope){
        .ld = ld, .at = at, .before = at ? at->before : NULL, .tried = at ? at->tried : NULL,
        .after_error = at && at->after_error, .all_before = at && ld->flow_broken,
    };
}

struct scope pb_scope_with_result(struct loader *ld, const struct step_info *at)
{
    struct scope scope = pb_scope_of(ld, at);

    scope.has_result = at->has_result;
    scope.result = at->result;
    if (!at->has_result)
        scope.no_result = at->step->verb == FT_VERB_SET ? "a `set` step has no result: use the names that it sets" : NULL;
    return scope;
}

/* ---- what is visible --------------------------------------------------------------------------------------------- */

/* Whether a step of that list is known where the scope is: in the same list, or in one around it. */
static bool is_list_around(const struct scope *scope, const struct list_info *list)
{
    if (!list->owner)
        return true;
    return scope->at && pb_is_inside(scope->at, list->owner);
}

static bool may_have_run(const struct scope *scope, const struct step_info *step)
{
    if (pb_bit(scope->before, step->number) || (scope->after && step == scope->at))
        return true;
    return scope->all_before && (!scope->at || step->number < scope->at->number) && is_list_around(scope, step->list);
}

#define sentence(scope, ...) ((scope)->quiet ? NULL : ft_arena_printf((scope)->ld->mem, __VA_ARGS__))

/* Why a step that there is gives nothing here. */
static const char *why_not_step(const struct scope *scope, const struct step_info *step, const char *name)
{
    if (step == scope->at)
        return sentence(scope, "inside the step itself its result is called `result`, not '%s'", name);
    if (!is_list_around(scope, step->list))
        return sentence(scope, "'%s' is a step inside a for_each, and is not known outside of it", name);
    if (!scope->at && !scope->before)
        return sentence(scope, "no step has run yet when this is read, so '%s' has no result", name);
    if (scope->at && step->list == scope->at->list && step->index > scope->at->index)
        return sentence(scope, "step '%s' runs later, so it has no result yet", name);
    if (pb_bit(scope->tried, step->number))
        return sentence(scope, "step '%s' has no result here: this is only reached when it failed or was skipped", name);
    return sentence(scope, "step '%s' has no result here: no way leads through it to this place", name);
}

static const char *why_not_set(const struct scope *scope, const struct name *name)
{
    bool around = false;

    for (const struct setter *s = name->setters; s; s = s->next) {
        if (s->step == scope->at)
            return sentence(scope, "'%s' is only known after this step has set it", name->text);
        around = around || is_list_around(scope, s->step->list);
    }
    if (!around)
        return sentence(scope, "'%s' is set inside a for_each, and is not known outside of it", name->text);
    if (!scope->at && !scope->before)
        return sentence(scope, "no step has run yet when this is read, so '%s' is not set", name->text);
    return sentence(scope, "'%s' is not set yet: no way leads here through a step that sets it", name->text);
}

static bool find_step(const struct scope *scope, const struct name *name, struct ft_name_type *ret, const char **ret_why)
{
    if (name->step == scope->at || !may_have_run(scope, name->step)) {
        *ret_why = why_not_step(scope, name->step, name->text);
        return false;
    }
    if (name->step->step->verb == FT_VERB_SET) {
        *ret_why = sentence(scope, "step '%s' sets names and has no result of its own", name->text);
        return false;
    }
    *ret = name->step->result;
    return true;
}

/* The type is known where only one step can have set it. */
static bool find_set(const struct scope *scope, const struct name *name, struct ft_name_type *ret, const char **ret_why)
{
    unsigned found = 0;

    for (const struct setter *s = name->setters; s; s = s->next)
        if (may_have_run(scope, s->step))
            *ret = found++ ? (struct ft_name_type){ 0 } : s->type;
    if (found == 0)
        *ret_why = why_not_set(scope, name);
    return found > 0;
}

static bool find_declared(const struct scope *scope, const struct name *name, struct ft_name_type *ret, const char **ret_why)
{
    switch (name->kind) {
    case NAME_PARAM:
        if (scope->only_event) {
            *ret_why = sentence(scope, "there are no parameters yet when an alert comes in: '%s' is not known; use `event`", name->text);
            return false;
        }
        *ret = name->type;
        if (scope->reads && json_is_true(json_object_get(name->type.schema, "x-secret"))) {
            *ret_why = sentence(scope, "'%s' is a secret: nothing can be computed with it or decided by it; it can only be passed on, alone: \"${%s}\"", name->text, name->text);
            return false;
        }
        return true;
    case NAME_VAR:
        *ret = name->type;
        return true;
    case NAME_AS:
        for (const struct setter *s = name->setters; s && scope->at; s = s->next)
            if (pb_is_inside(scope->at, s->step)) {
                *ret = s->type;
                return true;
            }
        *ret_why = sentence(scope, "'%s' is the item of a for_each, and is not known outside of it", name->text);
        return false;
    case NAME_STEP: return find_step(scope, name, ret, ret_why);
    case NAME_SET: return find_set(scope, name, ret, ret_why);
    }
    return false;
}

static bool find_result(const struct scope *scope, struct ft_name_type *ret, const char **ret_why)
{
    if (scope->has_result)
        *ret = scope->result;
    else
        *ret_why = scope->no_result ? scope->no_result : "there is no `result` here yet: it is known in `branch`, `say` and `verify`";
    return scope->has_result;
}

static bool find_error(const struct scope *scope, struct ft_name_type *ret, const char **ret_why)
{
    static json_t *schema;
    bool found = scope->has_error || scope->after_error || (scope->all_before && scope->at);

    if (found)
        set_type(ret, constant_schema(error_schema_text, &schema), NULL);
    else
        *ret_why = "there is no `error` here: no `on_error` leads to this place";
    return found;
}

/* The name of a step in a parallel: its result is a field. */
static const char *why_not_child(const struct scope *scope, const char *name)
{
    json_t *number = json_object_get(scope->ld->children, name);
    const struct step_info *parallel = number ? scope->ld->steps[json_integer_value(number)]->list->owner : NULL;

    if (!parallel)
        return NULL;
    if (pb_is_inside(scope->at, parallel))
        return sentence(scope, "'%s' runs at the same time, so its result is not known here", name);
    if (!parallel->id_text)
        return sentence(scope, "'%s' is in a parallel: give the parallel an id, and write id.%s", name, name);
    return sentence(scope, "'%s' is in the parallel '%s': write %s.%s", name, parallel->id_text, parallel->id_text, name);
}

bool pb_scope_lookup(void *arg, const char *name, struct ft_name_type *ret, const char **ret_why)
{
    static json_t *run_schema;
    const struct scope *scope = arg;
    const struct name *declared = pb_name_find(scope->ld, name);
    const char *why = NULL;
    bool found = false;

    set_type(ret, NULL, NULL);
    if (strcmp(name, "event") == 0) {
        found = true;
    } else if (strcmp(name, "run") == 0 && !scope->only_event) {
        set_type(ret, constant_schema(run_schema_text, &run_schema), NULL);
        found = true;
    } else if (strcmp(name, "result") == 0) {
        found = find_result(scope, ret, &why);
    } else if (strcmp(name, "error") == 0) {
        found = find_error(scope, ret, &why);
    } else if (scope->has_batch && strcmp(name, "batch") == 0) {
        *ret = scope->batch;
        found = true;
    } else if (declared) {
        found = find_declared(scope, declared, ret, &why);
    } else {
        why = why_not_child(scope, name);
    }
    if (!found && why && ret_why)
        *ret_why = why;
    return found;
}

const char *const *pb_scope_all(void *arg)
{
    static const char *const ours[] = { "event", "run", "result", "error", "batch" };
    struct scope scope = *(const struct scope *)arg;
    struct loader *ld = scope.ld;
    size_t enough = ft_diags_count(ld->rd.diags) < FT_SUGGEST_UNTIL ? ld->name_count : 0, n = 0;
    struct ft_name_type type;
    const char **all;

    scope.quiet = true;
    all = ld->visible = ft_realloc(ld->visible, (ld->name_count + ARRAY_LEN(ours) + 1) * sizeof(*all));
    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        if (pb_scope_lookup(&scope, ours[i], &type, NULL))
            all[n++] = ours[i];
    for (size_t i = 0; i < enough; i++)
        if (pb_scope_lookup(&scope, ld->name_list[i]->text, &type, NULL))
            all[n++] = ld->name_list[i]->text;
    all[n] = NULL;
    return all;
}

/* ---- static types of simple paths -------------------------------------------------------------------------------- */

static size_t word(const char *text, size_t len)
{
    size_t n = 0;

    while (n < len && (isalnum((unsigned char)text[n]) || text[n] == '_'))
        n++;
    return n;
}

bool pb_scope_path_type(struct scope *scope, const char *expr, size_t len, struct ft_name_type *ret)
{
    size_t n = word(expr, len);
    char name[128];
    bool open = false;

    if (n == 0 || n >= sizeof(name))
        return false;
    snprintf(name, sizeof(name), "%.*s", (int)n, expr);
    if (!pb_scope_lookup(scope, name, ret, NULL) || !ret->schema)
        return false;
    while (n < len) {
        size_t field = expr[n] == '.' ? word(expr + n + 1, len - n - 1) : 0;

        if (field == 0 || field >= sizeof(name))
            return false;
        snprintf(name, sizeof(name), "%.*s", (int)field, expr + n + 1);
        ret->schema = ft_schema_member(ret->root, ret->schema, name, &open);
        if (!ret->schema || open)
            return false;
        n += field + 1;
    }
    return true;
}
