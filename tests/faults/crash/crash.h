/* crash.h: the crash campaign. campaign.c chooses where a life ends and forks it; life.c is one life: the engine on a store, run or resumed until
 * it is over or killed; peer.c is the device, a process of its own that outlives them and remembers what reached it; points.c ends a life at a
 * system call, or makes that call fail. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { KEYS = 64, RUNS = 2, DOUBTS = 64 };

/* What the device holds under a key, and what was done to it. */
struct slot {
    char key[24];
    bool there;
    int value;
    unsigned sets, undos;
};

enum where { LIVES, AT_CALL, AT_TORN_CALL, AT_REQUEST, AT_REQUEST_DONE, AT_TIME, AT_PARK, NO_SPACE, IO_ERROR, READ_ONLY, DAMAGED };

/* Shared by the campaign, the peer and each life in turn. */
struct world {
    atomic_uint number;               /* of the attempt: requests for another one are not obeyed */
    uint64_t seed;                    /* of the peer's troubles; 0: it has none */
    struct slot slots[KEYS];
    unsigned slot_count;
    _Atomic unsigned requests;        /* of this life */
    /* The end of the life under way. */
    enum where where;
    unsigned nth;
    _Atomic pid_t client;
    atomic_uint calls;                /* that points.c counted in this life */
    /* What the lives tell. */
    unsigned scenario, run_count, parks, life;
    char ids[RUNS][9];
    bool announced[RUNS];             /* its first event was promised to be kept */
    bool examined;
    unsigned doubts, answers, events;
    uint64_t clock_ms;
    char failure[1000];               /* what was found wrong */
    char said[600];                   /* the last error that a life told */
};

struct scenario { const char *name, *yaml, *status; const char *const *once, *const *undone; bool people; };
extern const char people_yaml[];
extern const struct scenario scenarios[];
extern const unsigned scenario_count;

/* peer.c: serves for ever. */
_Noreturn void peer_serve(int listener, struct world *world);
/* points.c */
void points_arm(struct world *world);
/* life.c: the rest of the process. */
_Noreturn void life_live(struct world *world, const char *store, unsigned port, const char *plugins);
_Noreturn void life_dump(struct world *world, const char *store);
void life_prepare(const char *plugins);          /* once, before lives are forked: what each would load */
__attribute__((format(printf, 2, 3)))
void wrong(struct world *world, const char *fmt, ...);
static inline uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}
