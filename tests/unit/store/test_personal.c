/* What is personal lies apart from the events, comes back to the byte, and can be deleted; the proof holds all the time. */
#include <sqlite3.h>
#include "base/digest.h"
#include "fixture.h"
#include "store/audit.h"
#include "store/internal.h"
#include "store/retain.h"

static struct fixture fx;
static void setup(void) { fixture_new(&fx); }
static void teardown(void) { fixture_free(&fx); }
TestSuite(store_personal, .init = setup, .fini = teardown);

static void expect_whole(const char *when)
{
    struct ft_err err = { 0 };
    json_t *report = NULL;
    char *text;

    cr_assert_eq(ft_store_audit(fx.store, NULL, NULL, &report, &err), 0, "%s: %s", when, err.text);
    text = json_dumps(report, 0);
    cr_expect(ft_json_bool(report, "ok", false), "%s: %s", when, text);
    free(text);
    json_decref(report);
}

/* How often the bytes stand in the store's files. */
static unsigned in_files(const char *needle)
{
    static const char *const suffixes[] = { "", "-wal", "-shm" };
    unsigned count = 0;

    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        char *name = ft_asprintf("%s%s", fx.path, suffixes[i]), *bytes = NULL;
        FILE *f = fopen(name, "r");
        size_t size = 0;

        for (size_t n = 1; f && n; size += n) {
            bytes = ft_realloc(bytes, size + 65536);
            n = fread(bytes + size, 1, 65536, f);
        }
        for (char *at = bytes; at && (at = memmem(at, size - (size_t)(at - bytes), needle, strlen(needle))); at++)
            count++;
        if (f)
            fclose(f);
        free(bytes);
        free(name);
    }
    return count;
}

/* As it lies in the file. */
static char *stored(const char *sql)
{
    sqlite3_stmt *stmt;
    sqlite3 *db;
    char *text;

    cr_assert_eq(sqlite3_open(fx.path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
    cr_assert_eq(sqlite3_step(stmt), SQLITE_ROW, "%s", sql);
    text = ft_strdup((const char *)sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return text;
}

static json_t *one_event(const char *id)
{
    json_t *events = events_of(&fx, id), *event = json_incref(json_array_get(events, json_array_size(events) - 1));

    json_decref(events);
    json_object_del(event, "seq");
    json_object_del(event, "at");
    json_object_del(event, "seal");
    return event;
}

/* Commitments are random: by chance one has the digits that are looked for. */
static void drop_commitments(char *text)
{
    for (char *at = text; (at = strchr(at, '=')) != NULL; at++)
        if (strspn(at + 1, "0123456789abcdef") == 64)
            memmove(at + 1, at + 65, strlen(at + 65) + 1);
}

/* Every text that is no address stays as it is; every one that is is gone from the events, and comes back. */
Test(store_personal, addresses_in_every_notation)
{
    static const struct { const char *text; int values; } table[] = {
        { "a4:83:e7:12:34:56", 1 }, { "A4-83-E7-12-34-56", 1 }, { "a483.e712.3456", 1 }, { "a483e7123456", 1 }, { "a483e7-123456", 1 }, { "a483-e712-3456", 1 },
        { "client a4:83:e7:12:34:56 roamed from a4:83:e7:12:34:57, then left", 2 }, { "/api/clients/a4%3A83%3Ae7%3A12%3A34%3A56/x?y=%2Fa483e7123456", 2 },
        { "mac=a4:83:e7:12:34:56;", 1 }, { "(a483e7123456)", 1 }, { "client/a4:83:e7:12:34:56", 1 }, { "mac_a483e7123456", 1 },
        { "quote \" a4:83:e7:12:34:56 \\ back\n", 1 },
        /* as DHCP clients name themselves: with the hardware's type in front, in a DUID; as an EUI-64 */
        { "01:a4:83:e7:12:34:56", 1 }, { "01a4.83e7.1234.56", 1 }, { "01a483e7123456", 1 }, { "01-a4-83-e7-12-34-56, then", 1 }, { "a4:83:e7:ff:fe:12:34:56", 1 },
        { "00:01:00:01:2c:5f:1a:77:a4:83:e7:12:34:56", 1 }, { "0001.0001.2c5f.1a77.a483.e712.3456", 1 }, { "duid=01%3Aa4%3A83%3Ae7%3A12%3A34%3A56&x", 1 },
        { "2026.1126.0213", 1 }, { "a483.e712", 0 }, { "02a483e7123456", 0 }, { "a483.e712.3456.7", 1 },
        { "9777c1a0-6ef6-11e6-8bbf-02e208b2d34f", 0 }, { "a4:83:e7:12:34", 0 }, { "a4:83:e7:12:34:5", 0 }, { "xa4:83:e7:12:34:56", 0 }, { "a4:83-e7:12:34:56", 0 },
        { "a483e71234567", 0 }, { "da39a3ee5e6b4b0d3255bfef95601890afd80709", 0 }, { "2026-11-26T02:13:05", 0 }, { "fe80::1", 0 }, { "", 0 },
        { "\\ue0001;", 0 }, { "\\\\ue0001=;", 0 }, { "\xee\x80\x80" "1;", 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        json_t *event = json_pack("{s:s, s:s, s:{s:[s]}}", "type", "step.done", "seen", table[i].text, "result", "deep", table[i].text), *back;
        char id[9], *text, *count;

        new_run(fx.store, id);
        cr_assert_eq(append_now(&fx, id, json_deep_copy(event), FT_COMMIT), 0);
        back = one_event(id);
        cr_expect(json_equal(event, back), "'%s' came back as '%s'", table[i].text, ft_json_str(back, "seen"));
        text = stored("SELECT text FROM events ORDER BY rowid DESC LIMIT 1");
        count = stored("SELECT count(*) FROM personal WHERE run = (SELECT max(row) FROM runs)");
        /* one is the parameter's, which the text may name again */
        cr_expect_eq(atoi(count), 1 + table[i].values - (table[i].values && strstr(table[i].text, "a4:83:e7:12:34:56") && !strstr(table[i].text, ":a4:83:e7:12")), "'%s': %s", table[i].text, count);
        drop_commitments(text);
        if (table[i].values)
            cr_expect(!strcasestr(text, "e7:12") && !strcasestr(text, "e712") && !strcasestr(text, "e7-12") && !strstr(text, "e7%3A"), "'%s' lies in %s", table[i].text, text);
        free(text);
        free(count);
        json_decref(back);
        json_decref(event);
    }
    expect_whole("all notations");
}

Test(store_personal, names_of_users_and_those_who_act)
{
    char id[9], *text;
    json_t *event = json_pack("{s:s, s:s, s:s, s:{s:s, s:s, s:[{s:s}]}, s:s}", "type", "step.done", "seen", "Alice.Smith is known, alice.smith2 is not", "by", "Alice.Smith",
                              "result", "user_name", "Alice.Smith", "note", "by Alice.Smith.", "sessions", "username", "Bob B.", "last", "Bob B. and bob");
    json_t *back;

    new_run(fx.store, id);
    cr_assert_eq(append_now(&fx, id, json_deep_copy(event), FT_COMMIT), 0);
    back = one_event(id);
    cr_expect(json_equal(event, back));
    json_decref(back);
    text = stored("SELECT text FROM events ORDER BY rowid DESC LIMIT 1");
    cr_expect(strstr(text, "\"by\":\"Alice.Smith\""), "who acts is part of the record: %s", text);
    cr_expect_null(strstr(strstr(text, "\"by\"") + 20, "Alice.Smith"), "%s", text);
    cr_expect_null(strstr(text, "Bob B."), "%s", text);
    cr_expect(strstr(text, "alice.smith2") && strstr(text, " and bob"), "%s", text);
    free(text);
    fixture_reopen(&fx);
    cr_assert_eq(append_now(&fx, id, json_pack("{s:s, s:s}", "type", "later", "seen", "Alice.Smith again"), FT_COMMIT), 0);
    text = stored("SELECT text FROM events ORDER BY rowid DESC LIMIT 1");
    cr_expect_null(strstr(text, "Alice"), "known from the process before: %s", text);
    free(text);
    json_decref(event);
    expect_whole("names");
}

/* Whoever asks for an address to be forgotten means all that has it. */
Test(store_personal, an_address_is_forgotten_in_every_identifier_that_has_it)
{
    static const char *const texts[] = {
        "a4:83:e7:12:34:56", "A4-83-E7-12-34-56", "a483.e712.3456", "a483e7123456", "01:a4:83:e7:12:34:56", "01a4.83e7.1234.56", "01a483e7123456",
        "00:01:00:01:2c:5f:1a:77:a4:83:e7:12:34:56", "a4:83:e7:ff:fe:12:34:56", "01%3Aa4%3A83%3Ae7%3A12%3A34%3A56",
    };
    json_t *seen = json_array();
    struct ft_retained done;
    struct ft_err err = { 0 };
    char id[9], *text;

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        json_array_append_new(seen, json_sprintf("of client %s", texts[i]));
    json_array_append_new(seen, json_string("of client 01:a4:83:e7:12:34:99"));
    new_run(fx.store, id);
    cr_assert_eq(append_now(&fx, id, json_pack("{s:s, s:o}", "type", "step.done", "seen", seen), FT_COMMIT), 0);
    put_run(fx.store, id, "finished");
    cr_assert_eq(ft_store_retain(fx.store, &(struct ft_retain){ .value = "A483.E712.3456", .who = "root", .why = "asked for" }, &done, &err), 0, "%s", err.text);
    cr_expect_eq(done.values, ARRAY_LEN(texts), "%u", done.values);
    cr_expect_eq(ft_store_retain(fx.store, &(struct ft_retain){ .value = "a4:83:e7:12:34:99", .who = "root", .why = "A483E7123499 asked" }, &done, &err), -EINVAL, "%s", err.text);
    cr_expect_eq(in_files("12:34:56") + in_files("1234.56") + in_files("e7123456") + in_files("12-34-56"), 0);
    text = stored("SELECT group_concat(value) FROM personal");
    cr_expect_str_eq(text, "01:a4:83:e7:12:34:99");
    free(text);
    expect_whole("after");
}

static void run_with_plan(char id[9], const char *digest, const char *plan)
{
    new_run(fx.store, id);
    cr_assert_eq(append_now(&fx, id, json_pack("{s:s, s:s}", "type", "run.started", "site", "HQ"), FT_COMMIT), 0);
    put_run(fx.store, id, "finished");
    ft_store_plan_put(fx.store, digest, id, plan);
    store_flush(fx.store);
}

static int plan_there(const char *digest)
{
    struct ft_err err = { 0 };
    char *text = NULL;
    uint64_t at;
    int r = ft_store_plan_get(fx.store, digest, &at, &text, &err);

    free(text);
    return r;
}

/* A plan's states may name somebody whom no event names: it goes with its run all the same, by age or by that name. */
Test(store_personal, what_only_a_plan_names_is_forgotten_with_its_run)
{
    static const char a[] = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae", b[] = "fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9",
                      c[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    struct ft_retained done;
    char id[9];

    run_with_plan(id, a, "{\"before\":{\"username\":\"CORP\\\\dave\"}}");
    run_with_plan(id, b, "{\"before\":{\"cid\":\"01a4.83e7.9934.56\"}}");
    run_with_plan(id, c, "{\"before\":{\"username\":\"daves\"}}");
    cr_assert_eq(ft_store_retain(fx.store, &(struct ft_retain){ .value = "Dave", .who = "root", .why = "asked for" }, &done, NULL), 0);
    cr_expect(done.runs == 1 && plan_there(a) == -ENODATA && plan_there(b) == 0 && plan_there(c) == 0, "%u", done.runs);
    cr_assert_eq(ft_store_retain(fx.store, &(struct ft_retain){ .value = "a4:83:e7:99:34:56", .who = "root", .why = "asked for" }, &done, NULL), 0);
    cr_expect(done.runs == 1 && plan_there(b) == -ENODATA && plan_there(c) == 0, "%u", done.runs);
    expect_whole("by value");
    ft_clock_advance(fx.clock, 86400ull * 1000000 * 100);
    cr_assert_eq(ft_store_retain(fx.store, &(struct ft_retain){ .before_ms = ft_clock_wall_ms(fx.clock) - 86400000, .who = "root", .why = "90 days" }, &done, NULL), 0);
    cr_expect(done.runs == 3 && plan_there(c) == -ENODATA, "%u", done.runs);
    cr_assert_eq(ft_store_retain(fx.store, &(struct ft_retain){ .who = "root", .why = "again" }, &done, NULL), 0);
    cr_expect_eq(done.runs, 0, "nothing is left of them");
    expect_whole("by age");
}

/* One write may have taken of several accounts of one budget, one for each client. */
Test(store_personal, what_was_used_of_budgets_names_nobody)
{
    struct ft_spend two[] = { { .budget = "b", .group = "client/a4:83:e7:cc:00:01", .at_most = 9, .in_ms = 1000 }, { .budget = "b", .group = "client/a4:83:e7:cc:00:02", .at_most = 9, .in_ms = 1000 } };
    struct ft_retained done;
    struct ft_err err = { 0 };
    char id[9];

    new_run(fx.store, id);
    cr_assert_eq(append_now(&fx, id, json_pack("{s:s}", "type", "run.started"), FT_COMMIT), 0);
    cr_assert_eq(ft_store_spend(fx.store, id, "w", 1, ft_clock_wall_ms(fx.clock), two, 2, true, &err), 0, "%s", err.text);
    put_run(fx.store, id, "finished");
    cr_assert_eq(ft_store_retain(fx.store, &(struct ft_retain){ .who = "root", .why = "test" }, &done, &err), 0, "%s", err.text);
    cr_expect_eq(in_files("a4:83:e7:cc:00:0"), 0);
    cr_assert_eq(ft_store_retain(fx.store, &(struct ft_retain){ .who = "root", .why = "again" }, &done, &err), 0, "%s", err.text);
    cr_expect_eq(done.runs, 0);
}

/* A broken glass that nobody has looked at yet is no private matter of the one who broke it. */
Test(store_personal, what_must_be_reviewed_outlives_what_is_forgotten)
{
    json_t *answer = json_pack("{s:s}", "by", "mallory"), *left = NULL;
    struct ft_retained done;
    uint64_t row;
    char id[9];

    new_run(fx.store, id);
    cr_assert_eq(append_now(&fx, id, json_pack("{s:s, s:s}", "type", "run.started", "user", "carol"), FT_COMMIT), 0);
    cr_assert_eq(ft_answer_put(fx.store, id, "review", answer, &row, NULL), 0);
    cr_assert_eq(ft_answer_put(fx.store, id, "gate", answer, NULL, NULL), 0);
    put_run(fx.store, id, "finished");
    cr_assert_eq(ft_store_retain(fx.store, &(struct ft_retain){ .who = "root", .why = "test" }, &done, NULL), 0);
    cr_assert_eq(ft_answers(fx.store, id, NULL, true, &left, NULL), 0);
    cr_expect_eq(json_array_size(left), 1);
    cr_expect_str_eq(ft_json_str(json_array_get(left, 0), "gate"), "review");
    json_decref(left);
    ft_answer_taken(fx.store, id, row);
    cr_assert_eq(ft_store_retain(fx.store, &(struct ft_retain){ .who = "root", .why = "test" }, &done, NULL), 0);
    cr_assert_eq(ft_answers(fx.store, id, NULL, true, &left, NULL), 0);
    cr_expect_eq(json_array_size(left), 0, "reviewed, and over");
    json_decref(left);
    json_decref(answer);
}

/* The same user, as other systems write it. */
Test(store_personal, a_name_in_other_words)
{
    char id[9], *text;
    json_t *back, *event = json_pack("{s:s, s:{s:s, s:s, s:[s, s], s:s}, s:s, s:s}", "type", "step.done", "result", "User-Name", "alice.smith", "outer_identity", "anon7",
                                     "users", "dave", "erin", "note", "CORP\\Alice.Smith or alice.smith@corp.example.", "seen", "ALICE.SMITH and ANON7; dave erin, daves",
                                     "body", "{\"u\":\"CORP\\\\alice.smith\"}");

    new_run(fx.store, id);
    cr_assert_eq(append_now(&fx, id, json_deep_copy(event), FT_COMMIT), 0);
    back = one_event(id);
    cr_expect(json_equal(event, back), "it comes back as it was");
    json_decref(back);
    text = stored("SELECT text FROM events ORDER BY rowid DESC LIMIT 1");
    cr_expect(!strcasestr(text, "smith") && !strcasestr(text, "anon7") && !strstr(text, "dave ") && !strstr(text, "erin") && strstr(text, "daves"), "%s", text);
    free(text);
    json_decref(event);
    expect_whole("other words");
}

Test(store_personal, large_results_and_rows_of_runs)
{
    json_t *list = json_array(), *event, *back;
    struct ft_run_info info = { .playbook = "p", .digest = "d", .mode = "run", .status = "finished", .outcome = "ok", .started_ms = 1, .ended_ms = 2,
                                .summary = "a4:83:e7:00:00:01 is back", .params = json_pack("{s:s}", "client", "a4:83:e7:00:00:01") };
    char id[9], *text;

    for (int i = 0; i < 3000; i++) {
        char *mac = ft_asprintf("a4:83:e7:00:%02x:%02x", i / 256, i % 256);

        json_array_append_new(list, json_pack("{s:s, s:i}", "mac", mac, "rssi", -i));
        free(mac);
    }
    event = json_pack("{s:s, s:s, s:o}", "type", "step.done", "seen", "3000 clients, a4:83:e7:00:00:01 first", "result", list);
    new_run(fx.store, id);
    cr_assert_eq(append_now(&fx, id, json_deep_copy(event), FT_COMMIT), 0);
    cr_assert_eq(append_now(&fx, id, json_deep_copy(event), FT_COMMIT), 0);
    back = one_event(id);
    cr_expect(json_equal(event, back));
    json_decref(back);
    info.id = id;
    ft_store_run_put(fx.store, &info);
    expect_whole("large");
    text = stored("SELECT params || summary FROM runs ORDER BY row DESC LIMIT 1");
    cr_expect_null(strstr(text, "a4:83"), "%s", text);
    free(text);
    json_decref((json_t *)info.params);
    json_decref(event);
}

static void show_first(void *arg, const struct ft_run_info *info)
{
    char **ret = arg;

    if (!*ret)
        *ret = ft_asprintf("%s | %s", info->summary, ft_json_str(info->params, "client"));
}

static void a_run_of_the_past(char id[9], const char *mac)
{
    struct ft_run_info info = { .playbook = "p", .digest = "d", .mode = "run", .status = "running", .outcome = "", .started_ms = ft_clock_wall_ms(fx.clock),
                                .summary = "", .params = json_pack("{s:s, s:s}", "client", mac, "user", "carol") };
    const char *key[] = { "client/" };
    json_t *locks = json_pack("[s+]", key[0], mac);
    char *title = ft_asprintf("%s has no address", mac), *large = ft_calloc(1, 70001), digest[65];

    memset(large, 'x', 70000);
    large[0] = mac[16];                   /* or both runs would name the same text */
    large[1000] = ' ';
    memcpy(large + 1001, mac, strlen(mac));
    large[1001 + strlen(mac)] = ' ';
    ft_store_new_id(fx.store, id);
    info.id = id;
    cr_assert_eq(ft_store_lock(fx.store, id, locks, mac, NULL, NULL), 0);
    ft_store_run_put(fx.store, &info);
    ft_store_append(fx.store, id, json_pack("{s:s, s:O, s:O}", "type", "run.started", "params", info.params, "locks", locks), FT_RIDE, NULL, NULL, NULL);
    cr_assert_eq(append_now(&fx, id, json_pack("{s:s, s:{s:s, s:s}}", "type", "step.done", "result", "text", large, "who", "carol"), FT_DURABLE), 0);
    ft_sha256_hex(mac, strlen(mac), digest);
    ft_store_plan_put(fx.store, digest, id, title);
    info.status = "finished";
    info.ended_ms = ft_clock_wall_ms(fx.clock);
    info.summary = title;
    ft_store_run_put(fx.store, &info);
    ft_store_unlock(fx.store, id);
    cr_assert_eq(append_now(&fx, id, json_pack("{s:s, s:s}", "type", "run.finished", "diagnosis", title), FT_DURABLE), 0);
    json_decref((json_t *)info.params);
    json_decref(locks);
    free(title);
    free(large);
}

/* Another process reads while something is forgotten: its bytes stay in the log, and go with the first write after it has ended, of whatever process. */
Test(store_personal, the_log_is_emptied_later_where_it_could_not_be_at_once)
{
    struct ft_retained done;
    char id[9], *text;
    sqlite3 *db;

    db_busy_ms = 100;
    a_run_of_the_past(id, "a4:83:e7:ee:00:01");
    cr_assert_eq(sqlite3_open(fx.path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, "BEGIN; SELECT * FROM events", NULL, NULL, NULL), SQLITE_OK);
    cr_assert_eq(ft_store_retain(fx.store, &(struct ft_retain){ .who = "root", .why = "test" }, &done, NULL), 0);
    cr_expect(done.in_log && in_files("a4:83:e7:ee:00:01") > 0, "the log could not be emptied, so the test tests");
    sqlite3_close(db);
    fixture_reopen(&fx);
    new_run(fx.store, id);
    cr_assert_eq(append_now(&fx, id, event_of("run.started"), FT_COMMIT), 0);
    cr_expect_eq(in_files("a4:83:e7:ee:00:01"), 0);
    cr_assert_eq(append_now(&fx, id, event_of("step.done"), FT_COMMIT), 0);
    text = stored("SELECT count(*) FROM kept WHERE name LIKE '%log%'");
    cr_expect_str_eq(text, "0", "once");
    free(text);
    db_busy_ms = 5000;
}

Test(store_personal, what_is_forgotten_is_gone_from_every_file_and_the_proof_holds)
{
    char old[9], young[9], busy[9], digest[65], *shown = NULL;
    struct ft_retained done;
    struct ft_err err = { 0 };
    json_t *events;
    uint64_t cut;

    for (int i = 0; i < 40; i++) {
        char *mac = ft_asprintf("a4:83:e7:aa:00:%02x", i);

        a_run_of_the_past(old, mac);
        free(mac);
    }
    new_run(fx.store, busy);
    append_now(&fx, busy, json_pack("{s:s, s:s}", "type", "run.started", "seen", "a4:83:e7:aa:00:01"), FT_DURABLE);
    ft_clock_advance(fx.clock, 86400ull * 1000000 * 100);
    cut = ft_clock_wall_ms(fx.clock) - 86400000;
    a_run_of_the_past(young, "a4:83:e7:bb:00:01");
    cr_assert_gt(in_files("a4:83:e7:aa:00:05"), 0);
    expect_whole("before");
    cr_assert_eq(ft_store_retain(fx.store, &(struct ft_retain){ .before_ms = cut, .who = "root", .why = "90 days" }, &done, &err), 0, "%s", err.text);
    cr_expect_eq(done.runs, 40);
    cr_expect_eq(done.values, 80, "an address and a name each, not %u", done.values);
    cr_expect(!done.in_log);
    for (int i = 2; i < 40; i++) {
        char *mac = ft_asprintf("a4:83:e7:aa:00:%02x", i);

        cr_expect_eq(in_files(mac), 0, "%s", mac);
        free(mac);
    }
    cr_expect_gt(in_files("a4:83:e7:bb:00:01"), 0, "the young run's are still there");
    cr_expect_gt(in_files("a4:83:e7:aa:00:01"), 0, "and the one that a run under way needs");
    expect_whole("after");
    events = events_of(&fx, old);
    cr_expect_str_eq(ft_json_str(ft_json_path(events, "2"), "diagnosis"), "(deleted) has no address");
    json_decref(events);
    cr_expect_eq(ft_store_forgotten(fx.store, old), 2);
    cr_expect_eq(ft_store_forgotten(fx.store, young), 0);
    ft_sha256_hex("a4:83:e7:aa:00:05", 17, digest);
    cr_expect_eq(ft_store_plan_get(fx.store, digest, &cut, &shown, &err), -ENODATA, "%s", err.text);
    cr_assert_eq(ft_store_runs(fx.store, "finished", 1, show_first, &shown, NULL), 0);
    cr_expect_str_eq(shown, "a4:83:e7:bb:00:01 has no address | a4:83:e7:bb:00:01");
    free(shown);
    /* by its value, in another notation */
    cr_assert_eq(ft_store_retain(fx.store, &(struct ft_retain){ .value = "A483.E7BB.0001", .who = "root", .why = "asked for" }, &done, &err), 0, "%s", err.text);
    cr_expect_eq(done.values, 1);
    cr_expect_eq(in_files("a4:83:e7:bb:00:01"), 0);
    cr_expect_gt(in_files("carol"), 0);
    expect_whole("by value");
    fixture_reopen(&fx);
    expect_whole("in another process");
}

Test(store_personal, whole_runs_go_with_what_lay_beside_them)
{
    char old[9], young[9], found[9];
    struct ft_retained done;
    struct ft_err err = { 0 };
    json_t *report = NULL, *events = NULL;
    uint64_t cut;

    a_run_of_the_past(old, "a4:83:e7:cc:00:01");
    ft_clock_advance(fx.clock, 86400ull * 1000000 * 100);
    cut = ft_clock_wall_ms(fx.clock) - 86400000;
    a_run_of_the_past(young, "a4:83:e7:cc:00:02");
    cr_assert_eq(ft_store_retain(fx.store, &(struct ft_retain){ .before_ms = cut, .whole = true, .who = "root", .why = "2 years" }, &done, &err), 0, "%s", err.text);
    cr_expect_eq(done.runs, 1);
    cr_expect_eq(done.blobs, 1, "%u", done.blobs);
    cr_expect_eq(ft_store_events(fx.store, old, 0, &events, NULL), -ENOENT);
    cr_expect_eq(ft_store_find(fx.store, old, found, &err), -ENOENT);
    cr_expect(strstr(err.text, "was deleted on") && strstr(err.text, "by root (2 years)"), "%s", err.text);
    cr_expect_eq(ft_store_find(fx.store, "01020304", found, &err), -ENOENT);
    cr_expect(strstr(err.text, "there is no run"), "%s", err.text);
    cr_expect_eq(in_files("a4:83:e7:cc:00:01"), 0);
    cr_assert_eq(ft_store_audit(fx.store, NULL, NULL, &report, &err), 0);
    cr_expect(ft_json_bool(report, "ok", false));
    cr_expect_eq(ft_json_int(report, "deleted_runs", 0), 1);
    json_decref(report);
    events = events_of(&fx, young);
    cr_expect_eq(json_array_size(events), 3);
    json_decref(events);
}

static const char schema_1[] =
    "PRAGMA journal_mode=WAL; PRAGMA application_id=0x46746c31; PRAGMA user_version=1;"
    "CREATE TABLE runs (row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, playbook TEXT NOT NULL, digest TEXT NOT NULL, mode TEXT NOT NULL, status TEXT NOT NULL,"
    "  outcome TEXT NOT NULL, started INTEGER NOT NULL, ended INTEGER NOT NULL, summary TEXT NOT NULL, owner TEXT NOT NULL, params TEXT NOT NULL);"
    "CREATE INDEX runs_status ON runs (status, row);"
    "CREATE TABLE events (run INTEGER NOT NULL, seq INTEGER NOT NULL, hash BLOB NOT NULL, text TEXT NOT NULL);"
    "CREATE UNIQUE INDEX events_run ON events (run, seq);"
    "CREATE TABLE blobs (digest TEXT NOT NULL UNIQUE, bytes BLOB NOT NULL);"
    "CREATE TABLE locks (key TEXT PRIMARY KEY, run TEXT NOT NULL, reason TEXT NOT NULL, since INTEGER NOT NULL, owner TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX locks_run ON locks (run);"
    "INSERT INTO runs VALUES (1, '01d01d01', 'p', 'd', 'run', 'finished', 'ok', 1, 2, '', '', '{}');";

static void make_store_1(void)
{
    static const char event[] = "{\"type\":\"run.started\",\"seen\":\"a4:83:e7:dd:00:01\",\"seq\":1,\"at\":1}";
    unsigned char hash[HASH_LEN];
    char hex[2 * HASH_LEN + 1], *insert;
    sqlite3 *db;

    fx.store = ft_store_close(fx.store);
    unlink(fx.path);
    chain_seed("01d01d01", hash);
    chain_hash(hash, event, strlen(event));
    hex_of(hash, HASH_LEN, hex);
    insert = ft_asprintf("INSERT INTO events VALUES (1, 1, x'%s', '%s')", hex, event);
    cr_assert_eq(sqlite3_open(fx.path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, schema_1, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
    cr_assert_eq(sqlite3_exec(db, insert, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
    sqlite3_close(db);
    free(insert);
    fixture_open(&fx);
}

/* What an older fettle wrote is read as it is, sealed from now on, and can only be deleted whole. */
Test(store_personal, runs_of_an_older_store)
{
    struct ft_retained done;
    json_t *report = NULL, *events;
    char id[9];

    make_store_1();
    expect_whole("before anything is sealed");
    events = events_of(&fx, "01d01d01");
    cr_expect_str_eq(ft_json_str(json_array_get(events, 0), "seen"), "a4:83:e7:dd:00:01");
    json_decref(events);
    a_run_of_the_past(id, "a4:83:e7:dd:00:02");
    cr_assert_eq(ft_store_audit(fx.store, NULL, NULL, &report, NULL), 0);
    cr_expect(ft_json_bool(report, "ok", false));
    cr_expect_eq(json_array_size(json_object_get(report, "unsealed")), 0, "the first seal covers what was there");
    json_decref(report);
    cr_assert_eq(ft_store_retain(fx.store, &(struct ft_retain){ .run = "01d01d01", .who = "root", .why = "test" }, &done, NULL), 0);
    cr_expect_eq(done.runs, 0);
    cr_expect_eq(done.old, 1);
    cr_assert_eq(ft_store_retain(fx.store, &(struct ft_retain){ .run = "01d01d01", .whole = true, .who = "root", .why = "test" }, &done, NULL), 0);
    cr_expect_eq(done.runs, 1);
    expect_whole("after");
}

/* What is due once a day is not done twice a day. */
Test(store_personal, due_once)
{
    cr_expect(ft_store_due(fx.store, "retention", 1000));
    store_flush(fx.store);
    cr_expect(!ft_store_due(fx.store, "retention", 1000));
    ft_clock_advance(fx.clock, 1000 * 1000);
    cr_expect(ft_store_due(fx.store, "retention", 1000));
}
