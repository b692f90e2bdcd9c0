/* calls.c: actions that steps call: which, with what effect, how a write is proved and taken back. */
#include "playbook/loader.h"
#include <errno.h>
#include <fettle/plugin.h>
#include "base/text.h"

const struct rd_key pb_verify_keys[] = { { "run", true }, { "with" }, { "effect" }, { "until", true }, { "every" }, { "within", true }, { NULL } };
const struct rd_key pb_undo_keys[] = { { "run", true }, { "with" }, { NULL } };

static unsigned effect_of(const struct ft_call_spec *call)
{
    return call->effects & FT_EFFECT_MASK;
}

/* Whether only the step can say what the action does. */
static bool is_unknown(const struct loader *ld, const struct ft_action_info *action)
{
    return (ld->world->effects(action) & FT_EFFECT_MASK) == FT_EFFECT_UNKNOWN;
}

/* The plugin's action whose name is nearest, as plugin.action, in buf; NULL when there is none. */
static const char *nearest_action(const struct ft_playbook_world *world, const char *full, char *buf, size_t len)
{
    const char *dot = strchr(full, '.'), *near;
    const char *const *names;
    char plugin[64];

    if (!world->action_names || !dot || (size_t)(dot - full) >= sizeof(plugin))
        return NULL;
    snprintf(plugin, sizeof(plugin), "%.*s", (int)(dot - full), full);
    names = world->action_names(world->arg, plugin);
    near = names ? ft_suggest(dot + 1, names) : NULL;
    if (!near)
        return NULL;
    snprintf(buf, len, "%s.%s", plugin, near);
    return buf;
}

static const struct ft_action_info *find_action(struct loader *ld, const struct ft_node *node, const char *name)
{
    const struct ft_action_info *info = NULL;
    struct ft_err err = { 0 };
    char near[160], mean[200];
    int r;

    if (!strchr(name, '.')) {
        rd_error(&ld->rd, node->mark, NULL, "'%s' is no action: write plugin.action, as `fettle plugins` lists them", name);
        return NULL;
    }
    r = ld->world->action(ld->world->arg, name, &info, &err);
    if (r == 0)
        return info;
    if (r == -ENOENT && !strstr(err.text, "did you mean"))
        rd_error(&ld->rd, node->mark, NULL, "%s%s", err.text, rd_did_you_mean(nearest_action(ld->world, name, near, sizeof(near)), mean, sizeof(mean)));
    else
        rd_error(&ld->rd, node->mark, NULL, "%s", err.text);
    return NULL;
}

/* `effect: read` makes a read of an action that cannot know itself what it does. */
static void read_effect(struct loader *ld, const struct ft_node *node, const struct ft_action_info *action, unsigned *effects)
{
    static const char *const words[] = { "read", NULL };
    bool unknown = (*effects & FT_EFFECT_MASK) == FT_EFFECT_UNKNOWN;
    unsigned n;

    if (unknown)
        *effects = (*effects & ~(unsigned)FT_EFFECT_MASK) | FT_EFFECT_WRITE;
    if (!rd_one_of(&ld->rd, node, "`effect`", words, &n) && !(node && unknown))
        return;
    if (!action)
        return;
    if (unknown)
        *effects = (*effects & ~(unsigned)FT_EFFECT_MASK) | FT_EFFECT_READ;
    else
        rd_error(&ld->rd, node->key_mark, NULL, "`effect` is for actions that cannot know it themselves: %s says that it %s", ld->world->full_name(action),
                 (*effects & FT_EFFECT_MASK) == FT_EFFECT_READ ? "reads" : "writes");
}

bool pb_read_call(struct loader *ld, const struct ft_node *map, struct ft_call_spec *ret)
{
    const struct ft_node *run = ft_node_get(map, "run"), *with = ft_node_get(map, "with");
    const char *name = rd_constant(&ld->rd, run, "`run`");

    ret->name = name ? name : "";
    ret->with = pb_tmpl_empty(ld);
    ret->action = name ? find_action(ld, run, name) : NULL;
    ret->effects = ret->action ? ld->world->effects(ret->action) : FT_EFFECT_READ;
    read_effect(ld, ft_node_get(map, "effect"), ret->action, &ret->effects);
    rd_object(&ld->rd, with, "`with`");
    return ret->action != NULL;
}

/* ---- proof ------------------------------------------------------------------------------------------------------- */

struct ft_verify *pb_read_check(struct loader *ld, const struct ft_node *node, const char *what)
{
    struct ft_verify *verify = ft_arena_alloc(ld->mem, sizeof(*verify));

    verify->every_ms = 5000;
    rd_keys(&ld->rd, node, what, pb_verify_keys);
    if (node->kind != FT_NODE_MAP)
        return verify;
    if (pb_read_call(ld, node, &verify->call) && effect_of(&verify->call) != FT_EFFECT_READ)
        rd_error(&ld->rd, pb_value_mark(node, "run"), NULL, "%s must only look, and %s %s", what, verify->call.name,
                 is_unknown(ld, verify->call.action) ? "may write: say `effect: read` beside it if this call does not" : "writes");
    rd_duration(&ld->rd, ft_node_get(node, "every"), "`every`", &verify->every_ms);
    if (rd_duration(&ld->rd, ft_node_get(node, "within"), "`within`", &verify->within_ms) && verify->within_ms < verify->every_ms)
        rd_error(&ld->rd, pb_value_mark(node, "within"), NULL, "`within` is shorter than `every` (%s): there would be one look only",
                 ft_node_get(node, "every") ? ft_node_get(node, "every")->text : "5s");
    return verify;
}

/* ---- taking back ------------------------------------------------------------------------------------------------- */

static void read_undo_call(struct loader *ld, struct step_info *info, const struct ft_node *node)
{
    struct ft_call_spec *call = &info->step->undo_call;

    info->step->undo = FT_UNDO_CALL;
    rd_keys(&ld->rd, node, "`undo`", pb_undo_keys);
    if (pb_read_call(ld, node, call) && effect_of(call) == FT_EFFECT_READ)
        rd_error(&ld->rd, pb_value_mark(node, "run"), NULL, "`undo` must take something back, and %s only reads", call->name);
}

static void read_undo(struct loader *ld, struct step_info *info, const struct ft_node *node)
{
    static const char *const words[] = { "none", "auto" };
    struct ft_step *step = info->step;
    unsigned n;

    if (node->kind == FT_NODE_MAP) {
        read_undo_call(ld, info, node);
        return;
    }
    for (n = 0; n < 2 && !(node->kind == FT_NODE_STRING && strcmp(node->text, words[n]) == 0); n++)
        ;
    if (n == 2) {
        rd_error(&ld->rd, rd_at(node), NULL, "`undo` takes `none`, `auto`, or an action that takes it back (`run:` and `with:`)");
        return;
    }
    step->undo = n == 0 ? FT_UNDO_NONE : FT_UNDO_AUTO;
    if (step->undo == FT_UNDO_AUTO && step->call.action && !ld->world->has_undo(step->call.action))
        rd_error(&ld->rd, node->mark, NULL, "%s has no undo of its own: give an action that takes it back, or say `undo: none`", step->call.name);
}

static void refuse_on_read(struct loader *ld, const struct step_info *info, const struct ft_node *node)
{
    if (node)
        rd_error(&ld->rd, node->key_mark, NULL, "%s only reads: there is nothing to %s", info->step->call.name, node->key);
}

/* Nothing is said about undo: it might have been forgotten. */
static void no_undo(struct loader *ld, const struct step_info *info)
{
    const struct ft_call_spec *call = &info->step->call;
    bool unknown = is_unknown(ld, call->action);
    const char *hint = unknown ? "add `effect: read` if it only reads, else `undo:`" : "add `undo:` with an action, `undo: auto`, or `undo: none`";

    if (pb_has(info, "undo"))
        return;                               /* misspelt: said */
    if (unknown)
        rd_error(&ld->rd, pb_value_mark(info->node, "run"), hint, "%s may write, and the step says nothing about undo", call->name);
    else if (info->step->has_id)
        rd_error(&ld->rd, info->mark, hint, "step '%s' writes, and says nothing about undo", info->step->id);
    else
        rd_error(&ld->rd, pb_value_mark(info->node, "run"), hint, "%s writes, and the step says nothing about undo", call->name);
}

void pb_read_write(struct loader *ld, struct step_info *info)
{
    const struct ft_node *verify = ft_node_get(info->node, "verify"), *undo = ft_node_get(info->node, "undo");
    const struct ft_call_spec *call = &info->step->call;
    bool reads = call->action && effect_of(call) == FT_EFFECT_READ;

    if (reads) {
        refuse_on_read(ld, info, verify);
        refuse_on_read(ld, info, undo);
        return;
    }
    if (verify)
        info->step->verify = pb_read_check(ld, verify, "`verify`");
    if (undo)
        read_undo(ld, info, undo);
    else if (call->action)
        no_undo(ld, info);
}
