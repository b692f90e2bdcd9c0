/* choose.c: where a life ends. Of an attempt without deaths is learned how many system calls and requests each of its lives makes: these are the points, and the
 * calls behind the events that a scenario is there for; each is tried in turn, over the attempts, far from the one before. The deaths behind the first are by chance. */
#include <stdlib.h>
#include "base/util.h"
#include "crash.h"

enum { LIVES_KNOWN = 6, DEATHS_MAX = 8 /* of one attempt */, BEHIND = 12 /* calls */ };

static struct {
    struct undisturbed lives[LIVES_KNOWN];
    unsigned life_count, points;
} known[SCENARIOS];

static unsigned points_of(const struct undisturbed *life)
{
    return life->calls + 2 * life->requests;
}

void choose_learn(const struct world *world, const struct undisturbed *life)
{
    typeof(&known[0]) k = &known[world->scenario];

    if (k->life_count == LIVES_KNOWN)
        return;
    k->lives[k->life_count] = *life;
    k->points += points_of(&k->lives[k->life_count++]);
}

static unsigned aim_count(const struct world *world)
{
    unsigned n = 0;

    for (const char *const *aim = scenarios[world->scenario].aims; *aim; aim++)
        n++;
    return n;
}

/* Half of the deaths behind an event come at once: it is queued, and not written. */
static void aim_at(struct world *world, unsigned aim, unsigned dice)
{
    world->where = AFTER_EVENT;
    world->kind = kind_of(scenarios[world->scenario].aims[aim]);
    world->nth = dice % 2 ? dice / 2 % BEHIND : 0;
}

/* The nth point of all that there are in a scenario. False: it is in a later life. */
static bool choose_in_turn(struct world *world, unsigned n, unsigned life)
{
    typeof(&known[0]) k = &known[world->scenario];
    unsigned l = 0;

    if (n >= k->points) {
        aim_at(world, (n - k->points) / BEHIND, (n - k->points) % BEHIND * 2 + 1);
        return true;
    }
    for (; n >= points_of(&k->lives[l]); l++)
        n -= points_of(&k->lives[l]);
    if (l > life)
        return false;
    world->where = n < k->lives[l].calls ? AT_CALL : n < k->lives[l].calls + k->lives[l].requests ? AT_REQUEST : AT_REQUEST_DONE;
    world->nth = 1 + (n < k->lives[l].calls ? n : (n - k->lives[l].calls) % k->lives[l].requests);
    return true;
}

static void choose_by_chance(struct world *world, bool first, uint64_t dice)
{
    static const enum where kinds[] = { AT_CALL, AT_CALL, AT_TORN_CALL, AT_REQUEST, AT_REQUEST_DONE, AT_TIME, AFTER_EVENT, AFTER_EVENT, AFTER_EVENT, AFTER_EVENT, NO_SPACE, IO_ERROR, AT_PARK };
    typeof(&known[0]) k = &known[world->scenario];
    const struct undisturbed *life = &k->lives[0];

    world->where = kinds[dice % ARRAY_LEN(kinds)];
    dice = mix(dice);
    if (world->where == AFTER_EVENT) {
        aim_at(world, (unsigned)(dice % aim_count(world)), (unsigned)(mix(dice) % 1000));
        return;
    }
    world->nth = world->where == AT_TIME ? (unsigned)life->us : world->where == AT_REQUEST || world->where == AT_REQUEST_DONE ? life->requests : life->calls;
    world->nth = 1 + (unsigned)(dice % (first || world->nth < 3 ? world->nth : world->nth / 3));       /* what is left of a run is shorter */
}

void choose(struct world *world, unsigned attempt, unsigned life, uint64_t dice)
{
    typeof(&known[0]) k = &known[world->scenario];
    unsigned round = attempt / scenario_count, all = k->points + aim_count(world) * BEHIND;
    bool aimed = round % 4 && !world->aim_over;

    world->where = LIVES;
    world->nth = 0;
    atomic_store(&world->due, 0);
    if (attempt < scenario_count || life >= DEATHS_MAX)
        return;
    if (aimed) {
        if (choose_in_turn(world, round * 61 % all, life) && world->where != AFTER_EVENT)
            world->aim_over = true;
        if (life >= 4)
            world->aim_over = true;
        return;
    }
    if (life && dice % 8 == 0)
        return;
    choose_by_chance(world, life == 0, mix(dice));
}

unsigned choose_person_dies(const struct world *world, uint64_t dice)
{
    return world->seed && dice % 3 == 0 ? 1 + (unsigned)(mix(dice) % 24) : 0;
}
