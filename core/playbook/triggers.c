/* triggers.c: what starts a playbook by itself. Only its form is checked here: a daemon acts on it. */
#include "playbook/loader.h"
#include "base/text.h"

static void check_params(struct scope *scope, const struct ft_node *node, const struct ft_node *trigger)
{
    const struct ft_tmpl *tmpl = NULL;

    if (node && !rd_map(&scope->ld->rd, node, "`params`"))
        return;
    tmpl = node ? pb_tmpl(scope, node) : pb_tmpl_empty(scope->ld);
    pb_check_arguments(scope, node, tmpl, scope->ld->pb, "the playbook", node ? node->key_mark : trigger->mark);
}

static void check_trigger(struct loader *ld, const struct ft_node *node)
{
    static const struct rd_key keys[] = {
        { "source", true }, { "event", true }, { "if" }, { "key" }, { "settle" }, { "params" }, { "mode" }, { NULL },
    };
    static const char *const modes[] = { "plan", "apply", NULL };
    struct scope scope = { .ld = ld, .only_event = true, .no_result = "no step has run yet when an alert comes in: use `event`" };
    const struct ft_node *key = ft_node_get(node, "key");
    uint64_t ms;
    unsigned n;

    rd_keys(&ld->rd, node, "a trigger", keys);
    if (node->kind != FT_NODE_MAP)
        return;
    rd_constant(&ld->rd, ft_node_get(node, "source"), "`source`");
    rd_constant(&ld->rd, ft_node_get(node, "event"), "`event`");
    pb_condition(&scope, ft_node_get(node, "if"), "`if`");
    if (key && rd_text(&ld->rd, key, "`key`"))
        pb_tmpl(&scope, key);
    rd_duration(&ld->rd, ft_node_get(node, "settle"), "`settle`", &ms);
    check_params(&scope, ft_node_get(node, "params"), node);
    rd_one_of(&ld->rd, ft_node_get(node, "mode"), "`mode`", modes, &n);
}

/* "5 in 3m" */
static bool is_rate(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    uint64_t ms = 0;

    return digits > 0 && digits < 7 && strncmp(text + digits, " in ", 4) == 0 && ft_duration_parse(text + digits + 4, &ms) == 0 && ms > 0;
}

static void check_storm(struct loader *ld, const struct ft_node *node)
{
    static const struct rd_key keys[] = { { "by", true }, { "more_than", true }, { "run", true }, { NULL } };
    struct scope scope = { .ld = ld, .only_event = true, .no_result = "no step has run yet when an alert comes in: use `event`" };
    const struct ft_node *rate = ft_node_get(node, "more_than");

    rd_keys(&ld->rd, node, "`storm`", keys);
    if (node->kind != FT_NODE_MAP)
        return;
    pb_condition(&scope, ft_node_get(node, "by"), "`by`");
    if (rate && rd_text(&ld->rd, rate, "`more_than`") && !is_rate(rate->text))
        rd_error(&ld->rd, rate->mark, NULL, "`more_than` takes a number in a duration: 5 in 3m");
    rd_constant(&ld->rd, ft_node_get(node, "run"), "`run`");
}

void pb_check_triggers(struct loader *ld, const struct ft_node *triggers, const struct ft_node *storm)
{
    if (triggers && rd_list(&ld->rd, triggers, "`triggers`"))
        for (const struct ft_node *item = triggers->first; item; item = item->next)
            check_trigger(ld, item);
    if (storm)
        check_storm(ld, storm);
}
