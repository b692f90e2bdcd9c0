/* parked.c: the runs that are not over, as rows: who holds them, and when they want to be looked at again. */
#include "store/internal.h"

static int put_wake(struct ft_store *store, struct op *op, struct ft_err *reterr)
{
    int64_t numbers[] = { (int64_t)op->seq };

    return write_own(store, "UPDATE runs SET wake = ?2 WHERE id = ?1", op->texts, numbers, reterr);
}

void ft_store_wake_at(struct ft_store *store, const char *id, uint64_t wake_ms)
{
    struct op *op = store_op(put_wake, &id, 1, FT_RIDE);

    op->seq = wake_ms < INT64_MAX ? wake_ms : INT64_MAX;
    store_stage(store, op);
}

static int put_rest(struct ft_store *store, struct op *op, struct ft_err *reterr)
{
    return write_own(store, "UPDATE runs SET owner = '' WHERE id = ?1 AND owner = ?2", op->texts, NULL, reterr);
}

void ft_store_rest(struct ft_store *store, const char *id)
{
    const char *texts[] = { id, owner_self() };

    store_stage(store, store_op(put_rest, texts, ARRAY_LEN(texts), FT_RIDE));
    store_chain_rests(store, id);
}

/* Thousands of rows have the same owner: it is looked for once. */
struct known_owner { char text[128]; bool alive; };

static bool is_alive(struct known_owner *known, const char *owner)
{
    if (!*owner)
        return false;
    if (!ft_streq(known->text, owner)) {
        snprintf(known->text, sizeof(known->text), "%s", owner);
        known->alive = owner_alive(owner);
    }
    return known->alive;
}

int ft_store_open_runs(struct ft_store *store, void (*fn)(void *arg, const struct ft_open_run *run), void *arg, struct ft_err *reterr)
{
    struct known_owner known = { 0 };
    sqlite3_stmt *stmt;
    sqlite3 *db;
    int r, step;

    store_flush(store);
    r = read_query(store, "SELECT id, status = 'parked', owner, wake FROM runs WHERE status IN ('running', 'parked') AND mode = 'run'", &db,
                   &stmt, reterr);
    if (r < 0)
        return r;
    while ((step = sqlite3_step(stmt)) == SQLITE_ROW) {
        const char *id = (const char *)sqlite3_column_text(stmt, 0), *owner = (const char *)sqlite3_column_text(stmt, 2);
        struct ft_open_run run = { .parked = sqlite3_column_int(stmt, 1), .wake_ms = (uint64_t)sqlite3_column_int64(stmt, 3) };

        snprintf(run.id, sizeof(run.id), "%s", id ? id : "");
        run.held = is_alive(&known, owner ? owner : "");
        run.ours = run.held && ft_streq(owner, owner_self());
        fn(arg, &run);
    }
    return read_over(store, db, stmt, step, reterr);
}
