/* Any text as a playbook: what is refused has a reason, what is accepted is whole, and loads again from what a run stores of it. */
#include <stdint.h>
#include "../language/world.h"
#include "base/util.h"
#include "data/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char sub[] =
    "fettle: 1\nname: sub\ntitle: Sub\nparams: {host: {type: string, required: true}}\nsteps:\n  - run: net.check\n    with: {host: \"${host}\"}\n    then: done\n"
    "outcomes:\n  done: {title: Done}\n";

struct input { const char *text; size_t len; };

/* "sub" is a small playbook, "me" the input itself. */
static int source(void *arg, const char *from, const char *name, char **ret_path, char **ret_text, size_t *ret_len, struct ft_err *reterr)
{
    const struct input *input = arg;
    bool me = strcmp(name, "me") == 0;

    (void)from;
    if (!me && strcmp(name, "sub") != 0)
        return ft_err_set(reterr, -ENOENT, "there is no playbook '%s'", name);
    *ret_path = ft_strdup(name);
    *ret_len = me ? input->len : strlen(sub);
    *ret_text = memcpy(ft_calloc(1, *ret_len + 1), me ? input->text : sub, *ret_len);
    return 0;
}

static void need(bool holds)
{
    if (!holds)
        abort();
}

static void look_at(const struct ft_list_of_steps *list, size_t outcomes, bool inner)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct ft_step *step = &list->steps[i];

        need(step->id && *step->id && step->title && step->mark.line > 0);
        need(step->verb != FT_VERB_RUN || (step->call.action && step->call.with && step->call.name));
        need(step->verb != FT_VERB_CALL || (step->callee && step->call_with));
        need(step->verb != FT_VERB_FOR_EACH || (step->list && step->as && step->inner.count > 0 && step->at_once > 0));
        need(step->verb != FT_VERB_WAIT || step->wait || step->wait_window);
        need(step->verb != FT_VERB_LUA || step->lua);
        need((step->verb != FT_VERB_APPROVE && step->verb != FT_VERB_ASK) || step->text);
        need(step->undo != FT_UNDO_CALL || (step->undo_call.action && step->undo_call.with));
        need(!step->verify || (step->verify->until && step->verify->call.with && step->verify->within_ms));
        for (size_t j = 0; j < step->branch_count; j++) {
            const struct ft_target *to = &step->branches[j].to;

            need(to->kind != FT_TO_NEXT && to->name);
            need(to->kind != FT_TO_STEP || (to->index > i && to->index < list->count));
            need(to->kind != FT_TO_OUTCOME || (to->index < outcomes && !inner));
            need(to->kind != FT_TO_END || inner);
        }
        look_at(&step->inner, outcomes, true);
    }
}

static void accepted(const struct ft_playbook *pb, const struct ft_playbook_world *world)
{
    struct ft_diags *diags = ft_diags_new();
    json_t *sources = ft_playbook_sources(pb);
    struct ft_playbook *again;
    size_t outcomes;

    ft_playbook_outcomes(pb, &outcomes);
    need(outcomes > 0 && ft_playbook_steps(pb)->count > 0);
    look_at(ft_playbook_steps(pb), outcomes, false);
    again = ft_playbook_from_sources(sources, world, diags);
    need(again && strcmp(ft_playbook_digest(pb), ft_playbook_digest(again)) == 0);
    ft_playbook_unref(again);
    json_decref(sources);
    ft_diags_free(diags);
}

static void refused(struct ft_diags *diags)
{
    char *text = NULL;
    size_t len;
    FILE *to = open_memstream(&text, &len);

    need(ft_diags_count(diags) > 0);
    for (size_t i = 0; i < ft_diags_count(diags); i++)
        need(ft_diags_get(diags, i)->text[0] && ft_diags_get(diags, i)->mark.line > 0);
    ft_diags_print(diags, to, false);
    fclose(to);
    need(len > 0);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world *world;
    struct input input = { (const char *)data, size };
    struct ft_diags *diags = ft_diags_new();
    struct ft_playbook *pb;

    if (!world)
        world = world_new(NULL);
    world->world.source = source;
    world->world.source_arg = &input;
    pb = ft_playbook_parse("fuzz", (const char *)data, size, &world->world, diags);
    if (pb) {
        need(ft_diags_count(diags) == 0);
        accepted(pb, &world->world);
    } else {
        refused(diags);
    }
    ft_playbook_unref(pb);
    ft_diags_free(diags);
    return 0;
}
