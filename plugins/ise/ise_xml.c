/* ise_xml.c: MnT's XML as JSON. Written for answers that nobody vouches for: no DTD, no entities of their own, nothing fetched, bounded depth. */
#include <string.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include "ise.h"

#define MAX_DEPTH 32

static void add(json_t *object, const char *name, json_t *value)
{
    json_t *there = json_object_get(object, name);

    if (!there) {
        json_object_set_new(object, name, value);
    } else if (json_is_array(there)) {
        json_array_append_new(there, value);
    } else {
        json_object_set_new(object, name, json_pack("[O, o]", there, value));
    }
}

static json_t *text_of(const xmlNode *node)
{
    xmlChar *text = xmlNodeGetContent(node);
    const char *from = text ? (const char *)text : "";
    size_t len;
    json_t *value;

    from += strspn(from, " \t\r\n");
    len = strlen(from);
    while (len && strchr(" \t\r\n", from[len - 1]))
        len--;
    value = json_stringn(from, len);
    xmlFree(text);
    return value ? value : json_string("");
}

static json_t *value_of(const xmlNode *node, unsigned depth)
{
    json_t *object = NULL;

    if (depth > MAX_DEPTH)
        return json_string("");
    for (const xmlNode *child = node->children; child; child = child->next) {
        if (child->type != XML_ELEMENT_NODE)
            continue;
        if (!object)
            object = json_object();
        add(object, (const char *)child->name, value_of(child, depth + 1));
    }
    if (!object)
        return text_of(node);
    for (const xmlAttr *attr = node->properties; attr; attr = attr->next) {
        char name[80];

        snprintf(name, sizeof(name), "@%.70s", (const char *)attr->name);
        json_object_set_new(object, name, text_of((const xmlNode *)attr));
    }
    return object;
}

int ise_xml(const char *text, size_t len, json_t **ret, struct ft_err *reterr)
{
    const xmlNode *root;
    int code = 0;
    xmlDoc *doc;

    *ret = NULL;
    if (len > 64u << 20)
        return ft_err_set(reterr, -EINVAL, "%zu bytes of XML are too much", len);
    doc = xmlReadMemory(text, (int)len, "ise", NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOCDATA);
    root = doc ? xmlDocGetRootElement(doc) : NULL;
    if (!root)
        code = ft_err_set(reterr, -EINVAL, "it is not XML, or it was cut off");
    else if (doc->intSubset)
        code = ft_err_set(reterr, -EINVAL, "it brings a document type of its own, which is never followed");
    else
        *ret = json_pack("{s:o}", (const char *)root->name, value_of(root, 0));
    xmlFreeDoc(doc);
    return code;
}
