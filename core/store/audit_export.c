/* audit_export.c: a run's record in one file, and the proof of such a file without the store.
 *
 *   JSON:  {"fettle_export":1,"key":"…","signature":"…","record":RECORD}     the signature is over RECORD
 *   HTML:  a page … <script …>RECORD</script></body></html><!-- fettle-signature KEY SIGNATURE -->     over all before the comment
 *
 * RECORD has the texts exactly as they lie in the store, so that the chain and the seals hold for them. */
#include <sodium.h>
#include <stdio.h>

#include "data/json.h"
#include "store/audit_parts.h"

#define SCRIPT "<script type=\"application/json\" id=\"fettle-record\">"
#define SCRIPT_END "</script></body></html>\n"
#define TRAILER "<!-- fettle-signature "
#define EXPORT_MAX ((size_t)1 << 30)

static const char *const row_names[RUN_COLUMN_COUNT] = { "id", "playbook", "digest", "mode", "status", "outcome", "started", "ended", "summary", "params" };

/* ---- writing */

static json_t *text_of(sqlite3_stmt *stmt, int at)
{
    const char *text = (const char *)sqlite3_column_text(stmt, at);

    return json_stringn_nocheck(text ? text : "", (size_t)sqlite3_column_bytes(stmt, at));
}

static json_t *hex_column(sqlite3_stmt *stmt, int at)
{
    size_t len = (size_t)sqlite3_column_bytes(stmt, at);
    char *hex = ft_calloc(1, 2 * len + 1);
    json_t *ret;

    hex_of(sqlite3_column_blob(stmt, at), len, hex);
    ret = json_string(hex);
    free(hex);
    return ret;
}

static json_t *run_row(sqlite3_stmt *stmt)
{
    json_t *row = json_object();

    for (int i = 0; i < RUN_COLUMN_COUNT; i++)
        json_object_set_new(row, row_names[i], text_of(stmt, i));
    return row;
}

static json_t *event_row(sqlite3_stmt *stmt)
{
    return json_pack("[I, o, o]", (json_int_t)sqlite3_column_int64(stmt, 0), hex_column(stmt, 1), text_of(stmt, 2));
}

static json_t *personal_row(sqlite3_stmt *stmt)
{
    return json_pack("[I, o, o]", (json_int_t)sqlite3_column_int64(stmt, 0), hex_column(stmt, 1),
                     sqlite3_column_type(stmt, 2) == SQLITE_NULL ? json_null() : text_of(stmt, 2));
}

static json_t *plan_row(sqlite3_stmt *stmt)
{
    return json_pack("[o, o]", text_of(stmt, 0), text_of(stmt, 1));
}

static json_t *seal_row(sqlite3_stmt *stmt)
{
    return json_pack("[I, I, o, o, o]", (json_int_t)sqlite3_column_int64(stmt, 0), (json_int_t)sqlite3_column_int64(stmt, 1), text_of(stmt, 2), hex_column(stmt, 3),
                     hex_column(stmt, 4));
}

/* All that a large result or a playbook may be is JSON text. */
static json_t *blob_row(sqlite3_stmt *stmt)
{
    return json_pack("[o, o]", text_of(stmt, 0), json_stringn_nocheck(sqlite3_column_blob(stmt, 1), (size_t)sqlite3_column_bytes(stmt, 1)));
}

static int rows(struct ft_store *store, const char *sql, const char *bound, json_t *(*row)(sqlite3_stmt *stmt), json_t *to, struct ft_err *reterr)
{
    sqlite3_stmt *stmt;
    sqlite3 *db;
    int r = read_query(store, sql, &db, &stmt, reterr), step;

    if (r < 0)
        return r;
    sqlite3_bind_text(stmt, 1, bound, -1, SQLITE_STATIC);
    while ((step = sqlite3_step(stmt)) == SQLITE_ROW)
        json_array_append_new(to, row(stmt));
    return read_over(store, db, stmt, step, reterr);
}

/* What the events name beside them: the proof's own idea of it. */
static int blobs(struct ft_store *store, const json_t *events, json_t *to, struct ft_err *reterr)
{
    json_t *event, *value;
    struct audit audit;
    const char *digest;
    size_t i;
    int r = 0;

    audit_init(&audit, NULL);
    audit.part = true;
    json_array_foreach((json_t *)events, i, event) {
        const json_t *text = json_array_get(event, 2);

        audit_references(&audit, (uint64_t)i + 1, (struct audit_text){ json_string_value(text), json_string_length(text) });
    }
    json_object_foreach(audit.blobs_wanted, digest, value)
        if (r == 0)
            r = rows(store, "SELECT digest, bytes FROM blobs WHERE digest = ?1", digest, blob_row, to, reterr);
    audit_done(&audit);
    return r;
}

static int fill_record(struct ft_store *store, const char *run_id, json_t *record, struct ft_err *reterr)
{
    static const struct { const char *name, *sql; json_t *(*row)(sqlite3_stmt *stmt); } parts[] = {
        { "events", "SELECT seq, hash, text FROM events WHERE run = (SELECT row FROM runs WHERE id = ?1) ORDER BY seq", event_row },
        { "personal", "SELECT n, salt, value FROM personal WHERE run = (SELECT row FROM runs WHERE id = ?1) ORDER BY n", personal_row },
        { "plans", "SELECT digest, plain(text) FROM plans WHERE run = ?1 ORDER BY row", plan_row },
        /* those that cover the run, and those in which one key hands over to the next */
        { "seals", "SELECT n, at, plain(text), hash, signature FROM seals WHERE plain(text) LIKE '%\"' || ?1 || '\"%' OR plain(text) LIKE '%\"note\":{\"key\"%'"
                   " OR EXISTS (SELECT 1 FROM plans WHERE plans.run = ?1 AND plain(seals.text) LIKE '%\"' || plans.digest || '\"%') ORDER BY n", seal_row },
    };
    json_t *run = json_array(), *list;
    int r = rows(store, "SELECT " RUN_COLUMNS " FROM runs WHERE id = ?1", run_id, run_row, run, reterr);

    if (r == 0 && !json_array_size(run))
        r = ft_err_set(reterr, -ENOENT, "there is no run %s in the store '%s'", run_id, store->path);
    json_object_set(record, "run", json_array_get(run, 0));
    json_decref(run);
    for (size_t i = 0; i < ARRAY_LEN(parts) && r == 0; i++) {
        list = json_array();
        json_object_set_new(record, parts[i].name, list);
        r = rows(store, parts[i].sql, run_id, parts[i].row, list, reterr);
    }
    if (r == 0) {
        list = json_array();
        json_object_set_new(record, "blobs", list);
        r = blobs(store, json_object_get(record, "events"), list, reterr);
    }
    return r;
}

int ft_store_export(struct ft_store *store, const char *run_id, char **ret_text, struct ft_err *reterr)
{
    struct ft_buf text = FT_BUF_INIT(EXPORT_MAX);
    json_t *record = json_object();
    int r;

    store_flush(store);
    r = fill_record(store, run_id, record, reterr);
    if (r == 0)
        encode_json(&text, record);
    if (r == 0 && text.overflow)
        r = ft_err_set(reterr, -EFBIG, "the record of run %s is over %zu MiB", run_id, EXPORT_MAX >> 20);
    if (r == 0)
        *ret_text = ft_buf_take(&text);
    ft_buf_done(&text);
    json_decref(record);
    return r;
}

static int sign(struct ft_store *store, const char *text, size_t len, char ret_key[2 * KEY_LEN + 1], char ret_signature[2 * SIGNATURE_LEN + 1], struct ft_err *reterr)
{
    unsigned char signature[SIGNATURE_LEN];
    char *path = key_path(store);
    struct seal_key key;
    int r = key_load(path, &key, reterr);

    if (r == 0) {
        key_sign(&key, text, len, signature);
        hex_of(signature, SIGNATURE_LEN, ret_signature);
        hex_of(key.public, KEY_LEN, ret_key);
    } else {
        ft_err_in(reterr, "an export is signed");
    }
    explicit_bzero(&key, sizeof(key));
    free(path);
    return r;
}

/* In a page no text may end the script. '<' stands in strings only. */
static void add_for_page(struct ft_buf *page, const char *record)
{
    for (const char *lt; (lt = strchr(record, '<')); record = lt + 1) {
        ft_buf_add(page, record, (size_t)(lt - record));
        ft_buf_adds(page, "\\u003c");
    }
    ft_buf_adds(page, record);
}

int ft_store_export_file(struct ft_store *store, const char *run_id, const char *page, char **ret_text, struct ft_err *reterr)
{
    char key[2 * KEY_LEN + 1], signature[2 * SIGNATURE_LEN + 1], *record = NULL;
    struct ft_buf file = FT_BUF_INIT(2 * EXPORT_MAX);
    int r = ft_store_export(store, run_id, &record, reterr);

    if (r < 0)
        return r;
    if (page) {
        ft_buf_adds(&file, page);
        ft_buf_adds(&file, SCRIPT);
        add_for_page(&file, record);
        ft_buf_adds(&file, SCRIPT_END);
        r = sign(store, ft_buf_str(&file), file.len, key, signature, reterr);
        if (r == 0)
            ft_buf_addf(&file, TRAILER "%s %s -->\n", key, signature);
    } else {
        r = sign(store, record, strlen(record), key, signature, reterr);
        if (r == 0) {
            ft_buf_addf(&file, "{\"fettle_export\":1,\"key\":\"%s\",\"signature\":\"%s\",\"record\":", key, signature);
            ft_buf_adds(&file, record);
            ft_buf_adds(&file, "}\n");
        }
    }
    if (r == 0 && file.overflow)
        r = ft_err_set(reterr, -EFBIG, "the export of run %s is too large", run_id);
    if (r == 0)
        *ret_text = ft_buf_take(&file);
    ft_buf_done(&file);
    free(record);
    return r;
}

/* ---- reading */

struct parts { struct audit_text record, is_signed; char key[2 * KEY_LEN + 1], signature[2 * SIGNATURE_LEN + 1]; };

static bool take_hex(const char *at, size_t len, size_t digits, char *ret)
{
    if (len < digits)
        return false;
    memcpy(ret, at, digits);
    ret[digits] = '\0';
    return strspn(ret, "0123456789abcdef") == digits;
}

static bool split_json(const char *bytes, size_t len, struct parts *ret)
{
    char head[512];
    size_t at = strlen("{\"fettle_export\":1,\"key\":\""), n;

    if (len < at || !take_hex(bytes + at, len - at, 2 * KEY_LEN, ret->key))
        return false;
    at += 2 * KEY_LEN + strlen("\",\"signature\":\"");
    if (len < at || !take_hex(bytes + at, len - at, 2 * SIGNATURE_LEN, ret->signature))
        return false;
    n = (size_t)snprintf(head, sizeof(head), "{\"fettle_export\":1,\"key\":\"%s\",\"signature\":\"%s\",\"record\":", ret->key, ret->signature);
    if (len < n + 2 || memcmp(bytes, head, n) != 0 || memcmp(bytes + len - 2, "}\n", 2) != 0)
        return false;
    ret->record = ret->is_signed = (struct audit_text){ bytes + n, len - n - 2 };
    return true;
}

static bool split_page(const char *bytes, size_t len, struct parts *ret)
{
    size_t tail = strlen(TRAILER) + 2 * KEY_LEN + 1 + 2 * SIGNATURE_LEN + strlen(" -->\n"), signed_len;
    const char *script = memmem(bytes, len, SCRIPT, strlen(SCRIPT));
    char end[512];

    if (!script || len < tail + strlen(SCRIPT_END))
        return false;
    signed_len = len - tail;
    if (!take_hex(bytes + signed_len + strlen(TRAILER), 2 * KEY_LEN, 2 * KEY_LEN, ret->key) ||
        !take_hex(bytes + signed_len + strlen(TRAILER) + 2 * KEY_LEN + 1, 2 * SIGNATURE_LEN, 2 * SIGNATURE_LEN, ret->signature))
        return false;
    snprintf(end, sizeof(end), TRAILER "%s %s -->\n", ret->key, ret->signature);
    if (memcmp(bytes + signed_len, end, tail) != 0 || memcmp(bytes + signed_len - strlen(SCRIPT_END), SCRIPT_END, strlen(SCRIPT_END)) != 0)
        return false;
    script += strlen(SCRIPT);
    if (script > bytes + signed_len - strlen(SCRIPT_END))
        return false;
    ret->is_signed = (struct audit_text){ bytes, signed_len };
    ret->record = (struct audit_text){ script, (size_t)(bytes + signed_len - strlen(SCRIPT_END) - script) };
    return true;
}

static struct audit_text string_at(const json_t *list, size_t at)
{
    const json_t *text = json_array_get(list, at);

    return (struct audit_text){ json_string_value(text) ? json_string_value(text) : "", json_string_length(text) };
}

/* Bytes of hex digits; "" for what is none. */
static struct audit_text bytes_at(const json_t *list, size_t at, unsigned char *buf, size_t size)
{
    const char *hex = json_string_value(json_array_get(list, at));

    return hex && hex_to(hex, buf, size) ? (struct audit_text){ (const char *)buf, size } : (struct audit_text){ "", 0 };
}

static void prove_run(struct audit *a, const json_t *record)
{
    struct audit_text columns[RUN_COLUMN_COUNT];
    unsigned char buf[HASH_LEN];
    json_t *one;
    size_t i;

    for (i = 0; i < RUN_COLUMN_COUNT; i++) {
        const json_t *text = json_object_get(json_object_get(record, "run"), row_names[i]);

        columns[i] = (struct audit_text){ json_string_value(text) ? json_string_value(text) : "", json_string_length(text) };
    }
    audit_run(a, columns);
    json_array_foreach(json_object_get(record, "events"), i, one)
        audit_event(a, json_integer_value(json_array_get(one, 0)), string_at(one, 2), bytes_at(one, 1, buf, HASH_LEN));
    audit_run_end(a);
}

static void prove(struct audit *a, const json_t *record, const char *key_file, const unsigned char *trusted)
{
    unsigned char hash[HASH_LEN], signature[SIGNATURE_LEN], salt[SALT_LEN];
    const char *id = ft_json_str(json_object_get(record, "run"), "id");
    json_t *one;
    size_t i;

    json_array_foreach(json_object_get(record, "seals"), i, one)
        audit_seal(a, json_integer_value(json_array_get(one, 0)), json_integer_value(json_array_get(one, 1)), string_at(one, 2), bytes_at(one, 3, hash, HASH_LEN),
                   bytes_at(one, 4, signature, SIGNATURE_LEN));
    audit_seals_end(a, key_file, trusted);
    a->only = id;
    prove_run(a, record);
    json_array_foreach(json_object_get(record, "blobs"), i, one)
        audit_blob(a, string_at(one, 0).text, string_at(one, 1));
    json_array_foreach(json_object_get(record, "personal"), i, one) {
        const json_t *value = json_array_get(one, 2);

        audit_personal(a, id ? id : "", json_integer_value(json_array_get(one, 0)), bytes_at(one, 1, salt, SALT_LEN), json_string_value(value), json_string_length(value));
    }
    json_array_foreach(json_object_get(record, "plans"), i, one)
        audit_plan(a, string_at(one, 0).text, string_at(one, 1));
}

int ft_audit_file(const char *bytes, size_t len, const char *key_file, json_t **ret, struct ft_err *reterr)
{
    unsigned char trusted[KEY_LEN], public[KEY_LEN], signature[SIGNATURE_LEN];
    struct parts parts = { 0 };
    struct audit audit;
    json_t *record = NULL;
    int r = key_file ? key_load_public(key_file, trusted, reterr) : 0;

    if (r < 0)
        return r;
    audit_init(&audit, NULL);
    audit.part = audit.must_seal = true;
    if (!(len && *bytes == '{' ? split_json(bytes, len, &parts) : split_page(bytes, len, &parts)))
        audit_find(&audit, NULL, 0, 0, "the file is no export as fettle wrote it: its beginning or its end, where the signature stands, is another");
    else if (!hex_to(parts.key, public, KEY_LEN) || !hex_to(parts.signature, signature, SIGNATURE_LEN) ||
             !key_signed(public, parts.is_signed.text, parts.is_signed.len, signature))
        audit_find(&audit, NULL, 0, 0, "the file is not what was exported: its signature does not hold");
    if (parts.record.text && ft_json_parse(parts.record.text, parts.record.len, EXPORT_MAX, &record, NULL) == 0 && json_is_object(record)) {
        prove(&audit, record, key_file, key_file ? trusted : NULL);
        if (*audit.key && !ft_streq(audit.key, parts.key))
            audit_find(&audit, NULL, 0, 0, "the file is signed by another key than its seals");
    } else if (parts.record.text) {
        audit_find(&audit, NULL, 0, 0, "the record in the file cannot be read");
    }
    *ret = audit_report(&audit);
    if (ft_json_str(json_object_get(record, "run"), "id"))
        json_object_set(*ret, "run", json_object_get(json_object_get(record, "run"), "id"));
    audit_done(&audit);
    json_decref(record);
    return 0;
}
