/* config.c: one switch's configuration as Junos keeps it: the active lines, up to 50 older ones, candidates, a lock, and a commit
 * that takes itself back unless it is confirmed. A line is a `set` command without the word set. */
#include <ctype.h>
#include <time.h>
#include "lab.h"

struct lines { char **at; size_t n, cap; };

struct revision { struct lines lines; double wall; char user[32], via[16], comment[128]; int confirm; };

enum { REVISIONS = 50, TOKENS = 32 };

struct lab_config {
    struct lines active;
    struct revision old[REVISIONS];      /* 0: what rollback 1 brings back */
    int n_old;
    struct revision head;                /* who made the active one; its lines are unused */
    int lock_owner;
    bool unconfirmed;
    struct lines fallback;               /* what an unconfirmed commit goes back to */
    double rollback_at;                  /* wall */
};

struct lab_candidate {
    struct lab_config *config;
    struct lines base, mine;
};

/* ---- lists of lines ---- */

static void lines_clear(struct lines *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->at[i]);
    free(l->at);
    *l = (struct lines){ 0 };
}

static size_t common_prefix(const char *a, const char *b)
{
    size_t i = 0, word = 0;

    for (; a[i] && a[i] == b[i]; i++)
        if (a[i] == ' ')
            word = i;
    return a[i] == b[i] || (!a[i] && b[i] == ' ') ? i : word;
}

/* Beside its nearest relative, so that what belongs together stays together. */
static void lines_insert(struct lines *l, const char *text)
{
    size_t best = 0, where = l->n;

    for (size_t i = 0; i < l->n; i++) {
        size_t c = common_prefix(text, l->at[i]);

        if (strcmp(text, l->at[i]) == 0)
            return;
        if (c > 0 && c >= best)
            best = c, where = i + 1;
    }
    if (l->n == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 64;
        l->at = ft_realloc(l->at, l->cap * sizeof(*l->at));
    }
    memmove(l->at + where + 1, l->at + where, (l->n - where) * sizeof(*l->at));
    l->at[where] = ft_strdup(text);
    l->n++;
}

static void lines_copy(struct lines *to, const struct lines *from)
{
    lines_clear(to);
    to->n = to->cap = from->n;
    to->at = ft_calloc(from->n + 1, sizeof(*to->at));
    for (size_t i = 0; i < from->n; i++)
        to->at[i] = ft_strdup(from->at[i]);
}

static bool lines_have(const struct lines *l, const char *text)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->at[i], text) == 0)
            return true;
    return false;
}

static bool below(const char *line, const char *prefix)
{
    size_t n = strlen(prefix);

    return strncmp(line, prefix, n) == 0 && (line[n] == '\0' || line[n] == ' ' || n == 0);
}

static size_t lines_remove(struct lines *l, const char *prefix)
{
    size_t kept = 0, n = l->n;

    for (size_t i = 0; i < n; i++)
        if (below(l->at[i], prefix))
            free(l->at[i]);
        else
            l->at[kept++] = l->at[i];
    l->n = kept;
    return n - kept;
}

static bool lines_equal(const struct lines *a, const struct lines *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!lines_have(b, a->at[i]))
            return false;
    return true;
}

/* ---- words ---- */

/* Splits at blanks outside "…". The words lie in buf. */
static int split(const char *text, char *buf, size_t size, const char **words)
{
    int n = 0;
    size_t o = 0;

    while (n < TOKENS) {
        bool quoted = false;

        while (isspace((unsigned char)*text))
            text++;
        if (!*text)
            break;
        words[n++] = buf + o;
        for (; *text && (quoted || !isspace((unsigned char)*text)); text++) {
            quoted = *text == '"' ? !quoted : quoted;
            if (o + 2 < size)
                buf[o++] = *text;
        }
        buf[o++] = '\0';
    }
    return n;
}

static bool is_one_of(const char *word, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(*list, word) == 0)
            return true;
    return false;
}

static const char *const single[] = { "description", "native-vlan-id", "interface-mode", "vlan-id", "l3-interface", "host-name", "mtu",
    "speed", "maximum-power", "link-mode", "priority", "contact", "location", "domain-name", "time-zone", NULL };
static const char *const takes_name[] = { "unit", "family", "interface", "server", "address", "members", "user", "group", NULL };
static const char *const top_level[] = { "access", "apply-groups", "chassis", "class-of-service", "ethernet-switching-options", "event-options",
    "firewall", "forwarding-options", "groups", "interfaces", "poe", "policy-options", "protocols", "routing-instances", "routing-options",
    "security", "snmp", "switch-options", "system", "virtual-chassis", "vlans", NULL };

/* Words of one level of the hierarchy: "unit 0", "family ethernet-switching", "vlan", "members staff". */
static int level_words(const char *const *words, int n)
{
    return n > 1 && (is_one_of(words[0], single) || is_one_of(words[0], takes_name)) ? 2 : 1;
}

static void join_words(const char *const *words, int n, char *ret, size_t len)
{
    ret[0] = '\0';
    for (int i = 0; i < n; i++)
        snprintf(ret + strlen(ret), len - strlen(ret), "%s%s", i ? " " : "", words[i]);
}

/* ---- reading ---- */

struct lab_config *lab_config_new(void)
{
    struct lab_config *config = ft_calloc(1, sizeof(*config));

    snprintf(config->head.user, sizeof(config->head.user), "root");
    snprintf(config->head.via, sizeof(config->head.via), "other");
    return config;
}

struct lab_config *lab_config_free(struct lab_config *config)
{
    if (!config)
        return NULL;
    lines_clear(&config->active);
    lines_clear(&config->fallback);
    for (int i = 0; i < config->n_old; i++)
        lines_clear(&config->old[i].lines);
    free(config);
    return NULL;
}

static void set_line(struct lines *l, const char *text);

void lab_config_line(struct lab_config *config, const char *line)
{
    set_line(&config->active, line);
}

bool lab_config_has(const struct lab_config *config, const char *fmt, ...)
{
    char text[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    for (size_t i = 0; i < config->active.n; i++)
        if (below(config->active.at[i], text))
            return true;
    return false;
}

const char *lab_config_value(const struct lab_config *config, const char *prefix)
{
    size_t n = strlen(prefix);

    for (size_t i = 0; i < config->active.n; i++)
        if (below(config->active.at[i], prefix) && config->active.at[i][n] == ' ')
            return config->active.at[i] + n + 1;
    return NULL;
}

void lab_config_each(const struct lab_config *config, const char *prefix, void (*each)(void *, const char *), void *arg)
{
    size_t n = strlen(prefix);

    for (size_t i = 0; i < config->active.n; i++)
        if (below(config->active.at[i], prefix))
            each(arg, config->active.at[i][n] ? config->active.at[i] + n + 1 : "");
}

json_t *lab_config_json(const struct lab_config *config)
{
    json_t *list = json_array();

    for (size_t i = 0; i < config->active.n; i++)
        json_array_append_new(list, json_sprintf("set %s", config->active.at[i]));
    return list;
}

bool lab_config_lock(struct lab_config *config, int owner)
{
    if (config->lock_owner && config->lock_owner != owner)
        return false;
    config->lock_owner = owner;
    return true;
}

int lab_config_lock_owner(const struct lab_config *config)
{
    return config->lock_owner;
}

void lab_config_unlock(struct lab_config *config, int owner)
{
    if (config->lock_owner == owner)
        config->lock_owner = 0;
}

/* ---- set and delete ---- */

/* One statement; a value that there can be only one of replaces the one before. */
static void set_one(struct lines *l, const char *const *words, int n)
{
    char text[512], prefix[512];

    if (n >= 2 && is_one_of(words[n - 2], single)) {
        join_words(words, n - 1, prefix, sizeof(prefix));
        lines_remove(l, prefix);
    }
    join_words(words, n, text, sizeof(text));
    lines_insert(l, text);
}

/* "members [ a b ]" is two statements. Calls do_one for each. */
static void for_statements(struct lines *l, const char *const *words, int n, void (*do_one)(struct lines *, const char *const *, int))
{
    const char *one[TOKENS];
    int open = 0;

    while (open < n && strcmp(words[open], "[") != 0)
        open++;
    memcpy(one, words, sizeof(*one) * (size_t)open);
    if (open == n) {
        do_one(l, one, n);
        return;
    }
    for (int i = open + 1; i < n && strcmp(words[i], "]") != 0; i++) {
        one[open] = words[i];
        do_one(l, one, open + 1);
    }
}

static void set_line(struct lines *l, const char *text)
{
    char buf[1024];
    const char *words[TOKENS];
    int n = split(text, buf, sizeof(buf), words);

    for_statements(l, words, n, set_one);
}

int lab_candidate_set(struct lab_candidate *cand, const char *text)
{
    char buf[1024];
    const char *words[TOKENS];
    int n = split(text, buf, sizeof(buf), words);

    if (n < 2 || strlen(text) > 500 || !is_one_of(words[0], top_level))
        return -EINVAL;
    if (is_one_of(words[n - 1], single) || strcmp(words[n - 1], "members") == 0)
        return -EINVAL;                              /* a statement that wants a value */
    for_statements(&cand->mine, words, n, set_one);
    return 0;
}

static void delete_one(struct lines *l, const char *const *words, int n)
{
    char text[512];

    join_words(words, n, text, sizeof(text));
    lines_remove(l, text);
}

int lab_candidate_delete(struct lab_candidate *cand, const char *text)
{
    char buf[1024];
    const char *words[TOKENS];
    int n = split(text, buf, sizeof(buf), words);
    size_t before = cand->mine.n;

    if (n < 1 || strlen(text) > 500 || !is_one_of(words[0], top_level))
        return -EINVAL;
    for_statements(&cand->mine, words, n, delete_one);
    return cand->mine.n < before ? 0 : -ENOENT;
}

/* ---- printing as hierarchy ---- */

struct printer { struct ft_buf *out; const char *sign; };

static void put_line(const struct printer *p, int depth, const char *text, const char *end)
{
    ft_buf_addf(p->out, "%s%*s%s%s\n", p->sign, depth * 4 - (p->sign[0] ? 1 : 0), "", text, end);
}

/* The level that starts at byte `at` of the line; returns the byte where the next one starts. */
static size_t level_at(const char *line, size_t at, char *ret, size_t len)
{
    char buf[1024];
    const char *words[TOKENS];
    int n = split(line + at, buf, sizeof(buf), words), take = n ? level_words(words, n) : 0;

    join_words(words, take, ret, len);
    at += strlen(ret);
    return line[at] == ' ' ? at + 1 : at;
}

static void print_members(const struct printer *p, char **lines, size_t n, size_t at, int depth, bool *done)
{
    char text[1024] = "members";
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        if (strncmp(lines[i] + at, "members ", 8) != 0)
            continue;
        done[i] = true;
        count++;
    }
    if (count > 1)
        strcat(text, " [");
    for (size_t i = 0; i < n; i++)
        if (strncmp(lines[i] + at, "members ", 8) == 0)
            snprintf(text + strlen(text), sizeof(text) - strlen(text), " %s", lines[i] + at + 8);
    put_line(p, depth, text, count > 1 ? " ];" : ";");
}

static void print_level(const struct printer *p, char **lines, size_t n, size_t at, int depth)
{
    bool *done = ft_calloc(n + 1, sizeof(*done));
    char **group = ft_calloc(n + 1, sizeof(*group));
    char level[300], other[300];

    for (size_t i = 0; i < n; i++) {
        size_t next, count = 0;

        if (done[i] || !lines[i][at])
            continue;
        if (strncmp(lines[i] + at, "members ", 8) == 0) {
            print_members(p, lines, n, at, depth, done);
            continue;
        }
        next = level_at(lines[i], at, level, sizeof(level));
        for (size_t j = i; j < n; j++) {
            level_at(lines[j], at, other, sizeof(other));
            if (done[j] || strcmp(other, level) != 0)
                continue;
            done[j] = true;
            if (lines[j][at + strlen(level)])
                group[count++] = lines[j];
        }
        if (count == 0) {
            put_line(p, depth, level, ";");
            continue;
        }
        put_line(p, depth, level, " {");
        print_level(p, group, count, next, depth + 1);
        put_line(p, depth, "}", "");
    }
    free(done);
    free(group);
}

void lab_config_show(const struct lab_config *config, const struct lab_candidate *cand, const char *path, bool as_set, struct ft_buf *out)
{
    const struct lines *l = cand ? &cand->mine : &config->active;
    char **group = ft_calloc(l->n + 1, sizeof(*group));
    struct printer p = { .out = out, .sign = "" };
    size_t n = 0, at = strlen(path);

    for (size_t i = 0; i < l->n; i++) {
        if (!below(l->at[i], path))
            continue;
        if (as_set)
            ft_buf_addf(out, "set %s\n", l->at[i]);
        else if (l->at[i][at])
            group[n++] = l->at[i];
    }
    if (n)
        print_level(&p, group, n, at ? at + 1 : 0, 0);
    free(group);
}

/* ---- candidates ---- */

struct lab_candidate *lab_candidate_open(struct lab_config *config, bool private_copy)
{
    struct lab_candidate *cand = ft_calloc(1, sizeof(*cand));

    (void)private_copy;                              /* every candidate is merged at commit; only the lock differs */
    cand->config = config;
    lines_copy(&cand->base, &config->active);
    lines_copy(&cand->mine, &config->active);
    return cand;
}

struct lab_candidate *lab_candidate_free(struct lab_candidate *cand)
{
    if (!cand)
        return NULL;
    lines_clear(&cand->base);
    lines_clear(&cand->mine);
    free(cand);
    return NULL;
}

int lab_candidate_rollback(struct lab_candidate *cand, unsigned n)
{
    if (n > (unsigned)cand->config->n_old)
        return -ENOENT;
    lines_copy(&cand->mine, n ? &cand->config->old[n - 1].lines : &cand->config->active);
    if (n == 0)
        lines_copy(&cand->base, &cand->config->active);
    return 0;
}

void lab_candidate_clear(struct lab_candidate *cand)
{
    lines_clear(&cand->mine);
}

bool lab_candidate_changed(const struct lab_candidate *cand)
{
    return !lines_equal(&cand->base, &cand->mine);
}

json_t *lab_candidate_commands(const struct lab_candidate *cand)
{
    json_t *list = json_array();

    for (size_t i = 0; i < cand->base.n; i++)
        if (!lines_have(&cand->mine, cand->base.at[i]))
            json_array_append_new(list, json_sprintf("delete %s", cand->base.at[i]));
    for (size_t i = 0; i < cand->mine.n; i++)
        if (!lines_have(&cand->base, cand->mine.at[i]))
            json_array_append_new(list, json_sprintf("set %s", cand->mine.at[i]));
    return list;
}

static bool lines_have_below(const struct lines *l, const char *prefix)
{
    for (size_t i = 0; i < l->n; i++)
        if (below(l->at[i], prefix))
            return true;
    return false;
}

/* The innermost container of the line that both sides have. */
static size_t anchor_of(const char *line, const struct lines *a, const struct lines *b, char *ret, size_t len)
{
    size_t at = 0, best = 0;
    char level[300];

    ret[0] = '\0';
    for (;;) {
        size_t next = level_at(line, at, level, sizeof(level));

        if (!line[at] || !line[next])
            return best;
        snprintf(ret, len, "%.*s", (int)(next - 1), line);
        if (!lines_have_below(a, ret) || !lines_have_below(b, ret)) {
            snprintf(ret, len, "%.*s", best ? (int)best - 1 : 0, line);
            return best;
        }
        best = at = next;
    }
}

/* What is only in `from`, below the anchor, with the sign. */
static void compare_side(const struct lab_candidate *cand, const struct lines *from, const struct lines *other, const char *anchor,
                         const char *sign, struct ft_buf *out)
{
    char **group = ft_calloc(from->n + 1, sizeof(*group));
    struct printer p = { .out = out, .sign = sign };
    char mine[512];
    size_t n = 0;

    for (size_t i = 0; i < from->n; i++)
        if (!lines_have(other, from->at[i])) {
            anchor_of(from->at[i], &cand->base, &cand->mine, mine, sizeof(mine));
            if (strcmp(mine, anchor) == 0)
                group[n++] = from->at[i];
        }
    if (n)
        print_level(&p, group, n, anchor[0] ? strlen(anchor) + 1 : 0, 1);
    free(group);
}

void lab_candidate_compare(const struct lab_candidate *cand, struct ft_buf *out)
{
    const struct lines *sides[2] = { &cand->base, &cand->mine };
    struct lines seen = { 0 };
    char anchor[512];

    for (int s = 0; s < 2; s++)
        for (size_t i = 0; i < sides[s]->n; i++) {
            if (lines_have(sides[1 - s], sides[s]->at[i]))
                continue;
            anchor_of(sides[s]->at[i], &cand->base, &cand->mine, anchor, sizeof(anchor));
            if (lines_have(&seen, anchor))
                continue;
            lines_insert(&seen, anchor);
            ft_buf_addf(out, "[edit%s%s]\n", anchor[0] ? " " : "", anchor);
            compare_side(cand, &cand->base, &cand->mine, anchor, "-", out);
            compare_side(cand, &cand->mine, &cand->base, anchor, "+", out);
        }
    lines_clear(&seen);
}

void lab_candidate_differ(const struct lab_candidate *from, const struct lab_candidate *to, struct ft_buf *out)
{
    struct lab_candidate pair = { .config = to->config, .base = from->mine, .mine = to->mine };

    lab_candidate_compare(&pair, out);
}

/* ---- check and commit ---- */

static bool vlan_known(const struct lines *l, const char *name)
{
    char line[160];

    snprintf(line, sizeof(line), "vlans %s", name);
    if (strcmp(name, "all") == 0 || lines_have_below(l, line))
        return true;
    for (size_t i = 0; i < l->n; i++) {
        const char *id = strstr(l->at[i], " vlan-id ");

        if (below(l->at[i], "vlans") && id && strcmp(id + 9, name) == 0)
            return true;
    }
    return false;
}

static int check_member(const struct lines *l, const char *line, struct ft_buf *out)
{
    const char *mark = " unit 0 family ethernet-switching vlan members ", *at = strstr(line, mark), *name;
    char port[40], access[160];
    size_t others = 0;

    if (!at || strncmp(line, "interfaces ", 11) != 0)
        return 0;
    name = at + strlen(mark);
    snprintf(port, sizeof(port), "%.*s", (int)(at - line - 11), line + 11);
    if (!vlan_known(l, name)) {
        ft_buf_addf(out, "[edit interfaces %s unit 0 family ethernet-switching vlan]\n  'members %s'\n    No vlan matches vlan tag %s for interface %s.0\n",
                    port, name, name, port);
        return -EINVAL;
    }
    snprintf(access, sizeof(access), "interfaces %s unit 0 family ethernet-switching interface-mode access", port);
    for (size_t i = 0; i < l->n; i++)
        others += strncmp(l->at[i], line, (size_t)(name - line)) == 0;
    if (others > 1 && lines_have(l, access)) {
        ft_buf_addf(out, "[edit interfaces %s unit 0 family ethernet-switching]\n  'vlan'\n    Access interface <%s.0> has more than one vlan member\n", port, port);
        return -EINVAL;
    }
    return 0;
}

int lab_candidate_check(const struct lab_candidate *cand, struct ft_buf *out)
{
    for (size_t i = 0; i < cand->mine.n; i++)
        if (check_member(&cand->mine, cand->mine.at[i], out) < 0) {
            ft_buf_adds(out, "error: configuration check-out failed\n");
            return -EINVAL;
        }
    return 0;
}

/* The active lines become history. */
static void keep_revision(struct lab_config *config)
{
    if (config->n_old == REVISIONS)
        lines_clear(&config->old[--config->n_old].lines);
    memmove(config->old + 1, config->old, sizeof(*config->old) * (size_t)config->n_old);
    config->n_old++;
    config->old[0] = config->head;
    config->old[0].lines = (struct lines){ 0 };
    lines_copy(&config->old[0].lines, &config->active);
}

static void note_head(struct lab *lab, struct lab_config *config, const char *user, const char *via, const char *comment, int confirm)
{
    struct revision *head = &config->head;

    head->wall = lab->wall;
    head->confirm = confirm;
    snprintf(head->user, sizeof(head->user), "%s", user);
    snprintf(head->via, sizeof(head->via), "%s", via);
    snprintf(head->comment, sizeof(head->comment), "%s", comment ? comment : "");
}

static void not_confirmed(struct lab *lab, int sw, int unused)
{
    struct lab_config *config = lab->switches[sw].config;

    (void)unused;
    keep_revision(config);
    lines_copy(&config->active, &config->fallback);
    config->unconfirmed = false;
    note_head(lab, config, "root", "other", "rolled back: not confirmed", 0);
    lab_device_event(lab, "switch", lab->switches[sw].mac, "SW_CONFIG_REVERTED", NULL);
    lab_switch_changed(lab, sw);
}

void lab_config_revert(struct lab *lab, int sw)
{
    if (!lab->switches[sw].config->unconfirmed)
        return;
    lab_drop_timers(lab, not_confirmed, sw);
    not_confirmed(lab, sw, 0);
}

static void merge(struct lab_config *config, const struct lab_candidate *cand)
{
    for (size_t i = 0; i < cand->base.n; i++)
        if (!lines_have(&cand->mine, cand->base.at[i]))
            lines_remove(&config->active, cand->base.at[i]);
    for (size_t i = 0; i < cand->mine.n; i++)
        if (!lines_have(&cand->base, cand->mine.at[i]))
            set_line(&config->active, cand->mine.at[i]);
}

void lab_candidate_commit(struct lab *lab, int sw, struct lab_candidate *cand, int confirm_minutes, const char *user, const char *comment)
{
    struct lab_config *config = cand->config;

    if (confirm_minutes > 0 && !config->unconfirmed)
        lines_copy(&config->fallback, &config->active);
    keep_revision(config);
    merge(config, cand);
    lab_drop_timers(lab, not_confirmed, sw);
    config->unconfirmed = confirm_minutes > 0;
    if (config->unconfirmed) {
        config->rollback_at = lab->wall + confirm_minutes * 60;
        lab_after_wall(lab, confirm_minutes * 60, not_confirmed, sw, 0);
    }
    note_head(lab, config, user, "cli", comment, confirm_minutes);
    lines_copy(&cand->base, &config->active);
    lines_copy(&cand->mine, &config->active);
    lab_switch_changed(lab, sw);
}

bool lab_config_unconfirmed(const struct lab_config *config)
{
    return config->unconfirmed;
}

double lab_config_rollback_in(const struct lab *lab, int sw)
{
    const struct lab_config *config = lab->switches[sw].config;

    return config->unconfirmed ? config->rollback_at - lab->wall : 0;
}

void lab_config_confirm(struct lab *lab, int sw, const char *user, const char *comment)
{
    struct lab_config *config = lab->switches[sw].config;

    lab_drop_timers(lab, not_confirmed, sw);
    config->unconfirmed = false;
    keep_revision(config);
    note_head(lab, config, user, "cli", comment, 0);
}

void lab_config_push(struct lab *lab, int sw, const char *const *set, const char *const *del, const char *by)
{
    struct lab_config *config = lab->switches[sw].config;
    struct lines wanted = { 0 };

    lines_copy(&wanted, &config->active);
    for (; del && *del; del++)
        lines_remove(&wanted, *del);
    for (; set && *set; set++)
        set_line(&wanted, *set);
    if (!lines_equal(&wanted, &config->active)) {
        keep_revision(config);
        lines_copy(&config->active, &wanted);
        note_head(lab, config, by, "netconf", "", 0);
        lab_device_event(lab, "switch", lab->switches[sw].mac, "SW_CONFIGURED", NULL);
        lab_switch_changed(lab, sw);
    }
    lines_clear(&wanted);
}

/* ---- show system commit ---- */

static void history_line(const struct revision *r, int n, struct ft_buf *out)
{
    time_t secs = (time_t)r->wall;
    struct tm tm;
    char when[32];

    gmtime_r(&secs, &tm);
    strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &tm);
    ft_buf_addf(out, "%-3d %s by %s via %s", n, when, r->user, r->via);
    if (r->confirm)
        ft_buf_addf(out, " commit confirmed, rollback in %dmins", r->confirm);
    ft_buf_adds(out, "\n");
    if (r->comment[0])
        ft_buf_addf(out, "    %s\n", r->comment);
}

void lab_config_history(const struct lab_config *config, struct ft_buf *out)
{
    history_line(&config->head, 0, out);
    for (int i = 0; i < config->n_old; i++)
        history_line(&config->old[i], i + 1, out);
}
