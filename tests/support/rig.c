#include "rig.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/paths.h"
#include "base/util.h"
#include "data/json.h"

static void die(const char *what, const char *text)
{
    fprintf(stderr, "rig: %s: %s\n", what, text);
    abort();
}

static int action(void *arg, const char *full, const struct ft_action_info **ret, struct ft_err *reterr)
{
    return ft_registry_action(arg, full, ret, reterr);
}

static const json_t *params_of(const struct ft_action_info *info) { return info->params_json; }
static const json_t *result_of(const struct ft_action_info *info) { return info->result_json; }
static unsigned effects_of(const struct ft_action_info *info) { return info->action->effects; }
static bool has_undo(const struct ft_action_info *info) { return info->action->undo.start != NULL; }
static const char *full_name(const struct ft_action_info *info) { return info->full; }

static void read_people(struct rig *rig)
{
    char *path = ft_asprintf("%s/fettle.yaml", rig->dir);
    struct ft_diags *diags = ft_diags_new();
    bool found;

    if (access(path, R_OK) == 0) {
        rig->people = ft_config_load(path, &found, diags);
        if (!rig->people) {
            ft_diags_print(diags, stderr, false);
            die("the configuration does not load", "see above");
        }
    }
    ft_diags_free(diags);
    free(path);
}

static void up(struct rig *rig)
{
    const char *build = getenv("FETTLE_BUILD");
    char *plugins = ft_asprintf("%s/test-plugins", build ? build : "."), *path = ft_asprintf("%s/store.db", rig->dir);
    struct ft_err err = { 0 };

    read_people(rig);
    rig->clock = ft_clock_manual_new((rig->now_ms ? rig->now_ms : 1790000000000) + rig->away_ms);
    rig->loop = ft_loop_new(rig->clock);
    rig->secrets = ft_secrets_new();
    rig->script = ft_script_new(NULL);
    rig->config = json_pack("{s:{s:{s:s}, s:{s:s}}}", "plugins", "sim", "dir", rig->dir, "deadman", "dir", rig->dir);
    struct ft_registry_opts opts = { .loop = rig->loop, .secrets = rig->secrets, .config = rig->config, .dir = plugins };

    rig->registry = ft_registry_new(&opts);
    if (ft_store_open(rig->loop, path, &rig->store, &err) < 0)
        die("store", err.text);
    rig->world = (struct ft_playbook_world){
        .script = rig->script, .action = action, .params_schema = params_of, .result_schema = result_of, .effects = effects_of, .has_undo = has_undo,
        .full_name = full_name, .arg = rig->registry,
    };
    if (rig->people) {
        struct ft_guard_opts guard = { .config = rig->people, .store = rig->store, .clock = rig->clock };

        rig->guard = ft_guard_new(&guard, &err);
        if (!rig->guard)
            die("guard", err.text);
    }
    struct ft_engine_opts engine = { .loop = rig->loop, .store = rig->store, .registry = rig->registry, .secrets = rig->secrets, .world = &rig->world, .config = rig->people, .guard = rig->guard };

    rig->engine = ft_engine_new(&engine);
    free(plugins);
    free(path);
}

static void down(struct rig *rig)
{
    ft_run_free(rig->run);
    rig->run = NULL;
    ft_engine_free(rig->engine);
    rig->guard = ft_guard_free(rig->guard);
    ft_registry_free(rig->registry);
    ft_store_close(rig->store);
    ft_script_free(rig->script);
    ft_loop_free(rig->loop);
    ft_secrets_free(rig->secrets);
    ft_clock_free(rig->clock);
    json_decref(rig->config);
    rig->people = ft_config_free(rig->people);
}

void rig_open(struct rig *rig)
{
    memset(rig, 0, sizeof(*rig));
    snprintf(rig->dir, sizeof(rig->dir), "/tmp/fettle-rig-XXXXXX");
    if (!mkdtemp(rig->dir))
        die("mkdtemp", rig->dir);
    up(rig);
}

void rig_done(struct rig *rig)
{
    static const char *const files[] = { "state.json", "state.json.new", "trouble.json", "deadman.json", "store.db", "store.db-wal", "store.db-shm", "callee.yaml", "fettle.yaml" };

    down(rig);
    json_decref(rig->events);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        char *path = ft_asprintf("%s/%s", rig->dir, files[i]);

        unlink(path);
        free(path);
    }
    rmdir(rig->dir);
}

void rig_reborn(struct rig *rig)
{
    rig->now_ms = rig->has_rails ? ft_clock_wall_ms(rig->clock) : 0;
    down(rig);
    up(rig);
}

static void write_file(const struct rig *rig, const char *name, const char *text)
{
    char *path = ft_asprintf("%s/%s", rig->dir, name);
    FILE *f = fopen(path, "w");

    if (!f || fputs(text, f) < 0 || fclose(f))
        die("cannot write", path);
    free(path);
}

void rig_config(struct rig *rig, const char *yaml) { write_file(rig, "fettle.yaml", yaml); }
void rig_rails(struct rig *rig, const char *yaml, const char *at)
{
    int64_t s = 0;

    if (ft_local_parse(at, &s, NULL) < 0)
        die("time", at);
    rig->has_rails = true;
    down(rig);
    rig_config(rig, yaml);
    rig->now_ms = (uint64_t)s * 1000;
    up(rig);
}

static void stop_loop(void *arg)
{
    struct rig *rig = arg;

    rig->passing = NULL;
    ft_loop_stop(rig->loop);
}

void rig_pass(struct rig *rig, uint64_t ms)
{
    rig->passing = ft_timer_start(rig->loop, ms, stop_loop, rig);
    while (rig->passing && !rig->ended) {
        rig->parked = false;
        ft_loop_run(rig->loop);
    }
    ft_timer_stop(rig->passing);
    rig->passing = NULL;
}

void rig_state(struct rig *rig, const char *json) { write_file(rig, "state.json", json); }
void rig_trouble(struct rig *rig, const char *json) { write_file(rig, "trouble.json", json); }

static json_t *read_all(const struct rig *rig)
{
    char *path = ft_asprintf("%s/state.json", rig->dir);
    json_t *state = json_load_file(path, 0, NULL);

    free(path);
    return state ? state : json_object();
}

json_t *rig_read_state(struct rig *rig)
{
    json_t *state = read_all(rig);

    json_object_del(state, "$record");
    json_object_del(state, "$was");
    return state;
}

size_t rig_records(struct rig *rig, const char *containing)
{
    json_t *state = read_all(rig), *text;
    size_t i, n = 0;

    json_array_foreach(json_object_get(state, "$record"), i, text)
        n += !containing || strstr(json_string_value(text), containing);
    json_decref(state);
    return n;
}

static void on_event(void *arg, struct ft_run *run, const json_t *event)
{
    struct rig *rig = arg;

    rig->run = run;
    json_array_append(rig->events, (json_t *)event);
    if (rig->on_event)
        rig->on_event(rig, event);
}

static void on_parked(void *arg, struct ft_run *run)
{
    struct rig *rig = arg;

    rig->run = run;
    rig->parked = true;
    if (rig->on_parked)
        rig->on_parked(rig);
    else
        ft_loop_stop(rig->loop);
}

static void on_ended(void *arg, struct ft_run *run, enum ft_run_end end)
{
    struct rig *rig = arg;

    rig->run = run;
    rig->ended = true;
    rig->end = end;
    ft_loop_stop(rig->loop);
}

static const struct ft_run_observer observer = { .event = on_event, .parked = on_parked, .ended = on_ended };

static void fresh(struct rig *rig)
{
    json_decref(rig->events);
    rig->events = json_array();
    rig->ended = rig->parked = false;
}

char *rig_ends(const char *yaml)
{
    static const struct { const char *word, *line; } ends[] = {
        { ": good", "  good: {title: Good}\n" }, { ": bad", "  bad: {title: Bad, status: attention}\n" }, { ": back", "  back: {title: Back, rollback: true}\n" },
    };
    struct ft_buf buf = FT_BUF_INIT(0);

    ft_buf_adds(&buf, yaml);
    ft_buf_adds(&buf, "outcomes:\n");
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (strstr(yaml, ends[i].word))
            ft_buf_adds(&buf, ends[i].line);
    return ft_buf_take(&buf);
}

void rig_run(struct rig *rig, const char *yaml, const char *params, bool dry)
{
    struct ft_diags *diags = ft_diags_new();
    char *name = ft_asprintf("%s/test.yaml", rig->dir), *text = rig_ends(yaml);
    struct ft_playbook *playbook = ft_playbook_parse(name, text, strlen(text), &rig->world, diags);
    json_t *given = params ? json_loads(params, 0, NULL) : json_object(), *bound = NULL;
    struct ft_run_opts opts = { .requester = "tester", .dry_run = dry };
    struct ft_err err = { 0 };

    free(name);
    free(text);
    if (!playbook) {
        ft_diags_print(diags, stderr, false);
        die("the playbook does not load", "see above");
    }
    ft_diags_free(diags);
    opts.keep_plan = rig->keep_plan;
    opts.plan = rig->apply;
    opts.accept_undetermined = rig->accept_undetermined;
    if (rig->apply)
        bound = json_incref(json_object_get(rig->apply, "params"));
    else if (!given || ft_playbook_bind(playbook, given, &bound, &err) < 0)
        die("params", err.text);
    ft_run_free(rig->run);
    rig->run = NULL;
    fresh(rig);
    memset(&rig->refused, 0, sizeof(rig->refused));
    int r = ft_run_start(rig->engine, playbook, bound, &opts, &observer, rig, &rig->run, &err);

    if (r < 0 && !rig->apply)
        die("start", err.text);
    rig->refused = err;
    ft_playbook_unref(playbook);
    json_decref(given);
    json_decref(bound);
    if (r == 0)
        ft_loop_run(rig->loop);
}

static const char *last_id(const struct rig *rig)
{
    return ft_json_str(json_array_get(rig->events, 0), "run");
}

/* Its end was journalled in the same breath in which the loop was stopped. */
static void ended_before(struct rig *rig)
{
    const json_t *event = rig_event(rig, "run.finished", NULL);
    const char *status = ft_json_str(event, "status");

    rig->ended = true;
    rig->end = ft_streq(status, "rolled_back") ? FT_RUN_ROLLED_BACK : ft_streq(status, "failed") ? FT_RUN_FAILED : ft_streq(status, "cancelled") ? FT_RUN_CANCELLED : FT_RUN_OK;
}

void rig_resume(struct rig *rig)
{
    struct ft_err err = { 0 };
    char id[9];

    snprintf(id, sizeof(id), "%s", last_id(rig) ? last_id(rig) : "");
    ft_run_free(rig->run);
    rig->run = NULL;
    rig->ended = rig->parked = false;
    int r = ft_run_resume(rig->engine, id, "tester", &observer, rig, &rig->run, &err);

    if (r == -EALREADY)
        ended_before(rig);
    else if (r < 0)
        die("resume", err.text);
    if (r == 0 && rig->cancel_resumed)
        ft_run_cancel(rig->run, "somebody", false, true);
    if (r == 0)
        ft_loop_run(rig->loop);
}

const char *rig_id(const struct rig *rig)
{
    return last_id(rig);
}

int rig_undo(struct rig *rig, const struct ft_undo_opts *opts)
{
    struct ft_err err = { 0 };
    char id[9];
    int r;

    snprintf(id, sizeof(id), "%s", last_id(rig) ? last_id(rig) : "");
    ft_run_free(rig->run);
    rig->run = NULL;
    rig->ended = rig->parked = false;
    r = ft_run_undo(rig->engine, id, opts, &observer, rig, &rig->run, &err);
    if (r == 0)
        ft_loop_run(rig->loop);
    return r;
}

void rig_answer(struct rig *rig, const char *path, const char *json)
{
    json_t *answer = json_loads(json, 0, NULL);
    struct ft_err err = { 0 };

    rig->parked = false;
    if (ft_run_answer(rig->run, path, answer, "someone", "terminal", &err) < 0)
        die("answer", err.text);
    json_decref(answer);
    ft_loop_run(rig->loop);
}

char *rig_way(const struct rig *rig)
{
    struct ft_buf buf = FT_BUF_INIT(0);
    json_t *event;
    size_t i;

    json_array_foreach(rig->events, i, event) {
        const char *type = ft_json_str(event, "type"), *path = ft_json_str(event, "path");

        if (ft_streq(type, "step.done") || ft_streq(type, "step.failed") || ft_streq(type, "step.skipped"))
            ft_buf_addf(&buf, "%s:%s ", path, type + 5);
        else if (ft_streq(type, "undo.done"))
            ft_buf_addf(&buf, "%s:undone ", path);
        else if (ft_streq(type, "run.finished"))
            ft_buf_addf(&buf, "-> %s", *ft_json_str(event, "outcome") ? ft_json_str(event, "outcome") : ft_json_str(event, "status"));
    }
    return ft_buf_take(&buf);
}

const json_t *rig_event(const struct rig *rig, const char *type, const char *path)
{
    for (size_t i = json_array_size(rig->events); i-- > 0;) {
        const json_t *event = json_array_get(rig->events, i);

        if (ft_streq(ft_json_str(event, "type"), type) && (!path || ft_streq(ft_json_str(event, "path"), path)))
            return event;
    }
    return NULL;
}

size_t rig_count(const struct rig *rig, const char *type)
{
    json_t *event;
    size_t i, n = 0;

    json_array_foreach(rig->events, i, event)
        n += ft_streq(ft_json_str(event, "type"), type);
    return n;
}
