/* fettle locks: what is locked, by whom and why; release of what a crash left behind */
#include <time.h>
#include "base/text.h"
#include "base/util.h"
#include "cli/app.h"
#include "data/json.h"

static struct {
    const char *verb, *key, *reason;
} o;

static const struct ft_opt opts[] = {
    { FT_OPT_OPTIONAL_ARG, 0, NULL, &o.verb, "release", "let go of a lock whose run is over; without it: list them", "release" },
    { FT_OPT_OPTIONAL_ARG, 0, NULL, &o.key, "KEY", "the lock, as listed: device/5c:5b:35:00:00:01", NULL },
    { FT_OPT_STR, 'r', "reason", &o.reason, "TEXT", "why it is released; it is journalled", NULL },
    { 0 },
};

/* ---- the list */

/* What the run says of itself: who started it, and what it waits for. */
struct told { char *by, *waits; bool incident; };

static void ask_run(struct app *app, const char *id, struct told *told)
{
    json_t *events = NULL, *waiting;
    const char *by;
    size_t n;

    *told = (struct told){ 0 };
    if (ft_store_events(app->store, id, 0, &events, NULL) < 0)
        return;
    by = ft_json_str(json_array_get(events, 0), "requester");
    told->by = by ? ft_strdup(by) : NULL;
    for (n = json_array_size(events); n-- > 0;) {
        const json_t *event = json_array_get(events, n);

        if (!ft_streq(ft_json_str(event, "type"), "run.parked"))
            continue;
        waiting = json_array_get(json_object_get(event, "waiting"), 0);
        told->waits = waiting ? ft_asprintf("%s: %s", ft_json_str(waiting, "kind"), ft_json_str(waiting, "title")) : ft_strdup(ft_json_str(event, "why"));
        told->incident = json_is_true(json_object_get(event, "incident"));
        break;
    }
    json_decref(events);
}

static char *state_of(const json_t *lock, const struct told *told)
{
    const char *status = ft_json_str(lock, "status");
    bool alive = json_is_true(json_object_get(lock, "alive"));

    if (json_is_true(json_object_get(lock, "stale")))
        return ft_asprintf("%s: holds nothing any more", *status ? status : "never began");
    if (ft_streq(status, "parked") && told->incident)
        return ft_asprintf("incident: its rollback is stuck and needs a person (%s): `fettle answer %s` shows what can be said to it", told->waits ? told->waits : ft_json_str(lock, "summary"),
                           ft_json_str(lock, "run"));
    if (ft_streq(status, "parked"))
        return ft_asprintf("parked, %s", told->waits ? told->waits : ft_json_str(lock, "summary"));
    if (!*status)
        return ft_strdup("starting");
    return ft_strdup(alive ? "running" : "interrupted: `fettle resume` goes on with it");
}

static void show(const json_t *lock, const struct told *told)
{
    const char *within = ft_json_str(lock, "within");
    uint64_t since = (uint64_t)ft_json_int(lock, "since", 0), now = (uint64_t)time(NULL) * 1000;
    char *state = state_of(lock, told), when[24], held[32];
    time_t t = (time_t)(since / 1000);
    struct tm tm;

    strftime(when, sizeof(when), "%Y-%m-%d %H:%M", localtime_r(&t, &tm));
    term_put(stdout, term_colour(stdout), TONE_BOLD, ft_json_str(lock, "key"));
    printf("%s%s\n", *within ? "  in " : "", within);
    printf("    run %s  %s  by %s\n", ft_json_str(lock, "run"), *ft_json_str(lock, "playbook") ? ft_json_str(lock, "playbook") : "?", told->by ? told->by : "?");
    printf("    since %s (%s)\n    ", when, now < since + 1000 ? "just now" : ft_duration_format((now - since) / 1000 * 1000, held, sizeof(held)));
    term_wrap(stdout, state, 4, 4, term_width(stdout));
    fputs("\n    for: ", stdout);
    term_wrap(stdout, ft_json_str(lock, "reason"), 9, 9, term_width(stdout));
    fputc('\n', stdout);
    free(state);
}

static void show_json(json_t *lock, const struct told *told)
{
    char *state = state_of(lock, told), *text;

    json_object_set_new(lock, "state", json_string(state));
    if (told->by)
        json_object_set_new(lock, "requester", json_string(told->by));
    text = ft_json_text(lock);
    puts(text);
    free(text);
    free(state);
}

static int list(struct app *app)
{
    json_t *locks = NULL, *lock;
    struct ft_err err = { 0 };
    size_t i;

    if (ft_store_locks(app->store, &locks, &err) < 0)
        return app_fail(1, "%s", err.text);
    if (!json_array_size(locks) && !globals.json)
        puts("nothing is locked");
    json_array_foreach(locks, i, lock) {
        struct told told;

        ask_run(app, ft_json_str(lock, "run"), &told);
        if (globals.json)
            show_json(lock, &told);
        else
            show(lock, &told);
        free(told.by);
        free(told.waits);
    }
    json_decref(locks);
    return 0;
}

/* ---- release */

static void journal_release(struct app *app, const json_t *lock)
{
    json_t *event = json_pack("{s:s, s:O, s:s, s:s}", "type", "lock.released", "key", json_object_get(lock, "key"), "by", app_user(), "reason", o.reason);
    struct ft_err err = { 0 };

    if (ft_store_append(app->store, ft_json_str(lock, "run"), event, FT_DURABLE, NULL, NULL, &err) < 0)
        fprintf(stderr, "fettle: warning: the release could not be journalled: %s\n", err.text);
}

static int refuse(const json_t *lock)
{
    const char *id = ft_json_str(lock, "run"), *status = ft_json_str(lock, "status");

    if (json_is_true(json_object_get(lock, "alive")))
        return app_fail(1, "'%s' is held by run %s, which is %s; end it with `fettle cancel %s` (--rollback takes back what it did)", ft_json_str(lock, "key"), id,
                        *status ? status : "starting", id);
    return app_fail(1, "'%s' is held by run %s, which is not over (%s): `fettle resume %s` goes on with it, `fettle cancel %s` ends it; its lock is the only thing that "
                    "keeps others from what it left half done", ft_json_str(lock, "key"), id, ft_streq(status, "running") ? "its process died" : status, id, id);
}

static int release(struct app *app)
{
    json_t *locks = NULL, *lock, *found = NULL;
    struct ft_err err = { 0 };
    size_t i;
    int status = 0;

    if (ft_store_locks_all(app->store, &locks, &err) < 0)
        return app_fail(1, "%s", err.text);
    json_array_foreach(locks, i, lock)
        if (ft_streq(ft_json_str(lock, "key"), o.key))
            found = lock;
    if (!found) {
        status = app_fail(2, "nothing holds '%s'; `fettle locks` lists what is held", o.key);
    } else if (!json_is_true(json_object_get(found, "stale"))) {
        status = refuse(found);
    } else {
        if (*ft_json_str(found, "status"))
            journal_release(app, found);
        ft_store_unlock_key(app->store, ft_json_str(found, "run"), o.key);
        printf("released '%s', left behind by run %s\n", o.key, ft_json_str(found, "run"));
    }
    json_decref(locks);
    return status;
}

static int run(void)
{
    struct app app;
    int status;

    if (o.verb && !ft_streq(o.verb, "release"))
        return app_fail(2, "`fettle locks` lists; `fettle locks release KEY --reason TEXT` lets go of one: there is no `fettle locks %s`", o.verb);
    if (o.verb && (!o.key || !o.reason || !*o.reason))
        return app_fail(2, "say which and why: fettle locks release KEY --reason TEXT");
    status = app_open(&app, APP_CONFIG | APP_STORE);
    if (status)
        return status;
    status = o.verb ? release(&app) : list(&app);
    app_close(&app);
    return status;
}

const struct ft_command cmd_locks = {
    "locks", "What is locked now, by which run, and why", opts, run,
    "A run keeps its locks to its end, while it is parked and after a crash too. A write to a target that its run has not locked locks it by itself\n"
    "(device/…, client/…), and waits while another run has it (configuration: locks: {wait: 5m}). Whoever has locked a site has all in it.\n",
};
