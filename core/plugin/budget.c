/* budget.c: at most so many calls an hour to one API, all runs of the process together. A bucket of a twentieth of the hour's number lets
 * short bursts through, and is filled by the rest of it; what does not fit waits in order. */
#include "plugin/internal.h"
#include "base/clock.h"

struct bucket {
    struct ft_list in_registry;
    struct ft_registry *registry;
    char *key;
    double tokens, size, per_us;
    uint64_t filled_us;
    struct ft_list waiting;
    struct ft_timer *timer;
};

static struct bucket *find(struct ft_registry *registry, const char *key)
{
    struct ft_list *pos, *tmp;

    ft_list_each(pos, tmp, &registry->budgets) {
        struct bucket *b = ft_container(pos, struct bucket, in_registry);

        if (ft_streq(b->key, key))
            return b;
    }
    return NULL;
}

static uint64_t now_us(const struct bucket *b)
{
    return ft_clock_mono_us(ft_loop_clock(b->registry->o.loop));
}

static struct bucket *bucket_new(struct ft_registry *registry, const char *key)
{
    struct bucket *b = ft_calloc(1, sizeof(*b));

    b->registry = registry;
    b->key = ft_strdup(key);
    ft_list_init(&b->waiting);
    ft_list_append(&registry->budgets, &b->in_registry);
    b->filled_us = now_us(b);
    return b;
}

static void serve(void *arg)
{
    struct bucket *b = arg;
    uint64_t now = now_us(b);

    b->timer = NULL;
    b->tokens = ft_min(b->size, b->tokens + (double)(now - b->filled_us) * b->per_us);
    b->filled_us = now;
    while (b->tokens >= 1 && !ft_list_empty(&b->waiting)) {
        struct waiter *w = ft_container(b->waiting.next, struct waiter, in_bucket);

        b->tokens -= 1;
        ft_list_remove(&w->in_bucket);
        w->bucket = NULL;
        w->go(w->arg);
    }
    if (!ft_list_empty(&b->waiting) && !b->timer)
        b->timer = ft_timer_start(b->registry->o.loop, (uint64_t)((1 - b->tokens) / b->per_us / 1000) + 1, serve, b);
}

void budget_wait(struct ft_registry *registry, const char *key, unsigned per_hour, struct waiter *waiter)
{
    struct bucket *b = find(registry, key);
    bool fresh = !b;

    if (!b)
        b = bucket_new(registry, key);
    b->size = ft_max(1.0, per_hour / 20.0);
    b->per_us = ft_max(per_hour - b->size, ft_max(per_hour, 1u) / 2.0) / 3600e6;
    if (fresh)
        b->tokens = b->size;
    waiter->bucket = b;
    ft_list_append(&b->waiting, &waiter->in_bucket);
    if (!b->timer)
        b->timer = ft_timer_start(registry->o.loop, 0, serve, b);
}

/* The timer goes with the last who waits, or it would keep the loop running for nobody. */
void budget_forget(struct waiter *waiter)
{
    struct bucket *b = waiter->bucket;

    if (!b)
        return;
    waiter->bucket = NULL;
    ft_list_remove(&waiter->in_bucket);
    if (!ft_list_empty(&b->waiting))
        return;
    ft_timer_stop(b->timer);
    b->timer = NULL;
}

void budgets_free(struct ft_registry *registry)
{
    struct ft_list *pos, *tmp;

    ft_list_each(pos, tmp, &registry->budgets) {
        struct bucket *b = ft_container(pos, struct bucket, in_registry);

        ft_timer_stop(b->timer);
        ft_list_remove(&b->in_registry);
        free(b->key);
        free(b);
    }
}
