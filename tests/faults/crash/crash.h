/* crash.h: the crash campaign. campaign.c tries, attempt by attempt; choose.c says where a life ends, and what must have been killed; life.c is one life:
 * the engine on a store, runs started, resumed, cancelled, taken back, until they are over or it is killed; person.c is somebody at another terminal, a
 * process of its own; examine.c looks at what they leave; peer.c is the device, a process that outlives them and remembers what reached it; points.c
 * ends a life at a system call, or makes that call fail. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { KEYS = 64, RUNS = 2, KINDS_MAX = 64, SCENARIOS = 16 };

/* What the device holds under a key, and what was done to it. */
struct slot {
    char key[24];
    bool there, was_there, meddled;
    int value, was;
    uint64_t until_ms;                /* it takes the change back then, unless it is confirmed; 0: none waits */
    unsigned sets, undos, backs, lapses, confirms;      /* backs: undos of what was there */
};

enum where { LIVES, AT_CALL, AT_TORN_CALL, AT_REQUEST, AT_REQUEST_DONE, AT_TIME, AT_PARK, AFTER_EVENT, NO_SPACE, IO_ERROR, READ_ONLY, DAMAGED, WHERES };

/* Shared by the campaign, the peer and each life in turn. */
struct world {
    atomic_uint number;               /* of the attempt: requests for another one are not obeyed */
    uint64_t seed;                    /* of the peer's troubles; 0: it has none */
    struct slot slots[KEYS];
    unsigned slot_count;
    uint64_t device_ms, client_ms;    /* the device's clock; what the last request said */
    _Atomic unsigned requests;        /* of this life */
    /* The end of the life under way. */
    enum where where;
    unsigned nth;
    unsigned kind;                    /* AFTER_EVENT: of this kind, at the nth call behind it (0: at once) */
    atomic_uint due;                  /* that call; 0: there was no such event yet */
    bool aim_over;                    /* the point that this attempt is for is behind */
    _Atomic pid_t client;
    atomic_uint calls;                /* that points.c counted in this life */
    /* What the lives tell. */
    unsigned scenario, parks, life;
    char ids[RUNS][9];
    bool announced[RUNS];             /* its first event was promised to be kept */
    char plans[RUNS][65];             /* that were promised to be kept */
    atomic_uint planning;             /* plans that are being made: the device has no troubles */
    bool lived;                       /* it opened its store */
    bool examined;
    unsigned doubts, answers, events;
    unsigned latest;                  /* kind of the last event of any run, 0: none yet */
    unsigned ends[RUNS];              /* status, by end_names */
    uint64_t clock_ms, seen_ms;       /* of this life at its begin; of its last event */
    int bell[2], answer[2];           /* a life that waits for people rings, and is told when they were there */
    char failure[1000];               /* what was found wrong */
    char said[600];                   /* the last error that a life told */
};

struct scenario {
    const char *name, *yaml, *config;
    const char *status;                             /* how its runs may end */
    const char *const *aims;                        /* kinds of events behind which it is killed most: what it is there for */
    const char *const *once, *const *never, *const *away;      /* keys: written by each run, by none; nothing is left there */
    bool people, window, meddled, timed, applied, undone, cancelled;
};
extern const struct scenario scenarios[];
extern const unsigned scenario_count;
extern const char *const end_names[];             /* of a run, ends with NULL */

/* events.c: kinds of events; 0 is none. */
extern const char *const kind_names[];
unsigned kind_of(const char *type);
unsigned kind_count(void);

/* choose.c */
struct undisturbed { unsigned calls, requests; double us; };
void choose_learn(const struct world *world, const struct undisturbed *life);      /* a life of an attempt without deaths; one after the other */
void choose(struct world *world, unsigned attempt, unsigned life, uint64_t dice);
unsigned choose_person_dies(const struct world *world, uint64_t dice);      /* at which call; 0: not */

/* peer.c: serves for ever. */
_Noreturn void peer_serve(int listener, struct world *world);
/* points.c */
void points_arm(struct world *world);
/* life.c, person.c: the rest of the process. */
_Noreturn void life_live(struct world *world, const char *store, unsigned port, const char *plugins);
_Noreturn void person_lives(struct world *world, const char *store, unsigned dies_at);
_Noreturn void life_dump(struct world *world, const char *store);
void life_prepare(const char *plugins);          /* once, before lives are forked: what each would load */
struct ft_config *life_config(const char *store_path);
/* examine.c: at the end of all. */
struct ft_store;
void examine(struct world *world, struct ft_store *store);

__attribute__((format(printf, 2, 3)))
void wrong(struct world *world, const char *fmt, ...);
static inline uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}
