/* lint.c: a plugin's author is told all of it at once. */
#include "plugin/lint.h"
#include <unistd.h>
#include "base/text.h"
#include "data/json.h"
#include "data/yaml.h"
#include "plugin/config.h"
#include "plugin/exports.h"
#include "plugin/internal.h"

struct lint {
    ft_lint_report *report;
    void *arg;
    const char *where;
    int errors;
};

__attribute__((format(printf, 3, 4)))
static void find(struct lint *lint, bool error, const char *fmt, ...)
{
    va_list ap;
    char *text;

    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0)
        abort();
    va_end(ap);
    lint->errors += error;
    lint->report(lint->arg, &(struct ft_lint_finding){ error, lint->where, text });
    free(text);
}

/* ---- words */

static void check_sentence(struct lint *lint, const char *what, const char *text)
{
    size_t len = strlen(text);

    if (len && text[len - 1] == '.')
        find(lint, false, "%s ends with a full stop; it stands in lists, without one", what);
    if (len > 100)
        find(lint, false, "%s has %zu characters; a list has room for 100", what, len);
}

/* ---- schemas */

static bool is_described(const json_t *property)
{
    const char *text = ft_json_str(property, "description");

    return (text && *text) || json_object_get(property, "const") || json_object_get(property, "$ref");
}

static void check_properties(struct lint *lint, const char *what, const json_t *schema)
{
    const json_t *properties = json_object_get(schema, "properties"), *property, *required;
    const char *name;
    size_t i;

    json_object_foreach((json_t *)properties, name, property)
        if (json_is_object(property) && !is_described(property))
            find(lint, false, "%s '%s' has no description: people see it on the action's page", what, name);
    json_array_foreach(json_object_get(schema, "required"), i, required)
        if (json_is_string(required) && !json_object_get(properties, json_string_value(required)))
            find(lint, true, "%s '%s' is required and not among the properties", what, json_string_value(required));
}

static void check_schemas(struct lint *lint, const struct ft_action_info *info)
{
    const char *type = ft_json_str(info->params_json, "type");

    if (!ft_streq(type, "object"))
        find(lint, true, "the schema of the parameters is not of type object: `with` is always one");
    else if (json_object_size(json_object_get(info->params_json, "properties")) && !json_is_false(json_object_get(info->params_json, "additionalProperties")))
        find(lint, false, "the schema of the parameters lets unknown names through; with \"additionalProperties\": false a misspelled one is found when a playbook is loaded");
    check_properties(lint, "the parameter", info->params_json);
    if (!json_object_size(json_object_get(info->result_json, "properties")) && ft_streq(ft_json_str(info->result_json, "type"), "object"))
        find(lint, false, "the schema of the result names no properties: nobody finds a misspelled field of it when a playbook is loaded");
    check_properties(lint, "the result's field", info->result_json);
}

/* ---- effects */

static void check_effect(struct lint *lint, const struct ft_action *action)
{
    unsigned effect = action->effects & FT_EFFECT_MASK;

    if (effect == FT_EFFECT_READ) {
        if (action->undo.start || action->probe.start || ft_action_has(action, FT_ENTRY_CONFIRM))
            find(lint, true, "reads, and has an undo, a probe or a confirm: does it write after all?");
        return;
    }
    if (!action->plan.start)
        find(lint, false, "writes without a `plan`: a dry run can only say that it is undetermined");
    if (!action->probe.start && !(action->effects & FT_EFFECT_IDEMPOTENT))
        find(lint, false, "has no `probe` and is not idempotent: after a crash in the middle only a `verify` or a person can tell whether it happened");
    if (ft_action_has(action, FT_ENTRY_CONFIRM) && !action->probe.start)
        find(lint, false, "has `confirm` and no `probe`: when the answer of a confirmation is lost, only a look behind the device's timer can tell what became of it");
}

/* ---- the example: one step in YAML, `${…}` may stand for anything */

static bool has_expression(const json_t *value)
{
    const char *key;
    const json_t *member;
    size_t i;

    if (json_is_string(value))
        return strstr(json_string_value(value), "${") != NULL;
    json_object_foreach((json_t *)value, key, member)
        if (has_expression(member))
            return true;
    json_array_foreach(value, i, member)
        if (has_expression(member))
            return true;
    return false;
}

/* The schema without what an expression will only give when the step runs. New reference. */
static json_t *without_expressions(const json_t *schema, json_t *with)
{
    static const char *const whole[] = { "anyOf", "oneOf", "allOf", "minProperties", "dependentRequired" };   /* they may ask for what is not there now */
    json_t *loose = json_deep_copy(schema), *required = json_object_get(loose, "required"), *value;
    const char *name;
    void *next;

    json_object_foreach_safe(with, next, name, value) {
        if (!has_expression(value))
            continue;
        for (size_t i = 0; i < json_array_size(required); i++)
            if (ft_streq(json_string_value(json_array_get(required, i)), name))
                json_array_remove(required, i--);
        if (json_object_get(json_object_get(loose, "properties"), name) || json_is_true(json_object_get(loose, "additionalProperties")))
            json_object_del(with, name);
        else
            json_object_set_new(with, name, json_null());         /* stays, so that an unknown name is found */
        for (size_t k = 0; k < ARRAY_LEN(whole); k++)
            json_object_del(loose, whole[k]);
    }
    return loose;
}

static void bad_with(void *arg, const struct ft_schema_error *error)
{
    find(arg, true, "the example is wrong: its `with%s` %s", error->pointer, error->text);
}

static void check_example_with(struct lint *lint, const struct ft_action_info *info, const json_t *given)
{
    json_t *with = given ? json_deep_copy(given) : json_object(), *loose = without_expressions(info->params_json, with);
    struct ft_schema *schema = NULL;
    struct ft_err err = { 0 };

    if (ft_schema_compile(loose, &schema, &err) < 0)
        find(lint, true, "%s", err.text);
    else
        ft_schema_check(schema, with, bad_with, lint);
    ft_schema_free(schema);
    json_decref(loose);
    json_decref(with);
}

static void check_example_step(struct lint *lint, const struct ft_action_info *info, const json_t *step)
{
    static const char *const keys[] = { "id", "title", "run", "with", "when", "timeout", "retry", "on_error", "branch", "then", "verify", "undo", "effect", "say", "assume", NULL };
    bool writes = (info->action->effects & FT_EFFECT_MASK) != FT_EFFECT_READ && !ft_streq(ft_json_str(step, "effect"), "read");
    const char *key;
    const json_t *member;

    if (!ft_streq(ft_json_str(step, "run"), info->full)) {
        find(lint, true, "the example does not run %s", info->full);
        return;
    }
    json_object_foreach((json_t *)step, key, member) {
        bool known = false;

        for (size_t i = 0; keys[i] && !known; i++)
            known = ft_streq(keys[i], key);
        if (!known)
            find(lint, true, "the example has the key '%s', which no step has", key);
    }
    if (writes && !json_object_get(step, "undo"))
        find(lint, true, "the example writes and says nothing about undo: a playbook that copies it does not load");
    if (ft_streq(ft_json_str(step, "undo"), "auto") && !info->action->undo.start)
        find(lint, true, "the example says `undo: auto`, and the action has no undo");
    check_example_with(lint, info, json_object_get(step, "with"));
}

static void check_example(struct lint *lint, const struct ft_action_info *info)
{
    const char *text = info->action->example;
    struct ft_diags *diags;
    struct ft_doc *doc;

    if (!text) {
        find(lint, false, "has no example: one step in YAML, which the action's page shows");
        return;
    }
    diags = ft_diags_new();
    doc = ft_doc_parse("example", text, strlen(text), diags);
    if (!doc) {
        find(lint, true, "the example is not YAML: %s", ft_diags_count(diags) ? ft_diags_get(diags, 0)->text : "nothing is in it");
    } else {
        json_t *value = ft_node_json(ft_doc_root(doc)), *step = json_is_array(value) ? json_array_get(value, 0) : value;

        if (!json_is_object(step) || (json_is_array(value) && json_array_size(value) != 1))
            find(lint, true, "the example is not one step");
        else
            check_example_step(lint, info, step);
        json_decref(value);
    }
    ft_doc_free(doc);
    ft_diags_free(diags);
}

/* ---- the whole */

static void check_action(struct lint *lint, struct ft_registry *registry, const struct ft_action_info *listed)
{
    const struct ft_action_info *info = listed;
    struct ft_err err = { 0 };

    lint->where = listed->full;
    if (ft_registry_action(registry, listed->full, &info, &err) < 0) {
        find(lint, true, "%s", err.text);
        return;
    }
    check_sentence(lint, "the summary", info->action->summary);
    check_schemas(lint, info);
    check_effect(lint, info->action);
    check_example(lint, info);
}

static void check_config(struct lint *lint, const struct plugin *plugin)
{
    json_t *loose = ft_config_schema(plugin->config_schema);
    struct ft_schema *schema = NULL;
    struct ft_err err = { 0 };

    if (ft_schema_compile(loose, &schema, &err) < 0)
        find(lint, true, "the schema of its configuration: %s", err.text);
    else
        check_properties(lint, "the configuration's", plugin->config_schema);
    ft_schema_free(schema);
    json_decref(loose);
}

static void check_exports(struct lint *lint, const char *path)
{
    char *names = NULL;
    size_t count = ft_exports_besides(path, "ft_plugin", &names);

    if (count)
        find(lint, false, "exports %zu symbols besides ft_plugin (%s): compile with -fvisibility=hidden, so that it meets no other plugin's names", count, names);
    free(names);
}

static void check_loaded(struct lint *lint, struct ft_registry *registry, const char *path)
{
    struct plugin *plugin = registry->plugins[0];

    check_exports(lint, path);
    check_sentence(lint, "the summary", plugin->def->summary);
    check_config(lint, plugin);
    for (size_t i = 0; i < plugin->count; i++)
        check_action(lint, registry, &plugin->actions[i]);
}

int ft_plugin_lint(const char *path, ft_lint_report *report, void *arg)
{
    const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
    size_t len = strlen(file);
    char *dir = slash ? ft_strndup(path, (size_t)(slash - path) + (slash == path)) : ft_strdup("."), *name = ft_strdup(file);
    struct ft_registry_opts opts = { .dir = dir };
    struct ft_registry *registry = ft_registry_new(&opts);
    struct lint lint = { report, arg, path, 0 };
    const struct ft_plugin *def;
    struct ft_err err = { 0 };

    if (len < 4 || strcmp(file + len - 3, ".so") != 0 || access(path, R_OK) < 0) {
        find(&lint, true, "this is no file NAME.so that can be read");
    } else {
        name[len - 3] = '\0';
        lint.where = name;
        if (ft_registry_plugin(registry, name, &def, &err) < 0)
            find(&lint, true, "%s", err.text);
        else
            check_loaded(&lint, registry, path);
    }
    ft_registry_free(registry);
    free(name);
    free(dir);
    return lint.errors;
}
