/* tables.c: many values: walk, table, interfaces. */
#include <stdlib.h>
#include "job.h"

/* ---- walk ---- */

struct walking { struct job *job; size_t column; bool more; };

static bool walk_row(void *arg, const netsnmp_variable_list *v)
{
    struct walking *w = arg;
    size_t root = w->job->lens[0];
    char index[OID_TEXT];
    json_t *row;

    if (json_array_size(w->job->result) == w->job->max_rows) {
        w->more = true;
        return false;
    }
    row = value_json(v);
    json_object_set_new(row, "index", json_string(oid_text(v->name + root, v->name_length - root, index, sizeof(index))));
    json_array_append_new(w->job->result, row);
    return true;
}

static int work_walk(struct job *job, struct snmp_talk *s, struct ft_err *reterr)
{
    struct walking w = { .job = job };
    int r;

    job->result = json_array();
    r = snmp_walk(s, job->ids[0], job->lens[0], walk_row, &w, reterr);
    if (r == 0)
        job->result = json_pack("{s:o, s:b}", "rows", job->result, "more", w.more);
    return r;
}

static int walk_start(struct ft_call *call, struct ft_err *reterr)
{
    struct job *job = job_new(call, reterr);
    int r = job ? job_add(job, ft_str(host->params(call), "oid"), reterr) : -EINVAL;

    if (r == 0) {
        job->max_rows = (size_t)ft_int(host->params(call), "max_rows");
        return job_start(call, job, work_walk, job_give, reterr);
    }
    job_free(job);
    return r;
}

#define MAX_ROWS FT_JSON("max_rows": {"type": "integer", "minimum": 1, "maximum": 20000, "default": 1000, "description": "stop after so many, and say so in `more`"})

static const char walk_params[] = SNMP_OBJECT("[\"agent\", \"oid\"]", ", "
    FT_JSON("oid": {"type": "string", "minLength": 1, "maxLength": 500, "description": "where to begin: all that lies below it, and nothing else"}) ", " MAX_ROWS);
static const char walk_result[] = "{\"type\": \"object\", \"properties\": {\"rows\": {\"type\": \"array\", \"description\": \"in the agent's order\", \"items\": {\"type\": \"object\", "
    "\"properties\": {" SNMP_VALUE_FIELDS ", " FT_JSON("index": {"type": "string", "description": "what follows the oid of the step: 12"}) "}}}, "
    FT_JSON("more": {"type": "boolean", "description": "there are more than max_rows"}) "}}";

const struct ft_action snmp_walk_action = {
    .size = sizeof(snmp_walk_action), .name = "walk", .summary = "all values below an object", .effects = FT_EFFECT_READ, .params_schema = walk_params,
    .result_schema = walk_result, .state_size = sizeof(struct job_state), .run = { .start = walk_start, .cancel = job_cancel }, .timeout_ms = 120000,
    .about = "By GETBULK (GETNEXT with v1). An agent that answers in circles is found out and fails the step as `invalid`. Nothing below the object is an empty list.",
    .example = "run: snmp.walk\nwith: {agent: core-1, oid: ifAlias}\n",
};

/* ---- table: columns side by side ---- */

/* rows is an object by index while it grows: {"12": {"index": "12", "#0": value, …}}; columns are numbers until their names are known to the loop. */
static bool table_row(void *arg, const netsnmp_variable_list *v)
{
    struct walking *w = arg;
    struct job *job = w->job;
    size_t root = job->lens[w->column];
    char index[OID_TEXT], column[24];
    json_t *row, *value;

    oid_text(v->name + root, v->name_length - root, index, sizeof(index));
    row = json_object_get(job->result, index);
    if (!row) {
        if (json_object_size(job->result) == job->max_rows) {
            w->more = true;
            return true;                            /* later rows of this column may belong to rows that are there */
        }
        row = json_pack("{s:s}", "index", index);
        json_object_set_new(job->result, index, row);
    }
    value = value_json(v);
    snprintf(column, sizeof(column), "#%zu", w->column);
    json_object_set(row, column, json_object_get(value, "value"));
    json_decref(value);
    return true;
}

static int work_table(struct job *job, struct snmp_talk *s, struct ft_err *reterr)
{
    struct walking w = { .job = job };
    int r = 0;

    job->result = json_object();
    for (w.column = 0; w.column < job->count && r == 0; w.column++)
        r = snmp_walk(s, job->ids[w.column], job->lens[w.column], table_row, &w, reterr);
    if (r == 0)
        job->result = json_pack("{s:o, s:b}", "rows", job->result, "more", w.more);
    return r;
}

static void table_over(struct ft_call *call, struct job *job)
{
    const json_t *columns = ft_get(host->params(call), "columns");
    json_t *rows = json_array(), *row, *ignored;
    const char *key, *name;

    json_object_foreach(json_object_get(job->result, "rows"), key, row) {
        json_t *named = json_pack("{s:O}", "index", json_object_get(row, "index"));
        size_t at = 0;

        json_object_foreach((json_t *)columns, name, ignored) {
            const char *column = host->printf(call, "#%zu", at++);
            json_t *value = json_object_get(row, column);

            json_object_set_new(named, name, value ? json_incref(value) : json_null());
        }
        json_array_append_new(rows, named);
    }
    host->done(call, json_pack("{s:o, s:O}", "rows", rows, "more", json_object_get(job->result, "more")));
}

static int table_start(struct ft_call *call, struct ft_err *reterr)
{
    struct job *job = job_new(call, reterr);
    int r = job ? 0 : -EINVAL;
    const char *name;
    json_t *oid;

    json_object_foreach((json_t *)ft_get(host->params(call), "columns"), name, oid) {
        if (r == 0 && ft_same(name, "index"))
            r = ft_fault(reterr, FT_INVALID, "a column cannot be called 'index': that is what each row begins with");
        if (r == 0)
            r = job_add(job, json_string_value(oid), reterr);
    }
    if (r == 0) {
        job->max_rows = (size_t)ft_int(host->params(call), "max_rows");
        return job_start(call, job, work_table, table_over, reterr);
    }
    job_free(job);
    return r;
}

static const char table_params[] = SNMP_OBJECT("[\"agent\", \"columns\"]", ", "
    FT_JSON("columns": {"type": "object", "minProperties": 1, "maxProperties": 50, "additionalProperties": {"type": "string", "minLength": 1, "maxLength": 500},
                        "description": "columns by the names that they shall have: {name: ifName, oper: 1.3.6.1.2.1.2.2.1.8}"}) ", " MAX_ROWS);
static const char table_result[] = FT_JSON({"type": "object", "properties": {
    "rows": {"type": "array", "description": "one object a row: index, and the columns by name; null where the row has no such column",
             "items": {"type": "object", "additionalProperties": true}},
    "more": {"type": "boolean", "description": "there are more than max_rows"}}});

const struct ft_action snmp_table_action = {
    .size = sizeof(snmp_table_action), .name = "table", .summary = "columns of a table, side by side", .effects = FT_EFFECT_READ, .params_schema = table_params,
    .result_schema = table_result, .state_size = sizeof(struct job_state), .run = { .start = table_start, .cancel = job_cancel }, .timeout_ms = 120000,
    .about = "Each column is walked; rows are put together by their index.",
    .example = "run: snmp.table\nwith: {agent: core-1, columns: {name: ifName, oper: ifOperStatus, alias: ifAlias}}\n",
};

/* ---- interfaces ---- */

enum { IF_DESCR, IF_TYPE, IF_MTU, IF_SPEED, IF_MAC, IF_ADMIN, IF_OPER, IF_CHANGE, IF_IN, IF_IN_DISCARDS, IF_IN_ERRORS, IF_OUT, IF_OUT_DISCARDS, IF_OUT_ERRORS,
       IF_NAME, IF_HC_IN, IF_HC_OUT, IF_HIGH_SPEED, IF_ALIAS, IF_COLUMNS };
static const char *const if_columns[IF_COLUMNS] = {
    "ifDescr", "ifType", "ifMtu", "ifSpeed", "ifPhysAddress", "ifAdminStatus", "ifOperStatus", "ifLastChange", "ifInOctets", "ifInDiscards", "ifInErrors",
    "ifOutOctets", "ifOutDiscards", "ifOutErrors", "ifName", "ifHCInOctets", "ifHCOutOctets", "ifHighSpeed", "ifAlias",
};

static json_t *column_of(const json_t *row, int column)
{
    char key[24];

    snprintf(key, sizeof(key), "#%d", column);
    return json_object_get(row, key);
}

static json_t *either(const json_t *row, int first, int second)
{
    json_t *value = column_of(row, first);

    if (!value)
        value = column_of(row, second);
    return value ? json_incref(value) : json_null();
}

static json_t *status(const json_t *row, int column)
{
    static const char *const words[] = { NULL, "up", "down", "testing", "unknown", "dormant", "not_present", "lower_layer_down" };
    json_int_t number = json_integer_value(column_of(row, column));

    return number > 0 && number < (json_int_t)(sizeof(words) / sizeof(words[0])) ? json_string(words[number]) : json_null();
}

/* ifSpeed is at its end at 4.29 Gbit/s; ifHighSpeed, in Mbit/s, goes on. */
static json_t *speed(const json_t *row)
{
    json_int_t high = json_integer_value(column_of(row, IF_HIGH_SPEED)), low = json_integer_value(column_of(row, IF_SPEED));

    if (high >= 1000 || low == UINT32_MAX)
        return high > 0 ? json_integer(high * 1000000) : json_null();
    return low > 0 ? json_integer(low) : high > 0 ? json_integer(high * 1000000) : json_null();
}

/* The bytes of an address come as text where they happen to be printable. */
static bool mac_bytes(const json_t *value, unsigned char *bytes)
{
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);

    if (len == 6) {
        memcpy(bytes, text, 6);
        return true;
    }
    for (size_t i = 0; len == 12 && i < 6; i++) {
        unsigned byte;

        if (sscanf(text + i * 2, "%2x", &byte) != 1)
            return false;
        bytes[i] = (unsigned char)byte;
    }
    return len == 12;
}

static json_t *mac(const json_t *row)
{
    unsigned char b[6] = { 0 };

    return mac_bytes(column_of(row, IF_MAC), b) ? json_sprintf("%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]) : json_null();
}

static json_t *interface_json(const json_t *row, json_int_t uptime)
{
    json_int_t change = json_integer_value(column_of(row, IF_CHANGE));
    bool knows = json_is_integer(column_of(row, IF_CHANGE)) && uptime >= change;
    const char *index = ft_str(row, "index");

    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}",
        "index", (json_int_t)strtoll(index ? index : "0", NULL, 10), "name", either(row, IF_NAME, IF_DESCR), "descr", either(row, IF_DESCR, IF_NAME),
        "alias", either(row, IF_ALIAS, IF_ALIAS), "type", either(row, IF_TYPE, IF_TYPE), "mtu", either(row, IF_MTU, IF_MTU), "speed_bps", speed(row), "mac", mac(row),
        "admin", status(row, IF_ADMIN), "oper", status(row, IF_OPER), "changed_s", knows ? json_integer((uptime - change) / 100) : json_null(),
        "in_octets", either(row, IF_HC_IN, IF_IN), "out_octets", either(row, IF_HC_OUT, IF_OUT), "in_errors", either(row, IF_IN_ERRORS, IF_IN_ERRORS),
        "out_errors", either(row, IF_OUT_ERRORS, IF_OUT_ERRORS), "in_discards", either(row, IF_IN_DISCARDS, IF_IN_DISCARDS),
        "out_discards", either(row, IF_OUT_DISCARDS, IF_OUT_DISCARDS), "counters_64", column_of(row, IF_HC_IN) != NULL);
}

static void take_uptime(void *arg, size_t at, const netsnmp_variable_list *v)
{
    (void)at;
    *(json_int_t *)arg = value_number(v);
}

static int work_interfaces(struct job *job, struct snmp_talk *s, struct ft_err *reterr)
{
    static const oid up_time[1][MAX_OID_LEN] = { { 1, 3, 6, 1, 2, 1, 1, 3, 0 } };
    static const size_t up_time_len = 9;
    json_int_t uptime = 0;
    int r = snmp_get(s, up_time, &up_time_len, 1, take_uptime, &uptime, reterr);

    if (r == 0)
        r = work_table(job, s, reterr);
    if (r == 0)
        json_object_set_new(job->result, "uptime", json_integer(uptime));
    return r;
}

static bool wanted(const json_t *one, const json_t *names)
{
    const json_t *name;
    size_t i;

    json_array_foreach(names, i, name) {
        const char *text = json_string_value(name);

        if (ft_same(text, ft_str(one, "name")) || ft_same(text, ft_str(one, "descr")) || ft_same(text, ft_str(one, "alias")))
            return true;
    }
    return !names;
}

static void interfaces_over(struct ft_call *call, struct job *job)
{
    json_t *list = json_array(), *row;
    json_int_t up = 0, down = 0;
    const char *key;

    json_object_foreach(json_object_get(job->result, "rows"), key, row) {
        json_t *one = interface_json(row, ft_int(job->result, "uptime"));

        if (!wanted(one, ft_get(host->params(call), "names"))) {
            json_decref(one);
            continue;
        }
        up += ft_same(ft_str(one, "oper"), "up");
        down += ft_same(ft_str(one, "admin"), "up") && !ft_same(ft_str(one, "oper"), "up");
        json_array_append_new(list, one);
    }
    host->done(call, json_pack("{s:o, s:I, s:I, s:O}", "interfaces", list, "up", up, "down", down, "more", json_object_get(job->result, "more")));
}

static int interfaces_start(struct ft_call *call, struct ft_err *reterr)
{
    struct job *job = job_new(call, reterr);
    int r = job ? 0 : -EINVAL;

    for (size_t i = 0; i < IF_COLUMNS && r == 0; i++)
        r = job_add(job, if_columns[i], reterr);
    if (r == 0) {
        job->max_rows = (size_t)ft_int(host->params(call), "max_rows");
        return job_start(call, job, work_interfaces, interfaces_over, reterr);
    }
    job_free(job);
    return r;
}

static const char interfaces_params[] = SNMP_OBJECT("[\"agent\"]", ", "
    FT_JSON("names": {"type": "array", "minItems": 1, "items": {"type": "string"}, "description": "only those of this name, description or alias"}) ", " MAX_ROWS);
static const char interfaces_result[] = FT_JSON({"type": "object", "properties": {
    "interfaces": {"type": "array", "description": "in the agent's order", "items": {"type": "object", "properties": {
        "index": {"type": "integer", "description": "ifIndex"}, "name": {"type": ["string", "null"], "description": "short name: ge-0/0/1"},
        "descr": {"type": ["string", "null"], "description": "ifDescr"}, "alias": {"type": ["string", "null"], "description": "the description that was configured"},
        "type": {"type": ["integer", "null"], "description": "IANAifType: 6 is Ethernet, 161 an aggregate"}, "mtu": {"type": ["integer", "null"], "description": "bytes"},
        "speed_bps": {"type": ["integer", "null"], "description": "bit/s"}, "mac": {"type": ["string", "null"], "description": "a4:83:e7:12:34:56"},
        "admin": {"type": ["string", "null"], "description": "up, down or testing: as configured"},
        "oper": {"type": ["string", "null"], "description": "up, down, testing, unknown, dormant, not_present, lower_layer_down: as it is"},
        "changed_s": {"type": ["integer", "null"], "description": "seconds since it became what it is; null where it did before the agent started"},
        "in_octets": {"type": ["integer", "string", "null"], "description": "bytes received; from the 64-bit counter where there is one"},
        "out_octets": {"type": ["integer", "string", "null"], "description": "bytes sent"},
        "in_errors": {"type": ["integer", "null"], "description": "packets received with errors"}, "out_errors": {"type": ["integer", "null"], "description": "packets not sent because of errors"},
        "in_discards": {"type": ["integer", "null"], "description": "good packets dropped on the way in"}, "out_discards": {"type": ["integer", "null"], "description": "good packets dropped on the way out"},
        "counters_64": {"type": "boolean", "description": "false: in_octets and out_octets start again at 0 after 4 GiB"}}}},
    "up": {"type": "integer", "description": "how many are up"}, "down": {"type": "integer", "description": "how many should be up and are not"},
    "more": {"type": "boolean", "description": "there are more than max_rows"}}});

const struct ft_action snmp_interfaces_action = {
    .size = sizeof(snmp_interfaces_action), .name = "interfaces", .summary = "the interfaces with state, speed, errors and counters", .effects = FT_EFFECT_READ,
    .params_schema = interfaces_params, .result_schema = interfaces_result, .state_size = sizeof(struct job_state),
    .run = { .start = interfaces_start, .cancel = job_cancel }, .timeout_ms = 120000,
    .about = "From ifTable and ifXTable. Counters are as the device keeps them since it started: look twice and subtract for a rate.",
    .example = "run: snmp.interfaces\nwith: {agent: core-1, names: [ge-0/0/1, uplink]}\n",
};
