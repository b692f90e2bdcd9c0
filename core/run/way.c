/* way.c: what a run of the past looked like, from its events. */
#include "run/internal.h"

static json_t *step_entry(json_t *steps, const char *path)
{
    json_t *entry = json_object_get(steps, path);

    if (!entry) {
        entry = json_object();
        json_object_set_new(steps, path, entry);
    }
    return entry;
}

static void set_status(json_t *steps, const char *path, const char *status, const char *seen)
{
    json_t *entry = step_entry(steps, path);

    json_object_set_new(entry, "status", json_string(status));
    if (seen)
        json_object_set_new(entry, "seen", json_string(seen));
}

static const char *status_after(const char *type)
{
    static const struct { const char *type, *status; } map[] = {
        { "step.started", "running" }, { "step.intended", "running" }, { "step.done", "done" }, { "step.failed", "failed" }, { "step.skipped", "skipped" },
        { "gate.opened", "parked" }, { "ask.opened", "parked" }, { "doubt.opened", "parked" }, { "undo.done", "undone" }, { "undo.failed", "parked" }, { "undo.conflict", "parked" },
    };

    for (size_t i = 0; i < ARRAY_LEN(map); i++)
        if (ft_streq(map[i].type, type))
            return map[i].status;
    return NULL;
}

json_t *ft_run_way(const json_t *events)
{
    json_t *way = json_pack("{s:{}, s:[]}", "steps", "edges");
    json_t *steps = json_object_get(way, "steps"), *edges = json_object_get(way, "edges"), *event;
    char *last = NULL;
    size_t i;

    json_array_foreach((json_t *)events, i, event) {
        const char *type = ft_json_str(event, "type"), *path = ft_json_str(event, "path");
        const char *status = status_after(type);

        if (ft_streq(type, "run.finished")) {
            const char *outcome = ft_json_str(event, "outcome");

            if (outcome && *outcome) {
                json_object_set_new(way, "outcome", json_string(outcome));
                if (last)
                    json_array_append_new(edges, json_pack("[s,s]", last, outcome));
            }
        }
        if (!path || !status)
            continue;
        bool top = !strchr(path, '/');
        bool first = !json_object_get(steps, path);

        if (top && first) {
            if (last)
                json_array_append_new(edges, json_pack("[s,s]", last, path));
            free(last);
            last = ft_strdup(path);
        }
        set_status(steps, path, status, ft_json_str(event, ft_streq(type, "step.failed") ? "error" : "seen"));
    }
    free(last);
    return way;
}

const json_t *ft_run_plan(const json_t *events)
{
    for (size_t i = json_array_size(events); i-- > 0;) {
        const json_t *plan = json_object_get(json_array_get(events, i), "plan");

        if (plan && ft_streq(ft_json_str(json_array_get(events, i), "type"), "run.planned"))
            return plan;
    }
    return NULL;
}
