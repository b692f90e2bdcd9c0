#include "playbook/reader.h"
#include <errno.h>
#include <stdarg.h>
#include "base/buf.h"
#include "base/text.h"
#include "base/util.h"

enum { MAX_KEYS = 40 };

/* ---- saying it --------------------------------------------------------------------------------------------------- */

static bool is_said(const struct reader *rd, struct ft_mark mark)
{
    for (size_t i = 0; i < ft_diags_count(rd->diags); i++) {
        const struct ft_diag *diag = ft_diags_get(rd->diags, i);

        if (diag->mark.line == mark.line && diag->mark.column == mark.column && strcmp(diag->source, rd->source) == 0)
            return true;
    }
    return false;
}

void rd_error(const struct reader *rd, struct ft_mark mark, const char *hint, const char *fmt, ...)
{
    struct ft_buf text = FT_BUF_INIT(0);
    va_list ap;

    if (rd->tainted && is_said(rd, mark))
        return;
    va_start(ap, fmt);
    ft_buf_vaddf(&text, fmt, ap);
    va_end(ap);
    ft_diags_add(rd->diags, rd->source, mark, hint, "%s", ft_buf_str(&text));
    ft_buf_done(&text);
}

const char *rd_kind(const struct ft_node *node)
{
    switch (node->kind) {
    case FT_NODE_NULL: return "nothing";
    case FT_NODE_BOOL: return "true or false";
    case FT_NODE_INT: case FT_NODE_REAL: return "a number";
    case FT_NODE_STRING: return "a text";
    case FT_NODE_LIST: return "a list";
    case FT_NODE_MAP: return "a map";
    }
    return "something else";
}

const char *rd_did_you_mean(const char *suggestion, char *buf, size_t len)
{
    if (suggestion)
        snprintf(buf, len, "; did you mean '%s'?", suggestion);
    else
        snprintf(buf, len, "%s", "");
    return buf;
}

struct ft_mark rd_mark(const struct ft_node *node)
{
    return node->key ? node->key_mark : node->mark;
}

struct ft_mark rd_at(const struct ft_node *node)
{
    return node->kind == FT_NODE_NULL ? rd_mark(node) : node->mark;
}

/* ---- maps -------------------------------------------------------------------------------------------------------- */

/* What people write who come from elsewhere. Only said where the right word is a key of the map at hand. */
static const struct { const char *wrong, *right; } habits[] = {
    { "name", "id" }, { "name", "title" }, { "register", "id" }, { "label", "title" }, { "description", "about" }, { "description", "help" },
    { "desc", "help" }, { "if", "when" }, { "condition", "when" }, { "condition", "if" }, { "when", "if" }, { "action", "run" }, { "uses", "run" },
    { "module", "run" }, { "args", "with" }, { "params", "with" }, { "parameters", "params" }, { "parameters", "with" }, { "inputs", "params" },
    { "variables", "vars" }, { "loop", "for_each" }, { "foreach", "for_each" }, { "item", "as" }, { "goto", "then" }, { "next", "then" },
    { "rescue", "on_error" }, { "catch", "on_error" }, { "delay", "every" }, { "interval", "every" }, { "retries", "times" }, { "retries", "retry" },
    { "attempts", "times" }, { "rollback", "undo" }, { "expect", "assume" }, { "choices", "one_of" }, { "enum", "one_of" }, { "items", "of" },
    { "switch", "branch" }, { "tasks", "steps" }, { "results", "outcomes" }, { "message", "say" }, { "sleep", "wait" }, { "prompt", "ask" },
    { "minimum", "min" }, { "maximum", "max" }, { "regex", "pattern" }, { "condition", "until" }, { "deadline", "within" }, { "timeout", "within" },
    { "elseif", "if" }, { "elif", "if" }, { "default", "else" }, { "count", "times" }, { "times", "count" }, { "to", "then" }, { "input", "params" },
    { "text", "say" }, { "print", "say" }, { "fail", "on_error" }, { "on_failure", "on_error" }, { "parallelism", "at_once" },
    { "concurrency", "at_once" }, { "batch", "batches" }, { "mail", "email" }, { "library", "ssh" }, { "uuid", "id" },
};

bool rd_is_key(const struct rd_key *keys, const char *name)
{
    for (; keys->name; keys++)
        if (strcmp(keys->name, name) == 0)
            return true;
    return false;
}

const char *rd_meant(const struct rd_key *keys, const char *wrong)
{
    const char *names[MAX_KEYS];
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(habits); i++)
        if (strcmp(habits[i].wrong, wrong) == 0 && rd_is_key(keys, habits[i].right))
            return habits[i].right;
    for (; keys[n].name && n < MAX_KEYS - 1; n++)
        names[n] = keys[n].name;
    names[n] = NULL;
    return ft_suggest(wrong, names);
}

static bool is_map(const struct reader *rd, const struct ft_node *node, const char *what)
{
    if (node->kind == FT_NODE_MAP)
        return true;
    if (node->kind == FT_NODE_NULL)
        rd_error(rd, rd_mark(node), NULL, "%s is empty", what);
    else
        rd_error(rd, node->mark, NULL, "%s takes `key: value` lines, not %s", what, rd_kind(node));
    return false;
}

void rd_unknown_key(const struct reader *rd, const struct ft_node *member, const char *what, const struct rd_key *keys)
{
    char near[128];

    rd_error(rd, member->key_mark, NULL, "'%s' is no key of %s%s", member->key, what,
             rd_did_you_mean(rd_meant(keys, member->key), near, sizeof(near)));
}

bool rd_has(const struct ft_node *node, const struct rd_key *keys, const char *name)
{
    for (const struct ft_node *member = node->first; member; member = member->next)
        if (strcmp(member->key, name) == 0 || (!rd_is_key(keys, member->key) && ft_streq(rd_meant(keys, member->key), name)))
            return true;
    return false;
}

bool rd_keys(const struct reader *rd, const struct ft_node *node, const char *what, const struct rd_key *keys)
{
    bool ok = true;

    if (!node || !is_map(rd, node, what))
        return false;
    for (const struct ft_node *member = node->first; member; member = member->next) {
        if (rd_is_key(keys, member->key))
            continue;
        rd_unknown_key(rd, member, what, keys);
        ok = false;
    }
    for (const struct rd_key *key = keys; key->name; key++)
        if (key->required && !rd_has(node, keys, key->name)) {
            rd_error(rd, rd_mark(node), NULL, "%s needs `%s:`", what, key->name);
            ok = false;
        }
    return ok;
}

bool rd_object(const struct reader *rd, const struct ft_node *node, const char *what)
{
    return node && is_map(rd, node, what);
}

bool rd_map(const struct reader *rd, const struct ft_node *node, const char *what)
{
    if (!node || !is_map(rd, node, what))
        return false;
    if (node->count == 0)
        rd_error(rd, rd_mark(node), NULL, "%s is empty", what);
    return node->count > 0;
}

bool rd_list(const struct reader *rd, const struct ft_node *node, const char *what)
{
    if (!node)
        return false;
    if (node->kind == FT_NODE_NULL || (node->kind == FT_NODE_LIST && node->count == 0)) {
        rd_error(rd, rd_mark(node), NULL, "%s is empty", what);
        return false;
    }
    if (node->kind != FT_NODE_LIST)
        rd_error(rd, node->mark, NULL, "%s takes a list (lines that begin with `- `), not %s", what, rd_kind(node));
    return node->kind == FT_NODE_LIST;
}

/* ---- scalars ----------------------------------------------------------------------------------------------------- */

const char *rd_text(const struct reader *rd, const struct ft_node *node, const char *what)
{
    if (!node)
        return NULL;
    switch (node->kind) {
    case FT_NODE_STRING:
        if (node->len > 0)
            return node->text;
        rd_error(rd, node->mark, NULL, "%s is an empty text", what);
        return NULL;
    case FT_NODE_NULL:
        rd_error(rd, rd_mark(node), NULL, "%s is empty", what);
        return NULL;
    case FT_NODE_BOOL: case FT_NODE_INT: case FT_NODE_REAL:
        rd_error(rd, node->mark, NULL, "%s takes a text; write \"%s\" in quotes if that is the text", what, node->text);
        return NULL;
    default:
        rd_error(rd, node->mark, NULL, "%s takes a text, not %s", what, rd_kind(node));
        return NULL;
    }
}

const char *rd_constant(const struct reader *rd, const struct ft_node *node, const char *what)
{
    const char *text = rd_text(rd, node, what), *dollar = text ? strstr(text, "${") : NULL;

    if (!dollar)
        return text;
    rd_error(rd, ft_node_mark_at(rd->doc, node, (size_t)(dollar - text), 2), NULL, "%s is a fixed text: ${…} is not read here", what);
    return NULL;
}

bool rd_bool(const struct reader *rd, const struct ft_node *node, const char *what, bool *ret)
{
    if (!node)
        return false;
    if (node->kind != FT_NODE_BOOL) {
        rd_error(rd, rd_at(node), NULL, "%s takes true or false", what);
        return false;
    }
    *ret = strcmp(node->text, "true") == 0;
    return true;
}

bool rd_uint(const struct reader *rd, const struct ft_node *node, const char *what, unsigned min, unsigned max, unsigned *ret)
{
    long long value;

    if (!node)
        return false;
    errno = 0;
    value = node->kind == FT_NODE_INT ? strtoll(node->text, NULL, 10) : -1;
    if (node->kind != FT_NODE_INT || errno || value < (long long)min || value > (long long)max) {
        rd_error(rd, rd_at(node), NULL, "%s takes a whole number from %u to %u", what, min, max);
        return false;
    }
    *ret = (unsigned)value;
    return true;
}

bool rd_real(const struct reader *rd, const struct ft_node *node, const char *what, double min, double max, double *ret)
{
    double value;

    if (!node)
        return false;
    value = node->kind == FT_NODE_INT || node->kind == FT_NODE_REAL ? strtod(node->text, NULL) : min - 1;
    if (!(value >= min && value <= max)) {
        if (min < -1e9)
            rd_error(rd, rd_at(node), NULL, "%s takes a number", what);
        else
            rd_error(rd, rd_at(node), NULL, "%s takes a number from %g to %g", what, min, max);
        return false;
    }
    *ret = value;
    return true;
}

bool rd_duration(const struct reader *rd, const struct ft_node *node, const char *what, uint64_t *ret_ms)
{
    int r;

    if (!node)
        return false;
    if (node->kind == FT_NODE_INT || node->kind == FT_NODE_REAL) {
        rd_error(rd, node->mark, NULL, "%s is a duration, and %s has no unit: write %ss or %sm", what, node->text, node->text, node->text);
        return false;
    }
    if (node->kind != FT_NODE_STRING) {
        rd_error(rd, rd_at(node), NULL, "%s takes a duration: 30s, 5m, 1.5h, 2d", what);
        return false;
    }
    r = ft_duration_parse(node->text, ret_ms);
    if (r == -ERANGE)
        rd_error(rd, node->mark, NULL, "%s is over 366 days", what);
    else if (r < 0)
        rd_error(rd, node->mark, NULL, "%s: '%s' is no duration; write 30s, 5m, 1.5h, 2d", what, node->text);
    else if (*ret_ms == 0)
        rd_error(rd, node->mark, NULL, "%s must be more than 0", what);
    return r == 0 && *ret_ms > 0;
}

static void add_list(struct ft_buf *buf, const char *const *names)
{
    for (size_t i = 0; names[i]; i++)
        ft_buf_addf(buf, "%s%s", i ? ", " : "", names[i]);
}

/* The same for values: words that other tools have for it. */
static const struct { const char *wrong, *right; } words[] = {
    { "integer", "int" }, { "boolean", "bool" }, { "str", "string" }, { "text", "string" }, { "float", "number" }, { "double", "number" }, { "macaddr", "mac" },
    { "macaddress", "mac" }, { "mac_address", "mac" }, { "address", "ip" }, { "ipaddr", "ip" }, { "ip_address", "ip" }, { "network", "cidr" }, { "subnet", "cidr" },
    { "prefix", "cidr" }, { "datetime", "time" }, { "date", "time" }, { "timestamp", "time" }, { "interval", "duration" }, { "array", "list" }, { "choice", "enum" },
    { "select", "enum" }, { "password", "secret" }, { "token", "secret" }, { "success", "ok" }, { "good", "ok" }, { "warning", "attention" }, { "warning", "warn" },
    { "failure", "failed" }, { "error", "failed" }, { "verbose", "debug" }, { "no", "none" },
};

static const char *meant_value(const char *const *names, const char *wrong)
{
    const char *near;

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        for (size_t j = 0; names[j]; j++)
            if (strcmp(words[i].wrong, wrong) == 0 && strcmp(words[i].right, names[j]) == 0)
                return names[j];
    near = ft_suggest(wrong, names);
    return near && (strlen(wrong) > 2 || strcasecmp(wrong, near) == 0) ? near : NULL;      /* P1 is no slip for P5 */
}

bool rd_one_of(const struct reader *rd, const struct ft_node *node, const char *what, const char *const *names, unsigned *ret)
{
    struct ft_buf all = FT_BUF_INIT(2000);
    char near[128];

    if (!node)
        return false;
    for (unsigned i = 0; names[i] && node->kind == FT_NODE_STRING; i++)
        if (strcmp(names[i], node->text) == 0) {
            *ret = i;
            return true;
        }
    ft_buf_addf(&all, "%s %s ", what, names[1] ? "is one of" : "takes only");
    add_list(&all, names);
    if (node->text && node->kind != FT_NODE_NULL)
        rd_error(rd, node->mark, NULL, "%s, not '%s'%s", ft_buf_str(&all), node->text,
                 rd_did_you_mean(names[1] ? meant_value(names, node->text) : NULL, near, sizeof(near)));
    else
        rd_error(rd, rd_at(node), NULL, "%s", ft_buf_str(&all));
    ft_buf_done(&all);
    return false;
}

bool rd_name(const struct reader *rd, const char *text, struct ft_mark mark, const char *what)
{
    if (ft_name_ok(text))
        return true;
    if (strspn(text, "abcdefghijklmnopqrstuvwxyz") == strlen(text))
        rd_error(rd, mark, NULL, "'%s' cannot be %s: it is a word of Lua's", text, what);
    else
        rd_error(rd, mark, NULL, "'%s' cannot be %s: use a-z, 0-9 and _, a letter first", text, what);
    return false;
}
