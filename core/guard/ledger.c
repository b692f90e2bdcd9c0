/* ledger.c: what was used of budgets, in memory: the same rules as store/budgets.c, for where nothing is kept and for tests of a million steps. */
#include "guard/internal.h"

enum { BUCKETS = 4096 };

struct use { char *run, *path; unsigned attempt; uint64_t at; };
struct account { struct account *next; char *name; struct use *uses; size_t count, room; };
struct ledger { struct account *buckets[BUCKETS]; };

static struct account *account_of(struct ft_guard *guard, const struct ft_spend *spend)
{
    char *name = ft_asprintf("%s\n%s", spend->budget, spend->group);
    unsigned hash = 5381;
    struct account *a;

    if (!guard->ledger)
        guard->ledger = ft_calloc(1, sizeof(*guard->ledger));
    for (const char *c = name; *c; c++)
        hash = hash * 33 + (unsigned char)*c;
    for (a = guard->ledger->buckets[hash % BUCKETS]; a && !ft_streq(a->name, name); a = a->next)
        ;
    if (a) {
        free(name);
        return a;
    }
    a = ft_calloc(1, sizeof(*a));
    a->name = name;
    a->next = guard->ledger->buckets[hash % BUCKETS];
    return guard->ledger->buckets[hash % BUCKETS] = a;
}

static unsigned taken(const struct ft_spend *spend)
{
    return spend->n ? spend->n : 1;
}

/* A write that takes several has a number behind its path, but for the first. */
static bool is_mine(const struct use *use, const char *run, const char *path, unsigned attempt, bool whole_run)
{
    size_t len = strlen(path);

    return ft_streq(use->run, run) && (whole_run || (strncmp(use->path, path, len) == 0 && (!use->path[len] || use->path[len] == '\x1f') && use->attempt == attempt));
}

static void forget_old(struct account *a, uint64_t before)
{
    size_t kept = 0;

    for (size_t i = 0; i < a->count; i++) {
        if (a->uses[i].at > before) {
            a->uses[kept++] = a->uses[i];
        } else {
            free(a->uses[i].run);
            free(a->uses[i].path);
        }
    }
    a->count = kept;
}

static int by_time(const void *x, const void *y)
{
    const uint64_t *a = x, *b = y;

    return *a < *b ? -1 : *a > *b;
}

/* When a run did it last, among the uses up to `end`. */
static bool is_last_of_run(const struct account *a, size_t i)
{
    for (size_t j = 0; j < a->count; j++)
        if (j != i && ft_streq(a->uses[j].run, a->uses[i].run) && (a->uses[j].at > a->uses[i].at || (a->uses[j].at == a->uses[i].at && j > i)))
            return false;
    return true;
}

static void look(struct account *a, const char *run, const char *path, unsigned attempt, uint64_t now, struct ft_spend *spend)
{
    uint64_t *times = ft_calloc(a->count + 1, sizeof(*times)), begin = now > spend->in_ms ? now - spend->in_ms : 0;
    size_t n = 0;

    for (size_t i = 0; i < a->count; i++)
        if (a->uses[i].at > begin && !is_mine(&a->uses[i], run, path, attempt, spend->runs) && (!spend->runs || is_last_of_run(a, i)))
            times[n++] = a->uses[i].at;
    spend->used = (unsigned)n;
    spend->room_ms = 0;
    if (taken(spend) > spend->at_most) {
        spend->room_ms = UINT64_MAX;
    } else if (n + taken(spend) > spend->at_most) {
        qsort(times, n, sizeof(*times), by_time);
        spend->room_ms = times[n + taken(spend) - spend->at_most - 1] + spend->in_ms;
    }
    free(times);
}

static void take_one(struct account *a, const char *run, const char *path, unsigned attempt, uint64_t now)
{
    for (size_t i = 0; i < a->count; i++) {
        if (ft_streq(a->uses[i].run, run) && ft_streq(a->uses[i].path, path) && a->uses[i].attempt == attempt) {
            a->uses[i].at = ft_max(a->uses[i].at, now);
            return;
        }
    }
    if (a->count == a->room) {
        a->room = a->room ? a->room * 2 : 4;
        a->uses = ft_realloc(a->uses, a->room * sizeof(*a->uses));
    }
    a->uses[a->count++] = (struct use){ ft_strdup(run ? run : ""), ft_strdup(path ? path : ""), attempt, now };
}

int ledger_spend(struct ft_guard *guard, const char *run, const char *path, unsigned attempt, uint64_t now, struct ft_spend *spends, size_t count, bool take)
{
    bool full = false;

    run = run ? run : "";
    path = path ? path : "";
    for (size_t i = 0; i < count; i++) {
        look(account_of(guard, &spends[i]), run, path, attempt, now, &spends[i]);
        full = full || spends[i].room_ms;
    }
    for (size_t i = 0; i < count && take && !full; i++) {
        struct account *a = account_of(guard, &spends[i]);

        take_one(a, run, path, attempt, now);
        for (unsigned k = 1; k < taken(&spends[i]); k++) {
            char *more = ft_asprintf("%s\x1f%u", path, k);

            take_one(a, run, more, attempt, now);
            free(more);
        }
        forget_old(a, now > spends[i].in_ms ? now - spends[i].in_ms : 0);
    }
    return full ? -EDQUOT : 0;
}

void ledger_free(struct ledger *ledger)
{
    for (size_t i = 0; ledger && i < BUCKETS; i++) {
        for (struct account *a = ledger->buckets[i], *next; a; a = next) {
            next = a->next;
            forget_old(a, UINT64_MAX);
            free(a->uses);
            free(a->name);
            free(a);
        }
    }
    free(ledger);
}
