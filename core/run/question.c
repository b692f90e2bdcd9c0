/* question.c: what a run asks a person, approvals aside: is a write in doubt there, what becomes of an undo that is stuck, what stands in a form.
 *
 * Answered at the run's own terminal, or from anywhere else: then the answer is a row in the store (`question`), which the run takes when it is about to
 * park, while it is parked, and in its next life before it does anything about the question. It is journalled with its number (question.answered, or
 * question.refused with why), so that it counts once whatever dies in between. */
#include "run/internal.h"

/* ---- what is open, from events only */

static bool is_over(const char *type)
{
    static const char *const ends[] = { "step.done", "step.failed", "doubt.answered", "ask.answered", "undo.done", "undo.kept", "undo.intended", "undo.attempt", "question.answered" };

    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (ft_streq(type, ends[i]))
            return true;
    return false;
}

static const char *kind_of(const char *type)
{
    static const struct { const char *type, *kind; } kinds[] = { { "doubt.opened", "doubt" }, { "ask.opened", "ask" }, { "undo.conflict", "undo" }, { "undo.failed", "undo" } };

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (ft_streq(type, kinds[i].type))
            return kinds[i].kind;
    return NULL;
}

static json_t *opened(const json_t *event, const char *kind)
{
    json_t *q = json_copy((json_t *)event);

    json_object_set_new(q, "kind", json_string(kind));
    if (ft_streq(kind, "undo"))
        json_object_set(q, "text", json_object_get(event, "error"));
    return q;
}

json_t *ft_questions_open(const json_t *events)
{
    json_t *open = json_object(), *list = json_array(), *event, *q;
    const char *path;
    size_t i;

    json_array_foreach((json_t *)events, i, event) {
        const char *type = ft_json_str(event, "type"), *at = ft_json_str(event, "path"), *kind = kind_of(type);

        if (ft_streq(type, "rollback.started") || ft_streq(type, "run.reopened") || ft_streq(type, "run.finished"))
            json_object_clear(open);                       /* its steps are gone */
        else if (at && kind)
            json_object_set_new(open, at, opened(event, kind));
        else if (at && is_over(type))
            json_object_del(open, at);
    }
    json_object_foreach(open, path, q)
        json_array_append(list, q);
    json_decref(open);
    return list;
}

/* ---- answered elsewhere */

int question_fits(const json_t *question, const json_t *answer, struct ft_err *reterr)
{
    static const char *const undo_words[] = { "again", "overwrite", "leave", "done" };
    const char *kind = ft_json_str(question, "kind");
    json_t *values = NULL;
    int r = -EINVAL;

    if (ft_streq(kind, "doubt") && json_is_boolean(json_object_get(answer, "happened")))
        return 0;
    for (size_t i = 0; ft_streq(kind, "undo") && i < ARRAY_LEN(undo_words); i++)
        if (json_is_true(json_object_get(answer, undo_words[i])))
            r = 0;
    if (r == 0 && json_object_get(answer, "overwrite") && !json_object_get(question, "differences") && !json_is_true(json_object_get(question, "unseen")))
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "nobody has changed '%s': there is nothing to overwrite; `again` sends the undo again", ft_json_str(question, "path"));
    if (ft_streq(kind, "ask"))
        r = ft_fields_bind(json_object_get(question, "fields"), json_object_get(answer, "values"), &values, reterr);
    else if (r < 0)
        ft_err_class(reterr, FT_INVALID, -EINVAL, "this is no answer to what is asked at '%s'", ft_json_str(question, "path"));
    json_decref(values);
    return r;
}

int ft_question_answer(struct ft_store *store, const char *run_id, const json_t *question, const json_t *answer, const char *who, const char *where, const char *reason,
                       struct ft_err *reterr)
{
    json_t *row;
    int r = question_fits(question, answer, reterr);

    if (r < 0)
        return r;
    row = json_pack("{s:O, s:O, s:O, s:s, s:s, s:s, s:O*}", "path", json_object_get(question, "path"), "kind", json_object_get(question, "kind"), "answer", answer, "by", who,
                    "where", where, "reason", reason ? reason : "", "seen", json_object_get(question, "theirs"));
    if (json_is_true(json_object_get(question, "doubt")))
        json_object_set_new(row, "doubt", json_true());
    r = ft_answer_put(store, run_id, FT_QUESTIONS, row, NULL, reterr);
    json_decref(row);
    return r;
}

/* ---- taken by the run */

void question_sign(const struct ft_run *run, json_t *event, const char *where)
{
    const json_t *given = json_object_get(run->taking, "answer");
    const char *reason = ft_json_str(given, "reason");

    json_object_set_new(event, "where", json_string(where ? where : ""));
    if (reason && *reason)
        json_object_set_new(event, "reason", json_string(reason));
    if (run->taking)
        json_object_set(event, "row", json_object_get(run->taking, "row"));
}

void question_answered(struct ft_run *run, const char *path, json_t *more, const char *who, const char *where)
{
    json_t *event = ev("question.answered", path);

    json_object_set_new(event, "kind", json_string("undo"));
    json_object_set_new(event, "by", json_string(who));
    json_object_update(event, more);                       /* with its title */
    json_decref(more);
    question_sign(run, event, where);
    run_ride(run, event);
}

static void refused(struct ft_run *run, const char *why)
{
    const json_t *given = json_object_get(run->taking, "answer");
    json_t *event = ev("question.refused", ft_json_str(given, "path"));

    json_object_set(event, "kind", json_object_get(given, "kind"));
    json_object_set(event, "by", json_object_get(given, "by"));
    json_object_set_new(event, "why", json_string(why));
    json_object_set(event, "row", json_object_get(run->taking, "row"));
    run_ride(run, event);
}

static bool is_taken(const struct ft_run *run, const json_t *row)
{
    json_t *done;
    size_t i;

    json_array_foreach(run->answered, i, done)
        if (json_equal(done, json_object_get(row, "row")))
            return true;
    return false;
}

/* Journalled, and only then marked. */
static bool take(struct ft_run *run, const json_t *row, int (*give)(struct ft_run *run, const json_t *given, struct ft_err *reterr))
{
    struct ft_err err = { 0 };
    bool done = is_taken(run, row);
    int r = 0;

    if (!done) {
        run->taking = row;
        r = give(run, json_object_get(row, "answer"), &err);
        if (r < 0 && run->state != RUN_ENDED)
            refused(run, err.text);
        run->taking = NULL;
    }
    if (run->state != RUN_ENDED)
        ft_answer_taken(run->engine->o.store, run->id, (uint64_t)ft_json_int(row, "row", 0));
    return !done && r == 0;
}

static int give(struct ft_run *run, const json_t *given, struct ft_err *reterr)
{
    const char *path = ft_json_str(given, "path");
    json_t *questions = ft_run_questions(run), *q;
    bool open = false;
    size_t i;

    json_array_foreach(questions, i, q)
        open = open || (ft_streq(ft_json_str(q, "path"), path) && ft_streq(ft_json_str(q, "kind"), ft_json_str(given, "kind")));
    json_decref(questions);
    if (!open)
        return ft_err_set(reterr, -ENOENT, "that is not asked any more");
    return ft_run_answer(run, path, json_object_get(given, "answer"), ft_json_str(given, "by"), ft_json_str(given, "where"), reterr);
}

static json_t *rows_of(const struct ft_run *run)
{
    struct ft_err err = { 0 };
    json_t *rows = NULL;

    if (ft_answers(run->engine->o.store, run->id, FT_QUESTIONS, false, &rows, &err) == 0)
        return rows;
    ft_log(FT_LOG_WARN, "run %s: the answers of people cannot be read: %s", run->id, err.text);
    return json_array();
}

bool questions_take(struct ft_run *run)
{
    json_t *rows = rows_of(run), *row;
    bool any = false;
    size_t i;

    json_array_foreach(rows, i, row)
        if (run->state != RUN_ENDED)
            any |= take(run, row, give);
    json_decref(rows);
    return any;
}

void questions_take_for_undo(struct ft_run *run, const char *path, int (*tell)(struct ft_run *run, const json_t *given, struct ft_err *reterr))
{
    json_t *rows = rows_of(run), *row;
    size_t i;

    json_array_foreach(rows, i, row) {
        const json_t *given = json_object_get(row, "answer");

        if (run->state != RUN_ENDED && ft_streq(ft_json_str(given, "path"), path) && ft_streq(ft_json_str(given, "kind"), "undo"))
            take(run, row, tell);
    }
    json_decref(rows);
}

/* ---- asked to end */

int ft_run_ask_end(struct ft_store *store, const char *run_id, bool now, bool rollback, const char *who, const char *where, struct ft_err *reterr)
{
    json_t *row = json_pack("{s:b, s:b, s:s, s:s}", "now", now, "rollback", rollback, "by", who, "where", where);
    int r = ft_answer_put(store, run_id, FT_ENDS, row, NULL, reterr);

    json_decref(row);
    return r;
}

/* Once more is the same as once: the row is marked when what it asks for is journalled. */
void ft_run_asked_to_end(struct ft_run *run)
{
    json_t *rows = NULL, *row;
    size_t i;

    if (ft_answers(run->engine->o.store, run->id, FT_ENDS, false, &rows, NULL) < 0)
        return;
    json_array_foreach(rows, i, row) {
        const json_t *asked = json_object_get(row, "answer");

        if (run->state == RUN_ENDED)
            break;
        ft_run_cancel(run, ft_json_str(asked, "by"), json_is_true(json_object_get(asked, "now")), json_is_true(json_object_get(asked, "rollback")));
        ft_answer_taken(run->engine->o.store, run->id, (uint64_t)ft_json_int(row, "row", 0));
    }
    json_decref(rows);
}
