/* Plans and seals lie packed: the text comes back byte for byte, and nothing else than what was packed comes back as a text. */
#include <sys/stat.h>
#include <zlib.h>
#include "fixture.h"
#include "store/audit.h"
#include "store/internal.h"

static sqlite3 *db;

static void setup(void)
{
    cr_assert_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
    cr_assert_eq(pack_functions(db), SQLITE_OK);
}

static void teardown(void) { sqlite3_close(db); }

TestSuite(store_pack, .init = setup, .fini = teardown, .timeout = 60);

/* One value from one SQL expression of one value; the caller frees it. */
static sqlite3_value *of(const char *expression, const sqlite3_value *value)
{
    char *sql = ft_asprintf("SELECT %s", expression);
    sqlite3_value *ret;
    sqlite3_stmt *stmt;

    cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK, "%s", sql);
    sqlite3_bind_value(stmt, 1, value);
    cr_assert_eq(sqlite3_step(stmt), SQLITE_ROW, "%s", sqlite3_errmsg(db));
    ret = sqlite3_value_dup(sqlite3_column_value(stmt, 0));
    sqlite3_finalize(stmt);
    free(sql);
    return ret;
}

static sqlite3_value *value_of(const void *bytes, size_t len, bool is_text)
{
    sqlite3_value *ret;
    sqlite3_stmt *stmt;

    cr_assert_eq(sqlite3_prepare_v2(db, is_text ? "SELECT CAST(?1 AS TEXT)" : "SELECT ?1", -1, &stmt, NULL), SQLITE_OK);
    sqlite3_bind_blob64(stmt, 1, bytes ? bytes : "", len, SQLITE_TRANSIENT);
    cr_assert_eq(sqlite3_step(stmt), SQLITE_ROW);
    ret = sqlite3_value_dup(sqlite3_column_value(stmt, 0));
    sqlite3_finalize(stmt);
    return ret;
}

static bool is(sqlite3_value *value, const char *text, size_t len)
{
    return sqlite3_value_type(value) == SQLITE_TEXT && (size_t)sqlite3_value_bytes(value) == len && memcmp(sqlite3_value_text(value), text, len) == 0;
}

/* Returns how long it lies there. */
static size_t there_and_back(const char *text, size_t len)
{
    sqlite3_value *plain = value_of(text, len, true), *packed = of("packed(?1)", plain), *back = of("plain(?1)", packed);
    size_t packed_len = (size_t)sqlite3_value_bytes(packed);

    cr_expect(is(back, text, len), "%zu bytes: %.60s", len, text);
    cr_expect(sqlite3_value_type(packed) == SQLITE_BLOB ? packed_len < len : packed_len == len);
    sqlite3_value_free(plain);
    sqlite3_value_free(packed);
    sqlite3_value_free(back);
    return packed_len;
}

#define PLAN "{\"batches\":[],\"cut\":false,\"digest\":\"5fa6fbac12af49f1f7dc488a3606336a\",\"fettle_plan\":1,\"from\":\"gate\"," \
             "\"may_fail\":false,\"need_ms\":0,\"needs\":[],\"nodes\":[],\"outcomes\":{\"good\":\"certain\"}," \
             "\"params\":{\"name\":\"Zürich\"},\"writes\":[]}"

Test(store_pack, a_text_comes_back_as_it_was)
{
    char *large = ft_calloc(1, 3000001);
    uint32_t state = 1;

    for (size_t i = 0; i < 3000000; i++) {
        state = state * 1664525 + 1013904223;
        large[i] = "0123456789abcdef"[state >> 28];
    }
    for (size_t len = 0; len < 300; len++)
        there_and_back(large, len);
    cr_expect_lt(there_and_back(large, 3000000), 1800000u);
    cr_expect_lt(there_and_back(PLAN, strlen(PLAN)), strlen(PLAN) / 2, "what plans have in common costs next to nothing");
    memset(large, 'a', 3000000);
    cr_expect_lt(there_and_back(large, 3000000), 5000u);
    free(large);
}

Test(store_pack, a_changed_byte_gives_another_text)
{
    sqlite3_value *plain = value_of(PLAN, strlen(PLAN), true), *packed = of("packed(?1)", plain);
    size_t len = (size_t)sqlite3_value_bytes(packed);
    unsigned char *bytes = ft_calloc(1, len + 1);

    cr_assert_eq(sqlite3_value_type(packed), SQLITE_BLOB);
    for (size_t i = 0; i < len; i++) {
        for (unsigned how = 1; how < 256; how *= 2) {        /* each bit */
            memcpy(bytes, sqlite3_value_blob(packed), len);
            bytes[i] ^= (unsigned char)how;

            sqlite3_value *changed = value_of(bytes, len, false), *back = of("plain(?1)", changed);

            cr_expect(is(back, PACK_DAMAGED, strlen(PACK_DAMAGED)), "byte %zu ^ %u: %s", i, how, sqlite3_value_text(back));
            sqlite3_value_free(changed);
            sqlite3_value_free(back);
        }
    }
    for (size_t cut = 0; cut <= len + 1; cut++) {
        sqlite3_value *changed, *back;

        memcpy(bytes, sqlite3_value_blob(packed), len);
        bytes[len] = 0;
        changed = value_of(bytes, cut, false);
        back = of("plain(?1)", changed);
        cr_expect(is(back, cut == len ? PLAN : PACK_DAMAGED, strlen(cut == len ? PLAN : PACK_DAMAGED)), "%zu of %zu bytes", cut, len);
        sqlite3_value_free(changed);
        sqlite3_value_free(back);
    }
    free(bytes);
    sqlite3_value_free(plain);
    sqlite3_value_free(packed);
}

/* As the first fettle that packed wrote it: the dictionary is still that one. */
Test(store_pack, what_was_packed_once_is_read_for_ever)
{
    static const char hex[] =
        "010190b93423a618314d4b344b4b4a4c36344a4c33b14c334c334f4936b1b048343633303336364bc45dcc403305eea2057bf18196fcd3f3c1018435"
        "d143136cd4e13d4599c0e2b91625fa01";
    unsigned char bytes[sizeof(hex) / 2];
    sqlite3_value *packed, *back;

    cr_assert(hex_to(hex, bytes, sizeof(bytes)));
    packed = value_of(bytes, sizeof(bytes), false);
    back = of("plain(?1)", packed);
    cr_expect(is(back, PLAN, strlen(PLAN)), "%s", sqlite3_value_text(back));
    sqlite3_value_free(packed);
    sqlite3_value_free(back);
}

/* With a checksum that fits: by somebody's hand. */
static void by_hand(const unsigned char *stream, size_t len, const char *says)
{
    unsigned char *bytes = ft_calloc(1, len + 5);
    uint32_t sum = (uint32_t)crc32_z(0, stream, len);
    sqlite3_value *packed, *back;

    bytes[0] = 1;
    for (int i = 0; i < 4; i++)
        bytes[1 + i] = (unsigned char)(sum >> 8 * i);
    memcpy(bytes + 5, stream, len);
    packed = value_of(bytes, len + 5, false);
    back = of("plain(?1)", packed);
    cr_expect(is(back, says, strlen(says)), "%.60s", sqlite3_value_text(back));
    free(bytes);
    sqlite3_value_free(packed);
    sqlite3_value_free(back);
}

Test(store_pack, a_stream_by_hand_is_bounded_and_whole)
{
    static const unsigned char stored[] = { 1, 3, 0, 0xfc, 0xff, 'a', 'b', 'c' }, more[] = { 1, 3, 0, 0xfc, 0xff, 'a', 'b', 'c', 0 };
    static const unsigned char unending[] = { 0, 3, 0, 0xfc, 0xff, 'a', 'b', 'c' };
    unsigned char *bomb = ft_calloc(300, 4096), *mib = ft_calloc(1, (1 << 20) + 1);
    z_stream z = { .next_in = mib, .avail_in = 1 << 20, .next_out = bomb, .avail_out = 4096 };
    size_t len;

    memset(mib, 'a', 1 << 20);
    by_hand(stored, sizeof(stored), "abc");
    by_hand(more, sizeof(more), PACK_DAMAGED);
    by_hand(unending, sizeof(unending), PACK_DAMAGED);
    by_hand(stored, 0, PACK_DAMAGED);
    cr_assert_eq(deflateInit2(&z, 9, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
    cr_assert_eq(deflate(&z, Z_FULL_FLUSH), Z_OK);     /* a MiB that rests on nothing before it: 300 of them, where 256 MiB are the most */
    cr_assert(z.avail_in == 0 && z.avail_out > 0);
    len = z.total_out;
    memcpy(bomb + len, "\1\0\0\377\377", 5);          /* the end */
    by_hand(bomb, len + 5, (char *)mib);
    for (size_t i = 1; i < 300; i++)
        memcpy(bomb + i * len, bomb, len);
    memcpy(bomb + 300 * len, "\1\0\0\377\377", 5);
    by_hand(bomb, 300 * len + 5, PACK_DAMAGED);
    deflateEnd(&z);
    free(bomb);
    free(mib);
}

/* ---- in a store */

static void raw(const char *path, const char *sql)
{
    sqlite3 *file;

    cr_assert_eq(sqlite3_open(path, &file), SQLITE_OK);
    cr_assert_eq(pack_functions(file), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(file, sql, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(file));
    sqlite3_close(file);
}

static void expect_proof(struct fixture *fx, const char *when)
{
    json_t *report = NULL;
    struct ft_err err = { 0 };
    char *text;

    cr_assert_eq(ft_store_audit(fx->store, NULL, NULL, &report, &err), 0, "%s", err.text);
    text = json_dumps(report, 0);
    cr_expect(ft_json_bool(report, "ok", false), "%s: %s", when, text);
    free(text);
    json_decref(report);
}

static void expect_plan(struct fixture *fx, const char *digest, const char *text)
{
    struct ft_err err = { 0 };
    char *got = NULL;
    uint64_t at;

    cr_assert_eq(ft_store_plan_get(fx->store, digest, &at, &got, &err), 0, "%s", err.text);
    cr_expect_str_eq(got, text);
    free(got);
}

/* As the fettle before this one left it: the same tables, all texts plain, and seals that hold. */
Test(store_pack, a_store_of_schema_2_is_read_and_goes_on)
{
    static const char digest[] = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
    static const char newer[] = "fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9";
    struct fixture fx;
    char id[9], *exported = NULL;
    json_t *report = NULL;

    fixture_new(&fx);
    new_run(fx.store, id);
    ft_store_plan_put(fx.store, digest, id, PLAN);
    cr_assert_eq(append_now(&fx, id, event_of("run.started"), FT_DURABLE), 0);
    put_run(fx.store, id, "parked");
    cr_assert_eq(append_now(&fx, id, event_of("run.parked"), FT_DURABLE), 0);
    fx.store = ft_store_close(fx.store);
    raw(fx.path, "UPDATE plans SET text = plain(text); UPDATE seals SET text = plain(text); PRAGMA user_version=2");
    fixture_open(&fx);
    expect_proof(&fx, "as it was");
    expect_plan(&fx, digest, PLAN);
    ft_store_plan_put(fx.store, newer, id, PLAN);
    cr_assert_eq(append_now(&fx, id, event_of("more"), FT_DURABLE), 0);
    fixture_reopen(&fx);
    expect_proof(&fx, "with packed texts beside plain ones");
    expect_plan(&fx, digest, PLAN);
    expect_plan(&fx, newer, PLAN);
    cr_assert_eq(ft_store_export_file(fx.store, id, NULL, &exported, NULL), 0);
    cr_expect_not_null(strstr(exported, "Zürich"), "an export is plain");
    cr_assert_eq(ft_audit_file(exported, strlen(exported), NULL, &report, NULL), 0);
    cr_expect(ft_json_bool(report, "ok", false));
    json_decref(report);
    free(exported);
    fixture_free(&fx);
}

Test(store_pack, a_damaged_plan_is_told_and_not_taken)
{
    static const char digest[] = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
    struct ft_err err = { 0 };
    struct fixture fx;
    char id[9], *got = NULL;
    uint64_t at;

    fixture_new(&fx);
    new_run(fx.store, id);
    ft_store_plan_put(fx.store, digest, id, PLAN);
    cr_assert_eq(append_now(&fx, id, event_of("run.started"), FT_DURABLE), 0);
    fixture_reopen(&fx);
    raw(fx.path, "UPDATE plans SET text = CAST(substr(text, 1, 20) || x'00' || substr(text, 22) AS BLOB)");
    cr_expect_eq(ft_store_plan_get(fx.store, "2c26b46b", &at, &got, &err), -EBADMSG);
    cr_expect(strstr(err.text, "plan 2c26b46b68ff") && strstr(err.text, "is not what was written") && strstr(err.text, "plan again"), "%s", err.text);
    fixture_free(&fx);
}
