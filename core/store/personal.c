/* personal.c: what names a person's device or account is kept apart from the journal, so that it can be deleted without breaking the chain.
 *
 * Such a value stands in the text of an event (of a row of `runs`, of a large result beside the events) as a token, which JSON takes for an escape that
 * encode.c never writes:   \ue000 n = commitment ;   the first time in a process, and   \ue000 n ;   after that.
 * n counts within the run. The value and a salt lie in the table `personal`; the commitment is the salt's keyed hash of the value: with both it proves the
 * value, without the salt nothing can be guessed from it. Reading puts the values back to the byte; of a deleted one it says "(deleted)".
 *
 * Personal are MAC addresses in every notation, alone or within a longer identifier (a DHCP client's 01:MAC, a DUID, an EUI-64), wherever they stand in a
 * text; the values of members that name a user (user, username, User-Name …), and those values as words of other texts of the run, from there on, in
 * either case and within DOMAIN\NAME and NAME@REALM. Names of those who act with fettle (requester, by, who) are part of the record. */
#include <ctype.h>
#include <sodium.h>
#include <stdio.h>
#include <strings.h>

#include "store/internal.h"

#define TOKEN "\\ue000"
#define TOKEN_LEN 6
#define NAME_MIN 3                    /* shorter ones are kept apart only where they stand, not as words of other texts */
#define ODD_MAX 16                    /* names with spaces that are looked for in texts */
#define NAME_MAX_LEN 512
#define GROUPS_MAX 64                 /* of an identifier with an address in it */

struct value { unsigned n, told; bool is_name; char *text; size_t len; unsigned char commitment[HASH_LEN]; };

struct personal {
    struct value *items;
    size_t count, size;
    unsigned last, generation;        /* newest number; of the text at hand, so that it can be written again */
    json_t *index;                    /* text → place in items */
    json_t *folded;                   /* names in lower case */
    size_t names;
    const struct value *odd[ODD_MAX];
    size_t odd_count;
};

static const char *const name_fields[] = {      /* in lower case, without - and _ */
    "user", "users", "username", "usernames", "lastusername", "userid", "identity", "login", "eapidentity", "outeridentity", "supplicant", "ownername", "email", "mail",
    "upn", "userprincipalname", "samaccountname", "displayname", "caller", NULL,
};
static const char *const record_fields[] = { "requester", "by", "who", "type", NULL };      /* no names in these; addresses all the same */

/* ---- the values of a run */

static bool among(const char *const *names, const char *name)
{
    for (; *names; names++)
        if (ft_streq(*names, name))
            return true;
    return false;
}

/* User-Name, userName and user_name are one. */
static const char *plain_name(const char *key, char buf[32])
{
    size_t n = 0;

    for (; *key; key++) {
        if (*key == '-' || *key == '_')
            continue;
        if (n == 31)
            return "";
        buf[n++] = (char)tolower((unsigned char)*key);
    }
    buf[n] = '\0';
    return buf;
}

enum personal_field personal_field(const struct encoding *e, const char *key)
{
    char buf[32];
    json_t *field;
    size_t i;

    if (among(record_fields, key))
        return FIELD_RECORD;
    json_array_foreach((json_t *)e->fields, i, field)
        if (ft_streq(json_string_value(field), key))
            return FIELD_NAME;
    return among(name_fields, plain_name(key, buf)) ? FIELD_NAME : FIELD_TEXT;
}

static bool is_odd(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (isspace((unsigned char)text[i]))
            return true;
    return false;
}

void personal_commit(const unsigned char *salt, size_t salt_len, const char *text, size_t len, unsigned char ret[HASH_LEN])
{
    crypto_generichash(ret, HASH_LEN, (const unsigned char *)text, len, salt, salt_len);
}

static json_t *folded(const struct personal *p, const char *text, size_t len, bool put)
{
    char low[NAME_MAX_LEN];

    if (len > sizeof(low))
        return NULL;
    for (size_t i = 0; i < len; i++)
        low[i] = (char)tolower((unsigned char)text[i]);
    if (put)
        json_object_setn_new_nocheck(p->folded, low, len, json_true());
    return json_object_getn(p->folded, low, len);
}

static struct value *add(struct personal *p, unsigned n, const char *text, size_t len, bool is_name)
{
    struct value *value;

    if (p->count == p->size) {
        p->size = p->size ? p->size * 2 : 8;
        p->items = ft_realloc(p->items, p->size * sizeof(*p->items));
        p->odd_count = 0;
        for (size_t i = 0; i < p->count && p->odd_count < ODD_MAX; i++)      /* they have moved */
            if (p->items[i].is_name && p->items[i].len >= NAME_MIN && is_odd(p->items[i].text, p->items[i].len))
                p->odd[p->odd_count++] = &p->items[i];
    }
    value = &p->items[p->count];
    *value = (struct value){ .n = n, .text = ft_strndup(text, len), .len = len, .is_name = is_name };
    json_object_setn_new_nocheck(p->index, text, len, json_integer((json_int_t)p->count));
    p->count++;
    if (is_name && len >= NAME_MIN) {
        p->names++;
        folded(p, text, len, true);
        if (p->odd_count < ODD_MAX && is_odd(text, len))
            p->odd[p->odd_count++] = value;
    }
    return value;
}

static struct personal *personal_new(void)
{
    struct personal *p = ft_calloc(1, sizeof(*p));

    p->index = json_object();
    p->folded = json_object();
    p->generation = 1;
    return p;
}

struct personal *personal_free(struct personal *p)
{
    if (!p)
        return NULL;
    for (size_t i = 0; i < p->count; i++)
        free(p->items[i].text);
    free(p->items);
    json_decref(p->index);
    json_decref(p->folded);
    free(p);
    return NULL;
}

static struct value *known(const struct personal *p, const char *text, size_t len)
{
    json_t *at = p->count ? json_object_getn(p->index, text, len) : NULL;

    return at ? &p->items[json_integer_value(at)] : NULL;
}

/* A value of an earlier process, whose salt and number are in the table; "" for a deleted one. */
void personal_load(struct chain *chain, unsigned n, const unsigned char *salt, size_t salt_len, const char *text, size_t len, bool is_name)
{
    struct value *value;

    if (!chain->personal)
        chain->personal = personal_new();
    chain->personal->last = ft_max(chain->personal->last, n);
    if (!salt_len)
        return;
    value = add(chain->personal, n, text, len, is_name);
    personal_commit(salt, salt_len, text, len, value->commitment);
}

/* On the writer's thread. */
static int put(struct ft_store *store, struct op *op, struct ft_err *reterr)
{
    unsigned char salt[SALT_LEN];
    sqlite3_stmt *stmt;
    int r = statement(store, ST_PERSONAL, &stmt, reterr);

    if (r < 0)
        return r;
    hex_to(op->texts[0], salt, SALT_LEN);
    sqlite3_bind_int64(stmt, 1, op->chain->row);
    sqlite3_bind_int64(stmt, 2, (sqlite3_int64)op->seq);
    sqlite3_bind_blob(stmt, 3, salt, SALT_LEN, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 4, op->texts[1], -1, SQLITE_STATIC);
    sqlite3_bind_int(stmt, 5, op->started_ms != 0);
    r = sqlite3_step(stmt);
    sqlite3_reset(stmt);
    if (r == SQLITE_DONE)
        return 0;
    if ((r & 0xff) == SQLITE_CONSTRAINT)
        return op_refuse(op, -ESTALE, "run %s was gone on with by another process", op->chain->id);
    return db_error(store->db, store->path, "write to", reterr);
}

static struct value *new_value(struct encoding *e, const char *text, size_t len, bool is_name)
{
    unsigned char salt[SALT_LEN];
    char hex[2 * SALT_LEN + 1], *copy = ft_strndup(text, len);
    struct value *value;
    struct op *op;

    if (!e->chain->personal)
        e->chain->personal = personal_new();
    value = add(e->chain->personal, ++e->chain->personal->last, text, len, is_name);
    arc4random_buf(salt, sizeof(salt));
    personal_commit(salt, SALT_LEN, text, len, value->commitment);
    hex_of(salt, SALT_LEN, hex);
    op = store_op(put, (const char *[]){ hex, copy }, 2, FT_RIDE);
    op->chain = e->chain;
    op->seq = value->n;
    op->started_ms = is_name;
    op->next = NULL;
    *e->end = op;
    e->end = &op->next;
    free(copy);
    return value;
}

/* ---- writing */

static void add_token(struct encoding *e, struct value *value)
{
    char hex[2 * HASH_LEN + 1];

    if (value->told && !e->whole) {
        ft_buf_addf(e->to, TOKEN "%u;", value->n);
        return;
    }
    hex_of(value->commitment, HASH_LEN, hex);
    ft_buf_addf(e->to, TOKEN "%u=%s;", value->n, hex);
    if (!e->whole)
        value->told = e->chain->personal->generation;
}

/* An event is encoded again when it turns out to be large: what was told with it was not told. */
void personal_again(struct encoding *e)
{
    struct personal *p = e->chain->personal;

    for (size_t i = 0; p && i < p->count; i++)
        if (p->items[i].told == p->generation)
            p->items[i].told = 0;
}

void personal_begin(struct encoding *e)
{
    e->end = &e->first;
    if (e->chain->personal)
        e->chain->personal->generation++;
}

static size_t hex_run(const char *s, size_t len)
{
    size_t n = 0;

    while (n < len && n < 15 && isxdigit((unsigned char)s[n]))
        n++;
    return n;
}

/* ":" "-" "." or a ":" or "-" of a URL. */
static size_t separator(const char *s, size_t len, char *ret)
{
    if (len && (*s == ':' || *s == '-' || *s == '.')) {
        *ret = *s;
        return 1;
    }
    if (len >= 3 && s[0] == '%' && ((s[1] == '3' && (s[2] | 32) == 'a') || (s[1] == '2' && (s[2] | 32) == 'd'))) {
        *ret = '%';
        return 3;
    }
    return 0;
}

/* Groups of so many digits with one separator between them, at least `least` of them; the last one of four may have two (a DHCP client as Cisco has it). 0: none. */
static size_t groups(const char *s, size_t len, size_t digits, size_t least, size_t most, const char *allowed)
{
    size_t at = digits, sep, run, count = 1;
    char first = 0, is;

    for (; count < most; count++) {
        sep = separator(s + at, len - at, &is);
        run = sep && strchr(allowed, is) && (!first || is == first) ? hex_run(s + at + sep, len - at - sep) : 0;
        if (run != digits && !(digits == 4 && run == 2 && count >= least))
            break;
        first = is;
        at += sep + run;
        if (run != digits) {
            count++;
            break;
        }
    }
    return count < least || (at < len && isalnum((unsigned char)s[at])) ? 0 : at;
}

/* Length of a MAC address, or of an identifier with one in it, that begins here, 0 for none. before: what stands in front. */
static size_t mac_at(const char *s, size_t len, const char *before, size_t before_len)
{
    size_t at, run = hex_run(s, len);

    switch (run) {
    case 2: return groups(s, len, 2, 6, GROUPS_MAX, ":-%");
    case 4:
        if (s[4] != '-')
            return groups(s, len, 4, 3, GROUPS_MAX, ".");
        at = groups(s, len, 4, 3, 3, "-");
        return (before_len && before[-1] == '-') || (at < len && s[at] == '-') ? 0 : at;      /* of a UUID */
    case 6: return groups(s, len, 6, 2, 2, "-");
    case 12:
        if (before_len >= 24 && before[-1] == '-' && before[-6] == '-' && before[-11] == '-' && before[-16] == '-')
            return 0;
        break;
    case 14:
        if (s[0] != '0' || s[1] != '1')
            return 0;
        break;
    default: return 0;
    }
    return len > run && isalnum((unsigned char)s[run]) ? 0 : run;
}

static bool in_word(unsigned char c)
{
    return isalnum(c) || c >= 0x80 || c == '_' || c == '.' || c == '@' || c == '\\' || c == '-' || c == '+';
}

/* Where the last @ of a word stands; 0: nowhere. */
static size_t realm_begins(const char *s, size_t n)
{
    const char *at = memrchr(s, '@', n);

    return at ? (size_t)(at - s) : 0;
}

/* Length of a name of the run that begins here. A word may be more than its name: a full stop behind it, a realm. */
static size_t name_at(const struct personal *p, const char *s, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < p->odd_count; i++)
        if (p->odd[i]->len <= len && strncasecmp(p->odd[i]->text, s, p->odd[i]->len) == 0 && (p->odd[i]->len == len || !in_word((unsigned char)s[p->odd[i]->len])))
            return p->odd[i]->len;
    while (n < len && n < NAME_MAX_LEN && in_word((unsigned char)s[n]))
        n++;
    for (; n >= NAME_MIN; n = memchr(".-\\", s[n - 1], 3) ? n - 1 : realm_begins(s, n)) {
        if (folded(p, s, n, false))
            return n;
    }
    return 0;
}

static bool word_begins(const char *text, size_t at)
{
    if (!at || !isalnum((unsigned char)text[at - 1]))
        return true;
    return at >= 3 && text[at - 3] == '%' && isxdigit((unsigned char)text[at - 2]) && isxdigit((unsigned char)text[at - 1]);
}

static size_t personal_at(const struct encoding *e, const char *text, size_t len, size_t at, bool names, bool *is_name)
{
    const struct personal *p = e->chain->personal;
    size_t n = 0;

    *is_name = false;
    if (isxdigit((unsigned char)text[at]) && len - at >= 12)
        n = mac_at(text + at, len - at, text + at, at);
    if (!n && names && p && p->names && (!at || text[at - 1] == '\\' || !in_word((unsigned char)text[at - 1]))) {
        n = name_at(p, text + at, len - at);
        *is_name = n > 0;
    }
    return n;
}

/* The text without quotes. False when nothing in it is personal: then nothing was added. */
bool personal_add_text(struct encoding *e, const char *text, size_t len, bool names)
{
    const struct personal *p = e->chain->personal;
    size_t from = 0, n;
    bool any = false, is_name;

    if (len < 12 && !(names && p && p->names))
        return false;
    for (size_t at = 0; at < len; at += n ? n : 1) {
        n = word_begins(text, at) ? personal_at(e, text, len, at, names, &is_name) : 0;
        if (!n)
            continue;
        struct value *value = e->chain->personal ? known(e->chain->personal, text + at, n) : NULL;

        encode_piece(e->to, text + from, at - from);
        add_token(e, value ? value : new_value(e, text + at, n, is_name));
        from = at + n;
        any = true;
    }
    if (any)
        encode_piece(e->to, text + from, len - from);
    return any;
}

/* The whole text is one value. */
bool personal_add_name(struct encoding *e, const char *text, size_t len)
{
    struct value *value;

    if (!len || memchr(text, '\0', len) || len > NAME_MAX_LEN)
        return false;
    value = e->chain->personal ? known(e->chain->personal, text, len) : NULL;
    add_token(e, value ? value : new_value(e, text, len, true));
    return true;
}

static void learn_one(struct encoding *e, const char *key, const json_t *value)
{
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);

    if (text && len >= NAME_MIN && len <= NAME_MAX_LEN && strlen(text) == len && personal_field(e, key) == FIELD_NAME && !(e->chain->personal && known(e->chain->personal, text, len)))
        new_value(e, text, len, true);
}

/* Names are known before the texts are written in which they may be words. */
void personal_learn(struct encoding *e, const json_t *value)
{
    const char *key;
    json_t *member;
    size_t i;

    if (json_is_array(value)) {
        json_array_foreach(value, i, member)
            if (json_is_object(member) || json_is_array(member))
                personal_learn(e, member);
        return;
    }
    json_object_foreach((json_t *)value, key, member) {
        json_t *item;

        if (json_is_object(member) || json_is_array(member))
            personal_learn(e, member);
        else
            learn_one(e, key, member);
        json_array_foreach(member, i, item)
            learn_one(e, key, item);
    }
}

/* ---- finding one value in a text that has it as it is */

static bool has_word(const char *text, size_t len, const char *word, size_t word_len)
{
    for (size_t at = 0; word_len && at + word_len <= len; at++)
        if (strncasecmp(text + at, word, word_len) == 0 && (!at || !isalnum((unsigned char)text[at - 1])) && (at + word_len == len || !isalnum((unsigned char)text[at + word_len])))
            return true;
    return false;
}

bool personal_mentions(const char *text, size_t len, const char *value, bool (*same)(const char *wanted, const char *value))
{
    struct ft_buf escaped = FT_BUF_INIT(0);
    bool found;
    size_t n;

    encode_piece(&escaped, value, strlen(value));
    found = has_word(text, len, value, strlen(value)) || has_word(text, len, ft_buf_str(&escaped), escaped.len);
    ft_buf_done(&escaped);
    for (size_t at = 0; at + 12 <= len && !found; at += n ? n : 1) {
        n = isxdigit((unsigned char)text[at]) && word_begins(text, at) ? mac_at(text + at, len - at, text + at, at) : 0;
        if (n) {
            char *one = ft_strndup(text + at, n);

            found = same(value, one);
            free(one);
        }
    }
    return found;
}

/* ---- reading */

/* The next token at or behind `text`; a backslash that is itself escaped begins none. */
bool token_next(const char *text, size_t len, struct token *ret)
{
    const char *at = text, *end = text + len, *p;

    while (at < end && (at = memmem(at, (size_t)(end - at), TOKEN, TOKEN_LEN))) {
        size_t slashes = 0;
        unsigned n = 0;

        while (at - slashes > text && at[-(ssize_t)slashes - 1] == '\\')
            slashes++;
        for (p = at + TOKEN_LEN; p < end && isdigit((unsigned char)*p) && n < 100000000; p++)
            n = n * 10 + (unsigned)(*p - '0');
        *ret = (struct token){ .begin = at, .n = n };
        if (p + 1 + 2 * HASH_LEN < end && *p == '=') {
            memcpy(ret->commitment, p + 1, 2 * HASH_LEN);
            p += 1 + 2 * HASH_LEN;
        }
        if (slashes % 2 == 0 && p < end && *p == ';' && n) {
            ret->end = p + 1;
            return true;
        }
        at += TOKEN_LEN;
    }
    return false;
}

/* value: of a number; NULL: deleted. */
void personal_fill(const char *text, size_t len, const char *(*value)(void *arg, unsigned n), void *arg, bool is_json, struct ft_buf *to)
{
    const char *end = text + len;
    struct token token;

    while (token_next(text, (size_t)(end - text), &token)) {
        const char *is = value(arg, token.n);

        is = is ? is : "(deleted)";
        ft_buf_add(to, text, (size_t)(token.begin - text));
        if (is_json)
            encode_piece(to, is, strlen(is));
        else
            ft_buf_adds(to, is);
        text = token.end;
    }
    ft_buf_add(to, text, (size_t)(end - text));
}
