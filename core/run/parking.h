/* parking.h: keeps the runs that are not over going, many thousands of them. A run that waits for an answer or for a time is a stub of 16 bytes: no engine's run, no
 * Lua state, no socket. It is woken when its time comes, or when somebody answered (in another process: the store is asked about
 * once a second); a run whose process died is taken up at once. Few live at a time; those that wait do not count.
 *
 * A run that is in trouble (its playbook does not load any more, its journal is damaged) is told, put aside and tried again after an hour; it holds up nobody. */
#pragma once
#include "run/run.h"

struct ft_parking;

enum ft_parking_news {
    FT_PARKING_GOES_ON,           /* text: why */
    FT_PARKING_PARKED,            /* text: what it waits for */
    FT_PARKING_ENDED,             /* text: how */
    FT_PARKING_TROUBLE,           /* text: the error, a sentence */
};

struct ft_parking_opts {
    struct ft_loop *loop;
    struct ft_store *store;
    struct ft_engine *engine;
    const char *who;              /* in whose name crashed and parked runs go on */
    unsigned at_once;             /* runs that live at a time; 0: 16 */
    void (*news)(void *arg, const char *run_id, enum ft_parking_news news, const char *text);      /* may be NULL */
    void (*event)(void *arg, struct ft_run *run, const json_t *event);                            /* may be NULL */
    void (*idle)(void *arg);      /* after ft_parking_stop: nothing lives any more */
    void *arg;
};
/* Finds all that are not over in the store; the first callback comes from the loop. */
int ft_parking_new(const struct ft_parking_opts *opts, struct ft_parking **ret, struct ft_err *reterr);
/* What lives is left as it is in the journal, and goes on with the next who takes it up. */
struct ft_parking *ft_parking_free(struct ft_parking *parking);
/* Those that live look whether somebody asked for their end (ft_run_ask_end). */
void ft_parking_asked_to_end(struct ft_parking *parking);
/* Nothing is woken any more; what lives goes on until it parks or ends. Then `idle`. */
void ft_parking_stop(struct ft_parking *parking);
/* A new run. -EAGAIN when as many live as may. */
int ft_parking_start(struct ft_parking *parking, const struct ft_playbook *playbook, const json_t *params, const struct ft_run_opts *opts, char ret_id[9],
                     struct ft_err *reterr);

struct ft_parking_counts { size_t parked, waiting /* to live */, alive, bytes /* all that the keeper holds */; };
void ft_parking_count(const struct ft_parking *parking, struct ft_parking_counts *ret);
