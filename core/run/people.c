/* people.c: who there is, as the configuration and the store say it now, and their answers: fetched about once a second while something waits for them.
 * The configuration is read again when its file changed: whoever was taken out of it since the run began does not count. */
#include <sys/stat.h>
#include <unistd.h>
#include "run/internal.h"

enum { POLL_MS = 1000 };

struct people {
    struct ft_config *config;          /* read anew; NULL: the engine's own still holds */
    uint64_t print;                    /* of the files that were read */
    bool unreadable;                   /* the file has mistakes now: nobody counts till they are gone */
    json_t *delegations;
    int64_t seen;                      /* of ft_store_changed */
    bool polled;
    struct ft_timer *timer;
    struct ft_list gated;              /* ft_run.in_gated */
};

static struct people *people_of(struct ft_engine *engine)
{
    if (!engine->people) {
        engine->people = ft_calloc(1, sizeof(*engine->people));
        ft_list_init(&engine->people->gated);
    }
    return engine->people;
}

void people_free(struct ft_engine *engine)
{
    struct people *p = engine->people;

    if (!p)
        return;
    ft_timer_stop(p->timer);
    ft_config_free(p->config);
    json_decref(p->delegations);
    free(p);
    engine->people = NULL;
}

static void add_file(const char *path, uint64_t *print)
{
    struct stat st;
    uint64_t parts[4] = { 1 };

    if (stat(path, &st) == 0)
        memcpy(parts, (uint64_t[]){ (uint64_t)st.st_mtim.tv_sec, (uint64_t)st.st_mtim.tv_nsec, (uint64_t)st.st_size, st.st_ino }, sizeof(parts));
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        *print = (*print ^ parts[i]) * 0x100000001b3;
}

/* Of the file and of the calendars that it names. */
static uint64_t print_of(const struct ft_config *config)
{
    const struct ft_rails *rails = ft_config_rails(config);
    uint64_t print = 0xcbf29ce484222325;

    add_file(ft_config_path(config), &print);
    for (size_t i = 0; i < rails->file_count; i++)
        add_file(rails->files[i], &print);
    return print;
}

static const struct ft_config *config_of(const struct ft_engine *engine, const struct people *p)
{
    return p->config ? p->config : engine->o.config;
}

/* People, and the rails: a freeze that was written down on Thursday holds the run that waits for Sunday. */
void people_read(struct ft_engine *engine)
{
    struct people *p = people_of(engine);
    const struct ft_config *now = config_of(engine, p);
    const char *path = now ? ft_config_path(now) : "";
    struct ft_config *config;
    struct ft_diags *diags;
    uint64_t print;
    bool found;

    print = *path ? print_of(now) : 0;
    if (!*path || print == p->print)
        return;
    p->print = print;
    diags = ft_diags_new();
    config = ft_config_load(path, &found, diags);
    if (config && (!found || access(path, R_OK) < 0))      /* gone: that is no configuration without rules */
        config = ft_config_free(config);
    p->unreadable = !config;
    if (engine->o.guard)
        ft_guard_use(engine->o.guard, config);
    if (config) {
        ft_config_free(p->config);
        p->config = config;
        p->print = print_of(config);
    } else {
        ft_log(FT_LOG_ERROR, "'%s' has mistakes now (%s): no approval counts, and nothing is changed, until they are mended", path,
               ft_diags_count(diags) ? ft_diags_get(diags, 0)->text : "it is gone");
    }
    ft_diags_free(diags);
}

struct ft_people people_now(struct ft_engine *engine)
{
    struct people *p = people_of(engine);
    struct ft_err err = { 0 };
    json_t *delegations = NULL;

    people_read(engine);
    if (ft_answers(engine->o.store, "", FT_DELEGATIONS, true, &delegations, &err) == 0) {
        json_decref(p->delegations);
        p->delegations = delegations;
    }
    return (struct ft_people){ .config = p->unreadable ? NULL : p->config ? ft_config_json(p->config) : engine->o.config ? ft_config_json(engine->o.config) : NULL,
                               .delegations = p->delegations };
}

/* ---- answers */

static void poll_again(struct ft_engine *engine);

static bool is_of_gate(const json_t *row)
{
    const char *gate = ft_json_str(row, "gate");

    return !ft_streq(gate, FT_REVIEWS) && !ft_streq(gate, FT_QUESTIONS) && !ft_streq(gate, FT_ENDS);
}

void people_fetch(struct ft_run *run)
{
    struct ft_err err = { 0 };
    json_t *rows = NULL, *row;
    size_t i;

    if (ft_answers(run->engine->o.store, run->id, NULL, false, &rows, &err) < 0) {
        ft_log(FT_LOG_WARN, "run %s: the answers of people cannot be read: %s", run->id, err.text);
        return;
    }
    json_array_foreach(rows, i, row)
        if (run->state != RUN_ENDED && is_of_gate(row))
            gate_take_row(run, row);
    json_decref(rows);
}

static void take(struct ft_run *run)
{
    people_fetch(run);
    if (run->state != RUN_ENDED && run->parked_told)
        questions_take(run);
    gates_decide(run);
    policy_revoked(run);
}

static void poll(void *arg)
{
    struct ft_engine *engine = arg;
    struct people *p = engine->people;
    struct ft_list *pos, *tmp;
    bool changed = ft_store_changed(engine->o.store, &p->seen) || !p->polled;

    p->timer = NULL;
    p->polled = true;
    if (changed)
        ft_list_each(pos, tmp, &p->gated)
            take(ft_container(pos, struct ft_run, in_gated));
    poll_again(engine);
}

static void poll_again(struct ft_engine *engine)
{
    struct people *p = engine->people;

    if (!p->timer && !ft_list_empty(&p->gated))
        p->timer = ft_timer_start_weak(engine->o.loop, POLL_MS, poll, engine);
}

void people_look(struct ft_run *run)
{
    take(run);
}

static void take_first(void *arg)
{
    take(arg);
}

void people_ask(struct ft_run *run)
{
    struct people *p = people_of(run->engine);

    if (!run->in_gated.next)
        ft_list_append(&p->gated, &run->in_gated);
    ft_loop_undefer(run->engine->o.loop, take_first, run);
    ft_loop_defer(run->engine->o.loop, take_first, run);         /* what was answered while nobody ran it */
    poll_again(run->engine);
}

void people_leave(struct ft_run *run)
{
    ft_loop_undefer(run->engine->o.loop, take_first, run);
    ft_list_remove(&run->in_gated);
}
