/* rig.h: an engine on a manual clock with the plugin `sim`, for tests of runs. No test waits: time is moved by the loop. */
#pragma once
#include "run/run.h"

struct rig {
    char dir[64];                     /* fresh; removed by rig_done */
    struct ft_clock *clock;
    struct ft_loop *loop;
    struct ft_store *store;
    struct ft_script *script;
    struct ft_secrets *secrets;
    struct ft_registry *registry;
    struct ft_playbook_world world;
    struct ft_engine *engine;
    json_t *config;
    struct ft_config *people;         /* of rig_config; NULL: nobody is configured */
    uint64_t now_ms;                  /* of the clock of the next life; 0: the first */
    struct ft_timer *passing;
    bool has_rails;                   /* time goes on from life to life */
    struct ft_guard *guard;           /* with its policies; NULL likewise */
    uint64_t away_ms;                 /* how much later it is when the process is born again */
    bool cancel_resumed;              /* what is resumed is cancelled at once, as `fettle cancel --rollback` does with a run that nobody has in hand */
    /* Of the last run. */
    struct ft_run *run;
    json_t *events;
    enum ft_run_end end;
    bool ended, parked;
    /* How the next runs start. */
    bool keep_plan, accept_undetermined;
    const json_t *apply;              /* this plan; its params are used */
    struct ft_err refused;            /* why the last one did not start at all */
    /* Called after each event, may cancel, answer or stop. */
    void (*on_event)(struct rig *rig, const json_t *event);
    /* Called when it parks; NULL: stop the loop and keep it parked. */
    void (*on_parked)(struct rig *rig);
};

void rig_open(struct rig *rig);
void rig_done(struct rig *rig);
/* fettle.yaml, as text: people, roles, approvals. For the next life, or for the runs of this one: it is read again when it changed. */
void rig_config(struct rig *rig, const char *yaml);
/* The process dies and is born again: everything but the files is made anew. */
void rig_reborn(struct rig *rig);
/* Reborn with this configuration's policies, which hold until the end. at: UTC, "2026-11-29 01:30". */
void rig_rails(struct rig *rig, const char *yaml, const char *at);
/* Time goes by while it is parked, until it ends or `ms` are over. */
void rig_pass(struct rig *rig, uint64_t ms);
/* What the device holds, and what goes wrong. JSON texts. */
void rig_state(struct rig *rig, const char *json);
void rig_trouble(struct rig *rig, const char *json);
json_t *rig_read_state(struct rig *rig);                     /* new reference */
size_t rig_records(struct rig *rig, const char *containing);  /* lines of the record that contain this; NULL: all */
/* The text with the outcomes it leads to behind it: good, bad (attention), back (rolls back). malloced */
char *rig_ends(const char *yaml);
/* rig_ends, loads (mistakes fail the test), binds and starts; runs the loop until it ends or parks. params: JSON text or NULL. */
void rig_run(struct rig *rig, const char *yaml, const char *params, bool dry);
void rig_resume(struct rig *rig);                            /* the last run, by id */
int rig_undo(struct rig *rig, const struct ft_undo_opts *opts);    /* the last run, that is over; events are added. What ft_run_undo says */
const char *rig_id(const struct rig *rig);                   /* of the last run */
void rig_answer(struct rig *rig, const char *path, const char *json);   /* then runs on */
/* "a:done b:failed c:skipped -> fixed": the way of the last run, in the order in which steps ended; malloced */
char *rig_way(const struct rig *rig);
const json_t *rig_event(const struct rig *rig, const char *type, const char *path);   /* last such; NULL */
size_t rig_count(const struct rig *rig, const char *type);
