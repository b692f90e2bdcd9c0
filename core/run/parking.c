/* parking.c: stubs, sorted by id; a queue of those that shall live; the few that do. See parking.h. */
#include "base/log.h"
#include "run/internal.h"
#include "run/parking.h"

enum { AT_ONCE = 16, CLAIMED_AT_ONCE = 64, LOOK_MS = 1000, LOOK_WHATEVER_MS = 30 * 1000, ASIDE_MS = 3600 * 1000, BROKEN_MS = 60 * 1000 };

struct stub {
    uint32_t id;                      /* the 8 digits */
    uint32_t seen : 31;               /* newest answer (row) that it was woken for */
    uint32_t mark : 1;
    uint64_t wake_ms;
};

enum why { CRASHED, ANSWERED, ITS_TIME };
static const char *const whys[] = { [CRASHED] = "a process that died left it behind", [ANSWERED] = "it was answered", [ITS_TIME] = "its time has come" };

struct waiting { uint32_t id, seen : 29, why : 3; };

struct alive {
    struct ft_list in;
    struct ft_parking *parking;
    struct ft_run *run;
    uint32_t seen;
    bool parked, over, stays;         /* stays: it waits for another run's lock and looks for itself; not counted */
    enum ft_run_end end;
    char ended[200];
};

struct ft_parking {
    struct ft_parking_opts o;
    struct stub *stubs;
    size_t count, room;
    struct waiting *queue;            /* from `first` on */
    size_t first, queued, queue_room;
    struct ft_list alive;
    unsigned alive_count;
    struct ft_timer *timer;
    int64_t version;                  /* of the store, when it was looked at */
    uint64_t whatever_us;             /* when it is looked at although it did not change */
    bool stopping, settling, loading;
};

static void look(void *arg);
static void settle(void *arg);

static uint32_t number_of(const char *id) { return (uint32_t)strtoul(id, NULL, 16); }

static void id_of(uint32_t number, char ret[9]) { snprintf(ret, 9, "%08x", number); }

static void tell(const struct ft_parking *p, uint32_t number, enum ft_parking_news news, const char *text)
{
    char id[9];

    id_of(number, id);
    if (p->o.news)
        p->o.news(p->o.arg, id, news, text);
}

static uint64_t now_ms(const struct ft_parking *p) { return ft_clock_wall_ms(ft_loop_clock(p->o.loop)); }

/* ---- stubs */

static int by_id(const void *a, const void *b)
{
    uint32_t x = ((const struct stub *)a)->id, y = ((const struct stub *)b)->id;

    return x < y ? -1 : x > y;
}

/* Where it is, or belongs. */
static size_t place_of(const struct ft_parking *p, uint32_t id)
{
    size_t low = 0, high = p->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (p->stubs[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct stub *stub_find(const struct ft_parking *p, uint32_t id)
{
    size_t at = place_of(p, id);

    return at < p->count && p->stubs[at].id == id ? &p->stubs[at] : NULL;
}

static void stub_put(struct ft_parking *p, struct stub stub)
{
    size_t at = p->loading ? p->count : place_of(p, stub.id);

    if (p->count == p->room) {
        p->room = p->room ? p->room + p->room / 2 : 64;
        p->stubs = ft_realloc(p->stubs, p->room * sizeof(*p->stubs));
    }
    memmove(p->stubs + at + 1, p->stubs + at, (p->count - at) * sizeof(*p->stubs));
    p->stubs[at] = stub;
    p->count++;
}

static void stub_drop(struct ft_parking *p, struct stub *stub)
{
    memmove(stub, stub + 1, (size_t)(p->stubs + --p->count - stub) * sizeof(*stub));
}

/* ---- those that shall live */

static void enqueue(struct ft_parking *p, uint32_t id, uint32_t seen, enum why why)
{
    if (p->first && p->first + p->queued == p->queue_room) {
        memmove(p->queue, p->queue + p->first, p->queued * sizeof(*p->queue));
        p->first = 0;
    }
    if (p->queued == p->queue_room) {
        p->queue_room = p->queue_room ? p->queue_room * 2 : 64;
        p->queue = ft_realloc(p->queue, p->queue_room * sizeof(*p->queue));
    }
    p->queue[p->first + p->queued++] = (struct waiting){ .id = id, .seen = seen, .why = why };
}

static bool lives(const struct ft_parking *p, uint32_t id)
{
    struct ft_list *pos, *tmp;

    ft_list_each(pos, tmp, (struct ft_list *)&p->alive)
        if (number_of(ft_run_id(ft_container(pos, struct alive, in)->run)) == id)
            return true;
    for (size_t i = 0; i < p->queued; i++)
        if (p->queue[p->first + i].id == id)
            return true;
    return false;
}

static void wake(struct ft_parking *p, struct stub *stub, enum why why)
{
    enqueue(p, stub->id, stub->seen, why);
    stub_drop(p, stub);
}

/* ---- those that live */

static void settle_soon(struct ft_parking *p)
{
    if (!p->settling)
        ft_loop_defer(p->o.loop, settle, p);
    p->settling = true;
}

static void on_event(void *arg, struct ft_run *run, const json_t *event)
{
    const struct alive *a = arg;

    if (a->parking->o.event)
        a->parking->o.event(a->parking->o.arg, run, event);
    if (ft_streq(ft_json_str(event, "type"), "run.finished")) {
        const char *text = ft_json_str(event, "diagnosis");

        snprintf(((struct alive *)arg)->ended, sizeof(a->ended), "%s: %s", ft_json_str(event, "status"), text ? text : "");
    }
}

static void on_parked(void *arg, struct ft_run *run)
{
    struct alive *a = arg;

    (void)run;
    a->parked = true;
    settle_soon(a->parking);
}

static void on_ended(void *arg, struct ft_run *run, enum ft_run_end end)
{
    struct alive *a = arg;

    (void)run;
    a->over = true;
    a->end = end;
    settle_soon(a->parking);
}

static const struct ft_run_observer observer = { .event = on_event, .parked = on_parked, .ended = on_ended };

static struct alive *alive_new(struct ft_parking *p, uint32_t seen)
{
    struct alive *a = ft_calloc(1, sizeof(*a));

    a->parking = p;
    a->seen = seen;
    ft_list_append(&p->alive, &a->in);
    p->alive_count++;
    return a;
}

static void alive_free(struct alive *a)
{
    ft_list_remove(&a->in);
    a->parking->alive_count -= !a->stays;
    ft_run_free(a->run);
    free(a);
}

static void put_aside(struct ft_parking *p, uint32_t id, uint32_t seen, uint64_t ms, const char *text)
{
    tell(p, id, FT_PARKING_TROUBLE, text);
    stub_put(p, (struct stub){ .id = id, .seen = seen, .wake_ms = now_ms(p) + ms });
}

/* Not claimed: to hear why. */
static void take_up(struct ft_parking *p, struct waiting w, bool claimed)
{
    struct alive *a = alive_new(p, w.seen);
    struct ft_err err = { 0 };
    char id[9];
    int r;

    id_of(w.id, id);
    r = (claimed ? ft_run_resume_claimed : ft_run_resume)(p->o.engine, id, p->o.who, &observer, a, &a->run, &err);
    if (r == 0) {
        tell(p, w.id, FT_PARKING_GOES_ON, whys[w.why]);
        return;
    }
    alive_free(a);
    if (r != -EBUSY && r != -EALREADY && r != -ENOENT)      /* another process has it, or it is over: nothing to do, and nothing to tell */
        put_aside(p, w.id, w.seen, ASIDE_MS, err.text);
    if (r != -EBUSY)
        ft_store_rest(p->o.store, id);
}

/* The next n, claimed in one commit: what is claimed is taken up, whatever else happens. */
static void take_up_some(struct ft_parking *p, size_t n)
{
    struct waiting some[CLAIMED_AT_ONCE];
    char ids[CLAIMED_AT_ONCE][9];
    bool claimed[CLAIMED_AT_ONCE];

    n = ft_min(n, (size_t)CLAIMED_AT_ONCE);
    for (size_t i = 0; i < n; i++) {
        some[i] = p->queue[p->first++];
        id_of(some[i].id, ids[i]);
    }
    p->queued -= n;
    ft_store_claim_all(p->o.store, ids, n, claimed);
    for (size_t i = 0; i < n; i++)
        take_up(p, some[i], claimed[i]);
}

static void fill_up(struct ft_parking *p)
{
    unsigned at_once = p->o.at_once ? p->o.at_once : AT_ONCE;

    while (!p->stopping && p->queued && p->alive_count < at_once)
        take_up_some(p, ft_min(at_once - p->alive_count, p->queued));
    if (p->stopping && !p->alive_count && p->o.idle)
        p->o.idle(p->o.arg);
}

/* "Free stale leases: 38 leases … " of the first question, and how many more. */
static void tell_parked(struct ft_parking *p, struct alive *a, uint32_t id)
{
    json_t *questions = ft_run_questions(a->run);
    const json_t *first = json_array_get(questions, 0);
    const char *title = ft_json_str(first, "title"), *kind = ft_json_str(first, "kind");
    char *text = ft_asprintf("%s: %s", kind ? kind : "waits", title ? title : "");

    tell(p, id, FT_PARKING_PARKED, text);
    free(text);
    json_decref(questions);
}

static bool stays(struct alive *a)
{
    json_t *questions = ft_run_questions(a->run);
    bool yes = json_is_true(json_object_get(json_array_get(questions, 0), "stays"));

    json_decref(questions);
    if (yes && !a->stays) {
        a->stays = true;
        a->parking->alive_count--;
    }
    a->parked = a->parked && !yes;
    return yes;
}

/* Out of the turn of the run that parked or ended: now it may be freed. */
static void settle(void *arg)
{
    struct ft_parking *p = arg;
    struct ft_list *pos, *tmp;

    p->settling = false;
    ft_list_each(pos, tmp, &p->alive) {
        struct alive *a = ft_container(pos, struct alive, in);
        uint32_t id = number_of(ft_run_id(a->run)), seen = a->seen;
        uint64_t wake_ms = ft_run_wake_ms(a->run), soonest = now_ms(p) + LOOK_MS;
        char run_id[9];

        if ((!a->parked && !a->over) || (!a->over && stays(a)))
            continue;
        id_of(id, run_id);
        if (*a->ended) {
            tell(p, id, FT_PARKING_ENDED, a->ended);
        } else if (a->over && a->end != FT_RUN_PARKED) {
            put_aside(p, id, seen, BROKEN_MS, "its journal could not be written; it is taken up again in a minute");
        } else {
            tell_parked(p, a, id);
            stub_put(p, (struct stub){ .id = id, .seen = seen, .wake_ms = wake_ms > soonest ? wake_ms : soonest });
        }
        alive_free(a);
        ft_store_rest(p->o.store, run_id);
    }
    fill_up(p);
}

/* ---- looking at the store */

static void found(void *arg, const struct ft_open_run *run)
{
    struct ft_parking *p = arg;
    uint32_t id = number_of(run->id);
    struct stub *stub = p->loading ? NULL : stub_find(p, id);

    if (run->held && !run->ours) {
        if (stub)
            stub_drop(p, stub);           /* somebody went on with it elsewhere */
    } else if (stub) {
        stub->mark = 1;
    } else if (!p->loading && lives(p, id)) {
        return;
    } else if (run->parked) {
        stub_put(p, (struct stub){ .id = id, .mark = 1, .wake_ms = run->wake_ms });
    } else {
        enqueue(p, id, 0, CRASHED);
    }
}

/* Those that were not found again are over, or somebody else's. */
static void sweep(struct ft_parking *p)
{
    size_t n = 0;

    for (size_t i = 0; i < p->count; i++) {
        if (!p->stubs[i].mark)
            continue;
        p->stubs[n] = p->stubs[i];
        p->stubs[n++].mark = 0;
    }
    p->count = n;
}

static int find_all(struct ft_parking *p, bool loading, struct ft_err *reterr)
{
    int r;

    p->loading = loading;
    r = ft_store_open_runs(p->o.store, found, p, reterr);
    p->loading = false;
    if (r == 0 && loading && p->count)
        qsort(p->stubs, p->count, sizeof(*p->stubs), by_id);
    if (r == 0)
        sweep(p);
    return r;
}

static int find_answered(struct ft_parking *p, struct ft_err *reterr)
{
    json_t *answers, *answer;
    size_t i;
    int r = ft_answers(p->o.store, NULL, NULL, false, &answers, reterr);

    if (r < 0)
        return r;
    json_array_foreach(answers, i, answer) {
        const char *run = ft_json_str(answer, "run");
        uint32_t row = (uint32_t)ft_json_int(answer, "row", 0);
        struct stub *stub = run && strlen(run) == 8 ? stub_find(p, number_of(run)) : NULL;

        if (!stub || row <= stub->seen || ft_streq(ft_json_str(answer, "gate"), FT_REVIEWS))
            continue;
        stub->seen = row;
        wake(p, stub, ANSWERED);
    }
    json_decref(answers);
    return 0;
}

/* Those whose time has come live; returns when the next one's does. */
static uint64_t wake_due(struct ft_parking *p)
{
    uint64_t now = now_ms(p), next = UINT64_MAX;

    for (size_t i = 0; i < p->count;) {
        if (p->stubs[i].wake_ms <= now) {
            wake(p, &p->stubs[i], ITS_TIME);
            continue;
        }
        next = p->stubs[i].wake_ms < next ? p->stubs[i].wake_ms : next;
        i++;
    }
    return next;
}

static int look_now(struct ft_parking *p, bool first, struct ft_err *reterr)
{
    uint64_t now_us = ft_clock_mono_us(ft_loop_clock(p->o.loop));
    int r = 0;

    if (ft_store_changed(p->o.store, &p->version) || now_us >= p->whatever_us) {
        p->whatever_us = now_us + LOOK_WHATEVER_MS * 1000ull;
        if (!p->queued)                       /* there is enough to do, and each would be looked for among those that wait to live */
            r = find_all(p, first, reterr);
        if (r == 0)
            r = find_answered(p, reterr);
    }
    return r;
}

static void look(void *arg)
{
    struct ft_parking *p = arg;
    struct ft_err err = { 0 };
    uint64_t next, now;

    p->timer = NULL;
    if (look_now(p, false, &err) < 0)
        ft_log(FT_LOG_ERROR, "cannot see which runs were answered: %s", err.text);
    next = wake_due(p);
    fill_up(p);
    now = now_ms(p);
    if (!p->stopping)
        p->timer = ft_timer_start(p->o.loop, next > now && next - now < LOOK_MS ? next - now : LOOK_MS, look, p);
}

/* ---- from outside */

int ft_parking_new(const struct ft_parking_opts *opts, struct ft_parking **ret, struct ft_err *reterr)
{
    struct ft_parking *p = ft_calloc(1, sizeof(*p));
    int r;

    p->o = *opts;
    ft_list_init(&p->alive);
    r = look_now(p, true, reterr);
    if (r < 0) {
        ft_parking_free(p);
        return r;
    }
    p->timer = ft_timer_start(p->o.loop, 0, look, p);
    *ret = p;
    return 0;
}

struct ft_parking *ft_parking_free(struct ft_parking *p)
{
    struct ft_list *pos, *tmp;

    if (!p)
        return NULL;
    ft_timer_stop(p->timer);
    ft_loop_undefer(p->o.loop, settle, p);
    ft_list_each(pos, tmp, &p->alive) {
        struct alive *a = ft_container(pos, struct alive, in);
        char id[9];

        snprintf(id, sizeof(id), "%s", ft_run_id(a->run));
        alive_free(a);
        ft_store_rest(p->o.store, id);
    }
    free(p->stubs);
    free(p->queue);
    free(p);
    return NULL;
}

void ft_parking_asked_to_end(struct ft_parking *p)
{
    struct ft_list *pos, *tmp;

    ft_list_each(pos, tmp, &p->alive)
        ft_run_asked_to_end(ft_container(pos, struct alive, in)->run);
}

void ft_parking_stop(struct ft_parking *p)
{
    p->stopping = true;
    ft_timer_stop(p->timer);
    p->timer = NULL;
    settle_soon(p);
}

int ft_parking_start(struct ft_parking *p, const struct ft_playbook *playbook, const json_t *params, const struct ft_run_opts *opts, char ret_id[9], struct ft_err *reterr)
{
    unsigned at_once = p->o.at_once ? p->o.at_once : AT_ONCE;
    struct alive *a;
    int r;

    if (p->stopping || p->alive_count >= at_once)
        return ft_err_class(reterr, FT_REFUSED, -EAGAIN, "%s: try again later", p->stopping ? "no run is started any more, because fettle is ending" : "as many runs live as may");
    a = alive_new(p, 0);
    r = ft_run_start(p->o.engine, playbook, params, opts, &observer, a, &a->run, reterr);
    if (r < 0)
        alive_free(a);
    else
        snprintf(ret_id, 9, "%s", ft_run_id(a->run));
    return r;
}

void ft_parking_count(const struct ft_parking *p, struct ft_parking_counts *ret)
{
    *ret = (struct ft_parking_counts){
        .parked = p->count, .waiting = p->queued, .alive = p->alive_count,
        .bytes = sizeof(*p) + p->room * sizeof(*p->stubs) + p->queue_room * sizeof(*p->queue) + p->alive_count * sizeof(struct alive),
    };
}
