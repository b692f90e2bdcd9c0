/* value.h: object identifiers and values, between text, JSON and the wire. */
#pragma once
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>
#include <fettle/kit.h>

/* "1.3.6.1.2.1.1.5.0", ".1.3.6…", "sysName.0", "ifOperStatus.12"; names of MIB files where the configuration loads some. Under the library's lock. */
int oid_parse(const char *text, oid *ret, size_t *ret_len, struct ft_err *reterr);
char *oid_text(const oid *id, size_t len, char *ret, size_t size);      /* gives ret; cut short where it does not fit */
#define OID_TEXT (MAX_OID_LEN * 11 + 1)
const char *oid_known_name(const oid *id, size_t len);                 /* "linkDown"; NULL for those that have no name here */
bool oid_within(const oid *root, size_t root_len, const oid *id, size_t len);

/* {"oid", "type", "value"}; type no_such_object, no_such_instance and end_of_mib have the value null. */
json_t *value_json(const netsnmp_variable_list *v);
bool value_exists(const netsnmp_variable_list *v);
/* Numbers of the value where it is one; 0 otherwise. */
json_int_t value_number(const netsnmp_variable_list *v);
json_t *hex_json(const unsigned char *bytes, size_t len);
json_t *octets_json(const unsigned char *bytes, size_t len, const char **ret_type);     /* text, or hex digits; type "string" or "hex" */

/* {"type", "value"} of a parameter as snmp_add_var() wants it: a letter and a text (or hex digits, letter 'x'). */
int value_letter(const char *type, const json_t *value, char *ret_letter, char *ret_text, size_t size, struct ft_err *reterr);
