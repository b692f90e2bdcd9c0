/* plans.c: plans that are kept, by their digest. What a plan is, and whether it is still what was written, run/plan.c knows. */
#include "base/digest.h"
#include "data/json.h"
#include "store/internal.h"

enum { DIGEST, RUN, TEXT, TEXTS };

/* The same plan made again is as young as its newest making. */
static int put(struct ft_store *store, struct op *op, struct ft_err *reterr)
{
    int64_t numbers[] = { (int64_t)op->started_ms };

    seal_plan(store, op->texts[DIGEST]);
    return write_own(store, "INSERT INTO plans (digest, run, text, at) VALUES (?1, ?2, packed(?3), ?4)"
                            " ON CONFLICT (digest) DO UPDATE SET run = excluded.run, text = excluded.text, at = excluded.at",
                     op->texts, numbers, reterr);
}

void ft_store_plan_put(struct ft_store *store, const char *digest, const char *run_id, const char *text)
{
    struct op *op = store_op(put, (const char *[]){ digest, run_id, text }, TEXTS, FT_RIDE);

    op->started_ms = ft_clock_wall_ms(ft_loop_clock(store->loop));
    store_stage(store, op);
}

static int ambiguous(const char *prefix, sqlite3_stmt *stmt, const char *first, struct ft_err *reterr)
{
    return ft_err_set(reterr, -EEXIST, "'%s' may be plan %.16s or plan %.16s, and perhaps others; say more of it", prefix, first,
                      (const char *)sqlite3_column_text(stmt, 0));
}

int ft_store_plan_get(struct ft_store *store, const char *prefix, uint64_t *ret_at, char **ret_text, struct ft_err *reterr)
{
    size_t len = strlen(prefix);
    sqlite3_stmt *stmt;
    sqlite3 *db;
    char first[FT_DIGEST_HEX] = "";
    int r, step;

    if (len < 4 || len >= FT_DIGEST_HEX || strspn(prefix, "0123456789abcdef") != len)
        return ft_err_set(reterr, -EINVAL, "'%s' names no plan: at least 4 digits of its digest, as `fettle plan` shows it", prefix);
    store_flush(store);
    r = read_query(store, "SELECT digest, at, plain(text) FROM plans WHERE digest >= ?1 AND digest < ?1 || 'g' ORDER BY digest LIMIT 2",
                   &db, &stmt, reterr);
    if (r < 0)
        return r;
    sqlite3_bind_text(stmt, 1, prefix, -1, SQLITE_STATIC);
    *ret_text = NULL;
    while (r == 0 && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (*ret_text) {
            r = ambiguous(prefix, stmt, first, reterr);
        } else {
            snprintf(first, sizeof(first), "%s", (const char *)sqlite3_column_text(stmt, 0));
            *ret_at = (uint64_t)sqlite3_column_int64(stmt, 1);
            *ret_text = ft_strndup((const char *)sqlite3_column_text(stmt, 2), (size_t)sqlite3_column_bytes(stmt, 2));
        }
    }
    if (r == 0)
        r = read_over(store, db, stmt, step, reterr);
    else
        sqlite3_finalize(stmt);
    if (r == 0 && !*ret_text)
        r = ft_err_set(reterr, -ENOENT, "there is no plan '%s' in the store '%s'; `fettle plan` makes one", prefix, store->path);
    if (r == 0 && !**ret_text)
        r = ft_err_set(reterr, -ENODATA, "the text of plan %.12s was deleted with what is personal in its run; plan again", first);
    if (r == 0 && ft_streq(*ret_text, PACK_DAMAGED))
        r = ft_err_set(reterr, -EBADMSG, "plan %.12s in the store '%s' is not what was written: it was altered since, or the file is damaged; plan again",
                       first, store->path);
    if (r < 0) {
        free(*ret_text);
        *ret_text = NULL;
    }
    return r;
}
