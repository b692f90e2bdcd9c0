/* life.c: one life of the program: what is left of the runs goes on until it is over, waits for a person, or the process is killed. */
#include <dlfcn.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "base/log.h"
#include "base/util.h"
#include "crash.h"
#include "data/json.h"
#include "guard/approval.h"
#include "net/http_internal.h"
#include "playbook/config.h"
#include "run/run.h"

enum { LIFE_S = 60, LEAVES_UNTIL = 12 };

static struct world *world;
static struct ft_loop *loop;
static struct ft_store *store;
static struct ft_engine *engine;
static struct ft_run *runs[RUNS];
static struct ft_config *config;      /* where people answer: who they are */
static bool over[RUNS];
static unsigned under_way;            /* runs that may still go on in this life */

void wrong(struct world *w, const char *fmt, ...)
{
    va_list ap;

    if (*w->failure)
        return;
    va_start(ap, fmt);
    vsnprintf(w->failure, sizeof(w->failure), fmt, ap);
    va_end(ap);
}

/* The store of this life fails on purpose. */
static bool faulty(void)
{
    return world->where >= NO_SPACE;
}

static void said(const struct ft_err *err)
{
    snprintf(world->said, sizeof(world->said), "%s", err->text);
}

/* ---- the engine's world, as tests/support/rig.c makes it */

static int action(void *arg, const char *full, const struct ft_action_info **ret, struct ft_err *reterr) { return ft_registry_action(arg, full, ret, reterr); }
static const json_t *params_of(const struct ft_action_info *info) { return info->params_json; }
static const json_t *result_of(const struct ft_action_info *info) { return info->result_json; }
static unsigned effects_of(const struct ft_action_info *info) { return info->action->effects; }
static bool has_undo(const struct ft_action_info *info) { return info->action->undo.start != NULL; }
static const char *full_name(const struct ft_action_info *info) { return info->full; }

static struct ft_playbook_world playbook_world;

static void make_engine(unsigned port, const char *plugins)
{
    struct ft_secrets *secrets = ft_secrets_new();
    struct ft_registry_opts opts = { .loop = loop, .secrets = secrets, .dir = plugins,
                                     .config = json_pack("{s:{s:{s:o}}}", "plugins", "device", "url", json_sprintf("http://127.0.0.1:%u/%u", port, atomic_load(&world->number))) };
    struct ft_registry *registry = ft_registry_new(&opts);

    playbook_world = (struct ft_playbook_world){
        .script = ft_script_new(NULL), .action = action, .params_schema = params_of, .result_schema = result_of, .effects = effects_of, .has_undo = has_undo,
        .full_name = full_name, .arg = registry,
    };
    struct ft_engine_opts engine_opts = { .config = config, .loop = loop, .store = store, .registry = registry, .secrets = secrets, .world = &playbook_world };

    engine = ft_engine_new(&engine_opts);
}

#ifdef __SANITIZE_ADDRESS__
/* A life is forked and short: no memory is kept back for late uses, and no stack of an allocation is taken in full. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=1:thread_local_quarantine_size_kb=16:malloc_context_size=2:detect_leaks=0";
}
#endif

void life_prepare(const char *plugins)
{
    char *device = ft_asprintf("%s/device.so", plugins);
    struct ft_err err = { 0 };

    if (!dlopen(device, RTLD_NOW) || !ft_curl_load(&err)) {
        fprintf(stderr, "cannot load what a life needs: %s\n", *err.text ? err.text : dlerror());
        exit(2);
    }
    free(device);
}

/* ---- the person, who sees what the device holds */

static const struct slot *slot_of(const char *key)
{
    for (unsigned i = 0; i < world->slot_count; i++)
        if (ft_streq(world->slots[i].key, key))
            return &world->slots[i];
    return NULL;
}

static json_t *answer_to(const json_t *question)
{
    const char *kind = ft_json_str(question, "kind"), *key = ft_json_str(json_object_get(question, "params"), "key");
    const struct slot *slot = key ? slot_of(key) : NULL;

    if (ft_streq(kind, "approve"))
        return json_pack("{s:b}", "approved", 1);
    if (ft_streq(kind, "ask"))
        return json_pack("{s:{s:s}}", "values", "port", "ge-0/0/1");
    if (ft_streq(kind, "doubt"))
        return json_pack("{s:b}", "happened", slot && slot->sets > 0);
    if (ft_streq(kind, "undo"))
        return json_pack("{s:b}", "again", 1);
    wrong(world, "a question of kind '%s' that nobody can answer", kind);
    return json_object();
}

static void answer(struct ft_run *run)
{
    json_t *questions = ft_run_questions(run), *question, *value;
    struct ft_err err = { 0 };
    size_t i;

    if (!json_array_size(questions))
        wrong(world, "run %s is parked and asks nothing", ft_run_id(run));
    json_array_foreach(questions, i, question) {
        value = answer_to(question);
        if (ft_run_answer(run, ft_json_str(question, "path"), value, "someone", "terminal", &err) < 0)
            wrong(world, "the answer to '%s' was not taken: %s", ft_json_str(question, "path"), err.text);
        json_decref(value);
        world->answers++;
    }
    json_decref(questions);
}

/* The next of them who did not yet answers; the run hears of it in its next life. */
static void people_answer(struct ft_run *run)
{
    static const char *const people[] = { "alice", "bob" };
    struct ft_approvals approvals = { .store = store, .config = ft_config_json(config), .clock = ft_loop_clock(loop) };
    bool given = false;

    for (size_t i = 0; i < ARRAY_LEN(people) && !given; i++) {
        struct ft_err err = { 0 };
        json_t *view = NULL;

        if (ft_approval_view(&approvals, ft_run_id(run), NULL, people[i], &view, &err) < 0)
            return;                   /* decided while it was being parked, by what was answered before */
        struct ft_answer a = { .run = ft_run_id(run), .who = people[i], .where = "another terminal", .decision = "approve", .digest = ft_json_str(view, "digest"),
                               .token = ft_json_str(view, "token") };

        given = json_is_true(json_object_get(view, "may")) && ft_approval_answer(&approvals, &a, NULL, &err) == 0;
        json_decref(view);
    }
    world->answers += given;
}

/* Who approves is elsewhere; a write in doubt is found out by whoever sits here. */
static bool at_a_gate(struct ft_run *run)
{
    json_t *questions = ft_run_questions(run);
    bool is = ft_streq(ft_json_str(json_array_get(questions, 0), "kind"), "approve");

    json_decref(questions);
    return is;
}

static void leaves(void)
{
    if (--under_way == 0)
        ft_loop_stop(loop);
}

static void on_parked(void *arg, struct ft_run *run)
{
    unsigned n = ++world->parks;

    world->announced[(intptr_t)arg] = true;
    if (world->where == AT_PARK)
        kill(getpid(), SIGKILL);
    if (scenarios[world->scenario].people && at_a_gate(run)) {
        people_answer(run);
        leaves();
    } else if (world->seed && world->life < LEAVES_UNTIL && mix(world->seed + n) % 4 == 0)
        leaves();                     /* the next life finds it parked */
    else
        answer(run);
}

static void on_ended(void *arg, struct ft_run *run, enum ft_run_end end)
{
    (void)run;
    (void)end;
    over[(intptr_t)arg] = true;
    leaves();
}

static const struct ft_run_observer observer = { .parked = on_parked, .ended = on_ended };

/* ---- birth */

static void start(intptr_t i)
{
    const struct scenario *scenario = &scenarios[world->scenario];
    struct ft_diags *diags = ft_diags_new();
    struct ft_playbook *playbook = ft_playbook_parse("crash.yaml", scenario->yaml, strlen(scenario->yaml), &playbook_world, diags);
    json_t *params = json_pack("{s:o}", "tag", json_sprintf("%d", (int)i + 1));
    struct ft_run_opts opts = { .requester = "tester" };
    struct ft_err err = { 0 };

    if (!playbook) {
        ft_diags_print(diags, stderr, false);
        wrong(world, "the playbook '%s' does not load", scenario->name);
        return;
    }
    if (ft_run_start(engine, playbook, params, &opts, &observer, (void *)i, &runs[i], &err) < 0) {
        said(&err);
        return;
    }
    snprintf(world->ids[i], sizeof(world->ids[i]), "%s", ft_run_id(runs[i]));
    under_way++;
    ft_playbook_unref(playbook);
    json_decref(params);
    ft_diags_free(diags);
}

static bool touched(intptr_t i)
{
    for (unsigned k = 0; k < world->slot_count; k++)
        if (world->slots[k].sets && strtol(world->slots[k].key + 1, NULL, 10) == i + 1)
            return true;
    return false;
}

static void go_on(intptr_t i)
{
    struct ft_err err = { 0 };
    int r = *world->ids[i] ? ft_run_resume(engine, world->ids[i], "tester", &observer, (void *)i, &runs[i], &err) : -ENOENT;

    if (r == 0) {
        under_way++;
    } else if (r == -ENOENT) {
        if (world->announced[i] || touched(i))
            wrong(world, "run %s is lost: %s", world->ids[i], err.text);
        start(i);                     /* nothing was promised and nothing done: the user starts it again */
    } else if (r == -EALREADY) {
        over[i] = true;
    } else {
        said(&err);
        if (!faulty())
            wrong(world, "run %s cannot be resumed: %s", world->ids[i], err.text);
    }
}

/* ---- the end of all */

/* Each write that was under way when a life ended must have been found out. */
static void examine_doubts(const json_t *events)
{
    json_t *under = json_object(), *waiting = json_object(), *event;
    const char *path;
    void *tmp;
    size_t i;

    json_array_foreach((json_t *)events, i, event) {
        const char *type = ft_json_str(event, "type"), *at = ft_json_str(event, "path");

        if (ft_streq(type, "step.intended")) {
            if (json_object_get(waiting, at))
                wrong(world, "'%s' was in doubt, and was sent again without being found out (event %zu)", at, i + 1);
            json_object_set_new(under, at, json_true());
        } else if (ft_streq(type, "step.done") || ft_streq(type, "step.failed") || ft_streq(type, "step.attempt") || ft_streq(type, "step.answered")) {
            json_object_del(under, at);
        } else if (ft_streq(type, "doubt.answered")) {
            json_object_del(waiting, at);
            if (json_is_true(json_object_get(event, "happened")))
                json_object_del(under, at);
        } else if (ft_streq(type, "run.resumed")) {
            world->doubts += (unsigned)json_object_size(under);
            json_object_foreach_safe(under, tmp, path, event)
                json_object_set_new(waiting, path, json_true());
        }
    }
    json_object_foreach(waiting, path, event)
        wrong(world, "'%s' was in doubt, and was never found out", path);
    json_decref(under);
    json_decref(waiting);
}

/* Two people, each once, at the last gate that was opened; and the write only behind it. */
static void examine_votes(const json_t *events)
{
    bool alice = false, bob = false, approved = false;
    unsigned votes = 0;
    json_t *event;
    size_t i;

    json_array_foreach((json_t *)events, i, event) {
        const char *type = ft_json_str(event, "type"), *by = ft_json_str(event, "by");

        if (ft_streq(type, "gate.opened")) {
            alice = bob = approved = false;
            votes = 0;
        } else if (ft_streq(type, "gate.vote")) {
            votes++;
            alice |= ft_streq(by, "alice");
            bob |= ft_streq(by, "bob");
        } else if (ft_streq(type, "gate.answered")) {
            approved = json_is_true(json_object_get(event, "approved"));
        } else if (ft_streq(type, "step.intended") && !(approved && alice && bob && votes == 2)) {
            wrong(world, "a write began with %u votes (event %zu)", votes, i + 1);
        }
    }
}

static void examine_run(const char *id)
{
    struct ft_err err = { 0 };
    json_t *events = NULL;
    const json_t *last;

    if (ft_store_verify(store, id, &err) < 0 || ft_store_events(store, id, 0, &events, &err) < 0) {
        wrong(world, "the journal: %s", err.text);
        return;
    }
    last = json_array_get(events, json_array_size(events) - 1);
    if (!ft_streq(ft_json_str(last, "type"), "run.finished"))
        wrong(world, "run %s is over, and its last event is %s", id, ft_json_str(last, "type"));
    else if (!ft_streq(ft_json_str(last, "status"), scenarios[world->scenario].status))
        wrong(world, "run %s ended as %s: %s", id, ft_json_str(last, "status"), ft_json_str(last, "diagnosis"));
    world->events += (unsigned)json_array_size(events);
    examine_doubts(events);
    if (scenarios[world->scenario].people)
        examine_votes(events);
    json_decref(events);
}

static void is_listed(void *arg, const struct ft_run_info *info)
{
    unsigned *open = arg;

    *open += ft_streq(info->status, "running") || ft_streq(info->status, "parked");
}

static void examine(void)
{
    struct ft_err err = { 0 };
    json_t *locks = NULL;
    unsigned open = 0;

    for (size_t i = 0; i < RUNS; i++)
        examine_run(world->ids[i]);
    ft_store_runs(store, NULL, 10 * RUNS, is_listed, &open, &err);
    if (open)
        wrong(world, "all is over, and %u runs are listed as running or parked", open);
    if (ft_store_locks(store, &locks, &err) < 0 || json_array_size(locks))
        wrong(world, "locks are left: %s", locks ? ft_json_text(locks) : err.text);
    world->examined = true;
}

/* What the journals say, for people who look for the reason. */
void life_dump(struct world *w, const char *path)
{
    struct ft_err err = { 0 };

    loop = ft_loop_new(NULL);
    if (ft_store_open(loop, path, &store, &err) < 0)
        _exit(1);
    for (size_t k = 0; k < RUNS; k++) {
        json_t *events = NULL, *event;
        size_t i;

        if (ft_store_events(store, w->ids[k], 0, &events, &err) < 0)
            continue;
        printf("        run %s\n", w->ids[k]);
        json_array_foreach(events, i, event) {
            char *text = ft_json_brief(event, 260);

            printf("        %3zu %s\n", i + 1, text);
            free(text);
        }
    }
    fflush(stdout);
    _exit(0);
}

static void read_people(const char *store_path)
{
    char *path = ft_asprintf("%s.yaml", store_path);
    struct ft_diags *diags = ft_diags_new();
    bool found;

    if (scenarios[world->scenario].people && !(config = ft_config_load(path, &found, diags)))
        wrong(world, "%s: %s", path, ft_diags_count(diags) ? ft_diags_get(diags, 0)->text : "not there");
    ft_diags_free(diags);
    free(path);
}

void life_live(struct world *w, const char *path, unsigned port, const char *plugins)
{
    struct ft_err err = { 0 };
    bool all_over = true;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(LIFE_S);
    world = w;
    world->life++;
    atomic_store(&world->requests, 0);
    atomic_store(&world->calls, 0);
    atomic_store(&world->client, getpid());
    points_arm(world);
    if (faulty())
        ft_log_set_level(FT_LOG_ERROR + 1);      /* hundreds of them; what they say is tests/unit/store's */
    loop = ft_loop_new(ft_clock_manual_new(world->clock_ms));
    if (ft_store_open(loop, path, &store, &err) < 0) {
        said(&err);
        _exit(1);
    }
    read_people(path);
    make_engine(port, plugins);
    for (intptr_t i = 0; i < RUNS; i++)
        go_on(i);
    if (under_way)
        ft_loop_run(loop);
    if (under_way && !*world->said && !*world->failure)
        wrong(world, "%u runs are stuck: the loop has nothing left to wait for", under_way);
    for (size_t i = 0; i < RUNS; i++) {
        all_over &= over[i];
        ft_run_free(runs[i]);
    }
    points_arm(NULL);
    if (all_over && !*world->failure && !faulty())
        examine();
    ft_store_close(store);
    _exit(0);
}
