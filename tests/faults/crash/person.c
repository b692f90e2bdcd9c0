/* person.c: somebody at another terminal, who answers at one gate of each run and leaves. A process of its own, which may be killed, too. */
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "base/util.h"
#include "crash.h"
#include "data/json.h"
#include "guard/approval.h"
#include "playbook/config.h"

/* The next of them who did not yet. */
static bool answer_one(struct ft_approvals *approvals, const char *run)
{
    static const char *const people[] = { "alice", "bob" };

    for (size_t i = 0; i < ARRAY_LEN(people); i++) {
        struct ft_err err = { 0 };
        json_t *view = NULL;
        bool given;

        if (ft_approval_view(approvals, run, NULL, people[i], &view, &err) < 0)
            return false;             /* it waits for nobody */
        struct ft_answer a = { .run = run, .who = people[i], .where = "another terminal", .decision = "approve", .digest = ft_json_str(view, "digest"),
                               .token = ft_json_str(view, "token") };

        given = json_is_true(json_object_get(view, "may")) && ft_approval_answer(approvals, &a, NULL, &err) == 0;
        json_decref(view);
        if (given)
            return true;
    }
    return false;
}

_Noreturn void person_lives(struct world *world, const char *path, unsigned dies_at)
{
    static struct world own;           /* the life may be counting its calls */
    struct ft_clock *clock = ft_clock_manual_new(world->seen_ms ? world->seen_ms : world->clock_ms);
    struct ft_loop *loop = ft_loop_new(clock);
    struct ft_config *config = life_config(path);
    struct ft_store *store = NULL;
    struct ft_err err = { 0 };

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(60);
    own.where = dies_at ? AT_CALL : LIVES;
    own.nth = dies_at;
    points_arm(&own);
    if (!config)
        wrong(world, "the configuration of the people does not load");
    else if (ft_store_open(loop, path, &store, &err) < 0)
        wrong(world, "a person cannot open the store: %s", err.text);
    if (*world->failure)
        _exit(1);
    struct ft_approvals approvals = { .store = store, .config = ft_config_json(config), .clock = clock };

    for (size_t i = 0; i < RUNS; i++)
        if (*world->ids[i])
            world->answers += answer_one(&approvals, world->ids[i]);
    ft_store_close(store);
    _exit(0);
}
