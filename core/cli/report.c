#include "cli/gate_text.h"
#include "cli/report.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/util.h"
#include "data/json.h"
#include "playbook/graph.h"

static const char style[] =
    "body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#1c1f23;background:#fff}"
    "h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse;width:100%}"
    "td,th{text-align:left;padding:.25rem .6rem .25rem 0;border-bottom:1px solid #ddd;vertical-align:top}"
    "pre{background:#f4f5f7;padding:.6rem;overflow:auto;white-space:pre-wrap}.minus{color:#a11}.plus{color:#161}.dim{color:#666}svg{max-width:100%;height:auto}"
    "@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#15181c}pre{background:#20252b}td,th{border-color:#333}.minus{color:#f88}.plus{color:#8d8}.dim{color:#999}svg{background:#fff}}";

static void escaped(struct ft_buf *buf, const char *text)
{
    for (; text && *text; text++) {
        switch (*text) {
        case '<': ft_buf_adds(buf, "&lt;"); break;
        case '>': ft_buf_adds(buf, "&gt;"); break;
        case '&': ft_buf_adds(buf, "&amp;"); break;
        case '"': ft_buf_adds(buf, "&quot;"); break;
        default: ft_buf_addc(buf, *text);
        }
    }
}

static void cell(struct ft_buf *buf, const char *text)
{
    ft_buf_adds(buf, "<td>");
    escaped(buf, text);
    ft_buf_adds(buf, "</td>");
}

static void json_block(struct ft_buf *buf, const char *class, const char *before, const json_t *value)
{
    char *text = json_is_string(value) ? ft_strdup(json_string_value(value)) : json_dumps(value, JSON_INDENT(2) | JSON_ENCODE_ANY);

    ft_buf_addf(buf, "<pre class=\"%s\">", class);
    escaped(buf, before);
    escaped(buf, text);
    ft_buf_adds(buf, "</pre>\n");
    free(text);
}

static const json_t *find(const json_t *events, const char *type)
{
    for (size_t i = json_array_size(events); i-- > 0;)
        if (ft_streq(ft_json_str(json_array_get(events, i), "type"), type))
            return json_array_get(events, i);
    return NULL;
}

static void head(struct ft_buf *buf, const char *id, const json_t *events)
{
    const json_t *start = json_array_get(events, 0), *end = find(events, "run.finished");
    char when[32];
    const char *name;
    json_t *value;

    ft_buf_addf(buf, "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>fettle run %s</title><style>%s</style></head><body>\n", id, style);
    ft_buf_adds(buf, "<h1>");
    escaped(buf, ft_json_str(end, "diagnosis") ? ft_json_str(end, "diagnosis") : ft_json_str(start, "title"));
    ft_buf_adds(buf, "</h1>\n<p>");
    escaped(buf, ft_json_str(start, "title"));
    ft_buf_addf(buf, " · run %s · %s · %s · started %s by ", id, ft_json_str(start, "mode"), end ? ft_json_str(end, "status") : "not over",
                ft_time_format((uint64_t)ft_json_int(start, "at", 0), when, sizeof(when)));
    escaped(buf, ft_json_str(start, "requester"));
    ft_buf_adds(buf, "</p>\n<table>");
    json_object_foreach(json_object_get(start, "params"), name, value) {
        char *brief = ft_json_brief(value, 200);

        ft_buf_adds(buf, "<tr>");
        cell(buf, name);
        cell(buf, brief);
        ft_buf_adds(buf, "</tr>");
        free(brief);
    }
    ft_buf_adds(buf, "</table>\n");
    if (json_array_size(json_object_get(end, "evidence"))) {
        size_t i;

        ft_buf_adds(buf, "<h2>Evidence</h2><ul>");
        json_array_foreach(json_object_get(end, "evidence"), i, value) {
            char *brief = ft_json_brief(value, 1000);

            ft_buf_adds(buf, "<li>");
            escaped(buf, brief);
            ft_buf_adds(buf, "</li>");
            free(brief);
        }
        ft_buf_adds(buf, "</ul>\n");
    }
}

static void step_row(struct ft_buf *buf, const json_t *event, const char *state, const char *text)
{
    char when[32], took[32] = "";

    if (json_is_integer(json_object_get(event, "ms")))
        ft_duration_format((uint64_t)ft_json_int(event, "ms", 0), took, sizeof(took));
    ft_buf_adds(buf, "<tr>");
    cell(buf, ft_time_format((uint64_t)ft_json_int(event, "at", 0), when, sizeof(when)));
    cell(buf, ft_json_str(event, "path"));
    cell(buf, state);
    cell(buf, text);
    cell(buf, took);
    ft_buf_adds(buf, "</tr>\n");
}

static void steps(struct ft_buf *buf, const json_t *events)
{
    static const struct { const char *type, *state, *field; } rows[] = {
        { "step.done", "done", "seen" }, { "step.failed", "failed", "error" }, { "step.attempt", "tried", "error" }, { "step.skipped", "skipped", "" },
        { "gate.opened", "asked", "text" }, { "gate.answered", "answered", "reason" }, { "ask.opened", "asked", "text" }, { "ask.answered", "answered", "by" },
        { "doubt.opened", "in doubt", "why" }, { "doubt.answered", "found out", "by" }, { "step.unproven", "not proven", "error" },
        { "undo.done", "taken back", "by" }, { "undo.kept", "left as it is", "by" }, { "undo.conflict", "changed since", "error" }, { "undo.attempt", "undo tried", "error" },
        { "hold.opened", "waits", "why" }, { "run.closing", "its time is over", "why" }, { "run.reopened", "undo asked for", "by" }, { "undo.failed", "undo failed", "error" },
    };
    enum ft_tone tone;
    const char *mark;
    json_t *event;
    size_t i;

    ft_buf_adds(buf, "<h2>Steps</h2><table><tr><th>at</th><th>step</th><th></th><th>seen</th><th>took</th></tr>\n");
    json_array_foreach((json_t *)events, i, event) {
        char *words = gate_words(event, &mark, &tone);

        for (size_t k = 0; k < ARRAY_LEN(rows); k++)
            if (ft_streq(rows[k].type, ft_json_str(event, "type")))
                step_row(buf, event, rows[k].state, ft_json_str(event, rows[k].field));
        if (words)
            step_row(buf, event, "people", words);
        free(words);
    }
    ft_buf_adds(buf, "</table>\n");
}

static void writes(struct ft_buf *buf, const json_t *events)
{
    json_t *event, *one;
    size_t i, k;
    bool any = false;

    json_array_foreach((json_t *)events, i, event) {
        if (!ft_streq(ft_json_str(event, "type"), "step.intended"))
            continue;
        const json_t *plan = json_object_get(event, "plan");

        ft_buf_adds(buf, any ? "" : "<h2>Changes</h2>\n");
        any = true;
        ft_buf_adds(buf, "<h3>");
        escaped(buf, ft_json_str(event, "title"));
        ft_buf_adds(buf, " <span class=\"dim\">");
        escaped(buf, ft_json_str(event, "action"));
        ft_buf_adds(buf, "</span></h3>\n");
        if (!plan)
            json_block(buf, "", "", json_object_get(event, "params"));
        json_array_foreach(json_object_get(plan, "requests"), k, one)
            json_block(buf, "", "", one);
        json_array_foreach(json_object_get(plan, "changes"), k, one) {
            char *path = ft_asprintf("%s: ", ft_json_str(one, "path"));

            if (json_object_get(one, "from"))
                json_block(buf, "minus", path, json_object_get(one, "from"));
            if (json_object_get(one, "to"))
                json_block(buf, "plus", path, json_object_get(one, "to"));
            free(path);
        }
        if (json_object_get(event, "undo"))
            json_block(buf, "dim", "undo: ", json_object_get(event, "undo"));
    }
}

static void decisions(struct ft_buf *buf, const json_t *events)
{
    json_t *event;
    size_t i;

    ft_buf_adds(buf, "<h2>Decisions</h2><table><tr><th>step</th><th>went to</th><th>because</th><th>read</th></tr>\n");
    json_array_foreach((json_t *)events, i, event) {
        if (!ft_streq(ft_json_str(event, "type"), "step.went"))
            continue;
        const json_t *why = json_object_get(event, "because");
        char *reads = ft_json_brief(json_object_get(why, "reads") ? json_object_get(why, "reads") : json_null(), 400);

        ft_buf_adds(buf, "<tr>");
        cell(buf, ft_json_str(event, "path"));
        cell(buf, ft_json_str(event, "to"));
        cell(buf, ft_json_str(why, "expr"));
        cell(buf, why ? reads : "");
        ft_buf_adds(buf, "</tr>\n");
        free(reads);
    }
    ft_buf_adds(buf, "</table>\n");
}

static void drawn(struct ft_buf *buf, struct app *app, const json_t *events)
{
    struct ft_err err = { 0 };
    struct ft_playbook *playbook = ft_run_stored_playbook(events, app->store, &app->world, &err);
    json_t *way = ft_run_way(events);
    char *svg = NULL;

    ft_buf_adds(buf, "<h2>The way</h2>\n");
    if (playbook && ft_graph(playbook, FT_GRAPH_SVG, way, &svg, &err) == 0) {
        const char *begin = strstr(svg, "<svg");

        ft_buf_adds(buf, begin ? begin : svg);
    } else {
        ft_buf_adds(buf, "<p>It cannot be drawn: ");
        escaped(buf, err.text);
        ft_buf_adds(buf, "</p>");
    }
    free(svg);
    json_decref(way);
    ft_playbook_unref(playbook);
}

void report_page(struct ft_buf *buf, struct app *app, const char *id, const json_t *events)
{
    head(buf, id, events);
    drawn(buf, app, events);
    steps(buf, events);
    writes(buf, events);
    decisions(buf, events);
}

int report_html(struct app *app, const char *id, const json_t *events)
{
    struct ft_buf buf = FT_BUF_INIT(0);
    bool ok;

    report_page(&buf, app, id, events);
    ft_buf_adds(&buf, "</body></html>\n");
    ok = !buf.overflow && fputs(ft_buf_str(&buf), stdout) >= 0 && fflush(stdout) == 0;
    ft_buf_done(&buf);
    return ok ? 0 : app_fail(1, "the report could not be written");
}
