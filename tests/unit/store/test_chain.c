/* What was changed in the file behind fettle's back is found. */
#include <sqlite3.h>
#include "fixture.h"
#include "store/internal.h"

static struct fixture fx;
static char one[9], two[9];

static void setup(void)
{
    fixture_new(&fx);
    new_run(fx.store, one);
    new_run(fx.store, two);
    for (int i = 0; i < 5; i++) {
        ft_store_append(fx.store, one, json_pack("{s:s, s:i}", "type", "step.done", "n", i), FT_RIDE, NULL, NULL, NULL);
        ft_store_append(fx.store, two, json_pack("{s:s, s:i}", "type", "step.done", "n", i), FT_RIDE, NULL, NULL, NULL);
    }
    cr_assert_eq(ft_store_verify(fx.store, NULL, NULL), 0);
}

static void teardown(void) { fixture_free(&fx); }
TestSuite(store_chain, .init = setup, .fini = teardown);

static void tamper(const char *sql)
{
    sqlite3 *db;

    cr_assert_eq(sqlite3_open(fx.path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
    cr_assert_gt(sqlite3_total_changes(db), 0, "%s changed nothing", sql);
    sqlite3_close(db);
}

Test(store_chain, finds_every_kind_of_change)
{
    static const struct { const char *sql, *says; } table[] = {
        { "UPDATE events SET text = replace(text, '\"n\":2', '\"n\":7') WHERE run = 1 AND seq = 3", "event 3" },
        { "DELETE FROM events WHERE run = 1 AND seq = 3", "event 3 is missing" },
        { "DELETE FROM events WHERE run = 1 AND seq = 1", "event 1 is missing" },
        { "UPDATE events SET seq = CASE seq WHEN 2 THEN -3 WHEN 3 THEN -2 END WHERE run = 1 AND seq IN (2, 3);"
          "UPDATE events SET seq = -seq WHERE seq < 0", "event 2" },
        { "UPDATE events SET hash = zeroblob(32) WHERE run = 1 AND seq = 4", "event 4" },
        { "UPDATE events SET hash = x'00' WHERE run = 1 AND seq = 4", "event 4" },
        { "UPDATE events SET run = 13 - run; UPDATE events SET run = run - 10", "event 1" },                                     /* one run's history given to another */
        { "INSERT INTO events SELECT run, 6, hash, text FROM events WHERE run = 1 AND seq = 5", "event 6" },
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct ft_err err = { 0 };
        int r;

        teardown();
        setup();
        tamper(table[i].sql);
        r = ft_store_verify(fx.store, one, &err);
        cr_expect_eq(r, -EBADMSG, "%s: %d", table[i].sql, r);
        cr_expect(strstr(err.text, table[i].says) && strstr(err.text, one), "%s: %s", table[i].sql, err.text);
        cr_expect_eq(ft_store_verify(fx.store, NULL, &err), -EBADMSG, "%s", table[i].sql);
    }
}

Test(store_chain, another_runs_history_is_not_touched_by_it)
{
    tamper("DELETE FROM events WHERE run = 1 AND seq = 3");
    cr_expect_eq(ft_store_verify(fx.store, two, NULL), 0);
    cr_expect_eq(ft_store_verify(fx.store, "00000000", NULL), -ENOENT);
}

Test(store_chain, a_changed_blob_is_not_given_out)
{
    struct ft_err err = { 0 };
    char digest[65], *bytes = NULL;
    size_t len;

    ft_store_blob_put(fx.store, "abc", 3, digest);
    cr_assert_eq(ft_store_blob_get(fx.store, digest, &bytes, &len, NULL), 0);
    free(bytes);
    tamper("UPDATE blobs SET bytes = 'abd'");
    cr_expect_eq(ft_store_blob_get(fx.store, digest, &bytes, &len, &err), -EBADMSG);
    cr_expect(strstr(err.text, digest), "%s", err.text);
}

/* ---- the text of an event */

Test(store_chain, events_are_encoded_as_json_has_it)
{
    static const char *const texts[] = {
        "{}", "[]", "{\"a\":[]}", "null", "[true,false,null]", "\"\"", "\"quote \\\" back \\\\ slash / \\b\\f\\n\\r\\t\"", "\"\\u0001\\u001f\\u007f\"",
        "\"grüße 漢字 🜁\"", "0", "-1", "9223372036854775807", "-9223372036854775808", "0.1", "-1e-300", "1.7976931348623157e308", "2.0",
        "{\"\":{\"\":\"\"}}", "[[[[[[1]]]]]]", "\"\\\"\"", "{\"key \\\" of \\n odd\":1}",
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        json_t *value = json_loads(texts[i], JSON_DECODE_ANY, NULL), *again;
        struct ft_buf text = FT_BUF_INIT(0);

        cr_assert_not_null(value, "%s", texts[i]);
        encode_json(&text, value);
        again = json_loads(ft_buf_str(&text), JSON_DECODE_ANY, NULL);
        cr_expect(again && json_equal(value, again), "%s became %s", texts[i], ft_buf_str(&text));
        json_decref(value);
        json_decref(again);
        ft_buf_done(&text);
    }
}

Test(store_chain, strings_are_encoded_whatever_their_length_and_the_room_left)
{
    for (size_t len = 0; len < 200; len++) {
        struct ft_buf text = FT_BUF_INIT(0);
        char *s = ft_calloc(1, len + 1);
        json_t *value, *again;

        memset(s, 'x', len);
        if (len > 3)
            s[len / 2] = '\n';
        value = json_pack("[s, s, s]", s, "tail", s);
        encode_json(&text, value);
        again = json_loads(ft_buf_str(&text), 0, NULL);
        cr_expect(again && json_equal(value, again), "length %zu: %s", len, ft_buf_str(&text));
        json_decref(value);
        json_decref(again);
        free(s);
        ft_buf_done(&text);
    }
}
