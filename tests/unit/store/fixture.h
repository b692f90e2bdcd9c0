/* fixture.h: a store in a directory of its own, and small ways to write to it. */
#pragma once
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "base/util.h"
#include "data/json.h"
#include "store/store.h"

struct fixture {
    char dir[64], *path;
    struct ft_clock *clock;
    struct ft_loop *loop;
    struct ft_store *store;
};

static inline void fixture_open(struct fixture *fx)
{
    struct ft_err err = { 0 };

    cr_assert_eq(ft_store_open(fx->loop, fx->path, &fx->store, &err), 0, "%s", err.text);
}

static inline void fixture_new(struct fixture *fx)
{
    strcpy(fx->dir, "/tmp/fettle-store-XXXXXX");
    cr_assert_not_null(mkdtemp(fx->dir));
    fx->path = ft_asprintf("%s/state/fettle.db", fx->dir);
    fx->clock = ft_clock_manual_new(1795227185000);
    fx->loop = ft_loop_new(fx->clock);
    fixture_open(fx);
}

static inline void fixture_free(struct fixture *fx)
{
    static const char *const names[] = { "state/fettle.db", "state/fettle.db-wal", "state/fettle.db-shm", "state/fettle.key", "state/fettle.pub", "state", "." };

    ft_store_close(fx->store);
    ft_loop_free(fx->loop);
    ft_clock_free(fx->clock);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char *name = ft_asprintf("%s/%s", fx->dir, names[i]);

        if (unlink(name) < 0)
            rmdir(i + 1 == ARRAY_LEN(names) ? fx->dir : name);
        free(name);
    }
    free(fx->path);
}

static inline void fixture_reopen(struct fixture *fx)
{
    fx->store = ft_store_close(fx->store);
    fixture_open(fx);
}

static inline void put_run(struct ft_store *store, const char *id, const char *status)
{
    json_t *params = json_pack("{s:s}", "client", "a4:83:e7:12:34:56");
    struct ft_run_info info = {
        .id = id, .playbook = "client-connectivity", .digest = "9b1e", .mode = "run", .status = status, .outcome = "", .started_ms = 1000,
        .ended_ms = strcmp(status, "finished") == 0 ? 2000 : 0, .summary = "",
        .params = params,
    };

    ft_store_run_put(store, &info);
    json_decref(params);
}

static inline void new_run(struct ft_store *store, char id[9])
{
    ft_store_new_id(store, id);
    put_run(store, id, "running");
}

/* In a forked child nothing of Criterion may be used: what it says there is said to nobody. These say what is wrong, and end the child. */
#define CHILD_MUST(what, ...) \
    do { \
        if (!(what)) { \
            fprintf(stderr, "child: " #what ": " __VA_ARGS__); \
            fputc('\n', stderr); \
            _exit(1); \
        } \
    } while (0)

static inline void child_opens(struct fixture *fx)
{
    struct ft_err err = { 0 };

    prctl(PR_SET_PDEATHSIG, SIGKILL);        /* a test that ends early leaves nobody behind */
    CHILD_MUST(ft_store_open(fx->loop, fx->path, &fx->store, &err) == 0, "%s", err.text);
}

/* An answer to wait for. */
struct answer { struct ft_loop *loop; unsigned times; int code; char text[1000]; };

static inline void answered(void *arg, int code, const struct ft_err *err)
{
    struct answer *answer = arg;

    answer->times++;
    answer->code = code;
    snprintf(answer->text, sizeof(answer->text), "%s", err ? err->text : "");
}

static inline json_t *event_of(const char *type)
{
    return json_pack("{s:s, s:s}", "type", type, "path", "association");
}

/* Appended, and waited for; what `written` was given. */
static inline int append_now(struct fixture *fx, const char *id, json_t *event, enum ft_durability durability)
{
    struct answer answer = { 0 };
    struct ft_err err = { 0 };
    int r = ft_store_append(fx->store, id, event, durability, answered, &answer, &err);

    if (r < 0)
        return r;
    cr_expect_eq(answer.times, 0, "written() came inside ft_store_append");
    ft_loop_run(fx->loop);
    cr_expect_eq(answer.times, 1, "written() came %u times", answer.times);
    return answer.code;
}

static inline void child_appends(struct fixture *fx, const char *id, json_t *event, enum ft_durability durability)
{
    struct answer answer = { 0 };
    struct ft_err err = { 0 };

    CHILD_MUST(ft_store_append(fx->store, id, event, durability, answered, &answer, &err) == 0, "%s", err.text);
    ft_loop_run(fx->loop);
    CHILD_MUST(answer.times == 1 && answer.code == 0, "told %u times, %d %s", answer.times, answer.code, answer.text);
}

static inline json_t *events_of(struct fixture *fx, const char *id)
{
    struct ft_err err = { 0 };
    json_t *events = NULL;

    cr_assert_eq(ft_store_events(fx->store, id, 0, &events, &err), 0, "%s", err.text);
    return events;
}
