/* transitions.c: how many durable step transitions a second with many runs in flight.
 * Usage: transitions STORE PLUGINS RUNS STEPS. Prints {"rows", "commits", "seconds", "cpu", "steps"}: every step is a write, so each has a durable
 * intent before it and its end in the file before the next. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include "base/buf.h"
#include "base/util.h"
#include "run/run.h"

static unsigned left;
static struct ft_loop *loop;

static int action(void *arg, const char *full, const struct ft_action_info **ret, struct ft_err *reterr)
{
    return ft_registry_action(arg, full, ret, reterr);
}

static const json_t *params_of(const struct ft_action_info *info) { return info->params_json; }
static const json_t *result_of(const struct ft_action_info *info) { return info->result_json; }
static unsigned effects_of(const struct ft_action_info *info) { return info->action->effects; }
static bool has_undo(const struct ft_action_info *info) { return info->action->undo.start != NULL; }
static const char *full_name(const struct ft_action_info *info) { return info->full; }

static void ended(void *arg, struct ft_run *run, enum ft_run_end end)
{
    (void)arg;
    if (end != FT_RUN_OK) {
        fprintf(stderr, "run %s ended with %d\n", ft_run_id(run), (int)end);
        exit(1);
    }
    if (--left == 0)
        ft_loop_stop(loop);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static char *playbook_text(unsigned steps)
{
    struct ft_buf buf = FT_BUF_INIT(0);

    ft_buf_addf(&buf, "fettle: 1\nname: bench\ntitle: Bench\ncategory: check\nlimits: {writes: %u}\nsteps:\n", steps);
    for (unsigned i = 0; i < steps; i++)
        ft_buf_addf(&buf, "  - {id: s%u, run: nop.write, with: {n: %u}, undo: none%s}\n", i, i, i + 1 == steps ? ", then: good" : "");
    ft_buf_adds(&buf, "outcomes:\n  good: {title: Good}\n");
    return ft_buf_take(&buf);
}

int main(int argc, char **argv)
{
    static const struct ft_run_observer observer = { .ended = ended };
    struct ft_err err = { 0 };
    struct ft_store *store;
    struct ft_store_stats a, b;
    json_t *params = json_object();

    if (argc != 5)
        return 2;
    loop = ft_loop_new(NULL);
    struct ft_secrets *secrets = ft_secrets_new();
    struct ft_registry_opts ropts = { .loop = loop, .secrets = secrets, .dir = argv[2] };
    struct ft_registry *registry = ft_registry_new(&ropts);
    struct ft_script *script = ft_script_new(NULL);
    struct ft_playbook_world world = { .script = script, .action = action, .params_schema = params_of, .result_schema = result_of, .effects = effects_of,
                                       .has_undo = has_undo,
                                       .full_name = full_name, .arg = registry };

    if (ft_store_open(loop, argv[1], &store, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    struct ft_engine_opts eopts = { .loop = loop, .store = store, .registry = registry, .secrets = secrets, .world = &world };
    struct ft_engine *engine = ft_engine_new(&eopts);
    unsigned runs = (unsigned)atoi(argv[3]), steps = (unsigned)atoi(argv[4]);
    char *text = playbook_text(steps);
    struct ft_diags *diags = ft_diags_new();
    struct ft_playbook *playbook = ft_playbook_parse("bench.yaml", text, strlen(text), &world, diags);
    struct ft_run **all = ft_calloc(runs, sizeof(*all));
    struct ft_run_opts opts = { .requester = "bench" };

    if (!playbook) {
        ft_diags_print(diags, stderr, false);
        return 1;
    }
    left = runs;
    ft_store_stats(store, &a);
    double t0 = now(), c0 = cpu();

    for (unsigned i = 0; i < runs; i++) {
        if (ft_run_start(engine, playbook, params, &opts, &observer, NULL, &all[i], &err) < 0) {
            fprintf(stderr, "%s\n", err.text);
            return 1;
        }
    }
    ft_loop_run(loop);
    double t1 = now(), c1 = cpu();

    ft_store_stats(store, &b);
    printf("{\"rows\": %llu, \"commits\": %llu, \"seconds\": %.6f, \"cpu\": %.6f, \"steps\": %u}\n", (unsigned long long)(b.events - a.events),
           (unsigned long long)(b.commits - a.commits), t1 - t0, c1 - c0, runs * steps);
    for (unsigned i = 0; i < runs; i++)
        ft_run_free(all[i]);
    free(all);
    free(text);
    ft_playbook_unref(playbook);
    ft_diags_free(diags);
    json_decref(params);
    ft_engine_free(engine);
    ft_registry_free(registry);
    ft_store_close(store);
    ft_script_free(script);
    ft_loop_free(loop);
    ft_secrets_free(secrets);
    return 0;
}
