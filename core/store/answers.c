/* answers.c: what people answered, until the run that asked has taken it. */
#include "data/json.h"
#include "store/internal.h"

#define MAX_ANSWER (256u << 10)

enum { RUN, GATE, TEXT, TEXTS };

static int put(struct ft_store *store, struct op *op, struct ft_err *reterr)
{
    const char *texts[] = { op->texts[RUN], op->texts[GATE], op->texts[TEXT], NULL };
    int64_t numbers[] = { (int64_t)op->started_ms };
    int r = write_own(store, "INSERT INTO answers (run, gate, text, at, taken) VALUES (?1, ?2, ?3, ?4, 0)", texts, numbers, reterr);

    op->seq = r == 0 ? (uint64_t)sqlite3_last_insert_rowid(store->db) : 0;
    return r;
}

static int taken(struct ft_store *store, struct op *op, struct ft_err *reterr)
{
    int64_t numbers[] = { (int64_t)op->seq };

    return write_own(store, "UPDATE answers SET taken = 1 WHERE row = ?1", NULL, numbers, reterr);
}

static struct op *put_op(struct ft_store *store, const char *run_id, const char *gate, const json_t *answer, enum ft_durability durability, struct ft_err *reterr)
{
    struct ft_buf text = FT_BUF_INIT(MAX_ANSWER);
    struct op *op = NULL;

    encode_json(&text, answer);
    if (text.overflow) {
        ft_err_set(reterr, -EFBIG, "the answer is over %u KiB", MAX_ANSWER >> 10);
    } else {
        op = store_op(put, (const char *[]){ run_id, gate, ft_buf_str(&text) }, TEXTS, durability);
        op->started_ms = ft_clock_wall_ms(ft_loop_clock(store->loop));
    }
    ft_buf_done(&text);
    return op;
}

int ft_answer_put(struct ft_store *store, const char *run_id, const char *gate, const json_t *answer, uint64_t *ret_row, struct ft_err *reterr)
{
    struct op *op = put_op(store, run_id, gate, answer, FT_DURABLE, reterr);

    return op ? store_stage_and_wait(store, op, ret_row, reterr) : -EFBIG;
}

void ft_answer_note(struct ft_store *store, const char *run_id, const char *gate, const json_t *answer)
{
    struct op *op = put_op(store, run_id, gate, answer, FT_RIDE, NULL);

    if (op)
        store_stage_behind(store, op, run_id);
}

void ft_answer_taken(struct ft_store *store, const char *run_id, uint64_t row)
{
    struct op *op = store_op(taken, NULL, 0, FT_RIDE);

    op->seq = row;
    store_stage_behind(store, op, run_id);
}

static int read_row(sqlite3_stmt *stmt, json_t *list, struct ft_err *reterr)
{
    json_t *answer = NULL;
    const char *text = (const char *)sqlite3_column_text(stmt, 4);
    int r = ft_json_parse(text ? text : "", (size_t)sqlite3_column_bytes(stmt, 4), 0, &answer, reterr);

    if (r < 0)
        return ft_err_in(reterr, "answer %lld in the store", (long long)sqlite3_column_int64(stmt, 0));
    json_array_append_new(list, json_pack("{s:I, s:s, s:s, s:I, s:b, s:o}", "row", (json_int_t)sqlite3_column_int64(stmt, 0), "run", sqlite3_column_text(stmt, 1),
                                          "gate", sqlite3_column_text(stmt, 2), "at", (json_int_t)sqlite3_column_int64(stmt, 3),
                                          "taken", sqlite3_column_int(stmt, 5), "answer", answer));
    return 0;
}

int ft_answers(struct ft_store *store, const char *run_id, const char *gate, bool taken_too, json_t **ret, struct ft_err *reterr)
{
    json_t *list;
    sqlite3_stmt *stmt;
    sqlite3 *db;
    int r, step;

    r = read_query_kept(store, run_id ? "SELECT row, run, gate, at, text, taken FROM answers WHERE run = ?1 AND (?2 IS NULL OR gate = ?2) AND (?3 OR NOT taken) ORDER BY row"
                                      : "SELECT row, run, gate, at, text, taken FROM answers WHERE (?2 IS NULL OR gate = ?2) AND (?3 OR NOT taken) ORDER BY row",
                        &db, &stmt, reterr);
    if (r < 0)
        return r;
    list = json_array();
    if (run_id)
        sqlite3_bind_text(stmt, 1, run_id, -1, SQLITE_STATIC);
    if (gate)
        sqlite3_bind_text(stmt, 2, gate, -1, SQLITE_STATIC);
    sqlite3_bind_int(stmt, 3, taken_too);
    while ((step = sqlite3_step(stmt)) == SQLITE_ROW && r == 0)
        r = read_row(stmt, list, reterr);
    if (r < 0)
        read_end(store, stmt);
    else
        r = read_over(store, db, stmt, step, reterr);
    if (r < 0)
        json_decref(list);
    else
        *ret = list;
    return r;
}

bool ft_store_changed(struct ft_store *store, int64_t *since)
{
    sqlite3_stmt *stmt;
    sqlite3 *db;
    int64_t now = -1;

    if (read_query_kept(store, "PRAGMA data_version", &db, &stmt, NULL) < 0)
        return true;                         /* whoever reads then is told why it cannot be read */
    if (sqlite3_step(stmt) == SQLITE_ROW)
        now = sqlite3_column_int64(stmt, 0) * 2 + (db == store->reader);      /* each connection counts for itself */
    read_end(store, stmt);
    if (now == *since)
        return false;
    *since = now;
    return true;
}
