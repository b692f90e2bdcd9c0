/* netconf_xml.c: reading NETCONF's XML. Written for servers that nobody vouches for: nothing is fetched, no entity is followed, depth and size are bounded. */
#include "netconf_xml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include "cli.h"

#define MAX_DEPTH 64

static bool is_called(const xmlNode *node, const char *name)
{
    return node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0;
}

/* The first element of that name, the node itself included. */
static xmlNode *find(xmlNode *node, const char *name, unsigned depth)
{
    if (!node || depth > MAX_DEPTH)
        return NULL;
    if (is_called(node, name))
        return node;
    for (xmlNode *child = node->children; child; child = child->next) {
        xmlNode *found = child->type == XML_ELEMENT_NODE ? find(child, name, depth + 1) : NULL;

        if (found)
            return found;
    }
    return NULL;
}

static xmlNode *root_of(const struct nc_message *m)
{
    return m->doc ? xmlDocGetRootElement(m->doc) : NULL;
}

static const char *trimmed(const char *text, size_t *ret_len)
{
    size_t len;

    text += strspn(text, " \t\r\n");
    len = strlen(text);
    while (len && strchr(" \t\r\n", text[len - 1]))
        len--;
    *ret_len = len;
    return text;
}

/* ---- errors ---- */

static void copy_text(xmlNode *parent, const char *name, char *ret, size_t size)
{
    xmlNode *node = parent ? find(parent, name, 0) : NULL;
    xmlChar *text = node ? xmlNodeGetContent(node) : NULL;
    size_t len = 0, n = 0;
    const char *from = text ? trimmed((const char *)text, &len) : "";

    for (size_t i = 0; i < len && n + 1 < size; i++) {      /* one line */
        bool blank = (unsigned char)from[i] <= ' ';

        if (!blank || (n && ret[n - 1] != ' '))
            ret[n++] = blank ? ' ' : from[i];
    }
    ret[n] = '\0';
    cli_make_utf8(ret);
    xmlFree(text);
}

static enum ft_class class_of(const char *tag, const char *message)
{
    static const struct { const char *part; enum ft_class class; bool in_tag; } known[] = {
        { "lock-denied", FT_CONFLICT, true }, { "in-use", FT_CONFLICT, true }, { "access-denied", FT_DENIED, true }, { "data-missing", FT_NOT_FOUND, true },
        { "data-exists", FT_CONFLICT, true }, { "resource-denied", FT_REFUSED, true }, { "rollback-failed", FT_REFUSED, true },
        { "database locked", FT_CONFLICT, false }, { "database modified", FT_CONFLICT, false }, { "permission denied", FT_DENIED, false },
        { "not found", FT_NOT_FOUND, false }, { "does not exist", FT_NOT_FOUND, false }, { "syntax error", FT_INVALID, false },
        { "unknown command", FT_INVALID, false },
        { "invalid-value", FT_INVALID, true }, { "unknown-element", FT_INVALID, true }, { "bad-element", FT_INVALID, true },
        { "missing-", FT_INVALID, true }, { "bad-attribute", FT_INVALID, true }, { "unknown-", FT_INVALID, true }, { "too-big", FT_INVALID, true },
        { "malformed-message", FT_INVALID, true }, { "operation-not-supported", FT_INVALID, true },
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcasestr(known[i].in_tag ? tag : message, known[i].part))
            return known[i].class;
    }
    return FT_REFUSED;
}

static void add_part(char *text, size_t size, const char *before, const char *part, const char *after)
{
    size_t n = strlen(text);

    if (*part)
        snprintf(text + n, size - n, "%s%s%s", before, part, after);
}

/* The first error counts; a second one is named behind it (Junos: "syntax error", and where it goes on). */
static void take_error(struct nc_message *m, xmlNode *node)
{
    char message[240], severity[16], bad[80], path[160], holder[40], text[500];
    xmlNode *info = find(node, "error-info", 0);
    size_t n;

    copy_text(node, "error-severity", severity, sizeof(severity));
    copy_text(node, "error-message", message, sizeof(message));
    if (strcasecmp(severity, "warning") == 0) {
        add_part(m->warnings, sizeof(m->warnings), m->warnings[0] ? "; " : "", message, "");
        return;
    }
    if (m->failed) {
        n = strlen(m->error);
        if (*message && n + 4 < sizeof(m->error))
            snprintf(m->error + n, sizeof(m->error) - n, "; %s", message);
        cli_make_utf8(m->error);
        return;
    }
    copy_text(node, "error-tag", m->tag, sizeof(m->tag));
    copy_text(node, "error-path", path, sizeof(path));
    copy_text(info, "bad-element", bad, sizeof(bad));
    copy_text(info, "session-id", holder, sizeof(holder));
    n = strlen(message);
    while (n && message[n - 1] == '.')
        message[--n] = '\0';
    snprintf(text, sizeof(text), "%s", *message ? message : *m->tag ? m->tag : "an error without a reason");
    add_part(text, sizeof(text), " (at ", *bad ? bad : path, ")");
    if (*holder && strcmp(holder, "0") != 0)
        add_part(text, sizeof(text), ", held by session ", holder, "");
    else if (*holder)
        add_part(text, sizeof(text), "", ", held by somebody who is not on NETCONF", "");
    memcpy(m->error, text, sizeof(m->error));
    cli_make_utf8(m->error);
    m->failed = true;
    m->class = class_of(m->tag, message);
}

static void take_errors(struct nc_message *m, xmlNode *node, unsigned depth)
{
    if (depth > MAX_DEPTH)
        return;
    for (xmlNode *child = node->children; child; child = child->next) {
        if (is_called(child, "rpc-error"))
            take_error(m, child);
        else if (child->type == XML_ELEMENT_NODE && !is_called(child, "data"))
            take_errors(m, child, depth + 1);
    }
}

/* ---- hello ---- */

static bool ends_so(const char *uri, const char *what)
{
    size_t n = strcspn(uri, "?"), m = strlen(what);

    return n >= m && strncmp(uri + n - m, what, m) == 0;
}

static void take_capability(struct nc_message *m, const char *uri)
{
    m->base_1_0 |= ends_so(uri, ":base:1.0") || strcmp(uri, "urn:ietf:params:xml:ns:netconf:base:1.0") == 0;
    m->base_1_1 |= ends_so(uri, "urn:ietf:params:netconf:base:1.1");
    m->candidate |= ends_so(uri, ":capability:candidate:1.0");
    m->confirmed_1_0 |= ends_so(uri, ":capability:confirmed-commit:1.0");
    m->confirmed_1_1 |= ends_so(uri, ":capability:confirmed-commit:1.1");
    m->validate |= ends_so(uri, ":capability:validate:1.0") || ends_so(uri, ":capability:validate:1.1");
    m->startup |= ends_so(uri, ":capability:startup:1.0");
    m->junos |= strstr(uri, "xml.juniper.net/netconf/junos") || strstr(uri, "xml.juniper.net/dmi/");
}

static void take_hello(struct nc_message *m, xmlNode *root)
{
    xmlNode *list = find(root, "capabilities", 0);

    copy_text(root, "session-id", m->session, sizeof(m->session));
    for (xmlNode *child = list ? list->children : NULL; child; child = child->next) {
        char uri[300];

        if (!is_called(child, "capability"))
            continue;
        copy_text(child, "capability", uri, sizeof(uri));
        take_capability(m, uri);
    }
}

/* ---- messages ---- */

static xmlDoc *parse(const char *text, size_t len)
{
    return xmlReadMemory(text, (int)len, "netconf", NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOCDATA);
}

static int bad(struct ft_err *reterr, const char *what)
{
    ft_err_set(reterr, -EBADMSG, "%s", what);
    if (reterr)
        reterr->class = FT_INVALID;
    return -EBADMSG;
}

int nc_parse(const char *text, size_t len, struct nc_message *m, struct ft_err *reterr)
{
    xmlNode *root;
    xmlChar *id;

    *m = (struct nc_message){ .kind = NC_OTHER };
    while (len && (strchr(" \t\r\n", *text) || (unsigned char)*text >= 0xef)) {    /* blanks, a byte order mark */
        if ((unsigned char)*text == 0xef && (len < 3 || memcmp(text, "\xef\xbb\xbf", 3) != 0))
            break;
        len -= (unsigned char)*text == 0xef ? 3 : 1;
        text += (unsigned char)*text == 0xef ? 3 : 1;
    }
    m->doc = len ? parse(text, len) : NULL;
    root = root_of(m);
    if (!root) {
        nc_message_done(m);
        return bad(reterr, "the message is not XML, or it was cut off");
    }
    if (((xmlDoc *)m->doc)->intSubset) {
        nc_message_done(m);
        return bad(reterr, "the message brings a document type of its own, which is never followed");
    }
    m->kind = is_called(root, "hello") ? NC_HELLO : is_called(root, "rpc-reply") ? NC_REPLY : is_called(root, "notification") ? NC_NOTIFICATION : NC_OTHER;
    if (is_called(root, "rpc-error")) {                /* of a server that could not even read the rpc */
        m->kind = NC_REPLY;
        take_error(m, root);
    }
    id = xmlGetProp(root, (const xmlChar *)"message-id");
    snprintf(m->id, sizeof(m->id), "%s", id ? (const char *)id : "");
    xmlFree(id);
    if (m->kind == NC_HELLO)
        take_hello(m, root);
    else if (m->kind == NC_REPLY)
        take_errors(m, root, 0);
    return 0;
}

void nc_message_done(struct nc_message *m)
{
    xmlFreeDoc(m->doc);
    m->doc = NULL;
}

/* ---- as Junos' JSON ---- */

static json_t *text_json(const char *text)
{
    size_t len;
    const char *from = trimmed(text, &len);

    return cli_text(from, len);
}

static json_t *attributes_of(const xmlNode *node)
{
    json_t *all = json_object();

    for (const xmlAttr *attr = node->properties; attr; attr = attr->next) {
        xmlChar *value = xmlNodeGetContent((const xmlNode *)attr);
        const char *prefix = attr->ns && attr->ns->prefix ? (const char *)attr->ns->prefix : "";
        char name[120];

        snprintf(name, sizeof(name), "%.50s%s%.60s", prefix, *prefix ? ":" : "", (const char *)attr->name);
        json_object_set_new(all, name, text_json(value ? (const char *)value : ""));
        xmlFree(value);
    }
    return all;
}

static void add_element(json_t *object, const char *name, json_t *value)
{
    json_t *list = json_object_get(object, name);

    if (!list) {
        list = json_array();
        json_object_set_new(object, name, list);
    }
    json_array_append_new(list, value);
}

static json_t *element_json(const xmlNode *node, unsigned depth)
{
    json_t *object = json_object(), *attributes = attributes_of(node);
    bool leaf = true;

    if (json_object_size(attributes))
        json_object_set(object, "attributes", attributes);
    json_decref(attributes);
    for (const xmlNode *child = node->children; child && depth < MAX_DEPTH; child = child->next) {
        if (child->type != XML_ELEMENT_NODE)
            continue;
        leaf = false;
        add_element(object, (const char *)child->name, element_json(child, depth + 1));
    }
    if (leaf) {
        xmlChar *text = xmlNodeGetContent(node);

        json_object_set_new(object, "data", text_json(text ? (const char *)text : ""));
        xmlFree(text);
    }
    return object;
}

json_t *nc_json(const struct nc_message *m)
{
    const xmlNode *root = root_of(m);
    json_t *object = json_object();

    for (const xmlNode *child = root ? root->children : NULL; child; child = child->next) {
        if (child->type == XML_ELEMENT_NODE && !is_called(child, "cli"))      /* Junos' banner behind every reply */
            add_element(object, (const char *)child->name, element_json(child, 0));
    }
    return object;
}

/* ---- as text ---- */

static char *content(xmlNode *node)
{
    xmlChar *text = node ? xmlNodeGetContent(node) : NULL;
    const char *from = text ? (const char *)text : "";
    char *copy;
    size_t len;

    from += strspn(from, "\r\n");
    len = strlen(from);
    while (len && strchr("\r\n", from[len - 1]))
        len--;
    copy = malloc(len + 2);
    if (copy) {
        size_t n = 0;

        for (size_t i = 0; i < len; i++) {
            if (from[i] != '\r')
                copy[n++] = from[i];
        }
        if (n)
            copy[n++] = '\n';
        copy[n] = '\0';
    }
    xmlFree(text);
    return copy;
}

char *nc_text(const struct nc_message *m, const char *element)
{
    xmlNode *root = root_of(m), *found = root ? find(root, element, 0) : NULL;

    return found ? content(found) : NULL;
}

char *nc_all_text(const struct nc_message *m)
{
    return content(root_of(m));
}

/* ---- as XML ---- */

static bool is_secret(const char *name)
{
    static const char *const names[] = { "password", "secret", "encrypted-password", "key", "pre-shared-key", "authentication-key", "privacy-key", "community",
                                         "private-key", "shared-secret", "key-string", "hex-key", "ascii-text", "hexadecimal", "plain-text-password" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

/* Leaves only: <key> and <community> are also lists, whose names are no secrets… but what a community is called is one. */
static void mask(xmlNode *node, unsigned depth)
{
    for (xmlNode *child = node->children; child && depth < MAX_DEPTH; child = child->next) {
        if (child->type != XML_ELEMENT_NODE)
            continue;
        if (is_secret((const char *)child->name) && !xmlFirstElementChild(child))
            xmlNodeSetContent(child, (const xmlChar *)"***");
        else if (is_called(child, "community") && xmlFirstElementChild(child) && is_called(xmlFirstElementChild(child), "name"))
            xmlNodeSetContent(xmlFirstElementChild(child), (const xmlChar *)"***");
        mask(child, depth + 1);
    }
}

char *nc_inner_xml(const struct nc_message *m, const char *element, bool masked)
{
    xmlNode *root = root_of(m), *found = root && element ? find(root, element, 0) : root;
    xmlBuffer *buffer = xmlBufferCreate();
    char *text;

    if (found && masked)
        mask(found, 0);
    for (xmlNode *child = found ? found->children : NULL; child && buffer; child = child->next) {
        if (child->type != XML_ELEMENT_NODE || is_called(child, "cli"))
            continue;
        xmlNodeDump(buffer, m->doc, child, 0, 1);
        xmlBufferCat(buffer, (const xmlChar *)"\n");
    }
    text = strdup(buffer ? (const char *)xmlBufferContent(buffer) : "");
    xmlBufferFree(buffer);
    if (text)
        cli_make_utf8(text);
    return text;
}

bool nc_is_xml(const char *text, char *why, size_t size)
{
    size_t len = strlen(text) + 16;
    char *whole = malloc(len);
    xmlDoc *doc;
    bool fine;

    if (!whole)
        return false;
    text += strspn(text, " \t\r\n");
    if (strncmp(text, "<?xml", 5) == 0 && strstr(text, "?>"))
        text = strstr(text, "?>") + 2;
    snprintf(whole, len, "<x>%s</x>", text);
    doc = parse(whole, strlen(whole));
    fine = doc && !doc->intSubset && xmlFirstElementChild(xmlDocGetRootElement(doc));
    if (!fine)
        snprintf(why, size, "%s", doc ? "there is no element in it" : "it is not well-formed");
    xmlFreeDoc(doc);
    free(whole);
    return fine;
}

char *nc_escape(const char *text)
{
    char *out = malloc(strlen(text) * 5 + 1), *to = out;

    for (; out && *text; text++) {
        const char *as = *text == '&' ? "&amp;" : *text == '<' ? "&lt;" : *text == '>' ? "&gt;" : NULL;

        if (as)
            to = stpcpy(to, as);
        else
            *to++ = *text;
    }
    if (out)
        *to = '\0';
    return out;
}
