/* dictionary.c: attributes between bytes and what people write. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "names.h"

static const struct rad_name *by_number(uint32_t vendor, unsigned type)
{
    for (const struct rad_name *n = rad_names; n->name; n++)
        if (n->vendor == vendor && n->type == type)
            return n;
    return NULL;
}

/* "Tunnel-Type:1" has a tag; "Attr-200" and "Vendor-9-Attr-1" are octets without a name. */
static bool by_name(const char *text, struct rad_name *ret, unsigned *ret_tag)
{
    size_t len = strcspn(text, ":");
    unsigned vendor, type;
    int used = 0;

    *ret_tag = 0;
    if (text[len] && (sscanf(text + len, ":%2u%n", ret_tag, &used) != 1 || text[len + (size_t)used] || *ret_tag > 0x1f))
        return false;
    for (const struct rad_name *n = rad_names; n->name; n++)
        if (strncasecmp(n->name, text, len) == 0 && !n->name[len]) {
            *ret = *n;
            return true;
        }
    *ret = (struct rad_name){ 0, 0, text, RAD_OCTETS };
    if (sscanf(text, "Attr-%3u%n", &type, &used) == 1 && !text[used] && type && type < 256) {
        ret->type = type;
        return type != RAD_A_VENDOR && type != RAD_A_USER_PASSWORD && type != RAD_A_CHAP_PASSWORD && type != RAD_A_MESSAGE_AUTHENTICATOR;
    }
    if (sscanf(text, "Vendor-%8u-Attr-%3u%n", &vendor, &type, &used) == 2 && !text[used] && vendor && type < 256) {
        ret->vendor = vendor;
        ret->type = type;
        return true;
    }
    return false;
}

/* ---- from people */

static void put_bytes(struct rad_packet *packet, const struct rad_name *n, const void *bytes, size_t len)
{
    if (n->vendor)
        rad_add_vendor(packet, n->vendor, n->type, bytes, len);
    else
        rad_add(packet, n->type, bytes, len);
}

static bool number_of(const struct rad_name *n, const json_t *value, uint32_t *ret)
{
    const char *text = json_string_value(value);
    json_int_t number = json_integer_value(value);
    char *end;

    if (text) {
        for (const struct rad_value_name *v = rad_value_names; v->name; v++)
            if (v->vendor == n->vendor && v->type == n->type && strcasecmp(v->name, text) == 0) {
                *ret = v->value;
                return true;
            }
        if (!isdigit((unsigned char)*text))
            return false;
        number = strtoll(text, &end, 0);
        if (*end)
            return false;
    }
    *ret = (uint32_t)number;
    return number >= 0 && number <= UINT32_MAX;
}

/* "0x0a1b" as bytes, any other text as it is; -1: not that, or too long. */
static int octets_of(const char *text, uint8_t ret[RAD_ATTR_MAX])
{
    size_t len = strlen(text), n;

    if (strncmp(text, "0x", 2) != 0) {
        if (len > RAD_ATTR_MAX)
            return -1;
        memcpy(ret, text, len);
        return (int)len;
    }
    n = (len - 2) / 2;
    if (len % 2 || n > RAD_ATTR_MAX || strspn(text + 2, "0123456789abcdefABCDEF") != len - 2)
        return -1;
    for (size_t i = 0; i < n; i++) {
        char pair[3] = { text[2 + 2 * i], text[3 + 2 * i], '\0' };

        ret[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return (int)n;
}

static bool put_number(struct rad_packet *packet, const struct rad_name *n, unsigned tag, const json_t *value)
{
    uint8_t bytes[4];
    uint32_t number;

    if (!number_of(n, value, &number) || (n->kind == RAD_TAGGED_INTEGER && number > 0xffffff))
        return false;
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(number >> (24 - 8 * i));
    if (n->kind == RAD_TAGGED_INTEGER)
        bytes[0] = (uint8_t)tag;
    put_bytes(packet, n, bytes, 4);
    return true;
}

static bool put_text(struct rad_packet *packet, const struct rad_name *n, unsigned tag, const char *text)
{
    uint8_t bytes[RAD_ATTR_MAX + 1];
    size_t at = n->kind == RAD_TAGGED_TEXT && tag ? 1 : 0, len = strlen(text);

    if (at + len > RAD_ATTR_MAX)
        return false;
    bytes[0] = (uint8_t)tag;
    memcpy(bytes + at, text, len);
    put_bytes(packet, n, bytes, at + len);
    return true;
}

static bool put_address(struct rad_packet *packet, const struct rad_name *n, const char *text)
{
    uint8_t bytes[16];

    if (inet_pton(n->kind == RAD_IP4 ? AF_INET : AF_INET6, text, bytes) != 1)
        return false;
    put_bytes(packet, n, bytes, n->kind == RAD_IP4 ? 4 : 16);
    return true;
}

static bool put_one(struct rad_packet *packet, const struct rad_name *n, unsigned tag, const json_t *value)
{
    const char *text = json_string_value(value);
    uint8_t bytes[RAD_ATTR_MAX];
    char digits[24];
    int len;

    if (n->kind == RAD_INTEGER || n->kind == RAD_DATE || n->kind == RAD_TAGGED_INTEGER)
        return (text || json_is_integer(value)) && put_number(packet, n, tag, value);
    if (!text && json_is_integer(value)) {
        snprintf(digits, sizeof(digits), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        text = digits;
    }
    if (!text)
        return false;
    if (n->kind == RAD_IP4 || n->kind == RAD_IP6)
        return put_address(packet, n, text);
    if (n->kind == RAD_TEXT || n->kind == RAD_TAGGED_TEXT)
        return put_text(packet, n, tag, text);
    len = octets_of(text, bytes);
    if (len < 0)
        return false;
    put_bytes(packet, n, bytes, (size_t)len);
    return true;
}

int rad_put(struct rad_packet *packet, const char *name, const json_t *value, struct ft_err *reterr)
{
    static const char *const wants[] = {
        [RAD_TEXT] = "a text of at most 253 octets", [RAD_OCTETS] = "a text, or 0x and hex digits", [RAD_INTEGER] = "a number, or a value's name",
        [RAD_IP4] = "an IPv4 address", [RAD_IP6] = "an IPv6 address", [RAD_DATE] = "s since 1970", [RAD_PREFIX6] = "0x and hex digits",
        [RAD_TAGGED_TEXT] = "a text of at most 252 octets", [RAD_TAGGED_INTEGER] = "a number below 2^24, or a value's name",
    };
    struct rad_name n;
    unsigned tag;
    size_t i;
    json_t *one;

    if (!by_name(name, &n, &tag))
        return ft_fault(reterr, FT_INVALID, "attributes: '%.80s' is no attribute fettle knows; write Attr-200 or Vendor-9-Attr-1 for one without a name", name);
    if (n.kind == RAD_SECRET)
        return ft_fault(reterr, FT_INVALID, "attributes: %s is a secret, which only the action itself may make", n.name);
    if (!json_is_array(value))
        return put_one(packet, &n, tag, value) ? 0 : ft_fault(reterr, FT_INVALID, "attributes: %.80s wants %s", name, wants[n.kind]);
    json_array_foreach(value, i, one)
        if (!put_one(packet, &n, tag, one))
            return ft_fault(reterr, FT_INVALID, "attributes: %.80s wants %s", name, wants[n.kind]);
    return 0;
}

int rad_put_all(struct rad_packet *packet, const json_t *attributes, struct ft_err *reterr)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)attributes, name, value) {
        int r = rad_put(packet, name, value, reterr);

        if (r < 0)
            return r;
    }
    return packet->overflow ? ft_fault(reterr, FT_INVALID, "attributes: too many or too long: a RADIUS packet has 4096 octets, an attribute 253") : 0;
}

/* ---- for people */

static json_t *text_value(const uint8_t *bytes, size_t len)
{
    char hex[2 * RAD_ATTR_MAX + 3] = "0x";
    bool printable = true;
    json_t *text;

    for (size_t i = 0; i < len; i++)
        printable = printable && bytes[i] >= 0x20 && bytes[i] != 0x7f;
    text = printable ? json_stringn((const char *)bytes, len) : NULL;      /* NULL also where it is no UTF-8 */
    if (text)
        return text;
    for (size_t i = 0; i < len; i++)
        snprintf(hex + 2 + 2 * i, 3, "%02x", bytes[i]);
    return json_string(hex);
}

static json_t *number_value(const struct rad_name *n, uint32_t number)
{
    for (const struct rad_value_name *v = rad_value_names; v->name; v++)
        if (v->vendor == n->vendor && v->type == n->type && v->value == number)
            return json_string(v->name);
    return json_integer(number);
}

static uint32_t u32_of(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static json_t *value_of(const struct rad_name *n, const struct rad_attr *attr, unsigned *ret_tag)
{
    enum rad_kind kind = n ? n->kind : RAD_OCTETS;
    const uint8_t *bytes = attr->value;
    size_t len = attr->len;
    char text[INET6_ADDRSTRLEN];

    *ret_tag = 0;
    if (kind == RAD_SECRET)
        return json_string("***");
    if (attr->vendor == RAD_V_MICROSOFT && (attr->type == 2 || attr->type == 26) && len)      /* an identifier, then words */
        return text_value(bytes + 1, len - 1);
    if ((kind == RAD_INTEGER || kind == RAD_DATE) && len == 4)
        return number_value(n, u32_of(bytes));
    if (kind == RAD_TAGGED_INTEGER && len == 4) {
        *ret_tag = bytes[0] <= 0x1f ? bytes[0] : 0;
        return number_value(n, u32_of(bytes) & (bytes[0] <= 0x1f ? 0xffffffu : UINT32_MAX));
    }
    if (kind == RAD_TAGGED_TEXT && len && bytes[0] <= 0x1f) {
        *ret_tag = bytes[0];
        return text_value(bytes + 1, len - 1);
    }
    if ((kind == RAD_IP4 && len == 4) || (kind == RAD_IP6 && len == 16))
        return json_string(inet_ntop(kind == RAD_IP4 ? AF_INET : AF_INET6, bytes, text, sizeof(text)));
    return text_value(bytes, len);
}

static void name_of(const struct rad_name *n, const struct rad_attr *attr, char *ret, size_t size)
{
    if (n)
        snprintf(ret, size, "%s", n->name);
    else if (attr->vendor)
        snprintf(ret, size, "Vendor-%u-Attr-%u", (unsigned)attr->vendor, attr->type);
    else
        snprintf(ret, size, "Attr-%u", attr->type);
}

json_t *rad_attributes(const struct rad_packet *packet)
{
    json_t *list = json_array();
    struct rad_place at = { 0 };
    struct rad_attr attr;

    while (rad_next(packet, &at, &attr)) {
        const struct rad_name *n = by_number(attr.vendor, attr.type);
        char name[80];
        unsigned tag;
        json_t *one;

        if (!attr.vendor && (attr.type == RAD_A_MESSAGE_AUTHENTICATOR || attr.type == RAD_A_EAP_MESSAGE))
            continue;
        name_of(n, &attr, name, sizeof(name));
        one = json_pack("{s:s, s:o}", "name", name, "value", value_of(n, &attr, &tag));
        if (tag)
            json_object_set_new(one, "tag", json_integer(tag));
        json_array_append_new(list, one);
    }
    return list;
}

json_t *rad_lines(const struct rad_packet *packet)
{
    json_t *attributes = rad_attributes(packet), *lines = json_pack("[s]", rad_code_name(packet->bytes[0])), *one;
    size_t i;

    json_array_foreach(attributes, i, one) {
        const json_t *value = ft_get(one, "value");
        const char *text = json_string_value(value), *name = ft_str(one, "name");

        if (ft_same(name, "Event-Timestamp"))          /* of the moment of sending: the plan stays the same plan */
            json_array_append_new(lines, json_string("Event-Timestamp = now"));
        else
            json_array_append_new(lines, text ? json_sprintf("%s = %s", name, text) : json_sprintf("%s = %" JSON_INTEGER_FORMAT, name, json_integer_value(value)));
    }
    json_decref(attributes);
    return lines;
}

json_t *rad_text(const struct rad_packet *packet, uint32_t vendor, unsigned type)
{
    char text[RAD_MAX];
    size_t len = 0;
    struct rad_place at = { 0 };
    struct rad_attr attr;

    while (rad_next(packet, &at, &attr))
        if (attr.vendor == vendor && attr.type == type) {
            unsigned tag;
            json_t *one = value_of(by_number(vendor, type), &attr, &tag);
            size_t n = json_string_length(one);

            if (json_string_value(one) && len + n < sizeof(text)) {
                memcpy(text + len, json_string_value(one), n);
                len += n;
            }
            json_decref(one);
        }
    return len ? json_stringn(text, len) : json_null();
}

json_t *rad_number(const struct rad_packet *packet, unsigned type)
{
    struct rad_attr attr;

    return rad_find(packet, 0, type, &attr) && attr.len == 4 ? json_integer(u32_of(attr.value)) : json_null();
}

/* RFC 3580 §3.31: Tunnel-Type 13, Tunnel-Medium-Type 6, Tunnel-Private-Group-Id the number or the name. */
json_t *rad_vlan(const struct rad_packet *packet)
{
    struct rad_place at = { 0 };
    struct rad_attr attr;
    bool is_vlan = false;
    unsigned tag;

    while (rad_next(packet, &at, &attr))
        is_vlan = is_vlan || (!attr.vendor && attr.type == 64 && attr.len == 4 && (u32_of(attr.value) & 0xffffff) == 13);
    return is_vlan && rad_find(packet, 0, 81, &attr) ? value_of(by_number(0, 81), &attr, &tag) : json_null();
}

const char *rad_error_cause(unsigned cause)
{
    static const struct { unsigned cause; const char *words; } causes[] = {
        { 201, "the rest of the session was removed" }, { 202, "the EAP packet is not valid" }, { 401, "it does not support one of the attributes" },
        { 402, "an attribute that it needs is missing" }, { 403, "NAS-IP-Address or NAS-Identifier names another device" },
        { 404, "the request is not valid in this state" }, { 405, "it does not support this Service-Type" }, { 406, "it does not support this extension" },
        { 407, "the value of an attribute is not valid" }, { 501, "its administrator forbids it" }, { 502, "the proxy knows no way to the device" },
        { 503, "it knows no such session" }, { 504, "it knows the session but cannot remove it" }, { 505, "the proxy failed" },
        { 506, "it lacks the resources" }, { 507, "it asks for an Access-Request first" }, { 508, "the attributes fit several sessions, which it does not support" },
    };

    for (size_t i = 0; i < ARRAY_LEN(causes); i++)
        if (causes[i].cause == cause)
            return causes[i].words;
    return NULL;
}
