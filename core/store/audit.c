/* audit.c: the proof itself. It goes on after a finding, so that a report says all that is wrong and not only the first of it. */
#include <stdarg.h>
#include <stdio.h>

#include "base/digest.h"
#include "data/json.h"
#include "store/audit_parts.h"

#define FINDINGS_MAX 1000

void audit_init(struct audit *a, const char *only)
{
    *a = (struct audit){
        .only = only, .findings = json_array(), .keys = json_array(), .seal_hashes = json_object(), .sealed = json_object(), .plan_digests = json_object(),
        .deleted = json_object(), .forgotten = json_object(), .forgotten_plans = json_object(),
        .blobs_wanted = json_object(), .seen_runs = json_object(), .tokens = json_object(), .unsealed = json_array(),
    };
    memset(a->seal_hash, '0', 2 * HASH_LEN);
}

void audit_done(struct audit *a)
{
    json_t *all[] = { a->findings, a->keys, a->seal_hashes, a->sealed, a->plan_digests, a->deleted, a->forgotten, a->forgotten_plans, a->blobs_wanted,
                      a->seen_runs, a->tokens, a->unsealed };

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        json_decref(all[i]);
}

void audit_find(struct audit *a, const char *run, uint64_t event, int64_t seal, const char *fmt, ...)
{
    json_t *finding;
    va_list ap;
    char *text;

    if (json_array_size(a->findings) > FINDINGS_MAX)
        return;
    if (json_array_size(a->findings) == FINDINGS_MAX) {
        json_array_append_new(a->findings, json_pack("{s:s}", "text", "more is wrong than is listed here"));
        return;
    }
    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0)
        abort();
    va_end(ap);
    finding = json_object();
    json_object_set_new(finding, "text", json_stringn_nocheck(text, strlen(text)));
    if (run)
        json_object_set_new(finding, "run", json_string(run));
    if (event)
        json_object_set_new(finding, "event", json_integer((json_int_t)event));
    if (seal)
        json_object_set_new(finding, "seal", json_integer((json_int_t)seal));
    json_array_append_new(a->findings, finding);
    free(text);
}

static void hash_hex(const char *bytes, size_t len, char ret[2 * HASH_LEN + 1])
{
    unsigned char hash[HASH_LEN] = { 0 };

    chain_hash(hash, bytes, len);
    hex_of(hash, HASH_LEN, ret);
}

/* ---- seals */

/* [[id, seq, hash, digest], …] goes to the runs' lists. */
static bool take_runs(struct audit *a, int64_t n, const json_t *runs)
{
    json_t *entry;
    size_t i;

    json_array_foreach((json_t *)runs, i, entry) {
        const char *id = json_string_value(json_array_get(entry, 0));
        json_t *list;

        if (!id || !json_is_integer(json_array_get(entry, 1)) || !json_is_string(json_array_get(entry, 2)) || !json_is_string(json_array_get(entry, 3)))
            return false;
        list = json_object_get(a->sealed, id);
        if (!list) {
            list = json_array();
            json_object_set_new(a->sealed, id, list);
        }
        json_array_append_new(list, json_pack("[O, O, O, I]", json_array_get(entry, 1), json_array_get(entry, 2), json_array_get(entry, 3), (json_int_t)n));
    }
    return json_is_array(runs);
}

static void take_plans(struct audit *a, int64_t n, const json_t *plans)
{
    json_t *entry;
    size_t i;

    json_array_foreach((json_t *)plans, i, entry)
        if (json_is_string(json_array_get(entry, 0)))
            json_object_set_new(a->plan_digests, json_string_value(json_array_get(entry, 0)), json_pack("[O?, I]", json_array_get(entry, 1), (json_int_t)n));
}

static void take_note(struct audit *a, int64_t n, const json_t *note)
{
    json_t *entry, *numbers, *number;
    const char *id;
    size_t i;

    json_array_foreach(json_object_get(note, "deleted"), i, entry)
        if (json_is_string(json_array_get(entry, 0)))
            json_object_set_new(a->deleted, json_string_value(json_array_get(entry, 0)),
                                json_pack("[O?, O?, I]", json_array_get(entry, 1), json_array_get(entry, 2), (json_int_t)n));
    json_array_foreach(json_object_get(note, "plans"), i, entry)
        if (json_is_string(entry))
            json_object_set_new(a->forgotten_plans, json_string_value(entry), json_integer((json_int_t)n));
    json_object_foreach(json_object_get(note, "forgot"), id, numbers) {
        json_t *known = json_object_get(a->forgotten, id);

        if (!known) {
            known = json_object();
            json_object_set_new(a->forgotten, id, known);
        }
        json_array_foreach(numbers, i, number) {
            char text[24];

            snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(number));
            json_object_set_new(known, text, json_integer((json_int_t)n));
        }
    }
}

/* A key may follow another only by the other's word. */
static void take_key(struct audit *a, int64_t n, const json_t *seal)
{
    const char *key = ft_json_str(seal, "key"), *next = ft_json_str(json_object_get(seal, "note"), "key");

    if (json_is_true(json_object_get(json_object_get(seal, "note"), "lost")) && *a->key) {
        /* whoever trusts the old one shall hear of it: only the new one is believed from here on */
        a->keys_lost++;
        json_array_clear(a->keys);
        *a->key = '\0';
    }
    if (!*a->key)
        json_array_append_new(a->keys, json_string(key));
    else if (!ft_streq(a->key, key))
        audit_find(a, NULL, 0, n, "seal %lld is signed by a key that the seal before it does not name", (long long)n);
    if (next) {
        json_array_append_new(a->keys, json_string(next));
        key = next;
    } else if (!ft_streq(a->key, key) && *a->key) {
        json_array_append_new(a->keys, json_string(key));
    }
    snprintf(a->key, sizeof(a->key), "%s", key);
}

static bool signature_holds(const json_t *seal, struct audit_text text, struct audit_text signature)
{
    unsigned char public[KEY_LEN];

    return hex_to(ft_json_str(seal, "key"), public, KEY_LEN) && signature.len == SIGNATURE_LEN &&
           key_signed(public, text.text, text.len, (const unsigned char *)signature.text);
}

void audit_seal(struct audit *a, int64_t n, int64_t at, struct audit_text text, struct audit_text hash, struct audit_text signature)
{
    char is[2 * HASH_LEN + 1], says[2 * HASH_LEN + 1] = "", number[24];
    json_t *seal = NULL;

    a->seals++;
    hash_hex(text.text, text.len, is);
    if (hash.len == HASH_LEN)
        hex_of((const unsigned char *)hash.text, HASH_LEN, says);
    if (!a->part && n != a->seal_n + 1)
        audit_find(a, NULL, 0, a->seal_n + 1, n == a->seal_n + 2 ? "seal %lld is missing" : "seals %lld to %lld are missing", (long long)a->seal_n + 1, (long long)n - 1);
    if (!ft_streq(is, says) || ft_json_parse(text.text, text.len, SIZE_MAX, &seal, NULL) < 0 || !json_is_object(seal) ||
        !signature_holds(seal, text, signature) || ft_json_int(seal, "n", 0) != n || ft_json_int(seal, "at", 0) != at || !take_runs(a, n, json_object_get(seal, "runs"))) {
        audit_find(a, NULL, 0, n, "seal %lld is not what was written: its %s", (long long)n, ft_streq(is, says) ? "signature, number or time does not hold" : "hash does not fit");
        a->seal_n = n;
        snprintf(a->seal_hash, sizeof(a->seal_hash), "%s", says);       /* the next one is judged by what it follows, not by this again */
        json_decref(seal);
        return;
    }
    if (!a->part && n == a->seal_n + 1 && !ft_streq(ft_json_str(seal, "before"), a->seal_hash))
        audit_find(a, NULL, 0, n, "seal %lld does not follow seal %lld: that is not the one it was put on", (long long)n, (long long)n - 1);
    take_plans(a, n, json_object_get(seal, "plans"));
    take_note(a, n, json_object_get(seal, "note"));
    take_key(a, n, seal);
    snprintf(number, sizeof(number), "%lld", (long long)n);
    json_object_set_new(a->seal_hashes, number, json_string(is));
    snprintf(a->seal_hash, sizeof(a->seal_hash), "%s", is);
    a->since_ms = a->since_ms ? a->since_ms : at;
    a->last_ms = at;
    a->seal_n = n;
    json_decref(seal);
}

void audit_seals_end(struct audit *a, const char *key_file, const unsigned char *trusted)
{
    char hex[2 * KEY_LEN + 1], is[20], wanted[20];
    json_t *key;
    size_t i;

    if (!trusted || !json_array_size(a->keys))
        return;
    hex_of(trusted, KEY_LEN, hex);
    json_array_foreach(a->keys, i, key)
        if (ft_streq(json_string_value(key), hex))
            return;
    key_name(json_string_value(json_array_get(a->keys, 0)), is);
    key_name(hex, wanted);
    audit_find(a, NULL, 0, 1, "the seals are signed by the key %s, not by %s of '%s'", is, wanted, key_file);
}

/* ---- a run */

static const json_t *newest_mark(const struct audit *a)
{
    return json_array_get(a->marks, json_array_size(a->marks) - 1);
}

static bool is_running(const struct audit_text *status)
{
    return status->len == 7 && memcmp(status->text, "running", 7) == 0;
}

/* ---- personal values */

/* What texts name, and the commitments that stand in them. */
static void take_tokens(struct audit *a, const char *run, struct audit_text text)
{
    const char *at = text.text, *end = text.text + text.len, *said;
    struct token token;
    char key[32];

    while (token_next(at, (size_t)(end - at), &token)) {
        at = token.end;
        snprintf(key, sizeof(key), "%s %u", run, token.n);
        said = ft_json_str(a->tokens, key);
        if (said && *token.commitment && !ft_streq(said, token.commitment))
            audit_find(a, run, a->open ? a->seq : 0, 0, "run %s: two texts bind its personal value %u differently", run, token.n);
        else if (!said && (*token.commitment || !json_object_get(a->tokens, key)))
            json_object_set_new(a->tokens, key, *token.commitment ? json_string(token.commitment) : json_null());
    }
}

void audit_personal(struct audit *a, const char *run, int64_t n, struct audit_text salt, const char *value, size_t len)
{
    unsigned char commitment[HASH_LEN];
    char key[32], number[24], hex[2 * HASH_LEN + 1];
    const char *said;

    snprintf(key, sizeof(key), "%s %lld", run, (long long)n);
    snprintf(number, sizeof(number), "%lld", (long long)n);
    said = ft_json_str(a->tokens, key);
    if (!value) {
        a->personal_deleted++;
        if (!json_object_get(json_object_get(a->forgotten, run), number))
            audit_find(a, run, 0, 0, "run %s: its personal value %lld was deleted, and no seal says so", run, (long long)n);
    } else {
        a->personal++;
        personal_commit((const unsigned char *)salt.text, salt.len, value, len, commitment);
        hex_of(commitment, HASH_LEN, hex);
        if (said && (salt.len != SALT_LEN || !ft_streq(said, hex)))
            audit_find(a, run, 0, 0, "run %s: its personal value %lld is not what was written", run, (long long)n);
        else if (!said && json_object_get(a->tokens, key))
            audit_find(a, run, 0, 0, "run %s: no text binds its personal value %lld", run, (long long)n);
    }
    json_object_del(a->tokens, key);
}

static void check_row(struct audit *a, const struct audit_text columns[RUN_COLUMN_COUNT])
{
    const json_t *mark = newest_mark(a);
    const char *texts[RUN_COLUMN_COUNT];
    size_t lens[RUN_COLUMN_COUNT];
    unsigned char digest[HASH_LEN];
    char hex[2 * HASH_LEN + 1];
    int64_t seal = json_integer_value(json_array_get(mark, 3));

    for (size_t i = 0; i < RUN_COLUMN_COUNT; i++) {
        texts[i] = columns[i].text;
        lens[i] = columns[i].len;
    }
    row_digest(texts, lens, RUN_COLUMN_COUNT, digest);
    hex_of(digest, HASH_LEN, hex);
    if (mark && !ft_streq(json_string_value(json_array_get(mark, 2)), hex))
        audit_find(a, a->run, 0, seal, "run %s: what `fettle runs` shows of it (status, outcome, summary, …) is not what seal %lld covers", a->run, (long long)seal);
    else if (!mark && !is_running(&columns[4]) && (a->seals || a->must_seal))
        audit_find(a, a->run, 0, 0, "run %s is '%.*s' and no seal covers it", a->run, (int)columns[4].len, columns[4].text);
}

void audit_run(struct audit *a, const struct audit_text columns[RUN_COLUMN_COUNT])
{
    snprintf(a->run, sizeof(a->run), "%.*s", (int)columns[0].len, columns[0].text);
    a->runs++;
    a->open = true;
    a->marks = json_object_get(a->sealed, a->run);
    a->mark = 0;
    a->seq = a->bad_from = 0;
    a->runs_on = is_running(&columns[4]);
    chain_seed(strlen(a->run) == 8 ? a->run : "", a->hash);
    json_object_set_new(a->seen_runs, a->run, json_true());
    check_row(a, columns);
    take_tokens(a, a->run, columns[8]);
    take_tokens(a, a->run, columns[9]);
}

/* Seals below this event that name another hash than its chain gives; those of a chain that is broken already say nothing new. */
static void check_marks(struct audit *a)
{
    char hex[2 * HASH_LEN + 1];
    const json_t *mark;

    hex_of(a->hash, HASH_LEN, hex);
    while ((mark = json_array_get(a->marks, a->mark)) && json_integer_value(json_array_get(mark, 0)) <= (json_int_t)a->seq) {
        long long seal = json_integer_value(json_array_get(mark, 3)), seq = json_integer_value(json_array_get(mark, 0));

        if (seq == (long long)a->seq && !a->bad_from && !ft_streq(json_string_value(json_array_get(mark, 1)), hex)) {
            audit_find(a, a->run, a->seq, seal, "run %s, event %llu: its history up to there is not the one that seal %lld covers", a->run, (unsigned long long)a->seq, seal);
            a->bad_from = a->seq;
        }
        a->mark++;
    }
}

/* What the first event says of the seal before it. */
static void check_binding(struct audit *a, const json_t *event)
{
    const char *bound = ft_json_str(event, "seal"), *hash;
    char number[24];

    if (!bound || a->part)
        return;
    snprintf(number, sizeof(number), "%.*s", (int)strcspn(bound, " "), bound);
    hash = ft_json_str(a->seal_hashes, number);
    if (!ft_streq(hash, bound + strcspn(bound, " ") + (strchr(bound, ' ') != NULL)))
        audit_find(a, a->run, 1, 0, "run %s began behind seal %s, which is not there as it was", a->run, number);
}

static void want_blob(struct audit *a, const char *digest)
{
    if (digest && strlen(digest) == 64)
        json_object_set_new(a->blobs_wanted, digest, json_string(a->run));
}

/* Large members lie beside, see store.c; a plugin's own {"$blob": …} names nothing of 64 digits. */
void audit_references(struct audit *a, uint64_t seq, struct audit_text text)
{
    const char *key;
    json_t *event, *member;

    if (seq > 1 && !memmem(text.text, text.len, "{\"$blob\":\"", 10))
        return;
    if (ft_json_parse(text.text, text.len, 0, &event, NULL) < 0)
        return;
    json_object_foreach(event, key, member)
        if (json_object_size(member) == 1)
            want_blob(a, ft_json_str(member, "$blob"));
    if (seq == 1) {
        want_blob(a, ft_json_str(event, "sources"));
        check_binding(a, event);
    }
    json_decref(event);
}

void audit_event(struct audit *a, int64_t seq, struct audit_text text, struct audit_text hash)
{
    a->events++;
    if (a->bad_from)
        return;
    if (seq != (int64_t)a->seq + 1) {
        a->bad_from = a->seq + 1;
        audit_find(a, a->run, a->bad_from, 0, seq == (int64_t)a->seq ? "run %s: behind event %llu stands another of its number" : "run %s: event %llu is missing", a->run,
                   (unsigned long long)(a->bad_from - (seq == (int64_t)a->seq)));
        return;
    }
    a->seq++;
    chain_hash(a->hash, text.text, text.len);
    if (hash.len != HASH_LEN || memcmp(hash.text, a->hash, HASH_LEN) != 0) {
        a->bad_from = a->seq;
        audit_find(a, a->run, a->seq, 0, "run %s: event %llu is not what was written: its hash does not fit", a->run, (unsigned long long)a->seq);
        return;
    }
    check_marks(a);
    audit_references(a, a->seq, text);
    take_tokens(a, a->run, text);
}

void audit_run_end(struct audit *a)
{
    const json_t *mark = newest_mark(a);
    uint64_t sealed = (uint64_t)json_integer_value(json_array_get(mark, 0));

    a->open = false;
    if (a->bad_from)
        return;
    if (sealed > a->seq) {
        long long seal = json_integer_value(json_array_get(mark, 3));

        audit_find(a, a->run, a->seq + 1, seal, "run %s: its events end with %llu, seal %lld covers %llu: the last %llu are missing", a->run,
                   (unsigned long long)a->seq, seal, (unsigned long long)sealed, (unsigned long long)(sealed - a->seq));
    } else if (sealed < a->seq && !a->runs_on && sealed) {
        audit_find(a, a->run, sealed + 1, 0, "run %s: no seal covers what follows its event %llu (up to %llu), though it is not under way: that was not there when it ended or parked",
                   a->run, (unsigned long long)sealed, (unsigned long long)a->seq);
    } else if (sealed < a->seq) {
        json_array_append_new(a->unsealed, json_pack("{s:s, s:I, s:I}", "run", a->run, "from", (json_int_t)sealed + 1, "events", (json_int_t)(a->seq - sealed)));
    }
}

/* ---- beside the runs */

void audit_blob(struct audit *a, const char *digest, struct audit_text bytes)
{
    char is[FT_DIGEST_HEX];

    a->blobs++;
    ft_sha256_hex(bytes.text, bytes.len, is);
    if (!ft_streq(is, digest))
        audit_find(a, ft_json_str(a->blobs_wanted, digest), 0, 0, "what lies under the digest %.12s… is not what was written", digest);
    if (ft_json_str(a->blobs_wanted, digest))
        take_tokens(a, ft_json_str(a->blobs_wanted, digest), bytes);
    json_object_del(a->blobs_wanted, digest);
}

/* A plan whose text was deleted keeps its digest. */
void audit_plan(struct audit *a, const char *digest, struct audit_text text)
{
    const json_t *sealed = json_object_get(a->plan_digests, digest);
    long long seal = json_integer_value(json_array_get(sealed, 1));
    char is[2 * HASH_LEN + 1];

    a->plans++;
    hash_hex(text.text, text.len, is);
    if (!sealed && (a->seals || a->must_seal))
        audit_find(a, NULL, 0, 0, "the plan %.12s… is covered by no seal", digest);
    else if (sealed && !text.len && !json_object_get(a->forgotten_plans, digest))
        audit_find(a, NULL, 0, seal, "the text of the plan %.12s… was deleted, and no seal says so", digest);
    else if (sealed && text.len && !ft_streq(json_string_value(json_array_get(sealed, 0)), is))
        audit_find(a, NULL, 0, seal, "the plan %.12s… is not what was written: seal %lld covers another text", digest, seal);
    json_object_del(a->plan_digests, digest);
}

/* ---- the end */

static void say_missing(struct audit *a)
{
    const char *key;
    json_t *value;

    json_object_foreach(a->sealed, key, value)
        if ((!a->only || ft_streq(a->only, key)) && !a->part && !json_object_get(a->seen_runs, key) && !json_object_get(a->deleted, key))
            audit_find(a, key, 0, json_integer_value(json_array_get(json_array_get(value, 0), 3)), "run %s is missing: seal %lld covers it", key,
                       (long long)json_integer_value(json_array_get(json_array_get(value, 0), 3)));
    json_object_foreach(a->deleted, key, value)
        if (json_object_get(a->seen_runs, key))
            audit_find(a, key, 0, json_integer_value(json_array_get(value, 2)), "run %s is there, though seal %lld says that it was deleted", key,
                       (long long)json_integer_value(json_array_get(value, 2)));
    json_object_foreach(a->blobs_wanted, key, value)
        audit_find(a, json_string_value(value), 0, 0, "run %s: what its events keep beside them under the digest %.12s… is missing", json_string_value(value), key);
    json_object_foreach(a->tokens, key, value) {
        char run[16];

        snprintf(run, sizeof(run), "%.*s", (int)strcspn(key, " "), key);
        audit_find(a, run, 0, 0, "run %s: its personal value %s is missing", run, key + strcspn(key, " ") + 1);
    }
    if (a->only || a->part)
        return;
    json_object_foreach(a->plan_digests, key, value)
        audit_find(a, NULL, 0, json_integer_value(json_array_get(value, 1)), "the plan %.12s… is missing: seal %lld covers it", key,
                   (long long)json_integer_value(json_array_get(value, 1)));
}

json_t *audit_report(struct audit *a)
{
    json_t *report;
    char name[20] = "";

    say_missing(a);
    if (*a->key)
        key_name(a->key, name);
    report = json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:O, s:O}", "ok", json_array_size(a->findings) == 0, "runs", (json_int_t)a->runs, "events", (json_int_t)a->events,
                       "seals", (json_int_t)a->seals, "blobs", (json_int_t)a->blobs, "plans", (json_int_t)a->plans, "deleted_runs", (json_int_t)json_object_size(a->deleted),
                       "unsealed", a->unsealed, "findings", a->findings);
    json_object_set_new(report, "personal", json_pack("{s:I, s:I}", "kept", (json_int_t)a->personal, "deleted", (json_int_t)a->personal_deleted));
    if (a->seals)
        json_object_set_new(report, "last_seal", json_pack("{s:I, s:I, s:s, s:s, s:s}", "n", (json_int_t)a->seal_n, "at", (json_int_t)a->last_ms,
                                                              "hash", a->seal_hash, "key", a->key, "name", name));
    json_object_set_new(report, "keys_lost", json_integer(a->keys_lost));
    if (a->since_ms)
        json_object_set_new(report, "since", json_integer(a->since_ms));
    return report;
}
