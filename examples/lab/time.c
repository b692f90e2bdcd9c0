/* time.c: the lab's two times (lab.h), and what is due when. Nothing happens between requests: whoever looks catches up first,
 * and everything that was due happens in its order and with its own stamp. */
#include <time.h>
#include "lab.h"

static double mono_seconds(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double wall_seconds(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

void lab_clock_start(struct lab *lab, double speed)
{
    lab->speed = speed;
    lab->mono = mono_seconds();
    lab->wall = wall_seconds();
}

enum due_kind { DUE_NONE, DUE_TIMER, DUE_AP, DUE_CLIENT };

/* A stretch of both times. With speed 0 lab time stands still, and only /lab/time moves it. */
struct stretch { double now, wall; };

static double part_of(double wait, double whole)
{
    return wait <= 0 ? 0 : whole > 0 ? wait / whole : INFINITY;
}

/* The next thing due, as the part of the stretch that passes before it. */
static enum due_kind next_due(const struct lab *lab, struct stretch ahead, double *ret_part, int *ret_which)
{
    enum due_kind kind = DUE_NONE;
    double best = INFINITY;

    for (int i = 0; i < lab->n_timers; i++) {
        const struct lab_timer *t = &lab->timers[i];
        double part = t->wall ? part_of(t->due - lab->wall, ahead.wall) : part_of(t->due - lab->now, ahead.now);

        if (part < best)
            best = part, kind = DUE_TIMER, *ret_which = i;
    }
    for (int i = 0; i < lab->n_aps; i++)
        if (part_of(lab->aps[i].due - lab->now, ahead.now) < best)
            best = part_of(lab->aps[i].due - lab->now, ahead.now), kind = DUE_AP, *ret_which = i;
    for (int i = 0; i < lab->n_clients; i++)
        if (part_of(lab->clients[i].due - lab->now, ahead.now) < best)
            best = part_of(lab->clients[i].due - lab->now, ahead.now), kind = DUE_CLIENT, *ret_which = i;
    *ret_part = best;
    return kind;
}

static void fire(struct lab *lab, enum due_kind kind, int which)
{
    if (kind == DUE_TIMER) {
        struct lab_timer t = lab->timers[which];

        lab->timers[which] = lab->timers[--lab->n_timers];
        t.fire(lab, t.a, t.b);
    } else if (kind == DUE_AP) {
        lab->aps[which].due = INFINITY;
        lab_ap_step(lab, which);
    } else {
        lab->clients[which].due = INFINITY;
        lab_client_step(lab, which);
    }
}

static void move(struct lab *lab, struct stretch ahead)
{
    for (;;) {
        double part;
        int which = 0;
        enum due_kind kind = next_due(lab, ahead, &part, &which);

        if (kind == DUE_NONE || part > 1)
            break;
        lab->now += ahead.now * part;
        lab->wall += ahead.wall * part;
        ahead.now -= ahead.now * part;
        ahead.wall -= ahead.wall * part;
        fire(lab, kind, which);
    }
    lab->now += ahead.now;
    lab->wall += ahead.wall;
}

void lab_tick(struct lab *lab)
{
    double mono = mono_seconds(), passed = mono - lab->mono;

    if (passed <= 0)
        return;
    lab->mono = mono;
    move(lab, (struct stretch){ .now = passed * lab->speed, .wall = passed });
    /* The user's clock may have been set; without this the difference would stay for ever. */
    lab->wall = fmax(lab->wall, wall_seconds() + lab->added);
}

void lab_advance(struct lab *lab, double seconds)
{
    lab_tick(lab);
    move(lab, (struct stretch){ .now = seconds, .wall = seconds });
    lab->added += seconds;
}

static void add_timer(struct lab *lab, struct lab_timer timer)
{
    if (lab->n_timers < LAB_MAX_TIMERS)
        lab->timers[lab->n_timers++] = timer;
}

void lab_after(struct lab *lab, double seconds, void (*fn)(struct lab *, int, int), int a, int b)
{
    add_timer(lab, (struct lab_timer){ .due = lab->now + seconds, .fire = fn, .a = a, .b = b });
}

void lab_after_wall(struct lab *lab, double seconds, void (*fn)(struct lab *, int, int), int a, int b)
{
    add_timer(lab, (struct lab_timer){ .due = lab->wall + seconds, .wall = true, .fire = fn, .a = a, .b = b });
}

void lab_drop_timers(struct lab *lab, void (*fn)(struct lab *, int, int), int a)
{
    for (int i = 0; i < lab->n_timers;)
        if (lab->timers[i].fire == fn && lab->timers[i].a == a)
            lab->timers[i] = lab->timers[--lab->n_timers];
        else
            i++;
}

void lab_iso(double wall, char *ret, size_t len)
{
    time_t secs = (time_t)floor(wall);
    struct tm tm;
    char head[32];

    gmtime_r(&secs, &tm);
    strftime(head, sizeof(head), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(ret, len, "%s.%03d+00:00", head, (int)((wall - floor(wall)) * 1000));
}
