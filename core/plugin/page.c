/* page.c: the manual page of a plugin or an action, made from what it says of itself. */
#include "plugin/internal.h"
#include "base/buf.h"
#include "base/text.h"
#include "data/json.h"

static const char *effect_name(unsigned effects)
{
    switch (effects & FT_EFFECT_MASK) {
    case FT_EFFECT_READ: return "read";
    case FT_EFFECT_WRITE: return "write";
    case FT_EFFECT_DISRUPTIVE: return "disruptive";
    default: return "depends";
    }
}

static const char *effect_words(unsigned effects)
{
    switch (effects & FT_EFFECT_MASK) {
    case FT_EFFECT_READ: return "reads";
    case FT_EFFECT_WRITE: return "writes";
    case FT_EFFECT_DISRUPTIVE: return "writes, and users notice";
    default: return "depends on the parameters: counts as a write unless the step says `effect: read`";
    }
}

/* "string", "integer or null", "one of: a, b", "list of string", "secret" */
static void type_words(struct ft_buf *buf, const json_t *schema)
{
    json_t *type = json_object_get(schema, "type"), *items = json_object_get(schema, "items"), *one;
    size_t i;

    if (json_is_true(json_object_get(schema, "x-secret"))) {
        ft_buf_adds(buf, "secret");
    } else if (json_is_array(json_object_get(schema, "enum"))) {
        ft_buf_adds(buf, "one of:");
        json_array_foreach(json_object_get(schema, "enum"), i, one) {
            char *text = ft_json_brief(one, 40);

            ft_buf_addf(buf, "%s %s", i ? "," : "", json_is_null(one) ? "null" : text);
            free(text);
        }
    } else if (json_is_string(type) && ft_streq(json_string_value(type), "array")) {
        ft_buf_adds(buf, json_is_object(items) ? "list of " : "list");
        if (json_is_object(items))
            type_words(buf, items);
    } else if (json_is_string(type)) {
        ft_buf_adds(buf, json_string_value(type));
    } else if (json_is_array(type)) {
        json_array_foreach(type, i, one)
            ft_buf_addf(buf, "%s%s", i ? " or " : "", json_string_value(one));
    } else {
        ft_buf_adds(buf, "anything");
    }
    if (ft_json_str(schema, "format"))
        ft_buf_addf(buf, " (%s)", ft_json_str(schema, "format"));
}

/* ", 1 to 10", ", at least 1" */
static void range_words(struct ft_buf *buf, const json_t *schema)
{
    const json_t *min = json_object_get(schema, "minimum"), *max = json_object_get(schema, "maximum");
    char *from = min ? ft_json_text(min) : NULL, *to = max ? ft_json_text(max) : NULL;

    if (from && to)
        ft_buf_addf(buf, ", %s to %s", from, to);
    else if (from || to)
        ft_buf_addf(buf, ", at %s %s", from ? "least" : "most", from ? from : to);
    free(from);
    free(to);
}

/* At most 80 columns, each line indented. */
static void wrapped(struct ft_buf *buf, int indent, const char *text)
{
    size_t used = 0, room = 80 - (size_t)indent;

    ft_buf_addf(buf, "%*s", indent, "");
    while (*(text += strspn(text, " \n"))) {
        size_t len = strcspn(text, " \n"), width = ft_text_width(text, len);

        if (used && used + 1 + width > room) {
            ft_buf_addf(buf, "\n%*s", indent, "");
            used = 0;
        }
        if (used)
            ft_buf_addc(buf, ' ');
        ft_buf_add(buf, text, len);
        used += width + (used != 0);
        text += len;
    }
    ft_buf_addc(buf, '\n');
}

static bool required(const json_t *schema, const char *name)
{
    json_t *one;
    size_t i;

    json_array_foreach(json_object_get(schema, "required"), i, one)
        if (ft_streq(json_string_value(one), name))
            return true;
    return false;
}

static void fields(struct ft_buf *buf, const json_t *schema, int indent, bool parameters)
{
    const char *name;
    json_t *field;

    json_object_foreach(json_object_get(schema, "properties"), name, field) {
        struct ft_buf type = FT_BUF_INIT(2000);
        const json_t *inner = json_object_get(field, "properties") ? field : json_object_get(field, "items");

        type_words(&type, field);
        ft_buf_addf(buf, "%*s%-*s %s", indent, "", 24 - indent, name, ft_buf_str(&type));
        ft_buf_done(&type);
        if (parameters && required(schema, name))
            ft_buf_adds(buf, ", required");
        range_words(buf, field);
        if (json_object_get(field, "default")) {
            char *text = ft_json_text(json_object_get(field, "default"));

            ft_buf_addf(buf, ", default %s", text);
            free(text);
        }
        ft_buf_addc(buf, '\n');
        if (ft_json_str(field, "description"))
            wrapped(buf, indent + 4, ft_json_str(field, "description"));
        if (inner && json_object_get(inner, "properties") && indent < 8)
            fields(buf, inner, indent + 4, parameters);
    }
}

static void indented(struct ft_buf *buf, const char *text)
{
    while (*text) {
        size_t len = strcspn(text, "\n");

        ft_buf_adds(buf, len ? "  " : "");
        ft_buf_add(buf, text, len);
        ft_buf_addc(buf, '\n');
        text += len + (text[len] == '\n');
    }
}

static void abilities(struct ft_buf *buf, const struct ft_action *action)
{
    bool read = (action->effects & FT_EFFECT_MASK) == FT_EFFECT_READ;

    ft_buf_addf(buf, "\nEFFECT\n  %s%s\n", effect_words(action->effects), action->effects & FT_EFFECT_IDEMPOTENT ? "; sending it twice is the same as once" : "");
    if (read)
        return;
    ft_buf_addf(buf, "  dry run  %s\n", action->plan.start ? "shows exactly what would be sent" : "cannot show what would be sent: undetermined");
    ft_buf_addf(buf, "  undo     %s\n", action->undo.start ? "`undo: auto` takes it back" : "none of its own: give the step an `undo`, or say `undo: none`");
    ft_buf_addf(buf, "  probe    %s\n", action->probe.start ? "can tell after a lost answer whether it happened" : "cannot tell whether it happened: the step's `verify`, or a person, must");
    if (ft_action_has(action, FT_ENTRY_CONFIRM))
        ft_buf_adds(buf, "  confirm  where the device takes a change back by itself it is confirmed once the step's `verify` has passed\n");
}

static char *action_page(const struct ft_action_info *info)
{
    const struct ft_action *action = info->action;
    struct ft_buf buf = FT_BUF_INIT(0);

    ft_buf_addf(&buf, "%s: %s\n", info->full, action->summary);
    if (action->about) {
        ft_buf_addc(&buf, '\n');
        indented(&buf, action->about);
    }
    abilities(&buf, action);
    ft_buf_addf(&buf, "  deadline %u s unless the step says `timeout`\n", (action->timeout_ms ? action->timeout_ms : 30000) / 1000);
    ft_buf_adds(&buf, "\nPARAMETERS\n");
    if (!json_object_size(json_object_get(info->params_json, "properties")))
        ft_buf_adds(&buf, "  none\n");
    fields(&buf, info->params_json, 2, true);
    ft_buf_adds(&buf, "\nRESULT\n");
    if (!json_object_size(json_object_get(info->result_json, "properties")))
        ft_buf_adds(&buf, "  anything\n");
    fields(&buf, info->result_json, 2, false);
    if (action->example) {
        ft_buf_adds(&buf, "\nEXAMPLE\n");
        indented(&buf, action->example);
    }
    return ft_buf_take(&buf);
}

static char *plugin_page(const struct plugin *plugin)
{
    struct ft_buf buf = FT_BUF_INIT(0);

    ft_buf_addf(&buf, "%s %s: %s\n\nACTIONS\n", plugin->name, plugin->def->version, plugin->def->summary);
    for (size_t i = 0; i < plugin->count; i++) {
        const struct ft_action *action = plugin->actions[i].action;

        ft_buf_addf(&buf, "  %-24s %-10s %s\n", action->name, effect_name(action->effects), action->summary);
    }
    ft_buf_addf(&buf, "\nCONFIGURATION (plugins.%s in fettle.yaml)\n", plugin->name);
    if (!json_object_size(json_object_get(plugin->config_schema, "properties")))
        ft_buf_adds(&buf, "  none\n");
    fields(&buf, plugin->config_schema, 2, true);
    ft_buf_adds(&buf, "  A secret is given as {env: NAME} or {file: /path}.\n");
    ft_buf_addf(&buf, "\nIt may use: %s\n", plugin->def->capabilities && *plugin->def->capabilities ? plugin->def->capabilities : "nothing but its own code");
    return ft_buf_take(&buf);
}

char *ft_registry_page(struct ft_registry *registry, const char *name, const char *action, struct ft_err *reterr)
{
    const struct ft_action_info *info;
    const struct ft_plugin *def;
    char *full, *page = NULL;

    if (ft_registry_plugin(registry, name, &def, reterr) < 0)
        return NULL;
    if (!action) {
        for (size_t i = 0; i < registry->plugin_count; i++)
            if (registry->plugins[i]->def == def)
                return plugin_page(registry->plugins[i]);
        return NULL;
    }
    full = ft_asprintf("%s.%s", name, action);
    if (ft_registry_action(registry, full, &info, reterr) == 0)
        page = action_page(info);
    free(full);
    return page;
}

/* ---- for programs */

static json_t *describe(const struct ft_action_info *info)
{
    const struct ft_action *action = info->action;

    return json_pack("{s:s, s:s, s:s, s:b, s:b, s:b, s:b, s:b, s:i, s:O, s:O, s:s?, s:s?}", "action", info->full, "summary", action->summary, "effect", effect_name(action->effects),
                     "idempotent", (action->effects & FT_EFFECT_IDEMPOTENT) != 0, "plan", action->plan.start != NULL, "undo", action->undo.start != NULL,
                     "probe", action->probe.start != NULL, "confirm", ft_action_has(action, FT_ENTRY_CONFIRM), "timeout_s", (int)((action->timeout_ms ? action->timeout_ms : 30000) / 1000),
                     "params", info->params_json, "result", info->result_json, "about", action->about, "example", action->example);
}

static json_t *describe_one(struct ft_registry *registry, const char *plugin, const char *action, struct ft_err *reterr)
{
    char *full = ft_asprintf("%s.%s", plugin, action);
    const struct ft_action_info *info;
    json_t *described = ft_registry_action(registry, full, &info, reterr) == 0 ? describe(info) : NULL;

    free(full);
    return described;
}

json_t *ft_registry_describe(struct ft_registry *registry, const char *plugin, const char *action, struct ft_err *reterr)
{
    const struct ft_plugin *def;
    json_t *all, *one;

    if (action)
        return describe_one(registry, plugin, action, reterr);
    if (ft_registry_plugin(registry, plugin, &def, reterr) < 0)
        return NULL;
    all = json_array();
    for (const struct ft_action *const *a = def->actions; *a; a++) {
        one = describe_one(registry, plugin, (*a)->name, reterr);
        if (!one) {
            json_decref(all);
            return NULL;
        }
        json_array_append_new(all, one);
    }
    return all;
}
