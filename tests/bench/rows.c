/* rows.c: a bare loop that commits as many rows to SQLite in groups of the same size: the reference for transitions.c.
 * Usage: rows FILE ROWS GROUP BYTES. WAL, synchronous FULL; rows are appended, and found by run and number through an index, as the journal's are.
 * Prints {"rows", "commits", "seconds"}. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    sqlite3 *db;
    sqlite3_stmt *insert;
    long rows, group, bytes, commits = 0;
    char *text;

    if (argc != 5)
        return 2;
    rows = atol(argv[2]);
    group = atol(argv[3]) > 0 ? atol(argv[3]) : 1;
    bytes = atol(argv[4]);
    text = malloc((size_t)bytes + 1);
    if (!text || sqlite3_open(argv[1], &db) != SQLITE_OK)
        return 1;
    memset(text, 'x', (size_t)bytes);
    text[bytes] = '\0';
    sqlite3_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE e (run TEXT, seq INTEGER, body TEXT);"
                     " CREATE UNIQUE INDEX i ON e (run, seq)", NULL, NULL, NULL);
    sqlite3_prepare_v2(db, "INSERT INTO e VALUES (?, ?, ?)", -1, &insert, NULL);
    double t0 = now();

    for (long i = 0; i < rows;) {
        sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
        for (long k = 0; k < group && i < rows; k++, i++) {
            char run[16];

            snprintf(run, sizeof(run), "%08ld", i % 256);
            sqlite3_bind_text(insert, 1, run, -1, SQLITE_TRANSIENT);
            sqlite3_bind_int64(insert, 2, i);
            sqlite3_bind_text(insert, 3, text, -1, SQLITE_STATIC);
            if (sqlite3_step(insert) != SQLITE_DONE)
                return 1;
            sqlite3_reset(insert);
        }
        if (sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
            return 1;
        commits++;
    }
    printf("{\"rows\": %ld, \"commits\": %ld, \"seconds\": %.6f}\n", rows, commits, now() - t0);
    sqlite3_finalize(insert);
    sqlite3_close(db);
    free(text);
    return 0;
}
