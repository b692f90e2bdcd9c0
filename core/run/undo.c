/* undo.c: rollback: what was done is taken back, last first. Each undo's needs were journalled before its write was sent.
 * An undo that fails for good stops the rollback, keeps the locks and parks the run for a person. */
#include "run/internal.h"

struct undo_run {
    struct ft_run *run;
    json_t *item;                      /* owns one reference */
    struct step_run *step;             /* the failed step whose write alone is taken back; NULL: a whole rollback */
    void (*over)(struct step_run *step, bool undone);
    struct ft_call *call;
    struct ft_timer *timer;
    unsigned attempt;
    bool stuck;                        /* waits for a person */
    char *error;
};

enum { UNDO_TRIES = 4, UNDO_WAIT_MS = 5000 };

static void undo_try(void *arg);

static void undo_free(struct undo_run *u)
{
    if (!u)
        return;
    if (u->call)
        ft_call_drop(u->call);
    ft_timer_stop(u->timer);
    ft_store_forget(u->run->engine->o.store, u);
    json_decref(u->item);
    free(u->error);
    free(u);
}

void undo_cancel(struct ft_run *run)
{
    undo_free(run->undoing);
    run->undoing = NULL;
}

static const char *item_path(const struct undo_run *u)
{
    return ft_json_str(u->item, "path");
}

static void undo_over(struct undo_run *u)
{
    struct ft_run *run = u->run;
    struct step_run *step = u->step;
    void (*over)(struct step_run *step, bool undone) = u->over;

    run->undoing = NULL;
    undo_free(u);
    if (step)
        over(step, true);
    else
        rollback_go_on(run);
}

static void undo_written(void *arg, int code, const struct ft_err *err)
{
    struct undo_run *u = arg;

    if (code < 0)
        run_broken(u->run, err);
    else
        undo_over(u);
}

static void note_undone(struct undo_run *u, const char *by)
{
    json_t *event = ev("undo.done", item_path(u));
    struct ft_err err = { 0 };

    json_object_set(event, "title", json_object_get(u->item, "title"));
    if (by)
        json_object_set_new(event, "by", json_string(by));
    if (run_journal(u->run, event, FT_COMMIT, undo_written, u, &err) < 0)
        run_broken(u->run, &err);
}

static void undo_stuck_written(void *arg, int code, const struct ft_err *err)
{
    struct undo_run *u = arg;

    if (code < 0)
        run_broken(u->run, err);
    else
        run_check_idle(u->run);
}

static void undo_stuck(struct undo_run *u, enum ft_class class)
{
    json_t *event = ev("undo.failed", item_path(u));
    struct ft_err err = { 0 };

    u->stuck = true;
    json_object_set(event, "title", json_object_get(u->item, "title"));
    json_object_set_new(event, "class", json_string(ft_class_name(class)));
    json_object_set_new(event, "error", json_string(u->error));
    if (run_journal(u->run, event, FT_COMMIT, undo_stuck_written, u, &err) < 0)
        run_broken(u->run, &err);
}

static void undo_called(void *arg, json_t *result)
{
    struct undo_run *u = arg;

    (void)result;
    u->call = NULL;
    note_undone(u, NULL);
}

static void undo_failed(void *arg, enum ft_class class, const char *text)
{
    struct undo_run *u = arg;

    u->call = NULL;
    free(u->error);
    u->error = ft_strdup(text);
    /* Setting an old value back is safe to repeat, so an answer that was lost is a reason to try again, too. */
    bool again = class == FT_UNREACHABLE || class == FT_TIMEOUT || class == FT_REFUSED || class == FT_AMBIGUOUS || class == FT_CONFLICT;

    if (again && ++u->attempt < UNDO_TRIES)
        u->timer = ft_timer_start(u->run->engine->o.loop, (uint64_t)UNDO_WAIT_MS << (u->attempt - 1), undo_try, u);
    else
        undo_stuck(u, class);
}

static const struct ft_call_handler undo_handler = { .done = undo_called, .fail = undo_failed };

static void undo_try(void *arg)
{
    struct undo_run *u = arg;
    struct ft_err err = { 0 };
    const struct ft_action_info *info = NULL;
    bool own = ft_streq(ft_json_str(u->item, "kind"), "auto");
    int r;

    u->timer = NULL;
    r = ft_registry_action(u->run->engine->o.registry, ft_json_str(u->item, "action"), &info, &err);
    if (r == 0) {
        struct ft_call_req req = {
            .info = info, .entry = own ? FT_ENTRY_UNDO : FT_ENTRY_RUN, .params = json_object_get(u->item, own ? "write_params" : "params"),
            .receipt = own ? json_object_get(u->item, "receipt") : NULL, .run_id = u->run->id,
        };

        r = ft_call_start(u->run->engine->o.registry, &req, &undo_handler, u, &u->call, &err);
    }
    if (r < 0)
        undo_failed(u, err.class ? err.class : FT_INVALID, err.text);
}

static void undo_intended(void *arg, int code, const struct ft_err *err)
{
    struct undo_run *u = arg;

    if (code < 0)
        run_broken(u->run, err);
    else
        undo_try(u);
}

static void undo_begin(struct ft_run *run, json_t *item, struct step_run *step, void (*over)(struct step_run *step, bool undone))
{
    struct undo_run *u = ft_calloc(1, sizeof(*u));
    json_t *event;
    struct ft_err err = { 0 };

    u->run = run;
    u->item = json_incref(item);
    u->step = step;
    u->over = over;
    run->undoing = u;
    event = ev("undo.intended", item_path(u));
    json_object_set(event, "undo", item);
    if (run_journal(run, event, FT_DURABLE, undo_intended, u, &err) < 0)
        run_broken(run, &err);
}

int undo_one_for(struct step_run *step, void (*over)(struct step_run *step, bool undone))
{
    json_t *undo = step->run->undo;

    for (size_t i = json_array_size(undo); i-- > 0;) {
        json_t *item = json_array_get(undo, i);

        if (ft_streq(ft_json_str(item, "path"), step->path) && !step->run->undoing) {
            undo_begin(step->run, item, step, over);
            return 0;
        }
    }
    return -ENOENT;
}

/* ---- the whole rollback */

static void stop_steps(struct ft_run *run)
{
    if (run->root) {
        list_free(run->root);
        run->root = NULL;
    }
}

void rollback_go_on(struct ft_run *run)
{
    size_t n = json_array_size(run->undo);

    if (n == 0)
        run_finish(run);
    else
        undo_begin(run, json_array_get(run->undo, n - 1), NULL, NULL);
}

void rollback_start(struct ft_run *run, const char *why)
{
    json_t *event = ev("rollback.started", NULL);

    stop_steps(run);
    undo_cancel(run);
    run->state = RUN_ROLLING_BACK;
    json_object_set_new(event, "why", json_string(why));
    json_object_set_new(event, "count", json_integer((json_int_t)json_array_size(run->undo)));
    if (run->final)
        json_object_set(event, "final", run->final);
    run_ride(run, event);
    if (run->state != RUN_ENDED)
        rollback_go_on(run);
}

json_t *undo_question(const struct ft_run *run)
{
    const struct undo_run *u = run->undoing;

    if (!u || !u->stuck)
        return NULL;
    return json_pack("{s:s, s:s, s:O?, s:s, s:O}", "path", item_path(u), "kind", "undo", "title", json_object_get(u->item, "title"), "text", u->error, "undo", u->item);
}

int undo_answer(struct ft_run *run, const json_t *answer, const char *who, struct ft_err *reterr)
{
    struct undo_run *u = run->undoing;

    if (!u || !u->stuck)
        return ft_err_set(reterr, -EINVAL, "no undo waits for a person");
    if (json_is_true(json_object_get(answer, "done"))) {
        u->stuck = false;
        note_undone(u, who);
        return 0;
    }
    if (!json_is_true(json_object_get(answer, "again")))
        return ft_err_set(reterr, -EINVAL, "answer {\"again\": true} to try the undo again, or {\"done\": true} when you have done it by hand");
    u->stuck = false;
    u->attempt = 0;
    undo_try(u);
    return 0;
}
