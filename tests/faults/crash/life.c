/* life.c: one life of the program: what is left of the runs goes on until it is over, waits for a person or a later life, or the process is killed. */
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
#include "guard/guard.h"
#include "net/http_internal.h"
#include "playbook/config.h"
#include "run/plan.h"
#include "run/run.h"

enum { LIFE_S = 60, LEAVES_UNTIL = 12, CANCELS_UNTIL = 4 };

static struct world *world;
static struct ft_loop *loop;
static struct ft_store *store;
static struct ft_engine *engine;
static struct ft_guard *guard;
static struct ft_run *runs[RUNS], *plannings[RUNS];
static struct ft_config *config;      /* where people answer: who they are */
static bool over[RUNS], reopened[RUNS], left[RUNS];
static char planned[RUNS][65];        /* made, and not promised to be kept yet */
static unsigned under_way;            /* runs that may still go on in this life */
static unsigned events_seen;

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
    if (config) {
        struct ft_guard_opts guard_opts = { .config = config, .store = store, .clock = ft_loop_clock(loop) };
        struct ft_err err = { 0 };

        guard = ft_guard_new(&guard_opts, &err);
        if (!guard)
            wrong(world, "the rails do not load: %s", err.text);
    }
    struct ft_engine_opts engine_opts = { .config = config, .guard = guard, .loop = loop, .store = store, .registry = registry, .secrets = secrets, .world = &playbook_world };

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

/* ---- who sits here, and sees what the device holds */

static const struct slot *slot_of(const char *key)
{
    for (unsigned i = 0; i < world->slot_count; i++)
        if (ft_streq(world->slots[i].key, key))
            return &world->slots[i];
    return NULL;
}

/* As the device shows it now: what was not confirmed in time is gone, though nobody looked yet. */
static bool holds(const struct slot *slot, int value)
{
    uint64_t now = ft_clock_wall_ms(ft_loop_clock(loop)), passed = now > world->client_ms ? now - world->client_ms : 0;

    if (slot->until_ms && world->device_ms + passed >= slot->until_ms)
        return slot->was_there && slot->was == value;
    return slot->there && slot->value == value;
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
        return json_pack("{s:b}", "happened", slot && holds(slot, (int)ft_json_int(json_object_get(question, "params"), "value", 0)));
    if (ft_streq(kind, "undo"))
        return json_pack("{s:b}", "again", 1);
    wrong(world, "a question of kind '%s' that nobody can answer", kind);
    return json_object();
}

static void nothing(void *arg)
{
    (void)arg;
}

/* The loop moves its clock to the next thing that somebody waits for. */
static void let_time_pass(struct ft_run *run)
{
    uint64_t now = ft_clock_wall_ms(ft_loop_clock(loop)), until = ft_run_wake_ms(run);

    if (until == UINT64_MAX)
        wrong(world, "run %s waits, and does not say until when", ft_run_id(run));
    else
        ft_timer_start(loop, until > now ? until - now + 1 : 1, nothing, NULL);
}

static void answer(struct ft_run *run)
{
    json_t *questions = ft_run_questions(run), *question, *value;
    struct ft_err err = { 0 };
    size_t i;

    if (!json_array_size(questions))
        wrong(world, "run %s is parked and asks nothing", ft_run_id(run));
    json_array_foreach(questions, i, question) {
        if (ft_streq(ft_json_str(question, "kind"), "wait")) {
            let_time_pass(run);
            continue;
        }
        value = answer_to(question);
        if (ft_run_answer(run, ft_json_str(question, "path"), value, "someone", "terminal", &err) < 0)
            wrong(world, "the answer to '%s' was not taken: %s", ft_json_str(question, "path"), err.text);
        json_decref(value);
        world->answers++;
    }
    json_decref(questions);
}

static bool at_a_gate(const struct ft_run *run)
{
    json_t *questions = ft_run_questions(run);
    bool is = ft_streq(ft_json_str(json_array_get(questions, 0), "kind"), "approve");

    json_decref(questions);
    return is;
}

/* People come to their terminals while this process waits for them. They may be killed half-way: then it asks for others. */
static void ask_people(void *arg)
{
    char byte = 0;

    if (over[(intptr_t)arg] || !at_a_gate(runs[(intptr_t)arg]))
        return;
    if (write(world->bell[1], &byte, 1) != 1 || read(world->answer[0], &byte, 1) != 1)
        wrong(world, "nobody came: %m");
    ft_timer_start(loop, 2000, ask_people, arg);
}

/* ---- how a run of this life goes */

/* This life does no more for it, though it may go on for as long as the process lives. */
static void leaves(void *arg)
{
    bool *mine = &left[(intptr_t)arg];

    if (!*mine && --under_way == 0)
        ft_loop_stop(loop);
    *mine = true;
}

static bool may_leave(unsigned n, unsigned of)
{
    return world->seed && world->life < LEAVES_UNTIL && mix(world->seed + n) % of == 0;
}

static void on_parked(void *arg, struct ft_run *run)
{
    bool people = scenarios[world->scenario].people && at_a_gate(run);
    unsigned n = ++world->parks;

    world->announced[(intptr_t)arg] = true;
    if (world->where == AT_PARK)
        kill(getpid(), SIGKILL);
    if (people ? !world->seed || may_leave(n, 2) : may_leave(n, 4))
        leaves(arg);                  /* the next life finds it parked, or with an answer */
    else if (people)
        ask_people(arg);
    else
        answer(run);
}

/* Somebody cancels one of the runs, at any event. */
static void cancel(void *arg)
{
    uint64_t dice = mix(world->seed + world->life);

    if (world->seed)
        ft_run_cancel(arg, "tester", dice & 1, dice & 2);
    else
        ft_run_cancel(arg, "tester", false, true);
}

static void maybe_cancel(struct ft_run *run)
{
    unsigned at = world->seed ? (unsigned)(mix(world->seed ^ world->life * 7919) % 50) : 20;

    if (scenarios[world->scenario].cancelled && world->life <= CANCELS_UNTIL && ++events_seen == at)
        ft_loop_defer(loop, cancel, run);
}

static void on_event(void *arg, struct ft_run *run, const json_t *event)
{
    const char *type = ft_json_str(event, "type"), *digest = ft_json_str(json_object_get(event, "plan"), "digest");
    unsigned kind = kind_of(type);

    if (!kind)
        wrong(world, "an event that the campaign does not know: %s", type);
    world->latest = kind;
    world->seen_ms = ft_clock_wall_ms(ft_loop_clock(loop));
    if (ft_streq(type, "run.planned") && digest)
        snprintf(planned[(intptr_t)arg], sizeof(planned[0]), "%s", digest);
    if (world->where == AFTER_EVENT && kind == world->kind && !atomic_load(&world->due)) {
        if (!world->nth)
            kill(getpid(), SIGKILL);
        atomic_store(&world->due, atomic_load(&world->calls) + world->nth);
    }
    maybe_cancel(run);
}

static void start(intptr_t i);
static void start_later(void *arg)
{
    start((intptr_t)arg);
    if (!runs[(intptr_t)arg])
        leaves(arg);
    else
        under_way--;                  /* the run goes on in the place of its plan */
}

static void on_ended(void *arg, struct ft_run *run, enum ft_run_end end)
{
    intptr_t i = (intptr_t)arg;

    if (run == plannings[i]) {
        atomic_fetch_sub(&world->planning, 1);
        if (end == FT_RUN_OK) {
            memcpy(world->plans[i], planned[i], sizeof(planned[i]));
            ft_loop_defer(loop, start_later, arg);
            return;
        }
    } else {
        over[i] = end != FT_RUN_PARKED && (!scenarios[world->scenario].undone || reopened[i]);
    }
    leaves(arg);
}

static const struct ft_run_observer observer = { .event = on_event, .parked = on_parked, .ended = on_ended };

/* ---- birth */

static struct ft_playbook *parse(void)
{
    const struct scenario *scenario = &scenarios[world->scenario];
    struct ft_diags *diags = ft_diags_new();
    struct ft_playbook *playbook = ft_playbook_parse("crash.yaml", scenario->yaml, strlen(scenario->yaml), &playbook_world, diags);

    if (!playbook) {
        ft_diags_print(diags, stderr, false);
        wrong(world, "the playbook '%s' does not load", scenario->name);
    }
    ft_diags_free(diags);
    return playbook;
}

static void started(intptr_t i, int r, const struct ft_err *err)
{
    if (r < 0) {
        said(err);
        return;
    }
    snprintf(world->ids[i], sizeof(world->ids[i]), "%s", ft_run_id(runs[i]));
    under_way++;
}

/* As `fettle apply` does. */
static void start_plan(intptr_t i)
{
    struct ft_run_opts opts = { .requester = "tester" };
    struct ft_playbook *playbook;
    struct ft_err err = { 0 };
    json_t *plan = NULL;

    if (ft_plan_load(store, world->plans[i], &plan, NULL, &err) < 0 || !(playbook = ft_plan_playbook(plan, store, &playbook_world, &err))) {
        said(&err);
        if (!faulty())
            wrong(world, "the plan is lost: %s", err.text);
        json_decref(plan);
        return;
    }
    opts.plan = plan;
    started(i, ft_run_start(engine, playbook, json_object_get(plan, "params"), &opts, &observer, (void *)i, &runs[i], &err), &err);
    ft_playbook_unref(playbook);
    json_decref(plan);
}

static void start(intptr_t i)
{
    bool plans = scenarios[world->scenario].applied;
    json_t *params = json_pack("{s:o}", "tag", json_sprintf("%d", (int)i + 1));
    struct ft_run_opts opts = { .requester = "tester", .dry_run = plans, .keep_plan = plans };
    struct ft_playbook *playbook;
    struct ft_err err = { 0 };

    if (plans && *world->plans[i]) {
        start_plan(i);
    } else if ((playbook = parse()) != NULL) {
        int r = ft_run_start(engine, playbook, params, &opts, &observer, (void *)i, plans ? &plannings[i] : &runs[i], &err);

        if (!plans)
            started(i, r, &err);
        else if (r < 0)
            said(&err);
        else
            under_way++, atomic_fetch_add(&world->planning, 1);
        ft_playbook_unref(playbook);
    }
    json_decref(params);
}

static bool touched(intptr_t i)
{
    for (unsigned k = 0; k < world->slot_count; k++)
        if (world->slots[k].sets && strtol(world->slots[k].key + 1, NULL, 10) == i + 1)
            return true;
    return false;
}

static bool was_reopened(const char *id)
{
    struct ft_err err = { 0 };
    json_t *events = NULL, *event;
    bool was = false;
    size_t i;

    if (ft_store_events(store, id, 0, &events, &err) < 0)
        said(&err);
    json_array_foreach(events, i, event)
        was |= ft_streq(ft_json_str(event, "type"), "run.reopened");
    json_decref(events);
    return was;
}

/* As `fettle undo` does: the first run whole, of the second one write. */
static int take_back(intptr_t i, struct ft_err *err)
{
    struct ft_undo_opts opts = { .who = "tester", .reason = "it did not help", .step = i ? "z" : NULL };

    reopened[i] = true;
    return ft_run_undo(engine, world->ids[i], &opts, &observer, (void *)i, &runs[i], err);
}

static void go_on(intptr_t i)
{
    struct ft_err err = { 0 };
    int r = *world->ids[i] ? ft_run_resume(engine, world->ids[i], "tester", &observer, (void *)i, &runs[i], &err) : -ENOENT;

    if (scenarios[world->scenario].undone && (r == 0 || r == -EALREADY)) {
        reopened[i] = was_reopened(world->ids[i]);
        if (r == -EALREADY && !reopened[i] && !*world->said)
            r = take_back(i, &err);
    }
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
            wrong(world, "run %s cannot be resumed or taken back: %s", world->ids[i], err.text);
    }
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

/* NULL: it has mistakes. */
struct ft_config *life_config(const char *store_path)
{
    char *path = ft_asprintf("%s.yaml", store_path);
    struct ft_diags *diags = ft_diags_new();
    bool found;
    struct ft_config *read = ft_config_load(path, &found, diags);

    if (!read)
        ft_diags_print(diags, stderr, false);
    ft_diags_free(diags);
    free(path);
    return read;
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
    atomic_store(&world->planning, 0);
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
    world->lived = true;
    if (scenarios[world->scenario].config && !(config = life_config(path)))
        wrong(world, "the configuration does not load");
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
        ft_run_free(plannings[i]);
    }
    points_arm(NULL);
    if (all_over && !*world->failure && !faulty())
        examine(world, store);
    ft_store_close(store);
    _exit(0);
}
