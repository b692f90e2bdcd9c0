/* value.c: object identifiers and values, between text, JSON and the wire. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include "value.h"

/* ---- Object identifiers ---- */

/* The names that an engineer has in mind, so that no MIB file is needed for them. */
static const struct { const char *name, *oid; } names[] = {
    { "system", "1.3.6.1.2.1.1" }, { "interfaces", "1.3.6.1.2.1.2" }, { "ifTable", "1.3.6.1.2.1.2.2" }, { "ifXTable", "1.3.6.1.2.1.31.1.1" },
    { "sysDescr", "1.3.6.1.2.1.1.1" }, { "sysObjectID", "1.3.6.1.2.1.1.2" }, { "sysUpTime", "1.3.6.1.2.1.1.3" }, { "sysContact", "1.3.6.1.2.1.1.4" },
    { "sysName", "1.3.6.1.2.1.1.5" }, { "sysLocation", "1.3.6.1.2.1.1.6" }, { "sysServices", "1.3.6.1.2.1.1.7" },
    { "ifNumber", "1.3.6.1.2.1.2.1" }, { "ifIndex", "1.3.6.1.2.1.2.2.1.1" }, { "ifDescr", "1.3.6.1.2.1.2.2.1.2" }, { "ifType", "1.3.6.1.2.1.2.2.1.3" },
    { "ifMtu", "1.3.6.1.2.1.2.2.1.4" }, { "ifSpeed", "1.3.6.1.2.1.2.2.1.5" }, { "ifPhysAddress", "1.3.6.1.2.1.2.2.1.6" },
    { "ifAdminStatus", "1.3.6.1.2.1.2.2.1.7" }, { "ifOperStatus", "1.3.6.1.2.1.2.2.1.8" }, { "ifLastChange", "1.3.6.1.2.1.2.2.1.9" },
    { "ifInOctets", "1.3.6.1.2.1.2.2.1.10" }, { "ifInDiscards", "1.3.6.1.2.1.2.2.1.13" }, { "ifInErrors", "1.3.6.1.2.1.2.2.1.14" },
    { "ifOutOctets", "1.3.6.1.2.1.2.2.1.16" }, { "ifOutDiscards", "1.3.6.1.2.1.2.2.1.19" }, { "ifOutErrors", "1.3.6.1.2.1.2.2.1.20" },
    { "ifName", "1.3.6.1.2.1.31.1.1.1.1" }, { "ifHCInOctets", "1.3.6.1.2.1.31.1.1.1.6" }, { "ifHCOutOctets", "1.3.6.1.2.1.31.1.1.1.10" },
    { "ifHighSpeed", "1.3.6.1.2.1.31.1.1.1.15" }, { "ifAlias", "1.3.6.1.2.1.31.1.1.1.18" },
    { "snmpEngineID", "1.3.6.1.6.3.10.2.1.1" }, { "lldpRemTable", "1.0.8802.1.1.2.1.4.1" }, { "pethMainPseTable", "1.3.6.1.2.1.105.1.3.1" },
    { "entPhysicalTable", "1.3.6.1.2.1.47.1.1.1" }, { "hrSystemUptime", "1.3.6.1.2.1.25.1.1" }, { "hrProcessorLoad", "1.3.6.1.2.1.25.3.3.1.2" },
    { "dot1dTpFdbTable", "1.3.6.1.2.1.17.4.3" }, { "ipNetToMediaTable", "1.3.6.1.2.1.4.22" }, { "upsBasicBatteryStatus", "1.3.6.1.2.1.33.1.2.1" },
    { "coldStart", "1.3.6.1.6.3.1.1.5.1" }, { "warmStart", "1.3.6.1.6.3.1.1.5.2" }, { "linkDown", "1.3.6.1.6.3.1.1.5.3" }, { "linkUp", "1.3.6.1.6.3.1.1.5.4" },
    { "authenticationFailure", "1.3.6.1.6.3.1.1.5.5" },
};

static bool parse_numeric(const char *text, oid *ret, size_t *ret_len)
{
    size_t n = 0;

    if (*text == '.')
        text++;
    for (;;) {
        char *end;
        unsigned long number;

        if (!isdigit((unsigned char)*text) || n == MAX_OID_LEN)
            return false;
        number = strtoul(text, &end, 10);
        if (end - text > 10 || number > 0xffffffffUL)
            return false;
        ret[n++] = number;
        if (!*end)
            break;
        if (*end != '.')
            return false;
        text = end + 1;
    }
    if (n < 2 || ret[0] > 2 || (ret[0] < 2 && ret[1] > 39))
        return false;
    *ret_len = n;
    return true;
}

static bool parse_known(const char *text, oid *ret, size_t *ret_len)
{
    size_t len = strcspn(text, ".");
    char full[512];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strlen(names[i].name) == len && strncmp(names[i].name, text, len) == 0)
            return snprintf(full, sizeof(full), "%s%s", names[i].oid, text + len) < (int)sizeof(full) && parse_numeric(full, ret, ret_len);
    }
    return false;
}

int oid_parse(const char *text, oid *ret, size_t *ret_len, struct ft_err *reterr)
{
    *ret_len = MAX_OID_LEN;
    if (parse_numeric(text, ret, ret_len) || parse_known(text, ret, ret_len))
        return 0;
    *ret_len = MAX_OID_LEN;
    if (isalpha((unsigned char)*text) && get_tree_head() && snmp_parse_oid(text, ret, ret_len))
        return 0;
    return ft_fault(reterr, FT_INVALID, "'%.200s' is no object identifier (1.3.6.1.2.1.1.5.0, sysName.0); names of MIB files are known where plugins.snmp.mibs loads them", text);
}

char *oid_text(const oid *id, size_t len, char *ret, size_t size)
{
    size_t n = 0;

    *ret = '\0';
    for (size_t i = 0; i < len && n < size; i++)
        n += (size_t)snprintf(ret + n, size - n, "%s%lu", i ? "." : "", (unsigned long)id[i]);
    return ret;
}

bool oid_within(const oid *root, size_t root_len, const oid *id, size_t len)
{
    return len >= root_len && memcmp(root, id, root_len * sizeof(*root)) == 0;
}

const char *oid_known_name(const oid *id, size_t len)
{
    char text[OID_TEXT];

    oid_text(id, len, text, sizeof(text));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i].oid, text) == 0)
            return names[i].name;
    }
    return NULL;
}

/* ---- Values to JSON ---- */

/* Text is what people may have typed: UTF-8 without control characters but for white space; one NUL at the end, which some agents send, is dropped. */
static bool is_text(const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((bytes[i] < ' ' && bytes[i] != '\t' && bytes[i] != '\n' && bytes[i] != '\r') || bytes[i] == 0x7f)
            return false;
    }
    return true;
}

json_t *hex_json(const unsigned char *bytes, size_t len)
{
    char *text = malloc(len * 2 + 1);
    json_t *value;

    if (!text)
        return NULL;
    for (size_t i = 0; i < len; i++)
        snprintf(text + i * 2, 3, "%02x", bytes[i]);
    value = json_stringn(text, len * 2);
    free(text);
    return value;
}

json_t *octets_json(const unsigned char *bytes, size_t len, const char **ret_type)
{
    size_t text_len = len > 1 && bytes[len - 1] == '\0' ? len - 1 : len;
    json_t *value = is_text(bytes, text_len) ? json_stringn((const char *)bytes, text_len) : NULL;

    *ret_type = value ? "string" : "hex";
    return value ? value : hex_json(bytes, len);
}

static json_t *address_json(const netsnmp_variable_list *v)
{
    char text[INET_ADDRSTRLEN];

    return v->val_len == 4 && inet_ntop(AF_INET, v->val.string, text, sizeof(text)) ? json_string(text) : hex_json(v->val.string, v->val_len);
}

/* Counters up to 2^63-1 are exact integers; above, which no counter of octets reaches within a device's life, they are written as text. */
static json_t *counter64_json(const struct counter64 *c)
{
    unsigned long long value = (unsigned long long)(c->high & 0xffffffffUL) << 32 | (c->low & 0xffffffffUL);

    return value >> 63 ? json_sprintf("%llu", value) : json_integer((json_int_t)value);
}

static json_t *plain_json(const netsnmp_variable_list *v, const char **ret_type)
{
    char text[OID_TEXT];

    switch (v->type) {
    case ASN_INTEGER:     *ret_type = "integer"; return json_integer(*v->val.integer);
    case ASN_COUNTER:     *ret_type = "counter32"; return json_integer((json_int_t)(*v->val.integer & 0xffffffffL));
    case ASN_GAUGE:       *ret_type = "gauge32"; return json_integer((json_int_t)(*v->val.integer & 0xffffffffL));
    case ASN_TIMETICKS:   *ret_type = "timeticks"; return json_integer((json_int_t)(*v->val.integer & 0xffffffffL));
    case ASN_UINTEGER:    *ret_type = "unsigned"; return json_integer((json_int_t)(*v->val.integer & 0xffffffffL));
    case ASN_COUNTER64:   *ret_type = "counter64"; return counter64_json(v->val.counter64);
    case ASN_OCTET_STR:   return octets_json(v->val.string, v->val_len, ret_type);
    case ASN_BIT_STR:     *ret_type = "bits"; return hex_json(v->val.string, v->val_len);
    case ASN_IPADDRESS:   *ret_type = "ip"; return address_json(v);
    case ASN_OBJECT_ID:   *ret_type = "oid"; return json_string(oid_text(v->val.objid, v->val_len / sizeof(oid), text, sizeof(text)));
    case ASN_OPAQUE_FLOAT:  *ret_type = "float"; return json_real((double)*v->val.floatVal);
    case ASN_OPAQUE_DOUBLE: *ret_type = "double"; return json_real(*v->val.doubleVal);
    case ASN_OPAQUE_I64:  *ret_type = "integer64"; return counter64_json(v->val.counter64);
    case ASN_OPAQUE_U64: case ASN_OPAQUE_COUNTER64: *ret_type = "counter64"; return counter64_json(v->val.counter64);
    case ASN_OPAQUE:      *ret_type = "opaque"; return hex_json(v->val.string, v->val_len);
    case ASN_NULL:        *ret_type = "null"; return json_null();
    case SNMP_NOSUCHOBJECT:   *ret_type = "no_such_object"; return json_null();
    case SNMP_NOSUCHINSTANCE: *ret_type = "no_such_instance"; return json_null();
    case SNMP_ENDOFMIBVIEW:   *ret_type = "end_of_mib"; return json_null();
    default:              *ret_type = "unknown"; return json_null();
    }
}

json_t *value_json(const netsnmp_variable_list *v)
{
    char text[OID_TEXT];
    const char *type = "unknown";
    json_t *value = plain_json(v, &type);

    if (!value)
        value = json_null();                       /* a float that is no number, or no memory */
    return json_pack("{s:s, s:s, s:o}", "oid", oid_text(v->name, v->name_length, text, sizeof(text)), "type", type, "value", value);
}

bool value_exists(const netsnmp_variable_list *v)
{
    return v->type != SNMP_NOSUCHOBJECT && v->type != SNMP_NOSUCHINSTANCE && v->type != SNMP_ENDOFMIBVIEW && v->type != ASN_NULL;
}

json_int_t value_number(const netsnmp_variable_list *v)
{
    const char *type;
    json_t *value;
    json_int_t number;

    if (!value_exists(v))
        return 0;
    value = plain_json(v, &type);
    number = json_integer_value(value);
    json_decref(value);
    return number;
}

/* ---- Values of a set ---- */

static const struct { const char *type; char letter; bool number; json_int_t min, max; } types[] = {
    { "integer", 'i', true, INT32_MIN, INT32_MAX }, { "unsigned", 'u', true, 0, UINT32_MAX }, { "gauge32", 'u', true, 0, UINT32_MAX },
    { "counter32", 'c', true, 0, UINT32_MAX }, { "timeticks", 't', true, 0, UINT32_MAX }, { "counter64", 'C', true, 0, INT64_MAX },
    { "string", 's', false, 0, 0 }, { "hex", 'x', false, 0, 0 }, { "ip", 'a', false, 0, 0 }, { "oid", 'o', false, 0, 0 },
};

static bool is_hex(const char *text)
{
    return strlen(text) % 2 == 0 && text[strspn(text, "0123456789abcdefABCDEF")] == '\0';
}

static int check_text(char letter, const char *text, struct ft_err *reterr)
{
    unsigned char address[4];
    oid id[MAX_OID_LEN];
    size_t len;

    if (letter == 'x' && !is_hex(text))
        return ft_fault(reterr, FT_INVALID, "value '%.80s' is no row of hex digits, two a byte", text);
    if (letter == 'a' && inet_pton(AF_INET, text, address) != 1)
        return ft_fault(reterr, FT_INVALID, "value '%.80s' is no IPv4 address", text);
    if (letter == 'o' && !parse_numeric(text, id, &len))
        return ft_fault(reterr, FT_INVALID, "value '%.80s' is no numeric object identifier", text);
    return 0;
}

int value_letter(const char *type, const json_t *value, char *ret_letter, char *ret_text, size_t size, struct ft_err *reterr)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        json_int_t number = json_integer_value(value);

        if (!ft_same(types[i].type, type))
            continue;
        *ret_letter = types[i].letter;
        if (types[i].number && (!json_is_integer(value) || number < types[i].min || number > types[i].max))
            return ft_fault(reterr, FT_INVALID, "value must be a whole number from %" JSON_INTEGER_FORMAT " to %" JSON_INTEGER_FORMAT " for the type %s", types[i].min,
                            types[i].max, type);
        if (types[i].number) {
            snprintf(ret_text, size, "%" JSON_INTEGER_FORMAT, number);
            return 0;
        }
        if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value))
            return ft_fault(reterr, FT_INVALID, "value must be text for the type %s", type);
        if ((size_t)snprintf(ret_text, size, "%s", json_string_value(value)) >= size)
            return ft_fault(reterr, FT_INVALID, "value is longer than %zu bytes", size - 1);
        return check_text(types[i].letter, ret_text, reterr);
    }
    return ft_fault(reterr, FT_INVALID, "a value of the type %s cannot be set", type ? type : "null");
}
