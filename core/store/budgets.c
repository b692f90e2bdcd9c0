/* budgets.c: what was used of budgets: a row for each write and budget; where a write takes several, the others have a number behind its path. */
#include "store/internal.h"

#define KEPT_MS (400ll * 24 * 3600 * 1000)        /* no budget looks back further */

struct spending {
    const char *path;
    unsigned attempt;
    uint64_t now_ms;
    struct ft_spend *spends;
    size_t count;
    bool take, full;
};

static int64_t begin_of(const struct spending *s, const struct ft_spend *spend)
{
    return (int64_t)s->now_ms - (int64_t)spend->in_ms;
}

static int prepare(sqlite3 *db, const char *path, const char *sql, const struct ft_spend *spend, const struct spending *s, const char *run, sqlite3_stmt **ret,
                   struct ft_err *reterr)
{
    int r = db_prepare(db, path, sql, ret, reterr);

    if (r < 0)
        return r;
    sqlite3_bind_text(*ret, 1, spend->budget, -1, SQLITE_STATIC);
    sqlite3_bind_text(*ret, 2, spend->group, -1, SQLITE_STATIC);
    sqlite3_bind_int64(*ret, 3, begin_of(s, spend));
    sqlite3_bind_text(*ret, 4, run, -1, SQLITE_STATIC);
    sqlite3_bind_text(*ret, 5, spend->runs ? "" : s->path, -1, SQLITE_STATIC);
    sqlite3_bind_int64(*ret, 6, s->attempt);
    return 0;
}

static int number(sqlite3 *db, const char *path, sqlite3_stmt *stmt, int64_t *ret, struct ft_err *reterr)
{
    int step = sqlite3_step(stmt), r = 0;

    if (step == SQLITE_ROW)
        *ret = sqlite3_column_int64(stmt, 0);
    else if (step != SQLITE_DONE)
        r = db_error(db, path, "read", reterr);
    sqlite3_finalize(stmt);
    return r;
}

#define IN_TIME "FROM budgets WHERE budget = ?1 AND grp = ?2 AND at > ?3"
#define NOT_MINE " AND NOT (run = ?4 AND (path = ?5 OR substr(path, 1, length(?5) + 1) = ?5 || char(31) OR ?5 = '') AND (attempt = ?6 OR ?5 = ''))"

static unsigned taken(const struct ft_spend *spend)
{
    return spend->n ? spend->n : 1;
}

/* used and room_ms of one. */
static int look(sqlite3 *db, const char *path, const struct spending *s, struct ft_spend *spend, const char *run, struct ft_err *reterr)
{
    sqlite3_stmt *stmt;
    int64_t used = 0, at = 0;
    int r = prepare(db, path, spend->runs ? "SELECT count(DISTINCT run) " IN_TIME NOT_MINE : "SELECT count(*) " IN_TIME NOT_MINE, spend, s, run, &stmt, reterr);

    if (r == 0)
        r = number(db, path, stmt, &used, reterr);
    spend->used = (unsigned)used;
    spend->room_ms = 0;
    if (r < 0 || spend->used + taken(spend) <= spend->at_most)
        return r;
    if (taken(spend) > spend->at_most)
        return spend->room_ms = UINT64_MAX, 0;
    r = prepare(db, path, spend->runs ? "SELECT max(at) " IN_TIME NOT_MINE " GROUP BY run ORDER BY 1 LIMIT 1 OFFSET ?7" : "SELECT at " IN_TIME NOT_MINE " ORDER BY at LIMIT 1 OFFSET ?7",
                spend, s, run, &stmt, reterr);
    if (r < 0)
        return r;
    sqlite3_bind_int64(stmt, 7, (int64_t)spend->used + taken(spend) - spend->at_most - 1);
    r = number(db, path, stmt, &at, reterr);
    spend->room_ms = (uint64_t)at + spend->in_ms;
    return r;
}

static int look_at_all(sqlite3 *db, const char *path, struct spending *s, const char *run, struct ft_err *reterr)
{
    int r = 0;

    s->full = false;
    for (size_t i = 0; i < s->count && r == 0; i++) {
        r = look(db, path, s, &s->spends[i], run, reterr);
        s->full = s->full || s->spends[i].room_ms;
    }
    return r;
}

static int take(struct ft_store *store, const struct spending *s, const struct ft_spend *spend, const char *run, struct ft_err *reterr)
{
    const char *texts[] = { spend->budget, spend->group, run, s->path, NULL };
    int64_t numbers[] = { s->attempt, (int64_t)s->now_ms }, old = (int64_t)s->now_ms - KEPT_MS;
    int r = 0;

    for (unsigned i = 0; i < taken(spend) && r == 0; i++) {
        char *path = i ? ft_asprintf("%s\x1f%u", s->path, i) : NULL;

        texts[3] = path ? path : s->path;
        r = write_own(store, "INSERT INTO budgets (budget, grp, run, path, attempt, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
                             " ON CONFLICT DO UPDATE SET at = max(at, excluded.at)", texts, numbers, reterr);
        free(path);
    }
    texts[2] = NULL;
    if (r == 0)
        r = write_own(store, "DELETE FROM budgets WHERE budget = ?1 AND grp = ?2 AND at < ?3", texts, &old, reterr);
    return r;
}

/* On the writer's thread, in its transaction. */
static int spend_all(struct ft_store *store, struct op *op, struct ft_err *reterr)
{
    struct spending *s = op->arg;
    const char *run = op->texts[0];
    int r = look_at_all(store->db, store->path, s, run, reterr);

    for (size_t i = 0; i < s->count && r == 0 && !s->full; i++)
        r = take(store, s, &s->spends[i], run, reterr);
    return r;
}

int ft_store_spend(struct ft_store *store, const char *run_id, const char *path, unsigned attempt, uint64_t now_ms, struct ft_spend *spends, size_t count, bool take,
                   struct ft_err *reterr)
{
    struct spending s = { path, attempt, now_ms, spends, count, take, false };
    struct op *op;
    sqlite3 *db;
    int r;

    if (take) {
        op = store_op(spend_all, &run_id, 1, FT_COMMIT);
        op->arg = &s;
        r = store_stage_and_wait(store, op, NULL, reterr);
    } else {
        store_flush(store);
        db = reader(store, reterr);
        r = db ? look_at_all(db, store->path, &s, run_id, reterr) : -EIO;
    }
    return r == 0 && s.full ? -EDQUOT : r;
}
