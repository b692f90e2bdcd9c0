#include "cli/live.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/util.h"
#include "data/json.h"
#include "cli/gate_text.h"
#include "guard/approval.h"

enum { TITLE_COLUMNS = 38, INDENT = 2 };

struct live {
    FILE *to;
    bool colour, moving;
    bool under_way;                   /* an unfinished line stands on the terminal */
    json_t *titles;                   /* path → title */
    json_t *effects;                  /* path → effect */
    char *current;                    /* title of the step under way */
    char run[9];
    uint64_t last_at, wait_from;
};

struct live *live_new(FILE *to, bool moving)
{
    struct live *live = ft_calloc(1, sizeof(*live));

    live->to = to;
    live->colour = term_colour(to);
    live->moving = moving;
    live->titles = json_object();
    live->effects = json_object();
    return live;
}

struct live *live_free(struct live *live)
{
    if (!live)
        return NULL;
    live_clear(live);
    json_decref(live->titles);
    json_decref(live->effects);
    free(live->current);
    free(live);
    return NULL;
}

void live_clear(struct live *live)
{
    if (!live->under_way)
        return;
    fputs("\r\033[K", live->to);
    fflush(live->to);
    live->under_way = false;
}

static void working(struct live *live, const char *title, const char *text)
{
    if (!live->moving)
        return;
    live_clear(live);
    fprintf(live->to, "%*s", INDENT, "");
    term_put(live->to, live->colour, TONE_DIM, "… ");
    term_column(live->to, title, TITLE_COLUMNS);
    fputc(' ', live->to);
    term_column(live->to, text ? text : "", term_width(live->to) - TITLE_COLUMNS - 8);
    fflush(live->to);
    live->under_way = true;
}

/* A step that found something wrong says so by beginning with "no". */
static bool says_no(const char *seen)
{
    return seen && strncmp(seen, "no", 2) == 0 && (seen[2] == '\0' || seen[2] == ':' || seen[2] == ',' || seen[2] == ' ' || seen[2] == ';');
}

static void line(struct live *live, const char *mark, enum ft_tone tone, const char *title, const char *text, int64_t ms, int depth)
{
    int width = term_width(live->to), at = INDENT + depth + 2 + TITLE_COLUMNS + 1;
    char took[32] = "";

    live_clear(live);
    fprintf(live->to, "%*s", INDENT + depth, "");
    term_put(live->to, live->colour, tone, mark);
    fputc(' ', live->to);
    if (ms >= 0)
        ft_duration_format((uint64_t)ms, took, sizeof(took));
    if (ft_text_width(title, strlen(title)) > TITLE_COLUMNS) {
        fprintf(live->to, "%s\n%*s", title, at, "");
    } else {
        term_column(live->to, title, TITLE_COLUMNS);
        fputc(' ', live->to);
    }
    int room = width - at - (int)strlen(took) - 1;

    if (!*took) {
        term_wrap(live->to, text, at, at, width);
    } else if ((int)ft_text_width(text, strlen(text)) <= room) {
        term_column(live->to, text, room);
        fputc(' ', live->to);
    } else {
        term_wrap(live->to, text, at, at, width - (int)strlen(took) - 2);
        if (*took)
            fputs("  ", live->to);
    }
    if (*took)
        term_put(live->to, live->colour, TONE_DIM, took);
    fputc('\n', live->to);
    fflush(live->to);
}

int path_depth(const char *path)
{
    int depth = 0;

    for (; path && *path; path++)
        depth += *path == '/' ? 2 : 0;
    return depth;
}

static const char *title_of(const struct live *live, const json_t *event)
{
    const char *title = ft_json_str(event, "title"), *path = ft_json_str(event, "path");

    if (!title && path)
        title = ft_json_str(live->titles, path);
    return title ? title : path ? path : "";
}

/* ---- one function an event */

static void on_resumed(struct live *live, const json_t *event)
{
    live_clear(live);
    snprintf(live->run, sizeof(live->run), "%s", ft_json_str(event, "run") ? ft_json_str(event, "run") : "");
    term_put(live->to, live->colour, TONE_BOLD, ft_json_str(event, "playbook"));
    fprintf(live->to, " · run %.8s goes on\n\n", live->run);
}

static void on_started(struct live *live, const json_t *event)
{
    const char *key;
    json_t *value;

    live_clear(live);
    snprintf(live->run, sizeof(live->run), "%s", ft_json_str(event, "run") ? ft_json_str(event, "run") : "");
    term_put(live->to, live->colour, TONE_BOLD, ft_json_str(event, "playbook"));
    fprintf(live->to, " · run %.8s", live->run);
    if (ft_streq(ft_json_str(event, "mode"), "dry_run"))
        fputs(" · dry run, nothing is changed", live->to);
    if (ft_json_str(event, "plan"))
        fprintf(live->to, " · applies plan %.8s%s", ft_json_str(event, "plan"), json_is_true(json_object_get(event, "accept_undetermined")) ? ", undetermined writes accepted" : "");
    json_object_foreach(json_object_get(event, "params"), key, value) {
        char *brief = json_is_null(value) ? NULL : ft_json_brief(value, 40);

        if (brief && *brief)
            fprintf(live->to, " · %s %s", key, brief);
        free(brief);
    }
    fputs("\n\n", live->to);
}

static void on_reopened(struct live *live, const json_t *event)
{
    const char *why = ft_json_str(event, "why");

    live_clear(live);
    term_put(live->to, live->colour, TONE_BOLD, ft_json_str(event, "playbook"));
    fprintf(live->to, " · run %.8s · taken back at the wish of %s%s%s\n\n", ft_json_str(event, "run"), ft_json_str(event, "by"), why && *why ? ": " : "", why ? why : "");
}

static void on_step_started(struct live *live, const json_t *event)
{
    const char *path = ft_json_str(event, "path"), *title = ft_json_str(event, "title");

    json_object_set_new(live->titles, path, json_string(title ? title : path));
    json_object_set(live->effects, path, json_object_get(event, "effect"));
    free(live->current);
    live->current = ft_strdup(title ? title : path);
    if (!ft_streq(ft_json_str(event, "verb"), "set"))
        working(live, live->current, "");
}

static void on_intended(struct live *live, const json_t *event)
{
    const char *summary = ft_json_str(json_object_get(event, "plan"), "summary");

    working(live, title_of(live, event), summary ? summary : ft_json_str(event, "action"));
}

static void on_done(struct live *live, const json_t *event)
{
    const char *seen = ft_json_str(event, "seen"), *path = ft_json_str(event, "path");
    bool write = json_is_true(json_object_get(event, "write"));
    bool has_effect = json_object_get(live->effects, path) != NULL;
    bool nothing = json_is_true(json_object_get(event, "nothing_to_do"));
    const char *text = seen ? seen : write ? "done" : nothing ? "nothing to do" : "";

    if (!seen && !write && !has_effect && !json_is_true(json_object_get(event, "recovered"))) {
        live_clear(live);                         /* set, lua and the like: nothing to see */
        return;
    }
    if (json_is_true(json_object_get(event, "recovered"))) {
        char *recovered = ft_asprintf("%s%s(found out after an interruption)", text, *text ? " " : "");

        line(live, "✓", TONE_GOOD, title_of(live, event), recovered, ft_json_int(event, "ms", -1), path_depth(path));
        free(recovered);
        return;
    }
    line(live, says_no(seen) ? "✗" : "✓", says_no(seen) ? TONE_BAD : TONE_GOOD, title_of(live, event), text, ft_json_int(event, "ms", -1), path_depth(path));
}

static void on_failed(struct live *live, const json_t *event)
{
    const char *to = ft_json_str(event, "to");

    line(live, "✗", TONE_BAD, title_of(live, event), ft_json_str(event, "error"), ft_json_int(event, "ms", -1), path_depth(ft_json_str(event, "path")));
    plan_print_differs(live->to, live->colour, ft_json_path(event, "off_plan.differs"), 8);
    if (to)
        fprintf(live->to, "      the run goes on (on_error: %s)\n", to);
}

static void on_attempt(struct live *live, const json_t *event)
{
    char wait[32];
    char *text = ft_asprintf("try %d: %s; again in %s", (int)ft_json_int(event, "attempt", 1), ft_json_str(event, "error"),
                             ft_duration_format((uint64_t)ft_json_int(event, "again_in_ms", 0), wait, sizeof(wait)));

    line(live, "!", TONE_WARN, title_of(live, event), text, -1, path_depth(ft_json_str(event, "path")));
    free(text);
}

static void on_question(struct live *live, const json_t *event)
{
    line(live, "!", TONE_WARN, title_of(live, event), ft_json_str(event, "text"), -1, path_depth(ft_json_str(event, "path")));
}

/* How many more must approve. */
static size_t missing(const json_t *gate)
{
    const json_t *by = json_object_get(gate, "by"), *all = json_object_get(by, "all");
    int64_t count = all ? 0 : ft_json_int(by, "count", 1), given = (int64_t)json_array_size(json_object_get(gate, "votes"));

    for (size_t i = 0; i < json_array_size(all); i++)
        count += ft_json_int(json_array_get(all, i), "count", 1);
    return count > given ? (size_t)(count - given) : 0;
}

static void print_asked(struct live *live, const json_t *gate)
{
    const json_t *asked = json_object_get(gate, "asked");
    size_t i, more = missing(gate), n = json_array_size(asked);
    json_t *name;

    fputs("        ", live->to);
    if (!json_array_size(asked))
        fputs("nobody in the configuration may answer this: see its `people` and `roles`", live->to);
    json_array_foreach((json_t *)asked, i, name)
        fprintf(live->to, "%s%s", i ? ", " : "asked: ", json_string_value(name));
    fputc('\n', live->to);
    if (n && n < more)
        fprintf(live->to, "        %zu more must approve, and only %zu may: it cannot be approved as it stands (whoever asked never counts)\n", more, n);
}

static void on_gate(struct live *live, const json_t *event)
{
    uint64_t until = (uint64_t)ft_json_int(event, "until", 0), now = ft_clock_wall_ms(ft_clock_system());
    char *needs = ft_gate_needs(event), left[32], when[48];
    const char *digest = ft_json_str(event, "digest"), *so_far = json_array_size(json_object_get(event, "votes")) ? ft_json_str(event, "so_far") : NULL;

    on_question(live, event);
    if (json_is_true(json_object_get(event, "people"))) {
        ft_duration_format(until > now ? (until - now + 30000) / 60000 * 60000 : 0, left, sizeof(left));      /* to the minute */
        fprintf(live->to, "        needs approval by %s%s%s before %s, %s left\n", needs, so_far ? ", " : "", so_far ? so_far : "", term_when(until, false, when), until > now ? left : "no time is");
        print_asked(live, event);
        fprintf(live->to, "        fettle approve %s   ·   digest %.4s %.4s   ·   fettle approvals shows all that waits\n", live->run, digest ? digest : "",
                digest && strlen(digest) > 4 ? digest + 4 : "");
    }
    free(needs);
    fflush(live->to);
}

void live_gate(struct live *live, const json_t *view)
{
    on_gate(live, view);
}

/* What people did at a gate. One answer at the terminal, where nobody is configured, is told once: by gate.answered. */
static void on_gate_event(struct live *live, const json_t *event)
{
    int at = INDENT + path_depth(ft_json_str(event, "path")) + 6;
    enum ft_tone tone;
    const char *mark;
    char *text = gate_words(event, &mark, &tone);

    if (text && !(ft_streq(ft_json_str(event, "type"), "gate.vote") && !json_object_get(event, "answer"))) {
        live_clear(live);
        fprintf(live->to, "%*s", at, "");
        term_put(live->to, live->colour, tone, mark);
        fputc(' ', live->to);
        term_wrap(live->to, text, at + 2, at + 2, term_width(live->to));
        fputc('\n', live->to);
        fflush(live->to);
    }
    free(text);
}

static void on_batch(struct live *live, const json_t *event)
{
    int n = (int)(ft_json_int(event, "to", 0) - ft_json_int(event, "from", 0));
    char *text;

    if (ft_json_int(event, "batches", 0) < 2)
        return;
    text = ft_asprintf("batch %d of %d (%d item%s)", (int)ft_json_int(event, "batch", 0), (int)ft_json_int(event, "batches", 0), n, n == 1 ? "" : "s");
    line(live, "▸", TONE_DIM, title_of(live, event), text, -1, path_depth(ft_json_str(event, "path")));
    free(text);
}

static void on_soak(struct live *live, const json_t *event)
{
    char when[48], *text;

    term_when((uint64_t)ft_json_int(event, "until", 0), true, when);
    text = ft_asprintf("batch %d of %d · soaking until %s", (int)ft_json_int(event, "batch", 0), (int)ft_json_int(event, "batches", 0), when);
    line(live, "⏸", TONE_WARN, title_of(live, event), text, -1, path_depth(ft_json_str(event, "path")));
    free(text);
}

static void on_checked(struct live *live, const json_t *event)
{
    bool ok = json_is_true(json_object_get(event, "ok"));
    char *text = ft_asprintf("batch %d of %d · %s%s", (int)ft_json_int(event, "batch", 0), (int)ft_json_int(event, "batches", 0), ok ? "the check holds: " : "",
                             ft_json_str(event, ok ? "expr" : "error"));

    line(live, ok ? "✓" : "✗", ok ? TONE_GOOD : TONE_BAD, title_of(live, event), text, -1, path_depth(ft_json_str(event, "path")));
    free(text);
}

static void on_lock_waiting(struct live *live, const json_t *event)
{
    char when[48], *text;

    term_when((uint64_t)ft_json_int(event, "until", 0), true, when);
    text = ft_asprintf("%s; waits for it until %s", ft_json_str(event, "text"), when);
    line(live, "⏸", TONE_WARN, title_of(live, event), text, -1, path_depth(ft_json_str(event, "path")));
    free(text);
}

static void on_lock_taken(struct live *live, const json_t *event)
{
    if (json_object_get(event, "waited_ms"))
        line(live, "✓", TONE_GOOD, title_of(live, event), "the lock is free, goes on", ft_json_int(event, "waited_ms", -1), path_depth(ft_json_str(event, "path")));
}

static void on_look(struct live *live, const json_t *event)
{
    char *text = json_is_object(json_object_get(event, "reads")) ? ft_json_brief(json_object_get(event, "reads"), 200) : ft_strdup(ft_json_str(event, "error"));

    if (!json_is_true(json_object_get(event, "ok")))
        working(live, title_of(live, event), text);
    free(text);
}

static void on_doubt(struct live *live, const json_t *event)
{
    line(live, "?", TONE_WARN, title_of(live, event), ft_json_str(event, "why"), -1, path_depth(ft_json_str(event, "path")));
}

/* Found out by itself, or said by somebody who is not at this terminal. */
static void on_found_out(struct live *live, const json_t *event)
{
    const char *by = ft_json_str(event, "by");
    bool happened = json_is_true(json_object_get(event, "happened"));
    char *text;

    if (ft_streq(by, "not sent"))
        text = ft_strdup("not sent: the run was asked to end before it went out");
    else
        text = ft_asprintf("it was in doubt: it %s, %s %s", happened ? "happened" : "did not happen", ft_streq(by, "probe") || ft_streq(by, "verify") ? "found out by its" : "says",
                           ft_streq(by, "verify") ? "verification" : by);
    line(live, happened ? "✓" : "!", happened ? TONE_GOOD : TONE_WARN, title_of(live, event), text, -1, path_depth(ft_json_str(event, "path")));
    free(text);
}

static void on_unproven(struct live *live, const json_t *event)
{
    const char *text = json_is_true(json_object_get(event, "stays")) ? "not proven, and nothing takes it back"
                       : json_is_true(json_object_get(event, "lapses")) ? "not proven, so it is not confirmed: waiting until the device takes it back" : "not proven, taking it back";

    line(live, "!", TONE_WARN, title_of(live, event), text, -1, path_depth(ft_json_str(event, "path")));
}

static void on_confirming(struct live *live, const json_t *event)
{
    working(live, title_of(live, event), "it is proven; confirming it over a new connection");
}

static void on_hold(struct live *live, const json_t *event)
{
    line(live, "!", TONE_WARN, title_of(live, event), ft_json_str(event, "why"), -1, path_depth(ft_json_str(event, "path")));
}

static void on_window(struct live *live, const json_t *event)
{
    char *text = ft_asprintf("waits for the change window '%s'", ft_json_str(event, "window"));

    if (ft_json_str(event, "window"))
        line(live, "!", TONE_WARN, title_of(live, event), text, -1, path_depth(ft_json_str(event, "path")));
    free(text);
}

static void on_closing(struct live *live, const json_t *event)
{
    line(live, "!", TONE_WARN, "The window closes", ft_json_str(event, "why"), -1, 0);
}

/* "Set a, Set b (2 of 7 …)": of a list with titles; malloced. */
static char *titles_of(const json_t *list, int which)
{
    struct ft_buf text = FT_BUF_INIT(0);
    size_t i, n = 0;
    json_t *one;

    json_array_foreach((json_t *)list, i, one) {
        const char *title = ft_json_str(one, "title");

        if (which < 0 || json_is_true(json_object_get(one, "undo")) == (which > 0))
            ft_buf_addf(&text, "%s%s", n++ ? ", " : "", title ? title : ft_json_str(one, "path"));
    }
    return ft_buf_take(&text);
}

static void listed(struct live *live, const char *words, const char *titles, const char *behind)
{
    if (*titles) {
        int at = 4 + (int)strlen(words);

        fprintf(live->to, "    %s", words);
        term_wrap(live->to, titles, at, 6, term_width(live->to));
        fprintf(live->to, "%s\n", behind);
    }
}

static void on_rollback(struct live *live, const json_t *event)
{
    char *without = titles_of(json_object_get(event, "without"), -1);

    live_clear(live);
    fprintf(live->to, "    taking back %d write%s: %s\n", (int)ft_json_int(event, "count", 0), ft_json_int(event, "count", 0) == 1 ? "" : "s", ft_json_str(event, "why"));
    listed(live, "not taken back, having no undo: ", without, "");
    free(without);
}

/* What somebody said of a stuck undo. */
static void on_told(struct live *live, const json_t *event)
{
    static const struct { const char *word, *text; } words[] = {
        { "overwrite", "has it put back over what is there now" }, { "again", "has it tried again" }, { "leave", "leaves it as it is now" }, { "done", "has taken it back by hand" },
    };
    const char *where = ft_json_str(event, "where"), *reason = ft_json_str(event, "reason");

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!json_is_true(json_object_get(event, words[i].word)))
            continue;
        char *text = ft_asprintf("%s %s%s%s%s%s%s", ft_json_str(event, "by"), words[i].text, where && *where ? " (" : "", where ? where : "", where && *where ? ")" : "",
                                 reason && *reason ? ": " : "", reason ? reason : "");

        line(live, "!", TONE_WARN, title_of(live, event), text, -1, 0);
        free(text);
        return;
    }
}

static void on_not_told(struct live *live, const json_t *event)
{
    char *text = ft_asprintf("the answer of %s does not count: %s", ft_json_str(event, "by"), ft_json_str(event, "why"));

    line(live, "!", TONE_WARN, title_of(live, event), text, -1, 0);
    free(text);
}

static void on_undone(struct live *live, const json_t *event)
{
    const char *by = ft_json_str(event, "by");
    char *text = by ? ft_asprintf("taken back by %s", by) : ft_strdup(json_is_true(json_object_get(event, "already")) ? "is as it was before" : "taken back");

    line(live, "↶", TONE_GOOD, title_of(live, event), text, -1, 0);
    free(text);
}

static void on_undo_kept(struct live *live, const json_t *event)
{
    char *text = ft_asprintf("left as it is now, by %s", ft_json_str(event, "by"));

    line(live, "!", TONE_WARN, title_of(live, event), text, -1, 0);
    free(text);
}

static void on_undo_conflict(struct live *live, const json_t *event)
{
    line(live, "✗", TONE_BAD, title_of(live, event), ft_json_str(event, "error"), -1, 0);
    undo_print_differences(live->to, live->colour, json_object_get(event, "differences"), 8);
}

static void on_undo_failed(struct live *live, const json_t *event)
{
    line(live, "✗", TONE_BAD, title_of(live, event), ft_json_str(event, "error"), -1, 0);
    fputs("        it is not taken back: a person is needed, and the locks are kept\n", live->to);
}

static void on_answered(struct live *live, const json_t *event)
{
    const char *by = ft_json_str(event, "by"), *where = ft_json_str(event, "where"), *reason = ft_json_str(event, "reason");
    bool yes = json_is_true(json_object_get(event, "approved")) || json_object_get(event, "values");
    bool people = ft_streq(ft_json_str(event, "type"), "gate.answered") && !json_object_get(event, "nobody_configured"), late = json_is_true(json_object_get(event, "expired"));
    char *text;

    if (people && json_object_get(event, "digest") && !late)
        return;                                       /* their answers stand there already */
    if (late)
        text = ft_strdup("nobody answered in time");
    else
        text = ft_asprintf("%s by %s%s%s%s%s%s", json_object_get(event, "values") ? "answered" : yes ? "approved" : "refused", by && *by ? by : "somebody",
                           where && *where ? " (" : "", where ? where : "", where && *where ? ")" : "", !yes && reason && *reason ? ": " : "", !yes && reason ? reason : "");
    line(live, yes ? "✓" : "✗", yes ? TONE_GOOD : TONE_BAD, "", text, -1, path_depth(ft_json_str(event, "path")));
    free(text);
}

static void on_cancelling(struct live *live, const json_t *event)
{
    live_clear(live);
    fprintf(live->to, "    stopping%s, asked by %s\n", json_is_true(json_object_get(event, "now")) ? " now" : " after the step under way", ft_json_str(event, "by"));
}

static enum ft_tone end_tone(const json_t *event)
{
    const char *status = ft_json_str(event, "status"), *kind = ft_json_str(event, "outcome_status");

    if (ft_streq(status, "finished") && ft_streq(kind, "ok"))
        return TONE_GOOD;
    return ft_streq(status, "failed") || ft_streq(kind, "failed") ? TONE_BAD : TONE_WARN;
}

static void print_standing(struct live *live, const json_t *event)
{
    char *undo = titles_of(json_object_get(event, "stands"), 1), *plain = titles_of(json_object_get(event, "stands"), 0);
    char *how = ft_asprintf("\n      `fettle undo %s` takes that back", live->run);

    listed(live, "still there: ", undo, how);
    listed(live, "still there, having no undo: ", plain, "");
    free(how);
    free(undo);
    free(plain);
}

static void on_finished(struct live *live, const json_t *event)
{
    const char *outcome = ft_json_str(event, "outcome"), *status = ft_json_str(event, "status"), *diagnosis = ft_json_str(event, "diagnosis");
    char took[32];
    json_t *one;
    size_t i;

    live_clear(live);
    fputs("\n  ", live->to);
    term_put(live->to, live->colour, end_tone(event), "●");
    fputc(' ', live->to);
    term_put(live->to, live->colour, TONE_BOLD, outcome && *outcome && ft_streq(status, "finished") ? outcome : ft_streq(status, "rolled_back") ? "rolled back" : status);
    fputs(" · ", live->to);
    term_wrap(live->to, diagnosis ? diagnosis : ft_json_str(event, "title"), 20, 4, term_width(live->to));
    fprintf(live->to, "\n    %s, %d step%s, %d write%s", ft_duration_format((uint64_t)ft_json_int(event, "ms", 0), took, sizeof(took)), (int)ft_json_int(event, "steps", 0),
            ft_json_int(event, "steps", 0) == 1 ? "" : "s", (int)ft_json_int(event, "writes", 0), ft_json_int(event, "writes", 0) == 1 ? "" : "s");
    if (json_array_size(json_object_get(event, "undone")))
        fprintf(live->to, ", %zu taken back", json_array_size(json_object_get(event, "undone")));
    if (json_array_size(json_object_get(event, "kept")))
        fprintf(live->to, ", %zu left as it is", json_array_size(json_object_get(event, "kept")));
    fputc('\n', live->to);
    print_standing(live, event);
    json_array_foreach(json_object_get(event, "evidence"), i, one) {
        char *text = ft_json_brief(one, 400);

        fputs("    · ", live->to);
        term_wrap(live->to, text, 6, 6, term_width(live->to));
        fputc('\n', live->to);
        free(text);
    }
}

void live_event(struct live *live, const json_t *event)
{
    static const struct { const char *type; void (*show)(struct live *live, const json_t *event); } shows[] = {
        { "run.started", on_started }, { "run.resumed", on_resumed }, { "run.reopened", on_reopened },
        { "step.started", on_step_started }, { "step.intended", on_intended }, { "step.done", on_done }, { "step.failed", on_failed }, { "step.attempt", on_attempt }, { "gate.opened", on_gate }, { "ask.opened", on_question },
        { "gate.vote", on_gate_event }, { "gate.withdrawn", on_gate_event }, { "gate.refused", on_gate_event }, { "gate.voided", on_gate_event },
        { "gate.broken", on_gate_event }, { "gate.reviewed", on_gate_event }, { "gate.notice_failed", on_gate_event },
        { "gate.reminded", on_gate_event }, { "gate.escalated", on_gate_event },
        { "verify.look", on_look }, { "doubt.opened", on_doubt }, { "doubt.answered", on_found_out }, { "question.answered", on_told }, { "question.refused", on_not_told }, { "step.unproven", on_unproven }, { "confirm.intended", on_confirming }, { "rollback.started", on_rollback },
        { "hold.opened", on_hold }, { "wait.opened", on_window }, { "run.closing", on_closing },
        { "undo.attempt", on_attempt }, { "undo.kept", on_undo_kept }, { "undo.conflict", on_undo_conflict },
        { "undo.done", on_undone }, { "undo.failed", on_undo_failed }, { "gate.answered", on_answered }, { "ask.answered", on_answered }, { "run.cancelling", on_cancelling },
        { "run.finished", on_finished }, { "lock.waiting", on_lock_waiting }, { "lock.taken", on_lock_taken },
        { "each.batch", on_batch }, { "each.soak", on_soak }, { "each.checked", on_checked },
    };
    const char *type = ft_json_str(event, "type"), *path = ft_json_str(event, "path"), *title = ft_json_str(event, "title");

    if (path && title)                         /* of a resumed run, which does not start its steps again */
        json_object_set_new(live->titles, path, json_string(title));
    for (size_t i = 0; i < ARRAY_LEN(shows); i++)
        if (ft_streq(shows[i].type, type))
            shows[i].show(live, event);
    if (ft_streq(type, "run.planned"))
        plan_print(live->to, live->colour, json_object_get(event, "plan"), false);
}

void live_progress(struct live *live, const char *path, const char *text)
{
    const char *title = ft_json_str(live->titles, path);

    working(live, title ? title : path, text);
}
