/* netconf.c: one NETCONF session of a switch, in the manner of Junos: the same configuration, candidates, lock, commits and history as its
 * command line has. With what Junos does besides the standard: a comment before its hello, text in lines of its own, errors within results and
 * without message-id, warnings beside answers, a banner behind those of a virtual chassis, minutes in <commit-configuration>.
 *
 * What it does not have: <get>, <get-config> and <edit-config>, since the lab keeps configurations as set lines. */
#include <ctype.h>
#include <strings.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include "lab.h"

struct lab_netconf {
    struct lab *lab;
    int sw, number;
    char from[64];
    struct lab_candidate *candidate;      /* from the first load on, until it is committed or discarded */
    bool locked;
};

static struct lab_config *the_config(const struct lab_netconf *s)
{
    return s->lab->switches[s->sw].config;
}

struct lab_netconf *lab_netconf_new(struct lab *lab, int sw, int number, const char *from)
{
    struct lab_netconf *s = ft_calloc(1, sizeof(*s));

    s->lab = lab;
    s->sw = sw;
    s->number = number;
    snprintf(s->from, sizeof(s->from), "%s", from);
    return s;
}

static void discard(struct lab_netconf *s)
{
    s->candidate = lab_candidate_free(s->candidate);
}

struct lab_netconf *lab_netconf_free(struct lab_netconf *s)
{
    if (!s)
        return NULL;
    discard(s);
    lab_config_unlock(the_config(s), s->number);
    free(s);
    return NULL;
}

int lab_netconf_switch(const struct lab_netconf *s)
{
    return s->sw;
}

/* A virtual chassis runs an old release here: 1.0 only. */
void lab_netconf_hello(const struct lab_netconf *s, struct ft_buf *out)
{
    ft_buf_adds(out, "<!-- No zombies were killed during the creation of this user interface -->\n<!-- user lab, class j-super-user -->\n"
                "<hello xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">\n  <capabilities>\n    <capability>urn:ietf:params:netconf:base:1.0</capability>\n");
    if (!s->lab->switches[s->sw].vc)
        ft_buf_adds(out, "    <capability>urn:ietf:params:netconf:base:1.1</capability>\n");
    ft_buf_addf(out, "    <capability>urn:ietf:params:netconf:capability:candidate:1.0</capability>\n"
                "    <capability>urn:ietf:params:netconf:capability:confirmed-commit:1.0</capability>\n"
                "    <capability>http://xml.juniper.net/netconf/junos/1.0</capability>\n    <capability>http://xml.juniper.net/dmi/system/1.0</capability>\n"
                "  </capabilities>\n  <session-id>%d</session-id>\n</hello>\n", 27700 + s->number);
}

/* ---- XML out ---- */

static void add_escaped(struct ft_buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '&')
            ft_buf_adds(out, "&amp;");
        else if (*text == '<')
            ft_buf_adds(out, "&lt;");
        else if (*text == '>')
            ft_buf_adds(out, "&gt;");
        else
            ft_buf_addc(out, *text);
    }
}

static void add_element(struct ft_buf *out, const char *name, const char *text)
{
    ft_buf_addf(out, "<%s>\n", name);
    add_escaped(out, text);
    ft_buf_addf(out, "</%s>\n", name);
}

/* {"name": [{"data": "x", "attributes": {…}, …}]} as elements: what | display json was made of. */
static void add_json(struct ft_buf *out, const json_t *object)
{
    const char *key, *name;
    json_t *list, *one, *value;
    size_t i;

    json_object_foreach((json_t *)object, key, list) {
        if (strcmp(key, "attributes") == 0 || strcmp(key, "data") == 0)
            continue;
        json_array_foreach(list, i, one) {
            ft_buf_addf(out, "<%s", key);
            json_object_foreach(json_object_get(one, "attributes"), name, value)
                ft_buf_addf(out, " %s=\"%s\"", name, json_string_value(value));
            ft_buf_adds(out, ">");
            if (json_string_value(json_object_get(one, "data")))
                add_escaped(out, json_string_value(json_object_get(one, "data")));
            else
                ft_buf_adds(out, "\n");
            add_json(out, one);
            ft_buf_addf(out, "</%s>\n", key);
        }
    }
}

static void add_error(struct ft_buf *out, const char *tag, const char *message, const char *info)
{
    ft_buf_addf(out, "<rpc-error>\n<error-type>protocol</error-type>\n<error-tag>%s</error-tag>\n<error-severity>error</error-severity>\n", tag);
    add_element(out, "error-message", message);
    if (info)
        ft_buf_adds(out, info);
    ft_buf_adds(out, "</rpc-error>\n");
}

/* ---- XML in ---- */

static xmlNode *child_of(xmlNode *node, const char *name)
{
    for (xmlNode *c = node ? node->children : NULL; c; c = c->next)
        if (c->type == XML_ELEMENT_NODE && (!name || strcmp((const char *)c->name, name) == 0))
            return c;
    return NULL;
}

/* Trimmed, cut to fit. */
static void text_of(xmlNode *node, char *ret, size_t len)
{
    xmlChar *text = node ? xmlNodeGetContent(node) : NULL;
    const char *from = text ? (const char *)text : "";
    size_t n;

    from += strspn(from, " \t\r\n");
    snprintf(ret, len, "%s", from);
    for (n = strlen(ret); n && isspace((unsigned char)ret[n - 1]); n--)
        ret[n - 1] = '\0';
    xmlFree(text);
}

static bool attribute_is(xmlNode *node, const char *name, const char *wanted)
{
    xmlChar *value = xmlGetProp(node, (const xmlChar *)name);
    bool is = value && strcmp((const char *)value, wanted) == 0;

    xmlFree(value);
    return is;
}

static long attribute_number(xmlNode *node, const char *name, long otherwise)
{
    xmlChar *value = xmlGetProp(node, (const xmlChar *)name);
    long n = value ? strtol((const char *)value, NULL, 10) : otherwise;

    xmlFree(value);
    return n;
}

/* <interfaces><interface><name>ge-0/0/7</name></interface></interfaces> is the path "interfaces ge-0/0/7". */
static void filter_path(xmlNode *configuration, char *ret, size_t len)
{
    char name[100];
    bool list = false;

    ret[0] = '\0';
    for (xmlNode *node = child_of(configuration, NULL); node; node = child_of(node, NULL)) {
        xmlNode *key = child_of(node, "name");

        if (strcmp((const char *)node->name, "name") == 0)
            break;
        if (key && list) {
            text_of(key, name, sizeof(name));
            snprintf(ret + strlen(ret), len - strlen(ret), " %s", name);
            break;
        }
        snprintf(ret + strlen(ret), len - strlen(ret), "%s%s", ret[0] ? " " : "", (const char *)node->name);
        list = true;
    }
}

/* ---- locks ---- */

static void lock(struct lab_netconf *s, struct ft_buf *out)
{
    char info[100];
    int holder = lab_config_lock_owner(the_config(s));

    if (!lab_config_lock(the_config(s), s->number)) {
        snprintf(info, sizeof(info), "<error-info><session-id>%d</session-id></error-info>\n", 27700 + holder);
        add_error(out, "lock-denied", "configuration database locked by:\n  lab terminal pts/1 (pid 4711) on since 2026-11-21 02:13:05 UTC\n      exclusive [edit]\n", info);
        return;
    }
    s->locked = true;
    ft_buf_adds(out, "<ok/>\n");
}

static void unlock(struct lab_netconf *s, struct ft_buf *out)
{
    if (!s->locked) {
        add_error(out, "operation-failed", "database is not locked", NULL);
        return;
    }
    discard(s);
    lab_config_unlock(the_config(s), s->number);
    s->locked = false;
    ft_buf_adds(out, "<ok/>\n");
}

static bool may_edit(struct lab_netconf *s, struct ft_buf *out)
{
    int holder = lab_config_lock_owner(the_config(s));

    if (!holder || holder == s->number)
        return true;
    add_error(out, "in-use", "configuration database locked by:\n  lab terminal pts/1 (pid 4711) on since 2026-11-21 02:13:05 UTC\n", NULL);
    return false;
}

/* ---- loading ---- */

static void load_error(struct ft_buf *out, const char *element)
{
    ft_buf_adds(out, "<rpc-error>\n<error-severity>error</error-severity>\n<error-info>\n");
    add_element(out, "bad-element", element);
    ft_buf_adds(out, "</error-info>\n<error-message>\nsyntax error\n</error-message>\n</rpc-error>\n");
}

static void load_lines(struct lab_netconf *s, char *text, struct ft_buf *out)
{
    char *line;

    while ((line = strsep(&text, "\n"))) {
        int r = -EINVAL;

        line += strspn(line, " \t\r");
        if (!*line)
            continue;
        if (strncmp(line, "set ", 4) == 0)
            r = lab_candidate_set(s->candidate, line + 4);
        else if (strncmp(line, "delete ", 7) == 0)
            r = lab_candidate_delete(s->candidate, line + 7);
        if (r == -ENOENT)
            ft_buf_adds(out, "<rpc-error>\n<error-severity>warning</error-severity>\n<error-message>\nstatement not found\n</error-message>\n</rpc-error>\n");
        else if (r < 0)
            load_error(out, line);
    }
}

static void load_configuration(struct lab_netconf *s, xmlNode *load, struct ft_buf *out)
{
    long rollback = attribute_number(load, "rollback", -1);
    xmlNode *lines = child_of(load, "configuration-set"), *text = child_of(load, "configuration-text");
    xmlChar *content = xmlNodeGetContent(lines ? lines : text);
    struct ft_buf inner = FT_BUF_INIT(0), why = FT_BUF_INIT(0);

    if (!may_edit(s, out)) {
        xmlFree(content);
        return;
    }
    if (!s->candidate)
        s->candidate = lab_candidate_open(the_config(s), true);
    if (rollback >= 0) {
        if (lab_candidate_rollback(s->candidate, (unsigned)rollback) < 0)
            add_error(&inner, "operation-failed", "rollback does not exist", NULL);
    } else if (lines) {
        load_lines(s, (char *)content, &inner);
    } else if (text) {
        if (lab_candidate_load(s->candidate, (const char *)content, attribute_is(load, "action", "override"), &why) < 0)
            load_error(&inner, ft_buf_str(&why));
    } else {
        load_error(&inner, "configuration");
    }
    ft_buf_addf(out, "<load-configuration-results>\n%s%s</load-configuration-results>\n", ft_buf_str(&inner), strstr(ft_buf_str(&inner), ">error<") ? "" : "<ok/>\n");
    ft_buf_done(&inner);
    ft_buf_done(&why);
    xmlFree(content);
}

/* ---- reading the configuration ---- */

static void get_configuration(struct lab_netconf *s, xmlNode *get, struct ft_buf *out)
{
    struct lab_candidate *mine = attribute_is(get, "database", "committed") ? NULL : s->candidate, *older, *now;
    struct ft_buf text = FT_BUF_INIT(0);
    char path[300];
    bool set = attribute_is(get, "format", "set");

    if (attribute_is(get, "compare", "rollback")) {
        now = mine ? mine : lab_candidate_open(the_config(s), true);
        older = lab_candidate_open(the_config(s), true);
        if (lab_candidate_rollback(older, (unsigned)attribute_number(get, "rollback", 0)) < 0)
            add_error(out, "operation-failed", "rollback does not exist", NULL);
        else
            lab_candidate_differ(older, now, &text);
        lab_candidate_free(older);
        if (now != mine)
            lab_candidate_free(now);
        ft_buf_adds(out, "<configuration-information>\n");
        add_element(out, "configuration-output", ft_buf_str(&text));
        ft_buf_adds(out, "</configuration-information>\n");
    } else {
        filter_path(child_of(get, "configuration"), path, sizeof(path));
        lab_config_show(the_config(s), mine, path, set, &text);
        add_element(out, set ? "configuration-set" : "configuration-text", ft_buf_str(&text));
    }
    ft_buf_done(&text);
}

/* ---- commits ---- */

static void results(const struct lab_netconf *s, const char *inside, struct ft_buf *out)
{
    ft_buf_adds(out, "<commit-results>\n");
    for (int m = 0; m < (s->lab->switches[s->sw].vc ? 2 : 1); m++)
        ft_buf_addf(out, "<routing-engine junos:style=\"normal\">\n<name>%s%d</name>\n%s</routing-engine>\n", s->lab->switches[s->sw].vc ? "fpc" : "re", m, inside);
    ft_buf_adds(out, "</commit-results>\n");
}

/* minutes 0: at once, which also confirms what waits. */
static void commit(struct lab_netconf *s, int minutes, const char *log, bool check, struct ft_buf *out)
{
    struct lab_config *config = the_config(s);
    struct lab_candidate *cand;
    struct ft_buf why = FT_BUF_INIT(0), inside = FT_BUF_INIT(0);

    if (!may_edit(s, out))
        return;
    cand = s->candidate ? s->candidate : lab_candidate_open(config, true);
    if (lab_candidate_check(cand, &why) < 0) {
        add_error(&inside, "operation-failed", ft_buf_str(&why), NULL);
        results(s, ft_buf_str(&inside), out);
    } else if (check) {
        results(s, "<commit-check-success/>\n", out);
    } else {
        lab_record(s->lab, "switch", minutes ? "commit confirmed" : "commit", s->lab->switches[s->sw].name, lab_candidate_commands(cand),
                   json_pack("{s:s, s:i}", "comment", log, "confirmed", minutes), s->from, 0, true);
        if (!minutes && lab_config_unconfirmed(config) && !lab_candidate_changed(cand))
            lab_config_confirm(s->lab, s->sw, "lab", log);
        else
            lab_candidate_commit(s->lab, s->sw, cand, minutes, "lab", log);
        results(s, "<commit-success/>\n", out);
    }
    if (cand != s->candidate)
        lab_candidate_free(cand);
    ft_buf_done(&why);
    ft_buf_done(&inside);
}

static void commit_configuration(struct lab_netconf *s, xmlNode *node, struct ft_buf *out)
{
    char log[200], timeout[20];

    text_of(child_of(node, "log"), log, sizeof(log));
    text_of(child_of(node, "confirm-timeout"), timeout, sizeof(timeout));
    commit(s, !child_of(node, "confirmed") ? 0 : *timeout ? atoi(timeout) : 10, log, child_of(node, "check") != NULL, out);
}

/* The standard's form: seconds. The lab counts in minutes, rounded up. */
static void commit_standard(struct lab_netconf *s, xmlNode *node, struct ft_buf *out)
{
    char timeout[20];
    struct ft_buf result = FT_BUF_INIT(0);

    text_of(child_of(node, "confirm-timeout"), timeout, sizeof(timeout));
    commit(s, !child_of(node, "confirmed") ? 0 : ((*timeout ? atoi(timeout) : 600) + 59) / 60, "", false, &result);
    ft_buf_adds(out, strstr(ft_buf_str(&result), "rpc-error") ? ft_buf_str(&result) : "<ok/>\n");
    ft_buf_done(&result);
}

/* ---- show commands ---- */

static void shown_as_text(struct lab_netconf *s, const char *what, struct ft_buf *out)
{
    struct ft_buf text = FT_BUF_INIT(0);
    int r = 0;

    if (strcmp(what, "system commit") == 0)
        lab_config_history(the_config(s), &text);
    else if (strncmp(what, "configuration", 13) == 0)
        lab_config_show(the_config(s), NULL, what + 13 + strspn(what + 13, " "), false, &text);
    else
        r = lab_cli_show(s->lab, s->sw, what, false, &text);
    if (r == -ENOENT)
        add_error(out, "operation-failed", "syntax error, expecting <command>", "<error-info>\n<bad-element>\nshow\n</bad-element>\n</error-info>\n");
    else if (r < 0)
        add_error(out, "operation-failed", strncmp(ft_buf_str(&text), "error: ", 7) == 0 ? ft_buf_str(&text) + 7 : ft_buf_str(&text), NULL);
    else
        add_element(out, "output", ft_buf_str(&text));
    ft_buf_done(&text);
}

static void shown(struct lab_netconf *s, const char *what, struct ft_buf *out)
{
    struct ft_buf text = FT_BUF_INIT(0);
    int r = lab_cli_show(s->lab, s->sw, what, true, &text);
    json_t *tree = r == 0 ? json_loads(ft_buf_str(&text), JSON_DISABLE_EOF_CHECK, NULL) : NULL;

    if (tree)
        add_json(out, tree);
    else
        shown_as_text(s, what, out);
    json_decref(tree);
    ft_buf_done(&text);
}

static void command(struct lab_netconf *s, xmlNode *node, struct ft_buf *out)
{
    char line[300];

    text_of(node, line, sizeof(line));
    if (strncmp(line, "show ", 5) != 0 || strchr(line, '|'))
        add_error(out, "operation-failed", "syntax error, expecting <command>", NULL);
    else if (attribute_is(node, "format", "text"))
        shown_as_text(s, line + 5, out);
    else
        shown(s, line + 5, out);
}

static void interface_information(struct lab_netconf *s, xmlNode *node, struct ft_buf *out)
{
    char port[64], what[120];
    const char *form = child_of(node, "terse") ? " terse" : child_of(node, "extensive") ? " extensive" : "";

    text_of(child_of(node, "interface-name"), port, sizeof(port));
    snprintf(what, sizeof(what), "interfaces%s%s%s", *port ? " " : "", port, form);
    shown(s, what, out);
}

/* ---- rpcs ---- */

static bool simple(struct lab_netconf *s, const char *name, struct ft_buf *out)
{
    static const struct { const char *rpc, *command; } known[] = {
        { "get-ethernet-switching-table-information", "ethernet-switching table" }, { "get-lldp-neighbors-information", "lldp neighbors" },
        { "get-software-information", "version" }, { "get-system-uptime-information", "system uptime" }, { "get-poe-interface-information", "poe interface" },
        { "get-vlan-information", "vlans" }, { "get-alarm-information", "chassis alarms" },
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(name, known[i].rpc) == 0) {
            shown(s, known[i].command, out);
            return true;
        }
    return false;
}

static bool dispatch(struct lab_netconf *s, xmlNode *rpc, struct ft_buf *out)
{
    const char *name = (const char *)rpc->name;

    if (strcmp(name, "lock") == 0)
        lock(s, out);
    else if (strcmp(name, "unlock") == 0)
        unlock(s, out);
    else if (strcmp(name, "discard-changes") == 0)
        discard(s), ft_buf_adds(out, "<ok/>\n");
    else if (strcmp(name, "load-configuration") == 0)
        load_configuration(s, rpc, out);
    else if (strcmp(name, "get-configuration") == 0)
        get_configuration(s, rpc, out);
    else if (strcmp(name, "commit-configuration") == 0)
        commit_configuration(s, rpc, out);
    else if (strcmp(name, "commit") == 0)
        commit_standard(s, rpc, out);
    else if (strcmp(name, "command") == 0)
        command(s, rpc, out);
    else if (strcmp(name, "get-interface-information") == 0)
        interface_information(s, rpc, out);
    else if (strcmp(name, "close-session") == 0)
        ft_buf_adds(out, "<ok/>\n");
    else if (!simple(s, name, out))
        add_error(out, "operation-not-supported", "syntax error, expecting <rpc-name>", NULL);
    return strcmp(name, "close-session") != 0;
}

/* False: the session is over. */
bool lab_netconf_rpc(struct lab_netconf *s, const char *text, struct ft_buf *out)
{
    xmlDoc *doc = xmlReadMemory(text, (int)strlen(text), "rpc", NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL, *rpc = root && strcmp((const char *)root->name, "rpc") == 0 ? child_of(root, NULL) : NULL;
    struct ft_buf inside = FT_BUF_INIT(0);
    bool goes_on = true;

    if (rpc)
        goes_on = dispatch(s, rpc, &inside);
    else
        add_error(&inside, "malformed-message", "syntax error", NULL);
    ft_buf_adds(out, "<rpc-reply xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\" xmlns:junos=\"http://xml.juniper.net/junos/22.4R0/junos\"");
    if (rpc && !strstr(ft_buf_str(&inside), "rpc-error")) {
        xmlChar *id = xmlGetProp(root, (const xmlChar *)"message-id");

        if (id)
            ft_buf_addf(out, " message-id=\"%s\"", (const char *)id);
        xmlFree(id);
    }
    ft_buf_addf(out, ">\n%s", ft_buf_str(&inside));
    if (s->lab->switches[s->sw].vc)
        ft_buf_adds(out, "<cli>\n<banner>{master:0}</banner>\n</cli>\n");
    ft_buf_adds(out, "</rpc-reply>\n");
    ft_buf_done(&inside);
    xmlFreeDoc(doc);
    return goes_on;
}
