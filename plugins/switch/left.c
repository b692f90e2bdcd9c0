/* left.c: see left.h. */
#include "left.h"

#include <string.h>
#include "cli.h"
#include "op.h"

static const json_t *left(struct ft_call *call, const char *key)
{
    return host->abi_minor < 3 || !key ? NULL : host->left(call, key);
}

static json_t *member(json_t *plan, const char *name, json_t *(*make)(void))
{
    json_t *value = json_object_get(plan, name);

    if (!value) {
        value = make();
        json_object_set_new(plan, name, value);
    }
    return value;
}

static void blur(json_t *plan, const char *key)
{
    json_array_append_new(member(plan, "blurs", json_array), json_string(key));
}

/* ---- Junos: lines ---- */

static bool has_word(const char *const *words, const char *word, size_t len)
{
    for (; *words; words++)
        if (strlen(*words) == len && memcmp(*words, word, len) == 0)
            return true;
    return false;
}

/* The key of the part that a path lies in; NULL: it is not within one. */
static const char *key_of(struct ft_call *call, const char *path)
{
    const struct sw *st = host->state(call);
    size_t first = strcspn(path, " "), second = path[first] ? strcspn(path + first + 1, " ") : 0;

    if (strncmp(path, "interfaces", first) != 0 || first != strlen("interfaces"))
        return first ? host->printf(call, "%s/%.*s", st->name, (int)first, path) : NULL;
    return second ? host->printf(call, "%s/%.*s", st->name, (int)(first + 1 + second), path) : NULL;
}

static bool is_at(const char *line, const char *path)
{
    size_t len = strlen(path);

    return strncmp(line, "set ", 4) == 0 && strncmp(line + 4, path, len) == 0 && (line[4 + len] == '\0' || line[4 + len] == ' ');
}

static bool any_at(const json_t *lines, const char *path)
{
    json_t *line;
    size_t i;

    json_array_foreach(lines, i, line)
        if (is_at(json_string_value(line), path))
            return true;
    return false;
}

/* Where the last word of a line begins; what stands in quotes is one. */
static size_t last_word(const char *line)
{
    size_t len = strlen(line);
    const char *quote = len > 1 && line[len - 1] == '"' ? memrchr(line, '"', len - 1) : NULL, *space = strrchr(line, ' ');

    return quote ? (size_t)(quote - line) : space ? (size_t)(space - line) + 1 : 0;
}

/* Junos shows a value in quotes only where it needs them. */
static const char *as_shown(struct ft_call *call, const char *line)
{
    size_t at = last_word(line), len = strlen(line + at);

    if (len < 3 || line[at] != '"' || strspn(line + at + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:-") != len - 2)
        return line;
    return host->printf(call, "%.*s%.*s", (int)at, line, (int)len - 2, line + at + 1);
}

static const char *const one_value[] = { "description", "native-vlan-id", "mtu", "speed", "link-mode", "interface-mode", "port-mode", "vlan-id", "802.3ad", NULL };

/* The word before the last one, which says what kind of statement it is. */
static const char *statement(const char *line, size_t at, size_t *ret_len)
{
    size_t end = at > 1 ? at - 1 : 0, word = end;

    while (word && line[word - 1] != ' ')
        word--;
    *ret_len = end - word;
    return line + word;
}

const char *left_replaced(const json_t *lines, const char *line)
{
    size_t at = last_word(line), len, i;
    const char *word = statement(line, at, &len);
    json_t *other;

    if (!has_word(one_value, word, len))
        return NULL;
    json_array_foreach(lines, i, other)
        if (strncmp(json_string_value(other), line, at) == 0 && last_word(json_string_value(other)) == at && strcmp(json_string_value(other), line) != 0)
            return json_string_value(other);
    return NULL;
}

/* `set` of a statement with one value replaces it, in a list it adds to it; which one it is only the switch knows, but for the usual ones. */
static bool take_set(struct ft_call *call, json_t *lines, const char *typed)
{
    const char *line = as_shown(call, typed);
    static const char *const lists[] = { "members", "address", "interface", NULL }, *const flags[] = { "disable", NULL };
    size_t at = last_word(line), len;
    const char *word = statement(line, at, &len);
    bool one = has_word(one_value, word, len), many = has_word(lists, word, len) || has_word(flags, line + at, strlen(line + at));
    for (size_t i = json_array_size(lines); i-- > 0;) {
        const char *other = json_string_value(json_array_get(lines, i));

        if (strcmp(other, line) == 0)
            return true;
        if (strncmp(line, other, strlen(other)) == 0 && line[strlen(other)] == ' ')
            json_array_remove(lines, i);             /* it was empty so far */
        else if (strncmp(other, line, at) == 0 && last_word(other) == at && one)
            json_array_remove(lines, i);
        else if (strncmp(other, line, at) == 0 && last_word(other) == at && !many)
            return false;
    }
    json_array_append_new(lines, json_string(line));
    return true;
}

static void take_delete(json_t *lines, const char *path)
{
    for (size_t i = json_array_size(lines); i-- > 0;)
        if (is_at(json_string_value(json_array_get(lines, i)), path))
            json_array_remove(lines, i);
}

/* Whether an emptied part stays behind as such, only the switch knows. */
static bool leaves_empty(struct ft_call *call, const json_t *lines, const char *path)
{
    size_t at = last_word(path);

    return at && !any_at(lines, host->printf(call, "%.*s", (int)at - 1, path));
}

static bool take_lines(struct ft_call *call, json_t *lines, const json_t *loaded, const char *part)
{
    json_t *one;
    size_t i;

    json_array_foreach(loaded, i, one) {
        const char *text = json_string_value(one);

        if (strncmp(text, "delete ", 7) == 0)
            take_delete(lines, text + 7);
        else if (is_at(text, part) && !take_set(call, lines, text))
            return false;
    }
    json_array_foreach(loaded, i, one) {
        const char *text = json_string_value(one);

        if (strncmp(text, "delete ", 7) == 0 && strncmp(text + 7, part, strlen(part)) == 0 && leaves_empty(call, lines, text + 7))
            return false;
    }
    return true;
}

const char *left_config(struct ft_call *call, const char *part, const char *config)
{
    const struct sw *st = host->state(call);
    const json_t *loaded = left(call, key_of(call, part));
    struct set_line line;
    json_t *lines;

    if (!loaded)
        return config;
    lines = sw_hold(call, json_array());
    while (config && set_next(&config, &line))
        json_array_append_new(lines, cli_text(line.text, line.len));
    if (take_lines(call, lines, loaded, part))
        return sw_joined(call, lines);
    sw_fail(call, FT_INVALID, "an earlier step changes '%s' of %s, and only the switch can tell what that will come to", part, st->name);
    return NULL;
}

static void left_by_set_lines(struct ft_call *call, json_t *plan, const json_t *lines)
{
    const struct sw *st = host->state(call);
    json_t *leaves = member(plan, "leaves", json_object), *one, *list;
    size_t i;

    json_array_foreach(lines, i, one) {
        const char *text = json_string_value(one), *path = strchr(text, ' '), *key = path ? key_of(call, path + 1) : NULL;
        bool plain = strncmp(text, "set ", 4) == 0 || strncmp(text, "delete ", 7) == 0;

        if (!key) {
            blur(plan, st->name);
        } else if (!plain) {
            blur(plan, key);
        } else {
            list = json_object_get(leaves, key);
            if (!list) {
                const json_t *former = left(call, key);

                list = former ? json_copy((json_t *)former) : json_array();
                json_object_set_new(leaves, key, list);
            }
            json_array_append(list, one);
        }
    }
}

/* ---- elsewhere: facts of a port ---- */

static const char *port_key(struct ft_call *call, const char *port)
{
    const struct sw *st = host->state(call);

    return host->printf(call, "%s/%s", st->name, port);
}

static void set_poe(struct ft_call *call, json_t *facts, bool on)
{
    const struct sw *st = host->state(call);
    const char *config = json_string_value(json_object_get(facts, "config")), *off = st->vendor == &vendor_ios ? "power inline never" : "poe disabled";
    const char *hit = config ? strstr(config, off) : NULL;

    if (!config || !hit != !on)
        return;
    json_object_set_new(facts, "config", json_string(hit ? host->printf(call, "%.*s%s", (int)(hit - config), config, hit + strlen(off))
                                                         : host->printf(call, "%s\n %s\n", config, off)));
}

void left_facts(struct ft_call *call, json_t *facts, const char *was, const char *is)
{
    const struct sw *st = host->state(call);
    const char *path;
    const json_t *will;
    json_t *value;
    const char *name;
    char text[256], rest[8];
    bool off;

    if (!st->vendor->commits) {
        will = left(call, port_key(call, st->port));
        json_object_foreach((json_t *)will, name, value) {
            if (strcmp(name, "poe") == 0)
                set_poe(call, facts, json_is_true(value));
            else
                json_object_set(facts, name, value);
        }
        return;
    }
    if (was == is)
        return;
    path = host->printf(call, "interfaces %s description", st->port);
    json_object_set_new(facts, "description", set_value(is, path, text, sizeof(text)) ? cli_text(text, strlen(text)) : json_null());
    path = host->printf(call, "interfaces %s disable", st->port);
    off = set_value(is, path, rest, sizeof(rest));
    if (off != set_value(was, path, rest, sizeof(rest)))
        json_object_set_new(facts, "admin_up", json_boolean(!off));
}

static void left_fact(struct ft_call *call, json_t *plan, const char *port, const char *name, json_t *value)
{
    const char *key = port_key(call, port);
    json_t *leaves = member(plan, "leaves", json_object), *facts = json_object_get(leaves, key);

    if (!facts) {
        const json_t *former = left(call, key);

        facts = former ? json_copy((json_t *)former) : json_object();
        json_object_set_new(leaves, key, facts);
    }
    json_object_set_new(facts, name, value);
}

void left_by_port(struct ft_call *call, json_t *plan)
{
    const struct sw *st = host->state(call);
    const struct change *c = &st->change;
    bool on = strcmp(json_string_value(c->to) ?: "", "on") == 0;

    member(plan, "leaves", json_object);
    if (c->nothing || c->second)
        return;                                      /* what goes off and comes on again is as it was */
    if (st->vendor->commits)
        left_by_set_lines(call, plan, c->first);
    else if (st->op->kind == OP_SET_VLAN)
        left_fact(call, plan, st->port, "vlan", json_incref((json_t *)c->to));
    else
        left_fact(call, plan, st->port, strcmp(c->path, "PoE") == 0 ? "poe" : "admin_up", json_boolean(on));
}

/* Of lines as they are typed only descriptions are understood. */
static void left_by_typed_lines(struct ft_call *call, json_t *plan, const json_t *lines)
{
    const char *port = NULL;
    json_t *one;
    size_t i;

    member(plan, "leaves", json_object);
    json_array_foreach(lines, i, one) {
        const char *text = json_string_value(one) + strspn(json_string_value(one), " ");

        if (strncmp(text, "interface ", 10) == 0)
            port = text + 10 + strspn(text + 10, " ");
        else if (port && strncmp(text, "description ", 12) == 0)
            left_fact(call, plan, port, "description", json_string(text + 12));
        else if (port && strcmp(text, "exit") != 0)
            blur(plan, port_key(call, port));
    }
}

void left_by_lines(struct ft_call *call, json_t *plan, const json_t *lines)
{
    const struct sw *st = host->state(call);

    if (st->vendor->commits)
        left_by_set_lines(call, plan, lines);
    else
        left_by_typed_lines(call, plan, lines);
}

void left_by_configuration(struct ft_call *call, json_t *plan)
{
    const struct sw *st = host->state(call);

    blur(plan, st->name);
}
