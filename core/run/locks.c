/* locks.c: one change at a time. A write to a target that no lock of the run covers takes one by itself, right before its intent, and the run keeps
 * it to its end. Where another run holds it, the write waits: it tries again every few seconds, until its time is over.
 *
 * Two runs that each hold what the other wants: each sees in the journal of the other what that one waits for, and the one whose id is greater
 * gives up at once, so that its rollback frees the other. */
#include "run/internal.h"

enum { TRY_AGAIN_MS = 3000, DEFAULT_WAIT_MS = 5 * 60 * 1000, MAX_RING = 16 };
enum { WAKE_MS = 15000 };             /* a run that was put aside looks again so often */
enum { LATE_MS = 60000 };             /* back later than this after its time, it was not there to wait: its time begins anew */

void lock_note(struct ft_run *run, const json_t *keys)
{
    json_t *all = run->lock_keys ? json_copy(run->lock_keys) : json_array();       /* an event may share the old one */

    json_array_extend(all, (json_t *)keys);
    json_decref(run->lock_keys);
    run->lock_keys = all;
}

static bool holder_id(const char *holder, char ret[9])
{
    return holder && sscanf(holder, "run %8[0-9a-f]", ret) == 1;
}

/* The store says which key, which run and why; what to do about it is said here. */
int lock_held_by(const char *holder, struct ft_err *reterr)
{
    char id[9] = "", text[sizeof(reterr->text)] = "";

    if (reterr)
        snprintf(text, sizeof(text), "%s", reterr->text);
    if (!holder_id(holder, id))
        return ft_err_class(reterr, FT_CONFLICT, -EBUSY, "%s", text);
    return ft_err_class(reterr, FT_CONFLICT, -EBUSY, "%s; wait for it, or look with `fettle show %s`: `fettle resume %s` goes on with it where it is parked or its process died, `fettle cancel %s` ends it",
                        text, id, id, id);
}

/* ---- what is wanted, and what is held already */

static bool holds(const struct ft_run *run, const char *key)
{
    json_t *held;
    size_t i;

    json_array_foreach(run->lock_keys, i, held)
        if (ft_streq(json_string_value(held), key))
            return true;
    return false;
}

/* The targets that the run has no lock for; *ret_within: the place they lie in, malloced, or NULL. New reference. */
static json_t *wanted(const struct step_run *step, char **ret_within)
{
    const char *site = ft_target_site(step->params);
    json_t *targets = ft_lock_targets(step->params), *keys = json_array(), *key;
    size_t i;

    *ret_within = site && *site ? ft_asprintf("site/%s", site) : NULL;
    if (!*ret_within || !holds(step->run, *ret_within))
        json_array_foreach(targets, i, key)
            if (!holds(step->run, json_string_value(key)))
                json_array_append(keys, key);
    json_decref(targets);
    return keys;
}

static int take(struct step_run *step, const json_t *keys, const char *within, char **ret_holder, struct ft_err *reterr)
{
    const struct ft_run *run = step->run;
    char *reason = ft_asprintf("%s, started by %s: %s", ft_playbook_name(run->playbook), run->requester, step->title);
    int r = ft_store_lock_within(run->engine->o.store, run->id, keys, within, reason, ret_holder, reterr);

    free(reason);
    return r;
}

static void note_taken(struct step_run *step, json_t *keys, const char *within, uint64_t waited_since)
{
    json_t *event = ev("lock.taken", step->path);

    json_object_set(event, "keys", keys);
    if (within)
        json_object_set_new(event, "within", json_string(within));
    if (waited_since)
        json_object_set_new(event, "waited_ms", json_integer((json_int_t)(run_now_ms(step->run) - waited_since)));
    run_ride(step->run, event);
}

/* ---- a ring of runs that wait for each other */

/* The run that this one waits for now, by its journal; false: it waits for none. */
static bool waits_for(struct ft_store *store, const char *id, char ret[9])
{
    json_t *events = NULL, *locks = NULL, *lock;
    const char *holder = NULL;
    bool parked = false;
    size_t i;

    if (ft_store_locks(store, &locks, NULL) == 0)
        json_array_foreach(locks, i, lock)
            parked = parked || (ft_streq(ft_json_str(lock, "run"), id) && ft_streq(ft_json_str(lock, "status"), "parked"));
    json_decref(locks);
    if (!parked || ft_store_events(store, id, 0, &events, NULL) < 0)
        return false;
    for (i = json_array_size(events); i-- > 0 && !holder;) {
        const json_t *event = json_array_get(events, i);
        const char *type = ft_json_str(event, "type");

        if (ft_streq(type, "lock.waiting"))
            holder = ft_json_str(event, "holder");
        else if (ft_streq(type, "lock.taken") || ft_streq(type, "run.resumed") || ft_streq(type, "rollback.started"))
            break;
    }
    if (holder)
        snprintf(ret, 9, "%s", holder);
    json_decref(events);
    return holder != NULL;
}

/* Whether the runs behind this holder wait for this run in the end, and this one is the one to give up. */
static bool must_yield(const struct ft_run *run, const char *holder)
{
    char at[9], greatest[9], next[9];

    snprintf(at, sizeof(at), "%s", holder);
    snprintf(greatest, sizeof(greatest), "%s", holder);
    for (int i = 0; i < MAX_RING && waits_for(run->engine->o.store, at, next); i++) {
        if (ft_streq(next, run->id))
            return strcmp(run->id, greatest) > 0;
        memcpy(at, next, sizeof(at));
        if (strcmp(at, greatest) > 0)
            memcpy(greatest, at, sizeof(greatest));
    }
    return false;
}

/* ---- waiting */

static void try_again(void *arg);

static void wait_written(void *arg, int code, const struct ft_err *err)
{
    struct step_run *step = arg;

    if (code < 0)
        run_broken(step->run, err);
    else
        run_check_idle(step->run);
}

static uint64_t limit_ms(const struct ft_run *run)
{
    return run->engine->o.lock_wait_ms ? run->engine->o.lock_wait_ms : DEFAULT_WAIT_MS;
}

/* Journalled when it begins, and when another run has it now. */
static bool note_waiting(struct step_run *step, const json_t *keys, const char *within, const char *holder, const char *text)
{
    struct ft_run *run = step->run;
    json_t *event = ev("lock.waiting", step->path);
    struct ft_err err = { 0 };
    char id[9] = "";

    holder_id(holder, id);
    free(step->lock_holder);
    step->lock_holder = ft_strdup(id);
    json_object_set(event, "keys", (json_t *)keys);
    if (within)
        json_object_set_new(event, "within", json_string(within));
    json_object_set_new(event, "holder", json_string(id));
    json_object_set_new(event, "by", json_string(holder));
    json_object_set_new(event, "title", json_string(step->title));
    json_object_set_new(event, "text", json_string(text));
    json_object_set_new(event, "until", json_integer((json_int_t)step->lock_until_ms));
    json_object_set_new(event, "wake", json_integer((json_int_t)ft_min(step->lock_until_ms, run_now_ms(run) + WAKE_MS)));
    json_object_set_new(event, "stays", json_true());
    json_decref(step->past);
    step->past = json_pack("{s:O}", "lock.waiting", event);
    if (run_journal(run, event, FT_COMMIT, wait_written, step, &err) == 0)
        return true;
    run_broken(run, &err);
    return false;
}

static void give_up(struct step_run *step, const char *holder, struct ft_err *err, bool ring)
{
    char within[32], id[9] = "", held[sizeof(err->text)];

    holder_id(holder, id);
    step->lock_until_ms = 0;
    snprintf(held, sizeof(held), "%s", err->text);
    if (ring)
        ft_err_class(err, FT_CONFLICT, -EDEADLK, "%s, and that run waits for what this run holds: this one gives up; start it again when run %s is over", held, id);
    else
        lock_held_by(holder, err);
    if (!ring)
        ft_err_in(err, "waited %s for a lock", ft_duration_format(limit_ms(step->run), within, sizeof(within)));
    run_goes_on(step->run);
    step_fail(step, FT_CONFLICT, err->text);
}

static uint64_t until_when(const struct step_run *step, uint64_t now)
{
    uint64_t until = (uint64_t)ft_json_int(past_event(step, "lock.waiting"), "until", 0);

    return until && now < until + LATE_MS ? until : now + limit_ms(step->run);
}

static enum check wait_for(struct step_run *step, const json_t *keys, const char *within, const char *holder, struct ft_err *err)
{
    struct ft_run *run = step->run;
    uint64_t now = run_now_ms(run);
    bool first = !step->lock_until_ms, waited = !first || past_event(step, "lock.waiting");
    char id[9] = "";

    if (first)
        step->lock_until_ms = until_when(step, now);
    holder_id(holder, id);
    if (waited && (now >= step->lock_until_ms || must_yield(run, id))) {
        give_up(step, holder, err, now < step->lock_until_ms);
        return CHECK_FAILED;
    }
    step->state = STEP_WAITING;
    if ((first || !ft_streq(id, step->lock_holder)) && !note_waiting(step, keys, within, holder, err->text))
        return CHECK_FAILED;
    step->timer = ft_timer_start(run->engine->o.loop, ft_min((uint64_t)TRY_AGAIN_MS, step->lock_until_ms > now ? step->lock_until_ms - now : 1), try_again, step);
    return CHECK_WAITS;
}

static enum check try_once(struct step_run *step)
{
    char *within = NULL, *holder = NULL;
    json_t *keys = wanted(step, &within);
    enum check check = CHECK_GO;
    struct ft_err err = { 0 };
    int r = json_array_size(keys) ? take(step, keys, within, &holder, &err) : 0;

    if (r == -EBUSY && holder) {
        check = wait_for(step, keys, within, holder, &err);
    } else if (r < 0) {
        step_fail(step, err.class ? err.class : FT_REFUSED, err.text);
        check = CHECK_FAILED;
    } else if (json_array_size(keys)) {
        note_taken(step, keys, within, step->lock_until_ms ? step->lock_until_ms - limit_ms(step->run) : 0);
        step->lock_until_ms = 0;
        check = step->run->state == RUN_ENDED ? CHECK_FAILED : CHECK_GO;
    }
    json_decref(keys);
    free(within);
    free(holder);
    return check;
}

static void try_again(void *arg)
{
    struct step_run *step = arg;

    step->timer = NULL;
    if (step->run->state == RUN_GOING && try_once(step) == CHECK_GO)
        write_look_again(step);
}

enum check lock_check(struct step_run *step)
{
    return try_once(step);
}
