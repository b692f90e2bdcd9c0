/* gate_time.c: what is due while people are asked: reminders, the next level, the end. */
#include "run/gate_parts.h"

enum { LOOK_MS = 60000 };

static struct step_run *step_at(struct ft_run *run, const char *path)
{
    struct ft_list *pos, *tmp;

    ft_list_each(pos, tmp, &run->steps) {
        struct step_run *step = ft_container(pos, struct step_run, in_run);

        if (ft_streq(step->path, path))
            return step;
    }
    return NULL;
}

/* What was answered in the last moment counts: it is fetched before the door closes. */
static void time_is_over(struct step_run *step)
{
    struct ft_run *run = step->run;
    char *path = ft_strdup(step->path);

    people_look(run);
    step = run->state == RUN_GOING ? step_at(run, path) : NULL;
    if (step && gate_waits(step))
        gate_close(step, false, json_string(""), "", "nobody answered in time", "expired");
    free(path);
}

static void remind(struct step_run *step, uint64_t now)
{
    const json_t *gate = gate_of(step);
    struct ft_people people = people_now(step->run->engine);
    int n = (int)((now - (uint64_t)ft_json_int(gate, "opened", 0)) / (uint64_t)ft_json_int(gate, "remind_ms", 1));
    json_t *event = ev("gate.reminded", step->path), *to = ft_gate_asked(&people, gate, now);

    json_object_set_new(event, "n", json_integer(n));
    json_object_set(event, "to", to);
    run_ride(step->run, event);
    notice_send(step->run, gate, "reminded", n, to, NULL);
}

static void escalate(struct step_run *step, const json_t *level)
{
    struct ft_people people = people_now(step->run->engine);
    const char *role = ft_json_str(level, "role");
    json_t *event = ev("gate.escalated", step->path), *to = ft_people_with(&people, role ? role : "");

    json_object_set(event, "level", json_object_get(level, "level"));
    json_object_set(event, "role", json_object_get(level, "role"));
    json_object_set(event, "to", to);
    run_ride(step->run, event);
    notice_send(step->run, gate_of(step), "escalated", (int)ft_json_int(level, "level", 0), to, NULL);
}

static void due(void *arg)
{
    struct step_run *step = arg;
    const json_t *gate = gate_of(step), *level;
    uint64_t now = run_now_ms(step->run), every;

    step->timer = NULL;
    if (!gate_waits(step) || step->run->state != RUN_GOING)
        return;
    if (now >= (uint64_t)ft_json_int(gate, "until", 0)) {
        time_is_over(step);
        return;
    }
    every = (uint64_t)ft_json_int(gate, "remind_ms", 0);
    level = json_array_get(json_object_get(gate, "escalate"), (size_t)ft_json_int(gate, "escalated", 0));
    if (level && now >= (uint64_t)ft_json_int(level, "at", 0))
        escalate(step, level);
    else if (every && now >= (uint64_t)ft_json_int(gate, "opened", 0) + ((uint64_t)ft_json_int(gate, "reminded", 0) + 1) * every)
        remind(step, now);
    if (step->run->state != RUN_ENDED)
        gate_set_timer(step);
}

void gate_set_timer(struct step_run *step)
{
    uint64_t next = ft_gate_next(gate_of(step)), now = run_now_ms(step->run);

    uint64_t left = next > now ? next - now : 0;

    ft_timer_stop(step->timer);
    /* Looked at now and then, too: the clock on the wall may have been set. */
    step->timer = ft_timer_start_weak(step->run->engine->o.loop, left < LOOK_MS ? left : LOOK_MS, due, step);
}
