/* plan_needs.c: what the rails of the configuration will ask of the writes of a plan: who has to approve, when it may go, what may never go. */
#include "base/buf.h"
#include "run/dry_internal.h"

/* "change-board (2) and network-lead (1), not you" */
static char *who(const json_t *approval)
{
    const json_t *all = json_object_get(approval, "all");
    struct ft_buf buf = FT_BUF_INIT(0);

    for (size_t i = 0; i < json_array_size(all); i++) {
        const char *role = ft_json_str(json_array_get(all, i), "role");

        ft_buf_addf(&buf, "%s%s (%d)", i ? " and " : "", role && *role ? role : "somebody", (int)ft_json_int(json_array_get(all, i), "count", 1));
    }
    ft_buf_adds(&buf, ", not you");
    return ft_buf_take(&buf);
}

static void add(json_t *needs, const char *kind, const char *text, const char *path)
{
    json_t *need;
    size_t i;

    json_array_foreach(needs, i, need) {
        if (ft_streq(ft_json_str(need, "kind"), kind) && ft_streq(ft_json_str(need, "text"), text)) {
            json_array_append_new(json_object_get(need, "paths"), json_string(path));
            return;
        }
    }
    json_array_append_new(needs, json_pack("{s:s, s:s, s:[s]}", "kind", kind, "text", text, "paths", path));
}

static void ask(const struct ft_run *run, const json_t *w, unsigned before, json_t *needs)
{
    struct ft_write_facts facts = {
        .run_id = run->id, .path = ft_json_str(w, "path"), .requester = run->requester, .playbook = ft_playbook_name(run->playbook),
        .category = ft_playbook_category(run->playbook), .severity = ft_playbook_severity(run->playbook), .action = ft_json_str(w, "action"),
        .effect = ft_json_str(w, "effect"), .site = ft_json_str(w, "site"), .targets = json_object_get(w, "targets"), .params = json_object_get(w, "params"), .plan = w,
        .need_ms = (uint64_t)ft_json_int(w, "need_ms", 0), .attempt = 1, .writes_done = before,
    };
    struct ft_guard_answer answer;
    struct ft_err err = { 0 };
    char *text;

    if (ft_guard_preview(run->engine->o.guard, &facts, 0, &answer, &err) < 0) {
        add(needs, "policy", err.text, facts.path);
        return;
    }
    if (json_array_size(json_object_get(answer.approval, "all"))) {
        text = who(answer.approval);
        add(needs, "approval", text, facts.path);
        free(text);
    }
    if (answer.verdict == FT_GUARD_WAIT || answer.verdict == FT_GUARD_STOP)
        add(needs, answer.verdict == FT_GUARD_WAIT ? "waits" : "refused", answer.text, facts.path);
    ft_guard_answer_done(&answer);
}

json_t *plan_needs(const struct ft_run *run, const json_t *writes)
{
    json_t *needs = json_array(), *w;
    size_t i;

    json_array_foreach((json_t *)writes, i, w)
        if (run->engine->o.guard && !json_is_true(json_object_get(w, "nothing_to_do")))
            ask(run, w, (unsigned)i, needs);
    return needs;
}
