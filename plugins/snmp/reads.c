/* reads.c: single values: get, get_many, system. */
#include "job.h"

/* ---- get and get_many ---- */

static void add_value(void *arg, size_t at, const netsnmp_variable_list *v)
{
    struct job *job = arg;
    json_t *value = value_json(v);

    (void)at;
    json_object_set_new(value, "exists", json_boolean(value_exists(v)));
    json_array_append_new(job->result, value);
}

static int work_get(struct job *job, struct snmp_talk *s, struct ft_err *reterr)
{
    job->result = json_array();
    return snmp_get(s, job->ids, job->lens, job->count, add_value, job, reterr);
}

static void get_over(struct ft_call *call, struct job *job)
{
    json_t *only = json_array_get(job->result, 0);

    if (only)
        host->done(call, json_incref(only));
    else
        host->fail(call, FT_INVALID, "%s gave no value", job->agent.name);
}

static int get_start(struct ft_call *call, struct ft_err *reterr)
{
    struct job *job = job_new(call, reterr);
    int r = job ? job_add(job, ft_str(host->params(call), "oid"), reterr) : -EINVAL;

    if (r == 0)
        return job_start(call, job, work_get, get_over, reterr);
    job_free(job);
    return r;
}

static void many_over(struct ft_call *call, struct job *job)
{
    const json_t *oids = ft_get(host->params(call), "oids");
    json_t *missing = json_array(), *value;
    size_t i;

    json_array_foreach(job->result, i, value) {
        json_object_set(value, "asked", json_array_get(oids, i));
        if (!ft_true(value, "exists"))
            json_array_append(missing, json_array_get(oids, i));
    }
    host->done(call, json_pack("{s:o, s:o}", "values", job_take(job), "missing", missing));
}

static int many_start(struct ft_call *call, struct ft_err *reterr)
{
    struct job *job = job_new(call, reterr);
    const json_t *oids = ft_get(host->params(call), "oids"), *item;
    int r = job ? 0 : -EINVAL;
    size_t i;

    json_array_foreach(oids, i, item) {
        if (r == 0)
            r = job_add(job, json_string_value(item), reterr);
    }
    if (r == 0)
        return job_start(call, job, work_get, many_over, reterr);
    job_free(job);
    return r;
}

static const char get_params[] = SNMP_OBJECT("[\"agent\", \"oid\"]", ", "
    FT_JSON("oid": {"type": "string", "minLength": 1, "maxLength": 500, "description": "object with its instance: 1.3.6.1.2.1.1.5.0, sysName.0, ifOperStatus.12"}));
static const char get_result[] = "{\"type\": \"object\", \"properties\": {" SNMP_VALUE_FIELDS ", "
    FT_JSON("exists": {"type": "boolean", "description": "the agent has it"}) "}}";
static const char many_params[] = SNMP_OBJECT("[\"agent\", \"oids\"]", ", "
    FT_JSON("oids": {"type": "array", "minItems": 1, "maxItems": 100, "items": {"type": "string", "minLength": 1, "maxLength": 500}, "description": "objects with their instances"}));
static const char many_result[] = "{\"type\": \"object\", \"properties\": {\"values\": {\"type\": \"array\", \"description\": \"in the order asked for\", \"items\": "
    "{\"type\": \"object\", \"properties\": {" SNMP_VALUE_FIELDS ", "
    FT_JSON("asked": {"type": "string", "description": "as the step named it"}, "exists": {"type": "boolean", "description": "the agent has it"}) "}}}, "
    FT_JSON("missing": {"type": "array", "items": {"type": "string"}, "description": "those that the agent does not have"}) "}}";

const struct ft_action snmp_get_action = {
    .size = sizeof(snmp_get_action), .name = "get", .summary = "one value", .effects = FT_EFFECT_READ, .params_schema = get_params, .result_schema = get_result,
    .state_size = sizeof(struct job_state), .run = { .start = get_start, .cancel = job_cancel }, .timeout_ms = 60000,
    .about = "An object that the agent does not have is the result `exists: false`. An agent that does not answer fails the step as `timeout`; with v1 and v2c a wrong community looks the same.",
    .example = "run: snmp.get\nwith: {agent: core-1, oid: sysUpTime.0}\n",
};
const struct ft_action snmp_get_many_action = {
    .size = sizeof(snmp_get_many_action), .name = "get_many", .summary = "several values", .effects = FT_EFFECT_READ, .params_schema = many_params,
    .result_schema = many_result, .state_size = sizeof(struct job_state), .run = { .start = many_start, .cancel = job_cancel }, .timeout_ms = 60000,
    .about = "Up to 100 objects, asked for 20 at a time, and fewer where the agent says that the answer would be too big.",
    .example = "run: snmp.get_many\nwith: {agent: core-1, oids: [sysName.0, ifOperStatus.12, 1.3.6.1.2.1.33.1.2.1.0]}\n",
};

/* ---- system ---- */

static const struct { const char *field, *oid; } fields[] = {
    { "descr", "1.3.6.1.2.1.1.1.0" }, { "object_id", "1.3.6.1.2.1.1.2.0" }, { "uptime_s", "1.3.6.1.2.1.1.3.0" }, { "contact", "1.3.6.1.2.1.1.4.0" },
    { "name", "1.3.6.1.2.1.1.5.0" }, { "location", "1.3.6.1.2.1.1.6.0" },
};

static void system_over(struct ft_call *call, struct job *job)
{
    json_t *result = json_object();

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const json_t *value = ft_get(json_array_get(job->result, i), "value");

        if (ft_same(fields[i].field, "uptime_s"))
            json_object_set_new(result, fields[i].field, json_is_integer(value) ? json_integer(json_integer_value(value) / 100) : json_null());
        else
            json_object_set_new(result, fields[i].field, json_is_string(value) ? json_string(json_string_value(value)) : json_null());
    }
    host->done(call, result);
}

static int system_start(struct ft_call *call, struct ft_err *reterr)
{
    struct job *job = job_new(call, reterr);
    int r = job ? 0 : -EINVAL;

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]) && r == 0; i++)
        r = job_add(job, fields[i].oid, reterr);
    if (r == 0)
        return job_start(call, job, work_get, system_over, reterr);
    job_free(job);
    return r;
}

static const char system_params[] = SNMP_OBJECT("[\"agent\"]", "");
static const char system_result[] = FT_JSON({"type": "object", "properties": {
    "descr": {"type": ["string", "null"], "description": "what it is and what it runs, in its own words"},
    "object_id": {"type": ["string", "null"], "description": "the vendor's number for the model"},
    "uptime_s": {"type": ["integer", "null"], "description": "seconds since its SNMP agent started; it starts again at 0 after 497 days"},
    "contact": {"type": ["string", "null"], "description": "who is responsible"}, "name": {"type": ["string", "null"], "description": "its name"},
    "location": {"type": ["string", "null"], "description": "where it stands"}}});

const struct ft_action snmp_system_action = {
    .size = sizeof(snmp_system_action), .name = "system", .summary = "who a device is, and since when it runs", .effects = FT_EFFECT_READ,
    .params_schema = system_params, .result_schema = system_result, .state_size = sizeof(struct job_state), .run = { .start = system_start, .cancel = job_cancel },
    .timeout_ms = 60000, .example = "run: snmp.system\nwith: {agent: core-1}\n",
};
